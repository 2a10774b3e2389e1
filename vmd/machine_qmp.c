/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QMP's commands: one function each, with checked arguments, and the table.
 * Thread: I/O. A handler returns false with the error, or replies.
 */
#include "config.h"
#include "vmd/machine_priv.h"

#include "protocol/qmp_server.h"
#include "protocol/base64.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HANDLER(name)                                                                                                  \
	static bool name(struct proto_call *call, const struct proto_args_qmp_##name *args, struct vmd_error *err)

static struct machine *machine_of(struct proto_call *call)
{
	return proto_call_opaque(call);
}

static bool no_memory(struct vmd_error *err)
{
	return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
}

/* ---- Asking ---- */

HANDLER(query_version)
{
	struct proto_version_info version;
	proto_qmp_version(&version);
	proto_reply_qmp_query_version(call, &version);
	return true;
}

HANDLER(query_status)
{
	struct machine *m = machine_of(call);
	struct proto_status_info info = { .running = m->vcpus_run, .status = m->state };
	proto_reply_qmp_query_status(call, &info);
	return true;
}

HANDLER(query_name)
{
	struct proto_name_info info = { .name = machine_of(call)->launch->definition.name };
	proto_reply_qmp_query_name(call, &info);
	return true;
}

HANDLER(query_uuid)
{
	struct proto_uuid_info info = { .uuid = (char *)"00000000-0000-0000-0000-000000000000" };
	proto_reply_qmp_query_uuid(call, &info);
	return true;
}

HANDLER(query_target)
{
	struct proto_target_info info = { .arch = (char *)"aarch64" };
	proto_reply_qmp_query_target(call, &info);
	return true;
}

HANDLER(query_kvm)
{
	struct proto_kvm_info info = { 0 };
	proto_reply_qmp_query_kvm(call, &info);
	return true;
}

HANDLER(query_cpus_fast)
{
	struct emu_system *sys = board_system(machine_of(call)->board);
	struct proto_cpu_info_fast infos[EMU_MAX_CPUS];
	struct proto_cpu_instance_properties props[EMU_MAX_CPUS];
	char paths[EMU_MAX_CPUS][64];
	unsigned n = emu_system_n_cpus(sys);
	for (unsigned i = 0; i < n; i++) {
		snprintf(paths[i], sizeof(paths[i]), "/machine/unattached/cpu[%u]", i);
		props[i] = (struct proto_cpu_instance_properties){ .has_thread_id = true, .thread_id = i };
		infos[i] = (struct proto_cpu_info_fast){ .cpu_index = i, .qom_path = paths[i], .props = &props[i],
							 .thread_id = emu_system_thread_id(sys, i), .target = (char *)"aarch64" };
	}
	proto_reply_qmp_query_cpus_fast(call, infos, n);
	return true;
}

HANDLER(query_machines)
{
	struct proto_board_info info = { .name = (char *)"virt", .has_is_default = true, .is_default = true,
					 .cpu_max = EMU_MAX_CPUS, .default_cpu_type = (char *)"max-arm-cpu",
					 .default_ram_id = (char *)"ram" };
	proto_reply_qmp_query_machines(call, &info, 1);
	return true;
}

HANDLER(query_cpu_definitions)
{
	enum { MAX_MODELS = 32 };
	struct proto_cpu_definition_info infos[MAX_MODELS];
	char types[MAX_MODELS][64];
	const struct emu_cpu_model_info *model;
	unsigned n = 0;
	while (n < MAX_MODELS && (model = emu_cpu_model_at(n))) {
		snprintf(types[n], sizeof(types[n]), "%s-arm-cpu", model->name);
		infos[n] = (struct proto_cpu_definition_info){ .name = (char *)model->name, .typename = types[n], .static_ = true };
		n++;
	}
	proto_reply_qmp_query_cpu_definitions(call, infos, n);
	return true;
}

HANDLER(query_iothreads)
{
	proto_reply_qmp_query_iothreads(call, NULL, 0);
	return true;
}

HANDLER(query_memory_size_summary)
{
	struct proto_memory_size_info info = { .base_memory = machine_of(call)->launch->definition.memory };
	proto_reply_qmp_query_memory_size_summary(call, &info);
	return true;
}

HANDLER(query_chardev)
{
	struct machine *m = machine_of(call);
	struct proto_chardev_info infos[MACHINE_MAX_CHARDEVS];
	struct backends_chardev_info details[MACHINE_MAX_CHARDEVS];
	for (size_t i = 0; i < m->n_chardevs; i++) {
		backends_chardev_query(m->chardevs[i].chr, &details[i]);
		infos[i] = (struct proto_chardev_info){ .label = (char *)details[i].label, .filename = details[i].filename,
							.frontend_open = details[i].frontend_open };
	}
	proto_reply_qmp_query_chardev(call, infos, m->n_chardevs);
	return true;
}

HANDLER(query_chardev_backends)
{
	enum { MAX_KINDS = 32 };
	struct proto_chardev_backend_info infos[MAX_KINDS];
	const struct backends_chardev_class *cls;
	unsigned n = 0;
	while (n < MAX_KINDS && (cls = backends_chardev_class_at(n)))
		infos[n++] = (struct proto_chardev_backend_info){ .name = (char *)cls->name };
	proto_reply_qmp_query_chardev_backends(call, infos, n);
	return true;
}

HANDLER(org_vmd_query_info)
{
	struct machine *m = machine_of(call);
	struct proto_vmd_info info = { .name = m->launch->definition.name, .version = (char *)VERSION, .pid = getpid(),
				       .status = m->state, .powering_down = m->powering_down };
	proto_reply_qmp_org_vmd_query_info(call, &info);
	return true;
}

HANDLER(org_vmd_dump_dtb)
{
	size_t len;
	const void *fdt = board_fdt(machine_of(call)->board, &len);
	char *text = proto_base64_encode(fdt, len);
	if (!text)
		return no_memory(err);
	proto_reply_qmp_org_vmd_dump_dtb(call, text);
	free(text);
	return true;
}

/* ---- Doing ---- */

HANDLER(stop)
{
	machine_stop(machine_of(call));
	proto_reply_qmp_stop(call);
	return true;
}

HANDLER(cont)
{
	if (!machine_cont(machine_of(call), err))
		return false;
	proto_reply_qmp_cont(call);
	return true;
}

HANDLER(system_reset)
{
	if (!machine_reset(machine_of(call), PROTO_SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET, err))
		return false;
	proto_reply_qmp_system_reset(call);
	return true;
}

HANDLER(system_powerdown)
{
	machine_powerdown(machine_of(call));
	proto_reply_qmp_system_powerdown(call);
	return true;
}

HANDLER(quit)
{
	machine_end(machine_of(call), PROTO_END_REASON_HOST_QUIT, PROTO_SHUTDOWN_CAUSE_HOST_QMP_QUIT, 0, NULL);
	proto_reply_qmp_quit(call);
	return true;
}

/* ---- Ring buffers ---- */

static struct backends_chardev *find_chardev(struct proto_call *call, const char *id, struct vmd_error *err)
{
	struct machine_chardev *c = machine_find_chardev(machine_of(call), id);
	if (!c)
		vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "there is no chardev '%s'", id);
	return c ? c->chr : NULL;
}

/* JSON strings are UTF-8 and end at a NUL: what is neither is replaced. */
static char *as_utf8(const uint8_t *data, size_t len)
{
	char *text = malloc(len * 3 + 1);
	size_t n = 0;
	for (size_t i = 0; text && i < len;) {
		size_t take = 0;
		for (size_t k = 1; k <= 4 && i + k <= len && !take; k++) {
			json_t *s = data[i] ? json_stringn((const char *)data + i, k) : NULL;
			take = s ? k : 0;
			json_decref(s);
		}
		if (take) {
			memcpy(text + n, data + i, take);
			n += take;
			i += take;
		} else {
			memcpy(text + n, "\xef\xbf\xbd", 3);
			n += 3;
			i++;
		}
	}
	if (text)
		text[n] = '\0';
	return text;
}

HANDLER(ringbuf_read)
{
	struct backends_chardev *chr = find_chardev(call, args->device, err);
	size_t len;
	uint8_t *buf = malloc(args->size ? (size_t)args->size : 1);
	if (!buf)
		return no_memory(err);
	if (!chr || !backends_chardev_ringbuf_read(chr, buf, (size_t)args->size, &len, err)) {
		free(buf);
		return false;
	}
	char *text = args->format == PROTO_DATA_FORMAT_BASE64 ? proto_base64_encode(buf, len) : as_utf8(buf, len);
	free(buf);
	if (!text)
		return no_memory(err);
	proto_reply_qmp_ringbuf_read(call, text);
	free(text);
	return true;
}

HANDLER(ringbuf_write)
{
	struct backends_chardev *chr = find_chardev(call, args->device, err);
	if (!chr)
		return false;
	uint8_t *bytes = NULL;
	size_t len = strlen(args->data);
	if (args->format == PROTO_DATA_FORMAT_BASE64 && !proto_base64_decode(args->data, &bytes, &len))
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "'data' is not base64");
	bool ok = backends_chardev_ringbuf_write(chr, bytes ? (void *)bytes : args->data, len, err);
	free(bytes);
	if (ok)
		proto_reply_qmp_ringbuf_write(call);
	return ok;
}

/* ---- People ---- */

HANDLER(human_monitor_command)
{
	char *text = machine_hmp(machine_of(call), args->command_line, args->has_cpu_index ? (unsigned)args->cpu_index : 0);
	if (!text)
		return no_memory(err);
	proto_reply_qmp_human_monitor_command(call, text);
	free(text);
	return true;
}

/* ---- Descriptors ---- */

static struct machine_fd *find_fd(struct machine *m, const char *name)
{
	for (size_t i = 0; i < MACHINE_MAX_NAMED_FDS; i++)
		if (m->named_fds[i].name && (!name || strcmp(m->named_fds[i].name, name) == 0))
			return &m->named_fds[i];
	return NULL;
}

HANDLER(getfd)
{
	struct machine *m = machine_of(call);
	int fd = proto_qmp_call_take_fd(call);
	if (fd < 0)
		return vmd_error_set(err, VMD_ERR_GENERIC, 0, "No file descriptor supplied via SCM_RIGHTS");
	struct machine_fd *slot = find_fd(m, args->fdname);
	for (size_t i = 0; !slot && i < MACHINE_MAX_NAMED_FDS; i++)
		if (!m->named_fds[i].name)
			slot = &m->named_fds[i];
	char *name = slot ? strdup(args->fdname) : NULL;
	if (!name) {
		close(fd);
		return slot ? no_memory(err) :
			      vmd_error_set(err, VMD_ERR_LIMIT, 0, "at most %d descriptors can be held", MACHINE_MAX_NAMED_FDS);
	}
	/* A name that is taken is given to the new descriptor. */
	if (slot->name)
		close(slot->fd);
	free(slot->name);
	*slot = (struct machine_fd){ .name = name, .fd = fd };
	proto_reply_qmp_getfd(call);
	return true;
}

HANDLER(closefd)
{
	struct machine_fd *slot = find_fd(machine_of(call), args->fdname);
	if (!slot)
		return vmd_error_set(err, VMD_ERR_GENERIC, 0, "File descriptor named '%s' not found", args->fdname);
	close(slot->fd);
	free(slot->name);
	*slot = (struct machine_fd){ 0 };
	proto_reply_qmp_closefd(call);
	return true;
}

void machine_close_fds(struct machine *m)
{
	struct machine_fd *slot;
	while ((slot = find_fd(m, NULL))) {
		close(slot->fd);
		free(slot->name);
		*slot = (struct machine_fd){ 0 };
	}
}

/* ---- Objects ---- */

HANDLER(qom_list)
{
	struct machine_qom_list list;
	if (!machine_qom_list(machine_of(call), args->path, &list, err))
		return false;
	proto_reply_qmp_qom_list(call, list.items, list.n);
	machine_qom_list_fini(&list);
	return true;
}

HANDLER(qom_get)
{
	json_t *value = machine_qom_get(machine_of(call), args->path, args->property, err);
	if (!value)
		return false;
	proto_reply_qmp_qom_get(call, value);
	return true;
}

HANDLER(qom_list_types)
{
	enum { MAX_TYPES = 128 };
	struct proto_object_type_info infos[MAX_TYPES];
	const struct devices_class *cls;
	size_t n = 0;
	if (args->implements && strcmp(args->implements, "device") != 0 && strcmp(args->implements, "object") != 0) {
		proto_reply_qmp_qom_list_types(call, NULL, 0);
		return true;
	}
	for (unsigned i = 0; n < MAX_TYPES && (cls = devices_class_at(i)); i++)
		infos[n++] = (struct proto_object_type_info){ .name = (char *)cls->name, .parent = (char *)"device" };
	proto_reply_qmp_qom_list_types(call, infos, n);
	return true;
}

HANDLER(device_list_properties)
{
	struct machine_qom_list list;
	if (!machine_qom_class_properties(args->typename, &list, err))
		return false;
	proto_reply_qmp_device_list_properties(call, list.items, list.n);
	machine_qom_list_fini(&list);
	return true;
}

const struct proto_qmp_handlers machine_qmp_handlers = {
	.query_version = query_version,
	.query_status = query_status,
	.query_name = query_name,
	.query_uuid = query_uuid,
	.query_target = query_target,
	.query_kvm = query_kvm,
	.query_cpus_fast = query_cpus_fast,
	.query_machines = query_machines,
	.query_cpu_definitions = query_cpu_definitions,
	.query_iothreads = query_iothreads,
	.query_memory_size_summary = query_memory_size_summary,
	.query_chardev = query_chardev,
	.query_chardev_backends = query_chardev_backends,
	.stop = stop,
	.cont = cont,
	.system_reset = system_reset,
	.system_powerdown = system_powerdown,
	.quit = quit,
	.ringbuf_read = ringbuf_read,
	.ringbuf_write = ringbuf_write,
	.qom_list = qom_list,
	.qom_get = qom_get,
	.qom_list_types = qom_list_types,
	.device_list_properties = device_list_properties,
	.human_monitor_command = human_monitor_command,
	.getfd = getfd,
	.closefd = closefd,
	.org_vmd_query_info = org_vmd_query_info,
	.org_vmd_dump_dtb = org_vmd_dump_dtb,
	.query_stats = machine_qmp_query_stats,
	.query_stats_schemas = machine_qmp_query_stats_schemas,
	.org_vmd_query_stats = machine_qmp_org_vmd_query_stats,
};
