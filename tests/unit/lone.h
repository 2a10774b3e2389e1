/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A system with one vCPU, RAM and a device that ends the run, for tests of what
 * executes it: the vCPU's own thread never leaves its pause, the test's runs it.
 */
#ifndef TESTS_UNIT_LONE_H
#define TESTS_UNIT_LONE_H

#include "emu/vcpu_priv.h"

#define LONE_STOP UINT64_C(0x9c5a0000) /* the device: a store of its own address ends the run, which nothing does by chance */

struct lone {
	struct emu_clock *clock;
	struct emu_mem *mem;
	struct emu_system *sys;
	struct emu_cpu *cpu;
	uint8_t *ram;
	size_t ram_size;
};

/* The memory, with what there is in it. */
void lone_init(struct lone *l, uint64_t ram_base, size_t ram_size);
/* The vCPU, of model "max" and as `config` says otherwise: Advanced SIMD is not trapped. */
void lone_start(struct lone *l, struct emu_system_config config);
void lone_fini(struct lone *l);
/* Makes the vectors of the table at `at` in RAM end the run, with X0 in TPIDR_EL1. The device is mapped where it is. */
void lone_put_vectors(struct lone *l, uint32_t at);

#endif
