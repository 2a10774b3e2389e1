/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: floating point in single and double precision, arithmetic and moves,
 * scalar and vector; and what all of floating point is made of.
 *
 * While translated code runs, MXCSR has the guest's rounding mode and masks
 * everything. Its sticky flags are part of the guest's: FPSR is cpu->fpsr and
 * them (emu_jit_sync_fpsr). Where FPCR asks for the alternative half precision
 * (JIT_FLAG_FP_MODE) the interpreter executes everything; for flushing to zero
 * see emu/jit_fp_flush.c. Otherwise results and flags are what the host computes
 * but for these, for which the interpreter is called out of line with the
 * operands still in place:
 *
 *   - a result that is a NaN: which of the operands, or which default NaN, differs.
 *     Invalid Operation, which the host has raised by then, is raised by both.
 *   - a product of the size of the smallest normal number: the guest looks for
 *     underflow before rounding, the host behind it. (Sums are exact there.)
 *   - conversions to integers that do not fit.
 *
 * The host's flag for denormal operands has no counterpart. Thread: the vCPU's own.
 */
#include "emu/jit_fp_priv.h"

#include "emu/fp_priv.h"

#include <xmmintrin.h>

/* ---- MXCSR ---- */

enum { MXCSR_MASKS = 0x1f80, MXCSR_FLAGS = 0x3d /* not that of denormals */ };

static uint32_t guest_mxcsr(const struct emu_cpu *cpu)
{
	/* nearest, up, down, zero */
	static const uint16_t rounding[4] = { 0x0000, 0x4000, 0x2000, 0x6000 };

	return MXCSR_MASKS | rounding[fp_rounding_mode(cpu->fpcr)];
}

static void take_flags(struct emu_cpu *cpu)
{
	uint32_t mxcsr = _mm_getcsr();

	cpu->fpsr |= (mxcsr & 1 ? FPSR_IOC : 0) | (mxcsr & 4 ? FPSR_DZC : 0) | (mxcsr & 8 ? FPSR_OFC : 0) |
		     (mxcsr & 16 ? FPSR_UFC : 0) | (mxcsr & 32 ? FPSR_IXC : 0);
}

void jit_fp_enter(struct jit *j)
{
	j->host_mxcsr = _mm_getcsr();
	j->fp_live = true;
	_mm_setcsr(guest_mxcsr(j->cpu));
}

void jit_fp_leave(struct jit *j)
{
	take_flags(j->cpu);
	j->fp_live = false;
	_mm_setcsr(j->host_mxcsr);
}

void emu_jit_sync_fp(struct emu_cpu *cpu)
{
	if (!cpu->jit || !cpu->jit->fp_live)
		return;
	take_flags(cpu);
	_mm_setcsr(guest_mxcsr(cpu));
}

/* ---- Pieces ---- */

void jit_fp_load(struct jit *j, bool is_double, unsigned xmm, unsigned n)
{
	if (is_double)
		jit_v_load64(j, xmm, n, 0);
	else
		x86_vi(&j->buf, X86_VINSERTPS, xmm, 0, jit_v_rm(j, n), JIT_INSERT_LOW);
}

unsigned jit_fp_low(struct jit *j, bool is_double, unsigned scratch, unsigned n)
{
	if (jit_v_is_clear(j, n, is_double ? 3 : 2))
		return jit_v_get(j, n);
	jit_fp_load(j, is_double, scratch, n);
	return scratch;
}

/* Vd becomes the lowest element of xmm, which has zeroes above. */
static void store_low(struct jit *j, bool is_double, unsigned d, unsigned xmm)
{
	jit_v_store_low(j, is_double ? 3 : 2, d, xmm);
}

/* Where a result may be computed while the operands are still needed: Vd's own register, or R. */
static unsigned result_of(struct jit *j, unsigned d, unsigned n, unsigned m, unsigned a)
{
	return d == n || d == m || d == a ? JIT_R : jit_v_target(j, d);
}

unsigned jit_fp_vec(struct jit *j, bool q, unsigned scratch, unsigned n)
{
	if (q)
		return jit_v_get(j, n);
	jit_fp_load_vec(j, q, scratch, n);
	return scratch;
}

void jit_fp_load_vec(struct jit *j, bool q, unsigned xmm, unsigned n)
{
	if (q)
		jit_v_load(j, xmm, n);
	else
		x86_v(&j->buf, X86_VMOVDDUP, xmm, 0, jit_v_rm(j, n));
}

struct jit_slow *jit_fp_check_nan(struct jit *j, bool is_double, unsigned xmm, unsigned xmm2)
{
	x86_vr(&j->buf, X86_VUCOMISS | (is_double ? X86_66 : 0), xmm, 0, xmm2);
	return jit_v_slow(j, x86_jcc(&j->buf, X86_P));
}

/* The exponent is that of zero, of the smallest normal number, or of infinities. */
static void tiny_piece(struct jit *j, const struct jit_slow *s)
{
	struct x86_buf *b = &j->buf;
	bool is_double = s->kind;

	jit_vr(j, X86_VUCOMISS | (is_double ? X86_66 : 0), s->reg, 0, s->reg);
	uint32_t is_nan = x86_jcc(b, X86_P);
	x86_v(b, X86_VMOVD_OUT | (is_double ? X86_W : 0), s->reg, 0, x86_r(X86_RAX));
	x86_alu(b, X86_ADD, is_double ? X86_W : 0, X86_RAX, x86_r(X86_RAX));
	if (is_double) {
		x86_mov_imm(b, X86_RCX, 0x0020000000000000ull);
		x86_alu(b, X86_CMP, X86_W, X86_RAX, x86_r(X86_RCX));
	} else {
		x86_alu_imm(b, X86_CMP, 0, x86_r(X86_RAX), 0x01000000);
	}
	x86_jcc_to(b, X86_NE, (uint32_t)s->arg);
	x86_bind_here(b, is_nan);
	jit_insn_piece(j, s);
}

struct jit_slow *jit_fp_check_tiny(struct jit *j, bool is_double, unsigned xmm)
{
	/* NaNs are unordered, and what is no larger includes zeroes, which go on after all. */
	jit_vk(j, X86_VPAND, JIT_T, xmm, is_double ? JIT_K_ABS_D : JIT_K_ABS_S);
	jit_vk(j, X86_VUCOMISS | (is_double ? X86_66 : 0), JIT_T, 0, is_double ? JIT_K_MIN_NORMAL_D : JIT_K_MIN_NORMAL_S);
	struct jit_slow *s = jit_slow_add(j, tiny_piece);
	s->branch[0] = x86_jcc(&j->buf, X86_BE);
	s->kind = is_double;
	s->reg = (uint8_t)xmm;
	s->arg = x86_here(&j->buf);
	return s;
}

/* U = the lanes without their signs. */
static void tiny_lanes_piece(struct jit *j, const struct jit_slow *s)
{
	bool is_double = s->kind;

	jit_vk(j, jit_v_eq[is_double ? 3 : 2], JIT_U, JIT_U, is_double ? JIT_K_MIN_NORMAL_D : JIT_K_MIN_NORMAL_S);
	x86_vi(&j->buf, x86_fp(X86_FP_CMP, is_double, false), JIT_T, JIT_R, x86_r(JIT_R), X86_CMP_UNORD_Q);
	jit_vr(j, X86_VPOR, JIT_T, JIT_T, JIT_U);
	jit_vr(j, X86_VPTEST, JIT_T, 0, JIT_T);
	x86_jcc_to(&j->buf, X86_E, (uint32_t)s->arg);
	jit_insn_piece(j, s);
}

struct jit_slow *jit_fp_check_lanes(struct jit *j, bool is_double, bool tiny)
{
	struct x86_buf *b = &j->buf;

	if (!tiny) {
		x86_vi(b, x86_fp(X86_FP_CMP, is_double, false), JIT_T, JIT_R, x86_r(JIT_R), X86_CMP_UNORD_Q);
		jit_vr(j, X86_VPTEST, JIT_T, 0, JIT_T);
		return jit_v_slow(j, x86_jcc(b, X86_NE));
	}
	jit_vk(j, X86_VPAND, JIT_U, JIT_R, is_double ? JIT_K_ABS_D : JIT_K_ABS_S);
	jit_vki(j, x86_fp(X86_FP_CMP, is_double, false), JIT_T, JIT_U, is_double ? JIT_K_MIN_NORMAL_D : JIT_K_MIN_NORMAL_S,
		X86_CMP_NGT_UQ);
	jit_vr(j, X86_VPTEST, JIT_T, 0, JIT_T);
	struct jit_slow *s = jit_slow_add(j, tiny_lanes_piece);
	s->branch[0] = x86_jcc(b, X86_NE);
	s->kind = is_double;
	s->arg = x86_here(b);
	return s;
}

/* ---- Arithmetic: r = n op m, all lanes, or the lowest one; r is none of them ---- */

typedef void fp_fn(struct jit *j, bool is_double, bool is_scalar, unsigned r, unsigned n, unsigned m);
#define FN(name) \
	static void fn_##name(struct jit *j, bool is_double, bool is_scalar, unsigned r, unsigned n, unsigned m)

FN(add)
{
	jit_vr(j, x86_fp(X86_FP_ADD, is_double, is_scalar), r, n, m);
}

FN(sub)
{
	jit_vr(j, x86_fp(X86_FP_SUB, is_double, is_scalar), r, n, m);
}

FN(mul)
{
	jit_vr(j, x86_fp(X86_FP_MUL, is_double, is_scalar), r, n, m);
}

FN(div)
{
	jit_vr(j, x86_fp(X86_FP_DIV, is_double, is_scalar), r, n, m);
}

/* The host gives its second operand if both are zeroes: whatever their signs, one way or the other. */
FN(max)
{
	jit_vr(j, x86_fp(X86_FP_MAX, is_double, is_scalar), r, n, m);
	jit_vr(j, x86_fp(X86_FP_MAX, is_double, is_scalar), JIT_T, m, n);
	jit_vr(j, X86_VPAND, r, r, JIT_T);
}

FN(min)
{
	jit_vr(j, x86_fp(X86_FP_MIN, is_double, is_scalar), r, n, m);
	jit_vr(j, x86_fp(X86_FP_MIN, is_double, is_scalar), JIT_T, m, n);
	jit_vr(j, X86_VPOR, r, r, JIT_T);
}

FN(abs)
{
	jit_vk(j, X86_VPAND, r, n, is_double ? JIT_K_ABS_D : JIT_K_ABS_S);
}

FN(neg)
{
	jit_vk(j, X86_VPXOR, r, n, is_double ? JIT_K_SIGN_D : JIT_K_SIGN_S);
}

/* What has to be done about the result; or the operands. */
enum check { CHECK_NAN, CHECK_TINY, CHECK_OPERANDS };
enum after { AFTER_NOTHING, AFTER_ABS, AFTER_NEG };

static void scalar_2(struct jit *j, const struct a64_args_FADD_s *a, fp_fn *fn, enum check check, enum after after)
{
	unsigned n = jit_v_get(j, a->Rn), m = jit_v_get(j, a->Rm), scale = a->sz ? 3 : 2;
	unsigned r = result_of(j, a->Rd, a->Rn, a->Rm, a->Rm);
	struct jit_slow *s;

	/* What is above the element comes from the first operand. */
	if (jit_v_is_clear(j, a->Rm, scale) && (fn == fn_add || fn == fn_mul)) {
		unsigned first = m;
		m = n;
		n = first;
	} else {
		n = jit_fp_low(j, a->sz, JIT_N, a->Rn);
	}
	if (check == CHECK_OPERANDS) {
		m = jit_fp_low(j, a->sz, JIT_M, a->Rm);
		s = jit_fp_check_nan(j, a->sz, n, m);
		fn(j, a->sz, true, r, n, m);
	} else {
		fn(j, a->sz, true, r, n, m);
		s = check == CHECK_TINY ? jit_fp_check_tiny(j, a->sz, r) : jit_fp_check_nan(j, a->sz, r, r);
	}
	if (after == AFTER_ABS) {
		jit_vk(j, X86_VPAND, r, r, a->sz ? JIT_K_ABS_D : JIT_K_ABS_S);
	} else if (after == AFTER_NEG) {
		/* The rest of the register is to stay clear. */
		x86_v(&j->buf, a->sz ? X86_VMOVSD : X86_VMOVSS, JIT_T, 0, jit_k(j, a->sz ? JIT_K_SIGN_D : JIT_K_SIGN_S));
		jit_vr(j, X86_VPXOR, r, r, JIT_T);
	}
	store_low(j, a->sz, a->Rd, r);
	jit_v_slow_end(j, s);
}

/* Of host registers. */
static void vec_2_loaded(struct jit *j, bool is_double, bool q, unsigned rd, unsigned n, unsigned m, fp_fn *fn,
			 enum check check, enum after after)
{
	struct jit_slow *s;

	if (check == CHECK_OPERANDS) {
		x86_vi(&j->buf, x86_fp(X86_FP_CMP, is_double, false), JIT_T, n, x86_r(m), X86_CMP_UNORD_Q);
		jit_vr(j, X86_VPTEST, JIT_T, 0, JIT_T);
		s = jit_v_slow(j, x86_jcc(&j->buf, X86_NE));
		fn(j, is_double, false, JIT_R, n, m);
	} else {
		fn(j, is_double, false, JIT_R, n, m);
		s = jit_fp_check_lanes(j, is_double, check == CHECK_TINY);
	}
	if (after == AFTER_ABS)
		jit_vk(j, X86_VPAND, JIT_R, JIT_R, is_double ? JIT_K_ABS_D : JIT_K_ABS_S);
	jit_v_store_q(j, q, rd, JIT_R);
	jit_v_slow_end(j, s);
}

static void vec_2(struct jit *j, const struct a64_args_FADD_vec *a, fp_fn *fn, enum check check, enum after after)
{
	unsigned n = jit_fp_vec(j, a->Q, JIT_N, a->Rn), m = jit_fp_vec(j, a->Q, JIT_M, a->Rm);

	vec_2_loaded(j, a->sz, a->Q, a->Rd, n, m, fn, check, after);
}

#define SCALAR_2(name, fn, check, after) \
	JIT_INSN(name##_s) \
	{ \
		scalar_2(j, a, fn, check, after); \
	}
#define VEC_2(name, fn, check, after) \
	JIT_INSN(name##_vec) \
	{ \
		vec_2(j, a, fn, check, after); \
	}
#define BOTH_2(name, fn, check, after) SCALAR_2(name, fn, check, after) VEC_2(name, fn, check, after)

BOTH_2(FADD, fn_add, CHECK_NAN, AFTER_NOTHING)
BOTH_2(FSUB, fn_sub, CHECK_NAN, AFTER_NOTHING)
BOTH_2(FABD, fn_sub, CHECK_NAN, AFTER_ABS)
BOTH_2(FMUL, fn_mul, CHECK_TINY, AFTER_NOTHING)
SCALAR_2(FNMUL, fn_mul, CHECK_TINY, AFTER_NEG)
/* Quotients are never that close to a power of two without being one: the divisor would have to be too large. */
BOTH_2(FDIV, fn_div, CHECK_NAN, AFTER_NOTHING)
BOTH_2(FMAX, fn_max, CHECK_OPERANDS, AFTER_NOTHING)
BOTH_2(FMIN, fn_min, CHECK_OPERANDS, AFTER_NOTHING)
BOTH_2(FMAXNM, fn_max, CHECK_OPERANDS, AFTER_NOTHING)
BOTH_2(FMINNM, fn_min, CHECK_OPERANDS, AFTER_NOTHING)

/* ---- Pairs ---- */

#define PAIRS(name, fn, check) \
	JIT_INSN(name##_vec) \
	{ \
		unsigned size = a->sz ? 3 : 2; \
		jit_v_load(j, JIT_T, a->Rn); \
		jit_v_load(j, JIT_U, a->Rm); \
		jit_v_unzip(j, size, a->Q, false, JIT_N, JIT_T, JIT_U); \
		jit_v_unzip(j, size, a->Q, true, JIT_M, JIT_T, JIT_U); \
		vec_2_loaded(j, a->sz, a->Q, a->Rd, JIT_N, JIT_M, fn, check, AFTER_NOTHING); \
	} \
	JIT_INSN(name##_s) \
	{ \
		/* Both lanes do the same. */ \
		if (a->sz) { \
			x86_v(&j->buf, X86_VMOVDDUP, JIT_N, 0, jit_v_rm(j, a->Rn)); \
			x86_vi(&j->buf, X86_VPSHUFD, JIT_M, 0, jit_v_rm(j, a->Rn), 0xee); \
			vec_2_loaded(j, true, false, a->Rd, JIT_N, JIT_M, fn, check, AFTER_NOTHING); \
		} else { \
			x86_vi(&j->buf, X86_VPSHUFD, JIT_N, 0, jit_v_rm(j, a->Rn), 0x00); \
			x86_vi(&j->buf, X86_VPSHUFD, JIT_M, 0, jit_v_rm(j, a->Rn), 0x55); \
			pair_s(j, a->Rd, fn, check); \
		} \
	}

/* Of singles, of which one is left. */
static void pair_s(struct jit *j, unsigned rd, fp_fn *fn, enum check check)
{
	struct jit_slow *s;

	/* The rest of the register is to be clear. */
	x86_v_shift_bytes(&j->buf, false, JIT_N, JIT_N, 12);
	x86_v_shift_bytes(&j->buf, false, JIT_M, JIT_M, 12);
	if (check == CHECK_OPERANDS) {
		s = jit_fp_check_nan(j, false, JIT_N, JIT_M);
		fn(j, false, true, JIT_R, JIT_N, JIT_M);
	} else {
		fn(j, false, true, JIT_R, JIT_N, JIT_M);
		s = jit_fp_check_nan(j, false, JIT_R, JIT_R);
	}
	store_low(j, false, rd, JIT_R);
	jit_v_slow_end(j, s);
}

PAIRS(FADDP, fn_add, CHECK_NAN)
PAIRS(FMAXP, fn_max, CHECK_OPERANDS)
PAIRS(FMINP, fn_min, CHECK_OPERANDS)
PAIRS(FMAXNMP, fn_max, CHECK_OPERANDS)
PAIRS(FMINNMP, fn_min, CHECK_OPERANDS)

/* ---- Across lanes: four singles ---- */

static void across(struct jit *j, const struct a64_args_FMAXV *a, fp_fn *fn)
{
	struct x86_buf *b = &j->buf;
	unsigned n = jit_v_get(j, a->Rn);

	x86_vi(b, X86_FP_CMP, JIT_T, n, x86_r(n), X86_CMP_UNORD_Q);
	jit_vr(j, X86_VPTEST, JIT_T, 0, JIT_T);
	struct jit_slow *s = jit_v_slow(j, x86_jcc(b, X86_NE));
	x86_vi(b, X86_VPSHUFD, JIT_M, 0, x86_r(n), 0x4e);
	fn(j, false, false, JIT_R, n, JIT_M);
	x86_vi(b, X86_VPSHUFD, JIT_M, 0, x86_r(JIT_R), 0xb1);
	jit_vr(j, X86_VMOVAPS, JIT_N, 0, JIT_R);
	fn(j, false, false, JIT_R, JIT_N, JIT_M);
	jit_v_store_elem(j, 2, a->Rd, JIT_R);
	jit_v_slow_end(j, s);
}

#define ACROSS(name, fn) \
	JIT_INSN(name) \
	{ \
		across(j, a, fn); \
	}

ACROSS(FMAXV, fn_max)
ACROSS(FMINV, fn_min)
ACROSS(FMAXNMV, fn_max)
ACROSS(FMINNMV, fn_min)

/* ---- One operand ---- */

#define BITS_1(name, fn) \
	JIT_INSN(name##_s) \
	{ \
		fn(j, a->sz, true, JIT_R, jit_v_get(j, a->Rn), 0); \
		jit_v_store_elem(j, a->sz ? 3 : 2, a->Rd, JIT_R); \
	} \
	JIT_INSN(name##_vec) \
	{ \
		fn(j, a->sz, false, JIT_R, jit_v_get(j, a->Rn), 0); \
		jit_v_store_q(j, a->Q, a->Rd, JIT_R); \
	}

BITS_1(FABS, fn_abs)
BITS_1(FNEG, fn_neg)

JIT_INSN(FSQRT_s)
{
	unsigned n = jit_v_get(j, a->Rn), r = result_of(j, a->Rd, a->Rn, a->Rn, a->Rn);

	jit_vr(j, x86_fp(X86_FP_SQRT, a->sz, true), r, jit_fp_low(j, a->sz, JIT_N, a->Rn), n);
	struct jit_slow *s = jit_fp_check_nan(j, a->sz, r, r);
	store_low(j, a->sz, a->Rd, r);
	jit_v_slow_end(j, s);
}

JIT_INSN(FSQRT_vec)
{
	jit_fp_load_vec(j, a->Q, JIT_N, a->Rn);
	jit_vr(j, x86_fp(X86_FP_SQRT, a->sz, false), JIT_R, 0, JIT_N);
	struct jit_slow *s = jit_fp_check_lanes(j, a->sz, false);
	jit_v_store_q(j, a->Q, a->Rd, JIT_R);
	jit_v_slow_end(j, s);
}

/* ---- Multiply-add ---- */

/* What is above the element comes from what is written, which one of the operands is before. */
static void scalar_3(struct jit *j, const struct a64_args_FMADD_s *args, uint32_t op)
{
	enum { OP_213 = X86_VFMADD231 - X86_VFMADD213 };
	unsigned n = jit_v_get(j, args->Rn), m = jit_v_get(j, args->Rm), a = jit_v_get(j, args->Ra);
	unsigned r = result_of(j, args->Rd, args->Rn, args->Rm, args->Ra), scale = args->sz ? 3 : 2;

	op = (op + 1) | (args->sz ? X86_W : 0);
	if (jit_v_is_clear(j, args->Ra, scale)) {
		jit_vr(j, X86_VMOVAPS, r, 0, a);
		jit_vr(j, op, r, n, m);
	} else if (jit_v_is_clear(j, args->Rn, scale)) {
		jit_vr(j, X86_VMOVAPS, r, 0, n);
		jit_vr(j, op - OP_213, r, m, a);
	} else if (jit_v_is_clear(j, args->Rm, scale)) {
		jit_vr(j, X86_VMOVAPS, r, 0, m);
		jit_vr(j, op - OP_213, r, n, a);
	} else {
		jit_fp_load(j, args->sz, r, args->Ra);
		jit_vr(j, op, r, n, m);
	}
	struct jit_slow *s = jit_fp_check_tiny(j, args->sz, r);
	store_low(j, args->sz, args->Rd, r);
	jit_v_slow_end(j, s);
}

#define SCALAR_3(name, op) \
	JIT_INSN(name##_s) \
	{ \
		scalar_3(j, (const void *)a, op); \
	}

SCALAR_3(FMADD, X86_VFMADD231)
SCALAR_3(FMSUB, X86_VFNMADD231)
SCALAR_3(FNMADD, X86_VFNMSUB231)
SCALAR_3(FNMSUB, X86_VFMSUB231)

/* The factors are host registers. */
static void vec_3(struct jit *j, uint32_t op, bool is_double, bool q, unsigned rd, unsigned n, unsigned m)
{
	jit_fp_load_vec(j, q, JIT_R, rd);
	jit_vr(j, op | (is_double ? X86_W : 0), JIT_R, n, m);
	struct jit_slow *s = jit_fp_check_lanes(j, is_double, true);
	jit_v_store_q(j, q, rd, JIT_R);
	jit_v_slow_end(j, s);
}

/* M = an element in all lanes; its index is H:L for singles, H for doubles. */
static void load_element_s(struct jit *j, unsigned rm, unsigned index)
{
	x86_vi(&j->buf, X86_VPSHUFD, JIT_M, 0, jit_v_rm(j, rm), index * 0x55);
}

static void load_element_d(struct jit *j, unsigned rm, unsigned index)
{
	x86_vi(&j->buf, X86_VPSHUFD, JIT_M, 0, jit_v_rm(j, rm), index ? 0xee : 0x44);
}

#define VEC_3(name, op) \
	JIT_INSN(name##_vec) \
	{ \
		unsigned n = jit_fp_vec(j, a->Q, JIT_N, a->Rn), m = jit_fp_vec(j, a->Q, JIT_M, a->Rm); \
		vec_3(j, op, a->sz, a->Q, a->Rd, n, m); \
	} \
	JIT_INSN(name##_vec_elem_s) \
	{ \
		unsigned n = jit_fp_vec(j, a->Q, JIT_N, a->Rn); \
		load_element_s(j, a->Rm, (unsigned)a->H << 1 | a->L); \
		vec_3(j, op, false, a->Q, a->Rd, n, JIT_M); \
	} \
	JIT_INSN(name##_vec_elem_d) \
	{ \
		unsigned n = jit_v_get(j, a->Rn); \
		load_element_d(j, a->Rm, a->H); \
		vec_3(j, op, true, true, a->Rd, n, JIT_M); \
	} \
	JIT_INSN(name##_elem_s) \
	{ \
		scalar_elem_3(j, op, false, a->Rd, a->Rn, a->Rm, 4u * ((unsigned)a->H << 1 | a->L)); \
	} \
	JIT_INSN(name##_elem_d) \
	{ \
		scalar_elem_3(j, op, true, a->Rd, a->Rn, a->Rm, 8u * a->H); \
	}

static void scalar_elem_3(struct jit *j, uint32_t op, bool is_double, unsigned rd, unsigned rn, unsigned rm, unsigned at)
{
	unsigned n = jit_v_get(j, rn);

	jit_fp_load(j, is_double, JIT_R, rd);
	jit_vr(j, (op + 1) | (is_double ? X86_W : 0), JIT_R, n, jit_v_part(j, JIT_M, rm, at));
	struct jit_slow *s = jit_fp_check_tiny(j, is_double, JIT_R);
	store_low(j, is_double, rd, JIT_R);
	jit_v_slow_end(j, s);
}

VEC_3(FMLA, X86_VFMADD231)
VEC_3(FMLS, X86_VFNMADD231)

JIT_INSN(FMUL_vec_elem_s)
{
	jit_fp_load_vec(j, a->Q, JIT_N, a->Rn);
	load_element_s(j, a->Rm, (unsigned)a->H << 1 | a->L);
	vec_2_loaded(j, false, a->Q, a->Rd, JIT_N, JIT_M, fn_mul, CHECK_TINY, AFTER_NOTHING);
}

JIT_INSN(FMUL_vec_elem_d)
{
	jit_v_load(j, JIT_N, a->Rn);
	load_element_d(j, a->Rm, a->H);
	vec_2_loaded(j, true, true, a->Rd, JIT_N, JIT_M, fn_mul, CHECK_TINY, AFTER_NOTHING);
}

static void mul_elem(struct jit *j, bool is_double, unsigned rd, unsigned rn, unsigned rm, unsigned at)
{
	unsigned n = jit_fp_low(j, is_double, JIT_N, rn);

	jit_vr(j, x86_fp(X86_FP_MUL, is_double, true), JIT_R, n, jit_v_part(j, JIT_M, rm, at));
	struct jit_slow *s = jit_fp_check_tiny(j, is_double, JIT_R);
	store_low(j, is_double, rd, JIT_R);
	jit_v_slow_end(j, s);
}

JIT_INSN(FMUL_elem_s)
{
	mul_elem(j, false, a->Rd, a->Rn, a->Rm, 4u * ((unsigned)a->H << 1 | a->L));
}

JIT_INSN(FMUL_elem_d)
{
	mul_elem(j, true, a->Rd, a->Rn, a->Rm, 8u * a->H);
}

/* ---- Moves ---- */

JIT_INSN(FMOV_s)
{
	store_low(j, a->sz, a->Rd, jit_fp_low(j, a->sz, JIT_R, a->Rn));
}

static void move_imm(struct jit *j, bool is_double, unsigned rd, uint64_t val)
{
	if (val) {
		x86_mov_imm(&j->buf, X86_RAX, val);
		x86_v(&j->buf, X86_VMOVD_IN | X86_W, JIT_R, 0, x86_r(X86_RAX));
	} else {
		jit_v_zero(j, JIT_R);
	}
	store_low(j, is_double, rd, JIT_R);
}

JIT_INSN(FMOV_imm_s)
{
	move_imm(j, a->sz, a->Rd, fp_expand_imm(a->sz ? FP_D : FP_S, a->imm8));
}

JIT_INSN(FMOV_vec_s)
{
	jit_v_imm_elems(j, JIT_R, 2, fp_expand_imm(FP_S, a->imm8));
	jit_v_store_q(j, a->Q, a->Rd, JIT_R);
}

JIT_INSN(FMOV_vec_d)
{
	jit_v_imm(j, JIT_R, fp_expand_imm(FP_D, a->imm8));
	jit_v_store(j, a->Rd, JIT_R);
}

static void to_gpr(struct jit *j, unsigned size, unsigned rd, unsigned rn, unsigned at)
{
	unsigned reg = rd == 31 ? X86_RAX : jit_target(j, rd, X86_RAX);

	jit_v_elem_out(j, reg, size, rn, at);
	jit_write_z(j, rd, reg);
}

JIT_INSN(FMOV_to_gpr_s)
{
	to_gpr(j, 2, a->Rd, a->Rn, 0);
}

JIT_INSN(FMOV_to_gpr_d)
{
	to_gpr(j, 3, a->Rd, a->Rn, 0);
}

JIT_INSN(FMOV_to_gpr_top)
{
	to_gpr(j, 3, a->Rd, a->Rn, 8);
}

static void from_gpr(struct jit *j, uint32_t w, unsigned rd, unsigned rn)
{
	x86_v(&j->buf, X86_VMOVD_IN | w, JIT_R, 0, x86_r(jit_read_z(j, rn, X86_RAX)));
	store_low(j, w, rd, JIT_R);
}

JIT_INSN(FMOV_from_gpr_s)
{
	from_gpr(j, 0, a->Rd, a->Rn);
}

JIT_INSN(FMOV_from_gpr_d)
{
	from_gpr(j, X86_W, a->Rd, a->Rn);
}

JIT_INSN(FMOV_from_gpr_top)
{
	jit_v_load(j, JIT_R, a->Rd);
	x86_vi(&j->buf, X86_VPINSRD | X86_W, JIT_R, JIT_R, x86_r(jit_read_z(j, a->Rn, X86_RAX)), 1);
	jit_v_store(j, a->Rd, JIT_R);
}
