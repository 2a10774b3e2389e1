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
 * emu_code_find_slow, when the loop is between two pages.
 *
 * Private to one vCPU, on its thread.
 */
#ifndef EMU_CODE_PRIV_H
#define EMU_CODE_PRIV_H

#include "emu/a64_decode.h"
#include "emu/cpu_priv.h"

#define CODE_PAGE_INSNS 1024
#define CODE_MAX_PAGES 2048 /* about 33 MB */
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

/* Where a virtual page's code is, for one exception level. */
struct code_va {
	uint64_t tag; /* see code_va_tag; 0: none */
	struct code_page *page;
	uint32_t gen; /* good while it is emu_code.va_gen */
	bool guarded;
};

struct emu_code {
	/* The page that the loop is in. cur_tag (see code_cur_tag) is 0 when a taken
	 * branch must look it up again, wherever it goes: the translation may have
	 * changed, or the exception level, or PSTATE.BTYPE is not 0. */
	uint64_t cur_tag;
	struct code_page *cur_page;
	bool guarded; /* the executing instruction's page has the GP bit (BTI) */
	bool resync;  /* the instruction was an ISB or like one: the next one follows, but looks the page up again */
	bool has_bti, has_pauth;

	unsigned n_pages;
	struct code_page *hash[CODE_HASH_SIZE];
	uint32_t va_gen;
	struct code_va va[CODE_VA_SIZE];

	/* An instruction outside memory that can be read directly, and the end of its page. */
	uint32_t single_word;
	struct code_insn single[2];
};

/* Equal for two addresses in one page that are aligned to an instruction, and
 * then only; never 0. */
static inline uint64_t code_cur_tag(uint64_t pc)
{
	return (pc & ~0xffcull) | 4;
}

static inline uint64_t code_va_tag(const struct emu_cpu *cpu, uint64_t pc)
{
	return code_cur_tag(pc) | (cpu->pstate.el == 0 ? 8 : 0);
}

/* The look-up when `va` does not have it. Raises what the fetch raises. */
struct code_insn *emu_code_find_slow(struct emu_cpu *cpu, uint64_t pc);

/* The entry for the instruction at `pc`, good until the next call; makes the
 * page current. */
static inline struct code_insn *emu_code_find(struct emu_cpu *cpu, uint64_t pc)
{
	struct emu_code *code = cpu->code;
	const struct code_va *va = &code->va[(pc >> 12) % CODE_VA_SIZE];

	if (__builtin_expect(va->tag != code_va_tag(cpu, pc) || va->gen != code->va_gen, false))
		return emu_code_find_slow(cpu, pc);
	code->cur_tag = code_cur_tag(pc);
	code->cur_page = va->page;
	code->guarded = va->guarded;
	return &va->page->insns[pc / 4 % CODE_PAGE_INSNS];
}

/* The instruction at cpu->pc, right after it was found. */
uint32_t emu_code_word(const struct emu_cpu *cpu);

#endif
