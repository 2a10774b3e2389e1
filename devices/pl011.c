/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PrimeCell UART, PL011 (Arm DDI 0183G), with FIFOs of 16 as in its revision r1p4.
 *
 * Sending takes no time while the chardev takes bytes; what it does not take
 * waits in the transmit FIFO, which the guest sees fill up. The end of a burst
 * of input counts as the receive timeout. Input waits outside until the guest
 * listens: its receive interrupt has been on for a moment, or it polls UARTFR.
 * Drivers empty the FIFO when they open the port, and what was typed (or piped
 * in) before would be lost. The modem inputs are those of a cable
 * whose other end is always ready. No DMA controller is attached, so DMACR only
 * holds its value. A disabled UART still sends and receives, with a note: much
 * small software never enables it.
 *
 * Thread: registers on vCPU threads, the chardev's side on the I/O thread, all
 * under dev.lock.
 */
#include "backends/chardev.h"
#include "devices/fdt.h"
#include "devices/reg.h"

#include <string.h>

#define FIFO_DEPTH 16
#define POLLS_TO_LISTEN 8 /* sending a character reads UARTFR once or twice; who reads on waits for one */
#define SETTLE_NS UINT64_C(10000000) /* for the driver to be done with opening the port */

enum {
	DR_FE = 1u << 8, DR_PE = 1u << 9, DR_BE = 1u << 10, DR_OE = 1u << 11,
	FR_CTS = 1u << 0, FR_DSR = 1u << 1, FR_DCD = 1u << 2, FR_BUSY = 1u << 3, FR_RXFE = 1u << 4,
	FR_TXFF = 1u << 5, FR_RXFF = 1u << 6, FR_TXFE = 1u << 7, FR_RI = 1u << 8,
	LCR_BRK = 1u << 0, LCR_FEN = 1u << 4,
	CR_UARTEN = 1u << 0, CR_LBE = 1u << 7, CR_TXE = 1u << 8, CR_RXE = 1u << 9, CR_DTR = 1u << 10, CR_RTS = 1u << 11,
	CR_OUT1 = 1u << 12, CR_OUT2 = 1u << 13,
	INT_RI = 1u << 0, INT_CTS = 1u << 1, INT_DCD = 1u << 2, INT_DSR = 1u << 3, INT_RX = 1u << 4,
	INT_TX = 1u << 5, INT_RT = 1u << 6, INT_FE = 1u << 7, INT_PE = 1u << 8, INT_BE = 1u << 9, INT_OE = 1u << 10,
	INT_ALL = 0x7ff,
};

struct pl011 {
	struct devices_device dev;
	char *chardev;                     /* property */
	struct backends_chardev *chr;      /* NULL without one */
	uint32_t rsr, ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, ris, dmacr;
	uint32_t modem;                    /* FR_CTS, FR_DSR, FR_DCD, FR_RI as last seen */
	bool overrun;                      /* the next character in carries DR_OE */
	bool breaking;                     /* LCR_H.BRK as last seen */
	bool fifos;                        /* LCR_H.FEN as last seen */
	bool listening;                    /* the guest wants input */
	struct emu_timer *settle;          /* from opening the port to listening */
	bool noted;                        /* a disabled transmitter was complained of */
	unsigned polls;                    /* reads of UARTFR since UARTDR was written */
	unsigned rx_head, rx_count, tx_count;
	uint16_t rx[FIFO_DEPTH];           /* with error flags; a ring */
	uint8_t tx[FIFO_DEPTH];
};

static struct pl011 *pl011_of(struct devices_device *dev)
{
	return (struct pl011 *)dev;
}

static void update_irq(struct pl011 *s)
{
	emu_irq_set(&s->dev.irq[0], s->ris & s->imsc);
}

static unsigned depth(const struct pl011 *s)
{
	return s->fifos ? FIFO_DEPTH : 1;
}

/* The trigger levels of UARTIFLS: 1/8, 1/4, 1/2, 3/4, 7/8; other values are reserved. */
static unsigned trigger(const struct pl011 *s, unsigned ifls_shift)
{
	static const uint8_t levels[8] = { 2, 4, 8, 12, 14, 14, 14, 14 };
	return levels[s->ifls >> ifls_shift & 7];
}

/* ---- Receiving ---- */

static void listen(struct pl011 *s)
{
	if (s->listening)
		return;
	s->listening = true;
	if (s->chr)
		backends_chardev_accept_input(s->chr);
}

static bool interrupts_on_input(const struct pl011 *s)
{
	return (s->cr & (CR_UARTEN | CR_RXE)) == (CR_UARTEN | CR_RXE) && s->imsc & (INT_RX | INT_RT);
}

static void settled(void *opaque)
{
	struct pl011 *s = opaque;
	pthread_mutex_lock(&s->dev.lock);
	if (interrupts_on_input(s))
		listen(s);
	pthread_mutex_unlock(&s->dev.lock);
}

/* UARTCR or UARTIMSC has changed. */
static void update_listening(struct pl011 *s)
{
	if (!interrupts_on_input(s))
		s->listening = false;
	else if (!s->listening)
		emu_timer_arm(s->settle, emu_clock_now(s->dev.env->clock) + SETTLE_NS);
}

static void rx_push(struct pl011 *s, uint16_t c)
{
	if (s->rx_count == depth(s)) {
		s->overrun = true;
		s->ris |= INT_OE;
		return;
	}
	if (s->overrun)
		c |= DR_OE;
	s->overrun = false;
	s->rx[(s->rx_head + s->rx_count++) % FIFO_DEPTH] = c;
	if (c & DR_BE)
		s->ris |= INT_BE;
	if (!s->fifos || s->rx_count >= trigger(s, 3))
		s->ris |= INT_RX;
	else
		s->ris |= INT_RT;
}

static uint32_t read_dr(struct devices_device *dev, unsigned i, uint32_t stored)
{
	struct pl011 *s = pl011_of(dev);
	if (!s->rx_count)
		return 0;
	uint16_t c = s->rx[s->rx_head];
	s->rx_head = (s->rx_head + 1) % FIFO_DEPTH;
	s->rx_count--;
	s->rsr = c >> 8;
	if (!s->fifos || s->rx_count < trigger(s, 3))
		s->ris &= ~(uint32_t)INT_RX;
	if (!s->rx_count) {
		s->ris &= ~(uint32_t)INT_RT;
		if (s->chr)
			backends_chardev_accept_input(s->chr);
	}
	update_irq(s);
	return c;
}

static size_t can_receive(void *opaque)
{
	struct pl011 *s = opaque;
	pthread_mutex_lock(&s->dev.lock);
	size_t room = s->cr & CR_LBE || !s->listening ? 0 : depth(s) - s->rx_count;
	pthread_mutex_unlock(&s->dev.lock);
	return room;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
	struct pl011 *s = opaque;
	pthread_mutex_lock(&s->dev.lock);
	for (size_t i = 0; i < len; i++)
		rx_push(s, buf[i]);
	update_irq(s);
	pthread_mutex_unlock(&s->dev.lock);
}

static void chardev_event(void *opaque, enum backends_chardev_event event)
{
	struct pl011 *s = opaque;
	if (event != BACKENDS_CHARDEV_BREAK)
		return;
	pthread_mutex_lock(&s->dev.lock);
	rx_push(s, DR_BE);
	update_irq(s);
	pthread_mutex_unlock(&s->dev.lock);
}

/* ---- Sending ---- */

/* Hands the transmit FIFO to the other side, as far as it takes it. */
static void tx_drain(struct pl011 *s)
{
	size_t taken = s->tx_count;
	if (s->cr & CR_LBE)
		for (unsigned i = 0; i < s->tx_count; i++)
			rx_push(s, s->tx[i]);
	else if (s->chr)
		taken = backends_chardev_write(s->chr, s->tx, s->tx_count);
	s->tx_count -= (unsigned)taken;
	memmove(s->tx, s->tx + taken, s->tx_count);
	if (s->tx_count <= (s->fifos ? trigger(s, 0) : 0))
		s->ris |= INT_TX;
}

static void write_dr(struct devices_device *dev, unsigned i, uint32_t raw)
{
	struct pl011 *s = pl011_of(dev);
	if ((s->cr & (CR_UARTEN | CR_TXE)) != (CR_UARTEN | CR_TXE) && !s->noted) {
		s->noted = true;
		devices_guest_error(dev, "data written while the transmitter is disabled");
	}
	s->polls = 0;
	if (s->tx_count == depth(s)) {
		devices_guest_error(dev, "data written to a full FIFO is lost");
		return;
	}
	s->tx[s->tx_count++] = (uint8_t)raw;
	if (s->tx_count > (s->fifos ? trigger(s, 0) : 0))
		s->ris &= ~(uint32_t)INT_TX;
	tx_drain(s);
	update_irq(s);
}

static void writable(void *opaque)
{
	struct pl011 *s = opaque;
	pthread_mutex_lock(&s->dev.lock);
	if (s->tx_count) {
		tx_drain(s);
		update_irq(s);
	}
	pthread_mutex_unlock(&s->dev.lock);
}

/* ---- Control ---- */

static uint32_t read_fr(struct devices_device *dev, unsigned i, uint32_t stored)
{
	struct pl011 *s = pl011_of(dev);
	if (++s->polls >= POLLS_TO_LISTEN)
		listen(s);
	return s->modem | (s->tx_count ? FR_BUSY : FR_TXFE) | (s->tx_count == depth(s) ? FR_TXFF : 0) |
	       (s->rx_count ? 0 : FR_RXFE) | (s->rx_count == depth(s) ? FR_RXFF : 0);
}

/* UARTECR: any write clears the receive errors. */
static void write_ecr(struct devices_device *dev, unsigned i, uint32_t raw)
{
	pl011_of(dev)->rsr = 0;
	pl011_of(dev)->overrun = false;
}

/* The modem inputs: looped back from the outputs, or all but RI up. */
static void update_modem(struct pl011 *s)
{
	static const struct {
		uint32_t out, in, irq;
	} lines[] = {
		{ CR_RTS, FR_CTS, INT_CTS },
		{ CR_DTR, FR_DSR, INT_DSR },
		{ CR_OUT1, FR_DCD, INT_DCD },
		{ CR_OUT2, FR_RI, INT_RI },
	};
	uint32_t now = FR_CTS | FR_DSR | FR_DCD;
	if (s->cr & CR_LBE) {
		now = 0;
		for (unsigned k = 0; k < sizeof(lines) / sizeof(lines[0]); k++)
			now |= s->cr & lines[k].out ? lines[k].in : 0;
	}
	for (unsigned k = 0; k < sizeof(lines) / sizeof(lines[0]); k++)
		if ((now ^ s->modem) & lines[k].in)
			s->ris |= lines[k].irq;
	s->modem = now;
}

static void write_cr(struct devices_device *dev, unsigned i, uint32_t raw)
{
	struct pl011 *s = pl011_of(dev);
	update_modem(s);
	update_listening(s);
	update_irq(s);
	if (s->chr && !(s->cr & CR_LBE))
		backends_chardev_accept_input(s->chr);
}

/* Turning the FIFOs on or off empties both. A break is sent as long as BRK is 1;
 * only a loopback shows it. */
static void write_lcr(struct devices_device *dev, unsigned i, uint32_t raw)
{
	struct pl011 *s = pl011_of(dev);
	bool fifos = s->lcr_h & LCR_FEN, breaking = s->lcr_h & LCR_BRK;
	if (fifos != s->fifos) {
		s->fifos = fifos;
		s->rx_count = s->tx_count = 0;
		s->ris &= ~(uint32_t)(INT_RX | INT_RT);
		if (s->chr)
			backends_chardev_accept_input(s->chr);
	}
	if (breaking && !s->breaking && (s->cr & CR_LBE))
		rx_push(s, DR_BE);
	s->breaking = breaking;
	update_irq(s);
}

static void write_imsc(struct devices_device *dev, unsigned i, uint32_t raw)
{
	update_listening(pl011_of(dev));
	update_irq(pl011_of(dev));
}

static uint32_t read_mis(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return pl011_of(dev)->ris & pl011_of(dev)->imsc;
}

static void write_icr(struct devices_device *dev, unsigned i, uint32_t raw)
{
	pl011_of(dev)->ris &= ~raw;
	update_irq(pl011_of(dev));
}

#define MEMBER(m) .member = offsetof(struct pl011, m)

static const struct devices_regs regs = {
	.rows = (const struct devices_reg[]){
		{ "UARTDR", 0x000, .read = read_dr, .write = write_dr },
		{ "UARTRSR", 0x004, MEMBER(rsr), .write = write_ecr },
		{ "UARTFR", 0x018, .read = read_fr },
		{ "UARTILPR", 0x020, MEMBER(ilpr), .writable = 0xff },
		{ "UARTIBRD", 0x024, MEMBER(ibrd), .writable = 0xffff },
		{ "UARTFBRD", 0x028, MEMBER(fbrd), .writable = 0x3f },
		{ "UARTLCR_H", 0x02c, MEMBER(lcr_h), .writable = 0xff, .write = write_lcr },
		{ "UARTCR", 0x030, MEMBER(cr), .reset = 0x300, .writable = 0xff87, .write = write_cr },
		{ "UARTIFLS", 0x034, MEMBER(ifls), .reset = 0x12, .writable = 0x3f },
		{ "UARTIMSC", 0x038, MEMBER(imsc), .writable = INT_ALL, .write = write_imsc },
		{ "UARTRIS", 0x03c, MEMBER(ris) },
		{ "UARTMIS", 0x040, .read = read_mis },
		{ "UARTICR", 0x044, .write = write_icr },
		{ "UARTDMACR", 0x048, MEMBER(dmacr), .writable = 0x7 },
		{ .name = NULL },
	},
	.primecell_id = (const uint8_t[8]){ 0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 },
};

/* ---- Life ---- */

static void reset(struct devices_device *dev)
{
	struct pl011 *s = pl011_of(dev);
	pthread_mutex_lock(&dev->lock);
	devices_reg_reset(dev, &regs);
	s->rx_count = s->tx_count = 0;
	s->overrun = s->breaking = s->fifos = s->listening = s->noted = false;
	s->polls = 0;
	s->modem = FR_CTS | FR_DSR | FR_DCD;
	update_irq(s);
	pthread_mutex_unlock(&dev->lock);
	if (s->chr)
		backends_chardev_accept_input(s->chr);
}

static bool realize(struct devices_device *dev, struct vmd_error *err)
{
	struct pl011 *s = pl011_of(dev);
	struct backends_chardev *chr = NULL;
	if (s->chardev) {
		chr = devices_get_chardev(dev, "chardev", s->chardev, err);
		if (!chr)
			return false;
	}
	s->settle = emu_timer_new(dev->env->clock, settled, s, err);
	if (!s->settle)
		return false;
	reset(dev);
	const struct backends_chardev_fe fe = {
		.can_receive = can_receive,
		.receive = receive,
		.event = chardev_event,
		.writable = writable,
		.opaque = s,
	};
	if (devices_reg_map(dev, 0x1000, err) && (!chr || backends_chardev_attach_fe(chr, &fe, err))) {
		s->chr = chr;
		return true;
	}
	emu_timer_free(s->settle);
	return false;
}

static void unrealize(struct devices_device *dev)
{
	if (pl011_of(dev)->chr)
		backends_chardev_detach_fe(pl011_of(dev)->chr);
	emu_timer_free(pl011_of(dev)->settle);
}

static bool add_node(struct devices_device *dev, void *fdt, const struct devices_fdt *ctx, struct vmd_error *err)
{
	const uint64_t reg[][2] = { { dev->wiring.base, 0x1000 } };
	const uint32_t clocks[] = { ctx->clock_phandle, ctx->clock_phandle };
	struct devices_node node = devices_node_open(fdt, "pl011", dev->wiring.base);
	devices_node_strings(&node, "compatible", "arm,pl011\0arm,primecell\0");
	devices_node_reg(&node, reg, 1);
	devices_node_spis(&node, ctx, dev->wiring.spi, 1, DEVICES_FDT_LEVEL_HIGH);
	devices_node_u32s(&node, "clocks", clocks, 2);
	devices_node_strings(&node, "clock-names", "uartclk\0apb_pclk\0");
	return devices_node_close(&node, err);
}

static const struct devices_prop props[] = {
	{ .name = "chardev", .type = DEVICES_PROP_CHARDEV, .offset = offsetof(struct pl011, chardev),
	  .help = "the chardev behind the line" },
	{ .name = NULL },
};

const struct devices_class devices_pl011_class = {
	.name = "pl011",
	.summary = "Arm PrimeCell UART",
	.size = sizeof(struct pl011),
	.props = props,
	.regs = &regs,
	.realize = realize,
	.unrealize = unrealize,
	.reset = reset,
	.fdt = add_node,
};
