/* SPDX-License-Identifier: BSD-2-Clause */
/* The broker, as main.c sees it. */
#ifndef VMD_BROKER_H
#define VMD_BROKER_H

#include "protocol/error.h"
#include "protocol/schema_gen.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct uv_loop_s;
struct broker;

/* What the members of a group may do. */
struct broker_role {
	gid_t group;
	enum proto_privilege privilege;
};

struct broker_config {
	const char *runtime_dir;
	const char *state_dir;
	const char *socket;   /* NULL: vmd.sock in the runtime directory */
	const char *group;    /* whose members may connect, too; NULL: nobody's */
	const struct broker_role *roles; /* what callers who are not the owner may do; others: viewer */
	size_t n_roles;
	const char *program;  /* of machine processes */
	const char *log;      /* the broker's own; NULL: standard error */
	unsigned idle_exit;   /* seconds without machines and clients before it ends; 0: never */
	int listen_fd;        /* a socket that listens already, -1: make it */
	void (*ready)(void *opaque); /* clients are being served; may be NULL */
	void *opaque;
};

/* Everything from the lock to the first accept; machine processes of an earlier
 * broker are being found again when it returns. `config` outlives the broker. */
struct broker *broker_new(struct uv_loop_s *loop, const struct broker_config *config, struct vmd_error *err);
/* Closes everything; machines go on. Runs the loop meanwhile. NULL is allowed. */
void broker_free(struct broker *broker);
/* Lets clients have their replies and then stops the loop. */
void broker_stop(struct broker *broker);
void broker_reopen_logs(struct broker *broker);

#endif
