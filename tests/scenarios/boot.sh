#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R7: sets over reboots of a systemd machine. It is installed as a package would, sets
# are made and put into /etc/fstab, and the machine is rebooted by systemctl: then it
# comes up with them mounted, or tells why not. Its disks and its /etc stay.
# Host
# Timeout: 1200

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
WORK=$PWD/build/tests/boot-$1
FS=0e2f9d3c-7b1a-4c55-9d1e-52f0a4b1c0de

# --- In the guest -----------------------------------------------------------------

check() { # WHAT COMMAND...
	local what=$1 output
	shift
	if output=$("$@" 2>&1); then
		echo "ok - $what"
	else
		echo "not ok - $what"
		echo "# failed: $*"
		tail -n 10 <<<"$output" | sed 's/^/# /'
		FAILED=1
	fi
}

check_is() { # WHAT IS EXPECTED
	check "$1: $3" test "$2" = "$3"
}

fails() { ! "$@"; }

# What of the root is to be there after the reboot.
keep() {
	sync
	tar -C / -rf /run/vm/root.tar etc/fstab etc/dm-remap etc/machine-id var/lib/dm-remap \
		var/log/journal
}

guest_make() {
	set -e
	mkfs.ext4 -q -U $FS /dev/vm/old
	tune2fs -c 0 -i 0 /dev/vm/old >/dev/null
	dmremapctl create new --data /dev/vm/data --spare /dev/vm/spare
	dmremapctl create old --data /dev/vm/old --adopt --spare /dev/vm/other
	mkfs.ext4 -q /dev/mapper/new
	mkdir -p /srv/new /srv/old /var/lib/dm-remap
	mount /dev/mapper/new /srv/new
	mount UUID=$FS /srv/old
	for name in new old; do
		dd if=/dev/urandom of=/srv/$name/file bs=64k count=8 conv=fsync status=none
		# Of no file: these can not be read when the spare is missing.
		dmremapctl map relocate $name 7000-7099 >/dev/null
	done
	md5sum /srv/{new,old}/file >/run/vm/sums
	cat >/etc/fstab <<-END
		/dev/mapper/new /srv/new ext4 defaults,x-systemd.device-timeout=120 0 2
		UUID=$FS /srv/old ext4 defaults,x-systemd.device-timeout=120 0 2
	END
	reboot_kept make
}

reboot_kept() { # STEP
	[[ -z $FAILED ]] || return 1
	keep
	: >"/run/vm/done-$1"
	# Without D-Bus it says that there is none.
	systemctl reboot 2>/dev/null
	sleep 120
}

show_journal() {
	[[ -z $FAILED ]] || journalctl --boot --no-pager --output short-monotonic \
		--unit 'dm-remap*' --unit 'srv-*' --unit 'dmremapd*' | tail -n 60 | sed 's/^/# journal: /'
}

started_by_udev() { # SET
	journalctl --boot --no-pager --output cat --unit 'dm-remap-start@*' |
		grep -q "Set $1 is running"
}

guest_again() {
	local name raw
	raw=$(readlink -f /dev/vm/old)
	for name in new old; do
		check "$name is mounted" mountpoint -q /srv/$name
		check "by udev's events" started_by_udev $name
	done
	check "R1: what was written is there" md5sum --quiet -c /run/vm/sums
	check_is "mounted by UUID, the adopted set is" "$(findmnt -no SOURCE /srv/old)" \
		"/dev/mapper/old"
	check "blocks live on the spare" \
		test "$(dmsetup status new | cut -d' ' -f8)" -gt 0
	check_is "its raw device" "$(lsblk -dno FSTYPE "$raw")" "dm_remap_member"
	check_is "the link" "$(readlink -f /dev/disk/by-uuid/$FS)" "$(readlink -f /dev/mapper/old)"
	check_is "units that failed" "$(systemctl --failed --plain --no-legend)" ""
	check "the daemon runs" systemctl is-active --quiet dmremapd.service
	check "since before local file systems are complete" starts_early
	show_journal
	sed -i '/new/s/defaults,/nofail,/' /etc/fstab
	reboot_kept again
}

starts_early() {
	(($(systemctl show -P ActiveEnterTimestampMonotonic dmremapd.service) <
		$(systemctl show -P ActiveEnterTimestampMonotonic sysinit.target)))
}

# The spare of "new" is gone, its file system may be (nofail).
guest_missing() {
	check "new is not started" fails dmsetup info new
	check "old is" mountpoint -q /srv/old
	check_is "units that failed" "$(systemctl --failed --plain --no-legend)" ""
	check "the journal says why" grep -q "Set new is not started: .*missing" \
		<(journalctl --boot --no-pager --output cat --unit 'dm-remap-start@*')
	check "nor when its time is over" sleep 8
	check "the timer has ended" timer_ended
	check "still not started" fails dmsetup info new
	check_is "and nothing failed" "$(systemctl --failed --plain --no-legend)" ""
	show_journal
	mkdir -p /etc/dm-remap/dmremapd.conf.d
	printf '[set new]\nstart-degraded = on\n' >/etc/dm-remap/dmremapd.conf.d/degraded.conf
	reboot_kept missing
}

timer_ended() {
	journalctl --boot --no-pager --output cat --unit 'dm-remap-degraded@*' |
		grep -q 'not started\|Finished'
}

guest_degraded() {
	local i
	for ((i = 0; i < 300; i++)); do
		mountpoint -q /srv/new && break
		sleep 0.1
	done
	check "new is mounted" mountpoint -q /srv/new
	check "R1: what was written is there" md5sum --quiet -c /run/vm/sums
	check "R7: what lives on the spare is an error" fails dd if=/dev/mapper/new bs=4096 \
		skip=7000 count=1 iflag=direct of=/dev/null status=none
	check "degraded" grep -q degraded <(dmremapctl status new)
	check "old is not" fails grep -q degraded <(dmremapctl status old)
	check "by the timer" grep -q "Set new" \
		<(journalctl --boot --no-pager --output cat --unit 'dm-remap-degraded@*')
	show_journal
}

# --- On the host --------------------------------------------------------------------

DISKS=(data=64M spare=16M old=32M other=16M)

vm() { # TIMEOUT STEP WITHOUT OPTION...
	local disks=() disk limit=$1 step=$2 without=$3
	shift 3
	for disk in "${DISKS[@]}"; do
		[[ ${disk%=*} == "$without" ]] ||
			disks+=(--disk "$WORK/${disk%=*}.img,name=${disk%=*},size=${disk#*=}")
	done
	tests/vm/run --systemd --timeout $((limit * ${PATIENCE:-3})) --dir "$WORK/vm" "${disks[@]}" "$@" -- \
		bash /src/tests/scenarios/boot.sh --guest "$step"
}

# A root to which it is installed, and enabled.
prepare() {
	local root=$WORK/root
	rm -rf "$WORK" && mkdir -p "$WORK/vm" "$root"
	make --silent install DESTDIR="$root" >/dev/null || return
	mkdir -p "$root"/etc/{modprobe.d,systemd/system/sysinit.target.wants} \
		"$root/etc/systemd/system/dm-remap-degraded@.timer.d"
	echo "install dm-remap DM_REMAP_KO=${DM_REMAP_KO:-} /bin/bash -c '. /src/tests/vm/guest/module.sh && module_load'" \
		>"$root/etc/modprobe.d/dm-remap.conf"
	ln -s /usr/lib/systemd/system/dmremapd.service \
		"$root/etc/systemd/system/sysinit.target.wants/"
	printf '[Timer]\nOnActiveSec=\nOnActiveSec=5s\n' \
		>"$root/etc/systemd/system/dm-remap-degraded@.timer.d/quick.conf"
	# Looks at the daemon when the file system on a set is unmounted, at shutdown.
	cat >"$root/etc/systemd/system/witness.service" <<-'END'
		[Unit]
		DefaultDependencies=no
		Before=srv-new.mount
		Conflicts=umount.target
		Before=umount.target
		RequiresMountsFor=/run/vm
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/bin/true
		ExecStop=/bin/sh -c '{ mountpoint /srv/new; pgrep -c dmremapd; } >/run/vm/witness 2>&1'
	END
	ln -s ../witness.service "$root/etc/systemd/system/sysinit.target.wants/"
	tar -C "$root" --owner=0 --group=0 -cf "$WORK/vm/root.tar" etc usr
	rm -rf "$root"
}

# The state of a set on the disks, between two boots.
state_on_disk() { # SET DISK...
	local name=$1 disk devices=()
	shift
	for disk; do devices+=(--device "$WORK/$disk.img"); done
	build/bin/dmremapctl metadata show "$name" "${devices[@]}" --json | jq -r '.sets[0].state'
}

# A boot that ends with a reboot of its own.
reboots() { # STEP [WITHOUT]
	vm 100 "$1" "${2:-}" --expect-reset && test -e "$WORK/vm/done-$1"
}

test_reboot() {
	FAILED=
	check "prepared" prepare
	reboots make
	check "sets are made, and the machine is rebooted" test $? = 0
	check_is "at shutdown the set was stopped" "$(state_on_disk new data spare)" "clean"
	reboots again
	check "it came up with its sets, and was rebooted" test $? = 0
	check_is "the daemon went on until the file system was unmounted" \
		"$(tr '\n' ' ' <"$WORK/vm/witness")" "/srv/new is not a mountpoint 1 "
	reboots missing spare
	check "it came up without a spare, and was rebooted" test $? = 0
	vm 70 degraded spare
	check "it came up degraded" test $? = 0
	[[ $FAILED ]] || rm -rf "$WORK"
	[[ -z $FAILED ]]
}

case $1 in
--guest)
	FAILED=
	"guest_$2"
	[[ -z $FAILED ]]
	;;
test_*) "$1" ;;
esac
