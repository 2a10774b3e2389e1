/* SPDX-License-Identifier: BSD-2-Clause */
/* Device-tree nodes with a sticky error: see devices/fdt.h. Thread: any. */
#include "devices/fdt.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#define MAX_CELLS 16

struct devices_node devices_node_open_in(void *fdt, int parent, const char *name)
{
	struct devices_node node = { .fdt = fdt };
	snprintf(node.name, sizeof(node.name), "%s", name);
	node.offset = fdt_add_subnode(fdt, parent, node.name);
	if (node.offset < 0)
		node.rc = node.offset;
	return node;
}

struct devices_node devices_node_open(void *fdt, const char *name, uint64_t address)
{
	char full[sizeof(((struct devices_node *)0)->name)];
	snprintf(full, sizeof(full), "%s@%" PRIx64, name, address);
	return devices_node_open_in(fdt, 0, full);
}

static void set_bytes(struct devices_node *node, const char *prop, const void *data, size_t len)
{
	if (!node->rc)
		node->rc = fdt_setprop(node->fdt, node->offset, prop, data, (int)len);
}

void devices_node_empty(struct devices_node *node, const char *prop)
{
	set_bytes(node, prop, NULL, 0);
}

void devices_node_u32(struct devices_node *node, const char *prop, uint32_t value)
{
	devices_node_u32s(node, prop, &value, 1);
}

void devices_node_u32s(struct devices_node *node, const char *prop, const uint32_t *values, unsigned n)
{
	fdt32_t cells[MAX_CELLS];
	if (n > MAX_CELLS) {
		node->rc = node->rc ? node->rc : -FDT_ERR_BADVALUE;
		return;
	}
	for (unsigned i = 0; i < n; i++)
		cells[i] = cpu_to_fdt32(values[i]);
	set_bytes(node, prop, cells, n * sizeof(cells[0]));
}

void devices_node_strings(struct devices_node *node, const char *prop, const char *strings)
{
	const char *end = strings;
	while (*end)
		end += strlen(end) + 1;
	set_bytes(node, prop, strings, (size_t)(end - strings));
}

void devices_node_reg(struct devices_node *node, const uint64_t (*pairs)[2], unsigned n)
{
	uint32_t cells[MAX_CELLS];
	if (n > MAX_CELLS / 4) {
		node->rc = node->rc ? node->rc : -FDT_ERR_BADVALUE;
		return;
	}
	for (unsigned i = 0; i < 2 * n; i++) {
		cells[2 * i] = (uint32_t)(pairs[i / 2][i % 2] >> 32);
		cells[2 * i + 1] = (uint32_t)pairs[i / 2][i % 2];
	}
	devices_node_u32s(node, "reg", cells, 4 * n);
}

void devices_node_spis(struct devices_node *node, const struct devices_fdt *ctx, unsigned spi, unsigned n,
		       uint32_t trigger)
{
	uint32_t cells[MAX_CELLS];
	if (n > MAX_CELLS / 3) {
		node->rc = node->rc ? node->rc : -FDT_ERR_BADVALUE;
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		cells[3 * i] = 0; /* an SPI */
		cells[3 * i + 1] = spi + i;
		cells[3 * i + 2] = trigger;
	}
	devices_node_u32s(node, "interrupts", cells, 3 * n);
	devices_node_u32(node, "interrupt-parent", ctx->gic_phandle);
}

bool devices_node_close(struct devices_node *node, struct vmd_error *err)
{
	if (!node->rc)
		return true;
	return vmd_error_set(err, node->rc == -FDT_ERR_NOSPACE ? VMD_ERR_LIMIT : VMD_ERR_GENERIC, 0,
			     "cannot write device-tree node '%s': %s", node->name, fdt_strerror(node->rc));
}
