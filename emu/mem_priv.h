/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory map as the MMU sees it, and how the vCPUs hear of its changes. */
#ifndef EMU_MEM_PRIV_H
#define EMU_MEM_PRIV_H

#include "emu/ahead.h"
#include "emu/mem.h"

#include <stdatomic.h>

struct emu_region {
	struct emu_region_desc desc;
	uint64_t last;        /* the last byte's address */
	_Atomic bool direct;  /* ROMD: read and executed from `host` */
	struct emu_ahead_steps *steps; /* desc.ahead: what vCPUs have used of it */
};

/* The region that holds `pa`, NULL if there is none. For vCPU threads: the
 * answer is good until the thread's next safe point. Any other thread calls it
 * between emu_mem_enter and emu_mem_leave. */
const struct emu_region *emu_mem_find(struct emu_mem *mem, uint64_t pa);
unsigned emu_mem_enter(struct emu_mem *mem);
void emu_mem_leave(struct emu_mem *mem, unsigned token);

/* emu_mem_load and emu_mem_store, by what emu_mem_find has said. A vCPU need not enter the map for each access. */
bool emu_region_load(const struct emu_region *region, uint64_t pa, unsigned size, uint64_t *ret_value);
bool emu_region_store(const struct emu_region *region, uint64_t pa, unsigned size, uint64_t value);

/* Whether the region's bytes may be read, and executed, through desc.host. */
static inline bool emu_region_is_readable(const struct emu_region *region)
{
	return region->desc.kind == EMU_REGION_RAM || region->desc.kind == EMU_REGION_ROM ||
	       (region->desc.kind == EMU_REGION_ROMD && atomic_load_explicit(&region->direct, memory_order_relaxed));
}

/* Called after the map has changed at [base, last]: drop what was derived from
 * it, on all vCPUs. With `wait`, return once no vCPU can still use it; without,
 * only the calling vCPU's own (if it is one) must be gone on return. */
typedef void emu_mem_changed_fn(void *opaque, uint64_t base, uint64_t last, bool wait);
/* One listener; set, or taken off with NULL, while nothing uses the map. */
void emu_mem_listen(struct emu_mem *mem, emu_mem_changed_fn *fn, void *opaque);

unsigned emu_mem_pa_bits(const struct emu_mem *mem);

#endif
