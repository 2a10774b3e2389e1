/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The launch conversation over the channel (ARCHITECTURE.md, "Broker and machine
 * process"): one message there with its descriptors, one message back.
 *
 * Neither side may hold the other up: both directions are non-blocking, the whole
 * has a deadline, and the answer has a limit.
 *
 * Thread: the broker's loop.
 */
#include "vmd/spawn_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct spawn_launch {
	uv_poll_t poll;
	uv_timer_t deadline;
	unsigned open; /* handles not closed yet */
	int channel;
	int fds[SPAWN_FDS_MAX];
	size_t n_fds; /* not sent yet */
	char *out;
	size_t out_len, out_done;
	char in[4 + SPAWN_REPLY_MAX];
	size_t in_len;
	unsigned timeout_ms;
	spawn_launch_fn *fn;
	void *opaque;
};

static void close_fds(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

static void finish(struct spawn_launch *l, const struct vmd_error *err)
{
	uv_poll_stop(&l->poll);
	uv_timer_stop(&l->deadline);
	l->fn(l->opaque, err); /* may free l */
}

static void fail(struct spawn_launch *l, enum vmd_error_code code, int os_errno, const char *what)
{
	struct vmd_error err;
	vmd_error_set(&err, code, os_errno, "%s", what);
	finish(l, &err);
}

static void on_deadline(uv_timer_t *timer)
{
	struct spawn_launch *l = timer->data;
	struct vmd_error err;
	vmd_error_set(&err, VMD_ERR_TIMEOUT, 0, "the machine process was not ready after %u seconds",
		      l->timeout_ms / 1000);
	finish(l, &err);
}

/* True while the conversation goes on. */
static bool do_send(struct spawn_launch *l)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * SPAWN_FDS_MAX)];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct iovec iov = { .iov_base = l->out + l->out_done, .iov_len = l->out_len - l->out_done };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (l->n_fds) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * l->n_fds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * l->n_fds);
		memcpy(CMSG_DATA(c), l->fds, sizeof(int) * l->n_fds);
	}
	ssize_t n = sendmsg(l->channel, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
		/* It has gone; an answer that it left behind says more. */
		l->out_done = l->out_len;
		return true;
	}
	if (n < 0) {
		fail(l, VMD_ERR_IO, errno, "cannot send the machine's definition to its process");
		return false;
	}
	close_fds(l->fds, l->n_fds);
	l->n_fds = 0;
	l->out_done += (size_t)n;
	return true;
}

/* The answer is whole. */
static void on_answer(struct spawn_launch *l, const char *text, size_t len)
{
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	int ready = 0;
	const char *class = NULL, *message = NULL, *hint = "";
	struct vmd_error err;
	if (json && json_unpack(json, "{s:b}", "ready", &ready) == 0 && ready) {
		json_decref(json);
		finish(l, NULL);
		return;
	}
	if (json && json_unpack(json, "{s:{s:s, s:s, s?s}}", "error", "class", &class, "message", &message, "hint", &hint) == 0) {
		vmd_error_set(&err, vmd_error_code_of(class), 0, "%s", message);
		vmd_error_hint(&err, "%s", hint);
	} else {
		vmd_error_set(&err, VMD_ERR_GENERIC, 0, "the machine process gave an answer that is not one");
	}
	json_decref(json);
	finish(l, &err);
}

static void do_receive(struct spawn_launch *l)
{
	ssize_t n = recv(l->channel, l->in + l->in_len, sizeof(l->in) - l->in_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fail(l, VMD_ERR_UNREACHABLE, 0, "the machine process ended before it was ready");
		return;
	}
	l->in_len += (size_t)n;
	if (l->in_len < 4)
		return;
	uint32_t len;
	memcpy(&len, l->in, 4);
	len = ntohl(len);
	if (len > SPAWN_REPLY_MAX)
		fail(l, VMD_ERR_LIMIT, 0, "the machine process gave an answer that is too long");
	else if (l->in_len >= 4 + len)
		on_answer(l, l->in + 4, len);
}

static void on_io(uv_poll_t *poll, int status, int events)
{
	struct spawn_launch *l = poll->data;
	if (status < 0)
		events = UV_READABLE; /* let the system call tell */
	if ((events & UV_WRITABLE) && l->out_done < l->out_len) {
		if (!do_send(l))
			return;
		if (l->out_done == l->out_len)
			uv_poll_start(&l->poll, UV_READABLE, on_io);
	}
	if (events & UV_READABLE)
		do_receive(l);
}

static bool encode(struct spawn_launch *l, const json_t *message, struct vmd_error *err)
{
	size_t len = json_dumpb(message, NULL, 0, JSON_COMPACT);
	if (!len)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "cannot encode the launch message");
	l->out = malloc(4 + len);
	if (!l->out)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "cannot encode the launch message: out of memory");
	uint32_t be = htonl((uint32_t)len);
	memcpy(l->out, &be, 4);
	json_dumpb(message, l->out + 4, len, JSON_COMPACT);
	l->out_len = 4 + len;
	return true;
}

static void destroy(struct spawn_launch *l)
{
	close_fds(l->fds, l->n_fds);
	if (l->channel >= 0)
		close(l->channel);
	free(l->out);
	free(l);
}

struct spawn_launch *spawn_launch_new(uv_loop_t *loop, int channel, const json_t *message, const int *fds, size_t n_fds,
				      unsigned timeout_ms, spawn_launch_fn *fn, void *opaque, struct vmd_error *err)
{
	struct spawn_launch *l = n_fds <= SPAWN_FDS_MAX ? calloc(1, sizeof(*l)) : NULL;
	if (!l) {
		if (n_fds > SPAWN_FDS_MAX)
			vmd_error_set(err, VMD_ERR_LIMIT, 0, "the machine needs more than %d descriptors", SPAWN_FDS_MAX);
		else
			vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "cannot launch the machine: out of memory");
		close_fds(fds, n_fds);
		close(channel);
		return NULL;
	}
	l->channel = channel;
	if (n_fds)
		memcpy(l->fds, fds, n_fds * sizeof(*fds));
	l->n_fds = n_fds;
	l->fn = fn;
	l->opaque = opaque;
	l->timeout_ms = timeout_ms;
	if (!encode(l, message, err))
		goto fail;
	int rc = uv_poll_init_socket(loop, &l->poll, channel);
	if (rc) {
		vmd_error_set(err, VMD_ERR_IO, -rc, "cannot watch the channel to the machine process");
		goto fail;
	}
	uv_timer_init(loop, &l->deadline);
	l->poll.data = l->deadline.data = l;
	l->open = 2;
	uv_timer_start(&l->deadline, on_deadline, timeout_ms, 0);
	rc = uv_poll_start(&l->poll, UV_READABLE | UV_WRITABLE, on_io);
	if (rc) {
		vmd_error_set(err, VMD_ERR_IO, -rc, "cannot watch the channel to the machine process");
		spawn_launch_free(l);
		return NULL;
	}
	return l;
fail:
	destroy(l);
	return NULL;
}

static void on_closed(uv_handle_t *handle)
{
	struct spawn_launch *l = handle->data;
	if (--l->open == 0)
		destroy(l);
}

void spawn_launch_free(struct spawn_launch *l)
{
	if (!l)
		return;
	uv_close((uv_handle_t *)&l->poll, on_closed);
	uv_close((uv_handle_t *)&l->deadline, on_closed);
}
