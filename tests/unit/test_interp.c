/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interpreter's loop, and instructions whose effect on more than registers
 * matters: what the differential tester does not reach.
 */
#include "tests/unit/bare.h"
#include "tests/unit/suite.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CODE 0x10000
#define DATA 0x20000

enum {
	NOP = 0xd503201f,
	BRK = 0xd4200000,
	ISB = 0xd5033fdf,
	BTI = 0xd503241f,
	BTI_C = 0xd503245f,
	BTI_J = 0xd503249f,
	BTI_JC = 0xd50324df,
	PACIASP = 0xd503233f,
};

static struct bare *b;

static void setup(void)
{
	b = bare_new();
	b->cpu.pc = CODE;
}

static void teardown(void)
{
	bare_free(b);
}

#define RUN(...) \
	do { \
		const uint32_t run[] = {__VA_ARGS__}; \
		bare_put(b, CODE, run, sizeof(run) / sizeof(run[0])); \
		bare_run(b); \
	} while (0)

static uint64_t read64(uint64_t addr)
{
	uint64_t val;

	memcpy(&val, b->mem + addr, 8);
	return val;
}

static void write64(uint64_t addr, uint64_t val)
{
	memcpy(b->mem + addr, &val, 8);
}

/* ---- The loop ---- */

START_TEST(straight)
{
	/* movz x0, #5; add x0, x0, #2; brk */
	RUN(0xd28000a0, 0x91000800, BRK);
	ck_assert_uint_eq(b->cpu.x[0], 7);
	ck_assert_uint_eq(b->ec, 0x3c);
	ck_assert_uint_eq(b->elr, CODE + 8);
	ck_assert_uint_eq(b->cpu.retired, 2);
}
END_TEST

START_TEST(page_crossing)
{
	const uint32_t end[] = {0x91000400, 0x91000400}; /* add x0, x0, #1 */
	const uint32_t next[] = {0x91000400, BRK};

	bare_put(b, CODE + 0xff8, end, 2);
	bare_put(b, CODE + 0x1000, next, 2);
	b->cpu.pc = CODE + 0xff8;
	bare_run(b);
	ck_assert_uint_eq(b->cpu.x[0], 3);
	ck_assert_uint_eq(b->elr, CODE + 0x1004);
	ck_assert_uint_eq(b->cpu.retired, 3);
}
END_TEST

START_TEST(loop_in_page)
{
	/* movz x0, #1000; sub x0, x0, #1; cbnz x0, .-4; brk */
	RUN(0xd2807d00, 0xd1000400, 0xb5ffffe0, BRK);
	ck_assert_uint_eq(b->cpu.x[0], 0);
	ck_assert_uint_eq(b->cpu.retired, 2001);
}
END_TEST

START_TEST(undefined)
{
	RUN(NOP, 0x00000000);
	ck_assert_uint_eq(b->ec, 0);
	ck_assert_uint_eq(b->elr, CODE + 4);
}
END_TEST

START_TEST(feature_missing)
{
	b->feature_off[EMU_FEAT_CRC32] = true;
	RUN(0x1ac14000); /* crc32b w0, w0, w1 */
	ck_assert_uint_eq(b->ec, 0);
	b->feature_off[EMU_FEAT_CRC32] = false;
	b->cpu.pc = CODE;
	emu_code_drop_all(&b->cpu);
	RUN(0x1ac14000, BRK);
	ck_assert_uint_eq(b->ec, 0x3c);
}
END_TEST

START_TEST(fp_trap)
{
	b->cpu.fp_trap = 1;
	RUN(0x3dc00000); /* ldr q0, [x0] */
	ck_assert_uint_eq(b->ec, 0x07);
}
END_TEST

START_TEST(fetch_faults)
{
	/* br x0, to where nothing is; and to an odd address */
	b->feature_off[EMU_FEAT_BTI] = true;
	b->cpu.x[0] = BARE_MEM_SIZE;
	RUN(0xd61f0000);
	ck_assert_uint_eq(b->ec, 0x21);
	ck_assert_uint_eq(b->elr, BARE_MEM_SIZE);
	b->cpu.x[0] = CODE + 2;
	b->cpu.pc = CODE;
	bare_run(b);
	ck_assert_uint_eq(b->ec, 0x22);
	ck_assert_uint_eq(b->elr, CODE + 2);
}
END_TEST

START_TEST(fetch_outside_ram)
{
	b->insn_outside = BRK | 7 << 5;
	b->cpu.pc = BARE_MEM_SIZE + 0x123000;
	bare_run(b);
	ck_assert_uint_eq(b->ec, 0x3c);
	ck_assert_uint_eq(b->iss, 7);
	ck_assert_uint_eq(b->elr, BARE_MEM_SIZE + 0x123000);

	b->insn_outside = 0x91000421;
	b->cpu.pc = BARE_MEM_SIZE;
	for (unsigned i = 0; i < 5; i++)
		emu_interp_step(&b->cpu);
	ck_assert_uint_eq(b->cpu.x[1], 5);
	ck_assert_uint_eq(b->cpu.pc, BARE_MEM_SIZE + 20);
}
END_TEST

START_TEST(tagged_target)
{
	/* br x0: the tag does not get into the PC */
	const uint32_t brk = BRK;

	bare_put(b, CODE + 0x40, &brk, 1);
	b->cpu.x[0] = 0x5500000000000000 | (CODE + 0x40);
	RUN(0xd61f0000);
	ck_assert_uint_eq(b->elr, CODE + 0x40);
}
END_TEST

START_TEST(attention_at_branch)
{
	b->wanted = EMU_ATT_IRQ;
	/* sys (wants attention); add x0; b .+4; add x0; brk */
	RUN(0xd50b7b20, 0x91000400, 0x14000002, BRK, 0x91000400, BRK);
	ck_assert_uint_eq(b->n_exceptions, 0);
	ck_assert_uint_eq(b->cpu.pc, CODE + 16);
	ck_assert_uint_eq(b->cpu.x[0], 1);
	/* and it goes on from there */
	bare_run(b);
	ck_assert_uint_eq(b->cpu.x[0], 2);
	ck_assert_uint_eq(b->elr, CODE + 20);
}
END_TEST

START_TEST(attention_at_isb)
{
	b->wanted = EMU_ATT_IRQ;
	RUN(0xd50b7b20, ISB, BRK);
	ck_assert_uint_eq(b->n_exceptions, 0);
	ck_assert_uint_eq(b->n_isb, 1);
	ck_assert_uint_eq(b->cpu.pc, CODE + 8);
}
END_TEST

START_TEST(attention_before_start)
{
	const uint32_t insns[] = {0x91000400, BRK};

	bare_put(b, CODE, insns, 2);
	atomic_store(&b->cpu.attention, EMU_ATT_STOP);
	emu_interp_run(&b->cpu);
	ck_assert_uint_eq(b->cpu.pc, CODE);
	ck_assert_uint_eq(b->cpu.x[0], 0);
}
END_TEST

START_TEST(step)
{
	const uint32_t insns[] = {0x91000400, 0x14000002, BRK, 0xd4200000};

	bare_put(b, CODE, insns, 4);
	atomic_store(&b->cpu.attention, EMU_ATT_STEP);
	emu_interp_step(&b->cpu);
	ck_assert_uint_eq(b->cpu.pc, CODE + 4);
	ck_assert_uint_eq(b->cpu.x[0], 1);
	emu_interp_step(&b->cpu);
	ck_assert_uint_eq(b->cpu.pc, CODE + 12);
	emu_interp_step(&b->cpu);
	ck_assert_uint_eq(b->cpu.pc, BARE_VECTOR);
	ck_assert_uint_eq(b->cpu.retired, 2);
	/* the last instruction of a page */
	const uint32_t last = NOP;
	bare_put(b, CODE + 0xffc, &last, 1);
	b->cpu.pc = CODE + 0xffc;
	emu_interp_step(&b->cpu);
	ck_assert_uint_eq(b->cpu.pc, CODE + 0x1000);
	ck_assert_uint_eq(b->cpu.retired, 3);
}
END_TEST

/* New code takes effect after IC IVAU and ISB, in the running page too. */
START_TEST(code_changes)
{
	b->cpu.x[1] = CODE + 20; /* the add below */
	b->cpu.x[2] = 0x91001000; /* add x0, x0, #4 */
	b->cpu.x[3] = 2;
	RUN(0x14000005,         /* b add */
		0xb9000022,     /* patch: str w2, [x1] */
		0xd50b7521,     /* ic ivau, x1 */
		ISB,
		NOP,
		0x91000400,     /* add x0, x0, #1 */
		0xd1000463,     /* sub x3, x3, #1 */
		0xb5ffff43,     /* cbnz x3, patch */
		BRK);
	ck_assert_uint_eq(b->ec, 0x3c);
	ck_assert_uint_eq(b->elr, CODE + 32);
	ck_assert_uint_eq(b->cpu.x[0], 5);
}
END_TEST

/* After TLBI and ISB the next instruction comes from the new translation, even
 * in a straight run. */
START_TEST(translation_changes)
{
	const uint32_t other[] = {0, 0, 0xd28000e0, BRK}; /* movz x0, #7 */
	const uint32_t tlbi = 0xd508871f;

	bare_put(b, CODE + 0x1000, other, 4);
	const uint32_t insns[] = {tlbi, ISB, 0xd2800060, BRK}; /* movz x0, #3 */
	bare_put(b, CODE, insns, 4);
	bare_run(b);
	ck_assert_uint_eq(b->cpu.x[0], 3);

	b->cpu.pc = CODE;
	b->xview[CODE / 0x1000].host = (const uint32_t *)(void *)(b->mem + CODE + 0x1000);
	b->xview[CODE / 0x1000].phys = CODE + 0x1000;
	bare_run(b); /* the shortcut is still good for the TLBI itself */
	ck_assert_uint_eq(b->cpu.x[0], 7);
}
END_TEST

/* More pages than are kept. */
START_TEST(eviction)
{
	const uint32_t insns[] = {0x91000400, 0xd65f03c0}; /* add x0, x0, #1; ret */

	b->cpu.x[30] = BARE_VECTOR;
	const uint32_t brk = BRK;
	bare_put(b, BARE_VECTOR, &brk, 1);
	bare_put(b, CODE, insns, 2);
	for (unsigned i = 0; i < CODE_MAX_PAGES + 100; i++) {
		/* one virtual page, ever another physical one with the same bytes */
		b->xview[CODE / 0x1000].phys = 0x100000000 + i * 0x1000ull;
		emu_code_flush_va(&b->cpu);
		b->cpu.pc = CODE;
		bare_run(b);
		ck_assert_uint_eq(b->cpu.x[0], i + 1);
	}
	ck_assert_uint_le(b->cpu.code->n_pages, CODE_MAX_PAGES);
}
END_TEST

/* ---- BTYPE ---- */

static void guard(uint64_t addr)
{
	b->xview[addr / 0x1000].phys |= EMU_PHYS_GUARDED;
}

START_TEST(bti_targets)
{
	enum { BR_X1 = 0xd61f0020, BR_X16 = 0xd61f0200, BLR_X1 = 0xd63f0020, RET_X1 = 0xd65f0020 };
	static const struct {
		uint32_t branch, target;
		bool from_guarded, ok;
		unsigned btype;
	} cases[] = {
		{BLR_X1, BTI_C, true, true, 2},
		{BLR_X1, BTI_JC, true, true, 2},
		{BLR_X1, BTI_J, true, false, 2},
		{BLR_X1, BTI, true, false, 2},
		{BLR_X1, NOP, true, false, 2},
		{BLR_X1, PACIASP, true, true, 2},
		{BLR_X1, BRK, true, true, 2},
		{BR_X1, BTI_J, true, true, 3},
		{BR_X1, BTI_C, true, false, 3},
		{BR_X1, PACIASP, true, true, 3}, /* SCTLR_EL1.BT1 is 0 */
		{BR_X1, NOP, true, false, 3},
		{BR_X1, BTI_C, false, true, 1}, /* from a page that is not guarded */
		{BR_X16, BTI_C, true, true, 1},
		{BR_X16, BTI_J, true, true, 1},
		{BR_X16, BTI, true, false, 1},
		{RET_X1, NOP, true, true, 0},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint32_t target[] = {cases[i].target, BRK | 1 << 5};
		bare_put(b, CODE + 0x2000, target, 2);
		guard(CODE + 0x2000);
		b->xview[CODE / 0x1000].phys = CODE | (cases[i].from_guarded ? EMU_PHYS_GUARDED : 0);
		emu_code_flush_va(&b->cpu);
		emu_code_drop_all(&b->cpu);
		b->cpu.x[1] = b->cpu.x[16] = CODE + 0x2000;
		b->cpu.pc = CODE;
		RUN(cases[i].branch);
		if (cases[i].ok) {
			ck_assert_msg(b->ec == 0x3c, "case %u: exception class %#x", i, b->ec);
		} else {
			ck_assert_msg(b->ec == 0x0d, "case %u: exception class %#x", i, b->ec);
			ck_assert_uint_eq(b->iss, cases[i].btype);
			ck_assert_uint_eq(b->elr, CODE + 0x2000);
			ck_assert_uint_eq(b->btype, cases[i].btype);
		}
		ck_assert_uint_eq(b->cpu.pstate.btype, 0);
	}
}
END_TEST

START_TEST(bti_cleared)
{
	/* blr x1 -> bti c; nop; brk: BTYPE is gone at the brk */
	const uint32_t target[] = {BTI_C, NOP, BRK};

	bare_put(b, CODE + 0x2000, target, 3);
	guard(CODE + 0x2000);
	b->cpu.x[1] = CODE + 0x2000;
	RUN(0xd63f0020);
	ck_assert_uint_eq(b->elr, CODE + 0x2008);
	ck_assert_uint_eq(b->btype, 0);
}
END_TEST

START_TEST(bti_eret)
{
	/* an exception return restores BTYPE, which is checked at its target */
	const uint32_t nop = NOP;

	bare_put(b, CODE + 0x2000, &nop, 1);
	guard(CODE + 0x2000);
	b->cpu.sys[EMU_SR_ELR_EL1] = CODE + 0x2000;
	b->cpu.x[0] = 2;
	RUN(0xd69f03e0);
	ck_assert_uint_eq(b->ec, 0x0d);
	ck_assert_uint_eq(b->iss, 2);
}
END_TEST

START_TEST(bti_attention)
{
	/* BTYPE survives leaving the loop between branch and target */
	const uint32_t target[] = {NOP};

	bare_put(b, CODE + 0x2000, target, 1);
	guard(CODE + 0x2000);
	b->cpu.x[1] = CODE + 0x2000;
	b->wanted = EMU_ATT_IRQ;
	RUN(0xd50b7b20, 0xd63f0020);
	ck_assert_uint_eq(b->n_exceptions, 0);
	ck_assert_uint_eq(b->cpu.pc, CODE + 0x2000);
	ck_assert_uint_eq(b->cpu.pstate.btype, 2);
	bare_run(b);
	ck_assert_uint_eq(b->ec, 0x0d);
}
END_TEST

/* ---- Faults in the middle of an instruction ---- */

START_TEST(fault_keeps_registers)
{
	static const uint32_t insns[] = {
		0xa9c10440, /* ldp x0, x1, [x2, #16]! */
		0xacc10440, /* ldp q0, q1, [x2], #32 */
		0x4cdf2040, /* ld1 {v0.16b-v3.16b}, [x2], #64 */
		0xf8408c40, /* ldr x0, [x2, #8]! */
		0x4cdf0040, /* ld4 {v0.16b-v3.16b}, [x2], #64 */
	};

	for (unsigned i = 0; i < sizeof(insns) / sizeof(insns[0]); i++) {
		uint64_t base = BARE_MEM_SIZE - (i == 0 ? 24 : i == 3 ? 8 : 16);
		b->cpu.x[0] = 11;
		b->cpu.x[1] = 12;
		b->cpu.x[2] = base;
		for (unsigned v = 0; v < 4; v++)
			b->cpu.v[v].d[0] = b->cpu.v[v].d[1] = 77;
		b->cpu.pc = CODE;
		emu_code_drop_all(&b->cpu);
		RUN(insns[i]);
		ck_assert_msg(b->ec == 0x25, "case %u", i);
		ck_assert_uint_eq(b->cpu.x[0], 11);
		ck_assert_uint_eq(b->cpu.x[1], 12);
		ck_assert_uint_eq(b->cpu.x[2], base);
		for (unsigned v = 0; v < 4; v++)
			ck_assert_uint_eq(b->cpu.v[v].d[1], 77);
	}
}
END_TEST

START_TEST(sp_alignment)
{
	b->cpu.x[31] = DATA + 8;
	b->cpu.sp_align_mask = 15;
	RUN(0xf94003e0); /* ldr x0, [sp] */
	ck_assert_uint_eq(b->ec, 0x26);
	b->cpu.sp_align_mask = 0;
	b->cpu.pc = CODE;
	RUN(0xf94003e0, BRK);
	ck_assert_uint_eq(b->ec, 0x3c);
}
END_TEST

/* ---- Exclusives ---- */

START_TEST(exclusive_succeeds)
{
	b->cpu.x[1] = DATA;
	b->cpu.x[2] = 42;
	write64(DATA, 41);
	RUN(0xc85f7c20, 0xc8037c22, BRK); /* ldxr x0, [x1]; stxr w3, x2, [x1] */
	ck_assert_uint_eq(b->cpu.x[0], 41);
	ck_assert_uint_eq(b->cpu.x[3], 0);
	ck_assert_uint_eq(read64(DATA), 42);
}
END_TEST

START_TEST(exclusive_fails)
{
	static const uint32_t between[] = {
		0xf9000022, /* str x2, [x1]: the value changed */
		0xd5033f5f, /* clrex */
		0xc8047c22, /* stxr w4, x2, [x1]: used up */
		0xc85f7ca6, /* ldxr x6, [x5]: another address */
	};

	for (unsigned i = 0; i < 4; i++) {
		b->cpu.x[1] = DATA;
		b->cpu.x[2] = 42;
		b->cpu.x[5] = DATA + 64;
		write64(DATA, 41);
		b->cpu.pc = CODE;
		emu_code_drop_all(&b->cpu);
		RUN(0xc85f7c20, between[i], 0xc8037c22, BRK);
		ck_assert_msg(b->cpu.x[3] == 1, "case %u", i);
	}
	/* a store-exclusive of another size */
	b->cpu.pc = CODE;
	emu_code_drop_all(&b->cpu);
	RUN(0xc85f7c20, 0x88037c22, BRK); /* ldxr x0, [x1]; stxr w3, w2, [x1] */
	ck_assert_uint_eq(b->cpu.x[3], 1);
}
END_TEST

START_TEST(exclusive_pair)
{
	b->cpu.x[1] = DATA;
	b->cpu.x[4] = 7;
	b->cpu.x[5] = 8;
	write64(DATA, 1);
	write64(DATA + 8, 2);
	/* ldxp x0, x2, [x1]; stxp w3, x4, x5, [x1] */
	RUN(0xc87f0820, 0xc8231424, BRK);
	ck_assert_uint_eq(b->cpu.x[0], 1);
	ck_assert_uint_eq(b->cpu.x[2], 2);
	ck_assert_uint_eq(b->cpu.x[3], 0);
	ck_assert_uint_eq(read64(DATA), 7);
	ck_assert_uint_eq(read64(DATA + 8), 8);
	/* the upper half changed in between: str x4, [x1, #8] */
	b->cpu.pc = CODE;
	emu_code_drop_all(&b->cpu);
	RUN(0xc87f0820, 0xf9000424, 0xc8231424, BRK);
	ck_assert_uint_eq(b->cpu.x[3], 1);
}
END_TEST

/* ---- Atomicity between host threads ---- */

enum { THREADS = 2, ROUNDS = 50000 };

static void *count_up(void *opaque)
{
	bare_run(opaque);
	return NULL;
}

/* Each thread is a vCPU of its own over one memory. */
static void run_together(const uint32_t *insns, unsigned n)
{
	struct bare *cpus[THREADS];
	pthread_t threads[THREADS];

	bare_put(b, CODE, insns, n);
	for (unsigned i = 0; i < THREADS; i++) {
		cpus[i] = bare_new();
		for (unsigned p = 0; p < EMU_TLB_SIZE; p++) {
			cpus[i]->view[p].addend = (uint64_t)(uintptr_t)b->mem;
			cpus[i]->xview[p].host = (const uint32_t *)(void *)(b->mem + p * EMU_PAGE_SIZE);
		}
		cpus[i]->cpu.pc = CODE;
		cpus[i]->cpu.x[1] = DATA;
		cpus[i]->cpu.x[2] = 1;
		cpus[i]->cpu.x[9] = ROUNDS;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, count_up, cpus[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_uint_eq(cpus[i]->ec, 0x3c);
		bare_free(cpus[i]);
	}
}

START_TEST(atomic_exclusive)
{
	static const uint32_t insns[] = {
		0xc85f7c20, /* ldxr x0, [x1] */
		0x91000400, /* add x0, x0, #1 */
		0xc8037c20, /* stxr w3, x0, [x1] */
		0x35ffffa3, /* cbnz w3, .-12 */
		0xd1000529, /* sub x9, x9, #1 */
		0xb5ffff69, /* cbnz x9, .-20 */
		BRK,
	};

	run_together(insns, 7);
	ck_assert_uint_eq(read64(DATA), THREADS * ROUNDS);
}
END_TEST

START_TEST(atomic_exclusive_pair)
{
	static const uint32_t insns[] = {
		0xc87f1020, /* ldxp x0, x4, [x1] */
		0x91000400, /* add x0, x0, #1 */
		0x91000884, /* add x4, x4, #2 */
		0xc8231020, /* stxp w3, x0, x4, [x1] */
		0x35ffff83, /* cbnz w3, .-16 */
		0xd1000529, /* sub x9, x9, #1 */
		0xb5ffff49, /* cbnz x9, .-24 */
		BRK,
	};

	run_together(insns, 8);
	ck_assert_uint_eq(read64(DATA), THREADS * ROUNDS);
	ck_assert_uint_eq(read64(DATA + 8), 2 * THREADS * ROUNDS);
}
END_TEST

START_TEST(atomic_lse)
{
	static const uint32_t insns[] = {
		0xf822003f, /* stadd x2, [x1] */
		0x38220023, /* ldaddb w2, w3, [x1]: the lowest byte of the same */
		0xd1000529, /* sub x9, x9, #1 */
		0xb5ffffa9, /* cbnz x9, .-12 */
		BRK,
	};
	uint64_t expected = 0;

	run_together(insns, 5);
	/* The byte wraps by itself, so only the lowest byte is known from the sum. */
	expected = (uint8_t)(2 * THREADS * ROUNDS);
	ck_assert_uint_eq((uint8_t)read64(DATA), expected);
}
END_TEST

/* ---- Flags ---- */

START_TEST(flag_instructions)
{
	b->cpu.nzcv = EMU_C;
	RUN(0xd500401f, BRK); /* cfinv */
	ck_assert_uint_eq(b->cpu.nzcv, 0);
	b->feature_off[EMU_FEAT_FlagM] = true;
	b->cpu.pc = CODE;
	bare_run(b);
	ck_assert_uint_eq(b->ec, 0);

	/* axflag, then xaflag, give back what FCMP makes */
	static const uint32_t fcmp[] = {EMU_N, EMU_Z | EMU_C, EMU_C, EMU_C | EMU_V};
	static const uint32_t alternative[] = {0, EMU_Z | EMU_C, EMU_C, EMU_Z};
	static const uint32_t back[] = {EMU_N, EMU_Z | EMU_C, EMU_C, EMU_C | EMU_V};
	for (unsigned i = 0; i < 4; i++) {
		b->cpu.nzcv = fcmp[i];
		b->cpu.pc = CODE;
		emu_code_drop_all(&b->cpu);
		RUN(0xd500405f, BRK);
		ck_assert_uint_eq(b->cpu.nzcv, alternative[i]);
		b->cpu.pc = CODE;
		emu_code_drop_all(&b->cpu);
		RUN(0xd500403f, BRK);
		ck_assert_uint_eq(b->cpu.nzcv, back[i]);
	}
}
END_TEST

START_TEST(crc)
{
	/* the check value of CRC-32 and CRC-32C over "123456789" */
	b->cpu.x[0] = b->cpu.x[2] = 0xffffffff;
	b->cpu.x[1] = 0x3837363534333231;
	b->cpu.x[3] = '9';
	/* crc32x w0, w0, x1; crc32b w0, w0, w3; crc32cx w2, w2, x1; crc32cb w2, w2, w3 */
	RUN(0x9ac14c00, 0x1ac34000, 0x9ac15c42, 0x1ac35042, BRK);
	ck_assert_uint_eq(b->cpu.x[0] ^ 0xffffffff, 0xcbf43926);
	ck_assert_uint_eq(b->cpu.x[2] ^ 0xffffffff, 0xe3069283);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("interp");
	TCase *tc = tcase_create("interp");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, straight);
	tcase_add_test(tc, page_crossing);
	tcase_add_test(tc, loop_in_page);
	tcase_add_test(tc, undefined);
	tcase_add_test(tc, feature_missing);
	tcase_add_test(tc, fp_trap);
	tcase_add_test(tc, fetch_faults);
	tcase_add_test(tc, fetch_outside_ram);
	tcase_add_test(tc, tagged_target);
	tcase_add_test(tc, attention_at_branch);
	tcase_add_test(tc, attention_at_isb);
	tcase_add_test(tc, attention_before_start);
	tcase_add_test(tc, step);
	tcase_add_test(tc, code_changes);
	tcase_add_test(tc, translation_changes);
	tcase_add_test(tc, eviction);
	tcase_add_test(tc, bti_targets);
	tcase_add_test(tc, bti_cleared);
	tcase_add_test(tc, bti_eret);
	tcase_add_test(tc, bti_attention);
	tcase_add_test(tc, fault_keeps_registers);
	tcase_add_test(tc, sp_alignment);
	tcase_add_test(tc, exclusive_succeeds);
	tcase_add_test(tc, exclusive_fails);
	tcase_add_test(tc, exclusive_pair);
	tcase_add_test(tc, atomic_exclusive);
	tcase_add_test(tc, atomic_exclusive_pair);
	tcase_add_test(tc, atomic_lse);
	tcase_add_test(tc, flag_instructions);
	tcase_add_test(tc, crc);
	suite_add_tcase(suite, tc);
	return suite_run(suite, CK_FORK_GETENV);
}
