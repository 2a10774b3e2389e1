/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which vCPU a thread is. Memory accesses carry no master's number, so a device
 * with registers banked by vCPU asks for it here. Thread: each sees its own.
 */
#include "emu/sys_priv.h"

static _Thread_local int current_cpu = -1;

int emu_current_cpu(void)
{
	return current_cpu;
}

void emu_set_current_cpu(int index)
{
	current_cpu = index;
}
