/* SPDX-License-Identifier: BSD-2-Clause */
/* What the translators of floating point share: see emu/jit_fp.c. */
#ifndef EMU_JIT_FP_PRIV_H
#define EMU_JIT_FP_PRIV_H

#include "emu/jit_vec_priv.h"

/* VINSERTPS of the lowest word that clears the others. */
enum { JIT_INSERT_LOW = 0x0e };

/* The lowest element; the rest of xmm is cleared. */
void jit_fp_load(struct jit *j, bool is_double, unsigned xmm, unsigned n);
/* A vector; without `q` its 64 bits twice, so that the upper half does as the lower one. */
void jit_fp_load_vec(struct jit *j, bool q, unsigned xmm, unsigned n);
/* The same in a register that is not to be written: Vn's own, or `scratch`. */
unsigned jit_fp_vec(struct jit *j, bool q, unsigned scratch, unsigned n);

/* The register that has the lowest element of Vn, and zeroes above: Vn's own, or `scratch`. */
unsigned jit_fp_low(struct jit *j, bool is_double, unsigned scratch, unsigned n);

/* Out of line by the interpreter (jit_v_slow) if one of two scalars is a NaN. */
struct jit_slow *jit_fp_check_nan(struct jit *j, bool is_double, unsigned xmm, unsigned xmm2);
/* ... if a scalar is a NaN or a smallest normal number. Clobbers T. */
struct jit_slow *jit_fp_check_tiny(struct jit *j, bool is_double, unsigned xmm);
/* ... if a lane of R is a NaN or, if `tiny`, a smallest normal number. Clobbers T and U. */
struct jit_slow *jit_fp_check_lanes(struct jit *j, bool is_double, bool tiny);

#endif
