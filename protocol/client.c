/* SPDX-License-Identifier: BSD-2-Clause */
/* A client of the daemon socket; see the header. */
#include "protocol/client.h"

#include "protocol/jsonrpc.h"
#include "protocol/jsonstream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct proto_client {
	int fd;
	int last_id;
	struct proto_stream in;
	json_t *kept; /* messages that came while another one was waited for */
};

static double now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct proto_client *proto_client_new(const char *path, struct vmd_error *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(addr.sun_path)) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "%s is too long for a socket's path", path);
		return NULL;
	}
	strcpy(addr.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int saved = errno;
		vmd_error_set(err, saved == EACCES || saved == EPERM ? VMD_ERR_DENIED : VMD_ERR_UNREACHABLE, saved,
			      "cannot connect to %s", path);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	struct proto_client *client = calloc(1, sizeof(*client));
	json_t *kept = json_array();
	if (!client || !kept) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		json_decref(kept);
		free(client);
		close(fd);
		return NULL;
	}
	client->fd = fd;
	client->kept = kept;
	proto_stream_init(&client->in, PROTO_STREAM_RPC);
	return client;
}

void proto_client_free(struct proto_client *client)
{
	if (!client)
		return;
	close(client->fd);
	proto_stream_fini(&client->in);
	json_decref(client->kept);
	free(client);
}

int proto_client_fd(const struct proto_client *client)
{
	return client->fd;
}

bool proto_client_send(struct proto_client *client, const char *method, json_t *params_new, int *ret_id,
		       struct vmd_error *err)
{
	int id = ++client->last_id;
	json_t *request = json_pack("{s:s, s:s, s:i}", "jsonrpc", "2.0", "method", method, "id", id);
	if (request && params_new)
		json_object_set(request, "params", params_new);
	json_decref(params_new);
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	json_decref(request);
	if (!text)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	size_t len = strlen(text);
	text[len++] = '\n'; /* over the terminator */
	bool ok = true;
	for (size_t at = 0; ok && at < len;) {
		ssize_t n = send(client->fd, text + at, len - at, MSG_NOSIGNAL);
		if (n > 0)
			at += (size_t)n;
		else if (errno != EINTR)
			ok = vmd_error_set(err, VMD_ERR_UNREACHABLE, errno, "cannot send to the daemon");
	}
	free(text);
	if (ok)
		*ret_id = id;
	return ok;
}

/* A message that is in the buffer already. */
static enum proto_client_got buffered(struct proto_client *client, json_t **ret_message, struct vmd_error *err)
{
	const char *text;
	size_t len;
	switch (proto_stream_next(&client->in, &text, &len)) {
	case PROTO_STREAM_MORE:
		return PROTO_CLIENT_NOTHING;
	case PROTO_STREAM_TEXT: {
		json_error_t e;
		*ret_message = json_loadb(text, len, 0, &e);
		if (*ret_message)
			return PROTO_CLIENT_MESSAGE;
		vmd_error_set(err, VMD_ERR_UNREACHABLE, 0, "the daemon sent what is not JSON: %s", e.text);
		return PROTO_CLIENT_FAILED;
	}
	default:
		vmd_error_set(err, VMD_ERR_UNREACHABLE, 0, "the daemon sent what is not JSON: %s", text);
		return PROTO_CLIENT_FAILED;
	}
}

/* Reads from the socket until there is a message. */
static enum proto_client_got read_message(struct proto_client *client, double timeout, json_t **ret_message,
					  struct vmd_error *err)
{
	double deadline = now() + timeout;
	for (;;) {
		enum proto_client_got got = buffered(client, ret_message, err);
		if (got != PROTO_CLIENT_NOTHING)
			return got;
		int wait = -1;
		if (timeout >= 0) {
			double left = (deadline - now()) * 1000;
			wait = left > 0 ? (left < INT_MAX ? (int)left + 1 : INT_MAX) : 0;
		}
		struct pollfd p = { .fd = client->fd, .events = POLLIN };
		int n = poll(&p, 1, wait);
		if (n == 0)
			return PROTO_CLIENT_NOTHING;
		if (n < 0 && errno == EINTR)
			continue;
		char buf[65536];
		ssize_t len = n < 0 ? -1 : recv(client->fd, buf, sizeof(buf), 0);
		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0) {
			vmd_error_set(err, VMD_ERR_UNREACHABLE, len < 0 ? errno : 0, "the daemon has closed the connection");
			return PROTO_CLIENT_FAILED;
		}
		if (!proto_stream_feed(&client->in, buf, (size_t)len)) {
			vmd_error_set(err, VMD_ERR_LIMIT, 0, "the daemon sent a message larger than 1 MiB");
			return PROTO_CLIENT_FAILED;
		}
	}
}

enum proto_client_got proto_client_receive(struct proto_client *client, double timeout, json_t **ret_message,
					   struct vmd_error *err)
{
	if (json_array_size(client->kept)) {
		*ret_message = json_incref(json_array_get(client->kept, 0));
		json_array_remove(client->kept, 0);
		return PROTO_CLIENT_MESSAGE;
	}
	return read_message(client, timeout, ret_message, err);
}

bool proto_client_result(const json_t *response, json_t **ret_result, struct vmd_error *err)
{
	json_t *error = json_object_get(response, "error"), *result = json_object_get(response, "result");
	if (result) {
		*ret_result = result;
		return true;
	}
	if (!json_is_object(error))
		return vmd_error_set(err, VMD_ERR_UNREACHABLE, 0, "the daemon's reply holds neither a result nor an error");
	const json_t *data = json_object_get(error, "data");
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *class = json_string_value(json_object_get(data, "class"));
	const char *hint = json_string_value(json_object_get(data, "hint"));
	int code = (int)json_integer_value(json_object_get(error, "code"));
	enum vmd_error_code known = proto_rpc_error_code(code);
	if (known == VMD_ERR_GENERIC && class)
		known = vmd_error_code_of(class);
	vmd_error_set(err, known, 0, "%s", message ? message : "the daemon gave an error without a message");
	return hint ? vmd_error_hint(err, "%s", hint) : false;
}

bool proto_client_call(struct proto_client *client, const char *method, json_t *params_new, double timeout,
		       json_t **ret_result, struct vmd_error *err)
{
	int id;
	double deadline = now() + timeout;
	if (!proto_client_send(client, method, params_new, &id, err))
		return false;
	for (;;) {
		json_t *message;
		double left = timeout < 0 ? -1 : deadline - now();
		switch (read_message(client, timeout >= 0 && left < 0 ? 0 : left, &message, err)) {
		case PROTO_CLIENT_FAILED:
			return false;
		case PROTO_CLIENT_NOTHING:
			return vmd_error_set(err, VMD_ERR_TIMEOUT, 0, "the daemon has not answered %s for %g s", method, timeout);
		case PROTO_CLIENT_MESSAGE:
			break;
		}
		const json_t *got = json_object_get(message, "id");
		bool ours = json_is_integer(got) && json_integer_value(got) == id;
		/* An error about something that could not be read can only be about this call. */
		if (ours || (json_is_null(got) && json_object_get(message, "error"))) {
			json_t *result;
			bool ok = proto_client_result(message, &result, err);
			if (ok)
				*ret_result = json_incref(result);
			json_decref(message);
			return ok;
		}
		json_array_append_new(client->kept, message);
	}
}
