/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads and stores of Advanced SIMD structures: Arm ARM C4.1, "Advanced SIMD
 * load/store multiple structures" and "single structure", and C7.2 (LD1 to
 * LD4, LD1R to LD4R, ST1 to ST4).
 *
 * All data are read before a register is written. The post-indexed forms add
 * Xm to the base, or the number of bytes transferred when Rm is 31.
 */
#include "emu/simd_priv.h"

static uint64_t load_element(struct emu_cpu *cpu, uint64_t va, unsigned size)
{
	switch (size) {
	case 0:
		return emu_ld8(cpu, va, EMU_ACC_NORMAL);
	case 1:
		return emu_ld16(cpu, va, EMU_ACC_NORMAL);
	case 2:
		return emu_ld32(cpu, va, EMU_ACC_NORMAL);
	default:
		return emu_ld64(cpu, va, EMU_ACC_NORMAL);
	}
}

static void store_element(struct emu_cpu *cpu, uint64_t va, unsigned size, const struct emu_vreg *v, unsigned i)
{
	switch (size) {
	case 0:
		emu_st8(cpu, va, v->b[i], EMU_ACC_NORMAL);
		break;
	case 1:
		emu_st16(cpu, va, v->h[i], EMU_ACC_NORMAL);
		break;
	case 2:
		emu_st32(cpu, va, v->s[i], EMU_ACC_NORMAL);
		break;
	default:
		emu_st64(cpu, va, v->d[i], EMU_ACC_NORMAL);
		break;
	}
}

static void post_index(struct emu_cpu *cpu, unsigned n, unsigned m, unsigned bytes)
{
	cpu->x[n] += m == 31 ? bytes : cpu->x[m];
}

/* ---- Multiple structures ---- */

/* LD1: whole registers, one after the other. */
static void load_registers(struct emu_cpu *cpu, const struct a64_args_LD1_mult_1 *a, unsigned n)
{
	uint64_t va = interp_base(cpu, a->Rn);
	struct emu_vreg v[4] = {0};

	for (unsigned i = 0; i < n; i++) {
		if (a->Q)
			emu_ld128(cpu, va + i * 16, 1u << a->size, v[i].d, EMU_ACC_NORMAL);
		else
			for (unsigned e = 0; e < 8u >> a->size; e++)
				simd_set(&v[i], a->size, e,
					load_element(cpu, va + i * 8 + (e << a->size), a->size));
	}
	for (unsigned i = 0; i < n; i++)
		cpu->v[(a->Rt + i) & 31] = v[i];
}

static void store_registers(struct emu_cpu *cpu, const struct a64_args_ST1_mult_1 *a, unsigned n)
{
	uint64_t va = interp_base(cpu, a->Rn);

	for (unsigned i = 0; i < n; i++) {
		const struct emu_vreg *v = &cpu->v[(a->Rt + i) & 31];
		if (a->Q)
			emu_st128(cpu, va + i * 16, 1u << a->size, v->d, EMU_ACC_NORMAL);
		else
			for (unsigned e = 0; e < 8u >> a->size; e++)
				store_element(cpu, va + i * 8 + (e << a->size), a->size, v, e);
	}
}

/* LD2 to LD4: elements in turn to each of n registers. */
static void load_interleaved(struct emu_cpu *cpu, const struct a64_args_LD2_mult *a, unsigned n)
{
	uint64_t va = interp_base(cpu, a->Rn);
	struct emu_vreg v[4] = {0};

	for (unsigned e = 0; e < (a->Q ? 16u : 8u) >> a->size; e++) {
		for (unsigned i = 0; i < n; i++, va += 1u << a->size)
			simd_set(&v[i], a->size, e, load_element(cpu, va, a->size));
	}
	for (unsigned i = 0; i < n; i++)
		cpu->v[(a->Rt + i) & 31] = v[i];
}

static void store_interleaved(struct emu_cpu *cpu, const struct a64_args_ST2_mult *a, unsigned n)
{
	uint64_t va = interp_base(cpu, a->Rn);

	for (unsigned e = 0; e < (a->Q ? 16u : 8u) >> a->size; e++)
		for (unsigned i = 0; i < n; i++, va += 1u << a->size)
			store_element(cpu, va, a->size, &cpu->v[(a->Rt + i) & 31], e);
}

/* The post-indexed form has the plain form's fields and Rm. */
#define MULTIPLE(name, fn, n) \
	INTERP(name) \
	{ \
		fn(cpu, a, n); \
	} \
	INTERP(name##_post) \
	{ \
		const struct a64_args_##name plain = {.Q = a->Q, .size = a->size, .Rn = a->Rn, .Rt = a->Rt}; \
		fn(cpu, &plain, n); \
		post_index(cpu, a->Rn, a->Rm, n * (a->Q ? 16 : 8)); \
	}

MULTIPLE(LD1_mult_1, load_registers, 1)
MULTIPLE(LD1_mult_2, load_registers, 2)
MULTIPLE(LD1_mult_3, load_registers, 3)
MULTIPLE(LD1_mult_4, load_registers, 4)
MULTIPLE(LD2_mult, load_interleaved, 2)
MULTIPLE(LD3_mult, load_interleaved, 3)
MULTIPLE(LD4_mult, load_interleaved, 4)
MULTIPLE(ST1_mult_1, store_registers, 1)
MULTIPLE(ST1_mult_2, store_registers, 2)
MULTIPLE(ST1_mult_3, store_registers, 3)
MULTIPLE(ST1_mult_4, store_registers, 4)
MULTIPLE(ST2_mult, store_interleaved, 2)
MULTIPLE(ST3_mult, store_interleaved, 3)
MULTIPLE(ST4_mult, store_interleaved, 4)

/* ---- Single structure: element `index` of n registers ---- */

static void load_single(struct emu_cpu *cpu, unsigned rn, unsigned rt, unsigned n, unsigned size, unsigned index)
{
	uint64_t va = interp_base(cpu, rn), val[4];

	for (unsigned i = 0; i < n; i++)
		val[i] = load_element(cpu, va + (i << size), size);
	for (unsigned i = 0; i < n; i++)
		simd_set(&cpu->v[(rt + i) & 31], size, index, val[i]);
}

static void store_single(struct emu_cpu *cpu, unsigned rn, unsigned rt, unsigned n, unsigned size, unsigned index)
{
	uint64_t va = interp_base(cpu, rn);

	for (unsigned i = 0; i < n; i++)
		store_element(cpu, va + (i << size), size, &cpu->v[(rt + i) & 31], index);
}

/* LD1R to LD4R. */
static void load_replicate(struct emu_cpu *cpu, unsigned rn, unsigned rt, unsigned n, unsigned size, bool q)
{
	static const uint64_t repeat[4] = {0x0101010101010101, 0x0001000100010001, 0x0000000100000001, 1};
	uint64_t va = interp_base(cpu, rn), val[4];

	for (unsigned i = 0; i < n; i++)
		val[i] = load_element(cpu, va + (i << size), size) * repeat[size];
	for (unsigned i = 0; i < n; i++) {
		struct emu_vreg *v = &cpu->v[(rt + i) & 31];
		v->d[0] = val[i];
		v->d[1] = q ? val[i] : 0;
	}
}

/* opcode<0>:R + 1 registers. */
#define N_REGS ((unsigned)(a->sel << 1 | a->Rbit) + 1)

#define SINGLE(name, fn, element_size, last) \
	INTERP(name) \
	{ \
		fn(cpu, a->Rn, a->Rt, N_REGS, element_size, last); \
	} \
	INTERP(name##_post) \
	{ \
		fn(cpu, a->Rn, a->Rt, N_REGS, element_size, last); \
		post_index(cpu, a->Rn, a->Rm, N_REGS << (element_size)); \
	}

/* The index is the upper part of Q:S:size. */
#define INDEX_B ((unsigned)a->Q << 3 | (unsigned)a->S << 2 | a->size)
#define INDEX_H ((unsigned)a->Q << 2 | (unsigned)a->S << 1 | a->size)
#define INDEX_S ((unsigned)a->Q << 1 | a->S)
#define INDEX_D (a->Q)

SINGLE(LD_single_B, load_single, 0, INDEX_B)
SINGLE(LD_single_H, load_single, 1, INDEX_H)
SINGLE(LD_single_S, load_single, 2, INDEX_S)
SINGLE(LD_single_D, load_single, 3, INDEX_D)
SINGLE(ST_single_B, store_single, 0, INDEX_B)
SINGLE(ST_single_H, store_single, 1, INDEX_H)
SINGLE(ST_single_S, store_single, 2, INDEX_S)
SINGLE(ST_single_D, store_single, 3, INDEX_D)
SINGLE(LD_rep, load_replicate, a->size, a->Q)
