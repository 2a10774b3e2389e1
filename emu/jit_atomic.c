/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translators: atomic instructions (FEAT_LSE). Arm ARM C6.2. The slow path,
 * misaligned data included, is the interpreter's whole instruction.
 */
#include "emu/jit_ldst_priv.h"

static struct jit_slow *look_up_atomic(struct jit *j, unsigned va, unsigned size)
{
	return jit_look_up(j, va, 1u << size, true, JIT_ORDERED, jit_whole_piece);
}

/* `op` in the size of the datum; 8-bit opcodes are one less. */
static void sized_op(struct jit *j, unsigned size, uint32_t op, unsigned reg, struct x86_rm mem)
{
	static const uint32_t prefix[4] = { X86_B8, X86_66, 0, X86_W };

	x86_op(&j->buf, (size == 0 ? op - 1 : op) | prefix[size], reg, mem);
}

/* What was there, zero-extended, goes to Xt. */
static void atomic_result(struct jit *j, unsigned t, unsigned reg, unsigned size)
{
	if (t == 31)
		return;
	if (size < 3)
		x86_op(&j->buf, jit_load_op(size, JIT_ZERO), reg, x86_r(reg));
	jit_write(j, t, reg);
}

enum { XADD = 0xc1 | X86_0F | X86_LOCK, CMPXCHG = 0xb1 | X86_0F | X86_LOCK };

/* One host instruction that returns what was there in its register. */
static void exchange(struct jit *j, const struct a64_args_LDADD *a, uint32_t op)
{
	unsigned va = jit_address(j, a->Rn, 0);
	struct jit_slow *s = look_up_atomic(j, va, a->size);

	jit_copy_z(j, X86_W, X86_RDX, a->Rs);
	jit_fault_note(j, s);
	sized_op(j, a->size, op, X86_RDX, x86_mx(X86_RAX, va, 0, 0));
	atomic_result(j, a->Rt, X86_RDX, a->size);
	jit_slow_resume(j, s);
}

JIT_INSN(LDADD)
{
	exchange(j, a, XADD);
}

JIT_INSN(SWP)
{
	exchange(j, (const void *)a, X86_XCHG);
}

/* RCX = the datum's host address. The load in between is the one that may trap, while the address is still in RCX. */
static void host_address(struct jit *j, unsigned va, struct jit_slow *s)
{
	jit_fault_note(j, s);
	x86_op(&j->buf, X86_MOVZX8, X86_RDX, x86_mx(X86_RAX, va, 0, 0));
	x86_lea(&j->buf, X86_W, X86_RCX, x86_mx(X86_RAX, va, 0, 0));
}

static void modify(struct jit *j, const struct a64_args_LDADD *a, enum x86_alu alu, bool invert)
{
	struct x86_buf *b = &j->buf;
	unsigned va = jit_address(j, a->Rn, 0);
	struct jit_slow *s = look_up_atomic(j, va, a->size);

	host_address(j, va, s);
	x86_op(b, jit_load_op(a->size, JIT_ZERO), X86_RAX, x86_m(X86_RCX, 0));
	uint32_t again = x86_here(b);
	jit_copy_z(j, X86_W, X86_RDX, a->Rs);
	if (invert)
		x86_group3(b, X86_NOT, X86_W, X86_RDX);
	x86_alu(b, alu, X86_W, X86_RDX, x86_r(X86_RAX));
	sized_op(j, a->size, CMPXCHG, X86_RDX, x86_m(X86_RCX, 0));
	x86_jcc_to(b, X86_NE, again);
	atomic_result(j, a->Rt, X86_RAX, a->size);
	jit_slow_resume(j, s);
}

JIT_INSN(LDCLR)
{
	modify(j, (const void *)a, X86_AND, true);
}

JIT_INSN(LDEOR)
{
	modify(j, (const void *)a, X86_XOR, false);
}

JIT_INSN(LDSET)
{
	modify(j, (const void *)a, X86_OR, false);
}

JIT_INSN(CAS)
{
	unsigned va = jit_address(j, a->Rn, 0);
	struct jit_slow *s = look_up_atomic(j, va, a->size);

	host_address(j, va, s);
	jit_copy_z(j, X86_W, X86_RDX, a->Rt);
	jit_copy_z(j, X86_W, X86_RAX, a->Rs);
	sized_op(j, a->size, CMPXCHG, X86_RDX, x86_m(X86_RCX, 0));
	atomic_result(j, a->Rs, X86_RAX, a->size);
	jit_slow_resume(j, s);
}
