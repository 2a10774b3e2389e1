# SPDX-License-Identifier: BSD-2-Clause
check_PROGRAMS += tests/unit/test_loaders
TESTS += tests/unit/test_loaders
tests_unit_test_loaders_SOURCES = tests/unit/test_loaders.c
tests_unit_test_loaders_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_loaders_LDADD = libloaders.a libprotocol.a $(FDT_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS) $(JANSSON_LIBS) $(TEST_LIBS)
