/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: sites, where translated code hands instructions over to the
 * interpreter: accesses to pages that are not in the arrays, to devices, across
 * the end of a page, and those that raise. The slow path of such an access is a
 * call of one thunk for all, and behind it a record of what to execute, and of
 * where the block has the guest's registers: half of what the JIT puts down are
 * slow paths, and few are ever taken.
 *
 *     mov  rcx, va             if that is in another register
 *     call thunk_site
 *     struct record; the instructions; struct vectors if there are any; a byte for each
 *     host register if the block has others than usual; how far back the branch for
 *     crossings is, if there is one
 *
 * The thunk saves the host's registers where the guest's are in memory, or, for a
 * block with other registers than usual and for vector registers, in
 * cpu->jit_saved, from where exec_site gives them to the guest's; it executes the
 * instructions, and all comes back the same way. The block goes on
 * behind the last of the instructions: nothing has been done of the first when
 * the site is entered, and nothing is left to do.
 *
 * A run of accesses with one look-up for all may cross a page, as that of a frame
 * does each time that a function is called at some depth. After a few times its
 * accesses are translated one by one, as a piece of its own anywhere in the code
 * memory, which the branch leads to from then on. Thread: the vCPU's own.
 */
#include "emu/jit_vec_priv.h"

#include "emu/access_priv.h"

enum { CROSSINGS = 2 /* are enough: the next one parts a run */ };

/* In the code, at any alignment. */
struct record {
	uint64_t pc;
	uint16_t back;         /* from here to where the block goes on */
	uint16_t bytes;        /* that are accessed, from `va` on; 0: none can be */
	uint8_t done;          /* instructions of the block before the first here */
	uint8_t count;         /* instructions */
	uint8_t kind;          /* JIT_SITE_*, HAS_* */
	uint8_t crossings;     /* of a run, as far as they are counted */
} __attribute__((packed));
enum { HAS_VECTORS = 1 << 4, HAS_MAP = 1 << 5 };

struct vectors {
	uint8_t dirty, n[JIT_V_SLOTS];        /* when the site is entered */
	uint8_t valid, to[JIT_V_SLOTS];       /* where the block goes on */
};
_Static_assert(_Alignof(struct record) == 1 && _Alignof(struct vectors) == 1, "they may be anywhere");

/* ---- Emission ---- */

static inline void put(struct x86_buf *b, const void *data, size_t size)
{
	memcpy(b->p, data, size);
	b->p += size;
}

static __attribute__((noinline)) void put_vectors(struct jit *j, const struct jit_slow *s)
{
	const struct jit_vregs *from = &j->saved_vregs[s->vregs], *to = &j->saved_vregs[s->resume_vregs];
	struct vectors v = { .dirty = from->dirty, .valid = to->valid };

	memcpy(v.n, from->n, sizeof(v.n));
	memcpy(v.to, to->n, sizeof(v.to));
	put(&j->buf, &v, sizeof(v));
}

static JIT_HOT void site_piece(struct jit *j, const struct jit_slow *s)
{
	struct x86_buf b = j->buf;
	bool has_vectors = (s->vregs | s->resume_vregs) &&
			   (j->saved_vregs[s->vregs].dirty | j->saved_vregs[s->resume_vregs].valid);
	bool is_mapped = j->n_swaps != 0;
	unsigned kind = s->kind | (has_vectors ? HAS_VECTORS : 0u) | (is_mapped ? HAS_MAP : 0u);

	if (s->bytes && s->reg != X86_RCX)
		x86_mov_rr(&b, X86_W, X86_RCX, s->reg);
	x86_call_to(&b, j->thunk_site[is_mapped]);
	uint32_t at = x86_here(&b);
	put(&b, &(struct record){ .pc = s->pc, .back = (uint16_t)(at - s->resume), .bytes = s->bytes,
		.done = s->index, .count = s->count, .kind = (uint8_t)kind }, sizeof(struct record));
	x86_u32(&b, j->insn[s->index].word);
	for (unsigned i = 1; i < s->count; i++)
		x86_u32(&b, j->insn[s->index + i].word);
	if (has_vectors) {
		j->buf.p = b.p;
		put_vectors(j, s);
		b.p = j->buf.p;
	}
	if (is_mapped)
		put(&b, j->map, JIT_PINNED);
	if (kind & JIT_SITE_RUN) {
		uint16_t back = (uint16_t)(at - s->branch[1]);
		put(&b, &back, sizeof(back));
	}
	j->buf.p = b.p;
}

/* RAX is the address, which is in the site's register too. */
void jit_site_unaligned(struct jit *j, const struct jit_slow *s)
{
	struct x86_buf b = j->buf;

	x86_bind_here(&b, s->unaligned);
	x86_alu_imm32(&b, X86_AND, 0, x86_r(X86_RAX), EMU_PAGE_MASK);
	x86_alu_imm32(&b, X86_CMP, 0, x86_r(X86_RAX), (uint32_t)EMU_PAGE_SIZE - s->bytes);
	x86_mov_rr(&b, X86_W, X86_RAX, s->reg);
	x86_jcc_to(&b, X86_BE, s->unaligned);
	j->buf.p = b.p;
}

struct jit_slow *jit_site_add(struct jit *j, unsigned va, unsigned bytes, unsigned kind)
{
	struct jit_slow *s = jit_slow_add(j, site_piece);

	s->reg = (uint8_t)va;
	s->bytes = (uint16_t)bytes;
	s->kind = (uint8_t)kind;
	s->count = 1;
	return s;
}

void jit_site_resume(struct jit *j, unsigned first)
{
	uint32_t resume = x86_here(&j->buf);
	uint16_t vregs = jit_v_save(j);

	for (struct jit_slow *s = &j->slow[first], *end = &j->slow[j->n_slow]; s < end; s++) {
		if (s->emit == site_piece) {
			s->resume = resume;
			s->resume_vregs = vregs;
		}
	}
}

/* ---- Reading it ---- */

static uint32_t word_of(const struct record *r, unsigned i)
{
	uint32_t word;

	memcpy(&word, (const uint8_t *)(r + 1) + 4 * i, sizeof(word));
	return word;
}

/* What may be behind them, in this order. */
static const struct vectors *vectors_of(const struct record *r)
{
	return (const void *)((const uint8_t *)(r + 1) + 4 * r->count);
}

static const uint8_t *map_of(const struct record *r)
{
	return (const uint8_t *)vectors_of(r) + (r->kind & HAS_VECTORS ? sizeof(struct vectors) : 0);
}

/* JIT_SITE_RUN: from the record to the end of the branch for crossings. */
static uint16_t branch_back(const struct record *r)
{
	uint16_t back;

	memcpy(&back, map_of(r) + (r->kind & HAS_MAP ? JIT_PINNED : 0), sizeof(back));
	return back;
}

/* ---- Execution ---- */

static void count_access(struct jit *j, const struct record *r, bool crosses)
{
	if (r->kind & JIT_SITE_WRITES)
		jit_count(j, EMU_STAT_JIT_SLOW_STORES, 1);
	else
		jit_count(j, EMU_STAT_JIT_SLOW_LOADS, 1);
	if (!crosses)
		return;
	jit_count(j, EMU_STAT_JIT_CROSSINGS, 1);
	if (r->kind & JIT_SITE_RUN) {
		uint32_t record = (uint32_t)((const uint8_t *)r - j->buf.exec);
		if (r->crossings < CROSSINGS)
			j->buf.start[record + offsetof(struct record, crossings)]++;
		else
			j->to_part = record;
	}
}

/* Who waits for a device does the same again and again. */
static const struct jit_decoded *decoded(struct jit *j, uint32_t word)
{
	struct jit_decoded *d = &j->decoded[word * UINT32_C(0x9e3779b1) >> (32 - JIT_DECODED_BITS)];

	if (d->word != word) {
		a64_decode(word, &d->op, &d->args);
		d->word = word;
	}
	return d;
}

static void exec_words(struct emu_cpu *cpu, const struct record *r)
{
	for (unsigned i = 0; i < r->count; i++) {
		const struct jit_decoded *d = decoded(cpu->jit, word_of(r, i));
		cpu->pc = r->pc + 4 * i;
		cpu->next_pc = cpu->pc + 4;
		cpu->jit_hot.partial = r->done + i;
		a64_exec[d->op](cpu, &d->args);
	}
}

/* The next time the pages are in the arrays. */
static void fill(struct emu_cpu *cpu, const struct record *r, uint64_t va, bool crosses)
{
	jit_mem_fill(cpu, va, r->kind & JIT_SITE_UNPRIV);
	if (crosses)
		jit_mem_fill(cpu, va + r->bytes - 1, r->kind & JIT_SITE_UNPRIV);
}

/* The guest's registers, from where the thunk has put them; and where it takes them from: whether it is to take
 * vector registers. Most sites need neither, and are not to save what these use. */
static __attribute__((noinline)) void take_saved(struct emu_cpu *cpu, const struct record *r)
{
	const struct emu_jit_saved *saved = &cpu->jit_saved;
	const struct vectors *v = vectors_of(r);
	const uint8_t *map = map_of(r);

	if (r->kind & HAS_MAP)
#pragma GCC unroll 9
		for (unsigned i = 0; i < JIT_PINNED; i++)
			cpu->x[map[i]] = saved->x[i];
	for (unsigned dirty = r->kind & HAS_VECTORS ? v->dirty : 0; dirty; dirty &= dirty - 1) {
		unsigned i = (unsigned)__builtin_ctz(dirty);
		cpu->v[v->n[i]] = saved->v[i];
	}
}

static __attribute__((noinline)) bool give_saved(struct emu_cpu *cpu, const struct record *r)
{
	struct emu_jit_saved *saved = &cpu->jit_saved;
	const struct vectors *v = vectors_of(r);
	const uint8_t *map = map_of(r);
	unsigned to = r->kind & HAS_VECTORS ? v->valid : 0;

	if (r->kind & HAS_MAP)
#pragma GCC unroll 9
		for (unsigned i = 0; i < JIT_PINNED; i++)
			saved->x[i] = cpu->x[map[i]];
	for (unsigned valid = to; valid; valid &= valid - 1) {
		unsigned i = (unsigned)__builtin_ctz(valid);
		saved->v[i] = cpu->v[v->to[i]];
	}
	return to;
}

/* What the thunk goes by: RAX and RDX. */
struct way_back {
	const uint8_t *code;
	uint64_t has_vectors;
};

static struct way_back exec_site(struct emu_cpu *cpu, const struct record *r, uint64_t va)
{
	bool has_saved = r->kind & (HAS_VECTORS | HAS_MAP), is_access = r->bytes;
	bool crosses = (va & EMU_PAGE_MASK) + r->bytes > EMU_PAGE_SIZE;

	if (has_saved)
		take_saved(cpu, r);
	jit_sync_flags(cpu);
	if (is_access)
		count_access(cpu->jit, r, crosses);
	exec_words(cpu, r);
	if (is_access)
		fill(cpu, r, va, crosses);
	return (struct way_back){ (const uint8_t *)r - r->back, has_saved && give_saved(cpu, r) };
}

/* ---- Runs that cross pages ---- */

/* The registers are where the block has them, and V registers in memory. */
static void enter_as(struct jit *j, const uint8_t *map, const struct vectors *v)
{
	jit_map_usual(j);
	for (unsigned i = 0; i < JIT_PINNED; i++)
		if (map[i] != jit_usual_map[i])
			jit_map_swap(j, jit_usual_map[i], map[i]);
	memcpy(j->vregs.n, v->n, sizeof(j->vregs.n));
	j->vregs.dirty = v->dirty;
	jit_v_flush(j);
	jit_v_reset(j);
}

/* The accesses, as a piece of code that begins and ends as the site does. */
static void translate_apart(struct jit *j, const struct record *r, uint32_t resume)
{
	struct vectors v = { 0 };

	if (r->kind & HAS_VECTORS)
		v = *vectors_of(r);
	j->block_flags = JIT_FLAG_SP_CHECK;
	j->n_slow = j->n_saved_vregs = 0;
	j->n = j->seam = r->done + r->count;
	j->ended = j->sp_checked = false;
	j->eflags = JIT_EFLAGS_NONE;
	enter_as(j, r->kind & HAS_MAP ? map_of(r) : jit_usual_map, &v);
	/* All of them first: translators look at what follows, and take it along. */
	for (unsigned i = 0; i < r->count; i++)
		jit_decode(j, word_of(r, i), &j->insn[r->done + i]);
	for (j->i = r->done; j->i < j->n; j->i++) {
		j->pc = r->pc + 4 * (j->i - r->done);
		j->va_align = 1;
		jit_translate_native(j);
	}
	jit_v_forget(j);
	struct jit_vregs to = { .valid = v.valid };
	memcpy(to.n, v.to, sizeof(to.n));
	jit_v_restore(j, &to);
	x86_jmp_to(&j->buf, resume);
	jit_emit_slow(j);
}

void jit_site_part(struct jit *j)
{
	uint32_t at = j->to_part;
	unsigned epoch = j->epoch;

	j->to_part = 0;
	jit_cache_make_room(j);
	if (epoch != j->epoch)
		return; /* the site may have gone; if not, it asks again */
	const struct record *r = (const void *)(j->buf.start + at);
	uint32_t code = x86_here(&j->buf);
	translate_apart(j, r, at - r->back);
	jit_cache_link(j, at - branch_back(r), code);
}

/* ---- The thunk ---- */

static void move_vectors(struct jit *j, uint32_t op)
{
	for (unsigned i = 0; i < JIT_V_SLOTS; i++)
		jit_v_move(j, op, JIT_V_FIRST + i, JIT_CPU(jit_saved.v[i]));
}

static void move_general(struct jit *j, uint32_t op, bool mapped)
{
	for (unsigned i = 0; i < JIT_PINNED; i++)
		x86_op(&j->buf, op | X86_W, jit_pin[jit_usual_map[i]],
			mapped ? JIT_CPU(jit_saved.x[i]) : jit_x_home(jit_usual_map[i]));
}

/* Called, with the record behind the call and `va` in RCX. */
static void make_thunk(struct jit *j, bool mapped)
{
	struct x86_buf *b = &j->buf;

	j->thunk_site[mapped] = x86_here(b);
	move_general(j, X86_MOV_STORE, mapped);
	x86_pop(b, X86_RSI);
	x86_test8_imm(b, x86_m(X86_RSI, offsetof(struct record, kind)), HAS_VECTORS);
	uint32_t none = x86_jcc(b, X86_E);
	move_vectors(j, X86_VMOVUPS_STORE);
	x86_bind_here(b, none);
	x86_lea(b, X86_W, X86_RDI, x86_m(X86_RBP, -JIT_BIAS));
	x86_mov_rr(b, X86_W, X86_RDX, X86_RCX);
	x86_mov_imm(b, X86_RAX, (uint64_t)(uintptr_t)exec_site);
	x86_call_reg(b, X86_RAX);
	x86_test_rr(b, 0, X86_RDX, X86_RDX);
	none = x86_jcc(b, X86_E);
	move_vectors(j, X86_VMOVUPS);
	x86_bind_here(b, none);
	move_general(j, X86_MOV_LOAD, mapped);
	x86_load(b, X86_W, X86_R12, JIT_CPU(jit_hot.read));
	x86_load(b, X86_W, X86_R13, JIT_CPU(jit_hot.write));
	x86_jmp_rm(b, x86_r(X86_RAX));
}

void jit_site_make_thunks(struct jit *j)
{
	make_thunk(j, false);
	make_thunk(j, true);
}
