/* SPDX-License-Identifier: BSD-2-Clause */
/* The pre-decoded code of a vCPU: see emu/code_priv.h. */
#include "emu/code_priv.h"

#include "emu/access_priv.h"
#include "emu/sys_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Entries ---- */

static void exec_undefined(struct emu_cpu *cpu, const union a64_args *args)
{
	emu_raise_undefined(cpu);
}

/* Past a page's last instruction: not an instruction, but the way to the next page. */
static void exec_page_end(struct emu_cpu *cpu, const union a64_args *args)
{
	cpu->next_pc = cpu->pc;
	emu_count_retired(cpu, UINT64_MAX); /* takes one back */
}

static void decode(const struct emu_cpu *cpu, uint32_t insn, struct code_insn *ret_insn)
{
	enum a64_op op;

	ret_insn->exec = exec_undefined;
	if (!a64_decode(insn, &op, &ret_insn->args))
		return;
	for (unsigned i = 0; i < sizeof(a64_encodings[op].features) / sizeof(a64_encodings[op].features[0]); i++) {
		int feature = a64_encodings[op].features[i];
		if (feature >= 0 && !emu_has(cpu, (enum emu_feature)feature))
			return;
	}
	ret_insn->exec = a64_exec[op];
}

/* The function of an entry that has not been decoded. */
static void exec_decode(struct emu_cpu *cpu, const union a64_args *args)
{
	unsigned i = cpu->pc / 4 % CODE_PAGE_INSNS;
	struct code_page *page = cpu->code->cur_page;
	struct code_insn *insn = &page->insns[i];

	page->decoded = true;
	decode(cpu, __atomic_load_n(&page->host[i], __ATOMIC_RELAXED), insn);
	insn->exec(cpu, &insn->args);
}

static void reset_page(struct code_page *page)
{
	for (unsigned i = 0; i < CODE_PAGE_INSNS; i++)
		page->insns[i].exec = exec_decode;
	page->insns[CODE_PAGE_INSNS].exec = exec_page_end;
	page->decoded = false;
}

/* ---- Pages ---- */

static struct code_page **chain(struct emu_code *code, uint64_t pa)
{
	return &code->hash[(pa >> 12) % CODE_HASH_SIZE];
}

static void free_pages(struct emu_code *code)
{
	for (unsigned i = 0; i < CODE_HASH_SIZE; i++) {
		while (code->hash[i]) {
			struct code_page *page = code->hash[i];
			code->hash[i] = page->next;
			free(page);
		}
	}
	code->n_pages = 0;
}

static struct code_page *find_page(struct emu_code *code, uint64_t pa)
{
	struct code_page *page = *chain(code, pa);

	while (page && page->pa != pa)
		page = page->next;
	return page;
}

/* NULL when there is no memory. Other pages may be freed. */
static struct code_page *new_page(struct emu_cpu *cpu, uint64_t pa)
{
	struct emu_code *code = cpu->code;
	struct code_page *page = NULL;

	if (code->n_pages < CODE_MAX_PAGES)
		page = malloc(sizeof(*page));
	if (!page) {
		emu_code_flush_va(cpu);
		free_pages(code);
		page = malloc(sizeof(*page));
		if (!page)
			return NULL;
	}
	page->pa = pa;
	page->next = *chain(code, pa);
	*chain(code, pa) = page;
	code->n_pages++;
	reset_page(page);
	return page;
}

/* An instruction that is executed without being kept. */
static struct code_insn *single(struct emu_cpu *cpu, uint32_t insn)
{
	struct emu_code *code = cpu->code;

	code->cur_tag = 0;
	code->single_word = insn;
	decode(cpu, insn, &code->single[0]);
	return &code->single[0];
}

struct code_insn *emu_code_find_slow(struct emu_cpu *cpu, uint64_t pc)
{
	struct emu_code *code = cpu->code;
	unsigned i = pc / 4 % CODE_PAGE_INSNS;
	uint64_t pa;
	uint32_t insn;
	bool guarded;

	cpu->pc = pc; /* what a fault is reported for */
	const uint32_t *host = emu_fetch_page(cpu, pc, &pa, &guarded, &insn);
	code->guarded = guarded;
	if (!host)
		return single(cpu, insn);
	struct code_page *page = find_page(code, pa);
	if (!page)
		page = new_page(cpu, pa);
	if (!page)
		return single(cpu, __atomic_load_n(&host[i], __ATOMIC_RELAXED));
	page->host = host;
	code->va[(pc >> 12) % CODE_VA_SIZE] = (struct code_va){code_va_tag(cpu, pc), page, code->va_gen, guarded};
	code->cur_tag = code_cur_tag(pc);
	code->cur_page = page;
	return &page->insns[i];
}

uint32_t emu_code_word(const struct emu_cpu *cpu)
{
	const struct emu_code *code = cpu->code;

	if (!code->cur_tag)
		return code->single_word;
	return __atomic_load_n(&code->cur_page->host[cpu->pc / 4 % CODE_PAGE_INSNS], __ATOMIC_RELAXED);
}

/* ---- Invalidation ---- */

void emu_code_flush_va(struct emu_cpu *cpu)
{
	cpu->code->cur_tag = 0;
	/* This is called whenever the exception level changes: a count is cheaper than emptying the table. */
	if (++cpu->code->va_gen == 0)
		memset(cpu->code->va, 0, sizeof(cpu->code->va));
}

void emu_code_drop_page(struct emu_cpu *cpu, uint64_t page_pa)
{
	struct code_page *page = find_page(cpu->code, page_pa & ~0xfffull);

	if (page && page->decoded)
		reset_page(page);
}

void emu_code_drop_all(struct emu_cpu *cpu)
{
	for (unsigned i = 0; i < CODE_HASH_SIZE; i++)
		for (struct code_page *page = cpu->code->hash[i]; page; page = page->next)
			if (page->decoded)
				reset_page(page);
}

/* ---- Life ---- */

bool emu_code_init(struct emu_cpu *cpu, struct vmd_error *err)
{
	struct emu_code *code = calloc(1, sizeof(*code));

	if (!code) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot make the code cache of vCPU %u", cpu->index);
		return false;
	}
	code->single[1].exec = exec_page_end;
	code->has_bti = emu_has(cpu, EMU_FEAT_BTI);
	code->has_pauth = emu_has(cpu, EMU_FEAT_PAuth);
	cpu->code = code;
	return true;
}

void emu_code_fini(struct emu_cpu *cpu)
{
	if (!cpu->code)
		return;
	free_pages(cpu->code);
	free(cpu->code);
	cpu->code = NULL;
}
