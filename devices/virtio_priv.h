/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between virtio devices, the core (virtio.c) and transports (virtio_mmio.c).
 *
 *   vCPU: register write --> transport --> core: state, virtio_kick --+
 *   I/O thread: bottom half <-----------------------------------------+
 *     --> device's queue() --> virtqueue_pop/push --> transport's interrupt
 *
 * One lock for all of it: the transport's dev.lock, which its MMIO region uses.
 * The core takes it on the I/O thread around queue() and the others; a device's
 * own callbacks (chardev, timer) take it with virtio_lock().
 */
#ifndef DEVICES_VIRTIO_PRIV_H
#define DEVICES_VIRTIO_PRIV_H

#include "devices/virtio.h"
#include "devices/virtqueue_priv.h"

#define VIRTIO_MAX_QUEUES 64
#define VIRTIO_MAX_CONFIG 64

/* Device status, 2.1. */
enum {
	VIRTIO_S_ACKNOWLEDGE = 1, VIRTIO_S_DRIVER = 2, VIRTIO_S_DRIVER_OK = 4, VIRTIO_S_FEATURES_OK = 8,
	VIRTIO_S_NEEDS_RESET = 64, VIRTIO_S_FAILED = 128,
};

/* Bits of features, 6. */
enum virtio_feature {
	VIRTIO_F_ANY_LAYOUT = 27, /* legacy drivers only: later ones may rely on it */
	VIRTIO_F_INDIRECT_DESC = 28,
	VIRTIO_F_EVENT_IDX = 29,
	VIRTIO_F_VERSION_1 = 32,
};

enum virtio_id { VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4 };

struct virtio_transport {
	struct devices_device dev;
	struct devices_device *plugged; /* from devices_plug to the end of the device */
	struct devices_virtio *vdev;    /* while it is realized */
	bool legacy;                    /* offers no VERSION_1 */
	/* The driver should look at a queue, at the configuration; it resets. */
	void (*interrupt_queue)(struct virtio_transport *transport, unsigned queue);
	void (*interrupt_config)(struct virtio_transport *transport);
	void (*reset)(struct virtio_transport *transport);
};

/* What a device is; all called under the lock. */
struct virtio_ops {
	enum virtio_id id;
	uint64_t features;  /* the device's own; the rings' are added */
	size_t config_size;
	/* Fills the configuration, little-endian, from the device's state. */
	void (*get_config)(struct devices_virtio *vdev, uint8_t *ret_config);
	/* The driver wrote `size` bytes. NULL: nothing can be written. */
	void (*set_config)(struct devices_virtio *vdev, unsigned offset, unsigned size, uint32_t value);
	/* There may be requests in a queue. While live; on the I/O thread, but for
	 * the queues (bits) that drivers spin on until a request is done: those may
	 * run on the vCPU that notifies. */
	void (*queue)(struct devices_virtio *vdev, unsigned queue);
	uint64_t inline_queues;
	/* DRIVER_OK has been set. May be NULL. */
	void (*start)(struct devices_virtio *vdev);
	/* Gives up every request and goes back to the state after power-on. */
	void (*reset)(struct devices_virtio *vdev);
};

struct devices_virtio {
	struct devices_device dev;
	struct virtio_transport *transport;
	const struct virtio_ops *ops;
	uint64_t features;   /* offered */
	uint64_t accepted;   /* by the driver; final with FEATURES_OK, or DRIVER_OK if legacy */
	uint8_t status;
	uint32_t generation; /* of the configuration */
	uint64_t kicked;     /* queues to be looked at by the bottom half */
	struct devices_bh *bh;
	unsigned n_queues;
	struct virtqueue queues[VIRTIO_MAX_QUEUES];
};

/* ---- For devices ---- */

/* Called by realize and unrealize hooks. `sizes` are the queues' greatest. */
bool virtio_init(struct devices_virtio *vdev, const struct virtio_ops *ops, unsigned n_queues, uint16_t size,
		 struct vmd_error *err);
void virtio_exit(struct devices_virtio *vdev);
/* Hooks for every virtio device's class. */
void virtio_class_reset(struct devices_device *dev);
void virtio_class_fini(struct devices_device *dev);

void virtio_lock(struct devices_virtio *vdev);
void virtio_unlock(struct devices_virtio *vdev);

static inline bool virtio_has(const struct devices_virtio *vdev, enum virtio_feature feature)
{
	return vdev->accepted >> feature & 1;
}

/* The driver has said DRIVER_OK and nothing has gone wrong since. */
static inline bool virtio_is_live(const struct devices_virtio *vdev)
{
	return (vdev->status & (VIRTIO_S_DRIVER_OK | VIRTIO_S_NEEDS_RESET)) == VIRTIO_S_DRIVER_OK;
}

/* The driver has broken the rules: nothing more is done until it resets us. */
void virtio_broken(struct devices_virtio *vdev, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void virtio_interrupt(struct devices_virtio *vdev, unsigned queue);
/* The configuration has changed. */
void virtio_config_changed(struct devices_virtio *vdev);
/* queue() is called soon, on the I/O thread. */
void virtio_kick(struct devices_virtio *vdev, unsigned queue);

/* ---- For transports ---- */

/* The driver notifies of a queue. */
void virtio_notify(struct devices_virtio *vdev, unsigned queue);

void virtio_set_status(struct devices_virtio *vdev, uint8_t status);
/* One word of 32 bits. */
void virtio_accept_features(struct devices_virtio *vdev, unsigned word, uint32_t bits);
uint32_t virtio_offered_features(const struct devices_virtio *vdev, unsigned word);
/* Whether queue registers may still be written. */
bool virtio_may_configure(const struct devices_virtio *vdev);
uint32_t virtio_read_config(struct devices_virtio *vdev, uint64_t offset, unsigned size);
void virtio_write_config(struct devices_virtio *vdev, uint64_t offset, unsigned size, uint32_t value);

/* Ports into a virtio-serial device, for devices_plug. */
bool virtio_serial_plug(struct devices_device *serial, struct devices_device *port, struct vmd_error *err);

#endif
