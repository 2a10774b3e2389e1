/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the daemon of this user is, agreed between vmd and vmctl.
 *
 *	runtime	$VMD_RUNTIME_DIR, /run/vmd for root, $XDG_RUNTIME_DIR/vmd,
 *		/run/user/UID/vmd if /run/user/UID is there, else /tmp/vmd-UID
 *	state	$VMD_STATE_DIR, /var/lib/vmd for root, $XDG_STATE_HOME/vmd,
 *		~/.local/state/vmd
 *	socket	$VMD_SOCKET, vmd.sock in the runtime directory
 *
 * Thread: any that may read the environment.
 */
#ifndef PROTOCOL_PATHS_H
#define PROTOCOL_PATHS_H

#include "protocol/error.h"

#define PROTO_SYSTEM_SOCKET "/run/vmd/vmd.sock"

/* Absolute paths that the caller frees; NULL with an error when there is no way to tell. */
char *proto_runtime_dir(struct vmd_error *err);
char *proto_state_dir(struct vmd_error *err);
char *proto_socket_path(struct vmd_error *err);

#endif
