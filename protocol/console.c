/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console protocol's framing and messages ("Console protocol" in
 * ARCHITECTURE.md). Pure functions over the caller's buffers; any thread.
 * Unknown members of a message are ignored, so that either side may learn new
 * ones first; a member of a wrong type is an error.
 */
#include "protocol/console.h"

#include <jansson.h>
#include <string.h>

static const char *const event_names[] = {
	[PROTOCOL_CONSOLE_WRITER_LOST] = "writer-lost",
	[PROTOCOL_CONSOLE_WRITER_GAINED] = "writer-gained",
	[PROTOCOL_CONSOLE_GAP] = "gap",
	[PROTOCOL_CONSOLE_CLOSING] = "closing",
};

#define N_EVENTS (sizeof(event_names) / sizeof(event_names[0]))

void protocol_console_header(uint8_t ret_header[PROTOCOL_CONSOLE_HEADER], enum protocol_console_type type, size_t len)
{
	ret_header[0] = (uint8_t)type;
	ret_header[1] = 0;
	ret_header[2] = (uint8_t)(len >> 8);
	ret_header[3] = (uint8_t)len;
}

/* Steals the reference to `json`, which may be NULL. */
static size_t put_json(uint8_t *buf, size_t size, enum protocol_console_type type, json_t *json)
{
	size_t len = 0;

	if (json && size > PROTOCOL_CONSOLE_HEADER)
		len = json_dumpb(json, (char *)buf + PROTOCOL_CONSOLE_HEADER, size - PROTOCOL_CONSOLE_HEADER,
				 JSON_COMPACT);
	json_decref(json);
	if (len == 0 || len > size - PROTOCOL_CONSOLE_HEADER || len > PROTOCOL_CONSOLE_MAX_PAYLOAD)
		return 0;
	protocol_console_header(buf, type, len);
	return PROTOCOL_CONSOLE_HEADER + len;
}

static json_t *pack_holder(const struct protocol_console_holder *holder)
{
	return json_pack("{s:I, s:I}", "pid", (json_int_t)holder->pid, "uid", (json_int_t)holder->uid);
}

size_t protocol_console_put_hello(uint8_t *buf, size_t size, const struct protocol_console_hello *hello)
{
	return put_json(buf, size, PROTOCOL_CONSOLE_HELLO,
			json_pack("{s:s, s:b, s:I}", "mode", hello->rw ? "rw" : "ro", "steal", hello->steal,
				  "replay", (json_int_t)hello->replay));
}

size_t protocol_console_put_welcome(uint8_t *buf, size_t size, const struct protocol_console_welcome *welcome)
{
	if (welcome->refused)
		return put_json(buf, size, PROTOCOL_CONSOLE_WELCOME,
				json_pack("{s:{s:s, s:s, s:s}}", "error", "class", vmd_error_class(welcome->error.code),
					  "message", welcome->error.message, "hint", welcome->error.hint));
	return put_json(buf, size, PROTOCOL_CONSOLE_WELCOME,
			json_pack("{s:s, s:b, s:o, s:I}", "chardev", welcome->chardev, "writer", welcome->writer,
				  "holder", welcome->held ? pack_holder(&welcome->holder) : json_null(),
				  "replay", (json_int_t)welcome->replay));
}

size_t protocol_console_put_notice(uint8_t *buf, size_t size, const struct protocol_console_notice *notice)
{
	json_t *json = json_pack("{s:s}", "event", event_names[notice->event]);

	if (json && notice->event == PROTOCOL_CONSOLE_WRITER_LOST)
		json_object_set_new(json, "holder", pack_holder(&notice->holder));
	if (json && notice->event == PROTOCOL_CONSOLE_GAP)
		json_object_set_new(json, "bytes", json_integer((json_int_t)notice->bytes));
	return put_json(buf, size, PROTOCOL_CONSOLE_NOTICE, json);
}

static json_t *load(const uint8_t *payload, size_t len, const char *what, struct vmd_error *err)
{
	json_error_t reason;
	json_t *json = json_loadb((const char *)payload, len, JSON_REJECT_DUPLICATES, &reason);

	if (json && json_is_object(json))
		return json;
	vmd_error_set(err, VMD_ERR_INVALID, 0, "console %s is not a JSON object: %s", what,
		      json ? "another type" : reason.text);
	json_decref(json);
	return NULL;
}

/* Finishes a get: drops `json` and says what was wrong with it. */
static bool unload(json_t *json, bool ok, const char *what, const json_error_t *reason, struct vmd_error *err)
{
	json_decref(json);
	return ok || vmd_error_set(err, VMD_ERR_INVALID, 0, "console %s is malformed: %s", what, reason->text);
}

static uint32_t clamp32(json_int_t n)
{
	return n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

bool protocol_console_get_hello(const uint8_t *payload, size_t len, struct protocol_console_hello *ret_hello,
				struct vmd_error *err)
{
	json_t *json = load(payload, len, "HELLO", err);
	const char *mode = "rw";
	int steal = 0;
	json_int_t replay = 0;
	json_error_t reason = {0};
	bool rw;

	if (!json)
		return false;
	bool ok = json_unpack_ex(json, &reason, 0, "{s?s, s?b, s?I}", "mode", &mode, "steal", &steal, "replay",
				 &replay) == 0;
	rw = ok && strcmp(mode, "rw") == 0;
	if (ok && !rw && strcmp(mode, "ro") != 0) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "console HELLO asks for mode '%.32s'", mode);
		vmd_error_hint(err, "the modes are \"rw\" and \"ro\"");
		json_decref(json);
		return false;
	}
	if (!unload(json, ok, "HELLO", &reason, err))
		return false;
	*ret_hello = (struct protocol_console_hello){.rw = rw, .steal = steal, .replay = clamp32(replay)};
	return true;
}

static bool unpack_holder(json_t *json, struct protocol_console_holder *ret_holder, json_error_t *reason)
{
	json_int_t pid, uid;

	if (json_unpack_ex(json, reason, 0, "{s:I, s:I}", "pid", &pid, "uid", &uid) != 0)
		return false;
	*ret_holder = (struct protocol_console_holder){.pid = (pid_t)pid, .uid = (uid_t)uid};
	return true;
}

static void copy_text(char *ret, size_t size, const char *text)
{
	size_t len = strnlen(text, size - 1);

	memcpy(ret, text, len);
	ret[len] = '\0';
}

bool protocol_console_get_welcome(const uint8_t *payload, size_t len, struct protocol_console_welcome *ret_welcome,
				  struct vmd_error *err)
{
	struct protocol_console_welcome welcome = {0};
	json_t *json = load(payload, len, "WELCOME", err), *holder = NULL, *error;
	const char *chardev, *message, *class_name = "GenericError", *hint = "";
	int writer;
	json_int_t replay = 0;
	json_error_t reason = {0};
	bool ok;

	if (!json)
		return false;
	error = json_object_get(json, "error");
	if (error) {
		ok = json_unpack_ex(error, &reason, 0, "{s:s, s?s, s?s}", "message", &message, "hint", &hint, "class",
				    &class_name) == 0;
		if (ok) {
			welcome.refused = true;
			welcome.error.code = vmd_error_code_of(class_name);
			copy_text(welcome.error.message, sizeof(welcome.error.message), message);
			copy_text(welcome.error.hint, sizeof(welcome.error.hint), hint);
		}
	} else {
		ok = json_unpack_ex(json, &reason, 0, "{s:s, s:b, s?o, s?I}", "chardev", &chardev, "writer", &writer,
				    "holder", &holder, "replay", &replay) == 0;
		if (ok && holder && !json_is_null(holder)) {
			ok = unpack_holder(holder, &welcome.holder, &reason);
			welcome.held = ok;
		}
		if (ok) {
			copy_text(welcome.chardev, sizeof(welcome.chardev), chardev);
			welcome.writer = writer;
			welcome.replay = clamp32(replay);
		}
	}
	if (!unload(json, ok, "WELCOME", &reason, err))
		return false;
	*ret_welcome = welcome;
	return true;
}

bool protocol_console_get_notice(const uint8_t *payload, size_t len, struct protocol_console_notice *ret_notice,
				 struct vmd_error *err)
{
	struct protocol_console_notice notice = {0};
	json_t *json = load(payload, len, "NOTICE", err), *holder = NULL;
	const char *name;
	json_int_t bytes = 0;
	json_error_t reason = {0};
	unsigned event = 0;

	if (!json)
		return false;
	bool ok = json_unpack_ex(json, &reason, 0, "{s:s, s?o, s?I}", "event", &name, "holder", &holder, "bytes",
				 &bytes) == 0;
	if (ok) {
		while (event < N_EVENTS && strcmp(name, event_names[event]) != 0)
			event++;
		if (event == N_EVENTS) {
			vmd_error_set(err, VMD_ERR_UNSUPPORTED, 0, "console NOTICE of an unknown event '%.32s'", name);
			json_decref(json);
			return false;
		}
		notice.event = (enum protocol_console_event)event;
		notice.bytes = bytes < 0 ? 0 : (uint64_t)bytes;
		if (holder && !json_is_null(holder))
			ok = unpack_holder(holder, &notice.holder, &reason);
	}
	if (!unload(json, ok, "NOTICE", &reason, err))
		return false;
	*ret_notice = notice;
	return true;
}

enum protocol_console_next protocol_console_next(const uint8_t *buf, size_t len,
						 struct protocol_console_frame *ret_frame, struct vmd_error *err)
{
	size_t size;

	if (len < PROTOCOL_CONSOLE_HEADER)
		return PROTOCOL_CONSOLE_MORE;
	size = (size_t)buf[2] << 8 | buf[3];
	if (buf[0] < PROTOCOL_CONSOLE_HELLO || buf[0] > PROTOCOL_CONSOLE_EOF || buf[1] != 0) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "not a console frame: it begins with %02x %02x", buf[0], buf[1]);
		return PROTOCOL_CONSOLE_BAD;
	}
	if (buf[0] != PROTOCOL_CONSOLE_DATA && size > PROTOCOL_CONSOLE_MAX_JSON) {
		vmd_error_set(err, VMD_ERR_LIMIT, 0, "console frame of type %u has %zu bytes, at most %d are allowed",
			      buf[0], size, PROTOCOL_CONSOLE_MAX_JSON);
		return PROTOCOL_CONSOLE_BAD;
	}
	if (len < PROTOCOL_CONSOLE_HEADER + size)
		return PROTOCOL_CONSOLE_MORE;
	*ret_frame = (struct protocol_console_frame){
		.type = (enum protocol_console_type)buf[0],
		.payload = buf + PROTOCOL_CONSOLE_HEADER,
		.len = size,
		.size = PROTOCOL_CONSOLE_HEADER + size,
	};
	return PROTOCOL_CONSOLE_FRAME;
}
