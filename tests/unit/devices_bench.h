/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bench to put one device on: a memory map with RAM, a clock, a chardev that
 * the test plays, bottom halves that the test runs, and a count of guest errors.
 */
#ifndef TESTS_UNIT_DEVICES_BENCH_H
#define TESTS_UNIT_DEVICES_BENCH_H

#include "backends/chardev.h"
#include "devices/device.h"

#define BENCH_RAM 0x40000000u
#define BENCH_RAM_SIZE 0x100000u
#define BENCH_BASE 0x9000000u /* where bench_device puts a device */

struct backends_chardev {
	struct backends_chardev_fe fe;
	bool attached;
	uint8_t out[4096]; /* what the guest wrote */
	size_t n_out;
	size_t room;       /* how much more is taken; SIZE_MAX: all */
	unsigned accepts;  /* calls of accept_input */
};

struct bench {
	struct devices_env env;
	uint8_t *ram;
	struct backends_chardev chardev; /* found as "serial0" */
	unsigned guest_errors;
	bool lines[8];                   /* levels of bench_line wires */
	unsigned edges[8];               /* how often each rose */
	struct {
		void (*fn)(void *arg);
		void *arg;
	} posted[16];
	unsigned n_posted;
};

void bench_init(struct bench *b);
void bench_fini(struct bench *b);
struct emu_irq bench_line(struct bench *b, unsigned n);
/* Runs what was posted, until nothing is. */
void bench_run_posted(struct bench *b);

/* A device at BENCH_BASE with irq[0] on line 0, realized and reset. `props` is
 * name, value, ..., NULL; or NULL. */
struct devices_device *bench_device(struct bench *b, const char *cls, const char *const *props);

/* Accesses that must succeed. */
uint64_t bench_read(struct bench *b, uint64_t pa, unsigned size);
void bench_write(struct bench *b, uint64_t pa, unsigned size, uint64_t value);
/* The chardev's other side sends; returns how much was received. */
size_t bench_type(struct bench *b, const char *text);

#endif
