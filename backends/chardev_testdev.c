/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "testdev": how test programs end their machine, as kvm-unit-tests do. The
 * guest writes packets: blanks, a decimal number, blanks, a letter. The letter
 * 'q' ends the machine with the exit status (number << 1) | 1, so that a test's
 * status is never mistaken for an ordinary end; other letters are ignored.
 */
#include "backends/chardev_priv.h"

#include <ctype.h>

struct testdev {
	uint32_t number;
	bool ended;
};

/* The number wraps as the status does: only its low bits reach anybody. */
static void take(struct backends_chardev *chr, struct testdev *dev, uint8_t c)
{
	if (isspace(c))
		return;
	if (isdigit(c)) {
		dev->number = dev->number * 10 + (c - '0');
		return;
	}
	if (c == 'q' && !dev->ended && chr->host.exit) {
		dev->ended = true;
		chr->host.exit(chr->host.opaque, (int)((dev->number << 1 | 1) & 0xff));
	}
	dev->number = 0;
}

static size_t testdev_output(struct backends_chardev *chr, const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		take(chr, chr->state, buf[i]);
	return len;
}

static const struct chardev_ops testdev_ops = {
	.size = sizeof(struct testdev),
	.starts_open = true,
	.output = testdev_output,
};

const struct backends_chardev_class chardev_testdev_class = {
	.name = "testdev",
	.summary = "ends the machine: the guest writes '<number>q'",
	.ops = &testdev_ops,
};
