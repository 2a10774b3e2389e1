/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of commands, from commands.def. */
#include "vmctl/vmctl_priv.h"

#define COMMAND(name) extern const struct vmctl_command vmctl_cmd_##name;
#include "vmctl/commands.def"
#undef COMMAND

const struct vmctl_command *const vmctl_commands[] = {
#define COMMAND(name) &vmctl_cmd_##name,
#include "vmctl/commands.def"
#undef COMMAND
	NULL,
};
