# SPDX-License-Identifier: BSD-2-Clause
# The differential tester. `make check` runs a short campaign; `make risu` the
# long one (RISU_FLAGS adds options, see tests/risu/risu.c).

check_PROGRAMS += tests/risu/risu
tests_risu_risu_SOURCES = tests/risu/risu.c tests/risu/generate.c tests/risu/machine.c tests/risu/tables.c \
	tests/risu/risu.h tests/risu/risu_host.h
tests_risu_risu_LDADD = libemu.a libprotocol.a

TESTS += tests/risu/short.sh
EXTRA_DIST += tests/risu/short.sh tests/risu/guest.c
CLEANFILES += tests/risu/guest

if HAVE_AARCH64_CC
check_DATA = tests/risu/guest
tests/risu/guest: tests/risu/guest.c tests/risu/risu.h
	$(AM_V_CCLD)$(AARCH64_CC) -static -O2 -Wall -Wextra -I$(top_srcdir) -o $@ $(srcdir)/tests/risu/guest.c
endif

risu: tests/risu/risu$(EXEEXT) $(check_DATA)
	tests/risu/risu --count 5000 --verbose $(RISU_FLAGS)
