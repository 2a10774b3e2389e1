/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads and stores of two registers: Arm ARM C4.1, "Load/store register pair",
 * and C6.2, C7.2.
 *
 * Both data are read before a register is written, so that a fault in the
 * second leaves everything as it was. CONSTRAINED UNPREDICTABLE cases: of two
 * loads into one register the second wins; with writeback, a base that is also
 * stored is stored unchanged, and one that is also loaded ends up as the
 * updated base.
 */
#include "emu/interp_priv.h"

typedef void pair_op(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned t2);

#define OP static inline __attribute__((always_inline)) void

/* ---- Operations ---- */

OP stp_w(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned t2)
{
	emu_st32(cpu, va, interp_w(cpu, t), EMU_ACC_NORMAL);
	emu_st32(cpu, va + 4, interp_w(cpu, t2), EMU_ACC_NORMAL);
}

OP ldp_w(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned t2)
{
	uint32_t low = emu_ld32(cpu, va, EMU_ACC_NORMAL), high = emu_ld32(cpu, va + 4, EMU_ACC_NORMAL);

	interp_set_x(cpu, t, low);
	interp_set_x(cpu, t2, high);
}

OP ldpsw(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned t2)
{
	uint32_t low = emu_ld32(cpu, va, EMU_ACC_NORMAL), high = emu_ld32(cpu, va + 4, EMU_ACC_NORMAL);

	interp_set_x(cpu, t, (uint64_t)(int32_t)low);
	interp_set_x(cpu, t2, (uint64_t)(int32_t)high);
}

OP stp_x(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned t2)
{
	uint64_t val[2] = {interp_x(cpu, t), interp_x(cpu, t2)};

	emu_st128(cpu, va, 8, val, EMU_ACC_NORMAL);
}

OP ldp_x(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned t2)
{
	uint64_t val[2];

	emu_ld128(cpu, va, 8, val, EMU_ACC_NORMAL);
	interp_set_x(cpu, t, val[0]);
	interp_set_x(cpu, t2, val[1]);
}

OP stp_s(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned t2)
{
	emu_st32(cpu, va, cpu->v[t].s[0], EMU_ACC_NORMAL);
	emu_st32(cpu, va + 4, cpu->v[t2].s[0], EMU_ACC_NORMAL);
}

OP ldp_s(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned t2)
{
	uint32_t low = emu_ld32(cpu, va, EMU_ACC_NORMAL), high = emu_ld32(cpu, va + 4, EMU_ACC_NORMAL);

	interp_set_d(cpu, t, low);
	interp_set_d(cpu, t2, high);
}

OP stp_d(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned t2)
{
	uint64_t val[2] = {cpu->v[t].d[0], cpu->v[t2].d[0]};

	emu_st128(cpu, va, 8, val, EMU_ACC_NORMAL);
}

OP ldp_d(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned t2)
{
	uint64_t val[2];

	emu_ld128(cpu, va, 8, val, EMU_ACC_NORMAL);
	interp_set_d(cpu, t, val[0]);
	interp_set_d(cpu, t2, val[1]);
}

OP stp_q(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned t2)
{
	emu_st128(cpu, va, 16, cpu->v[t].d, EMU_ACC_NORMAL);
	emu_st128(cpu, va + 16, 16, cpu->v[t2].d, EMU_ACC_NORMAL);
}

OP ldp_q(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned t2)
{
	struct emu_vreg low, high;

	emu_ld128(cpu, va, 16, low.d, EMU_ACC_NORMAL);
	emu_ld128(cpu, va + 16, 16, high.d, EMU_ACC_NORMAL);
	cpu->v[t] = low;
	cpu->v[t2] = high;
}

/* ---- Forms of addressing ---- */

OP offset_form(struct emu_cpu *cpu, const struct a64_args_LDP_x_off *a, pair_op *op, unsigned scale)
{
	op(cpu, interp_base(cpu, a->Rn) + ((uint64_t)a->imm7 << scale), a->Rt, a->Rt2);
}

OP post_indexed(struct emu_cpu *cpu, const struct a64_args_LDP_x_post *a, pair_op *op, unsigned scale)
{
	uint64_t va = interp_base(cpu, a->Rn);

	op(cpu, va, a->Rt, a->Rt2);
	cpu->x[a->Rn] = va + ((uint64_t)a->imm7 << scale);
}

OP pre_indexed(struct emu_cpu *cpu, const struct a64_args_LDP_x_pre *a, pair_op *op, unsigned scale)
{
	uint64_t va = interp_base(cpu, a->Rn) + ((uint64_t)a->imm7 << scale);

	op(cpu, va, a->Rt, a->Rt2);
	cpu->x[a->Rn] = va;
}

#define FORMS(name, op, scale) \
	INTERP(name##_off) \
	{ \
		offset_form(cpu, a, op, scale); \
	} \
	INTERP(name##_post) \
	{ \
		post_indexed(cpu, a, op, scale); \
	} \
	INTERP(name##_pre) \
	{ \
		pre_indexed(cpu, a, op, scale); \
	}

/* The non-temporal hint changes nothing here. */
#define FORMS_NT(name, name_nt, op, scale) \
	FORMS(name, op, scale) \
	INTERP(name_nt) \
	{ \
		offset_form(cpu, a, op, scale); \
	}

FORMS_NT(STP_w, STNP_w, stp_w, 2)
FORMS_NT(LDP_w, LDNP_w, ldp_w, 2)
FORMS(LDPSW, ldpsw, 2)
FORMS_NT(STP_x, STNP_x, stp_x, 3)
FORMS_NT(LDP_x, LDNP_x, ldp_x, 3)
FORMS_NT(STP_S, STNP_S, stp_s, 2)
FORMS_NT(LDP_S, LDNP_S, ldp_s, 2)
FORMS_NT(STP_D, STNP_D, stp_d, 3)
FORMS_NT(LDP_D, LDNP_D, ldp_d, 3)
FORMS_NT(STP_Q, STNP_Q, stp_q, 4)
FORMS_NT(LDP_Q, LDNP_Q, ldp_q, 4)
