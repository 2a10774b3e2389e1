/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console protocol's framing and messages, for both of its sides: the hub in
 * the machine process and any client (vmctl). See "Console protocol" in
 * ARCHITECTURE.md. No I/O happens here and no event loop is assumed.
 *
 *     0      1      2             4
 *     +------+------+-------------+------------------ - -
 *     | type |  0   | length (BE) | payload (length bytes)
 *     +------+------+-------------+------------------ - -
 */
#ifndef PROTOCOL_CONSOLE_H
#define PROTOCOL_CONSOLE_H

#include "protocol/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum protocol_console_type {
	PROTOCOL_CONSOLE_HELLO = 1,
	PROTOCOL_CONSOLE_WELCOME = 2,
	PROTOCOL_CONSOLE_DATA = 3,
	PROTOCOL_CONSOLE_NOTICE = 4,
	PROTOCOL_CONSOLE_BREAK = 5,
	PROTOCOL_CONSOLE_EOF = 6,
};

enum {
	PROTOCOL_CONSOLE_HEADER = 4,
	PROTOCOL_CONSOLE_MAX_PAYLOAD = 65535,
	/* No message but DATA is longer than this. */
	PROTOCOL_CONSOLE_MAX_JSON = 2048,
};

/* Who holds the pen, as SO_PEERCRED told the hub. */
struct protocol_console_holder {
	pid_t pid;
	uid_t uid;
};

struct protocol_console_hello {
	bool rw;         /* wants to write */
	bool steal;      /* takes the pen from whoever holds it */
	uint32_t replay; /* how many bytes of past output to send first, at most */
};

struct protocol_console_welcome {
	bool refused;           /* `error` holds, the others do not; the hub closes */
	struct vmd_error error;
	char chardev[128];
	bool writer;            /* the client holds the pen */
	bool held;              /* somebody holds it: `holder` */
	struct protocol_console_holder holder;
	uint32_t replay;        /* so many bytes of the DATA that follows are past output */
};

enum protocol_console_event {
	PROTOCOL_CONSOLE_WRITER_LOST,   /* somebody stole the pen: `holder` */
	PROTOCOL_CONSOLE_WRITER_GAINED, /* the pen is this client's now */
	PROTOCOL_CONSOLE_GAP,           /* the client was too slow: `bytes` are missing here */
	PROTOCOL_CONSOLE_CLOSING,       /* the machine ends; no more frames */
};

struct protocol_console_notice {
	enum protocol_console_event event;
	struct protocol_console_holder holder;
	uint64_t bytes;
};

/* Writes the header of a frame. `len` is at most PROTOCOL_CONSOLE_MAX_PAYLOAD. */
void protocol_console_header(uint8_t ret_header[PROTOCOL_CONSOLE_HEADER], enum protocol_console_type type, size_t len);

/* Whole frames of messages into buf; the frame's size, or 0 when it does not
 * fit (PROTOCOL_CONSOLE_HEADER + PROTOCOL_CONSOLE_MAX_JSON always does) or
 * memory ran out. */
size_t protocol_console_put_hello(uint8_t *buf, size_t size, const struct protocol_console_hello *hello);
size_t protocol_console_put_welcome(uint8_t *buf, size_t size, const struct protocol_console_welcome *welcome);
size_t protocol_console_put_notice(uint8_t *buf, size_t size, const struct protocol_console_notice *notice);

/* The payloads of messages into structs. */
bool protocol_console_get_hello(const uint8_t *payload, size_t len, struct protocol_console_hello *ret_hello,
				struct vmd_error *err);
bool protocol_console_get_welcome(const uint8_t *payload, size_t len, struct protocol_console_welcome *ret_welcome,
				  struct vmd_error *err);
bool protocol_console_get_notice(const uint8_t *payload, size_t len, struct protocol_console_notice *ret_notice,
				 struct vmd_error *err);

/* One frame in a receive buffer. */
struct protocol_console_frame {
	enum protocol_console_type type;
	const uint8_t *payload;
	size_t len;
	size_t size; /* header and payload: what to drop from the buffer afterwards */
};

enum protocol_console_next {
	PROTOCOL_CONSOLE_MORE,  /* the buffer does not hold a whole frame yet */
	PROTOCOL_CONSOLE_FRAME, /* *ret_frame is set */
	PROTOCOL_CONSOLE_BAD,   /* not this protocol: err is set, close the connection */
};

/* Looks at the start of a receive buffer. A buffer of PROTOCOL_CONSOLE_HEADER +
 * PROTOCOL_CONSOLE_MAX_PAYLOAD bytes always gets further. */
enum protocol_console_next protocol_console_next(const uint8_t *buf, size_t len,
						 struct protocol_console_frame *ret_frame, struct vmd_error *err);

#endif
