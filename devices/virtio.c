/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all virtio devices have in common: Virtual I/O Device 1.2, chapters 2
 * (status, features, configuration, reset) and 3 (initialization), and how
 * devices are plugged together.
 *
 * Invariants: `accepted` is a subset of `features`; queues are ready only within
 * what was set up before DRIVER_OK; no request is held after a reset.
 */
#include "devices/virtio_priv.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RING_FEATURES (UINT64_C(1) << VIRTIO_F_INDIRECT_DESC | UINT64_C(1) << VIRTIO_F_EVENT_IDX)

void virtio_lock(struct devices_virtio *vdev)
{
	pthread_mutex_lock(&vdev->transport->dev.lock);
}

void virtio_unlock(struct devices_virtio *vdev)
{
	pthread_mutex_unlock(&vdev->transport->dev.lock);
}

/* ---- To the driver ---- */

void virtio_interrupt(struct devices_virtio *vdev, unsigned queue)
{
	vdev->transport->interrupt_queue(vdev->transport, queue);
}

void virtio_config_changed(struct devices_virtio *vdev)
{
	vdev->generation++;
	if (vdev->status & VIRTIO_S_DRIVER_OK)
		vdev->transport->interrupt_config(vdev->transport);
}

void virtio_broken(struct devices_virtio *vdev, const char *fmt, ...)
{
	char message[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	devices_guest_error(&vdev->dev, "%s; the device needs a reset", message);
	vdev->status |= VIRTIO_S_NEEDS_RESET;
	if (vdev->status & VIRTIO_S_DRIVER_OK)
		vdev->transport->interrupt_config(vdev->transport);
}

/* ---- From the driver ---- */

void virtio_kick(struct devices_virtio *vdev, unsigned queue)
{
	vdev->kicked |= UINT64_C(1) << queue;
	/* One that comes before DRIVER_OK waits for it. */
	if (virtio_is_live(vdev))
		devices_bh_schedule(vdev->bh);
}

void virtio_notify(struct devices_virtio *vdev, unsigned queue)
{
	if ((vdev->ops->inline_queues >> queue & 1) && virtio_is_live(vdev) && vdev->queues[queue].ready)
		vdev->ops->queue(vdev, queue);
	else
		virtio_kick(vdev, queue);
}

static void run_queues(void *opaque)
{
	struct devices_virtio *vdev = opaque;

	virtio_lock(vdev);
	uint64_t kicked = vdev->kicked;
	vdev->kicked = 0;
	for (unsigned i = 0; i < vdev->n_queues && virtio_is_live(vdev); i++)
		if ((kicked >> i & 1) && vdev->queues[i].ready)
			vdev->ops->queue(vdev, i);
	virtio_unlock(vdev);
}

static void reset(struct devices_virtio *vdev)
{
	vdev->ops->reset(vdev);
	for (unsigned i = 0; i < vdev->n_queues; i++)
		virtqueue_reset(&vdev->queues[i]);
	vdev->accepted = 0;
	vdev->status = 0;
	vdev->kicked = 0;
	vdev->transport->reset(vdev->transport);
}

static void start(struct devices_virtio *vdev)
{
	if (vdev->ops->start)
		vdev->ops->start(vdev);
	/* Buffers may have been added before, with no notification to follow. */
	for (unsigned i = 0; i < vdev->n_queues; i++)
		if (vdev->queues[i].ready)
			virtio_kick(vdev, i);
}

void virtio_set_status(struct devices_virtio *vdev, uint8_t status)
{
	uint8_t set = status & ~vdev->status;
	bool legacy = vdev->transport->legacy;

	if (status == 0) {
		reset(vdev);
		return;
	}
	if (vdev->status & ~status & ~VIRTIO_S_NEEDS_RESET)
		devices_guest_error(&vdev->dev, "the driver clears bits of the status, 0x%02x to 0x%02x", vdev->status,
				    status);
	if ((set & VIRTIO_S_FEATURES_OK) && !legacy && !virtio_has(vdev, VIRTIO_F_VERSION_1)) {
		devices_guest_error(&vdev->dev, "the driver does not accept VIRTIO_F_VERSION_1");
		status &= ~VIRTIO_S_FEATURES_OK;
	}
	if ((set & VIRTIO_S_DRIVER_OK) && !legacy && !(status & VIRTIO_S_FEATURES_OK)) {
		devices_guest_error(&vdev->dev, "the driver sets DRIVER_OK without FEATURES_OK");
		status &= ~VIRTIO_S_DRIVER_OK;
	}
	vdev->status = status | (vdev->status & VIRTIO_S_NEEDS_RESET);
	if (set & vdev->status & VIRTIO_S_DRIVER_OK)
		start(vdev);
}

uint32_t virtio_offered_features(const struct devices_virtio *vdev, unsigned word)
{
	return word < 2 ? (uint32_t)(vdev->features >> (32 * word)) : 0;
}

void virtio_accept_features(struct devices_virtio *vdev, unsigned word, uint32_t bits)
{
	if (vdev->status & (VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK)) {
		devices_guest_error(&vdev->dev, "features are written after they were negotiated");
		return;
	}
	if (bits & ~virtio_offered_features(vdev, word))
		devices_guest_error(&vdev->dev, "the driver accepts features that were not offered: 0x%08x of word %u",
				    bits & ~virtio_offered_features(vdev, word), word);
	if (word >= 2)
		return;
	vdev->accepted &= ~(UINT64_C(0xffffffff) << (32 * word));
	vdev->accepted |= (uint64_t)bits << (32 * word) & vdev->features;
}

bool virtio_may_configure(const struct devices_virtio *vdev)
{
	return !(vdev->status & VIRTIO_S_DRIVER_OK);
}

uint32_t virtio_read_config(struct devices_virtio *vdev, uint64_t offset, unsigned size)
{
	uint8_t config[VIRTIO_MAX_CONFIG] = {0};
	uint32_t value = 0;

	if (vdev->ops->get_config)
		vdev->ops->get_config(vdev, config);
	/* Beyond the end there is nothing. */
	if (offset < vdev->ops->config_size)
		memcpy(&value, config + offset,
		       size < vdev->ops->config_size - offset ? size : vdev->ops->config_size - offset);
	return value;
}

void virtio_write_config(struct devices_virtio *vdev, uint64_t offset, unsigned size, uint32_t value)
{
	if (vdev->ops->set_config && offset + size <= vdev->ops->config_size)
		vdev->ops->set_config(vdev, (unsigned)offset, size, value);
	else
		devices_guest_error(&vdev->dev, "write of %u bytes at 0x%x of the configuration", size,
				    (unsigned)offset);
}

/* ---- Life ---- */

bool virtio_init(struct devices_virtio *vdev, const struct virtio_ops *ops, unsigned n_queues, uint16_t size,
		 struct vmd_error *err)
{
	assert(n_queues <= VIRTIO_MAX_QUEUES && ops->config_size <= VIRTIO_MAX_CONFIG);
	if (!vdev->dev.parent) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "%s '%s' is not plugged into anything", vdev->dev.cls->name,
			      vdev->dev.id);
		return vmd_error_hint(err, "it needs a virtio transport, such as a virtio-mmio slot");
	}
	vdev->transport = (struct virtio_transport *)vdev->dev.parent;
	vdev->bh = devices_bh_new(vdev->dev.env, run_queues, vdev);
	if (!vdev->bh)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "no memory for %s '%s'", vdev->dev.cls->name,
				     vdev->dev.id);
	vdev->ops = ops;
	vdev->features = ops->features | RING_FEATURES;
	vdev->features |= UINT64_C(1) << (vdev->transport->legacy ? VIRTIO_F_ANY_LAYOUT : VIRTIO_F_VERSION_1);
	vdev->n_queues = n_queues;
	for (unsigned i = 0; i < n_queues; i++)
		virtqueue_init(&vdev->queues[i], vdev, i, size);
	virtio_lock(vdev);
	vdev->transport->vdev = vdev;
	virtio_unlock(vdev);
	return true;
}

void virtio_exit(struct devices_virtio *vdev)
{
	virtio_lock(vdev);
	reset(vdev);
	vdev->transport->vdev = NULL;
	virtio_unlock(vdev);
	devices_bh_free(vdev->bh);
	vdev->bh = NULL;
}

void virtio_class_reset(struct devices_device *dev)
{
	struct devices_virtio *vdev = (struct devices_virtio *)dev;

	virtio_lock(vdev);
	reset(vdev);
	virtio_unlock(vdev);
}

void virtio_class_fini(struct devices_device *dev)
{
	if (dev->parent)
		((struct virtio_transport *)dev->parent)->plugged = NULL;
}

/* ---- Plugging ---- */

static bool transport_plug(struct devices_device *parent, struct devices_device *dev, struct vmd_error *err)
{
	struct virtio_transport *transport = (struct virtio_transport *)parent;

	if (transport->plugged)
		return vmd_error_set(err, VMD_ERR_BUSY, 0, "%s '%s' holds device '%s' already", parent->cls->name,
				     parent->id, transport->plugged->id);
	transport->plugged = dev;
	return true;
}

bool devices_plug(struct devices_device *parent, struct devices_device *dev, struct vmd_error *err)
{
	enum devices_bus_type bus = dev->cls->bus;

	assert(parent->realized && !dev->realized && !dev->parent);
	if (bus == DEVICES_BUS_NONE || parent->cls->provides != bus) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "%s '%s' cannot be plugged into %s '%s'", dev->cls->name, dev->id,
			      parent->cls->name, parent->id);
		return vmd_error_hint(err, "the bus must be of the kind that the device is made for");
	}
	if (bus == DEVICES_BUS_VIRTIO && !transport_plug(parent, dev, err))
		return false;
	if (bus == DEVICES_BUS_VIRTIO_SERIAL && !virtio_serial_plug(parent, dev, err))
		return false;
	dev->parent = parent;
	return true;
}
