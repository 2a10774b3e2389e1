/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in for a machine process in the broker's tests: speaks the launch
 * protocol of ARCHITECTURE.md and as much QMP as the broker asks for. What it
 * does wrong follows from the machine's name (--name), up to the first '-':
 *
 *   die      exits with status 7 before it reads the launch message
 *   crash    kills itself with SIGSEGV before it answers
 *   hang     never answers the launch message
 *   garbage  answers with something that is no JSON
 *   refuse   answers with an error
 *   mute     is ready, but never answers on QMP
 *   stubborn ignores system_powerdown and quit
 *   leak     answers with an error that lists its open descriptors
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CHANNEL = 3, CLIENTS = 16, LINE = 65536 };

struct client {
	int fd;
	char in[LINE];
	size_t len;
};

static char mode[32];
static int fds[128];
static size_t n_fds;
static json_t *launch;
static struct client clients[CLIENTS];
static bool running, quitting;
static const char *status = "prelaunch";

static void die(const char *what)
{
	perror(what);
	exit(9);
}

static void receive_launch(void)
{
	static char text[1 << 21];
	union {
		char buf[CMSG_SPACE(sizeof(fds))];
		struct cmsghdr align;
	} control;
	size_t len = 0, want = 4;
	while (len < want) {
		struct iovec iov = { .iov_base = text + len, .iov_len = sizeof(text) - len };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
				      .msg_controllen = sizeof(control.buf) };
		ssize_t n = recvmsg(CHANNEL, &msg, 0);
		if (n <= 0)
			die("recvmsg");
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(fds, CMSG_DATA(c), n_fds * sizeof(int));
		}
		len += (size_t)n;
		if (len >= 4) {
			uint32_t be;
			memcpy(&be, text, 4);
			want = 4 + ntohl(be);
		}
	}
	launch = json_loadb(text + 4, want - 4, 0, NULL);
	if (!launch)
		die("launch message");
}

static void answer(const char *text)
{
	uint32_t be = htonl((uint32_t)strlen(text));
	if (write(CHANNEL, &be, 4) != 4 || write(CHANNEL, text, strlen(text)) != (ssize_t)strlen(text))
		die("answer");
}

static void answer_with_descriptors(void)
{
	char list[512] = "", text[700];
	DIR *d = opendir("/proc/self/fd");
	for (struct dirent *de; d && (de = readdir(d));)
		if (de->d_name[0] != '.' && atoi(de->d_name) != dirfd(d))
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s ", de->d_name);
	snprintf(text, sizeof(text), "{\"error\": {\"class\": \"GenericError\", \"message\": \"open: %s\"}}", list);
	answer(text);
	exit(1);
}

static void send_line(struct client *c, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	char *line;
	if (asprintf(&line, "%s\r\n", text) < 0)
		abort();
	if (send(c->fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		perror("send");
	free(line);
	free(text);
	json_decref(json);
}

static void event(const char *name, json_t *data)
{
	struct timeval tv;
	gettimeofday(&tv, NULL);
	for (struct client *c = clients; c < clients + CLIENTS; c++) {
		if (c->fd < 0)
			continue;
		json_t *e = json_pack("{s:s, s:{s:I, s:I}}", "event", name, "timestamp", "seconds", (json_int_t)tv.tv_sec,
				      "microseconds", (json_int_t)tv.tv_usec);
		if (data)
			json_object_set(e, "data", data);
		send_line(c, e);
	}
	json_decref(data);
}

static void record(const char *reason, int code, const char *message)
{
	const json_t *exit_index = json_object_get(launch, "exit");
	char text[256];
	snprintf(text, sizeof(text), "{\"reason\": \"%s\", \"status\": %d, \"message\": \"%s\"}", reason, code, message);
	if (pwrite(fds[json_integer_value(exit_index)], text, strlen(text), 0) < 0)
		die("exit record");
}

static void reply(struct client *c, const json_t *request, json_t *value)
{
	json_t *r = json_pack("{s:o}", "return", value);
	if (json_object_get(request, "id"))
		json_object_set(r, "id", json_object_get(request, "id"));
	send_line(c, r);
}

static void handle(struct client *c, const json_t *request)
{
	const char *cmd = json_string_value(json_object_get(request, "execute"));
	bool stubborn = !strcmp(mode, "stubborn");
	if (!strcmp(mode, "mute"))
		return;
	if (!cmd)
		cmd = "";
	if (!strcmp(cmd, "query-status")) {
		reply(c, request, json_pack("{s:s, s:b}", "status", status, "running", running));
	} else if (!strcmp(cmd, "cont")) {
		bool was = running;
		running = true;
		status = "running";
		if (!was)
			event("RESUME", NULL);
		reply(c, request, json_object());
	} else if (!strcmp(cmd, "stop")) {
		bool was = running;
		running = false;
		status = "paused";
		if (was)
			event("STOP", NULL);
		reply(c, request, json_object());
	} else if (!strcmp(cmd, "system_reset")) {
		event("RESET", json_pack("{s:b, s:s}", "guest", 0, "reason", "host-qmp-system-reset"));
		reply(c, request, json_object());
	} else if (!strcmp(cmd, "system_powerdown")) {
		event("POWERDOWN", NULL);
		reply(c, request, json_object());
		if (!stubborn) {
			event("SHUTDOWN", json_pack("{s:b, s:s}", "guest", 1, "reason", "guest-shutdown"));
			record("guest-shutdown", 0, "");
			quitting = true;
		}
	} else if (!strcmp(cmd, "quit") && stubborn) {
		reply(c, request, json_object());
	} else if (!strcmp(cmd, "quit")) {
		event("SHUTDOWN", json_pack("{s:b, s:s}", "guest", 0, "reason", "host-qmp-quit"));
		reply(c, request, json_object());
		record("host-quit", 0, "");
		quitting = true;
	} else if (!strcmp(cmd, "__org.vmd_query-info")) {
		reply(c, request, json_pack("{s:s, s:i, s:s, s:b}", "name", mode, "pid", (int)getpid(), "status", status,
					    "powering-down", 0));
	} else if (!strcmp(cmd, "qmp_capabilities")) {
		reply(c, request, json_object());
	} else {
		json_t *r = json_pack("{s:{s:s, s:s}}", "error", "class", "CommandNotFound", "desc", "no such command");
		if (json_object_get(request, "id"))
			json_object_set(r, "id", json_object_get(request, "id"));
		send_line(c, r);
	}
}

static void read_client(struct client *c)
{
	ssize_t n = read(c->fd, c->in + c->len, sizeof(c->in) - c->len);
	if (n <= 0) {
		close(c->fd);
		c->fd = -1;
		return;
	}
	c->len += (size_t)n;
	size_t at = 0;
	while (at < c->len && c->fd >= 0) {
		json_error_t why;
		json_t *request = json_loadb(c->in + at, c->len - at, JSON_DISABLE_EOF_CHECK, &why);
		if (!request)
			break;
		at += (size_t)why.position;
		while (at < c->len && strchr(" \r\n", c->in[at]))
			at++;
		handle(c, request);
		json_decref(request);
	}
	memmove(c->in, c->in + at, c->len - at);
	c->len -= at;
}

static void accept_client(int listener)
{
	int fd = accept(listener, NULL, NULL);
	for (struct client *c = clients; fd >= 0 && c < clients + CLIENTS; c++) {
		if (c->fd >= 0)
			continue;
		c->fd = fd;
		c->len = 0;
		send_line(c, json_pack("{s:{s:{s:{s:i,s:i,s:i}, s:s}, s:[s]}}", "QMP", "version", "qemu", "micro", 0, "minor",
				       2, "major", 7, "package", "stand-in", "capabilities", "oob"));
		return;
	}
	close(fd);
}

int main(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], "--name"))
			snprintf(mode, sizeof(mode), "%.*s", (int)strcspn(argv[i + 1], "-"), argv[i + 1]);
	if (!strcmp(mode, "die"))
		return 7;
	receive_launch();
	fprintf(stderr, "stand-in %s has its definition\n", mode);
	if (!strcmp(mode, "crash")) {
		signal(SIGSEGV, SIG_DFL); /* whatever a sanitizer makes of it */
		raise(SIGSEGV);
	}
	if (!strcmp(mode, "leak"))
		answer_with_descriptors();
	if (!strcmp(mode, "refuse")) {
		answer("{\"error\": {\"class\": \"LimitExceeded\", \"message\": \"no room for the guest's memory\", "
		       "\"hint\": \"ask for less\"}}");
		return 1;
	}
	if (!strcmp(mode, "garbage")) {
		answer("ready!");
		return 1;
	}
	if (!strcmp(mode, "hang"))
		for (;;)
			pause();
	answer("{\"ready\": true}");
	close(CHANNEL);

	for (struct client *c = clients; c < clients + CLIENTS; c++)
		c->fd = -1;
	const json_t *qmp = json_object_get(launch, "qmp");
	int listener = qmp ? fds[json_integer_value(qmp)] : -1;
	while (!quitting) {
		struct pollfd p[CLIENTS + 1] = { { .fd = listener, .events = POLLIN } };
		for (int i = 0; i < CLIENTS; i++)
			p[i + 1] = (struct pollfd){ .fd = clients[i].fd, .events = POLLIN };
		if (poll(p, CLIENTS + 1, -1) < 0)
			die("poll");
		for (int i = 0; i < CLIENTS; i++)
			if (p[i + 1].revents && clients[i].fd >= 0)
				read_client(&clients[i]);
		if (p[0].revents)
			accept_client(listener);
	}
	return 0;
}
