# SPDX-License-Identifier: BSD-2-Clause
check_PROGRAMS += tests/unit/test_pauth
TESTS += tests/unit/test_pauth
tests_unit_test_pauth_SOURCES = tests/unit/test_pauth.c
tests_unit_test_pauth_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_pauth_LDADD = libemu.a $(TEST_LIBS)

check_PROGRAMS += tests/unit/test_crypto
TESTS += tests/unit/test_crypto
tests_unit_test_crypto_SOURCES = tests/unit/test_crypto.c
tests_unit_test_crypto_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_crypto_LDADD = libemu.a $(TEST_LIBS)
