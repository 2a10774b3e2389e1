/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest-virtual memory accesses of a vCPU: translation, permission, alignment
 * and fault reporting included. On a fault these raise the data abort (they do
 * not return), with ESR, FAR as the Arm ARM has them for the instruction at
 * cpu->pc. A store that faults has stored nothing.
 *
 * Data is little-endian only (ID_AA64MMFR0_EL1.BigEnd and BigEndEL0 are 0, and
 * SCTLR_EL1.EE and E0E are RES0).
 *
 * The hit path is inline: one entry of the view for the address's half, one
 * compare, one host access. An entry's tag is the page's address with the low
 * twelve bits set; comparing it with the *last* byte's address, likewise, in
 * the entry that the *first* byte chooses makes an access that leaves its page
 * a miss. Entries that must not be used directly (devices, watched pages,
 * SCTLR_EL1.A) carry a tag that never compares equal.
 */
#ifndef EMU_ACCESS_PRIV_H
#define EMU_ACCESS_PRIV_H

#include "emu/cpu_priv.h"

#include <emmintrin.h>

/* How an access differs from a plain load or store; flags. */
enum emu_acc {
	EMU_ACC_NORMAL = 0,
	EMU_ACC_UNPRIV = 1 << 0,  /* LDTR, STTR: as EL0 unless UAO */
	EMU_ACC_ALIGNED = 1 << 1, /* exclusives: aligned to the size, or with FEAT_LSE2 within 16 bytes, else a fault */
	EMU_ACC_ORDERED = 1 << 2, /* acquire/release: alignment as FEAT_LSE2 has it (within 16 bytes, unless SCTLR.nAA) */
	EMU_ACC_ATOMIC = 1 << 3,  /* a read-modify-write: faults report WnR as the Arm ARM says for atomics */
};

/* ---- The translation look-aside buffer, as the hit path sees it ---- */

#define EMU_PAGE_BITS 12
#define EMU_PAGE_SIZE (UINT64_C(1) << EMU_PAGE_BITS)
#define EMU_PAGE_MASK (EMU_PAGE_SIZE - 1)
#define EMU_TLB_BITS 9
#define EMU_TLB_SIZE (1u << EMU_TLB_BITS) /* entries of a view; direct mapped */

struct emu_tlb_entry {
	uint64_t tag_read;  /* page address | EMU_TAG_*; 0 never matches */
	uint64_t tag_write;
	uint64_t addend;    /* host address minus guest virtual address */
	uint64_t phys;      /* physical page address | EMU_PHYS_*, see emu/tlb_priv.h */
};
#define EMU_TAG_FAST EMU_PAGE_MASK

struct emu_xtlb_entry {
	uint64_t tag;       /* page address | EMU_TAG_*; 0 never matches */
	uint64_t phys;
	const uint32_t *host; /* the page's bytes */
	uint64_t reserved;  /* keeps the size a power of two */
};

static inline struct emu_tlb_entry *emu_tlb_slot(struct emu_tlb_entry *const view[2], uint64_t va)
{
	return &view[va >> 55 & 1][va >> EMU_PAGE_BITS & (EMU_TLB_SIZE - 1)];
}

static inline bool emu_tlb_hit(uint64_t tag, uint64_t va, unsigned size)
{
	return tag == ((va + size - 1) | EMU_PAGE_MASK);
}

/* ThreadSanitizer is not to judge the guest's data races. */
#ifdef __SANITIZE_THREAD__
#define EMU_GUEST_ACCESS static __attribute__((noinline, unused, no_sanitize("thread")))
#else
#define EMU_GUEST_ACCESS static inline __attribute__((always_inline))
#endif

/* Guest data at a host address: each of these is one host access, at any alignment. */
typedef uint16_t emu_u16u __attribute__((aligned(1), may_alias));
typedef uint32_t emu_u32u __attribute__((aligned(1), may_alias));
typedef uint64_t emu_u64u __attribute__((aligned(1), may_alias));

/* ---- The miss path (emu/access.c) ---- */

uint64_t emu_load_slow(struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned acc);
void emu_store_slow(struct emu_cpu *cpu, uint64_t va, unsigned size, uint64_t val, unsigned acc);
void emu_load128_slow(struct emu_cpu *cpu, uint64_t va, unsigned esize, uint64_t ret_val[2], unsigned acc);
void emu_store128_slow(struct emu_cpu *cpu, uint64_t va, unsigned esize, const uint64_t val[2], unsigned acc);
void *emu_atomic_ptr_slow(struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned acc);
const void *emu_exclusive_load_ptr_slow(struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned acc);
const uint32_t *emu_fetch_page_slow(struct emu_cpu *cpu, uint64_t va, uint64_t *ret_page_pa, bool *ret_guarded,
	uint32_t *ret_insn);

/* Whether the hit path may serve this access: `acc` is a constant at most call
 * sites, so that this folds away. */
EMU_GUEST_ACCESS bool emu_acc_is_plain(uint64_t va, unsigned size, unsigned acc)
{
	return !(acc & (EMU_ACC_ALIGNED | EMU_ACC_ORDERED)) || (va & (size - 1)) == 0;
}

/* ---- Loads and stores ---- */

#define EMU_DEFINE_ACCESS(bits, type, access_type) \
	EMU_GUEST_ACCESS type emu_ld##bits(struct emu_cpu *cpu, uint64_t va, unsigned acc) \
	{ \
		const struct emu_tlb_entry *e = emu_tlb_slot(acc & EMU_ACC_UNPRIV ? cpu->view_unpriv : cpu->view, va); \
		if (__builtin_expect(emu_tlb_hit(e->tag_read, va, bits / 8) && emu_acc_is_plain(va, bits / 8, acc), 1)) \
			return *(const volatile access_type *)(va + e->addend); \
		return (type)emu_load_slow(cpu, va, bits / 8, acc); \
	} \
	EMU_GUEST_ACCESS void emu_st##bits(struct emu_cpu *cpu, uint64_t va, type val, unsigned acc) \
	{ \
		const struct emu_tlb_entry *e = emu_tlb_slot(acc & EMU_ACC_UNPRIV ? cpu->view_unpriv : cpu->view, va); \
		if (__builtin_expect(emu_tlb_hit(e->tag_write, va, bits / 8) && emu_acc_is_plain(va, bits / 8, acc), 1)) \
			*(volatile access_type *)(va + e->addend) = val; \
		else \
			emu_store_slow(cpu, va, bits / 8, val, acc); \
	}
EMU_DEFINE_ACCESS(8, uint8_t, uint8_t)
EMU_DEFINE_ACCESS(16, uint16_t, emu_u16u)
EMU_DEFINE_ACCESS(32, uint32_t, emu_u32u)
EMU_DEFINE_ACCESS(64, uint64_t, emu_u64u)
#undef EMU_DEFINE_ACCESS

/* 16 bytes at once: single-copy atomic when 16-byte aligned in normal memory
 * (FEAT_LSE2; an aligned SSE access is atomic on hosts with AVX). val[0] is the
 * lower address. Used for LDP/STP of X registers, Q registers and exclusive
 * pairs. `esize` 4, 8 or 16 is the element size: each element is single-copy
 * atomic when it is aligned, and its alignment is what SCTLR.A checks. */
EMU_GUEST_ACCESS void emu_host_ld128(const void *host, uint64_t ret_val[2])
{
	if (((uintptr_t)host & 15) == 0) {
		__m128i v = *(const volatile __m128i *)host;
		_mm_storeu_si128((__m128i *)(void *)ret_val, v);
	} else {
		ret_val[0] = ((const volatile emu_u64u *)host)[0];
		ret_val[1] = ((const volatile emu_u64u *)host)[1];
	}
}

EMU_GUEST_ACCESS void emu_host_st128(void *host, const uint64_t val[2])
{
	if (((uintptr_t)host & 15) == 0) {
		*(volatile __m128i *)host = _mm_loadu_si128((const __m128i *)(const void *)val);
	} else {
		((volatile emu_u64u *)host)[0] = val[0];
		((volatile emu_u64u *)host)[1] = val[1];
	}
}

EMU_GUEST_ACCESS void emu_ld128(struct emu_cpu *cpu, uint64_t va, unsigned esize, uint64_t ret_val[2], unsigned acc)
{
	const struct emu_tlb_entry *e = emu_tlb_slot(acc & EMU_ACC_UNPRIV ? cpu->view_unpriv : cpu->view, va);
	if (__builtin_expect(emu_tlb_hit(e->tag_read, va, 16) && emu_acc_is_plain(va, 16, acc), 1))
		emu_host_ld128((const void *)(va + e->addend), ret_val);
	else
		emu_load128_slow(cpu, va, esize, ret_val, acc);
}

EMU_GUEST_ACCESS void emu_st128(struct emu_cpu *cpu, uint64_t va, unsigned esize, const uint64_t val[2], unsigned acc)
{
	const struct emu_tlb_entry *e = emu_tlb_slot(acc & EMU_ACC_UNPRIV ? cpu->view_unpriv : cpu->view, va);
	if (__builtin_expect(emu_tlb_hit(e->tag_write, va, 16) && emu_acc_is_plain(va, 16, acc), 1))
		emu_host_st128((void *)(va + e->addend), val);
	else
		emu_store128_slow(cpu, va, esize, val, acc);
}

/* For atomics and exclusives: the host address of a datum of `size` (1 to 16)
 * bytes in RAM that may be read and written, after all checks. It is aligned to
 * its size; but on a model with FEAT_LSE2 it may be anywhere within an aligned
 * 16 bytes, which an x86 locked instruction is content with. Memory that cannot be used so (device,
 * flash) raises the abort for an unsupported atomic (DFSC 0x35). */
EMU_GUEST_ACCESS void *emu_atomic_ptr(struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned acc)
{
	const struct emu_tlb_entry *e = emu_tlb_slot(acc & EMU_ACC_UNPRIV ? cpu->view_unpriv : cpu->view, va);
	if (__builtin_expect(emu_tlb_hit(e->tag_write, va, size) && (va & (size - 1)) == 0, 1))
		return (void *)(va + e->addend);
	return emu_atomic_ptr_slow(cpu, va, size, acc);
}

/* The same for a load-exclusive: needs only read permission. */
EMU_GUEST_ACCESS const void *emu_exclusive_load_ptr(struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned acc)
{
	const struct emu_tlb_entry *e = emu_tlb_slot(acc & EMU_ACC_UNPRIV ? cpu->view_unpriv : cpu->view, va);
	if (__builtin_expect(emu_tlb_hit(e->tag_read, va, size) && (va & (size - 1)) == 0, 1))
		return (const void *)(va + e->addend);
	return emu_exclusive_load_ptr_slow(cpu, va, size, acc);
}

/* Checks that [va, va+len) may be written (structure stores that must not be
 * half done), raising the abort if not. */
void emu_probe_write(struct emu_cpu *cpu, uint64_t va, unsigned len, unsigned acc);

/* Fetches the instruction at `va` for execution: its host page (the 4 KiB that
 * holds it) and physical page address. Raises the instruction abort, or the PC
 * alignment fault. NULL, with *ret_insn set, where it is not in RAM, ROM or
 * flash that can be read directly. *ret_guarded: the page has the GP bit (BTI). */
#define EMU_PHYS_GUARDED 1u /* in emu_xtlb_entry.phys */
static inline const uint32_t *emu_fetch_page(struct emu_cpu *cpu, uint64_t va, uint64_t *ret_page_pa,
	bool *ret_guarded, uint32_t *ret_insn)
{
	const struct emu_xtlb_entry *e = &cpu->xview[va >> 55 & 1][va >> EMU_PAGE_BITS & (EMU_TLB_SIZE - 1)];
	if (e->tag == (va | EMU_PAGE_MASK) && (va & 3) == 0) {
		*ret_page_pa = e->phys & ~EMU_PAGE_MASK;
		*ret_guarded = e->phys & EMU_PHYS_GUARDED;
		return e->host;
	}
	return emu_fetch_page_slow(cpu, va, ret_page_pa, ret_guarded, ret_insn);
}

/* Before a load or store whose base register is SP. */
static inline void emu_check_sp(struct emu_cpu *cpu)
{
	if (__builtin_expect(cpu->x[31] & cpu->sp_align_mask, 0))
		emu_raise_sp_alignment(cpu);
}

#endif
