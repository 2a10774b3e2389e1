# SPDX-License-Identifier: BSD-2-Clause
noinst_LIBRARIES += libemu.a

# The decoder, and instructions on general registers and memory.
emu_base_sources =

# Floating point.
emu_fp_sources =

# Advanced SIMD on integers, cryptography, pointer authentication.
emu_simd_sources =

# Memory map, MMU, system registers, exceptions, timers, vCPU threads.
emu_system_sources =

libemu_a_SOURCES = emu/irq.h emu/clock.h emu/mem.h emu/system.h \
	emu/cpu_priv.h emu/access_priv.h emu/interp_priv.h emu/sys_priv.h emu/features.def emu/sysregs.def \
	$(emu_base_sources) $(emu_fp_sources) $(emu_simd_sources) $(emu_system_sources)

EXTRA_DIST += emu/a64.decode
