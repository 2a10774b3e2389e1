/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Advanced SIMD instructions that move elements: copy, permute, extract, table
 * lookup, and modified immediate (Arm ARM C4.1 and C7.2).
 */
#include "emu/simd_priv.h"

#include <string.h>

/* ---- copy ---- */

/* imm5 is the index above a one that tells the size: xxxx1, xxx10, xx100, x1000. */
static unsigned imm5_size(struct emu_cpu *cpu, unsigned imm5)
{
	if ((imm5 & 15) == 0)
		emu_raise_undefined(cpu);
	return (unsigned)__builtin_ctz(imm5);
}

static void duplicate(struct emu_cpu *cpu, unsigned size, bool q, unsigned rd, uint64_t val)
{
	struct emu_vreg d = { .d = { 0, 0 } };

	if (size == 3 && !q)
		emu_raise_undefined(cpu);
	for (unsigned i = 0; i < 16u >> size; i++)
		simd_set(&d, size, i, val);
	interp_set_v(cpu, rd, &d, q);
}

INTERP(DUP_elem)
{
	unsigned size = imm5_size(cpu, a->imm5);

	duplicate(cpu, size, a->Q, a->Rd, simd_get(&cpu->v[a->Rn], size, a->imm5 >> (size + 1)));
}

INTERP(DUP_elem_s)
{
	unsigned size = imm5_size(cpu, a->imm5);

	interp_set_d(cpu, a->Rd, simd_get(&cpu->v[a->Rn], size, a->imm5 >> (size + 1)));
}

INTERP(DUP_gen)
{
	duplicate(cpu, imm5_size(cpu, a->imm5), a->Q, a->Rd, interp_x(cpu, a->Rn));
}

/* To a wider general register: W from B and H, X from S too. */
INTERP(SMOV)
{
	unsigned size = imm5_size(cpu, a->imm5);

	if (size == 3 || (size == 2 && !a->Q))
		emu_raise_undefined(cpu);
	interp_set_r(cpu, a->Q, a->Rd, (uint64_t)simd_sx(simd_get(&cpu->v[a->Rn], size, a->imm5 >> (size + 1)), 8u << size));
}

/* W from B, H and S; X from D only. */
INTERP(UMOV)
{
	unsigned size = imm5_size(cpu, a->imm5);

	if ((size == 3) != a->Q)
		emu_raise_undefined(cpu);
	interp_set_x(cpu, a->Rd, simd_get(&cpu->v[a->Rn], size, a->imm5 >> (size + 1)));
}

INTERP(INS_gen)
{
	unsigned size = imm5_size(cpu, a->imm5);

	simd_set(&cpu->v[a->Rd], size, a->imm5 >> (size + 1), interp_x(cpu, a->Rn));
}

INTERP(INS_elem)
{
	unsigned size = imm5_size(cpu, a->imm5);

	simd_set(&cpu->v[a->Rd], size, a->imm5 >> (size + 1), simd_get(&cpu->v[a->Rn], size, a->imm4 >> size));
}

/* ---- permute: element i of Vd comes from element `from` of Vm:Vn ---- */

#define PERMUTE(name, expr) \
	INTERP(name) \
	{ \
		struct emu_vreg n = cpu->v[a->Rn], m = cpu->v[a->Rm], d = { .d = { 0, 0 } }; \
		unsigned count = (a->Q ? 16u : 8u) >> a->size; \
		simd_check_vec(cpu, SIMD_BHSD, a->size, a->Q); \
		for (unsigned i = 0; i < count; i++) { \
			unsigned from = expr; \
			simd_set(&d, a->size, i, simd_get(from < count ? &n : &m, a->size, from % count)); \
		} \
		interp_set_v(cpu, a->Rd, &d, a->Q); \
	}

PERMUTE(UZP1, 2 * i)
PERMUTE(UZP2, 2 * i + 1)
PERMUTE(TRN1, (i & ~1u) + (i & 1) * count)
PERMUTE(TRN2, (i | 1u) + (i & 1) * count)
PERMUTE(ZIP1, i / 2 + (i & 1) * count)
PERMUTE(ZIP2, count / 2 + i / 2 + (i & 1) * count)
#undef PERMUTE

INTERP(EXT_vec)
{
	unsigned len = a->Q ? 16 : 8;
	struct emu_vreg d = { .d = { 0, 0 } };
	uint8_t both[32];

	if (a->imm4 >= len)
		emu_raise_undefined(cpu);
	memcpy(both, cpu->v[a->Rn].b, len);
	memcpy(both + len, cpu->v[a->Rm].b, len);
	memcpy(d.b, both + a->imm4, len);
	interp_set_v(cpu, a->Rd, &d, a->Q);
}

/* ---- table lookup in the `len` + 1 registers from Vn up, wrapping ---- */

static void lookup(struct emu_cpu *cpu, const struct a64_args_TBL *a, struct emu_vreg d)
{
	const struct emu_vreg *index = &cpu->v[a->Rm];

	for (unsigned i = 0; i < 16; i++) {
		unsigned from = index->b[i];

		if (from < 16u * (a->len + 1u))
			d.b[i] = cpu->v[(a->Rn + from / 16) % 32].b[from % 16];
	}
	interp_set_v(cpu, a->Rd, &d, a->Q);
}

INTERP(TBL)
{
	lookup(cpu, a, (struct emu_vreg){ .d = { 0, 0 } });
}

INTERP(TBX)
{
	lookup(cpu, a, cpu->v[a->Rd]);
}

/* ---- modified immediate (AdvSIMDExpandImm) ---- */

static uint64_t copies_32(uint64_t imm)
{
	return imm * 0x0000000100000001ull;
}

static uint64_t copies_16(uint64_t imm)
{
	return imm * 0x0001000100010001ull;
}

/* MSL shifts ones in. */
static uint64_t shifted_ones(unsigned imm8, unsigned amount)
{
	return amount ? imm8 << 16 | 0xFFFF : imm8 << 8 | 0xFF;
}

static void set_both(struct emu_cpu *cpu, bool q, unsigned rd, uint64_t val)
{
	cpu->v[rd].d[0] = val;
	cpu->v[rd].d[1] = q ? val : 0;
}

static void or_both(struct emu_cpu *cpu, bool q, unsigned rd, uint64_t val)
{
	cpu->v[rd].d[0] |= val;
	cpu->v[rd].d[1] = q ? cpu->v[rd].d[1] | val : 0;
}

static void clear_both(struct emu_cpu *cpu, bool q, unsigned rd, uint64_t val)
{
	cpu->v[rd].d[0] &= ~val;
	cpu->v[rd].d[1] = q ? cpu->v[rd].d[1] & ~val : 0;
}

INTERP(MOVI_32)
{
	set_both(cpu, a->Q, a->Rd, copies_32((uint64_t)a->imm8 << 8 * a->amount));
}

INTERP(ORR_imm_32)
{
	or_both(cpu, a->Q, a->Rd, copies_32((uint64_t)a->imm8 << 8 * a->amount));
}

INTERP(MVNI_32)
{
	set_both(cpu, a->Q, a->Rd, ~copies_32((uint64_t)a->imm8 << 8 * a->amount));
}

INTERP(BIC_imm_32)
{
	clear_both(cpu, a->Q, a->Rd, copies_32((uint64_t)a->imm8 << 8 * a->amount));
}

INTERP(MOVI_16)
{
	set_both(cpu, a->Q, a->Rd, copies_16((uint64_t)a->imm8 << 8 * a->amount));
}

INTERP(ORR_imm_16)
{
	or_both(cpu, a->Q, a->Rd, copies_16((uint64_t)a->imm8 << 8 * a->amount));
}

INTERP(MVNI_16)
{
	set_both(cpu, a->Q, a->Rd, ~copies_16((uint64_t)a->imm8 << 8 * a->amount));
}

INTERP(BIC_imm_16)
{
	clear_both(cpu, a->Q, a->Rd, copies_16((uint64_t)a->imm8 << 8 * a->amount));
}

INTERP(MOVI_msl)
{
	set_both(cpu, a->Q, a->Rd, copies_32(shifted_ones(a->imm8, a->amount)));
}

INTERP(MVNI_msl)
{
	set_both(cpu, a->Q, a->Rd, ~copies_32(shifted_ones(a->imm8, a->amount)));
}

INTERP(MOVI_8)
{
	set_both(cpu, a->Q, a->Rd, a->imm8 * 0x0101010101010101ull);
}

/* Each bit of the immediate makes a byte. */
INTERP(MOVI_64)
{
	uint64_t val = 0;

	for (unsigned i = 0; i < 8; i++)
		val |= (a->imm8 >> i & 1) ? 0xFFull << 8 * i : 0;
	set_both(cpu, a->Q, a->Rd, val);
}
