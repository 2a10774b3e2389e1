/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translators: pointer authentication (FEAT_PAuth). Arm ARM C6.2, D8.10. Where
 * SCTLR_EL1 does not enable the key, a test and a branch that is not taken; else
 * a call of emu/pauth.c out of line. Thread: the vCPU's own.
 */
#include "emu/jit_priv.h"

#include "emu/sys_priv.h"

enum { KEY_IA, KEY_IB, KEY_DA, KEY_DB };

/* In SCTLR_EL1, by key: EnIA, EnIB, EnDA, EnDB. */
static const uint32_t enable_bit[4] = { 1u << 31, 1u << 30, 1u << 27, 1u << 13 };

/* ---- What is called ---- */

#define DEFINE_KEY(name, key) \
	static uint64_t add_##name(struct emu_cpu *cpu, uint64_t ptr, uint64_t modifier) \
	{ \
		return emu_pauth_add(cpu, ptr, modifier, key); \
	} \
	static uint64_t auth_##name(struct emu_cpu *cpu, uint64_t ptr, uint64_t modifier) \
	{ \
		jit_sync_flags(cpu); \
		return emu_pauth_auth(cpu, ptr, modifier, key, false); \
	}
DEFINE_KEY(ia, KEY_IA)
DEFINE_KEY(ib, KEY_IB)
DEFINE_KEY(da, KEY_DA)
DEFINE_KEY(db, KEY_DB)
#undef DEFINE_KEY

static uint64_t combined_ia(struct emu_cpu *cpu, uint64_t ptr, uint64_t modifier)
{
	jit_sync_flags(cpu);
	return emu_pauth_auth(cpu, ptr, modifier, KEY_IA, true);
}

static uint64_t combined_ib(struct emu_cpu *cpu, uint64_t ptr, uint64_t modifier)
{
	jit_sync_flags(cpu);
	return emu_pauth_auth(cpu, ptr, modifier, KEY_IB, true);
}

static uint64_t strip_code(struct emu_cpu *cpu, uint64_t ptr)
{
	return emu_pauth_strip(cpu, ptr, false);
}

static uint64_t strip_data(struct emu_cpu *cpu, uint64_t ptr)
{
	return emu_pauth_strip(cpu, ptr, true);
}

static const void *const add[4] = {
	(const void *)add_ia, (const void *)add_ib, (const void *)add_da, (const void *)add_db,
};
static const void *const auth[4] = {
	(const void *)auth_ia, (const void *)auth_ib, (const void *)auth_da, (const void *)auth_db,
};
static const void *const combined[2] = { (const void *)combined_ia, (const void *)combined_ib };

/* ---- With a key ---- */

/* RAX = the function s->arg of X[s->reg] (31: SP) and the modifier X[s->reg2]. */
static void compute(struct jit *j, const struct jit_slow *s)
{
	jit_before_raise(j, s);
	jit_copy(j, X86_W, X86_RCX, s->reg);
	if (s->reg2 == JIT_NO_MODIFIER)
		x86_mov_imm(&j->buf, X86_RDX, 0);
	else
		jit_copy(j, X86_W, X86_RDX, s->reg2);
	jit_call(j, (const void *)(uintptr_t)s->arg);
}

static void register_piece(struct jit *j, const struct jit_slow *s)
{
	compute(j, s);
	jit_write(j, s->reg, X86_RAX);
	jit_slow_return(j, s);
}

static void rax_piece(struct jit *j, const struct jit_slow *s)
{
	compute(j, s);
	jit_slow_return(j, s);
}

static void if_enabled(struct jit *j, unsigned key, const void *fn, unsigned n, unsigned modifier,
		       void (*piece)(struct jit *j, const struct jit_slow *s))
{
	struct jit_slow *s = jit_slow_add(j, piece);

	s->arg = (uint64_t)(uintptr_t)fn;
	s->reg = (uint8_t)n;
	s->reg2 = (uint8_t)modifier;
	x86_test_imm(&j->buf, 0, JIT_CPU(sys[EMU_SR_SCTLR_EL1]), (int32_t)enable_bit[key]);
	s->branch[0] = x86_jcc(&j->buf, X86_NE);
	jit_slow_resume(j, s);
}

static void add_code(struct jit *j, unsigned key, unsigned d, unsigned modifier)
{
	if (d != 31)
		if_enabled(j, key, add[key], d, modifier, register_piece);
}

/* The zero register may be authenticated, and fault. */
static void authenticate(struct jit *j, unsigned key, unsigned d, unsigned modifier)
{
	if (d != 31)
		if_enabled(j, key, auth[key], d, modifier, register_piece);
	else
		jit_fallback(j);
}

void jit_authenticate_rax(struct jit *j, unsigned key, unsigned n, unsigned modifier)
{
	jit_copy(j, X86_W, X86_RAX, n);
	if_enabled(j, key, combined[key], n, modifier, rax_piece);
}

JIT_INSN(PAC)
{
	add_code(j, a->key, a->Rd, a->Rn);
}

JIT_INSN(PACZ)
{
	add_code(j, a->key, a->Rd, JIT_NO_MODIFIER);
}

JIT_INSN(AUT)
{
	authenticate(j, a->key, a->Rd, a->Rn);
}

JIT_INSN(AUTZ)
{
	authenticate(j, a->key, a->Rd, JIT_NO_MODIFIER);
}

/* ---- Without ---- */

static void strip(struct jit *j, unsigned d, const void *fn)
{
	if (d == 31)
		return;
	jit_copy(j, X86_W, X86_RCX, d);
	jit_call(j, fn);
	jit_write(j, d, X86_RAX);
}

JIT_INSN(XPACI)
{
	strip(j, a->Rd, (const void *)strip_code);
}

JIT_INSN(XPACD)
{
	strip(j, a->Rd, (const void *)strip_data);
}

JIT_INSN(PACGA)
{
	if (a->Rd == 31)
		return;
	jit_copy_z(j, X86_W, X86_RCX, a->Rn);
	jit_copy(j, X86_W, X86_RDX, a->Rm);
	jit_call(j, (const void *)emu_pauth_generic);
	jit_write(j, a->Rd, X86_RAX);
}

/* ---- Hints: X30 with SP or zero, X17 with X16 ---- */

enum { XPACLRI = 7 };
static const struct pauth_hint {
	uint8_t hint;     /* CRm:op2 */
	bool is_auth;
	uint8_t key, d, modifier;
} pauth_hints[] = {
	{ 8, false, KEY_IA, 17, 16 },
	{ 10, false, KEY_IB, 17, 16 },
	{ 12, true, KEY_IA, 17, 16 },
	{ 14, true, KEY_IB, 17, 16 },
	{ 24, false, KEY_IA, 30, JIT_NO_MODIFIER },
	{ 25, false, KEY_IA, 30, 31 },
	{ 26, false, KEY_IB, 30, JIT_NO_MODIFIER },
	{ 27, false, KEY_IB, 30, 31 },
	{ 28, true, KEY_IA, 30, JIT_NO_MODIFIER },
	{ 29, true, KEY_IA, 30, 31 },
	{ 30, true, KEY_IB, 30, JIT_NO_MODIFIER },
	{ 31, true, KEY_IB, 30, 31 },
};

static const struct pauth_hint *find_hint(unsigned hint)
{
	for (unsigned i = 0; i < sizeof(pauth_hints) / sizeof(pauth_hints[0]); i++)
		if (pauth_hints[i].hint == hint)
			return &pauth_hints[i];
	return NULL;
}

int jit_pauth_hint_props(unsigned hint)
{
	const struct pauth_hint *h = find_hint(hint);

	return hint == XPACLRI ? 0 : !h ? -1 : h->is_auth ? JIT_RAISES : 0;
}

void jit_pauth_hint(struct jit *j, unsigned hint)
{
	const struct pauth_hint *h = find_hint(hint);

	if (hint == XPACLRI)
		strip(j, 30, (const void *)strip_code);
	else if (h && h->is_auth)
		authenticate(j, h->key, h->d, h->modifier);
	else if (h)
		add_code(j, h->key, h->d, h->modifier);
}
