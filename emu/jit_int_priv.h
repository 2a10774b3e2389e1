/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the translators of data processing on general registers share. `w` is
 * X86_W for 64-bit operations, 0 for 32-bit ones, whose results the host
 * zero-extends as the guest does. Thread: the vCPU's own.
 */
#ifndef EMU_JIT_INT_PRIV_H
#define EMU_JIT_INT_PRIV_H

#include "emu/jit_priv.h"

static inline uint32_t width(bool sf)
{
	return sf ? X86_W : 0;
}

/* The register to compute a result in; 31 is nothing. */
static inline unsigned target_z(const struct jit *j, unsigned n, unsigned scratch)
{
	return n == 31 ? scratch : jit_target(j, n, scratch);
}

static inline void shift_field(struct jit *j, enum x86_shift shift, uint32_t w, unsigned reg, unsigned amount)
{
	if (amount)
		x86_shift_imm(&j->buf, shift, w, reg, amount);
}

#endif
