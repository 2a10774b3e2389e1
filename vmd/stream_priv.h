/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connected stream socket on a libuv loop, with descriptors passed along with
 * the bytes (SCM_RIGHTS), for sessions that know no sockets.
 *
 * Life: new -> ... -> stream_close (by us) or the peer hangs up and `closed` is
 * called. Thread: the loop's.
 */
#ifndef VMD_STREAM_PRIV_H
#define VMD_STREAM_PRIV_H

#include "protocol/error.h"

#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

struct stream;

struct stream_events {
	/* A descriptor that comes with the bytes read next; now the callee's. */
	void (*fd)(void *opaque, int fd);
	void (*data)(void *opaque, const char *data, size_t len);
	/* The peer will send no more. */
	void (*eof)(void *opaque);
	/* So many bytes have left. */
	void (*sent)(void *opaque, size_t n);
	/* The stream has ended; last call, after which it is freed. */
	void (*closed)(void *opaque);
	void *opaque;
};

/* Takes the connected socket, on failure too; begins to read. */
struct stream *stream_new(uv_loop_t *loop, int fd, const struct stream_events *events, struct vmd_error *err);
/* Sends malloc'ed data, which it takes. */
void stream_send(struct stream *stream, char *data, size_t len);
void stream_set_reading(struct stream *stream, bool on);
/* Ends the stream, after what is queued was sent unless `abort`. `closed`
 * follows from the loop; `data`, `fd` and `eof` are not called any more. */
void stream_close(struct stream *stream, bool abort);

/* Who is at the other end (SO_PEERCRED). */
bool stream_peer(int fd, pid_t *ret_pid, uid_t *ret_uid, gid_t *ret_gid);

#endif
