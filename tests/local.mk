# SPDX-License-Identifier: BSD-2-Clause
# Each area lists its tests in a fragment of its own. A unit test is a libcheck
# program: add it to check_PROGRAMS and TESTS.

TEST_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
TEST_LIBS = $(CHECK_LIBS)

if HAVE_CHECK
include tests/unit/decode.mk
include tests/unit/fp.mk
include tests/unit/simd.mk
include tests/unit/system.mk
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
