/* SPDX-License-Identifier: BSD-2-Clause */
/* Machines as definitions: create, define, show, set, delete, list. */
#include "vmctl/cmd_priv.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *cmd_name_params(const struct vmctl *ctx)
{
	return json_pack("{s:s}", "name", ctx->args[0]);
}

json_t *cmd_object_args(const struct vmctl *ctx, unsigned n, struct vmd_error *err)
{
	json_t *o = json_object();
	json_error_t e;
	if (n < ctx->n_args && *ctx->args[n] == '{') {
		json_decref(o);
		o = json_loads(ctx->args[n], JSON_REJECT_DUPLICATES, &e);
		if (!o)
			vmd_error_set(err, VMD_ERR_INVALID, 0, "not valid JSON (column %d): %s", e.column, e.text);
		return o;
	}
	for (; n < ctx->n_args; n++) {
		const char *equals = strchr(ctx->args[n], '=');
		if (!equals) {
			vmd_error_set(err, VMD_ERR_INVALID, 0, "expected KEY=VALUE or a JSON object, got '%s'", ctx->args[n]);
			json_decref(o);
			return NULL;
		}
		/* A value that is JSON is that, anything else is text. */
		char *key = strndup(ctx->args[n], (size_t)(equals - ctx->args[n]));
		json_t *value = json_loads(equals + 1, JSON_DECODE_ANY, NULL);
		if (!value)
			value = json_string(equals + 1);
		if (!key || json_object_set_new(o, key, value)) {
			vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s' is not UTF-8", ctx->args[n]);
			free(key);
			json_decref(o);
			return NULL;
		}
		free(key);
	}
	return o;
}

void cmd_state_text(const struct proto_machine_status *status, char *buf, size_t size)
{
	char safe[300];
	int n = snprintf(buf, size, "%s", proto_machine_state_name(status->state));
	if (!status->end || (status->state != PROTO_MACHINE_STATE_STOPPED && status->state != PROTO_MACHINE_STATE_CRASHED))
		return;
	n += snprintf(buf + n, size - (size_t)n, " (%s", proto_end_reason_name(status->end->reason));
	if (status->end->status && n < (int)size)
		n += snprintf(buf + n, size - (size_t)n, ", status %lld", (long long)status->end->status);
	if (status->end->message && n < (int)size)
		n += snprintf(buf + n, size - (size_t)n, ": %s", vmctl_safe(status->end->message, safe, sizeof(safe)));
	if (n < (int)size)
		snprintf(buf + n, size - (size_t)n, ")");
}

int cmd_print_status(const struct vmctl *ctx, const struct proto_machine_status *status)
{
	if (ctx->json) {
		json_t *json = proto_machine_status_to_json(status);
		int ret = vmctl_print_json(json);
		json_decref(json);
		return ret;
	}
	char state[500];
	cmd_state_text(status, state, sizeof(state));
	printf("%s: %s\n", status->name, state);
	return VMCTL_OK;
}

static void print_line(const char *name, const char *value)
{
	char safe[4096];
	if (value)
		printf("%-14s %s\n", name, vmctl_safe(value, safe, sizeof(safe)));
}

/* A member of the definition in words: scalars as they are, the rest as JSON. */
static void print_member(const struct proto_field *f, const json_t *value)
{
	char text[64];
	size_t i;
	json_t *v;
	if (json_is_array(value)) {
		json_array_foreach((json_t *)value, i, v)
			print_member(f, v);
	} else if (json_is_string(value)) {
		print_line(f->name, json_string_value(value));
	} else if (f->kind == PROTO_SIZE && json_is_integer(value)) {
		vmctl_size_text((uint64_t)json_integer_value(value), text, sizeof(text));
		print_line(f->name, text);
	} else if (value) {
		char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		print_line(f->name, dump);
		free(dump);
	}
}

/* With what executes the machine, if `stats` is not NULL. */
static int print_info(const struct vmctl *ctx, const struct proto_machine_info *info,
		      const struct proto_machine_stats *stats)
{
	if (ctx->json) {
		json_t *json = proto_machine_info_to_json(info);
		if (json && stats)
			json_object_set_new(json, "executed-by",
					    json_pack("{s:s, s:s*}", "accel", proto_accel_name(stats->accel), "accel-note",
						      stats->accel_note));
		int ret = vmctl_print_json(json);
		json_decref(json);
		return ret;
	}
	const struct proto_machine_status *s = &info->status;
	char text[600];
	json_t *def = proto_machine_definition_to_json(&info->definition);
	const struct proto_type *type = &proto_type_machine_definition;
	for (unsigned i = 0; i < type->n_fields; i++)
		print_member(&type->fields[i], json_object_get(def, type->fields[i].name));
	json_decref(def);
	cmd_state_text(s, text, sizeof(text));
	print_line("state", text);
	if (s->has_pid) {
		snprintf(text, sizeof(text), "%lld", (long long)s->pid);
		print_line("pid", text);
	}
	if (s->has_started) {
		vmctl_time_text(s->started, text, sizeof(text));
		print_line("started", text);
	}
	print_line("qmp", s->qmp);
	for (size_t i = 0; i < s->n_consoles; i++)
		print_line("console", s->consoles[i].path);
	print_line("problem", s->problem);
	if (stats) {
		const char *note = stats->accel_note;
		snprintf(text, sizeof(text), "%s%s%s%s", proto_accel_name(stats->accel), note ? " (" : "", note ? note : "",
			 note ? ")" : "");
		print_line("executed by", text);
	}
	return VMCTL_OK;
}

/* A machine that was made or changed: its status, or JSON with its definition. */
static int print_outcome(const struct vmctl *ctx, const struct proto_machine_info *info)
{
	return ctx->json ? print_info(ctx, info, NULL) : cmd_print_status(ctx, &info->status);
}

/* Calls a method that makes or changes a machine. */
static int call_info(struct vmctl *ctx, const char *method, json_t *params_new)
{
	struct vmd_error err = { 0 };
	struct proto_machine_info info;
	if (!vmctl_call_struct(ctx, method, params_new, VMCTL_SOON, &proto_type_machine_info, &info, &err))
		return vmctl_fail(ctx, &err);
	int ret = print_outcome(ctx, &info);
	proto_machine_info_fini(&info);
	return ret;
}

/* Sends a definition after checking it here, where errors name options' values. */
static int create(struct vmctl *ctx, json_t *def_new)
{
	struct vmd_error err = { 0 };
	struct proto_machine_definition def;
	if (!proto_machine_definition_parse(def_new, NULL, &def, &err)) {
		json_decref(def_new);
		return vmctl_fail(ctx, &err);
	}
	proto_machine_definition_fini(&def);
	return call_info(ctx, "machine.create", json_pack("{s:o, s:b}", "definition", def_new, "start", vmctl_flag(ctx, "start")));
}

static int run_create(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	int status;
	if (vmctl_option_help(ctx, &status))
		return status;
	json_t *def = vmctl_definition(ctx, &err);
	if (!def)
		return vmctl_fail(ctx, &err);
	if (!ctx->n_args) {
		vmd_error_set(&err, VMD_ERR_INVALID, 0, "create: the machine needs a name");
		vmd_error_hint(&err, "usage: vmctl create [OPTION...] NAME");
		json_decref(def);
		return vmctl_fail(ctx, &err);
	}
	json_object_set_new(def, "name", json_string(ctx->args[0]));
	return create(ctx, def);
}

static const struct vmctl_option start_options[] = {
	{ "start", 0, NULL, "start it, too" },
	{ NULL, 0, NULL, NULL },
};

const struct vmctl_command vmctl_cmd_create = {
	.name = "create", .args = "NAME", .min_args = 0, .max_args = 1, .summary = "Define a machine",
	.doc = "Files are named by absolute paths in the definition; relative ones are taken from here.",
	.options = start_options, .definition = true,
	.example = "vmctl create web1 --cpus 2 --memory 1G --kernel Image --append 'console=ttyAMA0' --device virtio-rng-device",
	.run = run_create,
};

/* The merge patch (RFC 7386) that makes `to` of `from`. */
static json_t *merge_patch(const json_t *from, const json_t *to)
{
	json_t *patch = json_object(), *v;
	const char *key;
	json_object_foreach((json_t *)from, key, v)
		if (!json_object_get(to, key))
			json_object_set_new(patch, key, json_null());
	json_object_foreach((json_t *)to, key, v) {
		const json_t *old = json_object_get(from, key);
		if (json_is_object(old) && json_is_object(v))
			json_object_set_new(patch, key, merge_patch(old, v));
		else if (!old || !json_equal(old, v))
			json_object_set(patch, key, v);
	}
	return patch;
}

/* Puts a definition in the place of the machine's. False: there is none, or *err. */
static bool replace(struct vmctl *ctx, const json_t *def, bool *ret_exists, struct vmd_error *err)
{
	struct proto_machine_definition parsed;
	json_t *info, *set;
	*ret_exists = true;
	if (!proto_machine_definition_parse(def, NULL, &parsed, err))
		return false;
	bool ok = vmctl_call(ctx, "machine.get", json_pack("{s:s}", "name", parsed.name), VMCTL_SOON, &info, err);
	if (!ok)
		*ret_exists = err->code != VMD_ERR_NOT_FOUND;
	/* Defaults are written out on both sides, so that only what differs is changed. */
	json_t *full = ok ? proto_machine_definition_to_json(&parsed) : NULL;
	proto_machine_definition_fini(&parsed);
	if (!ok)
		return false;
	json_t *changes = merge_patch(json_object_get(info, "definition"), full);
	set = json_pack("{s:O, s:o}", "name", json_object_get(def, "name"), "changes", changes);
	json_decref(info);
	json_decref(full);
	if (!vmctl_call(ctx, "machine.set", set, VMCTL_SOON, &info, err))
		return false;
	json_decref(info);
	return true;
}

/* The definition in a file, its paths made absolute; NULL with *err. */
static json_t *load_definition(const char *file, struct vmd_error *err)
{
	json_error_t e;
	bool from_stdin = !strcmp(file, "-");
	FILE *f = from_stdin ? stdin : fopen(file, "re");
	if (!f) {
		vmd_error_set(err, errno == ENOENT ? VMD_ERR_NOT_FOUND : VMD_ERR_IO, errno, "cannot open %s", file);
		return NULL;
	}
	json_t *def = json_loadf(f, JSON_REJECT_DUPLICATES, &e);
	if (!from_stdin)
		fclose(f);
	if (!def) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "%s: line %d, column %d: %s", file, e.line, e.column, e.text);
		return NULL;
	}
	/* What 'show --json' prints can be defined again. */
	json_t *inner = json_object_get(def, "definition");
	if (inner) {
		json_incref(inner);
		json_decref(def);
		def = inner;
	}
	char path[PATH_MAX], *dir = NULL;
	if (!from_stdin && realpath(file, path))
		dir = dirname(path);
	if (vmctl_absolute(&proto_type_machine_definition, def, dir, err))
		return def;
	json_decref(def);
	return NULL;
}

static int run_define(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	bool exists = false;
	json_t *def = load_definition(ctx->args[0], &err);
	if (!def)
		return vmctl_fail(ctx, &err);
	if (vmctl_flag(ctx, "replace") && !replace(ctx, def, &exists, &err) && exists) {
		json_decref(def);
		return vmctl_fail(ctx, &err);
	}
	if (!exists)
		return create(ctx, def);
	struct proto_machine_info info;
	json_t *name = json_pack("{s:O}", "name", json_object_get(def, "name")), *started;
	json_decref(def);
	if (vmctl_flag(ctx, "start")) {
		if (!vmctl_call(ctx, "machine.start", json_incref(name), VMCTL_SOON, &started, &err)) {
			json_decref(name);
			return vmctl_fail(ctx, &err);
		}
		json_decref(started);
	}
	if (!vmctl_call_struct(ctx, "machine.get", name, VMCTL_SOON, &proto_type_machine_info, &info, &err))
		return vmctl_fail(ctx, &err);
	int ret = print_outcome(ctx, &info);
	proto_machine_info_fini(&info);
	return ret;
}

static const struct vmctl_option define_options[] = {
	{ "start", 0, NULL, "start it, too" },
	{ "replace", 0, NULL, "if there is a stopped machine of this name, give it this definition" },
	{ NULL, 0, NULL, NULL },
};

const struct vmctl_command vmctl_cmd_define = {
	.name = "define", .args = "FILE", .min_args = 1, .max_args = 1, .summary = "Define a machine from a JSON file",
	.doc = "The file holds a MachineDefinition, or what 'show --json' prints; '-' is standard input. Relative paths in it "
	       "are taken from the file's directory.",
	.options = define_options, .run = run_define,
};

static int run_show(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	struct proto_machine_info info;
	struct proto_machine_stats stats;
	if (!vmctl_call_struct(ctx, "machine.get", cmd_name_params(ctx), VMCTL_SOON, &proto_type_machine_info, &info, &err))
		return vmctl_fail(ctx, &err);
	/* What really executes it, if it has a process that answers. */
	bool active = info.status.has_pid && cmd_stats(ctx, ctx->args[0], &stats, &err);
	int ret = print_info(ctx, &info, active ? &stats : NULL);
	if (active)
		proto_machine_stats_fini(&stats);
	proto_machine_info_fini(&info);
	return ret;
}

const struct vmctl_command vmctl_cmd_show = {
	.name = "show", .args = "NAME", .min_args = 1, .max_args = 1, .summary = "Show a machine's definition and status",
	.doc = "Of a running machine also what executes it, and why, if that needs a reason: 'executed-by' in JSON.",
	.run = run_show,
};

static int run_set(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	int status;
	if (vmctl_option_help(ctx, &status))
		return status;
	if (!ctx->n_args) {
		vmd_error_set(&err, VMD_ERR_INVALID, 0, "set: which machine?");
		vmd_error_hint(&err, "usage: vmctl set [OPTION...] NAME");
		return vmctl_fail(ctx, &err);
	}
	json_t *changes = vmctl_definition(ctx, &err);
	if (!changes)
		return vmctl_fail(ctx, &err);
	for (unsigned i = 0; i < ctx->n_given; i++)
		if (!strcmp(ctx->given[i].name, "unset"))
			json_object_set_new(changes, ctx->given[i].value, json_null());
	if (!json_object_size(changes)) {
		json_decref(changes);
		vmd_error_set(&err, VMD_ERR_INVALID, 0, "set: nothing to change");
		vmd_error_hint(&err, "give options of 'vmctl create', such as --cpus 4, or --unset MEMBER");
		return vmctl_fail(ctx, &err);
	}
	return call_info(ctx, "machine.set", json_pack("{s:s, s:o}", "name", ctx->args[0], "changes", changes));
}

static const struct vmctl_option set_options[] = {
	{ "unset", 0, "MEMBER", "bring a member's default back (may be repeated)" },
	{ NULL, 0, NULL, NULL },
};

const struct vmctl_command vmctl_cmd_set = {
	.name = "set", .args = "NAME", .min_args = 0, .max_args = 1, .summary = "Change a stopped machine's definition",
	.doc = "Only what is given changes. Options that may be repeated replace all that were there.",
	.options = set_options, .definition = true, .example = "vmctl set web1 --cpus 4 --unset append", .run = run_set,
};

static int run_delete(struct vmctl *ctx)
{
	int status = VMCTL_OK;
	for (unsigned i = 0; i < ctx->n_args; i++) {
		struct vmd_error err = { 0 };
		json_t *result;
		json_t *params = json_pack("{s:s, s:b}", "name", ctx->args[i], "force", vmctl_flag(ctx, "force"));
		if (vmctl_call(ctx, "machine.delete", params, VMCTL_SOON, &result, &err)) {
			json_decref(result);
			if (!ctx->json)
				printf("%s: deleted\n", ctx->args[i]);
			continue;
		}
		/* One that cannot be deleted does not keep the others. */
		int failed = vmctl_fail(ctx, &err);
		if (status == VMCTL_OK)
			status = failed;
		if (err.code == VMD_ERR_UNREACHABLE)
			break;
	}
	return status;
}

static const struct vmctl_option delete_options[] = {
	{ "force", 'f', NULL, "kill it first if it runs" },
	{ NULL, 0, NULL, NULL },
};

const struct vmctl_command vmctl_cmd_delete = {
	.name = "delete", .args = "NAME...", .min_args = 1, .max_args = 1000, .summary = "Delete machines",
	.doc = "Definitions and logs are removed; the files that a definition names are not.",
	.options = delete_options, .run = run_delete,
};

static void add_row(struct vmctl_table *table, const struct proto_machine_status *s)
{
	char cpus[24], memory[32], pid[24], up[32];
	snprintf(cpus, sizeof(cpus), "%llu", (unsigned long long)s->cpus);
	vmctl_size_text(s->memory, memory, sizeof(memory));
	snprintf(pid, sizeof(pid), "%lld", (long long)s->pid);
	if (s->has_started)
		vmctl_age_text(s->started, up, sizeof(up));
	char state[500];
	cmd_state_text(s, state, sizeof(state));
	const char *cells[] = { s->name, state, cpus, memory, s->has_pid ? pid : "-", s->has_started ? up : "-",
				s->problem ? s->problem : s->description ? s->description : "" };
	vmctl_table_add(table, cells);
}

static int run_list(struct vmctl *ctx)
{
	static const char *const heading[] = { "NAME", "STATE", "CPUS", "MEMORY", "PID", "UP", "DESCRIPTION" };
	struct vmd_error err = { 0 };
	json_t *result, *v;
	size_t i;
	bool names = vmctl_flag(ctx, "names");
	if (!vmctl_call(ctx, "machine.list", NULL, VMCTL_SOON, &result, &err))
		return vmctl_fail(ctx, &err);
	if (ctx->json) {
		int ret = vmctl_print_json(result);
		json_decref(result);
		return ret;
	}
	struct vmctl_table *table = names ? NULL : vmctl_table_new(7);
	if (!names)
		vmctl_table_add(table, heading);
	bool ok = true;
	json_array_foreach(result, i, v) {
		struct proto_machine_status s;
		ok = proto_machine_status_parse(v, "the daemon's reply", &s, &err);
		if (!ok)
			break;
		if (names)
			puts(s.name);
		else
			add_row(table, &s);
		proto_machine_status_fini(&s);
	}
	json_decref(result);
	vmctl_table_end(table);
	return ok ? VMCTL_OK : vmctl_fail(ctx, &err);
}

static const struct vmctl_option list_options[] = {
	{ "names", 'n', NULL, "only the names, one a line" },
	{ NULL, 0, NULL, NULL },
};

const struct vmctl_command vmctl_cmd_list = {
	.name = "list", .alias = "ls", .args = "", .min_args = 0, .max_args = 0, .summary = "List machines",
	.options = list_options, .run = run_list,
};
