/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmctl inside: a command is one const struct in a file of its own (or of its
 * group), listed in commands.c. Options, help, completion and the manual's
 * reference all come from that struct; the options that describe a machine come
 * from the schema.
 */
#ifndef VMCTL_VMCTL_PRIV_H
#define VMCTL_VMCTL_PRIV_H

#include "protocol/client.h"
#include "protocol/error.h"
#include "protocol/schema_gen.h"

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses; vmctl.1 documents them. */
enum {
	VMCTL_OK = 0,
	VMCTL_FAILED = 1,
	VMCTL_USAGE = 2,
	VMCTL_NOT_FOUND = 3,
	VMCTL_WRONG_STATE = 4,
	VMCTL_UNREACHABLE = 5,
	VMCTL_DENIED = 6,
	VMCTL_TIMEOUT = 7,
	VMCTL_REFUSED = 8,
	VMCTL_SIGNALLED = 130, /* a signal ended an attached command */
};

struct vmctl;

struct vmctl_option {
	const char *name;    /* without dashes */
	char letter;         /* or 0 */
	const char *metavar; /* NULL: takes no value */
	const char *help;
};

struct vmctl_command {
	const char *name;
	const char *alias;   /* or NULL */
	const char *args;    /* for the usage line: "NAME [CHARDEV]" */
	unsigned min_args, max_args;
	const char *summary; /* one line */
	const char *doc;     /* more, or NULL */
	const struct vmctl_option *options; /* name NULL past the last; or NULL */
	bool definition;     /* takes the options of a machine's definition */
	const char *example; /* or NULL */
	int (*run)(struct vmctl *ctx);
};

/* An option as given. */
struct vmctl_given {
	const char *name;
	const char *value; /* NULL: a flag */
};

struct vmctl {
	const char *program;  /* argv[0] */
	const char *socket;   /* --socket, or NULL */
	bool json;            /* --json */
	bool no_start;        /* --no-start */
	const struct vmctl_command *command;
	const char *const *args;
	unsigned n_args;
	struct vmctl_given *given;
	unsigned n_given;
	struct proto_client *client; /* see vmctl_connect() */
};

extern const struct vmctl_command *const vmctl_commands[]; /* NULL past the last */
extern const struct vmctl_option vmctl_global_options[];   /* name NULL past the last */

const struct vmctl_command *vmctl_command_find(const char *name);
/* The i-th option of a command, those of the definition included, global ones
 * not; false past the last. */
bool vmctl_option_at(const struct vmctl_command *command, unsigned i, struct vmctl_option *ret);

/* The last value given for an option; NULL when it was not given. */
const char *vmctl_value(const struct vmctl *ctx, const char *name);
bool vmctl_flag(const struct vmctl *ctx, const char *name);
/* A number of seconds; `absent` when the option was not given. */
bool vmctl_seconds(const struct vmctl *ctx, const char *name, double absent, double *ret, struct vmd_error *err);

/* Says what went wrong on stderr (as JSON with --json), and returns the exit status. */
int vmctl_fail(const struct vmctl *ctx, const struct vmd_error *err);
int vmctl_status_of(enum vmd_error_code code);
/* A notice on stderr. */
void vmctl_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Connects to the daemon, starting the user's if there is none. */
bool vmctl_connect(struct vmctl *ctx, struct vmd_error *err);
/* Connects if needed, and calls. timeout as in proto_client_call(). */
bool vmctl_call(struct vmctl *ctx, const char *method, json_t *params_new, double timeout, json_t **ret_result,
		struct vmd_error *err);
/* The same, and the result is checked against a struct's description. */
bool vmctl_call_struct(struct vmctl *ctx, const char *method, json_t *params_new, double timeout,
		       const struct proto_type *type, void *ret, struct vmd_error *err);
/* What a call that replies soon may take. */
#define VMCTL_SOON 30.0

/* Output on stdout. */
int vmctl_print_json(const json_t *json);
void vmctl_size_text(uint64_t bytes, char *buf, size_t size);
void vmctl_age_text(double since, char *buf, size_t size);
void vmctl_time_text(double when, char *buf, size_t size);
/* A string with control characters made visible, so that nothing that others
 * wrote can steer the terminal. Cut at size. */
const char *vmctl_safe(const char *text, char *buf, size_t size);

/* A table for people: a row of strings each, the first row is the heading. */
struct vmctl_table;
struct vmctl_table *vmctl_table_new(unsigned columns);
void vmctl_table_add(struct vmctl_table *table, const char *const *cells);
/* Prints and frees. */
void vmctl_table_end(struct vmctl_table *table);

/* key=value[,key=value...] or a JSON object, for a struct of the schema. Commas
 * in values are doubled. */
json_t *vmctl_keyval(const struct proto_type *type, const char *text, struct vmd_error *err);
/* The definition that the options describe; for changes, only what was given. */
json_t *vmctl_definition(const struct vmctl *ctx, struct vmd_error *err);
/* Makes relative paths in a value of this type absolute, from `dir` (NULL: here). */
bool vmctl_absolute(const struct proto_type *type, json_t *value, const char *dir, struct vmd_error *err);
/* "--machine help" and the like: true if the options asked for it; *ret_status
 * is the exit status. */
bool vmctl_option_help(struct vmctl *ctx, int *ret_status);

/* Attaching; attach.c. */
struct vmctl_attach {
	const char *machine;
	const char *chardev;
	bool read_only;
	bool steal;
	int escape;           /* the character, or -1 for none */
	uint32_t replay;
	bool resume;          /* resume the machine once attached */
	bool until_stopped;   /* wait for the end of the run, and kill it on a signal */
};
enum vmctl_attach_end {
	VMCTL_ATTACH_FAILED, /* *err */
	VMCTL_ATTACH_LEFT,   /* the user left with the escape character */
	VMCTL_ATTACH_CLOSED, /* the console has gone */
	VMCTL_ATTACH_SIGNAL, /* a signal asked vmctl to end */
};
/* Connects the terminal (or stdin and stdout) with a console. With until_stopped
 * *ret_status is the machine's last status if it came; the caller zeroes and finis it. */
enum vmctl_attach_end vmctl_attach(struct vmctl *ctx, const struct vmctl_attach *attach,
				   struct proto_machine_status *ret_status, struct vmd_error *err);
/* Takes a console's pen from whoever holds it, and lets go of it. */
bool vmctl_take_pen(struct vmctl *ctx, const char *machine, const char *chardev, struct vmd_error *err);
/* "^]", "^A", "none", a character. */
bool vmctl_escape_parse(const char *text, int *ret, struct vmd_error *err);
extern const struct vmctl_option vmctl_attach_options[];
bool vmctl_attach_from_options(struct vmctl *ctx, struct vmctl_attach *ret, struct vmd_error *err);

/* The terminal; main.c, whose handlers put it back whatever happens. */
bool vmctl_terminal_raw(int fd);
void vmctl_terminal_restore(void);

void vmctl_usage(const struct vmctl_command *command, bool full);
void vmctl_overview(void);
void vmctl_print_mdoc(void);
void vmctl_print_completion(void);

#endif
