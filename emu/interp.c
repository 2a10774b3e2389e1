/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interpreter's loop.
 *
 * An instruction's function finds its own address in cpu->pc and the next one's
 * in cpu->next_pc, which a branch changes. While next_pc is what it was, the
 * loop walks along the page's entries. Any change ends the straight run: there
 * the loop looks whether it has to stop (cpu->attention), and finds the target's
 * entry, in the same page directly. So a stop waits for a taken branch, an ISB
 * or the end of a page, never for longer.
 *
 * Exceptions jump out of the instruction to cpu->unwind, with the state already
 * that of the handler's first instruction.
 *
 * PSTATE.BTYPE is not 0 only between a branch to a register and its target, so
 * the target is executed apart: checked if its page is guarded, and with BTYPE
 * cleared behind it (Arm ARM D8.4); unless it is a landing pad.
 */
#include "emu/interp_priv.h"
#include "emu/code_priv.h"
#include "emu/sys_priv.h"

/* Whether the instruction is a hint made to be the target of a branch with this BTYPE. */
static bool is_landing_pad(const struct emu_cpu *cpu, uint32_t insn, unsigned btype)
{
	switch (insn) {
	case 0xd503245f: /* BTI c */
		return btype != 3;
	case 0xd503249f: /* BTI j */
		return btype != 2;
	case 0xd50324df: /* BTI jc */
		return true;
	case 0xd503233f: /* PACIASP */
	case 0xd503237f: /* PACIBSP; SCTLR_EL1.BT0 is bit 35, BT1 bit 36 */
		return btype != 3 || !(cpu->sys[EMU_SR_SCTLR_EL1] >> (cpu->pstate.el == 0 ? 35 : 36) & 1);
	default:
		return false;
	}
}

/* Where execution goes on after an instruction that changed cpu->next_pc. */
static inline uint64_t take_next_pc(struct emu_cpu *cpu)
{
	if (cpu->code->resync) {
		cpu->code->resync = false;
		return cpu->pc + 4;
	}
	return cpu->next_pc;
}

static bool is_breakpoint(uint32_t insn)
{
	return (insn & 0xffe0001f) == 0xd4200000 || (insn & 0xffe0001f) == 0xd4400000; /* BRK, HLT */
}

bool emu_interp_may_be_target(const struct emu_cpu *cpu, uint32_t insn, unsigned btype)
{
	return is_breakpoint(insn) || is_landing_pad(cpu, insn, btype);
}

/* Raises the Branch Target exception if the instruction just found must not be
 * the target of the branch that set PSTATE.BTYPE. */
static void check_branch_target(struct emu_cpu *cpu)
{
	uint32_t insn = emu_code_word(cpu);

	if (cpu->code->guarded && !emu_interp_may_be_target(cpu, insn, cpu->pstate.btype))
		emu_raise(cpu, 0x0d, cpu->pstate.btype, 0);
}

void emu_interp_one(struct emu_cpu *cpu)
{
	struct code_insn *insn = emu_code_find(cpu, cpu->pc);

	if (cpu->pstate.btype)
		check_branch_target(cpu);
	cpu->next_pc = cpu->pc + 4;
	insn->exec(cpu, &insn->args);
	emu_count_retired(cpu, 1);
	if (cpu->pstate.btype & INTERP_BTYPE_NEW)
		cpu->pstate.btype &= 3;
	else
		cpu->pstate.btype = 0;
	cpu->pc = take_next_pc(cpu);
}

static inline bool wants_attention(struct emu_cpu *cpu)
{
	return atomic_load_explicit(&cpu->attention, memory_order_acquire);
}

/* From cpu->pc until attention is wanted. Not inline: setjmp would keep its
 * variables out of registers. */
static __attribute__((noinline)) void run(struct emu_cpu *cpu)
{
	const struct emu_code *code = cpu->code;

	while (!wants_attention(cpu)) {
		uint64_t pc = cpu->pc;
		const struct code_insn *insn = emu_code_find(cpu, pc);
		if (cpu->pstate.btype) {
			/* A landing pad clears BTYPE and cannot fault, so nothing sees the difference. */
			if (!is_landing_pad(cpu, emu_code_word(cpu), cpu->pstate.btype)) {
				emu_interp_one(cpu);
				continue;
			}
			cpu->pstate.btype = 0;
		}
		for (;;) {
			cpu->pc = pc;
			pc += 4;
			cpu->next_pc = pc;
			insn->exec(cpu, &insn->args);
			emu_count_retired(cpu, 1);
			if (__builtin_expect(cpu->next_pc == pc, true)) {
				insn++;
				continue;
			}
			pc = cpu->next_pc;
			if (code_cur_tag(pc) != code->cur_tag || wants_attention(cpu))
				break;
			insn = &code->cur_page->insns[pc / 4 % CODE_PAGE_INSNS];
		}
		cpu->pc = take_next_pc(cpu);
		cpu->pstate.btype &= 3;
	}
}

void emu_interp_run(struct emu_cpu *cpu)
{
	setjmp(cpu->unwind);
	run(cpu);
}

void emu_interp_step(struct emu_cpu *cpu)
{
	if (!setjmp(cpu->unwind))
		emu_interp_one(cpu);
}
