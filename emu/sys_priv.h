/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the instruction functions (decode and interpreter) and the system
 * side (system registers, exceptions, MMU, threads) of a vCPU. All on the
 * vCPU's own thread. Functions that raise an exception do not return.
 */
#ifndef EMU_SYS_PRIV_H
#define EMU_SYS_PRIV_H

#include "emu/cpu_priv.h"

/* MRS, MSR (register), SYS, SYSL: `enc` is EMU_SYSREG(op0, op1, crn, crm, op2).
 * UNDEFINED or trapped accesses raise. SYS covers IC, DC, AT, TLBI, CFP... */
uint64_t emu_sysreg_read(struct emu_cpu *cpu, uint32_t enc, unsigned rt);
void emu_sysreg_write(struct emu_cpu *cpu, uint32_t enc, unsigned rt, uint64_t val);
void emu_sys_insn(struct emu_cpu *cpu, uint32_t enc, unsigned rt, uint64_t val);

/* MSR (immediate): PSTATE field (op1, op2), 4-bit value. */
void emu_msr_imm(struct emu_cpu *cpu, unsigned op1, unsigned op2, unsigned imm);

_Noreturn void emu_svc(struct emu_cpu *cpu, unsigned imm16);
/* The same, but returns when the exception has been taken. */
void emu_take_svc(struct emu_cpu *cpu, unsigned imm16);
/* HVC and SMC may be PSCI calls served here, and then return. */
void emu_hvc(struct emu_cpu *cpu, unsigned imm16);
void emu_smc(struct emu_cpu *cpu, unsigned imm16);
_Noreturn void emu_brk(struct emu_cpu *cpu, unsigned imm16);
/* HLT: semihosting when it is on and imm16 is 0xF000, else UNDEFINED. */
void emu_hlt(struct emu_cpu *cpu, unsigned imm16);
/* ERET to `target` (ELR_ELx, authenticated by the caller for ERETAA/AB):
 * restores PSTATE, sets next_pc; illegal returns included. */
void emu_eret(struct emu_cpu *cpu, uint64_t target);

/* Where a branch to `target` goes: the top byte is replaced under TBI (BranchAddr in the Arm ARM's pseudocode). */
uint64_t emu_branch_address(const struct emu_cpu *cpu, uint64_t target);

/* WFI, WFE (with FEAT_WFxT `deadline` in counter ticks, else UINT64_MAX), SEV, SEVL. May sleep. */
void emu_wfi(struct emu_cpu *cpu, uint64_t deadline);
void emu_wfe(struct emu_cpu *cpu, uint64_t deadline);
void emu_sev(struct emu_cpu *cpu);
void emu_sevl(struct emu_cpu *cpu);

/* DSB: waits for TLB and code invalidations broadcast by this vCPU. ISB: context synchronization. */
void emu_dsb(struct emu_cpu *cpu);
void emu_isb(struct emu_cpu *cpu);

/* What emu_current_cpu() says on this thread from now on: called first by a vCPU's thread. */
void emu_set_current_cpu(int index);

/* ---- Served by the interpreter ---- */

/* Executes instructions from cpu->pc until cpu->attention is not 0. Exceptions
 * are taken on the way (emu_raise jumps to cpu->unwind, which this function
 * sets up, after having changed the state). */
void emu_interp_run(struct emu_cpu *cpu);
/* Executes exactly one instruction, or takes one exception. */
void emu_interp_step(struct emu_cpu *cpu);
/* The same, inside of a loop of the caller's: exceptions go to its cpu->unwind. */
void emu_interp_one(struct emu_cpu *cpu);
/* Whether the instruction may be the target of a branch with this PSTATE.BTYPE in a guarded page. */
bool emu_interp_may_be_target(const struct emu_cpu *cpu, uint32_t insn, unsigned btype);

/* Pre-decoded code: forget the code of one physical 4 KiB page, or of all.
 * Callable on the owning vCPU's thread only. */
void emu_code_drop_page(struct emu_cpu *cpu, uint64_t page_pa);
void emu_code_drop_all(struct emu_cpu *cpu);
bool emu_code_init(struct emu_cpu *cpu, struct vmd_error *err);
void emu_code_fini(struct emu_cpu *cpu);
/* The virtual-to-code shortcut the loop keeps for the current page is stale
 * (address-space switch, TLBI, exception level change). */
void emu_code_flush_va(struct emu_cpu *cpu);

/* ---- The model's features ---- */

/* Features of the model, for decode and for reserved encodings: FEAT_* from
 * emu/features.def. */
enum emu_feature {
#define FEATURE(name, ...) EMU_##name,
#include "emu/features.def"
#undef FEATURE
	EMU_FEATURE_COUNT
};
bool emu_has(const struct emu_cpu *cpu, enum emu_feature feature);

/* Pointer authentication (emu/pauth.c): key 0..4 = APIA, APIB, APDA, APDB, APGA. */
uint64_t emu_pauth_add(struct emu_cpu *cpu, uint64_t ptr, uint64_t modifier, unsigned key);
/* Authenticates; on failure the result is a corrupted pointer, or with FEAT_FPAC an exception. */
uint64_t emu_pauth_auth(struct emu_cpu *cpu, uint64_t ptr, uint64_t modifier, unsigned key, bool is_combined);
uint64_t emu_pauth_strip(struct emu_cpu *cpu, uint64_t ptr, bool data);
uint64_t emu_pauth_generic(struct emu_cpu *cpu, uint64_t x, uint64_t modifier);
/* The block cipher QARMA5-64 with S-box sigma 2, all 64 bits of its result; for tests. */
uint64_t emu_pauth_qarma5(uint64_t data, uint64_t modifier, uint64_t key0, uint64_t key1);

#endif
