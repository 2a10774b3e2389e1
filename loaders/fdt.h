/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device trees (Devicetree Specification v0.4): what a boot loader does to one
 * before it starts the kernel. Buffers are malloc'ed and owned by the caller.
 */
#ifndef LOADERS_FDT_H
#define LOADERS_FDT_H

#include "loaders/blob.h"

#define LOADERS_FDT_ROOM (64 * 1024) /* what a loaded tree may grow by */

/* Checks a .dtb file and opens it with room to grow. */
void *loaders_fdt_open(const struct loaders_blob *file, struct vmd_error *err);

struct loaders_chosen {
	const char *bootargs;          /* NULL: leave the tree's own */
	uint64_t initrd, initrd_len;   /* initrd_len 0: none */
	const uint8_t *seed;           /* 48 random bytes: kaslr-seed, rng-seed; NULL: none */
};
#define LOADERS_SEED_LEN 48

/* Writes /chosen, making the node if it is missing. */
bool loaders_fdt_set_chosen(void *fdt, const struct loaders_chosen *chosen, struct vmd_error *err);
/* Adds a /memory node if the tree has none. */
bool loaders_fdt_set_memory(void *fdt, uint64_t base, uint64_t size, struct vmd_error *err);

#endif
