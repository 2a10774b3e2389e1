/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wiring the board "virt". Everything is made in one pass, in the order of
 * dependence: memory, interrupt controller, processors, the board's own
 * devices, the user's devices. Thread: I/O, vCPUs paused.
 */
#include "vmd/board_priv.h"

#include "devices/flash.h"
#include "devices/fw_cfg.h"
#include "devices/gic.h"
#include "devices/gpio.h"
#include "devices/virtio.h"
#include "protocol/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define POWER_KEY_HOLD_NS UINT64_C(100000000)
#define MAX_DEVICES 256
#define VIRTIO_BUS_PREFIX "virtio-mmio-bus."

/* ---- Making one device ---- */

static struct devices_device *make(struct board *b, const char *driver, const char *id, struct vmd_error *err)
{
	const struct devices_class *cls = devices_class_find(driver);
	if (!cls) {
		vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "there is no device '%s'", driver);
		return NULL;
	}
	if (b->n_devices == MAX_DEVICES) {
		vmd_error_set(err, VMD_ERR_LIMIT, 0, "a machine has at most %d devices", MAX_DEVICES);
		return NULL;
	}
	struct devices_device *dev = devices_new(cls, id, b->env, err);
	if (dev)
		b->devices[b->n_devices++] = dev;
	return dev;
}

static struct devices_device *make_at(struct board *b, const char *driver, const char *id, uint64_t base, int spi,
				      struct vmd_error *err)
{
	struct devices_device *dev = make(b, driver, id, err);
	if (!dev)
		return NULL;
	dev->wiring.base = base;
	if (spi >= 0) {
		dev->wiring.spi = (unsigned)spi;
		dev->wiring.n_spis = 1;
		dev->irq[0] = devices_gic_spi(b->gic, (unsigned)spi);
	}
	return dev;
}

static bool set_uint(struct devices_device *dev, const char *prop, uint64_t value, struct vmd_error *err)
{
	char text[32];
	snprintf(text, sizeof(text), "%" PRIu64, value);
	return devices_set(dev, prop, text, err);
}

/* ---- Memory and processors ---- */

static bool make_ram(struct board *b, struct vmd_error *err)
{
	uint64_t size = b->config.ram_size;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, errno, "cannot get %" PRIu64 " MiB for the machine's memory", size >> 20);
	/* Fewer misses of the host's TLB, and fewer faults; not every host has them. */
	madvise(p, size, MADV_HUGEPAGE);
	b->ram = p;
	struct emu_region_desc desc = { .name = "ram", .kind = EMU_REGION_RAM, .base = BOARD_RAM, .size = size, .host = p,
		.ahead = true };
	b->ram_region = emu_mem_add(b->env->mem, &desc, err);
	return b->ram_region != NULL;
}

static bool make_gic(struct board *b, struct vmd_error *err)
{
	bool v3 = b->config.gic_version == 3;
	b->gic = make(b, v3 ? "arm-gicv3" : "arm-gicv2", NULL, err);
	if (!b->gic || !set_uint(b->gic, "num-cpu", b->config.n_cpus, err) || !set_uint(b->gic, "num-irq", BOARD_NUM_IRQ, err))
		return false;
	b->gic->wiring.base = BOARD_GICD;
	devices_gic_set_bases(b->gic, v3 ? BOARD_GICR : BOARD_GICC);
	return true;
}

static bool make_system(struct board *b, struct vmd_error *err)
{
	bool v3 = b->config.gic_version == 3;
	struct emu_gic_cpuif cpuif;
	if (v3)
		cpuif = devices_gicv3_cpuif(b->gic);
	struct emu_semihost semihost = {
		.write = b->config.semihost_write,
		.cmdline = b->config.semihosting_cmdline,
		.files = b->config.semihosting_files,
		.opaque = b->config.opaque,
	};
	struct emu_system_config config = {
		.cpu_model = b->config.cpu_model,
		.accel = b->config.accel,
		.jit_cache = b->config.jit_cache,
		.jit_debug = b->config.jit_debug,
		.n_cpus = b->config.n_cpus,
		.mem = b->env->mem,
		.clock = b->env->clock,
		.gic_cpuif = v3 ? &cpuif : NULL,
		.semihost = b->config.semihosting ? &semihost : NULL,
		.event = b->config.event,
		.guest_error = b->config.guest_error,
		.report = b->config.report,
		.opaque = b->config.opaque,
	};
	b->system = emu_system_new(&config, err);
	if (!b->system)
		return false;
	for (unsigned i = 0; i < b->config.n_cpus; i++)
		devices_gic_set_affinity(b->gic, i, emu_system_mpidr(b->system, i));
	if (!devices_realize(b->gic, err))
		return false;

	static const struct {
		enum emu_cpu_output out;
		unsigned intid;
	} ppis[] = {
		{ EMU_OUT_TIMER_PHYS, BOARD_PPI_PHYS }, { EMU_OUT_TIMER_VIRT, BOARD_PPI_VIRT },
		{ EMU_OUT_TIMER_HYP, BOARD_PPI_HYP },	{ EMU_OUT_TIMER_SEC, BOARD_PPI_SEC },
		{ EMU_OUT_PMU, BOARD_PPI_PMU },
	};
	for (unsigned i = 0; i < b->config.n_cpus; i++) {
		devices_gic_connect_cpu(b->gic, i, emu_system_cpu_line(b->system, i, EMU_LINE_IRQ),
					emu_system_cpu_line(b->system, i, EMU_LINE_FIQ));
		for (size_t k = 0; k < sizeof(ppis) / sizeof(ppis[0]); k++)
			emu_system_connect(b->system, i, ppis[k].out, devices_gic_ppi(b->gic, i, ppis[k].intid));
	}
	return true;
}

/* ---- The board's own devices ---- */

static bool make_flash(struct board *b, struct vmd_error *err)
{
	static const uint64_t bases[] = { BOARD_FLASH0, BOARD_FLASH1 };
	for (int i = 0; i < 2; i++) {
		b->flash[i] = make_at(b, "cfi.pflash01", NULL, bases[i], -1, err);
		if (!b->flash[i] || !set_uint(b->flash[i], "size", BOARD_FLASH_SIZE, err) || !devices_realize(b->flash[i], err))
			return false;
	}
	/* The first bank is the ROM that --bios fills; the second keeps variables. */
	devices_flash_set_readonly(b->flash[0], true);
	return true;
}

static bool make_uarts(struct board *b, struct vmd_error *err)
{
	static const struct {
		uint64_t base;
		int spi;
	} places[BOARD_MAX_SERIALS] = { { BOARD_UART0, BOARD_SPI_UART0 }, { BOARD_UART1, BOARD_SPI_UART1 } };
	for (size_t i = 0; i < b->config.n_serials; i++) {
		struct devices_device *uart = make_at(b, "pl011", NULL, places[i].base, places[i].spi, err);
		if (!uart || (b->config.serials[i] && !devices_set(uart, "chardev", b->config.serials[i], err)) ||
		    !devices_realize(uart, err))
			return false;
	}
	return true;
}

static bool make_board_devices(struct board *b, struct vmd_error *err)
{
	if (!make_flash(b, err) || !make_uarts(b, err))
		return false;
	struct devices_device *rtc = make_at(b, "pl031", NULL, BOARD_RTC, BOARD_SPI_RTC, err);
	if (!rtc || !devices_realize(rtc, err))
		return false;
	b->gpio = make_at(b, "pl061", NULL, BOARD_GPIO, BOARD_SPI_GPIO, err);
	if (!b->gpio || !devices_realize(b->gpio, err))
		return false;
	b->fw_cfg = make_at(b, "fw_cfg_mem", NULL, BOARD_FW_CFG, -1, err);
	if (!b->fw_cfg || !devices_realize(b->fw_cfg, err))
		return false;
	for (unsigned i = 0; i < BOARD_VIRTIO_SLOTS; i++) {
		char id[32];
		snprintf(id, sizeof(id), VIRTIO_BUS_PREFIX "%u", i);
		b->slots[i] = make_at(b, "virtio-mmio", id, BOARD_VIRTIO + (uint64_t)i * BOARD_VIRTIO_SLOT,
				      BOARD_SPI_VIRTIO + (int)i, err);
		if (!b->slots[i] || !devices_realize(b->slots[i], err))
			return false;
	}
	return true;
}

/* ---- The user's devices ---- */

/* A slot by name, or for NULL the last that is free; -1: none. */
static int find_slot(const struct board *b, const char *bus, struct vmd_error *err)
{
	if (!bus) {
		for (int i = BOARD_VIRTIO_SLOTS; i-- > 0;)
			if (!b->slot_devices[i])
				return i;
		vmd_error_set(err, VMD_ERR_LIMIT, 0, "all %d virtio-mmio slots are taken", BOARD_VIRTIO_SLOTS);
		return -1;
	}
	for (int i = 0; i < BOARD_VIRTIO_SLOTS; i++) {
		if (strcmp(b->slots[i]->id, bus) != 0)
			continue;
		if (!b->slot_devices[i])
			return i;
		vmd_error_set(err, VMD_ERR_BUSY, 0, "bus '%s' holds device '%s' already", bus, b->slot_devices[i]->id);
		return -1;
	}
	vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "there is no bus '%s' for a virtio device", bus);
	vmd_error_hint(err, "the buses are " VIRTIO_BUS_PREFIX "0 to " VIRTIO_BUS_PREFIX "%d", BOARD_VIRTIO_SLOTS - 1);
	return -1;
}

/* The virtio-serial device that a port goes to: "ID.0", "ID", or the last made. */
static struct devices_device *find_serial_bus(const struct board *b, const char *bus, struct vmd_error *err)
{
	for (size_t i = b->n_devices; i-- > 0;) {
		struct devices_device *dev = b->devices[i];
		if (dev->cls->provides != DEVICES_BUS_VIRTIO_SERIAL)
			continue;
		size_t n = strlen(dev->id);
		if (!bus || (strncmp(bus, dev->id, n) == 0 && (bus[n] == '\0' || strcmp(bus + n, ".0") == 0)))
			return dev;
	}
	if (bus)
		vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "there is no virtio-serial bus '%s'", bus);
	else
		vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "no virtio-serial device for the port to plug into");
	vmd_error_hint(err, "put --device virtio-serial-device before the port");
	return NULL;
}

static bool plug_user_device(struct board *b, const struct board_device *want, struct vmd_error *err)
{
	struct devices_device *dev = make(b, want->driver, want->id, err);
	if (!dev)
		return false;
	for (size_t i = 0; i < want->n_props; i++)
		if (!devices_set(dev, want->props[i].key, want->props[i].value, err))
			return false;
	if (dev->cls->bus == DEVICES_BUS_VIRTIO_SERIAL) {
		struct devices_device *serial = find_serial_bus(b, want->bus, err);
		return serial && devices_plug(serial, dev, err) && devices_realize(dev, err);
	}
	if (dev->cls->bus == DEVICES_BUS_VIRTIO) {
		int slot = find_slot(b, want->bus, err);
		if (slot < 0 || !devices_plug(b->slots[slot], dev, err) || !devices_realize(dev, err))
			return false;
		b->slot_devices[slot] = dev;
		return true;
	}
	vmd_error_set(err, VMD_ERR_UNSUPPORTED, 0, "'%s' is part of the board and cannot be added", want->driver);
	return false;
}

static bool make_user_devices(struct board *b, struct vmd_error *err)
{
	for (size_t i = 0; i < b->config.n_devices; i++)
		if (!plug_user_device(b, &b->config.devices[i], err)) {
			const char *id = b->config.devices[i].id;
			return vmd_error_prefix(err, "device %zu (%s%s%s)", i, b->config.devices[i].driver, id ? ", id " : "",
						id ? id : "");
		}
	return true;
}

/* The device that a name is close to, or the beginning of; NULL: none. */
static const char *near_device(const char *name)
{
	const struct devices_class *cls;
	struct proto_suggest s;
	proto_suggest_init(&s, name);
	for (unsigned i = 0; (cls = devices_class_at(i)); i++) {
		if (cls->bus == DEVICES_BUS_NONE)
			continue;
		if (*name && !strncmp(cls->name, name, strlen(name)))
			return cls->name;
		proto_suggest_add(&s, cls->name);
	}
	return s.best;
}

bool board_check_devices(const struct board_device *devices, size_t n_devices, struct vmd_error *err)
{
	for (size_t i = 0; i < n_devices; i++) {
		const struct board_device *d = &devices[i];
		const struct devices_class *cls = devices_class_find(d->driver);
		if (!cls || cls->bus == DEVICES_BUS_NONE) {
			const char *near = near_device(d->driver);
			vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "device %zu: there is no device '%s' to add", i, d->driver);
			if (near)
				return vmd_error_hint(err, "did you mean '%s'?", near);
			return vmd_error_hint(err, "see 'vmctl create --device help' for those there are");
		}
		for (size_t k = 0; k < d->n_props; k++) {
			const struct devices_prop *prop = devices_prop_find(cls, d->props[k].key);
			if (!prop) {
				vmd_error_set(err, VMD_ERR_INVALID, 0, "device %zu (%s) has no property '%s'", i, d->driver, d->props[k].key);
				return vmd_error_hint(err, "see 'vmctl create --device %s,help'", d->driver);
			}
			if (!devices_prop_check(cls, prop, d->props[k].value, err))
				return vmd_error_prefix(err, "device %zu", i);
		}
		for (size_t k = 0; d->id && k < i; k++)
			if (devices[k].id && strcmp(devices[k].id, d->id) == 0)
				return vmd_error_set(err, VMD_ERR_EXISTS, 0, "devices %zu and %zu have the same id '%s'", k, i, d->id);
	}
	return true;
}

/* ---- Life ---- */

static void release_power_key(void *opaque)
{
	struct board *b = opaque;
	struct emu_irq line = devices_pl061_input(b->gpio, BOARD_POWER_KEY_LINE);
	emu_irq_set(&line, false);
}

void board_press_power_key(struct board *b)
{
	struct emu_irq line = devices_pl061_input(b->gpio, BOARD_POWER_KEY_LINE);
	emu_irq_set(&line, true);
	emu_timer_arm(b->power_key_up, emu_clock_now(b->env->clock) + POWER_KEY_HOLD_NS);
}

static bool check_config(const struct board_config *c, struct vmd_error *err)
{
	if (c->ram_size > BOARD_RAM_MAX) {
		vmd_error_set(err, VMD_ERR_LIMIT, 0, "memory of %" PRIu64 " MiB: the board has room for %" PRIu64 " MiB",
			      c->ram_size >> 20, BOARD_RAM_MAX >> 20);
		return false;
	}
	unsigned max_cpus = c->gic_version == 2 ? 8 : EMU_MAX_CPUS;
	if (c->n_cpus < 1 || c->n_cpus > max_cpus) {
		vmd_error_set(err, VMD_ERR_LIMIT, 0, "%u processors: with GICv%u there can be 1 to %u", c->n_cpus, c->gic_version,
			      max_cpus);
		return c->gic_version == 2 && vmd_error_hint(err, "use gic-version=3");
	}
	return true;
}

struct board *board_new(const struct board_config *config, const struct devices_env *env, struct vmd_error *err)
{
	if (!check_config(config, err))
		return NULL;
	struct board *b = calloc(1, sizeof(*b));
	if (b)
		b->devices = calloc(MAX_DEVICES, sizeof(*b->devices));
	if (!b || !b->devices) {
		free(b);
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		return NULL;
	}
	b->config = *config;
	b->env = env;
	b->power_key_up = emu_timer_new(env->clock, release_power_key, b, err);
	if (b->power_key_up && make_ram(b, err) && make_gic(b, err) && make_system(b, err) &&
	    make_board_devices(b, err) && make_user_devices(b, err) && board_reset(b, err))
		return b;
	board_free(b);
	return NULL;
}

bool board_reset(struct board *b, struct vmd_error *err)
{
	emu_timer_cancel(b->power_key_up);
	for (size_t i = 0; i < b->n_devices; i++)
		devices_reset(b->devices[i]);
	emu_system_reset(b->system);
	return board_boot_load(b, err);
}

void board_free(struct board *b)
{
	if (!b)
		return;
	emu_timer_free(b->power_key_up);
	/* Stop the processors before what they might touch goes. */
	emu_system_free(b->system);
	while (b->n_devices > 0)
		devices_free(b->devices[--b->n_devices]);
	if (b->ram_region)
		emu_mem_remove(b->env->mem, b->ram_region);
	if (b->ram)
		munmap(b->ram, b->config.ram_size);
	free(b->devices);
	free(b->fdt);
	free(b);
}

struct emu_system *board_system(struct board *b)
{
	return b->system;
}

const struct devices_device *board_device_at(const struct board *b, size_t i)
{
	return i < b->n_devices ? b->devices[i] : NULL;
}
