# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R9: what any block device has to stand, here with bad sectors below it: flushes of many,
# discards of any size, processors that go, a device made read-only, polled I/O.
# shellcheck disable=SC2034,SC2154 # variables of lib.sh
# Timeout: 120

# Bad sectors wherever one writes: one in each 100 kB.
bad_everywhere() {
	null_disk data 64 discard=1
	null_disk spare 16 discard=1
	make_set set "$data" "$spare"
	dev=/dev/mapper/set
	off=$(offset_of set)
	seq 200 200 80000 | awk -v off="$off" '{ print off + $1, off + $1 }' | bad_list "$data"
}

test_flushes_of_many() {
	bad_everywhere
	check "R2: 64 writers that flush after each write" fio --name=flushes --filename=$dev \
		--bs=4k --rw=randwrite --norandommap --fsync=1 --number_ios=32 --numjobs=64 \
		--size=40M --output="$TMP/fio"
	check_that "R5: blocks were moved on the way" "$(status set relocated)" "> 0"
	check_is "R1: none was lost" "$(status set lost)" "0"
}

# A null_blk fails discards of bad sectors as well; disks do not.
test_discards_of_any_size() {
	bad_everywhere
	write_sectors $dev 0 81920 1 --size 512
	set_good 0 81920
	check "R9: discards of 4 KiB to all there is" fio --name=discards --filename=$dev \
		--bsrange=4k-64m --rw=randtrim --norandommap --runtime=5s --time_based=1 \
		--output="$TMP/fio"
	check "R9: and what is written behind them is verified" fio_verify $dev --rw=randtrimwrite \
		--bsrange=4k-64k --blockalign=4k --iodepth=8 --size=16M --io_size=16M
	check_is "R1: no block was lost" "$(status set lost)" "0"
}

# Counters and queues of a processor that goes are not lost with it.
test_processors_go() {
	local fio status rounds=0
	[[ -w /sys/devices/system/cpu/cpu1/online ]] || skip "one processor"
	bad_everywhere
	fio_verify $dev --rw=randwrite --bs=4k --iodepth=16 --size=32M --io_size=24M --fsync=64 \
		--verify_backlog=64 >"$TMP/verify" 2>&1 &
	fio=$!
	while kill -0 $fio 2>/dev/null; do
		echo $((rounds++ % 2)) >/sys/devices/system/cpu/cpu1/online
		sleep 0.2
	done
	echo 1 >/sys/devices/system/cpu/cpu1/online
	wait $fio && status=0 || status=$?
	check_is "R6: I/O while a processor comes and goes" "$status" "0"
	check_that "R6: it did" "$rounds" "> 1"
	check_that "R5: blocks were moved" "$(status set relocated)" "> 0"
	check_is "R1: none was lost" "$(status set lost)" "0"
}

test_read_only_by_ioctl() {
	bad_everywhere
	need dd if=/dev/zero of=$dev bs=2M count=1 oflag=direct
	need blockdev --setro $dev
	check_fails "R9: no write while it is read-only" \
		dd if=/dev/urandom of=$dev bs=2M count=1 oflag=direct
	check_is "R9: and nothing is changed by it" \
		"$(dd if=$dev bs=2M count=1 iflag=direct 2>/dev/null | tr -d '\0' | wc -c)" "0"
	set_bad 4096
	check_is "R3: a sector that can not be read is an error" "$(sectors $dev 4096 1)" "4096-4096:ENODATA"
	check_is "R3: and is known" "$(map_lost set)" "512:1"
	need blockdev --setrw $dev
	check "R9: written again afterwards" \
		dd if=/dev/urandom of=$dev bs=2M count=2 oflag=direct
	check_is "R3: what was lost has been written anew" "$(map_lost set)" ""
}

# Polled I/O and registered buffers.
test_io_uring() {
	local hipri
	bad_everywhere
	for hipri in 0 1; do
		check "R1: io_uring$( ((hipri)) && echo ", polled")" fio --name=verify --filename=$dev \
			--direct=1 --ioengine=io_uring --hipri=$hipri --fixedbufs=1 --iodepth=32 \
			--rw=randwrite --bsrange=512-64k --blockalign=512 --serialize_overlap=1 \
			--verify=crc32c --verify_fatal=1 --size=8M --output="$TMP/fio"
	done
	check_that "R5: blocks were moved" "$(status set relocated)" "> 0"
	check_is "R1: none was lost" "$(status set lost)" "0"
}
