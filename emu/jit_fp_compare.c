/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: floating point in single and double precision, comparison to flags
 * and to masks, and conditional select (Arm ARM C7.2).
 *
 * The host's comparisons raise what the guest's do: Invalid Operation for
 * signalling NaNs, or for all. Comparisons to flags go to NZCV in the form of a
 * subtraction, but where one branch or selection is all that looks at them: that
 * takes the host's flags as they are. Thread: the vCPU's own.
 */
#include "emu/jit_fp_priv.h"

/* ---- To flags ---- */

/* Unordered is to leave C and V: as if 0x80 were compared with 1, in bytes. */
static void unordered_piece(struct jit *j, const struct jit_slow *s)
{
	x86_mov_imm(&j->buf, X86_RAX, 0x80);
	x86_jmp_to(&j->buf, s->resume);
}

/* The host's flags become those of a subtraction: 0 - 1 for less, 0 - 0 for equal, 1 - 0 for greater. */
static void compare(struct jit *j, bool is_double, unsigned rn, bool with_zero, unsigned rm, bool signal)
{
	struct x86_buf *b = &j->buf;

	unsigned n = jit_v_get(j, rn), m = with_zero ? JIT_M : jit_v_get(j, rm);
	if (with_zero)
		jit_v_zero(j, JIT_M);
	jit_vr(j, (signal ? X86_VCOMISS : X86_VUCOMISS) | (is_double ? X86_66 : 0), n, 0, m);
	x86_setcc(b, X86_A, X86_RAX);
	x86_setcc(b, X86_B, X86_RCX);
	struct jit_slow *s = jit_slow_add(j, unordered_piece);
	s->branch[0] = x86_jcc(b, X86_P);
	jit_slow_resume(j, s);
	x86_op(b, 0x3a | X86_B8 | X86_RM8, X86_RAX, x86_r(X86_RCX));
}

/* For the next instruction alone, if that is a branch or a selection by a condition that the host has, too. */
static bool compare_for_next(struct jit *j, bool is_double, unsigned rn, bool with_zero, unsigned rm, bool signal)
{
	struct a64_args_FCSEL_s select;
	struct a64_args_B_cond branch;
	uint32_t word;
	unsigned cond = 0;

	if (jit_next_is(j, A64_B_cond, &word)) {
		a64_extract_B_cond(word, &branch);
		cond = branch.cond;
	} else if (jit_next_is(j, A64_FCSEL_s, &word)) {
		a64_extract_FCSEL_s(word, &select);
		cond = select.cond;
	}
	if (cond < 2 || cond >= 14 || !j->insn[j->i + 1].native || j->insn[j->i].flags_to_mem ||
	    j->block_flags & JIT_FLAG_FP_FZ || (j->i + 2 < j->n && j->insn[j->i + 2].props & JIT_USES))
		return false;
	unsigned n = jit_v_get(j, rn), m = with_zero ? JIT_M : jit_v_get(j, rm);
	if (with_zero)
		jit_v_zero(j, JIT_M);
	jit_vr(j, (signal ? X86_VCOMISS : X86_VUCOMISS) | (is_double ? X86_66 : 0), jit_fp_is_swapped(cond) ? m : n, 0,
		jit_fp_is_swapped(cond) ? n : m);
	j->eflags = JIT_EFLAGS_FP;
	return true;
}

static void compare_only(struct jit *j, bool is_double, unsigned rn, bool with_zero, unsigned rm, bool signal)
{
	if (compare_for_next(j, is_double, rn, with_zero, rm, signal))
		return;
	compare(j, is_double, rn, with_zero, rm, signal);
	jit_flags_from_sub(j);
}

#define COMPARE(name, signal) \
	JIT_INSN(name##_s) \
	{ \
		compare_only(j, a->sz, a->Rn, false, a->Rm, signal); \
	} \
	JIT_INSN(name##_zero_s) \
	{ \
		compare_only(j, a->sz, a->Rn, true, 0, signal); \
	}

COMPARE(FCMP, false)
COMPARE(FCMPE, true)

static void conditional_compare(struct jit *j, const struct a64_args_FCCMP_s *a, bool signal)
{
	struct x86_buf *b = &j->buf;

	if (a->cond >= 14) {
		compare(j, a->sz, a->Rn, false, a->Rm, signal);
		jit_flags_from_sub(j);
		return;
	}
	/* Not on one of the ways only. */
	jit_v_get(j, a->Rn);
	jit_v_get(j, a->Rm);
	uint32_t holds = x86_jcc(b, jit_condition(j, a->cond));
	jit_set_flags(j, (uint32_t)a->nzcv << 28);
	uint32_t done = x86_jmp(b);
	x86_bind_here(b, holds);
	compare(j, a->sz, a->Rn, false, a->Rm, signal);
	x86_bind_here(b, done);
	jit_flags_from_sub(j);
}

JIT_INSN(FCCMP_s)
{
	conditional_compare(j, a, false);
}

JIT_INSN(FCCMPE_s)
{
	conditional_compare(j, a, true);
}

/* ---- Select ---- */

/* Vn or Vm, whole: what is above the format is cleared by the loads. */
JIT_INSN(FCSEL_s)
{
	struct x86_buf *b = &j->buf;
	uint32_t w = a->sz ? X86_W : 0;

	if (a->cond >= 14) {
		jit_v_store_low(j, a->sz ? 3 : 2, a->Rd, jit_fp_low(j, a->sz, JIT_R, a->Rn));
		return;
	}
	enum x86_cc cc = jit_condition(j, a->cond);
	jit_v_elem_out(j, X86_RAX, a->sz ? 3 : 2, a->Rm, 0);
	jit_v_elem_out(j, X86_RCX, a->sz ? 3 : 2, a->Rn, 0);
	x86_cmov(b, cc, w, X86_RAX, x86_r(X86_RCX));
	x86_v(b, X86_VMOVD_IN | w, JIT_R, 0, x86_r(X86_RAX));
	jit_v_store_low(j, a->sz ? 3 : 2, a->Rd, JIT_R);
}

/* ---- To masks ---- */

/* R = mask of the lanes of N and M, the other way round if `swap`. */
static void mask(struct jit *j, bool is_double, enum x86_cmp predicate, bool swap)
{
	x86_vi(&j->buf, x86_fp(X86_FP_CMP, is_double, false), JIT_R, swap ? JIT_M : JIT_N, x86_r(swap ? JIT_N : JIT_M),
		predicate);
}

static void both_abs(struct jit *j, bool is_double)
{
	jit_vk(j, X86_VPAND, JIT_N, JIT_N, is_double ? JIT_K_ABS_D : JIT_K_ABS_S);
	jit_vk(j, X86_VPAND, JIT_M, JIT_M, is_double ? JIT_K_ABS_D : JIT_K_ABS_S);
}

#define MASKS(name, predicate, of_abs) \
	JIT_INSN(name##_vec) \
	{ \
		jit_fp_load_vec(j, a->Q, JIT_N, a->Rn); \
		jit_fp_load_vec(j, a->Q, JIT_M, a->Rm); \
		if (of_abs) \
			both_abs(j, a->sz); \
		mask(j, a->sz, predicate, false); \
		jit_v_store_q(j, a->Q, a->Rd, JIT_R); \
	} \
	JIT_INSN(name##_s) \
	{ \
		jit_fp_load(j, a->sz, JIT_N, a->Rn); \
		jit_fp_load(j, a->sz, JIT_M, a->Rm); \
		if (of_abs) \
			both_abs(j, a->sz); \
		mask(j, a->sz, predicate, false); \
		jit_v_store_elem(j, a->sz ? 3 : 2, a->Rd, JIT_R); \
	}
#define MASKS_ZERO(name, predicate, swap) \
	JIT_INSN(name##_zero_vec) \
	{ \
		jit_fp_load_vec(j, a->Q, JIT_N, a->Rn); \
		jit_v_zero(j, JIT_M); \
		mask(j, a->sz, predicate, swap); \
		jit_v_store_q(j, a->Q, a->Rd, JIT_R); \
	} \
	JIT_INSN(name##_zero_s) \
	{ \
		jit_fp_load(j, a->sz, JIT_N, a->Rn); \
		jit_v_zero(j, JIT_M); \
		mask(j, a->sz, predicate, swap); \
		jit_v_store_elem(j, a->sz ? 3 : 2, a->Rd, JIT_R); \
	}

MASKS(FCMEQ, X86_CMP_EQ_OQ, false)
MASKS(FCMGE, X86_CMP_GE_OS, false)
MASKS(FCMGT, X86_CMP_GT_OS, false)
MASKS(FACGE, X86_CMP_GE_OS, true)
MASKS(FACGT, X86_CMP_GT_OS, true)
MASKS_ZERO(FCMEQ, X86_CMP_EQ_OQ, false)
MASKS_ZERO(FCMGE, X86_CMP_GE_OS, false)
MASKS_ZERO(FCMGT, X86_CMP_GT_OS, false)
MASKS_ZERO(FCMLE, X86_CMP_GE_OS, true)
MASKS_ZERO(FCMLT, X86_CMP_GT_OS, true)
