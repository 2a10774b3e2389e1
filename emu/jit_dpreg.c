/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translators: data processing on registers, but for those of jit_dpreg_source.c.
 * Arm ARM C4.1, "Data Processing -- Register"; C6.2.
 */
#include "emu/jit_int_priv.h"
#include "emu/jit_vec_priv.h"

/* ---- Two operands ---- */

/* Xd = Xn op `rm`, for registers of the kind that 31 is zero. `rm` is not RAX. The host's flags are the result's. */
static JIT_HOT void three_operands(struct jit *j, enum x86_alu alu, uint32_t w, unsigned d, unsigned n,
				   struct x86_rm rm)
{
	struct x86_buf *b = &j->buf;
	unsigned reg = target_z(j, d, X86_RAX);
	bool commutes = alu != X86_SUB && alu != X86_SBB;

	if (n == 31 && alu == X86_SUB) {
		if (!x86_is_reg(rm, reg))
			x86_load(b, w, reg, rm);
		x86_group3(b, X86_NEG, w, reg);
		jit_write_z(j, d, reg);
		return;
	}
	if (x86_is_reg(rm, reg) && !(n != 31 && j->pin[n] == reg)) {
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
static JIT_HOT struct x86_rm shifted(struct jit *j, const struct a64_args_AND_shift *a)
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

	if (!x86_is_reg(rm, X86_RCX))
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
	if (x86_is_mem(rm)) {
		x86_load(&j->buf, w, X86_RCX, rm);
		rm = x86_r(X86_RCX);
	}
	unsigned reg = target_z(j, a->Rd, X86_RAX);
	x86_v(&j->buf, ANDN | w, reg, x86_reg_of(rm), jit_x(j, a->Rn));
	jit_write_z(j, a->Rd, reg);
}

JIT_INSN(BIC_shift)
{
	and_not(j, a);
}

/* With Xn zero, these are moves. */
static JIT_HOT void or_operand(struct jit *j, const struct a64_args_AND_shift *a, struct x86_rm rm)
{
	if (a->Rd == 31)
		return;
	if (a->Rn == 31) {
		unsigned reg = jit_target(j, a->Rd, X86_RAX);
		if (!x86_is_reg(rm, reg) || !a->sf)
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
static JIT_HOT void add_scaled(struct jit *j, uint32_t w, unsigned d, unsigned n, unsigned index, unsigned scale)
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

static JIT_HOT void compare_operand(struct jit *j, uint32_t w, unsigned n, struct x86_rm rm)
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

/* Xn with `rm`, or with an immediate. Both ways end with the host's flags as a subtraction leaves them. */
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
	if (!rm.enc)
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
	compare_if(j, a->cond, width(a->sf), a->Rn, (struct x86_rm){ 0 }, a->imm5, true, a->nzcv);
}

JIT_INSN(CCMP_imm)
{
	compare_if(j, a->cond, width(a->sf), a->Rn, (struct x86_rm){ 0 }, a->imm5, false, a->nzcv);
}

/* ---- Conditional select: nothing here may touch the host's flags ---- */

enum select { SELECT_PLAIN, SELECT_INC, SELECT_INV, SELECT_NEG };

static JIT_HOT void select_op(struct jit *j, const struct a64_args_CSEL *a, enum select kind)
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
