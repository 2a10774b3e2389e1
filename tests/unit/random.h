/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers that come again with the same seed (SplitMix64), for tests of one file. */
#ifndef TESTS_UNIT_RANDOM_H
#define TESTS_UNIT_RANDOM_H

#include <stdint.h>
#include <stdlib.h>

static uint64_t rng; /* the seed, to begin with */

static inline uint64_t random64(void)
{
	uint64_t z = (rng += 0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline unsigned below(unsigned n)
{
	return (unsigned)(random64() >> 33) % n;
}

/* A number from the environment: a seed, or how much to try. */
static inline uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text ? strtoull(text, NULL, 0) : otherwise;
}

#endif
