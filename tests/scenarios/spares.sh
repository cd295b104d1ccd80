# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R8: several spares, spares and slots that fail, and no spare left.
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

# Let blocks FIRST to LAST fail in writes of version VERSION.
fail_blocks() { # FIRST LAST VERSION
	set_bad $(($1 * 8)) $(($2 * 8 + 7))
	write_sectors $dev $(($1 * 8)) $((($2 - $1 + 1) * 8)) "$3"
}

spare_used() { # NUMBER
	local words
	read -r -a words <<<"$(spare set "$1")"
	echo "${words[1]%%/*}"
}

# Data and three spares of tier 0, 0, 1, all on dm devices that can be broken.
three_spares() {
	local n
	null_disk data 32
	null_disk disk1 8
	null_disk disk2 8
	null_disk disk3 8
	for n in 1 2 3; do
		local -n disk=disk$n
		dm_make spare$n "$(linear_table "$disk")"
	done
	make_set set "$data" /dev/mapper/spare1 /dev/mapper/spare2 /dev/mapper/spare3,tier=1
	dev=/dev/mapper/set
	off=$(offset_of set)
	write_sectors $dev 0 8192 1 --size 512
}

test_tiers() {
	three_spares
	fail_blocks 0 199 2
	check_is "R8: 200 blocks are relocated" "$(status set used)" "200"
	check_that "R8: the first spare of the lowest tier is used" "$(spare_used 1)" "> 0"
	check_that "R8: and the second" "$(spare_used 2)" "> 0"
	check_is "R8: that of the next tier is not" "$(spare_used 3)" "0"
	check_is "R1: all is read back" "$(sectors $dev 0 2000 --size 8)" "0-1599:2 1600-1999:1"
	restart set
	check_is "R2: and after a restart" "$(sectors $dev 0 2000 --size 8)" "0-1599:2 1600-1999:1"
	message set policy retries 1 >/dev/null
}

# The next tier is taken when the first one is full.
test_next_tier() {
	local slots
	null_disk data 32
	null_disk disk1 2
	null_disk disk2 8
	make_set set "$data" "$disk1" "$disk2,tier=1" -- --map-entries 1000
	dev=/dev/mapper/set
	off=$(offset_of set)
	write_sectors $dev 0 8192 1 --size 512
	slots=$(spare set 1)
	slots=${slots##*/}
	need test "$slots" -lt 500
	fail_blocks 0 $((slots + 9)) 2
	check_is "R8: the first tier is full" "$(spare_used 1)" "$slots"
	check_is "R8: and the next one takes the rest" "$(spare_used 2)" "10"
	check_is "R1: all is read back" "$(sectors $dev 0 $((slots * 8 + 80)) --size 8)" \
		"0-$((slots * 8 + 79)):2"
}

# A spare that fails everything is put out; what lives on others goes on.
test_spare_fails() {
	local on1 block first last
	three_spares
	fail_blocks 0 19 2
	on1=$(map_lines set | awk -F: '$2 == 1 { print $1 }' | xargs)
	need test -n "$on1"
	watch_events set
	dm_swap spare1 "$(error_table "$disk1")"
	fail_blocks 40 59 3
	check_like "R8: the spare is out" "$(spare set 1)" "out *"
	check_is "R8: the others are not" "$(spare set 2 | cut -d' ' -f1) $(spare set 3 | cut -d' ' -f1)" \
		"active active"
	check "R8: an event tells" wait_until 5 event_came
	check_is "R1: what was relocated since is read" "$(sectors $dev 320 160 --size 8)" "320-479:3"
	check_is "R8: from the other spare" \
		"$(map_lines set | awk -F: '$1 >= 40 { print $2 }' | sort -u)" "2"
	# One in the middle.
	block=$(cut -d' ' -f2 <<<"$on1")
	first=$((block * 8)) last=$((block * 8 + 7))
	need test "$block" -gt 0
	check_like "R1: blocks on the failed spare are errors" \
		"$(sectors $dev $((block * 8)) 8 --size 8)" "*:E*"
	check_fails "R1: a part of such a block is not written" write_sectors $dev $((block * 8 + 1)) 1 4
	check "R8: a whole one is" write_sectors $dev $((block * 8)) 8 4
	check_is "R1: and read" "$(sectors $dev $((block * 8)) 8)" "$((block * 8))-$((block * 8 + 7)):4"
	check_is "R8: the set goes on" "$(status set mode) $(status set breaker)" "rw closed"
	dm_swap spare1 "$(linear_table "$disk1")"
	restart set
	check_is "R7: a restart takes the spare back" "$(spare set 1 | cut -d' ' -f1)" "active"
	check_is "R1: with all its blocks" "$(sectors $dev 0 600 --size 8)" \
		"0-$((first - 1)):2 $first-$last:4 $((last + 1))-159:2 160-319:1 320-479:3 480-599:1"
}

# Not only the metadata: a spare that fails while nothing is relocated is
# found by its readers and writers.
test_spare_fails_under_io() {
	three_spares
	fail_blocks 0 9 2
	dm_swap spare1 "$(error_table "$disk1")"
	dm_swap spare2 "$(error_table "$disk2")"
	sectors $dev 0 80 --size 8 >"$TMP/out"
	check_like "R3: reads fail" "$(<"$TMP/out")" "*:E*"
	check_is "R3: and no sector is taken for lost" "$(map_lost set)" ""
	check "R8: writes of whole blocks succeed, on the spare that is left" \
		write_sectors $dev 0 80 3 --size 8
	check_is "R8: all live there" \
		"$(map_lines set | cut -d: -f2 | sort -u)" "3"
	check_is "R1: and are read" "$(sectors $dev 0 80)" "0-79:3"
}

test_slots_fail() {
	local slot
	null_disk data 32
	null_disk spare 8
	make_set set "$data" "$spare"
	dev=/dev/mapper/set
	off=$(offset_of set)
	write_sectors $dev 0 800 1 --size 8
	fail_blocks 0 0 2
	slot=$(slot_sector "$spare" 0)
	need test "$slot" -gt 0
	# The next five slots fail.
	bad "$spare" $((slot + 8)) $((slot + 47))
	fail_blocks 10 12 3
	check_is "R8: slots that fail are passed over" "$(spare set 1 | cut -d/ -f1,2)" "active 4/5"
	check_is "R1: all is read back" "$(sectors $dev 0 120 --size 8)" "0-7:2 8-79:1 80-103:3 104-119:1"
	restart set
	check_is "R8: bad slots are remembered" "$(spare set 1 | cut -d/ -f1,2)" "active 4/5"
	good "$spare" 0 16383
	fail_blocks 20 29 4
	check_is "R4: and never used again" "$(map_lines set | awk -F: '$3 >= 1 && $3 <= 5' | wc -l)" "0"
	check_is "R1: all is read back" "$(sectors $dev 160 80 --size 8)" "160-239:4"
}

# A slot goes bad while its block is in use.
test_slot_fails_later() {
	local slot
	simple_set
	write_sectors $dev 0 64 1
	fail_blocks 2 2 2
	slot=$(slot_sector "$spare" 16)
	bad "$spare" $((slot + 5))
	check "R8: a write where the slot fails succeeds" write_sectors $dev 20 2 3
	check_is "R1: and is read, with the rest of the block" "$(sectors $dev 16 8)" \
		"16-19:2 20-21:3 22-23:2"
	check_is "R8: from another slot" "$(map set) $(spare set 1 | cut -d/ -f1,2)" "2:1:1:0 active 1/1"
}

# No slot is left: errors, then a spare is added while the device is in use.
test_exhaustion() {
	local slots map holder
	null_disk data 32
	null_disk disk1 2
	make_set set "$data" "$disk1" -- --map-entries 2000
	dev=/dev/mapper/set
	off=$(offset_of set)
	write_sectors $dev 0 8192 1 --size 512
	slots=$(status set slots)
	fail_blocks 0 $((slots - 1)) 2
	need_is "$(status set used)" "$slots"
	watch_events set
	set_bad 6400 6407
	check_fails "R8: without a free slot the write fails" write_sectors $dev 6400 8 3
	check "R8: an event tells, once" wait_until 5 event_came
	watch_events set
	check_fails "R8: and again" write_sectors $dev 6400 8 3
	check_fails "R8: with no other event" wait_until 1 event_came
	check_is "R8: the map is as before" "$(status set remapped)" "$slots"
	check "R8: what is relocated is still written" write_sectors $dev 0 8 4
	check_is "R8: and read" "$(sectors $dev 0 16 --size 8)" "0-7:4 8-15:2"
	check_like "R3: what could not be written is an error or the old content" \
		"$(sectors_bad $dev 6400 8)" "6400-6407:BAD"
	map=$(map_remapped set)
	null_disk disk2 8
	exec {holder}<>$dev
	check "R8: a spare is added while the device is open" dmremapctl spare add set "$disk2"
	check_is "R8: it takes part" "$(status set spares)" "2"
	check "R8: the write succeeds now" write_sectors $dev 6400 8 3
	check_is "R1: and is read" "$(sectors $dev 6400 8)" "6400-6407:3"
	check_is "R8: what was relocated is where it was" "$(map_remapped set)" "$map 800"
	exec {holder}>&-
	restart set
	check_is "R7: and after a restart" "$(sectors $dev 0 16 --size 8) $(sectors $dev 6400 8)" \
		"0-7:4 8-15:2 6400-6407:3"
}

test_room_again_by_release() {
	local slots
	null_disk data 32
	null_disk disk1 2
	make_set set "$data" "$disk1" -- --map-entries 2000
	dev=/dev/mapper/set
	off=$(offset_of set)
	slots=$(status set slots)
	fail_blocks 0 $((slots - 1)) 2
	set_bad 6400 6407
	need test "$(status set used)" = "$slots"
	check_fails "R8: without a free slot the write fails" write_sectors $dev 6400 8 3
	watch_events set
	set_good 0 79
	check_is "release answers" "$(message set release 0 10)" "released 10 unchanged 0 failed 0"
	check "R8: an event tells that there is room" wait_until 5 event_came
	check_is "R1: released blocks are read" "$(sectors $dev 0 160 --size 8)" "0-159:2"
	check "R8: the write succeeds now" write_sectors $dev 6400 8 3
	check_is "R1: and is read" "$(sectors $dev 6400 8)" "6400-6407:3"
}

test_all_spares_gone() {
	three_spares
	fail_blocks 0 9 2
	dm_swap spare1 "$(error_table "$disk1")"
	dm_swap spare2 "$(error_table "$disk2")"
	dm_swap spare3 "$(error_table "$disk3")"
	set_bad 800 807
	check_fails "R8: with all spares gone a new failure is an error" write_sectors $dev 800 8 3
	check_is "R8: all else is written" "$(write_sectors $dev 1600 80 3 --size 8)" ""
	check_is "R1: and read" "$(sectors $dev 1520 240 --size 8)" "1520-1599:1 1600-1679:3 1680-1759:1"
}

test_evacuate() {
	local table
	three_spares
	fail_blocks 0 39 2
	need test "$(spare_used 1)" -gt 0
	table=$(dmsetup table set)
	check "evacuate succeeds" message set evacuate 1
	check_is "R8: nothing lives on the spare any more" \
		"$(map_lines set | awk -F: '$2 == 1' | wc -l)" "0"
	check_is "R1: all is read" "$(sectors $dev 0 640 --size 8)" "0-319:2 320-639:1"
	check_is "it is no member" "$(spare set 1)" "none"
	table=$(awk '{ $5 = ""; print }' <<<"$table")
	dmsetup load set --table "$table"
	dmsetup resume set
	check_is "R7: without it the set goes on" "$(sectors $dev 0 640 --size 8)" "0-319:2 320-639:1"
	dm_swap spare1 "$(error_table "$disk1")"
	fail_blocks 50 59 3
	check_is "R8: and is written" "$(sectors $dev 400 80 --size 8)" "400-479:3"
}

test_internal_spare() {
	null_disk data 32
	dm_make lower "$(linear_table "$data")"
	dmremapctl create set --data /dev/mapper/lower --internal-spare 4M >/dev/null
	dev=/dev/mapper/set
	off=$(offset_of set)
	check_like "the table has an internal spare" "$(dmsetup table set)" "*internal_spare*"
	write_sectors $dev 0 8192 1 --size 512
	fail_blocks 2 4 2
	check_is "R2: blocks are relocated to the end of the same disk" \
		"$(map_remapped set)" "2 3 4"
	check_is "R1: all is read back" "$(sectors $dev 0 80)" "0-15:1 16-39:2 40-79:1"
	restart set
	check_is "R2: and after a restart" "$(sectors $dev 0 80)" "0-15:1 16-39:2 40-79:1"
	set_good 16 39
	# It waits for whatever is on its way to the slots.
	check "R6: slots that were read are given back" message set release 0 10
	check_is "R1: and all is read from where it was" "$(sectors $dev 0 80)" "0-15:1 16-39:2 40-79:1"
	fail_blocks 2 4 3
	check_is "R2: blocks are relocated again" "$(map_remapped set)" "2 3 4"
	dm_swap lower "$(error_table "$data")"
	check_fails "R4: with the disk gone writes fail" write_sectors $dev 800 8 3
	dm_swap lower "$(linear_table "$data")"
	wait_until 10 test "$(status set breaker)" = closed || true
	check_is "R4: and relocate nothing" "$(map_remapped set)" "2 3 4"
}

# A spare that was to join, and did not for the sake of another, has frames of a number
# that another has now.
test_join_in_turn() {
	local one two table
	null_disk data 32
	null_disk spare 16
	make_set set "$data" "$spare,tier=1"
	dev=/dev/mapper/set
	table=$(table_of set)
	null_disk one 16
	null_disk two 16
	need dmremapctl stop set
	need dmremapctl spare add set "$one"
	need dmremapctl spare add set "$two"
	bad "$one" 128 8191
	check_fails "a spare that can not be written does not join" dmsetup create set \
		--table "${table/ 4 data/ $one $two 4 data}"
	dmsetup remove set 2>/dev/null || true
	need dmsetup create set --table "${table/ 4 data/ $two 4 data}"
	check_like "the other joins without it" "$(spare set 2)" "active 0/*"
	write_sectors $dev 0 8 1
	need_is "$(message set relocate 0 1)" "relocated 1 lost 0 unchanged 0 failed 0"
	check_like "and holds a block" "$(spare set 2)" "active 1/*"
	restart set
	check_is "R3: which is there after a restart" "$(sectors $dev 0 8)" "0-7:1"
}

json_spares() { # NAME
	dmremapctl spare list "$1" --json | jq -c '[.spares[].member]'
}

# Spare 2, under the table that names it.
evacuate_and_resume() {
	write_sectors /dev/mapper/set 0 4096 1 --size 1024
	message set relocate 0 30 >/dev/null
	check "evacuate" dmsetup message set 0 evacuate 2
	dmsetup suspend set
	check "the table is resumed as it is" dmsetup resume set
	check_is "it has not come back" "$(json_spares set)" "[1]"
}

# A spare that was evacuated is no member any more, also when the same table is resumed.
test_evacuated_and_resumed() {
	null_disk data 16
	null_disk one 8
	null_disk two 8
	make_set set "$data" "$one" "$two"
	evacuate_and_resume
	check "a table without it" dmremapctl spare remove set "$two" --force
	restart set
	check_is "nor is it missed" "$(json_spares set)" "[1]"
	check_is "R1: data" "$(sectors /dev/mapper/set 0 4096 --size 64)" "0-4095:1"
}

test_internal_evacuated_and_resumed() {
	null_disk data 32
	null_disk one 8
	make_set set "$data" "$one" -- --internal 4M
	evacuate_and_resume
	check_is "R1: data" "$(sectors /dev/mapper/set 0 4096 --size 64)" "0-4095:1"
}

# A dead spare that the table still names keeps nobody from anything.
test_dead_spare_in_the_table() {
	local dead
	null_disk data 16
	null_disk one 8
	null_disk two 8
	null_disk cached 8 cache_size=1
	dm_make spare "$(linear_table "$two")"
	dead=/dev/mapper/spare
	make_set set "$data" "$one" "$dead"
	write_sectors /dev/mapper/set 0 4096 1 --size 1024
	message set relocate 0 30 >/dev/null
	dm_swap spare "$(error_table "$dead")"
	dmsetup message set 0 relocate 100 1 >/dev/null || true
	write_sectors /dev/mapper/set 0 4096 2 --size 1024 || true
	check_like "it is out" "$(spare set 2)" "out *"
	check_is "its blocks were written anew" "$(sectors /dev/mapper/set 0 4096 --size 64)" "0-4095:2"
	dmsetup suspend set
	check "suspend and resume" dmsetup resume set
	check_is "R1: data" "$(sectors /dev/mapper/set 0 4096 --size 64)" "0-4095:2"
	check "R8: a spare that needs another table" dmremapctl spare add set "$cached"
	check_is "R1: data" "$(sectors /dev/mapper/set 0 4096 --size 64)" "0-4095:2"
	check_is "it runs" "$(dmsetup info -c --noheadings -o suspended set)" Active
	check_like "with the new one" "$(spare set 3)" "active *"
}
