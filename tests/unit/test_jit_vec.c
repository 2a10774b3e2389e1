/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT's floating point, Advanced SIMD and cryptography against the
 * interpreter's: each instruction that has a translator, in random encodings,
 * each with random states: all rounding modes, many NaNs, infinities, denormals
 * and numbers at the edges of conversions. All registers, NZCV and FPSR must come
 * out the same.
 *
 *     JIT_SEED=n    begins with this seed (default 1)
 *     JIT_ROUNDS=n  encodings to try of each instruction (default 40)
 *     JIT_ONLY=NAME tries this instruction only
 */
#include "emu/jit_priv.h"

#include "emu/fp_priv.h"
#include "tests/unit/lone.h"
#include "tests/unit/random.h"
#include "tests/unit/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RAM_SIZE 0x100000u
#define CODE_AT 0x10000u
#define STATES 12

static struct lone m; /* the MMU is off */

/* ---- Random numbers ---- */

/* What kind of floating-point numbers a state has, or MIXED: lanes that meet NaNs show nothing else. */
enum { MIXED = 8 };
static unsigned kind;

static unsigned number_kind(void)
{
	return kind == MIXED ? below(8) : kind;
}

/* Numbers next to which something changes; the sign and the last bits are changed at random. */
static uint32_t random_single(void)
{
	static const uint32_t edges[] = {
		0x00000000, 0x00000001, 0x00400000, 0x007fffff, 0x00800000, 0x00800001, 0x00ffffff, 0x01000000,
		0x1f800000, 0x20000000, 0x3effffff, 0x3f000000, 0x3f7fffff, 0x3f800000, 0x3fc00000, 0x40200000,
		0x4affffff, 0x4b000001, 0x4b7fffff, 0x4effffff, 0x4f000000, 0x4f7fffff, 0x4f800000, 0x5effffff,
		0x5f000000, 0x5f7fffff, 0x5f800000, 0x7effffff, 0x7f000000, 0x7f7fffff, 0x7f800000, 0x7f800001,
		0x7fa00000, 0x7fc00000, 0x7fc12345,
	};

	switch (number_kind()) {
	case 0:
		return (uint32_t)random64();
	case 1: /* of moderate size */
		return ((uint32_t)random64() & 0x807fffff) | (100 + below(60)) << 23;
	case 2: /* with a short fraction */
		return ((uint32_t)random64() & 0x80700000) | (120 + below(20)) << 23;
	case 3: /* whose products are tiny */
		return ((uint32_t)random64() & 0x807fffff) | (50 + below(25)) << 23;
	case 4: /* whose products are about the smallest normal number, or exactly below it */
		return (0x20000000 + below(9) - 4) ^ below(2) << 31;
	default:
		return (edges[below(sizeof(edges) / sizeof(edges[0]))] ^ below(2) << 31) + (below(3) ? 0 : below(3) - 1);
	}
}

static uint64_t random_double(void)
{
	static const uint64_t edges[] = {
		0x0000000000000000, 0x0000000000000001, 0x000fffffffffffff, 0x0010000000000000, 0x0010000000000001,
		0x001fffffffffffff, 0x1ff0000000000000, 0x2000000000000000, 0x36a0000000000000, 0x380fffffe0000000,
		0x380ffffff0000000, 0x3810000000000000, 0x3fdfffffffffffff, 0x3fe0000000000000, 0x3fefffffffffffff,
		0x3ff0000000000000, 0x3ff8000000000000, 0x4004000000000000, 0x41dfffffffc00000, 0x41dfffffffe00000,
		0x41e0000000000000, 0x41e0000000100000, 0x41efffffffe00000, 0x41effffffff00000, 0x41f0000000000000,
		0x432fffffffffffff, 0x4330000000000001, 0x433fffffffffffff, 0x43dfffffffffffff, 0x43e0000000000000,
		0x43efffffffffffff, 0x43f0000000000000, 0x47efffffe0000000, 0x47efffffefffffff, 0x47effffff0000000,
		0x7fefffffffffffff, 0x7ff0000000000000, 0x7ff0000000000001, 0x7ff4000000000000, 0x7ff8000000000000,
		0x7ff8123456789abc,
	};

	switch (number_kind()) {
	case 0:
		return random64();
	case 1:
		return (random64() & 0x800fffffffffffff) | (uint64_t)(1000 + below(60)) << 52;
	case 2:
		return (random64() & 0x800e000000000000) | (uint64_t)(1020 + below(40)) << 52;
	case 3:
		return (random64() & 0x800fffffffffffff) | (uint64_t)(495 + below(30)) << 52;
	case 4: /* that are tiny as singles, or just not */
		if (below(2))
			return (0x3810000000000000 + ((uint64_t)below(33) - 16) * 0x04000000) ^ (uint64_t)below(2) << 63;
		return (random64() & 0x800fffffffffffff) | (uint64_t)(870 + below(30)) << 52;
	case 5:
		return (0x2000000000000000 + below(9) - 4) ^ (uint64_t)below(2) << 63;
	default:
		return (edges[below(sizeof(edges) / sizeof(edges[0]))] ^ (uint64_t)below(2) << 63) +
		       (below(3) ? 0 : below(3) - (uint64_t)1);
	}
}

static uint64_t random_doubleword(void)
{
	static const uint16_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7c00, 0x7e00, 0x0400, 0x7fe0 };
	uint64_t val = 0;

	switch (below(6)) {
	case 0:
		return random64();
	case 1: /* small numbers of every size, as shift counts and indices are */
		for (unsigned i = 0; i < 8; i++)
			val |= (uint64_t)((below(200) - 100u) & 0xff) << 8 * i;
		return val;
	case 2:
		for (unsigned i = 0; i < 4; i++)
			val |= (uint64_t)edges[below(sizeof(edges) / sizeof(edges[0]))] << 16 * i;
		return val;
	case 3:
		return random_double();
	default:
		return random_single() | (uint64_t)random_single() << 32;
	}
}

static void start(unsigned debug)
{
	lone_init(&m, 0, RAM_SIZE);
	lone_start(&m, (struct emu_system_config){ .accel = EMU_ACCEL_JIT, .jit_debug = debug });
	lone_put_vectors(&m, 0);
	m.cpu->sys[EMU_SR_VBAR_EL1] = 0;
	emu_tlb_flush(m.cpu);
}

static void setup(void)
{
	start(0);
}

static void teardown(void)
{
	lone_fini(&m);
}

/* ---- Cases ---- */

struct state {
	uint64_t x[32];
	struct emu_vreg v[32];
	uint32_t nzcv, fpcr, fpsr;
	uint64_t esr, elr, spsr, retired;
};

static void random_state(struct state *s)
{
	bool all_double = below(2);

	kind = below(2) ? MIXED : below(7);
	for (unsigned i = 0; i < 31; i++)
		s->x[i] = random_doubleword();
	s->x[31] = 0x8000;
	for (unsigned i = 0; i < 32; i++) {
		s->v[i].d[0] = random_doubleword();
		s->v[i].d[1] = random_doubleword();
	}
	/* Now and then values of one kind in all of a register. */
	for (unsigned i = 0; i < 32; i++) {
		bool is_double = kind == MIXED ? below(2) : all_double;
		if (kind == MIXED && below(2))
			continue;
		for (unsigned k = 0; k < 2; k++)
			s->v[i].d[k] = is_double ? random_double() : random_single() | (uint64_t)random_single() << 32;
	}
	s->nzcv = (uint32_t)random64() & 0xf0000000;
	s->fpcr = below(4) << FPCR_RMODE_SHIFT | (below(3) ? 0 : FPCR_DN);
	if (below(16) == 0)
		s->fpcr |= (uint32_t)random64() & (FPCR_FZ | FPCR_AHP | FPCR_FZ16);
	else if (below(6) == 0)
		s->fpcr |= FPCR_FZ;
	s->fpsr = below(3) ? 0 : (uint32_t)random64() & 0x0800009f;
}

static void run(const struct state *in, uint64_t pc, bool jit, struct state *out)
{
	emu_set_sp(m.cpu, 1, 1);
	memcpy(m.cpu->x, in->x, sizeof(m.cpu->x));
	memcpy(m.cpu->v, in->v, sizeof(m.cpu->v));
	m.cpu->nzcv = in->nzcv;
	m.cpu->fpcr = in->fpcr;
	m.cpu->fpsr = in->fpsr;
	m.cpu->pc = pc;
	m.cpu->retired = 0;
	emu_pstate_changed(m.cpu);
	atomic_store(&m.cpu->attention, 0);
	if (jit)
		emu_jit_run(m.cpu);
	else
		emu_interp_run(m.cpu);
	memcpy(out->x, m.cpu->x, sizeof(out->x));
	memcpy(out->v, m.cpu->v, sizeof(out->v));
	out->x[0] = m.cpu->sys[EMU_SR_TPIDR_EL1];
	out->nzcv = m.cpu->nzcv;
	out->fpcr = m.cpu->fpcr;
	out->fpsr = m.cpu->fpsr;
	out->esr = m.cpu->sys[EMU_SR_ESR_EL1];
	out->elr = m.cpu->sys[EMU_SR_ELR_EL1];
	out->spsr = m.cpu->sys[EMU_SR_SPSR_EL1];
	out->retired = m.cpu->retired;
}

static void show(const char *name, uint64_t before, uint64_t want, uint64_t got)
{
	if (want != got)
		printf("  %-6s before %016" PRIx64 "  interpreter %016" PRIx64 "  JIT %016" PRIx64 "\n", name, before, want, got);
}

static void report(unsigned op, uint32_t insn, const struct state *in, const struct state *want, const struct state *got)
{
	char name[16];

	printf("%s %08x, fpcr %08x\n", a64_encodings[op].name, insn, in->fpcr);
	for (unsigned i = 0; i < 32; i++) {
		snprintf(name, sizeof(name), "x%u", i);
		show(name, in->x[i], want->x[i], got->x[i]);
		for (unsigned k = 0; k < 2; k++) {
			snprintf(name, sizeof(name), "v%u.d%u", i, k);
			show(name, in->v[i].d[k], want->v[i].d[k], got->v[i].d[k]);
		}
	}
	show("fpsr", in->fpsr, want->fpsr, got->fpsr);
	show("spsr", in->nzcv, want->spsr, got->spsr);
	show("esr", 0, want->esr, got->esr);
	show("elr", 0, want->elr, got->elr);
	show("count", 0, want->retired, got->retired);
	for (unsigned k = 5; k <= 16; k += k == 5 ? 5 : 6)
		printf("  v%-2u = %016" PRIx64 " %016" PRIx64 "\n", insn >> k & 31, in->v[insn >> k & 31].d[1],
			in->v[insn >> k & 31].d[0]);
}

static bool same(const struct state *a, const struct state *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* The instruction, then one that reads NZCV, then BRK. */
static bool try(unsigned op)
{
	static struct state in, want, got;
	const struct a64_encoding *e = &a64_encodings[op];
	uint32_t code[3] = { ((uint32_t)random64() & ~e->mask) | e->value | e->ignored,
		/* csinc x9, x9, x9, cond */
		0x9a890529 | below(16) << 12, 0xd4200000 };
	uint64_t pc = CODE_AT + 4 * below(256);
	enum a64_op found;
	union a64_args args;

	/* A hole: another instruction's. */
	if (!a64_decode(code[0], &found, &args) || found != op)
		return true;
	/* Some register more than once. */
	if (below(4) == 0)
		code[0] = (code[0] & ~(31u & ~e->mask)) | (code[0] >> 5 & 31 & ~e->mask);
	memcpy(m.ram + pc, code, sizeof(code));
	emu_drop_all_code(m.cpu);
	for (unsigned i = 0; i < STATES; i++) {
		random_state(&in);
		run(&in, pc, false, &want);
		run(&in, pc, true, &got);
		if (!same(&want, &got)) {
			report(op, code[0], &in, &want, &got);
			return false;
		}
	}
	return true;
}

/* Products, and a number to be narrowed, so little below the smallest normal number
 * that some modes round them to it: underflow for the guest, but not for the host. */
START_TEST(tininess_before_rounding)
{
	static const struct {
		uint32_t insn;
		bool is_double;
	} cases[] = {
		{ 0x1e220820, false }, /* fmul s0, s1, s2 */
		{ 0x1e620820, true },  /* fmul d0, d1, d2 */
		{ 0x1e228820, false }, /* fnmul s0, s1, s2 */
		{ 0x6e22dc20, false }, /* fmul v0.4s, v1.4s, v2.4s */
		{ 0x2e22dc20, false }, /* fmul v0.2s, v1.2s, v2.2s */
		{ 0x6e62dc20, true },  /* fmul v0.2d, v1.2d, v2.2d */
		{ 0x4f829020, false }, /* fmul v0.4s, v1.4s, v2.s[0] */
		{ 0x5fc29020, true },  /* fmul d0, d1, v2.d[0] */
		{ 0x1f020c20, false }, /* fmadd s0, s1, s2, s3 */
		{ 0x1f428c20, true },  /* fmsub d0, d1, d2, d3 */
		{ 0x1f220c20, false }, /* fnmadd s0, s1, s2, s3 */
		{ 0x1f628c20, true },  /* fnmsub d0, d1, d2, d3 */
		{ 0x4e22cc20, false }, /* fmla v0.4s, v1.4s, v2.4s */
		{ 0x4ee2cc20, true },  /* fmls v0.2d, v1.2d, v2.2d */
		{ 0x1e624080, true },  /* fcvt s0, d4 */
		{ 0x0e616880, true },  /* fcvtn v0.2s, v4.2d */
	};
	static struct state in, want, got;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t code[2] = { cases[i].insn, 0xd4200000 };
		memcpy(m.ram + CODE_AT, code, sizeof(code));
		emu_drop_all_code(m.cpu);
		for (unsigned mode = 0; mode < 8; mode++) {
			bool negative = mode & 4;
			memset(&in, 0, sizeof(in));
			for (unsigned k = 0; k < 2; k++) {
				in.v[1].d[k] = cases[i].is_double ? 0x1ffffffffffffffe : 0x1ffffffe1ffffffe;
				in.v[2].d[k] = cases[i].is_double ? 0x2000000000000001 : 0x2000000120000001;
				in.v[4].d[k] = 0x380ffffff0000000;
				if (negative) {
					in.v[1].d[k] ^= cases[i].is_double ? 1ull << 63 : 0x8000000080000000;
					in.v[4].d[k] ^= 1ull << 63;
				}
			}
			in.fpcr = (mode & 3) << FPCR_RMODE_SHIFT;
			run(&in, CODE_AT, false, &want);
			run(&in, CODE_AT, true, &got);
			ck_assert(want.fpsr & FPSR_UFC);
			if (!same(&want, &got)) {
				printf("%08x, fpcr %08x\n", cases[i].insn, in.fpcr);
				show("v0", 0, want.v[0].d[0], got.v[0].d[0]);
				show("fpsr", 0, want.fpsr, got.fpsr);
			}
			ck_assert(same(&want, &got));
		}
	}
}
END_TEST

/* Instructions that the host does in one, and what looks like them. */
START_TEST(pairs)
{
	static const uint32_t cases[][4] = {
		{ 0x4e284820, 0x4e286800, 0xd4200000 },             /* aese v0, v1; aesmc v0, v0 */
		{ 0x4e284800, 0x4e286800, 0xd4200000 },             /* aese v0, v0; aesmc v0, v0 */
		{ 0x4e284820, 0x4e286802, 0xd4200000 },             /* aese v0, v1; aesmc v2, v0 */
		{ 0x4e284820, 0x4e286820, 0xd4200000 },             /* aese v0, v1; aesmc v0, v1 */
		{ 0x4e285820, 0x4e287800, 0xd4200000 },             /* aesd v0, v1; aesimc v0, v0 */
		{ 0x4e285820, 0x4e286800, 0xd4200000 },             /* aesd v0, v1; aesmc v0, v0 */
		{ 0x4ea01c02, 0x5e034020, 0x5e035041, 0xd4200000 }, /* mov v2, v0; sha256h q0, q1, v3; sha256h2 q1, q2, v3 */
		{ 0x0ea01c02, 0x5e034020, 0x5e035041, 0xd4200000 }, /* mov v2.8b, v0.8b; the same */
		{ 0x4ea41c82, 0x5e034020, 0x5e035041, 0xd4200000 }, /* mov v2, v4; the same */
		{ 0x4ea01c02, 0x5e034020, 0x5e045041, 0xd4200000 }, /* ... sha256h2 q1, q2, v4 */
		{ 0x4ea01c02, 0x5e004020, 0x5e005041, 0xd4200000 }, /* ... both with v0 */
		{ 0x4ea01c02, 0x5e014020, 0x5e015041, 0xd4200000 }, /* ... both with v1 */
		{ 0x4ea01c02, 0x5e024020, 0x5e025041, 0xd4200000 }, /* ... both with v2 */
		{ 0x4ea01c02, 0x5e034020, 0x5e035044, 0xd4200000 }, /* ... sha256h2 q4, q2, v3 */
	};
	static const uint32_t between[] = {
		0x4ea484a3, /* add v3.4s, v5.4s, v4.4s */
		0x4ea484a0, /* add v0.4s, v5.4s, v4.4s */
		0x4ea484a2, /* add v2.4s, v5.4s, v4.4s */
		0x4ea41ca2, /* mov v2, v5 | v4 */
	};
	static struct state in, want, got;

	rng = setting("JIT_SEED", 1);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]) * 5; i++) {
		uint32_t code[5];
		memcpy(code, cases[i / 5], 16);
		if (i % 5) {
			memmove(code + 2, code + 1, 12);
			code[1] = between[i % 5 - 1];
		}
		memcpy(m.ram + CODE_AT, code, sizeof(code));
		emu_drop_all_code(m.cpu);
		for (unsigned k = 0; k < 20; k++) {
			random_state(&in);
			run(&in, CODE_AT, false, &want);
			run(&in, CODE_AT, true, &got);
			if (!same(&want, &got)) {
				printf("pair %u, between %u\n", i / 5, i % 5);
				report(A64_AESE, code[0], &in, &want, &got);
			}
			ck_assert(same(&want, &got));
		}
	}
}
END_TEST

/* SHA-256 as programs have it, with other things among it that see what it does: loads at X3, of which some
 * page may be missing, moves, sums, half of what makes four rounds, a branch around something. */
static unsigned put_rounds(uint32_t *code, unsigned max)
{
	static const uint32_t v[] = { 0, 1, 2, 4, 5, 6, 16, 17 };
	unsigned n = 0;

	while (n + 5 < max) {
		uint32_t d = v[below(8)], a = v[below(8)], b = v[below(8)], w = v[3 + below(5)];
		switch (below(16)) {
		case 0 ... 3:
			/* ld1 {d.4s}, [x3 or x4], #16; ld1 {d.4s}, [x3] */
			code[n++] = (below(8) ? 0x4cdf7860 : below(2) ? 0x4cdf7880 : 0x4c407860) | d;
			break;
		case 4:
			code[n++] = 0x4ea08400 | d | a << 5 | b << 16; /* add d.4s, a.4s, b.4s */
			break;
		case 5:
			code[n++] = 0x5e282800 | d | a << 5; /* sha256su0 */
			break;
		case 6:
			code[n++] = 0x5e006000 | d | a << 5 | b << 16; /* sha256su1 */
			break;
		case 7:
			code[n++] = 0x4ea01c00 | d | a << 5 | a << 16; /* mov d, a */
			break;
		case 8:
			/* rev32; sub x3 or x4, x3, 1 */
			code[n++] = below(2) ? 0x6e200800 | d | a << 5 : 0xd1000463 + below(2);
			break;
		case 9:
			code[n++] = below(2) ? 0x5e004000 | d | a << 5 | b << 16 : 0x5e005000 | d | a << 5 | b << 16;
			break;
		case 10:
			code[n++] = below(4) ? 0x4ea01c02 : 0xb4000049; /* a move; cbz x9, behind the next */
			break;
		default:
			if (below(4)) {
				d = 0;
				a = 1;
			}
			code[n++] = 0x4ea01c02 | d << 5 | d << 16;
			code[n++] = 0x5e004000 | d | a << 5 | w << 16;
			code[n++] = 0x5e005040 | a | w << 16;
			break;
		}
	}
	/* The last may be a branch around one. */
	code[n++] = 0xd4200000;
	code[n++] = 0xd4200000;
	return n;
}

/* All addresses are what they are, in pages that translated code may access. */
static void map_all(void)
{
	enum { TABLE = 0x4000 };
	uint64_t *sys = m.cpu->sys, *table = (uint64_t *)(m.ram + TABLE);

	memset(table, 0, EMU_PAGE_SIZE);
	/* Blocks of 1 GiB: memory, and what ends the run. */
	table[0] = 0x701;
	table[LONE_STOP >> 30] = (LONE_STOP >> 30 << 30) | 0x701;
	sys[EMU_SR_MAIR_EL1] = 0xff;
	sys[EMU_SR_TCR_EL1] = UINT64_C(2) << 32 | UINT64_C(2) << 30 | 25 << 16 | 25;
	sys[EMU_SR_TTBR0_EL1] = sys[EMU_SR_TTBR1_EL1] = TABLE;
	sys[EMU_SR_SCTLR_EL1] |= 1;
	emu_tlb_flush(m.cpu);
}

START_TEST(sha256_rounds)
{
	static struct state in, want, got;
	uint32_t code[100];
	uint64_t times = setting("JIT_ROUNDS", 40) * 25;

	teardown();
	start(_i ? EMU_JIT_NO_PAGE_ARRAY : 0);
	map_all();
	rng = setting("JIT_SEED", 1);
	for (unsigned i = 0; i < RAM_SIZE - CODE_AT - sizeof(code); i += 8)
		if (i >= sizeof(code))
			memcpy(m.ram + CODE_AT + i, &(uint64_t){ random64() }, 8);
	for (uint64_t i = 0; i < times; i++) {
		unsigned n = put_rounds(code, 5 + below(96));
		memcpy(m.ram + CODE_AT, code, 4 * n);
		emu_drop_all_code(m.cpu);
		for (unsigned k = 0; k < 4; k++) {
			random_state(&in);
			if (below(8) == 0)
				emu_tlb_flush(m.cpu);
			/* Into the next page, into what is no memory, or neither. */
			in.x[3] = (below(2) ? RAM_SIZE - 0x2000 : RAM_SIZE) - 16 * (uint64_t)below(64) - below(16);
			if (below(8) == 0)
				in.x[3] = random64();
			in.x[4] = RAM_SIZE - 0x3000 + below(0x1000);
			in.x[9] = below(2);
			run(&in, CODE_AT, false, &want);
			run(&in, CODE_AT, true, &got);
			if (!same(&want, &got)) {
				for (unsigned l = 0; l < n; l++)
					printf("%08x ", code[l]);
				printf("\nx3 = %" PRIx64 "\n", in.x[3]);
				report(A64_SHA256H, code[0], &in, &want, &got);
			}
			ck_assert(same(&want, &got));
		}
	}
}
END_TEST

static void try_all(void)
{
	const char *only = getenv("JIT_ONLY");
	uint64_t seed = setting("JIT_SEED", 1), rounds = setting("JIT_ROUNDS", 40);
	unsigned n = 0, bad = 0;

	for (unsigned op = 0; op < A64_OP_COUNT; op++) {
		if (!(jit_ops[op].props & JIT_VEC) || (only && strcmp(only, a64_encodings[op].name) != 0))
			continue;
		n++;
		rng = seed * 1000003 + op;
		for (uint64_t i = 0; i < rounds; i++) {
			if (!try(op)) {
				bad++;
				break;
			}
		}
	}
	ck_assert_msg(bad == 0, "%u of %u instructions differ (JIT_SEED=%" PRIu64 ")", bad, n, seed);
	ck_assert(only || n > 300);
}

START_TEST(against_the_interpreter)
{
	printf("JIT: AVX2 %d, AVX-512VL %d, BITALG %d\n", !!(m.cpu->jit->host_has & JIT_VEC),
		!!(m.cpu->jit->host_has & JIT_AVX512), !!(m.cpu->jit->host_has & JIT_BITALG));
	try_all();
}
END_TEST

/* What hosts with AVX-512VL do by it, and would not show otherwise. */
START_TEST(without_avx512)
{
	if (!(m.cpu->jit->host_has & JIT_AVX512))
		return;
	teardown();
	start(EMU_JIT_NO_AVX512);
	ck_assert(!(m.cpu->jit->host_has & (JIT_AVX512 | JIT_BITALG)));
	try_all();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("jit_vec");
	TCase *tcase = tcase_create("vec");

	/* In one process: the page arrays are not for forking. */
	tcase_add_unchecked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, against_the_interpreter);
	tcase_add_test(tcase, tininess_before_rounding);
	tcase_add_test(tcase, pairs);
	tcase_add_loop_test(tcase, sha256_rounds, 0, 2);
	tcase_add_test(tcase, without_avx512);
	tcase_set_timeout(tcase, 3600);
	suite_add_tcase(suite, tcase);
	return suite_run(suite, CK_NOFORK);
}
