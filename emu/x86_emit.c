/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The assembler's functions that are not folded: see emu/x86_emit_priv.h. They are
 * called for most of what the JIT puts down, and each time after guest code has had
 * the host's caches and branch predictors: they are short, there is one of each, and
 * an instruction is put together in a register and stored at once.
 */
#include "emu/x86_emit_priv.h"

#include "emu/x86_vec_priv.h"

const struct x86_rm x86_rm_regs[16] = {
	X86_RM_REG(0), X86_RM_REG(1), X86_RM_REG(2), X86_RM_REG(3),
	X86_RM_REG(4), X86_RM_REG(5), X86_RM_REG(6), X86_RM_REG(7),
	X86_RM_REG(8), X86_RM_REG(9), X86_RM_REG(10), X86_RM_REG(11),
	X86_RM_REG(12), X86_RM_REG(13), X86_RM_REG(14), X86_RM_REG(15),
};

struct x86_rm x86_rm_memory(unsigned base, int32_t disp)
{
	return x86_rm_encode(base, disp);
}

struct x86_rm x86_rm_indexed(unsigned base, unsigned index, unsigned scale, int32_t disp)
{
	return x86_rm_encode_indexed(base, index, scale, disp);
}

void x86_op_plain(struct x86_buf *b, uint32_t op, unsigned reg, struct x86_rm rm)
{
	unsigned rex = x86_rex_bits(op, reg, rm), n = rex != 0;
	uint64_t bytes = x86_tail(b, b->p + n + 1, reg, rm) << 8 | (op & 0xff);

	bytes = bytes << 8 * n | (n ? 0x40 | rex : 0);
	x86_bytes(b, bytes, n + 1 + (unsigned)(rm.enc >> X86_RM_LENGTH_POS));
}

void x86_op_any(struct x86_buf *b, uint32_t op, unsigned reg, struct x86_rm rm)
{
	x86_any_here(b, op, reg, rm);
}

void x86_mov_imm(struct x86_buf *b, unsigned dst, uint64_t val)
{
	x86_mov_imm_here(b, dst, val);
}

void x86_alu_imm_any(struct x86_buf *b, uint32_t op, enum x86_alu alu, struct x86_rm rm, int32_t imm)
{
	bool is_short = imm == (int8_t)imm;

	x86_op_plain(b, is_short ? op | 2 : op, alu, rm);
	memcpy(b->p, &imm, 4);
	b->p += is_short ? 1 : 4;
}

/* The fields pp and mmmmm of VEX, by three bits that exclude each other. */
static inline unsigned vex_field(unsigned bits)
{
	return 0x30210 >> 4 * (bits & 7) & 3;
}

void x86_v(struct x86_buf *b, uint32_t op, unsigned reg, unsigned src, struct x86_rm rm)
{
	unsigned map = vex_field(op / X86_0F), xb = (unsigned)(rm.enc >> X86_RM_REX_POS & 3);
	unsigned r = ~reg << 4 & 0x80, last = (~src & 15) << 3 | (op / X86_L & 1) << 2 | vex_field(op / X86_66);
	uint32_t bytes = (op & 0xff) << 16, n = 3;

	if (map == 1 && xb == 0 && !(op & X86_W)) {
		bytes |= 0xc5 | (r | last) << 8;
	} else {
		/* X and B are next to each other here too, but inverted. */
		bytes = bytes << 8 | 0xc4 | (r | (xb ^ 3) << 5 | map) << 8 | (op / X86_W & 1) << 23 | last << 16;
		n = 4;
	}
	memcpy(b->p, &bytes, sizeof(bytes));
	b->p += n;
	x86_bytes(b, x86_tail(b, b->p, reg, rm), (unsigned)(rm.enc >> X86_RM_LENGTH_POS));
}

/* EVEX: its prefix's inverted bits that number registers 16 to 31 are set, as is the one that is always; no mask, no
 * broadcast, 128 bits. */
void x86_ev(struct x86_buf *b, uint32_t op, unsigned reg, unsigned src, unsigned src2)
{
	enum { X = 0x40, R_HIGH = 0x10, ALWAYS = 0x04, V_HIGH = 0x08 };
	unsigned first = (~reg << 4 & 0x80) | X | (~src2 << 2 & 0x20) | R_HIGH | vex_field(op / X86_0F);
	unsigned second = (op / X86_W & 1) << 7 | (~src & 15) << 3 | ALWAYS | vex_field(op / X86_66);
	uint64_t modrm = 0xc0 | (reg & 7) << 3 | (src2 & 7);

	x86_bytes(b, 0x62 | first << 8 | second << 16 | V_HIGH << 24 | (uint64_t)(op & 0xff) << 32 | modrm << 40, 6);
}
