# SPDX-License-Identifier: GPL-2.0-or-later
# dmremapctl, included by the top Makefile. Linked to the static library, so
# that the program works alone in an initramfs or a rescue system.

CLI := $(BUILD)/bin/dmremapctl
CLI_OBJECTS := $(patsubst cli/%.c,$(BUILD)/cli/%.o,$(wildcard cli/*.c))
CLI_PACKAGES := json-c smartcols devmapper
CLI_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Iinclude -Ilib \
	$(shell pkg-config --cflags $(CLI_PACKAGES) 2>/dev/null)
CLI_LIBS := $(shell pkg-config --libs $(CLI_PACKAGES) 2>/dev/null)

user: $(CLI)
$(CLI): $(CLI_OBJECTS) $(LIB_A)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(CLI_OBJECTS) $(LIB_STATIC_LIBS) $(CLI_LIBS)

$(BUILD)/cli/%.o: cli/%.c cli/cli.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CLI_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(CLI_OBJECTS:.o=.d)

# Expected-output tests, and those in a virtual machine if a module is built.
.PHONY: check-cli
check-cli: $(CLI)
	$(Q)tests/cli/run --live

# Man page and completion, from the command table.
.PHONY: docs-cli
docs-cli: $(CLI)
	$(Q)cli/make-docs
