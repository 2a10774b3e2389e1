#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Runs clients that nobody here wrote against a daemon and machines of its own:
# see qmp.js, rpc.js and qmp.py. tests/prepare clients fetches them; what is not
# there is not tested. Runs in the build directory.
set -u
here=$(pwd)
source=$(CDPATH='' cd "$(dirname "$0")" && pwd)
export VMD_TEST_GUEST=$here/tests/e2e/guest
export VMD_CLIENTS="${VMD_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/vmd/clients}"
[ -x "$VMD_TEST_GUEST" ] || { echo "no cross compiler: no guest"; exit 77; }
javascript= python=
if command -v node >/dev/null && cmp -s "$source/package.json" "$VMD_CLIENTS/package.json"; then javascript=yes; fi
if command -v python3 >/dev/null && [ -d "$VMD_CLIENTS/python" ]; then python=yes; fi
[ -n "$javascript$python" ] || { echo "no clients: 'tests/prepare clients' fetches them"; exit 77; }

dir=$(mktemp -d /tmp/vmd-clients.XXXXXX)
export VMD_RUNTIME_DIR="$dir/run" VMD_STATE_DIR="$dir/state"
unset VMD_SOCKET
vmctl="$here/vmctl/vmctl --no-start"
cleanup() {
	$vmctl list --names 2>/dev/null | xargs -r $vmctl delete --force >/dev/null
	[ ! -e "$dir/run/vmd.lock" ] || kill "$(cat "$dir/run/vmd.lock")" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
"$here/vmd/vmd" -d || exit 1

status=0
run() {
	echo "---- $*"
	"$@" || status=1
}
if [ -n "$javascript" ]; then
	run node "$source/qmp.js"
	run node "$source/rpc.js"
fi
if [ -n "$python" ]; then
	for m in p1 p2 p3; do
		$vmctl create $m --memory 64M --kernel "$VMD_TEST_GUEST" --start || exit 1
	done
	run python3 "$source/qmp.py" p1 p2 p3
fi
[ $status = 0 ] || cat "$dir/state/vmd.log"
exit $status
