# SPDX-License-Identifier: BSD-2-Clause
noinst_LIBRARIES += libprotocol.a
libprotocol_a_SOURCES = protocol/base64.c protocol/base64.h protocol/error.c protocol/error.h \
	protocol/console.c protocol/console.h \
	protocol/roff.c protocol/roff.h protocol/client.c protocol/client.h protocol/paths.c protocol/paths.h \
	protocol/call.h protocol/transport.h protocol/session.c protocol/session_priv.h \
	protocol/jsonstream.c protocol/jsonstream.h protocol/introspect.c \
	protocol/jsonrpc.c protocol/jsonrpc.h protocol/qmp_server.c protocol/qmp_server.h \
	protocol/schema.c protocol/schema.h
nodist_libprotocol_a_SOURCES = protocol/schema_gen.c protocol/schema_gen.h
libprotocol_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)

# The schema, and what is made from it. A later file may use the types of an earlier one.
protocol_schema = \
	$(top_srcdir)/protocol/schema/machine.json \
	$(top_srcdir)/protocol/schema/daemon.json \
	$(top_srcdir)/protocol/schema/qmp.json
EXTRA_DIST += protocol/schema/machine.json protocol/schema/daemon.json protocol/schema/qmp.json

noinst_PROGRAMS += protocol/gen_schema
protocol_gen_schema_SOURCES = protocol/gen_schema.c protocol/gen_schema_read.c protocol/gen_schema_mdoc.c \
	protocol/gen_schema_priv.h protocol/roff.c protocol/roff.h
protocol_gen_schema_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
protocol_gen_schema_LDADD = $(JANSSON_LIBS)

protocol/schema_gen.h: $(protocol_schema) protocol/gen_schema$(EXEEXT)
	$(AM_V_GEN)protocol/gen_schema$(EXEEXT) header $@ $(protocol_schema)
protocol/schema_gen.c: $(protocol_schema) protocol/gen_schema$(EXEEXT)
	$(AM_V_GEN)protocol/gen_schema$(EXEEXT) source $@ $(protocol_schema)
BUILT_SOURCES += protocol/schema_gen.h protocol/schema_gen.c
CLEANFILES += protocol/schema_gen.h protocol/schema_gen.c
