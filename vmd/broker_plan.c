/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a start needs, opened and made before there is a process: boot files,
 * chardevs' backends, listening sockets, the exit record, the log, and the launch
 * message that says which descriptor is what. All or nothing.
 *
 * Files may be on a file system that does not answer, and a chardev may have to
 * connect, so this runs off the loop and uses its plan only.
 *
 *   machines/NAME/qmp.sock, console.CHARDEV.sock   listening sockets
 *   machines/NAME/exit.json                        the exit record
 *   machines/NAME/definition.json                  what was started
 *   machines/NAME/pid.json                         the process (broker_run.c)
 *   machines/NAME/end.json                         how the last run ended (broker_run.c)
 *
 * Thread: any.
 */
#include "vmd/broker_priv.h"

#include "vmd/machine_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { MACHINE_BACKLOG = 256 };

bool broker_plan_socket_path(const struct broker_dirs *dirs, const char *name, const char *chardev, char *buf,
			     size_t size, struct vmd_error *err)
{
	int n;
	if (chardev)
		n = snprintf(buf, size, "%s/%s/console.%s.sock", dirs->machines, name, chardev);
	else
		n = snprintf(buf, size, "%s/%s/qmp.sock", dirs->machines, name);
	size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	if (n < 0 || (size_t)n > max || (size_t)n >= size) {
		vmd_error_set(err, VMD_ERR_LIMIT, 0, "the path of a socket of machine '%s' would be longer than %zu bytes",
			      name, max);
		return vmd_error_hint(err, "use shorter names, or a shorter --runtime-dir than %s", dirs->runtime);
	}
	return true;
}

/* A file that the guest boots from. */
static int open_boot_file(const char *what, const char *path, struct vmd_error *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		enum vmd_error_code code = errno == ENOENT || errno == ENOTDIR ? VMD_ERR_NOT_FOUND :
					   errno == EACCES ? VMD_ERR_DENIED : VMD_ERR_IO;
		vmd_error_set(err, code, errno, "%s: cannot open %s", what, path);
		if (code == VMD_ERR_DENIED)
			vmd_error_hint(err, "vmd runs as user %u and must be able to read it", (unsigned)geteuid());
		return -1;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		vmd_error_set(err, VMD_ERR_INVALID, 0, "%s: %s is not a regular file", what, path);
		return -1;
	}
	return fd;
}

/* Takes fd into the message; returns its index, -1 on failure. */
static int add_fd(struct broker_plan *plan, int fd, struct vmd_error *err)
{
	if (plan->n_fds == SPAWN_FDS_MAX) {
		close(fd);
		vmd_error_set(err, VMD_ERR_LIMIT, 0, "machine '%s' needs more than %d descriptors", plan->def.name,
			      SPAWN_FDS_MAX);
		return -1;
	}
	plan->fds[plan->n_fds] = fd;
	return (int)plan->n_fds++;
}

static bool add_file(struct broker_plan *plan, json_t *files, const char *what, const char *path, struct vmd_error *err)
{
	if (!path)
		return true;
	int fd = open_boot_file(what, path, err);
	int index = fd < 0 ? -1 : add_fd(plan, fd, err);
	if (index < 0)
		return false;
	json_t *list = json_object_get(files, what);
	if (!list)
		json_object_set_new(files, what, list = json_array());
	json_array_append_new(list, json_integer(index));
	return true;
}

static bool add_files(struct broker_plan *plan, struct vmd_error *err)
{
	const struct proto_machine_definition *def = &plan->def;
	json_t *files = json_object();
	json_object_set_new(plan->message, "files", files);
	if (!add_file(plan, files, "kernel", def->kernel, err) || !add_file(plan, files, "bios", def->bios, err) ||
	    !add_file(plan, files, "dtb", def->dtb, err))
		return false;
	for (size_t i = 0; i < def->n_initrd; i++)
		if (!add_file(plan, files, "initrd", def->initrd[i], err))
			return false;
	return true;
}

static int add_socket(struct broker_plan *plan, const char *chardev, struct vmd_error *err)
{
	char path[256];
	if (!broker_plan_socket_path(plan->dirs, plan->def.name, chardev, path, sizeof(path), err))
		return -1;
	int fd = broker_listen(plan->dirs, path, chardev != NULL, MACHINE_BACKLOG, err);
	return fd < 0 ? -1 : add_fd(plan, fd, err);
}

static bool add_chardev(struct broker_plan *plan, json_t *chardevs, const struct proto_chardev_definition *c,
			struct vmd_error *err)
{
	int fds[2] = { -1, -1 }, index[2] = { -1, -1 };
	struct backends_chardev_config *config = machine_chardev_config(c, err);
	bool ok = config && backends_chardev_open(config, fds, err);
	backends_chardev_config_free(config);
	if (!ok)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		if (fds[i] >= 0 && ok)
			ok = (index[i] = add_fd(plan, fds[i], err)) >= 0;
		else if (fds[i] >= 0)
			close(fds[i]);
	}
	int console = ok ? add_socket(plan, c->id, err) : -1;
	if (console < 0)
		return false;
	json_object_set_new(chardevs, c->id, json_pack("{s:i, s:[i,i]}", "console", console, "backend", index[0], index[1]));
	return true;
}

static bool add_chardevs(struct broker_plan *plan, struct vmd_error *err)
{
	json_t *chardevs = json_object();
	json_object_set_new(plan->message, "chardevs", chardevs);
	for (size_t i = 0; i < plan->def.n_chardevs; i++)
		if (!add_chardev(plan, chardevs, &plan->def.chardevs[i], err))
			return false;
	return true;
}

static bool make_dir(struct broker_plan *plan, struct vmd_error *err)
{
	const struct broker_dirs *dirs = plan->dirs;
	const char *name = plan->def.name;
	broker_plan_remove_dir(dirs, name);
	if (mkdirat(dirs->machines_fd, name, 0700) < 0)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot create the directory %s/%s", dirs->machines, name);
	plan->made_dir = true;
	plan->dir = openat(dirs->machines_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (plan->dir < 0)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot open the directory %s/%s", dirs->machines, name);
	return broker_dirs_share(dirs, plan->dir, 0750, err);
}

static bool add_record(struct broker_plan *plan, struct vmd_error *err)
{
	int fd = openat(plan->dir, "exit.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		plan->exit_fd = openat(plan->dir, "exit.json", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || plan->exit_fd < 0) {
		vmd_error_set(err, VMD_ERR_IO, errno, "cannot create the exit record of machine '%s'", plan->def.name);
		if (fd >= 0)
			close(fd);
		return false;
	}
	int index = add_fd(plan, fd, err);
	if (index < 0)
		return false;
	json_object_set_new(plan->message, "exit", json_integer(index));
	return true;
}

static bool add_definition(struct broker_plan *plan, struct vmd_error *err)
{
	json_t *def = proto_machine_definition_to_json(&plan->def);
	char *text = def ? json_dumps(def, JSON_INDENT(2)) : NULL;
	bool ok = false;
	if (!text)
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	else
		ok = store_write_file(plan->dir, plan->dirs->machines, "definition.json", text, strlen(text), err);
	free(text);
	json_object_set_new(plan->message, "definition", def);
	return ok;
}

bool broker_plan_open(struct broker_plan *plan, struct vmd_error *err)
{
	const struct proto_machine_definition *def = &plan->def;
	plan->dir = plan->exit_fd = plan->log_fd = -1;
	if (!def->kernel && !def->bios) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "machine '%s' has nothing to boot", def->name);
		return vmd_error_hint(err, "give it a kernel (--kernel) or firmware (--bios)");
	}
	plan->message = json_object();
	if (!plan->message)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	/* First what can be wrong about the user's things, then what we make. */
	int qmp = -1;
	if (!add_files(plan, err) || !make_dir(plan, err) || !add_definition(plan, err) || !add_record(plan, err) ||
	    (qmp = add_socket(plan, NULL, err)) < 0 || !add_chardevs(plan, err) ||
	    (plan->log_fd = broker_logs_open(plan->dirs, def->name, err)) < 0) {
		broker_plan_fini(plan);
		return false;
	}
	json_object_set_new(plan->message, "qmp", json_integer(qmp));
	return true;
}

bool broker_plan_probe(const struct proto_machine_definition *def, struct vmd_error *err)
{
	const struct {
		const char *what, *path;
	} files[] = { { "kernel", def->kernel }, { "bios", def->bios }, { "dtb", def->dtb } };
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) + def->n_initrd; i++) {
		bool initrd = i >= sizeof(files) / sizeof(files[0]);
		const char *what = initrd ? "initrd" : files[i].what;
		const char *path = initrd ? def->initrd[i - sizeof(files) / sizeof(files[0])] : files[i].path;
		int fd = path ? open_boot_file(what, path, err) : -1;
		if (path && fd < 0)
			return false;
		if (fd >= 0)
			close(fd);
	}
	return true;
}

void broker_plan_fini(struct broker_plan *plan)
{
	for (size_t i = 0; i < plan->n_fds; i++)
		close(plan->fds[i]);
	plan->n_fds = 0;
	int *fds[] = { &plan->dir, &plan->exit_fd, &plan->log_fd };
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	json_decref(plan->message);
	plan->message = NULL;
	if (plan->made_dir)
		broker_plan_remove_dir(plan->dirs, plan->def.name);
	plan->made_dir = false;
}

void broker_plan_remove_dir(const struct broker_dirs *dirs, const char *name)
{
	int fd = openat(dirs->machines_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (const struct dirent *de; (de = readdir(d));)
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			unlinkat(fd, de->d_name, 0);
	closedir(d);
	unlinkat(dirs->machines_fd, name, AT_REMOVEDIR);
}
