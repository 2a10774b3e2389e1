/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory map: overlap and range checks, device accesses, DMA. */
#include "emu/mem.h"
#include "tests/unit/suite.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct dev {
	uint64_t regs[8];
	unsigned n_reads, n_writes, last_size;
	uint64_t last_offset;
	bool fail;
};

static bool dev_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value)
{
	struct dev *dev = opaque;
	dev->n_reads++;
	dev->last_size = size;
	dev->last_offset = offset;
	*ret_value = UINT64_C(0x8877665544332211) + offset;
	return !dev->fail;
}

static bool dev_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct dev *dev = opaque;
	dev->last_size = size;
	dev->last_offset = offset;
	dev->regs[dev->n_writes++ & 7] = value;
	return !dev->fail;
}

static const struct emu_mmio_ops dev_ops = { .read = dev_read, .write = dev_write };
static const struct emu_mmio_ops dev_ops_32 = { .read = dev_read, .write = dev_write, .min_size = 2, .max_size = 4 };

static struct emu_mem *mem;
static uint8_t *ram, *rom;
static struct dev dev;
static pthread_mutex_t dev_lock = PTHREAD_MUTEX_INITIALIZER;

static struct emu_region *add(enum emu_region_kind kind, uint64_t base, uint64_t size, void *host,
			      const struct emu_mmio_ops *ops, struct vmd_error *err)
{
	struct emu_region_desc desc = { .name = "r", .kind = kind, .base = base, .size = size, .host = host,
		.ops = ops, .opaque = &dev, .lock = ops ? &dev_lock : NULL };
	return emu_mem_add(mem, &desc, err);
}

static void setup(void)
{
	mem = emu_mem_new(40, NULL);
	ram = aligned_alloc(4096, 0x4000);
	rom = aligned_alloc(4096, 0x1000);
	memset(ram, 0, 0x4000);
	memset(rom, 0x5a, 0x1000);
	memset(&dev, 0, sizeof(dev));
}

static void teardown(void)
{
	emu_mem_free(mem);
	free(ram);
	free(rom);
}

START_TEST(test_overlap)
{
	struct vmd_error err = { 0 };
	ck_assert_ptr_nonnull(add(EMU_REGION_RAM, 0x40000000, 0x4000, ram, NULL, &err));
	ck_assert_ptr_nonnull(add(EMU_REGION_MMIO, 0x1000, 0x10, NULL, &dev_ops, &err));
	ck_assert_ptr_nonnull(add(EMU_REGION_MMIO, 0x1010, 0x10, NULL, &dev_ops, &err));
	static const uint64_t bad[][2] = {
		{ 0x100f, 1 }, { 0x1000, 1 }, { 0xfff, 2 }, { 0, 0x10000 }, { 0x101f, 0x100 },
		{ 0x40003fff, 1 }, { 0x3fffffff, 2 }, { 0, UINT64_C(1) << 40 },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.code = 0;
		ck_assert_ptr_null(add(EMU_REGION_MMIO, bad[i][0], bad[i][1], NULL, &dev_ops, &err));
		ck_assert_int_eq(err.code, VMD_ERR_INVALID);
	}
	ck_assert_ptr_nonnull(add(EMU_REGION_MMIO, 0xfff, 1, NULL, &dev_ops, &err));
	ck_assert_ptr_nonnull(add(EMU_REGION_MMIO, 0x1020, 1, NULL, &dev_ops, &err));
}
END_TEST

START_TEST(test_range)
{
	static const uint64_t bad[][2] = {
		{ 0, 0 }, { UINT64_C(1) << 40, 0x10 }, { (UINT64_C(1) << 40) - 8, 0x10 }, { UINT64_MAX, 2 },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vmd_error err = { 0 };
		ck_assert_ptr_null(add(EMU_REGION_MMIO, bad[i][0], bad[i][1], NULL, &dev_ops, &err));
		ck_assert_int_eq(err.code, VMD_ERR_INVALID);
	}
	ck_assert_ptr_null(add(EMU_REGION_RAM, 0x800, 0x1000, ram, NULL, NULL));
	ck_assert_ptr_null(add(EMU_REGION_RAM, 0x1000, 0x1800, ram, NULL, NULL));
	ck_assert_ptr_nonnull(add(EMU_REGION_MMIO, (UINT64_C(1) << 40) - 8, 8, NULL, &dev_ops, NULL));
}
END_TEST

START_TEST(test_device)
{
	uint64_t v;
	add(EMU_REGION_MMIO, 0x1000, 0x100, NULL, &dev_ops, NULL);
	add(EMU_REGION_MMIO, 0x2000, 0x100, NULL, &dev_ops_32, NULL);

	ck_assert(emu_mem_load(mem, 0x1008, 8, &v));
	ck_assert_uint_eq(v, UINT64_C(0x8877665544332219));
	ck_assert(emu_mem_load(mem, 0x1003, 1, &v));
	ck_assert_uint_eq(v, 0x14);
	ck_assert(!emu_mem_load(mem, 0x1002, 4, &v)); /* misaligned */
	ck_assert(!emu_mem_load(mem, 0x10fe, 4, &v));
	ck_assert(!emu_mem_load(mem, 0x3000, 4, &v)); /* nothing there */

	ck_assert(!emu_mem_load(mem, 0x2001, 1, &v)); /* too narrow */
	dev.n_reads = 0;
	ck_assert(emu_mem_load(mem, 0x2008, 8, &v)); /* split, lowest first */
	ck_assert_uint_eq(dev.n_reads, 2);
	ck_assert_uint_eq(dev.last_offset, 12);
	ck_assert_uint_eq(v, UINT64_C(0x4433221d44332219));
	dev.n_writes = 0;
	ck_assert(emu_mem_store(mem, 0x2010, 8, UINT64_C(0x1122334455667788)));
	ck_assert_uint_eq(dev.n_writes, 2);
	ck_assert_uint_eq(dev.regs[0], 0x55667788);
	ck_assert_uint_eq(dev.regs[1], 0x11223344);
	dev.fail = true;
	ck_assert(!emu_mem_load(mem, 0x1008, 8, &v));
	ck_assert(!emu_mem_store(mem, 0x1008, 8, 0));
	/* The lock is free again after failures. */
	ck_assert_int_eq(pthread_mutex_trylock(&dev_lock), 0);
	pthread_mutex_unlock(&dev_lock);
}
END_TEST

START_TEST(test_rom_and_flash)
{
	uint64_t v;
	add(EMU_REGION_ROM, 0x1000, 0x1000, rom, NULL, NULL);
	ck_assert(emu_mem_load(mem, 0x1ffe, 2, &v));
	ck_assert_uint_eq(v, 0x5a5a);
	ck_assert(!emu_mem_load(mem, 0x1fff, 2, &v));
	ck_assert(!emu_mem_store(mem, 0x1000, 1, 0));

	struct emu_region *flash = add(EMU_REGION_ROMD, 0x10000, 0x4000, ram, &dev_ops, NULL);
	ram[4] = 0x77;
	ck_assert(emu_mem_load(mem, 0x10004, 1, &v));
	ck_assert_uint_eq(v, 0x77);
	ck_assert_uint_eq(dev.n_reads, 0);
	ck_assert(emu_mem_store(mem, 0x10004, 1, 0x90));
	ck_assert_uint_eq(dev.n_writes, 1);
	ck_assert_uint_eq(ram[4], 0x77);
	emu_region_set_direct(mem, flash, false);
	ck_assert(emu_mem_load(mem, 0x10004, 1, &v));
	ck_assert_uint_eq(v, 0x15);
	ck_assert_uint_eq(dev.n_reads, 1);
	emu_mem_remove(mem, flash);
	ck_assert(!emu_mem_load(mem, 0x10004, 1, &v));
}
END_TEST

START_TEST(test_dma)
{
	char buf[16] = "0123456789abcde";
	add(EMU_REGION_RAM, 0x10000, 0x1000, ram, NULL, NULL);
	add(EMU_REGION_RAM, 0x11000, 0x1000, ram + 0x2000, NULL, NULL);
	add(EMU_REGION_ROM, 0x12000, 0x1000, rom, NULL, NULL);
	add(EMU_REGION_MMIO, 0x20000, 0x1000, NULL, &dev_ops, NULL);

	ck_assert(emu_mem_dma_write(mem, 0x10ff8, buf, 16)); /* across two regions */
	ck_assert_int_eq(memcmp(ram + 0xff8, buf, 8), 0);
	ck_assert_int_eq(memcmp(ram + 0x2000, buf + 8, 8), 0);
	char back[16] = { 0 };
	ck_assert(emu_mem_dma_read(mem, 0x10ff8, back, 16));
	ck_assert_int_eq(memcmp(back, buf, 16), 0);
	ck_assert(emu_mem_dma_read(mem, 0x11ff8, back, 16)); /* RAM, then ROM */
	ck_assert_int_eq(back[8], 0x5a);
	ram[0x2ff8] = 9;
	ck_assert(!emu_mem_dma_write(mem, 0x11ff8, buf, 16)); /* ROM refuses, and nothing is done */
	ck_assert_int_eq(ram[0x2ff8], 9);
	ck_assert(!emu_mem_dma_read(mem, 0x20000, buf, 4));
	ck_assert(!emu_mem_dma_write(mem, 0x20000, buf, 4));
	ck_assert(!emu_mem_dma_read(mem, 0xfffe, buf, 4));
	ck_assert(!emu_mem_dma_read(mem, UINT64_MAX - 1, buf, 4));
	ck_assert(emu_mem_dma_read(mem, 0xdead0000, buf, 0));
	ck_assert_uint_eq(dev.n_reads + dev.n_writes, 0);

	ck_assert_ptr_eq(emu_mem_ram(mem, 0x10010, 16), ram + 0x10);
	ck_assert_ptr_null(emu_mem_ram(mem, 0x10ff8, 16));
	ck_assert_ptr_null(emu_mem_ram(mem, 0x12000, 16));
	ck_assert_ptr_null(emu_mem_ram(mem, 0x10000, 0));
}
END_TEST

static void *hammer(void *opaque)
{
	uint64_t v;
	for (unsigned i = 0; i < 20000; i++)
		emu_mem_load(mem, 0x1000 + (i & 1) * 0x1000, 4, &v);
	return NULL;
}

START_TEST(test_change_while_read)
{
	pthread_t threads[2];
	add(EMU_REGION_MMIO, 0x1000, 0x100, NULL, &dev_ops, NULL);
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, hammer, NULL);
	for (unsigned i = 0; i < 200; i++) {
		struct emu_region *region = add(EMU_REGION_MMIO, 0x2000, 0x100, NULL, &dev_ops, NULL);
		ck_assert_ptr_nonnull(region);
		emu_mem_remove(mem, region);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

static void count(void *opaque, const struct emu_region_desc *desc, bool direct)
{
	uint64_t *last = opaque;
	ck_assert_uint_ge(desc->base, *last);
	*last = desc->base + desc->size;
}

START_TEST(test_walk)
{
	uint64_t last = 0;
	add(EMU_REGION_MMIO, 0x3000, 0x100, NULL, &dev_ops, NULL);
	add(EMU_REGION_MMIO, 0x1000, 0x100, NULL, &dev_ops, NULL);
	add(EMU_REGION_MMIO, 0x2000, 0x100, NULL, &dev_ops, NULL);
	emu_mem_walk(mem, count, &last);
	ck_assert_uint_eq(last, 0x3100);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mem");
	TCase *tc = tcase_create("map");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_overlap);
	tcase_add_test(tc, test_range);
	tcase_add_test(tc, test_device);
	tcase_add_test(tc, test_rom_and_flash);
	tcase_add_test(tc, test_dma);
	tcase_add_test(tc, test_change_while_read);
	tcase_add_test(tc, test_walk);
	suite_add_tcase(suite, tc);
	return suite_run(suite, CK_FORK_GETENV);
}
