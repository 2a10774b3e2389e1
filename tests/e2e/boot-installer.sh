#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian's installer, as far as its first question.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_guests di/linux di/initrd.gz
step="installer"
$vmctl create di --memory 1G --kernel "$guests/di/linux" --initrd "$guests/di/initrd.gz" \
	--append 'console=ttyAMA0 DEBIAN_FRONTEND=text' --chardev "file,id=serial0,path=$dir/di.out" >/dev/null || fail create
$vmctl start di >/dev/null || fail start
await 600 grep -aq 'Select a language' "$dir/di.out"
$vmctl kill di >/dev/null || fail kill
is di stopped || fail "di is $(field di state)"
