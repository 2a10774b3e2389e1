/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "virtio-rng-device": the entropy device, Virtual I/O Device 1.2, 5.4. One
 * queue of writable buffers, filled from the host's generator. At most `max-bytes`
 * are given out in `period` milliseconds of virtual time.
 *
 * A buffer may be filled in part; no more than CHUNK bytes of one are, so that a
 * guest cannot keep the I/O thread busy with one request.
 */
#include "backends/rng.h"
#include "devices/virtio_priv.h"


#define QUEUE_SIZE 64
#define CHUNK 4096
/* Requests in a row before others on the I/O thread have their turn. */
#define BATCH 64

struct virtio_rng {
	struct devices_virtio vdev;
	uint64_t max_bytes, period; /* properties */
	uint64_t quota;             /* what is left of max_bytes in this period */
	bool running;               /* the period's timer is armed */
	struct emu_timer *timer;
};

static struct virtio_rng *rng_of(struct devices_virtio *vdev)
{
	return (struct virtio_rng *)vdev;
}

static void start_period(struct virtio_rng *s)
{
	struct emu_clock *clock = s->vdev.dev.env->clock;

	if (s->running || s->max_bytes == UINT64_MAX)
		return;
	s->running = true;
	emu_timer_arm(s->timer, emu_clock_now(clock) + s->period * 1000000);
}

/* On the clock's thread. */
static void end_period(void *opaque)
{
	struct virtio_rng *s = opaque;

	virtio_lock(&s->vdev);
	s->running = false;
	s->quota = s->max_bytes;
	virtio_kick(&s->vdev, 0);
	virtio_unlock(&s->vdev);
}

static uint32_t fill(struct virtio_rng *s, const struct virtqueue_elem *elem)
{
	uint8_t bytes[CHUNK];
	uint64_t n = elem->in_len;

	if (n > s->quota)
		n = s->quota;
	if (n > sizeof(bytes))
		n = sizeof(bytes);
	if (!backends_rng_fill(bytes, n))
		return 0;
	virtqueue_elem_write(elem, 0, bytes, n);
	if (s->max_bytes != UINT64_MAX)
		s->quota -= n;
	return (uint32_t)n;
}

static void queue(struct devices_virtio *vdev, unsigned index)
{
	struct virtio_rng *s = rng_of(vdev);
	struct virtqueue *vq = &vdev->queues[0];
	unsigned done = 0;

	virtqueue_want_notify(vq, false);
	do {
		struct virtqueue_elem *elem;

		while (s->quota > 0 && done < BATCH && (elem = virtqueue_pop(vq))) {
			start_period(s);
			virtqueue_push(vq, elem, fill(s, elem));
			done++;
		}
		/* Out of quota: the end of the period looks again. */
	} while (s->quota > 0 && done < BATCH && virtqueue_want_notify(vq, true));
	virtqueue_interrupt(vq);
	if (done == BATCH)
		virtio_kick(vdev, 0);
}

static void reset_rng(struct devices_virtio *vdev)
{
	/* Nothing is held between calls, and the quota outlives resets. */
}

static const struct virtio_ops ops = {
	.id = VIRTIO_ID_RNG,
	.queue = queue,
	.reset = reset_rng,
};

static bool realize(struct devices_device *dev, struct vmd_error *err)
{
	struct virtio_rng *s = (struct virtio_rng *)dev;

	s->quota = s->max_bytes;
	s->timer = emu_timer_new(dev->env->clock, end_period, s, err);
	if (!s->timer)
		return false;
	if (!virtio_init(&s->vdev, &ops, 1, QUEUE_SIZE, err)) {
		emu_timer_free(s->timer);
		return false;
	}
	return true;
}

static void unrealize(struct devices_device *dev)
{
	struct virtio_rng *s = (struct virtio_rng *)dev;

	/* First, with no lock held: it waits for end_period. */
	emu_timer_free(s->timer);
	s->timer = NULL;
	virtio_exit(&s->vdev);
}

static const struct devices_prop props[] = {
	{.name = "max-bytes", .type = DEVICES_PROP_UINT, .offset = offsetof(struct virtio_rng, max_bytes),
	 .def = "0xffffffffffffffff", .min = 1, .max = UINT64_MAX, .help = "bytes given out in a period at most"},
	{.name = "period", .type = DEVICES_PROP_UINT, .offset = offsetof(struct virtio_rng, period), .def = "65536",
	 .min = 1, .max = 86400000, .help = "milliseconds that max-bytes are for"},
	{.name = NULL},
};

const struct devices_class devices_virtio_rng_class = {
	.name = "virtio-rng-device",
	.summary = "virtio entropy source",
	.bus = DEVICES_BUS_VIRTIO,
	.size = sizeof(struct virtio_rng),
	.props = props,
	.realize = realize,
	.unrealize = unrealize,
	.reset = virtio_class_reset,
	.fini = virtio_class_fini,
};
