/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest-virtual memory accesses of a vCPU: translation, permission, alignment
 * and fault reporting included. On a fault these raise the data abort (they do
 * not return), with ESR, FAR as the Arm ARM has them for the instruction at
 * cpu->pc. A store that faults has stored nothing.
 *
 * Values are in the guest's order; SCTLR_ELx.EE/E0E big-endian data accesses
 * are reversed here, so handlers never care.
 */
#ifndef EMU_ACCESS_PRIV_H
#define EMU_ACCESS_PRIV_H

#include "emu/cpu_priv.h"

/* How an access differs from a plain load or store; flags. */
enum emu_acc {
	EMU_ACC_NORMAL = 0,
	EMU_ACC_UNPRIV = 1 << 0,  /* LDTR, STTR: as EL0 unless UAO */
	EMU_ACC_ALIGNED = 1 << 1, /* must be aligned to its size, else an Alignment fault (exclusives) */
	EMU_ACC_ORDERED = 1 << 2, /* acquire/release: alignment as FEAT_LSE2 has it (within 16 bytes, unless SCTLR.nAA) */
	EMU_ACC_ATOMIC = 1 << 3,  /* a read-modify-write: faults report WnR as the Arm ARM says for atomics */
	EMU_ACC_NONFAULT_TAG = 1 << 4, /* reserved */
};

uint8_t emu_ld8(struct emu_cpu *cpu, uint64_t va, unsigned acc);
uint16_t emu_ld16(struct emu_cpu *cpu, uint64_t va, unsigned acc);
uint32_t emu_ld32(struct emu_cpu *cpu, uint64_t va, unsigned acc);
uint64_t emu_ld64(struct emu_cpu *cpu, uint64_t va, unsigned acc);
void emu_st8(struct emu_cpu *cpu, uint64_t va, uint8_t val, unsigned acc);
void emu_st16(struct emu_cpu *cpu, uint64_t va, uint16_t val, unsigned acc);
void emu_st32(struct emu_cpu *cpu, uint64_t va, uint32_t val, unsigned acc);
void emu_st64(struct emu_cpu *cpu, uint64_t va, uint64_t val, unsigned acc);

/* 16 bytes at once: single-copy atomic when 16-byte aligned in normal memory
 * (FEAT_LSE2). val[0] is the lower address. Used for LDP/STP of X registers,
 * Q registers and exclusive pairs. With `esize` 4 or 8, the element size, for
 * big-endian order and for the alignment check under SCTLR.A. */
void emu_ld128(struct emu_cpu *cpu, uint64_t va, unsigned esize, uint64_t ret_val[2], unsigned acc);
void emu_st128(struct emu_cpu *cpu, uint64_t va, unsigned esize, const uint64_t val[2], unsigned acc);

/* For atomics and exclusives: the host address of an aligned datum of `size`
 * (1 to 16) bytes in RAM that may be read and written, after all checks. Memory
 * that cannot be used so (device, flash) raises the abort for an unsupported
 * atomic (DFSC 0x35). *ret_pa, if not NULL, is its physical address. */
void *emu_atomic_ptr(struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned acc, uint64_t *ret_pa);
/* The same for a load-exclusive: needs only read permission. */
const void *emu_exclusive_load_ptr(struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned acc, uint64_t *ret_pa);

/* Checks that [va, va+len) may be written (DC ZVA, structure stores that must
 * not be half done), raising the abort if not. */
void emu_probe_write(struct emu_cpu *cpu, uint64_t va, unsigned len, unsigned acc);

/* Fetches the instruction at `va` for execution: its host page (the 4 KiB that
 * holds it) and physical page address. Raises the instruction abort, or the PC
 * alignment fault. NULL, with *ret_insn set, where it is not in RAM, ROM or
 * flash that can be read directly. *ret_guarded: the page has the GP bit (BTI). */
const uint32_t *emu_fetch_page(struct emu_cpu *cpu, uint64_t va, uint64_t *ret_page_pa, bool *ret_guarded,
			       uint32_t *ret_insn);

#endif
