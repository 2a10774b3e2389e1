/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the differential tester (tests/risu/risu.c, on the host) and its guest
 * program (tests/risu/guest.c, under another emulator or on hardware) say to
 * each other: a stream of cases one way, one result per case back. Both are
 * little-endian and laid out alike on x86-64 and AArch64.
 */
#ifndef RISU_H
#define RISU_H

#include <stdint.h>

/* Where the instructions and the memory block are, in the guest program and in
 * the interpreter alike, so that PC-relative results agree. The block follows
 * the code page; on both sides of the two nothing is mapped. */
#define RISU_CODE 0x41000000u
#define RISU_CODE_SIZE 0x1000u
/* The first instruction: in the middle, so that branches go both ways. */
#define RISU_ENTRY (RISU_CODE + 0x800u)
#define RISU_MEM 0x41001000u
#define RISU_MEM_SIZE 0x1000u

#define RISU_MAX_INSNS 4

/* Architectural state at EL0. */
struct risu_state {
	uint64_t x[31];
	uint64_t sp;
	uint64_t pc;
	uint32_t nzcv; /* bits 31 to 28 */
	uint32_t fpcr, fpsr;
	uint32_t reserved;
	uint64_t v[32][2];
};

/* The rest of the code page holds UDF, which ends the case. */
struct risu_case {
	uint32_t n_insns;
	uint32_t insns[RISU_MAX_INSNS];
	uint32_t reserved;
	struct risu_state state;
	uint8_t mem[RISU_MEM_SIZE];
};

enum risu_outcome {
	RISU_END,       /* ran into a UDF behind or before the case's instructions */
	RISU_UNDEFINED, /* one of the case's instructions is UNDEFINED */
	RISU_FAULT,     /* a memory abort, for whatever reason */
	RISU_TRAP,      /* any other exception */
};

struct risu_result {
	uint32_t outcome;
	uint32_t reserved;
	struct risu_state state; /* pc: of the UDF or of the instruction that did not complete */
	uint8_t mem[RISU_MEM_SIZE];
};

#endif
