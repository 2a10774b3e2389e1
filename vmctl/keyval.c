/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the command line to JSON: key=value lists and the options that describe a
 * machine, by the schema's tables. What the values mean is checked by the
 * schema's parser afterwards.
 */
#include "vmctl/vmctl_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct proto_field *find_field(const struct proto_type *type, const char *name)
{
	for (unsigned i = 0; i < type->n_fields; i++)
		if (!strcmp(type->fields[i].name, name))
			return &type->fields[i];
	return NULL;
}

static bool text_bool(const char *text, bool *ret)
{
	static const struct {
		const char *text;
		bool value;
	} words[] = { { "on", true }, { "off", false }, { "yes", true }, { "no", false }, { "true", true }, { "false", false } };
	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!strcmp(words[i].text, text)) {
			*ret = words[i].value;
			return true;
		}
	}
	return false;
}

/* A value's text as JSON of the field's kind; arrays as their one element. */
static json_t *text_json(const struct proto_field *f, const char *text, struct vmd_error *err)
{
	char *end;
	switch (f->kind) {
	case PROTO_BOOL: {
		bool value;
		if (text_bool(text, &value))
			return json_boolean(value);
		vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s' takes on or off, not '%s'", f->name, text);
		return NULL;
	}
	case PROTO_INT:
	case PROTO_UINT: {
		errno = 0;
		long long value = strtoll(text, &end, 0);
		if (*text && !*end && !errno)
			return json_integer(value);
		vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s' takes a number, not '%s'", f->name, text);
		return NULL;
	}
	case PROTO_SIZE: {
		uint64_t value;
		if (proto_size_parse(text, &value))
			return json_integer((json_int_t)value);
		vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s' takes a size, not '%s'", f->name, text);
		vmd_error_hint(err, "write bytes, or a number with K, M, G or T: 512M");
		return NULL;
	}
	case PROTO_NUMBER: {
		double value = strtod(text, &end);
		if (*text && !*end)
			return json_real(value);
		vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s' takes a number, not '%s'", f->name, text);
		return NULL;
	}
	case PROTO_STR:
	case PROTO_ENUM: {
		json_t *value = json_string(text);
		if (!value)
			vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s': the text is not UTF-8", f->name);
		return value;
	}
	case PROTO_STRUCT:
		return vmctl_keyval(f->type, text, err);
	default: {
		json_error_t e;
		json_t *value = json_loads(text, JSON_DECODE_ANY, &e);
		if (!value)
			vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s' takes JSON: %s", f->name, e.text);
		return value;
	}
	}
}

static json_t *parse_json(const char *text, struct vmd_error *err)
{
	json_error_t e;
	json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, &e);
	if (!value)
		vmd_error_set(err, VMD_ERR_INVALID, 0, "not valid JSON (line %d, column %d): %s", e.line, e.column, e.text);
	return value;
}

/* Takes the next part of a list, without its comma; doubled commas are one. */
static bool next_part(const char **text, char *part, size_t size)
{
	size_t n = 0;
	const char *p = *text;
	for (; *p; p++) {
		if (*p == ',') {
			if (p[1] != ',')
				break;
			p++;
		}
		if (n + 1 == size)
			return false;
		part[n++] = *p;
	}
	part[n] = 0;
	*text = *p ? p + 1 : NULL;
	return true;
}

static bool add_rest(const struct proto_type *type, json_t *o, const char *key, const char *value)
{
	json_t *rest = json_object_get(o, type->rest);
	if (!rest)
		json_object_set_new(o, type->rest, rest = json_object());
	return json_object_set_new(rest, key, json_string(value)) == 0;
}

static bool add_pair(const struct proto_type *type, json_t *o, const char *key, const char *value, struct vmd_error *err)
{
	const struct proto_field *f = find_field(type, key);
	bool taken = json_object_get(o, key) != NULL;
	if (taken)
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s' is given twice", key);
	if (!f || f->kind == PROTO_MAP) {
		if (type->rest) {
			if (add_rest(type, o, key, value))
				return true;
			return vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s': the text is not UTF-8", key);
		}
		struct proto_suggest s;
		proto_suggest_init(&s, key);
		for (unsigned i = 0; i < type->n_fields; i++)
			proto_suggest_add(&s, type->fields[i].name);
		vmd_error_set(err, VMD_ERR_INVALID, 0, "unknown key '%s'", key);
		return s.best ? vmd_error_hint(err, "did you mean '%s'?", s.best) : false;
	}
	json_t *v = text_json(f, value, err);
	return v && json_object_set_new(o, key, v) == 0;
}

json_t *vmctl_keyval(const struct proto_type *type, const char *text, struct vmd_error *err)
{
	if (*text == '{')
		return parse_json(text, err);
	size_t size = strlen(text) + 1;
	char *part = malloc(size);
	json_t *o = json_object();
	bool ok = part && o;
	if (!ok)
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	for (bool first = true; ok && text; first = false) {
		next_part(&text, part, size);
		char *equals = strchr(part, '=');
		if (equals) {
			*equals = 0;
			ok = add_pair(type, o, part, equals + 1, err);
		} else if (first && type->implied_key) {
			ok = add_pair(type, o, type->implied_key, part, err);
		} else if (*part) {
			/* A flag: "server", "noserver". */
			const struct proto_field *f = find_field(type, part);
			if (f && f->kind != PROTO_BOOL) {
				vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s' needs a value", part);
				ok = vmd_error_hint(err, "write %s=%s", part, f->metavar ? f->metavar : "VALUE");
			} else {
				ok = add_pair(type, o, part, "on", err);
			}
		}
	}
	free(part);
	if (ok)
		return o;
	json_decref(o);
	return NULL;
}

/* ---- Paths ---- */

static json_t *absolute_text(const json_t *value, const char *dir, struct vmd_error *err)
{
	const char *path = json_string_value(value);
	char here[PATH_MAX], full[2 * PATH_MAX];
	if (!path || *path == '/' || !*path)
		return json_incref((json_t *)value);
	if (!dir) {
		dir = getcwd(here, sizeof(here));
		if (!dir) {
			vmd_error_set(err, VMD_ERR_IO, errno, "cannot tell the current directory");
			return NULL;
		}
	}
	while (!strncmp(path, "./", 2))
		path += 2;
	snprintf(full, sizeof(full), "%s/%s", strcmp(dir, "/") ? dir : "", path);
	return json_string(full);
}

bool vmctl_absolute(const struct proto_type *type, json_t *value, const char *dir, struct vmd_error *err)
{
	for (unsigned i = 0; i < type->n_fields; i++) {
		const struct proto_field *f = &type->fields[i];
		json_t *v = json_object_get(value, f->name), *item;
		size_t n = json_is_array(v) ? json_array_size(v) : 1;
		for (size_t j = 0; v && j < n; j++) {
			item = json_is_array(v) ? json_array_get(v, j) : v;
			if (f->kind == PROTO_STRUCT && json_is_object(item)) {
				if (!vmctl_absolute(f->type, item, dir, err))
					return false;
			} else if (f->kind == PROTO_STR && f->pattern == PROTO_PATTERN_PATH) {
				json_t *full = absolute_text(item, dir, err);
				if (!full)
					return false;
				if (json_is_array(v))
					json_array_set_new(v, j, full);
				else
					json_object_set_new(value, f->name, full);
			}
		}
	}
	return true;
}

/* ---- Definitions ---- */

static const struct proto_field *definition_field(const char *option)
{
	const struct proto_type *type = &proto_type_machine_definition;
	for (unsigned i = 0; i < type->n_fields; i++)
		if (type->fields[i].cli && !strcmp(type->fields[i].cli, option))
			return &type->fields[i];
	return NULL;
}

/* A list of an enum's words, with commas between them. */
static bool add_words(json_t *def, const struct proto_field *f, const char *text)
{
	json_t *all = json_object_get(def, f->name);
	if (!all)
		json_object_set_new(def, f->name, all = json_array());
	for (size_t n; text; text = text[n] ? text + n + 1 : NULL) {
		n = strcspn(text, ",");
		if (json_array_append_new(all, json_stringn(text, n)) != 0)
			return false;
	}
	return true;
}

static bool add_option(json_t *def, const struct proto_field *f, const char *value, struct vmd_error *err)
{
	if (f->kind == PROTO_MAP) {
		const char *equals = strchr(value, '=');
		json_t *map = json_object_get(def, f->name);
		if (!equals || equals == value)
			return vmd_error_set(err, VMD_ERR_INVALID, 0, "expected KEY=VALUE, got '%s'", value);
		if (!map)
			json_object_set_new(def, f->name, map = json_object());
		char *key = strndup(value, (size_t)(equals - value));
		bool ok = key && json_object_set_new(map, key, json_string(equals + 1)) == 0;
		free(key);
		return ok || vmd_error_set(err, VMD_ERR_INVALID, 0, "the text is not UTF-8");
	}
	if (f->array && f->kind == PROTO_ENUM)
		return add_words(def, f, value) || vmd_error_set(err, VMD_ERR_INVALID, 0, "the text is not UTF-8");
	json_t *v = f->kind == PROTO_BOOL && !value ? json_true() : text_json(f, value, err);
	if (!v)
		return false;
	if (f->array) {
		json_t *all = json_object_get(def, f->name);
		if (!all)
			json_object_set_new(def, f->name, all = json_array());
		return json_array_append_new(all, v) == 0;
	}
	json_t *old = json_object_get(def, f->name);
	if (json_is_object(old) && json_is_object(v)) {
		/* "--machine gic-version=2 --machine semihosting=on" adds up. */
		json_object_update(old, v);
		json_decref(v);
		return true;
	}
	return json_object_set_new(def, f->name, v) == 0;
}

json_t *vmctl_definition(const struct vmctl *ctx, struct vmd_error *err)
{
	json_t *def = json_object();
	for (unsigned i = 0; def && i < ctx->n_given; i++) {
		const struct vmctl_given *g = &ctx->given[i];
		const struct proto_field *f = definition_field(g->name);
		bool ok = true;
		if (!strcmp(g->name, "semihosting")) {
			ok = add_option(def, definition_field("machine"), "semihosting=on", err);
		} else if (f) {
			ok = add_option(def, f, g->value, err);
		}
		if (!ok) {
			vmd_error_prefix(err, "--%s", g->name);
			json_decref(def);
			return NULL;
		}
	}
	if (def && !vmctl_absolute(&proto_type_machine_definition, def, NULL, err)) {
		json_decref(def);
		return NULL;
	}
	return def;
}

/* ---- "help" as a value ---- */

static void print_fields(const char *option, const struct proto_type *type)
{
	if (type->implied_key)
		printf("--%s [%s=]VALUE[,KEY=VALUE...]\n", option, type->implied_key);
	else
		printf("--%s KEY=VALUE[,KEY=VALUE...]\n", option);
	for (unsigned i = 0; i < type->n_fields; i++) {
		const struct proto_field *f = &type->fields[i];
		printf("  %s=", f->name);
		if (f->kind == PROTO_ENUM)
			for (unsigned v = 0; v < f->type->n_values; v++)
				printf("%s%s", v ? "|" : "", f->type->values[v].name);
		else
			fputs(f->kind == PROTO_BOOL ? "on|off" : f->kind == PROTO_STR ? "TEXT" : f->kind == PROTO_SIZE ? "SIZE" : "NUMBER",
			      stdout);
		printf("\n\t%s", f->doc);
		if (f->def)
			printf(" (default %s)", f->def);
		putchar('\n');
	}
}

static int print_models(struct vmctl *ctx)
{
	struct vmd_error err;
	json_t *result, *v;
	size_t i;
	if (!vmctl_call(ctx, "cpu.list", NULL, VMCTL_SOON, &result, &err))
		return vmctl_fail(ctx, &err);
	bool ok = true;
	json_array_foreach(result, i, v) {
		struct proto_cpu_model model;
		ok = proto_cpu_model_parse(v, "the daemon's reply", &model, &err);
		if (!ok)
			break;
		printf("%-16s %s\n", model.name, model.summary);
		proto_cpu_model_fini(&model);
	}
	json_decref(result);
	return ok ? VMCTL_OK : vmctl_fail(ctx, &err);
}

static int print_devices(struct vmctl *ctx, const char *driver)
{
	struct vmd_error err;
	json_t *result;
	size_t i, n = strcspn(driver, ",");
	json_t *v;
	if (!strcmp(driver, "help")) {
		if (!vmctl_call(ctx, "device.list", NULL, VMCTL_SOON, &result, &err))
			return vmctl_fail(ctx, &err);
		json_array_foreach(result, i, v) {
			struct proto_device_info info;
			if (!proto_device_info_parse(v, "the daemon's reply", &info, &err))
				break;
			if (info.bus)
				printf("%-28s %s\n", info.driver, info.summary);
			proto_device_info_fini(&info);
		}
		json_decref(result);
		return VMCTL_OK;
	}
	struct proto_device_info info;
	json_t *params = json_pack("{s:s%}", "driver", driver, n);
	if (!vmctl_call_struct(ctx, "device.describe", params, VMCTL_SOON, &proto_type_device_info, &info, &err))
		return vmctl_fail(ctx, &err);
	printf("%s: %s\n", info.driver, info.summary);
	for (i = 0; i < info.n_properties; i++) {
		const struct proto_device_property *p = &info.properties[i];
		printf("  %s=%s%s%s%s\n", p->name, p->type, p->required ? " (required)" : "", p->default_ ? ", default " : "",
		       p->default_ ? p->default_ : "");
		if (p->help)
			printf("\t%s\n", p->help);
	}
	proto_device_info_fini(&info);
	return VMCTL_OK;
}

bool vmctl_option_help(struct vmctl *ctx, int *ret_status)
{
	for (unsigned i = 0; i < ctx->n_given; i++) {
		const struct vmctl_given *g = &ctx->given[i];
		const struct proto_field *f = definition_field(g->name);
		if (!f || !g->value)
			continue;
		size_t n = strlen(g->value);
		bool last = n > 5 && !strcmp(g->value + n - 5, ",help");
		if (strcmp(g->value, "help") && !last)
			continue;
		*ret_status = VMCTL_OK;
		if (f->type == &proto_type_device_definition)
			*ret_status = print_devices(ctx, g->value);
		else if (f->type == &proto_type_cpu_options)
			*ret_status = print_models(ctx);
		else if (f->kind == PROTO_STRUCT)
			print_fields(g->name, f->type);
		else if (f->kind == PROTO_ENUM)
			for (unsigned v = 0; v < f->type->n_values; v++)
				printf("%-12s %s\n", f->type->values[v].name, f->type->values[v].doc);
		else
			continue;
		return true;
	}
	return false;
}
