/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Advanced SIMD dot products (FEAT_DotProd, FEAT_I8MM) and the 2x8 by 8x2
 * integer matrix multiply (FEAT_I8MM), all on bytes into words.
 */
#include "emu/simd_priv.h"

/* The sum of `count` products of bytes of n from `i`, of m from `j`. */
SIMD_INLINE uint32_t dot(const struct emu_vreg *n, unsigned i, bool n_signed, const struct emu_vreg *m, unsigned j,
			 bool m_signed, unsigned count)
{
	uint32_t sum = 0;

	for (unsigned k = 0; k < count; k++) {
		int a = n_signed ? (int8_t)n->b[i + k] : n->b[i + k];
		int b = m_signed ? (int8_t)m->b[j + k] : m->b[j + k];

		sum += (uint32_t)(a * b);
	}
	return sum;
}

SIMD_INLINE void dot_vec(struct emu_cpu *cpu, const struct a64_args_SDOT_vec *a, bool n_signed, bool m_signed)
{
	struct emu_vreg d = cpu->v[a->Rd];

	for (unsigned i = 0; i < 4; i++)
		d.s[i] += dot(&cpu->v[a->Rn], 4 * i, n_signed, &cpu->v[a->Rm], 4 * i, m_signed, 4);
	interp_set_v(cpu, a->Rd, &d, a->Q);
}

INTERP(SDOT_vec)
{
	dot_vec(cpu, a, true, true);
}

INTERP(UDOT_vec)
{
	dot_vec(cpu, a, false, false);
}

INTERP(USDOT_vec)
{
	dot_vec(cpu, a, false, true);
}

/* One group of four bytes of Vm for all. */
SIMD_INLINE void dot_elem(struct emu_cpu *cpu, const struct a64_args_SDOT_elem *a, bool n_signed, bool m_signed)
{
	const struct emu_vreg *m = &cpu->v[a->M << 4 | a->Rm];
	unsigned group = a->H << 1 | a->L;
	struct emu_vreg d = cpu->v[a->Rd];

	for (unsigned i = 0; i < 4; i++)
		d.s[i] += dot(&cpu->v[a->Rn], 4 * i, n_signed, m, 4 * group, m_signed, 4);
	interp_set_v(cpu, a->Rd, &d, a->Q);
}

INTERP(SDOT_elem)
{
	dot_elem(cpu, a, true, true);
}

INTERP(UDOT_elem)
{
	dot_elem(cpu, a, false, false);
}

INTERP(SUDOT_elem)
{
	dot_elem(cpu, a, true, false);
}

INTERP(USDOT_elem)
{
	dot_elem(cpu, a, false, true);
}

/* Vn holds two rows of eight bytes, Vm the two columns, Vd the 2x2 result. */
SIMD_INLINE void matrix(struct emu_cpu *cpu, const struct a64_args_SMMLA *a, bool n_signed, bool m_signed)
{
	struct emu_vreg d = cpu->v[a->Rd];

	for (unsigned i = 0; i < 2; i++) {
		for (unsigned j = 0; j < 2; j++)
			d.s[2 * i + j] += dot(&cpu->v[a->Rn], 8 * i, n_signed, &cpu->v[a->Rm], 8 * j, m_signed, 8);
	}
	interp_set_v(cpu, a->Rd, &d, true);
}

INTERP(SMMLA)
{
	matrix(cpu, a, true, true);
}

INTERP(UMMLA)
{
	matrix(cpu, a, false, false);
}

INTERP(USMMLA)
{
	matrix(cpu, a, false, true);
}
