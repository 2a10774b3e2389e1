/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical memory map.
 *
 * The map is an immutable sorted array of regions behind an atomic pointer; a
 * change publishes a new array, then waits for the readers of the old one.
 * There are two kinds of reader:
 *
 *  - any thread, between emu_mem_enter and emu_mem_leave: it counts itself in
 *    one of two counters. A change turns the current counter over and waits for
 *    the old one to drain; new readers use the other one, so the wait ends.
 *  - vCPU threads, from one safe point to the next: the listener waits for them.
 *
 * A device function runs inside one or the other. It may therefore switch flash
 * (which changes a flag of the region, not the map) but not add or remove.
 */
#include "emu/mem.h"
#include "emu/mem_priv.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE_SIZE 4096u

struct map {
	size_t n;
	struct emu_region *regions[];
};

struct emu_mem {
	_Atomic(struct map *) map;
	unsigned pa_bits;

	_Atomic unsigned epoch;
	struct {
		_Atomic unsigned n;
	} __attribute__((aligned(64))) readers[2];

	pthread_mutex_t change_lock; /* one change at a time */
	emu_mem_changed_fn *changed; /* the processors, once there are any */
	void *changed_opaque;
};

/* ---- Readers and changes ---- */

unsigned emu_mem_enter(struct emu_mem *mem)
{
	for (;;) {
		unsigned epoch = atomic_load(&mem->epoch) & 1;
		atomic_fetch_add(&mem->readers[epoch].n, 1);
		/* Not counted in time if a change has turned over in between. */
		if ((atomic_load(&mem->epoch) & 1) == epoch)
			return epoch;
		atomic_fetch_sub(&mem->readers[epoch].n, 1);
	}
}

void emu_mem_leave(struct emu_mem *mem, unsigned token)
{
	atomic_fetch_sub(&mem->readers[token].n, 1);
}

static void tell_listener(struct emu_mem *mem, const struct emu_region *region, bool wait)
{
	if (mem->changed)
		mem->changed(mem->changed_opaque, region->desc.base, region->last, wait);
}

/* Publishes `next`, and frees the old map when neither kind of reader can be in it any more. */
static void publish(struct emu_mem *mem, struct map *next, const struct emu_region *changed)
{
	struct map *old = atomic_exchange(&mem->map, next);
	unsigned epoch = atomic_fetch_add(&mem->epoch, 1) & 1;
	while (atomic_load(&mem->readers[epoch].n)) {
		struct timespec ts = { .tv_nsec = 20000 };
		nanosleep(&ts, NULL);
	}
	tell_listener(mem, changed, true);
	free(old);
}

void emu_mem_listen(struct emu_mem *mem, emu_mem_changed_fn *fn, void *opaque)
{
	mem->changed = fn;
	mem->changed_opaque = opaque;
}

/* ---- Regions ---- */

static void region_free(struct emu_region *region)
{
	if (region)
		free(region->steps);
	free(region);
}

static struct emu_region *region_new(const struct emu_region_desc *desc)
{
	struct emu_region *region = calloc(1, sizeof(*region));

	if (!region)
		return NULL;
	*region = (struct emu_region){ .desc = *desc, .last = desc->base + desc->size - 1, .direct = true };
	if (desc->ahead && !(region->steps = emu_ahead_steps_new(desc->host, desc->size))) {
		free(region);
		return NULL;
	}
	return region;
}

/* ---- The map ---- */

struct emu_mem *emu_mem_new(unsigned pa_bits, struct vmd_error *err)
{
	assert(pa_bits >= 32 && pa_bits <= 48);
	struct emu_mem *mem = aligned_alloc(64, (sizeof(*mem) + 63) & ~(size_t)63);
	struct map *map = calloc(1, sizeof(*map));
	if (!mem || !map) {
		free(mem);
		free(map);
		vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot make the memory map");
		return NULL;
	}
	memset(mem, 0, sizeof(*mem));
	atomic_init(&mem->map, map);
	mem->pa_bits = pa_bits;
	pthread_mutex_init(&mem->change_lock, NULL);
	return mem;
}

void emu_mem_free(struct emu_mem *mem)
{
	if (!mem)
		return;
	struct map *map = atomic_load(&mem->map);
	for (size_t i = 0; i < map->n; i++)
		region_free(map->regions[i]);
	free(map);
	pthread_mutex_destroy(&mem->change_lock);
	free(mem);
}

unsigned emu_mem_pa_bits(const struct emu_mem *mem)
{
	return mem->pa_bits;
}

/* The index of the first region that ends at or after `pa`. */
static size_t map_search(const struct map *map, uint64_t pa)
{
	size_t lo = 0, hi = map->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (map->regions[mid]->last < pa)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct emu_region *map_find(const struct map *map, uint64_t pa)
{
	size_t i = map_search(map, pa);
	return i < map->n && map->regions[i]->desc.base <= pa ? map->regions[i] : NULL;
}

const struct emu_region *emu_mem_find(struct emu_mem *mem, uint64_t pa)
{
	return map_find(atomic_load_explicit(&mem->map, memory_order_acquire), pa);
}

static bool desc_check(const struct emu_mem *mem, const struct emu_region_desc *desc, struct vmd_error *err)
{
	bool is_bytes = desc->kind != EMU_REGION_MMIO;

	assert(desc->name);
	assert(!is_bytes || (desc->host && (uintptr_t)desc->host % PAGE_SIZE == 0));
	assert(desc->ops || desc->kind == EMU_REGION_RAM || desc->kind == EMU_REGION_ROM);
	if (desc->size == 0 || desc->base >> mem->pa_bits || (desc->base + desc->size - 1) >> mem->pa_bits ||
	    desc->base + desc->size - 1 < desc->base)
		return vmd_error_set(err, VMD_ERR_INVALID, 0,
			"Memory region '%s' at 0x%" PRIx64 ", 0x%" PRIx64 " bytes, does not fit %u-bit physical addresses",
			desc->name, desc->base, desc->size, mem->pa_bits);
	if (is_bytes && ((desc->base | desc->size) % PAGE_SIZE))
		return vmd_error_set(err, VMD_ERR_INVALID, 0,
			"Memory region '%s' at 0x%" PRIx64 ", 0x%" PRIx64 " bytes, is not made of 4 KiB pages",
			desc->name, desc->base, desc->size);
	return true;
}

struct emu_region *emu_mem_add(struct emu_mem *mem, const struct emu_region_desc *desc, struct vmd_error *err)
{
	if (!desc_check(mem, desc, err))
		return NULL;

	struct emu_region *region = region_new(desc);
	pthread_mutex_lock(&mem->change_lock);
	struct map *old = atomic_load(&mem->map);
	struct map *next = malloc(sizeof(*next) + (old->n + 1) * sizeof(next->regions[0]));
	if (!region || !next) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot add memory region '%s'", desc->name);
		goto fail;
	}

	size_t at = map_search(old, desc->base);
	if (at < old->n && old->regions[at]->desc.base <= region->last) {
		const struct emu_region *other = old->regions[at];
		vmd_error_set(err, VMD_ERR_INVALID, 0,
			"Memory region '%s' at 0x%" PRIx64 ", 0x%" PRIx64 " bytes, overlaps '%s' at 0x%" PRIx64
			", 0x%" PRIx64 " bytes", desc->name, desc->base, desc->size, other->desc.name,
			other->desc.base, other->desc.size);
		goto fail;
	}
	memcpy(next->regions, old->regions, at * sizeof(next->regions[0]));
	next->regions[at] = region;
	memcpy(next->regions + at + 1, old->regions + at, (old->n - at) * sizeof(next->regions[0]));
	next->n = old->n + 1;
	publish(mem, next, region);
	pthread_mutex_unlock(&mem->change_lock);
	return region;
fail:
	pthread_mutex_unlock(&mem->change_lock);
	region_free(region);
	free(next);
	return NULL;
}

void emu_mem_remove(struct emu_mem *mem, struct emu_region *region)
{
	pthread_mutex_lock(&mem->change_lock);
	struct map *old = atomic_load(&mem->map);
	struct map *next;
	struct timespec ts = { .tv_nsec = 1000000 };
	/* A removal cannot fail; a host out of memory for a few hundred bytes recovers or dies. */
	while (!(next = malloc(sizeof(*next) + old->n * sizeof(next->regions[0]))))
		nanosleep(&ts, NULL);
	next->n = 0;
	for (size_t i = 0; i < old->n; i++) {
		if (old->regions[i] != region)
			next->regions[next->n++] = old->regions[i];
	}
	assert(next->n == old->n - 1);
	publish(mem, next, region);
	pthread_mutex_unlock(&mem->change_lock);
	region_free(region);
}

void emu_region_set_direct(struct emu_mem *mem, struct emu_region *region, bool direct)
{
	assert(region->desc.kind == EMU_REGION_ROMD);
	if (atomic_exchange(&region->direct, direct) != direct)
		tell_listener(mem, region, false);
}

void emu_mem_walk(struct emu_mem *mem, emu_region_fn *fn, void *opaque)
{
	unsigned token = emu_mem_enter(mem);
	const struct map *map = atomic_load(&mem->map);
	for (size_t i = 0; i < map->n; i++) {
		const struct emu_region *region = map->regions[i];
		fn(opaque, &region->desc, emu_region_is_readable(region));
	}
	emu_mem_leave(mem, token);
}

/* ---- Device-style accesses ---- */

static unsigned piece_size(const struct emu_mmio_ops *ops, uint64_t offset, unsigned size)
{
	unsigned min = ops->min_size ? ops->min_size : 1, max = ops->max_size ? ops->max_size : 8;
	if (size < min || offset & (size - 1))
		return 0;
	return size < max ? size : max;
}

static bool ops_load(const struct emu_region *region, uint64_t offset, unsigned size, uint64_t *ret_value)
{
	const struct emu_region_desc *desc = &region->desc;
	unsigned piece = piece_size(desc->ops, offset, size);
	uint64_t value = 0;
	bool ok = piece != 0 && desc->ops->read;

	if (ok && desc->lock)
		pthread_mutex_lock(desc->lock);
	for (unsigned done = 0; ok && done < size; done += piece) {
		uint64_t part = 0;
		ok = desc->ops->read(desc->opaque, offset + done, piece, &part);
		if (piece < 8)
			part &= (UINT64_C(1) << piece * 8) - 1;
		value |= part << done * 8;
	}
	if (desc->lock && piece && desc->ops->read)
		pthread_mutex_unlock(desc->lock);
	if (ok)
		*ret_value = value;
	return ok;
}

static bool ops_store(const struct emu_region *region, uint64_t offset, unsigned size, uint64_t value)
{
	const struct emu_region_desc *desc = &region->desc;
	unsigned piece = piece_size(desc->ops, offset, size);
	bool ok = piece != 0 && desc->ops->write;

	if (!ok)
		return false;
	if (desc->lock)
		pthread_mutex_lock(desc->lock);
	for (unsigned done = 0; ok && done < size; done += piece) {
		uint64_t part = value >> done * 8;
		if (piece < 8)
			part &= (UINT64_C(1) << piece * 8) - 1;
		ok = desc->ops->write(desc->opaque, offset + done, piece, part);
	}
	if (desc->lock)
		pthread_mutex_unlock(desc->lock);
	return ok;
}

bool emu_region_load(const struct emu_region *region, uint64_t pa, unsigned size, uint64_t *ret_value)
{
	if (!region || region->last - pa < size - 1)
		return false;
	uint64_t offset = pa - region->desc.base;
	if (!emu_region_is_readable(region))
		return ops_load(region, offset, size, ret_value);
	uint64_t value = 0;
	memcpy(&value, (const uint8_t *)region->desc.host + offset, size);
	*ret_value = value;
	return true;
}

bool emu_region_store(const struct emu_region *region, uint64_t pa, unsigned size, uint64_t value)
{
	if (!region || region->last - pa < size - 1)
		return false;
	uint64_t offset = pa - region->desc.base;
	switch (region->desc.kind) {
	case EMU_REGION_RAM:
		memcpy((uint8_t *)region->desc.host + offset, &value, size);
		return true;
	case EMU_REGION_ROM:
		return false;
	case EMU_REGION_ROMD:
	case EMU_REGION_MMIO:
		return ops_store(region, offset, size, value);
	}
	return false;
}

bool emu_mem_load(struct emu_mem *mem, uint64_t pa, unsigned size, uint64_t *ret_value)
{
	unsigned token = emu_mem_enter(mem);
	bool ok = emu_region_load(emu_mem_find(mem, pa), pa, size, ret_value);
	emu_mem_leave(mem, token);
	return ok;
}

bool emu_mem_store(struct emu_mem *mem, uint64_t pa, unsigned size, uint64_t value)
{
	unsigned token = emu_mem_enter(mem);
	bool ok = emu_region_store(emu_mem_find(mem, pa), pa, size, value);
	emu_mem_leave(mem, token);
	return ok;
}

/* ---- DMA ---- */

/* The part of [pa, pa+len) in the region at `pa`, if DMA may use it: its host address and length. */
static uint8_t *dma_span(const struct map *map, uint64_t pa, size_t len, bool is_write, size_t *ret_len)
{
	const struct emu_region *region = map_find(map, pa);
	if (!region || !(region->desc.kind == EMU_REGION_RAM || (region->desc.kind == EMU_REGION_ROM && !is_write)))
		return NULL;
	uint64_t rest = region->last - pa; /* one less than the bytes left */
	*ret_len = len - 1 <= rest ? len : (size_t)rest + 1;
	return (uint8_t *)region->desc.host + (pa - region->desc.base);
}

static bool dma_check(const struct map *map, uint64_t pa, size_t len, bool is_write)
{
	while (len) {
		size_t n;
		if (!dma_span(map, pa, len, is_write, &n))
			return false;
		pa += n;
		len -= n;
	}
	return true;
}

bool emu_mem_dma_read(struct emu_mem *mem, uint64_t pa, void *buf, size_t len)
{
	unsigned token = emu_mem_enter(mem);
	const struct map *map = atomic_load(&mem->map);
	bool ok = dma_check(map, pa, len, false);
	for (size_t done = 0, n; ok && done < len; done += n) {
		const uint8_t *host = dma_span(map, pa + done, len - done, false, &n);
		memcpy((uint8_t *)buf + done, host, n);
	}
	emu_mem_leave(mem, token);
	return ok;
}

bool emu_mem_dma_write(struct emu_mem *mem, uint64_t pa, const void *buf, size_t len)
{
	unsigned token = emu_mem_enter(mem);
	const struct map *map = atomic_load(&mem->map);
	bool ok = dma_check(map, pa, len, true);
	for (size_t done = 0, n; ok && done < len; done += n) {
		uint8_t *host = dma_span(map, pa + done, len - done, true, &n);
		memcpy(host, (const uint8_t *)buf + done, n);
	}
	emu_mem_leave(mem, token);
	return ok;
}

void *emu_mem_ram(struct emu_mem *mem, uint64_t pa, size_t len)
{
	if (len == 0)
		return NULL;
	unsigned token = emu_mem_enter(mem);
	size_t n = 0;
	void *host = dma_span(atomic_load(&mem->map), pa, len, true, &n);
	emu_mem_leave(mem, token);
	return n == len ? host : NULL;
}
