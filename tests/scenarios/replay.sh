# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R2, R3: power cuts once more, with the kernel's own recorder (dm-log-writes) below all
# members, which keeps one order for them, and a model that shares nothing with the torture
# tests. The set is started from every fourth state that a flush or FUA write stood for, and SEED
# says which these are.
# Timeout: 300
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

SECTORS=384 # of the device, which are looked at
ROUNDS=14
BASE=8 # members begin here on the disk, so that none is seen on the disk itself

# The members, all on one disk.
members() { # DISK
	dm_make data "0 16384 linear $1 $BASE"
	dm_make one "0 16384 linear $1 $((BASE + 16384))"
	dm_make two "0 16384 linear $1 $((BASE + 32768))"
}

start_set() {
	dmremapctl start set --data /dev/mapper/data >"$TMP/start" 2>&1
}

mark() { dmsetup message log 0 mark "$1"; }

# Writes of a round; what they wrote is durable when it is over.
declare -A round_of # "ROUND SECTOR": it was written in it
write_round() { # ROUND
	local i at nr s
	for ((i = 0; i < 5; i++)); do
		at=$((RANDOM % SECTORS))
		nr=$((1 + RANDOM % 20))
		((at + nr <= SECTORS)) || nr=$((SECTORS - at))
		need write_sectors /dev/mapper/set "$at" "$nr" "$1"
		for ((s = at; s < at + nr; s++)); do
			round_of[$1 $s]=1
		done
	done
	need sync /dev/mapper/set
}

# What an administrator does, and what the disk does, between two rounds.
disturb() { # ROUND
	case $1 in
	2 | 5 | 8)
		s=$((RANDOM % SECTORS))
		lost[$s]=$1
		bad "$disk" $((BASE + offset + s))
		;;
	3) need message set relocate 7 4 ;;
	4) need dmremapctl stop set && need start_set ;;
	6) bad "$disk" $((BASE + 16384 + 8192)) $((BASE + 16384 + 16383)) ;;
	9) need message set release 8 1 ;;
	10) need dmsetup suspend set && need dmsetup resume set ;;
	11) need dmremapctl spare remove set /dev/mapper/one --force ;;
	12) need dmremapctl scrub start set ;;
	esac
}

# What does not fit: each sector is as the rounds that are over left it, or of the one
# after. One that went bad may be an error until it is written again.
declare -A lost # SECTOR: it went bad before that round
wrong_sectors() { # LAST-ROUND <RUNS
	local run first last s r seen may
	for run in $(cat); do
		IFS=:- read -r first last seen <<<"$run"
		for ((s = first; s <= last; s++)); do
			for ((r = $1; r > 0; r--)); do
				[[ ! ${round_of[$r $s]:-} ]] || break
			done
			[[ $seen != "$r" ]] || continue
			[[ ! ${round_of[$(($1 + 1)) $s]:-} || $seen != $(($1 + 1)) ]] || continue
			[[ $seen != E* || ! ${lost[$s]:-} || $r -ge ${lost[$s]} ]] || continue
			echo "after round $1: $s is $seen, not $r"
		done
	done
}

test_replay() {
	local disk copy cow log offset next=0 line round states=0 starts=0 bad="" s
	RANDOM=$SEED
	modprobe dm-log-writes
	null_disk disk 32 cache_size=1
	null_disk log_disk 256
	dm_make log "0 $(sectors_of "$disk") log-writes $disk $log_disk"
	members /dev/mapper/log
	make_set set /dev/mapper/data /dev/mapper/one /dev/mapper/two
	offset=$(offset_of set)
	need write_sectors /dev/mapper/set 0 $SECTORS 0
	need sync /dev/mapper/set
	need mark 0
	for ((round = 1; round <= ROUNDS; round++)); do
		disturb $round
		write_round $round
		need mark $round
	done
	check_like "blocks were moved" "$(status set remapped)" "[1-9]*"
	need dmremapctl stop set
	dmsetup remove data one two
	dmsetup remove log

	null_disk copy 32 cache_size=1
	null_disk cow 32
	modprobe dm-snapshot
	while line=$(/src/build/tests/tools/replay-log "$log_disk" "$copy" "$next"); do
		read -r next round <<<"$line"
		states=$((states + 1))
		[[ $round != - ]] || continue
		((states % 4 == SEED % 4)) || continue
		dm_make cut "0 $(sectors_of "$copy") snapshot $copy $cow N 8"
		members /dev/mapper/cut
		if start_set; then
			starts=$((starts + 1))
			bad+=$(sectors /dev/mapper/set 0 $SECTORS | wrong_sectors "$round")
			need dmremapctl stop set
		else
			bad+="after round $round, entry $next: $(cat "$TMP/start")"$'\n'
		fi
		dmsetup remove data one two
		dmsetup remove cut
	done
	check_that "many states were tried" "$starts" "> 20"
	check_is "R2, R3: each starts, and holds what was flushed" "$bad" ""
}
