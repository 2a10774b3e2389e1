/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Character devices over a real loop, with real sockets, terminals, FIFOs and
 * files: every kind, the console hub, flow control both ways, and the end.
 */
#include "backends/chardev_backend.h"
#include "protocol/console.h"
#include "tests/unit/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

/* ---- Scaffolding ---- */

static uv_loop_t loop;
static char dir[64];
static struct backends_chardev *chr;
static int exit_status, n_connected, n_trouble;

/* A frontend that stores what it gets, `room` bytes at most at a time. */
static struct {
	size_t room;
	uint8_t got[1 << 20];
	size_t len;
	int opened, closed, breaks, writables;
} fe;

static size_t fe_can_receive(void *opaque)
{
	return fe.room < sizeof(fe.got) - fe.len ? fe.room : sizeof(fe.got) - fe.len;
}

static void fe_receive(void *opaque, const uint8_t *buf, size_t len)
{
	ck_assert_uint_le(len, fe_can_receive(NULL));
	memcpy(fe.got + fe.len, buf, len);
	fe.len += len;
	if (fe.room != SIZE_MAX)
		fe.room -= len;
}

static void fe_event(void *opaque, enum backends_chardev_event event)
{
	fe.opened += event == BACKENDS_CHARDEV_OPENED;
	fe.closed += event == BACKENDS_CHARDEV_CLOSED;
	fe.breaks += event == BACKENDS_CHARDEV_BREAK;
}

static void fe_writable(void *opaque)
{
	fe.writables++;
}

static const struct backends_chardev_fe fe_funcs = {fe_can_receive, fe_receive, fe_event, fe_writable, NULL};

static void on_exit_request(void *opaque, int status)
{
	exit_status = status;
}

static void on_connected(void *opaque, struct backends_chardev *c)
{
	n_connected++;
}

static void on_trouble(void *opaque, struct backends_chardev *c, const struct vmd_error *err)
{
	n_trouble++;
}

static const struct backends_chardev_host host = {on_exit_request, on_connected, on_trouble, NULL};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Runs the loop until `cond` holds, for ten seconds at most. */
#define RUN_UNTIL(cond)                                                              \
	do {                                                                         \
		uint64_t end_ = now_ms() + 10000;                                    \
		while (!(cond)) {                                                    \
			ck_assert_msg(now_ms() < end_, "still not true: %s", #cond); \
			if (!uv_run(&loop, UV_RUN_NOWAIT))                           \
				break;                                               \
			usleep(200);                                                 \
		}                                                                    \
		ck_assert(cond);                                                     \
	} while (0)

static void run_ms(uint64_t ms)
{
	uint64_t end = now_ms() + ms;

	while (now_ms() < end) {
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(200);
	}
}

static char *path_of(const char *name)
{
	static char path[4][160];
	static unsigned i;
	char *p = path[i++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static struct backends_chardev_config *config(const char *kind, ...)
{
	struct vmd_error err = {0};
	struct backends_chardev_config *c = backends_chardev_config_new("c0", kind, &err);
	const char *name;
	va_list ap;

	ck_assert_msg(c != NULL, "%s", err.message);
	va_start(ap, kind);
	while ((name = va_arg(ap, const char *))) {
		bool ok = backends_chardev_config_set(c, name, va_arg(ap, const char *), &err);

		ck_assert_msg(ok, "%s", err.message);
	}
	va_end(ap);
	return c;
}

/* Opens and makes a chardev with a frontend; takes the configuration. */
static void make(struct backends_chardev_config *c)
{
	struct vmd_error err = {0};
	int fds[2];

	ck_assert_msg(backends_chardev_open(c, fds, &err), "%s", err.message);
	chr = backends_chardev_new(&loop, c, fds, &host, &err);
	ck_assert_msg(chr != NULL, "%s", err.message);
	backends_chardev_config_free(c);
	ck_assert(backends_chardev_attach_fe(chr, &fe_funcs, NULL));
}

static void refused(struct backends_chardev_config *c, enum vmd_error_code code, const char *part)
{
	struct vmd_error err = {0};
	int fds[2] = {-7, -7};

	ck_assert(!backends_chardev_open(c, fds, &err));
	ck_assert_int_eq(err.code, code);
	ck_assert_msg(strstr(err.message, part) != NULL, "'%s' lacks '%s'", err.message, part);
	ck_assert_int_eq(fds[0], -7);
	backends_chardev_config_free(c);
}

static void end(void)
{
	backends_chardev_free(chr);
	chr = NULL;
	RUN_UNTIL(!uv_loop_alive(&loop));
}

static void setup(void)
{
	strcpy(dir, "/tmp/vmd-chardev-XXXXXX");
	ck_assert(mkdtemp(dir));
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	memset(&fe, 0, sizeof(fe));
	fe.room = SIZE_MAX;
	exit_status = -1;
	n_connected = n_trouble = 0;
}

static void teardown(void)
{
	char cmd[128];

	if (chr)
		end();
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static size_t put(const char *text)
{
	return backends_chardev_write(chr, (const uint8_t *)text, strlen(text));
}

/* Reads exactly len bytes while the loop runs. */
static void expect(int fd, const char *text)
{
	size_t len = strlen(text), have = 0;
	char buf[4096];
	uint64_t deadline = now_ms() + 10000;

	ck_assert_uint_lt(len, sizeof(buf));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	while (have < len && now_ms() < deadline) {
		ssize_t n = read(fd, buf + have, len - have);

		if (n > 0)
			have += (size_t)n;
		run_ms(1);
	}
	buf[have] = '\0';
	ck_assert_str_eq(buf, text);
}

static void got(const char *text)
{
	RUN_UNTIL(fe.len >= strlen(text));
	fe.got[fe.len] = '\0';
	ck_assert_str_eq((char *)fe.got, text);
	fe.len = 0;
}

static const char *filename(void)
{
	static struct backends_chardev_info info;

	backends_chardev_query(chr, &info);
	return info.filename;
}

static int unix_socket(const char *path, bool server)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	if ((server ? bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 && listen(fd, 8) == 0
		    : connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0))
		return fd;
	close(fd);
	return -1;
}

/* ---- Configuration ---- */

START_TEST(config_errors)
{
	struct vmd_error err = {0};
	struct backends_chardev_config *c;

	ck_assert(!backends_chardev_config_new("c0", "floppy", &err));
	ck_assert_int_eq(err.code, VMD_ERR_INVALID);
	ck_assert(strstr(err.hint, "null, stdio, pty, socket, file, pipe, ringbuf, testdev"));
	ck_assert(!backends_chardev_config_new("0c", "null", &err));
	ck_assert(!backends_chardev_config_new("", "null", &err));
	ck_assert(!backends_chardev_config_new("a/b", "null", &err));

	c = backends_chardev_config_new("c0", "ringbuf", &err);
	ck_assert_uint_eq(c->size, 65536);
	ck_assert(!backends_chardev_config_set(c, "size", "no", &err));
	ck_assert(!backends_chardev_config_set(c, "size", "1G", &err));
	ck_assert(strstr(err.message, "16777216"));
	ck_assert(!backends_chardev_config_set(c, "path", "x", &err));
	ck_assert(strstr(err.hint, "size"));
	ck_assert(backends_chardev_config_set(c, "size", "3K", &err));
	refused(c, VMD_ERR_INVALID, "power of two");

	refused(config("file", NULL), VMD_ERR_INVALID, "needs the option 'path'");
	refused(config("file", "path", path_of("no/dir"), NULL), VMD_ERR_NOT_FOUND, "no/dir");
	refused(config("file", "path", path_of("f"), "input-path", path_of("none"), NULL), VMD_ERR_NOT_FOUND, "none");
	refused(config("socket", NULL), VMD_ERR_INVALID, "no address");
	refused(config("socket", "path", "x", "port", "1", NULL), VMD_ERR_INVALID, "both");
	refused(config("socket", "path", "x", "server", "on", "reconnect", "1", NULL), VMD_ERR_INVALID, "reconnect");
	refused(config("socket", "path", "x", "wait", "on", NULL), VMD_ERR_INVALID, "wait");
	refused(config("socket", "path", path_of("nobody"), NULL), VMD_ERR_NOT_FOUND, "nobody");
	refused(config("pipe", "path", path_of("nopipe"), NULL), VMD_ERR_NOT_FOUND, "nopipe");
	int plain = open(path_of("plain"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(plain, 0);
	close(plain);
	refused(config("pipe", "path", path_of("plain"), NULL), VMD_ERR_INVALID, "neither");

	for (unsigned i = 0; backends_chardev_class_at(i); i++)
		ck_assert_ptr_eq(backends_chardev_class_find(backends_chardev_class_at(i)->name),
				 backends_chardev_class_at(i));
}
END_TEST

/* ---- Kinds ---- */

START_TEST(null_kind)
{
	struct vmd_error err = {0};

	make(config("null", NULL));
	RUN_UNTIL(fe.opened == 1);
	for (int i = 0; i < 100000; i++)
		ck_assert_uint_eq(put("0123456789"), 10);
	ck_assert_str_eq(filename(), "null");
	ck_assert(!backends_chardev_attach_fe(chr, &fe_funcs, &err));
	ck_assert_int_eq(err.code, VMD_ERR_BUSY);
	ck_assert(!backends_chardev_waiting(chr));
}
END_TEST

START_TEST(ringbuf_kind)
{
	char buf[100];
	size_t n;

	make(config("ringbuf", "size", "8", NULL));
	put("abc");
	ck_assert(backends_chardev_ringbuf_read(chr, buf, sizeof(buf), &n, NULL));
	ck_assert_uint_eq(n, 3);
	ck_assert(backends_chardev_ringbuf_write(chr, "0123456789", 10, NULL));
	ck_assert(backends_chardev_ringbuf_read(chr, buf, 3, &n, NULL));
	ck_assert_uint_eq(n, 3);
	ck_assert_mem_eq(buf, "234", 3);
	ck_assert(backends_chardev_ringbuf_read(chr, buf, sizeof(buf), &n, NULL));
	ck_assert_uint_eq(n, 5);
	ck_assert_mem_eq(buf, "56789", 5);
	ck_assert(backends_chardev_ringbuf_read(chr, buf, sizeof(buf), &n, NULL));
	ck_assert_uint_eq(n, 0);
	ck_assert_str_eq(filename(), "ringbuf");
}
END_TEST

START_TEST(testdev_kind)
{
	make(config("testdev", NULL));
	put("1 2x 0");
	run_ms(5);
	ck_assert_int_eq(exit_status, -1);
	put("3 q");
	RUN_UNTIL(exit_status == 7);
}
END_TEST

START_TEST(file_kind)
{
	static char big[200000], back[sizeof(big)];
	size_t done = 0;
	FILE *f = fopen(path_of("in"), "w");
	int fd;

	fputs("typed before", f);
	fclose(f);
	f = fopen(path_of("out"), "w");
	fputs("kept:", f);
	fclose(f);
	make(config("file", "path", path_of("out"), "append", "on", "input-path", path_of("in"), NULL));
	got("typed before");
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)('a' + i % 23);
	/* Lossless: what is refused is written when there is room again. */
	while (done < sizeof(big)) {
		size_t n = backends_chardev_write(chr, (uint8_t *)big + done, sizeof(big) - done);

		done += n;
		if (done < sizeof(big)) {
			int before = fe.writables;

			RUN_UNTIL(fe.writables > before);
		}
	}
	ck_assert_str_eq(filename(), "file");
	end(); /* the end writes out what is queued */
	fd = open(path_of("out"), O_RDONLY);
	ck_assert_int_eq(read(fd, back, 5), 5);
	ck_assert_mem_eq(back, "kept:", 5);
	ck_assert_int_eq(read(fd, back, sizeof(back)), sizeof(back));
	ck_assert_mem_eq(back, big, sizeof(big));
	close(fd);
}
END_TEST

START_TEST(file_trouble)
{
	make(config("file", "path", "/dev/full", NULL));
	put("lost");
	RUN_UNTIL(n_trouble == 1);
	put("lost, too");
	run_ms(20);
	ck_assert_int_eq(n_trouble, 1);
}
END_TEST

START_TEST(pipe_kind)
{
	int in, out;

	mkfifo(path_of("p.in"), 0600);
	mkfifo(path_of("p.out"), 0600);
	make(config("pipe", "path", path_of("p"), NULL));
	out = open(path_of("p.out"), O_RDONLY | O_NONBLOCK);
	in = open(path_of("p.in"), O_WRONLY | O_NONBLOCK);
	ck_assert_int_eq(write(in, "hello", 5), 5);
	got("hello");
	put("world");
	expect(out, "world");
	close(in);
	close(out);
	put("nobody");
	run_ms(5);
	in = open(path_of("p.in"), O_WRONLY | O_NONBLOCK);
	ck_assert_int_eq(write(in, "again", 5), 5);
	got("again");
	close(in);
	ck_assert_str_eq(filename(), "pipe");
}
END_TEST

START_TEST(pty_kind)
{
	char name[300];
	int fd;

	make(config("pty", NULL));
	strcpy(name, filename());
	ck_assert_int_eq(strncmp(name, "pty:/dev/pts/", 13), 0);
	ck_assert_uint_eq(put("nobody is there\n"), 16);
	run_ms(5);
	ck_assert_int_eq(fe.opened, 0);
	fd = open(name + 4, O_RDWR | O_NOCTTY);
	ck_assert_int_ge(fd, 0);
	RUN_UNTIL(fe.opened == 1);
	put("login: \n");
	expect(fd, "login: \n"); /* raw: no CR is added, nothing is echoed */
	ck_assert_int_eq(write(fd, "root\r", 5), 5);
	got("root\r");
	close(fd);
	RUN_UNTIL(fe.closed == 1);
	put("dropped");
	fd = open(name + 4, O_RDWR | O_NOCTTY);
	RUN_UNTIL(fe.opened == 2);
	put("back");
	expect(fd, "back");
	close(fd);
}
END_TEST

START_TEST(socket_server)
{
	char *path = path_of("sock");
	int fd, fd2;

	/* A stale socket is in the way. */
	close(unix_socket(path, true));
	ck_assert_int_eq(access(path, F_OK), 0);
	make(config("socket", "path", path, "server", "on", "wait", "on", NULL));
	/* A live one is not stale. */
	refused(config("socket", "path", path, "server", "on", NULL), VMD_ERR_BUSY, path);
	ck_assert(backends_chardev_waiting(chr));
	run_ms(100); /* the probe above was a client, and has gone again */
	fe.opened = 0;
	fd = unix_socket(path, false);
	ck_assert_int_ge(fd, 0);
	RUN_UNTIL(fe.opened == 1);
	ck_assert_int_eq(strncmp(filename(), "unix:", 5), 0);
	ck_assert(!backends_chardev_waiting(chr));
	put("hi");
	expect(fd, "hi");
	ck_assert_int_eq(write(fd, "ho", 2), 2);
	got("ho");
	/* The second waits for the first to go. */
	fd2 = unix_socket(path, false);
	ck_assert_int_eq(write(fd2, "second", 6), 6);
	run_ms(10);
	ck_assert_uint_eq(fe.len, 0);
	close(fd);
	got("second");
	close(fd2);
	RUN_UNTIL(strncmp(filename(), "disconnected:unix:", 18) == 0);
	ck_assert(strstr(filename(), ",server=on"));
	end();
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(socket_not_a_socket)
{
	char *path = path_of("precious");

	close(open(path, O_CREAT | O_WRONLY, 0600));
	refused(config("socket", "path", path, "server", "on", NULL), VMD_ERR_BUSY, "precious");
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(socket_reconnect)
{
	char *path = path_of("later");
	int listener, fd;

	make(config("socket", "path", path, "reconnect", "1", NULL));
	ck_assert_uint_eq(put("lost"), 4);
	run_ms(20);
	listener = unix_socket(path, true);
	RUN_UNTIL(fe.opened == 1);
	fd = accept(listener, NULL, NULL);
	put("found");
	expect(fd, "found");
	close(fd);
	RUN_UNTIL(fe.closed == 1);
	RUN_UNTIL(fe.opened == 2);
	fd = accept(listener, NULL, NULL);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	got("x");
	close(fd);
	close(listener);
}
END_TEST

START_TEST(socket_tcp)
{
	struct backends_chardev *server;
	char port[16], name[256];

	snprintf(port, sizeof(port), "%d", 20000 + getpid() % 20000);
	make(config("socket", "port", port, "server", "on", NULL));
	server = chr;
	backends_chardev_detach_fe(server);
	/* Resolves and connects by itself. */
	make(config("socket", "host", "localhost", "port", port, "reconnect", "1", "nodelay", "on", NULL));
	RUN_UNTIL(fe.opened == 1);
	backends_chardev_write(server, (const uint8_t *)"over tcp", 8);
	got("over tcp");
	snprintf(name, sizeof(name), "tcp:localhost:%s <-> 127.0.0.1:%s", port, port);
	ck_assert_str_eq(filename(), name);
	backends_chardev_free(server);
	RUN_UNTIL(fe.closed == 1);
}
END_TEST

START_TEST(input_flow)
{
	char big[5000];
	int sv, fd;

	fe.room = 10;
	sv = unix_socket(path_of("l"), true);
	make(config("socket", "path", path_of("l"), NULL));
	fd = accept(sv, NULL, NULL);
	memset(big, 'z', sizeof(big));
	ck_assert_int_eq(write(fd, big, sizeof(big)), sizeof(big));
	close(fd); /* what was sent before is still delivered */
	RUN_UNTIL(fe.len == 10);
	run_ms(10);
	ck_assert_uint_eq(fe.len, 10);
	ck_assert_int_eq(fe.closed, 0);
	fe.room = 100;
	backends_chardev_accept_input(chr);
	RUN_UNTIL(fe.len == 110);
	fe.room = SIZE_MAX;
	backends_chardev_accept_input(chr);
	RUN_UNTIL(fe.len == sizeof(big));
	RUN_UNTIL(fe.closed == 1);
	close(sv);
}
END_TEST

/* A peer that does not read holds the guest back, and nothing is lost. */
START_TEST(output_flow)
{
	static uint8_t block[8192];
	size_t sent = 0, read_back = 0, n;
	int sv, fd;

	sv = unix_socket(path_of("l"), true);
	make(config("socket", "path", path_of("l"), NULL));
	fd = accept4(sv, NULL, NULL, SOCK_NONBLOCK);
	do {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (uint8_t)((sent + i) * 7 % 251);
		n = backends_chardev_write(chr, block, sizeof(block));
		sent += n;
		run_ms(1);
	} while (n == sizeof(block) && sent < 4 << 20);
	ck_assert_uint_lt(sent, 4 << 20);
	while (read_back < sent) {
		ssize_t got_now = read(fd, block, sizeof(block));

		for (ssize_t i = 0; i < got_now; i++)
			if (block[i] != (read_back + (size_t)i) * 7 % 251)
				ck_abort_msg("byte %zu is wrong", read_back + (size_t)i);
		if (got_now > 0)
			read_back += (size_t)got_now;
		run_ms(0);
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	RUN_UNTIL(fe.writables > 0);
	close(fd);
	close(sv);
}
END_TEST

/* ---- The console ---- */

struct console {
	int fd;
	uint8_t buf[4 * 65536];
	size_t len, at;
};

static int console_listener;

static void make_console(struct backends_chardev_config *c)
{
	struct vmd_error err = {0};

	make(c);
	console_listener = unix_socket(path_of("console"), true);
	fcntl(console_listener, F_SETFL, O_NONBLOCK);
	ck_assert_msg(backends_chardev_serve_console(chr, console_listener, &err), "%s", err.message);
}

static void console_connect(struct console *con)
{
	memset(con, 0, sizeof(*con));
	con->fd = unix_socket(path_of("console"), false);
	ck_assert_int_ge(con->fd, 0);
	fcntl(con->fd, F_SETFL, O_NONBLOCK);
}

static void console_send(struct console *con, enum protocol_console_type type, const void *data, size_t len)
{
	uint8_t frame[4 + 65535];

	protocol_console_header(frame, type, len);
	if (len)
		memcpy(frame + 4, data, len);
	ck_assert_int_eq(write(con->fd, frame, 4 + len), (ssize_t)(4 + len));
}

/* The next frame if it is there, valid until the call after; false if it is not, or the hub closed. */
static bool console_try(struct console *con, struct protocol_console_frame *ret, bool *ret_closed)
{
	memmove(con->buf, con->buf + con->at, con->len - con->at);
	con->len -= con->at;
	con->at = 0;
	*ret_closed = false;
	for (;;) {
		struct vmd_error err = {0};
		enum protocol_console_next next = protocol_console_next(con->buf, con->len, ret, &err);

		ck_assert_msg(next != PROTOCOL_CONSOLE_BAD, "%s", err.message);
		if (next == PROTOCOL_CONSOLE_FRAME) {
			con->at = ret->size;
			return true;
		}
		ssize_t n = read(con->fd, con->buf + con->len, sizeof(con->buf) - con->len);
		if (n <= 0) {
			*ret_closed = n == 0;
			return false;
		}
		con->len += (size_t)n;
	}
}

/* Waits for it; false when the hub closed. */
static bool console_next(struct console *con, struct protocol_console_frame *ret)
{
	uint64_t deadline = now_ms() + 10000;
	bool closed;

	while (!console_try(con, ret, &closed)) {
		if (closed)
			return false;
		ck_assert_msg(now_ms() < deadline, "no frame came");
		run_ms(1);
	}
	return true;
}

static struct protocol_console_welcome console_hello(struct console *con, bool rw, bool steal, uint32_t replay)
{
	struct protocol_console_hello hello = {rw, steal, replay};
	struct protocol_console_welcome welcome;
	struct protocol_console_frame frame;
	struct vmd_error err = {0};
	uint8_t buf[4 + PROTOCOL_CONSOLE_MAX_JSON];
	size_t len = protocol_console_put_hello(buf, sizeof(buf), &hello);

	console_connect(con);
	ck_assert_uint_gt(len, 0);
	/* In two pieces, as a network might. */
	ck_assert_int_eq(write(con->fd, buf, 3), 3);
	run_ms(2);
	ck_assert_int_eq(write(con->fd, buf + 3, len - 3), (ssize_t)(len - 3));
	ck_assert(console_next(con, &frame));
	ck_assert_int_eq(frame.type, PROTOCOL_CONSOLE_WELCOME);
	ck_assert_msg(protocol_console_get_welcome(frame.payload, frame.len, &welcome, &err), "%s", err.message);
	return welcome;
}

static void console_expect(struct console *con, const char *text)
{
	char have[4096];
	size_t len = 0;

	while (len < strlen(text)) {
		struct protocol_console_frame frame;

		ck_assert(console_next(con, &frame));
		ck_assert_int_eq(frame.type, PROTOCOL_CONSOLE_DATA);
		ck_assert_uint_lt(len + frame.len, sizeof(have));
		memcpy(have + len, frame.payload, frame.len);
		len += frame.len;
	}
	have[len] = '\0';
	ck_assert_str_eq(have, text);
}

static struct protocol_console_notice console_notice(struct console *con, enum protocol_console_event event)
{
	struct protocol_console_frame frame;
	struct protocol_console_notice notice;

	ck_assert(console_next(con, &frame));
	ck_assert_int_eq(frame.type, PROTOCOL_CONSOLE_NOTICE);
	ck_assert(protocol_console_get_notice(frame.payload, frame.len, &notice, NULL));
	ck_assert_int_eq(notice.event, event);
	return notice;
}

START_TEST(console_basic)
{
	static struct console a, b;
	struct protocol_console_welcome w;
	struct protocol_console_frame frame;
	struct backends_chardev_info info;

	make_console(config("null", NULL));
	put("boot\n");
	w = console_hello(&a, true, false, 1000);
	ck_assert(w.writer && w.held);
	ck_assert_int_eq(w.holder.pid, getpid());
	ck_assert_uint_eq(w.holder.uid, getuid());
	ck_assert_uint_eq(w.replay, 5);
	ck_assert_str_eq(w.chardev, "c0");
	console_expect(&a, "boot\n");
	put("login: ");
	console_expect(&a, "login: ");
	console_send(&a, PROTOCOL_CONSOLE_DATA, "root", 4);
	got("root");
	console_send(&a, PROTOCOL_CONSOLE_BREAK, NULL, 0);
	RUN_UNTIL(fe.breaks == 1);

	/* A reader's input goes nowhere. */
	w = console_hello(&b, false, false, 3);
	ck_assert(!w.writer && w.held);
	ck_assert_uint_eq(w.replay, 3);
	console_expect(&b, "n: ");
	console_send(&b, PROTOCOL_CONSOLE_DATA, "evil", 4);
	run_ms(10);
	ck_assert_uint_eq(fe.len, 0);
	backends_chardev_query(chr, &info);
	ck_assert_uint_eq(info.clients, 2);
	ck_assert(info.writer && info.frontend_open);
	ck_assert_int_eq(info.writer_pid, getpid());

	/* Both hear the last words and of the end. */
	put("power down");
	backends_chardev_free(chr);
	chr = NULL;
	console_expect(&a, "power down");
	console_notice(&a, PROTOCOL_CONSOLE_CLOSING);
	ck_assert(!console_next(&a, &frame));
	console_expect(&b, "power down");
	console_notice(&b, PROTOCOL_CONSOLE_CLOSING);
	RUN_UNTIL(!uv_loop_alive(&loop));
	close(a.fd);
	close(b.fd);
}
END_TEST

START_TEST(console_pen)
{
	static struct console a, b, c;
	struct protocol_console_notice notice;

	make_console(config("null", NULL));
	ck_assert(console_hello(&a, true, false, 0).writer);
	ck_assert(!console_hello(&b, true, false, 0).writer); /* waits for it */
	ck_assert(console_hello(&c, true, true, 0).writer);   /* steals it */
	notice = console_notice(&a, PROTOCOL_CONSOLE_WRITER_LOST);
	ck_assert_int_eq(notice.holder.pid, getpid());
	console_send(&a, PROTOCOL_CONSOLE_DATA, "a", 1);
	run_ms(5);
	console_send(&c, PROTOCOL_CONSOLE_DATA, "c", 1);
	got("c");
	/* It goes to who waits, not to who lost it. */
	close(c.fd);
	console_notice(&b, PROTOCOL_CONSOLE_WRITER_GAINED);
	console_send(&b, PROTOCOL_CONSOLE_DATA, "b", 1);
	console_send(&b, PROTOCOL_CONSOLE_EOF, NULL, 0);
	got("b");
	ck_assert(console_hello(&c, true, false, 0).writer);
	close(a.fd);
	close(b.fd);
	close(c.fd);
}
END_TEST

/* The writer's input waits for the guest; a steal drops what waits. */
START_TEST(console_input_flow)
{
	static struct console a, b;
	static uint8_t block[30000];

	fe.room = 16;
	make_console(config("null", NULL));
	console_hello(&a, true, false, 0);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 11 % 253);
	console_send(&a, PROTOCOL_CONSOLE_DATA, block, sizeof(block));
	console_send(&a, PROTOCOL_CONSOLE_DATA, block, sizeof(block));
	close(a.fd); /* piped in, and gone: still all of it arrives */
	RUN_UNTIL(fe.len == 16);
	run_ms(10);
	ck_assert_uint_eq(fe.len, 16);
	while (fe.len < 2 * sizeof(block)) {
		fe.room = 999;
		backends_chardev_accept_input(chr);
		run_ms(1);
	}
	ck_assert_mem_eq(fe.got, block, sizeof(block));
	ck_assert_mem_eq(fe.got + sizeof(block), block, sizeof(block));
	ck_assert_uint_eq(fe.len, 2 * sizeof(block));
	fe.len = 0;

	fe.room = 16;
	ck_assert(console_hello(&a, true, false, 0).writer);
	console_send(&a, PROTOCOL_CONSOLE_DATA, block, sizeof(block));
	RUN_UNTIL(fe.len == 16);
	close(a.fd);
	run_ms(5);
	/* Its ghost holds the pen, and yields it without force. */
	ck_assert(console_hello(&b, true, false, 0).writer);
	fe.len = 0;
	fe.room = SIZE_MAX;
	console_send(&b, PROTOCOL_CONSOLE_DATA, "fresh", 5);
	got("fresh");
	close(b.fd);
}
END_TEST

/* A reader that does not read gets a gap and stalls nobody; a writer that does
 * not read stalls the guest for half a second. */
START_TEST(console_gap)
{
	static struct console a;
	static uint8_t block[32768];
	bool writer = _i == 1;
	size_t total = 0, seen = 0, lost = 0;
	uint64_t start;
	struct protocol_console_frame frame;

	make_console(config("null", NULL));
	console_hello(&a, writer, false, 0);
	start = now_ms();
	while (total < 2 << 20) {
		size_t n;

		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (uint8_t)((total + i) % 249);
		n = backends_chardev_write(chr, block, sizeof(block));
		total += n;
		ck_assert_uint_lt(now_ms() - start, 9000);
		uv_run(&loop, UV_RUN_NOWAIT);
		if (n < sizeof(block))
			usleep(100);
	}
	if (writer)
		ck_assert_uint_ge(now_ms() - start, 400);
	while (seen + lost < total) {
		struct protocol_console_notice notice;

		ck_assert(console_next(&a, &frame));
		if (frame.type == PROTOCOL_CONSOLE_DATA) {
			for (size_t i = 0; i < frame.len; i++)
				if (frame.payload[i] != (seen + lost + i) % 249)
					ck_abort_msg("byte %zu is wrong", seen + lost + i);
			seen += frame.len;
		} else {
			ck_assert(protocol_console_get_notice(frame.payload, frame.len, &notice, NULL));
			ck_assert_int_eq(notice.event, PROTOCOL_CONSOLE_GAP);
			lost += notice.bytes;
		}
	}
	ck_assert_uint_eq(seen + lost, total);
	ck_assert_uint_gt(lost, 0);
	close(a.fd);
}
END_TEST

/* A writer that reads all the time loses nothing, from another thread's burst. */
static atomic_bool burst_done;

static void *burst(void *arg)
{
	static uint8_t block[5000];
	size_t total = 0;

	while (total < 3 << 20) {
		size_t n;

		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (uint8_t)((total + i) % 241);
		n = backends_chardev_write(chr, block, sizeof(block));
		total += n;
		if (n < sizeof(block))
			usleep(50);
	}
	atomic_store(&burst_done, true);
	return (void *)total;
}

START_TEST(console_burst)
{
	static struct console a;
	size_t seen = 0;
	pthread_t thread;
	void *total = NULL;
	bool joined = false;

	atomic_store(&burst_done, false);
	make_console(config("null", NULL));
	console_hello(&a, true, false, 0);
	run_ms(5);
	pthread_create(&thread, NULL, burst, NULL);
	while (!joined || seen < (size_t)total) {
		struct protocol_console_frame frame;
		bool closed;

		/* The last frame may be here before the thread has said that there are no more. */
		if (!joined && atomic_load(&burst_done)) {
			pthread_join(thread, &total);
			joined = true;
		}
		if (!console_try(&a, &frame, &closed)) {
			ck_assert(!closed);
			run_ms(1);
			continue;
		}
		ck_assert_int_eq(frame.type, PROTOCOL_CONSOLE_DATA);
		for (size_t i = 0; i < frame.len; i++)
			if (frame.payload[i] != (seen + i) % 241)
				ck_abort_msg("byte %zu is wrong", seen + i);
		seen += frame.len;
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	ck_assert_uint_eq(seen, (size_t)total);
	close(a.fd);
}
END_TEST

static bool closed_by_hub(struct console *con)
{
	char c;

	for (int i = 0; i < 2000; i++) {
		ssize_t n = read(con->fd, &c, 1);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return true;
		run_ms(1);
	}
	return false;
}

START_TEST(console_rude)
{
	static struct console a, many[33];
	struct protocol_console_welcome w;
	struct protocol_console_frame frame;

	make_console(config("null", NULL));
	/* Not the protocol at all. */
	console_connect(&a);
	ck_assert_int_eq(write(a.fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
	ck_assert(console_next(&a, &frame));
	ck_assert(protocol_console_get_welcome(frame.payload, frame.len, &w, NULL));
	ck_assert(w.refused);
	ck_assert_int_eq(w.error.code, VMD_ERR_INVALID);
	ck_assert(closed_by_hub(&a));
	close(a.fd);
	/* No HELLO; a HELLO that is not JSON; of a strange mode. */
	for (int i = 0; i < 3; i++) {
		console_connect(&a);
		console_send(&a, i == 0 ? PROTOCOL_CONSOLE_DATA : PROTOCOL_CONSOLE_HELLO,
			     i == 1 ? "{nonsense" : "{\"mode\":\"rx\"}", i == 1 ? 9 : 13);
		ck_assert(console_next(&a, &frame));
		ck_assert(protocol_console_get_welcome(frame.payload, frame.len, &w, NULL));
		ck_assert(w.refused);
		ck_assert(closed_by_hub(&a));
		close(a.fd);
	}
	/* A hub's message from a client. */
	console_hello(&a, true, false, 0);
	console_send(&a, PROTOCOL_CONSOLE_NOTICE, "{}", 2);
	ck_assert(closed_by_hub(&a));
	close(a.fd);
	/* Gone in the middle of a frame. */
	console_hello(&a, true, false, 0);
	ck_assert_int_eq(write(a.fd, "\3\0\1", 3), 3);
	close(a.fd);
	run_ms(5);
	/* Too many. */
	for (int i = 0; i < 32; i++)
		ck_assert(!console_hello(&many[i], true, false, 0).refused);
	console_connect(&many[32]);
	ck_assert(console_next(&many[32], &frame));
	ck_assert(protocol_console_get_welcome(frame.payload, frame.len, &w, NULL));
	ck_assert(w.refused);
	ck_assert_int_eq(w.error.code, VMD_ERR_LIMIT);
	for (int i = 0; i < 33; i++)
		close(many[i].fd);
	run_ms(5);
	/* Those that say nothing keep nobody out. */
	for (int i = 0; i < 32; i++) {
		console_connect(&many[i]);
		run_ms(1);
	}
	ck_assert(!console_hello(&a, true, false, 0).refused);
	ck_assert(closed_by_hub(&many[0]));
	close(a.fd);
	for (int i = 0; i < 32; i++)
		close(many[i].fd);
	run_ms(5);
	ck_assert(console_hello(&a, true, false, 0).writer);
	close(a.fd);
}
END_TEST

/* A chardev whose readers do not read still ends, in about two seconds. */
START_TEST(end_is_bounded)
{
	static struct console a;
	static uint8_t block[65536];
	uint64_t start;

	make_console(config("null", NULL));
	console_hello(&a, false, false, 0);
	for (int i = 0; i < 40; i++) {
		backends_chardev_write(chr, block, sizeof(block));
		run_ms(1);
	}
	start = now_ms();
	end();
	ck_assert_uint_lt(now_ms() - start, 4000);
	close(a.fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("chardev");
	TCase *kinds = tcase_create("kinds"), *console = tcase_create("console");

	tcase_add_checked_fixture(kinds, setup, teardown);
	tcase_set_timeout(kinds, 60);
	tcase_add_test(kinds, config_errors);
	tcase_add_test(kinds, null_kind);
	tcase_add_test(kinds, ringbuf_kind);
	tcase_add_test(kinds, testdev_kind);
	tcase_add_test(kinds, file_kind);
	tcase_add_test(kinds, file_trouble);
	tcase_add_test(kinds, pipe_kind);
	tcase_add_test(kinds, pty_kind);
	tcase_add_test(kinds, socket_server);
	tcase_add_test(kinds, socket_not_a_socket);
	tcase_add_test(kinds, socket_reconnect);
	tcase_add_test(kinds, socket_tcp);
	tcase_add_test(kinds, input_flow);
	tcase_add_test(kinds, output_flow);
	suite_add_tcase(s, kinds);
	tcase_add_checked_fixture(console, setup, teardown);
	tcase_set_timeout(console, 60);
	tcase_add_test(console, console_basic);
	tcase_add_test(console, console_pen);
	tcase_add_test(console, console_input_flow);
	tcase_add_loop_test(console, console_gap, 0, 2);
	tcase_add_test(console, console_burst);
	tcase_add_test(console, console_rude);
	tcase_add_test(console, end_is_bounded);
	suite_add_tcase(s, console);
	return suite_run(s, CK_FORK_GETENV);
}
