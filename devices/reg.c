/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers from a table: see devices/reg.h. Thread: the vCPU's that makes the
 * access, under the device's lock.
 */
#include "devices/reg.h"

#include <assert.h>
#include <inttypes.h>

#define PRIMECELL_ID_FIRST 0xfe0
#define PRIMECELL_ID_LAST 0xffc

static unsigned row_count(const struct devices_reg *row)
{
	return row->count ? row->count : 1;
}

static const struct devices_reg *find_row(const struct devices_regs *regs, uint64_t offset, unsigned *ret_i)
{
	for (const struct devices_reg *row = regs->rows; row->name && row->offset <= offset; row++)
		if (offset - row->offset < 4 * row_count(row)) {
			*ret_i = (unsigned)(offset - row->offset) / 4;
			return row;
		}
	return NULL;
}

static uint32_t *row_member(struct devices_device *dev, const struct devices_reg *row, unsigned i)
{
	return row->member ? (uint32_t *)((char *)dev + row->member) + i : NULL;
}

/* The bits of the word that an access covers; what leaves the word is cut. */
static uint32_t lane_mask(uint64_t offset, unsigned size)
{
	uint32_t mask = size >= 4 ? UINT32_MAX : (UINT32_C(1) << (8 * size)) - 1;
	return mask << (8 * (offset & 3));
}

static bool is_id(const struct devices_regs *regs, uint64_t word)
{
	return regs->primecell_id && word >= PRIMECELL_ID_FIRST && word <= PRIMECELL_ID_LAST;
}

uint32_t devices_reg_read(struct devices_device *dev, const struct devices_regs *regs, uint64_t offset, unsigned size)
{
	uint64_t word = offset & ~UINT64_C(3);
	uint32_t value = 0;
	unsigned i;
	const struct devices_reg *row = find_row(regs, word, &i);
	if (row) {
		const uint32_t *member = row_member(dev, row, i);
		value = member ? *member : 0;
		if (row->read)
			value = row->read(dev, i, value);
	} else if (is_id(regs, word)) {
		value = regs->primecell_id[(word - PRIMECELL_ID_FIRST) / 4];
	} else {
		devices_guest_error(dev, "read of %u bytes at 0x%" PRIx64 ", where no register is", size, offset);
	}
	return (value & lane_mask(offset, size)) >> (8 * (offset & 3));
}

void devices_reg_write(struct devices_device *dev, const struct devices_regs *regs, uint64_t offset, unsigned size,
		       uint32_t value)
{
	uint64_t word = offset & ~UINT64_C(3);
	uint32_t lanes = lane_mask(offset, size);
	uint32_t raw = (value << (8 * (offset & 3))) & lanes;
	unsigned i;
	const struct devices_reg *row = find_row(regs, word, &i);
	if (!row || (!row->writable && !row->w1c && !row->write)) {
		devices_guest_error(dev, "write of 0x%" PRIx32 " to %s at 0x%" PRIx64, value,
				    row ? row->name : is_id(regs, word) ? "an ID register" : "nothing", offset);
		return;
	}
	uint32_t *member = row_member(dev, row, i);
	if (member)
		*member = ((*member & ~(row->writable & lanes)) | (raw & row->writable)) & ~(raw & row->w1c);
	if (row->write)
		row->write(dev, i, raw);
}

void devices_reg_reset(struct devices_device *dev, const struct devices_regs *regs)
{
	for (const struct devices_reg *row = regs->rows; row->name; row++)
		for (unsigned i = 0; row->member && i < row_count(row); i++)
			*row_member(dev, row, i) = row->reset;
}

static bool ops_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value)
{
	struct devices_device *dev = opaque;
	*ret_value = devices_reg_read(dev, dev->cls->regs, offset, size);
	return true;
}

static bool ops_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct devices_device *dev = opaque;
	devices_reg_write(dev, dev->cls->regs, offset, size, (uint32_t)value);
	return true;
}

const struct emu_mmio_ops devices_reg_ops = {
	.read = ops_read,
	.write = ops_write,
	.min_size = 1,
	.max_size = 4,
};

bool devices_reg_map(struct devices_device *dev, uint64_t size, struct vmd_error *err)
{
	assert(dev->cls->regs);
	return devices_map(dev,
			   &(struct emu_region_desc){
				   .name = dev->cls->name,
				   .kind = EMU_REGION_MMIO,
				   .base = dev->wiring.base,
				   .size = size,
				   .ops = &devices_reg_ops,
				   .opaque = dev,
				   .lock = &dev->lock,
			   },
			   err) != NULL;
}
