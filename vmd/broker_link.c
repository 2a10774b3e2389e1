/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The broker's QMP connection to one machine process.
 *
 * The process may be hung, stopped or hostile: every wait has a deadline, a line
 * and the number of pending commands have limits, and the link keeps trying until
 * it is freed. It is "up" while it is negotiated and the process answers in time;
 * a command that is not answered makes it "down" until anything arrives again.
 *
 * Callbacks may free the link; its memory goes when its handles have closed, so
 * after each callback only `dead` is looked at.
 *
 * Thread: the broker's loop.
 */
#include "vmd/broker_priv.h"

#include <stdlib.h>
#include <string.h>

enum {
	LINE_MAX_BYTES = 1 << 20,
	PENDING_MAX = 128,
	RETRY_MS = 200,     /* between attempts to connect */
	NEGOTIATE_MS = 1500 /* for greeting and capabilities, before it counts as down */
};

enum phase { WAITING, CONNECTING, NEGOTIATING, READY };

struct pending {
	struct pending *next;
	json_int_t id;
	uint64_t deadline; /* loop time */
	broker_link_fn *fn;
	void *opaque;
};

/* One connection; outlives the link until it is closed. */
struct wire {
	uv_pipe_t pipe;
	uv_connect_t connect;
	struct broker_link *link; /* NULL: abandoned */
	char *in;
	size_t len, cap;
};

struct write {
	uv_write_t req;
	char *text;
};

struct broker_link {
	uv_loop_t *loop;
	char *path;
	const struct broker_link_ops *ops;
	void *opaque;
	enum phase phase;
	bool silent;  /* a deadline has passed and nothing came since */
	bool told_up; /* what ops was told last */
	bool dead;
	struct wire *wire;
	uv_timer_t timer;
	uint64_t phase_deadline; /* 0: none */
	struct pending *pending; /* in the order sent */
	unsigned n_pending;
	json_int_t next_id;
};

static void try_to_connect(struct broker_link *l);
static void on_timer(uv_timer_t *timer);

/* Sets the timer to the nearest deadline. */
static void arm(struct broker_link *l)
{
	uint64_t at = l->phase_deadline, now = uv_now(l->loop);
	for (const struct pending *p = l->pending; p; p = p->next)
		if (!at || p->deadline < at)
			at = p->deadline;
	if (at)
		uv_timer_start(&l->timer, on_timer, at > now ? at - now : 0, 0);
	else
		uv_timer_stop(&l->timer);
}

static void tell(struct broker_link *l)
{
	bool up = broker_link_is_up(l);
	if (up == l->told_up)
		return;
	l->told_up = up;
	if (up)
		l->ops->up(l->opaque);
	else
		l->ops->down(l->opaque, l->phase == READY);
}

/* Ends one pending command. */
static void settle(struct broker_link *l, struct pending **at, json_t *result, const struct vmd_error *err)
{
	struct pending *p = *at;
	*at = p->next;
	l->n_pending--;
	if (p->fn)
		p->fn(p->opaque, result, err);
	free(p);
}

static void on_wire_closed(uv_handle_t *handle)
{
	struct wire *w = handle->data;
	free(w->in);
	free(w);
}

static void drop_wire(struct broker_link *l)
{
	if (!l->wire)
		return;
	l->wire->link = NULL;
	uv_close((uv_handle_t *)&l->wire->pipe, on_wire_closed);
	l->wire = NULL;
}

/* The connection is gone: everything pending fails, and a new attempt follows. */
static void disconnect(struct broker_link *l)
{
	struct vmd_error err;
	vmd_error_set(&err, VMD_ERR_UNREACHABLE, 0, "the machine process has closed its QMP connection");
	drop_wire(l);
	l->phase = WAITING;
	l->phase_deadline = uv_now(l->loop) + RETRY_MS;
	while (l->pending && !l->dead)
		settle(l, &l->pending, NULL, &err);
	if (l->dead)
		return;
	arm(l);
	if (!l->told_up && !l->silent) {
		l->silent = true;
		l->ops->down(l->opaque, false);
	} else {
		tell(l);
	}
}

static void on_written(uv_write_t *req, int status)
{
	struct write *w = (struct write *)req;
	free(w->text);
	free(w);
}

static bool send_json(struct broker_link *l, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	struct write *w = text ? malloc(sizeof(*w)) : NULL;
	json_decref(json);
	if (!w) {
		free(text);
		return false;
	}
	size_t len = strlen(text);
	text[len] = '\n'; /* over the NUL: written by length */
	w->text = text;
	uv_buf_t buf = uv_buf_init(text, (unsigned)len + 1);
	if (uv_write(&w->req, (uv_stream_t *)&l->wire->pipe, &buf, 1, on_written)) {
		free(text);
		free(w);
		return false;
	}
	return true;
}

static void on_reply(struct broker_link *l, json_t *message)
{
	const json_t *id = json_object_get(message, "id");
	json_t *result = json_object_get(message, "return");
	struct pending **at = &l->pending;
	while (*at && !(json_is_integer(id) && json_integer_value(id) == (*at)->id))
		at = &(*at)->next;
	if (!*at)
		return; /* the answer to a command that was given up */
	struct vmd_error err;
	if (!result) {
		const char *class = "GenericError", *desc = "the machine process gave an error without a reason";
		json_unpack(json_object_get(message, "error"), "{s:s, s:s}", "class", &class, "desc", &desc);
		enum vmd_error_code code = !strcmp(class, "DeviceNotFound") ? VMD_ERR_NOT_FOUND :
					   !strcmp(class, "CommandNotFound") ? VMD_ERR_UNSUPPORTED :
									      vmd_error_code_of(class);
		vmd_error_set(&err, code, 0, "%s", desc);
	}
	settle(l, at, result, result ? NULL : &err);
}

static void on_message(struct broker_link *l, json_t *message)
{
	const char *name = json_string_value(json_object_get(message, "event"));
	if (l->phase == NEGOTIATING) {
		if (json_object_get(message, "QMP")) {
			if (!send_json(l, json_pack("{s:s, s:i}", "execute", "qmp_capabilities", "id", 0)))
				disconnect(l);
			return;
		}
		if (!json_object_get(message, "return"))
			return;
		l->phase = READY;
		l->phase_deadline = 0;
		l->silent = false;
		arm(l);
		tell(l);
		return;
	}
	if (l->silent) {
		l->silent = false;
		tell(l);
		if (l->dead)
			return;
	}
	if (name)
		l->ops->event(l->opaque, name, json_object_get(message, "data"));
	else
		on_reply(l, message);
}

/* Takes whole lines out of the wire's buffer. */
static void take_lines(struct wire *w)
{
	size_t at = 0;
	while (w->link) {
		char *end = memchr(w->in + at, '\n', w->len - at);
		if (!end)
			break;
		size_t len = (size_t)(end - (w->in + at));
		json_t *message = len ? json_loadb(w->in + at, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
		at += len + 1;
		if (json_is_object(message))
			on_message(w->link, message);
		else if (len > 1)
			disconnect(w->link); /* that is no QMP */
		json_decref(message);
	}
	if (!w->link)
		return;
	memmove(w->in, w->in + at, w->len - at);
	w->len -= at;
	if (w->len >= LINE_MAX_BYTES)
		disconnect(w->link);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct wire *w = handle->data;
	if (w->cap - w->len < 4096) {
		size_t cap = w->cap ? w->cap * 2 : 16384;
		char *in = realloc(w->in, cap);
		if (!in) {
			*buf = uv_buf_init(NULL, 0); /* read_cb gets UV_ENOBUFS */
			return;
		}
		w->in = in;
		w->cap = cap;
	}
	*buf = uv_buf_init(w->in + w->len, (unsigned)(w->cap - w->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct wire *w = stream->data;
	if (!w->link)
		return;
	if (n < 0) {
		disconnect(w->link);
		return;
	}
	w->len += (size_t)n;
	take_lines(w);
}

static void on_connect(uv_connect_t *req, int status)
{
	struct wire *w = req->data;
	struct broker_link *l = w->link;
	if (!l)
		return;
	if (status < 0 || uv_read_start((uv_stream_t *)&w->pipe, on_alloc, on_read)) {
		disconnect(l);
		return;
	}
	l->phase = NEGOTIATING;
}

static void try_to_connect(struct broker_link *l)
{
	struct wire *w = calloc(1, sizeof(*w));
	l->phase_deadline = uv_now(l->loop) + NEGOTIATE_MS;
	if (!w || uv_pipe_init(l->loop, &w->pipe, 0)) {
		free(w);
		arm(l); /* tries again then */
		return;
	}
	w->pipe.data = w->connect.data = w;
	w->link = l;
	l->wire = w;
	l->phase = CONNECTING;
	arm(l);
	uv_pipe_connect(&w->connect, &w->pipe, l->path, on_connect);
}

static void on_timer(uv_timer_t *timer)
{
	struct broker_link *l = timer->data;
	uint64_t now = uv_now(l->loop);
	struct vmd_error err;
	if (l->phase_deadline && now >= l->phase_deadline) {
		l->phase_deadline = 0;
		if (l->phase == WAITING) {
			try_to_connect(l);
		} else {
			/* It does not answer. The connection stays: it may yet. */
			bool first = !l->silent;
			l->silent = true;
			if (first && !l->told_up)
				l->ops->down(l->opaque, true);
			else
				tell(l);
		}
		if (l->dead)
			return;
	}
	for (const struct pending *p = l->pending; p; p = p->next)
		l->silent |= p->deadline <= now;
	tell(l);
	if (l->dead)
		return;
	vmd_error_set(&err, VMD_ERR_TIMEOUT, 0, "the machine process did not answer in time");
	vmd_error_hint(&err, "it may be stopped or stuck; 'vmctl kill' ends it");
	for (struct pending **at = &l->pending; *at;) {
		if ((*at)->deadline > now) {
			at = &(*at)->next;
			continue;
		}
		settle(l, at, NULL, &err);
		if (l->dead)
			return;
		at = &l->pending; /* the callback may have changed the list */
	}
	arm(l);
}

struct broker_link *broker_link_new(uv_loop_t *loop, const char *path, const struct broker_link_ops *ops, void *opaque,
				    struct vmd_error *err)
{
	struct broker_link *l = calloc(1, sizeof(*l));
	if (l)
		l->path = strdup(path);
	if (!l || !l->path || uv_timer_init(loop, &l->timer)) {
		free(l ? l->path : NULL);
		free(l);
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		return NULL;
	}
	l->loop = loop;
	l->ops = ops;
	l->opaque = opaque;
	l->next_id = 1;
	l->timer.data = l;
	try_to_connect(l);
	return l;
}

bool broker_link_is_up(const struct broker_link *l)
{
	return l->phase == READY && !l->silent;
}

static bool keep_pending(struct broker_link *l, uint64_t deadline, broker_link_fn *fn, void *opaque, json_int_t *ret_id)
{
	struct pending *p = malloc(sizeof(*p));
	if (!p)
		return false;
	*p = (struct pending){ .id = l->next_id++, .deadline = deadline, .fn = fn, .opaque = opaque };
	struct pending **end = &l->pending;
	while (*end)
		end = &(*end)->next;
	*end = p;
	l->n_pending++;
	*ret_id = p->id;
	return true;
}

bool broker_link_execute(struct broker_link *l, const char *command, json_t *args, unsigned timeout_ms,
			 broker_link_fn *fn, void *opaque, struct vmd_error *err)
{
	json_int_t id;
	if (l->phase != READY || l->n_pending >= PENDING_MAX) {
		json_decref(args);
		return l->phase != READY ?
			       vmd_error_set(err, VMD_ERR_UNREACHABLE, 0, "the machine process does not answer") :
			       vmd_error_set(err, VMD_ERR_BUSY, 0, "the machine process has %d commands to answer", PENDING_MAX);
	}
	if (!keep_pending(l, uv_now(l->loop) + timeout_ms, fn, opaque, &id)) {
		json_decref(args);
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	}
	json_t *message = json_pack("{s:s, s:I}", "execute", command, "id", id);
	if (args)
		json_object_set_new(message, "arguments", args);
	/* A command that cannot be written is answered by its deadline or the disconnection. */
	send_json(l, message);
	arm(l);
	return true;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct broker_link *l = handle->data;
	free(l->path);
	free(l);
}

void broker_link_free(struct broker_link *l)
{
	if (!l || l->dead)
		return;
	l->dead = true;
	drop_wire(l);
	struct vmd_error err;
	vmd_error_set(&err, VMD_ERR_UNREACHABLE, 0, "the machine process has ended");
	while (l->pending)
		settle(l, &l->pending, NULL, &err);
	uv_close((uv_handle_t *)&l->timer, on_timer_closed);
}
