/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: from guest instructions to a block: decoding, where NZCV is needed, and
 * the translators' calls one after the other. Thread: the vCPU's own.
 */
#include "emu/jit_priv.h"

#include "emu/access_priv.h"
#include "emu/code_priv.h"
#include "emu/sys_priv.h"
#include "emu/verify.h"

#include <x86intrin.h>

/* ---- Decoding ---- */

/* Instructions that are calls of the interpreter, and after which the block
 * cannot go on: they change the PC, or what the next instruction means. */
static bool fallback_ends(unsigned op, uint32_t word)
{
	switch (op) {
	case A64_B:
	case A64_BL:
	case A64_B_cond:
	case A64_CBZ_w:
	case A64_CBZ_x:
	case A64_CBNZ_w:
	case A64_CBNZ_x:
	case A64_TBZ:
	case A64_TBNZ:
	case A64_BR:
	case A64_BLR:
	case A64_RET:
	case A64_SVC:
	case A64_HVC:
	case A64_SMC:
	case A64_BRK:
	case A64_HLT:
	case A64_WFET:
	case A64_WFIT:
	case A64_ISB:
	case A64_ERET:
	case A64_ERETA:
	case A64_BRAZ:
	case A64_BRA:
	case A64_BLRAZ:
	case A64_BLRA:
	case A64_RETA:
		return true;
	default:
		return jit_system_ends(op, word);
	}
}

static bool has_features(const struct emu_cpu *cpu, unsigned op)
{
	const struct a64_encoding *enc = &a64_encodings[op];

	for (unsigned i = 0; i < sizeof(enc->features) / sizeof(enc->features[0]); i++)
		if (enc->features[i] >= 0 && !emu_has(cpu, (enum emu_feature)enc->features[i]))
			return false;
	return true;
}

static bool is_logical_imm(unsigned op)
{
	return op == A64_AND_imm || op == A64_ORR_imm || op == A64_EOR_imm || op == A64_ANDS_imm;
}

/* The usual instruction is told by its top bits (see struct a64_top), and is native whatever the block's flags
 * and its other bits are: then jit.usual has, by those bits, the instruction, its JIT_FIELD_*, its properties, the
 * bit that is not to be set, and this. */
#define USUAL (UINT32_C(1) << 31)
enum { USUAL_FIELDS_POS = 12, USUAL_PROPS_POS = 16, USUAL_BIT_POS = 24 };
enum { USUAL_OP_MASK = (1 << USUAL_FIELDS_POS) - 1 };

static bool is_usual(const struct jit *j, unsigned op, unsigned top)
{
	unsigned class = top >> (24 - A64_TOP_POS);

	if (!(j->op_kind[op] & JIT_OP_DEFINED) || j->op_kind[op] & JIT_OP_FP || j->debug & EMU_JIT_NO_NATIVE)
		return false;
	/* Neither of those that emu_verify_is_alone may mean. */
	return jit_ops[op].translate && !(jit_ops[op].props & (JIT_SYSTEM | JIT_VEC)) && !is_logical_imm(op) &&
	       class != 0xd4 && class != 0xd5;
}

void jit_decode_init(struct jit *j)
{
	_Static_assert(A64_OP_COUNT < 1 << USUAL_FIELDS_POS, "there is room");
	for (unsigned op = 0; op < A64_OP_COUNT; op++)
		j->op_kind[op] = (uint8_t)((has_features(j->cpu, op) ? JIT_OP_DEFINED : 0) |
					   (a64_encodings[op].fp ? JIT_OP_FP : 0));
	for (unsigned top = 0; top < sizeof(j->usual) / sizeof(j->usual[0]); top++)
		if (a64_by_top[top].op_1 && is_usual(j, a64_by_top[top].op_1 - 1u, top))
			j->usual[top] = USUAL | (a64_by_top[top].op_1 - 1u) |
					jit_map_fields(top << A64_TOP_POS) << USUAL_FIELDS_POS |
					(jit_ops[a64_by_top[top].op_1 - 1].props & JIT_BLOCK_MASK) << USUAL_PROPS_POS |
					(uint32_t)a64_by_top[top].bit << USUAL_BIT_POS;
}

/* The properties of an instruction whose translator the current translation may use, else -1. */
static int native_props(const struct jit *j, unsigned op, uint32_t word)
{
	if (op == A64_OP_COUNT || !jit_ops[op].translate || j->debug & EMU_JIT_NO_NATIVE ||
	    (j->verified && emu_verify_is_alone(word)))
		return -1;
	uint32_t props = jit_ops[op].props;
	if (props & JIT_SYSTEM)
		return jit_system_props(j, op, word);
	if (is_logical_imm(op) && !jit_logical_imm_is_valid(word))
		return -1;
	if (props & JIT_VEC && !jit_vec_is_native(j, props, word))
		return -1;
	if (j->block_flags & JIT_FLAG_FP_TRAP && j->op_kind[op] & JIT_OP_FP)
		return -1;
	return (int)(props & JIT_BLOCK_MASK);
}

/* Others than usual that come again and again: RET, hints, moves of some constants. */
static inline struct jit_insn *seen_at(struct jit *j, uint32_t word)
{
	return &j->seen[word * 0x9e3779b1u >> (32 - JIT_SEEN_BITS)];
}

/* Whether it is decoded in the same way each time, whatever the block's flags. */
static bool is_always_so(const struct jit *j, unsigned op)
{
	uint32_t props = jit_ops[op].props;

	return !(props & JIT_VEC) && !(j->op_kind[op] & JIT_OP_FP) && (!(props & JIT_SYSTEM) || op == A64_HINT);
}

static JIT_HOT __attribute__((noinline)) void decode_closely(struct jit *j, uint32_t word, struct jit_insn *ret)
{
	enum a64_op op = a64_find(word);

	ret->op = op != A64_OP_COUNT && j->op_kind[op] & JIT_OP_DEFINED ? (uint16_t)op : A64_OP_COUNT;
	int props = native_props(j, ret->op, word);
	ret->native = props >= 0;
	if (!ret->native)
		props = JIT_RAISES | (ret->op == A64_OP_COUNT || fallback_ends(op, word) ? JIT_ENDS : 0);
	ret->props = (uint8_t)props;
	ret->fields = (uint8_t)jit_map_fields(word);
	if (ret->native && is_always_so(j, op))
		*seen_at(j, word) = *ret;
}

static inline void decode(struct jit *j, uint32_t word, struct jit_insn *ret)
{
	uint32_t usual = j->usual[word >> A64_TOP_POS];

	*ret = (struct jit_insn){ .word = word };
	if (usual && !(word >> (usual >> USUAL_BIT_POS & 31) & 1)) {
		ret->op = usual & USUAL_OP_MASK;
		ret->fields = usual >> USUAL_FIELDS_POS & JIT_FIELD_MASK;
		ret->native = true;
		ret->props = usual >> USUAL_PROPS_POS & JIT_BLOCK_MASK;
	} else {
		const struct jit_insn *seen = seen_at(j, word);
		if (seen->word == word && seen->native)
			*ret = *seen;
		else
			decode_closely(j, word, ret);
	}
}

void jit_decode(struct jit *j, uint32_t word, struct jit_insn *ret)
{
	decode(j, word, ret);
}

static uint32_t word_at(const struct jit *j, uint64_t pc)
{
	return __atomic_load_n(&j->host[pc / 4 % CODE_PAGE_INSNS], __ATOMIC_RELAXED);
}

bool jit_in_page(const struct jit *j, uint64_t pc)
{
	return (pc ^ j->block_pc) >> EMU_PAGE_BITS == 0;
}

/* Whether NZCV is set again from `pc` on before anybody can see it. */
static JIT_HOT bool flags_dead_at(struct jit *j, uint64_t pc)
{
	enum { LOOK = 6 };
	struct jit_insn insn;

	for (unsigned i = 0; i < LOOK && jit_in_page(j, pc); i++, pc += 4) {
		jit_decode(j, word_at(j, pc), &insn);
		if (insn.props & (JIT_USES | JIT_RAISES | JIT_ENDS))
			return false;
		if (insn.props & JIT_SETS)
			return true;
	}
	return false;
}

/* Classes of branches whose targets are in their encodings by bits 30 to 26, Arm ARM C4.1: B, BL; CBZ to TBNZ. */
enum { CLASS_POS = 26, CLASS_MASK = 31, CLASS_B = 0x05, CLASS_CBZ = 0x0d };

static inline unsigned class_of(uint32_t word)
{
	return word >> CLASS_POS & CLASS_MASK;
}

static inline bool is_b_cond(uint32_t word)
{
	return (word & 0xff000010) == 0x54000000;
}

static inline bool is_direct(const struct jit_insn *insn)
{
	unsigned class = class_of(insn->word);

	return insn->native & ((class == CLASS_B) | (class == CLASS_CBZ) | is_b_cond(insn->word));
}

static inline bool is_conditional(const struct jit_insn *insn)
{
	return insn->native & ((class_of(insn->word) == CLASS_CBZ) | (is_b_cond(insn->word) & ((insn->word & 15) < 14)));
}

/* How far it leads. There is a branch for none of these: which it is, is anybody's guess. */
static inline int32_t branch_words(uint32_t word)
{
	/* imm26; imm14 from bit 5 on; imm19 there */
	uint32_t is_b = -(uint32_t)(class_of(word) == CLASS_B), is_tbz = -(word >> 25 & 1) & ~is_b;
	unsigned left = 8 - (2 & is_b) + (5 & is_tbz), right = 13 - (7 & is_b) + (5 & is_tbz);

	return (int32_t)(word << left) >> right;
}

static uint64_t target_of(const struct jit_insn *insn, uint64_t pc)
{
	return pc + (uint64_t)branch_words(insn->word) * 4;
}

/* Whether NZCV is dead wherever insn[k] leads out of the block, as far as that is known. */
static bool flags_dead_outside(struct jit *j, unsigned k)
{
	const struct jit_insn *insn = &j->insn[k];
	uint64_t pc = jit_pc_of(j, k);

	if (j->verified)
		return false;
	if (k == j->seam)
		return flags_dead_at(j, pc + 4);
	if (!is_direct(insn) || !flags_dead_at(j, target_of(insn, pc)))
		return false;
	return k + 1 < j->n || !is_conditional(insn) || flags_dead_at(j, pc + 4);
}

/* Who sees what NZCV is at a place of the block: instructions of it, and what comes behind those that
 * leave it (a bit for each). */
struct flag_readers {
	bool inside;
	uint64_t exits;
};

static void add_readers(struct flag_readers *to, const struct flag_readers *more)
{
	to->inside |= more->inside;
	to->exits |= more->exits;
}

/* Bits for the instructions before `n`. */
static inline uint64_t bits_before(unsigned n)
{
	return n ? ~UINT64_C(0) >> (64 - n) : 0;
}

/* Bits for the instructions of the block that set NZCV, and that have any properties. */
static void find_setters(const struct jit *j, uint64_t *ret_setters, uint64_t *ret_notable)
{
	uint64_t setters = 0, plain = 0;

	_Static_assert(JIT_SETS == 1, "shifted by 7 bits it is a byte's highest");
	for (unsigned i = 0; i < j->n; i += 16) {
		__m128i props = _mm_load_si128((const __m128i *)&j->props[i]);
		setters |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_slli_epi16(props, 7)) << i;
		plain |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(props, _mm_setzero_si128())) << i;
	}
	*ret_setters = setters & bits_before(j->n);
	*ret_notable = ~plain & bits_before(j->n);
}

/* Tells each instruction that sets NZCV whether it is read from memory. `targets`: a bit for each. */
static JIT_HOT void find_flag_uses(struct jit *j, uint64_t targets)
{
	/* Behind the instruction, if NZCV is in the host's flags, too, and if it is not; at targets. */
	struct flag_readers host, mem, at[JIT_MAX_INSNS];
	const struct flag_readers all = { .inside = true }, none = { 0 };
	uint64_t dead = 0, setters, notable;

	_Static_assert(JIT_MAX_INSNS <= 64, "a bit for each instruction");
	find_setters(j, &setters, &notable);
	if (!setters)
		return;
	/* Before the first of them it does not matter. */
	notable = (notable | targets) & ~((setters & -setters) - 1);
	host = mem = (struct flag_readers){ .exits = UINT64_C(1) << (j->n - 1) };
	for (unsigned k, last = j->n; notable; last = k, notable &= ~(UINT64_C(1) << k)) {
		k = 63 - (unsigned)__builtin_clzll(notable);
		struct jit_insn *insn = &j->insn[k];
		unsigned inner = insn->inner;
		if (k + 1 < last)
			host = mem;
		bool leaves = !inner && (insn->props & JIT_ENDS || k + 1 == j->n);
		if (insn->props & JIT_SETS) {
			insn->flags_to_mem = host.inside;
			for (uint64_t left = host.exits & ~dead; left && !insn->flags_to_mem; left &= left - 1) {
				insn->flags_to_mem = !flags_dead_outside(j, (unsigned)__builtin_ctzll(left));
				dead |= insn->flags_to_mem ? 0 : left & -left;
			}
		}
		if (insn->props & JIT_RAISES)
			mem = all;
		else if (insn->props & JIT_SETS)
			mem = none;
		else if (leaves)
			mem.exits |= UINT64_C(1) << k;
		else if (inner)
			add_readers(&mem, &at[inner]);
		/* Users find NZCV in the host's flags, and mostly leave it there. */
		if (!(insn->props & JIT_USES) || insn->props & (JIT_CLOBBERS | JIT_RAISES) || k == j->seam)
			host = mem;
		else if (insn->props & JIT_SETS)
			host = none;
		else if (leaves)
			host.exits |= UINT64_C(1) << k;
		else if (inner)
			add_readers(&host, &at[inner]);
		if (insn->props & JIT_USES)
			mem = all;
		if (insn->is_target)
			at[k] = host = mem;
	}
}

/* What has been found on the way to the block's end; a bit for each instruction. */
struct ahead {
	uint64_t branches; /* that may lead within the block */
	uint64_t targets;  /* where they lead; the last ones: those of branches that lead farther */
	unsigned n_far;
};

/* Whether the block goes on behind the branch, where that is not taken: forward ones are mostly ways
 * around something, or to what is rare; a loop ends by the others. */
static JIT_HOT bool goes_on_behind(struct jit *j, unsigned k, struct ahead *ahead)
{
	struct jit_insn *insn = &j->insn[k];
	int32_t words = branch_words(insn->word);
	uint64_t pending = ahead->targets & ~UINT64_C(1) << k;

	/* There may be four of them where the block has not come yet. */
	pending &= pending - 1;
	pending &= pending - 1;
	pending &= pending - 1;
	if (!is_conditional(insn) | (words <= 0) | (pending != 0))
		return false;
	if ((unsigned)words >= JIT_MAX_INSNS - k) {
		ahead->targets |= UINT64_C(1) << 63 >> ahead->n_far++;
		return true;
	}
	ahead->targets |= UINT64_C(1) << (k + (unsigned)words);
	if (!(j->debug & EMU_JIT_NO_CHAIN)) {
		ahead->branches |= UINT64_C(1) << k;
		insn->inner = (uint8_t)(k + (unsigned)words);
	}
	return true;
}

/* Returns a bit for each. */
static uint64_t find_targets(struct jit *j, const struct ahead *ahead)
{
	uint64_t targets = 0;

	for (uint64_t left = ahead->branches & bits_before(j->n); left; left &= left - 1) {
		unsigned k = (unsigned)__builtin_ctzll(left), end = k < j->seam && j->seam < j->n ? j->seam + 1 : j->n;
		struct jit_insn *insn = &j->insn[k];
		if (insn->inner < end) {
			j->insn[insn->inner].is_target = true;
			targets |= UINT64_C(1) << insn->inner;
		} else {
			insn->inner = 0;
		}
	}
	return targets;
}

/*
 * A loop of two blocks, of which this is the lower one: it ends by a conditional
 * branch back, and what is there leads here again. Then the block goes on there,
 * and registers stay in the host's through the loop; where the branch is not
 * taken, the block is left.
 */
static JIT_HOT __attribute__((noinline)) void extend_loop(struct jit *j, uint64_t target, struct ahead *ahead)
{
	enum { MOST = 48 };
	unsigned n = j->n;

	/* Indices are others there. */
	ahead->targets &= ~UINT64_C(0) << (n - 1) << 1;
	for (uint64_t pc = target; n < MOST && pc < j->block_pc; pc += 4) {
		struct jit_insn *insn = &j->insn[n];
		jit_decode(j, word_at(j, pc), insn);
		j->props[n++] = insn->props;
		if (!(insn->props & JIT_ENDS))
			continue;
		if (is_direct(insn) && insn->op != A64_BL &&
		    (target_of(insn, pc) == j->block_pc || (pc + 4 == j->block_pc && is_conditional(insn)))) {
			j->seam = j->n - 1;
			j->seam_target = target;
			j->n = n;
			j->loops = true;
			break;
		}
		if (!goes_on_behind(j, n - 1, ahead))
			break;
	}
}

/* The block ends by a branch back: to its start perhaps, or to before that. */
static void find_loop(struct jit *j, struct ahead *ahead)
{
	const struct jit_insn *last = &j->insn[j->n - 1];
	uint64_t pc = j->block_pc + 4 * (j->n - 1), target = target_of(last, pc);

	if (!is_direct(last) | (target > pc))
		return;
	j->loops = target == j->block_pc;
	if (target < j->block_pc && jit_in_page(j, target) && is_conditional(last))
		extend_loop(j, target, ahead);
}

static void decode_block(struct jit *j)
{
	unsigned max = j->debug & EMU_JIT_ONE_INSN ? 1 : JIT_MAX_INSNS;
	struct ahead ahead = { 0 };
	unsigned n = 0, left = (unsigned)(CODE_PAGE_INSNS - (j->block_pc & EMU_PAGE_MASK) / 4);

	if (max > left)
		max = left;
	for (uint64_t pc = j->block_pc; n < max; pc += 4) {
		struct jit_insn *insn = &j->insn[n];
		decode(j, word_at(j, pc), insn);
		j->props[n++] = insn->props;
		if (insn->props & JIT_ENDS && !goes_on_behind(j, n - 1, &ahead))
			break;
	}
	j->n = n;
	j->loops = false;
	j->seam = j->n;
	if (!(j->debug & (EMU_JIT_ONE_INSN | EMU_JIT_NO_CHAIN)) && j->block_flags >> JIT_FLAG_BTYPE_POS == 0)
		find_loop(j, &ahead);
	find_flag_uses(j, find_targets(j, &ahead));
}

/* ---- Translation ---- */

static void translate_flushing(struct jit *j)
{
	struct jit_slow *guard = jit_fp_flush_guard(j);

	jit_translate_native(j);
	if (guard)
		jit_slow_resume(j, guard);
}

static inline void translate_alone(struct jit *j)
{
	const struct jit_insn *insn = &j->insn[j->i];

	if (__builtin_expect(!insn->native, 0))
		jit_fallback(j);
	else if (__builtin_expect((j->block_flags & JIT_FLAG_FP_FZ) != 0, 0))
		translate_flushing(j);
	else
		jit_translate_native(j);
	if (insn->props & JIT_CLOBBERS)
		j->eflags = JIT_EFLAGS_NONE;
}

static inline void translate_insn(struct jit *j)
{
	const struct jit_insn *insn = &j->insn[j->i];

	j->eflags *= (insn->props & JIT_USES) != 0;
	if (!insn->native || !jit_is_access(insn->word) || !jit_ldst_run(j))
		translate_alone(j);
}

/* The first instruction, where PSTATE.BTYPE shows at it. */
static __attribute__((noinline)) void translate_target(struct jit *j)
{
	x86_op(&j->buf, 0xc6, 0, JIT_CPU(pstate.btype));
	x86_u8(&j->buf, j->block_flags >> JIT_FLAG_BTYPE_POS);
	translate_alone(j);
	if (!j->ended) {
		x86_op(&j->buf, 0xc6, 0, JIT_CPU(pstate.btype));
		x86_u8(&j->buf, 0);
	}
}

static inline void bind_if(struct jit *j, uint32_t branch, uint32_t target)
{
	if (branch)
		x86_bind(&j->buf, branch, target);
}

void jit_emit_slow(struct jit *j)
{
	/* Slow paths may add more. */
	for (const struct jit_slow *s = j->slow; s < &j->slow[j->n_slow]; s++) {
		if (s->unaligned)
			jit_site_unaligned(j, s);
		uint32_t here = x86_here(&j->buf);
		bind_if(j, s->branch[0], here);
		bind_if(j, s->branch[1], here);
		if (s->branch[2] | s->branch[3]) {
			bind_if(j, s->branch[2], here);
			bind_if(j, s->branch[3], here);
		}
		if (s->fault)
			jit_cache_add_fault(j, s->fault - 1, here);
		if (s->vregs)
			j->vregs = j->saved_vregs[s->vregs];
		else
			j->vregs.valid = j->vregs.dirty = 0;
		j->pc = s->pc;
		j->i = s->index;
		s->emit(j, s);
	}
}

struct jit_block *jit_translate(struct jit *j, uint64_t pc, uint64_t pa, const uint32_t *host, uint32_t flags)
{
	uint64_t start = __rdtsc();

	jit_cache_make_room(j);
	j->block_pc = pc;
	j->block_pa = pa;
	jit_block_begin(j);
	j->block_flags = flags;
	j->host = host;
	j->n_slow = j->n_saved_vregs = 0;
	j->ended = j->sp_checked = false;
	j->eflags = JIT_EFLAGS_NONE;
	decode_block(j);

	x86_align16(&j->buf);
	j->block_code = x86_here(&j->buf);
	jit_map_enter(j);
	bool shows_btype = flags >> JIT_FLAG_BTYPE_POS;
	for (j->i = 0; j->i < j->n; j->i++) {
		j->pc = jit_pc_of(j, j->i);
		j->va_align = 1;
		if (j->insn[j->i].is_target)
			jit_join(j);
		if (shows_btype)
			translate_target(j);
		else
			translate_insn(j);
		shows_btype = false;
	}
	if (!j->ended) {
		j->i = j->n - 1;
		jit_exit_to(j, jit_pc_of(j, j->n));
	}
	jit_emit_slow(j);
	struct jit_block *block = jit_block_add(j);
	jit_stats_translated(j, start);
	return block;
}
