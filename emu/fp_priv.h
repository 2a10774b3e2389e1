/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating-point arithmetic as the Arm ARM defines it (DDI 0487, J1.3 "shared
 * pseudocode", functions/float; A1.5 for the formats), in integers: results and
 * flags never depend on the host's floating-point unit.
 *
 * Each function is named after its pseudocode function and is pure but for the
 * cumulative flags that it ORs into *fpsr. Values are bit patterns in the low
 * bits of a uint64_t; bits above the format's width are ignored in operands and
 * clear in results. Modes come from `fpcr`: RMode, FZ, FZ16, DN, AHP. Traps of
 * floating-point exceptions (FPCR.IOE and the like) are not implemented, which
 * the architecture allows: those bits are RES0.
 */
#ifndef EMU_FP_PRIV_H
#define EMU_FP_PRIV_H

#include <stdbool.h>
#include <stdint.h>

/* Formats. FP_BF, BFloat16, is only a destination of fp_convert: it widens to
 * FP_S by a shift. */
enum fp_fmt { FP_H, FP_S, FP_D, FP_BF, FP_FMT_COUNT };

/* The first four are the values of FPCR.RMode. */
enum fp_rounding {
	FP_ROUND_TIEEVEN,
	FP_ROUND_POSINF,
	FP_ROUND_NEGINF,
	FP_ROUND_ZERO,
	FP_ROUND_TIEAWAY, /* to integers only */
	FP_ROUND_ODD,     /* between formats, and BFloat16 dot products */
};

/* FPCR */
#define FPCR_FZ16 (1u << 19)
#define FPCR_RMODE_SHIFT 22
#define FPCR_FZ (1u << 24)
#define FPCR_DN (1u << 25)
#define FPCR_AHP (1u << 26)

/* FPSR */
#define FPSR_IOC (1u << 0)
#define FPSR_DZC (1u << 1)
#define FPSR_OFC (1u << 2)
#define FPSR_UFC (1u << 3)
#define FPSR_IXC (1u << 4)
#define FPSR_IDC (1u << 7)
#define FPSR_QC (1u << 27)

static inline enum fp_rounding fp_rounding_mode(uint32_t fpcr)
{
	return (enum fp_rounding)(fpcr >> FPCR_RMODE_SHIFT & 3);
}

/* ---- Sign operations: bits only, no flags ---- */

static inline uint64_t fp_sign_bit(enum fp_fmt fmt)
{
	return fmt == FP_D ? 1ull << 63 : fmt == FP_S ? 1ull << 31 : 1ull << 15;
}

static inline uint64_t fp_neg(enum fp_fmt fmt, uint64_t op)
{
	return op ^ fp_sign_bit(fmt);
}

static inline uint64_t fp_abs(enum fp_fmt fmt, uint64_t op)
{
	return op & ~fp_sign_bit(fmt);
}

/* ---- Arithmetic ---- */

uint64_t fp_add(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);
uint64_t fp_sub(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);
uint64_t fp_mul(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);
uint64_t fp_mulx(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);
uint64_t fp_div(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);
uint64_t fp_sqrt(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr);
/* addend + op1 * op2, rounded once. */
uint64_t fp_muladd(enum fp_fmt fmt, uint64_t addend, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);
/* The same with a single-precision addend and half-precision factors. */
uint64_t fp_muladd_h(uint64_t addend, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);
/* 2 - op1 * op2, and (3 - op1 * op2) / 2, rounded once. */
uint64_t fp_recip_step_fused(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);
uint64_t fp_rsqrt_step_fused(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);

/* addend + op1[0] * op2[0] + op1[1] * op2[1] with BFloat16 factors and a
 * single-precision addend: round to odd after each step, denormals flushed,
 * default NaNs, no flags, whatever FPCR says. */
uint32_t fp_bf_dot_add(uint32_t addend, const uint16_t op1[2], const uint16_t op2[2]);

/* ---- Estimates ---- */

uint64_t fp_recip_estimate(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr);
uint64_t fp_rsqrt_estimate(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr);
uint64_t fp_recpx(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr);
uint32_t fp_unsigned_recip_estimate(uint32_t op);
uint32_t fp_unsigned_rsqrt_estimate(uint32_t op);

/* ---- Comparison ---- */

uint64_t fp_max(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);
uint64_t fp_min(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);
uint64_t fp_maxnum(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);
uint64_t fp_minnum(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);
/* NZCV in bits 31 to 28. Quiet NaNs raise Invalid Operation if signal_nans. */
uint32_t fp_compare(enum fp_fmt fmt, uint64_t op1, uint64_t op2, bool signal_nans, uint32_t fpcr, uint32_t *fpsr);
bool fp_compare_eq(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);
bool fp_compare_ge(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);
bool fp_compare_gt(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);

/* ---- Conversion ---- */

/* Between formats; `rounding` is one of FPCR.RMode's or FP_ROUND_ODD. */
uint64_t fp_convert(enum fp_fmt to, enum fp_fmt from, uint64_t op, enum fp_rounding rounding, uint32_t fpcr,
		    uint32_t *fpsr);
/* To a fixed-point number of `bits` bits, `fbits` of them after the point. */
uint64_t fp_to_fixed(enum fp_fmt fmt, uint64_t op, unsigned bits, unsigned fbits, bool is_unsigned,
		     enum fp_rounding rounding, uint32_t fpcr, uint32_t *fpsr);
/* From one, which is in the low `bits` bits of op. */
uint64_t fp_from_fixed(enum fp_fmt fmt, uint64_t op, unsigned bits, unsigned fbits, bool is_unsigned, uint32_t fpcr,
		       uint32_t *fpsr);
/* JavaScript's conversion: double to integer modulo 2^32; *ret_z is PSTATE.Z. */
uint32_t fp_to_fixed_js(uint64_t op, bool *ret_z, uint32_t fpcr, uint32_t *fpsr);
/* To an integer in floating point; `exact` raises Inexact. */
uint64_t fp_round_int(enum fp_fmt fmt, uint64_t op, enum fp_rounding rounding, bool exact, uint32_t fpcr,
		      uint32_t *fpsr);
/* The same, for integers that fit in `bits` (32 or 64) signed bits. */
uint64_t fp_round_int_n(enum fp_fmt fmt, uint64_t op, enum fp_rounding rounding, unsigned bits, uint32_t fpcr,
			uint32_t *fpsr);

/* The value that an 8-bit immediate stands for (VFPExpandImm). */
uint64_t fp_expand_imm(enum fp_fmt fmt, uint8_t imm8);

#endif
