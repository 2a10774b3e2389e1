/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System register accesses: Arm ARM (DDI 0487) C5 and D24; the rows are in
 * emu/sysregs.def. An access is looked up by its encoding in an index made for
 * the model (so registers of absent features are not there), then checked, then
 * served by the row's hook or from cpu->sys[].
 *
 * Encodings that no row has are UNDEFINED, but for the identification space,
 * which reads as zero at EL1, and the GIC's CPU interface, which devices/ has.
 * Thread: the vCPU's own.
 */
#include "emu/sysregs_priv.h"
#include "emu/jit.h"

#include "emu/vcpu_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- Hooks that live here, named in sysregs.def ---- */

/* Reads and writes of PSTATE fields. */
#define PSTATE_BIT(name, field, bit) \
	static READ_HOOK(name) \
	{ \
		return (uint64_t)cpu->pstate.field << (bit); \
	} \
	static WRITE_HOOK(name) \
	{ \
		cpu->pstate.field = val >> (bit) & 1; \
		emu_tlb_update_views(cpu); \
	}
PSTATE_BIT(pan, pan, 22)
PSTATE_BIT(uao, uao, 23)
PSTATE_BIT(dit, dit, 24)
PSTATE_BIT(ssbs, ssbs, 12)

static READ_HOOK(spsel)
{
	return cpu->pstate.sp;
}

static WRITE_HOOK(spsel)
{
	emu_set_sp(cpu, cpu->pstate.el, val & 1);
}

static READ_HOOK(currentel)
{
	return (uint64_t)cpu->pstate.el << 2;
}

static READ_HOOK(nzcv)
{
	return cpu->nzcv;
}

static WRITE_HOOK(nzcv)
{
	cpu->nzcv = val & 0xf0000000;
}

static READ_HOOK(daif)
{
	const struct emu_pstate *p = &cpu->pstate;
	return (uint64_t)(p->d << 9 | p->a << 8 | p->i << 7 | p->f << 6);
}

static WRITE_HOOK(daif)
{
	cpu->pstate.d = val >> 9 & 1;
	cpu->pstate.a = val >> 8 & 1;
	cpu->pstate.i = val >> 7 & 1;
	cpu->pstate.f = val >> 6 & 1;
	emu_debug_update(cpu);
	emu_check_lines(cpu);
}

static CHECK_HOOK(daif)
{
	return cpu->pstate.el == 0 && !(cpu->sys[EMU_SR_SCTLR_EL1] >> 9 & 1) ? EMU_SYSREG_TRAP : EMU_SYSREG_OK;
}

static READ_HOOK(sp_el0)
{
	return cpu->sp_el[0];
}

static WRITE_HOOK(sp_el0)
{
	cpu->sp_el[0] = val;
}

/* SP_EL0 has no name while it is the current SP. */
static CHECK_HOOK(sp_el0)
{
	return cpu->pstate.sp ? EMU_SYSREG_OK : EMU_SYSREG_UNDEFINED;
}

#define FPCR_FP16 (1u << 19)
#define FPCR_MASK (0x07c00000u | FPCR_FP16)
#define FPSR_MASK 0x0800009fu

static void check_fp(struct emu_cpu *cpu)
{
	if (cpu->fp_trap)
		emu_raise_fp_trap(cpu);
}

static READ_HOOK(fpcr)
{
	check_fp(cpu);
	return cpu->fpcr;
}

static WRITE_HOOK(fpcr)
{
	check_fp(cpu);
	cpu->fpcr = val & (emu_has(cpu, EMU_FEAT_FP16) ? FPCR_MASK : FPCR_MASK & ~FPCR_FP16);
	emu_jit_sync_fp(cpu);
}

static READ_HOOK(fpsr)
{
	check_fp(cpu);
	emu_jit_sync_fp(cpu);
	return cpu->fpsr;
}

static WRITE_HOOK(fpsr)
{
	check_fp(cpu);
	emu_jit_sync_fp(cpu);
	cpu->fpsr = val & FPSR_MASK;
}

static READ_HOOK(rndr)
{
	uint64_t val;
	bool ok = getrandom(&val, sizeof(val), GRND_NONBLOCK) == sizeof(val);
	cpu->nzcv = ok ? 0 : EMU_Z;
	return ok ? val : 0;
}

static READ_HOOK(ccsidr)
{
	uint64_t sel = cpu->sys[EMU_SR_CSSELR_EL1];
	unsigned level = sel >> 1 & 7;
	return level < EMU_MAX_CACHES ? emu_model(cpu)->ccsidr[level][sel & 1] : 0;
}

/* 64 bytes (16 words); DZP tells whether DC ZVA is trapped here. */
static READ_HOOK(dczid)
{
	bool prohibited = cpu->pstate.el == 0 && !(cpu->sys[EMU_SR_SCTLR_EL1] >> 14 & 1);
	return 4 | (prohibited ? 16 : 0);
}

static CHECK_HOOK(uct)
{
	return cpu->pstate.el == 0 && !(cpu->sys[EMU_SR_SCTLR_EL1] >> 15 & 1) ? EMU_SYSREG_TRAP : EMU_SYSREG_OK;
}

static READ_HOOK(rvbar)
{
	return cpu->system->boot.pc;
}

static READ_HOOK(isr)
{
	uint32_t lines = atomic_load(&cpu->vcpu->lines);
	return (lines >> EMU_LINE_SERROR & 1) << 8 | (lines >> EMU_LINE_IRQ & 1) << 7 |
	       (lines >> EMU_LINE_FIQ & 1) << 6;
}

/* ---- Control registers with consequences ---- */

/* Bits that read as one where AArch32 and other choices are absent. */
#define SCTLR_RES1 0x30d00800u
/* nTWE, nTWI; CP15BEN, SA0 and SA, as processors come out of reset. */
#define SCTLR_RESET (SCTLR_RES1 | 0x50038u)

static uint64_t sctlr_mask(const struct emu_cpu *cpu)
{
	/* M A C SA SA0 UMA I DZE UCT nTWI nTWE WXN UCI */
	uint64_t mask = 0x040dd21f;
	if (emu_has(cpu, EMU_FEAT_LSE2))
		mask |= 1u << 6; /* nAA */
	if (emu_has(cpu, EMU_FEAT_SPECRES))
		mask |= 1u << 10; /* EnRCTX */
	if (emu_has(cpu, EMU_FEAT_PAN))
		mask |= 1u << 23; /* SPAN */
	if (emu_has(cpu, EMU_FEAT_PAuth))
		mask |= 1u << 13 | 1u << 27 | 1u << 30 | 1u << 31; /* EnDB, EnDA, EnIB, EnIA */
	if (emu_has(cpu, EMU_FEAT_BTI))
		mask |= UINT64_C(3) << 35; /* BT0, BT1 */
	if (emu_has(cpu, EMU_FEAT_SSBS))
		mask |= UINT64_C(1) << 44; /* DSSBS */
	if (emu_has(cpu, EMU_FEAT_PAN3))
		mask |= UINT64_C(1) << 57; /* EPAN */
	return mask;
}

static WRITE_HOOK(sctlr)
{
	/* M, A, WXN and EPAN decide what TLB entries look like. */
	const uint64_t translation = 1u | 2u | 1u << 19 | UINT64_C(1) << 57;
	uint64_t old = cpu->sys[EMU_SR_SCTLR_EL1], mask = sctlr_mask(cpu);
	uint64_t now = (val & mask) | (SCTLR_RES1 & ~mask);
	cpu->sys[EMU_SR_SCTLR_EL1] = now;
	if ((old ^ now) & translation)
		emu_tlb_flush(cpu);
	emu_pstate_changed(cpu);
}

static WRITE_HOOK(cpacr)
{
	cpu->sys[EMU_SR_CPACR_EL1] = val & reg->wmask;
	emu_pstate_changed(cpu);
}

/* Tables may be changed under the same ASID only with TLBI, so nothing but the ASID matters here. */
static WRITE_HOOK(ttbr)
{
	cpu->sys[reg->sr] = emu_has(cpu, EMU_FEAT_TTCNP) ? val : val & ~UINT64_C(1);
	emu_pmu_count(cpu, EMU_PMU_TTBR_WRITE);
	emu_tlb_switch_asid(cpu);
}

static WRITE_HOOK(tcr)
{
	uint64_t mask = 0x00000037ffffffbf; /* T0SZ to TG1, IPS, AS, TBI0; bits 6 and 35 are RES0 */
	mask |= UINT64_C(1) << 38; /* TBI1 */
	if (emu_has(cpu, EMU_FEAT_HAFDBS))
		mask |= UINT64_C(3) << 39;
	if (emu_has(cpu, EMU_FEAT_HPDS))
		mask |= UINT64_C(3) << 41;
	if (emu_has(cpu, EMU_FEAT_HPDS2))
		mask |= UINT64_C(0xff) << 43;
	if (emu_has(cpu, EMU_FEAT_PAuth))
		mask |= UINT64_C(3) << 51; /* TBID0, TBID1 */
	if (emu_has(cpu, EMU_FEAT_E0PD))
		mask |= UINT64_C(3) << 55;
	uint64_t old = cpu->sys[EMU_SR_TCR_EL1];
	cpu->sys[EMU_SR_TCR_EL1] = val & mask;
	if (old != cpu->sys[EMU_SR_TCR_EL1])
		emu_tlb_flush(cpu);
	emu_tlb_switch_asid(cpu);
}

static WRITE_HOOK(mair)
{
	if (cpu->sys[EMU_SR_MAIR_EL1] != val) {
		cpu->sys[EMU_SR_MAIR_EL1] = val;
		emu_tlb_flush(cpu);
	}
}

/* ---- The table ---- */

enum { NEVER = 4 };
#define ACCESS_EL0_RW 0, 0
#define ACCESS_EL0_RO 0, NEVER
#define ACCESS_EL0_WO NEVER, 0
#define ACCESS_EL0_RO_EL1_RW 0, 1
#define ACCESS_EL1_RW 1, 1
#define ACCESS_EL1_RO 1, NEVER
#define ACCESS_EL1_WO NEVER, 1
#define EMU_ALWAYS (-1)
#define emu_NULL NULL

const struct emu_sysreg_desc emu_sysregs[] = {
#define SYSREG(name, op0, op1, crn, crm, op2, access, feature, reset, wmask, rd, wr, chk) \
	{ #name, EMU_SYSREG(op0, op1, crn, crm, op2), EMU_SR_##name, ACCESS_##access, EMU_##feature, reset, wmask, \
		emu_##rd, emu_##wr, emu_##chk },
#include "emu/sysregs.def"
#undef SYSREG
};
const unsigned emu_n_sysregs = sizeof(emu_sysregs) / sizeof(emu_sysregs[0]);

bool emu_sysregs_init(struct emu_system *sys, struct vmd_error *err)
{
	sys->sysreg_index = calloc(1u << 16, sizeof(*sys->sysreg_index));
	if (!sys->sysreg_index)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot make the system registers");
	for (unsigned i = 0; i < emu_n_sysregs; i++) {
		if (emu_sysregs[i].feature < 0 || sys->model->feature[emu_sysregs[i].feature])
			sys->sysreg_index[emu_sysregs[i].enc] = (uint16_t)(i + 1);
	}
	for (unsigned i = 0; i < emu_n_sysops; i++) {
		if (emu_sysops[i].feature < 0 || sys->model->feature[emu_sysops[i].feature])
			sys->sysreg_index[emu_sysops[i].enc] = (uint16_t)(i + 1);
	}
	return true;
}

void emu_sysregs_fini(struct emu_system *sys)
{
	free(sys->sysreg_index);
}

void emu_sysregs_reset(struct emu_cpu *cpu)
{
	memset(cpu->sys, 0, sizeof(cpu->sys));
	for (unsigned i = 0; i < emu_n_sysregs; i++)
		cpu->sys[emu_sysregs[i].sr] = emu_sysregs[i].reset;
	emu_model_reset(cpu);
	cpu->sys[EMU_SR_SCTLR_EL1] = SCTLR_RESET;
	cpu->sys[EMU_SR_CNTFRQ_EL0] = cpu->system->counter_hz;
}

/* ---- Accesses ---- */

static bool is_gic(uint32_t enc)
{
	unsigned crn = enc >> 7 & 15, crm = enc >> 3 & 15;
	if (enc >> 11 != EMU_SYSREG(3, 0, 0, 0, 0) >> 11)
		return false;
	return (crn == 12 && crm >= 8 && crm != 10) || (crn == 4 && crm == 6);
}

static _Noreturn void no_such_register(struct emu_cpu *cpu, uint32_t enc)
{
	emu_guest_error(cpu, "access to unknown system register S%u_%u_C%u_C%u_%u", enc >> 14 & 3, enc >> 11 & 7,
		enc >> 7 & 15, enc >> 3 & 15, enc & 7);
	emu_raise_undefined(cpu);
}

static void check_verdict(struct emu_cpu *cpu, enum emu_sysreg_verdict verdict, uint32_t enc, unsigned rt, bool is_read)
{
	if (verdict == EMU_SYSREG_UNDEFINED)
		emu_raise_undefined(cpu);
	if (verdict == EMU_SYSREG_TRAP)
		emu_raise_sysreg_trap(cpu, enc, rt, is_read);
}

/* A read that the table does not serve. */
static uint64_t read_other(struct emu_cpu *cpu, uint32_t enc, unsigned rt)
{
	unsigned op0 = enc >> 14 & 3, op1 = enc >> 11 & 7, crn = enc >> 7 & 15, crm = enc >> 3 & 15;
	uint64_t val;

	if (op0 == 3 && crn == 0 && (op1 == 0 || op1 == 1 || op1 == 3)) { /* the identification space */
		if (cpu->pstate.el == 0 && emu_has(cpu, EMU_FEAT_IDST))
			emu_raise_sysreg_trap(cpu, enc, rt, true);
		if (cpu->pstate.el >= 1 && op1 == 0 && crm >= 1 && crm <= 7)
			return 0;
	} else if (cpu->pstate.el >= 1 && cpu->system->has_gic && is_gic(enc)) {
		if (cpu->system->gic.read(cpu->system->gic.opaque, cpu->index, enc, &val))
			return val;
	}
	no_such_register(cpu, enc);
}

uint64_t emu_sysreg_read(struct emu_cpu *cpu, uint32_t enc, unsigned rt)
{
	unsigned row = cpu->system->sysreg_index[enc & 0xffff];
	if (enc >> 15 == 0 || !row) /* op0 0 and 1: SYSL has no instruction in it */
		return read_other(cpu, enc, rt);
	const struct emu_sysreg_desc *reg = &emu_sysregs[row - 1];
	if (cpu->pstate.el < reg->read_el)
		return read_other(cpu, enc, rt);
	if (reg->check)
		check_verdict(cpu, reg->check(cpu, reg, true), enc, rt, true);
	return reg->read ? reg->read(cpu, reg) : cpu->sys[reg->sr];
}

void emu_sysreg_write(struct emu_cpu *cpu, uint32_t enc, unsigned rt, uint64_t val)
{
	unsigned row = cpu->system->sysreg_index[enc & 0xffff];
	const struct emu_sysreg_desc *reg = enc >> 15 && row ? &emu_sysregs[row - 1] : NULL;

	if (!reg || cpu->pstate.el < reg->write_el) {
		if (cpu->pstate.el >= 1 && cpu->system->has_gic && is_gic(enc) &&
		    cpu->system->gic.write(cpu->system->gic.opaque, cpu->index, enc, val))
			return;
		no_such_register(cpu, enc);
	}
	if (reg->check)
		check_verdict(cpu, reg->check(cpu, reg, false), enc, rt, false);
	if (reg->write)
		reg->write(cpu, reg, val);
	else
		cpu->sys[reg->sr] = (cpu->sys[reg->sr] & ~reg->wmask) | (val & reg->wmask);
}

void emu_sys_insn(struct emu_cpu *cpu, uint32_t enc, unsigned rt, uint64_t val)
{
	unsigned row = cpu->system->sysreg_index[enc & 0xffff];
	if (enc >> 14 != 1 || !row || cpu->pstate.el < emu_sysops[row - 1].el)
		no_such_register(cpu, enc);
	const struct emu_sysop_desc *op = &emu_sysops[row - 1];
	if (op->check)
		check_verdict(cpu, op->check(cpu), enc, rt, false);
	op->exec(cpu, op, val);
}
