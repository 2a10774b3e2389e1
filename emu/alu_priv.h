/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arithmetic on general registers: flags, shifts, extensions, conditions
 * (Arm ARM J1.1, shared/functions/integer and aarch64/instrs).
 *
 * Functions with `sf` work on 64 bits, or on the low 32 without it; what they
 * return may then have anything in the upper half, which interp_set_r clears.
 */
#ifndef EMU_ALU_PRIV_H
#define EMU_ALU_PRIV_H

#include "emu/cpu_priv.h"

/* N and Z as a logical operation leaves them; C and V are 0. */
static inline uint32_t alu_nz(bool sf, uint64_t val)
{
	if (sf)
		return (val >> 63 ? EMU_N : 0) | (val == 0 ? EMU_Z : 0);
	return ((uint32_t)val & EMU_N) | ((uint32_t)val == 0 ? EMU_Z : 0);
}

static inline uint32_t alu_flags_add(bool sf, uint64_t x, uint64_t y, uint64_t sum)
{
	uint64_t v = (x ^ sum) & (y ^ sum);

	if (sf)
		return alu_nz(true, sum) | (sum < x ? EMU_C : 0) | (v >> 63 ? EMU_V : 0);
	return alu_nz(false, sum) | ((uint32_t)sum < (uint32_t)x ? EMU_C : 0) | ((uint32_t)v >> 31 ? EMU_V : 0);
}

static inline uint32_t alu_flags_sub(bool sf, uint64_t x, uint64_t y, uint64_t diff)
{
	uint64_t v = (x ^ y) & (x ^ diff);

	if (sf)
		return alu_nz(true, diff) | (x >= y ? EMU_C : 0) | (v >> 63 ? EMU_V : 0);
	return alu_nz(false, diff) | ((uint32_t)x >= (uint32_t)y ? EMU_C : 0) | ((uint32_t)v >> 31 ? EMU_V : 0);
}

/* AddWithCarry(): x + y + carry. */
static inline uint64_t alu_adc(bool sf, uint64_t x, uint64_t y, bool carry, uint32_t *ret_nzcv)
{
	uint64_t sum = x + y + carry, v = (x ^ sum) & (y ^ sum);
	bool c;

	if (sf)
		c = sum < x || (carry && sum == x);
	else
		c = ((uint64_t)(uint32_t)x + (uint32_t)y + carry) >> 32;
	*ret_nzcv = alu_nz(sf, sum) | (c ? EMU_C : 0) | (v >> (sf ? 63 : 31) & 1 ? EMU_V : 0);
	return sum;
}

/* ShiftReg(): type 0 LSL, 1 LSR, 2 ASR, 3 ROR; amount below the width. */
static inline uint64_t alu_shift(bool sf, uint64_t val, unsigned type, unsigned amount)
{
	uint32_t low = (uint32_t)val;

	if (amount == 0)
		return val;
	switch (type) {
	case 0:
		return val << amount;
	case 1:
		return sf ? val >> amount : low >> amount;
	case 2:
		return sf ? (uint64_t)((int64_t)val >> amount) : (uint32_t)((int32_t)low >> amount);
	default:
		return sf ? val >> amount | val << (64 - amount) : low >> amount | low << (32 - amount);
	}
}

/* ExtendReg(): UXTB, UXTH, UXTW, UXTX, SXTB, SXTH, SXTW, SXTX, then LSL. */
static inline uint64_t alu_extend(uint64_t val, unsigned option, unsigned amount)
{
	switch (option) {
	case 0:
		val = (uint8_t)val;
		break;
	case 1:
		val = (uint16_t)val;
		break;
	case 2:
		val = (uint32_t)val;
		break;
	case 4:
		val = (uint64_t)(int8_t)val;
		break;
	case 5:
		val = (uint64_t)(int16_t)val;
		break;
	case 6:
		val = (uint64_t)(int32_t)val;
		break;
	default:
		break;
	}
	return val << amount;
}

/* ConditionHolds(). A row is a condition; bit i says whether it holds when
 * NZCV is i. */
static inline bool alu_condition(uint32_t nzcv, unsigned cond)
{
	static const uint16_t holds[16] = {
		0xf0f0, 0x0f0f, /* EQ, NE: Z */
		0xcccc, 0x3333, /* CS, CC: C */
		0xff00, 0x00ff, /* MI, PL: N */
		0xaaaa, 0x5555, /* VS, VC: V */
		0x0c0c, 0xf3f3, /* HI, LS: C && !Z */
		0xaa55, 0x55aa, /* GE, LT: N == V */
		0x0a05, 0xf5fa, /* GT, LE: !Z && N == V */
		0xffff, 0xffff, /* AL, NV */
	};

	return holds[cond] >> (nzcv >> 28) & 1;
}

#endif
