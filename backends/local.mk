# SPDX-License-Identifier: BSD-2-Clause
noinst_LIBRARIES += libbackends.a
libbackends_a_SOURCES = backends/chardev.h backends/chardev_backend.h backends/rng.h backends/rng.c \
	backends/chardev_priv.h backends/chardev_kinds.def backends/chardev.c backends/chardev_config.c \
	backends/chardev_fd.c backends/console.c backends/chardev_null.c backends/chardev_pty.c \
	backends/chardev_socket.c backends/chardev_file.c backends/chardev_pipe.c backends/chardev_ringbuf.c \
	backends/chardev_testdev.c
libbackends_a_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
