/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run: a machine for the length of one command. It is defined as transient,
 * started paused, attached to, and only then let go, so that no byte is lost. The
 * exit status is the guest's.
 */
#include "vmctl/cmd_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct vmctl_option run_options[] = {
	{ "name", 0, "NAME", "the machine's name (default: run-PID)" },
	{ "keep", 0, NULL, "do not delete the machine afterwards" },
	{ "dump-dtb", 0, "FILE", "only write the device tree it would be given to FILE" },
	{ "read-only", 'r', NULL, "send it no input" },
	{ "escape", 'e', "CHAR", "the character that leaves: ^X, or none (default ^])" },
	{ NULL, 0, NULL, NULL },
};

static bool call_quietly(struct vmctl *ctx, const char *method, json_t *params_new)
{
	json_t *result;
	struct vmd_error err;
	if (!vmctl_call(ctx, method, params_new, VMCTL_SOON, &result, &err))
		return false;
	json_decref(result);
	return true;
}

static void clean_up(struct vmctl *ctx, const char *name)
{
	call_quietly(ctx, "machine.delete", json_pack("{s:s, s:b}", "name", name, "force", 1));
}

/* The exit status for how the run ended, saying why when it is not the guest's doing. */
static int end_status(const struct vmctl *ctx, const struct proto_machine_status *status)
{
	const struct proto_run_end *end = status->end;
	char safe[600];
	if (!end) {
		vmctl_note("'%s' is %s, and there is no record of how its run ended", status->name,
			   proto_machine_state_name(status->state));
		return VMCTL_FAILED;
	}
	switch (end->reason) {
	case PROTO_END_REASON_GUEST_SHUTDOWN:
	case PROTO_END_REASON_GUEST_EXIT:
	case PROTO_END_REASON_GUEST_RESET:
		return (int)(end->status & 0xff);
	default:
		vmctl_note("the run has ended: %s%s%s", proto_end_reason_name(end->reason), end->message ? ": " : "",
			   end->message ? vmctl_safe(end->message, safe, sizeof(safe)) : "");
		return end->status & 0xff ? (int)(end->status & 0xff) : VMCTL_FAILED;
	}
}

/* Says what went wrong. A crash is the run's end, not a wrong state to be in. */
static int fail(const struct vmctl *ctx, const struct vmd_error *err)
{
	int status = vmctl_fail(ctx, err);
	return status == VMCTL_WRONG_STATE ? VMCTL_FAILED : status;
}

static int attach_and_wait(struct vmctl *ctx, struct vmctl_attach *how)
{
	struct vmd_error err = { 0 };
	struct proto_machine_status status = { 0 };
	json_t *wait;
	int ret;
	switch (vmctl_attach(ctx, how, &status, &err)) {
	case VMCTL_ATTACH_LEFT:
		vmctl_note("'%s' runs on: 'vmctl console %s' attaches again, 'vmctl delete -f %s' ends it", how->machine, how->machine,
			   how->machine);
		proto_machine_status_fini(&status);
		return VMCTL_OK;
	case VMCTL_ATTACH_SIGNAL:
		clean_up(ctx, how->machine);
		proto_machine_status_fini(&status);
		return VMCTL_SIGNALLED;
	case VMCTL_ATTACH_FAILED:
		ret = fail(ctx, &err);
		clean_up(ctx, how->machine);
		proto_machine_status_fini(&status);
		return ret;
	case VMCTL_ATTACH_CLOSED:
		break;
	}
	if (!status.name) {
		/* The daemon went away meanwhile; there may be another one. */
		proto_client_free(ctx->client);
		ctx->client = NULL;
		wait = json_pack("{s:s, s:s, s:i}", "name", how->machine, "state", "stopped", "timeout", 10);
		if (!vmctl_call_struct(ctx, "machine.wait", wait, VMCTL_SOON, &proto_type_machine_status, &status, &err))
			return fail(ctx, &err);
	}
	ret = end_status(ctx, &status);
	proto_machine_status_fini(&status);
	return ret;
}

static int run_run(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	char name[64];
	int status;
	struct vmctl_attach how;
	if (vmctl_option_help(ctx, &status))
		return status;
	if (!vmctl_attach_from_options(ctx, &how, &err))
		return vmctl_fail(ctx, &err);
	json_t *def = vmctl_definition(ctx, &err);
	if (!def)
		return vmctl_fail(ctx, &err);
	snprintf(name, sizeof(name), "run-%d", (int)getpid());
	if (vmctl_value(ctx, "name"))
		snprintf(name, sizeof(name), "%s", vmctl_value(ctx, "name"));
	bool keep = vmctl_flag(ctx, "keep");
	json_object_set_new(def, "name", json_string(name));
	json_object_set_new(def, "transient", json_boolean(!keep));
	struct proto_machine_definition parsed;
	if (!proto_machine_definition_parse(def, NULL, &parsed, &err)) {
		json_decref(def);
		return vmctl_fail(ctx, &err);
	}
	how.machine = name;
	char *chardev = parsed.n_serials ? strdup(parsed.serials[0]) : NULL;
	proto_machine_definition_fini(&parsed);
	how.chardev = chardev ? chardev : "serial0";
	how.resume = how.until_stopped = true;
	struct proto_machine_info info;
	struct proto_machine_status started;
	if (!vmctl_call_struct(ctx, "machine.create", json_pack("{s:o}", "definition", def), VMCTL_SOON, &proto_type_machine_info,
			       &info, &err)) {
		free(chardev);
		return vmctl_fail(ctx, &err);
	}
	proto_machine_info_fini(&info);
	if (vmctl_value(ctx, "dump-dtb")) {
		status = cmd_dump_dtb(ctx, name, vmctl_value(ctx, "dump-dtb"), &err) ? VMCTL_OK : vmctl_fail(ctx, &err);
		clean_up(ctx, name);
	} else if (!vmctl_call_struct(ctx, "machine.start", json_pack("{s:s, s:b}", "name", name, "paused", 1), VMCTL_SOON,
			       &proto_type_machine_status, &started, &err)) {
		status = vmctl_fail(ctx, &err);
		clean_up(ctx, name);
	} else {
		proto_machine_status_fini(&started);
		status = attach_and_wait(ctx, &how);
	}
	free(chardev);
	return status;
}

const struct vmctl_command vmctl_cmd_run = {
	.name = "run", .args = "", .min_args = 0, .max_args = 0, .summary = "Run a machine, attached, until it powers off",
	.doc = "Defines a transient machine, starts it and attaches to its first serial line. Without a terminal its output goes "
	       "to standard output and standard input to the guest. The exit status is the guest's (0 for a plain power-off). "
	       "Ctrl-] leaves it running.",
	.options = run_options, .definition = true,
	.example = "vmctl run --cpus 2 --memory 1G --kernel Image --initrd initrd.gz --append console=ttyAMA0", .run = run_run,
};
