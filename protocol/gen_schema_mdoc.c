/* SPDX-License-Identifier: BSD-2-Clause */
/* The schema's generator: sections of manual pages, in mdoc. */
#include "protocol/gen_schema_priv.h"

#include "protocol/roff.h"

#include <stdlib.h>

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
		proto_roff_word(gen.out, str(v, "name"));
		emit(" Pq ");
		emit_roff_type(json_object_get(v, "type"));
		json_t *def = json_object_get(v, "default");
		if (flag(v, "optional"))
			emit(", optional");
		if (def && !json_is_object(def)) {
			char *text = xcheck(json_dumps(def, JSON_ENCODE_ANY));
			emit(", default ");
			proto_roff_word(gen.out, text);
			free(text);
		}
		if (json_object_get(v, "max"))
			emit(", %lld to %lld", integer(v, "min", 0), integer(v, "max", 0));
		else if (json_object_get(v, "min"))
			emit(", %lld or more", integer(v, "min", 0));
		emit("\n");
		proto_roff_text(gen.out, str(v, "doc"));
	}
	emit(".El\n");
}

void gen_mdoc(const struct set *set)
{
	size_t j;
	json_t *v;
	for (unsigned i = 0; i < set->n_commands; i++) {
		json_t *c = set->commands[i], *result = json_object_get(c, "result");
		emit(".Ss ");
		proto_roff_word(gen.out, str(c, "command"));
		emit("\n");
		proto_roff_text(gen.out, str(c, "summary"));
		if (str(c, "doc")) {
			emit(".Pp\n");
			proto_roff_text(gen.out, str(c, "doc"));
		}
		emit_roff_members(json_object_get(c, "params"));
		if (result) {
			emit(".Pp\nReturns ");
			emit_roff_type(json_object_get(result, "type"));
			emit(":\n");
			proto_roff_text(gen.out, str(result, "doc"));
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

void gen_mdoc_types(void)
{
	size_t j;
	json_t *v;
	for (unsigned i = 0; i < gen.n_types; i++) {
		emit(".Ss %s\n", gen.types[i].name);
		proto_roff_text(gen.out, str(gen.types[i].json, "doc"));
		if (!gen.types[i].is_enum) {
			emit_roff_members(json_object_get(gen.types[i].json, "members"));
			continue;
		}
		emit(".Pp\n.Bl -tag -width Ds -compact\n");
		json_array_foreach(json_object_get(gen.types[i].json, "values"), j, v) {
			emit(".It Cm ");
			proto_roff_word(gen.out, str(v, "name"));
			emit("\n");
			proto_roff_text(gen.out, str(v, "doc"));
		}
		emit(".El\n");
	}
}

void gen_mdoc_events(const struct set *set)
{
	for (unsigned i = 0; i < set->n_events; i++) {
		emit(".Ss ");
		proto_roff_word(gen.out, str(set->events[i], "event"));
		emit("\n");
		proto_roff_text(gen.out, str(set->events[i], "doc"));
		emit_roff_members(json_object_get(set->events[i], "data"));
	}
}
