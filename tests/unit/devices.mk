# SPDX-License-Identifier: BSD-2-Clause
devices_bench = tests/unit/devices_bench.h tests/unit/devices_bench.c
devices_libs = libdevices.a libbackends.a libemu.a libprotocol.a $(FDT_LIBS) $(UV_LIBS) $(TEST_LIBS)

devices_tests = test_device
check_PROGRAMS += $(devices_tests)
TESTS += $(devices_tests)

test_device_SOURCES = tests/unit/test_device.c $(devices_bench)
test_device_CFLAGS = $(TEST_CFLAGS)
test_device_LDADD = $(devices_libs)
