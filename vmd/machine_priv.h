/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine role: one process that is one machine.
 *
 * Threads: the I/O thread runs the loop and owns everything here; vCPU and
 * clock threads come in through machine_queue_post only.
 */
#ifndef VMD_MACHINE_PRIV_H
#define VMD_MACHINE_PRIV_H

#include "backends/chardev_backend.h"
#include "devices/device.h"
#include "protocol/error.h"
#include "protocol/schema_gen.h"
#include "vmd/board.h"

#include <uv.h>

/* The role's main(): `vmd --role machine`, launched as ARCHITECTURE.md says. */
int vmd_machine_main(int argc, char **argv);

/* ---- machine_queue.c: work for the I/O thread ---- */

struct machine_queue;
struct machine_queue *machine_queue_new(uv_loop_t *loop, struct vmd_error *err);
/* Closes it; the memory goes with the next turn of the loop. What is queued is dropped. */
void machine_queue_free(struct machine_queue *queue);
/* Any thread; `opaque` is the queue (the shape of devices_env.post). */
void machine_queue_post(void *opaque, void (*fn)(void *arg), void *arg);

/* ---- machine_launch.c: what the broker sends ---- */

#define MACHINE_MAX_FDS 128
#define MACHINE_MAX_CHARDEVS 32
#define MACHINE_MAX_INITRDS 16

struct machine_launch {
	struct proto_machine_definition definition;
	struct board_file kernel, bios, dtb, initrds[MACHINE_MAX_INITRDS];
	size_t n_initrds;
	int qmp_fd, exit_fd;
	struct machine_launch_chardev {
		char *id;       /* owned */
		int console_fd; /* -1: none */
		int fds[2];     /* for backends_chardev_new */
	} chardevs[MACHINE_MAX_CHARDEVS];
	size_t n_chardevs;
};

/* Reads the launch message from the channel; blocks. */
bool machine_launch_read(int channel, struct machine_launch *ret_launch, struct vmd_error *err);
/* Answers it: ready (err NULL) or why not. */
bool machine_launch_answer(int channel, const struct vmd_error *why_not);

/* ---- machine_life.c: the machine ---- */

#define MACHINE_MAX_NAMED_FDS 16

struct machine_monitor;

struct machine_chardev {
	const char *id;
	struct backends_chardev *chr;
};

struct machine {
	uv_loop_t *loop;
	struct machine_launch *launch;
	struct machine_queue *queue;
	struct emu_mem *mem;
	struct emu_clock *clock;
	struct devices_env env;
	struct board *board;
	struct machine_chardev chardevs[MACHINE_MAX_CHARDEVS];
	size_t n_chardevs;
	struct machine_monitor *monitor;
	enum proto_run_state state;
	struct machine_fd {
		char *name; /* NULL: free */
		int fd;
	} named_fds[MACHINE_MAX_NAMED_FDS]; /* of getfd */
	bool vcpus_run;       /* the vCPUs are not paused by us */
	bool run_wanted;      /* cont came; a chardev still waits for its client */
	bool powering_down;   /* the power key was pressed since the last reset */
	bool ended;
	_Atomic uint64_t next_guest_error_ns; /* rate limit of the log */
	_Atomic uint32_t muted_guest_errors;
};

/* Makes the machine, in state prelaunch. */
bool machine_init(struct machine *m, uv_loop_t *loop, struct machine_launch *launch, struct vmd_error *err);
/* Takes it apart; the loop must then be run until it is empty. */
void machine_fini(struct machine *m);

/* The commands. Each emits its event. */
bool machine_cont(struct machine *m, struct vmd_error *err);
void machine_stop(struct machine *m);
bool machine_reset(struct machine *m, enum proto_shutdown_cause cause, struct vmd_error *err);
void machine_powerdown(struct machine *m);
/* Ends the run: stops everything, writes the exit record, and stops the loop
 * when the monitor's clients have been told. Only the first call counts. */
void machine_end(struct machine *m, enum proto_end_reason reason, enum proto_shutdown_cause cause, int status,
		 const char *message);

struct machine_chardev *machine_find_chardev(struct machine *m, const char *id);

/* ---- machine_chardev.c ---- */

/* A chardev's definition as the backends take it, checked. */
struct backends_chardev_config *machine_chardev_config(const struct proto_chardev_definition *def, struct vmd_error *err);

/* ---- machine_monitor.c: QMP ---- */

struct machine_monitor *machine_monitor_new(struct machine *m, int listen_fd, struct vmd_error *err);
/* Sends an event to every client that has negotiated; `data` is the event's
 * struct. A NULL monitor is allowed. */
void machine_monitor_emit(struct machine_monitor *monitor, const struct proto_event_desc *event, const void *data);
/* Stops listening, lets clients have what is queued for them, closes. */
void machine_monitor_free(struct machine_monitor *monitor);

/* ---- machine_qmp.c, machine_hmp.c, machine_qom.c: what the monitor serves ---- */

extern const struct proto_qmp_handlers machine_qmp_handlers;
void machine_close_fds(struct machine *m);

/* One line for people; the answer is malloc'ed, NULL when out of memory. */
char *machine_hmp(struct machine *m, const char *line, unsigned cpu);

struct machine_qom_list {
	struct proto_object_property_info *items;
	size_t n;
	bool failed; /* out of memory on the way */
};
bool machine_qom_list(struct machine *m, const char *path, struct machine_qom_list *ret_list, struct vmd_error *err);
bool machine_qom_class_properties(const char *name, struct machine_qom_list *ret_list, struct vmd_error *err);
void machine_qom_list_fini(struct machine_qom_list *list);
/* A new reference; NULL on failure. */
json_t *machine_qom_get(struct machine *m, const char *path, const char *property, struct vmd_error *err);

/* machine_stats.c */
bool machine_qmp_query_stats(struct proto_call *call, const struct proto_args_qmp_query_stats *args, struct vmd_error *err);
bool machine_qmp_query_stats_schemas(struct proto_call *call, const struct proto_args_qmp_query_stats_schemas *args,
				     struct vmd_error *err);
bool machine_qmp_org_vmd_query_stats(struct proto_call *call, const struct proto_args_qmp_org_vmd_query_stats *args,
				     struct vmd_error *err);

#endif
