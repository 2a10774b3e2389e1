/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The schema as data, and the one parser, checker and printer that works on it.
 *
 * protocol/schema/ describes every type, command and event once.
 * protocol/gen_schema.c turns that into C structs and the tables of this header
 * (protocol/schema_gen.h), so handlers never see raw JSON. How a member becomes C:
 *
 *	bool, int, uint, size, number	bool, int64_t, uint64_t, uint64_t, double
 *	str				char *
 *	an enum, a struct		enum proto_..., struct proto_...
 *	["T"]				T *x; size_t n_x;
 *	{"map": "str"}			struct proto_pair *x; size_t n_x;
 *	object, any			json_t *
 *
 * An optional member without a default has a `bool has_x` before it if it is a
 * number, a bool or an enum, is a pointer if it is a struct, and is NULL or
 * empty when absent in any case. A member with a default is always there.
 *
 * A size may be written as a number of bytes or as text with a suffix ("512M").
 *
 * Thread: any; nothing here has state.
 */
#ifndef PROTOCOL_SCHEMA_H
#define PROTOCOL_SCHEMA_H

#include "protocol/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proto_call;

enum proto_kind {
	PROTO_BOOL,
	PROTO_INT,
	PROTO_UINT,
	PROTO_SIZE,
	PROTO_NUMBER,
	PROTO_STR,
	PROTO_ENUM,
	PROTO_STRUCT,
	PROTO_MAP,    /* string to string */
	PROTO_OBJECT, /* any JSON object */
	PROTO_ANY,    /* any JSON value */
};

/* What the text of a string must look like; see patterns in schema.c. */
enum proto_pattern {
	PROTO_PATTERN_NONE,
	PROTO_PATTERN_TEXT,    /* one line: no control characters */
	PROTO_PATTERN_ID,
	PROTO_PATTERN_MACHINE,
	PROTO_PATTERN_PATH,    /* absolute */
};

struct proto_pair {
	char *key;
	char *value;
};

struct proto_enum_value {
	const char *name;
	const char *doc;
};

struct proto_field {
	const char *name; /* in JSON */
	enum proto_kind kind;
	enum proto_pattern pattern;
	bool array;
	bool optional;    /* may be absent and has no default */
	bool pointer;     /* an optional struct */
	const struct proto_type *type; /* ENUM, STRUCT */
	size_t offset;
	size_t count_offset; /* arrays and maps: of the size_t */
	size_t has_offset;   /* of the bool, when has_flag */
	bool has_flag;
	int64_t min, max;    /* INT, UINT, SIZE, NUMBER */
	size_t max_length;   /* of a string or a map's value */
	size_t max_items;
	const char *def;     /* default, as JSON text */
	/* Given only when an enum member of the same struct has a value of the mask. */
	int if_field;        /* index, or -1 */
	uint64_t if_mask;
	const char *cli;     /* the option of vmctl, without dashes, or NULL */
	const char *metavar;
	const char *doc;
};

struct proto_type {
	const char *name;
	const char *doc;
	const struct proto_enum_value *values; /* an enum's, or NULL */
	unsigned n_values;
	const struct proto_field *fields;
	unsigned n_fields;
	size_t size;             /* of the C struct */
	const char *implied_key; /* key=value text: the key of a first part without '=' */
	const char *rest;        /* key=value text: the map that takes unknown keys */
};

struct proto_example {
	const char *params;
	const char *result; /* may be NULL */
};

enum proto_command_flags {
	PROTO_COMMAND_BUILTIN = 1, /* the library answers it */
	PROTO_COMMAND_OOB = 2,     /* QMP: may be executed out of band */
	PROTO_COMMAND_SLOW = 4,    /* may reply much later */
};

struct proto_command {
	const char *name;
	unsigned flags;
	unsigned privilege; /* enum proto_privilege */
	uint32_t states;    /* 1 << enum proto_machine_state; 0: any */
	const struct proto_type *args;
	const struct proto_field *result; /* NULL: nothing */
	size_t handler;     /* offset in the handlers' struct */
	bool (*invoke)(const void *handlers, struct proto_call *call, const void *args, struct vmd_error *err);
	const char *summary, *doc, *since;
	const char *const *errors; /* NULL past the last */
	const struct proto_example *examples; /* params NULL past the last */
};

struct proto_event_desc {
	const char *name;
	const char *doc;
	const struct proto_type *data; /* a struct, which may have no members */
	/* Not NULL: at most one a second of those whose data has the same value
	 * of this member ("": of all). */
	const char *rate_limit;
};

/* Everything one kind of server speaks. */
struct proto_set {
	const char *name;
	const struct proto_command *commands;
	unsigned n_commands;
	const struct proto_event_desc *events;
	unsigned n_events;
};

/* All named types. */
extern const struct proto_type *const proto_types[];
extern const unsigned proto_n_types;

/* NULL when there is none of that name. */
const struct proto_command *proto_command_find(const struct proto_set *set, const char *name);
const struct proto_event_desc *proto_event_find(const struct proto_set *set, const char *name);

/* Checks a JSON object against a struct's description and makes the C struct.
 * Everything is checked: names, types, ranges, lengths. A message begins with
 * "where: " (if not NULL) and quotes the path of the member. */
bool proto_parse(const struct proto_type *type, const json_t *json, const char *where, void *ret, struct vmd_error *err);
/* Checks a single value, such as a command's result. */
bool proto_check(const struct proto_field *field, const json_t *json, const char *where, struct vmd_error *err);
/* Never fails but for want of memory (NULL). */
json_t *proto_to_json(const struct proto_type *type, const void *value);
/* Frees what the struct holds. An all-zero struct is allowed, also twice. */
void proto_fini(const struct proto_type *type, void *value);
/* A new struct: `old` with an RFC 7386 merge patch applied, checked. */
bool proto_merge(const struct proto_type *type, const void *old, const json_t *patch, const char *where, void *ret,
		 struct vmd_error *err);
bool proto_copy(const struct proto_type *type, const void *value, void *ret, struct vmd_error *err);

/* An enum's value by name; -1 when there is none. */
int proto_enum_parse(const struct proto_type *type, const char *name);
const char *proto_enum_name(const struct proto_type *type, unsigned value);

/* "512M", "0x1000", "1.5G": bytes. Suffixes K, M, G, T, with or without "iB". */
bool proto_size_parse(const char *text, uint64_t *ret);
/* Whether text fits the pattern; if not, *ret_rule says what would. */
bool proto_pattern_match(enum proto_pattern pattern, const char *text, const char **ret_rule);

/* False with VMD_ERR_WRONG_STATE unless the command may be used in this state
 * (enum proto_machine_state). */
bool proto_command_allows(const struct proto_command *cmd, const char *machine, unsigned state, struct vmd_error *err);

/* The candidate that `word` was probably meant to be, or NULL. Feed candidates
 * one by one. */
struct proto_suggest {
	const char *word;
	const char *best;
	unsigned distance;
};
void proto_suggest_init(struct proto_suggest *s, const char *word);
void proto_suggest_add(struct proto_suggest *s, const char *candidate);

#endif
