/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Advanced SIMD on integers, classes "two-register miscellaneous", "across
 * lanes" and "scalar pairwise" (Arm ARM C4.1 and C7.2).
 */
#include "emu/simd_priv.h"

/* ---- operations of one source: `m` is unused ---- */

#define OP(name) SIMD_INLINE uint64_t el_##name(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits)

OP(suqadd)
{
	return simd_sat_s(cpu, (simd_int)simd_sx(d, bits) + (simd_int)n, bits);
}

OP(usqadd)
{
	return simd_sat_u(cpu, (simd_int)d + simd_sx(n, bits), bits);
}

OP(clz)
{
	return n ? (unsigned)__builtin_clzll(n) - (64 - bits) : bits;
}

/* Sign bits below the top one: leading zeroes of the value xor its shift by one. */
OP(cls)
{
	uint64_t top = 1ull << (bits - 1);

	return el_clz(cpu, d, ((n ^ n << 1) & simd_ones(bits) & ~1ull) | (top >> (bits - 1)), m, bits);
}

OP(cnt)
{
	return (unsigned)__builtin_popcountll(n);
}

OP(not)
{
	return ~n;
}

OP(rbit)
{
	uint64_t val = 0;

	for (unsigned i = 0; i < bits; i++)
		val |= (n >> i & 1) << (bits - 1 - i);
	return val;
}

OP(abs)
{
	return simd_sx(n, bits) < 0 ? -n : n;
}

OP(neg)
{
	return -n;
}

OP(sqabs)
{
	simd_int val = simd_sx(n, bits);

	return simd_sat_s(cpu, val < 0 ? -val : val, bits);
}

OP(sqneg)
{
	return simd_sat_s(cpu, -(simd_int)simd_sx(n, bits), bits);
}

OP(cmgt_zero)
{
	return simd_bool(simd_sx(n, bits) > 0, bits);
}

OP(cmge_zero)
{
	return simd_bool(simd_sx(n, bits) >= 0, bits);
}

OP(cmeq_zero)
{
	return simd_bool(n == 0, bits);
}

OP(cmle_zero)
{
	return simd_bool(simd_sx(n, bits) <= 0, bits);
}

OP(cmlt_zero)
{
	return simd_bool(simd_sx(n, bits) < 0, bits);
}

/* Narrowing: `bits` is the width of the result, the source's is twice that. */
OP(xtn)
{
	return n;
}

OP(sqxtn)
{
	return simd_sat_s(cpu, simd_sx(n, 2 * bits), bits);
}

OP(uqxtn)
{
	return simd_sat_u(cpu, (simd_int)n, bits);
}

OP(sqxtun)
{
	return simd_sat_u(cpu, simd_sx(n, 2 * bits), bits);
}

/* SHLL shifts by the source's width. */
OP(shll)
{
	return n << bits;
}

/* ---- vectors ---- */

#define UNARY(name, sizes, fn) \
	INTERP(name##_vec) \
	{ \
		simd_check_vec(cpu, sizes, a->size, a->Q); \
		simd_vec_by(cpu, a->size, a->Q, a->Rd, a->Rn, 0, fn); \
	}

UNARY(SUQADD, SIMD_BHSD, el_suqadd)
UNARY(USQADD, SIMD_BHSD, el_usqadd)
UNARY(CLS, SIMD_BHS, el_cls)
UNARY(CLZ, SIMD_BHS, el_clz)
UNARY(SQABS, SIMD_BHSD, el_sqabs)
UNARY(SQNEG, SIMD_BHSD, el_sqneg)
UNARY(CMGT_zero, SIMD_BHSD, el_cmgt_zero)
UNARY(CMGE_zero, SIMD_BHSD, el_cmge_zero)
UNARY(CMEQ_zero, SIMD_BHSD, el_cmeq_zero)
UNARY(CMLE_zero, SIMD_BHSD, el_cmle_zero)
UNARY(CMLT_zero, SIMD_BHSD, el_cmlt_zero)
UNARY(ABS, SIMD_BHSD, el_abs)
UNARY(NEG, SIMD_BHSD, el_neg)
#undef UNARY

/* Of bytes or words only. */
#define UNARY(name, size, fn) \
	INTERP(name) \
	{ \
		simd_vec_by(cpu, size, a->Q, a->Rd, a->Rn, 0, fn); \
	}

UNARY(CNT_vec, 0, el_cnt)
UNARY(NOT_vec, 0, el_not)
UNARY(RBIT_vec, 0, el_rbit)
#undef UNARY

#define NARROW(name, fn) \
	INTERP(name) \
	{ \
		simd_check_scalar(cpu, SIMD_BHS, a->size); \
		simd_narrow_by(cpu, a->size, a->Q, a->Rd, a->Rn, 0, fn); \
	}

NARROW(XTN, el_xtn)
NARROW(SQXTN_vec, el_sqxtn)
NARROW(UQXTN_vec, el_uqxtn)
NARROW(SQXTUN_vec, el_sqxtun)
#undef NARROW

INTERP(SHLL)
{
	simd_check_scalar(cpu, SIMD_BHS, a->size);
	simd_long_by(cpu, a->size, a->Q, a->Rd, a->Rn, 0, el_shll);
}

/* Reverses the elements of `size` in each container of 8 << container bits. */
SIMD_INLINE void reverse(struct emu_cpu *cpu, unsigned container, unsigned size, bool q, unsigned rd, unsigned rn)
{
	struct emu_vreg n = cpu->v[rn], d = { .d = { 0, 0 } };

	if (size >= container)
		emu_raise_undefined(cpu);
	for (unsigned i = 0; i < 16u >> size; i++)
		simd_set(&d, size, i, simd_get(&n, size, i ^ ((1u << (container - size)) - 1)));
	interp_set_v(cpu, rd, &d, q);
}

INTERP(REV64_vec)
{
	reverse(cpu, 3, a->size, a->Q, a->Rd, a->Rn);
}

INTERP(REV32_vec)
{
	reverse(cpu, 2, a->size, a->Q, a->Rd, a->Rn);
}

INTERP(REV16_vec)
{
	reverse(cpu, 1, 0, a->Q, a->Rd, a->Rn);
}

/* Sums of neighbours, twice as wide, added to Vd or replacing it. */
SIMD_INLINE void long_pairs(struct emu_cpu *cpu, unsigned size, bool q, unsigned rd, unsigned rn, bool is_signed,
			    bool accumulate)
{
	struct emu_vreg n = cpu->v[rn], d = cpu->v[rd];
	unsigned bits = 8u << size;

	simd_check_scalar(cpu, SIMD_BHS, size);
	for (unsigned i = 0; i < 8u >> size; i++) {
		uint64_t a = simd_get(&n, size, 2 * i), b = simd_get(&n, size, 2 * i + 1);
		uint64_t sum = is_signed ? (uint64_t)(simd_sx(a, bits) + simd_sx(b, bits)) : a + b;

		simd_set(&d, size + 1, i, accumulate ? simd_get(&d, size + 1, i) + sum : sum);
	}
	interp_set_v(cpu, rd, &d, q);
}

INTERP(SADDLP)
{
	long_pairs(cpu, a->size, a->Q, a->Rd, a->Rn, true, false);
}

INTERP(UADDLP)
{
	long_pairs(cpu, a->size, a->Q, a->Rd, a->Rn, false, false);
}

INTERP(SADALP)
{
	long_pairs(cpu, a->size, a->Q, a->Rd, a->Rn, true, true);
}

INTERP(UADALP)
{
	long_pairs(cpu, a->size, a->Q, a->Rd, a->Rn, false, true);
}

/* ---- scalars ---- */

#define UNARY(name, sizes, fn) \
	INTERP(name##_s) \
	{ \
		simd_check_scalar(cpu, sizes, a->size); \
		simd_scalar_by(cpu, a->size, a->Rd, a->Rn, 0, fn); \
	}

UNARY(SUQADD, SIMD_BHSD, el_suqadd)
UNARY(USQADD, SIMD_BHSD, el_usqadd)
UNARY(SQABS, SIMD_BHSD, el_sqabs)
UNARY(SQNEG, SIMD_BHSD, el_sqneg)
UNARY(CMGT_zero, SIMD_D, el_cmgt_zero)
UNARY(CMGE_zero, SIMD_D, el_cmge_zero)
UNARY(CMEQ_zero, SIMD_D, el_cmeq_zero)
UNARY(CMLE_zero, SIMD_D, el_cmle_zero)
UNARY(CMLT_zero, SIMD_D, el_cmlt_zero)
UNARY(ABS, SIMD_D, el_abs)
UNARY(NEG, SIMD_D, el_neg)
#undef UNARY

#define NARROW(name, fn) \
	INTERP(name) \
	{ \
		simd_check_scalar(cpu, SIMD_BHS, a->size); \
		uint64_t val = fn(cpu, 0, simd_get(&cpu->v[a->Rn], a->size + 1, 0), 0, 8u << a->size); \
		interp_set_d(cpu, a->Rd, val & simd_ones(8u << a->size)); \
	}

NARROW(SQXTN_s, el_sqxtn)
NARROW(UQXTN_s, el_uqxtn)
NARROW(SQXTUN_s, el_sqxtun)
#undef NARROW

INTERP(ADDP_s)
{
	interp_set_d(cpu, a->Rd, cpu->v[a->Rn].d[0] + cpu->v[a->Rn].d[1]);
}

/* ---- across lanes ---- */

/* Bytes and halfwords of either width, words of a whole register only. */
static void check_across(struct emu_cpu *cpu, unsigned size, bool q)
{
	if (size == 3 || (size == 2 && !q))
		emu_raise_undefined(cpu);
}

#define REDUCE(name, fn) \
	INTERP(name) \
	{ \
		const struct emu_vreg *n = &cpu->v[a->Rn]; \
		unsigned bits = 8u << a->size; \
		check_across(cpu, a->size, a->Q); \
		uint64_t val = simd_get(n, a->size, 0); \
		for (unsigned i = 1; i < (a->Q ? 16u : 8u) >> a->size; i++) \
			val = fn(cpu, 0, val, simd_get(n, a->size, i), bits); \
		interp_set_d(cpu, a->Rd, val & simd_ones(bits)); \
	}

REDUCE(SMAXV, simd_smax)
REDUCE(SMINV, simd_smin)
REDUCE(UMAXV, simd_umax)
REDUCE(UMINV, simd_umin)
REDUCE(ADDV, simd_add)
#undef REDUCE

INTERP(SADDLV)
{
	const struct emu_vreg *n = &cpu->v[a->Rn];
	unsigned bits = 8u << a->size;
	uint64_t sum = 0;

	check_across(cpu, a->size, a->Q);
	for (unsigned i = 0; i < (a->Q ? 16u : 8u) >> a->size; i++)
		sum += (uint64_t)simd_sx(simd_get(n, a->size, i), bits);
	interp_set_d(cpu, a->Rd, sum & simd_ones(2 * bits));
}

INTERP(UADDLV)
{
	const struct emu_vreg *n = &cpu->v[a->Rn];
	uint64_t sum = 0;

	check_across(cpu, a->size, a->Q);
	for (unsigned i = 0; i < (a->Q ? 16u : 8u) >> a->size; i++)
		sum += simd_get(n, a->size, i);
	interp_set_d(cpu, a->Rd, sum & simd_ones(16u << a->size));
}
