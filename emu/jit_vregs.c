/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: vector registers in XMM8 to XMM15.
 *
 * A block takes V registers into these as it comes to need them, and writes
 * them there. What each holds at a point of the block is known when the block
 * is translated: struct jit_vregs. Memory has what is not dirty; a register is
 * stored when another needs its place, at exits, and before calls of C code,
 * which keeps no XMM register. A slow path starts from what was known where it
 * was added, and brings back what its way back needs (jit_slow_return).
 *
 * So whatever is loaded into these, or thrown out of them, between the place
 * where a slow path is added and a branch (or fault) to it, would be wrong
 * there: an instruction gets its operands and targets first.
 * Thread: the vCPU's own.
 */
#include "emu/jit_vec_priv.h"

enum { NONE = 0xff };

/* One of the moves, which hosts without AVX have in another encoding. */
void jit_v_move(struct jit *j, uint32_t op, unsigned reg, struct x86_rm rm)
{
	if (j->host_has & JIT_VEC)
		x86_v(&j->buf, op, reg, 0, rm);
	else
		x86_op(&j->buf, op, reg, rm);
}

static struct x86_rm home(unsigned n)
{
	return x86_m(X86_RBP, (int32_t)(offsetof(struct emu_cpu, v) + 16 * n) - JIT_BIAS);
}

void jit_v_reset(struct jit *j)
{
	j->vregs = (struct jit_vregs){ 0 };
	memset(j->vregs.n, NONE, sizeof(j->vregs.n));
}

/* Those of `slots` that are dirty are no longer. */
static void clean(struct jit *j, unsigned slots)
{
	struct jit_vregs *r = &j->vregs;

	for (unsigned left = r->dirty & slots; left; left &= left - 1) {
		unsigned slot = (unsigned)__builtin_ctz(left);
		jit_v_move(j, X86_VMOVUPS_STORE, JIT_V_FIRST + slot, home(r->n[slot]));
	}
	r->dirty &= (uint8_t)~slots;
}

void jit_v_store_dirty(struct jit *j)
{
	clean(j, 0xff);
}

/* What is thrown out first. */
static unsigned rank(const struct jit_vregs *r, unsigned slot)
{
	return r->used[slot] + (r->locked >> slot & 1 ? 1u << 16 : 0);
}

/* The place of Vn, made free for it if it has none. */
static unsigned slot_of(struct jit *j, unsigned n)
{
	struct jit_vregs *r = &j->vregs;
	unsigned slot = 0;

	for (unsigned i = 0; i < JIT_V_SLOTS; i++)
		if (r->n[i] == n)
			slot = i;
	if (r->n[slot] != n) {
		for (unsigned i = 1; i < JIT_V_SLOTS; i++)
			if (rank(r, i) < rank(r, slot))
				slot = i;
		clean(j, 1u << slot);
		r->valid &= (uint8_t)~(1u << slot);
		r->n[slot] = (uint8_t)n;
	}
	r->used[slot] = ++r->clock;
	return slot;
}

/* The slot's register has been written, what is above (1 << scale) bytes with zeroes. */
static void set_clear(struct jit *j, unsigned slot, unsigned scale)
{
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *clear = &j->vregs.clear[i];
		*clear = (uint8_t)((*clear & ~(1u << slot)) | (scale <= i + 2 ? 1u << slot : 0));
	}
}

unsigned jit_v_get(struct jit *j, unsigned n)
{
	unsigned slot = slot_of(j, n);

	if (!(j->vregs.valid >> slot & 1)) {
		jit_v_move(j, X86_VMOVUPS, JIT_V_FIRST + slot, home(n));
		j->vregs.valid |= (uint8_t)(1u << slot);
		set_clear(j, slot, 4);
	}
	return JIT_V_FIRST + slot;
}

unsigned jit_v_target(struct jit *j, unsigned n)
{
	return JIT_V_FIRST + slot_of(j, n);
}

void jit_v_written_low(struct jit *j, unsigned n, unsigned scale)
{
	unsigned slot = slot_of(j, n);

	j->vregs.valid |= (uint8_t)(1u << slot);
	j->vregs.dirty |= (uint8_t)(1u << slot);
	set_clear(j, slot, scale);
}

void jit_v_written(struct jit *j, unsigned n)
{
	jit_v_written_low(j, n, 4);
}

bool jit_v_is_clear(struct jit *j, unsigned n, unsigned scale)
{
	unsigned slot = jit_v_get(j, n) - JIT_V_FIRST;

	return j->vregs.clear[scale > 2] >> slot & 1;
}

void jit_v_store_low(struct jit *j, unsigned scale, unsigned n, unsigned xmm)
{
	unsigned target = jit_v_target(j, n);

	if (target != xmm)
		jit_v_move(j, X86_VMOVAPS, target, x86_r(xmm));
	jit_v_written_low(j, n, scale);
}

void jit_v_store(struct jit *j, unsigned n, unsigned xmm)
{
	jit_v_store_low(j, 4, n, xmm);
}

void jit_v_load(struct jit *j, unsigned xmm, unsigned n)
{
	jit_v_move(j, X86_VMOVAPS, xmm, x86_r(jit_v_get(j, n)));
}

void jit_v_load64(struct jit *j, unsigned xmm, unsigned n, unsigned at)
{
	unsigned reg = jit_v_get(j, n);

	if (at)
		x86_v_shift_bytes(&j->buf, false, xmm, reg, at);
	else
		jit_v_move(j, X86_VMOVQ, xmm, x86_r(reg));
}

unsigned jit_v_part(struct jit *j, unsigned scratch, unsigned n, unsigned at)
{
	unsigned reg = jit_v_get(j, n);

	if (at == 0)
		return reg;
	x86_v_shift_bytes(&j->buf, false, scratch, reg, at);
	return scratch;
}

void jit_v_elem_out(struct jit *j, unsigned reg, unsigned size, unsigned n, unsigned at)
{
	static const uint32_t extract[4] = { X86_VPEXTRB, X86_VPEXTRW, X86_VPEXTRD, X86_VPEXTRD | X86_W };
	unsigned xmm = jit_v_get(j, n);

	if (at == 0 && size >= 2)
		x86_v(&j->buf, X86_VMOVD_OUT | (size == 3 ? X86_W : 0), xmm, 0, x86_r(reg));
	else
		x86_vi(&j->buf, extract[size], xmm, 0, x86_r(reg), at >> size);
}

void jit_v_forget(struct jit *j)
{
	jit_v_flush(j);
	j->vregs.valid = 0;
}

void jit_v_lock(struct jit *j, unsigned n, bool written)
{
	unsigned bit = 1u << (jit_v_get(j, n) - JIT_V_FIRST);

	j->vregs.locked |= (uint8_t)bit;
	if (written)
		j->vregs.dirty |= (uint8_t)bit;
}

void jit_v_match(struct jit *j, const struct jit_vregs *to)
{
	unsigned kept = j->vregs.dirty & to->dirty;

	for (unsigned left = kept; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);
		if (j->vregs.n[i] != to->n[i])
			kept &= ~(1u << i);
	}
	clean(j, ~kept);
	jit_v_restore(j, to);
}

void jit_v_restore(struct jit *j, const struct jit_vregs *to)
{
	const struct jit_vregs *now = &j->vregs;

	for (unsigned left = to->valid; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);
		if (!(now->valid >> i & 1 && now->n[i] == to->n[i]))
			jit_v_move(j, X86_VMOVUPS, JIT_V_FIRST + i, home(to->n[i]));
	}
}
