/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "pipe": a pair of FIFOs, PATH.in for input and PATH.out for output, or PATH
 * for both when there is no such pair. They are opened for reading and writing,
 * so that opening waits for nobody and a reader that goes away is no error.
 */
#include "backends/chardev_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* -1: errno says why. */
static int open_fifo(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0 && (fstat(fd, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))) {
		close(fd);
		errno = ESPIPE;
		return -1;
	}
	return fd;
}

static bool cannot_open(const char *path, int os_errno, struct vmd_error *err)
{
	if (os_errno == ESPIPE) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s' is neither a FIFO nor a character device", path);
		return vmd_error_hint(err, "make it with mkfifo, or use the kind 'file'");
	}
	vmd_error_set(err, os_errno == ENOENT ? VMD_ERR_NOT_FOUND : os_errno == EACCES ? VMD_ERR_DENIED : VMD_ERR_IO,
		      os_errno, "cannot open '%s'", path);
	return vmd_error_hint(err, "kind 'pipe' wants the FIFOs PATH.in and PATH.out, or one FIFO PATH");
}

static bool pipe_open(const struct backends_chardev_config *config, int ret_fds[2], struct vmd_error *err)
{
	char *in_path = NULL, *out_path = NULL;
	int in = -1, out = -1;
	bool ok = false;

	if (asprintf(&in_path, "%s.in", config->path) < 0 || asprintf(&out_path, "%s.out", config->path) < 0) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "no memory to open '%s'", config->path);
		goto out;
	}
	in = open_fifo(in_path);
	if (in < 0 && errno != ENOENT) {
		cannot_open(in_path, errno, err);
		goto out;
	}
	out = open_fifo(in < 0 ? config->path : out_path);
	if (out < 0) {
		cannot_open(in < 0 ? config->path : out_path, errno, err);
		goto out;
	}
	ret_fds[0] = out;
	ret_fds[1] = in; /* -1: the same */
	in = out = -1;
	ok = true;
out:
	if (in >= 0)
		close(in);
	free(in_path);
	free(out_path);
	return ok;
}

static void pipe_end(struct backends_chardev *chr)
{
	/* Neither end of the host's can go while both are open here: an error. */
	struct vmd_error why;

	vmd_error_set(&why, VMD_ERR_IO, errno, "chardev '%s': the pipe has failed", chr->id);
	chardev_trouble(chr, &why);
	chardev_stream_close(chr->state);
	chardev_set_backend_open(chr, false);
}

static bool pipe_init(struct backends_chardev *chr, const struct backends_chardev_config *config, const int fds[2],
		      struct vmd_error *err)
{
	return chardev_stream_init(chr->state, chr, fds[1] >= 0 ? fds[1] : fds[0], fds[0], pipe_end, err);
}

static size_t pipe_output(struct backends_chardev *chr, const uint8_t *buf, size_t len)
{
	return chardev_stream_output(chr->state, buf, len);
}

static void pipe_input(struct backends_chardev *chr, bool wanted)
{
	chardev_stream_input(chr->state, wanted);
}

static void pipe_close(struct backends_chardev *chr)
{
	chardev_stream_close(chr->state);
}

static const struct backends_chardev_option pipe_options[] = {
	{"path", BACKENDS_CHARDEV_STRING, offsetof(struct backends_chardev_config, path), .required = true,
	 .help = "FIFOs PATH.in and PATH.out, or one FIFO PATH"},
	{ 0 },
};

static const struct chardev_ops pipe_ops = {
	.size = sizeof(struct chardev_stream),
	.starts_open = true,
	.init = pipe_init,
	.output = pipe_output,
	.input = pipe_input,
	.close = pipe_close,
};

const struct backends_chardev_class chardev_pipe_class = {
	.name = "pipe",
	.summary = "a pair of FIFOs",
	.options = pipe_options,
	.open = pipe_open,
	.ops = &pipe_ops,
};
