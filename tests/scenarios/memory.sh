# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A machine that has no memory left but what it swaps to a set whose disk goes bad: nothing
# that the set needs on the way to its disks may wait for that memory.
# shellcheck disable=SC2034,SC2154 # variables of lib.sh
# VM: --memory 256M --disk ../../build/scenario-swap.img,size=384M,name=swap --disk ../../build/scenario-swap-spare.img,size=16M,name=swap-spare
# Timeout: 240

# A disk, not in memory, on which every so many sectors one can neither be read nor written.
failing_disk() { # NAME DEV EVERY
	local sectors
	sectors=$(sectors_of "$2")
	awk -v dev="$2" -v every="$3" -v end="$sectors" 'BEGIN {
		for (at = 65536; at + every < end; at += every) {
			printf "%d %d linear %s %d\n", from, at - from, dev, from
			printf "%d 1 error\n", at
			from = at + 1
		}
		printf "%d %d linear %s %d\n", from, end - from, dev, from
	}' | dm_make "$1" -
}

# Fills more memory than there is, and looks at all of it again.
hungry() { # MEGABYTES
	python3 - "$1" <<-END
		import sys
		n = int(sys.argv[1]) << 20
		a = bytearray(n)
		for i in range(0, n, 4096):
		    a[i:i + 8] = i.to_bytes(8, "little")
		for i in range(0, n, 4096):
		    assert int.from_bytes(a[i:i + 8], "little") == i, i
	END
}

test_swap_without_memory() {
	local set=/dev/mapper/set half
	# The machine's disks are there since an earlier run.
	need blkdiscard -z /dev/vm/swap
	need blkdiscard -z /dev/vm/swap-spare
	failing_disk under /dev/vm/swap 4001
	make_set set /dev/mapper/under /dev/vm/swap-spare
	half=$(($(sectors_of $set) / 2))
	dm_make swap "0 $half linear $set 0"
	dm_make files "0 $half linear $set $half"
	need mkfs.ext4 -q -F /dev/mapper/files
	need mount /dev/mapper/files /mnt
	need mkswap /dev/mapper/swap
	need swapon /dev/mapper/swap
	local memory lost status=0
	lost=$(status set lost)
	memory=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
	hungry $((memory + 60)) &
	local program=$!
	# And what is written through the page cache wants memory meanwhile.
	check "R6: files are written without memory" \
		fio_verify /mnt/file --rw=randwrite --direct=0 --fsync=64 --bs=16k --size=48M
	wait $program || status=$?
	check_is "R6: a program that is larger than the memory ends well" $status 0
	check_that "R6: pages went to the set" \
		"$(io_count "$(dmsetup info -c --noheadings -o blkdevname swap)" 6)" "> 10000 * 8"
	check_that "R5: blocks were relocated" "$(status set relocated)" "> 20"
	check "R6: swapoff brings all back" swapoff /dev/mapper/swap
	need umount /mnt
	check_that "R1: nothing was lost" "$(status set lost)" "<= $lost"
}
