/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MMU: faults of every kind and level, permissions, attributes, TLBI, AT.
 * QEMU 10 prints the same, but that it lets pass misaligned accesses to Device
 * memory, a misaligned SP, and maintenance of caches at unmapped addresses.
 */
#include "guest.h"

/* Identity map in TTBR0 of 4 KiB granules, 39 bits: level 1 blocks for devices and RAM; tests use 0x1_0000_0000 up. */
#define TEST_VA 0x100000000ull
#define BLOCK_DEVICE 0x0060000000000401ull       /* AttrIndx 0, AF, UXN, PXN */
#define BLOCK_NORMAL (0x0040000000000701ull | 1 << 2) /* AttrIndx 1, inner shareable, AF, UXN */
#define PAGE 0x0060000000000703ull               /* device..., page, AF, ISH, UXN, PXN; AttrIndx by OR */
#define NORMAL (1 << 2)
#define AP_RO (2 << 6)
#define AP_EL0 (1 << 6)
#define NG (1 << 11)
#define AF (1 << 10)
#define UXN (1ull << 54)
#define PXN (1ull << 53)
#define DBM (1ull << 51)
#define TABLE 3

static uint64_t l1[512] __attribute__((aligned(4096)));
static uint64_t l2[512] __attribute__((aligned(4096)));
static uint64_t l3[512] __attribute__((aligned(4096)));
static uint64_t data[1024] __attribute__((aligned(8192)));

#define TCR (25ull | 1 << 8 | 1 << 10 | 3 << 12 | 1ull << 23 | 2ull << 32) /* T0SZ 25, EPD1, IPS 40 bits */

static void sync_tables(void)
{
	asm volatile("dsb ish; tlbi vmalle1is; dsb ish; isb" : : : "memory");
}

static void map(unsigned page, uint64_t desc)
{
	l3[page] = desc;
	sync_tables();
}

static void *va(unsigned page)
{
	return (void *)(TEST_VA + page * 4096ull);
}

static void try_read(const char *what, void *p)
{
	uint64_t v;
	expect_begin();
	asm volatile("ldr %0, [%1]" : "=r"(v) : "r"(p) : "memory");
	expect_end(what);
}

static void try_write(const char *what, void *p)
{
	expect_begin();
	asm volatile("str xzr, [%0]" : : "r"(p) : "memory");
	expect_end(what);
}

static void try_exec(const char *what, void *p)
{
	expect_begin();
	asm volatile("blr %0" : : "r"(p) : "x30", "memory");
	expect_end(what);
}

static void print_at(const char *what, uint64_t par)
{
	/* NS, and the implementation's choice of attributes on a fault, aside. */
	print("%s: par %x\n", what, par & 1 ? par & 0x7f : par & ~(1ull << 9));
}

#define AT(op, p) ({ asm volatile("at " op ", %0; isb" : : "r"(p) : "memory"); read_reg(par_el1); })

static USER uint64_t user_read(uint64_t p)
{
	uint64_t v;
	asm volatile("ldr %0, [%1]" : "=r"(v) : "r"(p) : "memory");
	return v;
}

static USER uint64_t user_write(uint64_t p)
{
	asm volatile("str xzr, [%0]" : : "r"(p) : "memory");
	return 0;
}

static void levels(void)
{
	l1[5] = 0;
	l2[1] = 0;
	sync_tables();
	try_read("translation level 1", (void *)(5ull << 30));
	try_read("translation level 2", (void *)(TEST_VA + (2 << 20)));
	map(9, 0);
	try_read("translation level 3", va(9));
	try_write("translation level 3, write", va(9));
	map(9, 1);
	try_read("reserved level 3", va(9));
	try_read("beyond the input size", (void *)(1ull << 39));
	try_read("upper half disabled", (void *)0xffffff8000000000ull);
	l1[5] = BLOCK_NORMAL & ~(uint64_t)AF;
	l2[1] = (BLOCK_NORMAL & ~(uint64_t)AF);
	sync_tables();
	try_read("access flag level 1", (void *)(5ull << 30));
	try_read("access flag level 2", (void *)(TEST_VA + (2 << 20)));
	map(9, ((uint64_t)data | PAGE | NORMAL) & ~(uint64_t)AF);
	try_read("access flag level 3", va(9));
	try_write("access flag level 3, write", va(9));
	l1[5] = BLOCK_NORMAL | AP_RO;
	l2[1] = BLOCK_NORMAL | AP_RO;
	sync_tables();
	try_write("permission level 1", (void *)(5ull << 30));
	try_write("permission level 2", (void *)(TEST_VA + (2 << 20)));
	map(9, (uint64_t)data | PAGE | NORMAL | AP_RO);
	try_read("read-only, read", va(9));
	try_write("permission level 3", va(9));
	map(9, (1ull << 44) | PAGE | NORMAL);
	try_read("address size level 3", va(9));
	l2[1] = (1ull << 44) | BLOCK_NORMAL;
	l1[5] = (1ull << 44) | TABLE;
	sync_tables();
	try_read("address size level 2", (void *)(TEST_VA + (2 << 20)));
	try_read("address size level 1", (void *)(5ull << 30));
	l1[5] = 0;
	l2[1] = 0;
	sync_tables();
}

static void user(void)
{
	map(100, (uint64_t)user_start | (PAGE & ~UXN) | NORMAL | AP_EL0 | AP_RO);
	uint64_t (*r)(uint64_t) = (void *)(TEST_VA + 100 * 4096 + ((uint64_t)user_read - (uint64_t)user_start));
	uint64_t (*w)(uint64_t) = (void *)(TEST_VA + 100 * 4096 + ((uint64_t)user_write - (uint64_t)user_start));
	map(10, (uint64_t)data | PAGE | NORMAL);
	static const struct { const char *what; uint64_t bits; } cases[] = {
		{ "el0, kernel page", 0 }, { "el0, user page", AP_EL0 }, { "el0, user read-only page", AP_EL0 | AP_RO },
		{ "el0, kernel read-only page", AP_RO },
	};
	for (unsigned i = 0; i < 4; i++) {
		map(10, (uint64_t)data | PAGE | NORMAL | cases[i].bits);
		print("%s\n", cases[i].what);
		expect_begin();
		call_el0(r, (uint64_t)va(10), 0x3c0);
		expect_end("  read");
		expect_begin();
		call_el0(w, (uint64_t)va(10), 0x3c0);
		expect_end("  write");
		print_at("  at s1e0r", AT("s1e0r", va(10)));
		print_at("  at s1e0w", AT("s1e0w", va(10)));
		print_at("  at s1e1r", AT("s1e1r", va(10)));
		print_at("  at s1e1w", AT("s1e1w", va(10)));
	}
}

static void execute(void)
{
	static uint32_t code[1024] __attribute__((aligned(4096)));
	code[0] = 0xd65f03c0; /* ret */
	asm volatile("dc cvau, %0; dsb ish; ic ivau, %0; dsb ish; isb" : : "r"(code) : "memory");
	map(11, (uint64_t)code | (PAGE & ~PXN) | NORMAL);
	try_exec("executable", va(11));
	map(11, (uint64_t)code | PAGE | NORMAL);
	try_exec("pxn", va(11));
	map(11, (uint64_t)code | (PAGE & ~PXN) | NORMAL | AP_EL0);
	try_exec("el0-writable is never executable at el1", va(11));
}

static void alignment(void)
{
	uint64_t v;
	map(12, (uint64_t)data | PAGE);           /* device */
	map(13, ((uint64_t)data + 4096) | PAGE | NORMAL);
	map(14, (uint64_t)data | PAGE | NORMAL);
	try_read("device, aligned", va(12));
	try_read("device, misaligned", (char *)va(12) + 3);
	try_write("device, misaligned write", (char *)va(12) + 3);
	try_read("normal, misaligned", (char *)va(13) + 3);
	expect_begin();
	asm volatile("ldxr %0, [%1]" : "=r"(v) : "r"((char *)va(13) + 4) : "memory");
	expect_end("exclusive, misaligned");
	expect_begin();
	asm volatile("ldar %0, [%1]" : "=r"(v) : "r"((char *)va(13) + 12) : "memory");
	expect_end("acquire, across 16 bytes");
	write_reg(sctlr_el1, read_reg(sctlr_el1) | 2);
	isb();
	try_read("SCTLR.A, misaligned", (char *)va(13) + 3);
	try_read("SCTLR.A, misaligned and unmapped", (char *)va(200) + 3);
	write_reg(sctlr_el1, read_reg(sctlr_el1) & ~2ull);
	isb();
	/* Across a page: 13 then 14 are mapped to the two halves in the other order. */
	data[1023] = 0x1122334455667788;
	data[0] = 0x99aabbccddeeff00;
	asm volatile("ldr %0, [%1]" : "=r"(v) : "r"((char *)va(13) + 4092) : "memory");
	print("across two pages: %x\n", v);
	map(14, 0);
	try_read("second page unmapped", (char *)va(13) + 4092);
	try_write("second page unmapped, write", (char *)va(13) + 4092);
	print("nothing was stored: %x\n", data[1023]);
	expect_begin();
	asm volatile("msr spsel, #0; mov x1, #8; mov sp, x1; ldr x0, [sp]; msr spsel, #1" : : : "x0", "x1", "memory");
	expect_end("sp alignment");
	expect_begin();
	asm volatile("adr x30, 1f; ldr x0, =_start + 2; br x0; 1:" : : : "x0", "x30", "memory");
	expect_end("pc alignment");
}

static void external(void)
{
	map(15, 0x0f000000 | PAGE); /* nothing is there */
	expect_begin();
	uint32_t v;
	asm volatile("ldr %w0, [%1]" : "=r"(v) : "r"(va(15)) : "memory");
	expect_end("external abort, read");
	expect_begin();
	asm volatile("str wzr, [%0]" : : "r"(va(15)) : "memory");
	expect_end("external abort, write");
}

static void maintenance(void)
{
	map(16, 0);
	expect_begin();
	asm volatile("dc civac, %0" : : "r"(va(16)) : "memory");
	expect_end("dc civac, unmapped");
	expect_begin();
	asm volatile("dc zva, %0" : : "r"((char *)va(16) + 8) : "memory");
	expect_end("dc zva, unmapped");
	expect_begin();
	asm volatile("ic ivau, %0" : : "r"(va(16)) : "memory");
	expect_end("ic ivau, unmapped");
	map(16, (uint64_t)data | PAGE | NORMAL);
	for (unsigned i = 0; i < 24; i++)
		data[i] = i + 1;
	asm volatile("dc zva, %0" : : "r"((char *)va(16) + 72) : "memory");
	print("dc zva: %x %x %x %x\n", data[7], data[8], data[15], data[16]);
}

static void tlbi(void)
{
	static uint64_t other[512] __attribute__((aligned(4096)));
	data[0] = 1;
	other[0] = 2;
	map(20, (uint64_t)data | PAGE | NORMAL | NG);
	volatile uint64_t *p = va(20);
	print("tlbi: %x", *p);
	l3[20] = (uint64_t)other | PAGE | NORMAL | NG;
	asm volatile("dsb ishst; tlbi vae1is, %0; dsb ish; isb" : : "r"((uint64_t)p >> 12) : "memory");
	print(" %x", *p);
	l3[20] = (uint64_t)data | PAGE | NORMAL | NG;
	asm volatile("dsb ishst; tlbi vaale1, %0; dsb ish; isb" : : "r"((uint64_t)p >> 12) : "memory");
	print(" %x", *p);
	l3[20] = (uint64_t)other | PAGE | NORMAL | NG;
	asm volatile("dsb ishst; tlbi aside1is, %0; dsb ish; isb" : : "r"(0ull) : "memory");
	print(" %x", *p);
	/* A block: any address in it will do. */
	l2[3] = ((uint64_t)data & ~0x1fffffull) | BLOCK_NORMAL;
	sync_tables();
	volatile uint64_t *q = (void *)(TEST_VA + (6 << 20) + ((uint64_t)data & 0x1fffff));
	print(" %x", *q);
	l2[3] = 0;
	asm volatile("dsb ishst; tlbi vae1, %0; dsb ish; isb" : : "r"((TEST_VA + (7 << 20)) >> 12) : "memory");
	print("\n");
	try_read("block gone", (void *)q);
	/* Two ASIDs. */
	write_reg(tcr_el1, TCR);
	write_reg(ttbr0_el1, (uint64_t)l1 | 1ull << 48);
	isb();
	print("asid 1: %x", *p);
	l3[20] = (uint64_t)data | PAGE | NORMAL | NG;
	dsb();
	asm volatile("tlbi vae1, %0; dsb ish; isb" : : "r"((uint64_t)p >> 12 | 1ull << 48) : "memory");
	print(" %x", *p);
	write_reg(ttbr0_el1, (uint64_t)l1);
	isb();
	asm volatile("tlbi vmalle1; dsb ish; isb" : : : "memory");
	print(", asid 0: %x\n", *p);
}

static void hierarchy(void)
{
	map(21, (uint64_t)data | PAGE | NORMAL);
	l1[4] |= 1ull << 62; /* APTable: no writes */
	sync_tables();
	try_read("aptable ro, read", va(21));
	try_write("aptable ro, write", va(21));
	l1[4] &= ~(1ull << 62);
	sync_tables();
	try_write("aptable none, write", va(21));
}

static void tbi(void)
{
	map(22, (uint64_t)data | PAGE | NORMAL);
	void *tagged = (void *)((uint64_t)va(22) | 0xab00000000000000ull);
	try_read("tagged, tbi off", tagged);
	write_reg(tcr_el1, TCR | 1ull << 37);
	sync_tables();
	try_read("tagged, tbi on", tagged);
	map(22, 0);
	try_read("tagged, unmapped", tagged);
	write_reg(tcr_el1, TCR);
	sync_tables();
}

int main(void)
{
	l1[0] = BLOCK_DEVICE;
	l1[1] = 0x40000000 | BLOCK_NORMAL;
	l1[4] = (uint64_t)l2 | TABLE;
	l2[0] = (uint64_t)l3 | TABLE;
	write_reg(mair_el1, 0xff00);
	write_reg(tcr_el1, TCR);
	write_reg(ttbr0_el1, (uint64_t)l1);
	sync_tables();
	write_reg(sctlr_el1, read_reg(sctlr_el1) | 1 | 1 << 2 | 1 << 12);
	isb();
	print("mmu on\n");
	levels();
	execute();
	alignment();
	external();
	maintenance();
	tlbi();
	hierarchy();
	tbi();
	user();
	print("done\n");
	return 0;
}
