/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The schema for programs: as an OpenRPC document (https://spec.open-rpc.org,
 * version 1.2.6) and as QMP's introspection (SchemaInfo, public in QEMU's QMP
 * reference). Both are made from the tables, for what a service offers.
 */
#include "protocol/jsonrpc.h"
#include "protocol/qmp_server.h"
#include "protocol/session_priv.h"

#include <stdio.h>
#include <string.h>

#include "config.h"

/* ---- OpenRPC ---- */

static json_t *json_schema_scalar(const struct proto_field *f)
{
	static const char *const names[] = {
		[PROTO_BOOL] = "boolean", [PROTO_INT] = "integer", [PROTO_UINT] = "integer", [PROTO_NUMBER] = "number",
		[PROTO_STR] = "string", [PROTO_OBJECT] = "object",
	};
	switch (f->kind) {
	case PROTO_ANY:
		return json_object();
	case PROTO_ENUM:
	case PROTO_STRUCT: {
		char ref[128];
		snprintf(ref, sizeof(ref), "#/components/schemas/%s", f->type->name);
		return json_pack("{s:s}", "$ref", ref);
	}
	case PROTO_MAP:
		return json_pack("{s:s, s:{s:s, s:I}}", "type", "object", "additionalProperties", "type", "string", "maxLength",
				 (json_int_t)f->max_length);
	case PROTO_SIZE:
		return json_pack("{s:[{s:s, s:I, s:I}, {s:s}]}", "oneOf", "type", "integer", "minimum", (json_int_t)f->min,
				 "maximum", (json_int_t)f->max, "type", "string");
	default:
		break;
	}
	json_t *o = json_pack("{s:s}", "type", names[f->kind]);
	if (f->kind == PROTO_STR)
		json_object_set_new(o, "maxLength", json_integer((json_int_t)f->max_length));
	if (f->kind == PROTO_INT || f->kind == PROTO_UINT || f->kind == PROTO_NUMBER) {
		if (f->min != INT64_MIN)
			json_object_set_new(o, "minimum", json_integer(f->min));
		if (f->max != INT64_MAX)
			json_object_set_new(o, "maximum", json_integer(f->max));
	}
	return o;
}

static json_t *json_schema(const struct proto_field *f)
{
	if (!f->array)
		return json_schema_scalar(f);
	return json_pack("{s:s, s:o, s:I}", "type", "array", "items", json_schema_scalar(f), "maxItems", (json_int_t)f->max_items);
}

static json_t *json_schema_type(const struct proto_type *type)
{
	if (type->values) {
		json_t *values = json_array();
		for (unsigned i = 0; i < type->n_values; i++)
			json_array_append_new(values, json_string(type->values[i].name));
		return json_pack("{s:s, s:s, s:o}", "type", "string", "description", type->doc, "enum", values);
	}
	json_t *members = json_object(), *required = json_array();
	for (unsigned i = 0; i < type->n_fields; i++) {
		const struct proto_field *f = &type->fields[i];
		json_t *schema = json_schema(f);
		/* Beside a $ref nothing else counts. */
		if (!json_object_get(schema, "$ref")) {
			json_object_set_new(schema, "description", json_string(f->doc));
			if (f->def)
				json_object_set_new(schema, "default", json_loads(f->def, JSON_DECODE_ANY, NULL));
		}
		json_object_set_new(members, f->name, schema);
		if (!f->optional && !f->def)
			json_array_append_new(required, json_string(f->name));
	}
	json_t *o = json_pack("{s:s, s:s, s:o, s:b}", "type", "object", "description", type->doc, "properties", members,
			      "additionalProperties", 0);
	if (json_array_size(required))
		json_object_set(o, "required", required);
	json_decref(required);
	return o;
}

static json_t *openrpc_params(const struct proto_type *args)
{
	json_t *params = json_array();
	for (unsigned i = 0; i < args->n_fields; i++) {
		const struct proto_field *f = &args->fields[i];
		json_array_append_new(params, json_pack("{s:s, s:s, s:b, s:o}", "name", f->name, "description", f->doc, "required",
							!f->optional && !f->def, "schema", json_schema(f)));
	}
	return params;
}

static json_t *openrpc_example(const struct proto_command *cmd, const struct proto_example *example)
{
	json_t *given = json_loads(example->params, 0, NULL), *params = json_array();
	const char *key;
	json_t *v;
	json_object_foreach(given, key, v)
		json_array_append_new(params, json_pack("{s:s, s:O}", "name", key, "value", v));
	json_decref(given);
	json_t *result = example->result ? json_loads(example->result, JSON_DECODE_ANY, NULL) : json_null();
	return json_pack("{s:s, s:o, s:{s:s, s:o}}", "name", cmd->name, "params", params, "result", "name", "result", "value",
			 result);
}

static json_t *openrpc_method(const struct proto_command *cmd)
{
	json_t *result = cmd->result ?
		json_pack("{s:s, s:s, s:o}", "name", "result", "description", cmd->result->doc, "schema", json_schema(cmd->result)) :
		json_pack("{s:s, s:{s:s}}", "name", "result", "schema", "type", "null");
	json_t *errors = json_array(), *examples = json_array();
	for (unsigned i = 0; cmd->errors[i]; i++)
		json_array_append_new(errors, json_pack("{s:i, s:s}", "code", proto_rpc_code(vmd_error_code_of(cmd->errors[i])),
							"message", cmd->errors[i]));
	for (unsigned i = 0; cmd->examples[i].params; i++)
		if (cmd->examples[i].result || !cmd->result)
			json_array_append_new(examples, openrpc_example(cmd, &cmd->examples[i]));
	json_t *method = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:s}", "name", cmd->name, "summary", cmd->summary,
				   "description", cmd->doc ? cmd->doc : cmd->summary, "params", openrpc_params(cmd->args), "result",
				   result, "errors", errors, "paramStructure", "either", "x-privilege",
				   proto_privilege_name(cmd->privilege));
	if (json_array_size(examples))
		json_object_set(method, "examples", examples);
	json_decref(examples);
	return method;
}

json_t *proto_openrpc(const struct proto_service *service)
{
	json_t *methods = json_array(), *schemas = json_object();
	for (unsigned i = 0; i < service->set->n_commands; i++)
		if (proto_service_offers(service, &service->set->commands[i]))
			json_array_append_new(methods, openrpc_method(&service->set->commands[i]));
	for (unsigned i = 0; i < proto_n_types; i++)
		json_object_set_new(schemas, proto_types[i]->name, json_schema_type(proto_types[i]));
	return json_pack("{s:s, s:{s:s, s:s, s:s}, s:o, s:{s:o}}", "openrpc", "1.2.6", "info", "title", "vmd", "version",
			 PACKAGE_VERSION, "description", "The machine daemon's interface", "methods", methods, "components",
			 "schemas", schemas);
}

/* ---- QMP introspection ---- */

static const char *builtin_name(const struct proto_field *f)
{
	switch (f->kind) {
	case PROTO_BOOL: return "bool";
	case PROTO_INT:
	case PROTO_UINT:
	case PROTO_SIZE: return "int";
	case PROTO_NUMBER: return "number";
	case PROTO_STR: return "str";
	case PROTO_ENUM:
	case PROTO_STRUCT: return f->type->name;
	default: return "any";
	}
}

static bool declared(const json_t *list, const char *name)
{
	size_t i;
	json_t *v;
	json_array_foreach((json_t *)list, i, v)
		if (!strcmp(json_string_value(json_object_get(v, "name")), name) &&
		    strcmp(json_string_value(json_object_get(v, "meta-type")), "command") &&
		    strcmp(json_string_value(json_object_get(v, "meta-type")), "event"))
			return true;
	return false;
}

static void declare_struct(json_t *list, const char *name, const struct proto_type *type);

/* Declares a member's type, and what it needs, and writes its name. */
static void declare_field(json_t *list, const struct proto_field *f, char *name, size_t size)
{
	static const struct {
		const char *name, *json;
	} builtins[] = { { "bool", "boolean" }, { "int", "int" }, { "number", "number" }, { "str", "string" }, { "any", "value" } };
	const char *element = builtin_name(f);
	if (!declared(list, element)) {
		for (unsigned i = 0; i < sizeof(builtins) / sizeof(*builtins); i++)
			if (!strcmp(builtins[i].name, element))
				json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", element, "meta-type", "builtin",
								      "json-type", builtins[i].json));
		if (f->kind == PROTO_STRUCT)
			declare_struct(list, element, f->type);
		if (f->kind == PROTO_ENUM) {
			json_t *values = json_array(), *members = json_array();
			for (unsigned i = 0; i < f->type->n_values; i++) {
				json_array_append_new(values, json_string(f->type->values[i].name));
				json_array_append_new(members, json_pack("{s:s}", "name", f->type->values[i].name));
			}
			json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o}", "name", element, "meta-type", "enum", "values",
							      values, "members", members));
		}
	}
	snprintf(name, size, f->array ? "[%s]" : "%s", element);
	if (f->array && !declared(list, name))
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", name, "meta-type", "array", "element-type", element));
}

static void declare_struct(json_t *list, const char *name, const struct proto_type *type)
{
	if (declared(list, name))
		return;
	json_t *members = json_array();
	json_array_append_new(list, json_pack("{s:s, s:s, s:O}", "name", name, "meta-type", "object", "members", members));
	for (unsigned i = 0; i < type->n_fields; i++) {
		char type_name[128];
		declare_field(list, &type->fields[i], type_name, sizeof(type_name));
		json_t *member = json_pack("{s:s, s:s}", "name", type->fields[i].name, "type", type_name);
		if (type->fields[i].optional || type->fields[i].def)
			json_object_set_new(member, "default", json_null());
		json_array_append_new(members, member);
	}
	json_decref(members);
}

static void argument_type(json_t *list, const struct proto_type *type, char *name, size_t size)
{
	if (type->n_fields)
		snprintf(name, size, "q_obj_%s-arg", type->name);
	else
		snprintf(name, size, "q_empty");
	declare_struct(list, name, type);
}

json_t *proto_qmp_schema(const struct proto_service *service)
{
	static const struct proto_type empty = { .name = "q_empty" };
	json_t *list = json_array();
	char arg[160], ret[160];
	for (unsigned i = 0; i < service->set->n_commands; i++) {
		const struct proto_command *cmd = &service->set->commands[i];
		if (!proto_service_offers(service, cmd))
			continue;
		argument_type(list, cmd->args, arg, sizeof(arg));
		if (cmd->result)
			declare_field(list, cmd->result, ret, sizeof(ret));
		else
			argument_type(list, &empty, ret, sizeof(ret));
		json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "name", cmd->name, "meta-type", "command", "arg-type", arg, "ret-type",
					ret);
		if (cmd->flags & PROTO_COMMAND_OOB)
			json_object_set_new(row, "allow-oob", json_true());
		json_array_append_new(list, row);
	}
	for (unsigned i = 0; i < service->set->n_events; i++) {
		argument_type(list, service->set->events[i].data, arg, sizeof(arg));
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", service->set->events[i].name, "meta-type", "event",
						      "arg-type", arg));
	}
	return list;
}
