/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtual clock: pause, order of timers, cancelling, timers that arm themselves. */
#include "emu/clock.h"
#include "tests/unit/suite.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

static struct emu_clock *emu_clk;
static _Atomic unsigned order[16], n_fired;

struct ctx {
	unsigned id;
	struct emu_timer *timer;
	unsigned again;
};

static void fire(void *opaque)
{
	struct ctx *ctx = opaque;
	order[n_fired++ & 15] = ctx->id;
	if (ctx->again) {
		ctx->again--;
		emu_timer_arm(ctx->timer, emu_clock_now(emu_clk) + MS);
	}
}

static void wait_fired(unsigned n)
{
	for (unsigned i = 0; i < 5000 && n_fired < n; i++)
		usleep(1000);
	ck_assert_uint_eq(n_fired, n);
}

static void setup(void)
{
	emu_clk = emu_clock_new(NULL);
	n_fired = 0;
}

static void teardown(void)
{
	emu_clock_free(emu_clk);
}

START_TEST(test_time)
{
	ck_assert_uint_eq(emu_clock_now(emu_clk), 0);
	usleep(5000);
	ck_assert_uint_eq(emu_clock_now(emu_clk), 0);
	emu_clock_resume(emu_clk);
	emu_clock_resume(emu_clk);
	usleep(5000);
	emu_clock_pause(emu_clk);
	uint64_t t = emu_clock_now(emu_clk);
	ck_assert_uint_ge(t, 5 * MS);
	emu_clock_pause(emu_clk);
	usleep(5000);
	ck_assert_uint_eq(emu_clock_now(emu_clk), t);
	emu_clock_resume(emu_clk);
	uint64_t a = emu_clock_now(emu_clk), b = emu_clock_now(emu_clk);
	ck_assert_uint_ge(a, t);
	ck_assert_uint_ge(b, a);
}
END_TEST

START_TEST(test_order)
{
	struct ctx ctx[8];
	static const unsigned at[8] = { 5, 3, 7, 1, 6, 2, 8, 4 };
	for (unsigned i = 0; i < 8; i++) {
		ctx[i] = (struct ctx){ .id = at[i] };
		ctx[i].timer = emu_timer_new(emu_clk, fire, &ctx[i], NULL);
		emu_timer_arm(ctx[i].timer, at[i] * MS);
	}
	emu_timer_cancel(ctx[4].timer); /* 6 */
	emu_timer_arm(ctx[2].timer, 9 * MS); /* 7 becomes the last */
	usleep(20000);
	ck_assert_uint_eq(n_fired, 0); /* time stands still */
	emu_clock_resume(emu_clk);
	wait_fired(7);
	static const unsigned expected[7] = { 1, 2, 3, 4, 5, 8, 7 };
	for (unsigned i = 0; i < 7; i++)
		ck_assert_uint_eq(order[i], expected[i]);
	for (unsigned i = 0; i < 8; i++)
		emu_timer_free(ctx[i].timer);
}
END_TEST

START_TEST(test_rearm)
{
	struct ctx ctx = { .id = 1, .again = 9 };
	ctx.timer = emu_timer_new(emu_clk, fire, &ctx, NULL);
	emu_clock_resume(emu_clk);
	emu_timer_arm(ctx.timer, 0);
	wait_fired(10);
	emu_timer_arm(ctx.timer, UINT64_MAX);
	emu_timer_free(ctx.timer);
}
END_TEST

/* Armed from another thread while the clock's sleeps: for later, for never, or for when a tick would be due again. */
START_TEST(test_sooner)
{
	struct ctx far = { .id = 1 }, tick = { .id = 2 };
	far.timer = emu_timer_new(emu_clk, fire, &far, NULL);
	tick.timer = emu_timer_new(emu_clk, fire, &tick, NULL);
	emu_clock_resume(emu_clk);
	usleep(2000); /* nothing is armed */
	emu_timer_arm(far.timer, 3600000 * MS);
	usleep(2000);
	uint64_t begin = emu_clock_now(emu_clk) + 10 * MS;
	for (unsigned i = 0; i < 4; i++) { /* of 10 ms; from the third on, the thread waits for it before it is armed */
		emu_timer_arm(tick.timer, begin + i * 10 * MS);
		wait_fired(i + 1);
		ck_assert_uint_ge(emu_clock_now(emu_clk), begin + i * 10 * MS);
	}
	emu_timer_arm(tick.timer, begin + 31 * MS); /* sooner than a tick */
	wait_fired(5);
	usleep(40000); /* no tick comes */
	emu_timer_arm(tick.timer, emu_clock_now(emu_clk) + 50 * MS);
	emu_timer_arm(tick.timer, 0);
	wait_fired(6);
	emu_timer_arm(far.timer, 0);
	wait_fired(7);
	ck_assert_uint_eq(order[6], 1);
	emu_timer_free(far.timer);
	emu_timer_free(tick.timer);
}
END_TEST

static void slow(void *opaque)
{
	n_fired = 1;
	usleep(20000);
	n_fired = 2;
}

START_TEST(test_free_waits)
{
	struct emu_timer *timer = emu_timer_new(emu_clk, slow, NULL, NULL);
	emu_clock_resume(emu_clk);
	emu_timer_arm(timer, 0);
	while (n_fired == 0)
		usleep(100);
	emu_timer_free(timer);
	ck_assert_uint_eq(n_fired, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clock");
	TCase *tc = tcase_create("clock");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_time);
	tcase_add_test(tc, test_order);
	tcase_add_test(tc, test_rearm);
	tcase_add_test(tc, test_sooner);
	tcase_add_test(tc, test_free_waits);
	suite_add_tcase(suite, tc);
	return suite_run(suite, CK_FORK_GETENV);
}
