/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The broker's own log: lines on standard error, which --log points at a file.
 * Under systemd a line begins with its priority ("<3>"), else with the time.
 * Thread: any; a line is one write.
 */
#include "vmd/broker_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool open_file(const char *path, struct vmd_error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		return vmd_error_set(err, VMD_ERR_IO, errno, "cannot open the log %s", path);
	bool ok = dup2(fd, STDERR_FILENO) >= 0;
	int saved = errno;
	close(fd);
	return ok || vmd_error_set(err, VMD_ERR_IO, saved, "cannot log to %s", path);
}

/* $JOURNAL_STREAM holds device and inode of the journal's socket. */
static bool is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	return text && sscanf(text, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == dev && st.st_ino == ino;
}

bool broker_log_init(struct broker_log *log, const char *path, struct vmd_error *err)
{
	struct broker_log fresh = { .path = path ? strdup(path) : NULL };
	if (path && !fresh.path)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	if (path && !open_file(path, err)) {
		free(fresh.path);
		return false;
	}
	fresh.journal = is_journal();
	*log = fresh;
	return true;
}

void broker_log_reopen(struct broker_log *log)
{
	struct vmd_error err;
	if (log->path && !open_file(log->path, &err))
		broker_log(log, BROKER_LOG_ERROR, "%s", err.message);
}

void broker_log_fini(struct broker_log *log)
{
	free(log->path);
	log->path = NULL;
}

static void write_line(const struct broker_log *log, enum broker_level level, const char *text)
{
	static const char *const priorities[] = { "<3>", "<4>", "<6>" };
	static const char *const names[] = { "error: ", "warning: ", "" };
	char line[1400], when[40] = "";
	if (!log->journal) {
		time_t now = time(NULL);
		struct tm tm;
		localtime_r(&now, &tm);
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S ", &tm);
	}
	int n = snprintf(line, sizeof(line) - 1, "%s%svmd: %s%s", log->journal ? priorities[level] : "", when,
			 log->journal ? "" : names[level], text);
	size_t len = n < (int)sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;
	line[len++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, len);
	(void)written; /* there is nowhere to complain to */
}

void broker_log(const struct broker_log *log, enum broker_level level, const char *fmt, ...)
{
	char text[1200];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	write_line(log, level, text);
}

void broker_log_error(const struct broker_log *log, const struct vmd_error *err, const char *fmt, ...)
{
	char what[256], text[1200];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(text, sizeof(text), "%s: %s%s%s%s", what, err->message, err->hint[0] ? " (" : "", err->hint,
		 err->hint[0] ? ")" : "");
	write_line(log, BROKER_LOG_ERROR, text);
}
