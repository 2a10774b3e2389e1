/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exception entry and return, undefined and trapped system registers, PSTATE.
 * MMU off. QEMU 10 prints the same, but for the syndrome of MSR DAIFSet at EL0,
 * where it exchanges Op1 and Op2, and the count of instructions (without -icount).
 */
#include "guest.h"

#define TRY(what, insn) \
	do { \
		expect_begin(); \
		asm volatile(insn : : : "x0", "x1", "memory"); \
		expect_end(what); \
		if (fault.taken) \
			print("  spsr %x\n", fault.spsr); \
	} while (0)

/* By the PMU, in the middle of a run of instructions, at branches that are taken and not. */
static void count_instructions(void)
{
	uint64_t first, last;

	write_reg(pmevtyper0_el0, 8); /* INST_RETIRED */
	write_reg(pmcntenset_el0, 1);
	write_reg(pmcr_el0, read_reg(pmcr_el0) | 1);
	isb();
	asm volatile("mrs %0, pmevcntr0_el0\n"
		     "	mov x0, #5\n"
		     "1:	tbz x0, #0, 2f\n"
		     "	nop\n"
		     "	nop\n"
		     "2:	cbz x0, 3f\n"
		     "	subs x0, x0, #1\n"
		     "	b.ne 1b\n"
		     "3:	mrs %1, pmevcntr0_el0" : "=&r"(first), "=r"(last) : : "x0", "cc");
	print("retired %d\n", last - first);
	write_reg(pmcntenclr_el0, 1);
}

static uint64_t at_el0(uint64_t which)
{
	switch (which) {
	case 0:
		asm volatile("mrs x0, sctlr_el1" : : : "x0");
		break;
	case 1:
		asm volatile("mrs x0, midr_el1" : : : "x0");
		break;
	case 2:
		asm volatile("mrs x0, ctr_el0" : : : "x0");
		break;
	case 3:
		asm volatile("mrs x0, cntvct_el0" : : : "x0");
		break;
	case 4:
		asm volatile("msr daifset, #2");
		break;
	case 5:
		asm volatile("mrs x1, daif" : : : "x1");
		break;
	case 6:
		asm volatile("dc civac, %0" : : "r"(heap));
		break;
	case 7:
		asm volatile("ic ialluis");
		break;
	case 8:
		asm volatile("wfi");
		break;
	case 9:
		asm volatile("wfe");
		break;
	case 10:
		asm volatile("hvc #0");
		break;
	case 11:
		asm volatile("smc #0");
		break;
	case 12:
		asm volatile("mrs x3, pmccntr_el0" : : : "x3");
		break;
	case 13:
		asm volatile("msr tpidr_el0, x5; mrs x6, tpidrro_el0" : : : "x6");
		break;
	case 14:
		asm volatile("msr tpidrro_el0, x5");
		break;
	case 15:
		asm volatile("fmov d0, #1.0");
		break;
	case 16:
		asm volatile("eret");
		break;
	case 17:
		asm volatile("brk #0x123");
		break;
	case 18:
		asm volatile("msr spsel, #0");
		break;
	case 19:
		asm volatile("mrs x2, dczid_el0; mrs x2, cntfrq_el0" : : : "x2");
		break;
	case 20:
		asm volatile("mrs x2, pmuserenr_el0" : : : "x2");
		break;
	case 21:
		asm volatile("mrs x2, S3_0_C0_C4_7" : : : "x2"); /* reserved identification register */
		break;
	}
	return 0;
}

static void el0(const char *title)
{
	print("%s\n", title);
	for (uint64_t i = 0; i < 22; i++) {
		if (i == 8 && (read_reg(sctlr_el1) >> 16 & 1))
			continue; /* it would wait for ever */
		if (i == 9 && (read_reg(sctlr_el1) >> 18 & 1))
			continue;
		expect_begin();
		call_el0(at_el0, i, 0x3c0);
		expecting = false;
		print("  %d: ", i);
		if (fault.taken)
			print("vector %x esr %x spsr %x\n", fault.vector * 0x80, fault.esr, fault.spsr & ~0xc00ull); /* BTYPE */
		else
			print("ok\n");
	}
}

int main(void)
{
	uint64_t v;

	print("currentel %x daif %x spsel %x\n", read_reg(currentel), read_reg(daif), read_reg(spsel));
	TRY("svc", "svc #0x1234");
	TRY("brk", "brk #0xabcd");
	TRY("udf", "udf #0");
	TRY("undefined register", "mrs x0, S3_7_C15_C15_7");
	TRY("el2 register", "mrs x0, S3_4_C1_C1_0");
	TRY("write of a read-only register", "msr S3_0_C0_C0_0, x0");
	TRY("reserved identification register", "mrs x0, S3_0_C0_C5_7");
	TRY("smc", "smc #0");
	TRY("sp_el0 while it is sp", "msr spsel, #0; mrs x0, S3_0_C4_C1_0; msr spsel, #1");
	TRY("flags in spsr", "mov x0, #0xf0000000; msr nzcv, x0; brk #0");
	TRY("daif in spsr", "msr daifclr, #0xd; brk #0; msr daifset, #0xf");
	TRY("from sp_el0", "msr spsel, #0; brk #1; msr spsel, #1");

	/* Illegal returns: to EL2, to EL1 of AArch32, to EL0 with SP_ELx. */
	static const uint64_t illegal[] = { 0x3c9, 0x3d3, 0x3c1, 0x3c2 };
	for (unsigned i = 0; i < 4; i++) {
		expect_begin();
		asm volatile("msr spsr_el1, %0; adr x0, 1f; msr elr_el1, x0; eret; 1: nop; nop" : : "r"(illegal[i])
			: "x0", "memory");
		print("illegal return %x: esr %x spsr %x at %d\n", illegal[i], fault.esr, fault.spsr, 0ull);
		expecting = false;
		write_reg(daif, 0x3c0);
	}

	write_reg(sctlr_el1, read_reg(sctlr_el1) & ~(1ull << 9 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 18 | 1 << 26));
	write_reg(cntkctl_el1, 0);
	write_reg(cpacr_el1, 1 << 20);
	isb();
	el0("el0, everything trapped");
	write_reg(cpacr_el1, 3 << 20);
	write_reg(sctlr_el1, read_reg(sctlr_el1) | 1ull << 9 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 18 | 1 << 26);
	write_reg(cntkctl_el1, 0x303);
	write_reg(pmuserenr_el0, 1);
	isb();
	el0("el0, nothing trapped");

	write_reg(cpacr_el1, 0);
	isb();
	TRY("floating point trapped", "fmov d0, #1.0");
	TRY("fpcr trapped", "mrs x0, fpcr");
	write_reg(cpacr_el1, 3 << 20);
	isb();
	TRY("floating point", "fmov d0, #1.0");
	write_reg(fpcr, ~0ull);
	write_reg(fpsr, ~0ull);
	print("fpsr %x\n", read_reg(fpsr) & 0x0fffffff);
	write_reg(fpcr, 0);
	write_reg(fpsr, 0);

	/* PAN and SPAN. */
	asm volatile("msr S0_0_C4_C1_4, xzr"); /* MSR PAN, #1 */
	asm volatile("mrs %0, S3_0_C4_C2_3" : "=r"(v));
	print("pan %x\n", v);
	asm volatile("msr S0_0_C4_C0_4, xzr");
	write_reg(sctlr_el1, read_reg(sctlr_el1) & ~(1ull << 23));
	isb();
	TRY("span 0", "brk #2");
	asm volatile("mrs %0, S3_0_C4_C2_3" : "=r"(v));
	print("pan after return %x\n", v);
	count_instructions();
	print("done\n");
	return 0;
}
