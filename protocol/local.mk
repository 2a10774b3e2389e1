# SPDX-License-Identifier: BSD-2-Clause
noinst_LIBRARIES += libprotocol.a
libprotocol_a_SOURCES = protocol/error.c protocol/error.h \
	protocol/console.c protocol/console.h
libprotocol_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
