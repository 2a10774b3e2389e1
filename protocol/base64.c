/* SPDX-License-Identifier: BSD-2-Clause */
/* Base64. Thread: any. */
#include "protocol/base64.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *proto_base64_encode(const void *data, size_t len)
{
	const uint8_t *in = data;
	char *text = malloc((len + 2) / 3 * 4 + 1);
	if (!text)
		return NULL;
	char *out = text;
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t v = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0);
		*out++ = alphabet[v >> 18];
		*out++ = alphabet[v >> 12 & 63];
		*out++ = left > 1 ? alphabet[v >> 6 & 63] : '=';
		*out++ = left > 2 ? alphabet[v & 63] : '=';
	}
	*out = '\0';
	return text;
}

bool proto_base64_decode(const char *text, uint8_t **ret_data, size_t *ret_len)
{
	uint8_t *data = malloc(strlen(text) / 4 * 3 + 3);
	size_t len = 0, n = 0, padding = 0;
	uint32_t v = 0;
	if (!data)
		return false;
	for (; *text; text++) {
		if (isspace((unsigned char)*text))
			continue;
		const char *p = *text == '=' ? NULL : strchr(alphabet, *text);
		if ((!p && *text != '=') || (p && padding))
			goto bad;
		padding += !p;
		v = v << 6 | (p ? (uint32_t)(p - alphabet) : 0);
		if (++n % 4)
			continue;
		if (padding > 2)
			goto bad;
		data[len++] = (uint8_t)(v >> 16);
		if (padding < 2)
			data[len++] = (uint8_t)(v >> 8);
		if (padding < 1)
			data[len++] = (uint8_t)v;
		v = 0;
	}
	if (n % 4)
		goto bad;
	*ret_data = data;
	*ret_len = len;
	return true;
bad:
	free(data);
	return false;
}
