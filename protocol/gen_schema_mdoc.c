/* SPDX-License-Identifier: BSD-2-Clause */
/* The schema's generator: sections of manual pages, in mdoc. */
#include "protocol/gen_schema_priv.h"

#include "protocol/roff.h"

#include <stdlib.h>

static void emit_roff_type(const json_t *t)
{
	if (json_is_array(t))
		gen_emit("array of %s", json_string_value(json_array_get(t, 0)));
	else if (json_is_object(t))
		gen_emit("map of strings");
	else
		gen_emit("%s", json_string_value(t));
}

/* A list of members; a paragraph before it. */
static void emit_roff_members(json_t *members)
{
	size_t i;
	json_t *v;
	if (!json_array_size(members))
		return;
	gen_emit(".Pp\n.Bl -tag -width Ds -compact\n");
	json_array_foreach(members, i, v) {
		gen_emit(".It Cm ");
		proto_roff_word(gen.out, gen_str(v, "name"));
		gen_emit(" Pq ");
		emit_roff_type(json_object_get(v, "type"));
		json_t *def = json_object_get(v, "default");
		if (gen_flag(v, "optional"))
			gen_emit(", optional");
		if (def && !json_is_object(def)) {
			char *text = gen_xcheck(json_dumps(def, JSON_ENCODE_ANY));
			gen_emit(", default ");
			proto_roff_word(gen.out, text);
			free(text);
		}
		if (json_object_get(v, "max"))
			gen_emit(", %lld to %lld", gen_integer(v, "min", 0), gen_integer(v, "max", 0));
		else if (json_object_get(v, "min"))
			gen_emit(", %lld or more", gen_integer(v, "min", 0));
		gen_emit("\n");
		proto_roff_text(gen.out, gen_str(v, "doc"));
	}
	gen_emit(".El\n");
}

void gen_mdoc(const struct set *set)
{
	size_t j;
	json_t *v;
	for (unsigned i = 0; i < set->n_commands; i++) {
		json_t *c = set->commands[i], *result = json_object_get(c, "result");
		gen_emit(".Ss ");
		proto_roff_word(gen.out, gen_str(c, "command"));
		gen_emit("\n");
		proto_roff_text(gen.out, gen_str(c, "summary"));
		if (gen_str(c, "doc")) {
			gen_emit(".Pp\n");
			proto_roff_text(gen.out, gen_str(c, "doc"));
		}
		emit_roff_members(json_object_get(c, "params"));
		if (result) {
			gen_emit(".Pp\nReturns ");
			emit_roff_type(json_object_get(result, "type"));
			gen_emit(":\n");
			proto_roff_text(gen.out, gen_str(result, "doc"));
		}
		if (json_object_get(c, "states")) {
			gen_emit(".Pp\nAllowed in state");
			json_array_foreach(json_object_get(c, "states"), j, v)
				gen_emit("%s %s", j ? "," : "", json_string_value(v));
			gen_emit(".\n");
		}
		if (gen_str(c, "privilege"))
			gen_emit(".Pp\nPrivilege: %s.\n", gen_str(c, "privilege"));
	}
}

void gen_mdoc_types(void)
{
	size_t j;
	json_t *v;
	for (unsigned i = 0; i < gen.n_types; i++) {
		gen_emit(".Ss %s\n", gen.types[i].name);
		proto_roff_text(gen.out, gen_str(gen.types[i].json, "doc"));
		if (!gen.types[i].is_enum) {
			emit_roff_members(json_object_get(gen.types[i].json, "members"));
			continue;
		}
		gen_emit(".Pp\n.Bl -tag -width Ds -compact\n");
		json_array_foreach(json_object_get(gen.types[i].json, "values"), j, v) {
			gen_emit(".It Cm ");
			proto_roff_word(gen.out, gen_str(v, "name"));
			gen_emit("\n");
			proto_roff_text(gen.out, gen_str(v, "doc"));
		}
		gen_emit(".El\n");
	}
}

void gen_mdoc_events(const struct set *set)
{
	for (unsigned i = 0; i < set->n_events; i++) {
		gen_emit(".Ss ");
		proto_roff_word(gen.out, gen_str(set->events[i], "event"));
		gen_emit("\n");
		proto_roff_text(gen.out, gen_str(set->events[i], "doc"));
		emit_roff_members(json_object_get(set->events[i], "data"));
	}
}
