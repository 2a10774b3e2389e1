/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GICv2 (IHI 0048B) without the Security Extensions but with interrupt groups:
 * distributor (chapter 4.3) and CPU interface (chapter 4.4) of up to 8 CPUs.
 *
 * The CPU interface and the distributor's first 32 interrupts are banked by the
 * CPU that makes the access; an access that no vCPU makes is CPU 0's. An SGI is
 * pending by source: its latch is set while any source is (sgi_sources).
 *
 * Thread: any; see gic_priv.h for the lock.
 */
#include "devices/gic_priv.h"

#include <string.h>

#define MAX_CPUS 8
#define DIST_SIZE 0x10000
#define CPU_SIZE 0x10000
#define NOT_THIS_GROUP 1022 /* read when the interrupt is Group 1's and the register Group 0's */

#define GICC_CTLR_GROUP0 (1u << 0)
#define GICC_CTLR_GROUP1 (1u << 1)
#define GICC_CTLR_ACKCTL (1u << 2)
#define GICC_CTLR_FIQEN (1u << 3)
#define GICC_CTLR_CBPR (1u << 4)
#define GICC_CTLR_EOIMODE (1u << 9)
#define GICC_CTLR_MASK 0x3ffu /* the interrupt bypass bits are kept, there is no bypass */

struct gicv2 {
	struct gic gic;
	uint8_t targets[GIC_MAX_BANKS * 32];
};

/* ---- Distributor ---- */

static uint32_t read_ctlr(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return gic->ctlr;
}

static void write_ctlr(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	gic->ctlr = (gic->ctlr & ~lanes) | (value & 3);
	for (unsigned c = 0; c < gic->num_cpu; c++)
		gic_mark_cpu(gic, &gic->cpu[c]);
}

static uint32_t read_typer(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return (gic_n_banks(gic) - 1) | (uint32_t)(gic->num_cpu - 1) << 5;
}

static uint32_t read_dist_iidr(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return 0x0200143b; /* GIC-400 */
}

/* Local interrupts read as targeting the reader; with one CPU all do, and the
 * register is RAZ/WI. */
static uint32_t read_targets(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	if (gic->num_cpu == 1)
		return 0;
	if (i < GIC_N_LOCAL / 4)
		return 0x01010101u << cpu->index;
	uint32_t value = 0;
	for (unsigned b = 0; b < 4; b++)
		value |= (uint32_t)((struct gicv2 *)gic)->targets[4 * i + b] << 8 * b;
	return value;
}

static void route_spi(struct gic *gic, unsigned intid)
{
	for (unsigned c = 0; c < gic->num_cpu; c++)
		gic_route(gic, &gic->cpu[c], intid,
			  gic->num_cpu == 1 || (((struct gicv2 *)gic)->targets[intid] >> c & 1));
}

static void write_targets(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	if (i < GIC_N_LOCAL / 4)
		return;
	for (unsigned b = 0; b < 4 && 4 * i + b < gic->num_irq; b++) {
		if (!(lanes >> 8 * b & 0xff))
			continue;
		((struct gicv2 *)gic)->targets[4 * i + b] = value >> 8 * b & ((1u << gic->num_cpu) - 1);
		route_spi(gic, 4 * i + b);
	}
}

static void set_sgi(struct gic *gic, struct gic_cpu *cpu, unsigned sgi, uint8_t sources)
{
	cpu->sgi_sources[sgi] = sources;
	uint32_t bit = UINT32_C(1) << sgi;
	cpu->local.latched = sources ? cpu->local.latched | bit : cpu->local.latched & ~bit;
	gic_mark_cpu(gic, cpu);
}

/* NSATT is ignored: there are no security states. */
static void write_sgir(struct gic *gic, struct gic_cpu *self, unsigned i, uint32_t value, uint32_t lanes)
{
	unsigned sgi = value & 0xf;
	uint32_t all = (1u << gic->num_cpu) - 1, own = 1u << self->index;
	const uint32_t by_filter[4] = { value >> 16 & 0xff, all & ~own, own, 0 };
	uint32_t targets = by_filter[value >> 24 & 3] & all;
	for (; targets; targets &= targets - 1) {
		struct gic_cpu *cpu = &gic->cpu[__builtin_ctz(targets)];
		set_sgi(gic, cpu, sgi, cpu->sgi_sources[sgi] | (uint8_t)own);
	}
}

static uint32_t read_sgi_pend(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	uint32_t value = 0;
	for (unsigned b = 0; b < 4; b++)
		value |= (uint32_t)cpu->sgi_sources[4 * i + b] << 8 * b;
	return value;
}

static void write_cpendsgi(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	for (unsigned b = 0; b < 4; b++)
		set_sgi(gic, cpu, 4 * i + b, cpu->sgi_sources[4 * i + b] & (uint8_t)~(value >> 8 * b));
}

static void write_spendsgi(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	uint32_t all = (1u << gic->num_cpu) - 1;
	for (unsigned b = 0; b < 4; b++)
		set_sgi(gic, cpu, 4 * i + b, cpu->sgi_sources[4 * i + b] | (uint8_t)(value >> 8 * b & all));
}

/* PIDR4 to PIDR7, PIDR0 to PIDR3, CIDR0 to CIDR3: a GIC-400. */
static const uint8_t dist_id[12] = { 0x04, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1 };

static uint32_t read_dist_id(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return dist_id[i];
}

static const struct gic_reg dist_regs[] = {
	{ "GICD_CTLR", 0x000, 1, read_ctlr, write_ctlr },
	{ "GICD_TYPER", 0x004, 1, read_typer, NULL },
	{ "GICD_IIDR", 0x008, 1, read_dist_iidr, NULL },
	GIC_COMMON_REGS("GICD_", GIC_MAX_BANKS),
	{ "GICD_ITARGETSR", 0x800, GIC_MAX_BANKS * 8, read_targets, write_targets },
	{ "GICD_ICFGR", 0xc00, GIC_MAX_BANKS * 2, gic_read_cfg, gic_write_cfg },
	{ "GICD_NSACR", 0xe00, 64, NULL, NULL },
	{ "GICD_SGIR", 0xf00, 1, NULL, write_sgir },
	{ "GICD_CPENDSGIR", 0xf10, 4, read_sgi_pend, write_cpendsgi },
	{ "GICD_SPENDSGIR", 0xf20, 4, read_sgi_pend, write_spendsgi },
	{ "GICD_PIDR", 0xfd0, 12, read_dist_id, NULL },
	{ .name = NULL },
};

/* ---- CPU interface ---- */

static uint32_t read_cpu_ctlr(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return cpu->cpu_ctlr;
}

static void write_cpu_ctlr(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	cpu->cpu_ctlr = (cpu->cpu_ctlr & ~lanes) | (value & GICC_CTLR_MASK);
	cpu->grpen[0] = cpu->cpu_ctlr & GICC_CTLR_GROUP0;
	cpu->grpen[1] = cpu->cpu_ctlr & GICC_CTLR_GROUP1;
	cpu->fiq_en = cpu->cpu_ctlr & GICC_CTLR_FIQEN;
	cpu->cbpr = cpu->cpu_ctlr & GICC_CTLR_CBPR;
	cpu->eoimode = cpu->cpu_ctlr & GICC_CTLR_EOIMODE;
	gic_mark_cpu(gic, cpu);
}

static uint32_t read_pmr(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return cpu->pmr;
}

static void write_pmr(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	cpu->pmr = value & GIC_PRIO_MASK;
	gic_mark_cpu(gic, cpu);
}

static uint32_t read_bpr(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return gic_read_bpr(cpu, 0);
}

static void write_bpr(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	gic_write_bpr(gic, cpu, 0, value);
}

static uint32_t read_abpr(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return gic_read_bpr(cpu, 1);
}

static void write_abpr(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	gic_write_bpr(gic, cpu, 1, value);
}

/* What a register of `group` shows of the best pending interrupt: IAR, EOIR and
 * HPPIR are Group 0's, and Group 1's too with AckCtl; the aliases are Group 1's. */
static unsigned visible_intid(const struct gic_cpu *cpu, const struct gic_hppi *hppi, unsigned group)
{
	if (hppi->intid == GIC_SPURIOUS || hppi->group == group)
		return hppi->intid;
	if (group == 1)
		return GIC_SPURIOUS;
	return cpu->cpu_ctlr & GICC_CTLR_ACKCTL ? hppi->intid : NOT_THIS_GROUP;
}

/* Of an SGI, the lowest source goes into CPUID. */
static uint32_t with_source(const struct gic_cpu *cpu, unsigned intid)
{
	if (intid >= GIC_N_SGIS || !cpu->sgi_sources[intid])
		return intid;
	return intid | (uint32_t)__builtin_ctz(cpu->sgi_sources[intid]) << 10;
}

static uint32_t acknowledge(struct gic *gic, struct gic_cpu *cpu, unsigned group)
{
	const struct gic_hppi *hppi = gic_hppi(gic, cpu);
	if (hppi->intid == GIC_SPURIOUS || !gic_can_preempt(cpu))
		return GIC_SPURIOUS;
	unsigned intid = visible_intid(cpu, hppi, group);
	if (intid >= gic->num_irq)
		return intid;
	uint32_t value = with_source(cpu, intid);
	gic_activate(gic, cpu);
	if (intid < GIC_N_SGIS)
		set_sgi(gic, cpu, intid, cpu->sgi_sources[intid] & (uint8_t)~(1u << (value >> 10 & 7)));
	return value;
}

static uint32_t read_iar(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return acknowledge(gic, cpu, 0);
}

static uint32_t read_aiar(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return acknowledge(gic, cpu, 1);
}

static uint32_t highest_pending(struct gic *gic, struct gic_cpu *cpu, unsigned group)
{
	return with_source(cpu, visible_intid(cpu, gic_hppi(gic, cpu), group));
}

static uint32_t read_hppir(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return highest_pending(gic, cpu, 0);
}

static uint32_t read_ahppir(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return highest_pending(gic, cpu, 1);
}

/* EOIR ends whatever is running, AEOIR only what is of Group 1. */
static void write_eoir(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	unsigned intid = value & 0x3ff;
	if (intid >= gic->num_irq)
		return;
	if (gic_active_group(cpu) < 0) {
		devices_guest_error(&gic->dev, "GICC_EOIR: INTID %u ended on CPU %u, where none runs", intid,
				    cpu->index);
		return;
	}
	gic_drop_priority(gic, cpu);
	if (!cpu->eoimode)
		gic_deactivate(gic, cpu, intid);
}

static void write_aeoir(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	if (gic_active_group(cpu) == 1)
		write_eoir(gic, cpu, i, value, lanes);
}

static void write_dir(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	unsigned intid = value & 0x3ff;
	if (intid < gic->num_irq && cpu->eoimode)
		gic_deactivate(gic, cpu, intid);
}

static uint32_t read_rpr(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return gic_running_prio(cpu);
}

/* Five bits of priority fit the first register of four; the others are RAZ/WI. */
static uint32_t read_apr(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return i ? 0 : cpu->apr[0];
}

static void write_apr(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	if (i == 0)
		cpu->apr[0] = (cpu->apr[0] & ~lanes) | value;
	gic_mark_cpu(gic, cpu);
}

static uint32_t read_nsapr(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return i ? 0 : cpu->apr[1];
}

static void write_nsapr(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	if (i == 0)
		cpu->apr[1] = (cpu->apr[1] & ~lanes) | value;
	gic_mark_cpu(gic, cpu);
}

static uint32_t read_cpu_iidr(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return 0x0202143b; /* GIC-400 */
}

static const struct gic_reg cpu_regs[] = {
	{ "GICC_CTLR", 0x0000, 1, read_cpu_ctlr, write_cpu_ctlr },
	{ "GICC_PMR", 0x0004, 1, read_pmr, write_pmr },
	{ "GICC_BPR", 0x0008, 1, read_bpr, write_bpr },
	{ "GICC_IAR", 0x000c, 1, read_iar, NULL },
	{ "GICC_EOIR", 0x0010, 1, NULL, write_eoir },
	{ "GICC_RPR", 0x0014, 1, read_rpr, NULL },
	{ "GICC_HPPIR", 0x0018, 1, read_hppir, NULL },
	{ "GICC_ABPR", 0x001c, 1, read_abpr, write_abpr },
	{ "GICC_AIAR", 0x0020, 1, read_aiar, NULL },
	{ "GICC_AEOIR", 0x0024, 1, NULL, write_aeoir },
	{ "GICC_AHPPIR", 0x0028, 1, read_ahppir, NULL },
	{ "GICC_APR", 0x00d0, 4, read_apr, write_apr },
	{ "GICC_NSAPR", 0x00e0, 4, read_nsapr, write_nsapr },
	{ "GICC_IIDR", 0x00fc, 1, read_cpu_iidr, NULL },
	{ "GICC_DIR", 0x1000, 1, NULL, write_dir },
	{ .name = NULL },
};

/* ---- The frames in memory ---- */

static struct gic_cpu *accessing_cpu(struct gic *gic)
{
	int cpu = emu_current_cpu();
	return &gic->cpu[cpu >= 0 && (uint64_t)cpu < gic->num_cpu ? cpu : 0];
}

static bool read_frame(struct gic *gic, const struct gic_reg *rows, uint64_t offset, unsigned size,
		       uint64_t *ret_value)
{
	gic_lock(gic);
	*ret_value = gic_reg_read(gic, rows, accessing_cpu(gic), offset, size);
	gic_unlock(gic);
	return true;
}

static bool write_frame(struct gic *gic, const struct gic_reg *rows, uint64_t offset, unsigned size, uint64_t value)
{
	gic_lock(gic);
	gic_reg_write(gic, rows, accessing_cpu(gic), offset, size, value);
	gic_unlock(gic);
	return true;
}

static bool dist_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value)
{
	return read_frame(opaque, dist_regs, offset, size, ret_value);
}

static bool dist_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	return write_frame(opaque, dist_regs, offset, size, value);
}

static bool cpu_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value)
{
	return read_frame(opaque, cpu_regs, offset, size, ret_value);
}

static bool cpu_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	return write_frame(opaque, cpu_regs, offset, size, value);
}

static const struct emu_mmio_ops dist_ops = { .read = dist_read, .write = dist_write };
static const struct emu_mmio_ops cpu_ops = { .read = cpu_read, .write = cpu_write };

/* ---- Life ---- */

static void reset(struct devices_device *dev)
{
	struct gic *gic = (struct gic *)dev;
	gic_lock(gic);
	gic_reset(gic);
	for (unsigned c = 0; c < gic->num_cpu; c++)
		gic->cpu[c].fiq_en = false;
	memset(((struct gicv2 *)gic)->targets, 0, sizeof(((struct gicv2 *)gic)->targets));
	for (unsigned intid = GIC_N_LOCAL; intid < gic->num_irq; intid++)
		route_spi(gic, intid);
	gic_unlock(gic);
}

static bool realize(struct devices_device *dev, struct vmd_error *err)
{
	struct gic *gic = (struct gic *)dev;
	gic->sgis_always_enabled = true;
	if (!gic_init(gic, MAX_CPUS, err))
		return false;
	const struct emu_region_desc dist = {
		.name = "gicv2-distributor",
		.kind = EMU_REGION_MMIO,
		.base = dev->wiring.base,
		.size = DIST_SIZE,
		.ops = &dist_ops,
		.opaque = gic,
	};
	const struct emu_region_desc cpu = {
		.name = "gicv2-cpu",
		.kind = EMU_REGION_MMIO,
		.base = gic->second_base,
		.size = CPU_SIZE,
		.ops = &cpu_ops,
		.opaque = gic,
	};
	if (!devices_map(dev, &dist, err) || !devices_map(dev, &cpu, err))
		return false;
	reset(dev);
	return true;
}

static bool add_node(struct devices_device *dev, void *fdt, const struct devices_fdt *ctx, struct vmd_error *err)
{
	const struct gic *gic = (struct gic *)dev;
	const uint64_t reg[][2] = { { dev->wiring.base, DIST_SIZE }, { gic->second_base, CPU_SIZE } };
	struct devices_node node = gic_node_open(dev, fdt, ctx, "arm,cortex-a15-gic\0", reg);
	return devices_node_close(&node, err);
}

static const struct devices_prop props[] = {
	GIC_COMMON_PROPS(MAX_CPUS),
	{ .name = NULL },
};

const struct devices_class devices_gicv2_class = {
	.name = "arm-gicv2",
	.summary = "Arm Generic Interrupt Controller, version 2",
	.size = sizeof(struct gicv2),
	.props = props,
	.realize = realize,
	.reset = reset,
	.fdt = add_node,
};
