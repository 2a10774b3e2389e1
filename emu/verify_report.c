/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The report of a difference between the JIT and the interpreter: the block, what
 * it was given, what both made of it, and the host's code. Thread: the vCPU's own.
 */
#include "emu/verify_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
	FILE *out;
	const struct emu_verify *v;
};

static void section(FILE *out, const char *title)
{
	fprintf(out, "\n%s\n", title);
}

/* ---- Code ---- */

static void write_guest_code(struct text *t, struct emu_cpu *cpu, const struct jit_block *block)
{
	uint64_t done = t->v->interp.retired - t->v->before.retired;
	uint64_t jit_done = t->v->jit.retired - t->v->before.retired;

	section(t->out, "Guest code:");
	for (unsigned i = 0; i < block->n; i++) {
		uint64_t word;
		enum a64_op op;
		union a64_args args;
		if (!emu_mem_load(cpu->system->mem, jit_block_pa(block) + 4 * i, 4, &word))
			break;
		fprintf(t->out, "  %016" PRIx64 "  %08" PRIx64 "  ", block->pc + 4 * i, word);
		if (a64_decode((uint32_t)word, &op, &args))
			fprintf(t->out, "%s", a64_encodings[op].name);
		else
			fprintf(t->out, "UNDEFINED");
		if (i == done)
			fprintf(t->out, "  <- the interpreter did not complete this");
		if (i == jit_done)
			fprintf(t->out, "  <- the JIT did not complete this");
		fputc('\n', t->out);
	}
}

static void write_host_code(struct text *t, const struct jit *j, const struct jit_block *block)
{
	const uint8_t *code = j->buf.start + block->code;

	section(t->out, "Host code (x86-64; RBP is the vCPU's state, R12 and R13 the page arrays):");
	for (unsigned i = 0; i < block->size; i++) {
		if (i % 16 == 0)
			fprintf(t->out, "%s  %p ", i ? "\n" : "", (const void *)(x86_exec_at(&j->buf, block->code) + i));
		fprintf(t->out, " %02x", code[i]);
	}
	fputc('\n', t->out);
}

/* ---- State ---- */

/* One line: a value before, and what the two made of it; none where all are zero. */
static void write_value(struct text *t, const char *name, uint64_t before, uint64_t interp, uint64_t jit)
{
	if (!(before | interp | jit))
		return;
	fprintf(t->out, "  %-12s %016" PRIx64, name, before);
	if (interp != before || jit != before)
		fprintf(t->out, "  %016" PRIx64 "  %016" PRIx64 "%s", interp, jit, interp != jit ? "  DIFFERS" : "");
	fputc('\n', t->out);
}

static uint64_t pstate_of(const struct verify_state *s)
{
	const struct emu_pstate *p = &s->pstate;

	return s->nzcv | (uint32_t)p->tco << 25 | (uint32_t)p->dit << 24 | (uint32_t)p->uao << 23 |
	       (uint32_t)p->pan << 22 | (uint32_t)p->ss << 21 | (uint32_t)p->il << 20 | (uint32_t)p->ssbs << 12 |
	       (uint32_t)p->btype << 10 | (uint32_t)p->d << 9 | (uint32_t)p->a << 8 | (uint32_t)p->i << 7 |
	       (uint32_t)p->f << 6 | (uint32_t)p->el << 2 | p->sp;
}

static void write_state(struct text *t, const uint64_t *sys)
{
	static const char *const sysreg_names[] = {
#define SYSREG(name, ...) #name,
#include "emu/sysregs.def"
#undef SYSREG
	};
	const struct verify_state *a = &t->v->before, *b = &t->v->interp, *c = &t->v->jit;
	char name[16];

	section(t->out, "State:        before            interpreter       JIT (where not as before; what is not listed is 0)");
	for (unsigned i = 0; i < 32; i++) {
		snprintf(name, sizeof(name), i == 31 ? "SP" : "X%u", i);
		write_value(t, name, a->x[i], b->x[i], c->x[i]);
	}
	write_value(t, "PC", a->pc, b->pc, c->pc);
	write_value(t, "PSTATE", pstate_of(a), pstate_of(b), pstate_of(c));
	write_value(t, "FPCR", a->fpcr, b->fpcr, c->fpcr);
	write_value(t, "FPSR", a->fpsr, b->fpsr, c->fpsr);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "SP_EL%u", i);
		write_value(t, name, a->sp_el[i], b->sp_el[i], c->sp_el[i]);
	}
	for (unsigned i = 0; i < 32; i++) {
		for (unsigned k = 0; k < 2; k++) {
			snprintf(name, sizeof(name), "V%u.D[%u]", i, k);
			write_value(t, name, a->v[i].d[k], b->v[i].d[k], c->v[i].d[k]);
		}
	}
	write_value(t, "monitor size", a->excl_size, b->excl_size, c->excl_size);
	write_value(t, "monitor VA", a->excl_addr, b->excl_addr, c->excl_addr);
	write_value(t, "monitor host", (uintptr_t)a->excl_host, (uintptr_t)b->excl_host, (uintptr_t)c->excl_host);
	write_value(t, "monitor low", a->excl_val[0], b->excl_val[0], c->excl_val[0]);
	write_value(t, "monitor high", a->excl_val[1], b->excl_val[1], c->excl_val[1]);
	write_value(t, "retired", a->retired, b->retired, c->retired);
	for (unsigned i = 0; i < VERIFY_COMPARED_SYSREGS; i++)
		write_value(t, sysreg_names[verify_sysregs[i]], a->sys[i], b->sys[i], c->sys[i]);
	/* Of the others those that tell how memory and instructions behave. */
	static const uint16_t modes[] = { EMU_SR_SCTLR_EL1, EMU_SR_TCR_EL1, EMU_SR_TTBR0_EL1, EMU_SR_TTBR1_EL1,
		EMU_SR_MAIR_EL1, EMU_SR_CPACR_EL1, EMU_SR_MDSCR_EL1 };
	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		write_value(t, sysreg_names[modes[i]], sys[modes[i]], sys[modes[i]], sys[modes[i]]);
}

/* ---- Memory ---- */

struct place {
	const uint8_t *host;
	const char *name;
	uint64_t pa;
};

static void find_place(void *opaque, const struct emu_region_desc *desc, bool direct)
{
	struct place *place = opaque;
	uintptr_t start = (uintptr_t)desc->host, at = (uintptr_t)place->host;

	if (desc->host && at >= start && at - start < desc->size) {
		place->name = desc->name;
		place->pa = desc->base + (at - start);
	}
}

static void write_bytes(FILE *out, const char *title, const uint8_t *bytes)
{
	fprintf(out, "    %-12s", title);
	for (unsigned i = 0; i < 16; i++)
		fprintf(out, " %02x", bytes[i]);
	fputc('\n', out);
}

static void write_memory(struct text *t, struct emu_cpu *cpu)
{
	section(t->out, "Memory written to, 16 bytes at a time:");
	for (unsigned i = 0; i < t->v->n_lines; i++) {
		const struct verify_line *line = &t->v->line[i];
		struct place place = { .host = line->host, .name = "?" };
		emu_mem_walk(cpu->system->mem, find_place, &place);
		for (unsigned at = 0; at < VERIFY_LINE; at += 16) {
			bool differs = memcmp(line->interp + at, line->jit + at, 16) != 0;
			if (!(line->written >> at & 0xffff) && !differs)
				continue;
			fprintf(t->out, "  %s, PA %016" PRIx64 "%s\n", place.name, place.pa + at, differs ? "  DIFFERS" : "");
			write_bytes(t->out, "before", line->before + at);
			write_bytes(t->out, "interpreter", line->interp + at);
			write_bytes(t->out, "JIT", line->jit + at);
		}
	}
}

void verify_report(struct emu_cpu *cpu, const struct jit_block *block, const char *what)
{
	char *text = NULL;
	size_t len = 0;
	struct text t = { .out = open_memstream(&text, &len), .v = cpu->verify };

	if (!cpu->system->report || !t.out) {
		if (t.out)
			fclose(t.out);
		free(text);
		return;
	}
	fprintf(t.out, "vCPU %u: the JIT and the interpreter differ: %s\n", cpu->index, what);
	fprintf(t.out, "Block: PC %016" PRIx64 ", PA %016" PRIx64 ", flags %#x, %u instructions, %u bytes of code; ", block->pc,
		jit_block_pa(block), jit_block_flags(block), block->n, block->size);
	fprintf(t.out, "%" PRIu64 " blocks compared before it\n", t.v->n_steps - 1);
	write_guest_code(&t, cpu, block);
	write_state(&t, cpu->sys);
	write_memory(&t, cpu);
	write_host_code(&t, cpu->jit, block);
	section(t.out, "To see it again, run these instructions from that state: the machine has stopped with the state\n"
		"and memory as they were before the block.");
	bool ok = !ferror(t.out);
	ok &= fclose(t.out) == 0;
	if (ok)
		cpu->system->report(cpu->system->opaque, text);
	free(text);
}
