# SPDX-License-Identifier: BSD-2-Clause
check_PROGRAMS += tests/unit/test_fp
TESTS += tests/unit/test_fp
tests_unit_test_fp_SOURCES = tests/unit/test_fp.c tests/unit/fp_oracle.c tests/unit/fp_oracle.h
tests_unit_test_fp_CFLAGS = $(TEST_CFLAGS) $(MPFR_CFLAGS)
tests_unit_test_fp_LDADD = libemu.a $(TEST_LIBS) $(MPFR_LIBS)
