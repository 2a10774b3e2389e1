/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vector part of the assembler in emu/x86_emit_priv.h: AVX, AVX2, FMA and
 * what else is VEX-encoded (Intel SDM volume 2, 2.3), some of AVX-512, which is
 * EVEX-encoded (2.7), and SHA, which is neither.
 *
 * Instructions are opcode words as there. x86_v is an instruction of three
 * operands, `reg` = `src` op `rm`; those of two have no `src`, which is then 0.
 * X86_EVEX tells the encoding: such instructions are here between registers only,
 * of 128 bits and without masks (x86_vr, x86_vri).
 */
#ifndef EMU_X86_VEC_PRIV_H
#define EMU_X86_VEC_PRIV_H

#include "emu/x86_emit_priv.h"

#define X86_L (1u << 18) /* 256 bits */
#define X86_EVEX (1u << 19)

#define X86_V0F (X86_0F | X86_66)
#define X86_V38 (X86_0F38 | X86_66)
#define X86_V3A (X86_0F3A | X86_66)
#define X86_E0F (X86_EVEX | X86_0F)
#define X86_E38 (X86_EVEX | X86_V38)
#define X86_E3A (X86_EVEX | X86_V3A)

enum {
	/* moves */
	X86_VMOVUPS = 0x10 | X86_0F,
	X86_VMOVUPS_STORE = 0x11 | X86_0F,
	X86_VMOVSS = 0x10 | X86_0F | X86_F3, /* from memory: clears the rest */
	X86_VMOVSD = 0x10 | X86_0F | X86_F2,
	X86_VMOVAPS = 0x28 | X86_0F,
	X86_VMOVQ = 0x7e | X86_0F | X86_F3,  /* xmm = xmm or memory: clears the rest */
	X86_VMOVQ_STORE = 0xd6 | X86_V0F,
	X86_VMOVD_IN = 0x6e | X86_V0F,       /* xmm = general register or memory; with X86_W 64 bits */
	X86_VMOVD_OUT = 0x7e | X86_V0F,      /* general register = xmm, which is the `reg` */
	X86_VMOVDDUP = 0x12 | X86_0F | X86_F2,
	X86_VMOVMSKPS = 0x50 | X86_0F,
	X86_VMOVMSKPD = 0x50 | X86_V0F,
	X86_VPMOVMSKB = 0xd7 | X86_V0F,
	X86_VPBROADCASTB = 0x78 | X86_V38,
	X86_VPBROADCASTW = 0x79 | X86_V38,
	X86_VPBROADCASTD = 0x58 | X86_V38,
	X86_VPBROADCASTQ = 0x59 | X86_V38,
	X86_VPINSRB = 0x20 | X86_V3A,
	X86_VPINSRW = 0xc4 | X86_V0F,
	X86_VPINSRD = 0x22 | X86_V3A, /* with X86_W: VPINSRQ */
	X86_VINSERTPS = 0x21 | X86_V3A,
	X86_VPEXTRB = 0x14 | X86_V3A, /* these: the vector is the `reg` */
	X86_VPEXTRW = 0x15 | X86_V3A,
	X86_VPEXTRD = 0x16 | X86_V3A, /* with X86_W: VPEXTRQ */

	/* logic */
	X86_VPAND = 0xdb | X86_V0F,
	X86_VPANDN = 0xdf | X86_V0F, /* ~src & rm */
	X86_VPOR = 0xeb | X86_V0F,
	X86_VPXOR = 0xef | X86_V0F,
	X86_VPTEST = 0x17 | X86_V38,
	X86_VPBLENDVB = 0x4c | X86_V3A, /* x86_v4 */
	X86_VPBLENDD = 0x02 | X86_V3A,
	X86_VPBLENDW = 0x0e | X86_V3A,

	/* integer arithmetic */
	X86_VPADDB = 0xfc | X86_V0F,
	X86_VPADDW = 0xfd | X86_V0F,
	X86_VPADDD = 0xfe | X86_V0F,
	X86_VPADDQ = 0xd4 | X86_V0F,
	X86_VPSUBB = 0xf8 | X86_V0F,
	X86_VPSUBW = 0xf9 | X86_V0F,
	X86_VPSUBD = 0xfa | X86_V0F,
	X86_VPSUBQ = 0xfb | X86_V0F,
	X86_VPADDSB = 0xec | X86_V0F,
	X86_VPADDSW = 0xed | X86_V0F,
	X86_VPADDUSB = 0xdc | X86_V0F,
	X86_VPADDUSW = 0xdd | X86_V0F,
	X86_VPSUBSB = 0xe8 | X86_V0F,
	X86_VPSUBSW = 0xe9 | X86_V0F,
	X86_VPSUBUSB = 0xd8 | X86_V0F,
	X86_VPSUBUSW = 0xd9 | X86_V0F,
	X86_VPAVGB = 0xe0 | X86_V0F,
	X86_VPAVGW = 0xe3 | X86_V0F,
	X86_VPABSB = 0x1c | X86_V38,
	X86_VPABSW = 0x1d | X86_V38,
	X86_VPABSD = 0x1e | X86_V38,
	X86_VPSADBW = 0xf6 | X86_V0F,
	X86_VPMULLW = 0xd5 | X86_V0F,
	X86_VPMULHW = 0xe5 | X86_V0F,
	X86_VPMULHUW = 0xe4 | X86_V0F,
	X86_VPMULHRSW = 0x0b | X86_V38,
	X86_VPMULLD = 0x40 | X86_V38,
	X86_VPMULUDQ = 0xf4 | X86_V0F,
	X86_VPMULDQ = 0x28 | X86_V38,
	X86_VPMADDWD = 0xf5 | X86_V0F,
	X86_VPMADDUBSW = 0x04 | X86_V38, /* src unsigned, rm signed */
	X86_VPMINSB = 0x38 | X86_V38,
	X86_VPMINSW = 0xea | X86_V0F,
	X86_VPMINSD = 0x39 | X86_V38,
	X86_VPMINUB = 0xda | X86_V0F,
	X86_VPMINUW = 0x3a | X86_V38,
	X86_VPMINUD = 0x3b | X86_V38,
	X86_VPMAXSB = 0x3c | X86_V38,
	X86_VPMAXSW = 0xee | X86_V0F,
	X86_VPMAXSD = 0x3d | X86_V38,
	X86_VPMAXUB = 0xde | X86_V0F,
	X86_VPMAXUW = 0x3e | X86_V38,
	X86_VPMAXUD = 0x3f | X86_V38,
	X86_VPCMPEQB = 0x74 | X86_V0F,
	X86_VPCMPEQW = 0x75 | X86_V0F,
	X86_VPCMPEQD = 0x76 | X86_V0F,
	X86_VPCMPEQQ = 0x29 | X86_V38,
	X86_VPCMPGTB = 0x64 | X86_V0F,
	X86_VPCMPGTW = 0x65 | X86_V0F,
	X86_VPCMPGTD = 0x66 | X86_V0F,
	X86_VPCMPGTQ = 0x37 | X86_V38,

	/* shifts; for those by an immediate see x86_v_shift */
	X86_VPSLLVD = 0x47 | X86_V38, /* with X86_W: of quadwords */
	X86_VPSRLVD = 0x45 | X86_V38, /* the same */
	X86_VPSRAVD = 0x46 | X86_V38,

	/* permutation */
	X86_VPSHUFB = 0x00 | X86_V38,
	X86_VPSHUFD = 0x70 | X86_V0F,
	X86_VPSHUFLW = 0x70 | X86_0F | X86_F2,
	X86_VPSHUFHW = 0x70 | X86_0F | X86_F3,
	X86_VSHUFPS = 0xc6 | X86_0F,
	X86_VPALIGNR = 0x0f | X86_V3A,
	X86_VPUNPCKLBW = 0x60 | X86_V0F,
	X86_VPUNPCKLWD = 0x61 | X86_V0F,
	X86_VPUNPCKLDQ = 0x62 | X86_V0F,
	X86_VPUNPCKLQDQ = 0x6c | X86_V0F,
	X86_VPUNPCKHBW = 0x68 | X86_V0F,
	X86_VPUNPCKHWD = 0x69 | X86_V0F,
	X86_VPUNPCKHDQ = 0x6a | X86_V0F,
	X86_VPUNPCKHQDQ = 0x6d | X86_V0F,
	X86_VPACKSSWB = 0x63 | X86_V0F,
	X86_VPACKSSDW = 0x6b | X86_V0F,
	X86_VPACKUSWB = 0x67 | X86_V0F,
	X86_VPACKUSDW = 0x2b | X86_V38,
	X86_VPMOVSXBW = 0x20 | X86_V38,
	X86_VPMOVSXBD = 0x21 | X86_V38,
	X86_VPMOVSXWD = 0x23 | X86_V38,
	X86_VPMOVSXDQ = 0x25 | X86_V38,
	X86_VPMOVZXBW = 0x30 | X86_V38,
	X86_VPMOVZXBD = 0x31 | X86_V38,
	X86_VPMOVZXWD = 0x33 | X86_V38,
	X86_VPMOVZXDQ = 0x35 | X86_V38,

	/* floating point: as packed singles; see x86_fp */
	X86_FP_ADD = 0x58 | X86_0F,
	X86_FP_MUL = 0x59 | X86_0F,
	X86_FP_SUB = 0x5c | X86_0F,
	X86_FP_MIN = 0x5d | X86_0F,
	X86_FP_DIV = 0x5e | X86_0F,
	X86_FP_MAX = 0x5f | X86_0F,
	X86_FP_SQRT = 0x51 | X86_0F,
	X86_FP_CMP = 0xc2 | X86_0F,     /* a predicate follows */
	X86_VCVTSS2SD = 0x5a | X86_0F | X86_F3,
	X86_VCVTSD2SS = 0x5a | X86_0F | X86_F2,
	X86_VCVTPS2PD = 0x5a | X86_0F,
	X86_VCVTPD2PS = 0x5a | X86_V0F,
	X86_VCVTDQ2PS = 0x5b | X86_0F,
	X86_VCVTTPS2DQ = 0x5b | X86_0F | X86_F3,
	X86_VCVTSI2SS = 0x2a | X86_0F | X86_F3,  /* from a general register; X86_W: 64 bits */
	X86_VCVTSI2SD = 0x2a | X86_0F | X86_F2,
	X86_VCVTTSS2SI = 0x2c | X86_0F | X86_F3,
	X86_VCVTTSD2SI = 0x2c | X86_0F | X86_F2,
	X86_VUCOMISS = 0x2e | X86_0F,            /* with X86_66 of doubles */
	X86_VCOMISS = 0x2f | X86_0F,
	X86_VROUNDPS = 0x08 | X86_V3A,           /* PD, SS, SD: the next opcodes */
	X86_VCVTPH2PS = 0x13 | X86_V38,
	X86_VCVTPS2PH = 0x1d | X86_V3A,          /* the source is the `reg` */
	X86_VFMADD213 = 0xa8 | X86_V38,          /* as VFMADD231, but: reg = src * reg + rm */
	X86_VFMADD231 = 0xb8 | X86_V38,          /* packed; scalar: + 1; X86_W: doubles. reg += src * rm */
	X86_VFMSUB231 = 0xba | X86_V38,          /* reg = src * rm - reg */
	X86_VFNMADD231 = 0xbc | X86_V38,         /* reg = -(src * rm) + reg */
	X86_VFNMSUB231 = 0xbe | X86_V38,         /* reg = -(src * rm) - reg */

	/* cryptography */
	X86_VAESENC = 0xdc | X86_V38,
	X86_VAESENCLAST = 0xdd | X86_V38,
	X86_VAESDEC = 0xde | X86_V38,
	X86_VAESDECLAST = 0xdf | X86_V38,
	X86_VAESIMC = 0xdb | X86_V38,
	X86_VPCLMULQDQ = 0x44 | X86_V3A,
	X86_SHA1RNDS4 = 0xcc | X86_0F3A, /* these: x86_op */
	X86_SHA256RNDS2 = 0xcb | X86_0F38,
	X86_SHA256MSG1 = 0xcc | X86_0F38,
	X86_SHA256MSG2 = 0xcd | X86_0F38,

	/* AVX-512: F, BW, CD and DQ, with VL; for rotations by an immediate and the like see x86_ev_shift */
	X86_VPTERNLOGQ = 0x25 | X86_E3A | X86_W, /* an immediate follows: X86_TERN_* */
	X86_VPABSQ = 0x1f | X86_E38 | X86_W,
	X86_VPMINSQ = 0x39 | X86_E38 | X86_W,
	X86_VPMINUQ = 0x3b | X86_E38 | X86_W,
	X86_VPMAXSQ = 0x3d | X86_E38 | X86_W,
	X86_VPMAXUQ = 0x3f | X86_E38 | X86_W,
	X86_VPSRLVW = 0x10 | X86_E38 | X86_W,
	X86_VPSRAVW = 0x11 | X86_E38 | X86_W,
	X86_VPSLLVW = 0x12 | X86_E38 | X86_W,
	X86_VPSRAVQ = 0x46 | X86_E38 | X86_W,
	X86_VPLZCNTD = 0x44 | X86_E38,
	X86_VPBROADCASTD_GPR = 0x7c | X86_E38,   /* from a general register; X86_W: 64 bits */
	X86_VCVTUSI2SS = 0x7b | X86_E0F | X86_F3, /* the same */
	X86_VCVTUSI2SD = 0x7b | X86_E0F | X86_F2,
	X86_VCVTUDQ2PS = 0x7a | X86_E0F | X86_F2,
	X86_VCVTUQQ2PD = 0x7a | X86_E0F | X86_F3 | X86_W,
	X86_VCVTQQ2PD = 0xe6 | X86_E0F | X86_F3 | X86_W,
	X86_VCVTTPD2QQ = 0x7a | X86_E0F | X86_66 | X86_W,
	X86_VPOPCNTB = 0x54 | X86_E38,           /* BITALG */
};

/* VPTERNLOG's immediate is what its function of three bits makes of these: `reg`, `src` and `src2`. */
enum x86_tern { X86_TERN_A = 0xf0, X86_TERN_B = 0xcc, X86_TERN_C = 0xaa };

/* Predicates of X86_FP_CMP: `Q` raises Invalid Operation for signalling NaNs only. */
enum x86_cmp {
	X86_CMP_EQ_OQ = 0x00,
	X86_CMP_LE_OQ = 0x12,
	X86_CMP_UNORD_Q = 0x03,
	X86_CMP_NGT_UQ = 0x1a, /* not greater, or unordered */
	X86_CMP_GE_OS = 0x0d,
	X86_CMP_GT_OS = 0x0e,
};

/* Rounding in X86_VROUND*. */
enum x86_round {
	X86_ROUND_NEAREST,
	X86_ROUND_DOWN,
	X86_ROUND_UP,
	X86_ROUND_ZERO,
	X86_ROUND_MXCSR,
	X86_ROUND_QUIET = 8, /* does not raise Inexact */
};

void x86_v(struct x86_buf *b, uint32_t op, unsigned reg, unsigned src, struct x86_rm rm);
void x86_ev(struct x86_buf *b, uint32_t op, unsigned reg, unsigned src, unsigned src2);

/* Registers only. */
static inline void x86_vr(struct x86_buf *b, uint32_t op, unsigned reg, unsigned src, unsigned src2)
{
	if (op & X86_EVEX)
		x86_ev(b, op, reg, src, src2);
	else
		x86_v(b, op, reg, src, x86_r(src2));
}

/* With an immediate. */
static inline void x86_vri(struct x86_buf *b, uint32_t op, unsigned reg, unsigned src, unsigned src2, unsigned imm)
{
	x86_vr(b, op, reg, src, src2);
	x86_u8(b, imm);
}

/* With an immediate; `rm` is not in the code. */
static inline void x86_vi(struct x86_buf *b, uint32_t op, unsigned reg, unsigned src, struct x86_rm rm, unsigned imm)
{
	x86_v(b, op, reg, src, rm);
	x86_u8(b, imm);
}

/* With a fourth register. */
static inline void x86_v4(struct x86_buf *b, uint32_t op, unsigned reg, unsigned src, unsigned src2, unsigned src3)
{
	x86_vi(b, op, reg, src, x86_r(src2), src3 << 4);
}

/* Shifts by an immediate. The values hold the opcode of words, to which the size is added, and the digit. */
enum x86_v_shift { X86_VSRL = 0x270, X86_VSRA = 0x470, X86_VSLL = 0x670 };

/* Elements of 1 << size bytes: 1, 2, 3; VSRA not 3. Counts of the width and more are fine. */
static inline void x86_v_shift(struct x86_buf *b, enum x86_v_shift shift, unsigned size, unsigned dst, unsigned src,
			       unsigned count)
{
	x86_vi(b, ((unsigned)shift & 0xff) | size | X86_V0F, (unsigned)shift >> 8, dst, x86_r(src), count);
}

/* By an immediate, what AVX-512 has besides: rotations, and to the right doublewords with their sign. The values are
 * the digit. `w`: X86_W for doublewords, 0 for words. */
enum x86_ev_shift { X86_VPROR = 0, X86_VPROL = 1, X86_VPSRA = 4 };

static inline void x86_ev_shift(struct x86_buf *b, enum x86_ev_shift shift, uint32_t w, unsigned dst, unsigned src,
				unsigned count)
{
	x86_vri(b, 0x72 | X86_E0F | X86_66 | w, shift, dst, src, count);
}

/* Whole registers, by bytes, to the right or the left. */
static inline void x86_v_shift_bytes(struct x86_buf *b, bool left, unsigned dst, unsigned src, unsigned count)
{
	x86_vi(b, 0x73 | X86_V0F, left ? 7 : 3, dst, x86_r(src), count);
}

/* A floating-point opcode for a format: single or double, packed or scalar. */
static inline uint32_t x86_fp(uint32_t op, bool is_double, bool is_scalar)
{
	return op | (is_scalar ? is_double ? X86_F2 : X86_F3 : is_double ? X86_66 : 0);
}

#endif
