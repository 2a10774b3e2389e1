/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fw_cfg over MMIO ("QEMU Firmware Configuration (fw_cfg) Device"): data at 0,
 * selector at 8 (big-endian), DMA address at 16 (big-endian).
 *
 * All items are read-only to the guest. Files get selectors from 0x20 on in the
 * order of their names, so the directory is sorted; adding one renumbers, which
 * is why they are all added before the guest looks.
 *
 * Thread: registers on vCPU threads, additions on the I/O thread, under dev.lock.
 */
#include "devices/fw_cfg.h"
#include "devices/fdt.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define REGION_SIZE 24
#define OFFSET_SELECTOR 8
#define OFFSET_DMA 16

#define FIRST_FILE 0x20
#define MAX_FILES 256
#define NAME_SIZE 56
#define SELECTOR_WRITE 0x4000 /* asks for writing, once; part of no item's number */

#define ID_TRADITIONAL 1
#define ID_DMA 2

enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };

struct item {
	uint16_t selector;
	char name[NAME_SIZE]; /* of a file, else empty */
	uint8_t *data;
	size_t len;
};

struct fw_cfg {
	struct devices_device dev;
	struct item *items;      /* unordered */
	size_t n_items, n_files;
	uint16_t selected;
	size_t offset;           /* of the next byte of the selected item */
	uint64_t dma_address;    /* its high half, until the low one is written */
};

static struct fw_cfg *fw_cfg_of(struct devices_device *dev)
{
	return (struct fw_cfg *)dev;
}

/* ---- Items ---- */

static struct item *find_item(struct fw_cfg *s, uint16_t selector)
{
	for (size_t i = 0; i < s->n_items; i++)
		if (s->items[i].selector == selector)
			return &s->items[i];
	return NULL;
}

static struct item *find_file(struct fw_cfg *s, const char *name)
{
	for (size_t i = 0; i < s->n_items; i++)
		if (!strcmp(s->items[i].name, name))
			return &s->items[i];
	return NULL;
}

static bool no_memory(struct fw_cfg *s, struct vmd_error *err)
{
	return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "%s '%s': no memory for an item", s->dev.cls->name, s->dev.id);
}

/* Puts a copy of the data into `item`, or into a new one if that is NULL. */
static struct item *store(struct fw_cfg *s, struct item *item, const void *data, size_t len, struct vmd_error *err)
{
	uint8_t *copy = malloc(len ? len : 1);
	if (!copy) {
		no_memory(s, err);
		return NULL;
	}
	if (len)
		memcpy(copy, data, len);
	if (!item) {
		struct item *items = realloc(s->items, (s->n_items + 1) * sizeof(*items));
		if (!items) {
			free(copy);
			no_memory(s, err);
			return NULL;
		}
		s->items = items;
		item = &items[s->n_items++];
		memset(item, 0, sizeof(*item));
	}
	free(item->data);
	item->data = copy;
	item->len = len;
	return item;
}

static bool put_item(struct fw_cfg *s, uint16_t selector, const void *data, size_t len, struct vmd_error *err)
{
	struct item *item = store(s, find_item(s, selector), data, len, err);
	if (item)
		item->selector = selector;
	return item != NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->name, ((const struct item *)b)->name);
}

/* Numbers the files and writes the directory: a count, then size, selector, two
 * bytes of nothing and name of each; big-endian. */
static bool update_directory(struct fw_cfg *s, struct vmd_error *err)
{
	struct entry {
		uint32_t size;
		uint16_t selector, reserved;
		char name[NAME_SIZE];
	};
	struct {
		uint32_t count;
		struct entry files[MAX_FILES];
	} dir = { .count = htobe32((uint32_t)s->n_files) };
	_Static_assert(sizeof(dir.files[0]) == 64, "a directory entry has 64 bytes");
	qsort(s->items, s->n_items, sizeof(s->items[0]), by_name);
	size_t n = 0;
	for (size_t i = 0; i < s->n_items; i++) {
		struct item *item = &s->items[i];
		if (!item->name[0])
			continue;
		item->selector = (uint16_t)(FIRST_FILE + n);
		dir.files[n].size = htobe32((uint32_t)item->len);
		dir.files[n].selector = htobe16(item->selector);
		memcpy(dir.files[n++].name, item->name, NAME_SIZE);
	}
	return put_item(s, FW_CFG_FILE_DIR, &dir, sizeof(dir.count) + n * sizeof(dir.files[0]), err);
}

bool devices_fw_cfg_add_item(struct devices_device *dev, uint16_t selector, const void *data, size_t len,
			     struct vmd_error *err)
{
	assert(selector < FIRST_FILE && selector != FW_CFG_FILE_DIR);
	pthread_mutex_lock(&dev->lock);
	bool ok = put_item(fw_cfg_of(dev), selector, data, len, err);
	pthread_mutex_unlock(&dev->lock);
	return ok;
}

bool devices_fw_cfg_add_u32(struct devices_device *dev, uint16_t selector, uint32_t value, struct vmd_error *err)
{
	uint32_t le = htole32(value);
	return devices_fw_cfg_add_item(dev, selector, &le, sizeof(le), err);
}

static bool add_file(struct fw_cfg *s, const char *name, const void *data, size_t len, struct vmd_error *err)
{
	struct item *item = find_file(s, name);
	if (!item && s->n_files == MAX_FILES)
		return vmd_error_set(err, VMD_ERR_LIMIT, 0, "fw_cfg holds %d files; '%s' is one too many", MAX_FILES,
				     name);
	bool fresh = !item;
	item = store(s, item, data, len, err);
	if (!item)
		return false;
	if (fresh) {
		memcpy(item->name, name, strlen(name));
		s->n_files++;
	}
	return update_directory(s, err);
}

bool devices_fw_cfg_add_file(struct devices_device *dev, const char *name, const void *data, size_t len,
			     struct vmd_error *err)
{
	size_t n = strlen(name);
	if (n == 0 || n >= NAME_SIZE) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "fw_cfg: a file's name has 1 to %d bytes, not %zu: '%.80s'",
			      NAME_SIZE - 1, n, name);
		return vmd_error_hint(err, "use a shorter name, such as opt/NAME");
	}
	if (len > UINT32_MAX)
		return vmd_error_set(err, VMD_ERR_LIMIT, 0, "fw_cfg: file '%s' is larger than 4 GiB", name);
	pthread_mutex_lock(&dev->lock);
	bool ok = add_file(fw_cfg_of(dev), name, data, len, err);
	pthread_mutex_unlock(&dev->lock);
	return ok;
}

/* ---- What the guest does ---- */

static void select_item(struct fw_cfg *s, uint16_t selector)
{
	s->selected = selector & (uint16_t)~SELECTOR_WRITE;
	s->offset = 0;
}

/* The selected item's bytes from the current offset, at most `len`. */
static const uint8_t *rest(struct fw_cfg *s, size_t len, size_t *ret_len)
{
	const struct item *item = find_item(s, s->selected);
	if (!item || s->offset >= item->len) {
		*ret_len = 0;
		return NULL;
	}
	*ret_len = item->len - s->offset < len ? item->len - s->offset : len;
	return item->data + s->offset;
}

static void advance(struct fw_cfg *s, size_t len)
{
	if (__builtin_add_overflow(s->offset, len, &s->offset))
		s->offset = SIZE_MAX;
}

/* Bytes come out in order, whatever the width; zeros past the item's end. */
static uint64_t read_data(struct fw_cfg *s, unsigned size)
{
	uint64_t value = 0;
	size_t len;
	const uint8_t *data = rest(s, size, &len);
	for (size_t i = 0; i < len; i++)
		value |= (uint64_t)data[i] << 8 * i;
	advance(s, size);
	return value;
}

static bool dma_read_item(struct fw_cfg *s, uint64_t pa, uint32_t len)
{
	static const uint8_t zeros[4096];
	size_t n;
	const uint8_t *data = rest(s, len, &n);
	if (n && !emu_mem_dma_write(s->dev.env->mem, pa, data, n))
		return false;
	for (size_t done = n; done < len; done += n) {
		n = len - done < sizeof(zeros) ? len - done : sizeof(zeros);
		if (!emu_mem_dma_write(s->dev.env->mem, pa + done, zeros, n))
			return false;
	}
	advance(s, len);
	return true;
}

/* Obeys the FWCfgDmaAccess structure in the guest's memory. */
static void run_dma(struct fw_cfg *s, uint64_t pa)
{
	struct {
		uint32_t control, length;
		uint64_t address;
	} access;
	if (!emu_mem_dma_read(s->dev.env->mem, pa, &access, sizeof(access))) {
		devices_guest_error(&s->dev, "the DMA structure is not in RAM");
		return;
	}
	uint32_t control = be32toh(access.control), length = be32toh(access.length);
	bool ok = true;
	if (control & DMA_SELECT)
		select_item(s, (uint16_t)(control >> 16));
	if (control & DMA_READ)
		ok = dma_read_item(s, be64toh(access.address), length);
	else if (control & DMA_WRITE)
		ok = length == 0; /* no item can be written */
	else if (control & DMA_SKIP)
		advance(s, length);
	if (!ok)
		devices_guest_error(&s->dev, "DMA of %u bytes at 0x%llx refused", length,
				    (unsigned long long)be64toh(access.address));
	uint32_t result = htobe32(ok ? 0 : DMA_ERROR);
	if (!emu_mem_dma_write(s->dev.env->mem, pa, &result, sizeof(result)))
		devices_guest_error(&s->dev, "the DMA structure is in memory that cannot be written");
}

/* ---- Registers ---- */

static bool ops_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value)
{
	static const uint8_t dma_signature[8] = "QEMU CFG";
	struct fw_cfg *s = opaque;
	uint64_t value = 0;
	if (offset < OFFSET_SELECTOR)
		value = read_data(s, size);
	else if (offset >= OFFSET_DMA)
		for (unsigned i = 0; i < size && offset - OFFSET_DMA + i < sizeof(dma_signature); i++)
			value |= (uint64_t)dma_signature[offset - OFFSET_DMA + i] << 8 * i;
	*ret_value = value;
	return true;
}

static bool ops_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct fw_cfg *s = opaque;
	if (offset == OFFSET_SELECTOR && size == 2) {
		select_item(s, be16toh((uint16_t)value));
	} else if (offset == OFFSET_DMA && size == 8) {
		s->dma_address = 0;
		run_dma(s, be64toh(value));
	} else if (offset == OFFSET_DMA && size == 4) {
		s->dma_address = (uint64_t)be32toh((uint32_t)value) << 32;
	} else if (offset == OFFSET_DMA + 4 && size == 4) {
		uint64_t pa = s->dma_address | be32toh((uint32_t)value);
		s->dma_address = 0;
		run_dma(s, pa);
	} else {
		devices_guest_error(&s->dev, "write of %u bytes at %u", size, (unsigned)offset);
	}
	return true;
}

static const struct emu_mmio_ops ops = { .read = ops_read, .write = ops_write };

/* ---- Life ---- */

static void reset(struct devices_device *dev)
{
	struct fw_cfg *s = fw_cfg_of(dev);
	pthread_mutex_lock(&dev->lock);
	select_item(s, FW_CFG_SIGNATURE);
	s->dma_address = 0;
	pthread_mutex_unlock(&dev->lock);
}

static bool realize(struct devices_device *dev, struct vmd_error *err)
{
	struct fw_cfg *s = fw_cfg_of(dev);
	const struct emu_region_desc desc = {
		.name = dev->cls->name,
		.kind = EMU_REGION_MMIO,
		.base = dev->wiring.base,
		.size = REGION_SIZE,
		.ops = &ops,
		.opaque = s,
		.lock = &dev->lock,
	};
	return put_item(s, FW_CFG_SIGNATURE, "QEMU", 4, err) &&
	       devices_fw_cfg_add_u32(dev, FW_CFG_ID, ID_TRADITIONAL | ID_DMA, err) && update_directory(s, err) &&
	       devices_map(dev, &desc, err);
}

static void fini(struct devices_device *dev)
{
	struct fw_cfg *s = fw_cfg_of(dev);
	for (size_t i = 0; i < s->n_items; i++)
		free(s->items[i].data);
	free(s->items);
}

static bool add_node(struct devices_device *dev, void *fdt, const struct devices_fdt *ctx, struct vmd_error *err)
{
	const uint64_t reg[][2] = { { dev->wiring.base, REGION_SIZE } };
	struct devices_node node = devices_node_open(fdt, "fw-cfg", dev->wiring.base);
	devices_node_strings(&node, "compatible", "qemu,fw-cfg-mmio\0");
	devices_node_reg(&node, reg, 1);
	devices_node_empty(&node, "dma-coherent");
	return devices_node_close(&node, err);
}

const struct devices_class devices_fw_cfg_class = {
	.name = "fw_cfg_mem",
	.summary = "firmware configuration, memory-mapped",
	.size = sizeof(struct fw_cfg),
	.realize = realize,
	.reset = reset,
	.fini = fini,
	.fdt = add_node,
};
