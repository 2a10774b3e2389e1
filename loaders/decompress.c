/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gzip (RFC 1952) and Zstandard (RFC 8878), with a cap on what comes out.
 * Thread: any.
 */
#include "loaders/blob.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* A growing output buffer. */
struct output {
	uint8_t *data;
	size_t len, room, max;
};

static bool output_grow(struct output *out, const char *name, struct vmd_error *err)
{
	size_t bigger = out->room ? out->room * 2 : 1 << 20;
	if (bigger > out->max)
		bigger = out->max;
	if (bigger == out->room)
		return vmd_error_set(err, VMD_ERR_LIMIT, 0, "'%s' holds more than %zu MiB when decompressed", name, out->max >> 20);
	uint8_t *p = realloc(out->data, bigger);
	if (!p)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory while decompressing '%s'", name);
	out->data = p;
	out->room = bigger;
	return true;
}

static bool decompress_gzip(const struct loaders_blob *blob, size_t offset, size_t len, struct output *out, struct vmd_error *err)
{
	z_stream z = { .next_in = blob->data + offset, .avail_in = (uInt)len };
	if (len > UINT32_MAX || inflateInit2(&z, 15 + 16) != Z_OK)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "cannot begin to decompress '%s'", blob->name);
	bool ok = false;
	for (;;) {
		if (out->len == out->room && !output_grow(out, blob->name, err))
			break;
		size_t room = out->room - out->len;
		z.next_out = out->data + out->len;
		z.avail_out = room > UINT32_MAX ? UINT32_MAX : (uInt)room;
		uInt before = z.avail_out;
		int rc = inflate(&z, Z_NO_FLUSH);
		out->len += before - z.avail_out;
		if (rc == Z_STREAM_END) {
			ok = true;
			break;
		}
		if (rc != Z_OK || (z.avail_in == 0 && z.avail_out > 0)) {
			vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s': gzip data is %s at offset %zu", blob->name,
				      rc == Z_OK || rc == Z_BUF_ERROR ? "cut off" : "corrupt", offset + (size_t)z.total_in);
			break;
		}
	}
	inflateEnd(&z);
	return ok;
}

static bool decompress_zstd(const struct loaders_blob *blob, size_t offset, size_t len, struct output *out, struct vmd_error *err)
{
	ZSTD_DStream *z = ZSTD_createDStream();
	if (!z)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "cannot begin to decompress '%s'", blob->name);
	ZSTD_inBuffer in = { .src = blob->data + offset, .size = len };
	bool ok = false;
	for (;;) {
		if (out->len == out->room && !output_grow(out, blob->name, err))
			break;
		ZSTD_outBuffer o = { .dst = out->data, .size = out->room, .pos = out->len };
		size_t rc = ZSTD_decompressStream(z, &o, &in);
		out->len = o.pos;
		if (rc == 0) {
			ok = true;
			break;
		}
		if (ZSTD_isError(rc) || (in.pos == in.size && o.pos < o.size)) {
			vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s': zstd data is %s at offset %zu", blob->name,
				      ZSTD_isError(rc) ? "corrupt" : "cut off", offset + in.pos);
			break;
		}
	}
	ZSTD_freeDStream(z);
	return ok;
}

/* One row a method: its name in EFI zboot headers, and how its data begins. */
static const struct method {
	const char *name;
	uint8_t magic[4];
	unsigned n_magic;
	bool (*run)(const struct loaders_blob *blob, size_t offset, size_t len, struct output *out, struct vmd_error *err);
} methods[] = {
	{ "gzip", { 0x1f, 0x8b, 0x08 }, 3, decompress_gzip },
	{ "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, decompress_zstd },
};
#define N_METHODS (sizeof(methods) / sizeof(methods[0]))

static bool run_method(const struct method *m, const struct loaders_blob *blob, size_t offset, size_t len, size_t max,
		       uint8_t **ret_data, size_t *ret_len, struct vmd_error *err)
{
	struct output out = { .max = max };
	if (!m->run(blob, offset, len, &out, err)) {
		free(out.data);
		return false;
	}
	*ret_data = out.data;
	*ret_len = out.len;
	return true;
}

bool loaders_decompress(const struct loaders_blob *blob, size_t offset, size_t len, const char *method, size_t max,
			uint8_t **ret_data, size_t *ret_len, struct vmd_error *err)
{
	if (!loaders_within(offset, len, blob->len))
		return vmd_error_set(err, VMD_ERR_INVALID, 0,
				     "'%s': compressed data of %zu bytes at offset %zu runs past the file's end (%zu bytes)", blob->name,
				     len, offset, blob->len);
	for (size_t i = 0; i < N_METHODS; i++)
		if (strcmp(methods[i].name, method) == 0)
			return run_method(&methods[i], blob, offset, len, max, ret_data, ret_len, err);
	vmd_error_set(err, VMD_ERR_UNSUPPORTED, 0, "'%s': compressed by '%s', which is not supported", blob->name, method);
	return vmd_error_hint(err, "use a kernel that is compressed by gzip or zstd, or not at all");
}

bool loaders_blob_decompress(struct loaders_blob *blob, size_t max, struct vmd_error *err)
{
	for (size_t i = 0; i < N_METHODS; i++) {
		const struct method *m = &methods[i];
		if (blob->len < m->n_magic || memcmp(blob->data, m->magic, m->n_magic) != 0)
			continue;
		uint8_t *data;
		size_t len;
		if (!run_method(m, blob, 0, blob->len, max, &data, &len, err))
			return false;
		free(blob->data);
		blob->data = data;
		blob->len = len;
		return true;
	}
	return true;
}
