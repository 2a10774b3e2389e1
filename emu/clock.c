/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtual clock and its timers.
 *
 * Time is one atomic word, so that reading it takes no lock. Its lowest bit
 * tells what the other 63 hold:
 *
 *     1: stopped, the virtual time itself
 *     0: running, the difference virtual - host monotonic time (signed)
 *
 * Armed timers are a binary heap by deadline under `lock`. The clock's thread
 * sleeps until the first deadline, then calls the function without the lock.
 * Invariant: timer->slot is its place in the heap, or NOT_ARMED.
 *
 * Waking the thread costs the one who arms a timer a system call, and a
 * processor that the guest could have. So it sleeps no longer than until the
 * timer that ran last would be due again, if it is periodic: by then a guest's
 * tick has been armed anew, long ago, without a wake. A timer that is armed
 * later, or cancelled, leaves it to wake once in vain.
 */
#include "emu/clock.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#define NOT_ARMED SIZE_MAX

struct emu_timer {
	struct emu_clock *clock;
	emu_timer_fn *fn;
	void *opaque;
	uint64_t deadline, last; /* `last`: the deadline that it last ran for */
	size_t slot;
};

struct emu_clock {
	_Atomic uint64_t state;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* the thread: a deadline before `until`, or the state or `quit` changed */
	pthread_cond_t idle; /* `running` went back to NULL */
	struct emu_timer **heap;
	size_t n_armed, n_timers, capacity; /* capacity >= n_timers, so arming never allocates */
	struct emu_timer *running; /* its function is being called */
	uint64_t until;    /* virtual time until which the thread sleeps, 0 if it does not wait for any */
	uint64_t expected; /* virtual time at which the timer that ran last would run again */
	bool quit;
};

static uint64_t host_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t virtual_time(uint64_t state)
{
	if (state & 1)
		return state >> 1;
	return host_now() + (uint64_t)((int64_t)state >> 1);
}

uint64_t emu_clock_now(const struct emu_clock *clock)
{
	return virtual_time(atomic_load_explicit(&clock->state, memory_order_acquire));
}

/* ---- The heap ---- */

static void heap_put(struct emu_clock *clock, size_t slot, struct emu_timer *timer)
{
	clock->heap[slot] = timer;
	timer->slot = slot;
}

static void heap_sift(struct emu_clock *clock, size_t slot, struct emu_timer *timer)
{
	while (slot > 0 && clock->heap[(slot - 1) / 2]->deadline > timer->deadline) {
		heap_put(clock, slot, clock->heap[(slot - 1) / 2]);
		slot = (slot - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * slot + 1;
		if (child >= clock->n_armed)
			break;
		if (child + 1 < clock->n_armed && clock->heap[child + 1]->deadline < clock->heap[child]->deadline)
			child++;
		if (clock->heap[child]->deadline >= timer->deadline)
			break;
		heap_put(clock, slot, clock->heap[child]);
		slot = child;
	}
	heap_put(clock, slot, timer);
}

static void heap_remove(struct emu_clock *clock, struct emu_timer *timer)
{
	size_t slot = timer->slot;
	struct emu_timer *last = clock->heap[--clock->n_armed];
	timer->slot = NOT_ARMED;
	if (last != timer)
		heap_sift(clock, slot, last);
}

/* ---- The thread ---- */

/* Until the first deadline, or the expected one, or a wake. No timer is due `now`. */
static void wait_for_next(struct emu_clock *clock, uint64_t now)
{
	const uint64_t hour = UINT64_C(3600000000000); /* far deadlines must not overflow the host's time */
	uint64_t until = clock->n_armed ? clock->heap[0]->deadline : UINT64_MAX;

	if (clock->expected > now && clock->expected < until)
		until = clock->expected;
	clock->until = until;
	uint64_t host = host_now() + (until - now < hour ? until - now : hour);
	struct timespec ts = { .tv_sec = (time_t)(host / 1000000000u), .tv_nsec = (long)(host % 1000000000u) };
	pthread_cond_timedwait(&clock->wake, &clock->lock, &ts);
	clock->until = 0;
}

static void run(struct emu_clock *clock, struct emu_timer *timer)
{
	heap_remove(clock, timer);
	clock->expected = timer->deadline + (timer->deadline - timer->last);
	timer->last = timer->deadline;
	clock->running = timer;
	pthread_mutex_unlock(&clock->lock);
	timer->fn(timer->opaque);
	pthread_mutex_lock(&clock->lock);
	clock->running = NULL;
	pthread_cond_broadcast(&clock->idle);
}

static void *clock_thread(void *arg)
{
	struct emu_clock *clock = arg;

	prctl(PR_SET_NAME, "clock");
	prctl(PR_SET_TIMERSLACK, 1000ul); /* guests run their schedulers on these */

	pthread_mutex_lock(&clock->lock);
	while (!clock->quit) {
		uint64_t state = atomic_load_explicit(&clock->state, memory_order_acquire);
		uint64_t now = virtual_time(state);
		if (state & 1)
			pthread_cond_wait(&clock->wake, &clock->lock);
		else if (clock->n_armed && clock->heap[0]->deadline <= now)
			run(clock, clock->heap[0]);
		else
			wait_for_next(clock, now);
	}
	pthread_mutex_unlock(&clock->lock);
	return NULL;
}

struct emu_clock *emu_clock_new(struct vmd_error *err)
{
	struct emu_clock *clock = calloc(1, sizeof(*clock));
	if (!clock) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot make the virtual clock");
		return NULL;
	}
	atomic_init(&clock->state, 1);
	pthread_mutex_init(&clock->lock, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&clock->wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&clock->idle, NULL);

	int rc = pthread_create(&clock->thread, NULL, clock_thread, clock);
	if (rc) {
		vmd_error_set(err, VMD_ERR_GENERIC, rc, "Cannot start the virtual clock's thread");
		pthread_cond_destroy(&clock->idle);
		pthread_cond_destroy(&clock->wake);
		pthread_mutex_destroy(&clock->lock);
		free(clock);
		return NULL;
	}
	return clock;
}

void emu_clock_free(struct emu_clock *clock)
{
	if (!clock)
		return;
	assert(clock->n_timers == 0);
	pthread_mutex_lock(&clock->lock);
	clock->quit = true;
	pthread_cond_signal(&clock->wake);
	pthread_mutex_unlock(&clock->lock);
	pthread_join(clock->thread, NULL);
	pthread_cond_destroy(&clock->idle);
	pthread_cond_destroy(&clock->wake);
	pthread_mutex_destroy(&clock->lock);
	free(clock->heap);
	free(clock);
}

void emu_clock_pause(struct emu_clock *clock)
{
	pthread_mutex_lock(&clock->lock);
	uint64_t state = atomic_load_explicit(&clock->state, memory_order_relaxed);
	if (!(state & 1))
		atomic_store_explicit(&clock->state, virtual_time(state) << 1 | 1, memory_order_release);
	pthread_cond_signal(&clock->wake);
	pthread_mutex_unlock(&clock->lock);
}

void emu_clock_resume(struct emu_clock *clock)
{
	pthread_mutex_lock(&clock->lock);
	uint64_t state = atomic_load_explicit(&clock->state, memory_order_relaxed);
	if (state & 1)
		atomic_store_explicit(&clock->state, ((state >> 1) - host_now()) << 1, memory_order_release);
	pthread_cond_signal(&clock->wake);
	pthread_mutex_unlock(&clock->lock);
}

/* ---- Timers ---- */

struct emu_timer *emu_timer_new(struct emu_clock *clock, emu_timer_fn *fn, void *opaque, struct vmd_error *err)
{
	struct emu_timer *timer = calloc(1, sizeof(*timer));
	bool ok = timer != NULL;

	pthread_mutex_lock(&clock->lock);
	if (ok && clock->n_timers == clock->capacity) {
		size_t capacity = clock->capacity ? 2 * clock->capacity : 16;
		struct emu_timer **heap = realloc(clock->heap, capacity * sizeof(*heap));
		ok = heap != NULL;
		if (ok) {
			clock->heap = heap;
			clock->capacity = capacity;
		}
	}
	if (ok)
		clock->n_timers++;
	pthread_mutex_unlock(&clock->lock);

	if (!ok) {
		free(timer);
		vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot make a timer");
		return NULL;
	}
	*timer = (struct emu_timer){ .clock = clock, .fn = fn, .opaque = opaque, .slot = NOT_ARMED };
	return timer;
}

void emu_timer_free(struct emu_timer *timer)
{
	if (!timer)
		return;
	struct emu_clock *clock = timer->clock;
	pthread_mutex_lock(&clock->lock);
	if (timer->slot != NOT_ARMED)
		heap_remove(clock, timer);
	/* A function that frees its own timer cannot wait for itself. */
	while (clock->running == timer && !pthread_equal(pthread_self(), clock->thread))
		pthread_cond_wait(&clock->idle, &clock->lock);
	clock->n_timers--;
	pthread_mutex_unlock(&clock->lock);
	free(timer);
}

void emu_timer_arm(struct emu_timer *timer, uint64_t deadline)
{
	struct emu_clock *clock = timer->clock;
	pthread_mutex_lock(&clock->lock);
	timer->deadline = deadline;
	heap_sift(clock, timer->slot == NOT_ARMED ? clock->n_armed++ : timer->slot, timer);
	bool wake = deadline < clock->until;
	if (wake)
		clock->until = deadline;
	pthread_mutex_unlock(&clock->lock);
	if (wake)
		pthread_cond_signal(&clock->wake);
}

void emu_timer_cancel(struct emu_timer *timer)
{
	struct emu_clock *clock = timer->clock;
	pthread_mutex_lock(&clock->lock);
	if (timer->slot != NOT_ARMED)
		heap_remove(clock, timer);
	pthread_mutex_unlock(&clock->lock);
}
