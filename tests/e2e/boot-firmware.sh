#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Firmware gets control first: U-Boot to its prompt, UEFI to its shell, and UEFI
# that starts a Linux kernel it finds in fw_cfg.
. "${srcdir:-.}/tests/e2e/lib.sh"
uboot=/usr/lib/u-boot/qemu_arm64/u-boot.bin
efi=/usr/share/qemu-efi-aarch64/QEMU_EFI.fd
[ -e $uboot ] || [ -e $efi ] || skip "no firmware installed (u-boot-qemu, qemu-efi-aarch64)"

# A machine whose serial line is a file, and input by attaching to it.
begin() { # NAME OPTIONS...
	step=$1
	$vmctl create "$@" --chardev "file,id=serial0,path=$dir/$1.out" >/dev/null || fail create
	$vmctl start "$1" >/dev/null || fail start
}
type_in() { # NAME TEXT
	printf '%b' "$2" | timeout 20 "$vmctl" attach-serial "$1" >/dev/null 2>&1
	return 0
}

if [ -e $uboot ]; then
	begin u-boot --bios $uboot
	await 120 grep -aq 'Hit any key' "$dir/u-boot.out"
	await 120 sh -c "printf '\r' | timeout 3 $vmctl attach-serial u-boot >/dev/null 2>&1; grep -aq '^=> ' '$dir/u-boot.out'"
	type_in u-boot 'flinfo\r'
	await 60 grep -aq 'CFI conformant' "$dir/u-boot.out"
	$vmctl kill u-boot >/dev/null || fail kill
fi
if [ -e $efi ]; then
	begin uefi --bios $efi
	await 240 grep -aq 'Shell>' "$dir/uefi.out"
	$vmctl kill uefi >/dev/null || fail kill
	need_guests 6.1/Image initrd.cpio.gz
	# Firmware reads what is typed at it, so the script comes in an initrd.
	echo 'ls -1 /sys/firmware' > "$dir/efi.sh"
	(cd "$dir" && echo efi.sh | cpio --quiet -o -H newc > efi.cpio) || skip "no cpio"
	boot_says uefi-linux 400 '' 'EFI stub: Booting Linux' 'efi: EFI v2' '^efi' 'Power down' -- \
		--bios $efi --memory 1G --kernel "$guests/6.1/Image" --initrd "$guests/initrd.cpio.gz" \
		--initrd "$dir/efi.cpio" --append "console=ttyAMA0 run=/efi.sh"
fi
exit 0
