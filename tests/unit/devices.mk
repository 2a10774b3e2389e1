# SPDX-License-Identifier: BSD-2-Clause
devices_bench = tests/unit/devices_bench.h tests/unit/devices_bench.c
devices_libs = libdevices.a libbackends.a libemu.a libprotocol.a $(FDT_LIBS) $(UV_LIBS) $(TEST_LIBS)

devices_tests = test_device test_primecell test_flash test_fw_cfg test_devices_qemu
check_PROGRAMS += $(devices_tests)
TESTS += $(devices_tests)

test_device_SOURCES = tests/unit/test_device.c $(devices_bench)
test_device_CFLAGS = $(TEST_CFLAGS)
test_device_LDADD = $(devices_libs)

test_primecell_SOURCES = tests/unit/test_primecell.c $(devices_bench)
test_primecell_CFLAGS = $(TEST_CFLAGS)
test_primecell_LDADD = $(devices_libs)

test_flash_SOURCES = tests/unit/test_flash.c $(devices_bench)
test_flash_CFLAGS = $(TEST_CFLAGS)
test_flash_LDADD = $(devices_libs)

test_fw_cfg_SOURCES = tests/unit/test_fw_cfg.c $(devices_bench)
test_fw_cfg_CFLAGS = $(TEST_CFLAGS)
test_fw_cfg_LDADD = $(devices_libs)

test_devices_qemu_SOURCES = tests/unit/test_devices_qemu.c $(devices_bench)
test_devices_qemu_CFLAGS = $(TEST_CFLAGS)
test_devices_qemu_LDADD = $(devices_libs)
