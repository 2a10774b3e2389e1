# SPDX-License-Identifier: BSD-2-Clause
# The broker: its store, its processes, its methods. The stand-in plays the machine process.
check_PROGRAMS += tests/unit/vmd_standin tests/unit/test_store tests/unit/test_spawn
TESTS += tests/unit/test_store tests/unit/test_spawn

tests_unit_vmd_standin_SOURCES = tests/unit/vmd_standin.c
tests_unit_vmd_standin_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_vmd_standin_LDADD = $(JANSSON_LIBS)

tests_unit_test_store_SOURCES = tests/unit/test_store.c
tests_unit_test_store_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_store_LDADD = libbroker.a libprotocol.a $(JANSSON_LIBS) $(TEST_LIBS)

tests_unit_test_spawn_SOURCES = tests/unit/test_spawn.c
tests_unit_test_spawn_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS) $(UV_CFLAGS) \
	-DSTANDIN=\"$(abs_top_builddir)/tests/unit/vmd_standin\"
tests_unit_test_spawn_LDADD = libbroker.a libprotocol.a $(UV_LIBS) $(JANSSON_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test_broker
TESTS += tests/unit/test_broker
tests_unit_test_broker_SOURCES = tests/unit/test_broker.c
tests_unit_test_broker_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS) $(UV_CFLAGS) \
	-DSTANDIN=\"$(abs_top_builddir)/tests/unit/vmd_standin\"
tests_unit_test_broker_LDADD = $(vmd_libs) $(TEST_LIBS)
