/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing a device-tree node, for devices' fdt hooks: open a node, add
 * properties, close it. The first failure sticks and is reported by the close.
 * Addresses and sizes are two cells each (the root's #address-cells and
 * #size-cells); interrupt specifiers are the GIC's three.
 */
#ifndef DEVICES_FDT_H
#define DEVICES_FDT_H

#include "devices/device.h"

struct devices_node {
	void *fdt;
	int offset; /* of the node in the tree */
	int rc;     /* first libfdt error, 0 if none */
	char name[64];
};

/* The trigger cell of an interrupt specifier. */
enum { DEVICES_FDT_EDGE_RISING = 1, DEVICES_FDT_LEVEL_HIGH = 4 };

/* A node "name@address" under `/`; or "name" under `parent`'s offset. */
struct devices_node devices_node_open(void *fdt, const char *name, uint64_t address);
struct devices_node devices_node_open_in(void *fdt, int parent, const char *name);
void devices_node_empty(struct devices_node *node, const char *prop);
void devices_node_u32(struct devices_node *node, const char *prop, uint32_t value);
void devices_node_u32s(struct devices_node *node, const char *prop, const uint32_t *values, unsigned n);
/* `strings` is a list of strings that ends with an empty one: "a\0b\0". */
void devices_node_strings(struct devices_node *node, const char *prop, const char *strings);
/* "reg" with n (address, size) pairs. */
void devices_node_reg(struct devices_node *node, const uint64_t (*pairs)[2], unsigned n);
/* "interrupts" with n consecutive SPIs, and "interrupt-parent". */
void devices_node_spis(struct devices_node *node, const struct devices_fdt *ctx, unsigned spi, unsigned n,
		       uint32_t trigger);
bool devices_node_close(struct devices_node *node, struct vmd_error *err);

#endif
