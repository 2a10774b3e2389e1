/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: what translated code calls, and where it goes from a block: calls of C
 * code and of the interpreter's functions, exits, and jumps to other blocks.
 * Thread: the vCPU's own.
 */
#include "emu/jit_priv.h"

#include "emu/code_priv.h"
#include "emu/verify.h"

/* ---- Pieces that translators use ---- */

struct jit_slow *jit_slow_add(struct jit *j, void (*emit)(struct jit *j, const struct jit_slow *s))
{
	struct jit_slow *s = &j->slow[j->n_slow++];

	*s = (struct jit_slow){ .emit = emit, .pc = j->pc, .index = (uint8_t)j->i, .vregs = jit_v_save(j) };
	return s;
}

void jit_slow_resume(struct jit *j, struct jit_slow *s)
{
	s->resume = x86_here(&j->buf);
	s->resume_vregs = jit_v_save(j);
}

void jit_slow_return(struct jit *j, const struct jit_slow *s)
{
	jit_v_restore(j, &j->saved_vregs[s->resume_vregs]);
	x86_jmp_to(&j->buf, s->resume);
}

void jit_call(struct jit *j, const void *fn)
{
	jit_v_forget(j);
	jit_map_leave(j);
	x86_mov_imm(&j->buf, X86_RAX, (uint64_t)(uintptr_t)fn);
	x86_call_to(&j->buf, j->thunk_call);
	jit_map_return(j);
}

static void store_imm(struct jit *j, struct x86_rm mem, uint64_t val)
{
	if (val == (uint64_t)(int32_t)val) {
		x86_op(&j->buf, 0xc7 | X86_W, 0, mem);
		x86_u32(&j->buf, (uint32_t)val);
	} else {
		x86_mov_imm(&j->buf, X86_RAX, val);
		x86_store(&j->buf, X86_W, mem, X86_RAX);
	}
}

void jit_before_raise(struct jit *j, const struct jit_slow *s)
{
	unsigned index = s ? s->index : j->i;

	store_imm(j, JIT_CPU(pc), s ? s->pc : j->pc);
	x86_op(&j->buf, 0xc7, 0, JIT_CPU(jit_hot.partial));
	x86_u32(&j->buf, index);
}

/* The instructions up to the current one have been executed. */
static inline void count_retired(struct jit *j)
{
	_Static_assert(JIT_MAX_INSNS <= INT8_MAX, "it fits");
	x86_alu_imm8(&j->buf, X86_ADD, X86_W, JIT_CPU(retired), j->i + 1);
}

/* All guest registers are where the next block expects them. */
static JIT_HOT void leave(struct jit *j)
{
	count_retired(j);
	jit_v_flush(j);
	jit_map_leave(j);
}

static JIT_HOT void exit_pc_piece(struct jit *j, const struct jit_slow *s)
{
	leave(j);
	x86_mov_imm_here(&j->buf, X86_RAX, s->arg);
	x86_jmp_to(&j->buf, j->thunk_exit_pc);
}

void jit_check_attention(struct jit *j, uint64_t pc)
{
	x86_alu_imm(&j->buf, X86_CMP, 0, JIT_CPU(attention), 0);
	struct jit_slow *s = jit_slow_add(j, exit_pc_piece);
	s->branch[0] = x86_jcc(&j->buf, X86_NE);
	s->arg = pc;
}

/* Until it is linked, the jump leads to what is right behind it: a call that does not
 * return, and where to go. */
static void exit_in_page(struct jit *j, uint64_t target)
{
	uint32_t flags = j->block_flags & ((1u << JIT_FLAG_BTYPE_POS) - 1);
	const struct jit_block *block = jit_block_find(j, target, j->block_pa + (target - j->block_pc), flags);

	if (block && jit_cache_is_near(j, x86_here(&j->buf), block->code)) {
		x86_jmp_to(&j->buf, block->code);
	} else {
		x86_bind_here(&j->buf, x86_jmp(&j->buf));
		x86_call_to(&j->buf, j->thunk_exit_call);
		x86_u64(&j->buf, target);
	}
}

static void miss_piece(struct jit *j, const struct jit_slow *s)
{
	x86_op(&j->buf, 0xc6, 0, JIT_CPU(pstate.btype));
	x86_u8(&j->buf, s->kind);
	x86_jmp_to(&j->buf, j->thunk_exit_pc);
}

/* Guest registers are in their places. */
static JIT_HOT void look_up_rax(struct jit *j, unsigned btype)
{
	struct x86_buf *b = &j->buf;
	int32_t table = (int32_t)(btype * JIT_JUMPS * sizeof(struct jit_jump));

	if (j->debug & EMU_JIT_NO_CHAIN) {
		if (btype)
			miss_piece(j, &(struct jit_slow){ .kind = (uint8_t)btype });
		else
			x86_jmp_to(b, j->thunk_exit_pc);
		j->ended = true;
		return;
	}

	x86_mov_rr(b, 0, X86_RCX, X86_RAX);
	x86_shift_imm(b, X86_SHR, 0, X86_RCX, JIT_JUMP_FOLD);
	x86_alu(b, X86_XOR, 0, X86_RCX, x86_r(X86_RAX));
	x86_load(b, X86_W, X86_RDX, JIT_CPU(jit_hot.jumps));
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RCX), (JIT_JUMPS - 1) << 2);
	_Static_assert(sizeof(struct jit_jump) == 4 << 2, "four times a jump's index, times 4, is its offset");
	x86_alu_imm(b, X86_CMP, 0, JIT_CPU(attention), 0);
	struct jit_slow *s = NULL;
	if (btype) {
		s = jit_slow_add(j, miss_piece);
		s->kind = (uint8_t)btype;
		s->branch[0] = x86_jcc(b, X86_NE);
	} else {
		x86_jcc_to(b, X86_NE, j->thunk_exit_pc);
	}
	x86_alu(b, X86_CMP, X86_W, X86_RAX,
		x86_mx(X86_RDX, X86_RCX, 2, table + (int32_t)offsetof(struct jit_jump, pc)));
	if (btype)
		s->branch[1] = x86_jcc(b, X86_NE);
	else
		x86_jcc_to(b, X86_NE, j->thunk_second);
	x86_jmp_rm(b, x86_mx(X86_RDX, X86_RCX, 2, table + (int32_t)offsetof(struct jit_jump, code)));
	j->ended = true;
}

void jit_exit_rax(struct jit *j, unsigned btype)
{
	leave(j);
	look_up_rax(j, btype);
}

static void anew_piece(struct jit *j, const struct jit_slow *s)
{
	x86_jmp_to(&j->buf, j->thunk_exit);
}

void jit_exit_by(struct jit *j, const void *fn)
{
	jit_v_forget(j);
	jit_map_leave(j);
	x86_mov_imm(&j->buf, X86_RAX, (uint64_t)(uintptr_t)fn);
	x86_call_to(&j->buf, j->thunk_call);
	x86_alu_imm(&j->buf, X86_CMP, X86_BYTE, JIT_CPU(pstate.btype), 0);
	jit_slow_add(j, anew_piece)->branch[0] = x86_jcc(&j->buf, X86_NE);
	look_up_rax(j, 0);
}

/* ---- Jumps to other pages ---- */

/*
 * A direct jump is good for the context in which it was linked, as long as no
 * mapping of code in that changes:
 *
 *     cmp  dword [rbp + key], gen
 *     jne  guard_piece
 *     jmp  target
 *
 * Until it is linked, gen is one that no context has.
 */
enum { GUARD_IMM = 4 + 6 + 5 }; /* from the end of the jump back to the compare's immediate */

void jit_set_guard(struct jit *j, uint32_t branch, uint32_t gen)
{
	memcpy(j->buf.start + branch - GUARD_IMM, &gen, sizeof(gen));
	/* Until it is linked, and when what it is linked to goes, the jump itself leads there too. */
	x86_bind(&j->buf, branch, x86_bound_to(&j->buf, branch - 5));
}

/* Another process may run the same code: what it has linked stays, while the table serves the others. */
static JIT_HOT void guard_piece(struct jit *j, const struct jit_slow *s)
{
	struct x86_buf b = j->buf;
	uint32_t jump = (uint32_t)(jit_jump_index(s->arg) * sizeof(struct jit_jump));
	uint32_t pc = jump + offsetof(struct jit_jump, pc), code = jump + offsetof(struct jit_jump, code);

	x86_mov_imm_here(&b, X86_RAX, s->arg);
	x86_load(&b, X86_W, X86_RDX, JIT_CPU(jit_hot.jumps));
	x86_plain_here(&b, X86_CMP_LOAD | X86_W, X86_RAX, x86_m32(X86_RDX, pc));
	uint32_t miss = x86_jcc(&b, X86_NE);
	x86_plain_here(&b, X86_GROUP5, X86_G5_JMP, x86_m32(X86_RDX, code));
	x86_bind_here(&b, miss);
	x86_mov_imm_here(&b, X86_RCX, s->branch[1] | JIT_LINK_GUARDED);
	x86_jmp_to(&b, j->thunk_exit_link);
	j->buf.p = b.p;
}

static void exit_to_page(struct jit *j, uint64_t target)
{
	x86_op(&j->buf, 0x81, X86_CMP, JIT_CPU(jit_hot.key));
	x86_u32(&j->buf, JIT_NO_GEN);
	struct jit_slow *s = jit_slow_add(j, guard_piece);
	s->branch[0] = x86_jcc(&j->buf, X86_NE);
	s->branch[1] = x86_jmp(&j->buf);
	s->arg = target;
}

static void dispatch_to(struct jit *j, uint64_t target)
{
	x86_mov_imm(&j->buf, X86_RAX, target);
	x86_jmp_to(&j->buf, j->thunk_exit_pc);
}

void jit_exit_to(struct jit *j, uint64_t target)
{
	uint16_t vregs = jit_v_save(j);

	/* Whatever loops has a jump back, or an indirect branch. */
	if (target <= j->pc && !(j->debug & EMU_JIT_NO_CHAIN))
		jit_check_attention(j, target);
	if (j->loop_entry && target == j->block_pc) {
		count_retired(j);
		jit_v_match(j, &j->loop_vregs);
		x86_jmp_to(&j->buf, j->loop_entry);
	} else {
		leave(j);
		if (j->debug & EMU_JIT_NO_CHAIN)
			dispatch_to(j, target);
		else if (jit_in_page(j, target))
			exit_in_page(j, target);
		else
			exit_to_page(j, target);
	}
	/* Another way out may follow. */
	if (vregs)
		j->vregs = j->saved_vregs[vregs];
	j->ended = true;
}

/* ---- Calls of the interpreter ---- */

static void exec_undefined(struct emu_cpu *cpu, const union a64_args *args)
{
	emu_raise_undefined(cpu);
}

/* `op` is the instruction, A64_OP_COUNT if it is UNDEFINED. */
static void call_exec(struct emu_cpu *cpu, const union a64_args *args, uint64_t op)
{
	a64_exec_fn *fn = op == A64_OP_COUNT ? exec_undefined : a64_exec[op];
	uint64_t *count = &cpu->jit->fallbacks[op];

	__atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
	jit_sync_flags(cpu);
	cpu->next_pc = cpu->pc + 4;
	fn(cpu, args);
	cpu->jit_hot.flags = jit_flags_of(cpu->nzcv);
}

uint64_t jit_leave_insn(struct emu_cpu *cpu)
{
	emu_count_retired(cpu, (uint64_t)cpu->jit_hot.partial + 1);
	cpu->jit_hot.partial = 0;
	/* Nothing is to be linked here, so what has been dropped need not be looked at. */
	if (atomic_load_explicit(&cpu->attention, memory_order_acquire) == EMU_ATT_CODE)
		atomic_fetch_and(&cpu->attention, ~(uint32_t)EMU_ATT_CODE);
	jit_context_now(cpu);
	return cpu->pc;
}

/* Of an instruction after which execution goes on at cpu->pc, and perhaps elsewhere. */
static uint64_t call_exec_last(struct emu_cpu *cpu, const union a64_args *args, uint64_t op)
{
	enum { BTYPE_NEW = 4 }; /* INTERP_BTYPE_NEW */

	call_exec(cpu, args, op);
	cpu->pc = cpu->code->resync ? cpu->pc + 4 : cpu->next_pc;
	cpu->code->resync = false;
	cpu->pstate.btype = cpu->pstate.btype & BTYPE_NEW ? cpu->pstate.btype & 3 : 0;
	return jit_leave_insn(cpu);
}

static void args_piece(struct jit *j, const struct jit_slow *s)
{
	enum a64_op op;
	union a64_args args = { 0 };

	while (x86_here(&j->buf) % 8)
		x86_u8(&j->buf, 0xcc);
	x86_bind_here(&j->buf, (uint32_t)s->arg);
	a64_decode(j->insn[s->index].word, &op, &args);
	memcpy(j->buf.p, &args, sizeof(args));
	j->buf.p += sizeof(args);
}

/* RCX and RDX for a function that takes the interpreter's arguments. */
static void load_args(struct jit *j, uint64_t arg)
{
	x86_lea(&j->buf, X86_W, X86_RCX, x86_rip(0, 0));
	jit_slow_add(j, args_piece)->arg = x86_here(&j->buf);
	x86_mov_imm(&j->buf, X86_RDX, arg);
}

void jit_fallback(struct jit *j)
{
	const struct jit_insn *insn = &j->insn[j->i];
	struct x86_buf *b = &j->buf;
	bool last = insn->props & JIT_ENDS;

	jit_before_raise(j, NULL);
	if (j->verified && emu_verify_is_alone(insn->word)) {
		jit_call(j, (const void *)emu_verify_leave);
		j->ended = last;
		return;
	}
	load_args(j, insn->op);
	if (last) {
		/* BLRAA and its kin look at the page they come from. */
		x86_mov_imm(b, X86_RAX, (uint64_t)(uintptr_t)&j->cpu->code->guarded);
		x86_op(b, 0xc6, 0, x86_m(X86_RAX, 0));
		x86_u8(b, j->block_flags & JIT_FLAG_GUARDED ? 1 : 0);
		jit_exit_by(j, (const void *)call_exec_last);
		return;
	}
	jit_call(j, (const void *)call_exec);
	/* Interrupts may be unmasked now, the views may be others, requests may have been served. */
	if (insn->op == A64_MSR_reg || insn->op == A64_MSR_imm || insn->op == A64_DSB || insn->op == A64_SYS)
		jit_check_attention(j, j->pc + 4);
}

void jit_fallback_at(struct jit *j, const struct jit_slow *s)
{
	unsigned i = j->i;
	uint64_t pc = j->pc;

	j->i = s->index;
	j->pc = s->pc;
	jit_fallback(j);
	j->i = i;
	j->pc = pc;
}

void jit_insn_piece(struct jit *j, const struct jit_slow *s)
{
	jit_fallback_at(j, s);
	jit_slow_return(j, s);
}
