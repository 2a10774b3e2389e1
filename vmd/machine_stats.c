/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Statistics over QMP: query-stats and query-stats-schemas as other QMP servers
 * have them, and all at once for the daemon. Thread: I/O; nothing here waits for
 * a vCPU.
 */
#include "vmd/machine_priv.h"

#include "protocol/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FALLBACKS = 32 };

static double seconds(clockid_t clock)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Bytes of this process that are in the host's memory. */
static uint64_t resident(void)
{
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f)
		return 0;
	if (fscanf(f, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* All values of a vCPU, with their names. */
static void fill(const struct emu_system *sys, unsigned cpu, struct proto_stats stats[EMU_STAT_COUNT])
{
	uint64_t values[EMU_STAT_COUNT];
	emu_system_stats(sys, cpu, values);
	for (unsigned i = 0; i < EMU_STAT_COUNT; i++)
		stats[i] = (struct proto_stats){ .name = (char *)emu_stat_infos[i].name, .value = values[i] };
}

static int by_value(const void *a, const void *b)
{
	const struct proto_stats *p = a, *q = b;
	return p->value < q->value ? 1 : p->value > q->value ? -1 : 0;
}

/* The instructions that most often went through the interpreter. */
static struct proto_stats *fallbacks(const struct emu_system *sys, size_t *ret_n)
{
	struct proto_stats *all = NULL;
	size_t n = 0;
	uint64_t count;
	const char *name;
	for (unsigned i = 0; (name = emu_system_fallback(sys, i, &count)); i++) {
		if (!count)
			continue;
		struct proto_stats *more = realloc(all, (n + 1) * sizeof(*all));
		if (!more)
			break;
		all = more;
		all[n++] = (struct proto_stats){ .name = (char *)name, .value = count };
	}
	if (n)
		qsort(all, n, sizeof(*all), by_value);
	*ret_n = n < MAX_FALLBACKS ? n : MAX_FALLBACKS;
	return all;
}

static enum proto_accel accel_of(const struct emu_system *sys)
{
	switch (emu_system_accel(sys)) {
	case EMU_ACCEL_JIT:
		return PROTO_ACCEL_JIT;
	case EMU_ACCEL_VERIFY:
		return PROTO_ACCEL_VERIFY;
	case EMU_ACCEL_AUTO:
	case EMU_ACCEL_INTERP:
		break;
	}
	return PROTO_ACCEL_INTERP;
}

bool machine_qmp_org_vmd_query_stats(struct proto_call *call, const struct proto_args_qmp_org_vmd_query_stats *args,
				     struct vmd_error *err)
{
	struct machine *m = proto_call_opaque(call);
	const struct emu_system *sys = board_system(m->board);
	unsigned n = emu_system_n_cpus(sys);
	struct proto_stats(*values)[EMU_STAT_COUNT] = calloc(n, sizeof(*values));
	struct proto_vcpu_stats *vcpus = calloc(n, sizeof(*vcpus));
	struct proto_machine_stats stats = { .accel = accel_of(sys), .time = seconds(CLOCK_MONOTONIC),
					     .cpu_time = seconds(CLOCK_PROCESS_CPUTIME_ID), .resident = resident(),
					     .vcpus = vcpus, .n_vcpus = n };
	bool ok = values && vcpus;
	if (*emu_system_accel_note(sys))
		stats.accel_note = (char *)emu_system_accel_note(sys);
	if (!ok) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	} else {
		for (unsigned i = 0; i < n; i++) {
			fill(sys, i, values[i]);
			vcpus[i] = (struct proto_vcpu_stats){ .index = i, .stats = values[i], .n_stats = EMU_STAT_COUNT };
		}
		stats.fallbacks = fallbacks(sys, &stats.n_fallbacks);
		proto_reply_qmp_org_vmd_query_stats(call, &stats);
	}
	free(stats.fallbacks);
	free(vcpus);
	free(values);
	return ok;
}

/* Whether a request is for the value: `names` NULL is for all. */
static bool is_wanted(const struct proto_stats_request *request, const char *name)
{
	bool wanted = !request || !request->n_names;
	for (size_t i = 0; request && i < request->n_names; i++)
		wanted |= !strcmp(request->names[i], name);
	return wanted;
}

/* Whether a list of object paths has the vCPU; an empty one has all. */
static bool has_path(char *const *paths, size_t n, const char *path)
{
	bool found = !n;
	for (size_t i = 0; i < n; i++)
		found |= !strcmp(paths[i], path);
	return found;
}

bool machine_qmp_query_stats(struct proto_call *call, const struct proto_args_qmp_query_stats *args, struct vmd_error *err)
{
	struct machine *m = proto_call_opaque(call);
	const struct emu_system *sys = board_system(m->board);
	unsigned n = args->target == PROTO_STATS_TARGET_VCPU ? emu_system_n_cpus(sys) : 0, n_results = 0;
	const struct proto_stats_request *request = args->n_providers ? &args->providers[0] : NULL;
	struct proto_stats_result results[EMU_MAX_CPUS];
	char paths[EMU_MAX_CPUS][64];
	struct proto_stats(*values)[EMU_STAT_COUNT] = calloc(n ? n : 1, sizeof(*values));
	if (!values)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	for (unsigned i = 0; i < n; i++) {
		snprintf(paths[i], sizeof(paths[i]), "/machine/unattached/cpu[%u]", i);
		if (!has_path(args->vcpus, args->n_vcpus, paths[i]))
			continue;
		size_t kept = 0;
		fill(sys, i, values[i]);
		for (unsigned k = 0; k < EMU_STAT_COUNT; k++)
			if (is_wanted(request, values[i][k].name))
				values[i][kept++] = values[i][k];
		results[n_results++] = (struct proto_stats_result){ .provider = PROTO_STATS_PROVIDER_ORG_VMD_CPU, .qom_path = paths[i],
								    .stats = values[i], .n_stats = kept };
	}
	proto_reply_qmp_query_stats(call, results, n_results);
	free(values);
	return true;
}

bool machine_qmp_query_stats_schemas(struct proto_call *call, const struct proto_args_qmp_query_stats_schemas *args,
				     struct vmd_error *err)
{
	static const enum proto_stats_type types[] = { [EMU_STAT_CUMULATIVE] = PROTO_STATS_TYPE_CUMULATIVE,
						       [EMU_STAT_INSTANT] = PROTO_STATS_TYPE_INSTANT,
						       [EMU_STAT_PEAK] = PROTO_STATS_TYPE_PEAK };
	struct proto_stats_schema_value values[EMU_STAT_COUNT];
	for (unsigned i = 0; i < EMU_STAT_COUNT; i++) {
		const struct emu_stat_info *info = &emu_stat_infos[i];
		values[i] = (struct proto_stats_schema_value){ .name = (char *)info->name, .type = types[info->kind] };
		if (info->unit == EMU_STAT_NONE)
			continue;
		values[i].has_unit = values[i].has_base = true;
		values[i].unit = info->unit == EMU_STAT_BYTES ? PROTO_STATS_UNIT_BYTES : PROTO_STATS_UNIT_SECONDS;
		values[i].base = 10;
		values[i].exponent = info->unit == EMU_STAT_NS ? -9 : 0;
	}
	struct proto_stats_schema schema = { .provider = PROTO_STATS_PROVIDER_ORG_VMD_CPU, .target = PROTO_STATS_TARGET_VCPU,
					     .stats = values, .n_stats = EMU_STAT_COUNT };
	proto_reply_qmp_query_stats_schemas(call, &schema, 1);
	return true;
}
