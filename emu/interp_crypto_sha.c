/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hashes: SHA-1, SHA-256, SHA-512 (FEAT_SHA1, FEAT_SHA256, FEAT_SHA512; FIPS
 * 180-4, whose function names are used) and SHA-3 (FEAT_SHA3; FIPS 202).
 */
#include "emu/interp_priv.h"

static uint32_t rol32(uint32_t x, unsigned n)
{
	return x << (n & 31) | x >> (-n & 31);
}

static uint64_t rol64(uint64_t x, unsigned n)
{
	return x << (n & 63) | x >> (-n & 63);
}

static uint32_t ror32(uint32_t x, unsigned n)
{
	return rol32(x, -n);
}

static uint64_t ror64(uint64_t x, unsigned n)
{
	return rol64(x, -n);
}

static uint64_t ch(uint64_t x, uint64_t y, uint64_t z)
{
	return (x & y) ^ (~x & z);
}

static uint64_t parity(uint64_t x, uint64_t y, uint64_t z)
{
	return x ^ y ^ z;
}

static uint64_t maj(uint64_t x, uint64_t y, uint64_t z)
{
	return (x & y) ^ (x & z) ^ (y & z);
}

/* ---- SHA-1 ---- */

/* Four rounds: Vd holds a, b, c, d from the lowest element up, Sn is e, Vm holds W + K. */
static void sha1_rounds(struct emu_cpu *cpu, const struct a64_args_SHA1C *a, uint64_t (*f)(uint64_t, uint64_t, uint64_t))
{
	struct emu_vreg x = cpu->v[a->Rd], wk = cpu->v[a->Rm];
	uint32_t e = cpu->v[a->Rn].s[0];

	for (unsigned i = 0; i < 4; i++) {
		uint32_t t = rol32(x.s[0], 5) + (uint32_t)f(x.s[1], x.s[2], x.s[3]) + e + wk.s[i];

		e = x.s[3];
		x.s[3] = x.s[2];
		x.s[2] = rol32(x.s[1], 30);
		x.s[1] = x.s[0];
		x.s[0] = t;
	}
	cpu->v[a->Rd] = x;
}

INTERP(SHA1C)
{
	sha1_rounds(cpu, a, ch);
}

INTERP(SHA1P)
{
	sha1_rounds(cpu, a, parity);
}

INTERP(SHA1M)
{
	sha1_rounds(cpu, a, maj);
}

INTERP(SHA1H)
{
	interp_set_d(cpu, a->Rd, rol32(cpu->v[a->Rn].s[0], 30));
}

/* W[t-16] ^ W[t-14] ^ W[t-8] of four words of the schedule. */
INTERP(SHA1SU0)
{
	struct emu_vreg d = cpu->v[a->Rd], n = cpu->v[a->Rn], m = cpu->v[a->Rm];

	cpu->v[a->Rd].d[0] = d.d[0] ^ d.d[1] ^ m.d[0];
	cpu->v[a->Rd].d[1] = d.d[1] ^ n.d[0] ^ m.d[1];
}

/* ... ^ W[t-3], rotated; the fourth word needs the first one's result. */
INTERP(SHA1SU1)
{
	struct emu_vreg d = cpu->v[a->Rd], n = cpu->v[a->Rn], r;

	r.s[0] = rol32(d.s[0] ^ n.s[1], 1);
	r.s[1] = rol32(d.s[1] ^ n.s[2], 1);
	r.s[2] = rol32(d.s[2] ^ n.s[3], 1);
	r.s[3] = rol32(d.s[3] ^ r.s[0], 1);
	cpu->v[a->Rd] = r;
}

/* ---- SHA-256 ---- */

/* Four rounds on x = a, b, c, d and y = e, f, g, h. */
static void sha256_rounds(struct emu_vreg *x, struct emu_vreg *y, const struct emu_vreg *w)
{
	for (unsigned i = 0; i < 4; i++) {
		uint32_t sum1 = ror32(y->s[0], 6) ^ ror32(y->s[0], 11) ^ ror32(y->s[0], 25);
		uint32_t sum0 = ror32(x->s[0], 2) ^ ror32(x->s[0], 13) ^ ror32(x->s[0], 22);
		uint32_t t1 = y->s[3] + sum1 + (uint32_t)ch(y->s[0], y->s[1], y->s[2]) + w->s[i];
		uint32_t t2 = sum0 + (uint32_t)maj(x->s[0], x->s[1], x->s[2]);
		uint32_t e = x->s[3] + t1;

		for (unsigned k = 3; k > 0; k--) {
			x->s[k] = x->s[k - 1];
			y->s[k] = y->s[k - 1];
		}
		x->s[0] = t1 + t2;
		y->s[0] = e;
	}
}

INTERP(SHA256H)
{
	struct emu_vreg x = cpu->v[a->Rd], y = cpu->v[a->Rn], w = cpu->v[a->Rm];

	sha256_rounds(&x, &y, &w);
	cpu->v[a->Rd] = x;
}

INTERP(SHA256H2)
{
	struct emu_vreg x = cpu->v[a->Rn], y = cpu->v[a->Rd], w = cpu->v[a->Rm];

	sha256_rounds(&x, &y, &w);
	cpu->v[a->Rd] = y;
}

/* W[t-16] + sigma0(W[t-15]) */
INTERP(SHA256SU0)
{
	struct emu_vreg d = cpu->v[a->Rd], r;

	for (unsigned i = 0; i < 4; i++) {
		uint32_t w = i < 3 ? d.s[i + 1] : cpu->v[a->Rn].s[0];

		r.s[i] = d.s[i] + (ror32(w, 7) ^ ror32(w, 18) ^ w >> 3);
	}
	cpu->v[a->Rd] = r;
}

/* ... + sigma1(W[t-2]) + W[t-7]; the upper two words need the lower two's results. */
INTERP(SHA256SU1)
{
	struct emu_vreg d = cpu->v[a->Rd], n = cpu->v[a->Rn], m = cpu->v[a->Rm], r;

	for (unsigned i = 0; i < 4; i++) {
		uint32_t w2 = i < 2 ? m.s[i + 2] : r.s[i - 2];
		uint32_t w7 = i < 3 ? n.s[i + 1] : m.s[0];

		r.s[i] = d.s[i] + (ror32(w2, 17) ^ ror32(w2, 19) ^ w2 >> 10) + w7;
	}
	cpu->v[a->Rd] = r;
}

/* ---- SHA-512 ---- */

static uint64_t sum1_512(uint64_t x)
{
	return ror64(x, 14) ^ ror64(x, 18) ^ ror64(x, 41);
}

static uint64_t sum0_512(uint64_t x)
{
	return ror64(x, 28) ^ ror64(x, 34) ^ ror64(x, 39);
}

static uint64_t sigma1_512(uint64_t x)
{
	return ror64(x, 19) ^ ror64(x, 61) ^ x >> 6;
}

static uint64_t sigma0_512(uint64_t x)
{
	return ror64(x, 1) ^ ror64(x, 8) ^ x >> 7;
}

/* Two rounds, in two halves. */
INTERP(SHA512H)
{
	struct emu_vreg w = cpu->v[a->Rd], x = cpu->v[a->Rn], y = cpu->v[a->Rm], r;

	r.d[1] = ch(y.d[1], x.d[0], x.d[1]) + sum1_512(y.d[1]) + w.d[1];
	uint64_t e = r.d[1] + y.d[0];
	r.d[0] = ch(e, y.d[1], x.d[0]) + sum1_512(e) + w.d[0];
	cpu->v[a->Rd] = r;
}

INTERP(SHA512H2)
{
	struct emu_vreg w = cpu->v[a->Rd], x = cpu->v[a->Rn], y = cpu->v[a->Rm], r;

	r.d[1] = maj(x.d[0], y.d[1], y.d[0]) + sum0_512(y.d[0]) + w.d[1];
	r.d[0] = maj(r.d[1], y.d[0], y.d[1]) + sum0_512(r.d[1]) + w.d[0];
	cpu->v[a->Rd] = r;
}

INTERP(SHA512SU0)
{
	struct emu_vreg w = cpu->v[a->Rd], x = cpu->v[a->Rn];

	cpu->v[a->Rd].d[0] = w.d[0] + sigma0_512(w.d[1]);
	cpu->v[a->Rd].d[1] = w.d[1] + sigma0_512(x.d[0]);
}

INTERP(SHA512SU1)
{
	struct emu_vreg w = cpu->v[a->Rd], x = cpu->v[a->Rn], y = cpu->v[a->Rm];

	for (unsigned i = 0; i < 2; i++)
		cpu->v[a->Rd].d[i] = w.d[i] + sigma1_512(x.d[i]) + y.d[i];
}

/* ---- SHA-3 ---- */

INTERP(EOR3)
{
	struct emu_vreg n = cpu->v[a->Rn], m = cpu->v[a->Rm], k = cpu->v[a->Ra];

	for (unsigned i = 0; i < 2; i++)
		cpu->v[a->Rd].d[i] = n.d[i] ^ m.d[i] ^ k.d[i];
}

INTERP(BCAX)
{
	struct emu_vreg n = cpu->v[a->Rn], m = cpu->v[a->Rm], k = cpu->v[a->Ra];

	for (unsigned i = 0; i < 2; i++)
		cpu->v[a->Rd].d[i] = n.d[i] ^ (m.d[i] & ~k.d[i]);
}

INTERP(RAX1)
{
	struct emu_vreg n = cpu->v[a->Rn], m = cpu->v[a->Rm];

	for (unsigned i = 0; i < 2; i++)
		cpu->v[a->Rd].d[i] = n.d[i] ^ rol64(m.d[i], 1);
}

INTERP(XAR)
{
	struct emu_vreg n = cpu->v[a->Rn], m = cpu->v[a->Rm];

	for (unsigned i = 0; i < 2; i++)
		cpu->v[a->Rd].d[i] = ror64(n.d[i] ^ m.d[i], a->imm6);
}
