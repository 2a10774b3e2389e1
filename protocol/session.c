/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls and what sessions have in common. Thread: the one that feeds the session. */
#include "protocol/session_priv.h"

#include <stdlib.h>
#include <string.h>

/* ---- The session ---- */

void proto_session_init(struct proto_session *session, const struct proto_session_ops *ops, enum proto_stream_mode mode,
			const struct proto_service *service, const struct proto_transport *transport,
			const struct proto_peer *peer)
{
	*session = (struct proto_session){
		.ops = ops, .service = service, .transport = *transport, .peer = *peer,
	};
	proto_stream_init(&session->in, mode);
}

void proto_session_fini(struct proto_session *session)
{
	session->ended = true;
	struct proto_call *call;
	while ((call = session->calls)) {
		session->calls = call->next;
		if (call->next)
			call->next->link = &session->calls;
		session->n_calls--;
		call->link = NULL;
		call->session = NULL;
		/* It is its handler's alone from here on, and may end inside cancel(). */
		if (call->cancel)
			call->cancel(call, call->cancel_opaque);
	}
	proto_stream_fini(&session->in);
}

void proto_session_hang_up(struct proto_session *session, bool abort, const char *reason)
{
	if (session->ended)
		return;
	session->ended = true;
	session->transport.hang_up(session->transport.opaque, abort, reason);
}

void proto_session_send(struct proto_session *session, char *text, size_t len)
{
	if (session->ended) {
		free(text);
		return;
	}
	if (!text) {
		proto_session_hang_up(session, true, "out of memory");
		return;
	}
	session->backlog += len;
	session->transport.send(session->transport.opaque, text, len);
}

/* A client that does not take its replies is asked for no more requests. */
static bool has_room(struct proto_session *session)
{
	return session->backlog <= PROTO_MAX_BACKLOG / 4 && session->ops->ready(session);
}

void proto_session_sent(struct proto_session *session, size_t n)
{
	session->backlog -= n < session->backlog ? n : session->backlog;
	if (session->stopped && has_room(session))
		proto_session_pump(session);
}

static void set_reading(struct proto_session *session, bool on)
{
	if (session->stopped != on)
		return;
	session->stopped = !on;
	if (session->transport.set_reading && !session->ended)
		session->transport.set_reading(session->transport.opaque, on);
}

void proto_session_pump(struct proto_session *session)
{
	if (session->pumping)
		return;
	session->pumping = true;
	bool room = true;
	while (!session->ended && (room = has_room(session))) {
		const char *text = NULL;
		size_t len = 0;
		enum proto_stream_next kind = proto_stream_next(&session->in, &text, &len);
		if (kind == PROTO_STREAM_MORE)
			break;
		session->ops->message(session, kind, text, len);
	}
	session->pumping = false;
	if (session->ended)
		return;
	set_reading(session, room);
	if (session->eof && room && session->ops->idle(session))
		proto_session_hang_up(session, false, NULL);
}

void proto_session_feed(struct proto_session *session, const char *data, size_t len)
{
	if (session->ended)
		return;
	if (!proto_stream_feed(&session->in, data, len)) {
		proto_session_hang_up(session, true, "the client sends more than it may");
		return;
	}
	proto_session_pump(session);
}

void proto_session_eof(struct proto_session *session)
{
	session->eof = true;
	proto_session_pump(session);
}

/* ---- Calls ---- */

bool proto_service_offers(const struct proto_service *service, const struct proto_command *cmd)
{
	if (cmd->flags & PROTO_COMMAND_BUILTIN)
		return true;
	/* All members of the handlers' struct are function pointers of one size. */
	void (*handler)(void);
	memcpy(&handler, (const char *)service->handlers + cmd->handler, sizeof(handler));
	return handler != NULL;
}

const struct proto_command *proto_service_find(const struct proto_service *service, const char *name)
{
	const struct proto_command *cmd = proto_command_find(service->set, name);
	return cmd && proto_service_offers(service, cmd) ? cmd : NULL;
}

struct proto_call *proto_call_new(struct proto_session *session, const struct proto_command *cmd, json_t *id)
{
	struct proto_call *call = calloc(1, sizeof(*call));
	if (!call)
		return NULL;
	*call = (struct proto_call){
		.session = session, .service = session->service, .ops = session->ops, .cmd = cmd, .peer = session->peer,
		.id = json_incref(id), .next = session->calls, .link = &session->calls,
	};
	if (call->next)
		call->next->link = &call->next;
	session->calls = call;
	session->n_calls++;
	return call;
}

static void call_end(struct proto_call *call)
{
	struct proto_session *session = call->session;
	if (call->link) {
		*call->link = call->next;
		if (call->next)
			call->next->link = call->link;
		session->n_calls--;
	}
	if (call->args) {
		proto_fini(call->cmd->args, call->args);
		free(call->args);
	}
	bool linked = call->link != NULL;
	json_decref(call->id);
	free(call->machine);
	free(call);
	if (linked) {
		session->ops->ended(session);
		proto_session_pump(session);
	}
}

void proto_reply(struct proto_call *call, json_t *result_new)
{
	if (call->link) {
		struct vmd_error err;
		if (result_new || !call->cmd->result) {
			call->ops->reply(call, result_new, NULL);
		} else {
			vmd_error_set(&err, VMD_ERR_NO_MEMORY, 0, "%s: out of memory", call->cmd->name);
			call->ops->reply(call, NULL, &err);
		}
	}
	json_decref(result_new);
	call_end(call);
}

void proto_fail(struct proto_call *call, const struct vmd_error *err)
{
	if (call->link)
		call->ops->reply(call, NULL, err);
	call_end(call);
}

/* The text of the first argument that names a machine, its own members included. */
static const char *find_machine(const struct proto_type *type, const char *base, unsigned levels)
{
	for (unsigned i = 0; i < type->n_fields; i++) {
		const struct proto_field *f = &type->fields[i];
		if (f->array || f->pointer)
			continue;
		const char *name = NULL;
		if (f->kind == PROTO_STR && f->pattern == PROTO_PATTERN_MACHINE)
			name = *(char *const *)(const void *)(base + f->offset);
		else if (f->kind == PROTO_STRUCT && levels)
			name = find_machine(f->type, base + f->offset, levels - 1);
		if (name)
			return name;
	}
	return NULL;
}

void proto_call_run(struct proto_call *call, const json_t *params)
{
	const struct proto_command *cmd = call->cmd;
	struct vmd_error err = { 0 };
	json_t *none = params ? NULL : json_object();
	void *args = calloc(1, cmd->args->size ? cmd->args->size : 1);
	bool ok = args && (params || none);
	if (!ok)
		vmd_error_set(&err, VMD_ERR_NO_MEMORY, 0, "%s: out of memory", cmd->name);
	else
		ok = proto_parse(cmd->args, params ? params : none, cmd->name, args, &err);
	json_decref(none);
	if (!ok) {
		free(args);
		proto_fail(call, &err);
		return;
	}
	call->args = args;
	const char *machine = find_machine(cmd->args, args, 1);
	call->machine = machine ? strdup(machine) : NULL;
	if (call->peer.privilege < cmd->privilege) {
		vmd_error_set(&err, VMD_ERR_DENIED, 0, "%s needs the privilege '%s'; you have '%s'", cmd->name,
			      proto_privilege_name(cmd->privilege), proto_privilege_name(call->peer.privilege));
		proto_fail(call, &err);
	} else if (call->service->allow && !call->service->allow(call, cmd, &err)) {
		proto_fail(call, &err);
	} else if (cmd->flags & PROTO_COMMAND_BUILTIN) {
		call->ops->builtin(call, args);
	} else if (!cmd->invoke(call->service->handlers, call, args, &err)) {
		proto_fail(call, &err);
	}
}

const struct proto_command *proto_call_command(const struct proto_call *call)
{
	return call->cmd;
}

void *proto_call_opaque(const struct proto_call *call)
{
	return call->service->opaque;
}

const struct proto_peer *proto_call_peer(const struct proto_call *call)
{
	return &call->peer;
}

void *proto_call_session(const struct proto_call *call)
{
	return call->session;
}

void proto_call_on_cancel(struct proto_call *call, void (*fn)(struct proto_call *call, void *opaque), void *opaque)
{
	call->cancel = fn;
	call->cancel_opaque = opaque;
}

void proto_call_set_data(struct proto_call *call, void *data)
{
	call->data = data;
}

void *proto_call_data(const struct proto_call *call)
{
	return call->data;
}
