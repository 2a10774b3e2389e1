/* SPDX-License-Identifier: BSD-2-Clause */
/* The bare-metal tests' library: a PL011 at 0x09000000, PSCI by HVC. */
#include "guest.h"

#include <stdarg.h>

#define UART ((volatile uint32_t *)0x09000000)

uint64_t el0_return_sp, patience;

__attribute__((weak)) void secondary(uint64_t n)
{
}

static void put(char c)
{
	if (c == '\n')
		put('\r');
	while (UART[0x18 / 4] & 1u << 5)
		;
	UART[0] = (uint8_t)c;
}

static void put_number(uint64_t n, unsigned base)
{
	char buf[24];
	unsigned len = 0;
	do {
		buf[len++] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n);
	while (len)
		put(buf[--len]);
}

void print(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(*fmt);
			continue;
		}
		switch (*++fmt) {
		case 'x':
			put_number(va_arg(ap, uint64_t), 16);
			break;
		case 'd':
			put_number(va_arg(ap, uint64_t), 10);
			break;
		case 'c':
			put((char)va_arg(ap, uint64_t));
			break;
		case 's':
			for (const char *s = va_arg(ap, const char *); *s; s++)
				put(*s);
			break;
		}
	}
	va_end(ap);
}

uint64_t hvc(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	register uint64_t x0 asm("x0") = a0, x1 asm("x1") = a1, x2 asm("x2") = a2, x3 asm("x3") = a3;
	asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
	return x0;
}

void stop(void)
{
	hvc(0x84000008, 0, 0, 0);
	for (;;)
		;
}

volatile bool expecting;
volatile struct fault fault;

void expect_begin(void)
{
	fault.taken = false;
	expecting = true;
}

void expect_end(const char *what)
{
	expecting = false;
	if (!fault.taken)
		print("%s: ok\n", what);
	else
		print("%s: vector %x esr %x far %x\n", what, fault.vector * 0x80, fault.esr, fault.far);
}

__attribute__((weak)) void exception(struct frame *f)
{
	if (f->vector == 8 && f->esr == 0x560001ff) { /* SVC #0x1ff from EL0 */
		f->elr = (uint64_t)el0_return;
		f->spsr = 0x3c5;
		return;
	}
	unsigned ec = f->esr >> 26 & 63;
	if (f->vector == 8 && ec == 0x20 && f->elr == (uint64_t)el0_done) { /* the same where EL0 cannot get there */
		f->elr = (uint64_t)el0_return;
		f->spsr = 0x3c5;
		return;
	}
	if (expecting) {
		fault.taken = true;
		fault.esr = f->esr;
		fault.far = f->far;
		fault.elr = f->elr;
		fault.spsr = f->spsr;
		fault.vector = f->vector;
		if (ec == 0x20 || ec == 0x21 || ec == 0x22) /* a call to where nothing can be fetched: return */
			f->elr = f->x[30];
		else if (ec != 0x15)
			f->elr += 4;
		f->spsr &= ~(1ull << 20); /* an illegal state ends here */
		return;
	}
	print("unexpected exception: vector %x esr %x far %x elr %x spsr %x\n", f->vector * 0x80, f->esr, f->far,
		f->elr, f->spsr);
	stop();
}

/* ---- Several vCPUs ---- */

static volatile uint32_t arrived, round;
static unsigned n_others;

unsigned start_others(void)
{
	while (hvc(0xc4000003, n_others + 1, (uint64_t)secondary_start, n_others + 1) == 0)
		n_others++;
	return n_others + 1;
}

void barrier(unsigned n)
{
	uint32_t now = __atomic_load_n(&round, __ATOMIC_ACQUIRE), seen;

	if (__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL) == n) {
		arrived = 0;
		__atomic_store_n(&round, now + 1, __ATOMIC_RELEASE);
		return;
	}
	for (unsigned spins = 0; spins < 2000; spins++) {
		if (__atomic_load_n(&round, __ATOMIC_ACQUIRE) != now)
			return;
	}
	asm volatile("sevl\n"
		"1: wfe\n"
		"ldaxr %w0, [%1]\n"
		"cmp %w0, %w2\n"
		"b.eq 1b\n" : "=&r"(seen) : "r"(&round), "r"(now) : "cc", "memory");
}

uint64_t ms_from_now(uint64_t ms)
{
	return read_reg(cntvct_el0) + read_reg(cntfrq_el0) / 1000 * ms;
}

bool is_past(uint64_t when)
{
	isb();
	return read_reg(cntvct_el0) >= when;
}

/* T0SZ 25, tables cached and inner shareable, EPD1, IPS 40 bits; devices below 1 GiB. */
void mmu_on(uint64_t *l1)
{
	l1[0] = 0x0060000000000401ull;
	l1[1] = 0x40000000 | 0x0040000000000705ull;
	write_reg(mair_el1, 0xff00);
	write_reg(tcr_el1, 25ull | 1 << 8 | 1 << 10 | 3 << 12 | 1ull << 23 | 2ull << 32);
	write_reg(ttbr0_el1, (uint64_t)l1);
	asm volatile("dsb ish; tlbi vmalle1; dsb ish; isb" : : : "memory");
	write_reg(sctlr_el1, read_reg(sctlr_el1) | 1 | 1 << 2 | 1 << 12);
	isb();
}

/* What GCC calls by itself. */
void *memset(void *dst, int c, size_t n)
{
	for (volatile uint8_t *p = dst; n; n--)
		*p++ = (uint8_t)c;
	return dst;
}

void *memcpy(void *dst, const void *src, size_t n)
{
	volatile uint8_t *d = dst;
	for (const uint8_t *s = src; n; n--)
		*d++ = *s++;
	return dst;
}
