/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: what translators of floating point and Advanced SIMD are made of.
 * See emu/jit_vec_priv.h. Thread: the vCPU's own.
 */
#include "emu/jit_vec_priv.h"

#include <cpuid.h>

/* ---- Constants ---- */

#define BYTES(...) { .b = { __VA_ARGS__ } }
#define EACH_B(v) { .d = { (v) * 0x0101010101010101ull, (v) * 0x0101010101010101ull } }
#define EACH_H(v) { .d = { (v) * 0x0001000100010001ull, (v) * 0x0001000100010001ull } }
#define EACH_S(v) { .d = { (v) * 0x0000000100000001ull, (v) * 0x0000000100000001ull } }
#define EACH_D(v) { .d = { (v), (v) } }

static const struct emu_vreg constants[JIT_K_COUNT] = {
	[JIT_K_REV64_8] = BYTES(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8),
	[JIT_K_REV64_16] = BYTES(6, 7, 4, 5, 2, 3, 0, 1, 14, 15, 12, 13, 10, 11, 8, 9),
	[JIT_K_REV32_8] = BYTES(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12),
	[JIT_K_REV32_16] = BYTES(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13),
	[JIT_K_REV16_8] = BYTES(1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14),
	[JIT_K_NIBBLE] = EACH_B(0x0full),
	/* by nibble: ones; the nibble reversed, to the top and to the bottom; leading zeroes, 4 more for the upper */
	[JIT_K_COUNT_NIBBLE] = BYTES(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4),
	[JIT_K_REVERSE_LOW] = BYTES(0x00, 0x80, 0x40, 0xc0, 0x20, 0xa0, 0x60, 0xe0, 0x10, 0x90, 0x50, 0xd0, 0x30, 0xb0,
		0x70, 0xf0),
	[JIT_K_REVERSE_HIGH] = BYTES(0x0, 0x8, 0x4, 0xc, 0x2, 0xa, 0x6, 0xe, 0x1, 0x9, 0x5, 0xd, 0x3, 0xb, 0x7, 0xf),
	[JIT_K_CLZ_LOW] = BYTES(8, 7, 6, 6, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4),
	[JIT_K_CLZ_HIGH] = BYTES(8, 3, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0),
	[JIT_K_ONE_B] = EACH_B(1ull),
	[JIT_K_ONE_H] = EACH_H(1ull),
	[JIT_K_SIGN_B] = EACH_B(0x80ull),
	[JIT_K_SIGN_S] = EACH_S(0x80000000ull),
	[JIT_K_SIGN_D] = EACH_D(0x8000000000000000ull),
	[JIT_K_ABS_S] = EACH_S(0x7fffffffull),
	[JIT_K_ABS_D] = EACH_D(0x7fffffffffffffffull),
	[JIT_K_MIN_NORMAL_S] = EACH_S(0x00800000ull),
	[JIT_K_MIN_NORMAL_D] = EACH_D(0x0010000000000000ull),
	[JIT_K_LOW_B] = EACH_H(0xffull),
	[JIT_K_LOW_H] = EACH_S(0xffffull),
	[JIT_K_LOW_S] = EACH_D(0xffffffffull),
	[JIT_K_112_B] = EACH_B(0x70ull),
	[JIT_K_ONE_FP_S] = EACH_S(0x3f800000ull),
	[JIT_K_ONE_FP_D] = EACH_D(0x3ff0000000000000ull),
	[JIT_K_HALF_FP_S] = EACH_S(0x3f000000ull),
	[JIT_K_HALF_FP_D] = EACH_D(0x3fe0000000000000ull),
	/* what SHA1RNDS4 adds on its own, for each of its functions 0 to 2 */
	[JIT_K_SHA1_0] = EACH_S(0x5a827999ull),
	[JIT_K_SHA1_1] = EACH_S(0x6ed9eba1ull),
	[JIT_K_SHA1_2] = EACH_S(0x8f1bbcdcull),
	/* of the CRC-32 polynomial P, bits reversed: x^96 / P, and P */
	[JIT_K_CRC32] = { .d = { 0xb4e5b025f7011641, 0x1db710641 } },
	[JIT_K_LD2_B] = BYTES(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15),
	[JIT_K_LD2_H] = BYTES(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15),
	[JIT_K_LD4_B] = BYTES(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
	[JIT_K_LD4_H] = BYTES(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15),
};

/* Structures of three: element e of register r is element 3e + r in memory. Both
 * directions; a byte that comes from another source is 0. */
static void fill_structures_of_3(struct emu_vreg *k)
{
	for (unsigned size = 0; size < 3; size++) {
		for (unsigned r = 0; r < 3; r++) {
			for (unsigned byte = 0; byte < 16; byte++) {
				unsigned at = ((byte >> size) * 3 + r) << size | (byte & ((1u << size) - 1));
				struct emu_vreg *load = &k[JIT_K_LD3 + 9 * size + 3 * r], *store = &k[JIT_K_ST3 + 9 * size];
				for (unsigned source = 0; source < 3; source++) {
					load[source].b[byte] = (uint8_t)(at / 16 == source ? at % 16 : 0x80);
					store[3 * (at / 16) + source].b[at % 16] = (uint8_t)(source == r ? byte : 0x80);
				}
			}
		}
	}
}

void jit_vec_init(struct jit *j)
{
	unsigned a, b, c, d;

	if (!__builtin_cpu_supports("avx2") || j->debug & EMU_JIT_NO_AVX2)
		return;
	j->host_has = JIT_VEC | (__builtin_cpu_supports("fma") ? JIT_FMA : 0) | (__builtin_cpu_supports("aes") ? JIT_AES : 0) |
		  (__builtin_cpu_supports("pclmul") ? JIT_PCLMUL : 0);
	if (__get_cpuid(1, &a, &b, &c, &d) && c & bit_F16C)
		j->host_has |= JIT_F16C;
	if (__builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))
		j->host_has |= JIT_BMI;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_SHA)
		j->host_has |= JIT_SHA;
	/* Like AVX2, these are supported only where the operating system has enabled their state in XCR0. */
	if (!(j->debug & EMU_JIT_NO_AVX512) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd"))
		j->host_has |= JIT_AVX512 | (__builtin_cpu_supports("avx512bitalg") ? JIT_BITALG : 0);
	while (x86_here(&j->buf) % 16)
		x86_u8(&j->buf, 0xcc);
	j->v_consts = x86_here(&j->buf);
	memcpy(j->buf.p, constants, sizeof(constants));
	fill_structures_of_3((struct emu_vreg *)(void *)j->buf.p);
	j->buf.p += sizeof(constants);
}

bool jit_vec_is_native(const struct jit *j, uint32_t props, uint32_t word)
{
	unsigned size = word >> 22 & 3, imm5 = word >> 16 & 31;
	bool q = word >> 30 & 1;

	if (props & JIT_HOST_MASK & ~j->host_has)
		return false;
	if (props & JIT_FP && (j->block_flags & JIT_FLAG_FP_MODE ||
			       (j->block_flags & JIT_FLAG_FP_FZ && !(props & JIT_FZ_MASK))))
		return false;
	/* One doubleword is no vector; scalar forms have the bit of Q set. */
	if (props & JIT_BHSD && (!(props >> JIT_SIZES_POS >> size & 1) || (size == 3 && !q)))
		return false;
	switch (props & JIT_FORM_MASK) {
	case JIT_NO_1D:
		return q || !(size & 1);
	case JIT_ACROSS:
		return q || size != 2;
	case JIT_IMM5:
		return imm5 & 15;
	case JIT_DUP:
		return imm5 & (q ? 15 : 7);
	case JIT_UMOV:
		return q ? (imm5 & 15) == 8 : imm5 & 7;
	case JIT_SMOV:
		return imm5 & (q ? 7 : 3);
	case JIT_EXT:
		return q || !(word >> 14 & 1);
	default:
		return true;
	}
}

void jit_v_imm(struct jit *j, unsigned xmm, uint64_t val)
{
	if (val == 0) {
		jit_v_zero(j, xmm);
	} else if (val == UINT64_MAX) {
		jit_v_ones(j, xmm);
	} else {
		bool words = val >> 32 == (uint32_t)val;
		uint32_t w = words ? 0 : X86_W;
		x86_mov_imm(&j->buf, X86_RAX, words ? (uint32_t)val : val);
		if (j->host_has & JIT_AVX512) {
			jit_vr(j, X86_VPBROADCASTD_GPR | w, xmm, 0, X86_RAX);
		} else {
			jit_vr(j, X86_VMOVD_IN | w, xmm, 0, X86_RAX);
			jit_vr(j, words ? X86_VPBROADCASTD : X86_VPBROADCASTQ, xmm, 0, xmm);
		}
	}
}

/* ---- Opcodes by size ---- */

const uint32_t jit_v_add[4] = { X86_VPADDB, X86_VPADDW, X86_VPADDD, X86_VPADDQ };
const uint32_t jit_v_sub[4] = { X86_VPSUBB, X86_VPSUBW, X86_VPSUBD, X86_VPSUBQ };
const uint32_t jit_v_eq[4] = { X86_VPCMPEQB, X86_VPCMPEQW, X86_VPCMPEQD, X86_VPCMPEQQ };
const uint32_t jit_v_gt[4] = { X86_VPCMPGTB, X86_VPCMPGTW, X86_VPCMPGTD, X86_VPCMPGTQ };
const uint32_t jit_v_smax[4] = { X86_VPMAXSB, X86_VPMAXSW, X86_VPMAXSD, X86_VPMAXSQ };
const uint32_t jit_v_smin[4] = { X86_VPMINSB, X86_VPMINSW, X86_VPMINSD, X86_VPMINSQ };
const uint32_t jit_v_umax[4] = { X86_VPMAXUB, X86_VPMAXUW, X86_VPMAXUD, X86_VPMAXUQ };
const uint32_t jit_v_umin[4] = { X86_VPMINUB, X86_VPMINUW, X86_VPMINUD, X86_VPMINUQ };
const uint32_t jit_v_unpack_low[4] = { X86_VPUNPCKLBW, X86_VPUNPCKLWD, X86_VPUNPCKLDQ, X86_VPUNPCKLQDQ };
const uint32_t jit_v_unpack_high[4] = { X86_VPUNPCKHBW, X86_VPUNPCKHWD, X86_VPUNPCKHDQ, X86_VPUNPCKHQDQ };
const uint32_t jit_v_broadcast[4] = { X86_VPBROADCASTB, X86_VPBROADCASTW, X86_VPBROADCASTD, X86_VPBROADCASTQ };
const uint32_t jit_v_sx[3] = { X86_VPMOVSXBW, X86_VPMOVSXWD, X86_VPMOVSXDQ };
const uint32_t jit_v_zx[3] = { X86_VPMOVZXBW, X86_VPMOVZXWD, X86_VPMOVZXDQ };

/* ---- Pieces ---- */

void jit_v_store_part(struct jit *j, bool upper, unsigned n, unsigned xmm)
{
	if (upper) {
		unsigned old = xmm == JIT_D ? JIT_T : JIT_D;
		jit_v_load64(j, old, n, 0);
		jit_vr(j, X86_VPUNPCKLQDQ, xmm, old, xmm);
		jit_v_store(j, n, xmm);
	} else {
		jit_v_store_q(j, false, n, xmm);
	}
}

void jit_v_store_elem(struct jit *j, unsigned size, unsigned n, unsigned xmm)
{
	if (size == 3) {
		jit_v_store_q(j, false, n, xmm);
		return;
	}
	/* Up to the top, and down again. */
	x86_v_shift_bytes(&j->buf, true, xmm, xmm, 16 - (1u << size));
	x86_v_shift_bytes(&j->buf, false, xmm, xmm, 16 - (1u << size));
	jit_v_store_low(j, size, n, xmm);
}

void jit_v_same(struct jit *j, unsigned size, bool q, unsigned rd, unsigned rn, unsigned rm, jit_v_fn *fn)
{
	jit_v_load(j, JIT_N, rn);
	jit_v_load(j, JIT_M, rm);
	fn(j, size);
	jit_v_store_q(j, q, rd, JIT_R);
}

void jit_v_same_op(struct jit *j, uint32_t op, bool q, unsigned rd, unsigned rn, unsigned rm)
{
	unsigned n = jit_v_get(j, rn), m = jit_v_get(j, rm), d = jit_v_target(j, rd);

	jit_vr(j, op, d, n, m);
	if (!q)
		jit_vr(j, X86_VMOVQ, d, 0, d);
	jit_v_written_low(j, rd, q ? 4 : 3);
}

void jit_v_unary(struct jit *j, unsigned size, bool q, unsigned rd, unsigned rn, jit_v_fn *fn)
{
	jit_v_load(j, JIT_N, rn);
	fn(j, size);
	jit_v_store_q(j, q, rd, JIT_R);
}

void jit_v_unzip(struct jit *j, unsigned size, bool q, bool odd, unsigned dst, unsigned n, unsigned m)
{
	struct x86_buf *b = &j->buf;

	if (!q) {
		/* Both halves of one register. */
		jit_vr(j, X86_VPUNPCKLQDQ, dst, n, m);
		n = m = dst;
	}
	switch (size) {
	case 0:
		if (odd) {
			x86_v_shift(b, X86_VSRL, 1, JIT_Z, m, 8);
			x86_v_shift(b, X86_VSRL, 1, dst, n, 8);
		} else {
			jit_vk(j, X86_VPAND, JIT_Z, m, JIT_K_LOW_B);
			jit_vk(j, X86_VPAND, dst, n, JIT_K_LOW_B);
		}
		jit_vr(j, X86_VPACKUSWB, dst, dst, JIT_Z);
		break;
	case 1:
		if (odd) {
			x86_v_shift(b, X86_VSRL, 2, JIT_Z, m, 16);
			x86_v_shift(b, X86_VSRL, 2, dst, n, 16);
		} else {
			jit_vk(j, X86_VPAND, JIT_Z, m, JIT_K_LOW_H);
			jit_vk(j, X86_VPAND, dst, n, JIT_K_LOW_H);
		}
		jit_vr(j, X86_VPACKUSDW, dst, dst, JIT_Z);
		break;
	case 2:
		x86_vi(b, X86_VSHUFPS, dst, n, x86_r(m), odd ? 0xdd : 0x88);
		break;
	default:
		jit_vr(j, odd ? X86_VPUNPCKHQDQ : X86_VPUNPCKLQDQ, dst, n, m);
		break;
	}
}

void jit_v_shift_left(struct jit *j, unsigned size, unsigned dst, unsigned src, unsigned count)
{
	x86_v_shift(&j->buf, X86_VSLL, size ? size : 1, dst, src, count);
	if (size == 0) {
		jit_v_imm_elems(j, JIT_Z, 0, 0xffu << count);
		jit_vr(j, X86_VPAND, dst, dst, JIT_Z);
	}
}

void jit_v_shift_right(struct jit *j, bool is_signed, unsigned size, unsigned dst, unsigned src, unsigned count)
{
	struct x86_buf *b = &j->buf;

	if (size == 0) {
		x86_v_shift(b, X86_VSRL, 1, dst, src, count);
		jit_v_imm_elems(j, JIT_Z, 0, 0xffu >> count);
		jit_vr(j, X86_VPAND, dst, dst, JIT_Z);
		if (is_signed && count > 7) {
			/* All sign. */
			jit_v_zero(j, dst);
			jit_vr(j, X86_VPCMPGTB, dst, dst, src);
		} else if (is_signed) {
			/* Extend from the bit where the sign is now. */
			jit_v_imm_elems(j, JIT_Z, 0, 0x80u >> count);
			jit_vr(j, X86_VPXOR, dst, dst, JIT_Z);
			jit_vr(j, X86_VPSUBB, dst, dst, JIT_Z);
		}
	} else if (is_signed && size == 3 && j->host_has & JIT_AVX512) {
		x86_ev_shift(b, X86_VPSRA, X86_W, dst, src, count);
	} else if (is_signed && size == 3) {
		jit_v_zero(j, JIT_Z);
		jit_vr(j, X86_VPCMPGTQ, JIT_Z, JIT_Z, src);
		jit_vr(j, X86_VPXOR, dst, src, JIT_Z);
		x86_v_shift(b, X86_VSRL, 3, dst, dst, count);
		jit_vr(j, X86_VPXOR, dst, dst, JIT_Z);
	} else {
		x86_v_shift(b, is_signed ? X86_VSRA : X86_VSRL, size, dst, src, count);
	}
}

void jit_v_narrow(struct jit *j, unsigned size, unsigned dst, unsigned src)
{
	if (size == 0) {
		jit_vk(j, X86_VPAND, dst, src, JIT_K_LOW_B);
		jit_vr(j, X86_VPACKUSWB, dst, dst, dst);
	} else if (size == 1) {
		jit_vk(j, X86_VPAND, dst, src, JIT_K_LOW_H);
		jit_vr(j, X86_VPACKUSDW, dst, dst, dst);
	} else {
		x86_vi(&j->buf, X86_VPSHUFD, dst, 0, x86_r(src), 0x08);
	}
}

static void qc_piece(struct jit *j, const struct jit_slow *s)
{
	x86_alu_imm(&j->buf, X86_OR, 0, JIT_CPU(fpsr), 1 << 27);
	x86_jmp_to(&j->buf, s->resume);
}

void jit_v_set_qc(struct jit *j, bool q, unsigned xmm)
{
	if (!q)
		jit_vr(j, X86_VMOVQ, xmm, 0, xmm);
	jit_vr(j, X86_VPTEST, xmm, 0, xmm);
	struct jit_slow *s = jit_slow_add(j, qc_piece);
	s->branch[0] = x86_jcc(&j->buf, X86_NE);
	jit_slow_resume(j, s);
}

/* ---- The interpreter, out of line ---- */

struct jit_slow *jit_v_slow(struct jit *j, uint32_t branch)
{
	struct jit_slow *s = jit_slow_add(j, jit_insn_piece);

	s->branch[0] = branch;
	return s;
}
