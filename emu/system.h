/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processors of a machine: N vCPUs of one model over one memory map, one
 * host thread each.
 *
 * Life: new -> (set boot state) -> resume -> pause/resume ... -> free. A system
 * starts out paused, with vCPU 0 powered on and the others off (PSCI turns
 * them on). Functions may be called from any thread but a vCPU's own, unless
 * they say otherwise; pause must not be called with a lock held that a device
 * region uses.
 */
#ifndef EMU_SYSTEM_H
#define EMU_SYSTEM_H

#include "emu/clock.h"
#include "emu/irq.h"
#include "emu/mem.h"
#include "protocol/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define EMU_MAX_CPUS 64

struct emu_system;

/* A CPU model's public face; the table is in emu/models.c. */
struct emu_cpu_model_info {
	const char *name;    /* "max", "cortex-a72", ... */
	const char *summary;
	const char *compatible; /* device tree, "arm,cortex-a72" */
	unsigned pa_bits;    /* physical address size */
};
/* The i-th model, NULL past the last. */
const struct emu_cpu_model_info *emu_cpu_model_at(unsigned i);

/* What a vCPU asks of the machine. Called on a vCPU's thread: post and return. */
enum emu_event {
	EMU_EVENT_SHUTDOWN,   /* PSCI SYSTEM_OFF */
	EMU_EVENT_RESET,      /* PSCI SYSTEM_RESET, SYSTEM_RESET2 */
	EMU_EVENT_EXIT,       /* semihosting exit; value is the status */
	EMU_EVENT_PANIC,      /* the emulator cannot go on; value is unused */
};

/* The GIC CPU interface's system registers (ICC_*), and the lines into it. */
struct emu_gic_cpuif {
	/* `reg` is EMU_SYSREG(op0, op1, crn, crm, op2). False: the register does
	 * not exist (UNDEFINED). Called on the thread of vCPU `cpu`. */
	bool (*read)(void *opaque, unsigned cpu, uint32_t reg, uint64_t *ret_value);
	bool (*write)(void *opaque, unsigned cpu, uint32_t reg, uint64_t value);
	void *opaque;
};
#define EMU_SYSREG(op0, op1, crn, crm, op2) \
	((uint32_t)(op0) << 14 | (uint32_t)(op1) << 11 | (uint32_t)(crn) << 7 | (uint32_t)(crm) << 3 | (uint32_t)(op2))

/* Arm semihosting ("Semihosting for AArch32 and AArch64", release 2.0). A NULL
 * struct means HLT #0xF000 is an ordinary halt: UNDEFINED. */
struct emu_semihost {
	void (*write)(void *opaque, const uint8_t *buf, size_t len);  /* the debug console */
	int (*getc)(void *opaque);      /* blocks for a byte; -1 at end of input */
	const char *cmdline;            /* SYS_GET_CMDLINE */
	bool files;                     /* SYS_OPEN of host files allowed */
	void *opaque;
};

/* How instructions are executed. */
enum emu_accel {
	EMU_ACCEL_INTERP,
	EMU_ACCEL_JIT,
	EMU_ACCEL_VERIFY, /* by both, compared block by block */
	EMU_ACCEL_AUTO,   /* the JIT where the host allows it, else the interpreter */
};

/* Bytes of translated code that each vCPU keeps. */
#define EMU_JIT_CACHE_MIN (UINT64_C(512) << 10)
#define EMU_JIT_CACHE_MAX (UINT64_C(1) << 30)
#define EMU_JIT_CACHE_DEFAULT (UINT64_C(64) << 20)

/* Ways to make the JIT do without something, for tests: bits of emu_system_config.jit_debug. */
enum emu_jit_debug {
	EMU_JIT_NO_PAGE_ARRAY = 1 << 0, /* memory is reached by tagged tables, as where address space is short */
	EMU_JIT_ONE_INSN = 1 << 1,      /* a block is one instruction */
	EMU_JIT_NO_CHAIN = 1 << 2,      /* every block ends in the loop */
	EMU_JIT_NO_FAST_MEM = 1 << 3,   /* every access of memory takes the slow path */
	EMU_JIT_NO_NATIVE = 1 << 4,     /* every instruction is a call of the interpreter */
	EMU_JIT_NO_AVX2 = 1 << 5,       /* those on vectors are, as where the host lacks AVX2 */
	EMU_JIT_NO_AVX512 = 1 << 6,     /* as where the host lacks AVX-512VL */
};

/* How translated code reaches the guest's memory. */
enum emu_jit_memory { EMU_JIT_MEMORY_NONE /* there is no JIT */, EMU_JIT_MEMORY_ARRAYS, EMU_JIT_MEMORY_TABLES };

struct emu_system_config {
	const char *cpu_model;
	enum emu_accel accel;
	uint64_t jit_cache;             /* EMU_JIT_CACHE_MIN to _MAX; 0 means EMU_JIT_CACHE_DEFAULT */
	unsigned jit_debug;             /* EMU_JIT_*, or 0 */
	unsigned n_cpus;                /* 1 to EMU_MAX_CPUS */
	uint64_t counter_hz;            /* CNTFRQ_EL0; 0 means 62500000 */
	struct emu_mem *mem;            /* not owned */
	struct emu_clock *clock;        /* not owned */
	const struct emu_gic_cpuif *gic_cpuif; /* copied; NULL with GICv2 */
	const struct emu_semihost *semihost;   /* copied; may be NULL */
	void (*event)(void *opaque, unsigned cpu, enum emu_event event, uint64_t value);
	/* A rate-limited note that the guest did something no sane guest does. May be NULL. */
	void (*guest_error)(void *opaque, const char *message);
	/* EMU_ACCEL_VERIFY: lines of text on why EMU_EVENT_PANIC comes next. Called on a vCPU's thread. May be NULL. */
	void (*report)(void *opaque, const char *text);
	void *opaque;
};

struct emu_system *emu_system_new(const struct emu_system_config *config, struct vmd_error *err);
/* Stops and joins all threads. NULL is allowed. */
void emu_system_free(struct emu_system *sys);

unsigned emu_system_n_cpus(const struct emu_system *sys);
const struct emu_cpu_model_info *emu_system_model(const struct emu_system *sys);
/* What executes the vCPUs: not EMU_ACCEL_AUTO. And what there is to say about
 * that: why it is the interpreter, or what the JIT has to do without; may be empty. */
enum emu_accel emu_system_accel(const struct emu_system *sys);
const char *emu_system_accel_note(const struct emu_system *sys);
/* Arrays where the host gives enough address space for them, for all vCPUs; else tables. */
enum emu_jit_memory emu_system_jit_memory(const struct emu_system *sys);
/* MPIDR_EL1 affinity of a vCPU (Aff3:Aff2:Aff1:Aff0 as in the register, without the flag bits). */
uint64_t emu_system_mpidr(const struct emu_system *sys, unsigned cpu);
/* The host thread's id, for query-cpus-fast. */
pid_t emu_system_thread_id(const struct emu_system *sys, unsigned cpu);

/* The index of the vCPU whose thread this is, -1 on any other thread: for
 * devices with registers that are banked by vCPU (GICv2). */
int emu_current_cpu(void);

/* Input lines of a vCPU; any thread, vCPU threads included. */
enum emu_cpu_line { EMU_LINE_IRQ, EMU_LINE_FIQ, EMU_LINE_SERROR };
/* A line to hand to an interrupt controller. */
struct emu_irq emu_system_cpu_line(struct emu_system *sys, unsigned cpu, enum emu_cpu_line line);

/* Output lines of a vCPU: connect before the first resume. */
enum emu_cpu_output {
	EMU_OUT_TIMER_PHYS, EMU_OUT_TIMER_VIRT, EMU_OUT_TIMER_HYP, EMU_OUT_TIMER_SEC, EMU_OUT_PMU, EMU_OUT_COUNT,
};
void emu_system_connect(struct emu_system *sys, unsigned cpu, enum emu_cpu_output out, struct emu_irq irq);

/* Where vCPU 0 starts after new or reset; kept over resets. x[0..3] as the
 * Linux boot protocol has them. Default: pc 0, all zero. */
struct emu_boot { uint64_t pc; uint64_t x[4]; };
void emu_system_set_boot(struct emu_system *sys, const struct emu_boot *boot);

/* Pause returns when every vCPU is at a safe point (between instructions) and
 * stays there; counts, so that two users can each pause and resume. The clock
 * is the caller's to pause. */
void emu_system_pause(struct emu_system *sys);
void emu_system_resume(struct emu_system *sys);
/* Cold reset of all vCPUs to the boot state. Only while paused. */
void emu_system_reset(struct emu_system *sys);

/* Only while paused. Architectural state, for debuggers and reports. */
struct emu_regs {
	uint64_t x[31], sp, pc;
	uint32_t pstate; /* as SPSR_EL1 would show it: NZCV, DAIF, M[4:0] */
	uint32_t fpcr, fpsr;
	uint64_t v[32][2];
};
void emu_system_get_regs(struct emu_system *sys, unsigned cpu, struct emu_regs *ret_regs);
void emu_system_set_regs(struct emu_system *sys, unsigned cpu, const struct emu_regs *regs);
/* Reads guest-virtual memory through the vCPU's own translation, without side
 * effects. False when any byte is not mapped to RAM or ROM. */
bool emu_system_read_virt(struct emu_system *sys, unsigned cpu, uint64_t va, void *buf, size_t len);

/* Any time, any thread. */
enum emu_cpu_state { EMU_CPU_OFF, EMU_CPU_RUNNING, EMU_CPU_WAITING /* in WFI or WFE */, EMU_CPU_PAUSED };
enum emu_cpu_state emu_system_cpu_state(const struct emu_system *sys, unsigned cpu);
/* Instructions retired so far (approximate while running). */
uint64_t emu_system_retired(const struct emu_system *sys, unsigned cpu);

/* ---- Statistics: any time, any thread. Each number is right by itself; those of
 * a running vCPU are not of one moment. ---- */

enum emu_stat {
#define STAT(name, ...) EMU_STAT_##name,
#include "emu/stats.def"
#undef STAT
	EMU_STAT_COUNT
};
struct emu_stat_info {
	const char *name, *doc;
	enum { EMU_STAT_CUMULATIVE, EMU_STAT_INSTANT, EMU_STAT_PEAK } kind;
	enum { EMU_STAT_NONE, EMU_STAT_BYTES, EMU_STAT_NS } unit;
};
extern const struct emu_stat_info emu_stat_infos[EMU_STAT_COUNT];
/* Of a vCPU; what starts with JIT is 0 where there is no JIT. */
void emu_system_stats(const struct emu_system *sys, unsigned cpu, uint64_t ret_values[EMU_STAT_COUNT]);
/* How often all vCPUs' translated code has called the interpreter for the i-th
 * instruction, and its name; NULL past the last. */
const char *emu_system_fallback(const struct emu_system *sys, unsigned i, uint64_t *ret_count);

#endif
