/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store of machine definitions: one JSON file a machine in one directory.
 *
 *   NAME.json            the definition
 *   NAME.json.old        the generation before it
 *   NAME.json.damaged-N  a file that could not be read, moved aside when a new
 *                        definition was saved in its place
 *
 * A definition is replaced by writing a temporary file, fsync, rename, fsync of
 * the directory; the previous generation is hard-linked first, so that at every
 * instant NAME.json is either the old or the new text, whole. A file that cannot
 * be read is reported and left where it is. Nothing here ever deletes a file
 * that it did not write itself, but on an explicit store_delete.
 *
 * Threads: functions use the directory's descriptor and their arguments only, so
 * they may run on any thread; two on the same name at once are the caller's fault.
 */
#ifndef VMD_STORE_PRIV_H
#define VMD_STORE_PRIV_H

#include "protocol/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	STORE_NAME_MAX = 64,        /* bytes in a machine's name */
	STORE_FILE_MAX = 1 << 20,   /* bytes in a definition */
	STORE_MACHINES_MAX = 10000, /* definitions in one store */
};

struct store {
	int dir;    /* descriptor of the directory */
	char *path; /* for messages */
};

/* How a definition was found. */
struct store_entry {
	char name[STORE_NAME_MAX + 1];
	json_t *definition;       /* NULL when neither generation can be read */
	bool damaged;             /* NAME.json cannot be read; `problem` says why */
	bool previous;            /* `definition` is the previous generation's */
	struct vmd_error problem; /* when damaged */
};

/* True for [A-Za-z0-9][A-Za-z0-9_.-]{0,63}. The error names the name and the rule. */
bool store_name_check(const char *name, struct vmd_error *err);

/* Opens the directory, which it creates with mode 0700 when it is not there. */
bool store_init(struct store *store, const char *path, struct vmd_error *err);
void store_fini(struct store *store);

/* Reads one definition. True also for a damaged one; false when there is no file
 * of that name at all (NOT_FOUND). On success free it with store_entry_fini. */
bool store_load(const struct store *store, const char *name, struct store_entry *ret, struct vmd_error *err);
void store_entry_fini(struct store_entry *entry);

/* Calls fn for every definition; stops when fn returns false. Files whose names
 * are not a machine's are passed over. `fn` takes the entry's ownership. */
bool store_scan(const struct store *store, bool (*fn)(void *opaque, struct store_entry *entry), void *opaque,
		struct vmd_error *err);

/* Replaces (or creates) a definition. On failure the store is as it was. */
bool store_save(const struct store *store, const char *name, const json_t *definition, struct vmd_error *err);

/* Removes both generations. A damaged definition is kept aside. */
bool store_delete(const struct store *store, const char *name, struct vmd_error *err);

/* Reads a JSON object of at most STORE_FILE_MAX bytes at `file` in directory `dir`; `path` is for messages. */
json_t *store_read_json(int dir, const char *path, const char *file, struct vmd_error *err);
/* Writes text durably as `file` in `dir` by way of a temporary file. */
bool store_write_file(int dir, const char *path, const char *file, const char *text, size_t len, struct vmd_error *err);

#endif
