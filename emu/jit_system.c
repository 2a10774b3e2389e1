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

/* ---- System registers that are plain storage ---- */

struct plain_register {
	uint32_t enc;
	uint32_t offset;     /* in struct emu_cpu */
	bool el0, write;     /* accessible from EL0; may be written without more ado */
};

#define SYS(name, op1, crn, crm, op2, el0, write) \
	{ EMU_SYSREG(3, op1, crn, crm, op2), offsetof(struct emu_cpu, sys) + 8 * EMU_SR_##name, el0, write }
static const struct plain_register plain_registers[] = {
	SYS(TPIDR_EL0, 3, 13, 0, 2, true, true),
	SYS(TPIDRRO_EL0, 3, 13, 0, 3, true, false),
	SYS(TPIDR_EL1, 0, 13, 0, 4, false, true),
	SYS(ELR_EL1, 0, 4, 0, 1, false, true),
	SYS(SPSR_EL1, 0, 4, 0, 0, false, false),
	SYS(ESR_EL1, 0, 5, 2, 0, false, false),
	SYS(FAR_EL1, 0, 6, 0, 0, false, false),
	SYS(TTBR0_EL1, 0, 2, 0, 0, false, false),
	SYS(TTBR1_EL1, 0, 2, 0, 1, false, false),
	SYS(SCTLR_EL1, 0, 1, 0, 0, false, false),
	/* while it is not the current SP */
	{ EMU_SYSREG(3, 0, 4, 1, 0), offsetof(struct emu_cpu, sp_el[0]), false, true },
};
#undef SYS

static const struct plain_register *plain_register(const struct jit *j, const struct a64_args_MRS *a)
{
	uint32_t enc = EMU_SYSREG(2 + a->o0, a->op1, a->CRn, a->CRm, a->op2);

	for (unsigned i = 0; i < sizeof(plain_registers) / sizeof(plain_registers[0]); i++) {
		const struct plain_register *r = &plain_registers[i];
		if (r->enc != enc)
			continue;
		if ((j->block_flags & JIT_FLAG_EL0) && !r->el0)
			return NULL;
		if (r->offset == offsetof(struct emu_cpu, sp_el[0]) && !(j->block_flags & JIT_FLAG_SPSEL))
			return NULL;
		return r;
	}
	return NULL;
}

bool jit_mrs_is_native(const struct jit *j, const struct a64_args_MRS *a)
{
	return plain_register(j, a);
}

bool jit_msr_is_native(const struct jit *j, const struct a64_args_MSR_reg *a)
{
	const struct plain_register *r = plain_register(j, (const void *)a);
	return r && r->write;
}

JIT_INSN(MRS)
{
	const struct plain_register *r = plain_register(j, a);

	if (a->Rt == 31)
		return;
	unsigned reg = jit_target(j, a->Rt, X86_RAX);
	x86_load(&j->buf, X86_W, reg, x86_m(X86_RBP, (int32_t)r->offset - JIT_BIAS));
	jit_write(j, a->Rt, reg);
}

JIT_INSN(MSR_reg)
{
	const struct plain_register *r = plain_register(j, (const void *)a);
	unsigned reg = jit_read_z(j, a->Rt, X86_RAX);

	x86_store(&j->buf, X86_W, x86_m(X86_RBP, (int32_t)r->offset - JIT_BIAS), reg);
}
