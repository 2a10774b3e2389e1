/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating point: conversion between formats, with integers and with fixed
 * point, and rounding to integers (Arm ARM C7.2).
 */
#include "emu/interp_fp_priv.h"

/* ---- Between formats ---- */

static void convert(struct emu_cpu *cpu, enum fp_fmt to, enum fp_fmt from, unsigned d, unsigned n)
{
	interp_set_d(cpu, d, fp_convert(to, from, interp_fp_scalar(cpu, from, n), fp_rounding_mode(cpu->fpcr),
					cpu->fpcr, &cpu->fpsr));
}

/* Names give the source, then the destination. */
INTERP(FCVT_s_d)
{
	convert(cpu, FP_D, FP_S, a->Rd, a->Rn);
}

INTERP(FCVT_s_h)
{
	convert(cpu, FP_H, FP_S, a->Rd, a->Rn);
}

INTERP(FCVT_d_s)
{
	convert(cpu, FP_S, FP_D, a->Rd, a->Rn);
}

INTERP(FCVT_d_h)
{
	convert(cpu, FP_H, FP_D, a->Rd, a->Rn);
}

INTERP(FCVT_h_s)
{
	convert(cpu, FP_S, FP_H, a->Rd, a->Rn);
}

INTERP(FCVT_h_d)
{
	convert(cpu, FP_D, FP_H, a->Rd, a->Rn);
}

INTERP(BFCVT)
{
	convert(cpu, FP_BF, FP_S, a->Rd, a->Rn);
}

/* From 128 bits to 64, which become the lower half of Vd, or with Q the upper half. */
static void narrow(struct emu_cpu *cpu, enum fp_fmt to, enum fp_fmt from, bool q, unsigned d, unsigned n,
		   enum fp_rounding rounding)
{
	unsigned lanes = interp_fp_lanes(from, true);
	struct emu_vreg half;

	for (unsigned i = 0; i < lanes; i++)
		interp_fp_set_lane(&half, to, i, fp_convert(to, from, interp_fp_lane(&cpu->v[n], from, i), rounding,
							    cpu->fpcr, &cpu->fpsr));
	if (q)
		cpu->v[d].d[1] = half.d[0];
	else
		interp_set_d(cpu, d, half.d[0]);
}

INTERP(FCVTN)
{
	narrow(cpu, a->sz ? FP_S : FP_H, a->sz ? FP_D : FP_S, a->Q, a->Rd, a->Rn, fp_rounding_mode(cpu->fpcr));
}

INTERP(FCVTXN)
{
	narrow(cpu, FP_S, FP_D, a->Q, a->Rd, a->Rn, FP_ROUND_ODD);
}

INTERP(FCVTXN_s)
{
	interp_set_d(cpu, a->Rd, fp_convert(FP_S, FP_D, cpu->v[a->Rn].d[0], FP_ROUND_ODD, cpu->fpcr, &cpu->fpsr));
}

INTERP(BFCVTN)
{
	narrow(cpu, FP_BF, FP_S, a->Q, a->Rd, a->Rn, fp_rounding_mode(cpu->fpcr));
}

INTERP(FCVTL)
{
	enum fp_fmt from = a->sz ? FP_S : FP_H, to = a->sz ? FP_D : FP_S;
	unsigned lanes = interp_fp_lanes(to, true);
	struct emu_vreg result;

	for (unsigned i = 0; i < lanes; i++) {
		uint64_t op = interp_fp_lane(&cpu->v[a->Rn], from, a->Q ? lanes + i : i);
		interp_fp_set_lane(&result, to, i, fp_convert(to, from, op, fp_rounding_mode(cpu->fpcr), cpu->fpcr,
							      &cpu->fpsr));
	}
	interp_set_v(cpu, a->Rd, &result, true);
}

/* ---- To and from integers ---- */

static void to_gpr(struct emu_cpu *cpu, enum fp_fmt fmt, bool sf, unsigned d, unsigned n, unsigned fbits,
		   bool is_unsigned, enum fp_rounding rounding)
{
	interp_set_x(cpu, d, fp_to_fixed(fmt, interp_fp_scalar(cpu, fmt, n), sf ? 64 : 32, fbits, is_unsigned, rounding,
					 cpu->fpcr, &cpu->fpsr));
}

static void from_gpr(struct emu_cpu *cpu, enum fp_fmt fmt, bool sf, unsigned d, unsigned n, unsigned fbits,
		     bool is_unsigned)
{
	interp_set_d(cpu, d, fp_from_fixed(fmt, interp_x(cpu, n), sf ? 64 : 32, fbits, is_unsigned, cpu->fpcr,
					   &cpu->fpsr));
}

/* Within the vector registers, integers are as wide as the format. */
#define TO_INTEGER(name, is_unsigned, rounding)                                                                        \
	static uint64_t fp_op_##name(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr)                      \
	{                                                                                                              \
		return fp_to_fixed(fmt, op, interp_fp_width(fmt), 0, is_unsigned, rounding, fpcr, fpsr);               \
	}                                                                                                              \
	INTERP_FP_SCALAR_1(name, fp_op_##name)                                                                         \
	INTERP_FP_VEC_1(name, fp_op_##name)                                                                            \
	INTERP(name##_gpr_s)                                                                                           \
	{                                                                                                              \
		to_gpr(cpu, interp_fp_sd(a->sz), a->sf, a->Rd, a->Rn, 0, is_unsigned, rounding);                       \
	}                                                                                                              \
	INTERP(name##_gpr_h)                                                                                           \
	{                                                                                                              \
		to_gpr(cpu, FP_H, a->sf, a->Rd, a->Rn, 0, is_unsigned, rounding);                                      \
	}

#define FROM_INTEGER(name, is_unsigned)                                                                                \
	static uint64_t fp_op_##name(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr)                      \
	{                                                                                                              \
		return fp_from_fixed(fmt, op, interp_fp_width(fmt), 0, is_unsigned, fpcr, fpsr);                       \
	}                                                                                                              \
	INTERP_FP_SCALAR_1(name, fp_op_##name)                                                                         \
	INTERP_FP_VEC_1(name, fp_op_##name)                                                                            \
	INTERP(name##_gpr_s)                                                                                           \
	{                                                                                                              \
		from_gpr(cpu, interp_fp_sd(a->sz), a->sf, a->Rd, a->Rn, 0, is_unsigned);                               \
	}                                                                                                              \
	INTERP(name##_gpr_h)                                                                                           \
	{                                                                                                              \
		from_gpr(cpu, FP_H, a->sf, a->Rd, a->Rn, 0, is_unsigned);                                              \
	}

TO_INTEGER(FCVTNS, false, FP_ROUND_TIEEVEN)
TO_INTEGER(FCVTNU, true, FP_ROUND_TIEEVEN)
TO_INTEGER(FCVTAS, false, FP_ROUND_TIEAWAY)
TO_INTEGER(FCVTAU, true, FP_ROUND_TIEAWAY)
TO_INTEGER(FCVTPS, false, FP_ROUND_POSINF)
TO_INTEGER(FCVTPU, true, FP_ROUND_POSINF)
TO_INTEGER(FCVTMS, false, FP_ROUND_NEGINF)
TO_INTEGER(FCVTMU, true, FP_ROUND_NEGINF)
TO_INTEGER(FCVTZS, false, FP_ROUND_ZERO)
TO_INTEGER(FCVTZU, true, FP_ROUND_ZERO)
FROM_INTEGER(SCVTF, false)
FROM_INTEGER(UCVTF, true)

INTERP(FJCVTZS)
{
	bool z;
	uint32_t result = fp_to_fixed_js(cpu->v[a->Rn].d[0], &z, cpu->fpcr, &cpu->fpsr);

	interp_set_w(cpu, a->Rd, result);
	cpu->nzcv = z ? EMU_Z : 0;
}

/* ---- To and from fixed point ---- */

#define TO_FIXED_GPR(name, is_unsigned)                                                                                \
	INTERP(name##_gpr_fix_s)                                                                                       \
	{                                                                                                              \
		to_gpr(cpu, interp_fp_sd(a->sz), a->sf, a->Rd, a->Rn, 64 - a->scale, is_unsigned, FP_ROUND_ZERO);      \
	}                                                                                                              \
	INTERP(name##_gpr_fix_h)                                                                                       \
	{                                                                                                              \
		to_gpr(cpu, FP_H, a->sf, a->Rd, a->Rn, 64 - a->scale, is_unsigned, FP_ROUND_ZERO);                     \
	}

#define FROM_FIXED_GPR(name, is_unsigned)                                                                              \
	INTERP(name##_gpr_fix_s)                                                                                       \
	{                                                                                                              \
		from_gpr(cpu, interp_fp_sd(a->sz), a->sf, a->Rd, a->Rn, 64 - a->scale, is_unsigned);                   \
	}                                                                                                              \
	INTERP(name##_gpr_fix_h)                                                                                       \
	{                                                                                                              \
		from_gpr(cpu, FP_H, a->sf, a->Rd, a->Rn, 64 - a->scale, is_unsigned);                                  \
	}

TO_FIXED_GPR(FCVTZS, false)
TO_FIXED_GPR(FCVTZU, true)
FROM_FIXED_GPR(SCVTF, false)
FROM_FIXED_GPR(UCVTF, true)

/* In lanes; a scalar is a lane that clears the rest. `imm` is esize - fbits. */
enum direction { TO_FIXED, FROM_FIXED };

static uint64_t fixed_lane(struct emu_cpu *cpu, enum fp_fmt fmt, unsigned n, unsigned i, unsigned imm,
			   enum direction direction, bool is_unsigned)
{
	uint64_t op = interp_fp_lane(&cpu->v[n], fmt, i);
	unsigned width = interp_fp_width(fmt);

	if (direction == TO_FIXED)
		return fp_to_fixed(fmt, op, width, width - imm, is_unsigned, FP_ROUND_ZERO, cpu->fpcr, &cpu->fpsr);
	return fp_from_fixed(fmt, op, width, width - imm, is_unsigned, cpu->fpcr, &cpu->fpsr);
}

static void fixed_vec(struct emu_cpu *cpu, enum fp_fmt fmt, bool q, unsigned d, unsigned n, unsigned imm,
		      enum direction direction, bool is_unsigned)
{
	struct emu_vreg result;

	for (unsigned i = 0; i < interp_fp_lanes(fmt, q); i++)
		interp_fp_set_lane(&result, fmt, i, fixed_lane(cpu, fmt, n, i, imm, direction, is_unsigned));
	interp_set_v(cpu, d, &result, q);
}

#define FIXED(name, direction, is_unsigned)                                                                            \
	INTERP(name##_vec_fix_s)                                                                                       \
	{                                                                                                              \
		fixed_vec(cpu, FP_S, a->Q, a->Rd, a->Rn, a->imm, direction, is_unsigned);                              \
	}                                                                                                              \
	INTERP(name##_vec_fix_d)                                                                                       \
	{                                                                                                              \
		fixed_vec(cpu, FP_D, true, a->Rd, a->Rn, a->imm, direction, is_unsigned);                              \
	}                                                                                                              \
	INTERP(name##_vec_fix_h)                                                                                       \
	{                                                                                                              \
		fixed_vec(cpu, FP_H, a->Q, a->Rd, a->Rn, a->imm, direction, is_unsigned);                              \
	}                                                                                                              \
	INTERP(name##_fix_s)                                                                                           \
	{                                                                                                              \
		interp_set_d(cpu, a->Rd, fixed_lane(cpu, FP_S, a->Rn, 0, a->imm, direction, is_unsigned));             \
	}                                                                                                              \
	INTERP(name##_fix_d)                                                                                           \
	{                                                                                                              \
		interp_set_d(cpu, a->Rd, fixed_lane(cpu, FP_D, a->Rn, 0, a->imm, direction, is_unsigned));             \
	}                                                                                                              \
	INTERP(name##_fix_h)                                                                                           \
	{                                                                                                              \
		interp_set_d(cpu, a->Rd, fixed_lane(cpu, FP_H, a->Rn, 0, a->imm, direction, is_unsigned));             \
	}

FIXED(FCVTZS, TO_FIXED, false)
FIXED(FCVTZU, TO_FIXED, true)
FIXED(SCVTF, FROM_FIXED, false)
FIXED(UCVTF, FROM_FIXED, true)

/* ---- Rounding to integers in floating point ---- */

#define ROUND(name, rounding, exact)                                                                                   \
	static uint64_t fp_op_##name(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr)                      \
	{                                                                                                              \
		return fp_round_int(fmt, op, rounding, exact, fpcr, fpsr);                                             \
	}                                                                                                              \
	INTERP_FP_SCALAR_1(name, fp_op_##name)                                                                         \
	INTERP_FP_VEC_1(name, fp_op_##name)

ROUND(FRINTN, FP_ROUND_TIEEVEN, false)
ROUND(FRINTA, FP_ROUND_TIEAWAY, false)
ROUND(FRINTP, FP_ROUND_POSINF, false)
ROUND(FRINTM, FP_ROUND_NEGINF, false)
ROUND(FRINTZ, FP_ROUND_ZERO, false)
ROUND(FRINTX, fp_rounding_mode(fpcr), true)
ROUND(FRINTI, fp_rounding_mode(fpcr), false)

#define ROUND_N(name, rounding, bits)                                                                                  \
	static uint64_t fp_op_##name(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr)                      \
	{                                                                                                              \
		return fp_round_int_n(fmt, op, rounding, bits, fpcr, fpsr);                                            \
	}                                                                                                              \
	INTERP(name##_s)                                                                                               \
	{                                                                                                              \
		interp_fp_scalar_1(cpu, interp_fp_sd(a->sz), a->Rd, a->Rn, fp_op_##name);                              \
	}                                                                                                              \
	INTERP(name##_vec)                                                                                             \
	{                                                                                                              \
		interp_fp_vec_1(cpu, interp_fp_sd(a->sz), a->Q, a->Rd, a->Rn, fp_op_##name);                           \
	}

ROUND_N(FRINT32Z, FP_ROUND_ZERO, 32)
ROUND_N(FRINT32X, fp_rounding_mode(fpcr), 32)
ROUND_N(FRINT64Z, FP_ROUND_ZERO, 64)
ROUND_N(FRINT64X, fp_rounding_mode(fpcr), 64)
