# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R6: concurrent I/O to blocks that move. See "race" in sectors.c: of each
# sector only what was written, and nothing that an acknowledged write replaced.
# shellcheck disable=SC2034,SC2154 # variables of lib.sh
# Timeout: 90

race() { # SECONDS [OPTION...]
	/src/build/tests/sectors race $dev 0 1024 "$@"
}

# A race again and again until the set has counted more than NR; in a slow kernel one does little.
race_until() { # WORD NR COMMAND...
	local word=$1 nr=$2 round
	shift 2
	for ((round = 0; round < ${PATIENCE:-3}; round++)); do
		"$@" || return
		(($(status set "$word") <= nr)) || return 0
	done
}

repeat() { # COMMAND...
	while [[ ! -e $TMP/stop ]]; do
		"$@" >>"$TMP/repeat" 2>&1
	done
}

# A race, while COMMAND is repeated beside it, until WORD of the status is above NR.
race_with() { # WHAT SECONDS WORD NR COMMAND...
	local what=$1 seconds=$2 word=$3 nr=$4 other
	shift 4
	rm -f "$TMP/stop"
	repeat "$@" &
	other=$!
	check "$what" race_until "$word" "$nr" race "$seconds"
	touch "$TMP/stop"
	wait $other || true
}

test_writers_of_bad_blocks() {
	simple_set
	set_bad 100 160
	set_bad 300
	set_bad 801 803
	check "R6: many writers and readers of blocks that go bad" race 5
	check_that "R5: blocks were relocated" "$(status set relocated)" "> 0"
	check_is "R1: nothing was lost" "$(status set lost)" "0"
}

# New bad blocks appear all the time. A sector that goes bad under its content
# is lost; errors of reads are right, errors of writes are not.
test_blocks_go_bad_meanwhile() {
	simple_set
	worse() {
		set_bad $((RANDOM % 1024))
		sleep 0.02
	}
	rm -f "$TMP/stop"
	repeat worse &
	check "R6: while sectors go bad all writes succeed and no read lies" \
		race_until relocated 10 race 6 --errors
	touch "$TMP/stop"
	wait
	check_that "R5: blocks were relocated" "$(status set relocated)" "> 10"
	check_is "R8: no relocation failed" "$(status set relocate_failed)" "0"
}

relocate_and_release() {
	message set relocate $((RANDOM % 100)) 20
	message set release $((RANDOM % 100)) 25
}

test_relocate_and_release() {
	simple_set
	race_with "R6: blocks move to the spare and back under I/O" 6 released 20 relocate_and_release
	check_that "blocks moved" "$(status set relocated)" "> 20"
	check_that "and back" "$(status set released)" "> 20"
	check_is "no message failed" "$(grep -c 'failed [1-9]' "$TMP/repeat" || true)" "0"
}

test_relocate_and_release_small_blocks() {
	simple_set --block-size 512
	relocate_more() {
		message set relocate $((RANDOM % 800)) 160
		message set release $((RANDOM % 800)) 200
	}
	race_with "R6: the same with blocks of 512 bytes" 5 released 20 relocate_more
	check_that "blocks moved and back" "$(status set released)" "> 20"
}

# Writes are on their way for some time, and their block moves meanwhile.
slow_writes() { # [POLICY-WORD...]
	modprobe dm-delay
	null_disk disk1 32
	null_disk disk2 16
	dm_make data "$(linear_table "$disk1")"
	dm_make spare "$(linear_table "$disk2")"
	make_set set /dev/mapper/data /dev/mapper/spare
	dev=/dev/mapper/set
	(($# == 0)) || message set policy "$@" >/dev/null
	dm_swap data "0 $(sectors_of "$disk1") delay $disk1 0 0 $disk1 0 12"
	dm_swap spare "0 $(sectors_of "$disk2") delay $disk2 0 0 $disk2 0 6"
	some() {
		message set relocate $((RANDOM % 16)) 12
		message set release $((RANDOM % 16)) 16
	}
	rm -f "$TMP/stop"
	repeat some &
	check "R6: blocks move while writes of them are on their way" \
		race_until released 20 /src/build/tests/sectors race $dev 0 224 8 --writers 12 --readers 2 --size 16
	touch "$TMP/stop"
	wait
	check_that "blocks moved and back" "$(status set released)" "> 20"
	check_that "R6: writes that missed their block were repeated" "$(status set redone)" "> 0"
	dm_swap data "$(linear_table "$disk1")"
	dm_swap spare "$(linear_table "$disk2")"
}

test_slow_writes() {
	slow_writes
}

# What ends on the fast path when its time was taken as well.
test_slow_writes_timed() {
	slow_writes slow-ms 60000
}

# Who waits for a disk that takes seconds to fail waits for few others: 6 writes fail,
# each after some 4 s, and commits are shared only by those of a few seconds.
test_slow_errors() {
	local nr
	modprobe dm-delay
	null_disk disk1 32
	null_disk disk2 16
	dm_make data "$(linear_table "$disk1")"
	make_set set /dev/mapper/data "$disk2"
	for ((nr = 0; nr < 6; nr++)); do
		bad "$disk1" $(($(offset_of set) + 100 + 16 * nr))
	done
	dm_swap data "0 $(sectors_of "$disk1") delay $disk1 0 200"
	for ((nr = 0; nr < 6; nr++)); do
		(
			dd if=/dev/zero of=/dev/mapper/set bs=512 count=1 oflag=direct \
				seek=$((100 + 16 * nr)) &>/dev/null
			echo "$EPOCHSECONDS" >"$TMP/done$nr"
		) &
	done
	wait
	check_is "R1: all writes succeeded, and moved their blocks" "$(status set relocated)" "6"
	mapfile -t ended < <(cat "$TMP"/done* | sort -n)
	# The first begins alone; without a bound all others would end together.
	check_that "R6: some end while others still wait" "$((ended[5] - ended[1]))" "> 3"
}

# Writes go on failing on a slow disk; who asks for something meanwhile has his turn.
test_request_among_errors() {
	local nr off begun
	modprobe dm-delay
	null_disk disk1 32
	null_disk disk2 16
	dm_make data "$(linear_table "$disk1")"
	make_set set /dev/mapper/data "$disk2"
	off=$(offset_of set)
	for ((nr = 0; nr < 200; nr++)); do
		echo "+$((off + 16 * nr))-$((off + 16 * nr))"
	done >"$NULLB/${disk1##*/}/badblocks"
	dm_swap data "0 $(sectors_of "$disk1") delay $disk1 0 25"
	for ((nr = 0; nr < 40; nr++)); do
		dd if=/dev/zero of=/dev/mapper/set bs=8k count=5 oflag=direct \
			seek=$((5 * nr)) &>/dev/null &
	done
	sleep 2
	begun=$EPOCHSECONDS
	check "R5: a block is moved on request" message set relocate 7000 1
	check_that "R6: while writes fail all the time" "$(status set relocated)" "< 120"
	echo "# after $((EPOCHSECONDS - begun)) s"
	wait
	check_is "R1: all writes succeeded, and moved their blocks" "$(status set relocated)" "201"
}

# Slots are few, so that they are taken again at once, and reads from them are
# slow: one that is on its way to a slot must not see the next block there.
test_slots_are_reused() {
	local slots
	modprobe dm-delay
	null_disk data 32
	null_disk disk 4
	dm_make spare "$(linear_table "$disk")"
	make_set set "$data" /dev/mapper/spare
	dev=/dev/mapper/set
	off=$(offset_of set)
	slots=$(status set slots)
	need message set relocate 1000 $((slots - 24))
	need_is "$(($(status set slots) - $(status set used)))" "24"
	dm_swap spare "0 $(sectors_of "$disk") delay $disk 0 25 $disk 0 0"
	some() {
		message set relocate $((RANDOM % 16)) 12
		message set release 0 28
	}
	rm -f "$TMP/stop"
	repeat some &
	check "R1: slots are given to other blocks while they are read" race_until released 20 \
		/src/build/tests/sectors race $dev 0 224 8 --readers 12 --writers 2 --size 4
	touch "$TMP/stop"
	wait
	check_that "blocks moved and back" "$(status set released)" "> 20"
	dm_swap spare "$(linear_table "$disk")"
}

# With the fsync()s of other writers.
test_relocate_verify() {
	simple_set
	rm -f "$TMP/stop"
	repeat relocate_and_release &
	check "R6: fio verifies while blocks move" race_until released 5 \
		fio_verify $dev --rw=randwrite --bsrange=512-32k --blockalign=512 --iodepth=16 \
		--size=1M --io_size=4M --fsync=32 --verify_backlog=16
	touch "$TMP/stop"
	wait
	check_that "blocks moved and back" "$(status set released)" "> 5"
}

test_evacuate_under_io() {
	local disk1 disk2 evacuated
	null_disk data 32
	null_disk disk1 8
	null_disk disk2 8
	make_set set "$data" "$disk1" "$disk2"
	dev=/dev/mapper/set
	off=$(offset_of set)
	need message set relocate 0 100
	(
		sleep 1.5
		message set evacuate 1
	) >"$TMP/evacuate" 2>&1 &
	check "R6: a spare is evacuated under I/O" race 5
	wait $! && evacuated=0 || evacuated=$?
	check_is "it was" $evacuated 0
	check_is "nothing lives there any more" "$(map_lines set | awk -F: '$2 == 1' | wc -l)" "0"
	check_is "the blocks are still relocated" "$(status set remapped)" "100"
}

test_suspend_and_reload() {
	simple_set
	set_bad 100 160
	again() {
		dmsetup suspend set
		dmsetup resume set
		message set relocate $((RANDOM % 128)) 1
		dmsetup load set --table "$(dmsetup table set)"
		dmsetup resume set
		sleep 0.2
	}
	race_with "R6: suspend, resume and reload under I/O and bad blocks" 6 relocated 0 again
	check_that "R9: it was reloaded" "$(dmsetup info -c --noheadings -o events set)" "> 0"
	check_is "R9: without an error" "$(grep -v ^relocated "$TMP/repeat" || true)" ""
}

test_noflush_suspend() {
	simple_set
	set_bad 100 160
	again() {
		dmsetup suspend --noflush --nolockfs set
		sleep 0.05
		dmsetup resume set
		set_bad $((400 + RANDOM % 500))
		sleep 0.2
	}
	rm -f "$TMP/stop"
	repeat again &
	check "R6: suspend without flush under I/O and bad blocks" race 5 --errors
	touch "$TMP/stop"
	wait
	check_is "R9: without an error" "$(cat "$TMP/repeat")" ""
}

# The device is removed as soon as it can be, while I/O fails.
test_remove_while_io_fails() {
	local i table left fio
	in_use() { [[ $(dmsetup info -c --noheadings -o open set) != 0 ]]; }
	null_disk disk 32
	null_disk spare 8
	dm_make lower "$(linear_table "$disk")"
	make_set set /dev/mapper/lower "$spare"
	dev=/dev/mapper/set
	table=$(dmsetup table set)
	write_sectors $dev 0 1024 1
	for ((i = 0; i < 4; i++)); do
		fio --name=fail --filename=$dev --rw=randrw --bs=4k --direct=1 --ioengine=libaio \
			--iodepth=16 --time_based --runtime=60 --size=8M --continue_on_error=all \
			--allow_file_create=0 --output="$TMP/fio" >/dev/null 2>&1 &
		fio=$!
		need wait_until 20 in_use
		dm_swap lower "$(error_table "$disk")"
		sleep 0.3
		# Deferred: goes away with the last close, in the middle of errors.
		dmsetup remove --deferred set
		sleep 1
		# It ends by itself at an error that it does not know, as of a lost sector.
		kill -INT $fio || true
		wait $fio || true
		wait_until 10 bash -c '! dmsetup info set' || true
		dm_swap lower "$(linear_table "$disk")"
		left=$(dmsetup ls | grep -c '^set' || true)
		check_is "R9: removed while I/O fails, turn $i" "$left" "0"
		need dmsetup create set --table "$table"
		need_is "$(map set) $(status set breaker)" " closed"
	done
	check "R9: after all that it is written" write_sectors $dev 0 1024 2
	check_is "R1: and read" "$(sectors $dev 0 1024 --size 8)" "0-1023:2"
}

# Readers and writers of blocks with lost sectors, which are healed meanwhile.
test_heal_under_io() {
	simple_set
	lose() {
		message set unreadable $((RANDOM % 1000)) 5
		sleep 0.05
	}
	rm -f "$TMP/stop"
	repeat lose &
	check "R6: sectors are lost and healed under I/O" race_until healed 5 race 5 --errors
	touch "$TMP/stop"
	wait
	check_that "R3: sectors were healed" "$(status set healed)" "> 5"
}
