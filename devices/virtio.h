/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio, as boards see it: the transport "virtio-mmio" (one slot of 0x200
 * bytes, property "legacy" for the version 1 register layout), and devices
 * that plug into a transport.
 */
#ifndef DEVICES_VIRTIO_H
#define DEVICES_VIRTIO_H

#include "devices/device.h"

/* Plugs a virtio device (class.bus == DEVICES_BUS_VIRTIO, not yet realized)
 * into an empty transport (class.provides == DEVICES_BUS_VIRTIO), or a port
 * (DEVICES_BUS_VIRTIO_SERIAL) into a virtio-serial device. The parent has been
 * realized; the device is realized afterwards. It is owned by the caller still,
 * and freed before its parent. */
bool devices_plug(struct devices_device *parent, struct devices_device *dev, struct vmd_error *err);

#endif
