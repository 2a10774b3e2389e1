/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * U-Boot's legacy image (mkimage): a big-endian header of 64 bytes.
 *
 *   0 magic  4 header CRC  8 time  12 data size  16 load address  20 entry point
 *   24 data CRC  28 os  29 architecture  30 type  31 compression  32 name
 *
 * Thread: any.
 */
#include "loaders/image_priv.h"

#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#define HEADER_LEN 64
#define MAGIC 0x27051956u
#define ARCH_ARM64 22
#define TYPE_STANDALONE 1
#define TYPE_KERNEL 2
#define TYPE_KERNEL_NOLOAD 14

static const struct {
	uint8_t code;
	const char *method;
} compressions[] = { { 1, "gzip" }, { 6, "zstd" } };

static bool uimage_match(const uint8_t *data, size_t len)
{
	return len >= HEADER_LEN && loaders_be32(data) == MAGIC;
}

static bool uimage_check(const struct loaders_image *image, const uint8_t *data, size_t len, struct vmd_error *err)
{
	uint8_t header[HEADER_LEN];
	memcpy(header, data, sizeof(header));
	memset(header + 4, 0, 4);
	if ((uint32_t)crc32(0, header, HEADER_LEN) != loaders_be32(data + 4))
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s': the uImage header's CRC (offset 4) is wrong", image->name);
	uint32_t size = loaders_be32(data + 12);
	if (!loaders_within(HEADER_LEN, size, len))
		return vmd_error_set(err, VMD_ERR_INVALID, 0,
				     "'%s': cut off: the uImage header (offset 12) says %u bytes of data, %zu are there", image->name,
				     size, len - HEADER_LEN);
	if ((uint32_t)crc32(0, data + HEADER_LEN, size) != loaders_be32(data + 24))
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s': the uImage data's CRC (offset 24) is wrong", image->name);
	if (data[29] != ARCH_ARM64) {
		vmd_error_set(err, VMD_ERR_UNSUPPORTED, 0, "'%s': a uImage for architecture %u (offset 29), not for arm64 (%d)",
			      image->name, data[29], ARCH_ARM64);
		return vmd_error_hint(err, "build it with mkimage -A arm64");
	}
	if (data[30] != TYPE_KERNEL && data[30] != TYPE_KERNEL_NOLOAD && data[30] != TYPE_STANDALONE)
		return vmd_error_set(err, VMD_ERR_UNSUPPORTED, 0, "'%s': a uImage of type %u (offset 30) is not a kernel", image->name,
				     data[30]);
	return true;
}

static bool uimage_parse(struct loaders_image *image, const uint8_t *data, size_t len, const struct loaders_ram *ram,
			 struct vmd_error *err)
{
	if (!uimage_check(image, data, len, err))
		return false;
	const uint8_t *body = data + HEADER_LEN;
	size_t body_len = loaders_be32(data + 12);
	uint8_t compression = data[31];
	if (compression) {
		const char *method = NULL;
		for (size_t i = 0; i < sizeof(compressions) / sizeof(compressions[0]); i++)
			if (compressions[i].code == compression)
				method = compressions[i].method;
		if (!method)
			return vmd_error_set(err, VMD_ERR_UNSUPPORTED, 0,
					     "'%s': a uImage compressed by method %u (offset 31); gzip (1) and zstd (6) are supported",
					     image->name, compression);
		struct loaders_blob wrapper = { .data = (uint8_t *)data, .len = len, .name = image->name };
		uint8_t *out;
		if (!loaders_decompress(&wrapper, HEADER_LEN, body_len, method, ram->size, &out, &body_len, err) ||
		    !loaders_image_own(image, out, err))
			return false;
		body = out;
	}
	if (loaders_linux_image.match(body, body_len) || data[30] == TYPE_KERNEL_NOLOAD)
		/* An Image knows best where it runs. */
		return loaders_image_parse_inner(image, body, body_len, ram, err);
	image->entry = loaders_be32(data + 20);
	return loaders_image_add(image, ram, loaders_be32(data + 16), body, body_len, body_len, err);
}

const struct loaders_format loaders_uimage = { "uImage", uimage_match, uimage_parse };
