#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Runs every bare-metal program, interpreted and translated (with page arrays, with tagged tables), and compares what it
# prints with NAME.expected.
status=0
for name in mmu exception timer smp debug litmus; do
	cpus=1
	case $name in smp | litmus) cpus=4 ;; esac
	for accel in '' -j -t; do
		if ! tests/guest/runner $accel -c $cpus "tests/guest/$name.bin" >"tests/guest/$name.out" ||
			! diff -u "$srcdir/tests/guest/$name.expected" "tests/guest/$name.out"; then
			echo "FAIL: $name${accel:+ with the JIT ($accel)}"
			status=1
		fi
	done
done
exit $status
