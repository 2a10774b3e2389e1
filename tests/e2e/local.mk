# SPDX-License-Identifier: BSD-2-Clause
# Whole programs together, with guests that run.
e2e_scripts = \
	tests/e2e/boot-debian-6.1.sh \
	tests/e2e/boot-debian-6.12.sh \
	tests/e2e/boot-firmware.sh \
	tests/e2e/boot-installer.sh \
	tests/e2e/daemon.sh \
	tests/e2e/debian-life.sh \
	tests/e2e/devices.sh
TESTS += $(e2e_scripts)
if HAVE_PYTHON3
TESTS += tests/e2e/hostile.py tests/e2e/stats.py
endif
EXTRA_DIST += $(e2e_scripts) tests/e2e/forced.sh tests/e2e/verify.sh tests/e2e/lib.sh tests/e2e/hostile.py \
	tests/e2e/stats.py tests/e2e/guest.S
CLEANFILES += tests/e2e/guest

# The JIT's forced modes, each through a boot: too slow for `make check`.
forced: all
	$(AM_V_at)srcdir=$(srcdir) sh $(srcdir)/tests/e2e/forced.sh

# The JIT and the interpreter in lock step, likewise.
verify: all
	$(AM_V_at)srcdir=$(srcdir) sh $(srcdir)/tests/e2e/verify.sh

if HAVE_AARCH64_CC
check_DATA += tests/e2e/guest
tests/e2e/guest: $(top_srcdir)/tests/e2e/guest.S
	$(AM_V_CCLD)$(MKDIR_P) tests/e2e && \
		$(AARCH64_CC) -nostdlib -static -Wl,-Ttext=0x40080000,--build-id=none -o $@ $(top_srcdir)/tests/e2e/guest.S
endif
