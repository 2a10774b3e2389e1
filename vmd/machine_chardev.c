/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A chardev's definition, as it stands in a machine's, in the form that backends
 * take: for the broker, which checks it and opens what it names, and for the
 * machine, which makes it. Thread: any.
 */
#include "vmd/machine_priv.h"

#include <stdio.h>

/* A chardev option in the text form that backends take. */
static bool set_option(struct backends_chardev_config *config, const json_t *json, const struct backends_chardev_option *opt,
		       struct vmd_error *err)
{
	const json_t *v = json_object_get(json, opt->name);
	if (!v || json_is_null(v))
		return true;
	if (json_is_string(v))
		return backends_chardev_config_set(config, opt->name, json_string_value(v), err);
	if (json_is_boolean(v))
		return backends_chardev_config_set(config, opt->name, json_is_true(v) ? "on" : "off", err);
	char text[32];
	snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	return backends_chardev_config_set(config, opt->name, text, err);
}

struct backends_chardev_config *machine_chardev_config(const struct proto_chardev_definition *def, struct vmd_error *err)
{
	struct backends_chardev_config *config =
		backends_chardev_config_new(def->id, proto_chardev_backend_name(def->backend), err);
	if (!config)
		return NULL;
	json_t *json = proto_chardev_definition_to_json(def);
	bool ok = json || vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	for (const struct backends_chardev_option *opt = config->cls->options; ok && opt && opt->name; opt++)
		ok = set_option(config, json, opt, err);
	json_decref(json);
	if (ok && backends_chardev_config_check(config, err))
		return config;
	backends_chardev_config_free(config);
	return NULL;
}
