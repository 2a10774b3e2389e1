/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: where the guest's general registers and NZCV are while translated code
 * runs, and the pieces of code that read and write them. Thread: the vCPU's own.
 */
#include "emu/jit_priv.h"

/* ---- Registers ---- */

const uint8_t jit_pin[32] = {
	X86_RBX, X86_RSI, X86_RDI, X86_R8, X86_R9, X86_R10, X86_NO_REG, X86_NO_REG,
	X86_NO_REG, X86_NO_REG, X86_NO_REG, X86_NO_REG, X86_NO_REG, X86_NO_REG, X86_NO_REG, X86_NO_REG,
	X86_NO_REG, X86_NO_REG, X86_NO_REG, X86_R11, X86_R14, X86_NO_REG, X86_NO_REG, X86_NO_REG,
	X86_NO_REG, X86_NO_REG, X86_NO_REG, X86_NO_REG, X86_NO_REG, X86_NO_REG, X86_NO_REG, X86_R15,
};

unsigned jit_read(struct jit *j, unsigned n, unsigned scratch)
{
	if (j->pin[n] != X86_NO_REG)
		return j->pin[n];
	x86_plain_here(&j->buf, X86_MOV_LOAD | X86_W, scratch, jit_x_home(n));
	return scratch;
}

unsigned jit_read_z(struct jit *j, unsigned n, unsigned scratch)
{
	if (n != 31)
		return jit_read(j, n, scratch);
	x86_mov_imm(&j->buf, scratch, 0);
	return scratch;
}

void jit_copy(struct jit *j, uint32_t w, unsigned reg, unsigned n)
{
	if (w == 0 || j->pin[n] != reg)
		x86_load(&j->buf, w, reg, jit_x(j, n));
}

void jit_copy_z(struct jit *j, uint32_t w, unsigned reg, unsigned n)
{
	if (n == 31)
		x86_mov_imm(&j->buf, reg, 0);
	else
		jit_copy(j, w, reg, n);
}

void jit_write(struct jit *j, unsigned n, unsigned reg)
{
	if (n == 31)
		j->sp_checked = false;
	if (j->pin[n] == X86_NO_REG)
		x86_plain_here(&j->buf, X86_MOV_STORE | X86_W, reg, jit_x_home(n));
	else if (j->pin[n] != reg)
		x86_mov_rr(&j->buf, X86_W, j->pin[n], reg);
}

void jit_write_z(struct jit *j, unsigned n, unsigned reg)
{
	if (n != 31)
		jit_write(j, n, reg);
}

/* ---- NZCV ---- */

static JIT_HOT void flags_to_mem(struct jit *j)
{
	struct x86_buf b = j->buf;

	x86_lahf(&b);
	x86_setcc(&b, X86_O, X86_RAX);
	x86_store(&b, 0, JIT_CPU(jit_hot.flags), X86_RAX);
	j->buf.p = b.p;
}

void jit_flags_from_sub(struct jit *j)
{
	if (j->insn[j->i].flags_to_mem)
		flags_to_mem(j);
	j->eflags = JIT_EFLAGS_SUB;
}

void jit_flags_from_add(struct jit *j)
{
	j->eflags = JIT_EFLAGS_ADD;
	if (j->insn[j->i].flags_to_mem) {
		x86_cmc(&j->buf);
		flags_to_mem(j);
		j->eflags = JIT_EFLAGS_SUB;
	}
}

void jit_flags_load(struct jit *j)
{
	x86_load(&j->buf, 0, X86_RAX, JIT_CPU(jit_hot.flags));
	x86_u8(&j->buf, 0x04); /* add al, 127: overflows if AL is 1 */
	x86_u8(&j->buf, 0x7f);
	x86_sahf(&j->buf);
}

static void load_flags(struct jit *j)
{
	if (j->eflags != JIT_EFLAGS_NONE)
		return;
	jit_flags_load(j);
	j->eflags = JIT_EFLAGS_SUB;
}

enum x86_cc jit_condition(struct jit *j, unsigned cond)
{
	static const uint8_t cc[14] = {
		X86_E, X86_NE, X86_AE, X86_B, X86_S, X86_NS, X86_O, X86_NO, X86_A, X86_BE, X86_GE, X86_L, X86_G, X86_LE,
	};
	/* Less, or unordered, is below; none for EQ and NE. */
	static const uint8_t fp_cc[14] = {
		0, 0, X86_BE, X86_A, X86_A, X86_BE, X86_P, X86_NP, X86_B, X86_AE, X86_AE, X86_B, X86_A, X86_BE,
	};

	if (j->eflags == JIT_EFLAGS_FP)
		return fp_cc[cond];
	load_flags(j);
	if (j->eflags == JIT_EFLAGS_ADD && (cond == 2 || cond == 3 || cond == 8 || cond == 9)) {
		x86_cmc(&j->buf);
		j->eflags = JIT_EFLAGS_SUB;
	}
	return cc[cond];
}

void jit_carry(struct jit *j)
{
	load_flags(j);
	if (j->eflags == JIT_EFLAGS_ADD)
		x86_cmc(&j->buf);
	j->eflags = JIT_EFLAGS_SUB;
}

void jit_flags_to_eax(struct jit *j)
{
	if (j->eflags == JIT_EFLAGS_NONE) {
		x86_load(&j->buf, 0, X86_RAX, JIT_CPU(jit_hot.flags));
		return;
	}
	if (j->eflags == JIT_EFLAGS_ADD)
		x86_cmc(&j->buf);
	x86_lahf(&j->buf);
	x86_setcc(&j->buf, X86_O, X86_RAX);
	j->eflags = JIT_EFLAGS_NONE;
}

void jit_flags_from_eax(struct jit *j)
{
	if (j->insn[j->i].flags_to_mem)
		x86_store(&j->buf, 0, JIT_CPU(jit_hot.flags), X86_RAX);
	x86_u8(&j->buf, 0x04); /* add al, 127: overflows if AL is 1 */
	x86_u8(&j->buf, 0x7f);
	x86_sahf(&j->buf);
	j->eflags = JIT_EFLAGS_SUB;
}

void jit_set_flags(struct jit *j, uint32_t nzcv)
{
	x86_mov_imm(&j->buf, X86_RAX, jit_flags_of(nzcv));
	x86_u8(&j->buf, 0x04);
	x86_u8(&j->buf, 0x7f);
	x86_sahf(&j->buf);
}
