/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/unit/fp_oracle.h. */
#include "config.h"

#include "tests/unit/fp_oracle.h"

#ifdef HAVE_MPFR

#include <mpfr.h>
#include <stdlib.h>

/* Holds every sum and product of doubles exactly. */
#define PRECISION 4400

static const struct {
	int fbits, ebits, min_exp, max_exp;
} formats[] = {
	[FP_H] = { 10, 5, -14, 15 },
	[FP_S] = { 23, 8, -126, 127 },
	[FP_D] = { 52, 11, -1022, 1023 },
	[FP_BF] = { 7, 8, -126, 127 },
};

static bool oracle_flushes(enum fp_fmt fmt, uint32_t fpcr)
{
	return fpcr & (fmt == FP_H ? FPCR_FZ16 : FPCR_FZ);
}

bool oracle_is_plain(enum fp_fmt fmt, uint64_t bits, uint32_t fpcr)
{
	int exp = (int)(bits >> formats[fmt].fbits) & ((1 << formats[fmt].ebits) - 1);
	uint64_t frac = bits & ((1ull << formats[fmt].fbits) - 1);

	if (exp == (1 << formats[fmt].ebits) - 1)
		return false;
	return exp != 0 || (frac != 0 && !oracle_flushes(fmt, fpcr));
}

static void set(mpfr_t x, enum fp_fmt fmt, uint64_t bits)
{
	int exp = (int)(bits >> formats[fmt].fbits) & ((1 << formats[fmt].ebits) - 1);
	uint64_t frac = bits & ((1ull << formats[fmt].fbits) - 1);

	if (exp)
		frac |= 1ull << formats[fmt].fbits;
	else
		exp = 1;
	mpfr_set_ui_2exp(x, frac, exp - 1 + formats[fmt].min_exp - formats[fmt].fbits, MPFR_RNDZ);
	if (bits >> (formats[fmt].fbits + formats[fmt].ebits) & 1)
		mpfr_neg(x, x, MPFR_RNDZ);
}

/* Rounds to an integer; returns whether that changed it. */
static bool to_integer(mpfr_t x, enum fp_rounding rounding)
{
	mpfr_t before;
	mpfr_init2(before, PRECISION);
	mpfr_set(before, x, MPFR_RNDZ);
	switch (rounding) {
	case FP_ROUND_TIEEVEN:
		mpfr_roundeven(x, x);
		break;
	case FP_ROUND_TIEAWAY:
		mpfr_round(x, x);
		break;
	case FP_ROUND_POSINF:
		mpfr_ceil(x, x);
		break;
	case FP_ROUND_NEGINF:
		mpfr_floor(x, x);
		break;
	case FP_ROUND_ZERO:
		mpfr_trunc(x, x);
		break;
	case FP_ROUND_ODD:
		mpfr_trunc(x, x);
		if (!mpfr_equal_p(x, before)) {
			mpfr_t half;
			mpfr_init2(half, PRECISION);
			mpfr_div_2ui(half, x, 1, MPFR_RNDZ);
			if (mpfr_integer_p(half)) {
				if (mpfr_sgn(before) < 0)
					mpfr_sub_ui(x, x, 1, MPFR_RNDZ);
				else
					mpfr_add_ui(x, x, 1, MPFR_RNDZ);
			}
			mpfr_clear(half);
		}
		break;
	}
	bool changed = !mpfr_equal_p(x, before);
	mpfr_clear(before);
	return changed;
}

/* Rounds x into a format. */
static uint64_t get(mpfr_t x, enum fp_fmt fmt, enum fp_rounding rounding, uint32_t fpcr, bool flush, uint32_t *fpsr)
{
	int fbits = formats[fmt].fbits;
	bool sign = mpfr_sgn(x) < 0;
	uint64_t sign_bits = (uint64_t)sign << (fbits + formats[fmt].ebits);
	uint64_t infinity = ((1ull << formats[fmt].ebits) - 1) << fbits;

	if (mpfr_zero_p(x))
		return fp_rounding_mode(fpcr) == FP_ROUND_NEGINF ? 1ull << (fbits + formats[fmt].ebits) : 0;
	int exp = (int)mpfr_get_exp(x) - 1;
	bool tiny = exp < formats[fmt].min_exp;
	if (tiny && flush) {
		*fpsr |= FPSR_UFC;
		return sign_bits;
	}
	int quantum = (tiny ? formats[fmt].min_exp : exp) - fbits;
	mpfr_mul_2si(x, x, -quantum, MPFR_RNDZ);
	bool inexact = to_integer(x, rounding);
	if (inexact)
		*fpsr |= FPSR_IXC | (tiny ? FPSR_UFC : 0);
	mpfr_abs(x, x, MPFR_RNDZ);
	uint64_t units = mpfr_get_ui(x, MPFR_RNDZ);
	if (units == 2ull << fbits) {
		units >>= 1;
		quantum++;
	}
	if (quantum + fbits > formats[fmt].max_exp) {
		*fpsr |= FPSR_IXC | FPSR_OFC;
		bool inf = rounding == FP_ROUND_TIEEVEN || rounding == (sign ? FP_ROUND_NEGINF : FP_ROUND_POSINF);
		return sign_bits | (inf ? infinity : infinity - 1);
	}
	/* The implicit bit, if there, makes the exponent one greater. */
	return sign_bits + ((uint64_t)(quantum + fbits - formats[fmt].min_exp) << fbits) + units;
}

uint64_t oracle_compute(enum oracle_op op, enum fp_fmt fmt, const uint64_t ops[3], uint32_t fpcr, uint32_t *fpsr)
{
	mpfr_t x[3];

	for (int i = 0; i < 3; i++) {
		mpfr_init2(x[i], PRECISION);
		set(x[i], fmt, ops[i]);
	}
	switch (op) {
	case ORACLE_ADD:
		mpfr_add(x[0], x[0], x[1], MPFR_RNDZ);
		break;
	case ORACLE_SUB:
		mpfr_sub(x[0], x[0], x[1], MPFR_RNDZ);
		break;
	case ORACLE_MUL:
		mpfr_mul(x[0], x[0], x[1], MPFR_RNDZ);
		break;
	case ORACLE_DIV:
		mpfr_div(x[0], x[0], x[1], MPFR_RNDZ);
		break;
	case ORACLE_SQRT:
		mpfr_sqrt(x[0], x[0], MPFR_RNDZ);
		break;
	case ORACLE_MULADD:
		mpfr_mul(x[1], x[1], x[2], MPFR_RNDZ);
		mpfr_add(x[0], x[0], x[1], MPFR_RNDZ);
		break;
	case ORACLE_RECIP_STEP:
		mpfr_mul(x[0], x[0], x[1], MPFR_RNDZ);
		mpfr_ui_sub(x[0], 2, x[0], MPFR_RNDZ);
		break;
	case ORACLE_RSQRT_STEP:
		mpfr_mul(x[0], x[0], x[1], MPFR_RNDZ);
		mpfr_ui_sub(x[0], 3, x[0], MPFR_RNDZ);
		mpfr_div_2ui(x[0], x[0], 1, MPFR_RNDZ);
		break;
	case ORACLE_OP_COUNT:
		abort();
	}
	uint64_t result = get(x[0], fmt, fp_rounding_mode(fpcr), fpcr, oracle_flushes(fmt, fpcr), fpsr);
	for (int i = 0; i < 3; i++)
		mpfr_clear(x[i]);
	return result;
}

uint64_t oracle_convert(enum fp_fmt to, enum fp_fmt from, uint64_t op, enum fp_rounding rounding, uint32_t fpcr,
			uint32_t *fpsr)
{
	mpfr_t x;

	mpfr_init2(x, PRECISION);
	set(x, from, op);
	uint64_t result = get(x, to, rounding, fpcr, to != FP_H && fpcr & FPCR_FZ, fpsr);
	mpfr_clear(x);
	return result;
}

uint64_t oracle_to_fixed(enum fp_fmt fmt, uint64_t op, unsigned bits, unsigned fbits, bool is_unsigned,
			 enum fp_rounding rounding, uint32_t *fpsr)
{
	uint64_t ones = bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
	mpfr_t x, limit;

	mpfr_init2(x, PRECISION);
	mpfr_init2(limit, PRECISION);
	set(x, fmt, op);
	mpfr_mul_2ui(x, x, fbits, MPFR_RNDZ);
	bool inexact = to_integer(x, rounding);
	bool sign = mpfr_sgn(x) < 0;
	uint64_t extreme = is_unsigned ? (sign ? 0 : ones) : (ones >> 1) + sign;
	mpfr_set_ui(limit, extreme, MPFR_RNDZ);
	uint64_t result;
	if (mpfr_cmpabs(x, limit) > 0) {
		*fpsr |= FPSR_IOC;
		result = sign ? -extreme : extreme;
	} else {
		if (inexact)
			*fpsr |= FPSR_IXC;
		mpfr_abs(limit, x, MPFR_RNDZ);
		result = mpfr_get_ui(limit, MPFR_RNDZ);
		result = sign ? -result : result;
	}
	mpfr_clear(x);
	mpfr_clear(limit);
	return result & ones;
}

uint64_t oracle_from_fixed(enum fp_fmt fmt, uint64_t op, unsigned bits, unsigned fbits, bool is_unsigned,
			   uint32_t fpcr, uint32_t *fpsr)
{
	mpfr_t x;

	mpfr_init2(x, PRECISION);
	if (is_unsigned)
		mpfr_set_ui(x, bits == 64 ? op : op & ((1ull << bits) - 1), MPFR_RNDZ);
	else
		mpfr_set_si(x, (int64_t)(op << (64 - bits)) >> (64 - bits), MPFR_RNDZ);
	mpfr_div_2ui(x, x, fbits, MPFR_RNDZ);
	/* Zero is +0, whatever the rounding. */
	uint64_t result = mpfr_zero_p(x) ? 0 : get(x, fmt, fp_rounding_mode(fpcr), fpcr, oracle_flushes(fmt, fpcr),
						   fpsr);
	mpfr_clear(x);
	return result;
}

uint64_t oracle_round_int(enum fp_fmt fmt, uint64_t op, enum fp_rounding rounding, bool exact, uint32_t *fpsr)
{
	uint32_t unused = 0;
	mpfr_t x;

	mpfr_init2(x, PRECISION);
	set(x, fmt, op);
	bool sign = mpfr_sgn(x) < 0;
	bool inexact = to_integer(x, rounding);
	if (inexact && exact)
		*fpsr |= FPSR_IXC;
	uint64_t result = mpfr_zero_p(x) ? (sign ? fp_sign_bit(fmt) : 0)
					 : get(x, fmt, FP_ROUND_ZERO, 0, false, &unused);
	mpfr_clear(x);
	return result;
}

#endif
