/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An assembler for x86-64, as far as the JIT needs it: general registers, and
 * the encoding of anything with a ModRM byte (Intel SDM volume 2, chapter 2).
 *
 * An instruction is an opcode word (X86_* flags and the opcode byte), a
 * register, and a struct x86_rm that is a register or a memory operand. Nothing
 * here checks for the end of the buffer: who starts a piece of code makes sure
 * that there is room for all of it. Addresses within the code are offsets from
 * the buffer's start, the same in the writable and the executable mapping.
 */
#ifndef EMU_X86_EMIT_PRIV_H
#define EMU_X86_EMIT_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum x86_reg {
	X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_RDI,
	X86_R8, X86_R9, X86_R10, X86_R11, X86_R12, X86_R13, X86_R14, X86_R15,
	X86_NO_REG,
	X86_RIP = 0x20,
};

struct x86_buf {
	uint8_t *start;      /* of the writable mapping */
	uint8_t *p;          /* where the next byte goes */
	const uint8_t *exec; /* start of the executable mapping */
};

/* ---- Raw bytes and labels ---- */

static inline void x86_u8(struct x86_buf *b, unsigned val)
{
	*b->p++ = (uint8_t)val;
}

static inline void x86_u32(struct x86_buf *b, uint32_t val)
{
	memcpy(b->p, &val, 4);
	b->p += 4;
}

static inline void x86_u64(struct x86_buf *b, uint64_t val)
{
	memcpy(b->p, &val, 8);
	b->p += 8;
}

/* A place in the code. */
static inline uint32_t x86_here(const struct x86_buf *b)
{
	return (uint32_t)(b->p - b->start);
}

static inline const uint8_t *x86_exec_at(const struct x86_buf *b, uint32_t offset)
{
	return b->exec + offset;
}

/* ---- Operands ---- */

struct x86_rm {
	uint8_t base;  /* the register itself if !mem */
	uint8_t index; /* X86_NO_REG: none */
	uint8_t scale; /* log2 */
	bool mem;
	int32_t disp;
};

static inline struct x86_rm x86_r(unsigned reg)
{
	return (struct x86_rm){ .base = (uint8_t)reg, .index = X86_NO_REG };
}

static inline struct x86_rm x86_m(unsigned base, int32_t disp)
{
	return (struct x86_rm){ .base = (uint8_t)base, .index = X86_NO_REG, .mem = true, .disp = disp };
}

static inline struct x86_rm x86_mx(unsigned base, unsigned index, unsigned scale, int32_t disp)
{
	return (struct x86_rm){ .base = (uint8_t)base, .index = (uint8_t)index, .scale = (uint8_t)scale, .mem = true,
		.disp = disp };
}

/* A place in the code itself (or in the data before it); for instructions without an immediate. */
static inline struct x86_rm x86_rip(uint32_t offset)
{
	return (struct x86_rm){ .base = X86_RIP, .index = X86_NO_REG, .mem = true, .disp = (int32_t)offset };
}

/* ---- Opcodes: an opcode byte and these ---- */

#define X86_W (1u << 8)    /* 64-bit operands */
#define X86_66 (1u << 9)
#define X86_F3 (1u << 10)
#define X86_F2 (1u << 11)
#define X86_0F (1u << 12)
#define X86_0F38 (1u << 13)
#define X86_0F3A (1u << 14)
#define X86_B8 (1u << 15)  /* the register operand is of 8 bits */
#define X86_RM8 (1u << 16) /* the r/m operand is of 8 bits, if it is a register */
#define X86_LOCK (1u << 17)
#define X86_BYTE (1u << 18) /* x86_alu_imm: 8-bit operands */

enum {
	X86_MOV_LOAD = 0x8b,   /* reg = rm */
	X86_MOV_STORE = 0x89,  /* rm = reg */
	X86_MOV_STORE8 = 0x88 | X86_B8,
	X86_MOV_STORE16 = 0x89 | X86_66,
	X86_MOVZX8 = 0xb6 | X86_0F | X86_RM8,
	X86_MOVZX16 = 0xb7 | X86_0F,
	X86_MOVSX8 = 0xbe | X86_0F | X86_RM8,
	X86_MOVSX16 = 0xbf | X86_0F,
	X86_MOVSXD = 0x63 | X86_W,
	X86_LEA = 0x8d,
	X86_TEST = 0x85,
	X86_XCHG = 0x87,
	X86_IMUL = 0xaf | X86_0F,
	X86_BT = 0xa3 | X86_0F,
	X86_LZCNT = 0xbd | X86_F3 | X86_0F,
	X86_TZCNT = 0xbc | X86_F3 | X86_0F,
	X86_CMOV = 0x40 | X86_0F,  /* + condition */
	X86_SETCC = 0x90 | X86_0F | X86_RM8,
};

/* The eight of group 1: as reg = reg op rm; with an immediate the digit is the number. */
enum x86_alu { X86_ADD, X86_OR, X86_ADC, X86_SBB, X86_AND, X86_SUB, X86_XOR, X86_CMP };
enum x86_shift { X86_ROL, X86_ROR, X86_RCL, X86_RCR, X86_SHL, X86_SHR, X86_SAR = 7 };
/* Group 3, opcode 0xf7. */
enum x86_group3 { X86_G3_TEST, X86_NOT = 2, X86_NEG, X86_MUL, X86_IMUL1, X86_DIV, X86_IDIV };

enum x86_cc {
	X86_O, X86_NO, X86_B, X86_AE, X86_E, X86_NE, X86_BE, X86_A,
	X86_S, X86_NS, X86_P, X86_NP, X86_L, X86_GE, X86_LE, X86_G,
};

/* The ModRM byte, and what it needs of SIB and displacement. Puts down more bytes than it is long. */
static inline void x86_modrm(struct x86_buf *b, unsigned reg, struct x86_rm rm)
{
	unsigned bytes = (reg & 7) << 3 | (rm.base & 7), size = 1, disp_size = 0;
	uint32_t disp = (uint32_t)rm.disp;

	if (!rm.mem) {
		bytes |= 3 << 6;
	} else if (rm.base == X86_RIP) {
		bytes |= X86_RBP;
		disp_size = 4;
		disp -= (uint32_t)(b->p + 5 - b->start);
	} else {
		if (rm.disp != (int8_t)rm.disp) {
			bytes |= 2 << 6;
			disp_size = 4;
		} else if (rm.disp != 0 || (rm.base & 7) == X86_RBP) {
			bytes |= 1 << 6;
			disp_size = 1;
		}
		if (rm.index != X86_NO_REG || (rm.base & 7) == X86_RSP) {
			unsigned index = rm.index == X86_NO_REG ? X86_RSP : rm.index & 7;
			bytes = (bytes & ~7u) | X86_RSP | ((unsigned)rm.scale << 6 | index << 3 | (rm.base & 7)) << 8;
			size = 2;
		}
	}
	uint64_t all = bytes | (uint64_t)disp << 8 * size;
	memcpy(b->p, &all, 8);
	b->p += size + disp_size;
}

/* Any instruction with a ModRM byte. What follows it (an immediate) is the caller's to add. */
static inline void x86_op(struct x86_buf *b, uint32_t op, unsigned reg, struct x86_rm rm)
{
	unsigned rex = (op & X86_W ? 8 : 0) | (reg & 8) >> 1 | (rm.base & 8) >> 3;
	uint64_t bytes = 0;
	unsigned n = 0;

	if (rm.mem && rm.index != X86_NO_REG)
		rex |= (rm.index & 8) >> 2;
	if ((op & X86_B8 && reg >= X86_RSP) || (op & X86_RM8 && !rm.mem && rm.base >= X86_RSP))
		rex |= 0x40; /* SPL to DIL, not AH to BH */
	if (op & (X86_LOCK | X86_66 | X86_F3 | X86_F2)) {
		if (op & X86_LOCK)
			bytes = 0xf0, n = 8;
		if (op & X86_66)
			bytes |= (uint64_t)0x66 << n, n += 8;
		if (op & (X86_F3 | X86_F2))
			bytes |= (uint64_t)(op & X86_F3 ? 0xf3 : 0xf2) << n, n += 8;
	}
	if (rex)
		bytes |= (uint64_t)(0x40 | rex) << n, n += 8;
	if (op & (X86_0F | X86_0F38 | X86_0F3A)) {
		bytes |= (uint64_t)0x0f << n, n += 8;
		if (op & (X86_0F38 | X86_0F3A))
			bytes |= (uint64_t)(op & X86_0F38 ? 0x38 : 0x3a) << n, n += 8;
	}
	bytes |= (uint64_t)(op & 0xff) << n;
	memcpy(b->p, &bytes, 8);
	b->p += n / 8 + 1;
	x86_modrm(b, reg, rm);
}

/* ---- Frequent forms; `w` is X86_W for 64 bits, 0 for 32 ---- */

static inline void x86_mov_rr(struct x86_buf *b, uint32_t w, unsigned dst, unsigned src)
{
	x86_op(b, X86_MOV_LOAD | w, dst, x86_r(src));
}

static inline void x86_load(struct x86_buf *b, uint32_t w, unsigned dst, struct x86_rm mem)
{
	x86_op(b, X86_MOV_LOAD | w, dst, mem);
}

static inline void x86_store(struct x86_buf *b, uint32_t w, struct x86_rm mem, unsigned src)
{
	x86_op(b, X86_MOV_STORE | w, src, mem);
}

/* Any 64-bit constant, in the shortest way that leaves the flags alone. */
static inline void x86_mov_imm(struct x86_buf *b, unsigned dst, uint64_t val)
{
	if (val == (uint32_t)val) {
		if (dst & 8)
			x86_u8(b, 0x41);
		x86_u8(b, 0xb8 | (dst & 7));
		x86_u32(b, (uint32_t)val);
	} else if (val == (uint64_t)(int32_t)val) {
		x86_op(b, 0xc7 | X86_W, 0, x86_r(dst));
		x86_u32(b, (uint32_t)val);
	} else {
		x86_u8(b, dst & 8 ? 0x49 : 0x48);
		x86_u8(b, 0xb8 | (dst & 7));
		x86_u64(b, val);
	}
}

/* dst = dst op rm. */
static inline void x86_alu(struct x86_buf *b, enum x86_alu alu, uint32_t w, unsigned dst, struct x86_rm rm)
{
	x86_op(b, (uint32_t)(alu << 3 | 3) | w, dst, rm);
}

static inline void x86_alu_imm(struct x86_buf *b, enum x86_alu alu, uint32_t w, struct x86_rm rm, int32_t imm)
{
	bool is_short = imm == (int8_t)imm;

	if (w == X86_BYTE) {
		x86_op(b, 0x80 | X86_RM8, alu, rm);
		x86_u8(b, (uint8_t)imm);
		return;
	}
	x86_op(b, (is_short ? 0x83 : 0x81) | w, alu, rm);
	if (is_short)
		x86_u8(b, (uint8_t)imm);
	else
		x86_u32(b, (uint32_t)imm);
}

static inline void x86_shift_imm(struct x86_buf *b, enum x86_shift shift, uint32_t w, unsigned dst, unsigned amount)
{
	x86_op(b, 0xc1 | w, shift, x86_r(dst));
	x86_u8(b, amount);
}

static inline void x86_shift_cl(struct x86_buf *b, enum x86_shift shift, uint32_t w, unsigned dst)
{
	x86_op(b, 0xd3 | w, shift, x86_r(dst));
}

static inline void x86_group3(struct x86_buf *b, enum x86_group3 which, uint32_t w, unsigned dst)
{
	x86_op(b, 0xf7 | w, which, x86_r(dst));
}

static inline void x86_test_rr(struct x86_buf *b, uint32_t w, unsigned x, unsigned y)
{
	x86_op(b, X86_TEST | w, y, x86_r(x));
}

static inline void x86_test_imm(struct x86_buf *b, uint32_t w, struct x86_rm rm, int32_t imm)
{
	x86_op(b, 0xf7 | w, X86_G3_TEST, rm);
	x86_u32(b, (uint32_t)imm);
}

/* Of the low byte of a register, or a byte in memory. */
static inline void x86_test8_imm(struct x86_buf *b, struct x86_rm rm, uint8_t imm)
{
	x86_op(b, 0xf6 | X86_RM8, X86_G3_TEST, rm);
	x86_u8(b, imm);
}

/* dst = rm * imm. */
static inline void x86_imul_imm(struct x86_buf *b, uint32_t w, unsigned dst, struct x86_rm rm, int32_t imm)
{
	x86_op(b, 0x69 | w, dst, rm);
	x86_u32(b, (uint32_t)imm);
}

static inline void x86_lea(struct x86_buf *b, uint32_t w, unsigned dst, struct x86_rm mem)
{
	x86_op(b, X86_LEA | w, dst, mem);
}

/* ---- Branches ---- */

/* Forward branches: emit, remember the offset that is returned, bind it later. */
static inline uint32_t x86_jcc(struct x86_buf *b, enum x86_cc cc)
{
	x86_u8(b, 0x0f);
	x86_u8(b, 0x80 | cc);
	x86_u32(b, 0);
	return x86_here(b);
}

static inline uint32_t x86_jmp(struct x86_buf *b)
{
	x86_u8(b, 0xe9);
	x86_u32(b, 0);
	return x86_here(b);
}

/* Makes a branch, known by the offset behind it, go to `target`. */
static inline void x86_bind(struct x86_buf *b, uint32_t branch, uint32_t target)
{
	uint32_t rel = target - branch;

	memcpy(b->start + branch - 4, &rel, 4);
}

/* Where a bound branch leads. */
static inline uint32_t x86_bound_to(const struct x86_buf *b, uint32_t branch)
{
	uint32_t rel;

	memcpy(&rel, b->start + branch - 4, 4);
	return branch + rel;
}

static inline void x86_bind_here(struct x86_buf *b, uint32_t branch)
{
	x86_bind(b, branch, x86_here(b));
}

static inline void x86_jmp_to(struct x86_buf *b, uint32_t target)
{
	x86_bind(b, x86_jmp(b), target);
}

static inline void x86_jcc_to(struct x86_buf *b, enum x86_cc cc, uint32_t target)
{
	x86_bind(b, x86_jcc(b, cc), target);
}

static inline void x86_call_to(struct x86_buf *b, uint32_t target)
{
	x86_u8(b, 0xe8);
	x86_u32(b, 0);
	x86_bind(b, x86_here(b), target);
}

static inline void x86_jmp_rm(struct x86_buf *b, struct x86_rm rm)
{
	x86_op(b, 0xff, 4, rm);
}

static inline void x86_call_reg(struct x86_buf *b, unsigned reg)
{
	x86_op(b, 0xff, 2, x86_r(reg));
}

static inline void x86_push(struct x86_buf *b, unsigned reg)
{
	if (reg & 8)
		x86_u8(b, 0x41);
	x86_u8(b, 0x50 | (reg & 7));
}

static inline void x86_pop(struct x86_buf *b, unsigned reg)
{
	if (reg & 8)
		x86_u8(b, 0x41);
	x86_u8(b, 0x58 | (reg & 7));
}

static inline void x86_ret(struct x86_buf *b)
{
	x86_u8(b, 0xc3);
}

/* ---- Flags ---- */

static inline void x86_lahf(struct x86_buf *b)
{
	x86_u8(b, 0x9f);
}

static inline void x86_sahf(struct x86_buf *b)
{
	x86_u8(b, 0x9e);
}

static inline void x86_cmc(struct x86_buf *b)
{
	x86_u8(b, 0xf5);
}

static inline void x86_setcc(struct x86_buf *b, enum x86_cc cc, unsigned dst)
{
	x86_op(b, X86_SETCC + cc, 0, x86_r(dst));
}

static inline void x86_cmov(struct x86_buf *b, enum x86_cc cc, uint32_t w, unsigned dst, struct x86_rm rm)
{
	x86_op(b, (X86_CMOV + cc) | w, dst, rm);
}

#endif
