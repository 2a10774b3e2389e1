/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmctl as its users see it: output, exit status, console. A small daemon of our
 * own, in a process of its own, answers.
 */
#include "protocol/console.h"
#include "protocol/jsonrpc.h"
#include "tests/unit/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static char dir[64], socket_path[128], console_path[128];
static pid_t daemon_pid;

/* ---- The daemon ---- */

enum { PEERS = 16 };

struct fake {
	struct { int fd; struct proto_rpc_session *session; } peers[PEERS];
	struct proto_service service;
	int console;              /* the attached client, or -1 */
	uint8_t in[8192];
	size_t in_len;
	struct proto_call *wait;
	bool ended;
	struct proto_machine_definition def; /* the machine created last */
	bool stopped;
};

static struct proto_machine_status status_of(const struct fake *f, const char *name)
{
	return (struct proto_machine_status){ .name = (char *)name, .state = f->stopped ? PROTO_MACHINE_STATE_STOPPED :
		PROTO_MACHINE_STATE_RUNNING, .cpus = 2, .memory = 1ull << 30, .has_pid = true, .pid = 42,
		.description = (char *)"bell\a" };
}

static bool known(const char *name, struct vmd_error *err)
{
	if (strcmp(name, "gone"))
		return true;
	vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "there is no machine 'gone'");
	return vmd_error_hint(err, "'vmctl list' shows the machines");
}

static bool fake_list(struct proto_call *call, const struct proto_args_machine_list *args, struct vmd_error *err)
{
	struct proto_machine_status s = status_of(proto_call_opaque(call), "web1");
	proto_reply_machine_list(call, &s, 1);
	return true;
}

static bool fake_create(struct proto_call *call, const struct proto_args_machine_create *args, struct vmd_error *err)
{
	struct fake *f = proto_call_opaque(call);
	proto_machine_definition_fini(&f->def);
	if (!proto_machine_definition_copy(&args->definition, &f->def, err))
		return false;
	struct proto_machine_info info = { .definition = f->def, .status = status_of(f, f->def.name) };
	proto_reply_machine_create(call, &info);
	return true;
}

static bool fake_get(struct proto_call *call, const struct proto_args_machine_get *args, struct vmd_error *err)
{
	struct fake *f = proto_call_opaque(call);
	if (!known(args->name, err))
		return false;
	struct proto_machine_info info = { .definition = f->def, .status = status_of(f, args->name) };
	proto_reply_machine_get(call, &info);
	return true;
}

static bool fake_stats(struct proto_call *call, const struct proto_args_machine_stats *args, struct vmd_error *err)
{
	struct proto_stats stats = { .name = (char *)"instructions", .value = 5 };
	struct proto_vcpu_stats vcpu = { .stats = &stats, .n_stats = 1 };
	struct proto_machine_stats s = { .accel = PROTO_ACCEL_INTERP, .accel_note = (char *)"no\a", .vcpus = &vcpu,
					 .n_vcpus = 1 };
	if (!known(args->name, err))
		return false;
	proto_reply_machine_stats(call, &s);
	return true;
}

static bool fake_start(struct proto_call *call, const struct proto_args_machine_start *args, struct vmd_error *err)
{
	struct proto_machine_status s = status_of(proto_call_opaque(call), args->name);
	static const struct { const char *name; enum vmd_error_code code; } errors[] = {
		{ "busy", VMD_ERR_WRONG_STATE }, { "slow", VMD_ERR_TIMEOUT }, { "shy", VMD_ERR_GUEST_REFUSED },
		{ "secret", VMD_ERR_DENIED }, { "odd", VMD_ERR_GENERIC }, { "gone", VMD_ERR_NOT_FOUND },
	};
	for (unsigned i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (!strcmp(errors[i].name, args->name))
			return vmd_error_set(err, errors[i].code, 0, "no");
	proto_reply_machine_start(call, &s);
	return true;
}

static bool fake_console(struct proto_call *call, const struct proto_args_machine_console *args, struct vmd_error *err)
{
	proto_reply_machine_console(call, &(struct proto_console_info){ .chardev = args->chardev, .path = console_path });
	return true;
}

static void console_send(struct fake *f, const char *text)
{
	uint8_t header[PROTOCOL_CONSOLE_HEADER];
	protocol_console_header(header, PROTOCOL_CONSOLE_DATA, strlen(text));
	if (write(f->console, header, sizeof(header)) < 0 || write(f->console, text, strlen(text)) < 0)
		perror("console");
}

static bool fake_resume(struct proto_call *call, const struct proto_args_machine_resume *args, struct vmd_error *err)
{
	struct fake *f = proto_call_opaque(call);
	struct proto_machine_status s = status_of(f, args->name);
	f->ended = false;
	console_send(f, "booting\n");
	proto_reply_machine_resume(call, &s);
	return true;
}

/* Answers who waits for the end, once it has come. */
static void answer_wait(struct fake *f)
{
	struct proto_run_end end = { .reason = PROTO_END_REASON_GUEST_EXIT, .status = 7 };
	struct proto_machine_status s = status_of(f, "web1");
	if (!f->wait || !f->ended)
		return;
	s.state = PROTO_MACHINE_STATE_STOPPED;
	s.end = &end;
	proto_reply_machine_wait(f->wait, &s);
	f->wait = NULL;
}

static bool fake_wait(struct proto_call *call, const struct proto_args_machine_wait *args, struct vmd_error *err)
{
	struct fake *f = proto_call_opaque(call);
	f->wait = call;
	answer_wait(f);
	return true;
}

static bool fake_delete(struct proto_call *call, const struct proto_args_machine_delete *args, struct vmd_error *err)
{
	proto_reply_machine_delete(call);
	return true;
}

static bool fake_subscribe(struct proto_call *call, const struct proto_args_events_subscribe *args, struct vmd_error *err)
{
	struct proto_rpc_session *s = proto_call_session(call);
	for (int i = 1; i < 4; i++)
		proto_rpc_session_notify(s, "event", json_pack("{s:s, s:i, s:i, s:s, s:s, s:{s:s}}", "epoch", "e", "seq", i, "time",
							       1700000000, "event", "guest-event", "machine", "web1", "data", "event",
							       "STOP\033[m"));
	proto_reply_events_subscribe(call, &(struct proto_subscription){ .epoch = (char *)"e" });
	return true;
}

static const struct proto_daemon_handlers handlers = {
	.machine_list = fake_list, .machine_create = fake_create, .machine_get = fake_get, .machine_start = fake_start,
	.machine_console = fake_console, .machine_resume = fake_resume, .machine_wait = fake_wait, .machine_delete = fake_delete,
	.events_subscribe = fake_subscribe, .machine_stats = fake_stats,
};

static void peer_send(void *opaque, char *data, size_t len)
{
	if (write((int)(intptr_t)opaque, data, len) < 0)
		perror("send");
	free(data);
}

static void peer_hang_up(void *opaque, bool abort, const char *reason)
{
	shutdown((int)(intptr_t)opaque, SHUT_RDWR);
}

static int listen_on(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(addr.sun_path, path);
	unlink(path);
	ck_assert(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 && listen(fd, 8) == 0);
	return fd;
}

/* The guest echoes; 'q' ends the run with status 7. */
static void console_input(struct fake *f)
{
	struct protocol_console_frame frame;
	struct vmd_error err;
	uint8_t buf[4096];
	ssize_t n = read(f->console, f->in + f->in_len, sizeof(f->in) - f->in_len);
	if (n <= 0) {
		close(f->console);
		f->console = -1;
		return;
	}
	f->in_len += (size_t)n;
	while (f->console >= 0 && protocol_console_next(f->in, f->in_len, &frame, &err) == PROTOCOL_CONSOLE_FRAME) {
		if (frame.type == PROTOCOL_CONSOLE_HELLO) {
			struct protocol_console_hello hello;
			ck_assert(protocol_console_get_hello(frame.payload, frame.len, &hello, &err));
			struct protocol_console_welcome w = { .chardev = "serial0", .writer = hello.rw, .replay = 4 };
			size_t size = protocol_console_put_welcome(buf, sizeof(buf), &w);
			ck_assert(write(f->console, buf, size) == (ssize_t)size);
			console_send(f, "old\n");
		} else if (frame.type == PROTOCOL_CONSOLE_DATA) {
			char text[256];
			snprintf(text, sizeof(text), "<%.*s>", (int)frame.len, (const char *)frame.payload);
			console_send(f, text);
			if (memchr(frame.payload, 'q', frame.len)) {
				f->ended = true;
				answer_wait(f);
				close(f->console);
				f->console = -1;
				f->in_len = 0;
				return;
			}
		}
		memmove(f->in, f->in + frame.size, f->in_len - frame.size);
		f->in_len -= frame.size;
	}
}

__attribute__((noreturn)) static void serve(int rpc, int console)
{
	struct fake *f = calloc(1, sizeof(*f));
	f->service = (struct proto_service){ .set = &proto_daemon_set, .handlers = &handlers, .opaque = f };
	f->console = -1;
	for (int i = 0; i < PEERS; i++)
		f->peers[i].fd = -1;
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		struct pollfd fds[PEERS + 3] = { { .fd = rpc, .events = POLLIN }, { .fd = console, .events = POLLIN },
						 { .fd = f->console, .events = POLLIN } };
		for (int i = 0; i < PEERS; i++)
			fds[3 + i] = (struct pollfd){ .fd = f->peers[i].fd, .events = POLLIN };
		if (poll(fds, PEERS + 3, -1) < 0)
			_exit(1);
		if (fds[1].revents) {
			if (f->console >= 0)
				close(f->console);
			f->console = accept(console, NULL, NULL);
			f->in_len = 0;
		} else if (fds[2].revents) {
			console_input(f);
		}
		for (int i = 0; i < PEERS; i++) {
			char buf[65536];
			if (!fds[3 + i].revents)
				continue;
			ssize_t n = read(f->peers[i].fd, buf, sizeof(buf));
			if (n > 0) {
				proto_rpc_session_feed(f->peers[i].session, buf, (size_t)n);
				proto_rpc_session_sent(f->peers[i].session, 1 << 30);
				continue;
			}
			if (f->wait && proto_call_session(f->wait) == f->peers[i].session)
				f->wait = NULL;
			proto_rpc_session_free(f->peers[i].session);
			close(f->peers[i].fd);
			f->peers[i].fd = -1;
		}
		if (fds[0].revents) {
			int fd = accept(rpc, NULL, NULL), i = 0;
			while (i < PEERS && f->peers[i].fd >= 0)
				i++;
			struct proto_transport t = { .send = peer_send, .hang_up = peer_hang_up, .opaque = (void *)(intptr_t)fd };
			struct proto_peer peer = { .privilege = PROTO_PRIVILEGE_ADMIN };
			f->peers[i].fd = fd;
			f->peers[i].session = proto_rpc_session_new(&f->service, &t, &peer);
		}
	}
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/vmctl-test-XXXXXX");
	ck_assert(mkdtemp(dir) != NULL);
	snprintf(socket_path, sizeof(socket_path), "%s/vmd.sock", dir);
	snprintf(console_path, sizeof(console_path), "%s/console", dir);
	setenv("VMD_SOCKET", socket_path, 1);
	int rpc = listen_on(socket_path), console = listen_on(console_path);
	daemon_pid = fork();
	if (daemon_pid == 0)
		serve(rpc, console);
	close(rpc);
	close(console);
}

static void teardown(void)
{
	kill(daemon_pid, SIGKILL);
	waitpid(daemon_pid, NULL, 0);
	unlink(socket_path);
	unlink(console_path);
	rmdir(dir);
}

/* Runs a shell command in which $V is vmctl; what it printed, its exit status. */
static int run(const char *command, char *out, size_t size)
{
	setenv("V", VMCTL, 1);
	FILE *p = popen(command, "r");
	size_t n = fread(out, 1, size - 1, p);
	out[n] = 0;
	int status = pclose(p);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static const struct {
	const char *command;
	int status;
	const char *out; /* a part of the output; NULL: none at all */
} cases[] = {
	{ "$V list 2>&1", 0, "NAME  STATE    CPUS  MEMORY  PID  UP  DESCRIPTION\nweb1  running  2     1G      42   -   bell\\x07\n" },
	{ "$V --json list", 0, "\"name\": \"web1\"" },
	{ "$V list --names", 0, "web1\n" },
	{ "$V show gone 2>&1", 3, "vmctl: there is no machine 'gone'\nhint: 'vmctl list' shows the machines\n" },
	{ "$V show gone 2>/dev/null", 3, NULL },
	{ "$V show gone --json 2>&1", 3, "\"class\": \"DeviceNotFound\"" },
	{ "$V create w > /dev/null; $V show w", 0, "\nexecuted by    interp (no\\x07)\n" },
	{ "$V create w > /dev/null; $V show --json w | tr -d ' \n'", 0,
	  "},\"executed-by\":{\"accel\":\"interp\",\"accel-note\":\"no\\u0007\"}}" },
	{ "$V create w > /dev/null; $V show --json w | $V --json define - | tr -d ' \n'", 0,
	  "{\"definition\":{\"name\":\"w\"" },
	{ "$V top -n 1 web1 gone 2>&1", 3, "vmctl: there is no machine 'gone'\n" },
	{ "$V start busy 2>&1", 4, "no" },
	{ "$V start slow 2>&1", 7, "no" },
	{ "$V start shy 2>&1", 8, "no" },
	{ "$V start secret 2>&1", 6, "no" },
	{ "$V start odd 2>&1", 1, "no" },
	{ "$V start web1", 0, "web1: running\n" },
	{ "$V --socket /nonexistent/s list 2>&1", 5, "cannot connect to /nonexistent/s" },
	{ "$V frobnicate 2>&1", 2, "unknown command 'frobnicate'" },
	{ "$V lsit 2>&1", 2, "did you mean 'list'?" },
	{ "$V start 2>&1", 2, "usage: vmctl start NAME" },
	{ "$V start a b 2>&1", 2, "too many" },
	{ "$V stop web1 --timeout x 2>&1", 2, "--timeout takes seconds" },
	{ "$V create w --cpus 65 2>&1", 2, "'cpus': 65 is out of range: it must be 1 to 64" },
	{ "$V create w --memory 12Q 2>&1", 2, "--memory: 'memory' takes a size, not '12Q'" },
	{ "$V top --count 0 2>&1", 2, "--count takes a number of reports, not '0'" },
	{ "$V top --delay 0 2>&1", 2, "--delay takes 0.1 to 3600 seconds" },
	{ "$V stats 2>&1", 2, "usage: vmctl stats NAME" },
	{ "$V create w --jit-cache 1K 2>&1", 2, "'jit-cache': 1024 is out of range: it must be 512K to 1G" },
	{ "$V create w --jit-debug one-insn,no-chian 2>&1", 2, "'jit-debug[1]': 'no-chian' is not one of one-insn, no-chain" },
	{ "$V --json create w --jit-debug one-insn,no-chain --jit-debug no-native | tr -d ' \n'", 0,
	  "\"jit-debug\":[\"one-insn\",\"no-chain\",\"no-native\"]" },
	{ "$V create w --machine virt,gic-versoin=2 2>&1", 2, "did you mean 'gic-version'?" },
	{ "$V create w --cpus 2>&1", 2, "--cpus needs a value" },
	{ "$V create w --transient=yes 2>&1", 2, "takes no value" },
	{ "$V create w --chardev 'file,id=c,port=1' 2>&1", 2, "'chardevs[0].port' does not go with backend 'file' (only with socket)" },
	{ "$V create 2>&1", 2, "needs a name" },
	{ "$V --no-start --json create w --cpus=2 --memory 1G --kernel k --initrd /a --initrd ./b --machine gic-version=2 --semihosting "
	  "--device 'virtio-rng-device,id=r,max-bytes=1,,2' --chardev file,id=c,path=x,append=on --serial c --label a=b --append 'x y' "
	  "| tr -d ' \\n'; pwd",
	  0, "\"memory\":1073741824" },
	{ "cd /tmp && $V --json create w --kernel k --device 'virtio-rng-device,id=r,max-bytes=1,,2' | tr -d ' \\n'", 0,
	  "\"kernel\":\"/tmp/k\",\"serials\":[\"serial0\"],\"devices\":[{\"driver\":\"virtio-rng-device\",\"id\":\"r\",\"props\":{\"max-bytes\":"
	  "\"1,2\"}}]" },
	{ "$V --json create w --machine gic-version=2 --semihosting | tr -d ' \\n'", 0,
	  "\"machine\":{\"type\":\"virt\",\"gic-version\":\"2\",\"semihosting\":true" },
	{ "$V --json create w --device '{\"driver\":\"d\",\"props\":{\"k\":\"v\"}}' | tr -d ' \\n'", 0,
	  "[{\"driver\":\"d\",\"props\":{\"k\":\"v\"}}]" },
	{ "echo '{\"name\":\"w\",\"kernel\":\"k\"}' > $D/f.json; $V --json define $D/f.json | tr -d ' \\n'; rm $D/f.json", 0, "/k\"" },
	{ "echo '{' | $V define - 2>&1", 2, "-: line " },
	{ "$V create --machine help w", 0, "gic-version=2|3|max" },
	{ "$V api machine.get name=gone 2>&1", 3, "there is no machine" },
	{ "$V api machine.lst 2>&1", 1, "did you mean 'machine.list'?" },
	{ "$V events -n 2", 0, "e:2 web1 guest-event event=STOP\\x1b[m\n" },
	{ "$V events -n 1 --json", 0, "\"seq\":1" },
	{ "$V completion | bash -n && echo fine", 0, "fine" },
	{ "$V help --mdoc", 0, ".It Cm attach-serial" },
	{ "$V start -h", 0, "usage: vmctl start" },
	{ "printf 'ab' | $V console web1 --read-only 2>/dev/null & sleep 0.3; kill %1 2>/dev/null || kill $!; wait", 0, "old\n" },
	{ "printf 'q' | $V run --name web1 --kernel /k", 7, "old\nbooting\n<q>" },
	{ "printf 'hello' | timeout -s TERM 1 $V run --name web1 --kernel /k", 124, "old\nbooting\n<hello>" },
};

START_TEST(behaves)
{
	char out[65536];
	setenv("D", dir, 1);
	int status = run(cases[_i].command, out, sizeof(out));
	ck_assert_msg(status == cases[_i].status, "%s: status %d, printed %s", cases[_i].command, status, out);
	if (cases[_i].out)
		ck_assert_msg(strstr(out, cases[_i].out) != NULL, "%s printed: %s", cases[_i].command, out);
	else
		ck_assert_str_eq(out, "");
}
END_TEST

/* On a terminal: raw while attached, put back whichever way it ends. */
static const struct {
	const char *keys;
	int signal;
	const char *expect;
} terminals[] = {
	{ "x\x1d\x1d\x1d", 0, "<x\x1d>" }, /* one is sent, the last leaves */
	{ "y\x1d", 0, "<y>" },
	{ "z", SIGTERM, "<z>" },
	{ "z", SIGSEGV, "<z>" },
};

static void read_until(int fd, char *out, size_t size, const char *expect)
{
	size_t n = strlen(out);
	while (!strstr(out, expect) && n + 1 < size) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ck_assert_msg(poll(&p, 1, 10000) > 0, "no '%s' in '%s'", expect, out);
		ssize_t got = read(fd, out + n, size - 1 - n);
		ck_assert_msg(got > 0, "no '%s' in '%s'", expect, out);
		n += (size_t)got;
		out[n] = 0;
	}
}

START_TEST(terminal)
{
	int master, slave, status;
	char out[4096] = "";
	struct termios before, during, after;
	ck_assert(openpty(&master, &slave, NULL, NULL, NULL) == 0);
	tcgetattr(slave, &before);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(slave, 0);
		dup2(slave, 1);
		dup2(slave, 2);
		execl(VMCTL, "vmctl", "console", "web1", (char *)NULL);
		_exit(127);
	}
	read_until(master, out, sizeof(out), "leaves");
	read_until(master, out, sizeof(out), "old");
	do {
		usleep(10000);
		tcgetattr(slave, &during);
	} while (during.c_lflag & ICANON);
	for (const char *k = terminals[_i].keys; *k; k++)
		ck_assert(write(master, k, 1) == 1);
	if (terminals[_i].signal) {
		read_until(master, out, sizeof(out), terminals[_i].expect);
		kill(pid, terminals[_i].signal);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	tcgetattr(slave, &after);
	ck_assert_int_eq(before.c_lflag, after.c_lflag);
	ck_assert_int_eq(before.c_iflag, after.c_iflag);
	ck_assert_int_eq(before.c_oflag, after.c_oflag);
	if (terminals[_i].signal == SIGSEGV)
		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	else
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == (terminals[_i].signal ? 130 : 0));
	close(master);
	close(slave);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmctl");
	TCase *tc = tcase_create("all");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, behaves, 0, sizeof(cases) / sizeof(*cases));
	tcase_add_loop_test(tc, terminal, 0, sizeof(terminals) / sizeof(*terminals));
	suite_add_tcase(suite, tc);
	return suite_run(suite, CK_FORK_GETENV);
}
