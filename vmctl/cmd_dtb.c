/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dump-dtb: the device tree a machine is given. A machine that is not running is
 * started for it, paused, and ended again before its first instruction.
 */
#include "vmctl/cmd_priv.h"

#include "protocol/base64.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct vmctl_option options[] = {
	{ "output", 'o', "FILE", "where to write it (default: standard output, if that is no terminal)" },
	{ NULL, 0, NULL, NULL },
};

static bool write_file(const char *path, const uint8_t *data, size_t len, struct vmd_error *err)
{
	FILE *f = path ? fopen(path, "we") : stdout;
	bool ok = f && fwrite(data, 1, len, f) == len;
	if (f && (path ? fclose(f) : fflush(f)) != 0)
		ok = false;
	return ok || vmd_error_set(err, VMD_ERR_IO, errno, "cannot write %s", path ? path : "standard output");
}

static bool fetch(struct vmctl *ctx, const char *name, uint8_t **ret_data, size_t *ret_len, struct vmd_error *err)
{
	json_t *result;
	if (!vmctl_call(ctx, "machine.dump-dtb", json_pack("{s:s}", "name", name), VMCTL_SOON, &result, err))
		return false;
	const char *text = json_string_value(result);
	bool ok = text && proto_base64_decode(text, ret_data, ret_len);
	json_decref(result);
	return ok || vmd_error_set(err, VMD_ERR_GENERIC, 0, "the daemon's answer is no device tree");
}

/* Whether the machine had to be started for it. */
static bool start_paused(struct vmctl *ctx, const char *name, bool *ret_started, struct vmd_error *err)
{
	struct proto_machine_status status;
	if (!vmctl_call_struct(ctx, "machine.status", json_pack("{s:s}", "name", name), VMCTL_SOON, &proto_type_machine_status,
			       &status, err))
		return false;
	*ret_started = status.state == PROTO_MACHINE_STATE_STOPPED || status.state == PROTO_MACHINE_STATE_CRASHED;
	proto_machine_status_fini(&status);
	json_t *result = NULL;
	bool ok = !*ret_started || vmctl_call(ctx, "machine.start", json_pack("{s:s, s:b}", "name", name, "paused", 1), VMCTL_SOON,
					      &result, err);
	json_decref(result);
	return ok;
}

bool cmd_dump_dtb(struct vmctl *ctx, const char *name, const char *path, struct vmd_error *err)
{
	uint8_t *data = NULL;
	size_t len;
	bool started = false;
	bool ok = start_paused(ctx, name, &started, err) && fetch(ctx, name, &data, &len, err) && write_file(path, data, len, err);
	free(data);
	json_t *result;
	if (started && vmctl_call(ctx, "machine.kill", json_pack("{s:s}", "name", name), VMCTL_SOON, &result, ok ? err : NULL))
		json_decref(result);
	return ok;
}

static bool check_output(const char *path, struct vmd_error *err)
{
	if (path || !isatty(STDOUT_FILENO))
		return true;
	vmd_error_set(err, VMD_ERR_INVALID, 0, "a device tree is no text for a terminal");
	return vmd_error_hint(err, "name a file, or pipe it into 'dtc -I dtb -O dts'");
}

static int run_dump_dtb(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	const char *path = vmctl_value(ctx, "output");
	if (!check_output(path, &err) || !cmd_dump_dtb(ctx, ctx->args[0], path, &err))
		return vmctl_fail(ctx, &err);
	return VMCTL_OK;
}

const struct vmctl_command vmctl_cmd_dump_dtb = {
	.name = "dump-dtb", .args = "NAME", .min_args = 1, .max_args = 1, .summary = "Write out the device tree a machine is given",
	.doc = "A machine that does not run is started for it and ended again before its first instruction.",
	.options = options, .example = "vmctl dump-dtb web1 | dtc -I dtb -O dts", .run = run_dump_dtb,
};
