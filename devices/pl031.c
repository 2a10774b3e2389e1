/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PrimeCell real time clock, PL031 (Arm DDI 0224C): a counter of seconds with a
 * match register.
 *
 * The counter starts out as the host's time of day and runs with the machine's
 * virtual clock; it keeps running over a reset. Thread: registers on vCPU
 * threads, the alarm on the clock's thread, all under dev.lock.
 */
#include "devices/fdt.h"
#include "devices/reg.h"

#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

struct pl031 {
	struct devices_device dev;
	struct emu_timer *alarm;
	uint64_t offset_ns;    /* counter = (virtual time + offset) in seconds, 32 bits of it */
	uint64_t due;          /* virtual time of the next match; UINT64_MAX: none */
	uint32_t mr, lr, imsc, ris;
};

static struct pl031 *pl031_of(struct devices_device *dev)
{
	return (struct pl031 *)dev;
}

static void update_irq(struct pl031 *s)
{
	emu_irq_set(&s->dev.irq[0], s->ris & s->imsc);
}

static uint64_t counter_ns(const struct pl031 *s)
{
	return emu_clock_now(s->dev.env->clock) + s->offset_ns;
}

/* Arms the alarm for the next second that matches, this one included. */
static void set_alarm(struct pl031 *s)
{
	uint64_t now = counter_ns(s);
	uint32_t left = s->mr - (uint32_t)(now / NS_PER_S);
	uint64_t match = left ? (now / NS_PER_S + left) * NS_PER_S : now;
	s->due = match - s->offset_ns;
	emu_timer_arm(s->alarm, s->due);
}

static void alarm_fired(void *opaque)
{
	struct pl031 *s = opaque;
	pthread_mutex_lock(&s->dev.lock);
	/* Not so if the alarm has been moved since the timer fired. */
	if (emu_clock_now(s->dev.env->clock) >= s->due) {
		s->due = UINT64_MAX;
		s->ris = 1;
		update_irq(s);
	}
	pthread_mutex_unlock(&s->dev.lock);
}

static uint32_t read_dr(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return (uint32_t)(counter_ns(pl031_of(dev)) / NS_PER_S);
}

static void write_mr(struct devices_device *dev, unsigned i, uint32_t raw)
{
	set_alarm(pl031_of(dev));
}

static void write_lr(struct devices_device *dev, unsigned i, uint32_t raw)
{
	struct pl031 *s = pl031_of(dev);
	s->offset_ns = s->lr * NS_PER_S - emu_clock_now(dev->env->clock);
	set_alarm(s);
}

/* The counter was started at power-on and cannot be stopped. */
static uint32_t read_cr(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return 1;
}

static void write_cr(struct devices_device *dev, unsigned i, uint32_t raw)
{
}

static void write_imsc(struct devices_device *dev, unsigned i, uint32_t raw)
{
	update_irq(pl031_of(dev));
}

static uint32_t read_mis(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return pl031_of(dev)->ris & pl031_of(dev)->imsc;
}

static void write_icr(struct devices_device *dev, unsigned i, uint32_t raw)
{
	pl031_of(dev)->ris &= ~raw;
	update_irq(pl031_of(dev));
}

#define MEMBER(m) .member = offsetof(struct pl031, m)

static const struct devices_regs regs = {
	.rows = (const struct devices_reg[]){
		{ "RTCDR", 0x00, .read = read_dr },
		{ "RTCMR", 0x04, MEMBER(mr), .writable = UINT32_MAX, .write = write_mr },
		{ "RTCLR", 0x08, MEMBER(lr), .writable = UINT32_MAX, .write = write_lr },
		{ "RTCCR", 0x0c, .read = read_cr, .write = write_cr },
		{ "RTCIMSC", 0x10, MEMBER(imsc), .writable = 1, .write = write_imsc },
		{ "RTCRIS", 0x14, MEMBER(ris) },
		{ "RTCMIS", 0x18, .read = read_mis },
		{ "RTCICR", 0x1c, .write = write_icr },
		{ .name = NULL },
	},
	.primecell_id = (const uint8_t[8]){ 0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 },
};

static void reset(struct devices_device *dev)
{
	struct pl031 *s = pl031_of(dev);
	pthread_mutex_lock(&dev->lock);
	emu_timer_cancel(s->alarm);
	s->due = UINT64_MAX;
	devices_reg_reset(dev, &regs);
	update_irq(s);
	pthread_mutex_unlock(&dev->lock);
}

static bool realize(struct devices_device *dev, struct vmd_error *err)
{
	struct pl031 *s = pl031_of(dev);
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	s->offset_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec - emu_clock_now(dev->env->clock);
	s->due = UINT64_MAX;
	s->alarm = emu_timer_new(dev->env->clock, alarm_fired, s, err);
	if (!s->alarm)
		return false;
	if (devices_reg_map(dev, 0x1000, err))
		return true;
	emu_timer_free(s->alarm);
	return false;
}

static void unrealize(struct devices_device *dev)
{
	emu_timer_free(pl031_of(dev)->alarm);
}

static bool add_node(struct devices_device *dev, void *fdt, const struct devices_fdt *ctx, struct vmd_error *err)
{
	const uint64_t reg[][2] = { { dev->wiring.base, 0x1000 } };
	struct devices_node node = devices_node_open(fdt, "pl031", dev->wiring.base);
	devices_node_strings(&node, "compatible", "arm,pl031\0arm,primecell\0");
	devices_node_reg(&node, reg, 1);
	devices_node_spis(&node, ctx, dev->wiring.spi, 1, DEVICES_FDT_LEVEL_HIGH);
	devices_node_u32(&node, "clocks", ctx->clock_phandle);
	devices_node_strings(&node, "clock-names", "apb_pclk\0");
	return devices_node_close(&node, err);
}

const struct devices_class devices_pl031_class = {
	.name = "pl031",
	.summary = "Arm PrimeCell real time clock",
	.size = sizeof(struct pl031),
	.regs = &regs,
	.realize = realize,
	.unrealize = unrealize,
	.reset = reset,
	.fdt = add_node,
};
