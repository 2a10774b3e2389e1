/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NOR flash with the Intel command set and a CFI table (JEDEC JESD68.01,
 * JEP137; command set 0001): two 16-bit chips side by side on a 32-bit bus, in
 * lock step, as on QEMU's virt board.
 *
 * Query, identifier and status data read the same from both chips: a byte in
 * each 16-bit half of a 32-bit word. A command is the low byte of a write of any
 * width at any address. Programming clears bits and takes no time; erasing a
 * block sets its bits. The bytes are mapped so that a bank that nobody wrote
 * shares one erased chunk, instead of taking its size in host memory.
 *
 * Invariant: the region is readable directly exactly in READ_ARRAY.
 * Thread: vCPU threads under dev.lock; loading on the I/O thread.
 */
#include "devices/flash.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK_SIZE 0x40000u
#define BUFFER_WORDS 1024u  /* of 32 bits: 2 KiB a chip */
#define CHUNK_SIZE 0x200000u
#define MANUFACTURER 0x89
#define DEVICE_CODE 0x18
#define CFI_SIZE 0x40

enum {
	SR_PROTECTED = 1u << 1,
	SR_PROGRAM = 1u << 4,
	SR_ERASE = 1u << 5,
	SR_READY = 1u << 7,
	SR_SEQUENCE = SR_PROGRAM | SR_ERASE, /* improper command sequence */
};

/* What reads show. */
enum read_mode { READ_ARRAY, READ_STATUS, READ_ID, READ_QUERY };

/* What the next write is. */
enum write_state {
	WRITE_COMMAND,
	WRITE_PROGRAM,         /* the data of a single program */
	WRITE_ERASE_CONFIRM,
	WRITE_LOCK_CONFIRM,
	WRITE_BUFFER_COUNT,
	WRITE_BUFFER_DATA,
	WRITE_BUFFER_CONFIRM,
};

struct flash {
	struct devices_device dev;
	uint64_t size;              /* property */
	uint8_t *bytes;             /* NULL until realized */
	struct emu_region *region;
	bool readonly;
	uint8_t *locked;            /* a byte a block: 1 while locked by the guest */
	uint8_t cfi[CFI_SIZE];
	enum read_mode mode;
	enum write_state state;
	uint8_t status;
	/* A buffered program: data, and which of its bytes were written. */
	uint64_t block;             /* the block's offset */
	unsigned words_left;
	uint64_t first, last;       /* offsets of the bytes written, last exclusive */
	uint8_t buffer[BUFFER_WORDS * 4];
	bool buffer_bad;            /* data that left the buffer or the block */
};

static struct flash *flash_of(struct devices_device *dev)
{
	return (struct flash *)dev;
}

/* ---- The bytes ---- */

/* Maps the bank erased, at `at` or anywhere. MAP_FAILED, and errno, on failure. */
static uint8_t *map_erased(uint64_t size, uint8_t *at)
{
	size_t chunk = size < CHUNK_SIZE ? size : CHUNK_SIZE;
	int fd = memfd_create("erased-flash", MFD_CLOEXEC);
	if (fd < 0)
		return MAP_FAILED;
	uint8_t *bytes = MAP_FAILED;
	void *fill = MAP_FAILED;
	if (ftruncate(fd, (off_t)chunk) == 0)
		fill = mmap(NULL, chunk, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fill != MAP_FAILED) {
		memset(fill, 0xff, chunk);
		munmap(fill, chunk);
		bytes = at ? at : mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	}
	for (uint64_t done = 0; bytes != MAP_FAILED && done < size; done += chunk)
		if (mmap(bytes + done, chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd,
			 0) == MAP_FAILED) {
			int saved = errno;
			if (!at)
				munmap(bytes, size);
			errno = saved;
			bytes = MAP_FAILED;
		}
	int saved = errno;
	close(fd);
	errno = saved;
	return bytes;
}

bool devices_flash_load(struct devices_device *dev, const void *data, size_t len, struct vmd_error *err)
{
	struct flash *s = flash_of(dev);
	assert(dev->realized);
	if (len > s->size) {
		vmd_error_set(err, VMD_ERR_LIMIT, 0,
			      "%s '%s': %zu bytes do not fit into a flash bank of %" PRIu64 " bytes", dev->cls->name,
			      dev->id, len, s->size);
		return vmd_error_hint(err, "use a firmware image of at most %" PRIu64 " MiB", s->size >> 20);
	}
	pthread_mutex_lock(&dev->lock);
	bool ok = map_erased(s->size, s->bytes) != MAP_FAILED;
	int saved = errno;
	if (ok)
		memcpy(s->bytes, data, len);
	pthread_mutex_unlock(&dev->lock);
	return ok || vmd_error_set(err, VMD_ERR_IO, saved, "%s '%s': cannot map the flash", dev->cls->name, dev->id);
}

void devices_flash_set_readonly(struct devices_device *dev, bool readonly)
{
	flash_of(dev)->readonly = readonly;
}

/* ---- Reading ---- */

static void set_mode(struct flash *s, enum read_mode mode)
{
	if ((mode == READ_ARRAY) != (s->mode == READ_ARRAY))
		emu_region_set_direct(s->dev.env->mem, s->region, mode == READ_ARRAY);
	s->mode = mode;
}

/* Identifier codes: manufacturer, device, then in each block its lock status. */
static uint8_t read_id(const struct flash *s, uint64_t offset)
{
	switch (offset % BLOCK_SIZE / 4 & 0xff) {
	case 0:
		return MANUFACTURER;
	case 1:
		return DEVICE_CODE;
	case 2:
		return s->locked[offset / BLOCK_SIZE];
	}
	return 0;
}

/* The byte that each chip gives for the word at `offset`. */
static uint8_t chip_byte(const struct flash *s, uint64_t offset)
{
	switch (s->mode) {
	case READ_QUERY:
		return offset / 4 < CFI_SIZE ? s->cfi[offset / 4] : 0;
	case READ_ID:
		return read_id(s, offset);
	case READ_STATUS:
	case READ_ARRAY:
		break;
	}
	return s->status;
}

static bool ops_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret_value)
{
	struct flash *s = opaque;
	uint64_t value = 0;
	for (unsigned i = 0; i < size && offset + i < s->size; i++) {
		uint8_t byte;
		if (s->mode == READ_ARRAY)
			byte = s->bytes[offset + i];
		else
			byte = (offset + i) % 2 ? 0 : chip_byte(s, offset + i);
		value |= (uint64_t)byte << 8 * i;
	}
	*ret_value = value;
	return true;
}

/* ---- Writing ---- */

/* Whether the block may be changed; if not, the status says so. */
static bool check_block(struct flash *s, uint64_t offset, uint8_t failure)
{
	if (!s->readonly && !s->locked[offset / BLOCK_SIZE])
		return true;
	s->status |= failure | SR_PROTECTED;
	devices_guest_error(&s->dev, "write to the protected block at 0x%" PRIx64, offset & ~(uint64_t)(BLOCK_SIZE - 1));
	return false;
}

static void bad_sequence(struct flash *s, uint64_t value)
{
	devices_guest_error(&s->dev, "0x%" PRIx64 " written out of sequence", value);
	s->status |= SR_SEQUENCE;
	s->state = WRITE_COMMAND;
	set_mode(s, READ_STATUS);
}

static void program(struct flash *s, uint64_t offset, unsigned size, uint64_t value)
{
	if (!check_block(s, offset, SR_PROGRAM))
		return;
	for (unsigned i = 0; i < size && offset + i < s->size; i++)
		s->bytes[offset + i] &= (uint8_t)(value >> 8 * i);
}

static void erase(struct flash *s, uint64_t offset)
{
	if (check_block(s, offset, SR_ERASE))
		memset(s->bytes + (offset & ~(uint64_t)(BLOCK_SIZE - 1)), 0xff, BLOCK_SIZE);
}

static void configure_lock(struct flash *s, uint64_t offset, uint8_t command)
{
	switch (command) {
	case 0x01: /* lock */
	case 0x2f: /* lock down: the write-protect pin is not asserted, so no more than a lock */
		s->locked[offset / BLOCK_SIZE] = 1;
		break;
	case 0xd0:
		s->locked[offset / BLOCK_SIZE] = 0;
		break;
	default:
		bad_sequence(s, command);
	}
}

static void buffer_begin(struct flash *s, uint64_t value)
{
	unsigned words = (unsigned)(value & 0xffff) + 1;
	if (words > BUFFER_WORDS) {
		bad_sequence(s, value);
		return;
	}
	memset(s->buffer, 0xff, sizeof(s->buffer));
	s->words_left = words;
	s->first = UINT64_MAX;
	s->last = 0;
	s->buffer_bad = false;
	s->state = WRITE_BUFFER_DATA;
}

/* The buffer is a window of its own size, aligned to it, around the first word. */
static void buffer_data(struct flash *s, uint64_t offset, unsigned size, uint64_t value)
{
	if (s->first == UINT64_MAX) {
		s->first = offset;
		s->block = offset & ~(uint64_t)(sizeof(s->buffer) - 1);
	}
	if (offset < s->block || offset + size > s->block + sizeof(s->buffer)) {
		s->buffer_bad = true;
	} else {
		for (unsigned i = 0; i < size; i++)
			s->buffer[offset - s->block + i] = (uint8_t)(value >> 8 * i);
		s->first = offset < s->first ? offset : s->first;
		s->last = offset + size > s->last ? offset + size : s->last;
	}
	if (--s->words_left == 0)
		s->state = WRITE_BUFFER_CONFIRM;
}

static void buffer_commit(struct flash *s)
{
	if (s->buffer_bad) {
		bad_sequence(s, 0xd0);
		return;
	}
	if (!check_block(s, s->first, SR_PROGRAM))
		return;
	for (uint64_t at = s->first; at < s->last; at++)
		s->bytes[at] &= s->buffer[at - s->block];
}

/* First write of a command: what it makes reads show and the next write be. */
static const struct flash_command {
	uint8_t code;
	enum read_mode mode;
	enum write_state state;
} commands[] = {
	{ 0x00, READ_ARRAY, WRITE_COMMAND }, /* probes send it */
	{ 0x10, READ_STATUS, WRITE_PROGRAM },
	{ 0x20, READ_STATUS, WRITE_ERASE_CONFIRM },
	{ 0x40, READ_STATUS, WRITE_PROGRAM },
	{ 0x60, READ_STATUS, WRITE_LOCK_CONFIRM },
	{ 0x70, READ_STATUS, WRITE_COMMAND },
	{ 0x90, READ_ID, WRITE_COMMAND },
	{ 0x98, READ_QUERY, WRITE_COMMAND },
	{ 0xb0, READ_STATUS, WRITE_COMMAND }, /* suspend: nothing is under way */
	{ 0xd0, READ_STATUS, WRITE_COMMAND }, /* resume */
	{ 0xe8, READ_STATUS, WRITE_BUFFER_COUNT },
	{ 0xf0, READ_ARRAY, WRITE_COMMAND }, /* the other command set's; probes send it */
	{ 0xff, READ_ARRAY, WRITE_COMMAND },
};

static void command(struct flash *s, uint8_t code)
{
	if (code == 0x50) { /* clear status; what reads show stays */
		s->status = SR_READY;
		return;
	}
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].code == code) {
			s->state = commands[i].state;
			set_mode(s, commands[i].mode);
			return;
		}
	devices_guest_error(&s->dev, "unknown command 0x%02x", code);
	set_mode(s, READ_ARRAY);
}

static bool ops_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct flash *s = opaque;
	uint8_t code = (uint8_t)value;
	enum write_state state = s->state;
	if (state != WRITE_BUFFER_DATA)
		s->state = WRITE_COMMAND;
	switch (state) {
	case WRITE_COMMAND:
		command(s, code);
		break;
	case WRITE_PROGRAM:
		program(s, offset, size, value);
		break;
	case WRITE_ERASE_CONFIRM:
		if (code == 0xd0)
			erase(s, offset);
		else
			bad_sequence(s, value);
		break;
	case WRITE_LOCK_CONFIRM:
		configure_lock(s, offset, code);
		break;
	case WRITE_BUFFER_COUNT:
		buffer_begin(s, value);
		break;
	case WRITE_BUFFER_DATA:
		buffer_data(s, offset, size, value);
		break;
	case WRITE_BUFFER_CONFIRM:
		if (code == 0xd0)
			buffer_commit(s);
		else
			bad_sequence(s, value);
		break;
	}
	return true;
}

static const struct emu_mmio_ops ops = { .read = ops_read, .write = ops_write, .max_size = 4 };

/* ---- Life ---- */

/* JESD68.01, table 1, and the Intel extension at 0x31; of one chip. */
static void fill_cfi(struct flash *s)
{
	uint64_t chip = s->size / 2, n_blocks = s->size / BLOCK_SIZE;
	static const uint8_t fixed[] = {
		[0x10] = 'Q', [0x11] = 'R', [0x12] = 'Y',
		[0x13] = 0x01, [0x14] = 0x00, /* primary command set: Intel */
		[0x15] = 0x31, [0x16] = 0x00, /* its extension */
		[0x1b] = 0x45, [0x1c] = 0x55, /* 4.5 V to 5.5 V */
		[0x1f] = 0x07, [0x20] = 0x07, /* typical 128 us a word, 128 us a buffer */
		[0x21] = 0x0a,                /* typical 1 s a block */
		[0x23] = 0x04, [0x24] = 0x04, [0x25] = 0x04, /* at most 16 times as long */
		[0x28] = 0x02, [0x29] = 0x00, /* 8 or 16 bits wide */
		[0x2c] = 0x01,                /* one region of equal blocks */
		[0x31] = 'P', [0x32] = 'R', [0x33] = 'I', [0x34] = '1', [0x35] = '0',
		[0x3f] = 0x01,                /* one protection field */
	};
	memcpy(s->cfi, fixed, sizeof(fixed));
	s->cfi[0x27] = (uint8_t)__builtin_ctzll(chip);
	s->cfi[0x2a] = (uint8_t)__builtin_ctz(BUFFER_WORDS * 2); /* bytes in a chip's buffer */
	s->cfi[0x2d] = (uint8_t)(n_blocks - 1);
	s->cfi[0x2e] = (uint8_t)((n_blocks - 1) >> 8);
	s->cfi[0x2f] = (uint8_t)(BLOCK_SIZE / 2 / 256);
	s->cfi[0x30] = (uint8_t)(BLOCK_SIZE / 2 / 256 >> 8);
}

static void reset(struct devices_device *dev)
{
	struct flash *s = flash_of(dev);
	pthread_mutex_lock(&dev->lock);
	memset(s->locked, 0, s->size / BLOCK_SIZE);
	s->status = SR_READY;
	s->state = WRITE_COMMAND;
	set_mode(s, READ_ARRAY);
	pthread_mutex_unlock(&dev->lock);
}

static void unrealize(struct devices_device *dev)
{
	struct flash *s = flash_of(dev);
	munmap(s->bytes, s->size);
	free(s->locked);
}

static bool realize(struct devices_device *dev, struct vmd_error *err)
{
	struct flash *s = flash_of(dev);
	if (s->size & (s->size - 1))
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "%s: property 'size': %" PRIu64 " is not a power of two",
				     dev->cls->name, s->size);
	s->locked = calloc(s->size / BLOCK_SIZE, 1);
	if (!s->locked)
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "no memory for a %s", dev->cls->name);
	s->bytes = map_erased(s->size, NULL);
	if (s->bytes == MAP_FAILED) {
		free(s->locked);
		return vmd_error_set(err, VMD_ERR_IO, errno, "%s '%s': cannot map the flash", dev->cls->name, dev->id);
	}
	fill_cfi(s);
	s->status = SR_READY;
	s->region = devices_map(dev,
				&(struct emu_region_desc){
					.name = dev->id,
					.kind = EMU_REGION_ROMD,
					.base = dev->wiring.base,
					.size = s->size,
					.host = s->bytes,
					.ops = &ops,
					.opaque = s,
					.lock = &dev->lock,
				},
				err);
	if (!s->region)
		unrealize(dev);
	return s->region != NULL;
}

static const struct devices_prop props[] = {
	{ .name = "size", .type = DEVICES_PROP_UINT, .offset = offsetof(struct flash, size), .def = "64M",
	  .min = BLOCK_SIZE, .max = UINT64_C(1) << 30, .help = "bytes, a power of two" },
	{ .name = NULL },
};

const struct devices_class devices_flash_class = {
	.name = "cfi.pflash01",
	.summary = "NOR flash with the Intel command set",
	.size = sizeof(struct flash),
	.props = props,
	.realize = realize,
	.unrealize = unrealize,
	.reset = reset,
};
