# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R9: tables, limits, messages: the set as a target like any other.
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

LIMITS="logical_block_size physical_block_size minimum_io_size optimal_io_size
	max_sectors_kb max_hw_sectors_kb max_segments max_segment_size
	max_integrity_segments discard_granularity discard_max_bytes
	write_zeroes_max_bytes rotational write_cache fua nomerges zoned dax"

# All limits of a set in one line, and those of dm-linear over its devices: for
# the data device and spares of the same kind both must be equal.
limits() { # DEV
	local name dir
	dir=/sys/dev/block/$(stat -Lc %Hr:%Lr "$1")
	for name in $LIMITS; do
		echo -n "$name=$(<"$dir/queue/$name") "
	done
	echo "alignment=$(<"$dir/alignment_offset")"
}

test_limits() {
	local kind
	for kind in "" "cache_size=1" "discard=1" "max_sectors=64"; do
		# shellcheck disable=SC2086 # nothing or one word
		null_disk data 32 $kind
		# shellcheck disable=SC2086
		null_disk spare 16 $kind
		make_set set "$data" "$spare"
		dm_make plain "0 $(sectors_of /dev/mapper/set) linear $data $(offset_of set)"
		check_is "R9: limits are those of dm-linear (${kind:-plain disks})" \
			"$(limits /dev/mapper/set)" "$(limits /dev/mapper/plain)"
		dmsetup remove plain
		unmake_set set
	done
}

test_limits_of_the_spare() {
	null_disk data 32
	null_disk spare 16 max_sectors=64
	make_set set "$data" "$spare"
	check_is "R9: I/O is no larger than the spare takes" \
		"$(queue /dev/mapper/set max_hw_sectors_kb)" "32"
	write_sectors /dev/mapper/set 0 2048 1
	check_is "R5: larger writes are split" "$(sectors /dev/mapper/set 0 2048 --size 2048)" "0-2047:1"
}

four_k() { # DATA-BLOCKSIZE SPARE-BLOCKSIZE
	null_disk data 32 "blocksize=$1"
	null_disk spare 16 "blocksize=$2"
	make_set set "$data" "$spare"
	dev=/dev/mapper/set
	off=$(offset_of set)
	check_is "R9: the logical block is the larger one" "$(queue $dev logical_block_size)" "4096"
	write_sectors $dev 0 512 1
	set_bad 83
	set_bad 160 175
	set_bad 240
	check "R5: writes over bad blocks succeed" write_sectors $dev 64 112 2
	check_is "R5: the blocks are relocated" "$(map_remapped set)" "10 20 21"
	check_is "R3: a bad block reads as an error" "$(sectors_bad $dev 232 24)" \
		"232-239:1 240-247:BAD 248-255:1"
	set_good 240
	write_sectors $dev 240 8 3
	check_is "R1: all is read back" "$(sectors $dev 0 512)" "0-63:1 64-175:2 176-239:1 240-247:3 248-511:1"
	restart set
	check_is "R2: and after a restart" "$(sectors $dev 0 512)" \
		"0-63:1 64-175:2 176-239:1 240-247:3 248-511:1"
	check_is "unreadable covers what can be written" "$(message set unreadable 9 1)" "lost 8"
	check_is "R3: of exactly that" "$(sectors_bad $dev 0 24)" "0-7:1 8-15:BAD 16-23:1"
}

test_4k_data_512_spare() { four_k 4096 512; }
test_512_data_4k_spare() { four_k 512 4096; }
test_4k_both() { four_k 4096 4096; }

test_small_blocks_on_4k() {
	null_disk data 32 blocksize=4096
	null_disk spare 16
	check_fails "R9: blocks smaller than the disk's are refused" \
		make_set set "$data" "$spare" -- --block-size 512
}

# Threads kept for the module, "kworker/R-remap" or "remap/NAME"; not those that all share.
threads() {
	grep -lE '^(kworker/R-)?remap' /proc/[0-9]*/comm 2>/dev/null | tr '\n' ' ' || true
}

# To make a thread can need memory, and that the file system on the device that is
# suspended meanwhile.
test_threads_are_made_before_the_suspend() {
	local before loaded table
	simple_set
	table=$(table_of set)
	before=$(threads)
	need dmsetup load set --table "$table"
	loaded=$(threads)
	need dmsetup suspend set
	check_that "R6: a table that is loaded has its thread" \
		"$(wc -w <<<"$loaded") - $(wc -w <<<"$before")" "== 1"
	need dmsetup resume set
	check_is "R6: and none is made while I/O is held back" \
		"$(comm -13 <(tr ' ' '\n' <<<"$loaded" | sort) <(threads | tr ' ' '\n' | sort))" ""
	write_sectors $dev 0 64 1
	set_bad 17
	write_sectors $dev 16 8 2
	check_is "R5: the worker works" "$(map_remapped set)" "2"
	need dmsetup suspend set
	need dmsetup resume set
	check_is "R6: a table that goes on has the same" "$(wc -w < <(threads))" "$(wc -w <<<"$before")"
}

# Partitions as members.
test_partitions() {
	loop_disk disk 64 --partscan
	sgdisk --clear --set-alignment=1 --new=1:2048:67583 --new=2:67599:97599 "$disk" >/dev/null
	partx -u "$disk" 2>/dev/null || partx -a "$disk"
	need test -b "${disk}p2"
	make_set set "${disk}p1" "${disk}p2"
	dev=/dev/mapper/set
	write_sectors $dev 0 512 1
	check_is "relocate answers" "$(message set relocate 3 4)" \
		"relocated 4 lost 0 unchanged 0 failed 0"
	write_sectors $dev 20 20 2
	restart set
	check_is "R5: a set of partitions works" "$(sectors $dev 0 512)" "0-19:1 20-39:2 40-511:1"
	check_is "R9: its parts are the partitions" "$(dmsetup deps -o devname set | sed 's/.*: //')" \
		"(${disk##*/}p2) (${disk##*/}p1)"
	check_is "R9: alignment as over the first partition" \
		"$(cat /sys/dev/block/"$(stat -Lc %Hr:%Lr $dev)"/alignment_offset)" "0"
}

test_data_offset() {
	null_disk data 32
	null_disk spare 16
	write_sectors "$data" 0 4096 7
	make_set set "$data" "$spare" -- --adopt --data-offset 1M
	dev=/dev/mapper/set
	check_is "R9: the table has the offset" "$(offset_of set)" "2048"
	check_is "R7: data is where it was" "$(sectors $dev 0 4)" "0-0:7@2048 1-1:7@2049 2-2:7@2050 3-3:7@2051"
	write_sectors $dev 0 64 1
	off=2048
	set_bad 17
	write_sectors $dev 16 8 2
	check_is "R5: blocks move" "$(map_remapped set) $(sectors $dev 0 32)" "2 0-15:1 16-23:2 24-31:1"
	check_is "R7: in front of the data nothing is written" "$(sectors "$data" 0 2048 --size 8)" "0-2047:7"
}

test_dmsetup() {
	local table
	simple_set
	table=$(dmsetup table set)
	check_like "R9: the table is one line" "$table" "0 [0-9]* remap 25[0-9]:0 25[0-9]:1 * data_offset $off*"
	check_is "R9: deps are both disks" "$(dmsetup deps -o devname set | sed 's/.*: //')" "(nullb1) (nullb0)"
	check_like "R9: status is one line" "$(dmsetup status set)" \
		"0 [0-9]* remap rw [0-9]* 8 0/[0-9]* 0 0 0/[0-9]* closed 1 1 25[0-9]:1 active 0/0/[0-9]* *"
	check_is "R9: each counter has its value" \
		"$(dmsetup status set | awk '{ n = 17; print $n, NF - n }')" \
		"$(dmsetup status set | awk '{ print $17, 2 * $17 }')"
	write_sectors $dev 0 64 1
	message set relocate 2 1 >/dev/null
	restart set
	check_is "R9: TABLE recreates the device" "$(dmsetup table set)" "$table"
	check_is "R1: with its content" "$(sectors $dev 0 64) $(map set)" "0-63:1 2:1:0:0"
	dmsetup suspend set
	check_is "R9: suspended it is inactive" "$(dmsetup status set)" "0 ${table:2:5} remap inactive"
	check_fails "R9: and takes no message" message set relocate 3 1
	dmsetup resume set
	check_is "R9: resumed it goes on" "$(sectors $dev 0 64) $(map set)" "0-63:1 2:1:0:0"
	dmsetup load set --table "$table"
	dmsetup resume set
	check_is "R9: and with a table loaded anew" "$(sectors $dev 0 64) $(map set)" "0-63:1 2:1:0:0"
	check "R9: two tables of the set at the same time" dmsetup load set --table "$table"
	check "R9: the second is cleared" dmsetup clear set
	check "R9: the device is removed" dmsetup remove set
}

refused() { # WHAT TABLE REASON [OPTION...]
	local what=$1 table=$2 reason=$3
	shift 3
	dmsetup remove refused 2>/dev/null || true
	check_fails "R9: $what is refused" dmsetup create refused "$@" --table "$table"
	check "R9: with a reason" log_has "$reason"
	dmsetup remove refused 2>/dev/null || true
}

test_refused_tables() {
	local table length zoned
	simple_set
	table=$(dmsetup table set)
	read -r _ length _ <<<"$table"
	dmsetup remove set
	refused "a read-only table" "$table" "read-only" --readonly
	refused "a table without a device" "0 $length remap" "data device"
	refused "a table without a spare" "0 $length remap $data 2 data_offset $off" "spare is needed"
	refused "the same spare twice" "0 $length remap $data $spare $spare 2 data_offset $off" "twice"
	refused "the data device as spare" "0 $length remap $data $data 2 data_offset $off" "own spare"
	refused "a length beyond the disk" "0 $((length + 1)) remap $data $spare 2 data_offset $off" "too small"
	refused "an offset beyond the disk" "0 $length remap $data $spare 2 data_offset 99999999" "too small"
	refused "an unknown feature" "0 $length remap $data $spare 1 faster" "Unrecognised"
	refused "a feature without its value" "0 $length remap $data $spare 1 data_offset" "lacks its value"
	refused "a value that is no number" "0 $length remap $data $spare 2 data_offset x" "Invalid sector"
	refused "too many arguments" "$table 7" "."
	refused "a wrong UUID" "0 $length remap $data $spare 4 data_offset $off set_uuid 00000000-0000-0000-0000-000000000000" "not activated"
	refused "another length" "0 $((length - 8)) remap $data $spare 2 data_offset $off" "not activated"
	refused "another offset" "0 $((length - 2048)) remap $data $spare 2 data_offset $((off + 2048))" "not activated"
	refused "a disk that is not there" "0 $length remap $data 240:99 2 data_offset $off" "opened"
	null_disk zoned 32 zoned=1 zone_size=4 2>/dev/null || zoned=
	if [[ $zoned ]]; then
		refused "a zoned disk" "0 $length remap $data $zoned 2 data_offset $off" "Zoned"
	else
		echo "ok - R9: a zoned disk is refused # skip"
	fi
	dm_make set "$table"
	check_is "R7: after all that the set starts" "$(status set mode)" "rw"
}

test_second_owner() {
	local table
	simple_set
	table=$(dmsetup table set)
	check_fails "R7: a set in use has no second owner" dmsetup create other --table "$table"
	check "R7: the log tells why" log_has "in use"
	dmsetup remove other 2>/dev/null || true
	check_is "R7: the first one goes on" "$(status set mode)" "rw"
	check_fails "R9: another size is refused at reload" \
		dmsetup load set --table "$(sed 's/^0 [0-9]*/0 4096/' <<<"$table") extra"
}

test_messages() {
	local word
	simple_set
	write_sectors $dev 0 64 1
	check_is "relocate" "$(message set relocate 2 1 4 2)" "relocated 3 lost 0 unchanged 0 failed 0"
	check_is "relocate again" "$(message set relocate 2 5)" "relocated 2 lost 0 unchanged 3 failed 0"
	check_is "the map has them" "$(map_remapped set)" "2 3 4 5 6"
	check_is "R1: the content has moved along" "$(sectors $dev 0 64)" "0-63:1"
	check_is "release" "$(message set release 3 2)" "released 2 unchanged 0 failed 0"
	check_is "R1: and back" "$(sectors $dev 0 64) $(map_remapped set)" "0-63:1 2 5 6"
	set_bad 64 71
	check_is "relocate of a bad block" "$(message set relocate 8 1)" \
		"relocated 0 lost 1 unchanged 0 failed 0"
	set_bad 81
	check_is "relocate of a block that is partly bad" "$(message set relocate 10 1)" \
		"relocated 1 lost 0 unchanged 0 failed 0"
	check_is "R3: sectors that could not be read are lost" "$(map_lost set)" "8:ff 10:2"
	set_bad 82
	check_is "release to a bad block fails" "$(message set release 10 1)" \
		"released 0 unchanged 0 failed 1"
	set_good 64 81
	check_is "release of a lost block that can be read" "$(message set release 8 1)" \
		"released 1 unchanged 0 failed 0"
	check_is "R3: it is believed again" "$(map_lost set)" "10:2"
	for word in "relocate" "relocate 1" "relocate 1 0" "relocate 99999999 1" "relocate 0 99999999" \
		"relocate -1 1" "relocate 18446744073709551615 2" "relocate 1 1 99999999 1" "release x 1" \
		"unreadable 1" "unreadable 999999999 1" "evacuate 0" "evacuate 9" "evacuate" "policy heal" \
		"policy heal never" "policy retries 11" "policy retries -1" "policy speed 9" "map" "map x" "dance"; do
		# shellcheck disable=SC2086 # words
		check_fails "R10: a wrong message is refused: $word" message set $word
	done
	check_is "R10: and changes nothing" "$(map_remapped set)" "2 5 6 10"
}

# The answer of "map" in more than one part.
test_large_map() {
	local n
	simple_set
	check_is "1500 blocks are relocated" "$(message set relocate 1 1500)" \
		"relocated 1500 lost 0 unchanged 0 failed 0"
	n=$(map_remapped set | wc -w)
	check_is "map tells of all" "$n" "1500"
	check_is "the last entry is where it should be" "$(message set map 1500 | head -n1 | cut -d' ' -f1,2)" "1500 1"
	check_is "and nothing behind" "$(message set map 1501)" "end"
	restart set
	check_is "R2: after a restart as well" "$(map_remapped set | wc -w)" "1500"
}

# R7, R10: tables that are nearly right, from a seed.
test_random_tables() {
	local table output status=0 seed=${FUZZ_SEED:-$((RANDOM * 32768 + RANDOM))}
	null_disk data 16
	null_disk one 8
	null_disk two 8
	make_set set "$data" "$one" "$two"
	message set relocate 5 40 >/dev/null
	table=$(table_of set)
	dmsetup remove set
	table=${table#0 }
	output=$(/src/build/tests/tools/fuzz-table "$seed" 300 "${table%% *}" "${table#* remap }" \
		2>&1) || status=$?
	echo "# $output"
	check_is "R7: each is refused or starts with the true map (seed $seed)" "$status" 0
	check_is "R10: all were tried" "$(awk '/tables/ { print $1 }' <<<"$output")" "301"
}
