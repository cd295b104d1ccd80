# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every request of the netlink family, by the kernel's own client and the spec
# alone, and the statistics, against dmsetup and the faults that were made.
# Needs: tests/ynl
# Timeout: 120
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

# shellcheck source=netlink/lib.sh
. "$HERE/netlink/lib.sh"

two_sets() {
	simple_set
	null_disk data2 32
	null_disk spare2 16
	make_set other "$data2" "$spare2"
}

test_nl_devices() {
	two_sets
	nl requests devices
}

test_nl_devices_change() {
	simple_set
	nl requests devices_change
}

test_nl_spares() {
	three_spares
	message set relocate 0 50 >/dev/null
	nl requests spares
	dm_swap spare1 "$(error_table "$disk1")"
	message set relocate 100 20 >/dev/null || true
	nl requests spares_failed
}

test_nl_spares_missing() {
	local table
	three_spares
	table=$(dmsetup table set)
	dmsetup remove --retry set
	# Without the first spare.
	# shellcheck disable=SC2086
	set -- $table
	table="$1 $2 $3 $4 ${*:6}"
	dmremapctl stop set >/dev/null 2>&1 || true
	[[ $table == *data_offset* ]]
	table=$(sed -E 's/ ([0-9]+) data_offset (.*)$/ N data_offset \2 degraded/' <<<"$table")
	dmsetup create set --table "${table/ N / $(($(feature_words "$table"))) }"
	nl requests spares_missing
}

# Words behind " N " in a table.
feature_words() { # TABLE
	set -- ${1##* N }
	echo $#
}

test_nl_map() {
	simple_set
	nl requests map
}

test_nl_all_maps() {
	two_sets
	bad "$data" $((off + 80))
	bad "$data2" $(($(offset_of other) + 80))
	sectors /dev/mapper/set 80 1 >/dev/null
	sectors /dev/mapper/other 80 1 >/dev/null
	message set relocate 0 5 >/dev/null
	message other relocate 0 5 >/dev/null
	nl requests all_maps
}

test_nl_policy() {
	simple_set
	nl requests policy
}

test_nl_policy_expires() {
	simple_set
	nl requests policy_expires
}

test_nl_policy_works() {
	simple_set
	nl requests policy_works
}

test_nl_relocate() {
	simple_set
	nl requests relocate
}

test_nl_release() {
	simple_set
	nl requests release
}

test_nl_relocate_full() {
	null_disk data 32
	null_disk spare 2
	make_set set "$data" "$spare" -- --map-entries 2000
	off=$(offset_of set)
	nl requests relocate_full "$(status set slots)"
}

test_nl_relocate_slow() {
	modprobe dm-delay
	dm_set 16
	write_sectors $dev 0 8192 1 --size 512
	dm_swap data "$(slow_table "$data" "$off" 256 128 50)"
	nl requests slow_only 256 128
}

test_nl_scrub() {
	simple_set
	nl requests scrub
}

test_nl_scrub_rate() {
	simple_set
	nl requests scrub_rate
}

test_nl_scrub_slow() {
	modprobe dm-delay
	dm_set 16
	dm_swap data "$(slow_table "$data" "$off" 256 128 50)"
	nl requests scrub_slow 256 128
}

# The anchor is written while the set does not run; then it runs without the spare.
anchored_spare() {
	local table
	simple_set
	table=$(dmsetup table set)
	null_disk more 16
	null_disk foreign 16
	dmremapctl stop set >/dev/null
	dmremapctl spare add set "$more" >/dev/null
	dmsetup create set --table "$table"
}

test_nl_spare_add() {
	anchored_spare
	nl requests spare_add "$more" "$foreign" "$spare"
}

# A table of linear and, where writes fail, of flakey: DEV, and where what begins.
piecewise() { # DEV FIRST:linear|flakey...
	local end piece dev=$1
	shift
	end=$(sectors_of "$dev")
	while (($#)); do
		piece=$1
		shift
		local from=${piece%:*} to=${1:-$end}
		echo -n "$from $((${to%:*} - from)) ${piece#*:} $dev $from"
		[[ $piece != *flakey ]] || echo -n " 0 3600 1 error_writes"
		echo
	done
}

# The frames that the map goes to can be written, those of the root that follows can not.
test_nl_spare_add_fails() {
	local base data=/dev/mapper/data table frames half
	modprobe dm-flakey
	null_disk base 32
	null_disk spare 16
	null_disk more 16
	# No device of the set promises more than flakey, which might wait.
	dm_make data "0 $(sectors_of "$base") flakey $base 0 3600 0"
	make_set set "$data" "$spare"
	dev=/dev/mapper/set
	off=$(offset_of set)
	table=$(dmsetup table set)
	need dmremapctl stop set
	need dmremapctl spare add set "$more"
	need dmsetup create set --table "$table"
	frames=$(dmremapctl metadata show set --json | grep -oE '"frames": ?[0-9]+' | head -n 1)
	frames=${frames##*[: ]}
	half=$((frames / 2))
	piecewise "$more" 0:linear $((128 + 2 * 8)):flakey $((128 + (half + 1) * 8)):linear \
		$((128 + (half + 2) * 8)):flakey $((128 + frames * 8)):linear | dm_make more -
	nl requests spare_add_fails /dev/mapper/more
	check "for it fails the second commit" log_has "out of the set: its copy of the map"
	check_is "it is no spare of the set" "$(spare set 2)" none
	need message set relocate 0 1
	check "flushes go on" sync /dev/mapper/set
	restart set
	check_is "and so does the set, without it" "$(map_remapped set)" 0
}

test_nl_spare_retire() {
	three_spares
	nl requests spare_retire
}

test_nl_spare_rejoin() {
	three_spares
	dm_swap spare1 "$(error_table "$disk1")"
	message set relocate 0 20 >/dev/null || true
	dm_swap spare1 "$(linear_table "$disk1")"
	nl requests spare_rejoin /dev/mapper/spare1
}

test_nl_stats() {
	simple_set
	nl stats io
}

test_nl_stats_passed() {
	simple_set
	nl stats passed
}

test_nl_latency() {
	simple_set
	nl stats latency
}

test_nl_latency_slow() {
	modprobe dm-delay
	dm_set 16
	dm_swap data "$(slow_table "$data" "$off" 0 1000 40)"
	nl stats latency_slow
}
