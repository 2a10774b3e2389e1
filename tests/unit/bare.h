/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bare vCPU for tests of the interpreter: 2 MiB of memory at virtual and
 * physical address 0 in which everything is allowed, every access a TLB hit;
 * around it nothing. The system side is a few lines: an exception records its
 * syndrome, goes to BARE_VECTOR and raises EMU_ATT_STOP.
 */
#ifndef TESTS_UNIT_BARE_H
#define TESTS_UNIT_BARE_H

#include "emu/access_priv.h"
#include "emu/code_priv.h"
#include "emu/cpu_priv.h"
#include "emu/sys_priv.h"

#define BARE_MEM_SIZE (EMU_TLB_SIZE * EMU_PAGE_SIZE)
#define BARE_VECTOR 0x1f0000

struct bare {
	struct emu_cpu cpu; /* first: the system side gets at the rest by it */
	struct emu_tlb_entry view[EMU_TLB_SIZE];
	struct emu_xtlb_entry xview[EMU_TLB_SIZE];
	uint8_t *mem;

	/* the last exception */
	unsigned n_exceptions;
	unsigned ec;
	uint32_t iss;
	uint64_t elr, far;
	unsigned btype; /* at the exception */

	bool feature_off[EMU_FEATURE_COUNT];
	uint32_t insn_outside; /* what is fetched at and above BARE_MEM_SIZE; 0: instruction abort */
	unsigned n_isb;
	unsigned wanted; /* attention set by emu_sys_insn */
};

struct bare *bare_new(void);
void bare_free(struct bare *b);
/* Puts instructions at an address. */
void bare_put(struct bare *b, uint64_t addr, const uint32_t *insns, unsigned n);
/* From cpu.pc until an exception (BRK is one) or other attention. */
void bare_run(struct bare *b);

#endif
