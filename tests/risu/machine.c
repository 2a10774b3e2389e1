/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interpreter as a machine for one case at a time: a vCPU of model "max" at
 * EL0 under a translation table that maps the code page and the memory block at
 * their fixed addresses, and nothing else. Its own thread stays parked, as the
 * system is never resumed: cases are stepped from here. The first exception
 * ends a case, and the vCPU's EL1 registers tell why.
 */
#include "tests/risu/risu_host.h"

#include "emu/access_priv.h"
#include "emu/sys_priv.h"
#include "emu/tlb_priv.h"
#include "emu/vcpu_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tables of three levels for 39-bit addresses and 4 KiB pages. */
#define TABLES 0x40000000u
#define TABLES_SIZE 0x3000u

struct risu_machine {
	struct emu_mem *mem;
	struct emu_clock *clock;
	struct emu_system *system;
	struct emu_cpu *cpu;
	uint8_t *tables, *block; /* block: the code page, then the memory */
};

static void add_ram(struct risu_machine *m, uint64_t base, uint64_t size, uint8_t **ret_host)
{
	struct emu_region_desc desc = { .name = "ram", .kind = EMU_REGION_RAM, .base = base, .size = size };
	struct vmd_error err;

	desc.host = aligned_alloc(4096, size);
	if (!desc.host)
		abort();
	memset(desc.host, 0, size);
	*ret_host = desc.host;
	if (!emu_mem_add(m->mem, &desc, &err)) {
		fprintf(stderr, "risu: %s\n", err.message);
		exit(2);
	}
}

/* Table descriptors down to the two pages; Normal memory that EL0 may do everything with. */
static void fill_tables(struct risu_machine *m)
{
	const uint64_t page = 3 | 1u << 6 | 3u << 8 | 1u << 10; /* AP[1], inner shareable, AF */
	uint64_t *level[3];

	for (unsigned i = 0; i < 3; i++)
		level[i] = (uint64_t *)(void *)(m->tables + 0x1000 * i);
	level[0][RISU_CODE >> 30] = (TABLES + 0x1000) | 3;
	level[1][RISU_CODE >> 21 & 511] = (TABLES + 0x2000) | 3;
	level[2][RISU_CODE >> 12 & 511] = RISU_CODE | page;
	level[2][RISU_MEM >> 12 & 511] = RISU_MEM | page;
}

/* What Linux gives its user programs, as far as instructions notice. */
static void set_up_el1(struct emu_cpu *cpu)
{
	cpu->sys[EMU_SR_MAIR_EL1] = 0xFF;
	cpu->sys[EMU_SR_TTBR0_EL1] = TABLES;
	/* T0SZ 25, write-back inner shareable walks, EPD1, 40-bit physical addresses, TBI0 */
	cpu->sys[EMU_SR_TCR_EL1] = 25 | 1u << 8 | 1u << 10 | 3u << 12 | 1u << 23 | 2ull << 32 | 1ull << 37;
	/* M, C, I, DZE, UCT, UCI, and the keys' enables */
	cpu->sys[EMU_SR_SCTLR_EL1] |= 1u << 0 | 1u << 2 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 15 | 1u << 26 | 1u << 27 |
		1u << 30 | 1u << 31;
	cpu->sys[EMU_SR_SCTLR_EL1] &= ~(1ull << 4 | 1ull << 1); /* SA0: QEMU does not check the SP's alignment; A */
	cpu->sys[EMU_SR_CPACR_EL1] = 3u << 20;
	emu_tlb_flush(cpu);
}

struct risu_machine *risu_machine_new(void)
{
	struct emu_system_config config = { .cpu_model = "max", .n_cpus = 1 };
	struct risu_machine *m = calloc(1, sizeof(*m));
	struct vmd_error err;

	if (!m)
		abort();
	m->mem = emu_mem_new(40, &err);
	m->clock = m->mem ? emu_clock_new(&err) : NULL;
	if (!m->clock)
		goto fail;
	add_ram(m, TABLES, TABLES_SIZE, &m->tables);
	add_ram(m, RISU_CODE, RISU_CODE_SIZE + RISU_MEM_SIZE, &m->block);
	config.mem = m->mem;
	config.clock = m->clock;
	m->system = emu_system_new(&config, &err);
	if (!m->system)
		goto fail;
	m->cpu = &m->system->vcpus[0]->cpu;
	fill_tables(m);
	set_up_el1(m->cpu);
	return m;
fail:
	fprintf(stderr, "risu: %s\n", err.message);
	exit(2);
}

void risu_machine_free(struct risu_machine *m)
{
	emu_system_free(m->system);
	emu_clock_free(m->clock);
	emu_mem_free(m->mem);
	free(m->tables);
	free(m->block);
	free(m);
}

static void load(struct risu_machine *m, const struct risu_case *c)
{
	struct emu_cpu *cpu = m->cpu;

	memset(m->block, 0, RISU_CODE_SIZE);
	memcpy(m->block + (RISU_ENTRY - RISU_CODE), c->insns, 4 * c->n_insns);
	memcpy(m->block + (RISU_MEM - RISU_CODE), c->mem, RISU_MEM_SIZE);
	emu_code_drop_page(cpu, RISU_CODE);

	emu_set_sp(cpu, 0, 0);
	cpu->pstate = (struct emu_pstate){ .el = 0 };
	emu_pstate_changed(cpu);
	memcpy(cpu->x, c->state.x, sizeof(c->state.x));
	memcpy(cpu->v, c->state.v, sizeof(c->state.v));
	cpu->x[31] = c->state.sp;
	cpu->pc = RISU_ENTRY;
	cpu->nzcv = c->state.nzcv;
	cpu->fpcr = c->state.fpcr;
	cpu->fpsr = c->state.fpsr;
	cpu->excl_size = 0;
}

/* What the exception that has been taken to EL1 means to the guest program's user. */
static enum risu_outcome outcome_of(uint64_t esr)
{
	switch (esr >> 26) {
	case 0x00:
		return RISU_UNDEFINED;
	case 0x20: /* instruction abort, */
	case 0x22: /* PC alignment, */
	case 0x24: /* data abort, */
	case 0x26: /* SP alignment: SIGSEGV or SIGBUS */
		return RISU_FAULT;
	default:
		return RISU_TRAP;
	}
}

void risu_machine_run(struct risu_machine *m, const struct risu_case *c, struct risu_result *ret_result,
		      uint64_t *ret_fault)
{
	struct emu_cpu *cpu = m->cpu;
	struct risu_state *out = &ret_result->state;
	uint64_t end = RISU_ENTRY + 4 * c->n_insns;
	bool taken;

	load(m, c);
	while (cpu->pstate.el == 0 && cpu->pc >= RISU_ENTRY && cpu->pc < end)
		emu_interp_step(cpu);
	taken = cpu->pstate.el != 0;

	memset(ret_result, 0, sizeof(*ret_result));
	ret_result->outcome = taken ? outcome_of(cpu->sys[EMU_SR_ESR_EL1]) : RISU_END;
	memcpy(out->x, cpu->x, sizeof(out->x));
	memcpy(out->v, cpu->v, sizeof(out->v));
	out->sp = taken ? cpu->sp_el[0] : cpu->x[31];
	out->pc = taken ? cpu->sys[EMU_SR_ELR_EL1] : cpu->pc;
	out->nzcv = cpu->nzcv;
	out->fpcr = cpu->fpcr;
	out->fpsr = cpu->fpsr;
	memcpy(ret_result->mem, m->block + (RISU_MEM - RISU_CODE), RISU_MEM_SIZE);
	*ret_fault = cpu->sys[EMU_SR_FAR_EL1];
}
