# SPDX-License-Identifier: BSD-2-Clause
# What the end-to-end tests share; sourced with the build directory as the
# current one. Gives each test a daemon of its own, in a directory of its own
# that goes away with it, and Debian's guests from the cache.
# shellcheck shell=sh disable=SC2034
set -u
guests=${VMD_GUESTS:-${XDG_CACHE_HOME:-$HOME/.cache}/vmd/guests}
dir=$(mktemp -d /tmp/vmd-e2e.XXXXXX)
export VMD_RUNTIME_DIR=$dir/run VMD_STATE_DIR=$dir/state
unset VMD_SOCKET
vmctl=$(pwd)/vmctl/vmctl
step=start

cleanup() {
	for m in $($vmctl --no-start -j list 2>/dev/null | sed -n 's/.*"name": *"\([^"]*\)".*/\1/p'); do
		$vmctl --no-start kill "$m" >/dev/null 2>&1
	done
	$vmctl --no-start api daemon.shutdown >/dev/null 2>&1
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

skip() {
	echo "skipped: $*"
	exit 77
}

fail() {
	echo "FAILED at '$step': $*"
	for f in "$dir"/*.out; do
		[ -e "$f" ] && echo "---- $f" && tail -n 30 "$f"
	done
	$vmctl --no-start list
	tail -n 20 "$dir"/state/*.log "$dir"/state/log/*.log 2>/dev/null
	exit 1
}

need_guests() {
	for f in "$@"; do
		[ -e "$guests/$f" ] || skip "no guest '$f' in $guests; run tests/prepare guests"
	done
}

# await SECONDS COMMAND...: until it succeeds.
await() {
	limit=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$limit" ] || fail "never: $*"
		sleep 0.1
	done
}

field() { # NAME FIELD
	$vmctl -j status "$1" | sed -n "s/.*\"$2\": *\"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" | head -n 1
}
is() { [ "$(field "$1" state)" = "$2" ]; }

# Boots with `vmctl run`, feeds the guest's shell, and expects lines in its output.
#	boot_says NAME SECONDS SCRIPT EXPECTED... -- OPTIONS OF RUN...
boot_says() {
	name=$1 seconds=$2 script=$3
	shift 3
	: > "$dir/expected"
	while [ "$1" != -- ]; do
		printf '%s\n' "$1" >> "$dir/expected"
		shift
	done
	shift
	step="boot $name"
	printf '%s\n' "$script" | timeout "$seconds" "$vmctl" run "$@" > "$dir/$name.out" 2>&1
	status=$?
	[ $status = 0 ] || fail "vmctl run ended with $status"
	while IFS= read -r line; do
		grep -q -e "$line" "$dir/$name.out" || fail "no '$line' in its output"
	done < "$dir/expected"
}
