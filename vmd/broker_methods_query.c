/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's methods that look: at machines, logs, device classes, the daemon.
 * Thread: the broker's loop.
 */
#include "config.h"

#include "vmd/broker_methods_priv.h"

#include "devices/device.h"
#include "emu/system.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROTOCOL_VERSION = 1, LOG_POLL_MS = 200 };

/* ---- Machines ---- */

/* A client that goes away ends its wait, which may have no other end. */
static void on_cancel(struct proto_call *call, void *opaque)
{
	broker_waiter_cancel(opaque);
}

static bool fail_gone(struct proto_call *call)
{
	struct vmd_error err;
	vmd_error_set(&err, VMD_ERR_GENERIC, 0, "the wait is over: the client has gone");
	proto_fail(call, &err);
	return true;
}

static bool check_wait(struct broker_waiter *w, enum broker_waiter_why why)
{
	struct broker_machine *m = w->machine;
	struct vmd_error err;
	bool stopped = w->want == PROTO_MACHINE_STATE_STOPPED;
	if (why == BROKER_WAITER_CANCELLED)
		return fail_gone(w->call);
	if (m->state == w->want) {
		broker_method_reply_status(w->call, m, proto_reply_machine_wait);
		return true;
	}
	if (m->deleted)
		vmd_error_set(&err, VMD_ERR_NOT_FOUND, 0, "machine '%s' has been deleted", m->name);
	else if (stopped && m->state == PROTO_MACHINE_STATE_CRASHED)
		vmd_error_set(&err, VMD_ERR_WRONG_STATE, 0, "machine '%s' has crashed%s%s", m->name, m->end.message ? ": " : "",
			      m->end.message ? m->end.message : "");
	else if (why == BROKER_WAITER_EXPIRED)
		vmd_error_set(&err, VMD_ERR_TIMEOUT, 0, "machine '%s' is %s, not %s, when the time is up", m->name,
			      proto_machine_state_name(m->state), proto_machine_state_name(w->want));
	else
		return false;
	proto_fail(w->call, &err);
	return true;
}

bool broker_method_machine_wait(struct proto_call *call, const struct proto_args_machine_wait *args, struct vmd_error *err)
{
	struct broker_machine *m = broker_method_machine(call, args->name, err);
	struct broker_waiter *w = m ? broker_waiter_new(m, call, args->has_timeout ? args->timeout : -1, check_wait, err) : NULL;
	if (!w)
		return false;
	w->want = args->state;
	proto_call_on_cancel(call, on_cancel, w);
	broker_waiter_poke(w);
	return true;
}

bool broker_method_machine_status(struct proto_call *call, const struct proto_args_machine_status *args,
				  struct vmd_error *err)
{
	struct broker_machine *m = broker_method_machine(call, args->name, err);
	if (!m)
		return false;
	broker_method_reply_status(call, m, proto_reply_machine_status);
	return true;
}

bool broker_method_machine_console(struct proto_call *call, const struct proto_args_machine_console *args,
				   struct vmd_error *err)
{
	struct broker_machine *m = broker_method_process(call, args->name, err);
	struct proto_machine_status status;
	if (!m || !broker_machine_status(m, &status, err))
		return false;
	char names[200] = "";
	size_t len = 0;
	const struct proto_console_info *found = NULL;
	for (size_t i = 0; i < status.n_consoles; i++) {
		if (!strcmp(status.consoles[i].chardev, args->chardev))
			found = &status.consoles[i];
		if (len < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "",
						status.consoles[i].chardev);
	}
	if (found) {
		proto_reply_machine_console(call, found);
	} else {
		vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "machine '%s' has no chardev '%s'", m->name, args->chardev);
		vmd_error_hint(err, "%s%s", len ? "it has: " : "it has none", names);
	}
	broker_machine_status_fini(&status);
	return found != NULL;
}

/* True: replied. */
static bool reply_log(struct proto_call *call, const struct broker_machine *m, uint64_t offset, size_t limit, bool empty_too)
{
	struct proto_log_chunk chunk;
	struct vmd_error err;
	if (!broker_logs_read(&m->broker->dirs, m->name, offset, limit, &chunk, &err)) {
		proto_fail(call, &err);
		return true;
	}
	bool reply = empty_too || chunk.text[0];
	if (reply)
		proto_reply_machine_logs(call, &chunk);
	free(chunk.text);
	return reply;
}

/* The log is looked at again and again until there is more, or the time is up. */
static bool check_log(struct broker_waiter *w, enum broker_waiter_why why)
{
	const struct broker_machine *m = w->machine;
	if (why == BROKER_WAITER_CANCELLED)
		return fail_gone(w->call);
	if (why == BROKER_WAITER_CHANGED && !m->deleted)
		return false;
	bool last = m->deleted || uv_now(m->broker->loop) >= w->deadline;
	if (reply_log(w->call, m, w->offset, w->limit, last))
		return true;
	broker_waiter_again(w, LOG_POLL_MS);
	return false;
}

bool broker_method_machine_logs(struct proto_call *call, const struct proto_args_machine_logs *args, struct vmd_error *err)
{
	struct broker_machine *m = broker_method_machine(call, args->name, err);
	if (!m)
		return false;
	if (reply_log(call, m, args->offset, args->limit, args->wait <= 0))
		return true;
	struct broker_waiter *w = broker_waiter_new(m, call, LOG_POLL_MS / 1000.0, check_log, err);
	if (!w)
		return false;
	w->offset = args->offset;
	w->limit = args->limit;
	w->deadline = uv_now(m->broker->loop) + (uint64_t)(args->wait * 1000);
	proto_call_on_cancel(call, on_cancel, w);
	return true;
}

/* ---- What machines can be made of ---- */

bool broker_method_cpu_list(struct proto_call *call, const struct proto_args_cpu_list *args, struct vmd_error *err)
{
	struct proto_cpu_model items[64];
	const struct emu_cpu_model_info *model;
	size_t n = 0;
	for (; n < sizeof(items) / sizeof(items[0]) && (model = emu_cpu_model_at((unsigned)n)); n++)
		items[n] = (struct proto_cpu_model){ .name = (char *)model->name, .summary = (char *)model->summary };
	proto_reply_cpu_list(call, items, n);
	return true;
}

static const char *const bus_names[] = {
	[DEVICES_BUS_VIRTIO] = "virtio",
	[DEVICES_BUS_VIRTIO_SERIAL] = "virtio-serial",
};

static const char *const type_names[] = {
	[DEVICES_PROP_BOOL] = "bool",       [DEVICES_PROP_UINT] = "uint", [DEVICES_PROP_STRING] = "string",
	[DEVICES_PROP_CHARDEV] = "chardev", [DEVICES_PROP_ENUM] = "enum",
};

static struct proto_device_info describe_class(const struct devices_class *cls)
{
	return (struct proto_device_info){ .driver = (char *)cls->name, .summary = (char *)cls->summary,
					   .bus = (char *)bus_names[cls->bus] };
}

bool broker_method_device_list(struct proto_call *call, const struct proto_args_device_list *args, struct vmd_error *err)
{
	struct proto_device_info items[256];
	const struct devices_class *cls;
	size_t n = 0;
	while (n < sizeof(items) / sizeof(items[0]) && (cls = devices_class_at((unsigned)n)))
		items[n++] = describe_class(cls);
	proto_reply_device_list(call, items, n);
	return true;
}

/* Splits "a|b|c" in place into at most max words. */
static size_t split(char *text, char **words, size_t max)
{
	size_t n = 0;
	for (char *word; n < max && (word = strsep(&text, "|"));)
		words[n++] = word;
	return n;
}

bool broker_method_device_describe(struct proto_call *call, const struct proto_args_device_describe *args,
				   struct vmd_error *err)
{
	enum { PROPS_MAX = 64, CHOICES_MAX = 16 };
	const struct devices_class *cls = devices_class_find(args->driver);
	struct proto_device_property props[PROPS_MAX] = { { 0 } };
	char *words[PROPS_MAX][CHOICES_MAX], *copies[PROPS_MAX] = { NULL };
	size_t n = 0;
	if (!cls) {
		struct proto_suggest suggest;
		proto_suggest_init(&suggest, args->driver);
		for (unsigned i = 0; (cls = devices_class_at(i)); i++)
			proto_suggest_add(&suggest, cls->name);
		vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "there is no device class '%s'", args->driver);
		return suggest.best ? vmd_error_hint(err, "did you mean '%s'?", suggest.best) : false;
	}
	for (const struct devices_prop *p = cls->props; p && p->name && n < PROPS_MAX; p++, n++) {
		bool limited = p->type == DEVICES_PROP_UINT && (p->min || p->max);
		props[n] = (struct proto_device_property){ .name = (char *)p->name, .type = (char *)type_names[p->type],
							   .required = p->required, .default_ = (char *)p->def,
							   .help = (char *)p->help, .has_min = limited, .min = p->min,
							   .has_max = limited, .max = p->max };
		if (p->type == DEVICES_PROP_ENUM && p->choices && (copies[n] = strdup(p->choices))) {
			props[n].choices = words[n];
			props[n].n_choices = split(copies[n], words[n], CHOICES_MAX);
		}
	}
	struct proto_device_info info = describe_class(cls);
	info.properties = props;
	info.n_properties = n;
	proto_reply_device_describe(call, &info);
	for (size_t i = 0; i < n; i++)
		free(copies[i]);
	return true;
}

/* ---- The daemon ---- */

bool broker_method_events_unsubscribe(struct proto_call *call, const struct proto_args_events_unsubscribe *args,
				      struct vmd_error *err)
{
	broker_client_unsubscribe(call);
	proto_reply_events_unsubscribe(call);
	return true;
}

bool broker_method_daemon_version(struct proto_call *call, const struct proto_args_daemon_version *args,
				  struct vmd_error *err)
{
	const struct proto_daemon_version version = { .version = (char *)PACKAGE_VERSION, .protocol = PROTOCOL_VERSION };
	proto_reply_daemon_version(call, &version);
	return true;
}

bool broker_method_daemon_status(struct proto_call *call, const struct proto_args_daemon_status *args,
				 struct vmd_error *err)
{
	const struct broker *b = proto_call_opaque(call);
	struct proto_daemon_status s = { .version = (char *)PACKAGE_VERSION, .pid = getpid(), .started = b->started,
					 .epoch = (char *)broker_events_epoch(b->events),
					 .seq = broker_events_last(b->events), .socket = b->socket_path,
					 .state_dir = b->dirs.state, .runtime_dir = b->dirs.runtime,
					 .machines = b->n_machines, .clients = broker_server_clients(b->server),
					 .privilege = proto_call_peer(call)->privilege };
	for (size_t i = 0; i < b->n_machines; i++)
		s.active += broker_machine_is_active(b->machines[i]);
	proto_reply_daemon_status(call, &s);
	return true;
}

bool broker_method_daemon_shutdown(struct proto_call *call, const struct proto_args_daemon_shutdown *args,
				   struct vmd_error *err)
{
	struct broker *b = proto_call_opaque(call);
	proto_reply_daemon_shutdown(call);
	broker_stop(b);
	return true;
}
