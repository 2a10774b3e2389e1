/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The broker as a whole: its parts in the order they come up and go down.
 *
 *	directories and lock -> definitions -> machine processes found again ->
 *	the socket is there -> their states are known (or late) -> clients come in
 *
 * Thread: the loop's.
 */
#include "vmd/broker_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	TIDY_MS = 5000,
	ADOPT_MS = 1800, /* clients are let in by then, whatever machine processes do */
};

static void on_event(void *opaque)
{
	struct broker *b = opaque;
	broker_server_on_event(b->server);
}

/* ---- What is done now and then ---- */

static bool is_idle(const struct broker *b)
{
	if (b->jobs || broker_server_clients(b->server))
		return false;
	for (size_t i = 0; i < b->n_machines; i++)
		if (b->machines[i]->run || b->machines[i]->again)
			return false;
	return true;
}

static void on_tidy(uv_timer_t *timer)
{
	struct broker *b = timer->data;
	for (size_t i = 0; i < b->n_machines; i++)
		if (b->machines[i]->run)
			broker_logs_trim(&b->dirs, b->machines[i]->name);
	uint64_t now = uv_now(b->loop);
	if (!is_idle(b))
		b->idle_since = now;
	else if (b->config.idle_exit && now - b->idle_since >= b->config.idle_exit * UINT64_C(1000)) {
		broker_log(&b->log, BROKER_LOG_INFO, "nothing to do for %u seconds: ending", b->config.idle_exit);
		broker_stop(b);
	}
}

/* ---- Up ---- */

static void let_in(struct broker *b)
{
	if (b->open || b->stopping)
		return;
	b->open = true;
	uv_timer_start(&b->tidy, on_tidy, TIDY_MS, TIDY_MS);
	broker_server_accept(b->server);
	if (b->config.ready)
		b->config.ready(b->config.opaque);
}

void broker_adopted(struct broker *b)
{
	if (b->server)
		let_in(b);
}

static void on_adopt_deadline(uv_timer_t *timer)
{
	let_in(timer->data);
}

static void free_parts(struct broker *b)
{
	broker_machines_free(b);
	broker_events_free(b->events);
	broker_dirs_fini(&b->dirs);
	broker_log_fini(&b->log);
	free(b->socket_path);
	free(b);
}

static void on_failed_closed(uv_handle_t *handle)
{
	free_parts(handle->data);
}

struct broker *broker_new(uv_loop_t *loop, const struct broker_config *config, struct vmd_error *err)
{
	struct broker *b = calloc(1, sizeof(*b));
	if (!b) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		return NULL;
	}
	umask(077);
	b->loop = loop;
	b->config = *config;
	b->started = broker_now();
	b->idle_since = uv_now(loop);
	b->dirs = broker_dirs_none();
	uv_timer_init(loop, &b->tidy);
	b->tidy.data = b;
	b->events = broker_events_new(on_event, b);
	if (!b->events) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		goto fail;
	}
	/* The log after the directories: it may be in one of them. */
	if (!broker_dirs_init(&b->dirs, config, err) || !broker_log_init(&b->log, config->log, err))
		goto fail;
	if (config->socket ? !(b->socket_path = strdup(config->socket)) :
			     asprintf(&b->socket_path, "%s/vmd.sock", b->dirs.runtime) < 0) {
		b->socket_path = NULL;
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		goto fail;
	}
	if (!broker_machines_load(b, err))
		goto fail;
	broker_runs_adopt_all(b);
	b->server = broker_server_new(b, err);
	if (!b->server)
		goto fail;
	/* From the loop, so that the caller has its pointer before it is called back. */
	uv_timer_start(&b->tidy, on_adopt_deadline, b->adopting ? ADOPT_MS : 0, 0);
	return b;
fail:
	b->stopping = true;
	uv_close((uv_handle_t *)&b->tidy, on_failed_closed);
	uv_run(loop, UV_RUN_NOWAIT);
	return NULL;
}

/* ---- Down ---- */

static void on_server_closed(void *opaque)
{
	struct broker *b = opaque;
	b->server = NULL;
	uv_stop(b->loop);
}

void broker_stop(struct broker *b)
{
	if (b->stopping)
		return;
	b->stopping = true;
	broker_log(&b->log, BROKER_LOG_INFO, "ending; machines go on");
	uv_timer_stop(&b->tidy);
	broker_server_close(b->server, on_server_closed, b);
}

static void on_tidy_closed(uv_handle_t *handle)
{
	struct broker *b = handle->data;
	b->tidy_closed = true;
}

void broker_free(struct broker *b)
{
	if (!b)
		return;
	broker_stop(b);
	while (b->server)
		uv_run(b->loop, UV_RUN_ONCE);
	broker_machines_free(b);
	uv_close((uv_handle_t *)&b->tidy, on_tidy_closed);
	/* Jobs on the pool use the directories. */
	while (b->jobs || !b->tidy_closed)
		uv_run(b->loop, UV_RUN_ONCE);
	uv_run(b->loop, UV_RUN_NOWAIT);
	free_parts(b);
}

void broker_reopen_logs(struct broker *b)
{
	broker_log_reopen(&b->log);
}
