/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of one vCPU, as the interpreter and the JIT see it.
 *
 * Only the vCPU's own thread touches it, but for the members marked [any]
 * (atomics that any thread may use) and while the system is paused.
 */
#ifndef EMU_CPU_PRIV_H
#define EMU_CPU_PRIV_H

#include "emu/system.h"

#include <setjmp.h>
#include <stdatomic.h>
#include <stdint.h>

/* A vector register. Elements are in the guest's order, little-endian, so
 * element i of any width is the array's i-th member. */
struct emu_vreg {
	union {
		uint64_t d[2];
		uint32_t s[4];
		uint16_t h[8];
		uint8_t b[16];
	};
} __attribute__((aligned(16)));

/* PSTATE, a byte a field (Arm ARM D1.3). NZCV lives in emu_cpu.nzcv. */
struct emu_pstate {
	uint8_t el;    /* 0 to 3 */
	uint8_t sp;    /* SPSel: 0 = SP_EL0, 1 = SP_ELx */
	uint8_t nrw;   /* 1 = AArch32 (not yet implemented) */
	uint8_t d, a, i, f;
	uint8_t ss, il;
	uint8_t pan, uao, dit, ssbs, tco;
	uint8_t btype; /* 0 to 3 */
};

/* PSTATE.{N,Z,C,V} sit in bits 31 to 28 of emu_cpu.nzcv, as in NZCV. */
#define EMU_N (1u << 31)
#define EMU_Z (1u << 30)
#define EMU_C (1u << 29)
#define EMU_V (1u << 28)

/* emu_cpu.attention: reasons to leave the execution loop at the next safe point. */
enum {
	EMU_ATT_IRQ = 1u << 0,     /* an IRQ, FIQ or SError line changed */
	EMU_ATT_STOP = 1u << 1,    /* pause, reset or end is asked for */
	EMU_ATT_TIMER = 1u << 2,   /* a generic timer's condition may have changed */
	EMU_ATT_TLB = 1u << 3,     /* another vCPU wants TLB or code invalidated here */
	EMU_ATT_EVENT = 1u << 4,   /* SEV, or the event register was set */
	EMU_ATT_POWER = 1u << 5,   /* PSCI power state changed */
	EMU_ATT_CODE = 1u << 7,    /* translated code that may be running has been dropped */
	EMU_ATT_STEP = 1u << 6,    /* software step or a breakpoint makes every instruction special */
};

/* System registers with plain storage: enum emu_sysreg is made from
 * emu/sysregs.def (one row per register). */
enum emu_sysreg {
#define SYSREG(name, ...) EMU_SR_##name,
#include "emu/sysregs.def"
#undef SYSREG
	EMU_SR_COUNT
};

struct emu_tlb;
struct emu_code; /* pre-decoded code by physical page */
struct emu_tlb_entry;  /* emu/access_priv.h */
struct emu_xtlb_entry;

struct jit_jump;
/* What translated code (emu/jit.h) keeps at hand; see emu/jit_priv.h. */
struct emu_jit_hot {
	/* The page arrays of this moment, by bits 48 to 12 of a virtual address: host minus guest
	 * address, 0 where the slow path has to be taken. Or the tables, each for reads and writes. */
	const void *read, *write, *unpriv_read, *unpriv_write;
	struct jit_jump *jumps; /* where indirect branches look now */
	uint32_t key;    /* what guards of direct jumps to other pages compare with */
	uint32_t flags;  /* NZCV in the host's form while translated code runs */
	int32_t partial; /* what to add to `retired`, while C code runs that has been called by translated code */
	uint32_t link;   /* the branch that was left by, to be linked; 0: none */
};
/* Where translated code puts the host's registers for C code that gives them to the guest's (emu/jit_site.c). */
struct emu_jit_saved {
	struct emu_vreg v[8];
	uint64_t x[9];
};
struct jit;
struct emu_verify;

struct emu_cpu {
	/* ---- hot: general registers, flags, PC ---- */
	uint64_t x[32];  /* X0 to X30; x[31] is the current SP (never zero register: see interp_x) */
	uint64_t pc;     /* the executing instruction's address while its handler runs */
	uint64_t next_pc;/* where execution goes on; handlers of branches set it */
	uint32_t nzcv;   /* EMU_N | EMU_Z | EMU_C | EMU_V */
	uint32_t fpcr;   /* only implemented bits */
	uint32_t fpsr;   /* cumulative flags and QC */
	uint8_t fp_trap; /* not 0: FP/SIMD instructions trap now (CPACR_EL1, by EL) */
	uint8_t sp_align_mask; /* 15 where a misaligned SP as a base faults now (SCTLR_EL1.SA, SA0), else 0 */
	struct emu_pstate pstate;
	_Atomic uint32_t attention; /* [any] EMU_ATT_* */
	/* Translations that are good now, by bit 55 of the virtual address: data
	 * accesses, those as if by EL0 (LDTR, STTR), and instruction fetches.
	 * emu/tlb.c keeps them in step with EL, PSTATE.PAN, UAO and the ASID. */
	struct emu_tlb_entry *view[2], *view_unpriv[2];
	struct emu_xtlb_entry *xview[2];
	struct emu_jit_hot jit_hot;
	struct emu_vreg v[32];
	struct emu_jit_saved jit_saved;

	/* ---- banked and system registers ---- */
	uint64_t sp_el[4];   /* the SPs not in x[31] now */
	uint64_t sys[EMU_SR_COUNT];

	/* ---- the local exclusive monitor ---- */
	uint64_t excl_addr;  /* virtual address marked, valid if excl_size */
	const void *excl_host; /* where that is in the host's memory: tells physical addresses apart */
	uint64_t excl_val[2];/* what the load-exclusive read */
	uint8_t excl_size;   /* bytes marked; 0: open (not exclusive) */

	/* ---- bookkeeping ---- */
	uint64_t retired;    /* instructions; other threads read it, so only emu_count_retired, and code of the JIT, changes it */
	unsigned index;
	struct emu_system *system;
	struct emu_tlb *tlb;
	struct emu_code *code;
	struct jit *jit;     /* NULL: everything is interpreted */
	struct emu_verify *verify; /* NULL, but for EMU_ACCEL_VERIFY */
	jmp_buf unwind;      /* the execution loop: emu_raise_* goes there */
	struct emu_vcpu *vcpu; /* emu/vcpu_priv.h: thread, power state, lines, timers */
};

static inline void emu_count_retired(struct emu_cpu *cpu, uint64_t n)
{
	__atomic_store_n(&cpu->retired, cpu->retired + n, __ATOMIC_RELAXED);
}

/* ---- Raising exceptions: these do not return. The instruction that calls
 * them must not have changed any state that the architecture keeps. ---- */

/* UNDEFINED: EC 0. */
_Noreturn void emu_raise_undefined(struct emu_cpu *cpu);
/* A synchronous exception with this ESR_ELx.EC and ISS, to the EL the
 * architecture routes it to; the preferred return address is cpu->pc
 * (EMU_RETURN_NEXT in `flags`: the next instruction, as for SVC). */
enum { EMU_RETURN_NEXT = 1 };
_Noreturn void emu_raise(struct emu_cpu *cpu, unsigned ec, uint32_t iss, unsigned flags);
/* The trap of FP and Advanced SIMD access (EC 0x07). */
_Noreturn void emu_raise_fp_trap(struct emu_cpu *cpu);
/* A load or store whose base is SP, which is not 16-byte aligned though SCTLR.SA or SA0 asks for it (EC 0x26). */
_Noreturn void emu_raise_sp_alignment(struct emu_cpu *cpu);

#endif
