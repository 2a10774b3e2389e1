/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel formats: files made byte by byte here, whole, cut off at every length,
 * and wrong in one field at a time.
 */
#include "loaders/fdt.h"
#include "loaders/image.h"
#include "loaders/layout.h"
#include "tests/unit/suite.h"

#include <elf.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

static const struct loaders_ram ram = { .base = 0x40000000, .size = 64u << 20 };

struct file {
	uint8_t bytes[8192];
	size_t len;
};

static void put16(struct file *f, size_t at, uint16_t v)
{
	memcpy(f->bytes + at, &v, 2);
}

static void put32(struct file *f, size_t at, uint32_t v)
{
	memcpy(f->bytes + at, &v, 4);
}

static void put64(struct file *f, size_t at, uint64_t v)
{
	memcpy(f->bytes + at, &v, 8);
}

static void put_be32(struct file *f, size_t at, uint32_t v)
{
	put32(f, at, __builtin_bswap32(v));
}

/* ---- Files ---- */

static struct file make_linux_image(void)
{
	struct file f = { .len = 1024 };
	put64(&f, 8, 0x10000);
	put64(&f, 16, 0x5000);
	memcpy(f.bytes + 56, "ARM\x64", 4);
	memset(f.bytes + 64, 0xab, 64);
	return f;
}

static struct file make_gzip(const struct file *in)
{
	struct file f = { 0 };
	z_stream z = { .next_in = (uint8_t *)in->bytes, .avail_in = (uInt)in->len, .next_out = f.bytes, .avail_out = sizeof(f.bytes) };
	ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	f.len = z.total_out;
	deflateEnd(&z);
	return f;
}

static struct file make_zstd(const struct file *in)
{
	struct file f = { 0 };
	f.len = ZSTD_compress(f.bytes, sizeof(f.bytes), in->bytes, in->len, 3);
	ck_assert(!ZSTD_isError(f.len));
	return f;
}

static struct file make_zboot(const struct file *packed, const char *method)
{
	struct file f = { .len = 512 + packed->len };
	memcpy(f.bytes, "MZ\0\0zimg", 8);
	put32(&f, 8, 512);
	put32(&f, 12, (uint32_t)packed->len);
	strcpy((char *)f.bytes + 24, method);
	memcpy(f.bytes + 512, packed->bytes, packed->len);
	return f;
}

static struct file make_elf(void)
{
	struct file f = { .len = 1024 };
	Elf64_Ehdr e = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC,
			 .e_machine = EM_AARCH64, .e_version = EV_CURRENT, .e_entry = 0xffff000000001010, .e_phoff = 64,
			 .e_ehsize = 64, .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2 };
	Elf64_Phdr p[2] = { { .p_type = PT_LOAD, .p_offset = 256, .p_vaddr = 0xffff000000001000, .p_paddr = 0x40100000,
			      .p_filesz = 128, .p_memsz = 4096 },
			    { .p_type = PT_LOAD, .p_offset = 512, .p_vaddr = 0x2000, .p_paddr = 0x40200000, .p_filesz = 256,
			      .p_memsz = 256 } };
	memcpy(f.bytes, &e, sizeof(e));
	memcpy(f.bytes + 64, p, sizeof(p));
	return f;
}

#define PE_AT 128
#define PE_OPTIONAL (PE_AT + 24)
#define PE_SECTIONS (PE_OPTIONAL + 160)

static void pe_section(struct file *f, unsigned i, const char *name, uint32_t rva, uint32_t offset, uint32_t len)
{
	size_t at = PE_SECTIONS + i * 40;
	memcpy(f->bytes + at, name, strlen(name));
	put32(f, at + 8, len);
	put32(f, at + 12, rva);
	put32(f, at + 16, len);
	put32(f, at + 20, offset);
	put16(f, PE_AT + 6, (uint16_t)(i + 1));
}

static struct file make_pe(uint16_t subsystem)
{
	struct file f = { .len = 4096 };
	memcpy(f.bytes, "MZ", 2);
	put32(&f, 0x3c, PE_AT);
	memcpy(f.bytes + PE_AT, "PE\0\0", 4);
	put16(&f, PE_AT + 4, 0xaa64);
	put16(&f, PE_AT + 20, 160);
	put16(&f, PE_OPTIONAL, 0x20b);
	put32(&f, PE_OPTIONAL + 16, 0x1010);     /* entry */
	put64(&f, PE_OPTIONAL + 24, 0x140000000); /* image base: outside RAM */
	put32(&f, PE_OPTIONAL + 56, 0x3000);
	put32(&f, PE_OPTIONAL + 60, 1024);
	put16(&f, PE_OPTIONAL + 68, subsystem);
	put32(&f, PE_OPTIONAL + 108, 6);
	put32(&f, PE_OPTIONAL + 112 + 5 * 8, 0x2000); /* relocations */
	put32(&f, PE_OPTIONAL + 112 + 5 * 8 + 4, 12);
	pe_section(&f, 0, ".text", 0x1000, 1024, 64);
	pe_section(&f, 1, ".reloc", 0x2000, 2048, 12);
	put64(&f, 1024, 0x140001234); /* a pointer, to be moved */
	put32(&f, 2048, 0x1000);
	put32(&f, 2052, 12);
	put16(&f, 2056, 10 << 12 | 0);
	put16(&f, 2058, 0);
	return f;
}

static struct file make_uki(void)
{
	struct file f = make_pe(10), kernel = make_linux_image();
	memcpy(f.bytes + 1024, kernel.bytes, kernel.len);
	memcpy(f.bytes + 2048, "INITRD", 6);
	memcpy(f.bytes + 3072, "quiet ro\n", 9);
	pe_section(&f, 0, ".linux", 0x1000, 1024, (uint32_t)kernel.len);
	memset(f.bytes + PE_SECTIONS + 40, 0, 40);
	pe_section(&f, 1, ".initrd", 0x2000, 2048, 6);
	pe_section(&f, 2, ".cmdline", 0x2800, 3072, 9);
	return f;
}

static struct file make_uimage(const struct file *body, uint8_t compression)
{
	struct file f = { .len = 64 + body->len };
	memcpy(f.bytes + 64, body->bytes, body->len);
	put_be32(&f, 0, 0x27051956);
	put_be32(&f, 12, (uint32_t)body->len);
	put_be32(&f, 16, 0x40080000);
	put_be32(&f, 20, 0x40080040);
	put_be32(&f, 24, (uint32_t)crc32(0, f.bytes + 64, (uInt)body->len));
	f.bytes[28] = 5;
	f.bytes[29] = 22;
	f.bytes[30] = 2;
	f.bytes[31] = compression;
	put_be32(&f, 4, (uint32_t)crc32(0, f.bytes, 64));
	return f;
}

/* ---- Parsing ---- */

static bool parse(const struct file *f, size_t len, struct loaders_image *ret, struct vmd_error *err)
{
	struct loaders_blob blob = { .data = malloc(len ? len : 1), .len = len, .name = strdup("kernel.bin") };
	memcpy(blob.data, f->bytes, len);
	bool ok = loaders_image_parse(&blob, &ram, ret, err);
	loaders_blob_fini(&blob);
	return ok;
}

static struct loaders_image parse_ok(const struct file *f, const char *format)
{
	struct loaders_image image;
	struct vmd_error err = { 0 };
	ck_assert_msg(parse(f, f->len, &image, &err), "%s", err.message);
	ck_assert_str_eq(image.format, format);
	return image;
}

static void parse_fails(const struct file *f, const char *reason)
{
	struct loaders_image image = { 0 };
	struct vmd_error err = { 0 };
	ck_assert_msg(!parse(f, f->len, &image, &err), "parsed, but should say: %s", reason);
	ck_assert_msg(strstr(err.message, "kernel.bin"), "does not name the file: %s", err.message);
	ck_assert_msg(strstr(err.message, reason), "'%s' does not say '%s'", err.message, reason);
	ck_assert_uint_eq(image.n_segments, 0);
}

START_TEST(linux_image)
{
	struct file f = make_linux_image();
	struct loaders_image i = parse_ok(&f, "Linux Image");
	ck_assert_uint_eq(i.entry, 0x40010000);
	ck_assert_uint_eq(i.n_segments, 1);
	ck_assert_uint_eq(i.segments[0].memsz, 0x5000);
	ck_assert_uint_eq(i.segments[0].len, f.len);
	loaders_image_fini(&i);

	put64(&f, 16, 0); /* an old kernel */
	i = parse_ok(&f, "Linux Image");
	ck_assert_uint_eq(i.entry, 0x40080000);
	loaders_image_fini(&i);

	put64(&f, 24, 1);
	parse_fails(&f, "big-endian");
	f = make_linux_image();
	put64(&f, 16, 1ull << 40);
	parse_fails(&f, "image_size");
	put64(&f, 16, 0x5000);
	put64(&f, 8, UINT64_MAX);
	parse_fails(&f, "text_offset");
}
END_TEST

START_TEST(compressed)
{
	struct file plain = make_linux_image(), gz = make_gzip(&plain), zst = make_zstd(&plain);
	struct loaders_image i = parse_ok(&gz, "Linux Image");
	ck_assert_int_eq(memcmp(i.segments[0].data, plain.bytes, plain.len), 0);
	loaders_image_fini(&i);
	i = parse_ok(&zst, "Linux Image");
	ck_assert_int_eq(memcmp(i.segments[0].data, plain.bytes, plain.len), 0);
	loaders_image_fini(&i);
	gz.len -= 10;
	parse_fails(&gz, "cut off");
	zst.len -= 3;
	parse_fails(&zst, "cut off");
	gz = make_gzip(&plain);
	gz.bytes[gz.len / 2] ^= 0xff;
	parse_fails(&gz, "corrupt");
}
END_TEST

START_TEST(zboot)
{
	struct file plain = make_linux_image(), gz = make_gzip(&plain), zst = make_zstd(&plain);
	struct file f = make_zboot(&gz, "gzip");
	struct loaders_image i = parse_ok(&f, "Linux Image");
	ck_assert_uint_eq(i.entry, 0x40010000);
	loaders_image_fini(&i);
	f = make_zboot(&zst, "zstd");
	i = parse_ok(&f, "Linux Image");
	loaders_image_fini(&i);
	f = make_zboot(&gz, "lzma");
	parse_fails(&f, "'lzma'");
	f = make_zboot(&gz, "gzip");
	put32(&f, 12, 100000);
	parse_fails(&f, "past the file's end");
}
END_TEST

START_TEST(elf)
{
	struct file f = make_elf();
	struct loaders_image i = parse_ok(&f, "ELF");
	ck_assert_uint_eq(i.entry, 0x40100010);
	ck_assert_uint_eq(i.n_segments, 2);
	ck_assert_uint_eq(i.segments[0].memsz, 4096);
	loaders_image_fini(&i);

	f = make_elf();
	f.bytes[EI_CLASS] = ELFCLASS32;
	parse_fails(&f, "32-bit");
	f = make_elf();
	put16(&f, 18, EM_X86_64);
	parse_fails(&f, "machine 62");
	f = make_elf();
	put16(&f, 16, ET_REL);
	parse_fails(&f, "not an executable");
	f = make_elf();
	put64(&f, 64 + 8, 4000);
	parse_fails(&f, "program header 0");
	f = make_elf();
	put64(&f, 64 + 24, 0x1000);
	parse_fails(&f, "outside RAM");
	f = make_elf();
	put64(&f, 64 + 56 + 24, 0x40100f80);
	parse_fails(&f, "overlap");
	f = make_elf();
	put16(&f, 56, 5000);
	parse_fails(&f, "5000 program headers");
}
END_TEST

START_TEST(pe)
{
	struct file f = make_pe(1);
	struct loaders_image i = parse_ok(&f, "PE");
	ck_assert_uint_eq(i.entry, 0x40001010);
	uint64_t moved;
	memcpy(&moved, i.segments[0].data + 0x1000, 8);
	ck_assert_uint_eq(moved, 0x40001234);
	loaders_image_fini(&i);

	f = make_pe(10);
	parse_fails(&f, "EFI application");
	f = make_pe(1);
	put16(&f, PE_AT + 4, 0x8664);
	parse_fails(&f, "machine 0x8664");
	f = make_pe(1);
	put32(&f, PE_SECTIONS + 20, 4090);
	parse_fails(&f, "section 0");
	f = make_pe(1);
	put32(&f, 2052, 4);
	parse_fails(&f, "relocation block");
	f = make_pe(1);
	put32(&f, 2048, 0x2ffd);
	parse_fails(&f, "relocation");
}
END_TEST

START_TEST(uki)
{
	struct file f = make_uki();
	struct loaders_image i = parse_ok(&f, "Linux Image");
	ck_assert_str_eq(i.cmdline, "quiet ro");
	ck_assert_uint_eq(i.initrd_len, 6);
	ck_assert_int_eq(memcmp(i.initrd, "INITRD", 6), 0);
	loaders_image_fini(&i);
}
END_TEST

START_TEST(uimage)
{
	struct file plain = make_linux_image(), code = { .bytes = { 1, 2, 3, 4 }, .len = 4 };
	struct file gz = make_gzip(&plain), f = make_uimage(&gz, 1);
	struct loaders_image i = parse_ok(&f, "Linux Image");
	ck_assert_uint_eq(i.entry, 0x40010000);
	loaders_image_fini(&i);
	f = make_uimage(&code, 0);
	i = parse_ok(&f, "uImage");
	ck_assert_uint_eq(i.entry, 0x40080040);
	ck_assert_uint_eq(i.segments[0].pa, 0x40080000);
	loaders_image_fini(&i);

	f.bytes[64] ^= 1;
	parse_fails(&f, "data's CRC");
	f = make_uimage(&code, 0);
	f.bytes[20] ^= 1;
	parse_fails(&f, "header's CRC");
	f = make_uimage(&code, 3);
	parse_fails(&f, "method 3");
	f = make_uimage(&code, 0);
	f.len = 66;
	parse_fails(&f, "cut off");
}
END_TEST

START_TEST(raw)
{
	struct file f = { .bytes = { 0x14, 0, 0, 0 }, .len = 4 };
	struct loaders_image i = parse_ok(&f, "raw binary");
	ck_assert_uint_eq(i.entry, 0x40080000);
	loaders_image_fini(&i);
}
END_TEST

/* Whatever the cut, the answer is yes or a reason. */
START_TEST(every_prefix)
{
	struct file plain = make_linux_image(), gz = make_gzip(&plain);
	const struct file files[] = { plain, gz, make_zboot(&gz, "gzip"), make_elf(), make_pe(1), make_uki(), make_uimage(&gz, 1) };
	for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++)
		for (size_t len = 1; len < files[k].len; len++) {
			struct loaders_image i;
			struct vmd_error err = { 0 };
			if (parse(&files[k], len, &i, &err)) {
				ck_assert_uint_ge(i.n_segments, 1);
				loaders_image_fini(&i);
			} else {
				ck_assert_str_ne(err.message, "");
			}
		}
}
END_TEST

/* One byte at a time set to 0x00, 0x7f and 0xff: never a crash, never outside RAM. */
START_TEST(every_byte)
{
	const struct file files[] = { make_elf(), make_pe(1), make_uki() };
	static const uint8_t values[] = { 0x00, 0x7f, 0xff };
	for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++)
		for (size_t at = 0; at < 640; at++)
			for (size_t v = 0; v < 3; v++) {
				struct file f = files[k];
				struct loaders_image i;
				f.bytes[at] = values[v];
				if (!parse(&f, f.len, &i, NULL))
					continue;
				for (unsigned s = 0; s < i.n_segments; s++) {
					ck_assert_uint_ge(i.segments[s].pa, ram.base);
					ck_assert_uint_le(i.segments[s].pa + i.segments[s].memsz, ram.base + ram.size);
					ck_assert_uint_le(i.segments[s].len, i.segments[s].memsz);
				}
				loaders_image_fini(&i);
			}
}
END_TEST

START_TEST(layout)
{
	struct file f = make_linux_image();
	struct loaders_image i = parse_ok(&f, "Linux Image");
	struct loaders_layout l;
	ck_assert(loaders_layout_plan(&ram, &i, 1000, 65536, &l, NULL));
	ck_assert_uint_eq(l.initrd, 0x40000000 + (32u << 20));
	ck_assert_uint_eq(l.dtb % 8, 0);
	ck_assert(l.dtb + 65536 <= l.initrd || l.dtb >= l.initrd + 1000);
	ck_assert(l.dtb + 65536 <= i.entry || l.dtb >= i.entry + 0x5000);

	/* Does not fit behind the middle, but fits behind the kernel. */
	ck_assert(loaders_layout_plan(&ram, &i, 60u << 20, 65536, &l, NULL));
	ck_assert_uint_ge(l.initrd, i.entry + 0x5000);
	struct vmd_error err = { 0 };
	ck_assert(!loaders_layout_plan(&ram, &i, 64u << 20, 65536, &l, &err));
	ck_assert(strstr(err.message, "initrd"));
	ck_assert(!loaders_layout_plan(&ram, &i, 0, 3u << 20, &l, &err));
	loaders_image_fini(&i);

	/* Firmware finds the tree where RAM begins. */
	ck_assert(loaders_layout_plan(&ram, NULL, 0, 65536, &l, NULL));
	ck_assert_uint_eq(l.dtb, ram.base);
}
END_TEST

START_TEST(fdt)
{
	uint8_t buf[1024];
	ck_assert_int_eq(fdt_create_empty_tree(buf, sizeof(buf)), 0);
	struct loaders_blob file = { .data = buf, .len = sizeof(buf), .name = (char *)"x.dtb" };
	struct vmd_error err = { 0 };
	void *t = loaders_fdt_open(&file, &err);
	ck_assert_msg(t, "%s", err.message);
	ck_assert(loaders_fdt_set_memory(t, 0x40000000, 1u << 30, NULL));
	ck_assert(loaders_fdt_set_memory(t, 0x40000000, 1u << 30, NULL));
	static const uint8_t seed[LOADERS_SEED_LEN];
	struct loaders_chosen c = { .bootargs = "console=ttyAMA0", .initrd = 0x44000000, .initrd_len = 16, .seed = seed };
	ck_assert(loaders_fdt_set_chosen(t, &c, NULL));
	int chosen = fdt_path_offset(t, "/chosen");
	ck_assert_str_eq(fdt_getprop(t, chosen, "bootargs", NULL), "console=ttyAMA0");
	const fdt64_t *end = fdt_getprop(t, chosen, "linux,initrd-end", NULL);
	ck_assert_uint_eq(fdt64_to_cpu(*end), 0x44000010);
	ck_assert_int_ge(fdt_path_offset(t, "/memory"), 0);
	free(t);
	file.len = 30;
	ck_assert_ptr_null(loaders_fdt_open(&file, &err));
	ck_assert(strstr(err.message, "x.dtb"));
	buf[0] = 0;
	file.len = sizeof(buf);
	ck_assert_ptr_null(loaders_fdt_open(&file, &err));
}
END_TEST

START_TEST(reading)
{
	char path[] = "/tmp/vmd-test-XXXXXX";
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	unlink(path);
	struct loaders_blob blob;
	struct vmd_error err = { 0 };
	ck_assert(!loaders_blob_read(fd, "empty.bin", 100, &blob, &err));
	ck_assert(strstr(err.message, "empty"));
	ck_assert_int_eq(write(fd, "0123456789", 10), 10);
	lseek(fd, 0, SEEK_SET);
	ck_assert(loaders_blob_read(fd, "ten", 10, &blob, &err));
	ck_assert_uint_eq(blob.len, 10);
	loaders_blob_fini(&blob);
	lseek(fd, 0, SEEK_SET);
	ck_assert(!loaders_blob_read(fd, "ten", 9, &blob, &err));
	ck_assert_int_eq(err.code, VMD_ERR_LIMIT);
	close(fd);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { linux_image, compressed, zboot, elf, pe, uki, uimage, raw, every_prefix, every_byte,
					      layout, fdt, reading };
	Suite *s = suite_create("loaders");
	TCase *tc = tcase_create("loaders");
	tcase_set_timeout(tc, 120);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return suite_run(s, CK_FORK_GETENV);
}
