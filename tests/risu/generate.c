/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random instructions and random state for the differential tester.
 *
 * Fields are random bits; values are drawn from classes where mistakes live:
 * the edges of every element size, powers of two and their neighbours,
 * floating-point zeroes, denormals, infinities, quiet and signalling NaNs of
 * all three formats, numbers that round, and noise.
 */
#include "tests/risu/risu_host.h"

#include "emu/a64_decode.h"

#include <string.h>

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* ---- values ---- */

static const uint64_t int_edges[] = {
	0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
	0x100000000, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0x8000000000000001, 0xFFFFFFFFFFFFFFFF,
	0xFFFFFFFFFFFFFFFE, 0xFFFFFFFF80000000, 0xFFFFFFFFFFFF8000, 0xFFFFFFFFFFFFFF80, 0x5555555555555555,
};

static const uint64_t fp64_edges[] = {
	0, 1ull << 63, 1, 0x000FFFFFFFFFFFFF, 0x0010000000000000, 0x0010000000000001, 0x3CA0000000000000,
	0x3FE0000000000000, 0x3FEFFFFFFFFFFFFF, 0x3FF0000000000000, 0x3FF8000000000000, 0x4000000000000000,
	0x4330000000000000, 0x4340000000000000, 0x41DFFFFFFFC00000, 0x41E0000000000000, 0x43E0000000000000,
	0x43DFFFFFFFFFFFFF, 0x47EFFFFFE0000000, 0x47EFFFFFF0000000, 0x3810000000000000, 0x380FFFFFFFFFFFFF,
	0x36A0000000000000, 0x7FEFFFFFFFFFFFFF, 0x7FF0000000000000, 0x7FF0000000000001, 0x7FF8000000000000,
	0x7FF4000000000123, 0x7FFC000000000456, 0x7FFFFFFFFFFFFFFF,
};

static const uint32_t fp32_edges[] = {
	0, 1u << 31, 1, 0x007FFFFF, 0x00800000, 0x00800001, 0x33800000, 0x3F000000, 0x3F7FFFFF, 0x3F800000, 0x3FC00000,
	0x40000000, 0x40490FDB, 0x4B000000, 0x4B7FFFFF, 0x4EFFFFFF, 0x4F000000, 0x5F000000, 0x5F800000, 0x477FE000,
	0x477FF000, 0x38800000, 0x387FE000, 0x33000000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FC00000, 0x7FA12345,
	0x7FE54321, 0x7FFFFFFF, 0x7F000000, 0x00400000,
};

static const uint16_t fp16_edges[] = {
	0, 0x8000, 1, 0x03FF, 0x0400, 0x0401, 0x1400, 0x3800, 0x3BFF, 0x3C00, 0x3E00, 0x4000, 0x6400, 0x77FF, 0x7800,
	0x7BFF, 0x7C00, 0x7C01, 0x7E00, 0x7D23, 0x7F45, 0x7FFF, 0x7000, 0x0200,
};

static uint64_t random_int(struct risu_rng *r)
{
	switch (risu_below(r, 6)) {
	case 0:
		return int_edges[risu_below(r, LENGTH(int_edges))];
	case 1:
		return (1ull << risu_below(r, 64)) + risu_below(r, 3) - 1;
	case 2:
		return risu_below(r, 64);
	case 3:
		return -(uint64_t)risu_below(r, 64);
	default:
		return risu_rand(r);
	}
}

static uint64_t random_lane(struct risu_rng *r, unsigned bits)
{
	return bits == 64 ? random_int(r) : random_int(r) & ((1ull << bits) - 1);
}

/* An element of `bits` in the floating-point format of that size. */
static uint64_t random_fp(struct risu_rng *r, unsigned bits)
{
	unsigned frac = bits == 64 ? 52 : bits == 32 ? 23 : 10;
	unsigned exp_bits = bits - 1 - frac;
	uint64_t sign = (uint64_t)risu_below(r, 2) << (bits - 1);
	uint64_t bias = (1ull << (exp_bits - 1)) - 1;
	uint64_t exp;

	switch (risu_below(r, 4)) {
	case 0:
		if (bits == 64)
			return sign ^ fp64_edges[risu_below(r, LENGTH(fp64_edges))];
		if (bits == 32)
			return sign ^ fp32_edges[risu_below(r, LENGTH(fp32_edges))];
		return sign ^ fp16_edges[risu_below(r, LENGTH(fp16_edges))];
	case 1: /* near one, so that sums cancel and round */
		exp = bias - 4 + risu_below(r, 8);
		return sign | exp << frac | (risu_rand(r) & ((1ull << frac) - 1) & -(1ull << risu_below(r, frac + 1)));
	case 2: /* any exponent, few fraction bits: halves and integers */
		exp = risu_rand(r) & ((1ull << exp_bits) - 1);
		return sign | exp << frac | (1ull << risu_below(r, frac));
	default:
		return bits == 64 ? risu_rand(r) : risu_rand(r) & ((1ull << bits) - 1);
	}
}

/* With fp_bits, of floating-point elements of that size; else of anything. */
static void random_vreg(struct risu_rng *r, unsigned fp_bits, uint64_t v[2])
{
	unsigned bits = fp_bits ? fp_bits : 8u << risu_below(r, 4);
	bool fp = fp_bits || (bits > 8 && risu_below(r, 2));
	bool same = risu_below(r, 8) == 0;
	uint64_t lane = 0;

	for (unsigned i = 0; i < 2; i++) {
		v[i] = 0;
		for (unsigned pos = 0; pos < 64; pos += bits) {
			if (!same || (i == 0 && pos == 0))
				lane = fp ? random_fp(r, bits) : random_lane(r, bits);
			v[i] |= lane << pos;
		}
	}
}

/* ---- instructions ---- */

static bool is_load_store(uint32_t insn)
{
	return (insn & 0x0A000000) == 0x08000000;
}

static bool is_load_literal(uint32_t insn)
{
	return (insn & 0x3B000000) == 0x18000000;
}

/* Relations between fields without which hardly an instruction would do anything. */
static uint32_t constrain(struct risu_rng *r, uint32_t insn)
{
	/* B, BL: within the code page. */
	if ((insn & 0x7C000000) == 0x14000000) {
		uint32_t off = 1 + risu_below(r, 400);

		return (insn & 0xFC000000) | ((risu_below(r, 2) ? off : -off) & 0x03FFFFFF);
	}
	/* B.cond, CBZ, CBNZ. */
	if ((insn & 0xFE000000) == 0x54000000 || (insn & 0x7E000000) == 0x34000000) {
		uint32_t off = 1 + risu_below(r, 400);

		return (insn & ~0x00FFFFE0u) | ((risu_below(r, 2) ? off : -off) & 0x7FFFF) << 5;
	}
	/* TBZ, TBNZ. */
	if ((insn & 0x7E000000) == 0x36000000) {
		uint32_t off = 1 + risu_below(r, 400);

		return (insn & ~0x0007FFE0u) | ((risu_below(r, 2) ? off : -off) & 0x3FFF) << 5;
	}
	if (is_load_literal(insn)) {
		uint32_t off = (RISU_MEM - RISU_ENTRY) / 4 + risu_below(r, RISU_MEM_SIZE / 4 - 4);

		return (insn & ~0x00FFFFE0u) | off << 5;
	}
	/* BR, BLR, RET: a register that can hold a target. */
	if ((insn & 0xFE000000) == 0xD6000000 && (insn >> 5 & 31) == 31)
		return insn & ~(1u << 5);
	/* Hints: not those that use the keys, or strip what the keys' place depends on. */
	if ((insn & 0xFFFFFD1F) == 0xD503211F || insn == 0xD50320FF)
		return 0xD503201F;
	/* WFE, WFI: nothing would come. */
	if (insn == 0xD503205F || insn == 0xD503207F)
		return 0xD503201F;
	/* LDAPUR, STLUR: aligned. */
	if ((insn & 0x3F200C00) == 0x19000000)
		return insn & ~0x0000F000u;
	/* LDP: into two registers. */
	if ((insn & 0x38400000) == 0x28400000 && (insn & 31) == (insn >> 10 & 31))
		return insn ^ 1;
	return insn;
}

uint32_t risu_random_insn(struct risu_rng *r, unsigned enc)
{
	const struct a64_encoding *e = &a64_encodings[enc];

	/* Of the bits that should be something, most should be 1; of those that should be 0, no one is picky. */
	return constrain(r, ((uint32_t)risu_rand(r) & ~e->mask) | e->value | e->ignored);
}

uint32_t risu_random_unallocated(struct risu_rng *r)
{
	union a64_args args;
	enum a64_op op;
	uint32_t insn;

	do {
		const struct a64_encoding *e = &a64_encodings[risu_below(r, A64_OP_COUNT)];

		insn = (uint32_t)risu_rand(r);
		/* Half are an allocated encoding with one fixed bit or two turned over. */
		if (risu_below(r, 2)) {
			insn = (insn & ~e->mask) | e->value;
			insn ^= (1u << risu_below(r, 32) | 1u << risu_below(r, 32)) & e->mask;
		}
	} while (a64_decode(insn, &op, &args));
	return insn;
}

/* ---- state ---- */

static unsigned insn_rn(uint32_t insn)
{
	return insn >> 5 & 31;
}

static uint64_t *base_register(struct risu_case *c)
{
	unsigned n = insn_rn(c->insns[0]);

	return n == 31 ? &c->state.sp : &c->state.x[n];
}

/* Exclusive, ordered and atomic accesses: what they do when misaligned depends
 * on FEAT_LSE2, which the other side may not have. */
static bool is_aligned_only(uint32_t insn)
{
	return (insn & 0x3F000000) == 0x08000000 || (insn & 0x3F200C00) == 0x19000000 ||
		(insn & 0x3B200C00) == 0x38200000;
}

static uint64_t random_address(struct risu_rng *r, uint32_t insn)
{
	uint64_t addr = RISU_MEM + 512 + 16 * risu_below(r, (RISU_MEM_SIZE - 1024) / 16);

	return is_aligned_only(insn) || risu_below(r, 4) ? addr : addr + risu_below(r, 16);
}

/* STXR, STLXR, STXP, STLXP and their narrower forms. */
static bool is_store_exclusive(uint32_t insn)
{
	return (insn & 0x3FC00000) == 0x08000000 && ((insn & 1u << 21) == 0 || insn >> 31);
}

/* The load that opens the way for a store-exclusive, into registers that are not its base. */
static uint32_t matching_load_exclusive(uint32_t insn)
{
	uint32_t rt = insn_rn(insn) == 0 ? 1 : 0, rt2 = insn_rn(insn) == 2 ? 3 : 2;

	return (insn & ~0x001F7C1Fu) | 1u << 22 | 31u << 16 | rt2 << 10 | rt;
}

void risu_random_case(struct risu_rng *r, enum risu_fpcr fpcr, uint32_t insn, struct risu_case *ret_case)
{
	struct risu_state *s = &ret_case->state;

	memset(ret_case, 0, sizeof(*ret_case));
	ret_case->n_insns = 1;
	ret_case->insns[0] = insn;
	if (is_store_exclusive(insn) && risu_below(r, 4)) {
		ret_case->n_insns = 2;
		ret_case->insns[0] = matching_load_exclusive(insn);
		ret_case->insns[1] = insn;
	}
	for (unsigned i = 0; i < 31; i++)
		s->x[i] = random_int(r);
	s->sp = random_int(r);
	s->nzcv = (uint32_t)risu_below(r, 16) << 28;
	/* Two or three random formats are seldom the instruction's: half of the cases have one format. */
	unsigned fp_bits = risu_below(r, 2) ? 16u << risu_below(r, 3) : 0;
	for (unsigned i = 0; i < 32; i++)
		random_vreg(r, fp_bits, s->v[i]);
	if (risu_below(r, 8) == 0) /* two equal operands */
		memcpy(s->v[insn >> 16 & 31], s->v[insn_rn(insn)], sizeof(s->v[0]));
	/* RMode, FZ, DN, AHP, FZ16 */
	if (fpcr == RISU_FPCR_ALL && risu_below(r, 4))
		s->fpcr = (uint32_t)risu_rand(r) & 0x07C80000;
	/* QC, IDC, IXC, UFC, OFC, DZC, IOC */
	if (risu_below(r, 4) == 0)
		s->fpsr = (uint32_t)risu_rand(r) & 0x0800009F;
	for (unsigned i = 0; i < RISU_MEM_SIZE; i += 8) {
		uint64_t val = risu_below(r, 2) ? risu_rand(r) : random_int(r);

		memcpy(&ret_case->mem[i], &val, 8);
	}
	if (is_load_store(insn) && !is_load_literal(insn))
		*base_register(ret_case) = random_address(r, insn);
	/* BR, BLR, RET */
	if ((insn & 0xFE000000) == 0xD6000000)
		s->x[insn_rn(insn) % 31] = RISU_CODE + 4 * risu_below(r, 256);
}

bool risu_move_base(struct risu_rng *r, uint64_t fault, struct risu_case *c)
{
	uint32_t insn = c->insns[0];

	if (!is_load_store(insn) || is_load_literal(insn))
		return false;
	*base_register(c) += random_address(r, insn) - fault;
	return true;
}
