/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What GICv2 and GICv3 have in common: the state of interrupts in banks of 32,
 * the registers laid out alike in GICD (both) and GICR, the choice of the
 * highest priority pending interrupt, and the CPU interface's priorities.
 *
 * Locking: everything is under dev.lock, taken by gic_lock(). What changes an
 * interrupt or a CPU interface marks the CPUs concerned in `dirty`; gic_unlock()
 * drives their output lines once, so no line glitches half way through a write.
 */
#ifndef DEVICES_GIC_PRIV_H
#define DEVICES_GIC_PRIV_H

#include "devices/fdt.h"
#include "devices/gic.h"

#define GIC_MAX_BANKS 32
#define GIC_N_SGIS 16
#define GIC_N_LOCAL 32          /* SGIs and PPIs */
#define GIC_SPURIOUS 1023
#define GIC_PRIO_MASK 0xf8u     /* five bits of priority: 32 levels */
#define GIC_PRIO_SHIFT 3
#define GIC_IDLE_PRIO 0xffu
#define GIC_MIN_BPR 2u          /* of Group 0; Group 1's is one more */

/* 32 consecutive interrupts, a bit each. */
struct gic_bank {
	uint32_t group;    /* 1: Group 1 */
	uint32_t enabled;
	uint32_t latched;  /* pending by an edge, a message or software */
	uint32_t active;
	uint32_t level;    /* the input wire; survives a reset */
	uint32_t edge;     /* ICFGR: 1 edge-triggered, 0 level-sensitive */
	uint8_t prio[32];
};

struct gic_hppi {
	uint16_t intid;    /* GIC_SPURIOUS when none */
	uint8_t prio;
	uint8_t group;
};

struct gic_cpu {
	unsigned index;
	uint64_t mpidr;
	bool mpidr_set;
	struct emu_irq irq, fiq;
	bool irq_level, fiq_level;

	struct gic_bank local;              /* SGIs and PPIs */
	uint32_t routed[GIC_MAX_BANKS];     /* interrupts that may be signalled here */
	struct gic_hppi hppi;               /* valid unless the CPU is dirty */

	/* The CPU interface. */
	uint8_t pmr;
	uint8_t bpr[2];
	bool grpen[2];
	bool cbpr, eoimode;
	bool fiq_en;        /* Group 0 is signalled as FIQ */
	uint32_t apr[2];    /* active priorities by group, a bit a level */

	uint32_t waker;     /* GICv3: GICR_WAKER */
	uint32_t cpu_ctlr;  /* GICv2: GICC_CTLR */
	uint8_t sgi_sources[GIC_N_SGIS]; /* GICv2: who has each SGI pending here */
};

struct gic {
	struct devices_device dev;
	uint64_t num_cpu, num_irq;          /* properties */
	uint64_t second_base;               /* redistributors or CPU interface */
	bool sgis_always_enabled;           /* GICv2 */
	uint32_t ctlr;                      /* GICD_CTLR; bits 1:0 enable the groups */
	uint64_t dirty;                     /* CPUs whose outputs need a look */
	struct gic_bank spi[GIC_MAX_BANKS - 1];
	struct gic_cpu cpu[EMU_MAX_CPUS];
};

void gic_lock(struct gic *gic);
void gic_unlock(struct gic *gic);

/* Checks num-irq and gives CPUs without an affinity the usual one. */
bool gic_init(struct gic *gic, unsigned max_cpus, struct vmd_error *err);
/* Everything but wires and routes. The lock is held. */
void gic_reset(struct gic *gic);

static inline unsigned gic_n_banks(const struct gic *gic)
{
	return (unsigned)(gic->num_irq + 31) / 32;
}

/* NULL for a bank that is not there, and for bank 0 without a CPU. */
struct gic_bank *gic_bank_at(struct gic *gic, struct gic_cpu *cpu, unsigned i);
/* The bits of bank i that are interrupts (the last four INTIDs of all are not). */
uint32_t gic_bank_valid(const struct gic *gic, unsigned i);
/* Interrupts `mask` of bank i have changed. `cpu` for bank 0. */
void gic_mark(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t mask);
/* The CPU interface of `cpu` has changed. */
void gic_mark_cpu(struct gic *gic, const struct gic_cpu *cpu);
static inline uint32_t gic_pending(const struct gic_bank *bank)
{
	return bank->latched | (bank->level & ~bank->edge);
}
void gic_route(struct gic *gic, struct gic_cpu *cpu, unsigned intid, bool on);

/* ---- The CPU interface ---- */

/* The best pending interrupt of an enabled group, whatever the mask and the
 * running priority; brought up to date. */
const struct gic_hppi *gic_hppi(struct gic *gic, struct gic_cpu *cpu);
/* Whether that interrupt is signalled now. */
bool gic_can_preempt(const struct gic_cpu *cpu);
unsigned gic_running_prio(const struct gic_cpu *cpu);
/* Makes the signalled interrupt active. */
void gic_activate(struct gic *gic, struct gic_cpu *cpu);
/* The group of the highest active priority, -1 if none is active. */
int gic_active_group(const struct gic_cpu *cpu);
void gic_drop_priority(struct gic *gic, struct gic_cpu *cpu);
void gic_deactivate(struct gic *gic, struct gic_cpu *cpu, unsigned intid);
/* Binary points as the guest reads and writes them; `group` 1 follows CBPR. */
unsigned gic_read_bpr(const struct gic_cpu *cpu, unsigned group);
void gic_write_bpr(struct gic *gic, struct gic_cpu *cpu, unsigned group, uint64_t value);

/* ---- Registers: words, a table row each ---- */

struct gic_reg {
	const char *name;
	uint32_t offset;
	uint32_t count;  /* words */
	/* NULL: reads as zero, writes are ignored. `lanes` are the bits written. */
	uint32_t (*read)(struct gic *gic, struct gic_cpu *cpu, unsigned i);
	void (*write)(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes);
};

/* Any size from 1 to 8; an 8-byte access is two words, lower first. The rows
 * end with a NULL name and are ordered. The lock is held. */
uint64_t gic_reg_read(struct gic *gic, const struct gic_reg *rows, struct gic_cpu *cpu, uint64_t offset,
		      unsigned size);
void gic_reg_write(struct gic *gic, const struct gic_reg *rows, struct gic_cpu *cpu, uint64_t offset, unsigned size,
		   uint64_t value);

uint32_t gic_read_group(struct gic *gic, struct gic_cpu *cpu, unsigned i);
void gic_write_group(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes);
uint32_t gic_read_enable(struct gic *gic, struct gic_cpu *cpu, unsigned i);
void gic_write_isenable(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes);
void gic_write_icenable(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes);
uint32_t gic_read_pend(struct gic *gic, struct gic_cpu *cpu, unsigned i);
void gic_write_ispend(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes);
void gic_write_icpend(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes);
uint32_t gic_read_active(struct gic *gic, struct gic_cpu *cpu, unsigned i);
void gic_write_isactive(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes);
void gic_write_icactive(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes);
uint32_t gic_read_prio(struct gic *gic, struct gic_cpu *cpu, unsigned i);
void gic_write_prio(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes);
uint32_t gic_read_cfg(struct gic *gic, struct gic_cpu *cpu, unsigned i);
void gic_write_cfg(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes);

/* The rows common to GICD and to GICR's SGI frame, for `n` banks. */
#define GIC_COMMON_REGS(prefix, n)                                                      \
	{ prefix "IGROUPR", 0x080, (n), gic_read_group, gic_write_group },              \
	{ prefix "ISENABLER", 0x100, (n), gic_read_enable, gic_write_isenable },        \
	{ prefix "ICENABLER", 0x180, (n), gic_read_enable, gic_write_icenable },        \
	{ prefix "ISPENDR", 0x200, (n), gic_read_pend, gic_write_ispend },              \
	{ prefix "ICPENDR", 0x280, (n), gic_read_pend, gic_write_icpend },              \
	{ prefix "ISACTIVER", 0x300, (n), gic_read_active, gic_write_isactive },        \
	{ prefix "ICACTIVER", 0x380, (n), gic_read_active, gic_write_icactive },        \
	{ prefix "IPRIORITYR", 0x400, (n) * 8, gic_read_prio, gic_write_prio }

/* ---- Properties and node, common to all versions ---- */

#define GIC_COMMON_PROPS(max_cpus) \
	{ .name = "num-cpu", .type = DEVICES_PROP_UINT, .offset = offsetof(struct gic, num_cpu), .def = "1", \
	  .min = 1, .max = (max_cpus), .help = "how many CPUs it serves" }, \
	{ .name = "num-irq", .type = DEVICES_PROP_UINT, .offset = offsetof(struct gic, num_irq), .def = "288", \
	  .min = 64, .max = 1020, .help = "how many INTIDs it has: a multiple of 32, or 1020" }

/* Begins the interrupt controller's node, with all that the versions have in
 * common; `compatible` is a list of strings, `reg` its two frames. The caller
 * adds the rest, and closes it. */
struct devices_node gic_node_open(const struct devices_device *dev, void *fdt, const struct devices_fdt *ctx,
				  const char *compatible, const uint64_t reg[2][2]);

/* ---- GICv3 only ---- */

bool gicv3_sysreg_read(void *opaque, unsigned cpu, uint32_t reg, uint64_t *ret_value);
bool gicv3_sysreg_write(void *opaque, unsigned cpu, uint32_t reg, uint64_t value);

#endif
