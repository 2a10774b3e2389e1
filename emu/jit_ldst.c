/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translators: loads and stores. Arm ARM C6.2, C7.2.
 *
 * An access computes its address, looks the page up (emu/jit_mem.c), and makes
 * one host access:
 *
 *     mov  rax, va
 *     test al, size - 1        an unaligned one may leave its page: see "crossing"
 *     jnz  crossing
 *     shl  rax, 15             bits 48 to 12 of the address
 *     shr  rax, 27
 *     mov  rax, [r12 + rax*8]
 *     test rax, rax
 *     jz   slow
 *     mov  result, [rax + va]
 *
 * The slow path is behind the block, and calls the interpreter's access. The
 * address is in a pinned register or in RCX, what is stored is in a pinned
 * register or in RDX. Writeback happens after the access.
 */
#include "emu/jit_priv.h"

#include "emu/access_priv.h"
#include "emu/sys_priv.h"
#include "emu/x86_vec_priv.h"

/* ---- The slow paths' accesses ---- */

#define DEFINE_SLOW(bits) \
	static uint64_t slow_load##bits(struct emu_cpu *cpu, uint64_t va) \
	{ \
		jit_sync_flags(cpu); \
		uint64_t val = emu_ld##bits(cpu, va, EMU_ACC_NORMAL); \
		jit_mem_fill(cpu, va, false); \
		return val; \
	} \
	static uint64_t slow_load_ordered##bits(struct emu_cpu *cpu, uint64_t va) \
	{ \
		jit_sync_flags(cpu); \
		uint64_t val = emu_ld##bits(cpu, va, EMU_ACC_ORDERED); \
		jit_mem_fill(cpu, va, false); \
		return val; \
	} \
	static uint64_t slow_load_unpriv##bits(struct emu_cpu *cpu, uint64_t va) \
	{ \
		jit_sync_flags(cpu); \
		uint64_t val = emu_ld##bits(cpu, va, EMU_ACC_UNPRIV); \
		jit_mem_fill(cpu, va, true); \
		return val; \
	} \
	static void slow_store##bits(struct emu_cpu *cpu, uint64_t va, uint64_t val) \
	{ \
		jit_sync_flags(cpu); \
		emu_st##bits(cpu, va, (uint##bits##_t)val, EMU_ACC_NORMAL); \
		jit_mem_fill(cpu, va, false); \
	} \
	static void slow_store_ordered##bits(struct emu_cpu *cpu, uint64_t va, uint64_t val) \
	{ \
		jit_sync_flags(cpu); \
		emu_st##bits(cpu, va, (uint##bits##_t)val, EMU_ACC_ORDERED); \
		jit_mem_fill(cpu, va, false); \
	} \
	static void slow_store_unpriv##bits(struct emu_cpu *cpu, uint64_t va, uint64_t val) \
	{ \
		jit_sync_flags(cpu); \
		emu_st##bits(cpu, va, (uint##bits##_t)val, EMU_ACC_UNPRIV); \
		jit_mem_fill(cpu, va, true); \
	}
DEFINE_SLOW(8)
DEFINE_SLOW(16)
DEFINE_SLOW(32)
DEFINE_SLOW(64)
#undef DEFINE_SLOW

enum access { PLAIN, ORDERED, UNPRIV };

#define ROW(name) { (const void *)name##8, (const void *)name##16, (const void *)name##32, (const void *)name##64 }
static const void *const slow_loads[3][4] = { ROW(slow_load), ROW(slow_load_ordered), ROW(slow_load_unpriv) };
static const void *const slow_stores[3][4] = { ROW(slow_store), ROW(slow_store_ordered), ROW(slow_store_unpriv) };
#undef ROW

/* ---- The look-up ---- */

/* Where an address is: a register that stays what it is, or RCX. */
static const unsigned scratch_va = X86_RCX;

/* Behind the block: an unaligned access within its page goes on after all, others join the slow path. */
static void crossing_piece(struct jit *j, const struct jit_slow *s)
{
	struct x86_buf *b = &j->buf;

	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RAX), EMU_PAGE_MASK);
	x86_alu_imm(b, X86_CMP, 0, x86_r(X86_RAX), (int32_t)(EMU_PAGE_SIZE - s->size));
	x86_mov_rr(b, X86_W, X86_RAX, s->reg);
	x86_jcc_to(b, X86_BE, s->back);
	/* falls into the slow path, which is emitted next */
}

/* Emits the look-up for [va, va+size): RAX becomes the entry. Returns the slow
 * path, whose members `back` and below are the caller's. */
static struct jit_slow *look_up(struct jit *j, unsigned va, unsigned size, bool write, enum access access,
				void (*slow)(struct jit *j, const struct jit_slow *s))
{
	struct x86_buf *b = &j->buf;
	struct jit_slow *crossing = NULL;

	x86_mov_rr(b, X86_W, X86_RAX, va);
	if (size > 1 && access != ORDERED) {
		crossing = jit_slow_add(j, crossing_piece);
		crossing->reg = (uint8_t)va;
		crossing->size = (uint8_t)size;
	}
	struct jit_slow *s = jit_slow_add(j, slow);
	s->reg = (uint8_t)va;
	if (size > 1) {
		x86_u8(b, 0xa8); /* test al, imm8 */
		x86_u8(b, size - 1);
		uint32_t branch = x86_jcc(b, X86_NE);
		if (crossing) {
			crossing->branch[0] = branch;
			crossing->back = x86_here(b);
		} else {
			s->branch[1] = branch;
		}
	}
	x86_shift_imm(b, X86_SHL, X86_W, X86_RAX, 15);
	x86_shift_imm(b, X86_SHR, X86_W, X86_RAX, 27);
	if (access == UNPRIV) {
		/* RDX may hold what is stored: use the array's address as an index */
		x86_shift_imm(b, X86_SHL, X86_W, X86_RAX, 3);
		x86_alu(b, X86_ADD, X86_W, X86_RAX, write ? JIT_CPU(jit_hot.unpriv_write) : JIT_CPU(jit_hot.unpriv_read));
		x86_load(b, X86_W, X86_RAX, x86_m(X86_RAX, 0));
	} else {
		x86_load(b, X86_W, X86_RAX, x86_mx(write ? X86_R13 : X86_R12, X86_RAX, 3, 0));
	}
	x86_test_rr(b, X86_W, X86_RAX, X86_RAX);
	s->branch[0] = x86_jcc(b, X86_E);
	return s;
}

/* ---- Addresses ---- */

static void sp_alignment(struct emu_cpu *cpu)
{
	jit_sync_flags(cpu);
	emu_raise_sp_alignment(cpu);
}

static void sp_piece(struct jit *j, const struct jit_slow *s)
{
	jit_before_raise(j, s);
	jit_call(j, (const void *)sp_alignment);
}

/* SP as a base has to be aligned, where the block says so. */
static void check_base(struct jit *j, unsigned n)
{
	if (n != 31 || j->sp_checked || !(j->block_flags & JIT_FLAG_SP_CHECK))
		return;
	x86_test8_imm(&j->buf, jit_x(31), 15);
	jit_slow_add(j, sp_piece)->branch[0] = x86_jcc(&j->buf, X86_NE);
	j->sp_checked = true;
}

/* Xn + offset, with the check of SP. */
static unsigned address(struct jit *j, unsigned n, int64_t offset)
{
	check_base(j, n);
	unsigned reg = jit_read(j, n, scratch_va);
	if (offset == 0)
		return reg;
	x86_lea(&j->buf, X86_W, scratch_va, x86_m(reg, (int32_t)offset));
	return scratch_va;
}

static void write_back(struct jit *j, unsigned n, int32_t offset)
{
	bool checked = j->sp_checked;

	x86_alu_imm(&j->buf, X86_ADD, X86_W, jit_x(n), offset);
	if (n == 31)
		j->sp_checked = checked && offset % 16 == 0;
}

/* ---- Loads and stores of one general register ---- */

enum extend { ZERO, SIGN_W, SIGN_X };

static uint32_t load_op(unsigned scale, enum extend extend)
{
	static const uint32_t ops[3][4] = {
		{ X86_MOVZX8, X86_MOVZX16, X86_MOV_LOAD, X86_MOV_LOAD | X86_W },
		{ X86_MOVSX8, X86_MOVSX16, X86_MOV_LOAD, X86_MOV_LOAD | X86_W },
		{ X86_MOVSX8 | X86_W, X86_MOVSX16 | X86_W, X86_MOVSXD, X86_MOV_LOAD | X86_W },
	};
	return ops[extend][scale];
}

static uint32_t store_op(unsigned scale)
{
	static const uint32_t ops[4] = { X86_MOV_STORE8, X86_MOV_STORE16, X86_MOV_STORE, X86_MOV_STORE | X86_W };
	return ops[scale];
}

static void load_piece(struct jit *j, const struct jit_slow *s)
{
	jit_before_raise(j, s);
	if (s->reg != X86_RCX)
		x86_mov_rr(&j->buf, X86_W, X86_RCX, s->reg);
	jit_call(j, s->fn);
	x86_op(&j->buf, load_op(s->size, (enum extend)s->kind), s->reg2, x86_r(X86_RAX));
	x86_jmp_to(&j->buf, s->back);
}

static void load(struct jit *j, unsigned va, unsigned t, unsigned scale, enum extend extend, enum access access)
{
	struct jit_slow *s = look_up(j, va, 1u << scale, false, access, load_piece);
	unsigned reg = t == 31 ? X86_RAX : jit_target(t, X86_RAX);

	s->fn = slow_loads[access][scale];
	s->reg2 = (uint8_t)reg;
	s->size = (uint8_t)scale;
	s->kind = (uint8_t)extend;
	jit_fault_note(j, s);
	x86_op(&j->buf, load_op(scale, extend), reg, x86_mx(X86_RAX, va, 0, 0));
	s->back = x86_here(&j->buf);
	if (t != 31)
		jit_write(j, t, reg);
}

static void store_piece(struct jit *j, const struct jit_slow *s)
{
	jit_before_raise(j, s);
	if (s->reg2 != X86_RDX)
		x86_mov_rr(&j->buf, X86_W, X86_RDX, s->reg2);
	if (s->reg != X86_RCX)
		x86_mov_rr(&j->buf, X86_W, X86_RCX, s->reg);
	jit_call(j, s->fn);
	x86_jmp_to(&j->buf, s->back);
}

static void store(struct jit *j, unsigned va, unsigned t, unsigned scale, enum access access)
{
	unsigned reg = jit_read_z(j, t, X86_RDX);
	struct jit_slow *s = look_up(j, va, 1u << scale, true, access, store_piece);

	s->fn = slow_stores[access][scale];
	s->reg2 = (uint8_t)reg;
	jit_fault_note(j, s);
	x86_op(&j->buf, store_op(scale), reg, x86_mx(X86_RAX, va, 0, 0));
	s->back = x86_here(&j->buf);
	if (access == ORDERED) {
		x86_op(&j->buf, 0x83 | X86_LOCK, X86_OR, x86_m(X86_RSP, 0));
		x86_u8(&j->buf, 0);
	}
}

/* Xm extended by the option's upper and lower bit (UXTW, LSL, SXTW, SXTX) and scaled, added to the base. */
static unsigned indexed(struct jit *j, const struct a64_args_LDR_x_reg *a, unsigned scale)
{
	static const uint32_t ops[4] = { X86_MOV_LOAD, X86_MOV_LOAD | X86_W, X86_MOVSXD, X86_MOV_LOAD | X86_W };
	unsigned shift = a->S ? scale : 0;

	check_base(j, a->Rn);
	unsigned base = jit_read(j, a->Rn, X86_RAX), index = scratch_va;
	if (a->Rm == 31)
		x86_mov_imm(&j->buf, index, 0);
	else if ((a->option & 1) && jit_pin[a->Rm] != X86_NO_REG)
		index = jit_pin[a->Rm];
	else
		x86_op(&j->buf, ops[a->option & 3], index, jit_x(a->Rm));
	if (shift > 3) {
		x86_shift_imm(&j->buf, X86_SHL, X86_W, index == scratch_va ? index : (x86_mov_rr(&j->buf, X86_W,
			scratch_va, index), scratch_va), shift);
		index = scratch_va;
		shift = 0;
	}
	x86_lea(&j->buf, X86_W, scratch_va, x86_mx(base, index, shift, 0));
	return scratch_va;
}

/* Where base and target are the same register and there is a writeback, the interpreter knows what comes out. */
#define LOAD_FORMS(name, unscaled_name, unpriv_name, acquire_name, scale, extend) \
	JIT_INSN(name##_post) \
	{ \
		if (a->Rn == a->Rt && a->Rn != 31) { \
			jit_fallback(j); \
			return; \
		} \
		load(j, address(j, a->Rn, 0), a->Rt, scale, extend, PLAIN); \
		write_back(j, a->Rn, a->imm9); \
	} \
	JIT_INSN(name##_pre) \
	{ \
		if (a->Rn == a->Rt && a->Rn != 31) { \
			jit_fallback(j); \
			return; \
		} \
		load(j, address(j, a->Rn, a->imm9), a->Rt, scale, extend, PLAIN); \
		write_back(j, a->Rn, a->imm9); \
	} \
	JIT_INSN(name##_reg) \
	{ \
		load(j, indexed(j, (const void *)a, scale), a->Rt, scale, extend, PLAIN); \
	} \
	JIT_INSN(name##_uimm) \
	{ \
		load(j, address(j, a->Rn, (int64_t)a->imm12 << scale), a->Rt, scale, extend, PLAIN); \
	} \
	JIT_INSN(unscaled_name) \
	{ \
		load(j, address(j, a->Rn, a->imm9), a->Rt, scale, extend, PLAIN); \
	} \
	JIT_INSN(unpriv_name) \
	{ \
		load(j, address(j, a->Rn, a->imm9), a->Rt, scale, extend, UNPRIV); \
	} \
	JIT_INSN(acquire_name) \
	{ \
		load(j, address(j, a->Rn, a->imm9), a->Rt, scale, extend, ORDERED); \
	}

#define STORE_FORMS(name, unscaled_name, unpriv_name, release_name, scale) \
	JIT_INSN(name##_post) \
	{ \
		store(j, address(j, a->Rn, 0), a->Rt, scale, PLAIN); \
		write_back(j, a->Rn, a->imm9); \
	} \
	JIT_INSN(name##_pre) \
	{ \
		store(j, address(j, a->Rn, a->imm9), a->Rt, scale, PLAIN); \
		write_back(j, a->Rn, a->imm9); \
	} \
	JIT_INSN(name##_reg) \
	{ \
		store(j, indexed(j, (const void *)a, scale), a->Rt, scale, PLAIN); \
	} \
	JIT_INSN(name##_uimm) \
	{ \
		store(j, address(j, a->Rn, (int64_t)a->imm12 << scale), a->Rt, scale, PLAIN); \
	} \
	JIT_INSN(unscaled_name) \
	{ \
		store(j, address(j, a->Rn, a->imm9), a->Rt, scale, PLAIN); \
	} \
	JIT_INSN(unpriv_name) \
	{ \
		store(j, address(j, a->Rn, a->imm9), a->Rt, scale, UNPRIV); \
	} \
	JIT_INSN(release_name) \
	{ \
		store(j, address(j, a->Rn, a->imm9), a->Rt, scale, ORDERED); \
	}

STORE_FORMS(STRB, STURB, STTRB, STLURB, 0)
LOAD_FORMS(LDRB, LDURB, LDTRB, LDAPURB, 0, ZERO)
LOAD_FORMS(LDRSB_x, LDURSB_x, LDTRSB_x, LDAPURSB_x, 0, SIGN_X)
LOAD_FORMS(LDRSB_w, LDURSB_w, LDTRSB_w, LDAPURSB_w, 0, SIGN_W)
STORE_FORMS(STRH, STURH, STTRH, STLURH, 1)
LOAD_FORMS(LDRH, LDURH, LDTRH, LDAPURH, 1, ZERO)
LOAD_FORMS(LDRSH_x, LDURSH_x, LDTRSH_x, LDAPURSH_x, 1, SIGN_X)
LOAD_FORMS(LDRSH_w, LDURSH_w, LDTRSH_w, LDAPURSH_w, 1, SIGN_W)
STORE_FORMS(STR_w, STUR_w, STTR_w, STLUR_w, 2)
LOAD_FORMS(LDR_w, LDUR_w, LDTR_w, LDAPUR_w, 2, ZERO)
LOAD_FORMS(LDRSW, LDURSW, LDTRSW, LDAPURSW, 2, SIGN_X)
STORE_FORMS(STR_x, STUR_x, STTR_x, STLUR_x, 3)
LOAD_FORMS(LDR_x, LDUR_x, LDTR_x, LDAPUR_x, 3, ZERO)

/* ---- Ordered, without offset ---- */

static void load_ordered(struct jit *j, const struct a64_args_LDAR *a)
{
	load(j, address(j, a->Rn, 0), a->Rt, a->size, ZERO, ORDERED);
}

static void store_ordered(struct jit *j, const struct a64_args_STLR *a)
{
	store(j, address(j, a->Rn, 0), a->Rt, a->size, ORDERED);
}

JIT_INSN(LDAR)
{
	load_ordered(j, (const void *)a);
}

JIT_INSN(LDLAR)
{
	load_ordered(j, (const void *)a);
}

JIT_INSN(STLR)
{
	store_ordered(j, (const void *)a);
}

JIT_INSN(STLLR)
{
	store_ordered(j, (const void *)a);
}

/* ---- Literals ---- */

static unsigned literal(struct jit *j, int32_t words)
{
	x86_mov_imm(&j->buf, scratch_va, j->pc + (uint64_t)words * 4);
	return scratch_va;
}

JIT_INSN(LDR_w_lit)
{
	load(j, literal(j, a->imm19), a->Rt, 2, ZERO, PLAIN);
}

JIT_INSN(LDR_x_lit)
{
	load(j, literal(j, a->imm19), a->Rt, 3, ZERO, PLAIN);
}

JIT_INSN(LDRSW_lit)
{
	load(j, literal(j, a->imm19), a->Rt, 2, SIGN_X, PLAIN);
}

/* ---- Prefetch ---- */

JIT_INSN(PRFM_lit)
{
}

JIT_INSN(PRFUM)
{
}

JIT_INSN(PRFM_reg)
{
}

JIT_INSN(PRFM_uimm)
{
}

/* ---- Vector registers: what is not loaded is zero ---- */

enum { SSE_LOAD = 0x6f | X86_F3 | X86_0F, SSE_STORE = 0x7f | X86_F3 | X86_0F }; /* movdqu */

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
		struct jit_slow *s = look_up(j, va, 16, false, PLAIN, vector_piece);
		s->fn = (const void *)slow_load_v128;
		s->arg = t;
		jit_fault_note(j, s);
		x86_op(b, SSE_LOAD, 0, x86_mx(X86_RAX, va, 0, 0));
		x86_op(b, SSE_STORE, 0, jit_v(t, 0));
		s->back = x86_here(b);
		return;
	}
	struct jit_slow *s = look_up(j, va, 1u << scale, false, PLAIN, load_piece);
	s->fn = slow_loads[PLAIN][scale];
	s->reg2 = X86_RAX;
	s->size = (uint8_t)scale;
	jit_fault_note(j, s);
	x86_op(b, load_op(scale, ZERO), X86_RAX, x86_mx(X86_RAX, va, 0, 0));
	s->back = x86_here(b);
	x86_store(b, X86_W, jit_v(t, 0), X86_RAX);
	x86_op(b, 0xc7 | X86_W, 0, jit_v(t, 8));
	x86_u32(b, 0);
}

static void store_v(struct jit *j, unsigned va, unsigned t, unsigned scale)
{
	struct x86_buf *b = &j->buf;

	if (scale == 4) {
		struct jit_slow *s = look_up(j, va, 16, true, PLAIN, vector_piece);
		s->fn = (const void *)slow_store_v128;
		s->arg = t;
		x86_op(b, SSE_LOAD, 0, jit_v(t, 0));
		jit_fault_note(j, s);
		x86_op(b, SSE_STORE, 0, x86_mx(X86_RAX, va, 0, 0));
		s->back = x86_here(b);
		return;
	}
	x86_load(b, X86_W, X86_RDX, jit_v(t, 0));
	struct jit_slow *s = look_up(j, va, 1u << scale, true, PLAIN, store_piece);
	s->fn = slow_stores[PLAIN][scale];
	s->reg2 = X86_RDX;
	jit_fault_note(j, s);
	x86_op(b, store_op(scale), X86_RDX, x86_mx(X86_RAX, va, 0, 0));
	s->back = x86_here(b);
}

#define VECTOR_FORMS(name, unscaled_name, op, scale) \
	JIT_INSN(name##_post) \
	{ \
		op(j, address(j, a->Rn, 0), a->Rt, scale); \
		write_back(j, a->Rn, a->imm9); \
	} \
	JIT_INSN(name##_pre) \
	{ \
		op(j, address(j, a->Rn, a->imm9), a->Rt, scale); \
		write_back(j, a->Rn, a->imm9); \
	} \
	JIT_INSN(name##_reg) \
	{ \
		op(j, indexed(j, (const void *)a, scale), a->Rt, scale); \
	} \
	JIT_INSN(name##_uimm) \
	{ \
		op(j, address(j, a->Rn, (int64_t)a->imm12 << scale), a->Rt, scale); \
	} \
	JIT_INSN(unscaled_name) \
	{ \
		op(j, address(j, a->Rn, a->imm9), a->Rt, scale); \
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
	load_v(j, literal(j, a->imm19), a->Rt, 2);
}

JIT_INSN(LDR_D_lit)
{
	load_v(j, literal(j, a->imm19), a->Rt, 3);
}

JIT_INSN(LDR_Q_lit)
{
	load_v(j, literal(j, a->imm19), a->Rt, 4);
}

/* ---- Pairs: one look-up for both. The slow path is the interpreter's whole instruction. ---- */

/* The next time the page is in the arrays. */
static void fill_pair(struct emu_cpu *cpu)
{
	jit_mem_fill(cpu, cpu->jit_hot.va, false);
}

/* Like jit_fallback, out of line. */
static void pair_piece(struct jit *j, const struct jit_slow *s)
{
	unsigned i = j->i;
	uint64_t pc = j->pc;

	j->i = s->index;
	j->pc = s->pc;
	x86_store(&j->buf, X86_W, JIT_CPU(jit_hot.va), s->reg);
	jit_fallback(j);
	jit_call(j, (const void *)fill_pair);
	j->i = i;
	j->pc = pc;
	x86_jmp_to(&j->buf, s->back);
}

/* With FEAT_LSE2, a pair of X registers in aligned 16 bytes is one access.
 * Nobody shares what he addresses by SP or the frame pointer that way. */
static bool is_atomic_pair(const struct jit *j, unsigned n)
{
	return n != 31 && n != 29 && emu_has(j->cpu, EMU_FEAT_LSE2);
}

enum { MOVQ_TO_XMM = 0x6e | X86_66 | X86_0F | X86_W, MOVQ_FROM_XMM = 0x7e | X86_66 | X86_0F | X86_W };

struct pair {
	unsigned t, t2, n;
	int32_t offset;      /* of the access */
	int32_t writeback;   /* added to the base afterwards */
	unsigned scale;
	enum extend extend;
	bool atomic;
};

static void load_pair(struct jit *j, const struct pair *p)
{
	struct x86_buf *b = &j->buf;
	unsigned size = 1u << p->scale;

	if (p->writeback && p->n != 31 && (p->t == p->n || p->t2 == p->n)) {
		jit_fallback(j);
		return;
	}
	unsigned va = address(j, p->n, p->offset);
	struct jit_slow *s = look_up(j, va, 2 * size, false, PLAIN, pair_piece);
	unsigned r1 = p->t == 31 ? X86_RDX : jit_target(p->t, X86_RDX);
	if (p->atomic) {
		jit_fault_note(j, s);
		x86_op(b, SSE_LOAD, 0, x86_mx(X86_RAX, va, 0, 0));
		x86_op(b, MOVQ_FROM_XMM, 0, x86_r(r1));
		x86_op(b, 0x16 | X86_66 | X86_0F3A | X86_W, 0, x86_r(X86_RAX)); /* pextrq rax, xmm0, 1 */
		x86_u8(b, 1);
	} else {
		x86_alu(b, X86_ADD, X86_W, X86_RAX, x86_r(va));
		jit_fault_note(j, s);
		x86_op(b, load_op(p->scale, p->extend), r1, x86_m(X86_RAX, 0));
		x86_op(b, load_op(p->scale, p->extend), X86_RAX, x86_m(X86_RAX, (int32_t)size));
	}
	if (p->t != 31)
		jit_write(j, p->t, r1);
	if (p->t2 != 31)
		jit_write(j, p->t2, X86_RAX);
	if (p->writeback)
		write_back(j, p->n, p->writeback);
	s->back = x86_here(b);
}

static void store_pair(struct jit *j, const struct pair *p)
{
	struct x86_buf *b = &j->buf;
	unsigned size = 1u << p->scale;
	unsigned va = address(j, p->n, p->offset);
	struct jit_slow *s = look_up(j, va, 2 * size, true, PLAIN, pair_piece);

	if (p->atomic) {
		unsigned r1 = jit_read_z(j, p->t, X86_RDX);
		x86_op(b, MOVQ_TO_XMM, 0, x86_r(r1));
		unsigned r2 = jit_read_z(j, p->t2, X86_RDX);
		x86_op(b, 0x22 | X86_66 | X86_0F3A | X86_W, 0, x86_r(r2)); /* pinsrq xmm0, r2, 1 */
		x86_u8(b, 1);
		jit_fault_note(j, s);
		x86_op(b, SSE_STORE, 0, x86_mx(X86_RAX, va, 0, 0));
	} else {
		unsigned r1 = jit_read_z(j, p->t, X86_RDX);
		jit_fault_note(j, s);
		x86_op(b, store_op(p->scale), r1, x86_mx(X86_RAX, va, 0, 0));
		unsigned r2 = jit_read_z(j, p->t2, X86_RDX);
		x86_op(b, store_op(p->scale), r2, x86_mx(X86_RAX, va, 0, (int32_t)size));
	}
	if (p->writeback)
		write_back(j, p->n, p->writeback);
	s->back = x86_here(b);
}

static void load_pair_v(struct jit *j, const struct pair *p)
{
	struct x86_buf *b = &j->buf;
	unsigned size = 1u << p->scale;
	unsigned va = address(j, p->n, p->offset);
	struct jit_slow *s = look_up(j, va, 2 * size, false, PLAIN, pair_piece);

	x86_alu(b, X86_ADD, X86_W, X86_RAX, x86_r(va));
	jit_fault_note(j, s);
	if (p->scale == 4) {
		x86_op(b, SSE_LOAD, 0, x86_m(X86_RAX, 0));
		x86_op(b, SSE_LOAD, 1, x86_m(X86_RAX, 16));
	} else {
		/* movd, movq: the rest of the host's register is zero */
		static const uint32_t ops[4] = { [2] = 0x6e | X86_66 | X86_0F, [3] = 0x7e | X86_F3 | X86_0F };
		x86_op(b, ops[p->scale], 0, x86_m(X86_RAX, 0));
		x86_op(b, ops[p->scale], 1, x86_m(X86_RAX, (int32_t)size));
	}
	x86_op(b, SSE_STORE, 0, jit_v(p->t, 0));
	x86_op(b, SSE_STORE, 1, jit_v(p->t2, 0));
	if (p->writeback)
		write_back(j, p->n, p->writeback);
	s->back = x86_here(b);
}

static void store_pair_v(struct jit *j, const struct pair *p)
{
	struct x86_buf *b = &j->buf;
	unsigned size = 1u << p->scale;
	unsigned va = address(j, p->n, p->offset);
	struct jit_slow *s = look_up(j, va, 2 * size, true, PLAIN, pair_piece);

	if (p->scale == 4) {
		x86_op(b, SSE_LOAD, 0, jit_v(p->t, 0));
		x86_op(b, SSE_LOAD, 1, jit_v(p->t2, 0));
		jit_fault_note(j, s);
		x86_op(b, SSE_STORE, 0, x86_mx(X86_RAX, va, 0, 0));
		x86_op(b, SSE_STORE, 1, x86_mx(X86_RAX, va, 0, 16));
	} else {
		x86_load(b, X86_W, X86_RDX, jit_v(p->t, 0));
		jit_fault_note(j, s);
		x86_op(b, store_op(p->scale), X86_RDX, x86_mx(X86_RAX, va, 0, 0));
		x86_load(b, X86_W, X86_RDX, jit_v(p->t2, 0));
		x86_op(b, store_op(p->scale), X86_RDX, x86_mx(X86_RAX, va, 0, (int32_t)size));
	}
	if (p->writeback)
		write_back(j, p->n, p->writeback);
	s->back = x86_here(b);
}

/* A writeback of 0 changes nothing, so it is none. */
#define PAIR(scale_, offset_, writeback_, extend_, atomic_) \
	&(struct pair){ .t = a->Rt, .t2 = a->Rt2, .n = a->Rn, .offset = offset_, .writeback = writeback_, \
		.scale = scale_, .extend = extend_, .atomic = atomic_ }

#define PAIR_FORMS(name, op, scale, extend, atomic) \
	JIT_INSN(name##_off) \
	{ \
		op(j, PAIR(scale, a->imm7 * (1 << scale), 0, extend, atomic)); \
	} \
	JIT_INSN(name##_post) \
	{ \
		op(j, PAIR(scale, 0, a->imm7 * (1 << scale), extend, atomic)); \
	} \
	JIT_INSN(name##_pre) \
	{ \
		op(j, PAIR(scale, a->imm7 * (1 << scale), a->imm7 * (1 << scale), extend, atomic)); \
	}

#define PAIR_FORMS_NT(name, name_nt, op, scale, extend, atomic) \
	PAIR_FORMS(name, op, scale, extend, atomic) \
	JIT_INSN(name_nt) \
	{ \
		op(j, PAIR(scale, a->imm7 * (1 << scale), 0, extend, atomic)); \
	}

PAIR_FORMS_NT(STP_w, STNP_w, store_pair, 2, ZERO, false)
PAIR_FORMS_NT(LDP_w, LDNP_w, load_pair, 2, ZERO, false)
PAIR_FORMS(LDPSW, load_pair, 2, SIGN_X, false)
PAIR_FORMS_NT(STP_x, STNP_x, store_pair, 3, ZERO, is_atomic_pair(j, a->Rn))
PAIR_FORMS_NT(LDP_x, LDNP_x, load_pair, 3, ZERO, is_atomic_pair(j, a->Rn))
PAIR_FORMS_NT(STP_S, STNP_S, store_pair_v, 2, ZERO, false)
PAIR_FORMS_NT(LDP_S, LDNP_S, load_pair_v, 2, ZERO, false)
PAIR_FORMS_NT(STP_D, STNP_D, store_pair_v, 3, ZERO, false)
PAIR_FORMS_NT(LDP_D, LDNP_D, load_pair_v, 3, ZERO, false)
PAIR_FORMS_NT(STP_Q, STNP_Q, store_pair_v, 4, ZERO, false)
PAIR_FORMS_NT(LDP_Q, LDNP_Q, load_pair_v, 4, ZERO, false)

/* ---- Whole vector registers, one after the other: LD1, ST1 ---- */

/* The base becomes `bytes` more, or Xm more; rm is NO_INDEX where there is none. */
enum { NO_INDEX = 32 };

static void post_index(struct jit *j, unsigned n, unsigned rm, unsigned bytes)
{
	struct x86_buf *b = &j->buf;

	if (rm == 31) {
		write_back(j, n, (int32_t)bytes);
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
	uint32_t load = q ? SSE_LOAD : 0x7e | X86_F3 | X86_0F, store = q ? SSE_STORE : 0xd6 | X86_66 | X86_0F;
	struct x86_buf *b = &j->buf;
	unsigned bytes = q ? 16 : 8, va = address(j, n, 0);
	/* Three are looked up as if they were four. */
	struct jit_slow *s = look_up(j, va, bytes * (count == 3 ? 4 : count), !is_load, PLAIN, pair_piece);

	x86_alu(b, X86_ADD, X86_W, X86_RAX, x86_r(va));
	if (!is_load)
		for (unsigned i = 0; i < count; i++)
			x86_op(b, load, i, jit_v((t + i) & 31, 0));
	jit_fault_note(j, s);
	for (unsigned i = 0; i < count; i++)
		x86_op(b, is_load ? load : store, i, x86_m(X86_RAX, (int32_t)(bytes * i)));
	if (is_load)
		for (unsigned i = 0; i < count; i++)
			x86_op(b, SSE_STORE, i, jit_v((t + i) & 31, 0));
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
	unsigned va = address(j, n, 0);
	struct jit_slow *s = look_up(j, va, 1u << size, false, PLAIN, pair_piece);
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

/* ---- FEAT_LSE: the slow path, misaligned data included, is the interpreter's whole instruction ---- */

static struct jit_slow *look_up_atomic(struct jit *j, unsigned va, unsigned size)
{
	return look_up(j, va, 1u << size, true, ORDERED, pair_piece);
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
		x86_op(&j->buf, load_op(size, ZERO), reg, x86_r(reg));
	jit_write(j, t, reg);
}

enum { XADD = 0xc1 | X86_0F | X86_LOCK, CMPXCHG = 0xb1 | X86_0F | X86_LOCK };

/* One host instruction that returns what was there in its register. */
static void exchange(struct jit *j, const struct a64_args_LDADD *a, uint32_t op)
{
	unsigned va = address(j, a->Rn, 0);
	struct jit_slow *s = look_up_atomic(j, va, a->size);

	jit_copy_z(j, X86_W, X86_RDX, a->Rs);
	jit_fault_note(j, s);
	sized_op(j, a->size, op, X86_RDX, x86_mx(X86_RAX, va, 0, 0));
	atomic_result(j, a->Rt, X86_RDX, a->size);
	s->back = x86_here(&j->buf);
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
	unsigned va = address(j, a->Rn, 0);
	struct jit_slow *s = look_up_atomic(j, va, a->size);

	host_address(j, va, s);
	x86_op(b, load_op(a->size, ZERO), X86_RAX, x86_m(X86_RCX, 0));
	uint32_t again = x86_here(b);
	jit_copy_z(j, X86_W, X86_RDX, a->Rs);
	if (invert)
		x86_group3(b, X86_NOT, X86_W, X86_RDX);
	x86_alu(b, alu, X86_W, X86_RDX, x86_r(X86_RAX));
	sized_op(j, a->size, CMPXCHG, X86_RDX, x86_m(X86_RCX, 0));
	x86_jcc_to(b, X86_NE, again);
	atomic_result(j, a->Rt, X86_RAX, a->size);
	s->back = x86_here(b);
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
	struct x86_buf *b = &j->buf;
	unsigned va = address(j, a->Rn, 0);
	struct jit_slow *s = look_up_atomic(j, va, a->size);

	host_address(j, va, s);
	jit_copy_z(j, X86_W, X86_RDX, a->Rt);
	jit_copy_z(j, X86_W, X86_RAX, a->Rs);
	sized_op(j, a->size, CMPXCHG, X86_RDX, x86_m(X86_RCX, 0));
	atomic_result(j, a->Rs, X86_RAX, a->size);
	s->back = x86_here(b);
}
