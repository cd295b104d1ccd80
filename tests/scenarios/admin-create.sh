# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmremapctl create, and what it must refuse: devices that hold something.
# VM: --smp 1
# shellcheck disable=SC2034,SC2154 # variables of lib.sh
# Timeout: 120

DEV=/dev/mapper/set

# How often and how much they were written to, which is quicker to compare than
# what they hold, and tells more.
written() { # DEVICE...
	local dev words
	for dev; do
		read -r -a words <"/sys/block/${dev##*/}/stat"
		echo "${words[4]} ${words[6]} ${words[11]:-0}"
	done
}

# It ends with 1, says this, and changes none of the devices in $disks.
refuses() { # WHAT PATTERN COMMAND...
	local what=$1 pattern=$2 before output status
	shift 2
	before=$(written "${disks[@]}")
	output=$("$@" 2>&1) && status=0 || status=$?
	if ((status != 1)) || ! grep -Eq -- "$pattern" <<<"$output"; then
		failed "$what" "status $status, expected to be told: $pattern" "$output"
	elif [[ $(written "${disks[@]}") != "$before" ]]; then
		failed "$what" "a device was changed"
	elif dmsetup info set >/dev/null 2>&1; then
		failed "$what" "the set runs"
	else
		passed "$what"
	fi
}

field() { # JQ-FILTER FILE
	jq -r "$1" "$2"
}

test_header() {
	local before
	null_disk data 16
	null_disk one 8
	null_disk two 8
	disks=("$data" "$one" "$two")
	before=$(written "${disks[@]}")
	check "a dry run succeeds" dmremapctl create set --data "$data" --spare "$one" \
		--spare "$two,tier=3" --dry-run
	check_is "and writes nothing" "$(written "${disks[@]}")" "$before"
	check_fails "and starts nothing" dmsetup info set
	dmremapctl create set --data "$data" --spare "$one" --spare "$two,tier=3" --json \
		>"$TMP/created"
	check_is "create tells what it made" \
		"$(field '.set | "\(.name) \(.path) \(.size_bytes) \(.block_size) \(.active)"' \
			"$TMP/created")" \
		"set /dev/mapper/set $(($(sectors_of $DEV) * 512)) 4096 true"
	check_is "the name of device mapper" "$(dmsetup info -c --noheadings -o uuid set)" \
		"DMREMAP-$(field .set.uuid "$TMP/created")"
	check_like "the table" "$(table_of set)" "*data_offset *set_uuid*"
	write_sectors $DEV 0 2048 1 --size 1024
	message set relocate 0 4 >/dev/null
	check_is "R8: the lower tier is used first" "$(spare set 1 | cut -d/ -f1)" "active 4"
	refuses_while_running
	dmremapctl stop set
	check "verify finds it in order" dmremapctl metadata verify set
	check "no other tool takes the data for its own" \
		test -z "$(blkid -p -o value -s TYPE "$data" || true)"
	check "start" dmremapctl start set
	check_is "R1: its data" "$(sectors $DEV 0 2048 --size 64)" "0-2047:1"
}

refuses_while_running() {
	local output
	output=$(dmremapctl create other --data "$data" --spare "$two" --force 2>&1) &&
		failed "members of a running set are refused, force or not" "$output" && return
	passed "members of a running set are refused, force or not"
	output=$(dmremapctl create set --data "$data" --spare "$two" 2>&1) &&
		failed "a name in use is refused" "$output" && return
	passed "a name in use is refused"
}

test_adopt_file_system() {
	local first
	null_disk data 32
	null_disk spare 8
	mkfs.ext4 -q -b 4096 "$data"
	mkdir -p /mnt/a
	mount "$data" /mnt/a
	dd if=/dev/urandom of=/mnt/a/file bs=1M count=8 status=none
	first=$(md5sum </mnt/a/file)
	disks=("$spare")
	refuses "adopt refuses what is mounted" "mount|in use" \
		dmremapctl create set --data "$data" --adopt --spare "$spare"
	refuses "and so with force" "mount|in use" \
		dmremapctl create set --data "$data" --adopt --spare "$spare" --force
	umount /mnt/a
	disks=("$data" "$spare")
	refuses "a header over a file system is refused" "ext4" \
		dmremapctl create set --data "$data" --spare "$spare"
	refuses "an internal spare in a file system is refused" "" \
		dmremapctl create set --data "$data" --adopt --internal-spare 4M
	disks=("$data")
	before=$(written "$data")
	check "adopt" dmremapctl create set --data "$data" --adopt --spare "$spare"
	check_is "R7: the data device is not written to" "$(written "$data")" "$before"
	check_is "all of it is mapped" "$(sectors_of $DEV)" "$(sectors_of "$data")"
	mount $DEV /mnt/a
	check_is "the file is there" "$(md5sum </mnt/a/file)" "$first"
	bad "$data" 40000 40100
	dd if=/dev/urandom of=/mnt/a/more bs=1M count=16 conv=fsync status=none
	first=$(md5sum </mnt/a/more)
	sync -f /mnt/a/more
	echo 3 >/proc/sys/vm/drop_caches
	check_is "R2: written over bad blocks" "$(md5sum </mnt/a/more)" "$first"
	check_that "R5: some blocks were remapped" "$(status set remapped)" "> 0"
	umount /mnt/a
	dmremapctl stop set
	check "start" dmremapctl start set --data "$data"
	check "e2fsck finds it in order" e2fsck -fn $DEV
	mount $DEV /mnt/a
	check_is "R2: the file after a restart" "$(md5sum </mnt/a/more)" "$first"
	umount /mnt/a
}

test_internal_spare() {
	null_disk data 24
	check "create with an internal spare" dmremapctl create set --data "$data" \
		--internal-spare 6M
	check_like "its table" "$(table_of set)" "*internal_spare *"
	check_that "the device is smaller by it" "$(sectors_of $DEV)" \
		"<= $(((24 - 6) * 2048))"
	write_sectors $DEV 0 512 1
	message set relocate 0 20 >/dev/null
	check "restart" dmremapctl stop set
	check "and start" dmremapctl start set
	check_is "R1: data" "$(sectors $DEV 0 512)" "0-511:1"
	check_is "spare list says so" \
		"$(dmremapctl spare list set --json | jq -c '[.spares[] | [.internal, .used]]')" \
		"[[true,20]]"
	dmremapctl stop set
	dmremapctl destroy set --force
	mkfs.ext4 -q -b 4096 "$data" 4096
	write_sectors "$data" 40000 8 1
	check "adopt with an internal spare behind a small file system" \
		dmremapctl create set --data "$data" --adopt --internal-spare 6M
	check "its file system" e2fsck -fn $DEV
}

test_block_sizes() {
	local size
	null_disk data 16
	null_disk spare 8
	for size in 512 1K 2K 4096 8K 16K; do
		need dmremapctl create set --data "$data" --spare "$spare" --block-size $size
		write_sectors $DEV 0 256 1
		message set relocate 1 2 >/dev/null
		write_sectors $DEV 3 60 2
		restart set
		check_is "R1: blocks of $size" "$(sectors $DEV 0 256) $(map_remapped set)" \
			"0-2:1 3-62:2 63-255:1 1 2"
		dmremapctl stop set
		dmremapctl destroy set --force >/dev/null
	done
	null_disk coarse 8 blocksize=4096
	disks=("$data" "$coarse")
	refuses "blocks smaller than a device's own are refused" "4096|4 KiB|block" \
		dmremapctl create set --data "$data" --spare "$coarse" --block-size 512
	check "left alone, it takes the larger" dmremapctl create set --data "$data" \
		--spare "$coarse"
	check_is "which is told" "$(status set block)" "8"
}

# What a device holds is named, and not destroyed.
occupied() { # NAME PATTERN
	refuses "a data device with $1 is refused" "$2" \
		dmremapctl create set --data "$full" --spare "$spare"
	refuses "a spare with $1 is refused" "$2" \
		dmremapctl create set --data "$data" --spare "$full"
	wipefs -qa "$full" 2>/dev/null || true
}

test_occupied_devices() {
	null_disk data 16
	null_disk spare 8
	null_disk full 24
	null_disk other 16
	disks=("$data" "$spare" "$full")
	mkfs.ext4 -q "$full"
	occupied "ext4" ext4
	mkswap "$full" >/dev/null
	occupied "swap" swap
	echo secret | cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
		--type luks2 "$full" -
	occupied "LUKS" "LUKS|luks"
	need pvcreate -qq --config 'devices { types = [ "nullb", 16 ] use_devicesfile = 0 }' "$full"
	occupied "LVM" "LVM"
	parted -s "$full" mklabel gpt mkpart a 1MiB 16MiB 2>/dev/null
	occupied "a partition table" "gpt|partition"
	blockdev --rereadpt "$full" 2>/dev/null || true
	parted -s "$full" mklabel msdos 2>/dev/null
	occupied "a DOS partition table" "dos|partition"
	modprobe raid1
	mdadm --create /dev/md/test --run --level=1 --raid-devices=2 --metadata=1.2 "$full" \
		missing >/dev/null 2>&1
	refuses "a member of a running RAID is refused, force or not" "in use|busy" \
		dmremapctl create set --data "$full" --spare "$spare" --force
	mdadm --stop --scan >/dev/null 2>&1
	occupied "RAID" "raid|RAID"

	need dmremapctl create mine --data "$full" --spare "$other"
	dmremapctl stop mine
	disks+=("$other")
	refuses "a data device of another set is refused" "mine|dm-remap" \
		dmremapctl create set --data "$full" --spare "$spare"
	refuses "a spare of another set is refused" "mine|dm-remap" \
		dmremapctl create set --data "$data" --spare "$other"
	refuses "one device in two parts is refused" "" \
		dmremapctl create set --data "$data" --spare "$data"
	refuses "a device that is too small is refused" "small" \
		dmremapctl create set --data "$data" --spare "$spare" --map-entries 4000000
	refuses "a device that is not there is refused" "" \
		dmremapctl create set --data /dev/nonesuch --spare "$spare"
	refuses "a file is refused" "" \
		dmremapctl create set --data /etc/passwd --spare "$spare"

	mkfs.ext4 -q -F "$full"
	check "with force it is destroyed" dmremapctl create set --data "$full" \
		--spare "$spare" --force
	dmremapctl stop set
	check_is "and is not found again" "$(blkid -p -o value -s TYPE "$full" || true)" ""
}

test_unfit_devices() {
	null_disk data 16
	null_disk spare 8
	null_disk coarse 16 blocksize=4096
	null_disk zoned 64 zoned=1 zone_size=16
	disks=("$data" "$spare" "$coarse" "$zoned")
	create() { dmremapctl create set "$@"; }
	blockdev --setro "$data"
	refuses "a data device that is read-only" "$data is read-only" \
		create --data "$data" --spare "$spare"
	refuses "a spare that is read-only" "$data.*(is read-only|Read-only)" \
		create --data "$coarse" --spare "$data"
	blockdev --setrw "$data"
	refuses "a zoned data device" "$zoned is a zoned device" create --data "$zoned" --spare "$spare"
	refuses "a zoned spare" "$zoned is a zoned device" create --data "$data" --spare "$zoned"
	refuses "an offset within a logical block" "not a multiple of 4096 bytes" \
		create --data "$coarse" --adopt --data-offset 4s --spare "$spare"
	refuses "an offset behind the end" "would begin behind the end of $data" \
		create --data "$data" --adopt --data-offset 1G --spare "$spare"
	refuses "an internal spare as large as the device" "$data" \
		create --data "$data" --internal-spare 16M
	need dmremapctl create mine --data "$data" --spare "$spare" --no-start
	refuses "a name that is taken" "exists already" \
		dmremapctl create mine --data "$coarse" --adopt --internal-spare 2M
	need dmremapctl destroy mine --force
	check "what they are fit for" create --data "$data" --spare "$spare"
}

test_wrong_usage() {
	local status
	null_disk data 16
	null_disk spare 8
	disks=("$data" "$spare")
	wrong() { # WORD...
		local before status=0
		before=$(written "${disks[@]}")
		dmremapctl "$@" >"$TMP/out" 2>&1 || status=$?
		check_is "wrong usage: $*" "$status $(written "${disks[@]}")" "2 $before"
	}
	wrong
	wrong nonsense
	wrong create
	wrong create set
	wrong create set --data "$data"
	wrong create set --data "$data" --spare "$spare" --block-size 3000
	wrong create set --data "$data" --spare "$spare" --nonsense
	wrong create set --data "$data" --spare "$spare,tier=x"
	wrong create set --data "$data" --spare "$spare" --data-offset 8s
	wrong map relocate set
	wrong policy set set
	wrong start
	dmremapctl create a/b --data "$data" --spare "$spare" >"$TMP/out" 2>&1 && status=0 || status=$?
	check_that "a name that is none is refused" "$status" "> 0"
	check_fails "a set that is not there" dmremapctl start nonesuch
	check_fails "a set that is not there has no status" dmremapctl status nonesuch
}
