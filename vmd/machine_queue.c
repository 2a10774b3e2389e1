/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work posted to the I/O thread by vCPU, clock and device code. Posting never
 * blocks for longer than it takes to add an entry; the loop runs entries in the
 * order they came.
 */
#include "vmd/machine_priv.h"

#include <stdlib.h>

struct entry {
	void (*fn)(void *arg);
	void *arg;
};

struct machine_queue {
	pthread_mutex_t lock; /* guards entries, n, room */
	struct entry *entries;
	size_t n, room;
	uv_async_t wake;
};

static void run(uv_async_t *wake)
{
	struct machine_queue *q = wake->data;
	pthread_mutex_lock(&q->lock);
	struct entry *entries = q->entries;
	size_t n = q->n, room = q->room;
	q->entries = NULL;
	q->n = q->room = 0;
	pthread_mutex_unlock(&q->lock);

	for (size_t i = 0; i < n; i++)
		entries[i].fn(entries[i].arg);

	/* Give the memory back, so that a steady state allocates nothing. */
	pthread_mutex_lock(&q->lock);
	if (!q->entries) {
		q->entries = entries;
		q->room = room;
		entries = NULL;
	}
	pthread_mutex_unlock(&q->lock);
	free(entries);
}

void machine_queue_post(void *opaque, void (*fn)(void *arg), void *arg)
{
	struct machine_queue *q = opaque;
	pthread_mutex_lock(&q->lock);
	if (q->n == q->room) {
		size_t room = q->room ? q->room * 2 : 64;
		struct entry *p = realloc(q->entries, room * sizeof(*p));
		if (!p) {
			/* Losing work would hang the guest: there is no going on. */
			abort();
		}
		q->entries = p;
		q->room = room;
	}
	q->entries[q->n++] = (struct entry){ fn, arg };
	pthread_mutex_unlock(&q->lock);
	uv_async_send(&q->wake);
}

struct machine_queue *machine_queue_new(uv_loop_t *loop, struct vmd_error *err)
{
	struct machine_queue *q = calloc(1, sizeof(*q));
	if (!q) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		return NULL;
	}
	int rc = uv_async_init(loop, &q->wake, run);
	if (rc) {
		vmd_error_set(err, VMD_ERR_IO, -rc, "cannot make the machine's work queue");
		free(q);
		return NULL;
	}
	q->wake.data = q;
	pthread_mutex_init(&q->lock, NULL);
	return q;
}

static void closed(uv_handle_t *handle)
{
	struct machine_queue *q = handle->data;
	pthread_mutex_destroy(&q->lock);
	free(q->entries);
	free(q);
}

void machine_queue_free(struct machine_queue *q)
{
	if (q)
		uv_close((uv_handle_t *)&q->wake, closed);
}
