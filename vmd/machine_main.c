/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine role's main: be launched, be a machine, leave a record.
 *
 * The process has descriptors 0 to 2 and the channel; everything else comes in
 * the launch message. It lives until the machine ends or it is told to by
 * SIGTERM, whatever becomes of the broker. Thread: I/O (the main thread).
 */
#include "vmd/machine_priv.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHANNEL_FD 3

static void on_signal(uv_signal_t *handle, int signo)
{
	machine_end(handle->data, PROTO_END_REASON_HOST_QUIT, PROTO_SHUTDOWN_CAUSE_HOST_SIGNAL, 0, NULL);
}

static bool watch_signals(uv_loop_t *loop, uv_signal_t *handles, struct machine *m, struct vmd_error *err)
{
	static const int signals[] = { SIGTERM, SIGINT };
	for (size_t i = 0; i < 2; i++) {
		int rc = uv_signal_init(loop, &handles[i]);
		if (rc == 0) {
			handles[i].data = m;
			rc = uv_signal_start(&handles[i], on_signal, signals[i]);
		}
		if (rc)
			return vmd_error_set(err, VMD_ERR_IO, -rc, "cannot watch for signals");
	}
	return true;
}

static void free_launch(struct machine_launch *l)
{
	for (size_t i = 0; i < l->n_chardevs; i++)
		free(l->chardevs[i].id);
	proto_machine_definition_fini(&l->definition);
	free(l);
}

/* Runs the machine to its end; true once the broker was told that it is ready. */
static bool be_machine(uv_loop_t *loop, struct machine_launch *launch, struct vmd_error *err)
{
	struct machine m;
	uv_signal_t signals[2];
	if (!machine_init(&m, loop, launch, err))
		return false;
	bool ok = watch_signals(loop, signals, &m, err);
	if (ok) {
		/* A broker that has gone meanwhile will find us again. */
		machine_launch_answer(CHANNEL_FD, NULL);
		close(CHANNEL_FD);
		uv_run(loop, UV_RUN_DEFAULT);
	}
	for (size_t i = 0; i < 2; i++)
		if (uv_has_ref((uv_handle_t *)&signals[i]))
			uv_close((uv_handle_t *)&signals[i], NULL);
	machine_fini(&m);
	return ok;
}

int vmd_machine_main(int argc, char **argv)
{
	struct vmd_error err;
	uv_loop_t loop;
	struct machine_launch *launch = calloc(1, sizeof(*launch));

	signal(SIGPIPE, SIG_IGN);
	if (!launch || uv_loop_init(&loop)) {
		fprintf(stderr, "vmd: cannot start a machine: out of memory\n");
		return EXIT_FAILURE;
	}
	launch->qmp_fd = launch->exit_fd = -1;
	bool ok = machine_launch_read(CHANNEL_FD, launch, &err) && be_machine(&loop, launch, &err);
	if (!ok) {
		fprintf(stderr, "vmd: %s\n", err.message);
		machine_launch_answer(CHANNEL_FD, &err);
	}
	/* Closing handles and output that is still to be written out. */
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	free_launch(launch);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
