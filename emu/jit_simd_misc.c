/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: Advanced SIMD on integers, classes "two-register miscellaneous",
 * "across lanes", "copy", "permute", "extract", "table" and "modified
 * immediate". See emu/jit_vec_priv.h; what each does is in
 * emu/interp_simd_misc.c and emu/interp_simd_move.c. Thread: the vCPU's own.
 */
#include "emu/jit_vec_priv.h"

#define EL(name) static void el_##name(struct jit *j, unsigned size)

/* ---- Two registers ---- */

EL(abs)
{
	static const uint32_t abs[4] = { X86_VPABSB, X86_VPABSW, X86_VPABSD, X86_VPABSQ };

	if (size < 3 || j->host_has & JIT_AVX512) {
		jit_vr(j, abs[size], JIT_R, 0, JIT_N);
		return;
	}
	jit_v_zero(j, JIT_T);
	jit_vr(j, X86_VPCMPGTQ, JIT_T, JIT_T, JIT_N);
	jit_vr(j, X86_VPXOR, JIT_R, JIT_N, JIT_T);
	jit_vr(j, X86_VPSUBQ, JIT_R, JIT_R, JIT_T);
}

EL(neg)
{
	jit_v_zero(j, JIT_R);
	jit_vr(j, jit_v_sub[size], JIT_R, JIT_R, JIT_N);
}

EL(cmeq_zero)
{
	jit_v_zero(j, JIT_R);
	jit_vr(j, jit_v_eq[size], JIT_R, JIT_R, JIT_N);
}

EL(cmgt_zero)
{
	jit_v_zero(j, JIT_R);
	jit_vr(j, jit_v_gt[size], JIT_R, JIT_N, JIT_R);
}

EL(cmlt_zero)
{
	jit_v_zero(j, JIT_R);
	jit_vr(j, jit_v_gt[size], JIT_R, JIT_R, JIT_N);
}

EL(cmge_zero)
{
	jit_v_ones(j, JIT_R);
	jit_vr(j, jit_v_gt[size], JIT_R, JIT_N, JIT_R);
}

EL(cmle_zero)
{
	jit_v_zero(j, JIT_T);
	jit_vr(j, jit_v_gt[size], JIT_T, JIT_N, JIT_T);
	jit_v_not(j, JIT_R, JIT_T);
}

EL(not)
{
	jit_v_not(j, JIT_R, JIT_N);
}

/* R = low[each lower nibble], T = high[each upper nibble]. */
static void look_up_nibbles(struct jit *j, enum jit_v_const low, enum jit_v_const high)
{
	x86_v_shift(&j->buf, X86_VSRL, 1, JIT_U, JIT_N, 4);
	x86_v(&j->buf, X86_VMOVUPS, JIT_W, 0, jit_k(j, JIT_K_NIBBLE));
	jit_vr(j, X86_VPAND, JIT_U, JIT_U, JIT_W);
	jit_vr(j, X86_VPAND, JIT_Z, JIT_N, JIT_W);
	x86_v(&j->buf, X86_VMOVUPS, JIT_R, 0, jit_k(j, low));
	x86_v(&j->buf, X86_VMOVUPS, JIT_T, 0, jit_k(j, high));
	jit_vr(j, X86_VPSHUFB, JIT_R, JIT_R, JIT_Z);
	jit_vr(j, X86_VPSHUFB, JIT_T, JIT_T, JIT_U);
}

EL(cnt)
{
	if (j->host_has & JIT_BITALG) {
		jit_vr(j, X86_VPOPCNTB, JIT_R, 0, JIT_N);
		return;
	}
	look_up_nibbles(j, JIT_K_COUNT_NIBBLE, JIT_K_COUNT_NIBBLE);
	jit_vr(j, X86_VPADDB, JIT_R, JIT_R, JIT_T);
}

EL(rbit)
{
	look_up_nibbles(j, JIT_K_REVERSE_LOW, JIT_K_REVERSE_HIGH);
	jit_vr(j, X86_VPOR, JIT_R, JIT_R, JIT_T);
}

/* Of bytes; of wider ones, the upper half counts unless it is zero. */
static void leading_zeroes(struct jit *j, unsigned size)
{
	struct x86_buf *b = &j->buf;

	if (size == 2 && j->host_has & JIT_AVX512) {
		jit_vr(j, X86_VPLZCNTD, JIT_R, 0, JIT_N);
		return;
	}
	/* For the upper nibble the table has 8 where the lower has to be looked at: the minimum of both. */
	look_up_nibbles(j, JIT_K_CLZ_LOW, JIT_K_CLZ_HIGH);
	jit_vr(j, X86_VPMINUB, JIT_R, JIT_R, JIT_T);
	for (unsigned wide = 1; wide <= size; wide++) {
		unsigned half = 4u << wide;
		/* T = count of the upper half; where it is all of it, that of the lower is added. */
		x86_v_shift(b, X86_VSRL, wide, JIT_T, JIT_R, half);
		jit_v_imm_elems(j, JIT_U, wide, half);
		jit_vr(j, jit_v_eq[wide], JIT_U, JIT_U, JIT_T);
		x86_v_shift(b, X86_VSLL, wide, JIT_R, JIT_R, half);
		x86_v_shift(b, X86_VSRL, wide, JIT_R, JIT_R, half);
		jit_vr(j, X86_VPAND, JIT_R, JIT_R, JIT_U);
		jit_vr(j, jit_v_add[wide], JIT_R, JIT_R, JIT_T);
	}
}

EL(clz)
{
	leading_zeroes(j, size);
}

/* The zeroes of the value xor its sign, less one. */
EL(cls)
{
	jit_v_zero(j, JIT_T);
	jit_vr(j, jit_v_gt[size], JIT_T, JIT_T, JIT_N);
	jit_vr(j, X86_VPXOR, JIT_N, JIT_N, JIT_T);
	leading_zeroes(j, size);
	jit_v_ones(j, JIT_T);
	jit_vr(j, jit_v_add[size], JIT_R, JIT_R, JIT_T);
}

#define UNARY(name, fn) \
	JIT_INSN(name##_vec) \
	{ \
		jit_v_unary(j, a->size, a->Q, a->Rd, a->Rn, fn); \
	}
#define BOTH(name, fn) \
	UNARY(name, fn) \
	JIT_INSN(name##_s) \
	{ \
		jit_v_unary(j, 3, false, a->Rd, a->Rn, fn); \
	}
#define BYTES(name, fn) \
	JIT_INSN(name##_vec) \
	{ \
		jit_v_unary(j, 0, a->Q, a->Rd, a->Rn, fn); \
	}

BOTH(ABS, el_abs)
BOTH(NEG, el_neg)
BOTH(CMEQ_zero, el_cmeq_zero)
BOTH(CMGT_zero, el_cmgt_zero)
BOTH(CMLT_zero, el_cmlt_zero)
BOTH(CMGE_zero, el_cmge_zero)
BOTH(CMLE_zero, el_cmle_zero)
UNARY(CLZ, el_clz)
UNARY(CLS, el_cls)
BYTES(NOT, el_not)
BYTES(CNT, el_cnt)
BYTES(RBIT, el_rbit)

/* ---- Reversal ---- */

static void reverse(struct jit *j, bool q, unsigned rd, unsigned rn, enum jit_v_const k)
{
	jit_v_load(j, JIT_N, rn);
	jit_vk(j, X86_VPSHUFB, JIT_R, JIT_N, k);
	jit_v_store_q(j, q, rd, JIT_R);
}

JIT_INSN(REV64_vec)
{
	if (a->size < 2) {
		reverse(j, a->Q, a->Rd, a->Rn, a->size ? JIT_K_REV64_16 : JIT_K_REV64_8);
		return;
	}
	x86_vi(&j->buf, X86_VPSHUFD, JIT_R, 0, jit_v_rm(j, a->Rn), 0xb1);
	jit_v_store_q(j, a->Q, a->Rd, JIT_R);
}

JIT_INSN(REV32_vec)
{
	reverse(j, a->Q, a->Rd, a->Rn, a->size ? JIT_K_REV32_16 : JIT_K_REV32_8);
}

JIT_INSN(REV16_vec)
{
	reverse(j, a->Q, a->Rd, a->Rn, JIT_K_REV16_8);
}

/* ---- Narrowing ---- */

JIT_INSN(XTN)
{
	jit_v_load(j, JIT_N, a->Rn);
	jit_v_narrow(j, a->size, JIT_R, JIT_N);
	jit_v_store_part(j, a->Q, a->Rd, JIT_R);
}

/* What the narrow result, widened, differs in from N is lost: QC. */
static void narrow_saturating(struct jit *j, const struct a64_args_XTN *a, uint32_t pack, uint32_t widen)
{
	jit_vr(j, pack, JIT_R, JIT_N, JIT_N);
	jit_vr(j, widen, JIT_U, 0, JIT_R);
	jit_vr(j, X86_VPXOR, JIT_U, JIT_U, JIT_M);
	jit_v_store_part(j, a->Q, a->Rd, JIT_R);
	jit_v_set_qc(j, true, JIT_U);
}

static void narrow_doublewords(struct jit *j, const struct a64_args_XTN *a, bool from_signed, bool to_signed)
{
	jit_v_load(j, JIT_N, a->Rn);
	jit_v_saturate_d(j, from_signed, to_signed);
	jit_vr(j, X86_VMOVAPS, JIT_U, 0, JIT_T);
	jit_v_store_part(j, a->Q, a->Rd, JIT_R);
	jit_v_set_qc(j, false, JIT_U);
}

JIT_INSN(SQXTN_vec)
{
	if (a->size == 2) {
		narrow_doublewords(j, a, true, true);
		return;
	}
	jit_v_load(j, JIT_N, a->Rn);
	jit_v_load(j, JIT_M, a->Rn);
	narrow_saturating(j, a, a->size ? X86_VPACKSSDW : X86_VPACKSSWB, jit_v_sx[a->size]);
}

JIT_INSN(SQXTUN_vec)
{
	if (a->size == 2) {
		narrow_doublewords(j, a, true, false);
		return;
	}
	jit_v_load(j, JIT_N, a->Rn);
	jit_v_load(j, JIT_M, a->Rn);
	narrow_saturating(j, a, a->size ? X86_VPACKUSDW : X86_VPACKUSWB, jit_v_zx[a->size]);
}

JIT_INSN(UQXTN_vec)
{
	if (a->size == 2) {
		narrow_doublewords(j, a, false, false);
		return;
	}
	jit_v_load(j, JIT_M, a->Rn);
	/* Packing takes signed sources. */
	jit_vk(j, a->size ? X86_VPMINUD : X86_VPMINUW, JIT_N, JIT_M, a->size ? JIT_K_LOW_H : JIT_K_LOW_B);
	narrow_saturating(j, a, a->size ? X86_VPACKUSDW : X86_VPACKUSWB, jit_v_zx[a->size]);
}

JIT_INSN(SHLL)
{
	jit_vr(j, jit_v_zx[a->size], JIT_N, 0, jit_v_part(j, JIT_N, a->Rn, a->Q ? 8 : 0));
	x86_v_shift(&j->buf, X86_VSLL, a->size + 1u, JIT_R, JIT_N, 8u << a->size);
	jit_v_store(j, a->Rd, JIT_R);
}

/* ---- Long sums of neighbours ---- */

/* R = the sums in N. */
static void long_pairs(struct jit *j, bool is_signed, unsigned size)
{
	struct x86_buf *b = &j->buf;

	if (size == 0 && is_signed) {
		x86_v(b, X86_VMOVUPS, JIT_T, 0, jit_k(j, JIT_K_ONE_B));
		jit_vr(j, X86_VPMADDUBSW, JIT_R, JIT_T, JIT_N);
	} else if (size == 0) {
		jit_vk(j, X86_VPMADDUBSW, JIT_R, JIT_N, JIT_K_ONE_B);
	} else if (size == 1 && is_signed) {
		jit_vk(j, X86_VPMADDWD, JIT_R, JIT_N, JIT_K_ONE_H);
	} else if (size == 2 && is_signed) {
		x86_vi(b, X86_VPSHUFD, JIT_T, 0, x86_r(JIT_N), 0x08);
		x86_vi(b, X86_VPSHUFD, JIT_U, 0, x86_r(JIT_N), 0x0d);
		jit_vr(j, X86_VPMOVSXDQ, JIT_T, 0, JIT_T);
		jit_vr(j, X86_VPMOVSXDQ, JIT_U, 0, JIT_U);
		jit_vr(j, X86_VPADDQ, JIT_R, JIT_T, JIT_U);
	} else {
		x86_v_shift(b, X86_VSRL, size + 1, JIT_T, JIT_N, 8u << size);
		jit_vk(j, X86_VPAND, JIT_R, JIT_N, size == 1 ? JIT_K_LOW_H : JIT_K_LOW_S);
		jit_vr(j, jit_v_add[size + 1], JIT_R, JIT_R, JIT_T);
	}
}

#define LONG_PAIRS(name, is_signed, accumulate) \
	JIT_INSN(name) \
	{ \
		jit_v_load(j, JIT_N, a->Rn); \
		long_pairs(j, is_signed, a->size); \
		if (accumulate) { \
			jit_v_load(j, JIT_D, a->Rd); \
			jit_vr(j, jit_v_add[a->size + 1], JIT_R, JIT_R, JIT_D); \
		} \
		jit_v_store_q(j, a->Q, a->Rd, JIT_R); \
	}

LONG_PAIRS(SADDLP, true, false)
LONG_PAIRS(UADDLP, false, false)
LONG_PAIRS(SADALP, true, true)
LONG_PAIRS(UADALP, false, true)

/* ---- Across lanes ---- */

/* R = the sum of the elements of R, all of them. */
static void add_up(struct jit *j, unsigned size)
{
	for (unsigned bytes = 8; bytes >= 1u << size; bytes /= 2) {
		x86_v_shift_bytes(&j->buf, false, JIT_T, JIT_R, bytes);
		jit_vr(j, jit_v_add[size], JIT_R, JIT_R, JIT_T);
	}
}

/* The operand, zero where there is none of it. */
static void load_across(struct jit *j, bool q, unsigned xmm, unsigned n)
{
	if (q)
		jit_v_load(j, xmm, n);
	else
		jit_v_load64(j, xmm, n, 0);
}

static void sum_bytes(struct jit *j, unsigned from)
{
	jit_v_zero(j, JIT_T);
	jit_vr(j, X86_VPSADBW, JIT_R, from, JIT_T);
	add_up(j, 3);
}

JIT_INSN(ADDV)
{
	load_across(j, a->Q, JIT_N, a->Rn);
	if (a->size == 0) {
		sum_bytes(j, JIT_N);
	} else {
		jit_vr(j, X86_VMOVAPS, JIT_R, 0, JIT_N);
		add_up(j, a->size);
	}
	jit_v_store_elem(j, a->size, a->Rd, JIT_R);
}

JIT_INSN(UADDLV)
{
	load_across(j, a->Q, JIT_N, a->Rn);
	if (a->size == 0) {
		sum_bytes(j, JIT_N);
	} else {
		long_pairs(j, false, a->size);
		add_up(j, a->size + 1u);
	}
	jit_v_store_elem(j, a->size + 1u, a->Rd, JIT_R);
}

JIT_INSN(SADDLV)
{
	load_across(j, a->Q, JIT_N, a->Rn);
	long_pairs(j, true, a->size);
	add_up(j, a->size + 1u);
	jit_v_store_elem(j, a->size + 1u, a->Rd, JIT_R);
}

static void extreme(struct jit *j, const struct a64_args_SMAXV *a, const uint32_t *op)
{
	/* Twice the same changes nothing. */
	if (a->Q)
		jit_v_load(j, JIT_R, a->Rn);
	else
		x86_v(&j->buf, X86_VMOVDDUP, JIT_R, 0, jit_v_rm(j, a->Rn));
	for (unsigned bytes = a->Q ? 8 : 4; bytes >= 1u << a->size; bytes /= 2) {
		x86_v_shift_bytes(&j->buf, false, JIT_T, JIT_R, bytes);
		jit_vr(j, op[a->size], JIT_R, JIT_R, JIT_T);
	}
	jit_v_store_elem(j, a->size, a->Rd, JIT_R);
}

JIT_INSN(SMAXV)
{
	extreme(j, a, jit_v_smax);
}

JIT_INSN(SMINV)
{
	extreme(j, a, jit_v_smin);
}

JIT_INSN(UMAXV)
{
	extreme(j, a, jit_v_umax);
}

JIT_INSN(UMINV)
{
	extreme(j, a, jit_v_umin);
}

/* ---- Copy ---- */

/* The size that imm5 tells, and where its element is. jit_vec_is_native has seen to reserved ones. */
static unsigned imm5_size(unsigned imm5)
{
	return (unsigned)__builtin_ctz(imm5);
}

static unsigned imm5_at(unsigned imm5)
{
	return imm5 >> (imm5_size(imm5) + 1) << imm5_size(imm5);
}

JIT_INSN(DUP_elem)
{
	jit_vr(j, jit_v_broadcast[imm5_size(a->imm5)], JIT_R, 0, jit_v_part(j, JIT_N, a->Rn, imm5_at(a->imm5)));
	jit_v_store_q(j, a->Q, a->Rd, JIT_R);
}

JIT_INSN(DUP_elem_s)
{
	jit_v_elem_out(j, X86_RAX, imm5_size(a->imm5), a->Rn, imm5_at(a->imm5));
	x86_v(&j->buf, X86_VMOVD_IN | X86_W, JIT_R, 0, x86_r(X86_RAX));
	jit_v_store(j, a->Rd, JIT_R);
}

JIT_INSN(DUP_gen)
{
	unsigned size = imm5_size(a->imm5);

	x86_v(&j->buf, X86_VMOVD_IN | (size == 3 ? X86_W : 0), JIT_R, 0, x86_r(jit_read_z(j, a->Rn, X86_RAX)));
	jit_vr(j, jit_v_broadcast[size], JIT_R, 0, JIT_R);
	jit_v_store_q(j, a->Q, a->Rd, JIT_R);
}

JIT_INSN(UMOV)
{
	unsigned reg = a->Rd == 31 ? X86_RAX : jit_target(j, a->Rd, X86_RAX);

	jit_v_elem_out(j, reg, imm5_size(a->imm5), a->Rn, imm5_at(a->imm5));
	jit_write_z(j, a->Rd, reg);
}

JIT_INSN(SMOV)
{
	static const uint32_t load[3] = { X86_MOVSX8, X86_MOVSX16, X86_MOVSXD };
	unsigned reg = a->Rd == 31 ? X86_RAX : jit_target(j, a->Rd, X86_RAX);

	jit_v_elem_out(j, X86_RAX, imm5_size(a->imm5), a->Rn, imm5_at(a->imm5));
	x86_op(&j->buf, load[imm5_size(a->imm5)] | (a->Q ? X86_W : 0), reg, x86_r(X86_RAX));
	jit_write_z(j, a->Rd, reg);
}

/* Vd with the element that imm5 names replaced. */
static void insert(struct jit *j, unsigned rd, unsigned imm5, struct x86_rm from)
{
	static const uint32_t insert[4] = { X86_VPINSRB, X86_VPINSRW, X86_VPINSRD, X86_VPINSRD | X86_W };
	unsigned size = imm5_size(imm5);

	jit_v_load(j, JIT_R, rd);
	x86_vi(&j->buf, insert[size], JIT_R, JIT_R, from, imm5_at(imm5) >> size);
	jit_v_store(j, rd, JIT_R);
}

JIT_INSN(INS_gen)
{
	insert(j, a->Rd, a->imm5, x86_r(jit_read_z(j, a->Rn, X86_RAX)));
}

JIT_INSN(INS_elem)
{
	unsigned size = imm5_size(a->imm5);

	jit_v_elem_out(j, X86_RAX, size, a->Rn, (unsigned)a->imm4 >> size << size);
	insert(j, a->Rd, a->imm5, x86_r(X86_RAX));
}

/* ---- Permutation ---- */

#define PERMUTE(name) \
	static void permute_##name(struct jit *j, unsigned size, bool q); \
	JIT_INSN(name) \
	{ \
		jit_v_load(j, JIT_N, a->Rn); \
		jit_v_load(j, JIT_M, a->Rm); \
		permute_##name(j, a->size, a->Q); \
		jit_v_store_q(j, a->Q, a->Rd, JIT_R); \
	} \
	static void permute_##name(struct jit *j, unsigned size, bool q)

PERMUTE(ZIP1)
{
	jit_vr(j, jit_v_unpack_low[size], JIT_R, JIT_N, JIT_M);
}

PERMUTE(ZIP2)
{
	jit_vr(j, (q ? jit_v_unpack_high : jit_v_unpack_low)[size], JIT_R, JIT_N, JIT_M);
	if (!q)
		x86_v_shift_bytes(&j->buf, false, JIT_R, JIT_R, 8);
}

PERMUTE(UZP1)
{
	jit_v_unzip(j, size, q, false, JIT_R, JIT_N, JIT_M);
}

PERMUTE(UZP2)
{
	jit_v_unzip(j, size, q, true, JIT_R, JIT_N, JIT_M);
}

/* Even elements of N below even ones of M. */
PERMUTE(TRN1)
{
	struct x86_buf *b = &j->buf;

	switch (size) {
	case 0:
		x86_v_shift(b, X86_VSLL, 1, JIT_T, JIT_M, 8);
		jit_vk(j, X86_VPAND, JIT_R, JIT_N, JIT_K_LOW_B);
		jit_vr(j, X86_VPOR, JIT_R, JIT_R, JIT_T);
		break;
	case 1:
		x86_v_shift(b, X86_VSLL, 2, JIT_T, JIT_M, 16);
		x86_vi(b, X86_VPBLENDW, JIT_R, JIT_N, x86_r(JIT_T), 0xaa);
		break;
	case 2:
		x86_v_shift(b, X86_VSLL, 3, JIT_T, JIT_M, 32);
		x86_vi(b, X86_VPBLENDD, JIT_R, JIT_N, x86_r(JIT_T), 0xa);
		break;
	default:
		jit_vr(j, X86_VPUNPCKLQDQ, JIT_R, JIT_N, JIT_M);
		break;
	}
}

PERMUTE(TRN2)
{
	struct x86_buf *b = &j->buf;

	switch (size) {
	case 0:
		x86_v_shift(b, X86_VSRL, 1, JIT_T, JIT_N, 8);
		x86_v(b, X86_VMOVUPS, JIT_U, 0, jit_k(j, JIT_K_LOW_B));
		jit_vr(j, X86_VPANDN, JIT_R, JIT_U, JIT_M);
		jit_vr(j, X86_VPOR, JIT_R, JIT_R, JIT_T);
		break;
	case 1:
		x86_v_shift(b, X86_VSRL, 2, JIT_T, JIT_N, 16);
		x86_vi(b, X86_VPBLENDW, JIT_R, JIT_T, x86_r(JIT_M), 0xaa);
		break;
	case 2:
		x86_v_shift(b, X86_VSRL, 3, JIT_T, JIT_N, 32);
		x86_vi(b, X86_VPBLENDD, JIT_R, JIT_T, x86_r(JIT_M), 0xa);
		break;
	default:
		jit_vr(j, X86_VPUNPCKHQDQ, JIT_R, JIT_N, JIT_M);
		break;
	}
}

JIT_INSN(EXT_vec)
{
	jit_v_load(j, JIT_N, a->Rn);
	jit_v_load(j, JIT_M, a->Rm);
	if (a->Q) {
		x86_vi(&j->buf, X86_VPALIGNR, JIT_R, JIT_M, x86_r(JIT_N), a->imm4);
	} else {
		jit_vr(j, X86_VPUNPCKLQDQ, JIT_R, JIT_N, JIT_M);
		x86_v_shift_bytes(&j->buf, false, JIT_R, JIT_R, a->imm4);
	}
	jit_v_store_q(j, a->Q, a->Rd, JIT_R);
}

/* ---- Tables ---- */

/* R = looked up; 0 where the index is too large. M = the indices. */
static void look_up(struct jit *j, const struct a64_args_TBL *a)
{
	jit_v_load(j, JIT_M, a->Rm);
	for (unsigned i = 0; i <= a->len; i++) {
		unsigned into = i ? JIT_T : JIT_R, index = JIT_M;
		if (i) {
			jit_v_imm_elems(j, JIT_U, 0, 16 * i);
			jit_vr(j, X86_VPSUBB, JIT_U, JIT_M, JIT_U);
			index = JIT_U;
		}
		/* From 16 on the top bit comes to be set, which gives 0. */
		jit_vk(j, X86_VPADDUSB, JIT_W, index, JIT_K_112_B);
		jit_v_load(j, JIT_N, (a->Rn + i) % 32);
		jit_vr(j, X86_VPSHUFB, into, JIT_N, JIT_W);
		if (i)
			jit_vr(j, X86_VPOR, JIT_R, JIT_R, JIT_T);
	}
}

JIT_INSN(TBL)
{
	look_up(j, a);
	jit_v_store_q(j, a->Q, a->Rd, JIT_R);
}

JIT_INSN(TBX)
{
	look_up(j, a);
	jit_v_load(j, JIT_D, a->Rd);
	jit_v_imm_elems(j, JIT_U, 0, 16u * (a->len + 1u) - 1);
	jit_vr(j, X86_VPMINUB, JIT_U, JIT_U, JIT_M);
	jit_vr(j, X86_VPCMPEQB, JIT_U, JIT_U, JIT_M);
	x86_v4(&j->buf, X86_VPBLENDVB, JIT_R, JIT_D, JIT_R, JIT_U);
	jit_v_store_q(j, a->Q, a->Rd, JIT_R);
}

/* ---- Modified immediate ---- */

static uint64_t copies_32(unsigned imm8, unsigned amount)
{
	return ((uint64_t)imm8 << 8 * amount) * 0x0000000100000001ull;
}

static uint64_t copies_16(unsigned imm8, unsigned amount)
{
	return ((uint64_t)imm8 << 8 * amount) * 0x0001000100010001ull;
}

static uint64_t copies_msl(unsigned imm8, unsigned amount)
{
	return (uint64_t)(amount ? imm8 << 16 | 0xffff : imm8 << 8 | 0xff) * 0x0000000100000001ull;
}

static uint64_t bytes_of_bits(unsigned imm8)
{
	uint64_t val = 0;

	for (unsigned i = 0; i < 8; i++)
		val |= (imm8 >> i & 1) ? 0xffull << 8 * i : 0;
	return val;
}

static void move(struct jit *j, bool q, unsigned rd, uint64_t val)
{
	jit_v_imm(j, JIT_R, val);
	jit_v_store_q(j, q || val == 0, rd, JIT_R);
}

static void combine(struct jit *j, uint32_t op, bool q, unsigned rd, uint64_t val)
{
	jit_v_load(j, JIT_D, rd);
	jit_v_imm(j, JIT_R, val);
	jit_vr(j, op, JIT_R, JIT_R, JIT_D);
	jit_v_store_q(j, q, rd, JIT_R);
}

#define IMMEDIATE(form, val) \
	JIT_INSN(MOVI_##form) \
	{ \
		move(j, a->Q, a->Rd, val); \
	} \
	JIT_INSN(MVNI_##form) \
	{ \
		move(j, a->Q, a->Rd, ~(val)); \
	}
#define IMMEDIATE_LOGIC(form, val) \
	JIT_INSN(ORR_imm_##form) \
	{ \
		combine(j, X86_VPOR, a->Q, a->Rd, val); \
	} \
	JIT_INSN(BIC_imm_##form) \
	{ \
		combine(j, X86_VPANDN, a->Q, a->Rd, val); \
	}

IMMEDIATE(32, copies_32(a->imm8, a->amount))
IMMEDIATE(16, copies_16(a->imm8, a->amount))
IMMEDIATE(msl, copies_msl(a->imm8, a->amount))
IMMEDIATE_LOGIC(32, copies_32(a->imm8, a->amount))
IMMEDIATE_LOGIC(16, copies_16(a->imm8, a->amount))

JIT_INSN(MOVI_8)
{
	move(j, a->Q, a->Rd, a->imm8 * 0x0101010101010101ull);
}

JIT_INSN(MOVI_64)
{
	move(j, a->Q, a->Rd, bytes_of_bits(a->imm8));
}
