/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: floating-point conversions: between formats, with integers, and to
 * integers in floating point. See emu/jit_fp.c. Thread: the vCPU's own.
 */
#include "emu/jit_fp_priv.h"

/* ---- Between formats ---- */

/* The second source of a scalar conversion is what the rest of the result is taken from. */
JIT_INSN(FCVT_s_d)
{
	jit_v_zero(j, JIT_R);
	x86_v(&j->buf, X86_VCVTSS2SD, JIT_R, JIT_R, jit_v_rm(j, a->Rn));
	struct jit_slow *s = jit_fp_check_nan(j, true, JIT_R, JIT_R);
	jit_v_store_low(j, 3, a->Rd, JIT_R);
	jit_v_slow_end(j, s);
}

JIT_INSN(FCVT_d_s)
{
	jit_v_zero(j, JIT_R);
	x86_v(&j->buf, X86_VCVTSD2SS, JIT_R, JIT_R, jit_v_rm(j, a->Rn));
	struct jit_slow *s = jit_fp_check_tiny(j, false, JIT_R);
	jit_v_store_low(j, 2, a->Rd, JIT_R);
	jit_v_slow_end(j, s);
}

JIT_INSN(FCVT_h_s)
{
	jit_v_elem_out(j, X86_RAX, 1, a->Rn, 0);
	x86_v(&j->buf, X86_VMOVD_IN, JIT_N, 0, x86_r(X86_RAX));
	jit_vr(j, X86_VCVTPH2PS, JIT_R, 0, JIT_N);
	struct jit_slow *s = jit_fp_check_nan(j, false, JIT_R, JIT_R);
	jit_v_store(j, a->Rd, JIT_R);
	jit_v_slow_end(j, s);
}

JIT_INSN(FCVTL)
{
	jit_vr(j, a->sz ? X86_VCVTPS2PD : X86_VCVTPH2PS, JIT_R, 0, jit_v_part(j, JIT_N, a->Rn, a->Q ? 8 : 0));
	struct jit_slow *s = jit_fp_check_lanes(j, a->sz, false);
	jit_v_store(j, a->Rd, JIT_R);
	jit_v_slow_end(j, s);
}

JIT_INSN(FCVT_h_d)
{
	jit_v_elem_out(j, X86_RAX, 1, a->Rn, 0);
	x86_v(&j->buf, X86_VMOVD_IN, JIT_N, 0, x86_r(X86_RAX));
	jit_vr(j, X86_VCVTPH2PS, JIT_N, 0, JIT_N);
	jit_v_zero(j, JIT_R);
	jit_vr(j, X86_VCVTSS2SD, JIT_R, JIT_R, JIT_N);
	struct jit_slow *s = jit_fp_check_nan(j, true, JIT_R, JIT_R);
	jit_v_store(j, a->Rd, JIT_R);
	jit_v_slow_end(j, s);
}

/* R = the singles of N as halves, by the guest's rounding mode. NaNs and smallest normal numbers are the interpreter's. */
static struct jit_slow *to_halves(struct jit *j)
{
	struct x86_buf *b = &j->buf;

	x86_vi(b, X86_VCVTPS2PH, JIT_N, 0, x86_r(JIT_R), X86_ROUND_MXCSR);
	x86_vi(b, X86_FP_CMP, JIT_T, JIT_N, x86_r(JIT_N), X86_CMP_UNORD_Q);
	jit_v_imm_elems(j, JIT_M, 1, 0x7fff);
	jit_vr(j, X86_VPAND, JIT_U, JIT_R, JIT_M);
	jit_v_imm_elems(j, JIT_M, 1, 0x0400);
	jit_vr(j, X86_VPCMPEQW, JIT_U, JIT_U, JIT_M);
	jit_vr(j, X86_VPOR, JIT_T, JIT_T, JIT_U);
	jit_vr(j, X86_VPTEST, JIT_T, 0, JIT_T);
	return jit_v_slow(j, x86_jcc(b, X86_NE));
}

JIT_INSN(FCVT_s_h)
{
	jit_fp_load(j, false, JIT_N, a->Rn);
	struct jit_slow *s = to_halves(j);
	jit_v_store(j, a->Rd, JIT_R);
	jit_v_slow_end(j, s);
}

/* To singles, or halves. */
JIT_INSN(FCVTN)
{
	struct jit_slow *s;

	if (a->sz) {
		x86_v(&j->buf, X86_VCVTPD2PS, JIT_R, 0, jit_v_rm(j, a->Rn));
		/* The lower half's, twice: zeroes would be looked at. */
		jit_vr(j, X86_VMOVDDUP, JIT_R, 0, JIT_R);
		s = jit_fp_check_lanes(j, false, true);
	} else {
		jit_v_load(j, JIT_N, a->Rn);
		s = to_halves(j);
	}
	jit_v_store_part(j, a->Q, a->Rd, JIT_R);
	jit_v_slow_end(j, s);
}

/* ---- From integers ---- */

JIT_INSN(SCVTF_gpr_s)
{
	uint32_t w = a->sf ? X86_W : 0;
	unsigned reg = jit_read_z(j, a->Rn, X86_RAX);

	jit_v_zero(j, JIT_R);
	x86_v(&j->buf, (a->sz ? X86_VCVTSI2SD : X86_VCVTSI2SS) | w, JIT_R, JIT_R, x86_r(reg));
	jit_v_store_low(j, a->sz ? 3 : 2, a->Rd, JIT_R);
}

/* R = the unsigned integer in `reg`, which is extended to 64 bits. Without JIT_AVX512 the interpreter has those that
 * use the top bit of 64: returns the slow path. */
static struct jit_slow *convert_unsigned(struct jit *j, bool is_double, bool is_64, unsigned reg)
{
	struct jit_slow *s = NULL;

	if (j->host_has & JIT_AVX512) {
		jit_v_zero(j, JIT_R);
		jit_vr(j, (is_double ? X86_VCVTUSI2SD : X86_VCVTUSI2SS) | (is_64 ? X86_W : 0), JIT_R, JIT_R, reg);
		return NULL;
	}
	if (is_64) {
		x86_test_rr(&j->buf, X86_W, reg, reg);
		s = jit_v_slow(j, x86_jcc(&j->buf, X86_S));
	}
	jit_v_zero(j, JIT_R);
	jit_vr(j, (is_double ? X86_VCVTSI2SD : X86_VCVTSI2SS) | X86_W, JIT_R, JIT_R, reg);
	return s;
}

static void from_unsigned(struct jit *j, bool is_double, bool is_64, unsigned reg, unsigned rd)
{
	struct jit_slow *s = convert_unsigned(j, is_double, is_64, reg);

	jit_v_store_low(j, is_double ? 3 : 2, rd, JIT_R);
	if (s)
		jit_v_slow_end(j, s);
}

JIT_INSN(UCVTF_gpr_s)
{
	if (!a->sf)
		jit_copy_z(j, 0, X86_RAX, a->Rn);
	from_unsigned(j, a->sz, a->sf, a->sf ? jit_read_z(j, a->Rn, X86_RAX) : X86_RAX, a->Rd);
}

JIT_INSN(SCVTF_s)
{
	jit_v_zero(j, JIT_R);
	jit_v_elem_out(j, X86_RAX, a->sz ? 3 : 2, a->Rn, 0);
	x86_v(&j->buf, a->sz ? X86_VCVTSI2SD | X86_W : X86_VCVTSI2SS, JIT_R, JIT_R, x86_r(X86_RAX));
	jit_v_store_low(j, a->sz ? 3 : 2, a->Rd, JIT_R);
}

JIT_INSN(UCVTF_s)
{
	jit_v_elem_out(j, X86_RAX, a->sz ? 3 : 2, a->Rn, 0);
	from_unsigned(j, a->sz, a->sz, X86_RAX, a->Rd);
}

JIT_INSN(SCVTF_vec)
{
	struct x86_buf *b = &j->buf;

	if (a->sz && j->host_has & JIT_AVX512) {
		jit_vr(j, X86_VCVTQQ2PD, JIT_R, 0, jit_v_get(j, a->Rn));
	} else if (a->sz) {
		jit_v_zero(j, JIT_T);
		jit_v_elem_out(j, X86_RAX, 3, a->Rn, 0);
		x86_v(b, X86_VCVTSI2SD | X86_W, JIT_R, JIT_T, x86_r(X86_RAX));
		jit_v_elem_out(j, X86_RAX, 3, a->Rn, 8);
		x86_v(b, X86_VCVTSI2SD | X86_W, JIT_N, JIT_T, x86_r(X86_RAX));
		jit_vr(j, X86_VPUNPCKLQDQ, JIT_R, JIT_R, JIT_N);
	} else {
		jit_fp_load_vec(j, a->Q, JIT_N, a->Rn);
		jit_vr(j, X86_VCVTDQ2PS, JIT_R, 0, JIT_N);
	}
	jit_v_store_q(j, a->Q, a->Rd, JIT_R);
}

/* The halves of a word or doubleword are exact, and only their sum is rounded. */
JIT_INSN(UCVTF_vec)
{
	jit_fp_load_vec(j, a->Q, JIT_N, a->Rn);
	if (j->host_has & JIT_AVX512) {
		jit_vr(j, a->sz ? X86_VCVTUQQ2PD : X86_VCVTUDQ2PS, JIT_R, 0, JIT_N);
		jit_v_store_q(j, a->Q, a->Rd, JIT_R);
		return;
	}
	if (a->sz) {
		/* As fractions of 2^84 and 2^52. The sum of zeroes is not to be -0. */
		x86_v_shift(&j->buf, X86_VSRL, 3, JIT_T, JIT_N, 32);
		jit_v_imm(j, JIT_M, 0x4530000000000000);
		jit_vr(j, X86_VPOR, JIT_T, JIT_T, JIT_M);
		jit_v_imm(j, JIT_M, 0x4530000000100000);
		jit_vr(j, x86_fp(X86_FP_SUB, true, false), JIT_T, JIT_T, JIT_M);
		jit_v_imm(j, JIT_M, 0x4330000000000000);
		x86_vi(&j->buf, X86_VPBLENDD, JIT_N, JIT_N, x86_r(JIT_M), 0xa);
		jit_vr(j, x86_fp(X86_FP_ADD, true, false), JIT_R, JIT_T, JIT_N);
		jit_vk(j, X86_VPAND, JIT_R, JIT_R, JIT_K_ABS_D);
		jit_v_store(j, a->Rd, JIT_R);
		return;
	}
	x86_v_shift(&j->buf, X86_VSRL, 2, JIT_T, JIT_N, 16);
	jit_vk(j, X86_VPAND, JIT_N, JIT_N, JIT_K_LOW_H);
	jit_vr(j, X86_VCVTDQ2PS, JIT_T, 0, JIT_T);
	jit_vr(j, X86_VCVTDQ2PS, JIT_N, 0, JIT_N);
	jit_v_imm_elems(j, JIT_M, 2, 0x47800000); /* 65536 */
	jit_vr(j, X86_FP_MUL, JIT_T, JIT_T, JIT_M);
	jit_vr(j, X86_FP_ADD, JIT_R, JIT_T, JIT_N);
	jit_v_store_q(j, a->Q, a->Rd, JIT_R);
}

/* ---- To whole numbers ---- */

/* Rounding to nearest with ties away, which the host lacks. */
enum { TIES_AWAY = 16 };

static void round_to(struct jit *j, bool is_double, bool is_scalar, unsigned dst, unsigned src, unsigned how)
{
	uint32_t op = X86_VROUNDPS + (is_double ? 1 : 0) + (is_scalar ? 2 : 0);

	x86_vi(&j->buf, op, dst, is_scalar ? src : 0, x86_r(src), how);
}

/* T = N rounded, without flags. N is finite, or the flags that an infinity raises do not matter. */
static void round_quietly(struct jit *j, bool is_double, bool is_scalar, unsigned how)
{
	if (how != TIES_AWAY) {
		round_to(j, is_double, is_scalar, JIT_T, JIT_N, how | X86_ROUND_QUIET);
		return;
	}
	/* To zero; 1 more where at least a half is left. All of it is exact. */
	round_to(j, is_double, is_scalar, JIT_T, JIT_N, X86_ROUND_ZERO | X86_ROUND_QUIET);
	jit_vr(j, x86_fp(X86_FP_SUB, is_double, is_scalar), JIT_U, JIT_N, JIT_T);
	jit_vk(j, X86_VPAND, JIT_U, JIT_U, is_double ? JIT_K_ABS_D : JIT_K_ABS_S);
	x86_v(&j->buf, X86_VMOVUPS, JIT_W, 0, jit_k(j, is_double ? JIT_K_HALF_FP_D : JIT_K_HALF_FP_S));
	x86_vi(&j->buf, x86_fp(X86_FP_CMP, is_double, false), JIT_U, JIT_W, x86_r(JIT_U), X86_CMP_LE_OQ);
	jit_vk(j, X86_VPAND, JIT_W, JIT_N, is_double ? JIT_K_SIGN_D : JIT_K_SIGN_S);
	jit_vk(j, X86_VPAND, JIT_U, JIT_U, is_double ? JIT_K_ONE_FP_D : JIT_K_ONE_FP_S);
	jit_vr(j, X86_VPOR, JIT_U, JIT_U, JIT_W);
	jit_vr(j, x86_fp(X86_FP_ADD, is_double, is_scalar), JIT_T, JIT_T, JIT_U);
}

/* Raises Inexact if N is no whole number. */
static void raise_inexact(struct jit *j, bool is_double, bool is_scalar)
{
	round_to(j, is_double, is_scalar, JIT_U, JIT_N, X86_ROUND_ZERO);
}

/* ---- To integers: what does not fit is the interpreter's ---- */

/* `reg` = N, which was loaded from Vn, as a signed integer. */
static struct jit_slow *to_signed(struct jit *j, bool is_double, bool is_64, unsigned reg, unsigned how)
{
	struct x86_buf *b = &j->buf;
	uint32_t w = is_64 ? X86_W : 0, convert = is_double ? X86_VCVTTSD2SI : X86_VCVTTSS2SI;
	bool in_place = how == X86_ROUND_ZERO;

	if (!in_place)
		round_quietly(j, is_double, true, how);
	x86_v(b, convert | w, reg, 0, x86_r(in_place ? JIT_N : JIT_T));
	/* The most negative number also stands for what does not fit. */
	x86_alu_imm(b, X86_CMP, w, x86_r(reg), 1);
	struct jit_slow *s = jit_v_slow(j, x86_jcc(b, X86_O));
	if (!in_place)
		raise_inexact(j, is_double, true);
	return s;
}

/* The same as an unsigned integer. Clobbers RCX. */
static struct jit_slow *to_unsigned(struct jit *j, bool is_double, bool is_64, unsigned reg, unsigned how)
{
	struct x86_buf *b = &j->buf;
	uint32_t w = is_double ? X86_W : 0, convert = is_double ? X86_VCVTTSD2SI : X86_VCVTTSS2SI;
	bool in_place = how == X86_ROUND_ZERO;
	uint64_t limit;

	/* As bit patterns, negative numbers and NaNs are large. Below 2^63, or up to 2^32 - 1, nothing is lost. */
	if (is_64)
		limit = is_double ? 0x43e0000000000000ull : 0x5f000000u;
	else
		limit = is_double ? 0x41efffffffe00001ull : 0x4f800000u;
	x86_v(b, X86_VMOVD_OUT | w, JIT_N, 0, x86_r(X86_RAX));
	x86_mov_imm(b, X86_RCX, limit);
	x86_alu(b, X86_CMP, w, X86_RAX, x86_r(X86_RCX));
	struct jit_slow *s = jit_v_slow(j, x86_jcc(b, X86_AE));
	if (!in_place)
		round_quietly(j, is_double, true, how);
	x86_v(b, convert | X86_W, reg, 0, x86_r(in_place ? JIT_N : JIT_T));
	if (!in_place)
		raise_inexact(j, is_double, true);
	return s;
}

static void to_gpr(struct jit *j, const struct a64_args_FCVTZS_gpr_s *a, bool is_unsigned, unsigned how)
{
	jit_fp_load(j, a->sz, JIT_N, a->Rn);
	/* Not into the guest's register before it is sure. */
	struct jit_slow *s = (is_unsigned ? to_unsigned : to_signed)(j, a->sz, a->sf, X86_RDX, how);
	jit_write_z(j, a->Rd, X86_RDX);
	jit_v_slow_end(j, s);
}

static void to_scalar(struct jit *j, bool is_double, unsigned rd, unsigned rn, bool is_unsigned, unsigned how)
{
	jit_fp_load(j, is_double, JIT_N, rn);
	struct jit_slow *s = (is_unsigned ? to_unsigned : to_signed)(j, is_double, is_double, X86_RDX, how);
	x86_v(&j->buf, X86_VMOVD_IN | (is_double ? X86_W : 0), JIT_R, 0, x86_r(X86_RDX));
	jit_v_store(j, rd, JIT_R);
	jit_v_slow_end(j, s);
}

/* T, or N, doubles: R = integers, by way of RDX and RCX. Out of line what does not fit as signed. */
static struct jit_slow *convert_doubles(struct jit *j, unsigned src)
{
	struct x86_buf *b = &j->buf;

	if (j->host_has & JIT_AVX512) {
		jit_vr(j, X86_VCVTTPD2QQ, JIT_R, 0, src);
		jit_vk(j, X86_VPCMPEQQ, JIT_U, JIT_R, JIT_K_SIGN_D);
		jit_vr(j, X86_VPTEST, JIT_U, 0, JIT_U);
		return jit_v_slow(j, x86_jcc(b, X86_NE));
	}
	x86_v(b, X86_VCVTTSD2SI | X86_W, X86_RDX, 0, x86_r(src));
	jit_vr(j, X86_VPUNPCKHQDQ, JIT_U, src, src);
	x86_v(b, X86_VCVTTSD2SI | X86_W, X86_RCX, 0, x86_r(JIT_U));
	x86_alu_imm(b, X86_CMP, X86_W, x86_r(X86_RDX), 1);
	struct jit_slow *s = jit_v_slow(j, x86_jcc(b, X86_O));
	x86_alu_imm(b, X86_CMP, X86_W, x86_r(X86_RCX), 1);
	s->branch[1] = x86_jcc(b, X86_O);
	x86_v(b, X86_VMOVD_IN | X86_W, JIT_R, 0, x86_r(X86_RDX));
	x86_vi(b, X86_VPINSRD | X86_W, JIT_R, JIT_R, x86_r(X86_RCX), 1);
	return s;
}

/* As unsigned up to 2^31, or 2^63. */
static void to_vec(struct jit *j, const struct a64_args_FCVTZS_vec *a, bool is_unsigned, unsigned how)
{
	struct x86_buf *b = &j->buf;
	struct jit_slow *small = NULL, *s = NULL;
	bool in_place = how == X86_ROUND_ZERO;
	unsigned src = in_place ? JIT_N : JIT_T;

	jit_fp_load_vec(j, a->Q, JIT_N, a->Rn);
	if (is_unsigned) {
		/* Bit patterns from that limit on, and negative ones. */
		jit_v_imm_elems(j, JIT_U, a->sz ? 3 : 2, a->sz ? 0x43dfffffffffffff : 0x4effffff);
		jit_vr(j, jit_v_gt[a->sz ? 3 : 2], JIT_U, JIT_N, JIT_U);
		jit_vr(j, X86_VPOR, JIT_U, JIT_U, JIT_N);
		x86_v(b, a->sz ? X86_VMOVMSKPD : X86_VMOVMSKPS, X86_RAX, 0, x86_r(JIT_U));
		x86_test_rr(b, 0, X86_RAX, X86_RAX);
		small = jit_v_slow(j, x86_jcc(b, X86_NE));
	}
	if (!in_place)
		round_quietly(j, a->sz, false, how);
	if (a->sz) {
		s = convert_doubles(j, src);
	} else {
		jit_vr(j, X86_VCVTTPS2DQ, JIT_R, 0, src);
		if (!is_unsigned) {
			jit_vk(j, X86_VPCMPEQD, JIT_U, JIT_R, JIT_K_SIGN_S);
			jit_vr(j, X86_VPTEST, JIT_U, 0, JIT_U);
			s = jit_v_slow(j, x86_jcc(b, X86_NE));
		}
	}
	if (!in_place)
		raise_inexact(j, a->sz, false);
	jit_v_store_q(j, a->Q, a->Rd, JIT_R);
	if (s)
		jit_v_slow_end(j, s);
	if (small)
		jit_v_slow_end(j, small);
}

#define TO_INTEGER(name, is_unsigned, how) \
	JIT_INSN(name##_gpr_s) \
	{ \
		to_gpr(j, a, is_unsigned, how); \
	} \
	JIT_INSN(name##_s) \
	{ \
		to_scalar(j, a->sz, a->Rd, a->Rn, is_unsigned, how); \
	} \
	JIT_INSN(name##_vec) \
	{ \
		to_vec(j, a, is_unsigned, how); \
	}

TO_INTEGER(FCVTZS, false, X86_ROUND_ZERO)
TO_INTEGER(FCVTZU, true, X86_ROUND_ZERO)
TO_INTEGER(FCVTNS, false, X86_ROUND_NEAREST)
TO_INTEGER(FCVTNU, true, X86_ROUND_NEAREST)
TO_INTEGER(FCVTPS, false, X86_ROUND_UP)
TO_INTEGER(FCVTPU, true, X86_ROUND_UP)
TO_INTEGER(FCVTMS, false, X86_ROUND_DOWN)
TO_INTEGER(FCVTMU, true, X86_ROUND_DOWN)
TO_INTEGER(FCVTAS, false, TIES_AWAY)
TO_INTEGER(FCVTAU, true, TIES_AWAY)

/* ---- To whole numbers in floating point ---- */

#define ROUND(name, how) \
	JIT_INSN(name##_s) \
	{ \
		jit_fp_load(j, a->sz, JIT_N, a->Rn); \
		round_to(j, a->sz, true, JIT_R, JIT_N, how); \
		struct jit_slow *s = jit_fp_check_nan(j, a->sz, JIT_R, JIT_R); \
		jit_v_store(j, a->Rd, JIT_R); \
		jit_v_slow_end(j, s); \
	} \
	JIT_INSN(name##_vec) \
	{ \
		jit_fp_load_vec(j, a->Q, JIT_N, a->Rn); \
		round_to(j, a->sz, false, JIT_R, JIT_N, how); \
		struct jit_slow *s = jit_fp_check_lanes(j, a->sz, false); \
		jit_v_store_q(j, a->Q, a->Rd, JIT_R); \
		jit_v_slow_end(j, s); \
	}

ROUND(FRINTN, X86_ROUND_NEAREST | X86_ROUND_QUIET)
ROUND(FRINTP, X86_ROUND_UP | X86_ROUND_QUIET)
ROUND(FRINTM, X86_ROUND_DOWN | X86_ROUND_QUIET)
ROUND(FRINTZ, X86_ROUND_ZERO | X86_ROUND_QUIET)
ROUND(FRINTI, X86_ROUND_MXCSR | X86_ROUND_QUIET)
ROUND(FRINTX, X86_ROUND_MXCSR)

/* Large numbers, which have no fraction, infinities and NaNs are the interpreter's. */
JIT_INSN(FRINTA_s)
{
	struct x86_buf *b = &j->buf;
	uint32_t w = a->sz ? X86_W : 0;

	jit_fp_load(j, a->sz, JIT_N, a->Rn);
	x86_v(b, X86_VMOVD_OUT | w, JIT_N, 0, x86_r(X86_RAX));
	x86_alu(b, X86_ADD, w, X86_RAX, x86_r(X86_RAX));
	x86_mov_imm(b, X86_RCX, a->sz ? 0x8660000000000000ull : 0x96000000u);
	x86_alu(b, X86_CMP, w, X86_RAX, x86_r(X86_RCX));
	struct jit_slow *s = jit_v_slow(j, x86_jcc(b, X86_AE));
	round_quietly(j, a->sz, true, TIES_AWAY);
	jit_v_store(j, a->Rd, JIT_T);
	jit_v_slow_end(j, s);
}

JIT_INSN(FRINTA_vec)
{
	unsigned size = a->sz ? 3 : 2;

	jit_fp_load_vec(j, a->Q, JIT_N, a->Rn);
	jit_vk(j, X86_VPAND, JIT_T, JIT_N, a->sz ? JIT_K_ABS_D : JIT_K_ABS_S);
	jit_v_imm_elems(j, JIT_U, size, a->sz ? 0x432fffffffffffff : 0x4affffff);
	jit_vr(j, jit_v_gt[size], JIT_T, JIT_T, JIT_U);
	jit_vr(j, X86_VPTEST, JIT_T, 0, JIT_T);
	struct jit_slow *s = jit_v_slow(j, x86_jcc(&j->buf, X86_NE));
	round_quietly(j, a->sz, false, TIES_AWAY);
	jit_v_store_q(j, a->Q, a->Rd, JIT_T);
	jit_v_slow_end(j, s);
}

/* ---- Fixed point: scaling by a power of two is exact, as long as nothing gets too large ---- */

/* xmm = 2^exp. Clobbers RAX. */
static void power_of_two(struct jit *j, bool is_double, unsigned xmm, int exp)
{
	x86_mov_imm(&j->buf, X86_RAX, is_double ? (uint64_t)(exp + 1023) << 52 : (uint64_t)(exp + 127) << 23);
	x86_v(&j->buf, X86_VMOVD_IN | (is_double ? X86_W : 0), xmm, 0, x86_r(X86_RAX));
}

static void scale_down(struct jit *j, const struct a64_args_SCVTF_gpr_fix_s *a)
{
	power_of_two(j, a->sz, JIT_M, -(64 - a->scale));
	jit_vr(j, x86_fp(X86_FP_MUL, a->sz, true), JIT_R, JIT_R, JIT_M);
	jit_v_store(j, a->Rd, JIT_R);
}

JIT_INSN(SCVTF_gpr_fix_s)
{
	unsigned reg = jit_read_z(j, a->Rn, X86_RAX);

	jit_v_zero(j, JIT_R);
	x86_v(&j->buf, (a->sz ? X86_VCVTSI2SD : X86_VCVTSI2SS) | (a->sf ? X86_W : 0), JIT_R, JIT_R, x86_r(reg));
	scale_down(j, a);
}

JIT_INSN(UCVTF_gpr_fix_s)
{
	jit_copy_z(j, a->sf ? X86_W : 0, X86_RAX, a->Rn);
	struct jit_slow *s = convert_unsigned(j, a->sz, a->sf, X86_RAX);
	scale_down(j, a);
	if (s)
		jit_v_slow_end(j, s);
}

/* What does not fit, and anything negative as unsigned, is the interpreter's. */
static void to_fixed(struct jit *j, const struct a64_args_SCVTF_gpr_fix_s *a, bool is_unsigned)
{
	struct x86_buf *b = &j->buf;
	uint32_t w = a->sz ? X86_W : 0;
	int bits = a->sf ? 63 : is_unsigned ? 32 : 31, limit = bits - (64 - a->scale);

	jit_fp_load(j, a->sz, JIT_N, a->Rn);
	x86_v(b, X86_VMOVD_OUT | w, JIT_N, 0, x86_r(X86_RAX));
	if (!is_unsigned) {
		x86_alu(b, X86_ADD, w, X86_RAX, x86_r(X86_RAX));
		x86_shift_imm(b, X86_SHR, w, X86_RAX, 1);
	}
	x86_mov_imm(b, X86_RCX, a->sz ? (uint64_t)(limit + 1023) << 52 : (uint64_t)(limit + 127) << 23);
	x86_alu(b, X86_CMP, w, X86_RAX, x86_r(X86_RCX));
	struct jit_slow *s = jit_v_slow(j, x86_jcc(b, X86_AE));
	power_of_two(j, a->sz, JIT_M, 64 - a->scale);
	jit_vr(j, x86_fp(X86_FP_MUL, a->sz, true), JIT_N, JIT_N, JIT_M);
	x86_v(b, (a->sz ? X86_VCVTTSD2SI : X86_VCVTTSS2SI) | X86_W, X86_RDX, 0, x86_r(JIT_N));
	if (!a->sf)
		x86_mov_rr(b, 0, X86_RDX, X86_RDX);
	jit_write_z(j, a->Rd, X86_RDX);
	jit_v_slow_end(j, s);
}

JIT_INSN(FCVTZS_gpr_fix_s)
{
	to_fixed(j, a, false);
}

JIT_INSN(FCVTZU_gpr_fix_s)
{
	to_fixed(j, a, true);
}
