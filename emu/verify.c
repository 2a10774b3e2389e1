/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT and the interpreter in lock step: every block of translated code is
 * compared with the interpreter as the guest runs.
 *
 * A step is one block of the JIT, whose code is what it always is except that its
 * exits lead back to the loop (EMU_JIT_NO_CHAIN). The state is kept; the interpreter
 * executes the block's instructions, with every data access on the miss path so
 * that emu/access.c can tell what is written; its result is kept, the writes are
 * undone and the state put back; then the translated code runs, on the page arrays
 * as ever; then registers, system registers and the written memory must be the
 * same. What is not written by the one but by the other shows where it shares a
 * cache line with what is.
 *
 * Some instructions are executed once, by the interpreter: those that reach a
 * device, and those of emu_verify_is_alone. Both engines stop before them, with all
 * before it compared. So devices, counters and timers are seen by both alike.
 * Interrupts, and what other vCPUs ask for, come between steps. Translated code may
 * leave its block early, for attention; then the interpreter does the same count of
 * instructions once more.
 *
 * vCPUs take turns, some hundred steps each, so that none sees what another undoes.
 * A device's thread does not: when the two differ, the interpreter runs once more,
 * and if it does not do what it did the first time the step is tried again.
 *
 * At a difference the state is put back to where the block begins, and the system
 * halts with a report. Thread: the vCPU's own.
 */
#include "emu/verify_priv.h"

#include "emu/code_priv.h"
#include "emu/jit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TURN_STEPS = 256, MAX_TRIES = 16 };

/* ---- Turns ---- */

static bool is_wanted_turn(struct emu_system *sys)
{
	return atomic_load_explicit(&sys->verify_turns.next, memory_order_relaxed) != sys->verify_turns.serving + 1;
}

static void take_turn(struct emu_system *sys)
{
	struct emu_turns *turns = &sys->verify_turns;

	pthread_mutex_lock(&turns->lock);
	for (uint32_t mine = atomic_fetch_add(&turns->next, 1); turns->serving != mine;)
		pthread_cond_wait(&turns->changed, &turns->lock);
	pthread_mutex_unlock(&turns->lock);
}

static void give_turn(struct emu_system *sys)
{
	struct emu_turns *turns = &sys->verify_turns;

	pthread_mutex_lock(&turns->lock);
	turns->serving++;
	pthread_cond_broadcast(&turns->changed);
	pthread_mutex_unlock(&turns->lock);
}

/* ---- The state ---- */

const uint16_t verify_sysregs[VERIFY_SYSREGS] = {
	EMU_SR_SPSR_EL1, EMU_SR_ELR_EL1, EMU_SR_ESR_EL1, EMU_SR_FAR_EL1, EMU_SR_VBAR_EL1, EMU_SR_TPIDR_EL1,
	EMU_SR_TPIDR_EL0, EMU_SR_TPIDRRO_EL0,
	EMU_SR_PMCCNTR_EL0, EMU_SR_PMOVSSET_EL0, EMU_SR_PMEVCNTR0_EL0, EMU_SR_PMEVCNTR1_EL0, EMU_SR_PMEVCNTR2_EL0,
	EMU_SR_PMEVCNTR3_EL0, EMU_SR_PMEVCNTR4_EL0, EMU_SR_PMEVCNTR5_EL0,
};

/* memcpy by the library, which is faster here than what the compiler makes of a known size. */
static __attribute__((noipa)) void copy(void *to, const void *from, size_t n)
{
	memcpy(to, from, n);
}

static void state_get(const struct emu_cpu *cpu, struct verify_state *s)
{
	copy(s->x, cpu->x, sizeof(s->x));
	s->pc = cpu->pc;
	copy(s->sp_el, cpu->sp_el, sizeof(s->sp_el));
	s->nzcv = cpu->nzcv;
	s->fpcr = cpu->fpcr;
	s->fpsr = cpu->fpsr;
	s->pstate = cpu->pstate;
	copy(s->v, cpu->v, sizeof(s->v));
	s->excl_size = cpu->excl_size;
	s->excl_addr = cpu->excl_size ? cpu->excl_addr : 0;
	s->excl_host = cpu->excl_size ? cpu->excl_host : NULL;
	s->excl_val[0] = cpu->excl_size ? cpu->excl_val[0] : 0;
	s->excl_val[1] = cpu->excl_size == 16 ? cpu->excl_val[1] : 0;
	s->retired = cpu->retired;
	for (unsigned i = 0; i < VERIFY_SYSREGS; i++)
		s->sys[i] = cpu->sys[verify_sysregs[i]];
	/* The SP that is in use is x[31]; its place among the others is stale. */
	s->sp_el[cpu->pstate.sp ? cpu->pstate.el : 0] = 0;
}

static void state_put(struct emu_cpu *cpu, const struct verify_state *s)
{
	bool modes = memcmp(&cpu->pstate, &s->pstate, sizeof(s->pstate)) != 0;

	copy(cpu->x, s->x, sizeof(s->x));
	cpu->pc = cpu->next_pc = s->pc;
	copy(cpu->sp_el, s->sp_el, sizeof(s->sp_el));
	cpu->nzcv = s->nzcv;
	cpu->fpcr = s->fpcr;
	cpu->fpsr = s->fpsr;
	cpu->pstate = s->pstate;
	copy(cpu->v, s->v, sizeof(s->v));
	cpu->excl_size = (uint8_t)s->excl_size;
	cpu->excl_addr = s->excl_addr;
	cpu->excl_host = s->excl_host;
	copy(cpu->excl_val, s->excl_val, sizeof(s->excl_val));
	emu_count_retired(cpu, s->retired - cpu->retired);
	for (unsigned i = 0; i < VERIFY_SYSREGS; i++)
		cpu->sys[verify_sysregs[i]] = s->sys[i];
	if (modes)
		emu_pstate_changed(cpu);
}

static bool states_differ(const struct verify_state *a, const struct verify_state *b)
{
	return memcmp(a, b, offsetof(struct verify_state, sys[VERIFY_COMPARED_SYSREGS])) != 0;
}

/* ---- Memory ---- */

static struct verify_line *line_of(struct emu_verify *v, uint8_t *host)
{
	for (unsigned i = v->n_lines; i-- > 0;)
		if (v->line[i].host == host)
			return &v->line[i];
	struct verify_line *line = &v->line[v->n_lines++];
	line->host = host;
	line->written = 0;
	memcpy(line->before, host, VERIFY_LINE);
	return line;
}

void emu_verify_note_store(struct emu_cpu *cpu, const void *host, unsigned size)
{
	struct emu_verify *v = cpu->verify;

	if (!v || v->phase != VERIFY_INTERP)
		return;
	for (uintptr_t at = (uintptr_t)host, end = at + size; at < end;) {
		uintptr_t first = at & ~(uintptr_t)(VERIFY_LINE - 1), last = first + VERIFY_LINE;
		unsigned n = (unsigned)((end < last ? end : last) - at);
		uint64_t bits = n == 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
		line_of(v, (uint8_t *)first)->written |= bits << (at - first);
		at += n;
	}
}

static void keep_lines(struct emu_verify *v, bool is_jit)
{
	for (unsigned i = 0; i < v->n_lines; i++)
		memcpy(is_jit ? v->line[i].jit : v->line[i].interp, v->line[i].host, VERIFY_LINE);
}

/* Who waits in WFE may be reading what it waits for, without a turn, and wakes for nothing then. */
EMU_GUEST_ACCESS void undo_line(const struct verify_line *line)
{
	if (line->written == ~UINT64_C(0)) {
		for (unsigned at = 0; at < VERIFY_LINE; at += 8)
			*(volatile emu_u64u *)(line->host + at) = *(const emu_u64u *)(line->before + at);
		return;
	}
	for (uint64_t left = line->written; left; left &= left - 1) {
		unsigned at = (unsigned)__builtin_ctzll(left);
		*(volatile uint8_t *)(line->host + at) = line->before[at];
	}
}

static void undo_lines(struct emu_verify *v)
{
	for (unsigned i = 0; i < v->n_lines; i++)
		undo_line(&v->line[i]);
}

static bool lines_differ(const struct emu_verify *v)
{
	for (unsigned i = 0; i < v->n_lines; i++)
		if (memcmp(v->line[i].interp, v->line[i].jit, VERIFY_LINE) != 0)
			return true;
	return false;
}

/* ---- Instructions that are executed once ---- */

/* MRS: what is not the same at another time, or may be a device's. */
static bool mrs_is_alone(const struct a64_args_MRS *a)
{
	switch (a->CRn) {
	case 2: /* RNDR */
		return a->op1 == 3;
	case 4: /* ICC_PMR_EL1 */
		return a->CRm == 6;
	case 9: /* PMU */
	case 14: /* counters and timers, PMU */
		return true;
	case 12: /* the GIC's CPU interface; ISR_EL1; not VBAR_EL1 */
		return a->CRm != 0;
	default:
		return !a->o0;
	}
}

/* MSR: all but what is only stored, or part of PSTATE. */
static bool msr_is_alone(const struct a64_args_MSR_reg *a)
{
	uint32_t enc = EMU_SYSREG(2 + a->o0, a->op1, a->CRn, a->CRm, a->op2);

	switch (enc) {
	case EMU_SYSREG(3, 0, 4, 0, 0): /* SPSR_EL1 */
	case EMU_SYSREG(3, 0, 4, 0, 1): /* ELR_EL1 */
	case EMU_SYSREG(3, 0, 4, 1, 0): /* SP_EL0 */
	case EMU_SYSREG(3, 0, 4, 2, 0): /* SPSel */
	case EMU_SYSREG(3, 0, 4, 2, 3): /* PAN */
	case EMU_SYSREG(3, 0, 4, 2, 4): /* UAO */
	case EMU_SYSREG(3, 3, 4, 2, 0): /* NZCV */
	case EMU_SYSREG(3, 3, 4, 2, 1): /* DAIF */
	case EMU_SYSREG(3, 3, 4, 2, 5): /* DIT */
	case EMU_SYSREG(3, 3, 4, 2, 6): /* SSBS */
	case EMU_SYSREG(3, 3, 4, 4, 0): /* FPCR */
	case EMU_SYSREG(3, 3, 4, 4, 1): /* FPSR */
	case EMU_SYSREG(3, 0, 5, 2, 0): /* ESR_EL1 */
	case EMU_SYSREG(3, 0, 6, 0, 0): /* FAR_EL1 */
	case EMU_SYSREG(3, 0, 12, 0, 0): /* VBAR_EL1 */
	case EMU_SYSREG(3, 0, 13, 0, 4): /* TPIDR_EL1 */
	case EMU_SYSREG(3, 3, 13, 0, 2): /* TPIDR_EL0 */
	case EMU_SYSREG(3, 3, 13, 0, 3): /* TPIDRRO_EL0 */
		return false;
	default:
		return true;
	}
}

bool emu_verify_is_alone(uint32_t word)
{
	enum a64_op op;
	union a64_args args;
	const struct a64_args_HINT *hint = &args.a64_shape_HINT;
	const struct a64_args_SYS *sys = &args.a64_shape_SYS;

	/* Those that generate exceptions, and the system instructions. */
	if ((word >> 24 != 0xd4 && word >> 24 != 0xd5) || !a64_decode(word, &op, &args))
		return false;
	switch (op) {
	case A64_HVC:
	case A64_SMC:
	case A64_HLT:
	case A64_WFET:
	case A64_WFIT:
	case A64_DSB:
	case A64_ISB:
	case A64_SYSL:
		return true;
	case A64_HINT: /* YIELD, WFE, WFI, SEV, SEVL */
		return hint->CRm == 0 && hint->op2 >= 1 && hint->op2 <= 5;
	case A64_SYS: /* all but DC */
		return sys->CRn != 7 || sys->CRm == 1 || sys->CRm == 3 || sys->CRm == 5 || sys->CRm == 8 || sys->CRm == 9;
	case A64_MRS:
		return mrs_is_alone(&args.a64_shape_MRS);
	case A64_MSR_reg:
		return msr_is_alone(&args.a64_shape_MSR_reg);
	default:
		return false;
	}
}

/* Those of them that may wait for another vCPU, which needs a turn. They do not touch memory. */
static bool may_wait(uint32_t word)
{
	return emu_verify_is_alone(word) && (word & 0xfff80000) != 0xd5080000; /* SYS */
}

void emu_verify_leave(struct emu_cpu *cpu)
{
	jit_sync_flags(cpu);
	cpu->verify->next_is_alone = true;
	longjmp(cpu->unwind, 1);
}

void emu_verify_device(struct emu_cpu *cpu)
{
	struct emu_verify *v = cpu->verify;

	if (!v || v->phase == VERIFY_OFF)
		return;
	v->next_is_alone = true;
	longjmp(cpu->unwind, 1);
}

static void run_alone(struct emu_cpu *cpu)
{
	struct emu_system *sys = cpu->system;
	volatile bool waits = false;

	cpu->verify->n_alone++;
	if (setjmp(cpu->unwind) == 0) {
		emu_code_find(cpu, cpu->pc);
		waits = may_wait(emu_code_word(cpu));
	} else {
		return; /* the fetch has raised an exception */
	}
	if (waits)
		give_turn(sys);
	emu_interp_step(cpu);
	if (waits)
		take_turn(sys);
}

/* ---- The two runs ---- */

/* The block at cpu->pc; NULL where one instruction has to be interpreted, or the
 * fetch has raised an exception (*ret_raised). */
static __attribute__((noinline)) struct jit_block *find_block(struct emu_cpu *cpu, bool *ret_raised)
{
	if (setjmp(cpu->unwind)) {
		*ret_raised = true;
		return NULL;
	}
	*ret_raised = false;
	return jit_block_now(cpu);
}

static __attribute__((noinline)) void interpret(struct emu_cpu *cpu)
{
	struct emu_verify *v = cpu->verify;

	if (setjmp(cpu->unwind))
		return;
	while (v->limit-- > 0) {
		uint64_t pc = cpu->pc;
		emu_code_find(cpu, pc);
		if (emu_verify_is_alone(emu_code_word(cpu))) {
			v->next_is_alone = true;
			return;
		}
		for (unsigned i = 0; i < 2; i++)
			cpu->view[i] = cpu->view_unpriv[i] = v->no_view;
		emu_interp_one(cpu);
		if (cpu->pc != pc + 4)
			return;
	}
}

/* The interpreter executes `n` instructions, if they follow each other. */
static void run_interp(struct emu_cpu *cpu, unsigned n)
{
	struct emu_verify *v = cpu->verify;

	struct emu_tlb_entry *view[2] = { cpu->view[0], cpu->view[1] };
	struct emu_tlb_entry *view_unpriv[2] = { cpu->view_unpriv[0], cpu->view_unpriv[1] };

	v->phase = VERIFY_INTERP;
	v->next_is_alone = false;
	v->n_lines = 0;
	v->limit = n;
	interpret(cpu);
	v->phase = VERIFY_OFF;
	if (memcmp(&cpu->pstate, &v->before.pstate, sizeof(cpu->pstate)) != 0) {
		emu_tlb_update_views(cpu);
	} else {
		memcpy(cpu->view, view, sizeof(view));
		memcpy(cpu->view_unpriv, view_unpriv, sizeof(view_unpriv));
	}
	state_get(cpu, &v->interp);
	keep_lines(v, false);
}

static __attribute__((noinline)) void translated(struct emu_cpu *cpu, const struct jit_block *block)
{
	if (setjmp(cpu->unwind)) {
		emu_count_retired(cpu, (uint64_t)cpu->jit_hot.partial);
		return;
	}
	cpu->jit_hot.partial = 0;
	jit_enter(cpu, block);
}

static void run_jit(struct emu_cpu *cpu, const struct jit_block *block)
{
	struct emu_verify *v = cpu->verify;

	v->phase = VERIFY_JIT;
	jit_fp_enter(cpu->jit);
	translated(cpu, block);
	jit_fp_leave(cpu->jit);
	cpu->jit_hot.link = 0;
	v->phase = VERIFY_OFF;
	state_get(cpu, &v->jit);
	keep_lines(v, true);
}

/* ---- A step ---- */

static void step_begin(struct emu_cpu *cpu)
{
	struct emu_verify *v = cpu->verify;

	state_get(cpu, &v->before);
	memcpy(v->pmu_events, cpu->vcpu->pmu.events, sizeof(v->pmu_events));
	memcpy(v->pmu_base, cpu->vcpu->pmu.base, sizeof(v->pmu_base));
}

/* To where the step began. */
static void go_back(struct emu_cpu *cpu)
{
	struct emu_verify *v = cpu->verify;

	undo_lines(v);
	state_put(cpu, &v->before);
	memcpy(cpu->vcpu->pmu.events, v->pmu_events, sizeof(v->pmu_events));
	memcpy(cpu->vcpu->pmu.base, v->pmu_base, sizeof(v->pmu_base));
}

static void go_back_to_enter(struct emu_cpu *cpu, unsigned btype)
{
	go_back(cpu);
	cpu->pstate.btype = (uint8_t)btype;
}

/* Translated code has left early: the interpreter does the same count of
 * instructions; memory is compared where it had written before. */
static void interpret_less(struct emu_cpu *cpu, unsigned n)
{
	struct emu_verify *v = cpu->verify;
	unsigned n_lines = v->n_lines;

	memcpy(v->kept, v->line, n_lines * sizeof(v->line[0]));
	go_back(cpu);
	run_interp(cpu, n);
	memcpy(v->line, v->kept, n_lines * sizeof(v->line[0]));
	v->n_lines = n_lines;
	keep_lines(v, false);
}

/* Bytes that the interpreter has not written are other than before the
 * translated code ran: whether they become so again. */
static bool writes_elsewhere(struct emu_cpu *cpu, const struct jit_block *block, unsigned btype)
{
	struct emu_verify *v = cpu->verify;
	uint64_t outside[VERIFY_MAX_LINES];
	bool any = false, again = false;

	for (unsigned i = 0; i < v->n_lines; i++) {
		struct verify_line *line = &v->line[i];
		outside[i] = 0;
		for (unsigned at = 0; at < VERIFY_LINE; at++) {
			if (!(line->written >> at & 1) && line->interp[at] != line->jit[at]) {
				outside[i] |= UINT64_C(1) << at;
				line->host[at] = line->interp[at];
				any = true;
			}
		}
	}
	if (!any)
		return false;
	memcpy(v->kept, v->line, v->n_lines * sizeof(v->line[0]));
	go_back_to_enter(cpu, btype);
	run_jit(cpu, block);
	for (unsigned i = 0; i < v->n_lines; i++) {
		for (uint64_t left = outside[i]; left; left &= left - 1) {
			unsigned at = (unsigned)__builtin_ctzll(left);
			if (v->line[i].host[at] != v->line[i].interp[at])
				again = true;
			else
				v->line[i].host[at] = v->kept[i].jit[at]; /* somebody else's */
		}
	}
	memcpy(v->line, v->kept, v->n_lines * sizeof(v->line[0]));
	go_back(cpu);
	return again;
}

/* Whether the interpreter does once more what it has done: if not, something
 * else has written to memory. Ends where the step began. */
static bool is_repeated(struct emu_cpu *cpu, unsigned n)
{
	struct emu_verify *v = cpu->verify;
	unsigned n_lines = v->n_lines;

	go_back(cpu);
	v->again = v->interp;
	memcpy(v->kept, v->line, n_lines * sizeof(v->line[0]));
	run_interp(cpu, n);
	bool same = !states_differ(&v->again, &v->interp) && n_lines == v->n_lines;
	for (unsigned i = 0; same && i < n_lines; i++)
		same = memcmp(v->kept[i].interp, v->line[i].interp, VERIFY_LINE) == 0;
	go_back(cpu);
	if (same) /* a report is on the first run */
		memcpy(v->line, v->kept, n_lines * sizeof(v->line[0]));
	return same;
}

/* Both engines over one block. The reason if they differ, and then the state is
 * what it was; NULL if they do not, and then it is the new one. */
static const char *compare_block(struct emu_cpu *cpu, const struct jit_block *block, unsigned btype)
{
	struct emu_verify *v = cpu->verify;
	unsigned n = block->n;

	for (unsigned try = 0; try < MAX_TRIES; try++) {
		run_interp(cpu, n);
		uint64_t done = v->interp.retired - v->before.retired;
		bool next_is_alone = v->next_is_alone;
		if (done == 0 && next_is_alone)
			return NULL;
		go_back_to_enter(cpu, btype);
		run_jit(cpu, block);
		uint64_t translated_done = v->jit.retired - v->before.retired;
		if (translated_done < done) {
			n = (unsigned)translated_done;
			interpret_less(cpu, n);
			next_is_alone = false;
		}
		v->next_is_alone = next_is_alone;
		bool differ = states_differ(&v->interp, &v->jit);
		if (!differ && !lines_differ(v))
			return NULL;
		if (writes_elsewhere(cpu, block, btype))
			return "memory that only the JIT writes to";
		if (is_repeated(cpu, n))
			return translated_done > done ? "the JIT went on behind its block" :
				differ ? "the state" : "memory";
		v->n_disturbed++;
	}
	return NULL;
}

static void halt(struct emu_cpu *cpu, const struct jit_block *block, const char *what)
{
	verify_report(cpu, block, what);
	emu_system_stop(cpu, EMU_EVENT_PANIC, 0);
}

static void step(struct emu_cpu *cpu)
{
	struct emu_verify *v = cpu->verify;
	const char *what;
	bool raised;

	step_begin(cpu);
	struct jit_block *block = find_block(cpu, &raised);
	if (raised)
		return;
	/* The block has been found for this BTYPE, which it may have taken into its own hands. */
	unsigned btype = cpu->pstate.btype;
	cpu->pstate.btype = v->before.pstate.btype;
	v->next_is_alone = !block;
	v->n_steps++;
	if (block && (what = compare_block(cpu, block, btype)))
		halt(cpu, block, what);
	else if (v->next_is_alone)
		run_alone(cpu);
}

static bool wants_attention(struct emu_cpu *cpu)
{
	uint32_t attention = atomic_load_explicit(&cpu->attention, memory_order_acquire);

	if (attention == EMU_ATT_CODE) {
		atomic_fetch_and(&cpu->attention, ~(uint32_t)EMU_ATT_CODE);
		return false;
	}
	return attention;
}

void emu_verify_run(struct emu_cpu *cpu)
{
	struct emu_system *sys = cpu->system;

	jit_fault_enter(cpu->jit);
	take_turn(sys);
	for (unsigned steps = 1; !wants_attention(cpu); steps++) {
		step(cpu);
		if (steps % TURN_STEPS == 0 && is_wanted_turn(sys)) {
			give_turn(sys);
			take_turn(sys);
		}
	}
	give_turn(sys);
	jit_fault_enter(NULL);
}

/* ---- Life ---- */

bool emu_verify_init(struct emu_cpu *cpu, struct vmd_error *err)
{
	struct emu_verify *v = calloc(1, sizeof(*v));

	if (v)
		v->no_view = calloc(EMU_TLB_SIZE, sizeof(v->no_view[0]));
	if (!v || !v->no_view) {
		free(v);
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot make what compares vCPU %u's engines",
			cpu->index);
	}
	cpu->verify = v;
	cpu->jit->debug |= EMU_JIT_NO_CHAIN;
	cpu->jit->verified = true;
	return true;
}

void emu_verify_fini(struct emu_cpu *cpu)
{
	if (!cpu->verify)
		return;
	free(cpu->verify->no_view);
	free(cpu->verify);
	cpu->verify = NULL;
}
