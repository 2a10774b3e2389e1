/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's methods that make, change and move machines.
 *
 * Arguments are checked and the caller's privilege is known when a handler is
 * called; it replies at once or when the machine has got where it should. A call
 * whose client has gone lives on with its machine, except where only the client
 * could end it (machine.wait, following a log).
 *
 * Thread: the broker's loop.
 */
#include "vmd/broker_methods_priv.h"

#include <stdlib.h>
#include <string.h>

enum { KILL_SECONDS = 30, WAITERS_MAX = 256 };

/* ---- What handlers share ---- */

struct broker_machine *broker_method_machine(struct proto_call *call, const char *name, struct vmd_error *err)
{
	struct broker *b = proto_call_opaque(call);
	struct broker_machine *m = broker_machine_find(b, name, err);
	if (!m || !proto_command_allows(proto_call_command(call), name, m->state, err))
		return NULL;
	return m;
}

struct broker_machine *broker_method_process(struct proto_call *call, const char *name, struct vmd_error *err)
{
	struct broker *b = proto_call_opaque(call);
	struct broker_machine *m = broker_machine_find(b, name, err);
	if (!m || proto_command_allows(proto_call_command(call), name, m->state, err))
		return m;
	if (m->state == PROTO_MACHINE_STATE_STOPPED || m->state == PROTO_MACHINE_STATE_CRASHED)
		vmd_error_hint(err, "start it with 'vmctl start %s'", name);
	else if (m->state == PROTO_MACHINE_STATE_UNRESPONSIVE)
		vmd_error_hint(err, "it may answer again; 'vmctl kill %s' ends it", name);
	return NULL;
}

void broker_method_reply_status(struct proto_call *call, const struct broker_machine *m, broker_reply_status_fn *reply)
{
	struct proto_machine_status status;
	struct vmd_error err;
	if (!broker_machine_status(m, &status, &err)) {
		proto_fail(call, &err);
		return;
	}
	reply(call, &status);
	broker_machine_status_fini(&status);
}

typedef void reply_info_fn(struct proto_call *call, const struct proto_machine_info *result);

static void reply_info(struct proto_call *call, const struct broker_machine *m, reply_info_fn *reply)
{
	struct proto_machine_info info = { .definition = m->def };
	struct vmd_error err;
	if (!broker_machine_status(m, &info.status, &err)) {
		proto_fail(call, &err);
		return;
	}
	reply(call, &info);
	broker_machine_status_fini(&info.status);
}

/* Waits for m on behalf of the call. What outlasts its client is bounded in time; and in number, here. */
static struct broker_waiter *wait_for(struct broker_machine *m, struct proto_call *call, double timeout,
				      broker_waiter_fn *check, struct vmd_error *err)
{
	unsigned n = 0;
	for (const struct broker_waiter *w = m->waiters; w; w = w->next)
		n++;
	if (n >= WAITERS_MAX) {
		vmd_error_set(err, VMD_ERR_LIMIT, 0, "%d calls wait for machine '%s' already", WAITERS_MAX, m->name);
		return NULL;
	}
	return broker_waiter_new(m, call, timeout, check, err);
}

/* ---- Definitions ---- */

/* Gets rid of a machine that a failed create has begun. */
static void on_undone(struct broker_machine *m, void *opaque, const struct vmd_error *err)
{
	if (err)
		broker_log_error(&m->broker->log, err, "cannot take back machine '%s'", m->name);
	else if (!m->deleted)
		broker_machine_remove(m, true);
}

static void on_created_started(struct broker_machine *m, void *opaque, const struct vmd_error *err)
{
	struct proto_call *call = opaque;
	if (!err) {
		reply_info(call, m, proto_reply_machine_create);
		return;
	}
	proto_fail(call, err);
	struct vmd_error why;
	if (!m->deleted && !m->run && !broker_machine_store(m, NULL, on_undone, NULL, &why))
		broker_log_error(&m->broker->log, &why, "cannot take back machine '%s'", m->name);
}

static void on_created(struct broker_machine *m, void *opaque, const struct vmd_error *err)
{
	struct proto_call *call = opaque;
	const struct proto_args_machine_create *args = proto_call_data(call);
	struct vmd_error why;
	if (err) {
		proto_fail(call, err);
		broker_machine_remove(m, false);
		return;
	}
	m->has_def = true;
	broker_events_add(m->broker->events, "machine-defined", m->name, NULL);
	if (!args->start)
		reply_info(call, m, proto_reply_machine_create);
	else if (!broker_run_start(m, false, on_created_started, call, &why))
		on_created_started(m, call, &why);
}

static bool machine_create(struct proto_call *call, const struct proto_args_machine_create *args, struct vmd_error *err)
{
	struct broker *b = proto_call_opaque(call);
	struct proto_machine_definition def;
	if (!broker_check_definition(&b->dirs, &args->definition, err) ||
	    !proto_machine_definition_copy(&args->definition, &def, err))
		return false;
	struct broker_machine *m = broker_machine_add(b, args->definition.name, &def, err);
	if (!m) {
		proto_machine_definition_fini(&def);
		return false;
	}
	proto_call_set_data(call, (void *)args);
	if (!broker_machine_store(m, &args->definition, on_created, call, err)) {
		broker_machine_remove(m, false);
		return false;
	}
	return true;
}

static bool machine_get(struct proto_call *call, const struct proto_args_machine_get *args, struct vmd_error *err)
{
	struct broker_machine *m = broker_method_machine(call, args->name, err);
	if (!m)
		return false;
	reply_info(call, m, proto_reply_machine_get);
	return true;
}

static bool machine_list(struct proto_call *call, const struct proto_args_machine_list *args, struct vmd_error *err)
{
	struct broker *b = proto_call_opaque(call);
	struct proto_machine_status *items = calloc(b->n_machines + 1, sizeof(*items));
	size_t n = 0;
	bool ok = items || vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	for (; ok && n < b->n_machines; n++)
		ok = broker_machine_status(b->machines[n], &items[n], err);
	if (ok)
		proto_reply_machine_list(call, items, n);
	for (size_t i = 0; items && i < n; i++)
		broker_machine_status_fini(&items[i]);
	free(items);
	return ok;
}

static void on_set(struct broker_machine *m, void *opaque, const struct vmd_error *err)
{
	struct proto_call *call = opaque;
	if (err) {
		proto_fail(call, err);
		return;
	}
	m->has_def = true;
	broker_events_add(m->broker->events, "machine-changed", m->name, NULL);
	reply_info(call, m, proto_reply_machine_set);
}

static bool machine_set(struct proto_call *call, const struct proto_args_machine_set *args, struct vmd_error *err)
{
	struct broker_machine *m = broker_method_machine(call, args->name, err);
	struct proto_machine_definition def;
	if (!m || !proto_machine_definition_merge(&m->def, args->changes, "changes", &def, err))
		return false;
	bool ok = !strcmp(def.name, m->name);
	if (!ok)
		vmd_error_set(err, VMD_ERR_INVALID, 0, "changes: the name of machine '%s' cannot be changed", m->name);
	ok = ok && broker_check_definition(&m->broker->dirs, &def, err) && broker_machine_store(m, &def, on_set, call, err);
	proto_machine_definition_fini(&def);
	return ok;
}

static void on_deleted(struct broker_machine *m, void *opaque, const struct vmd_error *err)
{
	struct proto_call *call = opaque;
	if (err) {
		proto_fail(call, err);
		return;
	}
	broker_plan_remove_dir(&m->broker->dirs, m->name);
	broker_logs_remove(&m->broker->dirs, m->name);
	proto_reply_machine_delete(call);
	if (!m->deleted)
		broker_machine_remove(m, true);
}

/* A running machine that is being killed in order to be deleted. */
static bool check_delete(struct broker_waiter *w, enum broker_waiter_why why)
{
	struct broker_machine *m = w->machine;
	struct vmd_error err;
	if (m->deleted) {
		proto_reply_machine_delete(w->call);
		return true;
	}
	if (why != BROKER_WAITER_CHANGED) {
		vmd_error_set(&err, VMD_ERR_TIMEOUT, 0, "machine '%s' has not ended within %d seconds", m->name, KILL_SECONDS);
		proto_fail(w->call, &err);
		return true;
	}
	if (m->run || m->storing)
		return false;
	if (!broker_machine_store(m, NULL, on_deleted, w->call, &err))
		proto_fail(w->call, &err);
	return true;
}

static bool machine_delete(struct proto_call *call, const struct proto_args_machine_delete *args, struct vmd_error *err)
{
	struct broker *b = proto_call_opaque(call);
	struct broker_machine *m = broker_machine_find(b, args->name, err);
	if (!m)
		return false;
	if (m->run && args->force) {
		if (!wait_for(m, call, KILL_SECONDS, check_delete, err))
			return false;
		broker_run_kill(m->run);
		return true;
	}
	if (!proto_command_allows(proto_call_command(call), args->name, m->state, err)) {
		vmd_error_hint(err, "stop it first, or delete it with force");
		return false;
	}
	broker_machine_cancel_again(m);
	return broker_machine_store(m, NULL, on_deleted, call, err);
}

/* ---- Starting and ending ---- */

static void on_started(struct broker_machine *m, void *opaque, const struct vmd_error *err)
{
	struct proto_call *call = opaque;
	if (err)
		proto_fail(call, err);
	else
		broker_method_reply_status(call, m, proto_reply_machine_start);
}

static bool machine_start(struct proto_call *call, const struct proto_args_machine_start *args, struct vmd_error *err)
{
	struct broker_machine *m = broker_method_machine(call, args->name, err);
	return m && broker_run_start(m, args->paused, on_started, call, err);
}

static bool fail_timeout(struct broker_waiter *w, const char *what)
{
	struct vmd_error err;
	vmd_error_set(&err, VMD_ERR_TIMEOUT, 0, "machine '%s' %s", w->machine->name, what);
	vmd_error_hint(&err, "'vmctl kill %s' ends it at once", w->machine->name);
	proto_fail(w->call, &err);
	return true;
}

static bool check_stop(struct broker_waiter *w, enum broker_waiter_why why)
{
	struct broker_machine *m = w->machine;
	if (!m->run) {
		broker_method_reply_status(w->call, m, proto_reply_machine_stop);
		return true;
	}
	if (why == BROKER_WAITER_CHANGED)
		return false;
	fail_timeout(w, "has not powered off in the time given");
	if (why == BROKER_WAITER_EXPIRED)
		broker_run_powerdown_over(m->run);
	return true;
}

static bool machine_stop(struct proto_call *call, const struct proto_args_machine_stop *args, struct vmd_error *err)
{
	struct broker_machine *m = broker_method_machine(call, args->name, err);
	if (!m || !broker_run_powerdown(m->run, err))
		return false;
	return wait_for(m, call, args->timeout, check_stop, err) != NULL;
}

static bool check_kill(struct broker_waiter *w, enum broker_waiter_why why)
{
	if (w->machine->run && why == BROKER_WAITER_CHANGED)
		return false;
	if (w->machine->run)
		return fail_timeout(w, "has been killed, but its process does not end");
	broker_method_reply_status(w->call, w->machine, proto_reply_machine_kill);
	return true;
}

static bool machine_kill(struct proto_call *call, const struct proto_args_machine_kill *args, struct vmd_error *err)
{
	struct broker_machine *m = broker_method_machine(call, args->name, err);
	if (!m || !wait_for(m, call, KILL_SECONDS, check_kill, err))
		return false;
	broker_run_kill(m->run);
	return true;
}

static void on_restarted(struct broker_machine *m, void *opaque, const struct vmd_error *err)
{
	struct proto_call *call = opaque;
	if (err)
		proto_fail(call, err);
	else
		broker_method_reply_status(call, m, proto_reply_machine_restart);
}

static bool check_restart(struct broker_waiter *w, enum broker_waiter_why why)
{
	struct broker_machine *m = w->machine;
	struct vmd_error err;
	if (m->run && why == BROKER_WAITER_CHANGED)
		return false;
	m->keep = false;
	if (m->run) {
		fail_timeout(w, "has not powered off in the time given");
		if (why == BROKER_WAITER_EXPIRED)
			broker_run_powerdown_over(m->run);
	} else if (!broker_run_start(m, false, on_restarted, w->call, &err)) {
		proto_fail(w->call, &err);
	}
	return true;
}

static bool machine_restart(struct proto_call *call, const struct proto_args_machine_restart *args, struct vmd_error *err)
{
	struct broker_machine *m = broker_method_machine(call, args->name, err);
	if (!m)
		return false;
	if (m->keep)
		return vmd_error_set(err, VMD_ERR_BUSY, 0, "machine '%s' is being restarted by another client", m->name);
	if (!broker_run_powerdown(m->run, err) || !wait_for(m, call, args->timeout, check_restart, err))
		return false;
	m->keep = true;
	return true;
}

/* ---- Commands to the machine's process ---- */

/* A call that waits for the answer to a QMP command. */
struct command {
	struct proto_call *call;
	struct broker_machine *machine; /* a reference */
	broker_reply_status_fn *reply;
};

static void on_command(void *opaque, json_t *result, const struct vmd_error *err)
{
	struct command *c = opaque;
	if (err)
		proto_fail(c->call, err);
	else if (c->reply)
		broker_method_reply_status(c->call, c->machine, c->reply);
	else
		proto_reply(c->call, json_incref(result));
	broker_machine_unref(c->machine);
	free(c);
}

/* Sends a command (taking args) to the named machine; the call gets its result, or the machine's status when reply is
 * not NULL. */
static bool execute(struct proto_call *call, const char *name, const char *command, json_t *args, unsigned ms,
		    broker_reply_status_fn *reply, struct vmd_error *err)
{
	struct broker_machine *m = broker_method_process(call, name, err);
	struct broker_link *link = m ? broker_run_link(m->run, err) : NULL;
	struct command *c = link ? malloc(sizeof(*c)) : NULL;
	if (!c) {
		json_decref(args);
		return link ? vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory") : false;
	}
	*c = (struct command){ .call = call, .machine = m, .reply = reply };
	broker_machine_ref(m);
	if (broker_link_execute(link, command, args, ms, on_command, c, err))
		return true;
	broker_machine_unref(m);
	free(c);
	return false;
}

static bool machine_reset(struct proto_call *call, const struct proto_args_machine_reset *args, struct vmd_error *err)
{
	return execute(call, args->name, "system_reset", NULL, BROKER_COMMAND_MS, proto_reply_machine_reset, err);
}

static bool machine_pause(struct proto_call *call, const struct proto_args_machine_pause *args, struct vmd_error *err)
{
	return execute(call, args->name, "stop", NULL, BROKER_COMMAND_MS, proto_reply_machine_pause, err);
}

static bool machine_resume(struct proto_call *call, const struct proto_args_machine_resume *args, struct vmd_error *err)
{
	return execute(call, args->name, "cont", NULL, BROKER_COMMAND_MS, proto_reply_machine_resume, err);
}

static bool machine_qmp(struct proto_call *call, const struct proto_args_machine_qmp *args, struct vmd_error *err)
{
	return execute(call, args->name, args->command, json_incref(args->arguments), BROKER_QMP_MS, NULL, err);
}

static bool machine_stats(struct proto_call *call, const struct proto_args_machine_stats *args, struct vmd_error *err)
{
	return execute(call, args->name, "__org.vmd_query-stats", NULL, BROKER_QMP_MS, NULL, err);
}

static bool machine_dump_dtb(struct proto_call *call, const struct proto_args_machine_dump_dtb *args,
			     struct vmd_error *err)
{
	return execute(call, args->name, "__org.vmd_dump-dtb", NULL, BROKER_QMP_MS, NULL, err);
}

const struct proto_daemon_handlers broker_handlers = {
	.machine_create = machine_create,
	.machine_get = machine_get,
	.machine_list = machine_list,
	.machine_set = machine_set,
	.machine_delete = machine_delete,
	.machine_start = machine_start,
	.machine_stop = machine_stop,
	.machine_kill = machine_kill,
	.machine_restart = machine_restart,
	.machine_reset = machine_reset,
	.machine_pause = machine_pause,
	.machine_resume = machine_resume,
	.machine_wait = broker_method_machine_wait,
	.machine_status = broker_method_machine_status,
	.machine_console = broker_method_machine_console,
	.machine_logs = broker_method_machine_logs,
	.machine_qmp = machine_qmp,
	.machine_dump_dtb = machine_dump_dtb,
	.machine_stats = machine_stats,
	.cpu_list = broker_method_cpu_list,
	.device_list = broker_method_device_list,
	.device_describe = broker_method_device_describe,
	.events_subscribe = broker_client_subscribe,
	.events_unsubscribe = broker_method_events_unsubscribe,
	.daemon_version = broker_method_daemon_version,
	.daemon_status = broker_method_daemon_status,
	.daemon_shutdown = broker_method_daemon_shutdown,
};
