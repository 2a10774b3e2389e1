/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical memory map of a machine: RAM, ROM, flash and device regions.
 *
 * Addresses and sizes are bytes. Regions do not overlap. Regions of RAM, ROM
 * and flash begin and end on 4 KiB boundaries, device regions on any. The map
 * is read without a lock by vCPU threads. It may be changed at any time, and a
 * change returns when nobody can still use what it replaced: so add and remove
 * must not be called inside a device's function or with a region's lock held.
 */
#ifndef EMU_MEM_H
#define EMU_MEM_H

#include "protocol/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct emu_mem;
struct emu_region;

/*
 * A device's access functions. `offset` is from the region's start, `size` is
 * 1, 2, 4 or 8 and within [min_size, max_size], `offset` is a multiple of
 * `size`. A wider access is split, lowest address first; a narrower or
 * misaligned one is refused before it gets here. Returning false gives the
 * guest an external abort. Called on the thread of the vCPU (or of the DMA
 * master) that makes the access, with the region's lock held if it has one.
 */
struct emu_mmio_ops {
	bool (*read)(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value);
	bool (*write)(void *opaque, uint64_t offset, unsigned size, uint64_t value);
	uint8_t min_size; /* 0 means 1 */
	uint8_t max_size; /* 0 means 8 */
};

enum emu_region_kind {
	EMU_REGION_RAM,  /* read, written and executed directly */
	EMU_REGION_ROM,  /* read and executed directly; a write is an external abort */
	EMU_REGION_ROMD, /* flash: written through ops; read directly or through ops, see below */
	EMU_REGION_MMIO, /* all through ops; execution is an external abort */
};

struct emu_region_desc {
	const char *name;               /* static or outliving the region; for listings */
	enum emu_region_kind kind;
	uint64_t base, size;
	void *host;                     /* RAM, ROM, ROMD: the bytes, page aligned, owned by the caller */
	const struct emu_mmio_ops *ops; /* ROMD, MMIO */
	void *opaque;                   /* for ops */
	pthread_mutex_t *lock;          /* held around ops; NULL when the device locks for itself */
	bool ahead;                     /* RAM that stays until no system uses the map: the host may be asked for it early */
};

/* An empty map of 2^pa_bits bytes (32 to 48). */
struct emu_mem *emu_mem_new(unsigned pa_bits, struct vmd_error *err);
void emu_mem_free(struct emu_mem *mem);

/* Adds a region; the description is copied. NULL when it overlaps another or
 * leaves the address space. A ROMD region starts out readable directly. */
struct emu_region *emu_mem_add(struct emu_mem *mem, const struct emu_region_desc *desc, struct vmd_error *err);
void emu_mem_remove(struct emu_mem *mem, struct emu_region *region);

/* ROMD: whether reads and execution go straight to the bytes (true) or reads
 * go through ops (false). May be called inside the region's own ops. */
void emu_region_set_direct(struct emu_mem *mem, struct emu_region *region, bool direct);

/* One device-style access, as a vCPU makes it after translation; for any kind
 * of region. False means external abort. */
bool emu_mem_load(struct emu_mem *mem, uint64_t pa, unsigned size, uint64_t *ret_value);
bool emu_mem_store(struct emu_mem *mem, uint64_t pa, unsigned size, uint64_t value);

/* DMA: plain bytes, RAM only (for reads also ROM). False, with nothing done,
 * when any byte is elsewhere: a device never drives another device. */
bool emu_mem_dma_read(struct emu_mem *mem, uint64_t pa, void *buf, size_t len);
bool emu_mem_dma_write(struct emu_mem *mem, uint64_t pa, const void *buf, size_t len);

/* The host address of [pa, pa+len) if all of it lies in one RAM region, else
 * NULL. Valid until that region is removed. */
void *emu_mem_ram(struct emu_mem *mem, uint64_t pa, size_t len);

/* Calls `fn` for each region in the order of addresses. */
typedef void emu_region_fn(void *opaque, const struct emu_region_desc *desc, bool direct);
void emu_mem_walk(struct emu_mem *mem, emu_region_fn *fn, void *opaque);

#endif
