/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hub: a chardev's output ring, its frontend, and its end.
 *
 * The guest's side (functions marked [any] in chardev.h) only copies bytes under
 * a leaf lock, sets flags and wakes the loop; everything else happens on the I/O
 * thread with no lock held around calls of the frontend or the backend.
 *
 * Invariants: hold <= total <= hold + ring_size; hold <= backend_pos when the
 * kind takes output; a passive chardev (no backend that takes output, no console
 * client) has hold == total.
 */
#include "backends/chardev_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long what is queued may take to leave when a chardev ends. */
#define CLOSE_MS 2000
#define CHUNK 16384

/* ---- Lifetime of the memory ---- */

void chardev_hold(struct backends_chardev *chr)
{
	chr->handles++;
}

void chardev_release(struct backends_chardev *chr)
{
	assert(chr->handles > 0);
	if (--chr->handles > 0)
		return;
	pthread_mutex_destroy(&chr->lock);
	free(chr->state);
	free(chr->ring);
	free(chr->id);
	free(chr);
}

static void on_handle_closed(uv_handle_t *handle)
{
	chardev_release(handle->data);
}

void chardev_close_handle(struct backends_chardev *chr, uv_handle_t *handle)
{
	if (uv_is_closing(handle))
		return;
	handle->data = chr;
	uv_close(handle, on_handle_closed);
}

static void finish(struct backends_chardev *chr)
{
	chr->finished = true;
	if (chr->cls->ops->close)
		chr->cls->ops->close(chr);
	chardev_console_close(chr->console);
	chr->console = NULL;
	chardev_close_handle(chr, (uv_handle_t *)&chr->deadline);
	chardev_close_handle(chr, (uv_handle_t *)&chr->async);
}

/* ---- Output ---- */

uint64_t chardev_total(struct backends_chardev *chr)
{
	pthread_mutex_lock(&chr->lock);
	uint64_t total = chr->total;
	pthread_mutex_unlock(&chr->lock);
	return total;
}

size_t chardev_peek(struct backends_chardev *chr, uint64_t *pos, void *buf, size_t len, uint64_t *ret_lost)
{
	size_t at, first;
	uint64_t lost = 0;

	pthread_mutex_lock(&chr->lock);
	if (chr->total - *pos > chr->ring_size) {
		lost = chr->total - *pos - chr->ring_size;
		*pos += lost;
	}
	if (len > chr->total - *pos)
		len = (size_t)(chr->total - *pos);
	at = *pos & (chr->ring_size - 1);
	first = len < chr->ring_size - at ? len : chr->ring_size - at;
	memcpy(buf, chr->ring + at, first);
	memcpy((uint8_t *)buf + first, chr->ring, len - first);
	pthread_mutex_unlock(&chr->lock);
	*pos += len;
	if (ret_lost)
		*ret_lost = lost;
	return len;
}

/* Appends with the lock held; returns how much there was room for. */
static size_t append(struct backends_chardev *chr, const uint8_t *buf, size_t len)
{
	size_t room = chr->ring_size - (size_t)(chr->total - chr->hold), at, first;

	if (chr->passive && len > chr->ring_size) {
		/* Only the last of it can ever be seen. */
		chr->total += len - chr->ring_size;
		append(chr, buf + (len - chr->ring_size), chr->ring_size);
		return len;
	}
	if (!chr->passive && len > room)
		len = room;
	at = chr->total & (chr->ring_size - 1);
	first = len < chr->ring_size - at ? len : chr->ring_size - at;
	memcpy(chr->ring + at, buf, first);
	memcpy(chr->ring, buf + first, len - first);
	chr->total += len;
	if (chr->passive)
		chr->hold = chr->total;
	return len;
}

size_t backends_chardev_write(struct backends_chardev *chr, const uint8_t *buf, size_t len)
{
	size_t n;
	bool wake;

	pthread_mutex_lock(&chr->lock);
	n = append(chr, buf, len);
	if (n < len)
		chr->want_writable = true;
	wake = !chr->passive;
	pthread_mutex_unlock(&chr->lock);
	if (wake)
		chardev_wake(chr);
	return n;
}

static void pump_backend(struct backends_chardev *chr)
{
	uint8_t buf[CHUNK];

	for (;;) {
		uint64_t pos = chr->backend_pos;
		size_t len = chardev_peek(chr, &pos, buf, sizeof(buf), NULL), n;

		if (len == 0)
			break;
		n = chr->cls->ops->output(chr, buf, len);
		chr->backend_pos += n;
		if (n < len)
			break;
	}
}

static void pump_output(struct backends_chardev *chr)
{
	uint64_t hold = chardev_total(chr);
	bool writable;

	if (chr->console)
		chardev_console_output(chr->console);
	if (chr->cls->ops->output)
		pump_backend(chr);

	if (chr->cls->ops->output && chr->backend_pos < hold)
		hold = chr->backend_pos;
	if (chr->console)
		hold = chardev_console_hold(chr->console, hold);

	pthread_mutex_lock(&chr->lock);
	chr->passive = !chr->cls->ops->output && (!chr->console || chardev_console_n_clients(chr->console) == 0);
	chr->hold = chr->passive ? chr->total : hold > chr->hold ? hold : chr->hold;
	writable = chr->want_writable && chr->total - chr->hold < chr->ring_size;
	if (writable)
		chr->want_writable = false;
	pthread_mutex_unlock(&chr->lock);
	if (writable && chr->fe_attached && chr->fe.writable)
		chr->fe.writable(chr->fe.opaque);
}

/* ---- Input ---- */

size_t chardev_can_receive(struct backends_chardev *chr)
{
	return chr->fe_attached ? chr->fe.can_receive(chr->fe.opaque) : 0;
}

void chardev_receive(struct backends_chardev *chr, const uint8_t *buf, size_t len)
{
	if (chr->fe_attached)
		chr->fe.receive(chr->fe.opaque, buf, len);
}

void chardev_break(struct backends_chardev *chr)
{
	if (chr->fe_attached && chr->fe.event)
		chr->fe.event(chr->fe.opaque, BACKENDS_CHARDEV_BREAK);
}

static void pump_input(struct backends_chardev *chr)
{
	if (chr->cls->ops->input)
		chr->cls->ops->input(chr, chardev_can_receive(chr) > 0);
	if (chr->console)
		chardev_console_input(chr->console);
}

/* A console writer is somebody on the other side, too. */
static void tell_open(struct backends_chardev *chr)
{
	pid_t pid;
	uid_t uid;
	bool open = chr->backend_open || (chr->console && chardev_console_writer(chr->console, &pid, &uid));

	if (!chr->fe_attached || open == chr->fe_told_open)
		return;
	chr->fe_told_open = open;
	if (chr->fe.event)
		chr->fe.event(chr->fe.opaque, open ? BACKENDS_CHARDEV_OPENED : BACKENDS_CHARDEV_CLOSED);
}

/* ---- The loop's side ---- */

void chardev_wake(struct backends_chardev *chr)
{
	if (!atomic_exchange(&chr->awake, true))
		uv_async_send(&chr->async);
}

static bool drained(struct backends_chardev *chr)
{
	if (chr->console && !chardev_console_ended(chr->console))
		return false;
	if (!chr->cls->ops->output)
		return true;
	return chr->backend_pos == chardev_total(chr) && (!chr->cls->ops->drained || chr->cls->ops->drained(chr));
}

static void on_async(uv_async_t *async)
{
	struct backends_chardev *chr = async->data;

	atomic_store(&chr->awake, false);
	if (chr->finished)
		return;
	tell_open(chr);
	pump_output(chr);
	pump_input(chr);
	if (chr->closing && drained(chr))
		finish(chr);
}

static void on_deadline(uv_timer_t *timer)
{
	struct backends_chardev *chr = timer->data;

	if (!chr->finished)
		finish(chr);
}

void chardev_set_backend_open(struct backends_chardev *chr, bool open)
{
	chr->backend_open = open;
	chardev_wake(chr);
}

void chardev_trouble(struct backends_chardev *chr, const struct vmd_error *err)
{
	if (chr->host.trouble)
		chr->host.trouble(chr->host.opaque, chr, err);
}

/* ---- The frontend ---- */

bool backends_chardev_attach_fe(struct backends_chardev *chr, const struct backends_chardev_fe *fe,
				struct vmd_error *err)
{
	if (chr->fe_attached) {
		vmd_error_set(err, VMD_ERR_BUSY, 0, "chardev '%s' is in use by another device", chr->id);
		return vmd_error_hint(err, "define a chardev for each device that needs one");
	}
	chr->fe = *fe;
	chr->fe_attached = true;
	chr->fe_told_open = false;
	atomic_store(&chr->fe_open, true);
	chardev_wake(chr);
	return true;
}

void backends_chardev_detach_fe(struct backends_chardev *chr)
{
	chr->fe_attached = false;
	atomic_store(&chr->fe_open, false);
	chardev_wake(chr);
}

void backends_chardev_accept_input(struct backends_chardev *chr)
{
	chardev_wake(chr);
}

void backends_chardev_set_fe_open(struct backends_chardev *chr, bool open)
{
	atomic_store(&chr->fe_open, open);
}

const char *backends_chardev_id(const struct backends_chardev *chr)
{
	return chr->id;
}

/* ---- Life ---- */

static void close_fds(const int fds[2])
{
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

struct backends_chardev *backends_chardev_new(struct uv_loop_s *loop, const struct backends_chardev_config *config,
					      const int fds[2], const struct backends_chardev_host *host,
					      struct vmd_error *err)
{
	const struct chardev_ops *ops = config->cls->ops;
	struct backends_chardev *chr = calloc(1, sizeof(*chr));
	int res;

	if (!chr)
		goto no_memory;
	chr->cls = config->cls;
	chr->loop = loop;
	if (host)
		chr->host = *host;
	chr->ring_size = BACKENDS_CHARDEV_RING;
	while (chr->ring_size < config->size)
		chr->ring_size *= 2;
	chr->ring = malloc(chr->ring_size);
	chr->state = calloc(1, ops->size ? ops->size : 1);
	chr->id = strdup(config->id);
	if (!chr->ring || !chr->state || !chr->id)
		goto no_memory;
	chr->passive = !ops->output;
	chr->backend_open = ops->starts_open;
	pthread_mutex_init(&chr->lock, NULL);

	res = uv_async_init(loop, &chr->async, on_async);
	if (res < 0) {
		vmd_error_set(err, VMD_ERR_IO, -res, "chardev '%s': the event loop takes no more", config->id);
		pthread_mutex_destroy(&chr->lock);
		goto fail;
	}
	chr->async.data = chr;
	chardev_hold(chr);
	uv_timer_init(loop, &chr->deadline);
	chr->deadline.data = chr;
	chardev_hold(chr);
	if (!ops->init) {
		close_fds(fds);
	} else if (!ops->init(chr, config, fds, err)) {
		vmd_error_prefix(err, "chardev '%s'", config->id);
		finish(chr);
		return NULL;
	}
	return chr;
no_memory:
	vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "no memory for chardev '%s'", config->id);
fail:
	close_fds(fds);
	if (chr) {
		free(chr->id);
		free(chr->state);
		free(chr->ring);
	}
	free(chr);
	return NULL;
}

bool backends_chardev_serve_console(struct backends_chardev *chr, int listen_fd, struct vmd_error *err)
{
	assert(!chr->console && !chr->closing);
	chr->console = chardev_console_new(chr, listen_fd, err);
	return chr->console != NULL;
}

void backends_chardev_free(struct backends_chardev *chr)
{
	if (!chr)
		return;
	assert(!chr->closing);
	backends_chardev_detach_fe(chr);
	chr->closing = true;
	if (chr->console)
		chardev_console_end(chr->console);
	uv_timer_start(&chr->deadline, on_deadline, CLOSE_MS, 0);
	chardev_wake(chr);
}

void backends_chardev_query(struct backends_chardev *chr, struct backends_chardev_info *ret_info)
{
	struct backends_chardev_info info = {.label = chr->id, .frontend_open = atomic_load(&chr->fe_open)};

	if (chr->cls->ops->filename)
		chr->cls->ops->filename(chr, info.filename, sizeof(info.filename));
	else
		snprintf(info.filename, sizeof(info.filename), "%s", chr->cls->name);
	if (chr->console) {
		info.clients = chardev_console_n_clients(chr->console);
		info.writer = chardev_console_writer(chr->console, &info.writer_pid, &info.writer_uid);
	}
	*ret_info = info;
}
