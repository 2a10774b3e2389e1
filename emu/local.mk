# SPDX-License-Identifier: BSD-2-Clause
noinst_LIBRARIES += libemu.a

# The decoder, and instructions on general registers and memory.
emu_base_sources = emu/interp.c emu/code.c emu/code_priv.h emu/alu_priv.h emu/host_atomic_priv.h \
	emu/interp_dpimm.c emu/interp_dpreg.c emu/interp_branch.c emu/interp_system.c \
	emu/interp_ldst.c emu/interp_ldst_pair.c emu/interp_ldst_struct.c emu/interp_excl.c emu/interp_atomic.c

# The decoder's C is made from emu/a64.decode by a program of the build.
noinst_PROGRAMS += emu/gen_a64
emu_gen_a64_SOURCES = emu/gen_a64.c emu/features.def
emu_gen_a64_LDADD =

emu_generated = emu/a64_decode.h emu/a64_decode.c emu/a64_exec.c
BUILT_SOURCES += emu/a64_decode.h
CLEANFILES += $(emu_generated)

emu/a64_decode.h: emu/a64.decode emu/gen_a64$(EXEEXT)
	$(AM_V_GEN)emu/gen_a64$(EXEEXT) header $(srcdir)/emu/a64.decode >$@.tmp && mv $@.tmp $@
emu/a64_decode.c: emu/a64.decode emu/gen_a64$(EXEEXT)
	$(AM_V_GEN)emu/gen_a64$(EXEEXT) decoder $(srcdir)/emu/a64.decode >$@.tmp && mv $@.tmp $@
emu/a64_exec.c: emu/a64.decode emu/gen_a64$(EXEEXT)
	$(AM_V_GEN)emu/gen_a64$(EXEEXT) exec $(srcdir)/emu/a64.decode >$@.tmp && mv $@.tmp $@

# Floating point.
emu_fp_sources = emu/fp.c emu/fp_compare.c emu/fp_convert.c emu/fp_estimate.c emu/fp_priv.h emu/fp_unpacked_priv.h \
	emu/interp_fp.c emu/interp_fp_compare.c emu/interp_fp_convert.c emu/interp_fp_mul.c emu/interp_fp_priv.h

# Advanced SIMD on integers, cryptography, pointer authentication.
emu_simd_sources = emu/simd_priv.h emu/interp_simd_same.c emu/interp_simd_diff.c emu/interp_simd_misc.c \
	emu/interp_simd_move.c emu/interp_simd_shift.c emu/interp_simd_dot.c \
	emu/interp_crypto_aes.c emu/interp_crypto_sha.c emu/interp_crypto_sm.c emu/pauth.c

# Memory map, MMU, system registers, exceptions, timers, vCPU threads.
emu_system_sources = emu/mem.c emu/mem_priv.h emu/ahead.c emu/ahead.h emu/clock.c emu/current.c \
	emu/system.c emu/stats.c emu/vcpu.c emu/vcpu_priv.h emu/models.c emu/sysregs.c emu/sysregs_priv.h \
	emu/exception.c emu/mmu.c emu/tlb.c emu/tlb_priv.h emu/access.c emu/maint.c \
	emu/gtimer.c emu/pmu.c emu/debug.c emu/psci.c emu/semihost.c

# The JIT.
emu_jit_sources = emu/jit.c emu/jit.h emu/jit_priv.h emu/jit_mem.c emu/jit_context.c emu/jit_fault.c emu/jit_stats.c \
	emu/x86_emit.c emu/x86_emit_priv.h emu/jit_ops.def emu/jit_ops_simd.def emu/jit_block.c emu/jit_cache.c emu/jit_translate.c \
	emu/jit_exit.c emu/jit_state.c emu/jit_int_priv.h emu/jit_dpimm.c emu/jit_dpreg.c emu/jit_dpreg_source.c emu/jit_branch.c \
	emu/jit_system.c emu/jit_pauth.c \
	emu/jit_ldst.c emu/jit_ldst_priv.h emu/jit_ldst_pair.c emu/jit_ldst_vec.c emu/jit_ldst_struct.c emu/jit_ldst_run.c \
	emu/jit_site.c \
	emu/verify.c emu/verify.h emu/verify_priv.h emu/verify_report.c \
	emu/jit_atomic.c emu/jit_vec.c emu/jit_vregs.c emu/jit_map.c emu/jit_vec_priv.h emu/x86_vec_priv.h \
	emu/jit_simd_same.c emu/jit_simd_misc.c \
	emu/jit_simd_shift.c emu/jit_simd_sat.c emu/jit_crypto.c emu/jit_sha256.c emu/jit_fp.c emu/jit_fp_priv.h emu/jit_fp_compare.c emu/jit_fp_convert.c \
	emu/jit_fp_flush.c

libemu_a_SOURCES = emu/irq.h emu/clock.h emu/mem.h emu/system.h \
	emu/cpu_priv.h emu/access_priv.h emu/interp_priv.h emu/sys_priv.h emu/features.def emu/sysregs.def emu/stats.def \
	$(emu_base_sources) $(emu_fp_sources) $(emu_simd_sources) $(emu_system_sources) \
	$(emu_jit_sources)
nodist_libemu_a_SOURCES = $(emu_generated)
$(libemu_a_OBJECTS): emu/a64_decode.h

EXTRA_DIST += emu/a64.decode
