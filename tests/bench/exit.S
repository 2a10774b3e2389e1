/* SPDX-License-Identifier: BSD-2-Clause */
/* Ends the machine with its first instructions: semihosting SYS_EXIT, status 0. */
	.global _start
_start:
	mov	w0, #0x18
	adr	x1, block
	hlt	#0xf000
1:	b	1b
	.balign	8
block:	.quad	0x20026, 0	/* ADP_Stopped_ApplicationExit */
