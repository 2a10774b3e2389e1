/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors caused by the host or by the user, as values.
 *
 * A function that can fail takes a `struct vmd_error *` as its last parameter
 * and returns bool or a pointer. On success the error is untouched; on failure
 * the function's outputs are. A NULL error is allowed and means that the caller
 * does not want the reason. Two other kinds of wrong never come here: a
 * programmer's mistake is an assert, and a guest's mistake is whatever the
 * architecture says happens.
 *
 * This header includes libc only, so every folder may include it.
 */
#ifndef PROTOCOL_ERROR_H
#define PROTOCOL_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

/* The classes a client can tell apart. The names on the wire and the exit
 * codes of vmctl are derived from these (protocol/error.c). */
enum vmd_error_code {
	VMD_ERR_GENERIC = 1,   /* none of the following */
	VMD_ERR_INVALID,       /* an argument is wrong; the message names it */
	VMD_ERR_NOT_FOUND,     /* the named thing does not exist */
	VMD_ERR_EXISTS,        /* the name is taken */
	VMD_ERR_WRONG_STATE,   /* the machine's state does not allow it */
	VMD_ERR_BUSY,          /* somebody else holds it; the message names the holder */
	VMD_ERR_DENIED,        /* the caller, or the host, has no permission */
	VMD_ERR_TIMEOUT,       /* the time given has passed */
	VMD_ERR_GUEST_REFUSED, /* the guest said no */
	VMD_ERR_IO,            /* a system call failed; see os_errno */
	VMD_ERR_NO_MEMORY,     /* an allocation failed */
	VMD_ERR_UNSUPPORTED,   /* well formed, but not something vmd does */
	VMD_ERR_LIMIT,         /* a limit would be exceeded; the message names it */
	VMD_ERR_UNREACHABLE,   /* the daemon or the machine process does not answer */
};

struct vmd_error {
	enum vmd_error_code code;
	int os_errno;       /* errno of the failed call, 0 when there is none */
	char message[512];  /* what failed, naming the object; no newline */
	char hint[256];     /* what the user can do about it; may be empty */
};

/* Sets *err (if not NULL), dropping what it held. `os_errno` not 0 appends
 * ": " and its text to the message. Over-long messages are cut. Returns false,
 * so that a caller may write `return vmd_error_set(...)`. */
bool vmd_error_set(struct vmd_error *err, enum vmd_error_code code, int os_errno, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
bool vmd_error_vset(struct vmd_error *err, enum vmd_error_code code, int os_errno, const char *fmt, va_list ap)
	__attribute__((format(printf, 4, 0)));

/* Sets the hint of an error that has been set. Returns false, too. */
bool vmd_error_hint(struct vmd_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "what: " before the message, as an error travels up. Returns false. */
bool vmd_error_prefix(struct vmd_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The class's name on the wire ("DeviceNotFound", ...); never NULL. */
const char *vmd_error_class(enum vmd_error_code code);
/* The other way round; VMD_ERR_GENERIC for a name that is none of ours. */
enum vmd_error_code vmd_error_code_of(const char *class_name);

#endif
