# SPDX-License-Identifier: BSD-2-Clause
check_PROGRAMS += tests/unit/test_jit_vec
TESTS += tests/unit/test_jit_vec
tests_unit_test_jit_vec_SOURCES = tests/unit/test_jit_vec.c tests/unit/lone.c tests/unit/lone.h
tests_unit_test_jit_vec_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_jit_vec_LDADD = libemu.a libprotocol.a $(TEST_LIBS)

if HAVE_ZYDIS
check_PROGRAMS += tests/unit/test_x86_vec
TESTS += tests/unit/test_x86_vec
tests_unit_test_x86_vec_SOURCES = tests/unit/test_x86_vec.c
tests_unit_test_x86_vec_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_x86_vec_LDADD = libemu.a $(ZYDIS_LIBS) $(TEST_LIBS)
endif
