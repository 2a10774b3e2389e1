/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT's code memory: a memfd mapped twice, for writing and for executing, so
 * that it works where memory that is both is forbidden.
 *
 *     +--------+-----------+----------+----------+----   ----+----------+
 *     | thunks | constants | region 0 | region 1 |    ...    | region n |
 *     +--------+-----------+----------+----------+----   ----+----------+
 *              ^ code_start           code ^     ^ limit                ^ code_end
 *
 * Code is put down from code_start to code_end, and then from code_start again.
 * Before it comes to a region, what is in there since the last round is
 * forgotten: its blocks, the contexts' entries for them, the jumps to them
 * from other regions, and the table of instructions that may trap. So code goes
 * in the order in which it was made, a little at a time, and there is no moment
 * at which much of it goes. A block may begin in one region and end in the next,
 * which has been emptied by then.
 *
 * Jumps from one block to another within a region go together with it. Those that
 * come from another are in a list of the region they lead to, and lead to where
 * they led before they were linked when that is emptied. The list knows by the
 * number of times that the jump's own region has been emptied whether the jump is
 * still there.
 *
 * The tables of blocks and of faults are rings in the same order; if one of them
 * is full, the oldest region goes, too. All sizes are in proportion to the cache;
 * memory is touched as it is needed, and a little before by emu/ahead.c.
 * Thread: the vCPU's own, from the loop, when no translated code is running.
 */
#include "emu/jit_priv.h"

#include "emu/access_priv.h"
#include "emu/vcpu_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	BLOCK_ROOM = 64 << 10,   /* more than a block ever needs */
	FAULT_ROOM = 4 * JIT_MAX_INSNS,
	FIXED_ROOM = 64 << 10,   /* for thunks and constants */
	MIN_REGION = 64 << 10,
	MAX_REGION = 1 << 20,
	REGIONS = 256,           /* as far as those two allow */
	BYTES_PER_BLOCK = 128,   /* less than most have */
	BYTES_PER_FAULT = 64,
	AHEAD = 1 << 20,         /* what the host is asked for at once */
};

static uint32_t power_of_two(uint64_t at_least)
{
	uint32_t n = 1;

	while (n < at_least)
		n *= 2;
	return n;
}

/* ---- Life ---- */

static bool map_code(struct jit *j, struct vmd_error *err)
{
	const char *what = "memory for the JIT's code";
	int fd = memfd_create("vmd-jit", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)j->buf_size) < 0)
		goto fail;
	void *rw = mmap(NULL, j->buf_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (rw == MAP_FAILED)
		goto fail;
	j->buf.start = rw;
	what = "executable memory";
	const void *rx = mmap(NULL, j->buf_size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	if (rx == MAP_FAILED)
		goto fail;
	j->buf.exec = rx;
	close(fd);
	return true;
fail:
	vmd_error_set(err, VMD_ERR_NO_MEMORY, errno, "The host refuses %s (%zu MiB a vCPU)", what, j->buf_size >> 20);
	if (fd >= 0)
		close(fd);
	return false;
}

bool jit_cache_init(struct jit *j, uint64_t size, struct vmd_error *err)
{
	j->region_size = power_of_two(size / REGIONS);
	if (j->region_size < MIN_REGION)
		j->region_size = MIN_REGION;
	if (j->region_size > MAX_REGION)
		j->region_size = MAX_REGION;
	j->n_regions = (unsigned)(size / j->region_size);
	j->buf_size = FIXED_ROOM + (size_t)j->n_regions * j->region_size;
	j->max_blocks = power_of_two(size / BYTES_PER_BLOCK);
	j->max_faults = power_of_two(size / BYTES_PER_FAULT);
	j->regions = calloc(j->n_regions, sizeof(j->regions[0]));
	j->faults = malloc(j->max_faults * sizeof(j->faults[0]));
	if (!j->regions || !j->faults)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot make the JIT's tables of vCPU %u", j->cpu->index);
	if (!map_code(j, err))
		return false;
	jit_stat_set(j, EMU_STAT_JIT_CACHE, (uint64_t)j->n_regions * j->region_size);
	j->buf.p = j->buf.start;
	return true;
}

void jit_cache_begin(struct jit *j)
{
	while (x86_here(&j->buf) % 64)
		x86_u8(&j->buf, 0xcc);
	j->code_start = j->limit = j->touched = x86_here(&j->buf);
	j->code_end = j->code_start + j->n_regions * j->region_size;
	j->area[JIT_AREA_WRITE] = (struct jit_area){ .start = j->buf.start, .size = j->buf_size, .write = true };
	j->area[JIT_AREA_EXEC] = (struct jit_area){ .start = j->buf.exec, .size = j->buf_size };
	j->area[JIT_AREA_FAULTS] = (struct jit_area){ .start = j->faults, .size = j->max_faults * sizeof(j->faults[0]),
		.write = true };
}

void jit_cache_fini(struct jit *j)
{
	if (j->buf.start)
		munmap(j->buf.start, j->buf_size);
	if (j->buf.exec)
		munmap((void *)(uintptr_t)j->buf.exec, j->buf_size);
	for (unsigned i = 0; j->regions && i < j->n_regions; i++)
		free(j->regions[i].links);
	free(j->regions);
	free(j->faults);
}

/* ---- Regions ---- */

static struct jit_region *region_of(struct jit *j, uint32_t code)
{
	return &j->regions[(code - j->code_start) / j->region_size];
}

/* Empties the region that begins at `limit`. */
static void evict_next(struct jit *j)
{
	struct jit_region *region = region_of(j, j->limit);
	uint32_t start = j->limit, end = start + j->region_size, tail = j->block_tail;

	j->limit = end;
	if (start >= j->touched)
		return; /* it is still as it came */
	jit_context_evict(j, start, end);
	jit_block_evict(j, start, end);
	while (j->fault_tail != j->fault_head) {
		uint32_t at = j->faults[j->fault_tail & (j->max_faults - 1)].at;
		if (at < start || at >= end)
			break;
		j->fault_tail++;
	}
	for (unsigned i = 0; i < region->n_links; i++) {
		const struct jit_link *link = &region->links[i];
		if (region_of(j, link->branch - 4)->gen == link->gen)
			x86_bind(&j->buf, link->branch, link->piece);
	}
	region->n_links = 0;
	region->gen++;
	jit_count(j, EMU_STAT_JIT_EVICTIONS, j->block_tail != tail);
	j->epoch++;
}

void jit_cache_empty(struct jit *j)
{
	while (j->limit != j->code_end)
		evict_next(j);
	j->buf.p = j->buf.start + j->code_start;
	j->limit = j->code_start;
	while (j->limit != j->code_end)
		evict_next(j);
	j->limit = j->code_start;
}

/* The area will soon be used up to `used`: asks for that, and for some more. */
static void ask_ahead(struct jit_area *area, struct emu_ahead *ahead, size_t used)
{
	while (area->asked < area->size && area->asked < used + AHEAD) {
		size_t size = area->size - area->asked < AHEAD ? area->size - area->asked : AHEAD;

		emu_ahead_want(ahead, (const uint8_t *)area->start + area->asked, size, area->write);
		area->asked += size;
	}
}

static inline bool is_full(const struct jit *j)
{
	return j->limit - x86_here(&j->buf) < BLOCK_ROOM || j->block_head - j->block_tail == j->max_blocks ||
	       j->max_faults - (j->fault_head - j->fault_tail) < FAULT_ROOM;
}

static __attribute__((noinline)) void make_room(struct jit *j)
{
	struct emu_ahead *ahead = j->cpu->system->ahead;

	while (is_full(j)) {
		if (j->limit == j->code_end) {
			j->buf.p = j->buf.start + j->code_start;
			j->limit = j->code_start;
		}
		evict_next(j);
	}
	if (j->touched < j->limit)
		j->touched = j->limit;
	ask_ahead(&j->area[JIT_AREA_WRITE], ahead, j->limit);
	ask_ahead(&j->area[JIT_AREA_EXEC], ahead, j->limit);
	ask_ahead(&j->area[JIT_AREA_BLOCKS], ahead, j->block_head * sizeof(j->blocks[0]));
	ask_ahead(&j->area[JIT_AREA_FAULTS], ahead, j->fault_head * sizeof(j->faults[0]));
	ask_ahead(&j->area[JIT_AREA_HASH], ahead, j->area[JIT_AREA_HASH].size);
}

/* From one time that there has to be room made to the next, no more than a region is filled, and less than what is
 * asked for ahead of the tables. */
void jit_cache_make_room(struct jit *j)
{
	if (is_full(j))
		make_room(j);
}

/* ---- Jumps between blocks ---- */

void jit_cache_link(struct jit *j, uint32_t branch, uint32_t target)
{
	struct jit_region *region = region_of(j, target);
	const struct jit_region *from = region_of(j, branch - 4);

	if (from != region) {
		if (region->n_links == region->max_links) {
			unsigned max = region->max_links ? region->max_links * 2 : 64;
			struct jit_link *links = realloc(region->links, max * sizeof(links[0]));
			if (!links)
				return; /* it goes through the loop once more, then */
			region->links = links;
			region->max_links = max;
		}
		region->links[region->n_links++] =
			(struct jit_link){ .branch = branch, .piece = x86_bound_to(&j->buf, branch), .gen = from->gen };
	}
	x86_bind(&j->buf, branch, target);
}

/* ---- Instructions that may trap ---- */

/* How far from the oldest code on `at` is. */
static uint32_t age_order(const struct jit *j, uint32_t at)
{
	return at >= j->limit ? at - j->limit : at + (j->code_end - j->limit);
}

bool jit_cache_find_fault(const struct jit *j, uint32_t at, uint32_t *ret_to)
{
	uint32_t lo = 0, hi = j->fault_head - j->fault_tail;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		const struct jit_fault *fault = &j->faults[(j->fault_tail + mid) & (j->max_faults - 1)];
		if (fault->at == at) {
			*ret_to = fault->to;
			return true;
		}
		if (age_order(j, fault->at) < age_order(j, at))
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}
