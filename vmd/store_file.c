/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of the store: whole and durable, or not there. See store_priv.h.
 * Thread: any.
 */
#include "vmd/store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Room for a name, ".json", ".damaged-" and a number. */
enum { FILE_NAME_SIZE = STORE_NAME_MAX + 40, DAMAGED_MAX = 1000 };

static bool name_is_valid(const char *name)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t len = strlen(name);
	return len > 0 && len <= STORE_NAME_MAX && strchr(first, name[0]) && strspn(name, rest) == len;
}

bool store_name_check(const char *name, struct vmd_error *err)
{
	if (name_is_valid(name))
		return true;
	vmd_error_set(err, VMD_ERR_INVALID, 0, "'%.80s' is not a machine's name", name);
	return vmd_error_hint(err, "1 to %d letters, digits, '_', '.' and '-', of which the first is a letter or a digit",
			      STORE_NAME_MAX);
}

static bool write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

/* The temporary name begins with a dot, which no machine's name does. */
static bool write_temporary(int dir, const char *path, const char *temp, const char *text, size_t len,
			    struct vmd_error *err)
{
	if (unlinkat(dir, temp, 0) < 0 && errno != ENOENT)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot remove %s/%s", path, temp);
	int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot create %s/%s", path, temp);
	bool ok = write_all(fd, text, len) && fsync(fd) == 0;
	int saved = errno;
	if (close(fd) < 0 && ok) {
		ok = false;
		saved = errno;
	}
	if (!ok) {
		unlinkat(dir, temp, 0);
		return vmd_error_set(err, VMD_ERR_IO, saved, "cannot write %s/%s", path, temp);
	}
	return true;
}

/* The last step: the temporary file takes its name, durably. */
static bool commit_temporary(int dir, const char *path, const char *temp, const char *file, struct vmd_error *err)
{
	if (renameat(dir, temp, dir, file) < 0) {
		int saved = errno;
		unlinkat(dir, temp, 0);
		return vmd_error_set(err, VMD_ERR_IO, saved, "cannot replace %s/%s", path, file);
	}
	if (fsync(dir) < 0)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot make %s durable", path);
	return true;
}

bool store_write_file(int dir, const char *path, const char *file, const char *text, size_t len, struct vmd_error *err)
{
	char temp[FILE_NAME_SIZE];
	snprintf(temp, sizeof(temp), ".%s.new", file);
	return write_temporary(dir, path, temp, text, len, err) && commit_temporary(dir, path, temp, file, err);
}

/* Reads a regular file of at most STORE_FILE_MAX bytes, NUL-terminated. */
static char *read_file(int dir, const char *path, const char *file, size_t *ret_len, struct vmd_error *err)
{
	char *text = NULL;
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		vmd_error_set(err, errno == ENOENT ? VMD_ERR_NOT_FOUND : VMD_ERR_IO, errno, "cannot open %s/%s", path,
			      file);
		return NULL;
	}
	struct stat st;
	if (fstat(fd, &st) < 0) {
		vmd_error_set(err, VMD_ERR_IO, errno, "cannot read %s/%s", path, file);
		goto fail;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > STORE_FILE_MAX) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "%s/%s is not a file of at most %d bytes", path, file,
			      STORE_FILE_MAX);
		goto fail;
	}
	size_t size = (size_t)st.st_size, len = 0;
	text = malloc(size + 1);
	if (!text) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "cannot read %s/%s: out of memory", path, file);
		goto fail;
	}
	while (len < size) {
		ssize_t n = read(fd, text + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			vmd_error_set(err, VMD_ERR_IO, errno, "cannot read %s/%s", path, file);
			goto fail;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	text[len] = '\0';
	*ret_len = len;
	return text;
fail:
	free(text);
	close(fd);
	return NULL;
}

json_t *store_read_json(int dir, const char *path, const char *file, struct vmd_error *err)
{
	size_t len;
	char *text = read_file(dir, path, file, &len, err);
	if (!text)
		return NULL;
	json_error_t why;
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	free(text);
	if (!json) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "%s/%s is damaged: %s (line %d)", path, file, why.text, why.line);
		return NULL;
	}
	if (!json_is_object(json)) {
		json_decref(json);
		vmd_error_set(err, VMD_ERR_INVALID, 0, "%s/%s is damaged: it holds no JSON object", path, file);
		return NULL;
	}
	return json;
}

bool store_init(struct store *store, const char *path, struct vmd_error *err)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot create the directory %s", path);
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot open the directory %s", path);
	char *copy = strdup(path);
	if (!copy) {
		close(dir);
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	}
	*store = (struct store){ .dir = dir, .path = copy };
	return true;
}

void store_fini(struct store *store)
{
	if (store->path)
		close(store->dir);
	free(store->path);
	*store = (struct store){ .dir = -1 };
}

void store_entry_fini(struct store_entry *entry)
{
	json_decref(entry->definition);
	entry->definition = NULL;
}

bool store_load(const struct store *store, const char *name, struct store_entry *ret, struct vmd_error *err)
{
	if (!store_name_check(name, err))
		return false;
	struct store_entry entry = { .definition = NULL };
	memcpy(entry.name, name, strlen(name) + 1);
	char file[FILE_NAME_SIZE], old[FILE_NAME_SIZE];
	snprintf(file, sizeof(file), "%s.json", name);
	snprintf(old, sizeof(old), "%s.json.old", name);

	entry.definition = store_read_json(store->dir, store->path, file, &entry.problem);
	if (!entry.definition) {
		if (entry.problem.code == VMD_ERR_NOT_FOUND)
			return vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "there is no machine named '%s'", name);
		entry.damaged = true;
		entry.definition = store_read_json(store->dir, store->path, old, NULL);
		entry.previous = entry.definition != NULL;
		if (entry.previous)
			vmd_error_hint(&entry.problem, "the previous definition is whole, in %s/%s; saving the machine "
				       "anew keeps the damaged file aside", store->path, old);
		else
			vmd_error_hint(&entry.problem, "repair the file, or save the machine anew: the damaged file is "
				       "kept aside");
	}
	*ret = entry;
	return true;
}

bool store_scan(const struct store *store, bool (*fn)(void *opaque, struct store_entry *entry), void *opaque,
		struct vmd_error *err)
{
	int fd = openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		vmd_error_set(err, VMD_ERR_IO, errno, "cannot read the directory %s", store->path);
		if (fd >= 0)
			close(fd);
		return false;
	}
	bool ok = true;
	unsigned count = 0;
	const struct dirent *de;
	while (ok && (errno = 0, de = readdir(d))) {
		size_t len = strlen(de->d_name);
		char name[STORE_NAME_MAX + 1];
		if (len <= 5 || len - 5 > STORE_NAME_MAX || strcmp(de->d_name + len - 5, ".json"))
			continue;
		memcpy(name, de->d_name, len - 5);
		name[len - 5] = '\0';
		if (!name_is_valid(name))
			continue;
		if (++count > STORE_MACHINES_MAX) {
			ok = vmd_error_set(err, VMD_ERR_LIMIT, 0, "%s holds more than %d machines", store->path,
					   STORE_MACHINES_MAX);
			break;
		}
		struct store_entry entry;
		if (store_load(store, name, &entry, NULL) && !fn(opaque, &entry))
			break;
		errno = 0;
	}
	if (ok && errno)
		ok = vmd_error_set(err, VMD_ERR_IO, errno, "cannot read the directory %s", store->path);
	closedir(d);
	return ok;
}

/* Moves a damaged definition to a name of its own, never over another file. */
static bool set_damaged_aside(const struct store *store, const char *name, const char *file, struct vmd_error *err)
{
	for (unsigned i = 1; i <= DAMAGED_MAX; i++) {
		char aside[FILE_NAME_SIZE];
		snprintf(aside, sizeof(aside), "%s.json.damaged-%u", name, i);
		if (linkat(store->dir, file, store->dir, aside, 0) == 0)
			return true;
		if (errno != EEXIST)
			return vmd_error_set(err, VMD_ERR_IO, errno, "cannot keep the damaged %s/%s as %s", store->path,
					     file, aside);
	}
	return vmd_error_set(err, VMD_ERR_LIMIT, 0, "%s holds %d damaged files of machine '%s' already", store->path,
			     DAMAGED_MAX, name);
}

/* Gives the present definition its second name, NAME.json.old, in one step. */
static bool keep_previous(const struct store *store, const char *name, const char *file, struct vmd_error *err)
{
	char temp[FILE_NAME_SIZE], old[FILE_NAME_SIZE];
	snprintf(temp, sizeof(temp), ".%s.json.previous", name);
	snprintf(old, sizeof(old), "%s.json.old", name);
	if (unlinkat(store->dir, temp, 0) < 0 && errno != ENOENT)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot remove %s/%s", store->path, temp);
	if (linkat(store->dir, file, store->dir, temp, 0) < 0 || renameat(store->dir, temp, store->dir, old) < 0) {
		int saved = errno;
		unlinkat(store->dir, temp, 0);
		return vmd_error_set(err, VMD_ERR_IO, saved, "cannot keep %s/%s as %s", store->path, file, old);
	}
	/* A save that was cut short may have left both names on one file: then rename has done nothing. */
	unlinkat(store->dir, temp, 0);
	return true;
}

bool store_save(const struct store *store, const char *name, const json_t *definition, struct vmd_error *err)
{
	struct store_entry before;
	struct vmd_error why;
	if (!store_name_check(name, err))
		return false;
	bool exists = store_load(store, name, &before, &why);
	if (!exists && why.code != VMD_ERR_NOT_FOUND) {
		if (err)
			*err = why;
		return false;
	}
	bool damaged = exists && before.damaged;
	if (exists)
		store_entry_fini(&before);

	char *text = json_dumps(definition, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	if (!text)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "cannot save machine '%s': out of memory", name);
	size_t len = strlen(text);
	char file[FILE_NAME_SIZE], temp[FILE_NAME_SIZE];
	snprintf(file, sizeof(file), "%s.json", name);
	snprintf(temp, sizeof(temp), ".%s.json.new", name);
	bool ok;
	if (len + 1 > STORE_FILE_MAX) {
		ok = vmd_error_set(err, VMD_ERR_LIMIT, 0, "the definition of machine '%s' exceeds %d bytes", name,
				   STORE_FILE_MAX);
	} else {
		text[len] = '\n'; /* over the NUL: written by length */
		ok = write_temporary(store->dir, store->path, temp, text, len + 1, err);
		/* What exists is touched only once the new text is on the disk. */
		if (ok && damaged)
			ok = set_damaged_aside(store, name, file, err);
		else if (ok && exists)
			ok = keep_previous(store, name, file, err);
		if (ok)
			ok = commit_temporary(store->dir, store->path, temp, file, err);
		else
			unlinkat(store->dir, temp, 0);
	}
	free(text);
	return ok;
}

bool store_delete(const struct store *store, const char *name, struct vmd_error *err)
{
	if (!store_name_check(name, err))
		return false;
	struct store_entry entry;
	char file[FILE_NAME_SIZE], old[FILE_NAME_SIZE];
	snprintf(file, sizeof(file), "%s.json", name);
	snprintf(old, sizeof(old), "%s.json.old", name);
	if (!store_load(store, name, &entry, err))
		return false;
	bool damaged = entry.damaged;
	store_entry_fini(&entry);
	if (damaged && !set_damaged_aside(store, name, file, err))
		return false;
	/* The older first: a crash in between leaves a whole machine. */
	if (unlinkat(store->dir, old, 0) < 0 && errno != ENOENT)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot remove %s/%s", store->path, old);
	if (unlinkat(store->dir, file, 0) < 0)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot remove %s/%s", store->path, file);
	if (fsync(store->dir) < 0)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot make %s durable", store->path);
	return true;
}
