/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Advanced SIMD on integers, classes "three same" and "three same extra", as
 * vectors and scalars (Arm ARM C4.1.94 "Data Processing -- Scalar
 * Floating-Point and Advanced SIMD", C7.2).
 */
#include "emu/simd_priv.h"

/* ---- operations ---- */

#define OP(name) SIMD_INLINE uint64_t el_##name(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits)

OP(sub)
{
	return n - m;
}

/* The sum or difference of two elements needs one bit more than they have. */
OP(shadd)
{
	return (uint64_t)(((simd_int)simd_sx(n, bits) + simd_sx(m, bits)) >> 1);
}

OP(uhadd)
{
	return (uint64_t)(((simd_uint)n + m) >> 1);
}

OP(srhadd)
{
	return (uint64_t)(((simd_int)simd_sx(n, bits) + simd_sx(m, bits) + 1) >> 1);
}

OP(urhadd)
{
	return (uint64_t)(((simd_uint)n + m + 1) >> 1);
}

OP(shsub)
{
	return (uint64_t)(((simd_int)simd_sx(n, bits) - simd_sx(m, bits)) >> 1);
}

OP(uhsub)
{
	return (uint64_t)(((simd_int)n - (simd_int)m) >> 1);
}

OP(sqadd)
{
	return simd_sat_s(cpu, (simd_int)simd_sx(n, bits) + simd_sx(m, bits), bits);
}

OP(uqadd)
{
	return simd_sat_u(cpu, (simd_int)n + (simd_int)m, bits);
}

OP(sqsub)
{
	return simd_sat_s(cpu, (simd_int)simd_sx(n, bits) - simd_sx(m, bits), bits);
}

OP(uqsub)
{
	return simd_sat_u(cpu, (simd_int)n - (simd_int)m, bits);
}

OP(cmgt)
{
	return simd_bool(simd_sx(n, bits) > simd_sx(m, bits), bits);
}

OP(cmge)
{
	return simd_bool(simd_sx(n, bits) >= simd_sx(m, bits), bits);
}

OP(cmhi)
{
	return simd_bool(n > m, bits);
}

OP(cmhs)
{
	return simd_bool(n >= m, bits);
}

OP(cmeq)
{
	return simd_bool(n == m, bits);
}

OP(cmtst)
{
	return simd_bool((n & m) != 0, bits);
}

/* Shifts by register: the count is the lowest byte of the element, signed. */
OP(sshl)
{
	return (uint64_t)simd_shift_s(simd_sx(n, bits), (int8_t)m, false);
}

OP(ushl)
{
	return (uint64_t)simd_shift_u(n, (int8_t)m, false);
}

OP(srshl)
{
	return (uint64_t)simd_shift_s(simd_sx(n, bits), (int8_t)m, true);
}

OP(urshl)
{
	return (uint64_t)simd_shift_u(n, (int8_t)m, true);
}

OP(sqshl)
{
	return simd_sat_s(cpu, simd_shift_s(simd_sx(n, bits), (int8_t)m, false), bits);
}

OP(uqshl)
{
	return simd_sat_uu(cpu, simd_shift_u(n, (int8_t)m, false), bits);
}

OP(sqrshl)
{
	return simd_sat_s(cpu, simd_shift_s(simd_sx(n, bits), (int8_t)m, true), bits);
}

OP(uqrshl)
{
	return simd_sat_uu(cpu, simd_shift_u(n, (int8_t)m, true), bits);
}

OP(sabd)
{
	int64_t a = simd_sx(n, bits), b = simd_sx(m, bits);

	return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

OP(uabd)
{
	return n > m ? n - m : m - n;
}

OP(saba)
{
	return d + el_sabd(cpu, d, n, m, bits);
}

OP(uaba)
{
	return d + el_uabd(cpu, d, n, m, bits);
}

OP(pmul)
{
	uint64_t product = 0;

	for (unsigned i = 0; i < bits; i++)
		product ^= (m >> i & 1) ? n << i : 0;
	return product;
}

#undef OP

/* ---- vectors ---- */

#define SAME(name, sizes, fn) \
	INTERP(name##_vec) \
	{ \
		simd_check_vec(cpu, sizes, a->size, a->Q); \
		simd_vec(cpu, a->size, a->Q, a->Rd, a->Rn, a->Rm, fn); \
	}

SAME(SHADD, SIMD_BHS, el_shadd)
SAME(SQADD, SIMD_BHSD, el_sqadd)
SAME(SRHADD, SIMD_BHS, el_srhadd)
SAME(SHSUB, SIMD_BHS, el_shsub)
SAME(SQSUB, SIMD_BHSD, el_sqsub)
SAME(CMGT, SIMD_BHSD, el_cmgt)
SAME(CMGE, SIMD_BHSD, el_cmge)
SAME(SSHL, SIMD_BHSD, el_sshl)
SAME(SQSHL, SIMD_BHSD, el_sqshl)
SAME(SRSHL, SIMD_BHSD, el_srshl)
SAME(SQRSHL, SIMD_BHSD, el_sqrshl)
SAME(SMAX, SIMD_BHS, simd_smax)
SAME(SMIN, SIMD_BHS, simd_smin)
SAME(SABD, SIMD_BHS, el_sabd)
SAME(SABA, SIMD_BHS, el_saba)
SAME(ADD, SIMD_BHSD, simd_add)
SAME(CMTST, SIMD_BHSD, el_cmtst)
SAME(MLA, SIMD_BHS, simd_mla)
SAME(MUL, SIMD_BHS, simd_mul)
SAME(SQDMULH, SIMD_HS, simd_sqdmulh)
SAME(UHADD, SIMD_BHS, el_uhadd)
SAME(UQADD, SIMD_BHSD, el_uqadd)
SAME(URHADD, SIMD_BHS, el_urhadd)
SAME(UHSUB, SIMD_BHS, el_uhsub)
SAME(UQSUB, SIMD_BHSD, el_uqsub)
SAME(CMHI, SIMD_BHSD, el_cmhi)
SAME(CMHS, SIMD_BHSD, el_cmhs)
SAME(USHL, SIMD_BHSD, el_ushl)
SAME(UQSHL, SIMD_BHSD, el_uqshl)
SAME(URSHL, SIMD_BHSD, el_urshl)
SAME(UQRSHL, SIMD_BHSD, el_uqrshl)
SAME(UMAX, SIMD_BHS, simd_umax)
SAME(UMIN, SIMD_BHS, simd_umin)
SAME(UABD, SIMD_BHS, el_uabd)
SAME(UABA, SIMD_BHS, el_uaba)
SAME(SUB, SIMD_BHSD, el_sub)
SAME(CMEQ, SIMD_BHSD, el_cmeq)
SAME(MLS, SIMD_BHS, simd_mls)
SAME(PMUL, SIMD_B, el_pmul)
SAME(SQRDMULH, SIMD_HS, simd_sqrdmulh)
SAME(SQRDMLAH, SIMD_HS, simd_sqrdmlah)
SAME(SQRDMLSH, SIMD_HS, simd_sqrdmlsh)
#undef SAME

#define PAIRS(name, sizes, fn) \
	INTERP(name##_vec) \
	{ \
		simd_check_vec(cpu, sizes, a->size, a->Q); \
		simd_pairs(cpu, a->size, a->Q, a->Rd, a->Rn, a->Rm, fn); \
	}

PAIRS(SMAXP, SIMD_BHS, simd_smax)
PAIRS(SMINP, SIMD_BHS, simd_smin)
PAIRS(UMAXP, SIMD_BHS, simd_umax)
PAIRS(UMINP, SIMD_BHS, simd_umin)
PAIRS(ADDP, SIMD_BHSD, simd_add)
#undef PAIRS

#define LOGICAL(name, expr) \
	INTERP(name##_vec) \
	{ \
		struct emu_vreg *vd = &cpu->v[a->Rd]; \
		const struct emu_vreg *vn = &cpu->v[a->Rn], *vm = &cpu->v[a->Rm]; \
		struct emu_vreg val; \
		for (unsigned i = 0; i < 2; i++) { \
			uint64_t d = vd->d[i], n = vn->d[i], m = vm->d[i]; \
			(void)d; \
			val.d[i] = expr; \
		} \
		interp_set_v(cpu, a->Rd, &val, a->Q); \
	}

LOGICAL(AND, n & m)
LOGICAL(BIC, n & ~m)
LOGICAL(ORR, n | m)
LOGICAL(ORN, n | ~m)
LOGICAL(EOR, n ^ m)
LOGICAL(BSL, m ^ ((m ^ n) & d))
LOGICAL(BIT, d ^ ((d ^ n) & m))
LOGICAL(BIF, d ^ ((d ^ n) & ~m))
#undef LOGICAL

/* ---- scalars ---- */

#define SAME(name, sizes, fn) \
	INTERP(name##_s) \
	{ \
		simd_check_scalar(cpu, sizes, a->size); \
		simd_scalar(cpu, a->size, a->Rd, a->Rn, a->Rm, fn); \
	}

SAME(SQADD, SIMD_BHSD, el_sqadd)
SAME(SQSUB, SIMD_BHSD, el_sqsub)
SAME(CMGT, SIMD_D, el_cmgt)
SAME(CMGE, SIMD_D, el_cmge)
SAME(SSHL, SIMD_D, el_sshl)
SAME(SQSHL, SIMD_BHSD, el_sqshl)
SAME(SRSHL, SIMD_D, el_srshl)
SAME(SQRSHL, SIMD_BHSD, el_sqrshl)
SAME(ADD, SIMD_D, simd_add)
SAME(CMTST, SIMD_D, el_cmtst)
SAME(SQDMULH, SIMD_HS, simd_sqdmulh)
SAME(UQADD, SIMD_BHSD, el_uqadd)
SAME(UQSUB, SIMD_BHSD, el_uqsub)
SAME(CMHI, SIMD_D, el_cmhi)
SAME(CMHS, SIMD_D, el_cmhs)
SAME(USHL, SIMD_D, el_ushl)
SAME(UQSHL, SIMD_BHSD, el_uqshl)
SAME(URSHL, SIMD_D, el_urshl)
SAME(UQRSHL, SIMD_BHSD, el_uqrshl)
SAME(SUB, SIMD_D, el_sub)
SAME(CMEQ, SIMD_D, el_cmeq)
SAME(SQRDMULH, SIMD_HS, simd_sqrdmulh)
SAME(SQRDMLAH, SIMD_HS, simd_sqrdmlah)
SAME(SQRDMLSH, SIMD_HS, simd_sqrdmlsh)
#undef SAME
