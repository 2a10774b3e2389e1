/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The launch message (ARCHITECTURE.md, "Broker and machine process"): a length,
 * JSON, and descriptors. It comes from our own broker, yet is checked as any
 * input is, so that a mistake is an error and not a crash. Thread: I/O.
 */
#include "vmd/machine_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_MAX (2u << 20)

static bool read_all(int fd, void *buf, size_t len, struct vmd_error *err)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(fd, (char *)buf + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return vmd_error_set(err, VMD_ERR_IO, n < 0 ? errno : EPIPE, "cannot read the launch message");
		done += (size_t)n;
	}
	return true;
}

/* The first byte carries the descriptors. */
static bool read_first(int fd, uint8_t *ret_byte, int *fds, size_t *ret_n, struct vmd_error *err)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * MACHINE_MAX_FDS)];
	} control;
	struct iovec iov = { .iov_base = ret_byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf) };
	ssize_t n;
	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		return vmd_error_set(err, VMD_ERR_IO, n < 0 ? errno : EPIPE, "cannot read the launch message");
	*ret_n = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		*ret_n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), *ret_n * sizeof(int));
	}
	if (msg.msg_flags & MSG_CTRUNC)
		return vmd_error_set(err, VMD_ERR_LIMIT, 0, "the launch message has more than %d descriptors", MACHINE_MAX_FDS);
	return true;
}

struct fd_table {
	int fds[MACHINE_MAX_FDS];
	size_t n;
};

/* A JSON index into the descriptors; -1 for none. */
static bool take_fd(const struct fd_table *t, const json_t *index, int *ret_fd, struct vmd_error *err)
{
	json_int_t i = json_is_integer(index) ? json_integer_value(index) : -2;
	if (i == -1 || !index) {
		*ret_fd = -1;
		return true;
	}
	if (i < 0 || (size_t)i >= t->n)
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "the launch message names a descriptor it does not carry");
	*ret_fd = t->fds[i];
	return true;
}

static bool take_file(const struct fd_table *t, const json_t *files, const char *role, const char *path, size_t i,
		      struct board_file *ret, struct vmd_error *err)
{
	struct board_file f = { .fd = -1, .name = path };
	if (path) {
		if (!take_fd(t, json_array_get(json_object_get(files, role), i), &f.fd, err))
			return false;
		if (f.fd < 0)
			return vmd_error_set(err, VMD_ERR_INVALID, 0, "the launch message has no descriptor for the %s '%s'", role, path);
	}
	*ret = f;
	return true;
}

static bool take_files(struct machine_launch *l, const struct fd_table *t, const json_t *files, struct vmd_error *err)
{
	struct proto_machine_definition *d = &l->definition;
	if (!take_file(t, files, "kernel", d->kernel, 0, &l->kernel, err) ||
	    !take_file(t, files, "bios", d->bios, 0, &l->bios, err) || !take_file(t, files, "dtb", d->dtb, 0, &l->dtb, err))
		return false;
	if (d->n_initrd > MACHINE_MAX_INITRDS)
		return vmd_error_set(err, VMD_ERR_LIMIT, 0, "more than %d initrds", MACHINE_MAX_INITRDS);
	for (size_t i = 0; i < d->n_initrd; i++)
		if (!take_file(t, files, "initrd", d->initrd[i], i, &l->initrds[l->n_initrds++], err))
			return false;
	return true;
}

static bool take_chardevs(struct machine_launch *l, const struct fd_table *t, json_t *chardevs, struct vmd_error *err)
{
	const char *id;
	json_t *value;
	json_object_foreach(chardevs, id, value) {
		if (l->n_chardevs == MACHINE_MAX_CHARDEVS)
			return vmd_error_set(err, VMD_ERR_LIMIT, 0, "more than %d chardevs", MACHINE_MAX_CHARDEVS);
		struct machine_launch_chardev *c = &l->chardevs[l->n_chardevs++];
		json_t *backend = json_object_get(value, "backend");
		c->id = strdup(id);
		if (!c->id)
			return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		if (!take_fd(t, json_object_get(value, "console"), &c->console_fd, err) ||
		    !take_fd(t, json_array_get(backend, 0), &c->fds[0], err) ||
		    !take_fd(t, json_array_get(backend, 1), &c->fds[1], err))
			return false;
	}
	return true;
}

static bool parse(json_t *message, const struct fd_table *t, struct machine_launch *l, struct vmd_error *err)
{
	if (!proto_machine_definition_parse(json_object_get(message, "definition"), "definition", &l->definition, err))
		return false;
	if (!take_files(l, t, json_object_get(message, "files"), err) ||
	    !take_chardevs(l, t, json_object_get(message, "chardevs"), err) ||
	    !take_fd(t, json_object_get(message, "qmp"), &l->qmp_fd, err) ||
	    !take_fd(t, json_object_get(message, "exit"), &l->exit_fd, err))
		return false;
	return true;
}

bool machine_launch_read(int channel, struct machine_launch *ret_launch, struct vmd_error *err)
{
	uint8_t head[4];
	struct fd_table t;
	if (!read_first(channel, head, t.fds, &t.n, err) || !read_all(channel, head + 1, 3, err))
		return false;
	uint32_t len = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
	if (len > MESSAGE_MAX)
		return vmd_error_set(err, VMD_ERR_LIMIT, 0, "the launch message of %u bytes is too large", len);
	char *text = malloc(len ? len : 1);
	if (!text)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	bool ok = read_all(channel, text, len, err);
	json_t *message = NULL;
	if (ok) {
		json_error_t why;
		message = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
		if (!message)
			ok = vmd_error_set(err, VMD_ERR_INVALID, 0, "the launch message is not JSON: %s", why.text);
	}
	free(text);
	ok = ok && parse(message, &t, ret_launch, err);
	json_decref(message);
	return ok;
}

bool machine_launch_answer(int channel, const struct vmd_error *why_not)
{
	json_t *answer = why_not ? json_pack("{s:{s:s,s:s,s:s}}", "error", "class", vmd_error_class(why_not->code), "message",
					     why_not->message, "hint", why_not->hint) :
				   json_pack("{s:b}", "ready", 1);
	char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	json_decref(answer);
	if (!text)
		return false;
	size_t len = strlen(text);
	uint8_t head[4] = { (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len };
	bool ok = send(channel, head, 4, MSG_NOSIGNAL) == 4 && send(channel, text, len, MSG_NOSIGNAL) == (ssize_t)len;
	free(text);
	return ok;
}
