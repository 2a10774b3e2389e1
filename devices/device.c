/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device framework: the list of classes, properties from text, the life of
 * a device, and bottom halves. See devices/device.h for the rules.
 *
 * Invariants: a property's member always holds a value that its row allows (or
 * the zero of its type when it has no default); a device that is not realized
 * has no region in the memory map.
 */
#include "devices/device.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES_CLASS(symbol) extern const struct devices_class symbol;
#include "devices/classes.def"
#undef DEVICES_CLASS

static const struct devices_class *const classes[] = {
#define DEVICES_CLASS(symbol) &symbol,
#include "devices/classes.def"
#undef DEVICES_CLASS
	NULL,
};

const struct devices_class *devices_class_at(unsigned i)
{
	return i < sizeof(classes) / sizeof(classes[0]) ? classes[i] : NULL;
}

const struct devices_class *devices_class_find(const char *name)
{
	for (unsigned i = 0; classes[i]; i++)
		if (!strcmp(classes[i]->name, name))
			return classes[i];
	return NULL;
}

/* ---- Properties ---- */

const struct devices_prop *devices_prop_find(const struct devices_class *cls, const char *name)
{
	for (const struct devices_prop *p = cls->props; p && p->name; p++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

static bool parse_bool(const char *text, bool *ret_value)
{
	if (!strcmp(text, "on") || !strcmp(text, "true"))
		*ret_value = true;
	else if (!strcmp(text, "off") || !strcmp(text, "false"))
		*ret_value = false;
	else
		return false;
	return true;
}

/* 0, or EINVAL for what is not a number, ERANGE for one beyond 64 bits. */
static int parse_uint(const char *text, uint64_t *ret_value)
{
	unsigned base = 10;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	uint64_t value = 0;
	bool any = false, overflow = false;
	for (;; text++, any = true) {
		unsigned digit;
		if (*text >= '0' && *text <= '9')
			digit = (unsigned)(*text - '0');
		else if (base == 16 && *text >= 'a' && *text <= 'f')
			digit = (unsigned)(*text - 'a') + 10;
		else if (base == 16 && *text >= 'A' && *text <= 'F')
			digit = (unsigned)(*text - 'A') + 10;
		else
			break;
		overflow |= __builtin_mul_overflow(value, (uint64_t)base, &value);
		overflow |= __builtin_add_overflow(value, (uint64_t)digit, &value);
	}
	static const char suffixes[] = "KMGT";
	const char *suffix = *text ? strchr(suffixes, *text >= 'a' ? *text - 'a' + 'A' : *text) : NULL;
	if (suffix) {
		overflow |= __builtin_mul_overflow(value, UINT64_C(1) << (10 * (suffix - suffixes + 1)), &value);
		text++;
	}
	if (!any || *text)
		return EINVAL;
	if (overflow)
		return ERANGE;
	*ret_value = value;
	return 0;
}

static bool is_choice(const char *choices, const char *value)
{
	size_t len = strlen(value);
	for (const char *c = choices; *c;) {
		size_t n = strcspn(c, "|");
		if (n == len && !memcmp(c, value, len))
			return true;
		c += n + (c[n] == '|');
	}
	return false;
}

static bool bad_value(const struct devices_class *cls, const struct devices_prop *prop, const char *value,
		      struct vmd_error *err, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static bool bad_value(const struct devices_class *cls, const struct devices_prop *prop, const char *value,
		      struct vmd_error *err, const char *fmt, ...)
{
	char want[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	vmd_error_set(err, VMD_ERR_INVALID, 0, "%s: property '%s': '%.100s' is not %s", cls->name, prop->name, value,
		      want);
	return vmd_error_hint(err, "give %s=VALUE, where VALUE is %s", prop->name, want);
}

/* The value of BOOL and UINT properties lands in *ret_bool and *ret_uint. */
static bool check_value(const struct devices_class *cls, const struct devices_prop *prop, const char *value,
			bool *ret_bool, uint64_t *ret_uint, struct vmd_error *err)
{
	uint64_t n;
	switch (prop->type) {
	case DEVICES_PROP_BOOL:
		return parse_bool(value, ret_bool) || bad_value(cls, prop, value, err, "'on' or 'off'");
	case DEVICES_PROP_UINT:
		switch (parse_uint(value, &n)) {
		case EINVAL:
			return bad_value(cls, prop, value, err, "a number (decimal, 0x.., or with K, M, G or T)");
		case ERANGE:
			return bad_value(cls, prop, value, err, "a number below 2^64");
		}
		if ((prop->min || prop->max) && (n < prop->min || n > prop->max))
			return bad_value(cls, prop, value, err, "a number from %" PRIu64 " to %" PRIu64, prop->min,
					 prop->max);
		*ret_uint = n;
		return true;
	case DEVICES_PROP_CHARDEV:
		return *value || bad_value(cls, prop, value, err, "the id of a chardev");
	case DEVICES_PROP_ENUM:
		return is_choice(prop->choices, value) || bad_value(cls, prop, value, err, "one of %s", prop->choices);
	case DEVICES_PROP_STRING:
		return true;
	}
	assert(!"a property type without a check");
	return false;
}

bool devices_prop_check(const struct devices_class *cls, const struct devices_prop *prop, const char *value,
			struct vmd_error *err)
{
	bool b;
	uint64_t n;
	return check_value(cls, prop, value, &b, &n, err);
}

static bool set_row(struct devices_device *dev, const struct devices_prop *prop, const char *value,
		    struct vmd_error *err)
{
	bool b = false;
	uint64_t n = 0;
	if (!check_value(dev->cls, prop, value, &b, &n, err))
		return false;
	void *member = (char *)dev + prop->offset;
	switch (prop->type) {
	case DEVICES_PROP_BOOL:
		*(bool *)member = b;
		return true;
	case DEVICES_PROP_UINT:
		*(uint64_t *)member = n;
		return true;
	case DEVICES_PROP_STRING:
	case DEVICES_PROP_CHARDEV:
	case DEVICES_PROP_ENUM:
		break;
	}
	char *copy = strdup(value);
	if (!copy)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "%s: no memory for property '%s'", dev->cls->name,
				     prop->name);
	free(*(char **)member);
	*(char **)member = copy;
	return true;
}

bool devices_set(struct devices_device *dev, const char *name, const char *value, struct vmd_error *err)
{
	if (dev->realized)
		return vmd_error_set(err, VMD_ERR_WRONG_STATE, 0, "%s '%s': property '%s' cannot change any more",
				     dev->cls->name, dev->id, name);
	const struct devices_prop *prop = devices_prop_find(dev->cls, name);
	if (!prop) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "%s has no property '%.100s'", dev->cls->name, name);
		char list[200] = "";
		size_t len = 0;
		for (const struct devices_prop *p = dev->cls->props; p && p->name; p++) {
			int n = snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "", p->name);
			if ((size_t)n >= sizeof(list) - len)
				break;
			len += (size_t)n;
		}
		return vmd_error_hint(err, len ? "its properties are %s" : "it has none", list);
	}
	if (!set_row(dev, prop, value, err))
		return false;
	dev->props_set |= UINT64_C(1) << (prop - dev->cls->props);
	return true;
}

/* ---- Life ---- */

struct devices_device *devices_new(const struct devices_class *cls, const char *id, const struct devices_env *env,
				   struct vmd_error *err)
{
	assert(cls->size >= sizeof(struct devices_device));
	struct devices_device *dev = calloc(1, cls->size);
	if (!dev) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "no memory for a %s", cls->name);
		return NULL;
	}
	dev->cls = cls;
	dev->env = env;
	pthread_mutex_init(&dev->lock, NULL);
	dev->id = strdup(id ? id : cls->name);
	if (!dev->id) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "no memory for a %s", cls->name);
		goto fail;
	}
	for (const struct devices_prop *p = cls->props; p && p->name; p++) {
		assert(p - cls->props < 64);
		if (p->def && !set_row(dev, p, p->def, err))
			goto fail;
	}
	return dev;
fail:
	devices_free(dev);
	return NULL;
}

static void unmap_all(struct devices_device *dev)
{
	while (dev->n_regions)
		emu_mem_remove(dev->env->mem, dev->regions[--dev->n_regions]);
}

bool devices_realize(struct devices_device *dev, struct vmd_error *err)
{
	assert(!dev->realized);
	for (const struct devices_prop *p = dev->cls->props; p && p->name; p++)
		if (p->required && !(dev->props_set >> (p - dev->cls->props) & 1)) {
			vmd_error_set(err, VMD_ERR_INVALID, 0, "%s '%s' needs the property '%s'", dev->cls->name,
				      dev->id, p->name);
			return vmd_error_hint(err, "%s: %s", p->name, p->help);
		}
	if (!dev->cls->realize(dev, err)) {
		unmap_all(dev);
		return false;
	}
	dev->realized = true;
	return true;
}

void devices_reset(struct devices_device *dev)
{
	if (dev->cls->reset)
		dev->cls->reset(dev);
}

void devices_free(struct devices_device *dev)
{
	if (!dev)
		return;
	unmap_all(dev);
	if (dev->realized && dev->cls->unrealize)
		dev->cls->unrealize(dev);
	if (dev->cls->fini)
		dev->cls->fini(dev);
	for (const struct devices_prop *p = dev->cls->props; p && p->name; p++)
		if (p->type != DEVICES_PROP_BOOL && p->type != DEVICES_PROP_UINT)
			free(*(char **)((char *)dev + p->offset));
	pthread_mutex_destroy(&dev->lock);
	free(dev->id);
	free(dev);
}

struct emu_region *devices_map(struct devices_device *dev, const struct emu_region_desc *desc, struct vmd_error *err)
{
	assert(dev->n_regions < DEVICES_MAX_REGIONS);
	struct emu_region *region = emu_mem_add(dev->env->mem, desc, err);
	if (!region) {
		vmd_error_prefix(err, "%s '%s'", dev->cls->name, dev->id);
		return NULL;
	}
	dev->regions[dev->n_regions++] = region;
	return region;
}

struct backends_chardev *devices_get_chardev(struct devices_device *dev, const char *prop, const char *id,
					     struct vmd_error *err)
{
	struct backends_chardev *chr = dev->env->find_chardev(dev->env->opaque, id);
	if (!chr) {
		vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "%s '%s': property '%s': there is no chardev '%s'",
			      dev->cls->name, dev->id, prop, id);
		vmd_error_hint(err, "define it with --chardev id=%s,...", id);
	}
	return chr;
}

void devices_guest_error(struct devices_device *dev, const char *fmt, ...)
{
	if (!dev->env->guest_error)
		return;
	char message[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	dev->env->guest_error(dev->env->opaque, dev->id, message);
}

/* ---- Bottom halves ---- */

/* One reference is the owner's, one belongs to the post that is under way. */
struct devices_bh {
	const struct devices_env *env;
	void (*fn)(void *opaque);
	void *opaque;
	atomic_bool scheduled;
	atomic_uint refs;
	bool freed; /* I/O thread only */
};

static void bh_unref(struct devices_bh *bh)
{
	if (atomic_fetch_sub(&bh->refs, 1) == 1)
		free(bh);
}

static void bh_run(void *arg)
{
	struct devices_bh *bh = arg;
	/* Cleared first: what is scheduled from now on runs once more. */
	atomic_store(&bh->scheduled, false);
	if (!bh->freed)
		bh->fn(bh->opaque);
	bh_unref(bh);
}

struct devices_bh *devices_bh_new(const struct devices_env *env, void (*fn)(void *opaque), void *opaque)
{
	struct devices_bh *bh = calloc(1, sizeof(*bh));
	if (!bh)
		return NULL;
	bh->env = env;
	bh->fn = fn;
	bh->opaque = opaque;
	atomic_init(&bh->refs, 1);
	return bh;
}

void devices_bh_schedule(struct devices_bh *bh)
{
	if (atomic_exchange(&bh->scheduled, true))
		return;
	atomic_fetch_add(&bh->refs, 1);
	bh->env->post(bh->env->opaque, bh_run, bh);
}

void devices_bh_free(struct devices_bh *bh)
{
	if (!bh)
		return;
	bh->freed = true;
	bh_unref(bh);
}
