/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A terminal, or stdin and stdout, joined to a console socket ("Console protocol"
 * in ARCHITECTURE.md), with the daemon watched at the same time.
 *
 * One loop over poll(). Input waits while the console does not take it; output
 * goes out as it comes. With until_stopped the loop is over when the machine's
 * last status and the console's last byte are both there.
 */
#include "vmctl/vmctl_priv.h"

#include "protocol/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	IN_SIZE = PROTOCOL_CONSOLE_HEADER + PROTOCOL_CONSOLE_MAX_PAYLOAD,
	OUT_SIZE = 8192,
	INPUT_PIECE = 1024,
	ESCAPE_MS = 400,   /* in which a second escape character makes one to send */
	DRAIN_MS = 2000,   /* for the console's last bytes after the machine has stopped */
};

struct link {
	struct vmctl *ctx;
	const struct vmctl_attach *attach;
	int fd;                 /* the console */
	int signals;
	bool tty;               /* stdin is a terminal in raw mode */
	bool stdin_open;
	bool writer;            /* we hold the pen */
	bool welcomed;
	bool escaped;           /* the escape character has come */
	bool waiting;           /* for the reply to wait_id */
	int wait_id;
	bool stopped;           /* the reply has come */
	struct proto_machine_status *status;
	uint8_t in[IN_SIZE];
	size_t in_len;
	uint8_t out[OUT_SIZE];  /* frames not sent yet */
	size_t out_len;
};

/* A line for the user amid the console's output. */
__attribute__((format(printf, 2, 3))) static void say(const struct link *l, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s[%s]%s\n", l->tty ? "\r\n" : "", text, l->tty ? "\r" : "");
}

static void escape_name(int escape, char *buf, size_t size)
{
	if (escape < 0x20)
		snprintf(buf, size, "Ctrl-%c", escape + 0x40);
	else
		snprintf(buf, size, "%c", escape);
}

bool vmctl_escape_parse(const char *text, int *ret, struct vmd_error *err)
{
	if (!strcmp(text, "none"))
		*ret = -1;
	else if (text[0] == '^' && text[1] && !text[2] && (text[1] | 0x20) >= 0x40 && text[1] != '?')
		*ret = text[1] & 0x1f;
	else if (text[0] && !text[1])
		*ret = (unsigned char)text[0];
	else
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "--escape takes a character, ^X or none, not '%s'", text);
	return true;
}

static void holder_name(const struct protocol_console_holder *holder, char *buf, size_t size)
{
	const struct passwd *pw = getpwuid(holder->uid);
	if (pw)
		snprintf(buf, size, "process %d of %s", (int)holder->pid, pw->pw_name);
	else
		snprintf(buf, size, "process %d of user %u", (int)holder->pid, (unsigned)holder->uid);
}

/* ---- Frames ---- */

static bool put_frame(struct link *l, enum protocol_console_type type, const uint8_t *payload, size_t len)
{
	if (l->out_len + PROTOCOL_CONSOLE_HEADER + len > sizeof(l->out))
		return false;
	protocol_console_header(l->out + l->out_len, type, len);
	if (len)
		memcpy(l->out + l->out_len + PROTOCOL_CONSOLE_HEADER, payload, len);
	l->out_len += PROTOCOL_CONSOLE_HEADER + len;
	return true;
}

static bool write_all(int fd, const uint8_t *data, size_t len, struct vmd_error *err)
{
	while (len) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EAGAIN) {
			poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return vmd_error_set(err, VMD_ERR_IO, errno, "cannot write to standard output");
		} else if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static bool handle_welcome(struct link *l, const struct protocol_console_frame *frame, struct vmd_error *err)
{
	struct protocol_console_welcome w;
	char name[96];
	if (!protocol_console_get_welcome(frame->payload, frame->len, &w, err))
		return false;
	if (w.refused) {
		*err = w.error;
		return false;
	}
	l->welcomed = true;
	l->writer = w.writer;
	if (!w.writer && w.held && !l->attach->read_only) {
		holder_name(&w.holder, name, sizeof(name));
		say(l, "%s holds the pen of %s: you can only read; --steal takes it", name, w.chardev);
	}
	return true;
}

static bool handle_notice(struct link *l, const struct protocol_console_frame *frame, struct vmd_error *err)
{
	struct protocol_console_notice n;
	char name[96];
	if (!protocol_console_get_notice(frame->payload, frame->len, &n, err))
		return false;
	switch (n.event) {
	case PROTOCOL_CONSOLE_WRITER_LOST:
		l->writer = false;
		holder_name(&n.holder, name, sizeof(name));
		say(l, "%s has taken the pen: you can only read", name);
		break;
	case PROTOCOL_CONSOLE_WRITER_GAINED:
		l->writer = true;
		say(l, "the pen is yours: you can write");
		break;
	case PROTOCOL_CONSOLE_GAP:
		say(l, "%llu bytes of output are missing here", (unsigned long long)n.bytes);
		break;
	case PROTOCOL_CONSOLE_CLOSING:
		break;
	}
	return true;
}

static bool handle_frames(struct link *l, struct vmd_error *err)
{
	size_t at = 0;
	bool ok = true;
	struct protocol_console_frame frame;
	while (ok) {
		enum protocol_console_next next = protocol_console_next(l->in + at, l->in_len - at, &frame, err);
		if (next == PROTOCOL_CONSOLE_MORE)
			break;
		if (next == PROTOCOL_CONSOLE_BAD) {
			ok = false;
			break;
		}
		if (frame.type == PROTOCOL_CONSOLE_DATA)
			ok = write_all(STDOUT_FILENO, frame.payload, frame.len, err);
		else if (frame.type == PROTOCOL_CONSOLE_WELCOME)
			ok = handle_welcome(l, &frame, err);
		else if (frame.type == PROTOCOL_CONSOLE_NOTICE)
			ok = handle_notice(l, &frame, err);
		at += frame.size;
	}
	memmove(l->in, l->in + at, l->in_len - at);
	l->in_len -= at;
	return ok;
}

/* ---- Setting up ---- */

static int connect_console(const char *path, struct vmd_error *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(addr.sun_path)) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "%s is too long for a socket's path", path);
		return -1;
	}
	strcpy(addr.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		vmd_error_set(err, VMD_ERR_UNREACHABLE, errno, "cannot connect to the console %s", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static bool open_link(struct link *l, struct vmd_error *err)
{
	const struct vmctl_attach *a = l->attach;
	struct proto_console_info info;
	json_t *params = json_pack("{s:s, s:s}", "name", a->machine, "chardev", a->chardev);
	if (!vmctl_call_struct(l->ctx, "machine.console", params, VMCTL_SOON, &proto_type_console_info, &info, err))
		return false;
	l->fd = connect_console(info.path, err);
	proto_console_info_fini(&info);
	if (l->fd < 0)
		return false;
	struct protocol_console_hello hello = { .rw = !a->read_only, .steal = a->steal, .replay = a->replay };
	l->out_len = protocol_console_put_hello(l->out, sizeof(l->out), &hello);
	return l->out_len || vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
}

/* ---- The loop ---- */

static uint64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Bytes from stdin into frames; true when the user wants to leave. */
static bool take_input(struct link *l, const uint8_t *data, size_t len)
{
	uint8_t send[2 * INPUT_PIECE + 2];
	size_t n = 0;
	bool leave = false;
	for (size_t i = 0; i < len && !leave; i++) {
		bool escape = l->tty && l->attach->escape >= 0 && data[i] == l->attach->escape;
		if (l->escaped) {
			l->escaped = false;
			if (escape)
				send[n++] = data[i];
			else
				leave = true;
		} else if (escape) {
			l->escaped = true;
		} else {
			send[n++] = data[i];
		}
	}
	if (n && l->writer)
		put_frame(l, PROTOCOL_CONSOLE_DATA, send, n);
	return leave;
}

static bool send_pending(struct link *l, struct vmd_error *err)
{
	ssize_t n = send(l->fd, l->out, l->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		/* The hub closes when the machine ends; what it sent last can still be read. */
		l->out_len = 0;
		l->stdin_open = false;
		return errno == EPIPE || errno == ECONNRESET ||
		       vmd_error_set(err, VMD_ERR_IO, errno, "cannot send to the console");
	}
	if (n > 0) {
		memmove(l->out, l->out + n, l->out_len - (size_t)n);
		l->out_len -= (size_t)n;
	}
	return true;
}

/* 1: more to come; 0: the console has gone; -1: *err. */
static int read_console(struct link *l, struct vmd_error *err)
{
	ssize_t n = recv(l->fd, l->in + l->in_len, sizeof(l->in) - l->in_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	if (n <= 0)
		return 0;
	l->in_len += (size_t)n;
	return handle_frames(l, err) ? 1 : -1;
}

/* The daemon has sent something: the reply to our wait, or an end. */
static bool read_daemon(struct link *l, struct vmd_error *err)
{
	json_t *message, *result;
	enum proto_client_got got;
	while ((got = proto_client_receive(l->ctx->client, 0, &message, err)) == PROTO_CLIENT_MESSAGE) {
		bool ok = true;
		if (json_integer_value(json_object_get(message, "id")) == l->wait_id) {
			l->waiting = false;
			ok = proto_client_result(message, &result, err) &&
			     proto_machine_status_parse(result, "the daemon's reply", l->status, err);
			l->stopped = ok;
		}
		json_decref(message);
		if (!ok)
			return false;
	}
	/* A daemon that goes away takes no machine along: the console goes on, and the
	 * caller asks the next daemon how the run has ended. */
	if (got == PROTO_CLIENT_FAILED)
		l->waiting = false;
	return true;
}

static void stop_for_a_while(struct link *l)
{
	sigset_t tstp;
	bool raw = l->tty;
	if (raw)
		vmctl_terminal_restore();
	sigemptyset(&tstp);
	sigaddset(&tstp, SIGTSTP);
	signal(SIGTSTP, SIG_DFL);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &tstp, NULL); /* stops here */
	sigprocmask(SIG_BLOCK, &tstp, NULL);
	if (raw)
		vmctl_terminal_raw(STDIN_FILENO);
}

/* True: a signal that ends us. */
static bool read_signal(struct link *l)
{
	struct signalfd_siginfo info;
	if (read(l->signals, &info, sizeof(info)) != sizeof(info))
		return false;
	if (info.ssi_signo != SIGTSTP)
		return true;
	stop_for_a_while(l);
	return false;
}

static enum vmctl_attach_end run_link(struct link *l, struct vmd_error *err)
{
	uint64_t escape_at = 0, drain_at = 0;
	bool console = true;
	l->stdin_open = true;
	for (;;) {
		if (l->stopped && !console)
			return VMCTL_ATTACH_CLOSED;
		if (!console && !l->waiting)
			return VMCTL_ATTACH_CLOSED;
		if (l->stopped && !drain_at)
			drain_at = now_ms() + DRAIN_MS;
		/* Room for a whole piece, each byte its own at worst, or none is read. */
		bool want_input = l->stdin_open && console && l->welcomed && l->out_len + 2 * INPUT_PIECE + 64 < sizeof(l->out) &&
				  (l->writer || l->tty);
		struct pollfd fds[] = {
			{ .fd = want_input ? STDIN_FILENO : -1, .events = POLLIN },
			{ .fd = console ? l->fd : -1, .events = (short)(POLLIN | (l->out_len ? POLLOUT : 0)) },
			{ .fd = proto_client_fd(l->ctx->client), .events = POLLIN },
			{ .fd = l->signals, .events = POLLIN },
		};
		if (!l->waiting)
			fds[2].fd = -1;
		uint64_t now = now_ms();
		int timeout = -1;
		if (l->escaped)
			timeout = escape_at > now ? (int)(escape_at - now) : 0;
		if (drain_at)
			timeout = drain_at > now ? (int)(drain_at - now) : 0;
		int n = poll(fds, 4, timeout);
		if (n < 0 && errno != EINTR) {
			vmd_error_set(err, VMD_ERR_IO, errno, "cannot wait for input");
			return VMCTL_ATTACH_FAILED;
		}
		if (n == 0)
			return l->escaped && !drain_at ? VMCTL_ATTACH_LEFT : VMCTL_ATTACH_CLOSED;
		if (n < 0)
			continue;
		if (fds[3].revents && read_signal(l))
			return VMCTL_ATTACH_SIGNAL;
		if (fds[1].revents & POLLOUT && !send_pending(l, err))
			return VMCTL_ATTACH_FAILED;
		if (fds[1].revents & (POLLIN | POLLHUP | POLLERR)) {
			int more = read_console(l, err);
			if (more < 0)
				return VMCTL_ATTACH_FAILED;
			console = more > 0;
		}
		if (fds[2].revents && !read_daemon(l, err))
			return VMCTL_ATTACH_FAILED;
		if (fds[0].revents) {
			uint8_t piece[INPUT_PIECE];
			ssize_t len = read(STDIN_FILENO, piece, sizeof(piece));
			if (len > 0) {
				bool was = l->escaped;
				if (take_input(l, piece, (size_t)len))
					return VMCTL_ATTACH_LEFT;
				if (l->escaped && !was)
					escape_at = now_ms() + ESCAPE_MS;
			} else if (len == 0 || (errno != EINTR && errno != EAGAIN)) {
				l->stdin_open = false;
				put_frame(l, PROTOCOL_CONSOLE_EOF, NULL, 0);
			}
		}
	}
}

/* What has to happen once the console is ours: the wait, then the processors. In
 * that order: a transient machine that ends at once is gone before it can be
 * waited for. */
static bool begin(struct link *l, struct vmd_error *err)
{
	const struct vmctl_attach *a = l->attach;
	json_t *result;
	if (a->until_stopped) {
		l->waiting = proto_client_send(l->ctx->client, "machine.wait",
					       json_pack("{s:s, s:s}", "name", a->machine, "state", "stopped"), &l->wait_id, err);
		if (!l->waiting)
			return false;
	}
	if (a->resume) {
		if (!proto_client_call(l->ctx->client, "machine.resume", json_pack("{s:s}", "name", a->machine), VMCTL_SOON, &result,
				       err))
			return false;
		json_decref(result);
	}
	/* The wait's reply may have come while the other one was waited for. */
	return !l->waiting || read_daemon(l, err);
}

/* Reads until the hub has welcomed us, so that nothing is lost before begin(). */
static bool wait_welcome(struct link *l, struct vmd_error *err)
{
	uint64_t deadline = now_ms() + (uint64_t)(VMCTL_SOON * 1000);
	while (!l->welcomed) {
		struct pollfd p = { .fd = l->fd, .events = (short)(POLLIN | (l->out_len ? POLLOUT : 0)) };
		uint64_t now = now_ms();
		if (now >= deadline)
			return vmd_error_set(err, VMD_ERR_TIMEOUT, 0, "the console of '%s' does not answer", l->attach->machine);
		if (poll(&p, 1, (int)(deadline - now)) <= 0)
			continue;
		if (p.revents & POLLOUT && !send_pending(l, err))
			return false;
		if (p.revents & (POLLIN | POLLHUP | POLLERR)) {
			int more = read_console(l, err);
			if (more == 0)
				vmd_error_set(err, VMD_ERR_UNREACHABLE, 0, "the console of '%s' has closed", l->attach->machine);
			if (more <= 0)
				return false;
		}
	}
	return true;
}

enum vmctl_attach_end vmctl_attach(struct vmctl *ctx, const struct vmctl_attach *attach,
				   struct proto_machine_status *ret_status, struct vmd_error *err)
{
	enum vmctl_attach_end end = VMCTL_ATTACH_FAILED;
	struct link *l = calloc(1, sizeof(*l));
	if (!l) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		return end;
	}
	*l = (struct link){ .ctx = ctx, .attach = attach, .fd = -1, .signals = -1, .status = ret_status };
	sigset_t set, old;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGTSTP);
	sigprocmask(SIG_BLOCK, &set, &old);
	fflush(stdout);
	/* When nobody reads our output any more, 'run' still has a machine to end. */
	signal(SIGPIPE, SIG_IGN);
	l->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (l->signals < 0) {
		vmd_error_set(err, VMD_ERR_IO, errno, "cannot wait for signals");
	} else if (open_link(l, err) && wait_welcome(l, err)) {
		char name[32];
		if (isatty(STDIN_FILENO) && !attach->read_only) {
			escape_name(attach->escape, name, sizeof(name));
			if (attach->escape >= 0)
				fprintf(stderr, "[attached to %s of %s; %s leaves, twice sends it]\n", attach->chardev, attach->machine,
					name);
			else
				fprintf(stderr, "[attached to %s of %s]\n", attach->chardev, attach->machine);
			l->tty = vmctl_terminal_raw(STDIN_FILENO);
		}
		if (begin(l, err))
			end = run_link(l, err);
	}
	if (l->tty) {
		vmctl_terminal_restore();
		fputc('\n', stderr);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (l->fd >= 0)
		close(l->fd);
	if (l->signals >= 0)
		close(l->signals);
	free(l);
	return end;
}

bool vmctl_take_pen(struct vmctl *ctx, const char *machine, const char *chardev, struct vmd_error *err)
{
	struct vmctl_attach how = { .machine = machine, .chardev = chardev, .steal = true, .escape = -1 };
	struct link *l = calloc(1, sizeof(*l));
	if (!l)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	*l = (struct link){ .ctx = ctx, .attach = &how, .fd = -1 };
	bool ok = open_link(l, err) && wait_welcome(l, err);
	if (l->fd >= 0)
		close(l->fd);
	free(l);
	return ok;
}
