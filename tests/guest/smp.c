/* SPDX-License-Identifier: BSD-2-Clause */
/* PSCI, and four vCPUs that share counters by exclusives, atomics and WFE. */
#include "guest.h"

#define N 4
#define ROUNDS 20000

static volatile uint64_t ready[N], lock, plain, by_exclusive, by_atomic, turn, finished;

static void add_exclusive(volatile uint64_t *p)
{
	uint64_t v;
	uint32_t failed;
	do {
		asm volatile("ldxr %0, [%2]; add %0, %0, #1; stxr %w1, %0, [%2]" : "=&r"(v), "=&r"(failed) : "r"(p)
			: "memory");
	} while (failed);
}

/* The spinlock that waits by LDAXR and WFE. */
static void take_lock(void)
{
	uint32_t v, failed;
	asm volatile("sevl\n"
		"1: wfe\n"
		"2: ldaxr %0, [%2]\n"
		"cbnz %0, 1b\n"
		"stxr %w1, %3, [%2]\n"
		"cbnz %w1, 2b\n" : "=&r"(v), "=&r"(failed) : "r"(&lock), "r"(1ull) : "memory");
}

static void release_lock(void)
{
	asm volatile("stlr xzr, [%0]" : : "r"(&lock) : "memory");
}

static void work(uint64_t me)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		add_exclusive(&by_exclusive);
		asm volatile("ldadd %0, xzr, [%1]" : : "r"(1ull), "r"(&by_atomic) : "memory");
		if (i % 16 == 0) {
			take_lock();
			plain++;
			release_lock();
		}
	}
	/* In turn: each waits for SEV from the one before. */
	while (turn != me)
		asm volatile("wfe" : : : "memory");
	turn = me + 1;
	dsb();
	asm volatile("sev");
	add_exclusive(&finished);
	dsb();
	asm volatile("sev");
}

void secondary(uint64_t n)
{
	ready[n] = 1 + (read_reg(mpidr_el1) & 0xff);
	dsb();
	work(n);
}

int main(void)
{
	print("version %x\n", hvc(0x84000000, 0, 0, 0));
	print("features cpu_on %x, unknown %x\n", hvc(0x8400000a, 0xc4000003, 0, 0), hvc(0x8400000a, 0x84001234, 0, 0));
	print("migrate info type %x\n", hvc(0x84000006, 0, 0, 0));
	print("affinity self %x other %x none %x\n", hvc(0xc4000004, 0, 0, 0), hvc(0xc4000004, 1, 0, 0),
		hvc(0xc4000004, 77, 0, 0));
	print("on: self %x none %x\n", hvc(0xc4000003, 0, (uint64_t)secondary_start, 0),
		hvc(0xc4000003, 77, (uint64_t)secondary_start, 0));
	for (uint64_t i = 1; i < N; i++)
		print("on %d: %x\n", i, hvc(0xc4000003, i, (uint64_t)secondary_start, i));
	for (unsigned i = 1; i < N; i++) {
		while (!ready[i])
			;
	}
	print("ready %d %d %d\n", ready[1], ready[2], ready[3]);
	print("affinity %x, on again %x\n", hvc(0xc4000004, 1, 0, 0), hvc(0xc4000003, 1, 0, 0));
	work(0);
	while (finished != N)
		asm volatile("wfe" : : : "memory");
	for (unsigned i = 1; i < N; i++) {
		while (hvc(0xc4000004, i, 0, 0) != 1)
			;
	}
	print("exclusive %d atomic %d locked %d\n", by_exclusive, by_atomic, plain);
	print("off: %x\n", hvc(0xc4000004, 1, 0, 0));
	/* Off and on once more. */
	ready[2] = 0;
	turn = 2;
	print("on 2: %x\n", hvc(0x84000003, 2, (uint64_t)secondary_start, 2));
	while (hvc(0x84000004, 2, 0, 0) != 1)
		;
	print("ready %d, exclusive %d\n", ready[2], by_exclusive);
	print("done\n");
	return 0;
}
