/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JIT: SHA-256 on the host's SHA instructions; what each does is in
 * emu/interp_crypto_sha.c.
 *
 * The guest has a hash's state as a, b, c, d and e, f, g, h, the host as a, b, e, f
 * and c, d, g, h. Programs do four rounds by two instructions, of which the second
 * needs what the first has overwritten, and so a move before them:
 *
 *     ld1      {v16.4s}, [x3], #16
 *     add      v16.4s, v16.4s, v4.4s
 *     sha256su0 v4.4s, v5.4s
 *     mov      v2.16b, v0.16b
 *     sha256h  q0, q1, v16.4s
 *     sha256h2 q1, q2, v16.4s
 *     sha256su1 v4.4s, v6.4s, v7.4s
 *
 * A stretch of such code, in which nothing can be seen from outside, keeps the
 * state in the host's arrangement from pair to pair, and leaves moves out that
 * nobody reads. The constants, loaded by one base register, share a look-up that
 * comes first: if their page is not in the arrays, the interpreter executes the
 * whole stretch, as emu/jit_ldst_run.c has it. Thread: the vCPU's own.
 */
#include "emu/jit_ldst_priv.h"

#include "emu/jit_vec_priv.h"

/* ---- Rounds ---- */

/* Two words of each operand, swapped: what VSHUFPS makes of the guest's arrangement, and back. */
enum sha256_words { SHA256_LOW = 0x11, SHA256_HIGH = 0xbb };

/* Four rounds on x = a, b, e, f and y = c, d, g, h from the top. */
static void four_rounds(struct jit *j, unsigned x, unsigned y, unsigned w)
{
	struct x86_buf *b = &j->buf;

	/* W is in XMM0. Two rounds replace one half, and make the other the old first one. */
	_Static_assert(JIT_R == 0, "XMM0 is an operand of SHA256RNDS2");
	jit_v_load(j, JIT_R, w);
	x86_op(b, X86_SHA256RNDS2, y, x86_r(x));
	x86_vi(b, X86_VPSHUFD, JIT_R, 0, x86_r(JIT_R), 0x0e);
	x86_op(b, X86_SHA256RNDS2, x, x86_r(y));
}

/* The same on x = a, b, c, d and y = e, f, g, h, of which one, `rd`, gets the result. */
static void half(struct jit *j, unsigned x, unsigned y, unsigned w, unsigned rd, enum sha256_words words)
{
	struct x86_buf *b = &j->buf;
	unsigned abcd = jit_v_get(j, x), efgh = jit_v_get(j, y);

	x86_vi(b, X86_VSHUFPS, JIT_N, efgh, x86_r(abcd), SHA256_LOW);
	x86_vi(b, X86_VSHUFPS, JIT_M, efgh, x86_r(abcd), SHA256_HIGH);
	four_rounds(j, JIT_N, JIT_M, w);
	x86_vi(b, X86_VSHUFPS, jit_v_target(j, rd), JIT_N, x86_r(JIT_M), words);
	jit_v_written(j, rd);
}

/* ---- Stretches ---- */

struct stretch {
	unsigned end;     /* the first instruction behind it */
	unsigned base;    /* of the loads; NO_BASE if there are none */
	unsigned loads;   /* each is of 16 bytes, at the last one's or behind them */
	unsigned pairs;
	bool base_moved;  /* by something else than those */
	/* While it is translated: */
	struct jit_slow *site;
	unsigned loaded, written_back; /* bytes that the base has moved, and that it knows of */
	bool arranged;    /* Vx and Vy have the state in the host's arrangement, which is seen nowhere else */
	unsigned x, y;
};
enum { NO_BASE = 32 };

/* Whether insn[k] of the block is a move of a whole register, and of which. */
static bool is_move(const struct jit_insn *insn, struct a64_args_ORR_vec *ret)
{
	a64_extract_ORR_vec(insn->word, ret);
	return insn->op == A64_ORR_vec && ret->Q && ret->Rn == ret->Rm && ret->Rd != ret->Rn;
}

/* Whether Vn is known to be the same as Vof at insn[at]: by a move shortly before, with nothing
 * in between but what programs have between that and SHA256H. */
static bool is_copy(const struct jit *j, unsigned at, unsigned n, unsigned of)
{
	enum { LOOK = 4 };
	struct a64_args_ORR_vec move;

	for (unsigned i = at; i > 0 && at - i < LOOK; i--) {
		const struct jit_insn *insn = &j->insn[i - 1];
		unsigned rd = insn->word & 31;
		if (j->insn[i].is_target)
			return false;
		if (is_move(insn, &move) && move.Rd == n && move.Rn == of)
			return true;
		bool goes_between = insn->op == A64_ADD_vec || insn->op == A64_SHA256SU0 || insn->op == A64_SHA256SU1;
		if (!goes_between || rd == n || rd == of)
			return false;
	}
	return false;
}

/* Whether insn[k] and the next one make all of four rounds. */
static bool is_pair(const struct jit *j, unsigned k, struct a64_args_SHA256H *ret)
{
	const struct jit_insn *insn = &j->insn[k], *next = insn + 1;
	struct a64_args_SHA256H2 second;

	if (insn->op != A64_SHA256H || k + 1 >= j->n || next->op != A64_SHA256H2 || next->is_target)
		return false;
	a64_extract_SHA256H(insn->word, ret);
	a64_extract_SHA256H2(next->word, &second);
	return insn->native && next->native && second.Rd == ret->Rn && second.Rm == ret->Rm && ret->Rm != ret->Rd &&
	       ret->Rn != ret->Rm && ret->Rn != ret->Rd && is_copy(j, k, second.Rn, ret->Rd);
}

/* A load of 16 bytes at the base, which goes behind them or stays. */
static bool is_load(const struct jit_insn *insn)
{
	struct a64_args_LD1_mult_1_post a;

	a64_extract_LD1_mult_1_post(insn->word, &a);
	return insn->native && a.Q && a.Rn != 31 &&
	       (insn->op == A64_LD1_mult_1 || (insn->op == A64_LD1_mult_1_post && a.Rm == 31));
}

static unsigned base_of(const struct jit_insn *insn)
{
	return insn->word >> 5 & 31;
}

/* The V registers that an instruction of a stretch has to do with: a bit for each. */
static uint32_t registers_read(const struct jit_insn *insn)
{
	uint32_t d = UINT32_C(1) << (insn->word & 31), n = UINT32_C(1) << (insn->word >> 5 & 31),
		 m = UINT32_C(1) << (insn->word >> 16 & 31);

	switch (insn->op) {
	case A64_ADD_vec:
	case A64_ORR_vec:
		return n | m;
	case A64_REV32_vec:
		return n;
	case A64_SHA256SU0:
		return d | n;
	case A64_SHA256SU1:
	case A64_SHA256H:
	case A64_SHA256H2:
		return d | n | m;
	default:
		return 0;
	}
}

static bool is_general(const struct jit_insn *insn)
{
	return insn->op == A64_ADD_imm || insn->op == A64_SUB_imm;
}

static uint32_t registers_written(const struct jit_insn *insn)
{
	return is_general(insn) ? 0 : UINT32_C(1) << (insn->word & 31);
}

static bool takes_load(struct stretch *st, const struct jit_insn *insn)
{
	if (!is_load(insn) || base_of(insn) != st->base || st->base_moved)
		return false;
	st->loads++;
	return true;
}

/* Whether nothing of the instruction can be seen from outside but what it has done in the end, and it
 * makes no access but one of the loads. */
static bool takes(struct stretch *st, const struct jit_insn *insn)
{
	switch (insn->op) {
	case A64_LD1_mult_1:
	case A64_LD1_mult_1_post:
		return takes_load(st, insn);
	case A64_ADD_imm:
	case A64_SUB_imm:
		st->base_moved |= (insn->word & 31) == st->base;
		return insn->native;
	case A64_ADD_vec:
	case A64_ORR_vec:
	case A64_REV32_vec:
	case A64_SHA256SU0:
	case A64_SHA256SU1:
	case A64_SHA256H:
	case A64_SHA256H2:
		return insn->native;
	default:
		return false;
	}
}

/* The stretch that begins with the current instruction. */
static struct stretch find_stretch(const struct jit *j, unsigned base)
{
	struct stretch st = { .end = j->i, .base = base };
	struct a64_args_SHA256H pair;

	do {
		st.pairs += is_pair(j, st.end, &pair);
		if (!takes(&st, &j->insn[st.end]))
			break;
		st.end++;
	} while (st.end < j->n && !j->insn[st.end].is_target);
	return st;
}

/* Whether the move insn[k] is to a register that only second halves of pairs read before it is written again. */
static bool is_dead_move(const struct jit *j, const struct stretch *st, unsigned k, uint32_t rd)
{
	struct a64_args_SHA256H pair;

	for (unsigned i = k + 1; i < st->end; i++) {
		uint32_t read = registers_read(&j->insn[i]), written = registers_written(&j->insn[i]);
		if (is_pair(j, i, &pair)) {
			i++;
			written |= UINT32_C(1) << pair.Rn;
		}
		if (read >> rd & 1)
			return false;
		if (written >> rd & 1)
			return true;
	}
	return false;
}

static void arrange(struct jit *j, struct stretch *st, const struct a64_args_SHA256H *a)
{
	unsigned x = jit_v_get(j, a->Rd), y = jit_v_get(j, a->Rn);

	x86_vi(&j->buf, X86_VSHUFPS, JIT_N, y, x86_r(x), SHA256_LOW);
	x86_vi(&j->buf, X86_VSHUFPS, y, y, x86_r(x), SHA256_HIGH);
	jit_v_move(j, X86_VMOVAPS, x, x86_r(JIT_N));
	st->arranged = true;
	st->x = a->Rd;
	st->y = a->Rn;
}

/* Vx and Vy are as the guest has them again. */
static void rearrange(struct jit *j, struct stretch *st)
{
	if (!st->arranged)
		return;
	unsigned x = jit_v_get(j, st->x), y = jit_v_get(j, st->y);
	x86_vi(&j->buf, X86_VSHUFPS, JIT_N, x, x86_r(y), SHA256_LOW);
	x86_vi(&j->buf, X86_VSHUFPS, x, x, x86_r(y), SHA256_HIGH);
	jit_v_move(j, X86_VMOVAPS, y, x86_r(JIT_N));
	st->arranged = false;
}

static void pair(struct jit *j, struct stretch *st, const struct a64_args_SHA256H *a)
{
	if (st->arranged && (st->x != a->Rd || st->y != a->Rn || a->Rm == st->x || a->Rm == st->y))
		rearrange(j, st);
	if (!st->arranged)
		arrange(j, st, a);
	jit_v_get(j, a->Rm);
	unsigned x = jit_v_get(j, a->Rd), y = jit_v_get(j, a->Rn);
	four_rounds(j, x, y, a->Rm);
	jit_v_written(j, a->Rd);
	jit_v_written(j, a->Rn);
	jit_take_next(j);
}

/* A move of the state's first or second half, which stays as it is. */
static void move_of_state(struct jit *j, const struct stretch *st, const struct a64_args_ORR_vec *a)
{
	unsigned x = jit_v_get(j, st->x), y = jit_v_get(j, st->y);

	x86_vi(&j->buf, X86_VSHUFPS, jit_v_target(j, a->Rd), x, x86_r(y), a->Rn == st->x ? SHA256_HIGH : SHA256_LOW);
	jit_v_written(j, a->Rd);
}

/* The base becomes what the loads have made of it. */
static void write_back(struct jit *j, struct stretch *st)
{
	if (st->loaded != st->written_back)
		jit_write_back(j, st->base, (int32_t)(st->loaded - st->written_back));
	st->written_back = st->loaded;
}

static void load(struct jit *j, struct stretch *st, const struct jit_insn *insn)
{
	unsigned t = insn->word & 31, xmm = jit_v_target(j, t);

	if (!st->site->fault)
		jit_fault_note(j, st->site);
	jit_v_move(j, X86_VMOVUPS, xmm, x86_m(X86_RDX, (int32_t)st->loaded));
	jit_v_written(j, t);
	st->loaded += insn->op == A64_LD1_mult_1_post ? 16 : 0;
}

static void translate_one(struct jit *j, struct stretch *st)
{
	const struct jit_insn *insn = &j->insn[j->i];
	struct a64_args_ORR_vec move;
	struct a64_args_SHA256H h;

	if (is_pair(j, j->i, &h)) {
		pair(j, st, &h);
		return;
	}
	bool moves = is_move(insn, &move);
	if (moves && is_dead_move(j, st, j->i, move.Rd))
		return;
	uint32_t state = st->arranged ? UINT32_C(1) << st->x | UINT32_C(1) << st->y : 0;
	if (registers_written(insn) & state || (registers_read(insn) & state && !moves))
		rearrange(j, st);
	if (is_load(insn)) {
		load(j, st, insn);
	} else if (moves && st->arranged && (move.Rn == st->x || move.Rn == st->y)) {
		move_of_state(j, st, &move);
	} else if (insn->op == A64_SHA256H) {
		a64_extract_SHA256H(insn->word, &h);
		half(j, h.Rd, h.Rn, h.Rm, h.Rd, SHA256_HIGH);
	} else {
		if (is_general(insn))
			write_back(j, st);
		jit_ops[insn->op].translate(j, insn->word);
	}
}

static void translate_stretch(struct jit *j, struct stretch *st)
{
	for (;; j->i++, j->pc += 4) {
		translate_one(j, st);
		if (j->i + 1 >= st->end)
			break;
	}
	rearrange(j, st);
	if (st->loads)
		write_back(j, st);
}

bool jit_sha256_loads(struct jit *j)
{
	const struct jit_insn *insn = &j->insn[j->i];

	if (!is_load(insn))
		return false;
	struct stretch st = find_stretch(j, base_of(insn));
	if (!st.pairs)
		return false;
	/* What the first load needs is there before the slow path may be taken. */
	jit_v_target(j, insn->word & 31);
	st.site = jit_ldst_look_up_run(j, st.base, 0, 16 * st.loads, false, 0);
	st.site->count = (uint8_t)(st.end - j->i);
	translate_stretch(j, &st);
	jit_slow_resume(j, st.site);
	return true;
}

JIT_INSN(SHA256H)
{
	struct a64_args_SHA256H h;

	if (is_pair(j, j->i, &h)) {
		struct stretch st = find_stretch(j, NO_BASE);
		translate_stretch(j, &st);
	} else {
		half(j, a->Rd, a->Rn, a->Rm, a->Rd, SHA256_HIGH);
	}
}

JIT_INSN(SHA256H2)
{
	half(j, a->Rn, a->Rd, a->Rm, a->Rd, SHA256_LOW);
}

/* ---- The schedule ---- */

JIT_INSN(SHA256SU0)
{
	unsigned d = jit_v_get(j, a->Rd);

	x86_op(&j->buf, X86_SHA256MSG1, d, jit_v_rm(j, a->Rn));
	jit_v_written(j, a->Rd);
}

JIT_INSN(SHA256SU1)
{
	unsigned n = jit_v_get(j, a->Rn), m = jit_v_get(j, a->Rm), d = jit_v_get(j, a->Rd);
	unsigned r = a->Rd == a->Rm ? JIT_R : d;

	x86_vi(&j->buf, X86_VPALIGNR, JIT_R, m, x86_r(n), 4);
	jit_vr(j, X86_VPADDD, r, JIT_R, d);
	x86_op(&j->buf, X86_SHA256MSG2, r, x86_r(m));
	jit_v_store(j, a->Rd, r);
}
