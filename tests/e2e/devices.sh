#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Devices as Debian's drivers use them: entropy, serial ports and consoles over
# virtio, the clock; and the ways a guest reports a status.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_guests 6.1/Image initrd.cpio.gz 6.1/modules/virtio_mmio.ko

cat > "$dir/dev.sh" <<'EOF'
load_modules virtio_mmio virtio-rng virtio_console
echo "rng: $(cat /sys/class/misc/hw_random/rng_current)"
echo "random: $(dd if=/dev/hwrng bs=512 count=8 2>/dev/null | wc -c)"
for p in /sys/class/virtio-ports/*; do echo "port: $(cat $p/name)"; done
echo "from the guest" > /dev/vport0p1
echo "hwclock: $(cat /sys/class/rtc/rtc0/name)"
sleep 1
echo 10q > /dev/hvc0
sleep 30
EOF
(cd "$dir" && echo dev.sh | cpio --quiet -o -H newc > dev.cpio) || skip "no cpio"

step="devices"
timeout 300 "$vmctl" run --kernel "$guests/6.1/Image" --initrd "$guests/initrd.cpio.gz" --initrd "$dir/dev.cpio" \
	--append "console=ttyAMA0 quiet run=/dev.sh" --chardev "file,id=port,path=$dir/port.out" --chardev testdev,id=verdict \
	--device virtio-rng-device --device virtio-serial-device --device virtconsole,chardev=verdict \
	--device virtserialport,chardev=port,name=org.example.test < /dev/null > "$dir/devices.out" 2>&1
status=$?
for line in 'rng: virtio_rng' 'random: 4096' 'port: org.example.test' 'hwclock: rtc-pl031'; do
	grep -q "$line" "$dir/devices.out" || fail "no '$line'"
done
grep -q 'from the guest' "$dir/port.out" || fail "nothing came through the port"
# testdev ends the machine with (10 << 1) | 1.
[ $status = 21 ] || fail "the status is $status, not 21"
