#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Clients from npm (package.json): see qmp.js and rpc.js. Runs in the build directory.
. "$(dirname "$0")/lib.sh"

command -v node >/dev/null && cmp -s "$source/package.json" "$VMD_CLIENTS/package.json" || no_clients
begin
run node "$source/qmp.js"
run node "$source/rpc.js"
end
