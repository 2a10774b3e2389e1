/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Character devices: the bytes behind a UART or a console port.
 *
 * A chardev has a backend (null, ring, file, pty, socket, pipe, stdio, testdev)
 * and in front of it a hub, which keeps the last output in a ring, copies output
 * to any number of console clients and takes input from the one that holds the
 * pen. So every serial line can be attached to, whatever its backend is.
 *
 * One frontend (a device's port) attaches at a time. Functions marked [any] may
 * be called on any thread, the others on the I/O thread that owns the loop.
 */
#ifndef BACKENDS_CHARDEV_H
#define BACKENDS_CHARDEV_H

#include "protocol/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct backends_chardev;

enum backends_chardev_event {
	BACKENDS_CHARDEV_OPENED, /* the other side is there */
	BACKENDS_CHARDEV_CLOSED, /* the other side has gone */
	BACKENDS_CHARDEV_BREAK,  /* a serial break */
};

/* The frontend's side; called on the I/O thread with no lock held. */
struct backends_chardev_fe {
	/* How many bytes receive() would take now. */
	size_t (*can_receive)(void *opaque);
	void (*receive)(void *opaque, const uint8_t *buf, size_t len);
	void (*event)(void *opaque, enum backends_chardev_event event); /* may be NULL */
	/* After a short write: there is room again. May be NULL. */
	void (*writable)(void *opaque);
	void *opaque;
};

/* Attaches a frontend (copied); false when another one is attached. */
bool backends_chardev_attach_fe(struct backends_chardev *chr, const struct backends_chardev_fe *fe, struct vmd_error *err);
/* Afterwards no function of the frontend is called. */
void backends_chardev_detach_fe(struct backends_chardev *chr);

/* [any] Output from the guest. Copies, never blocks; returns how many bytes were
 * taken, fewer than len only while a backend that must not lose data is slow. */
size_t backends_chardev_write(struct backends_chardev *chr, const uint8_t *buf, size_t len);
/* [any] The frontend can receive again after can_receive() was too small. */
void backends_chardev_accept_input(struct backends_chardev *chr);
/* [any] The guest opened or closed its end (virtio-console ports). */
void backends_chardev_set_fe_open(struct backends_chardev *chr, bool open);

const char *backends_chardev_id(const struct backends_chardev *chr);

#endif
