/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which accelerator a system gets where the host forbids something, and that it
 * runs. The test's process forks for each test (libcheck), so that a restriction
 * ends with it.
 */
#include "emu/system.h"
#include "tests/unit/suite.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

#define RAM_BASE UINT64_C(0x40000000)
#define RAM_SIZE (1u << 20)

static struct emu_mem *mem;
static struct emu_clock *clk;
static uint8_t *ram;

static void setup(void)
{
	static const uint32_t code[] = {
		0xd2800540, /* mov x0, #42 */
		0x91000421, /* add x1, x1, #1 */
		0x17ffffff, /* b . - 4 */
	};

	mem = emu_mem_new(40, NULL);
	clk = emu_clock_new(NULL);
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(mem && clk && ram != MAP_FAILED);
	memcpy(ram, code, sizeof(code));
	ck_assert(emu_mem_add(mem, &(struct emu_region_desc){ .name = "ram", .kind = EMU_REGION_RAM, .base = RAM_BASE,
		.size = RAM_SIZE, .host = ram }, NULL) != NULL);
}

static void teardown(void)
{
	emu_mem_free(mem);
	emu_clock_free(clk);
	munmap(ram, RAM_SIZE);
}

static struct emu_system *make(enum emu_accel accel, unsigned n_cpus, struct vmd_error *err)
{
	const struct emu_system_config config = { .cpu_model = "max", .accel = accel, .n_cpus = n_cpus, .mem = mem, .clock = clk };

	return emu_system_new(&config, err);
}

/* Whether the vCPU executes; frees the system. */
static void run(struct emu_system *sys)
{
	struct emu_regs regs;

	emu_system_set_boot(sys, &(struct emu_boot){ .pc = RAM_BASE });
	emu_system_resume(sys);
	for (unsigned i = 0; i < 10000 && emu_system_retired(sys, 0) < 1000; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	emu_system_pause(sys);
	emu_system_get_regs(sys, 0, &regs);
	ck_assert_uint_eq(regs.x[0], 42);
	ck_assert_uint_gt(regs.x[1], 100);
	emu_system_free(sys);
}

/* From now on the system call fails with EPERM if (argument & mask) == value. */
static void forbid(unsigned nr, unsigned arg, uint32_t mask, uint32_t value)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, args) + 8 * arg)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof(rules) / sizeof(rules[0]), .filter = rules };

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

static void expect_jit(enum emu_jit_memory memory)
{
	static const enum emu_accel accels[] = { EMU_ACCEL_JIT, EMU_ACCEL_AUTO };

	for (unsigned i = 0; i < 2; i++) {
		struct vmd_error err = { 0 };
		uint64_t stats[EMU_STAT_COUNT];
		struct emu_system *sys = make(accels[i], 2, &err);
		ck_assert_msg(sys != NULL, "%s", err.message);
		ck_assert_int_eq(emu_system_accel(sys), EMU_ACCEL_JIT);
		ck_assert_int_eq(emu_system_jit_memory(sys), memory);
		ck_assert((strstr(emu_system_accel_note(sys), "page arrays") != NULL) == (memory == EMU_JIT_MEMORY_TABLES));
		emu_system_stats(sys, 0, stats);
		ck_assert_uint_eq(stats[EMU_STAT_JIT_CACHE], EMU_JIT_CACHE_DEFAULT);
		run(sys);
	}
}

static void expect_interp(const char *why)
{
	struct vmd_error err = { 0 };
	uint64_t stats[EMU_STAT_COUNT];
	struct emu_system *sys = make(EMU_ACCEL_AUTO, 2, &err);

	ck_assert_msg(sys != NULL, "%s", err.message);
	ck_assert_int_eq(emu_system_accel(sys), EMU_ACCEL_INTERP);
	ck_assert_msg(strstr(emu_system_accel_note(sys), why) != NULL, "note: %s", emu_system_accel_note(sys));
	emu_system_stats(sys, 0, stats);
	ck_assert_uint_eq(stats[EMU_STAT_JIT_CACHE], 0);
	run(sys);
	/* Asked for by name, it is an error. */
	ck_assert(make(EMU_ACCEL_JIT, 2, &err) == NULL);
	ck_assert_msg(strstr(err.message, why) != NULL, "%s", err.message);
	ck_assert(strstr(err.hint, "--accel auto") != NULL);
	sys = make(EMU_ACCEL_INTERP, 1, &err);
	ck_assert_str_eq(emu_system_accel_note(sys), "");
	run(sys);
}

#ifdef __SANITIZE_THREAD__ /* which leaves no room for the arrays */
#define USUAL_MEMORY EMU_JIT_MEMORY_TABLES
#else
#define USUAL_MEMORY EMU_JIT_MEMORY_ARRAYS
#endif

START_TEST(plain)
{
	expect_jit(USUAL_MEMORY);
}
END_TEST

/* Memory that is executable was never writable, and the reverse: as MemoryDenyWriteExecute= has it. */
START_TEST(no_write_and_exec)
{
	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0)
		forbid(SYS_mprotect, 2, PROT_EXEC, PROT_EXEC); /* what systemd did before there was that */
	forbid(SYS_mmap, 2, PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC);
	expect_jit(USUAL_MEMORY);
}
END_TEST

START_TEST(no_exec)
{
	forbid(SYS_mmap, 2, PROT_EXEC, PROT_EXEC);
	expect_interp("refuses executable memory");
}
END_TEST

START_TEST(no_memfd)
{
	forbid(SYS_memfd_create, 1, 0, 0);
	expect_interp("refuses memory for the JIT's code");
}
END_TEST

#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ /* they need address space themselves */
/* As with a limit on the address space, or strict overcommit. */
START_TEST(no_arrays)
{
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &(struct rlimit){ 2u << 30, 2u << 30 }), 0);
	expect_jit(EMU_JIT_MEMORY_TABLES);
}
END_TEST

START_TEST(no_address_space)
{
	/* Enough for one vCPU's code, not for two's. */
	struct emu_system *sys = make(EMU_ACCEL_INTERP, 1, NULL);
	ck_assert(sys != NULL);
	emu_system_free(sys);
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &(struct rlimit){ 330u << 20, 330u << 20 }), 0);
	expect_interp("vCPU");
}
END_TEST
#endif

int main(void)
{
	Suite *s = suite_create("accel");
	TCase *tc = tcase_create("host");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, plain);
	tcase_add_test(tc, no_write_and_exec);
	tcase_add_test(tc, no_exec);
	tcase_add_test(tc, no_memfd);
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
	tcase_add_test(tc, no_arrays);
	tcase_add_test(tc, no_address_space);
#endif
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return suite_run(s, CK_FORK_GETENV);
}
