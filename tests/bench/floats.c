/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating-point programs of the benchmark, each at fixed work:
 *
 *	floats matrix N     N rounds of product and LU factors of 96x96 doubles
 *	floats nbody N      N steps of five bodies: division and square root
 *	floats mandel N     an NxN picture of the Mandelbrot set in single precision
 *	floats scale T N    as matrix, N rounds shared by T threads
 *
 * Prints a checksum.
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 96 };

typedef double matrix_t[SIZE][SIZE];

static void multiply(matrix_t r, matrix_t a, matrix_t b)
{
	memset(r, 0, sizeof(matrix_t));
	for (int i = 0; i < SIZE; i++)
		for (int k = 0; k < SIZE; k++)
			for (int j = 0; j < SIZE; j++)
				r[i][j] += a[i][k] * b[k][j];
}

/* Factors in place, without pivots; the matrix is diagonally dominant. Returns the determinant's logarithm. */
static double factor(matrix_t a)
{
	double sum = 0;

	for (int k = 0; k < SIZE; k++) {
		sum += log(fabs(a[k][k]));
		for (int i = k + 1; i < SIZE; i++) {
			double f = a[i][k] /= a[k][k];
			for (int j = k + 1; j < SIZE; j++)
				a[i][j] -= f * a[k][j];
		}
	}
	return sum;
}

static double matrix(int rounds)
{
	matrix_t a, b, r;
	double sum = 0;

	for (int n = 0; n < rounds; n++) {
		for (int i = 0; i < SIZE; i++)
			for (int j = 0; j < SIZE; j++) {
				a[i][j] = (i == j) * 8.0 + ((i * 7 + j * 3 + n) % 11) / 16.0;
				b[i][j] = ((i * 5 + j * 13 + n) % 17) / 64.0;
			}
		multiply(r, a, b);
		for (int i = 0; i < SIZE; i++)
			r[i][i] += 1024;
		sum += factor(r);
	}
	return sum;
}

static double nbody(int steps)
{
	enum { BODIES = 5 };
	struct {
		double x, y, z, vx, vy, vz, mass;
	} body[BODIES];
	double energy = 0;

	for (int i = 0; i < BODIES; i++) {
		double angle = 1.3 * i, r = 1.0 + 4.0 * i;
		body[i].x = r * cos(angle), body[i].y = r * sin(angle), body[i].z = 0.1 * i;
		body[i].vx = -sin(angle) / sqrt(r), body[i].vy = cos(angle) / sqrt(r), body[i].vz = 0;
		body[i].mass = i ? 0.001 * i : 1;
	}
	for (int n = 0; n < steps; n++) {
		for (int i = 0; i < BODIES; i++)
			for (int j = i + 1; j < BODIES; j++) {
				double dx = body[i].x - body[j].x, dy = body[i].y - body[j].y, dz = body[i].z - body[j].z;
				double d2 = dx * dx + dy * dy + dz * dz, f = 0.001 / (d2 * sqrt(d2));
				body[i].vx -= dx * body[j].mass * f, body[j].vx += dx * body[i].mass * f;
				body[i].vy -= dy * body[j].mass * f, body[j].vy += dy * body[i].mass * f;
				body[i].vz -= dz * body[j].mass * f, body[j].vz += dz * body[i].mass * f;
			}
		for (int i = 0; i < BODIES; i++)
			body[i].x += 0.001 * body[i].vx, body[i].y += 0.001 * body[i].vy, body[i].z += 0.001 * body[i].vz;
	}
	for (int i = 0; i < BODIES; i++)
		energy += 0.5 * body[i].mass *
			  (body[i].vx * body[i].vx + body[i].vy * body[i].vy + body[i].vz * body[i].vz);
	return energy;
}

static double mandel(int size)
{
	double inside = 0;

	for (int py = 0; py < size; py++)
		for (int px = 0; px < size; px++) {
			float cx = 2.6f * (float)px / (float)size - 2.0f, cy = 2.4f * (float)py / (float)size - 1.2f;
			float x = 0, y = 0;
			int n = 0;
			while (n < 200 && x * x + y * y < 4.0f) {
				float t = x * x - y * y + cx;
				y = 2 * x * y + cy;
				x = t;
				n++;
			}
			inside += n;
		}
	return inside;
}

static void *scale_thread(void *arg)
{
	double *result = arg;

	*result = matrix((int)*result);
	return NULL;
}

static double scale(int threads, int rounds)
{
	enum { MOST = 64 };
	pthread_t thread[MOST];
	double result[MOST], sum = 0;

	if (threads < 1 || threads > MOST)
		return NAN;
	for (int i = 0; i < threads; i++) {
		result[i] = rounds / threads;
		if (pthread_create(&thread[i], NULL, scale_thread, &result[i])) {
			perror("pthread_create");
			exit(1);
		}
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		sum += result[i];
	}
	return sum;
}

int main(int argc, char **argv)
{
	double r;

	if (argc == 3 && !strcmp(argv[1], "matrix")) {
		r = matrix(atoi(argv[2]));
	} else if (argc == 3 && !strcmp(argv[1], "nbody")) {
		r = nbody(atoi(argv[2]));
	} else if (argc == 3 && !strcmp(argv[1], "mandel")) {
		r = mandel(atoi(argv[2]));
	} else if (argc == 4 && !strcmp(argv[1], "scale")) {
		r = scale(atoi(argv[2]), atoi(argv[3]));
	} else {
		fprintf(stderr, "usage: floats matrix|nbody|mandel N, floats scale THREADS N\n");
		return 2;
	}
	printf("%.6g\n", r);
	return 0;
}
