# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R1, R2, R6: allocations and requests that fail at random, or one after the other. Only a
# kernel with fault injection can (tests/vm/debug-kernel); others skip these.
# shellcheck disable=SC2034,SC2154 # variables of lib.sh
# Timeout: 120
# Needs: tests/ynl

# shellcheck source=netlink/lib.sh
. "$HERE/netlink/lib.sh"
DEBUG=/sys/kernel/debug
FAIL_NTH=/src/build/tests/tools/fail-nth

# Says how often and for whom; nothing fails before a task or a disk is chosen.
inject() { # failslab|fail_page_alloc|fail_make_request ATTRIBUTE=VALUE...
	local word
	mountpoint -q $DEBUG || mount -t debugfs debugfs $DEBUG
	[[ -d $DEBUG/$1 ]] || skip "this kernel injects no faults"
	for word in verbose=0 interval=1 times=-1 "${@:2}"; do
		echo "${word#*=}" >"$DEBUG/$1/${word%%=*}"
	done
}

# Allocations that may sleep too, and single pages.
inject_memory() { # PROBABILITY
	inject failslab probability="$1" task-filter=Y ignore-gfp-wait=N
	inject fail_page_alloc probability="$1" task-filter=Y ignore-gfp-wait=N \
		ignore-gfp-highmem=N min-order=0
}

# The kernel's workers, those to come as well: what serves the disks and the set.
workers_fail() { # 0|1
	local task
	echo "$1" >/proc/2/make-it-fail
	for task in $(ps -e -o pid=,comm= | awk '$2 ~ /^(kworker|remap)/ { print $1 }'); do
		echo "$1" >"/proc/$task/make-it-fail" 2>/dev/null || true
	done
}

injected_nothing() {
	workers_fail 0
	inject failslab probability=0
	inject fail_page_alloc probability=0
}

# As simple_set, on disks that need no memory to be written.
full_set() { # [OPTION...]
	local disk
	null_disk data 32
	null_disk spare 16
	for disk in "$data" "$spare"; do
		dd if=/dev/zero of="$disk" bs=1M oflag=direct status=none 2>/dev/null || true
	done
	make_set set "$data" "$spare" -- "$@"
	dev=/dev/mapper/set
	off=$(offset_of set)
}

worse() {
	set_bad $((RANDOM % 1024))
	sleep 0.05
}

repeat() { # COMMAND...
	while [[ ! -e $TMP/stop ]]; do
		"$@" >>"$TMP/repeat" 2>&1
	done
}

# Each allocation of an operation in turn.
each_allocation() { # WHAT COMMAND...
	local output status=0
	output=$($FAIL_NTH "${@:2}" 2>&1) || status=$?
	check_is "$1" "$status $(grep WRONG <<<"$output" || true)" "0 "
	echo "# ${output//$'\n'/$'\n'# }"
	check_that "some were made to fail" "$(awk '/allocations/ { print $1 }' <<<"$output")" "> 0"
}

test_start_and_stop() {
	local table
	inject_memory 100
	full_set
	message set relocate 5 300 >/dev/null
	message set unreadable 8000 3 >/dev/null
	table=$(table_of set)
	each_allocation "R6: allocations fail while a set is suspended and resumed" suspend set -
	dmsetup remove set
	table=${table#0 }
	each_allocation "R6: and while its table is loaded" \
		load set "${table%% *}" "${table#* remap }"
	each_allocation "R7: and while it is activated: it starts with its map, or later" \
		resume set "${table%% *}" "${table#* remap }"
}

test_messages() {
	local words
	inject_memory 100
	full_set
	write_sectors $dev 0 2048 1 --size 64
	for words in "relocate 5 30" "release 5 10" "unreadable 8000 3" "map 0" "policy heal spare"; do
		each_allocation "R6: allocations fail while \"$words\" is sent" message set "$words"
	done
	check_is "R1: no data was harmed" "$(sectors $dev 0 2048 --size 8 | sed 's/@[0-9]*//g')" \
		"0-2047:1"
	restart set
	check_is "R2: nor after a restart" "$(sectors $dev 0 2048 --size 8 | sed 's/@[0-9]*//g')" \
		"0-2047:1"
}

# Writers and readers of blocks that go bad, while the workers get no memory now and then.
test_workers_without_memory() {
	inject_memory 20
	full_set
	set_bad 100 160
	rm -f "$TMP/stop"
	repeat worse &
	workers_fail 1
	check "R6: all writes succeed and no read lies while allocations fail" \
		/src/build/tests/sectors race $dev 0 1024 12 --errors
	injected_nothing
	touch "$TMP/stop"
	wait
	check_that "R5: blocks were relocated" "$(status set relocated)" "> 10"
	check_is "R8: none in vain" "$(status set relocate_failed)" "0"
	restart set
	check_is "R2: the map is there after a restart" "$(status set mode)" "rw"
}

# Netlink's requests, one allocation after the other.
test_netlink_requests() {
	inject_memory 100
	full_set
	write_sectors $dev 0 2048 1 --size 64
	nl failing requests
	check_is "R1: no data was harmed" "$(sectors $dev 0 2048 --size 8 | sed 's/@[0-9]*//g')" \
		"0-2047:1"
}

# One request in fifty of both disks fails, once: none of it is a reason to lose data.
test_requests_fail() {
	full_set --adopt
	inject fail_make_request probability=2
	echo 1 >"/sys/block/${data##*/}/make-it-fail"
	check "R4: all writes succeed and no read lies while requests fail" \
		/src/build/tests/sectors race $dev 0 1024 12 --errors
	echo 0 >"/sys/block/${data##*/}/make-it-fail"
	inject fail_make_request probability=0
	check_that "errors were met" "$(($(status set read_errors) + $(status set write_errors)))" "> 0"
	check_is "R8: no relocation failed" "$(status set relocate_failed)" "0"
	restart set
	check_is "R2: the map is there after a restart" "$(status set mode)" "rw"
}
