/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translators: atomic instructions (FEAT_LSE) and exclusives. Arm ARM C6.2, B2.9.
 * The slow path, misaligned data included, is the interpreter's whole instruction;
 * emu/interp_excl.c tells how the monitor works.
 */
#include "emu/jit_ldst_priv.h"

static struct jit_slow *look_up_atomic(struct jit *j, unsigned va, unsigned size)
{
	return jit_look_up(j, va, 1u << size, true, JIT_ORDERED);
}

/* `op` in the size of the datum; 8-bit opcodes are one less. If there are two registers, both are RAX to RDX. */
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

enum {
	XADD = 0xc1 | X86_0F | X86_LOCK,
	CMPXCHG = 0xb1 | X86_0F | X86_LOCK,
	CMPXCHG16B = 0xc7 | X86_0F | X86_LOCK | X86_W, /* register 1 */
};

/* One host instruction that returns what was there in its register. */
static void exchange(struct jit *j, const struct a64_args_LDADD *a, uint32_t op)
{
	unsigned va = jit_address(j, a->Rn, 0);
	struct jit_slow *s = look_up_atomic(j, va, a->size);

	jit_copy_z(j, X86_W, X86_RDX, a->Rs);
	jit_fault_note(j, s);
	sized_op(j, a->size, op, X86_RDX, x86_mx(X86_RAX, va, 0, 0));
	atomic_result(j, a->Rt, X86_RDX, a->size);
}

/* One host instruction that returns nothing. */
static void modify_only(struct jit *j, const struct a64_args_LDADD *a, enum x86_alu alu, bool invert)
{
	unsigned va = jit_address(j, a->Rn, 0);
	struct jit_slow *s = look_up_atomic(j, va, a->size);
	unsigned reg = X86_RDX;

	if (invert) {
		jit_copy_z(j, X86_W, X86_RDX, a->Rs);
		x86_group3(&j->buf, X86_NOT, X86_W, X86_RDX);
	} else {
		reg = jit_read_z(j, a->Rs, X86_RDX);
	}
	jit_fault_note(j, s);
	sized_op(j, a->size, (uint32_t)(alu << 3 | 1) | X86_LOCK, reg, x86_mx(X86_RAX, va, 0, 0));
}

JIT_INSN(LDADD)
{
	if (a->Rt == 31)
		modify_only(j, a, X86_ADD, false);
	else
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

/* What becomes of the datum, which is in RAX, zero-extended: RDX, which is the operand. */
typedef void combine_fn(struct jit *j, unsigned size);

static void modify(struct jit *j, const struct a64_args_LDADD *a, combine_fn *combine)
{
	struct x86_buf *b = &j->buf;
	unsigned va = jit_address(j, a->Rn, 0);
	struct jit_slow *s = look_up_atomic(j, va, a->size);

	host_address(j, va, s);
	x86_op(b, jit_load_op(a->size, JIT_ZERO), X86_RAX, x86_m(X86_RCX, 0));
	uint32_t again = x86_here(b);
	jit_copy_z(j, X86_W, X86_RDX, a->Rs);
	combine(j, a->size);
	sized_op(j, a->size, CMPXCHG, X86_RDX, x86_m(X86_RCX, 0));
	x86_jcc_to(b, X86_NE, again);
	atomic_result(j, a->Rt, X86_RAX, a->size);
}

static void combine_clr(struct jit *j, unsigned size)
{
	x86_group3(&j->buf, X86_NOT, X86_W, X86_RDX);
	x86_alu(&j->buf, X86_AND, X86_W, X86_RDX, x86_r(X86_RAX));
}

static void combine_eor(struct jit *j, unsigned size)
{
	x86_alu(&j->buf, X86_XOR, X86_W, X86_RDX, x86_r(X86_RAX));
}

static void combine_set(struct jit *j, unsigned size)
{
	x86_alu(&j->buf, X86_OR, X86_W, X86_RDX, x86_r(X86_RAX));
}

#define LOGICAL(name, alu, invert, combine) \
	JIT_INSN(name) \
	{ \
		if (a->Rt == 31) \
			modify_only(j, (const void *)a, alu, invert); \
		else \
			modify(j, (const void *)a, combine); \
	}

LOGICAL(LDCLR, X86_AND, true, combine_clr)
LOGICAL(LDEOR, X86_XOR, false, combine_eor)
LOGICAL(LDSET, X86_OR, false, combine_set)

/* Keeps the datum where the condition holds between it and the operand. */
static void combine_if(struct jit *j, unsigned size, enum x86_cc cc)
{
	sized_op(j, size, X86_CMP << 3 | 3, X86_RAX, x86_r(X86_RDX));
	x86_cmov(&j->buf, cc, X86_W, X86_RDX, x86_r(X86_RAX));
}

#define EXTREMUM(name, cc) \
	static void combine_##name(struct jit *j, unsigned size) \
	{ \
		combine_if(j, size, cc); \
	} \
	JIT_INSN(name) \
	{ \
		modify(j, (const void *)a, combine_##name); \
	}

EXTREMUM(LDSMAX, X86_G)
EXTREMUM(LDSMIN, X86_L)
EXTREMUM(LDUMAX, X86_A)
EXTREMUM(LDUMIN, X86_B)

/* ---- Compare and swap ---- */

JIT_INSN(CAS)
{
	unsigned va = jit_address(j, a->Rn, 0);
	struct jit_slow *s = look_up_atomic(j, va, a->size);

	host_address(j, va, s);
	jit_copy_z(j, X86_W, X86_RDX, a->Rt);
	jit_copy_z(j, X86_W, X86_RAX, a->Rs);
	sized_op(j, a->size, CMPXCHG, X86_RDX, x86_m(X86_RCX, 0));
	atomic_result(j, a->Rs, X86_RAX, a->size);
}

/* Compares the 16 bytes that RCX points to with RDX:RAX, which becomes what was
 * there; stores Xt2:Xt if they are equal, and leaves ZF for that. */
static void compare_exchange_16(struct jit *j, unsigned t, unsigned t2)
{
	struct x86_buf *b = &j->buf;

	/* CMPXCHG16B stores RCX:RBX */
	x86_mov_rr(b, X86_W, X86_R12, X86_RCX);
	jit_copy_z(j, X86_W, X86_RCX, t2);
	x86_push(b, X86_RBX);
	jit_copy_z(j, X86_W, X86_RBX, t);
	x86_op(b, CMPXCHG16B, 1, x86_m(X86_R12, 0));
	x86_pop(b, X86_RBX);
	x86_load(b, X86_W, X86_R12, JIT_CPU(jit_hot.read));
}

/* `reg` = Xhigh:Xlow as two words; clobbers `scratch`. */
static void join_words(struct jit *j, unsigned reg, unsigned low, unsigned high, unsigned scratch)
{
	jit_copy_z(j, 0, reg, low);
	jit_copy_z(j, X86_W, scratch, high);
	x86_shift_imm(&j->buf, X86_SHL, X86_W, scratch, 32);
	x86_alu(&j->buf, X86_OR, X86_W, reg, x86_r(scratch));
}

/* The other way round, from RAX. */
static void part_words(struct jit *j, unsigned low, unsigned high)
{
	if (low != 31) {
		x86_mov_rr(&j->buf, 0, X86_RDX, X86_RAX);
		jit_write(j, low, X86_RDX);
	}
	if (high != 31) {
		x86_shift_imm(&j->buf, X86_SHR, X86_W, X86_RAX, 32);
		jit_write(j, high, X86_RAX);
	}
}

/* An even register's successor may be 31: zero. */
JIT_INSN(CASP)
{
	struct x86_buf *b = &j->buf;

	if ((a->Rs | a->Rt) & 1) {
		jit_fallback(j);
		return;
	}
	unsigned va = jit_address(j, a->Rn, 0);
	struct jit_slow *s = look_up_atomic(j, va, a->sf ? 4 : 3);
	host_address(j, va, s);
	if (a->sf) {
		jit_copy(j, X86_W, X86_RAX, a->Rs);
		jit_copy_z(j, X86_W, X86_RDX, a->Rs + 1);
		compare_exchange_16(j, a->Rt, a->Rt + 1);
		jit_write(j, a->Rs, X86_RAX);
		jit_write_z(j, a->Rs + 1, X86_RDX);
	} else {
		join_words(j, X86_RDX, a->Rt, a->Rt + 1, X86_RAX);
		x86_push(b, X86_RDX);
		join_words(j, X86_RAX, a->Rs, a->Rs + 1, X86_RDX);
		x86_pop(b, X86_RDX);
		x86_op(b, CMPXCHG | X86_W, X86_RDX, x86_m(X86_RCX, 0));
		part_words(j, a->Rs, a->Rs + 1);
	}
}

/* ---- Exclusives ---- */

/* RAX = the host address of [va, va + 1 << size), which the monitor marks; the
 * datum is in `reg`, and the upper half of 16 bytes in RDX. */
static void load_exclusive(struct jit *j, unsigned va, unsigned size, unsigned reg)
{
	struct x86_buf *b = &j->buf;
	struct jit_slow *s = jit_look_up(j, va, 1u << size, false, JIT_ORDERED);

	x86_store(b, X86_W, JIT_CPU(excl_addr), va);
	x86_alu(b, X86_ADD, X86_W, X86_RAX, x86_r(va));
	jit_fault_note(j, s);
	x86_op(b, jit_load_op(size > 3 ? 3 : size, JIT_ZERO), reg, x86_m(X86_RAX, 0));
	x86_store(b, X86_W, JIT_CPU(excl_host), X86_RAX);
	x86_store(b, X86_W, JIT_CPU(excl_val[0]), reg);
	if (size == 4) {
		x86_load(b, X86_W, X86_RDX, x86_m(X86_RAX, 8));
		x86_store(b, X86_W, JIT_CPU(excl_val[1]), X86_RDX);
	}
	x86_op(b, 0xc6, 0, JIT_CPU(excl_size));
	x86_u8(b, 1u << size);
}

static void load_exclusive_one(struct jit *j, const struct a64_args_LDXR *a)
{
	unsigned reg = a->Rt == 31 ? X86_RDX : jit_target(j, a->Rt, X86_RDX);

	load_exclusive(j, jit_address(j, a->Rn, 0), a->size, reg);
	jit_write_z(j, a->Rt, reg);
}

JIT_INSN(LDXR)
{
	load_exclusive_one(j, a);
}

JIT_INSN(LDAXR)
{
	load_exclusive_one(j, (const void *)a);
}

static void load_exclusive_pair(struct jit *j, const struct a64_args_LDXP *a)
{
	if (a->sf) {
		unsigned reg = a->Rt == 31 ? X86_RCX : jit_target(j, a->Rt, X86_RCX);
		load_exclusive(j, jit_address(j, a->Rn, 0), 4, reg);
		jit_write_z(j, a->Rt, reg);
		jit_write_z(j, a->Rt2, X86_RDX);
	} else {
		load_exclusive(j, jit_address(j, a->Rn, 0), 3, X86_RDX);
		x86_mov_rr(&j->buf, X86_W, X86_RAX, X86_RDX);
		part_words(j, a->Rt, a->Rt2);
	}
}

JIT_INSN(LDXP)
{
	load_exclusive_pair(j, a);
}

JIT_INSN(LDAXP)
{
	load_exclusive_pair(j, (const void *)a);
}

/* RCX = the host address of [va, va + 1 << size), if the monitor has marked just
 * that; else the interpreter sees what there is to raise. The monitor is open now. */
static void store_exclusive(struct jit *j, unsigned va, unsigned size)
{
	struct x86_buf *b = &j->buf;
	struct jit_slow *s = look_up_atomic(j, va, size);

	x86_alu(b, X86_ADD, X86_W, X86_RAX, x86_r(va));
	x86_alu(b, X86_CMP, X86_W, X86_RAX, JIT_CPU(excl_host));
	s->branch[2] = x86_jcc(b, X86_NE);
	x86_op(b, 0x80, X86_CMP, JIT_CPU(excl_size));
	x86_u8(b, 1u << size);
	s->branch[3] = x86_jcc(b, X86_NE);
	x86_op(b, 0xc6, 0, JIT_CPU(excl_size));
	x86_u8(b, 0);
	x86_mov_rr(b, X86_W, X86_RCX, X86_RAX);
}

/* Xs = 0 if ZF is set, else 1. */
static void store_status(struct jit *j, unsigned status)
{
	if (status != 31) {
		x86_setcc(&j->buf, X86_NE, X86_RAX);
		x86_op(&j->buf, X86_MOVZX8, X86_RAX, x86_r(X86_RAX));
		jit_write(j, status, X86_RAX);
	}
}

static void store_exclusive_one(struct jit *j, const struct a64_args_STXR *a)
{
	store_exclusive(j, jit_address(j, a->Rn, 0), a->size);
	unsigned reg = jit_read_z(j, a->Rt, X86_RDX);
	x86_load(&j->buf, X86_W, X86_RAX, JIT_CPU(excl_val[0]));
	sized_op(j, a->size, CMPXCHG, reg, x86_m(X86_RCX, 0));
	store_status(j, a->Rs);
}

JIT_INSN(STXR)
{
	store_exclusive_one(j, a);
}

JIT_INSN(STLXR)
{
	store_exclusive_one(j, (const void *)a);
}

static void store_exclusive_pair(struct jit *j, const struct a64_args_STXP *a)
{
	struct x86_buf *b = &j->buf;

	store_exclusive(j, jit_address(j, a->Rn, 0), a->sf ? 4 : 3);
	if (a->sf) {
		x86_load(b, X86_W, X86_RAX, JIT_CPU(excl_val[0]));
		x86_load(b, X86_W, X86_RDX, JIT_CPU(excl_val[1]));
		compare_exchange_16(j, a->Rt, a->Rt2);
	} else {
		join_words(j, X86_RDX, a->Rt, a->Rt2, X86_RAX);
		x86_load(b, X86_W, X86_RAX, JIT_CPU(excl_val[0]));
		x86_op(b, CMPXCHG | X86_W, X86_RDX, x86_m(X86_RCX, 0));
	}
	store_status(j, a->Rs);
}

JIT_INSN(STXP)
{
	store_exclusive_pair(j, a);
}

JIT_INSN(STLXP)
{
	store_exclusive_pair(j, (const void *)a);
}
