/* SPDX-License-Identifier: BSD-2-Clause */
/* The schema's parser and checker, and every example of the schema. */
#include "protocol/schema_gen.h"
#include "tests/unit/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *json(const char *text)
{
	json_error_t e;
	json_t *j = json_loads(text, JSON_DECODE_ANY, &e);
	ck_assert_msg(j != NULL, "%s: %s", text, e.text);
	return j;
}

/* Texts of machine.create's parameters and the message they must get. */
static const struct {
	const char *params, *message;
} refused[] = {
	{ "{}", "machine.create: 'definition' is missing" },
	{ "{\"definition\": 3}", "machine.create: 'definition': expected an object, got an integer" },
	{ "{\"definition\": {}}", "machine.create: 'definition.name' is missing" },
	{ "{\"definition\": {\"name\": \"a\", \"cpuz\": 1}}",
	  "machine.create: 'definition.cpuz': unknown key; did you mean 'cpus'?" },
	{ "{\"definition\": {\"name\": \"a\", \"zzzzzzzz\": 1}}", "machine.create: 'definition.zzzzzzzz': unknown key" },
	{ "{\"definition\": {\"name\": \"a\", \"cpus\": \"1\"}}",
	  "machine.create: 'definition.cpus': expected an integer, got a string" },
	{ "{\"definition\": {\"name\": \"a\", \"cpus\": 65}}",
	  "machine.create: 'definition.cpus': 65 is out of range: it must be 1 to 64" },
	{ "{\"definition\": {\"name\": \"a\", \"cpus\": 0}}",
	  "machine.create: 'definition.cpus': 0 is out of range: it must be 1 to 64" },
	{ "{\"definition\": {\"name\": \"../a\"}}",
	  "machine.create: 'definition.name': '../a' must begin with a letter or digit and hold only letters, digits, '.', '_' and '-'" },
	{ "{\"definition\": {\"name\": \"a\", \"accel\": \"kvm\"}}", "machine.create: 'definition.accel': 'kvm' is not one of auto, interp, jit, verify" },
	{ "{\"definition\": {\"name\": \"a\", \"kernel\": \"Image\"}}",
	  "machine.create: 'definition.kernel': 'Image' must be an absolute path" },
	{ "{\"definition\": {\"name\": \"a\", \"memory\": \"12Q\"}}",
	  "machine.create: 'definition.memory': '12Q' is not a size: write bytes, or a number with K, M, G or T" },
	{ "{\"definition\": {\"name\": \"a\", \"chardevs\": [{\"id\": \"c\", \"backend\": \"null\", \"path\": \"/x\"}]}}",
	  "machine.create: 'definition.chardevs[0].path' does not go with backend 'null' (only with file, pty, socket, pipe)" },
	{ "{\"definition\": {\"name\": \"a\", \"devices\": [{\"driver\": \"x\"}, {\"driver\": \"y\", \"props\": {\"k\": 1}}]}}",
	  "machine.create: 'definition.devices[1].props.k': expected a string, got an integer" },
	{ "{\"definition\": {\"name\": \"a\", \"machine\": {\"gic-version\": \"5\"}}}",
	  "machine.create: 'definition.machine.gic-version': '5' is not one of 2, 3, max" },
	{ "{\"definition\": {\"name\": \"a\"}, \"start\": null}", "machine.create: 'start': expected true or false, got null" },
};

START_TEST(refuses)
{
	json_t *params = json(refused[_i].params);
	struct proto_args_machine_create args;
	memset(&args, 0x5a, sizeof(args));
	struct vmd_error err = { 0 };
	ck_assert(!proto_args_machine_create_parse(params, "machine.create", &args, &err));
	ck_assert_int_eq(err.code, VMD_ERR_INVALID);
	ck_assert_str_eq(err.message, refused[_i].message);
	for (size_t i = 0; i < sizeof(args); i++)
		ck_assert_int_eq(((unsigned char *)&args)[i], 0x5a);
	json_decref(params);
}
END_TEST

START_TEST(fills_defaults)
{
	json_t *j = json("{\"name\": \"web1\", \"memory\": \"1.5G\", \"initrd\": [\"/a\", \"/b\"], \"labels\": {\"k\": \"v\"},"
			 "\"chardevs\": [{\"id\": \"c\", \"backend\": \"socket\", \"path\": \"/s\", \"server\": true}]}");
	struct proto_machine_definition def, copy, changed;
	struct vmd_error err = { 0 };
	ck_assert_msg(proto_machine_definition_parse(j, NULL, &def, &err), "%s", err.message);
	ck_assert_int_eq(def.cpus, 1);
	ck_assert_uint_eq(def.memory, 3ull << 29);
	ck_assert_str_eq(def.cpu.model, "max");
	ck_assert_int_eq(def.machine.gic_version, PROTO_GIC_VERSION_3);
	ck_assert_int_eq(def.n_initrd, 2);
	ck_assert_str_eq(def.initrd[1], "/b");
	ck_assert_int_eq(def.n_serials, 1);
	ck_assert_str_eq(def.serials[0], "serial0");
	ck_assert_str_eq(def.labels[0].key, "k");
	ck_assert(def.chardevs[0].has_server && def.chardevs[0].server && !def.chardevs[0].has_wait);
	ck_assert(!def.kernel);
	ck_assert(proto_machine_definition_copy(&def, &copy, &err));
	json_t *a = proto_machine_definition_to_json(&def), *b = proto_machine_definition_to_json(&copy);
	ck_assert(json_equal(a, b));
	json_t *patch = json("{\"cpus\": 4, \"memory\": null, \"initrd\": null, \"labels\": {\"k\": null, \"l\": \"w\"}}");
	ck_assert(proto_machine_definition_merge(&def, patch, "machine.set", &changed, &err));
	ck_assert_int_eq(changed.cpus, 4);
	ck_assert_uint_eq(changed.memory, 512u << 20);
	ck_assert_int_eq(changed.n_initrd, 0);
	ck_assert_int_eq(changed.n_labels, 1);
	ck_assert_str_eq(changed.labels[0].key, "l");
	json_t *bad = json("{\"cpus\": 400}");
	ck_assert(!proto_machine_definition_merge(&def, bad, "machine.set", &copy, &err));
	ck_assert_str_eq(err.message, "machine.set: 'cpus': 400 is out of range: it must be 1 to 64");
	json_decref(a);
	json_decref(b);
	json_decref(bad);
	json_decref(patch);
	json_decref(j);
	proto_machine_definition_fini(&def);
	proto_machine_definition_fini(&copy);
	proto_machine_definition_fini(&changed);
	proto_machine_definition_fini(&changed);
}
END_TEST

/* Every example of every command: its parameters parse and survive the way back,
 * its result is what the command says it returns. */
static void check_examples(const struct proto_set *set)
{
	for (unsigned i = 0; i < set->n_commands; i++) {
		const struct proto_command *cmd = &set->commands[i];
		ck_assert(cmd->examples[0].params != NULL);
		for (const struct proto_example *e = cmd->examples; e->params; e++) {
			struct vmd_error err = { 0 };
			json_t *params = json(e->params);
			void *args = calloc(1, cmd->args->size + 1), *again = calloc(1, cmd->args->size + 1);
			ck_assert_msg(proto_parse(cmd->args, params, cmd->name, args, &err), "%s", err.message);
			json_t *back = proto_to_json(cmd->args, args);
			ck_assert_msg(proto_parse(cmd->args, back, cmd->name, again, &err), "%s", err.message);
			json_t *twice = proto_to_json(cmd->args, again);
			ck_assert(json_equal(back, twice));
			proto_fini(cmd->args, args);
			proto_fini(cmd->args, again);
			free(args);
			free(again);
			json_decref(params);
			json_decref(back);
			json_decref(twice);
			if (!e->result)
				continue;
			ck_assert(cmd->result != NULL);
			json_t *result = json(e->result);
			ck_assert_msg(proto_check(cmd->result, result, cmd->name, &err), "%s", err.message);
			json_decref(result);
		}
	}
}

START_TEST(daemon_examples)
{
	check_examples(&proto_daemon_set);
}
END_TEST

START_TEST(qmp_examples)
{
	check_examples(&proto_qmp_set);
}
END_TEST

static const struct {
	const char *text;
	uint64_t value;
	bool ok;
} sizes[] = {
	{ "0", 0, true }, { "512M", 512ull << 20, true }, { "0x1000", 4096, true }, { "1.5G", 3ull << 29, true },
	{ "2GiB", 2ull << 30, true }, { "3kB", 3072, true }, { "17b", 17, true }, { "1T", 1ull << 40, true },
	{ "", 0, false }, { "-1", 0, false }, { "M", 0, false }, { "1.5", 0, false }, { "1Q", 0, false }, { "1MM", 0, false },
	{ "99999999999999999999", 0, false }, { "9999999T", 0, false }, { "1e5M", 0, false },
	{ "inf", 0, false }, { "0.5M", 512 << 10, true }, { "0x", 0, false },
};

START_TEST(size)
{
	uint64_t value = 0;
	bool ok = proto_size_parse(sizes[_i].text, &value);
	ck_assert_msg(ok == sizes[_i].ok, "%s", sizes[_i].text);
	if (ok)
		ck_assert_uint_eq(value, sizes[_i].value);
}
END_TEST

static const struct {
	const char *word, *meant;
} typos[] = {
	{ "strat", "start" }, { "stpo", "stop" }, { "lst", "list" }, { "frobnicate", NULL }, { "consle", "console" },
};

START_TEST(suggests)
{
	static const char *const words[] = { "start", "stop", "list", "console", "create" };
	struct proto_suggest s;
	proto_suggest_init(&s, typos[_i].word);
	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
		proto_suggest_add(&s, words[i]);
	if (typos[_i].meant)
		ck_assert_str_eq(s.best, typos[_i].meant);
	else
		ck_assert_ptr_eq(s.best, NULL);
}
END_TEST

START_TEST(states)
{
	struct vmd_error err = { 0 };
	const struct proto_command *start = proto_command_find(&proto_daemon_set, "machine.start");
	ck_assert(proto_command_allows(start, "web1", PROTO_MACHINE_STATE_STOPPED, &err));
	ck_assert(!proto_command_allows(start, "web1", PROTO_MACHINE_STATE_RUNNING, &err));
	ck_assert_int_eq(err.code, VMD_ERR_WRONG_STATE);
	ck_assert_str_eq(err.message, "machine 'web1' is running; machine.start needs it stopped or crashed");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("schema");
	TCase *tc = tcase_create("all");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, refuses, 0, sizeof(refused) / sizeof(*refused));
	tcase_add_test(tc, fills_defaults);
	tcase_add_test(tc, daemon_examples);
	tcase_add_test(tc, qmp_examples);
	tcase_add_loop_test(tc, size, 0, sizeof(sizes) / sizeof(*sizes));
	tcase_add_loop_test(tc, suggests, 0, sizeof(typos) / sizeof(*typos));
	tcase_add_test(tc, states);
	suite_add_tcase(suite, tc);
	return suite_run(suite, CK_FORK_GETENV);
}
