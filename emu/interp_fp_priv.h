/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the interpreter's floating-point files share.
 *
 * An operation is a function of a format, operands, FPCR and FPSR, as those of
 * emu/fp_priv.h are. The functions here apply one to scalar registers, lanes,
 * pairs of lanes or an element; the macros write the INTERP functions of an
 * operation's encodings, by the suffixes that a64.decode uses:
 *
 *     _s, _h          scalar: single or double precision (sz); half
 *     _vec, _vec_h    vector
 *
 * All lanes are computed before the destination is written, as it may be a
 * source too. Scalar results clear the rest of the vector register.
 */
#ifndef EMU_INTERP_FP_PRIV_H
#define EMU_INTERP_FP_PRIV_H

#include "emu/fp_priv.h"
#include "emu/interp_priv.h"

typedef uint64_t interp_fp_fn1(enum fp_fmt fmt, uint64_t op, uint32_t fpcr, uint32_t *fpsr);
typedef uint64_t interp_fp_fn2(enum fp_fmt fmt, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr);
/* The third is the destination or addend: addend, op1, op2 in the pseudocode's order. */
typedef uint64_t interp_fp_fn3(enum fp_fmt fmt, uint64_t addend, uint64_t op1, uint64_t op2, uint32_t fpcr,
			       uint32_t *fpsr);

/* ---- Formats, lanes ---- */

/* The format that a bit `sz` chooses. */
static inline enum fp_fmt interp_fp_sd(unsigned sz)
{
	return sz ? FP_D : FP_S;
}

static inline unsigned interp_fp_width(enum fp_fmt fmt)
{
	return fmt == FP_D ? 64 : fmt == FP_S ? 32 : 16;
}

/* All bits of a lane, the result of a comparison that holds. */
static inline uint64_t interp_fp_ones(enum fp_fmt fmt)
{
	return UINT64_MAX >> (64 - interp_fp_width(fmt));
}

static inline unsigned interp_fp_lanes(enum fp_fmt fmt, bool q)
{
	return (q ? 128 : 64) / interp_fp_width(fmt);
}

static inline uint64_t interp_fp_lane(const struct emu_vreg *v, enum fp_fmt fmt, unsigned i)
{
	return fmt == FP_D ? v->d[i] : fmt == FP_S ? v->s[i] : v->h[i];
}

static inline void interp_fp_set_lane(struct emu_vreg *v, enum fp_fmt fmt, unsigned i, uint64_t val)
{
	if (fmt == FP_D)
		v->d[i] = val;
	else if (fmt == FP_S)
		v->s[i] = (uint32_t)val;
	else
		v->h[i] = (uint16_t)val;
}

static inline uint64_t interp_fp_scalar(const struct emu_cpu *cpu, enum fp_fmt fmt, unsigned n)
{
	return interp_fp_lane(&cpu->v[n], fmt, 0);
}

/* ---- Applying operations ---- */

void interp_fp_scalar_1(struct emu_cpu *cpu, enum fp_fmt fmt, unsigned d, unsigned n, interp_fp_fn1 *op);
void interp_fp_scalar_2(struct emu_cpu *cpu, enum fp_fmt fmt, unsigned d, unsigned n, unsigned m, interp_fp_fn2 *op);
void interp_fp_vec_1(struct emu_cpu *cpu, enum fp_fmt fmt, bool q, unsigned d, unsigned n, interp_fp_fn1 *op);
void interp_fp_vec_2(struct emu_cpu *cpu, enum fp_fmt fmt, bool q, unsigned d, unsigned n, unsigned m,
		     interp_fp_fn2 *op);

#define INTERP_FP_SCALAR_1(name, op)                                                                                   \
	INTERP(name##_s)                                                                                               \
	{                                                                                                              \
		interp_fp_scalar_1(cpu, interp_fp_sd(a->sz), a->Rd, a->Rn, op);                                        \
	}                                                                                                              \
	INTERP(name##_h)                                                                                               \
	{                                                                                                              \
		interp_fp_scalar_1(cpu, FP_H, a->Rd, a->Rn, op);                                                       \
	}

#define INTERP_FP_SCALAR_2(name, op)                                                                                   \
	INTERP(name##_s)                                                                                               \
	{                                                                                                              \
		interp_fp_scalar_2(cpu, interp_fp_sd(a->sz), a->Rd, a->Rn, a->Rm, op);                                 \
	}                                                                                                              \
	INTERP(name##_h)                                                                                               \
	{                                                                                                              \
		interp_fp_scalar_2(cpu, FP_H, a->Rd, a->Rn, a->Rm, op);                                                \
	}

#define INTERP_FP_VEC_1(name, op)                                                                                      \
	INTERP(name##_vec)                                                                                             \
	{                                                                                                              \
		interp_fp_vec_1(cpu, interp_fp_sd(a->sz), a->Q, a->Rd, a->Rn, op);                                     \
	}                                                                                                              \
	INTERP(name##_vec_h)                                                                                           \
	{                                                                                                              \
		interp_fp_vec_1(cpu, FP_H, a->Q, a->Rd, a->Rn, op);                                                    \
	}

#define INTERP_FP_VEC_2(name, op)                                                                                      \
	INTERP(name##_vec)                                                                                             \
	{                                                                                                              \
		interp_fp_vec_2(cpu, interp_fp_sd(a->sz), a->Q, a->Rd, a->Rn, a->Rm, op);                              \
	}                                                                                                              \
	INTERP(name##_vec_h)                                                                                           \
	{                                                                                                              \
		interp_fp_vec_2(cpu, FP_H, a->Q, a->Rd, a->Rn, a->Rm, op);                                             \
	}

#endif
