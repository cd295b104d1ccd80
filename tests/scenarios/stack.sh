# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# File systems, RAID, encryption, volumes and swap on a set whose disk goes bad.
# shellcheck disable=SC2034,SC2154 # variables of lib.sh
# VM: --memory 1536M
# Timeout: 120

# Files with a list of their checksums.
make_files() { # DIRECTORY COUNT KILOBYTES
	local i
	mkdir -p "$1"
	for ((i = 0; i < $2; i++)); do
		head -c "$(($3 * 1024))" /dev/urandom >"$1/$i"
	done
	(cd "$1" && sha256sum -- * >"$TMP/$(basename "$1").sums")
}

files_right() { # DIRECTORY
	(cd "$1" && sha256sum --quiet -c "$TMP/$(basename "$1").sums")
}

# Sectors go bad all over the disk, N single ones and N runs.
go_bad() { # SEED COUNT MEGABYTES
	awk -v off="$off" -v seed="$1" -v count="$2" -v end="$(($3 * 2048))" 'BEGIN {
		srand(seed)
		for (i = 0; i < count; i++) {
			at = off + int(rand() * (end - 64))
			print at, at
			at = off + int(rand() * (end - 64))
			print at, at + int(rand() * 30)
		}
	}' | bad_list "$data"
}

# Everything that is written goes well, although the disk gets worse.
# Only sectors that hold nothing yet go bad: what held data is lost to anyone.
file_system() { # MEGABYTES MKFS...
	local size=$1
	shift
	null_disk data $((size + 16))
	null_disk spare 32
	make_set set "$data" "$spare"
	dev=/dev/mapper/set
	off=$(offset_of set)
	# Bad before anything is there: mkfs and all later writes meet them.
	go_bad 1 60 $size
	need "$@" $dev
	mkdir -p /mnt/fs
	need mount $dev /mnt/fs
	make_files /mnt/fs/one 10 1500
	sync -f /mnt/fs
	check_that "R5: blocks were relocated" "$(status set relocated)" "> 0"
	echo 3 >/proc/sys/vm/drop_caches
	check "R1: all files are right" files_right /mnt/fs/one
	cp -r /mnt/fs/one /mnt/fs/two
	cp "$TMP/one.sums" "$TMP/two.sums"
	rm -r /mnt/fs/one
	make_files /mnt/fs/three 8 1700
	check "R1: after more writes as well" files_right /mnt/fs/two
	need umount /mnt/fs
	restart set
	need mount $dev /mnt/fs
	check "R2: and after a restart" files_right /mnt/fs/two
	check "R2: and after a restart" files_right /mnt/fs/three
	check_is "the file system saw no error" \
		"$(dmesg | sed -n '/scenario:/h;//!H;$!d;x;p' | grep -cE '(EXT4-fs|XFS|BTRFS).*(error|corrupt)' || true)" "0"
	umount /mnt/fs
}

test_ext4() {
	file_system 96 mkfs.ext4 -q
	check "the file system is clean" e2fsck -fn $dev
}

test_xfs() {
	file_system 320 mkfs.xfs -q -f
	check "the file system is clean" xfs_repair -n $dev
}

test_btrfs() {
	file_system 160 mkfs.btrfs -q -f
	check "the file system is clean" btrfs check -q $dev
}

# A file whose sectors become unreadable: an error for it alone, which ends
# when it is written anew.
test_unreadable_file() {
	local first
	simple_set
	mkfs.ext4 -q -b 4096 $dev
	mkdir -p /mnt/fs
	mount $dev /mnt/fs
	make_files /mnt/fs/files 8 256
	sync -f /mnt/fs
	# The first 4 KiB of file 3, in sectors of the set.
	first=$(xfs_io -r -c "fiemap -v" /mnt/fs/files/3 | awk '$1 == "0:" { sub(/\.\..*/, "", $3); print $3 }')
	need test "$first" -gt 0
	set_bad "$first" $((first + 7))
	echo 3 >/proc/sys/vm/drop_caches
	check_fails "R3: the file can not be read" cat /mnt/fs/files/3
	check_is "R3: its block is lost and no other" "$(map_lost set)" "$((first / 8)):ff"
	set_good "$first" $((first + 7))
	echo 3 >/proc/sys/vm/drop_caches
	check_fails "R3: nor when the disk can read it again" cat /mnt/fs/files/3
	dd if=/dev/urandom of=/mnt/fs/files/3 bs=4k count=64 conv=notrunc,fsync status=none
	echo 3 >/proc/sys/vm/drop_caches
	(cd /mnt/fs/files && sha256sum -- * >"$TMP/files.sums")
	check "R3: written anew it is read" files_right /mnt/fs/files
	check_is "R3: healed in place" "$(map set)" ""
}

# RAID1 repairs a latent read error by a write; the member stays.
test_raid1() {
	local data1 data2 spare1 spare2 off
	null_disk data1 32
	null_disk spare1 8
	null_disk data2 32
	null_disk spare2 8
	make_set one "$data1" "$spare1"
	make_set two "$data2" "$spare2"
	modprobe raid1
	need mdadm --create /dev/md7 --run --level=1 --raid-devices=2 --metadata=1.2 \
		--assume-clean --bitmap=none /dev/mapper/one /dev/mapper/two
	write_sectors /dev/md7 0 16384 1 --size 512
	off=$(($(offset_of one) + $(cat /sys/block/md7/md/dev-dm-0/offset)))
	bad "$data1" $((off + 4001)) $((off + 4003))
	bad "$data1" $((off + 9000))
	dmsetup message one 0 policy heal in-place >/dev/null
	# md reads from one member; a check reads from both.
	echo repair >/sys/block/md7/md/sync_action
	check "the array is repaired" wait_until 60 grep -qx idle /sys/block/md7/md/sync_action
	check_is "R3: it met the errors" "$(status one read_errors | awk '{ print ($1 > 0) }')" "1"
	check_is "R3: both members are in the array" "$(cat /sys/block/md7/md/degraded)" "0"
	check_is "R3: no sector is lost any more" "$(map_lost one)" ""
	check_that "R2: the blocks moved" "$(status one remapped)" "> 0"
	check_is "R1: all is read from the array" "$(sectors /dev/md7 0 16384 --size 64)" "0-16383:1"
	mdadm --stop /dev/md7
	off=$((off - $(offset_of one)))
	check_is "R1: and from the member" "$(sectors /dev/mapper/one $((off + 3992)) 24 | sed 's/@[0-9]*//g' | tr ' ' '\n' | cut -d: -f2 | sort -u)" "1"
}

# Swap on a set, with bad blocks where pages are written.
test_swap() {
	null_disk data 200
	null_disk spare 16
	make_set set "$data" "$spare"
	dev=/dev/mapper/set
	off=$(offset_of set)
	mkswap $dev >/dev/null
	seq 1024 800 390000 | awk -v off="$off" '{ print off + $1, off + $1 + 20 }' | bad_list "$data"
	need swapon $dev
	mkdir /sys/fs/cgroup/swaptest
	echo "+memory" >/sys/fs/cgroup/cgroup.subtree_control
	echo 48M >/sys/fs/cgroup/swaptest/memory.max
	check "R6: a program that is mostly swapped out ends well" bash -c '
		echo $$ >/sys/fs/cgroup/swaptest/cgroup.procs
		exec python3 -c "
import random
n = 120 << 20
a = bytearray(n)
for i in range(0, n, 4096):
	a[i:i + 8] = i.to_bytes(8, \"little\")
for turn in range(2):
	for i in range(0, n, 4096):
		assert int.from_bytes(a[i:i + 8], \"little\") == i, i
"'
	check_that "R6: pages went to the set" "$(io_count "$data" 6)" "> 5000 * 8"
	check_that "R5: blocks were relocated" "$(status set relocated)" "> 0"
	check "R6: swapoff brings all back" swapoff $dev
	check_is "R1: nothing was lost" "$(status set lost)" "0"
	rmdir /sys/fs/cgroup/swaptest
}

test_crypt() {
	simple_set
	go_bad 3 30 30
	modprobe dm-crypt
	dm_make plain "0 $(sectors_of $dev) crypt aes-xts-plain64 $(printf '%0128d' 7) 0 $dev 0"
	check "R5: dm-crypt on a set verifies" fio_verify /dev/mapper/plain --rw=randwrite --bs=4k \
		--iodepth=8 --size=24M --io_size=6M
	check_that "R5: blocks were relocated" "$(status set relocated)" "> 0"
	dmsetup remove plain
	echo -n secret | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
		$dev - >"$TMP/luks" 2>&1 && echo -n secret | cryptsetup open --key-file - $dev plain >>"$TMP/luks" 2>&1 ||
		cat "$TMP/luks"
	need test -b /dev/mapper/plain
	check "R5: LUKS on a set verifies" fio_verify /dev/mapper/plain --rw=randwrite --bs=64k \
		--iodepth=4 --size=12M --io_size=6M
	cryptsetup close plain
}

test_lvm() {
	local lvm="devices{use_devicesfile=0 scan=[\"/dev/mapper\"]} global{event_activation=0} activation{udev_sync=0 udev_rules=0 verify_udev_operations=0}"
	null_disk data 64
	null_disk spare 16
	make_set set "$data" "$spare"
	dev=/dev/mapper/set
	off=$(offset_of set)
	go_bad 4 40 60
	need pvcreate --config "$lvm" $dev
	need vgcreate --config "$lvm" vg $dev
	need lvcreate --config "$lvm" -y -Wn -Zn -n lv -L 40M vg
	need test -b /dev/mapper/vg-lv
	check "R5: a volume on a set verifies" fio_verify /dev/mapper/vg-lv --rw=randwrite --bs=16k \
		--iodepth=8 --size=30M --io_size=8M
	check_that "R5: blocks were relocated" "$(status set relocated)" "> 0"
	check "R5: LVM reads its metadata" vgck --config "$lvm" vg
	vgchange --config "$lvm" -an vg >/dev/null
}

# A set on a set's place: over LVM, delay and flakey at once, as members.
test_stacked_members() {
	modprobe dm-delay
	null_disk disk 32
	null_disk spare 16
	dm_make slow "0 $(sectors_of "$disk") delay $disk 0 2"
	make_set set /dev/mapper/slow "$spare"
	dev=/dev/mapper/set
	off=$(offset_of set)
	write_sectors $dev 0 512 1
	bad "$disk" $((off + 100)) $((off + 120))
	check "R5: a slow disk's blocks move" write_sectors $dev 64 128 2
	check_is "R1: and are read" "$(sectors $dev 0 512 --size 8)" "0-63:1 64-191:2 192-511:1"
}

# A loop device below the data, and one on the set with a file system in it.
test_loops() {
	local disk data loop
	null_disk disk 64
	null_disk spare 16
	modprobe loop
	data=$(losetup --find --show --direct-io=on "$disk")
	make_set set "$data" "$spare"
	dev=/dev/mapper/set
	off=$(offset_of set)
	data=$disk
	go_bad 5 60 60
	loop=$(losetup --find --show --direct-io=on $dev)
	check "R5: a loop device on a set on a loop device verifies" fio_verify "$loop" \
		--rw=randwrite --bs=16k --iodepth=8 --size=24M --io_size=8M
	check_that "R5: blocks were relocated" "$(status set relocated)" "> 0"
	check_is "R1: nothing was lost" "$(status set lost)" "0"
	need mkfs.ext4 -q "$loop"
	mkdir -p /mnt/fs
	need mount "$loop" /mnt/fs
	make_files /mnt/fs/files 6 900
	umount /mnt/fs
	need mount "$loop" /mnt/fs
	check "R1: all files are right" files_right /mnt/fs/files
	umount /mnt/fs
	check "the file system is clean" e2fsck -fn "$loop"
	losetup -d "$loop"
}

# RAID5 of three sets, each with bad blocks in other places: no member leaves, and what is
# unreadable on one of them is made anew of the others.
test_raid5() {
	local i md member offset bad_at
	local -a disks=()
	for i in 0 1 2; do
		null_disk data 32
		null_disk spare 8
		make_set "set$i" "$data" "$spare"
		disks[i]=$data
	done
	modprobe raid456
	need mdadm --create /dev/md8 --run --level=5 --raid-devices=3 --metadata=1.2 --chunk=16 \
		--assume-clean --bitmap=none /dev/mapper/set{0,1,2}
	md=/sys/block/md8/md
	write_sectors /dev/md8 0 32768 1 --size 512
	for i in 0 1 2; do
		member=dm-$(dmsetup info -c --noheadings -o minor "set$i")
		offset=$(($(offset_of set$i) + $(cat "$md/dev-$member/offset")))
		for bad_at in 1000 3001 5500; do
			bad "${disks[i]}" $((offset + bad_at + 2048 * i)) $((offset + bad_at + 2048 * i + 2))
		done
		message set$i policy heal in-place >/dev/null
	done
	write_sectors /dev/md8 8192 8192 2 --size 128
	echo repair >$md/sync_action
	check "the array is repaired" wait_until 60 grep -qx idle $md/sync_action
	check_is "R3: all members are in the array" "$(cat $md/degraded)" "0"
	for i in 0 1 2; do
		check_that "R2: blocks of member $i moved" "$(status set$i remapped)" "> 0"
		check_is "R3: no sector of member $i is lost" "$(map_lost set$i)" ""
	done
	check_is "R1: all is read from the array" "$(sectors /dev/md8 0 32768 --size 64)" \
		"0-8191:1 8192-16383:2 16384-32767:1"
}

# dm-integrity below: what it finds wrong is no bad medium and moves nothing; what the
# medium fails is.
test_integrity() {
	local disk tags
	modprobe dm-integrity
	null_disk disk 32
	null_disk tags 8
	null_disk spare 16
	dm_make data "0 63488 integrity $disk 0 - D 2 meta_device:$tags internal_hash:crc32c"
	dd if=/dev/zero of=/dev/mapper/data bs=1M oflag=direct status=none 2>/dev/null || true
	make_set set /dev/mapper/data "$spare"
	dev=/dev/mapper/set
	off=$(offset_of set)
	write_sectors $dev 0 2048 1 --size 64
	bad "$disk" $((off + 100)) $((off + 103))
	check "R5: a bad sector under dm-integrity moves" write_sectors $dev 96 16 2
	check_is "R1: and is read" "$(sectors $dev 88 32 --size 8 | sed 's/@[0-9]*//g')" \
		"88-95:1 96-111:2 112-119:1"
	check_that "R5: blocks were relocated" "$(status set relocated)" "> 0"
	dd if=/dev/urandom of="$disk" bs=512 seek=$((off + 800)) count=2 oflag=direct \
		conv=notrunc status=none
	echo 3 >/proc/sys/vm/drop_caches
	check_is "R4: a wrong checksum is an error, where it is" \
		"$(sectors $dev 792 16 --size 1 | sed 's/EILSEQ/BAD/; s/EIO/BAD/')" \
		"792-799:1 800-801:BAD 802-807:1"
	check_is "R4: and no evidence of a bad medium" "$(status set lost)" "0"
	check "R1: written anew it is read" write_sectors $dev 800 8 3
	check_is "R1: as it was written" "$(sectors $dev 792 24 --size 8)" "792-799:1 800-807:3 808-815:1"
}
