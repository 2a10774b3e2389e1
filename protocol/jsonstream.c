/* SPDX-License-Identifier: BSD-2-Clause */
/* The splitter; see the header. It looks at every byte once. */
#include "protocol/jsonstream.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	PIECE = 64 * 1024,     /* what a transport reads at once, at most */
	HEADERS_MAX = 4096,    /* bytes of headers before a message */
	SCALAR_MAX = 256,      /* of a line that is no object */
};

void proto_stream_init(struct proto_stream *s, enum proto_stream_mode mode)
{
	*s = (struct proto_stream){ .mode = mode };
	if (mode == PROTO_STREAM_QMP)
		s->framing = PROTO_FRAMING_BRACKETS;
}

void proto_stream_fini(struct proto_stream *s)
{
	free(s->in);
	free(s->out);
	*s = (struct proto_stream){ .dead = true };
}

static bool reserve(char **buf, size_t *size, size_t need)
{
	if (need <= *size)
		return true;
	size_t n = *size ? *size : 4096;
	while (n < need)
		n *= 2;
	char *p = realloc(*buf, n);
	if (!p)
		return false;
	*buf = p;
	*size = n;
	return true;
}

bool proto_stream_feed(struct proto_stream *s, const char *data, size_t len)
{
	if (s->in_pos == s->in_len) {
		s->in_pos = s->in_len = 0;
	} else if (s->in_pos > PIECE) {
		memmove(s->in, s->in + s->in_pos, s->in_len - s->in_pos);
		s->in_len -= s->in_pos;
		s->in_pos = 0;
	}
	if (len > PROTO_MAX_MESSAGE || s->in_len - s->in_pos + len > PROTO_MAX_MESSAGE + PIECE ||
	    !reserve(&s->in, &s->in_size, s->in_len + len))
		return false;
	if (len)
		memcpy(s->in + s->in_len, data, len);
	s->in_len += len;
	return true;
}

static void restart(struct proto_stream *s)
{
	s->out_len = 0;
	s->depth = 0;
	s->quote = 0;
	s->escape = s->scalar = s->done = false;
	/* A huge message was the exception: do not keep its buffer. */
	if (s->out_size > PIECE) {
		free(s->out);
		s->out = NULL;
		s->out_size = 0;
	}
}

static bool put(struct proto_stream *s, char c)
{
	if (!reserve(&s->out, &s->out_size, s->out_len + 1))
		return false;
	s->out[s->out_len++] = c;
	return true;
}

static enum proto_stream_next bad(struct proto_stream *s, char at, enum proto_stream_skip skip, const char *why,
				  const char **ret_text)
{
	restart(s);
	s->skip = at == '\n' ? PROTO_SKIP_NOTHING : skip;
	*ret_text = why;
	return PROTO_STREAM_BAD;
}

static enum proto_stream_next dead(struct proto_stream *s, const char *why, const char **ret_text)
{
	restart(s);
	s->dead = true;
	*ret_text = why;
	return PROTO_STREAM_DEAD;
}

/* ---- Content-Length headers ---- */

/* The end of the headers: the offset after the empty line, or 0. */
static size_t headers_end(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != '\n')
			continue;
		if (i + 1 < n && p[i + 1] == '\n')
			return i + 2;
		if (i + 2 < n && p[i + 1] == '\r' && p[i + 2] == '\n')
			return i + 3;
	}
	return 0;
}

static bool content_length(const char *p, size_t n, size_t *ret)
{
	static const char name[] = "Content-Length:";
	bool found = false;
	for (const char *end = p + n; p < end;) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		if (!eol)
			break;
		if ((size_t)(eol - p) > sizeof(name) - 1 && !strncasecmp(p, name, sizeof(name) - 1)) {
			const char *d = p + sizeof(name) - 1;
			size_t value = 0, digits = 0;
			while (d < eol && (*d == ' ' || *d == '\t'))
				d++;
			for (; d < eol && *d >= '0' && *d <= '9' && digits < 9; d++, digits++)
				value = value * 10 + (size_t)(*d - '0');
			while (d < eol && (*d == ' ' || *d == '\t' || *d == '\r'))
				d++;
			if (!digits || d != eol || found)
				return false;
			found = true;
			*ret = value;
		}
		p = eol + 1;
	}
	return found;
}

static enum proto_stream_next next_framed(struct proto_stream *s, const char **ret_text, size_t *ret_len)
{
	const char *p = s->in + s->in_pos;
	size_t n = s->in_len - s->in_pos, head = headers_end(p, n < HEADERS_MAX ? n : HEADERS_MAX), len = 0;
	if (!head)
		return n < HEADERS_MAX ? PROTO_STREAM_MORE : dead(s, "the headers of a message do not end", ret_text);
	if (!content_length(p, head, &len))
		return dead(s, "the headers of a message hold no valid Content-Length", ret_text);
	if (len > PROTO_MAX_MESSAGE)
		return dead(s, "a message is larger than 1 MiB", ret_text);
	if (n - head < len)
		return PROTO_STREAM_MORE;
	*ret_text = p + head;
	*ret_len = len;
	s->in_pos += head + len;
	return PROTO_STREAM_TEXT;
}

/* ---- Brackets ---- */

static enum proto_stream_next end_text(struct proto_stream *s, const char **ret_text, size_t *ret_len)
{
	s->done = true;
	*ret_text = s->out;
	*ret_len = s->out_len;
	return PROTO_STREAM_TEXT;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A byte inside a string. Writes what jansson shall see: double quotes, and no
 * escape that only the single-quoted dialect knows. False: no memory. */
static bool put_in_string(struct proto_stream *s, char c)
{
	bool qmp = s->mode == PROTO_STREAM_QMP;
	if (s->escape) {
		s->escape = false;
		if (qmp && c == '\'') {
			s->out[s->out_len - 1] = '\'';
			return true;
		}
		return put(s, c);
	}
	if (c == '\\') {
		s->escape = true;
	} else if (c == s->quote) {
		s->quote = 0;
		c = '"';
	} else if (c == '"' && !put(s, '\\')) {
		return false;
	}
	return put(s, c);
}

static bool push(struct proto_stream *s, char c)
{
	if (s->depth == PROTO_MAX_DEPTH)
		return false;
	s->open[s->depth++] = c;
	return true;
}

/* What is wrong with c at this place, or NULL. */
static const char *reject(const struct proto_stream *s, char c)
{
	unsigned char u = (unsigned char)c;
	if (u == 0xc0 || u == 0xc1 || u >= 0xf5)
		return "JSON parse error, a byte that is not UTF-8";
	if (s->quote)
		return u < 0x20 ? "JSON parse error, a control character in a string" : NULL;
	if ((u < 0x20 && !is_space(c)) || u >= 0x7f)
		return "JSON parse error, a stray character";
	if ((c == '}' || c == ']') && s->depth && s->open[s->depth - 1] != (c == '}' ? '{' : '['))
		return "JSON parse error, brackets do not match";
	return NULL;
}

static enum proto_stream_next next_bracketed(struct proto_stream *s, const char **ret_text, size_t *ret_len)
{
	const enum proto_stream_skip resync = s->mode == PROTO_STREAM_QMP ? PROTO_SKIP_TO_OBJECT : PROTO_SKIP_LINE;
	while (s->in_pos < s->in_len) {
		char c = s->in[s->in_pos];
		if (s->skip) {
			if (c == '\n' || (s->mode == PROTO_STREAM_QMP && (unsigned char)c == 0xff) ||
			    (c == '{' && s->skip == PROTO_SKIP_TO_OBJECT))
				s->skip = PROTO_SKIP_NOTHING;
			if (c != '{' || s->skip) {
				s->in_pos++;
				continue;
			}
		}
		s->in_pos++;
		if (s->scalar) {
			if (c == '\n')
				return end_text(s, ret_text, ret_len);
			if (s->out_len == SCALAR_MAX)
				return bad(s, c, resync, "JSON parse error, neither an object nor an array", ret_text);
			if (!put(s, c))
				return dead(s, "out of memory", ret_text);
			continue;
		}
		if (!s->depth && is_space(c))
			continue;
		const char *why = reject(s, c);
		if (why)
			return bad(s, c, resync, why, ret_text);
		if (!s->depth && c != '{' && c != '[') {
			if (s->mode == PROTO_STREAM_QMP)
				return bad(s, c, resync, "JSON parse error, expecting an object", ret_text);
			s->scalar = true;
		}
		if (s->out_len >= PROTO_MAX_MESSAGE)
			return bad(s, c, PROTO_SKIP_LINE, "JSON parse error, a message is larger than 1 MiB", ret_text);
		if (s->quote) {
			if (!put_in_string(s, c))
				return dead(s, "out of memory", ret_text);
			continue;
		}
		if ((c == '{' || c == '[') && !push(s, c))
			return bad(s, c, PROTO_SKIP_LINE, "JSON parse error, nested deeper than 64 levels", ret_text);
		if (s->depth && (c == '"' || (c == '\'' && s->mode == PROTO_STREAM_QMP))) {
			s->quote = c;
			c = '"';
		}
		if (!put(s, c))
			return dead(s, "out of memory", ret_text);
		if ((c == '}' || c == ']') && s->depth && !--s->depth)
			return end_text(s, ret_text, ret_len);
	}
	return PROTO_STREAM_MORE;
}

enum proto_stream_next proto_stream_next(struct proto_stream *s, const char **ret_text, size_t *ret_len)
{
	if (s->dead)
		return PROTO_STREAM_MORE;
	if (s->done)
		restart(s);
	while (s->framing == PROTO_FRAMING_UNKNOWN) {
		if (s->in_pos == s->in_len)
			return PROTO_STREAM_MORE;
		char c = s->in[s->in_pos];
		if (is_space(c))
			s->in_pos++;
		else
			s->framing = (c | 0x20) == 'c' ? PROTO_FRAMING_HEADERS : PROTO_FRAMING_BRACKETS;
	}
	return s->framing == PROTO_FRAMING_HEADERS ? next_framed(s, ret_text, ret_len) : next_bracketed(s, ret_text, ret_len);
}
