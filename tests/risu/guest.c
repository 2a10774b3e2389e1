/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The differential tester's guest program, for AArch64 Linux: reads cases from
 * standard input, runs each, writes its result to standard output, and exits
 * with status 0 at the end of the input.
 *
 * There is no assembly: a case starts by returning from a signal handler with
 * the case's registers in the signal frame, and it ends in the next signal,
 * the one of the UDF that follows the case's instructions or that of a fault.
 * The handler has its own stack, so that a case may do to SP what it likes.
 */
#include "tests/risu/risu.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

static struct risu_case current;
static struct risu_result result;
static bool running;

static _Noreturn void die(const char *what)
{
	perror(what);
	_exit(2);
}

/* False at the end of the input. */
static bool read_all(void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(STDIN_FILENO, (char *)buf + done, len - done);

		if (n < 0 && errno != EINTR)
			die("read");
		if (n == 0)
			return false;
		if (n > 0)
			done += (size_t)n;
	}
	return true;
}

static void write_all(const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(STDOUT_FILENO, (const char *)buf + done, len - done);

		if (n < 0 && errno != EINTR)
			die("write");
		if (n > 0)
			done += (size_t)n;
	}
}

static struct fpsimd_context *fpsimd_of(mcontext_t *mc)
{
	struct _aarch64_ctx *head = (struct _aarch64_ctx *)(void *)mc->__reserved;

	while (head->magic != FPSIMD_MAGIC) {
		if (head->magic == 0) {
			fprintf(stderr, "no FPSIMD state in the signal frame\n");
			_exit(2);
		}
		head = (struct _aarch64_ctx *)(void *)((char *)head + head->size);
	}
	return (struct fpsimd_context *)(void *)head;
}

static void save_result(mcontext_t *mc, int sig)
{
	struct fpsimd_context *fp = fpsimd_of(mc);
	uint64_t end = RISU_ENTRY + 4 * current.n_insns;

	memset(&result, 0, sizeof(result));
	if (sig == SIGSEGV || sig == SIGBUS)
		result.outcome = RISU_FAULT;
	else if (sig != SIGILL)
		result.outcome = RISU_TRAP;
	else if (mc->pc >= RISU_ENTRY && mc->pc < end)
		result.outcome = RISU_UNDEFINED;
	else
		result.outcome = RISU_END;
	memcpy(result.state.x, mc->regs, sizeof(result.state.x));
	result.state.sp = mc->sp;
	result.state.pc = mc->pc;
	result.state.nzcv = (uint32_t)mc->pstate & 0xF0000000u;
	result.state.fpcr = fp->fpcr;
	result.state.fpsr = fp->fpsr;
	memcpy(result.state.v, fp->vregs, sizeof(result.state.v));
	memcpy(result.mem, (void *)(uintptr_t)RISU_MEM, RISU_MEM_SIZE);
}

static void load_case(mcontext_t *mc)
{
	struct fpsimd_context *fp = fpsimd_of(mc);
	uint32_t *entry = (uint32_t *)(uintptr_t)RISU_ENTRY;

	memset((void *)(uintptr_t)RISU_CODE, 0, RISU_CODE_SIZE); /* UDF #0 */
	memcpy(entry, current.insns, 4 * current.n_insns);
	__builtin___clear_cache((char *)(uintptr_t)RISU_CODE, (char *)(uintptr_t)(RISU_CODE + RISU_CODE_SIZE));
	memcpy((void *)(uintptr_t)RISU_MEM, current.mem, RISU_MEM_SIZE);

	memcpy(mc->regs, current.state.x, sizeof(current.state.x));
	mc->sp = current.state.sp;
	mc->pc = RISU_ENTRY;
	mc->pstate = (mc->pstate & ~0xF0000C00ull) | (current.state.nzcv & 0xF0000000u);
	fp->fpcr = current.state.fpcr;
	fp->fpsr = current.state.fpsr;
	memcpy(fp->vregs, current.state.v, sizeof(current.state.v));
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	mcontext_t *mc = &((ucontext_t *)context)->uc_mcontext;

	(void)info;
	if (running) {
		save_result(mc, sig);
		write_all(&result, sizeof(result));
	}
	if (!read_all(&current, sizeof(current)))
		_exit(0);
	if (current.n_insns > RISU_MAX_INSNS) {
		fprintf(stderr, "bad case\n");
		_exit(2);
	}
	running = true;
	load_case(mc);
}

int main(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	static const int signals[] = { SIGILL, SIGSEGV, SIGBUS, SIGTRAP, SIGFPE };
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	void *p;

	p = mmap((void *)(uintptr_t)RISU_CODE, RISU_CODE_SIZE + RISU_MEM_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	if (sigaltstack(&alt, NULL) < 0)
		die("sigaltstack");
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (sigaction(signals[i], &sa, NULL) < 0)
			die("sigaction");
	}
	raise(SIGILL);
	fprintf(stderr, "a case came back\n");
	return 2;
}
