/* SPDX-License-Identifier: BSD-2-Clause */
/* Random bytes for virtio-rng. */
#ifndef BACKENDS_RNG_H
#define BACKENDS_RNG_H

#include <stdbool.h>
#include <stddef.h>

/* Fills buf from the host's generator (getrandom). Any thread; does not block
 * once the host has booted. False only if the host has no generator. */
bool backends_rng_fill(void *buf, size_t len);

#endif
