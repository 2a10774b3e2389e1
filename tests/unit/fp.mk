# SPDX-License-Identifier: BSD-2-Clause
check_PROGRAMS += tests/unit/test_fp
TESTS += tests/unit/test_fp
tests_unit_test_fp_SOURCES = tests/unit/test_fp.c tests/unit/fp_oracle.c tests/unit/fp_oracle.h
tests_unit_test_fp_CFLAGS = $(TEST_CFLAGS) $(MPFR_CFLAGS)
tests_unit_test_fp_LDADD = libemu.a $(TEST_LIBS) $(MPFR_LIBS)

check_PROGRAMS += tests/unit/test_fp_insns
TESTS += tests/unit/test_fp_insns
tests_unit_test_fp_insns_SOURCES = tests/unit/test_fp_insns.c tests/risu/machine.c tests/risu/risu.h tests/risu/risu_host.h
tests_unit_test_fp_insns_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_fp_insns_LDADD = libemu.a libprotocol.a $(TEST_LIBS)
