#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The life of machines with Debian's kernel: two at once, consoles attached,
# watched and taken over, kill -9 of the broker under them, malformed requests,
# a machine process killed, the power key.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_guests 6.1/Image initrd.cpio.gz 6.1/modules/gpio_keys.ko

# The second machine powers off when somebody presses the key.
cat > "$dir/key.sh" <<'EOF'
load_modules evdev gpio_keys
echo ready for the key
dd if=/dev/input/event0 bs=24 count=1 >/dev/null 2>&1
echo the key was pressed
EOF
(cd "$dir" && echo key.sh | cpio --quiet -o -H newc > key.cpio) || skip "no cpio"

step="two machines"
for m in shell key; do
	extra=
	[ $m = shell ] || extra="--initrd $dir/key.cpio --chardev file,id=serial0,path=$dir/key.out"
	# shellcheck disable=SC2086
	$vmctl create $m --kernel "$guests/6.1/Image" --initrd "$guests/initrd.cpio.gz" $extra \
		--append "console=ttyAMA0 quiet $([ $m = key ] && echo run=/key.sh)" >/dev/null || fail create
	$vmctl start $m >/dev/null || fail start
done
is shell running || fail "shell is $(field shell state)"

step="two readers, one writer"
mkfifo "$dir/in1" "$dir/in2"
$vmctl attach-serial shell < "$dir/in1" > "$dir/first.out" 2>&1 &
exec 4> "$dir/in1"
$vmctl attach-serial --read-only shell < /dev/null > "$dir/reader.out" 2>&1 &
await 300 grep -q 'turns the machine off' "$dir/first.out"
echo 'echo one-$((20 + 3))' >&4
await 60 grep -q 'one-23' "$dir/first.out"
await 60 grep -q 'one-23' "$dir/reader.out"

step="take over"
$vmctl attach-serial --steal shell < "$dir/in2" > "$dir/second.out" 2>&1 &
exec 5> "$dir/in2"
await 30 grep -q 'one-23' "$dir/second.out" # the replay
echo 'echo two-$((40 + 5))' >&5
await 60 grep -q 'two-45' "$dir/second.out"

step="the broker is killed"
was=$(field shell pid)
kill -9 "$(cat "$dir/run/vmd.lock")"
await 10 is shell running # vmctl starts another
[ "$(field shell pid)" = "$was" ] || fail "another process"
echo 'echo three-$((60 + 7))' >&5
await 60 grep -q 'three-67' "$dir/second.out"

step="malformed requests"
if command -v socat >/dev/null; then
	printf '{"jsonrpc":"2.0","id":1,"method":"machine.create","params":{"definition":{"name":"x","cpuz":2}}}\n[]\n{]\n' |
		timeout 10 socat -t 2 - "UNIX-CONNECT:$dir/run/vmd.sock" > "$dir/malformed.out"
	grep -q 'cpuz' "$dir/malformed.out" || fail "the unknown key is not named"
	grep -q -- '-32600' "$dir/malformed.out" || fail "an empty batch is no invalid request"
	grep -q -- '-32700' "$dir/malformed.out" || fail "no parse error"
fi
is shell running || fail "shell is $(field shell state)"

step="the power key"
await 300 grep -q 'ready for the key' "$dir/key.out"
$vmctl stop key --timeout 60 >/dev/null || fail "stop: $?"
is key stopped || fail "key is $(field key state)"

step="the machine process is killed"
kill -9 "$was"
await 20 is shell crashed
$vmctl status shell | grep -qi 'without a record\|killed' || fail "the reason is not told"
exec 4>&- 5>&-

step="and started again"
$vmctl start shell >/dev/null || fail start
$vmctl kill shell >/dev/null || fail kill
$vmctl delete shell key >/dev/null || fail delete
[ "$($vmctl -j list)" = "[]" ] || fail "something is left"
