# SPDX-License-Identifier: BSD-2-Clause
EXTRA_DIST += systemd/vmd.service.in systemd/vmd.socket systemd/vmd.sysusers systemd/vmd.tmpfiles
CLEANFILES += systemd/vmd.service

systemdsystemunit_DATA = systemd/vmd.service systemd/vmd.socket

systemd/vmd.service: $(top_srcdir)/systemd/vmd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && sed 's,@sbindir\@,$(sbindir),' $(top_srcdir)/systemd/vmd.service.in > $@.tmp && mv $@.tmp $@

install-data-local: install-systemd-config
uninstall-local: uninstall-systemd-config
install-systemd-config:
	$(MKDIR_P) $(DESTDIR)$(prefix)/lib/sysusers.d $(DESTDIR)$(prefix)/lib/tmpfiles.d
	$(INSTALL_DATA) $(top_srcdir)/systemd/vmd.sysusers $(DESTDIR)$(prefix)/lib/sysusers.d/vmd.conf
	$(INSTALL_DATA) $(top_srcdir)/systemd/vmd.tmpfiles $(DESTDIR)$(prefix)/lib/tmpfiles.d/vmd.conf
uninstall-systemd-config:
	rm -f $(DESTDIR)$(prefix)/lib/sysusers.d/vmd.conf $(DESTDIR)$(prefix)/lib/tmpfiles.d/vmd.conf
