/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: Advanced SIMD on integers: what saturates, and shifts by a register.
 * See emu/jit_vec_priv.h; what each does is in emu/interp_simd_same.c,
 * emu/interp_simd_misc.c and emu/interp_simd_shift.c.
 *
 * Saturating functions leave in T ones where they have saturated, for FPSR.QC.
 * Of zeroes they make zeroes: scalar forms clear what is above the element, and
 * are then vectors. Thread: the vCPU's own.
 */
#include "emu/jit_fp_priv.h"

#define EL(name) static void el_##name(struct jit *j, unsigned size)

/* ---- Pieces ---- */

/* dst = ones where src is negative. Not the same. */
static void signs(struct jit *j, unsigned size, unsigned dst, unsigned src)
{
	if (size == 3 && j->host_has & JIT_AVX512) {
		x86_ev_shift(&j->buf, X86_VPSRA, X86_W, dst, src, 63);
		return;
	}
	jit_v_zero(j, dst);
	jit_vr(j, jit_v_gt[size], dst, dst, src);
}

/* dst = what saturates in the direction of src's signs. Clobbers Z. */
static void extremes(struct jit *j, unsigned size, unsigned dst, unsigned src)
{
	signs(j, size, dst, src);
	jit_v_imm_elems(j, JIT_Z, size, UINT64_MAX >> (65 - (8u << size)));
	jit_vr(j, X86_VPXOR, dst, dst, JIT_Z);
}

/* R = T ? R : U, and T is inverted. Clobbers Z. */
static void unless_right(struct jit *j)
{
	x86_v4(&j->buf, X86_VPBLENDVB, JIT_R, JIT_U, JIT_R, JIT_T);
	jit_v_ones(j, JIT_Z);
	jit_vr(j, X86_VPXOR, JIT_T, JIT_T, JIT_Z);
}

/* An element, all else zero. */
static void load_scalar(struct jit *j, unsigned size, unsigned xmm, unsigned n)
{
	if (size >= 2) {
		jit_fp_load(j, size == 3, xmm, n);
	} else {
		x86_v_shift_bytes(&j->buf, true, xmm, jit_v_get(j, n), 16 - (1u << size));
		x86_v_shift_bytes(&j->buf, false, xmm, xmm, 16 - (1u << size));
	}
}

static void saturating(struct jit *j, unsigned size, bool q, unsigned rd, unsigned rn, unsigned rm, jit_v_fn *fn)
{
	jit_v_load(j, JIT_N, rn);
	jit_v_load(j, JIT_M, rm);
	fn(j, size);
	jit_v_store_q(j, q, rd, JIT_R);
	jit_v_set_qc(j, q, JIT_T);
}

static void saturating_scalar(struct jit *j, unsigned size, unsigned rd, unsigned rn, unsigned rm, jit_v_fn *fn)
{
	load_scalar(j, size, JIT_N, rn);
	load_scalar(j, size, JIT_M, rm);
	fn(j, size);
	jit_v_store(j, rd, JIT_R);
	jit_v_set_qc(j, true, JIT_T);
}

/* ---- Sums and differences ---- */

static const uint32_t sat_sadd[2] = { X86_VPADDSB, X86_VPADDSW }, sat_ssub[2] = { X86_VPSUBSB, X86_VPSUBSW };
static const uint32_t sat_uadd[2] = { X86_VPADDUSB, X86_VPADDUSW }, sat_usub[2] = { X86_VPSUBUSB, X86_VPSUBUSW };

/* R = N op M. True for bytes and halfwords, which the host saturates: T = where that differs from the wrapped result,
 * which R is otherwise. */
static bool by_host(struct jit *j, unsigned size, const uint32_t sat[2], const uint32_t wrap[4])
{
	jit_vr(j, size < 2 ? sat[size] : wrap[size], JIT_R, JIT_N, JIT_M);
	if (size >= 2)
		return false;
	jit_vr(j, wrap[size], JIT_T, JIT_N, JIT_M);
	jit_vr(j, X86_VPXOR, JIT_T, JIT_T, JIT_R);
	return true;
}

/* An overflow is where the signs of N and R differ, and those of M and `other`. It goes in N's direction. */
static void overflow(struct jit *j, unsigned size, unsigned other)
{
	if (j->host_has & JIT_AVX512) {
		/* `other` is N or R itself. */
		jit_vr(j, X86_VMOVAPS, JIT_T, 0, other);
		jit_v_ternary(j, JIT_T, other == JIT_N ? JIT_R : JIT_N, JIT_M,
			(X86_TERN_A ^ X86_TERN_B) & (X86_TERN_A ^ X86_TERN_C));
	} else {
		jit_vr(j, X86_VPXOR, JIT_T, JIT_N, JIT_R);
		jit_vr(j, X86_VPXOR, JIT_U, JIT_M, other);
		jit_vr(j, X86_VPAND, JIT_T, JIT_T, JIT_U);
	}
	extremes(j, size, JIT_U, JIT_N);
	signs(j, size, JIT_Z, JIT_T);
	jit_vr(j, X86_VMOVAPS, JIT_T, 0, JIT_Z);
	x86_v4(&j->buf, X86_VPBLENDVB, JIT_R, JIT_R, JIT_U, JIT_T);
}

EL(sqadd)
{
	if (!by_host(j, size, sat_sadd, jit_v_add))
		overflow(j, size, JIT_R);
}

EL(sqsub)
{
	if (!by_host(j, size, sat_ssub, jit_v_sub))
		overflow(j, size, JIT_N);
}

/* T = where a < b as unsigned words or doublewords. Clobbers U. */
static void is_below(struct jit *j, unsigned size, unsigned a, unsigned b)
{
	enum jit_v_const sign = size == 3 ? JIT_K_SIGN_D : JIT_K_SIGN_S;

	jit_vk(j, X86_VPXOR, JIT_T, a, sign);
	jit_vk(j, X86_VPXOR, JIT_U, b, sign);
	jit_vr(j, jit_v_gt[size], JIT_T, JIT_U, JIT_T);
}

EL(uqadd)
{
	if (by_host(j, size, sat_uadd, jit_v_add))
		return;
	is_below(j, size, JIT_R, JIT_N);
	jit_vr(j, X86_VPOR, JIT_R, JIT_R, JIT_T);
}

EL(uqsub)
{
	if (by_host(j, size, sat_usub, jit_v_sub))
		return;
	is_below(j, size, JIT_N, JIT_M);
	jit_vr(j, X86_VPANDN, JIT_R, JIT_T, JIT_R);
}

/* `second` is the second operand's field; with one operand, it is both. */
#define SATURATES(name, fn, second) \
	JIT_INSN(name##_vec) \
	{ \
		saturating(j, a->size, a->Q, a->Rd, a->Rn, a->second, fn); \
	} \
	JIT_INSN(name##_s) \
	{ \
		saturating_scalar(j, a->size, a->Rd, a->Rn, a->second, fn); \
	}

SATURATES(SQADD, el_sqadd, Rm)
SATURATES(SQSUB, el_sqsub, Rm)
SATURATES(UQADD, el_uqadd, Rm)
SATURATES(UQSUB, el_uqsub, Rm)

/* ---- Absolute value and negation: only the most negative one saturates ---- */

/* T = where N is that, which R then is, too: it becomes the most positive one. */
static void most_negative(struct jit *j, unsigned size)
{
	jit_v_imm_elems(j, JIT_T, size, 1ull << ((8u << size) - 1));
	jit_vr(j, jit_v_eq[size], JIT_T, JIT_T, JIT_N);
	jit_vr(j, X86_VPXOR, JIT_R, JIT_R, JIT_T);
}

EL(sqabs)
{
	signs(j, size, JIT_T, JIT_N);
	jit_vr(j, X86_VPXOR, JIT_R, JIT_N, JIT_T);
	jit_vr(j, jit_v_sub[size], JIT_R, JIT_R, JIT_T);
	most_negative(j, size);
}

EL(sqneg)
{
	jit_v_zero(j, JIT_R);
	jit_vr(j, jit_v_sub[size], JIT_R, JIT_R, JIT_N);
	most_negative(j, size);
}

SATURATES(SQABS, el_sqabs, Rn)
SATURATES(SQNEG, el_sqneg, Rn)

/* ---- Shifts to the left by an immediate ---- */

typedef void shift_fn(struct jit *j, unsigned size, unsigned count);

/* What comes back when shifted again was right. */
static void shift_sqshl(struct jit *j, unsigned size, unsigned count)
{
	jit_v_shift_left(j, size, JIT_R, JIT_N, count);
	jit_v_shift_right(j, true, size, JIT_T, JIT_R, count);
	jit_vr(j, jit_v_eq[size], JIT_T, JIT_T, JIT_N);
	extremes(j, size, JIT_U, JIT_N);
	unless_right(j);
}

static void shift_uqshl(struct jit *j, unsigned size, unsigned count)
{
	jit_v_shift_left(j, size, JIT_R, JIT_N, count);
	jit_v_shift_right(j, false, size, JIT_T, JIT_R, count);
	jit_vr(j, jit_v_eq[size], JIT_T, JIT_T, JIT_N);
	jit_v_ones(j, JIT_U);
	unless_right(j);
}

/* Negative numbers become 0. */
static void shift_sqshlu(struct jit *j, unsigned size, unsigned count)
{
	jit_v_shift_left(j, size, JIT_R, JIT_N, count);
	jit_v_shift_right(j, false, size, JIT_T, JIT_R, count);
	jit_vr(j, jit_v_eq[size], JIT_T, JIT_T, JIT_N);
	signs(j, size, JIT_M, JIT_N);
	jit_vr(j, X86_VPANDN, JIT_T, JIT_M, JIT_T);
	jit_v_not(j, JIT_U, JIT_M);
	unless_right(j);
}

static void shift_left(struct jit *j, unsigned size, bool q, unsigned rd, unsigned rn, unsigned count, shift_fn *fn)
{
	jit_v_load(j, JIT_N, rn);
	fn(j, size, count);
	jit_v_store_q(j, q, rd, JIT_R);
	jit_v_set_qc(j, q, JIT_T);
}

static void shift_left_scalar(struct jit *j, unsigned size, unsigned rd, unsigned rn, unsigned count, shift_fn *fn)
{
	load_scalar(j, size, JIT_N, rn);
	fn(j, size, count);
	jit_v_store(j, rd, JIT_R);
	jit_v_set_qc(j, true, JIT_T);
}

#define SHIFT_SIZE(name, bits, size, q, fn) \
	JIT_INSN(name##_vec_##bits) \
	{ \
		shift_left(j, size, q, a->Rd, a->Rn, a->shift, fn); \
	} \
	JIT_INSN(name##_s_##bits) \
	{ \
		shift_left_scalar(j, size, a->Rd, a->Rn, a->shift, fn); \
	}
#define SHIFT(name, fn) \
	SHIFT_SIZE(name, 8, 0, a->Q, fn) \
	SHIFT_SIZE(name, 16, 1, a->Q, fn) \
	SHIFT_SIZE(name, 32, 2, a->Q, fn) \
	SHIFT_SIZE(name, 64, 3, true, fn)

SHIFT(SQSHL_imm, shift_sqshl)
SHIFT(UQSHL_imm, shift_uqshl)
SHIFT(SQSHLU, shift_sqshlu)

/* ---- Shifts by a register ---- */

enum { IS_SIGNED = 1, ROUNDS = 2, SATURATES = 4 };

/* By size; of halfwords with JIT_AVX512 only, as the last. Counts of the width and more are fine. */
static const uint32_t left_v[4] = { 0, X86_VPSLLVW, X86_VPSLLVD, X86_VPSLLVD | X86_W };
static const uint32_t right_v[4] = { 0, X86_VPSRLVW, X86_VPSRLVD, X86_VPSRLVD | X86_W };
static const uint32_t right_signed_v[4] = { 0, X86_VPSRAVW, X86_VPSRAVD, X86_VPSRAVQ };

/* Whether shift_lanes does that size, or shift_small does. */
static bool has_lanes(const struct jit *j, unsigned size)
{
	return size >= 2 || (size == 1 && j->host_has & JIT_AVX512);
}

/* dst = dst shifted to the right. Clobbers Z. */
static void right_by(struct jit *j, unsigned size, unsigned how, unsigned dst, unsigned counts)
{
	if (!(how & IS_SIGNED) || size < 3 || j->host_has & JIT_AVX512) {
		jit_vr(j, (how & IS_SIGNED ? right_signed_v : right_v)[size], dst, dst, counts);
		return;
	}
	signs(j, 3, JIT_Z, dst);
	jit_vr(j, X86_VPXOR, dst, dst, JIT_Z);
	jit_vr(j, X86_VPSRLVD | X86_W, dst, dst, counts);
	jit_vr(j, X86_VPXOR, dst, dst, JIT_Z);
}

/* U holds signed words, or halfwords, as `size` says, counts: those to the left go to U, those to the right to W, 0 in
 * the other. To the right by more than `most` is as by it, to the left as by 127. Clobbers `tmp`. */
static void split_counts(struct jit *j, unsigned size, unsigned most, unsigned tmp)
{
	jit_v_imm_elems(j, tmp, size, 0ull - most);
	jit_vr(j, jit_v_smax[size], JIT_U, JIT_U, tmp);
	jit_v_zero(j, tmp);
	jit_vr(j, jit_v_sub[size], JIT_W, tmp, JIT_U);
	jit_vr(j, jit_v_smax[size], JIT_W, JIT_W, tmp);
	jit_vr(j, jit_v_smax[size], JIT_U, JIT_U, tmp);
}

/* R to the right by W; `tmp` = the last bit that is lost, by which it is rounded. */
static void round_right(struct jit *j, unsigned size, unsigned how, unsigned tmp)
{
	unsigned top = (8u << size) - 1;

	if (how & ROUNDS) {
		jit_v_ones(j, tmp);
		jit_vr(j, jit_v_add[size], tmp, tmp, JIT_W);
		jit_vr(j, right_v[size], tmp, JIT_R, tmp);
		x86_v_shift(&j->buf, X86_VSLL, size, tmp, tmp, top);
		x86_v_shift(&j->buf, X86_VSRL, size, tmp, tmp, top);
	}
	right_by(j, size, how, JIT_R, JIT_W);
	if (how & ROUNDS)
		jit_vr(j, jit_v_add[size], JIT_R, JIT_R, tmp);
}

/* All that the host shifts by a register: R = N by M, T as above. */
static void shift_lanes(struct jit *j, unsigned size, unsigned how)
{
	struct x86_buf *b = &j->buf;
	unsigned lane = size == 1 ? 1 : 2, rest = (8u << lane) - 8; /* of the counts, which are bytes */

	if (size == 3)
		x86_vi(b, X86_VPSHUFD, JIT_M, 0, x86_r(JIT_M), 0xa0);
	x86_v_shift(b, X86_VSLL, lane, JIT_U, JIT_M, rest);
	x86_v_shift(b, X86_VSRA, lane, JIT_U, JIT_U, rest);
	/* All of it, with which a sign is rounded away, but an upper bit would not be. */
	split_counts(j, lane, (8u << size) + (how & IS_SIGNED ? 0 : 1), JIT_Z);
	if (size == 3) {
		x86_v_shift(b, X86_VSRL, 3, JIT_U, JIT_U, 32);
		x86_v_shift(b, X86_VSRL, 3, JIT_W, JIT_W, 32);
	}
	jit_vr(j, left_v[size], JIT_R, JIT_N, JIT_U);
	if (how & SATURATES) {
		jit_vr(j, X86_VMOVAPS, JIT_T, 0, JIT_R);
		right_by(j, size, how, JIT_T, JIT_U);
		jit_vr(j, jit_v_eq[size], JIT_T, JIT_T, JIT_N);
		if (how & IS_SIGNED)
			extremes(j, size, JIT_U, JIT_N);
		else
			jit_v_ones(j, JIT_U);
		unless_right(j);
	}
	round_right(j, size, how, JIT_D);
}

/* Bytes and halfwords, four at a time as words: R = `n` by `m`, M = where it has
 * saturated. `parts` of four. */
static void shift_small(struct jit *j, unsigned size, unsigned how, unsigned n, unsigned m, unsigned parts)
{
	struct x86_buf *b = &j->buf;
	bool to_signed = (how & (IS_SIGNED | SATURATES)) == (IS_SIGNED | SATURATES);
	uint32_t pack_w = to_signed ? X86_VPACKSSDW : X86_VPACKUSDW, pack_h = to_signed ? X86_VPACKSSWB : X86_VPACKUSWB;

	for (unsigned p = 0; p < parts; p++) {
		unsigned at = p * (4u << size), from = at ? JIT_T : n;
		if (at)
			x86_v_shift_bytes(b, false, JIT_T, n, at);
		jit_vr(j, size ? how & IS_SIGNED ? X86_VPMOVSXWD : X86_VPMOVZXWD : how & IS_SIGNED ? X86_VPMOVSXBD :
			X86_VPMOVZXBD, JIT_N, 0, from);
		from = at ? JIT_T : m;
		if (at)
			x86_v_shift_bytes(b, false, JIT_T, m, at);
		jit_vr(j, size ? X86_VPMOVZXWD : X86_VPMOVSXBD, JIT_U, 0, from);
		if (size) {
			x86_v_shift(b, X86_VSLL, 2, JIT_U, JIT_U, 24);
			x86_v_shift(b, X86_VSRA, 2, JIT_U, JIT_U, 24);
		}
		if (how & SATURATES) {
			/* Everything that is not 0 saturates then, and nothing is lost. */
			jit_v_imm_elems(j, JIT_T, 2, 16);
			jit_vr(j, X86_VPMINSD, JIT_U, JIT_U, JIT_T);
		}
		split_counts(j, 2, 32, JIT_T);
		jit_vr(j, X86_VPSLLVD, JIT_R, JIT_N, JIT_U);
		round_right(j, 2, how, JIT_T);
		if (how & SATURATES) {
			if (!to_signed) {
				/* Packing takes signed sources. */
				jit_v_imm_elems(j, JIT_U, 2, size ? 0x7fffffff : 0x7fff);
				jit_vr(j, X86_VPMINUD, JIT_R, JIT_R, JIT_U);
			}
			jit_vr(j, pack_w, JIT_T, JIT_R, JIT_R);
			if (size == 0)
				jit_vr(j, pack_h, JIT_T, JIT_T, JIT_T);
			jit_vr(j, size ? to_signed ? X86_VPMOVSXWD : X86_VPMOVZXWD : to_signed ? X86_VPMOVSXBD : X86_VPMOVZXBD,
				JIT_T, 0, JIT_T);
			jit_vr(j, X86_VPXOR, JIT_R, JIT_R, JIT_T);
			if (p == 0)
				jit_vr(j, X86_VMOVAPS, JIT_M, 0, JIT_R);
			else
				jit_vr(j, X86_VPOR, JIT_M, JIT_M, JIT_R);
			jit_vr(j, X86_VMOVAPS, JIT_R, 0, JIT_T);
		} else {
			x86_v_shift(b, X86_VSLL, 2, JIT_R, JIT_R, 32 - (8u << size));
			x86_v_shift(b, X86_VSRL, 2, JIT_R, JIT_R, 32 - (8u << size));
		}
		/* The first two in D, the others in Z. */
		if (p % 2 == 0)
			jit_vr(j, X86_VMOVAPS, p ? JIT_Z : JIT_D, 0, JIT_R);
		else
			jit_vr(j, pack_w, p > 1 ? JIT_Z : JIT_D, p > 1 ? JIT_Z : JIT_D, JIT_R);
	}
	if (parts == 1)
		jit_vr(j, pack_w, JIT_D, JIT_D, JIT_D);
	if (size == 0)
		jit_vr(j, pack_h, JIT_R, JIT_D, parts > 2 ? JIT_Z : JIT_D);
	else
		jit_vr(j, X86_VMOVAPS, JIT_R, 0, JIT_D);
}

static void shift_by(struct jit *j, const struct a64_args_SSHL_vec *a, unsigned how)
{
	bool lanes = has_lanes(j, a->size);

	if (lanes) {
		jit_v_load(j, JIT_N, a->Rn);
		jit_v_load(j, JIT_M, a->Rm);
		shift_lanes(j, a->size, how);
	} else {
		unsigned n = jit_v_get(j, a->Rn), m = jit_v_get(j, a->Rm);
		shift_small(j, a->size, how, n, m, (a->size ? 1 : 2) << a->Q);
	}
	jit_v_store_q(j, a->Q, a->Rd, JIT_R);
	if (how & SATURATES)
		jit_v_set_qc(j, !lanes || a->Q, lanes ? JIT_T : JIT_M);
}

static void shift_by_scalar(struct jit *j, const struct a64_args_SSHL_s *a, unsigned how)
{
	bool lanes = has_lanes(j, a->size);

	load_scalar(j, a->size, JIT_N, a->Rn);
	load_scalar(j, a->size, JIT_M, a->Rm);
	if (lanes) {
		shift_lanes(j, a->size, how);
		jit_v_store(j, a->Rd, JIT_R);
	} else {
		shift_small(j, a->size, how, JIT_N, JIT_M, 1);
		jit_v_store_elem(j, a->size, a->Rd, JIT_R);
	}
	if (how & SATURATES)
		jit_v_set_qc(j, true, lanes ? JIT_T : JIT_M);
}

#define SHIFT_BY(name, how) \
	JIT_INSN(name##_vec) \
	{ \
		shift_by(j, a, how); \
	} \
	JIT_INSN(name##_s) \
	{ \
		shift_by_scalar(j, a, how); \
	}

SHIFT_BY(SSHL, IS_SIGNED)
SHIFT_BY(USHL, 0)
SHIFT_BY(SRSHL, IS_SIGNED | ROUNDS)
SHIFT_BY(URSHL, ROUNDS)
SHIFT_BY(SQSHL, IS_SIGNED | SATURATES)
SHIFT_BY(UQSHL, SATURATES)
SHIFT_BY(SQRSHL, IS_SIGNED | ROUNDS | SATURATES)
SHIFT_BY(UQRSHL, ROUNDS | SATURATES)

/* ---- Doublewords to words ---- */

void jit_v_saturate_d(struct jit *j, bool from_signed, bool to_signed)
{
	struct x86_buf *b = &j->buf;

	x86_vi(b, X86_VPSHUFD, JIT_R, 0, x86_r(JIT_N), 0x08);
	jit_vr(j, to_signed ? X86_VPMOVSXDQ : X86_VPMOVZXDQ, JIT_T, 0, JIT_R);
	jit_vr(j, X86_VPCMPEQQ, JIT_T, JIT_T, JIT_N);
	if (from_signed) {
		signs(j, 3, JIT_U, JIT_N);
		x86_vi(b, X86_VPSHUFD, JIT_U, 0, x86_r(JIT_U), 0x08);
		if (to_signed) {
			jit_vk(j, X86_VPXOR, JIT_U, JIT_U, JIT_K_ABS_S);
		} else {
			jit_v_ones(j, JIT_Z);
			jit_vr(j, X86_VPXOR, JIT_U, JIT_U, JIT_Z);
		}
	} else {
		jit_v_ones(j, JIT_U);
	}
	x86_vi(b, X86_VPSHUFD, JIT_T, 0, x86_r(JIT_T), 0x08);
	unless_right(j);
}
