/* SPDX-License-Identifier: BSD-2-Clause */
/* The generated decoder: the right line, the right fields, the holes. */
#include "emu/a64_decode.h"
#include "emu/sys_priv.h"
#include "tests/unit/suite.h"

#include <string.h>

static const char *name_of(uint32_t insn)
{
	union a64_args args;
	enum a64_op op;

	return a64_decode(insn, &op, &args) ? a64_encodings[op].name : "UNALLOCATED";
}

START_TEST(names)
{
	static const struct {
		uint32_t insn;
		const char *name;
	} cases[] = {
		{0x91000420, "ADD_imm"},     /* add x0, x1, #1 */
		{0xaa0103e0, "ORR_shift"},   /* mov x0, x1 */
		{0x8b2063ff, "ADD_ext"},     /* add sp, sp, x0 */
		{0xd65f03c0, "RET"},
		{0xd65f0bff, "RETA"},        /* retaa */
		{0xd503201f, "HINT"},        /* nop */
		{0xd503233f, "HINT"},        /* paciasp */
		{0xd5033fdf, "ISB"},
		{0xd50330ff, "SB"},
		{0xd503409f, "MSR_imm"},     /* msr spsel... */
		{0xd53b4200, "MRS"},         /* mrs x0, nzcv */
		{0xd50b7520, "SYS"},         /* ic ivau, x0 */
		{0xf9400000, "LDR_x_uimm"},
		{0xf8408400, "LDR_x_post"},
		{0xf8408c00, "LDR_x_pre"},
		{0xf8408000, "LDUR_x"},
		{0xf8408800, "LDTR_x"},
		{0xf8616800, "LDR_x_reg"},
		{0xf8200400, "LDRA"},        /* ldraa x0, [x0] */
		{0xa9bf7bfd, "STP_x_pre"},   /* stp x29, x30, [sp, #-16]! */
		{0xa8c17bfd, "LDP_x_post"},
		{0x3dc00000, "LDR_Q_uimm"},
		{0x4c402000, "LD1_mult_4"},
		{0x4cdf2000, "LD1_mult_4_post"},
		{0x0d40c800, "LD_rep"},      /* ld1r {v0.2s}, [x0] */
		{0xc85f7c00, "LDXR"},
		{0xc87f0400, "LDXP"},
		{0xc8dffc00, "LDAR"},
		{0xf8200000, "LDADD"},
		{0xf8208000, "SWP"},
		{0xf8bfc000, "LDAPR"},
		{0xc8a07c00, "CAS"},
		{0x48207c00, "CASP"},
		{0xdac10000, "PAC"},
		{0xd4000001, "SVC"},
		/* Reserved encodings. */
		{0x00000000, "UNALLOCATED"}, /* udf #0 */
		{0x12400000, "UNALLOCATED"}, /* and w, N = 1 */
		{0x52c00000, "UNALLOCATED"}, /* movz w, lsl #32 */
		{0x13400000, "UNALLOCATED"}, /* sbfm w, N = 1 */
		{0x0b008000, "UNALLOCATED"}, /* add w, lsl #32 */
		{0x8bc00000, "UNALLOCATED"}, /* add x, ror */
		{0x8b201400, "UNALLOCATED"}, /* add x, uxtb #5 */
		{0x0c400c00, "UNALLOCATED"}, /* ld4 .1d */
		{0xf8c00800, "UNALLOCATED"}, /* size 11, opc 11, unprivileged */
		{0xd6bf03e0, "UNALLOCATED"}, /* drps */
		{0x68000000, "UNALLOCATED"}, /* stgp needs FEAT_MTE */
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(!strcmp(name_of(cases[i].insn), cases[i].name), "%08x: expected %s, got %s", cases[i].insn,
			cases[i].name, name_of(cases[i].insn));
}
END_TEST

START_TEST(fields)
{
	union a64_args args;
	enum a64_op op;

	/* add x3, x5, #0xabc, lsl #12 */
	ck_assert(a64_decode(0x916af0a3, &op, &args));
	const struct a64_args_ADD_imm *add = (const void *)&args;
	ck_assert_uint_eq(add->sf, 1);
	ck_assert_uint_eq(add->sh, 1);
	ck_assert_uint_eq(add->imm12, 0xabc);
	ck_assert_uint_eq(add->Rn, 5);
	ck_assert_uint_eq(add->Rd, 3);

	/* a signed field: b .-4; and one in two places: tbz x1, #33, .-32768 */
	ck_assert(a64_decode(0x17ffffff, &op, &args));
	ck_assert_int_eq(((const struct a64_args_B *)&args)->imm26, -1);
	ck_assert(a64_decode(0xb60c0001, &op, &args));
	const struct a64_args_TBZ *tbz = (const void *)&args;
	ck_assert_uint_eq(tbz->bit, 33);
	ck_assert_int_eq(tbz->imm14, -8192);
	ck_assert_uint_eq(tbz->Rt, 1);

	/* ldraa x1, [x2, #-8]: S and imm9 */
	ck_assert(a64_decode(0xf87ff441, &op, &args));
	ck_assert_int_eq(((const struct a64_args_LDRA *)&args)->imm10, -1);

	/* lines of one shape share their type */
	const struct a64_args_SUBS_imm *same = add;
	ck_assert_ptr_eq(same, add);
}
END_TEST

/* The decision tree agrees with a search over the table: every encoding with
 * its free bits all 0, all 1 and mixed is found as itself or falls in a hole,
 * and no instruction is found that does not match. */
START_TEST(tree)
{
	uint64_t seed = 88172645463325252u;

	for (unsigned i = 0; i < A64_OP_COUNT; i++) {
		const struct a64_encoding *e = &a64_encodings[i];
		unsigned found = 0;
		for (unsigned n = 0; n < 200; n++) {
			union a64_args args;
			enum a64_op op;
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			uint32_t insn = e->value | (~e->mask & (n == 0 ? 0 : n == 1 ? ~0u : (uint32_t)(seed >> 16)));
			if (!a64_decode(insn, &op, &args))
				continue;
			ck_assert_msg(op == i, "%08x is %s, found as %s", insn, e->name, a64_encodings[op].name);
			found++;
		}
		ck_assert_msg(found, "%s is never found", e->name);
	}
	for (unsigned n = 0; n < 1000000; n++) {
		union a64_args args;
		enum a64_op op;
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		uint32_t insn = (uint32_t)(seed >> 16);
		if (a64_decode(insn, &op, &args))
			ck_assert_uint_eq(insn & a64_encodings[op].mask, a64_encodings[op].value);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decode");
	TCase *tc = tcase_create("decode");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, names);
	tcase_add_test(tc, fields);
	tcase_add_test(tc, tree);
	suite_add_tcase(suite, tc);
	return suite_run(suite, CK_FORK_GETENV);
}
