/* SPDX-License-Identifier: BSD-2-Clause */
/* What emu/verify.c and emu/verify_report.c share. */
#ifndef EMU_VERIFY_PRIV_H
#define EMU_VERIFY_PRIV_H

#include "emu/access_priv.h"
#include "emu/jit_priv.h"
#include "emu/vcpu_priv.h"
#include "emu/verify.h"

/* The system registers that a step can change: exceptions, and moves that are not executed alone. */
enum {
	VERIFY_COMPARED_SYSREGS = 8,
	VERIFY_SYSREGS = VERIFY_COMPARED_SYSREGS + 2 + EMU_MAX_COUNTERS, /* the rest tell the time */
};
extern const uint16_t verify_sysregs[VERIFY_SYSREGS]; /* enum emu_sysreg */

/* What a step can change. */
struct verify_state {
	uint64_t x[32], pc, sp_el[4];
	uint32_t nzcv, fpcr, fpsr;
	struct emu_pstate pstate;
	struct emu_vreg v[32];
	uint64_t excl_addr, excl_val[2]; /* these are zero while there is none */
	const void *excl_host;
	uint64_t excl_size, retired;
	uint64_t sys[VERIFY_SYSREGS];
};

/* Guest memory that a block has written, by host cache lines. */
enum { VERIFY_LINE = 64, VERIFY_MAX_LINES = 2 * JIT_MAX_INSNS /* no instruction writes more than a line's size */ };
struct verify_line {
	uint8_t *host;
	uint64_t written;  /* a bit per byte */
	uint8_t before[VERIFY_LINE], interp[VERIFY_LINE], jit[VERIFY_LINE];
};

struct emu_verify {
	enum { VERIFY_OFF, VERIFY_INTERP, VERIFY_JIT } phase;
	bool next_is_alone;     /* the run has stopped before such an instruction */
	unsigned limit;         /* instructions that the interpreter may still execute */
	unsigned n_lines;
	struct verify_line line[VERIFY_MAX_LINES], kept[VERIFY_MAX_LINES];
	struct verify_state before, interp, jit, again;
	uint64_t pmu_events[4], pmu_base[EMU_MAX_COUNTERS + 1]; /* before */
	struct emu_tlb_entry *no_view; /* in which every access misses */
	uint64_t n_steps, n_alone, n_disturbed; /* disturbed: something else has written to what a block reads */
};

/* Reports that `what` differs, by what cpu->verify holds. */
void verify_report(struct emu_cpu *cpu, const struct jit_block *block, const char *what);

#endif
