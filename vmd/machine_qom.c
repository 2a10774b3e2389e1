/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine as a tree of objects, for qom-list and qom-get:
 *
 *	/machine                            the board
 *	/machine/peripheral/ID              devices with an id of the user's
 *	/machine/unattached/device[N]       the board's own devices
 *	/machine/unattached/cpu[N]          processors
 *	/chardevs/ID                        character devices
 *
 * Thread: I/O.
 */
#include "vmd/machine_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Lists ---- */

static bool add(struct machine_qom_list *l, const char *name, const char *type, const char *description)
{
	if (l->failed)
		return false;
	struct proto_object_property_info *p = realloc(l->items, (l->n + 1) * sizeof(*p));
	if (!p) {
		l->failed = true;
		return false;
	}
	l->items = p;
	p[l->n] = (struct proto_object_property_info){ .name = strdup(name), .type = strdup(type),
						       .description = description ? strdup(description) : NULL };
	l->failed = !p[l->n].name || !p[l->n].type;
	l->n++;
	return !l->failed;
}

void machine_qom_list_fini(struct machine_qom_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		proto_fini(&proto_type_object_property_info, &l->items[i]);
	free(l->items);
	*l = (struct machine_qom_list){ 0 };
}

static bool finish(struct machine_qom_list *l, struct machine_qom_list *ret, struct vmd_error *err)
{
	if (l->failed) {
		machine_qom_list_fini(l);
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	}
	*ret = *l;
	return true;
}

/* ---- Properties of classes ---- */

static const char *const prop_types[] = {
	[DEVICES_PROP_BOOL] = "bool", [DEVICES_PROP_UINT] = "uint64", [DEVICES_PROP_STRING] = "str",
	[DEVICES_PROP_CHARDEV] = "str", [DEVICES_PROP_ENUM] = "str",
};

static void add_class_properties(struct machine_qom_list *l, const struct devices_class *cls)
{
	for (const struct devices_prop *p = cls->props; p && p->name; p++)
		add(l, p->name, prop_types[p->type], p->help);
}

bool machine_qom_class_properties(const char *name, struct machine_qom_list *ret_list, struct vmd_error *err)
{
	const struct devices_class *cls = devices_class_find(name);
	struct machine_qom_list l = { 0 };
	if (!cls)
		return vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "there is no device class '%s'", name);
	add_class_properties(&l, cls);
	return finish(&l, ret_list, err);
}

static json_t *prop_value(const struct devices_device *dev, const struct devices_prop *p)
{
	const void *at = (const char *)dev + p->offset;
	if (p->type == DEVICES_PROP_BOOL)
		return json_boolean(*(const bool *)at);
	if (p->type == DEVICES_PROP_UINT)
		return json_integer((json_int_t)*(const uint64_t *)at);
	const char *text = *(char *const *)at;
	return json_string(text ? text : "");
}

/* ---- The tree ---- */

#define PERIPHERAL "/machine/peripheral"
#define UNATTACHED "/machine/unattached"

/* A device that the user named, not the board. */
static bool is_peripheral(const struct devices_device *dev)
{
	return dev->cls->bus != DEVICES_BUS_NONE;
}

static void device_path(const struct devices_device *dev, size_t i, char *buf, size_t size)
{
	if (is_peripheral(dev))
		snprintf(buf, size, PERIPHERAL "/%s", dev->id);
	else
		snprintf(buf, size, UNATTACHED "/device[%zu]", i);
}

static const struct devices_device *find_device(struct machine *m, const char *path)
{
	const struct devices_device *dev;
	for (size_t i = 0; (dev = board_device_at(m->board, i)); i++) {
		char at[256];
		device_path(dev, i, at, sizeof(at));
		if (strcmp(at, path) == 0)
			return dev;
	}
	return NULL;
}

static void add_children(struct machine *m, struct machine_qom_list *l, const char *parent)
{
	size_t n = strlen(parent);
	const struct devices_device *dev;
	for (size_t i = 0; (dev = board_device_at(m->board, i)); i++) {
		char at[256], type[128];
		device_path(dev, i, at, sizeof(at));
		if (strncmp(at, parent, n) != 0 || at[n] != '/')
			continue;
		snprintf(type, sizeof(type), "child<%s>", dev->cls->name);
		add(l, at + n + 1, type, NULL);
	}
}

static void list_root(struct machine *m, struct machine_qom_list *l)
{
	add(l, "type", "string", NULL);
	add(l, "machine", "child<virt-machine>", NULL);
	add(l, "chardevs", "child<container>", NULL);
}

static void list_machine(struct machine *m, struct machine_qom_list *l)
{
	add(l, "type", "string", NULL);
	add(l, "peripheral", "child<container>", NULL);
	add(l, "unattached", "child<container>", NULL);
}

static void list_peripheral(struct machine *m, struct machine_qom_list *l)
{
	add(l, "type", "string", NULL);
	add_children(m, l, PERIPHERAL);
}

static void list_unattached(struct machine *m, struct machine_qom_list *l)
{
	add(l, "type", "string", NULL);
	for (unsigned i = 0; i < emu_system_n_cpus(board_system(m->board)); i++) {
		char name[32], type[96];
		snprintf(name, sizeof(name), "cpu[%u]", i);
		snprintf(type, sizeof(type), "child<%s-arm-cpu>", emu_system_model(board_system(m->board))->name);
		add(l, name, type, NULL);
	}
	add_children(m, l, UNATTACHED);
}

static void list_chardevs(struct machine *m, struct machine_qom_list *l)
{
	add(l, "type", "string", NULL);
	for (size_t i = 0; i < m->n_chardevs; i++)
		add(l, m->chardevs[i].id, "child<chardev>", NULL);
}

static const struct container {
	const char *path, *type;
	void (*list)(struct machine *m, struct machine_qom_list *l);
} containers[] = {
	{ "/", "container", list_root },
	{ "/machine", "virt-machine", list_machine },
	{ PERIPHERAL, "container", list_peripheral },
	{ UNATTACHED, "container", list_unattached },
	{ "/chardevs", "container", list_chardevs },
};

static const struct container *find_container(const char *path)
{
	for (size_t i = 0; i < sizeof(containers) / sizeof(containers[0]); i++)
		if (strcmp(containers[i].path, path) == 0)
			return &containers[i];
	return NULL;
}

static bool is_cpu(struct machine *m, const char *path)
{
	unsigned i;
	char end;
	return sscanf(path, UNATTACHED "/cpu[%u]%c", &i, &end) == 1 && i < emu_system_n_cpus(board_system(m->board));
}

static struct machine_chardev *find_chardev(struct machine *m, const char *path)
{
	return strncmp(path, "/chardevs/", 10) == 0 ? machine_find_chardev(m, path + 10) : NULL;
}

static bool not_found(const char *path, struct vmd_error *err)
{
	vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "there is no object '%s'", path);
	return vmd_error_hint(err, "'qom-list' of '/' shows where the tree begins");
}

bool machine_qom_list(struct machine *m, const char *path, struct machine_qom_list *ret_list, struct vmd_error *err)
{
	struct machine_qom_list l = { 0 };
	const struct container *c = find_container(path);
	const struct devices_device *dev = find_device(m, path);
	if (c) {
		c->list(m, &l);
	} else if (dev) {
		add(&l, "type", "string", NULL);
		add_class_properties(&l, dev->cls);
	} else if (is_cpu(m, path) || find_chardev(m, path)) {
		add(&l, "type", "string", NULL);
	} else {
		return not_found(path, err);
	}
	return finish(&l, ret_list, err);
}

static json_t *object_type(struct machine *m, const char *path)
{
	const struct container *c = find_container(path);
	const struct devices_device *dev = find_device(m, path);
	char type[96];
	if (c)
		return json_string(c->type);
	if (dev)
		return json_string(dev->cls->name);
	if (find_chardev(m, path))
		return json_string("chardev");
	if (!is_cpu(m, path))
		return NULL;
	snprintf(type, sizeof(type), "%s-arm-cpu", emu_system_model(board_system(m->board))->name);
	return json_string(type);
}

json_t *machine_qom_get(struct machine *m, const char *path, const char *property, struct vmd_error *err)
{
	json_t *type = object_type(m, path);
	if (!type) {
		not_found(path, err);
		return NULL;
	}
	if (strcmp(property, "type") == 0)
		return type;
	json_decref(type);
	const struct devices_device *dev = find_device(m, path);
	const struct devices_prop *p = dev ? devices_prop_find(dev->cls, property) : NULL;
	if (p)
		return prop_value(dev, p);
	vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "'%s' has no property '%s'", path, property);
	return NULL;
}
