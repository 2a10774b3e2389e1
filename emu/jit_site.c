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
 *     struct record, struct vectors if there are any, a byte for each host register
 *     if the block has others than usual, the instructions
 *
 * The thunk saves the host's registers in cpu->jit_saved; exec_site gives them to
 * the guest's, executes the instructions, and takes them back. The block goes on
 * behind the last of the instructions: nothing has been done of the first when
 * the site is entered, and nothing is left to do. Thread: the vCPU's own.
 */
#include "emu/jit_vec_priv.h"

#include "emu/access_priv.h"

/* In the code, at any alignment. */
struct record {
	uint64_t pc;
	uint16_t back;         /* from here to where the block goes on */
	uint16_t bytes;        /* that are accessed, from `va` on; 0: none may be */
	uint8_t left;          /* instructions of the block from the first here on */
	uint8_t count;         /* instructions */
	uint8_t kind;          /* JIT_SITE_* */
	uint8_t has;           /* HAS_* */
};
enum { HAS_VECTORS = 1 << 0, HAS_MAP = 1 << 1 };

struct vectors {
	uint8_t dirty, n[JIT_V_SLOTS];        /* when the site is entered */
	uint8_t valid, to[JIT_V_SLOTS];       /* where the block goes on */
};

/* ---- Emission ---- */

/* The guest registers of cpu->jit_saved.x: those of jit_pin. */
static const uint8_t usual_map[JIT_PINNED] = { 0, 1, 2, 3, 4, 5, 19, 20, 31 };

static void put(struct jit *j, const void *data, size_t size)
{
	memcpy(j->buf.p, data, size);
	j->buf.p += size;
}

/* What the registers in cpu->jit_saved are in this block. */
static void put_map(struct jit *j)
{
	uint8_t map[JIT_PINNED];

	for (unsigned i = 0; i < JIT_PINNED; i++) {
		map[i] = usual_map[i];
		for (unsigned k = 0; k < j->n_swaps; k++)
			if (j->swap[k].usual == usual_map[i])
				map[i] = j->swap[k].now;
	}
	put(j, map, sizeof(map));
}

static void site_piece(struct jit *j, const struct jit_slow *s)
{
	const struct jit_vregs *from = &s->vregs, *to = &s->resume_vregs;
	bool has_vectors = from->dirty || (s->resume && to->valid);

	if (s->bytes && s->reg != X86_RCX)
		x86_mov_rr(&j->buf, X86_W, X86_RCX, s->reg);
	x86_call_to(&j->buf, j->thunk_site);
	put(j, &(struct record){ .pc = s->pc, .back = (uint16_t)(x86_here(&j->buf) - s->resume), .bytes = s->bytes,
		.left = (uint8_t)(j->n - s->index), .count = s->count, .kind = s->kind,
		.has = (uint8_t)((has_vectors ? HAS_VECTORS : 0) | (j->n_swaps ? HAS_MAP : 0)) }, sizeof(struct record));
	if (has_vectors) {
		struct vectors v = { .dirty = from->dirty, .valid = s->resume ? to->valid : 0 };
		memcpy(v.n, from->n, sizeof(v.n));
		memcpy(v.to, to->n, sizeof(v.to));
		put(j, &v, sizeof(v));
	}
	if (j->n_swaps)
		put_map(j);
	for (unsigned i = 0; i < s->count; i++)
		x86_u32(&j->buf, j->insn[s->index + i].word);
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
	for (unsigned i = first; i < j->n_slow; i++)
		if (j->slow[i].emit == site_piece)
			jit_slow_resume(j, &j->slow[i]);
}

/* ---- Execution ---- */

static bool crosses(uint64_t va, const struct record *r)
{
	return (va & EMU_PAGE_MASK) + r->bytes > EMU_PAGE_SIZE;
}

static void count_access(struct emu_cpu *cpu, uint64_t va, const struct record *r)
{
	jit_count(cpu->jit, r->kind & JIT_SITE_WRITES ? EMU_STAT_JIT_SLOW_STORES : EMU_STAT_JIT_SLOW_LOADS, 1);
	if (crosses(va, r))
		jit_count(cpu->jit, EMU_STAT_JIT_CROSSINGS, 1);
}

/* The next time the pages are in the arrays. */
static void fill(struct emu_cpu *cpu, uint64_t va, const struct record *r)
{
	jit_mem_fill(cpu, va, r->kind & JIT_SITE_UNPRIV);
	if (crosses(va, r))
		jit_mem_fill(cpu, va + r->bytes - 1, r->kind & JIT_SITE_UNPRIV);
}

static void exec_words(struct emu_cpu *cpu, const uint8_t *words, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint32_t word;
		enum a64_op op;
		union a64_args args;
		memcpy(&word, words + 4 * i, sizeof(word));
		a64_decode(word, &op, &args);
		cpu->next_pc = cpu->pc + 4;
		a64_exec[op](cpu, &args);
		cpu->pc += 4;
		cpu->jit_hot.partial++;
	}
}

/* What the thunk goes by: RAX and RDX. */
struct way_back {
	const uint8_t *code;
	uint64_t has_vectors;
};

static struct way_back exec_site(struct emu_cpu *cpu, const uint8_t *at, uint64_t va)
{
	struct emu_jit_saved *saved = &cpu->jit_saved;
	const uint8_t *next = at + sizeof(struct record), *map = usual_map;
	struct record r;
	struct vectors v = { 0 };

	memcpy(&r, at, sizeof(r));
	if (r.has & HAS_VECTORS) {
		memcpy(&v, next, sizeof(v));
		next += sizeof(v);
	}
	if (r.has & HAS_MAP) {
		map = next;
		next += JIT_PINNED;
	}
	for (unsigned i = 0; i < JIT_PINNED; i++)
		cpu->x[map[i]] = saved->x[i];
	for (unsigned dirty = v.dirty; dirty; dirty &= dirty - 1) {
		unsigned i = (unsigned)__builtin_ctz(dirty);
		cpu->v[v.n[i]] = saved->v[i];
	}

	cpu->pc = r.pc;
	cpu->jit_hot.partial = -(int32_t)r.left;
	jit_sync_flags(cpu);
	if (r.bytes)
		count_access(cpu, va, &r);
	exec_words(cpu, next, r.count);
	if (r.bytes)
		fill(cpu, va, &r);

	for (unsigned i = 0; i < JIT_PINNED; i++)
		saved->x[i] = cpu->x[map[i]];
	for (unsigned valid = v.valid; valid; valid &= valid - 1) {
		unsigned i = (unsigned)__builtin_ctz(valid);
		saved->v[i] = cpu->v[v.to[i]];
	}
	return (struct way_back){ at - r.back, v.valid };
}

static void move_vectors(struct jit *j, uint32_t op)
{
	for (unsigned i = 0; i < JIT_V_SLOTS; i++)
		jit_v_move(j, op, JIT_V_FIRST + i, JIT_CPU(jit_saved.v[i]));
}

static void move_general(struct jit *j, uint32_t op)
{
	for (unsigned i = 0; i < JIT_PINNED; i++)
		x86_op(&j->buf, op | X86_W, jit_pin[usual_map[i]], JIT_CPU(jit_saved.x[i]));
}

void jit_site_make_thunk(struct jit *j)
{
	struct x86_buf *b = &j->buf;

	j->thunk_site = x86_here(b);
	move_general(j, X86_MOV_STORE);
	x86_pop(b, X86_RSI);
	x86_test8_imm(b, x86_m(X86_RSI, offsetof(struct record, has)), HAS_VECTORS);
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
	move_general(j, X86_MOV_LOAD);
	x86_load(b, X86_W, X86_R12, JIT_CPU(jit_hot.read));
	x86_load(b, X86_W, X86_R13, JIT_CPU(jit_hot.write));
	x86_jmp_rm(b, x86_r(X86_RAX));
}
