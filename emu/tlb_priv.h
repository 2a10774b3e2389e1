/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translation: the walk of the stage 1 tables, and the software TLB that keeps
 * its results. Thread: the vCPU's own, but where said otherwise.
 */
#ifndef EMU_TLB_PRIV_H
#define EMU_TLB_PRIV_H

#include "emu/access_priv.h"
#include "emu/mem_priv.h"

/* ---- The walk (emu/mmu.c) ---- */

/* As whom an access is checked. */
enum emu_regime {
	EMU_AS_EL0,
	EMU_AS_EL1,
	EMU_AS_EL1_PAN, /* EL1 with PSTATE.PAN in force */
	EMU_REGIMES
};
enum emu_access { EMU_READ = 1, EMU_WRITE = 2, EMU_EXEC = 4 };

/* Fault status codes (ESR_ELx.ISS.DFSC, IFSC; PAR_EL1.FST); the level is added where there is one. */
enum {
	EMU_FSC_ADDRESS_SIZE = 0x00,
	EMU_FSC_TRANSLATION = 0x04,
	EMU_FSC_ACCESS_FLAG = 0x08,
	EMU_FSC_PERMISSION = 0x0c,
	EMU_FSC_EXTERNAL = 0x10,
	EMU_FSC_EXTERNAL_WALK = 0x14,
	EMU_FSC_ALIGNMENT = 0x21,
	EMU_FSC_HW_UPDATE = 0x31,
	EMU_FSC_UNSUPPORTED = 0x35,
};

struct emu_walk {
	uint64_t pa;      /* of the address asked for */
	uint8_t shift;    /* log2 of the block or page that maps it */
	uint8_t prot;     /* EMU_READ | EMU_WRITE | EMU_EXEC that need no further walk */
	uint8_t attr;     /* the MAIR_EL1 byte */
	uint8_t sh;       /* shareability as in the descriptor */
	bool global;
	bool guarded;     /* GP bit */
};

/* Translates `va` for `access` (one of EMU_READ, WRITE, EXEC, or READ|WRITE).
 * False with *ret_fsc on a fault. `probe`: leave AF and dirty state alone. */
bool emu_mmu_walk(struct emu_cpu *cpu, uint64_t va, enum emu_regime as, unsigned access, bool probe,
		  struct emu_walk *ret, uint8_t *ret_fsc);

static inline bool emu_attr_is_device(uint8_t attr)
{
	return (attr & 0xf0) == 0;
}

/* What PSTATE says now. */
static inline enum emu_regime emu_regime_now(const struct emu_cpu *cpu)
{
	return cpu->pstate.el == 0 ? EMU_AS_EL0 : cpu->pstate.pan ? EMU_AS_EL1_PAN : EMU_AS_EL1;
}

/* The regime of LDTR and STTR. */
static inline enum emu_regime emu_regime_unpriv(const struct emu_cpu *cpu)
{
	return cpu->pstate.uao ? emu_regime_now(cpu) : EMU_AS_EL0;
}

/* ---- The TLB (emu/tlb.c) ---- */

/* emu_tlb_entry.phys, below the page address (EMU_PHYS_GUARDED is bit 0). */
#define EMU_PHYS_DEVICE (1u << 1)  /* the memory type is Device: unaligned accesses fault */
#define EMU_PHYS_GLOBAL (1u << 2)
#define EMU_PHYS_BYTES (1u << 3)   /* addend is valid: RAM, ROM, flash that reads directly */
#define EMU_PHYS_ATOMIC (1u << 4)  /* RAM */
#define EMU_PHYS_WATCHED (1u << 5) /* a watchpoint may match */
#define EMU_PHYS_SHIFT_POS 6       /* log2 of the mapping's size, minus 12: 5 bits */
#define EMU_TAG_SLOW (EMU_PAGE_MASK - 1) /* valid, but only for the miss path */

static inline bool emu_tag_is(uint64_t tag, uint64_t va)
{
	return (tag | 1) == (va | EMU_PAGE_MASK);
}

/* What TLBI removes; addresses are sign-extended from bit 55. */
struct emu_tlbi {
	enum { EMU_TLBI_ALL, EMU_TLBI_ASID, EMU_TLBI_VA, EMU_TLBI_PHYS } kind;
	bool any_asid;      /* VA */
	uint16_t asid;
	uint64_t lo, hi;    /* VA, PHYS: the first and the last byte */
};

bool emu_tlb_init(struct emu_cpu *cpu, struct vmd_error *err);
void emu_tlb_fini(struct emu_cpu *cpu);
void emu_tlb_apply(struct emu_cpu *cpu, const struct emu_tlbi *req);
void emu_tlb_flush(struct emu_cpu *cpu);
/* The current ASID may have changed (TTBRn_EL1, TCR_EL1). */
void emu_tlb_switch_asid(struct emu_cpu *cpu);
/* EL, PSTATE.PAN or PSTATE.UAO changed: points the views where they belong. */
void emu_tlb_update_views(struct emu_cpu *cpu);

/* The entry for `va`, walking if need be. NULL with *ret_fsc on a fault. */
struct emu_tlb_entry *emu_tlb_data(struct emu_cpu *cpu, uint64_t va, enum emu_regime as, unsigned access,
				   uint8_t *ret_fsc);
struct emu_xtlb_entry *emu_tlb_exec(struct emu_cpu *cpu, uint64_t va, uint8_t *ret_fsc);

#endif
