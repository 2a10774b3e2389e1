/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hints, barriers, PSTATE and system register moves, and pointer
 * authentication: Arm ARM C4.1 and C6.2, system instructions in C5.
 *
 * The host is x86-64 (TSO): of the guest's barriers only those that order a
 * store before a later load need an instruction.
 */
#include "emu/interp_priv.h"

#include "emu/code_priv.h"
#include "emu/sys_priv.h"

#include <sched.h>

/* ---- Hints ---- */

enum { KEY_IA, KEY_IB, KEY_DA, KEY_DB };

static void hint_yield(struct emu_cpu *cpu)
{
	sched_yield();
}

static void hint_wfe(struct emu_cpu *cpu)
{
	emu_wfe(cpu, UINT64_MAX);
}

static void hint_wfi(struct emu_cpu *cpu)
{
	emu_wfi(cpu, UINT64_MAX);
}

/* Pointer authentication in the hint space: X30 with SP or zero, X17 with X16. */
static void hint_xpaclri(struct emu_cpu *cpu)
{
	cpu->x[30] = emu_pauth_strip(cpu, cpu->x[30], false);
}

static void hint_pacia1716(struct emu_cpu *cpu)
{
	cpu->x[17] = emu_pauth_add(cpu, cpu->x[17], cpu->x[16], KEY_IA);
}

static void hint_pacib1716(struct emu_cpu *cpu)
{
	cpu->x[17] = emu_pauth_add(cpu, cpu->x[17], cpu->x[16], KEY_IB);
}

static void hint_autia1716(struct emu_cpu *cpu)
{
	cpu->x[17] = emu_pauth_auth(cpu, cpu->x[17], cpu->x[16], KEY_IA, false);
}

static void hint_autib1716(struct emu_cpu *cpu)
{
	cpu->x[17] = emu_pauth_auth(cpu, cpu->x[17], cpu->x[16], KEY_IB, false);
}

static void hint_paciaz(struct emu_cpu *cpu)
{
	cpu->x[30] = emu_pauth_add(cpu, cpu->x[30], 0, KEY_IA);
}

static void hint_paciasp(struct emu_cpu *cpu)
{
	cpu->x[30] = emu_pauth_add(cpu, cpu->x[30], cpu->x[31], KEY_IA);
}

static void hint_pacibz(struct emu_cpu *cpu)
{
	cpu->x[30] = emu_pauth_add(cpu, cpu->x[30], 0, KEY_IB);
}

static void hint_pacibsp(struct emu_cpu *cpu)
{
	cpu->x[30] = emu_pauth_add(cpu, cpu->x[30], cpu->x[31], KEY_IB);
}

static void hint_autiaz(struct emu_cpu *cpu)
{
	cpu->x[30] = emu_pauth_auth(cpu, cpu->x[30], 0, KEY_IA, false);
}

static void hint_autiasp(struct emu_cpu *cpu)
{
	cpu->x[30] = emu_pauth_auth(cpu, cpu->x[30], cpu->x[31], KEY_IA, false);
}

static void hint_autibz(struct emu_cpu *cpu)
{
	cpu->x[30] = emu_pauth_auth(cpu, cpu->x[30], 0, KEY_IB, false);
}

static void hint_autibsp(struct emu_cpu *cpu)
{
	cpu->x[30] = emu_pauth_auth(cpu, cpu->x[30], cpu->x[31], KEY_IB, false);
}

/* By CRm:op2. The others, allocated or not, do nothing: BTI acts when it is
 * fetched, CSDB, ESB, PSB, TSB and DGH have nothing to do here. */
static const struct {
	void (*fn)(struct emu_cpu *cpu);
	bool pauth; /* NOP without FEAT_PAuth */
} hints[128] = {
	[1] = {hint_yield, false},
	[2] = {hint_wfe, false},
	[3] = {hint_wfi, false},
	[4] = {emu_sev, false},
	[5] = {emu_sevl, false},
	[7] = {hint_xpaclri, true},
	[8] = {hint_pacia1716, true},
	[10] = {hint_pacib1716, true},
	[12] = {hint_autia1716, true},
	[14] = {hint_autib1716, true},
	[24] = {hint_paciaz, true},
	[25] = {hint_paciasp, true},
	[26] = {hint_pacibz, true},
	[27] = {hint_pacibsp, true},
	[28] = {hint_autiaz, true},
	[29] = {hint_autiasp, true},
	[30] = {hint_autibz, true},
	[31] = {hint_autibsp, true},
};

INTERP(HINT)
{
	unsigned n = (unsigned)a->CRm << 3 | a->op2;

	if (hints[n].fn && (!hints[n].pauth || cpu->code->has_pauth))
		hints[n].fn(cpu);
}

INTERP(WFET)
{
	emu_wfe(cpu, interp_x(cpu, a->Rt));
}

INTERP(WFIT)
{
	emu_wfi(cpu, interp_x(cpu, a->Rt));
}

/* ---- Barriers ---- */

INTERP(CLREX)
{
	cpu->excl_size = 0;
}

INTERP(DMB)
{
	/* CRm<1:0>: 01 loads, 10 stores; else all */
	if ((a->CRm & 3) == 1 || (a->CRm & 3) == 2)
		atomic_signal_fence(memory_order_seq_cst);
	else
		atomic_thread_fence(memory_order_seq_cst);
}

INTERP(DSB)
{
	atomic_thread_fence(memory_order_seq_cst);
	emu_dsb(cpu);
}

INTERP(ISB)
{
	emu_isb(cpu);
	cpu->code->resync = true;
	cpu->code->cur_tag = 0;
	cpu->next_pc = ~0ull; /* out of the straight run; the loop goes on after the ISB */
}

INTERP(SB)
{
}

/* ---- PSTATE and system registers ---- */

static void cfinv(struct emu_cpu *cpu)
{
	cpu->nzcv ^= EMU_C;
}

/* From the format of FCMP to the alternative one (N, Z, C, V of equal, less,
 * greater, unordered), and back. */
static void axflag(struct emu_cpu *cpu)
{
	uint32_t old = cpu->nzcv;

	cpu->nzcv = (old & (EMU_Z | EMU_V) ? EMU_Z : 0) | (old & EMU_C && !(old & EMU_V) ? EMU_C : 0);
}

static void xaflag(struct emu_cpu *cpu)
{
	bool z = cpu->nzcv & EMU_Z, c = cpu->nzcv & EMU_C;

	cpu->nzcv = (!c && !z ? EMU_N : 0) | (z && c ? EMU_Z : 0) | (c || z ? EMU_C : 0) | (!c && z ? EMU_V : 0);
}

INTERP(MSR_imm)
{
	static const struct {
		void (*fn)(struct emu_cpu *cpu);
		enum emu_feature feature;
	} flags[3] = {
		{cfinv, EMU_FEAT_FlagM},
		{xaflag, EMU_FEAT_FlagM2},
		{axflag, EMU_FEAT_FlagM2},
	};

	if (a->op1 != 0 || a->op2 >= 3)
		emu_msr_imm(cpu, a->op1, a->op2, a->CRm);
	else if (emu_has(cpu, flags[a->op2].feature))
		flags[a->op2].fn(cpu);
	else
		emu_raise_undefined(cpu);
}

INTERP(SYS)
{
	emu_sys_insn(cpu, EMU_SYSREG(1, a->op1, a->CRn, a->CRm, a->op2), a->Rt, interp_x(cpu, a->Rt));
}

INTERP(SYSL)
{
	interp_set_x(cpu, a->Rt, emu_sysreg_read(cpu, EMU_SYSREG(1, a->op1, a->CRn, a->CRm, a->op2), a->Rt));
}

INTERP(MSR_reg)
{
	emu_sysreg_write(cpu, EMU_SYSREG(2 + a->o0, a->op1, a->CRn, a->CRm, a->op2), a->Rt, interp_x(cpu, a->Rt));
}

INTERP(MRS)
{
	interp_set_x(cpu, a->Rt, emu_sysreg_read(cpu, EMU_SYSREG(2 + a->o0, a->op1, a->CRn, a->CRm, a->op2), a->Rt));
}

/* ---- Pointer authentication ---- */

INTERP(PAC)
{
	interp_set_x(cpu, a->Rd, emu_pauth_add(cpu, interp_x(cpu, a->Rd), interp_xsp(cpu, a->Rn), a->key));
}

INTERP(PACZ)
{
	interp_set_x(cpu, a->Rd, emu_pauth_add(cpu, interp_x(cpu, a->Rd), 0, a->key));
}

INTERP(AUT)
{
	interp_set_x(cpu, a->Rd, emu_pauth_auth(cpu, interp_x(cpu, a->Rd), interp_xsp(cpu, a->Rn), a->key, false));
}

INTERP(AUTZ)
{
	interp_set_x(cpu, a->Rd, emu_pauth_auth(cpu, interp_x(cpu, a->Rd), 0, a->key, false));
}

INTERP(XPACI)
{
	interp_set_x(cpu, a->Rd, emu_pauth_strip(cpu, interp_x(cpu, a->Rd), false));
}

INTERP(XPACD)
{
	interp_set_x(cpu, a->Rd, emu_pauth_strip(cpu, interp_x(cpu, a->Rd), true));
}

INTERP(PACGA)
{
	interp_set_x(cpu, a->Rd, emu_pauth_generic(cpu, interp_x(cpu, a->Rn), interp_xsp(cpu, a->Rm)));
}
