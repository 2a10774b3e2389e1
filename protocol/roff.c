/* SPDX-License-Identifier: BSD-2-Clause */
/* Text for manual pages. Thread: any. */
#include "protocol/roff.h"

#include <stdbool.h>
#include <string.h>

enum { COLUMNS = 78 };

static size_t put_char(FILE *f, char c)
{
	if (c == '\\')
		return fputs("\\e", f), 2;
	if (c == '-')
		return fputs("\\-", f), 2;
	if (c == '"')
		return fputs("\\(dq", f), 4;
	fputc(c, f);
	return 1;
}

void proto_roff_word(FILE *f, const char *text)
{
	for (; *text; text++)
		put_char(f, *text);
}

/* How many columns the word's source takes. */
static size_t source_width(const char *word, size_t n)
{
	size_t width = 0;
	for (size_t i = 0; i < n; i++)
		width += word[i] == '\\' || word[i] == '-' ? 2 : word[i] == '"' ? 4 : 1;
	return width;
}

void proto_roff_text(FILE *f, const char *text)
{
	size_t column = 0;
	bool sentence = false; /* the word before ended one */
	while (*(text += strspn(text, " \n\t"))) {
		size_t n = strcspn(text, " \n\t");
		if (column && (sentence || column + 1 + source_width(text, n) > COLUMNS)) {
			fputc('\n', f);
			column = 0;
		}
		if (column)
			column += put_char(f, ' ');
		else if (*text == '.' || *text == '\'')
			column += (size_t)fprintf(f, "\\&");
		for (size_t i = 0; i < n; i++)
			column += put_char(f, text[i]);
		char last = text[n - 1];
		if (last == ')' && n > 1)
			last = text[n - 2];
		sentence = last == '.' || last == '!' || last == '?';
		text += n;
	}
	if (column)
		fputc('\n', f);
}
