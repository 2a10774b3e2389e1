/* SPDX-License-Identifier: BSD-2-Clause */
/* A run, as broker_run.c and broker_adopt.c share it. */
#ifndef VMD_BROKER_RUN_PRIV_H
#define VMD_BROKER_RUN_PRIV_H

#include "vmd/broker_priv.h"

enum broker_run_phase { BROKER_RUN_OPENING, BROKER_RUN_LAUNCHING, BROKER_RUN_CONNECTING, BROKER_RUN_LIVE };

struct broker_run {
	struct broker_machine *machine;
	enum broker_run_phase phase;
	uv_work_t work;
	struct broker_plan plan;   /* plan.def is the definition that runs */
	bool opened;
	struct spawn_process process;
	bool has_process;          /* false: being opened, or found by its QMP socket alone */
	struct spawn_watch *watch;
	struct spawn_launch *launch;
	struct broker_link *link;
	uv_timer_t timer;          /* the start's deadline; then grace, or quit's deadline */
	int exit_fd;
	double started;
	broker_started_fn *fn;
	void *opaque;
	bool paused;               /* do not let it go at the start */
	enum proto_machine_state state_before;
	bool failed;               /* the start is given up; why */
	struct vmd_error why;
	bool ended;                /* the process has ended; how */
	struct spawn_end how;
	bool running, powering_down, lost, killing;
	bool adopting;             /* found again, and its state is not known yet */
};

struct broker_run *broker_run_new(struct broker_machine *m, struct vmd_error *err);
bool broker_run_connect(struct broker_run *run, struct vmd_error *err);
bool broker_run_watch(struct broker_run *run, struct vmd_error *err);
/* The process answers; run->running is up to date. */
void broker_run_answered(struct broker_run *run);
/* The process of a live run has ended: frees the run. */
void broker_run_conclude(struct broker_run *run);

/* broker_adopt.c: the state of an adopted run is known, or known not to come soon. */
void broker_run_settled(struct broker_run *run);
/* broker_adopt.c: asks the process itself who it is. */
void broker_run_ask_identity(struct broker_run *run);

#endif
