# SPDX-License-Identifier: BSD-2-Clause
noinst_LIBRARIES += libdevices.a

# The framework, and virtio.
devices_core_sources = devices/device.h devices/device.c devices/classes.def devices/reg.h devices/reg.c \
	devices/fdt.h devices/fdt.c devices/virtio.h

# The interrupt controllers.
devices_gic_sources = devices/gic.h devices/gic_priv.h devices/gic.c devices/gicv3.c devices/gicv3_cpuif.c \
	devices/gicv2.c

# The board's other devices.
devices_board_sources = devices/pl011.c devices/pl031.c devices/gpio.h devices/pl061.c devices/flash.h devices/flash.c \
	devices/fw_cfg.h devices/fw_cfg.c

libdevices_a_SOURCES = $(devices_core_sources) $(devices_gic_sources) $(devices_board_sources)
