/* SPDX-License-Identifier: BSD-2-Clause */
/* Data processing (register): Arm ARM C4.1, instructions in C6.2. */
#include "emu/interp_priv.h"

#include "emu/alu_priv.h"

/* ---- Data processing, 2 source ---- */

INTERP(UDIV)
{
	uint64_t x = interp_x(cpu, a->Rn), y = interp_x(cpu, a->Rm);

	if (!a->sf) {
		x = (uint32_t)x;
		y = (uint32_t)y;
	}
	interp_set_x(cpu, a->Rd, y ? x / y : 0);
}

INTERP(SDIV)
{
	int64_t x = (int64_t)interp_x(cpu, a->Rn), y = (int64_t)interp_x(cpu, a->Rm);

	if (!a->sf) {
		x = (int32_t)x;
		y = (int32_t)y;
	}
	/* The most negative number over -1 wraps to itself. */
	if (y == -1)
		interp_set_r(cpu, a->sf, a->Rd, -(uint64_t)x);
	else
		interp_set_r(cpu, a->sf, a->Rd, y ? (uint64_t)(x / y) : 0);
}

static inline void shift_reg(struct emu_cpu *cpu, const struct a64_args_LSLV *a, unsigned type)
{
	unsigned amount = interp_x(cpu, a->Rm) & (a->sf ? 63 : 31);

	interp_set_r(cpu, a->sf, a->Rd, alu_shift(a->sf, interp_x(cpu, a->Rn), type, amount));
}

INTERP(LSLV)
{
	shift_reg(cpu, a, 0);
}

INTERP(LSRV)
{
	shift_reg(cpu, a, 1);
}

INTERP(ASRV)
{
	shift_reg(cpu, a, 2);
}

INTERP(RORV)
{
	shift_reg(cpu, a, 3);
}

/* Remainders of the 16 nibbles, bits reversed, under 0x04C11DB7 and 0x1EDC6F41. */
static const uint32_t crc32_ieee[16] = {
	0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
	0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};
static const uint32_t crc32_castagnoli[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
	0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

/* `bits` of the data, from bit 0 up. */
static void crc32(struct emu_cpu *cpu, const struct a64_args_CRC32B *a, const uint32_t table[16], unsigned bits)
{
	uint64_t data = interp_x(cpu, a->Rm);
	uint32_t crc = interp_w(cpu, a->Rn);

	for (unsigned i = 0; i < bits; i += 4)
		crc = crc >> 4 ^ table[(crc ^ (uint32_t)(data >> i)) & 0xf];
	interp_set_w(cpu, a->Rd, crc);
}

INTERP(CRC32B)
{
	crc32(cpu, a, crc32_ieee, 8);
}

INTERP(CRC32H)
{
	crc32(cpu, a, crc32_ieee, 16);
}

INTERP(CRC32W)
{
	crc32(cpu, a, crc32_ieee, 32);
}

INTERP(CRC32X)
{
	crc32(cpu, a, crc32_ieee, 64);
}

INTERP(CRC32CB)
{
	crc32(cpu, a, crc32_castagnoli, 8);
}

INTERP(CRC32CH)
{
	crc32(cpu, a, crc32_castagnoli, 16);
}

INTERP(CRC32CW)
{
	crc32(cpu, a, crc32_castagnoli, 32);
}

INTERP(CRC32CX)
{
	crc32(cpu, a, crc32_castagnoli, 64);
}

/* ---- Data processing, 1 source ---- */

INTERP(RBIT)
{
	uint64_t x = __builtin_bswap64(interp_x(cpu, a->Rn));

	x = (x >> 4 & 0x0f0f0f0f0f0f0f0f) | (x & 0x0f0f0f0f0f0f0f0f) << 4;
	x = (x >> 2 & 0x3333333333333333) | (x & 0x3333333333333333) << 2;
	x = (x >> 1 & 0x5555555555555555) | (x & 0x5555555555555555) << 1;
	interp_set_x(cpu, a->Rd, a->sf ? x : x >> 32);
}

INTERP(REV16)
{
	uint64_t x = interp_x(cpu, a->Rn);

	interp_set_r(cpu, a->sf, a->Rd, (x >> 8 & 0x00ff00ff00ff00ff) | (x & 0x00ff00ff00ff00ff) << 8);
}

INTERP(REV_w)
{
	interp_set_w(cpu, a->Rd, __builtin_bswap32(interp_w(cpu, a->Rn)));
}

INTERP(REV32_x)
{
	uint64_t x = __builtin_bswap64(interp_x(cpu, a->Rn));

	interp_set_x(cpu, a->Rd, x >> 32 | x << 32);
}

INTERP(REV_x)
{
	interp_set_x(cpu, a->Rd, __builtin_bswap64(interp_x(cpu, a->Rn)));
}

/* CountLeadingZeroBits(). */
static inline unsigned leading_zeros(bool sf, uint64_t x)
{
	if (sf)
		return x ? (unsigned)__builtin_clzll(x) : 64;
	return (uint32_t)x ? (unsigned)__builtin_clz((uint32_t)x) : 32;
}

INTERP(CLZ)
{
	interp_set_x(cpu, a->Rd, leading_zeros(a->sf, interp_x(cpu, a->Rn)));
}

INTERP(CLS)
{
	uint64_t x = a->sf ? interp_x(cpu, a->Rn) : (uint64_t)(int32_t)interp_w(cpu, a->Rn);

	/* A bit that equals the one above it turns into 0; the top bit stays out. */
	interp_set_x(cpu, a->Rd, leading_zeros(a->sf, x ^ (uint64_t)((int64_t)x >> 1)) - 1);
}

/* ---- Logical (shifted register) ---- */

static inline uint64_t shifted(const struct emu_cpu *cpu, const struct a64_args_AND_shift *a)
{
	return alu_shift(a->sf, interp_x(cpu, a->Rm), a->shift, a->imm6);
}

INTERP(AND_shift)
{
	interp_set_r(cpu, a->sf, a->Rd, interp_x(cpu, a->Rn) & shifted(cpu, a));
}

INTERP(BIC_shift)
{
	interp_set_r(cpu, a->sf, a->Rd, interp_x(cpu, a->Rn) & ~shifted(cpu, a));
}

INTERP(ORR_shift)
{
	interp_set_r(cpu, a->sf, a->Rd, interp_x(cpu, a->Rn) | shifted(cpu, a));
}

INTERP(ORN_shift)
{
	interp_set_r(cpu, a->sf, a->Rd, interp_x(cpu, a->Rn) | ~shifted(cpu, a));
}

INTERP(EOR_shift)
{
	interp_set_r(cpu, a->sf, a->Rd, interp_x(cpu, a->Rn) ^ shifted(cpu, a));
}

INTERP(EON_shift)
{
	interp_set_r(cpu, a->sf, a->Rd, interp_x(cpu, a->Rn) ^ ~shifted(cpu, a));
}

INTERP(ANDS_shift)
{
	uint64_t val = interp_x(cpu, a->Rn) & shifted(cpu, a);

	cpu->nzcv = alu_nz(a->sf, val);
	interp_set_r(cpu, a->sf, a->Rd, val);
}

INTERP(BICS_shift)
{
	uint64_t val = interp_x(cpu, a->Rn) & ~shifted(cpu, a);

	cpu->nzcv = alu_nz(a->sf, val);
	interp_set_r(cpu, a->sf, a->Rd, val);
}

/* ---- Add/subtract (shifted register) ---- */

INTERP(ADD_shift)
{
	interp_set_r(cpu, a->sf, a->Rd, interp_x(cpu, a->Rn) + shifted(cpu, a));
}

INTERP(ADDS_shift)
{
	uint64_t x = interp_x(cpu, a->Rn), y = shifted(cpu, a);

	cpu->nzcv = alu_flags_add(a->sf, x, y, x + y);
	interp_set_r(cpu, a->sf, a->Rd, x + y);
}

INTERP(SUB_shift)
{
	interp_set_r(cpu, a->sf, a->Rd, interp_x(cpu, a->Rn) - shifted(cpu, a));
}

INTERP(SUBS_shift)
{
	uint64_t x = interp_x(cpu, a->Rn), y = shifted(cpu, a);

	cpu->nzcv = alu_flags_sub(a->sf, x, y, x - y);
	interp_set_r(cpu, a->sf, a->Rd, x - y);
}

/* ---- Add/subtract (extended register) ---- */

static inline uint64_t extended(const struct emu_cpu *cpu, const struct a64_args_ADD_ext *a)
{
	return alu_extend(interp_x(cpu, a->Rm), a->option, a->imm3);
}

INTERP(ADD_ext)
{
	interp_set_rsp(cpu, a->sf, a->Rd, interp_xsp(cpu, a->Rn) + extended(cpu, a));
}

INTERP(ADDS_ext)
{
	uint64_t x = interp_xsp(cpu, a->Rn), y = extended(cpu, a);

	cpu->nzcv = alu_flags_add(a->sf, x, y, x + y);
	interp_set_r(cpu, a->sf, a->Rd, x + y);
}

INTERP(SUB_ext)
{
	interp_set_rsp(cpu, a->sf, a->Rd, interp_xsp(cpu, a->Rn) - extended(cpu, a));
}

INTERP(SUBS_ext)
{
	uint64_t x = interp_xsp(cpu, a->Rn), y = extended(cpu, a);

	cpu->nzcv = alu_flags_sub(a->sf, x, y, x - y);
	interp_set_r(cpu, a->sf, a->Rd, x - y);
}

/* ---- Add/subtract (with carry) ---- */

static inline uint64_t add_carry(const struct emu_cpu *cpu, const struct a64_args_ADC *a, bool negate, uint32_t *ret_nzcv)
{
	uint64_t y = interp_x(cpu, a->Rm);

	return alu_adc(a->sf, interp_x(cpu, a->Rn), negate ? ~y : y, cpu->nzcv & EMU_C, ret_nzcv);
}

INTERP(ADC)
{
	uint32_t nzcv;

	interp_set_r(cpu, a->sf, a->Rd, add_carry(cpu, a, false, &nzcv));
}

INTERP(ADCS)
{
	interp_set_r(cpu, a->sf, a->Rd, add_carry(cpu, a, false, &cpu->nzcv));
}

INTERP(SBC)
{
	uint32_t nzcv;

	interp_set_r(cpu, a->sf, a->Rd, add_carry(cpu, a, true, &nzcv));
}

INTERP(SBCS)
{
	interp_set_r(cpu, a->sf, a->Rd, add_carry(cpu, a, true, &cpu->nzcv));
}

/* ---- FEAT_FlagM ---- */

INTERP(RMIF)
{
	uint32_t mask = (uint32_t)a->mask << 28;
	uint32_t flags = (uint32_t)alu_shift(true, interp_x(cpu, a->Rn), 3, a->imm6) << 28;

	cpu->nzcv = (cpu->nzcv & ~mask) | (flags & mask);
}

/* N, Z and V of the low `bits` bits; C stays. */
static void set_flags_narrow(struct emu_cpu *cpu, unsigned n, unsigned bits)
{
	uint32_t val = interp_w(cpu, n) << (32 - bits);
	uint32_t above = interp_w(cpu, n) << (31 - bits);

	cpu->nzcv = (cpu->nzcv & EMU_C) | alu_nz(false, val) | ((val ^ above) >> 31 ? EMU_V : 0);
}

INTERP(SETF8)
{
	set_flags_narrow(cpu, a->Rn, 8);
}

INTERP(SETF16)
{
	set_flags_narrow(cpu, a->Rn, 16);
}

/* ---- Conditional compare ---- */

static inline void compare(struct emu_cpu *cpu, bool sf, unsigned cond, uint64_t x, uint64_t y, bool negate, uint32_t nzcv)
{
	if (!alu_condition(cpu->nzcv, cond))
		cpu->nzcv = nzcv << 28;
	else if (negate)
		cpu->nzcv = alu_flags_add(sf, x, y, x + y);
	else
		cpu->nzcv = alu_flags_sub(sf, x, y, x - y);
}

INTERP(CCMN_reg)
{
	compare(cpu, a->sf, a->cond, interp_x(cpu, a->Rn), interp_x(cpu, a->Rm), true, a->nzcv);
}

INTERP(CCMP_reg)
{
	compare(cpu, a->sf, a->cond, interp_x(cpu, a->Rn), interp_x(cpu, a->Rm), false, a->nzcv);
}

INTERP(CCMN_imm)
{
	compare(cpu, a->sf, a->cond, interp_x(cpu, a->Rn), a->imm5, true, a->nzcv);
}

INTERP(CCMP_imm)
{
	compare(cpu, a->sf, a->cond, interp_x(cpu, a->Rn), a->imm5, false, a->nzcv);
}

/* ---- Conditional select ---- */

INTERP(CSEL)
{
	interp_set_r(cpu, a->sf, a->Rd, interp_x(cpu, alu_condition(cpu->nzcv, a->cond) ? a->Rn : a->Rm));
}

INTERP(CSINC)
{
	uint64_t x = interp_x(cpu, a->Rn), y = interp_x(cpu, a->Rm) + 1;

	interp_set_r(cpu, a->sf, a->Rd, alu_condition(cpu->nzcv, a->cond) ? x : y);
}

INTERP(CSINV)
{
	uint64_t x = interp_x(cpu, a->Rn), y = ~interp_x(cpu, a->Rm);

	interp_set_r(cpu, a->sf, a->Rd, alu_condition(cpu->nzcv, a->cond) ? x : y);
}

INTERP(CSNEG)
{
	uint64_t x = interp_x(cpu, a->Rn), y = -interp_x(cpu, a->Rm);

	interp_set_r(cpu, a->sf, a->Rd, alu_condition(cpu->nzcv, a->cond) ? x : y);
}

/* ---- Data processing, 3 source ---- */

INTERP(MADD)
{
	interp_set_r(cpu, a->sf, a->Rd, interp_x(cpu, a->Ra) + interp_x(cpu, a->Rn) * interp_x(cpu, a->Rm));
}

INTERP(MSUB)
{
	interp_set_r(cpu, a->sf, a->Rd, interp_x(cpu, a->Ra) - interp_x(cpu, a->Rn) * interp_x(cpu, a->Rm));
}

static inline uint64_t multiply_signed(const struct emu_cpu *cpu, const struct a64_args_SMADDL *a)
{
	return (uint64_t)((int64_t)(int32_t)interp_w(cpu, a->Rn) * (int32_t)interp_w(cpu, a->Rm));
}

INTERP(SMADDL)
{
	interp_set_x(cpu, a->Rd, interp_x(cpu, a->Ra) + multiply_signed(cpu, a));
}

INTERP(SMSUBL)
{
	interp_set_x(cpu, a->Rd, interp_x(cpu, a->Ra) - multiply_signed(cpu, a));
}

INTERP(SMULH)
{
	__int128 product = (__int128)(int64_t)interp_x(cpu, a->Rn) * (int64_t)interp_x(cpu, a->Rm);

	interp_set_x(cpu, a->Rd, (uint64_t)(product >> 64));
}

static inline uint64_t multiply_unsigned(const struct emu_cpu *cpu, const struct a64_args_UMADDL *a)
{
	return (uint64_t)interp_w(cpu, a->Rn) * interp_w(cpu, a->Rm);
}

INTERP(UMADDL)
{
	interp_set_x(cpu, a->Rd, interp_x(cpu, a->Ra) + multiply_unsigned(cpu, a));
}

INTERP(UMSUBL)
{
	interp_set_x(cpu, a->Rd, interp_x(cpu, a->Ra) - multiply_unsigned(cpu, a));
}

INTERP(UMULH)
{
	unsigned __int128 product = (unsigned __int128)interp_x(cpu, a->Rn) * interp_x(cpu, a->Rm);

	interp_set_x(cpu, a->Rd, (uint64_t)(product >> 64));
}
