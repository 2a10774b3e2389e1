/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device framework: classes, properties, and what a device is given.
 *
 * A device is one .c file that ends in one `const struct devices_class`. All
 * classes are listed in devices/classes.def. A board (vmd/) makes devices by
 * name, sets their properties, connects them, realizes them and asks them for
 * their device-tree nodes; a device never knows which board it is on.
 *
 * Life: devices_new -> devices_set... -> devices_realize -> [reset ...] ->
 * devices_free. Threads: made, realized, reset and freed on the I/O thread, and
 * reset with the vCPUs paused as well; MMIO functions run on vCPU threads under
 * `lock`.
 */
#ifndef DEVICES_DEVICE_H
#define DEVICES_DEVICE_H

#include "emu/clock.h"
#include "emu/irq.h"
#include "emu/mem.h"
#include "protocol/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct devices_device;
struct devices_class;
struct devices_fdt;
struct devices_regs;
struct backends_chardev;

/* What the machine offers every device. Outlives the devices. */
struct devices_env {
	struct emu_mem *mem;
	struct emu_clock *clock;
	/* Runs fn(opaque) soon on the I/O thread; any thread; does not block.
	 * devices_free() of the owner must not race with it: see devices_bh. */
	void (*post)(void *opaque, void (*fn)(void *arg), void *arg);
	/* A chardev of the machine by id, NULL if there is none. */
	struct backends_chardev *(*find_chardev)(void *opaque, const char *id);
	/* The guest pressed on something of the board's: "powerdown", "reset". */
	void (*request)(void *opaque, const char *what);
	/* A rate-limited trace of a guest's mistake. Any thread. May be NULL. */
	void (*guest_error)(void *opaque, const char *device, const char *message);
	void *opaque;
};

/* A bottom half: work for the I/O thread, at most once at a time in its queue. */
struct devices_bh;
struct devices_bh *devices_bh_new(const struct devices_env *env, void (*fn)(void *opaque), void *opaque);
void devices_bh_schedule(struct devices_bh *bh); /* any thread */
/* I/O thread; afterwards fn is not called, even if it was scheduled. */
void devices_bh_free(struct devices_bh *bh);

/* ---- Properties: data, so that the daemon can check and list them ---- */

enum devices_prop_type {
	DEVICES_PROP_BOOL,    /* bool; "on"/"off"/"true"/"false" */
	DEVICES_PROP_UINT,    /* uint64_t; decimal, 0x.., or with K, M, G, T */
	DEVICES_PROP_STRING,  /* char *, owned */
	DEVICES_PROP_CHARDEV, /* char *, owned: a chardev's id */
	DEVICES_PROP_ENUM,    /* char *, owned: one of `choices` */
};

struct devices_prop {
	const char *name;
	enum devices_prop_type type;
	size_t offset;       /* of the member, from the start of the device's struct */
	const char *def;     /* default in text form; NULL: 0, false or NULL */
	uint64_t min, max;   /* UINT; both 0: no limit */
	const char *choices; /* ENUM: "a|b|c" */
	bool required;
	const char *help;    /* one line, no full stop */
};

/* ---- Classes ---- */

enum devices_bus_type {
	DEVICES_BUS_NONE,    /* wired by the board only; not for --device */
	DEVICES_BUS_VIRTIO,  /* sits on a virtio transport (virtio-mmio, later PCI) */
	DEVICES_BUS_VIRTIO_SERIAL, /* a port of a virtio-serial device */
};

struct devices_class {
	const char *name;          /* "pl011", "virtio-rng-device", ... */
	const char *summary;       /* one line for --device help */
	enum devices_bus_type bus; /* what it plugs into */
	enum devices_bus_type provides; /* what plugs into it */
	size_t size;               /* of the device's struct, which begins with struct devices_device */
	const struct devices_prop *props; /* ends with a row whose name is NULL; may be NULL */
	const struct devices_regs *regs;  /* devices/reg.h; NULL when the registers are not that simple */

	/* After the properties are set. On failure undoes what it did, but for
	 * devices_map(), which the framework undoes. */
	bool (*realize)(struct devices_device *dev, struct vmd_error *err);
	/* Undoes realize; called only after it, when the device's regions are
	 * gone from the memory map. May be NULL. */
	void (*unrealize)(struct devices_device *dev);
	/* Frees what was made before realize; called last by devices_free,
	 * realized or not. May be NULL. */
	void (*fini)(struct devices_device *dev);
	/* Power-on state; vCPUs are paused. May be NULL. */
	void (*reset)(struct devices_device *dev);
	/* Adds its own node(s) to the tree (libfdt sequential or rw tree `fdt`,
	 * rw interface), under `/`. May be NULL. */
	bool (*fdt)(struct devices_device *dev, void *fdt, const struct devices_fdt *ctx, struct vmd_error *err);
};

/* What a device needs to write its node. */
struct devices_fdt {
	uint32_t gic_phandle;       /* interrupt-parent */
	uint32_t clock_phandle;     /* the 24 MHz "apb-pclk" fixed clock */
	uint32_t *next_phandle;     /* take one: (*next_phandle)++ */
};

/* Where the board put a device. */
struct devices_wiring {
	uint64_t base;        /* of its first region */
	unsigned spi;         /* of its first interrupt, as an SPI number (INTID - 32) */
	unsigned n_spis;
};

#define DEVICES_MAX_REGIONS 4

struct devices_device {
	const struct devices_class *cls;
	char *id;                         /* the user's id or one made up; owned */
	const struct devices_env *env;
	struct devices_device *parent;    /* the device whose bus it is on, or NULL */
	struct devices_wiring wiring;     /* board devices */
	struct emu_irq irq[8];            /* outputs, connected by the board before realize */
	pthread_mutex_t lock;             /* held around its MMIO functions (pass it to emu_mem_add) */
	bool realized;
	uint64_t props_set;               /* rows of cls->props the user gave, as bits */
	struct emu_region *regions[DEVICES_MAX_REGIONS]; /* what devices_map() added */
	unsigned n_regions;
};

/* All classes, in the order of classes.def; NULL past the last. */
const struct devices_class *devices_class_at(unsigned i);
const struct devices_class *devices_class_find(const char *name);
/* The property's row; NULL if the class has none of that name. */
const struct devices_prop *devices_prop_find(const struct devices_class *cls, const char *name);

/* Checks a value against its row without a device; the message names class,
 * property, value and what would be right. Any thread. */
bool devices_prop_check(const struct devices_class *cls, const struct devices_prop *prop, const char *value,
			struct vmd_error *err);

/* A device with all defaults set. `id` may be NULL. */
struct devices_device *devices_new(const struct devices_class *cls, const char *id, const struct devices_env *env,
				   struct vmd_error *err);
bool devices_set(struct devices_device *dev, const char *prop, const char *value, struct vmd_error *err);
bool devices_realize(struct devices_device *dev, struct vmd_error *err);
void devices_reset(struct devices_device *dev);
/* Unrealizes if needed, frees properties and the struct. NULL is allowed. */
void devices_free(struct devices_device *dev);

/* Adds a region to the machine's memory map for as long as the device is
 * realized; called by realize hooks. NULL on failure. */
struct emu_region *devices_map(struct devices_device *dev, const struct emu_region_desc *desc, struct vmd_error *err);

/* The chardev named by the value of a CHARDEV property; an error names the
 * device and the property. NULL on failure. */
struct backends_chardev *devices_get_chardev(struct devices_device *dev, const char *prop, const char *id,
					     struct vmd_error *err);

/* Reports a guest's mistake through env->guest_error, prefixed with the device. */
void devices_guest_error(struct devices_device *dev, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
