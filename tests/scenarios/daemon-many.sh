# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmremapd with a hundred sets: what it costs when nothing happens, and that the hundred
# are told apart when something does.
# VM: --systemd
# Timeout: 600
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

SETS=100

# Set N on a disk of its own, with its spare at the end of it.
many_set() { # NUMBER
	local data table
	null_disk data 8
	table=$(/src/build/tests/tools/make-image --fresh --name "set$1" --seed "$1" --internal 2 \
		"$data") || return 1
	dmsetup create --noudevsync "set$1" --table "$table"
}

all_known() {
	[[ $(systemctl show --property StatusText --value dmremapd) == "$SETS sets in use, 0 alerts." ]]
}

retries_are() { # NUMBER SET
	[[ $(dmremapctl policy show "$2" --json | jq '.. | .retries? // empty') == "$1" ]]
}

test_daemon_many() {
	local i pid rss before after
	for ((i = 1; i <= SETS; i++)); do
		many_set $i || { echo "not ok - set $i can be made"; return 1; }
	done
	daemon_start
	check "all are known" wait_until 60 all_known
	sleep 10
	pid=$(daemon_pid)
	before=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
	sleep 30
	after=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
	check_that "hundredths of a second of 30 s, 0.2 %" $((after - before)) "<= 6"
	rss=$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status")
	check_that "RSS in KiB" "$rss" "< 16384"
	check_that "of it locked, in KiB" "$(awk '/VmLck/ { print $2 }' "/proc/$pid/status")" "> 0"
	echo "# RSS $rss KiB, $((after - before)) ticks"

	# Policy was computed and sent for each; one of a hundred has its own.
	daemon_config <<-END
		[set set42]
		retries = 5
	END
	daemon_reload
	check "one has its own policy" wait_until 30 eval \
		'retries_are 5 set42'
	check "and no other" eval '! retries_are 5 set43'
	check "all are still known" all_known

	# A cleaner would take them one by one, and wait for udev each time.
	for ((i = 1; i <= SETS; i++)); do
		dmsetup remove --noudevsync set$i || break
	done
	check "all can go" eval '[[ $(dmsetup ls) == "No devices found" ]]'
	check "and the daemon knows" wait_until 30 eval \
		'[[ $(systemctl show --property StatusText --value dmremapd) == "0 sets in use, 0 alerts." ]]'
}
