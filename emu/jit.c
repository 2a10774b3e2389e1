/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT's core: code memory, blocks and how they are found, the loop.
 *
 * A block is a straight run of instructions within a page, known by its virtual
 * and physical address and what else it was translated for. Blocks of the same
 * page jump to each other directly: whoever runs in a page has had its mapping
 * checked, and everything that changes a mapping for this vCPU passes through
 * the loop here (emu_jit_run). So a page's blocks can be dropped together
 * without looking for jumps to them. All other branches look up the jump cache,
 * whose entries carry a key: a number that belongs to one exception level in
 * one address space, and is replaced when a mapping of code in it changes.
 *
 * Code memory is a memfd mapped twice, for writing and for executing. It is
 * filled from the start; when it is full, everything is thrown away, in the
 * loop, when nothing is running. Thread: the vCPU's own.
 */
#include "emu/jit_priv.h"

#include "emu/access_priv.h"
#include "emu/code_priv.h"
#include "emu/sys_priv.h"

#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	BUF_SIZE = 64 << 20,
	BLOCK_ROOM = 64 << 10, /* more than a block ever needs */
	MAX_BLOCKS = 1 << 18,
	MAX_FAULTS = 1 << 20,
	HASH_SIZE = 1 << 15,
	PAGE_HASH_SIZE = 1 << 12,
};

/* Where the jump cache has a PC: programs are laid out in pages, so what is above those bits counts too. */
enum { JUMP_FOLD = 14 };
static unsigned jump_index(uint64_t pc)
{
	return ((uint32_t)pc ^ (uint32_t)pc >> JUMP_FOLD) >> 2 & (JIT_JUMPS - 1);
}

/* ---- Blocks ---- */

static struct jit_block **hash_chain(struct jit *j, uint64_t pc)
{
	return &j->hash[(pc >> 2 ^ pc >> 17) % HASH_SIZE];
}

static struct jit_block **page_chain(struct jit *j, uint64_t pa)
{
	return &j->pages[(pa >> 12) % PAGE_HASH_SIZE];
}

static struct jit_block *find_block(struct jit *j, uint64_t pc, uint64_t pa, uint32_t flags)
{
	struct jit_block *block = *hash_chain(j, pc);

	while (block && !(block->pc == pc && block->pa == pa && block->flags == flags))
		block = block->hash_next;
	return block;
}

static void add_block(struct jit *j)
{
	struct jit_block *block = &j->blocks[j->n_blocks++];

	*block = (struct jit_block){ .pc = j->block_pc, .pa = j->block_pa, .flags = j->block_flags, .code = j->block_code,
		.hash_next = *hash_chain(j, j->block_pc), .page_next = *page_chain(j, j->block_pa) };
	*hash_chain(j, j->block_pc) = block;
	*page_chain(j, j->block_pa) = block;
}

static void forget_everything(struct jit *j)
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

/* ---- The thunks ---- */

static void move_pinned(struct x86_buf *b, bool load)
{
	for (unsigned n = 0; n < 32; n++) {
		struct x86_rm home = x86_m(X86_RBP, (int32_t)(offsetof(struct emu_cpu, x) + 8 * n) - JIT_BIAS);
		if (jit_pin[n] != X86_NO_REG)
			x86_op(b, (load ? X86_MOV_LOAD : X86_MOV_STORE) | X86_W, jit_pin[n], home);
	}
	if (load) {
		x86_load(b, X86_W, X86_R12, JIT_CPU(jit_hot.read));
		x86_load(b, X86_W, X86_R13, JIT_CPU(jit_hot.write));
	}
}

static void make_thunks(struct jit *j)
{
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

/* ---- Decoding ---- */

/* Instructions that are calls of the interpreter, and after which the block
 * cannot go on: they change the PC, or what the next instruction means. */
static bool fallback_ends(unsigned op, const union a64_args *args)
{
	const struct a64_args_SYS *sys = (const void *)args;
	const struct a64_args_MSR_reg *msr = (const void *)args;
	const struct a64_args_HINT *hint = (const void *)args;
	const struct a64_args_MSR_imm *imm = (const void *)args;

	switch (op) {
	case A64_SVC:
	case A64_HVC:
	case A64_SMC:
	case A64_BRK:
	case A64_HLT:
	case A64_WFET:
	case A64_WFIT:
	case A64_ISB:
	case A64_ERET:
	case A64_ERETA:
	case A64_BRAZ:
	case A64_BRA:
	case A64_BLRAZ:
	case A64_BLRA:
	case A64_RETA:
		return true;
	case A64_HINT: /* YIELD, WFE, WFI, SEV, SEVL; not pointer authentication */
		return hint->CRm == 0 && hint->op2 <= 5;
	case A64_SYS: /* TLBI; IC */
		return sys->CRn == 8 || (sys->CRn == 7 && (sys->CRm == 1 || sys->CRm == 5));
	case A64_MSR_reg: /* debug; control; translation; memory attributes; FPCR */
		return !msr->o0 || msr->CRn == 1 || msr->CRn == 2 || msr->CRn == 10 || (msr->CRn == 4 && msr->CRm == 4);
	case A64_MSR_imm: /* SPSel */
		return imm->op1 == 0 && imm->op2 == 5;
	default:
		return false;
	}
}

static bool has_features(const struct emu_cpu *cpu, unsigned op)
{
	const struct a64_encoding *enc = &a64_encodings[op];

	for (unsigned i = 0; i < sizeof(enc->features) / sizeof(enc->features[0]); i++)
		if (enc->features[i] >= 0 && !emu_has(cpu, (enum emu_feature)enc->features[i]))
			return false;
	return true;
}

/* Whether the current translation may use the instruction's translator. */
static bool is_native(const struct jit *j, unsigned op, const union a64_args *args, uint32_t word)
{
	if (op == A64_OP_COUNT || !jit_ops[op].translate)
		return false;
	if (op == A64_HINT)
		return jit_hint_is_native(j, (const void *)args);
	if (op == A64_MRS)
		return jit_mrs_is_native(j, (const void *)args);
	if (op == A64_MSR_reg)
		return jit_msr_is_native(j, (const void *)args);
	if (op == A64_AND_imm || op == A64_ORR_imm || op == A64_EOR_imm || op == A64_ANDS_imm)
		return jit_logical_imm_is_valid((const void *)args);
	if (jit_ops[op].props & JIT_VEC && !jit_vec_is_native(j, jit_ops[op].props, word))
		return false;
	return !(a64_encodings[op].fp && (j->block_flags & JIT_FLAG_FP_TRAP));
}

static void decode(struct jit *j, uint32_t word, struct jit_insn *ret)
{
	enum a64_op op;

	ret->word = word;
	ret->op = a64_decode(word, &op, &ret->args) && has_features(j->cpu, op) ? (uint16_t)op : A64_OP_COUNT;
	if (is_native(j, ret->op, &ret->args, word))
		ret->props = (uint8_t)(jit_ops[op].props & JIT_BLOCK_MASK);
	else
		ret->props = JIT_RAISES | (ret->op == A64_OP_COUNT || fallback_ends(op, &ret->args) ? JIT_ENDS : 0);
}

static uint32_t word_at(const struct jit *j, uint64_t pc)
{
	return __atomic_load_n(&j->host[pc / 4 % CODE_PAGE_INSNS], __ATOMIC_RELAXED);
}

static bool in_page(const struct jit *j, uint64_t pc)
{
	return (pc ^ j->block_pc) >> EMU_PAGE_BITS == 0;
}

/* Whether NZCV is set again from `pc` on before anybody can see it. */
static bool flags_dead_at(struct jit *j, uint64_t pc)
{
	enum { LOOK = 6 };
	struct jit_insn insn;

	for (unsigned i = 0; i < LOOK && in_page(j, pc); i++, pc += 4) {
		decode(j, word_at(j, pc), &insn);
		if (insn.props & (JIT_USES | JIT_RAISES | JIT_ENDS))
			return false;
		if (insn.props & JIT_SETS)
			return true;
	}
	return false;
}

/* Where the block's last instruction can lead, as far as it is known: whether NZCV is dead there. */
static bool flags_dead_at_end(struct jit *j)
{
	const struct jit_insn *last = &j->insn[j->n - 1];
	uint64_t pc = j->block_pc + 4 * (j->n - 1);

	switch (last->op) {
	case A64_B:
	case A64_BL:
		return flags_dead_at(j, pc + (uint64_t)((const struct a64_args_B *)(const void *)&last->args)->imm26 * 4);
	case A64_B_cond:
	case A64_CBZ_w:
	case A64_CBZ_x:
	case A64_CBNZ_w:
	case A64_CBNZ_x:
		/* these share the field's name and type */
		return flags_dead_at(j, pc + 4) &&
		       flags_dead_at(j, pc + (uint64_t)(last->op == A64_B_cond
			       ? ((const struct a64_args_B_cond *)(const void *)&last->args)->imm19
			       : ((const struct a64_args_CBZ_w *)(const void *)&last->args)->imm19) * 4);
	default:
		return false;
	}
}

/* Which of the instructions that set NZCV have to put it in memory. */
static void find_flag_uses(struct jit *j)
{
	bool end_dead = flags_dead_at_end(j);

	for (unsigned i = 0; i < j->n; i++) {
		bool to_mem = !end_dead;
		unsigned k = i + 1;
		if (!(j->insn[i].props & JIT_SETS))
			continue;
		/* Users right behind it find NZCV in the host's flags. */
		bool clobbered = false;
		for (; k < j->n && (j->insn[k].props & JIT_USES) && !clobbered; k++) {
			if (j->insn[k].props & JIT_SETS) {
				to_mem = false;
				goto done;
			}
			clobbered = j->insn[k].props & JIT_CLOBBERS;
		}
		for (; k < j->n; k++) {
			if (j->insn[k].props & (JIT_USES | JIT_RAISES)) {
				to_mem = true;
				break;
			}
			if (j->insn[k].props & JIT_SETS) {
				to_mem = false;
				break;
			}
		}
done:
		j->insn[i].flags_to_mem = to_mem;
	}
}

static void decode_block(struct jit *j)
{
	for (j->n = 0; j->n < JIT_MAX_INSNS; j->n++) {
		uint64_t pc = j->block_pc + 4 * j->n;
		if (!in_page(j, pc))
			break;
		decode(j, word_at(j, pc), &j->insn[j->n]);
		if (j->insn[j->n].props & JIT_ENDS) {
			j->n++;
			break;
		}
	}
	find_flag_uses(j);
}

/* ---- Pieces that translators use ---- */

struct jit_slow *jit_slow_add(struct jit *j, void (*emit)(struct jit *j, const struct jit_slow *s))
{
	struct jit_slow *s = &j->slow[j->n_slow++];

	*s = (struct jit_slow){ .emit = emit, .pc = j->pc, .index = j->i };
	return s;
}

void jit_call(struct jit *j, const void *fn)
{
	x86_mov_imm(&j->buf, X86_RAX, (uint64_t)(uintptr_t)fn);
	x86_call_to(&j->buf, j->thunk_call);
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
	x86_u32(&j->buf, index - j->n);
}

static void exit_pc_piece(struct jit *j, const struct jit_slow *s)
{
	x86_mov_imm(&j->buf, X86_RAX, s->arg);
	x86_jmp_to(&j->buf, j->thunk_exit_pc);
}

void jit_check_attention(struct jit *j, uint64_t pc)
{
	x86_alu_imm(&j->buf, X86_CMP, 0, JIT_CPU(attention), 0);
	struct jit_slow *s = jit_slow_add(j, exit_pc_piece);
	s->branch[0] = x86_jcc(&j->buf, X86_NE);
	s->arg = pc;
}

static void link_piece(struct jit *j, const struct jit_slow *s)
{
	x86_mov_imm(&j->buf, X86_RCX, s->branch[0]);
	x86_mov_imm(&j->buf, X86_RAX, s->arg);
	x86_jmp_to(&j->buf, j->thunk_exit_link);
}

static void exit_in_page(struct jit *j, uint64_t target)
{
	uint32_t flags = j->block_flags & ((1u << JIT_FLAG_BTYPE_POS) - 1);
	const struct jit_block *block = find_block(j, target, j->block_pa + (target - j->block_pc), flags);

	if (target <= j->pc)
		jit_check_attention(j, target);
	if (block) {
		x86_jmp_to(&j->buf, block->code);
	} else if (target == j->block_pc && flags == j->block_flags) {
		x86_jmp_to(&j->buf, j->block_code);
	} else {
		struct jit_slow *s = jit_slow_add(j, link_piece);
		s->branch[0] = x86_jmp(&j->buf);
		s->arg = target;
	}
}

static void miss_piece(struct jit *j, const struct jit_slow *s)
{
	if (s->kind) {
		x86_op(&j->buf, 0xc6, 0, JIT_CPU(pstate.btype));
		x86_u8(&j->buf, s->kind);
	}
	x86_jmp_to(&j->buf, j->thunk_exit_pc);
}

void jit_exit_rax(struct jit *j, unsigned btype)
{
	struct x86_buf *b = &j->buf;

	x86_mov_rr(b, 0, X86_RCX, X86_RAX);
	x86_shift_imm(b, X86_SHR, 0, X86_RCX, JUMP_FOLD);
	x86_alu(b, X86_XOR, 0, X86_RCX, x86_r(X86_RAX));
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RCX), (JIT_JUMPS - 1) << 2);
	x86_lea(b, X86_W, X86_RDX, x86_rip(0));
	x86_lea(b, X86_W, X86_RCX, x86_mx(X86_RDX, X86_RCX, 3, 0));
	_Static_assert(sizeof(struct jit_jump) == 4 << 3, "four times a jump's index, times 8, is its offset");
	x86_load(b, 0, X86_RDX, JIT_CPU(jit_hot.key));
	if (btype)
		x86_alu_imm(b, X86_OR, 0, x86_r(X86_RDX), (int32_t)btype);
	x86_alu(b, X86_CMP, X86_W, X86_RAX, x86_m(X86_RCX, offsetof(struct jit_jump, pc)));
	struct jit_slow *s = jit_slow_add(j, miss_piece);
	s->kind = (uint8_t)btype;
	s->branch[0] = x86_jcc(b, X86_NE);
	x86_alu(b, X86_CMP, 0, X86_RDX, x86_m(X86_RCX, offsetof(struct jit_jump, key)));
	s->branch[1] = x86_jcc(b, X86_NE);
	x86_alu_imm(b, X86_CMP, 0, JIT_CPU(attention), 0);
	struct jit_slow *s2 = jit_slow_add(j, miss_piece);
	s2->kind = (uint8_t)btype;
	s2->branch[0] = x86_jcc(b, X86_NE);
	x86_jmp_rm(b, x86_m(X86_RCX, offsetof(struct jit_jump, code)));
	j->ended = true;
}

static void exit_to_page(struct jit *j, uint64_t target)
{
	struct x86_buf *b = &j->buf;
	uint32_t slot = (uint32_t)(jump_index(target) * sizeof(struct jit_jump));

	x86_mov_imm(b, X86_RAX, target);
	x86_load(b, 0, X86_RCX, JIT_CPU(jit_hot.key));
	x86_alu(b, X86_CMP, X86_W, X86_RAX, x86_rip(slot + offsetof(struct jit_jump, pc)));
	struct jit_slow *s = jit_slow_add(j, miss_piece);
	s->branch[0] = x86_jcc(b, X86_NE);
	x86_alu(b, X86_CMP, 0, X86_RCX, x86_rip(slot + offsetof(struct jit_jump, key)));
	s->branch[1] = x86_jcc(b, X86_NE);
	x86_alu_imm(b, X86_CMP, 0, JIT_CPU(attention), 0);
	struct jit_slow *s2 = jit_slow_add(j, miss_piece);
	s2->branch[0] = x86_jcc(b, X86_NE);
	x86_jmp_rm(b, x86_rip(slot + offsetof(struct jit_jump, code)));
}

void jit_exit_to(struct jit *j, uint64_t target)
{
	if (in_page(j, target))
		exit_in_page(j, target);
	else
		exit_to_page(j, target);
	j->ended = true;
}

void jit_exit_dispatch(struct jit *j)
{
	x86_jmp_to(&j->buf, j->thunk_exit);
	j->ended = true;
}

void jit_exit_dispatch_to(struct jit *j, uint64_t target)
{
	x86_mov_imm(&j->buf, X86_RAX, target);
	x86_jmp_to(&j->buf, j->thunk_exit_pc);
	j->ended = true;
}

/* ---- Calls of the interpreter ---- */

static void call_exec(struct emu_cpu *cpu, const union a64_args *args, a64_exec_fn *fn)
{
	jit_sync_flags(cpu);
	cpu->next_pc = cpu->pc + 4;
	fn(cpu, args);
	cpu->jit_hot.flags = jit_flags_of(cpu->nzcv);
}

/* Of an instruction after which execution goes on at cpu->pc. */
static void call_exec_last(struct emu_cpu *cpu, const union a64_args *args, a64_exec_fn *fn)
{
	enum { BTYPE_NEW = 4 }; /* INTERP_BTYPE_NEW */

	call_exec(cpu, args, fn);
	cpu->pc = cpu->code->resync ? cpu->pc + 4 : cpu->next_pc;
	cpu->code->resync = false;
	cpu->pstate.btype = cpu->pstate.btype & BTYPE_NEW ? cpu->pstate.btype & 3 : 0;
}

static void exec_undefined(struct emu_cpu *cpu, const union a64_args *args)
{
	emu_raise_undefined(cpu);
}

static void args_piece(struct jit *j, const struct jit_slow *s)
{
	while (x86_here(&j->buf) % 8)
		x86_u8(&j->buf, 0xcc);
	x86_bind_here(&j->buf, s->branch[1]);
	memcpy(j->buf.p, &j->insn[s->index].args, sizeof(union a64_args));
	j->buf.p += sizeof(union a64_args);
}

void jit_fallback(struct jit *j)
{
	const struct jit_insn *insn = &j->insn[j->i];
	struct x86_buf *b = &j->buf;
	a64_exec_fn *fn = insn->op == A64_OP_COUNT ? exec_undefined : a64_exec[insn->op];
	bool last = insn->props & JIT_ENDS;

	jit_before_raise(j, NULL);
	x86_lea(b, X86_W, X86_RCX, x86_rip(0));
	jit_slow_add(j, args_piece)->branch[1] = x86_here(b);
	x86_mov_imm(b, X86_RDX, (uint64_t)(uintptr_t)fn);
	if (last) {
		/* BLRAA and its kin look at the page they come from. */
		x86_mov_imm(b, X86_RAX, (uint64_t)(uintptr_t)&j->cpu->code->guarded);
		x86_op(b, 0xc6, 0, x86_m(X86_RAX, 0));
		x86_u8(b, j->block_flags & JIT_FLAG_GUARDED ? 1 : 0);
		jit_call(j, (const void *)call_exec_last);
		jit_exit_dispatch(j);
		return;
	}
	jit_call(j, (const void *)call_exec);
	/* Interrupts may be unmasked now, the views may be others, requests may have been served. */
	if (insn->op == A64_MSR_reg || insn->op == A64_MSR_imm || insn->op == A64_DSB || insn->op == A64_SYS)
		jit_check_attention(j, j->pc + 4);
}

/* ---- Translation ---- */

static void translate_insn(struct jit *j)
{
	struct jit_insn *insn = &j->insn[j->i];
	bool shows_btype = j->i == 0 && j->block_flags >> JIT_FLAG_BTYPE_POS;

	if (!(insn->props & JIT_USES))
		j->eflags = JIT_EFLAGS_NONE;
	if (shows_btype) {
		x86_op(&j->buf, 0xc6, 0, JIT_CPU(pstate.btype));
		x86_u8(&j->buf, j->block_flags >> JIT_FLAG_BTYPE_POS);
	}
	if (is_native(j, insn->op, &insn->args, insn->word))
		jit_ops[insn->op].translate(j, &insn->args);
	else
		jit_fallback(j);
	if (insn->props & JIT_CLOBBERS)
		j->eflags = JIT_EFLAGS_NONE;
	if (shows_btype && !j->ended) {
		x86_op(&j->buf, 0xc6, 0, JIT_CPU(pstate.btype));
		x86_u8(&j->buf, 0);
	}
}

static void emit_slow(struct jit *j)
{
	/* Slow paths may add more. */
	for (unsigned i = 0; i < j->n_slow; i++) {
		const struct jit_slow s = j->slow[i];
		if (s.emit != args_piece) {
			for (unsigned k = 0; k < 2; k++)
				if (s.branch[k])
					x86_bind_here(&j->buf, s.branch[k]);
		}
		if (s.fault)
			j->faults[j->n_faults++] = (struct jit_fault){ s.fault - 1, x86_here(&j->buf) };
		s.emit(j, &s);
	}
}

static struct jit_block *translate(struct jit *j, uint64_t pc, uint64_t pa, const uint32_t *host, uint32_t flags)
{
	if (j->buf.end - j->buf.p < BLOCK_ROOM || j->n_blocks == MAX_BLOCKS ||
	    j->n_faults > MAX_FAULTS - 4 * JIT_MAX_INSNS)
		forget_everything(j);
	j->block_pc = pc;
	j->block_pa = pa;
	j->block_flags = flags;
	j->host = host;
	j->n_slow = 0;
	j->ended = j->sp_checked = false;
	j->eflags = JIT_EFLAGS_NONE;
	decode_block(j);

	while (x86_here(&j->buf) % 16)
		x86_u8(&j->buf, 0xcc);
	j->block_code = x86_here(&j->buf);
	x86_alu_imm(&j->buf, X86_ADD, X86_W, JIT_CPU(retired), (int32_t)j->n);
	for (j->i = 0; j->i < j->n; j->i++) {
		j->pc = pc + 4 * j->i;
		translate_insn(j);
	}
	if (!j->ended)
		jit_exit_to(j, pc + 4 * j->n);
	emit_slow(j);
	add_block(j);
	j->n_translated += j->n;
	return &j->blocks[j->n_blocks - 1];
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

/* The block for cpu->pc, or NULL where one instruction has to be interpreted. */
static struct jit_block *block_now(struct emu_cpu *cpu)
{
	struct jit *j = cpu->jit;
	uint64_t pc = cpu->pc, page_pa;
	uint32_t insn;
	bool guarded;
	struct jit_context *context = jit_context_now(cpu);
	unsigned btype = cpu->pstate.btype;
	uint32_t flags = context->flags;

	cpu->jit_hot.partial = 0;
	const uint32_t *host = emu_fetch_page(cpu, pc, &page_pa, &guarded, &insn);
	if (!host)
		return NULL;
	if (guarded)
		flags |= JIT_FLAG_GUARDED;
	if (btype) {
		struct jit_insn first;
		insn = __atomic_load_n(&host[pc / 4 % CODE_PAGE_INSNS], __ATOMIC_RELAXED);
		if (guarded && !emu_interp_may_be_target(cpu, insn, btype))
			return NULL;
		j->block_flags = flags;
		decode(j, insn, &first);
		if (first.props & JIT_RAISES)
			flags |= btype << JIT_FLAG_BTYPE_POS;
		cpu->pstate.btype = 0;
	}
	uint64_t pa = page_pa | (pc & EMU_PAGE_MASK);
	struct jit_block *block = find_block(j, pc, pa, flags);
	if (!block)
		block = translate(j, pc, pa, host, flags);

	j->jumps[jump_index(pc)] = (struct jit_jump){ .pc = pc, .code = x86_exec_at(&j->buf, block->code),
		.key = cpu->jit_hot.key | btype };
	context->text[jit_hash_2m(pc) / 64] |= UINT64_C(1) << jit_hash_2m(pc) % 64;
	context->has_low |= !(pc >> 55 & 1);
	return block;
}

/* Not inline: setjmp would keep its variables out of registers. */
static __attribute__((noinline)) bool run(struct emu_cpu *cpu)
{
	struct jit *j = cpu->jit;
	void (*enter)(struct emu_cpu *cpu, const uint8_t *code);
	const uint8_t *enter_at = x86_exec_at(&j->buf, j->thunk_enter);

	memcpy(&enter, &enter_at, sizeof(enter));
	while (!wants_attention(cpu)) {
		uint32_t link = cpu->jit_hot.link;
		unsigned epoch = j->epoch;
		cpu->jit_hot.link = 0;
		const struct jit_block *block = block_now(cpu);
		if (!block)
			return true;
		if (link && epoch == j->epoch)
			x86_bind(&j->buf, link, block->code);
		j->n_dispatched++;
		cpu->jit_hot.flags = jit_flags_of(cpu->nzcv);
		jit_fault_enter(j);
		enter(cpu, x86_exec_at(&j->buf, block->code));
		jit_sync_flags(cpu);
	}
	return false;
}

void emu_jit_run(struct emu_cpu *cpu)
{
	jit_fp_enter(cpu->jit);
	for (;;) {
		if (setjmp(cpu->unwind)) {
			cpu->retired += (uint64_t)cpu->jit_hot.partial;
			cpu->jit_hot.link = 0;
		}
		cpu->jit_hot.partial = 0;
		if (!run(cpu))
			break;
		emu_interp_step(cpu);
	}
	jit_fp_leave(cpu->jit);
	cpu->jit_hot.link = 0;
}

/* ---- Life ---- */

static bool map_code(struct jit *j)
{
	int fd = memfd_create("vmd-jit", MFD_CLOEXEC);

	if (fd < 0)
		return false;
	bool ok = ftruncate(fd, BUF_SIZE) == 0;
	void *rw = ok ? mmap(NULL, BUF_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	void *rx = ok ? mmap(NULL, BUF_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0) : MAP_FAILED;
	close(fd);
	if (rw != MAP_FAILED)
		j->buf.start = rw;
	if (rx != MAP_FAILED)
		j->buf.exec = rx;
	return rw != MAP_FAILED && rx != MAP_FAILED;
}

static bool host_can(void)
{
	unsigned a, b, c, d;
	bool lahf = __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & 1), lzcnt = lahf && (c >> 5 & 1);

	return lahf && lzcnt && __builtin_cpu_supports("sse4.2");
}

bool emu_jit_init(struct emu_cpu *cpu, unsigned n_cpus, struct vmd_error *err)
{
	if (!host_can()) {
		vmd_error_set(err, VMD_ERR_GENERIC, 0, "This host's processor lacks SSE4.2 or LZCNT, which the JIT needs");
		vmd_error_hint(err, "Run the machine with accel=interp.");
		return false;
	}
	struct jit *j = calloc(1, sizeof(*j));
	cpu->jit = j;
	if (j) {
		j->cpu = cpu;
		j->blocks = malloc(MAX_BLOCKS * sizeof(j->blocks[0]));
		j->faults = malloc(MAX_FAULTS * sizeof(j->faults[0]));
		j->hash = calloc(HASH_SIZE, sizeof(j->hash[0]));
		j->pages = calloc(PAGE_HASH_SIZE, sizeof(j->pages[0]));
	}
	if (!j || !j->blocks || !j->faults || !j->hash || !j->pages || !map_code(j)) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, errno, "Cannot make the translator of vCPU %u", cpu->index);
		vmd_error_hint(err, "Where executable memory is forbidden, run the machine with accel=interp.");
		return false;
	}
	if (!jit_fault_init(err) || !jit_mem_init(j, n_cpus, err))
		return false;
	j->jumps = (struct jit_jump *)(void *)j->buf.start;
	j->buf.end = j->buf.start + BUF_SIZE;
	j->buf.p = j->buf.start + JIT_JUMPS * sizeof(struct jit_jump);
	make_thunks(j);
	jit_vec_init(j);
	j->code_start = x86_here(&j->buf);
	for (unsigned i = 0; i <= EMU_JIT_LOW_SETS; i++)
		jit_context_renew(j, &j->context[i]);
	return true;
}

void emu_jit_fini(struct emu_cpu *cpu)
{
	struct jit *j = cpu->jit;

	if (!j)
		return;
	cpu->jit = NULL;
	jit_mem_fini(j);
	if (j->buf.start)
		munmap(j->buf.start, BUF_SIZE);
	if (j->buf.exec)
		munmap((void *)(uintptr_t)j->buf.exec, BUF_SIZE);
	free(j->blocks);
	free(j->faults);
	free(j->hash);
	free(j->pages);
	free(j);
}

/* ---- The table ---- */

#define JIT(name, props) \
	static void translate_##name(struct jit *j, const union a64_args *args) \
	{ \
		jit_##name(j, (const struct a64_args_##name *)(const void *)args); \
	}
#include "emu/jit_ops.def"
#include "emu/jit_ops_simd.def"
#undef JIT

const struct jit_op jit_ops[A64_OP_COUNT] = {
#define JIT(name, props) [A64_##name] = { translate_##name, props },
#include "emu/jit_ops.def"
#include "emu/jit_ops_simd.def"
#undef JIT
};
