# SPDX-License-Identifier: BSD-2-Clause
check_PROGRAMS += tests/unit/test_schema tests/unit/test_sessions
TESTS += tests/unit/test_schema tests/unit/test_sessions

tests_unit_test_schema_SOURCES = tests/unit/test_schema.c
tests_unit_test_schema_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_schema_LDADD = libprotocol.a $(JANSSON_LIBS) $(TEST_LIBS) -lm

tests_unit_test_sessions_SOURCES = tests/unit/test_sessions.c
tests_unit_test_sessions_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_sessions_LDADD = libprotocol.a $(JANSSON_LIBS) $(TEST_LIBS) -lm

check_PROGRAMS += tests/unit/test_vmctl
TESTS += tests/unit/test_vmctl
tests_unit_test_vmctl_SOURCES = tests/unit/test_vmctl.c
tests_unit_test_vmctl_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS) -DVMCTL=\"$(abs_top_builddir)/vmctl/vmctl\"
tests_unit_test_vmctl_LDADD = libprotocol.a $(JANSSON_LIBS) $(TEST_LIBS) -lm -lutil

TESTS += tests/unit/gen_schema.sh
EXTRA_DIST += tests/unit/gen_schema.sh
