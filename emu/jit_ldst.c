/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translators: loads and stores. Arm ARM C6.2, C7.2.
 *
 * An access computes its address, looks the page up (emu/jit_mem.c), and makes
 * one host access:
 *
 *     mov  rax, va
 *     test al, size - 1        an unaligned one may leave its page: jit_site_unaligned; SP is known to be aligned
 *     jnz  unaligned
 *     shl  rax, 15             bits 48 to 12 of the address
 *     shr  rax, 27
 *     mov  rax, [r12 + rax*8]
 *     test rax, rax
 *     jz   slow
 *     mov  result, [rax + va]
 *
 * Where there are tagged tables and no arrays, R13 is free for the page's tag,
 * and what is between the test of the alignment and the access is this:
 *
 *     mov  r13, va
 *     or   r13, 4095
 *     shr  eax, 7              12 bits of the page, 5 of an entry's size
 *     and  eax, (2048 - 1) * 32
 *     add  rax, r12
 *     cmp  r13, [rax]          or the tag for writes
 *     jne  slow
 *     mov  rax, [rax + 16]
 *
 * The slow path is behind the block, and hands the whole instruction over to the
 * interpreter: emu/jit_site.c. The address is in a pinned register or in RCX, what
 * is stored is in a pinned register or in RDX. Writeback happens after the access.
 */
#include "emu/jit_ldst_priv.h"

#include "emu/access_priv.h"

/* ---- The look-up ---- */

/* RAX is the address, and becomes the entry. */
static inline uint32_t look_up_plain(struct x86_buf *b, bool write)
{
	x86_shift_imm(b, X86_SHL, X86_W, X86_RAX, 15);
	x86_shift_imm(b, X86_SHR, X86_W, X86_RAX, 27);
	if (write)
		x86_load(b, X86_W, X86_RAX, x86_mx(X86_R13, X86_RAX, 3, 0));
	else
		x86_load(b, X86_W, X86_RAX, x86_mx(X86_R12, X86_RAX, 3, 0));
	x86_test_rr(b, X86_W, X86_RAX, X86_RAX);
	return x86_jcc(b, X86_E);
}

static void look_up_unpriv(struct jit *j, struct jit_slow *s, bool write)
{
	struct x86_buf *b = &j->buf;

	x86_shift_imm(b, X86_SHL, X86_W, X86_RAX, 15);
	x86_shift_imm(b, X86_SHR, X86_W, X86_RAX, 27);
	/* RDX may hold what is stored: use the array's address as an index */
	x86_shift_imm(b, X86_SHL, X86_W, X86_RAX, 3);
	x86_alu(b, X86_ADD, X86_W, X86_RAX, write ? JIT_CPU(jit_hot.unpriv_write) : JIT_CPU(jit_hot.unpriv_read));
	x86_load(b, X86_W, X86_RAX, x86_m(X86_RAX, 0));
	x86_test_rr(b, X86_W, X86_RAX, X86_RAX);
	s->branch[0] = x86_jcc(b, X86_E);
}

/* RAX is the address, and becomes the entry's addend. */
static void look_up_tagged(struct jit *j, struct jit_slow *s, unsigned va, bool write, enum jit_access access)
{
	struct x86_buf *b = &j->buf;
	size_t tag = write ? offsetof(struct jit_tagged, tag_write) : offsetof(struct jit_tagged, tag_read);

	_Static_assert(sizeof(struct jit_tagged) == 1 << 5, "the shift makes an entry's offset of an address");
	x86_mov_rr(b, X86_W, X86_R13, va);
	x86_alu_imm(b, X86_OR, X86_W, x86_r(X86_R13), (int32_t)EMU_PAGE_MASK);
	x86_shift_imm(b, X86_SHR, 0, X86_RAX, EMU_PAGE_BITS - 5);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RAX), (JIT_TABLE_SIZE - 1) << 5);
	if (access == JIT_UNPRIV)
		x86_alu(b, X86_ADD, X86_W, X86_RAX, JIT_CPU(jit_hot.unpriv_read));
	else
		x86_alu(b, X86_ADD, X86_W, X86_RAX, x86_r(X86_R12));
	x86_alu(b, X86_CMP, X86_W, X86_R13, x86_m(X86_RAX, (int32_t)tag));
	s->branch[0] = x86_jcc(b, X86_NE);
	x86_load(b, X86_W, X86_RAX, x86_m(X86_RAX, offsetof(struct jit_tagged, addend)));
}

/* Another way than by an array. */
static __attribute__((noinline)) void look_up_other(struct jit *j, struct jit_slow *s, unsigned va, bool write,
						    enum jit_access access)
{
	if (j->tables)
		look_up_tagged(j, s, va, write, access);
	else
		look_up_unpriv(j, s, write);
}

struct jit_slow *jit_look_up(struct jit *j, unsigned va, unsigned size, bool write, enum jit_access access)
{
	struct jit_slow *s = jit_site_add(j, va, size, (write ? JIT_SITE_WRITES : 0) |
		(access == JIT_UNPRIV ? JIT_SITE_UNPRIV : 0));
	struct x86_buf b = j->buf;
	x86_mov_rr(&b, X86_W, X86_RAX, va);
	if (size > j->va_align) {
		x86_u8(&b, 0xa8); /* test al, imm8 */
		x86_u8(&b, size - 1);
		uint32_t branch = x86_jcc(&b, X86_NE);
		if (access == JIT_ORDERED)
			s->branch[1] = branch;
		else
			s->unaligned = branch;
	}
	if (!j->tables && access != JIT_UNPRIV) {
		s->branch[0] = look_up_plain(&b, write);
		j->buf.p = b.p;
	} else {
		j->buf.p = b.p;
		look_up_other(j, s, va, write, access);
	}
	return s;
}

void jit_look_up_page(struct jit *j, struct jit_slow *s, unsigned va, bool write)
{
	struct x86_buf b = j->buf;

	x86_mov_rr(&b, X86_W, X86_RAX, va);
	if (!j->tables) {
		s->branch[0] = look_up_plain(&b, write);
		j->buf.p = b.p;
	} else {
		j->buf.p = b.p;
		look_up_other(j, s, va, write, JIT_PLAIN);
	}
}

/* ---- Addresses ---- */

/* SP as a base has to be aligned, where the block says so. */
void jit_check_base(struct jit *j, unsigned n)
{
	if (n != 31 || j->sp_checked || !(j->block_flags & JIT_FLAG_SP_CHECK))
		return;
	x86_test8_imm(&j->buf, jit_x(j, 31), 15);
	jit_site_add(j, 0, 0, 0)->branch[0] = x86_jcc(&j->buf, X86_NE);
	j->sp_checked = true;
}

static unsigned lowest_bit(uint64_t val)
{
	return (unsigned)(val & -val);
}

/* Xn + offset, with the check of SP. */
unsigned jit_address(struct jit *j, unsigned n, int64_t offset)
{
	jit_check_base(j, n);
	if (n == 31 && j->sp_checked)
		j->va_align = lowest_bit((uint64_t)offset | 16);
	unsigned reg = jit_read(j, n, JIT_SCRATCH_VA);
	if (offset == 0)
		return reg;
	/* No register of the guest's, nor the scratch one, needs a SIB byte. */
	if (offset == (int8_t)offset)
		x86_plain_here(&j->buf, X86_LEA | X86_W, JIT_SCRATCH_VA, x86_m8(reg, (uint8_t)offset));
	else
		x86_plain_here(&j->buf, X86_LEA | X86_W, JIT_SCRATCH_VA, x86_m32(reg, (uint32_t)offset));
	return JIT_SCRATCH_VA;
}

void jit_write_back(struct jit *j, unsigned n, int32_t offset)
{
	bool checked = j->sp_checked;

	x86_alu_imm(&j->buf, X86_ADD, X86_W, jit_x(j, n), offset);
	if (n == 31)
		j->sp_checked = checked && offset % 16 == 0;
}

/* ---- Loads and stores of one general register ---- */

uint32_t jit_load_op(unsigned scale, enum jit_extend extend)
{
	static const uint32_t ops[3][4] = {
		{ X86_MOVZX8, X86_MOVZX16, X86_MOV_LOAD, X86_MOV_LOAD | X86_W },
		{ X86_MOVSX8, X86_MOVSX16, X86_MOV_LOAD, X86_MOV_LOAD | X86_W },
		{ X86_MOVSX8 | X86_W, X86_MOVSX16 | X86_W, X86_MOVSXD, X86_MOV_LOAD | X86_W },
	};
	return ops[extend][scale];
}

uint32_t jit_store_op(unsigned scale)
{
	static const uint32_t ops[4] = { X86_MOV_STORE8, X86_MOV_STORE16, X86_MOV_STORE, X86_MOV_STORE | X86_W };
	return ops[scale];
}

static JIT_HOT void load(struct jit *j, unsigned va, unsigned t, unsigned scale, enum jit_extend extend,
			 enum jit_access access)
{
	struct jit_slow *s = jit_look_up(j, va, 1u << scale, false, access);
	unsigned reg = t == 31 ? X86_RAX : jit_target(j, t, X86_RAX);

	jit_fault_note(j, s);
	x86_op(&j->buf, jit_load_op(scale, extend), reg, x86_mx(X86_RAX, va, 0, 0));
	if (t != 31)
		jit_write(j, t, reg);
}

static JIT_HOT void store(struct jit *j, unsigned va, unsigned t, unsigned scale, enum jit_access access)
{
	unsigned reg = jit_read_z(j, t, X86_RDX);
	struct jit_slow *s = jit_look_up(j, va, 1u << scale, true, access);

	jit_fault_note(j, s);
	x86_op(&j->buf, jit_store_op(scale), reg, x86_mx(X86_RAX, va, 0, 0));
	if (access == JIT_ORDERED) {
		x86_op(&j->buf, 0x83 | X86_LOCK, X86_OR, x86_m(X86_RSP, 0));
		x86_u8(&j->buf, 0);
	}
}

unsigned jit_indexed(struct jit *j, const struct a64_args_LDR_x_reg *a, unsigned scale)
{
	static const uint32_t ops[4] = { X86_MOV_LOAD, X86_MOV_LOAD | X86_W, X86_MOVSXD, X86_MOV_LOAD | X86_W };
	unsigned shift = a->S ? scale : 0;

	jit_check_base(j, a->Rn);
	unsigned base = jit_read(j, a->Rn, X86_RAX), index = JIT_SCRATCH_VA;
	if (a->Rm == 31)
		x86_mov_imm(&j->buf, index, 0);
	else if ((a->option & 1) && j->pin[a->Rm] != X86_NO_REG)
		index = j->pin[a->Rm];
	else
		x86_op(&j->buf, ops[a->option & 3], index, jit_x(j, a->Rm));
	if (shift > 3) {
		x86_shift_imm(&j->buf, X86_SHL, X86_W, index == JIT_SCRATCH_VA ? index : (x86_mov_rr(&j->buf, X86_W,
			JIT_SCRATCH_VA, index), JIT_SCRATCH_VA), shift);
		index = JIT_SCRATCH_VA;
		shift = 0;
	}
	x86_lea(&j->buf, X86_W, JIT_SCRATCH_VA, x86_mx(base, index, shift, 0));
	return JIT_SCRATCH_VA;
}

/* Where base and target are the same register and there is a writeback, the interpreter knows what comes out. */
#define LOAD_FORMS(name, unscaled_name, unpriv_name, acquire_name, scale, extend) \
	JIT_INSN(name##_post) \
	{ \
		if (a->Rn == a->Rt && a->Rn != 31) { \
			jit_fallback(j); \
			return; \
		} \
		load(j, jit_address(j, a->Rn, 0), a->Rt, scale, extend, JIT_PLAIN); \
		jit_write_back(j, a->Rn, a->imm9); \
	} \
	JIT_INSN(name##_pre) \
	{ \
		if (a->Rn == a->Rt && a->Rn != 31) { \
			jit_fallback(j); \
			return; \
		} \
		load(j, jit_address(j, a->Rn, a->imm9), a->Rt, scale, extend, JIT_PLAIN); \
		jit_write_back(j, a->Rn, a->imm9); \
	} \
	JIT_INSN(name##_reg) \
	{ \
		load(j, jit_indexed(j, (const void *)a, scale), a->Rt, scale, extend, JIT_PLAIN); \
	} \
	JIT_INSN(name##_uimm) \
	{ \
		load(j, jit_address(j, a->Rn, (int64_t)a->imm12 << scale), a->Rt, scale, extend, JIT_PLAIN); \
	} \
	JIT_INSN(unscaled_name) \
	{ \
		load(j, jit_address(j, a->Rn, a->imm9), a->Rt, scale, extend, JIT_PLAIN); \
	} \
	JIT_INSN(unpriv_name) \
	{ \
		load(j, jit_address(j, a->Rn, a->imm9), a->Rt, scale, extend, JIT_UNPRIV); \
	} \
	JIT_INSN(acquire_name) \
	{ \
		load(j, jit_address(j, a->Rn, a->imm9), a->Rt, scale, extend, JIT_ORDERED); \
	}

#define STORE_FORMS(name, unscaled_name, unpriv_name, release_name, scale) \
	JIT_INSN(name##_post) \
	{ \
		store(j, jit_address(j, a->Rn, 0), a->Rt, scale, JIT_PLAIN); \
		jit_write_back(j, a->Rn, a->imm9); \
	} \
	JIT_INSN(name##_pre) \
	{ \
		store(j, jit_address(j, a->Rn, a->imm9), a->Rt, scale, JIT_PLAIN); \
		jit_write_back(j, a->Rn, a->imm9); \
	} \
	JIT_INSN(name##_reg) \
	{ \
		store(j, jit_indexed(j, (const void *)a, scale), a->Rt, scale, JIT_PLAIN); \
	} \
	JIT_INSN(name##_uimm) \
	{ \
		store(j, jit_address(j, a->Rn, (int64_t)a->imm12 << scale), a->Rt, scale, JIT_PLAIN); \
	} \
	JIT_INSN(unscaled_name) \
	{ \
		store(j, jit_address(j, a->Rn, a->imm9), a->Rt, scale, JIT_PLAIN); \
	} \
	JIT_INSN(unpriv_name) \
	{ \
		store(j, jit_address(j, a->Rn, a->imm9), a->Rt, scale, JIT_UNPRIV); \
	} \
	JIT_INSN(release_name) \
	{ \
		store(j, jit_address(j, a->Rn, a->imm9), a->Rt, scale, JIT_ORDERED); \
	}

STORE_FORMS(STRB, STURB, STTRB, STLURB, 0)
LOAD_FORMS(LDRB, LDURB, LDTRB, LDAPURB, 0, JIT_ZERO)
LOAD_FORMS(LDRSB_x, LDURSB_x, LDTRSB_x, LDAPURSB_x, 0, JIT_SIGN_X)
LOAD_FORMS(LDRSB_w, LDURSB_w, LDTRSB_w, LDAPURSB_w, 0, JIT_SIGN_W)
STORE_FORMS(STRH, STURH, STTRH, STLURH, 1)
LOAD_FORMS(LDRH, LDURH, LDTRH, LDAPURH, 1, JIT_ZERO)
LOAD_FORMS(LDRSH_x, LDURSH_x, LDTRSH_x, LDAPURSH_x, 1, JIT_SIGN_X)
LOAD_FORMS(LDRSH_w, LDURSH_w, LDTRSH_w, LDAPURSH_w, 1, JIT_SIGN_W)
STORE_FORMS(STR_w, STUR_w, STTR_w, STLUR_w, 2)
LOAD_FORMS(LDR_w, LDUR_w, LDTR_w, LDAPUR_w, 2, JIT_ZERO)
LOAD_FORMS(LDRSW, LDURSW, LDTRSW, LDAPURSW, 2, JIT_SIGN_X)
STORE_FORMS(STR_x, STUR_x, STTR_x, STLUR_x, 3)
LOAD_FORMS(LDR_x, LDUR_x, LDTR_x, LDAPUR_x, 3, JIT_ZERO)

/* ---- Ordered, without offset ---- */

static void load_ordered(struct jit *j, const struct a64_args_LDAR *a)
{
	load(j, jit_address(j, a->Rn, 0), a->Rt, a->size, JIT_ZERO, JIT_ORDERED);
}

static void store_ordered(struct jit *j, const struct a64_args_STLR *a)
{
	store(j, jit_address(j, a->Rn, 0), a->Rt, a->size, JIT_ORDERED);
}

JIT_INSN(LDAR)
{
	load_ordered(j, (const void *)a);
}

JIT_INSN(LDLAR)
{
	load_ordered(j, (const void *)a);
}

JIT_INSN(LDAPR)
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

unsigned jit_literal(struct jit *j, int32_t words)
{
	j->va_align = lowest_bit((j->pc + (uint64_t)words * 4) | 16);
	x86_mov_imm(&j->buf, JIT_SCRATCH_VA, j->pc + (uint64_t)words * 4);
	return JIT_SCRATCH_VA;
}

JIT_INSN(LDR_w_lit)
{
	load(j, jit_literal(j, a->imm19), a->Rt, 2, JIT_ZERO, JIT_PLAIN);
}

JIT_INSN(LDR_x_lit)
{
	load(j, jit_literal(j, a->imm19), a->Rt, 3, JIT_ZERO, JIT_PLAIN);
}

JIT_INSN(LDRSW_lit)
{
	load(j, jit_literal(j, a->imm19), a->Rt, 2, JIT_SIGN_X, JIT_PLAIN);
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
