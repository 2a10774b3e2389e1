/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accesses of translated code that trap because the guest's address is not
 * canonical (emu/jit_mem.c): the host raises a general protection fault, the
 * kernel makes it SIGSEGV (or SIGBUS, for the stack segment), and the handler
 * here continues at the access's slow path. Any other fault goes to whoever had
 * the signal before.
 *
 * The handler looks at this thread's struct jit only, which the thread is not
 * changing: it is executing what it translated before.
 */
#include "emu/jit_priv.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <ucontext.h>

static _Thread_local struct jit *running;

/* Not main.c's, though they are the process's: dispositions of signals are shared by all of it, whoever makes the first
 * JIT (a machine's process, a test) sets them, and a handler has nowhere else to look. Set once, before it can run. */
static struct sigaction old_segv, old_bus;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int install_error;

static void pass_on(int sig, siginfo_t *info, void *context)
{
	const struct sigaction *old = sig == SIGSEGV ? &old_segv : &old_bus;

	if (old->sa_flags & SA_SIGINFO)
		old->sa_sigaction(sig, info, context);
	else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN)
		old->sa_handler(sig);
	else
		sigaction(sig, old, NULL); /* the instruction is executed again, and its fault is fatal */
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *rip = &uc->uc_mcontext.gregs[REG_RIP];
	struct jit *j = running;
	uint64_t at = j ? (uint64_t)*rip - (uint64_t)(uintptr_t)j->buf.exec : UINT64_MAX;

	if (j && at < j->code_end) {
		uint32_t to;
		if (jit_cache_find_fault(j, (uint32_t)at, &to)) {
			jit_count(j, EMU_STAT_JIT_FAULTS, 1);
			*rip = (greg_t)(uintptr_t)x86_exec_at(&j->buf, to);
			return;
		}
	}
	pass_on(sig, info, context);
}

static void install(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigemptyset(&sa.sa_mask);
	if (sigaction(SIGSEGV, &sa, &old_segv) != 0 || sigaction(SIGBUS, &sa, &old_bus) != 0)
		install_error = errno;
}

bool jit_fault_init(struct vmd_error *err)
{
	pthread_once(&once, install);
	if (install_error)
		return vmd_error_set(err, VMD_ERR_GENERIC, install_error, "Cannot handle the JIT's memory faults");
	return true;
}

void jit_fault_enter(struct jit *j)
{
	running = j;
}

