# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What scenarios with "# VM: --systemd" can use beside lib.sh. The tree is
# installed, the module is loaded, udev runs; dmremapd does not run before
# daemon_start. With the first failure of a test the unit's journal is shown.
# The daemon, its configuration and its state are cleaned up behind each test.

UNIT=dmremapd.service
JOURNAL_BEGIN="@$EPOCHREALTIME" # of this test

# journalctl since the test began; what of it is wanted is up to the caller.
journal() { # [OPTION|FIELD=VALUE...]
	journalctl --sync
	journalctl --no-pager --quiet --since "$JOURNAL_BEGIN" "$@"
}

# Entries of the daemon's, one message a line.
daemon_log() { # [OPTION|FIELD=VALUE...]
	journal --unit $UNIT --output cat "$@"
}

# Is there such an entry? daemon_told MESSAGE_ID=... DMREMAP_SET=set
daemon_told() { # FIELD=VALUE...
	[[ $(daemon_log --lines 1 "$@") ]]
}

more_log() {
	daemon_log --output short-monotonic --lines 60 | sed 's/^/# journal: /'
}

# Configuration from standard input, in place of what was there.
daemon_config() { # [NAME-OF-DROP-IN]
	local file=/etc/dm-remap/dmremapd.conf
	[[ ! ${1:-} ]] || file=/etc/dm-remap/dmremapd.conf.d/$1
	mkdir -p "${file%/*}"
	cat >"$file"
}

# These end the test if they fail: the daemon is what it stands on. Ready means
# that the unit said so (Type=notify).
daemon_start() {
	need systemctl start $UNIT
}

daemon_stop() {
	need systemctl stop $UNIT
}

daemon_restart() {
	need systemctl restart $UNIT
}

daemon_reload() {
	need systemctl reload $UNIT
}

daemon_runs() {
	systemctl is-active --quiet $UNIT
}

daemon_pid() {
	systemctl show --property MainPID --value $UNIT
}

# Kill it as no handler can catch. With Restart=on-failure it comes back.
daemon_kill() {
	systemctl kill --signal KILL $UNIT
}

# A property as udev has it: udev_property /dev/sda ID_FS_TYPE
udev_property() { # DEV NAME
	udevadm info --query=property --property="$2" --value --name="$1"
}
