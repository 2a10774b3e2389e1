/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT, inside.
 *
 * Host registers while translated code runs:
 *
 *     RBP              &cpu + JIT_BIAS, so that X0 to X30 are an 8-bit displacement away
 *     R12, R13         the page arrays for reads and for writes; or the tagged table, and scratch
 *     RAX, RCX, RDX    scratch within an instruction
 *     the other nine   guest registers: those of jit_pin from block to block, others
 *                      where a block chooses so, see emu/jit_map.c
 *     XMM0 to XMM7     scratch within an instruction
 *     XMM8 to XMM15    vector registers of the guest, see emu/jit_vregs.c
 *
 * Guest registers that have no host register live in struct emu_cpu. Whenever C
 * code runs, all of them do; from block to block, all but the nine. jit_call and
 * the exits see to it. NZCV is in cpu->jit_hot.flags, in the host's form, and in
 * cpu->nzcv only while C code runs that has called jit_sync_flags (everything
 * that may raise).
 *
 * A translator (JIT_INSN) emits the code of one instruction. It reads the
 * guest's registers, makes the memory accesses, then writes: whatever may leave
 * in the middle leaves the instruction undone. Instructions with no translator
 * are calls of the interpreter's function.
 */
#ifndef EMU_JIT_PRIV_H
#define EMU_JIT_PRIV_H

#include "emu/a64_decode.h"
#include "emu/access_priv.h"
#include "emu/cpu_priv.h"
#include "emu/jit.h"
#include "emu/x86_emit_priv.h"

#include <stddef.h>

/* ---- The table of translators: emu/jit_ops.def, emu/jit_ops_simd.def ---- */

/* What an instruction has to do with NZCV, and with the block. */
enum {
	JIT_SETS = 1 << 0,     /* sets all of N, Z, C, V */
	JIT_USES = 1 << 1,     /* reads some, by jit_condition */
	JIT_CLOBBERS = 1 << 2, /* uses NZCV, and leaves nothing of it in the host's flags */
	JIT_RAISES = 1 << 3,   /* may leave the block in the middle, or let C code see NZCV */
	JIT_ENDS = 1 << 4,     /* the block's last, or a conditional branch that may leave it */
	JIT_BLOCK_MASK = 31,
};

/* Floating point and Advanced SIMD: when an instruction is translated, and not
 * a call of the interpreter (jit_vec_is_native). */
enum {
	JIT_VEC = 1 << 5,      /* has to be given: the host needs AVX2 */
	JIT_FP = 1 << 6,       /* not where FPCR has the alternative half precision; flushing to zero: JIT_FZ_* */
	JIT_SYSTEM = 1 << 7,   /* on its own: some encodings, as jit_system_props says */
	JIT_FMA = 1 << 8,      /* the host needs these, too */
	JIT_AES = 1 << 9,
	JIT_PCLMUL = 1 << 10,
	JIT_SHA = 1 << 11,
	JIT_F16C = 1 << 12,
	JIT_BMI = 1 << 13,     /* BMI1 and BMI2; these are in host_has alone */
	JIT_AVX512 = 1 << 14,  /* F, VL, BW, DQ and CD, which come together but on Knights Landing */
	JIT_BITALG = 1 << 15,  /* that, and AVX512_BITALG */
	JIT_HOST_MASK = JIT_VEC | JIT_FMA | JIT_AES | JIT_PCLMUL | JIT_SHA | JIT_F16C,
	JIT_SIZES_POS = 16,    /* 4 bits: the values of `size`; 0: there is none */
	JIT_BHSD = 15 << JIT_SIZES_POS,
	JIT_BHS = 7 << JIT_SIZES_POS,
	JIT_BH = 3 << JIT_SIZES_POS,
	JIT_HS = 6 << JIT_SIZES_POS,
	JIT_ONLY_D = 8 << JIT_SIZES_POS,
	JIT_FZ_POS = 27,       /* JIT_FP: the operands to look at where FPCR.FZ flushes denormals; 0: not translated then */
	JIT_FZ_MASK = 7 << JIT_FZ_POS,
	JIT_FZ_NONE = 1 << JIT_FZ_POS,
	JIT_FZ_N = 2 << JIT_FZ_POS,    /* the lowest elements of Vn, */
	JIT_FZ_NM = 3 << JIT_FZ_POS,   /* Vm, */
	JIT_FZ_NMA = 4 << JIT_FZ_POS,  /* and Va */
	JIT_FZ_VN = 5 << JIT_FZ_POS,   /* all of Vn, */
	JIT_FZ_VNM = 6 << JIT_FZ_POS,  /* Vm, */
	JIT_FZ_VNMD = 7 << JIT_FZ_POS, /* and Vd */
	JIT_FORM_POS = 24,     /* what else is reserved */
	JIT_FORM_MASK = 7 << JIT_FORM_POS,
	JIT_NO_1D = 1 << JIT_FORM_POS,  /* sz without Q */
	JIT_ACROSS = 2 << JIT_FORM_POS, /* a size of 2 without Q */
	JIT_IMM5 = 3 << JIT_FORM_POS,   /* imm5 that tells no size */
	JIT_DUP = 4 << JIT_FORM_POS,    /* that, and a doubleword without Q */
	JIT_UMOV = 5 << JIT_FORM_POS,   /* that, and a doubleword if and only if Q */
	JIT_SMOV = 6 << JIT_FORM_POS,   /* that, and a doubleword, or a word without Q */
	JIT_EXT = 7 << JIT_FORM_POS,    /* bit 3 of imm4 without Q */
};

typedef void jit_translate_fn(struct jit *j, uint32_t word);
struct jit_op {
	jit_translate_fn *translate; /* NULL: call the interpreter */
	uint32_t props;              /* JIT_* */
};
extern const struct jit_op jit_ops[A64_OP_COUNT];

/* What else is known of an instruction once the vCPU is. */
enum {
	JIT_OP_DEFINED = 1 << 0, /* it has the features that it needs */
	JIT_OP_FP = 1 << 1,      /* CPACR_EL1.FPEN may trap it */
};

/* A translator; the fields of its instruction are in `a`. */
#define JIT_INSN(name) \
	static void translate_##name(struct jit *j, const struct a64_args_##name *a); \
	void jit_##name(struct jit *j, uint32_t word) \
	{ \
		struct a64_args_##name a; \
		a64_extract_##name(word, &a); \
		translate_##name(j, &a); \
	} \
	static inline void translate_##name(struct jit *j, const struct a64_args_##name *a)

/* ---- Blocks ---- */

enum { JIT_MAX_INSNS = 64, JIT_MAX_SLOW = 4 * JIT_MAX_INSNS };
/* What a block's code is translated for, beside its address. */
enum {
	JIT_FLAG_EL0 = 1 << 0,
	JIT_FLAG_SP_CHECK = 1 << 1, /* SP as a base must be aligned */
	JIT_FLAG_FP_TRAP = 1 << 2,
	JIT_FLAG_SPSEL = 1 << 3,
	JIT_FLAG_GUARDED = 1 << 4,
	JIT_FLAG_FP_MODE = 1 << 5,  /* FPCR has a mode that the host does not */
	JIT_FLAG_FP_FZ = 1 << 6,    /* FPCR.FZ: see emu/jit_fp_flush.c */
	JIT_FLAG_BTYPE_POS = 7,     /* 2 bits: PSTATE.BTYPE of the first instruction, where it shows */
};

struct jit_block {
	uint64_t pc;        /* JIT_BLOCK_DROPPED: it is not found any more */
	uint64_t place;     /* physical page; flags */
	uint32_t code;      /* offset */
	uint16_t n;         /* instructions */
	uint16_t size;      /* bytes of code */
	uint32_t hash_next; /* number of an older block in the same chain: see emu/jit_block.c */
	uint32_t page_next;
};
enum { JIT_BLOCK_DROPPED = 1 << 0 };

static inline uint64_t jit_block_place(uint64_t pa, uint32_t flags)
{
	_Static_assert(4 << JIT_FLAG_BTYPE_POS <= 1 << EMU_PAGE_BITS, "there is room for all flags");
	return (pa & ~EMU_PAGE_MASK) | flags;
}

static inline uint64_t jit_block_pa(const struct jit_block *block)
{
	return (block->place & ~EMU_PAGE_MASK) | (block->pc & EMU_PAGE_MASK & ~(uint64_t)JIT_BLOCK_DROPPED);
}

static inline uint32_t jit_block_flags(const struct jit_block *block)
{
	return block->place & EMU_PAGE_MASK;
}

struct jit_insn {
	uint32_t word;
	uint16_t op;   /* enum a64_op, A64_OP_COUNT if UNDEFINED */
	uint8_t props;
	bool native;       /* it has a translator, which does this encoding */
	bool flags_to_mem; /* it sets NZCV, and somebody reads it from memory */
	bool is_target;    /* a branch of the block leads here, too */
	/* The instruction of the block where a conditional branch that is not its last goes on when it is
	 * taken; 0: nowhere in the block. Always one behind it. */
	uint8_t inner;
	uint8_t fields;    /* JIT_FIELD_* */
};

enum { JIT_SEEN_BITS = 8 };

/* Which fields of an encoding number general registers: see emu/jit_map.c. */
enum {
	JIT_FIELD_D = 1 << 0, /* at bit 0 */
	JIT_FIELD_N = 1 << 1, /* 5 */
	JIT_FIELD_A = 1 << 2, /* 10 */
	JIT_FIELD_M = 1 << 3, /* 16 */
	JIT_FIELD_MASK = 15,
};

/* Which vector registers the host's are: in XMM8 + i is Vn[i], if bit i of
 * `valid` is set, and memory has something else, if bit i of `dirty` is. What is
 * above the lowest word is known to be zero if bit i of clear[0] is set, above the
 * lowest doubleword if that of clear[1] is. */
enum { JIT_V_FIRST = 8, JIT_V_SLOTS = 8 };
struct jit_vregs {
	uint8_t n[JIT_V_SLOTS];     /* 0xff: none */
	uint16_t used[JIT_V_SLOTS]; /* when, by `clock` */
	uint16_t clock;
	uint8_t valid, dirty, locked;
	uint8_t clear[2];
};

/* A piece of code that is emitted behind the block. `emit` may use the members
 * as it likes; pc, index and vregs are those of the instruction, where the piece
 * was added. A piece that calls C code goes back by jit_slow_return. There are many
 * of them: each is a line of the host's cache. */
struct jit_slow {
	void (*emit)(struct jit *j, const struct jit_slow *s);
	uint64_t pc;
	uint64_t arg;
	uint32_t branch[4]; /* to bind to the piece's start; 0: none */
	uint32_t resume;    /* where the piece returns to */
	uint32_t fault;     /* the host instruction that may trap, + 1; 0: none */
	uint32_t unaligned; /* of a site: a branch that is taken by unaligned accesses; 0: none */
	uint16_t vregs, resume_vregs; /* numbers in saved_vregs */
	uint16_t bytes;
	uint8_t index;
	uint8_t reg, reg2, kind, count;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct jit_slow) == 64, "a line of the host's cache");

/* A host register that has another guest register in the current block. */
enum { JIT_PINNED = 9 };
struct jit_swap {
	uint8_t reg, usual, now;
};

/* Where NZCV is, beside memory. */
enum jit_eflags {
	JIT_EFLAGS_NONE,
	JIT_EFLAGS_SUB,   /* CF is the inverse of C */
	JIT_EFLAGS_ADD,   /* CF is C */
	JIT_EFLAGS_FP,    /* UCOMISS has left them, its operands as jit_fp_is_swapped says; for one jit_condition */
};

/* ---- The page arrays, or tables (emu/jit_mem.c) ---- */

/* A host instruction that faults if the guest's address is not canonical, and where to go then. */
struct jit_fault {
	uint32_t at, to;
};

enum { JIT_REGIMES = 3, JIT_VIEWS = JIT_REGIMES * EMU_JIT_LOW_SETS };

/* An entry of a tagged table, chosen by the lowest bits of the page's number. A
 * tag is the address of the page's last byte; 0 never matches. */
struct jit_tagged {
	uint64_t tag_read, tag_write;
	uint64_t addend;    /* host minus guest address */
	uint64_t unused;    /* keeps the size a power of two */
};
enum { JIT_TABLE_BITS = 11, JIT_TABLE_SIZE = 1 << JIT_TABLE_BITS };

/* One half of a view. */
struct jit_half {
	uint64_t *log;      /* indices of entries that may be set */
	unsigned n;         /* in the log; more than its size: there are others */
	bool has_huge;      /* some came from mappings of more than 2 MiB */
	uint64_t blocks[16];/* hashed by 2 MiB: some came from mappings of more than a page */
};

struct jit_view {
	uint64_t *read, *write; /* NULL: not there */
	struct jit_tagged *table; /* not NULL: instead of them */
	unsigned set[2];        /* of the TLB: whose the halves are */
	struct jit_half half[2];
};

/* ---- Contexts (emu/jit_context.c) ---- */

/* A place in which indirect branches look their target up. */
struct jit_jump {
	uint64_t pc;
	const uint8_t *code;
};
/* Where a table has a PC: programs are laid out in pages, so what is above those bits counts too. */
enum { JIT_JUMPS = 16384, JIT_JUMP_FOLD = 14, JIT_BTYPES = 4 };
static inline unsigned jit_jump_index(uint64_t pc)
{
	return ((uint32_t)pc ^ (uint32_t)pc >> JIT_JUMP_FOLD) >> 2 & (JIT_JUMPS - 1);
}
/* Where what was there goes when another PC takes its place. */
static inline unsigned jit_jump_second(unsigned index)
{
	return index ^ 1;
}

enum {
	JIT_VARIANTS = 8,
	JIT_CONTEXTS = EMU_JIT_SETS * JIT_VARIANTS, /* EL0 by low set, EL1 by high set */
	JIT_CONTEXT_LOG = 4096,
};
#define JIT_NO_GEN UINT32_MAX /* of a jump's guard that lets nobody pass */

struct jit_context {
	uint32_t gen;            /* in the guards of jumps to other pages */
	uint32_t flags;          /* of the blocks */
	struct jit_jump *jumps;  /* JIT_BTYPES tables */
	unsigned tables;         /* a bit for each that has something */
	unsigned n_logged;       /* in the log; more than its size: there are others */
	uint16_t log[JIT_CONTEXT_LOG]; /* where the tables have something */
	unsigned set[2];         /* of the TLB: whose the halves are */
	bool has[2];             /* has run code of the half */
	bool has_huge;           /* has run code that is mapped by more than 2 MiB at once */
	uint64_t pages[32];      /* hashed: pages where code was found */
	uint64_t chunks[16];     /* hashed by 2 MiB */
	uint64_t blocks[16];     /* of those: some code is mapped by more than a page at once */
};

/* ---- Code memory (emu/jit_cache.c) ---- */

/* A jump into a region from another one. */
struct jit_link {
	uint32_t branch;    /* its end */
	uint32_t piece;     /* where it led before */
	uint32_t gen;       /* of the region it is in */
};

struct jit_region {
	uint32_t gen;       /* counts the times it was emptied */
	unsigned n_links, max_links;
	struct jit_link *links;
};

/* Memory that is used from its start to its end. */
struct jit_area {
	const void *start;
	size_t size, asked; /* to there the host has been asked for it */
	bool write;
};
enum { JIT_AREA_WRITE, JIT_AREA_EXEC, JIT_AREA_BLOCKS, JIT_AREA_FAULTS, JIT_AREA_HASH, JIT_AREAS };

/* What a site executes; none is the word 0. */
struct jit_decoded {
	uint32_t word;
	enum a64_op op;
	union a64_args args;
};
enum { JIT_DECODED_BITS = 6 };

/* ---- All of it ---- */

struct jit {
	/* ---- what the translation of a block looks at all the time: near, so that instructions that do are short ---- */
	struct x86_buf buf;
	unsigned n;                 /* instructions in the block */
	unsigned i;                 /* the one that is being translated */
	uint64_t pc;                /* its address */
	uint64_t block_pc;
	uint32_t block_flags;
	/* Behind the branch insn[seam], where it is taken, come those at seam_target; n: there is no such branch. */
	unsigned seam;
	enum jit_eflags eflags;
	unsigned n_slow;
	struct jit_tagged *tables;  /* of all views, one after the other; NULL: there are arrays */
	struct jit_vregs vregs;
	unsigned n_swaps;
	unsigned va_align;          /* what this instruction's address is known to be a multiple of: 1 to 16 */
	bool ended;                 /* the block's code cannot go on here */
	bool sp_checked;            /* SP is known to be aligned */
	bool loops;                 /* the last instruction may lead to the first */
	uint32_t loop_entry;        /* where the block goes back to from its end; 0: it does not */
	unsigned debug;             /* EMU_JIT_* */
	uint32_t block_code;
	uint64_t block_pa;
	const uint32_t *host;       /* the block's page */
	uint64_t seam_target;

	struct emu_cpu *cpu;
	size_t buf_size;
	struct jit_jump *jumps;     /* all contexts' tables */
	uint32_t code_start, code_end; /* where blocks are */
	uint32_t limit;             /* code may be put down to here; the start of the oldest region, or code_end */
	uint32_t touched;           /* to here there has been code */
	struct jit_area area[JIT_AREAS];
	uint32_t region_size;       /* a power of two */
	unsigned n_regions;
	struct jit_region *regions;
	uint8_t op_kind[A64_OP_COUNT]; /* JIT_OP_* */
	uint32_t usual[1 << (32 - A64_TOP_POS)]; /* by the top bits: see emu/jit_translate.c */
	struct jit_insn seen[1 << JIT_SEEN_BITS]; /* by a hash of the word */
	uint32_t thunk_enter, thunk_exit, thunk_exit_pc, thunk_exit_call, thunk_exit_link, thunk_call; /* emu/jit.c */
	uint32_t thunk_second;      /* the same: see look_up_rax */
	uint32_t thunk_site[2];     /* emu/jit_site.c: of blocks with the usual registers, and with others */
	struct jit_decoded decoded[1 << JIT_DECODED_BITS];
	uint32_t to_part;           /* the site to be parted; 0: none */
	uint32_t v_consts;          /* constants of emu/jit_vec.c */
	uint32_t host_has;          /* JIT_HOST_MASK: what this host has */
	uint32_t host_mxcsr;
	bool fp_live;               /* MXCSR is the guest's */
	unsigned epoch;             /* counts the times that a region was emptied */
	bool verified;              /* for emu/verify.c: and NZCV is what it is wherever a block is left */

	/* blocks, from the oldest on: rings, whose sizes are powers of two */
	struct jit_block *blocks;
	uint32_t block_head, block_tail, max_blocks;
	uint32_t block_first;       /* those before it have been dropped, all of them */
	uint32_t *hash;             /* by pc */
	uint32_t *pages;            /* by physical page: chained by page_next, mixed */
	struct jit_fault *faults;
	uint32_t fault_head, fault_tail, max_faults;

	/* memory */
	struct jit_view view[JIT_VIEWS];
	unsigned n_slots;           /* views of a regime */
	unsigned set[2];            /* of the TLB: those of this moment */
	uint32_t last_gen;
	struct jit_context context[JIT_CONTEXTS], *now;

	/* ---- while a block is translated ---- */
	struct jit_insn insn[JIT_MAX_INSNS];
	uint8_t props[JIT_MAX_INSNS] __attribute__((aligned(64))); /* of those: to be looked at many at once */
	uint8_t pin[32];            /* as jit_pin */
	uint32_t pinned;            /* a bit for each that has a host register */
	struct x86_rm x[32];        /* as operands */
	struct jit_swap swap[JIT_PINNED];
	uint8_t map[JIT_PINNED];    /* as jit_usual_map */
	struct jit_vregs loop_vregs;/* there */
	struct jit_slow slow[JIT_MAX_SLOW];
	/* What slow paths start from and go back to. The first: none is in the host's registers. */
	struct jit_vregs saved_vregs[1 + 4 * JIT_MAX_SLOW];
	unsigned n_saved_vregs;

	/* statistics, for other threads to read: jit_count */
	uint64_t stats[EMU_STAT_COUNT]; /* times are in ticks of the host's counter */
	uint64_t fallbacks[A64_OP_COUNT + 1];
	uint64_t start_ticks, start_ns, tick_rate; /* to make nanoseconds of them */
};

static inline void jit_stat_set(struct jit *j, enum emu_stat stat, uint64_t value)
{
	__atomic_store_n(&j->stats[stat], value, __ATOMIC_RELAXED);
}

/* Only this thread writes, so nothing is lost. */
static inline void jit_count(struct jit *j, enum emu_stat stat, uint64_t n)
{
	jit_stat_set(j, stat, j->stats[stat] + n);
}

/* ---- Guest state ---- */

#define JIT_BIAS 128
#define JIT_CPU(member) x86_m(X86_RBP, (int32_t)offsetof(struct emu_cpu, member) - JIT_BIAS)

/* Host registers of guest registers between blocks: X86_NO_REG for those in
 * memory. 31 is SP. A block may have others, in j->pin (emu/jit_map.c). */
extern const uint8_t jit_pin[32];
/* And the other way round: the guest registers that have one. */
extern const uint8_t jit_usual_map[JIT_PINNED];

/* X0 to X30 and SP (31) in memory; and a byte of it. */
X86_FOLDED struct x86_rm jit_x_byte(unsigned n, unsigned byte)
{
	return x86_m(X86_RBP, (int32_t)(offsetof(struct emu_cpu, x) + 8 * n + byte) - JIT_BIAS);
}

X86_FOLDED struct x86_rm jit_x_home(unsigned n)
{
	_Static_assert(offsetof(struct emu_cpu, x) == 0 && JIT_BIAS == 128, "8 bits are enough for all");
	return x86_m8(X86_RBP, (uint8_t)(8 * n - JIT_BIAS));
}

/* X0 to X30 and SP (31) as an operand. */
static inline struct x86_rm jit_x(const struct jit *j, unsigned n)
{
	return j->x[n];
}

/* The host register that holds Xn (31: SP), or `scratch` after loading it. Leaves the flags alone. */
JIT_HOT unsigned jit_read(struct jit *j, unsigned n, unsigned scratch);
/* The same, but 31 is zero. */
JIT_HOT unsigned jit_read_z(struct jit *j, unsigned n, unsigned scratch);
/* Puts Xn into `reg`. */
JIT_HOT void jit_copy(struct jit *j, uint32_t w, unsigned reg, unsigned n);
JIT_HOT void jit_copy_z(struct jit *j, uint32_t w, unsigned reg, unsigned n);
/* The register to compute Xn in: its own, or `scratch`; jit_write afterwards. */
static inline unsigned jit_target(const struct jit *j, unsigned n, unsigned scratch)
{
	return j->pin[n] != X86_NO_REG ? j->pin[n] : scratch;
}
/* Xn (31: SP) becomes `reg`, which a 32-bit operation has zero-extended. Leaves the flags alone. */
JIT_HOT void jit_write(struct jit *j, unsigned n, unsigned reg);
/* The same; 31 is nothing. */
void jit_write_z(struct jit *j, unsigned n, unsigned reg);

/* ---- NZCV ---- */

/* The host's flags are now NZCV as a subtraction, or an addition or logical
 * operation, has left them. Clobbers RAX. */
JIT_HOT void jit_flags_from_sub(struct jit *j);
void jit_flags_from_add(struct jit *j);
/* Sets the host's flags to a constant NZCV, in the form of a subtraction. */
void jit_set_flags(struct jit *j, uint32_t nzcv);
/* NZCV from memory into the host's flags, in the form of a subtraction. Clobbers RAX. */
void jit_flags_load(struct jit *j);
/* Makes the host's flags hold NZCV; the condition that tests `cond` (not 14, 15). May clobber RAX. */
JIT_HOT enum x86_cc jit_condition(struct jit *j, unsigned cond);
/* Conditions on two numbers that the host has for them the other way round: CS, CC, MI, PL, HI, LS. */
static inline bool jit_fp_is_swapped(unsigned cond)
{
	return 0x33c >> cond & 1;
}
/* Makes CF the inverse of C. May clobber RAX. */
void jit_carry(struct jit *j);
/* EAX becomes NZCV in the form of jit_hot.flags, but for bits that mean nothing there, and back. */
void jit_flags_to_eax(struct jit *j);
void jit_flags_from_eax(struct jit *j);
/* A value of jit_hot.flags. */
static inline uint32_t jit_flags_of(uint32_t nzcv)
{
	return (nzcv & EMU_N ? 0x8000 : 0) | (nzcv & EMU_Z ? 0x4000 : 0) | (nzcv & EMU_C ? 0 : 0x100) |
	       (nzcv & EMU_V ? 1 : 0);
}

static inline uint32_t jit_nzcv_of(uint32_t flags)
{
	return (flags & 0xc000) << 16 | (~flags & 0x100) << 21 | (flags & 1) << 28;
}

/* For C code that translated code calls. */
static inline void jit_sync_flags(struct emu_cpu *cpu)
{
	cpu->nzcv = jit_nzcv_of(cpu->jit_hot.flags);
}

/* ---- Calls and exits ---- */

/* A slow path of the current instruction: entered by the branches put in
 * `branch`, emitted behind the block. Members other than emit, pc and index are
 * zero. */
JIT_HOT struct jit_slow *jit_slow_add(struct jit *j, void (*emit)(struct jit *j, const struct jit_slow *s));
/* Where it returns to: here. */
JIT_HOT void jit_slow_resume(struct jit *j, struct jit_slow *s);
/* Emits the way back of one that has called C code. */
void jit_slow_return(struct jit *j, const struct jit_slow *s);
/* Emits the call of fn(cpu, RCX, RDX): spills what is pinned before it and
 * loads it after; the result is in RAX (and RDX). Only RBP, R12, R13 and the
 * pinned registers are kept. */
void jit_call(struct jit *j, const void *fn);
/* What a call that may raise needs before it: cpu->pc and the count of retired
 * instructions. Clobbers RAX. `s` NULL: of the current instruction. */
void jit_before_raise(struct jit *j, const struct jit_slow *s);
/* The interpreter's function for the current instruction. */
void jit_fallback(struct jit *j);
/* For the instruction of a slow path; and such a slow path, which goes on behind it. */
void jit_fallback_at(struct jit *j, const struct jit_slow *s);
void jit_insn_piece(struct jit *j, const struct jit_slow *s);
/* Calls `uint64_t fn(cpu, RCX, RDX)`, which may change anything and returns
 * jit_leave_insn; goes on there. */
void jit_exit_by(struct jit *j, const void *fn);
/* What such a function returns, when all is done and cpu->pc is the next instruction. */
uint64_t jit_leave_insn(struct emu_cpu *cpu);
/* Goes on at another instruction. */
JIT_HOT void jit_exit_to(struct jit *j, uint64_t target);
/* Goes on at the address in RAX; `btype` is PSTATE.BTYPE there. */
JIT_HOT void jit_exit_rax(struct jit *j, unsigned btype);
enum { JIT_LINK_GUARDED = 1 << 30 }; /* in jit_hot.link: the jump has a guard */
/* Lets those pass whose context has the number `gen`. */
void jit_set_guard(struct jit *j, uint32_t branch, uint32_t gen);
/* Leaves for `pc` if the vCPU is wanted. Clobbers the flags. */
JIT_HOT void jit_check_attention(struct jit *j, uint64_t pc);

/* ---- Sites (emu/jit_site.c) ---- */

enum {
	JIT_SITE_WRITES = 1 << 0,
	JIT_SITE_UNPRIV = 1 << 1,
	JIT_SITE_RUN = 1 << 2, /* of several accesses (emu/jit_ldst_run.c): branch[1] is taken if they cross a page */
};
/* A slow path that has the interpreter execute the current instruction, which accesses
 * `bytes` from the address in the register `va` on (0: it cannot; it raises something).
 * It goes on behind that, if nothing else is said. `count` may be set to more instructions. */
JIT_HOT struct jit_slow *jit_site_add(struct jit *j, unsigned va, unsigned bytes, unsigned kind);
/* What comes before the site that has a branch for unaligned accesses: those within a page go on behind the branch
 * after all, others fall into the site. */
JIT_HOT void jit_site_unaligned(struct jit *j, const struct jit_slow *s);
/* The instruction, or instructions, of the sites from slow[first] on have come to their end. */
JIT_HOT void jit_site_resume(struct jit *j, unsigned first);
/* The translator of the current instruction, with the sites that it adds. */
static inline void jit_translate_native(struct jit *j)
{
	const struct jit_insn *insn = &j->insn[j->i];
	unsigned first = j->n_slow;

	jit_ops[insn->op].translate(j, insn->word);
	if (j->n_slow != first)
		jit_site_resume(j, first);
}
void jit_site_make_thunks(struct jit *j);
/* Where a run has crossed pages often, translates its accesses one by one; from the loop. */
void jit_site_part(struct jit *j);

/* ---- The loop (emu/jit.c) ---- */

/* The block for cpu->pc, or NULL where one instruction has to be interpreted. */
struct jit_block *jit_block_now(struct emu_cpu *cpu);
/* Runs translated code until it leaves for the loop. */
void jit_enter(struct emu_cpu *cpu, const struct jit_block *block);

/* ---- emu/jit_stats.c ---- */

void jit_stats_init(struct jit *j);
/* A translation has been made, which began when the host's counter was `start`. */
JIT_HOT void jit_stats_translated(struct jit *j, uint64_t start);

/* ---- emu/jit_cache.c ---- */

/* Code memory of `size` bytes: thunks and constants come first, then blocks. */
bool jit_cache_init(struct jit *j, uint64_t size, struct vmd_error *err);
void jit_cache_begin(struct jit *j);
void jit_cache_fini(struct jit *j);
/* Makes room for a block, where old ones were. Nothing of what there is may be running. */
JIT_HOT void jit_cache_make_room(struct jit *j);
/* Throws all code away: nothing of it is running. */
void jit_cache_empty(struct jit *j);
/* Whether two places go at the same time, so that one may jump to the other without jit_cache_link. */
static inline bool jit_cache_is_near(const struct jit *j, uint32_t a, uint32_t b)
{
	return ((a - j->code_start) ^ (b - j->code_start)) < j->region_size;
}
/* Makes `branch`, which leads to a place in its own block, lead to the block at
 * `target` for as long as that is there. */
void jit_cache_link(struct jit *j, uint32_t branch, uint32_t target);
/* In the order of `at`. */
static inline void jit_cache_add_fault(struct jit *j, uint32_t at, uint32_t to)
{
	j->faults[j->fault_head++ & (j->max_faults - 1)] = (struct jit_fault){ at, to };
}
bool jit_cache_find_fault(const struct jit *j, uint32_t at, uint32_t *ret_to);

/* ---- emu/jit_block.c ---- */

/* When the sizes of the tables are known. */
bool jit_block_init(struct jit *j);
void jit_block_fini(struct jit *j);
JIT_HOT struct jit_block *jit_block_find(struct jit *j, uint64_t pc, uint64_t pa, uint32_t flags);
/* One is being translated; and has been. */
JIT_HOT void jit_block_begin(struct jit *j);
JIT_HOT struct jit_block *jit_block_add(struct jit *j);
/* Forgets the oldest blocks as far as their code is in [start, end). */
void jit_block_evict(struct jit *j, uint32_t start, uint32_t end);

/* ---- emu/jit_translate.c ---- */

/* Makes the block at `pc`, physical address `pa`, of the page at `host`. Others
 * may go for that. */
JIT_HOT struct jit_block *jit_translate(struct jit *j, uint64_t pc, uint64_t pa, const uint32_t *host, uint32_t flags);
void jit_decode_init(struct jit *j);
/* Emits what slow[] has. */
JIT_HOT void jit_emit_slow(struct jit *j);
/* For the block's flags, as far as they are set. */
void jit_decode(struct jit *j, uint32_t word, struct jit_insn *ret);
/* Whether the block's page has it. */
bool jit_in_page(const struct jit *j, uint64_t pc);

/* Instructions that the host does in one: whether the one behind the current one is
 * in the block, comes behind nothing else, and is `op`, which does not touch NZCV; and
 * what it is then. jit_take_next: the current translator has done it, too. */
static inline bool jit_next_is(const struct jit *j, enum a64_op op, uint32_t *ret_word)
{
	const struct jit_insn *next = &j->insn[j->i + 1];
	bool is = j->i + 1 < j->n && next->op == op && !next->is_target;

	*ret_word = is ? next->word : 0;
	return is;
}

static inline void jit_take_next(struct jit *j)
{
	j->i++;
	j->pc += 4;
}

/* The address of insn[i]. */
static inline uint64_t jit_pc_of(const struct jit *j, unsigned i)
{
	return i > j->seam ? j->seam_target + 4 * (i - j->seam - 1) : j->block_pc + 4 * i;
}

/* ---- emu/jit_branch.c ---- */

/* The current instruction `is_target`: those branches come in here. */
JIT_HOT void jit_join(struct jit *j);

/* ---- emu/jit_ldst_run.c ---- */

/* Whether it is of the class of loads and stores (Arm ARM C4.1). */
static inline bool jit_is_access(uint32_t word)
{
	return (word >> 25 & 5) == 4;
}

/* The current instruction is native, and of that class. Translates it and those behind it, up to the last of
 * a run of accesses, which is the current one then; false if there is no run here. */
JIT_HOT bool jit_ldst_run(struct jit *j);

/* ---- emu/jit_map.c ---- */

void jit_map_init(struct jit *j);
/* JIT_FIELD_* of an instruction. */
JIT_HOT unsigned jit_map_fields(uint32_t word);
/* All registers are where they usually are; one has the place of another. Without code. */
void jit_map_usual(struct jit *j);
void jit_map_swap(struct jit *j, unsigned usual, unsigned now);
/* Begins the block: chooses its registers, and loads those that are not where they usually are. */
JIT_HOT void jit_map_enter(struct jit *j);
/* The usual ones are where they usually are, and in memory is what it is to have of the block's. */
void jit_map_exchange_back(struct jit *j);
static inline void jit_map_leave(struct jit *j)
{
	if (j->n_swaps)
		jit_map_exchange_back(j);
}
/* The block's are where it has them, behind a call. */
void jit_map_return(struct jit *j);

/* ---- emu/jit_vregs.c ---- */

/* None is in the host's registers. */
JIT_HOT void jit_v_reset(struct jit *j);
/* Emits the stores of what is not in memory. */
void jit_v_store_dirty(struct jit *j);
static inline void jit_v_flush(struct jit *j)
{
	if (j->vregs.dirty)
		jit_v_store_dirty(j);
}
/* The same, and forgets all. */
void jit_v_forget(struct jit *j);
/* The number of what is known now in saved_vregs. */
static inline uint16_t jit_v_save(struct jit *j)
{
	if (!(j->vregs.valid | j->vregs.dirty))
		return 0;
	j->saved_vregs[++j->n_saved_vregs] = j->vregs;
	return (uint16_t)j->n_saved_vregs;
}
/* Emits the loads of what is in the host's registers in `to`, and not now. */
void jit_v_restore(struct jit *j, const struct jit_vregs *to);
/* Goes over to `to`, storing what it does not have as dirty. */
void jit_v_match(struct jit *j, const struct jit_vregs *to);
/* Loads Vn, to keep it as long as there are others to throw out; `written`: counts as dirty. */
void jit_v_lock(struct jit *j, unsigned n, bool written);

/* ---- emu/jit_vec.c, emu/jit_fp.c ---- */

/* What the host has; puts the constants where the code begins. */
void jit_vec_init(struct jit *j);
/* `props` has JIT_VEC: whether the instruction's translator does this encoding. */
bool jit_vec_is_native(const struct jit *j, uint32_t props, uint32_t word);
/* FPCR.FZ is set: emits what looks at the current instruction's operands, and
 * returns the slow path, to resume behind it; or NULL. */
struct jit_slow *jit_fp_flush_guard(struct jit *j);
/* MXCSR becomes the guest's; gives its flags to FPSR and becomes the host's again. */
void jit_fp_enter(struct jit *j);
void jit_fp_leave(struct jit *j);

/* ---- emu/jit_mem.c ---- */

bool jit_mem_init(struct jit *j, struct vmd_error *err);
void jit_mem_fini(struct jit *j);
/* The TLB's entry for `va`, which may be used directly, goes into the arrays. */
void jit_mem_put(struct emu_cpu *cpu, const struct emu_tlb_entry *e, uint64_t va, bool unpriv);
/* Translations by which an access at `va` has just been made do: those of devices never. */
static inline void jit_mem_fill(struct emu_cpu *cpu, uint64_t va, bool unpriv)
{
	const struct emu_tlb_entry *e = emu_tlb_slot(unpriv ? cpu->view_unpriv : cpu->view, va);

	if (e->tag_read == (va | EMU_PAGE_MASK) || e->tag_write == (va | EMU_PAGE_MASK))
		jit_mem_put(cpu, e, va, unpriv);
}
static inline unsigned jit_hash_2m(uint64_t va)
{
	return (unsigned)((va >> 21 ^ va >> 31) & 1023);
}

/* ---- emu/jit_context.c ---- */

static inline unsigned jit_hash_page(uint64_t va)
{
	return (unsigned)((va >> 12 ^ va >> 23) & 2047);
}

bool jit_context_init(struct jit *j, struct vmd_error *err);
void jit_context_fini(struct jit *j);
/* Makes the context of the vCPU's state the current one. */
void jit_context_now(struct emu_cpu *cpu);
/* The current context has this code for `pc`, just fetched. */
void jit_context_enter(struct jit *j, uint64_t pc, unsigned btype, const uint8_t *code);
/* Code has been dropped. */
void jit_context_renew_all(struct jit *j);
/* The code in [start, end) of the cache is going. */
void jit_context_evict(struct jit *j, uint32_t start, uint32_t end);
/* All code is gone: nothing of it is running. */
void jit_context_forget_all(struct jit *j);
/* Nothing can be linked until all code is gone. */
bool jit_context_out_of_gens(const struct jit *j);
/* What the TLB tells: see emu/jit.h. */
void jit_context_clear_set(struct jit *j, unsigned set);
void jit_context_drop_va(struct jit *j, unsigned set, uint64_t lo, uint64_t hi);

/* Installs the handler of accesses that trap (emu/jit_fault.c); once for the process. */
bool jit_fault_init(struct vmd_error *err);
/* The code that this thread runs, for the handler; NULL when it leaves. */
void jit_fault_enter(struct jit *j);
/* The next host instruction is an access that may trap: then `slow` takes over. */
static inline void jit_fault_note(const struct jit *j, struct jit_slow *s)
{
	if (!j->tables)
		s->fault = x86_here(&j->buf) + 1;
}

/* Of an instruction that has JIT_SYSTEM (emu/jit_system.c): its other properties; -1 if it is a call of the
 * interpreter. */
int jit_system_props(const struct jit *j, unsigned op, uint32_t word);
/* Whether the block ends with it all the same. */
bool jit_system_ends(unsigned op, uint32_t word);
/* XPACLRI to AUTIBSP, by CRm:op2, where there is pointer authentication (emu/jit_pauth.c): -1 if it is another. */
int jit_pauth_hint_props(unsigned hint);
void jit_pauth_hint(struct jit *j, unsigned hint);
/* RAX = Xn (31: SP) authenticated for a branch; the modifier is a register (31: SP) or zero. */
enum { JIT_NO_MODIFIER = 32 };
void jit_authenticate_rax(struct jit *j, unsigned key, unsigned n, unsigned modifier);
/* Whether the immediate is not reserved (emu/jit_dpimm.c). */
JIT_HOT bool jit_logical_imm_is_valid(uint32_t word);

/* ---- Translators: emu/jit_ops.def has them all ---- */

#define JIT(name, props) jit_translate_fn jit_##name;
#include "emu/jit_ops.def"
#include "emu/jit_ops_simd.def"
#undef JIT

#endif
