/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interpreter as a machine of its own for one case at a time: a struct
 * emu_cpu at EL0 with every feature, the code page and the memory block at
 * their fixed addresses, and nothing else mapped. What the instruction
 * functions ask of the system side (emu/cpu_priv.h, emu/access_priv.h,
 * emu/sys_priv.h) is answered here, so the tester depends on no other part of
 * the emulator: exceptions end the case.
 */
#include "tests/risu/risu_host.h"

#include "emu/code_priv.h"
#include "emu/interp_priv.h"
#include "emu/sys_priv.h"

#include <stdlib.h>
#include <string.h>

struct risu_machine {
	struct emu_cpu cpu; /* first: the services below get at the rest by it */
	struct emu_code codes; /* only what instructions look at: no pages */
	struct emu_tlb_entry view[EMU_TLB_SIZE]; /* holds nothing: every access takes the miss path */
	uint8_t code[RISU_CODE_SIZE];
	uint8_t mem[RISU_MEM_SIZE];
	uint64_t fault;
	enum risu_outcome outcome;
};

struct risu_machine *risu_machine_new(void)
{
	struct risu_machine *m = aligned_alloc(64, (sizeof(*m) + 63) & ~(size_t)63);

	if (!m)
		abort();
	memset(m, 0, sizeof(*m));
	return m;
}

void risu_machine_free(struct risu_machine *m)
{
	free(m);
}

static struct risu_machine *machine_of(struct emu_cpu *cpu)
{
	return (struct risu_machine *)(void *)cpu;
}

static void execute(struct risu_machine *m, uint64_t end)
{
	struct emu_cpu *cpu = &m->cpu;

	m->outcome = RISU_END;
	if (setjmp(cpu->unwind) != 0)
		return;
	while (cpu->pc >= RISU_ENTRY && cpu->pc < end) {
		union a64_args args;
		enum a64_op op;
		uint32_t insn;

		memcpy(&insn, &m->code[cpu->pc - RISU_CODE], 4);
		if (!a64_decode(insn, &op, &args))
			emu_raise_undefined(cpu);
		cpu->next_pc = cpu->pc + 4;
		a64_exec[op](cpu, &args);
		cpu->pc = m->codes.resync ? cpu->pc + 4 : cpu->next_pc;
		m->codes.resync = false;
	}
}

void risu_machine_run(struct risu_machine *m, const struct risu_case *c, struct risu_result *ret_result,
		      uint64_t *ret_fault)
{
	struct emu_cpu *cpu = &m->cpu;
	struct risu_state *out = &ret_result->state;

	memset(m, 0, sizeof(*m));
	m->cpu.code = &m->codes;
	m->codes.has_pauth = true;
	memcpy(&m->code[RISU_ENTRY - RISU_CODE], c->insns, 4 * c->n_insns);
	memcpy(m->mem, c->mem, sizeof(m->mem));
	memcpy(cpu->x, c->state.x, sizeof(c->state.x));
	memcpy(cpu->v, c->state.v, sizeof(c->state.v));
	cpu->x[31] = c->state.sp;
	for (unsigned i = 0; i < 2; i++)
		cpu->view[i] = cpu->view_unpriv[i] = m->view;
	cpu->pc = RISU_ENTRY;
	cpu->nzcv = c->state.nzcv;
	cpu->fpcr = c->state.fpcr;
	cpu->fpsr = c->state.fpsr;

	execute(m, RISU_ENTRY + 4 * c->n_insns);

	memset(ret_result, 0, sizeof(*ret_result));
	ret_result->outcome = m->outcome;
	memcpy(out->x, cpu->x, sizeof(out->x));
	memcpy(out->v, cpu->v, sizeof(out->v));
	out->sp = cpu->x[31];
	out->pc = cpu->pc;
	out->nzcv = cpu->nzcv;
	out->fpcr = cpu->fpcr;
	out->fpsr = cpu->fpsr;
	memcpy(ret_result->mem, m->mem, sizeof(m->mem));
	*ret_fault = m->fault;
}

/* ---- exceptions ---- */

static _Noreturn void end_case(struct emu_cpu *cpu, enum risu_outcome outcome)
{
	machine_of(cpu)->outcome = outcome;
	longjmp(cpu->unwind, 1);
}

_Noreturn void emu_raise_undefined(struct emu_cpu *cpu)
{
	end_case(cpu, RISU_UNDEFINED);
}

_Noreturn void emu_raise(struct emu_cpu *cpu, unsigned ec, uint32_t iss, unsigned flags)
{
	end_case(cpu, RISU_TRAP);
}

_Noreturn void emu_raise_fp_trap(struct emu_cpu *cpu)
{
	end_case(cpu, RISU_TRAP);
}

_Noreturn void emu_raise_sp_alignment(struct emu_cpu *cpu)
{
	end_case(cpu, RISU_FAULT);
}

bool emu_has(const struct emu_cpu *cpu, enum emu_feature feature)
{
	return feature != EMU_FEAT_PACIMP; /* one algorithm for pointer authentication */
}

/* ---- memory ---- */

static void *locate(struct emu_cpu *cpu, uint64_t va, unsigned size, bool aligned)
{
	struct risu_machine *m = machine_of(cpu);
	uint64_t addr = va & 0x00FFFFFFFFFFFFFF; /* Linux has TBI on for EL0 */

	if (addr - RISU_MEM < RISU_MEM_SIZE && addr + size <= RISU_MEM + RISU_MEM_SIZE) {
		if (!aligned || addr % size == 0)
			return &m->mem[addr - RISU_MEM];
	} else if (addr - RISU_CODE < RISU_CODE_SIZE && addr + size <= RISU_CODE + RISU_CODE_SIZE) {
		if (!aligned || addr % size == 0)
			return &m->code[addr - RISU_CODE];
	}
	m->fault = va;
	end_case(cpu, RISU_FAULT);
}

/* FEAT_LSE2: ordered and atomic accesses may be misaligned within 16 bytes. */
static bool needs_alignment(uint64_t va, unsigned size, unsigned acc)
{
	if (acc & EMU_ACC_ALIGNED)
		return true;
	return (acc & (EMU_ACC_ORDERED | EMU_ACC_ATOMIC)) && va % 16 + size > 16;
}

uint64_t emu_load_slow(struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned acc)
{
	uint64_t val = 0;

	memcpy(&val, locate(cpu, va, size, needs_alignment(va, size, acc)), size);
	return val;
}

void emu_store_slow(struct emu_cpu *cpu, uint64_t va, unsigned size, uint64_t val, unsigned acc)
{
	memcpy(locate(cpu, va, size, needs_alignment(va, size, acc)), &val, size);
}

void emu_load128_slow(struct emu_cpu *cpu, uint64_t va, unsigned esize, uint64_t ret_val[2], unsigned acc)
{
	memcpy(ret_val, locate(cpu, va, 16, needs_alignment(va, 16, acc)), 16);
}

void emu_store128_slow(struct emu_cpu *cpu, uint64_t va, unsigned esize, const uint64_t val[2], unsigned acc)
{
	memcpy(locate(cpu, va, 16, needs_alignment(va, 16, acc)), val, 16);
}

void *emu_atomic_ptr_slow(struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned acc, uint64_t *ret_pa)
{
	void *p = locate(cpu, va, size, needs_alignment(va, size, acc | EMU_ACC_ATOMIC));

	if (ret_pa)
		*ret_pa = va & 0x00FFFFFFFFFFFFFF;
	return p;
}

const void *emu_exclusive_load_ptr_slow(struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned acc,
					uint64_t *ret_pa)
{
	return emu_atomic_ptr_slow(cpu, va, size, acc, ret_pa);
}

void emu_probe_write(struct emu_cpu *cpu, uint64_t va, unsigned len, unsigned acc)
{
	locate(cpu, va, len, false);
}

/* ---- what only leaves for the operating system: tables.c skips it all ---- */

uint64_t emu_sysreg_read(struct emu_cpu *cpu, uint32_t enc, unsigned rt)
{
	end_case(cpu, RISU_TRAP);
}

void emu_sysreg_write(struct emu_cpu *cpu, uint32_t enc, unsigned rt, uint64_t val)
{
	end_case(cpu, RISU_TRAP);
}

void emu_sys_insn(struct emu_cpu *cpu, uint32_t enc, unsigned rt, uint64_t val)
{
	end_case(cpu, RISU_TRAP);
}

void emu_msr_imm(struct emu_cpu *cpu, unsigned op1, unsigned op2, unsigned imm)
{
	end_case(cpu, RISU_TRAP);
}

_Noreturn void emu_svc(struct emu_cpu *cpu, unsigned imm16)
{
	end_case(cpu, RISU_TRAP);
}

void emu_hvc(struct emu_cpu *cpu, unsigned imm16)
{
	end_case(cpu, RISU_TRAP);
}

void emu_smc(struct emu_cpu *cpu, unsigned imm16)
{
	end_case(cpu, RISU_TRAP);
}

_Noreturn void emu_brk(struct emu_cpu *cpu, unsigned imm16)
{
	end_case(cpu, RISU_TRAP);
}

void emu_hlt(struct emu_cpu *cpu, unsigned imm16)
{
	end_case(cpu, RISU_TRAP);
}

void emu_eret(struct emu_cpu *cpu, uint64_t target)
{
	end_case(cpu, RISU_TRAP);
}

void emu_wfi(struct emu_cpu *cpu, uint64_t deadline)
{
}

void emu_wfe(struct emu_cpu *cpu, uint64_t deadline)
{
}

void emu_sev(struct emu_cpu *cpu)
{
}

void emu_sevl(struct emu_cpu *cpu)
{
}

void emu_dsb(struct emu_cpu *cpu)
{
}

void emu_isb(struct emu_cpu *cpu)
{
}

uint64_t emu_branch_address(const struct emu_cpu *cpu, uint64_t target)
{
	return (uint64_t)((int64_t)(target << 8) >> 8);
}
