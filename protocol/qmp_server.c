/* SPDX-License-Identifier: BSD-2-Clause */
/* QMP sessions and their server; see the header. */
#include "protocol/qmp_server.h"

#include "protocol/session_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"

/* The dialect spoken: what the protocol's reference said at this version. */
enum {
	DIALECT_MAJOR = 7,
	DIALECT_MINOR = 2,
	DIALECT_MICRO = 0,
	RATE_LIMIT_MS = 1000,
};

/* The last event of a kind that is sent at most once a second. */
struct throttle {
	struct throttle *next;
	const struct proto_event_desc *event;
	char *key;
	uint64_t sent;   /* when */
	json_t *pending; /* the one to send next, or NULL */
};

struct proto_qmp_server {
	const struct proto_service *service;
	struct proto_qmp_session *sessions;
	uint64_t (*now)(void *opaque);
	void (*arm)(void *opaque, uint64_t at);
	void *clock_opaque;
	struct throttle *throttles;
};

/* What came from the client and waits for its turn: a request, or the message
 * about something that was none. */
struct queued {
	json_t *request;
	char error[256];
	int fd; /* came with it, or -1 */
};

struct proto_qmp_session {
	struct proto_session base;
	struct proto_qmp_server *server;
	struct proto_qmp_session *next, **link;
	bool negotiated;
	bool oob;
	struct queued queue[PROTO_QMP_MAX_CALLS];
	unsigned n_queued;
	bool busy;            /* a command is being executed in band */
	bool running;         /* run_queue() is active */
	int next_fd;          /* came with the bytes not cut into requests yet */
	int call_fd;          /* came with the command being executed */
};

void proto_qmp_version(struct proto_version_info *ret)
{
	static char package[] = "vmd-" PACKAGE_VERSION;
	*ret = (struct proto_version_info){
		.qemu = { .major = DIALECT_MAJOR, .minor = DIALECT_MINOR, .micro = DIALECT_MICRO },
		.package = package,
	};
}

/* ---- Output ---- */

static char *line(const json_t *message, size_t *ret_len)
{
	char *body = message ? json_dumps(message, JSON_ENSURE_ASCII) : NULL;
	if (!body)
		return NULL;
	size_t n = strlen(body);
	char *text = realloc(body, n + 3);
	if (!text) {
		free(body);
		return NULL;
	}
	memcpy(text + n, "\r\n", 3);
	*ret_len = n + 2;
	return text;
}

static void send_message(struct proto_qmp_session *s, json_t *message_new)
{
	size_t len = 0;
	char *text = line(message_new, &len);
	json_decref(message_new);
	proto_session_send(&s->base, text, len);
}

static void send_error(struct proto_qmp_session *s, json_t *id, const char *class, const char *desc)
{
	json_t *message = json_object();
	if (message && id)
		json_object_set(message, "id", id);
	if (message)
		json_object_set_new(message, "error", json_pack("{s:s, s:s}", "class", class, "desc", desc));
	send_message(s, message);
}

static const char *error_class(enum vmd_error_code code)
{
	return code == VMD_ERR_NOT_FOUND ? "DeviceNotFound" : "GenericError";
}

static void qmp_reply(struct proto_call *call, json_t *result, const struct vmd_error *err)
{
	struct proto_qmp_session *s = (struct proto_qmp_session *)call->session;
	if (err) {
		char desc[sizeof(err->message) + sizeof(err->hint) + 4];
		snprintf(desc, sizeof(desc), "%s%s%s%s", err->message, *err->hint ? " (" : "", err->hint, *err->hint ? ")" : "");
		send_error(s, call->id, error_class(err->code), desc);
	} else {
		json_t *message = json_object();
		if (message) {
			json_object_set_new(message, "return", result ? json_incref(result) : json_object());
			if (call->id)
				json_object_set(message, "id", call->id);
		}
		send_message(s, message);
	}
	if (!call->oob) {
		s->busy = false;
		if (s->call_fd >= 0)
			close(s->call_fd);
		s->call_fd = -1;
	}
}

/* ---- Events ---- */

static void broadcast(struct proto_qmp_server *server, const json_t *event)
{
	size_t len = 0;
	char *text = line(event, &len);
	for (struct proto_qmp_session *s = server->sessions; s; s = s->next) {
		if (!s->negotiated || s->base.ended)
			continue;
		if (s->base.backlog > PROTO_MAX_BACKLOG)
			proto_session_hang_up(&s->base, true, "the client does not read its events");
		else
			proto_session_send(&s->base, text ? strdup(text) : NULL, len);
	}
	free(text);
}

static struct throttle *find_throttle(struct proto_qmp_server *server, const struct proto_event_desc *event, const json_t *data)
{
	const char *key = "";
	if (*event->rate_limit) {
		key = json_string_value(json_object_get(data, event->rate_limit));
		if (!key)
			return NULL;
	}
	for (struct throttle *t = server->throttles; t; t = t->next)
		if (t->event == event && !strcmp(t->key, key))
			return t;
	struct throttle *t = calloc(1, sizeof(*t));
	if (!t || !(t->key = strdup(key))) {
		free(t);
		return NULL;
	}
	t->event = event;
	t->next = server->throttles;
	server->throttles = t;
	return t;
}

void proto_qmp_emit(struct proto_qmp_server *server, const struct proto_event_desc *desc, const void *data)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	json_t *event = json_pack("{s:{s:I, s:I}, s:s}", "timestamp", "seconds", (json_int_t)ts.tv_sec, "microseconds",
				  (json_int_t)(ts.tv_nsec / 1000), "event", desc->name);
	json_t *body = desc->data->n_fields ? proto_to_json(desc->data, data) : NULL;
	if (event && body)
		json_object_set(event, "data", body);
	struct throttle *t = desc->rate_limit && server->now ? find_throttle(server, desc, body) : NULL;
	json_decref(body);
	if (!t) {
		broadcast(server, event);
		json_decref(event);
		return;
	}
	uint64_t now = server->now(server->clock_opaque);
	if (t->sent && now - t->sent < RATE_LIMIT_MS) {
		json_decref(t->pending);
		t->pending = event;
		server->arm(server->clock_opaque, t->sent + RATE_LIMIT_MS);
		return;
	}
	t->sent = now;
	broadcast(server, event);
	json_decref(event);
}

void proto_qmp_server_tick(struct proto_qmp_server *server)
{
	uint64_t now = server->now(server->clock_opaque), next = 0;
	for (struct throttle *t = server->throttles; t; t = t->next) {
		if (t->pending && now - t->sent >= RATE_LIMIT_MS) {
			broadcast(server, t->pending);
			json_decref(t->pending);
			t->pending = NULL;
			t->sent = now;
		} else if (t->pending && (!next || t->sent + RATE_LIMIT_MS < next)) {
			next = t->sent + RATE_LIMIT_MS;
		}
	}
	if (next)
		server->arm(server->clock_opaque, next);
}

void proto_qmp_server_set_clock(struct proto_qmp_server *server, uint64_t (*now)(void *opaque),
				void (*arm)(void *opaque, uint64_t at), void *opaque)
{
	server->now = now;
	server->arm = arm;
	server->clock_opaque = opaque;
}

/* ---- Commands the server answers itself ---- */

static void capabilities(struct proto_call *call, const struct proto_args_qmp_qmp_capabilities *args)
{
	struct proto_qmp_session *s = (struct proto_qmp_session *)call->session;
	for (size_t i = 0; i < args->n_enable; i++)
		if (args->enable[i] == PROTO_QMP_CAPABILITY_OOB)
			s->oob = true;
	s->negotiated = true;
	proto_reply(call, NULL);
}

static json_t *name_list(const struct proto_service *service)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < service->set->n_events; i++)
		json_array_append_new(list, json_pack("{s:s}", "name", service->set->events[i].name));
	return list;
}

json_t *proto_qmp_commands(const struct proto_service *service)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < service->set->n_commands; i++)
		if (proto_service_offers(service, &service->set->commands[i]))
			json_array_append_new(list, json_pack("{s:s}", "name", service->set->commands[i].name));
	return list;
}

static void qmp_builtin(struct proto_call *call, const void *args)
{
	static const struct {
		const char *name;
		json_t *(*answer)(const struct proto_service *service);
	} answers[] = {
		{ "query-commands", proto_qmp_commands },
		{ "query-events", name_list },
		{ "query-qmp-schema", proto_qmp_schema },
	};
	for (unsigned i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		if (!strcmp(answers[i].name, call->cmd->name)) {
			proto_reply(call, answers[i].answer(call->service));
			return;
		}
	}
	assert(!strcmp(call->cmd->name, "qmp_capabilities"));
	capabilities(call, args);
}

/* ---- Requests ---- */

/* The request's command; NULL with an error sent if it has none to execute. */
static const struct proto_command *request_command(struct proto_qmp_session *s, json_t *request, bool *ret_oob)
{
	json_t *id = json_object_get(request, "id"), *v;
	const char *key, *name = NULL;
	char desc[200];
	bool oob = false;
	json_object_foreach(request, key, v) {
		bool command = !strcmp(key, "execute") || (!strcmp(key, "exec-oob") && s->oob);
		*desc = 0;
		if (command && !json_is_string(v))
			snprintf(desc, sizeof(desc), "QMP input member '%s' must be a string", key);
		else if (command && name)
			snprintf(desc, sizeof(desc), "QMP input member 'exec-oob' clashes with 'execute'");
		else if (!strcmp(key, "arguments") && !json_is_object(v))
			snprintf(desc, sizeof(desc), "QMP input member 'arguments' must be an object");
		else if (!command && strcmp(key, "arguments") && strcmp(key, "id"))
			snprintf(desc, sizeof(desc), "QMP input member '%.100s' is unexpected", key);
		if (*desc) {
			send_error(s, id, "GenericError", desc);
			return NULL;
		}
		if (command) {
			name = json_string_value(v);
			oob = !strcmp(key, "exec-oob");
		}
	}
	if (!name) {
		send_error(s, id, "GenericError", "QMP input lacks member 'execute'");
		return NULL;
	}
	bool negotiation = !strcmp(name, "qmp_capabilities");
	if (!s->negotiated && !negotiation) {
		send_error(s, id, "CommandNotFound", "Expecting capabilities negotiation with 'qmp_capabilities'");
		return NULL;
	}
	if (s->negotiated && negotiation) {
		send_error(s, id, "CommandNotFound", "Capabilities negotiation is already complete, command ignored");
		return NULL;
	}
	const struct proto_command *cmd = proto_service_find(s->server->service, name);
	if (!cmd) {
		snprintf(desc, sizeof(desc), "The command %.100s has not been found", name);
		send_error(s, id, "CommandNotFound", desc);
		return NULL;
	}
	if (oob && !(cmd->flags & PROTO_COMMAND_OOB)) {
		snprintf(desc, sizeof(desc), "The command %s does not support OOB", name);
		send_error(s, id, "GenericError", desc);
		return NULL;
	}
	*ret_oob = oob;
	return cmd;
}

static void execute(struct proto_qmp_session *s, json_t *request, int fd)
{
	bool oob = false;
	const struct proto_command *cmd = request_command(s, request, &oob);
	struct proto_call *call = cmd ? proto_call_new(&s->base, cmd, json_object_get(request, "id")) : NULL;
	if (!call) {
		if (fd >= 0)
			close(fd);
		if (cmd)
			proto_session_hang_up(&s->base, true, "out of memory");
		return;
	}
	call->oob = oob;
	if (oob) {
		if (fd >= 0)
			close(fd);
	} else {
		s->busy = true;
		s->call_fd = fd;
	}
	proto_call_run(call, json_object_get(request, "arguments"));
}

/* Executes what is queued until a command has to be waited for. */
static void run_queue(struct proto_qmp_session *s)
{
	if (s->running)
		return;
	s->running = true;
	while (s->n_queued && !s->busy && !s->base.ended) {
		struct queued q = s->queue[0];
		memmove(&s->queue[0], &s->queue[1], --s->n_queued * sizeof(s->queue[0]));
		if (q.request)
			execute(s, q.request, q.fd);
		else
			send_error(s, NULL, "GenericError", q.error);
		json_decref(q.request);
	}
	s->running = false;
}

static void qmp_message(struct proto_session *session, enum proto_stream_next kind, const char *text, size_t len)
{
	struct proto_qmp_session *s = (struct proto_qmp_session *)session;
	struct queued q = { .fd = -1 };
	if (kind == PROTO_STREAM_TEXT) {
		json_error_t e;
		q.request = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
		if (!q.request) {
			snprintf(q.error, sizeof(q.error), "JSON parse error, %.180s", e.text);
		} else if (!json_is_object(q.request)) {
			json_decref(q.request);
			q.request = NULL;
			snprintf(q.error, sizeof(q.error), "QMP input must be a JSON object");
		} else {
			q.fd = s->next_fd;
			s->next_fd = -1;
		}
	} else {
		snprintf(q.error, sizeof(q.error), "%s", text);
	}
	if (s->oob && q.request && json_object_get(q.request, "exec-oob")) {
		execute(s, q.request, q.fd);
		json_decref(q.request);
		return;
	}
	s->queue[s->n_queued++] = q;
	run_queue(s);
}

static void qmp_ended(struct proto_session *session)
{
	run_queue((struct proto_qmp_session *)session);
}

static bool qmp_ready(struct proto_session *session)
{
	struct proto_qmp_session *s = (struct proto_qmp_session *)session;
	return s->n_queued + s->busy < PROTO_QMP_MAX_CALLS && session->n_calls < 2 * PROTO_QMP_MAX_CALLS;
}

static bool qmp_idle(const struct proto_session *session)
{
	return !session->n_calls && !((const struct proto_qmp_session *)session)->n_queued;
}

static const struct proto_session_ops qmp_ops = {
	.ready = qmp_ready,
	.message = qmp_message,
	.reply = qmp_reply,
	.builtin = qmp_builtin,
	.ended = qmp_ended,
	.idle = qmp_idle,
};

/* ---- Sessions and the server ---- */

struct proto_qmp_server *proto_qmp_server_new(const struct proto_service *service)
{
	struct proto_qmp_server *server = calloc(1, sizeof(*server));
	if (server)
		server->service = service;
	return server;
}

void proto_qmp_server_free(struct proto_qmp_server *server)
{
	if (!server)
		return;
	assert(!server->sessions);
	while (server->throttles) {
		struct throttle *t = server->throttles;
		server->throttles = t->next;
		json_decref(t->pending);
		free(t->key);
		free(t);
	}
	free(server);
}

void proto_qmp_server_hang_up(struct proto_qmp_server *server)
{
	for (struct proto_qmp_session *s = server->sessions; s; s = s->next)
		proto_session_hang_up(&s->base, false, NULL);
}

struct proto_qmp_session *proto_qmp_session_new(struct proto_qmp_server *server, const struct proto_transport *transport,
						const struct proto_peer *peer)
{
	struct proto_qmp_session *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	proto_session_init(&s->base, &qmp_ops, PROTO_STREAM_QMP, server->service, transport, peer);
	s->server = server;
	s->next_fd = s->call_fd = -1;
	s->next = server->sessions;
	s->link = &server->sessions;
	if (s->next)
		s->next->link = &s->next;
	server->sessions = s;
	struct proto_version_info version;
	proto_qmp_version(&version);
	send_message(s, json_pack("{s:{s:o, s:[s]}}", "QMP", "version", proto_version_info_to_json(&version), "capabilities", "oob"));
	return s;
}

void proto_qmp_session_free(struct proto_qmp_session *s)
{
	if (!s)
		return;
	proto_session_fini(&s->base);
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	for (unsigned i = 0; i < s->n_queued; i++) {
		json_decref(s->queue[i].request);
		if (s->queue[i].fd >= 0)
			close(s->queue[i].fd);
	}
	if (s->next_fd >= 0)
		close(s->next_fd);
	if (s->call_fd >= 0)
		close(s->call_fd);
	free(s);
}

void proto_qmp_session_feed(struct proto_qmp_session *s, const char *data, size_t len)
{
	proto_session_feed(&s->base, data, len);
}

void proto_qmp_session_eof(struct proto_qmp_session *s)
{
	proto_session_eof(&s->base);
}

void proto_qmp_session_sent(struct proto_qmp_session *s, size_t n)
{
	proto_session_sent(&s->base, n);
}

void proto_qmp_session_give_fd(struct proto_qmp_session *s, int fd)
{
	if (s->next_fd >= 0)
		close(s->next_fd);
	s->next_fd = fd;
}

int proto_qmp_call_take_fd(struct proto_call *call)
{
	struct proto_qmp_session *s = (struct proto_qmp_session *)call->session;
	if (!s || call->oob)
		return -1;
	int fd = s->call_fd;
	s->call_fd = -1;
	return fd;
}
