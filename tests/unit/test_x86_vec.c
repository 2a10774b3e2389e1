/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT's assembler of vector instructions: every opcode, with registers and
 * addresses of all kinds, must be what Zydis decodes.
 */
#include "emu/x86_vec_priv.h"
#include "tests/unit/suite.h"

#include <Zydis/Zydis.h>
#include <stdlib.h>

/* What stands where: a vector or general register in `reg`, `src` (if there is one), `rm`; an immediate. */
enum form { RVM, RVMI, RM, RMI, RVMR, R_GPR, RI_GPR, RV_GPR, RVI_GPR, GPR_R, GPR_RM, LEGACY, LEGACY_I };

static const struct {
	uint32_t op;
	ZydisMnemonic mnemonic;
	enum form form;
} rows[] = {
#define OP(op, mnemonic, form) { X86_##op, ZYDIS_MNEMONIC_##mnemonic, form }
#define SAME(op, form) OP(op, op, form)
	SAME(VMOVUPS, RM), OP(VMOVUPS_STORE, VMOVUPS, RM), SAME(VMOVAPS, RM), SAME(VMOVQ, RM), SAME(VMOVDDUP, RM),
	OP(VMOVD_IN, VMOVD, R_GPR), OP(VMOVD_IN | X86_W, VMOVQ, R_GPR), OP(VMOVD_OUT, VMOVD, R_GPR),
	OP(VMOVD_OUT | X86_W, VMOVQ, R_GPR), SAME(VMOVMSKPS, GPR_R), SAME(VMOVMSKPD, GPR_R), SAME(VPMOVMSKB, GPR_R),
	SAME(VPBROADCASTB, RM), SAME(VPBROADCASTW, RM), SAME(VPBROADCASTD, RM), SAME(VPBROADCASTQ, RM),
	SAME(VPINSRB, RVI_GPR), SAME(VPINSRW, RVI_GPR), SAME(VPINSRD, RVI_GPR), OP(VPINSRD | X86_W, VPINSRQ, RVI_GPR),
	SAME(VINSERTPS, RVMI), OP(VMOVQ_STORE, VMOVQ, RM), SAME(VPEXTRB, RI_GPR), SAME(VPEXTRW, RI_GPR),
	SAME(VPEXTRD, RI_GPR), OP(VPEXTRD | X86_W, VPEXTRQ, RI_GPR),
	SAME(VPAND, RVM), SAME(VPANDN, RVM), SAME(VPOR, RVM), SAME(VPXOR, RVM), SAME(VPTEST, RM),
	SAME(VPBLENDVB, RVMR), SAME(VPBLENDD, RVMI), SAME(VPBLENDW, RVMI),
	SAME(VPADDB, RVM), SAME(VPADDW, RVM), SAME(VPADDD, RVM), SAME(VPADDQ, RVM), SAME(VPSUBB, RVM), SAME(VPSUBW, RVM),
	SAME(VPSUBD, RVM), SAME(VPSUBQ, RVM), SAME(VPADDSB, RVM), SAME(VPADDSW, RVM), SAME(VPADDUSB, RVM),
	SAME(VPADDUSW, RVM), SAME(VPSUBSB, RVM), SAME(VPSUBSW, RVM), SAME(VPSUBUSB, RVM), SAME(VPSUBUSW, RVM),
	SAME(VPAVGB, RVM), SAME(VPAVGW, RVM), SAME(VPABSB, RM), SAME(VPABSW, RM), SAME(VPABSD, RM), SAME(VPSADBW, RVM),
	SAME(VPMULLW, RVM), SAME(VPMULHW, RVM), SAME(VPMULHUW, RVM), SAME(VPMULHRSW, RVM), SAME(VPMULLD, RVM),
	SAME(VPMULUDQ, RVM), SAME(VPMULDQ, RVM), SAME(VPMADDWD, RVM), SAME(VPMADDUBSW, RVM),
	SAME(VPMINSB, RVM), SAME(VPMINSW, RVM), SAME(VPMINSD, RVM), SAME(VPMINUB, RVM), SAME(VPMINUW, RVM),
	SAME(VPMINUD, RVM), SAME(VPMAXSB, RVM), SAME(VPMAXSW, RVM), SAME(VPMAXSD, RVM), SAME(VPMAXUB, RVM),
	SAME(VPMAXUW, RVM), SAME(VPMAXUD, RVM), SAME(VPCMPEQB, RVM), SAME(VPCMPEQW, RVM), SAME(VPCMPEQD, RVM),
	SAME(VPCMPEQQ, RVM), SAME(VPCMPGTB, RVM), SAME(VPCMPGTW, RVM), SAME(VPCMPGTD, RVM), SAME(VPCMPGTQ, RVM),
	SAME(VPSLLVD, RVM), SAME(VPSRLVD, RVM), SAME(VPSRAVD, RVM), OP(VPSLLVD | X86_W, VPSLLVQ, RVM),
	OP(VPSRLVD | X86_W, VPSRLVQ, RVM), SAME(VPSHUFB, RVM), SAME(VPSHUFD, RMI), SAME(VPSHUFLW, RMI), SAME(VPSHUFHW, RMI),
	SAME(VSHUFPS, RVMI), SAME(VPALIGNR, RVMI), SAME(VPUNPCKLBW, RVM), SAME(VPUNPCKLWD, RVM), SAME(VPUNPCKLDQ, RVM),
	SAME(VPUNPCKLQDQ, RVM), SAME(VPUNPCKHBW, RVM), SAME(VPUNPCKHWD, RVM), SAME(VPUNPCKHDQ, RVM),
	SAME(VPUNPCKHQDQ, RVM), SAME(VPACKSSWB, RVM), SAME(VPACKSSDW, RVM), SAME(VPACKUSWB, RVM), SAME(VPACKUSDW, RVM),
	SAME(VPMOVSXBW, RM), SAME(VPMOVSXBD, RM), SAME(VPMOVZXBD, RM), SAME(VPMOVSXWD, RM), SAME(VPMOVSXDQ, RM), SAME(VPMOVZXBW, RM), SAME(VPMOVZXWD, RM),
	SAME(VPMOVZXDQ, RM),
	OP(FP_ADD, VADDPS, RVM), OP(FP_ADD | X86_66, VADDPD, RVM), OP(FP_ADD | X86_F3, VADDSS, RVM),
	OP(FP_ADD | X86_F2, VADDSD, RVM), OP(FP_MUL, VMULPS, RVM), OP(FP_SUB, VSUBPS, RVM), OP(FP_MIN, VMINPS, RVM),
	OP(FP_DIV, VDIVPS, RVM), OP(FP_MAX, VMAXPS, RVM), OP(FP_SQRT, VSQRTPS, RM), OP(FP_SQRT | X86_F2, VSQRTSD, RVM),
	OP(FP_CMP, VCMPPS, RVMI), OP(FP_CMP | X86_66, VCMPPD, RVMI), SAME(VCVTSS2SD, RVM), SAME(VCVTSD2SS, RVM),
	SAME(VCVTPS2PD, RM), SAME(VCVTPD2PS, RM), SAME(VCVTDQ2PS, RM), SAME(VCVTTPS2DQ, RM),
	SAME(VCVTSI2SS, RV_GPR), OP(VCVTSI2SS | X86_W, VCVTSI2SS, RV_GPR), SAME(VCVTSI2SD, RV_GPR),
	SAME(VCVTTSS2SI, GPR_RM), OP(VCVTTSD2SI | X86_W, VCVTTSD2SI, GPR_RM), SAME(VUCOMISS, RM),
	OP(VUCOMISS | X86_66, VUCOMISD, RM), SAME(VCOMISS, RM), OP(VCOMISS | X86_66, VCOMISD, RM), SAME(VROUNDPS, RMI),
	OP(VROUNDPS + 1, VROUNDPD, RMI), OP(VROUNDPS + 2, VROUNDSS, RVMI), OP(VROUNDPS + 3, VROUNDSD, RVMI),
	SAME(VCVTPH2PS, RM), SAME(VCVTPS2PH, RMI), OP(VFMADD231, VFMADD231PS, RVM), OP(VFMADD231 | X86_W, VFMADD231PD, RVM),
	OP(VFMADD213 + 1, VFMADD213SS, RVM), OP(VFMADD213 + (1 | X86_W), VFMADD213SD, RVM),
	OP(VFMADD231 + 1, VFMADD231SS, RVM), OP(VFMADD231 + (1 | X86_W), VFMADD231SD, RVM),
	OP(VFMSUB231, VFMSUB231PS, RVM), OP(VFNMADD231, VFNMADD231PS, RVM), OP(VFNMSUB231, VFNMSUB231PS, RVM),
	SAME(VAESENC, RVM), SAME(VAESENCLAST, RVM), SAME(VAESDEC, RVM), SAME(VAESDECLAST, RVM), SAME(VAESIMC, RM), SAME(VPCLMULQDQ, RVMI),
	SAME(SHA1RNDS4, LEGACY_I), SAME(SHA256RNDS2, LEGACY), SAME(SHA256MSG1, LEGACY), SAME(SHA256MSG2, LEGACY),
};

static uint8_t bytes[64];

static struct x86_buf empty(void)
{
	return (struct x86_buf){ .start = bytes, .p = bytes };
}

static ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

static ZydisDecodedInstruction decode(const struct x86_buf *b)
{
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ck_assert(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, (size_t)(b->p - bytes), &insn, operands)));
	ck_assert_uint_eq(insn.length, (unsigned)(b->p - bytes));
	return insn;
}

static void check_register(const ZydisDecodedOperand *operand, unsigned n, bool general)
{
	ck_assert_int_eq(operand->type, ZYDIS_OPERAND_TYPE_REGISTER);
	ck_assert_int_eq(ZydisRegisterGetId(operand->reg.value), (int)n);
	ZydisRegisterClass class = ZydisRegisterGetClass(operand->reg.value);
	ck_assert(general ? class == ZYDIS_REGCLASS_GPR32 || class == ZYDIS_REGCLASS_GPR64 : class == ZYDIS_REGCLASS_XMM);
}

static void check_rm(const ZydisDecodedOperand *operand, struct x86_rm rm, bool general)
{
	if (!rm.mem) {
		check_register(operand, rm.base, general);
		return;
	}
	ck_assert_int_eq(operand->type, ZYDIS_OPERAND_TYPE_MEMORY);
	ck_assert_int_eq(operand->mem.disp.value, rm.disp);
	ck_assert_int_eq(ZydisRegisterGetId(operand->mem.base), rm.base);
	if (rm.index == X86_NO_REG) {
		ck_assert_int_eq(operand->mem.index, ZYDIS_REGISTER_NONE);
	} else {
		ck_assert_int_eq(ZydisRegisterGetId(operand->mem.index), rm.index);
		ck_assert_int_eq(operand->mem.scale, 1 << rm.scale);
	}
}

static void try_one(unsigned row, unsigned reg, unsigned src, struct x86_rm rm)
{
	uint32_t op = rows[row].op;
	enum form form = rows[row].form;
	bool legacy = form == LEGACY || form == LEGACY_I;
	bool has_src = form == RVM || form == RVMI || form == RVMR || form == RV_GPR || form == RVI_GPR;
	bool has_imm = form == RVMI || form == RMI || form == RI_GPR || form == RVI_GPR || form == LEGACY_I;
	bool stores = op == X86_VMOVUPS_STORE || op == X86_VMOVQ_STORE || op == X86_VCVTPS2PH ||
		      (op & ~X86_W) == X86_VMOVD_OUT || form == RI_GPR;
	struct x86_buf b = empty();
	unsigned i = 0;

	if (form == GPR_R && rm.mem)
		return;
	if (legacy)
		x86_op(&b, op, reg, rm);
	else if (form == RVMR)
		x86_v4(&b, op, reg, src, rm.base, 15 - reg);
	else
		x86_v(&b, op, reg, has_src ? src : 0, rm);
	if (form == RVMR && rm.mem)
		return;
	if (has_imm)
		x86_u8(&b, 5);

	ZydisDecodedInstruction insn = decode(&b);
	ck_assert_msg(insn.mnemonic == rows[row].mnemonic, "row %u: %s", row, ZydisMnemonicGetString(insn.mnemonic));
	bool rm_general = form == R_GPR || form == RI_GPR || form == RV_GPR || form == RVI_GPR;
	if (stores) {
		check_rm(&operands[0], rm, rm_general);
		check_register(&operands[1], reg, false);
		return;
	}
	check_register(&operands[i++], reg, form == GPR_R || form == GPR_RM);
	if (has_src)
		check_register(&operands[i++], src, false);
	check_rm(&operands[i++], rm, rm_general);
	if (form == RVMR)
		check_register(&operands[i++], 15 - reg, false);
	if (has_imm)
		ck_assert_uint_eq(operands[i].imm.value.u, 5);
}

START_TEST(operands_of_all_kinds)
{
	unsigned row = (unsigned)_i;

	for (unsigned reg = 0; reg < 16; reg++) {
		for (unsigned k = 0; k < 4; k++) {
			unsigned other = (reg + 5 * k) % 16;
			unsigned src = (reg + 3 * other) % 16;
			try_one(row, reg, src, x86_r(other));
			try_one(row, reg, src, x86_m(other, 0));
			try_one(row, reg, src, x86_m(other, -128));
			try_one(row, reg, src, x86_m(other, 0x1234));
			if (other != X86_RSP)
				try_one(row, reg, src, x86_mx((other + reg) % 16, other, reg % 4, 8 * (int)src));
		}
	}
}
END_TEST

START_TEST(shifts_by_immediates)
{
	static const struct {
		enum x86_v_shift shift;
		unsigned size;
		ZydisMnemonic mnemonic;
	} shifts[] = {
		{ X86_VSRL, 1, ZYDIS_MNEMONIC_VPSRLW }, { X86_VSRL, 2, ZYDIS_MNEMONIC_VPSRLD },
		{ X86_VSRL, 3, ZYDIS_MNEMONIC_VPSRLQ }, { X86_VSRA, 1, ZYDIS_MNEMONIC_VPSRAW },
		{ X86_VSRA, 2, ZYDIS_MNEMONIC_VPSRAD }, { X86_VSLL, 1, ZYDIS_MNEMONIC_VPSLLW },
		{ X86_VSLL, 2, ZYDIS_MNEMONIC_VPSLLD }, { X86_VSLL, 3, ZYDIS_MNEMONIC_VPSLLQ },
	};

	for (unsigned i = 0; i < sizeof(shifts) / sizeof(shifts[0]) + 2; i++) {
		bool by_bytes = i >= sizeof(shifts) / sizeof(shifts[0]), left = i % 2;
		for (unsigned reg = 0; reg < 16; reg++) {
			struct x86_buf b = empty();
			unsigned src = (5 * reg + i) % 16;
			if (by_bytes)
				x86_v_shift_bytes(&b, left, reg, src, 7);
			else
				x86_v_shift(&b, shifts[i].shift, shifts[i].size, reg, src, 7);
			ZydisDecodedInstruction insn = decode(&b);
			ck_assert_int_eq(insn.mnemonic, by_bytes ? left ? ZYDIS_MNEMONIC_VPSLLDQ : ZYDIS_MNEMONIC_VPSRLDQ :
				shifts[i].mnemonic);
			check_register(&operands[0], reg, false);
			check_register(&operands[1], src, false);
			ck_assert_uint_eq(operands[2].imm.value.u, 7);
		}
	}
}
END_TEST

/* Loads of a scalar have no source; between registers they would. */
START_TEST(scalar_loads)
{
	for (unsigned i = 0; i < 2; i++) {
		struct x86_buf b = empty();
		x86_v(&b, i ? X86_VMOVSD : X86_VMOVSS, 9, 0, x86_m(X86_RBP, 0x400));
		ck_assert_int_eq(decode(&b).mnemonic, i ? ZYDIS_MNEMONIC_VMOVSD : ZYDIS_MNEMONIC_VMOVSS);
		check_register(&operands[0], 9, false);
		check_rm(&operands[1], x86_m(X86_RBP, 0x400), false);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("x86_vec");
	TCase *tcase = tcase_create("encodings");

	tcase_add_loop_test(tcase, operands_of_all_kinds, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tcase, shifts_by_immediates);
	tcase_add_test(tcase, scalar_loads);
	suite_add_tcase(suite, tcase);
	return suite_run(suite, CK_NOFORK);
}
