/* SPDX-License-Identifier: BSD-2-Clause */
/* Base64 (RFC 4648, section 4), for bytes in JSON. Thread: any. */
#ifndef PROTOCOL_BASE64_H
#define PROTOCOL_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Malloc'ed text; NULL when out of memory. */
char *proto_base64_encode(const void *data, size_t len);
/* Malloc'ed bytes; false when the text is not base64 (white space is skipped),
 * or out of memory. */
bool proto_base64_decode(const char *text, uint8_t **ret_data, size_t *ret_len);

#endif
