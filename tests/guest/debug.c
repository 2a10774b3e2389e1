/* SPDX-License-Identifier: BSD-2-Clause */
/* Self-hosted debug: software step of EL0 and EL1, breakpoints, watchpoints. MMU off. */
#include "guest.h"

static volatile struct {
	bool active;
	uint64_t n, pcs[64], esr[64], far[64], base;
	unsigned limit;
} log;

void exception(struct frame *f)
{
	unsigned ec = f->esr >> 26 & 63;
	if (f->vector == 8 && f->esr == 0x560001ff) {
		f->elr = (uint64_t)el0_return;
		f->spsr = 0x3c5;
		return;
	}
	if (ec == 0x15) { /* any other SVC: a call that does nothing */
		log.pcs[log.n & 63] = f->elr - log.base;
		log.esr[log.n & 63] = f->esr | (f->spsr & 1 << 21) << 8;
		log.n++;
		return;
	}
	if (ec < 0x30 || ec > 0x35) {
		print("unexpected: vector %x esr %x elr %x\n", f->vector * 0x80, f->esr, f->elr);
		stop();
	}
	log.pcs[log.n & 63] = f->elr - log.base;
	log.esr[log.n & 63] = f->esr;
	log.far[log.n & 63] = ec >= 0x34 ? f->far : 0;
	log.n++;
	if (ec == 0x32 || ec == 0x33) {
		if (log.n < log.limit)
			f->spsr |= 1 << 21; /* another step */
		else
			write_reg(mdscr_el1, read_reg(mdscr_el1) & ~1ull);
	} else if (ec == 0x34 || ec == 0x35) {
		f->elr += 4;
	} else {
		write_reg(dbgbcr0_el1, 0); /* let it pass */
	}
}

static void show(const char *what, const char *target)
{
	print("%s:", what);
	for (uint64_t i = 0; i < log.n && i < 64; i++) {
		print(" %x/%x", log.pcs[i], log.esr[i]);
		if (log.far[i])
			print("/%x", log.far[i] - (uint64_t)target);
	}
	print("\n");
	log.n = 0;
	for (unsigned i = 0; i < 64; i++)
		log.far[i] = 0;
}

static uint64_t cell[16] __attribute__((aligned(64)));

/* Each instruction at a known place. */
extern char body[], body_svc[];
uint64_t body_fn(uint64_t arg) asm("body");
asm(".text\n"
	".balign 64\n"
	"body: mov x1, #1\n"         /* 0 */
	"add x10, x9, #64\n"          /* 4 */
	"ldxr x2, [x10]\n"            /* 8 */
	"stxr w3, x2, [x10]\n"        /* c */
	"b 1f\n"                     /* 10 */
	"nop\n"                      /* 14 */
	"1: svc #7\n"                /* 18 */
	"ldr x2, [x9]\n"             /* 1c */
	"str x2, [x9]\n"             /* 20 */
	"ldrb w2, [x9, #5]\n"        /* 24 */
	"stp x2, x2, [x9, #-8]\n"    /* 28 */
	"str wzr, [x9, #8]\n"        /* 2c */
	"ret\n");                    /* 30 */

static uint64_t run(uint64_t spsr)
{
	/* x9 is cell + 8 in the body. */
	register uint64_t x9 asm("x9") = (uint64_t)&cell[1];
	asm volatile("" : : "r"(x9));
	log.base = (uint64_t)body;
	uint64_t r = call_el0(body_fn, 0, spsr);
	return r;
}

int main(void)
{
	log.limit = 100;
	write_reg(oslar_el1, 0);
	isb();
	print("oslsr %x\n", read_reg(oslsr_el1));

	/* Step EL0 through the body. */
	log.limit = 12;
	write_reg(mdscr_el1, 1);
	run(0x3c0 | 1 << 21);
	show("step el0", NULL);
	/* Step that is pending at once. */
	log.limit = 2;
	write_reg(mdscr_el1, 1);
	run(0x3c0);
	show("step pending", NULL);
	write_reg(mdscr_el1, 0);

	/* Breakpoints. */
	write_reg(dbgbvr0_el1, (uint64_t)body + 0x10);
	write_reg(dbgbcr0_el1, 1 | 2 << 1 | 0xf << 5); /* EL0 */
	write_reg(mdscr_el1, 1 << 15);
	isb();
	run(0x3c0);
	show("breakpoint el0", NULL);
	write_reg(dbgbcr0_el1, 1 | 1 << 1 | 0xf << 5); /* EL1 only: no match at EL0 */
	isb();
	run(0x3c0);
	show("breakpoint el1 only", NULL);
	write_reg(dbgbcr0_el1, 0);

	/* Watchpoints. */
	write_reg(dbgwvr0_el1, (uint64_t)&cell[1]);
	static const struct { const char *what; uint64_t wcr; } watch[] = {
		{ "watch loads", 1 | 2 << 1 | 1 << 3 | 0xff << 5 },
		{ "watch stores", 1 | 2 << 1 | 2 << 3 | 0xff << 5 },
		{ "watch both", 1 | 2 << 1 | 3 << 3 | 0xff << 5 },
		{ "watch byte 5", 1 | 2 << 1 | 3 << 3 | 0x20 << 5 },
		{ "watch byte 3", 1 | 2 << 1 | 3 << 3 | 0x08 << 5 },
		{ "watch 32 bytes", 1 | 2 << 1 | 2 << 3 | 0xff << 5 | 5 << 24 },
		{ "watch el1 only", 1 | 1 << 1 | 3 << 3 | 0xff << 5 },
	};
	for (unsigned i = 0; i < sizeof(watch) / sizeof(watch[0]); i++) {
		write_reg(dbgwvr0_el1, watch[i].wcr >> 24 ? (uint64_t)cell & ~31ull : (uint64_t)&cell[1]);
		write_reg(dbgwcr0_el1, watch[i].wcr);
		isb();
		run(0x3c0);
		show(watch[i].what, (char *)cell);
	}
	write_reg(dbgwcr0_el1, 0);
	write_reg(mdscr_el1, 0);
	isb();

	/* Step EL1 itself: KDE, D clear. */
	log.base = (uint64_t)&&here;
	log.limit = 4;
	write_reg(mdscr_el1, 1 | 1 << 13);
	isb();
	asm volatile("adr x0, 1f; msr elr_el1, x0; mov x0, #0x1c5; movk x0, #0x20, lsl #16; msr spsr_el1, x0; eret\n"
		"1: nop; nop; nop; nop; nop; nop" : : : "x0", "memory");
here:
	write_reg(mdscr_el1, 0);
	asm volatile("msr daifset, #8");
	print("step el1: %d exceptions, last esr %x\n", log.n, log.esr[log.n - 1]);
	print("done\n");
	return 0;
}
