# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The way of healthy I/O: what the devices below can do, a set can do as well. Counted by
# the kernel's own trace points, not timed, and beside dm-linear over the same device.
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

TRACING=/sys/kernel/tracing

# From now on count these.
trace() { # SYSTEM/EVENT...
	local event
	mountpoint -q $TRACING || mount -t tracefs tracefs $TRACING
	echo 0 >$TRACING/events/enable
	echo >$TRACING/trace
	for event; do
		echo 1 >"$TRACING/events/$event/enable"
	done
}

traced() { # REGEX
	grep -cE "$1" $TRACING/trace || true
}

# Reads or writes by io_uring, which asks with NOWAIT first and leaves to a thread
# what would have to wait. Says how many were left to it of how many that ended.
punted() { # DEV RW [FIO-OPTION...]
	trace io_uring/io_uring_queue_async_work io_uring/io_uring_complete
	fio --name=uring --filename="$1" --ioengine=io_uring --direct=1 --rw="$2" --bs=4k \
		--iodepth=8 --number_ios=100 --randrepeat=1 "${@:3}" --output="$TMP/fio"
	echo "$(traced 'io_uring_queue_async_work:') of $(traced 'io_uring_complete:')"
}

# Requests of a kind that a command sends to a disk, and bios that were split on the way.
requests() { # DISK R|W|D COMMAND [ARG...]
	local number
	number=$(lsblk -dno MAJ:MIN "$1" | tr -d ' ' | tr : ,)
	trace block/block_rq_issue block/block_split
	"${@:3}"
	echo "$(traced "block_rq_issue: $number $2") $(traced 'block_split:')"
}

test_nowait() {
	local rw
	modprobe dm-delay
	simple_set
	write_sectors $dev 0 8192 1 --size 1024
	dm_make waits "0 $(sectors_of "$data") delay $data 0 0"
	check_is "a device that can not do without waiting is seen" \
		"$(punted /dev/mapper/waits randread)" "100 of 100"
	for rw in randread randwrite; do
		check_is "$rw: nothing waits without an entry" \
			"$(punted $dev $rw --size=4m)" "0 of 100"
	done
	message set relocate 0 100 >/dev/null
	for rw in randread randwrite; do
		check_is "$rw: nor beside entries" \
			"$(punted $dev $rw --offset=1m --size=3m)" "0 of 100"
		check_is "$rw: nor at blocks that have moved" \
			"$(punted $dev $rw --size=400k)" "0 of 100"
	done
	check_is "R3: nor do known errors" "$(message set unreadable 7000 8 >/dev/null &&
		punted $dev randread --offset=$((7000 * 512)) --size=4k --ignore_error=61 \
			--continue_on_error=io)" "0 of 1"
}

test_polled() {
	trace
	[[ -e $TRACING/kprobe_events ]] || skip "the kernel has no kprobe events to count polls by"
	null_disk data 32 poll_queues=1 || skip "null_blk has no polled queues"
	null_disk spare 16 poll_queues=1
	make_set set "$data" "$spare"
	dev=/dev/mapper/set
	dm_make linear "$(linear_table "$data")"
	need_is "$(queue "$data" io_poll)" 1
	check_is "a set of devices that poll can be polled" "$(queue $dev io_poll)" \
		"$(queue /dev/mapper/linear io_poll)"
	write_sectors $dev 0 8192 1 --size 1024
	message set relocate 0 100 >/dev/null
	echo 'r:polled null_blk:null_poll found=$retval:s32' >$TRACING/kprobe_events
	polled() { # FIO-OPTION...
		trace kprobes/polled
		fio --name=poll --filename=$dev --ioengine=io_uring --direct=1 --bs=4k --iodepth=1 \
			--number_ios=200 --output="$TMP/fio" "$@"
		traced 'polled: .* found=[1-9]'
	}
	check_is "without the wish nothing is polled" "$(polled --rw=randread --size=4m)" 0
	check_is "reads are polled below" \
		"$(polled --hipri=1 --rw=randread --offset=1m --size=3m)" 200
	check_is "writes are" "$(polled --hipri=1 --rw=randwrite --offset=1m --size=3m)" 200
	check_is "and what has moved is polled on the spare" \
		"$(polled --hipri=1 --rw=randread --size=400k --io_size=800k)" 200
	check_is "R1: and is what was written" "$(sectors $dev 0 800)" "0-799:1"
}

# Large I/O goes down as it came where no block has moved.
test_unsplit() {
	local what way linear
	null_disk data 64 discard=1
	null_disk spare 16 discard=1
	make_set set "$data" "$spare"
	dev=/dev/mapper/set
	off=$(offset_of set)
	dm_make linear "0 $(sectors_of $dev) linear $data $off"
	message set relocate 0 2 12000 1 >/dev/null
	big() { # DEV READ|WRITE|DISCARD|ZERO
		case $2 in
		read) dd if="$1" of=/dev/null bs=1M count=16 skip=8 iflag=direct status=none ;;
		write) dd if=/dev/zero of="$1" bs=1M count=16 seek=8 oflag=direct status=none ;;
		discard) blkdiscard -o 8M -l 16M "$1" ;;
		zero) blkdiscard -z -o 8M -l 16M "$1" ;;
		esac
	}
	for what in read:R write:W discard:D zero:W; do
		way=${what#*:} what=${what%:*}
		linear=$(requests "$data" $way big /dev/mapper/linear $what)
		check_that "$what: dm-linear sends some" "${linear% *}" ">= 1"
		check_is "$what: a set sends and splits as dm-linear does" \
			"$(requests "$data" $way big $dev $what)" "$linear"
	done
	linear=$(requests "$data" R big /dev/mapper/linear read)
	message set relocate 3000 1 >/dev/null
	check_that "read: what is split where a block has moved is seen" \
		"$(requests "$data" R big $dev read | cut -d' ' -f2)" "> ${linear#* }"
}
