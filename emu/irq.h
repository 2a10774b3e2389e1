/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An interrupt line: one end of a wire, held by value by whoever drives it.
 *
 * The receiver (an interrupt controller, a GPIO input, a vCPU) fills one in and
 * hands it to the driver. Setting a line that already has that level is
 * harmless. A receiver's `set` may be called on any thread, with the driver's
 * lock held; it may take its own lock but must not call back into the driver.
 */
#ifndef EMU_IRQ_H
#define EMU_IRQ_H

#include <stdbool.h>
#include <stddef.h>

typedef void emu_irq_fn(void *opaque, unsigned n, bool level);

struct emu_irq {
	emu_irq_fn *set; /* NULL: the wire is not connected */
	void *opaque;
	unsigned n;      /* the receiver's own number for the line */
};

static inline void emu_irq_set(const struct emu_irq *irq, bool level)
{
	if (irq->set)
		irq->set(irq->opaque, irq->n, level);
}

static inline void emu_irq_pulse(const struct emu_irq *irq)
{
	emu_irq_set(irq, true);
	emu_irq_set(irq, false);
}

#endif
