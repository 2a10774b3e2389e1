/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor for people: commands as text, answers as text with CRLF, as
 * human-monitor-command gives them. Thread: I/O.
 */
#include "config.h"
#include "vmd/machine_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hmp {
	struct machine *m;
	FILE *out;
	unsigned cpu;
};

struct hmp_command {
	const char *name, *help;
	void (*run)(struct hmp *h);
};

/* ---- info ---- */

static void info_status(struct hmp *h)
{
	const char *state = proto_run_state_name(h->m->state);
	if (h->m->vcpus_run || h->m->state == PROTO_RUN_STATE_RUNNING)
		fprintf(h->out, "VM status: %s\r\n", state);
	else
		fprintf(h->out, "VM status: paused (%s)\r\n", state);
}

static void info_version(struct hmp *h)
{
	fprintf(h->out, "vmd %s\r\n", VERSION);
}

static void info_name(struct hmp *h)
{
	fprintf(h->out, "%s\r\n", h->m->launch->definition.name);
}

static void info_cpus(struct hmp *h)
{
	static const char *const states[] = { [EMU_CPU_OFF] = "off", [EMU_CPU_RUNNING] = "running",
					      [EMU_CPU_WAITING] = "waiting", [EMU_CPU_PAUSED] = "paused" };
	struct emu_system *sys = board_system(h->m->board);
	for (unsigned i = 0; i < emu_system_n_cpus(sys); i++)
		fprintf(h->out, "%c CPU #%u: thread_id=%d (%s), %" PRIu64 " instructions\r\n", i == h->cpu ? '*' : ' ', i,
			(int)emu_system_thread_id(sys, i), states[emu_system_cpu_state(sys, i)], emu_system_retired(sys, i));
}

static void info_registers(struct hmp *h)
{
	struct emu_system *sys = board_system(h->m->board);
	struct emu_regs r;
	if (h->cpu >= emu_system_n_cpus(sys)) {
		fprintf(h->out, "there is no CPU #%u\r\n", h->cpu);
		return;
	}
	emu_system_pause(sys);
	emu_system_get_regs(sys, h->cpu, &r);
	emu_system_resume(sys);
	fprintf(h->out, "CPU#%u\r\n PC=%016" PRIx64, h->cpu, r.pc);
	for (int i = 0; i < 31; i++)
		fprintf(h->out, "%sX%02d=%016" PRIx64, (i + 1) % 4 ? " " : "\r\n", i, r.x[i]);
	fprintf(h->out, "\r\n SP=%016" PRIx64 " PSTATE=%08" PRIx32 " FPCR=%08" PRIx32 " FPSR=%08" PRIx32 "\r\n", r.sp, r.pstate,
		r.fpcr, r.fpsr);
}

static void print_region(void *opaque, const struct emu_region_desc *desc, bool direct)
{
	static const char *const kinds[] = { [EMU_REGION_RAM] = "ram", [EMU_REGION_ROM] = "rom", [EMU_REGION_ROMD] = "romd",
					     [EMU_REGION_MMIO] = "i/o" };
	struct hmp *h = opaque;
	fprintf(h->out, "  %016" PRIx64 "-%016" PRIx64 " (%s): %s\r\n", desc->base, desc->base + desc->size - 1,
		kinds[desc->kind], desc->name);
}

static void info_mtree(struct hmp *h)
{
	fprintf(h->out, "physical memory\r\n");
	emu_mem_walk(h->m->mem, print_region, h);
}

static void info_chardev(struct hmp *h)
{
	for (size_t i = 0; i < h->m->n_chardevs; i++) {
		struct backends_chardev_info info;
		backends_chardev_query(h->m->chardevs[i].chr, &info);
		fprintf(h->out, "%s: filename=%s\r\n", info.label, info.filename);
	}
}

static void info_qtree(struct hmp *h)
{
	const struct devices_device *dev;
	for (size_t i = 0; (dev = board_device_at(h->m->board, i)); i++)
		fprintf(h->out, "%sdev: %s, id \"%s\"\r\n", dev->parent ? "  " : "", dev->cls->name, dev->id);
}

static const struct hmp_command infos[] = {
	{ "chardev", "the character devices", info_chardev },
	{ "cpus", "the processors and what they do", info_cpus },
	{ "mtree", "the physical memory map", info_mtree },
	{ "name", "the machine's name", info_name },
	{ "qtree", "the devices", info_qtree },
	{ "registers", "a processor's registers", info_registers },
	{ "status", "whether the machine runs", info_status },
	{ "version", "the version of vmd", info_version },
	{ 0 },
};

/* ---- Commands ---- */

static void hmp_stop(struct hmp *h)
{
	machine_stop(h->m);
}

static void hmp_cont(struct hmp *h)
{
	struct vmd_error err;
	if (!machine_cont(h->m, &err))
		fprintf(h->out, "Error: %s\r\n", err.message);
}

static void hmp_system_reset(struct hmp *h)
{
	struct vmd_error err;
	if (!machine_reset(h->m, PROTO_SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET, &err))
		fprintf(h->out, "Error: %s\r\n", err.message);
}

static void hmp_system_powerdown(struct hmp *h)
{
	machine_powerdown(h->m);
}

static void hmp_quit(struct hmp *h)
{
	machine_end(h->m, PROTO_END_REASON_HOST_QUIT, PROTO_SHUTDOWN_CAUSE_HOST_QMP_QUIT, 0, NULL);
}

static const struct hmp_command commands[] = {
	{ "cont", "let the processors run on", hmp_cont },
	{ "quit", "end the machine's process", hmp_quit },
	{ "stop", "stop the processors", hmp_stop },
	{ "system_powerdown", "press the power key", hmp_system_powerdown },
	{ "system_reset", "reset the machine", hmp_system_reset },
	{ 0 },
};

static void list(struct hmp *h, const struct hmp_command *table, const char *prefix)
{
	for (const struct hmp_command *c = table; c->name; c++)
		fprintf(h->out, "%s%s -- %s\r\n", prefix, c->name, c->help);
}

static bool run(struct hmp *h, const struct hmp_command *table, const char *name)
{
	for (const struct hmp_command *c = table; name && c->name; c++)
		if (strcmp(c->name, name) == 0) {
			c->run(h);
			return true;
		}
	return false;
}

char *machine_hmp(struct machine *m, const char *line, unsigned cpu)
{
	char *text = NULL, *copy = strdup(line), *save;
	size_t size;
	struct hmp h = { .m = m, .cpu = cpu, .out = copy ? open_memstream(&text, &size) : NULL };
	if (!h.out) {
		free(copy);
		return NULL;
	}
	const char *word = strtok_r(copy, " \t", &save);
	const char *second = word ? strtok_r(NULL, " \t", &save) : NULL;
	if (!word) {
		/* an empty line is no command and no mistake */
	} else if (strcmp(word, "help") == 0 || strcmp(word, "?") == 0) {
		list(&h, commands, "");
		list(&h, infos, "info ");
	} else if (strcmp(word, "info") == 0) {
		if (!run(&h, infos, second))
			list(&h, infos, "info ");
	} else if (!run(&h, commands, word)) {
		fprintf(h.out, "unknown command: '%s'\r\n", word);
	}
	free(copy);
	return fclose(h.out) == 0 ? text : NULL;
}
