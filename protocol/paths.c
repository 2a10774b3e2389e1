/* SPDX-License-Identifier: BSD-2-Clause */
/* The directories and the socket of a user's daemon; see the header. */
#include "protocol/paths.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *env(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

static char *join(const char *dir, const char *name, struct vmd_error *err)
{
	char *path;
	if (asprintf(&path, "%s%s%s", dir, *name ? "/" : "", name) >= 0)
		return path;
	vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	return NULL;
}

static char *from_env(const char *variable, struct vmd_error *err)
{
	if (*env(variable) == '/')
		return join(env(variable), "", err);
	vmd_error_set(err, VMD_ERR_INVALID, 0, "$%s must be an absolute path, not '%s'", variable, env(variable));
	return NULL;
}

char *proto_runtime_dir(struct vmd_error *err)
{
	char path[64];
	struct stat st;
	if (env("VMD_RUNTIME_DIR"))
		return from_env("VMD_RUNTIME_DIR", err);
	if (geteuid() == 0)
		return join("/run/vmd", "", err);
	if (env("XDG_RUNTIME_DIR"))
		return join(env("XDG_RUNTIME_DIR"), "vmd", err);
	snprintf(path, sizeof(path), "/run/user/%u", (unsigned)geteuid());
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		return join(path, "vmd", err);
	snprintf(path, sizeof(path), "/tmp/vmd-%u", (unsigned)geteuid());
	return join(path, "", err);
}

char *proto_state_dir(struct vmd_error *err)
{
	if (env("VMD_STATE_DIR"))
		return from_env("VMD_STATE_DIR", err);
	if (geteuid() == 0)
		return join("/var/lib/vmd", "", err);
	if (env("XDG_STATE_HOME"))
		return join(env("XDG_STATE_HOME"), "vmd", err);
	const char *home = env("HOME");
	if (!home) {
		const struct passwd *pw = getpwuid(geteuid());
		home = pw ? pw->pw_dir : NULL;
	}
	if (home)
		return join(home, ".local/state/vmd", err);
	vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "this user has no home directory to keep definitions in");
	vmd_error_hint(err, "set $VMD_STATE_DIR");
	return NULL;
}

char *proto_socket_path(struct vmd_error *err)
{
	if (env("VMD_SOCKET"))
		return from_env("VMD_SOCKET", err);
	char *dir = proto_runtime_dir(err);
	char *path = dir ? join(dir, "vmd.sock", err) : NULL;
	free(dir);
	return path;
}
