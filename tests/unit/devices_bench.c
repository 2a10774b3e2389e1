/* SPDX-License-Identifier: BSD-2-Clause */
/* The devices' test bench: see devices_bench.h. Thread: the test's. */
#include "devices_bench.h"

#include <check.h>
#include <string.h>
#include <sys/mman.h>

/* ---- The chardev ---- */

bool backends_chardev_attach_fe(struct backends_chardev *chr, const struct backends_chardev_fe *fe,
				struct vmd_error *err)
{
	if (chr->attached)
		return vmd_error_set(err, VMD_ERR_BUSY, 0, "chardev 'serial0' is taken");
	chr->fe = *fe;
	chr->attached = true;
	return true;
}

void backends_chardev_detach_fe(struct backends_chardev *chr)
{
	chr->attached = false;
}

size_t backends_chardev_write(struct backends_chardev *chr, const uint8_t *buf, size_t len)
{
	size_t n = len < chr->room ? len : chr->room;
	if (n > sizeof(chr->out) - chr->n_out)
		n = sizeof(chr->out) - chr->n_out;
	memcpy(chr->out + chr->n_out, buf, n);
	chr->n_out += n;
	if (chr->room != SIZE_MAX)
		chr->room -= n;
	return n;
}

void backends_chardev_accept_input(struct backends_chardev *chr)
{
	chr->accepts++;
}

void backends_chardev_set_fe_open(struct backends_chardev *chr, bool open)
{
}

const char *backends_chardev_id(const struct backends_chardev *chr)
{
	return "serial0";
}

size_t bench_type(struct bench *b, const char *text)
{
	size_t room = b->chardev.fe.can_receive(b->chardev.fe.opaque), len = strlen(text);
	size_t n = len < room ? len : room;
	if (n)
		b->chardev.fe.receive(b->chardev.fe.opaque, (const uint8_t *)text, n);
	return n;
}

/* ---- The environment ---- */

static void post(void *opaque, void (*fn)(void *arg), void *arg)
{
	struct bench *b = opaque;
	ck_assert_uint_lt(b->n_posted, sizeof(b->posted) / sizeof(b->posted[0]));
	b->posted[b->n_posted].fn = fn;
	b->posted[b->n_posted++].arg = arg;
}

void bench_run_posted(struct bench *b)
{
	while (b->n_posted) {
		void (*fn)(void *) = b->posted[0].fn;
		void *arg = b->posted[0].arg;
		memmove(b->posted, b->posted + 1, --b->n_posted * sizeof(b->posted[0]));
		fn(arg);
	}
}

static struct backends_chardev *find_chardev(void *opaque, const char *id)
{
	return strcmp(id, "serial0") ? NULL : &((struct bench *)opaque)->chardev;
}

static void request(void *opaque, const char *what)
{
}

static void guest_error(void *opaque, const char *device, const char *message)
{
	((struct bench *)opaque)->guest_errors++;
}

void bench_init(struct bench *b)
{
	struct vmd_error err;
	memset(b, 0, sizeof(*b));
	b->chardev.room = SIZE_MAX;
	b->env = (struct devices_env){
		.mem = emu_mem_new(40, &err),
		.clock = emu_clock_new(&err),
		.post = post,
		.find_chardev = find_chardev,
		.request = request,
		.guest_error = guest_error,
		.opaque = b,
	};
	ck_assert_ptr_nonnull(b->env.mem);
	ck_assert_ptr_nonnull(b->env.clock);
	b->ram = mmap(NULL, BENCH_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(b->ram, MAP_FAILED);
	const struct emu_region_desc ram = {
		.name = "ram", .kind = EMU_REGION_RAM, .base = BENCH_RAM, .size = BENCH_RAM_SIZE, .host = b->ram,
	};
	ck_assert_ptr_nonnull(emu_mem_add(b->env.mem, &ram, &err));
}

void bench_fini(struct bench *b)
{
	emu_clock_free(b->env.clock);
	emu_mem_free(b->env.mem);
	munmap(b->ram, BENCH_RAM_SIZE);
}

static void set_line(void *opaque, unsigned n, bool level)
{
	struct bench *b = opaque;
	if (level && !b->lines[n])
		b->edges[n]++;
	b->lines[n] = level;
}

struct emu_irq bench_line(struct bench *b, unsigned n)
{
	return (struct emu_irq){ .set = set_line, .opaque = b, .n = n };
}

struct devices_device *bench_device(struct bench *b, const char *name, const char *const *props)
{
	struct vmd_error err = { .message = "" };
	const struct devices_class *cls = devices_class_find(name);
	ck_assert_msg(cls != NULL, "no class %s", name);
	struct devices_device *dev = devices_new(cls, NULL, &b->env, &err);
	ck_assert_msg(dev != NULL, "%s", err.message);
	for (; props && props[0]; props += 2)
		ck_assert_msg(devices_set(dev, props[0], props[1], &err), "%s", err.message);
	dev->wiring.base = BENCH_BASE;
	dev->irq[0] = bench_line(b, 0);
	ck_assert_msg(devices_realize(dev, &err), "%s", err.message);
	devices_reset(dev);
	return dev;
}

uint64_t bench_read(struct bench *b, uint64_t pa, unsigned size)
{
	uint64_t value = 0;
	ck_assert_msg(emu_mem_load(b->env.mem, pa, size, &value), "read of %u at 0x%llx aborts", size,
		      (unsigned long long)pa);
	return value;
}

void bench_write(struct bench *b, uint64_t pa, unsigned size, uint64_t value)
{
	ck_assert_msg(emu_mem_store(b->env.mem, pa, size, value), "write of %u at 0x%llx aborts", size,
		      (unsigned long long)pa);
}
