# SPDX-License-Identifier: GPL-2.0-or-later
# What "make install" puts where, included by the top Makefile. The module is
# not here: it comes by DKMS (install-dkms). DESTDIR is for packages; nothing is
# reloaded or enabled, which is a package's own affair.

SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
UDEVDIR ?= $(PREFIX)/lib/udev/rules.d
CATALOGDIR ?= $(PREFIX)/lib/systemd/catalog
SYSCONFDIR ?= /etc
VENDORDIR ?= $(PREFIX)/lib/dm-remap
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions

UNITS := $(wildcard packaging/systemd/*.service packaging/systemd/*.timer)
UDEV_RULES := $(wildcard packaging/udev/*.rules)
CATALOGS := $(wildcard packaging/catalog/*.catalog)
CONFIGS := $(wildcard packaging/config/*.conf)
MAN_SECTIONS := 5 8

# Units and rules name programs by their full path.
INSTALL_TEXT = sed -e 's|/usr/sbin/dmremap|$(SBINDIR)/dmremap|g' $(1) >$(2) && chmod 644 $(2)

.PHONY: install-programs install-documents install-units
install: install-programs install-documents install-units

install-programs: user lib-install
	$(Q)install -d $(DESTDIR)$(SBINDIR)
	$(Q)install -m 755 $(CLI) $(DAEMON) $(DESTDIR)$(SBINDIR)

install-documents: $(CLI)
	$(Q)for section in $(MAN_SECTIONS); do \
		install -d $(DESTDIR)$(MANDIR)/man$$section && \
		for page in packaging/man/*.$$section; do \
			[ ! -e "$$page" ] || \
			install -m 644 "$$page" $(DESTDIR)$(MANDIR)/man$$section || exit; \
		done || exit; \
	done
	$(Q)install -D -m 644 packaging/completion/dmremapctl \
		$(DESTDIR)$(COMPLETIONDIR)/dmremapctl

install-units:
	$(Q)install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(UDEVDIR) $(DESTDIR)$(CATALOGDIR) \
		$(DESTDIR)$(VENDORDIR)
	$(Q)install -d $(addprefix $(DESTDIR)$(SYSCONFDIR)/dm-remap/,dmremapd.conf.d hooks.d adopted)
	$(Q)for file in $(UNITS); do \
		$(call INSTALL_TEXT,$$file,$(DESTDIR)$(UNITDIR)/$${file##*/}) || exit; done
	$(Q)for file in $(UDEV_RULES); do \
		$(call INSTALL_TEXT,$$file,$(DESTDIR)$(UDEVDIR)/$${file##*/}) || exit; done
	$(Q)[ -z "$(CATALOGS)" ] || install -m 644 $(CATALOGS) $(DESTDIR)$(CATALOGDIR)
	$(Q)[ -z "$(CONFIGS)" ] || install -m 644 $(CONFIGS) $(DESTDIR)$(VENDORDIR)

# From the daemon's table of settings.
.PHONY: docs-daemon
docs-daemon: $(DAEMON)
	$(Q)packaging/make-config
