/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PE/COFF files (Microsoft PE format specification).
 *
 * Three things come as PE. A unified kernel image (UAPI specification) holds a
 * kernel, an initrd and a command line as sections: it is taken apart, as its
 * own boot stub would. A native image is placed by its section table, with its
 * base relocations applied, and entered. An EFI application needs firmware to
 * call into, and is refused unless firmware boots it. Thread: any.
 */
#include "loaders/image_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MACHINE_ARM64 0xaa64
#define MAGIC_PE32PLUS 0x20b
#define COFF_LEN 24            /* signature and file header */
#define OPTIONAL_MIN 112       /* up to the data directories */
#define SECTION_LEN 40
#define SUBSYSTEM_EFI_FIRST 10
#define SUBSYSTEM_EFI_LAST 13
#define DIRECTORY_BASERELOC 5
#define RELOC_ABSOLUTE 0
#define RELOC_DIR64 10
#define NATIVE_ALIGN (UINT64_C(2) << 20)

struct pe {
	const struct loaders_image *image;
	const uint8_t *data;
	size_t len;
	uint64_t optional;     /* file offset of the optional header */
	uint64_t sections;     /* file offset of the section table */
	unsigned n_sections;
	uint32_t entry;        /* RVA */
	uint64_t image_base;
	uint32_t image_size;
	uint32_t headers_size;
	uint16_t subsystem;
	uint32_t reloc_rva, reloc_len;
};

struct pe_section {
	char name[9];
	uint32_t virtual_size, rva, raw_len, raw_offset;
};

static bool pe_match(const uint8_t *data, size_t len)
{
	if (len < 64 || memcmp(data, "MZ", 2) != 0)
		return false;
	uint32_t at = loaders_le32(data + 0x3c);
	return loaders_within(at, COFF_LEN, len) && memcmp(data + at, "PE\0\0", 4) == 0;
}

static bool pe_read_headers(struct pe *pe, struct vmd_error *err)
{
	const uint8_t *d = pe->data;
	const char *name = pe->image->name;
	uint32_t at = loaders_le32(d + 0x3c);
	uint16_t machine = loaders_le16(d + at + 4);

	if (machine != MACHINE_ARM64) {
		vmd_error_set(err, VMD_ERR_UNSUPPORTED, 0, "'%s': a PE file for machine 0x%x (offset %u), not for arm64 (0x%x)", name,
			      machine, at + 4, MACHINE_ARM64);
		return vmd_error_hint(err, "use the arm64 build of it");
	}
	uint16_t optional_len = loaders_le16(d + at + 20);
	pe->n_sections = loaders_le16(d + at + 6);
	pe->optional = (uint64_t)at + COFF_LEN;
	pe->sections = pe->optional + optional_len;
	if (optional_len < OPTIONAL_MIN || !loaders_within(pe->optional, optional_len, pe->len) ||
	    !loaders_within(pe->sections, (uint64_t)pe->n_sections * SECTION_LEN, pe->len))
		return vmd_error_set(err, VMD_ERR_INVALID, 0,
				     "'%s': PE headers at offset %" PRIu64 " run past the file's end (%zu bytes)", name, pe->optional,
				     pe->len);
	const uint8_t *o = d + pe->optional;
	if (loaders_le16(o) != MAGIC_PE32PLUS)
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s': PE optional header magic 0x%x (offset %" PRIu64 ") is not PE32+",
				     name, loaders_le16(o), pe->optional);
	pe->entry = loaders_le32(o + 16);
	pe->image_base = loaders_le64(o + 24);
	pe->image_size = loaders_le32(o + 56);
	pe->headers_size = loaders_le32(o + 60);
	pe->subsystem = loaders_le16(o + 68);
	uint32_t n_directories = loaders_le32(o + 108);
	if (n_directories > DIRECTORY_BASERELOC && optional_len >= OPTIONAL_MIN + (DIRECTORY_BASERELOC + 1) * 8) {
		pe->reloc_rva = loaders_le32(o + OPTIONAL_MIN + DIRECTORY_BASERELOC * 8);
		pe->reloc_len = loaders_le32(o + OPTIONAL_MIN + DIRECTORY_BASERELOC * 8 + 4);
	}
	return true;
}

static bool pe_read_section(const struct pe *pe, unsigned i, struct pe_section *ret, struct vmd_error *err)
{
	uint64_t at = pe->sections + (uint64_t)i * SECTION_LEN;
	const uint8_t *s = pe->data + at;
	struct pe_section sec = { .virtual_size = loaders_le32(s + 8), .rva = loaders_le32(s + 12),
				  .raw_len = loaders_le32(s + 16), .raw_offset = loaders_le32(s + 20) };
	memcpy(sec.name, s, 8);
	if (sec.raw_len && !loaders_within(sec.raw_offset, sec.raw_len, pe->len))
		return vmd_error_set(err, VMD_ERR_INVALID, 0,
				     "'%s': PE section %u (header at offset %" PRIu64 "): 0x%x bytes at offset 0x%x run past the "
				     "file's end (0x%zx bytes)",
				     pe->image->name, i, at, sec.raw_len, sec.raw_offset, pe->len);
	*ret = sec;
	return true;
}

/* What the section really holds: the file may pad it, or memory extend it. */
static size_t section_len(const struct pe_section *s)
{
	return s->virtual_size && s->virtual_size < s->raw_len ? s->virtual_size : s->raw_len;
}

/* A unified kernel image: .linux, and maybe .initrd and .cmdline. */
static bool pe_parse_uki(struct loaders_image *image, const struct pe *pe, const struct pe_section *kernel,
			 const struct loaders_ram *ram, struct vmd_error *err)
{
	for (unsigned i = 0; i < pe->n_sections; i++) {
		struct pe_section s;
		if (!pe_read_section(pe, i, &s, err))
			return false;
		if (strcmp(s.name, ".initrd") == 0) {
			image->initrd = pe->data + s.raw_offset;
			image->initrd_len = section_len(&s);
		} else if (strcmp(s.name, ".cmdline") == 0 && !image->cmdline) {
			image->cmdline = strndup((const char *)pe->data + s.raw_offset, section_len(&s));
			if (!image->cmdline)
				return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory while reading '%s'", image->name);
			image->cmdline[strcspn(image->cmdline, "\n")] = '\0';
		}
	}
	const uint8_t *data = pe->data + kernel->raw_offset;
	if (!loaders_linux_image.match(data, section_len(kernel)) && !loaders_efi_zboot.match(data, section_len(kernel)))
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s': its section .linux (offset 0x%x) does not hold an arm64 kernel",
				     image->name, kernel->raw_offset);
	return loaders_image_parse_inner(image, data, section_len(kernel), ram, err);
}

static bool pe_relocate(const struct pe *pe, uint8_t *mem, uint64_t delta, struct vmd_error *err)
{
	const char *name = pe->image->name;
	if (delta == 0)
		return true;
	if (pe->reloc_len == 0)
		return vmd_error_set(err, VMD_ERR_INVALID, 0,
				     "'%s': a PE file for address 0x%" PRIx64 ", outside RAM, with no relocations to move it by", name,
				     pe->image_base);
	uint64_t at = pe->reloc_rva, end = at + pe->reloc_len;
	if (end > pe->image_size)
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s': PE relocations at 0x%x leave the image", name, pe->reloc_rva);
	while (end - at >= 8) {
		uint32_t page = loaders_le32(mem + at), size = loaders_le32(mem + at + 4);
		if (size < 8 || size > end - at)
			return vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s': PE relocation block at 0x%" PRIx64 " has size %u", name, at,
					     size);
		for (uint32_t k = 8; k + 2 <= size; k += 2) {
			uint16_t entry = loaders_le16(mem + at + k);
			uint64_t where = (uint64_t)page + (entry & 0xfff);
			if (entry >> 12 == RELOC_ABSOLUTE)
				continue;
			if (entry >> 12 != RELOC_DIR64 || !loaders_within(where, 8, pe->image_size))
				return vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s': PE relocation 0x%x at 0x%" PRIx64 " is not supported",
						     name, entry, at + k);
			uint64_t v = loaders_le64(mem + where) + delta;
			memcpy(mem + where, &v, 8);
		}
		at += size;
	}
	return true;
}

/* Bare-metal code in a PE container. */
static bool pe_parse_native(struct loaders_image *image, const struct pe *pe, const struct loaders_ram *ram,
			    struct vmd_error *err)
{
	if (pe->image_size == 0 || pe->image_size > ram->size || pe->entry >= pe->image_size ||
	    !loaders_within(0, pe->headers_size, pe->len) || pe->headers_size > pe->image_size)
		return vmd_error_set(err, VMD_ERR_INVALID, 0,
				     "'%s': PE image of 0x%x bytes (headers 0x%x, entry 0x%x) does not fit the file or RAM", image->name,
				     pe->image_size, pe->headers_size, pe->entry);
	uint8_t *mem = calloc(1, pe->image_size);
	if (!mem)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory while loading '%s'", image->name);
	if (!loaders_image_own(image, mem, err))
		return false;
	memcpy(mem, pe->data, pe->headers_size);
	for (unsigned i = 0; i < pe->n_sections; i++) {
		struct pe_section s;
		if (!pe_read_section(pe, i, &s, err))
			return false;
		if (!loaders_within(s.rva, section_len(&s), pe->image_size))
			return vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s': PE section %u at 0x%x leaves the image", image->name, i,
					     s.rva);
		memcpy(mem + s.rva, pe->data + s.raw_offset, section_len(&s));
	}
	uint64_t base = pe->image_base;
	if (base < ram->base || !loaders_within(base - ram->base, pe->image_size, ram->size))
		base = (ram->base + NATIVE_ALIGN - 1) & ~(NATIVE_ALIGN - 1);
	if (!pe_relocate(pe, mem, base - pe->image_base, err))
		return false;
	image->entry = base + pe->entry;
	return loaders_image_add(image, ram, base, mem, pe->image_size, pe->image_size, err);
}

static bool pe_parse(struct loaders_image *image, const uint8_t *data, size_t len, const struct loaders_ram *ram,
		     struct vmd_error *err)
{
	struct pe pe = { .image = image, .data = data, .len = len };
	if (!pe_read_headers(&pe, err))
		return false;
	for (unsigned i = 0; i < pe.n_sections; i++) {
		struct pe_section s;
		if (!pe_read_section(&pe, i, &s, err))
			return false;
		if (strcmp(s.name, ".linux") == 0)
			return pe_parse_uki(image, &pe, &s, ram, err);
	}
	if (pe.subsystem >= SUBSYSTEM_EFI_FIRST && pe.subsystem <= SUBSYSTEM_EFI_LAST) {
		vmd_error_set(err, VMD_ERR_UNSUPPORTED, 0, "'%s': an EFI application (PE subsystem %u), which needs firmware to run on",
			      image->name, pe.subsystem);
		return vmd_error_hint(err, "add --bios with UEFI firmware, for example /usr/share/qemu-efi-aarch64/QEMU_EFI.fd");
	}
	return pe_parse_native(image, &pe, ram, err);
}

const struct loaders_format loaders_pe = { "PE", pe_match, pe_parse };
