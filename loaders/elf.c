/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF executables (System V ABI, "ELF for the Arm 64-bit Architecture"):
 * program headers of type PT_LOAD go to their physical addresses. Thread: any.
 */
#include "loaders/image_priv.h"

#include <elf.h>
#include <inttypes.h>
#include <string.h>

static bool elf_match(const uint8_t *data, size_t len)
{
	return len >= EI_NIDENT && memcmp(data, ELFMAG, SELFMAG) == 0;
}

static bool elf_check_header(const struct loaders_image *image, const uint8_t *data, size_t len, Elf64_Ehdr *ret_ehdr,
			     struct vmd_error *err)
{
	if (data[EI_CLASS] == ELFCLASS32) {
		vmd_error_set(err, VMD_ERR_UNSUPPORTED, 0,
			      "'%s': a 32-bit ELF file (byte 4 is 1); this machine's processors begin in AArch64", image->name);
		return vmd_error_hint(err, "build it for aarch64");
	}
	if (data[EI_CLASS] != ELFCLASS64 || data[EI_DATA] != ELFDATA2LSB)
		return vmd_error_set(err, VMD_ERR_UNSUPPORTED, 0,
				     "'%s': ELF class %u, data encoding %u (bytes 4 and 5): only 64-bit little-endian files run here",
				     image->name, data[EI_CLASS], data[EI_DATA]);
	if (len < sizeof(*ret_ehdr))
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s': cut off within the ELF header, at offset %zu", image->name, len);
	memcpy(ret_ehdr, data, sizeof(*ret_ehdr));
	if (ret_ehdr->e_machine != EM_AARCH64) {
		vmd_error_set(err, VMD_ERR_UNSUPPORTED, 0, "'%s': an ELF file for machine %u (offset 18), not for AArch64 (183)",
			      image->name, ret_ehdr->e_machine);
		return vmd_error_hint(err, "build it for aarch64");
	}
	if (ret_ehdr->e_type != ET_EXEC && ret_ehdr->e_type != ET_DYN)
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s': ELF type %u (offset 16) is not an executable", image->name,
				     ret_ehdr->e_type);
	if (ret_ehdr->e_phentsize != sizeof(Elf64_Phdr) ||
	    !loaders_within(ret_ehdr->e_phoff, (uint64_t)ret_ehdr->e_phnum * sizeof(Elf64_Phdr), len))
		return vmd_error_set(err, VMD_ERR_INVALID, 0,
				     "'%s': %u program headers at offset %" PRIu64 " run past the file's end (%zu bytes)", image->name,
				     ret_ehdr->e_phnum, (uint64_t)ret_ehdr->e_phoff, len);
	return true;
}

static bool elf_parse(struct loaders_image *image, const uint8_t *data, size_t len, const struct loaders_ram *ram,
		      struct vmd_error *err)
{
	Elf64_Ehdr ehdr;
	if (!elf_check_header(image, data, len, &ehdr, err))
		return false;
	image->entry = ehdr.e_entry;
	for (unsigned i = 0; i < ehdr.e_phnum; i++) {
		Elf64_Phdr ph;
		uint64_t at = ehdr.e_phoff + (uint64_t)i * sizeof(ph);
		memcpy(&ph, data + at, sizeof(ph));
		if (ph.p_type != PT_LOAD)
			continue;
		if (!loaders_within(ph.p_offset, ph.p_filesz, len) || ph.p_filesz > ph.p_memsz)
			return vmd_error_set(err, VMD_ERR_INVALID, 0,
					     "'%s': program header %u (offset %" PRIu64 "): 0x%" PRIx64 " bytes at offset 0x%" PRIx64
					     " run past the file's end (0x%zx bytes) or their own size in memory",
					     image->name, i, at, (uint64_t)ph.p_filesz, (uint64_t)ph.p_offset, len);
		if (!loaders_image_add(image, ram, ph.p_paddr, data + ph.p_offset, ph.p_filesz, ph.p_memsz, err))
			return false;
		/* The entry is a virtual address; it begins with the MMU off. */
		if (ehdr.e_entry >= ph.p_vaddr && ehdr.e_entry - ph.p_vaddr < ph.p_memsz)
			image->entry = ehdr.e_entry - ph.p_vaddr + ph.p_paddr;
	}
	return true;
}

const struct loaders_format loaders_elf = { "ELF", elf_match, elf_parse };
