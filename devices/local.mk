# SPDX-License-Identifier: BSD-2-Clause
noinst_LIBRARIES += libdevices.a

# The framework.
devices_core_sources = devices/device.h devices/device.c devices/classes.def devices/reg.h devices/reg.c \
	devices/fdt.h devices/fdt.c

# virtio: the core, the transport, its devices.
devices_virtio_sources = devices/virtio.h devices/virtio_priv.h devices/virtqueue_priv.h devices/virtqueue.c \
	devices/virtio.c devices/virtio_mmio.c devices/virtio_rng.c devices/virtio_console.c

# The interrupt controllers.
devices_gic_sources = devices/gic.h devices/gic_priv.h devices/gic.c devices/gicv3.c devices/gicv3_cpuif.c \
	devices/gicv2.c

# The board's other devices.
devices_board_sources = devices/pl011.c devices/pl031.c devices/gpio.h devices/pl061.c devices/flash.h devices/flash.c \
	devices/fw_cfg.h devices/fw_cfg.c

libdevices_a_SOURCES = $(devices_core_sources) $(devices_virtio_sources) $(devices_gic_sources) $(devices_board_sources)
