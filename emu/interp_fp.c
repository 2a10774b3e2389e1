/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating point: moves, and arithmetic without multiply-add, scalar and vector
 * (Arm ARM C7.2; encodings in C4.1, "Data processing, scalar floating-point and
 * Advanced SIMD").
 */
#include "emu/interp_fp_priv.h"

/* ---- Applying operations ---- */

void interp_fp_scalar_1(struct emu_cpu *cpu, enum fp_fmt fmt, unsigned d, unsigned n, interp_fp_fn1 *op)
{
	interp_set_d(cpu, d, op(fmt, interp_fp_scalar(cpu, fmt, n), cpu->fpcr, &cpu->fpsr));
}

void interp_fp_scalar_2(struct emu_cpu *cpu, enum fp_fmt fmt, unsigned d, unsigned n, unsigned m, interp_fp_fn2 *op)
{
	interp_set_d(cpu, d, op(fmt, interp_fp_scalar(cpu, fmt, n), interp_fp_scalar(cpu, fmt, m), cpu->fpcr,
				&cpu->fpsr));
}

void interp_fp_vec_1(struct emu_cpu *cpu, enum fp_fmt fmt, bool q, unsigned d, unsigned n, interp_fp_fn1 *op)
{
	struct emu_vreg result;

	for (unsigned i = 0; i < interp_fp_lanes(fmt, q); i++)
		interp_fp_set_lane(&result, fmt, i, op(fmt, interp_fp_lane(&cpu->v[n], fmt, i), cpu->fpcr, &cpu->fpsr));
	interp_set_v(cpu, d, &result, q);
}

void interp_fp_vec_2(struct emu_cpu *cpu, enum fp_fmt fmt, bool q, unsigned d, unsigned n, unsigned m,
		     interp_fp_fn2 *op)
{
	struct emu_vreg result;

	for (unsigned i = 0; i < interp_fp_lanes(fmt, q); i++)
		interp_fp_set_lane(&result, fmt, i, op(fmt, interp_fp_lane(&cpu->v[n], fmt, i),
						       interp_fp_lane(&cpu->v[m], fmt, i), cpu->fpcr, &cpu->fpsr));
	interp_set_v(cpu, d, &result, q);
}

/* ---- Moves ---- */

static uint64_t fp_op_mov(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr)
{
	return op;
}

INTERP_FP_SCALAR_1(FMOV, fp_op_mov)

INTERP(FMOV_imm_s)
{
	interp_set_d(cpu, a->Rd, fp_expand_imm(interp_fp_sd(a->sz), a->imm8));
}

INTERP(FMOV_imm_h)
{
	interp_set_d(cpu, a->Rd, fp_expand_imm(FP_H, a->imm8));
}

static void fmov_vec(struct emu_cpu *cpu, enum fp_fmt fmt, bool q, unsigned d, uint8_t imm8)
{
	struct emu_vreg result;

	for (unsigned i = 0; i < interp_fp_lanes(fmt, q); i++)
		interp_fp_set_lane(&result, fmt, i, fp_expand_imm(fmt, imm8));
	interp_set_v(cpu, d, &result, q);
}

INTERP(FMOV_vec_s)
{
	fmov_vec(cpu, FP_S, a->Q, a->Rd, a->imm8);
}

INTERP(FMOV_vec_d)
{
	fmov_vec(cpu, FP_D, true, a->Rd, a->imm8);
}

INTERP(FMOV_vec_h)
{
	fmov_vec(cpu, FP_H, a->Q, a->Rd, a->imm8);
}

INTERP(FMOV_to_gpr_h)
{
	interp_set_x(cpu, a->Rd, cpu->v[a->Rn].h[0]);
}

INTERP(FMOV_from_gpr_h)
{
	interp_set_d(cpu, a->Rd, (uint16_t)interp_x(cpu, a->Rn));
}

INTERP(FMOV_to_gpr_s)
{
	interp_set_w(cpu, a->Rd, cpu->v[a->Rn].s[0]);
}

INTERP(FMOV_from_gpr_s)
{
	interp_set_d(cpu, a->Rd, interp_w(cpu, a->Rn));
}

INTERP(FMOV_to_gpr_d)
{
	interp_set_x(cpu, a->Rd, cpu->v[a->Rn].d[0]);
}

INTERP(FMOV_from_gpr_d)
{
	interp_set_d(cpu, a->Rd, interp_x(cpu, a->Rn));
}

INTERP(FMOV_to_gpr_top)
{
	interp_set_x(cpu, a->Rd, cpu->v[a->Rn].d[1]);
}

INTERP(FMOV_from_gpr_top)
{
	cpu->v[a->Rd].d[1] = interp_x(cpu, a->Rn);
}

/* ---- One operand ---- */

static uint64_t fp_op_abs(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_abs(fmt, op);
}

static uint64_t fp_op_neg(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_neg(fmt, op);
}

INTERP_FP_SCALAR_1(FABS, fp_op_abs)
INTERP_FP_VEC_1(FABS, fp_op_abs)
INTERP_FP_SCALAR_1(FNEG, fp_op_neg)
INTERP_FP_VEC_1(FNEG, fp_op_neg)
INTERP_FP_SCALAR_1(FSQRT, fp_sqrt)
INTERP_FP_VEC_1(FSQRT, fp_sqrt)

/* ---- Two operands ---- */

static uint64_t fp_op_nmul(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_neg(fmt, fp_mul(fmt, op1, op2, fpcr, fpsr));
}

static uint64_t fp_op_abd(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_abs(fmt, fp_sub(fmt, op1, op2, fpcr, fpsr));
}

INTERP_FP_SCALAR_2(FADD, fp_add)
INTERP_FP_VEC_2(FADD, fp_add)
INTERP_FP_SCALAR_2(FSUB, fp_sub)
INTERP_FP_VEC_2(FSUB, fp_sub)
INTERP_FP_SCALAR_2(FMUL, fp_mul)
INTERP_FP_VEC_2(FMUL, fp_mul)
INTERP_FP_SCALAR_2(FNMUL, fp_op_nmul)
INTERP_FP_SCALAR_2(FMULX, fp_mulx)
INTERP_FP_VEC_2(FMULX, fp_mulx)
INTERP_FP_SCALAR_2(FDIV, fp_div)
INTERP_FP_VEC_2(FDIV, fp_div)
INTERP_FP_SCALAR_2(FABD, fp_op_abd)
INTERP_FP_VEC_2(FABD, fp_op_abd)
INTERP_FP_SCALAR_2(FMAX, fp_max)
INTERP_FP_VEC_2(FMAX, fp_max)
INTERP_FP_SCALAR_2(FMIN, fp_min)
INTERP_FP_VEC_2(FMIN, fp_min)
INTERP_FP_SCALAR_2(FMAXNM, fp_maxnum)
INTERP_FP_VEC_2(FMAXNM, fp_maxnum)
INTERP_FP_SCALAR_2(FMINNM, fp_minnum)
INTERP_FP_VEC_2(FMINNM, fp_minnum)

/* ---- Pairwise, and across lanes ---- */

static void pairwise_vec(struct emu_cpu *cpu, enum fp_fmt fmt, bool q, unsigned d, unsigned n, unsigned m,
			 interp_fp_fn2 *op)
{
	unsigned lanes = interp_fp_lanes(fmt, q);
	struct emu_vreg result;

	for (unsigned i = 0; i < lanes; i++) {
		/* Pairs of Vn make the lower half of the result, those of Vm the upper. */
		const struct emu_vreg *v = &cpu->v[i < lanes / 2 ? n : m];
		unsigned first = 2 * i % lanes;
		interp_fp_set_lane(&result, fmt, i, op(fmt, interp_fp_lane(v, fmt, first),
						       interp_fp_lane(v, fmt, first + 1), cpu->fpcr, &cpu->fpsr));
	}
	interp_set_v(cpu, d, &result, q);
}

/* Reduce() of lanes [first, first + lanes): both halves, the lower one first. */
static uint64_t reduce(struct emu_cpu *cpu, enum fp_fmt fmt, const struct emu_vreg *v, unsigned first, unsigned lanes,
		       interp_fp_fn2 *op)
{
	if (lanes == 1)
		return interp_fp_lane(v, fmt, first);
	uint64_t low = reduce(cpu, fmt, v, first, lanes / 2, op);
	uint64_t high = reduce(cpu, fmt, v, first + lanes / 2, lanes / 2, op);
	return op(fmt, low, high, cpu->fpcr, &cpu->fpsr);
}

#define PAIRWISE(name, op)                                                                                             \
	INTERP(name##_vec)                                                                                             \
	{                                                                                                              \
		pairwise_vec(cpu, interp_fp_sd(a->sz), a->Q, a->Rd, a->Rn, a->Rm, op);                                 \
	}                                                                                                              \
	INTERP(name##_vec_h)                                                                                           \
	{                                                                                                              \
		pairwise_vec(cpu, FP_H, a->Q, a->Rd, a->Rn, a->Rm, op);                                                \
	}                                                                                                              \
	INTERP(name##_s)                                                                                               \
	{                                                                                                              \
		interp_set_d(cpu, a->Rd, reduce(cpu, interp_fp_sd(a->sz), &cpu->v[a->Rn], 0, 2, op));                  \
	}                                                                                                              \
	INTERP(name##_h)                                                                                               \
	{                                                                                                              \
		interp_set_d(cpu, a->Rd, reduce(cpu, FP_H, &cpu->v[a->Rn], 0, 2, op));                                 \
	}

#define ACROSS(name, op)                                                                                               \
	INTERP(name)                                                                                                   \
	{                                                                                                              \
		interp_set_d(cpu, a->Rd, reduce(cpu, FP_S, &cpu->v[a->Rn], 0, 4, op));                                 \
	}                                                                                                              \
	INTERP(name##_h)                                                                                               \
	{                                                                                                              \
		interp_set_d(cpu, a->Rd, reduce(cpu, FP_H, &cpu->v[a->Rn], 0, interp_fp_lanes(FP_H, a->Q), op));       \
	}

PAIRWISE(FADDP, fp_add)
PAIRWISE(FMAXP, fp_max)
PAIRWISE(FMINP, fp_min)
PAIRWISE(FMAXNMP, fp_maxnum)
PAIRWISE(FMINNMP, fp_minnum)
ACROSS(FMAXV, fp_max)
ACROSS(FMINV, fp_min)
ACROSS(FMAXNMV, fp_maxnum)
ACROSS(FMINNMV, fp_minnum)

/* ---- Estimates and steps ---- */

INTERP_FP_SCALAR_1(FRECPE, fp_recip_estimate)
INTERP_FP_VEC_1(FRECPE, fp_recip_estimate)
INTERP_FP_SCALAR_1(FRSQRTE, fp_rsqrt_estimate)
INTERP_FP_VEC_1(FRSQRTE, fp_rsqrt_estimate)
INTERP_FP_SCALAR_1(FRECPX, fp_recpx)
INTERP_FP_SCALAR_2(FRECPS, fp_recip_step_fused)
INTERP_FP_VEC_2(FRECPS, fp_recip_step_fused)
INTERP_FP_SCALAR_2(FRSQRTS, fp_rsqrt_step_fused)
INTERP_FP_VEC_2(FRSQRTS, fp_rsqrt_step_fused)

static uint64_t fp_op_urecpe(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_unsigned_recip_estimate((uint32_t)op);
}

static uint64_t fp_op_ursqrte(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_unsigned_rsqrt_estimate((uint32_t)op);
}

INTERP(URECPE)
{
	interp_fp_vec_1(cpu, FP_S, a->Q, a->Rd, a->Rn, fp_op_urecpe);
}

INTERP(URSQRTE)
{
	interp_fp_vec_1(cpu, FP_S, a->Q, a->Rd, a->Rn, fp_op_ursqrte);
}
