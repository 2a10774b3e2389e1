/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Firmware calls: PSCI 1.1 (Arm DEN0022) and the discovery calls of the SMC
 * Calling Convention 1.1 (Arm DEN0028), through HVC #0. Thread: the calling
 * vCPU's own; power states change under the system's lock.
 */
#include "emu/sys_priv.h"
#include "emu/vcpu_priv.h"

#include <stddef.h>

enum {
	PSCI_SUCCESS = 0,
	PSCI_NOT_SUPPORTED = -1,
	PSCI_INVALID_PARAMETERS = -2,
	PSCI_ALREADY_ON = -4,
	PSCI_ON_PENDING = -5,
	PSCI_INVALID_ADDRESS = -9,
};

#define PSCI_VERSION_1_1 0x10001
#define SMCCC_VERSION_1_1 0x10001
#define IS_64 (1u << 30) /* of a function identifier: the 64-bit convention */

struct psci_args {
	uint64_t x1, x2, x3; /* 32 bits each in the 32-bit convention */
};
typedef int64_t psci_fn(struct emu_cpu *cpu, const struct psci_args *args);

static struct emu_vcpu *find_vcpu(struct emu_system *sys, uint64_t affinity)
{
	for (unsigned i = 0; i < sys->n_cpus; i++) {
		if (emu_system_mpidr(sys, i) == affinity)
			return sys->vcpus[i];
	}
	return NULL;
}

static int64_t psci_version(struct emu_cpu *cpu, const struct psci_args *args)
{
	return PSCI_VERSION_1_1;
}

/* Standby or power-down: both wait here, where nothing is lost. */
static int64_t psci_cpu_suspend(struct emu_cpu *cpu, const struct psci_args *args)
{
	/* power_state, original format: affinity level in [25:24], type in 16, state in [15:0]. */
	if (args->x1 & ~UINT64_C(0x0301ffff))
		return PSCI_INVALID_PARAMETERS;
	emu_wfi(cpu, UINT64_MAX);
	return PSCI_SUCCESS;
}

static int64_t psci_cpu_off(struct emu_cpu *cpu, const struct psci_args *args)
{
	struct emu_system *sys = cpu->system;
	pthread_mutex_lock(&sys->lock);
	atomic_store(&cpu->vcpu->power, EMU_POWER_OFF);
	atomic_fetch_or(&cpu->attention, EMU_ATT_POWER);
	pthread_mutex_unlock(&sys->lock);
	emu_end_insn(cpu); /* the next thing this vCPU executes is where CPU_ON says */
}

static int64_t psci_cpu_on(struct emu_cpu *cpu, const struct psci_args *args)
{
	struct emu_system *sys = cpu->system;
	struct emu_vcpu *target = find_vcpu(sys, args->x1);
	int64_t rc = PSCI_SUCCESS;

	if (!target)
		return PSCI_INVALID_PARAMETERS;
	if (args->x2 & 3)
		return PSCI_INVALID_ADDRESS;
	pthread_mutex_lock(&sys->lock);
	switch (atomic_load(&target->power)) {
	case EMU_POWER_ON:
		rc = PSCI_ALREADY_ON;
		break;
	case EMU_POWER_ON_PENDING:
		rc = PSCI_ON_PENDING;
		break;
	default:
		target->start_pc = args->x2;
		target->start_arg = args->x3;
		atomic_store(&target->power, EMU_POWER_ON_PENDING);
		break;
	}
	pthread_mutex_unlock(&sys->lock);
	if (rc == PSCI_SUCCESS)
		emu_vcpu_kick(target, EMU_ATT_POWER);
	return rc;
}

static int64_t psci_affinity_info(struct emu_cpu *cpu, const struct psci_args *args)
{
	enum { ON = 0, OFF = 1, ON_PENDING = 2 };
	struct emu_vcpu *target = find_vcpu(cpu->system, args->x1);

	if (!target || args->x2 > 0) /* since PSCI 1.0 only level 0 need be known */
		return PSCI_INVALID_PARAMETERS;
	switch (atomic_load(&target->power)) {
	case EMU_POWER_ON:
		return ON;
	case EMU_POWER_ON_PENDING:
		return ON_PENDING;
	default:
		return OFF;
	}
}

static int64_t psci_migrate_info_type(struct emu_cpu *cpu, const struct psci_args *args)
{
	return 2; /* no Trusted OS that would need migration */
}

static int64_t psci_system_off(struct emu_cpu *cpu, const struct psci_args *args)
{
	emu_system_halt(cpu, EMU_EVENT_SHUTDOWN, 0);
}

static int64_t psci_system_reset(struct emu_cpu *cpu, const struct psci_args *args)
{
	emu_system_halt(cpu, EMU_EVENT_RESET, 0);
}

/* Reset types: 0 is SYSTEM_WARM_RESET; bit 31 marks the vendor's own, of which there are none. */
static int64_t psci_system_reset2(struct emu_cpu *cpu, const struct psci_args *args)
{
	if ((uint32_t)args->x1 != 0)
		return PSCI_INVALID_PARAMETERS;
	emu_system_halt(cpu, EMU_EVENT_RESET, 0);
}

static int64_t smccc_version(struct emu_cpu *cpu, const struct psci_args *args)
{
	return SMCCC_VERSION_1_1;
}

static psci_fn psci_features, smccc_arch_features;

static const struct psci_call {
	uint32_t id;
	bool has_64;     /* exists in the 64-bit convention too */
	psci_fn *call;
} calls[] = {
	{ 0x84000000, false, psci_version },
	{ 0x84000001, true, psci_cpu_suspend },
	{ 0x84000002, false, psci_cpu_off },
	{ 0x84000003, true, psci_cpu_on },
	{ 0x84000004, true, psci_affinity_info },
	{ 0x84000006, false, psci_migrate_info_type },
	{ 0x84000008, false, psci_system_off },
	{ 0x84000009, false, psci_system_reset },
	{ 0x8400000a, false, psci_features },
	{ 0x84000012, true, psci_system_reset2 },
	{ 0x80000000, false, smccc_version },
	{ 0x80000001, false, smccc_arch_features },
};

static const struct psci_call *find_call(uint32_t id)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (id == calls[i].id || (calls[i].has_64 && id == (calls[i].id | IS_64)))
			return &calls[i];
	}
	return NULL;
}

/* CPU_SUSPEND: original power_state format, platform-coordinated: no bit is set. */
static int64_t psci_features(struct emu_cpu *cpu, const struct psci_args *args)
{
	uint32_t id = (uint32_t)args->x1;
	bool known = find_call(id) && id != 0x80000001; /* of the SMCCC, only its version is asked for here */
	return known ? 0 : PSCI_NOT_SUPPORTED;
}

static int64_t smccc_arch_features(struct emu_cpu *cpu, const struct psci_args *args)
{
	uint32_t id = (uint32_t)args->x1;
	return id == 0x80000000 || id == 0x80000001 ? 0 : PSCI_NOT_SUPPORTED;
}

void emu_psci_call(struct emu_cpu *cpu)
{
	uint32_t id = (uint32_t)cpu->x[0];
	const struct psci_call *call = find_call(id);
	struct psci_args args = { cpu->x[1], cpu->x[2], cpu->x[3] };

	if (!(id & IS_64))
		args = (struct psci_args){ (uint32_t)args.x1, (uint32_t)args.x2, (uint32_t)args.x3 };
	int64_t rc = PSCI_NOT_SUPPORTED;
	/* To call what may not be there is how a guest asks for it. */
	if (call)
		rc = call->call(cpu, &args);
	cpu->x[0] = (uint64_t)rc; /* of a 32-bit call W0 counts; its sign in the upper half does no harm */
}
