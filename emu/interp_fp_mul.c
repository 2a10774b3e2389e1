/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating point: multiply-add in all its forms, products by element, complex
 * arithmetic, BFloat16 and half-precision multiply-long (Arm ARM C7.2).
 */
#include "emu/interp_fp_priv.h"

/* ---- Scalar ---- */

static uint64_t fp_op_mls(enum fp_fmt fmt, uint64_t addend, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_muladd(fmt, addend, fp_neg(fmt, op1), op2, fpcr, fpsr);
}

static uint64_t fp_op_nmadd(enum fp_fmt fmt, uint64_t addend, uint64_t op1, uint64_t op2, uint32_t fpcr,
			    uint32_t *fpsr)
{
	return fp_muladd(fmt, fp_neg(fmt, addend), fp_neg(fmt, op1), op2, fpcr, fpsr);
}

static uint64_t fp_op_nmsub(enum fp_fmt fmt, uint64_t addend, uint64_t op1, uint64_t op2, uint32_t fpcr,
			    uint32_t *fpsr)
{
	return fp_muladd(fmt, fp_neg(fmt, addend), op1, op2, fpcr, fpsr);
}

static void scalar_3(struct emu_cpu *cpu, enum fp_fmt fmt, unsigned d, unsigned addend, unsigned n, unsigned m,
		     interp_fp_fn3 *op)
{
	interp_set_d(cpu, d, op(fmt, interp_fp_scalar(cpu, fmt, addend), interp_fp_scalar(cpu, fmt, n),
				interp_fp_scalar(cpu, fmt, m), cpu->fpcr, &cpu->fpsr));
}

#define SCALAR_3(name, op)                                                                                             \
	INTERP(name##_s)                                                                                               \
	{                                                                                                              \
		scalar_3(cpu, interp_fp_sd(a->sz), a->Rd, a->Ra, a->Rn, a->Rm, op);                                    \
	}                                                                                                              \
	INTERP(name##_h)                                                                                               \
	{                                                                                                              \
		scalar_3(cpu, FP_H, a->Rd, a->Ra, a->Rn, a->Rm, op);                                                   \
	}

SCALAR_3(FMADD, fp_muladd)
SCALAR_3(FMSUB, fp_op_mls)
SCALAR_3(FNMADD, fp_op_nmadd)
SCALAR_3(FNMSUB, fp_op_nmsub)

/* ---- Vector, and by element ---- */

/* Operations by element take the destination too, for the products to ignore. */
static uint64_t fp_op_mul(enum fp_fmt fmt, uint64_t addend, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_mul(fmt, op1, op2, fpcr, fpsr);
}

static uint64_t fp_op_mulx(enum fp_fmt fmt, uint64_t addend, uint64_t op1, uint64_t op2, uint32_t fpcr, uint32_t *fpsr)
{
	return fp_mulx(fmt, op1, op2, fpcr, fpsr);
}

static void vec_3(struct emu_cpu *cpu, enum fp_fmt fmt, bool q, unsigned d, unsigned n, unsigned m, interp_fp_fn3 *op)
{
	struct emu_vreg result;

	for (unsigned i = 0; i < interp_fp_lanes(fmt, q); i++)
		interp_fp_set_lane(&result, fmt, i, op(fmt, interp_fp_lane(&cpu->v[d], fmt, i),
						       interp_fp_lane(&cpu->v[n], fmt, i),
						       interp_fp_lane(&cpu->v[m], fmt, i), cpu->fpcr, &cpu->fpsr));
	interp_set_v(cpu, d, &result, q);
}

static void vec_elem(struct emu_cpu *cpu, enum fp_fmt fmt, bool q, unsigned d, unsigned n, unsigned m, unsigned index,
		     interp_fp_fn3 *op)
{
	uint64_t element = interp_fp_lane(&cpu->v[m], fmt, index);
	struct emu_vreg result;

	for (unsigned i = 0; i < interp_fp_lanes(fmt, q); i++)
		interp_fp_set_lane(&result, fmt, i, op(fmt, interp_fp_lane(&cpu->v[d], fmt, i),
						       interp_fp_lane(&cpu->v[n], fmt, i), element, cpu->fpcr,
						       &cpu->fpsr));
	interp_set_v(cpu, d, &result, q);
}

static void scalar_elem(struct emu_cpu *cpu, enum fp_fmt fmt, unsigned d, unsigned n, unsigned m, unsigned index,
			interp_fp_fn3 *op)
{
	interp_set_d(cpu, d, op(fmt, interp_fp_scalar(cpu, fmt, d), interp_fp_scalar(cpu, fmt, n),
				interp_fp_lane(&cpu->v[m], fmt, index), cpu->fpcr, &cpu->fpsr));
}

#define VEC_3(name, op)                                                                                                \
	INTERP(name##_vec)                                                                                             \
	{                                                                                                              \
		vec_3(cpu, interp_fp_sd(a->sz), a->Q, a->Rd, a->Rn, a->Rm, op);                                        \
	}                                                                                                              \
	INTERP(name##_vec_h)                                                                                           \
	{                                                                                                              \
		vec_3(cpu, FP_H, a->Q, a->Rd, a->Rn, a->Rm, op);                                                       \
	}

/* The bits of an index, from the top. */
#define INDEX_S(a) ((unsigned)(a)->H << 1 | (a)->L)
#define INDEX_H(a) ((unsigned)(a)->H << 2 | (unsigned)(a)->L << 1 | (a)->M)

#define BY_ELEMENT(name, op)                                                                                           \
	INTERP(name##_vec_elem_s)                                                                                      \
	{                                                                                                              \
		vec_elem(cpu, FP_S, a->Q, a->Rd, a->Rn, a->Rm, INDEX_S(a), op);                                        \
	}                                                                                                              \
	INTERP(name##_vec_elem_d)                                                                                      \
	{                                                                                                              \
		vec_elem(cpu, FP_D, true, a->Rd, a->Rn, a->Rm, a->H, op);                                              \
	}                                                                                                              \
	INTERP(name##_vec_elem_h)                                                                                      \
	{                                                                                                              \
		vec_elem(cpu, FP_H, a->Q, a->Rd, a->Rn, a->Rm, INDEX_H(a), op);                                        \
	}                                                                                                              \
	INTERP(name##_elem_s)                                                                                          \
	{                                                                                                              \
		scalar_elem(cpu, FP_S, a->Rd, a->Rn, a->Rm, INDEX_S(a), op);                                           \
	}                                                                                                              \
	INTERP(name##_elem_d)                                                                                          \
	{                                                                                                              \
		scalar_elem(cpu, FP_D, a->Rd, a->Rn, a->Rm, a->H, op);                                                 \
	}                                                                                                              \
	INTERP(name##_elem_h)                                                                                          \
	{                                                                                                              \
		scalar_elem(cpu, FP_H, a->Rd, a->Rn, a->Rm, INDEX_H(a), op);                                           \
	}

VEC_3(FMLA, fp_muladd)
VEC_3(FMLS, fp_op_mls)
BY_ELEMENT(FMLA, fp_muladd)
BY_ELEMENT(FMLS, fp_op_mls)
BY_ELEMENT(FMUL, fp_op_mul)
BY_ELEMENT(FMULX, fp_op_mulx)

/* ---- Complex numbers: pairs of lanes, the real part first ---- */

/* Adds Vn turned by 0 or 90 degrees (its real or imaginary parts, that is),
 * times Vm turned by `rot` quarters. Vm's pair is the one at `index`, or each
 * its own if that is negative. */
static void fcmla(struct emu_cpu *cpu, enum fp_fmt fmt, bool q, unsigned d, unsigned n, unsigned m, unsigned rot,
		  int index)
{
	const struct emu_vreg *vd = &cpu->v[d], *vn = &cpu->v[n], *vm = &cpu->v[m];
	unsigned odd = rot & 1; /* the imaginary part of Vn, and real and imaginary part of Vm change places */
	struct emu_vreg result;

	for (unsigned i = 0; i < interp_fp_lanes(fmt, q); i += 2) {
		unsigned j = index < 0 ? i : 2 * (unsigned)index;
		uint64_t factor = interp_fp_lane(vn, fmt, i + odd);
		uint64_t re = interp_fp_lane(vm, fmt, j + odd);
		uint64_t im = interp_fp_lane(vm, fmt, j + !odd);
		if (rot == 1 || rot == 2)
			re = fp_neg(fmt, re);
		if (rot == 2 || rot == 3)
			im = fp_neg(fmt, im);
		interp_fp_set_lane(&result, fmt, i, fp_muladd(fmt, interp_fp_lane(vd, fmt, i), factor, re, cpu->fpcr,
							      &cpu->fpsr));
		interp_fp_set_lane(&result, fmt, i + 1, fp_muladd(fmt, interp_fp_lane(vd, fmt, i + 1), factor, im,
								  cpu->fpcr, &cpu->fpsr));
	}
	interp_set_v(cpu, d, &result, q);
}

INTERP(FCMLA_vec_h)
{
	fcmla(cpu, FP_H, a->Q, a->Rd, a->Rn, a->Rm, a->rot, -1);
}

INTERP(FCMLA_vec_s)
{
	fcmla(cpu, FP_S, a->Q, a->Rd, a->Rn, a->Rm, a->rot, -1);
}

INTERP(FCMLA_vec_d)
{
	fcmla(cpu, FP_D, true, a->Rd, a->Rn, a->Rm, a->rot, -1);
}

INTERP(FCMLA_vec_elem_h)
{
	fcmla(cpu, FP_H, a->Q, a->Rd, a->Rn, a->Rm, a->rot, (int)INDEX_S(a));
}

INTERP(FCMLA_vec_elem_s)
{
	fcmla(cpu, FP_S, true, a->Rd, a->Rn, a->Rm, a->rot, a->H);
}

/* Adds Vm turned by 90 degrees, or with rot by 270. */
static void fcadd(struct emu_cpu *cpu, enum fp_fmt fmt, bool q, unsigned d, unsigned n, unsigned m, bool rot)
{
	const struct emu_vreg *vn = &cpu->v[n], *vm = &cpu->v[m];
	struct emu_vreg result;

	for (unsigned i = 0; i < interp_fp_lanes(fmt, q); i += 2) {
		uint64_t re = interp_fp_lane(vm, fmt, i + 1);
		uint64_t im = interp_fp_lane(vm, fmt, i);
		if (rot)
			im = fp_neg(fmt, im);
		else
			re = fp_neg(fmt, re);
		interp_fp_set_lane(&result, fmt, i, fp_add(fmt, interp_fp_lane(vn, fmt, i), re, cpu->fpcr, &cpu->fpsr));
		interp_fp_set_lane(&result, fmt, i + 1, fp_add(fmt, interp_fp_lane(vn, fmt, i + 1), im, cpu->fpcr,
							       &cpu->fpsr));
	}
	interp_set_v(cpu, d, &result, q);
}

INTERP(FCADD_vec_h)
{
	fcadd(cpu, FP_H, a->Q, a->Rd, a->Rn, a->Rm, a->rot);
}

INTERP(FCADD_vec_s)
{
	fcadd(cpu, FP_S, a->Q, a->Rd, a->Rn, a->Rm, a->rot);
}

INTERP(FCADD_vec_d)
{
	fcadd(cpu, FP_D, true, a->Rd, a->Rn, a->Rm, a->rot);
}

/* ---- BFloat16 ---- */

/* Vm's pair of elements is the one at `index`, or each its own if that is negative. */
static void bfdot(struct emu_cpu *cpu, bool q, unsigned d, unsigned n, unsigned m, int index)
{
	struct emu_vreg result;

	for (unsigned i = 0; i < interp_fp_lanes(FP_S, q); i++) {
		unsigned j = index < 0 ? i : (unsigned)index;
		result.s[i] = fp_bf_dot_add(cpu->v[d].s[i], &cpu->v[n].h[2 * i], &cpu->v[m].h[2 * j]);
	}
	interp_set_v(cpu, d, &result, q);
}

INTERP(BFDOT_vec)
{
	bfdot(cpu, a->Q, a->Rd, a->Rn, a->Rm, -1);
}

INTERP(BFDOT_vec_elem)
{
	bfdot(cpu, a->Q, a->Rd, a->Rn, a->Rm, (int)INDEX_S(a));
}

/* BFMatMulAdd: the 2x2 matrix Vd plus the 2x4 matrix Vn times the transpose of
 * the 2x4 matrix Vm, all in rows. */
INTERP(BFMMLA)
{
	const uint16_t *n = cpu->v[a->Rn].h, *m = cpu->v[a->Rm].h;
	struct emu_vreg result = cpu->v[a->Rd];

	for (unsigned i = 0; i < 4; i++) {
		const uint16_t *row = &n[i / 2 * 4], *column = &m[i % 2 * 4];
		result.s[i] = fp_bf_dot_add(result.s[i], row, column);
		result.s[i] = fp_bf_dot_add(result.s[i], row + 2, column + 2);
	}
	interp_set_v(cpu, a->Rd, &result, true);
}

/* BFMulAddH of the even elements, or with `top` the odd ones. */
static void bfmlal(struct emu_cpu *cpu, bool top, unsigned d, unsigned n, unsigned m, int index)
{
	struct emu_vreg result;

	for (unsigned i = 0; i < 4; i++) {
		uint64_t op1 = cpu->v[n].h[2 * i + top];
		uint64_t op2 = cpu->v[m].h[index < 0 ? 2 * i + top : (unsigned)index];
		result.s[i] = (uint32_t)fp_muladd(FP_S, cpu->v[d].s[i], op1 << 16, op2 << 16, cpu->fpcr, &cpu->fpsr);
	}
	interp_set_v(cpu, d, &result, true);
}

/* Q tells BFMLALT from BFMLALB. */
INTERP(BFMLAL_vec)
{
	bfmlal(cpu, a->Q, a->Rd, a->Rn, a->Rm, -1);
}

INTERP(BFMLAL_vec_elem)
{
	bfmlal(cpu, a->Q, a->Rd, a->Rn, a->Rm, (int)INDEX_H(a));
}

/* ---- Half-precision multiply-long ---- */

/* Of the lower half of the sources' elements, or with `upper` of the upper one;
 * `index` as above. */
static void fmlal(struct emu_cpu *cpu, bool q, unsigned d, unsigned n, unsigned m, int index, bool upper, bool sub)
{
	unsigned lanes = interp_fp_lanes(FP_S, q);
	struct emu_vreg result;

	for (unsigned i = 0; i < lanes; i++) {
		unsigned j = upper ? lanes + i : i;
		uint64_t op1 = cpu->v[n].h[j];
		uint64_t op2 = cpu->v[m].h[index < 0 ? j : (unsigned)index];
		if (sub)
			op1 = fp_neg(FP_H, op1);
		result.s[i] = (uint32_t)fp_muladd_h(cpu->v[d].s[i], op1, op2, cpu->fpcr, &cpu->fpsr);
	}
	interp_set_v(cpu, d, &result, q);
}

#define FMLAL(name, upper, sub)                                                                                        \
	INTERP(name##_vec)                                                                                             \
	{                                                                                                              \
		fmlal(cpu, a->Q, a->Rd, a->Rn, a->Rm, -1, upper, sub);                                                 \
	}                                                                                                              \
	INTERP(name##_vec_elem)                                                                                        \
	{                                                                                                              \
		fmlal(cpu, a->Q, a->Rd, a->Rn, a->Rm, (int)INDEX_H(a), upper, sub);                                    \
	}

FMLAL(FMLAL, false, false)
FMLAL(FMLAL2, true, false)
FMLAL(FMLSL, false, true)
FMLAL(FMLSL2, true, true)
