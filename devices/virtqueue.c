/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueues, Virtual I/O Device 1.2, 2.7.
 *
 *   descriptor (16 bytes)   addr u64 | len u32 | flags u16 | next u16
 *   available ring          flags u16 | idx u16 | ring u16[size] | used_event u16
 *   used ring               flags u16 | idx u16 | {id u32, len u32}[size] | avail_event u16
 *
 * The driver's vCPUs change the rings while we read. So every descriptor is
 * copied before any of it is looked at, each is read once, and a walk takes at
 * most so many steps. An index or an address counts only after it was checked.
 *
 * Ordering: the available index is loaded with acquire before the entries it
 * covers, the used index is stored with release after them. Deciding about a
 * notification reads what the other side writes after having written what the
 * other side reads, which takes a full fence on both sides.
 */
#include "devices/virtqueue_priv.h"

#include "devices/virtio_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, /* virtq_desc.flags */
	AVAIL_NO_INTERRUPT = 1,
	USED_NO_NOTIFY = 1,
};

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

_Static_assert(sizeof(struct desc) == 16, "a descriptor has 16 bytes");

void virtqueue_init(struct virtqueue *vq, struct devices_virtio *vdev, unsigned index, uint16_t max)
{
	*vq = (struct virtqueue){.vdev = vdev, .index = index, .max = max, .size = max};
}

void virtqueue_reset(struct virtqueue *vq)
{
	assert(vq->held == 0);
	virtqueue_init(vq, vq->vdev, vq->index, vq->max);
}

bool virtqueue_size_ok(const struct virtqueue *vq, uint32_t size)
{
	return size > 0 && size <= vq->max && (size & (size - 1)) == 0;
}

/* ---- The rings. Little-endian, as the host is. ---- */

static uint16_t load16(const uint8_t *at)
{
	return __atomic_load_n((const uint16_t *)at, __ATOMIC_ACQUIRE);
}

static void store16(uint8_t *at, uint16_t value)
{
	__atomic_store_n((uint16_t *)at, value, __ATOMIC_RELEASE);
}

static void full_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static uint16_t avail_flags(const struct virtqueue *vq)
{
	return load16(vq->avail);
}

static uint16_t avail_idx(const struct virtqueue *vq)
{
	return load16(vq->avail + 2);
}

static uint16_t avail_ring(const struct virtqueue *vq, uint16_t i)
{
	return load16(vq->avail + 4 + 2 * (size_t)(i & (vq->size - 1)));
}

static uint16_t used_event(const struct virtqueue *vq)
{
	return load16(vq->avail + 4 + 2 * (size_t)vq->size);
}

static void set_used_flags(struct virtqueue *vq, uint16_t flags)
{
	store16(vq->used, flags);
}

static void set_used_idx(struct virtqueue *vq, uint16_t idx)
{
	store16(vq->used + 2, idx);
}

static void set_used_ring(struct virtqueue *vq, uint16_t i, uint32_t id, uint32_t len)
{
	const uint32_t entry[2] = {id, len};

	memcpy(vq->used + 4 + 8 * (size_t)(i & (vq->size - 1)), entry, sizeof(entry));
}

static void set_avail_event(struct virtqueue *vq, uint16_t idx)
{
	store16(vq->used + 4 + 8 * (size_t)vq->size, idx);
}

bool virtqueue_enable(struct virtqueue *vq)
{
	struct emu_mem *mem = vq->vdev->dev.env->mem;

	if ((vq->desc_pa & 15) || (vq->avail_pa & 1) || (vq->used_pa & 3))
		return false;
	vq->desc = emu_mem_ram(mem, vq->desc_pa, sizeof(struct desc) * (size_t)vq->size);
	vq->avail = emu_mem_ram(mem, vq->avail_pa, 6 + 2 * (size_t)vq->size);
	vq->used = emu_mem_ram(mem, vq->used_pa, 6 + 8 * (size_t)vq->size);
	vq->ready = vq->desc && vq->avail && vq->used;
	return vq->ready;
}

/* ---- Taking requests ---- */

struct walk {
	struct virtqueue *vq;
	unsigned n_out, n_in;
	uint64_t out_len, in_len;
	struct iovec seg[VIRTQUEUE_MAX_SEGS];
};

static void broken(struct virtqueue *vq, const char *why)
{
	virtio_broken(vq->vdev, "queue %u: %s", vq->index, why);
}

/* What is wrong with the segment; NULL: nothing, it has been added. */
static const char *add_segment(struct walk *w, const struct desc *desc)
{
	unsigned n = w->n_out + w->n_in;
	void *host;

	if (n == VIRTQUEUE_MAX_SEGS)
		return "a request has too many segments";
	if (!(desc->flags & DESC_WRITE) && w->n_in)
		return "a readable descriptor comes after a writable one";
	if (desc->len == 0)
		return "a descriptor has no bytes";
	host = emu_mem_ram(w->vq->vdev->dev.env->mem, desc->addr, desc->len);
	if (!host)
		return "a descriptor leaves RAM";
	if (w->out_len + w->in_len + desc->len > UINT32_MAX)
		return "a request has more than 2^32 bytes";
	w->seg[n] = (struct iovec){.iov_base = host, .iov_len = desc->len};
	if (desc->flags & DESC_WRITE) {
		w->n_in++;
		w->in_len += desc->len;
	} else {
		w->n_out++;
		w->out_len += desc->len;
	}
	return NULL;
}

/* Copies a descriptor that the guest may be changing: what comes is checked, and
 * no compiler may go back to the guest's copy. */
static __attribute__((noinline, no_sanitize("thread"))) void load_desc(const uint8_t *at, struct desc *ret)
{
	memcpy(ret, at, sizeof(*ret));
	__asm__ volatile("" : "+m"(*ret));
}

/* Follows a chain through a table of n descriptors. A chain longer than its
 * table has a loop. `*ret_indirect` gets the descriptor that refers to another
 * table; NULL where that is not allowed. */
static const char *walk_table(struct walk *w, const uint8_t *table, unsigned n, unsigned i, struct desc *ret_indirect)
{
	for (unsigned steps = 0; steps < n; steps++) {
		struct desc desc;
		const char *wrong;

		if (i >= n)
			return "a descriptor's number is out of range";
		load_desc(table + sizeof(desc) * i, &desc);
		if (desc.flags & DESC_INDIRECT) {
			if (!ret_indirect)
				return "an indirect table has an indirect descriptor";
			if (desc.flags & DESC_NEXT)
				return "an indirect descriptor has a next one";
			*ret_indirect = desc;
			return NULL;
		}
		wrong = add_segment(w, &desc);
		if (wrong)
			return wrong;
		if (!(desc.flags & DESC_NEXT))
			return NULL;
		i = desc.next;
	}
	return "a chain of descriptors is a loop";
}

static const char *walk_indirect(struct walk *w, const struct desc *desc)
{
	const uint8_t *table;
	unsigned n = desc->len / sizeof(struct desc);

	if (!virtio_has(w->vq->vdev, VIRTIO_F_INDIRECT_DESC))
		return "an indirect descriptor, which was not negotiated";
	if (desc->len % sizeof(struct desc) || n == 0)
		return "an indirect table's size is not a multiple of 16";
	table = emu_mem_ram(w->vq->vdev->dev.env->mem, desc->addr, desc->len);
	if (!table)
		return "an indirect table leaves RAM";
	return walk_table(w, table, n, 0, NULL);
}

struct virtqueue_elem *virtqueue_pop(struct virtqueue *vq)
{
	struct virtqueue_elem *elem;
	struct walk w;
	struct desc indirect = {0};
	const char *wrong;
	uint16_t n, head;

	if (!virtio_is_live(vq->vdev) || !vq->ready)
		return NULL;
	n = (uint16_t)(avail_idx(vq) - vq->last_avail);
	if (n == 0)
		return NULL;
	if (n > vq->size) {
		broken(vq, "the available index has jumped");
		return NULL;
	}
	if (vq->held >= vq->size) {
		broken(vq, "more requests than the queue has descriptors");
		return NULL;
	}
	w.vq = vq;
	w.n_out = w.n_in = 0;
	w.out_len = w.in_len = 0;
	head = avail_ring(vq, vq->last_avail);
	wrong = walk_table(&w, vq->desc, vq->size, head, &indirect);
	/* 2.7.5.3.2: ordinary descriptors may come before the indirect one. */
	if (!wrong && indirect.flags)
		wrong = walk_indirect(&w, &indirect);
	if (wrong) {
		broken(vq, wrong);
		return NULL;
	}
	elem = malloc(sizeof(*elem) + (w.n_out + w.n_in) * sizeof(elem->seg[0]));
	if (!elem) {
		broken(vq, "the host has no memory for a request");
		return NULL;
	}
	*elem = (struct virtqueue_elem){
		.head = head,
		.n_out = w.n_out,
		.n_in = w.n_in,
		.out_len = w.out_len,
		.in_len = w.in_len,
		.out = elem->seg,
		.in = elem->seg + w.n_out,
	};
	memcpy(elem->seg, w.seg, (w.n_out + w.n_in) * sizeof(elem->seg[0]));
	vq->last_avail++;
	vq->held++;
	return elem;
}

/* ---- Giving them back ---- */

void virtqueue_push(struct virtqueue *vq, struct virtqueue_elem *elem, uint32_t written)
{
	assert(written <= elem->in_len);
	set_used_ring(vq, vq->used_idx, elem->head, written);
	set_used_idx(vq, ++vq->used_idx);
	virtqueue_drop(vq, elem);
}

void virtqueue_drop(struct virtqueue *vq, struct virtqueue_elem *elem)
{
	if (!elem)
		return;
	vq->held--;
	free(elem);
}

void virtqueue_interrupt(struct virtqueue *vq)
{
	uint16_t before = vq->signalled;
	bool wanted;

	if (!vq->ready || vq->used_idx == before)
		return;
	full_fence();
	if (virtio_has(vq->vdev, VIRTIO_F_EVENT_IDX)) /* 2.7.10.1: have we passed the index it waits for? */
		wanted = (uint16_t)(vq->used_idx - used_event(vq) - 1) < (uint16_t)(vq->used_idx - before);
	else
		wanted = !(avail_flags(vq) & AVAIL_NO_INTERRUPT);
	vq->signalled = vq->used_idx;
	if (wanted)
		virtio_interrupt(vq->vdev, vq->index);
}

bool virtqueue_want_notify(struct virtqueue *vq, bool want)
{
	if (!virtio_is_live(vq->vdev) || !vq->ready)
		return false;
	/* With event indices an index that is behind us asks for nothing. */
	if (!virtio_has(vq->vdev, VIRTIO_F_EVENT_IDX))
		set_used_flags(vq, want ? 0 : USED_NO_NOTIFY);
	else if (want)
		set_avail_event(vq, vq->last_avail);
	if (!want)
		return false;
	full_fence();
	return avail_idx(vq) != vq->last_avail;
}

/* ---- The bytes of a request ---- */

/* Skips `offset` bytes, then hands out pieces of up to `len` bytes. */
static size_t copy_segments(const struct iovec *seg, unsigned n, size_t offset, uint8_t *to, const uint8_t *from,
			    size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		uint8_t *base = seg[i].iov_base;
		size_t part = seg[i].iov_len;

		if (offset >= part) {
			offset -= part;
			continue;
		}
		part -= offset;
		if (part > len - done)
			part = len - done;
		if (to)
			memcpy(to + done, base + offset, part);
		else
			memcpy(base + offset, from + done, part);
		done += part;
		offset = 0;
	}
	return done;
}

size_t virtqueue_elem_read(const struct virtqueue_elem *elem, size_t offset, void *buf, size_t len)
{
	return copy_segments(elem->out, elem->n_out, offset, buf, NULL, len);
}

size_t virtqueue_elem_write(const struct virtqueue_elem *elem, size_t offset, const void *buf, size_t len)
{
	return copy_segments(elem->in, elem->n_in, offset, NULL, buf, len);
}
