#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Sourced by javascript.sh and python.sh, which run clients that nobody here wrote
# against a daemon and machines of their own; tests/prepare clients fetches them.
# Runs in the build directory. Gives: $source, $VMD_CLIENTS, $VMD_TEST_GUEST,
# $vmctl; begin, run COMMAND..., and end, which exits.
set -u
here=$(pwd)
source=$(CDPATH='' cd "$(dirname "$0")" && pwd)
export VMD_TEST_GUEST=$here/tests/e2e/guest
export VMD_CLIENTS="${VMD_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/vmd/clients}"
[ -x "$VMD_TEST_GUEST" ] || { echo "no cross compiler: no guest"; exit 77; }

no_clients() {
	echo "no clients: 'tests/prepare clients' fetches them"
	exit 77
}
vmctl="$here/vmctl/vmctl --no-start"
cleanup() {
	$vmctl list --names 2>/dev/null | xargs -r $vmctl delete --force >/dev/null
	[ ! -e "$dir/run/vmd.lock" ] || kill "$(cat "$dir/run/vmd.lock")" 2>/dev/null
	rm -rf "$dir"
}
begin() {
	dir=$(mktemp -d /tmp/vmd-clients.XXXXXX)
	export VMD_RUNTIME_DIR="$dir/run" VMD_STATE_DIR="$dir/state"
	unset VMD_SOCKET
	trap cleanup EXIT
	"$here/vmd/vmd" -d || exit 1
	status=0
}
run() {
	echo "---- $*"
	"$@" || status=1
}
end() {
	[ $status = 0 ] || cat "$dir/state/vmd.log"
	exit $status
}
