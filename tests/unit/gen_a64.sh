#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The generator of the A64 decoder takes good tables and rejects bad ones with
# the file, the line and the reason that the bad table's first line expects.
gen=./emu/gen_a64
dir=${srcdir:-.}/tests/decode
failed=0

for table in "$dir"/bad-*.decode; do
	expected="$table:$(sed -n '1s/^# expect: //p' "$table")"
	output=$($gen header "$table" 2>&1 >gen_a64.out)
	status=$?
	case $output in
	*"$expected"*) ;;
	*) echo "$table: expected '$expected', got '$output'"; failed=1 ;;
	esac
	[ $status -eq 1 ] || { echo "$table: exit status $status, not 1"; failed=1; }
	[ ! -s gen_a64.out ] || { echo "$table: output in spite of errors"; failed=1; }
done
for what in header decoder exec; do
	$gen $what "$dir/good.decode" >gen_a64.out || { echo "good.decode: refused for $what"; failed=1; }
	[ -s gen_a64.out ] || { echo "good.decode: no output for $what"; failed=1; }
done
rm -f gen_a64.out
exit $failed
