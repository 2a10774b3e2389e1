/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine's run: from the start of its process to its end.
 *
 *	OPENING     the plan opens and makes what is needed, off the loop
 *	LAUNCHING   the process exists and is being told what to be
 *	CONNECTING  it is ready; QMP comes up, and it is told to go
 *	LIVE        it runs, pauses, hangs, ...; also a process found again
 *
 * A start that fails in any phase ends the process, removes the runtime directory
 * and gives the reason to whoever asked; the machine is then as it was. The end
 * of a live run is what the exit record and the wait status say, and leads to
 * what the definition wants: deletion, a restart, or nothing.
 *
 * Nothing here kills a process because of what could not be read.
 *
 * Thread: the broker's loop.
 */
#include "vmd/broker_run_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	GRACE_MS = 300,        /* from losing QMP to calling the machine unresponsive */
	QUICK_SECONDS = 10,    /* a run shorter than this makes the next restart wait */
	AGAIN_MAX_SECONDS = 60,
};

static const struct broker_link_ops link_ops;

/* ---- Life ---- */

static void on_timer_closed(uv_handle_t *handle)
{
	struct broker_run *run = handle->data;
	proto_machine_definition_fini(&run->plan.def);
	broker_machine_unref(run->machine);
	free(run);
}

/* Lets go of everything but the machine; the memory goes with the timer. */
static void run_free(struct broker_run *run)
{
	broker_link_free(run->link);
	spawn_launch_free(run->launch);
	spawn_watch_free(run->watch);
	if (run->has_process)
		spawn_process_fini(&run->process);
	if (run->exit_fd >= 0)
		close(run->exit_fd);
	run->link = NULL;
	run->launch = NULL;
	run->watch = NULL;
	run->has_process = false;
	run->exit_fd = -1;
	if (run->machine->run == run)
		run->machine->run = NULL;
	uv_close((uv_handle_t *)&run->timer, on_timer_closed);
}

struct broker_run *broker_run_new(struct broker_machine *m, struct vmd_error *err)
{
	struct broker_run *run = calloc(1, sizeof(*run));
	if (!run) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		return NULL;
	}
	run->machine = m;
	run->exit_fd = -1;
	run->plan.dirs = &m->broker->dirs;
	run->plan.dir = run->plan.exit_fd = run->plan.log_fd = -1;
	uv_timer_init(m->broker->loop, &run->timer);
	run->timer.data = run;
	broker_machine_ref(m);
	m->run = run;
	broker_machine_cancel_again(m);
	return run;
}

void broker_run_detach(struct broker_run *run)
{
	if (run->phase == BROKER_RUN_OPENING)
		run->machine->run = NULL; /* after_open cleans up */
	else
		run_free(run);
}

/* ---- States ---- */

static void refresh_state(struct broker_run *run)
{
	enum proto_machine_state state;
	if (run->phase != BROKER_RUN_LIVE)
		return;
	if (run->lost)
		state = PROTO_MACHINE_STATE_UNRESPONSIVE;
	else if (run->powering_down)
		state = PROTO_MACHINE_STATE_STOPPING;
	else
		state = run->running ? PROTO_MACHINE_STATE_RUNNING : PROTO_MACHINE_STATE_PAUSED;
	broker_machine_set_state(run->machine, state);
}

/* ---- The start ---- */

/* Keeps the end for the next broker, in place of the run's own files. */
static void keep_end(struct broker_machine *m)
{
	const struct broker_dirs *dirs = &m->broker->dirs;
	json_t *json = proto_run_end_to_json(&m->end);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	broker_plan_remove_dir(dirs, m->name);
	if (text && mkdirat(dirs->machines_fd, m->name, 0700) == 0) {
		int fd = openat(dirs->machines_fd, m->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0) {
			store_write_file(fd, dirs->machines, "end.json", text, strlen(text), NULL);
			close(fd);
		}
	}
	free(text);
	json_decref(json);
}

/* The start has failed and nothing of it is left. */
static void start_failed(struct broker_run *run, const struct vmd_error *err)
{
	struct broker_machine *m = run->machine;
	broker_started_fn *fn = run->fn;
	void *opaque = run->opaque;
	struct vmd_error copy = *err;
	vmd_error_prefix(&copy, "cannot start machine '%s'", m->name);
	broker_machine_ref(m);
	if (run->opened && m->has_end)
		keep_end(m);
	else if (run->opened)
		broker_plan_remove_dir(run->plan.dirs, m->name);
	run_free(run);
	broker_log_error(&m->broker->log, err, "machine '%s' does not start", m->name);
	broker_machine_set_state(m, run->state_before);
	if (fn)
		fn(m, opaque, &copy);
	broker_machine_unref(m);
}

/* Remembers the first reason and has the process end; start_failed follows. */
static void give_up(struct broker_run *run, const struct vmd_error *err)
{
	if (!run->failed)
		run->why = *err;
	run->failed = true;
	spawn_process_kill(&run->process, SIGKILL, NULL);
}

static void started(struct broker_run *run)
{
	broker_started_fn *fn = run->fn;
	run->fn = NULL;
	uv_timer_stop(&run->timer);
	run->phase = BROKER_RUN_LIVE;
	broker_log(&run->machine->broker->log, BROKER_LOG_INFO, "machine '%s' runs as process %d", run->machine->name,
		   (int)run->process.pid);
	refresh_state(run);
	if (fn)
		fn(run->machine, run->opaque, NULL);
}

static void on_go(void *opaque, json_t *result, const struct vmd_error *err)
{
	struct broker_run *run = opaque;
	if (run->phase != BROKER_RUN_CONNECTING)
		return;
	if (err) {
		give_up(run, err);
		return;
	}
	if (!run->paused)
		run->running = true;
	started(run);
}

static void on_start_deadline(uv_timer_t *timer)
{
	struct broker_run *run = timer->data;
	struct vmd_error err;
	vmd_error_set(&err, VMD_ERR_TIMEOUT, 0, "its process did not answer within %d seconds", BROKER_LAUNCH_MS / 1000);
	give_up(run, &err);
}

static bool connect_link(struct broker_run *run, struct vmd_error *err)
{
	struct broker *b = run->machine->broker;
	char path[256];
	if (!broker_plan_socket_path(&b->dirs, run->machine->name, NULL, path, sizeof(path), err))
		return false;
	run->link = broker_link_new(b->loop, path, &link_ops, run, err);
	return run->link != NULL;
}

/* The process has ended before the run was live: says why as well as can be told. */
static void ended_early(struct broker_run *run)
{
	char text[64], line[256];
	if (run->failed && run->why.code != VMD_ERR_UNREACHABLE) {
		start_failed(run, &run->why);
		return;
	}
	struct vmd_error err;
	if (run->killing) {
		vmd_error_set(&err, VMD_ERR_GENERIC, 0, "it was killed while it was starting");
	} else {
		spawn_end_text(&run->how, text, sizeof(text));
		vmd_error_set(&err, VMD_ERR_GENERIC, 0, "its process %s before it was ready", text);
		broker_logs_last_line(run->plan.dirs, run->machine->name, line, sizeof(line));
		if (line[0])
			vmd_error_hint(&err, "its log ends: %.200s", line);
	}
	start_failed(run, &err);
}

static void on_launch(void *opaque, const struct vmd_error *err)
{
	struct broker_run *run = opaque;
	struct vmd_error why;
	bool ok = !err;
	if (err)
		why = *err;
	spawn_launch_free(run->launch);
	run->launch = NULL;
	if (ok && !run->ended) {
		run->phase = BROKER_RUN_CONNECTING;
		ok = connect_link(run, &why);
	}
	if (!ok)
		give_up(run, &why);
	if (run->ended)
		ended_early(run);
}

static bool write_identity(struct broker_run *run, struct vmd_error *err)
{
	json_t *json = spawn_process_identity(&run->process);
	json_object_set_new(json, "time", json_real(run->started));
	char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	bool ok = text ? store_write_file(run->plan.dir, run->plan.dirs->machines, "pid.json", text, strlen(text), err) :
			 vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	free(text);
	json_decref(json);
	return ok;
}

static void on_end(void *opaque, const struct spawn_end *end);

/* The plan is ready: makes the process and begins to talk to it. */
static bool launch(struct broker_run *run, struct vmd_error *err)
{
	struct broker *b = run->machine->broker;
	struct broker_plan *plan = &run->plan;
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot make a channel");
	/* The machine's side blocks, as it begins by reading one message. */
	fcntl(pair[1], F_SETFL, 0);
	bool ok = spawn_process_start(b->config.program, run->machine->name, pair[1], plan->log_fd, &run->process, err);
	close(pair[1]);
	if (!ok) {
		close(pair[0]);
		return false;
	}
	run->has_process = true;
	run->started = broker_now();
	run->phase = BROKER_RUN_LAUNCHING;
	run->watch = spawn_watch_new(b->loop, &run->process, on_end, run, err);
	if (!run->watch || !write_identity(run, err)) {
		close(pair[0]);
		return false;
	}
	size_t n_fds = plan->n_fds;
	plan->n_fds = 0;
	run->launch = spawn_launch_new(b->loop, pair[0], plan->message, plan->fds, n_fds, BROKER_LAUNCH_MS, on_launch, run,
				       err);
	return run->launch != NULL;
}

static void do_open(uv_work_t *req)
{
	struct broker_run *run = req->data;
	run->opened = broker_plan_open(&run->plan, &run->why);
}

static void after_open(uv_work_t *req, int status)
{
	struct broker_run *run = req->data;
	struct vmd_error err;
	run->machine->broker->jobs--;
	if (!run->opened) {
		start_failed(run, &run->why);
		return;
	}
	if (run->machine->run != run || run->killing) {
		vmd_error_set(&err, VMD_ERR_GENERIC, 0, "it was killed while it was starting");
		broker_plan_fini(&run->plan);
		start_failed(run, &err);
		return;
	}
	run->exit_fd = run->plan.exit_fd;
	run->plan.exit_fd = -1;
	uv_timer_start(&run->timer, on_start_deadline, BROKER_LAUNCH_MS, 0);
	bool ok = launch(run, &err);
	if (ok) {
		/* The directory stays, what is open here does not. */
		run->plan.made_dir = false;
		broker_plan_fini(&run->plan);
		return;
	}
	broker_plan_fini(&run->plan);
	if (run->watch) {
		give_up(run, &err);
		return;
	}
	if (run->has_process) {
		/* Not even watched: end it here. It has not been told what to be, so this is quick. */
		spawn_process_kill(&run->process, SIGKILL, NULL);
		spawn_process_reap(&run->process);
	}
	start_failed(run, &err);
}

bool broker_run_start(struct broker_machine *m, bool paused, broker_started_fn *fn, void *opaque, struct vmd_error *err)
{
	struct broker *b = m->broker;
	struct proto_machine_definition def;
	if (m->run)
		return vmd_error_set(err, VMD_ERR_WRONG_STATE, 0, "machine '%s' is %s already", m->name,
				     proto_machine_state_name(m->state));
	if (m->damaged) {
		*err = m->problem;
		err->code = VMD_ERR_WRONG_STATE;
		return vmd_error_prefix(err, "machine '%s' is not started", m->name);
	}
	if (m->storing)
		return vmd_error_set(err, VMD_ERR_BUSY, 0, "the definition of machine '%s' is being written", m->name);
	if (b->stopping)
		return vmd_error_set(err, VMD_ERR_WRONG_STATE, 0, "vmd is about to end");
	if (!broker_check_definition(&b->dirs, &m->def, err) || !broker_check_complete(&m->def, &def, err))
		return false;
	struct broker_run *run = broker_run_new(m, err);
	if (!run) {
		proto_machine_definition_fini(&def);
		return false;
	}
	run->plan.def = def;
	run->fn = fn;
	run->opaque = opaque;
	run->paused = paused;
	run->state_before = m->state;
	run->work.data = run;
	int rc = uv_queue_work(b->loop, &run->work, do_open, after_open);
	if (rc) {
		run_free(run);
		return vmd_error_set(err, VMD_ERR_IO, -rc, "cannot start machine '%s'", m->name);
	}
	b->jobs++;
	broker_machine_set_state(m, PROTO_MACHINE_STATE_STARTING);
	return true;
}

/* ---- While it lives ---- */

static void on_status(void *opaque, json_t *result, const struct vmd_error *err)
{
	struct broker_run *run = opaque;
	if (err || run->phase != BROKER_RUN_LIVE)
		return;
	run->running = json_is_true(json_object_get(result, "running"));
	broker_run_answered(run);
}

void broker_run_answered(struct broker_run *run)
{
	run->lost = false;
	broker_run_settled(run);
	refresh_state(run);
}

static void on_up(void *opaque)
{
	struct broker_run *run = opaque;
	struct vmd_error err;
	bool ok = true;
	if (run->phase == BROKER_RUN_CONNECTING) {
		ok = broker_link_execute(run->link, run->paused ? "query-status" : "cont", NULL, BROKER_LAUNCH_MS, on_go, run,
					 &err);
		if (!ok)
			give_up(run, &err);
	} else if (!run->has_process) {
		broker_run_ask_identity(run);
	} else {
		uv_timer_stop(&run->timer);
		broker_link_execute(run->link, "query-status", NULL, BROKER_COMMAND_MS, on_status, run, NULL);
	}
}

static void on_grace(uv_timer_t *timer)
{
	struct broker_run *run = timer->data;
	if (run->link && broker_link_is_up(run->link))
		return;
	if (!run->lost)
		broker_log(&run->machine->broker->log, BROKER_LOG_WARNING, "machine '%s' does not answer", run->machine->name);
	run->lost = true;
	broker_run_settled(run);
	refresh_state(run);
}

static void on_down(void *opaque, bool connected)
{
	struct broker_run *run = opaque;
	if (run->phase != BROKER_RUN_LIVE || run->killing)
		return;
	if (connected) {
		on_grace(&run->timer);
		return;
	}
	/* A process that is just ending loses QMP, too: wait a moment for its end. */
	uv_timer_start(&run->timer, on_grace, GRACE_MS, 0);
}

/* QMP events that say something about the machine's state. */
static const struct {
	const char *name;
	bool sets_running, running, ends_powerdown;
} meanings[] = {
	{ "STOP", true, false, false },
	{ "RESUME", true, true, false },
	{ "RESET", false, false, true },
};

static void on_event(void *opaque, const char *name, json_t *data)
{
	struct broker_run *run = opaque;
	struct broker_machine *m = run->machine;
	broker_events_add(m->broker->events, "guest-event", m->name,
			  data ? json_pack("{s:s, s:O}", "event", name, "data", data) : json_pack("{s:s}", "event", name));
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if (strcmp(meanings[i].name, name))
			continue;
		if (meanings[i].sets_running)
			run->running = meanings[i].running;
		if (meanings[i].ends_powerdown)
			run->powering_down = false;
		refresh_state(run);
		return;
	}
}

static const struct broker_link_ops link_ops = { .up = on_up, .down = on_down, .event = on_event };

bool broker_run_connect(struct broker_run *run, struct vmd_error *err)
{
	return connect_link(run, err);
}

bool broker_run_watch(struct broker_run *run, struct vmd_error *err)
{
	run->watch = spawn_watch_new(run->machine->broker->loop, &run->process, on_end, run, err);
	return run->watch != NULL;
}

static void on_quit_deadline(uv_timer_t *timer)
{
	struct broker_run *run = timer->data;
	if (run->has_process)
		spawn_process_kill(&run->process, SIGKILL, NULL);
}

void broker_run_kill(struct broker_run *run)
{
	bool again = run->killing;
	run->killing = true;
	if (run->phase == BROKER_RUN_OPENING)
		return; /* after_open sees it */
	if (!again && run->phase == BROKER_RUN_LIVE && run->link && broker_link_is_up(run->link) &&
	    broker_link_execute(run->link, "quit", NULL, BROKER_COMMAND_MS, NULL, NULL, NULL)) {
		uv_timer_start(&run->timer, on_quit_deadline, BROKER_QUIT_MS, 0);
		return;
	}
	if (run->has_process)
		spawn_process_kill(&run->process, SIGKILL, NULL);
}

bool broker_run_powerdown(struct broker_run *run, struct vmd_error *err)
{
	/* A guest that does not run cannot power off. */
	if (!run->running &&
	    !broker_link_execute(run->link, "cont", NULL, BROKER_COMMAND_MS, NULL, NULL, err))
		return false;
	if (!broker_link_execute(run->link, "system_powerdown", NULL, BROKER_COMMAND_MS, NULL, NULL, err))
		return false;
	run->powering_down = true;
	refresh_state(run);
	return true;
}

void broker_run_powerdown_over(struct broker_run *run)
{
	run->powering_down = false;
	refresh_state(run);
}

struct broker_link *broker_run_link(const struct broker_run *run, struct vmd_error *err)
{
	if (run->link && run->phase == BROKER_RUN_LIVE)
		return run->link;
	vmd_error_set(err, VMD_ERR_UNREACHABLE, 0, "the process of machine '%s' cannot be talked to yet", run->machine->name);
	return NULL;
}

bool broker_run_fill_status(const struct broker_run *run, struct proto_machine_status *ret, struct vmd_error *err)
{
	const struct broker_machine *m = run->machine;
	const struct broker_dirs *dirs = &m->broker->dirs;
	const struct proto_machine_definition *def = &run->plan.def;
	char path[256];
	/* The plan's definition is not touched by its work. */
	ret->cpus = def->cpus;
	ret->memory = def->memory;
	if (!run->has_process)
		return true;
	ret->has_pid = ret->has_started = true;
	ret->pid = run->process.pid;
	ret->started = run->started;
	struct proto_machine_status own = { 0 };
	own.consoles = calloc(def->n_chardevs + 1, sizeof(*own.consoles));
	if (own.consoles && broker_plan_socket_path(dirs, m->name, NULL, path, sizeof(path), NULL))
		own.qmp = strdup(path);
	for (size_t i = 0; own.consoles && i < def->n_chardevs; i++) {
		if (!broker_plan_socket_path(dirs, m->name, def->chardevs[i].id, path, sizeof(path), NULL))
			continue;
		char *copy = strdup(path);
		if (!copy)
			break;
		own.consoles[own.n_consoles++] = (struct proto_console_info){ .chardev = def->chardevs[i].id, .path = copy };
	}
	if (!own.consoles || !own.qmp) {
		broker_machine_status_fini(&own);
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	}
	ret->consoles = own.consoles;
	ret->n_consoles = own.n_consoles;
	ret->qmp = own.qmp;
	return true;
}

/* ---- The end ---- */

/* How the run ended, from the exit record and the wait status. */
static void fill_end(struct broker_run *run, struct proto_run_end *ret)
{
	struct proto_exit_record record;
	char text[64];
	bool forced = run->killing && run->how.kind != SPAWN_END_EXITED;
	*ret = (struct proto_run_end){ .time = broker_now() };
	if (run->exit_fd >= 0 && spawn_record_read(run->exit_fd, &record)) {
		ret->reason = record.reason;
		ret->status = record.status;
		ret->message = record.message;
		if (run->killing && record.reason == PROTO_END_REASON_HOST_QUIT)
			ret->reason = PROTO_END_REASON_KILLED;
		return;
	}
	ret->reason = forced ? PROTO_END_REASON_KILLED : PROTO_END_REASON_CRASHED;
	spawn_end_text(&run->how, text, sizeof(text));
	if (!forced && asprintf(&ret->message, "its process %s", text) < 0)
		ret->message = NULL;
}

static void on_deleted(struct broker_machine *m, void *opaque, const struct vmd_error *err)
{
	if (err) {
		broker_log_error(&m->broker->log, err, "cannot delete the transient machine '%s'", m->name);
		return;
	}
	broker_plan_remove_dir(&m->broker->dirs, m->name);
	broker_logs_remove(&m->broker->dirs, m->name);
	if (!m->deleted)
		broker_machine_remove(m, true);
}

static void on_again(uv_timer_t *timer)
{
	struct broker_machine *m = timer->data;
	struct vmd_error err;
	broker_machine_cancel_again(m);
	if (!m->run && !broker_run_start(m, false, NULL, NULL, &err))
		broker_log_error(&m->broker->log, &err, "machine '%s' is not restarted", m->name);
}

static void restart_later(struct broker_machine *m, double lasted)
{
	m->quick_ends = lasted < QUICK_SECONDS ? m->quick_ends + 1 : 0;
	unsigned seconds = m->quick_ends == 0 ? 0 : m->quick_ends > 6 ? AGAIN_MAX_SECONDS : 1u << (m->quick_ends - 1);
	if (seconds > AGAIN_MAX_SECONDS)
		seconds = AGAIN_MAX_SECONDS;
	broker_machine_cancel_again(m);
	m->again = malloc(sizeof(*m->again));
	if (!m->again)
		return;
	uv_timer_init(m->broker->loop, m->again);
	m->again->data = m;
	uv_timer_start(m->again, on_again, seconds * UINT64_C(1000), 0);
	broker_log(&m->broker->log, BROKER_LOG_INFO, "machine '%s' is started again in %u seconds", m->name, seconds);
}

/* What the definition wants after a run. An end that a client has asked for is not undone. */
static void apply_policy(struct broker_machine *m, double lasted, bool asked)
{
	struct vmd_error err;
	bool crash = m->end.reason == PROTO_END_REASON_GUEST_PANIC || m->end.reason == PROTO_END_REASON_ERROR ||
		     m->end.reason == PROTO_END_REASON_CRASHED;
	bool shutdown = m->end.reason == PROTO_END_REASON_GUEST_SHUTDOWN;
	if (m->keep || m->run || m->storing || m->deleted || m->broker->stopping)
		return;
	if (!asked && ((crash && m->def.on_crash == PROTO_END_ACTION_RESTART) ||
			(shutdown && m->def.on_shutdown == PROTO_END_ACTION_RESTART)))
		restart_later(m, lasted);
	else if (m->def.transient && !broker_machine_store(m, NULL, on_deleted, NULL, &err))
		broker_log_error(&m->broker->log, &err, "cannot delete the transient machine '%s'", m->name);
}

void broker_run_conclude(struct broker_run *run)
{
	struct broker_machine *m = run->machine;
	struct proto_run_end end;
	double lasted = broker_now() - run->started;
	bool asked = run->killing || run->powering_down;
	fill_end(run, &end);
	proto_run_end_fini(&m->end);
	m->end = end;
	m->has_end = true;
	broker_machine_ref(m);
	broker_run_settled(run);
	run_free(run);
	keep_end(m);
	bool crashed = end.reason == PROTO_END_REASON_CRASHED;
	broker_log(&m->broker->log, crashed ? BROKER_LOG_WARNING : BROKER_LOG_INFO, "machine '%s' has ended: %s%s%s", m->name,
		   proto_end_reason_name(end.reason), end.message ? ": " : "", end.message ? end.message : "");
	broker_machine_set_state(m, crashed ? PROTO_MACHINE_STATE_CRASHED : PROTO_MACHINE_STATE_STOPPED);
	apply_policy(m, lasted, asked);
	broker_machine_unref(m);
}

static void on_end(void *opaque, const struct spawn_end *how)
{
	struct broker_run *run = opaque;
	run->how = *how;
	run->ended = true;
	if (run->phase == BROKER_RUN_LIVE)
		broker_run_conclude(run);
	else if (!run->launch)
		ended_early(run);
	/* else: an answer may be on its way; on_launch follows */
}
