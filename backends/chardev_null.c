/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kinds without anything of the host's behind them. "null" drops output and has
 * no input. "stdio" is the terminal of `vmctl run`, which attaches to the hub
 * like any console client, so that there is nothing to do here either. What they
 * are good for is the hub in front of them.
 */
#include "backends/chardev_priv.h"

static const struct chardev_ops null_ops = {
	.starts_open = true,
};

const struct backends_chardev_class chardev_null_class = {
	.name = "null",
	.summary = "nothing but the console",
	.ops = &null_ops,
};

const struct backends_chardev_class chardev_stdio_class = {
	.name = "stdio",
	.summary = "the terminal of 'vmctl run'",
	.ops = &null_ops,
};
