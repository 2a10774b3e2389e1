/* SPDX-License-Identifier: BSD-2-Clause */
/* fw_cfg: the traditional interface, DMA, and the directory. */
#include "devices/fw_cfg.h"

#include "devices_bench.h"
#include "tests/unit/suite.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE BENCH_BASE
#define CONTROL 0x100u /* where the tests keep the DMA structure, in RAM */

static struct bench bench;
static struct devices_device *dev;

static void setup(void)
{
	bench_init(&bench);
	dev = bench_device(&bench, "fw_cfg_mem", NULL);
}

static void teardown(void)
{
	devices_free(dev);
	bench_fini(&bench);
}

static void select_item(uint16_t selector)
{
	bench_write(&bench, BASE + 8, 2, htobe16(selector));
}

static void read_bytes(void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)bench_read(&bench, BASE, 1);
}

/* Returns the control field afterwards. */
static uint32_t dma(uint32_t control, uint32_t length, uint64_t address)
{
	uint32_t words[2] = { htobe32(control), htobe32(length) };
	memcpy(bench.ram + CONTROL, words, 8);
	address = htobe64(address);
	memcpy(bench.ram + CONTROL + 8, &address, 8);
	bench_write(&bench, BASE + 16, 8, htobe64(BENCH_RAM + CONTROL));
	memcpy(words, bench.ram + CONTROL, 4);
	return be32toh(words[0]);
}

START_TEST(test_data)
{
	char text[8];
	uint32_t id;
	select_item(FW_CFG_SIGNATURE);
	read_bytes(text, 4);
	ck_assert_mem_eq(text, "QEMU", 4);
	ck_assert_uint_eq(bench_read(&bench, BASE, 1), 0); /* past the end */
	select_item(FW_CFG_ID);
	read_bytes(&id, 4);
	ck_assert_uint_eq(le32toh(id), 3);
	/* Wider reads keep the bytes' order. */
	ck_assert(devices_fw_cfg_add_item(dev, FW_CFG_CMDLINE_DATA, "0123456789", 11, NULL));
	select_item(FW_CFG_CMDLINE_DATA);
	uint16_t half = (uint16_t)bench_read(&bench, BASE, 2);
	ck_assert_mem_eq(&half, "01", 2);
	uint32_t word = (uint32_t)bench_read(&bench, BASE, 4);
	ck_assert_mem_eq(&word, "2345", 4);
	uint64_t twice = bench_read(&bench, BASE, 8);
	ck_assert_mem_eq(&twice, "6789\0\0\0\0", 8);
	select_item(0x3000); /* no such item */
	ck_assert_uint_eq(bench_read(&bench, BASE, 8), 0);
	select_item(FW_CFG_CMDLINE_DATA | 0x4000); /* the write bit selects the same */
	ck_assert_uint_eq(bench_read(&bench, BASE, 1), '0');
	/* Replacing, as a reset does. */
	ck_assert(devices_fw_cfg_add_u32(dev, FW_CFG_NB_CPUS, 2, NULL));
	ck_assert(devices_fw_cfg_add_u32(dev, FW_CFG_NB_CPUS, 3, NULL));
	select_item(FW_CFG_NB_CPUS);
	ck_assert_uint_eq(bench_read(&bench, BASE, 4), 3);
	devices_reset(dev);
	ck_assert_uint_eq(bench_read(&bench, BASE, 1), 'Q');
	ck_assert_uint_eq(bench.guest_errors, 0);
	bench_write(&bench, BASE, 1, 1); /* no item can be written */
	bench_write(&bench, BASE + 8, 4, 1);
	ck_assert_uint_eq(bench.guest_errors, 2);
}
END_TEST

START_TEST(test_dma)
{
	ck_assert_uint_eq(be64toh(bench_read(&bench, BASE + 16, 8)), UINT64_C(0x51454d5520434647));
	ck_assert_uint_eq(be32toh((uint32_t)bench_read(&bench, BASE + 20, 4)), 0x20434647);
	ck_assert(devices_fw_cfg_add_item(dev, FW_CFG_KERNEL_DATA, "abcdefghij", 10, NULL));
	memset(bench.ram, 0xee, 64);
	/* Select and read in one, then read on. */
	ck_assert_uint_eq(dma(FW_CFG_KERNEL_DATA << 16 | 8 | 2, 4, BENCH_RAM), 0);
	ck_assert_mem_eq(bench.ram, "abcd\xee", 5);
	ck_assert_uint_eq(dma(4, 2, 0), 0); /* skip */
	ck_assert_uint_eq(dma(2, 8, BENCH_RAM), 0);
	ck_assert_mem_eq(bench.ram, "ghij\0\0\0\0\xee", 9); /* zeros past the end */
	ck_assert_uint_eq(dma(FW_CFG_KERNEL_DATA << 16 | 8, 0, 0), 0);
	ck_assert_uint_eq(bench_read(&bench, BASE, 1), 'a');
	/* The address in two halves. */
	uint32_t words[4] = { htobe32(FW_CFG_KERNEL_DATA << 16 | 8 | 2), htobe32(3), 0, htobe32(BENCH_RAM + 32) };
	memcpy(bench.ram + CONTROL, words, 16);
	bench_write(&bench, BASE + 16, 4, 0);
	bench_write(&bench, BASE + 20, 4, htobe32(BENCH_RAM + CONTROL));
	ck_assert_mem_eq(bench.ram + 32, "abc\xee", 4);
	/* An unknown item is all zeros, of any length. */
	memset(bench.ram + 0x1000, 0xee, 20001);
	ck_assert_uint_eq(dma(0x3000u << 16 | 8 | 2, 20000, BENCH_RAM + 0x1000), 0);
	ck_assert_uint_eq(bench.ram[0x1000] | bench.ram[0x1000 + 19999], 0);
	ck_assert_uint_eq(bench.ram[0x1000 + 20000], 0xee);
	ck_assert_uint_eq(bench.guest_errors, 0);
}
END_TEST

START_TEST(test_dma_errors)
{
	ck_assert(devices_fw_cfg_add_item(dev, FW_CFG_KERNEL_DATA, "abcdefghij", 10, NULL));
	ck_assert_uint_eq(dma(FW_CFG_KERNEL_DATA << 16 | 8 | 2, 4, 0x1000), 1);         /* nothing there */
	ck_assert_uint_eq(dma(FW_CFG_KERNEL_DATA << 16 | 8 | 2, 4, BASE), 1);           /* a device, itself */
	ck_assert_uint_eq(dma(2, 0xffffffff, BENCH_RAM + 0x2000), 1);                   /* runs out of RAM */
	ck_assert_uint_eq(dma(2, 0x100, UINT64_MAX - 0x10), 1);
	ck_assert_uint_eq(dma(FW_CFG_KERNEL_DATA << 16 | 8 | 16, 4, BENCH_RAM), 1);     /* read-only */
	ck_assert_uint_eq(dma(4, 0xffffffff, 0), 0);
	ck_assert_uint_eq(dma(4, 0xffffffff, 0), 0);
	ck_assert_uint_eq(bench_read(&bench, BASE, 8), 0);
	bench_write(&bench, BASE + 16, 8, htobe64(0x1000)); /* the structure is nowhere */
	bench_write(&bench, BASE + 16, 8, htobe64(BENCH_RAM + BENCH_RAM_SIZE - 8));
	ck_assert_uint_eq(bench.guest_errors, 7);
}
END_TEST

START_TEST(test_directory)
{
	struct vmd_error err = { .message = "" };
	static const char *const names[] = { "opt/zzz", "etc/acpi/tables", "bootorder", "etc/system-states" };
	uint32_t count;
	for (unsigned i = 0; i < 4; i++)
		ck_assert(devices_fw_cfg_add_file(dev, names[i], names[i], strlen(names[i]), &err));
	ck_assert(devices_fw_cfg_add_file(dev, "bootorder", "new", 3, &err)); /* replaces */
	select_item(FW_CFG_FILE_DIR);
	read_bytes(&count, 4);
	ck_assert_uint_eq(be32toh(count), 4);
	static const char *const sorted[] = { "bootorder", "etc/acpi/tables", "etc/system-states", "opt/zzz" };
	struct {
		uint32_t size;
		uint16_t selector, reserved;
		char name[56];
	} entry[4];
	read_bytes(entry, sizeof(entry));
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_str_eq(entry[i].name, sorted[i]);
		const char *content = i ? sorted[i] : "new";
		char text[64] = "";
		ck_assert_uint_eq(be32toh(entry[i].size), strlen(content));
		ck_assert_uint_eq(be16toh(entry[i].selector), 0x20 + i);
		select_item(be16toh(entry[i].selector));
		read_bytes(text, strlen(content));
		ck_assert_str_eq(text, content);
	}
	char name[80];
	memset(name, 'n', sizeof(name));
	name[56] = 0;
	ck_assert(!devices_fw_cfg_add_file(dev, name, "", 0, &err));
	ck_assert_uint_eq(err.code, VMD_ERR_INVALID);
	name[55] = 0;
	ck_assert(devices_fw_cfg_add_file(dev, name, "", 0, &err));
	ck_assert(!devices_fw_cfg_add_file(dev, "", "", 0, &err));
	unsigned n = 5;
	for (;; n++) {
		snprintf(name, sizeof(name), "opt/%u", n);
		if (!devices_fw_cfg_add_file(dev, name, "x", 1, &err))
			break;
	}
	ck_assert_uint_eq(n, 256);
	ck_assert_uint_eq(err.code, VMD_ERR_LIMIT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fw_cfg");
	TCase *tc = tcase_create("fw_cfg");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_data);
	tcase_add_test(tc, test_dma);
	tcase_add_test(tc, test_dma_errors);
	tcase_add_test(tc, test_directory);
	suite_add_tcase(suite, tc);
	return suite_run(suite, CK_FORK_GETENV);
}
