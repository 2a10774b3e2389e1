/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file's bytes in memory, with the name that messages call it by.
 *
 * Kernels, initrds and firmware are hostile input: everything here checks
 * before it reads, and every message names the file, the offset and the reason.
 */
#ifndef LOADERS_BLOB_H
#define LOADERS_BLOB_H

#include "protocol/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loaders_blob {
	uint8_t *data; /* owned, malloc'ed */
	size_t len;
	char *name;    /* owned; the path the user gave */
};

/* Reads a whole regular file or pipe from `fd` (its offset moves; not closed).
 * Refused when empty or longer than `max` bytes. */
bool loaders_blob_read(int fd, const char *name, size_t max, struct loaders_blob *ret_blob, struct vmd_error *err);
/* Frees the contents; harmless on a zeroed blob. */
void loaders_blob_fini(struct loaders_blob *blob);

/* Replaces a gzip or zstd file by what it holds (at most `max` bytes); leaves
 * any other as it is. */
bool loaders_blob_decompress(struct loaders_blob *blob, size_t max, struct vmd_error *err);
/* The same for `len` bytes at `offset` of a blob, into new memory. `method` is
 * "gzip" or "zstd". */
bool loaders_decompress(const struct loaders_blob *blob, size_t offset, size_t len, const char *method, size_t max,
			uint8_t **ret_data, size_t *ret_len, struct vmd_error *err);

/* Unaligned loads, little- and big-endian. */
static inline uint16_t loaders_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t loaders_le32(const uint8_t *p)
{
	return (uint32_t)loaders_le16(p) | (uint32_t)loaders_le16(p + 2) << 16;
}

static inline uint64_t loaders_le64(const uint8_t *p)
{
	return (uint64_t)loaders_le32(p) | (uint64_t)loaders_le32(p + 4) << 32;
}

static inline uint32_t loaders_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* True if [offset, offset+len) lies within `size` bytes. */
static inline bool loaders_within(uint64_t offset, uint64_t len, uint64_t size)
{
	return offset <= size && len <= size - offset;
}

#endif
