/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT's memory, ahead of its use. Code and the tables of blocks are filled
 * from one end to the other, and a host takes longer to find, clear and map a page
 * than the JIT to fill it. So a thread of the machine asks the host for what comes
 * next, while vCPUs fill what came before. Nobody waits for it: who is faster, and
 * who finds the queue full, has the page faults.
 *
 * `lock` guards the queue. Thread: emu_jit_ahead_want is called by any; the rest by
 * who makes and frees the system, when no vCPU runs.
 */
#include "emu/jit.h"

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

struct emu_jit_ahead {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool quit;
	unsigned head, tail; /* of the ring */
	struct want queue[QUEUE];
};

static void *ahead_thread(void *arg)
{
	struct emu_jit_ahead *ahead = arg;

	prctl(PR_SET_NAME, "jit-memory");
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

void emu_jit_ahead_want(struct emu_jit_ahead *ahead, const void *start, size_t size, bool write)
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

struct emu_jit_ahead *emu_jit_ahead_new(struct vmd_error *err)
{
	struct emu_jit_ahead *ahead = calloc(1, sizeof(*ahead));
	if (!ahead) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot make the JIT");
		return NULL;
	}
	pthread_mutex_init(&ahead->lock, NULL);
	pthread_cond_init(&ahead->wake, NULL);

	int rc = pthread_create(&ahead->thread, NULL, ahead_thread, ahead);
	if (rc) {
		vmd_error_set(err, VMD_ERR_GENERIC, rc, "Cannot start the thread for the JIT's memory");
		pthread_cond_destroy(&ahead->wake);
		pthread_mutex_destroy(&ahead->lock);
		free(ahead);
		return NULL;
	}
	return ahead;
}

void emu_jit_ahead_free(struct emu_jit_ahead *ahead)
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
