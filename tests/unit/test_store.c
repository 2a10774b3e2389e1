/* SPDX-License-Identifier: BSD-2-Clause */
/* The store of definitions: names, generations, damage, crash states. */
#include "vmd/store_priv.h"
#include "tests/unit/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char base[64];
static struct store store;

static void setup(void)
{
	struct vmd_error err;
	snprintf(base, sizeof(base), "/tmp/vmd-store.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	ck_assert_msg(store_init(&store, base, &err), "%s", err.message);
}

static void teardown(void)
{
	store_fini(&store);
	char command[96];
	snprintf(command, sizeof(command), "rm -rf %s", base);
	ck_assert_int_eq(system(command), 0);
}

static void put_file(const char *name, const char *text)
{
	int fd = openat(store.dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static bool has_file(const char *name)
{
	return faccessat(store.dir, name, F_OK, 0) == 0;
}

static void save(const char *name, int value)
{
	struct vmd_error err;
	json_t *def = json_pack("{s:i}", "value", value);
	ck_assert_msg(store_save(&store, name, def, &err), "%s", err.message);
	json_decref(def);
}

static int value_of(const json_t *def)
{
	return (int)json_integer_value(json_object_get(def, "value"));
}

START_TEST(names)
{
	static const char *const good[] = { "a", "A9", "9", "vm-1", "a.b_c-D", "x..", NULL };
	static const char *const bad[] = { "", ".a", "-a", "_a", "a/b", "a b", "..", "\xc3\xa9", "a\n", NULL };
	char longest[STORE_NAME_MAX + 2];
	struct vmd_error err;
	for (const char *const *n = good; *n; n++)
		ck_assert_msg(store_name_check(*n, NULL), "%s", *n);
	for (const char *const *n = bad; *n; n++)
		ck_assert_msg(!store_name_check(*n, &err), "%s", *n);
	ck_assert_int_eq(err.code, VMD_ERR_INVALID);
	ck_assert(err.hint[0]);
	memset(longest, 'x', sizeof(longest));
	longest[STORE_NAME_MAX + 1] = '\0';
	ck_assert(!store_name_check(longest, NULL));
	longest[STORE_NAME_MAX] = '\0';
	ck_assert(store_name_check(longest, NULL));
	save(longest, 1);
}
END_TEST

START_TEST(generations)
{
	struct store_entry e;
	struct vmd_error err;
	ck_assert(!store_load(&store, "a", &e, &err));
	ck_assert_int_eq(err.code, VMD_ERR_NOT_FOUND);
	save("a", 1);
	ck_assert(!has_file("a.json.old"));
	save("a", 2);
	save("a", 3);
	ck_assert(store_load(&store, "a", &e, &err));
	ck_assert(!e.damaged && !e.previous);
	ck_assert_int_eq(value_of(e.definition), 3);
	store_entry_fini(&e);
	json_t *old = store_read_json(store.dir, store.path, "a.json.old", &err);
	ck_assert_int_eq(value_of(old), 2);
	json_decref(old);
	ck_assert(store_delete(&store, "a", &err));
	ck_assert(!has_file("a.json") && !has_file("a.json.old"));
	ck_assert(!store_delete(&store, "a", &err));
	ck_assert_int_eq(err.code, VMD_ERR_NOT_FOUND);
}
END_TEST

START_TEST(damage)
{
	static const char *const bad[] = { "", "{", "[]", "{\"value\": 1, \"value\": 2}", "\x01", "{\"a\": \"\xff\"}", NULL };
	struct vmd_error err;
	for (const char *const *text = bad; *text; text++) {
		struct store_entry e;
		save("a", 1);
		save("a", 2);
		put_file("a.json", *text);
		ck_assert(store_load(&store, "a", &e, &err));
		ck_assert_msg(e.damaged && e.previous, "%s", *text);
		ck_assert_int_eq(value_of(e.definition), 1);
		ck_assert_ptr_nonnull(strstr(e.problem.message, "a.json"));
		ck_assert_ptr_nonnull(strstr(e.problem.hint, "a.json.old"));
		store_entry_fini(&e);
		/* Reading changed nothing; saving keeps the damaged text and the good generation. */
		save("a", 7);
		ck_assert(has_file("a.json.damaged-1"));
		json_t *old = store_read_json(store.dir, store.path, "a.json.old", &err);
		ck_assert_int_eq(value_of(old), 1);
		json_decref(old);
		ck_assert_int_eq(unlinkat(store.dir, "a.json.damaged-1", 0), 0);
		ck_assert(store_delete(&store, "a", &err));
	}
	/* Neither generation: listed all the same, and kept when deleted. */
	struct store_entry e;
	put_file("b.json", "nonsense");
	ck_assert(store_load(&store, "b", &e, &err));
	ck_assert(e.damaged && !e.previous && !e.definition);
	store_entry_fini(&e);
	ck_assert(store_delete(&store, "b", &err));
	ck_assert(has_file("b.json.damaged-1") && !has_file("b.json"));
}
END_TEST

START_TEST(too_large)
{
	struct vmd_error err;
	struct store_entry e;
	save("a", 1);
	char *big = malloc(STORE_FILE_MAX);
	memset(big, 'x', STORE_FILE_MAX);
	json_t *def = json_pack("{s:s%}", "value", big, (size_t)STORE_FILE_MAX - 1);
	free(big);
	ck_assert(!store_save(&store, "a", def, &err));
	ck_assert_int_eq(err.code, VMD_ERR_LIMIT);
	json_decref(def);
	ck_assert(store_load(&store, "a", &e, &err));
	ck_assert_int_eq(value_of(e.definition), 1);
	store_entry_fini(&e);
}
END_TEST

struct scan {
	unsigned n, damaged;
};

static bool on_entry(void *opaque, struct store_entry *entry)
{
	struct scan *s = opaque;
	s->n++;
	s->damaged += entry->damaged;
	store_entry_fini(entry);
	return true;
}

START_TEST(scan)
{
	struct vmd_error err;
	struct scan s = { 0 };
	save("a", 1);
	save("a", 2);
	save("b.json", 1);
	put_file("c.json", "?");
	put_file(".d.json.new", "{}");
	put_file("-e.json", "{}");
	put_file("notes.txt", "");
	ck_assert_int_eq(mkdirat(store.dir, "dir.json", 0700), 0);
	ck_assert(store_scan(&store, on_entry, &s, &err));
	ck_assert_uint_eq(s.n, 4);
	ck_assert_uint_eq(s.damaged, 2);
}
END_TEST

/* A process killed in the midst of saving, many times over: the definition is
 * always there, whole, and one of the two that were being written. */
START_TEST(killed_while_saving)
{
	save("a", 0);
	for (int round = 0; round < 60; round++) {
		pid_t pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			for (int i = 1;; i++) {
				json_t *def = json_pack("{s:i}", "value", i);
				if (!store_save(&store, "a", def, NULL))
					_exit(1);
				json_decref(def);
			}
		}
		usleep((useconds_t)(200 + round * 97));
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		int status;
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status));
		struct store_entry e;
		struct vmd_error err;
		ck_assert_msg(store_load(&store, "a", &e, &err), "%s", err.message);
		ck_assert(!e.damaged);
		store_entry_fini(&e);
		json_t *old = store_read_json(store.dir, store.path, "a.json.old", NULL);
		ck_assert(old || !has_file("a.json.old"));
		json_decref(old);
	}
	save("a", 1);
	ck_assert(!has_file(".a.json.new") && !has_file(".a.json.previous"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("store");
	TCase *tc = tcase_create("store");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, names);
	tcase_add_test(tc, generations);
	tcase_add_test(tc, damage);
	tcase_add_test(tc, too_large);
	tcase_add_test(tc, scan);
	tcase_add_test(tc, killed_while_saving);
	suite_add_tcase(s, tc);
	return suite_run(s, CK_FORK_GETENV);
}
