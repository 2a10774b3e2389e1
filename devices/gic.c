/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of the interrupt controllers that GICv2 (IHI 0048B) and GICv3
 * (IHI 0069) share, in one security state: interrupts in banks of 32, the
 * prioritisation of chapters 3 and 4.8, and the registers common to both.
 *
 * An interrupt is pending when its latch is set or when it is level-sensitive
 * and its wire is up; acknowledging clears the latch, so a level interrupt is
 * pending again by its wire alone. An active interrupt is never signalled.
 *
 * Thread: any; see gic_priv.h for the lock.
 */
#include "devices/gic_priv.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

void gic_lock(struct gic *gic)
{
	pthread_mutex_lock(&gic->dev.lock);
}

static void drive_outputs(struct gic *gic, struct gic_cpu *cpu)
{
	const struct gic_hppi *hppi = gic_hppi(gic, cpu);
	bool signalled = hppi->intid != GIC_SPURIOUS && gic_can_preempt(cpu);
	bool as_fiq = hppi->group == 0 && cpu->fiq_en;
	bool irq = signalled && !as_fiq, fiq = signalled && as_fiq;
	if (irq != cpu->irq_level) {
		cpu->irq_level = irq;
		emu_irq_set(&cpu->irq, irq);
	}
	if (fiq != cpu->fiq_level) {
		cpu->fiq_level = fiq;
		emu_irq_set(&cpu->fiq, fiq);
	}
}

void gic_unlock(struct gic *gic)
{
	while (gic->dirty)
		drive_outputs(gic, &gic->cpu[__builtin_ctzll(gic->dirty)]);
	pthread_mutex_unlock(&gic->dev.lock);
}

struct gic_bank *gic_bank_at(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	if (i == 0)
		return cpu ? &cpu->local : NULL;
	return i < gic_n_banks(gic) ? &gic->spi[i - 1] : NULL;
}

uint32_t gic_bank_valid(const struct gic *gic, unsigned i)
{
	uint64_t left = gic->num_irq - 32 * i;
	return left >= 32 ? UINT32_MAX : (UINT32_C(1) << left) - 1;
}

void gic_mark_cpu(struct gic *gic, const struct gic_cpu *cpu)
{
	gic->dirty |= UINT64_C(1) << cpu->index;
}

void gic_mark(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t mask)
{
	if (i == 0) {
		gic_mark_cpu(gic, cpu);
		return;
	}
	for (unsigned c = 0; c < gic->num_cpu; c++)
		if (gic->cpu[c].routed[i] & mask)
			gic_mark_cpu(gic, &gic->cpu[c]);
}

void gic_route(struct gic *gic, struct gic_cpu *cpu, unsigned intid, bool on)
{
	uint32_t bit = UINT32_C(1) << intid % 32;
	if (on)
		cpu->routed[intid / 32] |= bit;
	else
		cpu->routed[intid / 32] &= ~bit;
	gic_mark_cpu(gic, cpu);
}

/* ---- Choosing an interrupt ---- */

const struct gic_hppi *gic_hppi(struct gic *gic, struct gic_cpu *cpu)
{
	uint64_t self = UINT64_C(1) << cpu->index;
	if (!(gic->dirty & self))
		return &cpu->hppi;
	gic->dirty &= ~self;
	struct gic_hppi best = { .intid = GIC_SPURIOUS, .prio = GIC_IDLE_PRIO };
	bool group0 = (gic->ctlr & 1) && cpu->grpen[0];
	bool group1 = (gic->ctlr & 2) && cpu->grpen[1];
	for (unsigned i = 0; (group0 || group1) && i < gic_n_banks(gic); i++) {
		const struct gic_bank *bank = gic_bank_at(gic, cpu, i);
		uint32_t groups = (group0 ? ~bank->group : 0) | (group1 ? bank->group : 0);
		uint32_t todo = gic_pending(bank) & bank->enabled & ~bank->active & cpu->routed[i] & groups;
		for (; todo; todo &= todo - 1) {
			unsigned n = (unsigned)__builtin_ctz(todo);
			if (bank->prio[n] < best.prio)
				best = (struct gic_hppi){
					.intid = (uint16_t)(32 * i + n),
					.prio = bank->prio[n],
					.group = bank->group >> n & 1,
				};
		}
	}
	cpu->hppi = best;
	return &cpu->hppi;
}

/* The bits of a priority that decide about preemption (IHI 0069, 4.8.5). */
static unsigned group_prio_mask(const struct gic_cpu *cpu, unsigned group)
{
	if (group == 0 || cpu->cbpr)
		return 0xfeu << cpu->bpr[0] & 0xff;
	return 0xffu << cpu->bpr[1] & 0xff;
}

unsigned gic_running_prio(const struct gic_cpu *cpu)
{
	uint32_t active = cpu->apr[0] | cpu->apr[1];
	return active ? (unsigned)__builtin_ctz(active) << GIC_PRIO_SHIFT : GIC_IDLE_PRIO;
}

bool gic_can_preempt(const struct gic_cpu *cpu)
{
	if (cpu->hppi.prio >= cpu->pmr)
		return false;
	unsigned running = gic_running_prio(cpu), mask = group_prio_mask(cpu, cpu->hppi.group);
	return running == GIC_IDLE_PRIO || (cpu->hppi.prio & mask) < (running & mask);
}

/* ---- The CPU interface ---- */

void gic_activate(struct gic *gic, struct gic_cpu *cpu)
{
	struct gic_hppi hppi = cpu->hppi;
	struct gic_bank *bank = gic_bank_at(gic, cpu, hppi.intid / 32);
	uint32_t bit = UINT32_C(1) << hppi.intid % 32;
	unsigned level = (hppi.prio & group_prio_mask(cpu, hppi.group)) >> GIC_PRIO_SHIFT;
	cpu->apr[hppi.group] |= UINT32_C(1) << level;
	bank->active |= bit;
	bank->latched &= ~bit;
	gic_mark(gic, cpu, hppi.intid / 32, bit);
	gic_mark_cpu(gic, cpu);
}

int gic_active_group(const struct gic_cpu *cpu)
{
	uint32_t active = cpu->apr[0] | cpu->apr[1];
	if (!active)
		return -1;
	return cpu->apr[0] & active & -active ? 0 : 1;
}

void gic_drop_priority(struct gic *gic, struct gic_cpu *cpu)
{
	int group = gic_active_group(cpu);
	if (group < 0)
		return;
	cpu->apr[group] &= cpu->apr[group] - 1;
	gic_mark_cpu(gic, cpu);
}

void gic_deactivate(struct gic *gic, struct gic_cpu *cpu, unsigned intid)
{
	struct gic_bank *bank = gic_bank_at(gic, cpu, intid / 32);
	if (!bank)
		return;
	uint32_t bit = UINT32_C(1) << intid % 32;
	bank->active &= ~bit;
	gic_mark(gic, cpu, intid / 32, bit);
}

unsigned gic_read_bpr(const struct gic_cpu *cpu, unsigned group)
{
	if (group == 1 && cpu->cbpr)
		return cpu->bpr[0] < 7 ? cpu->bpr[0] + 1u : 7;
	return cpu->bpr[group];
}

void gic_write_bpr(struct gic *gic, struct gic_cpu *cpu, unsigned group, uint64_t value)
{
	if (group == 1 && cpu->cbpr)
		return;
	unsigned min = GIC_MIN_BPR + group;
	value &= 7;
	cpu->bpr[group] = (uint8_t)(value < min ? min : value);
	gic_mark_cpu(gic, cpu);
}

/* ---- Registers ---- */

static const struct gic_reg *find_row(const struct gic_reg *rows, uint64_t offset)
{
	for (; rows->name && rows->offset <= offset; rows++)
		if (offset - rows->offset < 4 * (uint64_t)rows->count)
			return rows;
	return NULL;
}

static uint32_t read_word(struct gic *gic, const struct gic_reg *rows, struct gic_cpu *cpu, uint64_t word)
{
	const struct gic_reg *row = find_row(rows, word);
	if (!row) {
		devices_guest_error(&gic->dev, "read at 0x%" PRIx64 " of %s's frame, where no register is", word,
				    rows->name);
		return 0;
	}
	return row->read ? row->read(gic, cpu, (unsigned)(word - row->offset) / 4) : 0;
}

static void write_word(struct gic *gic, const struct gic_reg *rows, struct gic_cpu *cpu, uint64_t word, uint32_t value,
		       uint32_t lanes)
{
	const struct gic_reg *row = find_row(rows, word);
	if (row && row->write)
		row->write(gic, cpu, (unsigned)(word - row->offset) / 4, value, lanes);
	else if (!row)
		devices_guest_error(&gic->dev, "write of 0x%" PRIx32 " at 0x%" PRIx64
				    " of %s's frame, where no register is", value, word, rows->name);
}

static uint32_t lane_mask(uint64_t offset, unsigned size)
{
	uint32_t mask = size >= 4 ? UINT32_MAX : (UINT32_C(1) << (8 * size)) - 1;
	return mask << 8 * (offset & 3);
}

uint64_t gic_reg_read(struct gic *gic, const struct gic_reg *rows, struct gic_cpu *cpu, uint64_t offset, unsigned size)
{
	uint64_t word = offset & ~UINT64_C(3);
	uint32_t low = read_word(gic, rows, cpu, word);
	if (size == 8)
		return low | (uint64_t)read_word(gic, rows, cpu, word + 4) << 32;
	return (low & lane_mask(offset, size)) >> 8 * (offset & 3);
}

void gic_reg_write(struct gic *gic, const struct gic_reg *rows, struct gic_cpu *cpu, uint64_t offset, unsigned size,
		   uint64_t value)
{
	uint64_t word = offset & ~UINT64_C(3);
	uint32_t lanes = lane_mask(offset, size);
	write_word(gic, rows, cpu, word, (uint32_t)value << 8 * (offset & 3) & lanes, lanes);
	if (size == 8)
		write_word(gic, rows, cpu, word + 4, (uint32_t)(value >> 32), UINT32_MAX);
}

uint32_t gic_read_group(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	const struct gic_bank *bank = gic_bank_at(gic, cpu, i);
	return bank ? bank->group : 0;
}

void gic_write_group(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	struct gic_bank *bank = gic_bank_at(gic, cpu, i);
	if (!bank)
		return;
	lanes &= gic_bank_valid(gic, i);
	bank->group = (bank->group & ~lanes) | (value & lanes);
	gic_mark(gic, cpu, i, lanes);
}

uint32_t gic_read_enable(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	const struct gic_bank *bank = gic_bank_at(gic, cpu, i);
	return bank ? bank->enabled : 0;
}

void gic_write_isenable(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	struct gic_bank *bank = gic_bank_at(gic, cpu, i);
	if (!bank)
		return;
	bank->enabled |= value & gic_bank_valid(gic, i);
	gic_mark(gic, cpu, i, value);
}

void gic_write_icenable(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	struct gic_bank *bank = gic_bank_at(gic, cpu, i);
	if (!bank)
		return;
	if (i == 0 && gic->sgis_always_enabled)
		value &= ~((UINT32_C(1) << GIC_N_SGIS) - 1);
	bank->enabled &= ~value;
	gic_mark(gic, cpu, i, value);
}

uint32_t gic_read_pend(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	const struct gic_bank *bank = gic_bank_at(gic, cpu, i);
	return bank ? gic_pending(bank) : 0;
}

/* GICv2's SGIs are pending by source: ISPENDR and ICPENDR do not reach them. */
static uint32_t software_pend_mask(const struct gic *gic, unsigned i)
{
	uint32_t valid = gic_bank_valid(gic, i);
	return i == 0 && gic->sgis_always_enabled ? valid & ~((UINT32_C(1) << GIC_N_SGIS) - 1) : valid;
}

void gic_write_ispend(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	struct gic_bank *bank = gic_bank_at(gic, cpu, i);
	if (!bank)
		return;
	bank->latched |= value & software_pend_mask(gic, i);
	gic_mark(gic, cpu, i, value);
}

void gic_write_icpend(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	struct gic_bank *bank = gic_bank_at(gic, cpu, i);
	if (!bank)
		return;
	bank->latched &= ~(value & software_pend_mask(gic, i));
	gic_mark(gic, cpu, i, value);
}

uint32_t gic_read_active(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	const struct gic_bank *bank = gic_bank_at(gic, cpu, i);
	return bank ? bank->active : 0;
}

void gic_write_isactive(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	struct gic_bank *bank = gic_bank_at(gic, cpu, i);
	if (!bank)
		return;
	bank->active |= value & gic_bank_valid(gic, i);
	gic_mark(gic, cpu, i, value);
}

void gic_write_icactive(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	struct gic_bank *bank = gic_bank_at(gic, cpu, i);
	if (!bank)
		return;
	bank->active &= ~value;
	gic_mark(gic, cpu, i, value);
}

/* A word of IPRIORITYR is four interrupts, a word of ICFGR is sixteen. */

uint32_t gic_read_prio(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	const struct gic_bank *bank = gic_bank_at(gic, cpu, i / 8);
	uint32_t value = 0;
	for (unsigned b = 0; bank && b < 4; b++)
		value |= (uint32_t)bank->prio[i % 8 * 4 + b] << 8 * b;
	return value;
}

void gic_write_prio(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	struct gic_bank *bank = gic_bank_at(gic, cpu, i / 8);
	if (!bank)
		return;
	uint32_t valid = gic_bank_valid(gic, i / 8) >> i % 8 * 4 & 0xf;
	for (unsigned b = 0; b < 4; b++)
		if ((lanes >> 8 * b & 0xff) && (valid >> b & 1))
			bank->prio[i % 8 * 4 + b] = value >> 8 * b & GIC_PRIO_MASK;
	gic_mark(gic, cpu, i / 8, valid << i % 8 * 4);
}

uint32_t gic_read_cfg(struct gic *gic, struct gic_cpu *cpu, unsigned i)
{
	const struct gic_bank *bank = gic_bank_at(gic, cpu, i / 2);
	uint32_t value = 0;
	for (unsigned b = 0; bank && b < 16; b++)
		value |= (bank->edge >> (i % 2 * 16 + b) & 1) << (2 * b + 1);
	return value;
}

void gic_write_cfg(struct gic *gic, struct gic_cpu *cpu, unsigned i, uint32_t value, uint32_t lanes)
{
	struct gic_bank *bank = gic_bank_at(gic, cpu, i / 2);
	if (!bank || i == 0) /* SGIs are always edge-triggered */
		return;
	uint32_t valid = gic_bank_valid(gic, i / 2), edge = bank->edge;
	for (unsigned b = 0; b < 16; b++) {
		uint32_t bit = UINT32_C(1) << (i % 2 * 16 + b) & valid;
		if (!(lanes >> (2 * b + 1) & 1))
			continue;
		edge = value >> (2 * b + 1) & 1 ? edge | bit : edge & ~bit;
	}
	gic_mark(gic, cpu, i / 2, edge ^ bank->edge);
	bank->edge = edge;
}

/* ---- Wires ---- */

/* n: INTID, and for PPIs the CPU above bit 16. */
static void set_wire(void *opaque, unsigned n, bool level)
{
	struct gic *gic = opaque;
	unsigned intid = n & 0xffff;
	struct gic_cpu *cpu = &gic->cpu[n >> 16];
	uint32_t bit = UINT32_C(1) << intid % 32;
	gic_lock(gic);
	struct gic_bank *bank = gic_bank_at(gic, cpu, intid / 32);
	if (level != !!(bank->level & bit)) {
		bank->level ^= bit;
		if (level && (bank->edge & bit))
			bank->latched |= bit;
		gic_mark(gic, cpu, intid / 32, bit);
	}
	gic_unlock(gic);
}

struct emu_irq devices_gic_spi(struct devices_device *dev, unsigned n)
{
	struct gic *gic = (struct gic *)dev;
	assert(GIC_N_LOCAL + n < gic->num_irq);
	return (struct emu_irq){ .set = set_wire, .opaque = gic, .n = GIC_N_LOCAL + n };
}

struct emu_irq devices_gic_ppi(struct devices_device *dev, unsigned cpu, unsigned intid)
{
	struct gic *gic = (struct gic *)dev;
	assert(cpu < gic->num_cpu && intid >= GIC_N_SGIS && intid < GIC_N_LOCAL);
	return (struct emu_irq){ .set = set_wire, .opaque = gic, .n = cpu << 16 | intid };
}

void devices_gic_connect_cpu(struct devices_device *dev, unsigned cpu, struct emu_irq irq, struct emu_irq fiq)
{
	struct gic *gic = (struct gic *)dev;
	assert(cpu < gic->num_cpu);
	gic->cpu[cpu].irq = irq;
	gic->cpu[cpu].fiq = fiq;
}

void devices_gic_set_bases(struct devices_device *dev, uint64_t redist_or_cpu_base)
{
	((struct gic *)dev)->second_base = redist_or_cpu_base;
}

void devices_gic_set_affinity(struct devices_device *dev, unsigned cpu, uint64_t mpidr)
{
	struct gic *gic = (struct gic *)dev;
	assert(cpu < EMU_MAX_CPUS);
	gic->cpu[cpu].mpidr = mpidr & UINT64_C(0xff00ffffff);
	gic->cpu[cpu].mpidr_set = true;
}

/* ---- Life ---- */

bool gic_init(struct gic *gic, unsigned max_cpus, struct vmd_error *err)
{
	if (gic->num_cpu > max_cpus) {
		vmd_error_set(err, VMD_ERR_LIMIT, 0, "%s serves up to %u CPUs, not %" PRIu64, gic->dev.cls->name,
			      max_cpus, gic->num_cpu);
		return vmd_error_hint(err, "use fewer CPUs, or gic-version=3");
	}
	if (gic->num_irq % 32 && gic->num_irq != 1020)
		return vmd_error_set(err, VMD_ERR_INVALID, 0,
				     "%s: property 'num-irq': %" PRIu64 " is neither a multiple of 32 nor 1020",
				     gic->dev.cls->name, gic->num_irq);
	for (unsigned c = 0; c < gic->num_cpu; c++) {
		gic->cpu[c].index = c;
		if (!gic->cpu[c].mpidr_set)
			gic->cpu[c].mpidr = (c / 16) << 8 | c % 16;
	}
	return true;
}

static void reset_bank(struct gic_bank *bank)
{
	*bank = (struct gic_bank){ .level = bank->level };
}

void gic_reset(struct gic *gic)
{
	gic->ctlr = 0;
	for (unsigned i = 1; i < gic_n_banks(gic); i++)
		reset_bank(&gic->spi[i - 1]);
	for (unsigned c = 0; c < gic->num_cpu; c++) {
		struct gic_cpu *cpu = &gic->cpu[c];
		reset_bank(&cpu->local);
		cpu->local.edge = (UINT32_C(1) << GIC_N_SGIS) - 1;
		if (gic->sgis_always_enabled)
			cpu->local.enabled = (UINT32_C(1) << GIC_N_SGIS) - 1;
		cpu->routed[0] = UINT32_MAX;
		cpu->pmr = 0;
		for (unsigned group = 0; group < 2; group++) {
			cpu->bpr[group] = (uint8_t)(GIC_MIN_BPR + group);
			cpu->grpen[group] = false;
			cpu->apr[group] = 0;
		}
		cpu->cbpr = cpu->eoimode = false;
		cpu->cpu_ctlr = 0;
		memset(cpu->sgi_sources, 0, sizeof(cpu->sgi_sources));
		gic_mark_cpu(gic, cpu);
	}
}

/* ---- The device tree ---- */

struct devices_node gic_node_open(const struct devices_device *dev, void *fdt, const struct devices_fdt *ctx,
				  const char *compatible, const uint64_t reg[2][2])
{
	struct devices_node node = devices_node_open(fdt, "intc", dev->wiring.base);

	devices_node_strings(&node, "compatible", compatible);
	devices_node_u32(&node, "#interrupt-cells", 3);
	devices_node_empty(&node, "interrupt-controller");
	devices_node_u32(&node, "#address-cells", 2);
	devices_node_u32(&node, "#size-cells", 2);
	devices_node_empty(&node, "ranges");
	devices_node_reg(&node, reg, 2);
	devices_node_u32(&node, "phandle", ctx->gic_phandle);
	return node;
}
