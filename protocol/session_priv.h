/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What JSON-RPC and QMP sessions have in common: calls in flight, the bound on
 * output, and reading only while there is room for more calls.
 *
 * A session of either kind begins with struct proto_session. `pump` takes one
 * message from the stream and handles it; the session is pumped whenever there
 * may be a message and room for it.
 */
#ifndef PROTOCOL_SESSION_PRIV_H
#define PROTOCOL_SESSION_PRIV_H

#include "protocol/call.h"
#include "protocol/jsonstream.h"

struct proto_session;

struct proto_session_ops {
	/* There is room for another message. */
	bool (*ready)(struct proto_session *session);
	/* Handles a text, or an error of the stream (text is what is wrong). */
	void (*message)(struct proto_session *session, enum proto_stream_next kind, const char *text, size_t len);
	/* Sends a call's reply: a result (borrowed, NULL for none), or an error. The call
	 * is still linked, and is ended afterwards. */
	void (*reply)(struct proto_call *call, json_t *result, const struct vmd_error *err);
	/* Answers a builtin command with proto_reply() or proto_fail(). */
	void (*builtin)(struct proto_call *call, const void *args);
	/* After a call has ended: start what waits for it. */
	void (*ended)(struct proto_session *session);
	/* Nothing is owed to the client any more. */
	bool (*idle)(const struct proto_session *session);
};

struct proto_call {
	struct proto_call *next, **link;
	struct proto_session *session; /* NULL: the client has gone */
	const struct proto_service *service;
	const struct proto_session_ops *ops;
	const struct proto_command *cmd;
	struct proto_peer peer;
	void *args;
	json_t *id;           /* NULL: none */
	char *machine;        /* the machine it is about, or NULL */
	void (*cancel)(struct proto_call *call, void *opaque);
	void *cancel_opaque;
	void *data;           /* the handler's */
	void *batch;          /* JSON-RPC */
	bool holds;           /* JSON-RPC: holds notifications back */
	bool oob;             /* QMP */
};

struct proto_session {
	const struct proto_session_ops *ops;
	const struct proto_service *service;
	struct proto_transport transport;
	struct proto_peer peer;
	struct proto_stream in;
	struct proto_call *calls;
	unsigned n_calls;
	size_t backlog;       /* bytes sent that have not left */
	bool pumping;
	bool stopped;         /* the transport was told to stop reading */
	bool eof;
	bool ended;           /* hung up */
	void *data;
};

void proto_session_init(struct proto_session *session, const struct proto_session_ops *ops, enum proto_stream_mode mode,
			const struct proto_service *service, const struct proto_transport *transport,
			const struct proto_peer *peer);
/* Cancels what is in flight. */
void proto_session_fini(struct proto_session *session);
void proto_session_feed(struct proto_session *session, const char *data, size_t len);
void proto_session_eof(struct proto_session *session);
void proto_session_sent(struct proto_session *session, size_t n);
/* Handles messages while there are any and there is room. */
void proto_session_pump(struct proto_session *session);
/* Takes text (malloc()ed; NULL: memory ran out, which ends the session). */
void proto_session_send(struct proto_session *session, char *text, size_t len);
void proto_session_hang_up(struct proto_session *session, bool abort, const char *reason);

/* The command if the service offers it. */
const struct proto_command *proto_service_find(const struct proto_service *service, const char *name);
bool proto_service_offers(const struct proto_service *service, const struct proto_command *cmd);

/* A linked call; NULL: no memory. Takes a reference of its own to id. */
struct proto_call *proto_call_new(struct proto_session *session, const struct proto_command *cmd, json_t *id);
/* Checks params against the command and invokes its handler. The call may be
 * gone afterwards. */
void proto_call_run(struct proto_call *call, const json_t *params);

#endif
