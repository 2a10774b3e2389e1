/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of emu/fp*.c share: numbers taken apart (FPUnpack), put
 * together again (FPRound), and NaNs (FPProcessNaN).
 *
 * A finite number other than zero is sig * 2^(exp - 63) with bit 63 of sig set:
 *
 *     63 62                    11 10         0
 *    +--+------------------------+------------+
 *    | 1|        fraction        |  0 0 ... 0 |      (double precision)
 *    +--+------------------------+------------+
 *      ^ binary point
 *
 * So exp is the unbiased exponent, denormals are normalised, and all formats
 * look alike. An inexact intermediate result sets bit 0 for whatever lies below
 * it ("jam"); as the fraction ends at least 11 bits higher, this rounds as the
 * infinitely precise value would, and is as inexact.
 */
#ifndef EMU_FP_UNPACKED_PRIV_H
#define EMU_FP_UNPACKED_PRIV_H

#include "emu/fp_priv.h"

typedef unsigned __int128 fp_u128;

struct fp_format {
	uint8_t fbits;      /* F: bits of the fraction */
	uint8_t ebits;      /* E: bits of the exponent */
	int16_t min_exp;    /* the exponent of the smallest normal number */
	uint32_t flush;     /* the bit of FPCR that flushes denormals */
	uint32_t input_flag;/* raised where an operand is flushed */
	bool has_ahp;       /* FPCR.AHP changes the format in conversions */
};

extern const struct fp_format fp_formats[FP_FMT_COUNT];

/* Ordered so that NaNs are the last. */
enum fp_type { FP_TYPE_ZERO, FP_TYPE_NONZERO, FP_TYPE_INFINITY, FP_TYPE_QNAN, FP_TYPE_SNAN };

struct fp_num {
	enum fp_type type;
	bool sign;
	int exp;      /* FP_TYPE_NONZERO only */
	uint64_t sig; /* FP_TYPE_NONZERO only */
};

/* ---- Bit patterns ---- */

static inline bool fp_sign(const struct fp_format *f, uint64_t bits)
{
	return bits >> (f->fbits + f->ebits) & 1;
}

static inline unsigned fp_exp(const struct fp_format *f, uint64_t bits)
{
	return bits >> f->fbits & ((1u << f->ebits) - 1);
}

static inline uint64_t fp_frac(const struct fp_format *f, uint64_t bits)
{
	return bits & ((1ull << f->fbits) - 1);
}

static inline uint64_t fp_pack(const struct fp_format *f, bool sign, unsigned exp, uint64_t frac)
{
	return (uint64_t)sign << (f->fbits + f->ebits) | (uint64_t)exp << f->fbits | frac;
}

static inline uint64_t fp_zero(const struct fp_format *f, bool sign)
{
	return fp_pack(f, sign, 0, 0);
}

static inline uint64_t fp_infinity(const struct fp_format *f, bool sign)
{
	return fp_pack(f, sign, (1u << f->ebits) - 1, 0);
}

static inline uint64_t fp_max_normal(const struct fp_format *f, bool sign)
{
	return fp_pack(f, sign, (1u << f->ebits) - 2, (1ull << f->fbits) - 1);
}

static inline uint64_t fp_default_nan(const struct fp_format *f)
{
	return fp_pack(f, false, (1u << f->ebits) - 1, 1ull << (f->fbits - 1));
}

static inline uint64_t fp_invalid(const struct fp_format *f, uint32_t *fpsr)
{
	*fpsr |= FPSR_IOC;
	return fp_default_nan(f);
}

/* ---- Numbers ---- */

/* Shifts right; bit 0 of the result also stands for the bits shifted out. */
static inline uint64_t fp_shr_jam(uint64_t sig, unsigned n)
{
	if (n == 0)
		return sig;
	if (n > 63)
		return sig != 0;
	return sig >> n | ((sig << (64 - n)) != 0);
}

static inline fp_u128 fp_shr_jam_wide(fp_u128 sig, unsigned n)
{
	if (n == 0)
		return sig;
	if (n > 127)
		return sig != 0;
	return sig >> n | ((sig << (128 - n)) != 0);
}

/* FPUnpackBase: all bits of fpcr count, so callers clear AHP (FPUnpack) or FZ16 (FPUnpackCV). */
static inline struct fp_num fp_unpack_base(const struct fp_format *f, uint64_t bits, uint32_t fpcr, uint32_t *fpsr)
{
	uint64_t frac = fp_frac(f, bits);
	unsigned exp = fp_exp(f, bits);
	struct fp_num num = { .type = FP_TYPE_ZERO, .sign = fp_sign(f, bits) };

	if (exp == 0) {
		if (frac == 0)
			return num;
		if (fpcr & f->flush) {
			*fpsr |= f->input_flag;
			return num;
		}
		unsigned up = (unsigned)__builtin_clzll(frac);
		num.type = FP_TYPE_NONZERO;
		num.sig = frac << up;
		num.exp = f->min_exp + 63 - f->fbits - (int)up;
	} else if (exp == (1u << f->ebits) - 1 && !(f->has_ahp && fpcr & FPCR_AHP)) {
		if (frac == 0)
			num.type = FP_TYPE_INFINITY;
		else
			num.type = frac >> (f->fbits - 1) ? FP_TYPE_QNAN : FP_TYPE_SNAN;
	} else {
		num.type = FP_TYPE_NONZERO;
		num.sig = 1ull << 63 | frac << (63 - f->fbits);
		num.exp = (int)exp - 1 + f->min_exp;
	}
	return num;
}

static inline struct fp_num fp_unpack(const struct fp_format *f, uint64_t bits, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_unpack_base(f, bits, fpcr & ~FPCR_AHP, fpsr);
}

static inline bool fp_is_nan(struct fp_num num)
{
	return num.type >= FP_TYPE_QNAN;
}

/* FPRoundBase of (-1)^sign * sig * 2^(exp - 63), sig normalised. AHP counts. */
uint64_t fp_round_base(const struct fp_format *f, bool sign, int exp, uint64_t sig, enum fp_rounding rounding,
		       uint32_t fpcr, uint32_t *fpsr);

/* FPRound under FPCR's rounding mode. */
static inline uint64_t fp_round(const struct fp_format *f, bool sign, int exp, uint64_t sig, uint32_t fpcr,
				uint32_t *fpsr)
{
	return fp_round_base(f, sign, exp, sig, fp_rounding_mode(fpcr), fpcr & ~FPCR_AHP, fpsr);
}

/* ---- NaNs ---- */

/* FPProcessNaN: the operand made quiet, or the default NaN. */
uint64_t fp_process_nan(const struct fp_format *f, enum fp_type type, uint64_t op, uint32_t fpcr, uint32_t *fpsr);

/* FPProcessNaNs: at least one operand is a NaN. Signalling ones first, then in order. */
uint64_t fp_process_nans(const struct fp_format *f, enum fp_type type1, uint64_t op1, enum fp_type type2,
			 uint64_t op2, uint32_t fpcr, uint32_t *fpsr);

/* FPConvertNaN: the sign and the top of the fraction, made quiet. */
uint64_t fp_convert_nan(const struct fp_format *to, const struct fp_format *from, uint64_t op);

#endif
