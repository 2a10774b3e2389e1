/* SPDX-License-Identifier: BSD-2-Clause */
/* What vmctl prints: errors, JSON, tables, sizes and times. */
#include "vmctl/vmctl_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
	enum vmd_error_code code;
	int status;
} statuses[] = {
	{ VMD_ERR_INVALID, VMCTL_USAGE },         { VMD_ERR_NOT_FOUND, VMCTL_NOT_FOUND },
	{ VMD_ERR_WRONG_STATE, VMCTL_WRONG_STATE }, { VMD_ERR_UNREACHABLE, VMCTL_UNREACHABLE },
	{ VMD_ERR_DENIED, VMCTL_DENIED },         { VMD_ERR_TIMEOUT, VMCTL_TIMEOUT },
	{ VMD_ERR_GUEST_REFUSED, VMCTL_REFUSED },
};

int vmctl_status_of(enum vmd_error_code code)
{
	for (unsigned i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (statuses[i].code == code)
			return statuses[i].status;
	return VMCTL_FAILED;
}

const char *vmctl_safe(const char *text, char *buf, size_t size)
{
	size_t n = 0;
	for (; *text && n + 5 < size; text++) {
		unsigned char c = (unsigned char)*text;
		/* C1 controls arrive as UTF-8: 0xc2 0x80 to 0xc2 0x9f. */
		if (c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0))
			n += (size_t)snprintf(buf + n, size - n, "\\x%02x", c);
		else
			buf[n++] = (char)c;
	}
	buf[n] = 0;
	return buf;
}

int vmctl_fail(const struct vmctl *ctx, const struct vmd_error *err)
{
	int status = vmctl_status_of(err->code);
	char safe[1024];
	if (ctx->json) {
		json_t *e = json_pack("{s:{s:s, s:s, s:s?}}", "error", "class", vmd_error_class(err->code), "desc", err->message,
				      "hint", *err->hint ? err->hint : NULL);
		char *text = e ? json_dumps(e, 0) : NULL;
		fprintf(stderr, "%s\n", text ? text : "{}");
		free(text);
		json_decref(e);
		return status;
	}
	fprintf(stderr, "vmctl: %s\n", vmctl_safe(err->message, safe, sizeof(safe)));
	if (*err->hint)
		fprintf(stderr, "hint: %s\n", vmctl_safe(err->hint, safe, sizeof(safe)));
	return status;
}

void vmctl_note(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("vmctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputs("\n", stderr);
	va_end(ap);
}

int vmctl_print_json(const json_t *json)
{
	char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY);
	if (!text) {
		vmctl_note("out of memory");
		return VMCTL_FAILED;
	}
	puts(text);
	free(text);
	return VMCTL_OK;
}

void vmctl_size_text(uint64_t bytes, char *buf, size_t size)
{
	static const char units[] = "KMGT";
	unsigned unit = 0;
	if (bytes % 1024 || !bytes) {
		snprintf(buf, size, "%llu", (unsigned long long)bytes);
		return;
	}
	for (bytes /= 1024; bytes % 1024 == 0 && unit < 3; unit++)
		bytes /= 1024;
	snprintf(buf, size, "%llu%c", (unsigned long long)bytes, units[unit]);
}

void vmctl_age_text(double since, char *buf, size_t size)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	double age = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9 - since;
	unsigned long s = age > 0 ? (unsigned long)age : 0;
	if (s < 60)
		snprintf(buf, size, "%lus", s);
	else if (s < 3600)
		snprintf(buf, size, "%lum%02lus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, size, "%luh%02lum", s / 3600, s / 60 % 60);
	else
		snprintf(buf, size, "%lud%02luh", s / 86400, s / 3600 % 24);
}

void vmctl_time_text(double when, char *buf, size_t size)
{
	time_t t = (time_t)when;
	struct tm tm;
	if (!localtime_r(&t, &tm) || !strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(buf, size, "%.0f", when);
}

/* ---- Tables ---- */

struct vmctl_table {
	unsigned columns;
	size_t rows;
	char **cells;
	unsigned *widths;
};

struct vmctl_table *vmctl_table_new(unsigned columns)
{
	struct vmctl_table *t = calloc(1, sizeof(*t));
	if (t)
		t->widths = calloc(columns, sizeof(*t->widths));
	if (!t || !t->widths) {
		free(t);
		return NULL;
	}
	t->columns = columns;
	return t;
}

/* Columns a UTF-8 text takes, near enough: one for each character. */
static unsigned text_width(const char *text)
{
	unsigned n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void vmctl_table_add(struct vmctl_table *t, const char *const *cells)
{
	if (!t)
		return;
	char **grown = realloc(t->cells, (t->rows + 1) * t->columns * sizeof(*grown));
	if (!grown)
		return;
	t->cells = grown;
	for (unsigned i = 0; i < t->columns; i++) {
		char safe[256];
		char *cell = strdup(vmctl_safe(cells[i] ? cells[i] : "-", safe, sizeof(safe)));
		t->cells[t->rows * t->columns + i] = cell;
		if (cell && text_width(cell) > t->widths[i])
			t->widths[i] = text_width(cell);
	}
	t->rows++;
}

void vmctl_table_end(struct vmctl_table *t)
{
	if (!t)
		return;
	for (size_t r = 0; r < t->rows; r++) {
		for (unsigned i = 0; i < t->columns; i++) {
			char *cell = t->cells[r * t->columns + i];
			const char *text = cell ? cell : "?";
			fputs(text, stdout);
			if (i + 1 < t->columns)
				printf("%*s", (int)(t->widths[i] - (cell ? text_width(text) : 1) + 2), "");
			free(cell);
		}
		putchar('\n');
	}
	free(t->cells);
	free(t->widths);
	free(t);
}
