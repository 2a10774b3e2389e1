/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "file": output goes to a file, input comes from another one (input-path).
 *
 * Regular files are never "not ready", so they are read and written by the
 * loop's worker threads, one request at a time in each direction; anything else
 * (a terminal, a FIFO) is a byte stream like any other. When writing fails the
 * user is told, once, and output is dropped until writing works again.
 */
#include "backends/chardev_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 16384
#define NO_OFFSET (-1) /* at the file's own position: O_APPEND and no seeking */

struct file {
	struct chardev_stream stream; /* the descriptors that are no regular files */
	int out_fd, in_fd;            /* regular files, or -1 */
	char *path;

	uv_fs_t write;
	uint8_t out[CHUNK];
	size_t out_at, out_len;       /* being written: out[out_at .. out_len] */
	bool failing;

	uv_fs_t read;
	uint8_t in[CHUNK];
	size_t in_at, in_len;
	bool reading, in_ended;
	bool closed;
};

static bool open_one(const char *path, int flags, int *ret_fd, struct vmd_error *err)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);

	if (fd < 0) {
		int e = errno;

		vmd_error_set(err, e == ENOENT ? VMD_ERR_NOT_FOUND : e == EACCES || e == EPERM ? VMD_ERR_DENIED
											       : VMD_ERR_IO,
			      e, "cannot open '%s' for %s", path, flags == O_RDONLY ? "reading" : "writing");
		if (e == ENOENT)
			vmd_error_hint(err, flags == O_RDONLY ? "input-path must name a file that exists"
							      : "the directory must exist");
		else if (e == ENXIO)
			vmd_error_hint(err, "it is a FIFO that nobody reads; kind 'pipe' does not mind that");
		return false;
	}
	*ret_fd = fd;
	return true;
}

static bool file_open(const struct backends_chardev_config *config, int ret_fds[2], struct vmd_error *err)
{
	int out = -1, in = -1;

	if (!open_one(config->path, O_WRONLY | O_CREAT | (config->append ? O_APPEND : O_TRUNC), &out, err))
		return false;
	if (config->input_path && !open_one(config->input_path, O_RDONLY, &in, err)) {
		close(out);
		return false;
	}
	ret_fds[0] = out;
	ret_fds[1] = in;
	return true;
}

/* ---- Regular files ---- */

static void start_write(struct backends_chardev *chr);

/* Frees what the requests needed, once none is left. */
static void file_fini(struct file *file)
{
	if (!file->closed || file->reading || file->out_len)
		return;
	if (file->out_fd >= 0)
		close(file->out_fd);
	if (file->in_fd >= 0)
		close(file->in_fd);
	file->out_fd = file->in_fd = -1;
	free(file->path);
	file->path = NULL;
}

static void on_written(uv_fs_t *req)
{
	struct backends_chardev *chr = req->data;
	struct file *file = chr->state;
	ssize_t res = req->result;

	uv_fs_req_cleanup(req);
	if (res < 0) {
		if (!file->failing) {
			struct vmd_error why;

			vmd_error_set(&why, VMD_ERR_IO, (int)-res, "chardev '%s': cannot write to '%s'", chr->id,
				      file->path);
			vmd_error_hint(&why, "output is dropped until writing works again");
			chardev_trouble(chr, &why);
		}
		file->failing = true;
		file->out_at = file->out_len;
	} else {
		file->failing = false;
		file->out_at += (size_t)res;
	}
	if (file->out_at < file->out_len && !file->closed) {
		start_write(chr);
	} else {
		file->out_len = 0;
		file_fini(file);
		if (!chr->finished)
			chardev_wake(chr);
	}
	chardev_release(chr);
}

static void start_write(struct backends_chardev *chr)
{
	struct file *file = chr->state;
	uv_buf_t buf = uv_buf_init((char *)file->out + file->out_at, (unsigned)(file->out_len - file->out_at));

	file->write.data = chr;
	chardev_hold(chr);
	if (uv_fs_write(chr->loop, &file->write, file->out_fd, &buf, 1, NO_OFFSET, on_written) < 0) {
		/* Out of memory for the request: these bytes are lost. */
		file->out_len = 0;
		chardev_release(chr);
	}
}

static void hand_on(struct backends_chardev *chr)
{
	struct file *file = chr->state;
	size_t room;

	while (file->in_at < file->in_len && (room = chardev_can_receive(chr)) > 0) {
		size_t n = file->in_len - file->in_at;

		if (n > room)
			n = room;
		file->in_at += n;
		chardev_receive(chr, file->in + file->in_at - n, n);
	}
}

static void on_read(uv_fs_t *req)
{
	struct backends_chardev *chr = req->data;
	struct file *file = chr->state;
	ssize_t res = req->result;

	uv_fs_req_cleanup(req);
	file->reading = false;
	file->in_at = 0;
	file->in_len = res > 0 ? (size_t)res : 0;
	file->in_ended = res <= 0;
	file_fini(file);
	if (!chr->finished)
		chardev_wake(chr);
	chardev_release(chr);
}

static void file_input(struct backends_chardev *chr, bool wanted)
{
	struct file *file = chr->state;
	uv_buf_t buf = uv_buf_init((char *)file->in, sizeof(file->in));

	chardev_stream_input(&file->stream, wanted);
	if (file->in_fd < 0 || file->reading)
		return;
	hand_on(chr);
	if (file->in_at < file->in_len || file->in_ended || chardev_can_receive(chr) == 0)
		return;
	file->read.data = chr;
	chardev_hold(chr);
	if (uv_fs_read(chr->loop, &file->read, file->in_fd, &buf, 1, NO_OFFSET, on_read) < 0)
		chardev_release(chr);
	else
		file->reading = true;
}

static size_t file_output(struct backends_chardev *chr, const uint8_t *buf, size_t len)
{
	struct file *file = chr->state;

	if (file->out_fd < 0)
		return chardev_stream_output(&file->stream, buf, len);
	if (file->out_len)
		return 0;
	if (len > sizeof(file->out))
		len = sizeof(file->out);
	memcpy(file->out, buf, len);
	file->out_at = 0;
	file->out_len = len;
	start_write(chr);
	return len;
}

static bool file_drained(struct backends_chardev *chr)
{
	const struct file *file = chr->state;

	return file->out_len == 0;
}

/* ---- Life ---- */

/* What epoll can wait for. Block devices and /dev/null are with regular files. */
static bool is_stream(int fd)
{
	struct stat st;

	return fd >= 0 && (isatty(fd) || (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))));
}

static void file_end(struct backends_chardev *chr)
{
	struct file *file = chr->state;

	chardev_stream_close(&file->stream);
}

static bool file_init(struct backends_chardev *chr, const struct backends_chardev_config *config, const int fds[2],
		      struct vmd_error *err)
{
	struct file *file = chr->state;
	int stream_out = -1, stream_in = -1;

	file->out_fd = file->in_fd = -1;
	file->path = strdup(config->path);
	if (!file->path) {
		close(fds[0]);
		if (fds[1] >= 0)
			close(fds[1]);
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "no memory for '%s'", config->path);
	}
	*(is_stream(fds[0]) ? &stream_out : &file->out_fd) = fds[0];
	*(is_stream(fds[1]) ? &stream_in : &file->in_fd) = fds[1];
	return chardev_stream_init(&file->stream, chr, stream_in, stream_out, file_end, err);
}

static void file_close(struct backends_chardev *chr)
{
	struct file *file = chr->state;

	chardev_stream_close(&file->stream);
	file->closed = true;
	file_fini(file);
}

static const struct backends_chardev_option file_options[] = {
	{"path", BACKENDS_CHARDEV_STRING, offsetof(struct backends_chardev_config, path), .required = true,
	 .help = "the file that output goes to"},
	{"append", BACKENDS_CHARDEV_BOOL, offsetof(struct backends_chardev_config, append), .def = "off",
	 .help = "keep what the file holds"},
	{"input-path", BACKENDS_CHARDEV_STRING, offsetof(struct backends_chardev_config, input_path),
	 .help = "a file that input is read from"},
	{ 0 },
};

static const struct chardev_ops file_ops = {
	.size = sizeof(struct file),
	.starts_open = true,
	.init = file_init,
	.output = file_output,
	.drained = file_drained,
	.input = file_input,
	.close = file_close,
};

const struct backends_chardev_class chardev_file_class = {
	.name = "file",
	.summary = "a file on the host",
	.options = file_options,
	.open = file_open,
	.ops = &file_ops,
};
