# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What scenarios can use. A scenario is a function test_... in a file here; it
# runs in a process of its own in the virtual machine, with "set -e": a command
# that fails outside of a check ends the test as failed. All block devices,
# mounts and /tmp/scenario are cleaned up behind it. More scenarios follow one
# another in the same machine.

TMP=/tmp/scenario
mkdir -p "$TMP"
KEEP_LOG=30 # lines of the kernel's log to show with the first failure
FAILED=0 CHECKS=0
ended=
# Where results go, wherever the output of a command goes that fails.
exec {RESULTS}>&1

# --- Checks ------------------------------------------------------------------

passed() { # WHAT
	CHECKS=$((CHECKS + 1))
	echo "ok - $1" >&"$RESULTS"
}

# The kernel's log since this test began. Read to the end, because a pipe that
# is closed early ends the test.
test_log() {
	dmesg --notime | awk '/^scenario: / { n = 0 } { line[n++] = $0 }
		END { for (i = 0; i < n; i++) print line[i] }'
}

failed() { # WHAT [LINE...]
	FAILED=$((FAILED + 1)) CHECKS=$((CHECKS + 1))
	echo "not ok - $1"
	shift
	(($# == 0)) || printf '%s\n' "$@" | sed 's/^/# /'
	((FAILED > 1)) || test_log | tail -n "$KEEP_LOG" | sed 's/^/# kernel: /'
	((FAILED > 1)) || more_log
} >&"$RESULTS"

# What else to show with the first failure; lib-systemd.sh has a better one.
more_log() { :; }

# "ok" if the command succeeds; else its output is the reason.
check() { # WHAT COMMAND [ARG...]
	local what=$1 output status
	shift
	output=$("$@" 2>&1) && status=0 || status=$?
	if ((status == 0)); then
		passed "$what"
	else
		failed "$what" "status $status of: $*" "$(tail -n 20 <<<"$output")"
	fi
}

# "ok" if the command fails, and not by a signal.
check_fails() { # WHAT COMMAND [ARG...]
	local what=$1 output status
	shift
	output=$("$@" 2>&1) && status=0 || status=$?
	if ((status > 0 && status < 128)); then
		passed "$what"
	else
		failed "$what" "status $status of: $*" "$(tail -n 20 <<<"$output")"
	fi
}

check_is() { # WHAT IS EXPECTED
	if [[ $2 == "$3" ]]; then
		passed "$1"
	else
		failed "$1" "is:       $2" "expected: $3"
	fi
}

# "ok" if it matches the pattern of the shell.
check_like() { # WHAT IS PATTERN
	# shellcheck disable=SC2053 # a pattern is wanted
	if [[ $2 == $3 ]]; then
		passed "$1"
	else
		failed "$1" "is:       $2" "expected: $3"
	fi
}

# "ok" if the arithmetic expression is true: check_that "R8: ..." "$used" "<= 5"
check_that() { # WHAT VALUE CONDITION
	local -i holds="$2 $3"
	if ((holds)); then
		passed "$1"
	else
		failed "$1" "not true: $2 $3"
	fi
}

# What a test stands on; not counted unless it fails, and ends the test then.
need() { # COMMAND [ARG...]
	local output
	output=$("$@" 2>&1) || {
		failed "precondition: $*" "$(tail -n 20 <<<"$output")"
		ended=1
		exit 1
	}
}

need_is() { # IS EXPECTED
	[[ $1 == "$2" ]] || {
		failed "precondition" "is:       $1" "expected: $2"
		ended=1
		exit 1
	}
}

# The rest of the test can not be done here.
skip() { # REASON
	echo "ok - $1 # skip"
	ended=1
	exit 0
}

# The traps of a test: for a command that fails, and for the end. A command
# substitution that fails is the affair of who uses it.
trap_error() { # PLACE
	((BASH_SUBSHELL == 0)) || return 0
	failed "the test was left in the middle" "at $1"
	ended=1
	exit 1
}

trap_exit() { # STATUS
	[[ $ended ]] || failed "the test was left in the middle" "status $1"
}

finished() { # TEST
	ended=1
	((CHECKS > 0)) || failed "$1 checks nothing"
	((FAILED == 0))
}

# Wait until the command succeeds; longer in a slow machine.
wait_until() { # SECONDS COMMAND [ARG...]
	local end=$((SECONDS + $1 * ${PATIENCE:-1} + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || return 1
		sleep 0.1
	done
}

# Does the kernel's log of this test have such a line?
log_has() { # REGEX
	test_log | grep -E -- "$1" >/dev/null
}

# --- Faults ------------------------------------------------------------------

# The faults that are tried: so many numbers from 1 to CALLS, spread over all of them, by
# RANDOM, which a test sets to SEED (SEED=2 tests/scenarios/run ...).
spread() { # VARIABLE COUNT CALLS
	local -n into=$1
	local i from to
	into=()
	for ((i = 0; i < $2; i++)); do
		from=$((i * $3 / $2)) to=$(((i + 1) * $3 / $2))
		into+=($((1 + from + RANDOM % (to - from))))
	done
}

# --- Disks -------------------------------------------------------------------

NULLB=/sys/kernel/config/nullb
next_null=0

# A null_blk that remembers its content. Its path is assigned to the variable.
# Attributes are those of null_blk: blocksize=4096 discard=1 cache_size=1 ...
null_disk() { # VARIABLE MEGABYTES [ATTRIBUTE=VALUE...]
	local -n _path=$1
	local number=$next_null dir=$NULLB/nullb$next_null word
	next_null=$((next_null + 1))
	mkdir "$dir"
	echo "$2" >"$dir/size"
	echo 1 >"$dir/memory_backed"
	echo 512 >"$dir/blocksize"
	echo "$number" >"$dir/index"
	for word in "${@:3}"; do
		echo "${word#*=}" >"$dir/${word%%=*}"
	done
	echo 1 >"$dir/power"
	# shellcheck disable=SC2034 # the caller's
	_path=/dev/nullb$number
}

# Sectors of a null_blk that fail for reads and writes (EIO), and do no longer.
# A null_blk keeps up to 512 ranges, of up to 512 sectors; told of a longer one
# some kernels lose their way in the list.
bad() { # DISK FIRST [LAST]
	local first=$2 last=${3:-$2}
	for (( ; first <= last; first += 512)); do
		echo "+$first-$((last < first + 511 ? last : first + 511))"
	done >"$NULLB/${1##*/}/badblocks"
}

good() { # DISK FIRST [LAST]
	echo "-$2-${3:-$2}" >"$NULLB/${1##*/}/badblocks"
}

# All at once, from lines of "FIRST LAST".
bad_list() { # DISK <LINES
	local first last
	while read -r first last; do
		echo "+$first-$last" >"$NULLB/${1##*/}/badblocks"
	done
}

loop_disk() { # VARIABLE MEGABYTES [LOSETUP-OPTION...]
	local -n _loop=$1
	local file
	file=$(mktemp "$TMP/loop.XXXXXX")
	truncate -s "$2M" "$file"
	modprobe loop
	# shellcheck disable=SC2034
	_loop=$(losetup --find --show "${@:3}" "$file")
}

# scsi_debug as one disk; there can be one at a time.
# medium_error_start=N medium_error_count=N opts=2: reads there fail (ENODATA)
scsi_disk() { # VARIABLE [PARAMETER=VALUE...]
	local -n _scsi=$1
	local host path
	modprobe sd_mod
	modprobe scsi_debug "${@:2}"
	for ((host = 0; host < 100; host++)); do
		for path in /sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/block/*; do
			[[ -b /dev/${path##*/} ]] || continue
			# shellcheck disable=SC2034
			_scsi=/dev/${path##*/}
			return
		done
		sleep 0.1
	done
	return 1
}

# A device-mapper device of the given table; "-" reads it from standard input.
dm_make() { # NAME TABLE
	if [[ $2 == - ]]; then
		dmsetup create "$1"
	else
		dmsetup create "$1" --table "$2"
	fi
}

# Another table, in place. I/O in flight is not waited for by a file system.
dm_swap() { # NAME TABLE
	dmsetup load "$1" --table "$2"
	dmsetup suspend --nolockfs --noflush "$1"
	dmsetup resume "$1"
}

sectors_of() { blockdev --getsz "$1"; }

# A device over another one that can be broken: dm_swap it to
# "$(error_table DEV)" and back to "$(linear_table DEV)".
linear_table() { # DEV
	echo "0 $(sectors_of "$1") linear $1 0"
}

error_table() { # DEV
	echo "0 $(sectors_of "$1") error"
}

# --- Sets --------------------------------------------------------------------

# Make a set and start it. Options are those of "dmremapctl create".
make_set() { # NAME DATA SPARE... [-- OPTION...]
	local name=$1 spares=()
	local data=$2
	shift 2
	while (($#)) && [[ $1 != -- ]]; do
		spares+=(--spare "$1")
		shift
	done
	(($# == 0)) || shift
	dmremapctl create "$name" --data "$data" "${spares[@]}" "$@" >"$TMP/create.log" 2>&1 || {
		cat "$TMP/create.log"
		return 1
	}
}

table_of() { dmsetup table "$1"; }

# Where the data begins on the data device.
offset_of() { # NAME
	local table
	table=$(dmsetup table "$1")
	[[ $table == *" data_offset "* ]] || { echo 0; return; }
	table=${table##* data_offset }
	echo "${table%% *}"
}

# Stop and start again with the same table: the map is read from the disks.
restart() { # NAME
	local table
	table=$(dmsetup table "$1")
	dmsetup remove --retry "$1"
	dmsetup create "$1" --table "$table"
}

# A word of the status line, by its name in docs/target.md: mode, generation,
# block, used, slots, remapped, lost, records, breaker, spares; or a counter.
status() { # NAME WORD
	local words i
	read -r -a words <<<"$(dmsetup status "$1")"
	words=("${words[@]:3}")
	case $2 in
	mode) echo "${words[0]}" ;;
	generation) echo "${words[1]}" ;;
	block) echo "${words[2]}" ;;
	used) echo "${words[3]%/*}" ;;
	slots) echo "${words[3]#*/}" ;;
	remapped) echo "${words[4]}" ;;
	lost) echo "${words[5]}" ;;
	records) echo "${words[6]%/*}" ;;
	room) echo "${words[6]#*/}" ;;
	breaker) echo "${words[7]}" ;;
	spares) echo "${words[8]}" ;;
	*)
		for ((i = 10 + 4 * words[8]; i < ${#words[@]}; i += 2)); do
			[[ ${words[i]} != "$2" ]] || { echo "${words[i + 1]}"; return; }
		done
		echo "status: no word $2" >&2
		return 1
		;;
	esac
}

# "STATE USED/BAD/SLOTS" of a spare, by its number.
spare() { # NAME NUMBER
	local words i
	read -r -a words <<<"$(dmsetup status "$1")"
	for ((i = 12; i < 12 + 4 * words[11]; i += 4)); do
		[[ ${words[i]} != "$2" ]] || { echo "${words[i + 2]} ${words[i + 3]}"; return; }
	done
	echo "none"
}

# The map, BLOCK:MEMBER:SLOT:INVALID on lines, or in one line.
map_lines() { # NAME
	local next=0 answer last
	while [[ $next ]]; do
		answer=$(dmsetup message "$1" 0 map "$next")
		last=${answer##*$'\n'}
		answer=${answer%"$last"}
		echo -n "${answer// /:}"
		next=
		[[ $last == end ]] || next=${last#next }
	done
}

map() { # NAME
	local answer
	answer=$(map_lines "$1")
	echo "${answer//$'\n'/ }"
}

# Blocks that live on a spare, and blocks with lost sectors as BLOCK:MASK.
map_remapped() { # NAME
	map_lines "$1" | awk -F: '$2 { printf "%s%s", n++ ? " " : "", $1 }'
}

map_lost() { # NAME
	map_lines "$1" | awk -F: '$4 != "0" { printf "%s%s:%s", n++ ? " " : "", $1, $4 }'
}

message() { # NAME WORD...
	local name=$1
	shift
	dmsetup message "$name" 0 "$@"
}

# --- Data --------------------------------------------------------------------

# See sectors.c: sectors that name themselves.
write_sectors() { # DEV FIRST COUNT VERSION [OPTION...]
	/src/build/tests/sectors write "$@"
}

# "FIRST-LAST:VERSION ..." as read sector by sector; errors by name.
sectors() { # DEV FIRST COUNT [OPTION...]
	/src/build/tests/sectors show "$@"
}

# The same with one name for both errors of a bad sector, of every kind of disk.
sectors_bad() { # DEV FIRST COUNT [OPTION...]
	local shown
	shown=$(sectors "$@")
	shown=${shown//ENODATA/BAD}
	echo "${shown//EIO/BAD}"
}

# Flush requests that a disk has finished.
flushes() { # DISK
	io_count "$1" 15
}

# fio that verifies what it writes. Anything but its summary is in $TMP/fio. Of two writes to
# one place that are on their way at once either may be the last, so it sends none such.
fio_verify() { # DEV OPTION...
	local dev=$1
	shift
	fio --name=verify --filename="$dev" --direct=1 --ioengine=libaio \
		--verify=crc32c --verify_fatal=1 --do_verify=1 --randrepeat=1 \
		--serialize_overlap=1 \
		--output="$TMP/fio" "$@" 2>&1 || { cat "$TMP/fio"; return 1; }
}

# A word of /sys/block/DISK/stat: reads 0, writes 4, discards 11, flushes 15.
io_count() { # DISK WORD
	local words
	read -r -a words <"/sys/block/${1##*/}/stat"
	echo "${words[$2]}"
}

# Two null disks as the set "set", at $dev, its data from $off on the disk.
# shellcheck disable=SC2034,SC2154 # for the tests; null_disk assigns
simple_set() { # [OPTION...]
	null_disk data 32
	null_disk spare 16
	make_set set "$data" "$spare" -- "$@"
	dev=/dev/mapper/set
	off=$(offset_of set)
}

# Bad sectors as the set counts them.
set_bad() { # FIRST [LAST]
	# shellcheck disable=SC2154
	bad "$data" $((off + $1)) $((off + ${2:-$1}))
}

set_good() { # FIRST [LAST]
	# shellcheck disable=SC2154
	good "$data" $((off + $1)) $((off + ${2:-$1}))
}

# Where on a spare the content of a sector of the set lies.
slot_sector() { # SPARE SECTOR
	local run
	for run in $(sectors "$1" 0 16384); do
		[[ $run != *"@$2" ]] || { echo "${run%%-*}"; return; }
	done
	return 1
}

# Take a set apart and clear its disks' metadata.
unmake_set() { # NAME
	dmremapctl stop "$1"
	dmremapctl destroy "$1" --force
} >/dev/null 2>&1

# A limit of a block device's queue, as in sysfs.
queue() { # DEV ATTRIBUTE
	local number
	number=$(stat -Lc %Hr:%Lr "$1")
	if [[ -e /sys/dev/block/$number/partition ]]; then
		cat "/sys/dev/block/$number/../queue/$2"
	else
		cat "/sys/dev/block/$number/queue/$2"
	fi
}

# Wait for the next event of a device in the background; event_came tells.
watch_events() { # NAME
	local number
	number=$(dmsetup info -c --noheadings -o events "$1")
	rm -f "$TMP/event"
	(! dmsetup wait "$1" "$number" || : >"$TMP/event") >"$TMP/event.log" 2>&1 &
	sleep 0.5
	! event_came
}

event_came() { [[ -e $TMP/event ]]; }
