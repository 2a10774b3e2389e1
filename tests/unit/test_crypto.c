/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cryptographic instructions, used as their manual pages suggest, against
 * the published test vectors of the algorithms.
 */
#include "emu/interp_priv.h"
#include "tests/unit/suite.h"

#include <stdlib.h>
#include <string.h>

static struct emu_cpu cpu;

static void setup(void)
{
	memset(&cpu, 0, sizeof(cpu));
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t be64(const uint8_t *p)
{
	return (uint64_t)be32(p) << 32 | be32(p + 4);
}

/* The message "abc", padded to one block of `len` bytes. */
static void pad_abc(uint8_t *block, size_t len)
{
	memset(block, 0, len);
	memcpy(block, "abc\x80", 4);
	block[len - 1] = 24;
}

/* Floating point is never trapped here. */
_Noreturn void emu_raise_fp_trap(struct emu_cpu *c)
{
	abort();
}

/* Executes a line with fields Rd, Rn and, if it has one, Rm. */
#define RUN2(name, rd, rn) interp_##name(&cpu, (const void *)&(struct a64_args_##name){ .Rd = (rd), .Rn = (rn) })
#define RUN3(name, rd, rn, rm) \
	interp_##name(&cpu, (const void *)&(struct a64_args_##name){ .Rd = (rd), .Rn = (rn), .Rm = (rm) })

/* ---- AES, FIPS 197 appendix C.1 ---- */

/* The S-box on each byte of a word: AESE with a zero key on four equal columns. */
static uint32_t sub_word(uint32_t w)
{
	for (unsigned i = 0; i < 4; i++)
		cpu.v[30].s[i] = w;
	memset(&cpu.v[31], 0, 16);
	RUN2(AESE, 30, 31);
	return cpu.v[30].s[0];
}

/* Words in memory order, so the rotation is to the right. */
static void expand_key(const uint8_t key[16], uint32_t w[44])
{
	uint32_t rcon = 1;

	memcpy(w, key, 16);
	for (unsigned i = 4; i < 44; i++) {
		uint32_t t = w[i - 1];

		if (i % 4 == 0) {
			t = sub_word(t >> 8 | t << 24) ^ rcon;
			rcon = rcon == 0x80 ? 0x1B : rcon << 1;
		}
		w[i] = w[i - 4] ^ t;
	}
}

START_TEST(test_aes)
{
	static const uint8_t cipher[16] = { 0x69, 0xC4, 0xE0, 0xD8, 0x6A, 0x7B, 0x04, 0x30, 0xD8, 0xCD, 0xB7, 0x80, 0x70,
		0xB4, 0xC5, 0x5A };
	uint8_t key[16], plain[16];
	uint32_t w[44];

	for (unsigned i = 0; i < 16; i++) {
		key[i] = (uint8_t)i;
		plain[i] = (uint8_t)(i * 0x11);
	}
	expand_key(key, w);

	memcpy(&cpu.v[0], plain, 16);
	for (unsigned round = 0; round < 10; round++) {
		memcpy(&cpu.v[1], &w[4 * round], 16);
		RUN2(AESE, 0, 1);
		if (round < 9)
			RUN2(AESMC, 0, 0);
	}
	for (unsigned i = 0; i < 4; i++)
		cpu.v[0].s[i] ^= w[40 + i];
	ck_assert_mem_eq(&cpu.v[0], cipher, 16);

	/* The equivalent inverse cipher: inner round keys through AESIMC. */
	for (unsigned round = 10; round > 0; round--) {
		memcpy(&cpu.v[1], &w[4 * round], 16);
		if (round < 10)
			RUN2(AESIMC, 1, 1);
		RUN2(AESD, 0, 1);
		if (round > 1)
			RUN2(AESIMC, 0, 0);
	}
	for (unsigned i = 0; i < 4; i++)
		cpu.v[0].s[i] ^= w[i];
	ck_assert_mem_eq(&cpu.v[0], plain, 16);
}
END_TEST

/* ---- SHA-1 and SHA-256, FIPS 180 examples: registers 0 and 1 are the state, 2
 * and 3 its old value, 4 to 7 the schedule, 8 the words with their constants ---- */

/* The next four words of the schedule replace the oldest in v4 to v7, in turn. */
static void next_words_sha1(unsigned oldest)
{
	unsigned a = 4 + oldest, b = 4 + (oldest + 1) % 4, c = 4 + (oldest + 2) % 4, d = 4 + (oldest + 3) % 4;

	RUN3(SHA1SU0, a, b, c);
	RUN2(SHA1SU1, a, d);
}

START_TEST(test_sha1)
{
	static const uint32_t k[4] = { 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6 };
	static const uint32_t init[5] = { 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0 };
	static const uint32_t want[5] = { 0xA9993E36, 0x4706816A, 0xBA3E2571, 0x7850C26C, 0x9CD0D89D };
	uint8_t block[64];

	pad_abc(block, sizeof(block));
	for (unsigned i = 0; i < 16; i++)
		cpu.v[4 + i / 4].s[i % 4] = be32(block + 4 * i);
	memcpy(&cpu.v[0], init, 16);
	cpu.v[1].s[0] = init[4];
	for (unsigned group = 0; group < 20; group++) {
		if (group >= 4)
			next_words_sha1(group % 4);
		for (unsigned i = 0; i < 4; i++)
			cpu.v[8].s[i] = cpu.v[4 + group % 4].s[i] + k[group / 5];
		RUN2(SHA1H, 9, 0);
		if (group < 5)
			RUN3(SHA1C, 0, 1, 8);
		else if (group < 10 || group >= 15)
			RUN3(SHA1P, 0, 1, 8);
		else
			RUN3(SHA1M, 0, 1, 8);
		cpu.v[1] = cpu.v[9];
	}
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(cpu.v[0].s[i] + init[i], want[i]);
	ck_assert_uint_eq(cpu.v[1].s[0] + init[4], want[4]);
}
END_TEST

/* The constants are the fraction of the cube roots of the first primes: found
 * by bisection, rather than typed in. */
static uint64_t cube_root_fraction(unsigned n)
{
	unsigned prime = 2, found = 0;

	for (;; prime++) {
		bool is_prime = true;

		for (unsigned d = 2; d * d <= prime; d++)
			is_prime = is_prime && prime % d != 0;
		if (is_prime && found++ == n)
			break;
	}
	/* The root x in 4.64 fixed point: x^3 <= prime, compared in 16-bit limbs. */
	unsigned __int128 root = 0;
	for (int bit = 67; bit >= 0; bit--) {
		unsigned __int128 x = root | (unsigned __int128)1 << bit;
		uint64_t limbs[5], cube[15] = { 0 }, carry = 0;

		for (unsigned i = 0; i < 5; i++)
			limbs[i] = (uint64_t)(x >> 16 * i) & 0xFFFF;
		for (unsigned i = 0; i < 5; i++)
			for (unsigned j = 0; j < 5; j++)
				for (unsigned l = 0; l < 5; l++) {
					uint64_t p = limbs[i] * limbs[j] * limbs[l];

					cube[i + j + l] += p & 0xFFFF;
					cube[i + j + l + 1] += p >> 16 & 0xFFFF;
					cube[i + j + l + 2] += p >> 32;
				}
		for (unsigned i = 0; i < 15; i++) {
			cube[i] += carry;
			carry = cube[i] >> 16;
			cube[i] &= 0xFFFF;
		}
		/* 192 fraction bits: the integer part starts at limb 12. */
		if ((cube[12] | cube[13] << 16) < prime)
			root = x;
	}
	return (uint64_t)root;
}

START_TEST(test_sha256)
{
	static const uint32_t init[8] = { 0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C,
		0x1F83D9AB, 0x5BE0CD19 };
	static const uint32_t want[8] = { 0xBA7816BF, 0x8F01CFEA, 0x414140DE, 0x5DAE2223, 0xB00361A3, 0x96177A9C,
		0xB410FF61, 0xF20015AD };
	uint8_t block[64];

	pad_abc(block, sizeof(block));
	for (unsigned i = 0; i < 16; i++)
		cpu.v[4 + i / 4].s[i % 4] = be32(block + 4 * i);
	memcpy(&cpu.v[0], init, 32);
	for (unsigned group = 0; group < 16; group++) {
		unsigned a = 4 + group % 4, b = 4 + (group + 1) % 4, c = 4 + (group + 2) % 4, d = 4 + (group + 3) % 4;

		if (group >= 4) {
			RUN2(SHA256SU0, a, b);
			RUN3(SHA256SU1, a, c, d);
		}
		for (unsigned i = 0; i < 4; i++)
			cpu.v[8].s[i] = cpu.v[a].s[i] + (uint32_t)(cube_root_fraction(4 * group + i) >> 32);
		cpu.v[2] = cpu.v[0];
		RUN3(SHA256H, 0, 1, 8);
		RUN3(SHA256H2, 1, 2, 8);
	}
	for (unsigned i = 0; i < 8; i++)
		ck_assert_uint_eq(cpu.v[i / 4].s[i % 4] + init[i], want[i]);
}
END_TEST

/* ---- SHA-512: v0 to v3 hold ab, cd, ef, gh; v8 to v15 the schedule ---- */

START_TEST(test_sha512)
{
	static const uint64_t init[8] = { 0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
		0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179 };
	static const uint64_t want[8] = { 0xDDAF35A193617ABA, 0xCC417349AE204131, 0x12E6FA4E89A97EA2, 0x0A9EEEE64B55D39A,
		0x2192992A274FC1A8, 0x36BA3C23A3FEEBBD, 0x454D4423643CE80E, 0x2A9AC94FA54CA49F };
	uint8_t block[128];

	pad_abc(block, sizeof(block));
	for (unsigned i = 0; i < 16; i++)
		cpu.v[8 + i / 2].d[i % 2] = be64(block + 8 * i);
	memcpy(&cpu.v[0], init, sizeof(init));
	for (unsigned group = 0; group < 40; group++) {
		unsigned w = 8 + group % 8;

		if (group >= 8) {
			unsigned w4 = 8 + (group + 4) % 8, w5 = 8 + (group + 5) % 8;

			/* W[t-7] straddles two registers. */
			cpu.v[30].d[0] = cpu.v[w4].d[1];
			cpu.v[30].d[1] = cpu.v[w5].d[0];
			RUN2(SHA512SU0, w, 8 + (group + 1) % 8);
			RUN3(SHA512SU1, w, 8 + (group + 7) % 8, 30);
		}
		/* T1's part that needs only h, g and the words, swapped as SHA512H wants it. */
		cpu.v[20].d[1] = cpu.v[3].d[1] + cpu.v[w].d[0] + cube_root_fraction(2 * group);
		cpu.v[20].d[0] = cpu.v[3].d[0] + cpu.v[w].d[1] + cube_root_fraction(2 * group + 1);
		cpu.v[21].d[0] = cpu.v[2].d[1]; /* f, g */
		cpu.v[21].d[1] = cpu.v[3].d[0];
		cpu.v[22].d[0] = cpu.v[1].d[1]; /* d, e */
		cpu.v[22].d[1] = cpu.v[2].d[0];
		RUN3(SHA512H, 20, 21, 22);

		struct emu_vreg next_ef = { .d = { cpu.v[1].d[0] + cpu.v[20].d[0], cpu.v[1].d[1] + cpu.v[20].d[1] } };
		RUN3(SHA512H2, 20, 1, 0);
		cpu.v[3] = cpu.v[2];
		cpu.v[2] = next_ef;
		cpu.v[1] = cpu.v[0];
		cpu.v[0] = cpu.v[20];
	}
	for (unsigned i = 0; i < 8; i++)
		ck_assert_uint_eq(cpu.v[i / 2].d[i % 2] + init[i], want[i]);
}
END_TEST

/* ---- SM3, GB/T 32905 appendix A.1: v0 holds D, C, B, A, v1 H, G, F, E ---- */

static uint32_t rol(uint32_t x, unsigned n)
{
	return x << (n & 31) | x >> (-n & 31);
}

/* W[4 * group] and on: v4 to v7 hold the sixteen words before them. */
static void next_words_sm3(void)
{
	/* PARTW1 takes W[-16..], W[-9..] and W[-3..]; PARTW2 then W[-6..] and W[-13..]. */
	cpu.v[10] = cpu.v[4];
	cpu.v[11] = (struct emu_vreg){ .s = { cpu.v[5].s[3], cpu.v[6].s[0], cpu.v[6].s[1], cpu.v[6].s[2] } };
	RUN3(SM3PARTW1, 10, 11, 7);
	cpu.v[12] = (struct emu_vreg){ .s = { cpu.v[6].s[2], cpu.v[6].s[3], cpu.v[7].s[0], cpu.v[7].s[1] } };
	cpu.v[13] = (struct emu_vreg){ .s = { cpu.v[4].s[3], cpu.v[5].s[0], cpu.v[5].s[1], cpu.v[5].s[2] } };
	RUN3(SM3PARTW2, 10, 12, 13);
}

START_TEST(test_sm3)
{
	static const uint32_t init[8] = { 0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA,
		0xE38DEE4D, 0xB0FB0E4E };
	static const uint32_t want[8] = { 0x66C7F0F4, 0x62EEEDD9, 0xD1F2D46B, 0xDC10E4E2, 0x4167C487, 0x5CF2F7A2,
		0x297DA02B, 0x8F4BA8E0 };
	uint8_t block[64];

	pad_abc(block, sizeof(block));
	for (unsigned i = 0; i < 16; i++)
		cpu.v[4 + i / 4].s[i % 4] = be32(block + 4 * i);
	for (unsigned i = 0; i < 4; i++) {
		cpu.v[0].s[3 - i] = init[i];
		cpu.v[1].s[3 - i] = init[4 + i];
	}
	for (unsigned j = 0; j < 64; j++) {
		uint32_t t = j < 16 ? 0x79CC4519 : 0x7A879D8A;

		if (j % 4 == 0) { /* v8: W[j..], v9: W'[j..], which is W[j..] ^ W[j+4..] */
			next_words_sm3();
			cpu.v[8] = cpu.v[4];
			for (unsigned i = 0; i < 4; i++)
				cpu.v[9].s[i] = cpu.v[4].s[i] ^ cpu.v[5].s[i];
			for (unsigned i = 4; i < 7; i++)
				cpu.v[i] = cpu.v[i + 1];
			cpu.v[7] = cpu.v[10];
		}
		cpu.v[21].s[3] = rol(t, j);
		interp_SM3SS1(&cpu, (const void *)&(struct a64_args_SM3SS1){ .Rd = 20, .Rn = 0, .Rm = 1, .Ra = 21 });
		if (j < 16) {
			interp_SM3TT1A(&cpu, (const void *)&(struct a64_args_SM3TT1A){ .Rd = 0, .Rn = 20, .Rm = 9, .imm2 = j % 4 });
			interp_SM3TT2A(&cpu, (const void *)&(struct a64_args_SM3TT2A){ .Rd = 1, .Rn = 20, .Rm = 8, .imm2 = j % 4 });
		} else {
			interp_SM3TT1B(&cpu, (const void *)&(struct a64_args_SM3TT1B){ .Rd = 0, .Rn = 20, .Rm = 9, .imm2 = j % 4 });
			interp_SM3TT2B(&cpu, (const void *)&(struct a64_args_SM3TT2B){ .Rd = 1, .Rn = 20, .Rm = 8, .imm2 = j % 4 });
		}
	}
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(cpu.v[0].s[3 - i] ^ init[i], want[i]);
		ck_assert_uint_eq(cpu.v[1].s[3 - i] ^ init[4 + i], want[4 + i]);
	}
}
END_TEST

/* ---- SM4, GB/T 32907 appendix A.1 ---- */

START_TEST(test_sm4)
{
	static const uint32_t key[4] = { 0x01234567, 0x89ABCDEF, 0xFEDCBA98, 0x76543210 };
	static const uint32_t fk[4] = { 0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC };
	static const uint32_t want[4] = { 0x681EDF34, 0xD206965E, 0x86B3E94F, 0x536E4246 };

	for (unsigned i = 0; i < 4; i++) {
		cpu.v[0].s[i] = key[i];
		cpu.v[1].s[i] = key[i] ^ fk[i];
	}
	for (unsigned group = 0; group < 8; group++) {
		for (unsigned i = 0; i < 4; i++) {
			uint32_t ck = 0;

			for (unsigned j = 0; j < 4; j++)
				ck = ck << 8 | ((4 * (4 * group + i) + j) * 7 & 255);
			cpu.v[2].s[i] = ck;
		}
		RUN3(SM4EKEY, 1, 1, 2);
		RUN2(SM4E, 0, 1);
	}
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(cpu.v[0].s[3 - i], want[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto");
	TCase *tc = tcase_create("crypto");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_aes);
	tcase_add_test(tc, test_sha1);
	tcase_add_test(tc, test_sha256);
	tcase_add_test(tc, test_sha512);
	tcase_add_test(tc, test_sm3);
	tcase_add_test(tc, test_sm4);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return suite_run(s, CK_FORK_GETENV);
}
