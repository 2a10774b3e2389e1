/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board "virt": processors, memory and devices wired together at the
 * addresses of QEMU's board of that name, which firmware builds hard-code.
 *
 * Life: new -> (run by the machine role) -> [reset ...] -> free, on the I/O
 * thread with the vCPUs paused. The board starts out reset and loaded.
 */
#ifndef VMD_BOARD_H
#define VMD_BOARD_H

#include "devices/device.h"
#include "emu/system.h"
#include "protocol/error.h"
#include "protocol/schema.h"

#define BOARD_MAX_SERIALS 2

/* A file the machine boots from. The board reads it anew at each reset. */
struct board_file {
	int fd;           /* -1: none; the caller's, open as long as the board lives */
	const char *name; /* the user's path, for messages */
};

struct board_device {
	const char *driver, *id; /* id may be NULL */
	const char *bus;         /* NULL: the first that fits */
	size_t n_props;
	const struct proto_pair *props; /* names and values */
};

/* Strings, arrays and files are the caller's and outlive the board. */
struct board_config {
	const char *cpu_model;
	enum emu_accel accel;
	uint64_t jit_cache;       /* of each vCPU, in bytes */
	unsigned jit_debug;       /* EMU_JIT_* */
	unsigned n_cpus;
	uint64_t ram_size;        /* bytes */
	unsigned gic_version;     /* 2 or 3 */
	bool semihosting, semihosting_files;
	const char *semihosting_cmdline;
	const char *append;       /* kernel command line, may be NULL */
	struct board_file bios, kernel, dtb;
	const struct board_file *initrds;
	size_t n_initrds;
	/* Chardev ids of the UARTs; the first is the board's own UART. */
	const char *serials[BOARD_MAX_SERIALS];
	size_t n_serials;
	const struct board_device *devices;
	size_t n_devices;
	/* For the vCPUs; see emu_system_config. */
	void (*event)(void *opaque, unsigned cpu, enum emu_event event, uint64_t value);
	void (*guest_error)(void *opaque, const char *message);
	void (*report)(void *opaque, const char *text);
	/* Where semihosting prints; NULL without semihosting. */
	void (*semihost_write)(void *opaque, const uint8_t *buf, size_t len);
	void *opaque;
};

struct board;

/* `env` must outlive the board; env->mem and env->clock are made by the caller. */
struct board *board_new(const struct board_config *config, const struct devices_env *env, struct vmd_error *err);
void board_free(struct board *board);

struct emu_system *board_system(struct board *board);
/* Resets devices and vCPUs and loads the boot files again. */
bool board_reset(struct board *board, struct vmd_error *err);
/* Presses the power key, as a person would: down, and up a moment later. */
void board_press_power_key(struct board *board);

/* The device tree the kernel is given; valid until the next reset. */
const void *board_fdt(const struct board *board, size_t *ret_len);

/* The board's devices in the order they were made; NULL past the last. */
const struct devices_device *board_device_at(const struct board *board, size_t i);

/* Checks a definition's devices without making them: drivers, properties, buses
 * and ids. For the broker, before anything starts. */
bool board_check_devices(const struct board_device *devices, size_t n_devices, struct vmd_error *err);

#endif
