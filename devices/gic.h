/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt controllers' public face: class names "arm-gicv3" and
 * "arm-gicv2", properties "num-cpu" and "num-irq" (INTIDs, 64 to 1020, a
 * multiple of 32), and the connections a board makes.
 */
#ifndef DEVICES_GIC_H
#define DEVICES_GIC_H

#include "devices/device.h"
#include "emu/system.h"

/* Addresses: wiring.base is the distributor; GICv3 redistributors begin at
 * `redist_base`, GICv2's CPU interface at `cpu_base`. Set before realize. */
void devices_gic_set_bases(struct devices_device *gic, uint64_t redist_or_cpu_base);

/* MPIDR affinity of each CPU (GICD_IROUTER, GICR_TYPER, SGI targets); before realize. */
void devices_gic_set_affinity(struct devices_device *gic, unsigned cpu, uint64_t mpidr);

/* Output lines to a vCPU; before the machine runs. */
void devices_gic_connect_cpu(struct devices_device *gic, unsigned cpu, struct emu_irq irq, struct emu_irq fiq);

/* Input lines: SPI n (INTID n + 32) and PPI `intid` (16 to 31) of a CPU. */
struct emu_irq devices_gic_spi(struct devices_device *gic, unsigned n);
struct emu_irq devices_gic_ppi(struct devices_device *gic, unsigned cpu, unsigned intid);

/* GICv3: the system-register interface to hand to emu_system_new. May be asked
 * for before realize. It knows registers of all exception levels (ICC_SRE_EL2,
 * ICC_CTLR_EL3, ...); whether this vCPU has the level and may use the register
 * is the vCPU's to check first. */
struct emu_gic_cpuif devices_gicv3_cpuif(struct devices_device *gic);

#endif
