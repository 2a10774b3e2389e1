/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cuts a byte stream into JSON texts without waiting for any delimiter: a text
 * ends where its brackets close. Clients may send several back to back, or one in
 * many pieces.
 *
 * Two dialects. QMP: single-quoted strings are allowed (and rewritten), a byte
 * that cannot be JSON ends the text it is in, and the next text begins at the
 * next '{'. JSON-RPC: after an error the rest of the line is dropped, so that
 * nothing inside a broken message is taken for one; and when the first byte says
 * so, the stream is messages with Content-Length headers instead.
 *
 * What comes out is balanced and within the limits of protocol/transport.h, but
 * still has to be parsed. Thread: one at a time.
 */
#ifndef PROTOCOL_JSONSTREAM_H
#define PROTOCOL_JSONSTREAM_H

#include "protocol/transport.h"

enum proto_stream_mode {
	PROTO_STREAM_RPC,
	PROTO_STREAM_QMP,
};

enum proto_stream_framing {
	PROTO_FRAMING_UNKNOWN, /* nothing has come yet */
	PROTO_FRAMING_BRACKETS,
	PROTO_FRAMING_HEADERS,
};

enum proto_stream_next {
	PROTO_STREAM_MORE,  /* feed more */
	PROTO_STREAM_TEXT,  /* *ret_text and *ret_len: valid until the next call */
	PROTO_STREAM_BAD,   /* *ret_text says what is wrong; call again */
	PROTO_STREAM_DEAD,  /* *ret_text says why nothing more can be read */
};

enum proto_stream_skip {
	PROTO_SKIP_NOTHING,
	PROTO_SKIP_LINE,
	PROTO_SKIP_TO_OBJECT,
};

struct proto_stream {
	enum proto_stream_mode mode;
	enum proto_stream_framing framing;
	char *in;             /* bytes not looked at yet are in[in_pos..in_len) */
	size_t in_pos, in_len, in_size;
	char *out;            /* the text so far */
	size_t out_len, out_size;
	char open[PROTO_MAX_DEPTH]; /* the brackets that are open */
	unsigned depth;
	char quote;           /* the string's quote, or 0 */
	bool escape;          /* after a backslash */
	bool scalar;          /* RPC: a line that begins with no bracket */
	bool done;            /* out holds a text that was handed out */
	enum proto_stream_skip skip;
	bool dead;
};

void proto_stream_init(struct proto_stream *s, enum proto_stream_mode mode);
void proto_stream_fini(struct proto_stream *s);

/* Takes a copy. False: no memory, or more than a message and a piece wait unread. */
bool proto_stream_feed(struct proto_stream *s, const char *data, size_t len);
enum proto_stream_next proto_stream_next(struct proto_stream *s, const char **ret_text, size_t *ret_len);

#endif
