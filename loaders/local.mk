# SPDX-License-Identifier: BSD-2-Clause
noinst_LIBRARIES += libloaders.a
libloaders_a_SOURCES = \
	loaders/blob.c loaders/blob.h \
	loaders/decompress.c \
	loaders/elf.c \
	loaders/fdt.c loaders/fdt.h \
	loaders/image.c loaders/image.h loaders/image_priv.h \
	loaders/layout.c loaders/layout.h \
	loaders/linux_image.c \
	loaders/pe.c \
	loaders/uimage.c
libloaders_a_CFLAGS = $(AM_CFLAGS) $(ZLIB_CFLAGS) $(ZSTD_CFLAGS)
