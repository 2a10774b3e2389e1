/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating point: comparison to flags and to masks, and conditional select
 * (Arm ARM C7.2).
 */
#include "emu/alu_priv.h"
#include "emu/interp_fp_priv.h"

/* ---- To flags ---- */

static void fcmp(struct emu_cpu *cpu, enum fp_fmt fmt, unsigned n, uint64_t op2, bool signal_nans)
{
	cpu->nzcv = fp_compare(fmt, interp_fp_scalar(cpu, fmt, n), op2, signal_nans, cpu->fpcr, &cpu->fpsr);
}

static void fccmp(struct emu_cpu *cpu, enum fp_fmt fmt, unsigned n, unsigned m, unsigned cond, unsigned nzcv,
		  bool signal_nans)
{
	if (alu_condition(cpu->nzcv, cond))
		fcmp(cpu, fmt, n, interp_fp_scalar(cpu, fmt, m), signal_nans);
	else
		cpu->nzcv = (uint32_t)nzcv << 28;
}

#define FCMP(name, signal_nans)                                                                                        \
	INTERP(name##_s)                                                                                               \
	{                                                                                                              \
		enum fp_fmt fmt = interp_fp_sd(a->sz);                                                                 \
		fcmp(cpu, fmt, a->Rn, interp_fp_scalar(cpu, fmt, a->Rm), signal_nans);                                 \
	}                                                                                                              \
	INTERP(name##_h)                                                                                               \
	{                                                                                                              \
		fcmp(cpu, FP_H, a->Rn, interp_fp_scalar(cpu, FP_H, a->Rm), signal_nans);                               \
	}                                                                                                              \
	INTERP(name##_zero_s)                                                                                          \
	{                                                                                                              \
		fcmp(cpu, interp_fp_sd(a->sz), a->Rn, 0, signal_nans);                                                 \
	}                                                                                                              \
	INTERP(name##_zero_h)                                                                                          \
	{                                                                                                              \
		fcmp(cpu, FP_H, a->Rn, 0, signal_nans);                                                                \
	}

#define FCCMP(name, signal_nans)                                                                                       \
	INTERP(name##_s)                                                                                               \
	{                                                                                                              \
		fccmp(cpu, interp_fp_sd(a->sz), a->Rn, a->Rm, a->cond, a->nzcv, signal_nans);                          \
	}                                                                                                              \
	INTERP(name##_h)                                                                                               \
	{                                                                                                              \
		fccmp(cpu, FP_H, a->Rn, a->Rm, a->cond, a->nzcv, signal_nans);                                         \
	}

FCMP(FCMP, false)
FCMP(FCMPE, true)
FCCMP(FCCMP, false)
FCCMP(FCCMPE, true)

/* ---- Select ---- */

static void fcsel(struct emu_cpu *cpu, enum fp_fmt fmt, unsigned d, unsigned n, unsigned m, unsigned cond)
{
	interp_set_d(cpu, d, interp_fp_scalar(cpu, fmt, alu_condition(cpu->nzcv, cond) ? n : m));
}

INTERP(FCSEL_s)
{
	fcsel(cpu, interp_fp_sd(a->sz), a->Rd, a->Rn, a->Rm, a->cond);
}

INTERP(FCSEL_h)
{
	fcsel(cpu, FP_H, a->Rd, a->Rn, a->Rm, a->cond);
}

/* ---- To masks ---- */

#define MASK_2(name, holds)                                                                                            \
	static uint64_t fp_op_##name(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)       \
	{                                                                                                              \
		return (holds) ? interp_fp_ones(fmt) : 0;                                                              \
	}                                                                                                              \
	INTERP_FP_SCALAR_2(name, fp_op_##name)                                                                         \
	INTERP_FP_VEC_2(name, fp_op_##name)

#define MASK_1(name, holds)                                                                                            \
	static uint64_t fp_op_##name(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr)                      \
	{                                                                                                              \
		return (holds) ? interp_fp_ones(fmt) : 0;                                                              \
	}                                                                                                              \
	INTERP_FP_SCALAR_1(name, fp_op_##name)                                                                         \
	INTERP_FP_VEC_1(name, fp_op_##name)

MASK_2(FCMEQ, fp_compare_eq(fmt, op1, op2, fpcr, fpsr))
MASK_2(FCMGE, fp_compare_ge(fmt, op1, op2, fpcr, fpsr))
MASK_2(FCMGT, fp_compare_gt(fmt, op1, op2, fpcr, fpsr))
MASK_2(FACGE, fp_compare_ge(fmt, fp_abs(fmt, op1), fp_abs(fmt, op2), fpcr, fpsr))
MASK_2(FACGT, fp_compare_gt(fmt, fp_abs(fmt, op1), fp_abs(fmt, op2), fpcr, fpsr))
MASK_1(FCMEQ_zero, fp_compare_eq(fmt, op, 0, fpcr, fpsr))
MASK_1(FCMGE_zero, fp_compare_ge(fmt, op, 0, fpcr, fpsr))
MASK_1(FCMGT_zero, fp_compare_gt(fmt, op, 0, fpcr, fpsr))
MASK_1(FCMLE_zero, fp_compare_ge(fmt, 0, op, fpcr, fpsr))
MASK_1(FCMLT_zero, fp_compare_gt(fmt, 0, op, fpcr, fpsr))
