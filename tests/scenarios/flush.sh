# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R2: flushes that fail, whoever sent them. A disk may have lost by that whatever was not
# flushed before, though the next flush goes well: each error must be told to who relies on it.
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

# A disk whose flushes can be made to fail, and nothing else of it.
flush_disk() { # NAME MEGABYTES
	local disk
	null_disk disk "$2" cache_size=1
	null_disk "$1_hole" 1 cache_size=1
	disk_of[$1]=$disk
	dm_make "$1" "$(flush_table "$1" linear)"
}

# A few sectors in the middle are on another disk, which gets each flush too.
declare -A disk_of
flush_table() { # NAME linear|flakey
	local -n _hole=$1_hole
	local disk=${disk_of[$1]} sectors middle
	sectors=$(sectors_of "$disk")
	middle=$((sectors / 2))
	echo "0 $middle linear $disk 0"
	if [[ $2 == linear ]]; then
		echo "$middle 8 linear $_hole 0"
	else
		echo "$middle 8 flakey $_hole 0 0 3600 1 error_writes"
	fi
	echo "$((middle + 8)) $((sectors - middle - 8)) linear $disk $((middle + 8))"
}

flushes_fail() { # NAME yes|no
	local table=linear
	[[ $2 == no ]] || table=flakey
	flush_table "$1" $table | dmsetup load "$1"
	dmsetup suspend --nolockfs --noflush "$1"
	dmsetup resume "$1"
}

flush() { sync "$dev"; }

flush_set() { # SPARE...
	local spare
	modprobe dm-flakey
	flush_disk data 32
	for spare; do flush_disk "${spare%,*}" 16; done
	make_set set /dev/mapper/data "${@/#//dev/mapper/}"
	dev=/dev/mapper/set
	write_sectors $dev 0 4096 1
	need flush
}

test_flush_of_users() {
	flush_set spare
	flushes_fail data yes
	write_sectors $dev 0 8 2
	check_fails "R2: a flush that the data device fails is an error" flush
	check_that "and is counted" "$(status set flush_errors)" ">= 1"
	check "and told" log_has "remap: [0-9:]+: a flush of dm-[0-9]+ failed; what was written before"
	flushes_fail data no
	check "the next goes well" flush
	flushes_fail spare yes
	check "R8: a spare that holds nothing is not asked" flush
	flushes_fail spare no
	need_is "$(message set relocate 0 1)" "relocated 1 lost 0 unchanged 0 failed 0"
	write_sectors $dev 0 8 3
	flushes_fail spare yes
	check_fails "R2: a flush that a spare in use fails is an error" flush
	flushes_fail spare no
	check "the next goes well as well" flush
	check_is "R1: what was written is read" "$(sectors $dev 0 16)" "0-7:3 8-15:1"
}

# The set's own flush of the data device, between two of the user's.
test_flush_for_a_release() {
	flush_set spare
	need_is "$(message set relocate 5 1)" "relocated 1 lost 0 unchanged 0 failed 0"
	need flush
	write_sectors $dev 0 8 2
	flushes_fail data yes
	check_fails "R2: nothing is released without a flush" message set release 5 1
	check_is "the set's own is counted" "$(status set flush_errors)" 1
	flushes_fail data no
	check_is "the block is where it was" "$(map_remapped set)" "5"
	check_fails "R2: the next flush tells that one failed" flush
	check "once" flush
	check "the block can be released then" message set release 5 1
	check "and a flush goes well" flush
	check_is "R1: what was written is read" "$(sectors $dev 0 64)" "0-7:2 8-63:1"
}

# And of a spare.
test_flush_for_a_move() {
	flush_set one,tier=0 two,tier=1
	need_is "$(message set relocate 5 1)" "relocated 1 lost 0 unchanged 0 failed 0"
	need flush
	write_sectors $dev 40 8 2
	flushes_fail one yes
	check_is "R8: the block goes to another spare" "$(message set relocate 7 1)" \
		"relocated 1 lost 0 unchanged 0 failed 0"
	check_like "and the one is out" "$(spare set 1)" "out*"
	flushes_fail one no
	check_fails "R2: the next flush tells that writes may be lost" flush
	check "once" flush
	check_is "R1: what was written is read" "$(sectors $dev 0 64)" "0-39:1 40-47:2 48-63:1"
}

# What was written to a spare and not flushed has left it, durably: nothing is owed for it.
test_flush_after_an_evacuation() {
	flush_set one,tier=0 two,tier=1
	need_is "$(message set relocate 0 8)" "relocated 8 lost 0 unchanged 0 failed 0"
	need flush
	write_sectors $dev 0 64 2
	check "R8: the spare is removed" dmremapctl spare remove set /dev/mapper/one --force
	check "R9: the first flush after that goes well" flush
	check_is "R1: what was written is read" "$(sectors $dev 0 72)" "0-63:2 64-71:1"
}

# The data and a spare on one disk, and nobody sends flushes to that spare.
test_flush_of_an_internal_spare() {
	modprobe dm-flakey
	flush_disk data 32
	need dmremapctl create set --data /dev/mapper/data --internal-spare 8M
	dev=/dev/mapper/set
	write_sectors $dev 0 4096 1
	need_is "$(message set relocate 5 1)" "relocated 1 lost 0 unchanged 0 failed 0"
	need flush
	write_sectors $dev 40 8 2
	flushes_fail data yes
	check_fails "R2: nothing is released without a flush" message set release 5 1
	flushes_fail data no
	check_fails "R2: the next flush tells that one failed" flush
	check "once" flush
	need dmsetup suspend --nolockfs set
	need dmsetup resume set
	check "and not again after a suspend" flush
	check_is "R1: what was written is read" "$(sectors $dev 0 64)" "0-39:1 40-47:2 48-63:1"
}

# As many with SATA: the kernel would send a flush behind the write.
test_flush_of_fua() {
	modprobe dm-flakey
	local disk
	loop_disk disk 32
	disk_of[data]=$disk
	null_disk data_hole 1
	dm_make data "$(flush_table data linear)"
	flush_disk spare 16
	make_set set /dev/mapper/data /dev/mapper/spare
	dev=/dev/mapper/set
	write_sectors $dev 0 4096 1
	need flush
	check_is "the disk has a cache" "$(queue /dev/mapper/data write_cache)" "write back"
	check_is "and does not know FUA" "$(queue /dev/mapper/data fua)" 0
	write_fua() { dd if=/dev/zero of=$dev bs=4k seek=9 count=1 oflag=direct,dsync; }
	check "a write with FUA goes well" write_fua
	write_sectors $dev 0 8 2
	flushes_fail data yes
	check_fails "R2: a write with FUA fails with the flush behind it" write_fua
	flushes_fail data no
	check_is "R4: no block is taken for a bad one" "$(map_remapped set)" ""
	check_fails "R2: the next flush tells that others may be lost" flush
	check "once" flush
	check "the write goes well then" write_fua
	check_is "R1: what was written is read" "$(sectors $dev 0 16)" "0-7:2 8-15:1"
}

# Nothing is told that concerns nobody.
test_flush_that_covered_all() {
	flush_set one,tier=0 two,tier=1
	need_is "$(message set relocate 5 1)" "relocated 1 lost 0 unchanged 0 failed 0"
	write_sectors $dev 40 8 2
	need flush
	flushes_fail one yes
	need_is "$(message set relocate 7 1)" "relocated 1 lost 0 unchanged 0 failed 0"
	flushes_fail one no
	check_like "a spare is out" "$(spare set 1)" "out*"
	check "R8: what was flushed is not lost by that" flush
}

# A suspended set flushes its disks; who wrote before learns what became of that.
test_flush_of_a_suspend() {
	flush_set spare
	local table refused
	table=$(table_of set)
	refused=${table/set_uuid ????????/set_uuid 01234567}
	for next in resume reload "refused table"; do
		write_sectors $dev 0 8 2
		flushes_fail data yes
		need dmsetup suspend --nolockfs set
		flushes_fail data no
		if [[ $next == refused* ]]; then
			need dmsetup load set --table "$refused"
			check_fails "the set of another UUID is refused" dmsetup resume set
		fi
		[[ $next == resume ]] || need dmsetup load set --table "$table"
		need dmsetup resume set
		check_fails "R2: after a $next the next flush tells that one failed" flush
		check "once" flush
	done
	write_sectors $dev 0 8 3
	flushes_fail data yes
	need dmsetup remove set
	flushes_fail data no
	need dmsetup create set --table "$table"
	check "nobody is told when it was stopped for good" flush
	check_is "R1: what was written is read" "$(sectors $dev 0 16)" "0-7:3 8-15:1"
}

# What a flush lost may read well until the power goes: then it is as it was before.
lose_power() { # NAME
	need dmremapctl stop "$1"
	write_sectors /dev/mapper/data 0 8 1
}

start_set() { dmremapctl start set --data /dev/mapper/data; }

# Then nothing may be concluded from it, as a fingerprint does.
test_flush_and_fingerprint() {
	modprobe dm-flakey
	flush_disk data 32
	flush_disk spare 16
	write_sectors /dev/mapper/data 0 4096 1
	need dmremapctl create set --data /dev/mapper/data --adopt --spare /dev/mapper/spare
	dev=/dev/mapper/set
	write_sectors $dev 0 8 2
	need flush
	lose_power set
	check_fails "other data than at the stop is another disk" start_set
	write_sectors /dev/mapper/data 0 8 2
	need start_set
	flushes_fail data yes
	check_fails "R2: a flush that the data device fails is an error" flush
	flushes_fail data no
	need dmsetup suspend set
	need dmsetup resume set
	lose_power set
	check "the set starts after a failed flush and a power cut" start_set
	check_is "with what is on the disk" "$(sectors $dev 0 16)" "0-15:1"
	lose_power set
	check "and once more, since none knows when the power goes" start_set
}
