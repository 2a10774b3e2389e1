/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page arrays: flat tables by virtual page through which translated code
 * reaches guest memory, and what stands in for them.
 *
 * An array has an 8-byte entry for each page of the two 48-bit halves of the
 * address space, told apart by bit 48 as well as by bit 55, in a
 * reserved mapping that is all zeroes until it is used: host address minus
 * guest address. What is not in an array takes the slow path: emu/access.c with
 * its software TLB, which then puts in what may be used directly. So an array
 * holds a part of what the TLB has held since it was last emptied, and every
 * invalidation there comes here too. Views are those of the TLB: EL0, EL1, and
 * EL1 under PAN, several of each. Each half of a view is of one of the TLB's
 * sets, and is emptied when it becomes another's: EL0 has a view for each low
 * set, EL1 one for each high set.
 *
 * An index is made of bits 48 to 12 of the address alone. An address whose other
 * bits are not copies of bit 48 finds the entry of another page, and adding that
 * to it gives a host address that is not canonical either: the access traps, and
 * emu/jit_fault.c sends it down the slow path.
 *
 * The arrays of a machine are one reservation, of 2 TiB for each view. Where the
 * host refuses it (strict overcommit, a limit on address space, a sanitizer's
 * shadow, many vCPUs), all views of all vCPUs are tagged tables instead: a few
 * thousand entries chosen by the lowest bits of the page's number, whose tags
 * are whole addresses, so that nothing traps. Everything else is the same.
 */
#include "emu/jit_priv.h"

#include "emu/access_priv.h"
#include "emu/vcpu_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define INDEX_BITS 37
#define ARRAY_BYTES (UINT64_C(8) << INDEX_BITS)
#define VIEW_BYTES (2 * ARRAY_BYTES)
#define BUDGET (UINT64_C(100) << 40) /* of the host's 128 TiB, for all vCPUs */
#define TABLE_BYTES (JIT_TABLE_SIZE * sizeof(struct jit_tagged))
#define LOG_SIZE 16384u
#define HUGE_SHIFT 21

static uint64_t index_of(uint64_t va)
{
	return va << 15 >> 27;
}

static bool is_canonical(uint64_t va)
{
	return (uint64_t)((int64_t)(va << 15) >> 15) == va;
}

/* Beyond so many, clearing one by one is no gain. */
static unsigned log_size(const struct jit_view *view)
{
	return view->table ? JIT_TABLE_SIZE : LOG_SIZE;
}

static struct jit_tagged *tagged_slot(const struct jit_view *view, uint64_t va)
{
	return &view->table[va >> EMU_PAGE_BITS & (JIT_TABLE_SIZE - 1)];
}

/* ---- Life ---- */

static unsigned n_views(const struct emu_jit_arrays *arrays)
{
	return JIT_REGIMES * arrays->n_slots;
}

void emu_jit_arrays_init(struct emu_jit_arrays *arrays, unsigned n_cpus)
{
	for (unsigned n = EMU_JIT_LOW_SETS; n > 0; n /= 2) {
		struct emu_jit_arrays a = { .n_cpus = n_cpus, .n_slots = n };
		uint64_t bytes = n_cpus * n_views(&a) * VIEW_BYTES;
		if (bytes > BUDGET)
			continue;
		void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED)
			continue;
		madvise(p, bytes, MADV_NOHUGEPAGE);
		madvise(p, bytes, MADV_DONTDUMP);
		a.base = p;
		*arrays = a;
		return;
	}
}

void emu_jit_arrays_fini(struct emu_jit_arrays *arrays)
{
	if (arrays->base)
		munmap(arrays->base, arrays->n_cpus * n_views(arrays) * VIEW_BYTES);
	*arrays = (struct emu_jit_arrays){ 0 };
}

bool jit_mem_init(struct jit *j, struct vmd_error *err)
{
	const struct emu_jit_arrays *arrays = &j->cpu->system->jit_arrays;
	uint8_t *base = arrays->base;

	j->n_slots = arrays->base ? arrays->n_slots : EMU_JIT_LOW_SETS;
	j->set[1] = EMU_JIT_LOW_SETS;
	if (base) {
		base += j->cpu->index * n_views(arrays) * VIEW_BYTES;
	} else {
		void *p = mmap(NULL, JIT_VIEWS * TABLE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			goto no_memory;
		j->tables = p;
	}
	for (unsigned v = 0; v < JIT_VIEWS; v++) {
		struct jit_view *view = &j->view[v];
		if (v % EMU_JIT_LOW_SETS >= j->n_slots)
			continue;
		view->set[1] = EMU_JIT_LOW_SETS;
		if (arrays->base) {
			view->read = (uint64_t *)(void *)base;
			view->write = view->read + ARRAY_BYTES / 8;
			base += VIEW_BYTES;
		} else {
			view->table = j->tables + v * JIT_TABLE_SIZE;
		}
		view->half[0].log = malloc(log_size(view) * sizeof(uint64_t));
		view->half[1].log = malloc(log_size(view) * sizeof(uint64_t));
		if (!view->half[0].log || !view->half[1].log)
			goto no_memory;
	}
	return true;
no_memory:
	return vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot make the views of memory of vCPU %u", j->cpu->index);
}

void jit_mem_fini(struct jit *j)
{
	for (unsigned v = 0; v < JIT_VIEWS; v++) {
		free(j->view[v].half[0].log);
		free(j->view[v].half[1].log);
	}
	if (j->tables)
		munmap(j->tables, JIT_VIEWS * TABLE_BYTES);
}

/* ---- Emptying ---- */

/* What a log has of a page. */
static void clear_logged(struct jit_view *view, uint64_t index)
{
	if (view->table)
		view->table[index].tag_read = view->table[index].tag_write = 0;
	else
		view->read[index] = view->write[index] = 0;
}

static void clear_half(struct jit_view *view, unsigned h)
{
	struct jit_half *half = &view->half[h];

	if (!half->n)
		return;
	if (half->n <= log_size(view)) {
		for (unsigned i = 0; i < half->n; i++)
			clear_logged(view, half->log[i]);
	} else if (view->table) {
		memset(view->table, 0, TABLE_BYTES);
	} else {
		size_t offset = h * ARRAY_BYTES / 16;
		madvise(view->read + offset, ARRAY_BYTES / 2, MADV_DONTNEED);
		madvise(view->write + offset, ARRAY_BYTES / 2, MADV_DONTNEED);
	}
	half->n = 0;
	half->has_huge = false;
	memset(half->blocks, 0, sizeof(half->blocks));
}

static void clear_page(struct jit_view *view, uint64_t va)
{
	if (view->table) {
		struct jit_tagged *e = tagged_slot(view, va);
		if (((e->tag_read | e->tag_write) & ~EMU_PAGE_MASK) == va)
			e->tag_read = e->tag_write = 0;
		return;
	}
	uint64_t index = index_of(va);
	/* Reading what was never written costs less than making a page for it. */
	if (view->read[index])
		view->read[index] = 0;
	if (view->write[index])
		view->write[index] = 0;
}

static void drop_range(struct jit_view *view, unsigned h, uint64_t lo, uint64_t hi)
{
	struct jit_half *half = &view->half[h];

	if (!half->n)
		return;
	if (half->has_huge || hi - lo >= UINT64_C(1) << 26) {
		clear_half(view, h);
		return;
	}
	/* A page that came from a 2 MiB block goes with the whole block. */
	for (uint64_t at = lo;; at = (at | ((1u << HUGE_SHIFT) - 1)) + 1) {
		uint64_t first = at, last = at | ((1u << HUGE_SHIFT) - 1);
		unsigned bit = jit_hash_2m(at);
		if (half->blocks[bit / 64] >> bit % 64 & 1)
			first &= ~(uint64_t)((1u << HUGE_SHIFT) - 1);
		else if (last > hi)
			last = hi;
		for (uint64_t page = first >> EMU_PAGE_BITS; page <= last >> EMU_PAGE_BITS; page++)
			clear_page(view, page << EMU_PAGE_BITS);
		if ((at | ((1u << HUGE_SHIFT) - 1)) >= hi)
			break;
	}
}

/* ---- What the TLB tells ---- */

void emu_jit_clear_set(struct emu_cpu *cpu, unsigned set)
{
	struct jit *j = cpu->jit;
	unsigned h = set >= EMU_JIT_LOW_SETS;

	if (!j)
		return;
	for (unsigned v = 0; v < JIT_VIEWS; v++)
		if (j->view[v].set[h] == set)
			clear_half(&j->view[v], h);
	jit_context_clear_set(j, set);
}

void emu_jit_drop_va(struct emu_cpu *cpu, unsigned set, uint64_t lo, uint64_t hi)
{
	struct jit *j = cpu->jit;
	unsigned h = set >= EMU_JIT_LOW_SETS;

	if (!j)
		return;
	for (unsigned v = 0; v < JIT_VIEWS; v++)
		if (j->view[v].set[h] == set)
			drop_range(&j->view[v], h, lo, hi);
	jit_context_drop_va(j, set, lo, hi);
}

/* A regime's view of this moment. Where EL1 shares the upper half's mappings, it has one view of all address spaces. */
static struct jit_view *view_of(struct jit *j, enum emu_regime as)
{
	unsigned slot = as == EMU_AS_EL0 ? j->set[0] : j->set[1] - EMU_JIT_LOW_SETS;

	_Static_assert((int)JIT_REGIMES == (int)EMU_REGIMES, "a row of views for each regime");
	return &j->view[as * EMU_JIT_LOW_SETS + (slot & (j->n_slots - 1))];
}

void emu_jit_switch_sets(struct emu_cpu *cpu, unsigned low, unsigned high)
{
	struct jit *j = cpu->jit;

	if (!j)
		return;
	j->set[0] = low;
	j->set[1] = high;
	for (unsigned as = 0; as < EMU_REGIMES; as++) {
		struct jit_view *view = view_of(j, (enum emu_regime)as);
		for (unsigned h = 0; h < 2; h++) {
			if (view->set[h] != j->set[h])
				clear_half(view, h);
			view->set[h] = j->set[h];
		}
	}
	jit_context_now(cpu);
}

void emu_jit_update_views(struct emu_cpu *cpu)
{
	if (!cpu->jit)
		return;
	const struct jit_view *now = view_of(cpu->jit, emu_regime_now(cpu));
	const struct jit_view *unpriv = view_of(cpu->jit, emu_regime_unpriv(cpu));

	cpu->jit_hot.read = now->table ? (const void *)now->table : now->read;
	cpu->jit_hot.write = now->write;
	cpu->jit_hot.unpriv_read = unpriv->table ? (const void *)unpriv->table : unpriv->read;
	cpu->jit_hot.unpriv_write = unpriv->write;
}

/* ---- Filling ---- */

void jit_mem_put(struct emu_cpu *cpu, const struct emu_tlb_entry *e, uint64_t va, bool unpriv)
{
	struct jit *j = cpu->jit;
	struct jit_view *view = view_of(j, unpriv ? emu_regime_unpriv(cpu) : emu_regime_now(cpu));
	uint64_t tag = va | EMU_PAGE_MASK, index = index_of(va);
	unsigned h = va >> 55 & 1, shift = e->phys >> EMU_PHYS_SHIFT_POS & 31;

	bool read = e->tag_read == tag, write = e->tag_write == tag;
	if (!is_canonical(va) || j->debug & EMU_JIT_NO_FAST_MEM)
		return;
	jit_count(j, EMU_STAT_JIT_FILLS, 1);
	if (view->table) {
		struct jit_tagged *slot = tagged_slot(view, va);
		index = (uint64_t)(slot - view->table);
		*slot = (struct jit_tagged){ .tag_read = read ? tag : 0, .tag_write = write ? tag : 0, .addend = e->addend };
	} else {
		if (read)
			view->read[index] = e->addend;
		if (write)
			view->write[index] = e->addend;
	}
	struct jit_half *half = &view->half[h];
	if (half->n < log_size(view))
		half->log[half->n++] = index;
	else
		half->n = log_size(view) + 1;
	if (shift) {
		half->blocks[jit_hash_2m(va) / 64] |= UINT64_C(1) << jit_hash_2m(va) % 64;
		half->has_huge |= shift + EMU_PAGE_BITS > HUGE_SHIFT;
	}
}
