/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYS instructions: instruction and data cache maintenance, TLB maintenance,
 * address translation, and speculation restrictions. Arm ARM (DDI 0487) C5.3,
 * C5.4, C5.5, C5.6, D8.14.
 *
 * There are no data caches to maintain: DC checks what the architecture checks,
 * and does nothing more. Pre-decoded code is the instruction cache, by physical
 * page; IC IVAU forgets the page on all vCPUs. What is broadcast is complete at
 * the next DSB. Thread: the vCPU's own.
 */
#include "emu/sysregs_priv.h"

#include "emu/vcpu_priv.h"

#define ISS_WNR (1u << 6)
#define ISS_CM (1u << 8)

#define EXEC(name) static void name(struct emu_cpu *cpu, const struct emu_sysop_desc *op, uint64_t val)

static unsigned op_crm(const struct emu_sysop_desc *op)
{
	return op->enc >> 3 & 15;
}

static unsigned op_op2(const struct emu_sysop_desc *op)
{
	return op->enc & 7;
}

/* ---- Checks: what SCTLR_EL1 keeps from EL0 ---- */

static enum emu_sysreg_verdict el0_needs(const struct emu_cpu *cpu, unsigned bit)
{
	return cpu->pstate.el == 0 && !(cpu->sys[EMU_SR_SCTLR_EL1] >> bit & 1) ? EMU_SYSREG_TRAP : EMU_SYSREG_OK;
}

static enum emu_sysreg_verdict check_uci(const struct emu_cpu *cpu)
{
	return el0_needs(cpu, 26);
}

static enum emu_sysreg_verdict check_dze(const struct emu_cpu *cpu)
{
	return el0_needs(cpu, 14);
}

static enum emu_sysreg_verdict check_enrctx(const struct emu_cpu *cpu)
{
	return el0_needs(cpu, 10);
}

/* ---- Caches ---- */

EXEC(ic_all)
{
	if (op_crm(op) == 1) /* IALLUIS */
		emu_broadcast_code_drop(cpu, 0, true);
	else
		emu_drop_all_code(cpu);
}

EXEC(ic_ivau)
{
	struct emu_walk walk;
	uint8_t fsc;
	/* Code that cannot be read as data may be invalidated too. */
	if (!emu_mmu_walk(cpu, val, emu_regime_now(cpu), EMU_READ, true, &walk, &fsc) &&
	    !((fsc & 0x3c) == EMU_FSC_PERMISSION &&
	      emu_mmu_walk(cpu, val, emu_regime_now(cpu), EMU_EXEC, true, &walk, &fsc))) {
		if ((fsc & 0x3c) != EMU_FSC_PERMISSION)
			emu_raise_abort(cpu, false, val, fsc | ISS_CM | ISS_WNR);
		return;
	}
	emu_broadcast_code_drop(cpu, walk.pa & ~EMU_PAGE_MASK, false);
}

static void check_cache_va(struct emu_cpu *cpu, uint64_t va, unsigned access)
{
	uint8_t fsc;
	if (!emu_tlb_data(cpu, va, emu_regime_now(cpu), access, &fsc))
		emu_raise_abort(cpu, false, va, fsc | ISS_CM | ISS_WNR);
}

EXEC(dc_clean)
{
	check_cache_va(cpu, val, EMU_READ);
}

/* An invalidation could undo a write: it needs the right to write. */
EXEC(dc_ivac)
{
	check_cache_va(cpu, val, EMU_WRITE);
}

EXEC(dc_zva)
{
	emu_zero_block(cpu, val);
}

EXEC(nothing)
{
}

/* ---- Address translation ---- */

EXEC(at_s1)
{
	unsigned op2 = op_op2(op);
	bool pan = op_crm(op) == 9 && cpu->pstate.pan; /* S1E1RP, S1E1WP */
	enum emu_regime as = op2 & 2 ? EMU_AS_EL0 : pan ? EMU_AS_EL1_PAN : EMU_AS_EL1;
	struct emu_walk walk;
	uint8_t fsc;

	if (!emu_mmu_walk(cpu, val, as, op2 & 1 ? EMU_WRITE : EMU_READ, true, &walk, &fsc)) {
		if (fsc >= EMU_FSC_EXTERNAL_WALK && fsc < EMU_FSC_EXTERNAL_WALK + 4)
			emu_raise_abort(cpu, false, val, fsc | ISS_CM | ISS_WNR);
		cpu->sys[EMU_SR_PAR_EL1] = 1u << 11 | (uint64_t)fsc << 1 | 1;
		return;
	}
	/* Device memory and Normal Non-cacheable count as Outer Shareable. */
	unsigned sh = emu_attr_is_device(walk.attr) || walk.attr == 0x44 ? 2 : walk.sh;
	cpu->sys[EMU_SR_PAR_EL1] = (uint64_t)walk.attr << 56 | (walk.pa & UINT64_C(0xfffffffff000)) | 1u << 11 |
		1u << 9 | sh << 7;
}

/* ---- TLB ---- */

static uint64_t extend(uint64_t va, unsigned top_bit)
{
	return (uint64_t)((int64_t)(va << (63 - top_bit)) >> (63 - top_bit));
}

/* Inner and Outer Shareable are the same here: all vCPUs. */
static void tlbi(struct emu_cpu *cpu, bool broadcast, const struct emu_tlbi *req)
{
	if (broadcast)
		emu_broadcast_tlbi(cpu, req);
	else
		emu_tlb_apply(cpu, req);
}

/* CRm 1 (OS), 3 (IS), 7. */
EXEC(tlbi_one)
{
	struct emu_tlbi req = { .asid = (uint16_t)(val >> 48) };
	switch (op_op2(op)) {
	case 0: /* VMALLE1 */
		req.kind = EMU_TLBI_ALL;
		break;
	case 2: /* ASIDE1 */
		req.kind = EMU_TLBI_ASID;
		break;
	default: /* VAE1, VAAE1, VALE1, VAALE1 */
		req.kind = EMU_TLBI_VA;
		req.any_asid = op_op2(op) & 2;
		req.lo = extend(val << EMU_PAGE_BITS, 55);
		req.hi = req.lo | EMU_PAGE_MASK;
		break;
	}
	tlbi(cpu, op_crm(op) != 7, &req);
}

/* CRm 2 (IS), 5 (OS), 6: BaseADDR, TTL, NUM, SCALE, TG, ASID. */
EXEC(tlbi_range)
{
	static const uint8_t grain[4] = { 0, 12, 14, 16 };
	unsigned tg = val >> 46 & 3, scale = val >> 44 & 3, num = val >> 39 & 31;
	if (!tg)
		return; /* reserved: the instruction need not do anything */
	uint64_t pages = (uint64_t)(num + 1) << (5 * scale + 1);
	struct emu_tlbi req = { .kind = EMU_TLBI_VA, .asid = (uint16_t)(val >> 48), .any_asid = op_op2(op) & 2 };
	req.lo = extend(val, 36) << grain[tg];
	req.hi = req.lo + (pages << grain[tg]) - 1;
	if (req.hi < req.lo || ((req.hi ^ req.lo) >> 55 & 1)) /* runs into the other half: it ends there */
		req.hi = req.lo >> 63 ? UINT64_MAX : (UINT64_C(1) << 55) - 1;
	tlbi(cpu, op_crm(op) != 6, &req);
}

/* ---- The table ---- */

#define OP(name, op1, crn, crm, op2, el, feature, exec, check) \
	{ name, EMU_SYSREG(1, op1, crn, crm, op2), el, feature, exec, check },
#define TLBI(suffix, one, range, feature, range_feature) \
	OP("TLBI VMALLE1" suffix, 0, 8, one, 0, 1, feature, tlbi_one, NULL) \
	OP("TLBI VAE1" suffix, 0, 8, one, 1, 1, feature, tlbi_one, NULL) \
	OP("TLBI ASIDE1" suffix, 0, 8, one, 2, 1, feature, tlbi_one, NULL) \
	OP("TLBI VAAE1" suffix, 0, 8, one, 3, 1, feature, tlbi_one, NULL) \
	OP("TLBI VALE1" suffix, 0, 8, one, 5, 1, feature, tlbi_one, NULL) \
	OP("TLBI VAALE1" suffix, 0, 8, one, 7, 1, feature, tlbi_one, NULL) \
	OP("TLBI RVAE1" suffix, 0, 8, range, 1, 1, range_feature, tlbi_range, NULL) \
	OP("TLBI RVAAE1" suffix, 0, 8, range, 3, 1, range_feature, tlbi_range, NULL) \
	OP("TLBI RVALE1" suffix, 0, 8, range, 5, 1, range_feature, tlbi_range, NULL) \
	OP("TLBI RVAALE1" suffix, 0, 8, range, 7, 1, range_feature, tlbi_range, NULL)

const struct emu_sysop_desc emu_sysops[] = {
	OP("IC IALLUIS", 0, 7, 1, 0, 1, -1, ic_all, NULL)
	OP("IC IALLU", 0, 7, 5, 0, 1, -1, ic_all, NULL)
	OP("IC IVAU", 3, 7, 5, 1, 0, -1, ic_ivau, check_uci)
	OP("DC IVAC", 0, 7, 6, 1, 1, -1, dc_ivac, NULL)
	OP("DC ISW", 0, 7, 6, 2, 1, -1, nothing, NULL)
	OP("DC CSW", 0, 7, 10, 2, 1, -1, nothing, NULL)
	OP("DC CISW", 0, 7, 14, 2, 1, -1, nothing, NULL)
	OP("DC ZVA", 3, 7, 4, 1, 0, -1, dc_zva, check_dze)
	OP("DC CVAC", 3, 7, 10, 1, 0, -1, dc_clean, check_uci)
	OP("DC CVAU", 3, 7, 11, 1, 0, -1, dc_clean, check_uci)
	OP("DC CVAP", 3, 7, 12, 1, 0, EMU_FEAT_DPB, dc_clean, check_uci)
	OP("DC CVADP", 3, 7, 13, 1, 0, EMU_FEAT_DPB2, dc_clean, check_uci)
	OP("DC CIVAC", 3, 7, 14, 1, 0, -1, dc_clean, check_uci)
	OP("CFP RCTX", 3, 7, 3, 4, 0, EMU_FEAT_SPECRES, nothing, check_enrctx)
	OP("DVP RCTX", 3, 7, 3, 5, 0, EMU_FEAT_SPECRES, nothing, check_enrctx)
	OP("CPP RCTX", 3, 7, 3, 7, 0, EMU_FEAT_SPECRES, nothing, check_enrctx)
	OP("AT S1E1R", 0, 7, 8, 0, 1, -1, at_s1, NULL)
	OP("AT S1E1W", 0, 7, 8, 1, 1, -1, at_s1, NULL)
	OP("AT S1E0R", 0, 7, 8, 2, 1, -1, at_s1, NULL)
	OP("AT S1E0W", 0, 7, 8, 3, 1, -1, at_s1, NULL)
	OP("AT S1E1RP", 0, 7, 9, 0, 1, EMU_FEAT_PAN2, at_s1, NULL)
	OP("AT S1E1WP", 0, 7, 9, 1, 1, EMU_FEAT_PAN2, at_s1, NULL)
	TLBI("", 7, 6, -1, EMU_FEAT_TLBIRANGE)
	TLBI("IS", 3, 2, -1, EMU_FEAT_TLBIRANGE)
	TLBI("OS", 1, 5, EMU_FEAT_TLBIOS, EMU_FEAT_TLBIRANGE)
};
const unsigned emu_n_sysops = sizeof(emu_sysops) / sizeof(emu_sysops[0]);
