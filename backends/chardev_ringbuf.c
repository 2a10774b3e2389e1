/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "ringbuf": the last `size` bytes of output, to be read with the QMP command
 * ringbuf-read. The hub keeps at least that much anyway, so all there is here is
 * a position in it.
 */
#include "backends/chardev_priv.h"

struct ringbuf {
	uint64_t size;
	uint64_t pos; /* of the next byte to be read */
};

static bool ringbuf_init(struct backends_chardev *chr, const struct backends_chardev_config *config, const int fds[2],
			 struct vmd_error *err)
{
	struct ringbuf *ring = chr->state;

	ring->size = config->size;
	return true;
}

static bool ringbuf_check(const struct backends_chardev_config *config, struct vmd_error *err)
{
	if ((config->size & (config->size - 1)) == 0)
		return true;
	vmd_error_set(err, VMD_ERR_INVALID, 0, "chardev '%s' (ringbuf): size is not a power of two", config->id);
	return vmd_error_hint(err, "for example size=64K");
}

static bool is_ringbuf(const struct backends_chardev *chr, struct vmd_error *err)
{
	return chr->cls == &chardev_ringbuf_class ||
	       vmd_error_set(err, VMD_ERR_INVALID, 0, "chardev '%s' is a %s, not a ringbuf", chr->id, chr->cls->name);
}

bool backends_chardev_ringbuf_write(struct backends_chardev *chr, const void *data, size_t len, struct vmd_error *err)
{
	size_t n;

	if (!is_ringbuf(chr, err))
		return false;
	n = backends_chardev_write(chr, data, len);
	return n == len || vmd_error_set(err, VMD_ERR_LIMIT, 0,
					 "chardev '%s' took %zu of %zu bytes: more than its console clients take",
					 chr->id, n, len);
}

bool backends_chardev_ringbuf_read(struct backends_chardev *chr, void *buf, size_t size, size_t *ret_len,
				   struct vmd_error *err)
{
	struct ringbuf *ring = chr->state;
	uint64_t total;

	if (!is_ringbuf(chr, err))
		return false;
	total = chardev_total(chr);
	if (total - ring->pos > ring->size)
		ring->pos = total - ring->size;
	*ret_len = chardev_peek(chr, &ring->pos, buf, size, NULL);
	return true;
}

static const struct backends_chardev_option ringbuf_options[] = {
	{"size", BACKENDS_CHARDEV_UINT, offsetof(struct backends_chardev_config, size), .def = "64K", .min = 1,
	 .max = 16 << 20, .help = "bytes to keep, a power of two"},
	{ 0 },
};

static const struct chardev_ops ringbuf_ops = {
	.size = sizeof(struct ringbuf),
	.starts_open = true,
	.init = ringbuf_init,
};

const struct backends_chardev_class chardev_ringbuf_class = {
	.name = "ringbuf",
	.summary = "memory, read with ringbuf-read",
	.options = ringbuf_options,
	.check = ringbuf_check,
	.ops = &ringbuf_ops,
};
