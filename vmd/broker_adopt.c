/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding machine processes again after the broker was stopped, killed, upgraded.
 *
 * Each directory below machines/ in the runtime directory is one of:
 *   - a live process (pid.json names it): it is watched, and asked over QMP how
 *     it is. The asking is on the loop, each process with its own deadline, so
 *     that one that hangs holds nobody up: it is "unresponsive" until it answers.
 *   - a process that has ended meanwhile: concluded from its exit record.
 *   - how the last run ended (end.json).
 *   - a pid.json that cannot be read: the process is looked for at its QMP socket,
 *     and tells its pid itself. As long as something listens there, nothing is
 *     touched.
 *   - the rest of a start that went no further: removed, since a process that was
 *     not told what to be has ended with the broker.
 *
 * Thread: the broker's loop.
 */
#include "vmd/broker_run_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The running definition, as the start has left it. */
static bool read_definition(const struct broker_dirs *dirs, int dir, const char *name,
			    struct proto_machine_definition *ret)
{
	json_t *json = store_read_json(dir, dirs->machines, "definition.json", NULL);
	bool ok = json && proto_machine_definition_parse(json, name, ret, NULL);
	json_decref(json);
	return ok;
}

/* The machine of a directory. A process without a stored definition still is a machine. */
static struct broker_machine *machine_of(struct broker *b, int dir, const char *name, struct vmd_error *err)
{
	struct broker_machine *m = broker_machine_find(b, name, NULL);
	if (m)
		return m;
	struct vmd_error problem;
	vmd_error_set(&problem, VMD_ERR_NOT_FOUND, 0, "it has no stored definition");
	vmd_error_hint(&problem, "'vmctl set %s' stores the one it was started with", name);
	json_t *json = store_read_json(dir, b->dirs.machines, "definition.json", NULL);
	m = broker_machine_add_json(b, name, json, &problem, err);
	json_decref(json);
	if (m)
		broker_log_error(&b->log, &problem, "machine '%s'", name);
	return m;
}

static struct broker_run *run_of(struct broker *b, int dir, const char *name, struct vmd_error *err)
{
	struct broker_machine *m = machine_of(b, dir, name, err);
	struct broker_run *run = m ? broker_run_new(m, err) : NULL;
	if (!run)
		return NULL;
	run->phase = BROKER_RUN_LIVE;
	if (!read_definition(&b->dirs, dir, name, &run->plan.def) &&
	    !proto_machine_definition_copy(&m->def, &run->plan.def, err)) {
		broker_run_detach(run);
		return NULL;
	}
	run->exit_fd = openat(dir, "exit.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return run;
}

/* The process lives: its state comes over QMP. */
static bool take_over(struct broker_run *run, struct vmd_error *err)
{
	struct broker_machine *m = run->machine;
	if ((run->has_process && !broker_run_watch(run, err)) || !broker_run_connect(run, err)) {
		broker_run_detach(run);
		return false;
	}
	run->adopting = true;
	m->broker->adopting++;
	/* Until it has answered; nobody is told that it was stopped before. */
	m->state = PROTO_MACHINE_STATE_UNRESPONSIVE;
	return true;
}

void broker_run_settled(struct broker_run *run)
{
	struct broker *b = run->machine->broker;
	if (!run->adopting)
		return;
	run->adopting = false;
	broker_log(&b->log, BROKER_LOG_INFO, "machine '%s' is found again as process %d", run->machine->name,
		   (int)run->process.pid);
	if (--b->adopting == 0)
		broker_adopted(b);
}

static bool something_listens(const struct broker_dirs *dirs, const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	if (!broker_plan_socket_path(dirs, name, NULL, addr.sun_path, sizeof(addr.sun_path), NULL))
		return false;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return true; /* cannot tell */
	bool listens = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 || errno == EAGAIN;
	close(fd);
	return listens;
}

static void on_identity(void *opaque, json_t *result, const struct vmd_error *err)
{
	struct broker_run *run = opaque;
	const struct broker_log *log = &run->machine->broker->log;
	json_int_t pid = json_integer_value(json_object_get(result, "pid"));
	struct vmd_error why;
	if (err || pid <= 0 || run->has_process)
		return;
	struct spawn_process process = { .pid = (pid_t)pid, .pidfd = pidfd_open((pid_t)pid, 0) };
	if (process.pidfd < 0)
		return;
	run->process = process;
	run->has_process = true;
	if (!broker_run_watch(run, &why))
		broker_log_error(log, &why, "machine '%s'", run->machine->name);
	run->running = !strcmp(json_string_value(json_object_get(result, "status")) ?: "", "running");
	broker_run_answered(run);
}

void broker_run_ask_identity(struct broker_run *run)
{
	broker_link_execute(run->link, "__org.vmd_query-info", NULL, BROKER_COMMAND_MS, on_identity, run, NULL);
}

static void load_end(struct broker *b, int dir, const char *name)
{
	struct broker_machine *m = broker_machine_find(b, name, NULL);
	json_t *json = m ? store_read_json(dir, b->dirs.machines, "end.json", NULL) : NULL;
	if (json && proto_run_end_parse(json, name, &m->end, NULL)) {
		m->has_end = true;
		if (m->end.reason == PROTO_END_REASON_CRASHED)
			m->state = PROTO_MACHINE_STATE_CRASHED;
	} else {
		broker_plan_remove_dir(&b->dirs, name);
	}
	json_decref(json);
}

static void adopt(struct broker *b, const char *name, int dir)
{
	struct vmd_error err;
	struct spawn_process process;
	struct broker_run *run;
	json_t *identity = store_read_json(dir, b->dirs.machines, "pid.json", &err);
	if (!identity && err.code == VMD_ERR_NOT_FOUND) {
		load_end(b, dir, name);
		return;
	}
	bool found = identity && spawn_process_find(identity, &process, &err);
	double started = json_number_value(json_object_get(identity, "time"));
	json_decref(identity);
	if (!found && err.code != VMD_ERR_NOT_FOUND) {
		broker_log_error(&b->log, &err, "machine '%s'", name);
		if (!something_listens(&b->dirs, name)) {
			broker_plan_remove_dir(&b->dirs, name);
			return;
		}
	}
	bool ended = !found && err.code == VMD_ERR_NOT_FOUND;
	run = run_of(b, dir, name, &err);
	if (!run) {
		broker_log_error(&b->log, &err, "machine '%s' is not taken over", name);
		if (found)
			spawn_process_fini(&process);
		return;
	}
	run->started = started;
	if (ended) {
		run->how = (struct spawn_end){ .kind = SPAWN_END_UNKNOWN };
		broker_run_conclude(run);
		return;
	}
	run->has_process = found;
	if (found)
		run->process = process;
	if (!take_over(run, &err))
		broker_log_error(&b->log, &err, "machine '%s' is not taken over", name);
}

void broker_runs_adopt_all(struct broker *b)
{
	int fd = openat(b->dirs.machines_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	char (*names)[STORE_NAME_MAX + 1] = NULL;
	size_t n = 0, cap = 0;
	if (!d) {
		broker_log(&b->log, BROKER_LOG_ERROR, "cannot read %s: %s", b->dirs.machines, strerrordesc_np(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	/* All names first: directories come and go below. */
	for (const struct dirent *de; (de = readdir(d));) {
		if (!store_name_check(de->d_name, NULL))
			continue;
		if (n == cap) {
			cap = cap ? cap * 2 : 64;
			void *grown = realloc(names, cap * sizeof(*names));
			if (!grown)
				break;
			names = grown;
		}
		memcpy(names[n++], de->d_name, strlen(de->d_name) + 1);
	}
	closedir(d);
	for (size_t i = 0; i < n; i++) {
		int dir = openat(b->dirs.machines_fd, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (dir < 0)
			continue;
		adopt(b, names[i], dir);
		close(dir);
	}
	free(names);
}
