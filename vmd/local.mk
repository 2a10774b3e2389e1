# SPDX-License-Identifier: BSD-2-Clause

# The broker: store, processes, methods. A library, so that tests can link it.
vmd_broker_sources = vmd/stream_priv.h vmd/stream.c vmd/store_priv.h vmd/store_file.c \
	vmd/spawn_priv.h vmd/spawn_process.c vmd/spawn_watch.c vmd/spawn_launch.c \
	vmd/broker.h vmd/broker_priv.h vmd/broker_run_priv.h vmd/broker_methods_priv.h \
	vmd/broker.c vmd/broker_dirs.c vmd/broker_log.c vmd/broker_logs.c vmd/broker_events.c vmd/broker_check.c \
	vmd/broker_plan.c vmd/broker_link.c vmd/broker_machine.c vmd/broker_run.c vmd/broker_adopt.c \
	vmd/broker_server.c vmd/broker_methods_machine.c vmd/broker_methods_query.c

# The machine role and the boards.
vmd_machine_sources = \
	vmd/board.c vmd/board.h vmd/board_priv.h vmd/board_boot.c vmd/board_fdt.c \
	vmd/machine_hmp.c \
	vmd/machine_launch.c \
	vmd/machine_chardev.c \
	vmd/machine_life.c \
	vmd/machine_main.c \
	vmd/machine_monitor.c \
	vmd/machine_priv.h \
	vmd/machine_qmp.c \
	vmd/machine_qom.c vmd/machine_stats.c \
	vmd/machine_queue.c

noinst_LIBRARIES += libmachine.a libbroker.a
libmachine_a_SOURCES = $(vmd_machine_sources)
libmachine_a_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS) $(JANSSON_CFLAGS)

libbroker_a_SOURCES = $(vmd_broker_sources)
libbroker_a_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS) $(JANSSON_CFLAGS) $(SYSTEMD_CFLAGS)

# What a program of both roles links.
vmd_libs = libbroker.a libmachine.a libloaders.a libdevices.a libemu.a libbackends.a libprotocol.a \
	$(UV_LIBS) $(JANSSON_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS) $(FDT_LIBS) $(SYSTEMD_LIBS) -lm

sbin_PROGRAMS += vmd/vmd
vmd_vmd_SOURCES = vmd/main.c
vmd_vmd_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS) $(JANSSON_CFLAGS) $(SYSTEMD_CFLAGS)
vmd_vmd_LDADD = $(vmd_libs)
