/* SPDX-License-Identifier: BSD-2-Clause */
/* Consoles and logs: attach-serial, detach, logs. */
#include "vmctl/cmd_priv.h"

#include <stdio.h>
#include <unistd.h>

const struct vmctl_option vmctl_attach_options[] = {
	{ "steal", 0, NULL, "take the pen from whoever holds it" },
	{ "read-only", 'r', NULL, "only read" },
	{ "escape", 'e', "CHAR", "the character that leaves: ^X, or none (default ^])" },
	{ "replay", 0, "BYTES", "how much past output to show first (default: all that is kept)" },
	{ NULL, 0, NULL, NULL },
};

bool vmctl_attach_from_options(struct vmctl *ctx, struct vmctl_attach *ret, struct vmd_error *err)
{
	const char *escape = vmctl_value(ctx, "escape"), *replay = vmctl_value(ctx, "replay");
	uint64_t bytes = UINT32_MAX;
	if (replay && !proto_size_parse(replay, &bytes))
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "--replay takes a size, not '%s'", replay);
	*ret = (struct vmctl_attach){
		.chardev = "serial0", .steal = vmctl_flag(ctx, "steal"), .read_only = vmctl_flag(ctx, "read-only"), .escape = 0x1d,
		.replay = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX,
	};
	return !escape || vmctl_escape_parse(escape, &ret->escape, err);
}

static int run_attach(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	struct vmctl_attach how;
	if (!vmctl_attach_from_options(ctx, &how, &err))
		return vmctl_fail(ctx, &err);
	how.machine = ctx->args[0];
	if (ctx->n_args > 1)
		how.chardev = ctx->args[1];
	enum vmctl_attach_end end = vmctl_attach(ctx, &how, NULL, &err);
	return end == VMCTL_ATTACH_FAILED ? vmctl_fail(ctx, &err) : end == VMCTL_ATTACH_SIGNAL ? VMCTL_SIGNALLED : VMCTL_OK;
}

const struct vmctl_command vmctl_cmd_attach_serial = {
	.name = "attach-serial", .alias = "console", .args = "NAME [CHARDEV]", .min_args = 1, .max_args = 2,
	.summary = "Attach to a machine's console",
	.doc = "Past output is shown first. Any number of clients may read; one at a time holds the pen and writes. "
	       "Ctrl-] leaves, the machine runs on; typed twice it is sent. Without a terminal, standard input is sent and "
	       "the command ends with the console.",
	.options = vmctl_attach_options, .example = "vmctl console web1 --steal", .run = run_attach,
};

/* Takes the pen and lets go of it. */
static int run_detach(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	const char *chardev = ctx->n_args > 1 ? ctx->args[1] : "serial0";
	if (!vmctl_take_pen(ctx, ctx->args[0], chardev, &err))
		return vmctl_fail(ctx, &err);
	if (!ctx->json)
		printf("%s: nobody holds the pen of %s\n", ctx->args[0], chardev);
	return VMCTL_OK;
}

const struct vmctl_command vmctl_cmd_detach = {
	.name = "detach", .args = "NAME [CHARDEV]", .min_args = 1, .max_args = 2,
	.summary = "Take the pen of a console from whoever holds it",
	.doc = "The client that held it goes on reading. (To leave a console you are attached to, type Ctrl-].)", .run = run_detach,
};

/* ---- logs ---- */

static const struct vmctl_option logs_options[] = {
	{ "follow", 'f', NULL, "go on as the log grows" },
	{ NULL, 0, NULL, NULL },
};

static int run_logs(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	bool follow = vmctl_flag(ctx, "follow"), tty = isatty(1);
	uint64_t offset = 0;
	double wait = 0;
	for (;;) {
		struct proto_log_chunk chunk;
		json_t *params = json_pack("{s:s, s:I, s:f}", "name", ctx->args[0], "offset", (json_int_t)offset, "wait", wait);
		if (!vmctl_call_struct(ctx, "machine.logs", params, VMCTL_SOON + 30, &proto_type_log_chunk, &chunk, &err))
			return vmctl_fail(ctx, &err);
		bool end = chunk.next == chunk.offset;
		for (const char *c = chunk.text; *c; c++) {
			/* A guest may have had a hand in it: no escapes for the terminal. */
			if (tty && ((unsigned char)*c < 0x20 || *c == 0x7f) && *c != '\n' && *c != '\t')
				printf("\\x%02x", (unsigned char)*c);
			else
				putchar(*c);
		}
		fflush(stdout);
		offset = chunk.next;
		proto_log_chunk_fini(&chunk);
		if (end && !follow)
			return VMCTL_OK;
		wait = end ? 30 : 0;
	}
}

const struct vmctl_command vmctl_cmd_logs = {
	.name = "logs", .alias = "log", .args = "NAME", .min_args = 1, .max_args = 1, .summary = "Show a machine's log",
	.doc = "The log holds what the machine process said; what the guest wrote is on its console.", .options = logs_options,
	.run = run_logs,
};
