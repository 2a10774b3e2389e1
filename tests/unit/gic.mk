# SPDX-License-Identifier: BSD-2-Clause
gic_tests = test_gicv2 test_gicv3
gic_libs = libdevices.a libbackends.a libemu.a libprotocol.a $(FDT_LIBS) $(UV_LIBS) $(TEST_LIBS)
check_PROGRAMS += $(gic_tests)
TESTS += $(gic_tests)

test_gicv2_SOURCES = tests/unit/test_gicv2.c tests/unit/devices_bench.h tests/unit/devices_bench.c
test_gicv2_CFLAGS = $(TEST_CFLAGS)
test_gicv2_LDADD = $(gic_libs)

test_gicv3_SOURCES = tests/unit/test_gicv3.c tests/unit/devices_bench.h tests/unit/devices_bench.c
test_gicv3_CFLAGS = $(TEST_CFLAGS)
test_gicv3_LDADD = $(gic_libs)
