/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: floating point where FPCR.FZ flushes denormals to zero, as programs
 * built with -ffast-math have it (Arm ARM A1.5.4).
 *
 * The host's own flushing raises other flags, so it is not used. Instead an
 * instruction's operands are looked at first: if each is zero or not very small,
 * neither an operand nor a result is denormal, and the host computes as it does
 * without FZ. Otherwise the interpreter executes the instruction. "Very small" is
 * below 2^-38 in single precision, so that the lowest bit of a product is worth
 * more than 2^-126 and nothing that is left of a sum with it is smaller; below
 * 2^-100 in double precision, so that what is narrowed is fine, too. Divisors are
 * not to be very large, either. Thread: the vCPU's own.
 */
#include "emu/jit_fp_priv.h"

/* Next to the element functions' names: all are free here. */
enum { X_ABS = JIT_U, X_SMALL = JIT_N, X_ZERO = JIT_M, X_LEAST = JIT_W, X_NIL = JIT_Z, X_BAD = JIT_T };

/* X_BAD |= the lanes of Vn that are too small, but not zero. */
static void look_at(struct jit *j, unsigned size, unsigned n, bool first)
{
	jit_vk(j, X86_VPAND, X_ABS, jit_v_get(j, n), size == 3 ? JIT_K_ABS_D : JIT_K_ABS_S);
	jit_vr(j, jit_v_gt[size], X_SMALL, X_LEAST, X_ABS);
	jit_vr(j, jit_v_eq[size], X_ZERO, X_ABS, X_NIL);
	jit_vr(j, X86_VPANDN, first ? X_BAD : X_SMALL, X_ZERO, X_SMALL);
	if (!first)
		jit_vr(j, X86_VPOR, X_BAD, X_BAD, X_SMALL);
}

/* Comparisons leave NZCV in the host's flags, where the way back needs them. */
static void compare_piece(struct jit *j, const struct jit_slow *s)
{
	jit_fallback_at(j, s);
	jit_flags_load(j);
	jit_slow_return(j, s);
}

struct jit_slow *jit_fp_flush_guard(struct jit *j)
{
	const struct jit_insn *insn = &j->insn[j->i];
	uint32_t props = jit_ops[insn->op].props, operands = props & JIT_FZ_MASK, word = insn->word;
	struct x86_buf *b = &j->buf;

	if (!(props & JIT_FP) || operands == JIT_FZ_NONE)
		return NULL;
	/* FCVTL's bit tells the result's size. */
	unsigned size = (word >> 22 & 1) && insn->op != A64_FCVTL ? 3 : 2;
	bool scalar = operands == JIT_FZ_N || operands == JIT_FZ_NM || operands == JIT_FZ_NMA;
	unsigned rd = word & 31, rn = word >> 5 & 31, ra = word >> 10 & 31, rm = word >> 16 & 31;

	jit_v_imm_elems(j, X_LEAST, size, size == 3 ? 0x39b0000000000000 : 0x2c800000);
	jit_v_zero(j, X_NIL);
	look_at(j, size, rn, true);
	if (operands != JIT_FZ_N && operands != JIT_FZ_VN)
		look_at(j, size, rm, false);
	if (insn->op == A64_FDIV_s || insn->op == A64_FDIV_vec) {
		/* X_ABS is the divisor's: up to 2^60, or 2^500. */
		jit_v_imm_elems(j, X_LEAST, size, size == 3 ? 0x5f30000000000000 : 0x5d800000);
		jit_vr(j, jit_v_gt[size], X_ABS, X_ABS, X_LEAST);
		jit_vr(j, X86_VPOR, X_BAD, X_BAD, X_ABS);
	}
	if (operands == JIT_FZ_NMA)
		look_at(j, size, ra, false);
	if (operands == JIT_FZ_VNMD)
		look_at(j, size, rd, false);
	if (scalar) {
		uint32_t w = size == 3 ? X86_W : 0;
		x86_v(b, X86_VMOVD_OUT | w, X_BAD, 0, x86_r(X86_RAX));
		x86_test_rr(b, w, X86_RAX, X86_RAX);
	} else {
		jit_vr(j, X86_VPTEST, X_BAD, 0, X_BAD);
	}
	struct jit_slow *s = jit_v_slow(j, x86_jcc(b, X86_NE));
	if (insn->props & JIT_SETS)
		s->emit = compare_piece;
	return s;
}
