/* SPDX-License-Identifier: BSD-2-Clause */
/* See bare.h. */
#include "tests/unit/bare.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static struct bare *bare_of(const struct emu_cpu *cpu)
{
	return (struct bare *)(uintptr_t)cpu;
}

struct bare *bare_new(void)
{
	struct bare *b = aligned_alloc(64, (sizeof(*b) + 63) & ~(size_t)63);

	if (!b)
		abort();
	memset(b, 0, sizeof(*b));
	b->mem = mmap(NULL, BARE_MEM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->mem == MAP_FAILED)
		abort();
	for (unsigned i = 0; i < EMU_TLB_SIZE; i++) {
		uint64_t page = i * EMU_PAGE_SIZE;
		b->view[i].tag_read = b->view[i].tag_write = page | EMU_TAG_FAST;
		b->view[i].addend = (uint64_t)(uintptr_t)b->mem;
		b->view[i].phys = page;
		b->xview[i].tag = page | EMU_TAG_FAST;
		b->xview[i].phys = page;
		b->xview[i].host = (const uint32_t *)(void *)(b->mem + page);
	}
	for (unsigned i = 0; i < 2; i++) {
		b->cpu.view[i] = b->cpu.view_unpriv[i] = b->view;
		b->cpu.xview[i] = b->xview;
	}
	b->cpu.pstate.el = 1;
	b->cpu.pstate.sp = 1;
	if (!emu_code_init(&b->cpu, NULL))
		abort();
	return b;
}

void bare_free(struct bare *b)
{
	emu_code_fini(&b->cpu);
	munmap(b->mem, BARE_MEM_SIZE);
	free(b);
}

void bare_put(struct bare *b, uint64_t addr, const uint32_t *insns, unsigned n)
{
	memcpy(b->mem + addr, insns, n * sizeof(insns[0]));
}

void bare_run(struct bare *b)
{
	atomic_store(&b->cpu.attention, 0);
	emu_interp_run(&b->cpu);
}

/* ---- Exceptions ---- */

_Noreturn void emu_raise(struct emu_cpu *cpu, unsigned ec, uint32_t iss, unsigned flags)
{
	struct bare *b = bare_of(cpu);

	b->n_exceptions++;
	b->ec = ec;
	b->iss = iss;
	b->elr = cpu->pc + (flags & EMU_RETURN_NEXT ? 4 : 0);
	b->btype = cpu->pstate.btype;
	cpu->pstate.btype = 0;
	cpu->pc = BARE_VECTOR;
	atomic_fetch_or(&cpu->attention, EMU_ATT_STOP);
	longjmp(cpu->unwind, 1);
}

_Noreturn void emu_raise_undefined(struct emu_cpu *cpu)
{
	emu_raise(cpu, 0, 0, 0);
}

_Noreturn void emu_raise_fp_trap(struct emu_cpu *cpu)
{
	emu_raise(cpu, 0x07, 0, 0);
}

_Noreturn void emu_raise_sp_alignment(struct emu_cpu *cpu)
{
	emu_raise(cpu, 0x26, 0, 0);
}

static _Noreturn void raise_abort(struct emu_cpu *cpu, unsigned ec, uint64_t va)
{
	bare_of(cpu)->far = va;
	emu_raise(cpu, ec, 0, 0);
}

_Noreturn void emu_svc(struct emu_cpu *cpu, unsigned imm16)
{
	emu_raise(cpu, 0x15, imm16, EMU_RETURN_NEXT);
}

void emu_hvc(struct emu_cpu *cpu, unsigned imm16)
{
	emu_raise(cpu, 0x16, imm16, EMU_RETURN_NEXT);
}

void emu_smc(struct emu_cpu *cpu, unsigned imm16)
{
	emu_raise(cpu, 0x17, imm16, 0);
}

_Noreturn void emu_brk(struct emu_cpu *cpu, unsigned imm16)
{
	emu_raise(cpu, 0x3c, imm16, 0);
}

void emu_hlt(struct emu_cpu *cpu, unsigned imm16)
{
	emu_raise_undefined(cpu);
}

/* Tags of addresses are ignored. */
uint64_t emu_branch_address(const struct emu_cpu *cpu, uint64_t target)
{
	return (uint64_t)((int64_t)(target << 8) >> 8);
}

/* Restores PSTATE.BTYPE only, from SPSR_EL1's place in X0. */
void emu_eret(struct emu_cpu *cpu, uint64_t target)
{
	cpu->pstate.btype = cpu->x[0] & 3;
	cpu->next_pc = target;
}

/* ---- Memory: a hit, or an abort ---- */

static void *locate(struct emu_cpu *cpu, uint64_t va, unsigned size, bool aligned)
{
	if (va >= BARE_MEM_SIZE || size > BARE_MEM_SIZE - va || (aligned && va % size))
		raise_abort(cpu, 0x25, va);
	return bare_of(cpu)->mem + va;
}

uint64_t emu_load_slow(struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned acc)
{
	uint64_t val = 0;

	memcpy(&val, locate(cpu, va, size, acc & EMU_ACC_ALIGNED), size);
	return val;
}

void emu_store_slow(struct emu_cpu *cpu, uint64_t va, unsigned size, uint64_t val, unsigned acc)
{
	memcpy(locate(cpu, va, size, acc & EMU_ACC_ALIGNED), &val, size);
}

void emu_load128_slow(struct emu_cpu *cpu, uint64_t va, unsigned esize, uint64_t ret_val[2], unsigned acc)
{
	memcpy(ret_val, locate(cpu, va, 16, acc & EMU_ACC_ALIGNED), 16);
}

void emu_store128_slow(struct emu_cpu *cpu, uint64_t va, unsigned esize, const uint64_t val[2], unsigned acc)
{
	memcpy(locate(cpu, va, 16, acc & EMU_ACC_ALIGNED), val, 16);
}

void *emu_atomic_ptr_slow(struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned acc)
{
	return locate(cpu, va, size, true);
}

const void *emu_exclusive_load_ptr_slow(struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned acc)
{
	return emu_atomic_ptr_slow(cpu, va, size, acc);
}

void emu_probe_write(struct emu_cpu *cpu, uint64_t va, unsigned len, unsigned acc)
{
	locate(cpu, va, len, false);
}

const uint32_t *emu_fetch_page_slow(struct emu_cpu *cpu, uint64_t va, uint64_t *ret_page_pa, bool *ret_guarded,
	uint32_t *ret_insn)
{
	if (va & 3)
		raise_abort(cpu, 0x22, va);
	if (!bare_of(cpu)->insn_outside)
		raise_abort(cpu, 0x21, va);
	*ret_guarded = false;
	*ret_insn = bare_of(cpu)->insn_outside;
	return NULL;
}

/* ---- System instructions ---- */

bool emu_has(const struct emu_cpu *cpu, enum emu_feature feature)
{
	return !bare_of(cpu)->feature_off[feature];
}

uint64_t emu_sysreg_read(struct emu_cpu *cpu, uint32_t enc, unsigned rt)
{
	return enc;
}

void emu_sysreg_write(struct emu_cpu *cpu, uint32_t enc, unsigned rt, uint64_t val)
{
}

/* IC IVAU; TLBI VMALLE1; anything else wants attention. */
void emu_sys_insn(struct emu_cpu *cpu, uint32_t enc, unsigned rt, uint64_t val)
{
	if (enc == EMU_SYSREG(1, 3, 7, 5, 1))
		emu_code_drop_page(cpu, val);
	else if (enc == EMU_SYSREG(1, 0, 8, 7, 0))
		emu_code_flush_va(cpu);
	else
		atomic_fetch_or(&cpu->attention, bare_of(cpu)->wanted);
}

void emu_msr_imm(struct emu_cpu *cpu, unsigned op1, unsigned op2, unsigned imm)
{
	emu_raise(cpu, 0x18, op1 << 16 | op2 << 8 | imm, 0);
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
	bare_of(cpu)->n_isb++;
}
