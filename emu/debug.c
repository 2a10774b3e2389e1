/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Self-hosted debug: Arm ARM (DDI 0487) D2. Breakpoints, watchpoints, software
 * step, the OS lock, claim tags. There is no external debugger, so the debug
 * communication channel is never full and never ready.
 *
 * While software step is active, a breakpoint is enabled, or PSTATE.IL is set,
 * EMU_ATT_STEP keeps the vCPU out of its loop, and emu_debug_run_one executes
 * one instruction at a time. Watchpoints mark the TLB entries of their pages,
 * so that accesses there take the miss path. Thread: the vCPU's own.
 */
#include "emu/sysregs_priv.h"

#include "emu/vcpu_priv.h"

enum {
	EC_ILLEGAL = 0x0e,
	EC_BREAKPOINT = 0x30, /* + 1 from the same EL, these three */
	EC_STEP = 0x32,
	EC_WATCHPOINT = 0x34,
};
#define FSC_DEBUG 0x22u

#define MDSCR_SS 1u
#define MDSCR_TDCC (1u << 12)
#define MDSCR_KDE (1u << 13)
#define MDSCR_MDE (1u << 15)
#define MDSCR_MASK (MDSCR_SS | MDSCR_TDCC | MDSCR_KDE | MDSCR_MDE)
#define OSLSR_OSLK 2u

/* The registers of comparator n: rows of a pair follow each other in sysregs.def. */
static uint64_t bvr(const struct emu_cpu *cpu, unsigned n)
{
	return cpu->sys[EMU_SR_DBGBVR0_EL1 + 2 * n];
}

static uint64_t bcr(const struct emu_cpu *cpu, unsigned n)
{
	return cpu->sys[EMU_SR_DBGBCR0_EL1 + 2 * n];
}

static uint64_t wvr(const struct emu_cpu *cpu, unsigned n)
{
	return cpu->sys[EMU_SR_DBGWVR0_EL1 + 2 * n];
}

static uint64_t wcr(const struct emu_cpu *cpu, unsigned n)
{
	return cpu->sys[EMU_SR_DBGWCR0_EL1 + 2 * n];
}

/* ---- Whether debug exceptions are enabled ---- */

static bool enabled_from(const struct emu_cpu *cpu, unsigned el, bool d)
{
	if (cpu->sys[EMU_SR_OSLSR_EL1] & OSLSR_OSLK)
		return false;
	return el == 0 || ((cpu->sys[EMU_SR_MDSCR_EL1] & MDSCR_KDE) && !d);
}

static bool enabled_now(const struct emu_cpu *cpu)
{
	return enabled_from(cpu, cpu->pstate.el, cpu->pstate.d);
}

void emu_debug_update(struct emu_cpu *cpu)
{
	struct emu_vcpu *vcpu = cpu->vcpu;
	uint64_t mdscr = cpu->sys[EMU_SR_MDSCR_EL1];

	if (!(mdscr & (MDSCR_SS | MDSCR_MDE)) && !vcpu->special && !cpu->pstate.il)
		return;
	bool on = enabled_now(cpu);
	vcpu->step_active = on && (mdscr & MDSCR_SS);
	vcpu->breakpoints_active = false;
	for (unsigned i = 0; on && (mdscr & MDSCR_MDE) && i < emu_model(cpu)->n_breakpoints; i++)
		vcpu->breakpoints_active |= bcr(cpu, i) & 1;
	bool special = vcpu->step_active || vcpu->breakpoints_active || cpu->pstate.il;
	if (special)
		atomic_fetch_or(&cpu->attention, EMU_ATT_STEP);
	else if (vcpu->special)
		atomic_fetch_and(&cpu->attention, ~(uint32_t)EMU_ATT_STEP);
	vcpu->special = special;
}

bool emu_debug_return_ss(struct emu_cpu *cpu, uint32_t spsr)
{
	if (!(cpu->sys[EMU_SR_MDSCR_EL1] & MDSCR_SS))
		return false;
	/* Only a return into the stepped context, from where stepping is off, starts a step. */
	return !enabled_now(cpu) && enabled_from(cpu, spsr >> 2 & 3, spsr >> 9 & 1) && (spsr >> 21 & 1);
}

/* ---- Comparators ---- */

static bool el_matches(uint64_t control, unsigned el)
{
	return control >> (el == 0 ? 2 : 1) & 1; /* PMC, PAC: bit 1 is EL0, bit 0 EL1 */
}

/* A context comparison: of CONTEXTIDR_EL1, by one of the last two breakpoints. */
static bool context_matches(const struct emu_cpu *cpu, unsigned n)
{
	return (uint32_t)bvr(cpu, n) == (uint32_t)cpu->sys[EMU_SR_CONTEXTIDR_EL1];
}

static bool is_context_aware(const struct emu_cpu *cpu, unsigned n)
{
	unsigned count = emu_model(cpu)->n_breakpoints;
	return n < count && n + 2 >= count;
}

/* The breakpoint that another comparator is linked to: enabled, of the type "linked context". */
static bool link_matches(const struct emu_cpu *cpu, uint64_t control)
{
	unsigned n = control >> 16 & 15;
	return is_context_aware(cpu, n) && (bcr(cpu, n) & 1) && (bcr(cpu, n) >> 20 & 15) == 3 &&
	       context_matches(cpu, n);
}

static bool breakpoint_matches(const struct emu_cpu *cpu, unsigned n, uint64_t pc)
{
	uint64_t control = bcr(cpu, n);
	if (!(control & 1) || !el_matches(control, cpu->pstate.el))
		return false;
	switch (control >> 20 & 15) {
	case 0:
	case 1: /* linked */
		return bvr(cpu, n) == (uint64_t)((int64_t)(pc << 8) >> 8) &&
		       (!(control >> 20 & 1) || link_matches(cpu, control));
	case 2:
		return is_context_aware(cpu, n) && context_matches(cpu, n);
	default:
		return false;
	}
}

static void watch_range(const struct emu_cpu *cpu, unsigned n, uint64_t *ret_lo, uint64_t *ret_hi)
{
	unsigned mask = wcr(cpu, n) >> 24 & 31;
	uint64_t base = wvr(cpu, n);
	if (mask >= 3) {
		*ret_lo = base & ~((UINT64_C(1) << mask) - 1);
		*ret_hi = *ret_lo + (UINT64_C(1) << mask) - 1;
	} else {
		*ret_lo = base & ~UINT64_C(3);
		*ret_hi = *ret_lo + (base & 4 ? 3 : 7);
	}
}

bool emu_debug_watches(struct emu_cpu *cpu, uint64_t page_va)
{
	if (!(cpu->sys[EMU_SR_MDSCR_EL1] & MDSCR_MDE))
		return false;
	uint64_t page = (uint64_t)((int64_t)(page_va << 8) >> 8);
	for (unsigned i = 0; i < emu_model(cpu)->n_watchpoints; i++) {
		uint64_t lo, hi;
		watch_range(cpu, i, &lo, &hi);
		if ((wcr(cpu, i) & 1) && lo <= (page | EMU_PAGE_MASK) && hi >= page)
			return true;
	}
	return false;
}

/* The first byte of [va, va+size) that watchpoint n watches. */
static bool watch_hit(const struct emu_cpu *cpu, unsigned n, uint64_t va, unsigned size, uint64_t *ret_at)
{
	uint64_t lo, hi;
	watch_range(cpu, n, &lo, &hi);
	bool by_mask = (wcr(cpu, n) >> 24 & 31) >= 3;
	for (unsigned i = 0; i < size; i++) {
		uint64_t at = va + i;
		if (at < lo || at > hi)
			continue;
		if (by_mask || (wcr(cpu, n) >> (5 + (at - lo)) & 1)) {
			*ret_at = at;
			return true;
		}
	}
	return false;
}

void emu_debug_check_access(struct emu_cpu *cpu, uint64_t va, unsigned size, bool is_write, bool unpriv)
{
	if (!(cpu->sys[EMU_SR_MDSCR_EL1] & MDSCR_MDE) || !enabled_now(cpu))
		return;
	uint64_t canonical = (uint64_t)((int64_t)(va << 8) >> 8);
	for (unsigned i = 0; i < emu_model(cpu)->n_watchpoints; i++) {
		uint64_t control = wcr(cpu, i), at;
		if (!(control & 1) || !(control >> (is_write ? 4 : 3) & 1) ||
		    !el_matches(control, unpriv ? 0 : cpu->pstate.el) || !watch_hit(cpu, i, canonical, size, &at))
			continue;
		if ((control >> 20 & 1) && !link_matches(cpu, control))
			continue;
		cpu->sys[EMU_SR_FAR_EL1] = va + (at - canonical);
		emu_raise(cpu, EC_WATCHPOINT + (cpu->pstate.el == 1), FSC_DEBUG | (uint32_t)is_write << 6, 0);
	}
}

/* ---- Execution ---- */

static bool is_load_exclusive(uint32_t insn)
{
	return (insn & 0x3fc00000) == 0x08400000;
}

/* The instruction at the PC if it can be fetched; what cannot raises its own, more urgent exception. */
static bool peek(struct emu_cpu *cpu, uint32_t *ret_insn)
{
	uint8_t fsc;
	struct emu_xtlb_entry *e = cpu->pc & 3 ? NULL : emu_tlb_exec(cpu, cpu->pc, &fsc);
	if (!e)
		return false;
	*ret_insn = e->host ? e->host[(cpu->pc & EMU_PAGE_MASK) / 4] : 0;
	return true;
}

void emu_debug_run_one(struct emu_cpu *cpu)
{
	struct emu_vcpu *vcpu = cpu->vcpu;
	bool same_el = cpu->pstate.el == 1, step = vcpu->step_active;
	uint32_t insn = 0;

	if (step && !cpu->pstate.ss) {
		uint32_t iss = FSC_DEBUG;
		if (vcpu->stepped)
			iss |= 1u << 24 | (uint32_t)vcpu->stepped_exclusive << 6; /* ISV, EX */
		vcpu->stepped = false;
		emu_take_sync(cpu, EC_STEP + same_el, iss, cpu->pc);
		return;
	}
	if (peek(cpu, &insn)) {
		for (unsigned i = 0; vcpu->breakpoints_active && i < emu_model(cpu)->n_breakpoints; i++) {
			if (breakpoint_matches(cpu, i, cpu->pc)) {
				emu_take_sync(cpu, EC_BREAKPOINT + same_el, FSC_DEBUG, cpu->pc);
				return;
			}
		}
		if (cpu->pstate.il) {
			emu_take_sync(cpu, EC_ILLEGAL, 0, cpu->pc);
			return;
		}
	}
	vcpu->stepped = step; /* until an exception is taken instead */
	vcpu->stepped_exclusive = is_load_exclusive(insn);
	emu_interp_step(cpu);
	if (step)
		cpu->pstate.ss = 0; /* as an exception or its return from here has set it, too */
}

/* ---- Registers ---- */

WRITE_HOOK(mdscr)
{
	uint64_t old = cpu->sys[EMU_SR_MDSCR_EL1];
	cpu->sys[EMU_SR_MDSCR_EL1] = val & MDSCR_MASK;
	if ((old ^ val) & MDSCR_MDE)
		emu_tlb_flush(cpu); /* pages become watched, or no longer are */
	emu_debug_update(cpu);
}

WRITE_HOOK(oslar)
{
	uint64_t *oslsr = &cpu->sys[EMU_SR_OSLSR_EL1];
	*oslsr = (*oslsr & ~(uint64_t)OSLSR_OSLK) | (val & 1 ? OSLSR_OSLK : 0);
	emu_debug_update(cpu);
}


/* Claim tags: CLAIMSET reads as all implemented, CLAIMCLR as those set. */
READ_HOOK(dbgclaim)
{
	return 0xff;
}

WRITE_HOOK(dbgclaimset)
{
	cpu->sys[EMU_SR_DBGCLAIMCLR_EL1] |= val & 0xff;
}

WRITE_HOOK(dbgclaimclr)
{
	cpu->sys[EMU_SR_DBGCLAIMCLR_EL1] &= ~(val & 0xff);
}

WRITE_HOOK(breakpoint)
{
	cpu->sys[reg->sr] = val & reg->wmask;
	emu_debug_update(cpu);
}

WRITE_HOOK(watchpoint)
{
	cpu->sys[reg->sr] = val & reg->wmask;
	if (cpu->sys[EMU_SR_MDSCR_EL1] & MDSCR_MDE)
		emu_tlb_flush(cpu);
}

static unsigned comparator_of(const struct emu_sysreg_desc *reg)
{
	return reg->enc >> 3 & 15; /* CRm */
}

CHECK_HOOK(breakpoint)
{
	return comparator_of(reg) < emu_model(cpu)->n_breakpoints ? EMU_SYSREG_OK : EMU_SYSREG_UNDEFINED;
}

CHECK_HOOK(watchpoint)
{
	return comparator_of(reg) < emu_model(cpu)->n_watchpoints ? EMU_SYSREG_OK : EMU_SYSREG_UNDEFINED;
}

CHECK_HOOK(dcc)
{
	return cpu->pstate.el == 0 && (cpu->sys[EMU_SR_MDSCR_EL1] & MDSCR_TDCC) ? EMU_SYSREG_TRAP : EMU_SYSREG_OK;
}
