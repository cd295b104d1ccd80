# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R7: the right disks or none, as the module judges them. The sets are made by
# tests/tools/make-image, so that no other part of the project is believed.
# VM: --smp 1
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

MAKE=/src/build/tests/tools/make-image
SET=/dev/mapper/set

copy() { # FROM TO
	dd if="$1" of="$2" bs=1M conv=fsync status=none
	blockdev --flushbufs "$1" "$2" 2>/dev/null || true
}

keep() { # DEVICE NAME: what it holds now
	dd if="$1" of="$TMP/$2" bs=1M iflag=direct status=none
}

put_back() { # DEVICE NAME
	dd if="$TMP/$2" of="$1" bs=1M oflag=direct status=none
}

sums() { # DEVICE...
	local dev
	for dev; do
		dd if="$dev" bs=1M count=2 iflag=direct status=none | cksum
	done
}

# The table is not activated, for this reason, and no metadata is written.
refused() { # WHAT REASON TABLE
	local before after devices mark=refused-$RANDOM$RANDOM log
	mapfile -t devices < <(grep -oE '/dev/[^ ]+' <<<"$3")
	before=$(sums "${devices[@]}")
	echo "$mark" >/dev/kmsg
	if dmsetup create refused --table "$3" >"$TMP/refused" 2>&1; then
		failed "$1" "it was activated: $(dmsetup status refused)"
		dmsetup remove refused
		return
	fi
	! dmsetup info refused >/dev/null 2>&1 || dmsetup remove refused
	after=$(sums "${devices[@]}")
	log=$(dmesg --notime | sed "1,/$mark/d")
	if grep -q "$2" <<<"$log"; then
		check_is "$1" "$after" "$before"
	else
		failed "$1" "expected to be told: $2" "$(grep remap <<<"$log" || true)"
	fi
}

# A set of these devices runs as "set"; its table is kept in $table.
begin() { # OPTION... DATA SPARE...
	table=$("$MAKE" --pages 5 "$@")
	dm_make set "$table"
}

stop() { dmsetup remove --retry set; }
start() { dm_make set "${1:-$table}"; }

# A table with more features.
feature() { # TABLE WORD...
	local words at=3
	read -r -a words <<<"$1"
	shift
	while [[ ${words[at]:-} == *[/:]* ]]; do
		at=$((at + 1))
	done
	echo "${words[@]:0:at}" $((${words[at]:-0} + $#)) "${words[@]:at + 1}" "$@"
}

# Blocks that live on a spare, by its number.
blocks_on() { # SPARE
	map set | tr ' ' '\n' | awk -F: -v m="$1" '$2 == m { print $1 }' | xargs
}

uuid_of() { # DEVICE
	dd if="$1" bs=1 skip=32 count=16 status=none | od -An -tx1 | tr -d ' \n' |
		sed -E 's/(.{8})(.{4})(.{4})(.{4})(.{12})/\1-\2-\3-\4-\5/'
}

test_spares_of_two_sets() {
	local a b
	null_disk data_a 3
	null_disk data_b 3
	null_disk spare_a 3
	null_disk spare_b 3
	a=$("$MAKE" --pages 5 --seed 1 "$data_a" "$spare_a")
	b=$("$MAKE" --pages 5 --seed 2 "$data_b" "$spare_b")
	refused "R7: a spare of another set" "belongs to another set" "${a/$spare_a/$spare_b}"
	refused "R7: and the other way round" "belongs to another set" "${b/$spare_b/$spare_a}"
	refused "R7: a spare of another set beside the right one" "belongs to another set" \
		"${a/$spare_a/$spare_a $spare_b}"
	refused "R7: a data device as a spare" "written for another place" \
		"${a/$spare_a/$data_b}"
	refused "R7: a spare as the data device" "is not the data device" \
		"${a/$data_a/$spare_b}"
	refused "R7: a set that is not the one asked for" "belongs to another set" \
		"$(feature "$a" set_uuid "$(uuid_of "$spare_b")")"
	refused "R7: a set that does not exist" "belongs to another set" \
		"$(feature "$a" set_uuid 12345678-1234-4234-8234-123456789abc)"
	check_fails "R7: a set_uuid that is none" dmsetup create bad --table \
		"$(feature "$a" set_uuid 1234)"
	check "R7: the set that is asked for" dmsetup create set --table \
		"$(feature "$a" set_uuid "$(uuid_of "$spare_a")")"
	check_is "the table tells it" "$(dmsetup table set | grep -o 'set_uuid .*')" \
		"set_uuid $(uuid_of "$spare_a")"
}

test_adopted_data_of_two_sets() {
	local a b
	null_disk data_a 4
	null_disk data_b 4
	null_disk larger 5
	null_disk spare_a 3
	null_disk spare_b 3
	write_sectors "$data_a" 0 8192 1 --size 1024
	write_sectors "$data_b" 0 8192 2 --size 1024
	a=$("$MAKE" --pages 5 --adopt --seed 1 "$data_a" "$spare_a")
	b=$("$MAKE" --pages 5 --adopt --seed 2 "$data_b" "$spare_b")
	for table in "$a" "$b"; do
		start "$table"
		stop
	done
	refused "R7: spares of two adopted disks exchanged" "is another disk" \
		"${a/$spare_a/$spare_b}"
	refused "R7: and the other way round" "is another disk" "${b/$spare_b/$spare_a}"
	refused "R7: an adopted disk of another size" \
		"has [0-9]* sectors, the data device of this set has" \
		"${a/$data_a/$larger}"
	check "R7: each with its own" start "$a"
	check_is "R1: its content" "$(sectors $SET 0 8192 --size 64)" "0-8191:1"
}

test_foreign_devices() {
	null_disk data 4
	null_disk spare 3
	null_disk blank 4
	null_disk tiny 1
	begin "$data" "$spare"
	stop
	refused "R7: a blank spare" "carries no dm-remap metadata" "${table/$spare/$blank}"
	refused "R7: a blank spare too many" "carries no dm-remap metadata" \
		"${table/$spare/$spare $blank}"
	refused "R7: a blank data device" "is not the data device" "${table/$data/$blank}"
	dd if=/dev/urandom of="$blank" bs=1M count=4 oflag=direct status=none
	refused "R7: a spare of noise" "carries no dm-remap metadata" "${table/$spare/$blank}"
	mkfs.ext4 -q "$blank"
	refused "R7: a spare with a file system" "carries no dm-remap metadata" \
		"${table/$spare/$blank}"
	dd if="$spare" of="$tiny" bs=1M count=1 oflag=direct status=none
	refused "R7: a spare cut short" "contradicts itself or the size" \
		"${table/$spare/$tiny}"
	check "R7: the right ones" start
}

test_older_copies() {
	local dev
	null_disk data 4
	null_disk one 3
	null_disk two 3
	begin "$data" "$one" "$two"
	stop
	for dev in data one two; do keep "${!dev}" "$dev.clean"; done
	start
	write_sectors $SET 0 2048 1 --size 1024
	message set relocate 10 20 >/dev/null
	for dev in data one two; do keep "${!dev}" "$dev.live"; done
	message set relocate 100 1 >/dev/null
	for dev in data one two; do keep "${!dev}" "$dev.last"; done
	stop
	for dev in data one two; do keep "${!dev}" "$dev.now"; done
	for dev in data one two; do
		put_back "${!dev}" "$dev.clean"
		refused "R7: $dev from a copy made before, stopped" "is out of date" "$table"
		put_back "${!dev}" "$dev.live"
		refused "R7: $dev from a copy made while it ran" "is out of date" "$table"
		put_back "${!dev}" "$dev.last"
		refused "R7: $dev from a copy made after the last change" "is out of date" "$table"
		refused "R7: nor where degraded is allowed" "is out of date" \
			"$(feature "$table" degraded)"
		put_back "${!dev}" "$dev.now"
	done
	# All but one older: the one that knows better is not outvoted.
	for dev in data one two; do put_back "${!dev}" "$dev.clean"; done
	put_back "$two" two.now
	refused "R7: all but one from an older copy" "is out of date\|missing or out of date" "$table"
	# What a crash leaves is of one time.
	for dev in data one two; do put_back "${!dev}" "$dev.last"; done
	check "R2: all as they were at one time while running" start
	check_is "R2: with that map" "$(map_remapped set)" \
		"$(seq -s ' ' 10 29) 100"
	check_is "R1: with that data" "$(sectors $SET 0 2048 --size 64)" "0-2047:1"
}

test_missing_spare() {
	local both only_one moved kept first block
	null_disk data 8
	null_disk one 3
	null_disk two 3
	begin "$data" "$one" "$two"
	write_sectors $SET 0 4096 1 --size 1024
	message set relocate 0 60 >/dev/null
	write_sectors $SET 0 480 2 --size 480
	both=$table
	only_one=${table/ $two/}
	kept=$(blocks_on 1)
	moved=$(blocks_on 2)
	need [ -n "$kept" ]
	need [ -n "$moved" ]
	read -r -a blocks <<<"$moved"
	first=${blocks[0]}
	stop
	keep "$two" two.before
	refused "R7: a spare is missing" "is missing" "$only_one"
	check "R7: degraded, when that is said" start "$(feature "$only_one" degraded)"
	check_like "it is told to be missing" "$(spare set 2)" "missing *"

	# R7: never what the data device held before, and no stall: errors.
	for block in "${blocks[@]}"; do
		sectors $SET $((block * 8)) 8 | sed 's/.*://'
	done | sort | uniq -c | xargs >"$TMP/found"
	check_like "R7: blocks on it are errors" "$(cat "$TMP/found")" "${#blocks[@]} E*"
	read -r -a others <<<"$kept"
	check_is "R1: blocks on the other are there" \
		"$(sectors $SET $((others[0] * 8)) 8)" \
		"$((others[0] * 8))-$((others[0] * 8 + 7)):2"
	check_is "R1: all else is there" "$(sectors $SET 480 3616 --size 8)" "480-4095:1"

	# The rest of it may come back with the spare.
	check_fails "R1: part of a block on it can not be written" \
		write_sectors $SET $((first * 8 + 2)) 3 3
	check "R7: all of a block on it can be written" \
		write_sectors $SET $((blocks[1] * 8)) 8 4
	check_like "R7: and lives elsewhere then" "$(map set)" "*${blocks[1]}:1:*"
	check_is "R1: and is read" "$(sectors $SET $((blocks[1] * 8)) 8)" \
		"$((blocks[1] * 8))-$((blocks[1] * 8 + 7)):4"
	stop
	keep "$one" one.degraded
	keep "$data" data.degraded

	# An older copy of it must not come back, nor the one that left twice.
	check "R7: it returns" start "$both"
	check_like "R7: and takes part" "$(spare set 2)" "active *"
	check_is "R1: what only it held is there again" \
		"$(sectors $SET $((blocks[2] * 8)) 8)" \
		"$((blocks[2] * 8))-$((blocks[2] * 8 + 7)):2"
	check_is "R1: what was rewritten meanwhile is the newer" \
		"$(sectors $SET $((blocks[1] * 8)) 8)" \
		"$((blocks[1] * 8))-$((blocks[1] * 8 + 7)):4"
	check_is "R1: what could not be written is as it was" \
		"$(sectors $SET $((first * 8)) 8)" "$((first * 8))-$((first * 8 + 7)):2"
	stop
	check "R2: started once more" start "$both"
	stop
	keep "$two" two.returned
	start "$(feature "$only_one" degraded)"
	stop
	put_back "$two" two.before
	refused "R7: an older copy of a missing spare does not return" "is out of date" "$both"
	put_back "$two" two.returned
	check "R7: but the right one does" start "$both"
	stop
	put_back "$two" two.returned
	refused "R7: as it was before it returned" "is out of date" "$both"
}

test_split_histories() {
	null_disk data 4
	null_disk one 3
	null_disk two 3
	begin "$data" "$one" "$two"
	message set relocate 0 8 >/dev/null
	stop
	keep "$data" data.0
	keep "$one" one.0
	start "$(feature "${table/ $two/}" degraded)"
	message set relocate 20 4 >/dev/null
	stop
	keep "$data" data.1
	# The other half lives on without the first.
	put_back "$data" data.0
	start "$(feature "${table/ $one/}" degraded)"
	message set relocate 30 4 >/dev/null
	stop
	refused "R7: two halves that lived on alone" "out of date\|two different histories" "$table"
	put_back "$data" data.1
	refused "R7: with the data device of the other" "out of date\|two different histories" \
		"$table"
}

test_table_contradicts_metadata() {
	local off length
	null_disk data 4
	null_disk spare 3
	begin "$data" "$spare"
	off=$(offset_of set)
	length=$(sectors_of $SET)
	stop
	refused "R7: data offset too large" "the data begins at sector\|data device is too small" \
		"${table/data_offset $off/data_offset $((off + 8))}"
	refused "R7: data offset too small" "the data begins at sector" \
		"${table/data_offset $off/data_offset $((off - 8))}"
	refused "R7: no data offset" "the data begins at sector" "${table/ 2 data_offset $off/}"
	refused "R9: shorter than the set" "the table has" \
		"${table/0 $length /0 $((length - 8)) }"
	check_fails "R9: longer than the disk" dmsetup create bad --table \
		"${table/0 $length /0 $((length + 8)) }"
	check_fails "R7: a spare named twice" dmsetup create bad --table \
		"${table/$spare/$spare $spare}"
	check_fails "R7: the data device as its own spare" dmsetup create bad --table \
		"${table/$spare/$spare $data}"
	check_fails "R7: no spare at all" dmsetup create bad --table "${table/ $spare/}"
	check "R7: as it was made" start
}

test_shorter_by_resize() {
	local length
	null_disk data 4
	null_disk spare 3
	begin "$data" "$spare"
	length=$(sectors_of $SET)
	write_sectors $SET 0 512 1
	dmsetup load set --table "${table/0 $length /0 $((length - 8)) }"
	check_fails "R9: a resize is refused" dmsetup resume set
	dmsetup load set --table "$table"
	check "R9: and the table as it was goes on" dmsetup resume set
	check_is "R1: with its data" "$(sectors $SET 0 512)" "0-511:1"
}

test_changed_while_stopped() {
	null_disk data 4
	null_disk spare 3
	write_sectors "$data" 0 8192 1 --size 1024
	begin --adopt "$data" "$spare"
	message set relocate 0 4 >/dev/null
	write_sectors $SET 0 64 2
	stop
	write_sectors "$data" 100 1 9
	refused "R7: adopted data written to while stopped" "was written to while the set" "$table"
	write_sectors "$data" 100 1 1
	check "R7: as it was left" start
	check_is "R1: its data" "$(sectors $SET 0 8192 --size 8)" "0-63:2 64-8191:1"
	stop
	keep "$spare" spare.before
	start
	write_sectors $SET 200 1 5
	stop
	put_back "$spare" spare.before
	refused "R7: an older spare beside newer data" "was written to while the set" "$table"
}

test_copies_of_a_member() {
	null_disk data 4
	null_disk one 3
	null_disk two 3
	begin "$data" "$one"
	stop
	copy "$one" "$two"
	refused "R7: a spare and its copy" "are copies of one member" "${table/$one/$one $two}"
	check "R7: the copy alone is as good" start "${table/$one/$two}"
	stop
	refused "R7: what was copied is out of date then" "is out of date" "$table"
	begin --internal 2 "$data" "$one"
	stop
	check "R7: an internal spare beside another" start
}

test_second_owner() {
	local a b
	null_disk data 4
	null_disk spare 3
	null_disk data_b 4
	null_disk spare_b 3
	b=$("$MAKE" --pages 5 --seed 2 "$data_b" "$spare_b")
	begin "$data" "$spare"
	a=$table
	write_sectors $SET 0 64 1
	message set relocate 0 2 >/dev/null
	check_fails "R7: a second name for one set" dmsetup create second --table "$a"
	check "R7: is told" log_has "in use as|is in use"
	check_is "R7: the first goes on" "$(sectors $SET 0 64)" "0-63:1"
	dmsetup remove second 2>/dev/null || true

	dmsetup create second --notable
	dmsetup load second --table "$a"
	dmsetup suspend set
	check "R7: handed over while suspended" dmsetup resume second
	check_fails "R7: the first can not have it back meanwhile" dmsetup resume set
	check_is "R1: the second shows the data" "$(sectors /dev/mapper/second 0 64)" "0-63:1"
	write_sectors /dev/mapper/second 0 8 2
	dmsetup remove second
	check "R7: it can have it back then" dmsetup resume set
	check_is "R1: with what the second wrote" "$(sectors $SET 0 64)" "0-7:2 8-63:1"

	check "another set runs beside it" dmsetup create other --table "$b"
	dmsetup remove other
	check_fails "R7: a device of a running set in another table" dmsetup create other \
		--table "${b/$spare_b/$spare}"
	dmsetup remove other 2>/dev/null || true
	dmsetup load set --table "$a"
	check "R9: the same table again" dmsetup resume set
	check_is "R1: with its data" "$(sectors $SET 0 64)" "0-7:2 8-63:1"
}

test_removed_spare() {
	local only_one
	null_disk data 4
	null_disk one 3
	null_disk two 3
	begin "$data" "$one" "$two"
	write_sectors $SET 0 256 1
	message set relocate 0 20 >/dev/null
	only_one=${table/ $two/}
	need message set evacuate 2
	check_is "nothing lives on it" "$(blocks_on 2)" ""
	dmsetup load set --table "$only_one"
	check "R9: a table without it" dmsetup resume set
	check_is "R1: the data" "$(sectors $SET 0 256)" "0-255:1"
	stop
	refused "R7: what was removed does not come back" "was removed from the set" "$table"
	check "R7: without it" start "$only_one"
}

test_order_of_spares() {
	local before
	null_disk data 4
	null_disk one 3
	null_disk two 3
	begin "$data" "$one" "$two"
	write_sectors $SET 0 256 1
	message set relocate 0 20 >/dev/null
	before=$(map set)
	stop
	check "R7: the order of the table says nothing" start "${table/$one $two/$two $one}"
	check_is "R1: the map" "$(map set)" "$before"
	check_is "R1: the data" "$(sectors $SET 0 256)" "0-255:1"
}
