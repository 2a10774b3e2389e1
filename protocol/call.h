/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A call: one command that a client has sent and that is owed one reply.
 *
 * A handler gets the call and its checked arguments. It replies now or later,
 * exactly once, with proto_reply_NAME() (protocol/schema_gen.h) or proto_fail();
 * either ends the call and its arguments. When the client has gone the call goes
 * on living: the reply is dropped, and a cancel function, if set, is told.
 *
 * Thread: the one that feeds the session.
 */
#ifndef PROTOCOL_CALL_H
#define PROTOCOL_CALL_H

#include "protocol/schema_gen.h"

#include <sys/types.h>

/* Who is at the other end, from SO_PEERCRED. */
struct proto_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	enum proto_privilege privilege;
};

/* What a server serves; used by JSON-RPC and QMP sessions alike. */
struct proto_service {
	const struct proto_set *set;
	const void *handlers; /* the set's struct of handlers */
	/* Asked before a handler, after arguments and privilege are checked. May be NULL. */
	bool (*allow)(struct proto_call *call, const struct proto_command *cmd, struct vmd_error *err);
	void *opaque;
};

const struct proto_command *proto_call_command(const struct proto_call *call);
void *proto_call_opaque(const struct proto_call *call); /* the service's */
const struct proto_peer *proto_call_peer(const struct proto_call *call);
/* The session (struct proto_rpc_session or proto_qmp_session) it came by; NULL
 * when the client has gone. */
void *proto_call_session(const struct proto_call *call);

/* Has fn called, once and before the session is gone, if the client goes away
 * before the reply. The call is still owed a reply (which goes nowhere). */
void proto_call_on_cancel(struct proto_call *call, void (*fn)(struct proto_call *call, void *opaque), void *opaque);
/* A pointer of the handler's own. */
void proto_call_set_data(struct proto_call *call, void *data);
void *proto_call_data(const struct proto_call *call);

/* Replies and ends the call. Takes the reference; NULL is the empty result. */
void proto_reply(struct proto_call *call, json_t *result_new);
/* Fails the call with a copy of *err and ends it. */
void proto_fail(struct proto_call *call, const struct vmd_error *err);

#endif
