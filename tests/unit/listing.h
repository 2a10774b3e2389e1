/* SPDX-License-Identifier: BSD-2-Clause */
/* What the JIT makes of a block, to read. */
#ifndef TESTS_UNIT_LISTING_H
#define TESTS_UNIT_LISTING_H

#include "emu/jit_priv.h"

/* Prints the block that has just been translated: the guest's instructions, and the host's
 * with their offsets in the block, slow paths last; bytes alone where Zydis was not there. */
void listing_print(const struct jit *j, const struct jit_block *block);

#endif
