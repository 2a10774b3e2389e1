/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FEAT_LSE: compare and swap, swap, and atomic memory operations (Arm ARM C4.1,
 * "Compare and swap", "Atomic memory operations").
 *
 * All are compare-and-swap loops on the host's memory: atomic with each other,
 * with exclusives and with other host threads. A host's locked operation is
 * sequentially consistent, so acquire and release need nothing more.
 */
#include "emu/interp_priv.h"

#include "emu/host_atomic_priv.h"
#include "emu/sys_priv.h"

INTERP(CAS)
{
	unsigned bytes = 1u << a->size;
	uint64_t old = interp_x(cpu, a->Rs);
	void *p = emu_atomic_ptr(cpu, interp_base(cpu, a->Rn), bytes, EMU_ACC_ATOMIC);

	host_cas(p, bytes, &old, interp_x(cpu, a->Rt));
	interp_set_x(cpu, a->Rs, old);
}

INTERP(CASP)
{
	if ((a->Rs | a->Rt) & 1)
		emu_raise_undefined(cpu);

	/* An even register's successor may be 31: zero, and not written. */
	uint64_t old[2] = {cpu->x[a->Rs], interp_x(cpu, a->Rs + 1)};
	uint64_t low = cpu->x[a->Rt], high = interp_x(cpu, a->Rt + 1);
	void *p = emu_atomic_ptr(cpu, interp_base(cpu, a->Rn), a->sf ? 16 : 8, EMU_ACC_ATOMIC | EMU_ACC_ALIGNED);

	if (a->sf) {
		host_cas128(p, old, low, high);
	} else {
		uint64_t both = (uint32_t)old[0] | old[1] << 32;
		host_cas(p, 8, &both, (uint32_t)low | high << 32);
		old[0] = (uint32_t)both;
		old[1] = both >> 32;
	}
	cpu->x[a->Rs] = old[0];
	interp_set_x(cpu, a->Rs + 1, old[1]);
}

/* ---- Read, modify, write ---- */

/* The operation on data zero-extended from `bits`; the upper part of the
 * result does not matter. */
typedef uint64_t rmw_op(uint64_t old, uint64_t operand, unsigned bits);

static inline int64_t sign_extend(uint64_t val, unsigned bits)
{
	return (int64_t)(val << (64 - bits)) >> (64 - bits);
}

static inline uint64_t rmw_add(uint64_t old, uint64_t operand, unsigned bits)
{
	return old + operand;
}

static inline uint64_t rmw_clr(uint64_t old, uint64_t operand, unsigned bits)
{
	return old & ~operand;
}

static inline uint64_t rmw_eor(uint64_t old, uint64_t operand, unsigned bits)
{
	return old ^ operand;
}

static inline uint64_t rmw_set(uint64_t old, uint64_t operand, unsigned bits)
{
	return old | operand;
}

static inline uint64_t rmw_smax(uint64_t old, uint64_t operand, unsigned bits)
{
	return sign_extend(old, bits) > sign_extend(operand, bits) ? old : operand;
}

static inline uint64_t rmw_smin(uint64_t old, uint64_t operand, unsigned bits)
{
	return sign_extend(old, bits) > sign_extend(operand, bits) ? operand : old;
}

static inline uint64_t rmw_umax(uint64_t old, uint64_t operand, unsigned bits)
{
	return old > operand ? old : operand;
}

static inline uint64_t rmw_umin(uint64_t old, uint64_t operand, unsigned bits)
{
	return old > operand ? operand : old;
}

static inline uint64_t rmw_swp(uint64_t old, uint64_t operand, unsigned bits)
{
	return operand;
}

static inline __attribute__((always_inline)) void rmw(struct emu_cpu *cpu, const struct a64_args_LDADD *a, rmw_op *op)
{
	unsigned bytes = 1u << a->size, bits = bytes * 8;
	uint64_t operand = interp_x(cpu, a->Rs) & ~0ull >> (64 - bits);
	void *p = emu_atomic_ptr(cpu, interp_base(cpu, a->Rn), bytes, EMU_ACC_ATOMIC);
	uint64_t old = host_load(p, bytes);

	while (!host_cas(p, bytes, &old, op(old, operand, bits)))
		;
	interp_set_x(cpu, a->Rt, old);
}

#define RMW(name, op) \
	INTERP(name) \
	{ \
		rmw(cpu, a, op); \
	}

RMW(LDADD, rmw_add)
RMW(LDCLR, rmw_clr)
RMW(LDEOR, rmw_eor)
RMW(LDSET, rmw_set)
RMW(LDSMAX, rmw_smax)
RMW(LDSMIN, rmw_smin)
RMW(LDUMAX, rmw_umax)
RMW(LDUMIN, rmw_umin)
RMW(SWP, rmw_swp)
