/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translators: runs of loads and stores with one base register, as functions
 * save registers and read structures. Arm ARM C6.2, C7.2.
 *
 * One look-up serves all of them if the bytes from the lowest to the highest are
 * in one page:
 *
 *     lea  rcx, [base + lowest]
 *     mov  eax, ecx
 *     and  eax, 4095
 *     cmp  eax, 4096 - bytes
 *     ja   crossing
 *     (the look-up of rcx, see emu/jit_ldst.c)
 *     lea  rdx, [rax + rcx]
 *     the accesses, at [rdx + offset]
 *
 * Plain computations between them are done where they are, as long as they leave
 * RDX alone. If the page is not in the arrays, the interpreter executes the whole
 * run, from the first access on (emu/jit_site.c): nothing has been done yet. Only
 * the first access can trap, see emu/jit_fault.c: the others are in its page. A
 * run that crosses a page again and again, as that of a frame may do, has each
 * access translated on its own then, elsewhere.
 */
#include "emu/jit_ldst_priv.h"

#include "emu/access_priv.h"
#include "emu/jit_vec_priv.h"

enum { MAX_INSNS = 24, MAX_BYTES = 2048 };

struct access {
	uint8_t n, t, t2, scale; /* n: NO_ACCESS if it is none */
	bool is_load, is_vector, is_pair, pre, post;
	uint8_t extend;          /* enum jit_extend */
	int32_t offset, writeback;
};
enum { NO_ACCESS = 0xff };

static int32_t field(uint32_t word, unsigned at, unsigned n)
{
	return (int32_t)(word << (32 - at - n)) >> (32 - n);
}

/* Loads and stores with an immediate offset, and pairs. */
static JIT_HOT __attribute__((noinline)) bool describe(const struct jit_insn *insn, struct access *ret)
{
	uint32_t w = insn->word;
	if (!insn->native || !jit_is_access(w))
		return false;
	unsigned size = w >> 30, opc = w >> 22 & 3, mode = w >> 23 & 3;
	struct access a = { .n = w >> 5 & 31, .t = w & 31, .t2 = w >> 10 & 31, .is_vector = w >> 26 & 1,
		.is_load = w >> 22 & 1 };

	if ((w >> 27 & 7) == 5 && !(w >> 25 & 1)) {
		a.is_pair = true;
		a.scale = (uint8_t)(a.is_vector ? 2 + size : size == 2 ? 3 : 2);
		a.extend = !a.is_vector && size == 1 ? JIT_SIGN_X : JIT_ZERO;
		a.offset = field(w, 15, 7) * (1 << a.scale);
		a.pre = mode == 3;
		a.post = mode == 1;
		if (a.pre || a.post)
			a.writeback = a.offset;
		if (a.post)
			a.offset = 0;
		*ret = a;
		return true;
	}
	bool scaled = (w >> 24 & 3) == 1, unscaled = (w >> 24 & 3) == 0 && !(w >> 21 & 1) && (w >> 10 & 3) == 0;
	if ((w >> 27 & 7) != 7 || !(scaled || unscaled))
		return false;
	if (a.is_vector) {
		a.scale = (uint8_t)(opc & 2 ? 4 : size);
		if (a.scale < 2)
			return false;
	} else {
		a.scale = (uint8_t)size;
		a.is_load = opc != 0;
		a.extend = opc == 2 ? JIT_SIGN_X : opc == 3 ? JIT_SIGN_W : JIT_ZERO;
		if (size == 3 && opc == 2) /* a prefetch */
			return false;
	}
	a.offset = scaled ? (int32_t)(w >> 10 & 0xfff) << a.scale : field(w, 12, 9);
	*ret = a;
	return true;
}

static bool loads(const struct access *a, unsigned n)
{
	return a->is_load && !a->is_vector && n != 31 && (a->t == n || (a->is_pair && a->t2 == n));
}

/* Computations that neither raise, nor touch NZCV or RDX, nor write the base (or look as if they did). */
static bool is_plain(const struct jit_insn *insn, unsigned n)
{
	uint32_t class = insn->word >> 23 & 63;
	bool immediate = (class >> 3) == 4 && class != 38 && class != 39;
	bool reg = (class >> 1) == 10 || (class >> 1) == 11;

	/* not bit fields, of which insertion uses RDX */
	return insn->native && insn->props == 0 && (immediate || reg) && (insn->word & 31) != n;
}

/* ---- The accesses ---- */

enum { MOVQ_TO_XMM = 0x6e | X86_66 | X86_0F | X86_W, MOVQ_FROM_XMM = 0x7e | X86_66 | X86_0F | X86_W };

/* The first of them may trap. */
static void before_access(struct jit *j, struct jit_slow *s)
{
	if (!s->fault)
		jit_fault_note(j, s);
}

static __attribute__((noinline)) void vector_access(struct jit *j, const struct access *a, int32_t at,
						    struct jit_slow *s)
{
	for (unsigned i = 0; i < 1u + a->is_pair; i++) {
		unsigned t = i ? a->t2 : a->t;
		struct x86_rm rm = x86_m(X86_RDX, at + (int32_t)(i << a->scale));
		unsigned xmm = a->is_load ? jit_v_target(j, t) : jit_v_get(j, t);
		before_access(j, s);
		jit_v_move(j, a->is_load ? jit_v_load_op(a->scale) : jit_v_store_op(a->scale), xmm, rm);
		if (a->is_load)
			jit_v_written_low(j, t, a->scale);
	}
}

/* A pair of X registers that is to be one access: see emu/jit_ldst_pair.c. */
static __attribute__((noinline)) void atomic_pair(struct jit *j, const struct access *a, int32_t at,
						  struct jit_slow *s)
{
	struct x86_buf *b = &j->buf;

	if (a->is_load) {
		unsigned r1 = a->t == 31 ? X86_RAX : jit_target(j, a->t, X86_RAX);
		before_access(j, s);
		x86_op(b, JIT_SSE_LOAD, 0, x86_m(X86_RDX, at));
		x86_op(b, MOVQ_FROM_XMM, 0, x86_r(r1));
		if (a->t != 31)
			jit_write(j, a->t, r1);
		x86_op(b, 0x16 | X86_66 | X86_0F3A | X86_W, 0, x86_r(X86_RAX)); /* pextrq rax, xmm0, 1 */
		x86_u8(b, 1);
		if (a->t2 != 31)
			jit_write(j, a->t2, X86_RAX);
	} else {
		x86_op(b, MOVQ_TO_XMM, 0, x86_r(jit_read_z(j, a->t, X86_RAX)));
		x86_op(b, 0x22 | X86_66 | X86_0F3A | X86_W, 0, x86_r(jit_read_z(j, a->t2, X86_RAX))); /* pinsrq */
		x86_u8(b, 1);
		before_access(j, s);
		x86_op(b, JIT_SSE_STORE, 0, x86_m(X86_RDX, at));
	}
}

static void general_access(struct jit *j, const struct access *a, int32_t at, struct jit_slow *s)
{
	for (unsigned i = 0; i < 1u + a->is_pair; i++) {
		unsigned t = i ? a->t2 : a->t;
		struct x86_rm rm = x86_m(X86_RDX, at + (int32_t)(i << a->scale));
		if (a->is_load) {
			unsigned reg = t == 31 ? X86_RAX : jit_target(j, t, X86_RAX);
			before_access(j, s);
			x86_op(&j->buf, jit_load_op(a->scale, a->extend), reg, rm);
			if (t != 31)
				jit_write(j, t, reg);
		} else {
			unsigned reg = jit_read_z(j, t, X86_RAX);
			before_access(j, s);
			x86_op(&j->buf, jit_store_op(a->scale), reg, rm);
		}
	}
}

static JIT_HOT void access_at(struct jit *j, const struct access *a, int32_t at, struct jit_slow *s)
{
	if (a->is_vector)
		vector_access(j, a, at, s);
	else if (a->is_pair && a->scale == 3 && jit_is_atomic_pair(j, a->n))
		atomic_pair(j, a, at, s);
	else
		general_access(j, a, at, s);
	if (a->writeback)
		jit_write_back(j, a->n, a->writeback);
}

/* ---- The run ---- */

/* Whether another access by Xn comes before anything that ends a run. */
static bool another_follows(const struct jit *j, unsigned n)
{
	for (unsigned k = j->i + 1; k < j->n && k < j->i + MAX_INSNS; k++) {
		const struct jit_insn *insn = &j->insn[k];
		if (jit_is_access(insn->word))
			return (insn->word >> 5 & 31) == n;
		if (!is_plain(insn, n))
			return false;
	}
	return false;
}

struct jit_slow *jit_ldst_look_up_run(struct jit *j, unsigned n, int32_t lowest, unsigned bytes, bool aligned,
				      unsigned kind)
{
	unsigned base = jit_read(j, n, X86_RCX);

	if (lowest != 0)
		x86_lea(&j->buf, X86_W, X86_RCX, x86_m(base, lowest));
	else if (base != X86_RCX)
		x86_mov_rr(&j->buf, X86_W, X86_RCX, base);
	struct jit_slow *s = jit_site_add(j, X86_RCX, bytes, kind);
	if (!aligned) {
		struct x86_buf b = j->buf;
		x86_mov_rr(&b, 0, X86_RAX, X86_RCX);
		x86_alu_imm32(&b, X86_AND, 0, x86_r(X86_RAX), EMU_PAGE_MASK);
		x86_alu_imm32(&b, X86_CMP, 0, x86_r(X86_RAX), (uint32_t)EMU_PAGE_SIZE - bytes);
		s->branch[1] = x86_jcc(&b, X86_A);
		s->kind |= JIT_SITE_RUN;
		j->buf.p = b.p;
	}
	jit_look_up_page(j, s, X86_RCX, kind & JIT_SITE_WRITES);
	x86_lea(&j->buf, X86_W, X86_RDX, x86_mx(X86_RAX, X86_RCX, 0, 0));
	return s;
}

/* Behind jit_ldst_run, where there may be one. */
static JIT_HOT __attribute__((noinline)) bool translate_run(struct jit *j)
{
	struct access accesses[MAX_INSNS], *first = accesses;

	if (!describe(&j->insn[j->i], first) || first->post || (first->pre && loads(first, first->n)))
		return false;
	/* The others would find SP misaligned. */
	if (first->n == 31 && first->writeback % 16)
		return false;
	/* Relative to the base behind a writeback. */
	int32_t moved = first->writeback, lowest = first->offset - moved;
	int32_t end = lowest + (int32_t)((first->is_pair + 1) << first->scale);
	bool done = loads(first, first->n), writes = !first->is_load;
	unsigned start = j->i, last = start;

	for (unsigned k = start + 1; k < j->n && k < start + MAX_INSNS && !done && !j->insn[k].is_target; k++) {
		struct access *a = &accesses[k - start];
		if (!describe(&j->insn[k], a) || a->n != first->n) {
			a->n = NO_ACCESS;
			if (!is_plain(&j->insn[k], first->n))
				break;
			continue;
		}
		int32_t to = a->offset + (int32_t)((a->is_pair + 1) << a->scale);
		int32_t new_lowest = a->offset < lowest ? a->offset : lowest, new_end = to > end ? to : end;
		if (a->pre || (a->post && loads(a, a->n)) || new_end - new_lowest > MAX_BYTES)
			break;
		lowest = new_lowest;
		end = new_end;
		writes |= !a->is_load;
		done = a->post || loads(a, a->n);
		last = k;
	}
	if (last == start)
		return false;

	jit_check_base(j, first->n);
	/* What the first access needs is there before the slow path may be taken. */
	for (unsigned i = 0; first->is_vector && i < 1u + first->is_pair; i++)
		(first->is_load ? jit_v_target : jit_v_get)(j, i ? first->t2 : first->t);
	unsigned bytes = (unsigned)(end - lowest);
	bool aligned = first->n == 31 && j->sp_checked && ((unsigned)lowest & 15) + bytes <= 16;
	struct jit_slow *s =
		jit_ldst_look_up_run(j, first->n, lowest + moved, bytes, aligned, writes ? JIT_SITE_WRITES : 0);
	s->count = (uint8_t)(last - start + 1);
	/* It is at its end already. */
	if (first->pre)
		first->offset = 0;

	for (unsigned k = start; k <= last; k = j->i + 1) {
		const struct access *a = &accesses[k - start];
		j->pc += 4 * (k - j->i);
		j->i = k;
		if (a->n == NO_ACCESS)
			jit_ops[j->insn[k].op].translate(j, j->insn[k].word);
		else
			access_at(j, a, a->offset - lowest, s);
	}
	jit_slow_resume(j, s);
	return true;
}

bool jit_ldst_run(struct jit *j)
{
	const struct jit_insn *insn = &j->insn[j->i];

	if (insn->op == A64_LD1_mult_1_post)
		return jit_sha256_loads(j);
	return another_follows(j, insn->word >> 5 & 31) && translate_run(j);
}
