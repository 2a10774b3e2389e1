/* SPDX-License-Identifier: BSD-2-Clause */
/* Statistics of the vCPUs, as other folders see them. Thread: any. */
#include "emu/a64_decode.h"
#include "emu/jit.h"
#include "emu/vcpu_priv.h"

#include <string.h>

const struct emu_stat_info emu_stat_infos[EMU_STAT_COUNT] = {
#define STAT(name, text, kind, unit, doc) [EMU_STAT_##name] = { text, doc, EMU_STAT_##kind, EMU_STAT_##unit },
#include "emu/stats.def"
#undef STAT
};

void emu_system_stats(const struct emu_system *sys, unsigned cpu, uint64_t ret_values[EMU_STAT_COUNT])
{
	memset(ret_values, 0, EMU_STAT_COUNT * sizeof(ret_values[0]));
	emu_jit_stats(&sys->vcpus[cpu]->cpu, ret_values);
	ret_values[EMU_STAT_RETIRED] = emu_system_retired(sys, cpu);
}

const char *emu_system_fallback(const struct emu_system *sys, unsigned i, uint64_t *ret_count)
{
	uint64_t count = 0;

	if (i > A64_OP_COUNT)
		return NULL;
	for (unsigned k = 0; k < sys->n_cpus; k++)
		count += emu_jit_fallback(&sys->vcpus[k]->cpu, i);
	*ret_count = count;
	return i < A64_OP_COUNT ? a64_encodings[i].name : "UNDEFINED";
}
