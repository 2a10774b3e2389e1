/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machines' logs: what their processes write to standard error.
 *
 *   NAME.log       the newest part; processes append to it
 *   NAME.log.old   the part before it
 *   NAME.log.base  how many bytes of the log came before NAME.log, as text
 *
 * The process keeps NAME.log open, so a log that has grown too large is copied
 * (its end) to NAME.log.old and emptied in place. Offsets that clients see count
 * from the log's very first byte, so they never turn back.
 *
 * Threads: trimming on the loop; opening on any.
 */
#include "vmd/broker_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_NAME = STORE_NAME_MAX + 16 };

static const char *file_name(char buf[FILE_NAME], const char *name, const char *suffix)
{
	snprintf(buf, FILE_NAME, "%s.log%s", name, suffix);
	return buf;
}

int broker_logs_open(const struct broker_dirs *dirs, const char *name, struct vmd_error *err)
{
	char file[FILE_NAME];
	int fd = openat(dirs->log_fd, file_name(file, name, ""), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
			0600);
	if (fd < 0)
		vmd_error_set(err, VMD_ERR_IO, errno, "cannot open the log %s/%s", dirs->log, file);
	return fd;
}

static uint64_t read_base(const struct broker_dirs *dirs, const char *name)
{
	char file[FILE_NAME], text[32];
	int fd = openat(dirs->log_fd, file_name(file, name, ".base"), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return strtoull(text, NULL, 10);
}

void broker_logs_trim(const struct broker_dirs *dirs, const char *name)
{
	char file[FILE_NAME], old[FILE_NAME], text[32];
	int fd = openat(dirs->log_fd, file_name(file, name, ""), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	if (fd < 0)
		return;
	char *tail = NULL;
	if (fstat(fd, &st) < 0 || st.st_size <= BROKER_LOG_MAX || !(tail = malloc(BROKER_LOG_MAX / 2)))
		goto out;
	ssize_t n = pread(fd, tail, BROKER_LOG_MAX / 2, st.st_size - BROKER_LOG_MAX / 2);
	if (n <= 0)
		goto out;
	uint64_t base = read_base(dirs, name) + (uint64_t)st.st_size;
	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)base);
	if (store_write_file(dirs->log_fd, dirs->log, file_name(old, name, ".old"), tail, (size_t)n, NULL) &&
	    ftruncate(fd, 0) == 0)
		store_write_file(dirs->log_fd, dirs->log, file_name(old, name, ".base"), text, strlen(text), NULL);
out:
	free(tail);
	close(fd);
}

void broker_logs_remove(const struct broker_dirs *dirs, const char *name)
{
	static const char *const suffixes[] = { "", ".old", ".base" };
	char file[FILE_NAME];
	for (size_t i = 0; i < 3; i++)
		unlinkat(dirs->log_fd, file_name(file, name, suffixes[i]), 0);
}

/* One file's part of the answer: the bytes of `file`, which ends at absolute
 * offset `end` (or, when end is 0, begins at `begin`). */
static ssize_t read_part(const struct broker_dirs *dirs, const char *file, uint64_t begin, uint64_t end,
			 uint64_t *offset, char *buf, size_t limit)
{
	int fd = openat(dirs->log_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	ssize_t n = -1;
	if (fstat(fd, &st) == 0) {
		if (end)
			begin = end > (uint64_t)st.st_size ? end - (uint64_t)st.st_size : 0;
		if (*offset < begin)
			*offset = begin;
		do
			n = pread(fd, buf, limit, (off_t)(*offset - begin));
		while (n < 0 && errno == EINTR);
	}
	close(fd);
	return n;
}

/* Bytes that are no UTF-8, and NUL, become '?'; a sequence that is cut off at the end is left for the next time. */
static size_t make_utf8(char *text, size_t len)
{
	size_t i = 0;
	while (i < len) {
		unsigned char c = (unsigned char)text[i];
		size_t want = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
		size_t have = 1;
		while (have < want && i + have < len && ((unsigned char)text[i + have] & 0xc0) == 0x80)
			have++;
		if (want > 1 && have < want && i + have == len && i > 0)
			return i;
		unsigned char second = have > 1 ? (unsigned char)text[i + 1] : 0;
		if (!want || have < want || !c || (c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) ||
		    (c == 0xf0 && second < 0x90) || (c == 0xf4 && second > 0x8f)) {
			text[i++] = '?';
			continue;
		}
		i += want;
	}
	return len;
}

bool broker_logs_read(const struct broker_dirs *dirs, const char *name, uint64_t offset, size_t limit,
		      struct proto_log_chunk *ret, struct vmd_error *err)
{
	char file[FILE_NAME];
	char *buf = malloc(limit + 1);
	if (!buf)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "cannot read the log: out of memory");
	uint64_t base = read_base(dirs, name);
	ssize_t n = 0;
	if (offset < base)
		n = read_part(dirs, file_name(file, name, ".old"), 0, base, &offset, buf, limit);
	if (n == 0)
		n = read_part(dirs, file_name(file, name, ""), base, 0, &offset, buf, limit);
	if (n < 0) {
		vmd_error_set(err, VMD_ERR_IO, errno, "cannot read the log %s/%s", dirs->log, file);
		free(buf);
		return false;
	}
	size_t len = make_utf8(buf, (size_t)n);
	buf[len] = '\0';
	*ret = (struct proto_log_chunk){ .text = buf, .offset = offset, .next = offset + len };
	return true;
}

void broker_logs_last_line(const struct broker_dirs *dirs, const char *name, char *buf, size_t size)
{
	char file[FILE_NAME], tail[1024];
	struct stat st;
	buf[0] = '\0';
	int fd = openat(dirs->log_fd, file_name(file, name, ""), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		off_t at = st.st_size > (off_t)sizeof(tail) - 1 ? st.st_size - ((off_t)sizeof(tail) - 1) : 0;
		ssize_t n = pread(fd, tail, sizeof(tail) - 1, at);
		while (n > 0 && (tail[n - 1] == '\n' || tail[n - 1] == '\r'))
			n--;
		ssize_t begin = n;
		while (begin > 0 && tail[begin - 1] != '\n')
			begin--;
		if (n > begin) {
			make_utf8(tail + begin, (size_t)(n - begin));
			snprintf(buf, size, "%.*s", (int)(n - begin), tail + begin);
		}
	}
	close(fd);
}
