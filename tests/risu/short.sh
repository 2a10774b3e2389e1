#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A short differential run: every encoding, a few cases each. Skipped (77)
# without the guest program (a cross compiler) or qemu-aarch64.
exec tests/risu/risu --count 20
