/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translators: data processing on one, two and three registers: multiply, divide,
 * shifts by a register, CRC32, bits and bytes. Arm ARM C4.1, "Data Processing --
 * Register"; C6.2.
 */
#include "emu/jit_int_priv.h"
#include "emu/jit_vec_priv.h"

/* ---- Data processing, 2 source ---- */

/* By 0 it is 0, by -1 the negative, which the host's would trap for the most negative number. */
static void divide_piece(struct jit *j, const struct jit_slow *s)
{
	x86_op(&j->buf, X86_IMUL | (s->kind ? X86_W : 0), X86_RAX, x86_r(X86_RCX));
	jit_slow_return(j, s);
}

static void divide(struct jit *j, const struct a64_args_UDIV *a, bool is_signed)
{
	struct x86_buf *b = &j->buf;
	uint32_t w = width(a->sf);

	if (a->Rd == 31)
		return;
	jit_copy_z(j, w, X86_RCX, a->Rm);
	jit_copy_z(j, w, X86_RAX, a->Rn);
	struct jit_slow *s = jit_slow_add(j, divide_piece);
	s->kind = a->sf;
	if (is_signed) {
		/* 0 and -1 at once */
		x86_lea(b, w, X86_RDX, x86_m(X86_RCX, 1));
		x86_alu_imm(b, X86_CMP, w, x86_r(X86_RDX), 1);
		s->branch[0] = x86_jcc(b, X86_BE);
		if (w)
			x86_u8(b, 0x48);
		x86_u8(b, 0x99); /* cdq, cqo */
		x86_group3(b, X86_IDIV, w, X86_RCX);
	} else {
		x86_test_rr(b, w, X86_RCX, X86_RCX);
		s->branch[0] = x86_jcc(b, X86_E);
		x86_alu(b, X86_XOR, 0, X86_RDX, x86_r(X86_RDX));
		x86_group3(b, X86_DIV, w, X86_RCX);
	}
	jit_slow_resume(j, s);
	jit_write(j, a->Rd, X86_RAX);
}

JIT_INSN(UDIV)
{
	divide(j, a, false);
}

JIT_INSN(SDIV)
{
	divide(j, a, true);
}

/* `bmi` is SHLX and its kin: any registers, no flags; 0: none. */
static void shift_by_register(struct jit *j, enum x86_shift shift, uint32_t bmi, const struct a64_args_LSLV *a)
{
	uint32_t w = width(a->sf);

	if (a->Rd == 31)
		return;
	if (bmi && a->Rn != 31 && j->host_has & JIT_BMI) {
		unsigned count = jit_read_z(j, a->Rm, X86_RCX), reg = jit_target(j, a->Rd, X86_RAX);
		x86_v(&j->buf, bmi | w, reg, count, jit_x(j, a->Rn));
		jit_write(j, a->Rd, reg);
		return;
	}
	jit_copy_z(j, 0, X86_RCX, a->Rm);
	jit_copy_z(j, w, X86_RAX, a->Rn);
	x86_shift_cl(&j->buf, shift, w, X86_RAX);
	jit_write(j, a->Rd, X86_RAX);
}

JIT_INSN(LSLV)
{
	shift_by_register(j, X86_SHL, 0xf7 | X86_66 | X86_0F38, a);
}

JIT_INSN(LSRV)
{
	shift_by_register(j, X86_SHR, 0xf7 | X86_F2 | X86_0F38, a);
}

JIT_INSN(ASRV)
{
	shift_by_register(j, X86_SAR, 0xf7 | X86_F3 | X86_0F38, a);
}

JIT_INSN(RORV)
{
	shift_by_register(j, X86_ROR, 0, a);
}

/* ---- CRC32: n has the checksum, m the data ---- */

enum {
	MOVQ_TO_XMM = 0x6e | X86_66 | X86_0F | X86_W,
	MOVDQA_LOAD = 0x6f | X86_66 | X86_0F,
	PCLMULQDQ = 0x44 | X86_66 | X86_0F3A,
	PEXTRD = 0x16 | X86_66 | X86_0F3A,
	CRC32_HOST = 0xf1 | X86_F2 | X86_0F38,
};

/*
 * The remainder of (checksum ^ data) * x^32 by P. Bits are in reverse order, so
 * the first of the data is the highest power, and data of fewer than 64 bits is
 * put at the top. By Barrett: the quotient is the low half of a product with
 * x^96 / P; of its product with P only what is below x^32 remains, which is in
 * the high half.
 */
static void crc32_ieee(struct jit *j, const struct a64_args_CRC32B *a, unsigned bits)
{
	struct x86_buf *b = &j->buf;

	if (a->Rd == 31)
		return;
	jit_copy_z(j, 0, X86_RAX, a->Rn);
	x86_mov_rr(b, 0, X86_RCX, X86_RAX);
	if (a->Rm != 31)
		x86_alu(b, X86_XOR, width(bits == 64), X86_RCX, jit_x(j, a->Rm));
	shift_field(j, X86_SHL, X86_W, X86_RCX, 64 - bits);
	x86_op(b, MOVQ_TO_XMM, 0, x86_r(X86_RCX));
	x86_op(b, MOVDQA_LOAD, 1, jit_k(j, JIT_K_CRC32));
	x86_op(b, PCLMULQDQ, 0, x86_r(1));
	x86_u8(b, 0x00);
	x86_op(b, PCLMULQDQ, 0, x86_r(1));
	x86_u8(b, 0x10);
	x86_op(b, PEXTRD, 0, x86_r(X86_RCX));
	x86_u8(b, 2);
	if (bits < 32) {
		x86_shift_imm(b, X86_SHR, 0, X86_RAX, bits);
		x86_alu(b, X86_XOR, 0, X86_RCX, x86_r(X86_RAX));
	}
	jit_write(j, a->Rd, X86_RCX);
}

JIT_INSN(CRC32B)
{
	crc32_ieee(j, (const void *)a, 8);
}

JIT_INSN(CRC32H)
{
	crc32_ieee(j, (const void *)a, 16);
}

JIT_INSN(CRC32W)
{
	crc32_ieee(j, (const void *)a, 32);
}

JIT_INSN(CRC32X)
{
	crc32_ieee(j, (const void *)a, 64);
}

static void crc32_castagnoli(struct jit *j, const struct a64_args_CRC32CB *a, uint32_t op)
{
	struct x86_rm data = jit_x(j, a->Rm);

	if (a->Rd == 31)
		return;
	if (a->Rm == 31) {
		x86_mov_imm(&j->buf, X86_RCX, 0);
		data = x86_r(X86_RCX);
	}
	jit_copy_z(j, 0, X86_RAX, a->Rn);
	x86_op(&j->buf, op, X86_RAX, data);
	jit_write(j, a->Rd, X86_RAX);
}

JIT_INSN(CRC32CB)
{
	crc32_castagnoli(j, (const void *)a, (CRC32_HOST - 1) | X86_RM8);
}

JIT_INSN(CRC32CH)
{
	crc32_castagnoli(j, (const void *)a, CRC32_HOST | X86_66);
}

JIT_INSN(CRC32CW)
{
	crc32_castagnoli(j, (const void *)a, CRC32_HOST);
}

JIT_INSN(CRC32CX)
{
	crc32_castagnoli(j, (const void *)a, CRC32_HOST | X86_W);
}

/* ---- Data processing, 1 source ---- */

static void byte_swap(struct x86_buf *b, uint32_t w, unsigned reg)
{
	unsigned rex = (w ? 8u : 0) | (reg & 8) >> 3;

	if (rex)
		x86_u8(b, 0x40 | rex);
	x86_u8(b, 0x0f);
	x86_u8(b, 0xc8 | (reg & 7));
}

/* RAX = the bits of RAX under `mask` changed for those `shift` above; clobbers RCX, RDX. */
static void swap_bits(struct x86_buf *b, uint32_t w, uint64_t mask, unsigned shift)
{
	x86_mov_imm(b, X86_RDX, w ? mask : (uint32_t)mask);
	x86_mov_rr(b, w, X86_RCX, X86_RAX);
	x86_shift_imm(b, X86_SHR, w, X86_RCX, shift);
	x86_alu(b, X86_AND, w, X86_RCX, x86_r(X86_RDX));
	x86_alu(b, X86_AND, w, X86_RAX, x86_r(X86_RDX));
	x86_shift_imm(b, X86_SHL, w, X86_RAX, shift);
	x86_alu(b, X86_OR, w, X86_RAX, x86_r(X86_RCX));
}

JIT_INSN(RBIT)
{
	uint32_t w = width(a->sf);

	if (a->Rd == 31)
		return;
	jit_copy_z(j, w, X86_RAX, a->Rn);
	byte_swap(&j->buf, w, X86_RAX);
	swap_bits(&j->buf, w, 0x0f0f0f0f0f0f0f0f, 4);
	swap_bits(&j->buf, w, 0x3333333333333333, 2);
	swap_bits(&j->buf, w, 0x5555555555555555, 1);
	jit_write(j, a->Rd, X86_RAX);
}

JIT_INSN(REV16)
{
	uint32_t w = width(a->sf);

	if (a->Rd == 31)
		return;
	jit_copy_z(j, w, X86_RAX, a->Rn);
	if (a->sf) {
		swap_bits(&j->buf, w, 0x00ff00ff00ff00ff, 8);
	} else {
		byte_swap(&j->buf, 0, X86_RAX);
		x86_shift_imm(&j->buf, X86_ROL, 0, X86_RAX, 16);
	}
	jit_write(j, a->Rd, X86_RAX);
}

static void reverse(struct jit *j, unsigned d, unsigned n, uint32_t w, unsigned rotate)
{
	if (d == 31)
		return;
	unsigned reg = jit_target(j, d, X86_RAX);
	jit_copy_z(j, w, reg, n);
	byte_swap(&j->buf, w, reg);
	if (rotate)
		x86_shift_imm(&j->buf, X86_ROL, w, reg, rotate);
	jit_write(j, d, reg);
}

JIT_INSN(REV_w)
{
	reverse(j, a->Rd, a->Rn, 0, 0);
}

JIT_INSN(REV32_x)
{
	reverse(j, a->Rd, a->Rn, X86_W, 32);
}

JIT_INSN(REV_x)
{
	reverse(j, a->Rd, a->Rn, X86_W, 0);
}

JIT_INSN(CLZ)
{
	if (a->Rd == 31)
		return;
	unsigned reg = jit_target(j, a->Rd, X86_RAX);
	unsigned n = jit_read_z(j, a->Rn, X86_RCX);
	x86_op(&j->buf, X86_LZCNT | width(a->sf), reg, x86_r(n));
	jit_write(j, a->Rd, reg);
}

JIT_INSN(CLS)
{
	struct x86_buf *b = &j->buf;
	uint32_t w = width(a->sf);

	if (a->Rd == 31)
		return;
	jit_copy_z(j, w, X86_RAX, a->Rn);
	x86_mov_rr(b, w, X86_RCX, X86_RAX);
	x86_shift_imm(b, X86_SAR, w, X86_RCX, 1);
	x86_alu(b, X86_XOR, w, X86_RAX, x86_r(X86_RCX));
	x86_op(b, X86_LZCNT | w, X86_RAX, x86_r(X86_RAX));
	x86_alu_imm(b, X86_SUB, 0, x86_r(X86_RAX), 1);
	jit_write(j, a->Rd, X86_RAX);
}

/* ---- Data processing, 3 source ---- */

/* Xd = Xa +- RCX. */
static void accumulate(struct jit *j, uint32_t w, unsigned d, unsigned acc, bool subtract)
{
	if (acc == 31) {
		if (subtract)
			x86_group3(&j->buf, X86_NEG, w, X86_RCX);
		jit_write(j, d, X86_RCX);
	} else if (subtract) {
		unsigned reg = jit_target(j, d, X86_RAX);
		jit_copy(j, w, reg, acc);
		x86_alu(&j->buf, X86_SUB, w, reg, x86_r(X86_RCX));
		jit_write(j, d, reg);
	} else if (j->pin[acc] != X86_NO_REG && j->pin[d] != X86_NO_REG) {
		x86_lea(&j->buf, w, j->pin[d], x86_mx(j->pin[acc], X86_RCX, 0, 0));
		jit_write(j, d, j->pin[d]);
	} else {
		x86_alu(&j->buf, X86_ADD, w, X86_RCX, jit_x(j, acc));
		jit_write(j, d, X86_RCX);
	}
}

static void multiply(struct jit *j, const struct a64_args_MADD *a, bool subtract)
{
	uint32_t w = width(a->sf);

	if (a->Rd == 31)
		return;
	/* MUL: straight into its place */
	unsigned reg = a->Ra == 31 && !subtract && a->Rd != a->Rm ? jit_target(j, a->Rd, X86_RCX) : X86_RCX;
	jit_copy_z(j, w, reg, a->Rn);
	if (a->Rm == 31)
		x86_mov_imm(&j->buf, reg, 0);
	else
		x86_op(&j->buf, X86_IMUL | w, reg, jit_x(j, a->Rm));
	if (reg == X86_RCX)
		accumulate(j, w, a->Rd, a->Ra, subtract);
}

JIT_INSN(MADD)
{
	multiply(j, a, false);
}

JIT_INSN(MSUB)
{
	multiply(j, a, true);
}

static void multiply_long(struct jit *j, const struct a64_args_SMADDL *a, bool is_signed, bool subtract)
{
	uint32_t op = is_signed ? X86_MOVSXD : X86_MOV_LOAD;

	if (a->Rd == 31)
		return;
	if (a->Rn == 31 || a->Rm == 31) {
		x86_mov_imm(&j->buf, X86_RCX, 0);
	} else {
		x86_op(&j->buf, op, X86_RCX, jit_x(j, a->Rn));
		x86_op(&j->buf, op, X86_RAX, jit_x(j, a->Rm));
		x86_op(&j->buf, X86_IMUL | X86_W, X86_RCX, x86_r(X86_RAX));
	}
	accumulate(j, X86_W, a->Rd, a->Ra, subtract);
}

JIT_INSN(SMADDL)
{
	multiply_long(j, a, true, false);
}

JIT_INSN(SMSUBL)
{
	multiply_long(j, a, true, true);
}

JIT_INSN(UMADDL)
{
	multiply_long(j, a, false, false);
}

JIT_INSN(UMSUBL)
{
	multiply_long(j, a, false, true);
}

static void multiply_high(struct jit *j, unsigned d, unsigned n, unsigned m, enum x86_group3 op)
{
	if (d == 31)
		return;
	jit_copy_z(j, X86_W, X86_RAX, n);
	unsigned reg = jit_read_z(j, m, X86_RCX);
	x86_group3(&j->buf, op, X86_W, reg);
	jit_write(j, d, X86_RDX);
}

JIT_INSN(SMULH)
{
	multiply_high(j, a->Rd, a->Rn, a->Rm, X86_IMUL1);
}

JIT_INSN(UMULH)
{
	multiply_high(j, a->Rd, a->Rn, a->Rm, X86_MUL);
}
