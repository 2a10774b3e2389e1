/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: cryptography on the host's AES, PCLMULQDQ and SHA instructions, but for
 * SHA-256, which is emu/jit_sha256.c. See emu/jit_vec_priv.h; what each does is in emu/interp_crypto_aes.c and
 * emu/interp_crypto_sha.c. Thread: the vCPU's own.
 */
#include "emu/jit_fp_priv.h"

/* ---- AES ---- */

/*
 * A round of the guest adds its key at the beginning, one of the host at the end.
 * AESE and AESMC, or AESD and AESIMC, of the same register make a full round, for
 * which the host has an instruction: `full`, if `mix` is next.
 */
static void aes_round(struct jit *j, const struct a64_args_AESE *a, uint32_t last, enum a64_op mix, uint32_t full)
{
	unsigned n = jit_v_get(j, a->Rn), d = jit_v_get(j, a->Rd);
	struct a64_args_AESMC next;
	uint32_t word;
	bool is_mixed = jit_next_is(j, mix, &word);

	jit_vr(j, X86_VPXOR, d, d, n);
	jit_v_zero(j, JIT_T);
	a64_extract_AESMC(word, &next);
	if (is_mixed && next.Rd == a->Rd && next.Rn == a->Rd) {
		jit_vr(j, full, d, d, JIT_T);
		jit_take_next(j);
	} else {
		jit_vr(j, last, d, d, JIT_T);
	}
	jit_v_written(j, a->Rd);
}

JIT_INSN(AESE)
{
	aes_round(j, a, X86_VAESENCLAST, A64_AESMC, X86_VAESENC);
}

JIT_INSN(AESD)
{
	aes_round(j, (const void *)a, X86_VAESDECLAST, A64_AESIMC, X86_VAESDEC);
}

/* A full round mixes columns; what it does before is undone first. */
JIT_INSN(AESMC)
{
	unsigned n = jit_v_get(j, a->Rn);

	jit_v_zero(j, JIT_T);
	jit_vr(j, X86_VAESDECLAST, JIT_R, n, JIT_T);
	jit_vr(j, X86_VAESENC, jit_v_target(j, a->Rd), JIT_R, JIT_T);
	jit_v_written(j, a->Rd);
}

JIT_INSN(AESIMC)
{
	x86_v(&j->buf, X86_VAESIMC, JIT_R, 0, jit_v_rm(j, a->Rn));
	jit_v_store(j, a->Rd, JIT_R);
}

JIT_INSN(PMULL_64)
{
	jit_v_load(j, JIT_N, a->Rn);
	jit_v_load(j, JIT_M, a->Rm);
	x86_vi(&j->buf, X86_VPCLMULQDQ, JIT_R, JIT_N, x86_r(JIT_M), a->Q ? 0x11 : 0x00);
	jit_v_store(j, a->Rd, JIT_R);
}

/* ---- SHA-1 ---- */

/* The host's rounds have the words in the other order, e in the first of W, and add the constant. */
static void sha1_rounds(struct jit *j, const struct a64_args_SHA1C *a, unsigned function)
{
	struct x86_buf *b = &j->buf;

	jit_v_load(j, JIT_M, a->Rm);
	jit_vk(j, X86_VPSUBD, JIT_M, JIT_M, (enum jit_v_const)(JIT_K_SHA1_0 + function));
	x86_vi(b, X86_VINSERTPS, JIT_N, 0, jit_v_rm(j, a->Rn), JIT_INSERT_LOW);
	jit_vr(j, X86_VPADDD, JIT_M, JIT_M, JIT_N);
	x86_vi(b, X86_VPSHUFD, JIT_M, 0, x86_r(JIT_M), 0x1b);
	x86_vi(b, X86_VPSHUFD, JIT_R, 0, jit_v_rm(j, a->Rd), 0x1b);
	x86_op(b, X86_SHA1RNDS4, JIT_R, x86_r(JIT_M));
	x86_u8(b, function);
	x86_vi(b, X86_VPSHUFD, JIT_R, 0, x86_r(JIT_R), 0x1b);
	jit_v_store(j, a->Rd, JIT_R);
}

JIT_INSN(SHA1C)
{
	sha1_rounds(j, a, 0);
}

JIT_INSN(SHA1P)
{
	sha1_rounds(j, a, 1);
}

JIT_INSN(SHA1M)
{
	sha1_rounds(j, a, 2);
}

JIT_INSN(SHA1H)
{
	jit_v_elem_out(j, X86_RAX, 2, a->Rn, 0);
	x86_shift_imm(&j->buf, X86_ROL, 0, X86_RAX, 30);
	x86_v(&j->buf, X86_VMOVD_IN, JIT_R, 0, x86_r(X86_RAX));
	jit_v_store(j, a->Rd, JIT_R);
}

JIT_INSN(SHA1SU0)
{
	jit_v_load(j, JIT_D, a->Rd);
	jit_v_load(j, JIT_N, a->Rn);
	x86_vi(&j->buf, X86_VPALIGNR, JIT_R, JIT_N, x86_r(JIT_D), 8);
	jit_vr(j, X86_VPXOR, JIT_R, JIT_R, JIT_D);
	x86_v(&j->buf, X86_VPXOR, JIT_R, JIT_R, jit_v_rm(j, a->Rm));
	jit_v_store(j, a->Rd, JIT_R);
}

/* dst = the words of src rotated to the left. Clobbers Z. */
static void rotate_words(struct jit *j, unsigned dst, unsigned src, unsigned count)
{
	if (j->host_has & JIT_AVX512) {
		x86_ev_shift(&j->buf, X86_VPROL, 0, dst, src, count);
		return;
	}
	x86_v_shift(&j->buf, X86_VSRL, 2, JIT_Z, src, 32 - count);
	x86_v_shift(&j->buf, X86_VSLL, 2, dst, src, count);
	jit_vr(j, X86_VPOR, dst, dst, JIT_Z);
}

JIT_INSN(SHA1SU1)
{
	struct x86_buf *b = &j->buf;

	jit_v_load(j, JIT_N, a->Rn);
	x86_v_shift_bytes(b, false, JIT_T, JIT_N, 4);
	x86_v(b, X86_VPXOR, JIT_T, JIT_T, jit_v_rm(j, a->Rd));
	rotate_words(j, JIT_R, JIT_T, 1);
	/* The first word, rotated twice, goes into the last. */
	x86_v_shift_bytes(b, true, JIT_T, JIT_T, 12);
	rotate_words(j, JIT_U, JIT_T, 2);
	jit_vr(j, X86_VPXOR, JIT_R, JIT_R, JIT_U);
	jit_v_store(j, a->Rd, JIT_R);
}

/* ---- SHA-3 ---- */

/* Vd = a function of Vn, Vm and Va, by one instruction. */
static void ternary(struct jit *j, const struct a64_args_EOR3 *a, int function)
{
	unsigned m = jit_v_get(j, a->Rm), other = jit_v_get(j, a->Ra);

	jit_v_load(j, JIT_R, a->Rn);
	jit_v_ternary(j, JIT_R, m, other, function);
	jit_v_store(j, a->Rd, JIT_R);
}

JIT_INSN(EOR3)
{
	if (j->host_has & JIT_AVX512) {
		ternary(j, a, X86_TERN_A ^ X86_TERN_B ^ X86_TERN_C);
		return;
	}
	jit_v_load(j, JIT_R, a->Rn);
	x86_v(&j->buf, X86_VPXOR, JIT_R, JIT_R, jit_v_rm(j, a->Rm));
	x86_v(&j->buf, X86_VPXOR, JIT_R, JIT_R, jit_v_rm(j, a->Ra));
	jit_v_store(j, a->Rd, JIT_R);
}

JIT_INSN(BCAX)
{
	if (j->host_has & JIT_AVX512) {
		ternary(j, a, X86_TERN_A ^ (X86_TERN_B & ~X86_TERN_C));
		return;
	}
	jit_v_load(j, JIT_R, a->Ra);
	x86_v(&j->buf, X86_VPANDN, JIT_R, JIT_R, jit_v_rm(j, a->Rm));
	x86_v(&j->buf, X86_VPXOR, JIT_R, JIT_R, jit_v_rm(j, a->Rn));
	jit_v_store(j, a->Rd, JIT_R);
}

/* R = the doublewords of `src` rotated to the right. */
static void rotate_doublewords(struct jit *j, unsigned src, unsigned count)
{
	if (j->host_has & JIT_AVX512) {
		x86_ev_shift(&j->buf, X86_VPROR, X86_W, JIT_R, src, count);
		return;
	}
	x86_v_shift(&j->buf, X86_VSRL, 3, JIT_T, src, count);
	x86_v_shift(&j->buf, X86_VSLL, 3, JIT_R, src, 64 - count);
	jit_vr(j, X86_VPOR, JIT_R, JIT_R, JIT_T);
}

JIT_INSN(RAX1)
{
	jit_v_load(j, JIT_M, a->Rm);
	rotate_doublewords(j, JIT_M, 63);
	x86_v(&j->buf, X86_VPXOR, JIT_R, JIT_R, jit_v_rm(j, a->Rn));
	jit_v_store(j, a->Rd, JIT_R);
}

JIT_INSN(XAR)
{
	jit_v_load(j, JIT_N, a->Rn);
	x86_v(&j->buf, X86_VPXOR, JIT_N, JIT_N, jit_v_rm(j, a->Rm));
	rotate_doublewords(j, JIT_N, a->imm6);
	jit_v_store(j, a->Rd, JIT_R);
}
