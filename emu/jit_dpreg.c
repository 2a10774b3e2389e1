/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translators: data processing on registers. Arm ARM C4.1, "Data Processing --
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

/* ---- Two operands ---- */

/* Xd = Xn op `rm`, for registers of the kind that 31 is zero. `rm` is not RAX. The host's flags are the result's. */
static void three_operands(struct jit *j, enum x86_alu alu, uint32_t w, unsigned d, unsigned n, struct x86_rm rm)
{
	struct x86_buf *b = &j->buf;
	unsigned reg = target_z(j, d, X86_RAX);
	bool commutes = alu != X86_SUB && alu != X86_SBB;

	if (n == 31 && alu == X86_SUB) {
		if (rm.mem || rm.base != reg)
			x86_load(b, w, reg, rm);
		x86_group3(b, X86_NEG, w, reg);
		jit_write_z(j, d, reg);
		return;
	}
	if (!rm.mem && rm.base == reg && !(n != 31 && j->pin[n] == reg)) {
		if (commutes && n != 31) {
			x86_alu(b, alu, w, reg, jit_x(j, n));
			jit_write_z(j, d, reg);
			return;
		}
		reg = X86_RAX;
	}
	jit_copy_z(j, w, reg, n);
	x86_alu(b, alu, w, reg, rm);
	jit_write_z(j, d, reg);
}

/* ---- Shifted and extended operands ---- */

/* Xm shifted, as an operand: where it is, or in RCX. */
static struct x86_rm shifted(struct jit *j, const struct a64_args_AND_shift *a)
{
	static const uint8_t shifts[4] = { X86_SHL, X86_SHR, X86_SAR, X86_ROR };

	if (a->imm6 == 0 && a->Rm != 31)
		return jit_x(j, a->Rm);
	jit_copy_z(j, width(a->sf), X86_RCX, a->Rm);
	shift_field(j, shifts[a->shift], width(a->sf), X86_RCX, a->imm6);
	return x86_r(X86_RCX);
}

static struct x86_rm inverted(struct jit *j, const struct a64_args_AND_shift *a)
{
	struct x86_rm rm = shifted(j, a);

	if (rm.mem || rm.base != X86_RCX)
		x86_load(&j->buf, width(a->sf), X86_RCX, rm);
	x86_group3(&j->buf, X86_NOT, width(a->sf), X86_RCX);
	return x86_r(X86_RCX);
}

JIT_INSN(AND_shift)
{
	three_operands(j, X86_AND, width(a->sf), a->Rd, a->Rn, shifted(j, a));
}

/* Xd = Xn & ~Xm, with the host's flags. */
static void and_not(struct jit *j, const struct a64_args_AND_shift *a)
{
	enum { ANDN = 0xf2 | X86_0F38 };
	uint32_t w = width(a->sf);

	if (!(j->host_has & JIT_BMI) || a->Rn == 31) {
		three_operands(j, X86_AND, w, a->Rd, a->Rn, inverted(j, a));
		return;
	}
	struct x86_rm rm = shifted(j, a);
	if (rm.mem) {
		x86_load(&j->buf, w, X86_RCX, rm);
		rm = x86_r(X86_RCX);
	}
	unsigned reg = target_z(j, a->Rd, X86_RAX);
	x86_v(&j->buf, ANDN | w, reg, rm.base, jit_x(j, a->Rn));
	jit_write_z(j, a->Rd, reg);
}

JIT_INSN(BIC_shift)
{
	and_not(j, a);
}

/* With Xn zero, these are moves. */
static void or_operand(struct jit *j, const struct a64_args_AND_shift *a, struct x86_rm rm)
{
	if (a->Rd == 31)
		return;
	if (a->Rn == 31) {
		unsigned reg = jit_target(j, a->Rd, X86_RAX);
		if (rm.mem || rm.base != reg || !a->sf)
			x86_load(&j->buf, width(a->sf), reg, rm);
		jit_write(j, a->Rd, reg);
	} else {
		three_operands(j, X86_OR, width(a->sf), a->Rd, a->Rn, rm);
	}
}

JIT_INSN(ORR_shift)
{
	or_operand(j, a, shifted(j, a));
}

JIT_INSN(ORN_shift)
{
	or_operand(j, a, inverted(j, a));
}

JIT_INSN(EOR_shift)
{
	three_operands(j, X86_XOR, width(a->sf), a->Rd, a->Rn, shifted(j, a));
}

JIT_INSN(EON_shift)
{
	three_operands(j, X86_XOR, width(a->sf), a->Rd, a->Rn, inverted(j, a));
}

JIT_INSN(ANDS_shift)
{
	if (a->Rd == 31 && a->Rn == a->Rm && a->imm6 == 0 && a->Rn != 31) {
		unsigned n = jit_read(j, a->Rn, X86_RCX);
		x86_test_rr(&j->buf, width(a->sf), n, n);
	} else if (a->Rd == 31) {
		struct x86_rm rm = shifted(j, a);
		x86_op(&j->buf, X86_TEST | width(a->sf), jit_read_z(j, a->Rn, X86_RAX), rm);
	} else {
		three_operands(j, X86_AND, width(a->sf), a->Rd, a->Rn, shifted(j, a));
	}
	jit_flags_from_add(j);
}

JIT_INSN(BICS_shift)
{
	and_not(j, a);
	jit_flags_from_add(j);
}

/* ---- Add/subtract (shifted register) ---- */

/* Xd = Xn + (`index` << scale). */
static void add_scaled(struct jit *j, uint32_t w, unsigned d, unsigned n, unsigned index, unsigned scale)
{
	unsigned base = jit_read(j, n, X86_RAX), reg = jit_target(j, d, X86_RAX);

	x86_lea(&j->buf, w, reg, x86_mx(base, index, scale, 0));
	jit_write(j, d, reg);
}

JIT_INSN(ADD_shift)
{
	bool adds_in_place = a->imm6 == 0 && (a->Rd == a->Rn || a->Rd == a->Rm);

	if (a->Rd != 31 && a->Rn != 31 && a->Rm != 31 && a->shift == 0 && a->imm6 <= 3 && !adds_in_place)
		add_scaled(j, width(a->sf), a->Rd, a->Rn, jit_read(j, a->Rm, X86_RCX), a->imm6);
	else
		three_operands(j, X86_ADD, width(a->sf), a->Rd, a->Rn, shifted(j, a));
}

JIT_INSN(ADDS_shift)
{
	three_operands(j, X86_ADD, width(a->sf), a->Rd, a->Rn, shifted(j, a));
	jit_flags_from_add(j);
}

JIT_INSN(SUB_shift)
{
	three_operands(j, X86_SUB, width(a->sf), a->Rd, a->Rn, shifted(j, a));
}

static void compare_operand(struct jit *j, uint32_t w, unsigned n, struct x86_rm rm)
{
	unsigned reg = n == 31 ? jit_read_z(j, n, X86_RAX) : jit_read(j, n, X86_RAX);

	x86_alu(&j->buf, X86_CMP, w, reg, rm);
}

JIT_INSN(SUBS_shift)
{
	struct x86_rm rm = shifted(j, a);

	if (a->Rd == 31)
		compare_operand(j, width(a->sf), a->Rn, rm);
	else
		three_operands(j, X86_SUB, width(a->sf), a->Rd, a->Rn, rm);
	jit_flags_from_sub(j);
}

/* ---- Add/subtract (extended register): 31 is SP, but for m, and the result of those that set flags ---- */

/* RCX = Xm extended. */
static void extend(struct jit *j, const struct a64_args_ADD_ext *a)
{
	static const uint32_t ops[8] = {
		X86_MOVZX8, X86_MOVZX16, X86_MOV_LOAD, X86_MOV_LOAD | X86_W,
		X86_MOVSX8 | X86_W, X86_MOVSX16 | X86_W, X86_MOVSXD, X86_MOV_LOAD | X86_W,
	};

	if (a->Rm == 31)
		x86_mov_imm(&j->buf, X86_RCX, 0);
	else
		x86_op(&j->buf, ops[a->option], X86_RCX, jit_x(j, a->Rm));
}

/* RCX = Xm extended and shifted. */
static struct x86_rm extended(struct jit *j, const struct a64_args_ADD_ext *a)
{
	extend(j, a);
	shift_field(j, X86_SHL, X86_W, X86_RCX, a->imm3);
	return x86_r(X86_RCX);
}

static void extended_operand(struct jit *j, enum x86_alu alu, const struct a64_args_ADD_ext *a)
{
	struct x86_rm rm = extended(j, a);
	unsigned reg = jit_target(j, a->Rd, X86_RAX);

	jit_copy(j, width(a->sf), reg, a->Rn);
	x86_alu(&j->buf, alu, width(a->sf), reg, rm);
	jit_write(j, a->Rd, reg);
}

JIT_INSN(ADD_ext)
{
	if (a->imm3 > 3) {
		extended_operand(j, X86_ADD, a);
		return;
	}
	extend(j, a);
	add_scaled(j, width(a->sf), a->Rd, a->Rn, X86_RCX, a->imm3);
}

JIT_INSN(SUB_ext)
{
	extended_operand(j, X86_SUB, a);
}

static void extended_flags(struct jit *j, enum x86_alu alu, const struct a64_args_ADD_ext *a)
{
	struct x86_rm rm = extended(j, a);
	unsigned reg = target_z(j, a->Rd, X86_RAX);

	jit_copy(j, width(a->sf), reg, a->Rn);
	x86_alu(&j->buf, alu, width(a->sf), reg, rm);
	jit_write_z(j, a->Rd, reg);
}

JIT_INSN(ADDS_ext)
{
	extended_flags(j, X86_ADD, a);
	jit_flags_from_add(j);
}

JIT_INSN(SUBS_ext)
{
	extended_flags(j, X86_SUB, a);
	jit_flags_from_sub(j);
}

/* ---- Add/subtract with carry ---- */

/* Operands are in registers before the flags are made. */
static void carry_op(struct jit *j, const struct a64_args_ADC *a, bool subtract)
{
	struct x86_buf *b = &j->buf;
	uint32_t w = width(a->sf);

	jit_copy_z(j, w, X86_RCX, a->Rn);
	unsigned m = jit_read_z(j, a->Rm, X86_RDX);
	jit_carry(j);
	if (!subtract)
		x86_cmc(b);
	x86_alu(b, subtract ? X86_SBB : X86_ADC, w, X86_RCX, x86_r(m));
	jit_write_z(j, a->Rd, X86_RCX);
}

JIT_INSN(ADC)
{
	carry_op(j, a, false);
}

JIT_INSN(ADCS)
{
	carry_op(j, a, false);
	jit_flags_from_add(j);
}

JIT_INSN(SBC)
{
	carry_op(j, a, true);
}

JIT_INSN(SBCS)
{
	carry_op(j, a, true);
	jit_flags_from_sub(j);
}

/* ---- Flags out of a register ---- */

JIT_INSN(RMIF)
{
	struct x86_buf *b = &j->buf;
	uint32_t mask = (uint32_t)a->mask << 28;

	jit_flags_to_eax(j);
	jit_copy_z(j, X86_W, X86_RCX, a->Rn);
	shift_field(j, X86_ROR, X86_W, X86_RCX, a->imm6);
	/* RCX has N, Z, C, V from bit 3 down: C changes, to be CF after a subtraction */
	x86_alu_imm(b, X86_XOR, 0, x86_r(X86_RCX), 2);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RAX), (int32_t)~(jit_flags_of(mask) ^ jit_flags_of(0)));
	x86_mov_rr(b, 0, X86_RDX, X86_RCX);
	x86_shift_imm(b, X86_SHL, 0, X86_RDX, 12);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RDX), (int32_t)(mask >> 16 & 0xc000));
	x86_alu(b, X86_OR, 0, X86_RAX, x86_r(X86_RDX));
	x86_mov_rr(b, 0, X86_RDX, X86_RCX);
	x86_shift_imm(b, X86_SHL, 0, X86_RDX, 7);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RDX), mask & EMU_C ? 0x100 : 0);
	x86_alu(b, X86_OR, 0, X86_RAX, x86_r(X86_RDX));
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RCX), mask & EMU_V ? 1 : 0);
	x86_alu(b, X86_OR, 0, X86_RAX, x86_r(X86_RCX));
	jit_flags_from_eax(j);
}

/* N and Z of the low bits, V where the next bit differs from the top one; C stays. */
static void set_flags_narrow(struct jit *j, unsigned n, unsigned bits)
{
	struct x86_buf *b = &j->buf;

	jit_flags_to_eax(j);
	x86_mov_rr(b, 0, X86_RDX, X86_RAX);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RDX), 0x100);
	jit_copy_z(j, 0, X86_RCX, n);
	x86_op(b, bits == 8 ? 0x84 | X86_B8 | X86_RM8 : X86_TEST | X86_66, X86_RCX, x86_r(X86_RCX));
	x86_lahf(b);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RAX), 0xc000);
	x86_alu(b, X86_OR, 0, X86_RAX, x86_r(X86_RDX));
	x86_mov_rr(b, 0, X86_RDX, X86_RCX);
	x86_shift_imm(b, X86_SHR, 0, X86_RDX, 1);
	x86_alu(b, X86_XOR, 0, X86_RCX, x86_r(X86_RDX));
	x86_shift_imm(b, X86_SHR, 0, X86_RCX, bits - 1);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RCX), 1);
	x86_alu(b, X86_OR, 0, X86_RAX, x86_r(X86_RCX));
	jit_flags_from_eax(j);
}

JIT_INSN(SETF8)
{
	set_flags_narrow(j, a->Rn, 8);
}

JIT_INSN(SETF16)
{
	set_flags_narrow(j, a->Rn, 16);
}

/* ---- Conditional compare ---- */

static void set_flags_piece(struct jit *j, const struct jit_slow *s)
{
	jit_set_flags(j, (uint32_t)s->arg);
	jit_slow_return(j, s);
}

/* Both ways end with the host's flags as a subtraction leaves them. */
static void compare_if(struct jit *j, unsigned cond, uint32_t w, unsigned n, struct x86_rm rm, int32_t imm, bool negate,
		       unsigned nzcv)
{
	struct x86_buf *b = &j->buf;
	struct jit_slow *no = NULL;
	unsigned reg = X86_RAX;

	if (cond < 14) {
		enum x86_cc cc = jit_condition(j, cond) ^ 1;
		no = jit_slow_add(j, set_flags_piece);
		no->arg = nzcv << 28;
		no->branch[0] = x86_jcc(b, cc);
	}
	if (negate)
		jit_copy_z(j, w, X86_RAX, n);
	else
		reg = jit_read_z(j, n, X86_RAX);
	if (rm.base == X86_NO_REG)
		x86_alu_imm(b, negate ? X86_ADD : X86_CMP, w, x86_r(reg), imm);
	else
		x86_alu(b, negate ? X86_ADD : X86_CMP, w, reg, rm);
	if (negate)
		x86_cmc(b);
	if (no)
		jit_slow_resume(j, no);
	jit_flags_from_sub(j);
}

static struct x86_rm operand_z(struct jit *j, unsigned n)
{
	if (n != 31)
		return jit_x(j, n);
	x86_mov_imm(&j->buf, X86_RCX, 0);
	return x86_r(X86_RCX);
}

JIT_INSN(CCMN_reg)
{
	compare_if(j, a->cond, width(a->sf), a->Rn, operand_z(j, a->Rm), 0, true, a->nzcv);
}

JIT_INSN(CCMP_reg)
{
	compare_if(j, a->cond, width(a->sf), a->Rn, operand_z(j, a->Rm), 0, false, a->nzcv);
}

JIT_INSN(CCMN_imm)
{
	compare_if(j, a->cond, width(a->sf), a->Rn, x86_r(X86_NO_REG), a->imm5, true, a->nzcv);
}

JIT_INSN(CCMP_imm)
{
	compare_if(j, a->cond, width(a->sf), a->Rn, x86_r(X86_NO_REG), a->imm5, false, a->nzcv);
}

/* ---- Conditional select: nothing here may touch the host's flags ---- */

enum select { SELECT_PLAIN, SELECT_INC, SELECT_INV, SELECT_NEG };

static void select_op(struct jit *j, const struct a64_args_CSEL *a, enum select kind)
{
	struct x86_buf *b = &j->buf;
	uint32_t w = width(a->sf);

	if (a->Rd == 31)
		return;
	if (a->cond >= 14) {
		jit_copy_z(j, w, X86_RCX, a->Rn);
		jit_write(j, a->Rd, X86_RCX);
		return;
	}
	enum x86_cc cc = jit_condition(j, a->cond);
	unsigned reg = jit_target(j, a->Rd, X86_RCX);
	if (a->Rn == 31 && a->Rm == 31 && kind == SELECT_INC) {
		/* CSET */
		x86_setcc(b, cc ^ 1, X86_RCX);
		x86_op(b, X86_MOVZX8, reg, x86_r(X86_RCX));
		jit_write(j, a->Rd, reg);
		return;
	}
	if (kind == SELECT_PLAIN && a->Rd == a->Rn && a->Rm != 31 && a->sf && j->pin[a->Rd] != X86_NO_REG) {
		x86_cmov(b, cc ^ 1, w, reg, jit_x(j, a->Rm));
		return;
	}
	if (a->Rd == a->Rn)
		reg = X86_RCX;
	if (kind == SELECT_INC && a->Rm != 31 && j->pin[a->Rm] != X86_NO_REG)
		x86_lea(b, w, reg, x86_m(j->pin[a->Rm], 1));
	else
		jit_copy_z(j, w, reg, a->Rm);
	if (kind == SELECT_INV || kind == SELECT_NEG)
		x86_group3(b, X86_NOT, w, reg);
	if (kind == SELECT_NEG || (kind == SELECT_INC && (a->Rm == 31 || j->pin[a->Rm] == X86_NO_REG)))
		x86_lea(b, w, reg, x86_m(reg, 1));
	if (a->Rn == 31) {
		x86_mov_imm(b, X86_RDX, 0);
		x86_cmov(b, cc, w, reg, x86_r(X86_RDX));
	} else {
		x86_cmov(b, cc, w, reg, jit_x(j, a->Rn));
	}
	jit_write(j, a->Rd, reg);
}

JIT_INSN(CSEL)
{
	select_op(j, a, SELECT_PLAIN);
}

JIT_INSN(CSINC)
{
	select_op(j, a, SELECT_INC);
}

JIT_INSN(CSINV)
{
	select_op(j, a, SELECT_INV);
}

JIT_INSN(CSNEG)
{
	select_op(j, a, SELECT_NEG);
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
