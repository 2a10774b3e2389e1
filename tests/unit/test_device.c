/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device framework: the classes' tables, properties from text, register
 * tables, bottom halves; and every register block under accesses of every size.
 */
#include "devices/reg.h"
#include "devices/gic.h"

#include "devices_bench.h"
#include "tests/unit/suite.h"

#include <stdlib.h>
#include <string.h>

/* ---- A class of the test's own ---- */

struct toy {
	struct devices_device dev;
	bool flag;
	uint64_t number, limited;
	char *text, *mode, *line;
	uint32_t plain, half, clear, hooked, array[4];
	uint32_t last_raw;
	unsigned last_i;
};

static uint32_t toy_read(struct devices_device *dev, unsigned i, uint32_t stored)
{
	return stored ^ 0xff;
}

static void toy_write(struct devices_device *dev, unsigned i, uint32_t raw)
{
	((struct toy *)dev)->last_raw = raw;
	((struct toy *)dev)->last_i = i;
}

#define MEMBER(m) .member = offsetof(struct toy, m)
static const struct devices_regs toy_regs = {
	.rows = (const struct devices_reg[]){
		{ "PLAIN", 0x00, MEMBER(plain), .reset = 0x12345678, .writable = UINT32_MAX },
		{ "HALF", 0x04, MEMBER(half), .reset = 0xff, .writable = 0xff00 },
		{ "CLEAR", 0x08, MEMBER(clear), .reset = 0xf0f0, .w1c = 0xffff },
		{ "HOOKED", 0x10, MEMBER(hooked), .writable = 0xf, .read = toy_read, .write = toy_write },
		{ "ARRAY", 0x20, .count = 4, MEMBER(array), .reset = 7, .writable = 0xff, .write = toy_write },
		{ "ACTION", 0x40, .write = toy_write },
		{ .name = NULL },
	},
	.primecell_id = (const uint8_t[8]){ 1, 2, 3, 4, 5, 6, 7, 8 },
};

static const struct devices_prop toy_props[] = {
	{ .name = "flag", .type = DEVICES_PROP_BOOL, .offset = offsetof(struct toy, flag), .def = "on" },
	{ .name = "number", .type = DEVICES_PROP_UINT, .offset = offsetof(struct toy, number), .def = "4K" },
	{ .name = "limited", .type = DEVICES_PROP_UINT, .offset = offsetof(struct toy, limited), .def = "3",
	  .min = 2, .max = 9 },
	{ .name = "text", .type = DEVICES_PROP_STRING, .offset = offsetof(struct toy, text) },
	{ .name = "mode", .type = DEVICES_PROP_ENUM, .offset = offsetof(struct toy, mode), .def = "fast",
	  .choices = "fast|slow|off" },
	{ .name = "line", .type = DEVICES_PROP_CHARDEV, .offset = offsetof(struct toy, line), .required = true,
	  .help = "a chardev" },
	{ .name = NULL },
};

static bool toy_realize(struct devices_device *dev, struct vmd_error *err)
{
	return devices_get_chardev(dev, "line", ((struct toy *)dev)->line, err) && devices_reg_map(dev, 0x1000, err);
}

static void toy_reset(struct devices_device *dev)
{
	devices_reg_reset(dev, &toy_regs);
}

static const struct devices_class toy_class = {
	.name = "toy", .size = sizeof(struct toy), .props = toy_props, .regs = &toy_regs, .realize = toy_realize,
	.reset = toy_reset,
};

static struct bench bench;

static void setup(void)
{
	bench_init(&bench);
}

static void teardown(void)
{
	bench_fini(&bench);
}

/* ---- Properties ---- */

static const struct {
	const char *prop, *value;
	bool ok;
	uint64_t expect;
} values[] = {
	{ "flag", "on", true, 1 },
	{ "flag", "true", true, 1 },
	{ "flag", "off", true, 0 },
	{ "flag", "false", true, 0 },
	{ "flag", "yes", false, 0 },
	{ "flag", "", false, 0 },
	{ "number", "0", true, 0 },
	{ "number", "0x1F", true, 31 },
	{ "number", "2k", true, 2048 },
	{ "number", "3M", true, 3 << 20 },
	{ "number", "4G", true, UINT64_C(4) << 30 },
	{ "number", "1T", true, UINT64_C(1) << 40 },
	{ "number", "18446744073709551615", true, UINT64_MAX },
	{ "number", "18446744073709551616", false, 0 },
	{ "number", "16777216T", false, 0 },
	{ "number", "-1", false, 0 },
	{ "number", " 1", false, 0 },
	{ "number", "1 ", false, 0 },
	{ "number", "0x", false, 0 },
	{ "number", "K", false, 0 },
	{ "number", "", false, 0 },
	{ "number", "12q", false, 0 },
	{ "number", "1KK", false, 0 },
	{ "limited", "2", true, 2 },
	{ "limited", "9", true, 9 },
	{ "limited", "1", false, 0 },
	{ "limited", "10", false, 0 },
	{ "mode", "slow", true, 0 },
	{ "mode", "off", true, 0 },
	{ "mode", "fas", false, 0 },
	{ "mode", "fast|slow", false, 0 },
	{ "mode", "", false, 0 },
	{ "line", "", false, 0 },
	{ "text", "", true, 0 },
	{ "text", "anything, at all", true, 0 },
};

START_TEST(test_value)
{
	struct vmd_error err = { .message = "" };
	const struct devices_prop *prop = devices_prop_find(&toy_class, values[_i].prop);
	ck_assert_ptr_nonnull(prop);
	ck_assert_int_eq(devices_prop_check(&toy_class, prop, values[_i].value, &err), values[_i].ok);
	struct toy *toy = (struct toy *)devices_new(&toy_class, NULL, &bench.env, &err);
	ck_assert_ptr_nonnull(toy);
	ck_assert_int_eq(devices_set(&toy->dev, prop->name, values[_i].value, &err), values[_i].ok);
	if (!values[_i].ok) {
		/* Names the class, the property and the value. */
		ck_assert_ptr_nonnull(strstr(err.message, "toy"));
		ck_assert_ptr_nonnull(strstr(err.message, values[_i].prop));
		ck_assert_ptr_nonnull(strstr(err.message, values[_i].value));
		ck_assert_uint_eq(err.code, VMD_ERR_INVALID);
		ck_assert(err.hint[0]);
	} else if (prop->type == DEVICES_PROP_BOOL) {
		ck_assert_uint_eq(toy->flag, values[_i].expect);
	} else if (prop->type == DEVICES_PROP_UINT) {
		ck_assert_uint_eq(*(uint64_t *)((char *)toy + prop->offset), values[_i].expect);
	} else {
		ck_assert_str_eq(*(char **)((char *)toy + prop->offset), values[_i].value);
	}
	devices_free(&toy->dev);
}
END_TEST

START_TEST(test_life)
{
	struct vmd_error err = { .message = "" };
	struct toy *toy = (struct toy *)devices_new(&toy_class, "t0", &bench.env, &err);
	ck_assert_str_eq(toy->dev.id, "t0");
	ck_assert(toy->flag && toy->number == 4096 && toy->limited == 3);
	ck_assert_str_eq(toy->mode, "fast");
	ck_assert_ptr_null(toy->text);
	ck_assert(!devices_set(&toy->dev, "bogus", "1", &err));
	ck_assert_ptr_nonnull(strstr(err.message, "bogus"));
	ck_assert_ptr_nonnull(strstr(err.hint, "limited"));

	ck_assert(!devices_realize(&toy->dev, &err)); /* the required one is missing */
	ck_assert_ptr_nonnull(strstr(err.message, "line"));
	ck_assert(devices_set(&toy->dev, "line", "nowhere", &err));
	ck_assert(!devices_realize(&toy->dev, &err));
	ck_assert_uint_eq(err.code, VMD_ERR_NOT_FOUND);
	ck_assert(devices_set(&toy->dev, "line", "serial0", &err));
	toy->dev.wiring.base = BENCH_RAM; /* taken */
	ck_assert(!devices_realize(&toy->dev, &err));
	ck_assert(!toy->dev.realized);
	toy->dev.wiring.base = BENCH_BASE;
	ck_assert(devices_realize(&toy->dev, &err));
	ck_assert(!devices_set(&toy->dev, "flag", "off", &err));
	ck_assert_uint_eq(err.code, VMD_ERR_WRONG_STATE);
	bench_read(&bench, BENCH_BASE, 4);
	devices_free(&toy->dev);
	uint64_t value;
	ck_assert(!emu_mem_load(bench.env.mem, BENCH_BASE, 4, &value)); /* gone with the device */
	devices_free(NULL);
}
END_TEST

/* ---- Register tables ---- */

START_TEST(test_registers)
{
	struct vmd_error err;
	struct toy *toy = (struct toy *)devices_new(&toy_class, NULL, &bench.env, &err);
	toy->dev.wiring.base = BENCH_BASE;
	ck_assert(devices_set(&toy->dev, "line", "serial0", &err) && devices_realize(&toy->dev, &err));
	devices_reset(&toy->dev);

	ck_assert_uint_eq(bench_read(&bench, BENCH_BASE, 4), 0x12345678);
	ck_assert_uint_eq(bench_read(&bench, BENCH_BASE + 1, 1), 0x56);
	ck_assert_uint_eq(bench_read(&bench, BENCH_BASE + 2, 2), 0x1234);
	ck_assert_uint_eq(bench_read(&bench, BENCH_BASE, 8), UINT64_C(0xff12345678)); /* HALF above */
	bench_write(&bench, BENCH_BASE + 1, 1, 0xab);
	ck_assert_uint_eq(bench_read(&bench, BENCH_BASE, 4), 0x1234ab78);
	bench_write(&bench, BENCH_BASE + 4, 4, 0xffffffff);
	ck_assert_uint_eq(toy->half, 0xffff);
	bench_write(&bench, BENCH_BASE + 4, 1, 0);
	ck_assert_uint_eq(toy->half, 0xffff); /* the low byte is read-only */
	bench_write(&bench, BENCH_BASE + 8, 4, 0x30);
	ck_assert_uint_eq(toy->clear, 0xf0c0);
	bench_write(&bench, BENCH_BASE + 0x10, 4, 0xfff5);
	ck_assert_uint_eq(toy->hooked, 5);
	ck_assert_uint_eq(toy->last_raw, 0xfff5);
	ck_assert_uint_eq(bench_read(&bench, BENCH_BASE + 0x10, 4), 5 ^ 0xff);
	bench_write(&bench, BENCH_BASE + 0x28, 4, 0x155);
	ck_assert_uint_eq(toy->array[2], 0x55);
	ck_assert_uint_eq(toy->last_i, 2);
	ck_assert_uint_eq(toy->array[3], 7);
	ck_assert_uint_eq(bench_read(&bench, BENCH_BASE + 0xfe4, 4), 2);
	ck_assert_uint_eq(bench_read(&bench, BENCH_BASE + 0xffc, 1), 8);
	ck_assert_uint_eq(bench_read(&bench, BENCH_BASE + 0x40, 4), 0); /* write-only */

	ck_assert_uint_eq(bench.guest_errors, 0);
	ck_assert_uint_eq(bench_read(&bench, BENCH_BASE + 0x0c, 4), 0);
	ck_assert_uint_eq(bench.guest_errors, 1);
	bench_write(&bench, BENCH_BASE + 0x30, 4, 1); /* past the array */
	bench_write(&bench, BENCH_BASE + 0xff0, 4, 1);
	ck_assert_uint_eq(bench.guest_errors, 3);
	devices_free(&toy->dev);
}
END_TEST

/* Every class with a register table: ordered rows, reset values, masks. */
START_TEST(test_tables)
{
	for (unsigned c = 0; devices_class_at(c); c++) {
		const struct devices_class *cls = devices_class_at(c);
		if (!cls->regs)
			continue;
		struct devices_device *dev = bench_device(&bench, cls->name, NULL);
		uint32_t end = 0;
		for (const struct devices_reg *r = cls->regs->rows; r->name; r++) {
			ck_assert_msg(r->offset >= end && r->offset % 4 == 0, "%s %s", cls->name, r->name);
			end = r->offset + 4 * (r->count ? r->count : 1);
			if (!r->member || r->read)
				continue;
			ck_assert_msg(bench_read(&bench, BENCH_BASE + r->offset, 4) == r->reset, "%s %s", cls->name,
				      r->name);
			if (r->write)
				continue;
			bench_write(&bench, BENCH_BASE + r->offset, 4, 0xffffffff);
			ck_assert_uint_eq(bench_read(&bench, BENCH_BASE + r->offset, 4), r->reset | r->writable);
			bench_write(&bench, BENCH_BASE + r->offset, 4, 0);
			ck_assert_uint_eq(bench_read(&bench, BENCH_BASE + r->offset, 4), r->reset & ~r->writable);
			devices_reset(dev);
			ck_assert_uint_eq(bench_read(&bench, BENCH_BASE + r->offset, 4), r->reset);
		}
		if (cls->regs->primecell_id) {
			ck_assert_uint_le(end, 0xfe0);
			ck_assert_uint_eq(bench_read(&bench, BENCH_BASE + 0xff0, 4), 0x0d);
			ck_assert_uint_eq(bench_read(&bench, BENCH_BASE + 0xffc, 4), 0xb1);
		}
		devices_free(dev);
	}
}
END_TEST

START_TEST(test_classes)
{
	struct vmd_error err = { .message = "" };
	for (unsigned c = 0; devices_class_at(c); c++) {
		const struct devices_class *cls = devices_class_at(c);
		ck_assert_ptr_eq(devices_class_find(cls->name), cls);
		ck_assert(cls->summary && cls->size >= sizeof(struct devices_device) && cls->realize);
		for (const struct devices_prop *p = cls->props; p && p->name; p++) {
			ck_assert_ptr_eq(devices_prop_find(cls, p->name), p);
			ck_assert_msg(p->help != NULL, "%s %s", cls->name, p->name);
			ck_assert_msg(!p->def || devices_prop_check(cls, p, p->def, &err), "%s", err.message);
			ck_assert((p->type == DEVICES_PROP_ENUM) == (p->choices != NULL));
		}
		struct devices_device *dev = devices_new(cls, NULL, &bench.env, &err);
		ck_assert_msg(dev != NULL, "%s", err.message);
		devices_free(dev); /* never realized */
	}
	ck_assert_ptr_null(devices_class_find("no-such-device"));
	ck_assert_ptr_null(devices_class_at(10000));
}
END_TEST

/* Accesses of every size and alignment all over every frame of the board's devices. */
static void batter(uint64_t base, uint64_t size)
{
	static const uint64_t patterns[] = { 0, UINT64_MAX, UINT64_C(0x0123456789abcdef), UINT64_C(0x00ff00ff00ff00ff) };
	uint64_t value;
	for (uint64_t at = 0; at < size; at++)
		for (unsigned n = 1; n <= 8; n *= 2) {
			emu_mem_load(bench.env.mem, base + at, n, &value);
			emu_mem_store(bench.env.mem, base + at, n, patterns[(at + n) % 4]);
			emu_mem_load(bench.env.mem, base + at, n, &value);
		}
	uint64_t seed = 1;
	for (unsigned i = 0; i < 200000; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		uint64_t at = (seed >> 33) % size;
		unsigned n = 1u << (seed >> 20 & 3);
		if (seed >> 30 & 1)
			emu_mem_load(bench.env.mem, base + at, n, &value);
		else
			emu_mem_store(bench.env.mem, base + at, n, seed >> (seed >> 60));
	}
}

START_TEST(test_any_access)
{
	static const struct {
		const char *cls;
		const char *const props[5];
		uint64_t size;
	} devices[] = {
		{ "pl011", { "chardev", "serial0", NULL }, 0x1000 },
		{ "pl031", { NULL }, 0x1000 },
		{ "pl061", { NULL }, 0x1000 },
		{ "fw_cfg_mem", { NULL }, 24 },
		{ "cfi.pflash01", { "size", "512K", NULL }, 0x2000 },
		{ "arm-gicv3", { "num-cpu", "3", "num-irq", "1020", NULL }, 0x10000 },
		{ "arm-gicv2", { "num-cpu", "3", "num-irq", "96", NULL }, 0x10000 },
	};
	struct vmd_error err = { .message = "" };
	struct devices_device *dev = devices_new(devices_class_find(devices[_i].cls), NULL, &bench.env, &err);
	for (const char *const *p = devices[_i].props; p[0]; p += 2)
		ck_assert(devices_set(dev, p[0], p[1], &err));
	dev->wiring.base = BENCH_BASE;
	uint64_t second = BENCH_BASE + 0x100000;
	if (!strncmp(devices[_i].cls, "arm-gic", 7))
		devices_gic_set_bases(dev, second);
	ck_assert_msg(devices_realize(dev, &err), "%s", err.message);
	devices_reset(dev);
	batter(BENCH_BASE, devices[_i].size);
	if (!strcmp(devices[_i].cls, "arm-gicv3"))
		batter(second, 3 * 0x20000);
	if (!strcmp(devices[_i].cls, "arm-gicv2"))
		batter(second, 0x10000);
	devices_reset(dev);
	devices_free(dev);
}
END_TEST

/* ---- Bottom halves ---- */

static void count(void *opaque)
{
	++*(unsigned *)opaque;
}

START_TEST(test_bottom_half)
{
	unsigned n = 0;
	struct devices_bh *bh = devices_bh_new(&bench.env, count, &n);
	devices_bh_schedule(bh);
	devices_bh_schedule(bh);
	ck_assert_uint_eq(bench.n_posted, 1);
	bench_run_posted(&bench);
	ck_assert_uint_eq(n, 1);
	devices_bh_schedule(bh);
	bench_run_posted(&bench);
	ck_assert_uint_eq(n, 2);
	devices_bh_schedule(bh);
	devices_bh_free(bh); /* while posted */
	bench_run_posted(&bench);
	ck_assert_uint_eq(n, 2);
	devices_bh_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("device");
	TCase *tc = tcase_create("framework");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_value, 0, sizeof(values) / sizeof(values[0]));
	tcase_add_test(tc, test_life);
	tcase_add_test(tc, test_registers);
	tcase_add_test(tc, test_tables);
	tcase_add_test(tc, test_classes);
	tcase_add_loop_test(tc, test_any_access, 0, 7);
	tcase_add_test(tc, test_bottom_half);
	suite_add_tcase(suite, tc);
	return suite_run(suite, CK_FORK_GETENV);
}
