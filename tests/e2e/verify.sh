#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian 12's kernel to a shell, some programs, and off again, with the JIT and
# the interpreter in lock step: the machine would end with a report, which is
# shown, where they differ. `make verify`; VERIFY="1 2 4" says with how many
# processors. Minutes each.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_guests 6.1/Image initrd.cpio.gz

script='uname -m; grep -c ^processor /proc/cpuinfo
find /bin | sort | md5sum
dd if=/dev/zero bs=4k count=64 2>/dev/null | gzip | gunzip | sha256sum
awk "BEGIN { for (i = 1; i < 200; i++) s += i / 3; printf \"sum %.3f\\n\", s }"
poweroff -f'

for cpus in ${VERIFY:-1 2}; do
	start=$(date +%s)
	boot_says "verify-$cpus" 1800 "$script" aarch64 "^$cpus" 'sum 6633.333' 8a39d2abd3999ab73c34db2476849cddf303ce389b35826850f9a700589b4a90 \
		'Power down' -- --accel verify --cpus "$cpus" --kernel "$guests/6.1/Image" \
		--initrd "$guests/initrd.cpio.gz" --append console=ttyAMA0
	echo "$cpus processors: $(($(date +%s) - start)) s"
done
