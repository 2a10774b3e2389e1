/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine's life: start, stop, kill, restart, reset, pause, resume, wait. */
#include "vmctl/cmd_priv.h"

#include <stdio.h>
#include <string.h>

/* Calls a method that returns a MachineStatus, and prints it. */
static int call_status(struct vmctl *ctx, const char *method, json_t *params_new, double timeout)
{
	struct vmd_error err = { 0 };
	struct proto_machine_status status;
	if (!vmctl_call_struct(ctx, method, params_new, timeout, &proto_type_machine_status, &status, &err))
		return vmctl_fail(ctx, &err);
	int ret = cmd_print_status(ctx, &status);
	proto_machine_status_fini(&status);
	return ret;
}

/* ---- start ---- */

static const struct vmctl_option start_options[] = {
	{ "attach", 'a', NULL, "attach to its console, from its first byte on" },
	{ "paused", 'S', NULL, "leave it paused before its first instruction" },
	{ NULL, 0, NULL, NULL },
};

static int run_start(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	bool attach = vmctl_flag(ctx, "attach"), paused = vmctl_flag(ctx, "paused");
	json_t *params = json_pack("{s:s, s:b}", "name", ctx->args[0], "paused", attach || paused);
	if (!attach)
		return call_status(ctx, "machine.start", params, VMCTL_SOON);
	struct proto_machine_status status;
	if (!vmctl_call_struct(ctx, "machine.start", params, VMCTL_SOON, &proto_type_machine_status, &status, &err))
		return vmctl_fail(ctx, &err);
	proto_machine_status_fini(&status);
	struct vmctl_attach how = {
		.machine = ctx->args[0], .chardev = "serial0", .escape = 0x1d, .replay = UINT32_MAX, .resume = !paused,
	};
	enum vmctl_attach_end end = vmctl_attach(ctx, &how, &status, &err);
	return end == VMCTL_ATTACH_FAILED ? vmctl_fail(ctx, &err) : end == VMCTL_ATTACH_SIGNAL ? VMCTL_SIGNALLED : VMCTL_OK;
}

const struct vmctl_command vmctl_cmd_start = {
	.name = "start", .args = "NAME", .min_args = 1, .max_args = 1, .summary = "Start a machine", .options = start_options,
	.example = "vmctl start web1 --attach", .run = run_start,
};

/* ---- stop, restart, wait: with a timeout ---- */

static const struct vmctl_option timeout_options[] = {
	{ "timeout", 't', "SECONDS", "how long to wait (default 60)" },
	{ NULL, 0, NULL, NULL },
};

static int run_with_timeout(struct vmctl *ctx, const char *method)
{
	struct vmd_error err = { 0 };
	double timeout;
	if (!vmctl_seconds(ctx, "timeout", 60, &timeout, &err))
		return vmctl_fail(ctx, &err);
	json_t *params = json_pack("{s:s, s:f}", "name", ctx->args[0], "timeout", timeout);
	return call_status(ctx, method, params, timeout + VMCTL_SOON);
}

static int run_stop(struct vmctl *ctx)
{
	return run_with_timeout(ctx, "machine.stop");
}

const struct vmctl_command vmctl_cmd_stop = {
	.name = "stop", .args = "NAME", .min_args = 1, .max_args = 1, .summary = "Have a machine power off",
	.doc = "Presses the power key and waits until the guest has powered off. When it does not, 'vmctl kill' ends it.",
	.options = timeout_options, .run = run_stop,
};

static int run_restart(struct vmctl *ctx)
{
	return run_with_timeout(ctx, "machine.restart");
}

const struct vmctl_command vmctl_cmd_restart = {
	.name = "restart", .args = "NAME", .min_args = 1, .max_args = 1, .summary = "Have a machine power off and start it again",
	.options = timeout_options, .run = run_restart,
};

static const struct vmctl_option wait_options[] = {
	{ "timeout", 't', "SECONDS", "how long to wait (default: for ever)" },
	{ NULL, 0, NULL, NULL },
};

static int run_wait(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	double timeout;
	if (!vmctl_seconds(ctx, "timeout", -1, &timeout, &err))
		return vmctl_fail(ctx, &err);
	json_t *params = json_pack("{s:s, s:s}", "name", ctx->args[0], "state", ctx->args[1]);
	if (timeout >= 0)
		json_object_set_new(params, "timeout", json_real(timeout));
	return call_status(ctx, "machine.wait", params, timeout < 0 ? -1 : timeout + VMCTL_SOON);
}

const struct vmctl_command vmctl_cmd_wait = {
	.name = "wait", .args = "NAME STATE", .min_args = 2, .max_args = 2, .summary = "Wait until a machine is in a state",
	.doc = "States: stopped, starting, running, paused, stopping, crashed, unresponsive.", .options = wait_options,
	.example = "vmctl wait web1 stopped --timeout 60", .run = run_wait,
};

/* ---- The others ---- */

static int run_kill(struct vmctl *ctx)
{
	return call_status(ctx, "machine.kill", cmd_name_params(ctx), VMCTL_SOON);
}

const struct vmctl_command vmctl_cmd_kill = {
	.name = "kill", .args = "NAME", .min_args = 1, .max_args = 1, .summary = "End a machine at once", .run = run_kill,
};

static int run_reset(struct vmctl *ctx)
{
	return call_status(ctx, "machine.reset", cmd_name_params(ctx), VMCTL_SOON);
}

const struct vmctl_command vmctl_cmd_reset = {
	.name = "reset", .args = "NAME", .min_args = 1, .max_args = 1, .summary = "Reset a machine", .run = run_reset,
};

static int run_pause(struct vmctl *ctx)
{
	return call_status(ctx, "machine.pause", cmd_name_params(ctx), VMCTL_SOON);
}

const struct vmctl_command vmctl_cmd_pause = {
	.name = "pause", .args = "NAME", .min_args = 1, .max_args = 1, .summary = "Stop a machine's processors", .run = run_pause,
};

static int run_resume(struct vmctl *ctx)
{
	return call_status(ctx, "machine.resume", cmd_name_params(ctx), VMCTL_SOON);
}

const struct vmctl_command vmctl_cmd_resume = {
	.name = "resume", .args = "NAME", .min_args = 1, .max_args = 1, .summary = "Let a machine's processors run on",
	.run = run_resume,
};
