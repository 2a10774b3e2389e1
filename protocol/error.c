/* SPDX-License-Identifier: BSD-2-Clause */
/* Error values: formatting and the table of classes. Thread: any. */
#include "protocol/error.h"

#include <stdio.h>
#include <string.h>

static const char *const class_names[] = {
	[VMD_ERR_GENERIC] = "GenericError",
	[VMD_ERR_INVALID] = "InvalidArgument",
	[VMD_ERR_NOT_FOUND] = "DeviceNotFound",
	[VMD_ERR_EXISTS] = "Exists",
	[VMD_ERR_WRONG_STATE] = "WrongState",
	[VMD_ERR_BUSY] = "Busy",
	[VMD_ERR_DENIED] = "Denied",
	[VMD_ERR_TIMEOUT] = "Timeout",
	[VMD_ERR_GUEST_REFUSED] = "GuestRefused",
	[VMD_ERR_IO] = "IOError",
	[VMD_ERR_NO_MEMORY] = "NoMemory",
	[VMD_ERR_UNSUPPORTED] = "Unsupported",
	[VMD_ERR_LIMIT] = "LimitExceeded",
	[VMD_ERR_UNREACHABLE] = "Unreachable",
};

const char *vmd_error_class(enum vmd_error_code code)
{
	if (code < VMD_ERR_GENERIC || code > VMD_ERR_UNREACHABLE)
		return class_names[VMD_ERR_GENERIC];
	return class_names[code];
}

enum vmd_error_code vmd_error_code_of(const char *class_name)
{
	for (unsigned code = VMD_ERR_GENERIC; code <= VMD_ERR_UNREACHABLE; code++)
		if (!strcmp(class_names[code], class_name))
			return (enum vmd_error_code)code;
	return VMD_ERR_GENERIC;
}

bool vmd_error_vset(struct vmd_error *err, enum vmd_error_code code, int os_errno, const char *fmt, va_list ap)
{
	if (!err)
		return false;
	struct vmd_error fresh = { .code = code, .os_errno = os_errno };
	vsnprintf(fresh.message, sizeof(fresh.message), fmt, ap);
	if (os_errno) {
		size_t n = strlen(fresh.message);
		snprintf(fresh.message + n, sizeof(fresh.message) - n, ": %s", strerrordesc_np(os_errno));
	}
	*err = fresh;
	return false;
}

bool vmd_error_set(struct vmd_error *err, enum vmd_error_code code, int os_errno, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vmd_error_vset(err, code, os_errno, fmt, ap);
	va_end(ap);
	return false;
}

bool vmd_error_hint(struct vmd_error *err, const char *fmt, ...)
{
	if (!err)
		return false;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	return false;
}

bool vmd_error_prefix(struct vmd_error *err, const char *fmt, ...)
{
	if (!err)
		return false;
	char prefix[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	/* What does not fit is cut off at the end. */
	size_t n = strlen(prefix), room = sizeof(err->message) - n - sizeof(": "), keep = strnlen(err->message, room);
	memmove(err->message + n + 2, err->message, keep);
	memcpy(err->message, prefix, n);
	memcpy(err->message + n, ": ", 2);
	err->message[n + 2 + keep] = '\0';
	return false;
}
