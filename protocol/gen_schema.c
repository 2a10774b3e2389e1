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
#include "protocol/gen_schema_priv.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct gen gen = { .sets = { { .name = "daemon", .c_prefix = "" }, { .name = "qmp", .c_prefix = "qmp_" } } };

static char *upper(const char *name)
{
	char *s = gen_snake(name);
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

/* ---- The header ---- */

static const char *c_type(const struct member *m, char *buf, size_t size)
{
	if (!strcmp(m->kind, "MAP"))
		return "struct proto_pair ";
	if (m->type) {
		snprintf(buf, size, "%s proto_%s ", m->type->is_enum ? "enum" : "struct", m->type->c_name);
		return buf;
	}
	return m->c_scalar;
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
		struct member m = gen_member(v, c_name);
		char buf[128];
		if (m.has_flag)
			emit("\tbool has_%s;\n", m.c_name);
		emit("\t%s%s%s; /* %s */\n", c_type(&m, buf, sizeof(buf)),
		     counted(&m) || m.pointer ? "*" : "", m.c_name,
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
	emit("static inline void proto_%s_fini(struct proto_%s *value)\n{\n"
	     "\tproto_fini(&proto_type_%s, value);\n}\n", c, c, c);
	emit("static inline bool proto_%s_copy(const struct proto_%s *value, struct proto_%s *ret, "
	     "struct vmd_error *err)\n{\n"
	     "\treturn proto_copy(&proto_type_%s, value, ret, err);\n}\n", c, c, c, c);
	emit("static inline bool proto_%s_merge(const struct proto_%s *old, const json_t *patch, const char *where, "
	     "struct proto_%s *ret, struct vmd_error *err)\n{\n"
	     "\treturn proto_merge(&proto_type_%s, old, patch, where, ret, err);\n}\n\n",
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
	gen_member_type(&m, name);
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
	emit("/* SPDX-License-Identifier: BSD-2-Clause */\n"
	     "/* Made by protocol/gen_schema.c from protocol/schema/. Do not edit. */\n"
	     "#ifndef PROTOCOL_SCHEMA_GEN_H\n#define PROTOCOL_SCHEMA_GEN_H\n\n#include \"protocol/schema.h\"\n\n");
	for (unsigned i = 0; i < gen.n_types; i++) {
		if (gen.types[i].is_enum) {
			emit_enum(&gen.types[i]);
			continue;
		}
		emit_struct(gen.types[i].c_name, str(gen.types[i].json, "doc"),
			json_object_get(gen.types[i].json, "members"));
		emit_struct_functions(gen.types[i].c_name);
	}
	for (unsigned s = 0; s < 2; s++) {
		struct set *set = &gen.sets[s];
		char c_name[160];
		emit("/* ---- %s: commands ---- */\n\n", set->name);
		for (unsigned i = 0; i < set->n_commands; i++) {
			const char *name = str(set->commands[i], "command");
			char *c = gen_snake(name);
			snprintf(c_name, sizeof(c_name), "args_%s%s", set->c_prefix, c);
			emit("/* %s: %s */\n", name, str(set->commands[i], "summary"));
			emit_struct(c_name, NULL, json_object_get(set->commands[i], "params"));
			emit_struct_functions(c_name);
			free(c);
		}
		emit("/* One function a command. It returns true if it has replied or will reply, with\n"
		     " * proto_reply_...() or proto_fail(); false fails the call with *err. The arguments live\n"
		     " * until the reply. A NULL function: the command is not there. */\n"
		     "struct proto_%s_handlers {\n", set->name);
		for (unsigned i = 0; i < set->n_commands; i++) {
			char *c = gen_snake(str(set->commands[i], "command"));
			if (!flag(set->commands[i], "builtin"))
				emit("\tbool (*%s)(struct proto_call *call, const struct proto_args_%s%s *args, "
				     "struct vmd_error *err);\n",
				     c, set->c_prefix, c);
			free(c);
		}
		emit("};\n\n");
		for (unsigned i = 0; i < set->n_commands; i++) {
			char *c = gen_snake(str(set->commands[i], "command"));
			if (!flag(set->commands[i], "builtin")) {
				emit("void proto_reply_%s%s(struct proto_call *call", set->c_prefix, c);
				emit_reply_params(json_object_get(set->commands[i], "result"), c);
				emit(");\n");
			}
			free(c);
		}
		emit("\n/* ---- %s: events ---- */\n\n", set->name);
		for (unsigned i = 0; i < set->n_events; i++) {
			char *c = gen_snake(str(set->events[i], "event"));
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

/* `owner` is the C struct; NULL for a result, which is no member. */
static void emit_field(json_t *members, json_t *json, const char *owner, const char *what)
{
	struct member m;
	if (owner) {
		m = gen_member(json, what);
	} else {
		m = (struct member){ .json = json };
		gen_member_type(&m, what);
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
	emit("%s%s%s", m.array ? ", .array = true" : "", m.optional ? ", .optional = true" : "",
	     m.pointer ? ", .pointer = true" : "");
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
	emit(", .max = INT64_C(%lld), .max_length = %lld, .max_items = %lld", max,
	     integer(json, "max-length", MAX_LENGTH),
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
		struct member on = gen_member(json_array_get(members, (size_t)if_field), what);
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

static void emit_struct_table(const char *name, const char *c_name, const char *doc, json_t *members,
			      const json_t *json)
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
	gen_member_type(&m, c);
	if (m.array) {
		emit("\tjson_t *array = json_array();\n\tfor (size_t i = 0; i < n_items; i++)\n"
		     "\t\tjson_array_append_new(array, ");
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
	const struct type *t = gen_find_type("MachineState");
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
	char *c = gen_snake(name), c_name[160];
	snprintf(c_name, sizeof(c_name), "args_%s%s", set->c_prefix, c);
	emit_struct_table(name, c_name, str(command, "summary"), json_object_get(command, "params"), NULL);
	json_t *result = json_object_get(command, "result");
	if (result) {
		emit("static const struct proto_field result_%s%s[] = {\n", set->c_prefix, c);
		emit_field(NULL, result, NULL, name);
		emit("};\n");
	}
	if (!flag(command, "builtin")) {
		emit("static bool invoke_%s%s(const void *handlers, struct proto_call *call, const void *args, "
		     "struct vmd_error *err)\n"
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
	char *c = gen_snake(str(command, "command"));
	const char *privilege = str(command, "privilege") ? str(command, "privilege") : "admin";
	char *p = upper(privilege);
	emit("\t{ .name = ");
	emit_string(str(command, "command"));
	emit(", .flags = 0%s%s%s", flag(command, "builtin") ? " | PROTO_COMMAND_BUILTIN" : "",
	     flag(command, "oob") ? " | PROTO_COMMAND_OOB" : "", flag(command, "slow") ? " | PROTO_COMMAND_SLOW" : "");
	emit(", .privilege = PROTO_PRIVILEGE_%s, .states = 0x%x,\n\t  .args = &proto_type_args_%s%s", p,
	     state_mask(command),
	     set->c_prefix, c);
	if (json_object_get(command, "result"))
		emit(", .result = result_%s%s", set->c_prefix, c);
	if (!flag(command, "builtin"))
		emit(",\n\t  .handler = offsetof(struct proto_%s_handlers, %s), .invoke = invoke_%s%s", set->name, c,
		     set->c_prefix, c);
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
		char *c = gen_snake(name);
		snprintf(c_name, sizeof(c_name), "event_%s%s", set->c_prefix, c);
		emit_struct_table(name, c_name, str(set->events[i], "doc"), json_object_get(set->events[i], "data"),
				  NULL);
		free(c);
	}
	emit("static const struct proto_event_desc events_%s[] = {\n", set->name);
	for (unsigned i = 0; i < set->n_events; i++) {
		char *c = gen_snake(str(set->events[i], "event"));
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
		char *c = gen_snake(str(set->events[i], "event"));
		emit("const struct proto_event_desc *const proto_desc_event_%s%s = &events_%s[%u];\n", set->c_prefix, c,
		     set->name, i);
		free(c);
	}
	emit("\nconst struct proto_set proto_%s_set = {\n\t.name = \"%s\",\n"
	     "\t.commands = commands_%s, .n_commands = %u,\n"
	     "\t.events = events_%s, .n_events = %u,\n};\n\n",
	     set->name, set->name, set->name, set->n_commands, set->name, set->n_events);
}

static void emit_source(void)
{
	emit("/* SPDX-License-Identifier: BSD-2-Clause */\n"
	     "/* Made by protocol/gen_schema.c from protocol/schema/. Do not edit. */\n"
	     "#include \"protocol/schema_gen.h\"\n\n#include \"protocol/call.h\"\n\n");
	for (unsigned i = 0; i < gen.n_types; i++) {
		if (gen.types[i].is_enum)
			emit_enum_table(&gen.types[i]);
		else
			emit_struct_table(gen.types[i].name, gen.types[i].c_name, str(gen.types[i].json, "doc"),
					  json_object_get(gen.types[i].json, "members"), gen.types[i].json);
	}
	emit("const struct proto_type *const proto_types[] = {\n");
	for (unsigned i = 0; i < gen.n_types; i++)
		emit("\t&proto_type_%s,\n", gen.types[i].c_name);
	emit("};\nconst unsigned proto_n_types = %u;\n\n", gen.n_types);
	for (unsigned s = 0; s < 2; s++)
		emit_set(&gen.sets[s]);
}

int main(int argc, char **argv)
{
	static const char *const modes[] = { "header", "source", "mdoc-daemon", "mdoc-qmp", "mdoc-types", "mdoc-events",
					     "mdoc-qmp-events" };
	unsigned mode = 0;
	while (argc > 1 && mode < sizeof(modes) / sizeof(*modes) && strcmp(argv[1], modes[mode]))
		mode++;
	if (argc < 4 || mode == sizeof(modes) / sizeof(*modes)) {
		fprintf(stderr, "usage: gen_schema header|source|mdoc-daemon|mdoc-qmp|mdoc-types|mdoc-events|"
			"mdoc-qmp-events "
				"OUTPUT SCHEMA.json...\n");
		return 2;
	}
	gen.out_path = argv[2];
	for (int i = 3; i < argc; i++)
		gen_read(argv[i]);
	size_t len = strlen(gen.out_path) + 5;
	char *tmp = xcheck(malloc(len));
	snprintf(tmp, len, "%s.tmp", gen.out_path);
	const char *final = gen.out_path;
	gen.out_path = tmp;
	gen.out = fopen(tmp, "w");
	if (!gen.out)
		fail("%s", strerror(errno));
	switch (mode) {
	case 0: emit_header(); break;
	case 1: emit_source(); break;
	case 2: gen_mdoc(&gen.sets[0]); break;
	case 3: gen_mdoc(&gen.sets[1]); break;
	case 4: gen_mdoc_types(); break;
	case 5: gen_mdoc_events(&gen.sets[0]); break;
	case 6: gen_mdoc_events(&gen.sets[1]); break;
	}
	if (ferror(gen.out) || fclose(gen.out) || rename(tmp, final))
		fail("%s", strerror(errno));
	free(tmp);
	return 0;
}
