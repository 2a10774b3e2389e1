/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pre-decoded code: for each physical page of 4 KiB that has been executed, an
 * entry per instruction with the function that executes it and its fields.
 *
 * An entry starts out with a function that decodes the instruction, replaces
 * itself and goes on as what it has become. Past the last entry stands one that
 * takes execution to the next page. A page is forgotten by resetting its
 * entries, never by freeing it while its code may be running: entries that the
 * loop points to stay valid. Memory is given back, all pages at once, only in
 * emu_code_find, when the loop is between two pages.
 *
 * Private to one vCPU, on its thread.
 */
#ifndef EMU_CODE_PRIV_H
#define EMU_CODE_PRIV_H

#include "emu/a64_decode.h"
#include "emu/cpu_priv.h"

#define CODE_PAGE_INSNS 1024
#define CODE_MAX_PAGES 2048 /* 50 MB */
#define CODE_HASH_SIZE 1024
#define CODE_VA_SIZE 256

struct code_insn {
	a64_exec_fn *exec;
	union a64_args args;
};

struct code_page {
	uint64_t pa;
	const uint32_t *host;   /* the instructions */
	bool decoded;           /* some entry is */
	struct code_page *next; /* in the hash chain */
	struct code_insn insns[CODE_PAGE_INSNS + 1];
};

/* Where a virtual page's code is. `tag` is the page's address, 1, and 2 for
 * EL0; 0 is none. */
struct code_va {
	uint64_t tag;
	struct code_page *page;
	bool guarded;
};

struct emu_code {
	/* The page that the loop is in. cur_tag is 0 when it must be looked up
	 * again, wherever execution goes. */
	uint64_t cur_tag;
	struct code_page *cur_page;
	bool guarded; /* the executing instruction's page has the GP bit (BTI) */
	bool resync;  /* the instruction was an ISB: look the page up again for the next */
	bool has_bti, has_pauth;

	unsigned n_pages;
	struct code_page *hash[CODE_HASH_SIZE];
	struct code_va va[CODE_VA_SIZE];

	/* An instruction outside memory that can be read directly, and the end of its page. */
	uint32_t single_word;
	struct code_insn single[2];
};

static inline uint64_t code_tag(const struct emu_cpu *cpu, uint64_t pc)
{
	return (pc & ~0xfffull) | 1 | (cpu->pstate.el == 0 ? 2 : 0);
}

/* The entry for the instruction at `pc`, after a look-up; makes the page
 * current. Raises what the fetch raises. The entry is good until the next call. */
struct code_insn *emu_code_find(struct emu_cpu *cpu, uint64_t pc);
/* The instruction at cpu->pc, right after it was found. */
uint32_t emu_code_word(const struct emu_cpu *cpu);

#endif
