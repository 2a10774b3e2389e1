/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT's blocks: how they are kept, found, and forgotten. By PC in a hash, and
 * by physical page, so that a page's can be dropped together. Thread: the vCPU's own.
 */
#include "emu/jit_priv.h"

#include "emu/access_priv.h"

#include <stdlib.h>

enum {
	HASH_SIZE = 1 << 15,
	PAGE_HASH_SIZE = 1 << 12,
};

static struct jit_block **hash_chain(struct jit *j, uint64_t pc)
{
	return &j->hash[(pc >> 2 ^ pc >> 17) % HASH_SIZE];
}

static struct jit_block **page_chain(struct jit *j, uint64_t pa)
{
	return &j->pages[(pa >> 12) % PAGE_HASH_SIZE];
}

struct jit_block *jit_block_find(struct jit *j, uint64_t pc, uint64_t pa, uint32_t flags)
{
	struct jit_block *block = *hash_chain(j, pc);

	while (block && !(block->pc == pc && block->pa == pa && block->flags == flags))
		block = block->hash_next;
	return block;
}

void jit_block_add(struct jit *j)
{
	struct jit_block *block = &j->blocks[j->n_blocks++];

	*block = (struct jit_block){ .pc = j->block_pc, .pa = j->block_pa, .flags = j->block_flags, .code = j->block_code,
		.hash_next = *hash_chain(j, j->block_pc), .page_next = *page_chain(j, j->block_pa) };
	*hash_chain(j, j->block_pc) = block;
	*page_chain(j, j->block_pa) = block;
}

void jit_block_forget_all(struct jit *j)
{
	memset(j->hash, 0, HASH_SIZE * sizeof(j->hash[0]));
	memset(j->pages, 0, PAGE_HASH_SIZE * sizeof(j->pages[0]));
	memset(j->jumps, 0, JIT_JUMPS * sizeof(j->jumps[0]));
	j->n_blocks = j->n_faults = 0;
	j->buf.p = j->buf.start + j->code_start;
	j->epoch++;
}

static void unlink_block(struct jit *j, struct jit_block *block)
{
	struct jit_block **at = hash_chain(j, block->pc);

	while (*at != block)
		at = &(*at)->hash_next;
	*at = block->hash_next;
}

static void renew_all(struct jit *j)
{
	for (unsigned i = 0; i <= EMU_JIT_LOW_SETS; i++)
		jit_context_renew(j, &j->context[i]);
	atomic_fetch_or(&j->cpu->attention, EMU_ATT_CODE);
}

void emu_jit_drop_page(struct emu_cpu *cpu, uint64_t page_pa)
{
	struct jit *j = cpu->jit;
	bool found = false;

	if (!j)
		return;
	page_pa &= ~EMU_PAGE_MASK;
	for (struct jit_block **at = page_chain(j, page_pa); *at;) {
		struct jit_block *block = *at;
		if ((block->pa & ~EMU_PAGE_MASK) != page_pa) {
			at = &block->page_next;
			continue;
		}
		*at = block->page_next;
		unlink_block(j, block);
		found = true;
	}
	if (found)
		renew_all(j);
}

void emu_jit_drop_all(struct emu_cpu *cpu)
{
	struct jit *j = cpu->jit;

	if (!j || !j->n_blocks)
		return;
	/* The code itself may be running: it goes when room is needed. */
	memset(j->hash, 0, HASH_SIZE * sizeof(j->hash[0]));
	memset(j->pages, 0, PAGE_HASH_SIZE * sizeof(j->pages[0]));
	renew_all(j);
}

bool jit_block_init(struct jit *j)
{
	j->blocks = malloc(JIT_MAX_BLOCKS * sizeof(j->blocks[0]));
	j->faults = malloc(JIT_MAX_FAULTS * sizeof(j->faults[0]));
	j->hash = calloc(HASH_SIZE, sizeof(j->hash[0]));
	j->pages = calloc(PAGE_HASH_SIZE, sizeof(j->pages[0]));
	return j->blocks && j->faults && j->hash && j->pages;
}

void jit_block_fini(struct jit *j)
{
	free(j->blocks);
	free(j->faults);
	free(j->hash);
	free(j->pages);
}
