/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating point: comparison, maximum and minimum. See emu/fp_priv.h.
 */
#include "emu/cpu_priv.h"
#include "emu/fp_priv.h"
#include "emu/fp_unpacked_priv.h"

/* -1, 0 or 1 as a is less than, equal to or greater than b; neither is a NaN. */
static int fp_order(struct fp_num a, struct fp_num b)
{
	if (a.type == FP_TYPE_ZERO && b.type == FP_TYPE_ZERO)
		return 0;
	if (a.type == FP_TYPE_ZERO)
		return b.sign ? 1 : -1;
	if (b.type == FP_TYPE_ZERO || a.sign != b.sign)
		return a.sign ? -1 : 1;

	/* Of one sign: compare the magnitudes. Types are in order of magnitude. */
	int order;
	if (a.type != b.type)
		order = a.type > b.type ? 1 : -1;
	else if (a.type == FP_TYPE_INFINITY)
		order = 0;
	else if (a.exp != b.exp)
		order = a.exp > b.exp ? 1 : -1;
	else
		order = (a.sig > b.sig) - (a.sig < b.sig);
	return a.sign ? -order : order;
}

/* ---- Comparison ---- */

/* Like fp_order; sets *ret_unordered instead where an operand is a NaN. */
static int fp_compare_order(enum fp_fmt fmt, uint64_t op1, uint64_t op2, bool signal_nans, uint32_t fpcr,
			    uint32_t *fpsr, bool *ret_unordered)
{
	const struct fp_format *f = &fp_formats[fmt];
	struct fp_num a = fp_unpack(f, op1, fpcr, fpsr);
	struct fp_num b = fp_unpack(f, op2, fpcr, fpsr);

	*ret_unordered = fp_is_nan(a) || fp_is_nan(b);
	if (*ret_unordered) {
		if (signal_nans || a.type == FP_TYPE_SNAN || b.type == FP_TYPE_SNAN)
			*fpsr |= FPSR_IOC;
		return 0;
	}
	return fp_order(a, b);
}

uint32_t fp_compare(enum fp_fmt fmt, uint64_t op1, uint64_t op2, bool signal_nans, uint32_t fpcr, uint32_t *fpsr)
{
	bool unordered;
	int order = fp_compare_order(fmt, op1, op2, signal_nans, fpcr, fpsr, &unordered);

	if (unordered)
		return EMU_C | EMU_V;
	return order == 0 ? EMU_Z | EMU_C : order < 0 ? EMU_N : EMU_C;
}

bool fp_compare_eq(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	bool unordered;
	int order = fp_compare_order(fmt, op1, op2, false, fpcr, fpsr, &unordered);

	return !unordered && order == 0;
}

bool fp_compare_ge(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	bool unordered;
	int order = fp_compare_order(fmt, op1, op2, true, fpcr, fpsr, &unordered);

	return !unordered && order >= 0;
}

bool fp_compare_gt(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	bool unordered;
	int order = fp_compare_order(fmt, op1, op2, true, fpcr, fpsr, &unordered);

	return !unordered && order > 0;
}

/* ---- Maximum and minimum ---- */

static uint64_t fp_max_min(enum fp_fmt fmt, uint64_t op1, uint64_t op2, bool min, uint32_t fpcr, uint32_t *fpsr)
{
	const struct fp_format *f = &fp_formats[fmt];
	struct fp_num a = fp_unpack(f, op1, fpcr, fpsr);
	struct fp_num b = fp_unpack(f, op2, fpcr, fpsr);

	if (fp_is_nan(a) || fp_is_nan(b))
		return fp_process_nans(f, a.type, op1, b.type, op2, fpcr, fpsr);
	/* +0 is greater than -0 here; flushed denormals count as zeros. */
	if (a.type == FP_TYPE_ZERO && b.type == FP_TYPE_ZERO)
		return fp_zero(f, min ? a.sign || b.sign : a.sign && b.sign);
	bool first = min ? fp_order(a, b) < 0 : fp_order(a, b) > 0;
	if ((first ? a.type : b.type) == FP_TYPE_ZERO)
		return fp_zero(f, first ? a.sign : b.sign);
	uint64_t op = first ? op1 : op2;
	return fp_pack(f, fp_sign(f, op), fp_exp(f, op), fp_frac(f, op));
}

uint64_t fp_max(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_max_min(fmt, op1, op2, false, fpcr, fpsr);
}

uint64_t fp_min(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_max_min(fmt, op1, op2, true, fpcr, fpsr);
}

/* A single quiet NaN loses: it counts as the infinity that cannot be the result. */
static uint64_t fp_max_min_num(enum fp_fmt fmt, uint64_t op1, uint64_t op2, bool min, uint32_t fpcr, uint32_t *fpsr)
{
	const struct fp_format *f = &fp_formats[fmt];
	bool quiet1 = fp_unpack(f, op1, fpcr, fpsr).type == FP_TYPE_QNAN;
	bool quiet2 = fp_unpack(f, op2, fpcr, fpsr).type == FP_TYPE_QNAN;

	if (quiet1 && !quiet2)
		op1 = fp_infinity(f, !min);
	else if (quiet2 && !quiet1)
		op2 = fp_infinity(f, !min);
	return fp_max_min(fmt, op1, op2, min, fpcr, fpsr);
}

uint64_t fp_maxnum(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_max_min_num(fmt, op1, op2, false, fpcr, fpsr);
}

uint64_t fp_minnum(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_max_min_num(fmt, op1, op2, true, fpcr, fpsr);
}
