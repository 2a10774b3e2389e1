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

/* Of functions whose result, for arguments that are constants, is one too. */
#define X86_FOLDED static inline __attribute__((always_inline))

/* Of functions that many translations call: they are put side by side, in few pages of the host's. */
#define JIT_HOT __attribute__((hot))

enum x86_reg {
	X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_RDI,
	X86_R8, X86_R9, X86_R10, X86_R11, X86_R12, X86_R13, X86_R14, X86_R15,
	X86_NO_REG,
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

/* To a multiple of 16, by INT3. */
static inline void x86_align16(struct x86_buf *b)
{
	memset(b->p, 0xcc, 16);
	b->p += (b->start - b->p) & 15;
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

/*
 * What ModRM and the bytes behind it tell of a register or a place in memory, ready
 * to be put down:
 *
 *     bits 0 to 47   ModRM without the other register, SIB, displacement
 *     bits 48 to 52  X86_RM_*
 *     bits 56 to 63  how many bytes
 */
struct x86_rm {
	uint64_t enc;
};

enum { X86_RM_REX_POS = 48, X86_RM_LENGTH_POS = 56 };
#define X86_RM_B (UINT64_C(1) << 48)    /* bits of REX */
#define X86_RM_X (UINT64_C(1) << 49)
#define X86_RM_REX8 (UINT64_C(1) << 50) /* a register that has no low byte without REX, or another that has REX */
#define X86_RM_MEM (UINT64_C(1) << 51)
#define X86_RM_RIP (UINT64_C(1) << 52)  /* the displacement is from the buffer's start */

/* Behind x86_r: by register, and computed. */
extern const struct x86_rm x86_rm_regs[16];
#define X86_RM_REG(n) { UINT64_C(1) << X86_RM_LENGTH_POS | 0xc0 | ((n) & 7) | ((n) & UINT64_C(8)) << 45 | ((n) & UINT64_C(4)) << 48 }

X86_FOLDED struct x86_rm x86_r(unsigned reg)
{
	if (__builtin_constant_p(reg))
		return (struct x86_rm)X86_RM_REG(reg);
	return x86_rm_regs[reg];
}

/* ModRM's mod for a displacement, but for that of a base whose number ends as RBP's. */
static inline unsigned x86_rm_mod(int32_t disp)
{
	return disp == 0 ? 0 : disp == (int8_t)disp ? 1 : 2;
}

/* Behind x86_m and x86_mx. */
static inline struct x86_rm x86_rm_encode(unsigned base, int32_t disp)
{
	unsigned low = base & 7, has_sib = low == X86_RSP, mod = x86_rm_mod(disp) | (disp == 0 && low == X86_RBP);
	uint64_t bytes = has_sib ? (uint64_t)(uint32_t)disp << 8 | 0x24 : (uint32_t)disp;

	return (struct x86_rm){ bytes << 8 | mod << 6 | low | X86_RM_MEM | (uint64_t)(base >> 3) << X86_RM_REX_POS |
		(uint64_t)(has_sib + (0x521 >> 4 * mod & 7)) << X86_RM_LENGTH_POS };
}

static inline struct x86_rm x86_rm_encode_indexed(unsigned base, unsigned index, unsigned scale, int32_t disp)
{
	unsigned low = base & 7, mod = x86_rm_mod(disp) | (disp == 0 && low == X86_RBP);

	return (struct x86_rm){ (uint64_t)(uint32_t)disp << 16 | (scale << 6 | (index & 7) << 3 | low) << 8 | mod << 6 |
		X86_RSP | X86_RM_MEM | (uint64_t)(index >> 3 << 1 | base >> 3) << X86_RM_REX_POS |
		(uint64_t)(0x632 >> 4 * mod & 7) << X86_RM_LENGTH_POS };
}

JIT_HOT struct x86_rm x86_rm_memory(unsigned base, int32_t disp);
JIT_HOT struct x86_rm x86_rm_indexed(unsigned base, unsigned index, unsigned scale, int32_t disp);

/* [base + disp] */
X86_FOLDED struct x86_rm x86_m(unsigned base, int32_t disp)
{
	if (__builtin_constant_p(base))
		return x86_rm_encode(base, disp);
	return x86_rm_memory(base, disp);
}

/* The same, with a displacement of 8 bits, and of 32; base is not X86_RSP or X86_R12. */
X86_FOLDED struct x86_rm x86_m8(unsigned base, uint8_t disp)
{
	return (struct x86_rm){ (uint64_t)disp << 8 | 0x40 | (base & 7) | X86_RM_MEM |
		(uint64_t)(base >> 3) << X86_RM_REX_POS | UINT64_C(2) << X86_RM_LENGTH_POS };
}

X86_FOLDED struct x86_rm x86_m32(unsigned base, uint32_t disp)
{
	return (struct x86_rm){ (uint64_t)disp << 8 | 0x80 | (base & 7) | X86_RM_MEM |
		(uint64_t)(base >> 3) << X86_RM_REX_POS | UINT64_C(5) << X86_RM_LENGTH_POS };
}

/* [base + (index << scale) + disp]; index is not X86_RSP. */
X86_FOLDED struct x86_rm x86_mx(unsigned base, unsigned index, unsigned scale, int32_t disp)
{
	if (__builtin_constant_p(base) && __builtin_constant_p(scale) && __builtin_constant_p(disp))
		return x86_rm_encode_indexed(base, index, scale, disp);
	return x86_rm_indexed(base, index, scale, disp);
}

/* A place in the code itself (or in the data before it), known by its offset from the start. `imm`: how many bytes
 * of the instruction follow, an immediate. */
static inline struct x86_rm x86_rip(uint32_t offset, unsigned imm)
{
	return (struct x86_rm){ UINT64_C(5) << X86_RM_LENGTH_POS | X86_RM_MEM | X86_RM_RIP |
		(uint64_t)(offset - imm) << 8 | X86_RBP };
}

static inline bool x86_is_mem(struct x86_rm rm)
{
	return rm.enc & X86_RM_MEM;
}

static inline bool x86_is_reg(struct x86_rm rm, unsigned reg)
{
	return rm.enc == x86_r(reg).enc;
}

/* Which one it is, if it is one. */
static inline unsigned x86_reg_of(struct x86_rm rm)
{
	return (rm.enc & 7) | (rm.enc & X86_RM_B ? 8 : 0);
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
	X86_CMP_LOAD = 0x3b,   /* reg - rm */
	X86_GROUP5 = 0xff,
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

enum x86_group5 { X86_G5_CALL = 2, X86_G5_JMP = 4 };

enum x86_cc {
	X86_O, X86_NO, X86_B, X86_AE, X86_E, X86_NE, X86_BE, X86_A,
	X86_S, X86_NS, X86_P, X86_NP, X86_L, X86_GE, X86_LE, X86_G,
};

/* Puts down `n` bytes of these. */
static inline void x86_bytes(struct x86_buf *b, uint64_t bytes, unsigned n)
{
	uint8_t *p = b->p;

	memcpy(p, &bytes, 8);
	b->p = p + n;
}

/* What ModRM and the bytes behind it are where the opcode's end is at `end`. */
static inline uint64_t x86_tail(const struct x86_buf *b, const uint8_t *end, unsigned reg, struct x86_rm rm)
{
	uint64_t bytes = rm.enc | (reg & 7) << 3;

	if (__builtin_expect((rm.enc & X86_RM_RIP) != 0, 0))
		bytes -= (uint64_t)(end + 5 - b->start) << 8;
	return bytes;
}

static inline unsigned x86_rex_bits(uint32_t op, unsigned reg, struct x86_rm rm)
{
	return (op >> 5 & 8) | (reg >> 1 & 4) | (unsigned)(rm.enc >> X86_RM_REX_POS & 3);
}

/* Behind the folded functions: an instruction without any prefix but REX, and any. */
JIT_HOT void x86_op_plain(struct x86_buf *b, uint32_t op, unsigned reg, struct x86_rm rm);
JIT_HOT void x86_op_any(struct x86_buf *b, uint32_t op, unsigned reg, struct x86_rm rm);

/* Any instruction with a ModRM byte, put down where it is called. */
X86_FOLDED void x86_any_here(struct x86_buf *b, uint32_t op, unsigned reg, struct x86_rm rm)
{
	/* SPL to DIL, not AH to BH */
	bool low = (op & X86_B8 && reg & 4) || (op & X86_RM8 && rm.enc & X86_RM_REX8);
	unsigned rex = x86_rex_bits(op, reg, rm), has_rex = rex || low, n = 1;
	uint32_t head = op & 0xff;
	uint8_t *p = b->p;

	if (op & (X86_LOCK | X86_66 | X86_F3 | X86_F2)) {
		if (op & X86_LOCK)
			*p++ = 0xf0;
		if (op & X86_66)
			*p++ = 0x66;
		if (op & (X86_F3 | X86_F2))
			*p++ = op & X86_F3 ? 0xf3 : 0xf2;
	}
	if (op & (X86_0F38 | X86_0F3A)) {
		head = head << 16 | (op & X86_0F38 ? 0x380f : 0x3a0f);
		n = 3;
	} else if (op & X86_0F) {
		head = head << 8 | 0x0f;
		n = 2;
	}
	head = head << 8 * has_rex | (has_rex ? 0x40 | rex : 0);
	n += has_rex;
	memcpy(p, &head, sizeof(head));
	p += n;
	uint64_t bytes = x86_tail(b, p, reg, rm);
	memcpy(p, &bytes, sizeof(bytes));
	b->p = p + (rm.enc >> X86_RM_LENGTH_POS);
}

#define X86_NEEDS_ANY (X86_66 | X86_F3 | X86_F2 | X86_0F | X86_0F38 | X86_0F3A | X86_B8 | X86_RM8 | X86_LOCK)

/* An opcode byte, perhaps with X86_W, put down where it is called; `rm` is not of x86_rip. Pieces that are wanted
 * often are made of such on a copy of the buffer: then all of it is in the compiler's hands. */
X86_FOLDED void x86_plain_here(struct x86_buf *b, uint32_t op, unsigned reg, struct x86_rm rm)
{
	unsigned rex = (op & X86_W ? 8 : 0) | (reg & 8) >> 1 | (unsigned)(rm.enc >> X86_RM_REX_POS & 3);
	unsigned n = rex ? 2 : 1;
	uint64_t head = rex ? (op & 0xff) << 8 | 0x40 | rex : op & 0xff;
	x86_bytes(b, head | (rm.enc | (reg & 7) << 3) << 8 * n, n + (unsigned)(rm.enc >> X86_RM_LENGTH_POS));
}

/* An opcode byte, perhaps with X86_W. */
X86_FOLDED void x86_plain(struct x86_buf *b, uint32_t op, unsigned reg, struct x86_rm rm)
{
	if (__builtin_constant_p(op) && __builtin_constant_p(reg) && __builtin_constant_p(rm.enc) &&
	    !(rm.enc & X86_RM_RIP))
		x86_plain_here(b, op, reg, rm);
	else
		x86_op_plain(b, op, reg, rm);
}

/* Any instruction with a ModRM byte. What follows it (an immediate) is the caller's to add. */
X86_FOLDED void x86_op(struct x86_buf *b, uint32_t op, unsigned reg, struct x86_rm rm)
{
	if (__builtin_constant_p(op) && !(op & X86_NEEDS_ANY))
		x86_plain(b, op, reg, rm);
	else if (__builtin_constant_p(op) && __builtin_constant_p(reg) && __builtin_constant_p(rm.enc))
		x86_any_here(b, op, reg, rm);
	else
		x86_op_any(b, op, reg, rm);
}

/* ---- Frequent forms; `w` is X86_W for 64 bits, 0 for 32 ---- */

/* Of two registers. */
X86_FOLDED void x86_plain_rr(struct x86_buf *b, uint32_t op, uint32_t w, unsigned reg, unsigned rm)
{
	if (__builtin_constant_p(w) && w)
		x86_bytes(b, 0xc00048 | (reg & 8) >> 1 | rm >> 3 | op << 8 | (reg & 7) << 19 | (rm & 7) << 16, 3);
	else
		x86_plain(b, op | w, reg, x86_r(rm));
}

X86_FOLDED void x86_mov_rr(struct x86_buf *b, uint32_t w, unsigned dst, unsigned src)
{
	x86_plain_rr(b, X86_MOV_LOAD, w, dst, src);
}

X86_FOLDED void x86_load(struct x86_buf *b, uint32_t w, unsigned dst, struct x86_rm mem)
{
	x86_plain(b, X86_MOV_LOAD | w, dst, mem);
}

X86_FOLDED void x86_store(struct x86_buf *b, uint32_t w, struct x86_rm mem, unsigned src)
{
	x86_plain(b, X86_MOV_STORE | w, src, mem);
}

/* Any 64-bit constant, in the shortest way that leaves the flags alone. */
JIT_HOT void x86_mov_imm(struct x86_buf *b, unsigned dst, uint64_t val);
/* The same, put down where it is called. */
X86_FOLDED void x86_mov_imm_here(struct x86_buf *b, unsigned dst, uint64_t val)
{
	unsigned n = dst >> 3;

	if (val == (uint32_t)val) {
		uint64_t bytes = val << 8 | 0xb8 | (dst & 7);
		x86_bytes(b, n ? bytes << 8 | 0x41 : bytes, 5 + n);
	} else if (val == (uint64_t)(int32_t)val) {
		x86_bytes(b, 0xc0c748 | n | (dst & 7) << 16 | val << 24, 7);
	} else {
		x86_bytes(b, 0xb848 | n | (dst & 7) << 8, 2);
		x86_u64(b, val);
	}
}

/* dst = dst op rm. */
X86_FOLDED void x86_alu(struct x86_buf *b, enum x86_alu alu, uint32_t w, unsigned dst, struct x86_rm rm)
{
	x86_plain(b, (uint32_t)(alu << 3 | 3) | w, dst, rm);
}

/* rm = rm op imm, with an immediate of 8 bits, and of 32. */
X86_FOLDED void x86_alu_imm8(struct x86_buf *b, enum x86_alu alu, uint32_t w, struct x86_rm rm, unsigned imm)
{
	x86_plain(b, 0x83 | w, alu, rm);
	x86_u8(b, imm);
}

X86_FOLDED void x86_alu_imm32(struct x86_buf *b, enum x86_alu alu, uint32_t w, struct x86_rm rm, uint32_t imm)
{
	x86_plain(b, 0x81 | w, alu, rm);
	x86_u32(b, imm);
}

/* Behind x86_alu_imm; `op` is 0x81, perhaps with X86_W. */
JIT_HOT void x86_alu_imm_any(struct x86_buf *b, uint32_t op, enum x86_alu alu, struct x86_rm rm, int32_t imm);

/* `w` may be X86_BYTE. */
X86_FOLDED void x86_alu_imm(struct x86_buf *b, enum x86_alu alu, uint32_t w, struct x86_rm rm, int32_t imm)
{
	if (w == X86_BYTE) {
		x86_op(b, 0x80 | X86_RM8, alu, rm);
		x86_u8(b, (uint8_t)imm);
	} else if (!__builtin_constant_p(imm)) {
		x86_alu_imm_any(b, 0x81 | w, alu, rm, imm);
	} else if (imm == (int8_t)imm) {
		x86_alu_imm8(b, alu, w, rm, (uint8_t)imm);
	} else {
		x86_alu_imm32(b, alu, w, rm, (uint32_t)imm);
	}
}

X86_FOLDED void x86_shift_imm(struct x86_buf *b, enum x86_shift shift, uint32_t w, unsigned dst, unsigned amount)
{
	x86_plain(b, 0xc1 | w, shift, x86_r(dst));
	x86_u8(b, amount);
}

X86_FOLDED void x86_shift_cl(struct x86_buf *b, enum x86_shift shift, uint32_t w, unsigned dst)
{
	x86_plain(b, 0xd3 | w, shift, x86_r(dst));
}

X86_FOLDED void x86_group3(struct x86_buf *b, enum x86_group3 which, uint32_t w, unsigned dst)
{
	x86_plain(b, 0xf7 | w, which, x86_r(dst));
}

X86_FOLDED void x86_test_rr(struct x86_buf *b, uint32_t w, unsigned x, unsigned y)
{
	x86_plain_rr(b, X86_TEST, w, y, x);
}

X86_FOLDED void x86_test_imm(struct x86_buf *b, uint32_t w, struct x86_rm rm, int32_t imm)
{
	x86_plain(b, 0xf7 | w, X86_G3_TEST, rm);
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
	x86_plain(b, 0x69 | w, dst, rm);
	x86_u32(b, (uint32_t)imm);
}

X86_FOLDED void x86_lea(struct x86_buf *b, uint32_t w, unsigned dst, struct x86_rm mem)
{
	x86_plain(b, X86_LEA | w, dst, mem);
}

/* ---- Branches ---- */

/* Forward branches: emit, remember the offset that is returned, bind it later. */
static inline uint32_t x86_jcc(struct x86_buf *b, enum x86_cc cc)
{
	x86_bytes(b, 0x0f | (0x80u | cc) << 8, 6);
	return x86_here(b);
}

static inline uint32_t x86_jmp(struct x86_buf *b)
{
	x86_bytes(b, 0xe9, 5);
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
	x86_bytes(b, 0xe9 | (uint64_t)(target - (x86_here(b) + 5)) << 8, 5);
}

static inline void x86_jcc_to(struct x86_buf *b, enum x86_cc cc, uint32_t target)
{
	x86_bytes(b, 0x0f | (0x80u | cc) << 8 | (uint64_t)(target - (x86_here(b) + 6)) << 16, 6);
}

static inline void x86_call_to(struct x86_buf *b, uint32_t target)
{
	x86_bytes(b, 0xe8 | (uint64_t)(target - (x86_here(b) + 5)) << 8, 5);
}

static inline void x86_jmp_rm(struct x86_buf *b, struct x86_rm rm)
{
	x86_plain(b, X86_GROUP5, X86_G5_JMP, rm);
}

static inline void x86_call_reg(struct x86_buf *b, unsigned reg)
{
	x86_plain(b, X86_GROUP5, X86_G5_CALL, x86_r(reg));
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
