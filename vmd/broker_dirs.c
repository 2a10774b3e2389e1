/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the broker keeps things, and that it is alone there.
 *
 * The runtime directory (sockets, process records) and the state directory
 * (definitions, logs) are made when missing and must belong to the broker's user.
 * One broker at a time holds an open-file-description lock on `vmd.lock` in the
 * runtime directory; the file names the holder. With the lock held, a daemon
 * socket found there is a dead broker's and is replaced.
 *
 * Thread: before the loop runs.
 */
#include "vmd/broker_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct broker_dirs broker_dirs_none(void)
{
	return (struct broker_dirs){ .runtime_fd = -1, .machines_fd = -1, .state_fd = -1, .log_fd = -1, .lock_fd = -1,
				     .group = (gid_t)-1, .store.dir = -1 };
}

/* Makes a path and what is missing above it. */
static bool make_path(const char *path, mode_t mode, struct vmd_error *err)
{
	char *copy = strdup(path);
	if (!copy)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	bool ok = true;
	for (char *p = copy + 1; ok; p++) {
		char c = *p;
		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			ok = vmd_error_set(err, VMD_ERR_IO, errno, "cannot create the directory %s", copy);
		*p = c;
		if (!c)
			break;
	}
	free(copy);
	return ok;
}

/* Opens (and makes) a directory that nobody else can write to. */
static int open_private(const char *path, struct vmd_error *err)
{
	struct stat st;
	if (!make_path(path, 0700, err))
		return -1;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		vmd_error_set(err, VMD_ERR_IO, errno, "cannot open the directory %s", path);
	} else if (st.st_uid != geteuid() || (st.st_mode & S_IWOTH) || ((st.st_mode & S_IWGRP) && st.st_gid != getegid())) {
		vmd_error_set(err, VMD_ERR_DENIED, 0, "the directory %s is not ours alone (owner %u, mode %03o)", path,
			      (unsigned)st.st_uid, (unsigned)st.st_mode & 0777);
		vmd_error_hint(err, "it must belong to user %u and nobody else may write to it", (unsigned)geteuid());
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* A directory's descriptor and path below another; 0700, or 0750 for the group. */
static int open_below(const struct broker_dirs *dirs, int parent, const char *parent_path, const char *name,
		      bool for_group, char **ret_path, struct vmd_error *err)
{
	char *path;
	if (asprintf(&path, "%s/%s", parent_path, name) < 0) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		return -1;
	}
	int fd = -1;
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		vmd_error_set(err, VMD_ERR_IO, errno, "cannot create the directory %s", path);
	else if ((fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		vmd_error_set(err, VMD_ERR_IO, errno, "cannot open the directory %s", path);
	else if (for_group && !broker_dirs_share(dirs, fd, 0750, err))
		vmd_error_prefix(err, "%s", path);
	else {
		*ret_path = path;
		return fd;
	}
	if (fd >= 0)
		close(fd);
	free(path);
	return -1;
}

bool broker_dirs_share(const struct broker_dirs *dirs, int fd, mode_t mode, struct vmd_error *err)
{
	if (dirs->group == (gid_t)-1)
		return true;
	if (fchown(fd, (uid_t)-1, dirs->group) < 0 || fchmod(fd, mode) < 0)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot give it to group %u", (unsigned)dirs->group);
	return true;
}

static void read_holder(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);
	buf[n > 0 ? n : 0] = '\0';
	buf[strspn(buf, "0123456789")] = '\0';
}

static bool take_lock(struct broker_dirs *dirs, struct vmd_error *err)
{
	char text[32];
	dirs->lock_fd = openat(dirs->runtime_fd, "vmd.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (dirs->lock_fd < 0)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot open %s/vmd.lock", dirs->runtime);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (fcntl(dirs->lock_fd, F_OFD_SETLK, &lock) < 0) {
		int saved = errno;
		if (saved != EAGAIN && saved != EACCES)
			return vmd_error_set(err, VMD_ERR_IO, saved, "cannot lock %s/vmd.lock", dirs->runtime);
		read_holder(dirs->lock_fd, text, sizeof(text));
		vmd_error_set(err, VMD_ERR_BUSY, 0, "another vmd (process %s) runs in %s", text[0] ? text : "unknown",
			      dirs->runtime);
		return vmd_error_hint(err, "talk to it with vmctl, or give this one another --runtime-dir");
	}
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(dirs->lock_fd, 0) < 0 || pwrite(dirs->lock_fd, text, (size_t)n, 0) != n)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot write %s/vmd.lock", dirs->runtime);
	return true;
}

static bool find_group(const struct broker_config *config, struct broker_dirs *dirs, struct vmd_error *err)
{
	dirs->group = (gid_t)-1;
	if (!config->group)
		return true;
	const struct group *gr = getgrnam(config->group);
	if (!gr) {
		vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "there is no group '%s'", config->group);
		return vmd_error_hint(err, "make it with 'groupadd --system %s', or name another with --group",
				      config->group);
	}
	dirs->group = gr->gr_gid;
	return true;
}

bool broker_dirs_init(struct broker_dirs *dirs, const struct broker_config *config, struct vmd_error *err)
{
	char *store_path = NULL;
	*dirs = broker_dirs_none();
	if (!find_group(config, dirs, err))
		return false;
	dirs->runtime = strdup(config->runtime_dir);
	dirs->state = strdup(config->state_dir);
	if (!dirs->runtime || !dirs->state || asprintf(&store_path, "%s/machines", config->state_dir) < 0) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		goto fail;
	}
	if ((dirs->runtime_fd = open_private(dirs->runtime, err)) < 0 ||
	    !broker_dirs_share(dirs, dirs->runtime_fd, 0750, err) || !take_lock(dirs, err) ||
	    (dirs->machines_fd = open_below(dirs, dirs->runtime_fd, dirs->runtime, "machines", true, &dirs->machines,
					    err)) < 0 ||
	    (dirs->state_fd = open_private(dirs->state, err)) < 0 ||
	    (dirs->log_fd = open_below(dirs, dirs->state_fd, dirs->state, "log", false, &dirs->log, err)) < 0 ||
	    !store_init(&dirs->store, store_path, err))
		goto fail;
	free(store_path);
	return true;
fail:
	free(store_path);
	broker_dirs_fini(dirs);
	return false;
}

void broker_dirs_fini(struct broker_dirs *dirs)
{
	const int fds[] = { dirs->runtime_fd, dirs->machines_fd, dirs->state_fd, dirs->log_fd, dirs->lock_fd };
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(dirs->runtime);
	free(dirs->machines);
	free(dirs->state);
	free(dirs->log);
	store_fini(&dirs->store);
	*dirs = broker_dirs_none();
}

int broker_listen(const struct broker_dirs *dirs, const char *path, bool for_group, int backlog, struct vmd_error *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(addr.sun_path)) {
		vmd_error_set(err, VMD_ERR_LIMIT, 0, "the socket's path %s is longer than %zu bytes", path,
			      sizeof(addr.sun_path) - 1);
		vmd_error_hint(err, "use a shorter name, or a shorter --runtime-dir");
		return -1;
	}
	memcpy(addr.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		vmd_error_set(err, VMD_ERR_IO, errno, "cannot make a socket");
		return -1;
	}
	struct stat st;
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path); /* the lock is ours: nobody lives there */
	/* The umask keeps everybody else out until its mode is what it should be. */
	bool shared = for_group && dirs->group != (gid_t)-1;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		vmd_error_set(err, VMD_ERR_IO, errno, "cannot listen on %s", path);
		close(fd);
		return -1;
	}
	if ((shared && chown(path, (uid_t)-1, dirs->group) < 0) || chmod(path, shared ? 0660 : 0600) < 0 ||
	    listen(fd, backlog) < 0) {
		vmd_error_set(err, VMD_ERR_IO, errno, "cannot listen on %s", path);
		unlink(path);
		close(fd);
		return -1;
	}
	return fd;
}
