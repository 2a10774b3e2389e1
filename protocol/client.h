/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's side of the daemon socket: blocking calls with a timeout, and
 * single messages for programs that have a loop of their own.
 *
 * Thread: one at a time.
 */
#ifndef PROTOCOL_CLIENT_H
#define PROTOCOL_CLIENT_H

#include "protocol/error.h"

#include <jansson.h>
#include <stdbool.h>

struct proto_client;

/* Connects to a Unix socket; VMD_ERR_UNREACHABLE when nobody answers. */
struct proto_client *proto_client_new(const char *path, struct vmd_error *err);
void proto_client_free(struct proto_client *client);
/* For poll(): readable means that proto_client_receive() may have something. */
int proto_client_fd(const struct proto_client *client);

/* Calls a method and waits for its result, `timeout` seconds at most (negative:
 * for ever). Takes params (NULL: none). Notifications that come meanwhile are
 * kept for proto_client_receive(). */
bool proto_client_call(struct proto_client *client, const char *method, json_t *params_new, double timeout,
		       json_t **ret_result, struct vmd_error *err);

/* Sends a call without waiting. */
bool proto_client_send(struct proto_client *client, const char *method, json_t *params_new, int *ret_id,
		       struct vmd_error *err);

enum proto_client_got {
	PROTO_CLIENT_NOTHING,  /* the time is up */
	PROTO_CLIENT_MESSAGE,  /* *ret_message: a notification or a response, now the caller's */
	PROTO_CLIENT_FAILED,   /* *err; the connection is of no more use */
};
enum proto_client_got proto_client_receive(struct proto_client *client, double timeout, json_t **ret_message,
					   struct vmd_error *err);
/* The result in a response (borrowed), or false with the error it holds. */
bool proto_client_result(const json_t *response, json_t **ret_result, struct vmd_error *err);

#endif
