# SPDX-License-Identifier: BSD-2-Clause
# Prose by hand, reference made from the command table and the schema.
man_MANS = man/vmctl.1 man/vmd.8
EXTRA_DIST += man/vmctl.1.in man/vmctl.1.tail man/vmd.8.in man/vmd.8.tail
CLEANFILES += man/vmctl.1 man/vmd.8 man/vmctl.1.ref man/vmd.8.methods man/vmd.8.events man/vmd.8.qmp \
	man/vmd.8.qmp-events man/vmd.8.types

man/vmctl.1.ref: vmctl/vmctl$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) man && vmctl/vmctl$(EXEEXT) help --mdoc > $@.tmp && mv -f $@.tmp $@
man/vmctl.1: man/vmctl.1.in man/vmctl.1.ref man/vmctl.1.tail
	$(AM_V_GEN)cat $(srcdir)/man/vmctl.1.in man/vmctl.1.ref $(srcdir)/man/vmctl.1.tail > $@.tmp && mv -f $@.tmp $@

man/vmd.8.methods: $(protocol_schema) protocol/gen_schema$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) man && protocol/gen_schema$(EXEEXT) mdoc-daemon $@ $(protocol_schema)
man/vmd.8.events: $(protocol_schema) protocol/gen_schema$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) man && protocol/gen_schema$(EXEEXT) mdoc-events $@ $(protocol_schema)
man/vmd.8.qmp: $(protocol_schema) protocol/gen_schema$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) man && protocol/gen_schema$(EXEEXT) mdoc-qmp $@ $(protocol_schema)
man/vmd.8.qmp-events: $(protocol_schema) protocol/gen_schema$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) man && protocol/gen_schema$(EXEEXT) mdoc-qmp-events $@ $(protocol_schema)
man/vmd.8.types: $(protocol_schema) protocol/gen_schema$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) man && protocol/gen_schema$(EXEEXT) mdoc-types $@ $(protocol_schema)
man/vmd.8: man/vmd.8.in man/vmd.8.tail man/vmd.8.methods man/vmd.8.events man/vmd.8.qmp man/vmd.8.qmp-events man/vmd.8.types
	$(AM_V_GEN){ cat $(srcdir)/man/vmd.8.in man/vmd.8.methods; \
	echo '.Sh EVENTS'; cat man/vmd.8.events; \
	echo '.Sh QMP COMMANDS'; cat man/vmd.8.qmp; echo '.Sh QMP EVENTS'; cat man/vmd.8.qmp-events; \
	echo '.Sh TYPES'; cat man/vmd.8.types $(srcdir)/man/vmd.8.tail; } > $@.tmp && mv -f $@.tmp $@
