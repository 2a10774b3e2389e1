/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT and the interpreter in lock step (EMU_ACCEL_VERIFY): the face towards
 * the rest of emu/. How it works is told in emu/verify.c. For the vCPU's thread.
 */
#ifndef EMU_VERIFY_H
#define EMU_VERIFY_H

#include "emu/cpu_priv.h"

bool emu_verify_init(struct emu_cpu *cpu, struct vmd_error *err);
void emu_verify_fini(struct emu_cpu *cpu);
/* The contract of emu_interp_run. */
void emu_verify_run(struct emu_cpu *cpu);

/* The miss path of accesses (emu/access.c), whatever the accelerator is: */
/* RAM at `host` is about to be written. */
void emu_verify_note_store(struct emu_cpu *cpu, const void *host, unsigned size);
/* A device is about to be accessed: leaves the instruction if that must not happen here. */
void emu_verify_device(struct emu_cpu *cpu);

/* The JIT, where jit.verified: */
/* Whether an instruction is executed once, by the interpreter, instead of by both: what it does cannot be
 * undone, or it does not do the same twice. Its translation is a call of emu_verify_leave. */
bool emu_verify_is_alone(uint32_t word);
void emu_verify_leave(struct emu_cpu *cpu);

#endif
