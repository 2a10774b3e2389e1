# SPDX-License-Identifier: BSD-2-Clause
# Bare-metal programs, run on the emulator; what they print must not change.
# tests/guest/*.expected were checked against QEMU (differences are named at the
# head of each program).
EXTRA_DIST += tests/guest/check.sh tests/guest/guest.h tests/guest/guest.ld tests/guest/start.S tests/guest/lib.c \
	tests/guest/mmu.c tests/guest/exception.c tests/guest/timer.c tests/guest/smp.c tests/guest/debug.c \
	tests/guest/litmus.c tests/guest/litmus.expected tests/guest/storm.c tests/guest/storm.expected \
	tests/guest/mmu.expected tests/guest/exception.expected tests/guest/timer.expected \
	tests/guest/smp.expected tests/guest/debug.expected

check_PROGRAMS += tests/guest/runner
tests_guest_runner_SOURCES = tests/guest/runner.c
tests_guest_runner_CFLAGS = $(AM_CFLAGS)
tests_guest_runner_LDADD = libdevices.a libbackends.a libemu.a libprotocol.a $(UV_LIBS) $(JANSSON_LIBS) $(FDT_LIBS)

if HAVE_AARCH64_CC
guest_bins = tests/guest/mmu.bin tests/guest/exception.bin tests/guest/timer.bin tests/guest/smp.bin \
	tests/guest/debug.bin tests/guest/litmus.bin \
	tests/guest/storm.bin
check_DATA += $(guest_bins)
CLEANFILES += $(guest_bins) $(guest_bins:.bin=.elf) $(guest_bins:.bin=.out)
guest_common = tests/guest/start.S tests/guest/lib.c tests/guest/guest.h tests/guest/guest.ld
guest_build = $(MKDIR_P) tests/guest && $(AARCH64_CC) -O2 -Wall -ffreestanding -nostdlib -static -fno-pic \
	-fno-stack-protector -mgeneral-regs-only -mno-outline-atomics -march=armv8.5-a \
	-Wl,-T,$(srcdir)/tests/guest/guest.ld,--build-id=none,--no-warn-rwx-segments \
	-o $(@:.bin=.elf) $(srcdir)/tests/guest/start.S $(srcdir)/tests/guest/lib.c $(srcdir)/$(@:.bin=.c) && \
	$(AARCH64_CC:gcc=objcopy) -O binary $(@:.bin=.elf) $@
tests/guest/mmu.bin: tests/guest/mmu.c $(guest_common)
	$(AM_V_GEN)$(guest_build)
tests/guest/exception.bin: tests/guest/exception.c $(guest_common)
	$(AM_V_GEN)$(guest_build)
tests/guest/timer.bin: tests/guest/timer.c $(guest_common)
	$(AM_V_GEN)$(guest_build)
tests/guest/smp.bin: tests/guest/smp.c $(guest_common)
	$(AM_V_GEN)$(guest_build)
tests/guest/debug.bin: tests/guest/debug.c $(guest_common)
	$(AM_V_GEN)$(guest_build)
tests/guest/litmus.bin: tests/guest/litmus.c $(guest_common)
	$(AM_V_GEN)$(guest_build)
tests/guest/storm.bin: tests/guest/storm.c $(guest_common)
	$(AM_V_GEN)$(guest_build)
TESTS += tests/guest/check.sh

# The programs in which vCPUs race, for a few minutes and aloud. Not a part of check.
storm: tests/guest/runner $(guest_bins)
	srcdir=$(srcdir) $(SHELL) $(srcdir)/tests/guest/check.sh 100
endif
