# SPDX-License-Identifier: BSD-2-Clause
check_PROGRAMS += tests/unit/test_chardev
TESTS += tests/unit/test_chardev
tests_unit_test_chardev_SOURCES = tests/unit/test_chardev.c
tests_unit_test_chardev_CFLAGS = $(TEST_CFLAGS) $(UV_CFLAGS)
tests_unit_test_chardev_LDADD = libbackends.a libprotocol.a $(UV_LIBS) $(JANSSON_LIBS) $(TEST_LIBS)
