/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading files whole. Thread: any. */
#include "loaders/blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool loaders_blob_read(int fd, const char *name, size_t max, struct loaders_blob *ret_blob, struct vmd_error *err)
{
	uint8_t *data = NULL;
	size_t len = 0, room = 0;

	for (;;) {
		if (len == room) {
			/* One byte past the limit, so that a file that exceeds it shows. */
			size_t bigger = room ? room * 2 : 1 << 20;
			if (bigger > max + 1)
				bigger = max + 1;
			if (bigger == room) {
				vmd_error_set(err, VMD_ERR_LIMIT, 0, "'%s' is larger than %zu MiB, the most that fits the machine's memory",
					      name, max >> 20);
				vmd_error_hint(err, "give the machine more memory, or a smaller file");
				goto fail;
			}
			uint8_t *p = realloc(data, bigger);
			if (!p) {
				vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory while reading '%s'", name);
				goto fail;
			}
			data = p;
			room = bigger;
		}
		ssize_t n = read(fd, data + len, room - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			vmd_error_set(err, VMD_ERR_IO, errno, "cannot read '%s' at offset %zu", name, len);
			goto fail;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	if (len == 0) {
		vmd_error_set(err, VMD_ERR_INVALID, 0, "'%s' is empty", name);
		goto fail;
	}
	char *copy = strdup(name);
	if (!copy) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory while reading '%s'", name);
		goto fail;
	}
	*ret_blob = (struct loaders_blob){ .data = data, .len = len, .name = copy };
	return true;
fail:
	free(data);
	return false;
}

void loaders_blob_fini(struct loaders_blob *blob)
{
	free(blob->data);
	free(blob->name);
	*blob = (struct loaders_blob){ 0 };
}
