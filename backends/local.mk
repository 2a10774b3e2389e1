# SPDX-License-Identifier: BSD-2-Clause
noinst_LIBRARIES += libbackends.a
libbackends_a_SOURCES = backends/chardev.h backends/chardev_backend.h backends/rng.h backends/rng.c
libbackends_a_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
