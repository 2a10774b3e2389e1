/* SPDX-License-Identifier: BSD-2-Clause */
/* Between image.c and the parsers of the formats. */
#ifndef LOADERS_IMAGE_PRIV_H
#define LOADERS_IMAGE_PRIV_H

#include "loaders/image.h"

struct loaders_format {
	const char *name;
	/* Do these bytes begin a file of this format? */
	bool (*match)(const uint8_t *data, size_t len);
	/* Fills in entry and segments. `data` is owned by the image already. */
	bool (*parse)(struct loaders_image *image, const uint8_t *data, size_t len, const struct loaders_ram *ram,
		      struct vmd_error *err);
};

extern const struct loaders_format loaders_linux_image; /* linux_image.c */
extern const struct loaders_format loaders_efi_zboot;   /* linux_image.c */
extern const struct loaders_format loaders_elf;         /* elf.c */
extern const struct loaders_format loaders_pe;          /* pe.c */
extern const struct loaders_format loaders_uimage;      /* uimage.c */
extern const struct loaders_format loaders_raw;         /* image.c */

/* Parses bytes found inside another format (uImage, zboot, a UKI's .linux). */
bool loaders_image_parse_inner(struct loaders_image *image, const uint8_t *data, size_t len,
			       const struct loaders_ram *ram, struct vmd_error *err);
/* Adds a segment after checking it against RAM and its predecessors. */
bool loaders_image_add(struct loaders_image *image, const struct loaders_ram *ram, uint64_t pa, const uint8_t *data,
		       size_t len, uint64_t memsz, struct vmd_error *err);
/* Gives the image a buffer to free; false when it holds too many (nested archives). */
bool loaders_image_own(struct loaders_image *image, uint8_t *buffer, struct vmd_error *err);

/* Where raw code and Images that do not say go: RAM's start plus this. */
#define LOADERS_DEFAULT_OFFSET UINT64_C(0x80000)

#endif
