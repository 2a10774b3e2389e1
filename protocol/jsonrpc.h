/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's side of JSON-RPC 2.0 (https://www.jsonrpc.org/specification).
 *
 * Framing follows the client's first byte: JSON objects or arrays one after the
 * other, in which case replies end in a newline, or Content-Length headers as in
 * the Language Server Protocol, in which case replies have them, too.
 *
 * Parameters come by name or by position. Errors: the specification's codes,
 * and from -32000 down one for each class of enum vmd_error_code; `data` holds
 * class, desc, hint and machine.
 *
 * At most PROTO_RPC_MAX_CALLS calls are in flight; then the session stops
 * reading. Notifications are not sent while a call that replies soon is owed its
 * reply, because simple clients take the next line for it; commands marked slow
 * in the schema do not hold them back.
 *
 * Thread: one, that of the loop that owns the connection.
 */
#ifndef PROTOCOL_JSONRPC_H
#define PROTOCOL_JSONRPC_H

#include "protocol/call.h"
#include "protocol/transport.h"

#define PROTO_RPC_MAX_CALLS 64
#define PROTO_RPC_MAX_BATCH 64

struct proto_rpc_session;

/* service, its handlers included, must outlive the session. NULL: no memory. */
struct proto_rpc_session *proto_rpc_session_new(const struct proto_service *service, const struct proto_transport *transport,
						const struct proto_peer *peer);
void proto_rpc_session_free(struct proto_rpc_session *session);

void proto_rpc_session_feed(struct proto_rpc_session *session, const char *data, size_t len);
/* The client will send no more: what is owed is still sent, then the session hangs up. */
void proto_rpc_session_eof(struct proto_rpc_session *session);
void proto_rpc_session_sent(struct proto_rpc_session *session, size_t n);

/* Sends a notification; takes params. False, and nothing is sent, when the client
 * has more than a quarter of the allowed backlog to read: count it as lost and
 * tell of a gap when ..._backlog() is small again. */
bool proto_rpc_session_notify(struct proto_rpc_session *session, const char *method, json_t *params_new);
/* Bytes that wait for the client, notifications held back included. */
size_t proto_rpc_session_backlog(const struct proto_rpc_session *session);

const struct proto_peer *proto_rpc_session_peer(const struct proto_rpc_session *session);
/* A pointer of the server's own, such as the connection's subscription. */
void proto_rpc_session_set_data(struct proto_rpc_session *session, void *data);
void *proto_rpc_session_data(const struct proto_rpc_session *session);

/* The JSON-RPC code of an error, and back. */
int proto_rpc_code(enum vmd_error_code code);
enum vmd_error_code proto_rpc_error_code(int rpc_code);

/* The OpenRPC document of a set (without the commands whose handlers are NULL). */
json_t *proto_openrpc(const struct proto_service *service);

#endif
