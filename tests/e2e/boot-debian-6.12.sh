#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The backports' kernel to a shell with four processors.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_guests 6.12/Image initrd.cpio.gz
boot_says four 400 'uname -r; grep -c ^processor /proc/cpuinfo; poweroff -f' '^6\.12' '^4' 'Power down' -- \
	--kernel "$guests/6.12/Image" --initrd "$guests/initrd.cpio.gz" --append console=ttyAMA0 --cpus 4
