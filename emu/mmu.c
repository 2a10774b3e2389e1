/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stage 1 translation of the EL1&0 regime: Arm ARM (DDI 0487) D8, "The
 * AArch64 Virtual Memory System Architecture".
 *
 * 4, 16 and 64 KiB granules, 48-bit input and output addresses, hierarchical
 * permissions, hardware update of the Access flag and of dirty state
 * (FEAT_HAFDBS), FEAT_E0PD, FEAT_PAN3, FEAT_TTST. The Contiguous bit and the
 * nT bit are hints that this walk has no use for. A descriptor is updated by a
 * compare-and-swap on guest memory; when it has changed in between, the walk
 * starts again. Thread: the vCPU's own.
 */
#include "emu/sys_priv.h"
#include "emu/tlb_priv.h"
#include "emu/vcpu_priv.h"

#define OA_BITS 48

/* TCR_EL1 as it applies to one half of the address space. */
struct half {
	unsigned tsz;        /* TnSZ */
	unsigned grain;      /* log2 of the granule */
	bool epd, hpd, tbi, tbid, e0pd;
};

static struct half half_of(const struct emu_cpu *cpu, bool upper)
{
	static const uint8_t tg0[4] = { 12, 16, 14, 12 }, tg1[4] = { 12, 14, 12, 16 };
	uint64_t tcr = cpu->sys[EMU_SR_TCR_EL1];
	bool hpds = emu_has(cpu, EMU_FEAT_HPDS), e0pd = emu_has(cpu, EMU_FEAT_E0PD);

	if (upper)
		return (struct half){ .tsz = tcr >> 16 & 63, .grain = tg1[tcr >> 30 & 3], .epd = tcr >> 23 & 1,
			.hpd = hpds && (tcr >> 42 & 1), .tbi = tcr >> 38 & 1, .tbid = tcr >> 52 & 1,
			.e0pd = e0pd && (tcr >> 56 & 1) };
	return (struct half){ .tsz = tcr & 63, .grain = tg0[tcr >> 14 & 3], .epd = tcr >> 7 & 1,
		.hpd = hpds && (tcr >> 41 & 1), .tbi = tcr >> 37 & 1, .tbid = tcr >> 51 & 1,
		.e0pd = e0pd && (tcr >> 55 & 1) };
}

/* The number of output address bits in force: TCR_EL1.IPS, but no more than the processor has. */
static unsigned output_bits(const struct emu_cpu *cpu)
{
	static const uint8_t ips[8] = { 32, 36, 40, 42, 44, 48, 48, 48 };
	unsigned bits = ips[cpu->sys[EMU_SR_TCR_EL1] >> 32 & 7], have = emu_model(cpu)->info.pa_bits;
	return bits < have ? bits : have;
}

static bool fault(uint8_t *ret_fsc, unsigned fsc, unsigned level)
{
	*ret_fsc = (uint8_t)(fsc + level);
	return false;
}

/* The host address of the 8-byte descriptor at `pa`, NULL where no memory is. */
static _Atomic uint64_t *descriptor(struct emu_cpu *cpu, uint64_t pa, bool *ret_writable)
{
	const struct emu_region *region = emu_mem_find(cpu->system->mem, pa);
	if (!region || !emu_region_is_readable(region))
		return NULL;
	*ret_writable = region->desc.kind == EMU_REGION_RAM;
	return (_Atomic uint64_t *)((uint8_t *)region->desc.host + (pa - region->desc.base));
}

/* With the MMU off every address is its own translation. */
static bool walk_off(struct emu_cpu *cpu, uint64_t va, unsigned access, struct emu_walk *ret, uint8_t *ret_fsc)
{
	struct half half = half_of(cpu, va >> 55 & 1);
	uint64_t pa = half.tbi && !(half.tbid && access == EMU_EXEC) ? va & ((UINT64_C(1) << 56) - 1) : va;
	if (pa >> emu_model(cpu)->info.pa_bits)
		return fault(ret_fsc, EMU_FSC_ADDRESS_SIZE, 0);
	*ret = (struct emu_walk){ .pa = pa, .shift = EMU_PAGE_BITS, .global = true,
		.prot = EMU_READ | EMU_WRITE | EMU_EXEC,
		.attr = access == EMU_EXEC ? 0xff : 0x00, /* data is Device-nGnRnE */
		.sh = 2 };
	return true;
}

/* What descriptors on the way have taken away (APTable, UXNTable, PXNTable), and the leaf's own bits. */
struct rights {
	bool el0;   /* AP[1]: accessible from EL0 */
	bool ro;    /* AP[2] */
	bool uxn, pxn;
};

static unsigned prot_of(const struct emu_cpu *cpu, struct rights r, enum emu_regime as)
{
	uint64_t sctlr = cpu->sys[EMU_SR_SCTLR_EL1];
	bool wxn = sctlr >> 19 & 1;
	bool user_write = r.el0 && !r.ro;
	unsigned prot = 0;

	if (as == EMU_AS_EL0) {
		if (r.el0)
			prot |= EMU_READ;
		if (user_write)
			prot |= EMU_WRITE;
		if (!r.uxn && !(wxn && user_write))
			prot |= EMU_EXEC;
		return prot;
	}
	/* Code that EL0 can write never runs at EL1. */
	if (!r.pxn && !user_write && !(wxn && !r.ro))
		prot |= EMU_EXEC;
	bool epan = (sctlr >> 57 & 1) && emu_has(cpu, EMU_FEAT_PAN3);
	if (as == EMU_AS_EL1_PAN && (r.el0 || (epan && !r.uxn)))
		return prot;
	return prot | EMU_READ | (r.ro ? 0 : EMU_WRITE);
}

/* One walk. Returns 1 on success, 0 on a fault, -1 when a descriptor changed under it. */
static int walk_once(struct emu_cpu *cpu, uint64_t va, const struct half *half, enum emu_regime as, unsigned access,
		     bool probe, struct emu_walk *ret, uint8_t *ret_fsc)
{
	bool upper = va >> 55 & 1;
	uint64_t tcr = cpu->sys[EMU_SR_TCR_EL1];
	bool ha = (tcr >> 39 & 1) && emu_has(cpu, EMU_FEAT_HAFDBS), hd = ha && (tcr >> 40 & 1);
	unsigned in_bits = 64 - half->tsz, out_bits = output_bits(cpu);
	unsigned grain = half->grain, stride = grain - 3;
	unsigned level = 4 - (in_bits - grain + stride - 1) / stride;

	uint64_t ttbr = cpu->sys[upper ? EMU_SR_TTBR1_EL1 : EMU_SR_TTBR0_EL1];
	unsigned shift = grain + stride * (3 - level); /* of what an entry of this level maps */
	unsigned top_bits = in_bits - shift;           /* index bits of the first table */
	uint64_t table = ttbr & ((UINT64_C(1) << OA_BITS) - 1) & ~((UINT64_C(1) << (top_bits + 3)) - 1);
	uint64_t index_mask = (UINT64_C(1) << top_bits) - 1;
	struct rights table_rights = { .el0 = true };

	if (table >> out_bits)
		return fault(ret_fsc, EMU_FSC_ADDRESS_SIZE, 0);

	for (;; level++) {
		bool writable = false;
		uint64_t index = va >> shift & index_mask;
		_Atomic uint64_t *slot = descriptor(cpu, table + 8 * index, &writable);
		if (!slot)
			return fault(ret_fsc, EMU_FSC_EXTERNAL_WALK, level);
		uint64_t desc = atomic_load_explicit(slot, memory_order_acquire);
		uint64_t oa = desc & ((UINT64_C(1) << OA_BITS) - 1);
		bool is_table = level < 3 && (desc & 2);

		if (!(desc & 1) || (level == 3 && !(desc & 2)))
			return fault(ret_fsc, EMU_FSC_TRANSLATION, level);
		if (is_table) {
			table = oa & ~((UINT64_C(1) << grain) - 1);
			if (table >> out_bits)
				return fault(ret_fsc, EMU_FSC_ADDRESS_SIZE, level);
			if (!half->hpd) {
				table_rights.el0 &= !(desc >> 61 & 1);
				table_rights.ro |= desc >> 62 & 1;
				table_rights.uxn |= desc >> 60 & 1;
				table_rights.pxn |= desc >> 59 & 1;
			}
			shift -= stride;
			index_mask = (UINT64_C(1) << stride) - 1;
			continue;
		}
		/* Blocks: level 1 and 2 of 4 KiB granules, level 2 of the others. */
		if (level < 3 && (level == 0 || (level == 1 && grain != 12)))
			return fault(ret_fsc, EMU_FSC_TRANSLATION, level);

		oa &= ~((UINT64_C(1) << shift) - 1);
		if (oa >> out_bits)
			return fault(ret_fsc, EMU_FSC_ADDRESS_SIZE, level);

		uint64_t updated = desc;
		if (!(desc >> 10 & 1)) {
			if (!ha)
				return fault(ret_fsc, EMU_FSC_ACCESS_FLAG, level);
			updated |= UINT64_C(1) << 10;
		}
		bool clean = hd && (desc >> 51 & 1) && (desc >> 7 & 1); /* writable, and a write marks it dirty */
		struct rights rights = {
			.el0 = (desc >> 6 & 1) && table_rights.el0,
			.ro = ((desc >> 7 & 1) && !clean) || table_rights.ro,
			.uxn = (desc >> 54 & 1) || table_rights.uxn,
			.pxn = (desc >> 53 & 1) || table_rights.pxn,
		};
		unsigned prot = prot_of(cpu, rights, as);
		bool allowed = (prot & access) == access;
		if (allowed && clean && (access & EMU_WRITE))
			updated &= ~(UINT64_C(1) << 7);
		else if (clean)
			prot &= ~(unsigned)EMU_WRITE;
		if (updated != desc && !probe) {
			if (!writable)
				return fault(ret_fsc, EMU_FSC_HW_UPDATE, 0);
			if (!atomic_compare_exchange_strong(slot, &desc, updated))
				return -1;
		}
		if (!allowed)
			return fault(ret_fsc, EMU_FSC_PERMISSION, level);

		*ret = (struct emu_walk){
			.pa = oa | (va & ((UINT64_C(1) << shift) - 1)),
			.shift = (uint8_t)shift,
			.prot = (uint8_t)prot,
			.attr = (uint8_t)(cpu->sys[EMU_SR_MAIR_EL1] >> (desc >> 2 & 7) * 8),
			.sh = desc >> 8 & 3,
			.global = !(desc >> 11 & 1),
			.guarded = desc >> 50 & 1,
		};
		return 1;
	}
}

bool emu_mmu_walk(struct emu_cpu *cpu, uint64_t va, enum emu_regime as, unsigned access, bool probe,
		  struct emu_walk *ret, uint8_t *ret_fsc)
{
	if (!(cpu->sys[EMU_SR_SCTLR_EL1] & 1))
		return walk_off(cpu, va, access, ret, ret_fsc);

	bool upper = va >> 55 & 1;
	struct half half = half_of(cpu, upper);
	unsigned max_tsz = !emu_has(cpu, EMU_FEAT_TTST) ? 39 : half.grain == 16 ? 47 : 48;
	if (half.tsz < 16 || half.tsz > max_tsz || half.epd || (half.e0pd && as == EMU_AS_EL0))
		return fault(ret_fsc, EMU_FSC_TRANSLATION, 0);

	/* The bits above the input address must all equal bit 55; the top byte may be anything under TBI. */
	int64_t above = (int64_t)va;
	if (half.tbi && !(half.tbid && access == EMU_EXEC))
		above = (int64_t)(va << 8) >> 8;
	if (above >> (64 - half.tsz) != (upper ? -1 : 0))
		return fault(ret_fsc, EMU_FSC_TRANSLATION, 0);

	int rc;
	do {
		rc = walk_once(cpu, va, &half, as, access, probe, ret, ret_fsc);
	} while (rc < 0);
	return rc;
}
