/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the kernel's companions go in RAM: the initrd and the device tree.
 *
 * The rules of the arm64 boot protocol: the tree is 8-byte aligned, at most
 * 2 MiB; initrd and tree do not touch the kernel's image_size bytes. A program
 * that leaves the start of RAM free finds the tree there, as firmware and
 * bare-metal programs expect.
 */
#ifndef LOADERS_LAYOUT_H
#define LOADERS_LAYOUT_H

#include "loaders/image.h"

#define LOADERS_DTB_MAX (UINT64_C(2) << 20)

struct loaders_layout {
	uint64_t dtb;    /* physical addresses */
	uint64_t initrd; /* 0: none */
};

/* `image` may be NULL (firmware boots). `dtb_len` is what the tree may grow to. */
bool loaders_layout_plan(const struct loaders_ram *ram, const struct loaders_image *image, uint64_t initrd_len,
			 uint64_t dtb_len, struct loaders_layout *ret_layout, struct vmd_error *err);

#endif
