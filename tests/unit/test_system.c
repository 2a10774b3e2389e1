/* SPDX-License-Identifier: BSD-2-Clause */
/* The system side: register table, models, table walks, TLB, life of a system, PSCI, semihosting. */
#include "emu/sysregs_priv.h"
#include "emu/vcpu_priv.h"
#include "tests/unit/suite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM_BASE UINT64_C(0x40000000)
#define RAM_SIZE (UINT64_C(64) << 20)

static struct emu_mem *mem;
static struct emu_clock *emu_clk;
static struct emu_system *sys;
static uint8_t *ram;
static _Atomic int last_event = -1;
static _Atomic uint64_t last_value;
static char output[256];
static size_t output_len;

static void on_event(void *opaque, unsigned cpu, enum emu_event event, uint64_t value)
{
	last_value = value;
	last_event = (int)event;
}

static void semihost_write(void *opaque, const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len && output_len < sizeof(output) - 1; i++)
		output[output_len++] = (char)buf[i];
}

static void make(const char *model, unsigned n_cpus)
{
	static const struct emu_semihost semihost = { .write = semihost_write, .cmdline = "a b" };
	struct emu_system_config config = { .cpu_model = model, .n_cpus = n_cpus, .mem = mem, .clock = emu_clk,
		.semihost = &semihost, .event = on_event };
	struct vmd_error err = { 0 };
	sys = emu_system_new(&config, &err);
	ck_assert_msg(sys != NULL, "%s", err.message);
}

static void setup_mem(void)
{
	mem = emu_mem_new(48, NULL);
	emu_clk = emu_clock_new(NULL);
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct emu_region_desc desc = { .name = "ram", .kind = EMU_REGION_RAM, .base = RAM_BASE, .size = RAM_SIZE,
		.host = ram };
	emu_mem_add(mem, &desc, NULL);
	last_event = -1;
	output_len = 0;
}

static void setup(void)
{
	setup_mem();
	make("max", 1);
}

static void teardown(void)
{
	emu_system_free(sys);
	emu_clock_free(emu_clk);
	emu_mem_free(mem);
	munmap(ram, RAM_SIZE);
	sys = NULL;
}

static struct emu_cpu *cpu0(void)
{
	return &sys->vcpus[0]->cpu;
}

/* ---- The register table ---- */

START_TEST(test_table)
{
	for (unsigned i = 0; i < emu_n_sysregs; i++) {
		const struct emu_sysreg_desc *a = &emu_sysregs[i];
		ck_assert_uint_eq(a->sr, i);
		ck_assert_uint_ge(a->enc >> 14, 2);
		ck_assert_uint_lt(a->enc, 1u << 16);
		/* What cannot be written has no way to be; and op1 3 is what EL0 may see. */
		ck_assert(a->write_el <= 1 || (!a->write && !a->wmask));
		if (a->read_el == 0 || a->write_el == 0)
			ck_assert_uint_eq(a->enc >> 11 & 7, 3);
		for (unsigned k = 0; k < i; k++) {
			ck_assert_msg(a->enc != emu_sysregs[k].enc, "%s and %s", a->name, emu_sysregs[k].name);
			ck_assert_str_ne(a->name, emu_sysregs[k].name);
		}
	}
	for (unsigned i = 0; i < emu_n_sysops; i++) {
		ck_assert_uint_eq(emu_sysops[i].enc >> 14, 1);
		for (unsigned k = 0; k < i; k++)
			ck_assert_msg(emu_sysops[i].enc != emu_sysops[k].enc, "%s and %s", emu_sysops[i].name,
				emu_sysops[k].name);
	}
}
END_TEST

static uint64_t field(enum emu_sysreg reg, unsigned shift)
{
	return cpu0()->sys[reg] >> shift & 15;
}

START_TEST(test_models)
{
	const struct emu_cpu_model_info *info;
	struct vmd_error err = { 0 };
	struct emu_system_config bad = { .cpu_model = "cortex-z99", .n_cpus = 1, .mem = mem, .clock = emu_clk };

	ck_assert_ptr_null(emu_system_new(&bad, &err));
	ck_assert_int_eq(err.code, VMD_ERR_NOT_FOUND);
	bad.cpu_model = "max";
	bad.n_cpus = EMU_MAX_CPUS + 1;
	ck_assert_ptr_null(emu_system_new(&bad, &err));
	ck_assert_int_eq(err.code, VMD_ERR_LIMIT);

	for (unsigned i = 0; (info = emu_cpu_model_at(i)); i++) {
		make(info->name, 2);
		bool v8_0 = strcmp(info->name, "cortex-a53") == 0 || strcmp(info->name, "cortex-a57") == 0 ||
			    strcmp(info->name, "cortex-a72") == 0;
		ck_assert_uint_eq(field(EMU_SR_ID_AA64ISAR0_EL1, 20), v8_0 ? 0 : 2); /* LSE */
		ck_assert_uint_eq(field(EMU_SR_ID_AA64PFR0_EL1, 16), v8_0 ? 0 : 1);  /* half precision */
		ck_assert_uint_eq(cpu0()->sys[EMU_SR_ID_AA64PFR0_EL1] & 0xffff, 0x11); /* EL0, EL1 */
		ck_assert_uint_eq(field(EMU_SR_ID_AA64ISAR0_EL1, 4), 2);             /* AES, PMULL */
		ck_assert_uint_eq(field(EMU_SR_ID_AA64MMFR0_EL1, 8), 0);             /* no big-endian data */
		ck_assert_uint_eq(cpu0()->sys[EMU_SR_CTR_EL0] >> 28 & 3, 1);         /* IDC, not DIC */
		static const uint8_t sizes[] = { 32, 36, 40, 42, 44, 48 };
		ck_assert_uint_eq(sizes[field(EMU_SR_ID_AA64MMFR0_EL1, 0)], info->pa_bits);
		ck_assert_uint_eq(sys->vcpus[1]->cpu.sys[EMU_SR_MPIDR_EL1], 0x80000001);
		emu_system_free(sys);
	}
	sys = NULL;
}
END_TEST

/* ---- Walks ---- */

#define TABLE_AT (RAM_BASE + 0x100000)

static uint64_t *table(unsigned n)
{
	return (uint64_t *)(ram + 0x100000 + n * 0x10000);
}

static uint64_t table_pa(unsigned n)
{
	return TABLE_AT + n * UINT64_C(0x10000);
}

/* MMU on, lower half only, with this TCR_EL1 on top of EPD1 and IPS 48 bits. */
static void mmu_on(uint64_t tcr)
{
	struct emu_cpu *cpu = cpu0();
	cpu->sys[EMU_SR_SCTLR_EL1] = 0x30d50839;
	cpu->sys[EMU_SR_TCR_EL1] = tcr | 1u << 23 | UINT64_C(5) << 32;
	cpu->sys[EMU_SR_TTBR0_EL1] = table_pa(0);
	cpu->sys[EMU_SR_MAIR_EL1] = 0xff00;
	memset(table(0), 0, 0x100000);
	emu_tlb_flush(cpu);
	emu_tlb_switch_asid(cpu);
}

static struct emu_walk walk;

static int try_walk(uint64_t va, enum emu_regime as, unsigned access)
{
	uint8_t fsc = 0xff;
	return emu_mmu_walk(cpu0(), va, as, access, false, &walk, &fsc) ? -1 : fsc;
}

#define LEAF (UINT64_C(1) << 10 | 1u << 2) /* AF, AttrIndx 1 */

START_TEST(test_granules)
{
	static const struct {
		unsigned tg0, grain, block_level;
	} cases[] = { { 0, 12, 1 }, { 2, 14, 2 }, { 1, 16, 2 } };

	for (unsigned c = 0; c < 3; c++) {
		unsigned grain = cases[c].grain, stride = grain - 3;
		for (unsigned tsz = 16; tsz <= (grain == 16 ? 47 : 48); tsz++) {
			unsigned in_bits = 64 - tsz, first = 4 - (in_bits - grain + stride - 1) / stride;
			mmu_on(tsz | cases[c].tg0 << 14);
			uint64_t va = (UINT64_C(1) << in_bits) - 0x123; /* the last page */
			ck_assert_int_eq(try_walk(va, EMU_AS_EL1, EMU_READ), EMU_FSC_TRANSLATION + (int)first);
			ck_assert_int_eq(try_walk(UINT64_C(1) << in_bits, EMU_AS_EL1, EMU_READ), EMU_FSC_TRANSLATION);
			for (unsigned level = first; level <= 3; level++) {
				unsigned shift = grain + stride * (3 - level);
				uint64_t mask = level == first ? (UINT64_C(1) << (in_bits - shift)) - 1 :
							       (UINT64_C(1) << stride) - 1;
				uint64_t *entry = &table(level - first)[va >> shift & mask];
				if (level < 3) {
					/* A block here works from the granule's first block level on. */
					*entry = LEAF | 1;
					if (level < cases[c].block_level) {
						ck_assert_int_eq(try_walk(va, EMU_AS_EL1, EMU_READ),
							EMU_FSC_TRANSLATION + (int)level);
					} else {
						ck_assert_int_eq(try_walk(va, EMU_AS_EL1, EMU_READ), -1);
						ck_assert_uint_eq(walk.pa, va & ((UINT64_C(1) << shift) - 1));
						ck_assert_uint_eq(walk.shift, shift);
					}
					*entry = 1; /* no Access flag */
					if (level >= cases[c].block_level)
						ck_assert_int_eq(try_walk(va, EMU_AS_EL1, EMU_READ),
							EMU_FSC_ACCESS_FLAG + (int)level);
					*entry = table_pa(level - first + 1) | 3;
					continue;
				}
				*entry = RAM_BASE | LEAF | 1; /* reserved at level 3 */
				ck_assert_int_eq(try_walk(va, EMU_AS_EL1, EMU_READ), EMU_FSC_TRANSLATION + 3);
				*entry = RAM_BASE | LEAF | 3;
				ck_assert_int_eq(try_walk(va, EMU_AS_EL1, EMU_READ), -1);
				ck_assert_uint_eq(walk.pa, RAM_BASE | (va & ((UINT64_C(1) << grain) - 1)));
				ck_assert_uint_eq(walk.attr, 0xff);
				ck_assert(walk.global);
				*entry = RAM_BASE | LEAF | 3 | 2 << 6;
				ck_assert_int_eq(try_walk(va, EMU_AS_EL1, EMU_WRITE), EMU_FSC_PERMISSION + 3);
			}
		}
		mmu_on(15 | cases[c].tg0 << 14); /* too small, too big */
		ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_READ), EMU_FSC_TRANSLATION);
		mmu_on((grain == 16 ? 48 : 49) | cases[c].tg0 << 14);
		ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_READ), EMU_FSC_TRANSLATION);
	}
}
END_TEST

/* One 4 KiB page at va 0 by a 3-level walk of 39 bits. */
static uint64_t *one_page(uint64_t tcr)
{
	mmu_on(25 | tcr);
	table(0)[0] = table_pa(1) | 3;
	table(1)[0] = table_pa(2) | 3;
	table(2)[0] = RAM_BASE | LEAF | 3;
	return &table(2)[0];
}

START_TEST(test_faults)
{
	uint64_t *page = one_page(0);
	/* Address sizes at each level, and of the table base. */
	cpu0()->sys[EMU_SR_TCR_EL1] &= ~(UINT64_C(7) << 32); /* 32 bits */
	*page |= UINT64_C(1) << 33;
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_READ), EMU_FSC_ADDRESS_SIZE + 3);
	table(1)[0] |= UINT64_C(1) << 33;
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_READ), EMU_FSC_ADDRESS_SIZE + 2);
	cpu0()->sys[EMU_SR_TTBR0_EL1] |= UINT64_C(1) << 33;
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_READ), EMU_FSC_ADDRESS_SIZE);
	/* Tables where no memory is. */
	one_page(0);
	table(1)[0] = 0x3000 | 3;
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_READ), EMU_FSC_EXTERNAL_WALK + 3);
	cpu0()->sys[EMU_SR_TTBR0_EL1] = 0x5000;
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_READ), EMU_FSC_EXTERNAL_WALK + 1);
	/* EPD0, E0PD0. */
	one_page(1 << 7);
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_READ), EMU_FSC_TRANSLATION);
	*one_page(UINT64_C(1) << 55) |= 1 << 6;
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_READ), -1);
	ck_assert_int_eq(try_walk(0, EMU_AS_EL0, EMU_READ), EMU_FSC_TRANSLATION);
	/* MMU off. */
	cpu0()->sys[EMU_SR_SCTLR_EL1] &= ~UINT64_C(1);
	ck_assert_int_eq(try_walk(0x12345, EMU_AS_EL0, EMU_WRITE), -1);
	ck_assert_uint_eq(walk.pa, 0x12345);
	ck_assert(emu_attr_is_device(walk.attr));
	ck_assert_int_eq(try_walk(UINT64_C(1) << 48, EMU_AS_EL1, EMU_READ), EMU_FSC_ADDRESS_SIZE);
}
END_TEST

START_TEST(test_permissions)
{
	enum { R = EMU_READ, W = EMU_WRITE, X = EMU_EXEC, XN0 = 1, XN1 = 2, WXN = 4 };
	/* AP[2:1], what may not be executed, then the rights of EL0, EL1 and EL1 under PAN. */
	static const struct {
		unsigned ap, xn, el0, el1, pan;
	} cases[] = {
		{ 0, 0, X, R | W | X, R | W | X },
		{ 1, 0, R | W | X, R | W, 0 },
		{ 2, 0, X, R | X, R | X },
		{ 3, 0, R | X, R | X, X },
		{ 1, XN0, R | W, R | W, 0 },
		{ 3, XN1, R | X, R, 0 },
		{ 0, XN0 | XN1, 0, R | W, R | W },
		{ 0, WXN, X, R | W, R | W },
		{ 1, WXN, R | W, R | W, 0 },
		{ 3, WXN, R | X, R | X, X },
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t *page = one_page(0);
		*page |= cases[i].ap << 6 | (cases[i].xn & XN0 ? UINT64_C(1) << 54 : 0) |
			 (cases[i].xn & XN1 ? UINT64_C(1) << 53 : 0);
		if (cases[i].xn & WXN)
			cpu0()->sys[EMU_SR_SCTLR_EL1] |= 1u << 19;
		const unsigned rights[3] = { cases[i].el0, cases[i].el1, cases[i].pan };
		for (unsigned as = 0; as < 3; as++) {
			for (unsigned access = 1; access <= 4; access <<= 1)
				ck_assert_msg(try_walk(0, as, access) ==
					(rights[as] & access ? -1 : EMU_FSC_PERMISSION + 3), "case %u as %u access %u",
					i, as, access);
		}
	}
	/* Hierarchical rights, and HPD0. */
	uint64_t *page = one_page(0);
	*page |= 1 << 6;
	table(0)[0] |= UINT64_C(1) << 61; /* no EL0 */
	table(1)[0] |= UINT64_C(1) << 62 | UINT64_C(1) << 59; /* no writes, PXN */
	ck_assert_int_eq(try_walk(0, EMU_AS_EL0, EMU_READ), EMU_FSC_PERMISSION + 3);
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_WRITE), EMU_FSC_PERMISSION + 3);
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_EXEC), EMU_FSC_PERMISSION + 3);
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_READ), -1);
	cpu0()->sys[EMU_SR_TCR_EL1] |= UINT64_C(1) << 41;
	ck_assert_int_eq(try_walk(0, EMU_AS_EL0, EMU_WRITE), -1);
	/* EPAN: what EL0 may only execute is EL0's too. */
	*one_page(0) &= ~UINT64_C(0xc0);
	cpu0()->sys[EMU_SR_SCTLR_EL1] |= UINT64_C(1) << 57;
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1_PAN, EMU_READ), EMU_FSC_PERMISSION + 3);
	table(2)[0] |= UINT64_C(1) << 54;
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1_PAN, EMU_READ), -1);
}
END_TEST

START_TEST(test_hardware_update)
{
	const uint64_t ha = UINT64_C(1) << 39, hd = UINT64_C(1) << 40, dbm = UINT64_C(1) << 51, af = 1 << 10, ro = 1 << 7;
	uint64_t *page = one_page(ha);
	uint8_t fsc;
	*page &= ~af;
	ck_assert(emu_mmu_walk(cpu0(), 0, EMU_AS_EL1, EMU_READ, true, &walk, &fsc)); /* a probe changes nothing */
	ck_assert(!(*page & af));
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_READ), -1);
	ck_assert(*page & af);
	/* DBM without HD is read-only. */
	*page |= dbm | ro;
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_WRITE), EMU_FSC_PERMISSION + 3);
	cpu0()->sys[EMU_SR_TCR_EL1] |= hd;
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_READ), -1);
	ck_assert(!(walk.prot & EMU_WRITE)); /* the first write must come back here */
	ck_assert(*page & ro);
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_WRITE), -1);
	ck_assert(!(*page & ro));
	ck_assert(walk.prot & EMU_WRITE);
	/* The tables in ROM cannot be updated. */
	static uint8_t rom[4096] __attribute__((aligned(4096)));
	struct emu_region_desc desc = { .name = "rom", .kind = EMU_REGION_ROM, .base = 0x1000, .size = 0x1000, .host = rom };
	ck_assert_ptr_nonnull(emu_mem_add(mem, &desc, NULL));
	one_page(ha);
	table(1)[0] = 0x1000 | 3;
	*(uint64_t *)rom = (RAM_BASE | LEAF | 3) & ~af;
	ck_assert_int_eq(try_walk(0, EMU_AS_EL1, EMU_READ), EMU_FSC_HW_UPDATE);
}
END_TEST

/* ---- The TLB ---- */

static uint64_t seen(uint64_t va)
{
	uint8_t fsc;
	struct emu_tlb_entry *e = emu_tlb_data(cpu0(), va, EMU_AS_EL1, EMU_READ, &fsc);
	return e ? e->phys & ~EMU_PAGE_MASK : 0;
}

static void set_asid(unsigned asid)
{
	cpu0()->sys[EMU_SR_TTBR0_EL1] = table_pa(0) | (uint64_t)asid << 48;
	emu_tlb_switch_asid(cpu0());
}

START_TEST(test_tlb)
{
	const uint64_t ng = 1 << 11, other = RAM_BASE + 0x8000;
	uint64_t *page = one_page(UINT64_C(1) << 36);
	struct emu_cpu *cpu = cpu0();
	*page |= ng;
	for (unsigned asid = 1; asid <= 20; asid++) { /* more than there are sets */
		set_asid(asid);
		ck_assert_uint_eq(seen(0), RAM_BASE);
	}
	*page = other | LEAF | 3 | ng;
	ck_assert_uint_eq(seen(0), RAM_BASE);
	emu_tlb_apply(cpu, &(struct emu_tlbi){ .kind = EMU_TLBI_VA, .asid = 7, .lo = 0, .hi = 0xfff });
	ck_assert_uint_eq(seen(0), RAM_BASE); /* another ASID */
	emu_tlb_apply(cpu, &(struct emu_tlbi){ .kind = EMU_TLBI_VA, .asid = 20, .lo = 0x1000, .hi = 0x1fff });
	ck_assert_uint_eq(seen(0), RAM_BASE); /* another page */
	emu_tlb_apply(cpu, &(struct emu_tlbi){ .kind = EMU_TLBI_VA, .asid = 20, .lo = 0, .hi = 0xfff });
	ck_assert_uint_eq(seen(0), other);
	set_asid(19);
	ck_assert_uint_eq(seen(0), RAM_BASE); /* kept while 20 was current */
	emu_tlb_apply(cpu, &(struct emu_tlbi){ .kind = EMU_TLBI_VA, .any_asid = true, .lo = 0, .hi = 0xffffff });
	ck_assert_uint_eq(seen(0), other);
	*page = RAM_BASE | LEAF | 3 | ng;
	set_asid(18);
	ck_assert_uint_eq(seen(0), RAM_BASE);
	*page = other | LEAF | 3 | ng;
	emu_tlb_apply(cpu, &(struct emu_tlbi){ .kind = EMU_TLBI_ASID, .asid = 19 });
	ck_assert_uint_eq(seen(0), RAM_BASE);
	emu_tlb_apply(cpu, &(struct emu_tlbi){ .kind = EMU_TLBI_ASID, .asid = 18 });
	ck_assert_uint_eq(seen(0), other);
	/* A range that ends before, and one that reaches. */
	*page = RAM_BASE | LEAF | 3 | ng;
	emu_sys_insn(cpu, EMU_SYSREG(1, 0, 8, 6, 1), 0, UINT64_C(1) << 46 | UINT64_C(18) << 48 | 1); /* RVAE1: pages 1, 2 */
	ck_assert_uint_eq(seen(0), other);
	emu_sys_insn(cpu, EMU_SYSREG(1, 0, 8, 6, 1), 0, UINT64_C(1) << 46 | UINT64_C(18) << 48); /* pages 0, 1 */
	ck_assert_uint_eq(seen(0), RAM_BASE);
	/* Global pages go whatever ASID is named. */
	*page = RAM_BASE | LEAF | 3;
	emu_tlb_flush(cpu);
	ck_assert_uint_eq(seen(0), RAM_BASE);
	*page = other | LEAF | 3;
	emu_tlb_apply(cpu, &(struct emu_tlbi){ .kind = EMU_TLBI_VA, .asid = 999, .lo = 0, .hi = 0xfff });
	ck_assert_uint_eq(seen(0), other);
	/* A block goes as a whole. */
	table(1)[1] = RAM_BASE | LEAF | 1;
	ck_assert_uint_eq(seen(0x200000), RAM_BASE);
	ck_assert_uint_eq(seen(0x3ff000), RAM_BASE + 0x1ff000);
	table(1)[1] = 0;
	emu_tlb_apply(cpu, &(struct emu_tlbi){ .kind = EMU_TLBI_VA, .asid = 18, .lo = 0x300000, .hi = 0x300fff });
	ck_assert_uint_eq(seen(0x200000), 0);
	ck_assert_uint_eq(seen(0x3ff000), 0);
	/* By physical address. */
	ck_assert_uint_eq(seen(0), other);
	*page = RAM_BASE | LEAF | 3;
	emu_tlb_apply(cpu, &(struct emu_tlbi){ .kind = EMU_TLBI_PHYS, .lo = other + 0x1000, .hi = other + 0x1fff });
	ck_assert_uint_eq(seen(0), other);
	emu_tlb_apply(cpu, &(struct emu_tlbi){ .kind = EMU_TLBI_PHYS, .lo = other, .hi = other + 7 });
	ck_assert_uint_eq(seen(0), RAM_BASE);
}
END_TEST

/* ---- Life ---- */

static void code(uint64_t pa, const uint32_t *insns, size_t n)
{
	memcpy(ram + (pa - RAM_BASE), insns, n * 4);
}

static void wait_for(int event)
{
	for (unsigned i = 0; i < 10000 && last_event != event; i++)
		usleep(1000);
	ck_assert_int_eq(last_event, event);
}

static const uint32_t spin[] = { 0x91000400, 0x17ffffff }; /* add x0, x0, #1; b .-4 */

START_TEST(test_pause)
{
	struct emu_regs a, b;
	memset(&a, 0, sizeof(a)); /* padding too: they are compared as bytes */
	memset(&b, 0, sizeof(b));
	code(RAM_BASE, spin, 2);
	emu_system_set_boot(sys, &(struct emu_boot){ .pc = RAM_BASE, .x = { 5, 6, 7, 8 } });
	emu_system_get_regs(sys, 0, &a);
	ck_assert_uint_eq(a.pc, RAM_BASE);
	ck_assert_uint_eq(a.x[3], 8);
	ck_assert_uint_eq(a.pstate, 0x3c5);
	ck_assert_int_eq(emu_system_cpu_state(sys, 0), EMU_CPU_PAUSED);
	emu_system_pause(sys);
	emu_system_resume(sys); /* once paused, still */
	usleep(10000);
	ck_assert_uint_eq(emu_system_retired(sys, 0), 0);
	emu_system_resume(sys);
	while (emu_system_retired(sys, 0) < 1000)
		usleep(100);
	ck_assert_int_eq(emu_system_cpu_state(sys, 0), EMU_CPU_RUNNING);
	ck_assert_int_gt(emu_system_thread_id(sys, 0), 0);
	emu_system_pause(sys);
	emu_system_get_regs(sys, 0, &a);
	usleep(10000);
	emu_system_get_regs(sys, 0, &b);
	ck_assert_int_eq(memcmp(&a, &b, sizeof(a)), 0);
	ck_assert_uint_gt(a.x[0], 5);
	/* Registers set by hand are used. */
	b.x[0] = UINT64_C(1) << 40;
	emu_system_set_regs(sys, 0, &b);
	emu_system_resume(sys);
	usleep(10000);
	emu_system_pause(sys);
	emu_system_get_regs(sys, 0, &a);
	ck_assert_uint_ge(a.x[0], UINT64_C(1) << 40);
	/* Reset goes back to the boot state. */
	emu_system_reset(sys);
	emu_system_get_regs(sys, 0, &a);
	ck_assert_uint_eq(a.pc, RAM_BASE);
	ck_assert_uint_eq(a.x[0], 5);
	uint32_t word;
	ck_assert(emu_system_read_virt(sys, 0, RAM_BASE + 4, &word, 4));
	ck_assert_uint_eq(word, spin[1]);
	ck_assert(!emu_system_read_virt(sys, 0, 0x1000, &word, 4));
	emu_system_resume(sys); /* freed while it runs */
}
END_TEST

START_TEST(test_wait_and_lines)
{
	/* wfi; mrs x1, isr_el1; then spin */
	static const uint32_t insns[] = { 0xd503207f, 0xd538c101, 0x91000400, 0x17ffffff };
	struct emu_regs regs;
	struct emu_irq irq = emu_system_cpu_line(sys, 0, EMU_LINE_IRQ);
	code(RAM_BASE, insns, 4);
	emu_system_set_boot(sys, &(struct emu_boot){ .pc = RAM_BASE });
	emu_clock_resume(emu_clk);
	emu_system_resume(sys);
	while (emu_system_cpu_state(sys, 0) != EMU_CPU_WAITING)
		usleep(100);
	usleep(5000);
	ck_assert_uint_eq(emu_system_retired(sys, 0), 0);
	emu_irq_set(&irq, true); /* masked by PSTATE.I, and wakes all the same */
	while (emu_system_retired(sys, 0) < 10)
		usleep(100);
	emu_system_pause(sys);
	emu_system_get_regs(sys, 0, &regs);
	ck_assert_uint_eq(regs.x[1], 0x80);
	/* Unmasked, it is taken before another instruction. */
	regs.pstate &= ~0x80u;
	regs.pc = RAM_BASE + 8;
	emu_system_set_regs(sys, 0, &regs);
	code(RAM_BASE + 0x280, spin, 2);
	emu_irq_set(&irq, true);
	cpu0()->sys[EMU_SR_VBAR_EL1] = RAM_BASE;
	emu_system_resume(sys);
	usleep(20000);
	emu_system_pause(sys);
	emu_system_get_regs(sys, 0, &regs);
	ck_assert_uint_eq(regs.pc & ~UINT64_C(7), RAM_BASE + 0x280);
	ck_assert_uint_eq(cpu0()->sys[EMU_SR_ELR_EL1], RAM_BASE + 8);
	ck_assert_uint_eq(cpu0()->sys[EMU_SR_SPSR_EL1] & 0x3ff, 0x345);
	ck_assert_uint_eq(regs.pstate & 0x3ff, 0x3c5);
}
END_TEST

/* ldr w0, =fn; hvc #0; b . */
static void psci_code(uint64_t pa, uint32_t fn)
{
	const uint32_t insns[] = { 0x18000060, 0xd4000002, 0x14000000, fn };
	code(pa, insns, 4);
}

START_TEST(test_psci_off_and_reset)
{
	psci_code(RAM_BASE, 0x84000008);
	emu_system_set_boot(sys, &(struct emu_boot){ .pc = RAM_BASE });
	emu_system_resume(sys);
	wait_for(EMU_EVENT_SHUTDOWN);
	usleep(10000);
	uint64_t n = emu_system_retired(sys, 0);
	usleep(10000);
	ck_assert_uint_eq(emu_system_retired(sys, 0), n); /* nothing runs any more */
	ck_assert_uint_le(n, 3);
	emu_system_pause(sys);
	emu_system_reset(sys);
	psci_code(RAM_BASE, 0x84000009);
	emu_system_resume(sys);
	wait_for(EMU_EVENT_RESET);
}
END_TEST

START_TEST(test_psci_calls)
{
	static const struct {
		uint64_t x[4];
		uint64_t result;
	} cases[] = {
		{ { 0x84000000 }, 0x10001 },
		{ { 0x80000000 }, 0x10001 },
		{ { 0x80000001, 0x80000000 }, 0 },
		{ { 0x80000001, 0x80008000 }, (uint64_t)-1 },
		{ { 0x8400000a, 0x84000001 }, 0 },
		{ { 0x8400000a, 0xc4000012 }, 0 },
		{ { 0x8400000a, 0xc4000008 }, (uint64_t)-1 },
		{ { 0x8400000a, 0x80000000 }, 0 },
		{ { 0x84000006 }, 2 },
		{ { 0xc4000003, 0 }, (uint64_t)-4 },
		{ { 0xc4000003, 9 }, (uint64_t)-2 },
		{ { 0xc4000003, 0, 2 }, (uint64_t)-9 },
		{ { 0xc4000004, 0, 0 }, 0 },
		{ { 0xc4000004, 0, 1 }, (uint64_t)-2 },
		{ { 0x84000003, UINT64_C(0x100000000) }, (uint64_t)-4 }, /* 32-bit arguments */
		{ { 0x84000012, 1 }, (uint64_t)-2 },
		{ { 0xc4000001, 0x80000000 }, (uint64_t)-2 },
		{ { 0x84000015 }, (uint64_t)-1 },
		{ { 0x12345678 }, (uint64_t)-1 },
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(cpu0()->x, cases[i].x, sizeof(cases[i].x));
		emu_psci_call(cpu0());
		ck_assert_msg(cpu0()->x[0] == cases[i].result, "case %u: %lx", i, (unsigned long)cpu0()->x[0]);
	}
}
END_TEST

START_TEST(test_semihost)
{
	/* mov w0, #4 (WRITE0); adr x1, text; hlt #0xf000; mov w0, #0x18 (EXIT); adr x1, block; hlt #0xf000; b . */
	static const uint32_t insns[] = { 0x52800080, 0x100007e1, 0xd45e0000, 0x52800300, 0x10000f81, 0xd45e0000, 0x14000000 };
	static const uint64_t block[] = { 0x20026, 42 };
	code(RAM_BASE, insns, 7);
	memcpy(ram + 0x100, "hello", 6);
	memcpy(ram + 0x200, block, sizeof(block));
	emu_system_set_boot(sys, &(struct emu_boot){ .pc = RAM_BASE });
	emu_system_resume(sys);
	wait_for(EMU_EVENT_EXIT);
	ck_assert_uint_eq(last_value, 42);
	ck_assert_uint_eq(output_len, 5);
	ck_assert_int_eq(memcmp(output, "hello", 5), 0);
}
END_TEST

/* A region goes away under a vCPU that reads it; the machine lives on. */
START_TEST(test_remove_under_load)
{
	/* ldr x1, [x2]; b .-4; an abort goes to VBAR + 0x200: add x0, x0, #1; eret */
	static const uint32_t insns[] = { 0xf9400041, 0x17ffffff }, handler[] = { 0x91000400, 0xd69f03e0 };
	uint8_t *more = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct emu_region_desc desc = { .name = "more", .kind = EMU_REGION_RAM, .base = 0x80000000, .size = 0x1000,
		.host = more };
	struct emu_regs regs;
	code(RAM_BASE + 0x1000, insns, 2);
	code(RAM_BASE + 0x200, handler, 2);
	emu_system_set_boot(sys, &(struct emu_boot){ .pc = RAM_BASE + 0x1000, .x = { 0, 0, 0x80000000 } });
	cpu0()->sys[EMU_SR_VBAR_EL1] = RAM_BASE;
	struct emu_region *region = emu_mem_add(mem, &desc, NULL);
	emu_system_resume(sys);
	for (unsigned i = 0; i < 50; i++) {
		emu_mem_remove(mem, region);
		memset(more, 0, 0x1000);
		region = emu_mem_add(mem, &desc, NULL);
		ck_assert_ptr_nonnull(region);
		usleep(200);
	}
	emu_mem_remove(mem, region);
	munmap(more, 0x1000);
	usleep(5000);
	emu_system_pause(sys);
	emu_system_get_regs(sys, 0, &regs);
	ck_assert_uint_gt(regs.x[0], 0);
	ck_assert_uint_eq(cpu0()->sys[EMU_SR_ESR_EL1], 0x96000010);
	ck_assert_uint_eq(cpu0()->sys[EMU_SR_FAR_EL1], 0x80000000);
}
END_TEST

struct leaver {
	_Atomic bool gone, used_after;
	_Atomic unsigned reads;
};

static bool leaver_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value)
{
	struct leaver *l = opaque;

	l->reads++;
	usleep(300); /* so that it is removed in the middle */
	if (l->gone)
		l->used_after = true;
	*ret_value = 0;
	return true;
}

/* A device goes away under a vCPU that polls it: nobody is in its functions any more when it has. */
START_TEST(test_remove_device_under_load)
{
	static const uint32_t insns[] = { 0xf9400041, 0x17ffffff }, handler[] = { 0x91000400, 0xd69f03e0 };
	static const struct emu_mmio_ops ops = { .read = leaver_read };
	struct emu_regs regs;
	code(RAM_BASE + 0x1000, insns, 2);
	code(RAM_BASE + 0x200, handler, 2);
	emu_system_set_boot(sys, &(struct emu_boot){ .pc = RAM_BASE + 0x1000, .x = { 0, 0, 0x80000000 } });
	cpu0()->sys[EMU_SR_VBAR_EL1] = RAM_BASE;
	emu_system_resume(sys);
	for (unsigned i = 0; i < 50; i++) {
		struct leaver leaver = { 0 };
		struct emu_region_desc desc = { .name = "leaver", .kind = EMU_REGION_MMIO, .base = 0x80000000, .size = 0x1000,
			.ops = &ops, .opaque = &leaver };
		struct emu_region *region = emu_mem_add(mem, &desc, NULL);
		ck_assert_ptr_nonnull(region);
		while (leaver.reads < 2)
			usleep(50);
		emu_mem_remove(mem, region);
		leaver.gone = true;
		usleep(500);
		ck_assert(!leaver.used_after);
	}
	emu_system_pause(sys);
	emu_system_get_regs(sys, 0, &regs);
	ck_assert_uint_gt(regs.x[0], 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("system");
	TCase *tc = tcase_create("system");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_table);
	tcase_add_test(tc, test_granules);
	tcase_add_test(tc, test_faults);
	tcase_add_test(tc, test_permissions);
	tcase_add_test(tc, test_hardware_update);
	tcase_add_test(tc, test_tlb);
	tcase_add_test(tc, test_pause);
	tcase_add_test(tc, test_wait_and_lines);
	tcase_add_test(tc, test_psci_off_and_reset);
	tcase_add_test(tc, test_psci_calls);
	tcase_add_test(tc, test_semihost);
	tcase_add_test(tc, test_remove_under_load);
	tcase_add_test(tc, test_remove_device_under_load);
	suite_add_tcase(suite, tc);
	tc = tcase_create("models");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup_mem, teardown);
	tcase_add_test(tc, test_models);
	suite_add_tcase(suite, tc);
	return suite_run(suite, CK_FORK_GETENV);
}
