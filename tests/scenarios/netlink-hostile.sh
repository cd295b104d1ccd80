# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The netlink family and those who may not, messages that no client should send,
# maps that change while they are dumped, and storms of errors (R10).
# Needs: tests/ynl
# Timeout: 180
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

# shellcheck source=netlink/lib.sh
. "$HERE/netlink/lib.sh"

test_nl_permissions() {
	simple_set
	nl strict permissions
}

test_nl_messages() {
	simple_set
	message set relocate 0 5 >/dev/null
	nl strict messages
}

test_nl_acks() {
	simple_set
	nl strict acks
}

# ENTRIES blocks on a spare, scattered.
large_set() { # ENTRIES
	null_disk data 1024
	null_disk spare 256
	table=$(/src/build/tests/tools/make-image --fresh --name set --entries "$1" --lost 500 \
		--pages $(($1 / 180 + 50)) "$data" "$spare")
	dmsetup create set --table "$table"
	off=$(offset_of set)
}

test_nl_dump_large() {
	large_set 40000
	nl dumps large
}

test_nl_dump_changing() {
	large_set 3000
	nl dumps changing
}

test_nl_dump_abandoned() {
	large_set 20000
	nl dumps abandoned
}

# The second half of the data fails, with the class ioerr.
half_bad_set() {
	local size half
	dm_set 16
	size=$(sectors_of "$data")
	half=$((off + 4096 * 8))
	dm_swap data "0 $half linear $data 0
$half $((size - half)) error"
}

test_nl_storm() {
	half_bad_set
	nl storm storm 4096 2000
}

test_nl_slow_listener() {
	simple_set
	nl storm slow_listener
}
