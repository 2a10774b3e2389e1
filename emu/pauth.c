/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pointer authentication (FEAT_PAuth; Arm ARM D8.10 and the shared pseudocode
 * AddPAC, Auth, Strip, ComputePAC): the algorithms and where the code goes in a
 * pointer. A model computes codes with QARMA5 (FEAT_PACQARMA5; R. Avanzi, "The
 * QARMA Block Cipher Family", 64-bit blocks, five rounds, S-box sigma 2) or with
 * a cheap mixing function (FEAT_PACIMP), for which the architecture leaves the
 * choice free. Only the EL1&0 translation regime is modelled.
 */
#include "emu/sys_priv.h"

#define BITS(val, top, bottom) ((val) >> (bottom) & (~0ull >> (63 - (top) + (bottom))))

/* ---- QARMA5: 16 cells of 4 bits; cell i is bits 4i+3 to 4i ---- */

static const uint64_t round_constants[5] = {
	0x0000000000000000, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89, 0x452821E638D01377,
};
static const uint64_t alpha = 0xC0AC29B7C97C50DD;

/* Output cell i is input cell shuffle[i]. */
static const uint8_t shuffle[16] = { 13, 6, 11, 0, 7, 12, 1, 10, 8, 3, 14, 5, 2, 9, 4, 15 };
static const uint8_t inv_shuffle[16] = { 3, 6, 12, 9, 14, 11, 1, 4, 8, 13, 7, 2, 5, 0, 10, 15 };
static const uint8_t sigma2[16] = { 11, 6, 8, 15, 12, 0, 9, 14, 3, 7, 4, 5, 13, 2, 1, 10 };
static const uint8_t inv_sigma2[16] = { 5, 14, 13, 8, 10, 11, 1, 9, 2, 6, 15, 0, 4, 12, 7, 3 };

/* The tweak's update: cell i comes from tweak_from[i], and those in tweak_rot go
 * through the 4-bit LFSR. */
static const uint8_t tweak_from[16] = { 4, 5, 6, 7, 11, 2, 3, 8, 12, 13, 14, 15, 0, 1, 10, 9 };
static const uint16_t tweak_rot = 1 << 2 | 1 << 4 | 1 << 7 | 1 << 11 | 1 << 12 | 1 << 14 | 1 << 15;

static unsigned cell(uint64_t val, unsigned i)
{
	return (unsigned)(val >> (4 * i)) & 15;
}

static uint64_t permute(uint64_t val, const uint8_t from[16])
{
	uint64_t out = 0;

	for (unsigned i = 0; i < 16; i++)
		out |= (uint64_t)cell(val, from[i]) << (4 * i);
	return out;
}

static uint64_t substitute(uint64_t val, const uint8_t box[16])
{
	uint64_t out = 0;

	for (unsigned i = 0; i < 16; i++)
		out |= (uint64_t)box[cell(val, i)] << (4 * i);
	return out;
}

static unsigned rotate_cell(unsigned c, unsigned by)
{
	return (c << by | c >> (4 - by)) & 15;
}

/* MixColumns with the involutory circulant (0, rho, rho^2, rho): columns are
 * cells j, j+4, j+8, j+12. */
static uint64_t mix(uint64_t val)
{
	uint64_t out = 0;

	for (unsigned i = 0; i < 16; i++) {
		unsigned c = rotate_cell(cell(val, (i + 4) % 16), 1) ^ rotate_cell(cell(val, (i + 8) % 16), 2) ^
			rotate_cell(cell(val, (i + 12) % 16), 1);

		out |= (uint64_t)c << (4 * i);
	}
	return out;
}

static uint64_t tweak_forward(uint64_t tweak)
{
	uint64_t out = 0;

	for (unsigned i = 0; i < 16; i++) {
		unsigned c = cell(tweak, tweak_from[i]);

		if (tweak_rot >> i & 1)
			c = c >> 1 | ((c ^ c >> 1) & 1) << 3;
		out |= (uint64_t)c << (4 * i);
	}
	return out;
}

static uint64_t tweak_backward(uint64_t tweak)
{
	uint64_t out = 0;

	for (unsigned i = 0; i < 16; i++) {
		unsigned c = cell(tweak, i);

		if (tweak_rot >> i & 1)
			c = (c << 1 & 15) | ((c ^ c >> 3) & 1);
		out |= (uint64_t)c << (4 * tweak_from[i]);
	}
	return out;
}

uint64_t emu_pauth_qarma5(uint64_t data, uint64_t modifier, uint64_t key0, uint64_t key1)
{
	uint64_t modk0 = key0 << 63 | (key0 >> 1 ^ key0 >> 63);
	uint64_t tweak = modifier;
	uint64_t val = data ^ key0;

	for (unsigned i = 0; i < 5; i++) {
		val ^= key1 ^ tweak ^ round_constants[i];
		if (i > 0)
			val = mix(permute(val, shuffle));
		val = substitute(val, sigma2);
		tweak = tweak_forward(tweak);
	}

	/* The reflector, between a forward and a backward round with the whitening key. */
	val ^= modk0 ^ tweak;
	val = substitute(mix(permute(val, shuffle)), sigma2);
	val = mix(permute(val, shuffle)) ^ key1;
	val = permute(val, inv_shuffle);
	val = permute(mix(substitute(val, inv_sigma2)), inv_shuffle);
	val ^= key0 ^ tweak;

	for (unsigned i = 0; i < 5; i++) {
		val = substitute(val, inv_sigma2);
		if (i < 4)
			val = permute(mix(val), inv_shuffle);
		tweak = tweak_backward(tweak);
		val ^= key1 ^ tweak ^ round_constants[4 - i] ^ alpha;
	}
	return val ^ modk0;
}

/* ---- the implementation-defined algorithm: multiply and fold, three times ---- */

static uint64_t fold(uint64_t val)
{
	unsigned __int128 product = (unsigned __int128)val * 0xD6E8FEB86659FD93ull;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t cheap(uint64_t data, uint64_t modifier, uint64_t key0, uint64_t key1)
{
	uint64_t val = fold(data ^ key0);

	val = fold(val ^ modifier ^ alpha);
	return fold(val + key1);
}

/* ---- in pointers ---- */

enum { APIA, APIB, APDA, APDB, APGA };

/* The registers of each key, and its enable in SCTLR_EL1 (APGA has none). */
static const struct {
	enum emu_sysreg lo, hi;
	unsigned enable;
} keys[] = {
	[APIA] = { EMU_SR_APIAKEYLO_EL1, EMU_SR_APIAKEYHI_EL1, 31 },
	[APIB] = { EMU_SR_APIBKEYLO_EL1, EMU_SR_APIBKEYHI_EL1, 30 },
	[APDA] = { EMU_SR_APDAKEYLO_EL1, EMU_SR_APDAKEYHI_EL1, 27 },
	[APDB] = { EMU_SR_APDBKEYLO_EL1, EMU_SR_APDBKEYHI_EL1, 13 },
	[APGA] = { EMU_SR_APGAKEYLO_EL1, EMU_SR_APGAKEYHI_EL1, 0 },
};

/* TCR_EL1 */
enum {
	TCR_T0SZ = 0, TCR_TG0 = 14, TCR_T1SZ = 16, TCR_TG1 = 30, TCR_TBI0 = 37, TCR_TBI1 = 38, TCR_TBID0 = 51,
	TCR_TBID1 = 52,
};

static uint64_t compute(const struct emu_cpu *cpu, uint64_t data, uint64_t modifier, unsigned key)
{
	uint64_t key0 = cpu->sys[keys[key].hi], key1 = cpu->sys[keys[key].lo];

	if (emu_has(cpu, EMU_FEAT_PACQARMA5))
		return emu_pauth_qarma5(data, modifier, key0, key1);
	return cheap(data, modifier, key0, key1);
}

static bool is_data(unsigned key)
{
	return key == APDA || key == APDB;
}

static bool is_enabled(const struct emu_cpu *cpu, unsigned key)
{
	return cpu->sys[EMU_SR_SCTLR_EL1] >> keys[key].enable & 1;
}

/* Whether the top byte is ignored in addresses of the lower or upper range. */
static bool top_byte_ignored(const struct emu_cpu *cpu, bool upper, bool data)
{
	uint64_t tcr = cpu->sys[EMU_SR_TCR_EL1];
	bool tbi = tcr >> (upper ? TCR_TBI1 : TCR_TBI0) & 1;
	bool tbid = tcr >> (upper ? TCR_TBID1 : TCR_TBID0) & 1;

	return tbi && (data || !tbid);
}

/* The lowest bit of the code: the size of the range's virtual addresses. */
static unsigned bottom_bit(const struct emu_cpu *cpu, bool upper)
{
	uint64_t tcr = cpu->sys[EMU_SR_TCR_EL1];
	bool granule_64k = upper ? BITS(tcr, TCR_TG1 + 1, TCR_TG1) == 3 : BITS(tcr, TCR_TG0 + 1, TCR_TG0) == 1;
	unsigned tsz = (unsigned)(tcr >> (upper ? TCR_T1SZ : TCR_T0SZ)) & 63;
	unsigned max = emu_has(cpu, EMU_FEAT_TTST) ? (granule_64k ? 47 : 48) : 39;
	unsigned min = granule_64k && emu_has(cpu, EMU_FEAT_LVA) ? 12 : 16;

	return 64 - (tsz > max ? max : tsz < min ? min : tsz);
}

/* The bits that the code takes: those above the address, but for bit 55 and,
 * where it is ignored, the top byte. */
static uint64_t code_bits(unsigned bottom, bool tbi)
{
	uint64_t bits = ~0ull << bottom & ~(1ull << 55);

	return tbi ? bits & ~(0xFFull << 56) : bits;
}

/* The pointer with the code's bits and bit 55 made copies of `upper`. */
static uint64_t extend(uint64_t ptr, uint64_t code, bool upper)
{
	uint64_t bits = code | 1ull << 55;

	return upper ? ptr | bits : ptr & ~bits;
}

uint64_t emu_pauth_add(struct emu_cpu *cpu, uint64_t ptr, uint64_t modifier, unsigned key)
{
	bool data = is_data(key);

	if (!is_enabled(cpu, key))
		return ptr;

	bool any_tbi = top_byte_ignored(cpu, false, data) || top_byte_ignored(cpu, true, data);
	bool upper = ptr >> (any_tbi ? 55 : 63) & 1;
	bool tbi = top_byte_ignored(cpu, ptr >> 55 & 1, data);
	uint64_t code = code_bits(bottom_bit(cpu, upper), tbi);
	uint64_t all = code | 1ull << 55;
	uint64_t pac = compute(cpu, extend(ptr, code, upper), modifier, key);

	/* A pointer that was no good address must not become one that authenticates. */
	if ((ptr & all) != 0 && (ptr & all) != all) {
		if (emu_has(cpu, EMU_FEAT_EPAC) && !emu_has(cpu, EMU_FEAT_PAuth2))
			pac = 0;
		else if (!emu_has(cpu, EMU_FEAT_PAuth2))
			pac ^= 1ull << (tbi ? 54 : 62);
	}
	if (emu_has(cpu, EMU_FEAT_PAuth2))
		pac ^= ptr;
	ptr = (ptr & ~code) | (pac & code);
	return upper ? ptr | 1ull << 55 : ptr & ~(1ull << 55);
}

uint64_t emu_pauth_auth(struct emu_cpu *cpu, uint64_t ptr, uint64_t modifier, unsigned key, bool is_combined)
{
	bool data = is_data(key), upper = ptr >> 55 & 1;
	bool is_b = key == APIB || key == APDB;

	if (!is_enabled(cpu, key))
		return ptr;

	bool tbi = top_byte_ignored(cpu, upper, data);
	uint64_t code = code_bits(bottom_bit(cpu, upper), tbi);
	uint64_t original = extend(ptr, code, upper);
	uint64_t pac = compute(cpu, original, modifier, key);

	if (!emu_has(cpu, EMU_FEAT_PAuth2)) {
		unsigned pos = tbi ? 53 : 61;

		if ((pac & code) == (ptr & code))
			return original;
		return (original & ~(3ull << pos)) | (is_b ? 2ull : 1ull) << pos;
	}
	ptr ^= pac & code;
	if (ptr != original && emu_has(cpu, is_combined ? EMU_FEAT_FPACCOMBINE : EMU_FEAT_FPAC))
		emu_raise(cpu, 0x1C, (uint32_t)data << 1 | is_b, 0);
	return ptr;
}

uint64_t emu_pauth_strip(struct emu_cpu *cpu, uint64_t ptr, bool data)
{
	bool upper = ptr >> 55 & 1;

	return extend(ptr, code_bits(bottom_bit(cpu, upper), top_byte_ignored(cpu, upper, data)), upper);
}

uint64_t emu_pauth_generic(struct emu_cpu *cpu, uint64_t x, uint64_t modifier)
{
	return compute(cpu, x, modifier, APGA) & 0xFFFFFFFF00000000;
}
