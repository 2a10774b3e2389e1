/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel files of every format, turned into segments to be placed in RAM.
 *
 * A format is one row of the table in image.c: a name, a test of the first
 * bytes, and a parser. Compressed files (gzip, zstd) are opened first, so each
 * format may come compressed.
 */
#ifndef LOADERS_IMAGE_H
#define LOADERS_IMAGE_H

#include "loaders/blob.h"

#define LOADERS_MAX_SEGMENTS 64

struct loaders_ram {
	uint64_t base, size; /* bytes; physical */
};

struct loaders_segment {
	uint64_t pa;         /* where it goes */
	uint64_t memsz;      /* bytes it occupies, zero-filled past `len` */
	const uint8_t *data; /* in one of the image's buffers */
	size_t len;
};

struct loaders_image {
	const char *format;  /* "Linux Image", "ELF", ...: static */
	char *name;          /* owned; the file's */
	uint64_t entry;      /* physical */
	unsigned n_segments; /* at least one; none overlap, all lie in RAM */
	struct loaders_segment segments[LOADERS_MAX_SEGMENTS];
	/* A unified kernel image brings these; NULL otherwise. In `buffers`. */
	const uint8_t *initrd;
	size_t initrd_len;
	char *cmdline;       /* owned */
	uint8_t *buffers[4]; /* owned: the file's bytes, and what was decompressed from it */
};

/* Parses a kernel file, which it takes over (the blob is emptied on success).
 * Refused, with file, offset and reason: cut-off files, other architectures,
 * segments that overlap or leave RAM. */
bool loaders_image_parse(struct loaders_blob *file, const struct loaders_ram *ram, struct loaders_image *ret_image,
			 struct vmd_error *err);
void loaders_image_fini(struct loaders_image *image);

#endif
