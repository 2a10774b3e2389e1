/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PrimeCell GPIO, PL061 (Arm DDI 0190B): eight lines, inputs driven through
 * devices_pl061_input(), outputs read back only.
 *
 * Thread: registers on vCPU threads, inputs on any, all under dev.lock.
 */
#include "devices/gpio.h"
#include "devices/fdt.h"
#include "devices/reg.h"

#include <assert.h>

struct pl061 {
	struct devices_device dev;
	uint32_t inputs;              /* the wires; survive a reset */
	uint32_t pins;                /* as last seen by the edge detectors */
	uint32_t latched;             /* edges not yet cleared */
	uint32_t data;                /* what is driven where dir is 1 */
	uint32_t dir, is, ibe, iev, ie, afsel;
};

static struct pl061 *pl061_of(struct devices_device *dev)
{
	return (struct pl061 *)dev;
}

static uint32_t pins(const struct pl061 *s)
{
	return (s->data & s->dir) | (s->inputs & ~s->dir);
}

/* GPIORIS: an edge stays until cleared, a level as long as it lasts. */
static uint32_t raw_status(const struct pl061 *s)
{
	return (s->latched & ~s->is) | (s->is & ~(s->pins ^ s->iev));
}

static void update(struct pl061 *s)
{
	uint32_t now = pins(s), changed = now ^ s->pins;
	s->pins = now;
	/* An edge counts on both (GPIOIBE) or on the one that ends at GPIOIEV. */
	s->latched |= changed & ~s->is & (s->ibe | ~(now ^ s->iev));
	emu_irq_set(&s->dev.irq[0], raw_status(s) & s->ie);
}

static void set_input(void *opaque, unsigned n, bool level)
{
	struct pl061 *s = opaque;
	pthread_mutex_lock(&s->dev.lock);
	s->inputs = (s->inputs & ~(1u << n)) | (uint32_t)level << n;
	update(s);
	pthread_mutex_unlock(&s->dev.lock);
}

struct emu_irq devices_pl061_input(struct devices_device *dev, unsigned n)
{
	assert(n < 8);
	return (struct emu_irq){ .set = set_input, .opaque = dev, .n = n };
}

/* Bits 9:2 of the address, the row's index, mask the access. */
static uint32_t read_data(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return pins(pl061_of(dev)) & i;
}

static void write_data(struct devices_device *dev, unsigned i, uint32_t raw)
{
	struct pl061 *s = pl061_of(dev);
	s->data = (s->data & ~(i & s->dir)) | (raw & i & s->dir);
	update(s);
}

static void write_control(struct devices_device *dev, unsigned i, uint32_t raw)
{
	update(pl061_of(dev));
}

static uint32_t read_ris(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return raw_status(pl061_of(dev));
}

static uint32_t read_mis(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return raw_status(pl061_of(dev)) & pl061_of(dev)->ie;
}

static void write_ic(struct devices_device *dev, unsigned i, uint32_t raw)
{
	pl061_of(dev)->latched &= ~raw;
	update(pl061_of(dev));
}

#define MEMBER(m) .member = offsetof(struct pl061, m)

static const struct devices_regs regs = {
	.rows = (const struct devices_reg[]){
		{ "GPIODATA", 0x000, .count = 256, .read = read_data, .write = write_data },
		{ "GPIODIR", 0x400, MEMBER(dir), .writable = 0xff, .write = write_control },
		{ "GPIOIS", 0x404, MEMBER(is), .writable = 0xff, .write = write_control },
		{ "GPIOIBE", 0x408, MEMBER(ibe), .writable = 0xff, .write = write_control },
		{ "GPIOIEV", 0x40c, MEMBER(iev), .writable = 0xff, .write = write_control },
		{ "GPIOIE", 0x410, MEMBER(ie), .writable = 0xff, .write = write_control },
		{ "GPIORIS", 0x414, .read = read_ris },
		{ "GPIOMIS", 0x418, .read = read_mis },
		{ "GPIOIC", 0x41c, .write = write_ic },
		{ "GPIOAFSEL", 0x420, MEMBER(afsel), .writable = 0xff },
		{ .name = NULL },
	},
	.primecell_id = (const uint8_t[8]){ 0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 },
};

static void reset(struct devices_device *dev)
{
	struct pl061 *s = pl061_of(dev);
	pthread_mutex_lock(&dev->lock);
	devices_reg_reset(dev, &regs);
	s->data = s->latched = 0;
	s->pins = pins(s);
	update(s);
	pthread_mutex_unlock(&dev->lock);
}

static bool realize(struct devices_device *dev, struct vmd_error *err)
{
	return devices_reg_map(dev, 0x1000, err);
}

static bool add_node(struct devices_device *dev, void *fdt, const struct devices_fdt *ctx, struct vmd_error *err)
{
	const uint64_t reg[][2] = { { dev->wiring.base, 0x1000 } };
	struct devices_node node = devices_node_open(fdt, "pl061", dev->wiring.base);
	devices_node_strings(&node, "compatible", "arm,pl061\0arm,primecell\0");
	devices_node_reg(&node, reg, 1);
	devices_node_u32(&node, "#gpio-cells", 2);
	devices_node_empty(&node, "gpio-controller");
	devices_node_u32(&node, "#interrupt-cells", 2);
	devices_node_empty(&node, "interrupt-controller");
	devices_node_spis(&node, ctx, dev->wiring.spi, 1, DEVICES_FDT_LEVEL_HIGH);
	devices_node_u32(&node, "clocks", ctx->clock_phandle);
	devices_node_strings(&node, "clock-names", "apb_pclk\0");
	devices_node_u32(&node, "phandle", (*ctx->next_phandle)++);
	return devices_node_close(&node, err);
}

const struct devices_class devices_pl061_class = {
	.name = "pl061",
	.summary = "Arm PrimeCell GPIO",
	.size = sizeof(struct pl061),
	.regs = &regs,
	.realize = realize,
	.reset = reset,
	.fdt = add_node,
};
