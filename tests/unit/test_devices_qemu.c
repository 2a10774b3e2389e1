/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices against another implementation: the same random reads and writes go
 * to a device here and to QEMU's, over its qtest protocol, and what is read must
 * agree in the bits that the architecture defines. Skipped (77) without QEMU.
 *
 * Each row says which words of a block take part and which bits count. Left out
 * is what QEMU's devices do differently from their manuals: PL011 registers that
 * hold more bits than there are, PL061 levels that stick, programming of flash
 * that sets bits.
 */
#include "devices/gic.h"

#include "devices_bench.h"
#include "tests/unit/suite.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED 77
#define MAX_ROWS 32

struct row {
	uint32_t offset, words;
	uint32_t mask;   /* bits compared; 0: written only */
	bool read_only;
};

struct block {
	const char *name;
	const char *cls, *prop, *value;
	const char *machine, *cpus; /* QEMU's -M and -smp */
	uint64_t base, second_base;
	unsigned accesses;
	struct row rows[MAX_ROWS];
};

#define ALL UINT32_MAX
#define PRIO 0xf8f8f8f8
#define GIC_BITS(first, words) { (first), (words), ALL, false }

static const struct block blocks[] = {
	{
		.name = "GICv3 distributor", .cls = "arm-gicv3", .prop = "num-cpu", .value = "2",
		.machine = "virt,gic-version=3", .cpus = "2", .base = 0x8000000, .second_base = 0x80a0000, .accesses = 4000,
		.rows = {
			{ 0x0000, 1, ALL, false }, { 0x0008, 1, ALL, true },
			GIC_BITS(0x080, 8), GIC_BITS(0x100, 8), GIC_BITS(0x180, 8), GIC_BITS(0x200, 8), GIC_BITS(0x280, 8),
			GIC_BITS(0x300, 8), GIC_BITS(0x380, 8), { 0x400, 64, PRIO, false }, { 0x800, 64, ALL, false },
			{ 0xc00, 16, ALL, false }, { 0xd00, 8, ALL, false }, { 0xe00, 16, ALL, false },
			{ 0xffe0, 8, ALL, true },
		},
	},
	{
		.name = "GICv3 redistributor", .cls = "arm-gicv3", .prop = "num-cpu", .value = "2",
		.machine = "virt,gic-version=3", .cpus = "2", .base = 0x8000000, .second_base = 0x80a0000, .accesses = 4000,
		.rows = {
			{ 0xa0014, 1, ALL, false }, { 0xa000c, 1, ALL, true }, { 0xc000c, 1, ALL, true },
			{ 0xb0080, 1, ALL, false }, { 0xb0100, 1, ALL, false }, { 0xb0180, 1, ALL, false },
			{ 0xb0200, 1, ALL, false }, { 0xb0280, 1, ALL, false }, { 0xb0300, 1, ALL, false },
			{ 0xb0380, 1, ALL, false }, { 0xb0400, 8, PRIO, false }, { 0xb0c00, 2, ALL, false },
			{ 0xb0d00, 1, ALL, false }, { 0xd0080, 1, ALL, false }, { 0xd0100, 1, ALL, false },
			{ 0xd0200, 1, ALL, false }, { 0xd0400, 8, PRIO, false }, { 0xaffe0, 8, ALL, true },
		},
	},
	{
		.name = "GICv2 distributor", .cls = "arm-gicv2", .prop = "num-cpu", .value = "1",
		.machine = "virt,gic-version=2", .cpus = "1", .base = 0x8000000, .second_base = 0x8010000, .accesses = 4000,
		.rows = {
			{ 0x000, 2, ALL, false }, GIC_BITS(0x080, 9), GIC_BITS(0x100, 9), GIC_BITS(0x180, 9),
			GIC_BITS(0x200, 9), GIC_BITS(0x280, 9), GIC_BITS(0x300, 9), GIC_BITS(0x380, 9),
			{ 0x400, 72, PRIO, false }, { 0x800, 72, ALL, false }, { 0xc00, 18, ALL, false },
			{ 0xfe0, 8, ALL, true },
		},
	},
	{
		.name = "PL011", .cls = "pl011", .machine = "virt", .cpus = "1", .base = 0x9000000, .accesses = 1000,
		.rows = {
			{ 0x000, 1, 0, false }, { 0x004, 1, ALL, false }, { 0x018, 1, 0xf8, true }, { 0x020, 1, 0xff, false },
			{ 0x024, 1, 0xffff, false }, { 0x028, 1, 0x3f, false }, { 0x034, 1, 0x3f, false },
			{ 0x038, 1, 0x7ff, false }, { 0x03c, 1, 0x7f0, true }, { 0x040, 1, 0x7f0, true },
			{ 0x044, 1, 0, false }, { 0xfe0, 8, ALL, true },
		},
	},
	{
		.name = "PL031", .cls = "pl031", .machine = "virt", .cpus = "1", .base = 0x9010000, .accesses = 300,
		.rows = { { 0x010, 1, ALL, false }, { 0x014, 2, ALL, true }, { 0x00c, 1, ALL, false }, { 0xfe0, 8, ALL, true } },
	},
	{
		.name = "PL061", .cls = "pl061", .machine = "virt", .cpus = "1", .base = 0x9030000, .accesses = 1000,
		.rows = { { 0x408, 1, ALL, false }, { 0x40c, 2, ALL, false }, { 0x420, 1, ALL, false }, { 0xfe0, 8, ALL, true } },
	},
	{
		.name = "fw_cfg", .cls = "fw_cfg_mem", .machine = "virt", .cpus = "1", .base = 0x9020000, .accesses = 300,
		.rows = { { 0x000, 1, ALL, true }, { 0x010, 2, ALL, true } },
	},
};

/* ---- QEMU at the other end of a pair of pipes ---- */

static FILE *to_qemu, *from_qemu;
static pid_t qemu;

static void start_qemu(const struct block *block)
{
	int in[2], out[2];
	ck_assert(pipe(in) == 0 && pipe(out) == 0);
	qemu = fork();
	ck_assert_int_ge(qemu, 0);
	if (qemu == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		if (!freopen("/dev/null", "w", stderr))
			_exit(126);
		execlp("qemu-system-aarch64", "qemu-system-aarch64", "-M", block->machine, "-smp", block->cpus, "-display",
		       "none", "-qtest", "stdio", "-nodefaults", "-serial", "null", (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	to_qemu = fdopen(in[1], "w");
	from_qemu = fdopen(out[0], "r");
}

static void stop_qemu(void)
{
	fclose(to_qemu);
	fclose(from_qemu);
	kill(qemu, SIGKILL);
	waitpid(qemu, NULL, 0);
}

/* The answer to a command, its value if it has one. */
static uint64_t ask_qemu(const char *command, uint64_t address, const uint64_t *value)
{
	char line[256];
	uint64_t answer = 0;
	fprintf(to_qemu, value ? "%s 0x%" PRIx64 " 0x%" PRIx64 "\n" : "%s 0x%" PRIx64 "\n", command, address,
		value ? *value : 0);
	fflush(to_qemu);
	do
		ck_assert_msg(fgets(line, sizeof(line), from_qemu) != NULL, "QEMU ended");
	while (strncmp(line, "OK", 2) && strncmp(line, "FAIL", 4));
	ck_assert_msg(line[0] == 'O', "%s", line);
	sscanf(line, "OK %" SCNx64, &answer);
	return answer;
}

static bool have_qemu(void)
{
	return system("qemu-system-aarch64 -M virt -version >/dev/null 2>&1") == 0;
}

/* ---- The comparison ---- */

static uint64_t seed = 1;
static uint32_t next(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(seed >> 32);
}

static uint32_t interesting(void)
{
	switch (next() % 4) {
	case 0:
		return 0;
	case 1:
		return UINT32_MAX;
	case 2:
		return UINT32_C(1) << next() % 32;
	}
	return next();
}

START_TEST(test_block)
{
	const struct block *block = &blocks[_i];
	static struct bench bench;
	struct vmd_error err = { .message = "" };
	bench_init(&bench);
	start_qemu(block);
	struct devices_device *dev = devices_new(devices_class_find(block->cls), NULL, &bench.env, &err);
	ck_assert(!block->prop || devices_set(dev, block->prop, block->value, &err));
	dev->wiring.base = block->base;
	if (block->second_base)
		devices_gic_set_bases(dev, block->second_base);
	ck_assert_msg(devices_realize(dev, &err), "%s", err.message);
	devices_reset(dev);
	unsigned n_rows = 0;
	while (block->rows[n_rows].words)
		n_rows++;
	for (unsigned i = 0; i < block->accesses; i++) {
		const struct row *row = &block->rows[next() % n_rows];
		uint64_t pa = block->base + row->offset + 4 * (next() % row->words);
		if (!row->read_only && (!row->mask || next() % 2)) {
			uint64_t value = interesting();
			ask_qemu("writel", pa, &value);
			bench_write(&bench, pa, 4, value);
			continue;
		}
		uint32_t theirs = (uint32_t)ask_qemu("readl", pa, NULL), ours = (uint32_t)bench_read(&bench, pa, 4);
		ck_assert_msg((theirs & row->mask) == (ours & row->mask),
			      "%s, access %u: at 0x%" PRIx64 " QEMU reads 0x%08" PRIx32 ", we read 0x%08" PRIx32, block->name, i,
			      pa, theirs, ours);
	}
	devices_free(dev);
	stop_qemu();
	bench_fini(&bench);
}
END_TEST

/* CFI and identifier data, then program, erase and buffered program sequences on
 * a bank that both have erased. */
static struct bench flash_bench;
#define FLASH UINT64_C(0x4000000)

static void flash_write(uint64_t offset, uint64_t value)
{
	ask_qemu("writel", FLASH + offset, &value);
	bench_write(&flash_bench, FLASH + offset, 4, value);
}

static void flash_compare(uint64_t offset)
{
	uint32_t theirs = (uint32_t)ask_qemu("readl", FLASH + offset, NULL);
	uint32_t ours = (uint32_t)bench_read(&flash_bench, FLASH + offset, 4);
	ck_assert_msg(theirs == ours, "flash at 0x%" PRIx64 ": QEMU reads 0x%08" PRIx32 ", we read 0x%08" PRIx32, offset,
		      theirs, ours);
}

START_TEST(test_flash)
{
	struct vmd_error err = { .message = "" };
	bench_init(&flash_bench);
	start_qemu(&(struct block){ .machine = "virt", .cpus = "1" });
	struct devices_device *dev = devices_new(devices_class_find("cfi.pflash01"), NULL, &flash_bench.env, &err);
	dev->wiring.base = FLASH;
	ck_assert_msg(devices_realize(dev, &err), "%s", err.message);
	flash_write(0x154, 0x00980098);
	for (uint64_t at = 0; at < 0x140; at += 4)
		flash_compare(at);
	flash_write(0, 0x00ff00ff);
	flash_write(0, 0x00900090);
	for (uint64_t at = 0; at < 12; at += 4)
		flash_compare(at);
	flash_write(0, 0x00ff00ff);
	for (unsigned i = 0; i < 40; i++) {
		uint64_t block = next() % 4 * 0x40000, at = block + next() % 0x800 * 0x80;
		flash_write(block, 0x00200020);
		flash_write(block, 0x00d000d0);
		flash_compare(block);
		flash_write(at, 0x00400040);
		flash_write(at, next());
		flash_compare(at);
		flash_write(at + 4, 0x00e800e8);
		flash_compare(at);
		flash_write(at + 4, 0x000e000e);
		for (unsigned k = 0; k < 15; k++)
			flash_write(at + 4 + 4 * k, next());
		flash_write(at, 0x00d000d0);
		flash_compare(at);
		flash_write(at, 0x00500050);
		flash_write(at, 0x00ff00ff);
		for (unsigned k = 0; k < 32; k++)
			flash_compare(at + 4 * k);
	}
	devices_free(dev);
	stop_qemu();
	bench_fini(&flash_bench);
}
END_TEST

int main(void)
{
	if (!have_qemu())
		return SKIPPED;
	signal(SIGPIPE, SIG_IGN);
	Suite *suite = suite_create("devices against QEMU");
	TCase *tc = tcase_create("qtest");
	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, test_block, 0, sizeof(blocks) / sizeof(blocks[0]));
	tcase_add_test(tc, test_flash);
	suite_add_tcase(suite, tc);
	return suite_run(suite, CK_FORK_GETENV);
}
