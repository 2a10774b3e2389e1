# SPDX-License-Identifier: BSD-2-Clause
emu_system_tests = test_mem test_ahead test_clock test_system
check_PROGRAMS += $(emu_system_tests)
TESTS += $(emu_system_tests)

test_mem_SOURCES = tests/unit/test_mem.c
test_mem_CFLAGS = $(TEST_CFLAGS)
test_mem_LDADD = libemu.a libprotocol.a $(TEST_LIBS)

test_ahead_SOURCES = tests/unit/test_ahead.c
test_ahead_CFLAGS = $(TEST_CFLAGS)
test_ahead_LDADD = libemu.a libprotocol.a $(TEST_LIBS)

test_clock_SOURCES = tests/unit/test_clock.c
test_clock_CFLAGS = $(TEST_CFLAGS)
test_clock_LDADD = libemu.a libprotocol.a $(TEST_LIBS)

test_system_SOURCES = tests/unit/test_system.c
test_system_CFLAGS = $(TEST_CFLAGS)
test_system_LDADD = libemu.a libprotocol.a $(TEST_LIBS)
