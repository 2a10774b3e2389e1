/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "socket": a stream socket, unix or TCP, that listens (server=on) or connects.
 *
 * A server has one client at a time; others wait in the backlog until it has
 * gone. A client with `reconnect` tries again that many seconds after each
 * failure or loss; TCP names are resolved on a worker thread and all their
 * addresses tried in order. Without a connection output is dropped.
 */
#include "backends/chardev_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_HOST "127.0.0.1"
/* After accept() failed for want of a resource. */
#define ACCEPT_RETRY_MS 1000

struct sock {
	char *path, *host, *port; /* path, or the other two */
	bool abstract, server, waiting, nodelay;
	uint64_t reconnect;       /* seconds */

	struct chardev_stream stream;
	struct chardev_fd *listener;
	struct chardev_fd *connecting;
	uv_timer_t retry;
	uv_getaddrinfo_t lookup;
	struct addrinfo *addrs, *addr; /* of the attempt under way: all, and the next one */
	bool looking_up;
	bool closed;
	char peer[128];           /* of a TCP connection: " <-> HOST:PORT" */
};

/* ---- Addresses ---- */

/* An address that the socket can be called by in a message. */
static void describe(const struct backends_chardev_config *config, char *ret_text, size_t size)
{
	if (config->path)
		snprintf(ret_text, size, "%s%s", config->abstract ? "@" : "", config->path);
	else
		snprintf(ret_text, size, "%s:%s", config->host ? config->host : DEFAULT_HOST, config->port);
}

static bool unix_address(const char *path, bool abstract, struct sockaddr_un *ret_addr, socklen_t *ret_len,
			 struct vmd_error *err)
{
	size_t len = strlen(path), max = sizeof(ret_addr->sun_path) - 1;

	if (len == 0 || len > max) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "'%.120s' cannot be the path of a unix socket", path);
		return vmd_error_hint(err, "it must have 1 to %zu bytes", max);
	}
	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->sun_family = AF_UNIX;
	memcpy(ret_addr->sun_path + (abstract ? 1 : 0), path, len);
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	return true;
}

static int new_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static enum vmd_error_code class_of(int os_errno)
{
	switch (os_errno) {
	case EACCES:
	case EPERM:
		return VMD_ERR_DENIED;
	case ENOENT:
		return VMD_ERR_NOT_FOUND;
	case EADDRINUSE:
		return VMD_ERR_BUSY;
	case ECONNREFUSED:
		return VMD_ERR_UNREACHABLE;
	case ETIMEDOUT:
		return VMD_ERR_TIMEOUT;
	default:
		return VMD_ERR_IO;
	}
}

/* ---- Opening, in the broker ---- */

static bool socket_check(const struct backends_chardev_config *config, struct vmd_error *err)
{
	const char *wrong = NULL, *hint = NULL;

	if (config->path && (config->host || config->port)) {
		wrong = "has both a path and a host or port";
		hint = "give path=PATH for a unix socket, or host=HOST,port=PORT for TCP";
	} else if (!config->path && !config->port) {
		wrong = "has no address";
		hint = "give path=PATH for a unix socket, or host=HOST,port=PORT for TCP";
	} else if (config->server && config->reconnect) {
		wrong = "has both server=on and reconnect";
		hint = "reconnect is for sockets that connect";
	} else if (!config->server && config->wait) {
		wrong = "has wait=on without server=on";
		hint = "wait is for sockets that listen";
	} else if (config->abstract && !config->path) {
		wrong = "has abstract=on without a path";
		hint = "abstract is for unix sockets";
	}
	if (!wrong)
		return true;
	vmd_error_set(err, VMD_ERR_INVALID, 0, "chardev '%s' (socket) %s", config->id, wrong);
	return vmd_error_hint(err, "%s", hint);
}

static bool cannot(const char *what, const char *where, int os_errno, struct vmd_error *err)
{
	vmd_error_set(err, class_of(os_errno), os_errno, "cannot %s '%s'", what, where);
	if (os_errno == EADDRINUSE)
		vmd_error_hint(err, "another program listens there, or a file of that name is in the way");
	else if (os_errno == ECONNREFUSED || os_errno == ENOENT)
		vmd_error_hint(err, "start the other side first, or give reconnect=SECONDS");
	return false;
}

/* True if a socket lies at the path that nobody listens on any more, and it has
 * been removed. Looks twice, so that what is removed is what was tried. */
static bool remove_stale(const struct sockaddr_un *addr, socklen_t len)
{
	struct stat before, after;
	int fd, res;

	if (lstat(addr->sun_path, &before) < 0 || !S_ISSOCK(before.st_mode) || (fd = new_socket(AF_UNIX)) < 0)
		return false;
	res = connect(fd, (const struct sockaddr *)addr, len) < 0 ? errno : 0;
	close(fd);
	return res == ECONNREFUSED && lstat(addr->sun_path, &after) == 0 && before.st_dev == after.st_dev &&
	       before.st_ino == after.st_ino && unlink(addr->sun_path) == 0;
}

static int listen_unix(const struct backends_chardev_config *config, struct vmd_error *err)
{
	struct sockaddr_un addr;
	socklen_t len;
	int fd, res;

	if (!unix_address(config->path, config->abstract, &addr, &len, err))
		return -1;
	fd = new_socket(AF_UNIX);
	if (fd < 0) {
		cannot("make a socket for", config->path, errno, err);
		return -1;
	}
	res = bind(fd, (struct sockaddr *)&addr, len) < 0 ? errno : 0;
	if (res == EADDRINUSE && !config->abstract && remove_stale(&addr, len))
		res = bind(fd, (struct sockaddr *)&addr, len) < 0 ? errno : 0;
	if (res == 0 && listen(fd, 1) < 0)
		res = errno;
	if (res == 0)
		return fd;
	close(fd);
	cannot("listen on", config->path, res, err);
	return -1;
}

static struct addrinfo *resolve(const char *host, const char *port, bool passive, struct vmd_error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = passive ? AI_PASSIVE : AI_ADDRCONFIG}, *list;
	int res = getaddrinfo(host, port, &hints, &list);

	if (res == 0)
		return list;
	vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "cannot resolve '%s', port '%s': %s", host, port, gai_strerror(res));
	return NULL;
}

/* 0 or an errno. */
static int finish_connect(int fd, const struct timespec *deadline)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};
	struct timespec now;
	int left, res = 0;
	socklen_t len = sizeof(res);

	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = (int)((deadline->tv_sec - now.tv_sec) * 1000 + (deadline->tv_nsec - now.tv_nsec) / 1000000);
	} while (left > 0 && (res = poll(&pfd, 1, left)) < 0 && errno == EINTR);
	if (left <= 0 || res == 0)
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &res, &len) < 0 ? errno : res;
}

static int connect_to(const struct sockaddr *addr, socklen_t len, const struct timespec *deadline)
{
	int fd = new_socket(addr->sa_family), res;

	if (fd < 0)
		return -errno;
	res = connect(fd, addr, len) < 0 ? errno : 0;
	if (res == EINPROGRESS)
		res = finish_connect(fd, deadline);
	if (res == 0)
		return fd;
	close(fd);
	return -res;
}

static int listen_to(const struct addrinfo *ai)
{
	int one = 1, fd = new_socket(ai->ai_family), res;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, 1) == 0)
		return fd;
	res = -errno;
	close(fd);
	return res;
}

static int open_tcp(const struct backends_chardev_config *config, const struct timespec *deadline,
		    struct vmd_error *err)
{
	const char *host = config->host ? config->host : DEFAULT_HOST;
	struct addrinfo *list = resolve(host, config->port, config->server, err);
	char where[300];
	int fd = -EADDRNOTAVAIL;

	if (!list)
		return -1;
	for (const struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next)
		fd = config->server ? listen_to(ai) : connect_to(ai->ai_addr, ai->ai_addrlen, deadline);
	freeaddrinfo(list);
	if (fd >= 0)
		return fd;
	describe(config, where, sizeof(where));
	cannot(config->server ? "listen on" : "connect to", where, -fd, err);
	return -1;
}

static int connect_unix(const struct backends_chardev_config *config, const struct timespec *deadline,
			struct vmd_error *err)
{
	struct sockaddr_un addr;
	socklen_t len;
	int fd;

	if (!unix_address(config->path, config->abstract, &addr, &len, err))
		return -1;
	fd = connect_to((struct sockaddr *)&addr, len, deadline);
	if (fd >= 0)
		return fd;
	cannot("connect to", config->path, -fd, err);
	return -1;
}

static bool socket_open(const struct backends_chardev_config *config, int ret_fds[2], struct vmd_error *err)
{
	struct timespec deadline;
	int fd;

	if (config->reconnect)
		return true; /* the machine process connects */
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += BACKENDS_CHARDEV_CONNECT_MS / 1000;
	if (!config->path)
		fd = open_tcp(config, &deadline, err);
	else
		fd = config->server ? listen_unix(config, err) : connect_unix(config, &deadline, err);
	if (fd < 0)
		return false;
	ret_fds[0] = fd;
	return true;
}

/* ---- Connections, in the machine process ---- */

static void disconnected(struct backends_chardev *chr);
static void start_connecting(struct backends_chardev *chr);

static void connected(struct backends_chardev *chr, int fd)
{
	struct sock *sock = chr->state;
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	char host[64], port[16];
	int one = 1;

	sock->peer[0] = '\0';
	if (!sock->path && getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
	    getnameinfo((struct sockaddr *)&peer, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
		bool v6 = strchr(host, ':');

		snprintf(sock->peer, sizeof(sock->peer), " <-> %s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
		if (sock->nodelay)
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	if (!chardev_stream_init(&sock->stream, chr, fd, fd, disconnected, NULL)) {
		disconnected(chr);
		return;
	}
	if (sock->listener)
		chardev_fd_watch(sock->listener, 0);
	chardev_set_backend_open(chr, true);
	if (sock->waiting) {
		sock->waiting = false;
		if (chr->host.connected)
			chr->host.connected(chr->host.opaque, chr);
	}
}

static void on_retry(uv_timer_t *timer)
{
	struct backends_chardev *chr = timer->data;
	struct sock *sock = chr->state;

	if (sock->listener)
		chardev_fd_watch(sock->listener, UV_READABLE);
	else
		start_connecting(chr);
}

/* The connection is lost, or none came about. */
static void disconnected(struct backends_chardev *chr)
{
	struct sock *sock = chr->state;

	chardev_stream_close(&sock->stream);
	chardev_set_backend_open(chr, false);
	if (sock->listener)
		chardev_fd_watch(sock->listener, UV_READABLE);
	else if (sock->reconnect)
		uv_timer_start(&sock->retry, on_retry, sock->reconnect * 1000, 0);
}

static void listener_ready(struct chardev_fd *io, int events)
{
	struct backends_chardev *chr = io->chr;
	struct sock *sock = chr->state;
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		connected(chr, fd);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		chardev_fd_watch(io, 0);
		uv_timer_start(&sock->retry, on_retry, ACCEPT_RETRY_MS, 0);
	}
}

static void try_next(struct backends_chardev *chr);

static void connecting_ready(struct chardev_fd *io, int events)
{
	struct backends_chardev *chr = io->chr;
	struct sock *sock = chr->state;
	int res = 0, fd;
	socklen_t len = sizeof(res);

	if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &res, &len) < 0)
		res = errno;
	fd = res == 0 ? fcntl(io->fd, F_DUPFD_CLOEXEC, 3) : -1;
	chardev_fd_close(io);
	sock->connecting = NULL;
	if (fd >= 0)
		connected(chr, fd);
	else
		try_next(chr);
}

/* True: connected, or on the way. */
static bool try_address(struct backends_chardev *chr, const struct sockaddr *addr, socklen_t len)
{
	struct sock *sock = chr->state;
	int fd = new_socket(addr->sa_family);

	if (fd < 0)
		return false;
	if (connect(fd, addr, len) == 0) {
		connected(chr, fd);
		return true;
	}
	if (errno != EINPROGRESS) {
		close(fd);
		return false;
	}
	sock->connecting = chardev_fd_new(chr, fd, connecting_ready, sock, NULL);
	if (!sock->connecting)
		return false;
	chardev_fd_watch(sock->connecting, UV_WRITABLE);
	return true;
}

static void try_next(struct backends_chardev *chr)
{
	struct sock *sock = chr->state;

	while (sock->addr) {
		const struct addrinfo *ai = sock->addr;

		sock->addr = ai->ai_next;
		if (try_address(chr, ai->ai_addr, ai->ai_addrlen))
			return;
	}
	disconnected(chr);
}

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
	struct backends_chardev *chr = req->data;
	struct sock *sock = chr->state;

	sock->looking_up = false;
	if (sock->closed) {
		uv_freeaddrinfo(res);
	} else {
		sock->addrs = sock->addr = status == 0 ? res : NULL;
		try_next(chr);
	}
	chardev_release(chr);
}

static void start_connecting(struct backends_chardev *chr)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct sock *sock = chr->state;
	struct sockaddr_un addr;
	socklen_t len;

	if (sock->path) {
		if (!unix_address(sock->path, sock->abstract, &addr, &len, NULL) ||
		    !try_address(chr, (struct sockaddr *)&addr, len))
			disconnected(chr);
		return;
	}
	uv_freeaddrinfo(sock->addrs);
	sock->addrs = sock->addr = NULL;
	sock->lookup.data = chr;
	if (uv_getaddrinfo(chr->loop, &sock->lookup, on_lookup, sock->host, sock->port, &hints) < 0) {
		disconnected(chr);
		return;
	}
	sock->looking_up = true;
	chardev_hold(chr);
}

/* ---- The hub's calls ---- */

static char *copy(const char *text, bool *ok)
{
	char *dup = text ? strdup(text) : NULL;

	if (text && !dup)
		*ok = false;
	return dup;
}

static bool socket_init(struct backends_chardev *chr, const struct backends_chardev_config *config, const int fds[2],
			struct vmd_error *err)
{
	struct sock *sock = chr->state;
	bool ok = true;

	uv_timer_init(chr->loop, &sock->retry);
	sock->retry.data = chr;
	chardev_hold(chr);
	sock->path = copy(config->path, &ok);
	sock->host = copy(config->path ? NULL : config->host ? config->host : DEFAULT_HOST, &ok);
	sock->port = copy(config->port, &ok);
	sock->abstract = config->abstract;
	sock->server = config->server;
	sock->waiting = config->server && config->wait;
	sock->nodelay = config->nodelay;
	sock->reconnect = config->reconnect;
	if (!ok) {
		if (fds[0] >= 0)
			close(fds[0]);
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "no memory for the socket");
	}
	if (sock->server) {
		sock->listener = chardev_fd_new(chr, fds[0], listener_ready, sock, err);
		if (!sock->listener)
			return false;
		chardev_fd_watch(sock->listener, UV_READABLE);
	} else if (fds[0] >= 0) {
		connected(chr, fds[0]);
	} else {
		start_connecting(chr);
	}
	return true;
}

static size_t socket_output(struct backends_chardev *chr, const uint8_t *buf, size_t len)
{
	struct sock *sock = chr->state;

	return chardev_stream_output(&sock->stream, buf, len);
}

static void socket_input(struct backends_chardev *chr, bool wanted)
{
	struct sock *sock = chr->state;

	chardev_stream_input(&sock->stream, wanted);
}

static void socket_close(struct backends_chardev *chr)
{
	struct sock *sock = chr->state;

	sock->closed = true;
	chardev_stream_close(&sock->stream);
	chardev_fd_close(sock->connecting);
	/* While we still listen the name cannot have become another's. */
	if (sock->listener && sock->path && !sock->abstract)
		unlink(sock->path);
	chardev_fd_close(sock->listener);
	sock->connecting = sock->listener = NULL;
	uv_freeaddrinfo(sock->addrs);
	sock->addrs = sock->addr = NULL;
	if (sock->looking_up)
		uv_cancel((uv_req_t *)&sock->lookup);
	chardev_close_handle(chr, (uv_handle_t *)&sock->retry);
	free(sock->path);
	free(sock->host);
	free(sock->port);
	sock->path = sock->host = sock->port = NULL;
}

static void socket_filename(struct backends_chardev *chr, char *ret_name, size_t size)
{
	const struct sock *sock = chr->state;
	bool open = chardev_stream_is_open(&sock->stream);
	const char *prefix = open ? "" : "disconnected:", *role = sock->server ? ",server=on" : "";

	if (sock->path)
		snprintf(ret_name, size, "%sunix:%s%s%s", prefix, sock->abstract ? "@" : "", sock->path, role);
	else
		snprintf(ret_name, size, "%stcp:%s:%s%s%s", prefix, sock->host, sock->port, role,
			 open ? sock->peer : "");
}

bool backends_chardev_waiting(const struct backends_chardev *chr)
{
	const struct sock *sock = chr->state;

	return chr->cls == &chardev_socket_class && sock->waiting;
}

static const struct backends_chardev_option socket_options[] = {
	{"path", BACKENDS_CHARDEV_STRING, offsetof(struct backends_chardev_config, path),
	 .help = "a unix socket"},
	{"abstract", BACKENDS_CHARDEV_BOOL, offsetof(struct backends_chardev_config, abstract), .def = "off",
	 .help = "on: the path is a name in the abstract name space"},
	{"host", BACKENDS_CHARDEV_STRING, offsetof(struct backends_chardev_config, host),
	 .help = "TCP: a name or an address (default: " DEFAULT_HOST ")"},
	{"port", BACKENDS_CHARDEV_STRING, offsetof(struct backends_chardev_config, port),
	 .help = "TCP: a number or the name of a service"},
	{"server", BACKENDS_CHARDEV_BOOL, offsetof(struct backends_chardev_config, server), .def = "off",
	 .help = "on: listen; off: connect"},
	{"wait", BACKENDS_CHARDEV_BOOL, offsetof(struct backends_chardev_config, wait), .def = "off",
	 .help = "on: the machine starts when the first client has connected"},
	{"reconnect", BACKENDS_CHARDEV_UINT, offsetof(struct backends_chardev_config, reconnect), .max = 86400,
	 .help = "connect again so many seconds after a loss (0: never)"},
	{"nodelay", BACKENDS_CHARDEV_BOOL, offsetof(struct backends_chardev_config, nodelay), .def = "off",
	 .help = "on: TCP sends small packets at once"},
	{ 0 },
};

static const struct chardev_ops socket_ops = {
	.size = sizeof(struct sock),
	.init = socket_init,
	.output = socket_output,
	.input = socket_input,
	.close = socket_close,
	.filename = socket_filename,
};

const struct backends_chardev_class chardev_socket_class = {
	.name = "socket",
	.summary = "a unix or TCP socket, listening or connecting",
	.options = socket_options,
	.check = socket_check,
	.open = socket_open,
	.ops = &socket_ops,
};
