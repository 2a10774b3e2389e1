/* SPDX-License-Identifier: BSD-2-Clause */
/* Editing a device tree for the kernel. Thread: any. */
#include "loaders/fdt.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

void *loaders_fdt_open(const struct loaders_blob *file, struct vmd_error *err)
{
	int rc = file->len < sizeof(struct fdt_header) ? -FDT_ERR_TRUNCATED : fdt_check_full(file->data, file->len);
	if (rc) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s' is not a device tree: %s", file->name, fdt_strerror(rc));
		vmd_error_hint(err, "compile it with dtc -I dts -O dtb");
		return NULL;
	}
	size_t room = fdt_totalsize(file->data) + LOADERS_FDT_ROOM;
	void *fdt = calloc(1, room);
	if (!fdt) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory while reading '%s'", file->name);
		return NULL;
	}
	rc = fdt_open_into(file->data, fdt, (int)room);
	if (rc) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "cannot use the device tree '%s': %s", file->name, fdt_strerror(rc));
		free(fdt);
		return NULL;
	}
	return fdt;
}

static bool fdt_failed(int rc, const char *what, struct vmd_error *err)
{
	if (rc >= 0)
		return false;
	vmd_error_set(err, VMD_ERR_INVALID, 0, "cannot write %s into the device tree: %s", what, fdt_strerror(rc));
	return true;
}

static int find_or_add(void *fdt, const char *name)
{
	int node = fdt_subnode_offset(fdt, 0, name);
	return node == -FDT_ERR_NOTFOUND ? fdt_add_subnode(fdt, 0, name) : node;
}

bool loaders_fdt_set_chosen(void *fdt, const struct loaders_chosen *chosen, struct vmd_error *err)
{
	int node = find_or_add(fdt, "chosen");
	if (fdt_failed(node, "/chosen", err))
		return false;
	if (chosen->bootargs && fdt_failed(fdt_setprop_string(fdt, node, "bootargs", chosen->bootargs), "the command line", err))
		return false;
	if (chosen->initrd_len &&
	    (fdt_failed(fdt_setprop_u64(fdt, node, "linux,initrd-start", chosen->initrd), "the initrd's place", err) ||
	     fdt_failed(fdt_setprop_u64(fdt, node, "linux,initrd-end", chosen->initrd + chosen->initrd_len),
			"the initrd's place", err)))
		return false;
	if (chosen->seed && (fdt_failed(fdt_setprop(fdt, node, "kaslr-seed", chosen->seed, 8), "the seed", err) ||
			     fdt_failed(fdt_setprop(fdt, node, "rng-seed", chosen->seed + 8, LOADERS_SEED_LEN - 8), "the seed", err)))
		return false;
	return true;
}

bool loaders_fdt_set_memory(void *fdt, uint64_t base, uint64_t size, struct vmd_error *err)
{
	int node, depth = 0;
	for (node = fdt_next_node(fdt, 0, &depth); node >= 0 && depth > 0; node = fdt_next_node(fdt, node, &depth)) {
		const char *type = fdt_getprop(fdt, node, "device_type", NULL);
		if (depth == 1 && type && strcmp(type, "memory") == 0)
			return true;
	}
	int cells_a = fdt_address_cells(fdt, 0), cells_s = fdt_size_cells(fdt, 0);
	fdt32_t reg[4];
	unsigned n = 0;
	if (cells_a == 2)
		reg[n++] = cpu_to_fdt32(base >> 32);
	reg[n++] = cpu_to_fdt32((uint32_t)base);
	if (cells_s == 2)
		reg[n++] = cpu_to_fdt32(size >> 32);
	reg[n++] = cpu_to_fdt32((uint32_t)size);
	node = fdt_add_subnode(fdt, 0, "memory");
	return !fdt_failed(node, "/memory", err) &&
	       !fdt_failed(fdt_setprop_string(fdt, node, "device_type", "memory"), "/memory", err) &&
	       !fdt_failed(fdt_setprop(fdt, node, "reg", reg, (int)(n * sizeof(reg[0]))), "/memory", err);
}
