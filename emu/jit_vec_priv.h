/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the translators of floating point and Advanced SIMD (emu/jit_simd_*.c,
 * emu/jit_fp*.c) share. They need AVX2 on the host: without it their
 * instructions are calls of the interpreter, as are the forms that
 * emu/jit_ops_simd.def leaves out. Where one instruction of AVX-512VL does what
 * takes AVX2 several, it is used if the host has it (JIT_AVX512).
 *
 * Vector registers are used where they are in the host's (emu/jit_vregs.c), or
 * copied to XMM0 to XMM7, where everything else is computed. Whoever uses them
 * directly gets all of them before he adds a slow path, and writes the target
 * when nothing can go wrong any more.
 */
#ifndef EMU_JIT_VEC_PRIV_H
#define EMU_JIT_VEC_PRIV_H

#include "emu/jit_priv.h"
#include "emu/x86_vec_priv.h"

/* Of an element function: operands are in N, M and D (the destination's old
 * value), the result goes to R, the rest is scratch. */
enum { JIT_R = 0, JIT_N = 1, JIT_M = 2, JIT_D = 3, JIT_T = 4, JIT_U = 5, JIT_W = 6, JIT_Z = 7 };
typedef void jit_v_fn(struct jit *j, unsigned size);

/* ---- Constants, 16 bytes each, in the code's buffer ---- */

enum jit_v_const {
	JIT_K_REV64_8, JIT_K_REV64_16, JIT_K_REV32_8, JIT_K_REV32_16, JIT_K_REV16_8,
	JIT_K_NIBBLE, JIT_K_COUNT_NIBBLE, JIT_K_REVERSE_LOW, JIT_K_REVERSE_HIGH, JIT_K_CLZ_LOW, JIT_K_CLZ_HIGH,
	JIT_K_ONE_B, JIT_K_ONE_H, JIT_K_SIGN_B, JIT_K_SIGN_S, JIT_K_SIGN_D, JIT_K_ABS_S, JIT_K_ABS_D,
	JIT_K_MIN_NORMAL_S, JIT_K_MIN_NORMAL_D, JIT_K_LOW_B, JIT_K_LOW_H, JIT_K_LOW_S, JIT_K_112_B,
	JIT_K_ONE_FP_S, JIT_K_ONE_FP_D, JIT_K_HALF_FP_S, JIT_K_HALF_FP_D,
	JIT_K_SHA1_0, JIT_K_SHA1_1, JIT_K_SHA1_2,
	/* Bytes to pick: members of structures of 2 and 4 together in a register (LD2_H: also back from LD4_H). Of three
	 * registers: by log2 of the element's size, by result, by source. */
	JIT_K_LD2_B, JIT_K_LD2_H, JIT_K_LD4_B, JIT_K_LD4_H,
	JIT_K_LD3, JIT_K_ST3 = JIT_K_LD3 + 27, JIT_K_ST3_END = JIT_K_ST3 + 27 - 1,
	JIT_K_CRC32,
	JIT_K_COUNT
};

/* In an instruction without an immediate. */
static inline struct x86_rm jit_k(const struct jit *j, enum jit_v_const k)
{
	return x86_rip(j->v_consts + 16 * (unsigned)k, 0);
}

/* ---- Instructions ---- */

static inline void jit_vr(struct jit *j, uint32_t op, unsigned reg, unsigned src, unsigned src2)
{
	x86_vr(&j->buf, op, reg, src, src2);
}

static inline void jit_vk(struct jit *j, uint32_t op, unsigned reg, unsigned src, enum jit_v_const k)
{
	x86_v(&j->buf, op, reg, src, jit_k(j, k));
}

static inline void jit_vki(struct jit *j, uint32_t op, unsigned reg, unsigned src, enum jit_v_const k, unsigned imm)
{
	x86_vi(&j->buf, op, reg, src, x86_rip(j->v_consts + 16 * (unsigned)k, 1), imm);
}

static inline void jit_v_zero(struct jit *j, unsigned xmm)
{
	jit_vr(j, X86_VPXOR, xmm, xmm, xmm);
}

static inline void jit_v_ones(struct jit *j, unsigned xmm)
{
	jit_vr(j, X86_VPCMPEQD, xmm, xmm, xmm);
}

/* dst = a function of dst, b and c by bits, written as one of X86_TERN_*. JIT_AVX512. */
static inline void jit_v_ternary(struct jit *j, unsigned dst, unsigned b, unsigned c, int function)
{
	x86_vri(&j->buf, X86_VPTERNLOGQ, dst, b, c, function & 0xff);
}

/* dst = ~src, not the same. */
static inline void jit_v_not(struct jit *j, unsigned dst, unsigned src)
{
	if (j->host_has & JIT_AVX512) {
		jit_v_ternary(j, dst, src, src, ~X86_TERN_C);
	} else {
		jit_v_ones(j, dst);
		jit_vr(j, X86_VPXOR, dst, dst, src);
	}
}

/* Two copies of a constant. Clobbers RAX. */
void jit_v_imm(struct jit *j, unsigned xmm, uint64_t val);
/* val in every element. */
static inline void jit_v_imm_elems(struct jit *j, unsigned xmm, unsigned size, uint64_t val)
{
	jit_v_imm(j, xmm, size == 0 ? (val & 0xff) * 0x0101010101010101ull : size == 1 ? (val & 0xffff) * 0x0001000100010001ull :
		size == 2 ? (val & 0xffffffff) * 0x0000000100000001ull : val);
}

/* ---- Guest registers ---- */

/* The host register that has Vn; it is not to be written. */
unsigned jit_v_get(struct jit *j, unsigned n);
static inline struct x86_rm jit_v_rm(struct jit *j, unsigned n)
{
	return x86_r(jit_v_get(j, n));
}

/* The one to compute all of Vn in, which is old until then; jit_v_written when it is done. */
unsigned jit_v_target(struct jit *j, unsigned n);
void jit_v_written(struct jit *j, unsigned n);
/* The same, when what is above (1 << scale) bytes has been written with zeroes: 2 and 3 are made use of. */
void jit_v_written_low(struct jit *j, unsigned n, unsigned scale);
/* Whether that is known of Vn; 2 or 3. */
bool jit_v_is_clear(struct jit *j, unsigned n, unsigned scale);

/* Copies all of it. */
void jit_v_load(struct jit *j, unsigned xmm, unsigned n);
void jit_v_store(struct jit *j, unsigned n, unsigned xmm);
/* The same, as jit_v_written_low. */
void jit_v_store_low(struct jit *j, unsigned scale, unsigned n, unsigned xmm);
/* 64 bits from byte `at`, 0 or 8; clears the rest. */
void jit_v_load64(struct jit *j, unsigned xmm, unsigned n, unsigned at);
/* The register that has Vn from byte `at` on in its lower part: its own, or `scratch`. */
unsigned jit_v_part(struct jit *j, unsigned scratch, unsigned n, unsigned at);
/* General register = element of Vn at byte `at`, zero-extended. */
void jit_v_elem_out(struct jit *j, unsigned reg, unsigned size, unsigned n, unsigned at);
/* A move without a second source (X86_VMOV*), in the host's encoding. */
void jit_v_move(struct jit *j, uint32_t op, unsigned reg, struct x86_rm rm);
/* Those from memory, which clear the rest, and to it, by log2 of the size: 2 to 4. */
static inline uint32_t jit_v_load_op(unsigned scale)
{
	return scale == 2 ? X86_VMOVD_IN : scale == 3 ? X86_VMOVQ : X86_VMOVUPS;
}

static inline uint32_t jit_v_store_op(unsigned scale)
{
	return scale == 2 ? X86_VMOVD_OUT : scale == 3 ? X86_VMOVQ_STORE : X86_VMOVUPS_STORE;
}

/* The lower 64 bits alone unless `q`: the rest is cleared. Clobbers xmm then. */
static inline void jit_v_store_q(struct jit *j, bool q, unsigned n, unsigned xmm)
{
	if (!q)
		jit_vr(j, X86_VMOVQ, xmm, 0, xmm);
	jit_v_store_low(j, q ? 4 : 3, n, xmm);
}

/* The lower element alone. */
void jit_v_store_elem(struct jit *j, unsigned size, unsigned n, unsigned xmm);

/* The lower 64 bits of xmm become the lower half of Vn, the rest being cleared,
 * or the upper half, the rest being kept: what narrowing instructions do. Clobbers xmm. */
void jit_v_store_part(struct jit *j, bool upper, unsigned n, unsigned xmm);

/* ---- Applying element functions: the scalar forms pass no `q` ---- */

void jit_v_same(struct jit *j, unsigned size, bool q, unsigned rd, unsigned rn, unsigned rm, jit_v_fn *fn);
void jit_v_unary(struct jit *j, unsigned size, bool q, unsigned rd, unsigned rn, jit_v_fn *fn);
/* What the host does in one instruction, where the registers are. */
void jit_v_same_op(struct jit *j, uint32_t op, bool q, unsigned rd, unsigned rn, unsigned rm);

/* dst = the even (`odd`: odd) elements of m:n. Clobbers Z; may be none of the operands otherwise than dst. */
void jit_v_unzip(struct jit *j, unsigned size, bool q, bool odd, unsigned dst, unsigned n, unsigned m);
/* dst = src shifted by an immediate, in any size. Clobbers Z and RAX. dst is not src. */
void jit_v_shift_right(struct jit *j, bool is_signed, unsigned size, unsigned dst, unsigned src, unsigned count);
void jit_v_shift_left(struct jit *j, unsigned size, unsigned dst, unsigned src, unsigned count);
/* dst = the lower halves of the elements of src, which have twice `size`, in 64 bits. */
void jit_v_narrow(struct jit *j, unsigned size, unsigned dst, unsigned src);
/* R = the doublewords of N as words, in 64 bits; T = ones where they saturate. Clobbers U and Z. */
void jit_v_saturate_d(struct jit *j, bool from_signed, bool to_signed);
/* FPSR.QC is set if any bit of xmm is (of its lower half, unless `q`). Clobbers xmm. */
void jit_v_set_qc(struct jit *j, bool q, unsigned xmm);

/* Opcodes by size of element. */
extern const uint32_t jit_v_add[4], jit_v_sub[4], jit_v_eq[4], jit_v_gt[4];
extern const uint32_t jit_v_smax[4], jit_v_smin[4], jit_v_umax[4], jit_v_umin[4]; /* the last: JIT_AVX512 */
extern const uint32_t jit_v_unpack_low[4], jit_v_unpack_high[4], jit_v_broadcast[4];
extern const uint32_t jit_v_sx[3], jit_v_zx[3];

/* ---- The interpreter, out of line ---- */

/* A slow path that executes the current instruction by the interpreter and goes
 * on behind the translation of it. `at` is the branch there; bind the way back
 * with jit_v_slow_end when the instruction is complete. */
struct jit_slow *jit_v_slow(struct jit *j, uint32_t branch);
static inline void jit_v_slow_end(struct jit *j, struct jit_slow *s)
{
	jit_slow_resume(j, s);
}

#endif
