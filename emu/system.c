/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processors of a machine as a whole: making them, pausing and resetting
 * them, their lines, and looking into them while they stand still.
 *
 * `lock` guards pause_count, halted and the power states; vCPU threads wait on
 * `go` under it, and tell on `stopped` that they stand still.
 */
#include "emu/system.h"

#include "emu/sys_priv.h"
#include "emu/vcpu_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_COUNTER_HZ 62500000u

/* ---- Making ---- */

/* The memory map changed: forget what was derived from it. */
static void mem_changed(void *opaque, uint64_t base, uint64_t last, bool wait)
{
	struct emu_system *sys = opaque;
	const struct emu_tlbi req = { .kind = EMU_TLBI_PHYS, .lo = base, .hi = last };
	int self = emu_current_cpu();
	uint32_t seq[EMU_MAX_CPUS];

	for (unsigned i = 0; i < sys->n_cpus; i++) {
		if ((int)i == self)
			emu_tlb_apply(&sys->vcpus[i]->cpu, &req);
		else
			seq[i] = emu_vcpu_post_tlbi(sys->vcpus[i], &req);
	}
	for (unsigned i = 0; wait && i < sys->n_cpus; i++) {
		if ((int)i != self)
			emu_vcpu_wait_done(self >= 0 ? sys->vcpus[self] : NULL, sys->vcpus[i], seq[i]);
	}
}

static bool start_threads(struct emu_system *sys, struct vmd_error *err)
{
	for (; sys->n_started < sys->n_cpus; sys->n_started++) {
		struct emu_vcpu *vcpu = sys->vcpus[sys->n_started];
		int rc = pthread_create(&vcpu->thread, NULL, emu_vcpu_thread, vcpu);
		if (rc)
			return vmd_error_set(err, VMD_ERR_GENERIC, rc, "Cannot start the thread of vCPU %u",
				sys->n_started);
	}
	pthread_mutex_lock(&sys->lock);
	for (unsigned i = 0; i < sys->n_cpus; i++) {
		while (!atomic_load(&sys->vcpus[i]->stopped))
			pthread_cond_wait(&sys->stopped, &sys->lock);
	}
	pthread_mutex_unlock(&sys->lock);
	return true;
}

bool emu_system_add_jit(struct emu_cpu *cpu, struct vmd_error *err)
{
	struct emu_system *sys = cpu->system;
	struct vmd_error why;

	if (sys->accel == EMU_ACCEL_INTERP || emu_jit_init(cpu, &why))
		return true;
	if (sys->accel != EMU_ACCEL_AUTO) {
		vmd_error_hint(&why, "With --accel auto the machine runs all the same, slowly.");
		if (err)
			*err = why;
		return false;
	}
	sys->accel = EMU_ACCEL_INTERP;
	snprintf(sys->accel_note, sizeof(sys->accel_note), "%s", why.message);
	for (unsigned i = 0; i <= cpu->index; i++)
		emu_jit_fini(&sys->vcpus[i]->cpu);
	return true;
}

/* All vCPUs have been made. */
static void settle_accel(struct emu_system *sys)
{
	if (sys->accel == EMU_ACCEL_INTERP)
		return;
	if (sys->accel == EMU_ACCEL_AUTO)
		sys->accel = EMU_ACCEL_JIT;
	bool slow_memory = emu_system_jit_memory(sys) == EMU_JIT_MEMORY_TABLES;
	bool slow_vectors = !emu_jit_has_vectors(&sys->vcpus[0]->cpu);
	snprintf(sys->accel_note, sizeof(sys->accel_note), "%s%s%s",
		slow_memory ? "memory by small tables: no address space for page arrays" : "",
		slow_memory && slow_vectors ? "; " : "", slow_vectors ? "vectors by the interpreter: no AVX2" : "");
}

struct emu_system *emu_system_new(const struct emu_system_config *config, struct vmd_error *err)
{
	const struct emu_model *model = emu_model_find(config->cpu_model);
	if (!model) {
		char names[200] = "";
		const struct emu_cpu_model_info *info;
		for (unsigned i = 0; (info = emu_cpu_model_at(i)); i++) {
			size_t len = strlen(names);
			snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "", info->name);
		}
		vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "There is no CPU model '%s'", config->cpu_model);
		vmd_error_hint(err, "The models are: %s.", names);
		return NULL;
	}
	if (config->n_cpus < 1 || config->n_cpus > EMU_MAX_CPUS) {
		vmd_error_set(err, VMD_ERR_LIMIT, 0, "A machine has 1 to %d vCPUs, not %u", EMU_MAX_CPUS,
			config->n_cpus);
		return NULL;
	}
	if (config->jit_cache && (config->jit_cache < EMU_JIT_CACHE_MIN || config->jit_cache > EMU_JIT_CACHE_MAX)) {
		vmd_error_set(err, VMD_ERR_LIMIT, 0, "The JIT's cache has %llu to %llu bytes, not %llu",
			(unsigned long long)EMU_JIT_CACHE_MIN, (unsigned long long)EMU_JIT_CACHE_MAX,
			(unsigned long long)config->jit_cache);
		return NULL;
	}
	struct emu_system *sys = calloc(1, sizeof(*sys));
	if (!sys) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot make the vCPUs");
		return NULL;
	}
	sys->model = model;
	sys->n_cpus = config->n_cpus;
	sys->accel = config->accel;
	sys->jit_cache = config->jit_cache ? config->jit_cache : EMU_JIT_CACHE_DEFAULT;
	sys->jit_debug = config->jit_debug;
	sys->counter_hz = config->counter_hz ? config->counter_hz : DEFAULT_COUNTER_HZ;
	sys->mem = config->mem;
	sys->clock = config->clock;
	sys->event = config->event;
	sys->guest_error = config->guest_error;
	sys->report = config->report;
	sys->opaque = config->opaque;
	if (config->gic_cpuif) {
		sys->gic = *config->gic_cpuif;
		sys->has_gic = true;
	}
	if (config->semihost) {
		sys->semihost = *config->semihost;
		sys->has_semihost = true;
	}
	sys->pause_count = 1;
	sys->fresh = true;
	pthread_mutex_init(&sys->lock, NULL);
	pthread_cond_init(&sys->stopped, NULL);
	pthread_cond_init(&sys->go, NULL);
	pthread_mutex_init(&sys->verify_turns.lock, NULL);
	pthread_cond_init(&sys->verify_turns.changed, NULL);

	if (!emu_sysregs_init(sys, err) || !emu_semihost_init(sys, err))
		goto fail;
	if (sys->accel != EMU_ACCEL_INTERP && !(sys->ahead = emu_ahead_new(err)))
		goto fail;
	if (sys->accel != EMU_ACCEL_INTERP && !(sys->jit_debug & EMU_JIT_NO_PAGE_ARRAY))
		emu_jit_arrays_init(&sys->jit_arrays, sys->n_cpus);
	for (unsigned i = 0; i < sys->n_cpus; i++) {
		size_t size = (sizeof(struct emu_vcpu) + 63) & ~(size_t)63;
		struct emu_vcpu *vcpu = aligned_alloc(64, size);
		if (!vcpu) {
			vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot make vCPU %u", i);
			goto fail;
		}
		memset(vcpu, 0, size);
		sys->vcpus[i] = vcpu;
		if (!emu_vcpu_init(vcpu, sys, i, err))
			goto fail;
		atomic_store(&vcpu->cpu.attention, EMU_ATT_STOP);
		emu_vcpu_reset(vcpu, 0);
	}
	settle_accel(sys);
	if (!start_threads(sys, err))
		goto fail;
	emu_mem_listen(sys->mem, mem_changed, sys);
	return sys;
fail:
	emu_system_free(sys);
	return NULL;
}

void emu_system_free(struct emu_system *sys)
{
	if (!sys)
		return;
	pthread_mutex_lock(&sys->lock);
	sys->quit = true;
	pthread_cond_broadcast(&sys->go);
	pthread_mutex_unlock(&sys->lock);
	for (unsigned i = 0; i < sys->n_started; i++)
		emu_vcpu_kick(sys->vcpus[i], EMU_ATT_STOP);
	for (unsigned i = 0; i < sys->n_started; i++)
		pthread_join(sys->vcpus[i]->thread, NULL);
	emu_mem_listen(sys->mem, NULL, NULL);
	emu_ahead_free(sys->ahead);
	for (unsigned i = 0; i < sys->n_cpus && sys->vcpus[i]; i++) {
		emu_vcpu_fini(sys->vcpus[i]);
		free(sys->vcpus[i]);
	}
	emu_jit_arrays_fini(&sys->jit_arrays);
	emu_semihost_fini(sys);
	emu_sysregs_fini(sys);
	pthread_cond_destroy(&sys->verify_turns.changed);
	pthread_mutex_destroy(&sys->verify_turns.lock);
	pthread_cond_destroy(&sys->go);
	pthread_cond_destroy(&sys->stopped);
	pthread_mutex_destroy(&sys->lock);
	free(sys);
}

/* ---- What does not change ---- */

unsigned emu_system_n_cpus(const struct emu_system *sys)
{
	return sys->n_cpus;
}

const struct emu_cpu_model_info *emu_system_model(const struct emu_system *sys)
{
	return &sys->model->info;
}

enum emu_accel emu_system_accel(const struct emu_system *sys)
{
	return sys->accel;
}

const char *emu_system_accel_note(const struct emu_system *sys)
{
	return sys->accel_note;
}

enum emu_jit_memory emu_system_jit_memory(const struct emu_system *sys)
{
	if (sys->accel == EMU_ACCEL_INTERP)
		return EMU_JIT_MEMORY_NONE;
	return sys->jit_arrays.base ? EMU_JIT_MEMORY_ARRAYS : EMU_JIT_MEMORY_TABLES;
}

/* Sixteen to a cluster, so that a GICv3 SGI reaches a cluster with one target list. */
uint64_t emu_system_mpidr(const struct emu_system *sys, unsigned cpu)
{
	return (uint64_t)(cpu / 16) << 8 | cpu % 16;
}

pid_t emu_system_thread_id(const struct emu_system *sys, unsigned cpu)
{
	return atomic_load(&sys->vcpus[cpu]->tid);
}

bool emu_has(const struct emu_cpu *cpu, enum emu_feature feature)
{
	return cpu->system->model->feature[feature];
}

/* ---- Lines ---- */

static void line_set(void *opaque, unsigned n, bool level)
{
	struct emu_vcpu *vcpu = opaque;
	uint32_t bit = 1u << n;
	if (!level)
		atomic_fetch_and(&vcpu->lines, ~bit);
	else if (!(atomic_fetch_or(&vcpu->lines, bit) & bit))
		emu_vcpu_kick(vcpu, EMU_ATT_IRQ);
}

struct emu_irq emu_system_cpu_line(struct emu_system *sys, unsigned cpu, enum emu_cpu_line line)
{
	assert(cpu < sys->n_cpus);
	return (struct emu_irq){ .set = line_set, .opaque = sys->vcpus[cpu], .n = line };
}

void emu_system_connect(struct emu_system *sys, unsigned cpu, enum emu_cpu_output out, struct emu_irq irq)
{
	assert(cpu < sys->n_cpus);
	struct emu_vcpu *vcpu = sys->vcpus[cpu];
	switch (out) {
	case EMU_OUT_TIMER_PHYS:
		vcpu->gtimer[EMU_TIMER_PHYS].out = irq;
		break;
	case EMU_OUT_TIMER_VIRT:
		vcpu->gtimer[EMU_TIMER_VIRT].out = irq;
		break;
	case EMU_OUT_PMU:
		vcpu->pmu.out = irq;
		break;
	case EMU_OUT_TIMER_HYP: /* timers of EL2 and of the Secure state, which there are not */
	case EMU_OUT_TIMER_SEC:
	case EMU_OUT_COUNT:
		break;
	}
}

/* ---- Pause, resume, reset ---- */

void emu_system_set_boot(struct emu_system *sys, const struct emu_boot *boot)
{
	pthread_mutex_lock(&sys->lock);
	sys->boot = *boot;
	if (sys->fresh) {
		struct emu_cpu *cpu = &sys->vcpus[0]->cpu;
		cpu->pc = cpu->next_pc = boot->pc;
		memcpy(cpu->x, boot->x, sizeof(boot->x));
	}
	pthread_mutex_unlock(&sys->lock);
}

static void wait_stopped(struct emu_system *sys)
{
	for (unsigned i = 0; i < sys->n_cpus; i++) {
		while (!atomic_load(&sys->vcpus[i]->stopped))
			pthread_cond_wait(&sys->stopped, &sys->lock);
	}
}

void emu_system_pause(struct emu_system *sys)
{
	pthread_mutex_lock(&sys->lock);
	if (sys->pause_count++ == 0) {
		for (unsigned i = 0; i < sys->n_cpus; i++)
			emu_vcpu_kick(sys->vcpus[i], EMU_ATT_STOP);
	}
	wait_stopped(sys);
	pthread_mutex_unlock(&sys->lock);
}

void emu_system_resume(struct emu_system *sys)
{
	pthread_mutex_lock(&sys->lock);
	assert(sys->pause_count > 0);
	if (--sys->pause_count == 0 && !sys->halted) {
		sys->fresh = false;
		for (unsigned i = 0; i < sys->n_cpus; i++)
			atomic_store(&sys->vcpus[i]->stopped, false);
		pthread_cond_broadcast(&sys->go);
	}
	pthread_mutex_unlock(&sys->lock);
}

void emu_system_reset(struct emu_system *sys)
{
	pthread_mutex_lock(&sys->lock);
	assert(sys->pause_count > 0);
	sys->halted = false;
	sys->fresh = true;
	for (unsigned i = 0; i < sys->n_cpus; i++) {
		struct emu_vcpu *vcpu = sys->vcpus[i];
		atomic_store(&vcpu->power, i == 0 ? EMU_POWER_ON : EMU_POWER_OFF);
		emu_vcpu_reset(vcpu, i == 0 ? sys->boot.pc : 0);
	}
	memcpy(sys->vcpus[0]->cpu.x, sys->boot.x, sizeof(sys->boot.x));
	pthread_mutex_unlock(&sys->lock);
}

void emu_system_stop(struct emu_cpu *cpu, enum emu_event event, uint64_t value)
{
	struct emu_system *sys = cpu->system;

	pthread_mutex_lock(&sys->lock);
	bool first = !sys->halted;
	sys->halted = true;
	for (unsigned i = 0; i < sys->n_cpus; i++)
		emu_vcpu_kick(sys->vcpus[i], EMU_ATT_STOP);
	pthread_mutex_unlock(&sys->lock);
	if (first && sys->event)
		sys->event(sys->opaque, cpu->index, event, value);
}

_Noreturn void emu_system_halt(struct emu_cpu *cpu, enum emu_event event, uint64_t value)
{
	emu_system_stop(cpu, event, value);
	emu_end_insn(cpu);
}

/* ---- Looking in ---- */

void emu_system_get_regs(struct emu_system *sys, unsigned cpu_index, struct emu_regs *ret_regs)
{
	const struct emu_cpu *cpu = &sys->vcpus[cpu_index]->cpu;
	memcpy(ret_regs->x, cpu->x, sizeof(ret_regs->x));
	ret_regs->sp = cpu->x[31];
	ret_regs->pc = cpu->pc;
	ret_regs->pstate = emu_pstate_to_spsr(cpu);
	ret_regs->fpcr = cpu->fpcr;
	ret_regs->fpsr = cpu->fpsr;
	for (unsigned i = 0; i < 32; i++)
		memcpy(ret_regs->v[i], cpu->v[i].d, sizeof(ret_regs->v[i]));
}

void emu_system_set_regs(struct emu_system *sys, unsigned cpu_index, const struct emu_regs *regs)
{
	struct emu_cpu *cpu = &sys->vcpus[cpu_index]->cpu;
	unsigned el = regs->pstate >> 2 & 3;

	if (el <= 1)
		emu_set_sp(cpu, el, el ? regs->pstate & 1 : 0);
	cpu->pstate.d = regs->pstate >> 9 & 1;
	cpu->pstate.a = regs->pstate >> 8 & 1;
	cpu->pstate.i = regs->pstate >> 7 & 1;
	cpu->pstate.f = regs->pstate >> 6 & 1;
	cpu->nzcv = regs->pstate & 0xf0000000;
	memcpy(cpu->x, regs->x, sizeof(regs->x));
	cpu->x[31] = regs->sp;
	cpu->pc = cpu->next_pc = regs->pc;
	cpu->fpcr = regs->fpcr;
	cpu->fpsr = regs->fpsr;
	for (unsigned i = 0; i < 32; i++)
		memcpy(cpu->v[i].d, regs->v[i], sizeof(regs->v[i]));
	emu_pstate_changed(cpu);
	emu_check_lines(cpu);
}

bool emu_system_read_virt(struct emu_system *sys, unsigned cpu_index, uint64_t va, void *buf, size_t len)
{
	struct emu_cpu *cpu = &sys->vcpus[cpu_index]->cpu;
	enum emu_regime as = cpu->pstate.el == 0 ? EMU_AS_EL0 : EMU_AS_EL1;

	for (size_t done = 0, n; done < len; done += n) {
		struct emu_walk walk;
		uint8_t fsc;
		n = EMU_PAGE_SIZE - ((va + done) & EMU_PAGE_MASK);
		if (n > len - done)
			n = len - done;
		unsigned token = emu_mem_enter(sys->mem);
		/* What can only be executed may be looked at too. */
		bool ok = emu_mmu_walk(cpu, va + done, as, EMU_READ, true, &walk, &fsc) ||
			  emu_mmu_walk(cpu, va + done, as, EMU_EXEC, true, &walk, &fsc);
		emu_mem_leave(sys->mem, token);
		if (!ok || !emu_mem_dma_read(sys->mem, walk.pa, (uint8_t *)buf + done, n))
			return false;
	}
	return true;
}

enum emu_cpu_state emu_system_cpu_state(const struct emu_system *sys, unsigned cpu)
{
	const struct emu_vcpu *vcpu = sys->vcpus[cpu];
	if (atomic_load(&vcpu->power) == EMU_POWER_OFF)
		return EMU_CPU_OFF;
	if (atomic_load(&vcpu->stopped))
		return EMU_CPU_PAUSED;
	return atomic_load(&vcpu->parked) ? EMU_CPU_WAITING : EMU_CPU_RUNNING;
}

uint64_t emu_system_retired(const struct emu_system *sys, unsigned cpu)
{
	return __atomic_load_n(&sys->vcpus[cpu]->cpu.retired, __ATOMIC_RELAXED);
}

void emu_guest_error(struct emu_cpu *cpu, const char *fmt, ...)
{
	struct emu_system *sys = cpu->system;
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	uint64_t now = (uint64_t)ts.tv_sec + 1;
	if (!sys->guest_error || atomic_exchange(&sys->last_guest_error, now) == now)
		return;
	char text[200], message[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(message, sizeof(message), "vCPU %u at pc 0x%llx: %s", cpu->index, (unsigned long long)cpu->pc, text);
	sys->guest_error(sys->opaque, message);
}
