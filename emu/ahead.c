/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory ahead of its use. A host takes longer to find, clear and map a page than a
 * vCPU to fill it. So a thread of the machine asks the host for what comes next,
 * while vCPUs fill what came before. Nobody waits for it: who is faster, and who
 * finds the queue full, has the page faults.
 *
 * The JIT's code and the tables of blocks are filled from one end to the other, and
 * wanted by name. A guest's memory is given to it in steps of 2 MiB, which is how
 * large hosts' large pages are, and only where the guest goes on from one to the next:
 * no more than twice what it has used in a row, and no more than 16 MiB, is there
 * before it is used.
 *
 * `lock` guards the queue; a step's state is a byte that any vCPU's thread reads and
 * writes. Thread: emu_ahead_want and emu_ahead_use are called by any; the rest by
 * who makes and frees the system, when no vCPU runs.
 */
#include "emu/ahead.h"

#include "emu/access_priv.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>

/* Linux 5.14 */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

enum { QUEUE = 256 };

struct want {
	uint8_t *start;
	size_t size;
	int advice;
};

struct emu_ahead {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool quit;
	unsigned head, tail; /* of the ring */
	struct want queue[QUEUE];
};

/* ---- The thread ---- */

static void *ahead_thread(void *arg)
{
	struct emu_ahead *ahead = arg;

	prctl(PR_SET_NAME, "memory-ahead");
	pthread_mutex_lock(&ahead->lock);
	while (!ahead->quit) {
		if (ahead->head == ahead->tail) {
			pthread_cond_wait(&ahead->wake, &ahead->lock);
			continue;
		}
		struct want want = ahead->queue[ahead->tail++ % QUEUE];
		pthread_mutex_unlock(&ahead->lock);
		madvise(want.start, want.size, want.advice);
		pthread_mutex_lock(&ahead->lock);
	}
	pthread_mutex_unlock(&ahead->lock);
	return NULL;
}

void emu_ahead_want(struct emu_ahead *ahead, const void *start, size_t size, bool write)
{
	uintptr_t first = (uintptr_t)start & ~EMU_PAGE_MASK, end = ((uintptr_t)start + size + EMU_PAGE_MASK) & ~EMU_PAGE_MASK;

	pthread_mutex_lock(&ahead->lock);
	if (ahead->head - ahead->tail < QUEUE) {
		ahead->queue[ahead->head++ % QUEUE] = (struct want){ .start = (uint8_t *)first, .size = end - first,
			.advice = write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ };
		pthread_cond_signal(&ahead->wake);
	}
	pthread_mutex_unlock(&ahead->lock);
}

/* ---- A guest's memory ---- */

struct emu_ahead_steps *emu_ahead_steps_new(void *start, size_t size)
{
	size_t n = emu_ahead_step_of((uint8_t *)start + size - 1) - emu_ahead_step_of(start) + 1;
	struct emu_ahead_steps *steps = calloc(1, sizeof(*steps) + n);

	if (steps) {
		steps->start = start;
		steps->size = size;
		steps->n = n;
	}
	return steps;
}

static unsigned get(const struct emu_ahead_steps *steps, size_t i)
{
	return __atomic_load_n(&steps->state[i], __ATOMIC_RELAXED);
}

static void want_step(struct emu_ahead *ahead, struct emu_ahead_steps *steps, size_t i)
{
	uint8_t *first = (uint8_t *)((emu_ahead_step_of(steps->start) + i) << EMU_AHEAD_SHIFT);
	uint8_t *end = first + (1u << EMU_AHEAD_SHIFT), *last = steps->start + steps->size;

	__atomic_store_n(&steps->state[i], EMU_AHEAD_WANTED, __ATOMIC_RELAXED);
	first = first < steps->start ? steps->start : first;
	end = end > last ? last : end;
	emu_ahead_want(ahead, first, (size_t)(end - first), true);
}

/* Step i has just come to be used: wants as many up from there (by is 1), or down from there
 * (SIZE_MAX: indices wrap, and none beyond either end is one), as are used behind it. */
static void go_on(struct emu_ahead *ahead, struct emu_ahead_steps *steps, size_t i, size_t by)
{
	enum { MOST = 8 };
	size_t run = 0;

	for (size_t k = i - by; run < MOST && k < steps->n && get(steps, k) == EMU_AHEAD_USED; k -= by)
		run++;
	for (size_t k = i + by; run > 0 && k < steps->n; k += by, run--)
		if (get(steps, k) == EMU_AHEAD_NEW)
			want_step(ahead, steps, k);
}

void emu_ahead_use_new(struct emu_ahead *ahead, struct emu_ahead_steps *steps, size_t i)
{
	__atomic_store_n(&steps->state[i], EMU_AHEAD_USED, __ATOMIC_RELAXED);
	go_on(ahead, steps, i, 1);
	go_on(ahead, steps, i, SIZE_MAX);
}

/* ---- Life ---- */

struct emu_ahead *emu_ahead_new(struct vmd_error *err)
{
	struct emu_ahead *ahead = calloc(1, sizeof(*ahead));
	if (!ahead) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot make the machine's memory thread");
		return NULL;
	}
	pthread_mutex_init(&ahead->lock, NULL);
	pthread_cond_init(&ahead->wake, NULL);

	int rc = pthread_create(&ahead->thread, NULL, ahead_thread, ahead);
	if (rc) {
		vmd_error_set(err, VMD_ERR_GENERIC, rc, "Cannot start the machine's memory thread");
		pthread_cond_destroy(&ahead->wake);
		pthread_mutex_destroy(&ahead->lock);
		free(ahead);
		return NULL;
	}
	return ahead;
}

void emu_ahead_free(struct emu_ahead *ahead)
{
	if (!ahead)
		return;
	pthread_mutex_lock(&ahead->lock);
	ahead->quit = true;
	pthread_cond_signal(&ahead->wake);
	pthread_mutex_unlock(&ahead->lock);
	pthread_join(ahead->thread, NULL);
	pthread_cond_destroy(&ahead->wake);
	pthread_mutex_destroy(&ahead->lock);
	free(ahead);
}
