/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the programs of a table and prints the wall-clock time of each run; the
 * guest's side of tests/bench/run.
 *
 *	timed TABLE RUNS [NAME...]
 *
 * A line of the table is a name, a kind and a shell command, parted by tabs; a
 * '#' starts a comment. For each run it prints
 *
 *	bench NAME SECONDS STATUS CHECKSUM
 *
 * where the checksum is FNV-1a of what the command wrote to standard output.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT "/tmp/output"

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static uint64_t checksum(const char *path)
{
	static unsigned char buf[65536];
	uint64_t h = 14695981039346656037u;
	int fd = open(path, O_RDONLY);

	for (ssize_t n; fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0;)
		for (ssize_t i = 0; i < n; i++)
			h = (h ^ buf[i]) * 1099511628211u;
	if (fd >= 0)
		close(fd);
	return h;
}

static void run(const char *name, const char *command)
{
	int status = -1;
	double begin = now();
	pid_t pid = fork();

	if (pid == 0) {
		int out = open(OUTPUT, O_WRONLY | O_CREAT | O_TRUNC, 0600), in = open("/dev/null", O_RDONLY);
		if (out < 0 || in < 0 || dup2(out, 1) < 0 || dup2(in, 0) < 0)
			_exit(126);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		status = -1;
	double taken = now() - begin;
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	printf("bench %s %.6f %d %016" PRIx64 "\n", name, taken, status, checksum(OUTPUT));
	fflush(stdout);
}

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 3; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 3;
}

int main(int argc, char **argv)
{
	char line[1024];
	FILE *table = argc < 3 ? NULL : fopen(argv[1], "r");

	if (!table) {
		fprintf(stderr, "usage: timed TABLE RUNS [NAME...]\n");
		return 2;
	}
	while (fgets(line, sizeof(line), table)) {
		char *name = strtok(line, "\t\n"), *kind = strtok(NULL, "\t\n"), *command = strtok(NULL, "\n");
		if (!kind || !command || name[0] == '#' || !wanted(name, argc, argv))
			continue;
		for (int i = 0; i < atoi(argv[2]); i++)
			run(name, command + strspn(command, "\t"));
	}
	fclose(table);
	return 0;
}
