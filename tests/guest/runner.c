/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a bare-metal test: a flat binary at 0x40080000 on a machine of vCPUs,
 * 128 MiB of RAM, a GICv3 where the board "virt" has it, and enough of a PL011
 * to print. What the guest prints goes to standard output. The exit status is 0
 * when the guest powers off, its own on a semihosting exit, 124 after a minute.
 *
 *     runner [-j] [-t] [-v] [-c CPUS] [-m MODEL] [-p N] FILE
 *
 * -j: with the JIT; -t: with the JIT, which has no page arrays; -v: with both engines in lock step; -p: N times as
 * much patience, for storms.
 */
#include "devices/gic.h"
#include "emu/system.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define RAM_BASE 0x40000000u
#define RAM_SIZE (128u << 20)
#define LOAD_AT 0x80000u

static sem_t finished;
static int status;

static bool uart_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value)
{
	*ret_value = offset == 0x18 ? 0x90 : 0; /* the flags: both FIFOs empty */
	return true;
}

static bool uart_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	if (offset == 0 && (char)value != '\r')
		putchar((char)value);
	return true;
}

static const struct emu_mmio_ops uart_ops = { .read = uart_read, .write = uart_write };

static void on_event(void *opaque, unsigned cpu, enum emu_event event, uint64_t value)
{
	status = event == EMU_EVENT_SHUTDOWN ? 0 : event == EMU_EVENT_EXIT ? (int)value : 3;
	sem_post(&finished);
}

static void on_guest_error(void *opaque, const char *message)
{
	if (getenv("GUEST_ERRORS"))
		fprintf(stderr, "%s\n", message);
}

static void on_report(void *opaque, const char *text)
{
	fputs(text, stderr);
}

static void semihost_write(void *opaque, const uint8_t *buf, size_t len)
{
	fwrite(buf, 1, len, stdout);
}

static int semihost_getc(void *opaque)
{
	return -1;
}

static void die(const char *what, const struct vmd_error *err)
{
	fprintf(stderr, "runner: %s: %s\n", what, err->message);
	exit(2);
}

int main(int argc, char **argv)
{
	struct vmd_error err = { .message = "" };
	unsigned n_cpus = 1, patience = 1;
	const char *model = "max";
	int opt;

	enum emu_accel accel = EMU_ACCEL_INTERP;
	unsigned jit_debug = 0;
	while ((opt = getopt(argc, argv, "jtvc:m:p:")) != -1) {
		if (opt == 'c')
			n_cpus = (unsigned)atoi(optarg);
		else if (opt == 'm')
			model = optarg;
		else if (opt == 'p')
			patience = (unsigned)atoi(optarg);
		else if (opt == 'j' || opt == 't')
			accel = EMU_ACCEL_JIT;
		else if (opt == 'v')
			accel = EMU_ACCEL_VERIFY;
		else
			return 2;
		if (opt == 't')
			jit_debug |= EMU_JIT_NO_PAGE_ARRAY;
	}
	if (optind != argc - 1)
		return 2;

	uint8_t *ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	FILE *file = fopen(argv[optind], "rb");
	if (!file || ram == MAP_FAILED || fread(ram + LOAD_AT, 1, RAM_SIZE - LOAD_AT, file) == 0) {
		perror(argv[optind]);
		return 2;
	}
	fclose(file);

	struct emu_mem *mem = emu_mem_new(40, &err);
	struct emu_clock *clock = emu_clock_new(&err);
	const struct emu_region_desc regions[] = {
		{ .name = "ram", .kind = EMU_REGION_RAM, .base = RAM_BASE, .size = RAM_SIZE, .host = ram },
		{ .name = "uart", .kind = EMU_REGION_MMIO, .base = 0x09000000, .size = 0x1000, .ops = &uart_ops },
	};
	for (unsigned i = 0; i < 2; i++) {
		if (!emu_mem_add(mem, &regions[i], &err))
			die("memory", &err);
	}

	struct devices_env env = { .mem = mem, .clock = clock };
	struct devices_device *gic = devices_new(devices_class_find("arm-gicv3"), "gic", &env, &err);
	char number[16];
	snprintf(number, sizeof(number), "%u", n_cpus);
	if (!gic || !devices_set(gic, "num-cpu", number, &err) || !devices_set(gic, "num-irq", "288", &err))
		die("gic", &err);
	gic->wiring.base = 0x08000000;
	devices_gic_set_bases(gic, 0x080a0000);
	struct emu_gic_cpuif cpuif = devices_gicv3_cpuif(gic);
	const struct emu_semihost semihost = { .write = semihost_write, .getc = semihost_getc, .cmdline = "test" };
	const struct emu_system_config config = {
		.cpu_model = model, .accel = accel, .jit_debug = jit_debug, .n_cpus = n_cpus, .mem = mem, .clock = clock,
		.gic_cpuif = &cpuif,
		.semihost = &semihost, .event = on_event, .guest_error = on_guest_error,
		.report = on_report,
	};
	struct emu_system *sys = emu_system_new(&config, &err);
	if (!sys)
		die("system", &err);
	for (unsigned i = 0; i < n_cpus; i++) {
		devices_gic_set_affinity(gic, i, emu_system_mpidr(sys, i));
		devices_gic_connect_cpu(gic, i, emu_system_cpu_line(sys, i, EMU_LINE_IRQ),
			emu_system_cpu_line(sys, i, EMU_LINE_FIQ));
	}
	if (!devices_realize(gic, &err))
		die("gic", &err);
	devices_reset(gic);
	for (unsigned i = 0; i < n_cpus; i++) {
		emu_system_connect(sys, i, EMU_OUT_TIMER_PHYS, devices_gic_ppi(gic, i, 30));
		emu_system_connect(sys, i, EMU_OUT_TIMER_VIRT, devices_gic_ppi(gic, i, 27));
		emu_system_connect(sys, i, EMU_OUT_PMU, devices_gic_ppi(gic, i, 23));
	}
	emu_system_set_boot(sys, &(struct emu_boot){ .pc = RAM_BASE + LOAD_AT, .x[3] = patience });
	sem_init(&finished, 0, 0);
	emu_clock_resume(clock);
	emu_system_resume(sys);

	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60 * patience;
	if (sem_timedwait(&finished, &until)) {
		emu_system_pause(sys);
		for (unsigned i = 0; i < n_cpus; i++) {
			struct emu_regs regs;
			emu_system_get_regs(sys, i, &regs);
			fprintf(stderr, "runner: timeout: cpu %u pc %#lx pstate %#x x0 %#lx x30 %#lx sp %#lx\n", i,
				(unsigned long)regs.pc, regs.pstate, (unsigned long)regs.x[0],
				(unsigned long)regs.x[30], (unsigned long)regs.sp);
		}
		emu_system_resume(sys);
		status = 124;
	}
	fflush(stdout);
	emu_system_free(sys);
	devices_free(gic);
	emu_clock_free(clock);
	emu_mem_free(mem);
	munmap(ram, RAM_SIZE);
	return status;
}
