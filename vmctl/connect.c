/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding the daemon, and starting the user's own when there is none.
 *
 * Of daemons started at the same time one gets the lock in the runtime directory
 * and the others end, saying so; then the one that won answers soon.
 */
#include "vmctl/vmctl_priv.h"

#include "protocol/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A daemon that nobody asked for by name does not stay for ever: definitions are
 * on disk, and the next command starts another one. */
#define IDLE_MINUTES "10"

enum {
	ALREADY_RUNS = 3,    /* vmd's exit status when another one has the lock */
	CONNECT_TRIES = 250, /* times 20 ms */
};

static bool is_program(const char *path)
{
	return access(path, X_OK) == 0;
}

/* The vmd that belongs to this vmctl: beside it, where the build or an
 * installation puts it, then in PATH. */
static bool find_daemon(const struct vmctl *ctx, char *path, size_t size, struct vmd_error *err)
{
	static const char *const places[] = { "vmd", "../sbin/vmd", "../vmd/vmd", "../libexec/vmd" };
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = 0;
		const char *dir = dirname(self);
		for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++)
			if ((size_t)snprintf(path, size, "%s/%s", dir, places[i]) < size && is_program(path))
				return true;
	}
	const char *search = getenv("PATH");
	char *copy = NULL, *save = NULL;
	bool found = false;
	if (asprintf(&copy, "%s:/usr/local/sbin:/usr/sbin:/sbin", search ? search : "/usr/bin:/bin") < 0)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	for (const char *dir = strtok_r(copy, ":", &save); dir && !found; dir = strtok_r(NULL, ":", &save))
		found = (size_t)snprintf(path, size, "%s/vmd", dir) < size && is_program(path);
	free(copy);
	if (found)
		return true;
	vmd_error_set(err, VMD_ERR_UNREACHABLE, 0, "no daemon answers, and there is no program 'vmd' to start one");
	return vmd_error_hint(err, "put vmd beside %s or in $PATH, or name a running daemon's socket with --socket", ctx->program);
}

/* Runs `vmd --daemonize`, which comes back when clients are served or it has
 * failed. Returns its exit status, -1 with *err; `said` is what it said. */
static int run_daemon(const char *program, char *said, size_t size, struct vmd_error *err)
{
	int fds[2], status;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		vmd_error_set(err, VMD_ERR_IO, errno, "cannot make a pipe");
		return -1;
	}
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(null, 1);
		dup2(fds[1], 2);
		if (null > 2)
			close(null);
		execl(program, "vmd", "--daemonize", "--idle-exit", IDLE_MINUTES, (char *)NULL);
		dprintf(2, "cannot execute it: %s", strerror(errno));
		_exit(127);
	}
	close(fds[1]);
	if (pid < 0) {
		vmd_error_set(err, VMD_ERR_IO, errno, "cannot start %s", program);
		close(fds[0]);
		return -1;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	/* The daemon may have kept its end: take what is there. */
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	ssize_t n = read(fds[0], said, size - 1);
	said[n > 0 ? n : 0] = 0;
	said[strcspn(said, "\n")] = 0;
	close(fds[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static struct proto_client *start_daemon(const struct vmctl *ctx, const char *socket, struct vmd_error *err)
{
	char program[PATH_MAX], said[300], safe[400];
	if (!find_daemon(ctx, program, sizeof(program), err))
		return NULL;
	int status = run_daemon(program, said, sizeof(said), err);
	if (status < 0)
		return NULL;
	struct proto_client *client = NULL;
	struct vmd_error why;
	if (status == 0 || status == ALREADY_RUNS) {
		/* The one that won the race may not listen yet. */
		for (int tries = CONNECT_TRIES; tries > 0 && !(client = proto_client_new(socket, &why)); tries--)
			nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		if (client)
			return client;
	}
	vmd_error_set(err, VMD_ERR_UNREACHABLE, 0, "no daemon answers on %s, and %s did not start (status %d)%s%s", socket, program,
		      status, *said ? ": " : "", vmctl_safe(said, safe, sizeof(safe)));
	vmd_error_hint(err, "run '%s' in another terminal to see what it says", program);
	return NULL;
}

bool vmctl_connect(struct vmctl *ctx, struct vmd_error *err)
{
	if (ctx->client)
		return true;
	struct vmd_error why = { 0 };
	char *socket = ctx->socket ? strdup(ctx->socket) : proto_socket_path(err);
	if (!socket)
		return false;
	const char *named = getenv("VMD_SOCKET");
	bool chosen = ctx->socket || (named && *named) || getenv("VMD_RUNTIME_DIR");
	ctx->client = proto_client_new(socket, &why);
	/* A daemon of the system's is as good as one of the user's, if we may use it. */
	if (!ctx->client && !chosen && strcmp(socket, PROTO_SYSTEM_SOCKET))
		ctx->client = proto_client_new(PROTO_SYSTEM_SOCKET, &(struct vmd_error){ 0 });
	if (!ctx->client && why.code == VMD_ERR_UNREACHABLE && !ctx->socket && !ctx->no_start) {
		ctx->client = start_daemon(ctx, socket, err);
	} else if (!ctx->client) {
		vmd_error_hint(&why, "start the daemon with 'vmd', or name its socket with --socket or $VMD_SOCKET");
		*err = why;
	}
	free(socket);
	return ctx->client != NULL;
}

bool vmctl_call(struct vmctl *ctx, const char *method, json_t *params_new, double timeout, json_t **ret_result,
		struct vmd_error *err)
{
	if (!vmctl_connect(ctx, err)) {
		json_decref(params_new);
		return false;
	}
	return proto_client_call(ctx->client, method, params_new, timeout, ret_result, err);
}

bool vmctl_call_struct(struct vmctl *ctx, const char *method, json_t *params_new, double timeout,
		       const struct proto_type *type, void *ret, struct vmd_error *err)
{
	json_t *result;
	if (!vmctl_call(ctx, method, params_new, timeout, &result, err))
		return false;
	bool ok = proto_parse(type, result, "the daemon's reply", ret, err);
	json_decref(result);
	return ok;
}
