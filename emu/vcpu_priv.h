/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU's thread, lines, timers and counters, and the system that owns it;
 * and what the files of the system side call of each other.
 *
 * Every member of struct emu_vcpu belongs to the vCPU's own thread, but for
 * those marked [any] (atomics) and those with a lock named beside them.
 */
#ifndef EMU_VCPU_PRIV_H
#define EMU_VCPU_PRIV_H

#include "emu/jit.h"
#include "emu/sys_priv.h"
#include "emu/tlb_priv.h"

#include <pthread.h>

/* ---- CPU models (emu/models.c) ---- */

#define EMU_MAX_CACHES 7

struct emu_model {
	struct emu_cpu_model_info info;
	uint64_t midr, revidr;
	uint64_t clidr;
	uint64_t ccsidr[EMU_MAX_CACHES][2]; /* level; data or unified, instruction */
	uint64_t mmfr0;                     /* ID_AA64MMFR0_EL1, which no feature below decides */
	uint8_t n_breakpoints, n_watchpoints, n_counters;
	bool feature[EMU_FEATURE_COUNT];
};
const struct emu_model *emu_model_find(const char *name);
/* Sets the identification registers of a vCPU that has just been reset. */
void emu_model_reset(struct emu_cpu *cpu);

/* ---- A vCPU ---- */

#define EMU_MAX_BREAKPOINTS 6
#define EMU_MAX_WATCHPOINTS 4
#define EMU_MAX_COUNTERS 6
#define EMU_INBOX_SIZE 64

enum emu_power { EMU_POWER_OFF, EMU_POWER_ON_PENDING, EMU_POWER_ON };

/* Work that other vCPUs want done here before the next instruction. */
struct emu_inbox {
	pthread_mutex_t lock;
	unsigned n, n_pages;
	struct emu_tlbi tlbi[EMU_INBOX_SIZE];
	uint64_t code_page[EMU_INBOX_SIZE];
	bool all_code;
	_Atomic uint32_t posted; /* [any] number of requests so far; changed under lock */
	_Atomic uint32_t done;   /* [any] of which carried out; a futex */
};

enum { EMU_TIMER_PHYS, EMU_TIMER_VIRT, EMU_GTIMERS };

struct emu_gtimer {
	pthread_mutex_t lock;  /* guards the rest; the timer's function runs on the clock's thread */
	struct emu_cpu *cpu;
	struct emu_timer *timer;
	uint64_t cval;
	uint32_t ctl;          /* ENABLE, IMASK */
	bool level;            /* of the output */
	struct emu_irq out;
};

/* See emu/pmu.c. */
struct emu_pmu {
	struct emu_timer *timer;   /* for overflow interrupts */
	struct emu_irq out;
	uint64_t base[EMU_MAX_COUNTERS + 1];  /* the events' count when last looked at; the last is cycles */
	uint64_t events[4];        /* events that are counted as they happen */
	_Atomic bool timer_fired;  /* [any] */
	bool counting;             /* some counter is enabled */
	bool level;
};

struct emu_vcpu {
	struct emu_cpu cpu;

	pthread_t thread;
	_Atomic pid_t tid;          /* [any] */
	_Atomic uint32_t lines;     /* [any] bit per enum emu_cpu_line */
	_Atomic uint32_t sleeping;  /* [any] a futex: 1 while the thread waits to be kicked */
	_Atomic bool parked;        /* [any] executes nothing; empties its inbox before it does */
	_Atomic bool stopped;       /* [any] parked for a pause; changed under emu_system.lock */
	_Atomic bool event;         /* [any] the event register of WFE */
	_Atomic int power;          /* [any] enum emu_power; changed under emu_system.lock */
	uint64_t start_pc, start_arg; /* under emu_system.lock: of CPU_ON */

	struct emu_inbox inbox;
	uint64_t sync_mask;         /* vCPUs that DSB has to wait for */
	uint32_t sync_seq[EMU_MAX_CPUS];

	struct emu_gtimer gtimer[EMU_GTIMERS];
	uint64_t evt_seen;          /* the counter when the event stream was last looked at */

	struct emu_pmu pmu;
	bool step_active;           /* software step: MDSCR_EL1.SS, and debug exceptions are enabled here */
	bool breakpoints_active;    /* some breakpoint is enabled here */
	bool special;               /* EMU_ATT_STEP is set */
	bool stepped;               /* an instruction has been stepped, and no exception taken since */
	bool stepped_exclusive;     /* it was a load-exclusive */
};

/* Under accel=verify vCPUs execute one at a time, in the order of asking. */
struct emu_turns {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	_Atomic uint32_t next;      /* the next number to give away */
	uint32_t serving;           /* whose turn it is */
};

struct emu_system {
	const struct emu_model *model;
	unsigned n_cpus;
	enum emu_accel accel;       /* what it is in the end, once the vCPUs are made */
	char accel_note[512];
	uint64_t jit_cache;
	unsigned jit_debug;         /* EMU_JIT_* */
	struct emu_jit_arrays jit_arrays;
	struct emu_ahead *ahead; /* NULL: the interpreter alone runs */
	uint64_t counter_hz;
	struct emu_mem *mem;
	struct emu_clock *clock;
	bool has_gic, has_semihost;
	struct emu_gic_cpuif gic;
	struct emu_semihost semihost;
	struct emu_semihost_state *semihost_state; /* emu/semihost.c */
	void (*event)(void *opaque, unsigned cpu, enum emu_event event, uint64_t value);
	void (*guest_error)(void *opaque, const char *message);
	void (*report)(void *opaque, const char *text);
	void *opaque;
	struct emu_turns verify_turns;
	struct emu_boot boot;
	uint16_t *sysreg_index;     /* by EMU_SYSREG(): row + 1 of emu/sysregs.def or of the SYS table, 0 if none */

	pthread_mutex_t lock;       /* guards power states and what follows */
	pthread_cond_t stopped;     /* a vCPU has stopped for a pause */
	pthread_cond_t go;          /* pause_count reached 0, or quit */
	unsigned pause_count;
	bool halted;                /* the guest has powered off or reset itself: nothing runs until reset */
	bool fresh;                 /* nothing has run since new or reset */
	bool quit;
	_Atomic uint64_t last_guest_error; /* [any] host seconds, for the rate limit */

	unsigned n_started;
	struct emu_vcpu *vcpus[EMU_MAX_CPUS];
};

static inline const struct emu_model *emu_model(const struct emu_cpu *cpu)
{
	return cpu->system->model;
}

/* ---- emu/vcpu.c ---- */

/* Gives a vCPU that is being made its JIT, if the system has one; sees to it that no vCPU has
 * one if this cannot. */
bool emu_system_add_jit(struct emu_cpu *cpu, struct vmd_error *err);
bool emu_vcpu_init(struct emu_vcpu *vcpu, struct emu_system *sys, unsigned index, struct vmd_error *err);
void emu_vcpu_fini(struct emu_vcpu *vcpu);
void emu_vcpu_reset(struct emu_vcpu *vcpu, uint64_t pc);
void *emu_vcpu_thread(void *vcpu);

/* Any thread: sets attention bits, and wakes the thread if it sleeps. */
void emu_vcpu_kick(struct emu_vcpu *vcpu, uint32_t attention);
/* Any thread: asks `vcpu` to do this before its next instruction, and returns
 * the number to hand to emu_vcpu_wait_done. */
uint32_t emu_vcpu_post_tlbi(struct emu_vcpu *vcpu, const struct emu_tlbi *req);
/* Waits until `target` has done what was posted. `self` is the calling vCPU, or NULL. */
void emu_vcpu_wait_done(struct emu_vcpu *self, struct emu_vcpu *target, uint32_t seq);
/* From a vCPU's thread to all of the system, itself at once: DSB waits for them. */
void emu_broadcast_tlbi(struct emu_cpu *cpu, const struct emu_tlbi *req);
void emu_broadcast_code_drop(struct emu_cpu *cpu, uint64_t page_pa, bool all);
/* IC: all translated and pre-decoded code of this vCPU alone. */
void emu_drop_all_code(struct emu_cpu *cpu);
/* Interrupts may have been unmasked. */
void emu_check_lines(struct emu_cpu *cpu);
/* Ends the executing instruction here: what attention asks for comes before the next one. */
_Noreturn void emu_end_insn(struct emu_cpu *cpu);
/* Stops the whole system for an event that the machine has to act on, before the
 * next instruction; emu_system_halt also ends the executing one. */
void emu_system_stop(struct emu_cpu *cpu, enum emu_event event, uint64_t value);
_Noreturn void emu_system_halt(struct emu_cpu *cpu, enum emu_event event, uint64_t value);
void emu_guest_error(struct emu_cpu *cpu, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- emu/exception.c ---- */

uint32_t emu_pstate_to_spsr(const struct emu_cpu *cpu);
/* Takes an exception to EL1; `vector` is 0 (synchronous), 0x80 (IRQ), 0x100 (FIQ) or 0x180 (SError). */
void emu_take_exception(struct emu_cpu *cpu, unsigned vector, uint64_t return_pc);
/* A synchronous exception between instructions: returns when it has been taken. */
void emu_take_sync(struct emu_cpu *cpu, unsigned ec, uint32_t iss, uint64_t return_pc);
_Noreturn void emu_raise_abort(struct emu_cpu *cpu, bool is_fetch, uint64_t va, uint32_t iss);
/* Takes a pending and unmasked interrupt, if there is one. */
void emu_take_interrupt(struct emu_cpu *cpu);
_Noreturn void emu_raise_wfx_trap(struct emu_cpu *cpu, unsigned ti);
/* PSTATE.EL, SP, PAN, UAO changed, or a register that goes with them. */
void emu_pstate_changed(struct emu_cpu *cpu);
void emu_set_sp(struct emu_cpu *cpu, unsigned el, unsigned spsel);

/* ---- emu/sysregs.c, emu/maint.c ---- */

bool emu_sysregs_init(struct emu_system *sys, struct vmd_error *err);
void emu_sysregs_fini(struct emu_system *sys);
void emu_sysregs_reset(struct emu_cpu *cpu);
/* DC ZVA: zeroes the aligned 64 bytes around `va`. */
void emu_zero_block(struct emu_cpu *cpu, uint64_t va);
_Noreturn void emu_raise_sysreg_trap(struct emu_cpu *cpu, uint32_t enc, unsigned rt, bool is_read);

/* ---- emu/gtimer.c ---- */

uint64_t emu_counter_now(const struct emu_system *sys);
/* Virtual time at which the counter reaches `ticks`; UINT64_MAX if it never will. */
uint64_t emu_counter_to_ns(const struct emu_system *sys, uint64_t ticks);
bool emu_gtimer_init(struct emu_cpu *cpu, struct vmd_error *err);
void emu_gtimer_fini(struct emu_cpu *cpu);
void emu_gtimer_reset(struct emu_cpu *cpu);
/* The event stream: whether an event has happened since it was last asked, and
 * the counter's value at the next one (UINT64_MAX: the stream is off). */
bool emu_event_stream(struct emu_cpu *cpu, uint64_t *ret_next);

/* ---- emu/pmu.c ---- */

enum emu_pmu_event { EMU_PMU_EXC_TAKEN, EMU_PMU_EXC_RETURN, EMU_PMU_TTBR_WRITE, EMU_PMU_TLB_REFILL };
static inline void emu_pmu_count(struct emu_cpu *cpu, enum emu_pmu_event event)
{
	cpu->vcpu->pmu.events[event]++;
}
bool emu_pmu_init(struct emu_cpu *cpu, struct vmd_error *err);
void emu_pmu_fini(struct emu_cpu *cpu);
void emu_pmu_reset(struct emu_cpu *cpu);
/* Brings the counters up to date: before EL changes, and when the timer says so. */
void emu_pmu_sync(struct emu_cpu *cpu);

/* ---- emu/debug.c ---- */

/* MDSCR_EL1, OSLSR_EL1, breakpoints, watchpoints, EL or PSTATE.D changed. */
void emu_debug_update(struct emu_cpu *cpu);
/* Whether any watchpoint may match in the page of `va`. */
bool emu_debug_watches(struct emu_cpu *cpu, uint64_t page_va);
/* Raises the Watchpoint exception if an access matches one. */
void emu_debug_check_access(struct emu_cpu *cpu, uint64_t va, unsigned size, bool is_write, bool unpriv);
/* Executes one instruction under software step and breakpoints. */
void emu_debug_run_one(struct emu_cpu *cpu);
/* PSTATE.SS after an exception return with this SPSR. */
bool emu_debug_return_ss(struct emu_cpu *cpu, uint32_t spsr);

/* ---- emu/psci.c ---- */

/* An SMCCC call in X0 to X3: PSCI and the SMCCC's own; the results are in X0 to X3. */
void emu_psci_call(struct emu_cpu *cpu);

/* ---- emu/semihost.c ---- */

bool emu_semihost_init(struct emu_system *sys, struct vmd_error *err);
void emu_semihost_fini(struct emu_system *sys);
void emu_semihost_call(struct emu_cpu *cpu);

#endif
