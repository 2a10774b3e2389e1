/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device registers as data: a table row each.
 *
 * A device with plain 32-bit registers lists them once; devices_reg_read and
 * devices_reg_write find the row, apply masks, call the hook, and report an
 * access to a hole or a write to a read-only register as a guest error (reads
 * as zero, write ignored, as PrimeCells do). The table also drives tests.
 */
#ifndef DEVICES_REG_H
#define DEVICES_REG_H

#include "devices/device.h"

struct devices_reg {
	const char *name;      /* the manual's name */
	uint32_t offset;       /* bytes from the region's start */
	uint32_t count;        /* array registers: how many, 4 bytes apart; 0 means 1 */
	size_t member;         /* offset of the uint32_t (or array) in the device's struct; 0: hooks only */
	uint32_t reset;        /* value after reset */
	uint32_t writable;     /* bits a write changes */
	uint32_t w1c;          /* bits a write of 1 clears */
	/* `i` is the index in an array register. read gets the stored value and
	 * returns what the guest sees; write is called after the masks were applied
	 * and the member stored, with the raw value the guest wrote. */
	uint32_t (*read)(struct devices_device *dev, unsigned i, uint32_t stored);
	void (*write)(struct devices_device *dev, unsigned i, uint32_t raw);
};

struct devices_regs {
	const struct devices_reg *rows; /* ordered by offset, ends with name NULL */
	/* PrimeCell peripheral and cell ID registers at 0xFE0 to 0xFFC, the eight
	 * low bytes in order; NULL if the device has none. */
	const uint8_t *primecell_id;
};

/* Any size from 1 to 4 within a register's word; the device's lock is held. The
 * bytes of a word that an access leaves out read as nothing and keep their value
 * when written; to the write hook they are 0. */
uint32_t devices_reg_read(struct devices_device *dev, const struct devices_regs *regs, uint64_t offset, unsigned size);
void devices_reg_write(struct devices_device *dev, const struct devices_regs *regs, uint64_t offset, unsigned size,
		       uint32_t value);
/* Access functions for a region whose opaque is a device with class.regs. */
extern const struct emu_mmio_ops devices_reg_ops;

/* Maps class.regs at wiring.base under the device's lock. */
bool devices_reg_map(struct devices_device *dev, uint64_t size, struct vmd_error *err);

/* Sets every member to its reset value. */
void devices_reg_reset(struct devices_device *dev, const struct devices_regs *regs);

#endif
