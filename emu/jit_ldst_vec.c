/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translators: loads and stores of vector registers. Arm ARM C7.2. What is not
 * loaded is zero. See emu/jit_ldst.c.
 */
#include "emu/jit_ldst_priv.h"

#include "emu/jit_vec_priv.h"

/* ---- One register ---- */

static void load_v(struct jit *j, unsigned va, unsigned t, unsigned scale)
{
	struct x86_buf *b = &j->buf;
	unsigned xmm = jit_v_target(j, t);
	struct jit_slow *s = jit_look_up(j, va, 1u << scale, false, JIT_PLAIN);

	jit_fault_note(j, s);
	if (scale < 2) {
		x86_op(b, jit_load_op(scale, JIT_ZERO), X86_RAX, x86_mx(X86_RAX, va, 0, 0));
		jit_v_move(j, X86_VMOVD_IN, xmm, x86_r(X86_RAX));
	} else {
		jit_v_move(j, jit_v_load_op(scale), xmm, x86_mx(X86_RAX, va, 0, 0));
	}
	jit_v_written_low(j, t, scale);
}

static void store_v(struct jit *j, unsigned va, unsigned t, unsigned scale)
{
	struct x86_buf *b = &j->buf;
	unsigned xmm = jit_v_get(j, t);
	struct jit_slow *s = jit_look_up(j, va, 1u << scale, true, JIT_PLAIN);

	if (scale < 2) {
		jit_v_move(j, X86_VMOVD_OUT, xmm, x86_r(X86_RDX));
		jit_fault_note(j, s);
		x86_op(b, jit_store_op(scale), X86_RDX, x86_mx(X86_RAX, va, 0, 0));
	} else {
		jit_fault_note(j, s);
		jit_v_move(j, jit_v_store_op(scale), xmm, x86_mx(X86_RAX, va, 0, 0));
	}
}

#define VECTOR_FORMS(name, unscaled_name, op, scale) \
	JIT_INSN(name##_post) \
	{ \
		op(j, jit_address(j, a->Rn, 0), a->Rt, scale); \
		jit_write_back(j, a->Rn, a->imm9); \
	} \
	JIT_INSN(name##_pre) \
	{ \
		op(j, jit_address(j, a->Rn, a->imm9), a->Rt, scale); \
		jit_write_back(j, a->Rn, a->imm9); \
	} \
	JIT_INSN(name##_reg) \
	{ \
		op(j, jit_indexed(j, (const void *)a, scale), a->Rt, scale); \
	} \
	JIT_INSN(name##_uimm) \
	{ \
		op(j, jit_address(j, a->Rn, (int64_t)a->imm12 << scale), a->Rt, scale); \
	} \
	JIT_INSN(unscaled_name) \
	{ \
		op(j, jit_address(j, a->Rn, a->imm9), a->Rt, scale); \
	}

VECTOR_FORMS(STR_B, STUR_B, store_v, 0)
VECTOR_FORMS(LDR_B, LDUR_B, load_v, 0)
VECTOR_FORMS(STR_H, STUR_H, store_v, 1)
VECTOR_FORMS(LDR_H, LDUR_H, load_v, 1)
VECTOR_FORMS(STR_S, STUR_S, store_v, 2)
VECTOR_FORMS(LDR_S, LDUR_S, load_v, 2)
VECTOR_FORMS(STR_D, STUR_D, store_v, 3)
VECTOR_FORMS(LDR_D, LDUR_D, load_v, 3)
VECTOR_FORMS(STR_Q, STUR_Q, store_v, 4)
VECTOR_FORMS(LDR_Q, LDUR_Q, load_v, 4)

JIT_INSN(LDR_S_lit)
{
	load_v(j, jit_literal(j, a->imm19), a->Rt, 2);
}

JIT_INSN(LDR_D_lit)
{
	load_v(j, jit_literal(j, a->imm19), a->Rt, 3);
}

JIT_INSN(LDR_Q_lit)
{
	load_v(j, jit_literal(j, a->imm19), a->Rt, 4);
}

/* ---- Whole vector registers, one after the other: LD1, ST1 ---- */

void jit_post_index(struct jit *j, unsigned n, unsigned rm, unsigned bytes)
{
	struct x86_buf *b = &j->buf;

	if (rm == 31) {
		jit_write_back(j, n, (int32_t)bytes);
	} else if (rm != JIT_NO_INDEX) {
		unsigned reg = jit_target(j, n, X86_RAX);
		jit_copy(j, X86_W, reg, n);
		x86_alu(b, X86_ADD, X86_W, reg, jit_x(j, rm));
		jit_write(j, n, reg);
		if (n == 31)
			j->sp_checked = false;
	}
}

static void registers(struct jit *j, bool is_load, unsigned t, unsigned n, unsigned rm, bool q, unsigned count)
{
	struct x86_buf *b = &j->buf;
	unsigned scale = q ? 4 : 3, xmm[4];

	for (unsigned i = 0; i < count; i++)
		xmm[i] = is_load ? jit_v_target(j, (t + i) & 31) : jit_v_get(j, (t + i) & 31);
	unsigned va = jit_address(j, n, 0);
	/* Three are looked up as if they were four. */
	struct jit_slow *s = jit_look_up(j, va, (count == 3 ? 4 : count) << scale, !is_load, JIT_PLAIN);

	x86_alu(b, X86_ADD, X86_W, X86_RAX, x86_r(va));
	jit_fault_note(j, s);
	for (unsigned i = 0; i < count; i++)
		jit_v_move(j, is_load ? jit_v_load_op(scale) : jit_v_store_op(scale), xmm[i],
			x86_m(X86_RAX, (int32_t)(i << scale)));
	for (unsigned i = 0; is_load && i < count; i++)
		jit_v_written(j, (t + i) & 31);
	jit_post_index(j, n, rm, count << scale);
}

#define REGISTERS(count) \
	JIT_INSN(LD1_mult_##count) \
	{ \
		registers(j, true, a->Rt, a->Rn, JIT_NO_INDEX, a->Q, count); \
	} \
	JIT_INSN(LD1_mult_##count##_post) \
	{ \
		registers(j, true, a->Rt, a->Rn, a->Rm, a->Q, count); \
	} \
	JIT_INSN(ST1_mult_##count) \
	{ \
		registers(j, false, a->Rt, a->Rn, JIT_NO_INDEX, a->Q, count); \
	} \
	JIT_INSN(ST1_mult_##count##_post) \
	{ \
		registers(j, false, a->Rt, a->Rn, a->Rm, a->Q, count); \
	}

REGISTERS(1)
REGISTERS(2)
REGISTERS(3)
REGISTERS(4)
