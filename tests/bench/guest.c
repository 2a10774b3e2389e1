/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the interpreter's benchmark executes: bare-metal programs of a few
 * kinds. Entry: X0 is the program's number. Ends with BRK; X0 is a checksum.
 */
#include <stddef.h>
#include <stdint.h>

static uint32_t table[1024];
static uint8_t buffer[65536];

/* Integer arithmetic and branches that predict well: a sieve. */
static uint64_t sieve(void)
{
	uint64_t count = 0;

	for (unsigned round = 0; round < 12; round++) {
		for (unsigned i = 0; i < sizeof(buffer); i++)
			buffer[i] = 1;
		for (unsigned i = 2; i * i < sizeof(buffer); i++)
			if (buffer[i])
				for (unsigned j = i * i; j < sizeof(buffer); j += i)
					buffer[j] = 0;
		for (unsigned i = 2; i < sizeof(buffer); i++)
			count += buffer[i];
	}
	return count;
}

/* Multiplications, shifts and memory: hashing. */
static uint64_t hash(void)
{
	uint64_t h = 14695981039346656037u;

	for (unsigned i = 0; i < 4000000; i++) {
		uint32_t *p = &table[h >> 54];
		*p += (uint32_t)h;
		h = (h ^ *p) * 1099511628211u;
		h = h << 7 | h >> 57;
	}
	return h;
}

/* Calls and returns. */
static __attribute__((noinline)) uint64_t fib(unsigned n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

/* A byte-code interpreter: indirect branches that predict badly. */
static uint64_t vm(void)
{
	static const uint8_t program[16] = {0, 3, 1, 2, 4, 0, 2, 1, 3, 3, 0, 4, 1, 0, 2, 5};
	static const void *const ops[] = {&&add, &&xor, &&shift, &&mul, &&sub, &&loop};
	uint64_t acc = 1;
	unsigned pc = 0, rounds = 300000;

	goto *ops[program[pc++]];
add:
	acc += 12345;
	goto *ops[program[pc++]];
xor:
	acc ^= acc >> 13;
	goto *ops[program[pc++]];
shift:
	acc = acc << 3 | acc >> 61;
	goto *ops[program[pc++]];
mul:
	acc *= 6364136223846793005u;
	goto *ops[program[pc++]];
sub:
	acc -= pc;
	goto *ops[program[pc++]];
loop:
	pc = 0;
	if (--rounds)
		goto *ops[program[pc++]];
	return acc;
}

/* Copies by pairs, as a kernel's memcpy does. */
static uint64_t copy(void)
{
	uint64_t sum = 0;

	for (unsigned round = 0; round < 1000; round++) {
		uint64_t *from = (uint64_t *)buffer, *to = (uint64_t *)(buffer + 32768);
		for (unsigned i = 0; i < 4096; i += 2) {
			uint64_t a = from[i], b = from[i + 1];
			to[i] = a + round;
			to[i + 1] = b;
		}
		sum += to[round];
	}
	return sum;
}

uint64_t bench(uint64_t program)
{
	switch (program) {
	case 0:
		return sieve();
	case 1:
		return hash();
	case 2:
		return fib(27);
	case 3:
		return vm();
	default:
		return copy();
	}
}

__asm__(".section .text.start, \"ax\"\n"
	".globl _start\n"
	"_start:\n"
	"	ldr	x1, =0x1e0000\n"
	"	mov	sp, x1\n"
	"	bl	bench\n"
	"	brk	#0\n"
	"	.ltorg\n");
