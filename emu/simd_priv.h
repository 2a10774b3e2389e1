/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the Advanced SIMD instruction functions on integers are written with.
 *
 * An operation is a function on one element (simd_fn), whose operands arrive
 * zero-extended in 64 bits with the element's width, and whose result is cut to
 * that width. The drivers here apply it to all elements of a vector, to the
 * single element of a scalar form, to pairs. They are always inlined, so that
 * each instruction gets its own loops of fixed width.
 */
#ifndef EMU_SIMD_PRIV_H
#define EMU_SIMD_PRIV_H

#include "emu/interp_priv.h"

#include <stddef.h>

#define SIMD_INLINE static inline __attribute__((always_inline))

typedef __int128 simd_int;           /* "unbounded" integers of the manual's pseudocode */
typedef unsigned __int128 simd_uint;

/* FPSR.QC: a saturating instruction has saturated. */
#define SIMD_QC (1u << 27)

/* Element sizes that an encoding has, as sets of 1 << size. */
enum {
	SIMD_B = 1 << 0,
	SIMD_H = 1 << 1,
	SIMD_S = 1 << 2,
	SIMD_D = 1 << 3,
	SIMD_BHS = SIMD_B | SIMD_H | SIMD_S,
	SIMD_HS = SIMD_H | SIMD_S,
	SIMD_BHSD = SIMD_BHS | SIMD_D,
};

/* `d` is the destination's old element. */
typedef uint64_t simd_fn(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits);

/* ---- elements ---- */

SIMD_INLINE int64_t simd_sx(uint64_t val, unsigned bits)
{
	return (int64_t)(val << (64 - bits)) >> (64 - bits);
}

SIMD_INLINE uint64_t simd_ones(unsigned bits)
{
	return ~0ull >> (64 - bits);
}

SIMD_INLINE uint64_t simd_bool(bool cond, unsigned bits)
{
	return cond ? simd_ones(bits) : 0;
}

SIMD_INLINE uint64_t simd_get(const struct emu_vreg *v, unsigned size, unsigned i)
{
	switch (size) {
	case 0:
		return v->b[i];
	case 1:
		return v->h[i];
	case 2:
		return v->s[i];
	default:
		return v->d[i];
	}
}

SIMD_INLINE void simd_set(struct emu_vreg *v, unsigned size, unsigned i, uint64_t val)
{
	switch (size) {
	case 0:
		v->b[i] = (uint8_t)val;
		break;
	case 1:
		v->h[i] = (uint16_t)val;
		break;
	case 2:
		v->s[i] = (uint32_t)val;
		break;
	default:
		v->d[i] = val;
		break;
	}
}

/* SignedSat and UnsignedSat, with their effect on FPSR.QC. */
SIMD_INLINE uint64_t simd_sat_s(struct emu_cpu *cpu, simd_int val, unsigned bits)
{
	simd_int max = (simd_int)(simd_ones(bits) >> 1), min = -max - 1;

	if (val >= min && val <= max)
		return (uint64_t)val;
	cpu->fpsr |= SIMD_QC;
	return (uint64_t)(val < min ? min : max);
}

SIMD_INLINE uint64_t simd_sat_u(struct emu_cpu *cpu, simd_int val, unsigned bits)
{
	simd_int max = (simd_int)simd_ones(bits);

	if (val >= 0 && val <= max)
		return (uint64_t)val;
	cpu->fpsr |= SIMD_QC;
	return (uint64_t)(val < 0 ? 0 : max);
}

/* ---- drivers ---- */

/* UNDEFINED unless the encoding has elements of `size`. A vector of one 64-bit
 * element is always reserved: it is the scalar form. */
SIMD_INLINE void simd_check_vec(struct emu_cpu *cpu, unsigned sizes, unsigned size, bool q)
{
	if (!(sizes >> size & 1) || (size == 3 && !q))
		emu_raise_undefined(cpu);
}

SIMD_INLINE void simd_check_scalar(struct emu_cpu *cpu, unsigned sizes, unsigned size)
{
	if (!(sizes >> size & 1))
		emu_raise_undefined(cpu);
}

/* Vd[i] = fn(Vd[i], Vn[i], Vm[i]). */
SIMD_INLINE void simd_vec(struct emu_cpu *cpu, unsigned size, bool q, unsigned rd, unsigned rn, unsigned rm, simd_fn *fn)
{
	struct emu_vreg d = cpu->v[rd], n = cpu->v[rn], m = cpu->v[rm];
	unsigned count = (q ? 16 : 8) >> size;

	switch (size) {
	case 0:
		for (unsigned i = 0; i < count; i++)
			d.b[i] = (uint8_t)fn(cpu, d.b[i], n.b[i], m.b[i], 8);
		break;
	case 1:
		for (unsigned i = 0; i < count; i++)
			d.h[i] = (uint16_t)fn(cpu, d.h[i], n.h[i], m.h[i], 16);
		break;
	case 2:
		for (unsigned i = 0; i < count; i++)
			d.s[i] = (uint32_t)fn(cpu, d.s[i], n.s[i], m.s[i], 32);
		break;
	default:
		for (unsigned i = 0; i < count; i++)
			d.d[i] = fn(cpu, d.d[i], n.d[i], m.d[i], 64);
		break;
	}
	interp_set_v(cpu, rd, &d, q);
}

/* The scalar form: one element, the rest of the register is cleared. */
SIMD_INLINE void simd_scalar(struct emu_cpu *cpu, unsigned size, unsigned rd, unsigned rn, unsigned rm, simd_fn *fn)
{
	unsigned bits = 8u << size;
	uint64_t val = fn(cpu, simd_get(&cpu->v[rd], size, 0), simd_get(&cpu->v[rn], size, 0),
		simd_get(&cpu->v[rm], size, 0), bits);

	interp_set_d(cpu, rd, val & simd_ones(bits));
}

/* Vd[i] = fn of elements 2i and 2i+1 of Vm:Vn. */
SIMD_INLINE void simd_pairs(struct emu_cpu *cpu, unsigned size, bool q, unsigned rd, unsigned rn, unsigned rm,
			    simd_fn *fn)
{
	struct emu_vreg n = cpu->v[rn], m = cpu->v[rm], d = { .d = { 0, 0 } };
	unsigned count = (q ? 16 : 8) >> size;

	for (unsigned i = 0; i < count; i++) {
		const struct emu_vreg *from = i < count / 2 ? &n : &m;
		unsigned pos = 2 * i % count;

		simd_set(&d, size, i, fn(cpu, 0, simd_get(from, size, pos), simd_get(from, size, pos + 1), 8u << size));
	}
	interp_set_v(cpu, rd, &d, q);
}

/* Vd[i] = fn(Vd[i], Vn[i], m), with one m for all: an element or an immediate. */
SIMD_INLINE void simd_vec_by(struct emu_cpu *cpu, unsigned size, bool q, unsigned rd, unsigned rn, uint64_t m,
			     simd_fn *fn)
{
	struct emu_vreg d = cpu->v[rd], n = cpu->v[rn];
	unsigned count = (q ? 16 : 8) >> size;

	for (unsigned i = 0; i < count; i++)
		simd_set(&d, size, i, fn(cpu, simd_get(&d, size, i), simd_get(&n, size, i), m, 8u << size));
	interp_set_v(cpu, rd, &d, q);
}

SIMD_INLINE void simd_scalar_by(struct emu_cpu *cpu, unsigned size, unsigned rd, unsigned rn, uint64_t m, simd_fn *fn)
{
	unsigned bits = 8u << size;
	uint64_t val = fn(cpu, simd_get(&cpu->v[rd], size, 0), simd_get(&cpu->v[rn], size, 0), m, bits);

	interp_set_d(cpu, rd, val & simd_ones(bits));
}

/* Long: Vd has elements of twice `size`; Vn and Vm are the lower or (`upper`)
 * upper halves. `bits` is the narrow width. */
SIMD_INLINE void simd_long(struct emu_cpu *cpu, unsigned size, bool upper, unsigned rd, unsigned rn, unsigned rm,
			   simd_fn *fn)
{
	struct emu_vreg d = cpu->v[rd], n = cpu->v[rn], m = cpu->v[rm];
	unsigned count = 8 >> size, from = upper ? count : 0;

	for (unsigned i = 0; i < count; i++)
		simd_set(&d, size + 1, i, fn(cpu, simd_get(&d, size + 1, i), simd_get(&n, size, from + i),
			simd_get(&m, size, from + i), 8u << size));
	interp_set_v(cpu, rd, &d, true);
}

SIMD_INLINE void simd_long_by(struct emu_cpu *cpu, unsigned size, bool upper, unsigned rd, unsigned rn, uint64_t m,
			      simd_fn *fn)
{
	struct emu_vreg d = cpu->v[rd], n = cpu->v[rn];
	unsigned count = 8 >> size, from = upper ? count : 0;

	for (unsigned i = 0; i < count; i++)
		simd_set(&d, size + 1, i, fn(cpu, simd_get(&d, size + 1, i), simd_get(&n, size, from + i), m, 8u << size));
	interp_set_v(cpu, rd, &d, true);
}

/* Writes the lower half and clears the rest, or the upper half and leaves the rest. */
SIMD_INLINE void simd_set_part(struct emu_cpu *cpu, unsigned rd, uint64_t val, bool upper)
{
	if (upper)
		cpu->v[rd].d[1] = val;
	else
		interp_set_d(cpu, rd, val);
}

/* Narrow: Vn has elements of twice `size`, half of Vd is written. */
SIMD_INLINE void simd_narrow_by(struct emu_cpu *cpu, unsigned size, bool upper, unsigned rd, unsigned rn, uint64_t m,
				simd_fn *fn)
{
	struct emu_vreg n = cpu->v[rn], d = { .d = { 0, 0 } };

	for (unsigned i = 0; i < 8u >> size; i++)
		simd_set(&d, size, i, fn(cpu, 0, simd_get(&n, size + 1, i), m, 8u << size));
	simd_set_part(cpu, rd, d.d[0], upper);
}

/* ---- operations that several classes share ---- */

SIMD_INLINE uint64_t simd_smax(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits)
{
	return simd_sx(n, bits) > simd_sx(m, bits) ? n : m;
}

SIMD_INLINE uint64_t simd_smin(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits)
{
	return simd_sx(n, bits) < simd_sx(m, bits) ? n : m;
}

SIMD_INLINE uint64_t simd_umax(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits)
{
	return n > m ? n : m;
}

SIMD_INLINE uint64_t simd_umin(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits)
{
	return n < m ? n : m;
}

SIMD_INLINE uint64_t simd_add(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits)
{
	return n + m;
}

SIMD_INLINE uint64_t simd_mla(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits)
{
	return d + n * m;
}

SIMD_INLINE uint64_t simd_mls(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits)
{
	return d - n * m;
}

SIMD_INLINE uint64_t simd_mul(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits)
{
	return n * m;
}

/* (acc << bits) + 2 * n * m, rounded if `round` is 1, its upper half saturated. */
SIMD_INLINE uint64_t simd_doubling_high(struct emu_cpu *cpu, simd_int acc, simd_int product, unsigned round,
					unsigned bits)
{
	simd_int sum = acc * ((simd_int)1 << bits) + 2 * product + ((simd_int)round << (bits - 1));

	return simd_sat_s(cpu, sum >> bits, bits);
}

SIMD_INLINE uint64_t simd_sqdmulh(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits)
{
	return simd_doubling_high(cpu, 0, simd_sx(n, bits) * simd_sx(m, bits), 0, bits);
}

SIMD_INLINE uint64_t simd_sqrdmulh(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits)
{
	return simd_doubling_high(cpu, 0, simd_sx(n, bits) * simd_sx(m, bits), 1, bits);
}

SIMD_INLINE uint64_t simd_sqrdmlah(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits)
{
	return simd_doubling_high(cpu, simd_sx(d, bits), simd_sx(n, bits) * simd_sx(m, bits), 1, bits);
}

SIMD_INLINE uint64_t simd_sqrdmlsh(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits)
{
	return simd_doubling_high(cpu, simd_sx(d, bits), -(simd_sx(n, bits) * simd_sx(m, bits)), 1, bits);
}

/* Shifts by a signed count: left if positive, right if negative, rounded to
 * nearest if `round`. Counts from -128 to 127 give what the unbounded integers
 * of the pseudocode give, cut or saturated to at most 64 bits: beyond 64 to the
 * left nothing is left, beyond 100 to the right only the sign. */
SIMD_INLINE simd_int simd_shift_s(int64_t val, int count, bool round)
{
	if (count >= 0)
		return (simd_int)val * ((simd_int)1 << (count < 64 ? count : 64));
	count = -count < 100 ? -count : 100;
	return ((simd_int)val + (round ? (simd_int)1 << (count - 1) : 0)) >> count;
}

SIMD_INLINE simd_uint simd_shift_u(uint64_t val, int count, bool round)
{
	if (count >= 0)
		return (simd_uint)val << (count < 64 ? count : 64);
	count = -count < 100 ? -count : 100;
	return ((simd_uint)val + (round ? (simd_uint)1 << (count - 1) : 0)) >> count;
}

/* UnsignedSat of a value that may need all 128 bits. */
SIMD_INLINE uint64_t simd_sat_uu(struct emu_cpu *cpu, simd_uint val, unsigned bits)
{
	if (val <= simd_ones(bits))
		return (uint64_t)val;
	cpu->fpsr |= SIMD_QC;
	return simd_ones(bits);
}

#endif
