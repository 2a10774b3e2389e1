/* SPDX-License-Identifier: BSD-2-Clause */
/* The generic timer: conditions, interrupts through the GICv3, WFI, the event stream. */
#include "guest.h"

#define GICD ((volatile uint32_t *)0x08000000)
#define GICR ((volatile uint32_t *)0x080a0000)
#define SGI ((volatile uint32_t *)0x080b0000)

static volatile uint64_t taken[32], bad;

void exception(struct frame *f)
{
	if ((f->vector & 3) != 1) {
		print("unexpected vector %x esr %x elr %x\n", f->vector * 0x80, f->esr, f->elr);
		stop();
	}
	uint64_t id = read_reg(S3_0_C12_C12_0); /* ICC_IAR1_EL1 */
	if (id < 32)
		taken[id]++;
	else
		bad++;
	if (id == 27)
		write_reg(cntv_ctl_el0, 2 | 1); /* mask: the line goes down */
	if (id == 30)
		write_reg(cntp_ctl_el0, 0);
	isb();
	write_reg(S3_0_C12_C12_1, id); /* ICC_EOIR1_EL1 */
}

static void gic_init(void)
{
	GICR[0x14 / 4] = 0;                    /* GICR_WAKER */
	while (GICR[0x14 / 4] & 4)
		;
	GICD[0] = 0x12;                        /* ARE, group 1 */
	SGI[0x80 / 4] = ~0u;                   /* group 1 */
	SGI[0x100 / 4] = 1u << 27 | 1u << 30;  /* enable */
	write_reg(S3_0_C12_C12_5, 7);          /* ICC_SRE_EL1 */
	isb();
	write_reg(S3_0_C4_C6_0, 0xff);         /* ICC_PMR_EL1 */
	write_reg(S3_0_C12_C12_7, 1);          /* ICC_IGRPEN1_EL1 */
	isb();
}

static void wait(uint64_t ticks)
{
	uint64_t until = read_reg(cntvct_el0) + ticks;
	while (read_reg(cntvct_el0) < until)
		;
}

int main(void)
{
	uint64_t hz = read_reg(cntfrq_el0), ms = hz / 1000;

	gic_init();
	uint64_t a = read_reg(cntvct_el0), b = read_reg(cntpct_el0), c = read_reg(cntvct_el0);
	print("counters agree %d\n", (uint64_t)(a <= b && b <= c));

	/* Conditions without interrupts. */
	write_reg(cntv_cval_el0, 0);
	write_reg(cntv_ctl_el0, 3);
	print("due, masked: ctl %x irq %x\n", read_reg(cntv_ctl_el0), read_reg(isr_el1));
	write_reg(cntv_cval_el0, ~0ull);
	print("never: ctl %x\n", read_reg(cntv_ctl_el0));
	write_reg(cntv_tval_el0, 1000 * ms);
	uint64_t left = read_reg(cntv_cval_el0) - read_reg(cntvct_el0);
	print("tval: %d\n", (uint64_t)(left <= 1000 * ms && left > 500 * ms));
	write_reg(cntv_tval_el0, 0xffffffff); /* -1: in the past */
	print("past: ctl %x\n", read_reg(cntv_ctl_el0));
	write_reg(cntv_ctl_el0, 1);
	isb();
	print("pending: isr %x\n", read_reg(isr_el1));
	asm volatile("msr daifclr, #2; isb" : : : "memory");
	wait(ms);
	asm volatile("msr daifset, #2" : : : "memory");
	print("virtual interrupts %d\n", taken[27]);

	/* One that is pending before all of DAIF is written, as it was. */
	write_reg(cntv_tval_el0, 0);
	write_reg(cntv_ctl_el0, 1);
	while (!(read_reg(isr_el1) & 0x80))
		;
	write_reg(daif, 0x340);
	wait(ms);
	write_reg(daif, 0x3c0);
	print("virtual interrupts %d\n", taken[27]);

	/* WFI wakes for a timer, masked or not. */
	a = read_reg(cntpct_el0);
	write_reg(cntp_tval_el0, 20 * ms);
	write_reg(cntp_ctl_el0, 1);
	isb();
	while (!(read_reg(isr_el1) & 0x80))
		asm volatile("wfi" : : : "memory");
	b = read_reg(cntpct_el0) - a;
	print("slept at least 15 ms %d, at most 2 s %d\n", (uint64_t)(b >= 15 * ms), (uint64_t)(b < 2000 * ms));
	asm volatile("msr daifclr, #2; isb" : : : "memory");
	wait(ms);
	asm volatile("msr daifset, #2" : : : "memory");
	print("physical interrupts %d\n", taken[30]);

	/* A hundred short sleeps. */
	for (unsigned i = 0; i < 100; i++) {
		uint64_t before = taken[27];
		write_reg(cntv_tval_el0, ms / 5);
		write_reg(cntv_ctl_el0, 1);
		while (taken[27] == before) /* masked, so that the interrupt cannot come before the WFI that it is to end */
			asm volatile("wfi; msr daifclr, #2; isb; msr daifset, #2" : : : "memory");
	}
	print("virtual interrupts %d, others %d\n", taken[27], bad);

	/* The event stream ends WFE. */
	write_reg(cntkctl_el1, 1 << 2 | 9 << 4);
	isb();
	a = read_reg(cntvct_el0);
	for (unsigned i = 0; i < 20; i++)
		asm volatile("wfe" : : : "memory");
	b = read_reg(cntvct_el0) - a;
	print("event stream %d\n", (uint64_t)(b < 1000 * ms));
	print("done\n");
	return 0;
}
