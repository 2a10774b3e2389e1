/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT's contexts: what translated code is good where, now.
 *
 * A context is EL0 in one low set of the TLB, or EL1 in one high set, and one of
 * the settings that blocks are translated for and that guests change
 * often (JIT_VARIANT_*). It has the tables in which indirect branches look up
 * their targets, one for each value of PSTATE.BTYPE, and a number that direct
 * jumps to other pages compare jit_hot.key with. Both are replaced when the
 * mapping of a page with code changes: the tables are emptied, and the number
 * becomes one that was never used before, so that no jump's guard has it.
 *
 * Which pages have code is kept by a hash; to renew a context that need not
 * have been renewed is always allowed. Thread: the vCPU's own.
 */
#include "emu/jit_priv.h"

#include "emu/access_priv.h"
#include "emu/fp_priv.h"
#include "emu/tlb_priv.h"

#include <errno.h>
#include <sys/mman.h>

enum {
	JIT_VARIANT_FP_TRAP = 1 << 0,
	JIT_VARIANT_FP_MODE = 1 << 1,
	JIT_VARIANT_FP_FZ = 1 << 2,
};
#define SHIFT_2M 21
#define TABLES_SIZE (JIT_BTYPES * JIT_JUMPS * sizeof(struct jit_jump))

/* ---- Tables ---- */

/* An empty entry has PC 0, for which no other places than the first two are looked up; those have one for which
 * others are. */
static void empty_entry(struct jit_context *context, unsigned at)
{
	context->jumps[at] = (struct jit_jump){ .pc = at % JIT_JUMPS < 2 ? 8 : 0 };
}

static void set_entry(struct jit_context *context, unsigned at, const struct jit_jump *jump)
{
	_Static_assert(JIT_BTYPES * JIT_JUMPS <= 1 << 16, "the log has the index of any entry");
	/* What is not empty is in the log. */
	if (!context->jumps[at].code) {
		if (context->n_logged < JIT_CONTEXT_LOG)
			context->log[context->n_logged++] = (uint16_t)at;
		else
			context->n_logged = JIT_CONTEXT_LOG + 1;
	}
	context->jumps[at] = *jump;
}

static void empty_tables(struct jit_context *context)
{
	if (context->n_logged > JIT_CONTEXT_LOG) {
		for (unsigned t = 0; t < JIT_BTYPES; t++)
			if (context->tables >> t & 1)
				memset(context->jumps + t * JIT_JUMPS, 0, TABLES_SIZE / JIT_BTYPES);
	} else {
		for (unsigned i = 0; i < context->n_logged; i++)
			empty_entry(context, context->log[i]);
	}
	for (unsigned t = 0; t < JIT_BTYPES; t++)
		for (unsigned i = 0; i < 2; i++)
			empty_entry(context, t * JIT_JUMPS + i);
	context->n_logged = context->tables = 0;
}

void jit_context_enter(struct jit *j, uint64_t pc, unsigned btype, const uint8_t *code)
{
	struct jit_context *context = j->now;
	unsigned at = btype * JIT_JUMPS + jit_jump_index(pc), page = jit_hash_page(pc), chunk = jit_hash_2m(pc);
	const struct emu_xtlb_entry *e = &j->cpu->xview[pc >> 55 & 1][pc >> EMU_PAGE_BITS & (EMU_TLB_SIZE - 1)];
	unsigned shift = e->phys >> EMU_PHYS_SHIFT_POS & 31;

	if (context->jumps[at].code && context->jumps[at].pc != pc)
		set_entry(context, jit_jump_second(at), &context->jumps[at]);
	set_entry(context, at, &(struct jit_jump){ .pc = pc, .code = code });
	context->tables |= 1u << btype;
	context->pages[page / 64] |= UINT64_C(1) << page % 64;
	context->chunks[chunk / 64] |= UINT64_C(1) << chunk % 64;
	if (shift)
		context->blocks[chunk / 64] |= UINT64_C(1) << chunk % 64;
	context->has_huge |= shift + EMU_PAGE_BITS > SHIFT_2M;
	context->has[pc >> 55 & 1] = true;
}

/* ---- Renewing ---- */

/* Whether there was anything to forget. */
static bool renew(struct jit *j, struct jit_context *context)
{
	if (!context->n_logged)
		return false;
	empty_tables(context);
	memset(context->pages, 0, sizeof(context->pages));
	memset(context->chunks, 0, sizeof(context->chunks));
	memset(context->blocks, 0, sizeof(context->blocks));
	context->has[0] = context->has[1] = context->has_huge = false;
	/* Out of numbers: 0 is nobody's, and the loop throws all code away. */
	context->gen = j->last_gen == JIT_NO_GEN - 1 ? 0 : ++j->last_gen;
	if (context == j->now)
		j->cpu->jit_hot.key = context->gen;
	return true;
}

/* What is running finds out in the loop. */
static void renew_running(struct jit *j, struct jit_context *context)
{
	if (renew(j, context))
		atomic_fetch_or(&j->cpu->attention, EMU_ATT_CODE);
}

void jit_context_renew_all(struct jit *j)
{
	for (unsigned i = 0; i < JIT_CONTEXTS; i++)
		renew_running(j, &j->context[i]);
}

void jit_context_evict(struct jit *j, uint32_t start, uint32_t end)
{
	const uint8_t *lo = x86_exec_at(&j->buf, start), *hi = x86_exec_at(&j->buf, end);

	for (unsigned i = 0; i < JIT_CONTEXTS; i++) {
		struct jit_context *context = &j->context[i];
		if (context->n_logged > JIT_CONTEXT_LOG) {
			renew(j, context);
			continue;
		}
		for (unsigned k = 0; k < context->n_logged; k++) {
			struct jit_jump *jump = &context->jumps[context->log[k]];
			if (jump->code >= lo && jump->code < hi)
				empty_entry(context, context->log[k]);
		}
	}
}

void jit_context_forget_all(struct jit *j)
{
	j->last_gen = 0;
	for (unsigned i = 0; i < JIT_CONTEXTS; i++) {
		renew(j, &j->context[i]);
		j->context[i].gen = ++j->last_gen;
	}
	j->cpu->jit_hot.key = j->now->gen;
}

bool jit_context_out_of_gens(const struct jit *j)
{
	return j->last_gen == JIT_NO_GEN - 1;
}

void jit_context_clear_set(struct jit *j, unsigned set)
{
	unsigned h = set >= EMU_JIT_LOW_SETS;

	for (unsigned i = 0; i < JIT_CONTEXTS; i++) {
		struct jit_context *context = &j->context[i];
		if (context->set[h] == set && context->has[h])
			renew_running(j, context);
	}
}

static bool has_bit(const uint64_t *bits, unsigned bit)
{
	return bits[bit / 64] >> bit % 64 & 1;
}

static bool touches(const struct jit_context *context, uint64_t lo, uint64_t hi)
{
	if (!context->n_logged)
		return false;
	if (context->has_huge || hi - lo >= UINT64_C(1) << 26)
		return true;
	for (uint64_t at = lo;; at = (at | ((1u << SHIFT_2M) - 1)) + 1) {
		uint64_t last = at | ((1u << SHIFT_2M) - 1);
		unsigned chunk = jit_hash_2m(at);
		if (has_bit(context->chunks, chunk)) {
			if (has_bit(context->blocks, chunk))
				return true;
			for (uint64_t page = at >> EMU_PAGE_BITS; page <= (last < hi ? last : hi) >> EMU_PAGE_BITS; page++)
				if (has_bit(context->pages, jit_hash_page(page << EMU_PAGE_BITS)))
					return true;
		}
		if (last >= hi)
			return false;
	}
}

void jit_context_drop_va(struct jit *j, unsigned set, uint64_t lo, uint64_t hi)
{
	unsigned h = set >= EMU_JIT_LOW_SETS;

	for (unsigned i = 0; i < JIT_CONTEXTS; i++) {
		struct jit_context *context = &j->context[i];
		if (context->set[h] == set && context->has[h] && touches(context, lo & ~EMU_PAGE_MASK, hi))
			renew_running(j, context);
	}
}

/* ---- Which one ---- */

void jit_context_now(struct emu_cpu *cpu)
{
	struct jit *j = cpu->jit;
	bool el0 = cpu->pstate.el == 0, fp_mode = cpu->fpcr & FPCR_AHP, fp_fz = cpu->fpcr & FPCR_FZ;
	unsigned variant = (cpu->fp_trap ? JIT_VARIANT_FP_TRAP : 0) | (fp_mode ? JIT_VARIANT_FP_MODE : 0) |
			   (fp_fz ? JIT_VARIANT_FP_FZ : 0);
	struct jit_context *context = &j->context[j->set[!el0] * JIT_VARIANTS + variant];
	uint32_t flags = (el0 ? JIT_FLAG_EL0 : 0) | (cpu->sp_align_mask ? JIT_FLAG_SP_CHECK : 0) |
			 (cpu->fp_trap ? JIT_FLAG_FP_TRAP : 0) | (cpu->pstate.sp ? JIT_FLAG_SPSEL : 0) |
			 (fp_mode ? JIT_FLAG_FP_MODE : 0) | (fp_fz ? JIT_FLAG_FP_FZ : 0);

	for (unsigned h = 0; h < 2; h++) {
		if (context->set[h] != j->set[h] && context->has[h])
			renew(j, context);
		context->set[h] = j->set[h];
	}
	if (context->flags != flags) {
		if (!renew(j, context))
			empty_tables(context); /* perhaps for the first time */
		context->flags = flags;
	}
	j->now = context;
	cpu->jit_hot.key = context->gen;
	cpu->jit_hot.jumps = context->jumps;
}

bool jit_context_init(struct jit *j, struct vmd_error *err)
{
	void *p = mmap(NULL, JIT_CONTEXTS * TABLES_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, errno, "Cannot make the jump tables of vCPU %u", j->cpu->index);
	j->jumps = p;
	for (unsigned i = 0; i < JIT_CONTEXTS; i++) {
		j->context[i].jumps = j->jumps + i * JIT_BTYPES * JIT_JUMPS;
		j->context[i].gen = ++j->last_gen;
		j->context[i].flags = UINT32_MAX;
	}
	j->now = &j->context[0];
	return true;
}

void jit_context_fini(struct jit *j)
{
	if (j->jumps)
		munmap(j->jumps, JIT_CONTEXTS * TABLES_SIZE);
}
