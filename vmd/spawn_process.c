/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting machine processes, and finding them again.
 *
 * A machine process must outlive the broker, so it gets a session of its own and
 * no parent-death signal. It must inherit nothing by accident: posix_spawn closes
 * every descriptor from 4 up in the child, which also keeps the broker's locks
 * from living on in it. A pid is never trusted alone: it goes with the process's
 * start time, and is used through a pidfd opened before the two are compared.
 *
 * Thread: the broker's loop.
 */
#include "vmd/spawn_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* What systemd says to the broker is not said to its machines. */
static const char *const env_dropped[] = { "NOTIFY_SOCKET=", "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=",
					   "WATCHDOG_PID=", "WATCHDOG_USEC=", NULL };

static char **make_environment(void)
{
	size_t n = 0, kept = 0;
	while (environ && environ[n])
		n++;
	char **env = calloc(n + 1, sizeof(*env));
	if (!env)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		bool drop = false;
		for (const char *const *d = env_dropped; *d; d++)
			drop |= !strncmp(environ[i], *d, strlen(*d));
		if (!drop)
			env[kept++] = environ[i];
	}
	return env;
}

/* Field 22 of /proc/PID/stat. The second field, in parentheses, may hold anything. */
static bool read_start_time(pid_t pid, uint64_t *ret)
{
	char path[64], text[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	const char *p = strrchr(text, ')');
	for (unsigned field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p)
		return false;
	char *end;
	errno = 0;
	unsigned long long value = strtoull(p + 1, &end, 10);
	if (errno || end == p + 1)
		return false;
	*ret = value;
	return true;
}

/* The running kernel's boot, so that a record from before a reboot matches nothing. */
static bool read_boot_id(char *buf, size_t size)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, buf, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return true;
}

static int do_spawn(const char *program, const char *name, int channel, int log, pid_t *ret)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t all, none;
	const char *const argv[] = { "vmd", "--role", "machine", "--name", name, NULL };
	char **env = make_environment();
	if (!env)
		return ENOMEM;
	int rc = posix_spawn_file_actions_init(&fa);
	if (rc)
		goto out_env;
	rc = posix_spawnattr_init(&attr);
	if (rc)
		goto out_actions;
	sigfillset(&all);
	sigemptyset(&none);
	/* The log before the channel: either may be descriptor 3 here. */
	if (!(rc = posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0)) &&
	    !(rc = posix_spawn_file_actions_adddup2(&fa, log, 1)) &&
	    !(rc = posix_spawn_file_actions_adddup2(&fa, log, 2)) &&
	    !(rc = posix_spawn_file_actions_adddup2(&fa, channel, SPAWN_CHANNEL_FD)) &&
	    !(rc = posix_spawn_file_actions_addclosefrom_np(&fa, SPAWN_CHANNEL_FD + 1)) &&
	    !(rc = posix_spawn_file_actions_addchdir_np(&fa, "/")) &&
	    !(rc = posix_spawnattr_setsigdefault(&attr, &all)) && !(rc = posix_spawnattr_setsigmask(&attr, &none)) &&
	    !(rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK)))
		rc = posix_spawn(ret, program, &fa, &attr, (char *const *)argv, env);
	posix_spawnattr_destroy(&attr);
out_actions:
	posix_spawn_file_actions_destroy(&fa);
out_env:
	free(env);
	return rc;
}

bool spawn_process_start(const char *program, const char *name, int channel, int log, struct spawn_process *ret,
			 struct vmd_error *err)
{
	pid_t pid;
	int rc = do_spawn(program, name, channel, log, &pid);
	if (rc)
		return vmd_error_set(err, VMD_ERR_IO, rc, "cannot start the process of machine '%s' (%s)", name, program);
	/* A child of ours keeps its pid until it is waited for: no race here. */
	struct spawn_process process = { .pid = pid, .child = true };
	process.pidfd = pidfd_open(pid, 0);
	int saved = errno;
	if (process.pidfd < 0 || !read_start_time(pid, &process.start)) {
		if (process.pidfd >= 0)
			close(process.pidfd);
		kill(pid, SIGKILL);
		spawn_process_reap(&process);
		return vmd_error_set(err, VMD_ERR_IO, process.pidfd < 0 ? saved : 0,
				     "cannot watch the process of machine '%s'", name);
	}
	*ret = process;
	return true;
}

json_t *spawn_process_identity(const struct spawn_process *process)
{
	char boot[64];
	if (!read_boot_id(boot, sizeof(boot)))
		boot[0] = '\0';
	return json_pack("{s:i, s:I, s:s}", "pid", (int)process->pid, "start", (json_int_t)process->start, "boot", boot);
}

bool spawn_process_find(const json_t *identity, struct spawn_process *ret, struct vmd_error *err)
{
	int pid;
	json_int_t start;
	const char *boot;
	char now[64];
	if (json_unpack((json_t *)identity, "{s:i, s:I, s:s}", "pid", &pid, "start", &start, "boot", &boot) < 0 || pid <= 0)
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "the process record is damaged");
	if (!read_boot_id(now, sizeof(now)))
		now[0] = '\0';
	struct spawn_process process = { .pid = pid, .start = (uint64_t)start };
	process.pidfd = strcmp(boot, now) ? -1 : pidfd_open(pid, 0);
	uint64_t found;
	/* The start time is read with the pidfd in hand; if it is the recorded one,
	 * the pidfd was opened on that process. */
	if (process.pidfd >= 0 && read_start_time(pid, &found) && found == process.start) {
		*ret = process;
		return true;
	}
	if (process.pidfd >= 0)
		close(process.pidfd);
	return vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "process %d has gone", pid);
}

bool spawn_process_kill(const struct spawn_process *process, int signo, struct vmd_error *err)
{
	if (pidfd_send_signal(process->pidfd, signo, NULL, 0) < 0 && errno != ESRCH)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot signal process %d", (int)process->pid);
	return true;
}

void spawn_process_reap(const struct spawn_process *process)
{
	while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void spawn_process_fini(struct spawn_process *process)
{
	if (process->pid > 0 && process->pidfd >= 0)
		close(process->pidfd);
	*process = (struct spawn_process){ .pidfd = -1 };
}
