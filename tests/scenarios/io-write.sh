# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R1, R2, R5: writes that fail on the medium.
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

test_write_error() {
	simple_set
	write_sectors $dev 0 4096 1
	need_is "$(map set)" ""
	set_bad 100 102
	check_fails "the sectors fail on the disk" write_sectors "$data" $((off + 96)) 8 2
	check "R2: a write over failing sectors succeeds" write_sectors $dev 64 64 2
	check_is "R5: only the block that failed is relocated" "$(map_remapped set)" "12"
	check_is "R2: one spare block is used" "$(spare set 1 | cut -d/ -f1)" "active 1"
	check_is "R1: what was written is read" "$(sectors $dev 0 160)" \
		"0-63:1 64-127:2 128-159:1"
	restart set
	check_is "R2: the mapping is durable" "$(map_remapped set)" "12"
	check_is "R2: the data is durable" "$(sectors $dev 0 160)" "0-63:1 64-127:2 128-159:1"
	set_good 100 102
	check_is "R1: and stays where it is when the medium works again" \
		"$(sectors $dev 64 64)" "64-127:2"
	check_is "R2: status counts it" "$(status set remapped) $(status set used)" "1 1"
}

# What was never written in a block that moves keeps its content.
test_rest_of_the_block() {
	simple_set
	write_sectors $dev 0 64 1
	set_bad 17
	write_sectors $dev 17 1 2
	check_is "R1: the bad sector has its new content, the rest its old one" \
		"$(sectors $dev 8 24)" "8-16:1 17-17:2 18-31:1"
	set_bad 35 37
	write_sectors $dev 36 3 2
	check_is "R1: what can be read of the block is kept, the rest is lost" \
		"$(sectors_bad $dev 32 8)" "32-34:1 35-35:BAD 36-38:2 39-39:1"
	check_is "R1: the lost sector is in the map" "$(map_lost set)" "4:8"
}

test_block_sizes() {
	local size n last
	null_disk data 16
	null_disk spare 16
	for size in 512 1024 2048 4096 8192 16384; do
		n=$((size / 512))
		make_set s$size "$data" "$spare" -- --block-size $size
		off=$(offset_of s$size)
		need_is "$(status s$size block)" $n
		write_sectors /dev/mapper/s$size 0 512 1
		# The last sector of block 2 up to the first one of block 4.
		last=$((4 * n))
		set_bad $((3 * n - 1)) $last
		write_sectors /dev/mapper/s$size 0 256 2
		check_is "R5: the blocks that failed move, of $size bytes" \
			"$(map_remapped s$size)" "2 3 4"
		check_is "R1: all is read back, blocks of $size bytes" \
			"$(sectors /dev/mapper/s$size 0 512)" "0-255:2 256-511:1"
		set_good $((3 * n - 1)) $last
		unmake_set s$size
	done
}

# The last block of a device may be shorter than a block.
test_short_last_block() {
	local end table
	null_disk data 16
	null_disk spare 16
	dm_make cut "0 $((32768 - 3)) linear $data 0"
	make_set set /dev/mapper/cut "$spare" -- --block-size 16384 --adopt
	dev=/dev/mapper/set
	off=0
	end=$(sectors_of $dev)
	check_that "R9: the device ends in the middle of a block" $((end % 32)) "!= 0"
	write_sectors $dev $((end - 64)) 64 1
	set_bad $((end - 1))
	check "R5: a write up to the end succeeds" write_sectors $dev $((end - 40)) 40 2
	check_is "R5: the last block is relocated" "$(map_remapped set)" "$((end / 32))"
	table=$(sectors $dev $((end - 64)) 64)
	check_is "R1: all is read back" "$table" \
		"$((end - 64))-$((end - 41)):1 $((end - 40))-$((end - 1)):2"
	restart set
	check_is "R2: and after a restart" "$(sectors $dev $((end - 64)) 64)" "$table"
}

test_bursts_are_grouped() {
	local before commits
	simple_set
	write_sectors $dev 0 8192 1 --size 1024
	seq 0 16 8191 | awk -v off="$off" '{ print off + $1, off + $1 }' | bad_list "$data"
	before=$(status set commits)
	write_sectors $dev 0 8192 2 --size 1024
	commits=$(($(status set commits) - before))
	check_is "R5: every second block failed and was relocated" "$(status set remapped)" "512"
	check_that "R2: 512 blocks in 8 writes need few commits" $commits "<= 16"
	check_is "R1: all is read back" "$(sectors $dev 0 8192 --size 8)" "0-8191:2"
	good "$data" 0 65535
	unmake_set set
	modprobe dm-delay
	dm_make slow "$(linear_table "$spare")"
	make_set set "$data" /dev/mapper/slow
	write_sectors $dev 0 2048 3 --size 1024
	seq 0 8 2047 | awk -v off="$off" '{ print off + $1, off + $1 }' | bad_list "$data"
	before=$(status set commits)
	# So slow that all 64 have failed, whatever the CPU, when the next commit begins.
	dm_swap slow "0 $(sectors_of "$spare") delay $spare 0 0 $spare 0 100"
	fio --name=burst --filename=$dev --direct=1 --ioengine=libaio --iodepth=64 \
		--rw=write --bs=4k --size=1M --output="$TMP/fio"
	commits=$(($(status set commits) - before))
	check_is "R5: 256 blocks failed in writes of their own" "$(status set remapped)" "256"
	check_that "R2: at depth 64 commits are shared" $commits "<= 16"
}

# A copy of the disks as they are now, started as after a crash.
test_acknowledged_is_on_disk() {
	local copy1 copy2 table
	simple_set
	write_sectors $dev 0 1024 1
	set_bad 100 110
	set_bad 500
	write_sectors $dev 64 512 2
	table=$(dmsetup table set)
	loop_disk copy1 32
	loop_disk copy2 16
	dd if="$data" of="$copy1" bs=512 conv=noerror,sync iflag=direct status=none \
		count=$((off + 1024)) 2>/dev/null || true
	dd if="$spare" of="$copy2" bs=1M status=none iflag=direct
	dmsetup remove set
	check_that "both copies differ from zeros" "$(stat -c %b "$(losetup -nO BACK-FILE "$copy1")")" "> 0"
	dm_make set "0 ${table#* }"
	dmsetup remove set
	table=$(awk -v a="$copy1" -v b="$copy2" '{ $4 = a; $5 = b; print }' <<<"$table")
	dm_make set "$table"
	check_is "R2: what was acknowledged is on the disks without a stop" \
		"$(sectors $dev 0 1024)" "0-63:1 64-575:2 576-1023:1"
	check_is "R2: with its map" "$(map_remapped set)" "12 13 62"
}

# The spare takes 0.4 s for each write. The block's, the flush and the map's must
# all be done before the write is acknowledged.
test_acknowledged_after_commit() {
	local start took
	modprobe dm-delay
	null_disk data 32
	null_disk disk 16
	dm_make spare "$(linear_table "$disk")"
	make_set set "$data" /dev/mapper/spare
	dev=/dev/mapper/set
	off=$(offset_of set)
	write_sectors $dev 0 64 1
	set_bad 17
	dm_swap spare "0 $(sectors_of "$disk") delay $disk 0 0 $disk 0 400"
	start=${EPOCHREALTIME/./}
	write_sectors $dev 16 8 2
	took=$(((${EPOCHREALTIME/./} - start) / 1000))
	check_is "R2: the block is relocated" "$(map_remapped set)" "2"
	check_that "R2: it took as long as the block and its mapping (ms)" $took ">= 800"
	dm_swap spare "$(linear_table "$disk")"
}

# fsync() on the set reaches the disks as it does through dm-linear.
test_flush_counts() {
	local plain idle was plain_syncs
	null_disk data 32 cache_size=1
	null_disk spare 16 cache_size=1
	null_disk idle 16 cache_size=1
	null_disk plain 32 cache_size=1
	make_set set "$data" "$spare,tier=0" "$idle,tier=1"
	dev=/dev/mapper/set
	off=$(offset_of set)
	dm_make plain "$(linear_table "$plain")"
	need write_sectors $dev 0 1024 1
	count_flushes() { # COMMAND...
		local before=() disk
		for disk in "$plain" "$data" "$spare" "$idle"; do
			before+=("$(flushes "$disk")")
		done
		"$@"
		was=
		for disk in "$plain" "$data" "$spare" "$idle"; do
			was+="$(($(flushes "$disk") - before[0])) "
			before=("${before[@]:1}")
		done
	}
	count_flushes write_sectors /dev/mapper/plain 0 100 1 --size 1 --fsync
	check_is "100 fsyncs are 100 flushes through dm-linear" "$was" "100 0 0 0 "
	count_flushes write_sectors $dev 0 100 1 --size 1 --fsync
	check_is "R9: and on the data device, none on a spare that holds nothing" \
		"$was" "0 100 0 0 "
	set_bad 200
	write_sectors $dev 200 1 2
	need_is "$(map_remapped set)" "25"
	count_flushes write_sectors $dev 180 100 2 --size 1 --fsync
	check_is "R2: 100 fsyncs are 100 flushes on the data device and on the spare in use" \
		"$was" "0 100 100 0 "
	count_flushes write_sectors /dev/mapper/plain 180 50 2 --size 1 --sync
	plain_syncs=${was%% *}
	count_flushes write_sectors $dev 180 50 2 --size 1 --sync
	check_is "R2: O_DSYNC is as through dm-linear on both" \
		"$was" "0 $plain_syncs $plain_syncs 0 "
}

# FUA on blocks that fail: through the worker, and to a slot.
test_sync_writes() {
	simple_set
	write_sectors $dev 0 256 1
	set_bad 20 21
	set_bad 90
	check "R2: synchronous writes over bad blocks succeed" \
		write_sectors $dev 0 128 2 --size 3 --sync
	check "R2: dd with oflag=dsync as well" \
		dd if=/dev/zero of=$dev bs=4k seek=20 count=4 oflag=direct,dsync status=none
	check_is "R1: all is read back" "$(sectors $dev 0 256)" "0-127:2 128-159:1 160-191:zero 192-255:1"
	check_is "R5: only the blocks that failed moved" "$(map_remapped set)" "2 11"
}

# Through the page cache, at write-back.
test_buffered_writes() {
	simple_set
	write_sectors $dev 0 2048 1
	set_bad 100
	set_bad 1000 1010
	write_sectors $dev 0 2048 2 --cached
	check "R2: fsync of buffered writes over bad blocks succeeds" sync $dev
	check_is "R5: the blocks moved" "$(map_remapped set)" "12 125 126"
	echo 3 >/proc/sys/vm/drop_caches
	check_is "R1: read back directly" "$(sectors $dev 0 2048)" "0-2047:2"
	check_is "R1: read back through the page cache" \
		"$(sectors $dev 0 2048 --cached)" "0-2047:2"
}

# A write to a slot is on its way while what it writes is found lost: it is repeated, and not
# acknowledged for sectors that no one can read.
test_lost_under_a_write() {
	local half sectors written
	modprobe dm-delay
	null_disk data 32
	null_disk disk 16
	sectors=$(sectors_of "$disk")
	dm_make spare "$(linear_table "$disk")"
	make_set set "$data" /dev/mapper/spare
	dev=/dev/mapper/set
	write_sectors $dev 0 64 1
	need_is "$(message set relocate 0 1)" "relocated 1 lost 0 unchanged 0 failed 0"
	half=$(slot_sector "$disk" 0)
	need_is "$((half > 1024))" 1
	# The map is written quickly, the slots are not.
	printf '%s\n' "0 1024 linear $disk 0" \
		"1024 $((sectors - 1024)) delay $disk 1024 0 $disk 1024 8000" | dmsetup load spare
	dmsetup suspend --nolockfs --noflush spare
	dmsetup resume spare
	write_sectors $dev 0 8 2 &
	sleep 1
	check "the block is found lost meanwhile" message set unreadable 0 8
	wait $! && written=0 || written=$?
	check_is "R2: the write is acknowledged" $written 0
	check_is "R1: and what it wrote is read" "$(sectors $dev 0 16)" "0-7:2 8-15:1"
}
