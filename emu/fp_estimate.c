/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating point: the estimates of the reciprocal, the reciprocal square root
 * and the reciprocal's exponent, which the Arm ARM defines to the bit. See
 * emu/fp_priv.h.
 */
#include "emu/fp_priv.h"
#include "emu/fp_unpacked_priv.h"

/* RecipEstimate: for a in [256, 512), which stands for [0.5, 1), the reciprocal
 * in [256, 512), which stands for [1, 2). */
static unsigned fp_recip_scaled(unsigned a)
{
	unsigned b = (1u << 19) / (2 * a + 1); /* of the middle of the step */

	return (b + 1) / 2;
}

/* RecipSqrtEstimate: for a in [128, 512), which stands for [0.25, 1), the
 * reciprocal root in [256, 512), which stands for [1, 2). */
static unsigned fp_rsqrt_scaled(unsigned a)
{
	/* The middle of the step: steps are 1/512 wide below a half, 1/256 from there. */
	a = a < 256 ? 2 * a + 1 : 2 * ((a & ~1u) + 1);

	/* The greatest b with a * b * b < 2^28, at least 512. */
	unsigned b = 512;
	for (unsigned bit = 256; bit; bit >>= 1)
		if (a * (b | bit) * (b | bit) < 1u << 28)
			b |= bit;
	return (b + 1) / 2;
}

static bool fp_flushes(const struct fp_format *f, uint32_t fpcr)
{
	return fpcr & f->flush;
}

uint64_t fp_recip_estimate(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr)
{
	const struct fp_format *f = &fp_formats[fmt];
	struct fp_num num = fp_unpack(f, op, fpcr, fpsr);
	enum fp_rounding rounding = fp_rounding_mode(fpcr);

	if (fp_is_nan(num))
		return fp_process_nan(f, num.type, op, fpcr, fpsr);
	if (num.type == FP_TYPE_INFINITY)
		return fp_zero(f, num.sign);
	if (num.type == FP_TYPE_ZERO) {
		*fpsr |= FPSR_DZC;
		return fp_infinity(f, num.sign);
	}
	if (num.exp < f->min_exp - 2) { /* below 2^-128 for single precision */
		*fpsr |= FPSR_OFC | FPSR_IXC;
		if (rounding == FP_ROUND_TIEEVEN || rounding == (num.sign ? FP_ROUND_NEGINF : FP_ROUND_POSINF))
			return fp_infinity(f, num.sign);
		return fp_max_normal(f, num.sign);
	}
	if (fp_flushes(f, fpcr) && num.exp >= -f->min_exp) {
		*fpsr |= FPSR_UFC;
		return fp_zero(f, num.sign);
	}

	/* The 8 bits of fraction that count, below the implicit bit. The result may be denormal by
	 * one or two places. */
	unsigned estimate = fp_recip_scaled((unsigned)(num.sig >> 55));
	int exp = -num.exp - f->min_exp; /* biased */
	uint64_t frac = (uint64_t)estimate << 44 & ((1ull << 52) - 1);
	if (exp <= 0) {
		frac = (1ull << 52 | frac) >> (1 - exp);
		exp = 0;
	}
	return fp_pack(f, num.sign, (unsigned)exp, frac >> (52 - f->fbits));
}

uint64_t fp_rsqrt_estimate(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr)
{
	const struct fp_format *f = &fp_formats[fmt];
	struct fp_num num = fp_unpack(f, op, fpcr, fpsr);

	if (fp_is_nan(num))
		return fp_process_nan(f, num.type, op, fpcr, fpsr);
	if (num.type == FP_TYPE_ZERO) {
		*fpsr |= FPSR_DZC;
		return fp_infinity(f, num.sign);
	}
	if (num.sign)
		return fp_invalid(f, fpsr);
	if (num.type == FP_TYPE_INFINITY)
		return fp_zero(f, false);

	/* num = m * 4^(e + 1) with m in [0.25, 1), so the result is estimate(m) * 2^-(e + 1), of which
	 * the estimate counts as [1, 2). */
	bool odd = num.exp & 1;
	unsigned estimate = fp_rsqrt_scaled((unsigned)(num.sig >> (odd ? 55 : 56)));
	int exp = -((num.exp - odd) / 2 + 1) + 1 - f->min_exp; /* biased */
	return fp_pack(f, false, (unsigned)exp, (uint64_t)(estimate & 0xff) << (f->fbits - 8));
}

uint64_t fp_recpx(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr)
{
	const struct fp_format *f = &fp_formats[fmt];
	struct fp_num num = fp_unpack(f, op, fpcr, fpsr);
	unsigned ones = (1u << f->ebits) - 1;
	unsigned exp = fp_exp(f, op);

	if (fp_is_nan(num))
		return fp_process_nan(f, num.type, op, fpcr, fpsr);
	return fp_pack(f, num.sign, exp == 0 ? ones - 1 : exp ^ ones, 0);
}

uint32_t fp_unsigned_recip_estimate(uint32_t op)
{
	return op >> 31 ? fp_recip_scaled(op >> 23) << 23 : UINT32_MAX;
}

uint32_t fp_unsigned_rsqrt_estimate(uint32_t op)
{
	return op >> 30 ? fp_rsqrt_scaled(op >> 23) << 23 : UINT32_MAX;
}
