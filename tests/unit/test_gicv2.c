/* SPDX-License-Identifier: BSD-2-Clause */
/* GICv2 as software drives it: banked registers, SGIs by source, targets, groups. */
#include "devices/gic.h"
#include "emu/sys_priv.h"

#include "devices_bench.h"
#include "tests/unit/suite.h"

#include <stdlib.h>

#define GICD BENCH_BASE
#define GICC (BENCH_BASE + 0x10000)
#define N_CPUS 3

enum { C_CTLR = 0x00, C_PMR = 0x04, C_BPR = 0x08, C_IAR = 0x0c, C_EOIR = 0x10, C_RPR = 0x14, C_HPPIR = 0x18,
       C_ABPR = 0x1c, C_AIAR = 0x20, C_AEOIR = 0x24, C_AHPPIR = 0x28, C_APR = 0xd0, C_NSAPR = 0xe0, C_IIDR = 0xfc,
       C_DIR = 0x1000 };

static struct bench bench;
static struct devices_device *gic;

static void setup(void)
{
	struct vmd_error err = { .message = "" };
	bench_init(&bench);
	gic = devices_new(devices_class_find("arm-gicv2"), NULL, &bench.env, &err);
	ck_assert(devices_set(gic, "num-cpu", "3", &err));
	gic->wiring.base = GICD;
	devices_gic_set_bases(gic, GICC);
	ck_assert_msg(devices_realize(gic, &err), "%s", err.message);
	for (unsigned c = 0; c < N_CPUS; c++)
		devices_gic_connect_cpu(gic, c, bench_line(&bench, c), bench_line(&bench, 4 + c));
	devices_reset(gic);
}

static void teardown(void)
{
	emu_set_current_cpu(-1);
	devices_free(gic);
	bench_fini(&bench);
}

static bool irq(unsigned cpu)
{
	return bench.lines[cpu];
}

static bool fiq(unsigned cpu)
{
	return bench.lines[4 + cpu];
}

/* An access by a vCPU. */
static uint32_t rd(unsigned cpu, uint64_t pa)
{
	emu_set_current_cpu((int)cpu);
	return (uint32_t)bench_read(&bench, pa, 4);
}

static void wr(unsigned cpu, uint64_t pa, uint32_t value)
{
	emu_set_current_cpu((int)cpu);
	bench_write(&bench, pa, 4, value);
}

static void spi(unsigned intid, bool level)
{
	struct emu_irq line = devices_gic_spi(gic, intid - 32);
	emu_irq_set(&line, level);
}

/* As Linux leaves it: everything in Group 0, level-sensitive, at 0xa0, to CPU 0. */
static void bring_up(void)
{
	wr(0, GICD, 1);
	for (unsigned i = 32; i < 288; i += 4) {
		wr(0, GICD + 0x400 + i, 0xa0a0a0a0);
		wr(0, GICD + 0x800 + i, 0x01010101);
	}
	for (unsigned i = 1; i < 9; i++)
		wr(0, GICD + 0x100 + 4 * i, 0xffffffff);
	for (unsigned c = 0; c < N_CPUS; c++) {
		for (unsigned i = 0; i < 32; i += 4)
			wr(c, GICD + 0x400 + i, 0xa0a0a0a0);
		wr(c, GICD + 0x100, 0xffff0000);
		wr(c, GICC + C_PMR, 0xf0);
		wr(c, GICC + C_CTLR, 1);
	}
}

START_TEST(test_registers)
{
	static const struct {
		uint64_t pa;
		uint32_t value;
	} regs[] = {
		{ GICD + 0x000, 0 }, { GICD + 0x004, 0x48 }, { GICD + 0x008, 0x0200143b },
		{ GICD + 0x100, 0xffff }, { GICD + 0x180, 0xffff }, { GICD + 0x104, 0 },
		{ GICD + 0xc00, 0xaaaaaaaa }, { GICD + 0xc04, 0 },
		{ GICD + 0xfe8, 0x2b }, { GICD + 0xff0, 0x0d }, { GICD + 0xffc, 0xb1 },
		{ GICC + C_CTLR, 0 }, { GICC + C_PMR, 0 }, { GICC + C_BPR, 2 }, { GICC + C_ABPR, 3 },
		{ GICC + C_IAR, 1023 }, { GICC + C_RPR, 0xff }, { GICC + C_HPPIR, 1023 },
		{ GICC + C_IIDR, 0x0202143b }, { GICC + C_APR + 4, 0 },
	};
	for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		ck_assert_msg(rd(0, regs[i].pa) == regs[i].value, "0x%llx is 0x%x, not 0x%x",
			      (unsigned long long)regs[i].pa, rd(0, regs[i].pa), regs[i].value);
	/* Banked: each CPU reads its own mask and keeps its own values. */
	for (unsigned c = 0; c < N_CPUS; c++) {
		ck_assert_uint_eq(rd(c, GICD + 0x800), 0x01010101u << c);
		ck_assert_uint_eq(rd(c, GICD + 0x81c), 0x01010101u << c);
		wr(c, GICC + C_PMR, 0x10 * (c + 1));
		wr(c, GICD + 0x400, 0x08080808 * (c + 1));
	}
	for (unsigned c = 0; c < N_CPUS; c++) {
		ck_assert_uint_eq(rd(c, GICC + C_PMR), 0x10 * (c + 1));
		ck_assert_uint_eq(rd(c, GICD + 0x400), 0x08080808 * (c + 1));
	}
	/* SGIs cannot be disabled; targets hold no CPUs that are not there. */
	wr(0, GICD + 0x180, 0xffffffff);
	ck_assert_uint_eq(rd(0, GICD + 0x100), 0xffff);
	wr(0, GICD + 0x820, 0xffffffff);
	ck_assert_uint_eq(rd(1, GICD + 0x820), 0x07070707);
	emu_set_current_cpu(0);
	bench_write(&bench, GICD + 0x821, 1, 2);
	ck_assert_uint_eq(bench_read(&bench, GICD + 0x821, 1), 2);
	ck_assert_uint_eq(rd(0, GICD + 0x820), 0x07070207);
	wr(0, GICC + C_CTLR, 0xffffffff);
	ck_assert_uint_eq(rd(0, GICC + C_CTLR), 0x3ff);
}
END_TEST

START_TEST(test_spi)
{
	bring_up();
	spi(33, true);
	ck_assert(irq(0) && !fiq(0) && !irq(1));
	ck_assert_uint_eq(rd(0, GICC + C_HPPIR), 33);
	ck_assert_uint_eq(rd(0, GICC + C_IAR), 33);
	ck_assert_uint_eq(rd(0, GICC + C_RPR), 0xa0);
	ck_assert_uint_eq(rd(0, GICC + C_APR), 1u << 20);
	ck_assert(!irq(0));
	wr(0, GICC + C_EOIR, 33);
	ck_assert(irq(0));
	ck_assert_uint_eq(rd(0, GICC + C_IAR), 33);
	spi(33, false);
	wr(0, GICC + C_EOIR, 33);
	ck_assert(!irq(0));
	/* EOImode 1. */
	wr(0, GICC + C_CTLR, 0x201);
	spi(33, true);
	ck_assert_uint_eq(rd(0, GICC + C_IAR), 33);
	wr(0, GICC + C_EOIR, 33);
	ck_assert_uint_eq(rd(0, GICC + C_RPR), 0xff);
	ck_assert_uint_eq(rd(0, GICD + 0x304), 2);
	ck_assert(!irq(0));
	wr(0, GICC + C_DIR, 33);
	ck_assert(irq(0));
}
END_TEST

START_TEST(test_targets)
{
	bring_up();
	emu_set_current_cpu(0);
	bench_write(&bench, GICD + 0x800 + 50, 1, 6); /* CPUs 1 and 2 */
	spi(50, true);
	ck_assert(!irq(0) && irq(1) && irq(2));
	ck_assert_uint_eq(rd(2, GICC + C_IAR), 50);
	ck_assert(!irq(1) && !irq(2));
	ck_assert_uint_eq(rd(1, GICC + C_IAR), 1023); /* 1 of N */
	spi(50, false);
	wr(2, GICC + C_EOIR, 50);
	struct emu_irq timer = devices_gic_ppi(gic, 1, 30);
	emu_irq_set(&timer, true);
	ck_assert(!irq(0) && irq(1) && !irq(2));
	ck_assert_uint_eq(rd(1, GICC + C_IAR), 30);
}
END_TEST

START_TEST(test_sgi)
{
	bring_up();
	wr(0, GICD + 0xf00, 0x00060003); /* SGI 3 to CPUs 1 and 2 */
	wr(2, GICD + 0xf00, 0x00020003); /* and from CPU 2 to CPU 1 */
	ck_assert(irq(1) && irq(2) && !irq(0));
	ck_assert_uint_eq(rd(1, GICD + 0xf20), 0x05000000);
	ck_assert_uint_eq(rd(1, GICC + C_HPPIR), 3);
	/* One source at a time, the lowest first. */
	ck_assert_uint_eq(rd(1, GICC + C_IAR), 3);
	ck_assert(!irq(1));
	wr(1, GICC + C_EOIR, 3);
	ck_assert(irq(1));
	ck_assert_uint_eq(rd(1, GICC + C_IAR), 2 << 10 | 3);
	wr(1, GICC + C_EOIR, 2 << 10 | 3);
	ck_assert(!irq(1));
	ck_assert_uint_eq(rd(2, GICC + C_IAR), 3);
	wr(2, GICC + C_EOIR, 3);
	/* All others; self. */
	wr(1, GICD + 0xf00, 0x01000004);
	ck_assert(irq(0) && !irq(1) && irq(2));
	ck_assert_uint_eq(rd(0, GICC + C_IAR), 1 << 10 | 4);
	wr(0, GICC + C_EOIR, 1 << 10 | 4);
	wr(2, GICD + 0xf10, 0xff << 0);
	wr(2, GICD + 0xf14, 0x000000ff); /* CPENDSGIR of SGI 4 */
	ck_assert(!irq(2));
	wr(2, GICD + 0xf00, 0x02000005);
	ck_assert(irq(2) && !irq(1));
	ck_assert_uint_eq(rd(2, GICC + C_IAR), 2 << 10 | 5);
	wr(2, GICC + C_EOIR, 2 << 10 | 5);
	/* SPENDSGIR makes one pending from any source. */
	wr(0, GICD + 0xf24, 0x00000400);
	ck_assert_uint_eq(rd(0, GICC + C_IAR), 2 << 10 | 5);
	wr(0, GICC + C_EOIR, 2 << 10 | 5);
	/* ISPENDR does not reach SGIs; the reserved filter reaches nobody. */
	wr(0, GICD + 0x200, 0xffff);
	wr(0, GICD + 0xf00, 0x03ff0001);
	ck_assert(!irq(0) && !irq(1) && !irq(2));
}
END_TEST

START_TEST(test_groups)
{
	bring_up();
	wr(0, GICD, 3);
	wr(0, GICC + C_CTLR, 0xb); /* both groups, Group 0 as FIQ */
	wr(0, GICD + 0x84, 1u << 1); /* INTID 33 in Group 1 */
	spi(33, true);
	ck_assert(irq(0) && !fiq(0));
	ck_assert_uint_eq(rd(0, GICC + C_IAR), 1022);
	ck_assert_uint_eq(rd(0, GICC + C_HPPIR), 1022);
	ck_assert_uint_eq(rd(0, GICC + C_AHPPIR), 33);
	ck_assert_uint_eq(rd(0, GICC + C_AIAR), 33);
	ck_assert_uint_eq(rd(0, GICC + C_NSAPR), 1u << 20);
	emu_set_current_cpu(0);
	bench_write(&bench, GICD + 0x400 + 34, 1, 0x40);
	spi(34, true); /* Group 0 preempts */
	ck_assert(!irq(0) && fiq(0));
	ck_assert_uint_eq(rd(0, GICC + C_AIAR), 1023);
	ck_assert_uint_eq(rd(0, GICC + C_IAR), 34);
	spi(34, false);
	wr(0, GICC + C_AEOIR, 34); /* not of Group 1 */
	ck_assert_uint_eq(rd(0, GICC + C_RPR), 0x40);
	wr(0, GICC + C_EOIR, 34);
	spi(33, false);
	wr(0, GICC + C_AEOIR, 33);
	ck_assert_uint_eq(rd(0, GICC + C_RPR), 0xff);
	/* AckCtl lets IAR take Group 1. */
	wr(0, GICC + C_CTLR, 7);
	spi(33, true);
	ck_assert_uint_eq(rd(0, GICC + C_IAR), 33);
	spi(33, false);
	wr(0, GICC + C_EOIR, 33);
	ck_assert_uint_eq(rd(0, GICD + 0x304), 0);
}
END_TEST

START_TEST(test_one_cpu)
{
	struct vmd_error err = { .message = "" };
	struct devices_device *dev = devices_new(devices_class_find("arm-gicv2"), NULL, &bench.env, &err);
	uint64_t base = BENCH_BASE + 0x1000000;
	dev->wiring.base = base;
	devices_gic_set_bases(dev, base + 0x10000);
	ck_assert(!devices_set(dev, "num-cpu", "9", &err));
	ck_assert(devices_realize(dev, &err));
	devices_gic_connect_cpu(dev, 0, bench_line(&bench, 3), bench_line(&bench, 7));
	devices_reset(dev);
	wr(0, base, 1);
	wr(0, base + 0x104, 2);
	wr(0, base + 0x10004, 0xff);
	wr(0, base + 0x10000, 1);
	ck_assert_uint_eq(rd(0, base + 0x820), 0);
	struct emu_irq line = devices_gic_spi(dev, 1);
	emu_irq_set(&line, true);
	ck_assert(irq(3));
	devices_free(dev);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gicv2");
	TCase *tc = tcase_create("gicv2");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_registers);
	tcase_add_test(tc, test_spi);
	tcase_add_test(tc, test_targets);
	tcase_add_test(tc, test_sgi);
	tcase_add_test(tc, test_groups);
	tcase_add_test(tc, test_one_cpu);
	suite_add_tcase(suite, tc);
	return suite_run(suite, CK_FORK_GETENV);
}
