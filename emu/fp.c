/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating point: rounding, NaNs and arithmetic. See emu/fp_priv.h.
 *
 * Functions follow their namesakes in the Arm ARM's pseudocode, in this order:
 * unpack the operands (which flushes denormals), NaNs, invalid combinations,
 * infinities, zeros, and last the finite case, which is computed exactly or
 * jammed (emu/fp_unpacked_priv.h) and rounded once.
 */
#include "emu/fp_priv.h"
#include "emu/fp_unpacked_priv.h"

#include <assert.h>

const struct fp_format fp_formats[FP_FMT_COUNT] = {
	[FP_H] = { .fbits = 10, .ebits = 5, .min_exp = -14, .flush = FPCR_FZ16, .input_flag = 0, .has_ahp = true },
	[FP_S] = { .fbits = 23, .ebits = 8, .min_exp = -126, .flush = FPCR_FZ, .input_flag = FPSR_IDC },
	[FP_D] = { .fbits = 52, .ebits = 11, .min_exp = -1022, .flush = FPCR_FZ, .input_flag = FPSR_IDC },
	[FP_BF] = { .fbits = 7, .ebits = 8, .min_exp = -126, .flush = FPCR_FZ, .input_flag = FPSR_IDC },
};

/* ---- Rounding ---- */

uint64_t fp_round_base(const struct fp_format *f, bool sign, int exp, uint64_t sig, enum fp_rounding rounding,
		       uint32_t fpcr, uint32_t *fpsr)
{
	assert(sig >> 63);
	if (exp < f->min_exp && fpcr & f->flush) {
		*fpsr |= FPSR_UFC; /* and not Inexact */
		return fp_zero(f, sign);
	}

	/* A biased exponent of 0: denormal, that is, without the implicit bit. */
	int biased = exp - f->min_exp + 1;
	if (biased <= 0) {
		sig = fp_shr_jam(sig, (unsigned)(1 - biased));
		biased = 0;
	}
	unsigned drop = 63u - f->fbits;
	uint64_t mant = sig >> drop;
	uint64_t error = sig & ((1ull << drop) - 1);
	uint64_t half = 1ull << (drop - 1);

	/* Tininess is detected before rounding. */
	if (biased == 0 && error)
		*fpsr |= FPSR_UFC;

	bool up = false;
	bool overflow_to_inf = false;
	switch (rounding) {
	case FP_ROUND_TIEEVEN:
		up = (error | (mant & 1)) > half; /* half has more than one bit to its right */
		overflow_to_inf = true;
		break;
	case FP_ROUND_POSINF:
		up = error && !sign;
		overflow_to_inf = !sign;
		break;
	case FP_ROUND_NEGINF:
		up = error && sign;
		overflow_to_inf = sign;
		break;
	case FP_ROUND_ZERO:
		break;
	case FP_ROUND_ODD:
		mant |= error != 0;
		break;
	case FP_ROUND_TIEAWAY:
		assert(!"rounds to integers only");
	}

	/* Adding the implicit bit, or what rounding carries into its place, makes the exponent one
	 * greater. */
	bool alt = f->has_ahp && fpcr & FPCR_AHP;
	int limit = (1 << f->ebits) - !alt; /* the first biased exponent that is not a number's */
	uint64_t bits = 0;
	bool overflow = biased > limit;
	if (!overflow) {
		bits = ((uint64_t)(biased - (biased > 0)) << f->fbits) + mant + up;
		overflow = bits >> f->fbits >= (uint64_t)limit;
	}
	if (overflow && alt) {
		*fpsr |= FPSR_IOC;
		return fp_pack(f, sign, (1u << f->ebits) - 1, (1ull << f->fbits) - 1);
	}
	if (overflow) {
		*fpsr |= FPSR_OFC | FPSR_IXC;
		return overflow_to_inf ? fp_infinity(f, sign) : fp_max_normal(f, sign);
	}
	if (error)
		*fpsr |= FPSR_IXC;
	return fp_zero(f, sign) | bits;
}

/* ---- NaNs ---- */

uint64_t fp_process_nan(const struct fp_format *f, enum fp_type type, uint64_t op, uint32_t fpcr, uint32_t *fpsr)
{
	if (type == FP_TYPE_SNAN)
		*fpsr |= FPSR_IOC;
	if (fpcr & FPCR_DN)
		return fp_default_nan(f);
	return fp_pack(f, fp_sign(f, op), fp_exp(f, op), fp_frac(f, op) | 1ull << (f->fbits - 1));
}

uint64_t fp_process_nans(const struct fp_format *f, enum fp_type type1, uint64_t op1, enum fp_type type2,
			 uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	if (type1 == FP_TYPE_SNAN || (type1 == FP_TYPE_QNAN && type2 != FP_TYPE_SNAN))
		return fp_process_nan(f, type1, op1, fpcr, fpsr);
	return fp_process_nan(f, type2, op2, fpcr, fpsr);
}

uint64_t fp_convert_nan(const struct fp_format *to, const struct fp_format *from, uint64_t op)
{
	/* Fractions line up at the top. */
	uint64_t frac = fp_frac(from, op) << (63 - from->fbits) >> (63 - to->fbits);

	return fp_pack(to, fp_sign(from, op), (1u << to->ebits) - 1, frac | 1ull << (to->fbits - 1));
}

/* ---- Addition ---- */

/* The sign of a sum that is exactly zero. */
static bool fp_sum_zero_sign(uint32_t fpcr)
{
	return fp_rounding_mode(fpcr) == FP_ROUND_NEGINF;
}

/* The sum of two finite numbers that are not zero, before rounding: sig is 0,
 * or normalised and jammed. */
static inline struct fp_num fp_add_exact(struct fp_num a, struct fp_num b)
{
	/* Room for the carry; bit 0 of both is clear in all formats. Bits are lost to the jam only
	 * where the exponents differ by more than 10, and then at most one leading bit cancels. */
	uint64_t sig_a = a.sig >> 1, sig_b = b.sig >> 1;
	struct fp_num num = { .type = FP_TYPE_NONZERO, .sign = a.sign };

	if (a.exp >= b.exp) {
		num.exp = a.exp;
		sig_b = fp_shr_jam(sig_b, (unsigned)(a.exp - b.exp));
	} else {
		num.exp = b.exp;
		sig_a = fp_shr_jam(sig_a, (unsigned)(b.exp - a.exp));
	}
	if (a.sign == b.sign) {
		num.sig = sig_a + sig_b;
	} else {
		uint64_t borrow = sig_a < sig_b;
		num.sig = ((sig_a - sig_b) ^ -borrow) + borrow;
		num.sign ^= borrow;
	}
	if (num.sig != 0) {
		unsigned up = (unsigned)__builtin_clzll(num.sig);
		num.sig <<= up;
		num.exp += 1 - (int)up;
	}
	return num;
}

static uint64_t fp_add_sub(enum fp_fmt fmt, uint64_t op1, uint64_t op2, bool sub, uint32_t fpcr, uint32_t *fpsr)
{
	const struct fp_format *f = &fp_formats[fmt];
	struct fp_num a = fp_unpack(f, op1, fpcr, fpsr);
	struct fp_num b = fp_unpack(f, op2, fpcr, fpsr);

	if (fp_is_nan(a) || fp_is_nan(b))
		return fp_process_nans(f, a.type, op1, b.type, op2, fpcr, fpsr);
	b.sign ^= sub;
	if (a.type == FP_TYPE_INFINITY && b.type == FP_TYPE_INFINITY && a.sign != b.sign)
		return fp_invalid(f, fpsr);
	if (a.type == FP_TYPE_INFINITY)
		return fp_infinity(f, a.sign);
	if (b.type == FP_TYPE_INFINITY)
		return fp_infinity(f, b.sign);
	if (a.type == FP_TYPE_ZERO && b.type == FP_TYPE_ZERO)
		return fp_zero(f, a.sign == b.sign ? a.sign : fp_sum_zero_sign(fpcr));
	if (a.type == FP_TYPE_ZERO)
		return fp_round(f, b.sign, b.exp, b.sig, fpcr, fpsr);
	if (b.type == FP_TYPE_ZERO)
		return fp_round(f, a.sign, a.exp, a.sig, fpcr, fpsr);

	struct fp_num sum = fp_add_exact(a, b);
	if (sum.sig == 0)
		return fp_zero(f, fp_sum_zero_sign(fpcr));
	return fp_round(f, sum.sign, sum.exp, sum.sig, fpcr, fpsr);
}

uint64_t fp_add(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_add_sub(fmt, op1, op2, false, fpcr, fpsr);
}

uint64_t fp_sub(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_add_sub(fmt, op1, op2, true, fpcr, fpsr);
}

/* ---- Multiplication, division, square root ---- */

/* The product of two finite numbers that are not zero, normalised and jammed. */
static struct fp_num fp_mul_exact(struct fp_num a, struct fp_num b)
{
	fp_u128 product = (fp_u128)a.sig * b.sig;
	struct fp_num num = { .type = FP_TYPE_NONZERO, .sign = a.sign != b.sign, .exp = a.exp + b.exp };

	if (product >> 127)
		num.exp++;
	else
		product <<= 1;
	num.sig = (uint64_t)(product >> 64) | ((uint64_t)product != 0);
	return num;
}

static bool fp_is_inf_times_zero(struct fp_num a, struct fp_num b)
{
	return (a.type == FP_TYPE_INFINITY && b.type == FP_TYPE_ZERO) ||
	       (a.type == FP_TYPE_ZERO && b.type == FP_TYPE_INFINITY);
}

static uint64_t fp_mul_common(enum fp_fmt fmt, uint64_t op1, uint64_t op2, bool extended, uint32_t fpcr,
			      uint32_t *fpsr)
{
	const struct fp_format *f = &fp_formats[fmt];
	struct fp_num a = fp_unpack(f, op1, fpcr, fpsr);
	struct fp_num b = fp_unpack(f, op2, fpcr, fpsr);
	bool sign = a.sign != b.sign;

	if (fp_is_nan(a) || fp_is_nan(b))
		return fp_process_nans(f, a.type, op1, b.type, op2, fpcr, fpsr);
	if (fp_is_inf_times_zero(a, b))
		return extended ? fp_pack(f, sign, 1u << (f->ebits - 1), 0) : fp_invalid(f, fpsr); /* 2.0 */
	if (a.type == FP_TYPE_INFINITY || b.type == FP_TYPE_INFINITY)
		return fp_infinity(f, sign);
	if (a.type == FP_TYPE_ZERO || b.type == FP_TYPE_ZERO)
		return fp_zero(f, sign);

	struct fp_num product = fp_mul_exact(a, b);
	return fp_round(f, product.sign, product.exp, product.sig, fpcr, fpsr);
}

uint64_t fp_mul(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_mul_common(fmt, op1, op2, false, fpcr, fpsr);
}

uint64_t fp_mulx(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_mul_common(fmt, op1, op2, true, fpcr, fpsr);
}

uint64_t fp_div(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	const struct fp_format *f = &fp_formats[fmt];
	struct fp_num a = fp_unpack(f, op1, fpcr, fpsr);
	struct fp_num b = fp_unpack(f, op2, fpcr, fpsr);
	bool sign = a.sign != b.sign;

	if (fp_is_nan(a) || fp_is_nan(b))
		return fp_process_nans(f, a.type, op1, b.type, op2, fpcr, fpsr);
	if ((a.type == FP_TYPE_INFINITY && b.type == FP_TYPE_INFINITY) ||
	    (a.type == FP_TYPE_ZERO && b.type == FP_TYPE_ZERO))
		return fp_invalid(f, fpsr);
	if (a.type == FP_TYPE_INFINITY)
		return fp_infinity(f, sign);
	if (b.type == FP_TYPE_ZERO) {
		*fpsr |= FPSR_DZC;
		return fp_infinity(f, sign);
	}
	if (a.type == FP_TYPE_ZERO || b.type == FP_TYPE_INFINITY)
		return fp_zero(f, sign);

	/* Scaled so that the quotient has exactly 64 bits. */
	bool less = a.sig < b.sig;
	fp_u128 dividend = (fp_u128)a.sig << (less ? 64 : 63);
	uint64_t quotient = (uint64_t)(dividend / b.sig);
	bool rest = (fp_u128)quotient * b.sig != dividend;
	return fp_round(f, sign, a.exp - b.exp - less, quotient | rest, fpcr, fpsr);
}

/* The integer square root of x >= 2^62, and the remainder: from the root of the
 * upper half, one division gives the lower half of the digits, at most one too
 * high (P. Zimmermann, "Karatsuba Square Root"). */
static uint32_t fp_isqrt64(uint64_t x, uint64_t *ret_rest)
{
	/* The upper half's root in pairs of bits, as on paper. */
	uint32_t upper = 0, left = 0;
	for (int i = 62; i >= 32; i -= 2) {
		left = left << 2 | (uint32_t)(x >> i & 3);
		uint32_t trial = upper << 2 | 1;
		upper <<= 1;
		if (left >= trial) {
			left -= trial;
			upper |= 1;
		}
	}

	uint64_t dividend = (uint64_t)left << 16 | (x >> 16 & 0xffff);
	uint64_t q = dividend / (2 * upper);
	int64_t root = ((int64_t)upper << 16) + (int64_t)q;
	int64_t rest = (int64_t)((dividend % (2 * upper)) << 16 | (x & 0xffff)) - (int64_t)(q * q);
	if (rest < 0) {
		rest += 2 * root - 1;
		root--;
	}
	*ret_rest = (uint64_t)rest;
	return (uint32_t)root;
}

/* The same for x >= 2^126. */
static uint64_t fp_isqrt128(fp_u128 x, bool *ret_inexact)
{
	uint64_t left;
	uint64_t upper = fp_isqrt64((uint64_t)(x >> 64), &left);
	fp_u128 dividend = (fp_u128)left << 32 | ((uint64_t)x >> 32);
	fp_u128 q = dividend / (2 * upper);
	__int128 root = (__int128)(((fp_u128)upper << 32) + q);
	__int128 rest = (__int128)((dividend % (2 * upper)) << 32 | (uint32_t)x) - (__int128)(q * q);

	if (rest < 0) {
		rest += 2 * root - 1;
		root--;
	}
	*ret_inexact = rest != 0;
	return (uint64_t)root;
}

uint64_t fp_sqrt(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr)
{
	const struct fp_format *f = &fp_formats[fmt];
	struct fp_num a = fp_unpack(f, op, fpcr, fpsr);

	if (fp_is_nan(a))
		return fp_process_nan(f, a.type, op, fpcr, fpsr);
	if (a.type == FP_TYPE_ZERO)
		return fp_zero(f, a.sign);
	if (a.sign)
		return fp_invalid(f, fpsr);
	if (a.type == FP_TYPE_INFINITY)
		return fp_infinity(f, false);

	/* An even exponent halves; the significand, in [1, 4), is scaled by 2^126. */
	bool odd = a.exp & 1;
	bool inexact;
	uint64_t root = fp_isqrt128((fp_u128)a.sig << (odd ? 64 : 63), &inexact);
	return fp_round(f, false, (a.exp - odd) / 2, root | inexact, fpcr, fpsr);
}

/* ---- Fused multiply and add ---- */

/* addend + a * b before rounding, of finite numbers; `addend` alone may be
 * zero. sig of the result is 0, or normalised and jammed. */
static struct fp_num fp_muladd_exact(struct fp_num addend, struct fp_num a, struct fp_num b)
{
	if (addend.type == FP_TYPE_ZERO)
		return fp_mul_exact(a, b);

	/* The binary point stands after bit 125: the product, below 4, leaves room for the carry. It has
	 * at most 106 significant bits, the addend 53, so, as in fp_add_exact, bits are lost to the jam
	 * only where at most one leading bit cancels. */
	fp_u128 product = (fp_u128)a.sig * b.sig >> 1;
	fp_u128 wide = (fp_u128)addend.sig << 62;
	bool sign = a.sign != b.sign;
	int exp = a.exp + b.exp;

	if (exp >= addend.exp) {
		wide = fp_shr_jam_wide(wide, (unsigned)(exp - addend.exp));
	} else {
		product = fp_shr_jam_wide(product, (unsigned)(addend.exp - exp));
		exp = addend.exp;
	}

	struct fp_num num = { .type = FP_TYPE_NONZERO, .sign = sign };
	if (sign == addend.sign) {
		product += wide;
	} else if (product >= wide) {
		product -= wide;
	} else {
		product = wide - product;
		num.sign = addend.sign;
	}
	if (product == 0)
		return num;
	uint64_t high = (uint64_t)(product >> 64);
	unsigned up = high ? (unsigned)__builtin_clzll(high) : 64 + (unsigned)__builtin_clzll((uint64_t)product);
	product <<= up;
	num.sig = (uint64_t)(product >> 64) | ((uint64_t)product != 0);
	num.exp = exp + 2 - (int)up;
	return num;
}

/* The part of FPMulAdd that is common to all formats: no operand is a NaN. */
static uint64_t fp_muladd_numbers(const struct fp_format *f, struct fp_num addend, struct fp_num a, struct fp_num b,
				  uint32_t fpcr, uint32_t *fpsr)
{
	bool product_sign = a.sign != b.sign;
	bool product_inf = a.type == FP_TYPE_INFINITY || b.type == FP_TYPE_INFINITY;
	bool product_zero = a.type == FP_TYPE_ZERO || b.type == FP_TYPE_ZERO;

	if (fp_is_inf_times_zero(a, b) ||
	    (addend.type == FP_TYPE_INFINITY && product_inf && addend.sign != product_sign))
		return fp_invalid(f, fpsr);
	if (addend.type == FP_TYPE_INFINITY)
		return fp_infinity(f, addend.sign);
	if (product_inf)
		return fp_infinity(f, product_sign);
	if (addend.type == FP_TYPE_ZERO && product_zero)
		return fp_zero(f, addend.sign == product_sign ? product_sign : fp_sum_zero_sign(fpcr));
	if (product_zero)
		return fp_round(f, addend.sign, addend.exp, addend.sig, fpcr, fpsr);

	struct fp_num sum = fp_muladd_exact(addend, a, b);
	if (sum.sig == 0)
		return fp_zero(f, fp_sum_zero_sign(fpcr));
	return fp_round(f, sum.sign, sum.exp, sum.sig, fpcr, fpsr);
}

/* FPProcessNaNs3 and what FPMulAdd makes of an invalid product under a quiet NaN. */
static uint64_t fp_muladd_nans(const struct fp_format *f, struct fp_num addend, uint64_t op_addend, struct fp_num a,
			       uint64_t op1, struct fp_num b, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	if (addend.type == FP_TYPE_QNAN && fp_is_inf_times_zero(a, b))
		return fp_invalid(f, fpsr);
	if (addend.type == FP_TYPE_SNAN ||
	    (addend.type == FP_TYPE_QNAN && a.type != FP_TYPE_SNAN && b.type != FP_TYPE_SNAN))
		return fp_process_nan(f, addend.type, op_addend, fpcr, fpsr);
	return fp_process_nans(f, a.type, op1, b.type, op2, fpcr, fpsr);
}

uint64_t fp_muladd(enum fp_fmt fmt, uint64_t addend, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	const struct fp_format *f = &fp_formats[fmt];
	struct fp_num c = fp_unpack(f, addend, fpcr, fpsr);
	struct fp_num a = fp_unpack(f, op1, fpcr, fpsr);
	struct fp_num b = fp_unpack(f, op2, fpcr, fpsr);

	if (fp_is_nan(c) || fp_is_nan(a) || fp_is_nan(b))
		return fp_muladd_nans(f, c, addend, a, op1, b, op2, fpcr, fpsr);
	return fp_muladd_numbers(f, c, a, b, fpcr, fpsr);
}

uint64_t fp_muladd_h(uint64_t addend, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	const struct fp_format *f = &fp_formats[FP_S];
	const struct fp_format *h = &fp_formats[FP_H];
	struct fp_num c = fp_unpack(f, addend, fpcr, fpsr);
	struct fp_num a = fp_unpack(h, op1, fpcr, fpsr);
	struct fp_num b = fp_unpack(h, op2, fpcr, fpsr);

	if (fp_is_nan(c) || fp_is_nan(a) || fp_is_nan(b)) {
		/* Widened, a NaN is quiet, but its type still says what it was. */
		uint64_t wide1 = fp_is_nan(a) ? fp_convert_nan(f, h, op1) : 0;
		uint64_t wide2 = fp_is_nan(b) ? fp_convert_nan(f, h, op2) : 0;
		return fp_muladd_nans(f, c, addend, a, wide1, b, wide2, fpcr, fpsr);
	}
	return fp_muladd_numbers(f, c, a, b, fpcr, fpsr);
}

/* (k - op1 * op2) / 2^halve: k is exact in 64 bits, and inf times zero gives k / 2^halve. */
static uint64_t fp_step_fused(enum fp_fmt fmt, uint64_t op1, uint64_t op2, struct fp_num k, int halve, uint32_t fpcr,
			      uint32_t *fpsr)
{
	const struct fp_format *f = &fp_formats[fmt];
	op1 = fp_neg(fmt, op1);
	struct fp_num a = fp_unpack(f, op1, fpcr, fpsr);
	struct fp_num b = fp_unpack(f, op2, fpcr, fpsr);

	if (fp_is_nan(a) || fp_is_nan(b))
		return fp_process_nans(f, a.type, op1, b.type, op2, fpcr, fpsr);
	if (!fp_is_inf_times_zero(a, b)) {
		if (a.type == FP_TYPE_INFINITY || b.type == FP_TYPE_INFINITY)
			return fp_infinity(f, a.sign != b.sign);
		if (a.type == FP_TYPE_NONZERO && b.type == FP_TYPE_NONZERO)
			k = fp_muladd_exact(k, a, b);
	}
	if (k.sig == 0)
		return fp_zero(f, fp_sum_zero_sign(fpcr));
	return fp_round(f, k.sign, k.exp - halve, k.sig, fpcr, fpsr);
}

uint64_t fp_recip_step_fused(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	static const struct fp_num two = { .type = FP_TYPE_NONZERO, .exp = 1, .sig = 1ull << 63 };

	return fp_step_fused(fmt, op1, op2, two, 0, fpcr, fpsr);
}

uint64_t fp_rsqrt_step_fused(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	static const struct fp_num three = { .type = FP_TYPE_NONZERO, .exp = 1, .sig = 3ull << 62 };

	return fp_step_fused(fmt, op1, op2, three, 1, fpcr, fpsr);
}

/* ---- BFloat16 dot product ---- */

/* BFRound: to odd, denormal results flushed. */
static uint32_t fp_bf_round(struct fp_num num)
{
	const struct fp_format *f = &fp_formats[FP_S];
	uint32_t unused = 0;

	if (num.exp > 127)
		return (uint32_t)fp_infinity(f, num.sign);
	return (uint32_t)fp_round_base(f, num.sign, num.exp, num.sig, FP_ROUND_ODD, FPCR_FZ, &unused);
}

static struct fp_num fp_bf_unpack(uint32_t op)
{
	uint32_t unused = 0;

	return fp_unpack(&fp_formats[FP_S], op, FPCR_FZ, &unused);
}

/* BFMulH */
static uint32_t fp_bf_mul_h(uint16_t op1, uint16_t op2)
{
	const struct fp_format *f = &fp_formats[FP_S];
	struct fp_num a = fp_bf_unpack((uint32_t)op1 << 16);
	struct fp_num b = fp_bf_unpack((uint32_t)op2 << 16);

	if (fp_is_nan(a) || fp_is_nan(b) || fp_is_inf_times_zero(a, b))
		return (uint32_t)fp_default_nan(f);
	if (a.type == FP_TYPE_INFINITY || b.type == FP_TYPE_INFINITY)
		return (uint32_t)fp_infinity(f, a.sign != b.sign);
	if (a.type == FP_TYPE_ZERO || b.type == FP_TYPE_ZERO)
		return (uint32_t)fp_zero(f, a.sign != b.sign);
	return fp_bf_round(fp_mul_exact(a, b));
}

/* BFAdd */
static uint32_t fp_bf_add(uint32_t op1, uint32_t op2)
{
	const struct fp_format *f = &fp_formats[FP_S];
	struct fp_num a = fp_bf_unpack(op1);
	struct fp_num b = fp_bf_unpack(op2);
	bool a_inf = a.type == FP_TYPE_INFINITY, b_inf = b.type == FP_TYPE_INFINITY;

	if (fp_is_nan(a) || fp_is_nan(b) || (a_inf && b_inf && a.sign != b.sign))
		return (uint32_t)fp_default_nan(f);
	if (a_inf || b_inf)
		return (uint32_t)fp_infinity(f, a_inf ? a.sign : b.sign);
	if (a.type == FP_TYPE_ZERO && b.type == FP_TYPE_ZERO)
		return (uint32_t)fp_zero(f, a.sign && b.sign);
	if (a.type == FP_TYPE_ZERO)
		return fp_bf_round(b);
	if (b.type == FP_TYPE_ZERO)
		return fp_bf_round(a);

	struct fp_num sum = fp_add_exact(a, b);
	return sum.sig ? fp_bf_round(sum) : 0;
}

uint32_t fp_bf_dot_add(uint32_t addend, const uint16_t op1[2], const uint16_t op2[2])
{
	uint32_t product = fp_bf_add(fp_bf_mul_h(op1[0], op2[0]), fp_bf_mul_h(op1[1], op2[1]));

	return fp_bf_add(addend, product);
}
