/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions: entry to EL1, return, and the instructions that make them. Arm
 * ARM (DDI 0487) D1.3 (exceptions), D1.4 (PSTATE), D24.2.40 (ESR_EL1).
 *
 * EL1 is the highest level there is, so everything is taken to it. A raise
 * changes the state, then leaves the instruction by longjmp to cpu->unwind.
 * Thread: the vCPU's own.
 */
#include "emu/sys_priv.h"
#include "emu/vcpu_priv.h"

enum {
	EC_UNKNOWN = 0x00,
	EC_WFX = 0x01,
	EC_FP = 0x07,
	EC_SVC = 0x15,
	EC_SYSREG = 0x18,
	EC_IABT = 0x20, /* + 1 from the same EL */
	EC_DABT = 0x24, /* + 1 from the same EL */
	EC_SP_ALIGNMENT = 0x26,
	EC_SERROR = 0x2f,
	EC_BRK = 0x3c,
};
#define ESR_IL (UINT64_C(1) << 25)

/* ---- PSTATE ---- */

uint32_t emu_pstate_to_spsr(const struct emu_cpu *cpu)
{
	const struct emu_pstate *p = &cpu->pstate;
	return cpu->nzcv | (uint32_t)p->tco << 25 | (uint32_t)p->dit << 24 | (uint32_t)p->uao << 23 |
	       (uint32_t)p->pan << 22 | (uint32_t)p->ss << 21 | (uint32_t)p->il << 20 | (uint32_t)p->ssbs << 12 |
	       (uint32_t)p->btype << 10 | (uint32_t)p->d << 9 | (uint32_t)p->a << 8 | (uint32_t)p->i << 7 |
	       (uint32_t)p->f << 6 | (uint32_t)p->nrw << 4 | (uint32_t)p->el << 2 | p->sp;
}

void emu_set_sp(struct emu_cpu *cpu, unsigned el, unsigned spsel)
{
	cpu->sp_el[cpu->pstate.sp ? cpu->pstate.el : 0] = cpu->x[31];
	cpu->pstate.el = (uint8_t)el;
	cpu->pstate.sp = (uint8_t)spsel;
	cpu->x[31] = cpu->sp_el[spsel ? el : 0];
}

void emu_pstate_changed(struct emu_cpu *cpu)
{
	uint64_t sctlr = cpu->sys[EMU_SR_SCTLR_EL1];
	unsigned fpen = cpu->sys[EMU_SR_CPACR_EL1] >> 20 & 3;
	bool el0 = cpu->pstate.el == 0;

	cpu->fp_trap = fpen != 3 && (el0 || fpen != 1);
	cpu->sp_align_mask = sctlr >> (el0 ? 4 : 3) & 1 ? 15 : 0;
	emu_tlb_update_views(cpu);
	emu_debug_update(cpu);
}

/* ---- Entry ---- */

void emu_take_exception(struct emu_cpu *cpu, unsigned vector, uint64_t return_pc)
{
	struct emu_pstate *p = &cpu->pstate;
	uint64_t sctlr = cpu->sys[EMU_SR_SCTLR_EL1];
	unsigned from = p->el == 0 ? 0x400 : p->sp ? 0x200 : 0;

	emu_pmu_sync(cpu);
	emu_pmu_count(cpu, EMU_PMU_EXC_TAKEN);
	cpu->vcpu->stepped = false;
	cpu->sys[EMU_SR_SPSR_EL1] = emu_pstate_to_spsr(cpu);
	cpu->sys[EMU_SR_ELR_EL1] = return_pc;
	emu_set_sp(cpu, 1, 1);
	p->d = p->a = p->i = p->f = 1;
	p->ss = p->il = p->uao = p->btype = 0;
	if (emu_has(cpu, EMU_FEAT_PAN) && !(sctlr >> 23 & 1)) /* SPAN */
		p->pan = 1;
	if (emu_has(cpu, EMU_FEAT_SSBS))
		p->ssbs = sctlr >> 44 & 1; /* DSSBS */
	cpu->excl_size = 0;
	cpu->pc = cpu->next_pc = cpu->sys[EMU_SR_VBAR_EL1] + from + vector;
	emu_pstate_changed(cpu);
}

void emu_take_sync(struct emu_cpu *cpu, unsigned ec, uint32_t iss, uint64_t return_pc)
{
	cpu->sys[EMU_SR_ESR_EL1] = (uint64_t)ec << 26 | ESR_IL | (iss & 0x1ffffff);
	emu_take_exception(cpu, 0, return_pc);
}

_Noreturn void emu_raise(struct emu_cpu *cpu, unsigned ec, uint32_t iss, unsigned flags)
{
	emu_take_sync(cpu, ec, iss, cpu->pc + (flags & EMU_RETURN_NEXT ? 4 : 0));
	longjmp(cpu->unwind, 1);
}

_Noreturn void emu_end_insn(struct emu_cpu *cpu)
{
	cpu->pc = cpu->next_pc = cpu->pc + 4;
	cpu->pstate.btype = 0;
	emu_count_retired(cpu, 1);
	longjmp(cpu->unwind, 1);
}

_Noreturn void emu_raise_undefined(struct emu_cpu *cpu)
{
	emu_raise(cpu, EC_UNKNOWN, 0, 0);
}

_Noreturn void emu_raise_fp_trap(struct emu_cpu *cpu)
{
	emu_raise(cpu, EC_FP, 1u << 24 | 0xeu << 20, 0); /* CV, COND = always */
}

_Noreturn void emu_raise_sp_alignment(struct emu_cpu *cpu)
{
	emu_raise(cpu, EC_SP_ALIGNMENT, 0, 0);
}

_Noreturn void emu_raise_abort(struct emu_cpu *cpu, bool is_fetch, uint64_t va, uint32_t iss)
{
	cpu->sys[EMU_SR_FAR_EL1] = va;
	emu_raise(cpu, (is_fetch ? EC_IABT : EC_DABT) + (cpu->pstate.el == 1), iss, 0);
}

_Noreturn void emu_raise_sysreg_trap(struct emu_cpu *cpu, uint32_t enc, unsigned rt, bool is_read)
{
	unsigned op0 = enc >> 14 & 3, op1 = enc >> 11 & 7, crn = enc >> 7 & 15, crm = enc >> 3 & 15, op2 = enc & 7;
	emu_raise(cpu, EC_SYSREG, op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | rt << 5 | crm << 1 | is_read, 0);
}

/* ---- Interrupts ---- */

static uint32_t unmasked(const struct emu_cpu *cpu)
{
	const struct emu_pstate *p = &cpu->pstate;
	return (p->a ? 0 : 1u << EMU_LINE_SERROR) | (p->f ? 0 : 1u << EMU_LINE_FIQ) | (p->i ? 0 : 1u << EMU_LINE_IRQ);
}

void emu_check_lines(struct emu_cpu *cpu)
{
	if (atomic_load(&cpu->vcpu->lines) & unmasked(cpu))
		atomic_fetch_or(&cpu->attention, EMU_ATT_IRQ);
}

void emu_take_interrupt(struct emu_cpu *cpu)
{
	uint32_t ready = atomic_load(&cpu->vcpu->lines) & unmasked(cpu);
	if (ready & 1u << EMU_LINE_FIQ) {
		emu_take_exception(cpu, 0x100, cpu->pc);
	} else if (ready & 1u << EMU_LINE_IRQ) {
		emu_take_exception(cpu, 0x80, cpu->pc);
	} else if (ready & 1u << EMU_LINE_SERROR) {
		cpu->sys[EMU_SR_ESR_EL1] = (uint64_t)EC_SERROR << 26 | ESR_IL;
		emu_take_exception(cpu, 0x180, cpu->pc);
	}
}

/* ---- Return ---- */

void emu_eret(struct emu_cpu *cpu, uint64_t target)
{
	struct emu_pstate *p = &cpu->pstate;
	if (p->el == 0)
		emu_raise_undefined(cpu);

	uint32_t spsr = (uint32_t)cpu->sys[EMU_SR_SPSR_EL1];
	unsigned el = spsr >> 2 & 3, sp = spsr & 1;
	bool illegal = (spsr >> 4 & 1) || (spsr >> 1 & 1) || el > 1 || (el == 0 && sp);

	emu_pmu_sync(cpu);
	emu_pmu_count(cpu, EMU_PMU_EXC_RETURN);
	bool ss = !illegal && emu_debug_return_ss(cpu, spsr);
	if (!illegal)
		emu_set_sp(cpu, el, sp);
	cpu->nzcv = spsr & 0xf0000000;
	p->d = spsr >> 9 & 1;
	p->a = spsr >> 8 & 1;
	p->i = spsr >> 7 & 1;
	p->f = spsr >> 6 & 1;
	p->ss = ss;
	p->il = illegal || (spsr >> 20 & 1);
	if (emu_has(cpu, EMU_FEAT_PAN))
		p->pan = spsr >> 22 & 1;
	if (emu_has(cpu, EMU_FEAT_UAO))
		p->uao = spsr >> 23 & 1;
	if (emu_has(cpu, EMU_FEAT_DIT))
		p->dit = spsr >> 24 & 1;
	if (emu_has(cpu, EMU_FEAT_SSBS))
		p->ssbs = spsr >> 12 & 1;
	p->btype = emu_has(cpu, EMU_FEAT_BTI) ? spsr >> 10 & 3 : 0;
	cpu->excl_size = 0;
	atomic_store_explicit(&cpu->vcpu->event, true, memory_order_relaxed);
	cpu->next_pc = emu_branch_address(cpu, target);
	emu_pstate_changed(cpu);
	emu_check_lines(cpu);
}

uint64_t emu_branch_address(const struct emu_cpu *cpu, uint64_t target)
{
	bool upper = target >> 55 & 1;
	uint64_t tcr = cpu->sys[EMU_SR_TCR_EL1];
	bool tbi = tcr >> (upper ? 38 : 37) & 1, tbid = tcr >> (upper ? 52 : 51) & 1;
	return tbi && !tbid ? (uint64_t)((int64_t)(target << 8) >> 8) : target;
}

/* ---- Instructions that make exceptions, and MSR (immediate) ---- */

void emu_take_svc(struct emu_cpu *cpu, unsigned imm16)
{
	cpu->pstate.ss = 0; /* the call has completed: a step ends here */
	emu_take_sync(cpu, EC_SVC, imm16, cpu->pc + 4);
}

_Noreturn void emu_svc(struct emu_cpu *cpu, unsigned imm16)
{
	emu_take_svc(cpu, imm16);
	longjmp(cpu->unwind, 1);
}

void emu_hvc(struct emu_cpu *cpu, unsigned imm16)
{
	if (cpu->pstate.el == 0 || imm16 != 0)
		emu_raise_undefined(cpu);
	emu_psci_call(cpu);
}

void emu_smc(struct emu_cpu *cpu, unsigned imm16)
{
	emu_raise_undefined(cpu); /* there is no EL3 */
}

_Noreturn void emu_brk(struct emu_cpu *cpu, unsigned imm16)
{
	emu_raise(cpu, EC_BRK, imm16, 0);
}

void emu_hlt(struct emu_cpu *cpu, unsigned imm16)
{
	if (imm16 != 0xf000 || !cpu->system->has_semihost || cpu->pstate.el == 0)
		emu_raise_undefined(cpu);
	emu_semihost_call(cpu);
}

void emu_msr_imm(struct emu_cpu *cpu, unsigned op1, unsigned op2, unsigned imm)
{
	struct emu_pstate *p = &cpu->pstate;
	bool on = imm & 1;

	if (op1 == 3 && (op2 == 6 || op2 == 7)) { /* DAIFSet, DAIFClr */
		if (p->el == 0 && !(cpu->sys[EMU_SR_SCTLR_EL1] >> 9 & 1)) /* UMA */
			emu_raise_sysreg_trap(cpu, EMU_SYSREG(0, op1, 4, imm, op2), 31, false);
		uint8_t val = op2 == 6;
		if (imm & 8)
			p->d = val;
		if (imm & 4)
			p->a = val;
		if (imm & 2)
			p->i = val;
		if (imm & 1)
			p->f = val;
		if (imm & 8)
			emu_debug_update(cpu);
		emu_check_lines(cpu);
	} else if (op1 == 3 && op2 == 1 && emu_has(cpu, EMU_FEAT_SSBS)) {
		p->ssbs = on;
	} else if (op1 == 3 && op2 == 2 && emu_has(cpu, EMU_FEAT_DIT)) {
		p->dit = on;
	} else if (p->el == 0) {
		emu_raise_undefined(cpu);
	} else if (op1 == 0 && op2 == 5) {
		emu_set_sp(cpu, p->el, on);
	} else if (op1 == 0 && op2 == 4 && emu_has(cpu, EMU_FEAT_PAN)) {
		p->pan = on;
		emu_tlb_update_views(cpu);
	} else if (op1 == 0 && op2 == 3 && emu_has(cpu, EMU_FEAT_UAO)) {
		p->uao = on;
		emu_tlb_update_views(cpu);
	} else {
		emu_raise_undefined(cpu);
	}
}

/* ---- Hints that may trap ---- */

_Noreturn void emu_raise_wfx_trap(struct emu_cpu *cpu, unsigned ti)
{
	emu_raise(cpu, EC_WFX, 1u << 24 | 0xeu << 20 | ti, 0);
}
