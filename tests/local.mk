# SPDX-License-Identifier: BSD-2-Clause
# Each area lists its tests in a fragment of its own. A unit test is a libcheck
# program that ends in suite_run (tests/unit/suite.h): add it to check_PROGRAMS and TESTS.

TEST_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
TEST_LIBS = $(CHECK_LIBS)
EXTRA_DIST += tests/unit/suite.h tests/unit/random.h

# Who includes what. Shell tests get the compiler that the build uses.
TESTS += tests/includes.sh
EXTRA_DIST += tests/includes.sh tests/includes.awk tests/build tests/prepare tests/guests/apt.sh tests/guests/fetch tests/guests/init .ci/run
AM_TESTS_ENVIRONMENT = CC='$(CC)'; AWK='$(AWK)'; \
	CPPFLAGS='$(CPPFLAGS) $(UV_CFLAGS) $(JANSSON_CFLAGS) $(ZLIB_CFLAGS) $(ZSTD_CFLAGS) $(CHECK_CFLAGS)'; \
	export CC AWK CPPFLAGS;

if HAVE_CHECK
include tests/bench/local.mk
include tests/unit/decode.mk
include tests/unit/fp.mk
include tests/unit/jit_vec.mk
include tests/unit/simd.mk
include tests/unit/system.mk
include tests/unit/jit.mk
include tests/unit/gic.mk
include tests/unit/devices.mk
include tests/unit/protocol.mk
include tests/unit/loaders.mk
include tests/unit/backends.mk
include tests/unit/virtio.mk
include tests/unit/vmd.mk
endif

include tests/risu/local.mk
include tests/e2e/local.mk
include tests/guest/local.mk
include tests/clients/local.mk
