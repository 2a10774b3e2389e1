/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The broker as a client sees it, with stand-ins for machine processes: each
 * broker is a process of its own, in directories of its own, so that it can be
 * killed like any.
 */
#include "vmd/broker.h"
#include "vmd/store_priv.h"
#include "tests/unit/suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

static char base[32], runtime_dir[64], state_dir[64], socket_path[104], kernel[64];
static pid_t broker_pid;

/* ---- The broker ---- */

static int ready_fd;

static void on_ready(void *opaque)
{
	ck_assert_int_eq(write(ready_fd, "", 1), 1);
	close(ready_fd);
}

static void on_term(uv_signal_t *handle, int signo)
{
	broker_stop(handle->data);
}

static void on_closed(uv_handle_t *handle)
{
}

static int be_broker(unsigned idle_exit)
{
	uv_loop_t loop;
	uv_signal_t term;
	struct vmd_error err;
	const struct broker_config config = { .runtime_dir = runtime_dir, .state_dir = state_dir, .program = STANDIN,
					      .listen_fd = -1, .ready = on_ready, .idle_exit = idle_exit };
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	uv_loop_init(&loop);
	struct broker *b = broker_new(&loop, &config, &err);
	if (!b) {
		fprintf(stderr, "%s\n", err.message);
		return err.code == VMD_ERR_BUSY ? 3 : 1;
	}
	uv_signal_init(&loop, &term);
	term.data = b;
	uv_signal_start(&term, on_term, SIGTERM);
	uv_run(&loop, UV_RUN_DEFAULT);
	broker_free(b);
	uv_close((uv_handle_t *)&term, on_closed);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop) ? 9 : 0;
}

static double now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void start_broker_idle(unsigned idle_exit)
{
	int fds[2];
	char byte;
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	broker_pid = fork();
	ck_assert_int_ge(broker_pid, 0);
	if (broker_pid == 0) {
		char log[128];
		snprintf(log, sizeof(log), "%s/broker.log", base);
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		dup2(fd, 2);
		close(fd);
		close(fds[0]);
		ready_fd = fds[1];
		exit(be_broker(idle_exit)); /* and let a sanitizer look for leaks */
	}
	close(fds[1]);
	ck_assert_msg(read(fds[0], &byte, 1) == 1, "the broker does not start");
	close(fds[0]);
}

static void start_broker(void)
{
	start_broker_idle(0);
}

static int end_broker(int signo)
{
	int status;
	ck_assert_int_eq(kill(broker_pid, signo), 0);
	ck_assert_int_eq(waitpid(broker_pid, &status, 0), broker_pid);
	broker_pid = 0;
	return status;
}

static void setup(void)
{
	snprintf(base, sizeof(base), "/tmp/vmd-broker.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(runtime_dir, sizeof(runtime_dir), "%s/run", base);
	snprintf(state_dir, sizeof(state_dir), "%s/state", base);
	snprintf(socket_path, sizeof(socket_path), "%s/vmd.sock", runtime_dir);
	snprintf(kernel, sizeof(kernel), "%s/Image", base);
	int fd = open(kernel, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(write(fd, "kernel", 6), 6);
	close(fd);
	start_broker();
}

static void teardown(void)
{
	char command[400];
	if (broker_pid)
		ck_assert_int_eq(end_broker(SIGTERM), 0);
	/* Machine processes are nobody's children: end those of this test by their records. */
	snprintf(command, sizeof(command),
		 "for f in %s/run/machines/*/pid.json; do [ -e $f ] && kill -9 $(sed -n 's/.*\"pid\": \\([0-9]*\\).*/\\1/p' $f);"
		 " done 2>/dev/null; rm -rf %s", base, base);
	ck_assert_int_eq(system(command), 0);
}

/* ---- A client ---- */

struct client {
	int fd;
	json_int_t id;
	char in[1 << 17];
	size_t len;
	json_t *events; /* notifications seen */
};

static int connect_raw(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", socket_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static struct client *client_new(void)
{
	struct client *c = calloc(1, sizeof(*c));
	c->fd = connect_raw();
	c->events = json_array();
	return c;
}

static void client_free(struct client *c)
{
	close(c->fd);
	json_decref(c->events);
	free(c);
}

/* The next line, NULL when the broker has closed or `seconds` have passed. */
static json_t *read_message(struct client *c, double seconds)
{
	double until = now() + seconds;
	for (;;) {
		char *end = memchr(c->in, '\n', c->len);
		if (end) {
			json_error_t why;
			json_t *json = json_loadb(c->in, (size_t)(end - c->in), 0, &why);
			ck_assert_msg(json, "%s: %.*s", why.text, (int)(end - c->in), c->in);
			c->len -= (size_t)(end + 1 - c->in);
			memmove(c->in, end + 1, c->len);
			return json;
		}
		struct pollfd p = { .fd = c->fd, .events = POLLIN };
		double left = until - now();
		if (left <= 0 || poll(&p, 1, (int)(left * 1000) + 1) <= 0)
			return NULL;
		ssize_t n = read(c->fd, c->in + c->len, sizeof(c->in) - c->len);
		if (n <= 0)
			return NULL;
		c->len += (size_t)n;
	}
}

static json_int_t send_call(struct client *c, const char *method, json_t *params)
{
	json_t *request = json_pack("{s:s, s:I, s:s, s:o*}", "jsonrpc", "2.0", "id", ++c->id, "method", method, "params", params);
	char *text = json_dumps(request, JSON_COMPACT), *line;
	ck_assert_int_gt(asprintf(&line, "%s\n", text), 0);
	ck_assert_int_eq(send(c->fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
	free(line);
	free(text);
	json_decref(request);
	return c->id;
}

/* The reply to a call; notifications before it are kept. */
static json_t *await(struct client *c, json_int_t id, double seconds)
{
	for (;;) {
		json_t *m = read_message(c, seconds);
		ck_assert_msg(m, "no reply");
		if (json_object_get(m, "method"))
			json_array_append_new(c->events, m);
		else if (json_integer_value(json_object_get(m, "id")) == id)
			return m;
		else
			json_decref(m);
	}
}

/* A call's result; the caller frees. */
static json_t *call(struct client *c, const char *method, json_t *params)
{
	json_t *m = await(c, send_call(c, method, params), 20);
	json_t *result = json_object_get(m, "result");
	if (!result) {
		char *text = json_dumps(m, 0);
		ck_abort_msg("%s: %s", method, text);
	}
	json_incref(result);
	json_decref(m);
	return result;
}

/* A call that must fail; *message is what it says. Returns the class. */
static char message[1024];
static const char *refused(struct client *c, const char *method, json_t *params)
{
	static char class[64];
	json_t *m = await(c, send_call(c, method, params), 20);
	const char *text = "", *name = "";
	ck_assert_msg(json_unpack(m, "{s:{s:s, s:{s:s}}}", "error", "message", &text, "data", "class", &name) == 0, "%s: %s",
		      method, json_dumps(m, 0));
	snprintf(message, sizeof(message), "%s", text);
	snprintf(class, sizeof(class), "%s", name);
	json_decref(m);
	return class;
}

static void drop(json_t *json)
{
	json_decref(json);
}

static json_t *name_of(const char *name)
{
	return json_pack("{s:s}", "name", name);
}

static json_t *definition(const char *name)
{
	return json_pack("{s:s, s:s, s:I}", "name", name, "kernel", kernel, "memory", (json_int_t)64 << 20);
}

static void define(struct client *c, const char *name)
{
	drop(call(c, "machine.create", json_pack("{s:o}", "definition", definition(name))));
}

static void check_state(struct client *c, const char *name, const char *state)
{
	json_t *status = call(c, "machine.status", name_of(name));
	ck_assert_str_eq(json_string_value(json_object_get(status, "state")), state);
	json_decref(status);
}

static void await_state(struct client *c, const char *name, const char *state)
{
	drop(call(c, "machine.wait", json_pack("{s:s, s:s, s:i}", "name", name, "state", state, "timeout", 10)));
}

static pid_t pid_of(struct client *c, const char *name)
{
	json_t *status = call(c, "machine.status", name_of(name));
	pid_t pid = (pid_t)json_integer_value(json_object_get(status, "pid"));
	json_decref(status);
	return pid;
}

/* Ended, though perhaps not waited for yet by its new parent. */
static bool is_gone(pid_t pid)
{
	char path[64], text[256];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	const char *state = strrchr(text, ')');
	return !state || state[2] == 'Z' || state[2] == 'X';
}

static unsigned count_entries(const char *dir)
{
	char path[200];
	unsigned n = 0;
	snprintf(path, sizeof(path), "%s/%s", base, dir);
	DIR *d = opendir(path);
	for (struct dirent *de; d && (de = readdir(d));)
		n += de->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

/* ---- Definitions ---- */

START_TEST(definitions)
{
	struct client *c = client_new();
	define(c, "web1");
	ck_assert_str_eq(refused(c, "machine.create", json_pack("{s:o}", "definition", definition("web1"))), "Exists");
	json_t *list = call(c, "machine.list", NULL);
	ck_assert_uint_eq(json_array_size(list), 1);
	drop(list);
	check_state(c, "web1", "stopped");
	json_t *info = call(c, "machine.set", json_pack("{s:s, s:{s:i, s:s}}", "name", "web1", "changes", "cpus", 3, "append", "quiet"));
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(info, "definition"), "cpus")), 3);
	drop(info);
	/* A new broker has the same definition. */
	client_free(c);
	ck_assert_int_eq(end_broker(SIGTERM), 0);
	start_broker();
	c = client_new();
	info = call(c, "machine.get", name_of("web1"));
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(info, "definition"), "append")), "quiet");
	drop(info);
	ck_assert_str_eq(refused(c, "machine.get", name_of("web2")), "DeviceNotFound");
	drop(call(c, "machine.delete", name_of("web1")));
	ck_assert_str_eq(refused(c, "machine.get", name_of("web1")), "DeviceNotFound");
	ck_assert_uint_eq(count_entries("state/machines"), 0);
	client_free(c);
}
END_TEST

/* What is wrong is said, and nothing is stored. */
START_TEST(wrong_definitions)
{
	static const struct {
		const char *member, *json, *says;
	} cases[] = {
		{ "name", "\"../x\"", "name" },
		{ "kernel", "\"relative\"", "kernel" },
		{ "kernel", "\"/nonexistent/Image\"", "/nonexistent/Image" },
		{ "kernel", "\"/tmp\"", "regular" },
		{ "kernel", "\"/dev/zero\"", "regular" },
		{ "cpu", "{\"model\": \"z80\"}", "z80" },
		{ "cpus", "0", "cpus" },
		{ "memory", "274877906944", "memory" },
		{ "devices", "[{\"driver\": \"flux-capacitor\"}]", "flux-capacitor" },
		{ "serials", "[\"nowhere\"]", "nowhere" },
		{ "serials", "[\"serial0\", \"serial0\"]", "in use" },
		{ "chardevs", "[{\"id\": \"a\", \"backend\": \"null\"}, {\"id\": \"a\", \"backend\": \"null\"}]", "two" },
		{ "chardevs", "[{\"id\": \"a\", \"backend\": \"stdio\"}]", "standard input" },
		{ "chardevs", "[{\"id\": \"a\", \"backend\": \"file\"}]", "path" },
		{ "colour", "\"red\"", "colour" },
	};
	struct client *c = client_new();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *def = definition("m");
		json_object_set_new(def, cases[i].member, json_loads(cases[i].json, JSON_DECODE_ANY, NULL));
		refused(c, "machine.create", json_pack("{s:o}", "definition", def));
		ck_assert_msg(strcasestr(message, cases[i].says), "%s %s: %s", cases[i].member, cases[i].json, message);
	}
	json_t *list = call(c, "machine.list", NULL);
	ck_assert_uint_eq(json_array_size(list), 0);
	drop(list);
	ck_assert_uint_eq(count_entries("state/machines"), 0);
	client_free(c);
}
END_TEST

START_TEST(damaged_definition)
{
	struct client *c = client_new();
	define(c, "web1");
	drop(call(c, "machine.set", json_pack("{s:s, s:{s:i}}", "name", "web1", "changes", "cpus", 2)));
	client_free(c);
	end_broker(SIGTERM);
	char path[200];
	snprintf(path, sizeof(path), "%s/machines/web1.json", state_dir);
	int fd = open(path, O_WRONLY | O_TRUNC);
	ck_assert_int_eq(write(fd, "{\"name\"", 7), 7);
	close(fd);
	start_broker();
	c = client_new();
	json_t *status = call(c, "machine.status", name_of("web1"));
	ck_assert_ptr_nonnull(json_object_get(status, "problem"));
	ck_assert_int_eq(json_integer_value(json_object_get(status, "cpus")), 1);
	drop(status);
	ck_assert_str_eq(refused(c, "machine.start", name_of("web1")), "WrongState");
	ck_assert_ptr_nonnull(strstr(message, "web1.json"));
	/* Saving anew takes the previous generation and keeps the damaged file. */
	drop(call(c, "machine.set", json_pack("{s:s, s:{}}", "name", "web1", "changes")));
	drop(call(c, "machine.start", name_of("web1")));
	check_state(c, "web1", "running");
	snprintf(path, sizeof(path), "%s/machines/web1.json.damaged-1", state_dir);
	ck_assert_int_eq(access(path, F_OK), 0);
	client_free(c);
}
END_TEST

/* ---- Life ---- */

START_TEST(life)
{
	struct client *c = client_new();
	define(c, "ok-1");
	json_t *status = call(c, "machine.start", name_of("ok-1"));
	ck_assert_str_eq(json_string_value(json_object_get(status, "state")), "running");
	ck_assert_uint_eq(json_array_size(json_object_get(status, "consoles")), 1);
	struct stat st;
	ck_assert_int_eq(stat(json_string_value(json_object_get(status, "qmp")), &st), 0);
	ck_assert(S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600);
	drop(status);
	ck_assert_str_eq(refused(c, "machine.start", name_of("ok-1")), "WrongState");
	ck_assert_str_eq(refused(c, "machine.set", json_pack("{s:s, s:{}}", "name", "ok-1", "changes")), "WrongState");
	ck_assert_str_eq(refused(c, "machine.delete", name_of("ok-1")), "WrongState");
	drop(call(c, "machine.pause", name_of("ok-1")));
	check_state(c, "ok-1", "paused");
	drop(call(c, "machine.resume", name_of("ok-1")));
	check_state(c, "ok-1", "running");
	drop(call(c, "machine.reset", name_of("ok-1")));
	json_t *console = call(c, "machine.console", name_of("ok-1"));
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(console, "path")), "console.serial0.sock"));
	drop(console);
	ck_assert_str_eq(refused(c, "machine.console", json_pack("{s:s,s:s}", "name", "ok-1", "chardev", "nope")), "DeviceNotFound");
	json_t *qmp = call(c, "machine.qmp", json_pack("{s:s,s:s}", "name", "ok-1", "command", "query-status"));
	ck_assert(json_is_true(json_object_get(qmp, "running")));
	drop(qmp);
	ck_assert_str_eq(refused(c, "machine.qmp", json_pack("{s:s,s:s}", "name", "ok-1", "command", "no-such")), "Unsupported");
	json_t *log = call(c, "machine.logs", name_of("ok-1"));
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(log, "text")), "stand-in"));
	drop(log);
	status = call(c, "machine.stop", name_of("ok-1"));
	ck_assert_str_eq(json_string_value(json_object_get(status, "state")), "stopped");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(status, "end"), "reason")), "guest-shutdown");
	drop(status);
	ck_assert_uint_eq(count_entries("run/machines/ok-1"), 1); /* end.json */
	drop(call(c, "machine.start", json_pack("{s:s, s:b}", "name", "ok-1", "paused", 1)));
	check_state(c, "ok-1", "paused");
	status = call(c, "machine.kill", name_of("ok-1"));
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(status, "end"), "reason")), "killed");
	drop(status);
	drop(call(c, "machine.delete", name_of("ok-1")));
	ck_assert_uint_eq(count_entries("run/machines"), 0);
	ck_assert_uint_eq(count_entries("state/log"), 0);
	client_free(c);
}
END_TEST

START_TEST(restart)
{
	struct client *c = client_new();
	define(c, "ok-1");
	drop(call(c, "machine.start", name_of("ok-1")));
	pid_t before = pid_of(c, "ok-1");
	drop(call(c, "machine.restart", name_of("ok-1")));
	check_state(c, "ok-1", "running");
	ck_assert_int_ne(pid_of(c, "ok-1"), before);
	client_free(c);
}
END_TEST

/* Failing to start leaves nothing behind, and says what the process said. */
START_TEST(failing_starts)
{
	static const struct {
		const char *name, *class, *says;
	} cases[] = {
		{ "die-1", "GenericError", "exited with status 7" },
		{ "crash-1", "GenericError", "SIGSEGV" },
		{ "refuse-1", "LimitExceeded", "no room for the guest's memory" },
		{ "garbage-1", "GenericError", "answer" },
	};
	struct client *c = client_new();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		define(c, cases[i].name);
		ck_assert_str_eq(refused(c, "machine.start", name_of(cases[i].name)), cases[i].class);
		ck_assert_msg(strstr(message, cases[i].says), "%s", message);
		check_state(c, cases[i].name, "stopped");
		/* Defining and starting in one: all or nothing. */
		drop(call(c, "machine.delete", name_of(cases[i].name)));
		refused(c, "machine.create", json_pack("{s:o, s:b}", "definition", definition(cases[i].name), "start", 1));
	}
	for (int i = 0; i < 100 && count_entries("state/machines"); i++)
		usleep(20000);
	ck_assert_uint_eq(count_entries("run/machines"), 0);
	ck_assert_uint_eq(count_entries("state/machines"), 0);
	/* A file that has gone since. */
	define(c, "ok-1");
	ck_assert_int_eq(unlink(kernel), 0);
	ck_assert_str_eq(refused(c, "machine.start", name_of("ok-1")), "DeviceNotFound");
	ck_assert_ptr_nonnull(strstr(message, kernel));
	ck_assert_uint_eq(count_entries("run/machines"), 0);
	client_free(c);
}
END_TEST

/* A start that hangs is killed while others are served. */
START_TEST(kill_while_starting)
{
	struct client *a = client_new(), *b = client_new();
	define(a, "hang-1");
	json_int_t id = send_call(a, "machine.start", name_of("hang-1"));
	for (int i = 0; i < 100 && pid_of(b, "hang-1") == 0; i++)
		usleep(10000);
	check_state(b, "hang-1", "starting");
	drop(call(b, "machine.kill", name_of("hang-1")));
	json_t *m = await(a, id, 5);
	ck_assert_ptr_nonnull(json_object_get(m, "error"));
	drop(m);
	check_state(b, "hang-1", "stopped");
	ck_assert_uint_eq(count_entries("run/machines"), 0);
	client_free(a);
	client_free(b);
}
END_TEST

START_TEST(stubborn)
{
	struct client *c = client_new();
	define(c, "stubborn-1");
	drop(call(c, "machine.start", name_of("stubborn-1")));
	ck_assert_str_eq(refused(c, "machine.stop", json_pack("{s:s, s:f}", "name", "stubborn-1", "timeout", 0.2)), "Timeout");
	check_state(c, "stubborn-1", "running");
	double begin = now();
	drop(call(c, "machine.kill", name_of("stubborn-1")));
	ck_assert(now() - begin < 3);
	check_state(c, "stubborn-1", "stopped");
	client_free(c);
}
END_TEST

/* A process that dies on its own: a crash with the signal's name, an event, and nothing left running. */
START_TEST(crash)
{
	struct client *c = client_new();
	define(c, "ok-1");
	drop(call(c, "events.subscribe", NULL));
	drop(call(c, "machine.start", name_of("ok-1")));
	ck_assert_int_eq(kill(pid_of(c, "ok-1"), SIGABRT), 0);
	await_state(c, "ok-1", "crashed");
	json_t *status = call(c, "machine.status", name_of("ok-1"));
	const char *reason, *why;
	ck_assert_int_eq(json_unpack(status, "{s:{s:s, s:s}}", "end", "reason", &reason, "message", &why), 0);
	ck_assert_str_eq(reason, "crashed");
	ck_assert_ptr_nonnull(strstr(why, "SIGABRT"));
	drop(status);
	bool seen = false;
	size_t i;
	json_t *e;
	json_array_foreach(c->events, i, e) {
		const char *to = "", *name = "";
		json_unpack(e, "{s:{s:s, s:{s?s}}}", "params", "event", &name, "data", "to", &to);
		seen |= !strcmp(name, "machine-state-changed") && !strcmp(to, "crashed");
	}
	ck_assert(seen);
	drop(call(c, "machine.start", name_of("ok-1")));
	client_free(c);
}
END_TEST

START_TEST(transient)
{
	struct client *c = client_new();
	json_t *def = definition("ok-1");
	json_object_set_new(def, "transient", json_true());
	drop(call(c, "machine.create", json_pack("{s:o, s:b}", "definition", def, "start", 1)));
	json_int_t id = send_call(c, "machine.wait", json_pack("{s:s, s:s}", "name", "ok-1", "state", "stopped"));
	drop(call(c, "machine.qmp", json_pack("{s:s, s:s}", "name", "ok-1", "command", "system_powerdown")));
	(void)id;
	for (int i = 0; i < 200; i++) {
		json_t *list = call(c, "machine.list", NULL);
		size_t n = json_array_size(list);
		drop(list);
		if (!n)
			break;
		usleep(20000);
	}
	ck_assert_str_eq(refused(c, "machine.get", name_of("ok-1")), "DeviceNotFound");
	ck_assert_uint_eq(count_entries("state/machines"), 0);
	ck_assert_uint_eq(count_entries("run/machines"), 0);
	client_free(c);
}
END_TEST

START_TEST(restart_by_policy)
{
	struct client *c = client_new();
	json_t *def = definition("ok-1");
	json_object_set_new(def, "on-crash", json_string("restart"));
	drop(call(c, "machine.create", json_pack("{s:o, s:b}", "definition", def, "start", 1)));
	pid_t pid = pid_of(c, "ok-1");
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	await_state(c, "ok-1", "crashed");
	await_state(c, "ok-1", "running");
	ck_assert_int_ne(pid_of(c, "ok-1"), pid);
	/* What a client asked for is not undone. */
	drop(call(c, "machine.kill", name_of("ok-1")));
	usleep(1500000);
	check_state(c, "ok-1", "stopped");
	client_free(c);
}
END_TEST

START_TEST(waits)
{
	struct client *c = client_new();
	define(c, "ok-1");
	ck_assert_str_eq(refused(c, "machine.wait", json_pack("{s:s, s:s, s:f}", "name", "ok-1", "state", "running", "timeout", 0.1)),
			 "Timeout");
	drop(call(c, "machine.wait", json_pack("{s:s, s:s}", "name", "ok-1", "state", "stopped")));
	/* A client that waits for ever and goes away leaves nothing behind. */
	for (int i = 0; i < 300; i++) {
		struct client *d = client_new();
		send_call(d, "machine.wait", json_pack("{s:s, s:s}", "name", "ok-1", "state", "paused"));
		client_free(d);
	}
	usleep(100000);
	json_t *status = call(c, "daemon.status", NULL);
	ck_assert_int_eq(json_integer_value(json_object_get(status, "clients")), 1);
	drop(status);
	client_free(c);
}
END_TEST

/* ---- The broker's death ---- */

START_TEST(found_again)
{
	struct client *c = client_new();
	static const char *const names[] = { "ok-1", "ok-2", "ok-3" };
	pid_t pids[3];
	for (int i = 0; i < 3; i++) {
		define(c, names[i]);
		drop(call(c, "machine.start", name_of(names[i])));
		pids[i] = pid_of(c, names[i]);
	}
	drop(call(c, "machine.pause", name_of("ok-2")));
	for (int round = 0; round < 5; round++) {
		client_free(c);
		end_broker(round % 2 ? SIGTERM : SIGKILL);
		double begin = now();
		start_broker();
		c = client_new();
		for (int i = 0; i < 3; i++) {
			check_state(c, names[i], i == 1 ? "paused" : "running");
			ck_assert_int_eq(pid_of(c, names[i]), pids[i]);
		}
		ck_assert(now() - begin < 2);
	}
	/* Still ours to command, and to see ending. */
	drop(call(c, "machine.stop", name_of("ok-1")));
	ck_assert_int_eq(kill(pids[2], SIGKILL), 0);
	await_state(c, "ok-3", "crashed");
	client_free(c);
}
END_TEST

/* One that ended, one that is stopped and one that never answers while no broker was there. */
START_TEST(found_changed)
{
	struct client *c = client_new();
	static const char *const names[] = { "ok-1", "ok-2", "ok-3" };
	pid_t pids[3];
	for (int i = 0; i < 3; i++) {
		define(c, names[i]);
		drop(call(c, "machine.start", name_of(names[i])));
		pids[i] = pid_of(c, names[i]);
	}
	client_free(c);
	end_broker(SIGKILL);
	ck_assert_int_eq(kill(pids[0], SIGKILL), 0);
	ck_assert_int_eq(kill(pids[1], SIGSTOP), 0);
	usleep(50000);
	double begin = now();
	start_broker();
	ck_assert(now() - begin < 3);
	c = client_new();
	check_state(c, "ok-1", "crashed");
	check_state(c, "ok-2", "unresponsive");
	check_state(c, "ok-3", "running");
	ck_assert_str_eq(refused(c, "machine.pause", name_of("ok-2")), "WrongState");
	ck_assert_int_eq(kill(pids[1], SIGCONT), 0);
	await_state(c, "ok-2", "running");
	ck_assert_int_eq(kill(pids[1], SIGSTOP), 0);
	ck_assert_str_eq(refused(c, "machine.pause", name_of("ok-2")), "Timeout");
	check_state(c, "ok-2", "unresponsive");
	drop(call(c, "machine.kill", name_of("ok-2")));
	check_state(c, "ok-2", "stopped");
	/* The crash is remembered by the next broker, too. */
	client_free(c);
	end_broker(SIGTERM);
	start_broker();
	c = client_new();
	check_state(c, "ok-1", "crashed");
	client_free(c);
}
END_TEST

/* Records that cannot be read cost no machine. */
START_TEST(lost_records)
{
	struct client *c = client_new();
	char path[200];
	define(c, "ok-1");
	drop(call(c, "machine.start", name_of("ok-1")));
	pid_t pid = pid_of(c, "ok-1");
	client_free(c);
	end_broker(SIGKILL);
	snprintf(path, sizeof(path), "%s/machines/ok-1/pid.json", runtime_dir);
	int fd = open(path, O_WRONLY | O_TRUNC);
	ck_assert_int_eq(write(fd, "{", 1), 1);
	close(fd);
	snprintf(path, sizeof(path), "%s/machines/ok-1.json", state_dir);
	ck_assert_int_eq(unlink(path), 0);
	start_broker();
	c = client_new();
	check_state(c, "ok-1", "running");
	ck_assert_int_eq(pid_of(c, "ok-1"), pid);
	drop(call(c, "machine.kill", name_of("ok-1")));
	ck_assert(is_gone(pid));
	client_free(c);
}
END_TEST

START_TEST(one_broker)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		ready_fd = open("/dev/null", O_WRONLY);
		_exit(be_broker(0));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	struct client *c = client_new();
	drop(call(c, "daemon.version", NULL));
	drop(call(c, "daemon.shutdown", NULL));
	ck_assert_int_eq(waitpid(broker_pid, &status, 0), broker_pid);
	ck_assert_int_eq(status, 0);
	client_free(c);
	start_broker_idle(1);
	ck_assert_int_eq(waitpid(broker_pid, &status, 0), broker_pid);
	ck_assert_int_eq(status, 0);
	broker_pid = 0;
}
END_TEST

/* ---- Clients ---- */

START_TEST(events)
{
	struct client *c = client_new();
	json_t *s = call(c, "events.subscribe", NULL);
	json_int_t seq = json_integer_value(json_object_get(s, "seq"));
	char *epoch = strdup(json_string_value(json_object_get(s, "epoch")));
	drop(s);
	define(c, "ok-1");
	drop(call(c, "machine.start", name_of("ok-1")));
	drop(call(c, "machine.stop", name_of("ok-1")));
	/* Numbers without holes, and every state. */
	char states[256] = "";
	double until = now() + 5;
	while (!strstr(states, "stopping>stopped") && now() < until) {
		json_t *m = read_message(c, 0.1);
		if (m)
			json_array_append_new(c->events, m);
		states[0] = '\0';
		size_t i;
		json_array_foreach(c->events, i, m) {
			const char *from = NULL, *to = NULL;
			json_t *params = json_object_get(m, "params");
			ck_assert_int_eq(json_integer_value(json_object_get(params, "seq")), seq + 1 + (json_int_t)i);
			if (json_unpack(params, "{s:{s:s, s:s}}", "data", "from", &from, "to", &to) == 0)
				snprintf(states + strlen(states), sizeof(states) - strlen(states), "%s>%s ", from, to);
		}
	}
	ck_assert_str_eq(states, "stopped>starting starting>running running>stopping stopping>stopped ");
	/* Another client resumes from the first one's cursor. */
	struct client *d = client_new();
	s = call(d, "events.subscribe", json_pack("{s:{s:s, s:I}, s:[s]}", "since", "epoch", epoch, "seq", seq, "machines", "ok-1"));
	ck_assert(json_is_false(json_object_get(s, "gap")));
	drop(s);
	json_t *m = json_array_size(d->events) ? json_incref(json_array_get(d->events, 0)) : read_message(d, 5);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(m, "params"), "seq")), seq + 1);
	drop(m);
	client_free(d);
	/* A cursor of another epoch is a gap. */
	d = client_new();
	s = call(d, "events.subscribe", json_pack("{s:{s:s, s:I}}", "since", "epoch", "another", "seq", seq));
	ck_assert(json_is_true(json_object_get(s, "gap")));
	drop(s);
	drop(call(d, "events.unsubscribe", NULL));
	client_free(d);
	client_free(c);
	free(epoch);
}
END_TEST

/* A subscriber that does not read neither stalls the broker nor makes it grow; it learns what it has missed. */
START_TEST(slow_subscriber)
{
	struct client *slow = client_new(), *c = client_new();
	drop(call(slow, "events.subscribe", NULL));
	define(c, "ok-1");
	drop(call(c, "machine.start", name_of("ok-1")));
	for (int i = 0; i < 6000; i++)
		drop(call(c, "machine.reset", name_of("ok-1")));
	json_int_t last = 0, lost = 0;
	json_t *m;
	while ((m = read_message(slow, 1))) {
		json_t *params = json_object_get(m, "params");
		json_int_t seq = json_integer_value(json_object_get(params, "seq"));
		if (!strcmp(json_string_value(json_object_get(params, "event")), "gap"))
			lost += json_integer_value(json_object_get(json_object_get(params, "data"), "lost"));
		else
			ck_assert_int_eq(seq, last + 1);
		last = seq;
		json_decref(m);
	}
	ck_assert_int_ge(last, 6000);
	ck_assert_int_gt(lost, 0);
	client_free(slow);
	client_free(c);
}
END_TEST

START_TEST(malformed)
{
	static const char *const bad[] = {
		"\xff\xfe\n", "{]\n", "[]\n", "nonsense\n", "{\"jsonrpc\":\"2.0\"}\n", "{\"jsonrpc\":\"2.0\",\"method\":1,\"id\":1}\n",
		"{\"jsonrpc\":\"2.0\",\"method\":\"no.such\",\"id\":1}\n",
		"{\"jsonrpc\":\"2.0\",\"method\":\"machine.get\",\"params\":{\"name\":7},\"id\":1}\n",
		"{\"jsonrpc\":\"2.0\",\"method\":\"machine.get\",\"params\":{\"name\":\"a\",\"x\":1},\"id\":1}\n",
	};
	struct client *c = client_new();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct client *d = client_new();
		ck_assert_int_eq(send(d->fd, bad[i], strlen(bad[i]), MSG_NOSIGNAL), (ssize_t)strlen(bad[i]));
		json_t *m = read_message(d, 5);
		ck_assert_msg(m && json_object_get(m, "error"), "%s", bad[i]);
		drop(m);
		client_free(d);
		drop(call(c, "daemon.version", NULL));
	}
	/* A client that asks and asks and never reads is not read from any more, and costs nobody else anything. */
	int fd = connect_raw();
	const char *request = "{\"jsonrpc\":\"2.0\",\"method\":\"device.list\",\"id\":1}\n";
	double until = now() + 60, full_since = 0;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (!(full_since > 0 && now() > full_since + 1) && now() < until) {
		if (send(fd, request, strlen(request), MSG_NOSIGNAL) > 0) {
			full_since = 0;
			continue;
		}
		ck_assert_int_eq(errno, EAGAIN);
		if (full_since <= 0)
			full_since = now();
		usleep(1000);
	}
	ck_assert(full_since > 0);
	drop(call(c, "daemon.version", NULL));
	close(fd);
	/* One that sends a request without end is cut off. */
	fd = connect_raw();
	char *big = malloc(3 << 20);
	memset(big, '[', 3 << 20);
	if (send(fd, big, 3 << 20, MSG_NOSIGNAL) < 0)
		ck_assert(errno == EPIPE || errno == ECONNRESET);
	free(big);
	close(fd);
	drop(call(c, "daemon.version", NULL));
	client_free(c);
}
END_TEST

START_TEST(many_clients)
{
	enum { N = 300 };
	int fds[N];
	struct client *c = client_new();
	drop(call(c, "daemon.version", NULL));
	for (int i = 0; i < N; i++)
		fds[i] = connect_raw();
	json_t *status = call(c, "daemon.status", NULL);
	drop(status);
	usleep(200000);
	status = call(c, "daemon.status", NULL);
	ck_assert_int_eq(json_integer_value(json_object_get(status, "clients")), 256);
	drop(status);
	/* The last ones were told why. */
	char text[512];
	ssize_t n = read(fds[N - 1], text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_ptr_nonnull(strstr(text, "LimitExceeded"));
	for (int i = 0; i < N; i++)
		close(fds[i]);
	usleep(200000);
	struct client *d = client_new();
	drop(call(d, "daemon.version", NULL));
	client_free(d);
	client_free(c);
}
END_TEST

/* A kill is served at once while another client floods the broker. */
START_TEST(kill_under_flood)
{
	struct client *c = client_new();
	define(c, "ok-1");
	drop(call(c, "machine.start", name_of("ok-1")));
	pid_t flooder = fork();
	if (flooder == 0) {
		struct client *f = client_new();
		for (;;)
			drop(call(f, "machine.list", NULL));
	}
	usleep(300000);
	double begin = now();
	drop(call(c, "machine.kill", name_of("ok-1")));
	double took = now() - begin;
	kill(flooder, SIGKILL);
	waitpid(flooder, NULL, 0);
	ck_assert_msg(took < 1, "%f s", took);
	client_free(c);
}
END_TEST

START_TEST(devices)
{
	struct client *c = client_new();
	json_t *list = call(c, "device.list", NULL);
	ck_assert_uint_gt(json_array_size(list), 0);
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item) {
		json_t *info = call(c, "device.describe", json_pack("{s:O}", "driver", json_object_get(item, "driver")));
		ck_assert_ptr_nonnull(json_object_get(info, "summary"));
		drop(info);
	}
	drop(list);
	ck_assert_str_eq(refused(c, "device.describe", json_pack("{s:s}", "driver", "pl01")), "DeviceNotFound");
	client_free(c);
}
END_TEST

/* Nothing is gained by a hundred cycles: descriptors of the broker are counted. */
START_TEST(no_leaks)
{
	struct client *c = client_new();
	char path[64];
	unsigned before = 0, after = 0;
	define(c, "ok-1");
	for (int i = 0; i < 60; i++) {
		drop(call(c, "machine.start", name_of("ok-1")));
		drop(call(c, i % 2 ? "machine.stop" : "machine.kill", name_of("ok-1")));
		refused(c, "machine.create", json_pack("{s:o, s:b}", "definition", definition("die-1"), "start", 1));
		for (int j = 0; j < 100 && count_entries("state/machines") > 1; j++)
			usleep(5000);
		snprintf(path, sizeof(path), "/proc/%d/fd", (int)broker_pid);
		unsigned n = 0;
		DIR *d = opendir(path);
		while (readdir(d))
			n++;
		closedir(d);
		if (i == 9)
			before = n;
		after = n;
	}
	ck_assert_uint_eq(before, after);
	client_free(c);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		definitions, wrong_definitions, damaged_definition, life, restart, failing_starts, kill_while_starting, stubborn,
		crash, transient, restart_by_policy, waits, found_again, found_changed, lost_records, one_broker, events,
		slow_subscriber, malformed, many_clients, kill_under_flood, devices, no_leaks,
	};
	Suite *s = suite_create("broker");
	TCase *tc = tcase_create("broker");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return suite_run(s, CK_FORK_GETENV);
}
