#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian 12's kernel to a shell and off again, with the JIT forced into each of
# its odd modes. `make forced`; FORCED="no-chain ..." tries some of them only.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_guests 6.1/Image initrd.cpio.gz

for mode in ${FORCED:-tiny-cache one-insn no-chain no-fast-mem no-native no-avx2 no-avx512 no-page-array}; do
	case $mode in
	tiny-cache)
		options='--jit-cache 512K' ;;
	*)
		options="--jit-debug $mode" ;;
	esac
	start=$(date +%s)
	# shellcheck disable=SC2086
	boot_says "$mode" 900 'uname -m; grep -c ^processor /proc/cpuinfo; poweroff -f' aarch64 '^2' 'vmd guest: up' \
		'Power down' -- --accel jit $options --cpus 2 --kernel "$guests/6.1/Image" \
		--initrd "$guests/initrd.cpio.gz" --append console=ttyAMA0
	echo "$mode: $(($(date +%s) - start)) s"
done
