/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: which guest registers a block has in the host's.
 *
 * From block to block, the nine of jit_pin are where that says. A block that
 * uses others much more exchanges them: it stores what it displaces and loads
 * what it wants where it is entered, and the other way round where it is left
 * (and around calls of C code, in jit_call). A block that goes back to its own
 * start does so behind that, and behind the loads of the vector registers that
 * it uses, which stay in the host's too.
 *
 * How often a register is used is told from the fields of the encodings, class
 * by class (Arm ARM C4.1). A guess is enough: it decides what is fast, not what
 * is right; but all vector registers that an instruction has in the host's at
 * the same time have to be counted, or those of a loop may leave it too few.
 * Thread: the vCPU's own.
 */
#include "emu/jit_vec_priv.h"

#include <emmintrin.h>

struct uses {
	uint8_t x[32], v[32]; /* v: of loops alone */
	uint32_t v_written;
};

static unsigned bits(uint32_t word, unsigned at, unsigned n)
{
	return word >> at & ((1u << n) - 1);
}

static unsigned fields_of_load_store(uint32_t word)
{
	unsigned class = bits(word, 28, 2), fields = 0;
	bool is_vector = bits(word, 26, 1), is_literal = class == 1 && !bits(word, 24, 1), is_pair = class == 2;

	if (!is_literal)
		fields |= JIT_FIELD_N;
	if (!is_vector)
		fields |= is_pair ? JIT_FIELD_D | JIT_FIELD_A : JIT_FIELD_D;
	if (class == 3 && !bits(word, 24, 1) && bits(word, 21, 1))
		fields |= JIT_FIELD_M;
	return fields;
}

static unsigned fields_of_immediate(uint32_t word)
{
	unsigned op = bits(word, 23, 3), fields = JIT_FIELD_D;

	/* neither of those relative to the PC, nor wide moves */
	if (op > 1 && op != 5)
		fields |= JIT_FIELD_N;
	if (op == 7)
		fields |= JIT_FIELD_M;
	return fields;
}

static unsigned fields_of_register(uint32_t word)
{
	bool three = bits(word, 24, 5) == 27, one = bits(word, 21, 8) == 0xd6 && bits(word, 30, 1);

	if (three)
		return JIT_FIELD_D | JIT_FIELD_N | JIT_FIELD_M | JIT_FIELD_A;
	return one ? JIT_FIELD_D | JIT_FIELD_N : JIT_FIELD_D | JIT_FIELD_N | JIT_FIELD_M;
}

static unsigned fields_of_branch(uint32_t word)
{
	if (bits(word, 25, 7) == 0x6b)
		return JIT_FIELD_N;
	return bits(word, 29, 2) == 1 ? JIT_FIELD_D : 0;
}

/* The top bits alone tell: emu/jit_translate.c has them in a table. */
unsigned jit_map_fields(uint32_t word)
{
	unsigned op = bits(word, 25, 4);

	if ((op & 5) == 4)
		return fields_of_load_store(word);
	if ((op & 14) == 8)
		return fields_of_immediate(word);
	if ((op & 7) == 5)
		return fields_of_register(word);
	return (op & 14) == 10 ? fields_of_branch(word) : 0;
}

static void count_general(struct uses *u, const struct jit_insn *insn)
{
	uint32_t word = insn->word;
	uint8_t sp = u->x[31];

	u->x[bits(word, 0, 5)] += insn->fields & 1;
	u->x[bits(word, 5, 5)] += insn->fields >> 1 & 1;
	u->x[bits(word, 10, 5)] += insn->fields >> 2 & 1;
	u->x[bits(word, 16, 5)] += insn->fields >> 3 & 1;
	/* Zero, in computations on registers. */
	if (bits(word, 25, 3) == 5)
		u->x[31] = sp;
}

static void count_load_store_v(struct uses *u, uint32_t word)
{
	unsigned t = bits(word, 0, 5), class = bits(word, 28, 2);
	bool is_literal = class == 1 && !bits(word, 24, 1), loads = bits(word, 22, 1);

	u->v[t]++;
	if (loads || is_literal)
		u->v_written |= 1u << t;
	/* Structures: up to four, which have to have places at the same time. */
	for (unsigned i = 1; class == 0 && i < 4; i++) {
		u->v[(t + i) & 31]++;
		if (loads)
			u->v_written |= 1u << ((t + i) & 31);
	}
	if (class == 2) {
		u->v[bits(word, 10, 5)]++;
		if (loads)
			u->v_written |= 1u << bits(word, 10, 5);
	}
}

static void count_simd(struct uses *u, uint32_t word)
{
	unsigned class = bits(word, 24, 5), low = bits(word, 10, 2);
	bool one_source = (class == 0x0e && bits(word, 21, 1) && low == 2) || (class == 0x1e && bits(word, 10, 5) == 0x10);

	u->v[bits(word, 0, 5)]++;
	u->v[bits(word, 5, 5)]++;
	u->v_written |= 1u << bits(word, 0, 5);
	if (!one_source && (bits(word, 21, 1) || class == 0x1f))
		u->v[bits(word, 16, 5)]++;
	if (class == 0x1f && !bits(word, 30, 1))
		u->v[bits(word, 10, 5)]++;
	/* TBL, TBX: the tables, and what they are looked up by. */
	if (class == 0x0e && bits(word, 21, 3) == 0 && !bits(word, 15, 1) && low == 0) {
		u->v[bits(word, 16, 5)]++;
		for (unsigned i = 1; i <= bits(word, 13, 2); i++)
			u->v[(bits(word, 5, 5) + i) & 31]++;
	}
}

static void count_vector(struct uses *u, uint32_t word)
{
	unsigned op = bits(word, 25, 4);

	if ((op & 7) == 7)
		count_simd(u, word);
	else if ((op & 7) == 6)
		count_load_store_v(u, word);
}

static void place(struct jit *j, unsigned n, unsigned reg)
{
	j->pin[n] = (uint8_t)reg;
	j->pinned = (j->pinned & ~(1u << n)) | (reg != X86_NO_REG ? 1u << n : 0);
	j->x[n] = reg != X86_NO_REG ? x86_r(reg) : jit_x_home(n);
}

const uint8_t jit_usual_map[JIT_PINNED] = { 0, 1, 2, 3, 4, 5, 19, 20, 31 };

void jit_map_init(struct jit *j)
{
	memcpy(j->map, jit_usual_map, sizeof(j->map));
	for (unsigned n = 0; n < 32; n++)
		place(j, n, jit_pin[n]);
}

void jit_map_usual(struct jit *j)
{
	if (j->n_swaps)
		memcpy(j->map, jit_usual_map, sizeof(j->map));
	while (j->n_swaps) {
		const struct jit_swap *swap = &j->swap[--j->n_swaps];
		place(j, swap->now, X86_NO_REG);
		place(j, swap->usual, swap->reg);
	}
}

void jit_map_swap(struct jit *j, unsigned usual, unsigned now)
{
	unsigned reg = j->pin[usual];

	j->swap[j->n_swaps++] = (struct jit_swap){ .reg = (uint8_t)reg, .usual = (uint8_t)usual, .now = (uint8_t)now };
	place(j, now, reg);
	place(j, usual, X86_NO_REG);
	for (unsigned i = 0; i < JIT_PINNED; i++)
		if (jit_usual_map[i] == usual)
			j->map[i] = (uint8_t)now;
}

/* A bit for each that has been counted so many times. */
static uint32_t used_often(const uint8_t counts[32], int8_t times)
{
	__m128i low = _mm_loadu_si128((const __m128i *)counts), high = _mm_loadu_si128((const __m128i *)(counts + 16));
	__m128i least = _mm_set1_epi8(times);

	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(low, least), low)) |
	       (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(high, least), high)) << 16;
}

static __attribute__((noinline)) void choose_general(struct jit *j, struct uses *u, uint32_t wanted, unsigned worth)
{
	uint32_t pinned = j->pinned;

	while (wanted && j->n_swaps < JIT_PINNED) {
		unsigned in = (unsigned)__builtin_ctz(wanted), out = (unsigned)__builtin_ctz(pinned);
		for (uint32_t rest = wanted; rest; rest &= rest - 1)
			if (u->x[__builtin_ctz(rest)] > u->x[in])
				in = (unsigned)__builtin_ctz(rest);
		for (uint32_t rest = pinned; rest; rest &= rest - 1)
			if (u->x[__builtin_ctz(rest)] < u->x[out])
				out = (unsigned)__builtin_ctz(rest);
		if (u->x[in] < u->x[out] + worth)
			return;
		jit_map_swap(j, out, in);
		wanted &= ~(1u << in);
		pinned = j->pinned;
	}
}

static void choose_vector(struct jit *j, struct uses *u)
{
	unsigned n = (unsigned)__builtin_popcount(used_often(u->v, 1)), limit;

	/* The others take turns in what is left. */
	limit = n <= JIT_V_SLOTS ? n : JIT_V_SLOTS / 2;
	for (unsigned i = 0; i < limit; i++) {
		unsigned best = 0;
		for (unsigned k = 1; k < 32; k++)
			if (u->v[k] > u->v[best])
				best = k;
		jit_v_lock(j, best, u->v_written >> best & 1);
		u->v[best] = 0;
	}
}

/* A bit for each register that may be worth the place of another; counts what the block uses then. A block that calls
 * the interpreter has its registers where that looks for them, and a short one has few uses. */
static uint32_t find_wanted(const struct jit *j, struct uses *u, unsigned worth)
{
	enum { FEW = 4 };

	if (!j->loops && j->n < FEW)
		return 0;
	memset(u, 0, sizeof(*u));
	for (unsigned i = 0; i < j->n; i++) {
		if (!j->insn[i].native)
			return 0;
		count_general(u, &j->insn[i]);
	}
	return used_often(u->x, (int8_t)worth) & ~j->pinned;
}

/* Loads the vector registers that a loop uses. */
static __attribute__((noinline)) void enter_loop(struct jit *j)
{
	struct uses u = { 0 };

	for (unsigned i = 0; i < j->n; i++) {
		if (!j->insn[i].native)
			return;
		count_vector(&u, j->insn[i].word);
	}
	choose_vector(j, &u);
}

void jit_map_enter(struct jit *j)
{
	/* An exchange is four accesses, which a loop makes once. */
	unsigned worth = j->loops ? 2 : 6;
	struct uses u;

	if (j->n_swaps)
		jit_map_usual(j);
	jit_v_reset(j);
	uint32_t wanted = find_wanted(j, &u, worth);
	if (wanted)
		choose_general(j, &u, wanted, worth);
	for (unsigned i = 0; i < j->n_swaps; i++) {
		x86_plain_here(&j->buf, X86_MOV_STORE | X86_W, j->swap[i].reg, jit_x_home(j->swap[i].usual));
		x86_plain_here(&j->buf, X86_MOV_LOAD | X86_W, j->swap[i].reg, jit_x_home(j->swap[i].now));
	}
	j->loop_entry = 0;
	if (j->loops) {
		enter_loop(j);
		j->loop_vregs = j->vregs;
		j->loop_entry = x86_here(&j->buf);
	}
}

void jit_map_exchange_back(struct jit *j)
{
	struct x86_buf b = j->buf;

	for (unsigned i = 0; i < j->n_swaps; i++) {
		x86_plain_here(&b, X86_MOV_STORE | X86_W, j->swap[i].reg, jit_x_home(j->swap[i].now));
		x86_plain_here(&b, X86_MOV_LOAD | X86_W, j->swap[i].reg, jit_x_home(j->swap[i].usual));
	}
	j->buf.p = b.p;
}

void jit_map_return(struct jit *j)
{
	for (unsigned i = 0; i < j->n_swaps; i++)
		x86_load(&j->buf, X86_W, j->swap[i].reg, jit_x_home(j->swap[i].now));
}
