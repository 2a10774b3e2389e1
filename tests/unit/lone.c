/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/unit/lone.h. */
#include "tests/unit/lone.h"

#include <check.h>
#include <string.h>
#include <sys/mman.h>

static bool stop_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct lone *l = opaque;

	if (value == LONE_STOP)
		atomic_fetch_or(&l->cpu->attention, EMU_ATT_STOP);
	return true;
}

static bool stop_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value)
{
	*ret_value = 0x5a5a5a5a5a5a5a5a;
	return true;
}

static const struct emu_mmio_ops stop_ops = { .read = stop_read, .write = stop_write };

void lone_init(struct lone *l, uint64_t ram_base, size_t ram_size)
{
	*l = (struct lone){ .clock = emu_clock_new(NULL), .mem = emu_mem_new(48, NULL), .ram_size = ram_size };
	l->ram = mmap(NULL, ram_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(l->clock && l->mem && l->ram != MAP_FAILED);
	ck_assert(emu_mem_add(l->mem, &(struct emu_region_desc){ .name = "ram", .kind = EMU_REGION_RAM, .base = ram_base,
		.size = ram_size, .host = l->ram }, NULL) != NULL);
	ck_assert(emu_mem_add(l->mem, &(struct emu_region_desc){ .name = "stop", .kind = EMU_REGION_MMIO, .base = LONE_STOP,
		.size = 4096, .ops = &stop_ops, .opaque = l }, NULL) != NULL);
}

void lone_start(struct lone *l, struct emu_system_config config)
{
	struct vmd_error err = { 0 };

	config.cpu_model = "max";
	config.n_cpus = 1;
	config.mem = l->mem;
	config.clock = l->clock;
	l->sys = emu_system_new(&config, &err);
	ck_assert_msg(l->sys != NULL, "%s", err.message);
	l->cpu = &l->sys->vcpus[0]->cpu;
	l->cpu->sys[EMU_SR_CPACR_EL1] = 3 << 20;
}

void lone_fini(struct lone *l)
{
	emu_system_free(l->sys);
	emu_mem_free(l->mem);
	emu_clock_free(l->clock);
	munmap(l->ram, l->ram_size);
}

void lone_put_vectors(struct lone *l, uint32_t at)
{
	static const uint32_t code[] = {
		0xd518d080, /* msr tpidr_el1, x0 */
		0xd2b38b40, /* mov x0, #0x9c5a0000 */
		0xb9000000, /* str w0, [x0] */
		0x14000000, /* b . */
	};
	for (unsigned v = 0; v < 16; v++)
		memcpy(l->ram + at + v * 0x80, code, sizeof(code));
}
