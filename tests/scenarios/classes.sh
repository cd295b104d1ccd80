# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R4: which errors remap, and devices that go away and come back.
# shellcheck disable=SC2034,SC2154 # variables of lib.sh
# Timeout: 90

# A set whose data device is dm "lower", so that it can be taken away.
breakable_set() { # [OPTION...]
	null_disk disk 32
	null_disk spare 16
	dm_make lower "$(linear_table "$disk")"
	make_set set /dev/mapper/lower "$spare" -- "$@"
	dev=/dev/mapper/set
	off=$(offset_of set)
	works=$(linear_table "$disk")
}

# Reads and writes of everything for so many seconds, whose errors are expected.
hammer() { # SECONDS
	local end=$((SECONDS + $1)) n=0
	while ((SECONDS < end)); do
		write_sectors $dev $((n * 96 % 8192)) 64 9 --size 8 --all >>"$TMP/hammer" || true
		sectors $dev $((n * 64 % 8192)) 64 --size 8 >>"$TMP/hammer"
		n=$((n + 1))
	done
}

is_open() { [[ $(status set breaker) == open ]]; }
is_closed() { [[ $(status set breaker) == closed ]]; }

# The data device fails everything for 5 s and comes back.
device_goes() { # HOW TABLE
	local map
	write_sectors $dev 0 8192 1 --size 512
	bad "$disk" $((off + 100))
	write_sectors $dev 96 16 1
	bad "$disk" $((off + 305))
	sectors $dev 304 8 >/dev/null
	map=$(map set)
	need_is "$map" "12:1:0:0 38:0:0:2"
	need_is "$(status set breaker)" closed
	dm_swap lower "$2"
	hammer 5
	check "R4: I/O failed while the device was away" grep -q E "$TMP/hammer"
	check_is "R4: the breaker is open" "$(status set breaker)" "open"
	check_is "R4: the map is as before" "$(map set)" "$map"
	check_is "R4: what lives on the spare is served" "$(sectors $dev 96 8)" "96-103:$(sectors $dev 96 1 | cut -d: -f2)"
	dm_swap lower "$works"
	check "R4: the breaker closes" wait_until 10 is_closed
	check_is "R4: no block was relocated" "$(map_remapped set)" "12"
	check_is "R4: none was lost" "$(map_lost set)" "38:2"
	check "R4: writes succeed again" write_sectors $dev 0 8192 2 --size 512
	check_is "R1: all is read back" "$(sectors_bad $dev 0 8192 --size 8)" "0-8191:2"
	check_that "R4: the breaker tripped" "$(status set breaker_trips)" "> 0"
	bad "$disk" $((off + 500))
	write_sectors $dev 496 8 3
	check_is "R4: after that bad blocks are relocated again" "$(map_remapped set | tr ' ' '\n' | grep -cx 62)" 1
	restart set
	check_is "R7: the set starts" "$(sectors $dev 488 24)" "488-495:2 496-503:3 504-511:2"
	check_is "R7: in order" "$(status set mode)" "rw"
}

test_all_io_fails_with_header() {
	breakable_set
	device_goes header "$(error_table "$disk")"
}

test_all_io_fails_adopted() {
	breakable_set --adopt
	device_goes adopted "$(error_table "$disk")"
}

# dm-flakey that fails all writes and serves all reads.
test_all_writes_fail() {
	modprobe dm-flakey
	breakable_set
	write_sectors $dev 0 8192 1 --size 512
	dm_swap lower "0 $(sectors_of "$disk") flakey $disk 0 0 1000 1 error_writes"
	hammer 3
	check "writes failed" grep -q E "$TMP/hammer"
	check_is "R4: the breaker is open" "$(status set breaker)" "open"
	check_is "R4: nothing was relocated or lost" "$(map set)" ""
	check_is "R4: all can be read" "$(sectors_bad $dev 0 8192 --size 8)" "0-8191:1"
	check_is "R4: which does not close the breaker" "$(status set breaker)" "open"
	dm_swap lower "$works"
	check "R4: the breaker closes" wait_until 10 is_closed
	check "R4: writes succeed again" write_sectors $dev 0 8192 2 --size 512
	check_is "R4: nothing was relocated" "$(map set)" ""
}

# Opening and closing raise events.
test_breaker_events() {
	breakable_set
	write_sectors $dev 0 64 1
	watch_events set
	dm_swap lower "$(error_table "$disk")"
	write_sectors $dev 0 8 2 >/dev/null || true
	check "R4: dmsetup wait returns when the breaker opens" wait_until 5 event_came
	need is_open
	watch_events set
	dm_swap lower "$works"
	check "R4: and when it closes, with no I/O" wait_until 5 event_came
	check "R4: it is closed" is_closed
	check "the log tells that it failed" log_has "fails all (I/O|writes)"
	check "the log tells that it is back" log_has "is back"
}

# The device goes and comes many times under load: still nothing is remapped.
test_device_comes_and_goes() {
	local i pid
	breakable_set
	write_sectors $dev 0 8192 1 --size 512
	(hammer 8) &
	pid=$!
	for ((i = 0; i < 12; i++)); do
		dm_swap lower "$(error_table "$disk")"
		sleep 0.2
		dm_swap lower "$works"
		sleep 0.2
	done
	wait $pid
	check "I/O failed in between" grep -q E "$TMP/hammer"
	check "R4: the breaker closes" wait_until 10 is_closed
	check_is "R4: nothing was relocated or lost" "$(map set)" ""
	check_is "R1: all can be read" \
		"$(sectors_bad $dev 0 8192 --size 8 | tr ' ' '\n' | cut -d: -f2 | sort -u | xargs)" "1 9"
}

# Read-ahead that hits a bad sector is not a read error.
test_read_ahead() {
	local passed
	simple_set
	write_sectors $dev 0 2048 1
	set_bad 64
	echo 3 >/proc/sys/vm/drop_caches
	blockdev --setra 256 $dev
	passed=$(status set passed)
	check_is "R4: a buffered read before the bad sector succeeds" \
		"$(sectors_bad $dev 0 32 --size 8 --cached)" "0-31:1"
	check_that "R4: its read-ahead failed" "$(status set passed)" "> $passed"
	check_is "R4: and is not remembered" "$(map set)" ""
	check_is "R3: a buffered read of it fails" \
		"$(sectors_bad $dev 64 8 --size 8 --cached)" "64-71:BAD"
	check_is "R3: and is remembered" "$(map_lost set)" "8:1"
	check_is "R3: its neighbours are read" \
		"$(sectors_bad $dev 32 64 --size 8 --cached)" "32-63:1 64-71:BAD 72-95:1"
}

# A SCSI disk without medium errors whose other errors are passed up.
scsi_set() {
	scsi_disk disk dev_size_mb=16
	null_disk spare 8
	make_set set "$disk" "$spare"
	dev=/dev/mapper/set
	off=$(offset_of set)
	write_sectors $dev 0 64 1
}

test_write_protection() {
	scsi_set
	echo 1 >/sys/module/scsi_debug/parameters/wp
	check_fails "writes of the disk are refused now" write_sectors "$disk" 20000 8 1
	check_fails "R4: a write to a protected disk fails" write_sectors $dev 0 8 2
	check_is "R4: and relocates nothing" "$(map set) $(status set used)" " 0"
	check_is "R1: the old content is read" "$(sectors $dev 0 64)" "0-63:1"
	echo 0 >/sys/module/scsi_debug/parameters/wp
	check "R4: without protection it succeeds" write_sectors $dev 0 8 2
	check_is "R1: and is read" "$(sectors $dev 0 64)" "0-7:2 8-63:1"
}

test_offline_disk() {
	local state
	scsi_set
	state=/sys/block/${disk##*/}/device/state
	echo offline >"$state"
	check_fails "R4: a write to an offline disk fails" write_sectors $dev 0 8 2
	check_like "R4: a read from it too" "$(sectors $dev 0 8)" "0-7:E*"
	check_is "R4: nothing is relocated or lost" "$(map set) $(status set used)" " 0"
	echo running >"$state"
	check "R4: online again it is written" write_sectors $dev 0 8 2
	check_is "R1: and read" "$(sectors $dev 0 64)" "0-7:2 8-63:1"
	check "R4: the breaker closes" wait_until 10 is_closed
}

test_unplugged_disk() {
	scsi_set
	echo 1 >"/sys/block/${disk##*/}/device/delete"
	check_fails "R4: a write to a disk that is gone fails" write_sectors $dev 0 8 2
	check_like "R4: a read from it too" "$(sectors $dev 0 8)" "0-7:E*"
	write_sectors $dev 0 64 2 --size 1 --all >/dev/null || true
	check_is "R4: nothing is relocated or lost" "$(map set) $(status set used)" " 0"
	check "R9: the set can be removed" dmsetup remove --retry set
}

# Unit attentions and aborted commands come and go; SCSI repeats them.
test_transport_errors() {
	scsi_set
	echo 16 >/sys/bus/pseudo/drivers/scsi_debug/opts
	echo 3 >/sys/bus/pseudo/drivers/scsi_debug/every_nth
	write_sectors $dev 0 512 2 --size 8 --all >"$TMP/out" || true
	sectors $dev 0 512 --size 8 >>"$TMP/out"
	check_is "R4: transport errors relocate and lose nothing" \
		"$(map set) $(status set used)" " 0"
	echo 0 >/sys/bus/pseudo/drivers/scsi_debug/every_nth
	check "R4: afterwards all is written" write_sectors $dev 0 512 3 --size 8
	check_is "R1: and read" "$(sectors $dev 0 512 --size 8)" "0-511:3"
}

# One command in five fails with a protection error: not a word about the medium.
test_protection_errors() {
	scsi_set
	write_sectors $dev 0 512 1 --size 8
	echo 32 >/sys/bus/pseudo/drivers/scsi_debug/opts
	echo 5 >/sys/bus/pseudo/drivers/scsi_debug/every_nth
	write_sectors $dev 0 512 1 --size 8 --all >"$TMP/writes" || true
	sectors $dev 0 512 --size 8 >"$TMP/reads"
	echo 0 >/sys/bus/pseudo/drivers/scsi_debug/every_nth
	check_like "R4: protection errors of writes are passed up" "$(<"$TMP/writes")" "*:EILSEQ*"
	check_like "R4: and of reads" "$(<"$TMP/reads")" "*:EILSEQ*"
	check_that "R4: as the counter says" "$(status set passed)" "> 20"
	check_is "R4: nothing is relocated or lost" "$(map set) $(status set used)" " 0"
	check_is "R1: all is read" "$(sectors $dev 0 512 --size 8)" "0-511:1"
}
