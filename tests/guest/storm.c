/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Storms: what one vCPU changes under the others' feet (code, mappings,
 * permissions, ASIDs), and what all change at once (counters and locks). Each
 * storm counts what the architecture forbids; there must be none. Runs on as
 * many vCPUs as there are, from 2 to 4. Arm ARM B2.4.4 (code), D8.14 (TLBI and
 * DSB), B2.9 (exclusives).
 *
 * vCPU 0 leads: it makes the changes and says when it is over. The others try
 * what may be stale.
 */
#include "guest.h"

#define MAX 4
#define TEST_VA 0x100000000ull
#define NORMAL_PAGE 0x0060000000000707ull  /* AttrIndx 1, AF, inner shareable, UXN, PXN */
#define NORMAL_BLOCK 0x0060000000000705ull
#define AP_RO (2 << 6)
#define NG (1 << 11)
#define PXN (1ull << 53)
#define TABLE 3

static uint64_t l1[512] __attribute__((aligned(4096)));
static uint64_t l2[512] __attribute__((aligned(4096)));
static uint64_t l3[512] __attribute__((aligned(4096)));
static unsigned n_cpus;
static volatile bool is_over;
static uint64_t deadline, wrong, tries;

static void count_wrong(void)
{
	__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
}

/* Accesses of TEST_VA up and calls of code there are tried until they succeed. */
void exception(struct frame *f)
{
	unsigned ec = f->esr >> 26 & 63;
	if ((ec == 0x25 || ec == 0x21) && f->far >= TEST_VA && f->far < TEST_VA + (1ull << 30))
		return;
	print("unexpected exception: vector %x esr %x far %x elr %x\n", f->vector * 0x80, f->esr, f->far, f->elr);
	stop();
}

static uint64_t acquire(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void release(uint64_t *p, uint64_t val)
{
	__atomic_store_n(p, val, __ATOMIC_RELEASE);
}

static void linger(unsigned n)
{
	for (volatile unsigned i = 0; i < n; i++)
		;
}

/* Now and then long enough for one who has been held up in the middle of something. */
static void wait_for_late_ones(uint64_t v)
{
	linger(v % 32 ? 100 : 50000);
}

static uint32_t random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

static void sync_code(const void *p)
{
	asm volatile("dc cvau, %0; dsb ish; ic ivau, %0; dsb ish; isb" : : "r"(p) : "memory");
}

/* In all the ways that a page can be named in. */
static void forget(uint64_t va, unsigned way)
{
	asm volatile("dsb ishst" : : : "memory");
	switch (way % 4) {
	case 0:
		asm volatile("tlbi vae1is, %0" : : "r"(va >> 12) : "memory");
		break;
	case 1:
		asm volatile("tlbi vaale1is, %0" : : "r"(va >> 12) : "memory");
		break;
	case 2:
		asm volatile("tlbi rvae1is, %0" : : "r"(va >> 12 | 1ull << 46) : "memory"); /* two pages */
		break;
	case 3:
		asm volatile("tlbi vmalle1is" : : : "memory");
		break;
	}
	asm volatile("dsb ish; isb" : : : "memory");
}

/* ---- A branch that is written while others execute it ---- */

static uint32_t patched[2][1024] __attribute__((aligned(4096)));
static uint64_t version;

static uint32_t branch(const uint32_t *from, const uint32_t *to)
{
	return 0x14000000 | ((uint32_t)(to - from) & 0x3ffffff);
}

/* Stubs that return their number; both pages' first instruction goes to one of them. */
static void patch_begin(void)
{
	for (unsigned i = 0; i < 256; i++) {
		patched[0][512 + 2 * i] = 0x52800000 | i << 5; /* mov w0, #i */
		patched[0][513 + 2 * i] = 0xd65f03c0;          /* ret */
	}
	for (unsigned p = 0; p < 2; p++)
		patched[p][0] = branch(&patched[p][0], &patched[0][512]);
	for (unsigned i = 0; i < 2048; i += 16)
		sync_code(&patched[0][i]);
	version = 0;
}

static void patch_lead(void)
{
	for (uint64_t v = 1; !is_past(deadline); v++) {
		for (unsigned p = 0; p < 2; p++)
			__atomic_store_n(&patched[p][0], branch(&patched[p][0], &patched[0][512 + v % 256 * 2]), __ATOMIC_RELAXED);
		sync_code(&patched[0][0]);
		sync_code(&patched[1][0]);
		release(&version, v);
		if (v % 8 == 0)
			linger(300);
	}
	tries = version;
}

static void patch_follow(uint64_t me)
{
	for (uint64_t i = 0; !is_over; i++) {
		uint64_t before = acquire(&version);
		isb();
		uint8_t got = ((uint32_t (*)(void))patched[i % 2])();
		uint64_t after = acquire(&version);
		if (after - before < 200 && (uint8_t)(got - before) > after + 1 - before)
			count_wrong();
	}
}

/* ---- Code that is loaded where other code was ---- */

static uint64_t handed, taken[MAX];
static const uint32_t *handed_at;

static void load_lead(void)
{
	uint64_t state = 1, v = 0;

	handed = 0;
	for (unsigned i = 0; i < MAX; i++)
		taken[i] = 0;
	while (!is_past(deadline)) {
		uint32_t *at = &patched[0][random(&state) % 1024];
		unsigned n = 1 + random(&state) % 40;
		v++;
		at[0] = 0xd2800000; /* mov x0, #0 */
		for (unsigned i = 1; i <= n; i++)
			at[i] = 0x91000000 | (v + i) % 4096 << 10; /* add x0, x0, #(v + i) */
		at[n + 1] = 0xd65f03c0;
		for (unsigned i = 0; i <= n + 1; i += 8)
			sync_code(&at[i]);
		sync_code(&at[n + 1]);
		handed_at = at;
		release(&handed, v << 8 | n);
		for (unsigned k = 1; k < n_cpus; k++)
			while (acquire(&taken[k]) != v)
				;
	}
	tries = v;
}

static void load_follow(uint64_t me)
{
	while (!is_over) {
		uint64_t h = acquire(&handed), sum = 0;
		if (h >> 8 == taken[me])
			continue;
		isb();
		uint64_t got = ((uint64_t (*)(void))handed_at)();
		for (unsigned i = 1; i <= (h & 255); i++)
			sum += ((h >> 8) + i) % 4096;
		if (got != sum)
			count_wrong();
		release(&taken[me], h >> 8);
	}
}

/* ---- A mapping that goes to and fro between two places ---- */

#define POISON 0xdeadull << 48

static struct remap { uint64_t *entry, va, bits; uint64_t *place[2]; } remap;
static uint64_t pages[2][512] __attribute__((aligned(4096)));

static void remap_begin(struct remap r)
{
	remap = r;
	version = 0;
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < 8 * MAX; k++)
			remap.place[i][k] = 0;
	*remap.entry = (uint64_t)remap.place[0] | remap.bits;
	forget(remap.va, 3);
}

static void remap_page_begin(void)
{
	l2[0] = (uint64_t)l3 | TABLE;
	remap_begin((struct remap){ &l3[7], TEST_VA + 7 * 4096, NORMAL_PAGE, { pages[0], pages[1] } });
}

static void remap_local_page_begin(void)
{
	remap_begin((struct remap){ &l3[8], TEST_VA + 8 * 4096, NORMAL_PAGE | NG, { pages[0], pages[1] } });
}

static void remap_block_begin(void)
{
	remap_begin((struct remap){ &l2[1], TEST_VA + (2 << 20), NORMAL_BLOCK,
		{ (uint64_t *)0x44000000, (uint64_t *)0x44200000 } });
}

static void remap_lead(void)
{
	uint64_t v;

	for (v = 1; !is_past(deadline); v++) {
		volatile uint64_t *now = remap.place[v % 2], *old = remap.place[(v + 1) % 2];
		now[0] = v;
		*(volatile uint64_t *)remap.entry = 0;
		forget(remap.va, v);
		*(volatile uint64_t *)remap.entry = (uint64_t)now | remap.bits;
		asm volatile("dsb ishst; isb" : : : "memory");
		release(&version, v);
		/* Nobody reads or writes the old place any more. */
		old[0] = POISON;
		for (unsigned k = 1; k < MAX; k++)
			old[8 * k] = 0;
		dsb();
		wait_for_late_ones(v);
		for (unsigned k = 1; k < MAX; k++)
			if (old[8 * k])
				count_wrong();
	}
	tries = v;
}

static void remap_follow(uint64_t me)
{
	volatile uint64_t *p = (void *)remap.va;

	for (uint64_t i = 1; !is_over; i++) {
		uint64_t before = acquire(&version), got = p[0];
		if (got < before || got >= POISON)
			count_wrong();
		if (i % 4 == 0)
			asm volatile("ldadd %0, xzr, [%1]" : : "r"(i), "r"(&p[8 * me]) : "memory");
		else if (i % 4 == 1)
			asm volatile("stp %0, %0, [%1]" : : "r"(i), "r"(&p[8 * me]) : "memory");
		else /* no branch: whoever is asked to forget the page is in the middle of this */
			asm volatile(".rept 40\nstr %0, [%1]\n.endr" : : "r"(i), "r"(&p[8 * me]) : "memory");
	}
}

/* ---- A page that is now read-only, now writable ---- */

static void protect_begin(void)
{
	remap_begin((struct remap){ &l3[9], TEST_VA + 9 * 4096, NORMAL_PAGE, { pages[0], pages[1] } });
}

static void change(uint64_t desc, uint64_t way)
{
	*(volatile uint64_t *)remap.entry = desc;
	forget(remap.va, way);
}

static void watch(volatile uint64_t *counts, uint64_t v)
{
	uint64_t was[MAX];

	for (unsigned k = 1; k < n_cpus; k++)
		was[k] = counts[8 * k];
	wait_for_late_ones(v);
	for (unsigned k = 1; k < n_cpus; k++)
		if (counts[8 * k] != was[k])
			count_wrong();
}

/* Until somebody is at it, but not for ever. */
static void await_change(volatile uint64_t *count)
{
	uint64_t was = *count;
	for (unsigned i = 0; i < 20000 && *count == was; i++)
		;
}

static void protect_lead(void)
{
	uint64_t v;

	for (v = 0; !is_past(deadline); v++) {
		change((uint64_t)pages[0] | NORMAL_PAGE | AP_RO, v);
		watch(pages[0], v);
		change((uint64_t)pages[0] | NORMAL_PAGE, v + 1);
		await_change(&pages[0][8]);
	}
	tries = v;
}

static void protect_follow(uint64_t me)
{
	volatile uint64_t *p = (void *)(remap.va + 64 * me);
	uint64_t mine = 0, t;
	uint32_t failed;

	for (uint64_t i = 0; !is_over; i++, mine++) {
		if (p[0] != mine)
			count_wrong();
		switch (i % 3) {
		case 0:
			p[0]++;
			break;
		case 1:
			asm volatile("ldadd %0, xzr, [%1]" : : "r"(1ull), "r"(p) : "memory");
			break;
		case 2:
			do {
				asm volatile("ldxr %0, [%2]; add %0, %0, #1; stxr %w1, %0, [%2]" : "=&r"(t), "=&r"(failed)
					: "r"(p) : "memory");
			} while (failed);
			break;
		}
	}
}

/* ---- Code that may now be executed, now not ---- */

static uint64_t calls[8 * MAX];

static void execute_begin(void)
{
	static const uint32_t count[] = { 0xf9400001, 0x91000421, 0xf9000001, 0xd65f03c0 }; /* (*x0)++ */

	remap_begin((struct remap){ &l3[10], TEST_VA + 10 * 4096, (NORMAL_PAGE & ~PXN) | AP_RO, { pages[0], pages[1] } });
	memcpy(pages[0], count, sizeof(count));
	sync_code(pages[0]);
	for (unsigned i = 0; i < 8 * MAX; i++)
		calls[i] = 0;
}

static void execute_lead(void)
{
	uint64_t v;

	for (v = 0; !is_past(deadline); v++) {
		change((uint64_t)pages[0] | NORMAL_PAGE | AP_RO, v);
		linger(20); /* what had been fetched has been executed */
		watch(calls, v);
		change((uint64_t)pages[0] | remap.bits, v + 1);
		await_change(&calls[8]);
	}
	change((uint64_t)pages[0] | remap.bits, 0);
	tries = v;
}

static void execute_follow(uint64_t me)
{
	uint64_t i;

	for (i = 0; !is_over; i++)
		((void (*)(uint64_t *))remap.va)(&calls[8 * me]);
	if (calls[8 * me] != i)
		count_wrong();
}

/* ---- ASIDs that come back with another address space ---- */

#define ASIDS 12
#define SPACE (8 * 512)                 /* l1, l2, l3, three pages; in doublewords */
#define SPACE_VA (TEST_VA + 5 * 4096)

static uint64_t *space(uint64_t me, unsigned asid)
{
	return (uint64_t *)heap + (me * ASIDS + asid) * SPACE;
}

static void asid_begin(void)
{
	for (unsigned me = 0; me < n_cpus; me++) {
		for (unsigned a = 0; a < ASIDS; a++) {
			uint64_t *s = space(me, a);
			for (unsigned i = 0; i < SPACE; i++)
				s[i] = 0;
			s[0] = l1[0];
			s[1] = l1[1];
			s[4] = (uint64_t)&s[512] | TABLE;
			s[512] = (uint64_t)&s[1024] | TABLE;
			s[1024 + 5] = (uint64_t)&s[1536] | NORMAL_PAGE | NG;
			s[1536] = a;
		}
	}
	dsb();
}

static void asid_storm(uint64_t me)
{
	uint64_t state = me, generation = 1, n = 0;

	for (; me ? !is_over : !is_past(deadline); n++) {
		unsigned a = random(&state) % ASIDS;
		uint64_t *s = space(me, a), asid = (uint64_t)(a + 1) << 48;
		uint64_t *page = (uint64_t *)(s[1024 + 5] & 0xfffffff000);
		write_reg(ttbr0_el1, (uint64_t)s | asid);
		isb();
		if (*(volatile uint64_t *)SPACE_VA != page[0])
			count_wrong();
		if (n % 4)
			continue;
		/* Another page, by another way of telling. */
		uint64_t *other = &s[1536 + generation % 3 * 512];
		page[0] = POISON;
		other[0] = ++generation * ASIDS + a;
		*(volatile uint64_t *)&s[1024 + 5] = (uint64_t)other | NORMAL_PAGE | NG;
		asm volatile("dsb ishst" : : : "memory");
		switch (random(&state) % 4) {
		case 0:
			asm volatile("tlbi aside1, %0" : : "r"(asid) : "memory");
			break;
		case 1:
			asm volatile("tlbi vae1, %0" : : "r"(asid | SPACE_VA >> 12) : "memory");
			break;
		case 2:
			asm volatile("tlbi aside1is, %0" : : "r"(asid) : "memory");
			break;
		case 3:
			asm volatile("tlbi vaae1is, %0" : : "r"(SPACE_VA >> 12) : "memory");
			break;
		}
		asm volatile("dsb ish; isb" : : : "memory");
		if (*(volatile uint64_t *)SPACE_VA != other[0])
			count_wrong();
	}
	if (me == 0)
		tries = n;
	write_reg(ttbr0_el1, (uint64_t)l1);
	asm volatile("isb; tlbi vmalle1; dsb ish; isb" : : : "memory");
}

static void asid_lead(void)
{
	asid_storm(0);
}

/* ---- Counters that all add to ---- */

#define ADD_EXCLUSIVE(name, ld, st, w) \
	static void name(void *p) \
	{ \
		uint64_t v, failed; \
		asm volatile("1: " ld " %" w "0, [%2]\nadd %0, %0, #1\n" st " %w1, %" w "0, [%2]\ncbnz %w1, 1b\n" \
			: "=&r"(v), "=&r"(failed) : "r"(p) : "memory"); \
	}
#define ADD_ATOMIC(name, op, w) \
	static void name(void *p) \
	{ \
		uint64_t v; \
		asm volatile(op " %" w "1, %" w "0, [%2]\n" : "=&r"(v) : "r"(1ull), "r"(p) : "memory"); \
	}
#define ADD_CAS(name, ld, op, w) \
	static void name(void *p) \
	{ \
		uint64_t v, t, was; \
		asm volatile("1: " ld " %" w "0, [%3]\nadd %1, %0, #1\nmov %2, %0\n" op " %" w "0, %" w "1, [%3]\n" \
			"cmp %" w "0, %" w "2\nb.ne 1b\n" : "=&r"(v), "=&r"(t), "=&r"(was) : "r"(p) : "cc", "memory"); \
	}

ADD_EXCLUSIVE(exclusive8, "ldxrb", "stxrb", "w")
ADD_EXCLUSIVE(exclusive16, "ldaxrh", "stxrh", "w")
ADD_EXCLUSIVE(exclusive32, "ldxr", "stlxr", "w")
ADD_EXCLUSIVE(exclusive64, "ldaxr", "stlxr", "x")
ADD_ATOMIC(atomic8, "ldaddalb", "w")
ADD_ATOMIC(atomic16, "ldaddh", "w")
ADD_ATOMIC(atomic32, "ldadda", "w")
ADD_ATOMIC(atomic64, "ldaddl", "x")
ADD_CAS(cas8, "ldrb", "casab", "w")
ADD_CAS(cas16, "ldrh", "caslh", "w")
ADD_CAS(cas32, "ldr", "casal", "w")
ADD_CAS(cas64, "ldr", "cas", "x")

static void exclusive128(void *p)
{
	uint64_t lo, hi, failed;
	asm volatile("1: ldaxp %0, %1, [%3]\nadds %0, %0, #1\nadc %1, %1, xzr\nstlxp %w2, %0, %1, [%3]\ncbnz %w2, 1b\n"
		: "=&r"(lo), "=&r"(hi), "=&r"(failed) : "r"(p) : "cc", "memory");
}

static void exclusive2x32(void *p)
{
	uint64_t a, b, failed;
	asm volatile("1: ldxp %w0, %w1, [%3]\nadd %w0, %w0, #1\nsub %w1, %w1, #1\nstxp %w2, %w0, %w1, [%3]\ncbnz %w2, 1b\n"
		: "=&r"(a), "=&r"(b), "=&r"(failed) : "r"(p) : "memory");
}

static void cas128(void *p)
{
	register uint64_t lo asm("x2"), hi asm("x3"), new_lo asm("x4"), new_hi asm("x5");
	uint64_t a, b;
	asm volatile("1: ldp %0, %1, [%6]\nmov %4, %0\nmov %5, %1\nadds %2, %0, #1\nadc %3, %1, xzr\n"
		"caspal %0, %1, %2, %3, [%6]\ncmp %0, %4\nccmp %1, %5, #0, eq\nb.ne 1b\n"
		: "=&r"(lo), "=&r"(hi), "=&r"(new_lo), "=&r"(new_hi), "=&r"(a), "=&r"(b) : "r"(p) : "cc", "memory");
}

/* Locks, with a counter that is not atomic behind the first doubleword. */
static void lock_swap(void *p)
{
	uint64_t v;
	do
		asm volatile("swpa %1, %0, [%2]" : "=&r"(v) : "r"(1ull), "r"(p) : "memory");
	while (v);
	((volatile uint64_t *)p)[1]++;
	release(p, 0);
}

static void lock_exclusive(void *p)
{
	uint64_t v, failed;
	asm volatile("1: ldaxr %0, [%2]\ncbnz %0, 1b\nstxr %w1, %3, [%2]\ncbnz %w1, 1b\n" : "=&r"(v), "=&r"(failed)
		: "r"(p), "r"(1ull) : "memory");
	((volatile uint64_t *)p)[1]++;
	release(p, 0);
}

static void lock_ticket(void *p)
{
	uint64_t mine;
	asm volatile("ldadda %w1, %w0, [%2]" : "=&r"(mine) : "r"(1 << 16), "r"(p) : "memory");
	while (__atomic_load_n((uint16_t *)p, __ATOMIC_ACQUIRE) != (uint16_t)(mine >> 16))
		;
	((volatile uint64_t *)p)[1]++;
	__atomic_store_n((uint16_t *)p, (uint16_t)(mine >> 16) + 1, __ATOMIC_RELEASE);
}

enum how { LOW, PAIR, QUAD, BEHIND };
static const struct counter { void (*add)(void *p); uint8_t bytes; uint8_t how; } counters[] = {
	{ exclusive8, 1, LOW }, { exclusive16, 2, LOW }, { exclusive32, 4, LOW }, { exclusive64, 8, LOW },
	{ atomic8, 1, LOW }, { atomic16, 2, LOW }, { atomic32, 4, LOW }, { atomic64, 8, LOW },
	{ cas8, 1, LOW }, { cas16, 2, LOW }, { cas32, 4, LOW }, { cas64, 8, LOW },
	{ exclusive128, 16, QUAD }, { cas128, 16, QUAD }, { exclusive2x32, 8, PAIR },
	{ lock_swap, 8, BEHIND }, { lock_exclusive, 8, BEHIND }, { lock_ticket, 8, BEHIND },
};
#define N_COUNTERS (sizeof(counters) / sizeof(counters[0]))
static uint64_t cells[N_COUNTERS][16] __attribute__((aligned(128)));
static uint64_t mixed[16] __attribute__((aligned(128))), bits[16] __attribute__((aligned(128))), rounds[MAX];
#define NEARLY (~0ull - 1000) /* so that the lower doubleword overflows */

static void count_begin(void)
{
	for (unsigned i = 0; i < N_COUNTERS; i++) {
		for (unsigned k = 0; k < 16; k++)
			cells[i][k] = 0;
		if (counters[i].how == QUAD)
			cells[i][0] = NEARLY;
	}
	mixed[0] = bits[0] = 0;
}

static void count_storm(uint64_t me)
{
	uint64_t n = 0, bit = 1ull << (me * 9), was;

	do {
		for (unsigned i = 0; i < N_COUNTERS; i++)
			counters[i].add(cells[i]);
		exclusive64(mixed);
		atomic64(mixed);
		cas64(mixed);
		asm volatile("ldsetal %1, %0, [%2]" : "=&r"(was) : "r"(bit), "r"(bits) : "memory");
		if (was & bit)
			count_wrong();
		asm volatile("ldclral %1, %0, [%2]" : "=&r"(was) : "r"(bit), "r"(bits) : "memory");
		if (!(was & bit))
			count_wrong();
		n++;
	} while (me ? !is_over : !is_past(deadline));
	rounds[me] = n;
}

static void count_lead(void)
{
	count_storm(0);
}

static void count_end(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n_cpus; i++)
		sum += rounds[i];
	for (unsigned i = 0; i < N_COUNTERS; i++) {
		const uint64_t *c = cells[i];
		unsigned unused = 64 - 8 * (counters[i].bytes & 7); /* bits that the counter has not got */
		uint64_t expected = unused == 64 ? sum : sum << unused >> unused;
		bool ok = false;
		switch (counters[i].how) {
		case LOW:
			ok = c[0] == expected;
			break;
		case PAIR:
			ok = (uint32_t)c[0] == (uint32_t)sum && (uint32_t)(c[0] >> 32) == (uint32_t)-sum;
			break;
		case QUAD:
			ok = c[0] == NEARLY + sum && c[1] == (NEARLY + sum < sum);
			break;
		case BEHIND:
			ok = c[1] == sum;
			break;
		}
		if (!ok) {
			count_wrong();
			print("counter %d: %x %x, not %x\n", (uint64_t)i, c[0], c[1], sum);
		}
	}
	if (mixed[0] != 3 * sum || bits[0])
		count_wrong();
	tries = sum;
}

/* ---- All of them ---- */

static const struct storm {
	const char *name;
	void (*begin)(void);
	void (*lead)(void);
	void (*follow)(uint64_t me);
	void (*end)(void);
} storms[] = {
	{ "a branch is patched", patch_begin, patch_lead, patch_follow },
	{ "code is loaded", patch_begin, load_lead, load_follow },
	{ "a page moves", remap_page_begin, remap_lead, remap_follow },
	{ "a page of one ASID moves", remap_local_page_begin, remap_lead, remap_follow },
	{ "a block moves", remap_block_begin, remap_lead, remap_follow },
	{ "read-only and writable", protect_begin, protect_lead, protect_follow },
	{ "executable and not", execute_begin, execute_lead, execute_follow },
	{ "ASIDs come back", asid_begin, asid_lead, asid_storm },
	{ "counters", count_begin, count_lead, count_storm, count_end },
};

static void run_all(uint64_t me)
{
	for (unsigned i = 0; i < sizeof(storms) / sizeof(storms[0]); i++) {
		const struct storm *s = &storms[i];
		if (me == 0) {
			s->begin();
			is_over = false;
			wrong = 0;
			deadline = ms_from_now(100 * patience);
		}
		barrier(n_cpus);
		if (me == 0) {
			s->lead();
			is_over = true;
		} else {
			s->follow(me);
		}
		barrier(n_cpus);
		if (me == 0) {
			if (s->end)
				s->end();
			print("%s: wrong %d", s->name, wrong);
			if (patience > 1)
				print(" of %d", tries);
			print("\n");
		}
	}
}

void secondary(uint64_t n)
{
	mmu_on(l1);
	while (!*(volatile unsigned *)&n_cpus)
		;
	barrier(n_cpus);
	run_all(n);
}

int main(void)
{
	l1[4] = (uint64_t)l2 | TABLE;
	mmu_on(l1);
	n_cpus = start_others();
	if (n_cpus < 2 || n_cpus > MAX) {
		print("not with these vCPUs\n");
		return 0;
	}
	barrier(n_cpus);
	run_all(0);
	print("done\n");
	return 0;
}
