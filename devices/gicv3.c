/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GICv3 (IHI 0069): distributor and redistributors, in one security state
 * (GICD_CTLR.DS is 1) with affinity routing always on (ARE is 1), as QEMU's
 * virt board has it without security extensions. No LPIs. The CPU interface is
 * in gicv3_cpuif.c.
 *
 * A 1-of-N interrupt (GICD_IROUTER.Interrupt_Routing_Mode) is signalled to every
 * CPU; the first to acknowledge it has it, the others read 1023. GICR_WAKER
 * follows the handshake but does not gate interrupts: software that never wakes
 * its redistributor, and works on other emulators, works here.
 *
 * Thread: any; see gic_priv.h for the lock.
 */
#include "devices/gic_priv.h"

#include <string.h>

#define DIST_SIZE 0x10000
#define REDIST_STRIDE 0x20000
#define SGI_FRAME 0x10000

#define GICD_CTLR_GROUPS 0x3u
#define GICD_CTLR_ARE (1u << 4)
#define GICD_CTLR_DS (1u << 6)
#define GICR_WAKER_PROCESSOR_SLEEP (1u << 1)
#define GICR_WAKER_CHILDREN_ASLEEP (1u << 2)
#define GICD_IROUTER_IRM (UINT64_C(1) << 31)
#define GICD_IROUTER_MASK (UINT64_C(0xff00ffffff) | GICD_IROUTER_IRM)
#define IIDR_ARM 0x43bu

struct gicv3 {
	struct gic gic;
	uint64_t router[GIC_MAX_BANKS * 32];
};

/* ---- Distributor ---- */

static uint32_t read_ctlr(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return gic->ctlr | GICD_CTLR_ARE | GICD_CTLR_DS;
}

static void write_ctlr(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	gic->ctlr = (gic->ctlr & ~lanes) | (value & GICD_CTLR_GROUPS);
	for (unsigned c = 0; c < gic->num_cpu; c++)
		gic_mark_cpu(gic, &gic->cpu[c]);
}

/* ITLinesNumber; MBIS; ten bits of INTID; Aff3 is valid. */
static uint32_t read_typer(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return (gic_n_banks(gic) - 1) | 1u << 16 | 9u << 19 | 1u << 24;
}

static uint32_t read_iidr(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return IIDR_ARM;
}

/* GICD_SETSPI_NSR and CLRSPI_NSR: a message is an edge to an edge-triggered
 * interrupt, and moves the wire of a level-sensitive one. */
static void write_spi_message(struct gic *gic, uint32_t value, bool set)
{
	unsigned intid = value & 0x3ff;
	if (intid < GIC_N_LOCAL || intid >= gic->num_irq) {
		devices_guest_error(&gic->dev, "a message for INTID %u, which is not an SPI", intid);
		return;
	}
	struct gic_bank *bank = gic_bank_at(gic, NULL, intid / 32);
	uint32_t bit = UINT32_C(1) << intid % 32;
	uint32_t *state = bank->edge & bit ? &bank->latched : &bank->level;
	*state = set ? *state | bit : *state & ~bit;
	gic_mark(gic, NULL, intid / 32, bit);
}

static void write_setspi(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	write_spi_message(gic, value, true);
}

static void write_clrspi(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	write_spi_message(gic, value, false);
}

static void route_spi(struct gic *gic, unsigned intid)
{
	uint64_t router = ((struct gicv3 *)gic)->router[intid];
	for (unsigned c = 0; c < gic->num_cpu; c++)
		gic_route(gic, &gic->cpu[c], intid, (router & GICD_IROUTER_IRM) || router == gic->cpu[c].mpidr);
}

/* Word i of the array that starts with INTID 32's low half. */
static uint32_t read_router(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return (uint32_t)(((struct gicv3 *)gic)->router[GIC_N_LOCAL + i / 2] >> i % 2 * 32);
}

static void write_router(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	unsigned intid = GIC_N_LOCAL + i / 2, shift = i % 2 * 32;
	if (intid >= gic->num_irq)
		return;
	uint64_t *router = &((struct gicv3 *)gic)->router[intid];
	*router = ((*router & ~((uint64_t)lanes << shift)) | (uint64_t)value << shift) & GICD_IROUTER_MASK;
	route_spi(gic, intid);
}

/* PIDR4 to PIDR7, PIDR0 to PIDR3, CIDR0 to CIDR3: architecture version 3. */
static const uint8_t dist_id[12] = { 0x44, 0, 0, 0, 0x92, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1 };
static const uint8_t redist_id[12] = { 0x44, 0, 0, 0, 0x93, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1 };

static uint32_t read_dist_id(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return dist_id[i];
}

static uint32_t read_redist_id(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return redist_id[i];
}

/* Rows without functions read as zero and ignore writes: not there in one
 * security state (NSACR, IGRPMODR, the secure messages) or not with affinity
 * routing (ITARGETSR, SGIR, CPENDSGIR, SPENDSGIR). */
static const struct gic_reg dist_regs[] = {
	{ "GICD_CTLR", 0x0000, 1, read_ctlr, write_ctlr },
	{ "GICD_TYPER", 0x0004, 1, read_typer, NULL },
	{ "GICD_IIDR", 0x0008, 1, read_iidr, NULL },
	{ "GICD_TYPER2", 0x000c, 1, NULL, NULL },
	{ "GICD_STATUSR", 0x0010, 1, NULL, NULL },
	{ "GICD_SETSPI_NSR", 0x0040, 1, NULL, write_setspi },
	{ "GICD_CLRSPI_NSR", 0x0048, 1, NULL, write_clrspi },
	{ "GICD_SETSPI_SR", 0x0050, 1, NULL, NULL },
	{ "GICD_CLRSPI_SR", 0x0058, 1, NULL, NULL },
	GIC_COMMON_REGS("GICD_", GIC_MAX_BANKS),
	{ "GICD_ITARGETSR", 0x0800, 256, NULL, NULL },
	{ "GICD_ICFGR", 0x0c00, GIC_MAX_BANKS * 2, gic_read_cfg, gic_write_cfg },
	{ "GICD_IGRPMODR", 0x0d00, GIC_MAX_BANKS, NULL, NULL },
	{ "GICD_NSACR", 0x0e00, 64, NULL, NULL },
	{ "GICD_SGIR", 0x0f00, 1, NULL, NULL },
	{ "GICD_CPENDSGIR", 0x0f10, 4, NULL, NULL },
	{ "GICD_SPENDSGIR", 0x0f20, 4, NULL, NULL },
	{ "GICD_IROUTER", 0x6100, (1020 - GIC_N_LOCAL) * 2, read_router, write_router },
	{ "GICD_PIDR", 0xffd0, 12, read_dist_id, NULL },
	{ .name = NULL },
};

/* ---- Redistributors ---- */

static uint32_t read_redist_typer(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	if (i == 1)
		return (uint32_t)(cpu->mpidr >> 32 << 24 | (cpu->mpidr & 0xffffff));
	uint32_t last = cpu->index == gic->num_cpu - 1 ? 1u << 4 : 0;
	return last | cpu->index << 8;
}

static uint32_t read_waker(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	return cpu->waker;
}

/* ChildrenAsleep follows ProcessorSleep at once. */
static void write_waker(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	if (!(lanes & GICR_WAKER_PROCESSOR_SLEEP))
		return;
	bool sleep = value & GICR_WAKER_PROCESSOR_SLEEP;
	cpu->waker = sleep ? GICR_WAKER_PROCESSOR_SLEEP | GICR_WAKER_CHILDREN_ASLEEP : 0;
}

static const struct gic_reg rd_regs[] = {
	{ "GICR_CTLR", 0x0000, 1, NULL, NULL },
	{ "GICR_IIDR", 0x0004, 1, read_iidr, NULL },
	{ "GICR_TYPER", 0x0008, 2, read_redist_typer, NULL },
	{ "GICR_STATUSR", 0x0010, 1, NULL, NULL },
	{ "GICR_WAKER", 0x0014, 1, read_waker, write_waker },
	{ "GICR_PROPBASER", 0x0070, 2, NULL, NULL },
	{ "GICR_PENDBASER", 0x0078, 2, NULL, NULL },
	{ "GICR_PIDR", 0xffd0, 12, read_redist_id, NULL },
	{ .name = NULL },
};

static const struct gic_reg sgi_regs[] = {
	GIC_COMMON_REGS("GICR_", 1),
	{ "GICR_ICFGR", 0x0c00, 2, gic_read_cfg, gic_write_cfg },
	{ "GICR_IGRPMODR", 0x0d00, 1, NULL, NULL },
	{ "GICR_NSACR", 0x0e00, 1, NULL, NULL },
	{ .name = NULL },
};

/* ---- The frames in memory ---- */

static bool dist_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value)
{
	struct gic *gic = opaque;
	gic_lock(gic);
	*ret_value = gic_reg_read(gic, dist_regs, NULL, offset, size);
	gic_unlock(gic);
	return true;
}

static bool dist_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct gic *gic = opaque;
	gic_lock(gic);
	gic_reg_write(gic, dist_regs, NULL, offset, size, value);
	gic_unlock(gic);
	return true;
}

/* The table and CPU of an offset into the redistributors; rebases the offset. */
static const struct gic_reg *redist_frame(struct gic *gic, uint64_t *offset, struct gic_cpu **ret_cpu)
{
	*ret_cpu = &gic->cpu[*offset / REDIST_STRIDE];
	*offset %= REDIST_STRIDE;
	if (*offset < SGI_FRAME)
		return rd_regs;
	*offset -= SGI_FRAME;
	return sgi_regs;
}

static bool redist_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value)
{
	struct gic *gic = opaque;
	struct gic_cpu *cpu;
	const struct gic_reg *rows = redist_frame(gic, &offset, &cpu);
	gic_lock(gic);
	*ret_value = gic_reg_read(gic, rows, cpu, offset, size);
	gic_unlock(gic);
	return true;
}

static bool redist_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct gic *gic = opaque;
	struct gic_cpu *cpu;
	const struct gic_reg *rows = redist_frame(gic, &offset, &cpu);
	gic_lock(gic);
	gic_reg_write(gic, rows, cpu, offset, size, value);
	gic_unlock(gic);
	return true;
}

static const struct emu_mmio_ops dist_ops = { .read = dist_read, .write = dist_write };
static const struct emu_mmio_ops redist_ops = { .read = redist_read, .write = redist_write };

/* ---- Life ---- */

static void reset(struct devices_device *dev)
{
	struct gic *gic = (struct gic *)dev;
	gic_lock(gic);
	gic_reset(gic);
	for (unsigned c = 0; c < gic->num_cpu; c++) {
		gic->cpu[c].fiq_en = true;
		gic->cpu[c].waker = GICR_WAKER_PROCESSOR_SLEEP | GICR_WAKER_CHILDREN_ASLEEP;
	}
	memset(((struct gicv3 *)gic)->router, 0, sizeof(((struct gicv3 *)gic)->router));
	for (unsigned intid = GIC_N_LOCAL; intid < gic->num_irq; intid++)
		route_spi(gic, intid);
	gic_unlock(gic);
}

static bool realize(struct devices_device *dev, struct vmd_error *err)
{
	struct gic *gic = (struct gic *)dev;
	if (!gic_init(gic, EMU_MAX_CPUS, err))
		return false;
	const struct emu_region_desc dist = {
		.name = "gicv3-distributor",
		.kind = EMU_REGION_MMIO,
		.base = dev->wiring.base,
		.size = DIST_SIZE,
		.ops = &dist_ops,
		.opaque = gic,
	};
	const struct emu_region_desc redist = {
		.name = "gicv3-redistributors",
		.kind = EMU_REGION_MMIO,
		.base = gic->second_base,
		.size = gic->num_cpu * REDIST_STRIDE,
		.ops = &redist_ops,
		.opaque = gic,
	};
	if (!devices_map(dev, &dist, err) || !devices_map(dev, &redist, err))
		return false;
	reset(dev);
	return true;
}

static bool add_node(struct devices_device *dev, void *fdt, const struct devices_fdt *ctx, struct vmd_error *err)
{
	const struct gic *gic = (struct gic *)dev;
	const uint64_t reg[][2] = {
		{ dev->wiring.base, DIST_SIZE },
		{ gic->second_base, gic->num_cpu * REDIST_STRIDE },
	};
	struct devices_node node = gic_node_open(dev, fdt, ctx, "arm,gic-v3\0", reg);
	devices_node_u32(&node, "#redistributor-regions", 1);
	return devices_node_close(&node, err);
}

struct emu_gic_cpuif devices_gicv3_cpuif(struct devices_device *dev)
{
	return (struct emu_gic_cpuif){ .read = gicv3_sysreg_read, .write = gicv3_sysreg_write, .opaque = dev };
}

static const struct devices_prop props[] = {
	GIC_COMMON_PROPS(EMU_MAX_CPUS),
	{ .name = NULL },
};

const struct devices_class devices_gicv3_class = {
	.name = "arm-gicv3",
	.summary = "Arm Generic Interrupt Controller, version 3",
	.size = sizeof(struct gicv3),
	.props = props,
	.realize = realize,
	.reset = reset,
	.fdt = add_node,
};
