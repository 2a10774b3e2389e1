/* SPDX-License-Identifier: BSD-2-Clause */
/* Inputs of a PL061 ("pl061"): line n (0 to 7), as a wire to drive. */
#ifndef DEVICES_GPIO_H
#define DEVICES_GPIO_H

#include "devices/device.h"

struct emu_irq devices_pl061_input(struct devices_device *dev, unsigned n);

#endif
