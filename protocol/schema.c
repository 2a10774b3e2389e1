/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks, makes, prints and frees the schema's structs by their tables. Thread: any. */
#include "protocol/schema.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where in the value the parser is, for messages. */
struct path {
	const struct path *up;
	const char *key; /* NULL: an index */
	size_t index;
};

static void path_text(const struct path *path, char *buf, size_t size)
{
	if (!path) {
		*buf = 0;
		return;
	}
	path_text(path->up, buf, size);
	size_t n = strlen(buf);
	if (path->key)
		snprintf(buf + n, size - n, "%s%.64s", n ? "." : "", path->key);
	else
		snprintf(buf + n, size - n, "[%zu]", path->index);
}

/* "where: 'path': message", or without the second colon if the message begins with
 * a blank: it is what the path does. */
__attribute__((format(printf, 4, 5))) static bool wrong(const char *where, const struct path *path, struct vmd_error *err,
						       const char *fmt, ...)
{
	char at[200], message[300];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	path_text(path, at, sizeof(at));
	return vmd_error_set(err, VMD_ERR_INVALID, 0, "%s%s%s%s%s%s", where ? where : "", where ? ": " : "", *at ? "'" : "", at,
			     !*at ? "" : *message == ' ' ? "'" : "': ", message);
}

static bool no_memory(struct vmd_error *err)
{
	return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
}

static const char *json_kind(const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT: return "an object";
	case JSON_ARRAY: return "an array";
	case JSON_STRING: return "a string";
	case JSON_INTEGER: return "an integer";
	case JSON_REAL: return "a number with a fraction";
	case JSON_NULL: return "null";
	default: return "a boolean";
	}
}

/* ---- Suggestions ---- */

/* Edits (insert, delete, replace, swap of neighbours) from a to b, at most 32
 * characters of each. */
static unsigned edits(const char *a, const char *b)
{
	enum { MAX = 32 };
	unsigned rows[3][MAX + 1];
	size_t la = strnlen(a, MAX), lb = strnlen(b, MAX);
	for (size_t j = 0; j <= lb; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *cur = rows[i % 3], *prev = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];
		cur[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned best = prev[j - 1] + (a[i - 1] != b[j - 1]);
			if (prev[j] + 1 < best)
				best = prev[j] + 1;
			if (cur[j - 1] + 1 < best)
				best = cur[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			cur[j] = best;
		}
	}
	return rows[la % 3][lb];
}

void proto_suggest_init(struct proto_suggest *s, const char *word)
{
	/* A third of the word may be wrong, two characters of one of some length,
	 * but never all of it. Distances are doubled: see below. */
	size_t n = strlen(word);
	unsigned most = n > 6 ? (unsigned)n / 3 : n > 3 ? 2 : n > 1 ? 1 : 0;
	*s = (struct proto_suggest){ .word = word, .distance = 2 * most + 2 };
}

void proto_suggest_add(struct proto_suggest *s, const char *candidate)
{
	/* Of two that are as near, the one of the same length. */
	unsigned n = 2 * edits(s->word, candidate) + (strlen(s->word) != strlen(candidate));
	if (n < s->distance && s->distance > 2) {
		s->distance = n;
		s->best = candidate;
	}
}

/* ---- Texts ---- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool match_text(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static bool match_word(const char *s)
{
	for (; *s; s++)
		if (!is_letter(*s) && !is_digit(*s) && *s != '.' && *s != '_' && *s != '-')
			return false;
	return true;
}

static bool match_id(const char *s)
{
	return is_letter(*s) && match_word(s);
}

static bool match_machine(const char *s)
{
	return (is_letter(*s) || is_digit(*s)) && match_word(s);
}

static bool match_path(const char *s)
{
	return *s == '/';
}

static const struct {
	bool (*match)(const char *s);
	const char *rule;
} patterns[] = {
	[PROTO_PATTERN_TEXT] = { match_text, "must be one line without control characters" },
	[PROTO_PATTERN_ID] = { match_id, "must begin with a letter and hold only letters, digits, '.', '_' and '-'" },
	[PROTO_PATTERN_MACHINE] = { match_machine,
				    "must begin with a letter or digit and hold only letters, digits, '.', '_' and '-'" },
	[PROTO_PATTERN_PATH] = { match_path, "must be an absolute path" },
};

bool proto_pattern_match(enum proto_pattern pattern, const char *text, const char **ret_rule)
{
	if (pattern == PROTO_PATTERN_NONE || patterns[pattern].match(text))
		return true;
	*ret_rule = patterns[pattern].rule;
	return false;
}

bool proto_size_parse(const char *text, uint64_t *ret)
{
	/* Digits first: strtod() would take "inf", "nan" and signs as well. */
	if (!is_digit(*text))
		return false;
	char *end;
	uint64_t whole = strtoull(text, &end, text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10);
	double fraction = 0;
	if (*end == '.' && is_digit(end[1])) {
		char *dot = end;
		fraction = strtod(dot, &end);
		if (strspn(dot + 1, "0123456789") != (size_t)(end - dot - 1))
			return false;
	}
	unsigned shift = 0;
	bool suffix = true;
	switch (*end | 0x20) {
	case 'k': shift = 10; break;
	case 'm': shift = 20; break;
	case 'g': shift = 30; break;
	case 't': shift = 40; break;
	case 'b': shift = 0; break;
	default: suffix = false;
	}
	if (suffix)
		end++;
	if (shift && end[0] == 'i' && end[1] == 'B')
		end += 2;
	else if (shift && end[0] == 'B')
		end++;
	if (*end || (fraction > 0 && !shift) || whole > (uint64_t)INT64_MAX >> shift)
		return false;
	*ret = (whole << shift) + (uint64_t)(fraction * (double)(1ull << shift));
	return true;
}

int proto_enum_parse(const struct proto_type *type, const char *name)
{
	for (unsigned i = 0; i < type->n_values; i++)
		if (!strcmp(type->values[i].name, name))
			return (int)i;
	return -1;
}

const char *proto_enum_name(const struct proto_type *type, unsigned value)
{
	return value < type->n_values ? type->values[value].name : "?";
}

/* ---- Tables ---- */

const struct proto_command *proto_command_find(const struct proto_set *set, const char *name)
{
	for (unsigned i = 0; i < set->n_commands; i++)
		if (!strcmp(set->commands[i].name, name))
			return &set->commands[i];
	return NULL;
}

const struct proto_event_desc *proto_event_find(const struct proto_set *set, const char *name)
{
	for (unsigned i = 0; i < set->n_events; i++)
		if (!strcmp(set->events[i].name, name))
			return &set->events[i];
	return NULL;
}

static size_t element_size(const struct proto_field *f)
{
	switch (f->kind) {
	case PROTO_BOOL: return sizeof(bool);
	case PROTO_INT: return sizeof(int64_t);
	case PROTO_UINT:
	case PROTO_SIZE: return sizeof(uint64_t);
	case PROTO_NUMBER: return sizeof(double);
	case PROTO_STR: return sizeof(char *);
	case PROTO_ENUM: return sizeof(unsigned);
	case PROTO_STRUCT: return f->type->size;
	case PROTO_MAP: return sizeof(struct proto_pair);
	case PROTO_OBJECT:
	case PROTO_ANY: return sizeof(json_t *);
	}
	return 0;
}

/* ---- Freeing ---- */

static void fini_value(const struct proto_field *f, void *p)
{
	switch (f->kind) {
	case PROTO_STR:
		free(*(char **)p);
		break;
	case PROTO_STRUCT:
		proto_fini(f->type, p);
		break;
	case PROTO_MAP:
		free(((struct proto_pair *)p)->key);
		free(((struct proto_pair *)p)->value);
		break;
	case PROTO_OBJECT:
	case PROTO_ANY:
		json_decref(*(json_t **)p);
		break;
	default:
		break;
	}
}

static void fini_field(const struct proto_field *f, char *base)
{
	if (f->array || f->kind == PROTO_MAP) {
		char *items = *(char **)(base + f->offset);
		size_t n = *(size_t *)(base + f->count_offset);
		for (size_t i = 0; i < n; i++)
			fini_value(f, items + i * element_size(f));
		free(items);
	} else if (f->pointer) {
		void *p = *(void **)(base + f->offset);
		if (p)
			proto_fini(f->type, p);
		free(p);
	} else {
		fini_value(f, base + f->offset);
	}
}

void proto_fini(const struct proto_type *type, void *value)
{
	for (unsigned i = 0; i < type->n_fields; i++)
		fini_field(&type->fields[i], value);
	memset(value, 0, type->size);
}

/* ---- Parsing ---- */

static bool parse_struct(const struct proto_type *type, const json_t *json, const char *where, const struct path *path,
			 char *base, struct vmd_error *err);

/* A bound in words: sizes with their unit. */
static const char *bound_text(const struct proto_field *f, int64_t value, char *buf, size_t size)
{
	static const char units[] = "\0KMGT";
	unsigned unit = 0;
	for (; f->kind == PROTO_SIZE && value && value % 1024 == 0 && unit + 2 < sizeof(units); unit++)
		value /= 1024;
	snprintf(buf, size, "%" PRId64 "%.1s", value, &units[unit]);
	return buf;
}

static bool check_range(const struct proto_field *f, double value, const char *where, const struct path *path,
			struct vmd_error *err)
{
	if (value >= (double)f->min && value <= (double)f->max)
		return true;
	if (f->max == INT64_MAX)
		return wrong(where, path, err, "%.15g is too small: it must be %" PRId64 " or more", value, f->min);
	return wrong(where, path, err, "%.15g is out of range: it must be %" PRId64 " to %" PRId64, value, f->min, f->max);
}

static bool parse_integer(const struct proto_field *f, const json_t *json, const char *where, const struct path *path,
			  int64_t *ret, struct vmd_error *err)
{
	int64_t value;
	if (f->kind == PROTO_SIZE && json_is_string(json)) {
		uint64_t size;
		if (!proto_size_parse(json_string_value(json), &size))
			return wrong(where, path, err, "'%.32s' is not a size: write bytes, or a number with K, M, G or T",
				     json_string_value(json));
		value = (int64_t)size;
	} else if (json_is_integer(json)) {
		value = json_integer_value(json);
	} else {
		return wrong(where, path, err, "expected an integer, got %s", json_kind(json));
	}
	if (value >= f->min && value <= f->max) {
		*ret = value;
		return true;
	}
	char min[32], max[32];
	bound_text(f, f->min, min, sizeof(min));
	if (f->max == INT64_MAX)
		return wrong(where, path, err, "%" PRId64 " is too small: it must be %s or more", value, min);
	return wrong(where, path, err, "%" PRId64 " is out of range: it must be %s to %s", value, min,
		     bound_text(f, f->max, max, sizeof(max)));
}

static bool parse_string(const struct proto_field *f, const json_t *json, const char *where, const struct path *path,
			 char **ret, struct vmd_error *err)
{
	if (!json_is_string(json))
		return wrong(where, path, err, "expected a string, got %s", json_kind(json));
	const char *s = json_string_value(json), *rule;
	if (json_string_length(json) != strlen(s))
		return wrong(where, path, err, "a string must not hold a NUL character");
	if (json_string_length(json) > f->max_length)
		return wrong(where, path, err, "%zu bytes are too long: the limit is %zu", json_string_length(json), f->max_length);
	if (!proto_pattern_match(f->pattern, s, &rule))
		return wrong(where, path, err, "'%.64s' %s", s, rule);
	char *copy = strdup(s);
	if (!copy)
		return no_memory(err);
	*ret = copy;
	return true;
}

static bool parse_enum(const struct proto_field *f, const json_t *json, const char *where, const struct path *path,
		       unsigned *ret, struct vmd_error *err)
{
	if (!json_is_string(json))
		return wrong(where, path, err, "expected a string, got %s", json_kind(json));
	int value = proto_enum_parse(f->type, json_string_value(json));
	if (value >= 0) {
		*ret = (unsigned)value;
		return true;
	}
	char list[200] = "";
	struct proto_suggest s;
	proto_suggest_init(&s, json_string_value(json));
	for (unsigned i = 0; i < f->type->n_values; i++) {
		size_t n = strlen(list);
		snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", f->type->values[i].name);
		proto_suggest_add(&s, f->type->values[i].name);
	}
	if (s.best)
		return wrong(where, path, err, "'%.32s' is not one of %s; did you mean '%s'?", json_string_value(json), list, s.best);
	return wrong(where, path, err, "'%.32s' is not one of %s", json_string_value(json), list);
}

static bool parse_value(const struct proto_field *f, const json_t *json, const char *where, const struct path *path, void *p,
			struct vmd_error *err)
{
	switch (f->kind) {
	case PROTO_BOOL:
		if (!json_is_boolean(json))
			return wrong(where, path, err, "expected true or false, got %s", json_kind(json));
		*(bool *)p = json_is_true(json);
		return true;
	case PROTO_INT:
	case PROTO_UINT:
	case PROTO_SIZE:
		return parse_integer(f, json, where, path, p, err);
	case PROTO_NUMBER:
		if (!json_is_number(json))
			return wrong(where, path, err, "expected a number, got %s", json_kind(json));
		if (!check_range(f, json_number_value(json), where, path, err))
			return false;
		*(double *)p = json_number_value(json);
		return true;
	case PROTO_STR:
		return parse_string(f, json, where, path, p, err);
	case PROTO_ENUM:
		return parse_enum(f, json, where, path, p, err);
	case PROTO_STRUCT:
		return parse_struct(f->type, json, where, path, p, err);
	case PROTO_OBJECT:
		if (!json_is_object(json))
			return wrong(where, path, err, "expected an object, got %s", json_kind(json));
		*(json_t **)p = json_incref((json_t *)json);
		return true;
	case PROTO_ANY:
		*(json_t **)p = json_incref((json_t *)json);
		return true;
	case PROTO_MAP:
		break; /* parse_map() */
	}
	return wrong(where, path, err, " cannot be given");
}

static bool check_count(const struct proto_field *f, size_t n, const char *where, const struct path *path,
			struct vmd_error *err)
{
	return n <= f->max_items || wrong(where, path, err, "%zu items are too many: the limit is %zu", n, f->max_items);
}

static bool parse_array(const struct proto_field *f, const json_t *json, const char *where, const struct path *path,
			char **ret, size_t *ret_n, struct vmd_error *err)
{
	if (!json_is_array(json))
		return wrong(where, path, err, "expected an array, got %s", json_kind(json));
	size_t n = json_array_size(json), size = element_size(f);
	if (!check_count(f, n, where, path, err))
		return false;
	char *items = n ? calloc(n, size ? size : 1) : NULL;
	if (n && !items)
		return no_memory(err);
	/* From here on the struct owns the items: a failure is cleaned up with it. */
	*ret = items;
	for (size_t i = 0; i < n; i++) {
		struct path here = { .up = path, .index = i };
		*ret_n = i + 1;
		if (!parse_value(f, json_array_get(json, i), where, &here, items + i * size, err))
			return false;
	}
	return true;
}

static bool parse_map(const struct proto_field *f, const json_t *json, const char *where, const struct path *path,
		      struct proto_pair **ret, size_t *ret_n, struct vmd_error *err)
{
	if (!json_is_object(json))
		return wrong(where, path, err, "expected an object, got %s", json_kind(json));
	size_t n = json_object_size(json);
	if (!check_count(f, n, where, path, err))
		return false;
	struct proto_pair *pairs = n ? calloc(n, sizeof(*pairs)) : NULL;
	if (n && !pairs)
		return no_memory(err);
	*ret = pairs;
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)json, key, v) {
		struct path here = { .up = path, .key = key };
		struct proto_pair *pair = &pairs[(*ret_n)++];
		if (!*key || strlen(key) > 255)
			return wrong(where, path, err, "a key must have 1 to 255 bytes");
		if (!parse_string(f, v, where, &here, &pair->value, err))
			return false;
		pair->key = strdup(key);
		if (!pair->key)
			return no_memory(err);
	}
	return true;
}

static bool parse_field(const struct proto_field *f, const json_t *json, const char *where, const struct path *path,
			char *base, struct vmd_error *err)
{
	void *p = base + f->offset;
	if (f->kind == PROTO_MAP)
		return parse_map(f, json, where, path, p, (size_t *)(base + f->count_offset), err);
	if (f->array)
		return parse_array(f, json, where, path, p, (size_t *)(base + f->count_offset), err);
	if (f->pointer) {
		void *value = calloc(1, f->type->size ? f->type->size : 1);
		if (!value)
			return no_memory(err);
		*(void **)p = value;
		p = value;
	}
	if (!parse_value(f, json, where, path, p, err))
		return false;
	if (f->has_flag)
		*(bool *)(base + f->has_offset) = true;
	return true;
}

/* A member that only some values of an enum member allow. */
static bool check_condition(const struct proto_type *type, const struct proto_field *f, const char *base, const char *where,
			    const struct path *path, struct vmd_error *err)
{
	if (f->if_field < 0)
		return true;
	const struct proto_field *on = &type->fields[f->if_field];
	unsigned value = *(const unsigned *)(base + on->offset);
	bool given = !on->has_flag || *(const bool *)(base + on->has_offset);
	if (given && (f->if_mask >> value & 1))
		return true;
	char list[200] = "";
	for (unsigned i = 0; i < on->type->n_values; i++) {
		size_t n = strlen(list);
		if (f->if_mask >> i & 1)
			snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", on->type->values[i].name);
	}
	return wrong(where, path, err, " does not go with %s '%s' (only with %s)", on->name,
		     given ? proto_enum_name(on->type, value) : "none", list);
}

static bool unknown_key(const struct proto_type *type, const char *key, const char *where, const struct path *path,
			struct vmd_error *err)
{
	struct path here = { .up = path, .key = key };
	struct proto_suggest s;
	proto_suggest_init(&s, key);
	for (unsigned i = 0; i < type->n_fields; i++)
		proto_suggest_add(&s, type->fields[i].name);
	if (s.best)
		return wrong(where, &here, err, "unknown key; did you mean '%s'?", s.best);
	return wrong(where, &here, err, "unknown key");
}

static bool parse_struct(const struct proto_type *type, const json_t *json, const char *where, const struct path *path,
			 char *base, struct vmd_error *err)
{
	if (!json_is_object(json))
		return wrong(where, path, err, "expected an object, got %s", json_kind(json));
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)json, key, v) {
		unsigned i = 0;
		while (i < type->n_fields && strcmp(type->fields[i].name, key))
			i++;
		if (i == type->n_fields)
			return unknown_key(type, key, where, path, err);
	}
	for (unsigned i = 0; i < type->n_fields; i++) {
		const struct proto_field *f = &type->fields[i];
		struct path here = { .up = path, .key = f->name };
		v = json_object_get(json, f->name);
		if (v) {
			if (!parse_field(f, v, where, &here, base, err))
				return false;
		} else if (f->def) {
			json_t *def = json_loads(f->def, JSON_DECODE_ANY, NULL);
			if (!def)
				return no_memory(err);
			bool ok = parse_field(f, def, where, &here, base, err);
			json_decref(def);
			if (!ok)
				return false;
		} else if (!f->optional) {
			return wrong(where, &here, err, " is missing");
		}
	}
	for (unsigned i = 0; i < type->n_fields; i++) {
		struct path here = { .up = path, .key = type->fields[i].name };
		if (json_object_get(json, type->fields[i].name) &&
		    !check_condition(type, &type->fields[i], base, where, &here, err))
			return false;
	}
	return true;
}

bool proto_parse(const struct proto_type *type, const json_t *json, const char *where, void *ret, struct vmd_error *err)
{
	char *base = calloc(1, type->size ? type->size : 1);
	if (!base)
		return no_memory(err);
	bool ok = parse_struct(type, json, where, NULL, base, err);
	if (ok)
		memcpy(ret, base, type->size);
	else
		proto_fini(type, base);
	free(base);
	return ok;
}

bool proto_check(const struct proto_field *field, const json_t *json, const char *where, struct vmd_error *err)
{
	/* A result's field has no offsets: give it a place of its own. */
	struct {
		size_t n;
		char *items;
	} counted = { 0 };
	struct proto_field f = *field;
	bool ok;
	if (f.array || f.kind == PROTO_MAP) {
		f.offset = offsetof(__typeof__(counted), items);
		f.count_offset = offsetof(__typeof__(counted), n);
		ok = parse_field(&f, json, where, NULL, (char *)&counted, err);
		fini_field(&f, (char *)&counted);
		return ok;
	}
	char *base = calloc(1, element_size(&f) + 1);
	if (!base)
		return no_memory(err);
	f.offset = 0;
	ok = parse_field(&f, json, where, NULL, base, err);
	fini_field(&f, base);
	free(base);
	return ok;
}

/* ---- Printing ---- */

static json_t *value_json(const struct proto_field *f, const void *p)
{
	switch (f->kind) {
	case PROTO_BOOL: return json_boolean(*(const bool *)p);
	case PROTO_INT: return json_integer(*(const int64_t *)p);
	case PROTO_UINT:
	case PROTO_SIZE: {
		/* JSON's integers end at 2^63 - 1 for most programs, ours too. */
		uint64_t value = *(const uint64_t *)p;
		return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
	}
	case PROTO_NUMBER: {
		double value = *(const double *)p;
		/* A whole number is written without a fraction. */
		if (value == floor(value) && fabs(value) < 9e15)
			return json_integer((json_int_t)value);
		return json_real(value);
	}
	case PROTO_STR: return *(char *const *)p ? json_string(*(char *const *)p) : NULL;
	case PROTO_ENUM: return json_string(proto_enum_name(f->type, *(const unsigned *)p));
	case PROTO_STRUCT: return proto_to_json(f->type, p);
	case PROTO_OBJECT:
	case PROTO_ANY: return json_incref(*(json_t *const *)p);
	case PROTO_MAP: break;
	}
	return NULL;
}

/* False: no memory. Sets *ret to NULL for a member that is absent. */
static bool field_json(const struct proto_field *f, const char *base, json_t **ret)
{
	const char *p = base + f->offset;
	*ret = NULL;
	if (f->array || f->kind == PROTO_MAP) {
		size_t n = *(const size_t *)(base + f->count_offset);
		if (!n && f->optional)
			return true;
		json_t *all = f->array ? json_array() : json_object();
		const char *items = *(char *const *)p;
		for (size_t i = 0; i < n; i++) {
			const struct proto_pair *pair = (const struct proto_pair *)(const void *)items + i;
			int failed = f->array ? json_array_append_new(all, value_json(f, items + i * element_size(f))) :
						json_object_set_new(all, pair->key, json_string(pair->value));
			if (failed) {
				json_decref(all);
				return false;
			}
		}
		*ret = all;
		return all != NULL;
	}
	if (f->has_flag && !*(const bool *)(base + f->has_offset))
		return true;
	if (f->pointer) {
		p = *(char *const *)p;
		if (!p)
			return true;
	}
	if (f->optional && (f->kind == PROTO_STR || f->kind == PROTO_OBJECT || f->kind == PROTO_ANY) && !*(void *const *)p)
		return true;
	*ret = value_json(f, p);
	return *ret != NULL;
}

json_t *proto_to_json(const struct proto_type *type, const void *value)
{
	json_t *o = json_object();
	for (unsigned i = 0; o && i < type->n_fields; i++) {
		json_t *v;
		if (!field_json(&type->fields[i], value, &v) || (v && json_object_set_new(o, type->fields[i].name, v))) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

/* ---- Derived ---- */

/* RFC 7386, section 2. Takes `target`. */
static json_t *merge_patch(json_t *target, const json_t *patch)
{
	if (!json_is_object(patch)) {
		json_decref(target);
		return json_incref((json_t *)patch);
	}
	if (!json_is_object(target)) {
		json_decref(target);
		target = json_object();
	}
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)patch, key, v) {
		if (json_is_null(v))
			json_object_del(target, key);
		else
			json_object_set_new(target, key, merge_patch(json_incref(json_object_get(target, key)), v));
	}
	return target;
}

bool proto_merge(const struct proto_type *type, const void *old, const json_t *patch, const char *where, void *ret,
		 struct vmd_error *err)
{
	json_t *json = proto_to_json(type, old);
	if (!json)
		return no_memory(err);
	json = merge_patch(json, patch);
	bool ok = json ? proto_parse(type, json, where, ret, err) : no_memory(err);
	json_decref(json);
	return ok;
}

bool proto_copy(const struct proto_type *type, const void *value, void *ret, struct vmd_error *err)
{
	json_t *json = proto_to_json(type, value);
	if (!json)
		return no_memory(err);
	bool ok = proto_parse(type, json, type->name, ret, err);
	json_decref(json);
	return ok;
}

bool proto_command_allows(const struct proto_command *cmd, const char *machine, unsigned state, struct vmd_error *err)
{
	if (!cmd->states || (cmd->states >> state & 1))
		return true;
	const struct proto_type *states = NULL;
	for (unsigned i = 0; i < proto_n_types; i++)
		if (!strcmp(proto_types[i]->name, "MachineState"))
			states = proto_types[i];
	assert(states);
	char list[128] = "";
	unsigned left = (unsigned)__builtin_popcount(cmd->states);
	for (unsigned i = 0; i < states->n_values; i++) {
		size_t n = strlen(list);
		if (cmd->states >> i & 1)
			snprintf(list + n, sizeof(list) - n, "%s%s", !n ? "" : left > 1 ? ", " : " or ", states->values[i].name);
		left -= cmd->states >> i & 1;
	}
	return vmd_error_set(err, VMD_ERR_WRONG_STATE, 0, "machine '%s' is %s; %s needs it %s", machine,
			     proto_enum_name(states, state), cmd->name, list);
}
