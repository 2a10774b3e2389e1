/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads and stores of one register: Arm ARM C4.1, "Loads and stores", and
 * C6.2, C7.2.
 *
 * An operation (what is loaded into what, or stored) is a static function of
 * the address; the forms of addressing are made from it. Where base and target
 * are the same register in a form with writeback (CONSTRAINED UNPREDICTABLE),
 * a store stores the old value, and a load leaves the updated base.
 */
#include "emu/interp_priv.h"

#include "emu/alu_priv.h"
#include "emu/sys_priv.h"

/* ---- Operations ---- */

typedef void ldst_op(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc);

#define OP static inline __attribute__((always_inline)) void

OP strb(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	emu_st8(cpu, va, (uint8_t)interp_x(cpu, t), acc);
}

OP ldrb(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	interp_set_x(cpu, t, emu_ld8(cpu, va, acc));
}

OP ldrsb_x(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	interp_set_x(cpu, t, (uint64_t)(int8_t)emu_ld8(cpu, va, acc));
}

OP ldrsb_w(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	interp_set_w(cpu, t, (uint32_t)(int8_t)emu_ld8(cpu, va, acc));
}

OP strh(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	emu_st16(cpu, va, (uint16_t)interp_x(cpu, t), acc);
}

OP ldrh(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	interp_set_x(cpu, t, emu_ld16(cpu, va, acc));
}

OP ldrsh_x(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	interp_set_x(cpu, t, (uint64_t)(int16_t)emu_ld16(cpu, va, acc));
}

OP ldrsh_w(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	interp_set_w(cpu, t, (uint32_t)(int16_t)emu_ld16(cpu, va, acc));
}

OP str_w(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	emu_st32(cpu, va, interp_w(cpu, t), acc);
}

OP ldr_w(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	interp_set_x(cpu, t, emu_ld32(cpu, va, acc));
}

OP ldrsw(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	interp_set_x(cpu, t, (uint64_t)(int32_t)emu_ld32(cpu, va, acc));
}

OP str_x(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	emu_st64(cpu, va, interp_x(cpu, t), acc);
}

OP ldr_x(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	interp_set_x(cpu, t, emu_ld64(cpu, va, acc));
}

OP str_b(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	emu_st8(cpu, va, cpu->v[t].b[0], acc);
}

OP ldr_b(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	interp_set_d(cpu, t, emu_ld8(cpu, va, acc));
}

OP str_h(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	emu_st16(cpu, va, cpu->v[t].h[0], acc);
}

OP ldr_h(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	interp_set_d(cpu, t, emu_ld16(cpu, va, acc));
}

OP str_s(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	emu_st32(cpu, va, cpu->v[t].s[0], acc);
}

OP ldr_s(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	interp_set_d(cpu, t, emu_ld32(cpu, va, acc));
}

OP str_d(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	emu_st64(cpu, va, cpu->v[t].d[0], acc);
}

OP ldr_d(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	interp_set_d(cpu, t, emu_ld64(cpu, va, acc));
}

OP str_q(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	emu_st128(cpu, va, 16, cpu->v[t].d, acc);
}

OP ldr_q(struct emu_cpu *cpu, uint64_t va, unsigned t, unsigned acc)
{
	uint64_t val[2];

	emu_ld128(cpu, va, 16, val, acc);
	cpu->v[t].d[0] = val[0];
	cpu->v[t].d[1] = val[1];
}

/* ---- Forms of addressing ---- */

OP post_indexed(struct emu_cpu *cpu, const struct a64_args_LDR_x_post *a, ldst_op *op)
{
	uint64_t va = interp_base(cpu, a->Rn);

	op(cpu, va, a->Rt, EMU_ACC_NORMAL);
	cpu->x[a->Rn] = va + (uint64_t)a->imm9;
}

OP pre_indexed(struct emu_cpu *cpu, const struct a64_args_LDR_x_pre *a, ldst_op *op)
{
	uint64_t va = interp_base(cpu, a->Rn) + (uint64_t)a->imm9;

	op(cpu, va, a->Rt, EMU_ACC_NORMAL);
	cpu->x[a->Rn] = va;
}

/* The option's upper and lower bit: UXTW, LSL, SXTW, SXTX. */
OP register_offset(struct emu_cpu *cpu, const struct a64_args_LDR_x_reg *a, ldst_op *op, unsigned scale)
{
	unsigned option = (a->option & 2) << 1 | 2 | (a->option & 1);
	uint64_t offset = alu_extend(interp_x(cpu, a->Rm), option, a->S ? scale : 0);

	op(cpu, interp_base(cpu, a->Rn) + offset, a->Rt, EMU_ACC_NORMAL);
}

OP scaled(struct emu_cpu *cpu, const struct a64_args_LDR_x_uimm *a, ldst_op *op, unsigned scale)
{
	op(cpu, interp_base(cpu, a->Rn) + ((uint64_t)a->imm12 << scale), a->Rt, EMU_ACC_NORMAL);
}

OP unscaled(struct emu_cpu *cpu, const struct a64_args_LDUR_x *a, ldst_op *op, unsigned acc)
{
	op(cpu, interp_base(cpu, a->Rn) + (uint64_t)a->imm9, a->Rt, acc);
}

#define FORMS(name, unscaled_name, op, scale) \
	INTERP(name##_post) \
	{ \
		post_indexed(cpu, a, op); \
	} \
	INTERP(name##_pre) \
	{ \
		pre_indexed(cpu, a, op); \
	} \
	INTERP(name##_reg) \
	{ \
		register_offset(cpu, a, op, scale); \
	} \
	INTERP(name##_uimm) \
	{ \
		scaled(cpu, a, op, scale); \
	} \
	INTERP(unscaled_name) \
	{ \
		unscaled(cpu, a, op, EMU_ACC_NORMAL); \
	}

#define GENERAL_LOAD(name, unscaled_name, unpriv_name, acquire_name, op, scale) \
	FORMS(name, unscaled_name, op, scale) \
	INTERP(unpriv_name) \
	{ \
		unscaled(cpu, a, op, EMU_ACC_UNPRIV); \
	} \
	INTERP(acquire_name) \
	{ \
		unscaled(cpu, a, op, EMU_ACC_ORDERED); \
	}

/* A store-release is ordered before a later load-acquire. */
#define GENERAL_STORE(name, unscaled_name, unpriv_name, release_name, op, scale) \
	FORMS(name, unscaled_name, op, scale) \
	INTERP(unpriv_name) \
	{ \
		unscaled(cpu, a, op, EMU_ACC_UNPRIV); \
	} \
	INTERP(release_name) \
	{ \
		unscaled(cpu, a, op, EMU_ACC_ORDERED); \
		atomic_thread_fence(memory_order_seq_cst); \
	}

GENERAL_STORE(STRB, STURB, STTRB, STLURB, strb, 0)
GENERAL_LOAD(LDRB, LDURB, LDTRB, LDAPURB, ldrb, 0)
GENERAL_LOAD(LDRSB_x, LDURSB_x, LDTRSB_x, LDAPURSB_x, ldrsb_x, 0)
GENERAL_LOAD(LDRSB_w, LDURSB_w, LDTRSB_w, LDAPURSB_w, ldrsb_w, 0)
GENERAL_STORE(STRH, STURH, STTRH, STLURH, strh, 1)
GENERAL_LOAD(LDRH, LDURH, LDTRH, LDAPURH, ldrh, 1)
GENERAL_LOAD(LDRSH_x, LDURSH_x, LDTRSH_x, LDAPURSH_x, ldrsh_x, 1)
GENERAL_LOAD(LDRSH_w, LDURSH_w, LDTRSH_w, LDAPURSH_w, ldrsh_w, 1)
GENERAL_STORE(STR_w, STUR_w, STTR_w, STLUR_w, str_w, 2)
GENERAL_LOAD(LDR_w, LDUR_w, LDTR_w, LDAPUR_w, ldr_w, 2)
GENERAL_LOAD(LDRSW, LDURSW, LDTRSW, LDAPURSW, ldrsw, 2)
GENERAL_STORE(STR_x, STUR_x, STTR_x, STLUR_x, str_x, 3)
GENERAL_LOAD(LDR_x, LDUR_x, LDTR_x, LDAPUR_x, ldr_x, 3)

FORMS(STR_B, STUR_B, str_b, 0)
FORMS(LDR_B, LDUR_B, ldr_b, 0)
FORMS(STR_H, STUR_H, str_h, 1)
FORMS(LDR_H, LDUR_H, ldr_h, 1)
FORMS(STR_S, STUR_S, str_s, 2)
FORMS(LDR_S, LDUR_S, ldr_s, 2)
FORMS(STR_D, STUR_D, str_d, 3)
FORMS(LDR_D, LDUR_D, ldr_d, 3)
FORMS(STR_Q, STUR_Q, str_q, 4)
FORMS(LDR_Q, LDUR_Q, ldr_q, 4)

/* ---- Literals ---- */

OP literal(struct emu_cpu *cpu, const struct a64_args_LDR_x_lit *a, ldst_op *op)
{
	op(cpu, cpu->pc + (uint64_t)a->imm19 * 4, a->Rt, EMU_ACC_NORMAL);
}

INTERP(LDR_w_lit)
{
	literal(cpu, a, ldr_w);
}

INTERP(LDR_x_lit)
{
	literal(cpu, a, ldr_x);
}

INTERP(LDRSW_lit)
{
	literal(cpu, a, ldrsw);
}

INTERP(LDR_S_lit)
{
	literal(cpu, a, ldr_s);
}

INTERP(LDR_D_lit)
{
	literal(cpu, a, ldr_d);
}

INTERP(LDR_Q_lit)
{
	literal(cpu, a, ldr_q);
}

/* ---- Prefetch: a hint, which never faults ---- */

INTERP(PRFM_lit)
{
}

INTERP(PRFUM)
{
}

INTERP(PRFM_reg)
{
}

INTERP(PRFM_uimm)
{
}

/* ---- Pointer authentication: LDRAA, LDRAB ---- */

INTERP(LDRA)
{
	/* keys DA and DB are 2 and 3 */
	uint64_t base = emu_pauth_auth(cpu, interp_base(cpu, a->Rn), 0, 2 + a->M, true);
	uint64_t va = base + (uint64_t)a->imm10 * 8;

	interp_set_x(cpu, a->Rt, emu_ld64(cpu, va, EMU_ACC_NORMAL));
	if (a->W)
		cpu->x[a->Rn] = va;
}
