# SPDX-License-Identifier: GPL-2.0-or-later
# Helpers of the scenarios and benchmarks, included by the top Makefile. They
# know the format and the module's interface by themselves and share no code
# with libdmremap, so that each judges the other.

TOOLS := $(BUILD)/tests/tools
TOOL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wno-sign-compare \
	-Iinclude
TOOL_NAMES := make-image ack-writer fuzz-netlink read-storm shrink-sockets \
	fail-nth fuzz-table replay-log

.PHONY: test-tools
test-tools: $(addprefix $(TOOLS)/,$(TOOL_NAMES))
$(addprefix $(TOOLS)/,$(TOOL_NAMES)): $(TOOLS)/%: tests/tools/%.c tests/tools/common.c \
		tests/tools/common.h $(wildcard include/*.h) tests/tools/tools.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TOOL_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< tests/tools/common.c -lpthread

DAMAGE_SOURCES := $(wildcard tests/tools/damage/*.c) tests/tools/common.c
test-tools: $(TOOLS)/metadata-damage
$(TOOLS)/metadata-damage: $(DAMAGE_SOURCES) tests/tools/damage/damage.h tests/tools/common.h \
		$(wildcard include/*.h) tests/tools/tools.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TOOL_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(DAMAGE_SOURCES)

# Lets calls of dmremapctl fail.
test-tools: $(TOOLS)/faults.so
$(TOOLS)/faults.so: tests/cli/faults.c tests/tools/tools.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TOOL_CFLAGS) -fPIC -shared -fno-builtin $(CFLAGS) $(LDFLAGS) -o $@ $<

# What bench runs in the guest.
test-tools: $(TOOLS)/io-cost
$(TOOLS)/io-cost: tests/bench/io-cost.c tests/bench/marks.h tests/tools/tools.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TOOL_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< -lpthread

# A plugin for QEMU, whose functions it uses.
test-tools: $(TOOLS)/profile.so
$(TOOLS)/profile.so: tests/bench/profile.c tests/bench/marks.h tests/tools/tools.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TOOL_CFLAGS) -fPIC -shared -fvisibility=hidden $(CFLAGS) $(LDFLAGS) -o $@ $<

# The module's lookup in user space, for this machine.
test-tools: $(TOOLS)/lookup
LOOKUP_SOURCES := tests/bench/native/lookup.c kernel/index.c kernel/front.c
$(TOOLS)/lookup: $(LOOKUP_SOURCES) kernel/index.h $(wildcard tests/bench/native/*.h) \
		$(wildcard tests/bench/native/linux/*.h) include/dm-remap-format.h
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TOOL_CFLAGS) -Wno-unused-parameter -Itests/bench/native $(CFLAGS) $(LDFLAGS) \
		-o $@ $(LOOKUP_SOURCES)

.PHONY: bench-native
bench-native: $(TOOLS)/lookup
	$(Q)GLIBC_TUNABLES=glibc.malloc.hugetlb=1 $(TOOLS)/lookup >$(BUILD)/bench-native.json
	$(Q)cat $(BUILD)/bench-native.json
	$(Q)tests/bench/table --goals <$(BUILD)/bench-native.json >&2 || true
