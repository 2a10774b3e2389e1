/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translators: hints, barriers, moves to and from PSTATE and system registers,
 * and cache maintenance by address. Arm ARM C6.2, C5. Those encodings that do
 * more than read and write struct emu_cpu are calls of the interpreter, out of
 * line where only some state of the machine asks for them.
 *
 * The host's memory order is stronger than the guest's: of the barriers only
 * those that order a store before a later load cost anything. Thread: the
 * vCPU's own.
 */
#include "emu/jit_ldst_priv.h"

#include "emu/access_priv.h"
#include "emu/code_priv.h"
#include "emu/sys_priv.h"
#include "emu/tlb_priv.h"
#include "emu/vcpu_priv.h"

#define SCTLR JIT_CPU(sys[EMU_SR_SCTLR_EL1])

static bool is_el0(const struct jit *j)
{
	return j->block_flags & JIT_FLAG_EL0;
}

/* At EL0, where one of the bits has to be set: the interpreter traps. `resume` is the caller's. */
static struct jit_slow *el0_needs(struct jit *j, struct x86_rm reg, uint32_t bits)
{
	struct jit_slow *s = jit_slow_add(j, jit_insn_piece);

	x86_test_imm(&j->buf, 0, reg, (int32_t)bits);
	s->branch[0] = x86_jcc(&j->buf, X86_E);
	jit_slow_resume(j, s);
	return s;
}

/* ---- Hints ---- */

/* YIELD, WFE, WFI, SEV, SEVL: the interpreter's, and perhaps the last for now. */
static bool is_wait_or_event(const struct a64_args_HINT *a)
{
	return a->CRm == 0 && a->op2 >= 1 && a->op2 <= 5;
}

/* NOP, BTI, and whatever else does nothing in emu/interp_system.c; the pointer
 * authentication hints are NOPs without FEAT_PAuth. */
static int hint_props(const struct jit *j, const struct a64_args_HINT *a)
{
	int pauth = jit_pauth_hint_props((unsigned)a->CRm << 3 | a->op2);

	if (is_wait_or_event(a))
		return -1;
	return pauth >= 0 && j->cpu->code->has_pauth ? pauth : 0;
}

JIT_INSN(HINT)
{
	if (j->cpu->code->has_pauth)
		jit_pauth_hint(j, (unsigned)a->CRm << 3 | a->op2);
}

/* ---- Barriers ---- */

JIT_INSN(CLREX)
{
	x86_op(&j->buf, 0xc6, 0, JIT_CPU(excl_size));
	x86_u8(&j->buf, 0);
}

static void full_barrier(struct jit *j)
{
	x86_op(&j->buf, 0x83 | X86_LOCK, X86_OR, x86_m(X86_RSP, 0));
	x86_u8(&j->buf, 0);
}

JIT_INSN(DMB)
{
	/* CRm<1:0>: 01 loads, 10 stores; else all */
	if ((a->CRm & 3) != 1 && (a->CRm & 3) != 2)
		full_barrier(j);
}

/* Waits for other vCPUs only if there is something that they were asked for. */
JIT_INSN(DSB)
{
	struct jit_slow *s = jit_slow_add(j, jit_insn_piece);
	int32_t mask = (int32_t)(offsetof(struct emu_vcpu, sync_mask) - offsetof(struct emu_vcpu, cpu));

	full_barrier(j);
	x86_alu_imm(&j->buf, X86_CMP, X86_W, x86_m(X86_RBP, mask - JIT_BIAS), 0);
	s->branch[0] = x86_jcc(&j->buf, X86_NE);
	jit_slow_resume(j, s);
}

/* Every change of context takes effect at once; what other vCPUs ask for is served in the loop. */
JIT_INSN(ISB)
{
	jit_check_attention(j, j->pc + 4);
}

JIT_INSN(SB)
{
}

/* ---- System registers that are plain storage ---- */

struct plain_register {
	uint32_t enc;
	uint32_t offset;     /* in struct emu_cpu */
	uint8_t el0;         /* what EL0 may do: EMU_READ, EMU_WRITE */
	uint64_t write;      /* the bits that are written without more ado, as in emu/sysregs.def; else 0 */
};

#define ALL UINT64_MAX
#define WORD UINT32_MAX
#define SYS(name, op1, crn, crm, op2, el0, write) \
	{ EMU_SYSREG(3, op1, crn, crm, op2), offsetof(struct emu_cpu, sys) + 8 * EMU_SR_##name, el0, write }
static const struct plain_register plain_registers[] = {
	SYS(TPIDR_EL0, 3, 13, 0, 2, EMU_READ | EMU_WRITE, ALL),
	SYS(TPIDRRO_EL0, 3, 13, 0, 3, EMU_READ, ALL),
	SYS(TPIDR_EL1, 0, 13, 0, 4, 0, ALL),
	SYS(ELR_EL1, 0, 4, 0, 1, 0, ALL),
	SYS(SPSR_EL1, 0, 4, 0, 0, 0, WORD),
	SYS(ESR_EL1, 0, 5, 2, 0, 0, WORD),
	SYS(FAR_EL1, 0, 6, 0, 0, 0, ALL),
	SYS(TCR_EL1, 0, 2, 0, 2, 0, 0),
	SYS(SCTLR_EL1, 0, 1, 0, 0, 0, 0),
	SYS(CPACR_EL1, 0, 1, 0, 2, 0, 0),
	SYS(VBAR_EL1, 0, 12, 0, 0, 0, ~UINT64_C(0x7ff)),
	SYS(CONTEXTIDR_EL1, 0, 13, 0, 1, 0, WORD),
	SYS(PAR_EL1, 0, 7, 4, 0, 0, 0),
	SYS(MIDR_EL1, 0, 0, 0, 0, 0, 0),
	SYS(MPIDR_EL1, 0, 0, 0, 5, 0, 0),
	/* while it is not the current SP */
	{ EMU_SYSREG(3, 0, 4, 1, 0), offsetof(struct emu_cpu, sp_el[0]), 0, ALL },
};
#undef SYS
#undef ALL
#undef WORD

static uint32_t encoding(const struct a64_args_MRS *a)
{
	return EMU_SYSREG(2 + a->o0, a->op1, a->CRn, a->CRm, a->op2);
}

static const struct plain_register *plain_register(const struct jit *j, uint32_t enc, enum emu_access access)
{
	for (unsigned i = 0; i < sizeof(plain_registers) / sizeof(plain_registers[0]); i++) {
		const struct plain_register *r = &plain_registers[i];
		if (r->enc != enc)
			continue;
		if (is_el0(j) && !(r->el0 & access))
			return NULL;
		if (r->offset == offsetof(struct emu_cpu, sp_el[0]) && !(j->block_flags & JIT_FLAG_SPSEL))
			return NULL;
		return r;
	}
	return NULL;
}

/* ---- Others: read into RAX, and written from there; what is not written has no `write` ---- */

static void read_nzcv(struct jit *j)
{
	struct x86_buf *b = &j->buf;

	jit_flags_to_eax(j);
	x86_mov_rr(b, 0, X86_RCX, X86_RAX);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RCX), 0xc000);
	x86_shift_imm(b, X86_SHL, 0, X86_RCX, 16);
	x86_mov_rr(b, 0, X86_RDX, X86_RAX);
	x86_group3(b, X86_NOT, 0, X86_RDX);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RDX), 0x100);
	x86_shift_imm(b, X86_SHL, 0, X86_RDX, 21);
	x86_shift_imm(b, X86_SHL, 0, X86_RAX, 28);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RAX), EMU_V);
	x86_alu(b, X86_OR, 0, X86_RAX, x86_r(X86_RCX));
	x86_alu(b, X86_OR, 0, X86_RAX, x86_r(X86_RDX));
}

static void write_nzcv(struct jit *j)
{
	struct x86_buf *b = &j->buf;

	x86_mov_rr(b, 0, X86_RCX, X86_RAX);
	x86_shift_imm(b, X86_SHR, 0, X86_RCX, 16);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RCX), 0xc000);
	x86_mov_rr(b, 0, X86_RDX, X86_RAX);
	x86_group3(b, X86_NOT, 0, X86_RDX);
	x86_shift_imm(b, X86_SHR, 0, X86_RDX, 21);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RDX), 0x100);
	x86_shift_imm(b, X86_SHR, 0, X86_RAX, 28);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RAX), 1);
	x86_alu(b, X86_OR, 0, X86_RAX, x86_r(X86_RCX));
	x86_alu(b, X86_OR, 0, X86_RAX, x86_r(X86_RDX));
	jit_flags_from_eax(j);
}

/* PSTATE.D, A, I and F are a byte each, 0 or 1, in that order. */
#define DAIF JIT_CPU(pstate.d)
_Static_assert(offsetof(struct emu_pstate, f) == offsetof(struct emu_pstate, d) + 3, "D, A, I, F are read together");
_Static_assert(offsetof(struct emu_pstate, i) == offsetof(struct emu_pstate, d) + 2, "in this order");

static void byte_swap_eax(struct jit *j)
{
	x86_u8(&j->buf, 0x0f);
	x86_u8(&j->buf, 0xc8);
}

/* F to D in bytes 0 to 3 become bits 24 to 27 of the product. */
static void read_daif(struct jit *j)
{
	struct x86_buf *b = &j->buf;

	x86_load(b, 0, X86_RAX, DAIF);
	byte_swap_eax(j);
	x86_imul_imm(b, 0, X86_RAX, x86_r(X86_RAX), 1 << 24 | 1 << 17 | 1 << 10 | 1 << 3);
	x86_shift_imm(b, X86_SHR, 0, X86_RAX, 24 - 6);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RAX), 0x3c0);
}

static void lines_piece(struct jit *j, const struct jit_slow *s)
{
	unsigned i = j->i;

	j->i = s->index;
	jit_call(j, (const void *)emu_check_lines);
	jit_check_attention(j, s->pc + 4);
	j->i = i;
	jit_slow_return(j, s);
}

/* Interrupts may have been unmasked: leaves if one is pending. */
static void check_lines(struct jit *j)
{
	struct jit_slow *s = jit_slow_add(j, lines_piece);
	int32_t lines = (int32_t)(offsetof(struct emu_vcpu, lines) - offsetof(struct emu_vcpu, cpu));

	x86_alu_imm(&j->buf, X86_CMP, 0, x86_m(X86_RBP, lines - JIT_BIAS), 0);
	s->branch[0] = x86_jcc(&j->buf, X86_NE);
	jit_slow_resume(j, s);
}

/* D matters where MDSCR_EL1 has SS or MDE: then the interpreter writes it. `resume` is the caller's. */
static struct jit_slow *before_debug_mask(struct jit *j)
{
	struct jit_slow *s = jit_slow_add(j, jit_insn_piece);

	x86_test_imm(&j->buf, 0, JIT_CPU(sys[EMU_SR_MDSCR_EL1]), 1 | 1 << 15);
	s->branch[0] = x86_jcc(&j->buf, X86_NE);
	return s;
}

static void write_daif(struct jit *j)
{
	struct x86_buf *b = &j->buf;
	struct jit_slow *s = before_debug_mask(j);

	x86_shift_imm(b, X86_SHR, 0, X86_RAX, 6);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RAX), 15);
	x86_imul_imm(b, 0, X86_RAX, x86_r(X86_RAX), 1 | 1 << 7 | 1 << 14 | 1 << 21);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RAX), 0x01010101);
	byte_swap_eax(j);
	x86_store(b, 0, DAIF, X86_RAX);
	check_lines(j);
	jit_slow_resume(j, s);
}

static void read_current_el(struct jit *j)
{
	x86_mov_imm(&j->buf, X86_RAX, 1 << 2);
}

static void read_ctr(struct jit *j)
{
	if (is_el0(j))
		el0_needs(j, SCTLR, 1 << 15); /* UCT */
	x86_load(&j->buf, X86_W, X86_RAX, JIT_CPU(sys[EMU_SR_CTR_EL0]));
}

/* 64 bytes; DZP is set at EL0 without SCTLR_EL1.DZE. */
static void read_dczid(struct jit *j)
{
	struct x86_buf *b = &j->buf;

	if (!is_el0(j)) {
		x86_mov_imm(b, X86_RAX, 4);
		return;
	}
	x86_load(b, 0, X86_RAX, SCTLR);
	x86_group3(b, X86_NOT, 0, X86_RAX);
	x86_shift_imm(b, X86_SHR, 0, X86_RAX, 14 - 4);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RAX), 1 << 4);
	x86_alu_imm(b, X86_OR, 0, x86_r(X86_RAX), 4);
}

static uint64_t counter(struct emu_cpu *cpu)
{
	return emu_counter_now(cpu->system);
}

static void read_cntvct(struct jit *j)
{
	if (is_el0(j))
		el0_needs(j, JIT_CPU(sys[EMU_SR_CNTKCTL_EL1]), 2); /* EL0VCTEN */
	jit_call(j, (const void *)counter);
}

static void read_cntfrq(struct jit *j)
{
	if (is_el0(j))
		el0_needs(j, JIT_CPU(sys[EMU_SR_CNTKCTL_EL1]), 3); /* EL0VCTEN, EL0PCTEN */
	x86_load(&j->buf, X86_W, X86_RAX, JIT_CPU(sys[EMU_SR_CNTFRQ_EL0]));
}

static void read_fpcr(struct jit *j)
{
	x86_load(&j->buf, 0, X86_RAX, JIT_CPU(fpcr));
}

static void read_ttbr0(struct jit *j)
{
	x86_load(&j->buf, X86_W, X86_RAX, JIT_CPU(sys[EMU_SR_TTBR0_EL1]));
}

static void read_ttbr1(struct jit *j)
{
	x86_load(&j->buf, X86_W, X86_RAX, JIT_CPU(sys[EMU_SR_TTBR1_EL1]));
}

static uint64_t fpsr(struct emu_cpu *cpu)
{
	emu_jit_sync_fp(cpu);
	return cpu->fpsr;
}

static void read_fpsr(struct jit *j)
{
	jit_call(j, (const void *)fpsr);
}

/* ---- Registers that the interpreter's functions write: for EL1, or where no trap of EL0 is enabled ---- */

static void write_register(struct emu_cpu *cpu, uint64_t val, uint64_t enc)
{
	emu_sysreg_write(cpu, (uint32_t)enc, 31, val);
}

/* RCX and RDX for the two. */
static void load_write_args(struct jit *j)
{
	struct a64_args_MRS a;

	a64_extract_MRS(j->insn[j->i].word, &a);
	x86_mov_rr(&j->buf, X86_W, X86_RCX, X86_RAX);
	x86_mov_imm(&j->buf, X86_RDX, encoding(&a));
}

static void write_fpsr(struct jit *j)
{
	load_write_args(j);
	jit_call(j, (const void *)write_register);
}

static uint64_t write_and_leave(struct emu_cpu *cpu, uint64_t val, uint64_t enc)
{
	write_register(cpu, val, enc);
	cpu->pc += 4;
	return jit_leave_insn(cpu);
}

/* Other code may be what is to be executed then. */
static void write_mode(struct jit *j)
{
	load_write_args(j);
	jit_before_raise(j, NULL);
	jit_exit_by(j, (const void *)write_and_leave);
}

static const struct special_register {
	uint32_t enc;
	bool el0, fp;        /* accessible from EL0; may be trapped like floating point */
	uint8_t read_props, write_props;
	void (*read)(struct jit *j);
	void (*write)(struct jit *j);
} special_registers[] = {
	{ EMU_SYSREG(3, 3, 4, 2, 0), true, false, JIT_USES | JIT_CLOBBERS, JIT_SETS, read_nzcv, write_nzcv },
	{ EMU_SYSREG(3, 3, 4, 2, 1), false, false, 0, JIT_RAISES, read_daif, write_daif },
	{ EMU_SYSREG(3, 0, 4, 2, 2), false, false, 0, 0, read_current_el, NULL },
	{ EMU_SYSREG(3, 3, 0, 0, 1), true, false, JIT_RAISES, 0, read_ctr, NULL },
	{ EMU_SYSREG(3, 3, 0, 0, 7), true, false, 0, 0, read_dczid, NULL },
	{ EMU_SYSREG(3, 3, 14, 0, 2), true, false, JIT_RAISES, 0, read_cntvct, NULL },
	{ EMU_SYSREG(3, 3, 14, 0, 0), true, false, JIT_RAISES, 0, read_cntfrq, NULL },
	{ EMU_SYSREG(3, 3, 4, 4, 0), true, true, 0, JIT_RAISES | JIT_ENDS, read_fpcr, write_mode },
	{ EMU_SYSREG(3, 3, 4, 4, 1), true, true, 0, 0, read_fpsr, write_fpsr },
	{ EMU_SYSREG(3, 0, 2, 0, 0), false, false, 0, JIT_RAISES | JIT_ENDS, read_ttbr0, write_mode },
	{ EMU_SYSREG(3, 0, 2, 0, 1), false, false, 0, JIT_RAISES | JIT_ENDS, read_ttbr1, write_mode },
};

static const struct special_register *special_register(const struct jit *j, uint32_t enc)
{
	for (unsigned i = 0; i < sizeof(special_registers) / sizeof(special_registers[0]); i++) {
		const struct special_register *r = &special_registers[i];
		if (r->enc == enc)
			return (is_el0(j) && !r->el0) || (r->fp && j->block_flags & JIT_FLAG_FP_TRAP) ? NULL : r;
	}
	return NULL;
}

static int mrs_props(const struct jit *j, uint32_t enc)
{
	const struct special_register *r = special_register(j, enc);

	return r ? r->read_props : plain_register(j, enc, EMU_READ) ? 0 : -1;
}

static int msr_props(const struct jit *j, uint32_t enc)
{
	const struct special_register *r = special_register(j, enc);
	const struct plain_register *plain = plain_register(j, enc, EMU_WRITE);

	return r && r->write ? r->write_props : plain && plain->write ? 0 : -1;
}

JIT_INSN(MRS)
{
	const struct special_register *special = special_register(j, encoding(a));
	unsigned reg = X86_RAX;

	if (special) {
		special->read(j);
	} else if (a->Rt != 31) {
		reg = jit_target(j, a->Rt, X86_RAX);
		x86_load(&j->buf, X86_W, reg, x86_m(X86_RBP, (int32_t)plain_register(j, encoding(a), EMU_READ)->offset - JIT_BIAS));
	}
	jit_write_z(j, a->Rt, reg);
}

JIT_INSN(MSR_reg)
{
	uint32_t enc = encoding((const void *)a);
	const struct special_register *special = special_register(j, enc);

	if (special) {
		jit_copy_z(j, X86_W, X86_RAX, a->Rt);
		special->write(j);
		return;
	}
	const struct plain_register *r = plain_register(j, enc, EMU_WRITE);
	struct x86_rm home = x86_m(X86_RBP, (int32_t)r->offset - JIT_BIAS);
	unsigned reg = X86_RAX;
	if (r->write == UINT64_MAX) {
		reg = jit_read_z(j, a->Rt, X86_RAX);
	} else if (r->write == UINT32_MAX) {
		jit_copy_z(j, 0, X86_RAX, a->Rt);
	} else {
		jit_copy_z(j, X86_W, X86_RAX, a->Rt);
		x86_alu_imm(&j->buf, X86_AND, X86_W, x86_r(X86_RAX), (int32_t)r->write);
	}
	x86_store(&j->buf, X86_W, home, reg);
}

/* ---- MSR (immediate): all but SPSel ---- */

enum { DAIF_SET = 3 << 3 | 6, DAIF_CLR = 3 << 3 | 7, SSBS = 3 << 3 | 1, DIT = 3 << 3 | 2, CFINV = 0, XAFLAG = 1,
	AXFLAG = 2, UAO = 3, PAN = 4 };

static void set_bit(struct jit *j, struct x86_rm byte, unsigned val)
{
	x86_op(&j->buf, 0xc6, 0, byte);
	x86_u8(&j->buf, val);
}

/* PAN and UAO choose among the views. */
static void set_view_bit(struct jit *j, struct x86_rm byte, unsigned val)
{
	set_bit(j, byte, val);
	jit_call(j, (const void *)emu_tlb_update_views);
}

static int msr_imm_props(const struct jit *j, const struct a64_args_MSR_imm *a)
{
	switch (a->op1 << 3 | a->op2) {
	case DAIF_SET:
		return is_el0(j) ? -1 : a->CRm & 8 ? JIT_RAISES : 0;
	case DAIF_CLR:
		return is_el0(j) ? -1 : JIT_RAISES;
	case SSBS:
		return emu_has(j->cpu, EMU_FEAT_SSBS) ? 0 : -1;
	case DIT:
		return emu_has(j->cpu, EMU_FEAT_DIT) ? 0 : -1;
	case UAO:
		return !is_el0(j) && emu_has(j->cpu, EMU_FEAT_UAO) ? 0 : -1;
	case PAN:
		return !is_el0(j) && emu_has(j->cpu, EMU_FEAT_PAN) ? 0 : -1;
	case CFINV:
		return emu_has(j->cpu, EMU_FEAT_FlagM) ? JIT_USES | JIT_SETS : -1;
	case XAFLAG:
	case AXFLAG:
		return emu_has(j->cpu, EMU_FEAT_FlagM2) ? JIT_USES | JIT_SETS : -1;
	default:
		return -1;
	}
}

/* N = !C & !Z, Z = Z & C, C = C | Z, V = !C & Z. */
static void xaflag(struct jit *j)
{
	struct x86_buf *b = &j->buf;

	/* ECX = !C, EDX = Z, EAX = both */
	jit_flags_to_eax(j);
	x86_mov_rr(b, 0, X86_RCX, X86_RAX);
	x86_shift_imm(b, X86_SHR, 0, X86_RCX, 8);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RCX), 1);
	x86_mov_rr(b, 0, X86_RDX, X86_RAX);
	x86_shift_imm(b, X86_SHR, 0, X86_RDX, 14);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RDX), 1);
	x86_mov_rr(b, 0, X86_RAX, X86_RCX);
	x86_alu(b, X86_AND, 0, X86_RAX, x86_r(X86_RDX));
	x86_alu(b, X86_XOR, 0, X86_RCX, x86_r(X86_RAX));
	x86_alu(b, X86_XOR, 0, X86_RDX, x86_r(X86_RAX));
	x86_imul_imm(b, 0, X86_RCX, x86_r(X86_RCX), 0x8100);
	x86_shift_imm(b, X86_SHL, 0, X86_RDX, 14);
	x86_alu(b, X86_OR, 0, X86_RAX, x86_r(X86_RCX));
	x86_alu(b, X86_OR, 0, X86_RAX, x86_r(X86_RDX));
	jit_flags_from_eax(j);
}

/* N = 0, Z = Z | V, C = C & !V, V = 0. */
static void axflag(struct jit *j)
{
	struct x86_buf *b = &j->buf;

	jit_flags_to_eax(j);
	x86_mov_rr(b, 0, X86_RCX, X86_RAX);
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RCX), 1);
	x86_imul_imm(b, 0, X86_RCX, x86_r(X86_RCX), 0x4100);
	x86_alu(b, X86_OR, 0, X86_RAX, x86_r(X86_RCX));
	x86_alu_imm(b, X86_AND, 0, x86_r(X86_RAX), 0x4100);
	jit_flags_from_eax(j);
}

JIT_INSN(MSR_imm)
{
	/* D, A, I, F, in bytes 0 to 3 */
	uint32_t mask = (a->CRm & 8 ? 1u : 0) | (a->CRm & 4 ? 0x100u : 0) | (a->CRm & 2 ? 0x10000u : 0) |
			(a->CRm & 1 ? 0x1000000u : 0);
	unsigned op = (unsigned)a->op1 << 3 | a->op2;
	struct jit_slow *s = (op == DAIF_SET || op == DAIF_CLR) && a->CRm & 8 ? before_debug_mask(j) : NULL;

	switch (op) {
	case DAIF_SET:
		x86_alu_imm(&j->buf, X86_OR, 0, DAIF, (int32_t)mask);
		break;
	case DAIF_CLR:
		x86_alu_imm(&j->buf, X86_AND, 0, DAIF, (int32_t)~mask);
		check_lines(j);
		break;
	case SSBS:
		set_bit(j, JIT_CPU(pstate.ssbs), a->CRm & 1);
		break;
	case DIT:
		set_bit(j, JIT_CPU(pstate.dit), a->CRm & 1);
		break;
	case UAO:
		set_view_bit(j, JIT_CPU(pstate.uao), a->CRm & 1);
		break;
	case PAN:
		set_view_bit(j, JIT_CPU(pstate.pan), a->CRm & 1);
		break;
	case CFINV:
		/* CF is the inverse of the old C, which is the new one */
		jit_carry(j);
		jit_flags_from_add(j);
		break;
	case XAFLAG:
		xaflag(j);
		break;
	case AXFLAG:
		axflag(j);
		break;
	}
	if (s)
		jit_slow_resume(j, s);
}

/* ---- SYS: maintenance of caches and TLBs ---- */

enum { NOT_NATIVE, ZERO, CLEAN, LEAVE };

static unsigned sys_kind(const struct a64_args_SYS *a)
{
	/* TLBI; IC */
	if (a->CRn == 8 || (a->CRn == 7 && (a->CRm == 1 || a->CRm == 5)))
		return LEAVE;
	if (a->op1 != 3 || a->CRn != 7 || a->op2 != 1)
		return NOT_NATIVE;
	/* DC ZVA; CVAC, CVAU, CIVAC */
	return a->CRm == 4 ? ZERO : a->CRm == 10 || a->CRm == 11 || a->CRm == 14 ? CLEAN : NOT_NATIVE;
}

/* `what`: the encoding, and Rt from bit 16 on. The code that is to be executed then may be another. */
static uint64_t exec_sys_and_leave(struct emu_cpu *cpu, uint64_t val, uint64_t what)
{
	jit_sync_flags(cpu);
	emu_sys_insn(cpu, what & 0xffff, (unsigned)(what >> 16), val);
	cpu->pc += 4;
	return jit_leave_insn(cpu);
}

/* RCX and RDX for it. */
static void load_sys_args(struct jit *j, const struct a64_args_SYS *a)
{
	jit_copy_z(j, X86_W, X86_RCX, a->Rt);
	x86_mov_imm(&j->buf, X86_RDX, EMU_SYSREG(1, a->op1, a->CRn, a->CRm, a->op2) | (uint64_t)a->Rt << 16);
}

/* Cleaning does nothing where the address can be read. */
JIT_INSN(SYS)
{
	struct x86_buf *b = &j->buf;
	bool zero = sys_kind(a) == ZERO;

	if (sys_kind(a) == LEAVE) {
		jit_before_raise(j, NULL);
		load_sys_args(j, a);
		jit_exit_by(j, (const void *)exec_sys_and_leave);
		return;
	}

	if (is_el0(j))
		el0_needs(j, SCTLR, zero ? 1u << 14 : 1u << 26); /* DZE, UCI */
	jit_copy_z(j, X86_W, JIT_SCRATCH_VA, a->Rt);
	if (zero)
		x86_alu_imm(b, X86_AND, X86_W, x86_r(JIT_SCRATCH_VA), -64);
	struct jit_slow *s = jit_look_up(j, JIT_SCRATCH_VA, 1, zero, JIT_PLAIN);
	if (zero) {
		x86_op(b, 0xef | X86_66 | X86_0F, 0, x86_r(0)); /* pxor xmm0, xmm0 */
		jit_fault_note(j, s);
		for (int32_t i = 0; i < 64; i += 16)
			x86_op(b, JIT_SSE_STORE, 0, x86_mx(X86_RAX, JIT_SCRATCH_VA, 0, i));
	} else {
		jit_fault_note(j, s);
		x86_op(b, X86_MOVZX8, X86_RAX, x86_mx(X86_RAX, JIT_SCRATCH_VA, 0, 0));
	}
}

static int sys_props(const struct a64_args_SYS *a)
{
	unsigned kind = sys_kind(a);

	return kind == NOT_NATIVE ? -1 : kind == LEAVE ? JIT_RAISES | JIT_ENDS : JIT_RAISES;
}

int jit_system_props(const struct jit *j, unsigned op, uint32_t word)
{
	union {
		struct a64_args_HINT hint;
		struct a64_args_MRS mrs;
		struct a64_args_MSR_imm imm;
		struct a64_args_SYS sys;
	} a;

	switch (op) {
	case A64_HINT:
		a64_extract_HINT(word, &a.hint);
		return hint_props(j, &a.hint);
	case A64_MRS:
		a64_extract_MRS(word, &a.mrs);
		return mrs_props(j, encoding(&a.mrs));
	case A64_MSR_reg:
		a64_extract_MRS(word, &a.mrs);
		return msr_props(j, encoding(&a.mrs));
	case A64_MSR_imm:
		a64_extract_MSR_imm(word, &a.imm);
		return msr_imm_props(j, &a.imm);
	case A64_SYS:
		a64_extract_SYS(word, &a.sys);
		return sys_props(&a.sys);
	default:
		return -1;
	}
}

bool jit_system_ends(unsigned op, uint32_t word)
{
	struct a64_args_HINT hint;
	struct a64_args_SYS sys;
	struct a64_args_MSR_reg msr;
	struct a64_args_MSR_imm imm;

	switch (op) {
	case A64_HINT:
		a64_extract_HINT(word, &hint);
		return is_wait_or_event(&hint);
	case A64_SYS:
		a64_extract_SYS(word, &sys);
		return sys_kind(&sys) == LEAVE;
	case A64_MSR_reg: /* debug; control; translation; memory attributes; FPCR */
		a64_extract_MSR_reg(word, &msr);
		return !msr.o0 || msr.CRn == 1 || msr.CRn == 2 || msr.CRn == 10 || (msr.CRn == 4 && msr.CRm == 4);
	case A64_MSR_imm: /* SPSel */
		a64_extract_MSR_imm(word, &imm);
		return imm.op1 == 0 && imm.op2 == 5;
	default:
		return false;
	}
}
