/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of kernel formats, and what they share. Thread: any. */
#include "loaders/image_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool raw_match(const uint8_t *data, size_t len)
{
	return true;
}

/* No header to go by: code to be run from its first byte. */
static bool raw_parse(struct loaders_image *image, const uint8_t *data, size_t len, const struct loaders_ram *ram,
		      struct vmd_error *err)
{
	image->entry = ram->base + LOADERS_DEFAULT_OFFSET;
	return loaders_image_add(image, ram, image->entry, data, len, len, err);
}

const struct loaders_format loaders_raw = { "raw binary", raw_match, raw_parse };

/* In the order they are tried: zboot and Image files are PE files too. */
static const struct loaders_format *const formats[] = {
	&loaders_efi_zboot, &loaders_linux_image, &loaders_elf, &loaders_pe, &loaders_uimage, &loaders_raw,
};

bool loaders_image_parse_inner(struct loaders_image *image, const uint8_t *data, size_t len,
			       const struct loaders_ram *ram, struct vmd_error *err)
{
	size_t i = 0;
	while (!formats[i]->match(data, len))
		i++;
	image->format = formats[i]->name;
	return formats[i]->parse(image, data, len, ram, err);
}

bool loaders_image_own(struct loaders_image *image, uint8_t *buffer, struct vmd_error *err)
{
	for (size_t i = 0; i < sizeof(image->buffers) / sizeof(image->buffers[0]); i++)
		if (!image->buffers[i]) {
			image->buffers[i] = buffer;
			return true;
		}
	free(buffer);
	return vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s': kernel formats are nested too deeply", image->name);
}

bool loaders_image_add(struct loaders_image *image, const struct loaders_ram *ram, uint64_t pa, const uint8_t *data,
		       size_t len, uint64_t memsz, struct vmd_error *err)
{
	if (memsz == 0)
		return true;
	if (pa < ram->base || !loaders_within(pa - ram->base, memsz, ram->size)) {
		vmd_error_set(err, VMD_ERR_INVALID, 0,
			      "'%s' (%s) wants 0x%" PRIx64 " bytes at 0x%" PRIx64 ", outside RAM (0x%" PRIx64 " to 0x%" PRIx64 ")",
			      image->name, image->format, memsz, pa, ram->base, ram->base + ram->size - 1);
		return vmd_error_hint(err, pa >= ram->base && pa - ram->base < ram->size ? "give the machine more memory" :
					  "link it for this machine's RAM, which begins at 0x%" PRIx64, ram->base);
	}
	for (unsigned i = 0; i < image->n_segments; i++) {
		const struct loaders_segment *s = &image->segments[i];
		if (pa < s->pa + s->memsz && s->pa < pa + memsz)
			return vmd_error_set(err, VMD_ERR_INVALID, 0,
					     "'%s' (%s): segments at 0x%" PRIx64 " and 0x%" PRIx64 " overlap", image->name,
					     image->format, s->pa, pa);
	}
	if (image->n_segments == LOADERS_MAX_SEGMENTS)
		return vmd_error_set(err, VMD_ERR_LIMIT, 0, "'%s' (%s) has more than %d segments", image->name, image->format,
				     LOADERS_MAX_SEGMENTS);
	image->segments[image->n_segments++] =
		(struct loaders_segment){ .pa = pa, .memsz = memsz, .data = data, .len = len };
	return true;
}

bool loaders_image_parse(struct loaders_blob *file, const struct loaders_ram *ram, struct loaders_image *ret_image,
			 struct vmd_error *err)
{
	struct loaders_image image = { .name = file->name };

	if (!loaders_blob_decompress(file, ram->size, err))
		return false;
	image.buffers[0] = file->data;
	if (!loaders_image_parse_inner(&image, file->data, file->len, ram, err))
		goto fail;
	if (image.n_segments == 0) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s' (%s) has nothing to load", image.name, image.format);
		goto fail;
	}
	*file = (struct loaders_blob){ 0 };
	*ret_image = image;
	return true;
fail:
	/* The file's own bytes and name stay the caller's. */
	image.buffers[0] = NULL;
	image.name = NULL;
	loaders_image_fini(&image);
	return false;
}

void loaders_image_fini(struct loaders_image *image)
{
	for (size_t i = 0; i < sizeof(image->buffers) / sizeof(image->buffers[0]); i++)
		free(image->buffers[i]);
	free(image->cmdline);
	free(image->name);
	*image = (struct loaders_image){ 0 };
}
