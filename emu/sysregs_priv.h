/* SPDX-License-Identifier: BSD-2-Clause */
/* One row of emu/sysregs.def as a structure, and the hooks that rows name. */
#ifndef EMU_SYSREGS_PRIV_H
#define EMU_SYSREGS_PRIV_H

#include "emu/sys_priv.h"

enum emu_sysreg_verdict { EMU_SYSREG_OK, EMU_SYSREG_TRAP /* EC 0x18, to EL1 */, EMU_SYSREG_UNDEFINED };

struct emu_sysreg_desc {
	const char *name;
	uint32_t enc;      /* EMU_SYSREG() */
	uint16_t sr;       /* enum emu_sysreg: its storage */
	uint8_t read_el;   /* the lowest EL that may read it; 4: it cannot be read */
	uint8_t write_el;
	int feature;       /* enum emu_feature it comes with, -1 for always */
	uint64_t reset;
	uint64_t wmask;    /* bits that a write changes, where there is no write hook */
	uint64_t (*read)(struct emu_cpu *cpu, const struct emu_sysreg_desc *reg);
	void (*write)(struct emu_cpu *cpu, const struct emu_sysreg_desc *reg, uint64_t val);
	/* Controls beyond the EL: traps of EL0, locks. NULL: none. */
	enum emu_sysreg_verdict (*check)(const struct emu_cpu *cpu, const struct emu_sysreg_desc *reg, bool is_read);
};

/* The table, for tests. */
extern const struct emu_sysreg_desc emu_sysregs[];
extern const unsigned emu_n_sysregs;

/* A SYS instruction (op0 is 1): IC, DC, AT, TLBI, CFP, DVP, CPP. */
struct emu_sysop_desc {
	const char *name;
	uint32_t enc;
	uint8_t el;        /* the lowest EL that may execute it */
	int feature;
	void (*exec)(struct emu_cpu *cpu, const struct emu_sysop_desc *op, uint64_t val);
	enum emu_sysreg_verdict (*check)(const struct emu_cpu *cpu);
};
extern const struct emu_sysop_desc emu_sysops[];
extern const unsigned emu_n_sysops;

#define READ_HOOK(name) uint64_t emu_read_##name(struct emu_cpu *cpu, const struct emu_sysreg_desc *reg)
#define WRITE_HOOK(name) void emu_write_##name(struct emu_cpu *cpu, const struct emu_sysreg_desc *reg, uint64_t val)
#define CHECK_HOOK(name) \
	enum emu_sysreg_verdict emu_check_##name(const struct emu_cpu *cpu, const struct emu_sysreg_desc *reg, \
		bool is_read)

/* emu/gtimer.c */
READ_HOOK(cntct);
READ_HOOK(cnt_ctl);
READ_HOOK(cnt_cval);
READ_HOOK(cnt_tval);
WRITE_HOOK(cnt_ctl);
WRITE_HOOK(cnt_cval);
WRITE_HOOK(cnt_tval);
CHECK_HOOK(cntpct);
CHECK_HOOK(cntvct);
CHECK_HOOK(cntfrq);
CHECK_HOOK(cntv);
CHECK_HOOK(cntp);

/* emu/debug.c */
READ_HOOK(dbgclaim);
WRITE_HOOK(mdscr);
WRITE_HOOK(oslar);
WRITE_HOOK(dbgclaimset);
WRITE_HOOK(dbgclaimclr);
WRITE_HOOK(breakpoint);
WRITE_HOOK(watchpoint);
CHECK_HOOK(dcc);
CHECK_HOOK(breakpoint);
CHECK_HOOK(watchpoint);

/* emu/pmu.c */
READ_HOOK(pmcr);
READ_HOOK(pmccntr);
READ_HOOK(pmxevcntr);
READ_HOOK(pmxevtyper);
READ_HOOK(pmceid);
READ_HOOK(pmcntenset_alias);
READ_HOOK(pmintenset_alias);
READ_HOOK(pmovsset_alias);
READ_HOOK(pmcounter);
WRITE_HOOK(pmcr);
WRITE_HOOK(pmcntenset);
WRITE_HOOK(pmcntenclr);
WRITE_HOOK(pmintenset);
WRITE_HOOK(pmintenclr);
WRITE_HOOK(pmovsset);
WRITE_HOOK(pmovsclr);
WRITE_HOOK(pmswinc);
WRITE_HOOK(pmccntr);
WRITE_HOOK(pmcounter);
WRITE_HOOK(pmtyper);
WRITE_HOOK(pmxevcntr);
WRITE_HOOK(pmxevtyper);
CHECK_HOOK(pmu);
CHECK_HOOK(pmccntr);
CHECK_HOOK(pmcounter);
CHECK_HOOK(pmselr);
CHECK_HOOK(pmswinc);

#endif
