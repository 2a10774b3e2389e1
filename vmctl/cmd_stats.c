/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats and top: what executes machines, how fast, and what was counted. Rates
 * are differences between two replies of machine.stats.
 */
#include "vmctl/cmd_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

bool cmd_stats(struct vmctl *ctx, const char *name, struct proto_machine_stats *ret, struct vmd_error *err)
{
	return vmctl_call_struct(ctx, "machine.stats", json_pack("{s:s}", "name", name), VMCTL_SOON, &proto_type_machine_stats, ret,
				 err);
}

/* The sum over the processors. */
static uint64_t total(const struct proto_machine_stats *s, const char *name)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < s->n_vcpus; i++)
		for (size_t k = 0; k < s->vcpus[i].n_stats; k++)
			if (!strcmp(s->vcpus[i].stats[k].name, name))
				sum += s->vcpus[i].stats[k].value;
	return sum;
}

/* ---- stats ---- */

static int run_stats(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	struct proto_machine_stats s;
	char safe[512];
	if (!cmd_stats(ctx, ctx->args[0], &s, &err))
		return vmctl_fail(ctx, &err);
	if (ctx->json) {
		json_t *json = proto_machine_stats_to_json(&s);
		int ret = vmctl_print_json(json);
		json_decref(json);
		proto_machine_stats_fini(&s);
		return ret;
	}
	printf("%-28s %s", "accel", proto_accel_name(s.accel));
	if (s.accel_note)
		printf(" (%s)", vmctl_safe(s.accel_note, safe, sizeof(safe)));
	printf("\n%-28s %.2f s\n%-28s %llu\n", "cpu-time", s.cpu_time, "resident", (unsigned long long)s.resident);
	for (size_t k = 0; s.n_vcpus && k < s.vcpus[0].n_stats; k++) {
		printf("%-28s", vmctl_safe(s.vcpus[0].stats[k].name, safe, sizeof(safe)));
		for (size_t i = 0; i < s.n_vcpus; i++)
			printf(" %llu", (unsigned long long)(k < s.vcpus[i].n_stats ? s.vcpus[i].stats[k].value : 0));
		putchar('\n');
	}
	for (size_t i = 0; i < s.n_fallbacks; i++)
		printf("fallback %-19s %llu\n", vmctl_safe(s.fallbacks[i].name, safe, sizeof(safe)),
		       (unsigned long long)s.fallbacks[i].value);
	proto_machine_stats_fini(&s);
	return VMCTL_OK;
}

const struct vmctl_command vmctl_cmd_stats = {
	.name = "stats", .args = "NAME", .min_args = 1, .max_args = 1, .summary = "Show what executes a machine and what was counted",
	.doc = "A column for each processor; times are in nanoseconds. Below are the instructions that translated code most often "
	       "called the interpreter for. The QMP command query-stats-schemas says what the numbers are.",
	.run = run_stats,
};

/* ---- top ---- */

/* What a machine had when it was last looked at. */
struct sample {
	char name[65];
	bool seen;
	double time, cpu_time;
	uint64_t retired;
};

struct top {
	struct sample *samples;
	size_t n;
};

static struct sample *sample_of(struct top *top, const char *name)
{
	for (size_t i = 0; i < top->n; i++)
		if (!strcmp(top->samples[i].name, name))
			return &top->samples[i];
	struct sample *more = realloc(top->samples, (top->n + 1) * sizeof(*more));
	if (!more)
		return NULL;
	top->samples = more;
	more[top->n] = (struct sample){ 0 };
	snprintf(more[top->n].name, sizeof(more[0].name), "%s", name);
	return &more[top->n++];
}

static bool is_listed(const struct vmctl *ctx, const char *name)
{
	for (unsigned i = 0; i < ctx->n_args; i++)
		if (!strcmp(ctx->args[i], name))
			return true;
	return !ctx->n_args;
}

/* A machine's line; NULL when there is nothing to compare with yet. */
static json_t *top_line(struct top *top, const struct proto_machine_status *m, const struct proto_machine_stats *s)
{
	struct sample *old = sample_of(top, m->name);
	uint64_t retired = total(s, "instructions");
	json_t *line = NULL;
	if (!old)
		return NULL;
	double dt = s->time - old->time;
	if (old->seen && dt > 0 && retired >= old->retired)
		line = json_pack("{s:s, s:s, s:I, s:f, s:f, s:I, s:I, s:s}", "name", m->name, "state", proto_machine_state_name(m->state),
				 "cpus", (json_int_t)m->cpus, "cpu-percent", 100 * (s->cpu_time - old->cpu_time) / dt, "mips",
				 (double)(retired - old->retired) / dt / 1e6, "resident", (json_int_t)s->resident, "memory",
				 (json_int_t)m->memory, "accel", proto_accel_name(s->accel));
	old->seen = true;
	old->time = s->time;
	old->cpu_time = s->cpu_time;
	old->retired = retired;
	return line;
}

/* Looks at all machines; *ret_lines are those that have a line. */
static bool look(struct vmctl *ctx, struct top *top, json_t **ret_lines, struct vmd_error *err)
{
	json_t *list, *v, *lines = json_array();
	size_t i;
	if (!vmctl_call(ctx, "machine.list", NULL, VMCTL_SOON, &list, err)) {
		json_decref(lines);
		return false;
	}
	json_array_foreach(list, i, v) {
		struct proto_machine_status m;
		struct proto_machine_stats s;
		struct vmd_error ignored; /* it has just ended, or does not answer */
		if (!proto_machine_status_parse(v, "the daemon's reply", &m, &ignored))
			continue;
		bool active = m.state == PROTO_MACHINE_STATE_RUNNING || m.state == PROTO_MACHINE_STATE_PAUSED ||
			      m.state == PROTO_MACHINE_STATE_STOPPING;
		if (active && is_listed(ctx, m.name) && cmd_stats(ctx, m.name, &s, &ignored)) {
			json_t *line = top_line(top, &m, &s);
			if (line)
				json_array_append_new(lines, line);
			proto_machine_stats_fini(&s);
		}
		proto_machine_status_fini(&m);
	}
	json_decref(list);
	*ret_lines = lines;
	return true;
}

/* Whether the machines that were asked for can be looked at. */
static bool check_names(struct vmctl *ctx, struct vmd_error *err)
{
	struct proto_machine_stats s;
	for (unsigned i = 0; i < ctx->n_args; i++) {
		if (!cmd_stats(ctx, ctx->args[i], &s, err))
			return false;
		proto_machine_stats_fini(&s);
	}
	return true;
}

static void print_lines(const json_t *lines)
{
	static const char *const heading[] = { "NAME", "STATE", "CPUS", "CPU%", "MIPS", "RESIDENT", "MEMORY", "ACCEL" };
	struct vmctl_table *table = vmctl_table_new(8);
	size_t i;
	json_t *v;
	vmctl_table_add(table, heading);
	json_array_foreach((json_t *)lines, i, v) {
		char cpus[24], percent[32], mips[32], resident[32], memory[32];
		const char *name, *state, *accel;
		json_int_t n, res, mem;
		double cpu, rate;
		if (json_unpack(v, "{s:s, s:s, s:I, s:F, s:F, s:I, s:I, s:s}", "name", &name, "state", &state, "cpus", &n, "cpu-percent",
				&cpu, "mips", &rate, "resident", &res, "memory", &mem, "accel", &accel))
			continue;
		snprintf(cpus, sizeof(cpus), "%lld", (long long)n);
		snprintf(percent, sizeof(percent), "%.1f", cpu);
		snprintf(mips, sizeof(mips), "%.1f", rate);
		snprintf(resident, sizeof(resident), "%lldM", (long long)res >> 20);
		vmctl_size_text((uint64_t)mem, memory, sizeof(memory));
		const char *cells[] = { name, state, cpus, percent, mips, resident, memory, accel };
		vmctl_table_add(table, cells);
	}
	vmctl_table_end(table);
	fflush(stdout);
}

/* False when the user wants to leave: q, or the end of a terminal's input. */
static bool pause_for(double seconds, bool keys)
{
	struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
	char c = 0;
	if (!keys) {
		struct timespec ts = { .tv_sec = (time_t)seconds };
		ts.tv_nsec = (long)((seconds - (double)ts.tv_sec) * 1e9);
		nanosleep(&ts, NULL);
		return true;
	}
	int n = poll(&fd, 1, (int)(seconds * 1000));
	return n <= 0 ? n == 0 || errno == EINTR : read(STDIN_FILENO, &c, 1) == 1 && c != 'q' && c != 'Q' && c != 3;
}

static bool count_option(const struct vmctl *ctx, unsigned long *ret, struct vmd_error *err)
{
	const char *text = vmctl_value(ctx, "count");
	char *end;
	*ret = 0;
	if (!text)
		return true;
	errno = 0;
	*ret = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || !*ret)
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "--count takes a number of reports, not '%s'", text);
	return true;
}

static int run_top(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	struct top top = { 0 };
	unsigned long count;
	double delay;
	bool batch = vmctl_flag(ctx, "batch") || ctx->json || !isatty(STDOUT_FILENO);
	if (!count_option(ctx, &count, &err) || !vmctl_seconds(ctx, "delay", 2, &delay, &err))
		return vmctl_fail(ctx, &err);
	if (delay < 0.1 || delay > 3600) {
		vmd_error_set(&err, VMD_ERR_INVALID, 0, "--delay takes 0.1 to 3600 seconds");
		return vmctl_fail(ctx, &err);
	}
	if (!check_names(ctx, &err))
		return vmctl_fail(ctx, &err);
	bool keys = !batch && isatty(STDIN_FILENO) && vmctl_terminal_raw(STDIN_FILENO), ok = true;
	/* The first look is what the first report is compared with. */
	for (unsigned long i = 0; ok && (!count || i <= count); i++) {
		json_t *lines;
		ok = look(ctx, &top, &lines, &err);
		if (!ok)
			break;
		if (i && ctx->json) {
			ok = json_dumpf(lines, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF && fflush(stdout) == 0;
		} else if (i || !batch) {
			if (keys)
				vmctl_terminal_restore();
			if (!batch)
				fputs("\033[H\033[J", stdout);
			print_lines(lines);
			if (batch && i != count)
				putchar('\n');
			if (keys)
				vmctl_terminal_raw(STDIN_FILENO);
		}
		json_decref(lines);
		if (count && i == count)
			break;
		if (!pause_for(i || delay < 1 ? delay : 1, keys))
			break;
	}
	if (keys)
		vmctl_terminal_restore();
	free(top.samples);
	return ok ? VMCTL_OK : err.message[0] ? vmctl_fail(ctx, &err) : VMCTL_FAILED;
}

static const struct vmctl_option top_options[] = {
	{ "batch", 'b', NULL, "print one report after the other, for a file or a program" },
	{ "count", 'n', "N", "end after this many reports" },
	{ "delay", 'd', "SECONDS", "the time between them (default: 2)" },
	{ NULL, 0, NULL, NULL },
};

const struct vmctl_command vmctl_cmd_top = {
	.name = "top", .args = "[NAME...]", .min_args = 0, .max_args = 1000, .summary = "Show how busy machines are, again and again",
	.doc = "CPU% is of one host processor; MIPS are millions of guest instructions a second, over all of a machine's processors. "
	       "'q' leaves. With --json, each report is an array on a line. Machines that are named must be running at the "
	       "beginning.",
	.options = top_options, .example = "vmctl top -b -n 1 web1", .run = run_top,
};
