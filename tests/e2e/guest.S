/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The smallest guest with a life: an ELF kernel that greets on the UART, echoes
 * what it reads, and powers off when its power key is pressed or a 'q' arrives
 * ('r': resets). Caches and MMU stay off; it polls.
 */
	.equ UART, 0x09000000
	.equ GPIO, 0x09030000
	.text
	.globl _start
_start:
	mov x19, #UART
	movz x20, #(GPIO >> 16), lsl #16
	mov w0, #0x301       /* UARTCR: UARTEN, TXE, RXE */
	str w0, [x19, #0x30]
	adr x1, greeting
1:	ldrb w0, [x1], #1
	cbz w0, poll
	str w0, [x19]
	b 1b

poll:	ldr w0, [x20, #0x20] /* GPIODATA, line 3 alone: the power key */
	cbnz w0, off
	ldr w0, [x19, #0x18] /* UARTFR */
	tbnz w0, #4, poll    /* RXFE */
	ldr w0, [x19]
	and w0, w0, #0xff
	cmp w0, #'q'
	b.eq off
	cmp w0, #'r'
	b.eq reset
	str w0, [x19]
	b poll

off:	movz w0, #0x8400, lsl #16
	movk w0, #0x0008     /* PSCI SYSTEM_OFF */
	hvc #0
	b .
reset:	movz w0, #0x8400, lsl #16
	movk w0, #0x0009     /* PSCI SYSTEM_RESET */
	hvc #0
	b .

greeting:
	.asciz "hello from the guest\n"
