/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the translators of loads and stores share; see emu/jit_ldst.c. Thread: the
 * vCPU's own.
 */
#ifndef EMU_JIT_LDST_PRIV_H
#define EMU_JIT_LDST_PRIV_H

#include "emu/jit_priv.h"

enum jit_access { JIT_PLAIN, JIT_ORDERED, JIT_UNPRIV };
enum jit_extend { JIT_ZERO, JIT_SIGN_W, JIT_SIGN_X };
enum { JIT_SSE_LOAD = 0x6f | X86_F3 | X86_0F, JIT_SSE_STORE = 0x7f | X86_F3 | X86_0F }; /* movdqu */

/* Where an address is: a register that stays what it is, or this one. */
enum { JIT_SCRATCH_VA = X86_RCX };

/* ---- Addresses ---- */

/* Xn + offset, with the check of SP. */
JIT_HOT unsigned jit_address(struct jit *j, unsigned n, int64_t offset);
/* The check alone. */
JIT_HOT void jit_check_base(struct jit *j, unsigned n);
/* Xm extended by the option's upper and lower bit (UXTW, LSL, SXTW, SXTX) and scaled, added to the base. */
JIT_HOT unsigned jit_indexed(struct jit *j, const struct a64_args_LDR_x_reg *a, unsigned scale);
/* PC + words * 4. */
unsigned jit_literal(struct jit *j, int32_t words);
JIT_HOT void jit_write_back(struct jit *j, unsigned n, int32_t offset);
/* What follows a load or store of structures: Xn becomes `bytes` more, or Xm more; rm is JIT_NO_INDEX where
 * there is no writeback. */
enum { JIT_NO_INDEX = 32 };
void jit_post_index(struct jit *j, unsigned n, unsigned rm, unsigned bytes);

/* ---- The look-up ---- */

/* Emits the look-up for [va, va+size): RAX becomes the entry. Returns the slow
 * path, which has the interpreter execute the instruction. Leaves RDX alone. */
JIT_HOT struct jit_slow *jit_look_up(struct jit *j, unsigned va, unsigned size, bool write, enum jit_access access);

/* The same for one page, without a check that all is in it: RAX becomes the
 * entry of `va`, a register, and `s` is branched to by its first branch. */
JIT_HOT void jit_look_up_page(struct jit *j, struct jit_slow *s, unsigned va, bool write);

/* What is emitted before a run of accesses by Xn: the look-up of `bytes` from Xn + lowest on; RDX becomes their
 * address. `aligned`: they are in one page. `kind`: JIT_SITE_*. Returns the slow path for all of the run: the caller
 * tells how many instructions these are, and where they end. */
JIT_HOT struct jit_slow *jit_ldst_look_up_run(struct jit *j, unsigned n, int32_t lowest, unsigned bytes, bool aligned,
					      unsigned kind);
/* The current instruction is LD1_mult_1_post: jit_ldst_run where it loads what SHA-256 needs (emu/jit_sha256.c). */
bool jit_sha256_loads(struct jit *j);

/* Whether a pair of X registers is to be one access. */
JIT_HOT bool jit_is_atomic_pair(const struct jit *j, unsigned n);

/* ---- Opcodes of accesses, by log2 of the size ---- */

JIT_HOT uint32_t jit_load_op(unsigned scale, enum jit_extend extend);
JIT_HOT uint32_t jit_store_op(unsigned scale);

#endif
