# SPDX-License-Identifier: BSD-2-Clause
noinst_LIBRARIES += libbackends.a
libbackends_a_SOURCES = backends/chardev.h backends/rng.h
libbackends_a_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
