# SPDX-License-Identifier: GPL-2.0-or-later
# The torture tests, included by the top Makefile.

TORTURE := $(BUILD)/tests/torture
TORTURE_SHARED := disk cut model set io workload
TORTURE_HEADERS := $(wildcard tests/torture/*.h) tests/tools/common.h $(wildcard include/*.h)

.PHONY: torture-tools
torture-tools: $(TORTURE)/powercut $(TORTURE)/random test-tools
$(TORTURE)/powercut: $(patsubst %,tests/torture/%.c,powercut create $(TORTURE_SHARED))
$(TORTURE)/random: $(patsubst %,tests/torture/%.c,random $(TORTURE_SHARED))
$(TORTURE)/%: tests/tools/common.c $(TORTURE_HEADERS) tests/torture/torture.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TOOL_CFLAGS) -Wno-missing-field-initializers $(CFLAGS) \
		$(LDFLAGS) -o $@ $(filter %.c,$^) -lpthread
