/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors watched by the loop, and byte streams over them.
 *
 * Watching is level-triggered and epoll reports a hang-up whether asked for or
 * not, so a descriptor that nobody wants anything from is taken out of the loop
 * altogether. I/O thread.
 */
#include "backends/chardev_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_CHUNK 4096

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct chardev_fd *io = poll->data;

	if (status < 0) {
		/* The loop has stopped watching. What is wrong comes out of the next
		 * read or write. */
		events = io->events;
		io->events = 0;
	}
	io->ready(io, events);
}

struct chardev_fd *chardev_fd_new(struct backends_chardev *chr, int fd, chardev_fd_fn *ready, void *owner,
				  struct vmd_error *err)
{
	struct chardev_fd *io = calloc(1, sizeof(*io));
	int flags, res;

	if (!io) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "chardev '%s': no memory for a connection", chr->id);
		goto fail;
	}
	io->chr = chr;
	io->owner = owner;
	io->ready = ready;
	io->fd = fd;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		vmd_error_set(err, VMD_ERR_IO, errno, "chardev '%s': descriptor %d is not usable", chr->id, fd);
		goto fail;
	}
	res = uv_poll_init(chr->loop, &io->poll, fd);
	if (res < 0) {
		vmd_error_set(err, VMD_ERR_IO, -res, "chardev '%s': descriptor %d cannot be waited for", chr->id, fd);
		goto fail;
	}
	io->poll.data = io;
	chardev_hold(chr);
	return io;
fail:
	free(io);
	close(fd);
	return NULL;
}

void chardev_fd_watch(struct chardev_fd *io, int events)
{
	if (events == io->events)
		return;
	io->events = events;
	if (!events)
		uv_poll_stop(&io->poll);
	else if (uv_poll_start(&io->poll, events, on_poll) < 0)
		assert(!"uv_poll_start fails only for a handle that closes");
}

static void on_fd_closed(uv_handle_t *handle)
{
	struct chardev_fd *io = handle->data;

	chardev_release(io->chr);
	free(io);
}

void chardev_fd_close(struct chardev_fd *io)
{
	if (!io)
		return;
	uv_poll_stop(&io->poll);
	uv_close((uv_handle_t *)&io->poll, on_fd_closed);
	/* Safe at once: the loop has forgotten the descriptor. */
	close(io->fd);
	io->fd = -1;
}

/* ---- Byte streams ---- */

static void rewatch(struct chardev_stream *s)
{
	int in = 0, out = s->blocked ? UV_WRITABLE : 0;

	if (s->input_wanted)
		in = UV_READABLE;
	else if (!s->hung_up)
		in = UV_DISCONNECT;
	if (s->in && s->in == s->out) {
		chardev_fd_watch(s->in, in | out);
		return;
	}
	if (s->in)
		chardev_fd_watch(s->in, in);
	if (s->out)
		chardev_fd_watch(s->out, out);
}

/* False: the stream has ended and may be gone. */
static bool read_some(struct chardev_stream *s)
{
	uint8_t buf[READ_CHUNK];
	size_t room = chardev_can_receive(s->chr);
	ssize_t n;

	if (room == 0) {
		s->input_wanted = false;
		return true;
	}
	n = read(s->in->fd, buf, room < sizeof(buf) ? room : sizeof(buf));
	if (n > 0) {
		chardev_receive(s->chr, buf, (size_t)n);
		s->input_wanted = chardev_can_receive(s->chr) > 0;
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	s->end(s->chr);
	return false;
}

static void stream_ready(struct chardev_fd *io, int events)
{
	struct chardev_stream *s = io->owner;

	if (events & UV_WRITABLE) {
		s->blocked = false;
		chardev_wake(s->chr);
	}
	if (io == s->in && (events & UV_DISCONNECT))
		s->hung_up = true;
	if (io == s->in && (events & UV_READABLE) && !read_some(s))
		return;
	if (chardev_stream_is_open(s))
		rewatch(s);
}

bool chardev_stream_init(struct chardev_stream *s, struct backends_chardev *chr, int in_fd, int out_fd,
			 void (*end)(struct backends_chardev *chr), struct vmd_error *err)
{
	*s = (struct chardev_stream){.chr = chr, .end = end};
	if (in_fd >= 0) {
		s->in = chardev_fd_new(chr, in_fd, stream_ready, s, err);
		if (!s->in) {
			if (out_fd >= 0 && out_fd != in_fd)
				close(out_fd);
			return false;
		}
	}
	if (out_fd == in_fd)
		s->out = s->in;
	else if (out_fd >= 0 && !(s->out = chardev_fd_new(chr, out_fd, stream_ready, s, err))) {
		chardev_stream_close(s);
		return false;
	}
	rewatch(s);
	return true;
}

void chardev_stream_close(struct chardev_stream *s)
{
	if (s->out != s->in)
		chardev_fd_close(s->out);
	chardev_fd_close(s->in);
	s->in = s->out = NULL;
}

size_t chardev_stream_output(struct chardev_stream *s, const uint8_t *buf, size_t len)
{
	if (!s->out)
		return len;
	if (s->blocked)
		return 0;
	for (;;) {
		ssize_t n = send(s->out->fd, buf, len, MSG_NOSIGNAL);

		if (n < 0 && errno == ENOTSOCK)
			n = write(s->out->fd, buf, len);
		if (n == (ssize_t)len)
			return len;
		if (n >= 0 || errno == EAGAIN) {
			s->blocked = true;
			rewatch(s);
			return n > 0 ? (size_t)n : 0;
		}
		if (errno != EINTR) {
			s->end(s->chr);
			return len;
		}
	}
}

void chardev_stream_input(struct chardev_stream *s, bool wanted)
{
	if (!s->in)
		return;
	s->input_wanted = wanted;
	rewatch(s);
}
