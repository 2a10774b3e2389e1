/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: Advanced SIMD on integers, class "shift by immediate". See
 * emu/jit_vec_priv.h; what each does is in emu/interp_simd_shift.c: the field
 * `shift` is the count to the left, or the element's width less the count to
 * the right. Thread: the vCPU's own.
 */
#include "emu/jit_vec_priv.h"

/* ---- R = N shifted; the count is 1 to the width to the right, 0 to the width - 1 to the left ---- */

typedef void shift_fn(struct jit *j, unsigned size, unsigned count);
#define EL(name) static void el_##name(struct jit *j, unsigned size, unsigned count)

EL(sshr)
{
	jit_v_shift_right(j, true, size, JIT_R, JIT_N, count);
}

EL(ushr)
{
	jit_v_shift_right(j, false, size, JIT_R, JIT_N, count);
}

/* dst = bit count - 1, which rounds the shifted value. */
static void rounding_bit(struct jit *j, unsigned size, unsigned dst, unsigned src, unsigned count)
{
	unsigned bits = 8u << size;

	if (size == 0) {
		x86_v_shift(&j->buf, X86_VSRL, 1, dst, src, count - 1);
		jit_vk(j, X86_VPAND, dst, dst, JIT_K_ONE_B);
	} else {
		x86_v_shift(&j->buf, X86_VSLL, size, dst, src, bits - count);
		x86_v_shift(&j->buf, X86_VSRL, size, dst, dst, bits - 1);
	}
}

EL(srshr)
{
	el_sshr(j, size, count);
	rounding_bit(j, size, JIT_T, JIT_N, count);
	jit_vr(j, jit_v_add[size], JIT_R, JIT_R, JIT_T);
}

EL(urshr)
{
	el_ushr(j, size, count);
	rounding_bit(j, size, JIT_T, JIT_N, count);
	jit_vr(j, jit_v_add[size], JIT_R, JIT_R, JIT_T);
}

/* Shifts that use Vd's old value, in D. */
EL(ssra)
{
	el_sshr(j, size, count);
	jit_vr(j, jit_v_add[size], JIT_R, JIT_R, JIT_D);
}

EL(usra)
{
	el_ushr(j, size, count);
	jit_vr(j, jit_v_add[size], JIT_R, JIT_R, JIT_D);
}

EL(srsra)
{
	el_srshr(j, size, count);
	jit_vr(j, jit_v_add[size], JIT_R, JIT_R, JIT_D);
}

EL(ursra)
{
	el_urshr(j, size, count);
	jit_vr(j, jit_v_add[size], JIT_R, JIT_R, JIT_D);
}

/* R = R with those bits of D that `mask` has. */
static void keep(struct jit *j, unsigned size, uint64_t mask)
{
	jit_v_imm_elems(j, JIT_T, size, mask);
	jit_vr(j, X86_VPAND, JIT_T, JIT_T, JIT_D);
	jit_vr(j, X86_VPOR, JIT_R, JIT_R, JIT_T);
}

EL(sri)
{
	unsigned bits = 8u << size;

	el_ushr(j, size, count);
	keep(j, size, count == bits ? UINT64_MAX : ~(UINT64_MAX >> (64 - bits) >> count));
}

EL(shl)
{
	jit_v_shift_left(j, size, JIT_R, JIT_N, count);
}

EL(sli)
{
	el_shl(j, size, count);
	keep(j, size, (1ull << count) - 1);
}

static void vector(struct jit *j, unsigned size, bool q, unsigned rd, unsigned rn, bool uses_d, unsigned count,
		   shift_fn *fn)
{
	jit_v_load(j, JIT_N, rn);
	if (uses_d)
		jit_v_load(j, JIT_D, rd);
	fn(j, size, count);
	jit_v_store_q(j, q, rd, JIT_R);
}

/* `count` is from a->shift. */
#define SHIFT(name, uses_d, count, fn) \
	JIT_INSN(name##_vec_8) \
	{ \
		enum { BITS = 8 }; \
		vector(j, 0, a->Q, a->Rd, a->Rn, uses_d, count, fn); \
	} \
	JIT_INSN(name##_vec_16) \
	{ \
		enum { BITS = 16 }; \
		vector(j, 1, a->Q, a->Rd, a->Rn, uses_d, count, fn); \
	} \
	JIT_INSN(name##_vec_32) \
	{ \
		enum { BITS = 32 }; \
		vector(j, 2, a->Q, a->Rd, a->Rn, uses_d, count, fn); \
	} \
	JIT_INSN(name##_vec_64) \
	{ \
		enum { BITS = 64 }; \
		vector(j, 3, true, a->Rd, a->Rn, uses_d, count, fn); \
	} \
	JIT_INSN(name##_s_64) \
	{ \
		enum { BITS = 64 }; \
		vector(j, 3, false, a->Rd, a->Rn, uses_d, count, fn); \
	}
#define RIGHT ((unsigned)BITS - a->shift)
#define LEFT (a->shift + 0 * (unsigned)BITS)

SHIFT(SSHR, false, RIGHT, el_sshr)
SHIFT(USHR, false, RIGHT, el_ushr)
SHIFT(SRSHR, false, RIGHT, el_srshr)
SHIFT(URSHR, false, RIGHT, el_urshr)
SHIFT(SSRA, true, RIGHT, el_ssra)
SHIFT(USRA, true, RIGHT, el_usra)
SHIFT(SRSRA, true, RIGHT, el_srsra)
SHIFT(URSRA, true, RIGHT, el_ursra)
SHIFT(SRI, true, RIGHT, el_sri)
SHIFT(SHL, false, LEFT, el_shl)
SHIFT(SLI, true, LEFT, el_sli)

/* ---- Long ---- */

static void shift_long(struct jit *j, const uint32_t *extend, unsigned size, bool upper, unsigned rd, unsigned rn,
		       unsigned count)
{
	jit_vr(j, extend[size], JIT_R, 0, jit_v_part(j, JIT_N, rn, upper ? 8 : 0));
	if (count)
		x86_v_shift(&j->buf, X86_VSLL, size + 1, JIT_R, JIT_R, count);
	jit_v_store(j, rd, JIT_R);
}

#define LONG_SIZE(line, size, extend) \
	JIT_INSN(line) \
	{ \
		shift_long(j, extend, size, a->Q, a->Rd, a->Rn, a->shift); \
	}
#define LONG(name, extend) \
	LONG_SIZE(name##_vec_8, 0, extend) \
	LONG_SIZE(name##_vec_16, 1, extend) \
	LONG_SIZE(name##_vec_32, 2, extend)

LONG(SSHLL, jit_v_sx)
LONG(USHLL, jit_v_zx)

/* ---- Narrow: `size` is the result's ---- */

enum saturation { WRAPS, TO_SIGNED, TO_UNSIGNED, SIGNED_TO_UNSIGNED };

static void shift_narrow(struct jit *j, unsigned size, bool upper, unsigned rd, unsigned rn, unsigned count,
			 bool round, enum saturation saturation)
{
	bool is_signed = saturation == TO_SIGNED || saturation == SIGNED_TO_UNSIGNED;

	/* M = shifted, in the wide size */
	jit_v_load(j, JIT_N, rn);
	jit_v_shift_right(j, is_signed, size + 1, JIT_M, JIT_N, count);
	if (round) {
		rounding_bit(j, size + 1, JIT_T, JIT_N, count);
		jit_vr(j, jit_v_add[size + 1], JIT_M, JIT_M, JIT_T);
	}
	if (saturation == WRAPS) {
		jit_v_narrow(j, size, JIT_R, JIT_M);
		jit_v_store_part(j, upper, rd, JIT_R);
		return;
	}
	if (size == 2) {
		jit_vr(j, X86_VMOVAPS, JIT_N, 0, JIT_M);
		jit_v_saturate_d(j, is_signed, saturation == TO_SIGNED);
		jit_vr(j, X86_VMOVAPS, JIT_U, 0, JIT_T);
		jit_v_store_part(j, upper, rd, JIT_R);
		jit_v_set_qc(j, false, JIT_U);
		return;
	}
	unsigned from = JIT_M;
	if (saturation == TO_UNSIGNED) {
		/* Packing takes signed sources. */
		from = JIT_N;
		jit_vk(j, size ? X86_VPMINUD : X86_VPMINUW, JIT_N, JIT_M, size ? JIT_K_LOW_H : JIT_K_LOW_B);
	}
	if (saturation == TO_SIGNED) {
		jit_vr(j, size ? X86_VPACKSSDW : X86_VPACKSSWB, JIT_R, from, from);
		jit_vr(j, jit_v_sx[size], JIT_U, 0, JIT_R);
	} else {
		jit_vr(j, size ? X86_VPACKUSDW : X86_VPACKUSWB, JIT_R, from, from);
		jit_vr(j, jit_v_zx[size], JIT_U, 0, JIT_R);
	}
	jit_vr(j, X86_VPXOR, JIT_U, JIT_U, JIT_M);
	jit_v_store_part(j, upper, rd, JIT_R);
	jit_v_set_qc(j, true, JIT_U);
}

#define NARROW_SIZE(line, size, round, saturation) \
	JIT_INSN(line) \
	{ \
		shift_narrow(j, size, a->Q, a->Rd, a->Rn, (8u << (size)) - a->shift, round, saturation); \
	}
#define NARROW(name, round, saturation) \
	NARROW_SIZE(name##_vec_8, 0, round, saturation) \
	NARROW_SIZE(name##_vec_16, 1, round, saturation) \
	NARROW_SIZE(name##_vec_32, 2, round, saturation)

NARROW(SHRN, false, WRAPS)
NARROW(RSHRN, true, WRAPS)
NARROW(SQSHRN, false, TO_SIGNED)
NARROW(SQRSHRN, true, TO_SIGNED)
NARROW(UQSHRN, false, TO_UNSIGNED)
NARROW(UQRSHRN, true, TO_UNSIGNED)
NARROW(SQSHRUN, false, SIGNED_TO_UNSIGNED)
NARROW(SQRSHRUN, true, SIGNED_TO_UNSIGNED)
