/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a vCPU's thread: running, waiting for interrupts and events,
 * standing still for a pause, powered off; and the work that vCPUs ask of each
 * other (TLBI, IC).
 *
 * Sleeping: the thread sets `sleeping`, looks again at everything that could
 * wake it, then waits on it as a futex. Whoever changes one of those things
 * does so first, then clears `sleeping` and wakes.
 *
 * Parked: a thread that executes nothing (asleep, paused or off) says so in
 * `parked`, and empties its inbox after it has taken that back and before it
 * executes again. Another vCPU's DSB therefore need not wake it. Both sides use
 * sequentially consistent atomics: either the sender sees `parked`, or the
 * receiver sees what was posted.
 */
#include "emu/vcpu_priv.h"

#include "emu/host_atomic_priv.h"
#include "emu/jit.h"
#include "emu/sys_priv.h"
#include "emu/verify.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ---- Futexes ---- */

static void futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, ns == UINT64_MAX ? NULL : &ts, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

void emu_vcpu_kick(struct emu_vcpu *vcpu, uint32_t attention)
{
	atomic_fetch_or(&vcpu->cpu.attention, attention);
	if (atomic_exchange(&vcpu->sleeping, 0))
		futex_wake(&vcpu->sleeping);
}

/* ---- The inbox ---- */

static void drop_code_page(struct emu_cpu *cpu, uint64_t page_pa)
{
	emu_code_drop_page(cpu, page_pa);
	emu_jit_drop_page(cpu, page_pa);
}

void emu_drop_all_code(struct emu_cpu *cpu)
{
	emu_code_drop_all(cpu);
	emu_jit_drop_all(cpu);
}

static void inbox_run(struct emu_vcpu *vcpu)
{
	struct emu_cpu *cpu = &vcpu->cpu;
	struct emu_inbox *inbox = &vcpu->inbox;

	pthread_mutex_lock(&inbox->lock);
	atomic_fetch_and(&cpu->attention, ~(uint32_t)EMU_ATT_TLB);
	for (unsigned i = 0; i < inbox->n; i++)
		emu_tlb_apply(cpu, &inbox->tlbi[i]);
	if (inbox->all_code)
		emu_drop_all_code(cpu);
	for (unsigned i = 0; i < inbox->n_pages; i++)
		drop_code_page(cpu, inbox->code_page[i]);
	inbox->n = inbox->n_pages = 0;
	inbox->all_code = false;
	atomic_store(&inbox->done, atomic_load(&inbox->posted));
	pthread_mutex_unlock(&inbox->lock);
	futex_wake(&inbox->done);
}

static void park(struct emu_vcpu *vcpu)
{
	atomic_store(&vcpu->parked, true);
	futex_wake(&vcpu->inbox.done); /* a DSB need not wait any longer */
}

static void unpark(struct emu_vcpu *vcpu)
{
	atomic_store(&vcpu->parked, false);
	if (atomic_load(&vcpu->cpu.attention) & EMU_ATT_TLB)
		inbox_run(vcpu);
}

/* Ends a post: the number of the request; wakes nobody who is parked. */
static uint32_t inbox_posted(struct emu_vcpu *vcpu)
{
	uint32_t seq = atomic_fetch_add(&vcpu->inbox.posted, 1) + 1;
	atomic_fetch_or(&vcpu->cpu.attention, EMU_ATT_TLB);
	pthread_mutex_unlock(&vcpu->inbox.lock);
	return seq;
}

uint32_t emu_vcpu_post_tlbi(struct emu_vcpu *vcpu, const struct emu_tlbi *req)
{
	struct emu_inbox *inbox = &vcpu->inbox;
	pthread_mutex_lock(&inbox->lock);
	if (inbox->n == EMU_INBOX_SIZE || req->kind == EMU_TLBI_ALL) {
		inbox->tlbi[0] = (struct emu_tlbi){ .kind = EMU_TLBI_ALL };
		inbox->n = 1;
	} else if (inbox->n == 0 || inbox->tlbi[0].kind != EMU_TLBI_ALL) {
		inbox->tlbi[inbox->n++] = *req;
	}
	return inbox_posted(vcpu);
}

static uint32_t post_code_drop(struct emu_vcpu *vcpu, uint64_t page_pa, bool all)
{
	struct emu_inbox *inbox = &vcpu->inbox;
	pthread_mutex_lock(&inbox->lock);
	if (all || inbox->n_pages == EMU_INBOX_SIZE) {
		inbox->all_code = true;
		inbox->n_pages = 0;
	} else if (!inbox->all_code && !(inbox->n_pages && inbox->code_page[inbox->n_pages - 1] == page_pa)) {
		inbox->code_page[inbox->n_pages++] = page_pa;
	}
	return inbox_posted(vcpu);
}

void emu_vcpu_wait_done(struct emu_vcpu *self, struct emu_vcpu *target, uint32_t seq)
{
	for (unsigned spins = 0;; spins++) {
		uint32_t done = atomic_load(&target->inbox.done);
		if ((int32_t)(done - seq) >= 0 || atomic_load(&target->parked))
			return;
		/* Two that wait for each other must not wait for ever. */
		if (self && (atomic_load(&self->cpu.attention) & EMU_ATT_TLB))
			inbox_run(self);
		if (spins < 64)
			__builtin_ia32_pause();
		else
			futex_wait(&target->inbox.done, done, 200000);
	}
}

static void note_posted(struct emu_vcpu *self, unsigned target, uint32_t seq)
{
	self->sync_mask |= UINT64_C(1) << target;
	self->sync_seq[target] = seq;
}

void emu_broadcast_tlbi(struct emu_cpu *cpu, const struct emu_tlbi *req)
{
	emu_tlb_apply(cpu, req);
	for (unsigned i = 0; i < cpu->system->n_cpus; i++) {
		if (i != cpu->index)
			note_posted(cpu->vcpu, i, emu_vcpu_post_tlbi(cpu->system->vcpus[i], req));
	}
}

void emu_broadcast_code_drop(struct emu_cpu *cpu, uint64_t page_pa, bool all)
{
	if (all)
		emu_drop_all_code(cpu);
	else
		drop_code_page(cpu, page_pa);
	for (unsigned i = 0; i < cpu->system->n_cpus; i++) {
		if (i != cpu->index)
			note_posted(cpu->vcpu, i, post_code_drop(cpu->system->vcpus[i], page_pa, all));
	}
}

void emu_dsb(struct emu_cpu *cpu)
{
	struct emu_vcpu *vcpu = cpu->vcpu;
	atomic_thread_fence(memory_order_seq_cst);
	while (vcpu->sync_mask) {
		unsigned target = (unsigned)__builtin_ctzll(vcpu->sync_mask);
		vcpu->sync_mask &= vcpu->sync_mask - 1;
		emu_vcpu_wait_done(vcpu, cpu->system->vcpus[target], vcpu->sync_seq[target]);
	}
}

void emu_isb(struct emu_cpu *cpu)
{
	/* Every change of context takes effect at once; only the other vCPUs' requests may be waiting. */
	if (atomic_load(&cpu->attention) & EMU_ATT_TLB)
		inbox_run(cpu->vcpu);
}

/* ---- WFI, WFE, SEV ---- */

#define WAKE_ALWAYS (EMU_ATT_STOP | EMU_ATT_POWER | EMU_ATT_TIMER)

/* Host nanoseconds from now until the counter reaches `ticks`. */
static uint64_t ns_until(const struct emu_cpu *cpu, uint64_t ticks)
{
	uint64_t at = emu_counter_to_ns(cpu->system, ticks), now = emu_clock_now(cpu->system->clock);
	return at == UINT64_MAX ? UINT64_MAX : at > now ? at - now : 0;
}

static bool may_sleep(const struct emu_vcpu *vcpu)
{
	return !atomic_load(&vcpu->lines) && !(atomic_load(&vcpu->cpu.attention) & WAKE_ALWAYS);
}

static bool passed(const struct emu_cpu *cpu, uint64_t deadline)
{
	return deadline != UINT64_MAX && emu_counter_now(cpu->system) >= deadline;
}

/* Any interrupt ends it, masked or not; so may a pause, after which the guest waits again. */
void emu_wfi(struct emu_cpu *cpu, uint64_t deadline)
{
	struct emu_vcpu *vcpu = cpu->vcpu;
	if (!may_sleep(vcpu) || passed(cpu, deadline))
		return;
	if (cpu->pstate.el == 0 && !(cpu->sys[EMU_SR_SCTLR_EL1] >> 16 & 1)) /* nTWI */
		emu_raise_wfx_trap(cpu, deadline == UINT64_MAX ? 0 : 2);

	park(vcpu);
	while (!passed(cpu, deadline)) {
		uint64_t ns = deadline == UINT64_MAX ? UINT64_MAX : ns_until(cpu, deadline);
		atomic_store(&vcpu->sleeping, 1);
		if (!may_sleep(vcpu))
			break;
		futex_wait(&vcpu->sleeping, 1, ns);
	}
	atomic_store(&vcpu->sleeping, 0);
	unpark(vcpu);
}

/* Whether another's store has taken the exclusive monitor away. That wakes WFE;
 * it is seen by the value, which is what store-exclusives go by too. */
static bool monitor_lost(struct emu_cpu *cpu, uint64_t pa)
{
	unsigned size = cpu->excl_size;
	/* This may run while parked, so the map is read as other threads read it. */
	unsigned token = emu_mem_enter(cpu->system->mem);
	const struct emu_region *region = emu_mem_find(cpu->system->mem, pa);
	bool lost = true;
	if (region && emu_region_is_readable(region)) {
		const uint8_t *host = (const uint8_t *)region->desc.host + (pa - region->desc.base);
		lost = host_load(host, size < 8 ? size : 8) != cpu->excl_val[0] ||
		       (size == 16 && host_load(host + 8, 8) != cpu->excl_val[1]);
	}
	emu_mem_leave(cpu->system->mem, token);
	return lost;
}

/*
 * A waiter on LDXR; WFE polls the location, often at first, then every 50 us,
 * and wakes after 1 ms in any case (WFE may wake for any reason): a store of
 * the value that was there before clears the monitor and cannot be seen. Other
 * waiters sleep until SEV, an interrupt or the event stream.
 */
void emu_wfe(struct emu_cpu *cpu, uint64_t deadline)
{
	enum { POLLS = 200, POLL_NS = 50000, MAX_SLEEPS = 20 };
	struct emu_vcpu *vcpu = cpu->vcpu;
	uint64_t next_event;

	if (emu_event_stream(cpu, &next_event))
		atomic_store(&vcpu->event, true);
	if (atomic_exchange(&vcpu->event, false) || !may_sleep(vcpu) || passed(cpu, deadline))
		return;
	if (cpu->pstate.el == 0 && !(cpu->sys[EMU_SR_SCTLR_EL1] >> 18 & 1)) /* nTWE */
		emu_raise_wfx_trap(cpu, deadline == UINT64_MAX ? 1 : 3);

	uint64_t until = deadline < next_event ? deadline : next_event;
	struct emu_walk walk;
	uint8_t fsc;
	bool polling = cpu->excl_size;
	if (polling && !emu_mmu_walk(cpu, cpu->excl_addr, emu_regime_now(cpu), EMU_READ, true, &walk, &fsc))
		return;
	for (unsigned i = 0; polling && i < POLLS; i++) {
		if (monitor_lost(cpu, walk.pa) || atomic_load(&vcpu->event))
			return;
		__builtin_ia32_pause();
	}
	park(vcpu);
	for (unsigned i = 0; !polling || i < MAX_SLEEPS; i++) {
		uint64_t ns = until == UINT64_MAX ? UINT64_MAX : ns_until(cpu, until);
		if (polling && ns > POLL_NS)
			ns = POLL_NS;
		atomic_store(&vcpu->sleeping, 1);
		if (!may_sleep(vcpu) || atomic_exchange(&vcpu->event, false) || passed(cpu, until) ||
		    (polling && monitor_lost(cpu, walk.pa)))
			break;
		futex_wait(&vcpu->sleeping, 1, ns);
	}
	atomic_store(&vcpu->sleeping, 0);
	unpark(vcpu);
}

void emu_sev(struct emu_cpu *cpu)
{
	for (unsigned i = 0; i < cpu->system->n_cpus; i++) {
		struct emu_vcpu *vcpu = cpu->system->vcpus[i];
		atomic_store(&vcpu->event, true);
		emu_vcpu_kick(vcpu, 0);
	}
}

void emu_sevl(struct emu_cpu *cpu)
{
	atomic_store(&cpu->vcpu->event, true);
}

/* ---- The thread ---- */

static void wait_for_power(struct emu_vcpu *vcpu)
{
	struct emu_system *sys = vcpu->cpu.system;

	park(vcpu);
	for (;;) {
		atomic_store(&vcpu->sleeping, 1);
		if (atomic_load(&vcpu->power) != EMU_POWER_OFF ||
		    (atomic_load(&vcpu->cpu.attention) & EMU_ATT_STOP))
			break;
		futex_wait(&vcpu->sleeping, 1, UINT64_MAX);
	}
	atomic_store(&vcpu->sleeping, 0);
	unpark(vcpu);

	pthread_mutex_lock(&sys->lock);
	bool start = atomic_load(&vcpu->power) == EMU_POWER_ON_PENDING && !sys->pause_count && !sys->quit &&
		     !sys->halted;
	if (start) {
		emu_vcpu_reset(vcpu, vcpu->start_pc);
		vcpu->cpu.x[0] = vcpu->start_arg;
		atomic_store(&vcpu->power, EMU_POWER_ON);
	}
	pthread_mutex_unlock(&sys->lock);
}

/* Stands still while the system is paused. False when it is over. */
static bool stand_still(struct emu_vcpu *vcpu)
{
	struct emu_system *sys = vcpu->cpu.system;

	park(vcpu);
	pthread_mutex_lock(&sys->lock);
	atomic_fetch_and(&vcpu->cpu.attention, ~(uint32_t)EMU_ATT_STOP);
	while ((sys->pause_count || sys->halted) && !sys->quit) {
		if (!atomic_load(&vcpu->stopped)) {
			atomic_store(&vcpu->stopped, true);
			pthread_cond_broadcast(&sys->stopped);
		}
		pthread_cond_wait(&sys->go, &sys->lock);
	}
	atomic_store(&vcpu->stopped, false);
	bool go_on = !sys->quit;
	pthread_mutex_unlock(&sys->lock);
	unpark(vcpu);
	return go_on;
}

void *emu_vcpu_thread(void *arg)
{
	struct emu_vcpu *vcpu = arg;
	struct emu_cpu *cpu = &vcpu->cpu;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", cpu->index);
	prctl(PR_SET_NAME, name);
	prctl(PR_SET_TIMERSLACK, 1000ul);
	atomic_store(&vcpu->tid, (pid_t)syscall(SYS_gettid));
	emu_set_current_cpu((int)cpu->index);

	for (;;) {
		uint32_t attention = atomic_load(&cpu->attention);
		if (attention & EMU_ATT_STOP) {
			if (!stand_still(vcpu))
				return NULL;
			continue;
		}
		if (atomic_load(&vcpu->power) != EMU_POWER_ON) {
			wait_for_power(vcpu);
			continue;
		}
		if (attention & EMU_ATT_TLB)
			inbox_run(vcpu);
		if (attention & EMU_ATT_TIMER) {
			atomic_fetch_and(&cpu->attention, ~(uint32_t)EMU_ATT_TIMER);
			emu_pmu_sync(cpu);
		}
		atomic_fetch_and(&cpu->attention, ~(uint32_t)(EMU_ATT_IRQ | EMU_ATT_EVENT | EMU_ATT_POWER));
		emu_take_interrupt(cpu);
		if (atomic_load_explicit(&cpu->attention, memory_order_relaxed) & EMU_ATT_STEP)
			emu_debug_run_one(cpu);
		else if (cpu->verify)
			emu_verify_run(cpu);
		else if (cpu->jit)
			emu_jit_run(cpu);
		else
			emu_interp_run(cpu);
	}
}

/* ---- Making and resetting ---- */

bool emu_vcpu_init(struct emu_vcpu *vcpu, struct emu_system *sys, unsigned index, struct vmd_error *err)
{
	struct emu_cpu *cpu = &vcpu->cpu;

	cpu->index = index;
	cpu->system = sys;
	cpu->vcpu = vcpu;
	pthread_mutex_init(&vcpu->inbox.lock, NULL);
	for (unsigned i = 0; i < EMU_GTIMERS; i++)
		pthread_mutex_init(&vcpu->gtimer[i].lock, NULL);
	atomic_init(&vcpu->parked, true);
	atomic_init(&vcpu->power, index == 0 ? EMU_POWER_ON : EMU_POWER_OFF);
	return emu_tlb_init(cpu, err) && emu_code_init(cpu, err) && emu_gtimer_init(cpu, err) &&
	       emu_pmu_init(cpu, err) && emu_system_add_jit(cpu, err) &&
	       (sys->accel != EMU_ACCEL_VERIFY || emu_verify_init(cpu, err));
}

void emu_vcpu_fini(struct emu_vcpu *vcpu)
{
	emu_pmu_fini(&vcpu->cpu);
	emu_gtimer_fini(&vcpu->cpu);
	emu_verify_fini(&vcpu->cpu);
	emu_jit_fini(&vcpu->cpu);
	emu_code_fini(&vcpu->cpu);
	emu_tlb_fini(&vcpu->cpu);
	for (unsigned i = 0; i < EMU_GTIMERS; i++)
		pthread_mutex_destroy(&vcpu->gtimer[i].lock);
	pthread_mutex_destroy(&vcpu->inbox.lock);
}

void emu_vcpu_reset(struct emu_vcpu *vcpu, uint64_t pc)
{
	struct emu_cpu *cpu = &vcpu->cpu;

	memset(cpu->x, 0, sizeof(cpu->x));
	memset(cpu->v, 0, sizeof(cpu->v));
	memset(cpu->sp_el, 0, sizeof(cpu->sp_el));
	cpu->nzcv = cpu->fpcr = cpu->fpsr = 0;
	cpu->excl_size = 0;
	cpu->pstate = (struct emu_pstate){ .el = 1, .sp = 1, .d = 1, .a = 1, .i = 1, .f = 1 };
	cpu->pc = cpu->next_pc = pc;
	vcpu->sync_mask = 0;
	vcpu->evt_seen = 0;
	atomic_store(&vcpu->event, false);

	emu_sysregs_reset(cpu);
	emu_gtimer_reset(cpu);
	emu_pmu_reset(cpu);
	emu_tlb_flush(cpu);
	emu_drop_all_code(cpu);
	emu_tlb_switch_asid(cpu);
	emu_pstate_changed(cpu);
}
