/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the differential tester's host side. */
#ifndef RISU_HOST_H
#define RISU_HOST_H

#include "tests/risu/risu.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* xorshift64*: small, seedable, the same everywhere. */
struct risu_rng {
	uint64_t s;
};

static inline uint64_t risu_rand(struct risu_rng *r)
{
	r->s ^= r->s >> 12;
	r->s ^= r->s << 25;
	r->s ^= r->s >> 27;
	return r->s * 0x2545F4914F6CDD1Dull;
}

static inline unsigned risu_below(struct risu_rng *r, unsigned n)
{
	return (unsigned)((risu_rand(r) >> 32) % n);
}

/* ---- machine.c: the interpreter as a user-mode machine ---- */

struct risu_machine;
struct risu_machine *risu_machine_new(void);
void risu_machine_free(struct risu_machine *m);
/* Runs the case. *ret_fault is the faulting address when the outcome is RISU_FAULT. */
void risu_machine_run(struct risu_machine *m, const struct risu_case *c, struct risu_result *ret_result,
		      uint64_t *ret_fault);

/* ---- generate.c: random cases ---- */

enum risu_fpcr { RISU_FPCR_ZERO, RISU_FPCR_ALL };
/* A random instruction of the encoding table's entry `enc`. */
uint32_t risu_random_insn(struct risu_rng *r, unsigned enc);
/* A random word that is in no entry of the table, near to those that are. */
uint32_t risu_random_unallocated(struct risu_rng *r);
/* Random state biased to interesting values; `insn`'s base register points into the block if it is a load or store. */
void risu_random_case(struct risu_rng *r, enum risu_fpcr fpcr, uint32_t insn, struct risu_case *ret_case);
/* Loads and stores: moves the base register so that the access that faulted at `fault` falls into the block.
 * False when there is nothing to move. */
bool risu_move_base(struct risu_rng *r, uint64_t fault, struct risu_case *c);

/* ---- tables.c: what is not compared, and why ---- */

/* Why the encoding of this name is not tried; NULL: it is. */
const char *risu_skip_reason(const char *name);
/* Which extension of the architecture, that the other side may have and we do
 * not, this unallocated word belongs to; NULL: none. */
const char *risu_foreign_extension(uint32_t insn);
/* Why a difference in this encoding is the other side's mistake, if that is QEMU
 * of this major version; NULL: it is not known to be. */
const char *risu_known_mistake(const char *name, uint32_t insn, unsigned qemu_version);

#endif
