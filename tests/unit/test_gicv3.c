/* SPDX-License-Identifier: BSD-2-Clause */
/* GICv3 as software drives it: registers, priorities, preemption, both EOI
 * modes, SGIs, edges and levels, routing. */
#include "devices/gic.h"

#include "devices_bench.h"
#include "tests/unit/suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define GICD BENCH_BASE
#define GICR (BENCH_BASE + 0xa0000)
#define RD(cpu) (GICR + (cpu) * 0x20000)
#define SGI(cpu) (RD(cpu) + 0x10000)

#define ICC(op1, crm, op2) EMU_SYSREG(3, op1, 12, crm, op2)
#define PMR EMU_SYSREG(3, 0, 4, 6, 0)
#define IAR0 ICC(0, 8, 0)
#define EOIR0 ICC(0, 8, 1)
#define HPPIR0 ICC(0, 8, 2)
#define BPR0 ICC(0, 8, 3)
#define AP0R0 ICC(0, 8, 4)
#define AP1R0 ICC(0, 9, 0)
#define DIR ICC(0, 11, 1)
#define RPR ICC(0, 11, 3)
#define SGI1R ICC(0, 11, 5)
#define ASGI1R ICC(0, 11, 6)
#define SGI0R ICC(0, 11, 7)
#define IAR1 ICC(0, 12, 0)
#define EOIR1 ICC(0, 12, 1)
#define HPPIR1 ICC(0, 12, 2)
#define BPR1 ICC(0, 12, 3)
#define CTLR ICC(0, 12, 4)
#define SRE ICC(0, 12, 5)
#define IGRPEN0 ICC(0, 12, 6)
#define IGRPEN1 ICC(0, 12, 7)

#define N_CPUS 4

static struct bench bench;
static struct devices_device *gic;
static struct emu_gic_cpuif icc;

static void setup(void)
{
	struct vmd_error err = { .message = "" };
	bench_init(&bench);
	gic = devices_new(devices_class_find("arm-gicv3"), NULL, &bench.env, &err);
	ck_assert(devices_set(gic, "num-cpu", "4", &err));
	gic->wiring.base = GICD;
	devices_gic_set_bases(gic, GICR);
	devices_gic_set_affinity(gic, 3, 0x0100000201); /* Aff3 1, Aff1 2, Aff0 1 */
	ck_assert_msg(devices_realize(gic, &err), "%s", err.message);
	for (unsigned c = 0; c < N_CPUS; c++)
		devices_gic_connect_cpu(gic, c, bench_line(&bench, c), bench_line(&bench, 4 + c));
	icc = devices_gicv3_cpuif(gic);
	devices_reset(gic);
}

static void teardown(void)
{
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

static uint64_t rd(unsigned cpu, uint32_t reg)
{
	uint64_t value;
	ck_assert(icc.read(icc.opaque, cpu, reg, &value));
	return value;
}

static void wr(unsigned cpu, uint32_t reg, uint64_t value)
{
	ck_assert(icc.write(icc.opaque, cpu, reg, value));
}

static uint32_t r32(uint64_t pa)
{
	return (uint32_t)bench_read(&bench, pa, 4);
}

static void w32(uint64_t pa, uint32_t value)
{
	bench_write(&bench, pa, 4, value);
}

static void spi(unsigned intid, bool level)
{
	struct emu_irq line = devices_gic_spi(gic, intid - 32);
	emu_irq_set(&line, level);
}

static void set_prio(unsigned intid, unsigned prio)
{
	bench_write(&bench, GICD + 0x400 + intid, 1, prio);
}

/* As Linux leaves it: everything in Group 1 at 0xa0, SPIs enabled and routed to
 * CPU 0, CPU interfaces open. */
static void bring_up(void)
{
	w32(GICD, 0x12);
	for (unsigned i = 1; i < 9; i++) {
		w32(GICD + 0x80 + 4 * i, 0xffffffff);
		w32(GICD + 0x100 + 4 * i, 0xffffffff);
	}
	for (unsigned i = 32; i < 288; i++)
		set_prio(i, 0xa0);
	for (unsigned c = 0; c < N_CPUS; c++) {
		w32(RD(c) + 0x14, 0);
		w32(SGI(c) + 0x80, 0xffffffff);
		w32(SGI(c) + 0x100, 0xffffffff);
		for (unsigned i = 0; i < 8; i++)
			w32(SGI(c) + 0x400 + 4 * i, 0xa0a0a0a0);
		wr(c, PMR, 0xff);
		wr(c, IGRPEN1, 1);
	}
}

/* ---- Registers ---- */

START_TEST(test_reset_values)
{
	static const struct {
		uint64_t pa;
		uint32_t value;
	} regs[] = {
		{ GICD + 0x0000, 0x50 },       /* CTLR: DS, ARE */
		{ GICD + 0x0004, 0x01490008 }, /* TYPER: A3V, IDbits 9, MBIS, 288 INTIDs */
		{ GICD + 0x0008, 0x43b },
		{ GICD + 0x0080, 0 }, { GICD + 0x0084, 0 },
		{ GICD + 0x0104, 0 }, { GICD + 0x0404, 0 }, { GICD + 0x0c08, 0 },
		{ GICD + 0x6100, 0 }, { GICD + 0x6104, 0 },
		{ GICD + 0xffe8, 0x3b },       /* PIDR2: version 3 */
		{ GICD + 0xfff0, 0x0d }, { GICD + 0xfffc, 0xb1 },
		{ RD(0) + 0x00, 0 },
		{ RD(0) + 0x08, 0x000 }, { RD(0) + 0x0c, 0 },
		{ RD(1) + 0x08, 0x100 }, { RD(1) + 0x0c, 1 },
		{ RD(3) + 0x08, 0x310 }, { RD(3) + 0x0c, 0x01000201 }, /* Last */
		{ RD(2) + 0x14, 6 },           /* WAKER: asleep */
		{ RD(0) + 0xffe8, 0x3b },
		{ SGI(0) + 0xc00, 0xaaaaaaaa }, { SGI(0) + 0xc04, 0 },
		{ SGI(0) + 0x80, 0 }, { SGI(0) + 0x100, 0 },
	};
	for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		ck_assert_msg(r32(regs[i].pa) == regs[i].value, "0x%llx is 0x%x, not 0x%x",
			      (unsigned long long)regs[i].pa, r32(regs[i].pa), regs[i].value);
	ck_assert_uint_eq(bench_read(&bench, RD(3) + 8, 8), UINT64_C(0x0100020100000310));
	ck_assert_uint_eq(bench.guest_errors, 0);

	ck_assert_uint_eq(rd(0, SRE), 7);
	ck_assert_uint_eq(rd(0, CTLR), 0x8400); /* A3V, five priority bits */
	ck_assert_uint_eq(rd(0, BPR0), 2);
	ck_assert_uint_eq(rd(0, BPR1), 3);
	ck_assert_uint_eq(rd(0, PMR), 0);
	ck_assert_uint_eq(rd(0, RPR), 0xff);
	ck_assert_uint_eq(rd(0, IAR1), 1023);
	ck_assert_uint_eq(rd(0, IAR0), 1023);
	ck_assert_uint_eq(rd(0, HPPIR1), 1023);
}
END_TEST

START_TEST(test_register_masks)
{
	uint64_t value;
	w32(GICD, 0xffffffff);
	ck_assert_uint_eq(r32(GICD), 0x53);
	/* Set and clear pairs, and bytes within a word. */
	w32(GICD + 0x104, 0x0000ff00);
	ck_assert_uint_eq(r32(GICD + 0x184), 0xff00);
	w32(GICD + 0x184, 0x00003c00);
	ck_assert_uint_eq(r32(GICD + 0x104), 0xc300);
	w32(GICD + 0x304, 0x5);
	ck_assert_uint_eq(r32(GICD + 0x384), 5);
	w32(GICD + 0x384, 0x1);
	ck_assert_uint_eq(r32(GICD + 0x304), 4);
	/* Bank 0 of the distributor is the redistributors'. */
	w32(GICD + 0x100, 0xffffffff);
	ck_assert_uint_eq(r32(GICD + 0x100), 0);
	w32(GICD + 0x400, 0xffffffff);
	ck_assert_uint_eq(r32(GICD + 0x400), 0);
	/* Five bits of priority, by byte and by word. */
	w32(GICD + 0x420, 0xffffffff);
	ck_assert_uint_eq(r32(GICD + 0x420), 0xf8f8f8f8);
	bench_write(&bench, GICD + 0x421, 1, 0x57);
	ck_assert_uint_eq(bench_read(&bench, GICD + 0x421, 1), 0x50);
	ck_assert_uint_eq(r32(GICD + 0x420), 0xf8f850f8);
	/* Configuration: one bit of two; SGIs' is fixed. */
	w32(GICD + 0xc08, 0xffffffff);
	ck_assert_uint_eq(r32(GICD + 0xc08), 0xaaaaaaaa);
	w32(SGI(0) + 0xc00, 0);
	ck_assert_uint_eq(r32(SGI(0) + 0xc00), 0xaaaaaaaa);
	w32(SGI(0) + 0xc04, 0x80000000);
	ck_assert_uint_eq(r32(SGI(0) + 0xc04), 0x80000000);
	ck_assert_uint_eq(r32(SGI(1) + 0xc04), 0); /* banked */
	/* Routers, as one write and as two. */
	bench_write(&bench, GICD + 0x6100, 8, UINT64_MAX);
	ck_assert_uint_eq(bench_read(&bench, GICD + 0x6100, 8), UINT64_C(0xff80ffffff));
	w32(GICD + 0x6108, 0x201);
	w32(GICD + 0x610c, 0x1);
	ck_assert_uint_eq(bench_read(&bench, GICD + 0x6108, 8), UINT64_C(0x100000201));
	/* Past the last interrupt: nothing. */
	w32(GICD + 0x100 + 4 * 9, 0xffffffff);
	ck_assert_uint_eq(r32(GICD + 0x100 + 4 * 9), 0);
	bench_write(&bench, GICD + 0x6000 + 8 * 288, 8, 1);
	ck_assert_uint_eq(bench_read(&bench, GICD + 0x6000 + 8 * 288, 8), 0);
	w32(RD(1) + 0x14, 0);
	ck_assert_uint_eq(r32(RD(1) + 0x14), 0);
	w32(RD(1) + 0x14, 2);
	ck_assert_uint_eq(r32(RD(1) + 0x14), 6);

	wr(0, PMR, 0xff);
	ck_assert_uint_eq(rd(0, PMR), 0xf8);
	wr(0, BPR0, 0);
	ck_assert_uint_eq(rd(0, BPR0), 2);
	wr(0, BPR1, 0);
	ck_assert_uint_eq(rd(0, BPR1), 3);
	wr(0, BPR0, 5);
	wr(0, CTLR, UINT64_MAX);
	ck_assert_uint_eq(rd(0, CTLR), 0x8403);
	ck_assert_uint_eq(rd(0, BPR1), 6); /* CBPR: BPR0 + 1, and read-only */
	wr(0, BPR1, 7);
	ck_assert_uint_eq(rd(0, BPR1), 6);
	wr(0, SRE, 0);
	ck_assert_uint_eq(rd(0, SRE), 7);
	/* Directions and registers that are not there. */
	ck_assert(!icc.read(icc.opaque, 0, EOIR1, &value));
	ck_assert(!icc.write(icc.opaque, 0, IAR1, 0));
	ck_assert(!icc.read(icc.opaque, 0, ICC(0, 8, 5), &value)); /* AP0R1 */
	ck_assert(!icc.read(icc.opaque, 0, ICC(0, 9, 1), &value)); /* AP1R1 */
	ck_assert(!icc.read(icc.opaque, 0, ICC(4, 11, 0), &value)); /* ICH_HCR_EL2 */
}
END_TEST

/* ---- Signalling ---- */

START_TEST(test_level)
{
	bring_up();
	spi(33, true);
	ck_assert(irq(0) && !fiq(0) && !irq(1));
	ck_assert_uint_eq(rd(0, HPPIR1), 33);
	ck_assert_uint_eq(rd(0, HPPIR0), 1023);
	ck_assert_uint_eq(rd(0, IAR1), 33);
	ck_assert(!irq(0));
	ck_assert_uint_eq(r32(GICD + 0x204), 2); /* active and pending: the wire is up */
	ck_assert_uint_eq(r32(GICD + 0x304), 2);
	ck_assert_uint_eq(rd(0, RPR), 0xa0);
	ck_assert_uint_eq(rd(0, AP1R0), 1u << (0xa0 >> 3));
	ck_assert_uint_eq(rd(0, IAR1), 1023);
	wr(0, EOIR1, 33);
	ck_assert(irq(0)); /* again, for the wire is still up */
	ck_assert_uint_eq(rd(0, IAR1), 33);
	spi(33, false);
	wr(0, EOIR1, 33);
	ck_assert(!irq(0));
	ck_assert_uint_eq(rd(0, RPR), 0xff);
	/* A level that goes before it is taken was never there. */
	spi(33, true);
	spi(33, false);
	ck_assert(!irq(0));
	ck_assert_uint_eq(rd(0, IAR1), 1023);
	/* ICPENDR does not clear a level. */
	spi(33, true);
	w32(GICD + 0x284, 0xffffffff);
	ck_assert(irq(0));
}
END_TEST

START_TEST(test_edge)
{
	bring_up();
	w32(GICD + 0xc08, 0x8); /* INTID 33 */
	spi(33, true);
	spi(33, false);
	ck_assert(irq(0));
	ck_assert_uint_eq(rd(0, IAR1), 33);
	ck_assert_uint_eq(r32(GICD + 0x204), 0);
	spi(33, true); /* while active: pending again, once */
	spi(33, false);
	spi(33, true);
	ck_assert_uint_eq(r32(GICD + 0x204), 2);
	ck_assert(!irq(0));
	wr(0, EOIR1, 33);
	ck_assert(irq(0));
	ck_assert_uint_eq(rd(0, IAR1), 33);
	wr(0, EOIR1, 33);
	ck_assert(!irq(0)); /* the wire is up, but that is no edge */
	spi(33, false);
	spi(33, true);
	ck_assert(irq(0));
	w32(GICD + 0x284, 2);
	ck_assert(!irq(0));
}
END_TEST

START_TEST(test_software_pending)
{
	bring_up();
	w32(GICD + 0x204, 4);
	ck_assert_uint_eq(rd(0, IAR1), 34);
	ck_assert_uint_eq(r32(GICD + 0x204), 0);
	wr(0, EOIR1, 34);
	ck_assert(!irq(0));
	/* Messages: a level until cleared, or an edge. */
	w32(GICD + 0x40, 35);
	ck_assert_uint_eq(rd(0, IAR1), 35);
	wr(0, EOIR1, 35);
	ck_assert(irq(0));
	w32(GICD + 0x48, 35);
	ck_assert(!irq(0));
	w32(GICD + 0xc08, 0x80);
	w32(GICD + 0x40, 35);
	ck_assert_uint_eq(rd(0, IAR1), 35);
	wr(0, EOIR1, 35);
	ck_assert(!irq(0));
	ck_assert_uint_eq(bench.guest_errors, 0);
	w32(GICD + 0x40, 5);
	w32(GICD + 0x40, 900);
	ck_assert_uint_eq(bench.guest_errors, 2);
}
END_TEST

START_TEST(test_masks)
{
	bring_up();
	spi(40, true);
	ck_assert(irq(0));
	w32(GICD + 0x184, 1 << 8); /* disable it */
	ck_assert(!irq(0));
	w32(GICD + 0x104, 1 << 8);
	ck_assert(irq(0));
	wr(0, IGRPEN1, 0);
	ck_assert(!irq(0));
	ck_assert_uint_eq(rd(0, HPPIR1), 1023);
	wr(0, IGRPEN1, 1);
	w32(GICD, 0x10); /* both groups off */
	ck_assert(!irq(0));
	w32(GICD, 0x12);
	ck_assert(irq(0));
	wr(0, PMR, 0xa0); /* only what is below 0xa0 */
	ck_assert(!irq(0));
	ck_assert_uint_eq(rd(0, HPPIR1), 40); /* the mask does not hide it here */
	ck_assert_uint_eq(rd(0, IAR1), 1023);
	set_prio(40, 0x98);
	ck_assert(irq(0));
	wr(0, PMR, 0);
	ck_assert(!irq(0));
}
END_TEST

START_TEST(test_groups)
{
	bring_up();
	w32(GICD, 0x13);
	w32(GICD + 0x84, ~(1u << 10)); /* INTID 42 in Group 0 */
	spi(42, true);
	ck_assert(!irq(0) && !fiq(0)); /* Group 0 is not enabled at the interface */
	spi(43, true);
	ck_assert(irq(0)); /* and does not stand in Group 1's way */
	wr(0, IGRPEN0, 1);
	/* Equal priorities: the lower INTID is first, and it is an FIQ. */
	ck_assert(!irq(0) && fiq(0));
	ck_assert_uint_eq(rd(0, IAR1), 1023);
	ck_assert_uint_eq(rd(0, HPPIR0), 42);
	ck_assert_uint_eq(rd(0, IAR0), 42);
	ck_assert_uint_eq(rd(0, AP0R0), 1u << 20);
	ck_assert(!irq(0) && !fiq(0));
	wr(0, EOIR1, 42); /* the wrong register */
	ck_assert_uint_eq(rd(0, RPR), 0xa0);
	spi(42, false);
	wr(0, EOIR0, 42);
	ck_assert_uint_eq(rd(0, RPR), 0xff);
	ck_assert(irq(0) && !fiq(0));
	ck_assert_uint_eq(rd(0, IAR1), 43);
}
END_TEST

START_TEST(test_preemption)
{
	bring_up();
	set_prio(50, 0xc0);
	set_prio(51, 0x80);
	set_prio(52, 0x88);
	spi(50, true);
	ck_assert_uint_eq(rd(0, IAR1), 50);
	spi(52, true);
	ck_assert(irq(0));
	ck_assert_uint_eq(rd(0, IAR1), 52);
	spi(51, true);
	ck_assert(irq(0)); /* 0x80 preempts 0x88 with all five bits */
	wr(0, BPR1, 5);    /* group priority is bits 7:5 */
	ck_assert(!irq(0));
	wr(0, BPR1, 3);
	ck_assert_uint_eq(rd(0, IAR1), 51);
	ck_assert_uint_eq(rd(0, RPR), 0x80);
	ck_assert_uint_eq(rd(0, AP1R0), 1u << 16 | 1u << 17 | 1u << 24);
	spi(51, false);
	wr(0, EOIR1, 51);
	ck_assert_uint_eq(rd(0, RPR), 0x88);
	spi(52, false);
	wr(0, EOIR1, 52);
	ck_assert_uint_eq(rd(0, RPR), 0xc0);
	spi(50, false);
	wr(0, EOIR1, 50);
	ck_assert_uint_eq(rd(0, RPR), 0xff);
	/* No preemption at all with BPR1 at 7 among priorities of one half. */
	wr(0, BPR1, 7);
	set_prio(50, 0x78);
	set_prio(51, 0x00);
	spi(50, true);
	ck_assert_uint_eq(rd(0, IAR1), 50);
	ck_assert_uint_eq(rd(0, RPR), 0);
	spi(51, true);
	ck_assert(!irq(0));
}
END_TEST

START_TEST(test_order)
{
	bring_up();
	static const struct {
		unsigned intid, prio;
	} in[] = { { 60, 0x90 }, { 287, 0x10 }, { 61, 0x90 }, { 100, 0xf0 }, { 32, 0x18 } };
	static const unsigned out[] = { 287, 32, 60, 61, 100 };
	for (unsigned i = 0; i < 5; i++) {
		set_prio(in[i].intid, in[i].prio);
		spi(in[i].intid, true);
	}
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_uint_eq(rd(0, IAR1), out[i]);
		spi(out[i], false);
		wr(0, EOIR1, out[i]);
	}
	ck_assert(!irq(0));
}
END_TEST

START_TEST(test_eoimode)
{
	bring_up();
	wr(0, CTLR, 2); /* EOImode 1: priority drop and deactivation apart */
	spi(33, true);
	ck_assert_uint_eq(rd(0, IAR1), 33);
	wr(0, EOIR1, 33);
	ck_assert_uint_eq(rd(0, RPR), 0xff);
	ck_assert_uint_eq(r32(GICD + 0x304), 2);
	ck_assert(!irq(0)); /* still active */
	spi(34, true);      /* others get through, of the same priority too */
	ck_assert_uint_eq(rd(0, IAR1), 34);
	wr(0, EOIR1, 34);
	wr(0, DIR, 33);
	ck_assert_uint_eq(r32(GICD + 0x304), 4);
	ck_assert(irq(0));
	spi(33, false);
	spi(34, false);
	/* Another CPU may deactivate an SPI. */
	wr(1, CTLR, 2);
	wr(1, DIR, 34);
	ck_assert_uint_eq(r32(GICD + 0x304), 0);
	/* In EOImode 0 DIR does nothing. */
	wr(0, CTLR, 0);
	spi(33, true);
	ck_assert_uint_eq(rd(0, IAR1), 33);
	wr(0, DIR, 33);
	ck_assert_uint_eq(r32(GICD + 0x304), 2);
	/* Nor does ending what does not run or does not exist. */
	wr(0, EOIR1, 1023);
	wr(0, EOIR1, 500);
	wr(1, EOIR1, 33);
	ck_assert_uint_eq(r32(GICD + 0x304), 2);
	ck_assert_uint_eq(rd(0, RPR), 0xa0);
}
END_TEST

START_TEST(test_active_registers)
{
	bring_up();
	w32(GICD + 0x304, 2); /* active by software: not signalled */
	spi(33, true);
	ck_assert(!irq(0));
	w32(GICD + 0x384, 2);
	ck_assert(irq(0));
	/* Active priorities written back, as a context switch does. */
	wr(0, AP1R0, 1u << 4);
	ck_assert(!irq(0));
	ck_assert_uint_eq(rd(0, RPR), 0x20);
	wr(0, AP1R0, 0);
	ck_assert(irq(0));
}
END_TEST

START_TEST(test_ppi)
{
	bring_up();
	struct emu_irq timer = devices_gic_ppi(gic, 2, 27);
	emu_irq_set(&timer, true);
	ck_assert(irq(2) && !irq(0) && !irq(1) && !irq(3));
	ck_assert_uint_eq(rd(2, IAR1), 27);
	emu_irq_set(&timer, false);
	wr(2, EOIR1, 27);
	ck_assert(!irq(2));
	/* Each CPU has its own. */
	struct emu_irq other = devices_gic_ppi(gic, 1, 27);
	emu_irq_set(&timer, true);
	emu_irq_set(&other, true);
	ck_assert_uint_eq(rd(2, IAR1), 27);
	ck_assert_uint_eq(rd(1, IAR1), 27);
	ck_assert_uint_eq(r32(SGI(1) + 0x300), 1u << 27);
	ck_assert_uint_eq(r32(SGI(0) + 0x300), 0);
}
END_TEST

/* ---- SGIs and routing ---- */

START_TEST(test_sgi)
{
	bring_up();
	wr(0, SGI1R, 5ull << 24 | 0x6); /* Aff 0.0.0.{1,2} */
	ck_assert(!irq(0) && irq(1) && irq(2) && !irq(3));
	ck_assert_uint_eq(rd(1, IAR1), 5);
	ck_assert_uint_eq(rd(2, IAR1), 5);
	wr(1, SGI1R, 5ull << 24 | 0x4); /* again while active at CPU 2 */
	ck_assert(!irq(2));
	wr(2, EOIR1, 5);
	ck_assert(irq(2));
	ck_assert_uint_eq(rd(2, IAR1), 5);
	wr(2, EOIR1, 5);
	wr(1, EOIR1, 5);
	/* Full affinity: CPU 3 is 1.0.2.1. */
	wr(0, SGI1R, 1ull << 48 | 2ull << 16 | 7ull << 24 | 0x2);
	ck_assert(irq(3) && !irq(0) && !irq(1) && !irq(2));
	ck_assert_uint_eq(rd(3, IAR1), 7);
	wr(3, EOIR1, 7);
	/* The range selector moves Aff0 out of reach. */
	wr(0, SGI1R, 1ull << 44 | 7ull << 24 | 0xffff);
	ck_assert(!irq(0) && !irq(1) && !irq(2) && !irq(3));
	/* All but self. */
	wr(2, SGI1R, 1ull << 40 | 9ull << 24);
	ck_assert(irq(0) && irq(1) && !irq(2) && irq(3));
	/* To oneself, by list. */
	wr(2, SGI1R, 9ull << 24 | 4);
	ck_assert(irq(2));
	/* By group: SGI0R and ASGI1R reach Group 0 only, SGI1R Group 1 only. */
	wr(0, IGRPEN0, 1);
	w32(GICD, 0x13);
	ck_assert_uint_eq(rd(0, IAR1), 9);
	wr(0, EOIR1, 9);
	wr(1, SGI0R, 3ull << 24 | 1);
	wr(1, ASGI1R, 3ull << 24 | 1);
	ck_assert(!irq(0) && !fiq(0));
	w32(SGI(0) + 0x80, ~(1u << 3));
	wr(1, SGI1R, 3ull << 24 | 1);
	ck_assert(!irq(0) && !fiq(0));
	wr(1, SGI0R, 3ull << 24 | 1);
	ck_assert(!irq(0) && fiq(0));
	ck_assert_uint_eq(rd(0, IAR0), 3);
	wr(0, EOIR0, 3);
}
END_TEST

START_TEST(test_routing)
{
	bring_up();
	uint64_t router = GICD + 0x6000 + 8 * 70;
	bench_write(&bench, router, 8, 1);
	spi(70, true);
	ck_assert(!irq(0) && irq(1));
	bench_write(&bench, router, 8, 2); /* moves while pending */
	ck_assert(!irq(1) && irq(2));
	bench_write(&bench, router, 8, UINT64_C(0x100000201));
	ck_assert(!irq(2) && irq(3));
	bench_write(&bench, router, 8, 0x55); /* nobody */
	ck_assert(!irq(0) && !irq(1) && !irq(2) && !irq(3));
	bench_write(&bench, router, 8, UINT64_C(1) << 31); /* 1 of N */
	ck_assert(irq(0));
	ck_assert_uint_eq(rd(1, IAR1), 70);
	for (unsigned c = 0; c < N_CPUS; c++)
		ck_assert(!irq(c));
	ck_assert_uint_eq(rd(0, IAR1), 1023);
	spi(70, false);
	wr(1, EOIR1, 70);
	for (unsigned c = 0; c < N_CPUS; c++)
		ck_assert(!irq(c));
}
END_TEST

START_TEST(test_reset)
{
	bring_up();
	spi(33, true);
	ck_assert_uint_eq(rd(0, IAR1), 33);
	wr(1, SGI1R, 5ull << 24 | 1);
	devices_reset(gic);
	ck_assert(!irq(0));
	ck_assert_uint_eq(rd(0, RPR), 0xff);
	ck_assert_uint_eq(r32(GICD + 0x304), 0);
	ck_assert_uint_eq(r32(SGI(0) + 0x200), 0);
	ck_assert_uint_eq(r32(GICD + 0x204), 2); /* the wire is still up */
	bring_up();
	ck_assert_uint_eq(rd(0, IAR1), 33);
}
END_TEST

/* ---- Threads ---- */

#define STORM 2000
static atomic_uint taken[N_CPUS];
static atomic_bool storm_over;

static void *take_interrupts(void *arg)
{
	unsigned cpu = (unsigned)(uintptr_t)arg;
	while (!atomic_load(&storm_over)) {
		uint64_t intid = rd(cpu, IAR1);
		if (intid == 1023) {
			usleep(1);
			continue;
		}
		spi((unsigned)intid, false);
		atomic_fetch_add(&taken[cpu], 1);
		wr(cpu, EOIR1, intid);
	}
	return NULL;
}

/* Edges on SPIs routed to different CPUs, each taken exactly once. */
START_TEST(test_threads)
{
	bring_up();
	pthread_t threads[2];
	for (unsigned c = 0; c < 2; c++) {
		w32(GICD + 0xc00 + 4 * (64 / 16 + c), 0xaaaaaaaa);
		for (unsigned i = 0; i < 16; i++)
			bench_write(&bench, GICD + 0x6000 + 8 * (64 + 16 * c + i), 8, c);
		pthread_create(&threads[c], NULL, take_interrupts, (void *)(uintptr_t)c);
	}
	unsigned sent[2] = { 0, 0 };
	for (unsigned i = 0; i < STORM; i++) {
		unsigned cpu = i & 1;
		spi(64 + 16 * cpu + i / 2 % 16, true);
		sent[cpu]++;
		while (atomic_load(&taken[cpu]) != sent[cpu])
			usleep(1);
	}
	atomic_store(&storm_over, true);
	for (unsigned c = 0; c < 2; c++)
		pthread_join(threads[c], NULL);
	ck_assert_uint_eq(atomic_load(&taken[0]) + atomic_load(&taken[1]), STORM);
}
END_TEST

START_TEST(test_bad_config)
{
	struct vmd_error err = { .message = "" };
	struct devices_device *dev = devices_new(devices_class_find("arm-gicv3"), NULL, &bench.env, &err);
	ck_assert(!devices_set(dev, "num-cpu", "65", &err));
	ck_assert(!devices_set(dev, "num-irq", "1024", &err));
	ck_assert(devices_set(dev, "num-irq", "65", &err));
	ck_assert(!devices_realize(dev, &err));
	devices_free(dev);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gicv3");
	TCase *tc = tcase_create("gicv3");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_reset_values);
	tcase_add_test(tc, test_register_masks);
	tcase_add_test(tc, test_level);
	tcase_add_test(tc, test_edge);
	tcase_add_test(tc, test_software_pending);
	tcase_add_test(tc, test_masks);
	tcase_add_test(tc, test_groups);
	tcase_add_test(tc, test_preemption);
	tcase_add_test(tc, test_order);
	tcase_add_test(tc, test_eoimode);
	tcase_add_test(tc, test_active_registers);
	tcase_add_test(tc, test_ppi);
	tcase_add_test(tc, test_sgi);
	tcase_add_test(tc, test_routing);
	tcase_add_test(tc, test_reset);
	tcase_add_test(tc, test_threads);
	tcase_add_test(tc, test_bad_config);
	suite_add_tcase(suite, tc);
	return suite_run(suite, CK_FORK_GETENV);
}
