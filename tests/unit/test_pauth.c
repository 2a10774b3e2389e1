/* SPDX-License-Identifier: BSD-2-Clause */
/* Pointer authentication: the cipher's published vector, and where codes go. */
#include "emu/sys_priv.h"
#include "tests/unit/suite.h"

#include <stdlib.h>
#include <string.h>

/* ---- the model's features, and exceptions, as this test wants them ---- */

static bool features[EMU_FEATURE_COUNT];
static unsigned raised_ec;
static uint32_t raised_iss;

bool emu_has(const struct emu_cpu *cpu, enum emu_feature feature)
{
	return features[feature];
}

_Noreturn void emu_raise(struct emu_cpu *cpu, unsigned ec, uint32_t iss, unsigned flags)
{
	raised_ec = ec;
	raised_iss = iss;
	longjmp(cpu->unwind, 1);
}

static struct emu_cpu cpu;

/* 48-bit addresses in both ranges, the top byte ignored in the lower one. */
static void setup(void)
{
	memset(&cpu, 0, sizeof(cpu));
	memset(features, 0, sizeof(features));
	cpu.sys[EMU_SR_TCR_EL1] = 16 | 16 << 16 | 1ull << 37;
	cpu.sys[EMU_SR_SCTLR_EL1] = 1u << 31 | 1u << 30 | 1u << 27 | 1u << 13;
	for (unsigned i = 0; i < 5; i++) {
		cpu.sys[EMU_SR_APIAKEYLO_EL1 + 2 * i] = 0xEC2802D4E0A488E9 + i;
		cpu.sys[EMU_SR_APIAKEYHI_EL1 + 2 * i] = 0x84BE85CE9804E94B + i;
	}
}

START_TEST(test_qarma5_vector)
{
	/* Avanzi's paper, table of test vectors: 64 bits, r = 5, sigma 2. */
	ck_assert_uint_eq(emu_pauth_qarma5(0xFB623599DA6E8127, 0x477D469DEC0B8762, 0x84BE85CE9804E94B, 0xEC2802D4E0A488E9),
		0xC003B93999B33765);
}
END_TEST

static const uint64_t pointers[] = { 0x0000AAAABBBBCCC0, 0xFFFF800012345678, 0x0000000000000000, 0xFFFFFFFFFFFFFFFF,
	0x5A00123456789ABC };
#define N_POINTERS (sizeof(pointers) / sizeof(pointers[0]))

/* Bit 0 of `which`: QARMA5; bit 1: PAuth2. */
static void choose(int which)
{
	features[which & 1 ? EMU_FEAT_PACQARMA5 : EMU_FEAT_PACIMP] = true;
	features[EMU_FEAT_PAuth2] = which & 2;
}

START_TEST(test_round_trip)
{
	choose(_i);
	for (unsigned key = 0; key < 4; key++) {
		for (unsigned i = 0; i < N_POINTERS; i++) {
			uint64_t ptr = pointers[i], with = emu_pauth_add(&cpu, ptr, 42, key);

			ck_assert_uint_eq(emu_pauth_auth(&cpu, with, 42, key, false), ptr);
			ck_assert_uint_eq(emu_pauth_strip(&cpu, with, key >= 2), ptr);
			ck_assert_uint_eq(with & 0x0080FFFFFFFFFFFF, ptr & 0x0080FFFFFFFFFFFF);
			/* The lower range keeps its ignored top byte. */
			if (!(ptr >> 55 & 1))
				ck_assert_uint_eq(with >> 56, ptr >> 56);
		}
	}
	ck_assert_uint_ne(emu_pauth_add(&cpu, pointers[1], 42, 0), pointers[1]);
}
END_TEST

START_TEST(test_wrong_modifier_corrupts)
{
	choose(_i);
	uint64_t with = emu_pauth_add(&cpu, pointers[1], 42, 0);
	uint64_t out = emu_pauth_auth(&cpu, with, 43, 0, false);
	uint64_t top = out & 0xFF7F000000000000;

	ck_assert_uint_eq(out & 0x0080FFFFFFFFFFFF, pointers[1] & 0x0080FFFFFFFFFFFF);
	ck_assert_uint_ne(top, 0xFF7F000000000000); /* no canonical address */
	/* Without PAuth2 the error code says which key it was. */
	if (!(_i & 2)) {
		ck_assert_uint_eq(out >> 61 & 3, 1);
		ck_assert_uint_eq(emu_pauth_auth(&cpu, with, 43, 1, false) >> 61 & 3, 2);
	}
}
END_TEST

START_TEST(test_fpac)
{
	choose(3);
	features[EMU_FEAT_FPAC] = true;
	uint64_t with = emu_pauth_add(&cpu, pointers[1], 42, 3);

	/* Only FPACCOMBINE makes a combined instruction report it so. */
	emu_pauth_auth(&cpu, with, 43, 3, true);
	if (setjmp(cpu.unwind) == 0) {
		emu_pauth_auth(&cpu, with, 43, 3, false);
		ck_abort_msg("no exception");
	}
	ck_assert_uint_eq(raised_ec, 0x1C);
	ck_assert_uint_eq(raised_iss, 3);
}
END_TEST

START_TEST(test_bad_pointer_does_not_authenticate)
{
	/* Bits above the address that are no extension of it. */
	const uint64_t bad = 0xFFF0800012345678;

	choose(_i);
	uint64_t out = emu_pauth_auth(&cpu, emu_pauth_add(&cpu, bad, 42, 0), 42, 0, false);
	ck_assert_uint_ne(out & 0xFF7F000000000000, 0xFF7F000000000000);
	if (!(_i & 2)) {
		features[EMU_FEAT_EPAC] = true;
		ck_assert_uint_eq(emu_pauth_add(&cpu, bad, 42, 0), 0x0080800012345678);
	}
}
END_TEST

START_TEST(test_disabled)
{
	choose(1);
	cpu.sys[EMU_SR_SCTLR_EL1] = 1u << 31;
	ck_assert_uint_ne(emu_pauth_add(&cpu, pointers[1], 42, 0), pointers[1]);
	for (unsigned key = 1; key < 4; key++) {
		ck_assert_uint_eq(emu_pauth_add(&cpu, pointers[1], 42, key), pointers[1]);
		ck_assert_uint_eq(emu_pauth_auth(&cpu, 0x1234800012345678, 42, key, false), 0x1234800012345678);
	}
}
END_TEST

START_TEST(test_generic)
{
	choose(1);
	cpu.sys[EMU_SR_APGAKEYLO_EL1] = 0xEC2802D4E0A488E9;
	cpu.sys[EMU_SR_APGAKEYHI_EL1] = 0x84BE85CE9804E94B;
	ck_assert_uint_eq(emu_pauth_generic(&cpu, 0xFB623599DA6E8127, 0x477D469DEC0B8762), 0xC003B93900000000);
}
END_TEST

/* What qemu-system-aarch64 -cpu max,pauth-qarma5=on gives, with these keys, 7.2
 * without and 10.0 with FEAT_PAuth2. Not among them: pointers whose bits 55 and
 * 63 differ while the two ranges are set up differently, for which it does not
 * choose the range as AddPAC does. */
static const struct {
	unsigned op; /* 0 to 3: PACIA, PACIB, PACDA, PACDB; 10: PACGA */
	uint64_t tcr, ptr, modifier, basic, pauth2;
} vectors[] = {
	{ 2, 0x002000100010, 0x0000AAAABBBBCCC0, 0x0000000000000000,
		0x005EAAAABBBBCCC0, 0x005EAAAABBBBCCC0 },
	{ 3, 0x002000100010, 0x5A00123456789ABC, 0x0000000000000000,
		0x5A2E123456789ABC, 0x5A2E123456789ABC },
	{ 10, 0x000000100010, 0xFFFF800012345678, 0x0000000000000000,
		0x05EF654600000000, 0x05EF654600000000 },
	{ 0, 0x000000100010, 0xFFF0800012345678, 0x477D469DEC0B8762,
		0xE883800012345678, 0x57F3800012345678 },
	{ 1, 0x0018006000190019, 0x0000000000000000, 0x477D469DEC0B8762,
		0x9D60E00000000000, 0x9D60E00000000000 },
	{ 2, 0x0018006000190019, 0x123456789ABCDEF0, 0x477D469DEC0B8762,
		0x121D0F789ABCDEF0, 0x126959789ABCDEF0 },
	{ 3, 0x006000190010, 0xFFFFFFFFFFFFFFFF, 0x477D469DEC0B8762,
		0xFFC0E47FFFFFFFFF, 0xFFBF1BFFFFFFFFFF },
	{ 10, 0x004000100019, 0x0000AAAABBBBCCC0, 0x477D469DEC0B8762,
		0x11DCC17400000000, 0x11DCC17400000000 },
	{ 0, 0x004000100019, 0xFFF0800012345678, 0x0000000000000000,
		0xFFDB800012345678, 0xFFEB800012345678 },
	{ 1, 0x0000C00C400C, 0x0000000000000000, 0x0000000000000000,
		0xFC20000000000000, 0xFC20000000000000 },
	{ 2, 0x0000C00C400C, 0x123456789ABCDEF0, 0x0000000000000000,
		0x8A0456789ABCDEF0, 0xD83456789ABCDEF0 },
	{ 3, 0x0008002000140030, 0xFFFFFFFFFFFFFFFF, 0x0000000000000000,
		0x77BD0FFFFFFFFFFF, 0x88C2FFFFFFFFFFFF },
	{ 10, 0x0000003F0005, 0x0000AAAABBBBCCC0, 0x0000000000000000,
		0x427AC74900000000, 0x427AC74900000000 },
	{ 0, 0x0000003F0005, 0x5A00123456789ABC, 0x477D469DEC0B8762,
		0xC77F123456789ABC, 0xDD7F123456789ABC },
};

START_TEST(test_vectors)
{
	cpu.sys[EMU_SR_TCR_EL1] = vectors[_i].tcr;
	features[EMU_FEAT_TTST] = features[EMU_FEAT_LVA] = true;
	choose(1);
	for (unsigned pauth2 = 0; pauth2 < 2; pauth2++) {
		uint64_t ptr = vectors[_i].ptr, modifier = vectors[_i].modifier;
		uint64_t out;

		features[EMU_FEAT_PAuth2] = pauth2;
		out = vectors[_i].op == 10 ? emu_pauth_generic(&cpu, ptr, modifier) :
					     emu_pauth_add(&cpu, ptr, modifier, vectors[_i].op);
		ck_assert_uint_eq(out, pauth2 ? vectors[_i].pauth2 : vectors[_i].basic);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pauth");
	TCase *tc = tcase_create("pauth");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_qarma5_vector);
	tcase_add_loop_test(tc, test_vectors, 0, (int)(sizeof(vectors) / sizeof(vectors[0])));
	tcase_add_loop_test(tc, test_round_trip, 0, 4);
	tcase_add_loop_test(tc, test_wrong_modifier_corrupts, 0, 4);
	tcase_add_test(tc, test_fpac);
	tcase_add_loop_test(tc, test_bad_pointer_does_not_authenticate, 0, 4);
	tcase_add_test(tc, test_disabled);
	tcase_add_test(tc, test_generic);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return suite_run(s, CK_FORK_GETENV);
}
