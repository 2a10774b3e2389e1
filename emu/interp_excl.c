/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exclusive and ordered loads and stores: Arm ARM C4.1, "Load/store exclusive"
 * and "Load/store ordered"; B2.9 for the monitors.
 *
 * The monitor remembers the place in memory and the value that the
 * load-exclusive read. The store-exclusive succeeds if it is to the same
 * place with the same size and a compare-and-swap finds that value still
 * there. So a location that was changed and changed back in between counts as
 * untouched, which the architecture's monitors would report; no sound use of
 * exclusives can tell the difference, because none could before it read the
 * value.
 *
 * Loads have acquire and stores release semantics on the host as they are; a
 * store-release must also be ordered before a later load-acquire.
 */
#include "emu/interp_priv.h"

#include "emu/host_atomic_priv.h"

/* ---- Exclusive ---- */

/* Reads `bytes` (up to 16) and marks them. 16 bytes may be read in two halves:
 * only a successful STXP makes the pair one, by comparing all of it. */
static void load_exclusive(struct emu_cpu *cpu, unsigned n, unsigned bytes)
{
	uint64_t va = interp_base(cpu, n);
	const void *p = emu_exclusive_load_ptr(cpu, va, bytes, EMU_ACC_ALIGNED);

	if (bytes == 16) {
		cpu->excl_val[0] = host_load((const uint64_t *)p, 8);
		cpu->excl_val[1] = host_load((const uint64_t *)p + 1, 8);
	} else {
		cpu->excl_val[0] = host_load(p, bytes);
	}
	cpu->excl_addr = va;
	cpu->excl_host = p;
	cpu->excl_size = (uint8_t)bytes;
}

/* Stores if the monitor allows; the status is 0 for success. */
static unsigned store_exclusive(struct emu_cpu *cpu, unsigned n, unsigned bytes, uint64_t low, uint64_t high)
{
	void *p = emu_atomic_ptr(cpu, interp_base(cpu, n), bytes, EMU_ACC_ALIGNED);
	bool marked = cpu->excl_size == bytes && cpu->excl_host == p;
	bool stored = false;

	cpu->excl_size = 0;
	if (marked && bytes == 16) {
		uint64_t old[2] = {cpu->excl_val[0], cpu->excl_val[1]};
		stored = host_cas128(p, old, low, high);
	} else if (marked) {
		uint64_t old = cpu->excl_val[0];
		stored = host_cas(p, bytes, &old, low);
	}
	return !stored;
}

INTERP(LDXR)
{
	load_exclusive(cpu, a->Rn, 1u << a->size);
	interp_set_x(cpu, a->Rt, cpu->excl_val[0]);
}

INTERP(LDAXR)
{
	load_exclusive(cpu, a->Rn, 1u << a->size);
	interp_set_x(cpu, a->Rt, cpu->excl_val[0]);
}

INTERP(STXR)
{
	interp_set_x(cpu, a->Rs, store_exclusive(cpu, a->Rn, 1u << a->size, interp_x(cpu, a->Rt), 0));
}

INTERP(STLXR)
{
	interp_set_x(cpu, a->Rs, store_exclusive(cpu, a->Rn, 1u << a->size, interp_x(cpu, a->Rt), 0));
}

static void load_exclusive_pair(struct emu_cpu *cpu, const struct a64_args_LDXP *a)
{
	load_exclusive(cpu, a->Rn, a->sf ? 16 : 8);
	if (a->sf) {
		interp_set_x(cpu, a->Rt, cpu->excl_val[0]);
		interp_set_x(cpu, a->Rt2, cpu->excl_val[1]);
	} else {
		interp_set_w(cpu, a->Rt, (uint32_t)cpu->excl_val[0]);
		interp_set_x(cpu, a->Rt2, cpu->excl_val[0] >> 32);
	}
}

static void store_exclusive_pair(struct emu_cpu *cpu, const struct a64_args_STXP *a)
{
	uint64_t low = interp_x(cpu, a->Rt), high = interp_x(cpu, a->Rt2);
	unsigned status;

	if (a->sf)
		status = store_exclusive(cpu, a->Rn, 16, low, high);
	else
		status = store_exclusive(cpu, a->Rn, 8, (uint32_t)low | high << 32, 0);
	interp_set_x(cpu, a->Rs, status);
}

INTERP(LDXP)
{
	load_exclusive_pair(cpu, a);
}

INTERP(LDAXP)
{
	load_exclusive_pair(cpu, a);
}

INTERP(STXP)
{
	store_exclusive_pair(cpu, a);
}

INTERP(STLXP)
{
	store_exclusive_pair(cpu, a);
}

/* ---- Ordered ---- */

static void load_acquire(struct emu_cpu *cpu, unsigned size, unsigned n, unsigned t)
{
	uint64_t va = interp_base(cpu, n), val;

	switch (size) {
	case 0:
		val = emu_ld8(cpu, va, EMU_ACC_ORDERED);
		break;
	case 1:
		val = emu_ld16(cpu, va, EMU_ACC_ORDERED);
		break;
	case 2:
		val = emu_ld32(cpu, va, EMU_ACC_ORDERED);
		break;
	default:
		val = emu_ld64(cpu, va, EMU_ACC_ORDERED);
		break;
	}
	interp_set_x(cpu, t, val);
}

static void store_release(struct emu_cpu *cpu, unsigned size, unsigned n, unsigned t)
{
	uint64_t va = interp_base(cpu, n), val = interp_x(cpu, t);

	switch (size) {
	case 0:
		emu_st8(cpu, va, (uint8_t)val, EMU_ACC_ORDERED);
		break;
	case 1:
		emu_st16(cpu, va, (uint16_t)val, EMU_ACC_ORDERED);
		break;
	case 2:
		emu_st32(cpu, va, (uint32_t)val, EMU_ACC_ORDERED);
		break;
	default:
		emu_st64(cpu, va, val, EMU_ACC_ORDERED);
		break;
	}
	atomic_thread_fence(memory_order_seq_cst);
}

INTERP(LDAR)
{
	load_acquire(cpu, a->size, a->Rn, a->Rt);
}

INTERP(LDLAR)
{
	load_acquire(cpu, a->size, a->Rn, a->Rt);
}

INTERP(LDAPR)
{
	load_acquire(cpu, a->size, a->Rn, a->Rt);
}

INTERP(STLR)
{
	store_release(cpu, a->size, a->Rn, a->Rt);
}

INTERP(STLLR)
{
	store_release(cpu, a->size, a->Rn, a->Rt);
}
