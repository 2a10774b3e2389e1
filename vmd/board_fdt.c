/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board's device tree (Devicetree Specification v0.4; Linux's bindings):
 * what belongs to the board itself is written here, each device adds its own
 * node. Thread: I/O, vCPUs paused.
 */
#include "vmd/board_priv.h"
#include "devices/fdt.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>

#define FDT_SIZE (256 * 1024)
#define IRQ_TYPE_PPI 1
#define FIRST_PHANDLE 0x8000
#define APB_PCLK_HZ 24000000
#define KEY_POWER 116

#define U32S(n, name, ...) \
	devices_node_u32s(n, name, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

static struct devices_node root_node(void *fdt, const char *name)
{
	return devices_node_open_in(fdt, 0, name);
}

static bool add_cpu(void *fdt, const struct devices_node *cpus, struct board *b, unsigned i, bool wide, uint32_t phandle,
		    struct vmd_error *err)
{
	char name[32];
	uint64_t mpidr = emu_system_mpidr(b->system, i);
	snprintf(name, sizeof(name), "cpu@%" PRIx64, mpidr);
	struct devices_node n = devices_node_open_in(fdt, cpus->offset, name);
	devices_node_strings(&n, "device_type", "cpu\0");
	char compatible[64] = "";
	snprintf(compatible, sizeof(compatible) - 1, "%s", emu_system_model(b->system)->compatible);
	devices_node_strings(&n, "compatible", compatible);
	if (wide)
		U32S(&n, "reg", (uint32_t)(mpidr >> 32), (uint32_t)mpidr);
	else
		U32S(&n, "reg", (uint32_t)mpidr);
	devices_node_u32(&n, "phandle", phandle);
	if (emu_system_n_cpus(b->system) > 1)
		devices_node_strings(&n, "enable-method", "psci\0");
	return devices_node_close(&n, err);
}

static bool add_cpu_map(void *fdt, const struct devices_node *cpus, unsigned n, uint32_t first_phandle, struct vmd_error *err)
{
	struct devices_node map = devices_node_open_in(fdt, cpus->offset, "cpu-map");
	struct devices_node socket = devices_node_open_in(fdt, map.offset, "socket0");
	struct devices_node cluster = devices_node_open_in(fdt, socket.offset, "cluster0");
	for (unsigned i = n; i-- > 0;) {
		char name[32];
		snprintf(name, sizeof(name), "core%u", i);
		struct devices_node core = devices_node_open_in(fdt, cluster.offset, name);
		devices_node_u32(&core, "cpu", first_phandle + i);
		if (!devices_node_close(&core, err))
			return false;
	}
	return devices_node_close(&cluster, err) && devices_node_close(&socket, err) && devices_node_close(&map, err);
}

static bool add_cpus(void *fdt, struct board *b, uint32_t first_phandle, struct vmd_error *err)
{
	unsigned n = emu_system_n_cpus(b->system);
	bool wide = false;
	for (unsigned i = 0; i < n; i++)
		wide |= emu_system_mpidr(b->system, i) >> 32 != 0;
	struct devices_node cpus = root_node(fdt, "cpus");
	devices_node_u32(&cpus, "#address-cells", wide ? 2 : 1);
	devices_node_u32(&cpus, "#size-cells", 0);
	if (n > 1 && !add_cpu_map(fdt, &cpus, n, first_phandle, err))
		return false;
	/* libfdt puts a new node before its siblings, so the last comes first. */
	for (unsigned i = n; i-- > 0;)
		if (!add_cpu(fdt, &cpus, b, i, wide, first_phandle + i, err))
			return false;
	return devices_node_close(&cpus, err);
}

static bool add_psci(void *fdt, struct vmd_error *err)
{
	struct devices_node n = root_node(fdt, "psci");
	devices_node_strings(&n, "compatible", "arm,psci-1.0\0arm,psci-0.2\0arm,psci\0");
	devices_node_strings(&n, "method", "hvc\0");
	devices_node_u32(&n, "cpu_suspend", 0xc4000001);
	devices_node_u32(&n, "cpu_off", 0x84000002);
	devices_node_u32(&n, "cpu_on", 0xc4000003);
	devices_node_u32(&n, "migrate", 0xc4000005);
	return devices_node_close(&n, err);
}

static bool add_ppi_devices(void *fdt, struct board *b, struct vmd_error *err)
{
	/* GICv2 has a CPU mask in the third cell. */
	unsigned n_cpus = emu_system_n_cpus(b->system);
	uint32_t flags = DEVICES_FDT_LEVEL_HIGH | (b->config.gic_version == 2 ? ((1u << n_cpus) - 1) << 8 : 0);

	struct devices_node pmu = root_node(fdt, "pmu");
	devices_node_strings(&pmu, "compatible", "arm,armv8-pmuv3\0");
	U32S(&pmu, "interrupts", IRQ_TYPE_PPI, BOARD_PPI_PMU - 16, flags);

	struct devices_node timer = root_node(fdt, "timer");
	devices_node_strings(&timer, "compatible", "arm,armv8-timer\0arm,armv7-timer\0");
	U32S(&timer, "interrupts", IRQ_TYPE_PPI, BOARD_PPI_SEC - 16, flags, IRQ_TYPE_PPI, BOARD_PPI_PHYS - 16, flags,
	     IRQ_TYPE_PPI, BOARD_PPI_VIRT - 16, flags, IRQ_TYPE_PPI, BOARD_PPI_HYP - 16, flags);
	devices_node_empty(&timer, "always-on");
	return devices_node_close(&pmu, err) && devices_node_close(&timer, err);
}

static bool add_flash(void *fdt, struct vmd_error *err)
{
	static const uint64_t banks[][2] = { { BOARD_FLASH0, BOARD_FLASH_SIZE }, { BOARD_FLASH1, BOARD_FLASH_SIZE } };
	struct devices_node n = devices_node_open(fdt, "flash", BOARD_FLASH0);
	devices_node_strings(&n, "compatible", "cfi-flash\0");
	devices_node_reg(&n, banks, 2);
	devices_node_u32(&n, "bank-width", 4);
	return devices_node_close(&n, err);
}

static bool add_gpio_keys(void *fdt, struct vmd_error *err)
{
	char path[64];
	snprintf(path, sizeof(path), "/pl061@%x", BOARD_GPIO);
	uint32_t gpio = fdt_get_phandle(fdt, fdt_path_offset(fdt, path));
	struct devices_node keys = root_node(fdt, "gpio-keys");
	devices_node_strings(&keys, "compatible", "gpio-keys\0");
	struct devices_node power = devices_node_open_in(fdt, keys.offset, "poweroff");
	devices_node_strings(&power, "label", "GPIO Key Poweroff\0");
	devices_node_u32(&power, "linux,code", KEY_POWER);
	U32S(&power, "gpios", gpio, BOARD_POWER_KEY_LINE, 0);
	return devices_node_close(&power, err) && devices_node_close(&keys, err);
}

static bool add_clock(void *fdt, uint32_t phandle, struct vmd_error *err)
{
	struct devices_node clock = root_node(fdt, "apb-pclk");
	devices_node_strings(&clock, "compatible", "fixed-clock\0");
	devices_node_u32(&clock, "#clock-cells", 0);
	devices_node_u32(&clock, "clock-frequency", APB_PCLK_HZ);
	devices_node_strings(&clock, "clock-output-names", "clk24mhz\0");
	devices_node_u32(&clock, "phandle", phandle);
	return devices_node_close(&clock, err);
}

static bool add_memory(void *fdt, const struct board *b, struct vmd_error *err)
{
	const uint64_t ram[][2] = { { BOARD_RAM, b->config.ram_size } };
	struct devices_node n = devices_node_open(fdt, "memory", BOARD_RAM);
	devices_node_strings(&n, "device_type", "memory\0");
	devices_node_reg(&n, ram, 1);
	return devices_node_close(&n, err);
}

/* /aliases, and the console in /chosen. */
static bool add_serial_names(void *fdt, const struct board *b, struct vmd_error *err)
{
	static const uint32_t uarts[] = { BOARD_UART0, BOARD_UART1 };
	char paths[BOARD_MAX_SERIALS][64] = { "" };
	struct devices_node aliases = root_node(fdt, "aliases");
	for (size_t i = 0; i < b->config.n_serials; i++) {
		char name[32];
		snprintf(name, sizeof(name), "serial%zu", i);
		snprintf(paths[i], sizeof(paths[i]) - 1, "/pl011@%x", uarts[i]);
		devices_node_strings(&aliases, name, paths[i]);
	}
	if (!devices_node_close(&aliases, err))
		return false;
	struct devices_node chosen = root_node(fdt, "chosen");
	devices_node_strings(&chosen, "stdout-path", paths[0]);
	return devices_node_close(&chosen, err);
}

static bool add_root(void *fdt, uint32_t gic_phandle, struct vmd_error *err)
{
	struct devices_node root = { .fdt = fdt, .offset = 0, .name = "/" };
	devices_node_strings(&root, "compatible", "linux,dummy-virt\0");
	devices_node_strings(&root, "model", "linux,dummy-virt\0");
	devices_node_u32(&root, "#address-cells", 2);
	devices_node_u32(&root, "#size-cells", 2);
	devices_node_u32(&root, "interrupt-parent", gic_phandle);
	devices_node_empty(&root, "dma-coherent");
	return devices_node_close(&root, err);
}

static bool add_devices(void *fdt, struct board *b, const struct devices_fdt *ctx, struct vmd_error *err)
{
	for (size_t i = b->n_devices; i-- > 0;) {
		struct devices_device *dev = b->devices[i];
		if (dev->cls->fdt && !dev->cls->fdt(dev, fdt, ctx, err))
			return false;
	}
	return true;
}

void *board_fdt_build(struct board *b, struct vmd_error *err)
{
	void *fdt = calloc(1, FDT_SIZE);
	if (!fdt) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory for the device tree");
		return NULL;
	}
	int rc = fdt_create_empty_tree(fdt, FDT_SIZE);
	if (rc) {
		vmd_error_set(err, VMD_ERR_GENERIC, 0, "cannot build the device tree: %s", fdt_strerror(rc));
		goto fail;
	}
	uint32_t next = FIRST_PHANDLE;
	struct devices_fdt ctx = { .next_phandle = &next };
	ctx.gic_phandle = next++;
	ctx.clock_phandle = next++;
	uint32_t cpu_phandle = next;
	next += emu_system_n_cpus(b->system);
	if (add_root(fdt, ctx.gic_phandle, err) && add_flash(fdt, err) && add_devices(fdt, b, &ctx, err) &&
	    add_gpio_keys(fdt, err) && add_ppi_devices(fdt, b, err) && add_psci(fdt, err) &&
	    add_cpus(fdt, b, cpu_phandle, err) && add_clock(fdt, ctx.clock_phandle, err) && add_memory(fdt, b, err) &&
	    add_serial_names(fdt, b, err))
		return fdt;
fail:
	free(fdt);
	return NULL;
}
