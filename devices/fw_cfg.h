/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fw_cfg: how firmware is told about the machine ("QEMU Firmware Configuration
 * (fw_cfg) Device" specification). Class "fw_cfg_mem". Items are added before
 * the machine runs; data is copied. Adding what is there already replaces it, as
 * after a reset.
 */
#ifndef DEVICES_FW_CFG_H
#define DEVICES_FW_CFG_H

#include "devices/device.h"

/* The well-known selectors this project uses. */
enum {
	FW_CFG_SIGNATURE = 0x00, FW_CFG_ID = 0x01, FW_CFG_NB_CPUS = 0x05, FW_CFG_KERNEL_SIZE = 0x08,
	FW_CFG_INITRD_SIZE = 0x0b, FW_CFG_KERNEL_DATA = 0x11, FW_CFG_INITRD_DATA = 0x12,
	FW_CFG_MAX_CPUS = 0x0f, FW_CFG_CMDLINE_SIZE = 0x14, FW_CFG_CMDLINE_DATA = 0x15, FW_CFG_FILE_DIR = 0x19,
};

bool devices_fw_cfg_add_item(struct devices_device *dev, uint16_t selector, const void *data, size_t len,
			     struct vmd_error *err);
bool devices_fw_cfg_add_u32(struct devices_device *dev, uint16_t selector, uint32_t value, struct vmd_error *err);
/* A named file (at most 55 bytes of name). */
bool devices_fw_cfg_add_file(struct devices_device *dev, const char *name, const void *data, size_t len,
			     struct vmd_error *err);

#endif
