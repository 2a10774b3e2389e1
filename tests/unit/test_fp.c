/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating point (emu/fp_priv.h): what the Arm ARM says about special values,
 * case by case, and finite values against GNU MPFR where it is there.
 */
#include "config.h"

#include "tests/unit/fp_oracle.h"
#include "tests/unit/random.h"
#include "tests/unit/suite.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- Special values ---- */

enum op_kind { OP_ADD, OP_SUB, OP_MUL, OP_MULX, OP_DIV, OP_MAX, OP_MIN, OP_MAXNUM, OP_MINNUM, OP_RECPS, OP_RSQRTS };

typedef uint64_t binary_fn(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);

static binary_fn *const binary_fns[] = {
	[OP_ADD] = fp_add, [OP_SUB] = fp_sub, [OP_MUL] = fp_mul, [OP_MULX] = fp_mulx, [OP_DIV] = fp_div,
	[OP_MAX] = fp_max, [OP_MIN] = fp_min, [OP_MAXNUM] = fp_maxnum, [OP_MINNUM] = fp_minnum,
	[OP_RECPS] = fp_recip_step_fused, [OP_RSQRTS] = fp_rsqrt_step_fused,
};

#define RM FPCR_RMODE(FP_ROUND_NEGINF)
#define FPCR_RMODE(mode) ((uint32_t)(mode) << FPCR_RMODE_SHIFT)

#define ZERO 0x00000000u
#define NZERO 0x80000000u
#define ONE 0x3f800000u
#define NONE 0xbf800000u
#define TWO 0x40000000u
#define INF 0x7f800000u
#define NINF 0xff800000u
#define QNAN1 0x7fc12345u
#define QNAN2 0xffc54321u
#define SNAN1 0x7f812345u
#define SNAN2 0xff854321u
#define DNAN 0x7fc00000u
#define DENORM 0x00000001u
#define NDENORM 0x807fffffu
#define MAXNORM 0x7f7fffffu

static const struct {
	enum op_kind op;
	uint32_t op1, op2, fpcr, result, fpsr;
} binary_cases[] = {
	/* NaNs: signalling before quiet, first before second. */
	{ OP_ADD, QNAN1, QNAN2, 0, QNAN1, 0 },
	{ OP_ADD, ONE, QNAN2, 0, QNAN2, 0 },
	{ OP_ADD, QNAN1, SNAN2, 0, SNAN2 | 0x400000, FPSR_IOC },
	{ OP_ADD, SNAN1, SNAN2, 0, SNAN1 | 0x400000, FPSR_IOC },
	{ OP_MUL, QNAN1, SNAN2, FPCR_DN, DNAN, FPSR_IOC },
	{ OP_MUL, ONE, QNAN2, FPCR_DN, DNAN, 0 },
	{ OP_SUB, ONE, QNAN2, 0, QNAN2, 0 },
	{ OP_RECPS, QNAN1, ONE, 0, QNAN1 ^ NZERO, 0 }, /* the first operand is negated */
	{ OP_RSQRTS, ONE, QNAN1, 0, QNAN1, 0 },
	/* A NaN does not hide that the other operand was flushed. */
	{ OP_ADD, QNAN1, DENORM, FPCR_FZ, QNAN1, FPSR_IDC },
	/* Invalid operations. */
	{ OP_ADD, INF, NINF, 0, DNAN, FPSR_IOC },
	{ OP_SUB, INF, INF, 0, DNAN, FPSR_IOC },
	{ OP_MUL, INF, NZERO, 0, DNAN, FPSR_IOC },
	{ OP_MUL, INF, DENORM, FPCR_FZ, DNAN, FPSR_IOC | FPSR_IDC },
	{ OP_MULX, INF, NZERO, 0, TWO | NZERO, 0 },
	{ OP_DIV, INF, NINF, 0, DNAN, FPSR_IOC },
	{ OP_DIV, NZERO, ZERO, 0, DNAN, FPSR_IOC },
	{ OP_RECPS, INF, ZERO, 0, TWO, 0 },
	{ OP_RSQRTS, ZERO, NINF, 0, 0x3fc00000, 0 },
	/* Infinities. */
	{ OP_ADD, INF, ONE, 0, INF, 0 },
	{ OP_SUB, ONE, INF, 0, NINF, 0 },
	{ OP_DIV, ONE, NINF, 0, NZERO, 0 },
	{ OP_DIV, NONE, ZERO, 0, NINF, FPSR_DZC },
	{ OP_DIV, INF, NZERO, 0, NINF, 0 },
	{ OP_RECPS, INF, ONE, 0, NINF, 0 },
	/* Signs of zeros. */
	{ OP_ADD, ZERO, NZERO, 0, ZERO, 0 },
	{ OP_ADD, ZERO, NZERO, RM, NZERO, 0 },
	{ OP_ADD, NZERO, NZERO, 0, NZERO, 0 },
	{ OP_ADD, ONE, NONE, 0, ZERO, 0 },
	{ OP_ADD, ONE, NONE, RM, NZERO, 0 },
	{ OP_SUB, ZERO, ZERO, 0, ZERO, 0 },
	{ OP_SUB, NZERO, ZERO, 0, NZERO, 0 },
	{ OP_MUL, NZERO, ONE, 0, NZERO, 0 },
	{ OP_RECPS, ONE, TWO, RM, NZERO, 0 },
	/* Flushing. */
	{ OP_ADD, DENORM, DENORM, FPCR_FZ, ZERO, FPSR_IDC },
	{ OP_ADD, DENORM, DENORM, 0, 2, 0 },
	{ OP_MUL, 0x00800000, 0xbf000000, FPCR_FZ, NZERO, FPSR_UFC },
	{ OP_MUL, 0x00800000, 0xbf000000, 0, 0x80400000, 0 },
	{ OP_MUL, 0x00800001, 0x3f7fffff, 0, 0x00800000, FPSR_IXC },
	{ OP_MUL, 0x00800001, 0x3f7ffffe, 0, 0x00800000, FPSR_IXC | FPSR_UFC }, /* tiny before rounding */
	{ OP_MUL, 0x00800001, 0x3f7ffffe, FPCR_FZ, ZERO, FPSR_UFC },
	{ OP_MUL, MAXNORM, TWO, 0, INF, FPSR_OFC | FPSR_IXC },
	{ OP_MUL, MAXNORM, TWO, RM, MAXNORM, FPSR_OFC | FPSR_IXC },
	/* Maximum and minimum. */
	{ OP_MAX, ZERO, NZERO, 0, ZERO, 0 },
	{ OP_MAX, NZERO, NZERO, 0, NZERO, 0 },
	{ OP_MIN, ZERO, NZERO, 0, NZERO, 0 },
	{ OP_MAX, NDENORM, NONE, FPCR_FZ, NZERO, FPSR_IDC },
	{ OP_MIN, NDENORM, ONE, 0, NDENORM, 0 },
	{ OP_MAX, NINF, NONE, 0, NONE, 0 },
	{ OP_MIN, NINF, NONE, 0, NINF, 0 },
	{ OP_MAX, QNAN1, ONE, 0, QNAN1, 0 },
	{ OP_MAXNUM, QNAN1, ONE, 0, ONE, 0 },
	{ OP_MAXNUM, NINF, QNAN1, 0, NINF, 0 },
	{ OP_MINNUM, QNAN1, INF, 0, INF, 0 },
	{ OP_MINNUM, QNAN1, QNAN2, 0, QNAN1, 0 },
	{ OP_MAXNUM, QNAN1, SNAN2, 0, SNAN2 | 0x400000, FPSR_IOC },
	{ OP_MAXNUM, SNAN1, ONE, 0, SNAN1 | 0x400000, FPSR_IOC },
};

START_TEST(binary_specials)
{
	uint32_t fpsr = 0;
	uint64_t result = binary_fns[binary_cases[_i].op](FP_S, binary_cases[_i].op1, binary_cases[_i].op2,
							  binary_cases[_i].fpcr, &fpsr);
	ck_assert_msg(result == binary_cases[_i].result && fpsr == binary_cases[_i].fpsr,
		      "case %d: got %08" PRIx64 " flags %02x, want %08x flags %02x", _i, result, fpsr,
		      binary_cases[_i].result, binary_cases[_i].fpsr);
}
END_TEST

static const struct {
	uint32_t addend, op1, op2, fpcr, result, fpsr;
} muladd_cases[] = {
	{ QNAN1, INF, ZERO, 0, DNAN, FPSR_IOC },
	{ SNAN1, INF, ZERO, 0, SNAN1 | 0x400000, FPSR_IOC },
	{ QNAN1, SNAN2, ZERO, 0, SNAN2 | 0x400000, FPSR_IOC },
	{ QNAN1, QNAN2, ZERO, 0, QNAN1, 0 },
	{ ONE, QNAN2, QNAN1, 0, QNAN2, 0 },
	{ NINF, INF, ONE, 0, DNAN, FPSR_IOC },
	{ NINF, INF, NONE, 0, NINF, 0 },
	{ ONE, INF, ZERO, 0, DNAN, FPSR_IOC },
	{ INF, MAXNORM, MAXNORM, 0, INF, 0 },
	{ NZERO, ZERO, NONE, 0, NZERO, 0 },
	{ ZERO, ZERO, NONE, 0, ZERO, 0 },
	{ ZERO, ZERO, NONE, RM, NZERO, 0 },
	{ NONE, ONE, ONE, RM, NZERO, 0 },
	{ DENORM, ONE, ONE, FPCR_FZ, ONE, FPSR_IDC },
	{ ZERO, MAXNORM, TWO, 0, INF, FPSR_OFC | FPSR_IXC },
};

START_TEST(muladd_specials)
{
	uint32_t fpsr = 0;
	uint64_t result = fp_muladd(FP_S, muladd_cases[_i].addend, muladd_cases[_i].op1, muladd_cases[_i].op2,
				    muladd_cases[_i].fpcr, &fpsr);
	ck_assert_msg(result == muladd_cases[_i].result && fpsr == muladd_cases[_i].fpsr,
		      "case %d: got %08" PRIx64 " flags %02x", _i, result, fpsr);
}
END_TEST

static const struct {
	enum fp_fmt to, from;
	uint64_t op;
	uint32_t fpcr;
	uint64_t result;
	uint32_t fpsr;
} convert_cases[] = {
	{ FP_D, FP_S, SNAN1, 0, 0x7ff82468a0000000, FPSR_IOC },
	{ FP_S, FP_D, 0xfff0000000000001, 0, 0xffc00000, FPSR_IOC },
	{ FP_H, FP_S, QNAN2, 0, 0xfe2a, 0 },
	{ FP_H, FP_S, QNAN2, FPCR_DN, 0x7e00, 0 },
	{ FP_BF, FP_S, SNAN2, 0, 0xffc5, FPSR_IOC },
	{ FP_BF, FP_S, 0x3f808000, 0, 0x3f80, FPSR_IXC },
	{ FP_BF, FP_S, 0x3f818000, 0, 0x3f82, FPSR_IXC },
	{ FP_BF, FP_S, DENORM, FPCR_FZ, 0, FPSR_IDC },
	/* The alternative half-precision format. */
	{ FP_H, FP_S, QNAN2, FPCR_AHP, 0x8000, FPSR_IOC },
	{ FP_H, FP_S, NINF, FPCR_AHP, 0xffff, FPSR_IOC },
	{ FP_H, FP_S, 0x47800000, FPCR_AHP, 0x7c00, 0 },
	{ FP_H, FP_S, 0x48000000, FPCR_AHP, 0x7fff, FPSR_IOC },
	{ FP_H, FP_S, 0x47800000, 0, 0x7c00, FPSR_OFC | FPSR_IXC },
	{ FP_S, FP_H, 0x7fff, FPCR_AHP, 0x47ffe000, 0 },
	{ FP_S, FP_H, 0x7c00, 0, INF, 0 },
	/* Half-precision denormals are not flushed, others are. */
	{ FP_S, FP_H, 0x0001, FPCR_FZ16 | FPCR_FZ, 0x33800000, 0 },
	{ FP_H, FP_S, 0x33800000, FPCR_FZ16 | FPCR_FZ, 0x0001, 0 },
	{ FP_D, FP_S, DENORM, FPCR_FZ, 0, FPSR_IDC },
	{ FP_S, FP_D, 0x36a0000000000000, FPCR_FZ, 0, FPSR_UFC },
	{ FP_S, FP_D, 0x36a0000000000000, 0, DENORM, 0 },
};

START_TEST(convert_specials)
{
	uint32_t fpsr = 0;
	uint64_t result = fp_convert(convert_cases[_i].to, convert_cases[_i].from, convert_cases[_i].op,
				     FP_ROUND_TIEEVEN, convert_cases[_i].fpcr, &fpsr);
	ck_assert_msg(result == convert_cases[_i].result && fpsr == convert_cases[_i].fpsr,
		      "case %d: got %" PRIx64 " flags %02x", _i, result, fpsr);
}
END_TEST

static const struct {
	uint64_t op;
	uint32_t fpcr, result;
	bool z;
	uint32_t fpsr;
} js_cases[] = {
	{ 0x0000000000000000, 0, 0, true, 0 },
	{ 0x8000000000000000, 0, 0, false, 0 },
	{ 0x3ff0000000000000, 0, 1, true, 0 },
	{ 0xbff8000000000000, 0, 0xffffffff, false, FPSR_IXC },
	{ 0x41dfffffffc00000, 0, 0x7fffffff, true, 0 },
	{ 0x41e0000000000000, 0, 0x80000000, false, FPSR_IOC },
	{ 0xc1e0000000000000, 0, 0x80000000, true, 0 },
	{ 0x41f0000000100000, 0, 0x00000001, false, FPSR_IOC },
	{ 0xc1f0000000100000, 0, 0xffffffff, false, FPSR_IOC },
	{ 0x43f0000000000001, 0, 0x00001000, false, FPSR_IOC },
	{ 0x4640000000000000, 0, 0, false, FPSR_IOC },
	{ 0x7ff0000000000000, 0, 0, false, FPSR_IOC },
	{ 0x7ff8000000000000, 0, 0, false, FPSR_IOC },
	{ 0x0000000000000001, 0, 0, false, FPSR_IXC },
	{ 0x0000000000000001, FPCR_FZ, 0, false, FPSR_IDC },
};

START_TEST(js)
{
	uint32_t fpsr = 0;
	bool z;
	uint32_t result = fp_to_fixed_js(js_cases[_i].op, &z, js_cases[_i].fpcr, &fpsr);
	ck_assert_msg(result == js_cases[_i].result && z == js_cases[_i].z && fpsr == js_cases[_i].fpsr,
		      "case %d: got %08x z %d flags %02x", _i, result, z, fpsr);
}
END_TEST

START_TEST(comparison)
{
	static const uint32_t vals[] = { NINF, NONE, NDENORM, NZERO, ZERO, DENORM, ONE, TWO, INF };
	static const int rank[] = { 0, 1, 2, 3, 3, 4, 5, 6, 7 };
	uint32_t fpsr = 0;

	for (int i = 0; i < 9; i++) {
		for (int j = 0; j < 9; j++) {
			uint32_t nzcv = rank[i] == rank[j] ? 6u : rank[i] < rank[j] ? 8u : 2u;
			ck_assert_uint_eq(fp_compare(FP_S, vals[i], vals[j], true, 0, &fpsr), nzcv << 28);
			ck_assert_uint_eq(fp_compare_eq(FP_S, vals[i], vals[j], 0, &fpsr), rank[i] == rank[j]);
			ck_assert_uint_eq(fp_compare_ge(FP_S, vals[i], vals[j], 0, &fpsr), rank[i] >= rank[j]);
			ck_assert_uint_eq(fp_compare_gt(FP_S, vals[i], vals[j], 0, &fpsr), rank[i] > rank[j]);
		}
	}
	ck_assert_uint_eq(fpsr, 0);
	ck_assert_uint_eq(fp_compare(FP_S, QNAN1, ONE, false, 0, &fpsr), 3u << 28);
	ck_assert(!fp_compare_eq(FP_S, QNAN1, QNAN1, 0, &fpsr));
	ck_assert_uint_eq(fpsr, 0);
	ck_assert_uint_eq(fp_compare(FP_S, ONE, QNAN1, true, 0, &fpsr), 3u << 28);
	ck_assert_uint_eq(fpsr, FPSR_IOC);
	fpsr = 0;
	ck_assert(!fp_compare_ge(FP_S, QNAN1, ONE, 0, &fpsr));
	ck_assert_uint_eq(fpsr, FPSR_IOC);
}
END_TEST

START_TEST(estimates)
{
	uint32_t fpsr = 0;

	/* An estimate is within 1/256 of the reciprocal, and the denormal ends are right. */
	ck_assert_uint_eq(fp_recip_estimate(FP_S, ONE, 0, &fpsr), 0x3f7f8000);
	ck_assert_uint_eq(fp_recip_estimate(FP_S, 0x7e800000, 0, &fpsr), 0x007fc000);
	ck_assert_uint_eq(fp_recip_estimate(FP_S, 0x7f000000, 0, &fpsr), 0x003fe000);
	ck_assert_uint_eq(fp_rsqrt_estimate(FP_S, ONE, 0, &fpsr), 0x3f7f8000);
	ck_assert_uint_eq(fp_rsqrt_estimate(FP_S, 0x40800000, 0, &fpsr), 0x3eff8000);
	ck_assert_uint_eq(fpsr, 0);
	ck_assert_uint_eq(fp_recip_estimate(FP_S, NZERO, 0, &fpsr), NINF);
	ck_assert_uint_eq(fpsr, FPSR_DZC);
	fpsr = 0;
	ck_assert_uint_eq(fp_recip_estimate(FP_S, 0x001fffff, 0, &fpsr), INF);
	ck_assert_uint_eq(fpsr, FPSR_OFC | FPSR_IXC);
	fpsr = 0;
	ck_assert_uint_eq(fp_recip_estimate(FP_S, 0x7e800000, FPCR_FZ, &fpsr), ZERO);
	ck_assert_uint_eq(fpsr, FPSR_UFC);
	fpsr = 0;
	ck_assert_uint_eq(fp_rsqrt_estimate(FP_S, NONE, 0, &fpsr), DNAN);
	ck_assert_uint_eq(fpsr, FPSR_IOC);
	ck_assert_uint_eq(fp_recpx(FP_S, ONE, 0, &fpsr), 0x40000000);
	ck_assert_uint_eq(fp_recpx(FP_S, NDENORM, 0, &fpsr), 0xff000000);
	ck_assert_uint_eq(fp_unsigned_recip_estimate(0x80000000), 0xff800000);
	ck_assert_uint_eq(fp_unsigned_recip_estimate(0x7fffffff), 0xffffffff);
	ck_assert_uint_eq(fp_unsigned_rsqrt_estimate(0x40000000), 0xff800000);
	ck_assert_uint_eq(fp_unsigned_rsqrt_estimate(0x3fffffff), 0xffffffff);
}
END_TEST

START_TEST(immediates)
{
	ck_assert_uint_eq(fp_expand_imm(FP_S, 0x70), ONE);
	ck_assert_uint_eq(fp_expand_imm(FP_S, 0x80), 0xc0000000);
	ck_assert_uint_eq(fp_expand_imm(FP_D, 0x70), 0x3ff0000000000000);
	ck_assert_uint_eq(fp_expand_imm(FP_D, 0x3f), 0x403f000000000000);
	ck_assert_uint_eq(fp_expand_imm(FP_H, 0xf0), 0xbc00);
}
END_TEST

START_TEST(round_int_n)
{
	uint32_t fpsr = 0;

	ck_assert_uint_eq(fp_round_int_n(FP_D, 0x41dfffffffe00000, FP_ROUND_ZERO, 32, 0, &fpsr), 0x41dfffffffc00000);
	ck_assert_uint_eq(fpsr, FPSR_IXC);
	fpsr = 0;
	ck_assert_uint_eq(fp_round_int_n(FP_D, 0x41dfffffffe00000, FP_ROUND_TIEEVEN, 32, 0, &fpsr),
			  0xc1e0000000000000);
	ck_assert_uint_eq(fpsr, FPSR_IOC);
	fpsr = 0;
	ck_assert_uint_eq(fp_round_int_n(FP_S, QNAN1, FP_ROUND_ZERO, 64, 0, &fpsr), 0xdf000000);
	ck_assert_uint_eq(fpsr, FPSR_IOC);
	fpsr = 0;
	ck_assert_uint_eq(fp_round_int_n(FP_S, 0xbe800000, FP_ROUND_TIEEVEN, 32, 0, &fpsr), NZERO);
	ck_assert_uint_eq(fpsr, FPSR_IXC);
}
END_TEST

/* ---- Against the oracle ---- */

#ifdef HAVE_MPFR

static const unsigned widths[] = { [FP_H] = 16, [FP_S] = 32, [FP_D] = 64, [FP_BF] = 16 };
static const unsigned fbits_of[] = { [FP_H] = 10, [FP_S] = 23, [FP_D] = 52, [FP_BF] = 7 };

/* A number that is likely to be at some edge: near a power of two, with few
 * bits set, with an exponent near zero, the ends or 0. */
static uint64_t rng_number(enum fp_fmt fmt, uint32_t fpcr)
{
	uint64_t bits, frac_mask = (1ull << fbits_of[fmt]) - 1;
	uint64_t one = fp_expand_imm(fmt, 0x70);

	do {
		uint64_t r = random64();
		bits = random64();
		if (r & 1)
			bits &= ~frac_mask | (random64() & random64() & random64());
		else if (r & 2)
			bits |= frac_mask & (random64() | random64() | random64());
		unsigned where = r >> 2 & 7;
		if (where < 3) /* near 1 */
			bits = (bits & (frac_mask | fp_sign_bit(fmt))) | (one + ((r >> 8 & 15) << fbits_of[fmt]));
		else if (where < 4) /* small */
			bits &= frac_mask | fp_sign_bit(fmt) | 7ull << fbits_of[fmt];
		bits &= widths[fmt] == 64 ? UINT64_MAX : (1ull << widths[fmt]) - 1;
	} while (!oracle_is_plain(fmt, bits, fpcr));
	return bits;
}

static uint32_t rng_fpcr(void)
{
	return (uint32_t)random64() & (FPCR_RMODE(3) | FPCR_FZ | FPCR_FZ16 | FPCR_DN);
}

static uint64_t compute(enum oracle_op op, enum fp_fmt fmt, const uint64_t ops[3], uint32_t fpcr, uint32_t *fpsr)
{
	switch (op) {
	case ORACLE_ADD:
		return fp_add(fmt, ops[0], ops[1], fpcr, fpsr);
	case ORACLE_SUB:
		return fp_sub(fmt, ops[0], ops[1], fpcr, fpsr);
	case ORACLE_MUL:
		return fp_mul(fmt, ops[0], ops[1], fpcr, fpsr);
	case ORACLE_DIV:
		return fp_div(fmt, ops[0], ops[1], fpcr, fpsr);
	case ORACLE_SQRT:
		return fp_sqrt(fmt, ops[0], fpcr, fpsr);
	case ORACLE_MULADD:
		return fp_muladd(fmt, ops[0], ops[1], ops[2], fpcr, fpsr);
	case ORACLE_RECIP_STEP:
		return fp_recip_step_fused(fmt, ops[0], ops[1], fpcr, fpsr);
	case ORACLE_RSQRT_STEP:
		return fp_rsqrt_step_fused(fmt, ops[0], ops[1], fpcr, fpsr);
	case ORACLE_OP_COUNT:
		break;
	}
	abort();
}

START_TEST(arithmetic_oracle)
{
	enum oracle_op op = (enum oracle_op)_i;

	rng = (uint64_t)_i;
	for (unsigned n = 0; n < 60000; n++) {
		enum fp_fmt fmt = (enum fp_fmt)(n % 3);
		uint32_t fpcr = rng_fpcr(), fpsr = 0, want_fpsr = 0;
		uint64_t ops[3];
		for (int i = 0; i < 3; i++)
			ops[i] = rng_number(fmt, fpcr);
		if (op == ORACLE_SQRT)
			ops[0] = fp_abs(fmt, ops[0]);
		if (op == ORACLE_MULADD && random64() & 1) {
			/* Make the product and the addend nearly cancel. */
			uint32_t unused = 0;
			uint64_t near = fp_mul(fmt, ops[1], ops[2], fpcr, &unused);
			near = fp_neg(fmt, near) ^ (random64() & 1);
			if (oracle_is_plain(fmt, near, fpcr))
				ops[0] = near;
		}
		uint64_t want = oracle_compute(op, fmt, ops, fpcr, &want_fpsr);
		uint64_t got = compute(op, fmt, ops, fpcr, &fpsr);
		ck_assert_msg(got == want && fpsr == want_fpsr,
			      "op %d format %d: %" PRIx64 " %" PRIx64 " %" PRIx64 " fpcr %08x: got %" PRIx64
			      " flags %02x, want %" PRIx64 " flags %02x",
			      (int)op, (int)fmt, ops[0], ops[1], ops[2], fpcr, got, fpsr, want, want_fpsr);
	}
}
END_TEST

START_TEST(convert_oracle)
{
	rng = 100;
	for (unsigned n = 0; n < 100000; n++) {
		enum fp_fmt from = (enum fp_fmt)(random64() % 3), to;
		do
			to = (enum fp_fmt)(random64() % 4);
		while (to == from);
		uint32_t fpcr = rng_fpcr(), fpsr = 0, want_fpsr = 0;
		enum fp_rounding rounding = random64() & 3 ? fp_rounding_mode(fpcr) : FP_ROUND_ODD;
		/* Conversions never flush half precision. */
		uint64_t op = rng_number(from, fpcr & ~FPCR_FZ16);
		uint64_t want = oracle_convert(to, from, op, rounding, fpcr, &want_fpsr);
		uint64_t got = fp_convert(to, from, op, rounding, fpcr, &fpsr);
		ck_assert_msg(got == want && fpsr == want_fpsr,
			      "%d to %d: %" PRIx64 " fpcr %08x: got %" PRIx64 " flags %02x, want %" PRIx64 " flags %02x",
			      (int)from, (int)to, op, fpcr, got, fpsr, want, want_fpsr);
	}
}
END_TEST

START_TEST(fixed_oracle)
{
	rng = 200;
	for (unsigned n = 0; n < 100000; n++) {
		enum fp_fmt fmt = (enum fp_fmt)(n % 3);
		uint32_t fpcr = rng_fpcr(), fpsr = 0, want_fpsr = 0;
		unsigned bits = 16u << random64() % 3, fbits = random64() & 1 ? 0 : (unsigned)(random64() % (bits + 1));
		bool is_unsigned = random64() & 1;
		enum fp_rounding rounding = (enum fp_rounding)(random64() % 5);
		uint64_t op = rng_number(fmt, fpcr);
		uint64_t want = oracle_to_fixed(fmt, op, bits, fbits, is_unsigned, rounding, &want_fpsr);
		uint64_t got = fp_to_fixed(fmt, op, bits, fbits, is_unsigned, rounding, fpcr, &fpsr);
		ck_assert_msg(got == want && fpsr == want_fpsr,
			      "format %d to %u.%u: %" PRIx64 " round %d: got %" PRIx64 " flags %02x, want %" PRIx64
			      " flags %02x",
			      (int)fmt, bits, fbits, op, (int)rounding, got, fpsr, want, want_fpsr);

		op = random64() >> random64() % 64;
		if (random64() & 1)
			op = -op;
		fpsr = want_fpsr = 0;
		want = oracle_from_fixed(fmt, op, bits, fbits, is_unsigned, fpcr, &want_fpsr);
		got = fp_from_fixed(fmt, op, bits, fbits, is_unsigned, fpcr, &fpsr);
		ck_assert_msg(got == want && fpsr == want_fpsr,
			      "format %d from %u.%u: %" PRIx64 " fpcr %08x: got %" PRIx64 " flags %02x, want %" PRIx64
			      " flags %02x",
			      (int)fmt, bits, fbits, op, fpcr, got, fpsr, want, want_fpsr);
	}
}
END_TEST

START_TEST(round_int_oracle)
{
	rng = 300;
	for (unsigned n = 0; n < 100000; n++) {
		enum fp_fmt fmt = (enum fp_fmt)(n % 3);
		uint32_t fpcr = rng_fpcr(), fpsr = 0, want_fpsr = 0;
		enum fp_rounding rounding = (enum fp_rounding)(random64() % 5);
		bool exact = random64() & 1;
		uint64_t op = rng_number(fmt, fpcr);
		uint64_t want = oracle_round_int(fmt, op, rounding, exact, &want_fpsr);
		uint64_t got = fp_round_int(fmt, op, rounding, exact, fpcr, &fpsr);
		ck_assert_msg(got == want && fpsr == want_fpsr,
			      "format %d: %" PRIx64 " round %d: got %" PRIx64 " flags %02x, want %" PRIx64 " flags %02x",
			      (int)fmt, op, (int)rounding, got, fpsr, want, want_fpsr);
	}
}
END_TEST

#endif

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
	Suite *suite = suite_create("fp");
	TCase *specials = tcase_create("specials");
	tcase_add_loop_test(specials, binary_specials, 0, COUNT(binary_cases));
	tcase_add_loop_test(specials, muladd_specials, 0, COUNT(muladd_cases));
	tcase_add_loop_test(specials, convert_specials, 0, COUNT(convert_cases));
	tcase_add_loop_test(specials, js, 0, COUNT(js_cases));
	tcase_add_test(specials, comparison);
	tcase_add_test(specials, estimates);
	tcase_add_test(specials, immediates);
	tcase_add_test(specials, round_int_n);
	tcase_set_timeout(specials, 60);
	suite_add_tcase(suite, specials);
#ifdef HAVE_MPFR
	TCase *oracle = tcase_create("oracle");
	tcase_add_loop_test(oracle, arithmetic_oracle, 0, ORACLE_OP_COUNT);
	tcase_add_test(oracle, convert_oracle);
	tcase_add_test(oracle, fixed_oracle);
	tcase_add_test(oracle, round_int_oracle);
	tcase_set_timeout(oracle, 600);
	suite_add_tcase(suite, oracle);
#endif
	return suite_run(suite, CK_FORK_GETENV);
}
