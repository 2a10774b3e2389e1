/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT's statistics. The vCPU's thread counts with relaxed atomic stores; any
 * other may read. Times are counted in ticks of the host's time-stamp counter,
 * whose rate is found when somebody asks.
 */
#include "emu/jit_priv.h"

#include <time.h>
#include <x86intrin.h>

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void jit_stats_init(struct jit *j)
{
	j->start_ticks = __rdtsc();
	j->start_ns = now_ns();
}

void jit_stats_translated(struct jit *j, uint64_t start)
{
	uint64_t ticks = __rdtsc() - start, used = 0;

	if (ticks >> 63)
		ticks = 0; /* the thread has moved to a processor whose counter is behind */
	jit_count(j, EMU_STAT_JIT_TRANSLATIONS, 1);
	jit_count(j, EMU_STAT_JIT_INSNS, j->n);
	jit_count(j, EMU_STAT_JIT_NS, ticks);
	if (ticks > j->stats[EMU_STAT_JIT_LONGEST])
		jit_stat_set(j, EMU_STAT_JIT_LONGEST, ticks);
	if (j->block_tail != j->block_head) {
		uint32_t oldest = j->blocks[j->block_tail & (j->max_blocks - 1)].code, here = x86_here(&j->buf);
		used = here > oldest ? here - oldest : j->code_end - oldest + (here - j->code_start);
	}
	jit_stat_set(j, EMU_STAT_JIT_BYTES, used);
}

static uint64_t ticks_to_ns(const struct jit *j, uint64_t ticks)
{
	uint64_t passed = __rdtsc() - j->start_ticks;

	return passed ? (uint64_t)((double)ticks * (double)(now_ns() - j->start_ns) / (double)passed) : 0;
}

void emu_jit_stats(const struct emu_cpu *cpu, uint64_t values[EMU_STAT_COUNT])
{
	const struct jit *j = cpu->jit;

	if (!j)
		return;
	for (unsigned i = 0; i < EMU_STAT_COUNT; i++) {
		uint64_t value = __atomic_load_n(&j->stats[i], __ATOMIC_RELAXED);
		values[i] += emu_stat_infos[i].unit == EMU_STAT_NS ? ticks_to_ns(j, value) : value;
	}
	for (unsigned i = 0; i <= A64_OP_COUNT; i++)
		values[EMU_STAT_JIT_FALLBACKS] += emu_jit_fallback(cpu, i);
}

uint64_t emu_jit_fallback(const struct emu_cpu *cpu, unsigned i)
{
	return cpu->jit ? __atomic_load_n(&cpu->jit->fallbacks[i], __ATOMIC_RELAXED) : 0;
}
