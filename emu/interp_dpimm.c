/* SPDX-License-Identifier: BSD-2-Clause */
/* Data processing (immediate): Arm ARM C4.1, instructions in C6.2. */
#include "emu/interp_priv.h"

#include "emu/alu_priv.h"

INTERP(ADR)
{
	interp_set_x(cpu, a->Rd, cpu->pc + ((uint64_t)a->immhi << 2 | a->immlo));
}

INTERP(ADRP)
{
	interp_set_x(cpu, a->Rd, (cpu->pc & ~0xfffull) + (((uint64_t)a->immhi << 2 | a->immlo) << 12));
}

/* ---- Add/subtract ---- */

static inline uint64_t add_imm(const struct a64_args_ADD_imm *a)
{
	return a->sh ? (uint64_t)a->imm12 << 12 : a->imm12;
}

INTERP(ADD_imm)
{
	interp_set_rsp(cpu, a->sf, a->Rd, interp_xsp(cpu, a->Rn) + add_imm(a));
}

INTERP(ADDS_imm)
{
	uint64_t x = interp_xsp(cpu, a->Rn), y = add_imm(a);

	cpu->nzcv = alu_flags_add(a->sf, x, y, x + y);
	interp_set_r(cpu, a->sf, a->Rd, x + y);
}

INTERP(SUB_imm)
{
	interp_set_rsp(cpu, a->sf, a->Rd, interp_xsp(cpu, a->Rn) - add_imm(a));
}

INTERP(SUBS_imm)
{
	uint64_t x = interp_xsp(cpu, a->Rn), y = add_imm(a);

	cpu->nzcv = alu_flags_sub(a->sf, x, y, x - y);
	interp_set_r(cpu, a->sf, a->Rd, x - y);
}

/* ---- Logical ---- */

/* The immediate of DecodeBitMasks(): a run of imms+1 ones in an element of 2 to
 * 64 bits, rotated right by immr and repeated over the register. */
static uint64_t bit_mask(struct emu_cpu *cpu, const struct a64_args_AND_imm *a)
{
	static const uint64_t repeat[7] = {
		0, 0x5555555555555555, 0x1111111111111111, 0x0101010101010101, 0x0001000100010001, 0x0000000100000001, 1,
	};
	unsigned element = (unsigned)a->N << 6 | (~a->imms & 0x3fu);
	if (element < 2)
		emu_raise_undefined(cpu);
	unsigned len = 31 - (unsigned)__builtin_clz(element);
	unsigned levels = (1u << len) - 1, s = a->imms & levels, r = a->immr & levels;
	if (s == levels)
		emu_raise_undefined(cpu);

	uint64_t ones = ~0ull >> (63 - s);
	if (r)
		ones = (ones >> r | ones << (levels + 1 - r)) & ~0ull >> (63 - levels);
	return ones * repeat[len];
}

INTERP(AND_imm)
{
	interp_set_rsp(cpu, a->sf, a->Rd, interp_x(cpu, a->Rn) & bit_mask(cpu, a));
}

INTERP(ORR_imm)
{
	interp_set_rsp(cpu, a->sf, a->Rd, interp_x(cpu, a->Rn) | bit_mask(cpu, a));
}

INTERP(EOR_imm)
{
	interp_set_rsp(cpu, a->sf, a->Rd, interp_x(cpu, a->Rn) ^ bit_mask(cpu, a));
}

INTERP(ANDS_imm)
{
	uint64_t val = interp_x(cpu, a->Rn) & bit_mask(cpu, a);

	cpu->nzcv = alu_nz(a->sf, val);
	interp_set_r(cpu, a->sf, a->Rd, val);
}

/* ---- Move wide ---- */

INTERP(MOVN)
{
	interp_set_r(cpu, a->sf, a->Rd, ~((uint64_t)a->imm16 << a->hw * 16));
}

INTERP(MOVZ)
{
	interp_set_x(cpu, a->Rd, (uint64_t)a->imm16 << a->hw * 16);
}

INTERP(MOVK)
{
	uint64_t val = interp_x(cpu, a->Rd) & ~(0xffffull << a->hw * 16);

	interp_set_r(cpu, a->sf, a->Rd, val | (uint64_t)a->imm16 << a->hw * 16);
}

/* ---- Bitfield: with imms >= immr the field [imms:immr] moves down to bit 0,
 * else the field [imms:0] moves up to bit (width - immr). ---- */

INTERP(SBFM_x)
{
	int64_t top = (int64_t)(interp_x(cpu, a->Rn) << (63 - a->imms)); /* the field, at the top */

	if (a->imms >= a->immr)
		interp_set_x(cpu, a->Rd, (uint64_t)(top >> (63 - a->imms + a->immr)));
	else
		interp_set_x(cpu, a->Rd, (uint64_t)(top >> (63 - a->imms)) << (64 - a->immr));
}

INTERP(SBFM_w)
{
	int32_t top = (int32_t)(interp_w(cpu, a->Rn) << (31 - a->imms));

	if (a->imms >= a->immr)
		interp_set_w(cpu, a->Rd, (uint32_t)(top >> (31 - a->imms + a->immr)));
	else
		interp_set_w(cpu, a->Rd, (uint32_t)(top >> (31 - a->imms)) << (32 - a->immr));
}

INTERP(UBFM_x)
{
	uint64_t top = interp_x(cpu, a->Rn) << (63 - a->imms);

	if (a->imms >= a->immr)
		interp_set_x(cpu, a->Rd, top >> (63 - a->imms + a->immr));
	else
		interp_set_x(cpu, a->Rd, top >> (63 - a->imms) << (64 - a->immr));
}

INTERP(UBFM_w)
{
	uint32_t top = interp_w(cpu, a->Rn) << (31 - a->imms);

	if (a->imms >= a->immr)
		interp_set_w(cpu, a->Rd, top >> (31 - a->imms + a->immr));
	else
		interp_set_w(cpu, a->Rd, top >> (31 - a->imms) << (32 - a->immr));
}

/* The bits of the destination that BFM replaces, in `width` bits. */
static inline uint64_t bfm_mask(unsigned width, unsigned immr, unsigned imms)
{
	if (imms >= immr)
		return ~0ull >> (63 - (imms - immr));
	return ~0ull >> (63 - imms) << (width - immr);
}

INTERP(BFM_x)
{
	uint64_t mask = bfm_mask(64, a->immr, a->imms);

	interp_set_x(cpu, a->Rd,
		(interp_x(cpu, a->Rd) & ~mask) | (alu_shift(true, interp_x(cpu, a->Rn), 3, a->immr) & mask));
}

INTERP(BFM_w)
{
	uint64_t mask = bfm_mask(32, a->immr, a->imms);

	interp_set_w(cpu, a->Rd,
		(uint32_t)((interp_x(cpu, a->Rd) & ~mask) | (alu_shift(false, interp_x(cpu, a->Rn), 3, a->immr) & mask)));
}

/* ---- Extract ---- */

INTERP(EXTR_x)
{
	uint64_t low = interp_x(cpu, a->Rm);

	interp_set_x(cpu, a->Rd, a->imms ? low >> a->imms | interp_x(cpu, a->Rn) << (64 - a->imms) : low);
}

INTERP(EXTR_w)
{
	uint64_t both = (uint64_t)interp_w(cpu, a->Rn) << 32 | interp_w(cpu, a->Rm);

	interp_set_w(cpu, a->Rd, (uint32_t)(both >> a->imms));
}
