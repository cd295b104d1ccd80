# SPDX-License-Identifier: GPL-2.0-or-later
# Unit tests of libdmremap, included by the Makefile at the top.
#
#   check-unit         build and run all; one line per program
#   check-unit-asan    the same with the address and undefined sanitizers
#
# Each test-x.c is a program. They need neither root nor device-mapper: regular
# files stand in for devices, and what would reach the kernel is wrapped. Each
# test-daemon-x.c tests files of dmremapd; what it defines itself stands in for theirs.
# Each test-cli-x.c tests commands of dmremapctl; they call the library through the
# dynamic linker, so that what the test defines of it stands in for it.

UNIT_SRCS := $(sort $(wildcard tests/unit/test-*.c))
UNIT_NAMES := $(UNIT_SRCS:tests/unit/%.c=%)
UNIT_DIR := build/tests/unit
UNIT_ASAN_DIR := build/tests/unit-asan
UNIT_PKGS := cmocka
UNIT_CFLAGS := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -O1 -g $(LIB_WARN) \
	-Wno-missing-declarations -Iinclude -Ilib -Idaemon -Icli -Itests/unit $(LIB_PKG_CFLAGS)
UNIT_ASAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
UNIT_WRAP := -Wl,--wrap=dmri_dev_write,--wrap=dmri_dev_zero,--wrap=dmri_dm_message \
	-Wl,--wrap=dmri_dev_read,--wrap=dmri_dev_open,--wrap=dmri_known_match \
	-Wl,--wrap=dmri_dm_resolve,--wrap=dmri_dm_status,--wrap=dmri_dm_table \
	-Wl,--wrap=genl_connect,--wrap=nl_send_auto,--wrap=nl_recv \
	-Wl,--wrap=nl_socket_add_membership,--wrap=nl_socket_set_nonblocking
UNIT_FIXTURES := fixture fixture-netlink
UNIT_CLI := $(patsubst cli/%.c,%.o,$(filter-out cli/main.c,$(wildcard cli/*.c)))
UNIT_CLI_LIBS = $(LIB_LIBS) -Wl,-rpath,$(abspath $(LIB_DIR)) $(CLI_LIBS)
UNIT_LIBS = $(LIB_PKG_LIBS) $(shell $(PKG_CONFIG) --libs $(UNIT_PKGS) 2>/dev/null)

.PHONY: unit check-unit check-unit-asan unit-clean

unit: $(UNIT_NAMES:%=$(UNIT_DIR)/%)

$(UNIT_DIR)/%.o: tests/unit/%.c tests/unit/unit.mk
	@mkdir -p $(@D)
	$(Q)$(CC) $(UNIT_CFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(UNIT_DIR)/test-%: $(UNIT_DIR)/test-%.o $(UNIT_FIXTURES:%=$(UNIT_DIR)/%.o) $(LIB_A)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(UNIT_WRAP) -o $@ $^ $(UNIT_LIBS)

$(UNIT_DIR)/test-daemon-%: $(UNIT_DIR)/test-daemon-%.o $(DAEMON_A) $(LIB_A)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(UNIT_LIBS) $(DAEMON_LIBS)

$(UNIT_DIR)/test-cli-%: $(UNIT_DIR)/test-cli-%.o $(UNIT_DIR)/fixture-cli.o \
		$(UNIT_CLI:%=$(BUILD)/cli/%) $(LIB_SO)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(UNIT_CLI_LIBS) $(UNIT_LIBS)

$(UNIT_ASAN_DIR)/%.o: tests/unit/%.c tests/unit/unit.mk
	@mkdir -p $(@D)
	$(Q)$(CC) $(UNIT_CFLAGS) $(CFLAGS) $(UNIT_ASAN) -MMD -MP -c $< -o $@

$(UNIT_ASAN_DIR)/lib/%.o: lib/%.c tests/unit/unit.mk
	@mkdir -p $(@D)
	$(Q)$(CC) $(LIB_BUILD_CFLAGS) $(CFLAGS) $(UNIT_ASAN) -MMD -MP -c $< -o $@

$(UNIT_ASAN_DIR)/test-%: $(UNIT_ASAN_DIR)/test-%.o $(UNIT_FIXTURES:%=$(UNIT_ASAN_DIR)/%.o) \
		$(LIB_SRCS:lib/%.c=$(UNIT_ASAN_DIR)/lib/%.o)
	$(Q)$(CC) $(CFLAGS) $(UNIT_ASAN) $(LDFLAGS) $(UNIT_WRAP) -o $@ $^ $(UNIT_LIBS)

$(UNIT_ASAN_DIR)/daemon/%.o: daemon/%.c tests/unit/unit.mk
	@mkdir -p $(@D)
	$(Q)$(CC) $(DAEMON_CFLAGS) $(CFLAGS) $(UNIT_ASAN) -MMD -MP -c $< -o $@

$(UNIT_ASAN_DIR)/libdaemon.a: $(patsubst daemon/%.c,$(UNIT_ASAN_DIR)/daemon/%.o,\
		$(filter-out daemon/main.c,$(wildcard daemon/*.c)))
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

# An archive, as for the daemon itself: what a test defines is not taken from it.
$(UNIT_ASAN_DIR)/libdmremap.a: $(LIB_SRCS:lib/%.c=$(UNIT_ASAN_DIR)/lib/%.o)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(UNIT_ASAN_DIR)/test-daemon-%: $(UNIT_ASAN_DIR)/test-daemon-%.o $(UNIT_ASAN_DIR)/libdaemon.a \
		$(UNIT_ASAN_DIR)/libdmremap.a
	$(Q)$(CC) $(CFLAGS) $(UNIT_ASAN) $(LDFLAGS) -o $@ $^ $(UNIT_LIBS) $(DAEMON_LIBS)

$(UNIT_ASAN_DIR)/cli/%.o: cli/%.c tests/unit/unit.mk
	@mkdir -p $(@D)
	$(Q)$(CC) $(CLI_CFLAGS) $(CFLAGS) $(UNIT_ASAN) -MMD -MP -c $< -o $@

$(UNIT_ASAN_DIR)/test-cli-%: $(UNIT_ASAN_DIR)/test-cli-%.o $(UNIT_ASAN_DIR)/fixture-cli.o \
		$(UNIT_CLI:%=$(UNIT_ASAN_DIR)/cli/%) $(LIB_SO)
	$(Q)$(CC) $(CFLAGS) $(UNIT_ASAN) $(LDFLAGS) -o $@ $(filter %.o,$^) $(UNIT_CLI_LIBS) \
		$(UNIT_LIBS)

.PRECIOUS: $(UNIT_DIR)/%.o $(UNIT_ASAN_DIR)/%.o $(UNIT_ASAN_DIR)/lib/%.o \
	$(UNIT_ASAN_DIR)/daemon/%.o $(UNIT_ASAN_DIR)/cli/%.o

check-unit: $(UNIT_NAMES:%=$(UNIT_DIR)/%)
	@tests/unit/run $^

check-unit-asan: $(UNIT_NAMES:%=$(UNIT_ASAN_DIR)/%)
	@tests/unit/run $^

unit-clean:
	rm -rf $(UNIT_DIR) $(UNIT_ASAN_DIR)

-include $(wildcard $(UNIT_DIR)/*.d $(UNIT_ASAN_DIR)/*.d $(UNIT_ASAN_DIR)/lib/*.d \
	$(UNIT_ASAN_DIR)/daemon/*.d $(UNIT_ASAN_DIR)/cli/*.d)
