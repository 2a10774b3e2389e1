/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shapes by which the Arm memory model (Arm ARM B2.3) is told from weaker
 * ones, with names as in the literature (MP, SB, LB, IRIW, WRC, 2+2W, R, S):
 * each forbidden outcome is counted, and none may be seen. Two to four vCPUs go
 * through a row of slots, each with an x and a y of its own, at the same time.
 *
 * With patience, outcomes that are allowed are counted too: seeing some shows
 * that the vCPUs do meet.
 */
#include "guest.h"

#define N 4
#define SLOTS 512

static uint64_t l1[512] __attribute__((aligned(4096)));
static struct slot { uint64_t x[16], y[16]; } slots[SLOTS] __attribute__((aligned(128)));
static struct result { uint64_t a, b; } results[N][SLOTS] __attribute__((aligned(128)));

typedef void thread_fn(uint64_t *x, uint64_t *y, struct result *r);
typedef bool outcome_fn(const struct result r[N], uint64_t x, uint64_t y);

#define THREAD(name, text) \
	static void name(uint64_t *x, uint64_t *y, struct result *r) \
	{ \
		uint64_t a = 0, b = 0, t = 0; \
		asm volatile(text : [a] "+r"(a), [b] "+r"(b), [t] "+r"(t) : [x] "r"(x), [y] "r"(y), [one] "r"(1ull), \
			[two] "r"(2ull), [ones] "r"(~0ull) : "cc", "memory"); \
		r->a = a; \
		r->b = b; \
	}

#define OUTCOME(name, condition) \
	static bool name(const struct result r[N], uint64_t x, uint64_t y) \
	{ \
		return condition; \
	}

/* ---- Threads: W writes, R reads, of x or y, in this order; what is between them ---- */

#define W_X "str %[one], [%[x]]\n"
#define W_Y "str %[one], [%[y]]\n"
#define R_X(reg) "ldr %[" #reg "], [%[x]]\n"
#define R_Y(reg) "ldr %[" #reg "], [%[y]]\n"

THREAD(w_x, W_X)
THREAD(w_y, W_Y)
THREAD(w_x_w_y, W_X W_Y)
THREAD(w_x_dmb_w_y, W_X "dmb ish\n" W_Y)
THREAD(w_x_dmb_st_w_y, W_X "dmb ishst\n" W_Y)
THREAD(w_x_dsb_w_y, W_X "dsb ish\n" W_Y)
THREAD(w_x_rel_y, W_X "stlr %[one], [%[y]]\n")
THREAD(w_x_swpl_y, W_X "swpl %[one], %[t], [%[y]]\n")
THREAD(w_x_stlxr_y, W_X "1: ldxr %[t], [%[y]]\nstlxr %w[t], %[one], [%[y]]\ncbnz %w[t], 1b\n")
THREAD(r_y_r_x, R_Y(a) R_X(b))
THREAD(r_y_dmb_r_x, R_Y(a) "dmb ish\n" R_X(b))
THREAD(r_y_dmb_ld_r_x, R_Y(a) "dmb ishld\n" R_X(b))
THREAD(r_y_dsb_r_x, R_Y(a) "dsb ish\n" R_X(b))
THREAD(r_y_addr_r_x, R_Y(a) "eor %[t], %[a], %[a]\nldr %[b], [%[x], %[t]]\n")
THREAD(r_y_isb_r_x, R_Y(a) "cbz %[a], 1f\n1: isb\n" R_X(b))
THREAD(acq_y_r_x, "ldar %[a], [%[y]]\n" R_X(b))
THREAD(acq_y_acq_x, "ldar %[a], [%[y]]\nldar %[b], [%[x]]\n")
THREAD(acqpc_y_r_x, "ldapr %[a], [%[y]]\n" R_X(b))
THREAD(ldaxr_y_r_x, "ldaxr %[a], [%[y]]\n" R_X(b))
THREAD(swpa_y_r_x, "ldadda xzr, %[a], [%[y]]\n" R_X(b))
THREAD(r_x_r_y, R_X(a) R_Y(b))
THREAD(r_x_dmb_r_y, R_X(a) "dmb ish\n" R_Y(b))
THREAD(r_x_addr_r_y, R_X(a) "eor %[t], %[a], %[a]\nldr %[b], [%[y], %[t]]\n")
THREAD(acq_x_acq_y, "ldar %[a], [%[x]]\nldar %[b], [%[y]]\n")
THREAD(w_x_r_y, W_X R_Y(a))
THREAD(w_y_r_x, W_Y R_X(a))
THREAD(w_x_dmb_r_y, W_X "dmb ish\n" R_Y(a))
THREAD(w_y_dmb_r_x, W_Y "dmb ish\n" R_X(a))
THREAD(w_x_dsb_r_y, W_X "dsb sy\n" R_Y(a))
THREAD(w_y_dsb_r_x, W_Y "dsb sy\n" R_X(a))
THREAD(rel_x_acq_y, "stlr %[one], [%[x]]\nldar %[a], [%[y]]\n")
THREAD(rel_y_acq_x, "stlr %[one], [%[y]]\nldar %[a], [%[x]]\n")
THREAD(swpal_x_acq_y, "swpal %[one], %[t], [%[x]]\nldar %[a], [%[y]]\n")
THREAD(swpal_y_acq_x, "swpal %[one], %[t], [%[y]]\nldar %[a], [%[x]]\n")
THREAD(r_x_w_y, R_X(a) W_Y)
THREAD(r_y_w_x, R_Y(a) W_X)
THREAD(r_x_dmb_w_y, R_X(a) "dmb ish\n" W_Y)
THREAD(r_y_dmb_w_x, R_Y(a) "dmb ish\n" W_X)
THREAD(r_x_data_w_y, R_X(a) "eor %[t], %[a], %[a]\nadd %[t], %[t], #1\nstr %[t], [%[y]]\n")
THREAD(r_y_data_w_x, R_Y(a) "eor %[t], %[a], %[a]\nadd %[t], %[t], #1\nstr %[t], [%[x]]\n")
THREAD(r_x_addr_w_y, R_X(a) "eor %[t], %[a], %[a]\nstr %[one], [%[y], %[t]]\n")
THREAD(r_y_addr_w_x, R_Y(a) "eor %[t], %[a], %[a]\nstr %[one], [%[x], %[t]]\n")
THREAD(r_x_ctrl_w_y, R_X(a) "cbz %[a], 1f\n1: " W_Y)
THREAD(r_y_ctrl_w_x, R_Y(a) "cbz %[a], 1f\n1: " W_X)
THREAD(acq_x_w_y, "ldar %[a], [%[x]]\n" W_Y)
THREAD(acq_y_w_x, "ldar %[a], [%[y]]\n" W_X)
THREAD(r_x_rel_y, R_X(a) "stlr %[one], [%[y]]\n")
THREAD(r_y_rel_x, R_Y(a) "stlr %[one], [%[x]]\n")
THREAD(w_x_dmb_w2_y, W_X "dmb ish\nstr %[two], [%[y]]\n")
THREAD(w_y_dmb_w2_x, W_Y "dmb ish\nstr %[two], [%[x]]\n")
THREAD(w2_y_dmb_r_x, "str %[two], [%[y]]\ndmb ish\n" R_X(a))
THREAD(w2_x_dmb_w_y, "str %[two], [%[x]]\ndmb ish\n" W_Y)
THREAD(r_x_r_x, R_X(a) R_X(b))
THREAD(w_x_r_x, W_X R_X(a))
THREAD(w2_x, "str %[two], [%[x]]\n")
THREAD(w_pair, "stp %[ones], %[ones], [%[x]]\n")
THREAD(r_pair, "ldp %[a], %[b], [%[x]]\n")
THREAD(w_odd, "str %[ones], [%[x], #5]\n")
THREAD(r_odd, "ldr %[a], [%[x], #5]\n")
THREAD(add_x, "ldadd %[one], %[a], [%[x]]\n")
THREAD(add_x_exclusive, "1: ldxr %[a], [%[x]]\nadd %[t], %[a], #1\nstxr %w[b], %[t], [%[x]]\ncbnz %w[b], 1b\n")
THREAD(cas_x, "cas %[a], %[one], [%[x]]\n")
THREAD(cas2_x, "cas %[a], %[two], [%[x]]\n")

/* ---- Outcomes ---- */

OUTCOME(mp, r[1].a == 1 && r[1].b == 0)
OUTCOME(both_zero, r[0].a == 0 && r[1].a == 0)
OUTCOME(both_one, r[0].a == 1 && r[1].a == 1)
OUTCOME(iriw, r[2].a == 1 && r[2].b == 0 && r[3].a == 1 && r[3].b == 0)
OUTCOME(wrc, r[1].a == 1 && r[2].a == 1 && r[2].b == 0)
OUTCOME(first_writes_last, x == 1 && y == 1)
OUTCOME(r_shape, y == 2 && r[1].a == 0)
OUTCOME(s_shape, r[1].a == 1 && x == 2)
OUTCOME(cowr, r[0].a == 0)
OUTCOME(torn_pair, r[1].a != r[1].b)
OUTCOME(torn, r[1].a != 0 && r[1].a != ~0ull)
OUTCOME(sum, x != 4)
OUTCOME(not_one_winner, (r[0].a == 0) + (r[1].a == 0) + (r[2].a == 0) + (r[3].a == 0) != 1)

static const struct test {
	const char *name;
	thread_fn *thread[N];
	outcome_fn *outcome;
	bool allowed;
} tests[] = {
	{ "MP", { w_x_w_y, r_y_r_x }, mp, true },
	{ "MP+dmb+dmb", { w_x_dmb_w_y, r_y_dmb_r_x }, mp },
	{ "MP+dmb.st+dmb.ld", { w_x_dmb_st_w_y, r_y_dmb_ld_r_x }, mp },
	{ "MP+dsb+dsb", { w_x_dsb_w_y, r_y_dsb_r_x }, mp },
	{ "MP+rel+acq", { w_x_rel_y, acq_y_r_x }, mp },
	{ "MP+rel+acqpc", { w_x_rel_y, acqpc_y_r_x }, mp },
	{ "MP+swpl+ldadda", { w_x_swpl_y, swpa_y_r_x }, mp },
	{ "MP+stlxr+ldaxr", { w_x_stlxr_y, ldaxr_y_r_x }, mp },
	{ "MP+dmb+addr", { w_x_dmb_w_y, r_y_addr_r_x }, mp },
	{ "MP+dmb+ctrlisb", { w_x_dmb_w_y, r_y_isb_r_x }, mp },
	{ "SB", { w_x_r_y, w_y_r_x }, both_zero, true },
	{ "SB+dmb+dmb", { w_x_dmb_r_y, w_y_dmb_r_x }, both_zero },
	{ "SB+dsb+dsb", { w_x_dsb_r_y, w_y_dsb_r_x }, both_zero },
	{ "SB+rel-acq+rel-acq", { rel_x_acq_y, rel_y_acq_x }, both_zero },
	{ "SB+swpal-acq+swpal-acq", { swpal_x_acq_y, swpal_y_acq_x }, both_zero },
	{ "LB", { r_x_w_y, r_y_w_x }, both_one, true },
	{ "LB+dmb+dmb", { r_x_dmb_w_y, r_y_dmb_w_x }, both_one },
	{ "LB+data+data", { r_x_data_w_y, r_y_data_w_x }, both_one },
	{ "LB+addr+addr", { r_x_addr_w_y, r_y_addr_w_x }, both_one },
	{ "LB+ctrl+ctrl", { r_x_ctrl_w_y, r_y_ctrl_w_x }, both_one },
	{ "LB+acq+acq", { acq_x_w_y, acq_y_w_x }, both_one },
	{ "LB+rel+rel", { r_x_rel_y, r_y_rel_x }, both_one },
	{ "IRIW", { w_x, w_y, r_x_r_y, r_y_r_x }, iriw, true },
	{ "IRIW+dmb+dmb", { w_x, w_y, r_x_dmb_r_y, r_y_dmb_r_x }, iriw },
	{ "IRIW+addr+addr", { w_x, w_y, r_x_addr_r_y, r_y_addr_r_x }, iriw },
	{ "IRIW+acq+acq", { w_x, w_y, acq_x_acq_y, acq_y_acq_x }, iriw },
	{ "WRC+dmb+addr", { w_x, r_x_dmb_w_y, r_y_addr_r_x }, wrc },
	{ "WRC+data+addr", { w_x, r_x_data_w_y, r_y_addr_r_x }, wrc },
	{ "WRC+rel+acq", { w_x, r_x_rel_y, acq_y_r_x }, wrc },
	{ "2+2W+dmb+dmb", { w_x_dmb_w2_y, w_y_dmb_w2_x }, first_writes_last },
	{ "R+dmb+dmb", { w_x_dmb_w_y, w2_y_dmb_r_x }, r_shape },
	{ "S+dmb+data", { w2_x_dmb_w_y, r_y_data_w_x }, s_shape },
	{ "CoRR", { w_x, r_x_r_x }, mp },
	{ "CoWR", { w_x_r_x, w2_x }, cowr },
	{ "atomic pair", { w_pair, r_pair }, torn_pair },
	{ "atomic in 16 bytes", { w_odd, r_odd }, torn },
	{ "atomic add", { add_x, add_x, add_x, add_x }, sum },
	{ "exclusive add", { add_x_exclusive, add_x_exclusive, add_x_exclusive, add_x_exclusive }, sum },
	{ "add, both ways", { add_x, add_x_exclusive, add_x, add_x_exclusive }, sum },
	{ "compare and swap", { cas_x, cas2_x, cas_x, cas2_x }, not_one_winner },
};

/* ---- Running them ---- */

static volatile bool go_on;
static struct { volatile uint64_t at, pad[15]; } place[N];

/* Each slot begins when all are there, or have been waited for long enough. */
static void play(const struct test *t, uint64_t me, unsigned n)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		place[me].at = i + 1;
		for (unsigned k = 0; k < n; k++)
			for (unsigned spins = 0; place[k].at <= i && spins < 100; spins++)
				;
		t->thread[me](slots[i].x, slots[i].y, &results[me][i]);
	}
}

static unsigned count(const struct test *t)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SLOTS; i++) {
		struct result r[N];
		for (unsigned k = 0; k < N; k++)
			r[k] = results[k][i];
		n += t->outcome(r, slots[i].x[0], slots[i].y[0]);
		slots[i] = (struct slot){ 0 };
	}
	return n;
}

static void run(const struct test *t, uint64_t me)
{
	uint64_t seen = 0, until = ms_from_now(25 * patience);
	unsigned n = 2;

	while (n < N && t->thread[n])
		n++;
	for (;;) {
		if (me == 0)
			go_on = !is_past(until);
		barrier(N);
		bool done = !go_on;
		barrier(N);
		if (done)
			break;
		if (me < n)
			play(t, me, n);
		barrier(N);
		place[me].at = 0;
		if (me == 0)
			seen += count(t);
	}
	if (me == 0 && !t->allowed)
		print("%s: forbidden %d\n", t->name, seen);
	else if (me == 0 && patience > 1)
		print("%s: allowed, seen %d\n", t->name, seen);
}

static void run_all(uint64_t me)
{
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		run(&tests[i], me);
}

void secondary(uint64_t n)
{
	mmu_on(l1);
	run_all(n);
}

int main(void)
{
	mmu_on(l1);
	if (start_others() != N) {
		print("not with these vCPUs\n");
		return 0;
	}
	run_all(0);
	print("done\n");
	return 0;
}
