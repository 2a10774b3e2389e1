/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The generic timer: Arm ARM (DDI 0487) D11. The physical and the virtual
 * counter are the same (there is no EL2 to set an offset); they count the
 * virtual clock at counter_hz.
 *
 * A timer's output is ENABLE and not IMASK and counter >= CVAL. It is brought
 * up to date when the guest writes to the timer, and by a host timer armed for
 * the moment the condition will become true, only where that can change the
 * output. Threads: the vCPU's and the clock's, under gtimer.lock.
 */
#include "emu/sys_priv.h"
#include "emu/vcpu_priv.h"
#include "emu/sysregs_priv.h"

#define CTL_ENABLE 1u
#define CTL_IMASK 2u
#define CTL_ISTATUS 4u

/* ---- The counter ---- */

uint64_t emu_counter_now(const struct emu_system *sys)
{
	return (uint64_t)((unsigned __int128)emu_clock_now(sys->clock) * sys->counter_hz / 1000000000u);
}

uint64_t emu_counter_to_ns(const struct emu_system *sys, uint64_t ticks)
{
	if (ticks == UINT64_MAX)
		return UINT64_MAX;
	unsigned __int128 ns = ((unsigned __int128)ticks * 1000000000u + sys->counter_hz - 1) / sys->counter_hz;
	return ns > INT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

/* ---- Timers ---- */

static bool condition(const struct emu_gtimer *t)
{
	return emu_counter_now(t->cpu->system) >= t->cval;
}

/* With t->lock held. */
static void update(struct emu_gtimer *t)
{
	bool live = (t->ctl & (CTL_ENABLE | CTL_IMASK)) == CTL_ENABLE;
	bool level = live && condition(t);

	if (live && !level) {
		uint64_t ns = emu_counter_to_ns(t->cpu->system, t->cval);
		if (ns != UINT64_MAX)
			emu_timer_arm(t->timer, ns);
		else
			emu_timer_cancel(t->timer);
	} else {
		emu_timer_cancel(t->timer);
	}
	if (level != t->level) {
		t->level = level;
		emu_irq_set(&t->out, level);
	}
}

static void fire(void *opaque)
{
	struct emu_gtimer *t = opaque;
	pthread_mutex_lock(&t->lock);
	update(t);
	pthread_mutex_unlock(&t->lock);
}

bool emu_gtimer_init(struct emu_cpu *cpu, struct vmd_error *err)
{
	for (unsigned i = 0; i < EMU_GTIMERS; i++) {
		struct emu_gtimer *t = &cpu->vcpu->gtimer[i];
		t->cpu = cpu;
		t->timer = emu_timer_new(cpu->system->clock, fire, t, err);
		if (!t->timer)
			return false;
	}
	return true;
}

void emu_gtimer_fini(struct emu_cpu *cpu)
{
	for (unsigned i = 0; i < EMU_GTIMERS; i++)
		emu_timer_free(cpu->vcpu->gtimer[i].timer);
}

void emu_gtimer_reset(struct emu_cpu *cpu)
{
	for (unsigned i = 0; i < EMU_GTIMERS; i++) {
		struct emu_gtimer *t = &cpu->vcpu->gtimer[i];
		pthread_mutex_lock(&t->lock);
		t->ctl = 0;
		t->cval = 0;
		update(t);
		pthread_mutex_unlock(&t->lock);
	}
}

/* ---- The event stream (CNTKCTL_EL1.EVNT*) ---- */

bool emu_event_stream(struct emu_cpu *cpu, uint64_t *ret_next)
{
	uint64_t ctl = cpu->sys[EMU_SR_CNTKCTL_EL1];
	if (!(ctl & 4)) {
		*ret_next = UINT64_MAX;
		return false;
	}
	/* Bit EVNTI changes to 1 (EVNTDIR 0) or to 0 once every 2^(EVNTI + 1) ticks. */
	unsigned bit = ctl >> 4 & 15;
	uint64_t period = UINT64_C(2) << bit, offset = ctl & 8 ? 0 : period / 2;
	uint64_t now = emu_counter_now(cpu->system), seen = cpu->vcpu->evt_seen;
	uint64_t last = ((now + period - offset) & ~(period - 1)) + offset - period;
	cpu->vcpu->evt_seen = now;
	*ret_next = last + period;
	return now >= offset && last > seen;
}

/* ---- Registers ---- */

static struct emu_gtimer *timer_of(struct emu_cpu *cpu, const struct emu_sysreg_desc *reg)
{
	/* CNTP_* have CRm 2, CNTV_* have CRm 3. */
	return &cpu->vcpu->gtimer[(reg->enc >> 3 & 15) == 2 ? EMU_TIMER_PHYS : EMU_TIMER_VIRT];
}

uint64_t emu_read_cntct(struct emu_cpu *cpu, const struct emu_sysreg_desc *reg)
{
	return emu_counter_now(cpu->system);
}


uint64_t emu_read_cnt_ctl(struct emu_cpu *cpu, const struct emu_sysreg_desc *reg)
{
	struct emu_gtimer *t = timer_of(cpu, reg);
	pthread_mutex_lock(&t->lock);
	uint64_t ctl = t->ctl | ((t->ctl & CTL_ENABLE) && condition(t) ? CTL_ISTATUS : 0);
	pthread_mutex_unlock(&t->lock);
	return ctl;
}

uint64_t emu_read_cnt_cval(struct emu_cpu *cpu, const struct emu_sysreg_desc *reg)
{
	return timer_of(cpu, reg)->cval; /* only this thread writes it */
}

uint64_t emu_read_cnt_tval(struct emu_cpu *cpu, const struct emu_sysreg_desc *reg)
{
	return (uint32_t)(timer_of(cpu, reg)->cval - emu_counter_now(cpu->system));
}

static void set_cval(struct emu_gtimer *t, uint64_t cval)
{
	pthread_mutex_lock(&t->lock);
	t->cval = cval;
	update(t);
	pthread_mutex_unlock(&t->lock);
}

void emu_write_cnt_cval(struct emu_cpu *cpu, const struct emu_sysreg_desc *reg, uint64_t val)
{
	set_cval(timer_of(cpu, reg), val);
}

void emu_write_cnt_tval(struct emu_cpu *cpu, const struct emu_sysreg_desc *reg, uint64_t val)
{
	set_cval(timer_of(cpu, reg), emu_counter_now(cpu->system) + (uint64_t)(int64_t)(int32_t)val);
}

void emu_write_cnt_ctl(struct emu_cpu *cpu, const struct emu_sysreg_desc *reg, uint64_t val)
{
	struct emu_gtimer *t = timer_of(cpu, reg);
	pthread_mutex_lock(&t->lock);
	t->ctl = (uint32_t)val & (CTL_ENABLE | CTL_IMASK);
	update(t);
	pthread_mutex_unlock(&t->lock);
}

/* EL0's accesses, by CNTKCTL_EL1: a bit each, trapped if it is 0. */
static enum emu_sysreg_verdict el0_needs(const struct emu_cpu *cpu, uint64_t bits)
{
	return cpu->pstate.el == 0 && !(cpu->sys[EMU_SR_CNTKCTL_EL1] & bits) ? EMU_SYSREG_TRAP : EMU_SYSREG_OK;
}

enum emu_sysreg_verdict emu_check_cntpct(const struct emu_cpu *cpu, const struct emu_sysreg_desc *reg, bool is_read)
{
	return el0_needs(cpu, 1);
}

enum emu_sysreg_verdict emu_check_cntvct(const struct emu_cpu *cpu, const struct emu_sysreg_desc *reg, bool is_read)
{
	return el0_needs(cpu, 2);
}

enum emu_sysreg_verdict emu_check_cntfrq(const struct emu_cpu *cpu, const struct emu_sysreg_desc *reg, bool is_read)
{
	return el0_needs(cpu, 3);
}

enum emu_sysreg_verdict emu_check_cntv(const struct emu_cpu *cpu, const struct emu_sysreg_desc *reg, bool is_read)
{
	return el0_needs(cpu, 1 << 8);
}

enum emu_sysreg_verdict emu_check_cntp(const struct emu_cpu *cpu, const struct emu_sysreg_desc *reg, bool is_read)
{
	return el0_needs(cpu, 1 << 9);
}
