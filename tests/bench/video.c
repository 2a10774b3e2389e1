/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes the video that the benchmark encodes: 60 frames of 352x288, planar
 * 4:2:0, on standard output. A textured background that pans, discs that move
 * over it, and a little noise, so that an encoder finds motion, edges and flat
 * parts. The same bytes on any host.
 */
#include <stdint.h>
#include <stdio.h>

enum { WIDTH = 352, HEIGHT = 288, FRAMES = 60 };

static uint32_t seed = 1;

static int noise(int range)
{
	seed = seed * 1664525u + 1013904223u;
	return (int)((seed >> 16) % (uint32_t)range);
}

static int luma(int x, int y, int t)
{
	int pan = x + 2 * t, v = 96 + ((pan * pan / 64 + y * 3) & 63) + (((pan >> 4) ^ (y >> 4)) & 1) * 24;

	for (int i = 0; i < 4; i++) {
		int cx = (40 + 80 * i + (3 + i) * t) % WIDTH, cy = (60 + 50 * i + (5 - i) * t) % HEIGHT;
		int d = (x - cx) * (x - cx) + (y - cy) * (y - cy);
		if (d < 900)
			v = 220 - d / 9;
	}
	return v + noise(4);
}

int main(void)
{
	for (int t = 0; t < FRAMES; t++) {
		for (int y = 0; y < HEIGHT; y++)
			for (int x = 0; x < WIDTH; x++)
				putchar(luma(x, y, t) & 255);
		for (int plane = 0; plane < 2; plane++)
			for (int y = 0; y < HEIGHT / 2; y++)
				for (int x = 0; x < WIDTH / 2; x++)
					putchar(128 + ((x + t * (plane + 1)) / 8 ^ y / 8) % 32 - 16);
	}
	return fflush(stdout) != 0;
}
