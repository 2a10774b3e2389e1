/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GICv3's CPU interface, the ICC_* system registers (IHI 0069, 12.2), in one
 * security state: Group 0 is signalled as FIQ, Group 1 as IRQ. Whether the
 * exception level may use a register at all is the vCPU's to check.
 *
 * Thread: the vCPU's own; see gic_priv.h for the lock.
 */
#include "devices/gic_priv.h"

#define CTLR_CBPR (1u << 0)
#define CTLR_EOIMODE (1u << 1)
/* PRIbits: five; Aff3 is valid; INTIDs have 16 bits. */
#define CTLR_FIXED ((8u - GIC_PRIO_SHIFT - 1) << 8 | 1u << 15)
#define SGI_IRM (UINT64_C(1) << 40)

#define ICC(op1, crm, op2) EMU_SYSREG(3, op1, 12, crm, op2)

struct icc_reg {
	const char *name;
	uint32_t reg;
	unsigned arg; /* the group the register is about, or a value */
	/* NULL: access that way is UNDEFINED. */
	uint64_t (*read)(struct gic *gic, struct gic_cpu *cpu, unsigned arg);
	void (*write)(struct gic *gic, struct gic_cpu *cpu, unsigned arg, uint64_t value);
};

/* What IAR<group> and HPPIR<group> show of the best pending interrupt. */
static unsigned visible_intid(const struct gic_hppi *hppi, unsigned group)
{
	return hppi->group == group ? hppi->intid : GIC_SPURIOUS;
}

static uint64_t read_iar(struct gic *gic, struct gic_cpu *cpu, unsigned group)
{
	unsigned intid = visible_intid(gic_hppi(gic, cpu), group);
	if (intid == GIC_SPURIOUS || !gic_can_preempt(cpu))
		return GIC_SPURIOUS;
	gic_activate(gic, cpu);
	return intid;
}

static uint64_t read_hppir(struct gic *gic, struct gic_cpu *cpu, unsigned group)
{
	return visible_intid(gic_hppi(gic, cpu), group);
}

/* Ends the highest active priority if it is of this group; anything else is a
 * mistake of the guest's that changes nothing. */
static void write_eoir(struct gic *gic, struct gic_cpu *cpu, unsigned group, uint64_t value)
{
	unsigned intid = value & 0xffffff;
	if (intid >= gic->num_irq)
		return;
	if (gic_active_group(cpu) != (int)group) {
		devices_guest_error(&gic->dev, "ICC_EOIR%u_EL1: INTID %u is not the one running on CPU %u", group,
				    intid, cpu->index);
		return;
	}
	gic_drop_priority(gic, cpu);
	if (!cpu->eoimode)
		gic_deactivate(gic, cpu, intid);
}

static void write_dir(struct gic *gic, struct gic_cpu *cpu, unsigned arg, uint64_t value)
{
	unsigned intid = value & 0xffffff;
	if (intid < gic->num_irq && cpu->eoimode)
		gic_deactivate(gic, cpu, intid);
}

static uint64_t read_pmr(struct gic *gic, struct gic_cpu *cpu, unsigned arg)
{
	return cpu->pmr;
}

static void write_pmr(struct gic *gic, struct gic_cpu *cpu, unsigned arg, uint64_t value)
{
	cpu->pmr = value & GIC_PRIO_MASK;
	gic_mark_cpu(gic, cpu);
}

static uint64_t read_bpr(struct gic *gic, struct gic_cpu *cpu, unsigned group)
{
	return gic_read_bpr(cpu, group);
}

static void write_bpr(struct gic *gic, struct gic_cpu *cpu, unsigned group, uint64_t value)
{
	gic_write_bpr(gic, cpu, group, value);
}

static uint64_t read_apr(struct gic *gic, struct gic_cpu *cpu, unsigned group)
{
	return cpu->apr[group];
}

static void write_apr(struct gic *gic, struct gic_cpu *cpu, unsigned group, uint64_t value)
{
	cpu->apr[group] = (uint32_t)value;
	gic_mark_cpu(gic, cpu);
}

static uint64_t read_grpen(struct gic *gic, struct gic_cpu *cpu, unsigned group)
{
	return cpu->grpen[group];
}

static void write_grpen(struct gic *gic, struct gic_cpu *cpu, unsigned group, uint64_t value)
{
	cpu->grpen[group] = value & 1;
	gic_mark_cpu(gic, cpu);
}

static uint64_t read_rpr(struct gic *gic, struct gic_cpu *cpu, unsigned arg)
{
	return gic_running_prio(cpu);
}

static uint64_t read_ctlr(struct gic *gic, struct gic_cpu *cpu, unsigned arg)
{
	return CTLR_FIXED | (cpu->cbpr ? CTLR_CBPR : 0) | (cpu->eoimode ? CTLR_EOIMODE : 0);
}

static void write_ctlr(struct gic *gic, struct gic_cpu *cpu, unsigned arg, uint64_t value)
{
	cpu->cbpr = value & CTLR_CBPR;
	cpu->eoimode = value & CTLR_EOIMODE;
	gic_mark_cpu(gic, cpu);
}

/* ICC_CTLR_EL3 has EL1's bits at 0 and 1 for Secure and Non-secure EL1, and
 * three EOImodes at 2 to 4; with one security state all of a kind are one. */
static uint64_t read_ctlr_el3(struct gic *gic, struct gic_cpu *cpu, unsigned arg)
{
	return CTLR_FIXED | (cpu->cbpr ? 3u : 0) | (cpu->eoimode ? 7u << 2 : 0);
}

static void write_ctlr_el3(struct gic *gic, struct gic_cpu *cpu, unsigned arg, uint64_t value)
{
	cpu->cbpr = value & 1;
	cpu->eoimode = value >> 2 & 1;
	gic_mark_cpu(gic, cpu);
}

/* SRE, DFB, DIB and Enable are RAO/WI: there is no memory-mapped interface. */
static uint64_t read_constant(struct gic *gic, struct gic_cpu *cpu, unsigned value)
{
	return value;
}

static void write_ignored(struct gic *gic, struct gic_cpu *cpu, unsigned arg, uint64_t value)
{
}

/* An SGI reaches a target where the interrupt is configured in `group`. */
static void write_sgir(struct gic *gic, struct gic_cpu *self, unsigned group, uint64_t value)
{
	uint32_t bit = UINT32_C(1) << (value >> 24 & 0xf);
	uint32_t targets = value & 0xffff;
	/* Aff3, Aff2 and Aff1 as they are in MPIDR; the range selector makes Aff0. */
	uint64_t cluster = (value >> 48 & 0xff) << 32 | (value >> 32 & 0xff) << 16 | (value >> 16 & 0xff) << 8;
	unsigned first = (value >> 44 & 0xf) * 16;
	for (unsigned c = 0; c < gic->num_cpu; c++) {
		struct gic_cpu *cpu = &gic->cpu[c];
		unsigned aff0 = cpu->mpidr & 0xff;
		bool hit = value & SGI_IRM ? cpu != self :
			   (cpu->mpidr & ~UINT64_C(0xff)) == cluster && aff0 >= first && aff0 < first + 16 &&
				   (targets >> (aff0 - first) & 1);
		if (!hit || !!(cpu->local.group & bit) != group)
			continue;
		cpu->local.latched |= bit;
		gic_mark_cpu(gic, cpu);
	}
}

/* The registers of every interrupt come first. */
static const struct icc_reg icc_regs[] = {
	{ "ICC_IAR1_EL1", ICC(0, 12, 0), 1, read_iar, NULL },
	{ "ICC_EOIR1_EL1", ICC(0, 12, 1), 1, NULL, write_eoir },
	{ "ICC_DIR_EL1", ICC(0, 11, 1), 0, NULL, write_dir },
	{ "ICC_SGI1R_EL1", ICC(0, 11, 5), 1, NULL, write_sgir },
	{ "ICC_PMR_EL1", EMU_SYSREG(3, 0, 4, 6, 0), 0, read_pmr, write_pmr },
	{ "ICC_IAR0_EL1", ICC(0, 8, 0), 0, read_iar, NULL },
	{ "ICC_EOIR0_EL1", ICC(0, 8, 1), 0, NULL, write_eoir },
	{ "ICC_HPPIR0_EL1", ICC(0, 8, 2), 0, read_hppir, NULL },
	{ "ICC_BPR0_EL1", ICC(0, 8, 3), 0, read_bpr, write_bpr },
	{ "ICC_AP0R0_EL1", ICC(0, 8, 4), 0, read_apr, write_apr },
	{ "ICC_AP1R0_EL1", ICC(0, 9, 0), 1, read_apr, write_apr },
	{ "ICC_RPR_EL1", ICC(0, 11, 3), 0, read_rpr, NULL },
	{ "ICC_ASGI1R_EL1", ICC(0, 11, 6), 0, NULL, write_sgir },
	{ "ICC_SGI0R_EL1", ICC(0, 11, 7), 0, NULL, write_sgir },
	{ "ICC_HPPIR1_EL1", ICC(0, 12, 2), 1, read_hppir, NULL },
	{ "ICC_BPR1_EL1", ICC(0, 12, 3), 1, read_bpr, write_bpr },
	{ "ICC_CTLR_EL1", ICC(0, 12, 4), 0, read_ctlr, write_ctlr },
	{ "ICC_SRE_EL1", ICC(0, 12, 5), 0x7, read_constant, write_ignored },
	{ "ICC_IGRPEN0_EL1", ICC(0, 12, 6), 0, read_grpen, write_grpen },
	{ "ICC_IGRPEN1_EL1", ICC(0, 12, 7), 1, read_grpen, write_grpen },
	{ "ICC_SRE_EL2", ICC(4, 9, 5), 0xf, read_constant, write_ignored },
	{ "ICC_CTLR_EL3", ICC(6, 12, 4), 0, read_ctlr_el3, write_ctlr_el3 },
	{ "ICC_SRE_EL3", ICC(6, 12, 5), 0xf, read_constant, write_ignored },
	{ "ICC_IGRPEN1_EL3", ICC(6, 12, 7), 1, read_grpen, write_grpen },
};

static const struct icc_reg *find_reg(uint32_t reg)
{
	for (unsigned i = 0; i < sizeof(icc_regs) / sizeof(icc_regs[0]); i++)
		if (icc_regs[i].reg == reg)
			return &icc_regs[i];
	return NULL;
}

bool gicv3_sysreg_read(void *opaque, unsigned cpu, uint32_t reg, uint64_t *ret_value)
{
	struct gic *gic = opaque;
	const struct icc_reg *row = find_reg(reg);
	if (!row || !row->read || cpu >= gic->num_cpu)
		return false;
	gic_lock(gic);
	*ret_value = row->read(gic, &gic->cpu[cpu], row->arg);
	gic_unlock(gic);
	return true;
}

bool gicv3_sysreg_write(void *opaque, unsigned cpu, uint32_t reg, uint64_t value)
{
	struct gic *gic = opaque;
	const struct icc_reg *row = find_reg(reg);
	if (!row || !row->write || cpu >= gic->num_cpu)
		return false;
	gic_lock(gic);
	row->write(gic, &gic->cpu[cpu], row->arg, value);
	gic_unlock(gic);
	return true;
}
