/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the board: its memory map, and what its three files share. */
#ifndef VMD_BOARD_PRIV_H
#define VMD_BOARD_PRIV_H

#include "loaders/image.h"
#include "loaders/layout.h"
#include "vmd/board.h"

/* The memory map (bytes). */
enum board_addr {
	BOARD_FLASH0 = 0x00000000,
	BOARD_FLASH1 = 0x04000000,
	BOARD_FLASH_SIZE = 0x04000000,
	BOARD_GICD = 0x08000000,
	BOARD_GICC = 0x08010000,
	BOARD_GICR = 0x080A0000,
	BOARD_UART0 = 0x09000000,
	BOARD_RTC = 0x09010000,
	BOARD_FW_CFG = 0x09020000,
	BOARD_GPIO = 0x09030000,
	BOARD_UART1 = 0x09040000,
	BOARD_VIRTIO = 0x0A000000,
	BOARD_VIRTIO_SLOT = 0x200,
	BOARD_RAM = 0x40000000,
};
#define BOARD_GICR_HIGH UINT64_C(0x4000000000)   /* redistributors past the first 123 CPUs' room */
#define BOARD_RAM_MAX (UINT64_C(255) << 30)

/* SPI numbers (INTID - 32). */
enum board_spi { BOARD_SPI_UART0 = 1, BOARD_SPI_RTC = 2, BOARD_SPI_GPIO = 7, BOARD_SPI_UART1 = 8, BOARD_SPI_VIRTIO = 16 };
/* PPIs, as INTIDs. */
enum board_ppi { BOARD_PPI_PMU = 23, BOARD_PPI_HYP = 26, BOARD_PPI_VIRT = 27, BOARD_PPI_SEC = 29, BOARD_PPI_PHYS = 30 };

#define BOARD_VIRTIO_SLOTS 32
#define BOARD_NUM_IRQ 288 /* INTIDs: 256 SPIs */
#define BOARD_POWER_KEY_LINE 3

struct board {
	struct board_config config;
	const struct devices_env *env;
	void *ram;
	struct emu_region *ram_region;
	struct emu_system *system;
	struct devices_device **devices;
	size_t n_devices;
	/* Among `devices`: */
	struct devices_device *gic, *flash[2], *fw_cfg, *gpio;
	struct devices_device *slots[BOARD_VIRTIO_SLOTS];
	struct devices_device *slot_devices[BOARD_VIRTIO_SLOTS];
	struct emu_timer *power_key_up;
	void *fdt;        /* as the kernel gets it */
};

/* board_fdt.c: the tree of this board without /chosen's boot part. Malloc'ed,
 * with room to grow. */
void *board_fdt_build(struct board *board, struct vmd_error *err);
/* board_boot.c: reads the boot files, fills RAM and fw_cfg, sets the boot state. */
bool board_boot_load(struct board *board, struct vmd_error *err);

#endif
