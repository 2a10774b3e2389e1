/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: Advanced SIMD on integers, classes "three same", "three different"
 * and "by element". See emu/jit_vec_priv.h; what each does is in
 * emu/interp_simd_same.c and emu/interp_simd_diff.c. Thread: the vCPU's own.
 */
#include "emu/jit_vec_priv.h"

#define EL(name) static void el_##name(struct jit *j, unsigned size)

/* ---- Three same: element functions ---- */

EL(add)
{
	jit_vr(j, jit_v_add[size], JIT_R, JIT_N, JIT_M);
}

EL(sub)
{
	jit_vr(j, jit_v_sub[size], JIT_R, JIT_N, JIT_M);
}

EL(cmge)
{
	jit_vr(j, jit_v_gt[size], JIT_T, JIT_M, JIT_N);
	jit_v_not(j, JIT_R, JIT_T);
}

EL(cmhs)
{
	if (size == 3 && !(j->host_has & JIT_AVX512)) {
		jit_vk(j, X86_VPXOR, JIT_T, JIT_N, JIT_K_SIGN_D);
		jit_vk(j, X86_VPXOR, JIT_U, JIT_M, JIT_K_SIGN_D);
		jit_vr(j, X86_VPCMPGTQ, JIT_T, JIT_U, JIT_T);
		jit_v_not(j, JIT_R, JIT_T);
	} else {
		jit_vr(j, jit_v_umax[size], JIT_R, JIT_N, JIT_M);
		jit_vr(j, jit_v_eq[size], JIT_R, JIT_R, JIT_N);
	}
}

EL(cmhi)
{
	if (size == 3 && !(j->host_has & JIT_AVX512)) {
		jit_vk(j, X86_VPXOR, JIT_T, JIT_N, JIT_K_SIGN_D);
		jit_vk(j, X86_VPXOR, JIT_U, JIT_M, JIT_K_SIGN_D);
		jit_vr(j, X86_VPCMPGTQ, JIT_R, JIT_T, JIT_U);
	} else {
		jit_vr(j, jit_v_umin[size], JIT_T, JIT_N, JIT_M);
		jit_vr(j, jit_v_eq[size], JIT_T, JIT_T, JIT_N);
		jit_v_not(j, JIT_R, JIT_T);
	}
}

EL(cmtst)
{
	jit_vr(j, X86_VPAND, JIT_T, JIT_N, JIT_M);
	jit_v_zero(j, JIT_R);
	jit_vr(j, jit_v_eq[size], JIT_T, JIT_T, JIT_R);
	jit_v_not(j, JIT_R, JIT_T);
}

EL(smax)
{
	jit_vr(j, jit_v_smax[size], JIT_R, JIT_N, JIT_M);
}

EL(smin)
{
	jit_vr(j, jit_v_smin[size], JIT_R, JIT_N, JIT_M);
}

EL(umax)
{
	jit_vr(j, jit_v_umax[size], JIT_R, JIT_N, JIT_M);
}

EL(umin)
{
	jit_vr(j, jit_v_umin[size], JIT_R, JIT_N, JIT_M);
}

EL(sabd)
{
	jit_vr(j, jit_v_smax[size], JIT_R, JIT_N, JIT_M);
	jit_vr(j, jit_v_smin[size], JIT_T, JIT_N, JIT_M);
	jit_vr(j, jit_v_sub[size], JIT_R, JIT_R, JIT_T);
}

EL(uabd)
{
	jit_vr(j, jit_v_umax[size], JIT_R, JIT_N, JIT_M);
	jit_vr(j, jit_v_umin[size], JIT_T, JIT_N, JIT_M);
	jit_vr(j, jit_v_sub[size], JIT_R, JIT_R, JIT_T);
}

EL(mul)
{
	if (size == 0) {
		/* Even bytes, and odd ones. */
		x86_v_shift(&j->buf, X86_VSRL, 1, JIT_T, JIT_N, 8);
		x86_v_shift(&j->buf, X86_VSRL, 1, JIT_U, JIT_M, 8);
		jit_vr(j, X86_VPMULLW, JIT_T, JIT_T, JIT_U);
		x86_v_shift(&j->buf, X86_VSLL, 1, JIT_T, JIT_T, 8);
		jit_vr(j, X86_VPMULLW, JIT_R, JIT_N, JIT_M);
		jit_vk(j, X86_VPAND, JIT_R, JIT_R, JIT_K_LOW_B);
		jit_vr(j, X86_VPOR, JIT_R, JIT_R, JIT_T);
	} else {
		jit_vr(j, size == 1 ? X86_VPMULLW : X86_VPMULLD, JIT_R, JIT_N, JIT_M);
	}
}

/* Averages: what both have, and half of what one has. */
EL(uhadd)
{
	jit_vr(j, X86_VPXOR, JIT_T, JIT_N, JIT_M);
	jit_v_shift_right(j, false, size, JIT_U, JIT_T, 1);
	jit_vr(j, X86_VPAND, JIT_R, JIT_N, JIT_M);
	jit_vr(j, jit_v_add[size], JIT_R, JIT_R, JIT_U);
}

EL(shadd)
{
	jit_vr(j, X86_VPXOR, JIT_T, JIT_N, JIT_M);
	jit_v_shift_right(j, true, size, JIT_U, JIT_T, 1);
	jit_vr(j, X86_VPAND, JIT_R, JIT_N, JIT_M);
	jit_vr(j, jit_v_add[size], JIT_R, JIT_R, JIT_U);
}

EL(urhadd)
{
	if (size < 2) {
		jit_vr(j, size ? X86_VPAVGW : X86_VPAVGB, JIT_R, JIT_N, JIT_M);
		return;
	}
	jit_vr(j, X86_VPXOR, JIT_T, JIT_N, JIT_M);
	jit_v_shift_right(j, false, size, JIT_U, JIT_T, 1);
	jit_vr(j, X86_VPOR, JIT_R, JIT_N, JIT_M);
	jit_vr(j, jit_v_sub[size], JIT_R, JIT_R, JIT_U);
}

EL(srhadd)
{
	jit_vr(j, X86_VPXOR, JIT_T, JIT_N, JIT_M);
	jit_v_shift_right(j, true, size, JIT_U, JIT_T, 1);
	jit_vr(j, X86_VPOR, JIT_R, JIT_N, JIT_M);
	jit_vr(j, jit_v_sub[size], JIT_R, JIT_R, JIT_U);
}

/* n - m = (n ^ m) - 2 (~n & m), in two's complement too. */
EL(uhsub)
{
	jit_vr(j, X86_VPXOR, JIT_T, JIT_N, JIT_M);
	jit_v_shift_right(j, false, size, JIT_R, JIT_T, 1);
	jit_vr(j, X86_VPANDN, JIT_U, JIT_N, JIT_M);
	jit_vr(j, jit_v_sub[size], JIT_R, JIT_R, JIT_U);
}

EL(shsub)
{
	jit_vr(j, X86_VPXOR, JIT_T, JIT_N, JIT_M);
	jit_v_shift_right(j, true, size, JIT_R, JIT_T, 1);
	jit_vr(j, X86_VPANDN, JIT_U, JIT_N, JIT_M);
	jit_vr(j, jit_v_sub[size], JIT_R, JIT_R, JIT_U);
}

#define SAME(name, fn) \
	JIT_INSN(name##_vec) \
	{ \
		jit_v_same(j, a->size, a->Q, a->Rd, a->Rn, a->Rm, fn); \
	}
#define SCALAR(name, fn) \
	JIT_INSN(name##_s) \
	{ \
		jit_v_same(j, a->size, false, a->Rd, a->Rn, a->Rm, fn); \
	}
#define BOTH(name, fn) SAME(name, fn) SCALAR(name, fn)
#define SAME_OP(name, ops) \
	JIT_INSN(name##_vec) \
	{ \
		jit_v_same_op(j, ops[a->size], a->Q, a->Rd, a->Rn, a->Rm); \
	}
#define BOTH_OP(name, ops) \
	SAME_OP(name, ops) \
	JIT_INSN(name##_s) \
	{ \
		jit_v_same_op(j, ops[a->size], false, a->Rd, a->Rn, a->Rm); \
	}

BOTH_OP(ADD, jit_v_add)
BOTH_OP(SUB, jit_v_sub)
BOTH_OP(CMEQ, jit_v_eq)
BOTH_OP(CMGT, jit_v_gt)
BOTH(CMGE, el_cmge)
BOTH(CMHI, el_cmhi)
BOTH(CMHS, el_cmhs)
BOTH(CMTST, el_cmtst)
SAME_OP(SMAX, jit_v_smax)
SAME_OP(SMIN, jit_v_smin)
SAME_OP(UMAX, jit_v_umax)
SAME_OP(UMIN, jit_v_umin)
SAME(SABD, el_sabd)
SAME(UABD, el_uabd)
SAME(MUL, el_mul)
SAME(UHADD, el_uhadd)
SAME(SHADD, el_shadd)
SAME(URHADD, el_urhadd)
SAME(SRHADD, el_srhadd)
SAME(UHSUB, el_uhsub)
SAME(SHSUB, el_shsub)

/* With the destination's old value, which R is added to or subtracted from. */
#define ACCUMULATE(name, fn, op) \
	JIT_INSN(name##_vec) \
	{ \
		jit_v_load(j, JIT_N, a->Rn); \
		jit_v_load(j, JIT_M, a->Rm); \
		fn(j, a->size); \
		jit_v_load(j, JIT_D, a->Rd); \
		jit_vr(j, op[a->size], JIT_R, JIT_D, JIT_R); \
		jit_v_store_q(j, a->Q, a->Rd, JIT_R); \
	}

ACCUMULATE(MLA, el_mul, jit_v_add)
ACCUMULATE(MLS, el_mul, jit_v_sub)
ACCUMULATE(SABA, el_sabd, jit_v_add)
ACCUMULATE(UABA, el_uabd, jit_v_add)
#undef ACCUMULATE

/* ---- Doubling, saturating products: T = ones where they saturate ---- */

/* The doubled high half. Only the square of the most negative saturates, to what looks like it but for the sign. */
static void doubled_high(struct jit *j, unsigned size, bool round)
{
	struct x86_buf *b = &j->buf;

	if (size == 2) {
		/* Even words, and odd ones. */
		x86_v_shift(b, X86_VSRL, 3, JIT_T, JIT_N, 32);
		x86_v_shift(b, X86_VSRL, 3, JIT_U, JIT_M, 32);
		jit_vr(j, X86_VPMULDQ, JIT_T, JIT_T, JIT_U);
		jit_vr(j, X86_VPMULDQ, JIT_R, JIT_N, JIT_M);
		if (round) {
			jit_v_imm_elems(j, JIT_Z, 3, 1ull << 30);
			jit_vr(j, X86_VPADDQ, JIT_T, JIT_T, JIT_Z);
			jit_vr(j, X86_VPADDQ, JIT_R, JIT_R, JIT_Z);
		}
		x86_v_shift(b, X86_VSRL, 3, JIT_R, JIT_R, 31);
		x86_v_shift(b, X86_VSLL, 3, JIT_T, JIT_T, 1);
		x86_vi(b, X86_VPBLENDD, JIT_R, JIT_R, x86_r(JIT_T), 0xa);
	} else if (round) {
		jit_vr(j, X86_VPMULHRSW, JIT_R, JIT_N, JIT_M);
	} else {
		jit_vr(j, X86_VPMULHW, JIT_R, JIT_N, JIT_M);
		jit_vr(j, X86_VPMULLW, JIT_T, JIT_N, JIT_M);
		x86_v_shift(b, X86_VSLL, 1, JIT_R, JIT_R, 1);
		x86_v_shift(b, X86_VSRL, 1, JIT_T, JIT_T, 15);
		jit_vr(j, X86_VPOR, JIT_R, JIT_R, JIT_T);
	}
	jit_v_imm_elems(j, JIT_Z, size, 1ull << ((8u << size) - 1));
	jit_vr(j, jit_v_eq[size], JIT_T, JIT_N, JIT_Z);
	jit_vr(j, jit_v_eq[size], JIT_U, JIT_M, JIT_Z);
	jit_vr(j, X86_VPAND, JIT_T, JIT_T, JIT_U);
	jit_vr(j, X86_VPXOR, JIT_R, JIT_R, JIT_T);
}

#define DOUBLED_HIGH(name, round) \
	JIT_INSN(name##_vec) \
	{ \
		jit_v_load(j, JIT_N, a->Rn); \
		jit_v_load(j, JIT_M, a->Rm); \
		doubled_high(j, a->size, round); \
		jit_v_store_q(j, a->Q, a->Rd, JIT_R); \
		jit_v_set_qc(j, a->Q, JIT_T); \
	}

DOUBLED_HIGH(SQDMULH, false)
DOUBLED_HIGH(SQRDMULH, true)
#undef DOUBLED_HIGH

/* ---- Pairs ---- */

#define PAIRS(name, fn) \
	JIT_INSN(name##_vec) \
	{ \
		jit_v_load(j, JIT_T, a->Rn); \
		jit_v_load(j, JIT_U, a->Rm); \
		jit_v_unzip(j, a->size, a->Q, false, JIT_N, JIT_T, JIT_U); \
		jit_v_unzip(j, a->size, a->Q, true, JIT_M, JIT_T, JIT_U); \
		fn(j, a->size); \
		jit_v_store_q(j, a->Q, a->Rd, JIT_R); \
	}

PAIRS(ADDP, el_add)
PAIRS(SMAXP, el_smax)
PAIRS(SMINP, el_smin)
PAIRS(UMAXP, el_umax)
PAIRS(UMINP, el_umin)

JIT_INSN(ADDP_s)
{
	jit_v_load(j, JIT_N, a->Rn);
	x86_v_shift_bytes(&j->buf, false, JIT_M, JIT_N, 8);
	jit_vr(j, X86_VPADDQ, JIT_R, JIT_N, JIT_M);
	jit_v_store_q(j, false, a->Rd, JIT_R);
}

/* ---- Logic ---- */

EL(orn)
{
	if (j->host_has & JIT_AVX512) {
		jit_v_ternary(j, JIT_R, JIT_N, JIT_M, X86_TERN_B | ~X86_TERN_C);
	} else {
		jit_v_not(j, JIT_R, JIT_M);
		jit_vr(j, X86_VPOR, JIT_R, JIT_R, JIT_N);
	}
}

JIT_INSN(AND_vec)
{
	jit_v_same_op(j, X86_VPAND, a->Q, a->Rd, a->Rn, a->Rm);
}

JIT_INSN(BIC_vec)
{
	jit_v_same_op(j, X86_VPANDN, a->Q, a->Rd, a->Rm, a->Rn);
}

JIT_INSN(ORN_vec)
{
	jit_v_same(j, 0, a->Q, a->Rd, a->Rn, a->Rm, el_orn);
}

JIT_INSN(EOR_vec)
{
	jit_v_same_op(j, X86_VPXOR, a->Q, a->Rd, a->Rn, a->Rm);
}

JIT_INSN(ORR_vec)
{
	if (a->Rn == a->Rm) {
		/* MOV */
		unsigned n = jit_v_get(j, a->Rn), d = jit_v_target(j, a->Rd);
		if (n != d || !a->Q)
			jit_v_move(j, a->Q ? X86_VMOVAPS : X86_VMOVQ, d, x86_r(n));
		jit_v_written_low(j, a->Rd, a->Q ? 4 : 3);
	} else {
		jit_v_same_op(j, X86_VPOR, a->Q, a->Rd, a->Rn, a->Rm);
	}
}

/* R = `base` with those bits of `other` where `mask` is, or is not, set. */
static void insert_bits(struct jit *j, unsigned base, unsigned other, unsigned mask, bool inverted)
{
	jit_vr(j, X86_VPXOR, JIT_T, base, other);
	if (inverted)
		jit_vr(j, X86_VPANDN, JIT_T, mask, JIT_T);
	else
		jit_vr(j, X86_VPAND, JIT_T, mask, JIT_T);
	jit_vr(j, X86_VPXOR, JIT_R, base, JIT_T);
}

/* Vd = a function of Vd, Vn and Vm, by one instruction. */
static void insert_by_one(struct jit *j, bool q, unsigned rd, unsigned rn, unsigned rm, int function)
{
	unsigned n = jit_v_get(j, rn), m = jit_v_get(j, rm), d = jit_v_get(j, rd);

	jit_v_ternary(j, d, n, m, function);
	jit_v_store_q(j, q, rd, d);
}

/* `function` has Vd, Vn and Vm as A, B and C. */
#define INSERT(name, base, other, mask, inverted, function) \
	JIT_INSN(name##_vec) \
	{ \
		if (j->host_has & JIT_AVX512) { \
			insert_by_one(j, a->Q, a->Rd, a->Rn, a->Rm, function); \
			return; \
		} \
		jit_v_load(j, JIT_N, a->Rn); \
		jit_v_load(j, JIT_M, a->Rm); \
		jit_v_load(j, JIT_D, a->Rd); \
		insert_bits(j, base, other, mask, inverted); \
		jit_v_store_q(j, a->Q, a->Rd, JIT_R); \
	}

INSERT(BSL, JIT_M, JIT_N, JIT_D, false, (X86_TERN_B & X86_TERN_A) | (X86_TERN_C & ~X86_TERN_A))
INSERT(BIT, JIT_D, JIT_N, JIT_M, false, (X86_TERN_B & X86_TERN_C) | (X86_TERN_A & ~X86_TERN_C))
INSERT(BIF, JIT_D, JIT_N, JIT_M, true, (X86_TERN_B & ~X86_TERN_C) | (X86_TERN_A & X86_TERN_C))
#undef INSERT

/* ---- Three different ---- */

/* Extends a half of Vn. */
static void load_extended(struct jit *j, bool is_signed, unsigned size, bool upper, unsigned xmm, unsigned n)
{
	jit_vr(j, (is_signed ? jit_v_sx : jit_v_zx)[size], xmm, 0, jit_v_part(j, xmm, n, upper ? 8 : 0));
}

/* Operands extended first, then an element function of twice the size. */
#define LONG(name, is_signed, fn) \
	JIT_INSN(name) \
	{ \
		load_extended(j, is_signed, a->size, a->Q, JIT_N, a->Rn); \
		load_extended(j, is_signed, a->size, a->Q, JIT_M, a->Rm); \
		fn(j, a->size + 1u); \
		jit_v_store(j, a->Rd, JIT_R); \
	}
#define LONG_ACCUMULATE(name, is_signed, fn) \
	JIT_INSN(name) \
	{ \
		load_extended(j, is_signed, a->size, a->Q, JIT_N, a->Rn); \
		load_extended(j, is_signed, a->size, a->Q, JIT_M, a->Rm); \
		fn(j, a->size + 1u); \
		jit_v_load(j, JIT_D, a->Rd); \
		jit_vr(j, jit_v_add[a->size + 1], JIT_R, JIT_R, JIT_D); \
		jit_v_store(j, a->Rd, JIT_R); \
	}
#define WIDE(name, is_signed, fn) \
	JIT_INSN(name) \
	{ \
		jit_v_load(j, JIT_N, a->Rn); \
		load_extended(j, is_signed, a->size, a->Q, JIT_M, a->Rm); \
		fn(j, a->size + 1u); \
		jit_v_store(j, a->Rd, JIT_R); \
	}

/* The absolute difference of extended values, which fits with its sign. */
EL(long_abd)
{
	if (size < 3) {
		el_sabd(j, size);
		return;
	}
	jit_vr(j, X86_VPSUBQ, JIT_R, JIT_N, JIT_M);
	if (j->host_has & JIT_AVX512) {
		jit_vr(j, X86_VPABSQ, JIT_R, 0, JIT_R);
		return;
	}
	jit_v_zero(j, JIT_T);
	jit_vr(j, X86_VPCMPGTQ, JIT_T, JIT_T, JIT_R);
	jit_vr(j, X86_VPXOR, JIT_R, JIT_R, JIT_T);
	jit_vr(j, X86_VPSUBQ, JIT_R, JIT_R, JIT_T);
}

LONG(SADDL, true, el_add)
LONG(UADDL, false, el_add)
LONG(SSUBL, true, el_sub)
LONG(USUBL, false, el_sub)
LONG(SABDL, true, el_long_abd)
LONG(UABDL, false, el_long_abd)
LONG_ACCUMULATE(SABAL, true, el_long_abd)
LONG_ACCUMULATE(UABAL, false, el_long_abd)
WIDE(SADDW, true, el_add)
WIDE(UADDW, false, el_add)
WIDE(SSUBW, true, el_sub)
WIDE(USUBW, false, el_sub)

/* R = the long product of halves of N and M. */
static void long_product(struct jit *j, bool is_signed, unsigned size, bool upper)
{
	struct x86_buf *b = &j->buf;

	switch (size) {
	case 0:
		if (upper) {
			x86_v_shift_bytes(b, false, JIT_T, JIT_N, 8);
			x86_v_shift_bytes(b, false, JIT_U, JIT_M, 8);
		}
		jit_vr(j, (is_signed ? jit_v_sx : jit_v_zx)[0], JIT_T, 0, upper ? JIT_T : JIT_N);
		jit_vr(j, (is_signed ? jit_v_sx : jit_v_zx)[0], JIT_U, 0, upper ? JIT_U : JIT_M);
		jit_vr(j, X86_VPMULLW, JIT_R, JIT_T, JIT_U);
		break;
	case 1:
		jit_vr(j, X86_VPMULLW, JIT_T, JIT_N, JIT_M);
		jit_vr(j, is_signed ? X86_VPMULHW : X86_VPMULHUW, JIT_U, JIT_N, JIT_M);
		jit_vr(j, upper ? X86_VPUNPCKHWD : X86_VPUNPCKLWD, JIT_R, JIT_T, JIT_U);
		break;
	default:
		x86_vi(b, X86_VPSHUFD, JIT_T, 0, x86_r(JIT_N), upper ? 0xfa : 0x50);
		x86_vi(b, X86_VPSHUFD, JIT_U, 0, x86_r(JIT_M), upper ? 0xfa : 0x50);
		jit_vr(j, is_signed ? X86_VPMULDQ : X86_VPMULUDQ, JIT_R, JIT_T, JIT_U);
		break;
	}
}

enum product { PRODUCT, PRODUCT_ADD, PRODUCT_SUB };

/* R = D, R or both, and into Vd. `size` is the result's. */
static void accumulate(struct jit *j, enum product what, unsigned size, bool q, unsigned rd)
{
	if (what != PRODUCT) {
		jit_v_load(j, JIT_D, rd);
		jit_vr(j, (what == PRODUCT_ADD ? jit_v_add : jit_v_sub)[size], JIT_R, JIT_D, JIT_R);
	}
	jit_v_store_q(j, q, rd, JIT_R);
}

/* M = the element that size, H, L, M and Rm name, in every element. */
static void load_element(struct jit *j, const struct a64_args_MUL_elem *a)
{
	if (a->size == 1)
		jit_vr(j, X86_VPBROADCASTW, JIT_M, 0, jit_v_part(j, JIT_M, a->Rm, 2u * (a->H << 2 | a->L << 1 | a->M)));
	else
		x86_vi(&j->buf, X86_VPSHUFD, JIT_M, 0, jit_v_rm(j, (unsigned)a->M << 4 | a->Rm), 0x55u * (a->H << 1 | a->L));
}

#define PRODUCTS(name, is_signed, what) \
	JIT_INSN(name##_vec) \
	{ \
		jit_v_load(j, JIT_N, a->Rn); \
		jit_v_load(j, JIT_M, a->Rm); \
		long_product(j, is_signed, a->size, a->Q); \
		accumulate(j, what, a->size + 1u, true, a->Rd); \
	} \
	JIT_INSN(name##_elem) \
	{ \
		jit_v_load(j, JIT_N, a->Rn); \
		load_element(j, a); \
		long_product(j, is_signed, a->size, a->Q); \
		accumulate(j, what, a->size + 1u, true, a->Rd); \
	}

PRODUCTS(SMULL, true, PRODUCT)
PRODUCTS(UMULL, false, PRODUCT)
PRODUCTS(SMLAL, true, PRODUCT_ADD)
PRODUCTS(UMLAL, false, PRODUCT_ADD)
PRODUCTS(SMLSL, true, PRODUCT_SUB)
PRODUCTS(UMLSL, false, PRODUCT_SUB)

#define BY_ELEMENT(name, what) \
	JIT_INSN(name##_elem) \
	{ \
		jit_v_load(j, JIT_N, a->Rn); \
		load_element(j, a); \
		el_mul(j, a->size); \
		accumulate(j, what, a->size, a->Q, a->Rd); \
	}

BY_ELEMENT(MUL, PRODUCT)
BY_ELEMENT(MLA, PRODUCT_ADD)
BY_ELEMENT(MLS, PRODUCT_SUB)

#define DOUBLED_HIGH_ELEMENT(name, round) \
	JIT_INSN(name##_elem) \
	{ \
		jit_v_load(j, JIT_N, a->Rn); \
		load_element(j, a); \
		doubled_high(j, a->size, round); \
		jit_v_store_q(j, a->Q, a->Rd, JIT_R); \
		jit_v_set_qc(j, a->Q, JIT_T); \
	}

DOUBLED_HIGH_ELEMENT(SQDMULH, false)
DOUBLED_HIGH_ELEMENT(SQRDMULH, true)

/* The upper half of the sum or difference of wide elements. */
static void high_narrow(struct jit *j, const struct a64_args_ADDHN *a, const uint32_t *op, bool round)
{
	unsigned wide = a->size + 1u;

	jit_v_load(j, JIT_N, a->Rn);
	jit_v_load(j, JIT_M, a->Rm);
	jit_vr(j, op[wide], JIT_R, JIT_N, JIT_M);
	if (round) {
		jit_v_imm_elems(j, JIT_T, wide, 1ull << ((8u << a->size) - 1));
		jit_vr(j, jit_v_add[wide], JIT_R, JIT_R, JIT_T);
	}
	x86_v_shift(&j->buf, X86_VSRL, wide, JIT_T, JIT_R, 8u << a->size);
	jit_v_narrow(j, a->size, JIT_R, JIT_T);
	jit_v_store_part(j, a->Q, a->Rd, JIT_R);
}

JIT_INSN(ADDHN)
{
	high_narrow(j, a, jit_v_add, false);
}

JIT_INSN(RADDHN)
{
	high_narrow(j, a, jit_v_add, true);
}

JIT_INSN(SUBHN)
{
	high_narrow(j, a, jit_v_sub, false);
}

JIT_INSN(RSUBHN)
{
	high_narrow(j, a, jit_v_sub, true);
}

/* ---- Dot products ---- */

/* M holds four bytes for each word of N. */
static void dot(struct jit *j, bool is_signed, bool q, unsigned rd)
{
	struct x86_buf *b = &j->buf;

	for (unsigned i = 0; i < 2; i++) {
		/* Odd bytes, then even ones, as halfwords. */
		unsigned n = i ? JIT_N : JIT_T, m = i ? JIT_M : JIT_U;
		if (i) {
			x86_v_shift(b, X86_VSLL, 1, n, JIT_N, 8);
			x86_v_shift(b, X86_VSLL, 1, m, JIT_M, 8);
		}
		x86_v_shift(b, is_signed ? X86_VSRA : X86_VSRL, 1, n, JIT_N, 8);
		x86_v_shift(b, is_signed ? X86_VSRA : X86_VSRL, 1, m, JIT_M, 8);
		jit_vr(j, X86_VPMADDWD, n, n, m);
	}
	jit_v_load(j, JIT_D, rd);
	jit_vr(j, X86_VPADDD, JIT_R, JIT_N, JIT_T);
	jit_vr(j, X86_VPADDD, JIT_R, JIT_R, JIT_D);
	jit_v_store_q(j, q, rd, JIT_R);
}

#define DOT(name, is_signed) \
	JIT_INSN(name##_vec) \
	{ \
		jit_v_load(j, JIT_N, a->Rn); \
		jit_v_load(j, JIT_M, a->Rm); \
		dot(j, is_signed, a->Q, a->Rd); \
	} \
	JIT_INSN(name##_elem) \
	{ \
		jit_v_load(j, JIT_N, a->Rn); \
		x86_vi(&j->buf, X86_VPSHUFD, JIT_M, 0, jit_v_rm(j, (unsigned)a->M << 4 | a->Rm), 0x55u * (a->H << 1 | a->L)); \
		dot(j, is_signed, a->Q, a->Rd); \
	}

DOT(SDOT, true)
DOT(UDOT, false)
