/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding room in RAM beside the kernel. Thread: any. */
#include "loaders/layout.h"

#include <inttypes.h>

#define INITRD_HINT (UINT64_C(128) << 20) /* leave the kernel room to unpack itself */
#define INITRD_ALIGN UINT64_C(4096)
#define DTB_ALIGN (UINT64_C(2) << 20)

struct range {
	uint64_t start, len;
};

static bool free_at(const struct loaders_ram *ram, const struct loaders_image *image, const struct range *taken,
		    uint64_t start, uint64_t len)
{
	if (start < ram->base || !loaders_within(start - ram->base, len, ram->size))
		return false;
	if (taken && start < taken->start + taken->len && taken->start < start + len)
		return false;
	for (unsigned i = 0; image && i < image->n_segments; i++) {
		const struct loaders_segment *s = &image->segments[i];
		if (start < s->pa + s->memsz && s->pa < start + len)
			return false;
	}
	return true;
}

static uint64_t align_up(uint64_t v, uint64_t align)
{
	return (v + align - 1) & ~(align - 1);
}

/* The hint if it is free, else the lowest free place behind something. */
static bool find_room(const struct loaders_ram *ram, const struct loaders_image *image, const struct range *taken,
		      uint64_t len, uint64_t align, uint64_t hint, uint64_t *ret)
{
	uint64_t best = 0;
	bool found = false;
	for (int i = -2; i < (image ? (int)image->n_segments : 0); i++) {
		uint64_t at = hint;
		if (i == -1)
			at = taken ? align_up(taken->start + taken->len, align) : align_up(ram->base, align);
		else if (i >= 0)
			at = align_up(image->segments[i].pa + image->segments[i].memsz, align);
		if (!free_at(ram, image, taken, at, len) || (found && at >= best))
			continue;
		best = at;
		found = true;
		if (i == -2)
			break;
	}
	if (found)
		*ret = best;
	return found;
}

bool loaders_layout_plan(const struct loaders_ram *ram, const struct loaders_image *image, uint64_t initrd_len,
			 uint64_t dtb_len, struct loaders_layout *ret_layout, struct vmd_error *err)
{
	struct loaders_layout l = { 0 };
	struct range initrd = { 0 };

	if (initrd_len) {
		uint64_t skip = ram->size / 2 < INITRD_HINT ? ram->size / 2 : INITRD_HINT;
		uint64_t hint = align_up(ram->base + skip, INITRD_ALIGN);
		if (!find_room(ram, image, NULL, initrd_len, INITRD_ALIGN, hint, &l.initrd)) {
			vmd_error_set(err, VMD_ERR_LIMIT, 0,
				      "the initrd (%" PRIu64 " KiB) does not fit into RAM (%" PRIu64 " MiB) beside the kernel",
				      (initrd_len + 1023) >> 10, ram->size >> 20);
			return vmd_error_hint(err, "give the machine more memory");
		}
		initrd = (struct range){ l.initrd, initrd_len };
	}
	const struct range *taken = initrd_len ? &initrd : NULL;
	if (dtb_len > LOADERS_DTB_MAX)
		return vmd_error_set(err, VMD_ERR_LIMIT, 0, "the device tree is larger than 2 MiB, which no kernel accepts");
	uint64_t behind = taken ? align_up(initrd.start + initrd.len, DTB_ALIGN) : align_up(ram->base, DTB_ALIGN);
	if (free_at(ram, image, taken, ram->base, dtb_len))
		l.dtb = ram->base;
	else if (!find_room(ram, image, taken, dtb_len, DTB_ALIGN, behind, &l.dtb) &&
		 !find_room(ram, image, taken, dtb_len, INITRD_ALIGN, behind, &l.dtb)) {
		vmd_error_set(err, VMD_ERR_LIMIT, 0, "no room for the device tree in RAM (%" PRIu64 " MiB) beside kernel and initrd",
			      ram->size >> 20);
		return vmd_error_hint(err, "give the machine more memory");
	}
	*ret_layout = l;
	return true;
}
