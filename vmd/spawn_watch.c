/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Knowing when a machine process has ended, and how.
 *
 * A pidfd becomes readable when its process ends. A child of ours tells its
 * status to waitid; for a process found again after a restart of the broker the
 * kernel tells it through PIDFD_GET_INFO (Linux 6.15), once its new parent has
 * waited for it, so that is asked for a few times. What the machine itself had
 * to say is in the exit record.
 *
 * Thread: the broker's loop.
 */
#include "vmd/spawn_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* linux/pidfd.h's struct pidfd_info in its first version. */
struct info {
	uint64_t mask, cgroup;
	uint32_t pid, tgid, ppid, ids[8];
	int32_t exit_code;
};

enum { INFO_EXIT = 1 << 3, ASK_TRIES = 10, ASK_MS = 20 };
#define INFO_GET _IOWR(0xff, 11, struct info)

struct spawn_watch {
	uv_poll_t poll;
	uv_timer_t ask;
	const struct spawn_process *process;
	spawn_watch_fn *fn;
	void *opaque;
	unsigned tries;
	unsigned open; /* handles not closed yet */
	bool done;
};

static void from_wait_status(int status, struct spawn_end *ret)
{
	if (WIFSIGNALED(status))
		*ret = (struct spawn_end){ .kind = SPAWN_END_SIGNAL, .status = WTERMSIG(status), .core = WCOREDUMP(status) };
	else
		*ret = (struct spawn_end){ .kind = SPAWN_END_EXITED, .status = WEXITSTATUS(status) };
}

/* False: not known yet, ask again. */
static bool ask(const struct spawn_watch *w, struct spawn_end *ret)
{
	if (w->process->child) {
		siginfo_t si = { .si_pid = 0 };
		if (waitid(P_PIDFD, (id_t)w->process->pidfd, &si, WEXITED | WNOHANG) < 0)
			return errno != EINTR;
		if (!si.si_pid)
			return false;
		if (si.si_code == CLD_EXITED)
			*ret = (struct spawn_end){ .kind = SPAWN_END_EXITED, .status = si.si_status };
		else
			*ret = (struct spawn_end){ .kind = SPAWN_END_SIGNAL, .status = si.si_status,
						   .core = si.si_code == CLD_DUMPED };
		return true;
	}
	struct info info = { .mask = INFO_EXIT };
	if (ioctl(w->process->pidfd, INFO_GET, &info) < 0)
		return errno != ESRCH && errno != EINTR; /* an older kernel never tells */
	if (!(info.mask & INFO_EXIT))
		return false;
	from_wait_status(info.exit_code, ret);
	return true;
}

static void try_to_finish(struct spawn_watch *w)
{
	struct spawn_end end = { .kind = SPAWN_END_UNKNOWN };
	if (!ask(w, &end) && ++w->tries < ASK_TRIES)
		return;
	uv_timer_stop(&w->ask);
	w->done = true;
	w->fn(w->opaque, &end); /* may free w */
}

static void on_ask(uv_timer_t *timer)
{
	try_to_finish(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct spawn_watch *w = poll->data;
	uv_poll_stop(poll);
	uv_timer_start(&w->ask, on_ask, ASK_MS, ASK_MS);
	try_to_finish(w);
}

struct spawn_watch *spawn_watch_new(uv_loop_t *loop, const struct spawn_process *process, spawn_watch_fn *fn,
				    void *opaque, struct vmd_error *err)
{
	struct spawn_watch *w = calloc(1, sizeof(*w));
	if (!w) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "cannot watch process %d: out of memory", (int)process->pid);
		return NULL;
	}
	w->process = process;
	w->fn = fn;
	w->opaque = opaque;
	int rc = uv_poll_init(loop, &w->poll, process->pidfd);
	if (rc) {
		vmd_error_set(err, VMD_ERR_IO, -rc, "cannot watch process %d", (int)process->pid);
		free(w);
		return NULL;
	}
	uv_timer_init(loop, &w->ask);
	w->open = 2;
	w->poll.data = w->ask.data = w;
	rc = uv_poll_start(&w->poll, UV_READABLE, on_readable);
	if (rc) {
		vmd_error_set(err, VMD_ERR_IO, -rc, "cannot watch process %d", (int)process->pid);
		spawn_watch_free(w);
		return NULL;
	}
	return w;
}

static void on_closed(uv_handle_t *handle)
{
	struct spawn_watch *w = handle->data;
	if (--w->open == 0)
		free(w);
}

void spawn_watch_free(struct spawn_watch *w)
{
	if (!w)
		return;
	uv_close((uv_handle_t *)&w->poll, on_closed);
	uv_close((uv_handle_t *)&w->ask, on_closed);
}

void spawn_end_text(const struct spawn_end *end, char *buf, size_t size)
{
	const char *name;
	switch (end->kind) {
	case SPAWN_END_EXITED:
		snprintf(buf, size, "exited with status %d", end->status);
		break;
	case SPAWN_END_SIGNAL:
		name = sigabbrev_np(end->status);
		if (name)
			snprintf(buf, size, "was killed by SIG%s%s", name, end->core ? " (core dumped)" : "");
		else
			snprintf(buf, size, "was killed by signal %d%s", end->status, end->core ? " (core dumped)" : "");
		break;
	case SPAWN_END_UNKNOWN:
		snprintf(buf, size, "ended without a record");
		break;
	}
}

bool spawn_record_read(int fd, struct proto_exit_record *ret)
{
	char *text = malloc(SPAWN_RECORD_MAX);
	if (!text)
		return false;
	ssize_t n;
	do
		n = pread(fd, text, SPAWN_RECORD_MAX, 0);
	while (n < 0 && errno == EINTR);
	json_t *json = n > 0 && n < SPAWN_RECORD_MAX ? json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL) : NULL;
	free(text);
	bool ok = json && proto_exit_record_parse(json, NULL, ret, NULL);
	json_decref(json);
	return ok;
}
