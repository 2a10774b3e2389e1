/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Semihosting: "Semihosting for AArch32 and AArch64", release 2.0, through
 * HLT #0xF000 at EL1. W0 is the operation, X1 its parameter: most often the
 * address of a block of 64-bit words in guest memory.
 *
 * Guest memory is read and written as the guest's own code would, so a bad
 * address is a data abort at the HLT; every operation takes its arguments before
 * it does anything that cannot be repeated. Threads: those of the vCPUs, one
 * operation at a time under the state's lock, which is not held while guest
 * memory is accessed.
 */
#include "emu/access_priv.h"
#include "emu/sys_priv.h"
#include "emu/vcpu_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_FILES 32
#define MAX_NAME 4096
#define CHUNK 4096

enum file_kind { FILE_FREE, FILE_CONSOLE_IN, FILE_CONSOLE_OUT, FILE_HOST, FILE_FEATURES };

struct file {
	enum file_kind kind;
	int fd;        /* HOST */
	uint64_t pos;  /* FEATURES */
};

struct emu_semihost_state {
	pthread_mutex_t lock;
	struct file files[MAX_FILES]; /* handle - 1 */
	int error;
};

/* What ":semihosting-features" holds: magic; byte 0: SYS_EXIT_EXTENDED, stdout and stderr apart. */
static const uint8_t features[] = { 'S', 'H', 'F', 'B', 0x3 };

/* One operation. Its buffers live in the frame: an access to guest memory may unwind. */
struct call {
	struct emu_cpu *cpu;
	struct emu_semihost_state *state;
	const struct emu_semihost *host;
	uint64_t param;
};
typedef uint64_t semihost_fn(struct call *c);

#define FAILED UINT64_MAX

bool emu_semihost_init(struct emu_system *sys, struct vmd_error *err)
{
	if (!sys->has_semihost)
		return true;
	sys->semihost_state = calloc(1, sizeof(*sys->semihost_state));
	if (!sys->semihost_state)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, ENOMEM, "Cannot set up semihosting");
	pthread_mutex_init(&sys->semihost_state->lock, NULL);
	return true;
}

void emu_semihost_fini(struct emu_system *sys)
{
	struct emu_semihost_state *state = sys->semihost_state;
	if (!state)
		return;
	for (unsigned i = 0; i < MAX_FILES; i++) {
		if (state->files[i].kind == FILE_HOST)
			close(state->files[i].fd);
	}
	pthread_mutex_destroy(&state->lock);
	free(state);
}

/* ---- Guest memory ---- */

static uint64_t word(const struct call *c, unsigned n)
{
	return emu_ld64(c->cpu, c->param + 8 * n, EMU_ACC_NORMAL);
}

static void get_bytes(const struct call *c, uint64_t va, uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = emu_ld8(c->cpu, va + i, EMU_ACC_NORMAL);
}

static void put_bytes(const struct call *c, uint64_t va, const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		emu_st8(c->cpu, va + i, buf[i], EMU_ACC_NORMAL);
}

/* A string of `len` bytes at `va`, ended with a NUL. */
static bool get_name(const struct call *c, uint64_t va, uint64_t len, char name[MAX_NAME])
{
	if (len >= MAX_NAME)
		return false;
	get_bytes(c, va, (uint8_t *)name, len);
	name[len] = 0;
	return strlen(name) == len;
}

/* ---- Results ---- */

static uint64_t fail(const struct call *c, int error)
{
	pthread_mutex_lock(&c->state->lock);
	c->state->error = error;
	pthread_mutex_unlock(&c->state->lock);
	return FAILED;
}

/* A copy of the file behind a handle; kind FILE_FREE if there is none. */
static struct file get_file(const struct call *c, uint64_t handle)
{
	struct file file = { .kind = FILE_FREE };
	pthread_mutex_lock(&c->state->lock);
	if (handle >= 1 && handle <= MAX_FILES)
		file = c->state->files[handle - 1];
	pthread_mutex_unlock(&c->state->lock);
	return file;
}

static uint64_t add_file(const struct call *c, struct file file)
{
	uint64_t handle = FAILED;
	pthread_mutex_lock(&c->state->lock);
	for (unsigned i = 0; i < MAX_FILES && handle == FAILED; i++) {
		if (c->state->files[i].kind == FILE_FREE) {
			c->state->files[i] = file;
			handle = i + 1;
		}
	}
	if (handle == FAILED)
		c->state->error = EMFILE;
	pthread_mutex_unlock(&c->state->lock);
	if (handle == FAILED && file.kind == FILE_HOST)
		close(file.fd);
	return handle;
}

static void console_write(const struct call *c, const uint8_t *buf, size_t len)
{
	if (c->host->write)
		c->host->write(c->host->opaque, buf, len);
}

/* ---- Files ---- */

static uint64_t sys_open(struct call *c)
{
	/* fopen modes "r", "rb", "r+", "r+b", "w", ... in the manual's order, two by two. */
	static const int flags[6] = {
		O_RDONLY, O_RDWR, O_WRONLY | O_CREAT | O_TRUNC, O_RDWR | O_CREAT | O_TRUNC,
		O_WRONLY | O_CREAT | O_APPEND, O_RDWR | O_CREAT | O_APPEND,
	};
	char name[MAX_NAME];
	uint64_t va = word(c, 0), mode = word(c, 1), len = word(c, 2);
	if (mode > 11 || !get_name(c, va, len, name))
		return fail(c, EINVAL);
	if (strcmp(name, ":tt") == 0)
		return add_file(c, (struct file){ .kind = mode < 4 ? FILE_CONSOLE_IN : FILE_CONSOLE_OUT });
	if (strcmp(name, ":semihosting-features") == 0)
		return mode < 4 ? add_file(c, (struct file){ .kind = FILE_FEATURES }) : fail(c, EACCES);
	if (!c->host->files)
		return fail(c, EACCES);
	int fd = open(name, flags[mode / 2] | O_CLOEXEC | O_NOCTTY, 0644);
	return fd < 0 ? fail(c, errno) : add_file(c, (struct file){ .kind = FILE_HOST, .fd = fd });
}

static uint64_t sys_close(struct call *c)
{
	uint64_t handle = word(c, 0);
	struct file file = { .kind = FILE_FREE };
	pthread_mutex_lock(&c->state->lock);
	if (handle >= 1 && handle <= MAX_FILES) {
		file = c->state->files[handle - 1];
		c->state->files[handle - 1].kind = FILE_FREE;
	}
	pthread_mutex_unlock(&c->state->lock);
	if (file.kind == FILE_FREE)
		return fail(c, EBADF);
	if (file.kind == FILE_HOST && close(file.fd))
		return fail(c, errno);
	return 0;
}

static uint64_t sys_writec(struct call *c)
{
	uint8_t ch = emu_ld8(c->cpu, c->param, EMU_ACC_NORMAL);
	console_write(c, &ch, 1);
	return c->cpu->x[0];
}

static uint64_t sys_write0(struct call *c)
{
	uint8_t buf[256];
	uint64_t va = c->param;
	size_t n;
	do {
		for (n = 0; n < sizeof(buf) && (buf[n] = emu_ld8(c->cpu, va + n, EMU_ACC_NORMAL)); n++)
			;
		console_write(c, buf, n);
		va += n;
	} while (n == sizeof(buf) && !(atomic_load(&c->cpu->attention) & EMU_ATT_STOP));
	return c->cpu->x[0];
}

/* The result of WRITE and READ: how many bytes were not transferred. */
static uint64_t sys_write(struct call *c)
{
	uint64_t handle = word(c, 0), va = word(c, 1), len = word(c, 2);
	struct file file = get_file(c, handle);
	uint8_t buf[CHUNK];

	if (file.kind != FILE_CONSOLE_OUT && file.kind != FILE_HOST) {
		fail(c, EBADF);
		return len;
	}
	while (len) {
		size_t n = len < CHUNK ? (size_t)len : CHUNK;
		get_bytes(c, va, buf, n);
		if (file.kind == FILE_CONSOLE_OUT) {
			console_write(c, buf, n);
		} else {
			ssize_t done = write(file.fd, buf, n);
			if (done <= 0) {
				fail(c, done < 0 ? errno : ENOSPC);
				break;
			}
			n = (size_t)done;
		}
		va += n;
		len -= n;
	}
	return len;
}

static uint64_t read_console(const struct call *c, uint64_t va, uint64_t len)
{
	while (len) {
		int ch = c->host->getc ? c->host->getc(c->host->opaque) : -1;
		if (ch < 0)
			break;
		emu_st8(c->cpu, va++, (uint8_t)ch, EMU_ACC_NORMAL);
		len--;
		if (ch == '\n' || ch == '\r')
			break;
	}
	return len;
}

static uint64_t sys_read(struct call *c)
{
	uint64_t handle = word(c, 0), va = word(c, 1), len = word(c, 2);
	struct file file = get_file(c, handle);
	uint8_t buf[CHUNK];

	switch (file.kind) {
	case FILE_CONSOLE_IN:
		return read_console(c, va, len);
	case FILE_FEATURES:
		for (; len && file.pos < sizeof(features); len--)
			emu_st8(c->cpu, va++, features[file.pos++], EMU_ACC_NORMAL);
		pthread_mutex_lock(&c->state->lock);
		c->state->files[handle - 1].pos = file.pos;
		pthread_mutex_unlock(&c->state->lock);
		return len;
	case FILE_HOST:
		while (len) {
			ssize_t n = read(file.fd, buf, len < CHUNK ? (size_t)len : CHUNK);
			if (n < 0)
				fail(c, errno);
			if (n <= 0)
				break;
			put_bytes(c, va, buf, (size_t)n);
			va += (uint64_t)n;
			len -= (uint64_t)n;
		}
		return len;
	default:
		fail(c, EBADF);
		return len;
	}
}

static uint64_t sys_readc(struct call *c)
{
	return (uint64_t)(int64_t)(c->host->getc ? c->host->getc(c->host->opaque) : -1);
}

static uint64_t sys_iserror(struct call *c)
{
	return (int64_t)word(c, 0) < 0;
}

static uint64_t sys_istty(struct call *c)
{
	struct file file = get_file(c, word(c, 0));
	if (file.kind == FILE_FREE)
		return fail(c, EBADF);
	return file.kind == FILE_CONSOLE_IN || file.kind == FILE_CONSOLE_OUT ||
	       (file.kind == FILE_HOST && isatty(file.fd));
}

static uint64_t sys_seek(struct call *c)
{
	uint64_t handle = word(c, 0), pos = word(c, 1);
	struct file file = get_file(c, handle);
	if (file.kind == FILE_FEATURES && pos <= sizeof(features)) {
		pthread_mutex_lock(&c->state->lock);
		c->state->files[handle - 1].pos = pos;
		pthread_mutex_unlock(&c->state->lock);
		return 0;
	}
	if (file.kind != FILE_HOST)
		return fail(c, file.kind == FILE_FREE ? EBADF : ESPIPE);
	return lseek(file.fd, (off_t)pos, SEEK_SET) < 0 ? fail(c, errno) : 0;
}

static uint64_t sys_flen(struct call *c)
{
	struct file file = get_file(c, word(c, 0));
	struct stat st;
	if (file.kind == FILE_FEATURES)
		return sizeof(features);
	if (file.kind != FILE_HOST)
		return fail(c, file.kind == FILE_FREE ? EBADF : EINVAL);
	return fstat(file.fd, &st) ? fail(c, errno) : (uint64_t)st.st_size;
}

static uint64_t sys_tmpnam(struct call *c)
{
	uint64_t va = word(c, 0), id = word(c, 1), len = word(c, 2);
	char name[64];
	int n = snprintf(name, sizeof(name), "/tmp/semihost-%ld-%02x", (long)getpid(), (unsigned)(id & 0xff));
	if (!c->host->files || (uint64_t)n >= len)
		return fail(c, c->host->files ? EINVAL : EACCES);
	put_bytes(c, va, (const uint8_t *)name, (size_t)n + 1);
	return 0;
}

static uint64_t sys_remove(struct call *c)
{
	char name[MAX_NAME];
	if (!get_name(c, word(c, 0), word(c, 1), name))
		return fail(c, EINVAL);
	if (!c->host->files)
		return fail(c, EACCES);
	return remove(name) ? fail(c, errno) : 0;
}

static uint64_t sys_rename(struct call *c)
{
	char from[MAX_NAME], to[MAX_NAME];
	if (!get_name(c, word(c, 0), word(c, 1), from) || !get_name(c, word(c, 2), word(c, 3), to))
		return fail(c, EINVAL);
	if (!c->host->files)
		return fail(c, EACCES);
	return rename(from, to) ? fail(c, errno) : 0;
}

/* ---- The rest ---- */

static uint64_t sys_clock(struct call *c)
{
	return emu_clock_now(c->cpu->system->clock) / 10000000; /* centiseconds */
}

static uint64_t sys_time(struct call *c)
{
	return (uint64_t)time(NULL);
}

static uint64_t sys_errno(struct call *c)
{
	pthread_mutex_lock(&c->state->lock);
	int error = c->state->error;
	pthread_mutex_unlock(&c->state->lock);
	return (uint64_t)error;
}

static uint64_t sys_get_cmdline(struct call *c)
{
	const char *cmdline = c->host->cmdline ? c->host->cmdline : "";
	size_t len = strlen(cmdline);
	uint64_t va = word(c, 0), size = word(c, 1);
	if (size <= len)
		return fail(c, E2BIG);
	put_bytes(c, va, (const uint8_t *)cmdline, len + 1);
	emu_st64(c->cpu, c->param + 8, len, EMU_ACC_NORMAL);
	return 0;
}

struct ram {
	uint64_t base, end;
};

static void find_ram(void *opaque, const struct emu_region_desc *desc, bool direct)
{
	struct ram *ram = opaque;
	if (desc->kind == EMU_REGION_RAM && desc->size > ram->end - ram->base)
		*ram = (struct ram){ desc->base, desc->base + desc->size };
}

/* Heap in the upper half of the biggest RAM, stack down from its end. */
static uint64_t sys_heapinfo(struct call *c)
{
	struct ram ram = { 0, 0 };
	uint64_t block = word(c, 0);
	emu_mem_walk(c->cpu->system->mem, find_ram, &ram);
	uint64_t size = ram.end - ram.base;
	const uint64_t info[4] = { ram.base + size / 2, ram.base + size / 4 * 3, ram.end, ram.base + size / 4 * 3 };
	for (unsigned i = 0; i < 4; i++)
		emu_st64(c->cpu, block + 8 * i, info[i], EMU_ACC_NORMAL);
	return c->cpu->x[0];
}

#define ADP_STOPPED_APPLICATION_EXIT 0x20026

/* Both take a block of the reason and its subcode on AArch64. */
static uint64_t sys_exit(struct call *c)
{
	uint64_t reason = word(c, 0), subcode = word(c, 1);
	emu_system_halt(c->cpu, EMU_EVENT_EXIT, reason == ADP_STOPPED_APPLICATION_EXIT ? subcode : 1);
}

static uint64_t sys_elapsed(struct call *c)
{
	emu_st64(c->cpu, c->param, emu_counter_now(c->cpu->system), EMU_ACC_NORMAL);
	return 0;
}

static uint64_t sys_tickfreq(struct call *c)
{
	return c->cpu->system->counter_hz;
}

static semihost_fn *const calls[] = {
	[0x01] = sys_open, [0x02] = sys_close, [0x03] = sys_writec, [0x04] = sys_write0, [0x05] = sys_write,
	[0x06] = sys_read, [0x07] = sys_readc, [0x08] = sys_iserror, [0x09] = sys_istty, [0x0a] = sys_seek,
	[0x0c] = sys_flen, [0x0d] = sys_tmpnam, [0x0e] = sys_remove, [0x0f] = sys_rename, [0x10] = sys_clock,
	[0x11] = sys_time, [0x13] = sys_errno, [0x15] = sys_get_cmdline, [0x16] = sys_heapinfo, [0x18] = sys_exit,
	[0x20] = sys_exit, [0x30] = sys_elapsed, [0x31] = sys_tickfreq,
};

void emu_semihost_call(struct emu_cpu *cpu)
{
	uint32_t op = (uint32_t)cpu->x[0];
	struct call c = { .cpu = cpu, .state = cpu->system->semihost_state, .host = &cpu->system->semihost,
		.param = cpu->x[1] };
	if (op >= sizeof(calls) / sizeof(calls[0]) || !calls[op]) {
		emu_guest_error(cpu, "unknown semihosting operation 0x%x", op);
		cpu->x[0] = fail(&c, ENOSYS);
		return;
	}
	cpu->x[0] = calls[op](&c);
}
