# SPDX-License-Identifier: GPL-2.0-or-later
# dmremapd, included by the top Makefile. Linked to the static library. All but
# main.c is an archive, which the unit tests link to.

DAEMON := $(BUILD)/bin/dmremapd
DAEMON_A := $(BUILD)/daemon/libdaemon.a
DAEMON_OBJECTS := $(patsubst daemon/%.c,$(BUILD)/daemon/%.o,$(sort $(wildcard daemon/*.c)))
DAEMON_PACKAGES := libsystemd libeconf json-c
DAEMON_CFLAGS := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -O2 -g -pthread \
	-fstack-protector-strong -Wall -Wextra -Werror=implicit -Wformat=2 \
	-Wno-format-nonliteral -Wstrict-prototypes -Wmissing-declarations \
	-Wno-unused-parameter -DDMREMAP_VERSION='"$(VERSION)"' -Iinclude -Ilib -Idaemon \
	$(shell pkg-config --cflags $(DAEMON_PACKAGES) 2>/dev/null)
DAEMON_LIBS := $(shell pkg-config --libs $(DAEMON_PACKAGES) 2>/dev/null) -pthread

.PHONY: daemon
user: daemon
daemon: $(DAEMON)
$(DAEMON): $(BUILD)/daemon/main.o $(DAEMON_A) $(LIB_A)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(BUILD)/daemon/main.o $(DAEMON_A) \
		$(LIB_STATIC_LIBS) $(DAEMON_LIBS)

$(DAEMON_A): $(filter-out %/main.o,$(DAEMON_OBJECTS))
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/daemon/%.o: daemon/%.c daemon/daemon.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(DAEMON_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(DAEMON_OBJECTS:.o=.d)
