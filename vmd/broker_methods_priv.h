/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's methods: what their files share. */
#ifndef VMD_BROKER_METHODS_PRIV_H
#define VMD_BROKER_METHODS_PRIV_H

#include "vmd/broker_priv.h"

typedef void broker_reply_status_fn(struct proto_call *call, const struct proto_machine_status *result);

/* The machine a call is about, when its state allows the command. */
struct broker_machine *broker_method_machine(struct proto_call *call, const char *name, struct vmd_error *err);
/* The same for one that asks the machine's process: the error tells how to get to one that answers. */
struct broker_machine *broker_method_process(struct proto_call *call, const char *name, struct vmd_error *err);
void broker_method_reply_status(struct proto_call *call, const struct broker_machine *m, broker_reply_status_fn *reply);

/* broker_methods_query.c: methods that look and change nothing. */
bool broker_method_machine_wait(struct proto_call *call, const struct proto_args_machine_wait *args, struct vmd_error *err);
bool broker_method_machine_status(struct proto_call *call, const struct proto_args_machine_status *args,
				  struct vmd_error *err);
bool broker_method_machine_console(struct proto_call *call, const struct proto_args_machine_console *args,
				   struct vmd_error *err);
bool broker_method_machine_logs(struct proto_call *call, const struct proto_args_machine_logs *args, struct vmd_error *err);
bool broker_method_cpu_list(struct proto_call *call, const struct proto_args_cpu_list *args, struct vmd_error *err);
bool broker_method_device_list(struct proto_call *call, const struct proto_args_device_list *args, struct vmd_error *err);
bool broker_method_device_describe(struct proto_call *call, const struct proto_args_device_describe *args,
				   struct vmd_error *err);
bool broker_method_events_unsubscribe(struct proto_call *call, const struct proto_args_events_unsubscribe *args,
				      struct vmd_error *err);
bool broker_method_daemon_version(struct proto_call *call, const struct proto_args_daemon_version *args,
				  struct vmd_error *err);
bool broker_method_daemon_status(struct proto_call *call, const struct proto_args_daemon_status *args,
				 struct vmd_error *err);
bool broker_method_daemon_shutdown(struct proto_call *call, const struct proto_args_daemon_shutdown *args,
				   struct vmd_error *err);

#endif
