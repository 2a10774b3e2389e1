/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio as its drivers see it: every access goes through the memory map to the
 * transport's registers and to rings in RAM. Well-behaved drivers first, then
 * those that lie. Character devices are stand-ins, so that they can be full,
 * empty, or gone at will.
 */
#include "backends/chardev.h"
#include "devices/virtio.h"
#include "tests/unit/suite.h"

#include <libfdt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define RAM 0x40000000ull
#define RAM_SIZE 0x100000ull
#define SLOT 0x0a000000ull

enum {
	R_MAGIC = 0, R_VERSION = 4, R_ID = 8, R_FEATURES = 0x10, R_FEATURES_SEL = 0x14, R_DRV_FEATURES = 0x20,
	R_DRV_FEATURES_SEL = 0x24, R_PAGE_SIZE = 0x28, R_QSEL = 0x30, R_QMAX = 0x34, R_QNUM = 0x38, R_QALIGN = 0x3c,
	R_PFN = 0x40, R_QREADY = 0x44, R_NOTIFY = 0x50, R_ISR = 0x60, R_ACK = 0x64, R_STATUS = 0x70, R_DESC = 0x80,
	R_AVAIL = 0x90, R_USED = 0xa0, R_SHM_LEN = 0xb0, R_GENERATION = 0xfc, R_CONFIG = 0x100,
};

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };
enum { F_INDIRECT = 28, F_EVENT = 29, F_V1 = 32 };

/* ---- Stand-ins for character devices ---- */

struct backends_chardev {
	const char *id;
	struct backends_chardev_fe fe;
	bool attached, fe_open;
	size_t room;        /* what write() takes before it is full */
	char out[4096];
	size_t out_len;
	_Atomic int accepts; /* calls of accept_input */
};

static struct backends_chardev chardevs[3];

bool backends_chardev_attach_fe(struct backends_chardev *chr, const struct backends_chardev_fe *fe, struct vmd_error *err)
{
	if (chr->attached)
		return vmd_error_set(err, VMD_ERR_BUSY, 0, "chardev '%s' is in use", chr->id);
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
	if (len > chr->room)
		len = chr->room;
	chr->room -= len;
	for (size_t i = 0; i < len; i++)
		chr->out[chr->out_len++ % sizeof(chr->out)] = (char)buf[i];
	return len;
}

void backends_chardev_accept_input(struct backends_chardev *chr)
{
	chr->accepts++;
}

void backends_chardev_set_fe_open(struct backends_chardev *chr, bool open)
{
	chr->fe_open = open;
}

const char *backends_chardev_id(const struct backends_chardev *chr)
{
	return chr->id;
}

/* ---- The machine ---- */

static struct emu_mem *mem;
static struct emu_clock *the_clock;
static uint8_t *ram;
static struct devices_device *slot, *dev;
static bool irq;
static int n_errors;

static pthread_mutex_t posts_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	void (*fn)(void *arg);
	void *arg;
} posts[256];
static unsigned n_posts;

static void env_post(void *opaque, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&posts_lock);
	ck_assert_uint_lt(n_posts, 256);
	posts[n_posts].fn = fn;
	posts[n_posts++].arg = arg;
	pthread_mutex_unlock(&posts_lock);
}

/* Runs what was posted, until nothing is. */
static void io(void)
{
	for (int rounds = 0; rounds < 1000; rounds++) {
		pthread_mutex_lock(&posts_lock);
		if (n_posts == 0) {
			pthread_mutex_unlock(&posts_lock);
			return;
		}
		void (*fn)(void *arg) = posts[0].fn;
		void *arg = posts[0].arg;
		memmove(posts, posts + 1, --n_posts * sizeof(posts[0]));
		pthread_mutex_unlock(&posts_lock);
		fn(arg);
	}
}

static struct backends_chardev *env_find_chardev(void *opaque, const char *id)
{
	for (int i = 0; i < 3; i++)
		if (chardevs[i].id && strcmp(chardevs[i].id, id) == 0)
			return &chardevs[i];
	return NULL;
}

static void env_request(void *opaque, const char *what)
{
}

static void env_guest_error(void *opaque, const char *device, const char *message)
{
	n_errors++;
}

static void on_irq(void *opaque, unsigned n, bool level)
{
	irq = level;
}

static struct devices_env env;

static void setup(void)
{
	struct vmd_error err = {0};

	/* Guard pages on both sides: an access that leaves RAM is seen. */
	uint8_t *area = mmap(NULL, RAM_SIZE + 0x20000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(area != MAP_FAILED);
	ram = area + 0x10000;
	ck_assert_int_eq(mprotect(ram, RAM_SIZE, PROT_READ | PROT_WRITE), 0);
	mem = emu_mem_new(40, &err);
	the_clock = emu_clock_new(&err);
	emu_clock_resume(the_clock);
	ck_assert(emu_mem_add(mem, &(struct emu_region_desc){.name = "ram", .kind = EMU_REGION_RAM, .base = RAM,
							     .size = RAM_SIZE, .host = ram}, &err));
	env = (struct devices_env){.mem = mem, .clock = the_clock, .post = env_post, .find_chardev = env_find_chardev,
				   .request = env_request, .guest_error = env_guest_error};
	memset(chardevs, 0, sizeof(chardevs));
	chardevs[0].id = "c0";
	chardevs[1].id = "c1";
	chardevs[2].id = "c2";
	for (int i = 0; i < 3; i++)
		chardevs[i].room = SIZE_MAX;
	dev = slot = NULL;
	irq = false;
	n_errors = 0;
}

static void teardown(void)
{
	devices_free(dev);
	devices_free(slot);
	io();
	emu_clock_free(the_clock);
	emu_mem_free(mem);
	munmap(ram - 0x10000, RAM_SIZE + 0x20000);
}

static struct devices_device *make(const char *cls, const char *id, const char *const *props)
{
	struct vmd_error err = {0};
	struct devices_device *d = devices_new(devices_class_find(cls), id, &env, &err);

	ck_assert_msg(d != NULL, "%s", err.message);
	for (; props && props[0]; props += 2)
		ck_assert_msg(devices_set(d, props[0], props[1], &err), "%s", err.message);
	return d;
}

static void make_slot(bool legacy)
{
	struct vmd_error err = {0};

	slot = make("virtio-mmio", "slot0", legacy ? (const char *const[]){"legacy", "on", NULL} : NULL);
	slot->wiring = (struct devices_wiring){.base = SLOT, .spi = 16, .n_spis = 1};
	slot->irq[0] = (struct emu_irq){.set = on_irq};
	ck_assert_msg(devices_realize(slot, &err), "%s", err.message);
	devices_reset(slot);
}

static struct devices_device *plug(struct devices_device *parent, const char *cls, const char *id,
				   const char *const *props)
{
	struct vmd_error err = {0};
	struct devices_device *d = make(cls, id, props);

	ck_assert_msg(devices_plug(parent, d, &err), "%s", err.message);
	ck_assert_msg(devices_realize(d, &err), "%s", err.message);
	return d;
}

static uint32_t rd(unsigned reg)
{
	uint64_t value;

	ck_assert(emu_mem_load(mem, SLOT + reg, 4, &value));
	return (uint32_t)value;
}

static void wr(unsigned reg, uint32_t value)
{
	ck_assert(emu_mem_store(mem, SLOT + reg, 4, value));
}

/* ---- A driver ---- */

#define QSIZE 8

struct queue {
	unsigned index, size;
	uint64_t desc, avail, used; /* guest addresses */
	uint16_t avail_idx, seen;
};

static struct queue queues[8];

static uint8_t *at(uint64_t pa)
{
	return ram + (pa - RAM);
}

/* Guests race with devices, and with themselves. */
#define GUEST __attribute__((noinline, no_sanitize("thread")))

GUEST static void put16(uint64_t pa, uint16_t value)
{
	memcpy(at(pa), &value, 2);
}

GUEST static uint16_t get16(uint64_t pa)
{
	uint16_t value;

	memcpy(&value, at(pa), 2);
	return value;
}

GUEST static void set_desc(struct queue *q, uint64_t table, unsigned i, uint64_t addr, uint32_t len, uint16_t flags,
		     uint16_t next)
{
	uint64_t d = (table ? table : q->desc) + 16 * i;

	memcpy(at(d), &addr, 8);
	memcpy(at(d + 8), &len, 4);
	put16(d + 12, flags);
	put16(d + 14, next);
}

GUEST static void queue_place(struct queue *q, unsigned index, unsigned size)
{
	q->index = index;
	q->size = size;
	q->desc = RAM + 0x10000 + 0x2000 * index;
	q->avail = q->desc + 0x1000;
	q->used = q->desc + 0x1800;
	q->avail_idx = q->seen = 0;
	memset(at(q->desc), 0, 0x2000);
}

static void queue_start(unsigned index)
{
	struct queue *q = &queues[index];

	queue_place(q, index, QSIZE);
	wr(R_QSEL, index);
	ck_assert_uint_ge(rd(R_QMAX), QSIZE);
	ck_assert_uint_eq(rd(R_QREADY), 0);
	wr(R_QNUM, QSIZE);
	wr(R_DESC, (uint32_t)q->desc);
	wr(R_DESC + 4, (uint32_t)(q->desc >> 32));
	wr(R_AVAIL, (uint32_t)q->avail);
	wr(R_AVAIL + 4, (uint32_t)(q->avail >> 32));
	wr(R_USED, (uint32_t)q->used);
	wr(R_USED + 4, (uint32_t)(q->used >> 32));
	wr(R_QREADY, 1);
	ck_assert_uint_eq(rd(R_QREADY), 1);
}

static uint64_t offered(void)
{
	wr(R_FEATURES_SEL, 1);
	uint64_t high = rd(R_FEATURES);
	wr(R_FEATURES_SEL, 0);
	return high << 32 | rd(R_FEATURES);
}

static void driver_begin(uint64_t features)
{
	wr(R_STATUS, 0);
	ck_assert_uint_eq(rd(R_STATUS), 0);
	wr(R_STATUS, 1);
	wr(R_STATUS, 3);
	wr(R_DRV_FEATURES_SEL, 0);
	wr(R_DRV_FEATURES, (uint32_t)features);
	wr(R_DRV_FEATURES_SEL, 1);
	wr(R_DRV_FEATURES, (uint32_t)(features >> 32));
	wr(R_STATUS, 11);
	ck_assert_uint_eq(rd(R_STATUS), 11);
}

static void driver(uint64_t features, unsigned n_queues)
{
	driver_begin(features | 1ull << F_V1);
	for (unsigned i = 0; i < n_queues; i++)
		queue_start(i);
	wr(R_STATUS, 15);
	ck_assert_uint_eq(rd(R_STATUS), 15);
	io();
}

/* Makes `head` available, without telling. */
GUEST static void offer(struct queue *q, uint16_t head)
{
	put16(q->avail + 4 + 2 * (q->avail_idx % q->size), head);
	__atomic_store_n((uint16_t *)at(q->avail + 2), ++q->avail_idx, __ATOMIC_RELEASE);
}

static void kick(struct queue *q)
{
	wr(R_NOTIFY, q->index);
	io();
}

static void offer_in(struct queue *q, uint16_t i, uint64_t addr, uint32_t len)
{
	set_desc(q, 0, i, addr, len, WRITE, 0);
	offer(q, i);
}

static void offer_out(struct queue *q, uint16_t i, uint64_t addr, const void *data, uint32_t len)
{
	memcpy(at(addr), data, len);
	set_desc(q, 0, i, addr, len, 0, 0);
	offer(q, i);
}

/* The next used entry; false if there is none. */
static bool used(struct queue *q, uint32_t *ret_id, uint32_t *ret_len)
{
	if (get16(q->used + 2) == q->seen)
		return false;
	memcpy(ret_id, at(q->used + 4 + 8 * (q->seen % q->size)), 4);
	memcpy(ret_len, at(q->used + 8 + 8 * (q->seen % q->size)), 4);
	q->seen++;
	return true;
}

static void expect_used(struct queue *q, uint32_t id, uint32_t len)
{
	uint32_t got_id, got_len;

	ck_assert(used(q, &got_id, &got_len));
	ck_assert_uint_eq(got_id, id);
	ck_assert_uint_eq(got_len, len);
}

static void expect_nothing(struct queue *q)
{
	ck_assert_uint_eq(get16(q->used + 2), q->seen);
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ---- The transport ---- */

START_TEST(empty_slot)
{
	uint64_t value;

	make_slot(false);
	ck_assert_uint_eq(rd(R_MAGIC), 0x74726976);
	ck_assert_uint_eq(rd(R_VERSION), 2);
	for (unsigned reg = R_ID; reg < 0x200; reg += 4)
		if (reg != 0xc && (reg < 0xb0 || reg >= 0xc0))
			ck_assert_uint_eq(rd(reg), 0);
	for (unsigned reg = 0; reg < 0x200; reg += 4)
		wr(reg, 0xffffffff);
	ck_assert_uint_eq(rd(R_ID), 0);
	ck_assert(emu_mem_load(mem, SLOT + 0x101, 1, &value));
	io();
}
END_TEST

START_TEST(registers)
{
	uint64_t value;

	make_slot(false);
	dev = plug(slot, "virtio-rng-device", "rng0", NULL);
	ck_assert_uint_eq(rd(R_ID), 4);
	ck_assert_uint_eq(offered(), 1ull << F_V1 | 1ull << F_INDIRECT | 1ull << F_EVENT);
	wr(R_FEATURES_SEL, 2);
	ck_assert_uint_eq(rd(R_FEATURES), 0);
	for (unsigned reg = R_SHM_LEN; reg < 0xc0; reg += 4)
		ck_assert_uint_eq(rd(reg), 0xffffffff);
	ck_assert_uint_eq(rd(R_GENERATION), 0);
	ck_assert_int_eq(n_errors, 0);
	/* Words only. */
	ck_assert(emu_mem_load(mem, SLOT + R_MAGIC, 2, &value));
	ck_assert_uint_eq(value, 0);
	ck_assert(emu_mem_load(mem, SLOT + R_MAGIC, 8, &value)); /* two words */
	ck_assert_uint_eq(value, 0x274726976ull);
	ck_assert(emu_mem_store(mem, SLOT + R_STATUS, 1, 1));
	ck_assert_uint_eq(rd(R_STATUS), 0);
	ck_assert_int_eq(n_errors, 2);
	/* No such queue. */
	wr(R_QSEL, 1);
	ck_assert_uint_eq(rd(R_QMAX), 0);
	wr(R_QREADY, 1);
	ck_assert_uint_eq(rd(R_QREADY), 0);
	wr(R_NOTIFY, 1);
	ck_assert_int_eq(n_errors, 4);
	/* Sizes that are none. */
	wr(R_QSEL, 0);
	for (unsigned size = 0; size < 3; size++)
		wr(R_QNUM, size == 0 ? 0 : size == 1 ? 3 : 0x10000);
	ck_assert_int_eq(n_errors, 7);
}
END_TEST

START_TEST(negotiation)
{
	make_slot(false);
	dev = plug(slot, "virtio-rng-device", "rng0", NULL);
	/* VERSION_1 is a must. */
	wr(R_STATUS, 3);
	wr(R_STATUS, 11);
	ck_assert_uint_eq(rd(R_STATUS), 3);
	wr(R_STATUS, 7);
	ck_assert_uint_eq(rd(R_STATUS), 3);
	/* What is not offered is not accepted. */
	n_errors = 0;
	wr(R_STATUS, 0);
	wr(R_DRV_FEATURES_SEL, 0);
	wr(R_DRV_FEATURES, 0xffffffff);
	wr(R_DRV_FEATURES_SEL, 7);
	wr(R_DRV_FEATURES, 1);
	ck_assert_int_eq(n_errors, 2);
	/* Fixed once negotiated; queues are fixed once the driver is live. */
	driver(0, 1);
	n_errors = 0;
	wr(R_DRV_FEATURES_SEL, 0);
	wr(R_DRV_FEATURES, 1u << F_EVENT);
	wr(R_QSEL, 0);
	wr(R_QNUM, 2);
	wr(R_DESC, 0);
	wr(R_QREADY, 0);
	ck_assert_uint_eq(rd(R_QREADY), 1);
	ck_assert_int_eq(n_errors, 4);
	offer_in(&queues[0], 0, RAM, 16);
	kick(&queues[0]);
	expect_used(&queues[0], 0, 16);
	/* A reset undoes it all. */
	ck_assert(irq);
	wr(R_STATUS, 0);
	ck_assert(!irq);
	ck_assert_uint_eq(rd(R_QREADY), 0);
	ck_assert_uint_eq(rd(R_ISR), 0);
	/* Rings outside RAM. */
	driver_begin(1ull << F_V1);
	wr(R_QSEL, 0);
	wr(R_DESC + 4, 0xff);
	wr(R_QREADY, 1);
	ck_assert_uint_eq(rd(R_QREADY), 0);
	ck_assert_uint_eq(rd(R_STATUS), 11 | 64);
}
END_TEST

START_TEST(plugging)
{
	struct vmd_error err = {0};
	struct devices_device *other;

	make_slot(false);
	dev = plug(slot, "virtio-rng-device", "rng0", NULL);
	other = make("virtio-rng-device", "rng1", NULL);
	ck_assert(!devices_plug(slot, other, &err));
	ck_assert_int_eq(err.code, VMD_ERR_BUSY);
	ck_assert(strstr(err.message, "rng0"));
	ck_assert(!devices_realize(other, &err));
	ck_assert(strstr(err.message, "not plugged"));
	ck_assert(!devices_plug(dev, other, &err));
	ck_assert_int_eq(err.code, VMD_ERR_INVALID);
	/* Its place is free again once it is gone. */
	driver(0, 1);
	offer_in(&queues[0], 0, RAM, 16);
	wr(R_NOTIFY, 0); /* a bottom half is under way */
	devices_free(dev);
	dev = NULL;
	io();
	ck_assert_uint_eq(rd(R_ID), 0);
	ck_assert(devices_plug(slot, other, &err));
	ck_assert(devices_realize(other, &err));
	dev = other;
	ck_assert_uint_eq(rd(R_ID), 4);
}
END_TEST

START_TEST(device_tree)
{
	static uint8_t tree[65536];
	struct vmd_error err = {0};
	uint32_t next = 5;
	const struct devices_fdt ctx = {.gic_phandle = 1, .clock_phandle = 2, .next_phandle = &next};
	int node;

	make_slot(false);
	ck_assert_int_eq(fdt_create_empty_tree(tree, sizeof(tree)), 0);
	ck_assert_msg(slot->cls->fdt(slot, tree, &ctx, &err), "%s", err.message);
	node = fdt_path_offset(tree, "/virtio_mmio@a000000");
	ck_assert_int_ge(node, 0);
	ck_assert_str_eq(fdt_getprop(tree, node, "compatible", NULL), "virtio,mmio");
	ck_assert(fdt_getprop(tree, node, "dma-coherent", NULL));
}
END_TEST

/* ---- Queues, by the entropy device ---- */

START_TEST(rng_modern)
{
	struct queue *q = &queues[0];

	make_slot(false);
	dev = plug(slot, "virtio-rng-device", "rng0", NULL);
	driver(0, 1);
	/* A chain of two. */
	set_desc(q, 0, 3, RAM, 10, WRITE | NEXT, 5);
	set_desc(q, 0, 5, RAM + 0x1000, 20, WRITE, 0);
	offer(q, 3);
	wr(R_NOTIFY, 0);
	expect_nothing(q); /* not on the vCPU's thread */
	io();
	expect_used(q, 3, 30);
	ck_assert(irq);
	ck_assert_uint_eq(rd(R_ISR), 1);
	wr(R_ACK, 1);
	ck_assert(!irq);
	ck_assert(memcmp(at(RAM + 0x1000), (uint8_t[20]){0}, 20) != 0);
	ck_assert_int_eq(*at(RAM + 10), 0);
	/* Round the ring many times, with an index that wraps. */
	for (unsigned i = 0; i < 70000; i++) {
		offer_in(q, i % QSIZE, RAM, 4);
		kick(q);
		expect_used(q, i % QSIZE, 4);
	}
	/* No more than a page of a large buffer. */
	offer_in(q, 0, RAM + 0x80000, 0x40000);
	kick(q);
	expect_used(q, 0, 4096);
	/* A driver that wants no interrupts gets none. */
	wr(R_ACK, 1);
	put16(q->avail, 1);
	offer_in(q, 0, RAM, 4);
	kick(q);
	expect_used(q, 0, 4);
	ck_assert(!irq);
	ck_assert_int_eq(n_errors, 0);
}
END_TEST

START_TEST(rng_legacy)
{
	struct queue *q = &queues[0];

	make_slot(true);
	dev = plug(slot, "virtio-rng-device", "rng0", NULL);
	ck_assert_uint_eq(rd(R_VERSION), 1);
	ck_assert_uint_eq(offered() >> 32, 0);
	wr(R_PAGE_SIZE, 4096);
	wr(R_STATUS, 0);
	wr(R_STATUS, 3);
	wr(R_QSEL, 0);
	wr(R_QNUM, QSIZE);
	wr(R_QALIGN, 4096);
	queue_place(q, 0, QSIZE);
	q->avail = q->desc + 16 * QSIZE;
	q->used = q->desc + 0x1000;
	wr(R_PFN, (uint32_t)(q->desc >> 12));
	ck_assert_uint_eq(rd(R_PFN), q->desc >> 12);
	/* Before DRIVER_OK it waits. */
	offer_in(q, 1, RAM, 7);
	kick(q);
	expect_nothing(q);
	wr(R_STATUS, 7);
	io();
	expect_used(q, 1, 7);
	ck_assert(irq);
	wr(R_PFN, 0);
	ck_assert_uint_eq(rd(R_PFN), 0);
	ck_assert_uint_eq(rd(R_STATUS), 0);
	/* The page size is set once for all resets. */
	wr(R_STATUS, 3);
	wr(R_QNUM, QSIZE);
	queue_place(q, 0, QSIZE);
	q->avail = q->desc + 16 * QSIZE;
	q->used = q->desc + 0x1000;
	wr(R_PFN, (uint32_t)(q->desc >> 12));
	wr(R_STATUS, 7);
	offer_in(q, 2, RAM, 9);
	kick(q);
	expect_used(q, 2, 9);
}
END_TEST

START_TEST(event_idx)
{
	struct queue *q = &queues[0];

	make_slot(false);
	dev = plug(slot, "virtio-rng-device", "rng0", NULL);
	driver(1u << F_EVENT, 1);
	uint64_t used_event = q->avail + 4 + 2 * QSIZE, avail_event = q->used + 4 + 8 * QSIZE;
	put16(used_event, 2); /* interrupt once the third is used */
	for (unsigned i = 0; i < 2; i++) {
		offer_in(q, i, RAM, 4);
		kick(q);
		ck_assert(!irq);
		ck_assert_uint_eq(get16(avail_event), i + 1);
	}
	offer_in(q, 2, RAM, 4);
	kick(q);
	ck_assert(irq);
	wr(R_ACK, 1);
	/* Several at once, the one waited for among them. */
	put16(used_event, 4);
	for (unsigned i = 0; i < 4; i++)
		offer_in(q, i, RAM, 4);
	kick(q);
	ck_assert(irq);
	wr(R_ACK, 1);
	offer_in(q, 2, RAM, 4);
	kick(q);
	ck_assert(!irq);
}
END_TEST

START_TEST(indirect)
{
	struct queue *q = &queues[0];
	uint64_t table = RAM + 0x3000;

	make_slot(false);
	dev = plug(slot, "virtio-rng-device", "rng0", NULL);
	driver(1u << F_INDIRECT, 1);
	/* Longer than the queue, in any order; after an ordinary descriptor. */
	set_desc(q, 0, 0, RAM, 5, WRITE | NEXT, 1);
	set_desc(q, 0, 1, table, 16 * 20, INDIRECT | WRITE, 0);
	set_desc(q, table, 0, RAM + 0x100, 1, WRITE | NEXT, 19);
	for (unsigned i = 19; i > 0; i--)
		set_desc(q, table, i, RAM + 0x100 + 16 * i, 1, i > 1 ? WRITE | NEXT : WRITE, (uint16_t)(i - 1));
	offer(q, 0);
	kick(q);
	expect_used(q, 0, 25);
	ck_assert_int_eq(n_errors, 0);
}
END_TEST

START_TEST(rng_rate)
{
	struct queue *q = &queues[0];
	uint32_t id, len, total = 0;

	make_slot(false);
	dev = plug(slot, "virtio-rng-device", "rng0",
		   (const char *const[]){"max-bytes", "10", "period", "200", NULL});
	driver(0, 1);
	for (unsigned i = 0; i < 3; i++)
		offer_in(q, i, RAM, 7);
	kick(q);
	expect_used(q, 0, 7);
	expect_used(q, 1, 3);
	expect_nothing(q);
	for (int i = 0; i < 500 && !used(q, &id, &len); i++) {
		sleep_ms(10);
		io();
	}
	ck_assert_uint_eq(len, 7);
	/* Freed with the timer armed. */
	total += len;
	ck_assert_uint_eq(total, 7);
}
END_TEST

/* ---- Drivers that lie ---- */

struct lie {
	const char *name;
	void (*tell)(struct queue *q);
};

static void lie_loop_self(struct queue *q)
{
	set_desc(q, 0, 0, RAM, 4, WRITE | NEXT, 0);
	offer(q, 0);
}

static void lie_loop_two(struct queue *q)
{
	set_desc(q, 0, 0, RAM, 4, WRITE | NEXT, 1);
	set_desc(q, 0, 1, RAM, 4, WRITE | NEXT, 0);
	offer(q, 0);
}

static void lie_next_range(struct queue *q)
{
	set_desc(q, 0, 0, RAM, 4, WRITE | NEXT, QSIZE);
	offer(q, 0);
}

static void lie_head_range(struct queue *q)
{
	offer(q, 0xffff);
}

static void lie_len_zero(struct queue *q)
{
	offer_in(q, 0, RAM, 0);
}

static void lie_len_max(struct queue *q)
{
	offer_in(q, 0, RAM, 0xffffffff);
}

static void lie_len_one_too_many(struct queue *q)
{
	offer_in(q, 0, RAM + RAM_SIZE - 4, 5);
}

static void lie_below_ram(struct queue *q)
{
	offer_in(q, 0, RAM - 1, 4);
}

static void lie_mmio(struct queue *q)
{
	offer_in(q, 0, SLOT, 4);
}

static void lie_addr_wraps(struct queue *q)
{
	offer_in(q, 0, UINT64_MAX - 3, 16);
}

static void lie_out_after_in(struct queue *q)
{
	set_desc(q, 0, 0, RAM, 4, WRITE | NEXT, 1);
	set_desc(q, 0, 1, RAM, 4, 0, 0);
	offer(q, 0);
}

static void lie_index_jump(struct queue *q)
{
	put16(q->avail + 2, (uint16_t)(q->avail_idx + QSIZE + 1));
}

static void lie_index_back(struct queue *q)
{
	put16(q->avail + 2, (uint16_t)(q->avail_idx - 1));
}

static void lie_nested(struct queue *q)
{
	uint64_t table = RAM + 0x3000;

	set_desc(q, table, 0, table, 16, INDIRECT, 0);
	set_desc(q, 0, 0, table, 16, INDIRECT, 0);
	offer(q, 0);
}

static void lie_indirect_next(struct queue *q)
{
	uint64_t table = RAM + 0x3000;

	set_desc(q, table, 0, RAM, 4, WRITE, 0);
	set_desc(q, 0, 0, table, 16, INDIRECT | NEXT, 1);
	offer(q, 0);
}

static void lie_indirect_empty(struct queue *q)
{
	set_desc(q, 0, 0, RAM + 0x3000, 0, INDIRECT, 0);
	offer(q, 0);
}

static void lie_indirect_odd(struct queue *q)
{
	set_desc(q, 0, 0, RAM + 0x3000, 17, INDIRECT, 0);
	offer(q, 0);
}

static void lie_indirect_outside(struct queue *q)
{
	set_desc(q, 0, 0, RAM + RAM_SIZE - 16, 32, INDIRECT, 0);
	offer(q, 0);
}

static void lie_indirect_range(struct queue *q)
{
	uint64_t table = RAM + 0x3000;

	set_desc(q, table, 0, RAM, 4, WRITE | NEXT, 1);
	set_desc(q, 0, 0, table, 16, INDIRECT, 0);
	offer(q, 0);
}

static void lie_indirect_long(struct queue *q)
{
	uint64_t table = RAM + 0x3000;

	for (unsigned i = 0; i < 2000; i++)
		set_desc(q, table, i, RAM, 4, WRITE | NEXT, (uint16_t)(i + 1));
	set_desc(q, 0, 0, table, 16 * 2000, INDIRECT, 0);
	offer(q, 0);
}

static const struct lie lies[] = {
	{"a descriptor that is its own next", lie_loop_self},
	{"two descriptors in a loop", lie_loop_two},
	{"a next out of range", lie_next_range},
	{"a head out of range", lie_head_range},
	{"length 0", lie_len_zero},
	{"length 2^32 - 1", lie_len_max},
	{"one byte past RAM", lie_len_one_too_many},
	{"one byte below RAM", lie_below_ram},
	{"a device's registers", lie_mmio},
	{"an address that wraps", lie_addr_wraps},
	{"readable after writable", lie_out_after_in},
	{"an index that jumps", lie_index_jump},
	{"an index that goes back", lie_index_back},
	{"an indirect table in an indirect table", lie_nested},
	{"an indirect descriptor with a next", lie_indirect_next},
	{"an empty indirect table", lie_indirect_empty},
	{"an indirect table of 17 bytes", lie_indirect_odd},
	{"an indirect table that leaves RAM", lie_indirect_outside},
	{"a next out of an indirect table", lie_indirect_range},
	{"an indirect chain without end", lie_indirect_long},
};

START_TEST(lying_driver)
{
	const struct lie *lie = &lies[_i];
	struct queue *q = &queues[0];

	make_slot(false);
	dev = plug(slot, "virtio-rng-device", "rng0", NULL);
	driver(1u << F_INDIRECT, 1);
	offer_in(q, 0, RAM, 4);
	kick(q);
	expect_used(q, 0, 4);
	wr(R_ACK, 3);
	lie->tell(q);
	kick(q);
	ck_assert_msg(rd(R_STATUS) == (15 | 64), "%s: status 0x%x", lie->name, rd(R_STATUS));
	ck_assert_uint_eq(rd(R_ISR), 2);
	ck_assert(irq);
	ck_assert_int_eq(n_errors, 1);
	expect_nothing(q);
	/* It stays broken, quietly, until the driver resets it. */
	kick(q);
	wr(R_STATUS, 15);
	ck_assert_uint_eq(rd(R_STATUS), 15 | 64);
	driver(0, 1);
	offer_in(q, 1, RAM, 4);
	kick(q);
	expect_used(q, 1, 4);
	/* What was not negotiated is wrong, too. */
	set_desc(q, 0, 0, RAM, 16, INDIRECT, 0);
	offer(q, 0);
	kick(q);
	ck_assert_uint_eq(rd(R_STATUS), 15 | 64);
}
END_TEST

/* Descriptors and indices change while they are read. */
static atomic_bool storm_over;

static void *storm(void *arg)
{
	struct queue *q = arg;
	unsigned seed = 1;

	while (!atomic_load(&storm_over)) {
		unsigned i = (unsigned)rand_r(&seed) % QSIZE, what = (unsigned)rand_r(&seed) % 8;

		set_desc(q, 0, i, what == 0 ? RAM + RAM_SIZE - 2 : RAM + 0x4000, what == 1 ? 0x80000000 : 8,
			 (uint16_t)(what & (WRITE | INDIRECT | NEXT)), (uint16_t)rand_r(&seed) % (QSIZE + 1));
		if (what == 7)
			put16(q->avail + 2, (uint16_t)rand_r(&seed));
	}
	return NULL;
}

START_TEST(changing_rings)
{
	struct queue *q = &queues[0];
	pthread_t thread;

	make_slot(false);
	dev = plug(slot, "virtio-rng-device", "rng0", NULL);
	driver(1u << F_INDIRECT, 1);
	atomic_store(&storm_over, false);
	pthread_create(&thread, NULL, storm, q);
	for (int i = 0; i < 20000; i++) {
		offer(q, (uint16_t)(i % QSIZE));
		kick(q);
		if (rd(R_STATUS) & 64)
			driver(i & 1 ? 1u << F_INDIRECT : 0, 1);
	}
	atomic_store(&storm_over, true);
	pthread_join(thread, NULL);
}
END_TEST

/* ---- The console ---- */

#define RX 0
#define TX 1
#define CRX 2
#define CTX 3
#define RX1 4
#define TX1 5

struct control {
	uint32_t id;
	uint16_t event, value;
};

static struct devices_device *port[2];

static void console_make(bool with_serialport)
{
	make_slot(false);
	dev = plug(slot, "virtio-serial-device", "vs0", NULL);
	port[0] = plug(dev, "virtconsole", "con0", (const char *const[]){"chardev", "c0", NULL});
	port[1] = with_serialport ? plug(dev, "virtserialport", "p1",
					 (const char *const[]){"chardev", "c1", "name", "org.example.0", NULL})
				  : NULL;
}

static void console_end(void)
{
	devices_free(port[1]);
	devices_free(port[0]);
	devices_free(dev);
	dev = NULL;
}

static void control_buffers(void)
{
	for (uint16_t i = 0; i < QSIZE; i++)
		offer_in(&queues[CRX], i, RAM + 0x6000 + 256 * i, 256);
	kick(&queues[CRX]);
}

static void send_control(uint32_t id, uint16_t event, uint16_t value)
{
	const struct control c = {id, event, value};
	uint32_t i, len;

	offer_out(&queues[CTX], 0, RAM + 0x5000, &c, sizeof(c));
	kick(&queues[CTX]);
	ck_assert(used(&queues[CTX], &i, &len));
}

/* The next control message; what follows it, if ret_rest. The buffer goes back. */
static struct control get_control(char *ret_rest)
{
	struct control c;
	uint32_t i, len;

	ck_assert(used(&queues[CRX], &i, &len));
	ck_assert_uint_ge(len, sizeof(c));
	memcpy(&c, at(RAM + 0x6000 + 256 * i), sizeof(c));
	if (ret_rest)
		memcpy(ret_rest, at(RAM + 0x6000 + 256 * i + sizeof(c)), len - sizeof(c));
	offer(&queues[CRX], (uint16_t)i);
	return c;
}

static void expect_control(uint32_t id, uint16_t event, uint16_t value)
{
	struct control c = get_control(NULL);

	ck_assert_uint_eq(c.id, id);
	ck_assert_uint_eq(c.event, event);
	ck_assert_uint_eq(c.value, value);
}

START_TEST(console_ports)
{
	char name[256];

	console_make(true);
	ck_assert_uint_eq(rd(R_ID), 3);
	ck_assert_uint_eq(rd(R_CONFIG + 4), 31);
	ck_assert(!chardevs[0].fe_open);
	driver(1u << 1, 6);
	control_buffers();
	send_control(0, 0, 1); /* DEVICE_READY */
	expect_control(0, 1, 1);
	expect_control(1, 1, 1);
	expect_nothing(&queues[CRX]);
	send_control(0, 3, 1); /* PORT_READY */
	expect_control(0, 4, 1);
	expect_control(0, 6, 1);
	send_control(1, 3, 1);
	ck_assert_uint_eq(get_control(name).event, 7);
	ck_assert_str_eq(name, "org.example.0");
	expect_nothing(&queues[CRX]); /* its other side is not there */
	chardevs[1].fe.event(chardevs[1].fe.opaque, BACKENDS_CHARDEV_OPENED);
	io();
	expect_control(1, 6, 1);
	chardevs[1].fe.event(chardevs[1].fe.opaque, BACKENDS_CHARDEV_CLOSED);
	io();
	expect_control(1, 6, 0);

	send_control(0, 6, 1); /* PORT_OPEN */
	ck_assert(chardevs[0].fe_open);
	ck_assert_int_gt(chardevs[0].accepts, 0);
	offer_out(&queues[TX], 0, RAM + 0x100, "hello ", 6);
	offer_out(&queues[TX], 1, RAM + 0x200, "world", 5);
	kick(&queues[TX]);
	ck_assert_mem_eq(chardevs[0].out, "hello world", 11);
	expect_used(&queues[TX], 0, 0);
	expect_used(&queues[TX], 1, 0);
	offer_out(&queues[TX1], 0, RAM + 0x100, "one", 3);
	kick(&queues[TX1]);
	ck_assert_mem_eq(chardevs[1].out, "one", 3);

	send_control(0, 6, 0);
	ck_assert(!chardevs[0].fe_open);
	ck_assert_uint_eq(chardevs[0].fe.can_receive(chardevs[0].fe.opaque), 0);

	/* A port goes, and says so. */
	devices_free(port[1]);
	port[1] = NULL;
	ck_assert(!chardevs[1].attached);
	io();
	expect_control(1, 2, 1);
	send_control(1, 6, 1);
	ck_assert_int_eq(n_errors, 1);
	port[1] = plug(dev, "virtserialport", "p2", NULL);
	io();
	expect_control(1, 1, 1);
	console_end();
}
END_TEST

START_TEST(console_flow)
{
	const struct backends_chardev_fe *fe = &chardevs[0].fe;

	console_make(false);
	ck_assert_uint_eq(fe->can_receive(fe->opaque), 0);
	driver(1u << 1, 4);
	control_buffers();
	send_control(0, 0, 1);
	send_control(0, 3, 1);
	send_control(0, 6, 1);

	/* Output waits for the chardev, and nothing is lost or sent twice. */
	chardevs[0].room = 4;
	set_desc(&queues[TX], 0, 0, RAM + 0x100, 3, NEXT, 1);
	set_desc(&queues[TX], 0, 1, RAM + 0x200, 4, 0, 0);
	memcpy(at(RAM + 0x100), "abc", 3);
	memcpy(at(RAM + 0x200), "defg", 4);
	offer(&queues[TX], 0);
	kick(&queues[TX]);
	expect_nothing(&queues[TX]);
	ck_assert_uint_eq(chardevs[0].out_len, 4);
	kick(&queues[TX]);
	ck_assert_uint_eq(chardevs[0].out_len, 4);
	chardevs[0].room = 1;
	fe->writable(fe->opaque);
	expect_nothing(&queues[TX]);
	chardevs[0].room = SIZE_MAX;
	fe->writable(fe->opaque);
	expect_used(&queues[TX], 0, 0);
	ck_assert_mem_eq(chardevs[0].out, "abcdefg", 7);
	ck_assert_uint_eq(chardevs[0].out_len, 7);
	fe->writable(fe->opaque);

	/* Input waits for buffers. */
	ck_assert_uint_eq(fe->can_receive(fe->opaque), 0);
	chardevs[0].accepts = 0;
	offer_in(&queues[RX], 0, RAM + 0x300, 4);
	offer_in(&queues[RX], 1, RAM + 0x400, 8);
	kick(&queues[RX]);
	ck_assert_int_eq(chardevs[0].accepts, 1);
	ck_assert_uint_eq(fe->can_receive(fe->opaque), 4);
	fe->receive(fe->opaque, (const uint8_t *)"wxyz", 4);
	expect_used(&queues[RX], 0, 4);
	ck_assert_mem_eq(at(RAM + 0x300), "wxyz", 4);
	ck_assert_uint_eq(fe->can_receive(fe->opaque), 8);
	fe->receive(fe->opaque, (const uint8_t *)"!", 1);
	expect_used(&queues[RX], 1, 1);
	ck_assert_uint_eq(fe->can_receive(fe->opaque), 0);

	/* A reset drops what is held, both ways. */
	chardevs[0].room = 0;
	offer_in(&queues[RX], 0, RAM + 0x300, 4);
	ck_assert_uint_eq(fe->can_receive(fe->opaque), 4);
	offer_out(&queues[TX], 0, RAM + 0x100, "lost", 4);
	kick(&queues[TX]);
	wr(R_STATUS, 0);
	ck_assert(!chardevs[0].fe_open);
	fe->receive(fe->opaque, (const uint8_t *)"late", 4);
	fe->writable(fe->opaque);
	io();
	expect_nothing(&queues[RX]);
	/* And a machine's reset does. */
	driver(1u << 1, 4);
	devices_reset(dev);
	devices_reset(slot);
	ck_assert_uint_eq(rd(R_STATUS), 0);
	console_end();
}
END_TEST

/* A driver that gives control buffers late, and few at a time. */
START_TEST(console_slow_control)
{
	console_make(true);
	driver(1u << 1, 6);
	send_control(0, 0, 1);
	for (int i = 0; i < 100; i++) {
		chardevs[1].fe.event(chardevs[1].fe.opaque, i % 2 ? BACKENDS_CHARDEV_CLOSED : BACKENDS_CHARDEV_OPENED);
		io();
	}
	expect_nothing(&queues[CRX]);
	for (uint16_t i = 0; i < 3; i++) {
		offer_in(&queues[CRX], i, RAM + 0x6000 + 256 * i, 256);
		kick(&queues[CRX]);
	}
	expect_control(0, 1, 1);
	expect_control(1, 1, 1);
	expect_control(1, 6, 0);
	/* Too small a buffer is the driver's loss. */
	send_control(1, 3, 1);
	get_control(NULL);
	set_desc(&queues[CRX], 0, 3, RAM + 0x6000, 3, WRITE, 0);
	console_end();
}
END_TEST

START_TEST(console_single)
{
	const struct backends_chardev_fe *fe = &chardevs[0].fe;

	console_make(false);
	driver(0, 2);
	ck_assert(chardevs[0].fe_open);
	offer_in(&queues[RX], 0, RAM + 0x300, 4);
	kick(&queues[RX]);
	ck_assert_uint_eq(fe->can_receive(fe->opaque), 4);
	offer_out(&queues[TX], 0, RAM + 0x100, "hi", 2);
	kick(&queues[TX]);
	ck_assert_mem_eq(chardevs[0].out, "hi", 2);
	/* Without any driver: the emergency write. */
	wr(R_STATUS, 0);
	wr(R_CONFIG + 8, '!');
	ck_assert_int_eq(chardevs[0].out[2], '!');
	n_errors = 0;
	wr(R_CONFIG + 4, 7);
	wr(R_CONFIG + 0xfc, 7);
	ck_assert_int_eq(n_errors, 2);
	/* The configuration in all sizes. */
	for (unsigned size = 1; size <= 8; size *= 2) {
		uint64_t value;

		ck_assert(emu_mem_load(mem, SLOT + R_CONFIG + (size == 8 ? 0 : 4), size, &value));
		ck_assert_uint_eq(value, size == 8 ? 31ull << 32 : 31);
		ck_assert(emu_mem_load(mem, SLOT + R_CONFIG + 0xf8, size, &value));
		ck_assert_uint_eq(value, 0);
	}
	console_end();
}
END_TEST

static void refused(const char *cls, const char *const *props, const char *part)
{
	struct vmd_error err = {0};
	struct devices_device *d = make(cls, "bad", props);

	ck_assert(devices_plug(dev, d, &err));
	ck_assert(!devices_realize(d, &err));
	ck_assert_msg(strstr(err.message, part) != NULL, "'%s' lacks '%s'", err.message, part);
	devices_free(d);
}

START_TEST(console_numbers)
{
	struct vmd_error err = {0};
	struct devices_device *two, *d;

	make_slot(false);
	dev = plug(slot, "virtio-serial-device", "vs0", (const char *const[]){"max_ports", "3", NULL});
	two = plug(dev, "virtserialport", "two", (const char *const[]){"nr", "2", "chardev", "c2", NULL});
	refused("virtserialport", (const char *const[]){"nr", "0", NULL}, "nr=0");
	refused("virtserialport", (const char *const[]){"nr", "2", NULL}, "'two'");
	refused("virtserialport", (const char *const[]){"nr", "3", NULL}, "nr=3");
	refused("virtserialport", (const char *const[]){"chardev", "none", NULL}, "none");
	refused("virtserialport", (const char *const[]){"chardev", "c2", NULL}, "in use");
	port[1] = plug(dev, "virtserialport", "one", NULL);
	refused("virtserialport", NULL, "no free port");
	port[0] = plug(dev, "virtconsole", "zero", NULL);
	refused("virtconsole", NULL, "no free port");
	d = make("virtconsole", "loose", NULL);
	ck_assert(!devices_realize(d, &err));
	ck_assert(!devices_plug(slot, d, &err));
	devices_free(d);
	devices_free(two);
	console_end();
}
END_TEST

/* Rings full of noise with a structure: nothing but the device may break. */
START_TEST(console_noise)
{
	unsigned seed = 7;

	console_make(true);
	for (int round = 0; round < 3000; round++) {
		driver(rand_r(&seed) % 4 ? 1u << 1 | 1u << F_INDIRECT | 1u << F_EVENT : 0, 6);
		chardevs[0].room = (size_t)rand_r(&seed) % 64;
		for (int step = 0; step < 20; step++) {
			struct queue *q = &queues[rand_r(&seed) % 6];
			unsigned what = (unsigned)rand_r(&seed) % 64;
			uint64_t addr = RAM + (uint64_t)rand_r(&seed) % RAM_SIZE;
			const struct backends_chardev_fe *fe = &chardevs[rand_r(&seed) % 2].fe;
			size_t room;

			/* Not onto the rings, or it would all be noise. */
			if (addr < RAM + 0x20000)
				addr = RAM + 0x6000;
			set_desc(q, 0, (unsigned)rand_r(&seed) % QSIZE, what == 0 ? addr << 8 : addr,
				 what == 1 ? UINT32_MAX : (uint32_t)rand_r(&seed) % 300,
				 (uint16_t)(rand_r(&seed) % 8 & (what > 30 ? WRITE : 7)), (uint16_t)rand_r(&seed) % QSIZE);
			offer(q, (uint16_t)(rand_r(&seed) % (what == 2 ? 65536 : QSIZE)));
			if (what % 3 == 0) {
				const struct control c = {(uint32_t)rand_r(&seed) % 3, (uint16_t)(rand_r(&seed) % 8),
							  what & 1};

				offer_out(&queues[CTX], 0, RAM + 0x5000, &c, sizeof(c));
				kick(&queues[CTX]);
			}
			kick(q);
			room = fe->can_receive(fe->opaque);
			if (room)
				fe->receive(fe->opaque, at(addr), room < 16 ? room : 16);
			if (what == 3)
				fe->writable(fe->opaque);
		}
	}
	console_end();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio");
	TCase *tc = tcase_create("virtio");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, empty_slot);
	tcase_add_test(tc, registers);
	tcase_add_test(tc, negotiation);
	tcase_add_test(tc, plugging);
	tcase_add_test(tc, device_tree);
	tcase_add_test(tc, rng_modern);
	tcase_add_test(tc, rng_legacy);
	tcase_add_test(tc, event_idx);
	tcase_add_test(tc, indirect);
	tcase_add_test(tc, rng_rate);
	tcase_add_loop_test(tc, lying_driver, 0, (int)(sizeof(lies) / sizeof(lies[0])));
	tcase_add_test(tc, changing_rings);
	tcase_add_test(tc, console_ports);
	tcase_add_test(tc, console_flow);
	tcase_add_test(tc, console_slow_control);
	tcase_add_test(tc, console_single);
	tcase_add_test(tc, console_numbers);
	tcase_add_test(tc, console_noise);
	suite_add_tcase(s, tc);
	return suite_run(s, CK_FORK_GETENV);
}
