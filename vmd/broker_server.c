/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon socket: who may connect, what they may do, and their subscriptions.
 *
 * A caller is who SO_PEERCRED says: the broker's own user and root are admins,
 * others have what the most powerful of their groups has, else they may look.
 * A subscriber holds the number of the last event it was sent, and is sent more
 * when its connection has room: one that does not read costs nothing but a gap.
 *
 * Thread: the broker's loop.
 */
#include "vmd/broker_priv.h"

#include "protocol/jsonrpc.h"
#include "vmd/stream_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BACKLOG = 256,
	RESERVED_FOR_ADMINS = 16, /* of BROKER_CLIENTS_MAX */
	ACCEPT_PAUSE_MS = 100,    /* after accept has failed for want of resources */
	CLOSE_MS = 1000,          /* for clients to take their last replies */
	GROUPS_MAX = 1024,
};

struct broker_client {
	struct broker_client *next, **prev;
	struct broker_server *server;
	struct stream *stream;
	struct proto_rpc_session *session;
	bool subscribed, pumping;
	uint64_t seq;                 /* the last event it has been sent or has passed over */
	char (*machines)[STORE_NAME_MAX + 1]; /* only these; NULL: all */
	size_t n_machines;
};

struct broker_server {
	struct broker *broker;
	struct proto_service service;
	int fd;
	char *path; /* to remove at the end; NULL: not ours */
	uv_poll_t poll;
	uv_timer_t timer; /* accepting again, or the end */
	unsigned open_handles;
	struct broker_client *clients;
	size_t n_clients;
	bool accepting, closing;
	void (*closed)(void *opaque);
	void *closed_opaque;
};

/* ---- Events ---- */

static bool wants(const struct broker_client *c, const struct broker_event *e)
{
	if (!c->machines)
		return true;
	for (size_t i = 0; i < c->n_machines; i++)
		if (!strcmp(c->machines[i], e->machine))
			return true;
	return false;
}

/* Sends what the client has not had, as far as there is room. */
static void pump(struct broker_client *c)
{
	const struct broker_events *events = c->server->broker->events;
	const struct broker_event *e;
	if (!c->subscribed || c->pumping || !c->session)
		return;
	c->pumping = true;
	while (c->subscribed && (e = broker_events_after(events, c->seq))) {
		if (e->seq > c->seq + 1) {
			if (!proto_rpc_session_notify(c->session, "event", broker_events_gap(events, c->seq + 1, e->seq - 1)))
				break;
			c->seq = e->seq - 1;
		}
		if (wants(c, e) && !proto_rpc_session_notify(c->session, "event", json_incref(e->params)))
			break;
		c->seq = e->seq;
	}
	c->pumping = false;
}

void broker_server_on_event(struct broker_server *server)
{
	for (struct broker_client *c = server ? server->clients : NULL, *next; c; c = next) {
		next = c->next;
		pump(c);
	}
}

bool broker_client_subscribe(struct proto_call *call, const struct proto_args_events_subscribe *args,
			     struct vmd_error *err)
{
	struct proto_rpc_session *session = proto_call_session(call);
	struct broker_client *c = session ? proto_rpc_session_data(session) : NULL;
	if (!c)
		return vmd_error_set(err, VMD_ERR_UNREACHABLE, 0, "the client has gone");
	const struct broker_events *events = c->server->broker->events;
	char (*machines)[STORE_NAME_MAX + 1] = NULL;
	if (args->n_machines && !(machines = calloc(args->n_machines, sizeof(*machines))))
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	for (size_t i = 0; i < args->n_machines; i++)
		snprintf(machines[i], sizeof(machines[i]), "%s", args->machines[i]);
	free(c->machines);
	c->machines = machines;
	c->n_machines = args->n_machines;
	c->seq = broker_events_last(events);
	bool gap = false;
	if (args->since) {
		const struct broker_event *e = broker_events_after(events, args->since->seq);
		gap = strcmp(args->since->epoch, broker_events_epoch(events)) || args->since->seq > c->seq ||
		      (e && e->seq != args->since->seq + 1);
		if (!strcmp(args->since->epoch, broker_events_epoch(events)) && e)
			c->seq = e->seq - 1;
	}
	c->subscribed = true;
	struct proto_subscription result = { .epoch = (char *)broker_events_epoch(events), .seq = c->seq, .gap = gap };
	proto_reply_events_subscribe(call, &result);
	pump(c);
	return true;
}

void broker_client_unsubscribe(struct proto_call *call)
{
	struct proto_rpc_session *session = proto_call_session(call);
	struct broker_client *c = session ? proto_rpc_session_data(session) : NULL;
	if (c)
		c->subscribed = false;
}

/* ---- A client ---- */

static void transport_send(void *opaque, char *data, size_t len)
{
	struct broker_client *c = opaque;
	stream_send(c->stream, data, len);
}

static void transport_set_reading(void *opaque, bool on)
{
	struct broker_client *c = opaque;
	stream_set_reading(c->stream, on);
}

static void transport_hang_up(void *opaque, bool abort, const char *reason)
{
	struct broker_client *c = opaque;
	if (reason)
		broker_log(&c->server->broker->log, BROKER_LOG_INFO, "process %d is cut off: %s",
			   (int)proto_rpc_session_peer(c->session)->pid, reason);
	stream_close(c->stream, abort);
}

static void on_data(void *opaque, const char *data, size_t len)
{
	struct broker_client *c = opaque;
	proto_rpc_session_feed(c->session, data, len);
}

static void on_eof(void *opaque)
{
	struct broker_client *c = opaque;
	proto_rpc_session_eof(c->session);
}

static void on_sent(void *opaque, size_t n)
{
	struct broker_client *c = opaque;
	proto_rpc_session_sent(c->session, n);
	pump(c);
}

static void finish_if_closed(struct broker_server *server);

static void on_closed(void *opaque)
{
	struct broker_client *c = opaque;
	struct broker_server *server = c->server;
	if (c->next)
		c->next->prev = c->prev;
	*c->prev = c->next;
	server->n_clients--;
	server->broker->idle_since = uv_now(server->broker->loop);
	struct proto_rpc_session *session = c->session;
	c->session = NULL;
	proto_rpc_session_free(session);
	free(c->machines);
	free(c);
	finish_if_closed(server);
}

/* The most that the peer's groups may do. */
static enum proto_privilege privilege_of(const struct broker *b, int fd, uid_t uid, gid_t gid)
{
	enum proto_privilege best = PROTO_PRIVILEGE_VIEWER;
	gid_t *groups = malloc(GROUPS_MAX * sizeof(*groups));
	socklen_t len = GROUPS_MAX * sizeof(*groups);
	size_t n = groups && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0 ? len / sizeof(*groups) : 0;
	if (uid == 0 || uid == geteuid())
		best = PROTO_PRIVILEGE_ADMIN;
	for (size_t i = 0; i < b->config.n_roles; i++) {
		const struct broker_role *role = &b->config.roles[i];
		bool member = role->group == gid;
		for (size_t j = 0; j < n; j++)
			member |= role->group == groups[j];
		if (member && role->privilege > best)
			best = role->privilege;
	}
	free(groups);
	return best;
}

/* Too many: says so, and closes. */
static void refuse(int fd)
{
	char text[256];
	int n = snprintf(text, sizeof(text),
			 "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":%d,\"message\":\"vmd has %d clients already\","
			 "\"data\":{\"class\":\"%s\",\"desc\":\"vmd has %d clients already\"}}}\n",
			 proto_rpc_code(VMD_ERR_LIMIT), BROKER_CLIENTS_MAX, vmd_error_class(VMD_ERR_LIMIT), BROKER_CLIENTS_MAX);
	if (send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		n = 0; /* it has gone already */
	close(fd);
}

static void add_client(struct broker_server *server, int fd)
{
	struct broker *b = server->broker;
	struct proto_peer peer = { 0 };
	struct vmd_error err;
	if (!stream_peer(fd, &peer.pid, &peer.uid, &peer.gid)) {
		close(fd);
		return;
	}
	peer.privilege = privilege_of(b, fd, peer.uid, peer.gid);
	size_t max = BROKER_CLIENTS_MAX - (peer.privilege == PROTO_PRIVILEGE_ADMIN ? 0 : RESERVED_FOR_ADMINS);
	if (server->n_clients >= max) {
		refuse(fd);
		return;
	}
	struct broker_client *c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	c->server = server;
	const struct proto_transport transport = { .send = transport_send, .set_reading = transport_set_reading,
						   .hang_up = transport_hang_up, .opaque = c };
	const struct stream_events events = { .data = on_data, .eof = on_eof, .sent = on_sent, .closed = on_closed,
					      .opaque = c };
	c->session = proto_rpc_session_new(&server->service, &transport, &peer);
	if (!c->session) {
		close(fd);
		free(c);
		return;
	}
	proto_rpc_session_set_data(c->session, c);
	c->stream = stream_new(b->loop, fd, &events, &err);
	if (!c->stream) {
		broker_log_error(&b->log, &err, "a client is turned away");
		proto_rpc_session_free(c->session);
		free(c);
		return;
	}
	c->next = server->clients;
	c->prev = &server->clients;
	if (c->next)
		c->next->prev = &c->next;
	server->clients = c;
	server->n_clients++;
}

/* ---- The listening socket ---- */

static void on_connection(uv_poll_t *poll, int status, int events);

static void on_accept_again(uv_timer_t *timer)
{
	struct broker_server *server = timer->data;
	if (server->accepting)
		uv_poll_start(&server->poll, UV_READABLE, on_connection);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct broker_server *server = poll->data;
	/* A few at a time: those who are there already come first. */
	for (unsigned i = 0; i < 8; i++) {
		int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			add_client(server, fd);
			continue;
		}
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
			broker_log(&server->broker->log, BROKER_LOG_WARNING, "cannot accept a client: %s",
				   strerrordesc_np(errno));
			uv_poll_stop(poll);
			uv_timer_start(&server->timer, on_accept_again, ACCEPT_PAUSE_MS, 0);
		}
		return;
	}
}

void broker_server_accept(struct broker_server *server)
{
	server->accepting = true;
	uv_poll_start(&server->poll, UV_READABLE, on_connection);
}

struct broker_server *broker_server_new(struct broker *b, struct vmd_error *err)
{
	struct broker_server *server = calloc(1, sizeof(*server));
	if (!server) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		return NULL;
	}
	server->broker = b;
	server->service = (struct proto_service){ .set = &proto_daemon_set, .handlers = &broker_handlers, .opaque = b };
	server->fd = b->config.listen_fd;
	if (server->fd < 0) {
		server->path = strdup(b->socket_path);
		server->fd = server->path ? broker_listen(&b->dirs, server->path, true, BACKLOG, err) : -1;
	}
	if (server->fd < 0) {
		free(server->path);
		free(server);
		return NULL;
	}
	fcntl(server->fd, F_SETFL, fcntl(server->fd, F_GETFL) | O_NONBLOCK);
	int rc = uv_poll_init(b->loop, &server->poll, server->fd);
	if (rc) {
		vmd_error_set(err, VMD_ERR_IO, -rc, "cannot watch the socket %s", b->socket_path);
		close(server->fd);
		free(server->path);
		free(server);
		return NULL;
	}
	uv_timer_init(b->loop, &server->timer);
	server->poll.data = server->timer.data = server;
	server->open_handles = 2;
	return server;
}

size_t broker_server_clients(const struct broker_server *server)
{
	return server->n_clients;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct broker_server *server = handle->data;
	if (--server->open_handles)
		return;
	void (*closed)(void *opaque) = server->closed;
	void *opaque = server->closed_opaque;
	close(server->fd);
	if (server->path)
		unlink(server->path);
	free(server->path);
	free(server);
	closed(opaque);
}

static void finish_if_closed(struct broker_server *server)
{
	if (!server->closing || server->n_clients || uv_is_closing((uv_handle_t *)&server->poll))
		return;
	uv_close((uv_handle_t *)&server->poll, on_handle_closed);
	uv_close((uv_handle_t *)&server->timer, on_handle_closed);
}

static void close_clients(struct broker_server *server, bool abort)
{
	for (struct broker_client *c = server->clients, *next; c; c = next) {
		next = c->next;
		stream_close(c->stream, abort);
	}
}

static void on_close_deadline(uv_timer_t *timer)
{
	close_clients(timer->data, true);
}

void broker_server_close(struct broker_server *server, void (*closed)(void *opaque), void *opaque)
{
	server->accepting = false;
	server->closing = true;
	server->closed = closed;
	server->closed_opaque = opaque;
	uv_poll_stop(&server->poll);
	close_clients(server, false);
	uv_timer_start(&server->timer, on_close_deadline, CLOSE_MS, 0);
	finish_if_closed(server);
}
