/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT's statistics. The vCPU's thread counts with relaxed atomic stores; any
 * other may read. Times are counted in ticks of the host's time-stamp counter,
 * whose rate is found when somebody asks for the first time: once, so that what
 * is told never shrinks.
 */
#include "emu/jit_priv.h"

#include <time.h>
#include <x86intrin.h>

enum { RATE_NS = 10000000, TRIES = 5 }; /* the rate is found in no less than so long */

/* The host's counter and its clock: the pair that was read most quickly of a few. */
static void read_clocks(uint64_t *ret_ticks, uint64_t *ret_ns)
{
	uint64_t least = 0;

	for (unsigned i = 0; i < TRIES; i++) {
		struct timespec ts;
		uint64_t before = __rdtsc();
		clock_gettime(CLOCK_MONOTONIC, &ts);
		uint64_t took = __rdtsc() - before;
		if (i == 0 || took < least) {
			least = took;
			*ret_ticks = before;
			*ret_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
		}
	}
}

void jit_stats_init(struct jit *j)
{
	read_clocks(&j->start_ticks, &j->start_ns);
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

/* Nanoseconds in a tick, times 2^32. */
static uint64_t tick_rate(struct jit *j)
{
	uint64_t rate = __atomic_load_n(&j->tick_rate, __ATOMIC_RELAXED), ticks, ns;

	if (rate)
		return rate;
	for (read_clocks(&ticks, &ns); ns - j->start_ns < RATE_NS; read_clocks(&ticks, &ns))
		nanosleep(&(struct timespec){ .tv_nsec = RATE_NS - (long)(ns - j->start_ns) }, NULL);
	ns -= j->start_ns;
	/* a nanosecond on a host whose processors' counters disagree by all that */
	uint64_t passed = ticks > j->start_ticks ? ticks - j->start_ticks : ns;
	uint64_t found = (uint64_t)(((unsigned __int128)ns << 32) / passed);
	/* Unless another thread has found one at the same time. */
	if (__atomic_compare_exchange_n(&j->tick_rate, &rate, found, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		rate = found;
	return rate;
}

void emu_jit_stats(const struct emu_cpu *cpu, uint64_t values[EMU_STAT_COUNT])
{
	struct jit *j = cpu->jit;

	if (!j)
		return;
	uint64_t rate = tick_rate(j);
	for (unsigned i = 0; i < EMU_STAT_COUNT; i++) {
		uint64_t value = __atomic_load_n(&j->stats[i], __ATOMIC_RELAXED);
		if (emu_stat_infos[i].unit == EMU_STAT_NS)
			value = (uint64_t)((unsigned __int128)value * rate >> 32);
		values[i] += value;
	}
	for (unsigned i = 0; i <= A64_OP_COUNT; i++)
		values[EMU_STAT_JIT_FALLBACKS] += emu_jit_fallback(cpu, i);
}

uint64_t emu_jit_fallback(const struct emu_cpu *cpu, unsigned i)
{
	return cpu->jit ? __atomic_load_n(&cpu->jit->fallbacks[i], __ATOMIC_RELAXED) : 0;
}
