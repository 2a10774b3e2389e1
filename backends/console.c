/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console server of a chardev: any number of readers, one writer at a time
 * ("Console protocol" in ARCHITECTURE.md; framing in protocol/console.h).
 *
 * A client has no queue of its own: it has a position in the hub's ring, and one
 * batch of frames on its way out. One that falls behind by more than the ring
 * holds skips what it missed and is told how much that was. The writer is waited
 * for while it makes progress, WRITER_STALL_MS at a time.
 *
 * The order of `clients` is the order of attaching, and so of inheriting the
 * pen. Memory per client: one frame of input (64 KiB) and one batch of output.
 * I/O thread.
 */
#include "backends/chardev_priv.h"

#include "protocol/console.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CLIENTS 32
#define WRITER_STALL_MS 500
#define ACCEPT_RETRY_MS 1000
#define DATA_MAX 16384

#define IN_SIZE (PROTOCOL_CONSOLE_HEADER + PROTOCOL_CONSOLE_MAX_PAYLOAD)
/* One message, then DATA. */
#define OUT_SIZE (2 * PROTOCOL_CONSOLE_HEADER + PROTOCOL_CONSOLE_MAX_JSON + DATA_MAX)

struct client {
	struct client *next;
	struct chardev_console *console;
	struct chardev_fd *io;
	struct protocol_console_holder who; /* from SO_PEERCRED */
	bool welcomed;  /* HELLO was good */
	bool wants_pen; /* attached "rw" and has not sent EOF */
	bool refused;   /* close when `out` is out */
	bool hung_up;   /* sends nothing beyond what can be read now */
	bool deaf;      /* takes no more output */
	bool gone;      /* to be removed by reap() */
	bool told_end;  /* CLOSING has been put into `out` */

	uint64_t pos;   /* output before this has been put into `out` */
	bool lagging;   /* as the writer: not waited for until it has caught up */
	bool blocked;   /* the socket took less than all */
	bool stuck;     /* `in` begins with DATA that the frontend does not take */
	/* Messages due, one of each kind at most. */
	bool lost_due, gained_due;
	struct protocol_console_holder lost_to;

	size_t in_len;
	size_t taken;   /* of the payload of the DATA frame at the start of `in` */
	size_t out_at, out_len;
	uint8_t in[IN_SIZE];
	uint8_t out[OUT_SIZE];
};

struct chardev_console {
	struct backends_chardev *chr;
	struct chardev_fd *listener;
	uv_timer_t stall;  /* the writer makes no progress */
	uv_timer_t retry;  /* accepting failed for want of something */
	struct client *clients;
	struct client *writer; /* one of the clients, or NULL */
	unsigned n_clients;
	bool busy;         /* a walk of the list is under way: nothing is reaped */
	bool ending;
	unsigned handles;  /* the timers still open */
};

/* ---- The pen ---- */

static void give_pen(struct chardev_console *con, struct client *c)
{
	con->writer = c;
	if (c)
		c->lagging = false;
	uv_timer_stop(&con->stall);
	chardev_wake(con->chr); /* the frontend is told of who is there */
}

static void pass_pen(struct chardev_console *con)
{
	struct client *c = con->clients;

	while (c && (!c->wants_pen || c->gone || c->hung_up))
		c = c->next;
	give_pen(con, c);
	if (c)
		c->gained_due = true;
}

/* ---- Clients come and go ---- */

static void leave(struct client *c)
{
	struct chardev_console *con = c->console;

	if (c->gone)
		return;
	c->gone = true;
	chardev_fd_watch(c->io, 0);
	if (con->writer == c)
		pass_pen(con);
	chardev_wake(con->chr);
}

static void reap(struct chardev_console *con)
{
	struct client **at = &con->clients, *c;

	if (con->busy)
		return;
	while ((c = *at)) {
		if (!c->gone) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		con->n_clients--;
		chardev_fd_close(c->io);
		free(c);
	}
}

/* ---- Output to a client ---- */

static void put_notice(struct client *c, const struct protocol_console_notice *notice)
{
	c->out_len += protocol_console_put_notice(c->out + c->out_len, sizeof(c->out) - c->out_len, notice);
}

/* The next batch into an empty `out`. Notices stand where they happened in the
 * output; all together are far shorter than a message may be. */
static void fill(struct client *c)
{
	struct chardev_console *con = c->console;
	uint8_t data[DATA_MAX];
	uint64_t lost;
	size_t n;

	c->out_at = c->out_len = 0;
	if (c->lost_due)
		put_notice(c, &(struct protocol_console_notice){.event = PROTOCOL_CONSOLE_WRITER_LOST,
								.holder = c->lost_to});
	if (c->gained_due)
		put_notice(c, &(struct protocol_console_notice){.event = PROTOCOL_CONSOLE_WRITER_GAINED});
	c->lost_due = c->gained_due = false;

	n = chardev_peek(con->chr, &c->pos, data, sizeof(data), &lost);
	if (lost)
		put_notice(c, &(struct protocol_console_notice){.event = PROTOCOL_CONSOLE_GAP, .bytes = lost});
	if (n) {
		protocol_console_header(c->out + c->out_len, PROTOCOL_CONSOLE_DATA, n);
		memcpy(c->out + c->out_len + PROTOCOL_CONSOLE_HEADER, data, n);
		c->out_len += PROTOCOL_CONSOLE_HEADER + n;
	}
	if (c->out_len == 0 && con->ending && !c->told_end) {
		put_notice(c, &(struct protocol_console_notice){.event = PROTOCOL_CONSOLE_CLOSING});
		c->told_end = true;
	}
}

static void rewatch(struct client *c)
{
	int events = c->blocked ? UV_WRITABLE : 0;

	if (c->gone)
		return;
	if (!c->refused && !c->hung_up)
		events |= c->stuck ? UV_DISCONNECT : UV_READABLE;
	chardev_fd_watch(c->io, events);
}

static void on_stall(uv_timer_t *timer)
{
	struct chardev_console *con = timer->data;

	if (con->writer)
		con->writer->lagging = true;
	chardev_wake(con->chr);
}

/* The writer was sent something, or all there is. */
static void progress(struct client *c)
{
	struct chardev_console *con = c->console;

	if (con->writer != c)
		return;
	if (!c->blocked) {
		c->lagging = false;
		uv_timer_stop(&con->stall);
	} else if (!c->lagging) {
		uv_timer_start(&con->stall, on_stall, WRITER_STALL_MS, 0);
	}
}

static void flush(struct client *c)
{
	if (c->blocked || c->gone || c->deaf)
		return;
	for (;;) {
		ssize_t n;

		if (c->out_at == c->out_len) {
			if (c->refused) {
				leave(c);
				return;
			}
			if (!c->welcomed)
				return;
			fill(c);
			if (c->out_len == 0)
				break;
		}
		n = send(c->io->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
		if (n >= 0) {
			c->out_at += (size_t)n;
			progress(c);
		} else if (errno == EAGAIN) {
			c->blocked = true;
			break;
		} else if (errno != EINTR) {
			/* What it sent before it went may still be wanted. */
			c->deaf = true;
			if (!c->stuck)
				leave(c);
			break;
		}
	}
	progress(c);
	rewatch(c);
}

void chardev_console_output(struct chardev_console *con)
{
	con->busy = true;
	for (struct client *c = con->clients; c; c = c->next)
		flush(c);
	con->busy = false;
	reap(con);
}

uint64_t chardev_console_hold(const struct chardev_console *con, uint64_t pos)
{
	const struct client *w = con->writer;

	return w && w->welcomed && !w->lagging && !w->deaf && w->pos < pos ? w->pos : pos;
}

/* ---- Messages from a client ---- */

static void welcome(struct client *c, const struct protocol_console_welcome *message)
{
	c->out_len += protocol_console_put_welcome(c->out + c->out_len, sizeof(c->out) - c->out_len, message);
}

static void refuse(struct client *c, const struct vmd_error *why)
{
	struct protocol_console_welcome message = {.refused = true, .error = *why};

	c->refused = true;
	welcome(c, &message);
}

static void handle_hello(struct client *c, const struct protocol_console_frame *frame)
{
	struct chardev_console *con = c->console;
	struct backends_chardev *chr = con->chr;
	struct protocol_console_welcome message = {0};
	struct protocol_console_hello hello;
	struct vmd_error why;
	uint64_t total;

	if (!protocol_console_get_hello(frame->payload, frame->len, &hello, &why)) {
		refuse(c, &why);
		return;
	}
	if (hello.rw && con->writer && (hello.steal || con->writer->hung_up)) {
		struct client *old = con->writer;

		old->wants_pen = false;
		old->lost_due = true;
		old->lost_to = c->who;
		if (old->hung_up)
			leave(old);
		give_pen(con, NULL);
	}
	c->wants_pen = hello.rw;
	if (hello.rw && !con->writer)
		give_pen(con, c);

	total = chardev_total(chr);
	message.replay = hello.replay < chr->ring_size ? hello.replay : (uint32_t)chr->ring_size;
	if (message.replay > total)
		message.replay = (uint32_t)total;
	c->pos = total - message.replay;
	snprintf(message.chardev, sizeof(message.chardev), "%s", chr->id);
	message.writer = con->writer == c;
	message.held = con->writer != NULL;
	if (con->writer)
		message.holder = con->writer->who;
	c->gained_due = false;
	c->welcomed = true;
	welcome(c, &message);
}

/* False: the frontend does not take all of it now. */
static bool handle_data(struct client *c, const struct protocol_console_frame *frame)
{
	struct backends_chardev *chr = c->console->chr;

	while (c->console->writer == c && c->taken < frame->len) {
		size_t room = chardev_can_receive(chr), n = frame->len - c->taken;

		if (room == 0)
			return false;
		if (n > room)
			n = room;
		c->taken += n;
		chardev_receive(chr, frame->payload + c->taken - n, n);
	}
	c->taken = 0;
	return true;
}

/* Deals with all frames that are there. */
static void process(struct client *c)
{
	struct protocol_console_frame frame;
	struct vmd_error why;
	size_t at = 0;

	c->stuck = false;
	while (!c->gone && !c->refused && !c->stuck) {
		switch (protocol_console_next(c->in + at, c->in_len - at, &frame, &why)) {
		case PROTOCOL_CONSOLE_MORE:
			goto out;
		case PROTOCOL_CONSOLE_BAD:
			if (c->welcomed)
				leave(c);
			else
				refuse(c, &why);
			goto out;
		case PROTOCOL_CONSOLE_FRAME:
			break;
		}
		if (!c->welcomed && frame.type != PROTOCOL_CONSOLE_HELLO) {
			vmd_error_set(&why, VMD_ERR_INVALID, 0, "a console client must begin with HELLO");
			refuse(c, &why);
			goto out;
		}
		switch (frame.type) {
		case PROTOCOL_CONSOLE_HELLO:
			if (!c->welcomed)
				handle_hello(c, &frame);
			break;
		case PROTOCOL_CONSOLE_DATA:
			c->stuck = !handle_data(c, &frame);
			break;
		case PROTOCOL_CONSOLE_BREAK:
			if (c->console->writer == c)
				chardev_break(c->console->chr);
			break;
		case PROTOCOL_CONSOLE_EOF:
			c->wants_pen = false;
			if (c->console->writer == c)
				pass_pen(c->console);
			break;
		case PROTOCOL_CONSOLE_WELCOME:
		case PROTOCOL_CONSOLE_NOTICE:
			leave(c); /* not a client's to send */
			break;
		}
		if (!c->stuck)
			at += frame.size;
	}
out:
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
}

static void read_more(struct client *c)
{
	ssize_t n = read(c->io->fd, c->in + c->in_len, sizeof(c->in) - c->in_len);

	if (n > 0) {
		c->in_len += (size_t)n;
		process(c);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		leave(c);
	}
}

void chardev_console_input(struct chardev_console *con)
{
	con->busy = true;
	for (struct client *c = con->clients; c; c = c->next) {
		if (c->gone || !c->stuck)
			continue;
		process(c);
		/* One that has hung up is not watched: read on to its end here. */
		while (c->hung_up && !c->stuck && !c->gone)
			read_more(c);
		if (c->deaf && !c->stuck)
			leave(c);
		rewatch(c);
	}
	con->busy = false;
	reap(con);
}

static void client_ready(struct chardev_fd *io, int events)
{
	struct client *c = io->owner;
	struct chardev_console *con = c->console;

	con->busy = true;
	if (events & UV_WRITABLE)
		c->blocked = false;
	if (events & UV_DISCONNECT)
		c->hung_up = true;
	if (events & UV_READABLE)
		read_more(c);
	flush(c);
	rewatch(c);
	con->busy = false;
	reap(con);
	chardev_wake(con->chr);
}

/* ---- Accepting ---- */

static void on_retry(uv_timer_t *timer)
{
	struct chardev_console *con = timer->data;

	if (con->listener)
		chardev_fd_watch(con->listener, UV_READABLE);
}

/* Tells a connection that is one too many, as far as its socket takes it. */
static void turn_away(int fd)
{
	struct protocol_console_welcome message = {.refused = true};
	uint8_t buf[PROTOCOL_CONSOLE_HEADER + PROTOCOL_CONSOLE_MAX_JSON];
	size_t len;

	vmd_error_set(&message.error, VMD_ERR_LIMIT, 0, "the console has %d clients already", MAX_CLIENTS);
	vmd_error_hint(&message.error, "detach one of them first");
	len = protocol_console_put_welcome(buf, sizeof(buf), &message);
	send(fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

/* Makes room at the expense of the oldest that has not said HELLO; false: all have. */
static bool drop_silent(struct chardev_console *con)
{
	struct client *c = con->clients;

	while (c && c->welcomed)
		c = c->next;
	if (!c)
		return false;
	leave(c);
	reap(con);
	return true;
}

static void add_client(struct chardev_console *con, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	struct client *c, **at = &con->clients;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || !(c = calloc(1, sizeof(*c)))) {
		close(fd);
		return;
	}
	c->console = con;
	c->who = (struct protocol_console_holder){.pid = cred.pid, .uid = cred.uid};
	c->io = chardev_fd_new(con->chr, fd, client_ready, c, NULL);
	if (!c->io) {
		free(c);
		return;
	}
	while (*at)
		at = &(*at)->next;
	*at = c;
	con->n_clients++;
	rewatch(c);
	/* From now on output wakes the loop. */
	chardev_wake(con->chr);
}

static void listener_ready(struct chardev_fd *io, int events)
{
	struct chardev_console *con = io->owner;
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;
		/* Out of descriptors or memory: the connection waits in the backlog. */
		chardev_fd_watch(io, 0);
		uv_timer_start(&con->retry, on_retry, ACCEPT_RETRY_MS, 0);
		return;
	}
	if (con->n_clients >= MAX_CLIENTS && !drop_silent(con))
		turn_away(fd);
	else
		add_client(con, fd);
}

/* ---- Life ---- */

struct chardev_console *chardev_console_new(struct backends_chardev *chr, int listen_fd, struct vmd_error *err)
{
	struct chardev_console *con = calloc(1, sizeof(*con));

	if (!con) {
		close(listen_fd);
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "no memory for the console of chardev '%s'", chr->id);
		return NULL;
	}
	con->chr = chr;
	con->listener = chardev_fd_new(chr, listen_fd, listener_ready, con, err);
	if (!con->listener) {
		free(con);
		return NULL;
	}
	uv_timer_init(chr->loop, &con->stall);
	uv_timer_init(chr->loop, &con->retry);
	con->stall.data = con->retry.data = con;
	con->handles = 2;
	chardev_hold(chr);
	chardev_fd_watch(con->listener, UV_READABLE);
	return con;
}

void chardev_console_end(struct chardev_console *con)
{
	con->ending = true;
	chardev_fd_close(con->listener);
	con->listener = NULL;
	for (struct client *c = con->clients; c; c = c->next)
		if (!c->welcomed)
			leave(c);
}

bool chardev_console_ended(const struct chardev_console *con)
{
	for (const struct client *c = con->clients; c; c = c->next)
		if (!c->gone && !c->deaf && (!c->told_end || c->out_at < c->out_len))
			return false;
	return true;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct chardev_console *con = handle->data;
	struct backends_chardev *chr = con->chr;

	if (--con->handles > 0)
		return;
	free(con);
	chardev_release(chr);
}

void chardev_console_close(struct chardev_console *con)
{
	if (!con)
		return;
	chardev_fd_close(con->listener);
	while (con->clients) {
		struct client *c = con->clients;

		con->clients = c->next;
		chardev_fd_close(c->io);
		free(c);
	}
	uv_close((uv_handle_t *)&con->stall, on_timer_closed);
	uv_close((uv_handle_t *)&con->retry, on_timer_closed);
}

unsigned chardev_console_n_clients(const struct chardev_console *con)
{
	return con->n_clients;
}

bool chardev_console_writer(const struct chardev_console *con, pid_t *ret_pid, uid_t *ret_uid)
{
	if (!con->writer)
		return false;
	*ret_pid = con->writer->who.pid;
	*ret_uid = con->writer->who.uid;
	return true;
}
