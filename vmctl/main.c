/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmctl: the command line. Finds the command, reads its options, runs it.
 *
 * The terminal's settings live here because a signal handler has to put them
 * back: they are the one thing that must not be lost on any way out.
 */
#include "vmctl/vmctl_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "config.h"

/* ---- The terminal ---- */

static struct termios terminal_saved;
static volatile sig_atomic_t terminal_fd = -1;

void vmctl_terminal_restore(void)
{
	if (terminal_fd >= 0)
		tcsetattr(terminal_fd, TCSADRAIN, &terminal_saved);
	terminal_fd = -1;
}

/* A signal that ends the process whatever we do: tidy up, then let it. */
static void fatal(int signo)
{
	if (terminal_fd >= 0)
		tcsetattr(terminal_fd, TCSANOW, &terminal_saved);
	signal(signo, SIG_DFL);
	raise(signo);
}

bool vmctl_terminal_raw(int fd)
{
	static const int fatal_signals[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGXCPU, SIGALRM, SIGPIPE };
	struct termios raw;
	if (tcgetattr(fd, &terminal_saved) < 0)
		return false;
	for (unsigned i = 0; i < sizeof(fatal_signals) / sizeof(*fatal_signals); i++)
		signal(fatal_signals[i], fatal);
	raw = terminal_saved;
	cfmakeraw(&raw);
	terminal_fd = fd;
	if (tcsetattr(fd, TCSADRAIN, &raw) == 0)
		return true;
	terminal_fd = -1;
	return false;
}

/* ---- Options ---- */

const struct vmctl_option vmctl_global_options[] = {
	{ "socket", 's', "PATH", "the daemon's socket (default: $VMD_SOCKET, the user's daemon, the system's)" },
	{ "no-start", 0, NULL, "do not start a daemon when none answers" },
	{ "json", 'j', NULL, "print JSON, for programs" },
	{ "help", 'h', NULL, "-h is short help, --help all of it" },
	{ NULL, 0, NULL, NULL },
};

/* The option that a word names, of the command (may be NULL) or the global ones. */
static bool find_option(const struct vmctl_command *command, const char *name, char letter, struct vmctl_option *ret)
{
	for (unsigned i = 0; vmctl_global_options[i].name; i++) {
		const struct vmctl_option *o = &vmctl_global_options[i];
		if (name ? !strcmp(o->name, name) : o->letter && o->letter == letter) {
			*ret = *o;
			return true;
		}
	}
	for (unsigned i = 0; command && vmctl_option_at(command, i, ret); i++)
		if (name ? !strcmp(ret->name, name) : ret->letter && ret->letter == letter)
			return true;
	return false;
}

static bool unknown_option(const struct vmctl_command *command, const char *word, struct vmd_error *err)
{
	struct proto_suggest s;
	struct vmctl_option o;
	proto_suggest_init(&s, word + strspn(word, "-"));
	for (unsigned i = 0; vmctl_global_options[i].name; i++)
		proto_suggest_add(&s, vmctl_global_options[i].name);
	for (unsigned i = 0; command && vmctl_option_at(command, i, &o); i++)
		proto_suggest_add(&s, o.name);
	vmd_error_set(err, VMD_ERR_INVALID, 0, "unknown option '%s'", word);
	if (s.best)
		return vmd_error_hint(err, "did you mean '--%s'?", s.best);
	return vmd_error_hint(err, "see 'vmctl %s%s-h'", command ? command->name : "", command ? " " : "");
}

static void give(struct vmctl *ctx, const char *name, const char *value)
{
	if (!strcmp(name, "socket"))
		ctx->socket = value;
	else if (!strcmp(name, "json"))
		ctx->json = true;
	else if (!strcmp(name, "no-start"))
		ctx->no_start = true;
	else
		ctx->given[ctx->n_given++] = (struct vmctl_given){ .name = name, .value = value };
}

/* One option word, with its value from the word itself or the next one. *i moves on. */
static bool parse_option(struct vmctl *ctx, char **argv, int argc, int *i, struct vmd_error *err)
{
	char *word = argv[*i];
	struct vmctl_option o;
	if (word[1] == '-') {
		char *equals = strchr(word, '=');
		char name[64];
		snprintf(name, sizeof(name), "%.*s", equals ? (int)(equals - word - 2) : 60, word + 2);
		if (!find_option(ctx->command, name, 0, &o))
			return unknown_option(ctx->command, word, err);
		if (!o.metavar) {
			if (equals)
				return vmd_error_set(err, VMD_ERR_INVALID, 0, "--%s takes no value", o.name);
			give(ctx, o.name, NULL);
		} else if (equals) {
			give(ctx, o.name, equals + 1);
		} else if (*i + 1 < argc) {
			give(ctx, o.name, argv[++*i]);
		} else {
			return vmd_error_set(err, VMD_ERR_INVALID, 0, "--%s needs a value: %s", o.name, o.metavar);
		}
		return true;
	}
	for (char *c = word + 1; *c; c++) {
		if (!find_option(ctx->command, NULL, *c, &o)) {
			char text[3] = { '-', *c, 0 };
			return unknown_option(ctx->command, text, err);
		}
		if (!o.metavar) {
			give(ctx, *c == 'h' ? "short-help" : o.name, NULL);
			continue;
		}
		if (c[1])
			give(ctx, o.name, c + 1);
		else if (*i + 1 < argc)
			give(ctx, o.name, argv[++*i]);
		else
			return vmd_error_set(err, VMD_ERR_INVALID, 0, "-%c needs a value: %s", *c, o.metavar);
		break;
	}
	return true;
}

static bool find_command(struct vmctl *ctx, const char *word, struct vmd_error *err)
{
	ctx->command = vmctl_command_find(word);
	if (ctx->command)
		return true;
	struct proto_suggest s;
	proto_suggest_init(&s, word);
	for (unsigned i = 0; vmctl_commands[i]; i++)
		proto_suggest_add(&s, vmctl_commands[i]->name);
	vmd_error_set(err, VMD_ERR_INVALID, 0, "unknown command '%s'", word);
	if (s.best)
		return vmd_error_hint(err, "did you mean '%s'?", s.best);
	return vmd_error_hint(err, "'vmctl -h' lists the commands");
}

static bool parse(struct vmctl *ctx, int argc, char **argv, const char **args, struct vmd_error *err)
{
	bool options = true;
	for (int i = 1; i < argc; i++) {
		if (options && !strcmp(argv[i], "--")) {
			options = false;
		} else if (options && !ctx->command && !strcmp(argv[i], "--version")) {
			ctx->command = vmctl_command_find("version");
			give(ctx, "client", NULL);
		} else if (options && argv[i][0] == '-' && argv[i][1]) {
			if (!parse_option(ctx, argv, argc, &i, err))
				return false;
		} else if (!ctx->command) {
			if (!find_command(ctx, argv[i], err))
				return false;
		} else {
			args[ctx->n_args++] = argv[i];
		}
	}
	return true;
}

static bool check_arguments(const struct vmctl *ctx, struct vmd_error *err)
{
	const struct vmctl_command *c = ctx->command;
	if (ctx->n_args >= c->min_args && ctx->n_args <= c->max_args)
		return true;
	vmd_error_set(err, VMD_ERR_INVALID, 0, ctx->n_args < c->min_args ? "%s: an argument is missing" : "%s: too many arguments",
		      c->name);
	return vmd_error_hint(err, "usage: vmctl %s%s%s", c->name, *c->args ? " " : "", c->args);
}

/* ---- What commands ask ---- */

const char *vmctl_value(const struct vmctl *ctx, const char *name)
{
	const char *value = NULL;
	for (unsigned i = 0; i < ctx->n_given; i++)
		if (!strcmp(ctx->given[i].name, name))
			value = ctx->given[i].value;
	return value;
}

bool vmctl_flag(const struct vmctl *ctx, const char *name)
{
	for (unsigned i = 0; i < ctx->n_given; i++)
		if (!strcmp(ctx->given[i].name, name))
			return true;
	return false;
}

bool vmctl_seconds(const struct vmctl *ctx, const char *name, double absent, double *ret, struct vmd_error *err)
{
	const char *text = vmctl_value(ctx, name);
	char *end;
	if (!text) {
		*ret = absent;
		return true;
	}
	double value = strtod(text, &end);
	if (end == text || *end || !(value >= 0 && value <= 2592000))
		return vmd_error_set(err, VMD_ERR_INVALID, 0, "--%s takes seconds, not '%s'", name, text);
	*ret = value;
	return true;
}

int main(int argc, char **argv)
{
	struct vmctl ctx = { .program = argv[0] };
	struct vmd_error err = { 0 };
	/* Every word is an option's letters, or an argument, at most. */
	size_t words = 1;
	for (int i = 0; i < argc; i++)
		words += strlen(argv[i]) + 1;
	const char **args = calloc((size_t)argc + 1, sizeof(*args));
	ctx.given = calloc(words, sizeof(*ctx.given));
	if (!args || !ctx.given) {
		vmctl_note("out of memory");
		return VMCTL_FAILED;
	}
	ctx.args = args;
	atexit(vmctl_terminal_restore);
	signal(SIGPIPE, SIG_DFL);
	int status;
	bool ok = parse(&ctx, argc, argv, args, &err);
	bool full = vmctl_flag(&ctx, "help");
	if (ok && (full || vmctl_flag(&ctx, "short-help"))) {
		if (ctx.command)
			vmctl_usage(ctx.command, full);
		else
			vmctl_overview();
		status = VMCTL_OK;
	} else if (ok && !ctx.command) {
		vmctl_overview();
		status = argc > 1 ? VMCTL_USAGE : VMCTL_OK;
	} else if (!ok || !check_arguments(&ctx, &err)) {
		status = vmctl_fail(&ctx, &err);
	} else {
		status = ctx.command->run(&ctx);
	}
	proto_client_free(ctx.client);
	free(ctx.given);
	free(args);
	if (fflush(stdout) || ferror(stdout)) {
		vmctl_note("cannot write to standard output: %s", strerror(errno));
		return status ? status : VMCTL_FAILED;
	}
	return status;
}
