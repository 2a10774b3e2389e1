/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating-point instructions, a case or two of each kind: which lanes, halves,
 * elements and registers they use, and what they leave alone. The arithmetic
 * itself is test_fp's business, and tests/risu tries every encoding at random
 * where there is another implementation to compare with.
 */
#include "emu/fp_priv.h"
#include "tests/risu/risu_host.h"
#include "tests/unit/suite.h"

#include <inttypes.h>
#include <string.h>

union vec {
	uint64_t d[2];
	double f64[2];
	float f32[4];
	uint32_t s[4];
	uint16_t h[8];
};

#define N (1u << 31)
#define Z (1u << 30)
#define C (1u << 29)
#define V (1u << 28)

/* Half precision and BFloat16. */
#define H_1 0x3c00
#define H_2 0x4000
#define H_3 0x4200
#define H_4 0x4400
#define H_8 0x4800
#define B_1 0x3f80
#define B_2 0x4000
#define B_3 0x4040
#define B_4 0x4080

/* V0 and X0 are destinations (V0 with a value of its own before), the others sources. */
static const struct {
	const char *text;
	uint32_t insn;
	union vec v1, v2, v0;
	uint64_t x1;
	uint32_t nzcv;
	union vec want_v0;
	uint64_t want_x0;
	uint32_t want_nzcv, want_fpsr;
} cases[] = {
	/* Pairs and across lanes. */
	{ "faddp v0.4s, v1.4s, v2.4s", 0x6e22d420, .v1.f32 = { 1, 2, 3, 4 }, .v2.f32 = { 5, 6, 7, 8 },
	  .want_v0.f32 = { 3, 7, 11, 15 } },
	{ "faddp d0, v1.2d", 0x7e70d820, .v1.f64 = { 1, 2 }, .v0.d = { 1, 1 }, .want_v0.f64 = { 3, 0 } },
	{ "fmaxnmv s0, v1.4s", 0x6e30c820, .v1.s = { 0x40000000, 0x7fc00000, 0xc0400000, 0x7fc00000 },
	  .want_v0.f32 = { 2 } },
	{ "fminv h0, v1.8h", 0x4eb0f820, .v1.h = { H_4, H_3, H_8, H_4, H_4, H_8, H_2, H_3 }, .want_v0.h = { H_2 } },
	/* Narrowing and widening: which half. */
	{ "fcvtn2 v0.8h, v1.4s", 0x4e216820, .v1.f32 = { 1, 2, 3, 4 }, .v0.d = { 0x1234, 0x5678 },
	  .want_v0.h = { 0x1234, 0, 0, 0, H_1, H_2, H_3, H_4 } },
	{ "fcvtl2 v0.2d, v1.4s", 0x4e617820, .v1.f32 = { 1, 2, 3, 4 }, .want_v0.f64 = { 3, 4 } },
	{ "fcvtxn v0.2s, v1.2d", 0x2e616820, .v1.d = { 0x3ff0000000000001, 0xbff0000000000000 }, .v0.d = { 0, 1 },
	  .want_v0.s = { 0x3f800001, 0xbf800000 }, .want_fpsr = FPSR_IXC },
	{ "bfcvtn2 v0.8h, v1.4s", 0x4ea16820, .v1.f32 = { 1, 2, 3, 4 }, .v0.d = { 0x1234, 0x5678 },
	  .want_v0.h = { 0x1234, 0, 0, 0, B_1, B_2, B_3, B_4 } },
	/* Complex: (1 + 2i) times (3 + 5i), by halves. */
	{ "fcmla v0.2d, v1.2d, v2.2d, #90", 0x6ec2cc20, .v1.f64 = { 1, 2 }, .v2.f64 = { 3, 5 }, .v0.f64 = { 100, 200 },
	  .want_v0.f64 = { 90, 206 } },
	{ "fcmla v0.4s, v1.4s, v2.s[1], #180", 0x6f825820, .v1.f32 = { 1, 2, 3, 4 }, .v2.f32 = { 9, 9, 3, 5 },
	  .v0.f32 = { 100, 200, 300, 400 }, .want_v0.f32 = { 97, 195, 291, 385 } },
	{ "fcadd v0.4s, v1.4s, v2.4s, #270", 0x6e82f420, .v1.f32 = { 1, 2, 3, 4 }, .v2.f32 = { 10, 20, 30, 40 },
	  .want_v0.f32 = { 21, -8, 43, -26 } },
	/* BFloat16. */
	{ "bfdot v0.2s, v1.4h, v2.4h", 0x2e42fc20, .v1.h = { B_1, B_2, B_3, B_4 }, .v2.h = { B_4, B_3, B_2, B_1 },
	  .v0.f32 = { 100, 200, 1, 1 }, .want_v0.f32 = { 110, 210 } },
	{ "bfmmla v0.4s, v1.8h, v2.8h", 0x6e42ec20, .v1.h = { B_1, B_2, B_3, B_4, B_4, B_3, B_2, B_1 },
	  .v2.h = { B_1, B_1, B_1, B_1, B_1, B_2, B_1, B_2 }, .v0.f32 = { 0, 100, 200, 300 },
	  .want_v0.f32 = { 10, 116, 210, 314 } },
	{ "bfmlalt v0.4s, v1.8h, v2.8h", 0x6ec2fc20, .v1.h = { 0, B_1, 0, B_2, 0, B_3, 0, B_4 },
	  .v2.h = { B_4, B_1, B_4, B_2, B_4, B_3, B_4, B_4 }, .v0.f32 = { 1, 1, 1, 1 }, .want_v0.f32 = { 2, 5, 10, 17 } },
	/* Half-precision multiply-long. */
	{ "fmlal2 v0.2s, v1.2h, v2.2h", 0x2e22cc20, .v1.h = { H_1, H_1, H_2, H_3 }, .v2.h = { H_8, H_8, H_4, H_4 },
	  .v0.f32 = { 1, 1, 7, 7 }, .want_v0.f32 = { 9, 13 } },
	{ "fmlsl v0.2s, v1.2h, v2.h[7]", 0x0fb24820, .v1.h = { H_1, H_2, H_3, H_4 }, .v2.h = { [7] = H_8 },
	  .want_v0.f32 = { -8, -16 } },
	/* Moves. */
	{ "fmov v0.d[1], x1", 0x9eaf0020, .v0.d = { 1, 2 }, .x1 = 3, .want_v0.d = { 1, 3 } },
	{ "fmov x0, v1.d[1]", 0x9eae0020, .v1.d = { 1, 2 }, .want_x0 = 2 },
	{ "fmov v0.4s, #-1.5", 0x4f07f700, .want_v0.f32 = { -1.5, -1.5, -1.5, -1.5 } },
	{ "fmov d0, #31.0", 0x1e67f000, .v0.d = { 0, 1 }, .want_v0.f64 = { 31 } },
	/* Flags. */
	{ "fccmp s1, s2, #5, eq", 0x1e220425, .v1.f32 = { 1 }, .v2.f32 = { 2 }, .nzcv = N, .want_nzcv = Z | V },
	{ "fccmp s1, s2, #5, eq", 0x1e220425, .v1.f32 = { 1 }, .v2.f32 = { 2 }, .nzcv = Z, .want_nzcv = N },
	{ "fccmpe s1, s2, #5, ne", 0x1e221435, .v1.s = { 0x7fc00000 }, .nzcv = C, .want_nzcv = C | V,
	  .want_fpsr = FPSR_IOC },
	{ "fccmpe s1, s2, #5, ne", 0x1e221435, .v1.s = { 0x7fc00000 }, .nzcv = Z, .want_nzcv = Z | V },
	{ "fcsel d0, d1, d2, ne", 0x1e621c20, .v1.f64 = { 1, 1 }, .v2.f64 = { 2, 2 }, .v0.d = { 0, 1 }, .nzcv = Z,
	  .want_v0.f64 = { 2, 0 }, .want_nzcv = Z },
	{ "fjcvtzs w0, d1", 0x1e7e0020, .v1.f64 = { 4294967298.0 }, .nzcv = C, .want_x0 = 2, .want_fpsr = FPSR_IOC },
	{ "fjcvtzs w0, d1", 0x1e7e0020, .v1.f64 = { -3 }, .nzcv = N, .want_x0 = 0xfffffffd, .want_nzcv = Z },
	/* Masks. */
	{ "fcmgt v0.2s, v1.2s, #0.0", 0x0ea0c820, .v1.f32 = { 1, -1, 1, 1 }, .want_v0.s = { 0xffffffff } },
	{ "facgt v0.2d, v1.2d, v2.2d", 0x6ee2ec20, .v1.f64 = { -3, 1 }, .v2.f64 = { 2, -2 },
	  .want_v0.d = { UINT64_MAX, 0 } },
	/* Conversions. */
	{ "scvtf s0, w1, #31", 0x1e028420, .x1 = 0xffffffffc0000000, .want_v0.f32 = { -0.5 } },
	{ "fcvtzu w0, d1, #4", 0x1e59f020, .v1.f64 = { 2.96875 }, .want_x0 = 47, .want_fpsr = FPSR_IXC },
	{ "scvtf v0.4h, v1.4h, #3", 0x0f1de420, .v1.h = { 8, 16, 0xfff8, 32, 8 },
	  .want_v0.h = { H_1, H_2, H_1 | 0x8000, H_4 } },
	{ "fcvtas x0, s1", 0x9e240020, .v1.f32 = { -2.5 }, .want_x0 = (uint64_t)-3, .want_fpsr = FPSR_IXC },
	{ "ucvtf h0, x1", 0x9ee30020, .x1 = 8, .v0.d = { 1, 1 }, .want_v0.h = { H_8 } },
	{ "frint32x s0, s1", 0x1e28c020, .v1.f32 = { 3e9f }, .want_v0.s = { 0xcf000000 }, .want_fpsr = FPSR_IOC },
	{ "frintx v0.4s, v1.4s", 0x6e219820, .v1.f32 = { 1.5, 2.5, -0.25, 7 }, .want_v0.s = { 0x40000000, 0x40000000,
	  0x80000000, 0x40e00000 }, .want_fpsr = FPSR_IXC },
	/* Multiply-add, by element. */
	{ "fmla v0.2d, v1.2d, v2.d[1]", 0x4fc21820, .v1.f64 = { 1, 2 }, .v2.f64 = { 100, 3 }, .v0.f64 = { 10, 20 },
	  .want_v0.f64 = { 13, 26 } },
	{ "fmulx s0, s1, v2.s[3]", 0x7fa29820, .v1.f32 = { -__builtin_inff(), 1 }, .v2.f32 = { 1, 1, 1, 0 },
	  .v0.d = { 1, 1 }, .want_v0.f32 = { -2 } },
	{ "fmls v0.4h, v1.4h, v2.h[5]", 0x0f125820, .v1.h = { H_1, H_2, H_3, H_4, 9 }, .v2.h = { [5] = H_1 },
	  .v0.h = { H_8, H_4, H_4, H_8, 1 }, .want_v0.h = { 0x4700, H_2, H_1, H_4 } },
	{ "fnmadd d0, d1, d2, d3", 0x1f620c20, .v1.f64 = { 2 }, .v2.f64 = { 3 }, .want_v0.f64 = { -6 } },
	{ "fabd h0, h1, h2", 0x7ec21420, .v1.h = { H_1, 1 }, .v2.h = { H_3, 1 }, .v0.d = { 1, 1 }, .want_v0.h = { H_2 } },
};

/* Reserved encodings beside allocated ones. */
static const struct {
	const char *text;
	uint32_t insn;
} undefined[] = {
	{ "fadd v0.1d", 0x0e62d420 },
	{ "fabs v0.1d", 0x0ee0f820 },
	{ "fmla v0.1d, by element", 0x0fc21820 },
	{ "fmul v0.2d, by element with L", 0x4fe29820 },
	{ "fmaxv s0, v1.2s", 0x2e30f820 },
	{ "fmaxv d0, v1.2d", 0x6e70f820 },
	{ "scvtf s0, w1, #33", 0x1e027c20 },
	{ "scvtf v0.1d, by fixed point", 0x0f40e420 },
	{ "scvtf v0.8b, by fixed point", 0x0f08e420 },
	{ "fmov v0.1d, immediate", 0x2f03f600 },
	{ "fcmla v0.1d", 0x2ec2c420 },
	{ "fcmla v0.8b", 0x2e02c420 },
	{ "fcmla v0.4h, by element 2", 0x2f421820 },
	{ "fmlal with sz", 0x0e62ec20 },
	{ "bfmmla v0.2s", 0x2e42ec20 },
	{ "fadd of ftype 2", 0x1ea22820 },
	{ "fmov w0, d1", 0x1e660020 },
	{ "fcvtxn v0.4h", 0x2e216820 },
};

START_TEST(executes)
{
	struct risu_machine *m = risu_machine_new();
	struct risu_case in = { .n_insns = 1, .insns = { cases[_i].insn } };
	struct risu_result out;
	uint64_t fault;

	memcpy(in.state.v[0], cases[_i].v0.d, 16);
	memcpy(in.state.v[1], cases[_i].v1.d, 16);
	memcpy(in.state.v[2], cases[_i].v2.d, 16);
	in.state.x[1] = cases[_i].x1;
	in.state.nzcv = cases[_i].nzcv;
	risu_machine_run(m, &in, &out, &fault);
	risu_machine_free(m);

	/* What a case does not name stays as it was; an instruction with a general register or flags as
	 * its destination leaves V0. */
	const struct risu_state *s = &out.state;
	ck_assert_msg(out.outcome == RISU_END, "%s: outcome %u", cases[_i].text, out.outcome);
	ck_assert_msg(!memcmp(s->v[0], cases[_i].want_v0.d, 16), "%s: v0 %016" PRIx64 " %016" PRIx64
		      ", want %016" PRIx64 " %016" PRIx64, cases[_i].text, s->v[0][1], s->v[0][0],
		      cases[_i].want_v0.d[1], cases[_i].want_v0.d[0]);
	ck_assert_msg(s->x[0] == cases[_i].want_x0, "%s: x0 %016" PRIx64, cases[_i].text, s->x[0]);
	ck_assert_msg(s->nzcv == cases[_i].want_nzcv, "%s: nzcv %08" PRIx32, cases[_i].text, s->nzcv);
	ck_assert_msg(s->fpsr == cases[_i].want_fpsr, "%s: fpsr %08" PRIx32, cases[_i].text, s->fpsr);
}
END_TEST

START_TEST(is_undefined)
{
	struct risu_machine *m = risu_machine_new();
	struct risu_case in = { .n_insns = 1, .insns = { undefined[_i].insn } };
	struct risu_result out;
	uint64_t fault;

	risu_machine_run(m, &in, &out, &fault);
	risu_machine_free(m);
	ck_assert_msg(out.outcome == RISU_UNDEFINED, "%s (%08" PRIx32 "): outcome %u", undefined[_i].text,
		      undefined[_i].insn, out.outcome);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
	Suite *suite = suite_create("fp_insns");
	TCase *tcase = tcase_create("instructions");
	tcase_add_loop_test(tcase, executes, 0, COUNT(cases));
	tcase_add_loop_test(tcase, is_undefined, 0, COUNT(undefined));
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return suite_run(suite, CK_FORK_GETENV);
}
