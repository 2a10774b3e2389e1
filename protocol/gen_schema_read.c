/* SPDX-License-Identifier: BSD-2-Clause */
/* The schema's generator: reads the schema, and checks it strictly. */
#include "protocol/gen_schema_priv.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static json_t *documents; /* what `gen` points into */

char *gen_snake(const char *name)
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

const struct type *gen_find_type(const char *name)
{
	for (unsigned i = 0; i < gen.n_types; i++)
		if (!strcmp(gen.types[i].name, name))
			return &gen.types[i];
	return NULL;
}

static const struct {
	const char *name, *kind, *c_type;
	bool flagged; /* an optional one needs a has_ flag */
} scalars[] = {
	{ "bool", "BOOL", "bool ", true }, { "int", "INT", "int64_t ", true }, { "uint", "UINT", "uint64_t ", true },
	{ "size", "SIZE", "uint64_t ", true }, { "number", "NUMBER", "double ", true },
	{ "str", "STR", "char *", false },
	{ "object", "OBJECT", "json_t *", false }, { "any", "ANY", "json_t *", false },
};

void gen_member_type(struct member *m, const char *what)
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
			m->c_scalar = scalars[i].c_type;
			m->has_flag = scalars[i].flagged;
			return;
		}
	m->type = gen_find_type(json_string_value(t));
	if (!m->type)
		fail("%s: type '%s' is not declared before this", what, json_string_value(t));
	m->kind = m->type->is_enum ? "ENUM" : "STRUCT";
	m->has_flag = m->type->is_enum;
}

struct member gen_member(json_t *json, const char *owner)
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
	m.c_name = gen_snake(m.name);
	m.optional = flag(json, "optional");
	if (m.optional && m.def)
		fail("%s: a member with a default is not optional", what);
	gen_member_type(&m, what);
	m.has_flag = m.has_flag && m.optional && !m.array;
	m.pointer = m.optional && !m.array && m.kind && !strcmp(m.kind, "STRUCT");
	return m;
}

static void check_members(json_t *members, const char *owner)
{
	size_t i, j;
	json_t *v;
	json_array_foreach(members, i, v) {
		struct member m = gen_member(v, owner);
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
	static const struct key struct_keys[] = { { "struct", 's', true }, { "doc", 's', true },
		{ "members", 'a', true },
						  { "implied-key", 's', false }, { "rest", 's', false } };
	const char *name = str(json, "enum") ? str(json, "enum") : str(json, "struct");
	if (!name)
		fail("a type is neither an enum nor a struct");
	if (gen_find_type(name))
		fail("type '%s' is declared twice", name);
	if (gen.n_types == MAX_TYPES)
		fail("more than %d types", MAX_TYPES);
	struct type *t = &gen.types[gen.n_types];
	*t = (struct type){ .json = json, .name = name, .c_name = gen_snake(name), .is_enum = str(json, "enum") };
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
	gen.n_types++;
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

void gen_read(const char *path)
{
	static const struct key keys[] = { { "types", 'a', false }, { "daemon", 'a', false }, { "qmp", 'a', false },
					   { "daemon-events", 'a', false }, { "qmp-events", 'a', false } };
	json_error_t e;
	gen.file = path;
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
		json_array_foreach(json_object_get(doc, gen.sets[s].name), i, v)
			add_command(&gen.sets[s], v);
		snprintf(key, sizeof(key), "%s-events", gen.sets[s].name);
		json_array_foreach(json_object_get(doc, key), i, v)
			add_event(&gen.sets[s], v);
	}
	gen.file = NULL;
}
