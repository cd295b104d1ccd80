# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Moving many blocks at once, reading everything beforehand, policies with a
# lifetime, and spares that join a running set.
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

# --- Ranges ------------------------------------------------------------------

test_relocate_range() {
	local before
	simple_set
	write_sectors "$dev" 0 8192 1 --size 512
	before=$(io_count "$data" 0)
	check_is "R1: a range moves" "$(message set relocate 100 500)" \
		"relocated 500 lost 0 unchanged 0 failed 0"
	check_that "its blocks are read together" "$(($(io_count "$data" 0) - before))" "< 60"
	check_is "R1: all is read back" "$(sectors "$dev" 0 8192 --size 8)" "0-8191:1"
	check_is "R1: from its slots" "$(message set relocate 90 520)" \
		"relocated 20 lost 0 unchanged 500 failed 0"
	restart set
	check_is "R2: and after a restart" "$(sectors "$dev" 0 8192 --size 8)" "0-8191:1"
	check_is "R2: with the same map" "$(status set used)" "520"
}

# Blocks that can not be read lie in the middle of a range.
test_relocate_range_with_bad_blocks() {
	simple_set
	write_sectors "$dev" 0 8192 1 --size 512
	set_bad 1003 1003
	set_bad 1200 1215
	check_is "R1: what can be read moves" "$(message set relocate 100 100)" \
		"relocated 98 lost 2 unchanged 0 failed 0"
	check_is "R1: and is what it was" "$(sectors_bad "$dev" 800 800 --size 1)" \
		"800-1002:1 1003-1003:BAD 1004-1199:1 1200-1215:BAD 1216-1599:1"
	restart set
	check_is "R3: the rest is an error, whatever the medium says now" \
		"$(set_good 1200 1215; set_good 1003; sectors_bad "$dev" 800 800 --size 1)" \
		"800-1002:1 1003-1003:BAD 1004-1199:1 1200-1215:BAD 1216-1599:1"
}

# Slots that fail in the middle of a write of many.
test_relocate_range_to_bad_slots() {
	local first bad_slots
	simple_set
	write_sectors "$dev" 0 8192 1 --size 512
	message set relocate 0 1 >/dev/null
	first=$(slot_sector "$spare" 0)
	bad "$spare" $((first + 8 * 20)) $((first + 8 * 20 + 7))
	check_is "R4: a range moves beside slots that fail" "$(message set relocate 1 199)" \
		"relocated 199 lost 0 unchanged 0 failed 0"
	check_is "R1: all is read back" "$(sectors "$dev" 0 8192 --size 8)" "0-8191:1"
	bad_slots=$(spare set 1 | cut -d/ -f2)
	check_that "R4: what the failed write covered is not used again" "$bad_slots" "== 16"
	good "$spare" $((first + 8 * 20)) $((first + 8 * 20 + 7))
	restart set
	check_is "R4: nor after a restart" "$(spare set 1 | cut -d/ -f2)" "16"
	check_is "R2: the data is there" "$(sectors "$dev" 0 8192 --size 8)" "0-8191:1"
	message set release 0 1024 >/dev/null
	check_is "R1: and when it is back in place" "$(sectors "$dev" 0 8192 --size 8)" "0-8191:1"
	check_is "the other slots are free again" "$(status set used)" "0"
}

test_relocate_until_full() {
	local slots answer moved
	null_disk data 32
	null_disk spare 2
	make_set set "$data" "$spare" -- --map-entries 1000
	dev=/dev/mapper/set
	write_sectors "$dev" 0 8192 1 --size 512
	slots=$(status set slots)
	answer=$(message set relocate 0 1000)
	read -r _ moved _ <<<"$answer"
	check_is "R8: as many blocks move as there are slots" "$moved" "$slots"
	check_like "R8: and why no more" "$answer" "*error -28"
	check_is "R8: all is read back" "$(sectors "$dev" 0 8192 --size 8)" "0-8191:1"
}

test_relocate_last_partial_block() {
	null_disk data 32
	null_disk spare 16
	make_set set "$data" "$spare" -- --block-size 16K
	dev=/dev/mapper/set
	local size=$(($(sectors_of $dev))) blocks
	blocks=$(((size + 31) / 32))
	write_sectors "$dev" $((size - 512)) 512 1
	check_like "blocks at the end move" "$(message set relocate $((blocks - 8)) 8)" "relocated 8 *"
	check_is "R1: and are read back" "$(sectors "$dev" $((size - 512)) 512)" \
		"$((size - 512))-$((size - 1)):1"
}

test_relocate_rate() {
	local start took
	simple_set
	message set policy relocate-rate 100 >/dev/null
	start=$(date +%s%N)
	check_like "a range moves at a rate" "$(message set relocate 0 200)" "relocated 200 *"
	took=$((($(date +%s%N) - start) / 1000000))
	check_that "not faster than the policy allows (milliseconds)" "$took" "> 1500"
}

# Only what is slow when it is read alone moves.
test_relocate_slow_only() {
	modprobe dm-delay
	null_disk disk 32
	null_disk spare 16
	local size
	size=$(sectors_of "$disk")
	dm_make slow "0 $size linear $disk 0"
	make_set set /dev/mapper/slow "$spare"
	dev=/dev/mapper/set
	off=$(offset_of set)
	write_sectors "$dev" 0 8192 1 --size 512
	message set policy slow-ms 100 >/dev/null
	dm_swap slow "0 $((off + 800)) linear $disk 0
$((off + 800)) 160 delay $disk $((off + 800)) 300
$((off + 960)) $((size - off - 960)) linear $disk $((off + 960))"
	check_is "slow blocks move, others do not" \
		"$(python3 /src/build/ynl/cli.py --spec /src/include/dm-remap.yaml --no-schema \
			--do relocate --json '{"name":"set","first":80,"count":80,"slow-only":true}' \
			2>&1 | tr -d "{},'\n" | grep -o 'moved: [0-9]*\|unchanged: [0-9]*' | xargs)" \
		"moved: 24 unchanged: 56"
	check_is "R1: all is read back" "$(sectors "$dev" 0 8192 --size 512)" "0-8191:1"
}

# --- Scrub -------------------------------------------------------------------

scrub_of() { # FIELD
	python3 /src/build/ynl/cli.py --spec /src/include/dm-remap.yaml --no-schema \
		--do scrub-get --json '{"name":"set"}' | tr -d "{},'" |
		sed 's/ *scrub://' | awk -v f="$1:" '$1 == f { print $2 }'
}

scrub_is() { [[ $(scrub_of state) == "$1" ]]; }

test_scrub_finds_lost_blocks() {
	simple_set
	write_sectors "$dev" 0 8192 1 --size 512
	message set policy scrub-rate 1000000 >/dev/null
	message set relocate 300 2 >/dev/null
	local slot
	slot=$(slot_sector "$spare" 2400)
	bad "$spare" "$slot" "$slot"
	set_bad 1003 1003
	set_bad 4000 4007
	message set scrub start
	check "a scrub ends" wait_until 60 scrub_is "done"
	check_is "R3: it finds what can not be read" "$(map_lost set)" "125:8 300:1 500:ff"
	check_is "and counts it" "$(scrub_of lost)" "3"
	check_is "R1: all else is what it was" "$(sectors_bad "$dev" 0 8192 --size 1)" \
		"0-1002:1 1003-1003:BAD 1004-2399:1 2400-2400:BAD 2401-3999:1 4000-4007:BAD 4008-8191:1"
	check_fails "one that is done is not resumed" message set scrub resume
	restart set
	check_is "how it ended is known after a restart" "$(scrub_of state) $(scrub_of lost)" "done 3"
}

test_scrub_goes_on_after_restart() {
	local before
	simple_set
	message set policy scrub-rate 256 >/dev/null	# two minutes for all
	message set scrub start
	sleep 3
	check_fails "there is one at a time" message set scrub start
	restart set
	before=$(scrub_of position)
	check_that "it is where it was" "$before" "> 64"
	check "it runs" scrub_is running
	message set scrub pause
	check "it pauses" scrub_is paused
	before=$(scrub_of position)
	sleep 2
	check_is "and does not move" "$(scrub_of position)" "$before"
	restart set
	check "it is paused after a restart" scrub_is paused
	message set policy scrub-rate 1000000 >/dev/null
	message set scrub resume
	check "it ends" wait_until 60 scrub_is "done"
	message set policy scrub-rate 1024 >/dev/null
	message set scrub start
	message set scrub cancel
	check "one that is cancelled is gone" scrub_is idle
	check_fails "and is not resumed" message set scrub resume
}

# A device that has gone is no reason to lose anything.
test_scrub_of_a_device_that_has_gone() {
	null_disk disk 32
	null_disk spare 16
	dm_make broken "$(linear_table "$disk")"
	make_set set /dev/mapper/broken "$spare"
	dev=/dev/mapper/set
	write_sectors "$dev" 0 8192 1 --size 512
	message set policy scrub-rate 100000 >/dev/null
	dm_swap broken "$(error_table "$disk")"
	message set scrub start
	sleep 3
	check_is "R4: nothing is lost" "$(status set lost)" "0"
	check "it waits" scrub_is running
	dm_swap broken "$(linear_table "$disk")"
	check "and goes on" wait_until 60 scrub_is "done"
	check_is "R4: nothing was lost" "$(status set lost) $(sectors "$dev" 0 8192 --size 512)" "0 0-8191:1"
}

# --- Policy ------------------------------------------------------------------

test_policy_lifetime() {
	simple_set
	message set policy retries 3 unreadable retry slow-ms 700 lifetime 8 >/dev/null
	check_like "a policy is in force" "$(message set policy)" "*retries 3*"
	restart set
	check_like "and after a restart" "$(message set policy)" "*unreadable retry*retries 3*lifetime 8*"
	sleep 9
	check_like "R6: what is risky ends with its lifetime" "$(message set policy)" \
		"*unreadable fail*retries 0*slow-ms 700*lifetime 0*"
	restart set
	check_like "for good" "$(message set policy)" "*unreadable fail*retries 0*slow-ms 700*lifetime 0*"
	message set policy retries 3 lifetime 4 >/dev/null
	sleep 2.5
	restart set
	sleep 2.5
	check_like "a restart makes no lifetime longer" "$(message set policy)" "*retries 0*lifetime 0*"
	check_fails "a value out of range is refused" message set policy sample 65537
	check_fails "one of two is refused" message set policy heal spare retries 11
	check_like "with both" "$(message set policy)" "heal in-place *"
}

# An error without a class is evidence, or it is not.
test_policy_ioerr_pass() {
	simple_set
	write_sectors "$dev" 0 80 1
	set_bad 16 23
	message set policy ioerr pass >/dev/null
	check_fails "R4: by policy it is passed up" write_sectors "$dev" 16 8 2
	check_is "and moves nothing" "$(status set used)" "0"
	message set policy ioerr probe >/dev/null
	check "R4: or is believed" write_sectors "$dev" 16 8 2
	check_is "and moves the block" "$(status set used)" "1"
}
