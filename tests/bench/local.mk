# SPDX-License-Identifier: BSD-2-Clause
# `make bench`: the interpreter's speed, and figures of whole machines. For an
# otherwise idle host; nothing here is a test.
check_PROGRAMS += tests/bench/mips
tests_bench_mips_SOURCES = tests/bench/mips.c tests/unit/bare.c tests/unit/bare.h
tests_bench_mips_LDADD = libemu.a libprotocol.a
EXTRA_DIST += tests/bench/guest.c tests/bench/exit.S tests/bench/figures
# Whole programs, against QEMU: tests/bench/run, by hand.
EXTRA_DIST += tests/bench/run tests/bench/image tests/bench/proof tests/bench/timed.c tests/bench/micro.c tests/bench/floats.c \
	tests/bench/video.c tests/bench/programs/table tests/bench/programs/init tests/bench/programs/fannkuch.py \
	tests/bench/programs/floats.py tests/bench/programs/recursion.lua tests/bench/programs/sort.lua \
	tests/bench/programs/database.sql

# Programs that check themselves, and python's own tests, in a guest.
proof: all
	srcdir=$(srcdir) $(srcdir)/tests/bench/proof

if HAVE_AARCH64_CC
CLEANFILES += tests/bench/guest tests/bench/guest.bin tests/bench/exit
tests/bench/guest.bin: tests/bench/guest.c
	$(AM_V_GEN)$(MKDIR_P) tests/bench && $(AARCH64_CC) -O2 -ffreestanding -nostdlib -static -fno-pic \
		-mgeneral-regs-only -Wl,-Ttext=0x10000,--build-id=none,--omagic,--no-warn-rwx-segments \
		-o tests/bench/guest $(srcdir)/tests/bench/guest.c && \
		$(AARCH64_CC:gcc=objcopy) -O binary tests/bench/guest $@
tests/bench/exit: tests/bench/exit.S
	$(AM_V_GEN)$(MKDIR_P) tests/bench && $(AARCH64_CC) -nostdlib -static -Wl,-Ttext=0x40080000,--build-id=none \
		-Wl,--omagic,--no-warn-rwx-segments -o $@ $(srcdir)/tests/bench/exit.S

bench: all tests/bench/mips$(EXEEXT) tests/bench/guest.bin tests/bench/exit
	tests/bench/mips tests/bench/guest.bin
	srcdir=$(srcdir) $(srcdir)/tests/bench/figures
endif
