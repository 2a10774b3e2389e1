/* SPDX-License-Identifier: BSD-2-Clause */
/* Help, the manual's reference and completion, all from the command table. */
#include "vmctl/vmctl_priv.h"

#include "protocol/roff.h"

#include <stdio.h>
#include <string.h>

bool vmctl_option_at(const struct vmctl_command *command, unsigned i, struct vmctl_option *ret)
{
	static const struct vmctl_option semihosting = {
		.name = "semihosting", .help = "Arm semihosting: console, exit status, command line (--machine semihosting=on)",
	};
	for (unsigned n = 0; command->options && command->options[n].name; n++, i--) {
		if (!i) {
			*ret = command->options[n];
			return true;
		}
	}
	if (!command->definition)
		return false;
	const struct proto_type *type = &proto_type_machine_definition;
	for (unsigned n = 0; n < type->n_fields; n++) {
		const struct proto_field *f = &type->fields[n];
		if (!f->cli)
			continue;
		if (!i--) {
			*ret = (struct vmctl_option){ .name = f->cli, .metavar = f->metavar, .help = f->doc };
			return true;
		}
	}
	if (i)
		return false;
	*ret = semihosting;
	return true;
}

const struct vmctl_command *vmctl_command_find(const char *name)
{
	for (unsigned i = 0; vmctl_commands[i]; i++)
		if (!strcmp(vmctl_commands[i]->name, name) || (vmctl_commands[i]->alias && !strcmp(vmctl_commands[i]->alias, name)))
			return vmctl_commands[i];
	return NULL;
}

static void print_option(const struct vmctl_option *o)
{
	char left[96];
	snprintf(left, sizeof(left), "%s%c%s--%s%s%s", o->letter ? "-" : "", o->letter ? o->letter : ' ', o->letter ? ", " : "   ",
		 o->name, o->metavar ? " " : "", o->metavar ? o->metavar : "");
	if (strlen(left) > 30)
		printf("  %s\n  %-30s %s\n", left, "", o->help);
	else
		printf("  %-30s %s\n", left, o->help);
}

void vmctl_usage(const struct vmctl_command *command, bool full)
{
	struct vmctl_option o;
	printf("usage: vmctl %s%s%s%s\n", command->name, vmctl_option_at(command, 0, &o) ? " [OPTION...]" : "",
	       *command->args ? " " : "", command->args);
	printf("%s.%s%s%s\n", command->summary, command->alias ? " Also called '" : "", command->alias ? command->alias : "",
	       command->alias ? "'." : "");
	if (full && command->doc)
		printf("\n%s\n", command->doc);
	if (vmctl_option_at(command, 0, &o)) {
		printf("\nOptions:\n");
		for (unsigned i = 0; vmctl_option_at(command, i, &o); i++)
			print_option(&o);
	}
	if (!full) {
		printf("\n'vmctl %s --help' says more.\n", command->name);
		return;
	}
	printf("\nGlobal options:\n");
	for (unsigned i = 0; vmctl_global_options[i].name; i++)
		print_option(&vmctl_global_options[i]);
	if (command->definition)
		printf("\nLists of options are KEY=VALUE[,KEY=VALUE...], commas in values doubled, or a JSON object.\n"
		       "'help' as a value of --machine, --cpu, --chardev, --device shows what there is.\n");
	if (command->example)
		printf("\nExample:\n  %s\n", command->example);
}

void vmctl_overview(void)
{
	printf("usage: vmctl [OPTION...] COMMAND [ARGUMENT...]\n\nCommands:\n");
	for (unsigned i = 0; vmctl_commands[i]; i++)
		printf("  %-14s %s\n", vmctl_commands[i]->name, vmctl_commands[i]->summary);
	printf("\nOptions:\n");
	for (unsigned i = 0; vmctl_global_options[i].name; i++)
		print_option(&vmctl_global_options[i]);
	printf("\nTry:\n"
	       "  vmctl run --kernel Image --initrd initrd.gz --append console=ttyAMA0\n"
	       "  vmctl create web1 --cpus 2 --memory 1G --kernel Image && vmctl start web1 --attach\n"
	       "  vmctl COMMAND --help\n");
}

/* ---- mdoc ---- */

static void mdoc_options(const struct vmctl_option *list, const struct vmctl_command *command)
{
	struct vmctl_option o;
	bool any = false;
	for (unsigned i = 0; list ? list[i].name != NULL : vmctl_option_at(command, i, &o); i++) {
		if (list)
			o = list[i];
		if (!any)
			printf(".Bl -tag -width Ds -compact\n");
		any = true;
		printf(".It ");
		if (o.letter)
			printf("Fl %c , ", o.letter);
		printf("Fl \\-");
		proto_roff_word(stdout, o.name);
		if (o.metavar) {
			printf(" Ar ");
			proto_roff_word(stdout, o.metavar);
		}
		putchar('\n');
		proto_roff_text(stdout, o.help);
	}
	if (any)
		printf(".El\n");
}

void vmctl_print_mdoc(void)
{
	printf(".Sh GLOBAL OPTIONS\n");
	mdoc_options(vmctl_global_options, NULL);
	printf(".Sh COMMANDS\n.Bl -tag -width Ds\n");
	for (unsigned i = 0; vmctl_commands[i]; i++) {
		const struct vmctl_command *c = vmctl_commands[i];
		struct vmctl_option o;
		printf(".It Cm %s", c->name);
		if (vmctl_option_at(c, 0, &o))
			printf(" Op Ar option ...");
		if (*c->args) {
			printf(" Ar ");
			proto_roff_word(stdout, c->args);
		}
		putchar('\n');
		proto_roff_text(stdout, c->summary);
		if (c->alias)
			printf("Also called\n.Cm %s .\n", c->alias);
		if (c->doc) {
			printf(".Pp\n");
			proto_roff_text(stdout, c->doc);
		}
		/* The options of a definition are the same everywhere: once is enough. */
		if (c->definition && strcmp(c->name, "create")) {
			printf(".Pp\nTakes the options of\n.Cm create%s\n", c->options ? " ,\nand these:" : " .");
			if (c->options)
				mdoc_options(c->options, NULL);
		} else if (vmctl_option_at(c, 0, &o)) {
			printf(".Pp\n");
			mdoc_options(NULL, c);
		}
		if (c->example) {
			printf(".Pp\n.Dl ");
			proto_roff_word(stdout, c->example);
			printf("\n");
		}
	}
	printf(".El\n");
}

/* ---- Completion ---- */

static void print_options(const struct vmctl_command *command)
{
	struct vmctl_option o;
	for (unsigned i = 0; vmctl_option_at(command, i, &o); i++)
		printf(" --%s", o.name);
}

void vmctl_print_completion(void)
{
	printf("# bash completion for vmctl; made by 'vmctl completion bash'\n"
	       "_vmctl() {\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd= i\n"
	       "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	       "\t\tcase ${COMP_WORDS[i]} in\n"
	       "\t\t-s|--socket) ((i++)) ;;\n"
	       "\t\t-*) ;;\n"
	       "\t\t*) cmd=${COMP_WORDS[i]}; break ;;\n"
	       "\t\tesac\n"
	       "\tdone\n"
	       "\tcase $prev in\n"
	       "\t--kernel|--initrd|--bios|--dtb|--socket|-s|-o|--output)\n"
	       "\t\tCOMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
	       "\tesac\n"
	       "\tif [[ -z $cmd ]]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W \"");
	for (unsigned i = 0; vmctl_commands[i]; i++)
		printf("%s%s%s%s", i ? " " : "", vmctl_commands[i]->name, vmctl_commands[i]->alias ? " " : "",
		       vmctl_commands[i]->alias ? vmctl_commands[i]->alias : "");
	for (unsigned i = 0; vmctl_global_options[i].name; i++)
		printf(" --%s", vmctl_global_options[i].name);
	printf("\" -- \"$cur\"))\n\t\treturn\n\tfi\n"
	       "\tif [[ $cur == -* ]]; then\n\t\tlocal opts=\"");
	for (unsigned i = 0; vmctl_global_options[i].name; i++)
		printf("%s--%s", i ? " " : "", vmctl_global_options[i].name);
	printf("\"\n\t\tcase $cmd in\n");
	for (unsigned i = 0; vmctl_commands[i]; i++) {
		struct vmctl_option o;
		if (!vmctl_option_at(vmctl_commands[i], 0, &o))
			continue;
		printf("\t\t%s%s%s) opts+=\"", vmctl_commands[i]->name, vmctl_commands[i]->alias ? "|" : "",
		       vmctl_commands[i]->alias ? vmctl_commands[i]->alias : "");
		print_options(vmctl_commands[i]);
		printf("\" ;;\n");
	}
	printf("\t\tesac\n\t\tCOMPREPLY=($(compgen -W \"$opts\" -- \"$cur\"))\n\t\treturn\n\tfi\n"
	       "\tcase $cmd in\n\t");
	bool first = true;
	for (unsigned i = 0; vmctl_commands[i]; i++) {
		const struct vmctl_command *c = vmctl_commands[i];
		if (strncmp(c->args, "NAME", 4) || !strcmp(c->name, "create"))
			continue;
		printf("%s%s%s%s", first ? "" : "|", c->name, c->alias ? "|" : "", c->alias ? c->alias : "");
		first = false;
	}
	printf(")\n\t\tCOMPREPLY=($(compgen -W \"$(vmctl --no-start list --names 2>/dev/null)\" -- \"$cur\")) ;;\n"
	       "\t*) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
	       "\tesac\n"
	       "}\ncomplete -o filenames -F _vmctl vmctl\n");
}
