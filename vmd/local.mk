# SPDX-License-Identifier: BSD-2-Clause

# The broker: store, processes, methods. A library, so that tests can link it.
vmd_broker_sources = vmd/stream_priv.h vmd/stream.c vmd/store_priv.h vmd/store_file.c \
	vmd/spawn_priv.h vmd/spawn_process.c vmd/spawn_watch.c vmd/spawn_launch.c

# The machine role and the boards.
vmd_machine_sources =

noinst_LIBRARIES += libbroker.a
libbroker_a_SOURCES = $(vmd_broker_sources)
libbroker_a_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS) $(JANSSON_CFLAGS) $(SYSTEMD_CFLAGS)
