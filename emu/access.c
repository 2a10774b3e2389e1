/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory accesses that miss the inline path: TLB refills, pages that are
 * crossed, device memory, alignment checking, watchpoints. Arm ARM (DDI 0487)
 * B2.5 (alignment), D1.3.4 (syndromes of aborts), D2.10 (watchpoints).
 *
 * Order of checks, as the Arm ARM's pseudocode has it: alignment that does not
 * depend on the memory type, translation and permission, alignment that does,
 * watchpoints, external aborts. A store that spans two pages checks both before
 * it writes. Thread: the vCPU's own; a fault leaves by emu_raise_abort.
 */
#include "emu/access_priv.h"
#include "emu/sys_priv.h"
#include "emu/tlb_priv.h"
#include "emu/vcpu_priv.h"
#include "emu/verify.h"

#include <string.h>

/* Data abort syndrome bits. */
#define ISS_WNR (1u << 6)

struct access {
	uint64_t va;
	unsigned size;
	unsigned esize;       /* what SCTLR_EL1.A checks */
	unsigned acc;
	unsigned kind;        /* EMU_READ, EMU_WRITE or both */
	enum emu_regime as;
};

static struct access access_make(const struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned esize, unsigned acc,
				 unsigned kind)
{
	return (struct access){ .va = va, .size = size, .esize = esize, .acc = acc, .kind = kind,
		.as = acc & EMU_ACC_UNPRIV ? emu_regime_unpriv(cpu) : emu_regime_now(cpu) };
}

static _Noreturn void data_abort(struct emu_cpu *cpu, const struct access *a, uint64_t va, uint8_t fsc, bool is_write)
{
	emu_raise_abort(cpu, false, va, fsc | (is_write ? ISS_WNR : 0));
}

static _Noreturn void alignment_fault(struct emu_cpu *cpu, const struct access *a)
{
	/* An atomic's read would have been misaligned just the same. */
	data_abort(cpu, a, a->va, EMU_FSC_ALIGNMENT, (a->kind & EMU_WRITE) && !(a->acc & EMU_ACC_ATOMIC));
}

static bool within_16(uint64_t va, unsigned size)
{
	return (va & 15) + size <= 16;
}

static void check_alignment(struct emu_cpu *cpu, const struct access *a)
{
	uint64_t sctlr = cpu->sys[EMU_SR_SCTLR_EL1];
	bool wrong = false;

	if ((sctlr & 2) && (a->va & (a->esize - 1)))
		wrong = true;
	if ((a->acc & (EMU_ACC_ALIGNED | EMU_ACC_ORDERED | EMU_ACC_ATOMIC)) && (a->va & (a->size - 1))) {
		bool ordered_only = !(a->acc & (EMU_ACC_ALIGNED | EMU_ACC_ATOMIC));
		bool lax = emu_has(cpu, EMU_FEAT_LSE2) &&
			   (within_16(a->va, a->size) || (ordered_only && (sctlr >> 6 & 1))); /* nAA */
		wrong |= !lax;
	}
	if (wrong)
		alignment_fault(cpu, a);
}

/* The entry for the part of the access that begins at `va`; raises what there is to raise. */
static struct emu_tlb_entry *translate(struct emu_cpu *cpu, const struct access *a, uint64_t va)
{
	uint8_t fsc;
	struct emu_tlb_entry *e = emu_tlb_data(cpu, va, a->as, a->kind, &fsc);
	if (!e) {
		bool is_write = a->kind & EMU_WRITE;
		/* WnR of an atomic is 0 if its read alone would have faulted so. */
		if (is_write && (a->acc & EMU_ACC_ATOMIC)) {
			uint8_t read_fsc;
			struct emu_walk walk;
			if (!emu_mmu_walk(cpu, va, a->as, EMU_READ, true, &walk, &read_fsc))
				is_write = read_fsc != fsc;
		}
		data_abort(cpu, a, va, fsc, is_write);
	}
	if ((e->phys & EMU_PHYS_DEVICE) && (a->va & (a->esize - 1)))
		alignment_fault(cpu, a);
	return e;
}

static void check_watch(struct emu_cpu *cpu, const struct access *a, const struct emu_tlb_entry *e)
{
	if (e->phys & EMU_PHYS_WATCHED) {
		bool unpriv = a->as == EMU_AS_EL0;
		if (a->kind & EMU_READ)
			emu_debug_check_access(cpu, a->va, a->size, false, unpriv);
		if (a->kind & EMU_WRITE)
			emu_debug_check_access(cpu, a->va, a->size, true, unpriv);
	}
}

static uint64_t entry_pa(const struct emu_tlb_entry *e, uint64_t va)
{
	return (e->phys & ~EMU_PAGE_MASK) | (va & EMU_PAGE_MASK);
}

/* ---- Within one page: guest order is host order ---- */

EMU_GUEST_ACCESS uint64_t host_load(const void *host, unsigned size)
{
	switch (size) {
	case 1:
		return *(const volatile uint8_t *)host;
	case 2:
		return *(const volatile emu_u16u *)host;
	case 4:
		return *(const volatile emu_u32u *)host;
	default:
		return *(const volatile emu_u64u *)host;
	}
}

EMU_GUEST_ACCESS void host_store(void *host, unsigned size, uint64_t val)
{
	switch (size) {
	case 1:
		*(volatile uint8_t *)host = (uint8_t)val;
		break;
	case 2:
		*(volatile emu_u16u *)host = (uint16_t)val;
		break;
	case 4:
		*(volatile emu_u32u *)host = (uint32_t)val;
		break;
	default:
		*(volatile emu_u64u *)host = val;
		break;
	}
}

static uint64_t load_piece(struct emu_cpu *cpu, const struct access *a, const struct emu_tlb_entry *e, uint64_t va,
			   unsigned size)
{
	uint64_t val;
	if (e->phys & EMU_PHYS_BYTES)
		return host_load((const void *)(va + e->addend), size);
	emu_verify_device(cpu);
	uint64_t pa = entry_pa(e, va);
	if (!emu_region_load(emu_mem_find(cpu->system->mem, pa), pa, size, &val))
		data_abort(cpu, a, va, EMU_FSC_EXTERNAL, false);
	return val;
}

static void store_piece(struct emu_cpu *cpu, const struct access *a, const struct emu_tlb_entry *e, uint64_t va,
			unsigned size, uint64_t val)
{
	if (e->phys & EMU_PHYS_ATOMIC) {
		emu_verify_note_store(cpu, (void *)(va + e->addend), size);
		host_store((void *)(va + e->addend), size, val);
		return;
	}
	emu_verify_device(cpu);
	uint64_t pa = entry_pa(e, va);
	if (!emu_region_store(emu_mem_find(cpu->system->mem, pa), pa, size, val))
		data_abort(cpu, a, va, EMU_FSC_EXTERNAL, true);
}

static bool crosses(uint64_t va, unsigned size)
{
	return (va & EMU_PAGE_MASK) + size > EMU_PAGE_SIZE;
}

/* ---- Loads and stores ---- */

static uint64_t load(struct emu_cpu *cpu, const struct access *a, uint64_t va, unsigned size)
{
	struct emu_tlb_entry *e = translate(cpu, a, va);
	if (!crosses(va, size)) {
		check_watch(cpu, a, e);
		return load_piece(cpu, a, e, va, size);
	}
	struct emu_tlb_entry *e2 = translate(cpu, a, (va | EMU_PAGE_MASK) + 1);
	check_watch(cpu, a, e);
	check_watch(cpu, a, e2);
	uint64_t val = 0;
	for (unsigned i = 0; i < size; i++)
		val |= load_piece(cpu, a, ((va + i) ^ va) >> EMU_PAGE_BITS ? e2 : e, va + i, 1) << 8 * i;
	return val;
}

static void store(struct emu_cpu *cpu, const struct access *a, uint64_t va, unsigned size, uint64_t val)
{
	struct emu_tlb_entry *e = translate(cpu, a, va);
	if (!crosses(va, size)) {
		check_watch(cpu, a, e);
		store_piece(cpu, a, e, va, size, val);
		return;
	}
	struct emu_tlb_entry *e2 = translate(cpu, a, (va | EMU_PAGE_MASK) + 1);
	check_watch(cpu, a, e);
	check_watch(cpu, a, e2);
	for (unsigned i = 0; i < size; i++)
		store_piece(cpu, a, ((va + i) ^ va) >> EMU_PAGE_BITS ? e2 : e, va + i, 1, val >> 8 * i & 0xff);
}

uint64_t emu_load_slow(struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned acc)
{
	struct access a = access_make(cpu, va, size, size, acc, EMU_READ);
	check_alignment(cpu, &a);
	return load(cpu, &a, va, size);
}

void emu_store_slow(struct emu_cpu *cpu, uint64_t va, unsigned size, uint64_t val, unsigned acc)
{
	struct access a = access_make(cpu, va, size, size, acc, EMU_WRITE);
	check_alignment(cpu, &a);
	store(cpu, &a, va, size, val);
}

void emu_load128_slow(struct emu_cpu *cpu, uint64_t va, unsigned esize, uint64_t ret_val[2], unsigned acc)
{
	struct access a = access_make(cpu, va, 16, esize, acc, EMU_READ);
	check_alignment(cpu, &a);
	struct emu_tlb_entry *e = translate(cpu, &a, va);
	if (!crosses(va, 16) && (e->phys & EMU_PHYS_BYTES)) {
		check_watch(cpu, &a, e);
		emu_host_ld128((const void *)(va + e->addend), ret_val);
		return;
	}
	if (crosses(va, 16))
		translate(cpu, &a, (va | EMU_PAGE_MASK) + 1);
	uint64_t lo = load(cpu, &a, va, 8), hi = load(cpu, &a, va + 8, 8);
	ret_val[0] = lo;
	ret_val[1] = hi;
}

void emu_store128_slow(struct emu_cpu *cpu, uint64_t va, unsigned esize, const uint64_t val[2], unsigned acc)
{
	struct access a = access_make(cpu, va, 16, esize, acc, EMU_WRITE);
	check_alignment(cpu, &a);
	struct emu_tlb_entry *e = translate(cpu, &a, va);
	if (!crosses(va, 16) && (e->phys & EMU_PHYS_ATOMIC)) {
		check_watch(cpu, &a, e);
		emu_verify_note_store(cpu, (void *)(va + e->addend), 16);
		emu_host_st128((void *)(va + e->addend), val);
		return;
	}
	if (crosses(va, 16))
		translate(cpu, &a, (va | EMU_PAGE_MASK) + 1);
	store(cpu, &a, va, 8, val[0]);
	store(cpu, &a, va + 8, 8, val[1]);
}

/* ---- Atomics and exclusives ---- */

static void *datum_ptr(struct emu_cpu *cpu, const struct access *a, unsigned need)
{
	check_alignment(cpu, a);
	struct emu_tlb_entry *e = translate(cpu, a, a->va);
	check_watch(cpu, a, e);
	if (!(e->phys & need))
		data_abort(cpu, a, a->va, EMU_FSC_UNSUPPORTED, a->kind & EMU_WRITE);
	if (a->kind & EMU_WRITE)
		emu_verify_note_store(cpu, (void *)(a->va + e->addend), a->size);
	return (void *)(a->va + e->addend);
}

void *emu_atomic_ptr_slow(struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned acc)
{
	unsigned kind = acc & EMU_ACC_ATOMIC ? EMU_READ | EMU_WRITE : EMU_WRITE;
	/* Whatever is neither aligned nor within 16 bytes faults, so one page holds it. */
	struct access a = access_make(cpu, va, size, size, acc | EMU_ACC_ALIGNED, kind);
	return datum_ptr(cpu, &a, EMU_PHYS_ATOMIC);
}

const void *emu_exclusive_load_ptr_slow(struct emu_cpu *cpu, uint64_t va, unsigned size, unsigned acc)
{
	struct access a = access_make(cpu, va, size, size, acc | EMU_ACC_ALIGNED, EMU_READ);
	return datum_ptr(cpu, &a, EMU_PHYS_BYTES);
}

void emu_probe_write(struct emu_cpu *cpu, uint64_t va, unsigned len, unsigned acc)
{
	struct access a = access_make(cpu, va, len, 1, acc, EMU_WRITE);
	for (uint64_t at = va; at - va < len; at = (at | EMU_PAGE_MASK) + 1)
		check_watch(cpu, &a, translate(cpu, &a, at));
}

void emu_zero_block(struct emu_cpu *cpu, uint64_t va)
{
	enum { BLOCK = 64 };
	static const uint64_t zero[2] = { 0, 0 };
	uint64_t base = va & ~(uint64_t)(BLOCK - 1);
	struct access a = access_make(cpu, va, 1, 1, 0, EMU_WRITE);
	struct emu_tlb_entry *e = translate(cpu, &a, va);

	if (e->phys & EMU_PHYS_DEVICE)
		alignment_fault(cpu, &a);
	a.va = base;
	a.size = BLOCK;
	check_watch(cpu, &a, e);
	a.va = va;
	for (unsigned i = 0; i < BLOCK; i += 16) {
		if (e->phys & EMU_PHYS_ATOMIC) {
			emu_verify_note_store(cpu, (void *)(base + i + e->addend), 16);
			emu_host_st128((void *)(base + i + e->addend), zero);
		} else {
			store_piece(cpu, &a, e, base + i, 8, 0);
			store_piece(cpu, &a, e, base + i + 8, 8, 0);
		}
	}
}

/* ---- Fetches ---- */

const uint32_t *emu_fetch_page_slow(struct emu_cpu *cpu, uint64_t va, uint64_t *ret_page_pa, bool *ret_guarded,
	uint32_t *ret_insn)
{
	uint8_t fsc;
	uint64_t insn;

	if (va & 3) {
		cpu->sys[EMU_SR_FAR_EL1] = va;
		emu_raise(cpu, 0x22, 0, 0); /* PC alignment fault */
	}
	struct emu_xtlb_entry *e = emu_tlb_exec(cpu, va, &fsc);
	if (!e)
		emu_raise_abort(cpu, true, va, fsc);
	*ret_page_pa = e->phys & ~EMU_PAGE_MASK;
	*ret_guarded = e->phys & EMU_PHYS_GUARDED;
	if (e->host)
		return e->host;
	/* Flash in its command mode answers fetches as it answers loads; devices and holes abort. */
	uint64_t pa = (e->phys & ~EMU_PAGE_MASK) | (va & EMU_PAGE_MASK);
	const struct emu_region *region = emu_mem_find(cpu->system->mem, pa);
	if (!region || region->desc.kind != EMU_REGION_ROMD || !emu_region_load(region, pa, 4, &insn))
		emu_raise_abort(cpu, true, va, EMU_FSC_EXTERNAL);
	*ret_insn = (uint32_t)insn;
	return NULL;
}
