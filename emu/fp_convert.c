/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating point: conversions between formats, to and from integers and
 * fixed-point numbers, and rounding to integers. See emu/fp_priv.h.
 */
#include "emu/fp_priv.h"
#include "emu/fp_unpacked_priv.h"

/* ---- Between formats ---- */

uint64_t fp_convert(enum fp_fmt to, enum fp_fmt from, uint64_t op, enum fp_rounding rounding, uint32_t fpcr,
		    uint32_t *fpsr)
{
	const struct fp_format *t = &fp_formats[to];
	const struct fp_format *f = &fp_formats[from];
	/* FPUnpackCV and FPRoundCV: half-precision denormals are never flushed here. */
	fpcr &= ~FPCR_FZ16;
	struct fp_num num = fp_unpack_base(f, op, fpcr, fpsr);
	/* The alternative half-precision format has neither infinities nor NaNs. */
	bool alt = t->has_ahp && fpcr & FPCR_AHP;

	switch (num.type) {
	case FP_TYPE_QNAN:
	case FP_TYPE_SNAN:
		if (num.type == FP_TYPE_SNAN || alt)
			*fpsr |= FPSR_IOC;
		if (alt)
			return fp_zero(t, num.sign);
		return fpcr & FPCR_DN ? fp_default_nan(t) : fp_convert_nan(t, f, op);
	case FP_TYPE_INFINITY:
		if (alt) {
			*fpsr |= FPSR_IOC;
			return fp_pack(t, num.sign, (1u << t->ebits) - 1, (1ull << t->fbits) - 1);
		}
		return fp_infinity(t, num.sign);
	case FP_TYPE_ZERO:
		return fp_zero(t, num.sign);
	case FP_TYPE_NONZERO:
		break;
	}
	return fp_round_base(t, num.sign, num.exp, num.sig, rounding, fpcr, fpsr);
}

/* ---- To integers and fixed point ---- */

/* The magnitude of a finite number below 2^64, rounded to an integer. No carry
 * leaves the 64 bits: a number with a fraction is far smaller than 2^64. */
static uint64_t fp_round_magnitude(struct fp_num num, enum fp_rounding rounding, bool *ret_inexact)
{
	uint64_t half = 1ull << 63;
	uint64_t whole = 0, error = 0; /* error: the fraction, scaled by 2^64 */

	if (num.type == FP_TYPE_ZERO) {
	} else if (num.exp >= 0) {
		whole = num.sig >> (63 - num.exp);
		error = num.exp < 63 ? num.sig << (num.exp + 1) : 0;
	} else {
		error = fp_shr_jam(num.sig, (unsigned)(-1 - num.exp));
	}
	*ret_inexact = error != 0;

	switch (rounding) {
	case FP_ROUND_TIEEVEN:
		return whole + (error > half || (error == half && whole & 1));
	case FP_ROUND_TIEAWAY:
		return whole + (error >= half);
	case FP_ROUND_POSINF:
		return whole + (error && !num.sign);
	case FP_ROUND_NEGINF:
		return whole + (error && num.sign);
	case FP_ROUND_ZERO:
		return whole;
	case FP_ROUND_ODD:
		return whole | (error != 0);
	}
	return whole;
}

uint64_t fp_to_fixed(enum fp_fmt fmt, uint64_t op, unsigned bits, unsigned fbits, bool is_unsigned,
		     enum fp_rounding rounding, uint32_t fpcr, uint32_t *fpsr)
{
	struct fp_num num = fp_unpack(&fp_formats[fmt], op, fpcr, fpsr);
	uint64_t ones = bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
	uint64_t limit = is_unsigned ? (num.sign ? 0 : ones) : (ones >> 1) + num.sign;
	uint64_t magnitude;
	bool inexact = false;
	bool overflow;

	if (fp_is_nan(num)) {
		*fpsr |= FPSR_IOC;
		return 0;
	}
	num.exp += (int)fbits;
	if (num.type == FP_TYPE_INFINITY || (num.type == FP_TYPE_NONZERO && num.exp > 63)) {
		overflow = true;
	} else {
		magnitude = fp_round_magnitude(num, rounding, &inexact);
		overflow = magnitude > limit;
	}
	if (overflow) {
		*fpsr |= FPSR_IOC;
		magnitude = limit;
	} else if (inexact) {
		*fpsr |= FPSR_IXC;
	}
	return (num.sign ? -magnitude : magnitude) & ones;
}

uint32_t fp_to_fixed_js(uint64_t op, bool *ret_z, uint32_t fpcr, uint32_t *fpsr)
{
	struct fp_num num = fp_unpack(&fp_formats[FP_D], op, fpcr, fpsr);
	uint32_t low; /* of the magnitude */
	bool overflow = false, inexact = false;

	if (fp_is_nan(num) || num.type == FP_TYPE_INFINITY) {
		*fpsr |= FPSR_IOC;
		*ret_z = false;
		return 0;
	}
	if (num.type == FP_TYPE_NONZERO && num.exp > 63) {
		low = num.exp < 63 + 32 ? (uint32_t)(num.sig << (num.exp - 63)) : 0;
		overflow = true;
	} else {
		uint64_t whole = fp_round_magnitude(num, FP_ROUND_ZERO, &inexact);
		low = (uint32_t)whole;
		overflow = whole > (num.sign ? 1ull << 31 : (1ull << 31) - 1);
	}
	if (overflow)
		*fpsr |= FPSR_IOC;
	else if (inexact)
		*fpsr |= FPSR_IXC;
	/* Z says that the conversion was exact: -0 and flushed denormals are not. */
	*ret_z = !overflow && !inexact && !(num.type == FP_TYPE_ZERO && op != 0);
	return num.sign ? -low : low;
}

/* ---- From integers and fixed point ---- */

uint64_t fp_from_fixed(enum fp_fmt fmt, uint64_t op, unsigned bits, unsigned fbits, bool is_unsigned, uint32_t fpcr,
		       uint32_t *fpsr)
{
	const struct fp_format *f = &fp_formats[fmt];
	unsigned spare = 64 - bits;
	uint64_t value = is_unsigned ? op << spare >> spare : (uint64_t)((int64_t)(op << spare) >> spare);
	bool sign = !is_unsigned && value >> 63;

	if (value == 0)
		return fp_zero(f, false);
	if (sign)
		value = -value;
	unsigned up = (unsigned)__builtin_clzll(value);
	uint64_t sig = value << up;
	return fp_round(f, sign, 63 - (int)up - (int)fbits, sig, fpcr, fpsr);
}

/* ---- To integers in floating point ---- */

/* A whole number that the format holds exactly. */
static uint64_t fp_from_whole(const struct fp_format *f, bool sign, uint64_t magnitude)
{
	uint32_t unused = 0;

	if (magnitude == 0)
		return fp_zero(f, sign);
	unsigned up = (unsigned)__builtin_clzll(magnitude);
	return fp_round_base(f, sign, 63 - (int)up, magnitude << up, FP_ROUND_ZERO, 0, &unused);
}

uint64_t fp_round_int(enum fp_fmt fmt, uint64_t op, enum fp_rounding rounding, bool exact, uint32_t fpcr,
		      uint32_t *fpsr)
{
	const struct fp_format *f = &fp_formats[fmt];
	struct fp_num num = fp_unpack(f, op, fpcr, fpsr);
	bool inexact;

	if (fp_is_nan(num))
		return fp_process_nan(f, num.type, op, fpcr, fpsr);
	if (num.type == FP_TYPE_INFINITY)
		return fp_infinity(f, num.sign);
	if (num.type == FP_TYPE_ZERO)
		return fp_zero(f, num.sign);
	if (num.exp >= f->fbits)
		return fp_pack(f, num.sign, fp_exp(f, op), fp_frac(f, op)); /* has no fraction */

	uint64_t whole = fp_round_magnitude(num, rounding, &inexact);
	if (inexact && exact)
		*fpsr |= FPSR_IXC;
	return fp_from_whole(f, num.sign, whole);
}

uint64_t fp_round_int_n(enum fp_fmt fmt, uint64_t op, enum fp_rounding rounding, unsigned bits, uint32_t fpcr,
			uint32_t *fpsr)
{
	const struct fp_format *f = &fp_formats[fmt];
	struct fp_num num = fp_unpack(f, op, fpcr, fpsr);
	uint64_t limit = (1ull << (bits - 1)) - !num.sign;
	uint64_t whole = 0;
	bool inexact = false;

	if (num.type == FP_TYPE_ZERO)
		return fp_zero(f, num.sign);
	bool fits = num.type == FP_TYPE_NONZERO && num.exp < 64;
	if (fits) {
		whole = fp_round_magnitude(num, rounding, &inexact);
		fits = whole <= limit;
	}
	if (!fits) {
		*fpsr |= FPSR_IOC;
		return fp_from_whole(f, true, 1ull << (bits - 1));
	}
	if (inexact)
		*fpsr |= FPSR_IXC;
	return fp_from_whole(f, num.sign, whole);
}

/* ---- Immediates ---- */

uint64_t fp_expand_imm(enum fp_fmt fmt, uint8_t imm8)
{
	const struct fp_format *f = &fp_formats[fmt];
	/* Exponent: NOT(b), b repeated E - 3 times, then two bits of imm8; fraction: four bits. */
	unsigned b = imm8 >> 6 & 1;
	unsigned exp = (!b << (f->ebits - 1)) | (b ? ((1u << (f->ebits - 3)) - 1) << 2 : 0) | (imm8 >> 4 & 3u);

	return fp_pack(f, imm8 >> 7, exp, (uint64_t)(imm8 & 15u) << (f->fbits - 4));
}
