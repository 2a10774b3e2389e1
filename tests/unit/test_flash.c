/* SPDX-License-Identifier: BSD-2-Clause */
/* CFI flash: probing with every bus width, as firmware does; programming,
 * buffered programming, erasing, locking; reads by mode. */
#include "devices/flash.h"

#include "devices_bench.h"
#include "tests/unit/suite.h"

#include <stdlib.h>
#include <string.h>

#define BASE BENCH_BASE
#define BLOCK 0x40000u

static struct bench bench;
static struct devices_device *dev;

static void setup(void)
{
	bench_init(&bench);
	dev = bench_device(&bench, "cfi.pflash01", (const char *const[]){ "size", "64M", NULL });
}

static void teardown(void)
{
	devices_free(dev);
	bench_fini(&bench);
}

static uint32_t rd(uint32_t offset)
{
	return (uint32_t)bench_read(&bench, BASE + offset, 4);
}

static void wr(uint32_t offset, uint32_t value)
{
	bench_write(&bench, BASE + offset, 4, value);
}

/* Whether reads go straight to the bytes. */
static bool is_direct;
static void see_region(void *opaque, const struct emu_region_desc *desc, bool direct)
{
	if (desc->base == BASE)
		is_direct = direct;
}

static bool direct(void)
{
	emu_mem_walk(bench.env.mem, see_region, NULL);
	return is_direct;
}

START_TEST(test_erased)
{
	ck_assert(direct());
	for (uint32_t at = 0; at < 0x4000000; at += 0x10000)
		ck_assert_uint_eq(rd(at), 0xffffffff);
	ck_assert_uint_eq(bench_read(&bench, BASE + 0x3fffff8, 8), UINT64_MAX);
}
END_TEST

/* A probe writes 0x98 at 0x55 units of the width it assumes, and looks for QRY. */
START_TEST(test_cfi)
{
	static const char qry[] = "QRY";
	for (unsigned size = 1; size <= 4; size *= 2) {
		uint32_t command = size == 1 ? 0x98 : size == 2 ? 0x9898 : 0x00980098;
		bench_write(&bench, BASE + 0x55 * 4, size, command);
		ck_assert(!direct());
		for (unsigned i = 0; i < 3; i++) {
			uint32_t at = (0x10 + i) * 4;
			ck_assert_uint_eq(bench_read(&bench, BASE + at, 1), (unsigned)qry[i]);
			ck_assert_uint_eq(bench_read(&bench, BASE + at + 1, 1), 0);
			ck_assert_uint_eq(bench_read(&bench, BASE + at, 2), (unsigned)qry[i]);
			ck_assert_uint_eq(bench_read(&bench, BASE + at + 2, 2), (unsigned)qry[i]);
			ck_assert_uint_eq(rd(at), (unsigned)qry[i] * 0x10001u);
		}
		bench_write(&bench, BASE, size, size == 1 ? 0xff : size == 2 ? 0xffff : 0x00ff00ff);
		ck_assert(direct());
		ck_assert_uint_eq(rd(0x40), 0xffffffff);
	}
	static const struct {
		uint8_t at, value;
	} table[] = {
		{ 0x13, 1 }, { 0x14, 0 }, { 0x15, 0x31 }, { 0x27, 25 }, { 0x28, 2 }, { 0x2a, 11 }, { 0x2c, 1 },
		{ 0x2d, 0xff }, { 0x2e, 0 }, { 0x2f, 0x00 }, { 0x30, 0x02 }, { 0x31, 'P' }, { 0x33, 'I' }, { 0x34, '1' },
	};
	wr(0x154, 0x00980098);
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		ck_assert_uint_eq(rd(table[i].at * 4u), table[i].value * 0x10001u);
	ck_assert_uint_eq(rd(0x40 * 4), 0);
	wr(0, 0x00f000f0);
	ck_assert(direct());
	wr(0, 0x00900090);
	ck_assert_uint_eq(rd(0), 0x00890089);
	ck_assert_uint_eq(rd(4), 0x00180018);
	ck_assert_uint_eq(rd(8), 0);
	wr(0, 0x00ff00ff);
	ck_assert_uint_eq(bench.guest_errors, 0);
}
END_TEST

START_TEST(test_program)
{
	wr(0x1000, 0x00400040);
	wr(0x1000, 0x12345678);
	ck_assert(!direct());
	ck_assert_uint_eq(rd(0x1000), 0x00800080);
	wr(0, 0x00ff00ff);
	ck_assert_uint_eq(rd(0x1000), 0x12345678);
	ck_assert_uint_eq(rd(0x0ffc), 0xffffffff);
	ck_assert_uint_eq(rd(0x1004), 0xffffffff);
	/* Programming only clears bits. */
	wr(0x1000, 0x00100010);
	wr(0x1000, 0xffff0000);
	wr(0, 0x00ff00ff);
	ck_assert_uint_eq(rd(0x1000), 0x12340000);
	/* Narrow writes. */
	bench_write(&bench, BASE + 0x2002, 2, 0x40);
	bench_write(&bench, BASE + 0x2002, 2, 0xbeef);
	bench_write(&bench, BASE + 0x2001, 1, 0x40);
	bench_write(&bench, BASE + 0x2001, 1, 0x5a);
	bench_write(&bench, BASE, 1, 0xff);
	ck_assert_uint_eq(rd(0x2000), 0xbeef5aff);
	ck_assert_uint_eq(bench.guest_errors, 0);
}
END_TEST

START_TEST(test_erase)
{
	for (uint32_t at = BLOCK - 4; at < 2 * BLOCK + 8; at += BLOCK / 2) {
		wr(at, 0x00400040);
		wr(at, 0);
	}
	wr(BLOCK + 0x123c, 0x00200020);
	wr(BLOCK + 0x123c, 0x00d000d0);
	ck_assert_uint_eq(rd(0), 0x00800080);
	wr(0, 0x00ff00ff);
	ck_assert_uint_eq(rd(BLOCK - 4), 0);
	ck_assert_uint_eq(rd(BLOCK + BLOCK / 2 - 4), 0xffffffff);
	ck_assert_uint_eq(rd(2 * BLOCK - 4), 0xffffffff);
	/* Not confirmed: a sequence error until the status is cleared. */
	wr(0, 0x00200020);
	wr(0, 0x00ff00ff);
	ck_assert_uint_eq(rd(0), 0x00b000b0);
	wr(0, 0x00700070);
	ck_assert_uint_eq(rd(0), 0x00b000b0);
	wr(0, 0x00500050);
	ck_assert_uint_eq(rd(0), 0x00800080);
	wr(0, 0x00ff00ff);
	ck_assert_uint_eq(rd(BLOCK - 4), 0);
}
END_TEST

/* As EDK2 writes variables: 0xE8, count, words, 0xD0. */
START_TEST(test_buffer)
{
	uint32_t at = 3 * BLOCK + 0x80;
	wr(at, 0x00e800e8);
	ck_assert_uint_eq(rd(at), 0x00800080); /* the buffer is free */
	wr(at, 31 * 0x10001u);
	for (unsigned i = 0; i < 32; i++)
		wr(at + 4 * i, 0x01010101 * i);
	wr(at, 0x00ff00ff ^ 0x00ff00ff ^ 0x00d000d0);
	ck_assert_uint_eq(rd(at), 0x00800080);
	wr(0, 0x00ff00ff);
	for (unsigned i = 0; i < 32; i++)
		ck_assert_uint_eq(rd(at + 4 * i), 0x01010101 * i);
	ck_assert_uint_eq(rd(at - 4), 0xffffffff);
	ck_assert_uint_eq(rd(at + 128), 0xffffffff);
	/* The whole buffer: 1024 words. */
	at = 4 * BLOCK;
	wr(at, 0x00e800e8);
	wr(at, 1023 * 0x10001u);
	for (unsigned i = 0; i < 1024; i++)
		wr(at + 4 * i, i);
	wr(at, 0x00d000d0);
	wr(0, 0x00ff00ff);
	for (unsigned i = 0; i < 1024; i++)
		ck_assert_uint_eq(rd(at + 4 * i), i);
	ck_assert_uint_eq(bench.guest_errors, 0);
}
END_TEST

START_TEST(test_buffer_errors)
{
	/* Not confirmed: nothing is programmed. */
	wr(0, 0x00e800e8);
	wr(0, 0);
	wr(0x10, 0x12345678);
	wr(0, 0x00ff00ff);
	ck_assert_uint_eq(rd(0), 0x00b000b0);
	wr(0, 0x00500050);
	wr(0, 0x00ff00ff);
	ck_assert_uint_eq(rd(0x10), 0xffffffff);
	/* Too many words. */
	wr(0, 0x00e800e8);
	wr(0, 1024 * 0x10001u);
	ck_assert_uint_eq(rd(0), 0x00b000b0);
	wr(0, 0x00500050);
	/* Data outside of the buffer's window. */
	wr(0, 0x00e800e8);
	wr(0, 0x00010001);
	wr(0xffc, 1);
	wr(0x1000, 2);
	wr(0, 0x00d000d0);
	ck_assert_uint_eq(rd(0), 0x00b000b0);
	wr(0, 0x00500050);
	wr(0, 0x00ff00ff);
	ck_assert_uint_eq(rd(0xffc), 0xffffffff);
	ck_assert_uint_eq(rd(0x1000), 0xffffffff);
}
END_TEST

START_TEST(test_lock)
{
	wr(BLOCK, 0x00600060);
	wr(BLOCK, 0x00010001);
	wr(BLOCK, 0x00900090);
	ck_assert_uint_eq(rd(BLOCK + 8), 0x00010001);
	ck_assert_uint_eq(rd(8), 0);
	wr(BLOCK, 0x00400040);
	wr(BLOCK, 0);
	ck_assert_uint_eq(rd(0), 0x00920092);
	wr(0, 0x00500050);
	wr(BLOCK, 0x00200020);
	wr(BLOCK, 0x00d000d0);
	ck_assert_uint_eq(rd(0), 0x00a200a2);
	wr(0, 0x00500050);
	wr(BLOCK, 0x00600060);
	wr(BLOCK, 0x00d000d0);
	wr(BLOCK, 0x00400040);
	wr(BLOCK, 0);
	ck_assert_uint_eq(rd(0), 0x00800080);
	wr(0, 0x00ff00ff);
	ck_assert_uint_eq(rd(BLOCK), 0);
	/* A read-only bank. */
	devices_flash_set_readonly(dev, true);
	wr(0, 0x00400040);
	wr(0, 0);
	ck_assert_uint_eq(rd(0), 0x00920092);
	wr(0, 0x00ff00ff);
	ck_assert_uint_eq(rd(0), 0xffffffff);
}
END_TEST

START_TEST(test_load)
{
	struct vmd_error err = { .message = "" };
	static uint8_t image[300000];
	for (unsigned i = 0; i < sizeof(image); i++)
		image[i] = (uint8_t)(i * 7);
	ck_assert(devices_flash_load(dev, image, sizeof(image), &err));
	ck_assert_uint_eq(bench_read(&bench, BASE + 299999, 1), image[299999]);
	ck_assert_uint_eq(bench_read(&bench, BASE + 300000, 1), 0xff);
	ck_assert(devices_flash_load(dev, image, 16, &err)); /* the rest is erased again */
	ck_assert_uint_eq(bench_read(&bench, BASE + 15, 1), image[15]);
	ck_assert_uint_eq(bench_read(&bench, BASE + 16, 1), 0xff);
	ck_assert(!devices_flash_load(dev, image, 0x4000001, &err));
	ck_assert_uint_eq(err.code, VMD_ERR_LIMIT);
	/* A reset ends any command. */
	wr(0, 0x00e800e8);
	devices_reset(dev);
	ck_assert(direct());
	ck_assert_uint_eq(bench_read(&bench, BASE + 1, 1), 7);
	wr(0, 0x00980098);
	ck_assert_uint_eq(rd(0x40), 0x00510051);
}
END_TEST

START_TEST(test_unknown_command)
{
	wr(0, 0x00700070);
	wr(0, 0x00ab00ab);
	ck_assert(direct());
	ck_assert_uint_eq(bench.guest_errors, 1);
}
END_TEST

START_TEST(test_bad_size)
{
	struct vmd_error err = { .message = "" };
	struct devices_device *d = devices_new(devices_class_find("cfi.pflash01"), NULL, &bench.env, &err);
	ck_assert(!devices_set(d, "size", "128K", &err));
	ck_assert(devices_set(d, "size", "3M", &err));
	ck_assert(!devices_realize(d, &err));
	ck_assert(devices_set(d, "size", "256K", &err));
	d->wiring.base = BASE + 0x8000000;
	ck_assert_msg(devices_realize(d, &err), "%s", err.message);
	ck_assert_uint_eq(bench_read(&bench, BASE + 0x803fffc, 4), 0xffffffff);
	devices_free(d);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flash");
	TCase *tc = tcase_create("flash");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_erased);
	tcase_add_test(tc, test_cfi);
	tcase_add_test(tc, test_program);
	tcase_add_test(tc, test_erase);
	tcase_add_test(tc, test_buffer);
	tcase_add_test(tc, test_buffer_errors);
	tcase_add_test(tc, test_lock);
	tcase_add_test(tc, test_load);
	tcase_add_test(tc, test_unknown_command);
	tcase_add_test(tc, test_bad_size);
	suite_add_tcase(suite, tc);
	return suite_run(suite, CK_FORK_GETENV);
}
