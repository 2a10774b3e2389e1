/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Turns the schema (protocol/schema/) into C and into manual pages.
 *
 *	gen_schema header|source|mdoc-... OUTPUT SCHEMA.json...
 *
 * The schema is checked strictly: an unknown key, a missing doc, a type used
 * before it is declared or an example that is not an object is an error, with
 * the file and the thing named. The output is replaced only on success.
 */
#include "protocol/roff.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_TYPES = 256,
	MAX_COMMANDS = 256,
	MAX_LENGTH = 1 << 20,
	MAX_ITEMS = 1 << 16,
};

struct type {
	json_t *json;
	const char *name;
	char *c_name;
	bool is_enum;
};

/* One of the two servers' commands and events. */
struct set {
	const char *name;      /* "daemon", "qmp" */
	const char *c_prefix;  /* of arguments and replies */
	json_t *commands[MAX_COMMANDS];
	unsigned n_commands;
	json_t *events[MAX_COMMANDS];
	unsigned n_events;
};

static struct type types[MAX_TYPES];
static unsigned n_types;
static json_t *documents; /* what the tables below point into */
static struct set sets[] = { { .name = "daemon", .c_prefix = "" }, { .name = "qmp", .c_prefix = "qmp_" } };
static FILE *out;
static const char *out_path;
static const char *current_file;

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "gen_schema: %s: ", current_file ? current_file : out_path);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	if (out)
		remove(out_path);
	exit(1);
}

__attribute__((format(printf, 1, 2))) static void emit(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vfprintf(out, fmt, ap);
	va_end(ap);
}

static void *xcheck(void *p)
{
	if (!p)
		fail("out of memory");
	return p;
}

/* ---- Names ---- */

/* "MachineDefinition", "gic-version", "machine.create", "__org.vmd_x" in lower
 * case with underscores. The caller frees. */
static char *snake(const char *name)
{
	while (*name == '_')
		name++;
	char *s = xcheck(malloc(2 * strlen(name) + 2)), *p = s;
	for (const char *c = name; *c; c++) {
		if (isupper((unsigned char)*c) && c > name &&
		    (islower((unsigned char)c[-1]) || isdigit((unsigned char)c[-1]) ||
		     (isupper((unsigned char)c[-1]) && islower((unsigned char)c[1]))))
			*p++ = '_';
		*p++ = isalnum((unsigned char)*c) ? (char)tolower((unsigned char)*c) : '_';
	}
	*p = 0;
	static const char *const keywords[] = { "static", "default", "auto", "register", "const", "int", "bool" };
	for (unsigned i = 0; i < sizeof(keywords) / sizeof(*keywords); i++)
		if (!strcmp(s, keywords[i]))
			strcpy(p, "_");
	return s;
}

static char *upper(const char *name)
{
	char *s = snake(name);
	for (char *p = s; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return s;
}

static void emit_string(const char *s)
{
	if (!s) {
		emit("NULL");
		return;
	}
	emit("\"");
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			emit("\\%c", *s);
		else if ((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f)
			emit("\\%03o", (unsigned char)*s);
		else
			emit("%c", *s);
	}
	emit("\"");
}

/* ---- Reading the schema ---- */

static const char *str(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	return v ? json_string_value(v) : NULL;
}

static bool flag(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

/* Every key of `o` must be in the list, and be of the JSON type given for it. */
struct key {
	const char *name;
	char kind; /* s string, b true or false, i integer, a array, o object, * anything */
	bool required;
};

static void check_keys(const json_t *o, const char *what, const struct key *keys, unsigned n)
{
	if (!json_is_object(o))
		fail("%s: not an object", what);
	const char *k;
	json_t *v;
	json_object_foreach((json_t *)o, k, v) {
		unsigned i = 0;
		while (i < n && strcmp(keys[i].name, k))
			i++;
		if (i == n)
			fail("%s: unknown key '%s'", what, k);
		bool ok = true;
		switch (keys[i].kind) {
		case 's': ok = json_is_string(v) && *json_string_value(v); break;
		case 'b': ok = json_is_boolean(v); break;
		case 'i': ok = json_is_integer(v); break;
		case 'a': ok = json_is_array(v); break;
		case 'o': ok = json_is_object(v); break;
		}
		if (!ok)
			fail("%s: '%s' has the wrong type", what, k);
	}
	for (unsigned i = 0; i < n; i++)
		if (keys[i].required && !json_object_get(o, keys[i].name))
			fail("%s: '%s' is missing", what, keys[i].name);
}
#define CHECK_KEYS(o, what, keys) check_keys(o, what, keys, sizeof(keys) / sizeof(*(keys)))

static const struct type *find_type(const char *name)
{
	for (unsigned i = 0; i < n_types; i++)
		if (!strcmp(types[i].name, name))
			return &types[i];
	return NULL;
}

/* A member, decoded. */
struct member {
	json_t *json;
	const char *name;
	char *c_name;
	const char *kind;        /* the suffix of enum proto_kind */
	const struct type *type; /* ENUM, STRUCT */
	bool array, optional, has_flag, pointer;
	json_t *def;
};

static const struct {
	const char *name, *kind, *c_type;
	bool flagged; /* an optional one needs a has_ flag */
} scalars[] = {
	{ "bool", "BOOL", "bool ", true }, { "int", "INT", "int64_t ", true }, { "uint", "UINT", "uint64_t ", true },
	{ "size", "SIZE", "uint64_t ", true }, { "number", "NUMBER", "double ", true }, { "str", "STR", "char *", false },
	{ "object", "OBJECT", "json_t *", false }, { "any", "ANY", "json_t *", false },
};

static void decode_type(struct member *m, const char *what)
{
	const json_t *t = json_object_get(m->json, "type");
	if (json_is_object(t)) {
		if (json_object_size(t) != 1 || !str(t, "map") || strcmp(str(t, "map"), "str"))
			fail("%s: the only map is {\"map\": \"str\"}", what);
		m->kind = "MAP";
		return;
	}
	if (json_is_array(t)) {
		if (json_array_size(t) != 1)
			fail("%s: an array has one element type", what);
		m->array = true;
		t = json_array_get(t, 0);
	}
	if (!json_is_string(t))
		fail("%s: 'type' must be a name, [name] or {\"map\": \"str\"}", what);
	for (unsigned i = 0; i < sizeof(scalars) / sizeof(*scalars); i++)
		if (!strcmp(scalars[i].name, json_string_value(t))) {
			m->kind = scalars[i].kind;
			m->has_flag = scalars[i].flagged;
			return;
		}
	m->type = find_type(json_string_value(t));
	if (!m->type)
		fail("%s: type '%s' is not declared before this", what, json_string_value(t));
	m->kind = m->type->is_enum ? "ENUM" : "STRUCT";
	m->has_flag = m->type->is_enum;
}

static struct member decode_member(json_t *json, const char *owner)
{
	static const struct key keys[] = {
		{ "name", 's', true }, { "type", '*', true }, { "doc", 's', true }, { "optional", 'b', false },
		{ "default", '*', false }, { "min", 'i', false }, { "max", 'i', false }, { "max-length", 'i', false },
		{ "max-items", 'i', false }, { "pattern", 's', false }, { "if", 'o', false }, { "cli", 's', false },
		{ "metavar", 's', false },
	};
	char what[256];
	snprintf(what, sizeof(what), "%s: %s", owner, str(json, "name") ? str(json, "name") : "a member");
	CHECK_KEYS(json, what, keys);
	struct member m = { .json = json, .name = str(json, "name"), .def = json_object_get(json, "default") };
	m.c_name = snake(m.name);
	m.optional = flag(json, "optional");
	if (m.optional && m.def)
		fail("%s: a member with a default is not optional", what);
	decode_type(&m, what);
	m.has_flag = m.has_flag && m.optional && !m.array;
	m.pointer = m.optional && !m.array && m.kind && !strcmp(m.kind, "STRUCT");
	return m;
}

static void check_members(json_t *members, const char *owner)
{
	size_t i, j;
	json_t *v;
	json_array_foreach(members, i, v) {
		struct member m = decode_member(v, owner);
		for (j = 0; j < i; j++)
			if (!strcmp(str(json_array_get(members, j), "name"), m.name))
				fail("%s: two members named '%s'", owner, m.name);
		free(m.c_name);
	}
}

static void add_type(json_t *json)
{
	static const struct key enum_keys[] = { { "enum", 's', true }, { "doc", 's', true }, { "values", 'a', true } };
	static const struct key value_keys[] = { { "name", 's', true }, { "doc", 's', true } };
	static const struct key struct_keys[] = { { "struct", 's', true }, { "doc", 's', true }, { "members", 'a', true },
						  { "implied-key", 's', false }, { "rest", 's', false } };
	const char *name = str(json, "enum") ? str(json, "enum") : str(json, "struct");
	if (!name)
		fail("a type is neither an enum nor a struct");
	if (find_type(name))
		fail("type '%s' is declared twice", name);
	if (n_types == MAX_TYPES)
		fail("more than %d types", MAX_TYPES);
	struct type *t = &types[n_types];
	*t = (struct type){ .json = json, .name = name, .c_name = snake(name), .is_enum = str(json, "enum") };
	if (t->is_enum) {
		CHECK_KEYS(json, name, enum_keys);
		size_t i;
		json_t *v;
		json_array_foreach(json_object_get(json, "values"), i, v)
			CHECK_KEYS(v, name, value_keys);
		if (!i || i > 64)
			fail("%s: an enum has 1 to 64 values", name);
	} else {
		CHECK_KEYS(json, name, struct_keys);
		check_members(json_object_get(json, "members"), name);
	}
	n_types++;
}

static void add_command(struct set *set, json_t *json)
{
	static const struct key keys[] = {
		{ "command", 's', true }, { "summary", 's', true }, { "since", 's', true }, { "params", 'a', true },
		{ "examples", 'a', true }, { "doc", 's', false }, { "privilege", 's', false }, { "states", 'a', false },
		{ "result", 'o', false }, { "errors", 'a', false }, { "builtin", 'b', false }, { "oob", 'b', false },
		{ "slow", 'b', false },
	};
	static const struct key result_keys[] = { { "type", '*', true }, { "doc", 's', true } };
	static const struct key example_keys[] = { { "params", 'o', true }, { "result", '*', false } };
	const char *name = str(json, "command");
	CHECK_KEYS(json, name ? name : "a command", keys);
	for (unsigned i = 0; i < set->n_commands; i++)
		if (!strcmp(str(set->commands[i], "command"), name))
			fail("command '%s' is declared twice", name);
	if (set->n_commands == MAX_COMMANDS)
		fail("more than %d commands", MAX_COMMANDS);
	check_members(json_object_get(json, "params"), name);
	json_t *result = json_object_get(json, "result");
	if (result)
		CHECK_KEYS(result, name, result_keys);
	size_t i;
	json_t *v;
	json_array_foreach(json_object_get(json, "examples"), i, v)
		CHECK_KEYS(v, name, example_keys);
	if (!i)
		fail("%s: no example", name);
	set->commands[set->n_commands++] = json;
}

static void add_event(struct set *set, json_t *json)
{
	static const struct key keys[] = { { "event", 's', true }, { "doc", 's', true }, { "data", 'a', true },
					   { "rate-limit", '*', false } };
	const char *name = str(json, "event");
	CHECK_KEYS(json, name ? name : "an event", keys);
	if (set->n_events == MAX_COMMANDS)
		fail("more than %d events", MAX_COMMANDS);
	check_members(json_object_get(json, "data"), name);
	set->events[set->n_events++] = json;
}

static void read_file(const char *path)
{
	static const struct key keys[] = { { "types", 'a', false }, { "daemon", 'a', false }, { "qmp", 'a', false },
					   { "daemon-events", 'a', false }, { "qmp-events", 'a', false } };
	json_error_t e;
	current_file = path;
	json_t *doc = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
	if (!doc)
		fail("line %d: %s", e.line, e.text);
	if (!documents)
		documents = xcheck(json_array());
	json_array_append_new(documents, doc);
	CHECK_KEYS(doc, "the file", keys);
	size_t i;
	json_t *v;
	json_array_foreach(json_object_get(doc, "types"), i, v)
		add_type(v);
	for (unsigned s = 0; s < 2; s++) {
		char key[32];
		json_array_foreach(json_object_get(doc, sets[s].name), i, v)
			add_command(&sets[s], v);
		snprintf(key, sizeof(key), "%s-events", sets[s].name);
		json_array_foreach(json_object_get(doc, key), i, v)
			add_event(&sets[s], v);
	}
	current_file = NULL;
}

/* ---- The header ---- */

static const char *c_type(const struct member *m, char *buf, size_t size)
{
	if (!strcmp(m->kind, "MAP"))
		return "struct proto_pair ";
	if (m->type) {
		snprintf(buf, size, "%s proto_%s ", m->type->is_enum ? "enum" : "struct", m->type->c_name);
		return buf;
	}
	for (unsigned i = 0; i < sizeof(scalars) / sizeof(*scalars); i++)
		if (!strcmp(scalars[i].kind, m->kind))
			return scalars[i].c_type;
	abort();
}

static bool counted(const struct member *m)
{
	return m->array || !strcmp(m->kind, "MAP");
}

static void emit_struct(const char *c_name, const char *doc, json_t *members)
{
	if (doc)
		emit("/* %s */\n", doc);
	emit("struct proto_%s {\n", c_name);
	size_t i;
	json_t *v;
	json_array_foreach(members, i, v) {
		struct member m = decode_member(v, c_name);
		char buf[128];
		if (m.has_flag)
			emit("\tbool has_%s;\n", m.c_name);
		emit("\t%s%s%s; /* %s */\n", c_type(&m, buf, sizeof(buf)), counted(&m) || m.pointer ? "*" : "", m.c_name,
		     str(v, "doc"));
		if (counted(&m))
			emit("\tsize_t n_%s;\n", m.c_name);
		free(m.c_name);
	}
	emit("};\n");
}

static void emit_struct_functions(const char *c)
{
	emit("extern const struct proto_type proto_type_%s;\n", c);
	emit("static inline bool proto_%s_parse(const json_t *json, const char *where, struct proto_%s *ret, "
	     "struct vmd_error *err)\n{\n\treturn proto_parse(&proto_type_%s, json, where, ret, err);\n}\n", c, c, c);
	emit("static inline json_t *proto_%s_to_json(const struct proto_%s *value)\n{\n"
	     "\treturn proto_to_json(&proto_type_%s, value);\n}\n", c, c, c);
	emit("static inline void proto_%s_fini(struct proto_%s *value)\n{\n\tproto_fini(&proto_type_%s, value);\n}\n", c, c, c);
	emit("static inline bool proto_%s_copy(const struct proto_%s *value, struct proto_%s *ret, struct vmd_error *err)\n{\n"
	     "\treturn proto_copy(&proto_type_%s, value, ret, err);\n}\n", c, c, c, c);
	emit("static inline bool proto_%s_merge(const struct proto_%s *old, const json_t *patch, const char *where, "
	     "struct proto_%s *ret, struct vmd_error *err)\n{\n\treturn proto_merge(&proto_type_%s, old, patch, where, ret, err);\n}\n\n",
	     c, c, c, c);
}

static void emit_enum(const struct type *t)
{
	char *up = upper(t->name);
	emit("/* %s */\nenum proto_%s {\n", str(t->json, "doc"), t->c_name);
	size_t i;
	json_t *v;
	json_array_foreach(json_object_get(t->json, "values"), i, v) {
		char *value = upper(str(v, "name"));
		emit("\tPROTO_%s_%s, /* %s */\n", up, value, str(v, "doc"));
		free(value);
	}
	emit("};\nextern const struct proto_type proto_type_%s;\n", t->c_name);
	emit("static inline const char *proto_%s_name(enum proto_%s value)\n{\n"
	     "\treturn proto_enum_name(&proto_type_%s, value);\n}\n", t->c_name, t->c_name, t->c_name);
	emit("static inline bool proto_%s_parse(const char *name, enum proto_%s *ret)\n{\n"
	     "\tint v = proto_enum_parse(&proto_type_%s, name);\n\tif (v < 0)\n\t\treturn false;\n"
	     "\t*ret = (enum proto_%s)v;\n\treturn true;\n}\n\n", t->c_name, t->c_name, t->c_name, t->c_name);
	free(up);
}

/* The parameter list of a reply, after the call. */
static void emit_reply_params(json_t *result, const char *name)
{
	if (!result)
		return;
	struct member m = { .json = result };
	char buf[128];
	decode_type(&m, name);
	if (m.array)
		emit(", const %s%sitems, size_t n_items", c_type(&m, buf, sizeof(buf)), m.type ? "*" : "const *");
	else if (m.type && !m.type->is_enum)
		emit(", const struct proto_%s *result", m.type->c_name);
	else if (!strcmp(m.kind, "STR"))
		emit(", const char *result");
	else if (!strcmp(m.kind, "ANY") || !strcmp(m.kind, "OBJECT"))
		emit(", json_t *result_new");
	else
		emit(", %sresult", c_type(&m, buf, sizeof(buf)));
}

static void emit_header(void)
{
	emit("/* SPDX-License-Identifier: BSD-2-Clause */\n/* Made by protocol/gen_schema.c from protocol/schema/. Do not edit. */\n"
	     "#ifndef PROTOCOL_SCHEMA_GEN_H\n#define PROTOCOL_SCHEMA_GEN_H\n\n#include \"protocol/schema.h\"\n\n");
	for (unsigned i = 0; i < n_types; i++) {
		if (types[i].is_enum) {
			emit_enum(&types[i]);
			continue;
		}
		emit_struct(types[i].c_name, str(types[i].json, "doc"), json_object_get(types[i].json, "members"));
		emit_struct_functions(types[i].c_name);
	}
	for (unsigned s = 0; s < 2; s++) {
		struct set *set = &sets[s];
		char c_name[160];
		emit("/* ---- %s: commands ---- */\n\n", set->name);
		for (unsigned i = 0; i < set->n_commands; i++) {
			const char *name = str(set->commands[i], "command");
			char *c = snake(name);
			snprintf(c_name, sizeof(c_name), "args_%s%s", set->c_prefix, c);
			emit("/* %s: %s */\n", name, str(set->commands[i], "summary"));
			emit_struct(c_name, NULL, json_object_get(set->commands[i], "params"));
			emit_struct_functions(c_name);
			free(c);
		}
		emit("/* One function a command. It returns true if it has replied or will reply, with\n"
		     " * proto_reply_...() or proto_fail(); false fails the call with *err. The arguments live\n"
		     " * until the reply. A NULL function: the command is not there. */\nstruct proto_%s_handlers {\n", set->name);
		for (unsigned i = 0; i < set->n_commands; i++) {
			char *c = snake(str(set->commands[i], "command"));
			if (!flag(set->commands[i], "builtin"))
				emit("\tbool (*%s)(struct proto_call *call, const struct proto_args_%s%s *args, struct vmd_error *err);\n",
				     c, set->c_prefix, c);
			free(c);
		}
		emit("};\n\n");
		for (unsigned i = 0; i < set->n_commands; i++) {
			char *c = snake(str(set->commands[i], "command"));
			if (!flag(set->commands[i], "builtin")) {
				emit("void proto_reply_%s%s(struct proto_call *call", set->c_prefix, c);
				emit_reply_params(json_object_get(set->commands[i], "result"), c);
				emit(");\n");
			}
			free(c);
		}
		emit("\n/* ---- %s: events ---- */\n\n", set->name);
		for (unsigned i = 0; i < set->n_events; i++) {
			char *c = snake(str(set->events[i], "event"));
			snprintf(c_name, sizeof(c_name), "event_%s%s", set->c_prefix, c);
			emit_struct(c_name, str(set->events[i], "doc"), json_object_get(set->events[i], "data"));
			emit_struct_functions(c_name);
			emit("extern const struct proto_event_desc *const proto_desc_%s;\n\n", c_name);
			free(c);
		}
		emit("extern const struct proto_set proto_%s_set;\n\n", set->name);
	}
	emit("#endif\n");
}

/* ---- The source ---- */

static void emit_dumped(const json_t *v)
{
	char *text = v ? xcheck(json_dumps(v, JSON_ENCODE_ANY)) : NULL;
	emit_string(text);
	free(text);
}

static long long integer(const json_t *o, const char *key, long long absent)
{
	const json_t *v = json_object_get(o, key);
	return v ? json_integer_value(v) : absent;
}

/* `owner` is the C struct; NULL for a result, which is no member. */
static void emit_field(json_t *members, json_t *json, const char *owner, const char *what)
{
	struct member m;
	if (owner) {
		m = decode_member(json, what);
	} else {
		m = (struct member){ .json = json };
		decode_type(&m, what);
		m.has_flag = false;
	}
	emit("\t{ .name = ");
	emit_string(m.name ? m.name : "result");
	emit(", .kind = PROTO_%s", m.kind);
	if (str(json, "pattern")) {
		char *up = upper(str(json, "pattern"));
		emit(", .pattern = PROTO_PATTERN_%s", up);
		free(up);
	}
	emit("%s%s%s", m.array ? ", .array = true" : "", m.optional ? ", .optional = true" : "", m.pointer ? ", .pointer = true" : "");
	if (m.type)
		emit(", .type = &proto_type_%s", m.type->c_name);
	if (owner) {
		emit(",\n\t  .offset = offsetof(struct proto_%s, %s)", owner, m.c_name);
		if (counted(&m))
			emit(", .count_offset = offsetof(struct proto_%s, n_%s)", owner, m.c_name);
		if (m.has_flag)
			emit(", .has_flag = true, .has_offset = offsetof(struct proto_%s, has_%s)", owner, m.c_name);
	}
	bool is_signed = !strcmp(m.kind, "INT") || !strcmp(m.kind, "NUMBER");
	long long min = integer(json, "min", is_signed ? INT64_MIN : 0), max = integer(json, "max", INT64_MAX);
	if (min == INT64_MIN)
		emit(",\n\t  .min = INT64_MIN");
	else
		emit(",\n\t  .min = INT64_C(%lld)", min);
	emit(", .max = INT64_C(%lld), .max_length = %lld, .max_items = %lld", max, integer(json, "max-length", MAX_LENGTH),
	     integer(json, "max-items", MAX_ITEMS));
	if (m.def) {
		emit(", .def = ");
		emit_dumped(m.def);
	}
	int if_field = -1;
	unsigned long long mask = 0;
	const char *k;
	json_t *values;
	json_object_foreach(json_object_get(json, "if"), k, values) {
		size_t i, j;
		json_t *v, *value;
		json_array_foreach(members, i, v)
			if (!strcmp(str(v, "name"), k))
				if_field = (int)i;
		if (if_field < 0)
			fail("%s: %s: 'if' names no member '%s'", what, m.name, k);
		struct member on = decode_member(json_array_get(members, (size_t)if_field), what);
		if (!on.type || !on.type->is_enum || on.array)
			fail("%s: %s: 'if' names '%s', which is no enum", what, m.name, k);
		json_array_foreach(values, i, value) {
			unsigned long long bit = 0;
			json_array_foreach(json_object_get(on.type->json, "values"), j, v)
				if (json_is_string(value) && !strcmp(str(v, "name"), json_string_value(value)))
					bit = 1ULL << j;
			if (!bit)
				fail("%s: %s: 'if' has a value that %s does not have", what, m.name, on.type->name);
			mask |= bit;
		}
		free(on.c_name);
	}
	emit(",\n\t  .if_field = %d, .if_mask = %lluu, .cli = ", if_field, mask);
	emit_string(str(json, "cli"));
	emit(", .metavar = ");
	emit_string(str(json, "metavar"));
	emit(", .doc = ");
	emit_string(str(json, "doc"));
	emit(" },\n");
	free(m.c_name);
}

static void emit_struct_table(const char *name, const char *c_name, const char *doc, json_t *members, const json_t *json)
{
	size_t i;
	json_t *v;
	if (json_array_size(members)) {
		emit("static const struct proto_field fields_%s[] = {\n", c_name);
		json_array_foreach(members, i, v)
			emit_field(members, v, c_name, name);
		emit("};\n");
	}
	emit("const struct proto_type proto_type_%s = {\n\t.name = ", c_name);
	emit_string(name);
	emit(", .doc = ");
	emit_string(doc);
	if (json_array_size(members))
		emit(",\n\t.fields = fields_%s, .n_fields = %zu", c_name, json_array_size(members));
	emit(", .size = sizeof(struct proto_%s), .implied_key = ", c_name);
	emit_string(str(json, "implied-key"));
	emit(", .rest = ");
	emit_string(str(json, "rest"));
	emit(",\n};\n\n");
}

static void emit_enum_table(const struct type *t)
{
	size_t i;
	json_t *v;
	emit("static const struct proto_enum_value values_%s[] = {\n", t->c_name);
	json_array_foreach(json_object_get(t->json, "values"), i, v) {
		emit("\t{ ");
		emit_string(str(v, "name"));
		emit(", ");
		emit_string(str(v, "doc"));
		emit(" },\n");
	}
	emit("};\nconst struct proto_type proto_type_%s = {\n\t.name = ", t->c_name);
	emit_string(t->name);
	emit(", .doc = ");
	emit_string(str(t->json, "doc"));
	emit(", .values = values_%s, .n_values = %zu,\n};\n\n", t->c_name, i);
}

static void emit_reply(const struct set *set, const char *c, json_t *result)
{
	emit("void proto_reply_%s%s(struct proto_call *call", set->c_prefix, c);
	emit_reply_params(result, c);
	emit(")\n{\n");
	struct member m = { .json = result };
	if (!result) {
		emit("\tproto_reply(call, NULL);\n}\n\n");
		return;
	}
	decode_type(&m, c);
	if (m.array) {
		emit("\tjson_t *array = json_array();\n\tfor (size_t i = 0; i < n_items; i++)\n\t\tjson_array_append_new(array, ");
		if (m.type && !m.type->is_enum)
			emit("proto_to_json(&proto_type_%s, &items[i])", m.type->c_name);
		else if (!strcmp(m.kind, "STR"))
			emit("json_string(items[i])");
		else
			fail("%s: a result cannot be an array of these", c);
		emit(");\n\tproto_reply(call, array);\n}\n\n");
		return;
	}
	if (m.type && !m.type->is_enum)
		emit("\tproto_reply(call, proto_to_json(&proto_type_%s, result));\n", m.type->c_name);
	else if (!strcmp(m.kind, "STR"))
		emit("\tproto_reply(call, json_string(result));\n");
	else if (!strcmp(m.kind, "BOOL"))
		emit("\tproto_reply(call, json_boolean(result));\n");
	else if (!strcmp(m.kind, "ANY") || !strcmp(m.kind, "OBJECT"))
		emit("\tproto_reply(call, result_new);\n");
	else if (!strcmp(m.kind, "NUMBER"))
		emit("\tproto_reply(call, json_real(result));\n");
	else if (m.type)
		emit("\tproto_reply(call, json_string(proto_enum_name(&proto_type_%s, result)));\n", m.type->c_name);
	else
		emit("\tproto_reply(call, json_integer((json_int_t)result));\n");
	emit("}\n\n");
}

static uint32_t state_mask(const json_t *command)
{
	const struct type *t = find_type("MachineState");
	uint32_t mask = 0;
	size_t i, j;
	json_t *v, *value;
	json_array_foreach(json_object_get(command, "states"), i, v) {
		uint32_t bit = 0;
		if (t)
			json_array_foreach(json_object_get(t->json, "values"), j, value)
				if (json_is_string(v) && !strcmp(json_string_value(v), str(value, "name")))
					bit = 1u << j;
		if (!bit)
			fail("%s: 'states' names no MachineState", str(command, "command"));
		mask |= bit;
	}
	return mask;
}

static void emit_command_parts(const struct set *set, json_t *command)
{
	const char *name = str(command, "command");
	char *c = snake(name), c_name[160];
	snprintf(c_name, sizeof(c_name), "args_%s%s", set->c_prefix, c);
	emit_struct_table(name, c_name, str(command, "summary"), json_object_get(command, "params"), NULL);
	json_t *result = json_object_get(command, "result");
	if (result) {
		emit("static const struct proto_field result_%s%s[] = {\n", set->c_prefix, c);
		emit_field(NULL, result, NULL, name);
		emit("};\n");
	}
	if (!flag(command, "builtin")) {
		emit("static bool invoke_%s%s(const void *handlers, struct proto_call *call, const void *args, struct vmd_error *err)\n"
		     "{\n\treturn ((const struct proto_%s_handlers *)handlers)->%s(call, args, err);\n}\n",
		     set->c_prefix, c, set->name, c);
		emit_reply(set, c, result);
	}
	size_t i;
	json_t *v;
	emit("static const char *const errors_%s%s[] = { ", set->c_prefix, c);
	json_array_foreach(json_object_get(command, "errors"), i, v) {
		emit_string(json_string_value(v));
		emit(", ");
	}
	emit("NULL };\nstatic const struct proto_example examples_%s%s[] = {\n", set->c_prefix, c);
	json_array_foreach(json_object_get(command, "examples"), i, v) {
		emit("\t{ ");
		emit_dumped(json_object_get(v, "params"));
		emit(", ");
		emit_dumped(json_object_get(v, "result"));
		emit(" },\n");
	}
	emit("\t{ NULL, NULL },\n};\n\n");
	free(c);
}

static void emit_command_row(const struct set *set, json_t *command)
{
	char *c = snake(str(command, "command"));
	const char *privilege = str(command, "privilege") ? str(command, "privilege") : "admin";
	char *p = upper(privilege);
	emit("\t{ .name = ");
	emit_string(str(command, "command"));
	emit(", .flags = 0%s%s%s", flag(command, "builtin") ? " | PROTO_COMMAND_BUILTIN" : "",
	     flag(command, "oob") ? " | PROTO_COMMAND_OOB" : "", flag(command, "slow") ? " | PROTO_COMMAND_SLOW" : "");
	emit(", .privilege = PROTO_PRIVILEGE_%s, .states = 0x%x,\n\t  .args = &proto_type_args_%s%s", p, state_mask(command),
	     set->c_prefix, c);
	if (json_object_get(command, "result"))
		emit(", .result = result_%s%s", set->c_prefix, c);
	if (!flag(command, "builtin"))
		emit(",\n\t  .handler = offsetof(struct proto_%s_handlers, %s), .invoke = invoke_%s%s", set->name, c, set->c_prefix, c);
	emit(",\n\t  .summary = ");
	emit_string(str(command, "summary"));
	emit(", .doc = ");
	emit_string(str(command, "doc"));
	emit(", .since = ");
	emit_string(str(command, "since"));
	emit(",\n\t  .errors = errors_%s%s, .examples = examples_%s%s },\n", set->c_prefix, c, set->c_prefix, c);
	free(c);
	free(p);
}

static void emit_set(struct set *set)
{
	for (unsigned i = 0; i < set->n_commands; i++)
		emit_command_parts(set, set->commands[i]);
	emit("static const struct proto_command commands_%s[] = {\n", set->name);
	for (unsigned i = 0; i < set->n_commands; i++)
		emit_command_row(set, set->commands[i]);
	emit("};\n\n");
	char c_name[160];
	for (unsigned i = 0; i < set->n_events; i++) {
		const char *name = str(set->events[i], "event");
		char *c = snake(name);
		snprintf(c_name, sizeof(c_name), "event_%s%s", set->c_prefix, c);
		emit_struct_table(name, c_name, str(set->events[i], "doc"), json_object_get(set->events[i], "data"), NULL);
		free(c);
	}
	emit("static const struct proto_event_desc events_%s[] = {\n", set->name);
	for (unsigned i = 0; i < set->n_events; i++) {
		char *c = snake(str(set->events[i], "event"));
		emit("\t{ ");
		emit_string(str(set->events[i], "event"));
		emit(", ");
		emit_string(str(set->events[i], "doc"));
		emit(", &proto_type_event_%s%s, ", set->c_prefix, c);
		emit_string(str(set->events[i], "rate-limit"));
		emit(" },\n");
		free(c);
	}
	emit("};\n");
	for (unsigned i = 0; i < set->n_events; i++) {
		char *c = snake(str(set->events[i], "event"));
		emit("const struct proto_event_desc *const proto_desc_event_%s%s = &events_%s[%u];\n", set->c_prefix, c, set->name, i);
		free(c);
	}
	emit("\nconst struct proto_set proto_%s_set = {\n\t.name = \"%s\",\n\t.commands = commands_%s, .n_commands = %u,\n"
	     "\t.events = events_%s, .n_events = %u,\n};\n\n",
	     set->name, set->name, set->name, set->n_commands, set->name, set->n_events);
}

static void emit_source(void)
{
	emit("/* SPDX-License-Identifier: BSD-2-Clause */\n/* Made by protocol/gen_schema.c from protocol/schema/. Do not edit. */\n"
	     "#include \"protocol/schema_gen.h\"\n\n#include \"protocol/call.h\"\n\n");
	for (unsigned i = 0; i < n_types; i++) {
		if (types[i].is_enum)
			emit_enum_table(&types[i]);
		else
			emit_struct_table(types[i].name, types[i].c_name, str(types[i].json, "doc"),
					  json_object_get(types[i].json, "members"), types[i].json);
	}
	emit("const struct proto_type *const proto_types[] = {\n");
	for (unsigned i = 0; i < n_types; i++)
		emit("\t&proto_type_%s,\n", types[i].c_name);
	emit("};\nconst unsigned proto_n_types = %u;\n\n", n_types);
	for (unsigned s = 0; s < 2; s++)
		emit_set(&sets[s]);
}

/* ---- Manual pages ---- */

static void emit_roff_type(const json_t *t)
{
	if (json_is_array(t))
		emit("array of %s", json_string_value(json_array_get(t, 0)));
	else if (json_is_object(t))
		emit("map of strings");
	else
		emit("%s", json_string_value(t));
}

/* A list of members; a paragraph before it. */
static void emit_roff_members(json_t *members)
{
	size_t i;
	json_t *v;
	if (!json_array_size(members))
		return;
	emit(".Pp\n.Bl -tag -width Ds -compact\n");
	json_array_foreach(members, i, v) {
		emit(".It Cm ");
		proto_roff_word(out, str(v, "name"));
		emit(" Pq ");
		emit_roff_type(json_object_get(v, "type"));
		json_t *def = json_object_get(v, "default");
		if (flag(v, "optional"))
			emit(", optional");
		if (def && !json_is_object(def)) {
			char *text = xcheck(json_dumps(def, JSON_ENCODE_ANY));
			emit(", default ");
			proto_roff_word(out, text);
			free(text);
		}
		if (json_object_get(v, "max"))
			emit(", %lld to %lld", integer(v, "min", 0), integer(v, "max", 0));
		else if (json_object_get(v, "min"))
			emit(", %lld or more", integer(v, "min", 0));
		emit("\n");
		proto_roff_text(out, str(v, "doc"));
	}
	emit(".El\n");
}

static void emit_mdoc(const struct set *set)
{
	size_t j;
	json_t *v;
	for (unsigned i = 0; i < set->n_commands; i++) {
		json_t *c = set->commands[i], *result = json_object_get(c, "result");
		emit(".Ss ");
		proto_roff_word(out, str(c, "command"));
		emit("\n");
		proto_roff_text(out, str(c, "summary"));
		if (str(c, "doc")) {
			emit(".Pp\n");
			proto_roff_text(out, str(c, "doc"));
		}
		emit_roff_members(json_object_get(c, "params"));
		if (result) {
			emit(".Pp\nReturns ");
			emit_roff_type(json_object_get(result, "type"));
			emit(":\n");
			proto_roff_text(out, str(result, "doc"));
		}
		if (json_object_get(c, "states")) {
			emit(".Pp\nAllowed in state");
			json_array_foreach(json_object_get(c, "states"), j, v)
				emit("%s %s", j ? "," : "", json_string_value(v));
			emit(".\n");
		}
		if (str(c, "privilege"))
			emit(".Pp\nPrivilege: %s.\n", str(c, "privilege"));
	}
}

static void emit_mdoc_types(void)
{
	size_t j;
	json_t *v;
	for (unsigned i = 0; i < n_types; i++) {
		emit(".Ss %s\n", types[i].name);
		proto_roff_text(out, str(types[i].json, "doc"));
		if (!types[i].is_enum) {
			emit_roff_members(json_object_get(types[i].json, "members"));
			continue;
		}
		emit(".Pp\n.Bl -tag -width Ds -compact\n");
		json_array_foreach(json_object_get(types[i].json, "values"), j, v) {
			emit(".It Cm ");
			proto_roff_word(out, str(v, "name"));
			emit("\n");
			proto_roff_text(out, str(v, "doc"));
		}
		emit(".El\n");
	}
}

static void emit_mdoc_events(const struct set *set)
{
	for (unsigned i = 0; i < set->n_events; i++) {
		emit(".Ss ");
		proto_roff_word(out, str(set->events[i], "event"));
		emit("\n");
		proto_roff_text(out, str(set->events[i], "doc"));
		emit_roff_members(json_object_get(set->events[i], "data"));
	}
}

int main(int argc, char **argv)
{
	static const char *const modes[] = { "header", "source", "mdoc-daemon", "mdoc-qmp", "mdoc-types", "mdoc-events",
					     "mdoc-qmp-events" };
	unsigned mode = 0;
	while (argc > 1 && mode < sizeof(modes) / sizeof(*modes) && strcmp(argv[1], modes[mode]))
		mode++;
	if (argc < 4 || mode == sizeof(modes) / sizeof(*modes)) {
		fprintf(stderr, "usage: gen_schema header|source|mdoc-daemon|mdoc-qmp|mdoc-types|mdoc-events|mdoc-qmp-events "
				"OUTPUT SCHEMA.json...\n");
		return 2;
	}
	out_path = argv[2];
	for (int i = 3; i < argc; i++)
		read_file(argv[i]);
	size_t len = strlen(out_path) + 5;
	char *tmp = xcheck(malloc(len));
	snprintf(tmp, len, "%s.tmp", out_path);
	const char *final = out_path;
	out_path = tmp;
	out = fopen(tmp, "w");
	if (!out)
		fail("%s", strerror(errno));
	switch (mode) {
	case 0: emit_header(); break;
	case 1: emit_source(); break;
	case 2: emit_mdoc(&sets[0]); break;
	case 3: emit_mdoc(&sets[1]); break;
	case 4: emit_mdoc_types(); break;
	case 5: emit_mdoc_events(&sets[0]); break;
	case 6: emit_mdoc_events(&sets[1]); break;
	}
	if (ferror(out) || fclose(out) || rename(tmp, final))
		fail("%s", strerror(errno));
	free(tmp);
	return 0;
}
