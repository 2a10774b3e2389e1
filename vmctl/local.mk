# SPDX-License-Identifier: BSD-2-Clause
bin_PROGRAMS += vmctl/vmctl
vmctl_vmctl_SOURCES = vmctl/main.c vmctl/vmctl_priv.h vmctl/cmd_priv.h vmctl/commands.c vmctl/commands.def \
	vmctl/attach.c vmctl/connect.c vmctl/help.c vmctl/keyval.c vmctl/output.c \
	vmctl/cmd_console.c vmctl/cmd_daemon.c vmctl/cmd_dtb.c vmctl/cmd_help.c vmctl/cmd_life.c vmctl/cmd_machine.c vmctl/cmd_run.c vmctl/cmd_stats.c
vmctl_vmctl_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
vmctl_vmctl_LDADD = libprotocol.a $(JANSSON_LIBS) -lm

# Completion for bash, from the command table.
completionsdir = $(datadir)/bash-completion/completions
completions_DATA = vmctl/completions/vmctl
vmctl/completions/vmctl: vmctl/vmctl$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) vmctl/completions && vmctl/vmctl$(EXEEXT) completion bash > $@.tmp && mv -f $@.tmp $@
CLEANFILES += vmctl/completions/vmctl
