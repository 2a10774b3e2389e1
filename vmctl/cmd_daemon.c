/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon and its interfaces: status, version, events, api, qmp. */
#include "vmctl/cmd_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

/* ---- status ---- */

static int machine_status(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	struct proto_machine_status status;
	if (!vmctl_call_struct(ctx, "machine.status", cmd_name_params(ctx), VMCTL_SOON, &proto_type_machine_status, &status, &err))
		return vmctl_fail(ctx, &err);
	int ret = cmd_print_status(ctx, &status);
	proto_machine_status_fini(&status);
	return ret;
}

static int run_status(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	struct proto_daemon_status s;
	char up[32];
	if (ctx->n_args)
		return machine_status(ctx);
	if (!vmctl_call_struct(ctx, "daemon.status", NULL, VMCTL_SOON, &proto_type_daemon_status, &s, &err))
		return vmctl_fail(ctx, &err);
	int ret = VMCTL_OK;
	if (ctx->json) {
		json_t *json = proto_daemon_status_to_json(&s);
		ret = vmctl_print_json(json);
		json_decref(json);
	} else {
		vmctl_age_text(s.started, up, sizeof(up));
		printf("vmd %s, process %lld, up %s\n", s.version, (long long)s.pid, up);
		printf("machines: %llu, active: %llu, clients: %llu\n", (unsigned long long)s.machines,
		       (unsigned long long)s.active, (unsigned long long)s.clients);
		printf("socket: %s\nstate: %s\nruntime: %s\nyou may: %s\n", s.socket, s.state_dir, s.runtime_dir,
		       proto_privilege_name(s.privilege));
	}
	proto_daemon_status_fini(&s);
	return ret;
}

const struct vmctl_command vmctl_cmd_status = {
	.name = "status", .args = "[NAME]", .min_args = 0, .max_args = 1, .summary = "Show what the daemon, or a machine, is doing",
	.run = run_status,
};

/* ---- version ---- */

static const struct vmctl_option version_options[] = {
	{ "client", 0, NULL, "only vmctl's own" },
	{ NULL, 0, NULL, NULL },
};

static int run_version(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	struct proto_daemon_version v;
	if (!ctx->json)
		printf("vmctl %s\n", PACKAGE_VERSION);
	if (vmctl_flag(ctx, "client"))
		return VMCTL_OK;
	if (!vmctl_call_struct(ctx, "daemon.version", NULL, VMCTL_SOON, &proto_type_daemon_version, &v, &err))
		return vmctl_fail(ctx, &err);
	int ret = VMCTL_OK;
	if (ctx->json) {
		json_t *json = json_pack("{s:s, s:s, s:I}", "vmctl", PACKAGE_VERSION, "vmd", v.version, "protocol",
					 (json_int_t)v.protocol);
		ret = vmctl_print_json(json);
		json_decref(json);
	} else {
		printf("vmd %s (protocol %llu)\n", v.version, (unsigned long long)v.protocol);
	}
	proto_daemon_version_fini(&v);
	return ret;
}

const struct vmctl_command vmctl_cmd_version = {
	.name = "version", .args = "", .min_args = 0, .max_args = 0, .summary = "Show vmctl's and the daemon's version",
	.options = version_options, .run = run_version,
};

/* ---- events ---- */

static const struct vmctl_option events_options[] = {
	{ "machine", 'm', "NAME", "only events about this machine (may be repeated)" },
	{ "since", 0, "[EPOCH:]SEQ", "first those after this one, as an event's line gives it; 0: all the daemon still has" },
	{ "count", 'n', "N", "end after so many" },
	{ NULL, 0, NULL, NULL },
};

/* "EPOCH:SEQ", or "SEQ" of the daemon that runs now. */
static json_t *events_cursor(struct vmctl *ctx, const char *text, struct vmd_error *err)
{
	const char *colon = strrchr(text, ':'), *digits = colon ? colon + 1 : text;
	char *end;
	long long seq = strtoll(digits, &end, 10);
	if (colon == text || end == digits || *end || seq < 0) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "--since takes EPOCH:SEQ or SEQ, not '%s'", text);
		return NULL;
	}
	if (colon)
		return json_pack("{s:s%, s:I}", "epoch", text, (size_t)(colon - text), "seq", (json_int_t)seq);
	struct proto_daemon_status status;
	if (!vmctl_call_struct(ctx, "daemon.status", NULL, VMCTL_SOON, &proto_type_daemon_status, &status, err))
		return NULL;
	json_t *cursor = json_pack("{s:s, s:I}", "epoch", status.epoch, "seq", (json_int_t)seq);
	proto_daemon_status_fini(&status);
	return cursor;
}

static bool events_params(struct vmctl *ctx, json_t **ret, struct vmd_error *err)
{
	json_t *params = json_object(), *machines = json_array();
	const char *since = vmctl_value(ctx, "since");
	for (unsigned i = 0; i < ctx->n_given; i++)
		if (!strcmp(ctx->given[i].name, "machine"))
			json_array_append_new(machines, json_string(ctx->given[i].value));
	if (json_array_size(machines))
		json_object_set(params, "machines", machines);
	json_decref(machines);
	if (since) {
		json_t *cursor = events_cursor(ctx, since, err);
		if (!cursor) {
			json_decref(params);
			return false;
		}
		json_object_set_new(params, "since", cursor);
	}
	*ret = params;
	return true;
}

static void print_event(const struct proto_event *e)
{
	char when[64], safe[2048];
	vmctl_time_text(e->time, when, sizeof(when));
	printf("%s %s:%llu %s%s%s", when, e->epoch, (unsigned long long)e->seq, e->machine ? e->machine : "", e->machine ? " " : "",
	       e->event);
	const char *key;
	json_t *v;
	json_object_foreach(e->data, key, v) {
		char *dump = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
		const char *text = json_is_string(v) ? json_string_value(v) : dump;
		printf(" %s=%s", key, text ? vmctl_safe(text, safe, sizeof(safe)) : "?");
		free(dump);
	}
	putchar('\n');
	fflush(stdout);
}

static int run_events(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	json_t *params = NULL, *message;
	struct proto_subscription sub;
	const char *count = vmctl_value(ctx, "count");
	long left = count ? strtol(count, NULL, 10) : -1;
	if (count && left <= 0) {
		vmd_error_set(&err, VMD_ERR_INVALID, 0, "--count takes a number above 0, not '%s'", count);
		return vmctl_fail(ctx, &err);
	}
	if (!events_params(ctx, &params, &err) ||
	    !vmctl_call_struct(ctx, "events.subscribe", params, VMCTL_SOON, &proto_type_subscription, &sub, &err))
		return vmctl_fail(ctx, &err);
	if (sub.gap)
		vmctl_note("events since %s are gone; look at the machines afresh", vmctl_value(ctx, "since"));
	proto_subscription_fini(&sub);
	while (left != 0 && proto_client_receive(ctx->client, -1, &message, &err) == PROTO_CLIENT_MESSAGE) {
		json_t *body = json_object_get(message, "params");
		struct proto_event e;
		if (ctx->json) {
			char *text = json_dumps(body, JSON_COMPACT);
			puts(text ? text : "{}");
			fflush(stdout);
			free(text);
		} else if (proto_event_parse(body, "an event", &e, &err)) {
			print_event(&e);
			proto_event_fini(&e);
		}
		json_decref(message);
		if (left > 0)
			left--;
	}
	return left == 0 ? VMCTL_OK : vmctl_fail(ctx, &err);
}

const struct vmctl_command vmctl_cmd_events = {
	.name = "events", .args = "", .min_args = 0, .max_args = 0, .summary = "Show events as they happen",
	.doc = "One line each, or one JSON object a line with --json. A line begins with the time and the event's place, "
	       "EPOCH:SEQ, to resume from with --since.",
	.options = events_options, .run = run_events,
};

/* ---- api ---- */

static int run_api(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	json_t *result, *params = cmd_object_args(ctx, 1, &err);
	if (!params || !vmctl_call(ctx, ctx->args[0], params, -1, &result, &err))
		return vmctl_fail(ctx, &err);
	int ret = vmctl_print_json(result);
	json_decref(result);
	return ret;
}

const struct vmctl_command vmctl_cmd_api = {
	.name = "api", .args = "METHOD [PARAMS]", .min_args = 1, .max_args = 64, .summary = "Call a method of the daemon",
	.doc = "PARAMS is a JSON object, or KEY=VALUE words, where a value that is JSON is taken as such. Prints the result as "
	       "JSON. 'vmctl api rpc.discover' describes all methods; so does vmd(8).",
	.example = "vmctl api machine.get name=web1", .run = run_api,
};

/* ---- qmp ---- */

static int run_qmp(struct vmctl *ctx)
{
	struct vmd_error err = { 0 };
	json_t *result, *args = cmd_object_args(ctx, 2, &err);
	if (!args)
		return vmctl_fail(ctx, &err);
	json_t *params = json_pack("{s:s, s:s, s:o}", "name", ctx->args[0], "command", ctx->args[1], "arguments", args);
	if (!vmctl_call(ctx, "machine.qmp", params, VMCTL_SOON, &result, &err))
		return vmctl_fail(ctx, &err);
	int ret = VMCTL_OK;
	/* Text of the monitor for people is for people, unless JSON was asked for. */
	if (json_is_string(result) && !ctx->json && !strcmp(ctx->args[1], "human-monitor-command")) {
		for (const char *c = json_string_value(result); *c; c++)
			if (*c != '\r')
				putchar(*c);
	} else {
		ret = vmctl_print_json(result);
	}
	json_decref(result);
	return ret;
}

const struct vmctl_command vmctl_cmd_qmp = {
	.name = "qmp", .args = "NAME COMMAND [ARGUMENTS]", .min_args = 2, .max_args = 64,
	.summary = "Execute a QMP command in a machine",
	.doc = "ARGUMENTS is a JSON object, or KEY=VALUE words. Prints what the command returns as JSON.",
	.example = "vmctl qmp web1 human-monitor-command command-line='info status'", .run = run_qmp,
};
