/* SPDX-License-Identifier: BSD-2-Clause */
/* What several commands share. */
#ifndef VMCTL_CMD_PRIV_H
#define VMCTL_CMD_PRIV_H

#include "vmctl/vmctl_priv.h"

#define COMMAND(name) extern const struct vmctl_command vmctl_cmd_##name;
#include "vmctl/commands.def"
#undef COMMAND

/* {"name": the first argument} */
json_t *cmd_name_params(const struct vmctl *ctx);
/* Prints a machine's status: a line saying what it is now, or JSON. */
int cmd_print_status(const struct vmctl *ctx, const struct proto_machine_status *status);
/* "stopped: guest-exit, status 3" */
void cmd_state_text(const struct proto_machine_status *status, char *buf, size_t size);
/* JSON from the arguments that follow the n-th: one object, or key=value words. */
json_t *cmd_object_args(const struct vmctl *ctx, unsigned n, struct vmd_error *err);

/* What executes a machine, and what was counted; the caller finis it. */
bool cmd_stats(struct vmctl *ctx, const char *name, struct proto_machine_stats *ret, struct vmd_error *err);
/* Writes the device tree of a machine to a file (NULL: standard output). */
bool cmd_dump_dtb(struct vmctl *ctx, const char *name, const char *path, struct vmd_error *err);
#endif
