/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures the interpreter: guest instructions per host second, over the
 * programs of guest.c with every access a TLB hit.
 *
 *   mips GUEST.BIN
 */
#include "tests/unit/bare.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
	static const char *const programs[] = {"sieve", "hash", "calls", "indirect", "copy"};
	double seconds = 0, retired = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: mips GUEST.BIN\n");
		return 2;
	}
	for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct bare *b = bare_new();
		FILE *f = fopen(argv[1], "rb");
		if (!f || fread(b->mem + 0x10000, 1, BARE_MEM_SIZE - 0x10000, f) == 0) {
			perror(argv[1]);
			return 2;
		}
		fclose(f);
		b->cpu.pc = 0x10000;
		b->cpu.x[0] = i;

		double begin = now();
		bare_run(b);
		double taken = now() - begin;
		if (b->ec != 0x3c) {
			fprintf(stderr, "%s: exception class %#x at %#" PRIx64 "\n", programs[i], b->ec, b->elr);
			return 1;
		}
		printf("%-10s %8.1f MIPS  (%" PRIu64 " instructions, result %016" PRIx64 ")\n", programs[i],
			(double)b->cpu.retired / taken * 1e-6, b->cpu.retired, b->cpu.x[0]);
		seconds += taken;
		retired += (double)b->cpu.retired;
		bare_free(b);
	}
	printf("%-10s %8.1f MIPS\n", "all", retired / seconds * 1e-6);
	return 0;
}
