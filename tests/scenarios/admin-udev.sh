# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R7: sets where systemd and udev run, with disks that have serial numbers. Raw members
# are shown for what they are, and a set starts when its members have appeared. Whole
# boots are in boot.sh.
# VM: --systemd --disk ../../build/scenario-a.img,size=32M,name=disk-a --disk ../../build/scenario-b.img,size=32M,name=disk-b --disk ../../build/scenario-c.img,size=16M,name=disk-c
# shellcheck disable=SC2034,SC2154 # variables of lib.sh
# Timeout: 120

DEV=/dev/mapper/set

begin() {
	systemctl is-active --quiet systemd-udevd || skip "udev does not run"
	a=/dev/vm/disk-a b=/dev/vm/disk-b c=/dev/vm/disk-c
	for dev in $a $b $c; do
		need wipefs -qa "$dev"
		need dd if=/dev/zero of="$dev" bs=1M count=4 oflag=direct conv=fsync status=none
	done
	settle
}

says() { # WHAT STATUS PATTERN COMMAND...
	local what=$1 expected=$2 pattern=$3 output status
	shift 3
	output=$("$@" 2>&1) && status=0 || status=$?
	if [[ $status == "$expected" ]] && grep -Eqi -- "$pattern" <<<"$output"; then
		passed "$what"
	else
		failed "$what" "status $status, expected $expected and: $pattern" "$output"
	fi
}

# Events are handled, and so is what they started. What was closed after writing is an event
# only when udev has seen that, which it has before it is done with one that comes later.
settle() {
	udevadm trigger --settle --name-match=/dev/null
	udevadm settle
	wait_until 20 starters_are_done
}

starters_are_done() {
	[[ -z $(systemctl list-units --plain --no-legend --state=activating 'dm-remap-*') ]] &&
		! systemctl list-jobs --plain --no-legend | grep -q dm-remap
}

runs() { dmsetup info set >/dev/null 2>&1; }

# It runs, and udev has made its node.
is_up() { [[ -b $DEV ]]; }

props() { # DEV
	udevadm info --query=property --name="$1"
}

link_of() { # by-uuid|by-label NAME
	readlink -f "/dev/disk/$1/$2"
}

more_log() {
	journal --output short-monotonic --unit 'dm-remap-*' --unit systemd-udevd.service \
		--lines 40 | sed 's/^/# journal: /'
	dmesg --notime | tail -n 5 | sed 's/^/# kernel: /'
}

test_udev() {
	begin
	check "create" dmremapctl create set --data $a --spare $c
	check "udev made the node" test -L $DEV
	check_is "it points to the device" "$(readlink -f $DEV)" \
		"/dev/$(dmsetup info -c --noheadings -o blkdevname set)"
	check "and a link by its UUID" \
		test -L "/dev/disk/by-id/dm-uuid-$(dmsetup info -c --noheadings -o uuid set)"
	mkfs.ext4 -q $DEV
	settle
	check_is "udev knows its file system" "$(udev_property $DEV ID_FS_TYPE)" "ext4"
	check_is "and links to it" \
		"$(link_of by-uuid "$(udev_property $DEV ID_FS_UUID)")" "$(readlink -f $DEV)"
	mkdir -p /mnt/a
	mount $DEV /mnt/a
	says "a mounted set is not stopped" 1 "in use|mount|open" dmremapctl stop set
	umount /mnt/a
	check "stop" dmremapctl stop set
	check_fails "the node is gone" test -e $DEV
	check "start all" dmremapctl start --all
	check "the node is back" test -e $DEV
	check "stop all" dmremapctl stop --all
	check "destroy" dmremapctl destroy set --force
	settle
	check_is "nothing is left of it" \
		"$({ props $a && props $c; } | grep -e DMREMAP_SET -e DMREMAP_KIND -e ID_FS_)" ""
}

SLOW_RULES=/run/udev/rules.d/62-slow.rules

slow_rules() {
	mkdir -p "${SLOW_RULES%/*}"
	printf '%s\n' 'SUBSYSTEM=="block", KERNEL=="vd*", ACTION=="change", PROGRAM="/bin/sleep 3"' \
		>$SLOW_RULES
	need udevadm control --reload
}

# What is written while udev's rules look at a member is looked at once more.
test_written_while_looked_at() {
	begin
	need dmremapctl create set --data $a --spare $c --no-start
	settle
	need_is "$(udev_property $a ID_FS_TYPE)" "dm_remap_member"
	slow_rules
	need udevadm trigger --action=change $a $c
	sleep 1.5
	check "destroy" dmremapctl destroy set --force
	settle
	check_is "destroyed: the data device is known to be free" \
		"$(udev_property $a ID_FS_TYPE)" ""
	check_is "so is the spare" "$(udev_property $c DMREMAP_KIND)" ""
	need udevadm trigger --action=change $a $c
	sleep 1.5
	check "create" dmremapctl create set --data $a --spare $c --no-start
	settle
	check_is "created: the data device is known as a member" \
		"$(udev_property $a ID_FS_TYPE)" "dm_remap_member"
	check_is "so is the spare" "$(udev_property $c ID_FS_TYPE)" "dm_remap_member"
	rm $SLOW_RULES
	need udevadm control --reload
	need dmremapctl destroy set --force
	settle
}

# What a crash leaves has no fingerprint: the serial number must tell.
test_adopted_by_serial() {
	begin
	dd if=/dev/urandom of=$a bs=1M count=32 oflag=direct conv=fsync status=none
	check "adopt" dmremapctl create set --data $a --adopt --spare $c
	check_is "the serial number is kept" \
		"$(dmremapctl metadata show set --json | jq -r '.sets[0].data_serial')" "disk-a"
	dmsetup message set 0 relocate 0 10 >/dev/null
	dd if=$c of="$TMP/crashed" bs=1M iflag=direct status=none
	dmremapctl stop set
	check "start finds it" dmremapctl start set
	dmremapctl stop set
	says "R7: another disk of the same size is refused" 1 "disk-a|serial|another" \
		dmremapctl start set --data $b
	dd if="$TMP/crashed" of=$c bs=1M oflag=direct conv=fsync status=none
	says "R7: and so after a crash" 1 "disk-a|serial|another" dmremapctl start set --data $b
	check_fails "nothing runs" dmsetup info set
	check "R7: the right one after a crash" dmremapctl start set --data $a
	dmremapctl stop set
	dd if=$a of=$b bs=1M iflag=direct oflag=direct conv=fsync status=none
	check "R7: its copy, when named, is proved by its content after a clean stop" \
		dmremapctl start set --data $b
	dd if=$c of="$TMP/crashed" bs=1M iflag=direct status=none
	dmremapctl stop set
	dd if="$TMP/crashed" of=$c bs=1M oflag=direct conv=fsync status=none
	says "R7: but not after a crash" 1 "disk-a|serial|another" dmremapctl start set --data $b
	check "destroy" dmremapctl destroy set --force
}

# --- What udev shows ----------------------------------------------------------------

test_members_are_shown() {
	local uuid dev
	begin
	need dmremapctl create set --data $a --spare $c
	uuid=$(dmremapctl list --json | jq -r '.sets[0].uuid')
	settle
	for dev in $a $c; do
		check_is "$dev: type" "$(udev_property "$dev" ID_FS_TYPE)" "dm_remap_member"
		check_is "$dev: use" "$(udev_property "$dev" ID_FS_USAGE)" "raid"
		check_is "$dev: set" "$(udev_property "$dev" DMREMAP_SET_UUID)" "$uuid"
		check_is "$dev: lsblk" \
			"$(lsblk -dno FSTYPE,LABEL,UUID "$dev" | tr -s ' ')" "dm_remap_member set $uuid"
	done
	check_is "the data device" "$(udev_property $a DMREMAP_ROLE)" "data"
	check_is "the spare" "$(udev_property $c DMREMAP_ROLE)" "spare"
	check_fails "no link to a member by the set's UUID" test -e "/dev/disk/by-uuid/$uuid"
	# What lies at the end of the mapped device lies at the end of the raw one.
	need mdadm --create /dev/md9 --run --metadata=0.90 --level=1 --raid-devices=2 \
		$DEV missing
	need mdadm --stop /dev/md9
	settle
	mdadm --stop --scan
	need blockdev --flushbufs $a
	need_is "$(blkid -p -o value -s TYPE $a)" "linux_raid_member"
	need udevadm trigger --action=change $a
	settle
	check_is "a signature at its end is not its own" "$(udev_property $a ID_FS_TYPE)" \
		"dm_remap_member"
	need dmremapctl stop set
	need udevadm trigger --action=change $a
	settle
	check_is "nor when the set is stopped" "$(udev_property $a ID_FS_TYPE)" "dm_remap_member"
	check_fails "md does not take it" grep -q "$(basename "$(readlink -f $a)")" /proc/mdstat
	need dmremapctl destroy set --force
}

test_adopted_is_hidden() {
	local fs=6ba7b810-9dad-11d1-80b4-00c04fd430c8 raw uuid
	begin
	raw=$(readlink -f $a)
	need mkfs.ext4 -q -U $fs -L precious $a
	settle
	check_is "at first it is a file system" "$(link_of by-uuid $fs)" "$raw"
	need dmremapctl create set --adopt --data $a --spare $c
	uuid=$(dmremapctl list --json | jq -r '.sets[0].uuid')
	settle
	check_is "in use: the link is to the set" "$(link_of by-uuid $fs)" "$(readlink -f $DEV)"
	check_is "by label as well" "$(link_of by-label precious)" "$(readlink -f $DEV)"
	check_is "the raw device is a member" "$(udev_property $a ID_FS_TYPE)" "dm_remap_member"
	check_is "systemd does not take it" "$(udev_property $a SYSTEMD_READY)" "0"
	check_is "nor do desktops" "$(udev_property $a UDISKS_IGNORE)" "1"
	check_is "other links stay" "$(readlink -f /dev/disk/by-id/virtio-disk-a)" "$raw"
	check "it is remembered" test -s "/etc/dm-remap/adopted/$uuid"
	need dmremapctl stop set
	settle
	check_fails "stopped: nothing is offered" test -e "/dev/disk/by-uuid/$fs"
	check_is "lsblk" "$(lsblk -dno FSTYPE $a)" "dm_remap_member"
	# As at a boot where the data device comes first: its set is not found yet.
	need dd if=$c of="$TMP/spare" bs=1M iflag=direct status=none
	need dd if=/dev/zero of=$c bs=1M count=16 oflag=direct conv=fsync status=none
	need udevadm trigger --action=add $a
	settle
	check_is "without its spare: hidden" "$(udev_property $a SYSTEMD_READY)" "0"
	check_fails "and not started" runs
	need dd if="$TMP/spare" of=$c bs=1M oflag=direct conv=fsync status=none
	need udevadm trigger --action=add $c
	check "its spare came: started" wait_until 20 is_up
	need dmremapctl stop set
	settle
	need dmremapctl destroy set --force
	settle
	check_is "destroyed: it is a file system again" "$(link_of by-uuid $fs)" "$raw"
	check_is "as udev says" "$(udev_property $a ID_FS_TYPE)" "ext4"
	check_is "for systemd too" "$(udev_property $a SYSTEMD_READY)" ""
	check_fails "forgotten" test -e "/etc/dm-remap/adopted/$uuid"
}

# What was made on top of an adopted device is on the raw one, too, but not all of it.
test_set_on_an_adopted_set() {
	begin
	need dmremapctl create set --adopt --data $a --spare $c
	need dmremapctl create inner --data $DEV --spare $b
	need dmremapctl stop inner
	need dmremapctl stop set
	settle
	need udevadm trigger --action=add $a
	settle
	check_fails "R7: it does not start on the raw device by itself" dmsetup info inner
	says "R7: nor when told to" 1 "set .* has adopted" dmremapctl start inner
	says "nor is the raw device overwritten" 1 "has adopted" \
		dmremapctl create other --data $a --spare $b
	need dmremapctl start set
	check "on top of the set it starts" wait_until 20 dmsetup info inner
	check_is "and nowhere else" \
		"$(dmsetup deps -o blkdevname inner | grep -c "($(basename "$(readlink -f $DEV)"))")" 1
	need dmremapctl stop inner
	need dmremapctl destroy inner --force
	need dmremapctl stop set
	need dmremapctl destroy set --force
}

# A whole disk that is adopted with its partitions.
test_adopted_partitions() {
	begin
	need sgdisk --new 1:0:+8M --new 2:0:+8M $a
	settle
	local part
	part=$(readlink -f $a)1
	need mkfs.ext4 -q -L inside "$part"
	settle
	need_is "$(link_of by-label inside)" "$part"
	need dmremapctl create set --adopt --data $a --spare $c
	settle
	check_is "a partition inside is hidden" "$(udev_property "$part" ID_FS_TYPE)" \
		"dm_remap_member"
	check_is "from systemd" "$(udev_property "$part" SYSTEMD_READY)" "0"
	check_fails "and its label" test -e /dev/disk/by-label/inside
	need dmremapctl stop set
	need dmremapctl destroy set --force
	settle
	check_is "it is shown again" "$(udev_property "$part" ID_FS_TYPE)" "ext4"
	check_is "with its label" "$(link_of by-label inside)" "$part"
}

test_label_is_shown() {
	begin
	need dmremapctl spare label $c --domain shelf --tier 2
	settle
	check_is "type" "$(udev_property $c ID_FS_TYPE)" "dm_remap_spare"
	check_is "domain" "$(udev_property $c DMREMAP_DOMAIN)" "shelf"
	check_is "tier" "$(udev_property $c DMREMAP_TIER)" "2"
	need dd if=$c of="$TMP/before" bs=1M iflag=direct status=none
	need udevadm trigger --action=add $c
	settle
	check "nothing is written to it" cmp "$TMP/before" $c
	check_fails "nothing is started for it" systemctl is-active --quiet 'dm-remap-start@*'
	# Another's content behind a label that it ruined is that other's.
	need dd if=/dev/urandom of=$c bs=512 count=1 seek=1 oflag=direct conv=fsync status=none
	settle
	check_is "a ruined label is none" "$(udev_property $c ID_FS_TYPE)" ""
}

# --- Starting ---------------------------------------------------------------------------

# SCSI disks that go and come; what they hold stays.
unplug() { # DISK
	echo 1 >"/sys/block/${1##*/}/device/delete"
	need wait_until 5 test ! -e "$1"
}

plug() {
	local host
	for host in /sys/bus/pseudo/drivers/scsi_debug/adapter*/host*; do
		echo "- - -" >"/sys/class/scsi_host/${host##*/}/scan"
	done
}

test_hotplug() {
	local disk
	begin
	scsi_disk disk dev_size_mb=16
	need udevadm settle
	need dmremapctl create set --data $a --spare "$disk"
	dd if=/dev/urandom of="$TMP/data" bs=64k count=4 status=none
	need dd if="$TMP/data" of=$DEV bs=64k oflag=direct conv=fsync status=none
	need dmsetup message set 0 relocate 0 8
	need dmremapctl stop set
	settle
	check_fails "stopped by hand: not started" runs
	need udevadm trigger --action=change
	settle
	check_fails "nor by events of its members" runs
	unplug "$disk"
	need udevadm trigger --action=add $a
	settle
	check_fails "R7: not started while a member is missing" runs
	check_is "which is no failure" "$(systemctl --failed --plain --no-legend)" ""
	check "the journal says why" grep -q "is not started: .*missing" \
		<(journal --unit 'dm-remap-start@*' --output cat)
	check_is "which is no warning" \
		"$(journal --unit 'dm-remap-start@*' --priority warning --output cat)" ""
	plug
	check "the member came: started" wait_until 20 is_up
	check "R1: with its content" cmp -n 262144 "$TMP/data" $DEV
	need dmremapctl stop set
	need udevadm trigger --action=add $a
	check "as at boot: started" wait_until 20 is_up
	settle
	need dmremapctl stop set
	need dmremapctl destroy set --force
	settle
	check_is "nothing failed" "$(systemctl --failed --plain --no-legend)" ""
}

# What no disk that comes will mend is told as a warning.
test_refusal_is_a_warning() {
	begin
	need dmremapctl create set --data $a --spare $c
	need dd if=$c of="$TMP/old" bs=1M iflag=direct status=none
	need dmremapctl stop set
	settle
	need dd if="$TMP/old" of=$c bs=1M oflag=direct conv=fsync status=none
	need udevadm trigger --action=add $a
	settle
	check_fails "R7: metadata that do not fit together: not started" runs
	check "the journal warns" grep -q "Set set is not started: " \
		<(journal --unit 'dm-remap-start@*' --priority warning --output cat)
	check "with what to do" grep -q "dmremapctl " \
		<(journal --unit 'dm-remap-start@*' --priority warning --output cat)
	check_is "which is no failure" "$(systemctl --failed --plain --no-legend)" ""
	wipefs -qa $a $c
}

test_created_is_left_alone() {
	begin
	need dmremapctl create set --data $a --spare $c --no-start
	settle
	sleep 1
	check_fails "creating it does not start it" runs
	need dmremapctl destroy set --force
	settle
	need udevadm trigger --action=add $a $c
	settle
	check_fails "destroyed: nothing to start" runs
	# While udev looks at its members.
	for ((i = 0; i < 3; i++)); do
		udevadm trigger --action=add $a $c
		need dmremapctl create set --data $a --spare $c --force
		udevadm trigger --action=add $a $c
		need dmremapctl stop set
		settle
		runs && need dmremapctl stop set
		need dmremapctl destroy set --force
	done
	settle
	check_is "create and destroy among events: nothing failed" \
		"$(systemctl --failed --plain --no-legend)" ""
}

test_at_once() {
	local pids=() pid failed=0 i
	begin
	need dmremapctl create set --data $a --spare $c
	need dmremapctl stop set
	for ((i = 0; i < 4; i++)); do
		dmremapctl start --auto $a >"$TMP/auto-a$i" 2>&1 &
		pids+=($!)
		dmremapctl start --auto $c >"$TMP/auto-c$i" 2>&1 &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || failed=$((failed + 1))
	done
	check_is "eight at once: none failed" "$failed" 0
	check_is "one started it" "$(grep -l 'is running: ' "$TMP"/auto-* | wc -l)" 1
	check_is "the others say so" "$(grep -l 'is running already' "$TMP"/auto-* | wc -l)" 7
	says "one more" 0 "running already" dmremapctl start --auto $a
	says "no member" 0 "no member" dmremapctl start --auto $b
	says "no such device" 0 "gone" dmremapctl start --auto /dev/nothing
	says "not with a name" 2 "either" dmremapctl start --auto $a set
	need dmremapctl stop set
	need dmremapctl destroy set --force
}

# Reads of these sectors of a SCSI disk fail, or not.
broken() { echo 2 >/sys/bus/pseudo/drivers/scsi_debug/opts; }
mended() { echo 0 >/sys/bus/pseudo/drivers/scsi_debug/opts; }

# Nothing tells what it is but what it is known by, and its beginning can not be read.
test_adopted_unreadable() {
	local disk
	begin
	scsi_disk disk dev_size_mb=32 medium_error_start=0 medium_error_count=256
	need udevadm settle
	need mkfs.ext4 -q -L precious "$disk"
	need dmremapctl create set --adopt --data "$disk" --spare $c
	need dmremapctl stop set
	settle
	broken
	check_fails "its beginning can not be read" \
		dd if="$disk" bs=4096 count=1 iflag=direct of=/dev/null status=none
	says "it is known" 0 "DMREMAP_KIND=adopted" dmremapctl udev "$disk"
	unplug "$disk"
	plug
	need wait_until 10 test -e "$disk"
	check "it came: started" wait_until 20 is_up
	settle
	check_is "shown for what it is" "$(udev_property "$disk" ID_FS_TYPE)" "dm_remap_member"
	check_is "and hidden" "$(udev_property "$disk" SYSTEMD_READY)" "0"
	need dmremapctl stop set
	says "start --auto" 0 "is running" dmremapctl start --auto "$disk"
	check_fails "R3: what can not be read is an error" \
		dd if=$DEV bs=4096 count=1 iflag=direct of=/dev/null status=none
	check "R1: the rest is there" cmp -i 1048576 "$disk" $DEV
	need dmremapctl stop set
	mended
	need dmremapctl destroy set --force
	settle
	broken
	says "destroyed: an error" 1 "can not be read" dmremapctl udev "$disk"
	mended
	check_is "nothing failed" "$(systemctl --failed --plain --no-legend)" ""
}

# A member that can not be read when it appears, as one that is not ready yet.
test_readable_later() {
	local disk
	begin
	scsi_disk disk dev_size_mb=16 medium_error_start=0 medium_error_count=256
	need udevadm settle
	need dmremapctl create set --data $a --spare "$disk"
	need dmremapctl stop set
	settle
	broken
	unplug "$disk"
	plug
	need wait_until 10 test -e "$disk"
	settle
	check_is "it is not known" "$(udev_property "$disk" DMREMAP_KIND)" ""
	check_fails "nor started" runs
	mended
	need udevadm trigger --action=change "$disk"
	check "it can be read: started" wait_until 20 is_up
	settle
	need dmremapctl stop set
	need udevadm trigger --action=change "$disk"
	settle
	check_fails "once" runs
	need dmremapctl destroy set --force
	settle
	check_is "nothing failed" "$(systemctl --failed --plain --no-legend)" ""
}

# A loop device exists before it has content.
test_loop_member() {
	local loop
	begin
	loop_disk loop 16
	settle
	need dmremapctl create set --data $a --spare "$loop"
	need dmremapctl stop set
	settle
	need losetup -d "$loop"
	settle
	check_fails "not started without it" runs
	losetup "$loop" "$(ls "$TMP"/loop.*)"
	check "started when it gets its content" wait_until 20 is_up
	need dmremapctl stop set
	settle
	need dmremapctl destroy set --force
}

# A spare that does not come. Off by default; it is asked for after some time.
quick_timer() {
	local dir=/run/systemd/system/dm-remap-degraded@.timer.d
	mkdir -p $dir
	printf '[Timer]\nOnActiveSec=\nOnActiveSec=2s\n' >$dir/quick.conf
	systemctl daemon-reload
}

degraded_log() {
	journal --unit 'dm-remap-degraded@*' --output cat
}

timer_asked() { # TEXT
	degraded_log | grep -q "$1"
}

test_degraded() {
	local disk timer
	begin
	quick_timer
	scsi_disk disk dev_size_mb=16
	need udevadm settle
	need dmremapctl create set --data $a --spare "$disk"
	need dmremapctl stop set
	need udevadm trigger --action=add $a
	check "complete: started" wait_until 20 is_up
	timer=dm-remap-degraded@$(dmremapctl status set --json | jq -r .sets[0].uuid).timer
	need dmremapctl stop set
	# Where a start takes long it has asked while the set was running.
	systemctl is-active --quiet "$timer" || need systemctl start "$timer"
	need wait_until 20 timer_asked "start-degraded is off"
	check_fails "stopped, and not started by the timer" runs
	unplug "$disk"
	need udevadm trigger --action=add $a
	sleep 4
	settle
	check_fails "not configured: not started" runs
	daemon_config degraded.conf <<-EOF
		[start]
		start-degraded = on
		[set set]
		start-degraded = off
	EOF
	need udevadm trigger --action=add $a
	sleep 4
	settle
	check_fails "off for this set: not started" runs
	daemon_config degraded.conf <<-EOF
		[set set]
		start-degraded = on
	EOF
	need udevadm trigger --action=add $a
	check "on for this set: started" wait_until 20 is_up
	settle
	check_like "degraded" "$(dmsetup table set)" "*degraded*"
	check_is "nothing failed" "$(systemctl --failed --plain --no-legend)" ""
	need dmremapctl stop set
	plug
	check "its spare is back: whole again" wait_until 20 is_up
	settle
	[[ $(dmsetup table set) != *degraded* ]] && passed "not degraded" ||
		failed "not degraded" "$(dmsetup table set)"
	need dmremapctl stop set
	daemon_config degraded.conf <<-EOF
		[start]
		start-degraded = on
	EOF
	sleep 4
	check_fails "a complete set that was stopped stays so" runs
	need dmremapctl destroy set --force
	rm -r /run/systemd/system/dm-remap-degraded@.timer.d
	systemctl daemon-reload
}

# --- Units ------------------------------------------------------------------------------

exposure() { # UNIT [OPTION]
	systemd-analyze security --no-pager "$@" | sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p'
}

test_sandbox() {
	local level
	for level in "$(exposure dmremapd.service)" \
		"$(exposure --offline=true /usr/lib/systemd/system/dmremapd.service)"; do
		check "exposure of dmremapd.service is 3.0 or better: $level" \
			awk "BEGIN { exit !(${level:-10} <= 3.0) }"
	done
	daemon_start
	check_is "OOM" "$(cat "/proc/$(daemon_pid)/oom_score_adj")" "-900"
	check "its memory is locked" grep -q 'VmLck:[[:space:]]*[1-9]' "/proc/$(daemon_pid)/status"
	check_is "the watchdog is on" "$(systemctl show -P WatchdogUSec dmremapd.service)" "30s"
	daemon_kill
	check "it comes back" wait_until 20 daemon_runs
}

# As the unit has the daemon make it: anyone may read it, and it alone write.
test_history_for_anyone() {
	local state
	begin
	daemon_start
	need dmremapctl create set --data $a --spare $c
	need dmsetup message set 0 relocate 0 10
	need wait_until 20 has_event relocated
	for state in running stopped; do
		says "the daemon is $state" 0 "relocated" \
			setpriv --reuid 65534 --regid 65534 --clear-groups dmremapctl event list
		[[ $state == stopped ]] || daemon_stop
	done
	check_is "no one else writes" \
		"$(find /var/lib/dm-remap -name 'history*' -perm /022)" ""
	need dmremapctl stop set
	need dmremapctl destroy set --force
}

has_event() { # KIND
	dmremapctl event list --kind "$1" 2>/dev/null | grep -qw "$1"
}

test_units() {
	local bad
	check_is "systemd-analyze verify" "$(systemd-analyze verify --man=no \
		/usr/lib/systemd/system/dm{remap,-remap-}* 2>&1)" ""
	begin
	need dmremapctl create set --data $a --spare $c
	bad=$(udevadm test --action=change "/sys/class/block/$(basename "$(readlink -f $a)")" 2>&1 |
		grep -i 'dm-remap.rules.*\(invalid\|unknown\|ignor\|fail\)' || true)
	check_is "udev has nothing to say about the rules" "$bad" ""
	need dmremapctl stop set
	need dmremapctl destroy set --force
}
