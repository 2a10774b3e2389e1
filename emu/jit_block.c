/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT's blocks: how they are kept, found, and forgotten. By PC in a hash, and
 * by physical page, so that a page's can be dropped together. Thread: the vCPU's own.
 *
 * Blocks are a ring in the order in which they were made, and chains link them by
 * numbers that count them from 1 on. A chain goes from the newest to the oldest: it
 * ends where the number is of a block that is no longer there (follow). So the
 * oldest blocks are forgotten without a look at their chains, as all are when
 * all are dropped. A chain's last number may be so old that numbers have come
 * round to it: what is found there is compared like any other, and numbers that
 * do not lead from newer to older end the chain, too.
 */
#include "emu/jit_priv.h"

#include "emu/access_priv.h"

#include <sys/mman.h>

enum { BLOCKS_PER_CHAIN = 1, BLOCKS_PER_PAGE_CHAIN = 8 };

static uint32_t hash_size(const struct jit *j)
{
	return j->max_blocks / BLOCKS_PER_CHAIN;
}

static uint32_t page_hash_size(const struct jit *j)
{
	return j->max_blocks / BLOCKS_PER_PAGE_CHAIN;
}

/* A page's blocks are near each other in the table: who looks for one has looked for, or made,
 * one of the same page before. Programs are at the same addresses, one as the other, and
 * libraries' pages at many, so both addresses tell where. */
static uint32_t *hash_chain(const struct jit *j, uint64_t pc, uint64_t pa)
{
	enum { LINE = 64 / sizeof(j->hash[0]), BLOCK_BYTES = 16 };
	uint64_t page = (pc >> EMU_PAGE_BITS ^ pa >> EMU_PAGE_BITS << 20) * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	return &j->hash[(page * LINE + (pc & EMU_PAGE_MASK) / BLOCK_BYTES) & (hash_size(j) - 1)];
}

static uint32_t *page_chain(const struct jit *j, uint64_t pa)
{
	return &j->pages[(pa >> EMU_PAGE_BITS) & (page_hash_size(j) - 1)];
}

/* The block of a chain's next number; NULL at its end. `age` starts at 0. */
static struct jit_block *follow(const struct jit *j, uint32_t number, uint32_t *age)
{
	uint32_t its_age = j->block_head - number;

	if (its_age <= *age || its_age > j->block_head - j->block_first)
		return NULL;
	*age = its_age;
	return &j->blocks[number & (j->max_blocks - 1)];
}

struct jit_block *jit_block_find(struct jit *j, uint64_t pc, uint64_t pa, uint32_t flags)
{
	uint64_t place = jit_block_place(pa, flags);
	uint32_t number = *hash_chain(j, pc, pa), age = 0;
	struct jit_block *block;

	while ((block = follow(j, number, &age)) && (block->pc != pc || block->place != place))
		number = block->hash_next;
	return block;
}

void jit_block_begin(struct jit *j)
{
	__builtin_prefetch(&j->blocks[j->block_head & (j->max_blocks - 1)], 1);
	__builtin_prefetch(page_chain(j, j->block_pa), 1);
}

struct jit_block *jit_block_add(struct jit *j)
{
	uint32_t number = j->block_head++;
	struct jit_block *block = &j->blocks[number & (j->max_blocks - 1)];
	uint32_t *hash_at = hash_chain(j, j->block_pc, j->block_pa), *page_at = page_chain(j, j->block_pa);

	*block = (struct jit_block){ .pc = j->block_pc, .place = jit_block_place(j->block_pa, j->block_flags),
		.code = j->block_code, .n = (uint16_t)j->n, .size = (uint16_t)(x86_here(&j->buf) - j->block_code),
		.hash_next = *hash_at, .page_next = *page_at };
	*hash_at = *page_at = number;
	jit_count(j, EMU_STAT_JIT_BLOCKS, 1);
	return block;
}

/* Takes a block out of its hash chain, and marks it: it is no longer in the page's. */
static void drop(struct jit *j, struct jit_block *block, uint32_t number)
{
	uint32_t *at = hash_chain(j, block->pc, jit_block_pa(block)), age = 0;
	struct jit_block *other;

	while (*at != number && (other = follow(j, *at, &age)))
		at = &other->hash_next;
	*at = block->hash_next;
	block->pc |= JIT_BLOCK_DROPPED;
	jit_count(j, EMU_STAT_JIT_DROPPED, 1);
	jit_stat_set(j, EMU_STAT_JIT_BLOCKS, j->stats[EMU_STAT_JIT_BLOCKS] - 1);
}

void jit_block_evict(struct jit *j, uint32_t start, uint32_t end)
{
	uint64_t n = 0;

	for (; j->block_tail != j->block_head; j->block_tail++) {
		const struct jit_block *block = &j->blocks[j->block_tail & (j->max_blocks - 1)];
		if (block->code < start || block->code >= end)
			break;
		if (j->block_tail == j->block_first) {
			j->block_first++;
			n += !(block->pc & JIT_BLOCK_DROPPED);
		}
	}
	jit_count(j, EMU_STAT_JIT_EVICTED, n);
	jit_stat_set(j, EMU_STAT_JIT_BLOCKS, j->stats[EMU_STAT_JIT_BLOCKS] - n);
}

void emu_jit_drop_page(struct emu_cpu *cpu, uint64_t page_pa)
{
	struct jit *j = cpu->jit;
	struct jit_block *block;
	uint32_t age = 0;
	bool found = false;

	if (!j)
		return;
	page_pa &= ~EMU_PAGE_MASK;
	for (uint32_t *at = page_chain(j, page_pa); (block = follow(j, *at, &age));) {
		if ((block->place & ~EMU_PAGE_MASK) == page_pa) {
			uint32_t number = *at;
			*at = block->page_next;
			drop(j, block, number);
			found = true;
		} else {
			at = &block->page_next;
		}
	}
	if (found)
		jit_context_renew_all(j);
}

void emu_jit_drop_all(struct emu_cpu *cpu)
{
	struct jit *j = cpu->jit;

	if (!j || j->block_head == j->block_first)
		return;
	/* The code itself may be running: it goes when its turn comes. */
	j->block_first = j->block_head;
	jit_count(j, EMU_STAT_JIT_DROPPED, j->stats[EMU_STAT_JIT_BLOCKS]);
	jit_stat_set(j, EMU_STAT_JIT_BLOCKS, 0);
	jit_context_renew_all(j);
}

/* Zeroed, and looked at all over: in large pages where the host has them. */
static void *table_new(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, size, MADV_HUGEPAGE);
	return p;
}

static void table_free(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}

bool jit_block_init(struct jit *j)
{
	_Static_assert(sizeof(j->blocks[0]) == 32, "a line of the host's cache has two blocks");
	j->block_first = j->block_head = j->block_tail = 1;
	j->blocks = table_new(j->max_blocks * sizeof(j->blocks[0]));
	j->hash = table_new(hash_size(j) * sizeof(j->hash[0]));
	j->pages = table_new(page_hash_size(j) * sizeof(j->pages[0]));
	j->area[JIT_AREA_BLOCKS] = (struct jit_area){ .start = j->blocks, .size = j->max_blocks * sizeof(j->blocks[0]),
		.write = true };
	j->area[JIT_AREA_HASH] = (struct jit_area){ .start = j->hash, .size = hash_size(j) * sizeof(j->hash[0]), .write = true };
	return j->blocks && j->hash && j->pages;
}

void jit_block_fini(struct jit *j)
{
	table_free(j->blocks, j->max_blocks * sizeof(j->blocks[0]));
	table_free(j->hash, hash_size(j) * sizeof(j->hash[0]));
	table_free(j->pages, page_hash_size(j) * sizeof(j->pages[0]));
}
