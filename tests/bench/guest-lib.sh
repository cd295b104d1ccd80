# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the guest's sides of the benches share: devices, sets with entries, the sets' own
# counts, JSON. Loads the module.
# shellcheck disable=SC2034 # variables of the benches

kernel=$(uname -r)
tools=/src/build/tests/tools
work=/tmp/bench
nullb=/sys/kernel/config/nullb
mkdir -p $work/lib
# Every program looks there first. /src is the host's: while the guest waits for the host
# and has nothing to do, its clock jumps to the next timer, again and again.
cp -a /src/build/lib/*.so* $work/lib
export DM_DISABLE_UDEV=1 LD_LIBRARY_PATH=$work/lib
# shellcheck source=../vm/guest/module.sh
. /src/tests/vm/guest/module.sh
modprobe null_blk nr_devices=0
module_load

die() { echo "bench: $*" >&2; exit 1; }

next_null=0
null_disk() { # VARIABLE MEGABYTES BACKED [ATTRIBUTE=VALUE...]
	local dir=$nullb/nullb$next_null word
	mkdir "$dir"
	echo "$2" >"$dir/size"
	echo "$3" >"$dir/memory_backed"
	echo 512 >"$dir/blocksize"
	for word in "${@:4}"; do
		echo "${word#*=}" >"$dir/${word%%=*}"
	done
	echo "$next_null" >"$dir/index"
	echo 1 >"$dir/power"
	printf -v "$1" %s "/dev/nullb$next_null"
	next_null=$((next_null + 1))
}

# Blocks below FREE have no entries: for long I/O that meets none.
DATA_MB=131072
FREE=1048576
BLOCKS=$((DATA_MB * 256))

# What a set is compared with, over the same device: two devices, even of one kind, differ.
linear_beside() { # NAME DATA
	dmsetup create "$1-linear" --table "0 $(blockdev --getsz "$2") linear $2 0"
}

# What hits are compared with: the same device, where the slots of a million entries are.
linear_over_slots() { # NAME SPARE
	dmsetup create "$1" --table \
		"0 $((900000 * 8)) linear $2 $(($(blockdev --getsz "$2") - 950000 * 8))"
}

make_set() { # NAME ENTRIES [OPTION...]
	local name=$1 entries=$2 table data spare
	shift 2
	null_disk data $DATA_MB 0
	null_disk spare $((entries * 4096 / 1048576 + 200)) 1
	declare -g "data_${name//-/_}=$data" "spare_${name//-/_}=$spare"
	table=$($tools/make-image --fresh --adopt --seed $next_null --name "$name" --entries "$entries" \
		--list "$work/$name" "$@" "$data" "$spare")
	dmsetup create "$name" --table "$table"
	linear_beside "$name" "$data"
}

# I/Os that went a way, by the set's own count.
counted() { # NAME READ|WRITE PATH
	dmsetup message "$1" 0 stats | awk -v way="$2" -v path="$3" \
		'$1 == "io" && $2 == way && $3 == path { print $4 }'
}

all_counted() { # NAME
	dmsetup message "$1" 0 stats | awk '$1 == "io" { sum += $4 } END { print sum }'
}

say() { # NAME VALUE UNIT [RATIO-TO RATIO]
	local ratio=
	[[ -z ${4:-} ]] || ratio=", \"ratio_to\": \"$4\", \"ratio\": $5"
	echo "{\"name\": \"$1\", \"value\": $2, \"unit\": \"$3\"$ratio, \"kernel\": \"$kernel\"}"
}

# Of numbers on lines.
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
