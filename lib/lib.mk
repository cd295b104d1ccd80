# SPDX-License-Identifier: LGPL-2.1-or-later
# libdmremap: included by the Makefile at the top; all paths are from there.
#
#   lib            build/lib/libdmremap.so.$(LIB_VERSION) with links, libdmremap.a, .pc
#   lib-install    into $(DESTDIR)$(PREFIX)
#   LIB_CFLAGS, LIB_LIBS       what a program in this tree compiles and links with
#   LIB_A, LIB_STATIC_LIBS     the same, statically

LIB_VERSION := $(VERSION)
LIB_SONAME := libdmremap.so.0
LIB_DIR := build/lib
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
PKG_CONFIG ?= pkg-config

LIB_PKGS := devmapper blkid json-c uuid sqlite3 libnl-genl-3.0 libnl-3.0
LIB_PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIB_PKGS) 2>/dev/null)
LIB_PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(LIB_PKGS) 2>/dev/null)

LIB_SRCS := $(sort $(wildcard lib/*.c))
LIB_OBJS := $(LIB_SRCS:lib/%.c=$(LIB_DIR)/%.o)
LIB_A := $(LIB_DIR)/libdmremap.a
LIB_SO := $(LIB_DIR)/libdmremap.so.$(LIB_VERSION)

LIB_WARN := -Wall -Wextra -Werror=implicit -Wformat=2 -Wno-format-nonliteral \
	-Wstrict-prototypes -Wmissing-declarations -Wno-unused-parameter
LIB_BUILD_CFLAGS := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -O2 -g -fPIC \
	-fstack-protector-strong -DDMREMAP_VERSION='"$(LIB_VERSION)"' $(LIB_WARN) \
	-Iinclude -Ilib $(LIB_PKG_CFLAGS)

LIB_CFLAGS := -Iinclude -Ilib
LIB_LIBS := -L$(LIB_DIR) -ldmremap
LIB_STATIC_LIBS := $(LIB_A) $(LIB_PKG_LIBS)

.PHONY: lib lib-install lib-clean

user: lib
lib: $(LIB_A) $(LIB_SO) $(LIB_DIR)/libdmremap.pc

$(LIB_DIR)/%.o: lib/%.c lib/lib.mk
	@mkdir -p $(@D)
	$(Q)$(CC) $(LIB_BUILD_CFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(LIB_A): $(LIB_OBJS)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(LIB_SO): $(LIB_OBJS) lib/libdmremap.map
	$(Q)$(CC) $(CFLAGS) -shared -Wl,-soname,$(LIB_SONAME) -Wl,-z,defs -Wl,-z,relro,-z,now \
		-Wl,--version-script=lib/libdmremap.map $(LDFLAGS) -o $@ $(LIB_OBJS) \
		$(LIB_PKG_LIBS)
	$(Q)ln -sf $(@F) $(LIB_DIR)/$(LIB_SONAME)
	$(Q)ln -sf $(LIB_SONAME) $(LIB_DIR)/libdmremap.so

$(LIB_DIR)/libdmremap.pc: lib/libdmremap.pc.in lib/lib.mk
	@mkdir -p $(@D)
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(LIB_VERSION)|' $< > $@

lib-install: lib
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)/dm-remap
	install -m 644 $(LIB_SO) $(LIB_A) $(DESTDIR)$(LIBDIR)
	ln -sf $(notdir $(LIB_SO)) $(DESTDIR)$(LIBDIR)/$(LIB_SONAME)
	ln -sf $(LIB_SONAME) $(DESTDIR)$(LIBDIR)/libdmremap.so
	install -m 644 $(LIB_DIR)/libdmremap.pc $(DESTDIR)$(LIBDIR)/pkgconfig
	install -m 644 lib/dm-remap.h lib/dm-remap-events.h \
		include/dm-remap-format.h include/dm-remap-netlink.h \
		$(DESTDIR)$(INCLUDEDIR)/dm-remap

lib-clean:
	rm -rf $(LIB_DIR)

-include $(LIB_OBJS:.o=.d)
