/* SPDX-License-Identifier: BSD-2-Clause */
/* help and completion. */
#include "vmctl/cmd_priv.h"

#include <string.h>

static const struct vmctl_option help_options[] = {
	{ "mdoc", 0, NULL, "the reference of all commands as a part of a manual page" },
	{ NULL, 0, NULL, NULL },
};

static int run_help(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	if (vmctl_flag(ctx, "mdoc")) {
		vmctl_print_mdoc();
		return VMCTL_OK;
	}
	if (!ctx->n_args) {
		vmctl_overview();
		return VMCTL_OK;
	}
	const struct vmctl_command *command = vmctl_command_find(ctx->args[0]);
	if (command) {
		vmctl_usage(command, true);
		return VMCTL_OK;
	}
	vmd_error_set(&err, VMD_ERR_INVALID, 0, "unknown command '%s'", ctx->args[0]);
	vmd_error_hint(&err, "'vmctl -h' lists the commands");
	return vmctl_fail(ctx, &err);
}

const struct vmctl_command vmctl_cmd_help = {
	.name = "help", .args = "[COMMAND]", .min_args = 0, .max_args = 1, .summary = "Show help", .options = help_options,
	.run = run_help,
};

static int run_completion(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	if (ctx->n_args && strcmp(ctx->args[0], "bash")) {
		vmd_error_set(&err, VMD_ERR_INVALID, 0, "there is no completion for '%s'", ctx->args[0]);
		vmd_error_hint(&err, "there is one for bash");
		return vmctl_fail(ctx, &err);
	}
	vmctl_print_completion();
	return VMCTL_OK;
}

const struct vmctl_command vmctl_cmd_completion = {
	.name = "completion", .args = "[bash]", .min_args = 0, .max_args = 1, .summary = "Print a completion script for the shell",
	.example = "vmctl completion bash > ~/.local/share/bash-completion/completions/vmctl", .run = run_completion,
};
