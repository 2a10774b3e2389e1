/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread that has the host give memory before it is needed; one for a machine.
 * See emu/ahead.c.
 */
#ifndef EMU_AHEAD_H
#define EMU_AHEAD_H

#include "protocol/error.h"

#include <stddef.h>
#include <stdint.h>

struct emu_ahead;
struct emu_ahead *emu_ahead_new(struct vmd_error *err);
/* No vCPU runs any more, and all memory that was wanted is still there. NULL is fine. */
void emu_ahead_free(struct emu_ahead *ahead);
/* [start, start + size) will soon be used: written to, or read and executed. Any thread. */
void emu_ahead_want(struct emu_ahead *ahead, const void *start, size_t size, bool write);

/* Memory of a guest, in steps of the host's addresses. */
enum { EMU_AHEAD_SHIFT = 21 };
enum { EMU_AHEAD_NEW, EMU_AHEAD_WANTED, EMU_AHEAD_USED };
struct emu_ahead_steps {
	uint8_t *start;
	size_t size; /* bytes */
	size_t n;
	uint8_t state[]; /* EMU_AHEAD_* */
};
/* NULL when there is no memory. */
struct emu_ahead_steps *emu_ahead_steps_new(void *start, size_t size);
static inline size_t emu_ahead_step_of(const void *host)
{
	return (uintptr_t)host >> EMU_AHEAD_SHIFT;
}

/* The guest is about to use the step that has `host`; any vCPU's thread. What is next to it may be wanted. */
void emu_ahead_use_new(struct emu_ahead *ahead, struct emu_ahead_steps *steps, size_t i);
static inline void emu_ahead_use(struct emu_ahead *ahead, struct emu_ahead_steps *steps, const void *host)
{
	size_t i = emu_ahead_step_of(host) - emu_ahead_step_of(steps->start);

	if (__atomic_load_n(&steps->state[i], __ATOMIC_RELAXED) != EMU_AHEAD_USED)
		emu_ahead_use_new(ahead, steps, i);
}

#endif
