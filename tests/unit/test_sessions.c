/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON-RPC and QMP sessions over a transport in memory. */
#include "protocol/jsonrpc.h"
#include "protocol/jsonstream.h"
#include "protocol/qmp_server.h"
#include "tests/unit/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- A transport in memory ---- */

struct wire {
	char *out;
	size_t len;
	unsigned sends;
	bool paused, closed, aborted;
};

static void wire_send(void *opaque, char *data, size_t len)
{
	struct wire *w = opaque;
	w->out = realloc(w->out, w->len + len + 1);
	memcpy(w->out + w->len, data, len);
	w->len += len;
	w->out[w->len] = 0;
	w->sends++;
	free(data);
}

static void wire_set_reading(void *opaque, bool on)
{
	((struct wire *)opaque)->paused = !on;
}

static void wire_hang_up(void *opaque, bool abort, const char *reason)
{
	struct wire *w = opaque;
	ck_assert(!w->closed);
	w->closed = true;
	w->aborted = abort;
}

static struct proto_transport transport(struct wire *w)
{
	return (struct proto_transport){ .send = wire_send, .set_reading = wire_set_reading, .hang_up = wire_hang_up, .opaque = w };
}

static void wire_clear(struct wire *w)
{
	free(w->out);
	w->out = NULL;
	w->len = 0;
	w->sends = 0;
}

static const char *wire_text(const struct wire *w)
{
	return w->out ? w->out : "";
}

/* ---- The stream ---- */

/* What the splitter makes of a stream, as texts and '!' for errors. */
static void split(enum proto_stream_mode mode, const char *in, size_t len, size_t piece, char *ret, size_t size)
{
	struct proto_stream s;
	proto_stream_init(&s, mode);
	*ret = 0;
	for (size_t at = 0; at < len; at += piece) {
		ck_assert(proto_stream_feed(&s, in + at, len - at < piece ? len - at : piece));
		const char *text;
		size_t n;
		enum proto_stream_next next;
		while ((next = proto_stream_next(&s, &text, &n)) != PROTO_STREAM_MORE) {
			size_t used = strlen(ret);
			if (next == PROTO_STREAM_TEXT)
				snprintf(ret + used, size - used, "%.*s|", (int)n, text);
			else
				snprintf(ret + used, size - used, "!|");
		}
	}
	proto_stream_fini(&s);
}

static const struct {
	enum proto_stream_mode mode;
	const char *in, *out;
} streams[] = {
	{ PROTO_STREAM_QMP, "{\"a\":1}{\"b\":[{}]}\n {}", "{\"a\":1}|{\"b\":[{}]}|{}|" },
	{ PROTO_STREAM_QMP, "{'a':'it\\'s \"x\"'}", "{\"a\":\"it's \\\"x\\\"\"}|" },
	{ PROTO_STREAM_QMP, "{\"a\":\"}{\\\"\"}", "{\"a\":\"}{\\\"\"}|" },
	{ PROTO_STREAM_QMP, "{\"a\":\xff{\"b\":1}", "!|{\"b\":1}|" },
	{ PROTO_STREAM_QMP, "\xff{\"b\":1}", "!|{\"b\":1}|" },
	{ PROTO_STREAM_QMP, "{\"a\":\"\x01\"}\n{}", "!|{}|" },
	{ PROTO_STREAM_QMP, "hello\n{}", "!|{}|" },
	{ PROTO_STREAM_QMP, "{\"a\":]}\n{}", "!|{}|" },
	{ PROTO_STREAM_QMP, "[1]{}", "[1]|{}|" },
	{ PROTO_STREAM_RPC, "[]\n{\"a\":\"b\"}", "[]|{\"a\":\"b\"}|" },
	{ PROTO_STREAM_RPC, "{\"a\":],{\"b\":1}}\n{}", "!|{}|" },
	{ PROTO_STREAM_RPC, "12\nfoo {}\n{}", "12|foo {}|{}|" },
	{ PROTO_STREAM_RPC, "Content-Length: 2\r\n\r\n{}Content-Type: x\r\ncontent-length:  3\r\n\r\n[1]", "{}|[1]|" },
	{ PROTO_STREAM_RPC, "Content-Length: x\r\n\r\n{}", "!|" },
	{ PROTO_STREAM_RPC, "Content-Length: 99999999\r\n\r\n{}", "!|" },
};

START_TEST(cuts_streams)
{
	char out[512];
	for (size_t piece = 1; piece < 20; piece++) {
		split(streams[_i].mode, streams[_i].in, strlen(streams[_i].in), piece, out, sizeof(out));
		ck_assert_str_eq(out, streams[_i].out);
	}
}
END_TEST

START_TEST(bounds_streams)
{
	char out[512], deep[200];
	memset(deep, '[', sizeof(deep));
	deep[130] = '\n';
	memcpy(deep + 131, "{}", 2);
	split(PROTO_STREAM_RPC, deep, 133, 7, out, sizeof(out));
	ck_assert_str_eq(out, "!|{}|");
	size_t n = PROTO_MAX_MESSAGE + 100;
	char *big = malloc(n);
	memset(big, ' ', n);
	memcpy(big, "{\"a\":\"", 6);
	memcpy(big + n - 3, "\n{}", 3);
	split(PROTO_STREAM_QMP, big, n, 65536, out, sizeof(out));
	ck_assert_str_eq(out, "!|{}|");
	free(big);
}
END_TEST

/* ---- JSON-RPC ---- */

struct fake {
	struct proto_call *waiting;
	unsigned cancelled;
};

static bool do_get(struct proto_call *call, const struct proto_args_machine_get *args, struct vmd_error *err)
{
	if (!strcmp(args->name, "gone")) {
		vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "there is no machine 'gone'");
		return vmd_error_hint(err, "'vmctl list' shows the machines");
	}
	vmd_error_set(err, VMD_ERR_BUSY, 0, "busy");
	return false;
}

static bool do_version(struct proto_call *call, const struct proto_args_daemon_version *args, struct vmd_error *err)
{
	proto_reply_daemon_version(call, &(struct proto_daemon_version){ .version = (char *)"9", .protocol = 1 });
	return true;
}

static bool do_delete(struct proto_call *call, const struct proto_args_machine_delete *args, struct vmd_error *err)
{
	proto_reply_machine_delete(call);
	return true;
}

static void cancelled(struct proto_call *call, void *opaque)
{
	struct fake *f = opaque;
	ck_assert_ptr_eq(proto_call_session(call), NULL);
	f->cancelled++;
	f->waiting = NULL;
	struct vmd_error err = { .code = VMD_ERR_GENERIC };
	proto_fail(call, &err);
}

static bool do_wait(struct proto_call *call, const struct proto_args_machine_wait *args, struct vmd_error *err)
{
	struct fake *f = proto_call_opaque(call);
	f->waiting = call;
	proto_call_on_cancel(call, cancelled, f);
	return true;
}

static bool do_subscribe(struct proto_call *call, const struct proto_args_events_subscribe *args, struct vmd_error *err)
{
	struct proto_rpc_session *s = proto_call_session(call);
	/* An event that comes about while the reply is owed. */
	ck_assert(proto_rpc_session_notify(s, "event", json_pack("{s:i}", "seq", 1)));
	proto_reply_events_subscribe(call, &(struct proto_subscription){ .epoch = (char *)"e", .seq = 0 });
	return true;
}

static const struct proto_daemon_handlers daemon_handlers = {
	.machine_get = do_get, .daemon_version = do_version, .machine_delete = do_delete, .machine_wait = do_wait,
	.events_subscribe = do_subscribe,
};

struct rpc {
	struct fake fake;
	struct wire wire;
	struct proto_service service;
	struct proto_rpc_session *session;
};

static struct rpc *rpc_new(enum proto_privilege privilege)
{
	struct rpc *r = calloc(1, sizeof(*r));
	r->service = (struct proto_service){ .set = &proto_daemon_set, .handlers = &daemon_handlers, .opaque = &r->fake };
	struct proto_transport t = transport(&r->wire);
	struct proto_peer peer = { .pid = 1, .privilege = privilege };
	r->session = proto_rpc_session_new(&r->service, &t, &peer);
	ck_assert(r->session != NULL);
	return r;
}

static void rpc_free(struct rpc *r)
{
	proto_rpc_session_free(r->session);
	wire_clear(&r->wire);
	free(r);
}

static const struct {
	const char *in, *out;
} exchanges[] = {
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"daemon.version\",\"id\":7}",
	  "{\"jsonrpc\":\"2.0\",\"result\":{\"version\":\"9\",\"protocol\":1},\"id\":7}\n" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"daemon.version\",\"id\":null}",
	  "{\"jsonrpc\":\"2.0\",\"result\":{\"version\":\"9\",\"protocol\":1},\"id\":null}\n" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"machine.delete\",\"params\":[\"web1\"],\"id\":\"x\"}",
	  "{\"jsonrpc\":\"2.0\",\"result\":null,\"id\":\"x\"}\n" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"daemon.version\"}", "" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\"}", "" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"machine.got\",\"id\":1}",
	  "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32601,\"message\":\"there is no method 'machine.got'\",\"data\":{\"class\":"
	  "\"CommandNotFound\",\"desc\":\"there is no method 'machine.got'\",\"hint\":\"did you mean 'machine.get'?\",\"machine\":null}},"
	  "\"id\":1}\n" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"machine.get\",\"params\":{\"name\":\"gone\"},\"id\":1}",
	  "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32001,\"message\":\"there is no machine 'gone'\",\"data\":{\"class\":"
	  "\"DeviceNotFound\",\"desc\":\"there is no machine 'gone'\",\"hint\":\"'vmctl list' shows the machines\",\"machine\":\"gone\"}},"
	  "\"id\":1}\n" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"machine.get\",\"params\":{\"nam\":\"gone\"},\"id\":1}",
	  "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32602,\"message\":\"machine.get: 'nam': unknown key; did you mean 'name'?\",\"data\":"
	  "{\"class\":\"InvalidArgument\",\"desc\":\"machine.get: 'nam': unknown key; did you mean 'name'?\",\"hint\":null,\"machine\":null}},"
	  "\"id\":1}\n" },
	{ "[]",
	  "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"a batch must hold at least one request\",\"data\":{\"class\":"
	  "\"GenericError\",\"desc\":\"a batch must hold at least one request\",\"hint\":null,\"machine\":null}},\"id\":null}\n" },
	{ "[{\"jsonrpc\":\"2.0\",\"method\":\"daemon.version\"}]", "" },
	{ "[{\"jsonrpc\":\"2.0\",\"method\":\"daemon.version\",\"id\":1},{\"jsonrpc\":\"2.0\",\"method\":\"daemon.version\"},"
	  "{\"jsonrpc\":\"2.0\",\"method\":\"machine.delete\",\"params\":[\"a\"],\"id\":2}]",
	  "[{\"jsonrpc\":\"2.0\",\"result\":{\"version\":\"9\",\"protocol\":1},\"id\":1},{\"jsonrpc\":\"2.0\",\"result\":null,\"id\":2}]\n" },
};

START_TEST(rpc_answers)
{
	struct rpc *r = rpc_new(PROTO_PRIVILEGE_ADMIN);
	proto_rpc_session_feed(r->session, exchanges[_i].in, strlen(exchanges[_i].in));
	ck_assert_str_eq(wire_text(&r->wire), exchanges[_i].out);
	rpc_free(r);
}
END_TEST

/* What must get an error of this code and a null id. */
static const struct {
	const char *in;
	int code;
} broken[] = {
	{ "{\"jsonrpc\": \"2.0\", \"method\": \"foobar, \"params\": \"bar\", \"baz]\n", -32700 },
	{ "{\"jsonrpc\": \"2.0\", \"method\": 1, \"params\": \"bar\"}", -32600 },
	{ "[1]", -32600 },
	{ "17\n", -32600 },
	{ "foo\n", -32700 },
	{ "{\"jsonrpc\": \"1.0\", \"method\": \"daemon.version\"}", -32600 },
	{ "{\"jsonrpc\": \"2.0\", \"method\": \"daemon.version\", \"id\": {}}", -32600 },
	{ "{\"a\": 1, \"a\": 2}", -32700 },
};

START_TEST(rpc_refuses)
{
	struct rpc *r = rpc_new(PROTO_PRIVILEGE_ADMIN);
	proto_rpc_session_feed(r->session, broken[_i].in, strlen(broken[_i].in));
	json_t *reply = json_loads(wire_text(&r->wire), JSON_DISABLE_EOF_CHECK, NULL);
	ck_assert_msg(reply != NULL, "%s -> %s", broken[_i].in, wire_text(&r->wire));
	json_t *one = json_is_array(reply) ? json_array_get(reply, 0) : reply;
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(one, "error"), "code")), broken[_i].code);
	ck_assert(json_is_null(json_object_get(one, "id")));
	json_decref(reply);
	/* The session goes on. */
	wire_clear(&r->wire);
	const char *next = "\n{\"jsonrpc\":\"2.0\",\"method\":\"daemon.version\",\"id\":7}";
	proto_rpc_session_feed(r->session, next, strlen(next));
	ck_assert_str_eq(wire_text(&r->wire), exchanges[0].out);
	rpc_free(r);
}
END_TEST

START_TEST(rpc_checks_privilege)
{
	struct rpc *r = rpc_new(PROTO_PRIVILEGE_VIEWER);
	const char *in = "{\"jsonrpc\":\"2.0\",\"method\":\"machine.delete\",\"params\":{\"name\":\"a\"},\"id\":1}";
	proto_rpc_session_feed(r->session, in, strlen(in));
	ck_assert(strstr(wire_text(&r->wire), "\"code\":-32004") != NULL);
	ck_assert(strstr(wire_text(&r->wire), "needs the privilege 'admin'") != NULL);
	rpc_free(r);
}
END_TEST

START_TEST(rpc_frames)
{
	struct rpc *r = rpc_new(PROTO_PRIVILEGE_ADMIN);
	char in[200], body[] = "{\"jsonrpc\":\"2.0\",\"method\":\"daemon.version\",\"id\":7}";
	snprintf(in, sizeof(in), "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
	for (size_t i = 0; i < strlen(in); i++)
		proto_rpc_session_feed(r->session, in + i, 1);
	ck_assert_str_eq(wire_text(&r->wire),
			 "Content-Length: 62\r\n\r\n{\"jsonrpc\":\"2.0\",\"result\":{\"version\":\"9\",\"protocol\":1},\"id\":7}");
	rpc_free(r);
}
END_TEST

START_TEST(rpc_waits)
{
	struct rpc *r = rpc_new(PROTO_PRIVILEGE_ADMIN);
	const char *wait = "{\"jsonrpc\":\"2.0\",\"method\":\"machine.wait\",\"params\":{\"name\":\"a\",\"state\":\"stopped\"},\"id\":1}";
	const char *version = exchanges[0].in;
	proto_rpc_session_feed(r->session, wait, strlen(wait));
	ck_assert_str_eq(wire_text(&r->wire), "");
	/* Others are answered meanwhile, and a slow call holds no events back. */
	proto_rpc_session_feed(r->session, version, strlen(version));
	ck_assert_str_eq(wire_text(&r->wire), exchanges[0].out);
	wire_clear(&r->wire);
	ck_assert(proto_rpc_session_notify(r->session, "event", json_object()));
	ck_assert_str_eq(wire_text(&r->wire), "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{}}\n");
	wire_clear(&r->wire);
	struct proto_machine_status status = { .name = (char *)"a", .state = PROTO_MACHINE_STATE_STOPPED, .cpus = 1 };
	proto_reply_machine_wait(r->fake.waiting, &status);
	ck_assert(strstr(wire_text(&r->wire), "\"state\":\"stopped\"") != NULL);
	/* The client goes away during a wait, also one in a batch. */
	char batch[400];
	snprintf(batch, sizeof(batch), "[%s,%s]", version, wait);
	wire_clear(&r->wire);
	proto_rpc_session_feed(r->session, batch, strlen(batch));
	ck_assert_str_eq(wire_text(&r->wire), "");
	struct rpc keep = *r;
	proto_rpc_session_free(r->session);
	ck_assert_int_eq(r->fake.cancelled, keep.fake.cancelled + 1);
	ck_assert_ptr_eq(r->fake.waiting, NULL);
	r->session = NULL;
	rpc_free(r);
}
END_TEST

START_TEST(rpc_holds_events_back)
{
	struct rpc *r = rpc_new(PROTO_PRIVILEGE_ADMIN);
	const char *in = "{\"jsonrpc\":\"2.0\",\"method\":\"events.subscribe\",\"id\":1}";
	proto_rpc_session_feed(r->session, in, strlen(in));
	ck_assert_str_eq(wire_text(&r->wire), "{\"jsonrpc\":\"2.0\",\"result\":{\"epoch\":\"e\",\"seq\":0,\"gap\":false},\"id\":1}\n"
					      "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"seq\":1}}\n");
	rpc_free(r);
}
END_TEST

START_TEST(rpc_bounds)
{
	struct rpc *r = rpc_new(PROTO_PRIVILEGE_ADMIN);
	const char *wait = "{\"jsonrpc\":\"2.0\",\"method\":\"machine.wait\",\"params\":{\"name\":\"a\",\"state\":\"stopped\"},\"id\":1}";
	for (int i = 0; i < PROTO_RPC_MAX_CALLS; i++) {
		ck_assert(!r->wire.paused);
		proto_rpc_session_feed(r->session, wait, strlen(wait));
	}
	ck_assert(r->wire.paused);
	/* One that goes on sending anyway is cut off. */
	char junk[65536];
	memset(junk, ' ', sizeof(junk));
	for (int i = 0; i < 40 && !r->wire.closed; i++)
		proto_rpc_session_feed(r->session, junk, sizeof(junk));
	ck_assert(r->wire.closed && r->wire.aborted);
	rpc_free(r);
	/* One that asks and does not read is not read from, until it has read. */
	r = rpc_new(PROTO_PRIVILEGE_ADMIN);
	size_t len = strlen(exchanges[0].in), asked = 0;
	while (!r->wire.paused && r->wire.len < PROTO_MAX_BACKLOG) {
		proto_rpc_session_feed(r->session, exchanges[0].in, len);
		asked++;
	}
	ck_assert(r->wire.paused && !r->wire.closed);
	for (int i = 0; i < 10; i++, asked++)
		proto_rpc_session_feed(r->session, exchanges[0].in, len);
	size_t sent = r->wire.len;
	ck_assert_uint_le(sent, PROTO_MAX_BACKLOG / 4 + strlen(exchanges[0].out));
	proto_rpc_session_sent(r->session, sent);
	ck_assert(!r->wire.paused);
	ck_assert_uint_eq(r->wire.len, asked * strlen(exchanges[0].out));
	rpc_free(r);
	/* Notifications stop well before that. */
	r = rpc_new(PROTO_PRIVILEGE_ADMIN);
	unsigned n = 0;
	while (proto_rpc_session_notify(r->session, "event", json_object()) && n < 1000000)
		n++;
	ck_assert(n < 100000 && !r->wire.closed);
	proto_rpc_session_sent(r->session, r->wire.len);
	ck_assert_int_eq(proto_rpc_session_backlog(r->session), 0);
	ck_assert(proto_rpc_session_notify(r->session, "event", json_object()));
	/* The end of input. */
	proto_rpc_session_eof(r->session);
	ck_assert(r->wire.closed && !r->wire.aborted);
	rpc_free(r);
}
END_TEST

START_TEST(rpc_discovers)
{
	struct rpc *r = rpc_new(PROTO_PRIVILEGE_VIEWER);
	const char *in = "{\"jsonrpc\":\"2.0\",\"method\":\"rpc.discover\",\"id\":1}";
	proto_rpc_session_feed(r->session, in, strlen(in));
	json_t *reply = json_loads(wire_text(&r->wire), 0, NULL), *doc = json_object_get(reply, "result");
	ck_assert_str_eq(json_string_value(json_object_get(doc, "openrpc")), "1.2.6");
	ck_assert_int_eq(json_array_size(json_object_get(doc, "methods")), 6);
	ck_assert(json_object_get(json_object_get(json_object_get(doc, "components"), "schemas"), "MachineDefinition") != NULL);
	json_decref(reply);
	rpc_free(r);
}
END_TEST

/* ---- QMP ---- */

struct machine {
	struct proto_qmp_server *server;
	struct proto_call *waiting;
	uint64_t now, armed;
};

static bool qmp_stop(struct proto_call *call, const struct proto_args_qmp_stop *args, struct vmd_error *err)
{
	struct machine *m = proto_call_opaque(call);
	proto_qmp_emit(m->server, proto_desc_event_qmp_stop, &(struct proto_event_qmp_stop){});
	proto_reply_qmp_stop(call);
	return true;
}

static bool qmp_status(struct proto_call *call, const struct proto_args_qmp_query_status *args, struct vmd_error *err)
{
	proto_reply_qmp_query_status(call, &(struct proto_status_info){ .running = true, .status = PROTO_RUN_STATE_RUNNING });
	return true;
}

static bool qmp_get(struct proto_call *call, const struct proto_args_qmp_qom_get *args, struct vmd_error *err)
{
	struct machine *m = proto_call_opaque(call);
	m->waiting = call;
	return true;
}

static const struct proto_qmp_handlers qmp_handlers = { .stop = qmp_stop, .query_status = qmp_status, .qom_get = qmp_get };

static uint64_t machine_now(void *opaque)
{
	return ((struct machine *)opaque)->now;
}

static void machine_arm(void *opaque, uint64_t at)
{
	((struct machine *)opaque)->armed = at;
}

struct qmp {
	struct machine machine;
	struct proto_service service;
	struct wire wire[2];
	struct proto_qmp_session *session[2];
};

static void qmp_feed(struct qmp *q, unsigned i, const char *text)
{
	wire_clear(&q->wire[i]);
	proto_qmp_session_feed(q->session[i], text, strlen(text));
}

static struct qmp *qmp_new(void)
{
	struct qmp *q = calloc(1, sizeof(*q));
	q->service = (struct proto_service){ .set = &proto_qmp_set, .handlers = &qmp_handlers, .opaque = &q->machine };
	q->machine.server = proto_qmp_server_new(&q->service);
	struct proto_peer peer = { .privilege = PROTO_PRIVILEGE_ADMIN };
	for (unsigned i = 0; i < 2; i++) {
		struct proto_transport t = transport(&q->wire[i]);
		q->session[i] = proto_qmp_session_new(q->machine.server, &t, &peer);
		ck_assert_int_eq(q->wire[i].sends, 1);
		ck_assert_int_eq(strncmp(q->wire[i].out, "{\"QMP\": {\"version\": {\"qemu\": {", 29), 0);
		ck_assert_str_eq(q->wire[i].out + q->wire[i].len - 2, "\r\n");
	}
	return q;
}

static void qmp_free(struct qmp *q)
{
	for (unsigned i = 0; i < 2; i++) {
		proto_qmp_session_free(q->session[i]);
		wire_clear(&q->wire[i]);
	}
	proto_qmp_server_free(q->machine.server);
	free(q);
}

START_TEST(qmp_negotiates)
{
	struct qmp *q = qmp_new();
	qmp_feed(q, 0, "{\"execute\":\"query-status\",\"id\":null}");
	ck_assert_str_eq(wire_text(&q->wire[0]), "{\"id\": null, \"error\": {\"class\": \"CommandNotFound\", \"desc\": "
						 "\"Expecting capabilities negotiation with 'qmp_capabilities'\"}}\r\n");
	qmp_feed(q, 0, "{'execute':'qmp_capabilities','id':{'a':1}}");
	ck_assert_str_eq(wire_text(&q->wire[0]), "{\"return\": {}, \"id\": {\"a\": 1}}\r\n");
	qmp_feed(q, 0, "{\"execute\":\"qmp_capabilities\"}");
	ck_assert(strstr(wire_text(&q->wire[0]), "CommandNotFound") != NULL);
	qmp_feed(q, 0, "{\"execute\":\"query-status\",\"id\":\"\xc3\xa9\"}");
	ck_assert_str_eq(wire_text(&q->wire[0]), "{\"return\": {\"running\": true, \"singlestep\": false, \"status\": \"running\"}, "
						 "\"id\": \"\\u00E9\"}\r\n");
	/* The other client has not negotiated: no events for it. */
	wire_clear(&q->wire[1]);
	qmp_feed(q, 0, "{\"execute\":\"stop\"}");
	ck_assert_int_eq(q->wire[0].sends, 2);
	char *event = strstr(q->wire[0].out, "\"event\": \"STOP\""), *reply = strstr(q->wire[0].out, "\"return\"");
	ck_assert(event && reply && event < reply);
	ck_assert_int_eq(q->wire[1].sends, 0);
	qmp_feed(q, 1, "{\"execute\":\"qmp_capabilities\"}");
	qmp_feed(q, 1, "");
	qmp_feed(q, 0, "{\"execute\":\"stop\"}");
	ck_assert_int_eq(q->wire[1].sends, 1);
	qmp_free(q);
}
END_TEST

static const struct {
	const char *in, *class, *desc;
} qmp_wrong[] = {
	{ "{\"execute\":\"nope\",\"id\":1}", "CommandNotFound", "The command nope has not been found" },
	{ "{\"execute\":\"cont\",\"id\":1}", "CommandNotFound", "The command cont has not been found" },
	{ "{\"execute\":\"stop\",\"foo\":1,\"id\":1}", "GenericError", "QMP input member 'foo' is unexpected" },
	{ "{\"execute\":\"stop\",\"arguments\":1,\"id\":1}", "GenericError", "QMP input member 'arguments' must be an object" },
	{ "{\"execute\":\"stop\",\"arguments\":{\"x\":1},\"id\":1}", "GenericError", "stop: 'x': unknown key" },
	{ "{\"id\":1}", "GenericError", "QMP input lacks member 'execute'" },
	{ "{\"exec-oob\":\"stop\",\"id\":1}", "GenericError", "QMP input member 'exec-oob' is unexpected" },
	{ "[{\"id\":1}]", "GenericError", "QMP input must be a JSON object" },
	{ "{\"execute\":\"stop\"\xff", "GenericError", "JSON parse error, a byte that is not UTF-8" },
};

START_TEST(qmp_refuses)
{
	struct qmp *q = qmp_new();
	qmp_feed(q, 0, "{\"execute\":\"qmp_capabilities\"}");
	qmp_feed(q, 0, qmp_wrong[_i].in);
	json_t *reply = json_loads(wire_text(&q->wire[0]), 0, NULL), *error = json_object_get(reply, "error");
	ck_assert_msg(error != NULL, "%s", wire_text(&q->wire[0]));
	ck_assert_str_eq(json_string_value(json_object_get(error, "class")), qmp_wrong[_i].class);
	ck_assert_str_eq(json_string_value(json_object_get(error, "desc")), qmp_wrong[_i].desc);
	ck_assert(!json_object_get(reply, "id") == (_i >= 7));
	json_decref(reply);
	qmp_feed(q, 0, "{\"execute\":\"query-status\"}");
	ck_assert(strstr(wire_text(&q->wire[0]), "\"return\"") != NULL);
	qmp_free(q);
}
END_TEST

START_TEST(qmp_queues)
{
	struct qmp *q = qmp_new();
	qmp_feed(q, 0, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}");
	qmp_feed(q, 0, "{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/\",\"property\":\"x\"},\"id\":0}");
	/* In band waits its turn, out of band does not. */
	for (int i = 1; i < PROTO_QMP_MAX_CALLS; i++) {
		ck_assert(!q->wire[0].paused);
		qmp_feed(q, 0, "{\"execute\":\"query-status\"}");
		ck_assert_str_eq(wire_text(&q->wire[0]), "");
		if (i < PROTO_QMP_MAX_CALLS - 1) {
			qmp_feed(q, 0, "{\"exec-oob\":\"query-status\",\"id\":\"o\"}");
			ck_assert(strstr(wire_text(&q->wire[0]), "\"id\": \"o\"") != NULL);
		}
	}
	ck_assert(q->wire[0].paused);
	wire_clear(&q->wire[0]);
	proto_reply_qmp_qom_get(q->machine.waiting, json_string("v"));
	ck_assert_int_eq(q->wire[0].sends, PROTO_QMP_MAX_CALLS);
	ck_assert_int_eq(strncmp(q->wire[0].out, "{\"return\": \"v\", \"id\": 0}", 24), 0);
	ck_assert(!q->wire[0].paused);
	/* A call that outlives its client. */
	qmp_feed(q, 0, "{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/\",\"property\":\"x\"},\"id\":0}");
	proto_qmp_session_free(q->session[0]);
	q->session[0] = NULL;
	proto_reply_qmp_qom_get(q->machine.waiting, json_string("v"));
	qmp_free(q);
}
END_TEST

START_TEST(qmp_throttles)
{
	struct qmp *q = qmp_new();
	proto_qmp_server_set_clock(q->machine.server, machine_now, machine_arm, &q->machine);
	qmp_feed(q, 0, "{\"execute\":\"qmp_capabilities\"}");
	wire_clear(&q->wire[0]);
	q->machine.now = 5000;
	for (int i = 0; i < 10; i++) {
		struct proto_event_qmp_rtc_change change = { .offset = i, .qom_path = (char *)"/rtc" };
		proto_qmp_emit(q->machine.server, proto_desc_event_qmp_rtc_change, &change);
		struct proto_event_qmp_vserport_change port = { .id = (char *)(i % 2 ? "a" : "b"), .open = i >= 8 };
		proto_qmp_emit(q->machine.server, proto_desc_event_qmp_vserport_change, &port);
	}
	ck_assert_int_eq(q->wire[0].sends, 3);
	ck_assert_int_eq(q->machine.armed, 6000);
	wire_clear(&q->wire[0]);
	q->machine.now = 6000;
	proto_qmp_server_tick(q->machine.server);
	ck_assert_int_eq(q->wire[0].sends, 3);
	ck_assert(strstr(q->wire[0].out, "\"offset\": 9") != NULL);
	ck_assert(strstr(q->wire[0].out, "\"open\": false") == NULL);
	wire_clear(&q->wire[0]);
	q->machine.now = 7000;
	proto_qmp_server_tick(q->machine.server);
	ck_assert_int_eq(q->wire[0].sends, 0);
	qmp_free(q);
}
END_TEST

START_TEST(qmp_introspects)
{
	struct qmp *q = qmp_new();
	qmp_feed(q, 0, "{\"execute\":\"qmp_capabilities\"}");
	qmp_feed(q, 0, "{\"execute\":\"query-qmp-schema\"}");
	json_t *reply = json_loads(wire_text(&q->wire[0]), 0, NULL), *list = json_object_get(reply, "return"), *v, *m;
	size_t i, j;
	/* Every type that is named is declared, once. */
	json_array_foreach(list, i, v) {
		const char *names[8];
		unsigned n = 0;
		const char *const keys[] = { "arg-type", "ret-type", "element-type" };
		for (unsigned k = 0; k < 3; k++)
			if (json_object_get(v, keys[k]))
				names[n++] = json_string_value(json_object_get(v, keys[k]));
		json_array_foreach(json_object_get(v, "members"), j, m) {
			if (json_object_get(m, "type")) {
				names[0] = json_string_value(json_object_get(m, "type"));
				n = 1;
			}
		}
		for (unsigned k = 0; k < n; k++) {
			unsigned found = 0;
			json_array_foreach(list, j, m) {
				const char *meta = json_string_value(json_object_get(m, "meta-type"));
				found += !strcmp(json_string_value(json_object_get(m, "name")), names[k]) && strcmp(meta, "command") &&
					 strcmp(meta, "event");
			}
			ck_assert_msg(found == 1, "%s: declared %u times", names[k], found);
		}
	}
	json_decref(reply);
	qmp_feed(q, 0, "{\"execute\":\"query-commands\"}");
	ck_assert(strstr(wire_text(&q->wire[0]), "query-status") && !strstr(wire_text(&q->wire[0]), "system_reset"));
	/* The whole schema stays within what clients read as one line. */
	struct proto_qmp_handlers all;
	memset(&all, 0xff, sizeof(all));
	struct proto_service service = { .set = &proto_qmp_set, .handlers = &all };
	json_t *schema = proto_qmp_schema(&service);
	char *text = json_dumps(schema, 0);
	ck_assert_int_lt(strlen(text), 65000);
	free(text);
	json_decref(schema);
	qmp_free(q);
}
END_TEST

/* Noise, cut anywhere, never stops a session for good nor breaks it. */
START_TEST(survives_noise)
{
	static const char *const bits[] = { "{", "}", "[", "]", "\"", "'", "\\", "\n", "\xff", "execute", ":", ",", "1", " ", "\"id\"",
					    "{\"execute\":\"stop\"}", "{\"jsonrpc\":\"2.0\",\"method\":\"daemon.version\",\"id\":1}", "null" };
	srand((unsigned)_i);
	struct qmp *q = qmp_new();
	struct rpc *r = rpc_new(PROTO_PRIVILEGE_ADMIN);
	qmp_feed(q, 0, "{\"execute\":\"qmp_capabilities\"}");
	for (int i = 0; i < 3000; i++) {
		const char *bit = bits[(unsigned)rand() % (sizeof(bits) / sizeof(*bits))];
		qmp_feed(q, 0, bit);
		proto_qmp_session_sent(q->session[0], q->wire[0].len);
		proto_rpc_session_feed(r->session, bit, strlen(bit));
		proto_rpc_session_sent(r->session, r->wire.len);
		wire_clear(&r->wire);
	}
	ck_assert(!q->wire[0].closed && !r->wire.closed);
	qmp_feed(q, 0, "\xff\n{\"execute\":\"query-status\"}");
	ck_assert(strstr(wire_text(&q->wire[0]), "\"return\"") != NULL);
	const char *version = "\x01\n{\"jsonrpc\":\"2.0\",\"method\":\"daemon.version\",\"id\":7}";
	proto_rpc_session_feed(r->session, version, strlen(version));
	ck_assert(strstr(wire_text(&r->wire), "\"id\":7") != NULL);
	qmp_free(q);
	rpc_free(r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sessions");
	TCase *tc = tcase_create("all");
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, cuts_streams, 0, sizeof(streams) / sizeof(*streams));
	tcase_add_test(tc, bounds_streams);
	tcase_add_loop_test(tc, rpc_answers, 0, sizeof(exchanges) / sizeof(*exchanges));
	tcase_add_loop_test(tc, rpc_refuses, 0, sizeof(broken) / sizeof(*broken));
	tcase_add_test(tc, rpc_checks_privilege);
	tcase_add_test(tc, rpc_frames);
	tcase_add_test(tc, rpc_waits);
	tcase_add_test(tc, rpc_holds_events_back);
	tcase_add_test(tc, rpc_bounds);
	tcase_add_test(tc, rpc_discovers);
	tcase_add_test(tc, qmp_negotiates);
	tcase_add_loop_test(tc, qmp_refuses, 0, sizeof(qmp_wrong) / sizeof(*qmp_wrong));
	tcase_add_test(tc, qmp_queues);
	tcase_add_test(tc, qmp_throttles);
	tcase_add_test(tc, qmp_introspects);
	tcase_add_loop_test(tc, survives_noise, 0, 20);
	suite_add_tcase(suite, tc);
	return suite_run(suite, CK_FORK_GETENV);
}
