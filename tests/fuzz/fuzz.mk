# SPDX-License-Identifier: GPL-2.0-or-later
# Fuzzers with clang's libFuzzer, included by the top Makefile. What takes input from
# outside apart is built with the sanitizers and counts what is reached; the rest is
# as it is built otherwise.

FUZZ := $(BUILD)/tests/fuzz
FUZZ_CC := clang
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz-%.c,%,$(sort $(wildcard tests/fuzz/fuzz-*.c)))
FUZZ_LIB := anchor backup error event event-json format image import judge label netlink-parse \
	policy ranges records set size table
FUZZ_DAEMON := config config-keys json memory smart-parse state
FUZZ_CLI := options parse
# The module's own code, over a little of the kernel's headers.
FUZZ_KERNEL := front index load map open reserve spare store
FUZZ_KERNEL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -Wall -Wno-format -Wno-sizeof-array-decay \
	-fno-strict-aliasing -fwrapv -Itests/fuzz/module -Itests/bench/native $(CFLAGS)
FUZZ_MODULE := $(FUZZ_KERNEL:%=$(FUZZ)/kernel/%.o) $(FUZZ)/module/module.o
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -O1 -g
FUZZ_OBJECTS := $(FUZZ_LIB:%=$(FUZZ)/lib/%.o)

.PHONY: fuzz-programs
fuzz-programs: $(FUZZ_NAMES:%=$(FUZZ)/%)

$(FUZZ)/lib/%.o: lib/%.c tests/fuzz/fuzz.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(filter-out -O2,$(LIB_BUILD_CFLAGS)) -fsanitize=fuzzer-no-link \
		$(FUZZ_SANITIZE) -MMD -MP -c $< -o $@
$(FUZZ)/daemon/%.o: daemon/%.c tests/fuzz/fuzz.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(filter-out -O2,$(DAEMON_CFLAGS)) -fsanitize=fuzzer-no-link \
		$(FUZZ_SANITIZE) -MMD -MP -c $< -o $@
$(FUZZ)/cli/%.o: cli/%.c tests/fuzz/fuzz.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(filter-out -O2,$(CLI_CFLAGS)) -fsanitize=fuzzer-no-link \
		$(FUZZ_SANITIZE) -MMD -MP -c $< -o $@
$(FUZZ)/kernel/%.o: kernel/%.c tests/fuzz/fuzz.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_KERNEL_CFLAGS) -fsanitize=fuzzer-no-link $(FUZZ_SANITIZE) \
		-MMD -MP -c $< -o $@
$(FUZZ)/module/%.o: tests/fuzz/module/%.c tests/fuzz/fuzz.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_KERNEL_CFLAGS) $(FUZZ_SANITIZE) -MMD -MP -c $< -o $@
$(FUZZ)/fuzz-%.o: tests/fuzz/fuzz-%.c tests/fuzz/fuzz.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(filter-out -O2,$(LIB_BUILD_CFLAGS)) -Wno-missing-declarations \
		-Idaemon -Icli -fsanitize=fuzzer-no-link $(FUZZ_SANITIZE) -MMD -MP -c $< -o $@

$(FUZZ)/config $(FUZZ)/smart $(FUZZ)/state: $(FUZZ_DAEMON:%=$(FUZZ)/daemon/%.o) $(DAEMON_A)
$(FUZZ)/state: $(patsubst %,$(FUZZ)/daemon/%.o,alert alert-table scrub)
$(FUZZ)/command: $(FUZZ_CLI:%=$(FUZZ)/cli/%.o) $(filter-out \
	$(patsubst %,$(BUILD)/cli/%.o,main message $(FUZZ_CLI)),$(CLI_OBJECTS))
$(FUZZ)/cut $(FUZZ)/metadata: $(FUZZ_MODULE)
$(FUZZ)/%: $(FUZZ)/fuzz-%.o $(FUZZ_OBJECTS) $(LIB_A)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer $(FUZZ_SANITIZE) -o $@ $(filter %.o,$^) \
		$(filter %.a,$^) $(LIB_STATIC_LIBS) $(DAEMON_LIBS) $(CLI_LIBS)

.SECONDARY: $(FUZZ_NAMES:%=$(FUZZ)/fuzz-%.o)
-include $(wildcard $(FUZZ)/*.d $(FUZZ)/*/*.d)
