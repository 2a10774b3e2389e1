# SPDX-License-Identifier: BSD-2-Clause
noinst_LIBRARIES += libloaders.a
libloaders_a_SOURCES =
libloaders_a_CFLAGS = $(AM_CFLAGS) $(ZLIB_CFLAGS) $(ZSTD_CFLAGS)
