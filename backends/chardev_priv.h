/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the hub (chardev.c), the console server (console.c) and the kinds of
 * backends (chardev_KIND.c). Everything runs on the I/O thread.
 *
 *   vCPU: backends_chardev_write --> ring --+--> kind's output()   holds back
 *                                           +--> console writer    holds back while it reads
 *                                           +--> console readers   get gaps
 *
 * Positions in the output are counted in bytes since the chardev was made; the
 * ring holds the last `ring_size` of them. The guest may write until it is
 * `ring_size` ahead of `hold`, the slowest of those that hold it back.
 */
#ifndef BACKENDS_CHARDEV_PRIV_H
#define BACKENDS_CHARDEV_PRIV_H

#include "backends/chardev_backend.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

struct chardev_console;

/* The machine process's side of a kind. */
struct chardev_ops {
	size_t size;      /* of chr->state */
	bool starts_open; /* the other side is always there */
	/* Takes the descriptors, on failure too, after which close() is called.
	 * NULL: there are none to take. */
	bool (*init)(struct backends_chardev *chr, const struct backends_chardev_config *config, const int fds[2],
		     struct vmd_error *err);
	/* Output: how many bytes were taken. When not all were, chardev_wake()
	 * follows as soon as it is worth trying again. NULL: nobody listens. */
	size_t (*output)(struct backends_chardev *chr, const uint8_t *buf, size_t len);
	/* Whether all that output() took has left the process. NULL: it has. */
	bool (*drained)(struct backends_chardev *chr);
	/* The frontend takes input now, or does not. May be NULL. */
	void (*input)(struct backends_chardev *chr, bool wanted);
	/* Closes all handles and frees what state points to; may be called on a
	 * half-made state. May be NULL. */
	void (*close)(struct backends_chardev *chr);
	/* For query-chardev; NULL: the kind's name. */
	void (*filename)(struct backends_chardev *chr, char *ret_name, size_t size);
};

struct backends_chardev {
	char *id;
	const struct backends_chardev_class *cls;
	void *state; /* the kind's own */
	uv_loop_t *loop;
	struct backends_chardev_host host;

	pthread_mutex_t lock; /* a leaf: taken under device locks */
	/* Under the lock: */
	uint8_t *ring;
	size_t ring_size;     /* a power of two */
	uint64_t total;       /* bytes written so far */
	uint64_t hold;
	bool want_writable;   /* a write was short */
	bool passive;         /* nobody listens: writing wakes nobody */

	atomic_bool fe_open;
	atomic_bool awake;    /* `async` was sent and has not run */

	/* The I/O thread's: */
	struct backends_chardev_fe fe;
	bool fe_attached;
	bool fe_told_open;    /* the last event the frontend got */
	bool backend_open;
	uint64_t backend_pos; /* what output() has taken */
	bool pumping;
	bool closing;
	bool finished;        /* handles are being closed */
	uv_async_t async;
	uv_timer_t deadline;  /* of closing */
	unsigned handles;     /* handles and requests that still refer to us */
	struct chardev_console *console;
};

extern const struct backends_chardev_class chardev_null_class, chardev_stdio_class, chardev_pty_class,
	chardev_socket_class, chardev_file_class, chardev_pipe_class, chardev_ringbuf_class, chardev_testdev_class;

/* ---- The hub ---- */

/* Runs output, input and closing again, soon. [any thread] */
void chardev_wake(struct backends_chardev *chr);
/* The backend's other side came or went. */
void chardev_set_backend_open(struct backends_chardev *chr, bool open);
/* How much input the frontend takes now; 0 when there is none. */
size_t chardev_can_receive(struct backends_chardev *chr);
void chardev_receive(struct backends_chardev *chr, const uint8_t *buf, size_t len);
void chardev_break(struct backends_chardev *chr);
/* Copies output from *pos (moved up if that is too old) up to `len` bytes, and
 * moves *pos behind it. *ret_lost, if not NULL: bytes that were skipped. */
size_t chardev_peek(struct backends_chardev *chr, uint64_t *pos, void *buf, size_t len, uint64_t *ret_lost);
uint64_t chardev_total(struct backends_chardev *chr);
void chardev_trouble(struct backends_chardev *chr, const struct vmd_error *err);

/* A handle or request that keeps the chardev's memory; begun and ended. */
void chardev_hold(struct backends_chardev *chr);
void chardev_release(struct backends_chardev *chr);
/* uv_close() for a handle that was counted by chardev_hold and that is part of
 * chr or of its state. Harmless when it closes already. */
void chardev_close_handle(struct backends_chardev *chr, uv_handle_t *handle);

/* ---- Descriptors in the loop ---- */

struct chardev_fd;
/* `events` are UV_READABLE, UV_WRITABLE, UV_DISCONNECT; on an error of the
 * descriptor all that are watched. */
typedef void chardev_fd_fn(struct chardev_fd *io, int events);

struct chardev_fd {
	uv_poll_t poll;
	struct backends_chardev *chr;
	void *owner;
	chardev_fd_fn *ready;
	int fd;
	int events; /* watched */
};

/* Takes the descriptor (on failure, too) and makes it non-blocking. */
struct chardev_fd *chardev_fd_new(struct backends_chardev *chr, int fd, chardev_fd_fn *ready, void *owner,
				  struct vmd_error *err);
void chardev_fd_watch(struct chardev_fd *io, int events);
/* Gives the descriptor and the memory back; NULL is allowed. */
void chardev_fd_close(struct chardev_fd *io);

/* ---- Byte streams: terminals, sockets, pipes ---- */

struct chardev_stream {
	struct chardev_fd *in, *out; /* may be the same one, or NULL */
	struct backends_chardev *chr;
	bool input_wanted;
	bool blocked; /* a write was short */
	bool hung_up; /* seen UV_DISCONNECT: what is left can be read */
	/* The other side is gone: the owner closes the stream or lives with it. */
	void (*end)(struct backends_chardev *chr);
};

/* Takes the descriptors (on failure, too): two, one for both, or -1. */
bool chardev_stream_init(struct chardev_stream *stream, struct backends_chardev *chr, int in_fd, int out_fd,
			 void (*end)(struct backends_chardev *chr), struct vmd_error *err);
void chardev_stream_close(struct chardev_stream *stream);
static inline bool chardev_stream_is_open(const struct chardev_stream *stream)
{
	return stream->in || stream->out;
}
size_t chardev_stream_output(struct chardev_stream *stream, const uint8_t *buf, size_t len);
void chardev_stream_input(struct chardev_stream *stream, bool wanted);

/* ---- The console server ---- */

struct chardev_console *chardev_console_new(struct backends_chardev *chr, int listen_fd, struct vmd_error *err);
/* Sends what there is to send. */
void chardev_console_output(struct chardev_console *console);
/* The least position the writer holds the guest at; `pos` if it does not. */
uint64_t chardev_console_hold(const struct chardev_console *console, uint64_t pos);
/* Hands on what the writer has sent, as far as the frontend takes it. */
void chardev_console_input(struct chardev_console *console);
/* No more clients; tells those there are once they have all output. */
void chardev_console_end(struct chardev_console *console);
/* After chardev_console_end: everyone has been told. */
bool chardev_console_ended(const struct chardev_console *console);
void chardev_console_close(struct chardev_console *console);
unsigned chardev_console_n_clients(const struct chardev_console *console);
/* False when nobody holds the pen. */
bool chardev_console_writer(const struct chardev_console *console, pid_t *ret_pid, uid_t *ret_uid);

#endif
