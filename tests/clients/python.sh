#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Clients in Python: see qmp.py. Runs in the build directory.
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null && [ -d "$VMD_CLIENTS/python" ] || no_clients
begin
for m in p1 p2 p3; do
	$vmctl create $m --memory 64M --kernel "$VMD_TEST_GUEST" --start || exit 1
done
run python3 "$source/qmp.py" p1 p2 p3
end
