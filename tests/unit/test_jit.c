/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT against the interpreter: random blocks of instructions, run by both
 * from the same state over the same memory, must end in the same state, with the
 * same memory and the same count of instructions. There are two JITs: one with
 * page arrays, one with tagged tables.
 *
 * Each engine has a system of its own with one vCPU that never leaves its pause;
 * the test's thread runs it. The address space: 2 MiB of code and tables that
 * nobody may write, then a window of WINDOW_PAGES pages with odd mappings, in
 * the lower half and again in the upper, a device that stops the run, and
 * nothing else. A block ends in BRK, or in whatever exception it raises; the
 * vector's code stores to the device.
 *
 * The same is done in each of the JIT's forced modes, and with code that is much
 * larger than the cache for code.
 *
 *     JIT_SEED=n    begins with this seed (default 1)
 *     JIT_BLOCKS=n  blocks to try (default 3000)
 *     JIT_MORE=NAME every other instruction is one whose name begins with this
 *     JIT_INSNS=n   nothing but blocks, until the interpreter has executed so many
 *                   instructions: what tests/unit/campaign.sh runs
 *     JIT_LIST=WORDS tries nothing, and lists what these instructions (hexadecimal
 *                   words, BRK behind them) become, for both JITs
 *
 * A difference is reduced to the instructions that it needs, and listed.
 */
#include "emu/a64_decode.h"
#include "emu/fp_priv.h"
#include "emu/jit_priv.h"
#include "tests/unit/listing.h"
#include "tests/unit/lone.h"
#include "tests/unit/random.h"
#include "tests/unit/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define RAM_BASE UINT64_C(0x40000000)
#define RAM_SIZE (4u << 20)
#define TABLE_AT 0x100000u
#define CODE_AT 0x10000u
#define CODE_SIZE 0x8000u
#define WINDOW UINT64_C(0x40200000)
#define WINDOW_HIGH UINT64_C(0xffffff8040200000)
#define WINDOW_AT 0x200000u
#define WINDOW_PAGES 16
#define WINDOW_SIZE (WINDOW_PAGES * 4096u)
#define MAX_INSNS 48
#define LOOP_REG 27

#define BRK 0xd4200000u
#define NOP 0xd503201fu

enum { INTERP, ARRAYS, TABLES, N_ENGINES };
static struct lone engines[N_ENGINES];

/* ---- The machines ---- */

static void put64(struct lone *e, uint32_t at, uint64_t val)
{
	memcpy(e->ram + at, &val, 8);
}

enum {
	VALID = 3, BLOCK = 1, AF = 1 << 10, INNER = 3 << 8, NG = 1 << 11,
	RW_ALL = 1 << 6, RO_ALL = 3 << 6, RW_EL1 = 0, DEVICE = 1 << 2,
};

#define XN (UINT64_C(3) << 53)

static void make_tables(struct lone *e)
{
	uint32_t l1 = TABLE_AT, l2 = TABLE_AT + 0x1000, l3 = TABLE_AT + 0x2000;

	put64(e, l1 + 8, (RAM_BASE + l2) | VALID);
	put64(e, l1 + 16, 0x80000000 | BLOCK | AF | RW_EL1 | DEVICE);
	put64(e, l2, RAM_BASE | BLOCK | AF | INNER | RO_ALL);
	put64(e, l2 + 8, (RAM_BASE + l3) | VALID);
	for (unsigned i = 0; i < WINDOW_PAGES; i++) {
		uint64_t pa = RAM_BASE + WINDOW_AT + (i * 5 % WINDOW_PAGES) * 4096;
		uint64_t rights = i == 8 ? RO_ALL : i == 10 ? RW_EL1 : RW_ALL;
		if (i != 9)
			put64(e, l3 + 8 * i, pa | VALID | AF | INNER | rights | XN);
	}
}

static void make_engine(struct lone *e, enum emu_accel accel, uint64_t jit_cache, unsigned jit_debug)
{
	lone_init(e, RAM_BASE, RAM_SIZE);
	lone_start(e, (struct emu_system_config){ .accel = accel, .jit_cache = jit_cache, .jit_debug = jit_debug });
	lone_put_vectors(e, 0);
	make_tables(e);

	uint64_t *sys = e->cpu->sys;
	sys[EMU_SR_MAIR_EL1] = 0x00ff;
	/* 39 bits in both halves, 4 KiB granules, tables cached and shareable, 48-bit output */
	sys[EMU_SR_TCR_EL1] = UINT64_C(5) << 32 | UINT64_C(2) << 30 | 25 << 16 | 25;
	sys[EMU_SR_TTBR0_EL1] = sys[EMU_SR_TTBR1_EL1] = RAM_BASE + TABLE_AT;
	sys[EMU_SR_VBAR_EL1] = RAM_BASE;
	sys[EMU_SR_SCTLR_EL1] |= 1 | 1 << 3 | 1 << 4; /* M, SA, SA0 */
	emu_tlb_flush(e->cpu);
}

static uint64_t not_retired; /* see start */

/*
 * What stops the run is an instruction of the vector. One-instruction blocks
 * leave right there, before the vector's last, which the interpreter and other
 * blocks still execute.
 */
static void start(uint64_t jit_cache, unsigned jit_debug)
{
	make_engine(&engines[INTERP], EMU_ACCEL_INTERP, 0, 0);
	make_engine(&engines[ARRAYS], EMU_ACCEL_JIT, jit_cache, jit_debug);
	make_engine(&engines[TABLES], EMU_ACCEL_JIT, jit_cache, jit_debug | EMU_JIT_NO_PAGE_ARRAY);
	not_retired = jit_debug & EMU_JIT_ONE_INSN ? 1 : 0;
}

static void setup(void)
{
	start(0, 0);
}

static void teardown(void)
{
	for (unsigned i = 0; i < N_ENGINES; i++)
		lone_fini(&engines[i]);
}

/* ---- A case ---- */

enum { NO_EDGE = 32 };
struct test_case {
	uint64_t seed;
	uint32_t insn[MAX_INSNS];
	unsigned n;
	uint64_t pc;
	uint64_t x[32];
	struct emu_vreg v[32];
	uint32_t nzcv, fpcr, fpsr;
	uint64_t sctlr, cntkctl; /* bits of them */
	bool el0, pan;
	unsigned edge; /* this register is near the end of a page whenever the block is entered; NO_EDGE: none */
	uint8_t window[WINDOW_SIZE];
};

static const uint16_t excluded[] = {
	A64_HVC, A64_SMC, A64_HLT, A64_WFET, A64_WFIT, A64_SYS, A64_SYSL, A64_MSR_reg, A64_MRS, A64_MSR_imm,
	A64_ERET, A64_ERETA,
};

/* A block has the ones or the others, so that no link register leads back into it. */
static const uint16_t makes_addresses[] = { A64_BL, A64_ADR, A64_ADRP };
static const uint16_t follows_addresses[] = {
	A64_BR, A64_BLR, A64_RET, A64_BRA, A64_BLRA, A64_BRAZ, A64_BLRAZ, A64_RETA,
};
static bool follow, vectors; /* this block's choices */

static bool is_in(const uint16_t *ops, unsigned n, unsigned op)
{
	for (unsigned i = 0; i < n; i++)
		if (ops[i] == op)
			return true;
	return false;
}
#define IS_IN(ops, op) is_in(ops, sizeof(ops) / sizeof(ops[0]), op)

static bool is_branch_to_label(unsigned op, uint32_t *ret_shift, uint32_t *ret_bits)
{
	switch (op) {
	case A64_B:
	case A64_BL:
		*ret_shift = 0;
		*ret_bits = 26;
		return true;
	case A64_B_cond:
	case A64_CBZ_w:
	case A64_CBZ_x:
	case A64_CBNZ_w:
	case A64_CBNZ_x:
		*ret_shift = 5;
		*ret_bits = 19;
		return true;
	case A64_TBZ:
	case A64_TBNZ:
		*ret_shift = 5;
		*ret_bits = 14;
		return true;
	default:
		return false;
	}
}

static uint32_t with_offset(uint32_t insn, uint32_t shift, uint32_t bits, int offset)
{
	uint32_t mask = ((1u << bits) - 1) << shift;
	return (insn & ~mask) | ((uint32_t)offset << shift & mask);
}

static bool names_register(uint32_t insn, unsigned reg)
{
	/* CASP has the register behind Rs and Rt, too */
	bool is_casp = (insn & 0xbfa07c00) == 0x08207c00;
	unsigned before = is_casp ? reg & ~1u : reg;

	return (insn & 31) == reg || (insn >> 5 & 31) == reg || (insn >> 10 & 31) == reg || (insn >> 16 & 31) == reg ||
	       (insn & 31) == before || (insn >> 16 & 31) == before;
}

/* JIT_MORE's instructions. */
static uint16_t more[A64_OP_COUNT];
static unsigned n_more;

static void find_more(void)
{
	const char *prefix = getenv("JIT_MORE");

	for (unsigned i = 0; prefix && i < A64_OP_COUNT; i++)
		if (strncmp(a64_encodings[i].name, prefix, strlen(prefix)) == 0)
			more[n_more++] = (uint16_t)i;
	ck_assert_msg(!prefix || n_more, "JIT_MORE: no instruction's name begins with %s", prefix);
}

/* Some instructions are worth more than one in a thousand. */
static unsigned random_op(void)
{
	static const uint16_t favourites[] = {
		A64_SUBS_imm, A64_SUBS_shift, A64_ADDS_shift, A64_ANDS_imm, A64_ANDS_shift, A64_CCMP_imm, A64_CCMN_reg,
		A64_CSEL, A64_CSINC, A64_B_cond, A64_CBZ_x, A64_TBNZ, A64_ADC, A64_SBCS, A64_ADCS, A64_ADD_imm,
		A64_LDR_x_uimm, A64_STR_x_uimm, A64_LDP_x_off, A64_STP_x_pre, A64_LDR_w_post, A64_LDRB_uimm, A64_LDRSW_uimm,
	};
	enum { N = sizeof(favourites) / sizeof(favourites[0]) };
	for (;;) {
		unsigned op;
		if (n_more && below(2))
			op = more[below(n_more)];
		else if (vectors && below(4))
			op = A64_SHADD_vec + below(A64_OP_COUNT - A64_SHADD_vec);
		else if (below(4) == 0)
			op = favourites[below(N)];
		else
			op = below(3) ? below(A64_SHADD_vec) : below(A64_OP_COUNT);
		if (op < A64_OP_COUNT && !IS_IN(excluded, op) &&
		    !(follow ? IS_IN(makes_addresses, op) || op == A64_BLR || op == A64_BLRA || op == A64_BLRAZ : IS_IN(follows_addresses, op)))
			return op;
	}
}

/* Of MRS, MSR and SYS those that do the same in both engines; Rt is to be filled in. */
static uint32_t system_insn(void)
{
	static const uint32_t insns[] = {
		0xd53b4200, 0xd51b4200, /* NZCV */
		0xd53b4220, 0xd51b4220, /* DAIF */
		0xd5384240, /* CurrentEL */
		0xd53b0020, 0xd53b00e0, /* CTR_EL0, DCZID_EL0 */
		0xd53be000, 0xd53b4400, /* CNTFRQ_EL0, FPCR */
		0xd53b4420, 0xd51b4420, /* FPSR */
		0xd53bd040, 0xd51bd040, /* TPIDR_EL0 */
		0xd53bd060, 0xd51bd060, /* TPIDRRO_EL0: EL0 may not write it */
		0xd5385200, 0xd5185200, 0xd5386000, 0xd5186000, /* ESR_EL1, FAR_EL1 */
		0xd538d020, 0xd518d020, /* CONTEXTIDR_EL1 */
		0xd5384100, 0xd5184100, /* SP_EL0 */
		0xd5384000, 0xd5184000, /* SPSR_EL1 */
		0xd5380000, 0xd5381000, /* MIDR_EL1, SCTLR_EL1 */
		0xd50b7420, 0xd50b7420, 0xd50b7a20, 0xd50b7b20, 0xd50b7e20, /* DC ZVA, CVAC, CVAU, CIVAC */
	};
	static const uint32_t whole[] = {
		0xd500401f, 0xd500403f, 0xd500405f, /* CFINV, XAFLAG, AXFLAG */
		0xd500409f, 0xd500419f, 0xd500407f, 0xd500417f, /* PAN, UAO */
		0xd503403f, 0xd503413f, 0xd503405f, 0xd503415f, /* SSBS, DIT */
		0xd50342df, 0xd50347df, 0xd5034fdf, 0xd50342ff, 0xd50347ff, 0xd5034fff, /* DAIFSet, DAIFClr */
	};

	if (below(4) == 0)
		return whole[below(sizeof(whole) / sizeof(whole[0]))];
	return insns[below(sizeof(insns) / sizeof(insns[0]))] | below(32);
}

static uint32_t random_insn(unsigned i, unsigned n)
{
	for (;;) {
		if (below(24) == 0) {
			uint32_t system = system_insn();
			if (!names_register(system, LOOP_REG))
				return system;
		}
		const struct a64_encoding *e = &a64_encodings[random_op()];
		uint32_t shift, bits, insn = ((uint32_t)random64() & ~e->mask) | e->value | e->ignored;
		enum a64_op op;
		union a64_args args;
		if (!a64_decode(insn, &op, &args) || names_register(insn, LOOP_REG))
			continue;
		if (op == A64_HINT && (insn >> 5 & 127) <= 5)
			continue;
		if (is_branch_to_label(op, &shift, &bits))
			insn = with_offset(insn, shift, bits, 1 + (int)below(n - i));
		return insn;
	}
}

static uint64_t random_value(void)
{
	switch (below(10)) {
	case 0:
		return random64();
	case 1:
		return (uint64_t)(int64_t)(int8_t)random64();
	case 2:
		return UINT64_C(1) << (below(32) + (below(2) ? 32 : 0));
	case 3:
		return random64() & 0xffffffff;
	case 4:
		return random64() >> below(64);
	case 5:
		return (WINDOW + below(WINDOW_SIZE)) | (uint64_t)below(256) << (below(2) ? 56 : 48);
	case 6:
		return WINDOW_HIGH + below(WINDOW_SIZE / 16) * 16;
	case 7:
		return WINDOW + below(WINDOW_SIZE);
	default:
		return WINDOW + below(WINDOW_SIZE / 16) * 16;
	}
}

/* Floating point of a size: mostly what is special about it. */
static uint64_t random_float(unsigned bits, unsigned fraction)
{
	uint64_t sign = (uint64_t)below(2) << (bits - 1), one = UINT64_C(1) << fraction;
	uint64_t exponents = (UINT64_C(1) << (bits - 1 - fraction)) - 1, bias = exponents / 2;

	switch (below(12)) {
	case 0: /* zeroes, the smallest and largest denormals and normals */
		return sign | (below(3) * one + below(3) - (below(2) && sign));
	case 1: /* infinity, and the largest finite */
		return sign | (exponents * one - below(2));
	case 2: /* NaNs, quiet or signalling */
		return sign | exponents * one | (below(2) ? one / 2 : 0) | below(3) | (below(2) ? one / 4 : 0);
	case 3: /* denormals */
		return sign | (random64() & (one - 1)) >> below(fraction);
	case 4: /* where products and quotients leave the range */
		return sign | (exponents / 4 * (1 + 2 * below(2)) + below(5)) * one | (random64() & (one - 1));
	case 5: /* integers, and halves between them */
	case 6:
		return sign | (bias + below(bits)) * one | (random64() & (one - 1) & ~(one - 1) >> below(fraction));
	case 7: /* the bounds of integer types */
		return sign | ((bias + (8u << below(4)) - below(2)) * one - below(2));
	case 8: /* near each other */
		return sign | bias * one | below(4);
	default:
		return random64() & ((sign | (one * (exponents + 1) - 1)) | UINT64_C(1) << (bits - 1));
	}
}

static uint64_t random_floats(void)
{
	switch (below(4)) {
	case 0:
		return random_float(64, 52);
	case 1:
		return random_float(16, 10) | random_float(16, 10) << 16 | random_float(16, 10) << 32 |
		       random_float(16, 10) << 48;
	default:
		return random_float(32, 23) | random_float(32, 23) << 32;
	}
}

static void make_state(struct test_case *c)
{
	for (unsigned i = 0; i < 31; i++)
		c->x[i] = random_value();
	c->x[LOOP_REG] = 1 + below(5);
	c->x[31] = below(20) ? WINDOW + below(WINDOW_SIZE / 16) * 16 : random_value();
	if (c->edge != NO_EDGE)
		c->x[c->edge] = WINDOW + (1 + below(WINDOW_PAGES - 1)) * 4096 - below(8) * 16;
	for (unsigned i = 0; i < 32; i++) {
		c->v[i].d[0] = below(2) ? random64() : random_value();
		c->v[i].d[1] = random64();
		for (unsigned k = 0; k < 2; k++)
			if (below(vectors ? 5 : 2))
				c->v[i].d[k] = random_floats();
	}
	c->nzcv = (uint32_t)random64() & 0xf0000000;
	/* AHP, DN, FZ, RMode, FZ16; the flags, QC among them */
	c->fpcr = below(vectors ? 2 : 4) ? 0 : (uint32_t)random64() & (below(2) ? 0x00c00000 : 0x07c80000);
	c->fpsr = below(2) ? 0 : (uint32_t)random64() & 0x0800009f;
	c->el0 = below(2);
	c->pan = below(2);
	/* DZE, UCT, UCI; in some cases EnIA, EnIB, EnDA, EnDB, which make most authentications fail */
	c->sctlr = random64() & (below(4) ? 0x0400c000 : 0xcc00e000);
	c->cntkctl = random64() & 3;
}

/* A load-exclusive and the store-exclusive for it (now and then of another size or
 * base), which random instructions would hardly make. */
static void make_exclusive(struct test_case *c)
{
	unsigned at = below(c->n - 2), pair = below(2), size = pair ? 2 + below(2) : below(4), base = below(8) ? 28 : 31;
	uint32_t any = (uint32_t)random64() & 0x00007c1f, status = below(32);
	uint32_t load = 0x08400000 | size << 30 | pair << 21 | 31 << 16 | base << 5 | any;
	uint32_t store = 0x08000000 | (below(8) ? size : 2u) << 30 | pair << 21 | status << 16 | (below(8) ? base : 3u) << 5 |
			 ((uint32_t)random64() & 0x0000fc1f);

	unsigned at2 = at + 1 + below(2);
	for (unsigned i = at; i <= at2; i++)
		if (names_register(c->insn[i], LOOP_REG))
			return;
	if (names_register(load, LOOP_REG) || names_register(store, LOOP_REG))
		return;
	c->insn[at] = load;
	c->insn[at2] = store;
}

/* Neighbours with one base: prologues, epilogues, structures; some computations between. */
static void make_run(struct test_case *c)
{
	static const uint16_t ops[] = {
		A64_STP_x_pre, A64_STP_x_off, A64_LDP_x_off, A64_LDP_x_post, A64_LDR_x_uimm, A64_STR_x_uimm, A64_LDR_w_uimm,
		A64_STR_w_uimm, A64_LDRB_uimm, A64_STRH_uimm, A64_LDRSW_uimm, A64_LDRSH_w_uimm, A64_LDUR_x, A64_STUR_w,
		A64_LDP_w_off, A64_STP_w_off, A64_LDPSW_off, A64_LDR_Q_uimm, A64_STR_D_uimm, A64_LDUR_S, A64_STP_Q_off,
		A64_LDP_D_off, A64_ADD_imm, A64_MOVZ, A64_ORR_shift, A64_STP_x_post, A64_LDP_x_pre,
	};
	unsigned at = below(c->n - 1), n = 2 + below(7), base = below(3) ? below(20) : 31;

	if (below(4) == 0)
		c->edge = base;
	for (unsigned i = at; i < at + n && i < c->n; i++) {
		unsigned op = ops[below(sizeof(ops) / sizeof(ops[0]))];
		const struct a64_encoding *e = &a64_encodings[op];
		uint32_t insn = ((uint32_t)random64() & ~e->mask) | e->value | e->ignored;
		enum a64_op decoded;
		union a64_args args;
		if (op != A64_ADD_imm && op != A64_MOVZ && op != A64_ORR_shift)
			insn = (insn & ~(31u << 5)) | base << 5;
		if (below(4) && (insn >> 24 & 0x3b) == 0x39) /* an offset without its upper bits */
			insn &= ~(0x3fu << 16);
		if (a64_decode(insn, &decoded, &args) && !names_register(insn, LOOP_REG))
			c->insn[i] = insn;
	}
}

/* Constants that are made by more than one instruction, now and then with something else in between. */
static void make_constant(struct test_case *c)
{
	/* ADR, ADRP, MOVN, MOVZ; MOVK, ADD (immediate) */
	static const uint32_t first[] = { 0x10000000, 0x90000000, 0x12800000, 0x52800000, 0x92800000, 0xd2800000 };
	static const uint32_t next[] = { 0x72800000, 0xf2800000, 0xf2800000, 0x91000000, 0x11000000 };
	unsigned at = below(c->n - 3), n = 1 + below(3), rd = below(31);

	for (unsigned i = at; i <= at + n; i++)
		if (names_register(c->insn[i], LOOP_REG))
			return;
	if (rd == LOOP_REG)
		return;
	for (unsigned i = 0; i <= n; i++) {
		uint32_t insn = i == 0 ? first[below(6)] : next[below(5)];
		bool is_add = (insn & 0x1f000000) == 0x11000000, is_narrow = (insn & 0x9f800000) == 0x12800000;
		uint32_t fields = (uint32_t)random64() & (is_add ? 0x007ffc00 : is_narrow ? 0x003fffe0 : 0x007fffe0);
		/* an ADR of something in the block would make a loop that does not end */
		if ((insn & 0x1f000000) == 0x10000000)
			fields |= 0x00800000;
		c->insn[at + i] = insn | fields | rd | (is_add ? (below(8) ? rd : below(LOOP_REG)) << 5 : 0);
	}
}

/*
 * A comparison of numbers and who looks at it next, which the JIT may do in one;
 * and behind that what sets NZCV again on every way, or just anything.
 */
static void make_compare(struct test_case *c)
{
	unsigned at = below(c->n - 3), cond = below(16), size = below(2) << 22, n = below(32), m = below(4) ? below(32) : n;

	uint32_t select = 0x1e200c00 | size | cond << 12 | ((uint32_t)random64() & 0x1f03ff); /* fcsel */

	/* fcmp or fcmpe, with a register or zero */
	c->insn[at] = 0x1e202000 | size | m << 16 | n << 5 | below(4) << 3;
	c->insn[at + 1] = below(2) ? with_offset(0x54000000 | cond, 5, 19, 2) : select; /* b.cond */
	for (unsigned i = 2; i < 4 && below(4); i++)
		c->insn[at + i] = i == 2 && below(3) == 0 ? select ^ below(16) << 12 :
			0xeb00001f | ((uint32_t)random64() & 0x1f03e0); /* cmp */
}

static void make_case(struct test_case *c, uint64_t seed)
{
	rng = seed;
	c->seed = seed;
	c->n = 3 + below(MAX_INSNS - 4);
	follow = below(8) == 0;
	vectors = below(3) == 0;
	for (unsigned i = 0; i < c->n; i++)
		c->insn[i] = random_insn(i, c->n);
	c->edge = NO_EDGE;
	if (below(2))
		make_run(c);
	if (c->n > 4 && below(4) == 0)
		make_compare(c);
	if (c->n > 6 && below(2)) {
		/* back: sub x27, x27, #1 ... cbnz x27, back */
		unsigned at = 2 + below(c->n - 3), back = below(at);
		c->insn[back] = 0xd1000400 | LOOP_REG << 5 | LOOP_REG;
		c->insn[at] = with_offset(0xb5000000 | LOOP_REG, 5, 19, (int)back - (int)at);
	}
	if (c->n > 4 && !follow && below(3) == 0) {
		/* adr x26, ahead; br, blr or ret x26 */
		static const uint32_t jumps[] = { 0xd61f0340, 0xd63f0340, 0xd65f0340 };
		unsigned at = below(c->n - 2), ahead = 2 + below(c->n - at - 1);
		if ((c->insn[at] & 31) == LOOP_REG || (c->insn[at + 1] & 31) == LOOP_REG)
			at = c->n - 2, ahead = 2;
		c->insn[at] = 0x1000001a | (ahead & 0x7ffff) << 5;
		c->insn[at + 1] = jumps[below(3)];
	}
	if (c->n > 4 && below(4) == 0)
		make_exclusive(c);
	if (c->n > 4 && !follow && below(3) == 0)
		make_constant(c);
	c->pc = RAM_BASE + CODE_AT + below(CODE_SIZE / 4) * 4;
	make_state(c);
	/* One page of values; the others have them at other places. */
	for (unsigned i = 0; i < WINDOW_SIZE; i += 8) {
		uint64_t val;
		if (i < 4096)
			val = below(4) ? random64() : random_floats();
		else
			memcpy(&val, c->window + (i + i / 4096 * 24) % 4096, 8);
		memcpy(c->window + i, &val, 8);
	}
}

/* From the case's state, with the code that is there. */
static void run_from(struct lone *e, const struct test_case *c)
{
	struct emu_cpu *cpu = e->cpu;

	memcpy(e->ram + WINDOW_AT, c->window, WINDOW_SIZE);
	emu_set_sp(cpu, c->el0 ? 0 : 1, c->el0 ? 0 : 1);
	memcpy(cpu->x, c->x, sizeof(c->x));
	memcpy(cpu->v, c->v, sizeof(c->v));
	memset(cpu->sp_el, 0, sizeof(cpu->sp_el));
	cpu->nzcv = c->nzcv;
	cpu->fpcr = c->fpcr;
	cpu->fpsr = c->fpsr;
	cpu->pstate.pan = c->pan;
	cpu->sys[EMU_SR_SCTLR_EL1] = (cpu->sys[EMU_SR_SCTLR_EL1] & ~UINT64_C(0xcc00e000)) | c->sctlr;
	cpu->sys[EMU_SR_CNTKCTL_EL1] = c->cntkctl;
	cpu->pstate.d = cpu->pstate.a = cpu->pstate.i = cpu->pstate.f = 1;
	cpu->pstate.btype = 0;
	cpu->excl_size = 0;
	cpu->excl_addr = cpu->excl_val[0] = cpu->excl_val[1] = 0;
	cpu->excl_host = NULL;
	cpu->sys[EMU_SR_FAR_EL1] = cpu->sys[EMU_SR_ESR_EL1] = 0;
	cpu->sys[EMU_SR_TPIDRRO_EL0] = cpu->sys[EMU_SR_CONTEXTIDR_EL1] = 0;
	cpu->pstate.uao = cpu->pstate.ssbs = cpu->pstate.dit = 0;
	cpu->pc = c->pc;
	cpu->retired = 0;
	emu_pstate_changed(cpu);
	atomic_store(&cpu->attention, 0);
	if (cpu->jit)
		emu_jit_run(cpu);
	else
		emu_interp_run(cpu);
}

static void put_code(struct lone *e, const struct test_case *c)
{
	uint32_t at = (uint32_t)(c->pc - RAM_BASE), brk = BRK;

	memcpy(e->ram + at, c->insn, c->n * 4);
	memcpy(e->ram + at + c->n * 4, &brk, 4);
	for (uint64_t page = c->pc & ~UINT64_C(4095); page < c->pc + c->n * 4 + 4; page += 4096) {
		emu_code_drop_page(e->cpu, page);
		emu_jit_drop_page(e->cpu, page);
	}
}

static void run_case(struct lone *e, const struct test_case *c)
{
	put_code(e, c);
	run_from(e, c);
}

/* ---- Comparing ---- */

static bool differ(const char *what, uint64_t a, uint64_t b, bool tell)
{
	if (a != b && tell)
		printf("  %-10s interpreter %016" PRIx64 "  JIT %016" PRIx64 "\n", what, a, b);
	return a != b;
}

static bool compare(const struct lone *jit, bool tell)
{
	static const struct { const char *name; unsigned reg; } sysregs[] = {
		{ "ESR_EL1", EMU_SR_ESR_EL1 }, { "ELR_EL1", EMU_SR_ELR_EL1 }, { "FAR_EL1", EMU_SR_FAR_EL1 },
		{ "SPSR_EL1", EMU_SR_SPSR_EL1 }, { "TPIDR_EL1", EMU_SR_TPIDR_EL1 },
		{ "TPIDRRO_EL0", EMU_SR_TPIDRRO_EL0 }, { "CONTEXTIDR", EMU_SR_CONTEXTIDR_EL1 },
	};
	const struct emu_cpu *a = engines[INTERP].cpu, *b = jit->cpu;
	bool bad = false;
	char name[16];

	if (!tell && (memcmp(a->x, b->x, sizeof(a->x)) || memcmp(a->v, b->v, sizeof(a->v)) ||
		      memcmp(engines[INTERP].ram + WINDOW_AT, jit->ram + WINDOW_AT, WINDOW_SIZE)))
		return true;
	for (unsigned i = 0; tell && i < 32; i++) {
		snprintf(name, sizeof(name), "x%u", i);
		bad |= differ(name, a->x[i], b->x[i], tell);
	}
	for (unsigned i = 0; tell && i < 32; i++) {
		for (unsigned k = 0; k < 2; k++) {
			snprintf(name, sizeof(name), "v%u.d[%u]", i, k);
			bad |= differ(name, a->v[i].d[k], b->v[i].d[k], tell);
		}
	}
	for (unsigned i = 0; i < 2; i++)
		bad |= differ("sp_el", a->sp_el[i], b->sp_el[i], tell);
	for (unsigned i = 0; i < sizeof(sysregs) / sizeof(sysregs[0]); i++)
		bad |= differ(sysregs[i].name, a->sys[sysregs[i].reg], b->sys[sysregs[i].reg], tell);
	bad |= differ("pc", a->pc, b->pc, tell);
	bad |= differ("pstate", emu_pstate_to_spsr(a), emu_pstate_to_spsr(b), tell);
	bad |= differ("fpcr", a->fpcr, b->fpcr, tell);
	bad |= differ("fpsr", a->fpsr, b->fpsr, tell);
	bad |= differ("excl_size", a->excl_size, b->excl_size, tell);
	if (a->excl_size) {
		bad |= differ("excl_addr", a->excl_addr, b->excl_addr, tell);
		bad |= differ("excl_host", (uint64_t)((const uint8_t *)a->excl_host - engines[INTERP].ram),
			(uint64_t)((const uint8_t *)b->excl_host - jit->ram), tell);
		bad |= differ("excl_val", a->excl_val[0], b->excl_val[0], tell);
		if (a->excl_size == 16)
			bad |= differ("excl_val[1]", a->excl_val[1], b->excl_val[1], tell);
	}
	bad |= differ("retired", a->retired, b->retired + not_retired, tell);
	for (unsigned i = 0; tell && i < WINDOW_SIZE; i += 8) {
		uint64_t p, q;
		memcpy(&p, engines[INTERP].ram + WINDOW_AT + i, 8);
		memcpy(&q, jit->ram + WINDOW_AT + i, 8);
		snprintf(name, sizeof(name), "mem+%x", i);
		bad |= differ(name, p, q, tell);
	}
	return bad;
}

static uint64_t n_executed; /* by the interpreter */

/* `again`: the code is what it was. */
static bool fails(const struct test_case *c, bool again)
{
	bool bad = false;

	for (unsigned i = 0; i < N_ENGINES; i++)
		(again ? run_from : run_case)(&engines[i], c);
	n_executed += engines[INTERP].cpu->retired;
	for (unsigned i = ARRAYS; i < N_ENGINES; i++)
		bad |= compare(&engines[i], false);
	return bad;
}

static void report(struct test_case *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		uint32_t was = c->insn[i];
		if (names_register(was, LOOP_REG))
			continue; /* the loop would have no end */
		c->insn[i] = NOP;
		if (was != NOP && !fails(c, false))
			c->insn[i] = was;
	}
	printf("seed %" PRIu64 ", EL%d, pan %d, nzcv %x, fpcr %08x, fpsr %08x:\n", c->seed, !c->el0, c->pan, c->nzcv >> 28,
		c->fpcr, c->fpsr);
	for (unsigned i = 0; i < c->n; i++) {
		enum a64_op op;
		union a64_args args;
		if (c->insn[i] != NOP)
			printf("  %" PRIx64 ": %08x %s\n", c->pc + 4 * i, c->insn[i],
				a64_decode(c->insn[i], &op, &args) ? a64_encodings[op].name : "UNDEFINED");
	}
	for (unsigned i = 0; i < 32; i++)
		printf("  x%-2u %016" PRIx64 "%s", i, c->x[i], i % 4 == 3 ? "\n" : "");
	for (unsigned i = 0; i < 32; i++)
		printf("  v%-2u %016" PRIx64 "%016" PRIx64 "%s", i, c->v[i].d[1], c->v[i].d[0], i % 2 ? "\n" : "");
	fails(c, false);
	for (unsigned i = ARRAYS; i < N_ENGINES; i++) {
		printf(" %s:\n", i == ARRAYS ? "page arrays" : "tagged tables");
		compare(&engines[i], true);
	}
}

enum { AGAIN = 4, AGAIN_AT_EDGE = 12 };

/* At least one of the two: so many blocks, or so many instructions. */
static void try_blocks(uint64_t n, uint64_t n_insns)
{
	static struct test_case c;
	uint64_t first = setting("JIT_SEED", 1), bad = 0, limit = setting("JIT_REPORTS", 3), seed;

	if (!n_more)
		find_more();
	n_executed = 0;
	for (seed = first; (seed < first + n || n_executed < n_insns) && bad < limit; seed++) {
		make_case(&c, seed);
		bool failed = fails(&c, false);
		unsigned times = c.edge == NO_EDGE ? AGAIN : AGAIN_AT_EDGE;
		for (unsigned again = 0; !failed && again < times; again++) {
			/* the same code from another state, with the page arrays warm, and what is linked linked */
			make_state(&c);
			failed = fails(&c, true);
		}
		if (failed) {
			bad++;
			report(&c);
		}
	}
	if (n_insns)
		printf("seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " instructions, %" PRIu64 " failures\n", first, seed - 1,
			n_executed, bad);
	ck_assert_uint_eq(bad, 0);
}

START_TEST(random_blocks)
{
	uint64_t n_insns = setting("JIT_INSNS", 0);

	try_blocks(n_insns ? 0 : setting("JIT_BLOCKS", 3000), n_insns);
}
END_TEST

START_TEST(forced_modes)
{
	static const struct { const char *name; uint64_t cache; unsigned debug; } modes[] = {
		{ "one instruction a block", 0, EMU_JIT_ONE_INSN },
		{ "no chaining", 0, EMU_JIT_NO_CHAIN },
		{ "no fast memory", 0, EMU_JIT_NO_FAST_MEM },
		{ "nothing native", 0, EMU_JIT_NO_NATIVE },
		{ "no AVX2", 0, EMU_JIT_NO_AVX2 },
		{ "no AVX-512", 0, EMU_JIT_NO_AVX512 },
		{ "tiny cache", EMU_JIT_CACHE_MIN, 0 },
		{ "all at once", EMU_JIT_CACHE_MIN,
			EMU_JIT_ONE_INSN | EMU_JIT_NO_CHAIN | EMU_JIT_NO_FAST_MEM | EMU_JIT_NO_NATIVE },
	};

	printf("JIT: %s\n", modes[_i].name);
	teardown();
	start(modes[_i].cache, modes[_i].debug);
	try_blocks(setting("JIT_BLOCKS", 3000) / 7, 0);
}
END_TEST

/* ---- What an instruction changes, the next one sees ---- */

START_TEST(modes_change)
{
	enum { SCTLR_A = 1 << 1 };
	static const struct { uint64_t x0, x2; unsigned ec; uint32_t insn[2]; } cases[] = {
		{ 0, 0, 0x07, { 0xd5181040, 0x1e222820 } },                 /* msr cpacr_el1, x0; fadd s0, s1, s2 */
		{ SCTLR_A, WINDOW + 1, 0x25, { 0xd5181000, 0xf9400041 } },  /* msr sctlr_el1, x0; ldr x1, [x2] */
		{ 0, 0, 0x00, { 0xd50040bf, 0xd5384101 } },                 /* msr spsel, #0; mrs x1, sp_el0 */
		{ FPCR_FZ | FPCR_DN, 0, 0x3c, { 0xd51b4400, 0x1e222820 } }, /* msr fpcr, x0; fadd s0, s1, s2 */
	};
	static struct test_case c;

	make_state(&c);
	c.seed = 0;
	c.el0 = c.pan = false;
	c.n = 2;
	c.pc = RAM_BASE + CODE_AT;
	c.x[0] = cases[_i].x0;
	c.x[2] = cases[_i].x2;
	c.v[1].d[0] = 1; /* denormal */
	c.v[2].d[0] = 0x3f800000;
	memcpy(c.insn, cases[_i].insn, sizeof(cases[_i].insn));
	teardown();
	start(0, 0);
	if (cases[_i].x0 == SCTLR_A)
		c.x[0] |= engines[INTERP].cpu->sys[EMU_SR_SCTLR_EL1];
	bool bad = fails(&c, false);
	ck_assert_uint_eq(engines[INTERP].cpu->sys[EMU_SR_ESR_EL1] >> 26, cases[_i].ec);
	if (bad)
		report(&c);
	ck_assert(!bad);
}
END_TEST

/* ---- Less address space than the page arrays want ---- */

START_TEST(short_of_address_space)
{
	struct rlimit was, few;

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
	return; /* these need more than anybody */
#endif
	getrlimit(RLIMIT_AS, &was);
	few = was;
	few.rlim_cur = UINT64_C(4) << 30;
	teardown();
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &few), 0);
	start(0, 0);
	setrlimit(RLIMIT_AS, &was);
	ck_assert_int_eq(emu_system_jit_memory(engines[INTERP].sys), EMU_JIT_MEMORY_NONE);
	ck_assert_int_eq(emu_system_jit_memory(engines[ARRAYS].sys), EMU_JIT_MEMORY_TABLES);
	try_blocks(50, 0);
	teardown();
	start(0, 0);
}
END_TEST

/* ---- More code than the cache holds ---- */

enum {
	UNIT_INSNS = 32, LARGE_AT = 0x10000, LARGE_END = 0xe0000, UNITS = (LARGE_END - LARGE_AT) / (UNIT_INSNS * 4),
	ROUND_REG = 28,
};

/* An instruction that cannot raise an exception, nor touch the counters. */
static uint32_t harmless_insn(void)
{
	static const uint16_t ops[] = {
		A64_SUBS_imm, A64_SUBS_shift, A64_ADDS_shift, A64_ANDS_shift, A64_CCMP_imm, A64_CCMN_reg, A64_CSEL,
		A64_CSINC, A64_ADC, A64_SBCS, A64_ADCS, A64_ADD_imm, A64_MADD, A64_UDIV, A64_CLZ, A64_LSLV, A64_ORR_shift,
	};
	for (;;) {
		const struct a64_encoding *e = &a64_encodings[ops[below(sizeof(ops) / sizeof(ops[0]))]];
		uint32_t insn = ((uint32_t)random64() & ~e->mask) | e->value | UINT32_C(1) << 31;
		enum a64_op op;
		union a64_args args;
		bool shifted = (insn & 0x1f000000) == 0x0a000000 || (insn & 0x1f200000) == 0x0b000000;
		if (a64_decode(insn, &op, &args) && a64_encodings[op].value == e->value && (insn & 31) != 31 &&
		    (insn & 31) != LOOP_REG && (insn & 31) != ROUND_REG && !(shifted && (insn >> 22 & 3) == 3))
			return insn;
	}
}

/*
 * A unit is a loop of a few rounds with branches in it, and then a jump to
 * another unit: often of the same page, so that blocks are linked that were made
 * at different times. All units are passed in a random order; behind them is
 * what counts the passes.
 */
static void make_large(uint32_t *code)
{
	static uint16_t order[UNITS];
	const unsigned tail = UNITS * UNIT_INSNS;

	for (unsigned i = 0; i < UNITS; i++)
		order[i] = (uint16_t)i;
	for (unsigned i = UNITS - 1; i > 0; i--) {
		unsigned k = below(4) ? i - below(i < 8 ? i + 1 : 8) : below(i + 1);
		uint16_t swap = order[i];
		order[i] = order[k];
		order[k] = swap;
	}
	for (unsigned i = 0; i < UNITS; i++) {
		unsigned at = order[i] * UNIT_INSNS, end = at + UNIT_INSNS - 1;
		unsigned next = i < UNITS - 1 ? order[i + 1] * UNIT_INSNS : tail;
		for (unsigned k = at; k < end; k++)
			code[k] = harmless_insn();
		code[at] = 0xd2800000 | (1 + below(4)) << 5 | LOOP_REG; /* mov x27, #n */
		code[at + 4 + below(8)] = with_offset(0x54000000 | below(14), 5, 19, 2 + (int)below(6)); /* b.cond */
		code[end - 2] = 0xd1000400 | LOOP_REG << 5 | LOOP_REG; /* sub x27, x27, #1 */
		code[end - 1] = with_offset(0xb5000000 | LOOP_REG, 5, 19, 3 - UNIT_INSNS); /* cbnz x27, at + 1 */
		code[end] = with_offset(0x14000000, 0, 26, (int)next - (int)end);
	}
	code[tail] = 0xd1000400 | ROUND_REG << 5 | ROUND_REG;
	code[tail + 1] = with_offset(0xb5000000 | ROUND_REG, 5, 19, (int)(order[0] * UNIT_INSNS) - (int)(tail + 1));
	code[tail + 2] = BRK;
	code[tail + 3] = order[0];
}

START_TEST(eviction)
{
	static const unsigned debugs[] = { 0, EMU_JIT_ONE_INSN };
	static struct test_case c;

	rng = setting("JIT_SEED", 1) + (uint64_t)_i;
	c.n = 0;
	make_state(&c);
	c.el0 = c.pan = false;
	c.x[ROUND_REG] = 4;
	teardown();
	start(EMU_JIT_CACHE_MIN, debugs[_i]);
	uint32_t *code = (uint32_t *)(void *)(engines[INTERP].ram + LARGE_AT);
	make_large(code);
	c.pc = RAM_BASE + LARGE_AT + code[UNITS * UNIT_INSNS + 3] * UNIT_INSNS * 4;
	for (unsigned i = 0; i < N_ENGINES; i++) {
		memcpy(engines[i].ram + LARGE_AT, code, (UNITS * UNIT_INSNS + 4) * 4);
		emu_drop_all_code(engines[i].cpu);
		run_from(&engines[i], &c);
	}
	ck_assert_uint_eq(engines[INTERP].cpu->sys[EMU_SR_ESR_EL1] >> 26, 0x3c); /* the BRK */
	for (unsigned i = ARRAYS; i < N_ENGINES; i++) {
		ck_assert(!compare(&engines[i], true));
		uint64_t stats[EMU_STAT_COUNT], fallbacks = 0, n;
		emu_system_stats(engines[i].sys, 0, stats);
		ck_assert_uint_eq(stats[EMU_STAT_RETIRED], engines[i].cpu->retired);
		ck_assert_uint_gt(stats[EMU_STAT_JIT_EVICTIONS], 20);
		ck_assert_uint_gt(stats[EMU_STAT_JIT_EVICTED], UNITS);
		ck_assert_uint_eq(stats[EMU_STAT_JIT_BLOCKS] + stats[EMU_STAT_JIT_EVICTED] + stats[EMU_STAT_JIT_DROPPED],
			stats[EMU_STAT_JIT_TRANSLATIONS]);
		ck_assert_uint_le(stats[EMU_STAT_JIT_BYTES], EMU_JIT_CACHE_MIN);
		ck_assert_uint_eq(stats[EMU_STAT_JIT_CACHE], EMU_JIT_CACHE_MIN);
		ck_assert_uint_ge(stats[EMU_STAT_JIT_INSNS], UNITS * UNIT_INSNS);
		ck_assert_uint_ge(stats[EMU_STAT_JIT_NS], stats[EMU_STAT_JIT_LONGEST]);
		for (unsigned k = 0; emu_system_fallback(engines[i].sys, k, &n); k++)
			fallbacks += n;
		ck_assert_uint_eq(fallbacks, stats[EMU_STAT_JIT_FALLBACKS]);
		ck_assert_uint_ge(fallbacks, 1); /* the BRK */
		printf("JIT: %" PRIu64 " evictions, %" PRIu64 " ns for %" PRIu64 " instructions, at most %" PRIu64 " ns at once\n",
			stats[EMU_STAT_JIT_EVICTIONS], stats[EMU_STAT_JIT_NS], stats[EMU_STAT_JIT_INSNS],
			stats[EMU_STAT_JIT_LONGEST]);
	}
}
END_TEST

/* ---- Only a look ---- */

START_TEST(list)
{
	static struct test_case c;
	const char *words = getenv("JIT_LIST");
	char *end;

	for (c.n = 0; c.n < MAX_INSNS && *words; words = end) {
		c.insn[c.n++] = (uint32_t)strtoul(words, &end, 16);
		ck_assert_msg(end != words && (!*end || *end == ' '), "JIT_LIST: '%s' is no hexadecimal word", words);
		end += strspn(end, " ");
	}
	c.pc = RAM_BASE + CODE_AT;
	for (unsigned i = ARRAYS; i < N_ENGINES; i++) {
		struct emu_cpu *cpu = engines[i].cpu;
		put_code(&engines[i], &c);
		cpu->pc = c.pc;
		emu_pstate_changed(cpu);
		const struct jit_block *block = jit_block_now(cpu);
		printf("%s: %u instructions, %u bytes\n", i == ARRAYS ? "page arrays" : "tagged tables", block->n, block->size);
		listing_print(cpu->jit, block);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("jit");
	TCase *tc = tcase_create("blocks");
	tcase_add_unchecked_fixture(tc, setup, teardown);
	tcase_add_test(tc, getenv("JIT_LIST") ? list : random_blocks);
	if (!getenv("JIT_LIST") && !setting("JIT_INSNS", 0)) {
		tcase_add_loop_test(tc, modes_change, 0, 4);
		tcase_add_test(tc, short_of_address_space);
		tcase_add_loop_test(tc, eviction, 0, 2);
		tcase_add_loop_test(tc, forced_modes, 0, 7);
		tcase_set_timeout(tc, 600);
	}
	suite_add_tcase(s, tc);
	return suite_run(s, CK_NOFORK);
}
