# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R5, R6: I/O of all sizes over many bad blocks, while the device is suspended,
# reloaded and restarted.
# shellcheck disable=SC2034,SC2154 # variables of lib.sh
# Timeout: 150

# Ranges of bad sectors in the first 40 MiB: COUNT of them, of LENGTH or up to
# that.
scatter() { # COUNT LENGTH [fixed]
	awk -v off="$off" -v count="$1" -v most="$2" -v fixed="${3:-}" 'BEGIN {
		srand(count)
		step = int(81920 / count)
		for (i = 0; i < count; i++) {
			n = fixed ? most : 1 + int(rand() * most)
			at = off + i * step + int(rand() * (step - n))
			print at, at + n - 1
		}
	}' | bad_list "$data"
}

# Suspend and resume, or load the table anew, until stopped.
disturb() {
	while [[ ! -e $TMP/stop ]]; do
		dmsetup suspend set
		sleep 0.1
		dmsetup resume set
		sleep 0.4
		dmsetup load set --table "$(dmsetup table set)"
		dmsetup resume set
		sleep 0.4
	done
}

# Verify with each of "SIZE:DEPTH", disturbed from outside.
fio_passes() { # SIZE:DEPTH...
	local pass size disturber
	rm -f "$TMP/stop"
	disturb >"$TMP/disturb" 2>&1 &
	disturber=$!
	for pass; do
		size=${pass%:*}
		[[ $size == *-* ]] || size=$size-$size
		check "R5: fio verifies $pass over $bad_ranges bad ranges" \
			fio_verify $dev --rw=randwrite --bsrange="$size" --blockalign=512 \
			--iodepth="${pass#*:}" --size=40M --io_size=5M --randseed=$RANDOM
	done
	touch "$TMP/stop"
	wait $disturber && disturber=0 || disturber=$?
	check_is "R9: suspend, resume and reload worked all the time" \
		"$disturber $(<"$TMP/disturb")" "0 "
}

big_set() {
	null_disk data 48
	null_disk spare 48
	make_set set "$data" "$spare" -- "$@"
	dev=/dev/mapper/set
	off=$(offset_of set)
	RANDOM=11
}

after_passes() {
	local map
	check_that "R5: blocks were relocated" "$(status set remapped)" "> 0"
	check_is "R8: no relocation failed" "$(status set relocate_failed)" "0"
	check_is "R1: nothing was lost" "$(status set lost)" "0"
	map=$(map set)
	restart set
	check_is "R2: the map is the same after a restart" "$(map set)" "$map"
}

test_64_bad_ranges() {
	bad_ranges=64
	big_set
	scatter 64 3
	fio_passes 4k:1 4k:64 64k:8 1M:4 512-128k:16
	after_passes
}

test_500_bad_ranges() {
	bad_ranges=500
	big_set
	scatter 500 20
	fio_passes 4k:32 64k:1 1M:2 512-64k:64
	after_passes
}

# 500 runs of 8 blocks: as many as a null_blk can hold.
test_4000_bad_blocks() {
	bad_ranges=500
	big_set
	scatter 500 64 fixed
	write_sectors $dev 0 81920 1 --size 2048
	check_that "R5: all bad blocks are relocated" "$(status set remapped)" ">= 4000"
	check_is "R1: all is read back" "$(sectors $dev 0 81920 --size 64)" "0-81919:1"
	fio_passes 4k:64 1M:8 512-256k:4
	after_passes
}

test_other_block_sizes() {
	bad_ranges=100
	big_set --block-size 512
	scatter 100 5
	fio_passes 4k:16 512-64k:8
	after_passes
	good "$data" 0 98303
	unmake_set set
	big_set --block-size 16384
	scatter 100 40
	fio_passes 4k:16 512-64k:8
	after_passes
}

# Every alignment and length over healthy, remapped and unreadable blocks.
test_alignments() {
	local first count expect runs wrong=0 n=0
	simple_set
	write_sectors $dev 0 64 1
	set_bad 17 18
	write_sectors $dev 16 8 2
	set_bad 35
	set_bad 42
	sectors $dev 32 8 >/dev/null
	need_is "$(map_remapped set)/$(map_lost set)" "2/4:8"
	set_good 42
	expect=(16 24)
	for ((first = 10; first < 35; first += 3)); do
		for ((count = 1; first + count <= 46; count += 4)); do
			if ((first <= 35 && first + count > 35)); then
				runs="$first-$((first + count - 1)):BAD"
			else
				runs=
				((first >= expect[0])) ||
					runs+="$first-$((first + count > 16 ? 15 : first + count - 1)):1 "
				((first >= 24 || first + count <= 16)) ||
					runs+="$((first > 16 ? first : 16))-$((first + count > 24 ? 23 : first + count - 1)):2 "
				((first + count <= 24)) ||
					runs+="$((first > 24 ? first : 24))-$((first + count - 1)):1 "
			fi
			n=$((n + 1))
			[[ $(sectors_bad $dev $first $count --size $count) == "${runs% }" ]] || {
				wrong=$((wrong + 1))
				echo "# read of $first+$count"
			}
		done
	done
	check_that "reads were made" $n "> 50"
	check_is "R5: reads of all alignments are right" $wrong 0
	wrong=0
	for ((count = 1; count < 34; count += 4)); do
		for ((first = 8; first < 30; first += 7)); do
			write_sectors $dev 0 64 3 --size 1
			write_sectors $dev $first $count 4
			runs="0-$((first - 1)):3 $first-$((first + count - 1)):4 $((first + count))-63:3"
			[[ $(sectors $dev 0 64) == "$runs" ]] || {
				wrong=$((wrong + 1))
				echo "# write of $first+$count"
			}
		done
	done
	check_is "R5: writes of all alignments are right" $wrong 0
}
