/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the interpreter's instruction functions are written with.
 *
 * One function per line of a64.decode:
 *
 *     INTERP(ADD_imm)
 *     {
 *             interp_set_xsp(cpu, a->sf, a->Rd, ...);
 *     }
 *
 * `a` points to the instruction's fields, by the names that the line of
 * a64.decode gives them. A function reads all it needs, then makes its memory
 * accesses (which may not return), then writes registers. It need not touch
 * cpu->pc; a branch sets cpu->next_pc. Lines with the attribute `fp` make the
 * CPACR check before the body. Encodings that are reserved within a line call
 * emu_raise_undefined.
 */
#ifndef EMU_INTERP_PRIV_H
#define EMU_INTERP_PRIV_H

#include "emu/access_priv.h"
#include "emu/cpu_priv.h"
#include "emu/a64_decode.h" /* generated from a64.decode */

/* The body is inlined into what the dispatch table points to. */
#define INTERP(name) \
	static inline __attribute__((always_inline)) void body_##name(struct emu_cpu *cpu, \
		const struct a64_args_##name *a); \
	void interp_##name(struct emu_cpu *cpu, const union a64_args *args) \
	{ \
		if (a64_fp_##name && cpu->fp_trap) \
			emu_raise_fp_trap(cpu); \
		body_##name(cpu, &args->a64_shape_##name); \
	} \
	static inline __attribute__((always_inline)) void body_##name(struct emu_cpu *cpu, \
		const struct a64_args_##name *a)

/* General registers where 31 is the zero register. */
static inline uint64_t interp_x(const struct emu_cpu *cpu, unsigned n)
{
	return n == 31 ? 0 : cpu->x[n];
}

static inline uint32_t interp_w(const struct emu_cpu *cpu, unsigned n)
{
	return (uint32_t)interp_x(cpu, n);
}

static inline void interp_set_x(struct emu_cpu *cpu, unsigned n, uint64_t val)
{
	if (n != 31)
		cpu->x[n] = val;
}

static inline void interp_set_w(struct emu_cpu *cpu, unsigned n, uint32_t val)
{
	interp_set_x(cpu, n, val);
}

/* sf chooses: 64 bits, or 32 with the upper half cleared. */
static inline void interp_set_r(struct emu_cpu *cpu, bool sf, unsigned n, uint64_t val)
{
	interp_set_x(cpu, n, sf ? val : (uint32_t)val);
}

/* General registers where 31 is SP. */
static inline uint64_t interp_xsp(const struct emu_cpu *cpu, unsigned n)
{
	return cpu->x[n];
}

static inline void interp_set_rsp(struct emu_cpu *cpu, bool sf, unsigned n, uint64_t val)
{
	cpu->x[n] = sf ? val : (uint32_t)val;
}

/* PSTATE.BTYPE with this bit has been set by the instruction that is executing;
 * the loop takes the bit away. */
#define INTERP_BTYPE_NEW 4

/* The base register of a load or store: 31 is SP, which may have to be aligned. */
static inline uint64_t interp_base(struct emu_cpu *cpu, unsigned n)
{
	if (n == 31)
		emu_check_sp(cpu);
	return cpu->x[n];
}

/* Vector registers: a write of fewer than 128 bits clears the rest. */
static inline void interp_set_v(struct emu_cpu *cpu, unsigned n, const struct emu_vreg *val, bool q)
{
	cpu->v[n].d[0] = val->d[0];
	cpu->v[n].d[1] = q ? val->d[1] : 0;
}

static inline void interp_set_d(struct emu_cpu *cpu, unsigned n, uint64_t val)
{
	cpu->v[n].d[0] = val;
	cpu->v[n].d[1] = 0;
}

#endif
