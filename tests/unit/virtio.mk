# SPDX-License-Identifier: BSD-2-Clause
check_PROGRAMS += tests/unit/test_virtio
TESTS += tests/unit/test_virtio
tests_unit_test_virtio_SOURCES = tests/unit/test_virtio.c
tests_unit_test_virtio_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_virtio_LDADD = libdevices.a libbackends.a libemu.a libprotocol.a $(FDT_LIBS) $(UV_LIBS) \
	$(JANSSON_LIBS) $(TEST_LIBS)
