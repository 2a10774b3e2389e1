/* SPDX-License-Identifier: BSD-2-Clause */
/* Translators: branches. Arm ARM C6.2. */
#include "emu/jit_priv.h"

#include "emu/code_priv.h"
#include "emu/sys_priv.h"

/* Out of the block by a branch in its middle. */
static JIT_HOT void side_exit_piece(struct jit *j, const struct jit_slow *s)
{
	jit_exit_to(j, s->arg);
}

/* To `arg`, an instruction of the block, by a branch before that. */
static JIT_HOT void join_piece(struct jit *j, const struct jit_slow *s)
{
	int32_t passed = (int32_t)(s->arg - s->index - 1);

	/* They will be counted. */
	if (passed)
		x86_alu_imm(&j->buf, X86_SUB, X86_W, JIT_CPU(retired), passed);
	jit_v_match(j, &j->saved_vregs[s->resume_vregs]);
	x86_jmp_to(&j->buf, s->resume);
}

void jit_join(struct jit *j)
{
	/* What is known is what all of them know. */
	j->eflags = JIT_EFLAGS_NONE;
	memset(j->vregs.clear, 0, sizeof(j->vregs.clear));
	for (struct jit_slow *s = j->slow; s < j->slow + j->n_slow; s++) {
		if (s->emit == join_piece && s->arg == j->i) {
			j->sp_checked &= s->kind;
			jit_slow_resume(j, s);
		}
	}
}

/* Goes to `target` if `cc` holds, else on behind the instruction. */
static JIT_HOT void branch_if(struct jit *j, enum x86_cc cc, uint64_t target)
{
	if (j->i + 1 < j->n) {
		bool goes_on = j->i == j->seam; /* where it is taken */
		unsigned inner = j->insn[j->i].inner;
		struct jit_slow *s = jit_slow_add(j, inner ? join_piece : side_exit_piece);
		s->branch[0] = x86_jcc(&j->buf, cc ^ goes_on);
		s->arg = inner ? inner : goes_on ? j->pc + 4 : target;
		s->kind = j->sp_checked;
		if (goes_on) {
			jit_check_attention(j, target);
			j->eflags = JIT_EFLAGS_NONE;
		}
		return;
	}
	uint32_t skip = x86_jcc(&j->buf, cc ^ 1);

	jit_exit_to(j, target);
	x86_bind_here(&j->buf, skip);
	jit_exit_to(j, j->pc + 4);
}

static uint64_t offset(const struct jit *j, int32_t words)
{
	return j->pc + (uint64_t)words * 4;
}

JIT_INSN(B)
{
	jit_exit_to(j, offset(j, a->imm26));
}

static void set_link(struct jit *j)
{
	unsigned d = jit_target(j, 30, X86_RCX);

	x86_mov_imm(&j->buf, d, j->pc + 4);
	jit_write(j, 30, d);
}

JIT_INSN(BL)
{
	set_link(j);
	jit_exit_to(j, offset(j, a->imm26));
}

JIT_INSN(B_cond)
{
	if (a->cond >= 14)
		jit_exit_to(j, offset(j, a->imm19));
	else
		branch_if(j, jit_condition(j, a->cond), offset(j, a->imm19));
}

/* ---- Compare and branch, test and branch ---- */

static JIT_HOT void compare_zero(struct jit *j, uint32_t w, unsigned t)
{
	struct x86_rm x = jit_x(j, t);

	if (t == 31)
		x86_alu(&j->buf, X86_CMP, 0, X86_RSP, x86_r(X86_RSP));
	else if (x86_is_mem(x))
		x86_alu_imm(&j->buf, X86_CMP, w, x, 0);
	else
		x86_test_rr(&j->buf, w, x86_reg_of(x), x86_reg_of(x));
}

JIT_INSN(CBZ_w)
{
	compare_zero(j, 0, a->Rt);
	branch_if(j, X86_E, offset(j, a->imm19));
}

JIT_INSN(CBZ_x)
{
	compare_zero(j, X86_W, a->Rt);
	branch_if(j, X86_E, offset(j, a->imm19));
}

JIT_INSN(CBNZ_w)
{
	compare_zero(j, 0, a->Rt);
	branch_if(j, X86_NE, offset(j, a->imm19));
}

JIT_INSN(CBNZ_x)
{
	compare_zero(j, X86_W, a->Rt);
	branch_if(j, X86_NE, offset(j, a->imm19));
}

/* Returns the condition that the bit is set. */
static enum x86_cc test_bit(struct jit *j, unsigned t, unsigned bit)
{
	struct x86_rm x = jit_x(j, t);

	if (t == 31) {
		x86_alu(&j->buf, X86_CMP, 0, X86_RSP, x86_r(X86_RSP));
	} else if (x86_is_mem(x)) {
		x86_test8_imm(&j->buf, jit_x_byte(t, bit / 8), (uint8_t)(1u << bit % 8));
	} else if (bit < 8) {
		x86_test8_imm(&j->buf, x, (uint8_t)(1u << bit));
	} else if (bit < 32) {
		x86_test_imm(&j->buf, 0, x, (int32_t)(1u << bit));
	} else {
		x86_op(&j->buf, 0xba | X86_0F | X86_W, 4, x); /* bt x, imm8 */
		x86_u8(&j->buf, bit);
		return X86_B;
	}
	return X86_NE;
}

JIT_INSN(TBZ)
{
	enum x86_cc set = test_bit(j, a->Rt, a->bit);

	branch_if(j, set ^ 1, offset(j, a->imm14));
}

JIT_INSN(TBNZ)
{
	enum x86_cc set = test_bit(j, a->Rt, a->bit);

	branch_if(j, set, offset(j, a->imm14));
}

/* ---- To a register ---- */

/* What the branch leaves in PSTATE.BTYPE, as in emu/interp_branch.c. */
static unsigned btype_of_jump(const struct jit *j, unsigned n)
{
	if (!j->cpu->code->has_bti)
		return 0;
	return (j->block_flags & JIT_FLAG_GUARDED) && n != 16 && n != 17 ? 3 : 1;
}

JIT_INSN(BR)
{
	jit_copy_z(j, X86_W, X86_RAX, a->Rn);
	jit_exit_rax(j, btype_of_jump(j, a->Rn));
}

JIT_INSN(BLR)
{
	jit_copy_z(j, X86_W, X86_RAX, a->Rn);
	set_link(j);
	jit_exit_rax(j, j->cpu->code->has_bti ? 2 : 0);
}

JIT_INSN(RET)
{
	jit_copy_z(j, X86_W, X86_RAX, a->Rn);
	jit_exit_rax(j, 0);
}

/* ---- With pointer authentication: XZR is the interpreter's ---- */

static void jump_authenticated(struct jit *j, unsigned key, unsigned n, unsigned modifier)
{
	if (n == 31) {
		jit_fallback(j);
		return;
	}
	jit_authenticate_rax(j, key, n, modifier);
	jit_exit_rax(j, btype_of_jump(j, n));
}

static void call_authenticated(struct jit *j, unsigned key, unsigned n, unsigned modifier)
{
	if (n == 31) {
		jit_fallback(j);
		return;
	}
	jit_authenticate_rax(j, key, n, modifier);
	set_link(j);
	jit_exit_rax(j, j->cpu->code->has_bti ? 2 : 0);
}

JIT_INSN(BRAZ)
{
	jump_authenticated(j, a->M, a->Rn, JIT_NO_MODIFIER);
}

JIT_INSN(BRA)
{
	jump_authenticated(j, a->M, a->Rn, a->Rm);
}

JIT_INSN(BLRAZ)
{
	call_authenticated(j, a->M, a->Rn, JIT_NO_MODIFIER);
}

JIT_INSN(BLRA)
{
	call_authenticated(j, a->M, a->Rn, a->Rm);
}

JIT_INSN(RETA)
{
	jit_authenticate_rax(j, a->M, 30, 31);
	jit_exit_rax(j, 0);
}

/* ---- To EL1 and back ---- */

static uint64_t take_svc(struct emu_cpu *cpu, uint64_t imm16)
{
	jit_sync_flags(cpu);
	emu_take_svc(cpu, (unsigned)imm16);
	cpu->jit_hot.partial--; /* it does not complete */
	return jit_leave_insn(cpu);
}

JIT_INSN(SVC)
{
	jit_before_raise(j, NULL);
	x86_mov_imm(&j->buf, X86_RCX, a->imm16);
	jit_exit_by(j, (const void *)take_svc);
}

static uint64_t take_eret(struct emu_cpu *cpu)
{
	jit_sync_flags(cpu);
	emu_eret(cpu, cpu->sys[EMU_SR_ELR_EL1]);
	cpu->pc = cpu->next_pc;
	cpu->jit_hot.flags = jit_flags_of(cpu->nzcv);
	return jit_leave_insn(cpu);
}

JIT_INSN(ERET)
{
	jit_before_raise(j, NULL);
	jit_exit_by(j, (const void *)take_eret);
}
