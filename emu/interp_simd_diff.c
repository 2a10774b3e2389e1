/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Advanced SIMD on integers, classes "three different" and "vector x indexed
 * element", as vectors and scalars (Arm ARM C4.1 and C7.2).
 */
#include "emu/simd_priv.h"

/* ---- operations: `bits` is the narrow width where widths differ ---- */

#define OP(name) SIMD_INLINE uint64_t el_##name(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits)

/* Each as signed and unsigned: sn and sm are the sign-extended sources. */
#define LONG_OP(name, expr) \
	OP(s##name) \
	{ \
		uint64_t en = (uint64_t)simd_sx(n, bits), em = (uint64_t)simd_sx(m, bits); \
		bool less = (int64_t)en < (int64_t)em; \
		(void)less; \
		return expr; \
	} \
	OP(u##name) \
	{ \
		uint64_t en = n, em = m; \
		bool less = en < em; \
		(void)less; \
		return expr; \
	}

LONG_OP(addl, en + em)
LONG_OP(subl, en - em)
LONG_OP(addw, n + em)
LONG_OP(subw, n - em)
LONG_OP(abdl, less ? em - en : en - em)
LONG_OP(abal, d + (less ? em - en : en - em))
LONG_OP(mull, en *em)
LONG_OP(mlal, d + en * em)
LONG_OP(mlsl, d - en * em)
#undef LONG_OP

/* The doubled product saturates on its own, before it is accumulated. */
OP(sqdmull)
{
	return simd_sat_s(cpu, (simd_int)simd_sx(n, bits) * simd_sx(m, bits) * 2, 2 * bits);
}

OP(sqdmlal)
{
	int64_t product = simd_sx(el_sqdmull(cpu, d, n, m, bits), 2 * bits);

	return simd_sat_s(cpu, (simd_int)simd_sx(d, 2 * bits) + product, 2 * bits);
}

OP(sqdmlsl)
{
	int64_t product = simd_sx(el_sqdmull(cpu, d, n, m, bits), 2 * bits);

	return simd_sat_s(cpu, (simd_int)simd_sx(d, 2 * bits) - product, 2 * bits);
}

OP(pmull)
{
	uint64_t product = 0;

	for (unsigned i = 0; i < bits; i++)
		product ^= (m >> i & 1) ? n << i : 0;
	return product;
}

/* The upper half of the sum or difference, `round` being half a unit of it. */
OP(addhn)
{
	return (n + m) >> bits;
}

OP(raddhn)
{
	return (n + m + (1ull << (bits - 1))) >> bits;
}

OP(subhn)
{
	return (n - m) >> bits;
}

OP(rsubhn)
{
	return (n - m + (1ull << (bits - 1))) >> bits;
}

/* ---- three different ---- */

#define LONG(name, sizes, fn) \
	INTERP(name) \
	{ \
		simd_check_scalar(cpu, sizes, a->size); \
		simd_long(cpu, a->size, a->Q, a->Rd, a->Rn, a->Rm, fn); \
	}

LONG(SADDL, SIMD_BHS, el_saddl)
LONG(SSUBL, SIMD_BHS, el_ssubl)
LONG(SABAL, SIMD_BHS, el_sabal)
LONG(SABDL, SIMD_BHS, el_sabdl)
LONG(SMLAL_vec, SIMD_BHS, el_smlal)
LONG(SQDMLAL_vec, SIMD_HS, el_sqdmlal)
LONG(SMLSL_vec, SIMD_BHS, el_smlsl)
LONG(SQDMLSL_vec, SIMD_HS, el_sqdmlsl)
LONG(SMULL_vec, SIMD_BHS, el_smull)
LONG(SQDMULL_vec, SIMD_HS, el_sqdmull)
LONG(UADDL, SIMD_BHS, el_uaddl)
LONG(USUBL, SIMD_BHS, el_usubl)
LONG(UABAL, SIMD_BHS, el_uabal)
LONG(UABDL, SIMD_BHS, el_uabdl)
LONG(UMLAL_vec, SIMD_BHS, el_umlal)
LONG(UMLSL_vec, SIMD_BHS, el_umlsl)
LONG(UMULL_vec, SIMD_BHS, el_umull)
#undef LONG

/* Wide: Vn is as wide as Vd. */
#define WIDE(name, fn) \
	INTERP(name) \
	{ \
		struct emu_vreg n = cpu->v[a->Rn], m = cpu->v[a->Rm], d = { .d = { 0, 0 } }; \
		unsigned count = 8 >> a->size, from = a->Q ? count : 0; \
		simd_check_scalar(cpu, SIMD_BHS, a->size); \
		for (unsigned i = 0; i < count; i++) \
			simd_set(&d, a->size + 1, i, fn(cpu, 0, simd_get(&n, a->size + 1, i), \
				simd_get(&m, a->size, from + i), 8u << a->size)); \
		interp_set_v(cpu, a->Rd, &d, true); \
	}

WIDE(SADDW, el_saddw)
WIDE(SSUBW, el_ssubw)
WIDE(UADDW, el_uaddw)
WIDE(USUBW, el_usubw)
#undef WIDE

#define HIGH_NARROW(name, fn) \
	INTERP(name) \
	{ \
		struct emu_vreg n = cpu->v[a->Rn], m = cpu->v[a->Rm], d = { .d = { 0, 0 } }; \
		simd_check_scalar(cpu, SIMD_BHS, a->size); \
		for (unsigned i = 0; i < 8u >> a->size; i++) \
			simd_set(&d, a->size, i, fn(cpu, 0, simd_get(&n, a->size + 1, i), simd_get(&m, a->size + 1, i), \
				8u << a->size)); \
		simd_set_part(cpu, a->Rd, d.d[0], a->Q); \
	}

HIGH_NARROW(ADDHN, el_addhn)
HIGH_NARROW(RADDHN, el_raddhn)
HIGH_NARROW(SUBHN, el_subhn)
HIGH_NARROW(RSUBHN, el_rsubhn)
#undef HIGH_NARROW

INTERP(PMULL_8)
{
	simd_long(cpu, 0, a->Q, a->Rd, a->Rn, a->Rm, el_pmull);
}

INTERP(PMULL_64)
{
	uint64_t n = cpu->v[a->Rn].d[a->Q], m = cpu->v[a->Rm].d[a->Q];
	simd_uint product = 0;

	for (unsigned i = 0; i < 64; i++)
		product ^= (m >> i & 1) ? (simd_uint)n << i : 0;
	cpu->v[a->Rd].d[0] = (uint64_t)product;
	cpu->v[a->Rd].d[1] = (uint64_t)(product >> 64);
}

/* ---- three different, scalar ---- */

SIMD_INLINE void long_scalar(struct emu_cpu *cpu, unsigned size, unsigned rd, uint64_t n, uint64_t m, simd_fn *fn)
{
	unsigned bits = 8u << size;
	uint64_t val = fn(cpu, simd_get(&cpu->v[rd], size + 1, 0), n, m, bits);

	interp_set_d(cpu, rd, val & simd_ones(2 * bits));
}

#define LONG_SCALAR(name, fn) \
	INTERP(name) \
	{ \
		simd_check_scalar(cpu, SIMD_HS, a->size); \
		long_scalar(cpu, a->size, a->Rd, simd_get(&cpu->v[a->Rn], a->size, 0), \
			simd_get(&cpu->v[a->Rm], a->size, 0), fn); \
	}

LONG_SCALAR(SQDMLAL_s, el_sqdmlal)
LONG_SCALAR(SQDMLSL_s, el_sqdmlsl)
LONG_SCALAR(SQDMULL_s, el_sqdmull)
#undef LONG_SCALAR

/* ---- by element ---- */

/* The element that size, H, L, M and Rm name; UNDEFINED if size is reserved. */
SIMD_INLINE uint64_t indexed(struct emu_cpu *cpu, const struct a64_args_MUL_elem *a)
{
	if (a->size == 1)
		return cpu->v[a->Rm].h[a->H << 2 | a->L << 1 | a->M];
	if (a->size != 2)
		emu_raise_undefined(cpu);
	return cpu->v[a->M << 4 | a->Rm].s[a->H << 1 | a->L];
}

SIMD_INLINE uint64_t indexed_scalar(struct emu_cpu *cpu, const struct a64_args_SQDMULH_elem_s *a)
{
	if (a->size == 1)
		return cpu->v[a->Rm].h[a->H << 2 | a->L << 1 | a->M];
	if (a->size != 2)
		emu_raise_undefined(cpu);
	return cpu->v[a->M << 4 | a->Rm].s[a->H << 1 | a->L];
}

#define BY_ELEMENT(name, fn) \
	INTERP(name##_elem) \
	{ \
		uint64_t m = indexed(cpu, a); \
		simd_vec_by(cpu, a->size, a->Q, a->Rd, a->Rn, m, fn); \
	}

BY_ELEMENT(MUL, simd_mul)
BY_ELEMENT(MLA, simd_mla)
BY_ELEMENT(MLS, simd_mls)
BY_ELEMENT(SQDMULH, simd_sqdmulh)
BY_ELEMENT(SQRDMULH, simd_sqrdmulh)
BY_ELEMENT(SQRDMLAH, simd_sqrdmlah)
BY_ELEMENT(SQRDMLSH, simd_sqrdmlsh)
#undef BY_ELEMENT

#define LONG_BY_ELEMENT(name, fn) \
	INTERP(name##_elem) \
	{ \
		uint64_t m = indexed(cpu, a); \
		simd_long_by(cpu, a->size, a->Q, a->Rd, a->Rn, m, fn); \
	}

LONG_BY_ELEMENT(SMLAL, el_smlal)
LONG_BY_ELEMENT(SQDMLAL, el_sqdmlal)
LONG_BY_ELEMENT(SMLSL, el_smlsl)
LONG_BY_ELEMENT(SQDMLSL, el_sqdmlsl)
LONG_BY_ELEMENT(SMULL, el_smull)
LONG_BY_ELEMENT(SQDMULL, el_sqdmull)
LONG_BY_ELEMENT(UMLAL, el_umlal)
LONG_BY_ELEMENT(UMLSL, el_umlsl)
LONG_BY_ELEMENT(UMULL, el_umull)
#undef LONG_BY_ELEMENT

#define BY_ELEMENT_SCALAR(name, fn) \
	INTERP(name##_elem_s) \
	{ \
		uint64_t m = indexed_scalar(cpu, a); \
		simd_scalar_by(cpu, a->size, a->Rd, a->Rn, m, fn); \
	}

BY_ELEMENT_SCALAR(SQDMULH, simd_sqdmulh)
BY_ELEMENT_SCALAR(SQRDMULH, simd_sqrdmulh)
BY_ELEMENT_SCALAR(SQRDMLAH, simd_sqrdmlah)
BY_ELEMENT_SCALAR(SQRDMLSH, simd_sqrdmlsh)
#undef BY_ELEMENT_SCALAR

#define LONG_BY_ELEMENT_SCALAR(name, fn) \
	INTERP(name##_elem_s) \
	{ \
		uint64_t m = indexed_scalar(cpu, a); \
		long_scalar(cpu, a->size, a->Rd, simd_get(&cpu->v[a->Rn], a->size, 0), m, fn); \
	}

LONG_BY_ELEMENT_SCALAR(SQDMLAL, el_sqdmlal)
LONG_BY_ELEMENT_SCALAR(SQDMLSL, el_sqdmlsl)
LONG_BY_ELEMENT_SCALAR(SQDMULL, el_sqdmull)
