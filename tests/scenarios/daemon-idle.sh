# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the daemon costs while nothing happens: instructions, since times of a machine that is
# emulated say little.
# VM: --systemd --icount
# shellcheck disable=SC2154 # variables of lib.sh

# Instructions of a process and of the kernel for it: a nanosecond is one here.
spent() { # PID
	cat /proc/"$1"/task/*/schedstat | awk '{ sum += $1 } END { printf "%d", sum }'
}

# Many sets: little memory, and no work while nothing happens.
test_daemon_idle() {
	local i pid rss before spent
	for ((i = 0; i < 16; i++)); do
		null_disk data 16
		null_disk spare 4
		make_set "set$i" "$data" "$spare"
	done
	daemon_start
	check "all are known" wait_until 30 eval \
		'[[ $(systemctl show --property StatusText --value dmremapd) == "16 sets in use"* ]]'
	sleep 5
	pid=$(daemon_pid)
	rss=$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status")
	check_that "RSS in KiB" "$rss" "< 16384"
	before=$(spent "$pid")
	sleep 20
	spent=$(($(spent "$pid") - before))
	# Two pings of the watchdog are 39,000; a timer of a second would be ten times that.
	check_that "instructions in 20 s" "$spent" "< 100000"
	echo "# RSS $rss KiB, $spent instructions"
}
