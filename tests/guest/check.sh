#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Runs every bare-metal program, interpreted, translated (with page arrays, with tagged tables), and by both in lock
# step, and compares what it prints with NAME.expected.
#
#     check.sh             all of them
#     check.sh PATIENCE    the ones that vCPUs race in, for so many times as long; they print what they have tried
status=0
programs='mmu:1 exception:1 timer:1 smp:4 debug:1 litmus:4 storm:2 storm:4'
patience=${1:-1}
[ "$patience" = 1 ] || programs='litmus:4 storm:2 storm:4'
for program in $programs; do
	name=${program%:*} cpus=${program#*:}
	for accel in '' -j -t -v; do
		how="$name on $cpus vCPUs${accel:+ with runner $accel}"
		out=tests/guest/$name.out
		if ! tests/guest/runner $accel -c "$cpus" -p "$patience" "tests/guest/$name.bin" >"$out"; then
			echo "FAIL: $how"
			status=1
		elif [ "$patience" != 1 ]; then
			echo "$how:"
			cat "$out"
			grep -q 'wrong [1-9]\|forbidden [1-9]' "$out" && status=1
		elif ! diff -u "$srcdir/tests/guest/$name.expected" "$out"; then
			echo "FAIL: $how"
			status=1
		fi
	done
done
exit $status
