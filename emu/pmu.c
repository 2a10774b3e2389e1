/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The performance monitors, PMUv3 up to Armv8.5: Arm ARM (DDI 0487) D13.
 *
 * A counter is a window on an event's running count: emu_pmu_sync adds what the
 * event has advanced since the last look, where the counter was on and the EL
 * not filtered out, so it is called before anything of that changes. Cycles are
 * virtual nanoseconds (a 1 GHz processor). A counter whose overflow interrupts
 * is looked at by a timer at the earliest moment it can have overflowed.
 * Thread: the vCPU's own; the timer's function only asks for attention.
 */
#include "emu/sysregs_priv.h"

#include "emu/vcpu_priv.h"

#define CYCLES 31u /* its bit in the set registers */

#define PMCR_E 1u
#define PMCR_P 2u
#define PMCR_C 4u
#define PMCR_D 8u
#define PMCR_LC (1u << 6)
#define PMCR_LP (1u << 7)

enum {
	EV_SW_INCR = 0x00,
	EV_L1D_TLB_REFILL = 0x05,
	EV_INST_RETIRED = 0x08,
	EV_EXC_TAKEN = 0x09,
	EV_EXC_RETURN = 0x0a,
	EV_TTBR_WRITE_RETIRED = 0x1c,
	EV_CPU_CYCLES = 0x11,
	EV_CHAIN = 0x1e,
};
#define PMCEID0 \
	(1u << EV_SW_INCR | 1u << EV_L1D_TLB_REFILL | 1u << EV_INST_RETIRED | 1u << EV_EXC_TAKEN | \
	 1u << EV_EXC_RETURN | 1u << EV_TTBR_WRITE_RETIRED | 1u << EV_CPU_CYCLES | 1u << EV_CHAIN)

/* No guest retires instructions faster than this: how early an overflow can be. */
#define MIN_NS_PER_INSN_X16 8
#define MIN_TIMER_NS 20000

static unsigned n_counters(const struct emu_cpu *cpu)
{
	return emu_model(cpu)->n_counters;
}

/* The set registers' valid bits. */
static uint64_t counter_mask(const struct emu_cpu *cpu)
{
	return UINT64_C(1) << CYCLES | ((UINT64_C(1) << n_counters(cpu)) - 1);
}

static uint64_t typer(const struct emu_cpu *cpu, unsigned n)
{
	return cpu->sys[n == CYCLES ? EMU_SR_PMCCFILTR_EL0 : EMU_SR_PMEVTYPER0_EL0 + n];
}

static uint64_t *counter(struct emu_cpu *cpu, unsigned n)
{
	return &cpu->sys[n == CYCLES ? EMU_SR_PMCCNTR_EL0 : EMU_SR_PMEVCNTR0_EL0 + n];
}

static uint64_t *base(struct emu_cpu *cpu, unsigned n)
{
	return &cpu->vcpu->pmu.base[n == CYCLES ? EMU_MAX_COUNTERS : n];
}

static unsigned event_of(const struct emu_cpu *cpu, unsigned n)
{
	return n == CYCLES ? EV_CPU_CYCLES : typer(cpu, n) & 0xffff;
}

static uint64_t event_count(const struct emu_cpu *cpu, unsigned n)
{
	const struct emu_pmu *pmu = &cpu->vcpu->pmu;
	uint64_t pmcr = cpu->sys[EMU_SR_PMCR_EL0], now;
	switch (event_of(cpu, n)) {
	case EV_CPU_CYCLES:
		now = emu_clock_now(cpu->system->clock);
		return n == CYCLES && (pmcr & PMCR_D) && !(pmcr & PMCR_LC) ? now / 64 : now;
	case EV_INST_RETIRED:
		return cpu->retired + (uint64_t)cpu->jit_hot.partial;
	case EV_EXC_TAKEN:
		return pmu->events[EMU_PMU_EXC_TAKEN];
	case EV_EXC_RETURN:
		return pmu->events[EMU_PMU_EXC_RETURN];
	case EV_TTBR_WRITE_RETIRED:
		return pmu->events[EMU_PMU_TTBR_WRITE];
	case EV_L1D_TLB_REFILL:
		return pmu->events[EMU_PMU_TLB_REFILL];
	default:
		return 0;
	}
}

static bool is_on(const struct emu_cpu *cpu, unsigned n)
{
	return (cpu->sys[EMU_SR_PMCR_EL0] & PMCR_E) && (cpu->sys[EMU_SR_PMCNTENSET_EL0] >> n & 1) &&
	       !(typer(cpu, n) >> (cpu->pstate.el ? 31 : 30) & 1); /* P, U */
}

/* Whether the counter overflows from bit 63, not 31. */
static bool is_long(const struct emu_cpu *cpu, unsigned n)
{
	return cpu->sys[EMU_SR_PMCR_EL0] & (n == CYCLES ? PMCR_LC : PMCR_LP);
}

static void add(struct emu_cpu *cpu, unsigned n, uint64_t delta)
{
	uint64_t old = *counter(cpu, n), now = old + delta;
	bool overflow = is_long(cpu, n) ? now < old : (old & 0xffffffff) + delta > 0xffffffff;
	*counter(cpu, n) = n != CYCLES && !is_long(cpu, n) && !emu_has(cpu, EMU_FEAT_PMUv3p5) ? (uint32_t)now : now;
	if (!overflow)
		return;
	cpu->sys[EMU_SR_PMOVSSET_EL0] |= UINT64_C(1) << n;
	if (n + 1 < n_counters(cpu) && !(n & 1) && event_of(cpu, n + 1) == EV_CHAIN && is_on(cpu, n + 1))
		add(cpu, n + 1, 1);
}

/* The output, and the timer for the next overflow that it would show. */
static void update_output(struct emu_cpu *cpu)
{
	struct emu_pmu *pmu = &cpu->vcpu->pmu;
	const uint64_t *sys = cpu->sys;
	bool level = (sys[EMU_SR_PMCR_EL0] & PMCR_E) && (sys[EMU_SR_PMOVSSET_EL0] & sys[EMU_SR_PMINTENSET_EL1]);
	uint64_t soonest = UINT64_MAX;

	if (level != pmu->level) {
		pmu->level = level;
		emu_irq_set(&pmu->out, level);
	}
	uint64_t live = sys[EMU_SR_PMCNTENSET_EL0] & sys[EMU_SR_PMINTENSET_EL1];
	for (unsigned n = 0; (sys[EMU_SR_PMCR_EL0] & PMCR_E) && live >> n; n++) {
		unsigned event = event_of(cpu, n);
		if (!(live >> n & 1) || (event != EV_CPU_CYCLES && event != EV_INST_RETIRED))
			continue;
		uint64_t left = is_long(cpu, n) ? ~*counter(cpu, n) : (uint32_t)~*counter(cpu, n);
		uint64_t ns = event == EV_CPU_CYCLES ? left : left / 16 * MIN_NS_PER_INSN_X16;
		soonest = ns < soonest ? ns : soonest;
	}
	if (soonest < INT64_MAX)
		emu_timer_arm(pmu->timer, emu_clock_now(cpu->system->clock) +
			(soonest < MIN_TIMER_NS ? MIN_TIMER_NS : soonest));
	else
		emu_timer_cancel(pmu->timer);
}

static void sync_counters(struct emu_cpu *cpu)
{
	for (uint64_t todo = cpu->sys[EMU_SR_PMCNTENSET_EL0]; todo; todo &= todo - 1) {
		unsigned n = (unsigned)__builtin_ctzll(todo);
		uint64_t now = event_count(cpu, n), delta = now - *base(cpu, n);
		*base(cpu, n) = now;
		if (delta && is_on(cpu, n))
			add(cpu, n, delta);
	}
}

void emu_pmu_sync(struct emu_cpu *cpu)
{
	struct emu_pmu *pmu = &cpu->vcpu->pmu;
	if (!pmu->counting)
		return;
	uint64_t before = cpu->sys[EMU_SR_PMOVSSET_EL0];
	sync_counters(cpu);
	if (before != cpu->sys[EMU_SR_PMOVSSET_EL0] || atomic_exchange(&pmu->timer_fired, false))
		update_output(cpu);
}

/* After a register has changed: count from here by the new rules. */
static void restart(struct emu_cpu *cpu)
{
	struct emu_pmu *pmu = &cpu->vcpu->pmu;
	pmu->counting = (cpu->sys[EMU_SR_PMCR_EL0] & PMCR_E) && cpu->sys[EMU_SR_PMCNTENSET_EL0];
	for (uint64_t todo = counter_mask(cpu); todo; todo &= todo - 1) {
		unsigned n = (unsigned)__builtin_ctzll(todo);
		*base(cpu, n) = event_count(cpu, n);
	}
	update_output(cpu);
}

static void fire(void *opaque)
{
	struct emu_cpu *cpu = opaque;
	atomic_store(&cpu->vcpu->pmu.timer_fired, true);
	emu_vcpu_kick(cpu->vcpu, EMU_ATT_TIMER);
}

bool emu_pmu_init(struct emu_cpu *cpu, struct vmd_error *err)
{
	cpu->vcpu->pmu.timer = emu_timer_new(cpu->system->clock, fire, cpu, err);
	return cpu->vcpu->pmu.timer != NULL;
}

void emu_pmu_fini(struct emu_cpu *cpu)
{
	emu_timer_free(cpu->vcpu->pmu.timer);
}

void emu_pmu_reset(struct emu_cpu *cpu)
{
	cpu->sys[EMU_SR_PMCR_EL0] = PMCR_LC;
	restart(cpu);
}

/* ---- Registers ---- */

READ_HOOK(pmcr)
{
	uint64_t idcode = emu_model(cpu)->midr >> 4 & 0xff, imp = emu_model(cpu)->midr >> 24 & 0xff;
	return imp << 24 | idcode << 16 | (uint64_t)n_counters(cpu) << 11 | cpu->sys[EMU_SR_PMCR_EL0];
}

WRITE_HOOK(pmcr)
{
	uint64_t mask = PMCR_E | PMCR_D | 1u << 4 | 1u << 5 | PMCR_LC;
	if (emu_has(cpu, EMU_FEAT_PMUv3p5))
		mask |= PMCR_LP;
	emu_pmu_sync(cpu);
	cpu->sys[EMU_SR_PMCR_EL0] = val & mask;
	if (val & PMCR_C)
		*counter(cpu, CYCLES) = 0;
	for (unsigned n = 0; (val & PMCR_P) && n < n_counters(cpu); n++)
		*counter(cpu, n) = 0;
	restart(cpu);
}

/* The set registers and their CLR twins, which read the same. */
#define SET_REGISTER(name, row) \
	READ_HOOK(name##set_alias) \
	{ \
		return cpu->sys[EMU_SR_##row]; \
	} \
	WRITE_HOOK(name##set) \
	{ \
		emu_pmu_sync(cpu); \
		cpu->sys[EMU_SR_##row] |= val & counter_mask(cpu); \
		restart(cpu); \
	} \
	WRITE_HOOK(name##clr) \
	{ \
		emu_pmu_sync(cpu); \
		cpu->sys[EMU_SR_##row] &= ~(val & counter_mask(cpu)); \
		restart(cpu); \
	}
SET_REGISTER(pmcnten, PMCNTENSET_EL0)
SET_REGISTER(pminten, PMINTENSET_EL1)
SET_REGISTER(pmovs, PMOVSSET_EL0)

WRITE_HOOK(pmswinc)
{
	emu_pmu_sync(cpu);
	for (unsigned n = 0; n < n_counters(cpu); n++) {
		if ((val >> n & 1) && event_of(cpu, n) == EV_SW_INCR && is_on(cpu, n))
			add(cpu, n, 1);
	}
	update_output(cpu);
}

READ_HOOK(pmceid)
{
	return reg->sr == EMU_SR_PMCEID0_EL0 ? PMCEID0 : 0;
}

static uint64_t read_counter(struct emu_cpu *cpu, unsigned n)
{
	emu_pmu_sync(cpu);
	return n == CYCLES || emu_has(cpu, EMU_FEAT_PMUv3p5) ? *counter(cpu, n) : (uint32_t)*counter(cpu, n);
}

static void write_counter(struct emu_cpu *cpu, unsigned n, uint64_t val)
{
	emu_pmu_sync(cpu);
	*counter(cpu, n) = val;
	restart(cpu);
}

static void write_typer(struct emu_cpu *cpu, unsigned n, uint64_t val)
{
	emu_pmu_sync(cpu);
	if (n == CYCLES)
		cpu->sys[EMU_SR_PMCCFILTR_EL0] = val & 0xc0000000;
	else
		cpu->sys[EMU_SR_PMEVTYPER0_EL0 + n] = val & (emu_has(cpu, EMU_FEAT_PMUv3p1) ? 0xc000ffff : 0xc00003ff);
	restart(cpu);
}

static unsigned counter_of(const struct emu_sysreg_desc *reg)
{
	return (reg->enc & 0x1f) == 0x1f ? CYCLES : reg->enc & 7; /* CRm[1:0]:op2 */
}

READ_HOOK(pmccntr)
{
	return read_counter(cpu, CYCLES);
}

WRITE_HOOK(pmccntr)
{
	write_counter(cpu, CYCLES, val);
}

READ_HOOK(pmcounter)
{
	return read_counter(cpu, counter_of(reg));
}

WRITE_HOOK(pmcounter)
{
	write_counter(cpu, counter_of(reg), val);
}

WRITE_HOOK(pmtyper)
{
	write_typer(cpu, counter_of(reg), val);
}

/* PMXEV*: the counter that PMSELR_EL0 chooses; of one that does not exist they read as zero. */
static bool selected(const struct emu_cpu *cpu, bool cycles_too, unsigned *ret_n)
{
	*ret_n = cpu->sys[EMU_SR_PMSELR_EL0] & 31;
	return *ret_n < n_counters(cpu) || (cycles_too && *ret_n == CYCLES);
}

READ_HOOK(pmxevcntr)
{
	unsigned n;
	return selected(cpu, false, &n) ? read_counter(cpu, n) : 0;
}

WRITE_HOOK(pmxevcntr)
{
	unsigned n;
	if (selected(cpu, false, &n))
		write_counter(cpu, n, val);
}

READ_HOOK(pmxevtyper)
{
	unsigned n;
	return selected(cpu, true, &n) ? typer(cpu, n) : 0;
}

WRITE_HOOK(pmxevtyper)
{
	unsigned n;
	if (selected(cpu, true, &n))
		write_typer(cpu, n, val);
}

/* ---- EL0's accesses, by PMUSERENR_EL0 ---- */

enum { EN = 1, SW = 2, CR = 4, ER = 8 };

static enum emu_sysreg_verdict el0_needs(const struct emu_cpu *cpu, unsigned any_of)
{
	return cpu->pstate.el == 0 && !(cpu->sys[EMU_SR_PMUSERENR_EL0] & any_of) ? EMU_SYSREG_TRAP : EMU_SYSREG_OK;
}

CHECK_HOOK(pmu)
{
	return el0_needs(cpu, EN);
}

CHECK_HOOK(pmccntr)
{
	return el0_needs(cpu, is_read ? EN | CR : EN);
}

CHECK_HOOK(pmselr)
{
	return el0_needs(cpu, EN | ER);
}

CHECK_HOOK(pmswinc)
{
	return el0_needs(cpu, EN | SW);
}

CHECK_HOOK(pmcounter)
{
	return el0_needs(cpu, is_read ? EN | ER : EN);
}
