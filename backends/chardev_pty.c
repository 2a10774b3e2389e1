/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "pty": a terminal of its own, for programs that want one. pty(7).
 *
 * Somebody is there while the terminal is open. The kernel tells when the last
 * one closes it (hang-up) but not when the first one opens it, so that is looked
 * for twice a second. Output with nobody there is for the hub's ring only.
 */
#include "backends/chardev_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#define LOOK_MS 500

struct pty {
	struct chardev_stream stream; /* while somebody is there */
	int master;
	uv_timer_t look;
	bool looking; /* `look` is initialized */
};

bool backends_chardev_pty_path(int fd, char *ret_path, size_t size)
{
	return ptsname_r(fd, ret_path, size) == 0;
}

static bool pty_open(const struct backends_chardev_config *config, int ret_fds[2], struct vmd_error *err)
{
	char path[64];
	struct termios tio;
	int slave, master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 || ptsname_r(master, path, sizeof(path)) != 0)
		goto fail;
	/* The user's terminal does the editing. Opening it once also makes the
	 * master report a hang-up as long as nobody is there. */
	slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		goto fail;
	if (tcgetattr(slave, &tio) == 0) {
		cfmakeraw(&tio);
		tcsetattr(slave, TCSANOW, &tio);
	}
	close(slave);
	ret_fds[0] = master;
	return true;
fail:
	vmd_error_set(err, VMD_ERR_IO, errno, "cannot make a pseudo-terminal");
	vmd_error_hint(err, "is /dev/pts mounted, and below its limit (kernel.pty.max)?");
	if (master >= 0)
		close(master);
	return false;
}

static void look(uv_timer_t *timer);

static void look_on(struct pty *pty)
{
	uv_timer_start(&pty->look, look, LOOK_MS, 0);
}

/* The terminal has been closed. */
static void pty_end(struct backends_chardev *chr)
{
	struct pty *pty = chr->state;

	chardev_stream_close(&pty->stream);
	chardev_set_backend_open(chr, false);
	look_on(pty);
}

static void look(uv_timer_t *timer)
{
	struct backends_chardev *chr = timer->data;
	struct pty *pty = chr->state;
	struct pollfd pfd = {.fd = pty->master, .events = POLLIN | POLLOUT};
	int fd;

	if (poll(&pfd, 1, 0) > 0 && !(pfd.revents & (POLLHUP | POLLERR)) &&
	    (fd = fcntl(pty->master, F_DUPFD_CLOEXEC, 3)) >= 0 &&
	    chardev_stream_init(&pty->stream, chr, fd, fd, pty_end, NULL))
		chardev_set_backend_open(chr, true);
	else
		look_on(pty);
}

static bool pty_init(struct backends_chardev *chr, const struct backends_chardev_config *config, const int fds[2],
		     struct vmd_error *err)
{
	struct pty *pty = chr->state;
	char path[64];

	if (!backends_chardev_pty_path(fds[0], path, sizeof(path))) {
		vmd_error_set(err, VMD_ERR_INVALID, errno, "descriptor %d is not the master of a terminal", fds[0]);
		if (fds[0] >= 0)
			close(fds[0]);
		return false;
	}
	pty->master = fds[0];
	uv_timer_init(chr->loop, &pty->look);
	pty->look.data = chr;
	pty->looking = true;
	chardev_hold(chr);
	look(&pty->look);
	return true;
}

static size_t pty_output(struct backends_chardev *chr, const uint8_t *buf, size_t len)
{
	struct pty *pty = chr->state;

	return chardev_stream_output(&pty->stream, buf, len);
}

static void pty_input(struct backends_chardev *chr, bool wanted)
{
	struct pty *pty = chr->state;

	chardev_stream_input(&pty->stream, wanted);
}

static void pty_close(struct backends_chardev *chr)
{
	struct pty *pty = chr->state;

	chardev_stream_close(&pty->stream);
	if (pty->looking) {
		chardev_close_handle(chr, (uv_handle_t *)&pty->look);
		close(pty->master);
	}
}

static void pty_filename(struct backends_chardev *chr, char *ret_name, size_t size)
{
	struct pty *pty = chr->state;
	char path[64];

	if (!backends_chardev_pty_path(pty->master, path, sizeof(path)))
		path[0] = '\0';
	snprintf(ret_name, size, "pty:%s", path);
}

static const struct chardev_ops pty_ops = {
	.size = sizeof(struct pty),
	.init = pty_init,
	.output = pty_output,
	.input = pty_input,
	.close = pty_close,
	.filename = pty_filename,
};

const struct backends_chardev_class chardev_pty_class = {
	.name = "pty",
	.summary = "a pseudo-terminal of its own",
	.open = pty_open,
	.ops = &pty_ops,
};
