# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmremapd acts: it saves what turns slow before it dies, adds labelled spares and
# nothing else, reads SMART of the disks below, and can be told not to.
# VM: --systemd
# Timeout: 180
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

FIRST=5000 COUNT=200 # the region that fails, in blocks

# The MESSAGE_ID of an alert, by its name in the header.
id_of() { # NAME
	awk -v name="DMREMAP_MESSAGE_$1" '$2 == name { gsub("\"", "", $3); print $3 }' \
		/src/daemon/messages.h
}

told() { # NAME [FIELD=VALUE...]
	daemon_log "MESSAGE_ID=$(id_of "$1")" "${@:2}" | wc -l
}

was_told() { # NAME [FIELD=VALUE...]
	(($(told "$@") > 0))
}

# --- Acting before loss ----------------------------------------------------------------

# The data device as it is, but for a region.
region() { # "delay MS" | error
	local at length rest
	at=$(($(offset_of set) + FIRST * 8)) length=$((COUNT * 8))
	rest=$(($(sectors_of "$data") - at - length))
	{
		echo "0 $at linear $data 0"
		case $1 in
		delay*) echo "$at $length delay $data $at ${1#delay }" ;;
		error) echo "$at $length error" ;;
		esac
		echo "$((at + length)) $rest linear $data $((at + length))"
	} | dmsetup load under
	dmsetup suspend --nolockfs --noflush under
	dmsetup resume under
}

slow_set() {
	modprobe dm-delay
	null_disk data 64
	null_disk spare 32
	dm_make under "$(linear_table "$data")"
	make_set set /dev/mapper/under "$spare"
	write_sectors /dev/mapper/set $(((FIRST - 500) * 8)) $(((COUNT + 1000) * 8)) 7
}

slow_is_known() {
	[[ $(dmremapctl policy show set --json | jq '.. | .slow_ms? // empty' | head -n 1) == 250 ]]
}

touch_blocks() { # BLOCK...
	local block
	for block; do
		dd if=/dev/mapper/set of=/dev/null bs=4096 skip="$block" count=1 iflag=direct \
			status=none
	done
}

# Blocks of the region whose every sector reads as it was written.
readable() {
	local words word range n=0
	words=$(sectors /dev/mapper/set $((FIRST * 8)) $((COUNT * 8)))
	for word in $words; do
		[[ ${word#*:} == 7 ]] || continue
		range=${word%:*}
		n=$((n + ${range#*-} - ${range%-*} + 1))
	done
	echo $((n / 8))
}

# $3 s after a reader met it the region is dead.
slow_then_dead() { # MILLISECONDS SECONDS BLOCK...
	local n
	slow_set
	daemon_start
	need wait_until 20 slow_is_known
	check_is "nothing was moved yet" "$(map_remapped set | wc -w)" 0
	region "delay $1"
	touch_blocks "${@:3}"
	sleep "$2"
	region error
	n=$(readable)
	echo "# $n of $COUNT blocks saved"
	check_that "blocks that can be read of $COUNT" "$n" ">= COUNT * 95 / 100"
	n=$(status set used)
	echo "# $n blocks moved"
	check_that "few healthy ones were moved with them" "$n" "<= COUNT + 150"
	check "the journal tells" wait_until 15 was_told MOVED_AHEAD
	check_like "how many, and where" "$(daemon_log "MESSAGE_ID=$(id_of MOVED_AHEAD)")" \
		"*moved*Between blocks*"
	check_that "in few words" "$(told MOVED_AHEAD)" "<= 10"
	check_is "what lies around is as it was" \
		"$(sectors /dev/mapper/set $(((FIRST - 400) * 8)) 3200)" \
		"$(((FIRST - 400) * 8))-$((FIRST * 8 - 1)):7"
}

test_watch_slow_then_dead() {
	slow_then_dead 500 20 $((FIRST + 30)) $((FIRST + 100)) $((FIRST + 160))
}

# At the worst time for it: very slow, and one block alone was touched.
test_watch_very_slow() {
	slow_then_dead 1500 45 $((FIRST + 190))
}

test_watch_slow_switched_off() {
	printf '[relocate]\nrelocate-slow = off\n' | daemon_config
	slow_set
	daemon_start
	need wait_until 20 slow_is_known
	region "delay 500"
	touch_blocks $((FIRST + 30)) $((FIRST + 100))
	sleep 5
	check_is "nothing is moved" "$(status set used)" 0
	check_is "nothing is told" "$(told MOVED_AHEAD)" 0
}

# Not above the budget, nor after a restart of the daemon.
test_watch_slow_budget() {
	printf '[relocate]\nrelocate-budget = 40\n' | daemon_config
	slow_set
	daemon_start
	need wait_until 20 slow_is_known
	region "delay 400"
	touch_blocks $((FIRST + 30)) $((FIRST + 100)) $((FIRST + 160))
	check "the end of the budget is told" wait_until 20 was_told BUDGET_USED
	daemon_restart
	touch_blocks $((FIRST + 60)) $((FIRST + 190))
	sleep 5
	check_that "no more than the budget was moved" "$(status set used)" "<= 40"
	check_is "told once" "$(told BUDGET_USED)" 1
}

# Blocks beside one that is lost.
test_watch_neighbours() {
	local offset
	null_disk data 64
	null_disk spare 16
	make_set set "$data" "$spare"
	write_sectors /dev/mapper/set 8000 1600 7
	offset=$(offset_of set)
	printf '[relocate]\nneighbour-distance = 8\n' | daemon_config
	daemon_start
	bad "$data" $((offset + 8800)) $((offset + 8807))
	touch_blocks 1100 2>/dev/null || true
	check "its neighbours are moved" wait_until 10 eval '(($(status set used) >= 16))'
	sleep 2
	check_is "those and no others" "$(status set used)" 16
	check_is "the content is the same" "$(sectors /dev/mapper/set 8736 64)" "8736-8799:7"
	check "the journal tells" wait_until 15 was_told MOVED_AHEAD
}

# --- Labelled spares -----------------------------------------------------------------------

# A set whose spare is full.
full_set() { # NAME DATA SPARE
	make_set "$1" "$2" "$3"
	local free
	free=$(($(status "$1" slots) - $(status "$1" used)))
	dmremapctl map relocate "$1" "0-$((free - 1))" >/dev/null 2>&1 || true
	need_is "$(status "$1" used)" "$(status "$1" slots)"
}

spares_of() { # SET
	dmremapctl spare list "$1" --json | jq '.spares | length'
}

has_spares() { # SET NUMBER
	(($(spares_of "$1") == $2))
}

# Milliseconds until the command succeeds, at most 15 seconds.
how_long() { # COMMAND...
	local begun=${EPOCHREALTIME/./} now=0
	until "$@" >/dev/null 2>&1; do
		now=$(((${EPOCHREALTIME/./} - begun) / 1000))
		((now < 15000)) || break
		sleep 0.1
	done
	echo $(((${EPOCHREALTIME/./} - begun) / 1000))
}

quiet_rules() {
	printf '[relocate]\nrelocate-slow = off\nrelocate-neighbours = off\n'
}

scsi_gone() { # DISK
	echo 1 >"/sys/block/${1##*/}/device/delete"
	udevadm settle
}

scsi_back() {
	local host
	for host in /sys/class/scsi_host/*; do
		[[ $(cat "$host/proc_name") != scsi_debug ]] || echo "- - -" >"$host/scan"
	done
}

# A labelled disk is plugged in while the set is full; others are there, without a label.
test_watch_plugged_in() {
	local sums ms
	quiet_rules | daemon_config
	null_disk data 64
	null_disk small 4
	null_disk empty 64
	null_disk used 32
	loop_disk image 32
	dd if=/dev/urandom of="$used" bs=1M count=4 status=none oflag=direct
	scsi_disk plug dev_size_mb=64
	need dmremapctl spare label "$plug"
	scsi_gone "$plug"
	full_set set "$data" "$small"
	sums=$(md5sum "$empty" "$used" "$image")
	daemon_start
	check "that no spare fits is told" wait_until 10 was_told NO_SPARE_FOUND
	check_is "none of those without a label was taken" "$(spares_of set)" 1
	scsi_back
	ms=$(how_long has_spares set 2)
	echo "# in use after $ms ms"
	check_that "in use within 5 s" "$ms" "<= 5000"
	check "told" wait_until 5 was_told SPARE_ADDED
	check "its end too" wait_until 10 was_told NO_SPARE_FOUND_END
	check "and in the history" wait_until 5 eval \
		'[[ $(dmremapctl event list set --kind act) == *" spare-added "*"$plug"* ]]'
	check "beside what the module told" eval \
		'[[ $(dmremapctl event list set --kind spare-joined) == *" spare-joined "* ]]'
	check "who follows is told too" eval \
		'[[ $(timeout 5 dmremapctl event follow set --kind act) == *" spare-added "* ]]'
	check_that "R8: there is room" "$(status set slots)" "> $(status set used)"
	check "a new failure is relocated" dmremapctl map relocate set 5000-5010
	sleep 3
	check_is "one is enough" "$(spares_of set)" 2
	check_is "what had no label is byte for byte as it was" \
		"$(md5sum "$empty" "$used" "$image")" "$sums"
	check_is "nothing was written there" "$(io_count "$empty" 4)" 0
}

# A device that never answers is there before, and appears meanwhile.
test_watch_beside_a_hung_one() {
	local ms
	quiet_rules | daemon_config
	null_disk data 64
	null_disk small 4
	null_disk under 16
	null_disk below 16
	scsi_disk plug dev_size_mb=64
	need dmremapctl spare label "$plug"
	scsi_gone "$plug"
	full_set set "$data" "$small"
	dm_make hung "$(linear_table "$under")"
	udevadm settle
	need dmsetup suspend hung
	daemon_start
	check "that no spare fits is told" wait_until 10 was_told NO_SPARE_FOUND
	dm_make hangs "$(linear_table "$below")"
	need dmsetup suspend hangs
	scsi_back
	ms=$(how_long has_spares set 2)
	echo "# in use after $ms ms"
	check_that "in use within 5 s" "$ms" "<= 5000"
	check "told" wait_until 5 was_told SPARE_ADDED
	dmsetup resume hung
	dmsetup resume hangs
}

# The other way round: it is there, and the set becomes full.
test_watch_becomes_full() {
	local ms
	quiet_rules | daemon_config
	printf '[spares]\nspare-threshold = 0\nspare-domain = lab\n' | daemon_config 10.conf
	null_disk data 64
	null_disk small 4
	null_disk wrong 64
	null_disk right 64
	make_set set "$data" "$small"
	need dmremapctl spare label "$wrong"
	need dmremapctl spare label "$right" --domain lab --tier 3
	daemon_start
	sleep 4
	check_is "not before it is needed" "$(spares_of set)" 1
	dmremapctl map relocate set "0-$(($(status set slots) - 1))" >/dev/null
	ms=$(how_long has_spares set 2)
	echo "# in use after $ms ms"
	check_that "in use within 5 s" "$ms" "<= 5000"
	check_fails "the one of the domain" dmremapctl spare unlabel "$right"
	check "not the other" dmremapctl spare unlabel "$wrong"
}

# Two sets want the one spare: one gets it whole.
test_watch_two_sets() {
	local one two
	quiet_rules | daemon_config
	null_disk data 32
	null_disk small 4
	null_disk other 32
	null_disk little 4
	null_disk spare 64
	full_set one "$data" "$small"
	full_set two "$other" "$little"
	daemon_start
	check "both want one" wait_until 10 eval '(($(told NO_SPARE_FOUND) == 2))'
	need dmremapctl spare label "$spare"
	check "one gets it" wait_until 10 was_told SPARE_ADDED
	sleep 3
	check_is "and one only" "$(($(spares_of one) + $(spares_of two)))" 3
	check_is "told once" "$(told SPARE_ADDED) $(told SPARE_ADD_FAILED)" "1 0"
	check "it is whole" dmremapctl metadata verify one
	check "the other too" dmremapctl metadata verify two
}

test_watch_spares_switched_off() {
	{
		quiet_rules
		printf '[set set]\nspare-auto = off\n'
	} | daemon_config
	null_disk data 32
	null_disk small 4
	null_disk spare 64
	full_set set "$data" "$small"
	need dmremapctl spare label "$spare"
	daemon_start
	sleep 6
	check_is "it is not taken" "$(spares_of set)" 1
	check "its label is there" dmremapctl spare unlabel "$spare" --dry-run
	quiet_rules | daemon_config
	daemon_reload
	check "switched on again it is" wait_until 10 has_spares set 2
}

# --- SMART -----------------------------------------------------------------------------------

fake_smartctl() { # BODY
	cat >/usr/local/bin/smartctl-fake <<-END
		#!/bin/sh
		echo "\$*" >>/run/dm-remap/smart-asked
		$1
	END
	chmod 755 /usr/local/bin/smartctl-fake
}

asked() { # TEXT
	grep -cF -- "$1" /run/dm-remap/smart-asked
}

test_watch_smart() {
	printf '[smart]\nsmartctl = /usr/local/bin/smartctl-fake\n' | daemon_config
	fake_smartctl 'cat /src/tests/unit/smartctl/ata.json'
	scsi_disk disk dev_size_mb=64
	null_disk spare 16
	dm_make under "$(linear_table "$disk")"
	make_set set /dev/mapper/under "$spare"
	daemon_start
	check "the disk below is asked" wait_until 20 asked "--json -n standby -a $disk"
	check_is "once, and no other" "$(wc -l </run/dm-remap/smart-asked)" 1
	check_is "it is in order" "$(told DISK_FAILING)" 0
	check_like "what is lost heals in place" "$(message set policy)" "heal in-place *"
	daemon_stop
	fake_smartctl 'cat /src/tests/unit/smartctl/ata-failing.json; exit 24'
	daemon_start
	check "that it fails is told" wait_until 20 was_told DISK_FAILING
	check_like "by name" "$(daemon_log "MESSAGE_ID=$(id_of DISK_FAILING)")" "*$disk*"
	heals_to_spare() { [[ $(message set policy) == "heal spare "* ]]; }
	check "nothing is healed on a drive that fails" wait_until 10 heals_to_spare
	daemon_stop
	fake_smartctl 'sleep 1000'
	daemon_start
	sleep 8
	check "one that hangs holds up nothing" dmremapctl list
	daemon_stop
	check_is "it is killed with the daemon" "$(pgrep -f smartctl-fake | wc -l)" 0
}
