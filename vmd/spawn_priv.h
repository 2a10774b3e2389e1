/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine processes, as the broker handles them: making one, telling it what to
 * be, knowing when it has ended and how, and finding it again later.
 *
 * Thread: the broker's loop.
 */
#ifndef VMD_SPAWN_PRIV_H
#define VMD_SPAWN_PRIV_H

#include "protocol/schema_gen.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

enum {
	SPAWN_CHANNEL_FD = 3,        /* where a machine process finds its channel */
	SPAWN_FDS_MAX = 128,         /* descriptors in a launch message */
	SPAWN_REPLY_MAX = 64 * 1024, /* bytes in the answer to it */
	SPAWN_RECORD_MAX = 16 * 1024, /* bytes in an exit record */
};

/* ---- A process ---- */

struct spawn_process {
	pid_t pid;
	int pidfd;      /* owned */
	uint64_t start; /* clock ticks since boot, /proc/PID/stat field 22: tells two users of a pid apart */
	bool child;     /* ours to wait for */
};

/* Starts `program --role machine` for machine `name` in a session of its own:
 * standard input is /dev/null, output and error are `log`, descriptor 3 is
 * `channel`, nothing else is open. The descriptors stay the caller's. */
bool spawn_process_start(const char *program, const char *name, int channel, int log, struct spawn_process *ret,
			 struct vmd_error *err);

/* The process's identity as text for pid.json, and back: false with NOT_FOUND
 * when that process has gone (also when another one has its pid by now). */
json_t *spawn_process_identity(const struct spawn_process *process);
bool spawn_process_find(const json_t *identity, struct spawn_process *ret, struct vmd_error *err);

bool spawn_process_kill(const struct spawn_process *process, int signo, struct vmd_error *err);
/* Waits for a child that has been killed and is not watched. */
void spawn_process_reap(const struct spawn_process *process);
/* Closes the pidfd; the process goes on. */
void spawn_process_fini(struct spawn_process *process);

/* ---- Its end ---- */

enum spawn_end_kind {
	SPAWN_END_UNKNOWN, /* it has gone; nobody could tell how */
	SPAWN_END_EXITED,  /* `status` is the exit status */
	SPAWN_END_SIGNAL,  /* `status` is the signal */
};

struct spawn_end {
	enum spawn_end_kind kind;
	int status;
	bool core; /* dumped core */
};

/* "exited with status 1", "was killed by SIGSEGV (core dumped)". */
void spawn_end_text(const struct spawn_end *end, char *buf, size_t size);

struct spawn_watch;
typedef void spawn_watch_fn(void *opaque, const struct spawn_end *end);

/* Calls fn once, when the process has ended. `process` outlives the watch. */
struct spawn_watch *spawn_watch_new(uv_loop_t *loop, const struct spawn_process *process, spawn_watch_fn *fn,
				    void *opaque, struct vmd_error *err);
/* Afterwards fn is not called. NULL is allowed. */
void spawn_watch_free(struct spawn_watch *watch);

/* Reads the exit record (ARCHITECTURE.md, "Broker and machine process") through
 * its descriptor; false when there is none or it is not whole. The result is to
 * be freed with proto_exit_record_fini. */
bool spawn_record_read(int fd, struct proto_exit_record *ret);

/* ---- The launch ---- */

struct spawn_launch;
/* `err` is NULL when the machine process says that it is ready. */
typedef void spawn_launch_fn(void *opaque, const struct vmd_error *err);

/* Sends the launch message with its descriptors and waits for the answer, for
 * `timeout_ms` at most. Takes `channel` and `fds` at once, also on failure; they
 * are closed as soon as they are not needed. fn is called once, from the loop. */
struct spawn_launch *spawn_launch_new(uv_loop_t *loop, int channel, const json_t *message, const int *fds, size_t n_fds,
				      unsigned timeout_ms, spawn_launch_fn *fn, void *opaque, struct vmd_error *err);
/* Afterwards fn is not called. NULL is allowed. */
void spawn_launch_free(struct spawn_launch *launch);

#endif
