/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CFI parallel NOR flash. Class "cfi.pflash01" (Intel command set, JEDEC
 * JESD68.01), one bank per device, 256 KiB sectors, 4 bytes wide made of two
 * 16-bit chips as on QEMU's virt board. Properties: "size" (bytes). The board
 * writes the device-tree node, which lists all banks.
 */
#ifndef DEVICES_FLASH_H
#define DEVICES_FLASH_H

#include "devices/device.h"

/* Fills a realized bank from its start (the rest is erased, 0xFF), with the vCPUs
 * paused; the bytes are copied. May be called again, as for a reset. False when
 * len exceeds the bank. */
bool devices_flash_load(struct devices_device *dev, const void *data, size_t len, struct vmd_error *err);
/* A read-only bank refuses to program and erase. */
void devices_flash_set_readonly(struct devices_device *dev, bool readonly);

#endif
