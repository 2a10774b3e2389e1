/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry, vectors and secondary start of the bare-metal tests. A flat binary at 0x40080000. */
	.section .text.start, "ax"
	.global _start
_start:
	b	1f			/* the place of an Image header: a raw binary has none */
	.balign	64
1:	ldr	x1, =stack_top
	mov	sp, x1
	ldr	x1, =vectors
	msr	vbar_el1, x1
	mov	x1, #(3 << 20)
	msr	cpacr_el1, x1
	isb
	ldr	x1, =bss_start
	ldr	x2, =bss_end
2:	cmp	x1, x2
	b.hs	3f
	str	xzr, [x1], #8
	b	2b
3:	cmp	x3, #0
	csinc	x3, x3, xzr, ne
	ldr	x1, =patience
	str	x3, [x1]
	bl	main
	ldr	x0, =0x84000008		/* PSCI SYSTEM_OFF */
	hvc	#0
4:	wfi
	b	4b

/* Where CPU_ON starts a vCPU: x0 is its number; it runs secondary(number). */
	.global secondary_start
secondary_start:
	ldr	x1, =stack_top
	add	x2, x0, #1
	lsl	x2, x2, #14
	add	x1, x1, x2
	mov	sp, x1
	ldr	x1, =vectors
	msr	vbar_el1, x1
	mov	x1, #(3 << 20)
	msr	cpacr_el1, x1
	isb
	bl	secondary
	ldr	x0, =0x84000002		/* PSCI CPU_OFF */
	hvc	#0
	b	.

/* struct frame of guest.h: x0 to x30, sp_el0, elr, spsr, esr, far, vector */
	.macro	vector n
	.balign	0x80
	sub	sp, sp, #304
	stp	x0, x1, [sp]
	mov	x0, #\n
	b	vector_common
	.endm

	.balign	0x800
	.global vectors
vectors:
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vector	\n
	.endr

vector_common:
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	mrs	x1, sp_el0
	stp	x30, x1, [sp, #240]
	mrs	x1, elr_el1
	mrs	x2, spsr_el1
	stp	x1, x2, [sp, #256]
	mrs	x1, esr_el1
	mrs	x2, far_el1
	stp	x1, x2, [sp, #272]
	str	x0, [sp, #288]
	mov	x0, sp
	bl	exception
	ldp	x1, x2, [sp, #256]
	msr	elr_el1, x1
	msr	spsr_el1, x2
	ldp	x30, x1, [sp, #240]
	msr	sp_el0, x1
	ldp	x28, x29, [sp, #224]
	ldp	x26, x27, [sp, #208]
	ldp	x24, x25, [sp, #192]
	ldp	x22, x23, [sp, #176]
	ldp	x20, x21, [sp, #160]
	ldp	x18, x19, [sp, #144]
	ldp	x16, x17, [sp, #128]
	ldp	x14, x15, [sp, #112]
	ldp	x12, x13, [sp, #96]
	ldp	x10, x11, [sp, #80]
	ldp	x8, x9, [sp, #64]
	ldp	x6, x7, [sp, #48]
	ldp	x4, x5, [sp, #32]
	ldp	x2, x3, [sp, #16]
	ldp	x0, x1, [sp]
	add	sp, sp, #304
	eret

/* uint64_t call_el0(fn, arg, spsr): runs fn(arg) at EL0 until it does SVC #0x1ff; its x0 is the result. */
	.global call_el0
call_el0:
	stp	x29, x30, [sp, #-16]!
	stp	x27, x28, [sp, #-16]!
	stp	x25, x26, [sp, #-16]!
	stp	x23, x24, [sp, #-16]!
	stp	x21, x22, [sp, #-16]!
	stp	x19, x20, [sp, #-16]!
	ldr	x3, =el0_return_sp
	mov	x4, sp
	str	x4, [x3]
	ldr	x3, =el0_stack_top
	msr	sp_el0, x3
	msr	elr_el1, x0
	msr	spsr_el1, x2
	adr	x30, el0_done
	mov	x0, x1
	eret
	.global el0_done
el0_done:
	svc	#0x1ff
/* The exception handler's way back here, with the result in x0. */
	.global el0_return
el0_return:
	ldr	x3, =el0_return_sp
	ldr	x4, [x3]
	mov	sp, x4
	ldp	x19, x20, [sp], #16
	ldp	x21, x22, [sp], #16
	ldp	x23, x24, [sp], #16
	ldp	x25, x26, [sp], #16
	ldp	x27, x28, [sp], #16
	ldp	x29, x30, [sp], #16
	ret
