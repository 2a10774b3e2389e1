/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine's life: made, run, stopped, reset, ended. Thread: I/O; what vCPU
 * threads report is posted here first.
 */
#include "vmd/machine_priv.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SEMIHOST_TRIES 1000 /* a millisecond apart */
#define GUEST_ERRORS_INTERVAL_NS UINT64_C(100000000) /* one line of log each */

/* ---- What vCPUs report ---- */

struct report {
	struct machine *m;
	enum emu_event event;
	uint64_t value;
};

static void on_report(void *arg)
{
	struct report r = *(struct report *)arg;
	free(arg);
	struct machine *m = r.m;
	struct vmd_error err;
	switch (r.event) {
	case EMU_EVENT_SHUTDOWN:
		machine_end(m, PROTO_END_REASON_GUEST_SHUTDOWN, PROTO_SHUTDOWN_CAUSE_GUEST_SHUTDOWN, 0, NULL);
		break;
	case EMU_EVENT_RESET:
		if (m->launch->definition.on_reboot == PROTO_REBOOT_ACTION_STOP)
			machine_end(m, PROTO_END_REASON_GUEST_RESET, PROTO_SHUTDOWN_CAUSE_GUEST_RESET, 0, NULL);
		else if (!machine_reset(m, PROTO_SHUTDOWN_CAUSE_GUEST_RESET, &err))
			machine_end(m, PROTO_END_REASON_ERROR, PROTO_SHUTDOWN_CAUSE_HOST_ERROR, 0, err.message);
		break;
	case EMU_EVENT_EXIT:
		machine_end(m, PROTO_END_REASON_GUEST_EXIT, PROTO_SHUTDOWN_CAUSE_GUEST_SHUTDOWN, (int)(r.value & 0xff), NULL);
		break;
	case EMU_EVENT_PANIC:
		machine_end(m, PROTO_END_REASON_ERROR, PROTO_SHUTDOWN_CAUSE_HOST_ERROR, 0, "the emulator cannot go on: see the machine's log");
		break;
	}
}

static void report(void *opaque, unsigned cpu, enum emu_event event, uint64_t value)
{
	struct machine *m = opaque;
	struct report *r = malloc(sizeof(*r));
	if (!r)
		abort(); /* the guest has stopped and nobody would know */
	*r = (struct report){ .m = m, .event = event, .value = value };
	machine_queue_post(m->queue, on_report, r);
}

static void log_guest_error(struct machine *m, const char *device, const char *message)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	uint64_t now = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	uint64_t next = atomic_load(&m->next_guest_error_ns);
	if (now < next || !atomic_compare_exchange_strong(&m->next_guest_error_ns, &next, now + GUEST_ERRORS_INTERVAL_NS)) {
		atomic_fetch_add(&m->muted_guest_errors, 1);
		return;
	}
	uint32_t muted = atomic_exchange(&m->muted_guest_errors, 0);
	if (muted)
		fprintf(stderr, "guest error: %s: %s (and %" PRIu32 " more before)\n", device, message, muted);
	else
		fprintf(stderr, "guest error: %s: %s\n", device, message);
}

static void cpu_guest_error(void *opaque, const char *message)
{
	log_guest_error(opaque, "cpu", message);
}

static void cpu_report(void *opaque, const char *text)
{
	fputs(text, stderr);
}

static void device_guest_error(void *opaque, const char *device, const char *message)
{
	log_guest_error(opaque, device, message);
}

static void semihost_write(void *opaque, const uint8_t *buf, size_t len)
{
	struct machine *m = opaque;
	struct machine_chardev *c = machine_find_chardev(m, m->launch->definition.serials[0]);
	/* The guest waits for a host that is slow to take it, but not for ever. */
	for (unsigned tries = 0; len > 0 && tries < SEMIHOST_TRIES; tries++) {
		size_t n = backends_chardev_write(c->chr, buf, len);
		buf += n;
		len -= n;
		if (len > 0)
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

/* ---- What devices ask ---- */

static void env_post(void *opaque, void (*fn)(void *arg), void *arg)
{
	struct machine *m = opaque;
	machine_queue_post(m->queue, fn, arg);
}

static struct backends_chardev *env_find_chardev(void *opaque, const char *id)
{
	struct machine_chardev *c = machine_find_chardev(opaque, id);
	return c ? c->chr : NULL;
}

struct machine_chardev *machine_find_chardev(struct machine *m, const char *id)
{
	for (size_t i = 0; i < m->n_chardevs; i++)
		if (strcmp(m->chardevs[i].id, id) == 0)
			return &m->chardevs[i];
	return NULL;
}

/* ---- What chardevs report ---- */

static void chardev_exit(void *opaque, int status)
{
	machine_end(opaque, PROTO_END_REASON_GUEST_EXIT, PROTO_SHUTDOWN_CAUSE_GUEST_SHUTDOWN, status & 0xff, NULL);
}

static void chardev_connected(void *opaque, struct backends_chardev *chr)
{
	struct machine *m = opaque;
	if (m->run_wanted)
		machine_cont(m, NULL);
}

static void chardev_trouble(void *opaque, struct backends_chardev *chr, const struct vmd_error *err)
{
	fprintf(stderr, "%s%s%s\n", err->message, err->hint[0] ? "; " : "", err->hint);
}

/* ---- Making it ---- */

static const struct machine_launch_chardev *find_launch(const struct machine *m, const char *id)
{
	for (size_t i = 0; i < m->launch->n_chardevs; i++)
		if (strcmp(m->launch->chardevs[i].id, id) == 0)
			return &m->launch->chardevs[i];
	return NULL;
}

static bool make_chardev(struct machine *m, const struct proto_chardev_definition *def, struct vmd_error *err)
{
	struct backends_chardev_host host = {
		.exit = chardev_exit, .connected = chardev_connected, .trouble = chardev_trouble, .opaque = m,
	};
	static const int none[2] = { -1, -1 };
	const struct machine_launch_chardev *launch = find_launch(m, def->id);
	if (m->n_chardevs == MACHINE_MAX_CHARDEVS)
		return vmd_error_set(err, VMD_ERR_LIMIT, 0, "a machine has at most %d chardevs", MACHINE_MAX_CHARDEVS);
	struct backends_chardev_config *config = machine_chardev_config(def, err);
	if (!config)
		return false;
	struct backends_chardev *chr = backends_chardev_new(m->loop, config, launch ? launch->fds : none, &host, err);
	backends_chardev_config_free(config);
	if (!chr)
		return false;
	m->chardevs[m->n_chardevs++] = (struct machine_chardev){ .id = def->id, .chr = chr };
	return !launch || launch->console_fd < 0 || backends_chardev_serve_console(chr, launch->console_fd, err);
}

static bool make_chardevs(struct machine *m, struct vmd_error *err)
{
	const struct proto_machine_definition *d = &m->launch->definition;
	for (size_t i = 0; i < d->n_chardevs; i++)
		if (!make_chardev(m, &d->chardevs[i], err))
			return vmd_error_prefix(err, "chardev '%s'", d->chardevs[i].id);
	for (size_t i = 0; i < d->n_serials; i++)
		if (!machine_find_chardev(m, d->serials[i])) {
			vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "serial %zu: there is no chardev '%s'", i, d->serials[i]);
			return vmd_error_hint(err, "add --chardev BACKEND,id=%s", d->serials[i]);
		}
	return true;
}

static unsigned jit_debug(const struct proto_machine_definition *d)
{
	static const unsigned bits[] = {
		[PROTO_JIT_DEBUG_ONE_INSN] = EMU_JIT_ONE_INSN,       [PROTO_JIT_DEBUG_NO_CHAIN] = EMU_JIT_NO_CHAIN,
		[PROTO_JIT_DEBUG_NO_FAST_MEM] = EMU_JIT_NO_FAST_MEM, [PROTO_JIT_DEBUG_NO_NATIVE] = EMU_JIT_NO_NATIVE,
		[PROTO_JIT_DEBUG_NO_PAGE_ARRAY] = EMU_JIT_NO_PAGE_ARRAY, [PROTO_JIT_DEBUG_NO_AVX2] = EMU_JIT_NO_AVX2,
		[PROTO_JIT_DEBUG_NO_AVX512] = EMU_JIT_NO_AVX512,
	};
	unsigned all = 0;
	for (size_t i = 0; i < d->n_jit_debug; i++)
		all |= bits[d->jit_debug[i]];
	return all;
}

static bool make_board(struct machine *m, struct vmd_error *err)
{
	const struct machine_launch *l = m->launch;
	const struct proto_machine_definition *d = &l->definition;
	static const enum emu_accel accels[] = { [PROTO_ACCEL_AUTO_] = EMU_ACCEL_AUTO, [PROTO_ACCEL_INTERP] = EMU_ACCEL_INTERP,
						 [PROTO_ACCEL_JIT] = EMU_ACCEL_JIT, [PROTO_ACCEL_VERIFY] = EMU_ACCEL_VERIFY };
	struct board_device *devices = calloc(d->n_devices ? d->n_devices : 1, sizeof(*devices));
	if (!devices)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	for (size_t i = 0; i < d->n_devices; i++)
		devices[i] = (struct board_device){ .driver = d->devices[i].driver, .id = d->devices[i].id,
						    .bus = d->devices[i].bus, .n_props = d->devices[i].n_props,
						    .props = d->devices[i].props };
	struct board_config config = {
		.cpu_model = d->cpu.model,
		.accel = accels[d->accel],
		.jit_cache = d->jit_cache,
		.jit_debug = jit_debug(d),
		.n_cpus = (unsigned)d->cpus,
		.ram_size = d->memory,
		.gic_version = d->machine.gic_version == PROTO_GIC_VERSION_2 ? 2 : 3,
		.semihosting = d->machine.semihosting,
		.semihosting_files = d->machine.semihosting_files,
		.semihosting_cmdline = d->append,
		.append = d->append,
		.bios = l->bios,
		.kernel = l->kernel,
		.dtb = l->dtb,
		.initrds = l->initrds,
		.n_initrds = l->n_initrds,
		.n_serials = d->n_serials < BOARD_MAX_SERIALS ? d->n_serials : BOARD_MAX_SERIALS,
		.devices = devices,
		.n_devices = d->n_devices,
		.event = report,
		.guest_error = cpu_guest_error,
		.report = cpu_report,
		.semihost_write = semihost_write,
		.opaque = m,
	};
	for (size_t i = 0; i < config.n_serials; i++)
		config.serials[i] = d->serials[i];
	m->board = board_new(&config, &m->env, err);
	free(devices);
	return m->board != NULL;
}

bool machine_init(struct machine *m, uv_loop_t *loop, struct machine_launch *launch, struct vmd_error *err)
{
	*m = (struct machine){ .loop = loop, .launch = launch, .state = PROTO_RUN_STATE_PRELAUNCH };
	m->queue = machine_queue_new(loop, err);
	m->clock = m->queue ? emu_clock_new(err) : NULL;
	const struct emu_cpu_model_info *model = NULL;
	for (unsigned i = 0; (model = emu_cpu_model_at(i)); i++)
		if (strcmp(model->name, launch->definition.cpu.model) == 0)
			break;
	if (m->clock && !model) {
		vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "there is no CPU model '%s'", launch->definition.cpu.model);
		vmd_error_hint(err, "see 'vmctl create --cpu help'");
	}
	m->mem = m->clock && model ? emu_mem_new(model->pa_bits, err) : NULL;
	m->env = (struct devices_env){ .mem = m->mem, .clock = m->clock, .post = env_post, .find_chardev = env_find_chardev,
				       .guest_error = device_guest_error, .opaque = m };
	if (m->mem && make_chardevs(m, err) && make_board(m, err)) {
		m->monitor = launch->qmp_fd < 0 ? NULL : machine_monitor_new(m, launch->qmp_fd, err);
		if (m->monitor || launch->qmp_fd < 0)
			return true;
	}
	machine_fini(m);
	return false;
}

void machine_fini(struct machine *m)
{
	machine_monitor_free(m->monitor);
	board_free(m->board);
	emu_mem_free(m->mem);
	emu_clock_free(m->clock);
	while (m->n_chardevs > 0)
		backends_chardev_free(m->chardevs[--m->n_chardevs].chr);
	machine_queue_free(m->queue);
	machine_close_fds(m);
	m->monitor = NULL;
	m->board = NULL;
	m->mem = NULL;
	m->clock = NULL;
	m->queue = NULL;
}

/* ---- Running ---- */

static void pause_vcpus(struct machine *m)
{
	if (!m->vcpus_run)
		return;
	emu_system_pause(board_system(m->board));
	emu_clock_pause(m->clock);
	m->vcpus_run = false;
}

static void resume_vcpus(struct machine *m)
{
	if (m->vcpus_run)
		return;
	emu_clock_resume(m->clock);
	emu_system_resume(board_system(m->board));
	m->vcpus_run = true;
}

bool machine_cont(struct machine *m, struct vmd_error *err)
{
	if (m->ended)
		return vmd_error_set(err, VMD_ERR_WRONG_STATE, 0, "the machine has ended");
	for (size_t i = 0; i < m->n_chardevs; i++)
		if (backends_chardev_waiting(m->chardevs[i].chr)) {
			m->run_wanted = true;
			return true;
		}
	m->run_wanted = false;
	if (m->vcpus_run)
		return true;
	m->state = PROTO_RUN_STATE_RUNNING;
	resume_vcpus(m);
	machine_monitor_emit(m->monitor, proto_desc_event_qmp_resume, &(struct proto_event_qmp_resume){});
	return true;
}

void machine_stop(struct machine *m)
{
	m->run_wanted = false;
	if (!m->vcpus_run)
		return;
	pause_vcpus(m);
	m->state = PROTO_RUN_STATE_PAUSED;
	machine_monitor_emit(m->monitor, proto_desc_event_qmp_stop, &(struct proto_event_qmp_stop){});
}

bool machine_reset(struct machine *m, enum proto_shutdown_cause cause, struct vmd_error *err)
{
	bool ran = m->vcpus_run;
	pause_vcpus(m);
	if (!board_reset(m->board, err))
		return false;
	m->powering_down = false;
	struct proto_event_qmp_reset data = { .guest = cause == PROTO_SHUTDOWN_CAUSE_GUEST_RESET, .reason = cause };
	machine_monitor_emit(m->monitor, proto_desc_event_qmp_reset, &data);
	if (ran)
		resume_vcpus(m);
	return true;
}

void machine_powerdown(struct machine *m)
{
	m->powering_down = true;
	machine_monitor_emit(m->monitor, proto_desc_event_qmp_powerdown, &(struct proto_event_qmp_powerdown){});
	board_press_power_key(m->board);
}

/* ---- The end ---- */

static void write_exit_record(const struct machine *m, enum proto_end_reason reason, int status, const char *message)
{
	int fd = m->launch->exit_fd;
	struct proto_exit_record record = { .reason = reason, .status = status, .message = (char *)message };
	json_t *json = fd < 0 ? NULL : proto_exit_record_to_json(&record);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (text && (ftruncate(fd, 0) < 0 || pwrite(fd, text, strlen(text), 0) != (ssize_t)strlen(text)))
		fprintf(stderr, "cannot write the exit record: %m\n");
	free(text);
}

void machine_end(struct machine *m, enum proto_end_reason reason, enum proto_shutdown_cause cause, int status,
		 const char *message)
{
	if (m->ended)
		return;
	m->ended = true;
	pause_vcpus(m);
	m->state = reason == PROTO_END_REASON_ERROR ? PROTO_RUN_STATE_INTERNAL_ERROR : PROTO_RUN_STATE_SHUTDOWN;
	struct proto_event_qmp_shutdown data = { .reason = cause, .guest = cause == PROTO_SHUTDOWN_CAUSE_GUEST_SHUTDOWN ||
								     cause == PROTO_SHUTDOWN_CAUSE_GUEST_RESET ||
								     cause == PROTO_SHUTDOWN_CAUSE_GUEST_PANIC };
	machine_monitor_emit(m->monitor, proto_desc_event_qmp_shutdown, &data);
	write_exit_record(m, reason, status, message);
	if (message)
		fprintf(stderr, "%s\n", message);
	uv_stop(m->loop);
}
