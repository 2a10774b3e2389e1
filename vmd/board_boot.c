/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Being the machine's boot loader: reads the boot files, puts them where their
 * formats' boot protocols say, and sets where vCPU 0 begins.
 *
 *   --bios only       ROM at 0 gets control; the tree is at the start of RAM
 *   --kernel only     the kernel gets control, x0 = the tree
 *   both              ROM gets control; kernel, initrd and command line are
 *                     handed over through fw_cfg
 *   neither           whatever is in flash gets control (erased flash: nothing)
 *
 * Runs at every power-on and reset, so a reset boots what a power-on would.
 * Thread: I/O, vCPUs paused.
 */
#include "vmd/board_priv.h"

#include "devices/flash.h"
#include "devices/fw_cfg.h"
#include "loaders/fdt.h"

#include <errno.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define CMDLINE_MAX 65536

static bool read_file(const struct board_file *file, uint64_t max, struct loaders_blob *ret, struct vmd_error *err)
{
	/* fw_cfg speaks of sizes in 32 bits. */
	if (max > UINT32_MAX)
		max = UINT32_MAX;
	/* A pipe cannot be read twice, and says so at the first reset. */
	if (lseek(file->fd, 0, SEEK_SET) < 0 && errno != ESPIPE)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot read '%s'", file->name);
	return loaders_blob_read(file->fd, file->name, max, ret, err);
}

/* All initrds, one behind the other, each on a 4-byte boundary as cpio wants. */
static bool read_initrds(const struct board *b, struct loaders_blob *ret, struct vmd_error *err)
{
	struct loaders_blob all = { 0 };
	for (size_t i = 0; i < b->config.n_initrds; i++) {
		struct loaders_blob one = { 0 };
		if (!read_file(&b->config.initrds[i], b->config.ram_size - all.len, &one, err))
			goto fail;
		if (!all.data) {
			all = one;
			continue;
		}
		size_t at = (all.len + 3) & ~(size_t)3;
		uint8_t *p = realloc(all.data, at + one.len);
		if (!p) {
			loaders_blob_fini(&one);
			vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory while reading '%s'", b->config.initrds[i].name);
			goto fail;
		}
		memset(p + all.len, 0, at - all.len);
		memcpy(p + at, one.data, one.len);
		all.data = p;
		all.len = at + one.len;
		loaders_blob_fini(&one);
	}
	*ret = all;
	return true;
fail:
	loaders_blob_fini(&all);
	return false;
}

static void *open_fdt(struct board *b, struct vmd_error *err)
{
	if (b->config.dtb.fd < 0)
		return board_fdt_build(b, err);
	struct loaders_blob file;
	if (!read_file(&b->config.dtb, LOADERS_DTB_MAX, &file, err))
		return NULL;
	void *fdt = loaders_fdt_open(&file, err);
	loaders_blob_fini(&file);
	if (fdt && !loaders_fdt_set_memory(fdt, BOARD_RAM, b->config.ram_size, err)) {
		free(fdt);
		return NULL;
	}
	return fdt;
}

static void put(struct board *b, uint64_t pa, const void *data, size_t len, uint64_t memsz)
{
	uint8_t *at = (uint8_t *)b->ram + (pa - BOARD_RAM);
	memcpy(at, data, len);
	memset(at + len, 0, memsz - len);
}

/* Finishes the tree and places it; `chosen->seed` is filled in here. */
static bool place_fdt(struct board *b, void *fdt, uint64_t pa, struct loaders_chosen *chosen, struct vmd_error *err)
{
	uint8_t seed[LOADERS_SEED_LEN];
	if (getrandom(seed, sizeof(seed), 0) == (ssize_t)sizeof(seed))
		chosen->seed = seed;
	if (!loaders_fdt_set_chosen(fdt, chosen, err))
		return false;
	fdt_pack(fdt);
	put(b, pa, fdt, fdt_totalsize(fdt), fdt_totalsize(fdt));
	return true;
}

static bool boot_firmware(struct board *b, void *fdt, const struct loaders_ram *ram, struct vmd_error *err)
{
	struct loaders_layout layout;
	if (!loaders_layout_plan(ram, NULL, 0, fdt_totalsize(fdt), &layout, err))
		return false;
	struct loaders_chosen chosen = { .bootargs = b->config.append };
	if (!place_fdt(b, fdt, layout.dtb, &chosen, err))
		return false;
	struct emu_boot boot = { .pc = BOARD_FLASH0, .x = { layout.dtb } };
	emu_system_set_boot(b->system, &boot);
	return true;
}

static bool boot_kernel(struct board *b, void *fdt, const struct loaders_ram *ram, struct loaders_image *image,
			const struct loaders_blob *initrd, struct vmd_error *err)
{
	const uint8_t *initrd_data = initrd->data ? initrd->data : image->initrd;
	size_t initrd_len = initrd->data ? initrd->len : image->initrd_len;
	struct loaders_layout layout;
	if (!loaders_layout_plan(ram, image, initrd_len, fdt_totalsize(fdt), &layout, err))
		return false;
	for (unsigned i = 0; i < image->n_segments; i++) {
		const struct loaders_segment *s = &image->segments[i];
		put(b, s->pa, s->data, s->len, s->memsz);
	}
	if (initrd_len)
		put(b, layout.initrd, initrd_data, initrd_len, initrd_len);
	struct loaders_chosen chosen = {
		.bootargs = b->config.append ? b->config.append : image->cmdline,
		.initrd = layout.initrd,
		.initrd_len = initrd_len,
	};
	if (!place_fdt(b, fdt, layout.dtb, &chosen, err))
		return false;
	struct emu_boot boot = { .pc = image->entry, .x = { layout.dtb } };
	emu_system_set_boot(b->system, &boot);
	return true;
}

/* What firmware finds in fw_cfg when it is to boot a kernel for us. */
static bool offer_kernel(struct board *b, const struct loaders_blob *kernel, const struct loaders_blob *initrd,
			 struct vmd_error *err)
{
	struct devices_device *fw = b->fw_cfg;
	const char *cmdline = b->config.append;
	if (!devices_fw_cfg_add_u32(fw, FW_CFG_KERNEL_SIZE, (uint32_t)kernel->len, err) ||
	    !devices_fw_cfg_add_item(fw, FW_CFG_KERNEL_DATA, kernel->data, kernel->len, err))
		return false;
	if (initrd->data && (!devices_fw_cfg_add_u32(fw, FW_CFG_INITRD_SIZE, (uint32_t)initrd->len, err) ||
			     !devices_fw_cfg_add_item(fw, FW_CFG_INITRD_DATA, initrd->data, initrd->len, err)))
		return false;
	return !cmdline || (devices_fw_cfg_add_u32(fw, FW_CFG_CMDLINE_SIZE, (uint32_t)strlen(cmdline) + 1, err) &&
			    devices_fw_cfg_add_item(fw, FW_CFG_CMDLINE_DATA, cmdline, strlen(cmdline) + 1, err));
}

static bool load_bios(struct board *b, struct vmd_error *err)
{
	struct loaders_blob bios;
	if (!read_file(&b->config.bios, BOARD_FLASH_SIZE, &bios, err))
		return false;
	bool ok = devices_flash_load(b->flash[0], bios.data, bios.len, err);
	loaders_blob_fini(&bios);
	return ok;
}

bool board_boot_load(struct board *b, struct vmd_error *err)
{
	const struct board_config *c = &b->config;
	struct loaders_ram ram = { .base = BOARD_RAM, .size = c->ram_size };
	struct loaders_blob kernel = { 0 }, initrd = { 0 };
	struct loaders_image image = { 0 };
	void *fdt = NULL;
	bool ok = false;

	if (c->append && strlen(c->append) >= CMDLINE_MAX)
		return vmd_error_set(err, VMD_ERR_LIMIT, 0, "the kernel command line is longer than %d bytes", CMDLINE_MAX - 1);
	if (!devices_fw_cfg_add_u32(b->fw_cfg, FW_CFG_NB_CPUS, c->n_cpus, err) ||
	    !devices_fw_cfg_add_u32(b->fw_cfg, FW_CFG_MAX_CPUS, c->n_cpus, err))
		goto out;
	fdt = open_fdt(b, err);
	if (!fdt || (c->bios.fd >= 0 && !load_bios(b, err)) || !read_initrds(b, &initrd, err))
		goto out;
	if (c->kernel.fd < 0) {
		ok = boot_firmware(b, fdt, &ram, err);
		goto out;
	}
	if (!read_file(&c->kernel, c->ram_size, &kernel, err))
		goto out;
	if (c->bios.fd >= 0) {
		ok = loaders_blob_decompress(&kernel, c->ram_size, err) && offer_kernel(b, &kernel, &initrd, err) &&
		     boot_firmware(b, fdt, &ram, err);
	} else {
		ok = loaders_image_parse(&kernel, &ram, &image, err) && boot_kernel(b, fdt, &ram, &image, &initrd, err);
	}
out:
	if (ok) {
		free(b->fdt);
		b->fdt = fdt;
	} else {
		free(fdt);
	}
	loaders_image_fini(&image);
	loaders_blob_fini(&kernel);
	loaders_blob_fini(&initrd);
	return ok;
}

const void *board_fdt(const struct board *b, size_t *ret_len)
{
	*ret_len = fdt_totalsize(b->fdt);
	return b->fdt;
}
