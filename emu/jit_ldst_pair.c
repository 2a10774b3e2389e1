/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translators: loads and stores of pairs. Arm ARM C6.2, C7.2. One look-up for
 * both; the slow path is the interpreter's whole instruction.
 */
#include "emu/jit_ldst_priv.h"

#include "emu/jit_vec_priv.h"
#include "emu/sys_priv.h"

/* With FEAT_LSE2, a pair of X registers in aligned 16 bytes is one access.
 * Nobody shares what he addresses by SP or the frame pointer that way. */
bool jit_is_atomic_pair(const struct jit *j, unsigned n)
{
	return n != 31 && n != 29 && emu_has(j->cpu, EMU_FEAT_LSE2);
}

enum { MOVQ_TO_XMM = 0x6e | X86_66 | X86_0F | X86_W, MOVQ_FROM_XMM = 0x7e | X86_66 | X86_0F | X86_W };

struct pair {
	unsigned t, t2, n;
	int32_t offset;      /* of the access */
	int32_t writeback;   /* added to the base afterwards */
	unsigned scale;
	enum jit_extend extend;
	bool atomic;
};

static void load_pair(struct jit *j, const struct pair *p)
{
	struct x86_buf *b = &j->buf;
	unsigned size = 1u << p->scale;

	/* Where the base is loaded and written back, even by 0, the interpreter knows what comes out. */
	bool writes_back = j->insn[j->i].word >> 23 & 1;
	if (writes_back && p->n != 31 && (p->t == p->n || p->t2 == p->n)) {
		jit_fallback(j);
		return;
	}
	unsigned va = jit_address(j, p->n, p->offset);
	struct jit_slow *s = jit_look_up(j, va, 2 * size, false, JIT_PLAIN);
	unsigned r1 = p->t == 31 ? X86_RDX : jit_target(j, p->t, X86_RDX);
	if (p->atomic) {
		jit_fault_note(j, s);
		x86_op(b, JIT_SSE_LOAD, 0, x86_mx(X86_RAX, va, 0, 0));
		x86_op(b, MOVQ_FROM_XMM, 0, x86_r(r1));
		x86_op(b, 0x16 | X86_66 | X86_0F3A | X86_W, 0, x86_r(X86_RAX)); /* pextrq rax, xmm0, 1 */
		x86_u8(b, 1);
	} else {
		x86_alu(b, X86_ADD, X86_W, X86_RAX, x86_r(va));
		jit_fault_note(j, s);
		x86_op(b, jit_load_op(p->scale, p->extend), r1, x86_m(X86_RAX, 0));
		x86_op(b, jit_load_op(p->scale, p->extend), X86_RAX, x86_m(X86_RAX, (int32_t)size));
	}
	if (p->t != 31)
		jit_write(j, p->t, r1);
	if (p->t2 != 31)
		jit_write(j, p->t2, X86_RAX);
	if (p->writeback)
		jit_write_back(j, p->n, p->writeback);
}

static void store_pair(struct jit *j, const struct pair *p)
{
	struct x86_buf *b = &j->buf;
	unsigned size = 1u << p->scale;
	unsigned va = jit_address(j, p->n, p->offset);
	struct jit_slow *s = jit_look_up(j, va, 2 * size, true, JIT_PLAIN);

	if (p->atomic) {
		unsigned r1 = jit_read_z(j, p->t, X86_RDX);
		x86_op(b, MOVQ_TO_XMM, 0, x86_r(r1));
		unsigned r2 = jit_read_z(j, p->t2, X86_RDX);
		x86_op(b, 0x22 | X86_66 | X86_0F3A | X86_W, 0, x86_r(r2)); /* pinsrq xmm0, r2, 1 */
		x86_u8(b, 1);
		jit_fault_note(j, s);
		x86_op(b, JIT_SSE_STORE, 0, x86_mx(X86_RAX, va, 0, 0));
	} else {
		unsigned r1 = jit_read_z(j, p->t, X86_RDX);
		jit_fault_note(j, s);
		x86_op(b, jit_store_op(p->scale), r1, x86_mx(X86_RAX, va, 0, 0));
		unsigned r2 = jit_read_z(j, p->t2, X86_RDX);
		x86_op(b, jit_store_op(p->scale), r2, x86_mx(X86_RAX, va, 0, (int32_t)size));
	}
	if (p->writeback)
		jit_write_back(j, p->n, p->writeback);
}

static void load_pair_v(struct jit *j, const struct pair *p)
{
	struct x86_buf *b = &j->buf;
	unsigned size = 1u << p->scale;
	unsigned xmm = jit_v_target(j, p->t), xmm2 = jit_v_target(j, p->t2), va = jit_address(j, p->n, p->offset);
	struct jit_slow *s = jit_look_up(j, va, 2 * size, false, JIT_PLAIN);

	x86_alu(b, X86_ADD, X86_W, X86_RAX, x86_r(va));
	jit_fault_note(j, s);
	jit_v_move(j, jit_v_load_op(p->scale), xmm, x86_m(X86_RAX, 0));
	jit_v_move(j, jit_v_load_op(p->scale), xmm2, x86_m(X86_RAX, (int32_t)size));
	jit_v_written_low(j, p->t, p->scale);
	jit_v_written_low(j, p->t2, p->scale);
	if (p->writeback)
		jit_write_back(j, p->n, p->writeback);
}

static void store_pair_v(struct jit *j, const struct pair *p)
{
	struct x86_buf *b = &j->buf;
	unsigned size = 1u << p->scale;
	unsigned xmm = jit_v_get(j, p->t), xmm2 = jit_v_get(j, p->t2), va = jit_address(j, p->n, p->offset);
	struct jit_slow *s = jit_look_up(j, va, 2 * size, true, JIT_PLAIN);

	x86_alu(b, X86_ADD, X86_W, X86_RAX, x86_r(va));
	jit_fault_note(j, s);
	jit_v_move(j, jit_v_store_op(p->scale), xmm, x86_m(X86_RAX, 0));
	jit_v_move(j, jit_v_store_op(p->scale), xmm2, x86_m(X86_RAX, (int32_t)size));
	if (p->writeback)
		jit_write_back(j, p->n, p->writeback);
}

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

PAIR_FORMS_NT(STP_w, STNP_w, store_pair, 2, JIT_ZERO, false)
PAIR_FORMS_NT(LDP_w, LDNP_w, load_pair, 2, JIT_ZERO, false)
PAIR_FORMS(LDPSW, load_pair, 2, JIT_SIGN_X, false)
PAIR_FORMS_NT(STP_x, STNP_x, store_pair, 3, JIT_ZERO, jit_is_atomic_pair(j, a->Rn))
PAIR_FORMS_NT(LDP_x, LDNP_x, load_pair, 3, JIT_ZERO, jit_is_atomic_pair(j, a->Rn))
PAIR_FORMS_NT(STP_S, STNP_S, store_pair_v, 2, JIT_ZERO, false)
PAIR_FORMS_NT(LDP_S, LDNP_S, load_pair_v, 2, JIT_ZERO, false)
PAIR_FORMS_NT(STP_D, STNP_D, store_pair_v, 3, JIT_ZERO, false)
PAIR_FORMS_NT(LDP_D, LDNP_D, load_pair_v, 3, JIT_ZERO, false)
PAIR_FORMS_NT(STP_Q, STNP_Q, store_pair_v, 4, JIT_ZERO, false)
PAIR_FORMS_NT(LDP_Q, LDNP_Q, load_pair_v, 4, JIT_ZERO, false)
