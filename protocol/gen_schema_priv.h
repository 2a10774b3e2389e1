/* SPDX-License-Identifier: BSD-2-Clause */
/* The schema's generator, inside: see protocol/gen_schema.c. */
#ifndef PROTOCOL_GEN_SCHEMA_PRIV_H
#define PROTOCOL_GEN_SCHEMA_PRIV_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

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
void gen_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void gen_emit(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What is not NULL. */
void *gen_xcheck(void *p);

/* ---- gen_schema_read.c ---- */

/* "MachineDefinition", "gic-version", "machine.create", "__org.vmd_x" in lower
 * case with underscores. The caller frees. */
char *gen_snake(const char *name);
/* Of an object: NULL, false, `absent` where there is no such key. */
const char *gen_str(const json_t *o, const char *key);
bool gen_flag(const json_t *o, const char *key);
long long gen_integer(const json_t *o, const char *key, long long absent);
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
