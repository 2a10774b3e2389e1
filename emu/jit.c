/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT's core: code memory, blocks and how they are found, the loop.
 *
 * A block is a run of instructions within a page, entered at the first and left
 * at its end or by conditional branches before that, known by its virtual and
 * physical address and what else it was translated for. Blocks of the same
 * page jump to each other directly: whoever runs in a page has had its mapping
 * checked, and everything that changes a mapping for this vCPU passes through
 * the loop here (emu_jit_run). So a page's blocks can be dropped together
 * without looking for jumps to them. Jumps to other pages are direct too, but
 * guarded; indirect branches look their target up in a table: see
 * emu/jit_context.c.
 *
 * Code memory is bounded: emu/jit_cache.c. Thread: the vCPU's own.
 */
#include "emu/jit_priv.h"

#include "emu/access_priv.h"
#include "emu/code_priv.h"
#include "emu/sys_priv.h"
#include "emu/vcpu_priv.h"

#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

/* ---- The thunks ---- */

static void move_pinned(struct x86_buf *b, bool load)
{
	for (unsigned n = 0; n < 32; n++) {
		if (jit_pin[n] != X86_NO_REG)
			x86_op(b, (load ? X86_MOV_LOAD : X86_MOV_STORE) | X86_W, jit_pin[n], jit_x_home(n));
	}
	if (load) {
		x86_load(b, X86_W, X86_R12, JIT_CPU(jit_hot.read));
		x86_load(b, X86_W, X86_R13, JIT_CPU(jit_hot.write));
	}
}

static void make_thunks(struct jit *j)
{
	enum { CALL_SIZE = 5 };
	static const uint8_t saved[] = { X86_RBX, X86_RBP, X86_R12, X86_R13, X86_R14, X86_R15 };
	struct x86_buf *b = &j->buf;

	/* void enter(struct emu_cpu *cpu, const uint8_t *code) */
	j->thunk_enter = x86_here(b);
	for (unsigned i = 0; i < sizeof(saved); i++)
		x86_push(b, saved[i]);
	x86_alu_imm(b, X86_SUB, X86_W, x86_r(X86_RSP), 8);
	x86_lea(b, X86_W, X86_RBP, x86_m(X86_RDI, JIT_BIAS));
	x86_mov_rr(b, X86_W, X86_RAX, X86_RSI);
	move_pinned(b, true);
	x86_jmp_rm(b, x86_r(X86_RAX));

	/* Called, right behind the branch that wants to be linked; the new PC is behind the call. */
	j->thunk_exit_call = x86_here(b);
	x86_pop(b, X86_RCX);
	x86_load(b, X86_W, X86_RAX, x86_m(X86_RCX, 0));
	x86_mov_imm(b, X86_RDX, (uint64_t)(uintptr_t)b->exec + CALL_SIZE);
	x86_alu(b, X86_SUB, X86_W, X86_RCX, x86_r(X86_RDX));

	/* Jumped to: RAX is the new PC, ECX the branch that wants to be linked. */
	j->thunk_exit_link = x86_here(b);
	x86_store(b, 0, JIT_CPU(jit_hot.link), X86_RCX);
	j->thunk_exit_pc = x86_here(b);
	x86_store(b, X86_W, JIT_CPU(pc), X86_RAX);
	j->thunk_exit = x86_here(b);
	move_pinned(b, false);
	x86_alu_imm(b, X86_ADD, X86_W, x86_r(X86_RSP), 8);
	for (unsigned i = sizeof(saved); i-- > 0;)
		x86_pop(b, saved[i]);
	x86_ret(b);

	/* Jumped to: RAX is the new PC, RDX the table of jumps, RCX 4 times the index of the first place, which has another. */
	j->thunk_second = x86_here(b);
	x86_alu_imm(b, X86_XOR, 0, x86_r(X86_RCX), (int32_t)jit_jump_second(0) << 2);
	x86_alu(b, X86_CMP, X86_W, X86_RAX, x86_mx(X86_RDX, X86_RCX, 2, (int32_t)offsetof(struct jit_jump, pc)));
	x86_jcc_to(b, X86_NE, j->thunk_exit_pc);
	x86_jmp_rm(b, x86_mx(X86_RDX, X86_RCX, 2, (int32_t)offsetof(struct jit_jump, code)));

	/* Called: see jit_call. RAX is the function. */
	j->thunk_call = x86_here(b);
	move_pinned(b, false);
	x86_alu_imm(b, X86_SUB, X86_W, x86_r(X86_RSP), 8);
	x86_lea(b, X86_W, X86_RDI, x86_m(X86_RBP, -JIT_BIAS));
	x86_mov_rr(b, X86_W, X86_RSI, X86_RCX);
	x86_call_reg(b, X86_RAX);
	x86_alu_imm(b, X86_ADD, X86_W, x86_r(X86_RSP), 8);
	move_pinned(b, true);
	x86_ret(b);
}

/* ---- The loop ---- */

static bool wants_attention(struct emu_cpu *cpu)
{
	uint32_t attention = atomic_load_explicit(&cpu->attention, memory_order_acquire);

	if (attention == EMU_ATT_CODE) {
		cpu->jit_hot.link = 0; /* what was to be linked may be another page's by now */
		atomic_fetch_and(&cpu->attention, ~(uint32_t)EMU_ATT_CODE);
		return false;
	}
	return attention;
}

/* Before code is looked for: makes what it belongs to current. */
static void prepare(struct emu_cpu *cpu)
{
	struct jit *j = cpu->jit;

	if (j->to_part)
		jit_site_part(j);
	if (jit_context_out_of_gens(j)) {
		jit_cache_empty(j);
		jit_context_forget_all(j);
	}
	jit_context_now(cpu);
}

/* By way of the page. */
static struct jit_block *find_block(struct emu_cpu *cpu)
{
	struct jit *j = cpu->jit;
	uint64_t pc = cpu->pc, page_pa;
	uint32_t insn, flags = j->now->flags;
	bool guarded;
	unsigned btype = cpu->pstate.btype;

	cpu->jit_hot.partial = 0;
	const uint32_t *host = emu_fetch_page(cpu, pc, &page_pa, &guarded, &insn);
	if (!host)
		return NULL;
	/* If the block has to be made, its code is read for the first time: two of the host's lines. */
	__builtin_prefetch(&host[pc / 4 % CODE_PAGE_INSNS]);
	__builtin_prefetch(&host[pc / 4 % CODE_PAGE_INSNS] + 64 / sizeof(host[0]));
	if (guarded)
		flags |= JIT_FLAG_GUARDED;
	if (btype) {
		struct jit_insn first;
		insn = __atomic_load_n(&host[pc / 4 % CODE_PAGE_INSNS], __ATOMIC_RELAXED);
		if (guarded && !emu_interp_may_be_target(cpu, insn, btype))
			return NULL;
		j->block_flags = flags;
		jit_decode(j, insn, &first);
		if (first.props & JIT_RAISES)
			flags |= btype << JIT_FLAG_BTYPE_POS;
		cpu->pstate.btype = 0;
	}
	uint64_t pa = page_pa | (pc & EMU_PAGE_MASK);
	struct jit_block *block = jit_block_find(j, pc, pa, flags);
	if (!block)
		block = jit_translate(j, pc, pa, host, flags);
	jit_context_enter(j, pc, btype, x86_exec_at(&j->buf, block->code));
	return block;
}

struct jit_block *jit_block_now(struct emu_cpu *cpu)
{
	prepare(cpu);
	return find_block(cpu);
}

/* The same, perhaps without looking at the page. */
static const uint8_t *code_now(struct emu_cpu *cpu)
{
	struct jit *j = cpu->jit;

	prepare(cpu);
	const struct jit_jump *jumps = &j->now->jumps[cpu->pstate.btype * JIT_JUMPS], *jump = &jumps[jit_jump_index(cpu->pc)];
	if (jump->pc != cpu->pc)
		jump = &jumps[jit_jump_second(jit_jump_index(cpu->pc))];
	if (jump->pc == cpu->pc) {
		cpu->pstate.btype = 0;
		return jump->code;
	}
	const struct jit_block *block = find_block(cpu);
	return block ? x86_exec_at(&j->buf, block->code) : NULL;
}

/* Makes the branch that the loop was entered by go to `code` from now on. */
static void link_branch(struct jit *j, uint32_t link, const uint8_t *code)
{
	uint32_t branch = link & ~(uint32_t)JIT_LINK_GUARDED;

	if (link & JIT_LINK_GUARDED)
		jit_set_guard(j, branch, j->now->gen);
	jit_cache_link(j, branch, (uint32_t)(code - j->buf.exec));
}

static void enter_code(struct emu_cpu *cpu, const uint8_t *code)
{
	struct jit *j = cpu->jit;
	void (*enter)(struct emu_cpu *cpu, const uint8_t *code);
	const uint8_t *enter_at = x86_exec_at(&j->buf, j->thunk_enter);

	memcpy(&enter, &enter_at, sizeof(enter));
	jit_count(j, EMU_STAT_JIT_MISSES, 1);
	cpu->jit_hot.flags = jit_flags_of(cpu->nzcv);
	enter(cpu, code);
	cpu->jit_hot.partial = 0;
	jit_sync_flags(cpu);
	/* A target with a tag is in no cache. */
	if ((int64_t)(cpu->pc << 8) >> 8 != (int64_t)cpu->pc)
		cpu->pc = emu_branch_address(cpu, cpu->pc);
}

void jit_enter(struct emu_cpu *cpu, const struct jit_block *block)
{
	enter_code(cpu, x86_exec_at(&cpu->jit->buf, block->code));
}

/* Not inline: setjmp would keep its variables out of registers. */
static __attribute__((noinline)) bool run(struct emu_cpu *cpu)
{
	struct jit *j = cpu->jit;

	while (!wants_attention(cpu)) {
		uint32_t link = cpu->jit_hot.link;
		unsigned epoch = j->epoch;
		cpu->jit_hot.link = 0;
		const uint8_t *code = code_now(cpu);
		if (!code)
			return true;
		if (link && epoch == j->epoch)
			link_branch(j, link, code);
		enter_code(cpu, code);
	}
	return false;
}

void emu_jit_run(struct emu_cpu *cpu)
{
	jit_fp_enter(cpu->jit);
	jit_fault_enter(cpu->jit);
	for (;;) {
		if (setjmp(cpu->unwind)) {
			emu_count_retired(cpu, (uint64_t)cpu->jit_hot.partial);
			cpu->jit_hot.link = 0;
		}
		cpu->jit_hot.partial = 0;
		if (!run(cpu))
			break;
		emu_interp_step(cpu);
	}
	jit_fault_enter(NULL);
	jit_fp_leave(cpu->jit);
	cpu->jit_hot.link = 0;
}

/* ---- Life ---- */

static bool host_can(void)
{
	unsigned a, b, c, d;
	bool lahf = __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & 1), lzcnt = lahf && (c >> 5 & 1);

	return lahf && lzcnt && __builtin_cpu_supports("sse4.2");
}

/* In one large page where the host has them: a translation comes when the guest has had the host's TLB,
 * and looks at many places here. */
static struct jit *jit_new(void)
{
	enum { LARGE = 2 << 20 };
	size_t size = (sizeof(struct jit) + LARGE - 1) / LARGE * LARGE;
	struct jit *j = aligned_alloc(LARGE, size);

	if (j) {
		madvise(j, size, MADV_HUGEPAGE);
		memset(j, 0, sizeof(*j));
	}
	return j;
}

bool emu_jit_init(struct emu_cpu *cpu, struct vmd_error *err)
{
	if (!host_can())
		return vmd_error_set(err, VMD_ERR_UNSUPPORTED, 0,
			"There is no JIT for this host: its processor lacks SSE4.2 or LZCNT");
	struct jit *j = jit_new();
	cpu->jit = j;
	if (!j)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot make the JIT of vCPU %u", cpu->index);
	j->cpu = cpu;
	j->debug = cpu->system->jit_debug;
	jit_stats_init(j);
	jit_decode_init(j);
	jit_map_init(j);
	if (!jit_cache_init(j, cpu->system->jit_cache, err) || !jit_fault_init(err) || !jit_mem_init(j, err) ||
	    !jit_context_init(j, err))
		return false;
	if (!jit_block_init(j))
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot make the JIT's tables of vCPU %u", cpu->index);
	jit_vec_init(j);
	make_thunks(j);
	jit_site_make_thunks(j);
	jit_cache_begin(j);
	return true;
}

bool emu_jit_has_vectors(const struct emu_cpu *cpu)
{
	return cpu->jit->host_has & JIT_VEC;
}

void emu_jit_fini(struct emu_cpu *cpu)
{
	struct jit *j = cpu->jit;

	if (!j)
		return;
	cpu->jit = NULL;
	jit_mem_fini(j);
	jit_context_fini(j);
	jit_cache_fini(j);
	jit_block_fini(j);
	free(j);
}

/* ---- The table ---- */

const struct jit_op jit_ops[A64_OP_COUNT] = {
#define JIT(name, props) [A64_##name] = { jit_##name, props },
#include "emu/jit_ops.def"
#include "emu/jit_ops_simd.def"
#undef JIT
};
