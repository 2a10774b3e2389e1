/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Atomic accesses to the guest's memory at a host address, sequentially
 * consistent. Sizes are in bytes; data of 1 to 8 bytes may lie at any address
 * (x86 locks the bus for one that crosses a cache line), 16 bytes are aligned.
 */
#ifndef EMU_HOST_ATOMIC_PRIV_H
#define EMU_HOST_ATOMIC_PRIV_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t host_load(const void *p, unsigned bytes)
{
	switch (bytes) {
	case 1:
		return __atomic_load_n((const uint8_t *)p, __ATOMIC_SEQ_CST);
	case 2:
		return __atomic_load_n((const uint16_t *)p, __ATOMIC_SEQ_CST);
	case 4:
		return __atomic_load_n((const uint32_t *)p, __ATOMIC_SEQ_CST);
	default:
		return __atomic_load_n((const uint64_t *)p, __ATOMIC_SEQ_CST);
	}
}

/* Stores `val` if the datum is *old (its low bytes); *old becomes what was there. */
#define HOST_DEFINE_CAS(bits) \
	static inline bool host_cas##bits(void *p, uint64_t *old, uint64_t val) \
	{ \
		uint##bits##_t expected = (uint##bits##_t)*old; \
		bool done = __atomic_compare_exchange_n((uint##bits##_t *)p, &expected, (uint##bits##_t)val, false, \
			__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
		*old = expected; \
		return done; \
	}
HOST_DEFINE_CAS(8)
HOST_DEFINE_CAS(16)
HOST_DEFINE_CAS(32)
HOST_DEFINE_CAS(64)
#undef HOST_DEFINE_CAS

static inline bool host_cas(void *p, unsigned bytes, uint64_t *old, uint64_t val)
{
	switch (bytes) {
	case 1:
		return host_cas8(p, old, val);
	case 2:
		return host_cas16(p, old, val);
	case 4:
		return host_cas32(p, old, val);
	default:
		return host_cas64(p, old, val);
	}
}

/* The same for 16 bytes, old[0] at the lower address. */
static inline bool host_cas128(void *p, uint64_t old[2], uint64_t low, uint64_t high)
{
	bool done;

	__asm__ volatile("lock cmpxchg16b %1"
		: "=@ccz"(done), "+m"(*(unsigned __int128 *)p), "+a"(old[0]), "+d"(old[1])
		: "b"(low), "c"(high)
		: "memory");
	return done;
}

#endif
