/* SPDX-License-Identifier: BSD-2-Clause */
/* The schema's generator, inside: see protocol/gen_schema.c. */
#ifndef PROTOCOL_GEN_SCHEMA_PRIV_H
#define PROTOCOL_GEN_SCHEMA_PRIV_H

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	MAX_TYPES = 256,
	MAX_COMMANDS = 256,
	MAX_LENGTH = 1 << 20,
	MAX_ITEMS = 1 << 16,
};

struct type {
	json_t *json;
	const char *name;
	char *c_name;
	bool is_enum;
};

/* One of the two servers' commands and events. */
struct set {
	const char *name;      /* "daemon", "qmp" */
	const char *c_prefix;  /* of arguments and replies */
	json_t *commands[MAX_COMMANDS];
	unsigned n_commands;
	json_t *events[MAX_COMMANDS];
	unsigned n_events;
};

/* A member, decoded. */
struct member {
	json_t *json;
	const char *name;
	char *c_name;
	const char *kind;        /* the suffix of enum proto_kind */
	const struct type *type; /* ENUM, STRUCT */
	const char *c_scalar;    /* neither of the two: its type in C */
	bool array, optional, has_flag, pointer;
	json_t *def;
};

/* All there is, in gen_schema.c. */
extern struct gen {
	struct type types[MAX_TYPES];
	unsigned n_types;
	struct set sets[2];
	const char *file;      /* the schema's file that is being read */
	FILE *out;
	const char *out_path;
} gen;

/* Ends the program, with a message that names the file; what was written is removed. */
__attribute__((format(printf, 1, 2), noreturn)) static inline void fail(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "gen_schema: %s: ", gen.file ? gen.file : gen.out_path);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	if (gen.out)
		remove(gen.out_path);
	exit(1);
}

__attribute__((format(printf, 1, 2))) static inline void emit(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vfprintf(gen.out, fmt, ap);
	va_end(ap);
}

/* What is not NULL. */
static inline void *xcheck(void *p)
{
	if (!p)
		fail("out of memory");
	return p;
}

/* Of an object: NULL, false, `absent` where there is no such key. */
static inline const char *str(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	return v ? json_string_value(v) : NULL;
}

static inline bool flag(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

static inline long long integer(const json_t *o, const char *key, long long absent)
{
	const json_t *v = json_object_get(o, key);
	return v ? json_integer_value(v) : absent;
}

/* ---- gen_schema_read.c ---- */

/* "MachineDefinition", "gic-version", "machine.create", "__org.vmd_x" in lower
 * case with underscores. The caller frees. */
char *gen_snake(const char *name);
/* NULL: there is none. */
const struct type *gen_find_type(const char *name);
/* Fills in what m->json's type tells; `what` is for messages. */
void gen_member_type(struct member *m, const char *what);
/* The caller frees c_name. */
struct member gen_member(json_t *json, const char *owner);
/* Adds a file to `gen`. */
void gen_read(const char *path);

/* ---- gen_schema_mdoc.c: sections of manual pages ---- */

void gen_mdoc(const struct set *set);
void gen_mdoc_types(void);
void gen_mdoc_events(const struct set *set);

#endif
