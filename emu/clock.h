/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's virtual clock and the timers on it.
 *
 * Virtual time starts at 0, runs with the host's monotonic clock while the
 * machine runs, and stands still while it is paused. One thread per clock
 * calls the timers' functions; a function may arm and cancel timers, its own
 * too. All functions may be called from any thread.
 */
#ifndef EMU_CLOCK_H
#define EMU_CLOCK_H

#include "protocol/error.h"

#include <stdbool.h>
#include <stdint.h>

struct emu_clock;
struct emu_timer;

typedef void emu_timer_fn(void *opaque);

/* A new clock, paused at 0, with its thread. NULL on failure. */
struct emu_clock *emu_clock_new(struct vmd_error *err);
/* All timers must have been freed. NULL is allowed. */
void emu_clock_free(struct emu_clock *clock);

/* Virtual nanoseconds. */
uint64_t emu_clock_now(const struct emu_clock *clock);

void emu_clock_pause(struct emu_clock *clock);
void emu_clock_resume(struct emu_clock *clock);

/* A timer that is not armed. `fn` runs on the clock's thread. */
struct emu_timer *emu_timer_new(struct emu_clock *clock, emu_timer_fn *fn, void *opaque, struct vmd_error *err);
/* Cancels first; afterwards `fn` does not run and will not. NULL is allowed. */
void emu_timer_free(struct emu_timer *timer);

/* Calls `fn` once when virtual time reaches `deadline` (ns), which may be in
 * the past. Replaces an earlier deadline. */
void emu_timer_arm(struct emu_timer *timer, uint64_t deadline);
/* Does not wait for a call of `fn` that has begun: `fn` must look at its own
 * state under its own lock. */
void emu_timer_cancel(struct emu_timer *timer);

#endif
