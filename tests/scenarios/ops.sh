# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R9: discard, write zeroes, NOWAIT and buffered I/O over blocks of all states.
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

# Sectors 0-63: block 2 lives on the spare, block 4 has lost sector 35.
states() {
	write_sectors $dev 0 64 1
	set_bad 17
	write_sectors $dev 16 8 1
	set_bad 35
	sectors $dev 32 8 >/dev/null
	need_is "$(map set)" "2:1:0:0 4:0:0:8"
}

discard_set() { # DATA-DISCARD SPARE-DISCARD
	null_disk data 32 "discard=$1"
	null_disk spare 16 "discard=$2"
	make_set set "$data" "$spare"
	dev=/dev/mapper/set
	off=$(offset_of set)
}

test_discard() {
	discard_set 1 1
	states
	# A null_blk fails discards of bad sectors as well; disks do not.
	set_good 0 63
	check "R9: discard of remapped and lost blocks succeeds" \
		blkdiscard -f -o 4096 -l $((6 * 4096)) $dev
	check_is "R1: what was discarded is as the disk gives it" \
		"$(sectors $dev 0 32) $(sectors $dev 40 24)" "0-7:1 8-31:zero 40-55:zero 56-63:1"
	check_like "R3: what is lost is an error, before and after" \
		"$(sectors_bad $dev 32 8)" "* 35-35:BAD *"
	check_that "R9: it reached the data device" "$(io_count "$data" 11)" "> 0"
	check_that "R9: and the spare" "$(io_count "$spare" 11)" "> 0"
	check_is "R1: the map is as before" "$(map set)" "2:1:0:0 4:0:0:8"
	check "R9: blocks are written after it" write_sectors $dev 8 48 2
	check_is "R1: and read" "$(sectors $dev 0 64)" "0-7:1 8-55:2 56-63:1"
}

test_discard_of_data_only() {
	discard_set 1 0
	states
	set_good 0 63
	check "R9: discard succeeds where the spare has none" \
		blkdiscard -f -o 4096 -l $((6 * 4096)) $dev
	check_is "R1: what lives on the spare keeps its content" \
		"$(sectors $dev 0 32)" "0-7:1 8-15:zero 16-23:1 24-31:zero"
}

test_no_discard() {
	discard_set 0 1
	states
	check_is "R9: no discard where the data device has none" \
		"$(queue $dev discard_max_bytes)" "0"
	check_fails "R9: blkdiscard is refused" blkdiscard -f -o 4096 -l 4096 $dev
	check_is "R1: nothing changed" "$(sectors_bad $dev 0 64)" "0-34:1 35-35:BAD 36-63:1"
}

# A discard that fails at a bad block is no evidence.
test_failed_discard() {
	discard_set 1 1
	write_sectors $dev 0 64 1
	set_bad 20
	blkdiscard -f -o 8192 -l 4096 $dev 2>/dev/null || true
	check_is "R4: a discard over a bad block relocates and loses nothing" \
		"$(map set) $(status set used)" " 0"
}

test_write_zeroes() {
	simple_set
	states
	check "R9: blkdiscard -z over remapped and lost blocks succeeds" \
		blkdiscard -f -z -o 4608 -l $((6 * 4096)) $dev
	check_is "R1: zeros are read there and only there" \
		"$(sectors $dev 0 64)" "0-8:1 9-56:zero 57-63:1"
	restart set
	check_is "R2: and after a restart" "$(sectors $dev 0 64)" "0-8:1 9-56:zero 57-63:1"
}

# A disk with write zeroes of its own below: a loop device over a file.
test_native_write_zeroes() {
	loop_disk data 32
	null_disk spare 16
	make_set set "$data" "$spare"
	dev=/dev/mapper/set
	write_sectors $dev 0 64 1
	message set relocate 2 1 >/dev/null
	message set unreadable 35 1 >/dev/null
	check "R9: write zeroes over remapped and lost blocks succeeds" \
		blkdiscard -f -z -o 4608 -l $((6 * 4096)) $dev
	check_is "R1: zeros are read there and only there" \
		"$(sectors $dev 0 64)" "0-8:1 9-56:zero 57-63:1"
	check_is "R3: the lost block is healed, the other stays on the spare" "$(map set)" "2:1:0:0"
}

test_nowait() {
	local size
	simple_set
	states
	check_is "R9: healthy and remapped blocks are read with NOWAIT" \
		"$(sectors_bad $dev 0 32 --nowait)" "0-31:1"
	check_is "R3: lost sectors fail at once" "$(sectors_bad $dev 35 1 --nowait)" "35-35:BAD"
	for size in 1 8 32; do
		check "R9: writes of healthy and remapped blocks with NOWAIT, $size sectors" \
			write_sectors $dev 0 32 2 --size $size --nowait
	done
	check_is "R9: what must wait is EAGAIN, not an error of the medium" \
		"$(write_sectors $dev 35 1 2 --nowait)" "35-35:EAGAIN"
	check_is "R4: it changes nothing" "$(map set)" "2:1:0:0 4:0:0:8"
	set_bad 50
	sectors $dev 48 8 --nowait >"$TMP/out"
	check_like "R3: a bad block read with NOWAIT is an error of some kind" \
		"$(<"$TMP/out")" "*50-50:E*"
	check_is "R1: all else is right" "$(sectors_bad $dev 0 64)" \
		"0-31:2 32-34:1 35-35:BAD 36-49:1 50-50:BAD 51-63:1"
}

test_fio_nowait() {
	simple_set
	states
	check "R9: io_uring with NOWAIT verifies" \
		fio_verify $dev --ioengine=io_uring --nowait=1 --rw=randwrite --bs=4k \
		--iodepth=8 --size=16k
	check_is "R4: and has changed nothing" "$(map set)" "2:1:0:0 4:0:0:8"
}

# The page cache reads and writes pages over blocks of all states.
test_buffered() {
	simple_set
	states
	# Since 6.15 the cache of a block device reads ahead in folios of several pages, and
	# one of these fails as a whole, whatever the device.
	blockdev --setra 0 $dev
	echo 3 >/proc/sys/vm/drop_caches
	check_is "R3: buffered reads fail by the page" \
		"$(sectors_bad $dev 0 64 --size 8 --cached)" "0-31:1 32-39:BAD 40-63:1"
	write_sectors $dev 32 8 2 --cached
	check "R3: a buffered write of a page heals it" sync $dev
	check_is "R1: read directly" "$(sectors $dev 0 64)" "0-31:1 32-39:2 40-63:1"
	check_is "R1: and through the cache" "$(sectors $dev 0 64 --cached)" "0-31:1 32-39:2 40-63:1"
}
