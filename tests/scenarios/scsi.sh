# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R3: the medium errors of a SCSI disk: reads fail (ENODATA), writes succeed and
# do not help.
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

# 10 sectors from sector 4100 of the disk fail.
medium_set() { # [PARAMETER=VALUE...]
	scsi_disk disk dev_size_mb=32 medium_error_start=4100 medium_error_count=10 "$@"
	null_disk spare 8
	make_set set "$disk" "$spare"
	dev=/dev/mapper/set
	off=$(offset_of set)
	at=$((4100 - off))
	need test $((at % 8)) = 4
	write_sectors $dev $((at - 12)) 40 1
	broken() { echo 2 >/sys/bus/pseudo/drivers/scsi_debug/opts; }
	mended() { echo 0 >/sys/bus/pseudo/drivers/scsi_debug/opts; }
}

test_medium_errors() {
	medium_set
	check_is "all can be read before" "$(sectors $dev $((at - 12)) 40)" \
		"$((at - 12))-$((at + 27)):1"
	broken
	check_is "R3: medium errors are ENODATA, of these sectors alone" \
		"$(sectors $dev $((at - 12)) 40)" \
		"$((at - 12))-$((at - 1)):1 $at-$((at + 9)):ENODATA $((at + 10))-$((at + 27)):1"
	check_is "R3: they are remembered" "$(map_lost set)" "$((at / 8)):f0 $((at / 8 + 1)):3f"
	check_is "R3: no spare is used" "$(status set used)" 0
	mended
	restart set
	check_is "R3: and after a restart, by the same name" "$(sectors $dev $at 10)" \
		"$at-$((at + 9)):ENODATA"
}

test_write_that_does_not_help() {
	medium_set
	broken
	need_is "$(sectors $dev $at 10)" "$at-$((at + 9)):ENODATA"
	check "R3: a write of lost sectors succeeds" write_sectors $dev $at 2 2
	check_is "R1: and is read" "$(sectors $dev $((at - 4)) 8)" \
		"$((at - 4))-$((at - 1)):1 $at-$((at + 1)):2 $((at + 2))-$((at + 3)):ENODATA"
	check_is "R3: from a spare, for the disk does not read it back" \
		"$(map_remapped set) $(status set healed)" "$((at / 8)) 0"
	check "R3: all of it is rewritten" write_sectors $dev $at 10 3
	check_is "R1: and read" "$(sectors $dev $((at - 4)) 16)" \
		"$((at - 4))-$((at - 1)):1 $at-$((at + 9)):3 $((at + 10))-$((at + 11)):1"
	restart set
	check_is "R2: and after a restart" "$(sectors $dev $((at - 4)) 16)" \
		"$((at - 4))-$((at - 1)):1 $at-$((at + 9)):3 $((at + 10))-$((at + 11)):1"
}

test_write_that_helps() {
	medium_set
	broken
	need_is "$(sectors $dev $at 10)" "$at-$((at + 9)):ENODATA"
	mended
	check "R3: a write of lost sectors succeeds" write_sectors $dev $at 10 2
	check_is "R3: in place" "$(map set) $(status set used)" " 0"
	check_is "R1: and is read" "$(sectors $dev $at 10)" "$at-$((at + 9)):2"
}

# A disk of 4096-byte physical sectors loses them whole.
test_physical_sectors() {
	medium_set physblk_exp=3
	need_is "$(queue "$disk" physical_block_size)" 4096
	broken
	check_is "R3: one bad sector loses what the medium loses with it" \
		"$(sectors $dev $((at + 1)) 1)" "$((at + 1))-$((at + 1)):ENODATA"
	check_is "R3: the physical sector is remembered" "$(map_lost set)" "$((at / 8)):ff"
}

test_retries() {
	medium_set
	message set policy retries 3 >/dev/null
	broken
	check_is "R3: with retries an error is still an error" "$(sectors $dev $at 1)" "$at-$at:ENODATA"
	check_is "R3: and remembered" "$(map_lost set)" "$((at / 8)):10"
	restart set
	check_like "the policy is kept" "$(message set policy)" "*retries 3*"
}

# WRITE SAME on lost and on healthy blocks; both disks have it.
test_write_zeroes() {
	local path
	medium_set add_host=2 per_host_store=1
	unmake_set set
	for path in /sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*/block/*; do
		[[ ${path##*/} == "${disk##*/}" ]] || spare=/dev/${path##*/}
	done
	need test "$spare" != "$disk"
	make_set set "$disk" "$spare"
	write_sectors $dev $((at - 12)) 40 1
	check_that "R9: the set has write zeroes as its disks do" \
		"$(queue $dev write_zeroes_max_bytes)" "> 0"
	broken
	need_is "$(sectors $dev $at 10)" "$at-$((at + 9)):ENODATA"
	check "R9: blkdiscard -z over lost blocks succeeds" \
		blkdiscard -f -z -o $(((at - 4) * 512)) -l $((16 * 512)) $dev
	check_is "R1: zeros are read there" "$(sectors $dev $((at - 12)) 40)" \
		"$((at - 12))-$((at - 5)):1 $((at - 4))-$((at + 11)):zero $((at + 12))-$((at + 27)):1"
	check_is "R3: from a spare" "$(map_remapped set)" "$((at / 8)) $((at / 8 + 1))"
	write_sectors $dev $((at - 4)) 8 4
	check "R9: blkdiscard -z of remapped blocks succeeds" \
		blkdiscard -f -z -o $(((at + 1) * 512)) -l 512 $dev
	check_is "R1: of exactly these" "$(sectors $dev $((at - 4)) 8)" \
		"$((at - 4))-$at:4 $((at + 1))-$((at + 1)):zero $((at + 2))-$((at + 3)):4"
}
