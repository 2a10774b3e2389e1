/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The benchmark's micro-kernels, each about one thing that an emulator must do,
 * repeated N thousand times:
 *
 *	micro loads|calls|indirect|neon|fp|exclusives|svc|asid|tlbi|faults N
 *
 * Plain C, so that it runs natively too. Built for ARMv8.0: an atomic operation
 * is a loop of exclusives. Prints a checksum.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each load's address is the value of the one before it. */
static uint64_t loads(uint64_t n)
{
	static void *ring[2048];
	void **p = ring;

	for (unsigned i = 0; i < 2048; i++)
		ring[i] = &ring[(i * 773 + 1) % 2048];
	for (uint64_t i = 0; i < n; i++)
		p = *p;
	return (uint64_t)(p - ring);
}

static __attribute__((noinline)) uint64_t fib(unsigned n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

/* fib(24) is about 150 000 calls. */
static uint64_t calls(uint64_t n)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < n / 150000; i++)
		sum += fib(24);
	return sum;
}

/* A byte-code interpreter, whose branches' targets come from data. */
static uint64_t indirect(uint64_t n)
{
	static const void *const ops[] = {&&add, &&shift, &&multiply, &&flip, &&again};
	uint8_t program[4097];
	uint64_t acc = 1, seed = 1;
	size_t pc = 0;

	for (size_t i = 0; i < sizeof(program); i++) {
		seed = seed * 6364136223846793005u + 1;
		program[i] = (uint8_t)((seed >> 40) & 3);
	}
	program[sizeof(program) - 1] = 4;
	n /= sizeof(program);
	goto *ops[program[pc++]];
add:
	acc += 12345;
	goto *ops[program[pc++]];
shift:
	acc ^= acc >> 13;
	goto *ops[program[pc++]];
multiply:
	acc *= 0x9e3779b97f4a7c15u;
	goto *ops[program[pc++]];
flip:
	acc = ~acc;
	goto *ops[program[pc++]];
again:
	pc = 0;
	if (n--)
		goto *ops[program[pc++]];
	return acc;
}

typedef uint8_t bytes_t __attribute__((vector_size(16)));
typedef uint16_t halves_t __attribute__((vector_size(16)));
typedef uint32_t words_t __attribute__((vector_size(16)));

/* Vector arithmetic, comparisons, permutes and widening, over a buffer in the first-level cache. */
static uint64_t neon(uint64_t n)
{
	static bytes_t data[512];
	const bytes_t reverse = {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
	bytes_t sum = {0}, v = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	halves_t wide = {0};
	words_t hash = {1, 2, 3, 4};

	for (uint64_t i = 0; i < n; i++) {
		bytes_t d = data[i % 512];
		v = __builtin_shuffle(v + d, reverse) ^ (v >> 3);
		sum += (bytes_t)(v > sum) & v;
		wide += (halves_t)v * (halves_t)d;
		hash = hash * 0x9e3779b1u + (words_t)v;
		data[i % 512] = sum ^ (bytes_t)hash;
	}
	v = sum ^ (bytes_t)wide ^ (bytes_t)hash;
	return ((uint64_t *)&v)[0] ^ ((uint64_t *)&v)[1];
}

/* A chain of dependent additions, products and divisions; it stays near 1. */
static uint64_t fp(uint64_t n)
{
	double x = 1.5, y = 0.3;
	uint64_t bits;

	for (uint64_t i = 0; i < n; i++) {
		x = x * 0.4 + y;
		y = 1 - (x - y) / 1.75;
	}
	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static uint64_t exclusives(uint64_t n)
{
	static uint64_t counter;
	static uint32_t lock;

	for (uint64_t i = 0; i < n; i += 2) {
		uint32_t free = 0;
		__atomic_fetch_add(&counter, i, __ATOMIC_RELAXED);
		__atomic_compare_exchange_n(&lock, &free, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	}
	return counter;
}

static uint64_t svc(uint64_t n)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += (uint64_t)syscall(SYS_getppid) != 0;
	return sum;
}

/* Two processes, so two address spaces, hand a byte to and fro. */
static uint64_t asid(uint64_t n)
{
	int there[2], back[2];
	char c = 0;

	if (pipe(there) || pipe(back))
		return 0;
	pid_t pid = fork();
	if (pid == 0) {
		for (uint64_t i = 0; i < n; i++)
			if (read(there[0], &c, 1) != 1 || write(back[1], &c, 1) != 1)
				_exit(1);
		_exit(0);
	}
	for (uint64_t i = 0; i < n; i++)
		if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			return 0;
	waitpid(pid, NULL, 0);
	return n;
}

/* Permissions taken and given back, and the pages read again. */
static uint64_t tlbi(uint64_t n)
{
	enum { SIZE = 16 << 12 };
	uint64_t sum = 0;
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 0;
	memset(p, 1, SIZE);
	for (uint64_t i = 0; i < n; i++) {
		if (mprotect(p, SIZE, PROT_READ) || mprotect(p, SIZE, PROT_READ | PROT_WRITE))
			return 0;
		for (unsigned page = 0; page < 16; page++)
			sum += (uint64_t)p[page << 12]++;
	}
	munmap(p, SIZE);
	return sum;
}

/* Fresh pages touched once: N thousand of them. */
static uint64_t faults(uint64_t n)
{
	enum { PAGES = 500 };
	uint64_t sum = 0;

	for (uint64_t i = 0; i < n / PAGES; i++) {
		char *p = mmap(NULL, PAGES << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return 0;
		for (unsigned page = 0; page < PAGES; page++)
			sum += (uint64_t)(p[page << 12] = 1);
		munmap(p, PAGES << 12);
	}
	return sum;
}

static const struct {
	const char *name;
	uint64_t (*run)(uint64_t n);
} kernels[] = {
	{"loads", loads}, {"calls", calls}, {"indirect", indirect}, {"neon", neon}, {"fp", fp},
	{"exclusives", exclusives}, {"svc", svc}, {"asid", asid}, {"tlbi", tlbi}, {"faults", faults},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if (!strcmp(argv[1], kernels[i].name)) {
			printf("%016" PRIx64 "\n", kernels[i].run(strtoull(argv[2], NULL, 0) * 1000));
			return 0;
		}
	fprintf(stderr, "usage: micro KERNEL THOUSANDS\n");
	return 2;
}
