/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's QMP socket: any number of clients, each a session of its own.
 * Nothing here waits on a vCPU. Thread: I/O.
 */
#include "vmd/machine_priv.h"

#include "protocol/qmp_server.h"
#include "vmd/stream_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MAX_CLIENTS = 256,
	ACCEPT_AT_ONCE = 8,    /* those who are there already come first */
	ACCEPT_PAUSE_MS = 100, /* after accept has failed for want of resources */
};

struct client {
	struct machine_monitor *monitor;
	struct client *next, **link;
	struct stream *stream;
	struct proto_qmp_session *session;
	bool hung_up;
};

struct machine_monitor {
	struct machine *m;
	struct proto_service service;
	struct proto_qmp_server *server;
	uv_poll_t listener;
	uv_timer_t tick;
	uv_timer_t again; /* accepting, after a pause */
	unsigned open_handles;
	int listen_fd;
	struct client *clients;
	unsigned n_clients;
	bool closing;
};

static void free_if_empty(struct machine_monitor *mon)
{
	if (!mon->closing || mon->open_handles > 0 || mon->clients)
		return;
	proto_qmp_server_free(mon->server);
	close(mon->listen_fd);
	free(mon);
}

/* ---- One client ---- */

static void on_fd(void *opaque, int fd)
{
	proto_qmp_session_give_fd(((struct client *)opaque)->session, fd);
}

static void on_data(void *opaque, const char *data, size_t len)
{
	proto_qmp_session_feed(((struct client *)opaque)->session, data, len);
}

static void on_eof(void *opaque)
{
	proto_qmp_session_eof(((struct client *)opaque)->session);
}

static void on_sent(void *opaque, size_t n)
{
	struct client *c = opaque;
	if (!c->hung_up)
		proto_qmp_session_sent(c->session, n);
}

static void on_closed(void *opaque)
{
	struct client *c = opaque;
	struct machine_monitor *mon = c->monitor;
	proto_qmp_session_free(c->session);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	mon->n_clients--;
	free(c);
	free_if_empty(mon);
}

static void transport_send(void *opaque, char *data, size_t len)
{
	stream_send(((struct client *)opaque)->stream, data, len);
}

static void transport_set_reading(void *opaque, bool on)
{
	stream_set_reading(((struct client *)opaque)->stream, on);
}

static void transport_hang_up(void *opaque, bool abort, const char *reason)
{
	struct client *c = opaque;
	c->hung_up = true;
	if (reason)
		fprintf(stderr, "QMP client: %s\n", reason);
	stream_close(c->stream, abort);
}

static void add_client(struct machine_monitor *mon, int fd)
{
	struct proto_peer peer = { .privilege = PROTO_PRIVILEGE_ADMIN };
	struct client *c = mon->n_clients < MAX_CLIENTS ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		close(fd);
		return;
	}
	stream_peer(fd, &peer.pid, &peer.uid, &peer.gid);
	c->monitor = mon;
	struct stream_events events = { on_fd, on_data, on_eof, on_sent, on_closed, c };
	c->stream = stream_new(mon->m->loop, fd, &events, NULL);
	if (!c->stream) {
		free(c);
		return;
	}
	c->next = mon->clients;
	c->link = &mon->clients;
	if (c->next)
		c->next->link = &c->next;
	mon->clients = c;
	mon->n_clients++;
	struct proto_transport transport = { transport_send, transport_set_reading, transport_hang_up, c };
	c->session = proto_qmp_session_new(mon->server, &transport, &peer);
	if (!c->session) {
		c->hung_up = true;
		stream_close(c->stream, true);
	}
}

static void on_listener(uv_poll_t *poll, int status, int events);

static void on_again(uv_timer_t *timer)
{
	uv_poll_start(&((struct machine_monitor *)timer->data)->listener, UV_READABLE, on_listener);
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
	struct machine_monitor *mon = poll->data;
	for (unsigned i = 0; i < ACCEPT_AT_ONCE; i++) {
		int fd = accept4(mon->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			add_client(mon, fd);
			continue;
		}
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
			fprintf(stderr, "QMP: cannot accept a client: %s\n", strerror(errno));
			uv_poll_stop(poll);
			uv_timer_start(&mon->again, on_again, ACCEPT_PAUSE_MS, 0);
		}
		return;
	}
}

/* ---- Rate-limited events ---- */

static uint64_t now_ms(void *opaque)
{
	return uv_now(((struct machine_monitor *)opaque)->m->loop);
}

static void on_tick(uv_timer_t *timer)
{
	proto_qmp_server_tick(((struct machine_monitor *)timer->data)->server);
}

static void arm_tick(void *opaque, uint64_t at)
{
	struct machine_monitor *mon = opaque;
	uint64_t now = uv_now(mon->m->loop);
	uv_timer_start(&mon->tick, on_tick, at > now ? at - now : 0, 0);
}

/* ---- The monitor ---- */

static void handle_closed(uv_handle_t *handle)
{
	struct machine_monitor *mon = handle->data;
	mon->open_handles--;
	free_if_empty(mon);
}

struct machine_monitor *machine_monitor_new(struct machine *m, int listen_fd, struct vmd_error *err)
{
	struct machine_monitor *mon = calloc(1, sizeof(*mon));
	if (!mon) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		return NULL;
	}
	mon->m = m;
	mon->listen_fd = listen_fd;
	mon->service = (struct proto_service){ .set = &proto_qmp_set, .handlers = &machine_qmp_handlers, .opaque = m };
	mon->server = proto_qmp_server_new(&mon->service);
	int rc = mon->server ? uv_poll_init(m->loop, &mon->listener, listen_fd) : UV_ENOMEM;
	if (rc) {
		vmd_error_set(err, VMD_ERR_IO, -rc, "cannot serve the QMP socket");
		if (mon->server)
			proto_qmp_server_free(mon->server);
		free(mon);
		return NULL;
	}
	uv_timer_init(m->loop, &mon->tick);
	uv_timer_init(m->loop, &mon->again);
	mon->open_handles = 3;
	mon->listener.data = mon->tick.data = mon->again.data = mon;
	proto_qmp_server_set_clock(mon->server, now_ms, arm_tick, mon);
	uv_poll_start(&mon->listener, UV_READABLE, on_listener);
	return mon;
}

void machine_monitor_emit(struct machine_monitor *mon, const struct proto_event_desc *event, const void *data)
{
	if (mon)
		proto_qmp_emit(mon->server, event, data);
}

void machine_monitor_free(struct machine_monitor *mon)
{
	if (!mon)
		return;
	mon->closing = true;
	proto_qmp_server_hang_up(mon->server);
	uv_close((uv_handle_t *)&mon->listener, handle_closed);
	uv_close((uv_handle_t *)&mon->tick, handle_closed);
	uv_close((uv_handle_t *)&mon->again, handle_closed);
}
