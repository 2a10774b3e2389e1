/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmd: one program, two roles. Started by people, systemd or vmctl it is the
 * broker; the broker starts it as `vmd --role machine`, one for each machine.
 *
 * Here are the command line, becoming a daemon, the signals, and what systemd is
 * told. With --daemonize the parent waits until clients are served, so that who
 * starts it needs nothing but its exit status.
 */
#include "config.h"

#include "protocol/paths.h"
#include "vmd/broker.h"
#include "vmd/machine_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

enum { ROLES_MAX = 32, EXIT_USAGE = 2, EXIT_ALREADY_RUNS = 3 };

struct options {
	struct broker_config config;
	struct broker_role roles[ROLES_MAX + 1];
	bool daemonize;
};

struct vmd {
	struct broker *broker;
	uv_signal_t signals[3];
	int ready_fd; /* to the waiting parent; -1: none */
};

/* ---- The command line ---- */

static const char usage[] =
	"Usage: vmd [OPTION]...\n"
	"Keeps and runs virtual machines; vmctl talks to it.\n"
	"\n"
	"  -d, --daemonize          go to the background; returns when clients are served\n"
	"  -f, --foreground         stay in the foreground (the default)\n"
	"      --runtime-dir DIR    where sockets are [%s]\n"
	"      --state-dir DIR      where definitions and logs are [%s]\n"
	"      --socket PATH        the daemon's socket [vmd.sock in the runtime directory]\n"
	"      --group GROUP        whose members may connect, too [vmd, for root, if there is one]\n"
	"      --grant GROUP=ROLE   what members of a group may do: viewer, operator or admin;\n"
	"                           may be repeated [--group's members are operators]\n"
	"      --log FILE           log there [standard error; with -d, vmd.log in the state directory]\n"
	"      --idle-exit MINUTES  end when there was no machine running and no client for so long\n"
	"  -h, --help               show this help\n"
	"  -V, --version            show the version\n"
	"\n"
	"SIGTERM ends vmd; machines go on, and the next vmd finds them again. SIGHUP opens\n"
	"the log anew. Exit status: 0, 1 on failure, 2 for a wrong command line, 3 when a vmd\n"
	"runs in the runtime directory already.\n";

static void fail_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static void fail_usage(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("vmd: ", stderr);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("\nTry 'vmd --help'.\n", stderr);
	exit(EXIT_USAGE);
}

/* Says why; returns the exit status. */
static int report(int fd, const struct vmd_error *err)
{
	dprintf(fd, "vmd: %s%s%s\n", err->message, err->hint[0] ? "\n" : "", err->hint);
	return err->code == VMD_ERR_BUSY ? EXIT_ALREADY_RUNS : EXIT_FAILURE;
}

static void show_help(void)
{
	struct vmd_error err;
	char *runtime = proto_runtime_dir(&err), *state = proto_state_dir(&err);
	printf(usage, runtime ? runtime : "none", state ? state : "none");
	free(runtime);
	free(state);
	exit(EXIT_SUCCESS);
}

static void add_grant(struct options *o, const char *text)
{
	char group[64];
	const char *eq = strchr(text, '=');
	enum proto_privilege privilege;
	if (!eq || (size_t)(eq - text) >= sizeof(group) || !proto_privilege_parse(eq + 1, &privilege))
		fail_usage("--grant takes GROUP=viewer, GROUP=operator or GROUP=admin, not '%s'", text);
	snprintf(group, sizeof(group), "%.*s", (int)(eq - text), text);
	const struct group *gr = getgrnam(group);
	if (!gr)
		fail_usage("--grant: there is no group '%s'", group);
	if (o->config.n_roles == ROLES_MAX)
		fail_usage("more than %d --grant", ROLES_MAX);
	o->roles[o->config.n_roles++] = (struct broker_role){ .group = gr->gr_gid, .privilege = privilege };
}

static unsigned parse_minutes(const char *text)
{
	char *end;
	double minutes = strtod(text, &end);
	if (end == text || *end || !(minutes > 0) || minutes > 1e6)
		fail_usage("--idle-exit takes a number of minutes, not '%s'", text);
	double seconds = minutes * 60;
	return seconds < 1 ? 1 : (unsigned)seconds;
}

/* The broker changes no directory but its file names must not depend on one. */
static const char *absolute(const char *option, const char *path)
{
	if (path[0] != '/')
		fail_usage("%s takes an absolute path, not '%s'", option, path);
	return path;
}

static void parse_options(int argc, char **argv, struct options *o)
{
	enum { RUNTIME_DIR = 256, STATE_DIR, SOCKET, GROUP, GRANT, LOG, IDLE_EXIT };
	static const struct option longs[] = {
		{ "daemonize", no_argument, NULL, 'd' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "runtime-dir", required_argument, NULL, RUNTIME_DIR },
		{ "state-dir", required_argument, NULL, STATE_DIR },
		{ "socket", required_argument, NULL, SOCKET },
		{ "group", required_argument, NULL, GROUP },
		{ "grant", required_argument, NULL, GRANT },
		{ "log", required_argument, NULL, LOG },
		{ "idle-exit", required_argument, NULL, IDLE_EXIT },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;
	while ((c = getopt_long(argc, argv, "dfhV", longs, NULL)) != -1) {
		switch (c) {
		case 'd':
			o->daemonize = true;
			break;
		case 'f':
			o->daemonize = false;
			break;
		case RUNTIME_DIR:
			o->config.runtime_dir = absolute("--runtime-dir", optarg);
			break;
		case STATE_DIR:
			o->config.state_dir = absolute("--state-dir", optarg);
			break;
		case SOCKET:
			o->config.socket = absolute("--socket", optarg);
			break;
		case GROUP:
			o->config.group = optarg;
			break;
		case GRANT:
			add_grant(o, optarg);
			break;
		case LOG:
			o->config.log = absolute("--log", optarg);
			break;
		case IDLE_EXIT:
			o->config.idle_exit = parse_minutes(optarg);
			break;
		case 'h':
			show_help();
			break;
		case 'V':
			printf("vmd %s\n", PACKAGE_VERSION);
			exit(EXIT_SUCCESS);
		default:
			fputs("Try 'vmd --help'.\n", stderr);
			exit(EXIT_USAGE);
		}
	}
	if (optind < argc)
		fail_usage("there is nothing to do with '%s'", argv[optind]);
}

/* What follows from what was not said. */
static void fill_defaults(struct options *o)
{
	struct vmd_error err;
	struct broker_config *c = &o->config;
	static const char system_group[] = "vmd";
	const char *socket = getenv("VMD_SOCKET");
	char *log;
	if ((!c->runtime_dir && !(c->runtime_dir = proto_runtime_dir(&err))) ||
	    (!c->state_dir && !(c->state_dir = proto_state_dir(&err))))
		exit(report(STDERR_FILENO, &err));
	if (!c->socket && socket && *socket)
		c->socket = absolute("$VMD_SOCKET", socket);
	if (!c->group && geteuid() == 0 && getgrnam(system_group))
		c->group = system_group;
	const struct group *gr = c->group ? getgrnam(c->group) : NULL;
	bool granted = !gr;
	for (size_t i = 0; gr && i < c->n_roles; i++)
		granted |= o->roles[i].group == gr->gr_gid;
	if (!granted)
		o->roles[c->n_roles++] = (struct broker_role){ .group = gr->gr_gid, .privilege = PROTO_PRIVILEGE_OPERATOR };
	if (o->daemonize && !c->log && asprintf(&log, "%s/vmd.log", c->state_dir) >= 0)
		c->log = log;
	c->roles = o->roles;
	c->program = "/proc/self/exe";
}

/* ---- The process ---- */

/* Descriptors 0 to 2 are there, so that none of ours becomes one of them. */
static void fill_standard_fds(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static void raise_limits(void)
{
	struct rlimit lim;
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
		lim.rlim_cur = lim.rlim_max;
		setrlimit(RLIMIT_NOFILE, &lim);
	}
}

/* Forks; the parent waits for a byte from the child, or its end, and exits. Returns the child's end of the pipe. */
static int go_to_background(void)
{
	int pipe_fds[2];
	char byte;
	ssize_t n;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		perror("vmd: pipe");
		exit(EXIT_FAILURE);
	}
	pid_t pid = fork();
	if (pid < 0) {
		perror("vmd: fork");
		exit(EXIT_FAILURE);
	}
	if (pid == 0) {
		close(pipe_fds[0]);
		setsid();
		return pipe_fds[1];
	}
	close(pipe_fds[1]);
	do
		n = read(pipe_fds[0], &byte, 1);
	while (n < 0 && errno == EINTR);
	/* No byte: it has failed, said why on standard error, and its status is in this one. */
	_exit(n == 1 ? byte : EXIT_FAILURE);
}

static void tell_parent(struct vmd *v, char status)
{
	if (v->ready_fd < 0)
		return;
	ssize_t n = write(v->ready_fd, &status, 1);
	(void)n; /* a parent that has gone does not care */
	close(v->ready_fd);
	v->ready_fd = -1;
}

static void on_ready(void *opaque)
{
	struct vmd *v = opaque;
	if (v->ready_fd >= 0) {
		/* Standard error is the log by now; nothing else of the caller's is kept. */
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null >= 0) {
			dup2(null, STDIN_FILENO);
			dup2(null, STDOUT_FILENO);
			close(null);
		}
		tell_parent(v, 0);
	}
#ifdef HAVE_SYSTEMD
	sd_notify(0, "READY=1\nSTATUS=Serving clients");
#endif
}

static void on_signal(uv_signal_t *handle, int signo)
{
	struct vmd *v = handle->data;
	if (signo == SIGHUP) {
		broker_reopen_logs(v->broker);
		return;
	}
#ifdef HAVE_SYSTEMD
	sd_notify(0, "STOPPING=1");
#endif
	broker_stop(v->broker);
}

/* The socket that systemd has made, -1 for none. */
static int take_listening_socket(struct vmd_error *err)
{
#ifdef HAVE_SYSTEMD
	int n = sd_listen_fds(1);
	if (n == 1 && sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, NULL, 0) > 0)
		return SD_LISTEN_FDS_START;
	if (n != 0) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "systemd passed %d descriptors, and not one listening Unix socket", n);
		return -2;
	}
#endif
	return -1;
}

static void on_signal_closed(uv_handle_t *handle)
{
}

static int run_broker(struct options *o, int ready_fd)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	struct vmd v = { .ready_fd = ready_fd };
	struct vmd_error err;
	uv_loop_t loop;
	/* Failing to start is told to the caller, wherever the log goes. */
	int terminal = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (uv_loop_init(&loop)) {
		fputs("vmd: out of memory\n", stderr);
		return EXIT_FAILURE;
	}
	o->config.ready = on_ready;
	o->config.opaque = &v;
	o->config.listen_fd = take_listening_socket(&err);
	v.broker = o->config.listen_fd == -2 ? NULL : broker_new(&loop, &o->config, &err);
	if (!v.broker) {
		int status = report(terminal, &err);
		tell_parent(&v, (char)status);
		return status;
	}
	close(terminal);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		uv_signal_init(&loop, &v.signals[i]);
		v.signals[i].data = &v;
		uv_signal_start(&v.signals[i], on_signal, signals[i]);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	broker_free(v.broker);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		uv_close((uv_handle_t *)&v.signals[i], on_signal_closed);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options o = { .config = { .listen_fd = -1 } };
	if (argc >= 3 && !strcmp(argv[1], "--role")) {
		if (!strcmp(argv[2], "machine"))
			return vmd_machine_main(argc, argv);
		fail_usage("there is no role '%s'", argv[2]);
	}
	fill_standard_fds();
	signal(SIGPIPE, SIG_IGN);
	parse_options(argc, argv, &o);
	fill_defaults(&o);
	raise_limits();
	return run_broker(&o, o.daemonize ? go_to_background() : -1);
}
