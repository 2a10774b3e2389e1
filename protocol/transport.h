/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a session needs of the connection under it, so that sessions know neither
 * sockets nor event loops. Whoever accepts a connection
 *
 *	makes a session with these functions,
 *	hands it what was read with ..._feed(), in pieces of any size,
 *	says with ..._sent() how many bytes have left (or were dropped),
 *	and frees the session when the connection has ended.
 *
 * Limits, the same for every kind of session: a message of 1 MiB, 64 levels
 * deep. No more requests are taken from a client that has a quarter of 1 MiB of
 * output to read; events it misses (JSON-RPC), or is cut off at 1 MiB (QMP).
 */
#ifndef PROTOCOL_TRANSPORT_H
#define PROTOCOL_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

#define PROTO_MAX_MESSAGE (1u << 20)
#define PROTO_MAX_DEPTH 64
#define PROTO_MAX_BACKLOG (1u << 20)

struct proto_transport {
	/* Sends `data`, which is malloc()ed and now the callee's. Called in order. */
	void (*send)(void *opaque, char *data, size_t len);
	/* Stop reading, or read on: the client has enough requests in flight. */
	void (*set_reading)(void *opaque, bool on);
	/* The session has ended, `reason` says why (for the log; may be NULL). Close
	 * the connection after what was sent, or at once when `abort`. The session
	 * must not be freed before this returns to the loop; no function of the
	 * transport is called any more. */
	void (*hang_up)(void *opaque, bool abort, const char *reason);
	void *opaque;
};

#endif
