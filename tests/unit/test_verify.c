/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lock step (EMU_ACCEL_VERIFY), on a vCPU that never leaves its pause and that
 * the test's thread runs: right code passes; translated code that has been
 * tampered with is found, reported, and leaves state and memory as they were
 * before the block; devices are accessed once.
 */
#include "emu/jit_priv.h"
#include "emu/verify_priv.h"
#include "tests/unit/lone.h"
#include "tests/unit/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAM_BASE UINT64_C(0x40000000)
#define RAM_SIZE (1u << 20)
#define CODE RAM_BASE
#define DATA (RAM_BASE + 0x8000)
#define TABLES 0x10000u
#define DEVICE UINT64_C(0x09000000)

static struct lone m;
static struct {
	char *report;
	unsigned n_events, n_reads, n_writes;
	uint64_t written;
} seen;

static bool device_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value)
{
	*ret_value = 100 + seen.n_reads++;
	return true;
}

/* Offset 0 remembers; offset 8 ends the run. */
static bool device_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	if (offset == 8) {
		atomic_fetch_or(&m.cpu->attention, EMU_ATT_STOP);
	} else {
		seen.n_writes++;
		seen.written = value;
	}
	return true;
}

static const struct emu_mmio_ops ops = { .read = device_read, .write = device_write };

static void on_event(void *opaque, unsigned cpu, enum emu_event event, uint64_t value)
{
	ck_assert_int_eq(event, EMU_EVENT_PANIC);
	seen.n_events++;
}

static void on_report(void *opaque, const char *text)
{
	free(seen.report);
	seen.report = strdup(text);
}

static void setup(void)
{
	lone_init(&m, RAM_BASE, RAM_SIZE);
	ck_assert(emu_mem_add(m.mem, &(struct emu_region_desc){ .name = "device", .kind = EMU_REGION_MMIO, .base = DEVICE,
		.size = 4096, .ops = &ops }, NULL) != NULL);
	lone_start(&m, (struct emu_system_config){ .accel = EMU_ACCEL_VERIFY, .event = on_event, .report = on_report });
	memset(&seen, 0, sizeof(seen));

	/* 39 bits, 4 KiB granules; the first GiB is Device memory, the second is Normal: both as they are */
	uint64_t tables[2] = { 0x401 | 1 << 2, RAM_BASE | 0x701 }, *sys = m.cpu->sys;
	memcpy(m.ram + TABLES, tables, sizeof(tables));
	sys[EMU_SR_MAIR_EL1] = 0x00ff;
	sys[EMU_SR_TCR_EL1] = 25;
	sys[EMU_SR_TTBR0_EL1] = RAM_BASE + TABLES;
	sys[EMU_SR_SCTLR_EL1] |= 1;
	emu_pstate_changed(m.cpu);
}

static void teardown(void)
{
	lone_fini(&m);
	free(seen.report);
}

/* X1 is the data, X2 the device. */
static void put(const uint32_t *code, unsigned n)
{
	memcpy(m.ram, code, 4 * n);
	emu_drop_all_code(m.cpu);
	m.cpu->x[1] = DATA;
	m.cpu->x[2] = DEVICE;
	m.cpu->pc = CODE;
	atomic_store(&m.cpu->attention, 0);
}

static uint64_t data(unsigned i)
{
	uint64_t val;
	memcpy(&val, m.ram + (DATA - RAM_BASE) + 8 * i, 8);
	return val;
}

#define STOP 0xb900085f /* str wzr, [x2, #8] */

/* ---- */

START_TEST(right_code_passes)
{
	static const uint32_t code[] = {
		0xd2800140, /* mov x0, #10 */
		0xd2800003, /* mov x3, #0 */
		0x8b000063, /* add x3, x3, x0 */
		0xf8008423, /* str x3, [x1], #8 */
		0xf1000400, /* subs x0, x0, #1 */
		0x54ffffa1, /* seen.ne -12 */
		0x1e6e1000, /* fmov d0, #1.0 */
		0x1e602800, /* fadd d0, d0, d0 */
		0xfd000020, /* str d0, [x1] */
		STOP,
	};
	put(code, 10);
	emu_verify_run(m.cpu);
	ck_assert_ptr_null(seen.report);
	ck_assert_uint_eq(seen.n_events, 0);
	ck_assert_uint_eq(m.cpu->x[3], 55);
	ck_assert_uint_eq(data(9), 55);
	ck_assert_uint_eq(data(10), UINT64_C(0x4000000000000000));
	ck_assert_uint_ge(m.cpu->verify->n_steps, 10);
	ck_assert_uint_eq(m.cpu->verify->n_disturbed, 0);
}
END_TEST

START_TEST(devices_are_accessed_once)
{
	static const uint32_t code[] = {
		0xd2800023, /* mov x3, #1 */
		0xf9400040, /* ldr x0, [x2] */
		0x8b030000, /* add x0, x0, x3 */
		0xf9000040, /* str x0, [x2] */
		0xf9400044, /* ldr x4, [x2] */
		STOP,
	};
	put(code, 6);
	emu_verify_run(m.cpu);
	ck_assert_ptr_null(seen.report);
	ck_assert_uint_eq(seen.n_reads, 2);
	ck_assert_uint_eq(seen.n_writes, 1);
	ck_assert_uint_eq(seen.written, 101);
	ck_assert_uint_eq(m.cpu->x[4], 101);
	ck_assert_uint_eq(m.cpu->retired, 6);
}
END_TEST

START_TEST(exceptions_are_compared)
{
	static const uint32_t vectors[] = { STOP };
	static const uint32_t code[] = {
		0xf9000020, /* str x0, [x1] */
		0xf9400063, /* ldr x3, [x3]: nothing is there */
	};
	memcpy(m.ram + 0x1200, vectors, 4); /* synchronous, from the same level */
	m.cpu->sys[EMU_SR_VBAR_EL1] = RAM_BASE + 0x1000;
	put(code, 2);
	m.cpu->x[0] = 7;
	m.cpu->x[3] = UINT64_C(0x80000000);
	emu_verify_run(m.cpu);
	ck_assert_ptr_null(seen.report);
	ck_assert_uint_eq(data(0), 7);
	ck_assert_uint_eq(m.cpu->sys[EMU_SR_ELR_EL1], CODE + 4);
	ck_assert_uint_eq(m.cpu->sys[EMU_SR_FAR_EL1], UINT64_C(0x80000000));
	ck_assert_uint_eq(m.cpu->sys[EMU_SR_ESR_EL1] >> 26, 0x25);
}
END_TEST

/* Puts `code` into translated form, and changes the host's instructions: `from` to `to`. */
static void tamper(const uint32_t *code, unsigned n, const char *from, const char *to, size_t len)
{
	put(code, n);
	const struct jit_block *block = jit_block_now(m.cpu);
	uint8_t *at = memmem(m.cpu->jit->buf.start + block->code, block->size, from, len);
	ck_assert_ptr_nonnull(at);
	memcpy(at, to, len);
}

static void expect_report(const char *what)
{
	ck_assert_ptr_nonnull(seen.report);
	if (!strstr(seen.report, what)) {
		fputs(seen.report, stdout); /* too long for a message of check */
		ck_abort_msg("no '%s' in the report", what);
	}
}

START_TEST(a_wrong_result_is_reported)
{
	static const uint32_t code[] = {
		0xf9000020, /* str x0, [x1] */
		0xd28acf05, /* mov x5, #0x5678 */
		0xd2802463, /* mov x3, #0x123 */
		STOP,
	};
	m.cpu->x[0] = 99;
	tamper(code, 4, "\x78\x56\0\0", "\x79\x56\0\0", 4);
	emu_verify_run(m.cpu);
	ck_assert_uint_eq(seen.n_events, 1);
	expect_report("differ: the state\n");
	expect_report("PC 0000000040000000, PA 0000000040000000");
	expect_report("0000000040000004  d28acf05  MOVZ\n");
	expect_report("  X5           0000000000000000  0000000000005678  0000000000005679  DIFFERS\n");
	expect_report("  X3           0000000000000000  0000000000000123  0000000000000123\n");
	expect_report("Host code");
	/* nothing has happened */
	ck_assert_uint_eq(m.cpu->pc, CODE);
	ck_assert_uint_eq(m.cpu->x[5], 0);
	ck_assert_uint_eq(m.cpu->retired, 0);
	ck_assert_uint_eq(data(0), 0);
}
END_TEST

START_TEST(a_store_that_is_too_wide_is_reported)
{
	static const uint32_t code[] = {
		0x52800063, /* mov w3, #3 */
		0xb9000023, /* str w3, [x1] */
		STOP,
	};
	/* The first store puts the page into the arrays. Then: mov [rax + base], r32, made one of 64 bits. */
	put(code, 3);
	memset(m.ram + (DATA - RAM_BASE), 0x77, 64);
	emu_verify_run(m.cpu);
	ck_assert_ptr_null(seen.report);
	memset(m.ram + (DATA - RAM_BASE), 0x77, 64);
	m.cpu->pc = CODE;
	atomic_store(&m.cpu->attention, 0);
	const struct jit_block *block = jit_block_now(m.cpu);
	uint8_t *host = m.cpu->jit->buf.start + block->code, *store = NULL;
	for (unsigned i = 0; i + 3 < block->size && !store; i++)
		if ((host[i] & 0xf8) == 0x40 && host[i + 1] == 0x89 && (host[i + 2] & 0xc7) == 0x04)
			store = &host[i];
	ck_assert_ptr_nonnull(store);
	*store |= 8; /* REX.W */
	emu_verify_run(m.cpu);
	expect_report("only the JIT writes to");
	expect_report("ram, PA 0000000040008000  DIFFERS");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("verify");
	TCase *tc = tcase_create("lock step");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, right_code_passes);
	tcase_add_test(tc, devices_are_accessed_once);
	tcase_add_test(tc, exceptions_are_compared);
	tcase_add_test(tc, a_wrong_result_is_reported);
	tcase_add_test(tc, a_store_that_is_too_wide_is_reported);
	suite_add_tcase(s, tc);
	return suite_run(s, CK_NOFORK);
}
