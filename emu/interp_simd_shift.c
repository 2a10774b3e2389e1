/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Advanced SIMD on integers, class "shift by immediate", as vectors and scalars
 * (Arm ARM C4.1 and C7.2). a64.decode has a line per element size. Its field
 * `shift` is immh:immb without the leading one that tells the size: a shift to
 * the left by `shift`, to the right by the element's width less `shift`.
 */
#include "emu/simd_priv.h"

/* ---- operations: `m` is the field `shift`; `bits` the narrow width where widths differ ---- */

#define OP(name) SIMD_INLINE uint64_t el_##name(struct emu_cpu *cpu, uint64_t d, uint64_t n, uint64_t m, unsigned bits)

/* The shift count to the right, as a negative count for simd_shift. */
SIMD_INLINE int right(uint64_t m, unsigned bits)
{
	return (int)m - (int)bits;
}

OP(sshr)
{
	return (uint64_t)simd_shift_s(simd_sx(n, bits), right(m, bits), false);
}

OP(ushr)
{
	return (uint64_t)simd_shift_u(n, right(m, bits), false);
}

OP(srshr)
{
	return (uint64_t)simd_shift_s(simd_sx(n, bits), right(m, bits), true);
}

OP(urshr)
{
	return (uint64_t)simd_shift_u(n, right(m, bits), true);
}

OP(ssra)
{
	return d + el_sshr(cpu, d, n, m, bits);
}

OP(usra)
{
	return d + el_ushr(cpu, d, n, m, bits);
}

OP(srsra)
{
	return d + el_srshr(cpu, d, n, m, bits);
}

OP(ursra)
{
	return d + el_urshr(cpu, d, n, m, bits);
}

/* Shift and insert: the bits that the shift leaves free stay Vd's. */
OP(sri)
{
	uint64_t mask = (uint64_t)simd_shift_u(simd_ones(bits), right(m, bits), false);

	return (d & ~mask) | el_ushr(cpu, d, n, m, bits);
}

OP(sli)
{
	uint64_t mask = simd_ones(bits) << m;

	return (d & ~mask) | n << m;
}

OP(shl)
{
	return n << m;
}

OP(sqshl)
{
	return simd_sat_s(cpu, simd_shift_s(simd_sx(n, bits), (int)m, false), bits);
}

OP(uqshl)
{
	return simd_sat_uu(cpu, simd_shift_u(n, (int)m, false), bits);
}

OP(sqshlu)
{
	return simd_sat_u(cpu, simd_shift_s(simd_sx(n, bits), (int)m, false), bits);
}

OP(sshll)
{
	return (uint64_t)simd_sx(n, bits) << m;
}

OP(ushll)
{
	return n << m;
}

OP(shrn)
{
	return (uint64_t)simd_shift_u(n, right(m, bits), false);
}

OP(rshrn)
{
	return (uint64_t)simd_shift_u(n, right(m, bits), true);
}

OP(sqshrn)
{
	return simd_sat_s(cpu, simd_shift_s(simd_sx(n, 2 * bits), right(m, bits), false), bits);
}

OP(sqrshrn)
{
	return simd_sat_s(cpu, simd_shift_s(simd_sx(n, 2 * bits), right(m, bits), true), bits);
}

OP(uqshrn)
{
	return simd_sat_uu(cpu, simd_shift_u(n, right(m, bits), false), bits);
}

OP(uqrshrn)
{
	return simd_sat_uu(cpu, simd_shift_u(n, right(m, bits), true), bits);
}

OP(sqshrun)
{
	return simd_sat_u(cpu, simd_shift_s(simd_sx(n, 2 * bits), right(m, bits), false), bits);
}

OP(sqrshrun)
{
	return simd_sat_u(cpu, simd_shift_s(simd_sx(n, 2 * bits), right(m, bits), true), bits);
}

/* ---- vectors ---- */

#define SHIFT_SIZE(line, size, q, fn) \
	INTERP(line) \
	{ \
		simd_vec_by(cpu, size, q, a->Rd, a->Rn, a->shift, fn); \
	}
#define SHIFT(name, fn) \
	SHIFT_SIZE(name##_vec_8, 0, a->Q, fn) \
	SHIFT_SIZE(name##_vec_16, 1, a->Q, fn) \
	SHIFT_SIZE(name##_vec_32, 2, a->Q, fn) \
	SHIFT_SIZE(name##_vec_64, 3, true, fn)

SHIFT(SSHR, el_sshr)
SHIFT(SSRA, el_ssra)
SHIFT(SRSHR, el_srshr)
SHIFT(SRSRA, el_srsra)
SHIFT(SHL, el_shl)
SHIFT(SQSHL_imm, el_sqshl)
SHIFT(USHR, el_ushr)
SHIFT(USRA, el_usra)
SHIFT(URSHR, el_urshr)
SHIFT(URSRA, el_ursra)
SHIFT(SRI, el_sri)
SHIFT(SLI, el_sli)
SHIFT(SQSHLU, el_sqshlu)
SHIFT(UQSHL_imm, el_uqshl)

#define NARROW_SIZE(line, size, fn) \
	INTERP(line) \
	{ \
		simd_narrow_by(cpu, size, a->Q, a->Rd, a->Rn, a->shift, fn); \
	}
#define NARROW(name, fn) \
	NARROW_SIZE(name##_vec_8, 0, fn) \
	NARROW_SIZE(name##_vec_16, 1, fn) \
	NARROW_SIZE(name##_vec_32, 2, fn)

NARROW(SHRN, el_shrn)
NARROW(RSHRN, el_rshrn)
NARROW(SQSHRN, el_sqshrn)
NARROW(SQRSHRN, el_sqrshrn)
NARROW(SQSHRUN, el_sqshrun)
NARROW(SQRSHRUN, el_sqrshrun)
NARROW(UQSHRN, el_uqshrn)
NARROW(UQRSHRN, el_uqrshrn)

#define LONG_SIZE(line, size, fn) \
	INTERP(line) \
	{ \
		simd_long_by(cpu, size, a->Q, a->Rd, a->Rn, a->shift, fn); \
	}
#define LONG(name, fn) \
	LONG_SIZE(name##_vec_8, 0, fn) \
	LONG_SIZE(name##_vec_16, 1, fn) \
	LONG_SIZE(name##_vec_32, 2, fn)

LONG(SSHLL, el_sshll)
LONG(USHLL, el_ushll)

/* ---- scalars ---- */

#define SCALAR(line, size, fn) \
	INTERP(line) \
	{ \
		simd_scalar_by(cpu, size, a->Rd, a->Rn, a->shift, fn); \
	}

SCALAR(SSHR_s_64, 3, el_sshr)
SCALAR(SSRA_s_64, 3, el_ssra)
SCALAR(SRSHR_s_64, 3, el_srshr)
SCALAR(SRSRA_s_64, 3, el_srsra)
SCALAR(SHL_s_64, 3, el_shl)
SCALAR(USHR_s_64, 3, el_ushr)
SCALAR(USRA_s_64, 3, el_usra)
SCALAR(URSHR_s_64, 3, el_urshr)
SCALAR(URSRA_s_64, 3, el_ursra)
SCALAR(SRI_s_64, 3, el_sri)
SCALAR(SLI_s_64, 3, el_sli)

#define SCALAR_ALL(name, fn) \
	SCALAR(name##_s_8, 0, fn) \
	SCALAR(name##_s_16, 1, fn) \
	SCALAR(name##_s_32, 2, fn) \
	SCALAR(name##_s_64, 3, fn)

SCALAR_ALL(SQSHL_imm, el_sqshl)
SCALAR_ALL(SQSHLU, el_sqshlu)
SCALAR_ALL(UQSHL_imm, el_uqshl)

#define SCALAR_NARROW_SIZE(line, size, fn) \
	INTERP(line) \
	{ \
		uint64_t val = fn(cpu, 0, simd_get(&cpu->v[a->Rn], size + 1, 0), a->shift, 8u << size); \
		interp_set_d(cpu, a->Rd, val & simd_ones(8u << size)); \
	}
#define SCALAR_NARROW(name, fn) \
	SCALAR_NARROW_SIZE(name##_s_8, 0, fn) \
	SCALAR_NARROW_SIZE(name##_s_16, 1, fn) \
	SCALAR_NARROW_SIZE(name##_s_32, 2, fn)

SCALAR_NARROW(SQSHRN, el_sqshrn)
SCALAR_NARROW(SQRSHRN, el_sqrshrn)
SCALAR_NARROW(SQSHRUN, el_sqshrun)
SCALAR_NARROW(SQRSHRUN, el_sqrshrun)
SCALAR_NARROW(UQSHRN, el_uqshrn)
SCALAR_NARROW(UQRSHRN, el_uqrshrn)
