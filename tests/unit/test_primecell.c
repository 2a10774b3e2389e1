/* SPDX-License-Identifier: BSD-2-Clause */
/* PL011, PL031 and PL061: FIFOs, interrupts, alarms, edges; and their nodes. */
#include "devices/gpio.h"

#include "devices_bench.h"
#include "tests/unit/suite.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct bench bench;
static struct devices_device *dev;

static uint32_t rd(uint32_t offset)
{
	return (uint32_t)bench_read(&bench, BENCH_BASE + offset, 4);
}

static void wr(uint32_t offset, uint32_t value)
{
	bench_write(&bench, BENCH_BASE + offset, 4, value);
}

static void teardown(void)
{
	devices_free(dev);
	ck_assert(!bench.chardev.attached);
	bench_fini(&bench);
}

/* ---- PL011 ---- */

enum { DR = 0x00, RSR = 0x04, FR = 0x18, IBRD = 0x24, LCR_H = 0x2c, CR = 0x30, IFLS = 0x34, IMSC = 0x38, RIS = 0x3c,
       MIS = 0x40, ICR = 0x44, DMACR = 0x48 };
enum { RXFE = 0x10, TXFF = 0x20, RXFF = 0x40, TXFE = 0x80, BUSY = 0x08, MODEM = 0x07 };
enum { RXI = 0x10, TXI = 0x20, RTI = 0x40, BEI = 0x200, OEI = 0x400 };

static void setup_uart(void)
{
	bench_init(&bench);
	dev = bench_device(&bench, "pl011", (const char *const[]){ "chardev", "serial0", NULL });
}

/* A guest that looks for input again and again. */
static void poll_uart(void)
{
	for (unsigned i = 0; i < 8; i++)
		rd(FR);
}

/* As Linux opens it: 115200 8n1 with FIFOs, receive interrupts. The bench's
 * clock stands still, so polling stands in for the moment it takes to listen. */
static void open_uart(void)
{
	wr(IBRD, 13);
	wr(LCR_H, 0x70);
	wr(CR, 0x301);
	wr(IMSC, RXI | RTI);
	poll_uart();
}

START_TEST(test_uart_reset)
{
	ck_assert_uint_eq(rd(FR), TXFE | RXFE | MODEM);
	ck_assert_uint_eq(rd(CR), 0x300);
	ck_assert_uint_eq(rd(IFLS), 0x12);
	ck_assert_uint_eq(rd(RIS), 0);
	static const uint8_t id[8] = { 0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_uint_eq(rd(0xfe0 + 4 * i), id[i]);
		ck_assert_uint_eq(bench_read(&bench, BENCH_BASE + 0xfe0 + 4 * i, 1), id[i]);
	}
	ck_assert_uint_eq(bench.guest_errors, 0);
}
END_TEST

START_TEST(test_uart_send)
{
	open_uart();
	static const char text[] = "Hello, world\n";
	for (unsigned i = 0; text[i]; i++)
		bench_write(&bench, BENCH_BASE + DR, i % 2 ? 1 : 4, (uint8_t)text[i]);
	ck_assert_uint_eq(bench.chardev.n_out, strlen(text));
	ck_assert_mem_eq(bench.chardev.out, text, strlen(text));
	ck_assert_uint_eq(rd(FR), TXFE | RXFE | MODEM);
	ck_assert_uint_eq(rd(RIS), TXI);
	ck_assert(!bench.lines[0]);
	wr(IMSC, TXI);
	ck_assert(bench.lines[0]);
	ck_assert_uint_eq(rd(MIS), TXI);
	wr(ICR, TXI);
	ck_assert(!bench.lines[0]);
	ck_assert_uint_eq(bench.guest_errors, 0);
	wr(CR, 0); /* disabled: sends, but says so */
	wr(DR, 'x');
	ck_assert_uint_eq(bench.chardev.n_out, strlen(text) + 1);
	ck_assert_uint_eq(bench.guest_errors, 1);
}
END_TEST

/* The other side takes three bytes and then nothing for a while. */
START_TEST(test_uart_slow_side)
{
	open_uart();
	wr(IMSC, TXI);
	bench.chardev.room = 3;
	unsigned n = 0;
	while (!(rd(FR) & TXFF) && n < 100)
		wr(DR, 'a' + n++);
	ck_assert_uint_eq(n, 19);
	ck_assert_uint_eq(rd(FR), TXFF | BUSY | RXFE | MODEM);
	ck_assert(!bench.lines[0]); /* far above the trigger level */
	wr(DR, '!');                /* lost */
	ck_assert_uint_eq(bench.guest_errors, 1);
	bench.chardev.room = 10;
	bench.chardev.fe.writable(bench.chardev.fe.opaque);
	ck_assert_uint_eq(rd(FR), BUSY | RXFE | MODEM);
	ck_assert(bench.lines[0]); /* six left, at most half of sixteen */
	bench.chardev.room = SIZE_MAX;
	bench.chardev.fe.writable(bench.chardev.fe.opaque);
	ck_assert_uint_eq(rd(FR), TXFE | RXFE | MODEM);
	ck_assert_uint_eq(bench.chardev.n_out, 19);
	ck_assert_mem_eq(bench.chardev.out, "abcdefghijklmnopqrs", 19);
}
END_TEST

/* What comes before the guest listens is not lost in the FIFO. */
START_TEST(test_uart_waits_for_listener)
{
	ck_assert_uint_eq(bench_type(&bench, "early"), 0);
	wr(CR, 0x301);
	/* Sending is not listening, though it reads the flags, too. */
	for (unsigned i = 0; i < 20; i++) {
		rd(FR);
		wr(DR, 'x');
		rd(FR);
	}
	ck_assert_uint_eq(bench_type(&bench, "early"), 0);
	unsigned accepts = bench.chardev.accepts;
	poll_uart();
	ck_assert_uint_gt(bench.chardev.accepts, accepts);
	ck_assert_uint_eq(bench_type(&bench, "e"), 1);
	/* The interrupt counts once the driver has had time to settle. */
	emu_clock_resume(bench.env.clock);
	wr(IMSC, 0);
	ck_assert_uint_eq(bench_type(&bench, "e"), 0);
	wr(IMSC, RXI | RTI);
	ck_assert_uint_eq(bench_type(&bench, "e"), 0);
	for (unsigned i = 0; i < 500 && bench_type(&bench, "e") == 0; i++)
		usleep(10000);
	ck_assert(!(rd(FR) & RXFE));
}
END_TEST

START_TEST(test_uart_receive)
{
	open_uart();
	ck_assert_uint_eq(bench_type(&bench, "hi"), 2);
	ck_assert(bench.lines[0]);
	ck_assert_uint_eq(rd(MIS), RTI); /* below the level: the timeout */
	ck_assert_uint_eq(rd(DR), 'h');
	ck_assert(bench.lines[0]);
	unsigned accepts = bench.chardev.accepts;
	ck_assert_uint_eq(rd(DR), 'i');
	ck_assert(!bench.lines[0]);
	ck_assert_uint_gt(bench.chardev.accepts, accepts);
	ck_assert_uint_eq(rd(FR), TXFE | RXFE | MODEM);
	ck_assert_uint_eq(rd(DR), 0);
	/* Sixteen fit; the level is eight. */
	ck_assert_uint_eq(bench_type(&bench, "0123456789abcdefghij"), 16);
	ck_assert_uint_eq(rd(FR), TXFE | RXFF | MODEM);
	ck_assert_uint_eq(rd(MIS), RXI | RTI);
	wr(ICR, RTI);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_uint_eq(rd(MIS), RXI);
		ck_assert_uint_eq(rd(DR), (unsigned)"0123456789abcdef"[i]);
	}
	ck_assert_uint_eq(rd(DR), '8');
	ck_assert_uint_eq(rd(MIS), 0);
	for (unsigned i = 9; i < 16; i++)
		ck_assert_uint_eq(rd(DR), (unsigned)"0123456789abcdef"[i]);
	/* Other trigger levels. */
	static const unsigned levels[] = { 2, 4, 8, 12, 14 };
	for (unsigned k = 0; k < 5; k++) {
		wr(IFLS, k << 3);
		for (unsigned i = 0; i < levels[k]; i++) {
			ck_assert(!(rd(RIS) & RXI));
			bench_type(&bench, "x");
		}
		ck_assert(rd(RIS) & RXI);
		while (!(rd(FR) & RXFE))
			rd(DR);
		ck_assert_uint_eq(rd(RIS) & (RXI | RTI), 0);
	}
}
END_TEST

START_TEST(test_uart_no_fifo)
{
	wr(CR, 0x301);
	wr(LCR_H, 0x60);
	wr(IMSC, RXI | TXI);
	poll_uart();
	ck_assert_uint_eq(bench_type(&bench, "ab"), 1);
	ck_assert_uint_eq(rd(FR), TXFE | RXFF | MODEM);
	ck_assert_uint_eq(rd(MIS), RXI);
	ck_assert_uint_eq(rd(DR), 'a');
	ck_assert_uint_eq(rd(MIS), 0);
	bench.chardev.room = 0;
	wr(DR, 'x');
	ck_assert_uint_eq(rd(FR), TXFF | BUSY | RXFE | MODEM);
	ck_assert_uint_eq(rd(MIS), 0);
	bench.chardev.room = SIZE_MAX;
	bench.chardev.fe.writable(bench.chardev.fe.opaque);
	ck_assert_uint_eq(rd(MIS), TXI);
}
END_TEST

START_TEST(test_uart_break)
{
	open_uart();
	wr(IMSC, BEI);
	poll_uart();
	bench.chardev.fe.event(bench.chardev.fe.opaque, BACKENDS_CHARDEV_OPENED);
	ck_assert(!bench.lines[0]);
	bench.chardev.fe.event(bench.chardev.fe.opaque, BACKENDS_CHARDEV_BREAK);
	ck_assert(bench.lines[0]);
	bench_type(&bench, "a");
	ck_assert_uint_eq(rd(DR), 0x400);
	ck_assert_uint_eq(rd(RSR), 4);
	ck_assert_uint_eq(rd(DR), 'a');
	ck_assert_uint_eq(rd(RSR), 0);
	wr(ICR, BEI);
	ck_assert(!bench.lines[0]);
	/* A break into a full FIFO is an overrun, marked on the next character. */
	bench_type(&bench, "0123456789abcdef");
	bench.chardev.fe.event(bench.chardev.fe.opaque, BACKENDS_CHARDEV_BREAK);
	ck_assert(rd(RIS) & OEI);
	ck_assert_uint_eq(rd(DR), '0');
	bench_type(&bench, "z");
	for (unsigned i = 1; i < 16; i++)
		rd(DR);
	ck_assert_uint_eq(rd(DR), 0x800 | 'z');
	ck_assert_uint_eq(rd(RSR), 8);
	wr(RSR, 0xff);
	ck_assert_uint_eq(rd(RSR), 0);
}
END_TEST

START_TEST(test_uart_loopback)
{
	open_uart();
	wr(CR, 0x381);
	ck_assert_uint_eq(rd(FR) & 0x107, 0);
	ck_assert_uint_eq(rd(RIS) & 0xf, 0xe); /* CTS, DCD and DSR fell */
	wr(ICR, 0x7ff);
	wr(CR, 0x381 | 1 << 11); /* RTS */
	ck_assert_uint_eq(rd(FR) & 0x107, 1);
	ck_assert_uint_eq(rd(RIS) & 0xf, 2);
	ck_assert_uint_eq(bench_type(&bench, "out"), 0);
	wr(DR, 'q');
	ck_assert_uint_eq(bench.chardev.n_out, 0);
	ck_assert_uint_eq(rd(DR), 'q');
	wr(LCR_H, 0x71);
	ck_assert_uint_eq(rd(DR), 0x400);
	wr(CR, 0x301);
	ck_assert_uint_eq(rd(FR) & 0x107, MODEM);
}
END_TEST

START_TEST(test_uart_alone)
{
	struct vmd_error err = { .message = "" };
	struct devices_device *second = devices_new(devices_class_find("pl011"), "second", &bench.env, &err);
	second->wiring.base = BENCH_BASE + 0x10000;
	ck_assert(devices_set(second, "chardev", "serial0", &err));
	ck_assert(!devices_realize(second, &err)); /* taken */
	ck_assert_uint_eq(err.code, VMD_ERR_BUSY);
	devices_free(second);
	second = devices_new(devices_class_find("pl011"), "second", &bench.env, &err);
	second->wiring.base = BENCH_BASE + 0x10000;
	ck_assert(devices_realize(second, &err));
	bench_write(&bench, BENCH_BASE + 0x10000, 4, 'x'); /* into the void */
	ck_assert_uint_eq(bench_read(&bench, BENCH_BASE + 0x10000 + FR, 4), TXFE | RXFE | MODEM);
	devices_free(second);
}
END_TEST

/* ---- PL031 ---- */

static void setup_rtc(void)
{
	bench_init(&bench);
	dev = bench_device(&bench, "pl031", NULL);
}

/* Virtual time passes only while the clock runs. */
static void let_pass(unsigned ms)
{
	emu_clock_resume(bench.env.clock);
	usleep(ms * 1000);
	emu_clock_pause(bench.env.clock);
}

START_TEST(test_rtc_counter)
{
	uint32_t now = (uint32_t)time(NULL);
	ck_assert_uint_le(now - rd(0x00), 2);
	ck_assert_uint_eq(rd(0x0c), 1);
	wr(0x0c, 0);
	ck_assert_uint_eq(rd(0x0c), 1);
	wr(0x08, 1000);
	ck_assert_uint_eq(rd(0x08), 1000);
	ck_assert_uint_eq(rd(0x00), 1000);
	devices_reset(dev);
	ck_assert_uint_eq(rd(0x00), 1000); /* keeps its time */
	wr(0x08, 0xffffffff);
	let_pass(1200);
	ck_assert_uint_eq(rd(0x00), 0); /* wraps */
	ck_assert_uint_eq(bench.guest_errors, 0);
	wr(0x00, 1);
	ck_assert_uint_eq(bench.guest_errors, 1);
}
END_TEST

START_TEST(test_rtc_alarm)
{
	wr(0x08, 100);
	wr(0x04, 101);
	wr(0x10, 1);
	ck_assert_uint_eq(rd(0x14), 0);
	let_pass(300);
	ck_assert_uint_eq(rd(0x14), 0);
	ck_assert(!bench.lines[0]);
	let_pass(1000);
	ck_assert_uint_eq(rd(0x14), 1);
	ck_assert_uint_eq(rd(0x18), 1);
	ck_assert(bench.lines[0]);
	wr(0x10, 0);
	ck_assert(!bench.lines[0]);
	wr(0x10, 1);
	wr(0x1c, 1);
	ck_assert_uint_eq(rd(0x14), 0);
	ck_assert(!bench.lines[0]);
	/* A match with the present second is one; one that moves away is none. */
	wr(0x04, 5000);
	wr(0x04, rd(0x00));
	let_pass(100);
	ck_assert(bench.lines[0]);
	wr(0x1c, 1);
	wr(0x04, rd(0x00) + 1);
	wr(0x04, rd(0x00) + 1000);
	let_pass(1100);
	ck_assert(!bench.lines[0]);
}
END_TEST

/* ---- PL061 ---- */

enum { DIR = 0x400, IS = 0x404, IBE = 0x408, IEV = 0x40c, IE = 0x410, G_RIS = 0x414, G_MIS = 0x418, IC = 0x41c };

static void setup_gpio(void)
{
	bench_init(&bench);
	dev = bench_device(&bench, "pl061", NULL);
}

static void input(unsigned n, bool level)
{
	struct emu_irq line = devices_pl061_input(dev, n);
	emu_irq_set(&line, level);
}

START_TEST(test_gpio_data)
{
	wr(DIR, 0x0f);
	wr(0x3fc, 0xff);
	ck_assert_uint_eq(rd(0x3fc), 0x0f);
	wr(0x01 << 2, 0); /* the address masks */
	ck_assert_uint_eq(rd(0x3fc), 0x0e);
	ck_assert_uint_eq(rd(0x06 << 2), 0x06);
	ck_assert_uint_eq(rd(0), 0);
	input(7, true);
	input(0, true); /* an output: the wire does not show */
	ck_assert_uint_eq(rd(0x3fc), 0x8e);
	wr(DIR, 0);
	ck_assert_uint_eq(rd(0x3fc), 0x81);
	devices_reset(dev);
	ck_assert_uint_eq(rd(0x3fc), 0x81); /* wires stay */
	ck_assert_uint_eq(rd(G_RIS), 0);
}
END_TEST

/* The power key: both edges, as Linux's gpio-keys asks for. */
START_TEST(test_gpio_key)
{
	wr(IBE, 8);
	wr(IE, 8);
	input(3, true);
	ck_assert(bench.lines[0]);
	ck_assert_uint_eq(rd(G_MIS), 8);
	wr(IC, 8);
	ck_assert(!bench.lines[0]);
	ck_assert_uint_eq(rd(8 << 2), 8);
	input(3, false);
	ck_assert(bench.lines[0]);
	wr(IC, 8);
	ck_assert_uint_eq(bench.edges[0], 2);
}
END_TEST

START_TEST(test_gpio_interrupts)
{
	wr(IE, 0xff);
	wr(IEV, 0x01); /* 0: rising, 1: falling */
	input(0, true);
	ck_assert_uint_eq(rd(G_RIS), 1);
	wr(IC, 1);
	input(0, false);
	ck_assert_uint_eq(rd(G_RIS), 0);
	input(1, true);
	ck_assert_uint_eq(rd(G_RIS), 0);
	input(1, false);
	ck_assert_uint_eq(rd(G_RIS), 2);
	wr(IE, 0xfd);
	ck_assert(!bench.lines[0]);
	ck_assert_uint_eq(rd(G_RIS), 2);
	wr(IC, 2);
	/* Levels: high on 2, low on 3; not latched. */
	wr(IEV, 0x04);
	wr(IS, 0x0c);
	wr(IE, 0x0c);
	ck_assert_uint_eq(rd(G_RIS), 8);
	input(3, true);
	ck_assert_uint_eq(rd(G_RIS), 0);
	input(2, true);
	ck_assert(bench.lines[0]);
	wr(IC, 0xff);
	ck_assert(bench.lines[0]);
	input(2, false);
	ck_assert(!bench.lines[0]);
}
END_TEST

/* ---- Nodes ---- */

static void setup_none(void)
{
	bench_init(&bench);
	dev = NULL;
}

START_TEST(test_nodes)
{
	static const struct {
		const char *cls, *path, *compatible;
	} nodes[] = {
		{ "pl011", "/pl011@9000000", "arm,pl011" },
		{ "pl031", "/pl031@9000000", "arm,pl031" },
		{ "pl061", "/pl061@9000000", "arm,pl061" },
		{ "fw_cfg_mem", "/fw-cfg@9000000", "qemu,fw-cfg-mmio" },
		{ "arm-gicv3", "/intc@9000000", "arm,gic-v3" },
		{ "arm-gicv2", "/intc@9000000", "arm,cortex-a15-gic" },
	};
	static char fdt[16384];
	struct vmd_error err = { .message = "" };
	uint32_t phandle = 5;
	const struct devices_fdt ctx = { .gic_phandle = 1, .clock_phandle = 2, .next_phandle = &phandle };
	for (unsigned i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		struct devices_device *d = devices_new(devices_class_find(nodes[i].cls), NULL, &bench.env, &err);
		d->wiring = (struct devices_wiring){ .base = BENCH_BASE, .spi = 7, .n_spis = 1 };
		ck_assert_int_eq(fdt_create_empty_tree(fdt, sizeof(fdt)), 0);
		ck_assert_msg(d->cls->fdt(d, fdt, &ctx, &err), "%s", err.message);
		int node = fdt_path_offset(fdt, nodes[i].path);
		ck_assert_int_ge(node, 0);
		ck_assert_int_eq(fdt_node_check_compatible(fdt, node, nodes[i].compatible), 0);
		int len;
		const fdt32_t *irq = fdt_getprop(fdt, node, "interrupts", &len);
		if (irq) {
			ck_assert_int_eq(len, 12);
			ck_assert_uint_eq(fdt32_to_cpu(irq[1]), 7);
			ck_assert_uint_eq(fdt32_to_cpu(irq[2]), 4);
		}
		/* No room: an error, not a crash. */
		static char small[128];
		ck_assert_int_eq(fdt_create_empty_tree(small, sizeof(small)), 0);
		ck_assert(!d->cls->fdt(d, small, &ctx, &err));
		ck_assert_uint_eq(err.code, VMD_ERR_LIMIT);
		devices_free(d);
	}
}
END_TEST

static void add_case(Suite *suite, const char *name, void (*setup)(void), const TTest *const *tests)
{
	TCase *tc = tcase_create(name);
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	for (; *tests; tests++)
		tcase_add_test(tc, *tests);
	suite_add_tcase(suite, tc);
}

int main(void)
{
	Suite *suite = suite_create("primecell");
	add_case(suite, "pl011", setup_uart,
		 (const TTest *const[]){ test_uart_reset, test_uart_send, test_uart_slow_side, test_uart_waits_for_listener,
							 test_uart_receive,
					 test_uart_no_fifo, test_uart_break, test_uart_loopback, test_uart_alone, NULL });
	add_case(suite, "pl031", setup_rtc, (const TTest *const[]){ test_rtc_counter, test_rtc_alarm, NULL });
	add_case(suite, "pl061", setup_gpio,
		 (const TTest *const[]){ test_gpio_data, test_gpio_key, test_gpio_interrupts, NULL });
	add_case(suite, "nodes", setup_none, (const TTest *const[]){ test_nodes, NULL });
	return suite_run(suite, CK_FORK_GETENV);
}
