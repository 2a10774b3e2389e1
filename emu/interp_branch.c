/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Branches and exception generation: Arm ARM C4.1, instructions in C6.2, and
 * PSTATE.BTYPE as BranchTo and the branch target rules (D8.4) have it.
 */
#include "emu/interp_priv.h"

#include "emu/alu_priv.h"
#include "emu/code_priv.h"
#include "emu/sys_priv.h"

static inline void branch(struct emu_cpu *cpu, int32_t offset)
{
	cpu->next_pc = cpu->pc + (uint64_t)offset * 4;
}

INTERP(B)
{
	branch(cpu, a->imm26);
}

INTERP(BL)
{
	cpu->x[30] = cpu->pc + 4;
	branch(cpu, a->imm26);
}

INTERP(B_cond)
{
	if (alu_condition(cpu->nzcv, a->cond))
		branch(cpu, a->imm19);
}

INTERP(CBZ_w)
{
	if (interp_w(cpu, a->Rt) == 0)
		branch(cpu, a->imm19);
}

INTERP(CBZ_x)
{
	if (interp_x(cpu, a->Rt) == 0)
		branch(cpu, a->imm19);
}

INTERP(CBNZ_w)
{
	if (interp_w(cpu, a->Rt) != 0)
		branch(cpu, a->imm19);
}

INTERP(CBNZ_x)
{
	if (interp_x(cpu, a->Rt) != 0)
		branch(cpu, a->imm19);
}

INTERP(TBZ)
{
	if (!(interp_x(cpu, a->Rt) >> a->bit & 1))
		branch(cpu, a->imm14);
}

INTERP(TBNZ)
{
	if (interp_x(cpu, a->Rt) >> a->bit & 1)
		branch(cpu, a->imm14);
}

/* ---- To a register ---- */

/* After a branch that changes more than the PC: the straight run ends, even
 * where it goes on to the very next instruction. */
static inline void end_run(struct emu_cpu *cpu)
{
	cpu->code->cur_tag = 0;
	if (cpu->next_pc == cpu->pc + 4) {
		cpu->code->resync = true;
		cpu->next_pc = ~0ull;
	}
}

static inline void set_btype(struct emu_cpu *cpu, uint8_t btype)
{
	cpu->pstate.btype = INTERP_BTYPE_NEW | btype;
	end_run(cpu);
}

/* BranchAddr(): drops the target's tag where tags are ignored, which only an
 * address that has one can show. */
static inline uint64_t branch_address(const struct emu_cpu *cpu, uint64_t target)
{
	if ((int64_t)(target << 8) >> 8 != (int64_t)target)
		return emu_branch_address(cpu, target);
	return target;
}

/* BR and its kin: BTYPE is 01 where the target may be a BTI c (a branch by X16
 * or X17, or from a page that is not guarded), else 11. */
static inline void jump(struct emu_cpu *cpu, uint64_t target, unsigned n)
{
	cpu->next_pc = branch_address(cpu, target);
	if (cpu->code->has_bti)
		set_btype(cpu, cpu->code->guarded && n != 16 && n != 17 ? 3 : 1);
}

static inline void call(struct emu_cpu *cpu, uint64_t target)
{
	cpu->x[30] = cpu->pc + 4;
	cpu->next_pc = branch_address(cpu, target);
	if (cpu->code->has_bti)
		set_btype(cpu, 2);
}

/* Keys A and B for instructions, by the M field. */
static inline uint64_t authenticate(struct emu_cpu *cpu, uint64_t ptr, uint64_t modifier, unsigned key)
{
	return emu_pauth_auth(cpu, ptr, modifier, key, true);
}

INTERP(BR)
{
	jump(cpu, interp_x(cpu, a->Rn), a->Rn);
}

INTERP(BRAZ)
{
	jump(cpu, authenticate(cpu, interp_x(cpu, a->Rn), 0, a->M), a->Rn);
}

INTERP(BRA)
{
	jump(cpu, authenticate(cpu, interp_x(cpu, a->Rn), interp_xsp(cpu, a->Rm), a->M), a->Rn);
}

INTERP(BLR)
{
	call(cpu, interp_x(cpu, a->Rn));
}

INTERP(BLRAZ)
{
	call(cpu, authenticate(cpu, interp_x(cpu, a->Rn), 0, a->M));
}

INTERP(BLRA)
{
	call(cpu, authenticate(cpu, interp_x(cpu, a->Rn), interp_xsp(cpu, a->Rm), a->M));
}

INTERP(RET)
{
	cpu->next_pc = branch_address(cpu, interp_x(cpu, a->Rn));
}

INTERP(RETA)
{
	cpu->next_pc = branch_address(cpu, authenticate(cpu, cpu->x[30], cpu->x[31], a->M));
}

/* ---- Exceptions ---- */

INTERP(SVC)
{
	emu_svc(cpu, a->imm16);
}

INTERP(HVC)
{
	emu_hvc(cpu, a->imm16);
}

INTERP(SMC)
{
	emu_smc(cpu, a->imm16);
}

INTERP(BRK)
{
	emu_brk(cpu, a->imm16);
}

INTERP(HLT)
{
	emu_hlt(cpu, a->imm16);
}

/* The BTYPE that an exception return restores applies to its target. */
static void exception_return(struct emu_cpu *cpu, uint64_t target)
{
	emu_eret(cpu, target);
	if (cpu->pstate.btype)
		cpu->pstate.btype |= INTERP_BTYPE_NEW;
	end_run(cpu);
}

INTERP(ERET)
{
	exception_return(cpu, cpu->sys[EMU_SR_ELR_EL1]);
}

INTERP(ERETA)
{
	if (cpu->pstate.el == 0)
		emu_raise_undefined(cpu);
	exception_return(cpu, authenticate(cpu, cpu->sys[EMU_SR_ELR_EL1], cpu->x[31], a->M));
}
