#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Debian 12's kernel to a shell, with one processor and with four, on both
# interrupt controllers; a compressed kernel.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_guests 6.1/Image initrd.cpio.gz
common="--initrd $guests/initrd.cpio.gz --append console=ttyAMA0"
script='uname -m; grep -c ^processor /proc/cpuinfo; poweroff -f'

# shellcheck disable=SC2086
{
boot_says one 300 "$script" aarch64 '^1' 'GICv3: GICv3' 'vmd guest: up' 'Power down' -- \
	--kernel "$guests/6.1/Image" $common
boot_says four-gicv2 400 "$script" aarch64 '^4' 'Brought up 1 node, 4 CPUs' 'Power down' -- \
	--kernel "$guests/6.1/Image" $common --cpus 4 --machine virt,gic-version=2
gzip -1 < "$guests/6.1/Image" > "$dir/Image.gz"
boot_says compressed 300 "$script" aarch64 'Cortex-A72\|0x410fd083' 'Power down' -- \
	--kernel "$dir/Image.gz" $common --cpu cortex-a72
}
