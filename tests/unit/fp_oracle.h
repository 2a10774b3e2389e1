/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A second opinion on floating point: GNU MPFR computes the exact result, and
 * one simple rounding step, written apart from emu/fp.c, makes the format's
 * number and flags of it.
 */
#ifndef TESTS_UNIT_FP_ORACLE_H
#define TESTS_UNIT_FP_ORACLE_H

#include "emu/fp_priv.h"

enum oracle_op { ORACLE_ADD, ORACLE_SUB, ORACLE_MUL, ORACLE_DIV, ORACLE_SQRT, ORACLE_MULADD, ORACLE_RECIP_STEP,
		 ORACLE_RSQRT_STEP, ORACLE_OP_COUNT };

/* Whether the bit pattern is a finite number other than zero, denormals that
 * FPCR flushes not among them. */
bool oracle_is_plain(enum fp_fmt fmt, uint64_t bits, uint32_t fpcr);

/* The result for plain operands (oracle_is_plain), and its flags. */
uint64_t oracle_compute(enum oracle_op op, enum fp_fmt fmt, const uint64_t ops[3], uint32_t fpcr, uint32_t *fpsr);

/* A plain operand in another format, without AHP. */
uint64_t oracle_convert(enum fp_fmt to, enum fp_fmt from, uint64_t op, enum fp_rounding rounding, uint32_t fpcr,
			uint32_t *fpsr);

uint64_t oracle_to_fixed(enum fp_fmt fmt, uint64_t op, unsigned bits, unsigned fbits, bool is_unsigned,
			 enum fp_rounding rounding, uint32_t *fpsr);
uint64_t oracle_from_fixed(enum fp_fmt fmt, uint64_t op, unsigned bits, unsigned fbits, bool is_unsigned,
			   uint32_t fpcr, uint32_t *fpsr);
uint64_t oracle_round_int(enum fp_fmt fmt, uint64_t op, enum fp_rounding rounding, bool exact, uint32_t *fpsr);

#endif
