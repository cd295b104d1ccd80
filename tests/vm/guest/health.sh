# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# For scripts in the guest: what a kernel says that is not well, and what one with
# sanitizers (tests/vm/debug-kernel) tells only when it is asked.

# shellcheck disable=SC2034 # for who reads this
TROUBLE='\b(BUG|WARNING|UBSAN):|INFO: (rcu|task .* blocked)|\bOops\b|general protection fault|soft lockup|rcu.*\bstall|possible (circular locking|recursive locking|irq lock inversion)|inconsistent lock state|suspicious RCU usage|refcount_t:|list_(add|del) corruption|ODEBUG:|kmemleak: [1-9]'
LEAKS=/sys/kernel/debug/kmemleak

# Before the module is loaded. Looking for leaks all the time would cost most of it.
health_begin() {
	mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
	# There but switched off is as good.
	{ echo scan=off >$LEAKS; } 2>/dev/null || true
}

# At the end. What the module forgot is a leak when it has gone and nothing of it
# points there any more; it is told when it is older than five seconds and two scans have
# found it. Lockdep gives up after its first report, and when it has no room.
health_end() {
	local bad=0
	[[ -e /proc/lockdep_stats ]] || return 0
	rmmod dm-remap || bad=1
	grep -Eq '^ debug_locks: +1$' /proc/lockdep_stats || {
		echo "not ok - lockdep has stopped"
		bad=1
	}
	{ echo scan >$LEAKS; } 2>/dev/null || return $bad
	sleep 6
	echo scan >$LEAKS
	[[ -z $(<$LEAKS) ]] || {
		echo "not ok - memory leaked"
		sed 's/^/# /' $LEAKS | head -n 60
		bad=1
	}
	return $bad
}
