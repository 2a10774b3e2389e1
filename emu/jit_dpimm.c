/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translators: data processing with immediates. Arm ARM C4.1, "Data Processing --
 * Immediate"; C6.2.
 */
#include "emu/jit_int_priv.h"

/* ---- PC-relative ---- */

static void move_constant(struct jit *j, unsigned d, uint64_t val)
{
	if (d == 31)
		return;
	unsigned reg = jit_target(j, d, X86_RAX);
	x86_mov_imm(&j->buf, reg, val);
	jit_write(j, d, reg);
}

JIT_INSN(ADR)
{
	move_constant(j, a->Rd, j->pc + ((uint64_t)a->immhi << 2 | a->immlo));
}

static int32_t add_imm(const struct a64_args_ADD_imm *a)
{
	return a->sh ? a->imm12 << 12 : a->imm12;
}

/* With the ADD of the low bits. */
JIT_INSN(ADRP)
{
	uint64_t val = (j->pc & ~0xfffull) + (((uint64_t)a->immhi << 2 | a->immlo) << 12);
	struct a64_args_ADD_imm add;
	uint32_t word;
	bool is_added = jit_next_is(j, A64_ADD_imm, &word);

	a64_extract_ADD_imm(word, &add);
	if (is_added && add.sf && add.Rn == a->Rd && add.Rd == a->Rd && a->Rd != 31) {
		val += (uint64_t)(int64_t)add_imm(&add);
		jit_take_next(j);
	}
	move_constant(j, a->Rd, val);
}

/* ---- Add/subtract (immediate): 31 is SP, but for the result of those that set flags ---- */

static JIT_HOT void add_constant(struct jit *j, const struct a64_args_ADD_imm *a, int32_t val)
{
	unsigned reg = jit_target(j, a->Rd, X86_RAX);
	uint32_t w = width(a->sf);
	bool aligned = j->sp_checked && a->Rd == 31 && a->Rn == 31 && a->sf && val % 16 == 0;

	if (a->Rd == a->Rn && a->sf) {
		x86_alu_imm(&j->buf, X86_ADD, w, jit_x(j, a->Rd), val);
		if (a->Rd == 31)
			j->sp_checked = aligned;
		return;
	}
	if (val == 0)
		jit_copy(j, w, reg, a->Rn);
	else
		x86_lea(&j->buf, w, reg, x86_m(jit_read(j, a->Rn, X86_RAX), val));
	jit_write(j, a->Rd, reg);
}

JIT_INSN(ADD_imm)
{
	add_constant(j, a, add_imm(a));
}

JIT_INSN(SUB_imm)
{
	add_constant(j, a, -add_imm(a));
}

/* Xd = Xn op constant with flags; 31 is SP for n. */
static JIT_HOT void flags_imm(struct jit *j, enum x86_alu alu, const struct a64_args_ADD_imm *a)
{
	uint32_t w = width(a->sf);
	unsigned reg = target_z(j, a->Rd, X86_RAX);

	if (a->Rd == 31 && alu == X86_SUB && add_imm(a) == 0 && j->pin[a->Rn] != X86_NO_REG) {
		x86_test_rr(&j->buf, w, j->pin[a->Rn], j->pin[a->Rn]);
		return;
	}
	if (a->Rd == 31 && alu == X86_SUB) {
		x86_alu_imm(&j->buf, X86_CMP, w, jit_x(j, a->Rn), add_imm(a));
		return;
	}
	jit_copy(j, w, reg, a->Rn);
	x86_alu_imm(&j->buf, alu, w, x86_r(reg), add_imm(a));
	jit_write_z(j, a->Rd, reg);
}

JIT_INSN(ADDS_imm)
{
	flags_imm(j, X86_ADD, a);
	jit_flags_from_add(j);
}

JIT_INSN(SUBS_imm)
{
	flags_imm(j, X86_SUB, a);
	jit_flags_from_sub(j);
}

/* ---- Logical (immediate): 31 is SP for the result of those that set no flags ---- */

/* DecodeBitMasks(); false if the encoding is reserved. */
static JIT_HOT bool bit_mask(const struct a64_args_AND_imm *a, uint64_t *ret_mask)
{
	unsigned element = (unsigned)a->N << 6 | (~a->imms & 0x3fu);

	if (element < 2)
		return false;
	unsigned bits = 1u << (31 - __builtin_clz(element));
	unsigned ones = (a->imms & (bits - 1)) + 1, rotate = a->immr & (bits - 1);
	if (ones == bits)
		return false;
	uint64_t mask = (UINT64_C(1) << ones) - 1;
	if (rotate)
		mask = mask >> rotate | mask << (bits - rotate);
	if (bits < 64)
		mask &= (UINT64_C(1) << bits) - 1;
	for (; bits < 64; bits *= 2)
		mask |= mask << bits;
	*ret_mask = mask;
	return true;
}

bool jit_logical_imm_is_valid(uint32_t word)
{
	struct a64_args_AND_imm a;
	uint64_t mask;

	a64_extract_AND_imm(word, &a);
	return bit_mask(&a, &mask);
}

static JIT_HOT void logical_imm(struct jit *j, enum x86_alu alu, const struct a64_args_AND_imm *a, bool flags)
{
	struct x86_buf *b = &j->buf;
	uint32_t w = width(a->sf);
	uint64_t mask = 0;

	bit_mask(a, &mask);
	if (!a->sf)
		mask = (uint32_t)mask;
	bool nothing = flags && a->Rd == 31;
	if (alu == X86_OR && a->Rn == 31) {
		unsigned reg = jit_target(j, a->Rd, X86_RAX);
		x86_mov_imm(b, reg, mask);
		jit_write(j, a->Rd, reg);
		return;
	}
	unsigned reg = nothing ? X86_RAX : jit_target(j, a->Rd, X86_RAX);
	bool fits = a->sf ? mask == (uint64_t)(int32_t)mask : true;
	/* The result has no upper half; nor, for flags, a sign. */
	if (alu == X86_AND && a->sf && mask >> (flags ? 31 : 32) == 0) {
		w = 0;
		fits = true;
	}
	if (nothing && fits && a->Rn != 31) {
		x86_test_imm(b, w, jit_x(j, a->Rn), (int32_t)mask);
		return;
	}
	if (!fits) {
		x86_mov_imm(b, X86_RCX, mask);
		jit_copy_z(j, w, reg, a->Rn);
		x86_alu(b, alu, w, reg, x86_r(X86_RCX));
	} else {
		jit_copy_z(j, w, reg, a->Rn);
		x86_alu_imm(b, alu, w, x86_r(reg), (int32_t)mask);
	}
	if (!nothing)
		jit_write(j, a->Rd, reg);
}

JIT_INSN(AND_imm)
{
	logical_imm(j, X86_AND, a, false);
}

JIT_INSN(ORR_imm)
{
	logical_imm(j, X86_OR, a, false);
}

JIT_INSN(EOR_imm)
{
	logical_imm(j, X86_XOR, a, false);
}

JIT_INSN(ANDS_imm)
{
	logical_imm(j, X86_AND, a, true);
	jit_flags_from_add(j);
}

/* ---- Move wide ---- */

/* With the parts that follow it. */
static JIT_HOT void move_wide(struct jit *j, unsigned d, bool sf, uint64_t val)
{
	uint32_t word;

	while (jit_next_is(j, A64_MOVK, &word)) {
		struct a64_args_MOVK next;
		a64_extract_MOVK(word, &next);
		if (next.Rd != d || next.sf != sf)
			break;
		val = (val & ~(UINT64_C(0xffff) << next.hw * 16)) | (uint64_t)next.imm16 << next.hw * 16;
		jit_take_next(j);
	}
	move_constant(j, d, val);
}

JIT_INSN(MOVN)
{
	uint64_t val = ~((uint64_t)a->imm16 << a->hw * 16);

	move_wide(j, a->Rd, a->sf, a->sf ? val : (uint32_t)val);
}

JIT_INSN(MOVZ)
{
	move_wide(j, a->Rd, a->sf, (uint64_t)a->imm16 << a->hw * 16);
}

/* All of the register is written: 16 bits of it would be slow to read with the rest. */
JIT_INSN(MOVK)
{
	struct x86_buf *b = &j->buf;
	uint64_t field = UINT64_C(0xffff) << a->hw * 16, val = (uint64_t)a->imm16 << a->hw * 16;

	if (a->Rd == 31)
		return;
	unsigned reg = jit_target(j, a->Rd, X86_RAX);
	jit_copy(j, width(a->sf), reg, a->Rd);
	if (!a->sf || a->hw == 0) {
		/* the immediates fit; with sf, sign-extended */
		x86_alu_imm(b, X86_AND, width(a->sf), x86_r(reg), (int32_t)~field);
		x86_alu_imm(b, X86_OR, width(a->sf), x86_r(reg), (int32_t)val);
	} else {
		x86_shift_imm(b, X86_ROR, X86_W, reg, a->hw * 16);
		x86_alu_imm(b, X86_AND, X86_W, x86_r(reg), ~0xffff);
		x86_alu_imm(b, X86_OR, X86_W, x86_r(reg), a->imm16);
		x86_shift_imm(b, X86_ROL, X86_W, reg, a->hw * 16);
	}
	jit_write(j, a->Rd, reg);
}

/* ---- Bitfield ---- */

/* SBFM, UBFM: the field [imms:immr] down to bit 0, or [imms:0] up to width - immr. */
static JIT_HOT void bitfield(struct jit *j, const struct a64_args_UBFM_x *a, bool is_signed, bool sf)
{
	struct x86_buf *b = &j->buf;
	uint32_t w = width(sf);
	unsigned bits = sf ? 64 : 32, immr = a->immr, imms = a->imms;
	enum x86_shift right = is_signed ? X86_SAR : X86_SHR;

	if (a->Rd == 31)
		return;
	unsigned reg = jit_target(j, a->Rd, X86_RAX);
	struct x86_rm src = jit_x(j, a->Rn);
	if (a->Rn == 31) {
		x86_mov_imm(b, reg, 0);
	} else if (immr == 0 && imms == 7) {
		x86_op(b, is_signed ? X86_MOVSX8 | w : X86_MOVZX8, reg, src);
	} else if (immr == 0 && imms == 15) {
		x86_op(b, is_signed ? X86_MOVSX16 | w : X86_MOVZX16, reg, src);
	} else if (immr == 0 && imms == 31) {
		x86_op(b, is_signed && sf ? X86_MOVSXD : X86_MOV_LOAD, reg, src);
	} else if (imms == 31 && sf && immr > imms) {
		/* an index of 32 bits, scaled */
		x86_op(b, is_signed ? X86_MOVSXD : X86_MOV_LOAD, reg, src);
		shift_field(j, X86_SHL, w, reg, bits - immr);
	} else {
		jit_copy(j, w, reg, a->Rn);
		if (imms >= immr) {
			unsigned len = imms - immr + 1;
			if (imms == bits - 1) {
				shift_field(j, right, w, reg, immr);
			} else if (!is_signed && len < 31) {
				shift_field(j, X86_SHR, w, reg, immr);
				x86_alu_imm(b, X86_AND, 0, x86_r(reg), (int32_t)((1u << len) - 1));
			} else {
				shift_field(j, X86_SHL, w, reg, bits - 1 - imms);
				shift_field(j, right, w, reg, bits - len);
			}
		} else {
			unsigned up = bits - immr;
			if (imms + 1 == immr) {
				shift_field(j, X86_SHL, w, reg, up);
			} else if (!is_signed && imms < 31) {
				x86_alu_imm(b, X86_AND, 0, x86_r(reg), (int32_t)((1u << (imms + 1)) - 1));
				shift_field(j, X86_SHL, w, reg, up);
			} else {
				shift_field(j, X86_SHL, w, reg, bits - 1 - imms);
				shift_field(j, right, w, reg, bits - 1 - imms - up);
			}
		}
	}
	jit_write(j, a->Rd, reg);
}

JIT_INSN(SBFM_w)
{
	bitfield(j, (const void *)a, true, false);
}

JIT_INSN(SBFM_x)
{
	bitfield(j, (const void *)a, true, true);
}

JIT_INSN(UBFM_w)
{
	bitfield(j, (const void *)a, false, false);
}

JIT_INSN(UBFM_x)
{
	bitfield(j, (const void *)a, false, true);
}

static void and_constant(struct jit *j, uint32_t w, unsigned reg, uint64_t val, unsigned scratch)
{
	if (!w)
		x86_alu_imm(&j->buf, X86_AND, 0, x86_r(reg), (int32_t)val);
	else if (val == (uint64_t)(int32_t)val)
		x86_alu_imm(&j->buf, X86_AND, w, x86_r(reg), (int32_t)val);
	else {
		x86_mov_imm(&j->buf, scratch, val);
		x86_alu(&j->buf, X86_AND, w, reg, x86_r(scratch));
	}
}

static void insert_field(struct jit *j, const struct a64_args_BFM_x *a, bool sf)
{
	struct x86_buf *b = &j->buf;
	uint32_t w = width(sf);
	unsigned bits = sf ? 64 : 32, immr = a->immr, imms = a->imms;
	bool down = imms >= immr;
	unsigned len = down ? imms - immr + 1 : imms + 1, at = down ? 0 : bits - immr;
	uint64_t mask = ~0ull >> (64 - len) << at;

	if (a->Rd == 31)
		return;
	/* RCX = the field in place, RAX = the rest */
	jit_copy_z(j, w, X86_RCX, a->Rn);
	shift_field(j, X86_SHL, w, X86_RCX, bits - 1 - imms);
	shift_field(j, X86_SHR, w, X86_RCX, bits - len);
	shift_field(j, X86_SHL, w, X86_RCX, at);
	jit_copy(j, w, X86_RAX, a->Rd);
	and_constant(j, w, X86_RAX, ~mask, X86_RDX);
	x86_alu(b, X86_OR, w, X86_RAX, x86_r(X86_RCX));
	jit_write(j, a->Rd, X86_RAX);
}

JIT_INSN(BFM_w)
{
	insert_field(j, (const void *)a, false);
}

JIT_INSN(BFM_x)
{
	insert_field(j, (const void *)a, true);
}

/* ---- Extract ---- */

static void extract(struct jit *j, const struct a64_args_EXTR_x *a, bool sf)
{
	struct x86_buf *b = &j->buf;
	uint32_t w = width(sf);

	if (a->Rd == 31)
		return;
	jit_copy_z(j, w, X86_RAX, a->Rm);
	if (a->imms && a->Rn == a->Rm) {
		x86_shift_imm(b, X86_ROR, w, X86_RAX, a->imms);
	} else if (a->imms) {
		jit_copy_z(j, w, X86_RCX, a->Rn);
		x86_op(b, 0xac | X86_0F | w, X86_RCX, x86_r(X86_RAX)); /* shrd rax, rcx, imm8 */
		x86_u8(b, a->imms);
	}
	jit_write(j, a->Rd, X86_RAX);
}

JIT_INSN(EXTR_w)
{
	extract(j, (const void *)a, false);
}

JIT_INSN(EXTR_x)
{
	extract(j, (const void *)a, true);
}
