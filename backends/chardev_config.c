/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configurations of character devices: the list of kinds, options from text by
 * the kinds' rows, and the broker's step of opening. Thread: any.
 */
#include "backends/chardev_priv.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct backends_chardev_class *const classes[] = {
#define CHARDEV_KIND(symbol) &symbol,
#include "backends/chardev_kinds.def"
#undef CHARDEV_KIND
};

#define N_CLASSES (sizeof(classes) / sizeof(classes[0]))

const struct backends_chardev_class *backends_chardev_class_at(unsigned i)
{
	return i < N_CLASSES ? classes[i] : NULL;
}

const struct backends_chardev_class *backends_chardev_class_find(const char *name)
{
	for (size_t i = 0; i < N_CLASSES; i++)
		if (strcmp(classes[i]->name, name) == 0)
			return classes[i];
	return NULL;
}

/* "a, b, c" of what `name_at` gives, as far as there is room. */
static void join(char *ret_list, size_t size, const char *(*name_at)(const void *from, unsigned i), const void *from)
{
	size_t len = 0;
	const char *name;

	ret_list[0] = '\0';
	for (unsigned i = 0; (name = name_at(from, i)); i++) {
		int n = snprintf(ret_list + len, size - len, "%s%s", i ? ", " : "", name);

		if ((size_t)n >= size - len)
			break;
		len += (size_t)n;
	}
}

static const char *class_name_at(const void *from, unsigned i)
{
	return i < N_CLASSES ? classes[i]->name : NULL;
}

static const char *option_name_at(const void *from, unsigned i)
{
	const struct backends_chardev_option *options = from;

	return options ? options[i].name : NULL;
}

static bool valid_id(const char *id)
{
	if (!isascii((unsigned char)id[0]) || !isalpha((unsigned char)id[0]))
		return false;
	for (size_t i = 0; id[i]; i++)
		if (i >= 64 || !isascii((unsigned char)id[i]) ||
		    (!isalnum((unsigned char)id[i]) && !strchr("-._", id[i])))
			return false;
	return true;
}

static bool parse_uint(const char *text, uint64_t *ret_value)
{
	static const char suffixes[] = "KMG";
	unsigned base = 10;
	uint64_t value = 0;
	bool any = false;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	for (; isxdigit((unsigned char)*text); text++, any = true) {
		unsigned digit = isdigit((unsigned char)*text) ? (unsigned)(*text - '0')
							       : (unsigned)(toupper((unsigned char)*text) - 'A') + 10;

		if (digit >= base || __builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value))
			return false;
	}
	const char *suffix = *text ? strchr(suffixes, toupper((unsigned char)*text)) : NULL;
	if (suffix) {
		if (__builtin_mul_overflow(value, UINT64_C(1) << (10 * (suffix - suffixes + 1)), &value))
			return false;
		text++;
	}
	if (!any || *text)
		return false;
	*ret_value = value;
	return true;
}

static bool bad_value(const struct backends_chardev_config *config, const struct backends_chardev_option *option,
		      const char *value, const char *want, struct vmd_error *err)
{
	vmd_error_set(err, VMD_ERR_INVALID, 0, "chardev '%s' (%s): option '%s': '%.100s' is not %s", config->id,
		      config->cls->name, option->name, value, want);
	return vmd_error_hint(err, "%s: %s", option->name, option->help);
}

static bool set_row(struct backends_chardev_config *config, const struct backends_chardev_option *option,
		    const char *value, struct vmd_error *err)
{
	void *member = (char *)config + option->offset;
	char want[80], *copy;
	uint64_t n;

	switch (option->type) {
	case BACKENDS_CHARDEV_BOOL:
		if (strcmp(value, "on") == 0 || strcmp(value, "true") == 0)
			*(bool *)member = true;
		else if (strcmp(value, "off") == 0 || strcmp(value, "false") == 0)
			*(bool *)member = false;
		else
			return bad_value(config, option, value, "'on' or 'off'", err);
		return true;
	case BACKENDS_CHARDEV_UINT:
		if (!parse_uint(value, &n))
			return bad_value(config, option, value, "a number", err);
		if ((option->min || option->max) && (n < option->min || n > option->max)) {
			snprintf(want, sizeof(want), "a number from %" PRIu64 " to %" PRIu64, option->min, option->max);
			return bad_value(config, option, value, want, err);
		}
		*(uint64_t *)member = n;
		return true;
	case BACKENDS_CHARDEV_STRING:
		copy = strdup(value);
		if (!copy)
			return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "no memory for chardev '%s'", config->id);
		free(*(char **)member);
		*(char **)member = copy;
		return true;
	}
	assert(!"an option type without a parser");
	return false;
}

struct backends_chardev_config *backends_chardev_config_new(const char *id, const char *kind, struct vmd_error *err)
{
	const struct backends_chardev_class *cls = backends_chardev_class_find(kind);
	struct backends_chardev_config *config;
	char list[200];

	if (!valid_id(id)) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "'%.80s' cannot be the id of a chardev", id);
		vmd_error_hint(err, "an id is a letter, then letters, digits, '-', '.' and '_', 64 at most");
		return NULL;
	}
	if (!cls) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "chardev '%s': there is no kind '%.80s'", id, kind);
		join(list, sizeof(list), class_name_at, NULL);
		vmd_error_hint(err, "the kinds are %s", list);
		return NULL;
	}
	config = calloc(1, sizeof(*config));
	if (!config || !(config->id = strdup(id))) {
		free(config);
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "no memory for chardev '%s'", id);
		return NULL;
	}
	config->cls = cls;
	for (const struct backends_chardev_option *o = cls->options; o && o->name; o++)
		if (o->def && !set_row(config, o, o->def, err)) {
			backends_chardev_config_free(config);
			return NULL;
		}
	return config;
}

bool backends_chardev_config_set(struct backends_chardev_config *config, const char *name, const char *value,
				 struct vmd_error *err)
{
	const struct backends_chardev_option *options = config->cls->options;
	char list[200];

	for (const struct backends_chardev_option *o = options; o && o->name; o++)
		if (strcmp(o->name, name) == 0) {
			if (!set_row(config, o, value, err))
				return false;
			config->set |= UINT64_C(1) << (o - options);
			return true;
		}
	vmd_error_set(err, VMD_ERR_INVALID, 0, "chardev '%s': kind '%s' has no option '%.80s'", config->id,
		      config->cls->name, name);
	join(list, sizeof(list), option_name_at, options);
	return vmd_error_hint(err, list[0] ? "its options are %s" : "it has none", list);
}

bool backends_chardev_config_check(const struct backends_chardev_config *config, struct vmd_error *err)
{
	const struct backends_chardev_class *cls = config->cls;

	for (const struct backends_chardev_option *o = cls->options; o && o->name; o++)
		if (o->required && !(config->set >> (o - cls->options) & 1)) {
			vmd_error_set(err, VMD_ERR_INVALID, 0, "chardev '%s': kind '%s' needs the option '%s'",
				      config->id, cls->name, o->name);
			return vmd_error_hint(err, "%s: %s", o->name, o->help);
		}
	return !cls->check || cls->check(config, err);
}

void backends_chardev_config_free(struct backends_chardev_config *config)
{
	if (!config)
		return;
	for (const struct backends_chardev_option *o = config->cls->options; o && o->name; o++)
		if (o->type == BACKENDS_CHARDEV_STRING)
			free(*(char **)((char *)config + o->offset));
	free(config->id);
	free(config);
}

bool backends_chardev_open(const struct backends_chardev_config *config, int ret_fds[2], struct vmd_error *err)
{
	int fds[2] = {-1, -1};

	if (!backends_chardev_config_check(config, err))
		return false;
	if (config->cls->open && !config->cls->open(config, fds, err))
		return vmd_error_prefix(err, "chardev '%s'", config->id);
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return true;
}
