/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stream sockets by readiness: libuv's own streams pass only descriptors of
 * kinds they know, and getfd takes any. Thread: the loop's.
 */
#include "vmd/stream_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 16384
#define FDS_AT_ONCE 16
#define CHUNKS_AT_ONCE 64
#define CLOSE_TIMEOUT_MS 2000 /* for a peer that does not take what it was sent */

struct chunk {
	struct chunk *next;
	char *data;
	size_t len, done;
};

struct stream {
	uv_poll_t poll;
	uv_timer_t timer; /* armed while closing */
	unsigned open_handles;
	int fd;
	struct stream_events events;
	struct chunk *first, **last;
	bool reading, ended, closing, dead;
};

static void on_ready(uv_poll_t *poll, int status, int ready);

static void handle_closed(uv_handle_t *handle)
{
	struct stream *s = handle->data;
	if (--s->open_handles > 0)
		return;
	close(s->fd);
	while (s->first) {
		struct chunk *c = s->first;
		s->first = c->next;
		free(c->data);
		free(c);
	}
	s->events.closed(s->events.opaque);
	free(s);
}

static void finish(struct stream *s)
{
	if (s->dead)
		return;
	s->dead = true;
	uv_poll_stop(&s->poll);
	uv_close((uv_handle_t *)&s->poll, handle_closed);
	uv_close((uv_handle_t *)&s->timer, handle_closed);
}

static void watch(struct stream *s)
{
	if (s->dead)
		return;
	int events = (s->reading && !s->closing ? UV_READABLE : 0) | (s->first ? UV_WRITABLE : 0);
	/* A peer that sends no more may still read. Asking for urgent data, which these
	 * sockets do not have, is how libuv is made to tell when it has gone altogether. */
	if (s->ended)
		events |= UV_PRIORITIZED;
	if (events)
		uv_poll_start(&s->poll, events, on_ready);
	else
		uv_poll_stop(&s->poll);
}

/* Sends what the socket takes, many chunks at once. False when the peer has gone. */
static bool flush(struct stream *s)
{
	while (s->first) {
		struct iovec iov[CHUNKS_AT_ONCE];
		struct msghdr msg = { .msg_iov = iov };
		size_t want = 0;
		for (struct chunk *c = s->first; c && msg.msg_iovlen < CHUNKS_AT_ONCE; c = c->next, msg.msg_iovlen++) {
			iov[msg.msg_iovlen] = (struct iovec){ .iov_base = c->data + c->done, .iov_len = c->len - c->done };
			want += c->len - c->done;
		}
		ssize_t n = sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		for (size_t left = (size_t)n; left;) {
			struct chunk *c = s->first;
			size_t take = left < c->len - c->done ? left : c->len - c->done;
			c->done += take;
			left -= take;
			if (c->done < c->len)
				break;
			s->first = c->next;
			if (!s->first)
				s->last = &s->first;
			free(c->data);
			free(c);
		}
		/* This may queue more. */
		s->events.sent(s->events.opaque, (size_t)n);
		if ((size_t)n < want)
			return true;
	}
	return true;
}

static void take_fds(struct stream *s, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (s->events.fd && !s->closing)
				s->events.fd(s->events.opaque, fd);
			else
				close(fd);
		}
	}
}

/* One piece of input. False at the end of it or when the peer has gone. */
static bool fill(struct stream *s)
{
	char buf[READ_SIZE];
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * FDS_AT_ONCE)];
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf) };
	ssize_t n = recvmsg(s->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	take_fds(s, &msg);
	if (n > 0 && !s->closing)
		s->events.data(s->events.opaque, buf, (size_t)n);
	return n > 0;
}

static void on_ready(uv_poll_t *poll, int status, int ready)
{
	struct stream *s = poll->data;
	if (status < 0 || (ready & UV_PRIORITIZED) || ((ready & UV_WRITABLE) && !flush(s))) {
		finish(s);
		return;
	}
	if ((ready & UV_READABLE) && s->reading && !s->closing && !fill(s)) {
		s->reading = false;
		s->ended = true;
		if (!s->closing)
			s->events.eof(s->events.opaque);
	}
	if (s->closing && !s->first)
		finish(s);
	else
		watch(s);
}

static void on_close_timeout(uv_timer_t *timer)
{
	finish(timer->data);
}

struct stream *stream_new(uv_loop_t *loop, int fd, const struct stream_events *events, struct vmd_error *err)
{
	struct stream *s = calloc(1, sizeof(*s));
	int rc = s ? uv_poll_init(loop, &s->poll, fd) : UV_ENOMEM;
	if (rc) {
		vmd_error_set(err, VMD_ERR_IO, -rc, "cannot watch a connection");
		free(s);
		close(fd);
		return NULL;
	}
	uv_timer_init(loop, &s->timer);
	s->poll.data = s->timer.data = s;
	s->open_handles = 2;
	s->fd = fd;
	s->events = *events;
	s->last = &s->first;
	s->reading = true;
	watch(s);
	return s;
}

void stream_send(struct stream *s, char *data, size_t len)
{
	struct chunk *c = s->closing || s->dead || len == 0 ? NULL : malloc(sizeof(*c));
	if (!c) {
		free(data);
		return;
	}
	*c = (struct chunk){ .data = data, .len = len };
	*s->last = c;
	s->last = &c->next;
	watch(s);
}

void stream_set_reading(struct stream *s, bool on)
{
	s->reading = on;
	watch(s);
}

void stream_close(struct stream *s, bool abort)
{
	s->closing = true;
	if (abort || !s->first) {
		finish(s);
		return;
	}
	uv_timer_start(&s->timer, on_close_timeout, CLOSE_TIMEOUT_MS, 0);
	watch(s);
}

bool stream_peer(int fd, pid_t *ret_pid, uid_t *ret_uid, gid_t *ret_gid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	*ret_pid = cred.pid;
	*ret_uid = cred.uid;
	*ret_gid = cred.gid;
	return true;
}
