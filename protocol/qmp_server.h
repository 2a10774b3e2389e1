/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine's side of QMP, as the protocol's public specification has it
 * (QEMU, docs/interop/qmp-spec.rst), for any number of clients at once.
 *
 * The server holds what all clients share: the commands and the events. Each
 * client is a session that negotiates for itself. The greeting is the first
 * thing sent, alone. Commands of one session are executed one after the other,
 * out-of-band ones (exec-oob, once enabled) at once; with PROTO_QMP_MAX_CALLS
 * commands waiting the session stops reading.
 *
 * An event is sent where the caller emits it: emit before replying when the
 * protocol wants the event before the reply.
 *
 * Thread: one, that of the loop that owns the connections.
 */
#ifndef PROTOCOL_QMP_SERVER_H
#define PROTOCOL_QMP_SERVER_H

#include "protocol/call.h"
#include "protocol/transport.h"

#define PROTO_QMP_MAX_CALLS 8

struct proto_qmp_server;
struct proto_qmp_session;

/* Commands with a NULL handler are not offered. `service` must outlive the server. */
struct proto_qmp_server *proto_qmp_server_new(const struct proto_service *service);
/* Every session must be gone. */
void proto_qmp_server_free(struct proto_qmp_server *server);

/* Time for events that are sent at most once a second. `now` is a monotonic clock
 * in milliseconds; `arm` asks for proto_qmp_server_tick() at that time. Without
 * this, such events are sent unthrottled. */
void proto_qmp_server_set_clock(struct proto_qmp_server *server, uint64_t (*now)(void *opaque),
				void (*arm)(void *opaque, uint64_t at), void *opaque);
void proto_qmp_server_tick(struct proto_qmp_server *server);

/* Sends an event to every client that has negotiated. `data` is the event's
 * struct: proto_qmp_emit(server, proto_desc_event_qmp_stop, &(struct
 * proto_event_qmp_stop){}). */
void proto_qmp_emit(struct proto_qmp_server *server, const struct proto_event_desc *event, const void *data);

/* What the greeting and query-version say. */
void proto_qmp_version(struct proto_version_info *ret); /* static strings; do not fini */

/* Sends the greeting. NULL: no memory. */
struct proto_qmp_session *proto_qmp_session_new(struct proto_qmp_server *server, const struct proto_transport *transport,
						const struct proto_peer *peer);
void proto_qmp_session_free(struct proto_qmp_session *session);
void proto_qmp_session_feed(struct proto_qmp_session *session, const char *data, size_t len);
/* The client will send no more; hangs up when nothing is owed any more. */
void proto_qmp_session_eof(struct proto_qmp_session *session);
void proto_qmp_session_sent(struct proto_qmp_session *session, size_t n);
/* Takes a descriptor that came by SCM_RIGHTS with the bytes fed next. */
void proto_qmp_session_give_fd(struct proto_qmp_session *session, int fd);
/* Ends every session after what was sent: the process is about to end. */
void proto_qmp_server_hang_up(struct proto_qmp_server *server);

/* getfd's handler: the descriptor that came with the command, now the caller's;
 * -1 when there is none. */
int proto_qmp_call_take_fd(struct proto_call *call);

/* query-qmp-schema's and query-commands' answers. */
json_t *proto_qmp_schema(const struct proto_service *service);
json_t *proto_qmp_commands(const struct proto_service *service);

#endif
