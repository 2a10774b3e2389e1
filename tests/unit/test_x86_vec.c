/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT's assembler: every opcode of vector instructions, and those of general
 * registers by kind of encoding, with registers and addresses of all kinds, must be
 * what Zydis decodes. What is folded when it is compiled must be what the functions
 * put down.
 */
#include "emu/x86_vec_priv.h"
#include "tests/unit/suite.h"

#include <Zydis/Zydis.h>
#include <stdlib.h>

/* What stands where: a vector or general register in `reg`, `src` (if there is one), `rm`; an immediate. */
enum form { RVM, RVMI, RM, RMI, RVMR, R_GPR, RI_GPR, RV_GPR, RVI_GPR, GPR_R, GPR_RM, LEGACY, LEGACY_I };
/* Those with X86_EVEX are between registers. */

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
	SAME(VPTERNLOGQ, RVMI), SAME(VPABSQ, RM), SAME(VPMINSQ, RVM), SAME(VPMINUQ, RVM), SAME(VPMAXSQ, RVM),
	SAME(VPMAXUQ, RVM), SAME(VPSRLVW, RVM), SAME(VPSRAVW, RVM), SAME(VPSLLVW, RVM), SAME(VPSRAVQ, RVM),
	SAME(VPLZCNTD, RM), OP(VPBROADCASTD_GPR, VPBROADCASTD, R_GPR), OP(VPBROADCASTD_GPR | X86_W, VPBROADCASTQ, R_GPR),
	SAME(VCVTUSI2SS, RV_GPR), OP(VCVTUSI2SS | X86_W, VCVTUSI2SS, RV_GPR), SAME(VCVTUSI2SD, RV_GPR),
	OP(VCVTUSI2SD | X86_W, VCVTUSI2SD, RV_GPR), SAME(VCVTUDQ2PS, RM), SAME(VCVTUQQ2PD, RM), SAME(VCVTQQ2PD, RM),
	SAME(VCVTTPD2QQ, RM), SAME(VPOPCNTB, RM),
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

/* A register, `base`, or a place in memory. */
struct operand {
	bool mem;
	unsigned base, index, scale;
	int32_t disp;
};

static struct x86_rm encoded(struct operand rm)
{
	if (!rm.mem)
		return x86_r(rm.base);
	return rm.index == X86_NO_REG ? x86_m(rm.base, rm.disp) : x86_mx(rm.base, rm.index, rm.scale, rm.disp);
}

static void check_rm(const ZydisDecodedOperand *operand, struct operand rm, bool general)
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

/* Calls fn(reg, src, rm) for registers and operands of all kinds. */
static void try_all(unsigned row, void (*fn)(unsigned row, unsigned reg, unsigned src, struct operand rm))
{
	static const int32_t disps[] = { 0, -128, 127, 128, 0x1234, -0x1234567 };

	for (unsigned reg = 0; reg < 16; reg++) {
		for (unsigned k = 0; k < 4; k++) {
			unsigned other = (reg + 5 * k) % 16;
			unsigned src = (reg + 3 * other) % 16;
			fn(row, reg, src, (struct operand){ .base = other });
			for (unsigned i = 0; i < sizeof(disps) / sizeof(disps[0]); i++)
				fn(row, reg, src, (struct operand){ .mem = true, .base = other, .index = X86_NO_REG,
					.disp = disps[i] });
			if (other != X86_RSP)
				fn(row, reg, src, (struct operand){ .mem = true, .base = (other + reg) % 16, .index = other,
					.scale = reg % 4, .disp = 8 * (int)src });
		}
	}
}

/* No mask, no broadcast, 128 bits. Returns whether the second operand is a mask, which is then the one that masks
 * nothing: scalar conversions from general registers have none. */
static unsigned check_evex(const ZydisDecodedInstruction *insn)
{
	ck_assert_int_eq(insn->encoding, ZYDIS_INSTRUCTION_ENCODING_EVEX);
	ck_assert(!insn->raw.evex.b && !insn->raw.evex.z);
	ck_assert_uint_eq(insn->raw.evex.L, 0);
	ck_assert_uint_eq(insn->raw.evex.L2, 0);
	if (ZydisRegisterGetClass(operands[1].reg.value) != ZYDIS_REGCLASS_MASK)
		return 0;
	ck_assert_int_eq(operands[1].reg.value, ZYDIS_REGISTER_K0);
	ck_assert_int_eq(insn->avx.mask.reg, ZYDIS_REGISTER_K0);
	return 1;
}

static void try_one(unsigned row, unsigned reg, unsigned src, struct operand rm)
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

	bool evex = op & X86_EVEX;

	if ((form == GPR_R || evex) && rm.mem)
		return;
	if (legacy)
		x86_op(&b, op, reg, encoded(rm));
	else if (form == RVMR)
		x86_v4(&b, op, reg, src, rm.base, 15 - reg);
	else if (evex)
		x86_vr(&b, op, reg, has_src ? src : 0, rm.base);
	else
		x86_v(&b, op, reg, has_src ? src : 0, encoded(rm));
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
	if (evex)
		i += check_evex(&insn);
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
	try_all((unsigned)_i, try_one);
}
END_TEST

/* ---- General registers ---- */

static const struct {
	uint32_t op;
	ZydisMnemonic mnemonic;
	unsigned reg_bits, rm_bits; /* of the operands; the `reg` is the first unless `stores` */
	bool stores, no_reg;
} general_rows[] = {
	{ X86_MOV_LOAD, ZYDIS_MNEMONIC_MOV, 32, 32, .stores = false },
	{ X86_MOV_LOAD | X86_W, ZYDIS_MNEMONIC_MOV, 64, 64, .stores = false },
	{ X86_MOV_STORE, ZYDIS_MNEMONIC_MOV, 32, 32, .stores = true },
	{ X86_MOV_STORE | X86_W, ZYDIS_MNEMONIC_MOV, 64, 64, .stores = true },
	{ X86_MOV_STORE8 | X86_RM8, ZYDIS_MNEMONIC_MOV, 8, 8, .stores = true },
	{ X86_MOV_STORE16, ZYDIS_MNEMONIC_MOV, 16, 16, .stores = true },
	{ X86_MOVZX8, ZYDIS_MNEMONIC_MOVZX, 32, 8, .stores = false },
	{ X86_MOVSX8 | X86_W, ZYDIS_MNEMONIC_MOVSX, 64, 8, .stores = false },
	{ X86_MOVZX16, ZYDIS_MNEMONIC_MOVZX, 32, 16, .stores = false },
	{ X86_MOVSXD, ZYDIS_MNEMONIC_MOVSXD, 64, 32, .stores = false },
	{ X86_IMUL | X86_W, ZYDIS_MNEMONIC_IMUL, 64, 64, .stores = false },
	{ X86_LZCNT | X86_W, ZYDIS_MNEMONIC_LZCNT, 64, 64, .stores = false },
	{ X86_CMOV + X86_LE, ZYDIS_MNEMONIC_CMOVLE, 32, 32, .stores = false },
	{ X86_SETCC + X86_A, ZYDIS_MNEMONIC_SETNBE, 0, 8, .no_reg = true },
	{ 0xf1 | X86_F2 | X86_0F38 | X86_W, ZYDIS_MNEMONIC_CRC32, 64, 64, .stores = false },
};

static void check_size(const ZydisDecodedOperand *operand, unsigned bits)
{
	ck_assert_uint_eq(operand->size, bits);
	/* Not AH to BH. */
	if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER)
		ck_assert(operand->reg.value < ZYDIS_REGISTER_AH || operand->reg.value > ZYDIS_REGISTER_BH);
}

static unsigned id_of(const ZydisDecodedOperand *operand)
{
	unsigned id = (unsigned)ZydisRegisterGetId(operand->reg.value);

	/* Zydis counts AH to BH among those of eight bits. */
	return operand->size == 8 && id >= 8 ? id - 4 : id;
}

static void check_general(const ZydisDecodedOperand *operand, unsigned n, unsigned bits)
{
	check_size(operand, bits);
	ck_assert_int_eq(operand->type, ZYDIS_OPERAND_TYPE_REGISTER);
	ck_assert_uint_eq(id_of(operand), n);
}

static void try_general(unsigned row, unsigned reg, unsigned src, struct operand rm)
{
	struct x86_buf b = empty();

	(void)src;
	x86_op(&b, general_rows[row].op, general_rows[row].no_reg ? 0 : reg, encoded(rm));
	ZydisDecodedInstruction insn = decode(&b);
	ck_assert_msg(insn.mnemonic == general_rows[row].mnemonic, "row %u: %s", row, ZydisMnemonicGetString(insn.mnemonic));
	unsigned rm_at = general_rows[row].stores || general_rows[row].no_reg ? 0 : 1;
	if (!general_rows[row].no_reg)
		check_general(&operands[1 - rm_at], reg, general_rows[row].reg_bits);
	if (rm.mem) {
		check_size(&operands[rm_at], general_rows[row].rm_bits);
		check_rm(&operands[rm_at], rm, true);
	} else {
		check_general(&operands[rm_at], rm.base, general_rows[row].rm_bits);
	}
}

START_TEST(general_operands_of_all_kinds)
{
	try_all((unsigned)_i, try_general);
}
END_TEST

/* What the compiler cannot know. */
static volatile int64_t hidden;

static int64_t hide(int64_t val)
{
	hidden = val;
	return hidden;
}

#define H(val) (__typeof__(val))hide(val)

START_TEST(folded_or_not)
{
#define SAME_BYTES(folded, called) do { \
		uint8_t first[sizeof(bytes)]; \
		struct x86_buf b_folded = empty(), *b = &b_folded; \
		memset(bytes, 0, sizeof(bytes)); \
		folded; \
		unsigned n = (unsigned)(b->p - b->start); \
		memcpy(first, bytes, n); \
		decode(b); \
		struct x86_buf b_called = empty(); \
		b = &b_called; \
		called; \
		ck_assert_uint_eq(n, (unsigned)(b->p - b->start)); \
		ck_assert_mem_eq(first, bytes, n); \
	} while (0)
#define TWO_REGS(w, x, y) do { \
		SAME_BYTES(x86_mov_rr(b, w, x, y), x86_mov_rr(b, H(w), H(x), H(y))); \
		SAME_BYTES(x86_test_rr(b, w, x, y), x86_test_rr(b, H(w), H(x), H(y))); \
		SAME_BYTES(x86_mov_rr(b, w, H(x), H(y)), x86_op(b, H(X86_MOV_LOAD | (w)), H(x), x86_r(H(y)))); \
		SAME_BYTES(x86_alu(b, X86_XOR, w, x, x86_r(y)), x86_alu(b, H(X86_XOR), H(w), H(x), x86_r(H(y)))); \
		SAME_BYTES(x86_shift_imm(b, X86_SHR, w, x, 27), x86_shift_imm(b, H(X86_SHR), H(w), H(x), 27)); \
		SAME_BYTES(x86_group3(b, X86_NOT, w, x), x86_group3(b, H(X86_NOT), H(w), H(x))); \
	} while (0)
#define MEMORY(w, reg, base, disp) do { \
		SAME_BYTES(x86_load(b, w, reg, x86_m(base, disp)), x86_load(b, H(w), H(reg), x86_m(H(base), H(disp)))); \
		SAME_BYTES(x86_alu_imm(b, X86_CMP, w, x86_m(base, disp), 127), \
			   x86_alu_imm(b, H(X86_CMP), H(w), x86_m(H(base), disp), H(127))); \
	} while (0)
#define INDEXED(w, reg, base, index, scale, disp) do { \
		SAME_BYTES(x86_load(b, w, reg, x86_mx(base, index, scale, disp)), \
			   x86_load(b, H(w), H(reg), x86_mx(H(base), H(index), H(scale), H(disp)))); \
		SAME_BYTES(x86_store(b, w, x86_mx(base, index, scale, disp), reg), \
			   x86_op(b, H(X86_MOV_STORE | (w)), H(reg), x86_mx(H(base), index, scale, H(disp)))); \
		SAME_BYTES(x86_alu_imm(b, X86_CMP, w, x86_mx(base, index, scale, disp), 127), \
			   x86_alu_imm(b, H(X86_CMP), H(w), x86_mx(H(base), index, scale, disp), H(127))); \
		SAME_BYTES(x86_alu_imm(b, X86_CMP, w, x86_mx(base, index, scale, disp), -129), \
			   x86_alu_imm(b, H(X86_CMP), H(w), x86_mx(base, index, H(scale), disp), H(-129))); \
		SAME_BYTES(x86_test_imm(b, w, x86_mx(base, index, scale, disp), 0x4567), \
			   x86_test_imm(b, H(w), x86_mx(base, index, H(scale), disp), H(0x4567))); \
	} while (0)
	TWO_REGS(X86_W, X86_RAX, X86_R15);
	TWO_REGS(X86_W, X86_R9, X86_RDX);
	TWO_REGS(X86_W, X86_RDI, X86_RSP);
	TWO_REGS(0u, X86_RAX, X86_RCX);
	TWO_REGS(0u, X86_R8, X86_RBP);
	TWO_REGS(0u, X86_RSI, X86_R12);
	MEMORY(X86_W, X86_RAX, X86_RBP, -0x18);
	INDEXED(X86_W, X86_R12, X86_R13, X86_RAX, 3, 0);
	MEMORY(0u, X86_RAX, X86_RSP, 0);
	MEMORY(0u, X86_RDX, X86_RBP, 0);
	INDEXED(0u, X86_R15, X86_R12, X86_R14, 2, 0x12345678);
	INDEXED(X86_W, X86_RBX, X86_RDI, X86_R11, 1, -0x12345678);
}
END_TEST

START_TEST(constants)
{
	static const uint64_t vals[] = {
		0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, UINT64_MAX, UINT64_C(0xffffffff80000000),
		UINT64_C(0xffffffff7fffffff), UINT64_C(0x123456789abcdef0),
	};

	for (unsigned i = 0; i < sizeof(vals) / sizeof(vals[0]); i++) {
		for (unsigned reg = 0; reg < 16; reg++) {
			struct x86_buf b = empty();
			x86_mov_imm(&b, reg, vals[i]);
			ZydisDecodedInstruction insn = decode(&b);
			ck_assert_int_eq(insn.mnemonic, ZYDIS_MNEMONIC_MOV);
			check_register(&operands[0], reg, true);
			bool is_32 = operands[0].size == 32;
			ck_assert(!is_32 || vals[i] >> 32 == 0);
			ck_assert_uint_eq(is_32 ? (uint32_t)operands[1].imm.value.u : operands[1].imm.value.u, vals[i]);
		}
	}
}
END_TEST

/* Places in the code, with and without an immediate behind them, and branches. */
START_TEST(places)
{
	enum { AT = 0x100 };

	for (unsigned reg = 0; reg < 16; reg += 5) {
		for (unsigned imm = 0; imm < 2; imm++) {
			for (unsigned kind = 0; kind < 3; kind++) {
				struct x86_buf b = empty();
				if (kind == 0)
					x86_v(&b, X86_FP_CMP, reg, 3, x86_rip(AT, imm));
				else if (kind == 1)
					x86_op(&b, imm ? 0xc1 | X86_W : X86_LEA | X86_W, imm ? 4 : reg, x86_rip(AT, imm));
				else
					x86_op(&b, imm ? 0xba | X86_0F : X86_IMUL, imm ? 4 : reg, x86_rip(AT, imm));
				if (imm)
					x86_u8(&b, 1);
				else if (kind == 0)
					continue;
				ZydisDecodedInstruction insn = decode(&b);
				const ZydisDecodedOperand *op = operands;
				while (op->type != ZYDIS_OPERAND_TYPE_MEMORY)
					op++;
				ck_assert_int_eq(op->mem.base, ZYDIS_REGISTER_RIP);
				ck_assert_int_eq(op->mem.disp.value + insn.length, AT);
			}
		}
	}
	for (unsigned kind = 0; kind < 4; kind++) {
		struct x86_buf b = empty();
		if (kind == 0)
			x86_jmp_to(&b, AT);
		else if (kind == 1)
			x86_jcc_to(&b, X86_NP, AT);
		else if (kind == 2)
			x86_call_to(&b, AT);
		else
			x86_bind(&b, x86_jcc(&b, X86_NP), AT);
		ZydisDecodedInstruction insn = decode(&b);
		ck_assert_int_eq(insn.mnemonic, kind == 0 ? ZYDIS_MNEMONIC_JMP : kind == 2 ? ZYDIS_MNEMONIC_CALL : ZYDIS_MNEMONIC_JNP);
		ck_assert_int_eq(operands[0].imm.value.s + insn.length, AT);
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

START_TEST(shifts_of_avx512)
{
	static const struct {
		enum x86_ev_shift shift;
		uint32_t w;
		ZydisMnemonic mnemonic;
	} shifts[] = {
		{ X86_VPROR, 0, ZYDIS_MNEMONIC_VPRORD },     { X86_VPROR, X86_W, ZYDIS_MNEMONIC_VPRORQ },
		{ X86_VPROL, 0, ZYDIS_MNEMONIC_VPROLD },     { X86_VPROL, X86_W, ZYDIS_MNEMONIC_VPROLQ },
		{ X86_VPSRA, X86_W, ZYDIS_MNEMONIC_VPSRAQ },
	};

	for (unsigned i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
		for (unsigned reg = 0; reg < 16; reg++) {
			struct x86_buf b = empty();
			unsigned src = (5 * reg + i) % 16;
			x86_ev_shift(&b, shifts[i].shift, shifts[i].w, reg, src, 61);
			ZydisDecodedInstruction insn = decode(&b);
			ck_assert_int_eq(insn.mnemonic, shifts[i].mnemonic);
			check_register(&operands[0], reg, false);
			ck_assert_uint_eq(check_evex(&insn), 1);
			check_register(&operands[2], src, false);
			ck_assert_uint_eq(operands[3].imm.value.u, 61);
		}
	}
}
END_TEST

/* The bits of `reg`, `src` and `src2`, from the top, are the number of the result's bit in the immediate. */
START_TEST(truth_tables)
{
	for (unsigned bit = 0; bit < 8; bit++) {
		ck_assert_uint_eq(X86_TERN_A >> bit & 1, bit >> 2);
		ck_assert_uint_eq(X86_TERN_B >> bit & 1, bit >> 1 & 1);
		ck_assert_uint_eq(X86_TERN_C >> bit & 1, bit & 1);
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
		check_rm(&operands[1], (struct operand){ .mem = true, .base = X86_RBP, .index = X86_NO_REG,
			.disp = 0x400 }, false);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("x86_vec");
	TCase *tcase = tcase_create("encodings");

	tcase_add_loop_test(tcase, operands_of_all_kinds, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_loop_test(tcase, general_operands_of_all_kinds, 0, sizeof(general_rows) / sizeof(general_rows[0]));
	tcase_add_test(tcase, folded_or_not);
	tcase_add_test(tcase, constants);
	tcase_add_test(tcase, places);
	tcase_add_test(tcase, shifts_by_immediates);
	tcase_add_test(tcase, shifts_of_avx512);
	tcase_add_test(tcase, truth_tables);
	tcase_add_test(tcase, scalar_loads);
	suite_add_tcase(suite, tcase);
	return suite_run(suite, CK_NOFORK);
}
