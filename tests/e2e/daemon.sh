#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Broker, machine processes and vmctl together, with a guest that really runs:
# two machines at once, kill -9 of the broker, machine processes killed, stopped
# and left alone, power-off by the power key, files that are missing.
# Runs in the build directory; keeps everything in a directory of its own.
set -u
here=$(pwd)
guest=$here/tests/e2e/guest
[ -x "$guest" ] || { echo "no cross compiler: no guest"; exit 77; }
dir=$(mktemp -d /tmp/vmd-e2e.XXXXXX)
export VMD_RUNTIME_DIR=$dir/run VMD_STATE_DIR=$dir/state
unset VMD_SOCKET
vmctl="$here/vmctl/vmctl --no-start"
step=start

broker_pid() { cat "$dir/run/vmd.lock"; }
pid_of() { $vmctl -j status "$1" | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p'; }
state_of() { $vmctl -j status "$1" | sed -n 's/.*"state": *"\([a-z]*\)".*/\1/p'; }
cleanup() {
	for f in "$dir"/run/machines/*/pid.json; do
		[ -e "$f" ] && kill -9 "$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$f")" 2>/dev/null
	done
	[ -e "$dir/run/vmd.lock" ] && kill "$(broker_pid)" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
fail() {
	echo "FAILED at '$step': $*"
	$vmctl list
	cat "$dir/state/vmd.log"
	exit 1
}
# Waits for at most five seconds until the command succeeds.
await() {
	n=0
	until "$@"; do
		n=$((n + 1))
		[ $n -lt 100 ] || fail "never: $*"
		sleep 0.05
	done
}
is() { [ "$(state_of "$1")" = "$2" ]; }
check() { is "$1" "$2" || fail "$1 is $(state_of "$1"), not $2"; }
refuses() {
	what=$1
	shift
	if out=$("$@" 2>&1); then fail "should have failed: $*"; fi
	case $out in *"$what"*) ;; *) fail "$*: no '$what' in: $out" ;; esac
}
# A zombie may have threads that are ending still, and hold its files.
gone() {
	! kill -0 "$1" 2>/dev/null ||
	    { grep -q '^State:.*[ZX]' "/proc/$1/status" && [ "$(ls "/proc/$1/task" | wc -l)" -le 1 ]; } 2>/dev/null
}

step="the daemon"
"$here/vmd/vmd" -d || fail "does not start"
first=$(broker_pid)
refuses "process $first" "$here/vmd/vmd" -d

step="files that are missing"
refuses /nonexistent/kernel $vmctl create bad --kernel /nonexistent/kernel
refuses bad $vmctl status bad

step="two machines at once"
for m in one two; do
	$vmctl create $m --kernel "$guest" --memory 64M --chardev "file,id=serial0,path=$dir/$m.out" >/dev/null || fail create
	$vmctl start $m >/dev/null || fail start
done
check one running
check two running
await grep -q "hello from the guest" "$dir/one.out"
await grep -q "hello from the guest" "$dir/two.out"
one=$(pid_of one) two=$(pid_of two)

step="what a machine process holds open"
for fd in /proc/"$one"/fd/*; do
	case $(readlink "$fd") in
	*vmd.lock* | *two* | *vmd.log*) fail "machine 'one' holds $(readlink "$fd")" ;;
	esac
done
[ "$(ps -o sid= -p "$one" | tr -d ' ')" = "$one" ] || fail "machine 'one' has no session of its own"

step="kill -9 of the broker, ten times"
i=0
while [ $i -lt 10 ]; do
	kill -9 "$(broker_pid)"
	await gone "$(broker_pid)"
	"$here/vmd/vmd" -d || fail "does not start again"
	check one running
	check two running
	[ "$(pid_of one)" = "$one" ] && [ "$(pid_of two)" = "$two" ] || fail "other processes"
	i=$((i + 1))
done

step="pause, resume, reset after that"
$vmctl pause one >/dev/null && check one paused
$vmctl resume one >/dev/null && check one running
$vmctl reset one >/dev/null || fail reset
again() { [ "$(grep -c "hello from the guest" "$dir/one.out")" -eq 2 ]; }
await again

step="a machine process that is killed"
kill -9 "$two"
await is two crashed
check one running
$vmctl start two >/dev/null || fail "does not start after a crash"
two=$(pid_of two)

step="machine processes that end, or stop, while no broker is there"
kill -9 "$(broker_pid)"
await gone "$(broker_pid)"
kill -STOP "$one"
kill -9 "$two"
"$here/vmd/vmd" -d || fail "does not start again"
check one unresponsive
check two crashed
kill -CONT "$one"
await is one running

step="power-off"
$vmctl stop one >/dev/null || fail stop
check one stopped
await gone "$one"
[ "$(ls "$dir/run/machines/one")" = end.json ] || fail "left behind: $(ls "$dir/run/machines/one")"

step="a transient machine"
$vmctl create brief --transient --start --kernel "$guest" --memory 64M >/dev/null || fail create
check brief running
$vmctl stop brief >/dev/null || fail stop
no_brief() { ! $vmctl status brief >/dev/null 2>&1; }
await no_brief

step="the daemon ends, machines go on"
$vmctl start one >/dev/null || fail start
one=$(pid_of one)
kill "$(broker_pid)"
await gone "$(broker_pid)"
gone "$one" && fail "machine 'one' has gone with the daemon"
"$here/vmd/vmd" -d || fail "does not start again"
check one running
$vmctl kill one >/dev/null || fail kill
check one stopped
$vmctl delete one absent two >/dev/null 2>"$dir/out" && fail "delete of what is not there"
grep -q absent "$dir/out" || fail "delete: $(cat "$dir/out")"
[ -z "$($vmctl list --names)" ] || fail "delete stops at what is not there"
[ -z "$(ls "$dir/run/machines" "$dir/state/machines" | grep -v :)" ] || fail "left behind"
echo "all steps passed"
