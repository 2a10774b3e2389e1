/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translators: loads and stores of vector structures, whose members go to
 * registers of their own: LD2 to LD4, ST2 to ST4, of whole registers, of one
 * element, and replicated. Arm ARM C7.2. See emu/jit_ldst.c.
 *
 * A structure load makes host accesses of 16 bytes and sorts the elements in
 * registers. What is looked up is all that is accessed, so once the page has
 * been found nothing can go wrong any more. They need AVX2 on the host; without
 * it, and for reserved encodings, they are calls of the interpreter.
 * Thread: the vCPU's own.
 */
#include "emu/jit_ldst_priv.h"
#include "emu/jit_vec_priv.h"

/* ---- Sorting: XMM0 to XMM3 are what memory has, or the registers ---- */

/* Vt+i = x op y. */
static void combine(struct jit *j, uint32_t op, unsigned t, unsigned i, unsigned x, unsigned y)
{
	jit_vr(j, op, jit_v_target(j, (t + i) % 32), x, y);
	jit_v_written(j, (t + i) % 32);
}

/* The halves of xmm become two registers, whose upper halves are zero. */
static void split(struct jit *j, unsigned t, unsigned i, unsigned xmm)
{
	combine(j, X86_VMOVQ, t, i, 0, xmm);
	x86_v_shift_bytes(&j->buf, false, jit_v_target(j, (t + i + 1) % 32), xmm, 8);
	jit_v_written(j, (t + i + 1) % 32);
}

/* The words of a 4x4 matrix in XMM0 to XMM3: the first two columns as halves of XMM4
 * and XMM5, the others of XMM1 and XMM2. */
static void transpose_halves(struct jit *j)
{
	jit_vr(j, X86_VPUNPCKLDQ, 4, 0, 1);
	jit_vr(j, X86_VPUNPCKLDQ, 5, 2, 3);
	jit_vr(j, X86_VPUNPCKHDQ, 1, 0, 1);
	jit_vr(j, X86_VPUNPCKHDQ, 2, 2, 3);
}

static void load_2(struct jit *j, bool q, unsigned size, unsigned t)
{
	/* First elements into the lower half, second ones into the upper one. */
	for (unsigned i = 0; i < (q ? 2 : 1) && size < 3; i++) {
		if (size == 2)
			x86_vi(&j->buf, X86_VPSHUFD, i, 0, x86_r(i), 0xd8);
		else
			jit_vk(j, X86_VPSHUFB, i, i, size ? JIT_K_LD2_H : JIT_K_LD2_B);
	}
	if (q) {
		combine(j, X86_VPUNPCKLQDQ, t, 0, 0, 1);
		combine(j, X86_VPUNPCKHQDQ, t, 1, 0, 1);
	} else {
		split(j, t, 0, 0);
	}
}

/* `r` has the host registers; what goes to memory is left in XMM0 and up. */
static void store_2(struct jit *j, bool q, unsigned size, const unsigned r[2])
{
	jit_vr(j, jit_v_unpack_low[size], 0, r[0], r[1]);
	if (q)
		jit_vr(j, jit_v_unpack_high[size], 1, r[0], r[1]);
}

/* dst = the bytes that the constants from k on pick, of n registers. */
static void pick(struct jit *j, unsigned dst, const unsigned *r, unsigned k, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		jit_vk(j, X86_VPSHUFB, i ? 5 : dst, r[i], (enum jit_v_const)(k + i));
		if (i)
			jit_vr(j, X86_VPOR, dst, dst, 5);
	}
}

static void load_3(struct jit *j, bool q, unsigned size, unsigned t)
{
	static const unsigned in_memory[3] = { 0, 1, 2 };
	struct x86_buf *b = &j->buf;

	for (unsigned i = 0; i < 3; i++) {
		unsigned n = (t + i) % 32, dst = jit_v_target(j, n);
		if (size < 3)
			/* Without Q there are 24 bytes, and what would come from the rest is zero. */
			pick(j, dst, in_memory, JIT_K_LD3 + 9 * size + 3 * i, q ? 3 : 2);
		else if (i == 1)
			x86_vi(b, X86_VPALIGNR, dst, 2, x86_r(0), 8);
		else
			x86_vi(b, X86_VPBLENDD, dst, i / 2, x86_r(i / 2 + 1), 0xc);
		jit_v_written(j, n);
	}
}

static void store_3(struct jit *j, unsigned size, const unsigned r[3])
{
	if (size < 3) {
		for (unsigned i = 0; i < 3; i++)
			pick(j, i, r, JIT_K_ST3 + 9 * size + 3 * i, 3);
		return;
	}
	jit_vr(j, X86_VPUNPCKLQDQ, 0, r[0], r[1]);
	x86_vi(&j->buf, X86_VPBLENDD, 1, r[2], x86_r(r[0]), 0xc);
	jit_vr(j, X86_VPUNPCKHQDQ, 2, r[1], r[2]);
}

static void load_4(struct jit *j, bool q, unsigned size, unsigned t)
{
	if (size == 3) {
		for (unsigned i = 0; i < 4; i++)
			combine(j, i % 2 ? X86_VPUNPCKHQDQ : X86_VPUNPCKLQDQ, t, i, i / 2, i / 2 + 2);
		return;
	}
	/* In each, words that go to the four registers. */
	for (unsigned i = 0; i < (q ? 4 : 2) && size < 2; i++)
		jit_vk(j, X86_VPSHUFB, i, i, size ? JIT_K_LD4_H : JIT_K_LD4_B);
	if (q) {
		transpose_halves(j);
		for (unsigned i = 0; i < 4; i++)
			combine(j, i % 2 ? X86_VPUNPCKHQDQ : X86_VPUNPCKLQDQ, t, i, i < 2 ? 4 : 1, i < 2 ? 5 : 2);
	} else {
		jit_vr(j, X86_VPUNPCKLDQ, 2, 0, 1);
		jit_vr(j, X86_VPUNPCKHDQ, 3, 0, 1);
		split(j, t, 0, 2);
		split(j, t, 2, 3);
	}
}

static void store_4(struct jit *j, bool q, unsigned size, const unsigned r[4])
{
	if (size == 3) {
		for (unsigned i = 0; i < 4; i++)
			jit_vr(j, i < 2 ? X86_VPUNPCKLQDQ : X86_VPUNPCKHQDQ, i, r[i % 2 * 2], r[i % 2 * 2 + 1]);
		return;
	}
	jit_vr(j, X86_VPUNPCKLDQ, 4, r[0], r[1]);
	jit_vr(j, X86_VPUNPCKLDQ, 5, r[2], r[3]);
	jit_vr(j, X86_VPUNPCKLQDQ, 0, 4, 5);
	jit_vr(j, X86_VPUNPCKHQDQ, 1, 4, 5);
	if (q) {
		jit_vr(j, X86_VPUNPCKHDQ, 4, r[0], r[1]);
		jit_vr(j, X86_VPUNPCKHDQ, 5, r[2], r[3]);
		jit_vr(j, X86_VPUNPCKLQDQ, 2, 4, 5);
		jit_vr(j, X86_VPUNPCKHQDQ, 3, 4, 5);
	}
	for (unsigned i = 0; i < (q ? 4 : 2) && size < 2; i++)
		jit_vk(j, X86_VPSHUFB, i, i, size ? JIT_K_LD2_H : JIT_K_LD4_B);
}

/* ---- Whole registers ---- */

static void multiple(struct jit *j, bool is_load, const struct a64_args_LD2_mult *a, unsigned rm, unsigned n)
{
	unsigned bytes = (a->Q ? 16 : 8) * n, r[4] = { 0 };

	if (!(j->host_has & JIT_VEC) || (a->size == 3 && !a->Q)) {
		jit_fallback(j);
		return;
	}
	for (unsigned i = 0; i < n && !is_load; i++)
		r[i] = jit_v_get(j, (a->Rt + i) % 32);
	unsigned va = jit_address(j, a->Rn, 0);
	/* Three are looked up as if they were four. */
	struct jit_slow *s = jit_look_up(j, va, (a->Q ? 16 : 8) * (n == 3 ? 4 : n), !is_load, JIT_PLAIN);
	x86_alu(&j->buf, X86_ADD, X86_W, X86_RAX, x86_r(va));
	if (!is_load) {
		if (n == 2)
			store_2(j, a->Q, a->size, r);
		else if (n == 3)
			store_3(j, a->size, r);
		else
			store_4(j, a->Q, a->size, r);
	}
	jit_fault_note(j, s);
	for (unsigned at = 0; at < bytes; at += 16) {
		unsigned scale = bytes - at == 8 ? 3 : 4;
		x86_v(&j->buf, is_load ? jit_v_load_op(scale) : jit_v_store_op(scale), at / 16, 0,
			x86_m(X86_RAX, (int32_t)at));
	}
	if (is_load) {
		if (n == 2)
			load_2(j, a->Q, a->size, a->Rt);
		else if (n == 3)
			load_3(j, a->Q, a->size, a->Rt);
		else
			load_4(j, a->Q, a->size, a->Rt);
	}
	jit_post_index(j, a->Rn, rm, bytes);
}

#define MULTIPLE(n) \
	JIT_INSN(LD##n##_mult) \
	{ \
		multiple(j, true, (const void *)a, JIT_NO_INDEX, n); \
	} \
	JIT_INSN(LD##n##_mult_post) \
	{ \
		const struct a64_args_LD2_mult args = { .Q = a->Q, .size = a->size, .Rn = a->Rn, .Rt = a->Rt }; \
		multiple(j, true, &args, a->Rm, n); \
	} \
	JIT_INSN(ST##n##_mult) \
	{ \
		multiple(j, false, (const void *)a, JIT_NO_INDEX, n); \
	} \
	JIT_INSN(ST##n##_mult_post) \
	{ \
		const struct a64_args_LD2_mult args = { .Q = a->Q, .size = a->size, .Rn = a->Rn, .Rt = a->Rt }; \
		multiple(j, false, &args, a->Rm, n); \
	}

MULTIPLE(2)
MULTIPLE(3)
MULTIPLE(4)

/* ---- One element, of n registers ---- */

/* Looks up n elements at Xn; RAX becomes their address. */
static struct jit_slow *look_up_elements(struct jit *j, bool write, unsigned rn, unsigned size, unsigned n)
{
	unsigned va = jit_address(j, rn, 0);
	struct jit_slow *s = jit_look_up(j, va, (n == 3 ? 4 : n) << size, write, JIT_PLAIN);

	x86_alu(&j->buf, X86_ADD, X86_W, X86_RAX, x86_r(va));
	return s;
}

static void single(struct jit *j, bool is_load, unsigned rt, unsigned rn, unsigned rm, unsigned n, unsigned size,
		   unsigned index)
{
	static const uint32_t insert[4] = { X86_VPINSRB, X86_VPINSRW, X86_VPINSRD, X86_VPINSRD | X86_W };
	static const uint32_t extract[4] = { X86_VPEXTRB, X86_VPEXTRW, X86_VPEXTRD, X86_VPEXTRD | X86_W };
	unsigned xmm[4];

	if (!(j->host_has & JIT_VEC)) {
		jit_fallback(j);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		xmm[i] = jit_v_get(j, (rt + i) % 32);
	struct jit_slow *s = look_up_elements(j, !is_load, rn, size, n);
	jit_fault_note(j, s);
	for (unsigned i = 0; i < n; i++) {
		x86_vi(&j->buf, is_load ? insert[size] : extract[size], xmm[i], is_load ? xmm[i] : 0,
			x86_m(X86_RAX, (int32_t)(i << size)), index);
		if (is_load)
			jit_v_written(j, (rt + i) % 32);
	}
	jit_post_index(j, rn, rm, n << size);
}

/* sel:Rbit + 1 registers. */
#define N_REGS (((unsigned)a->sel << 1 | a->Rbit) + 1)

#define SINGLE(name, is_load, size, index) \
	JIT_INSN(name) \
	{ \
		single(j, is_load, a->Rt, a->Rn, JIT_NO_INDEX, N_REGS, size, index); \
	} \
	JIT_INSN(name##_post) \
	{ \
		single(j, is_load, a->Rt, a->Rn, a->Rm, N_REGS, size, index); \
	}

/* The upper part of Q:S:size. */
#define INDEX_B ((unsigned)a->Q << 3 | (unsigned)a->S << 2 | a->size)
#define INDEX_H ((unsigned)a->Q << 2 | (unsigned)a->S << 1 | a->size)
#define INDEX_S ((unsigned)a->Q << 1 | a->S)
#define INDEX_D (a->Q)

SINGLE(LD_single_B, true, 0, INDEX_B)
SINGLE(LD_single_H, true, 1, INDEX_H)
SINGLE(LD_single_S, true, 2, INDEX_S)
SINGLE(LD_single_D, true, 3, INDEX_D)
SINGLE(ST_single_B, false, 0, INDEX_B)
SINGLE(ST_single_H, false, 1, INDEX_H)
SINGLE(ST_single_S, false, 2, INDEX_S)
SINGLE(ST_single_D, false, 3, INDEX_D)

/* LD1R to LD4R: an element into all of a register. */
static void replicate(struct jit *j, unsigned t, unsigned n, unsigned rm, bool q, unsigned size, unsigned count)
{
	unsigned xmm[4];

	if (!(j->host_has & JIT_VEC)) {
		jit_fallback(j);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		xmm[i] = jit_v_target(j, (t + i) % 32);
	struct jit_slow *s = look_up_elements(j, false, n, size, count);
	jit_fault_note(j, s);
	for (unsigned i = 0; i < count; i++) {
		x86_v(&j->buf, jit_v_broadcast[size], xmm[i], 0, x86_m(X86_RAX, (int32_t)(i << size)));
		if (!q)
			jit_vr(j, X86_VMOVQ, xmm[i], 0, xmm[i]);
		jit_v_written(j, (t + i) % 32);
	}
	jit_post_index(j, n, rm, count << size);
}

JIT_INSN(LD_rep)
{
	replicate(j, a->Rt, a->Rn, JIT_NO_INDEX, a->Q, a->size, N_REGS);
}

JIT_INSN(LD_rep_post)
{
	replicate(j, a->Rt, a->Rn, a->Rm, a->Q, a->size, N_REGS);
}
