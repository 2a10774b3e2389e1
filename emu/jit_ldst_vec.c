/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translators: loads and stores of vector registers. Arm ARM C7.2. What is not
 * loaded is zero. See emu/jit_ldst.c.
 */
#include "emu/jit_ldst_priv.h"

#include "emu/access_priv.h"
#include "emu/x86_vec_priv.h"

/* ---- One register ---- */

static void slow_load_v128(struct emu_cpu *cpu, uint64_t va, uint64_t t)
{
	uint64_t val[2];

	jit_sync_flags(cpu);
	emu_ld128(cpu, va, 16, val, EMU_ACC_NORMAL);
	jit_mem_fill(cpu, va, false);
	cpu->v[t].d[0] = val[0];
	cpu->v[t].d[1] = val[1];
}

static void slow_store_v128(struct emu_cpu *cpu, uint64_t va, uint64_t t)
{
	jit_sync_flags(cpu);
	emu_st128(cpu, va, 16, cpu->v[t].d, EMU_ACC_NORMAL);
	jit_mem_fill(cpu, va, false);
}

/* fn(cpu, va, register's number) */
static void vector_piece(struct jit *j, const struct jit_slow *s)
{
	jit_before_raise(j, s);
	if (s->reg != X86_RCX)
		x86_mov_rr(&j->buf, X86_W, X86_RCX, s->reg);
	x86_mov_imm(&j->buf, X86_RDX, s->arg);
	jit_call(j, s->fn);
	x86_jmp_to(&j->buf, s->back);
}

static void load_v(struct jit *j, unsigned va, unsigned t, unsigned scale)
{
	struct x86_buf *b = &j->buf;

	if (scale == 4) {
		struct jit_slow *s = jit_look_up(j, va, 16, false, JIT_PLAIN, vector_piece);
		s->fn = (const void *)slow_load_v128;
		s->arg = t;
		jit_fault_note(j, s);
		x86_op(b, JIT_SSE_LOAD, 0, x86_mx(X86_RAX, va, 0, 0));
		x86_op(b, JIT_SSE_STORE, 0, jit_v(t, 0));
		s->back = x86_here(b);
		return;
	}
	struct jit_slow *s = jit_look_up(j, va, 1u << scale, false, JIT_PLAIN, jit_load_piece);
	s->fn = jit_slow_loads[JIT_PLAIN][scale];
	s->reg2 = X86_RAX;
	s->size = (uint8_t)scale;
	jit_fault_note(j, s);
	x86_op(b, jit_load_op(scale, JIT_ZERO), X86_RAX, x86_mx(X86_RAX, va, 0, 0));
	s->back = x86_here(b);
	x86_store(b, X86_W, jit_v(t, 0), X86_RAX);
	x86_op(b, 0xc7 | X86_W, 0, jit_v(t, 8));
	x86_u32(b, 0);
}

static void store_v(struct jit *j, unsigned va, unsigned t, unsigned scale)
{
	struct x86_buf *b = &j->buf;

	if (scale == 4) {
		struct jit_slow *s = jit_look_up(j, va, 16, true, JIT_PLAIN, vector_piece);
		s->fn = (const void *)slow_store_v128;
		s->arg = t;
		x86_op(b, JIT_SSE_LOAD, 0, jit_v(t, 0));
		jit_fault_note(j, s);
		x86_op(b, JIT_SSE_STORE, 0, x86_mx(X86_RAX, va, 0, 0));
		s->back = x86_here(b);
		return;
	}
	x86_load(b, X86_W, X86_RDX, jit_v(t, 0));
	struct jit_slow *s = jit_look_up(j, va, 1u << scale, true, JIT_PLAIN, jit_store_piece);
	s->fn = jit_slow_stores[JIT_PLAIN][scale];
	s->reg2 = X86_RDX;
	jit_fault_note(j, s);
	x86_op(b, jit_store_op(scale), X86_RDX, x86_mx(X86_RAX, va, 0, 0));
	s->back = x86_here(b);
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

/* The base becomes `bytes` more, or Xm more; rm is NO_INDEX where there is none. */
enum { NO_INDEX = 32 };

static void post_index(struct jit *j, unsigned n, unsigned rm, unsigned bytes)
{
	struct x86_buf *b = &j->buf;

	if (rm == 31) {
		jit_write_back(j, n, (int32_t)bytes);
	} else if (rm != NO_INDEX) {
		unsigned reg = jit_target(n, X86_RAX);
		jit_copy(j, X86_W, reg, n);
		x86_alu(b, X86_ADD, X86_W, reg, jit_x(rm));
		jit_write(j, n, reg);
		if (n == 31)
			j->sp_checked = false;
	}
}

static void registers(struct jit *j, bool is_load, unsigned t, unsigned n, unsigned rm, bool q, unsigned count)
{
	/* movdqu, movq */
	uint32_t load = q ? JIT_SSE_LOAD : 0x7e | X86_F3 | X86_0F, store = q ? JIT_SSE_STORE : 0xd6 | X86_66 | X86_0F;
	struct x86_buf *b = &j->buf;
	unsigned bytes = q ? 16 : 8, va = jit_address(j, n, 0);
	/* Three are looked up as if they were four. */
	struct jit_slow *s = jit_look_up(j, va, bytes * (count == 3 ? 4 : count), !is_load, JIT_PLAIN, jit_whole_piece);

	x86_alu(b, X86_ADD, X86_W, X86_RAX, x86_r(va));
	if (!is_load)
		for (unsigned i = 0; i < count; i++)
			x86_op(b, load, i, jit_v((t + i) & 31, 0));
	jit_fault_note(j, s);
	for (unsigned i = 0; i < count; i++)
		x86_op(b, is_load ? load : store, i, x86_m(X86_RAX, (int32_t)(bytes * i)));
	if (is_load)
		for (unsigned i = 0; i < count; i++)
			x86_op(b, JIT_SSE_STORE, i, jit_v((t + i) & 31, 0));
	post_index(j, n, rm, bytes * count);
	s->back = x86_here(b);
}

#define REGISTERS(count) \
	JIT_INSN(LD1_mult_##count) \
	{ \
		registers(j, true, a->Rt, a->Rn, NO_INDEX, a->Q, count); \
	} \
	JIT_INSN(LD1_mult_##count##_post) \
	{ \
		registers(j, true, a->Rt, a->Rn, a->Rm, a->Q, count); \
	} \
	JIT_INSN(ST1_mult_##count) \
	{ \
		registers(j, false, a->Rt, a->Rn, NO_INDEX, a->Q, count); \
	} \
	JIT_INSN(ST1_mult_##count##_post) \
	{ \
		registers(j, false, a->Rt, a->Rn, a->Rm, a->Q, count); \
	}

REGISTERS(1)
REGISTERS(2)
REGISTERS(3)
REGISTERS(4)

/* LD1R: an element into all of a register; more registers are the interpreter's. */
static void replicate(struct jit *j, unsigned t, unsigned n, unsigned rm, bool q, unsigned size, unsigned count)
{
	static const uint32_t broadcast[4] = { X86_VPBROADCASTB, X86_VPBROADCASTW, X86_VPBROADCASTD, X86_VPBROADCASTQ };
	struct x86_buf *b = &j->buf;

	if (count != 1 || !(j->host_has & JIT_VEC)) {
		jit_fallback(j);
		return;
	}
	unsigned va = jit_address(j, n, 0);
	struct jit_slow *s = jit_look_up(j, va, 1u << size, false, JIT_PLAIN, jit_whole_piece);
	jit_fault_note(j, s);
	x86_v(b, broadcast[size], 0, 0, x86_mx(X86_RAX, va, 0, 0));
	if (!q)
		x86_vr(b, X86_VMOVQ, 0, 0, 0);
	x86_v(b, X86_VMOVUPS_STORE, 0, 0, jit_v(t, 0));
	post_index(j, n, rm, 1u << size);
	s->back = x86_here(b);
}

JIT_INSN(LD_rep)
{
	replicate(j, a->Rt, a->Rn, NO_INDEX, a->Q, a->size, ((unsigned)a->sel << 1 | a->Rbit) + 1);
}

JIT_INSN(LD_rep_post)
{
	replicate(j, a->Rt, a->Rn, a->Rm, a->Q, a->size, ((unsigned)a->sel << 1 | a->Rbit) + 1);
}
