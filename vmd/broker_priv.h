/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The broker, inside: one process that keeps definitions, starts machine
 * processes, watches them and serves the daemon socket.
 *
 * One thread runs the loop; what may block (files of the user's, the store) runs
 * on the loop's thread pool with nothing shared. The broker parses nothing that
 * a guest wrote but the QMP that its process sends, under limits.
 */
#ifndef VMD_BROKER_PRIV_H
#define VMD_BROKER_PRIV_H

#include "protocol/call.h"
#include "vmd/broker.h"
#include "vmd/spawn_priv.h"
#include "vmd/store_priv.h"

#include <stdio.h>
#include <sys/types.h>
#include <uv.h>

enum {
	BROKER_CLIENTS_MAX = 256,
	BROKER_LAUNCH_MS = 30000,     /* for a machine process to be ready */
	BROKER_COMMAND_MS = 5000,     /* for a machine process to answer a QMP command of ours */
	BROKER_QMP_MS = 60000,        /* ... or of a client's */
	BROKER_QUIT_MS = 1000,        /* from asking a machine process to quit to SIGKILL */
	BROKER_EVENTS_MAX = 4096,     /* events kept for subscribers that resume */
	BROKER_EVENTS_BYTES = 8 << 20,
	BROKER_LOG_MAX = 1 << 20,     /* bytes of a machine's log before its older half is let go */
};

/* ---- Directories: broker_dirs.c ---- */

struct broker_dirs {
	char *runtime, *machines;      /* $RUNTIME, $RUNTIME/machines */
	int runtime_fd, machines_fd;
	char *state, *log;             /* $STATE, $STATE/log */
	int state_fd, log_fd;
	int lock_fd;
	gid_t group;                   /* who else may connect; -1: nobody */
	struct store store;            /* $STATE/machines */
};

struct broker_dirs broker_dirs_none(void); /* nothing open */
bool broker_dirs_init(struct broker_dirs *dirs, const struct broker_config *config, struct vmd_error *err);
void broker_dirs_fini(struct broker_dirs *dirs);
/* Gives an open file or directory to the group, when there is one. */
bool broker_dirs_share(const struct broker_dirs *dirs, int fd, mode_t mode, struct vmd_error *err);
/* A listening Unix socket, mode 0600 or (for_group) 0660; -1 on failure. What
 * socket is at `path` is replaced. */
int broker_listen(const struct broker_dirs *dirs, const char *path, bool for_group, int backlog, struct vmd_error *err);

/* ---- The broker's own log: broker_log.c ---- */

enum broker_level { BROKER_LOG_ERROR, BROKER_LOG_WARNING, BROKER_LOG_INFO };

struct broker_log {
	char *path;   /* NULL: standard error */
	bool journal; /* standard error is the system's journal */
};

bool broker_log_init(struct broker_log *log, const char *path, struct vmd_error *err);
/* Opens the file anew, after somebody has moved it away. */
void broker_log_reopen(struct broker_log *log);
void broker_log_fini(struct broker_log *log);
void broker_log(const struct broker_log *log, enum broker_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* "what: message (hint)". */
void broker_log_error(const struct broker_log *log, const struct vmd_error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- Events: broker_events.c ---- */

struct broker_events;
struct broker_event {
	uint64_t seq;
	size_t bytes;
	json_t *params; /* of the notification: struct proto_event */
	char machine[STORE_NAME_MAX + 1];
};

struct broker_events *broker_events_new(void (*fn)(void *opaque), void *opaque);
void broker_events_free(struct broker_events *events);
/* Adds an event; `data` is taken and may be NULL, as may be `machine`. Then fn
 * is called: subscribers take what they have not seen. */
void broker_events_add(struct broker_events *events, const char *name, const char *machine, json_t *data);
const char *broker_events_epoch(const struct broker_events *events);
uint64_t broker_events_last(const struct broker_events *events); /* the number of the newest event */
/* The oldest event kept with a number above `seq`; NULL if there is none. */
const struct broker_event *broker_events_after(const struct broker_events *events, uint64_t seq);
/* The parameters of the event 'gap' that stands for those from `from` to `to`. */
json_t *broker_events_gap(const struct broker_events *events, uint64_t from, uint64_t to);

/* ---- A definition's check, beyond what the schema says: broker_check.c ---- */

/* Device classes, properties, references between the parts, limits of the host,
 * lengths of socket paths. Opens nothing. */
bool broker_check_definition(const struct broker_dirs *dirs, const struct proto_machine_definition *def,
			     struct vmd_error *err);
/* A definition as it is started: implied chardevs are there. */
bool broker_check_complete(const struct proto_machine_definition *def, struct proto_machine_definition *ret,
			   struct vmd_error *err);

/* ---- What a start needs, opened: broker_plan.c ---- */

struct broker_plan {
	/* What it is made from; set before the work. */
	const struct broker_dirs *dirs;
	struct proto_machine_definition def; /* complete */
	/* What it has made. */
	json_t *message;         /* to send */
	int fds[SPAWN_FDS_MAX];  /* that go with it */
	size_t n_fds;
	int dir;                 /* the machine's runtime directory */
	int exit_fd;             /* the exit record, a second descriptor */
	int log_fd;
	bool made_dir;
};

/* Opens and makes everything. Any thread. On failure nothing is left behind. */
bool broker_plan_open(struct broker_plan *plan, struct vmd_error *err);
/* Opens what the definition names and closes it again, to find out whether it can be. Any thread. */
bool broker_plan_probe(const struct proto_machine_definition *def, struct vmd_error *err);
/* Closes what was not taken. */
void broker_plan_fini(struct broker_plan *plan);
/* The paths of a machine's sockets; `chardev` NULL: QMP. False if too long for a socket. */
bool broker_plan_socket_path(const struct broker_dirs *dirs, const char *name, const char *chardev, char *buf,
			     size_t size, struct vmd_error *err);
/* Empties and removes a machine's runtime directory. */
void broker_plan_remove_dir(const struct broker_dirs *dirs, const char *name);

/* ---- Machines' logs: broker_logs.c ---- */

int broker_logs_open(const struct broker_dirs *dirs, const char *name, struct vmd_error *err);
/* Lets the older half go when the log has grown too large. */
void broker_logs_trim(const struct broker_dirs *dirs, const char *name);
void broker_logs_remove(const struct broker_dirs *dirs, const char *name);
/* Reads from the absolute offset `offset` on; the result is to be freed with proto_log_chunk_fini. */
bool broker_logs_read(const struct broker_dirs *dirs, const char *name, uint64_t offset, size_t limit,
		      struct proto_log_chunk *ret, struct vmd_error *err);
/* The last line, for error messages; empty if there is none. */
void broker_logs_last_line(const struct broker_dirs *dirs, const char *name, char *buf, size_t size);

/* ---- The QMP connection to a machine process: broker_link.c ---- */

struct broker_link;
struct broker_link_ops {
	void (*up)(void *opaque);   /* connected and negotiated */
	/* It was up, or did not come up in time; the link keeps trying. `connected`: the process is there, but silent. */
	void (*down)(void *opaque, bool connected);
	void (*event)(void *opaque, const char *name, json_t *data); /* data borrowed, may be NULL */
};
/* Exactly one of result (borrowed) and err is not NULL. */
typedef void broker_link_fn(void *opaque, json_t *result, const struct vmd_error *err);

struct broker_link *broker_link_new(uv_loop_t *loop, const char *path, const struct broker_link_ops *ops, void *opaque,
				    struct vmd_error *err);
bool broker_link_is_up(const struct broker_link *link);
/* Sends a command; `args` is taken (also on failure) and may be NULL, as may be
 * fn. On success fn is called exactly once, later. */
bool broker_link_execute(struct broker_link *link, const char *command, json_t *args, unsigned timeout_ms,
			 broker_link_fn *fn, void *opaque, struct vmd_error *err);
/* Fails what is pending; functions of ops are not called any more. NULL is allowed. */
void broker_link_free(struct broker_link *link);

/* ---- Machines: broker_machine.c (the table, states), broker_run.c (processes) ---- */

struct broker;
struct broker_machine;
struct broker_run;

/* Something that waits for a machine to change. */
enum broker_waiter_why {
	BROKER_WAITER_CHANGED,   /* the machine's state, or it is deleted */
	BROKER_WAITER_EXPIRED,   /* the time is up */
	BROKER_WAITER_CANCELLED, /* the client has gone, or the broker ends: reply, and be done with */
};
struct broker_waiter;
/* True: it has replied and is done with. */
typedef bool broker_waiter_fn(struct broker_waiter *w, enum broker_waiter_why why);

struct broker_waiter {
	struct broker_waiter *next, **prev;
	struct broker_machine *machine;
	broker_waiter_fn *check;
	struct proto_call *call;
	enum proto_machine_state want;
	uint64_t offset, deadline; /* of a log that is being followed */
	size_t limit;
	bool busy;                 /* check is being called */
	uv_timer_t timer;
};

struct broker_machine {
	struct broker *broker;
	char name[STORE_NAME_MAX + 1];
	struct proto_machine_definition def; /* the stored one */
	bool has_def;             /* false: neither generation can be read */
	bool damaged;             /* `problem` says how; has_def: def is the previous generation */
	struct vmd_error problem;
	enum proto_machine_state state;
	struct proto_run_end end; /* of the last run, when has_end */
	bool has_end;
	struct broker_run *run;   /* there is a process, or one is being made */
	struct broker_waiter *waiters;
	bool storing;             /* a job on the store is under way */
	bool keep;                /* do not delete or restart it by policy when this run ends: a client restarts it */
	bool deleted;             /* gone from the table; freed when nothing refers to it */
	unsigned refs;
	unsigned quick_ends;      /* runs in a row that ended soon, for the pause before a restart by policy */
	uv_timer_t *again;        /* that pause */
};

struct broker {
	uv_loop_t *loop;
	struct broker_config config;
	struct broker_dirs dirs;
	struct broker_log log;
	struct broker_events *events;
	struct broker_machine **machines; /* by name */
	size_t n_machines, cap_machines;
	size_t jobs;                      /* on the loop's thread pool */
	size_t adopting;                  /* machine processes found whose state is not known yet */
	struct broker_server *server;
	uv_timer_t tidy;
	uint64_t idle_since;              /* loop time */
	double started;
	char *socket_path;
	bool open;         /* clients are let in */
	bool stopping;
	bool tidy_closed;
};

double broker_now(void); /* seconds since 1970 */

struct broker_machine *broker_machine_find(struct broker *b, const char *name, struct vmd_error *err);
/* Adds a machine to the table; takes the contents of def. */
struct broker_machine *broker_machine_add(struct broker *b, const char *name, struct proto_machine_definition *def,
					  struct vmd_error *err);
/* The same from JSON, which may be NULL or not fit: then the machine is there, damaged, with all defaults. `problem`
 * (may be NULL) says what is known to be wrong. */
struct broker_machine *broker_machine_add_json(struct broker *b, const char *name, const json_t *json,
					       const struct vmd_error *problem, struct vmd_error *err);
/* There will be no restart by policy. */
void broker_machine_cancel_again(struct broker_machine *m);
/* Takes it off the table, ends its waiters, and (announce) emits machine-deleted. */
void broker_machine_remove(struct broker_machine *m, bool announce);
void broker_machine_ref(struct broker_machine *m);
void broker_machine_unref(struct broker_machine *m);
void broker_machine_set_state(struct broker_machine *m, enum proto_machine_state state);
/* Fills a status that borrows from m; finish with broker_machine_status_fini. */
bool broker_machine_status(const struct broker_machine *m, struct proto_machine_status *ret, struct vmd_error *err);
void broker_machine_status_fini(struct proto_machine_status *status);
/* Has check called whenever the machine's state changes, and after `timeout` seconds (< 0: never). */
struct broker_waiter *broker_waiter_new(struct broker_machine *m, struct proto_call *call, double timeout,
					broker_waiter_fn *check, struct vmd_error *err);
/* Asks a waiter now, as after a change; it may be gone afterwards. */
void broker_waiter_poke(struct broker_waiter *w);
/* Has check called (as expired) once more after so many milliseconds. */
void broker_waiter_again(struct broker_waiter *w, unsigned ms);
/* Its client has gone. */
void broker_waiter_cancel(struct broker_waiter *w);
bool broker_machine_is_active(const struct broker_machine *m);

/* Jobs on the store, off the loop: saves `def`, once the files it names have been found readable, and makes it the
 * machine's; NULL deletes. fn is called on the loop. */
typedef void broker_stored_fn(struct broker_machine *m, void *opaque, const struct vmd_error *err);
bool broker_machine_store(struct broker_machine *m, const struct proto_machine_definition *def, broker_stored_fn *fn,
			  void *opaque, struct vmd_error *err);
bool broker_machines_load(struct broker *b, struct vmd_error *err);
void broker_machines_free(struct broker *b);

/* Starts the machine's process; fn is told how it went, on the loop, once. False: nothing was begun. */
typedef void broker_started_fn(struct broker_machine *m, void *opaque, const struct vmd_error *err);
bool broker_run_start(struct broker_machine *m, bool paused, broker_started_fn *fn, void *opaque, struct vmd_error *err);
/* broker_adopt.c: takes over the processes that the runtime directory tells of. */
void broker_runs_adopt_all(struct broker *b);
/* Has the process quit, or kills it when it does not at once. */
void broker_run_kill(struct broker_run *run);
/* Presses the power key; the run is live. */
bool broker_run_powerdown(struct broker_run *run, struct vmd_error *err);
/* Nobody waits for the power-off any more. */
void broker_run_powerdown_over(struct broker_run *run);
struct broker_link *broker_run_link(const struct broker_run *run, struct vmd_error *err);
/* What there is to say while there is a process. */
bool broker_run_fill_status(const struct broker_run *run, struct proto_machine_status *ret, struct vmd_error *err);
/* Lets go of the process without ending it. */
void broker_run_detach(struct broker_run *run);

/* ---- The daemon socket: broker_server.c; methods: broker_methods_*.c ---- */

struct broker_server;
/* The socket is there; clients wait until broker_server_accept. */
struct broker_server *broker_server_new(struct broker *b, struct vmd_error *err);
void broker_server_accept(struct broker_server *server);
/* Lets clients have their replies, then frees the server and calls closed. */
void broker_server_close(struct broker_server *server, void (*closed)(void *opaque), void *opaque);
size_t broker_server_clients(const struct broker_server *server);
/* There are new events. NULL is allowed. */
void broker_server_on_event(struct broker_server *server);
bool broker_client_subscribe(struct proto_call *call, const struct proto_args_events_subscribe *args,
			     struct vmd_error *err);
void broker_client_unsubscribe(struct proto_call *call);

extern const struct proto_daemon_handlers broker_handlers;

/* What machine processes there were have been found again: clients are let in. */
void broker_adopted(struct broker *b);

#endif
