# SPDX-License-Identifier: GPL-2.0-or-later
# Builds everything for the running kernel, or for KVER=<release> whose headers
# are installed. "make help" lists the targets.

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build
BUILD := build
Q := @

all: module user

-include lib/lib.mk
-include cli/cli.mk
-include tests/unit/unit.mk

# The module is built in a copy, so that several kernels can be built for side
# by side and the source tree stays clean.
MODULE := $(BUILD)/kernel/$(KVER)/dm-remap.ko
module: $(MODULE)
$(MODULE): $(wildcard kernel/*) $(wildcard include/*.h)
	$(Q)mkdir -p $(@D)/src/kernel $(@D)/src/include
	$(Q)cp -u kernel/*.[ch] kernel/Kbuild $(@D)/src/kernel/
	$(Q)cp -u include/*.h $(@D)/src/include/
	$(Q)$(MAKE) -C $(KDIR) M=$(abspath $(@D))/src/kernel $(KARGS) modules
	$(Q)cp $(@D)/src/kernel/dm-remap.ko $@
