/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must be true of a definition beyond its schema: that its parts exist and
 * refer to one another, and that this host could run it. Checked when a machine
 * is defined and again before it is started, with no effect on anything.
 *
 * Thread: any.
 */
#include "vmd/broker_priv.h"

#include "devices/device.h"
#include "emu/system.h"
#include "vmd/board.h"
#include "vmd/machine_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

enum { GICV2_CPUS = 8 };

/* The chardev that every machine may name without defining it. */
static const char implied_chardev[] = "serial0";

static bool check_cpu(const struct proto_machine_definition *def, struct vmd_error *err)
{
	const struct emu_cpu_model_info *model;
	char names[200] = "";
	size_t len = 0;
	for (unsigned i = 0; (model = emu_cpu_model_at(i)); i++) {
		if (!strcmp(model->name, def->cpu.model))
			break;
		if (len < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "", model->name);
	}
	if (!model) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "there is no CPU model '%s'", def->cpu.model);
		return vmd_error_hint(err, "models: %s", names);
	}
	if (def->machine.gic_version == PROTO_GIC_VERSION_2 && def->cpus > GICV2_CPUS) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "%llu processors are more than a GICv2 serves (%d)",
			      (unsigned long long)def->cpus, GICV2_CPUS);
		return vmd_error_hint(err, "use --machine virt,gic-version=3");
	}
	return true;
}

static bool check_memory(const struct proto_machine_definition *def, struct vmd_error *err)
{
	struct sysinfo si;
	if (sysinfo(&si) < 0)
		return true;
	uint64_t host = ((uint64_t)si.totalram + si.totalswap) * si.mem_unit;
	if (def->memory <= host)
		return true;
	vmd_error_set(err, VMD_ERR_LIMIT, 0, "memory: %llu MiB are more than this host has (%llu MiB with swap)",
		      (unsigned long long)(def->memory >> 20), (unsigned long long)(host >> 20));
	return vmd_error_hint(err, "ask for less with --memory");
}

static bool check_boot(const struct proto_machine_definition *def, struct vmd_error *err)
{
	const char *what = def->n_initrd ? "initrd" : def->append ? "append" : NULL;
	if (!what || def->kernel)
		return true;
	vmd_error_set(err, VMD_ERR_INVALID, 0, "%s: there is no kernel to give it to", what);
	return vmd_error_hint(err, "name a kernel with --kernel");
}

static bool check_chardevs(const struct broker_dirs *dirs, const struct proto_machine_definition *def,
			   struct vmd_error *err)
{
	char path[256];
	for (size_t i = 0; i < def->n_chardevs; i++) {
		const struct proto_chardev_definition *c = &def->chardevs[i];
		for (size_t j = 0; j < i; j++)
			if (!strcmp(c->id, def->chardevs[j].id))
				return vmd_error_set(err, VMD_ERR_INVALID, 0, "there are two chardevs with the id '%s'", c->id);
		if (c->backend == PROTO_CHARDEV_BACKEND_STDIO) {
			vmd_error_set(err, VMD_ERR_UNSUPPORTED, 0,
				      "chardev '%s': a machine of a daemon has no standard input and output", c->id);
			return vmd_error_hint(err, "use 'null' and attach to it with 'vmctl console'");
		}
		struct backends_chardev_config *config = machine_chardev_config(c, err);
		if (!config)
			return false;
		backends_chardev_config_free(config);
		if (!broker_plan_socket_path(dirs, def->name, c->id, path, sizeof(path), err))
			return false;
	}
	return broker_plan_socket_path(dirs, def->name, NULL, path, sizeof(path), err) &&
	       broker_plan_socket_path(dirs, def->name, implied_chardev, path, sizeof(path), err);
}

static bool chardev_exists(const struct proto_machine_definition *def, const char *id)
{
	for (size_t i = 0; i < def->n_chardevs; i++)
		if (!strcmp(def->chardevs[i].id, id))
			return true;
	return false;
}

/* The users of chardevs: a chardev has one. */
struct users {
	const struct proto_machine_definition *def;
	struct {
		const char *chardev, *user;
	} rows[128];
	size_t n;
};

static bool add_user(struct users *users, const char *chardev, const char *user, bool may_be_implied,
		     struct vmd_error *err)
{
	if (!chardev_exists(users->def, chardev) && !(may_be_implied && !strcmp(chardev, implied_chardev))) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "%s: there is no chardev '%s'", user, chardev);
		return vmd_error_hint(err, "define it: --chardev null,id=%s", chardev);
	}
	for (size_t i = 0; i < users->n; i++)
		if (!strcmp(users->rows[i].chardev, chardev))
			return vmd_error_set(err, VMD_ERR_INVALID, 0, "%s: chardev '%s' is in use by %s already", user, chardev,
					     users->rows[i].user);
	if (users->n == sizeof(users->rows) / sizeof(users->rows[0]))
		return vmd_error_set(err, VMD_ERR_LIMIT, 0, "%s: too many users of chardevs", user);
	users->rows[users->n].chardev = chardev;
	users->rows[users->n++].user = user;
	return true;
}

static bool check_users(const struct proto_machine_definition *def, struct vmd_error *err)
{
	struct users users = { .def = def };
	for (size_t i = 0; i < def->n_serials; i++)
		if (!add_user(&users, def->serials[i], "serial", true, err))
			return false;
	for (size_t i = 0; i < def->n_devices; i++) {
		const struct proto_device_definition *d = &def->devices[i];
		const struct devices_class *cls = devices_class_find(d->driver);
		for (size_t j = 0; cls && j < d->n_props; j++) {
			const struct devices_prop *prop = devices_prop_find(cls, d->props[j].key);
			if (prop && prop->type == DEVICES_PROP_CHARDEV &&
			    !add_user(&users, d->props[j].value, d->id ? d->id : d->driver, false, err))
				return false;
		}
	}
	return true;
}

static bool check_devices(const struct proto_machine_definition *def, struct vmd_error *err)
{
	struct board_device *devices = calloc(def->n_devices + 1, sizeof(*devices));
	if (!devices)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	for (size_t i = 0; i < def->n_devices; i++) {
		const struct proto_device_definition *d = &def->devices[i];
		devices[i] = (struct board_device){ .driver = d->driver, .id = d->id, .bus = d->bus, .props = d->props,
						    .n_props = d->n_props };
	}
	bool ok = board_check_devices(devices, def->n_devices, err);
	free(devices);
	return ok;
}

bool broker_check_definition(const struct broker_dirs *dirs, const struct proto_machine_definition *def,
			     struct vmd_error *err)
{
	return store_name_check(def->name, err) && check_cpu(def, err) && check_memory(def, err) && check_boot(def, err) &&
	       check_chardevs(dirs, def, err) && check_devices(def, err) && check_users(def, err);
}

bool broker_check_complete(const struct proto_machine_definition *def, struct proto_machine_definition *ret,
			   struct vmd_error *err)
{
	struct proto_machine_definition copy;
	bool implied = false;
	for (size_t i = 0; i < def->n_serials; i++)
		implied |= !strcmp(def->serials[i], implied_chardev) && !chardev_exists(def, implied_chardev);
	if (!proto_machine_definition_copy(def, &copy, err))
		return false;
	if (implied) {
		struct proto_chardev_definition *grown = realloc(copy.chardevs, (copy.n_chardevs + 1) * sizeof(*grown));
		char *id = strdup(implied_chardev);
		if (grown)
			copy.chardevs = grown;
		if (!grown || !id) {
			free(id);
			proto_machine_definition_fini(&copy);
			return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		}
		copy.chardevs[copy.n_chardevs++] =
			(struct proto_chardev_definition){ .id = id, .backend = PROTO_CHARDEV_BACKEND_NULL };
	}
	*ret = copy;
	return true;
}
