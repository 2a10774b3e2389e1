/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT's blocks: how they are kept, found, and forgotten. By PC in a hash, and
 * by physical page, so that a page's can be dropped together. Thread: the vCPU's own.
 */
#include "emu/jit_priv.h"

#include "emu/access_priv.h"

#include <sys/mman.h>

enum { BLOCKS_PER_CHAIN = 1, BLOCKS_PER_PAGE_CHAIN = 32 };

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
static struct jit_block **hash_chain(struct jit *j, uint64_t pc, uint64_t pa)
{
	enum { LINE = 64 / sizeof(struct jit_block *) };
	uint64_t page = (pc >> EMU_PAGE_BITS ^ pa >> EMU_PAGE_BITS << 20) * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	return &j->hash[(page * LINE + (pc & EMU_PAGE_MASK) / 8) & (hash_size(j) - 1)];
}

static struct jit_block **page_chain(struct jit *j, uint64_t pa)
{
	return &j->pages[(pa >> 12) & (page_hash_size(j) - 1)];
}

struct jit_block *jit_block_find(struct jit *j, uint64_t pc, uint64_t pa, uint32_t flags)
{
	struct jit_block *block = *hash_chain(j, pc, pa);

	while (block && !(block->pc == pc && block->pa == pa && block->flags == flags))
		block = block->hash_next;
	return block;
}

struct jit_block *jit_block_add(struct jit *j)
{
	struct jit_block *block = &j->blocks[j->block_head++ & (j->max_blocks - 1)];
	struct jit_block **hash_at = hash_chain(j, j->block_pc, j->block_pa), **page_at = page_chain(j, j->block_pa);

	*block = (struct jit_block){ .pc = j->block_pc, .pa = j->block_pa, .flags = j->block_flags, .code = j->block_code,
		.n = (uint16_t)j->n, .size = (uint16_t)(x86_here(&j->buf) - j->block_code),
		.gen = j->block_gen, .hash_next = *hash_at, .hash_at = hash_at, .page_next = *page_at, .page_at = page_at };
	if (block->hash_next)
		block->hash_next->hash_at = &block->hash_next;
	if (block->page_next)
		block->page_next->page_at = &block->page_next;
	*hash_at = *page_at = block;
	jit_count(j, EMU_STAT_JIT_BLOCKS, 1);
	return block;
}

/* Takes the block out of the hashes. */
static void unlink_block(struct jit *j, struct jit_block *block)
{
	*block->hash_at = block->hash_next;
	if (block->hash_next)
		block->hash_next->hash_at = block->hash_at;
	*block->page_at = block->page_next;
	if (block->page_next)
		block->page_next->page_at = block->page_at;
	block->gen = 0;
	jit_stat_set(j, EMU_STAT_JIT_BLOCKS, j->stats[EMU_STAT_JIT_BLOCKS] - 1);
}

void jit_block_evict(struct jit *j, uint32_t start, uint32_t end)
{
	for (; j->block_tail != j->block_head; j->block_tail++) {
		struct jit_block *block = &j->blocks[j->block_tail & (j->max_blocks - 1)];
		if (block->code < start || block->code >= end)
			return;
		if (block->gen == j->block_gen) {
			unlink_block(j, block);
			jit_count(j, EMU_STAT_JIT_EVICTED, 1);
		}
	}
}

void emu_jit_drop_page(struct emu_cpu *cpu, uint64_t page_pa)
{
	struct jit *j = cpu->jit;
	bool found = false;

	if (!j)
		return;
	page_pa &= ~EMU_PAGE_MASK;
	for (struct jit_block *block = *page_chain(j, page_pa), *next; block; block = next) {
		next = block->page_next;
		if ((block->pa & ~EMU_PAGE_MASK) == page_pa) {
			unlink_block(j, block);
			jit_count(j, EMU_STAT_JIT_DROPPED, 1);
			found = true;
		}
	}
	if (found)
		jit_context_renew_all(j);
}

void emu_jit_drop_all(struct emu_cpu *cpu)
{
	struct jit *j = cpu->jit;

	if (!j || j->block_head == j->block_tail)
		return;
	/* The code itself may be running: it goes when its turn comes. */
	memset(j->hash, 0, hash_size(j) * sizeof(j->hash[0]));
	memset(j->pages, 0, page_hash_size(j) * sizeof(j->pages[0]));
	if (++j->block_gen == 0)
		j->block_gen = 1;
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
	_Static_assert(sizeof(j->blocks[0]) == 64, "a block is one line of the host's cache");
	j->block_gen = 1;
	j->blocks = table_new(j->max_blocks * sizeof(j->blocks[0]));
	j->hash = table_new(hash_size(j) * sizeof(j->hash[0]));
	j->pages = table_new(page_hash_size(j) * sizeof(j->pages[0]));
	return j->blocks && j->hash && j->pages;
}

void jit_block_fini(struct jit *j)
{
	table_free(j->blocks, j->max_blocks * sizeof(j->blocks[0]));
	table_free(j->hash, hash_size(j) * sizeof(j->hash[0]));
	table_free(j->pages, page_hash_size(j) * sizeof(j->pages[0]));
}
