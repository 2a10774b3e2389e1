/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory ahead of its use: what the host is asked for, and what not. */
#include "emu/ahead.h"
#include "tests/unit/suite.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <time.h>

enum { STEP = 1 << EMU_AHEAD_SHIFT, STEPS = 40 };

static uint8_t *memory; /* starts with a step */
static struct emu_ahead *ahead;
static struct emu_ahead_steps *steps;

static void setup(void)
{
	uint8_t *p = mmap(NULL, (STEPS + 1) * (size_t)STEP, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	memory = (uint8_t *)(((uintptr_t)p + STEP - 1) / STEP * STEP);
	ahead = emu_ahead_new(NULL);
	ck_assert_ptr_nonnull(ahead);
	steps = emu_ahead_steps_new(memory, STEPS * (size_t)STEP);
	ck_assert_ptr_nonnull(steps);
	ck_assert_uint_eq(steps->n, STEPS);
}

static void teardown(void)
{
	emu_ahead_free(ahead);
	free(steps);
}

static bool is_there(unsigned step)
{
	unsigned char page;

	ck_assert_int_eq(mincore(memory + step * (size_t)STEP + STEP / 2, 1, &page), 0);
	return page & 1;
}

/* Whether the host gives the step soon. */
static bool comes(unsigned step)
{
	static const struct timespec pause = { .tv_nsec = 1000000 };
	int tries = 10000;

	while (!is_there(step) && --tries)
		nanosleep(&pause, NULL);
	return tries;
}

static void use(unsigned step)
{
	emu_ahead_use(ahead, steps, memory + step * (size_t)STEP + 4096);
}

START_TEST(test_forwards)
{
	use(10);
	ck_assert_uint_eq(steps->state[11], EMU_AHEAD_NEW);
	use(11); /* two in a row: one is behind */
	ck_assert_uint_eq(steps->state[12], EMU_AHEAD_WANTED);
	ck_assert_uint_eq(steps->state[13], EMU_AHEAD_NEW);
	ck_assert_uint_eq(steps->state[9], EMU_AHEAD_NEW);
	use(12);
	ck_assert_uint_eq(steps->state[14], EMU_AHEAD_WANTED);
	ck_assert_uint_eq(steps->state[15], EMU_AHEAD_NEW);
	if (madvise(memory, 4096, 23 /* MADV_POPULATE_WRITE */) != 0)
		return; /* a host before Linux 5.14 */
	ck_assert(comes(12) && comes(13) && comes(14));
	ck_assert(!is_there(10) && !is_there(15));
}
END_TEST

START_TEST(test_backwards)
{
	use(5);
	use(4);
	ck_assert_uint_eq(steps->state[3], EMU_AHEAD_WANTED);
	ck_assert_uint_eq(steps->state[2], EMU_AHEAD_NEW);
	ck_assert_uint_eq(steps->state[6], EMU_AHEAD_NEW);
	use(3);
	use(2);
	use(1);
	use(0); /* there is nothing before it */
	ck_assert_uint_eq(steps->state[0], EMU_AHEAD_USED);
}
END_TEST

START_TEST(test_limits)
{
	/* A long run wants no more than eight, and none behind the end. */
	for (unsigned i = 0; i < 20; i++)
		use(i);
	ck_assert_uint_eq(steps->state[27], EMU_AHEAD_WANTED);
	ck_assert_uint_eq(steps->state[28], EMU_AHEAD_NEW);
	for (unsigned i = 20; i < STEPS; i++)
		use(i);
	ck_assert_uint_eq(steps->state[STEPS - 1], EMU_AHEAD_USED);
}
END_TEST

START_TEST(test_ends)
{
	/* Memory that ends within steps: what is outside of it is left alone. */
	struct emu_ahead_steps *odd = emu_ahead_steps_new(memory + STEP - 4096, 2 * (size_t)STEP);

	ck_assert_uint_eq(odd->n, 3);
	emu_ahead_use(ahead, odd, memory + STEP - 4096);
	emu_ahead_use(ahead, odd, memory + STEP);
	ck_assert_uint_eq(odd->state[2], EMU_AHEAD_WANTED);
	emu_ahead_free(ahead); /* whatever it did is done */
	ahead = NULL;
	unsigned char page;
	ck_assert_int_eq(mincore(memory + 3 * (size_t)STEP, 1, &page), 0);
	ck_assert(!(page & 1));
	free(odd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ahead");
	TCase *tc = tcase_create("ahead");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_forwards);
	tcase_add_test(tc, test_backwards);
	tcase_add_test(tc, test_limits);
	tcase_add_test(tc, test_ends);
	suite_add_tcase(suite, tc);
	return suite_run(suite, CK_FORK_GETENV);
}
