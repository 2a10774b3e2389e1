# SPDX-License-Identifier: BSD-2-Clause
# lone.c is a system with one vCPU that the test runs.
lone = tests/unit/lone.c tests/unit/lone.h
check_PROGRAMS += tests/unit/test_jit
TESTS += tests/unit/test_jit

# What the JIT does where the host forbids something.
check_PROGRAMS += tests/unit/test_accel
TESTS += tests/unit/test_accel
tests_unit_test_accel_SOURCES = tests/unit/test_accel.c
tests_unit_test_accel_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_accel_LDADD = libemu.a libprotocol.a $(TEST_LIBS)

tests_unit_test_jit_SOURCES = tests/unit/test_jit.c tests/unit/listing.c tests/unit/listing.h $(lone)
tests_unit_test_jit_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_jit_LDADD = libemu.a libprotocol.a $(ZYDIS_LIBS) $(TEST_LIBS)
if HAVE_ZYDIS
tests_unit_test_jit_CFLAGS += -DHAVE_ZYDIS
endif

# A hundred million instructions: minutes.
EXTRA_DIST += tests/unit/campaign.sh
CLEANFILES += campaign.log
campaign: tests/unit/test_jit
	$(AM_V_at)sh $(srcdir)/tests/unit/campaign.sh

check_PROGRAMS += tests/unit/test_verify
TESTS += tests/unit/test_verify

tests_unit_test_verify_SOURCES = tests/unit/test_verify.c $(lone)
tests_unit_test_verify_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_verify_LDADD = libemu.a libprotocol.a $(TEST_LIBS)
