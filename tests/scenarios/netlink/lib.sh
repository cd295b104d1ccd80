# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# For the netlink scenarios: the programs of this folder drive the kernel's own
# client, which tests/ynl puts into build/ynl.

# The checks of one function of a program, as those of this test.
nl() { # PROGRAM FUNCTION [ARG...]
	local line status=
	while IFS= read -r line; do
		case $line in
		"ok - "*) passed "${line#ok - }" ;;
		"not ok - "*) failed "${line#not ok - }" ;;
		"status "*) status=${line#status } ;;
		*) echo "# ${line#\# }" ;;
		esac
	done < <(
		set +e
		# shellcheck disable=SC2154 # of simple_set
		data=$data off=$off python3 -B "/src/tests/scenarios/netlink/$1.py" "${@:2}" 2>&1
		echo "status $?"
	)
	[[ $status == 0 ]] || failed "$1 $2 ended with status $status"
}

# A dm device over a disk, of which blocks from FIRST on take MS milliseconds.
slow_table() { # DISK OFFSET FIRST COUNT MS
	local first=$(($2 + $3 * 8)) count=$(($4 * 8)) size
	size=$(sectors_of "$1")
	echo "0 $first linear $1 0"
	echo "$first $count delay $1 $first $5"
	echo "$((first + count)) $((size - first - count)) linear $1 $((first + count))"
}

# A set on dm devices named data and spare1, with a spare of so many megabytes.
dm_set() { # SPARE-MEGABYTES [OPTION...]
	null_disk data 32
	null_disk disk1 "$1"
	dm_make data "$(linear_table "$data")"
	# shellcheck disable=SC2154
	dm_make spare1 "$(linear_table "$disk1")"
	make_set set /dev/mapper/data /dev/mapper/spare1 -- "${@:2}"
	dev=/dev/mapper/set
	off=$(offset_of set)
}

# Data and three spares of tier 0, 0, 1; the spares are dm devices.
# shellcheck disable=SC2034,SC2154
three_spares() {
	local n
	null_disk data 32
	null_disk disk1 8
	null_disk disk2 8
	null_disk disk3 8
	for n in 1 2 3; do
		local -n disk=disk$n
		dm_make spare$n "$(linear_table "$disk")"
	done
	make_set set "$data" /dev/mapper/spare1 /dev/mapper/spare2 /dev/mapper/spare3,tier=1
	dev=/dev/mapper/set
	off=$(offset_of set)
}
