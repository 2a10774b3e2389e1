/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arm64 Linux "Image" (Documentation/arch/arm64/booting.rst, "Call the
 * kernel image"), and EFI zboot files, which wrap a compressed one.
 *
 *   Image header, little-endian       zboot header
 *   0   code0, code1                  0   "MZ", 4 "zimg"
 *   8   text_offset                   8   payload offset (u32)
 *   16  image_size                    12  payload size (u32)
 *   24  flags                         24  compression, a string of at most 32 bytes
 *   56  "ARM\x64"
 *
 * Thread: any.
 */
#include "loaders/image_priv.h"

#include <inttypes.h>
#include <string.h>

#define HEADER_LEN 64
#define FLAG_BIG_ENDIAN (UINT64_C(1) << 0)
#define KERNEL_ALIGN (UINT64_C(2) << 20)

static bool linux_match(const uint8_t *data, size_t len)
{
	return len >= HEADER_LEN && memcmp(data + 56, "ARM\x64", 4) == 0;
}

static bool linux_parse(struct loaders_image *image, const uint8_t *data, size_t len, const struct loaders_ram *ram,
			struct vmd_error *err)
{
	uint64_t text_offset = loaders_le64(data + 8);
	uint64_t image_size = loaders_le64(data + 16);
	uint64_t flags = loaders_le64(data + 24);

	if (image_size == 0) {
		/* Kernels before 3.17 do not say, and sit at the customary offset. */
		text_offset = LOADERS_DEFAULT_OFFSET;
		image_size = len;
	}
	if (flags & FLAG_BIG_ENDIAN)
		return vmd_error_set(err, VMD_ERR_UNSUPPORTED, 0, "'%s': a big-endian kernel (flags 0x%" PRIx64 " at offset 24)",
				     image->name, flags);
	if (text_offset >= ram->size || image_size > ram->size)
		return vmd_error_set(err, VMD_ERR_INVALID, 0,
				     "'%s': text_offset 0x%" PRIx64 " (at offset 8) and image_size 0x%" PRIx64
				     " (at offset 16) do not fit the machine's RAM of 0x%" PRIx64 " bytes",
				     image->name, text_offset, image_size, ram->size);
	if (len > image_size) {
		/* Only padding or a signature may follow what the kernel calls its own. */
		len = image_size;
	}
	uint64_t base = (ram->base + KERNEL_ALIGN - 1) & ~(KERNEL_ALIGN - 1);
	image->entry = base + text_offset;
	return loaders_image_add(image, ram, image->entry, data, len, image_size, err);
}

const struct loaders_format loaders_linux_image = { "Linux Image", linux_match, linux_parse };

static bool zboot_match(const uint8_t *data, size_t len)
{
	return len >= HEADER_LEN && memcmp(data, "MZ", 2) == 0 && memcmp(data + 4, "zimg", 4) == 0;
}

static bool zboot_parse(struct loaders_image *image, const uint8_t *data, size_t len, const struct loaders_ram *ram,
			struct vmd_error *err)
{
	char method[33] = "";
	memcpy(method, data + 24, 32);
	/* The wrapper only lends its bytes. */
	struct loaders_blob wrapper = { .data = (uint8_t *)data, .len = len, .name = image->name };
	uint8_t *kernel;
	size_t kernel_len;
	if (!loaders_decompress(&wrapper, loaders_le32(data + 8), loaders_le32(data + 12), method, ram->size, &kernel,
				&kernel_len, err) ||
	    !loaders_image_own(image, kernel, err))
		return false;
	if (!linux_match(kernel, kernel_len))
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s': the zboot file does not hold an arm64 Image", image->name);
	return loaders_image_parse_inner(image, kernel, kernel_len, ram, err);
}

const struct loaders_format loaders_efi_zboot = { "EFI zboot", zboot_match, zboot_parse };
