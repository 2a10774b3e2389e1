/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The software TLB of a vCPU.
 *
 * A set holds what half an address space looks like: direct-mapped arrays
 * ("views") for data accesses as EL0, EL1 and EL1 under PAN, and for fetches as
 * EL0 and EL1. The lower half has a set for each of the last LOW_SETS ASIDs, so
 * that switching between them costs a few stores. The upper half (bit 55 set) has
 * one set for all of them, until a page in it is not global (Linux has such pages
 * where EL0 must not see the kernel's): from then on one for each ASID, too.
 *
 * Entries are made for 4 KiB at a time whatever maps them; phys carries the
 * mapping's size, so that TLBI of any address in a block finds all its parts.
 * There is no cache of intermediate levels. Invalidating more than was asked
 * for is always allowed, and done where it is simpler.
 *
 * All memory is one zeroed mapping, so views that are never used cost nothing:
 * a tag of 0 matches no address. Thread: the vCPU's own.
 */
#include "emu/tlb_priv.h"

#include "emu/jit.h"
#include "emu/sys_priv.h"
#include "emu/vcpu_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LOW_SETS EMU_JIT_LOW_SETS
#define HIGH LOW_SETS /* the first of the upper half's sets */
#define N_SETS EMU_JIT_SETS

enum { EXEC_EL0 = EMU_REGIMES, EXEC_EL1, N_VIEWS };

struct set {
	struct emu_tlb_entry data[EMU_REGIMES][EMU_TLB_SIZE];
	struct emu_xtlb_entry exec[2][EMU_TLB_SIZE];
};

struct set_info {
	uint64_t used_at;    /* for choosing a victim */
	uint16_t asid;
	uint8_t used;        /* bit per view: may hold entries */
	bool has_blocks;     /* some entry's mapping is bigger than a page */
	bool has_global;
};

struct emu_tlb {
	struct set *sets;
	struct set_info info[N_SETS];
	unsigned low, high;  /* the current sets */
	bool split;          /* the upper half has a set for each ASID */
	uint64_t n_switches;
	uint16_t asid;
};

bool emu_tlb_init(struct emu_cpu *cpu, struct vmd_error *err)
{
	struct emu_tlb *tlb = calloc(1, sizeof(*tlb));
	void *sets = mmap(NULL, N_SETS * sizeof(struct set), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!tlb || sets == MAP_FAILED) {
		free(tlb);
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot make the TLB of vCPU %u", cpu->index);
	}
	tlb->sets = sets;
	tlb->high = HIGH;
	cpu->tlb = tlb;
	return true;
}

void emu_tlb_fini(struct emu_cpu *cpu)
{
	if (!cpu->tlb)
		return;
	munmap(cpu->tlb->sets, N_SETS * sizeof(struct set));
	free(cpu->tlb);
	cpu->tlb = NULL;
}

/* ---- Invalidation ---- */

static void clear_set(struct emu_cpu *cpu, unsigned s)
{
	struct emu_tlb *tlb = cpu->tlb;
	struct set_info *info = &tlb->info[s];
	for (unsigned v = 0; v < EMU_REGIMES; v++) {
		if (info->used >> v & 1)
			memset(tlb->sets[s].data[v], 0, sizeof(tlb->sets[s].data[v]));
	}
	for (unsigned v = 0; v < 2; v++) {
		if (info->used >> (EXEC_EL0 + v) & 1)
			memset(tlb->sets[s].exec[v], 0, sizeof(tlb->sets[s].exec[v]));
	}
	info->used = 0;
	info->has_blocks = info->has_global = false;
	emu_jit_clear_set(cpu, s);
}

/* Whether the mapping an entry came from touches [lo, hi]. */
static bool mapping_touches(uint64_t tag, uint64_t phys, uint64_t lo, uint64_t hi)
{
	if (!tag)
		return false;
	uint64_t size = UINT64_C(1) << ((phys >> EMU_PHYS_SHIFT_POS & 31) + EMU_PAGE_BITS);
	uint64_t base = (uint64_t)((int64_t)(tag << 8) >> 8) & ~(size - 1);
	return base <= hi && base + (size - 1) >= lo;
}

static void drop_data(struct emu_tlb_entry *e, uint64_t lo, uint64_t hi)
{
	if (mapping_touches(e->tag_read | e->tag_write, e->phys, lo, hi))
		e->tag_read = e->tag_write = 0;
}

static void drop_exec(struct emu_xtlb_entry *e, uint64_t lo, uint64_t hi)
{
	if (mapping_touches(e->tag, e->phys, lo, hi))
		e->tag = 0;
}

static void drop_va(struct emu_cpu *cpu, unsigned s, uint64_t lo, uint64_t hi)
{
	struct emu_tlb *tlb = cpu->tlb;
	struct set *set = &tlb->sets[s];
	const struct set_info *info = &tlb->info[s];
	uint64_t pages = (hi >> EMU_PAGE_BITS) - (lo >> EMU_PAGE_BITS) + 1;
	uint64_t first = lo >> EMU_PAGE_BITS;
	emu_jit_drop_va(cpu, s, lo, hi);
	if (info->has_blocks || pages > EMU_TLB_SIZE) {
		first = 0;
		pages = EMU_TLB_SIZE;
	}
	for (unsigned v = 0; v < N_VIEWS; v++) {
		if (!(info->used >> v & 1))
			continue;
		for (uint64_t i = 0; i < pages; i++) {
			unsigned slot = (first + i) & (EMU_TLB_SIZE - 1);
			if (v < EMU_REGIMES)
				drop_data(&set->data[v][slot], lo, hi);
			else
				drop_exec(&set->exec[v - EXEC_EL0][slot], lo, hi);
		}
	}
}

static void drop_phys(struct emu_cpu *cpu, unsigned s, uint64_t lo, uint64_t hi)
{
	struct emu_tlb *tlb = cpu->tlb;
	struct set *set = &tlb->sets[s];
	emu_jit_clear_set(cpu, s);
	for (unsigned slot = 0; slot < EMU_TLB_SIZE; slot++) {
		for (unsigned v = 0; v < EMU_REGIMES; v++) {
			struct emu_tlb_entry *e = &set->data[v][slot];
			if ((e->phys | EMU_PAGE_MASK) >= lo && (e->phys & ~EMU_PAGE_MASK) <= hi)
				e->tag_read = e->tag_write = 0;
		}
		for (unsigned v = 0; v < 2; v++) {
			struct emu_xtlb_entry *e = &set->exec[v][slot];
			if ((e->phys | EMU_PAGE_MASK) >= lo && (e->phys & ~EMU_PAGE_MASK) <= hi)
				e->tag = 0;
		}
	}
}

static bool set_matches(const struct emu_tlb *tlb, unsigned s, const struct emu_tlbi *req)
{
	const struct set_info *info = &tlb->info[s];
	if (!info->used)
		return false;
	switch (req->kind) {
	case EMU_TLBI_ALL:
	case EMU_TLBI_PHYS:
		return true;
	case EMU_TLBI_ASID:
		return info->asid == req->asid && (s < HIGH || tlb->split);
	case EMU_TLBI_VA:
		if ((req->lo >> 55 & 1) != (s >= HIGH))
			return false;
		return req->any_asid || info->asid == req->asid || info->has_global;
	}
	return false;
}

void emu_tlb_apply(struct emu_cpu *cpu, const struct emu_tlbi *req)
{
	for (unsigned s = 0; s < N_SETS; s++) {
		if (!set_matches(cpu->tlb, s, req))
			continue;
		if (req->kind == EMU_TLBI_VA)
			drop_va(cpu, s, req->lo, req->hi);
		else if (req->kind == EMU_TLBI_PHYS)
			drop_phys(cpu, s, req->lo, req->hi);
		else
			clear_set(cpu, s);
	}
	emu_code_flush_va(cpu);
}

void emu_tlb_flush(struct emu_cpu *cpu)
{
	emu_tlb_apply(cpu, &(struct emu_tlbi){ .kind = EMU_TLBI_ALL });
}

/* ---- Choosing views ---- */

void emu_tlb_update_views(struct emu_cpu *cpu)
{
	struct emu_tlb *tlb = cpu->tlb;
	struct set *low = &tlb->sets[tlb->low], *high = &tlb->sets[tlb->high];
	enum emu_regime now = emu_regime_now(cpu), unpriv = emu_regime_unpriv(cpu);
	unsigned exec = cpu->pstate.el != 0;

	cpu->view[0] = low->data[now];
	cpu->view[1] = high->data[now];
	cpu->view_unpriv[0] = low->data[unpriv];
	cpu->view_unpriv[1] = high->data[unpriv];
	cpu->xview[0] = low->exec[exec];
	cpu->xview[1] = high->exec[exec];
	emu_jit_update_views(cpu);
	emu_code_flush_va(cpu);
}

static uint16_t current_asid(const struct emu_cpu *cpu)
{
	uint64_t tcr = cpu->sys[EMU_SR_TCR_EL1];
	uint64_t ttbr = cpu->sys[tcr >> 22 & 1 ? EMU_SR_TTBR1_EL1 : EMU_SR_TTBR0_EL1];
	bool wide = (tcr >> 36 & 1) && emu_has(cpu, EMU_FEAT_ASID16);
	return (uint16_t)(ttbr >> 48 & (wide ? 0xffff : 0xff));
}

static void use_sets(struct emu_cpu *cpu, unsigned low)
{
	struct emu_tlb *tlb = cpu->tlb;
	tlb->low = low;
	tlb->high = HIGH + (tlb->split ? low : 0);
	emu_jit_switch_sets(cpu, tlb->low, tlb->high);
	emu_tlb_update_views(cpu);
}

void emu_tlb_switch_asid(struct emu_cpu *cpu)
{
	struct emu_tlb *tlb = cpu->tlb;
	uint16_t asid = current_asid(cpu);
	if (asid == tlb->asid)
		return;

	unsigned best = 0;
	for (unsigned s = 0; s < LOW_SETS; s++) {
		if (tlb->info[s].asid == asid && (tlb->info[s].used || tlb->info[HIGH + s].used)) {
			best = s;
			break;
		}
		if (tlb->info[s].used_at < tlb->info[best].used_at)
			best = s;
	}
	if (tlb->info[best].asid != asid) {
		clear_set(cpu, best);
		if (tlb->split)
			clear_set(cpu, HIGH + best);
	}
	tlb->info[best].asid = tlb->info[HIGH + best].asid = asid;
	tlb->info[best].used_at = ++tlb->n_switches;
	tlb->asid = asid;
	use_sets(cpu, best);
}

/* The upper half is about to have a page that is not global. The set that was
 * everybody's has global ones, good for the ASID that it belongs to now. */
static void split(struct emu_cpu *cpu)
{
	cpu->tlb->split = true;
	use_sets(cpu, cpu->tlb->low);
}

/* ---- Filling ---- */

static void note_use(struct emu_tlb *tlb, unsigned s, unsigned view, const struct emu_walk *walk)
{
	struct set_info *info = &tlb->info[s];
	info->used |= (uint8_t)(1u << view);
	info->has_blocks |= walk->shift > EMU_PAGE_BITS;
	info->has_global |= walk->global;
}

static uint64_t phys_of(const struct emu_walk *walk)
{
	return (walk->pa & ~EMU_PAGE_MASK) | (uint64_t)(walk->shift - EMU_PAGE_BITS) << EMU_PHYS_SHIFT_POS;
}

struct emu_tlb_entry *emu_tlb_data(struct emu_cpu *cpu, uint64_t va, enum emu_regime as, unsigned access,
				   uint8_t *ret_fsc)
{
	struct emu_tlb *tlb = cpu->tlb;
	unsigned s = va >> 55 & 1 ? tlb->high : tlb->low;
	struct emu_tlb_entry *e = &tlb->sets[s].data[as][va >> EMU_PAGE_BITS & (EMU_TLB_SIZE - 1)];
	if ((!(access & EMU_READ) || emu_tag_is(e->tag_read, va)) &&
	    (!(access & EMU_WRITE) || emu_tag_is(e->tag_write, va)))
		return e;

	struct emu_walk walk;
	if (!emu_mmu_walk(cpu, va, as, access, false, &walk, ret_fsc))
		return NULL;
	if (s == HIGH && !tlb->split && !walk.global) {
		split(cpu);
		s = tlb->high;
		e = &tlb->sets[s].data[as][va >> EMU_PAGE_BITS & (EMU_TLB_SIZE - 1)];
	}
	note_use(tlb, s, as, &walk);
	emu_pmu_count(cpu, EMU_PMU_TLB_REFILL);

	uint64_t pa = walk.pa & ~EMU_PAGE_MASK, page = va & ~EMU_PAGE_MASK;
	const struct emu_region *region = emu_mem_find(cpu->system->mem, pa);
	uint64_t phys = phys_of(&walk);
	uint64_t tag_read = page | EMU_TAG_SLOW, tag_write = page | EMU_TAG_SLOW;
	bool is_slow = cpu->sys[EMU_SR_SCTLR_EL1] & 2;

	if (emu_attr_is_device(walk.attr)) {
		phys |= EMU_PHYS_DEVICE;
		is_slow = true;
	}
	if (walk.global)
		phys |= EMU_PHYS_GLOBAL;
	if (emu_debug_watches(cpu, page)) {
		phys |= EMU_PHYS_WATCHED;
		is_slow = true;
	}
	if (region && emu_region_is_readable(region)) {
		phys |= EMU_PHYS_BYTES;
		if (!is_slow)
			tag_read |= EMU_TAG_FAST;
		if (region->desc.kind == EMU_REGION_RAM) {
			phys |= EMU_PHYS_ATOMIC;
			if (!is_slow)
				tag_write |= EMU_TAG_FAST;
		}
		const uint8_t *host = (const uint8_t *)region->desc.host + (pa - region->desc.base);
		e->addend = (uint64_t)(uintptr_t)host - page;
		if (region->steps && cpu->system->ahead)
			emu_ahead_use(cpu->system->ahead, region->steps, host);
	}
	e->phys = phys;
	e->tag_read = walk.prot & EMU_READ ? tag_read : 0;
	e->tag_write = walk.prot & EMU_WRITE ? tag_write : 0;
	return e;
}

struct emu_xtlb_entry *emu_tlb_exec(struct emu_cpu *cpu, uint64_t va, uint8_t *ret_fsc)
{
	struct emu_tlb *tlb = cpu->tlb;
	unsigned s = va >> 55 & 1 ? tlb->high : tlb->low;
	unsigned exec = cpu->pstate.el != 0;
	struct emu_xtlb_entry *e = &tlb->sets[s].exec[exec][va >> EMU_PAGE_BITS & (EMU_TLB_SIZE - 1)];
	if (emu_tag_is(e->tag, va))
		return e;

	struct emu_walk walk;
	if (!emu_mmu_walk(cpu, va, exec ? EMU_AS_EL1 : EMU_AS_EL0, EMU_EXEC, false, &walk, ret_fsc))
		return NULL;
	if (s == HIGH && !tlb->split && !walk.global) {
		split(cpu);
		s = tlb->high;
		e = &tlb->sets[s].exec[exec][va >> EMU_PAGE_BITS & (EMU_TLB_SIZE - 1)];
	}
	note_use(tlb, s, EXEC_EL0 + exec, &walk);

	uint64_t pa = walk.pa & ~EMU_PAGE_MASK;
	const struct emu_region *region = emu_mem_find(cpu->system->mem, pa);
	bool is_direct = region && emu_region_is_readable(region);
	e->phys = phys_of(&walk) | (walk.guarded ? EMU_PHYS_GUARDED : 0);
	e->host = is_direct ? (const uint32_t *)((uint8_t *)region->desc.host + (pa - region->desc.base)) : NULL;
	e->tag = (va & ~EMU_PAGE_MASK) | (is_direct ? EMU_TAG_FAST : EMU_TAG_SLOW);
	return e;
}
