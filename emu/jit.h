/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The translator of A64 to x86-64: its face towards the rest of emu/. One
 * struct jit for each vCPU, made, used and freed by that vCPU's thread (or while
 * the thread does not run). Everything but init is a no-op when cpu->jit is NULL.
 */
#ifndef EMU_JIT_H
#define EMU_JIT_H

#include "emu/cpu_priv.h"

/* The address space for the page arrays of all of a machine's vCPUs (emu/jit_mem.c). */
struct emu_jit_arrays {
	uint8_t *base;        /* NULL: the tagged tables take over */
	unsigned n_cpus, n_slots;
};
/* Reserves it where the host allows; before the vCPUs are made. */
void emu_jit_arrays_init(struct emu_jit_arrays *arrays, unsigned n_cpus);
void emu_jit_arrays_fini(struct emu_jit_arrays *arrays);

bool emu_jit_init(struct emu_cpu *cpu, struct vmd_error *err);
void emu_jit_fini(struct emu_cpu *cpu);
/* Whether vector instructions are translated. */
bool emu_jit_has_vectors(const struct emu_cpu *cpu);

/* The contract of emu_interp_run. */
void emu_jit_run(struct emu_cpu *cpu);

/* IC: the code of a physical page, or all of it, is to be translated anew. */
void emu_jit_drop_page(struct emu_cpu *cpu, uint64_t page_pa);
void emu_jit_drop_all(struct emu_cpu *cpu);

/* Adds what this vCPU's translated code has counted; any thread. */
void emu_jit_stats(const struct emu_cpu *cpu, uint64_t values[EMU_STAT_COUNT]);
/* Calls of the interpreter for the i-th instruction (enum a64_op; A64_OP_COUNT: UNDEFINED); any thread. */
uint64_t emu_jit_fallback(const struct emu_cpu *cpu, unsigned i);

/* FPSR is about to be read or written, or FPCR has been written: see emu/jit_fp.c. */
void emu_jit_sync_fp(struct emu_cpu *cpu);

/* ---- Called by emu/tlb.c: the page arrays are kept in step with the TLB's sets ---- */

/* The first of them are of the lower half, as many others of the upper. */
enum { EMU_JIT_LOW_SETS = 8, EMU_JIT_SETS = 2 * EMU_JIT_LOW_SETS };
/* Everything in a set is void. */
void emu_jit_clear_set(struct emu_cpu *cpu, unsigned set);
/* The mappings that touch [lo, hi] are. */
void emu_jit_drop_va(struct emu_cpu *cpu, unsigned set, uint64_t lo, uint64_t hi);
/* These are the two halves' from now on. */
void emu_jit_switch_sets(struct emu_cpu *cpu, unsigned low, unsigned high);
/* EL, PAN or UAO changed. */
void emu_jit_update_views(struct emu_cpu *cpu);

#endif
