/* SPDX-License-Identifier: BSD-2-Clause */
/* What the bare-metal tests share: console, exceptions, registers, PSCI. */
#ifndef TESTS_GUEST_H
#define TESTS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame {
	uint64_t x[31], sp_el0;
	uint64_t elr, spsr, esr, far, vector;
};

/* Called for every exception. The default (lib.c, weak) serves SVC #0x1ff (the
 * return from call_el0) and `expect`, and prints anything else and stops. */
void exception(struct frame *f);

/* Prints: %x hexadecimal, %d decimal, %s string, %c character; all arguments but strings 64 bits. */
void print(const char *fmt, ...);
void *memcpy(void *dst, const void *src, size_t n);
/* What vCPU n does after CPU_ON with secondary_start and n. */
void secondary(uint64_t n);
void stop(void) __attribute__((noreturn));
uint64_t hvc(uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3);
uint64_t call_el0(uint64_t (*fn)(uint64_t arg), uint64_t arg, uint64_t spsr);
extern char el0_done[], el0_return[], secondary_start[], heap[], user_start[], user_end[], vectors[];

/* Turns vCPUs 1, 2, ... on, as far as there are any; how many there are. */
unsigned start_others(void);
/* Waits until n vCPUs are here. */
void barrier(unsigned n);
uint64_t ms_from_now(uint64_t ms);
bool is_past(uint64_t when);
/* Devices and RAM where they are, by the first two entries of this table, whose others are the caller's. */
void mmu_on(uint64_t *l1);
/* How many times as long as usual a test is to take: X3 at the start, 1 if that is 0. */
extern uint64_t patience;

/* One access that may fault: the exception is noted, and the instruction skipped. */
extern volatile bool expecting;
extern volatile struct fault { bool taken; uint64_t esr, far, elr, spsr, vector; } fault;
void expect_begin(void);
/* Prints "what: ok" or its syndrome. */
void expect_end(const char *what);

#define USER __attribute__((section(".user"), noinline))
#define read_reg(name) ({ uint64_t v_; asm volatile("mrs %0, " #name : "=r"(v_) : : "memory"); v_; })
#define write_reg(name, val) asm volatile("msr " #name ", %0" : : "r"((uint64_t)(val)) : "memory")
#define isb() asm volatile("isb" : : : "memory")
#define dsb() asm volatile("dsb sy" : : : "memory")

#endif
