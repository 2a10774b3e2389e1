/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translators: hints, barriers, and moves from system registers that need no
 * check. Arm ARM C6.2. The host's memory order is stronger than the guest's: of
 * the barriers only those that order a store before a later load cost anything.
 */
#include "emu/jit_priv.h"

#include "emu/code_priv.h"

/* NOP, BTI, and whatever else does nothing in emu/interp_system.c; the pointer
 * authentication hints are NOPs without FEAT_PAuth. */
bool jit_hint_is_native(const struct jit *j, const struct a64_args_HINT *a)
{
	unsigned n = (unsigned)a->CRm << 3 | a->op2;

	if (n >= 1 && n <= 5)
		return false;
	if (n == 7 || n == 8 || n == 10 || n == 12 || n == 14 || (n >= 24 && n <= 31))
		return !j->cpu->code->has_pauth;
	return true;
}

JIT_INSN(HINT)
{
}

JIT_INSN(CLREX)
{
	x86_op(&j->buf, 0xc6, 0, JIT_CPU(excl_size));
	x86_u8(&j->buf, 0);
}

JIT_INSN(DMB)
{
	/* CRm<1:0>: 01 loads, 10 stores; else all */
	if ((a->CRm & 3) == 1 || (a->CRm & 3) == 2)
		return;
	x86_op(&j->buf, 0x83 | X86_LOCK, X86_OR, x86_m(X86_RSP, 0));
	x86_u8(&j->buf, 0);
}

JIT_INSN(SB)
{
}
