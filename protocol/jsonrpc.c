/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON-RPC 2.0 sessions; see the header. */
#include "protocol/jsonrpc.h"

#include "protocol/session_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A batch whose replies are being gathered. */
struct batch {
	json_t *replies;
	unsigned pending; /* calls that are owed a reply, and one while it is being read */
};

/* A notification held back. */
struct held {
	struct held *next;
	char *text;
	size_t len;
};

struct proto_rpc_session {
	struct proto_session base;
	unsigned n_holding;   /* calls in flight that hold notifications back */
	struct held *held, **held_tail;
	size_t held_bytes;
	struct batch *batch;  /* the one being read */
};

/* ---- Errors ---- */

static const struct {
	enum vmd_error_code code;
	int rpc;
} codes[] = {
	{ VMD_ERR_GENERIC, -32000 },     { VMD_ERR_NOT_FOUND, -32001 },     { VMD_ERR_WRONG_STATE, -32002 },
	{ VMD_ERR_BUSY, -32003 },        { VMD_ERR_DENIED, -32004 },        { VMD_ERR_TIMEOUT, -32005 },
	{ VMD_ERR_GUEST_REFUSED, -32006 }, { VMD_ERR_EXISTS, -32007 },      { VMD_ERR_IO, -32008 },
	{ VMD_ERR_UNSUPPORTED, -32009 }, { VMD_ERR_LIMIT, -32010 },         { VMD_ERR_UNREACHABLE, -32011 },
	{ VMD_ERR_INVALID, -32602 },     { VMD_ERR_NO_MEMORY, -32603 },
};

int proto_rpc_code(enum vmd_error_code code)
{
	for (unsigned i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (codes[i].code == code)
			return codes[i].rpc;
	return -32000;
}

enum vmd_error_code proto_rpc_error_code(int rpc_code)
{
	for (unsigned i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (codes[i].rpc == rpc_code)
			return codes[i].code;
	return rpc_code == -32601 ? VMD_ERR_UNSUPPORTED : VMD_ERR_GENERIC;
}

static json_t *error_object(int code, const char *class, const char *desc, const char *hint, const char *machine)
{
	return json_pack("{s:i, s:s, s:{s:s, s:s, s:s?, s:s?}}", "code", code, "message", desc, "data", "class", class, "desc",
			 desc, "hint", hint && *hint ? hint : NULL, "machine", machine);
}

/* Takes id and the body. */
static json_t *response(json_t *id_new, const char *what, json_t *body_new)
{
	json_t *r = json_pack("{s:s}", "jsonrpc", "2.0");
	if (!r || !body_new) {
		json_decref(id_new);
		json_decref(body_new);
		json_decref(r);
		return NULL;
	}
	json_object_set_new(r, what, body_new);
	json_object_set_new(r, "id", id_new ? id_new : json_null());
	return r;
}

/* ---- Output ---- */

/* The text of a message, framed; NULL: no memory. */
static char *frame(const struct proto_rpc_session *s, const json_t *message, size_t *ret_len)
{
	char *body = message ? json_dumps(message, JSON_COMPACT) : NULL;
	if (!body)
		return NULL;
	size_t n = strlen(body), head = 0;
	char header[64] = "";
	if (s->base.in.framing == PROTO_FRAMING_HEADERS)
		head = (size_t)snprintf(header, sizeof(header), "Content-Length: %zu\r\n\r\n", n);
	char *text = malloc(head + n + 2);
	if (text) {
		memcpy(text, header, head);
		memcpy(text + head, body, n);
		n += head;
		if (!head)
			text[n++] = '\n';
		text[n] = 0;
		*ret_len = n;
	}
	free(body);
	return text;
}

static void send_message(struct proto_rpc_session *s, json_t *message_new)
{
	size_t len = 0;
	char *text = frame(s, message_new, &len);
	json_decref(message_new);
	proto_session_send(&s->base, text, len);
}

static void release_held(struct proto_rpc_session *s)
{
	while (s->held && !s->n_holding && !s->batch) {
		struct held *h = s->held;
		s->held = h->next;
		if (!s->held)
			s->held_tail = &s->held;
		s->held_bytes -= h->len;
		proto_session_send(&s->base, h->text, h->len);
		free(h);
	}
}

bool proto_rpc_session_notify(struct proto_rpc_session *s, const char *method, json_t *params_new)
{
	if (s->base.ended || proto_rpc_session_backlog(s) > PROTO_MAX_BACKLOG / 4) {
		json_decref(params_new);
		return false;
	}
	json_t *message = json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method, "params", params_new);
	if (!s->n_holding && !s->batch && !s->held) {
		send_message(s, message);
		return true;
	}
	size_t len = 0;
	char *text = frame(s, message, &len);
	json_decref(message);
	struct held *h = text ? malloc(sizeof(*h)) : NULL;
	if (!h) {
		free(text);
		return false;
	}
	*h = (struct held){ .text = text, .len = len };
	*s->held_tail = h;
	s->held_tail = &h->next;
	s->held_bytes += len;
	return true;
}

size_t proto_rpc_session_backlog(const struct proto_rpc_session *s)
{
	return s->base.backlog + s->held_bytes;
}

/* ---- Replies ---- */

static void batch_done(struct proto_rpc_session *s, struct batch *batch)
{
	if (--batch->pending)
		return;
	if (json_array_size(batch->replies))
		send_message(s, json_incref(batch->replies));
	json_decref(batch->replies);
	free(batch);
}

static void answer(struct proto_rpc_session *s, struct batch *batch, json_t *message_new)
{
	if (batch)
		json_array_append_new(batch->replies, message_new);
	else
		send_message(s, message_new);
}

/* A reply to something that never became a call. Takes id. */
static void answer_error(struct proto_rpc_session *s, json_t *id_new, int code, const char *class, const char *desc,
			 const char *hint)
{
	answer(s, s->batch, response(id_new, "error", error_object(code, class, desc, hint, NULL)));
}

static void rpc_reply(struct proto_call *call, json_t *result, const struct vmd_error *err)
{
	struct proto_rpc_session *s = (struct proto_rpc_session *)call->session;
	if (call->holds)
		s->n_holding--;
	if (call->id) {
		json_t *body;
		if (err)
			body = error_object(proto_rpc_code(err->code), vmd_error_class(err->code), err->message, err->hint,
					    call->machine);
		else
			body = result ? json_incref(result) : json_null();
		answer(s, call->batch, response(json_incref(call->id), err ? "error" : "result", body));
	}
	if (call->batch)
		batch_done(s, call->batch);
	call->batch = NULL;
}

static void rpc_ended(struct proto_session *session)
{
	release_held((struct proto_rpc_session *)session);
}

static void rpc_builtin(struct proto_call *call, const void *args)
{
	assert(!strcmp(call->cmd->name, "rpc.discover"));
	json_t *doc = proto_openrpc(call->service);
	proto_reply(call, doc);
}

/* ---- Requests ---- */

/* Parameters by position, as an object. NULL: too many. */
static json_t *name_params(const struct proto_type *args, const json_t *params)
{
	if (json_array_size(params) > args->n_fields)
		return NULL;
	json_t *named = json_object();
	size_t i;
	json_t *v;
	json_array_foreach((json_t *)params, i, v)
		json_object_set(named, args->fields[i].name, v);
	return named;
}

static void no_such_method(struct proto_rpc_session *s, const json_t *id, const char *method)
{
	const struct proto_service *service = s->base.service;
	char desc[200], hint[128] = "";
	struct proto_suggest suggest;
	proto_suggest_init(&suggest, method);
	for (unsigned i = 0; i < service->set->n_commands; i++)
		if (proto_service_offers(service, &service->set->commands[i]))
			proto_suggest_add(&suggest, service->set->commands[i].name);
	snprintf(desc, sizeof(desc), "there is no method '%.100s'", method);
	if (suggest.best)
		snprintf(hint, sizeof(hint), "did you mean '%s'?", suggest.best);
	answer_error(s, json_incref((json_t *)id), -32601, "CommandNotFound", desc, hint);
}

static void request(struct proto_rpc_session *s, json_t *message)
{
	json_t *id = json_object_get(message, "id");
	const char *method = json_string_value(json_object_get(message, "method"));
	const char *version = json_string_value(json_object_get(message, "jsonrpc"));
	json_t *params = json_object_get(message, "params");
	const char *wrong = NULL;
	if (!json_is_object(message))
		wrong = "a request must be an object";
	else if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		wrong = "'id' must be a string, a number or null";
	else if (!version || strcmp(version, "2.0"))
		wrong = "'jsonrpc' must be \"2.0\"";
	else if (!method)
		wrong = "'method' must be a string";
	else if (params && !json_is_object(params) && !json_is_array(params))
		wrong = "'params' must be an object or an array";
	if (wrong) {
		bool usable = id && (json_is_string(id) || json_is_number(id));
		answer_error(s, usable ? json_incref(id) : NULL, -32600, "GenericError", wrong, NULL);
		return;
	}
	const struct proto_command *cmd = proto_service_find(s->base.service, method);
	if (!cmd) {
		if (id)
			no_such_method(s, id, method);
		return;
	}
	json_t *named = json_is_array(params) ? name_params(cmd->args, params) : json_incref(params);
	if (params && !named) {
		char desc[200];
		snprintf(desc, sizeof(desc), "%s: %zu parameters are too many: it takes %u", cmd->name, json_array_size(params),
			 cmd->args->n_fields);
		if (id)
			answer_error(s, json_incref(id), -32602, "InvalidArgument", desc, NULL);
		return;
	}
	struct proto_call *call = proto_call_new(&s->base, cmd, id);
	if (!call) {
		proto_session_hang_up(&s->base, true, "out of memory");
	} else {
		call->batch = s->batch;
		if (s->batch)
			s->batch->pending++;
		call->holds = id && !(cmd->flags & PROTO_COMMAND_SLOW);
		if (call->holds)
			s->n_holding++;
		proto_call_run(call, named);
	}
	json_decref(named);
}

static void batch_request(struct proto_rpc_session *s, json_t *message)
{
	size_t i;
	json_t *v;
	if (!json_array_size(message)) {
		answer_error(s, NULL, -32600, "GenericError", "a batch must hold at least one request", NULL);
		return;
	}
	if (json_array_size(message) > PROTO_RPC_MAX_BATCH) {
		answer_error(s, NULL, -32600, "LimitExceeded", "a batch may hold at most 64 requests", NULL);
		return;
	}
	struct batch *batch = calloc(1, sizeof(*batch));
	if (!batch || !(batch->replies = json_array())) {
		free(batch);
		proto_session_hang_up(&s->base, true, "out of memory");
		return;
	}
	batch->pending = 1;
	s->batch = batch;
	json_array_foreach(message, i, v)
		request(s, v);
	s->batch = NULL;
	batch_done(s, batch);
	release_held(s);
}

static void rpc_message(struct proto_session *session, enum proto_stream_next kind, const char *text, size_t len)
{
	struct proto_rpc_session *s = (struct proto_rpc_session *)session;
	if (kind != PROTO_STREAM_TEXT) {
		answer_error(s, NULL, -32700, "GenericError", text, NULL);
		if (kind == PROTO_STREAM_DEAD)
			proto_session_hang_up(session, false, text);
		return;
	}
	json_error_t e;
	json_t *message = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
	if (!message) {
		char desc[256];
		snprintf(desc, sizeof(desc), "JSON parse error, %.180s", e.text);
		answer_error(s, NULL, -32700, "GenericError", desc, NULL);
	} else if (json_is_array(message)) {
		batch_request(s, message);
	} else {
		request(s, message);
	}
	json_decref(message);
}

static bool rpc_ready(struct proto_session *session)
{
	return session->n_calls < PROTO_RPC_MAX_CALLS;
}

static bool rpc_idle(const struct proto_session *session)
{
	return !session->n_calls;
}

static const struct proto_session_ops rpc_ops = {
	.ready = rpc_ready,
	.message = rpc_message,
	.reply = rpc_reply,
	.builtin = rpc_builtin,
	.ended = rpc_ended,
	.idle = rpc_idle,
};

/* ---- The session ---- */

struct proto_rpc_session *proto_rpc_session_new(const struct proto_service *service, const struct proto_transport *transport,
						const struct proto_peer *peer)
{
	struct proto_rpc_session *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	proto_session_init(&s->base, &rpc_ops, PROTO_STREAM_RPC, service, transport, peer);
	s->held_tail = &s->held;
	return s;
}

void proto_rpc_session_free(struct proto_rpc_session *s)
{
	if (!s)
		return;
	/* Batches that wait for replies go with their last call; drop them here. */
	for (struct proto_call *call = s->base.calls; call; call = call->next) {
		struct batch *batch = call->batch;
		call->batch = NULL;
		if (batch && !--batch->pending) {
			json_decref(batch->replies);
			free(batch);
		}
	}
	proto_session_fini(&s->base);
	while (s->held) {
		struct held *h = s->held;
		s->held = h->next;
		free(h->text);
		free(h);
	}
	free(s);
}

void proto_rpc_session_feed(struct proto_rpc_session *s, const char *data, size_t len)
{
	proto_session_feed(&s->base, data, len);
}

void proto_rpc_session_eof(struct proto_rpc_session *s)
{
	proto_session_eof(&s->base);
}

void proto_rpc_session_sent(struct proto_rpc_session *s, size_t n)
{
	proto_session_sent(&s->base, n);
}

const struct proto_peer *proto_rpc_session_peer(const struct proto_rpc_session *s)
{
	return &s->base.peer;
}

void proto_rpc_session_set_data(struct proto_rpc_session *s, void *data)
{
	s->base.data = data;
}

void *proto_rpc_session_data(const struct proto_rpc_session *s)
{
	return s->base.data;
}
