# SPDX-License-Identifier: GPL-2.0-or-later
# Builds everything for the running kernel, or for KVER=<release> whose headers
# are installed. "make help" lists what else can be made.

VERSION := 0.1.0
KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build
BUILD := build
PREFIX ?= /usr
Q := @

.PHONY: all module user netlink demo check check-kernels bench torture torture-powercut fuzz
.PHONY: check-debug check-valgrind coverage
.PHONY: install install-dkms clean help
all: module user

include lib/lib.mk
include cli/cli.mk
include daemon/daemon.mk
include tests/unit/unit.mk
include tests/tools/tools.mk
include tests/torture/torture.mk
include tests/fuzz/fuzz.mk
include packaging/packaging.mk

# The module is built in a copy, so that several kernels can be built for side
# by side and the sources stay clean.
MODULE := $(BUILD)/kernel/$(KVER)/dm-remap.ko
MODULE_SOURCES := $(wildcard kernel/*.[ch]) kernel/Kbuild $(wildcard include/*.h)
module: $(MODULE)
$(MODULE): $(MODULE_SOURCES)
	$(Q)mkdir -p $(@D)/src
	$(Q)cp -pu --parents $^ $(@D)/src/
	$(Q)$(MAKE) -C $(KDIR) M=$(abspath $(@D))/src/kernel $(KARGS) modules
	$(Q)cp $(@D)/src/kernel/dm-remap.ko $@

# What C needs of the netlink family; kept in the tree, made anew after a change.
netlink:
	$(Q)include/make-netlink

# These install what they need, as root, on Debian.
demo:
	$(Q)tests/demo/run
check:
	$(Q)tests/check
check-kernels:
	$(Q)tests/kernels
check-debug:
	$(Q)tests/debug/run $(TESTS)
check-valgrind:
	$(Q)tests/valgrind $(TESTS)
coverage:
	$(Q)tests/coverage $(if $(SCENARIOS),--scenarios $(filter-out all,$(SCENARIOS))) \
		$(if $(MODULE_SCENARIOS),--module $(filter-out all,$(MODULE_SCENARIOS)))
bench:
	$(Q)tests/bench/run

# Long tests: SEED=n repeats a run; COUNT=n cuts, EPISODE=n and CUT=n one of them;
# SECONDS=n of random operation, ROUND=n one part of it.
torture-powercut:
	$(Q)tests/torture/run powercut "$(SEED)" "$(COUNT)" $(EPISODE) $(CUT)
torture:
	$(Q)tests/torture/run random "$(SEED)" "$(SECONDS)" $(ROUND)

# Fuzzers of what lib, cli and daemon read: each for SECONDS, or only NAME.
fuzz:
	$(Q)tests/fuzz/run $(or $(SECONDS),60) $(NAME)

# The module by DKMS, for every kernel whose headers are there, now and later.
DKMS_SOURCE := /usr/src/dm-remap-$(VERSION)
install-dkms:
	$(Q)install -d $(DESTDIR)$(DKMS_SOURCE)
	$(Q)cp --parents dkms.conf $(MODULE_SOURCES) $(DESTDIR)$(DKMS_SOURCE)/
	$(Q)[ -n "$(DESTDIR)" ] || dkms install dm-remap/$(VERSION)

clean:
	$(Q)rm -rf $(BUILD)

help:
	@echo 'make [KVER=release]   module and dmremapctl, under build/'
	@echo 'make netlink          headers and tables from include/dm-remap.yaml'
	@echo 'make demo             show what it does, in a virtual machine'
	@echo 'make check            all tests'
	@echo 'make check-kernels    the same scenarios on every supported kernel'
	@echo 'make check-debug      the same in a kernel with KASAN, lockdep, kmemleak and'
	@echo '                      failing allocations (TESTS=...); hours'
	@echo 'make check-valgrind   unit tests and commands under valgrind; some minutes'
	@echo 'make coverage         what unit and output tests reach of the programs;'
	@echo '                      SCENARIOS=all or ...: these too; MODULE_SCENARIOS=...: and'
	@echo '                      what they reach of the module'
	@echo 'make bench            figures, one JSON object a line'
	@echo 'make bench-native     how long a lookup takes on this machine itself'
	@echo 'make torture          random operation against a model (SEED=, SECONDS=)'
	@echo 'make torture-powercut power cuts (SEED=, COUNT=)'
	@echo 'make fuzz             fuzzers, in user space (SECONDS= each, NAME=)'
	@echo 'make install          programs, library, manual pages, units, udev rules'
	@echo 'make install-dkms     the module, for all kernels of this machine'
