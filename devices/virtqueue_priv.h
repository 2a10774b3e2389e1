/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueues (Virtual I/O Device 1.2, 2.7), the only code that reads what
 * a driver put into a ring. A device gets requests as host iovecs in guest RAM,
 * checked; whatever is wrong with a ring breaks the device (DEVICE_NEEDS_RESET),
 * never the process.
 *
 * All functions: under the lock of the device's transport.
 */
#ifndef DEVICES_VIRTQUEUE_PRIV_H
#define DEVICES_VIRTQUEUE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct devices_virtio;

/* The most segments of a request, however they are chained. */
#define VIRTQUEUE_MAX_SEGS 1024

struct virtqueue {
	struct devices_virtio *vdev;
	unsigned index;
	uint16_t max;         /* greatest size; the value after reset */

	/* Set by the driver through the transport; fixed while `ready`. */
	uint16_t size;        /* a power of two */
	bool ready;
	uint64_t desc_pa, avail_pa, used_pa;

	/* While ready: the rings in guest RAM. */
	const uint8_t *desc, *avail;
	uint8_t *used;
	uint16_t last_avail;  /* what we have taken up to */
	uint16_t used_idx;    /* what we have given back up to */
	uint16_t signalled;   /* used_idx at the last interrupt */
	unsigned held;        /* requests taken and not given back */
};

/* A request: device-readable segments, then device-writable ones. */
struct virtqueue_elem {
	uint16_t head;
	unsigned n_out, n_in;
	size_t out_len, in_len;  /* bytes in all of them */
	struct iovec *out, *in;  /* into seg[] */
	struct iovec seg[];
};

void virtqueue_init(struct virtqueue *vq, struct devices_virtio *vdev, unsigned index, uint16_t max);
/* As after a device reset. No request may be held. */
void virtqueue_reset(struct virtqueue *vq);

/* Whether a driver may choose this size. */
bool virtqueue_size_ok(const struct virtqueue *vq, uint32_t size);
/* Makes the queue live at the addresses set. False when they are misaligned or
 * not in RAM. */
bool virtqueue_enable(struct virtqueue *vq);

/* The next request, to be given back by push or drop; NULL when there is none
 * or the device is broken. */
struct virtqueue_elem *virtqueue_pop(struct virtqueue *vq);
/* Gives the request back, its first `written` writable bytes filled, and frees it. */
void virtqueue_push(struct virtqueue *vq, struct virtqueue_elem *elem, uint32_t written);
/* Frees the request without giving it back: for resets. NULL is allowed. */
void virtqueue_drop(struct virtqueue *vq, struct virtqueue_elem *elem);
/* Interrupts the driver if it wants to hear of what was pushed. */
void virtqueue_interrupt(struct virtqueue *vq);

/* Whether the driver should notify us of new requests. Turning it on returns
 * true when there are some by now: look again. */
bool virtqueue_want_notify(struct virtqueue *vq, bool want);

/* Copies from the readable and into the writable segments, from byte `offset`
 * on; returns how many bytes that were. */
size_t virtqueue_elem_read(const struct virtqueue_elem *elem, size_t offset, void *buf, size_t len);
size_t virtqueue_elem_write(const struct virtqueue_elem *elem, size_t offset, const void *buf, size_t len);

#endif
