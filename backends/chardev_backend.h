/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making character devices: for the processes that own them, not for devices.
 *
 * Two steps in two processes. The broker checks a configuration and opens the
 * host's resources (backends_chardev_open); the descriptors go to the machine
 * process, which makes the chardev on its loop (backends_chardev_new).
 *
 * Both processes ignore SIGPIPE.
 *
 * Kinds and their options are data (struct backends_chardev_class), so that the
 * command line and help come from the same rows that are checked here.
 */
#ifndef BACKENDS_CHARDEV_BACKEND_H
#define BACKENDS_CHARDEV_BACKEND_H

#include "backends/chardev.h"

#include <sys/types.h>

struct uv_loop_s;
struct chardev_ops;

/* Bytes of output kept for replay, and the most that waits for a slow backend. */
#define BACKENDS_CHARDEV_RING 65536

/* ---- Configuration. Any thread. ---- */

enum backends_chardev_option_type {
	BACKENDS_CHARDEV_BOOL,   /* "on"/"off"/"true"/"false" */
	BACKENDS_CHARDEV_UINT,   /* decimal, 0x.., or with K, M, G */
	BACKENDS_CHARDEV_STRING,
};

struct backends_chardev_option {
	const char *name;     /* as QEMU calls it */
	enum backends_chardev_option_type type;
	size_t offset;        /* of the member of struct backends_chardev_config */
	const char *def;      /* default in text form; NULL: 0, false or NULL */
	uint64_t min, max;    /* UINT; both 0: no limit */
	bool required;
	const char *help;     /* one line, no full stop */
};

struct backends_chardev_config;

struct backends_chardev_class {
	const char *name;     /* "null", "socket", ... */
	const char *summary;  /* one line for --chardev help */
	const struct backends_chardev_option *options; /* ends with name NULL; may be NULL */
	/* What no row can say (options that exclude or need each other). May be NULL. */
	bool (*check)(const struct backends_chardev_config *config, struct vmd_error *err);
	/* Opens what the host has to give; NULL when nothing is needed. */
	bool (*open)(const struct backends_chardev_config *config, int ret_fds[2], struct vmd_error *err);
	const struct chardev_ops *ops; /* the machine process's side */
};

/* All kinds, in the order of chardev_kinds.def; NULL past the last. */
const struct backends_chardev_class *backends_chardev_class_at(unsigned i);
const struct backends_chardev_class *backends_chardev_class_find(const char *name);

struct backends_chardev_config {
	char *id;
	const struct backends_chardev_class *cls;
	uint64_t set;         /* rows of cls->options that were given, as bits */
	/* Options; which ones have a meaning is up to the kind. Strings are owned. */
	char *path;           /* file, pipe, socket */
	char *input_path;     /* file */
	char *host, *port;    /* socket */
	uint64_t size;        /* ringbuf: bytes kept */
	uint64_t reconnect;   /* socket: seconds; 0: never */
	bool append;          /* file */
	bool server;          /* socket: listens */
	bool wait;            /* socket: the machine starts when the first client is there */
	bool abstract;        /* socket: path is in the abstract name space */
	bool nodelay;         /* socket: TCP_NODELAY */
};

/* A configuration with all defaults. NULL on failure: no such kind, or an id
 * that is not letters, digits, '-', '.' and '_' beginning with a letter. */
struct backends_chardev_config *backends_chardev_config_new(const char *id, const char *kind, struct vmd_error *err);
bool backends_chardev_config_set(struct backends_chardev_config *config, const char *option, const char *value,
				 struct vmd_error *err);
/* Whether all that is needed is there and fits together. */
bool backends_chardev_config_check(const struct backends_chardev_config *config, struct vmd_error *err);
void backends_chardev_config_free(struct backends_chardev_config *config);

/* ---- The broker's side. Any thread. ---- */

/* Checks the configuration and opens its resources: up to two descriptors,
 * close-on-exec, -1 for those that are not needed. A client socket without
 * `reconnect` is connected here and may take BACKENDS_CHARDEV_CONNECT_MS; call
 * it where that does not hurt. */
#define BACKENDS_CHARDEV_CONNECT_MS 5000
bool backends_chardev_open(const struct backends_chardev_config *config, int ret_fds[2], struct vmd_error *err);

/* The terminal to open for the pty master `fd`; false if it is none. */
bool backends_chardev_pty_path(int fd, char *ret_path, size_t size);

/* ---- The machine process's side. I/O thread. ---- */

/* What a chardev asks of its machine. Called on the I/O thread. */
struct backends_chardev_host {
	/* The guest ended the machine through testdev. */
	void (*exit)(void *opaque, int status);
	/* A socket with wait=on has its first client (see backends_chardev_waiting). */
	void (*connected)(void *opaque, struct backends_chardev *chr);
	/* Something the user should know of, for the log (the disk is full,
	 * output is being dropped). May be NULL. */
	void (*trouble)(void *opaque, struct backends_chardev *chr, const struct vmd_error *err);
	void *opaque;
};

/* Makes the chardev; takes the descriptors of backends_chardev_open, on failure
 * too. `config` is needed during the call only; `host` is copied. */
struct backends_chardev *backends_chardev_new(struct uv_loop_s *loop, const struct backends_chardev_config *config,
					      const int fds[2], const struct backends_chardev_host *host,
					      struct vmd_error *err);

/* Serves the console protocol on a listening unix socket, which it takes. */
bool backends_chardev_serve_console(struct backends_chardev *chr, int listen_fd, struct vmd_error *err);

/* True while a socket with wait=on has not had its first client. */
bool backends_chardev_waiting(const struct backends_chardev *chr);

/* Detaches the frontend and ends: what is queued is written out first, for at
 * most two seconds. This goes on in the loop, which must be run until nothing
 * is left alive in it; afterwards the memory is free. NULL is allowed. */
void backends_chardev_free(struct backends_chardev *chr);

struct backends_chardev_info {
	const char *label;    /* the id */
	char filename[256];   /* as query-chardev shows it: "pty:/dev/pts/3", "disconnected:unix:/x,server=on" */
	bool frontend_open;
	unsigned clients;     /* on the console */
	bool writer;          /* one of them holds the pen: */
	pid_t writer_pid;
	uid_t writer_uid;
};
void backends_chardev_query(struct backends_chardev *chr, struct backends_chardev_info *ret_info);

/* ringbuf-write: as if the guest had written. Ring buffers only. */
bool backends_chardev_ringbuf_write(struct backends_chardev *chr, const void *data, size_t len, struct vmd_error *err);
/* ringbuf-read: takes the oldest bytes not read before, at most `size`. */
bool backends_chardev_ringbuf_read(struct backends_chardev *chr, void *buf, size_t size, size_t *ret_len,
				   struct vmd_error *err);

#endif
