/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes the A64 decoder from emu/a64.decode, whose header comment is the
 * description of the format. A build-time program:
 *
 *     gen_a64 header|decoder|exec TABLE >OUTPUT
 *
 * header:  emu/a64_decode.h, the argument structures, what fills them, and prototypes
 * decoder: emu/a64_decode.c, the decision tree and the table of encodings
 * exec:    emu/a64_exec.c, the table of instruction functions
 *
 * Nothing is printed to standard output before the whole table has been
 * checked. Errors are reported as FILE:LINE: and make the exit status 1.
 *
 * The decision tree: a set of lines that all fix some bits not yet looked at
 * becomes a switch on those bits. Where no bit is fixed by all of them, the bit
 * that most of them fix splits the set in two, and lines that do not care go to
 * both sides. A line that is alone has its remaining fixed bits compared, then
 * the holes in it. A table by the top bits comes before it, for what those decide.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINES 4096
#define MAX_SHAPES 512
#define MAX_FIELDS 16   /* in one line */
#define MAX_NAME 64
#define MAX_FEATURES 2  /* on one line */
#define MAX_ARGS_SIZE 16
#define TOP_POS 21      /* the bits from here on tell most instructions that are frequent */

static const char *const feature_names[] = {
#define FEATURE(name, ...) #name,
#include "emu/features.def"
#undef FEATURE
};
#define N_FEATURES (sizeof(feature_names) / sizeof(feature_names[0]))

struct field {
	char name[MAX_NAME];
	bool is_signed;
	uint32_t bits; /* of the instruction, joined from the top down */
};

struct line {
	char name[MAX_NAME];
	bool is_hole; /* UNALLOCATED */
	unsigned number;
	uint32_t mask, value, ignored;
	unsigned n_fields;
	struct field fields[MAX_FIELDS]; /* in the order of their top bits */
	unsigned n_features;
	unsigned features[MAX_FEATURES];
	bool fp;
	unsigned shape;
};

/* A set of field names, and for each a type wide enough for every line that
 * has just this set. */
struct shape {
	char name[256];
	unsigned n_fields;
	struct {
		char name[MAX_NAME];
		bool is_signed;
		unsigned width;
	} fields[MAX_FIELDS];
};

struct table {
	const char *path;
	unsigned n_lines;
	struct line lines[MAX_LINES];
	unsigned n_shapes;
	struct shape shapes[MAX_SHAPES];
	struct field letters[128]; /* the meaning of each letter now; name[0] is 0 if none */
	bool failed;
};

static void __attribute__((format(printf, 3, 4))) complain(struct table *t, unsigned number, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%u: ", t->path, number);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	t->failed = true;
}

/* ---- Reading ---- */

static bool is_name(const char *s)
{
	if (!isalpha((unsigned char)*s) || strlen(s) >= MAX_NAME)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

static void read_field(struct table *t, unsigned number, char **words, unsigned n)
{
	if (n < 3 || n > 4 || (n == 4 && strcmp(words[3], "signed"))) {
		complain(t, number, "a field is named as: field LETTER NAME [signed]");
		return;
	}
	if (strlen(words[1]) != 1 || !isalpha((unsigned char)words[1][0])) {
		complain(t, number, "'%s' is not a letter", words[1]);
		return;
	}
	if (!is_name(words[2])) {
		complain(t, number, "'%s' is not a name", words[2]);
		return;
	}
	struct field *f = &t->letters[(unsigned char)words[1][0]];
	strcpy(f->name, words[2]);
	f->is_signed = n == 4;
}

/* Adds bit `bit` of the pattern, which is of the field that `letter` stands for. */
static bool read_field_bit(struct table *t, struct line *l, char letter, unsigned bit)
{
	const struct field *meaning = &t->letters[(unsigned char)letter];

	if (!meaning->name[0]) {
		complain(t, l->number, "the letter '%c' names no field", letter);
		return false;
	}
	for (unsigned i = 0; i < l->n_fields; i++) {
		if (!strcmp(l->fields[i].name, meaning->name)) {
			l->fields[i].bits |= 1u << bit;
			return true;
		}
	}
	if (l->n_fields == MAX_FIELDS) {
		complain(t, l->number, "more than %d fields", MAX_FIELDS);
		return false;
	}
	l->fields[l->n_fields] = *meaning;
	l->fields[l->n_fields++].bits = 1u << bit;
	return true;
}

static bool read_pattern(struct table *t, struct line *l, const char *pattern)
{
	char letter_of[MAX_FIELDS] = {0};

	if (strlen(pattern) != 32) {
		complain(t, l->number, "the pattern has %zu characters, not 32", strlen(pattern));
		return false;
	}
	for (unsigned i = 0; i < 32; i++) {
		unsigned bit = 31 - i;
		char c = pattern[i];
		if (c == '0' || c == '1') {
			l->mask |= 1u << bit;
			l->value |= (uint32_t)(c == '1') << bit;
		} else if (c == '-') {
			l->ignored |= 1u << bit;
		} else if (isalpha((unsigned char)c)) {
			if (l->is_hole) {
				complain(t, l->number, "UNALLOCATED has no fields: use '-' for '%c'", c);
				return false;
			}
			unsigned n = l->n_fields;
			if (!read_field_bit(t, l, c, bit))
				return false;
			if (l->n_fields > n)
				letter_of[n] = c;
			for (unsigned f = 0; f < l->n_fields; f++) {
				if (!strcmp(l->fields[f].name, t->letters[(unsigned char)c].name) && letter_of[f] != c) {
					complain(t, l->number, "'%c' and '%c' are both the field %s", letter_of[f], c,
						l->fields[f].name);
					return false;
				}
			}
		} else {
			complain(t, l->number, "'%c' in a pattern", c);
			return false;
		}
	}
	return true;
}

static bool read_attribute(struct table *t, struct line *l, const char *word)
{
	if (l->is_hole) {
		complain(t, l->number, "UNALLOCATED has no attributes");
		return false;
	}
	if (!strcmp(word, "fp")) {
		l->fp = true;
		return true;
	}
	if (strncmp(word, "feat=", 5)) {
		complain(t, l->number, "unknown attribute '%s'", word);
		return false;
	}
	for (unsigned i = 0; i < N_FEATURES; i++) {
		if (strcmp(word + 5, feature_names[i]))
			continue;
		if (l->n_features == MAX_FEATURES) {
			complain(t, l->number, "more than %d features", MAX_FEATURES);
			return false;
		}
		l->features[l->n_features++] = i;
		return true;
	}
	complain(t, l->number, "unknown feature '%s' (see emu/features.def)", word + 5);
	return false;
}

static void read_line(struct table *t, unsigned number, char **words, unsigned n)
{
	if (!strcmp(words[0], "field")) {
		read_field(t, number, words, n);
		return;
	}
	if (n < 2 || !is_name(words[0])) {
		complain(t, number, "an encoding is given as: NAME PATTERN [attribute ...]");
		return;
	}
	if (t->n_lines == MAX_LINES) {
		complain(t, number, "more than %d lines", MAX_LINES);
		return;
	}
	struct line *l = &t->lines[t->n_lines];
	memset(l, 0, sizeof(*l));
	strcpy(l->name, words[0]);
	l->is_hole = !strcmp(words[0], "UNALLOCATED");
	l->number = number;
	if (!read_pattern(t, l, words[1]))
		return;
	for (unsigned i = 2; i < n; i++)
		if (!read_attribute(t, l, words[i]))
			return;
	t->n_lines++;
}

static bool read_table(struct table *t)
{
	FILE *f = fopen(t->path, "r");
	char text[512];
	unsigned number = 0;

	if (!f) {
		fprintf(stderr, "%s: %s\n", t->path, strerror(errno));
		return false;
	}
	while (fgets(text, sizeof(text), f)) {
		char *words[16], *save = NULL;
		unsigned n = 0;

		number++;
		if (!strchr(text, '\n') && strlen(text) == sizeof(text) - 1) {
			complain(t, number, "the line is too long");
			break;
		}
		text[strcspn(text, "#\n")] = 0;
		for (char *w = strtok_r(text, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
			if (n == sizeof(words) / sizeof(words[0])) {
				complain(t, number, "more than %u words", n);
				n = 0;
				break;
			}
			words[n++] = w;
		}
		if (n)
			read_line(t, number, words, n);
	}
	if (ferror(f)) {
		fprintf(stderr, "%s: %s\n", t->path, strerror(errno));
		t->failed = true;
	}
	fclose(f);
	return !t->failed;
}

/* ---- Checking ---- */

static bool is_inside(const struct line *inner, const struct line *outer)
{
	return (inner->mask & outer->mask) == outer->mask && inner->mask != outer->mask;
}

static void check_pair(struct table *t, const struct line *a, const struct line *b)
{
	if (!a->is_hole && !b->is_hole && !strcmp(a->name, b->name))
		complain(t, b->number, "%s is already at line %u", b->name, a->number);
	if ((a->value ^ b->value) & a->mask & b->mask)
		return;
	if (a->mask == b->mask)
		complain(t, b->number, "%s has the same pattern as %s at line %u", b->name, a->name, a->number);
	else if (!a->is_hole && !b->is_hole)
		complain(t, b->number, "%s overlaps %s at line %u", b->name, a->name, a->number);
	else if (a->is_hole != b->is_hole && !is_inside(a->is_hole ? a : b, a->is_hole ? b : a))
		complain(t, b->number, "%s overlaps %s at line %u, and the UNALLOCATED one is not inside the other",
			b->name, a->name, a->number);
}

static bool check_table(struct table *t)
{
	for (unsigned i = 0; i < t->n_lines; i++)
		for (unsigned j = i + 1; j < t->n_lines; j++)
			check_pair(t, &t->lines[i], &t->lines[j]);
	return !t->failed;
}

/* ---- Shapes ---- */

static unsigned width(uint32_t bits)
{
	return (unsigned)__builtin_popcount(bits);
}

static bool has_shape(const struct line *l, const struct shape *s)
{
	if (l->n_fields != s->n_fields)
		return false;
	for (unsigned i = 0; i < l->n_fields; i++) {
		unsigned j = 0;
		while (j < s->n_fields && strcmp(l->fields[i].name, s->fields[j].name))
			j++;
		if (j == s->n_fields)
			return false;
	}
	return true;
}

static bool add_shape(struct table *t, const struct line *l)
{
	struct shape *s = &t->shapes[t->n_shapes];
	size_t len = 0;

	if (t->n_shapes == MAX_SHAPES) {
		complain(t, l->number, "more than %d sets of fields", MAX_SHAPES);
		return false;
	}
	s->n_fields = l->n_fields;
	s->name[0] = 0;
	for (unsigned i = 0; i < l->n_fields; i++) {
		strcpy(s->fields[i].name, l->fields[i].name);
		if (len + 1 + strlen(l->fields[i].name) >= sizeof(s->name)) {
			complain(t, l->number, "the fields' names are too long together");
			return false;
		}
		if (i)
			s->name[len++] = '_';
		strcpy(s->name + len, l->fields[i].name);
		len += strlen(l->fields[i].name);
	}
	if (!l->n_fields)
		strcpy(s->name, "none");
	t->n_shapes++;
	return true;
}

/* Bytes of the type for a field of a shape: 1, 2 or 4. */
static unsigned type_size(unsigned bits)
{
	return bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
}

static bool find_shapes(struct table *t)
{
	for (unsigned i = 0; i < t->n_lines; i++) {
		struct line *l = &t->lines[i];
		if (l->is_hole)
			continue;
		for (l->shape = 0; l->shape < t->n_shapes; l->shape++)
			if (has_shape(l, &t->shapes[l->shape]))
				break;
		if (l->shape == t->n_shapes && !add_shape(t, l))
			return false;

		struct shape *s = &t->shapes[l->shape];
		unsigned size = 0;
		for (unsigned f = 0; f < s->n_fields; f++) {
			for (unsigned k = 0; k < l->n_fields; k++) {
				if (strcmp(s->fields[f].name, l->fields[k].name))
					continue;
				if (s->fields[f].width && s->fields[f].is_signed != l->fields[k].is_signed) {
					complain(t, l->number, "the field %s is signed here or in an earlier line with "
						"the same fields, but not in both", s->fields[f].name);
					return false;
				}
				s->fields[f].is_signed = l->fields[k].is_signed;
				if (width(l->fields[k].bits) > s->fields[f].width)
					s->fields[f].width = width(l->fields[k].bits);
			}
			size += type_size(s->fields[f].width);
		}
		if ((size + 3) / 4 * 4 > MAX_ARGS_SIZE) {
			complain(t, l->number, "the fields take more than %d bytes", MAX_ARGS_SIZE);
			return false;
		}
	}
	return true;
}

/* ---- Output: the header ---- */

static const char warning[] = "/* SPDX-License-Identifier: BSD-2-Clause */\n"
	"/* Made from emu/a64.decode by emu/gen_a64: do not edit. */\n";

static void emit_shape(const struct shape *s)
{
	printf("struct a64_%s {\n", s->name);
	for (unsigned size = 4; size; size /= 2)
		for (unsigned f = 0; f < s->n_fields; f++)
			if (type_size(s->fields[f].width) == size)
				printf("\t%sint%u_t %s;\n", s->fields[f].is_signed ? "" : "u", size * 8, s->fields[f].name);
	printf("};\n\n");
}

/* A C expression for the field's value. */
static void emit_field_value(const struct field *f)
{
	unsigned left = width(f->bits);
	uint32_t bits = f->bits;
	bool is_first = true;

	if (f->is_signed)
		printf("(int32_t)((");
	while (bits) {
		unsigned top = 31 - (unsigned)__builtin_clz(bits), low = top;
		while (low && (bits & 1u << (low - 1)))
			low--;
		unsigned len = top - low + 1;
		left -= len;
		printf("%s", is_first ? "" : " | ");
		printf("(insn >> %u & 0x%xu) << %u", low, (uint32_t)((1ull << len) - 1), left);
		bits &= low ? (1u << low) - 1 : 0;
		is_first = false;
	}
	if (f->is_signed)
		printf(") << %u) >> %u", 32 - width(f->bits), 32 - width(f->bits));
}

static bool same_fields(const struct line *a, const struct line *b)
{
	if (a->shape != b->shape)
		return false;
	for (unsigned i = 0; i < a->n_fields; i++)
		if (a->fields[i].bits != b->fields[i].bits || strcmp(a->fields[i].name, b->fields[i].name))
			return false;
	return true;
}

/* The first line with the same fields. */
static const struct line *first_with_fields_of(const struct table *t, const struct line *l)
{
	const struct line *first = t->lines;

	while (first->is_hole || !same_fields(first, l))
		first++;
	return first;
}

static void emit_extraction(const struct table *t, const struct line *l)
{
	printf("static inline void a64_extract_%s(uint32_t insn, struct a64_%s *ret_args)\n{\n", l->name,
		t->shapes[l->shape].name);
	for (unsigned f = 0; f < l->n_fields; f++) {
		printf("\tret_args->%s = ", l->fields[f].name);
		emit_field_value(&l->fields[f]);
		printf(";\n");
	}
	printf("}\n\n");
}

static void emit_header(const struct table *t)
{
	printf("%s#ifndef EMU_A64_DECODE_H\n#define EMU_A64_DECODE_H\n\n", warning);
	printf("#include <stdbool.h>\n#include <stdint.h>\n\nstruct emu_cpu;\n\n");
	printf("/* Every encoding, in the table's order. */\nenum a64_op {\n");
	for (unsigned i = 0; i < t->n_lines; i++)
		if (!t->lines[i].is_hole)
			printf("\tA64_%s,\n", t->lines[i].name);
	printf("\tA64_OP_COUNT\n};\n\n");

	printf("/* The fields of an instruction, one structure per set of fields. */\n");
	for (unsigned i = 0; i < t->n_shapes; i++)
		emit_shape(&t->shapes[i]);
	printf("union a64_args {\n");
	for (unsigned i = 0; i < t->n_shapes; i++)
		printf("\tstruct a64_%s %s;\n", t->shapes[i].name, t->shapes[i].name);
	printf("};\n\n");
	printf("_Static_assert(sizeof(union a64_args) <= %d, \"too many fields\");\n\n", MAX_ARGS_SIZE);
	for (unsigned i = 0; i < t->n_lines; i++) {
		const struct line *l = &t->lines[i];
		if (l->is_hole)
			continue;
		const char *shape = t->shapes[l->shape].name;
		printf("#define a64_args_%s a64_%s\n", l->name, shape);
		printf("#define a64_shape_%s %s\n", l->name, shape);
		printf("#define a64_fp_%s %d\n", l->name, l->fp);
	}

	printf("\n/* The fields' values, for an instruction that is the one. */\n");
	for (unsigned i = 0; i < t->n_lines; i++) {
		const struct line *l = &t->lines[i], *first = l->is_hole ? NULL : first_with_fields_of(t, l);
		if (first == l)
			emit_extraction(t, l);
		else if (first)
			printf("#define a64_extract_%s a64_extract_%s\n", l->name, first->name);
	}

	printf("\n/* The interpreter's functions. */\n");
	for (unsigned i = 0; i < t->n_lines; i++)
		if (!t->lines[i].is_hole)
			printf("void interp_%s(struct emu_cpu *cpu, const union a64_args *args);\n", t->lines[i].name);

	printf("\ntypedef void a64_exec_fn(struct emu_cpu *cpu, const union a64_args *args);\n"
	       "/* They by enum a64_op. */\n"
	       "extern a64_exec_fn *const a64_exec[A64_OP_COUNT];\n\n"
	       "/* An encoding: an instruction is it when (insn & mask) == value and it is in\n"
	       " * no UNALLOCATED hole (a64_decode tells). `ignored` bits have no effect. */\n"
	       "struct a64_encoding {\n"
	       "\tconst char *name;\n"
	       "\tuint32_t mask, value, ignored;\n"
	       "\tint16_t features[%d]; /* enum emu_feature, all of them needed; -1: none */\n"
	       "\tbool fp;\n"
	       "};\n"
	       "extern const struct a64_encoding a64_encodings[A64_OP_COUNT];\n\n"
	       "/* By the top bits of an instruction, where they tell which it is: that, + 1, unless a bit is set\n"
	       " * (never, if it is one of them); else 0. */\n"
	       "struct a64_top {\n"
	       "\tuint16_t op_1, bit;\n"
	       "};\n"
	       "enum { A64_TOP_POS = %d };\n"
	       "extern const struct a64_top a64_by_top[1 << (32 - A64_TOP_POS)];\n\n"
	       "static inline bool a64_is_by_top(const struct a64_top *top, uint32_t insn)\n{\n"
	       "\treturn top->op_1 && !(insn >> top->bit & 1);\n}\n\n"
	       "/* A64_OP_COUNT: `insn` is unallocated, whatever the features. */\n"
	       "enum a64_op a64_find(uint32_t insn);\n"
	       "/* The same, and its fields; the rest of them is zero. False: unallocated. */\n"
	       "bool a64_decode(uint32_t insn, enum a64_op *ret_op, union a64_args *ret_args);\n\n"
	       "#endif\n", MAX_FEATURES, TOP_POS);
}

/* ---- Output: the decoder ---- */

static void indent(unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		putchar('\t');
}

static void emit_return(const struct line *l, unsigned depth)
{
	indent(depth);
	if (l && !l->is_hole)
		printf("return A64_%s;\n", l->name);
	else
		printf("return A64_OP_COUNT;\n");
}

/* The bit, not yet tested, that most of the lines fix; of two, the one that
 * splits the set more evenly. There is one: two lines that are not holes differ in a fixed bit. */
static uint32_t best_bit(const struct line *const *set, unsigned n, uint32_t tested)
{
	unsigned best_fixed = 0, best_even = 0;
	uint32_t best = 0;

	for (uint32_t bit = 1u << 31; bit; bit >>= 1) {
		unsigned fixed = 0, ones = 0;
		if (tested & bit)
			continue;
		for (unsigned i = 0; i < n; i++) {
			fixed += (set[i]->mask & bit) != 0;
			ones += (set[i]->value & bit) != 0;
		}
		unsigned even = ones < fixed - ones ? ones : fixed - ones;
		if (fixed > best_fixed || (fixed == best_fixed && even > best_even)) {
			best_fixed = fixed;
			best_even = even;
			best = bit;
		}
	}
	return best;
}

static void emit_tree(const struct line *const *set, unsigned n, uint32_t tested, unsigned depth);

/* The lines of `set` that may match when the bits of `mask` have `value`. */
static void emit_subtree(const struct line *const *set, unsigned n, uint32_t tested, uint32_t mask, uint32_t value,
	unsigned depth)
{
	const struct line **sub = calloc(n, sizeof(const struct line *));
	unsigned n_sub = 0;

	if (!sub)
		abort();
	for (unsigned i = 0; i < n; i++)
		if (!((set[i]->value ^ value) & set[i]->mask & mask))
			sub[n_sub++] = set[i];
	emit_tree(sub, n_sub, tested | mask, depth);
	free(sub);
}

static void emit_switch(const struct line *const *set, unsigned n, uint32_t tested, uint32_t common, unsigned depth)
{
	indent(depth);
	printf("switch (insn & 0x%08xu) {\n", common);
	for (unsigned i = 0; i < n; i++) {
		bool is_first = true;
		for (unsigned j = 0; j < i && is_first; j++)
			is_first = (set[i]->value ^ set[j]->value) & common;
		if (!is_first)
			continue;
		indent(depth);
		printf("case 0x%08xu:\n", set[i]->value & common);
		emit_subtree(set, n, tested, common, set[i]->value & common, depth + 1);
	}
	indent(depth);
	printf("default:\n");
	emit_return(NULL, depth + 1);
	indent(depth);
	printf("}\n");
}

/* Emits the tests for the holes in a line that is otherwise decided. */
static void emit_holes(const struct line *const *set, unsigned n, uint32_t tested, unsigned depth)
{
	for (unsigned i = 0; i < n; i++) {
		if (!set[i]->is_hole)
			continue;
		indent(depth);
		printf("if ((insn & 0x%08xu) == 0x%08xu)\n", set[i]->mask & ~tested, set[i]->value & ~tested);
		emit_return(NULL, depth + 1);
	}
}

/* Emits statements that return, for an instruction whose `tested` bits are
 * known to be compatible with every line of the set. */
static void emit_tree(const struct line *const *set, unsigned n, uint32_t tested, unsigned depth)
{
	uint32_t common = ~tested, differ = 0;
	const struct line *only = NULL; /* the last line that is not a hole */
	unsigned n_holes = 0;

	for (unsigned i = 0; i < n; i++) {
		common &= set[i]->mask;
		if (set[i]->is_hole)
			n_holes++;
		else
			only = set[i];
	}
	if (!only) {
		emit_return(NULL, depth);
		return;
	}
	if (n - n_holes == 1 && !(only->mask & ~tested)) {
		emit_holes(set, n, tested, depth);
		emit_return(only, depth);
		return;
	}
	for (unsigned i = 1; i < n; i++)
		differ |= (set[i]->value ^ set[0]->value) & common;
	if (common && !differ) {
		indent(depth);
		printf("if ((insn & 0x%08xu) != 0x%08xu)\n", common, set[0]->value & common);
		emit_return(NULL, depth + 1);
		emit_tree(set, n, tested | common, depth);
		return;
	}
	if (differ) {
		emit_switch(set, n, tested, differ, depth);
		return;
	}
	uint32_t bit = best_bit(set, n, tested);
	indent(depth);
	printf("if (insn & 0x%08xu) {\n", bit);
	emit_subtree(set, n, tested, bit, bit, depth + 1);
	indent(depth);
	printf("}\n");
	emit_subtree(set, n, tested, bit, 0, depth);
}

static void emit_extract(const struct table *t)
{
	printf("static void extract(uint32_t insn, enum a64_op op, union a64_args *ret_args)\n{\n\tswitch (op) {\n");
	for (unsigned i = 0; i < t->n_lines; i++) {
		const struct line *l = &t->lines[i];
		if (l->is_hole || !l->n_fields || first_with_fields_of(t, l) != l)
			continue;
		for (unsigned j = i; j < t->n_lines; j++)
			if (!t->lines[j].is_hole && same_fields(l, &t->lines[j]))
				printf("\tcase A64_%s:\n", t->lines[j].name);
		printf("\t\ta64_extract_%s(insn, &ret_args->%s);\n\t\tbreak;\n", l->name, t->shapes[l->shape].name);
	}
	printf("\tdefault:\n\t\tbreak;\n\t}\n}\n\n");
}

/* The line that all instructions with these top bits are, but those that have a bit set; none has it
 * set if it is one of the top bits. Or NULL. */
static const struct line *decided_by(const struct table *t, unsigned top, unsigned *ret_bit)
{
	uint32_t mask = ~0u << TOP_POS, value = top << TOP_POS, not_set = 0;
	const struct line *found = NULL;

	for (unsigned i = 0; i < t->n_lines; i++) {
		const struct line *l = &t->lines[i];
		uint32_t rest = l->mask & ~mask;
		if ((l->value ^ value) & l->mask & mask)
			continue;
		/* One bit alone, which is set in a hole, or not in the line. */
		if ((rest & (rest - 1)) || (l->is_hole ? (l->value & rest) == 0 : (l->value & rest) != 0) ||
		    (rest && not_set && not_set != rest) || (!l->is_hole && found))
			return NULL;
		not_set |= rest;
		if (!l->is_hole)
			found = l;
	}
	if (not_set == 0)
		not_set = ~value & mask;
	if (not_set == 0)
		return NULL;
	*ret_bit = (unsigned)__builtin_ctz(not_set);
	return found;
}

static void emit_decided(const struct table *t)
{
	printf("const struct a64_top a64_by_top[1 << (32 - A64_TOP_POS)] = {\n");
	for (unsigned top = 0; top < 1u << (32 - TOP_POS); top++) {
		unsigned bit;
		const struct line *l = decided_by(t, top, &bit);
		if (l)
			printf("\t[%u] = { A64_%s + 1, %u },\n", top, l->name, bit);
	}
	printf("};\n\n");
}

static void emit_decoder(const struct table *t)
{
	static const struct line *all[MAX_LINES];

	printf("%s#include \"emu/a64_decode.h\"\n\n#include \"emu/sys_priv.h\"\n\n#include <string.h>\n\n", warning);
	printf("static enum a64_op find(uint32_t insn)\n{\n");
	for (unsigned i = 0; i < t->n_lines; i++)
		all[i] = &t->lines[i];
	emit_tree(all, t->n_lines, 0, 1);
	printf("}\n\n");
	emit_extract(t);
	emit_decided(t);
	printf("enum a64_op a64_find(uint32_t insn)\n{\n"
	       "\tconst struct a64_top *top = &a64_by_top[insn >> A64_TOP_POS];\n\n"
	       "\treturn a64_is_by_top(top, insn) ? (enum a64_op)(top->op_1 - 1) : find(insn);\n}\n\n");
	printf("bool a64_decode(uint32_t insn, enum a64_op *ret_op, union a64_args *ret_args)\n{\n"
	       "\tenum a64_op op = a64_find(insn);\n\n"
	       "\tif (op == A64_OP_COUNT)\n\t\treturn false;\n"
	       "\tmemset(ret_args, 0, sizeof(*ret_args));\n"
	       "\textract(insn, op, ret_args);\n"
	       "\t*ret_op = op;\n\treturn true;\n}\n\n");

	printf("const struct a64_encoding a64_encodings[A64_OP_COUNT] = {\n");
	for (unsigned i = 0; i < t->n_lines; i++) {
		const struct line *l = &t->lines[i];
		if (l->is_hole)
			continue;
		printf("\t{\"%s\", 0x%08xu, 0x%08xu, 0x%08xu, {", l->name, l->mask, l->value, l->ignored);
		for (unsigned f = 0; f < MAX_FEATURES; f++) {
			if (f < l->n_features)
				printf("%sEMU_%s", f ? ", " : "", feature_names[l->features[f]]);
			else
				printf("%s-1", f ? ", " : "");
		}
		printf("}, %s},\n", l->fp ? "true" : "false");
	}
	printf("};\n");
}

/* ---- Output: the functions ---- */

static void emit_exec(const struct table *t)
{
	printf("%s#include \"emu/a64_decode.h\"\n\n", warning);
	printf("a64_exec_fn *const a64_exec[A64_OP_COUNT] = {\n");
	for (unsigned i = 0; i < t->n_lines; i++)
		if (!t->lines[i].is_hole)
			printf("\tinterp_%s,\n", t->lines[i].name);
	printf("};\n");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*emit)(const struct table *t);
	} outputs[] = {
		{"header", emit_header},
		{"decoder", emit_decoder},
		{"exec", emit_exec},
	};
	static struct table table;

	for (unsigned i = 0; argc == 3 && i < sizeof(outputs) / sizeof(outputs[0]); i++) {
		if (strcmp(argv[1], outputs[i].name))
			continue;
		table.path = argv[2];
		if (!read_table(&table) || !check_table(&table) || !find_shapes(&table))
			return 1;
		outputs[i].emit(&table);
		if (fflush(stdout) || ferror(stdout)) {
			perror("gen_a64: standard output");
			return 1;
		}
		return 0;
	}
	fprintf(stderr, "usage: gen_a64 header|decoder|exec TABLE >OUTPUT\n");
	return 2;
}
