# SPDX-License-Identifier: BSD-2-Clause
# Clients that nobody here wrote; skipped where they have not been fetched.
TESTS += tests/clients/javascript.sh tests/clients/python.sh
EXTRA_DIST += tests/clients/javascript.sh tests/clients/python.sh tests/clients/lib.sh tests/clients/common.js \
	tests/clients/fetch tests/clients/package.json \
	tests/clients/qmp.js tests/clients/qmp.py tests/clients/rpc.js
