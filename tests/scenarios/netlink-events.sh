# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every kind of netlink event, provoked and received by the kernel's own client.
# Needs: tests/ynl
# Timeout: 120
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

# shellcheck source=netlink/lib.sh
. "$HERE/netlink/lib.sh"

test_nl_events_faults() {
	simple_set
	nl events faults
}

test_nl_events_states() {
	simple_set
	nl events states
}

test_nl_events_spares() {
	dm_set 2 --map-entries 2000
	nl events spares "$(status set slots)"
}

test_nl_events_members() {
	three_spares
	nl events members "$disk1"
}

test_nl_events_joined() {
	local table
	simple_set
	table=$(dmsetup table set)
	null_disk more 16
	dmremapctl stop set >/dev/null
	dmremapctl spare add set "$more" >/dev/null
	dmsetup create set --table "$table"
	nl events joined "$more"
}

test_nl_events_breaker() {
	dm_set 16
	nl events breaker "$data"
}

test_nl_events_frozen() {
	simple_set
	# The frames of both, which begin at 64 KiB.
	nl events frozen "$data" "$spare" 128 2048
}

test_nl_events_slow() {
	modprobe dm-delay
	dm_set 16
	dm_swap data "$(slow_table "$data" "$off" 0 1000 30)"
	nl events slow
}

test_nl_events_places() {
	simple_set
	nl events places
}
