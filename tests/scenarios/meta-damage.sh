# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R7, R10: bytes of the metadata damaged, blocks swapped, duplicated, aged, torn,
# unreadable, or in order and full of nonsense. tests/tools/metadata-damage knows
# what is right; with DAMAGE_STRIDE=1 it takes every byte.
# VM: --smp 1
# shellcheck disable=SC2034,SC2154 # variables of lib.sh
# Timeout: 300

DAMAGE=/src/build/tests/tools/metadata-damage
MAKE=/src/build/tests/tools/make-image

# A set with all kinds of records in several pages, and its metadata at an
# earlier time in $TMP/older. Options are those of make-image.
history() { # OPTION... DATA SPARE...
	local at pairs=()
	table=$("$MAKE" --name damage "$@")
	dmsetup create damage --table "$table"
	write_sectors /dev/mapper/damage 0 "$(sectors_of /dev/mapper/damage)" 1 --size 1024
	message damage relocate 100 200 >/dev/null
	message damage unreadable 80 3 200 20 >/dev/null
	dmsetup remove damage
	mkdir -p "$TMP/older"
	"$DAMAGE" save "$TMP/older" "$table"

	dmsetup create damage --table "$table"
	message damage release 120 15 >/dev/null
	for ((at = 0; at < 100; at++)); do
		pairs+=("$((400 + at * 2))" 1)
	done
	message damage relocate "${pairs[@]:0:100}" >/dev/null
	message damage relocate "${pairs[@]:100}" >/dev/null
	message damage unreadable 3000 5 3100 9 >/dev/null
	write_sectors /dev/mapper/damage 800 400 2
	dmsetup remove damage
}

# Its verdicts are one check; at least so many trials must have been made.
judge() { # WHAT TRIALS ARGUMENT...
	local what=$1 least=$2 status
	shift 2
	"$DAMAGE" run --stride "${DAMAGE_STRIDE:-512}" "$@" 2>&1 | tee "$TMP/verdict" |
		sed 's/^/# /' && status=0 || status=1
	check_is "$what" "$status $(grep -c '^WRONG' "$TMP/verdict" || true)" "0 0"
	check_that "$what: enough trials" \
		"$(sed -n 's/^\([0-9]*\) trials in .*/\1/p' "$TMP/verdict" | grep . || echo 0)" \
		">= $least"
}

test_module_with_header() {
	local text
	null_disk data 4
	null_disk one 3
	null_disk two 3
	history --pages 5 --bad 3 "$data" "$one" "$two"
	judge "R7: with a header, the true map or a refusal" 1000 "$TMP/older" "$table"
	for text in "unknown format version" "features unknown to this version" \
		"checksum mismatch" "two different histories" "out of date" \
		"belongs to another set" "is missing" "is in the map twice" \
		"is used by two blocks" "impossible record" "copies of one member" \
		"not the data device" "written for another place"; do
		check "R7: a refusal says: $text" grep -q "refused:.*$text" "$TMP/verdict"
	done
}

test_module_adopted() {
	null_disk data 4
	null_disk one 3
	history --pages 3 --adopt --seed 7 "$data" "$one"
	judge "R7: adopted, the true map or a refusal" 300 \
		--mixtures 60 --seed 2 "$TMP/older" "$table"
}

test_module_internal() {
	null_disk data 8
	history --pages 3 --internal 3 --seed 9 "$data"
	judge "R7: with an internal spare, the true map or a refusal" 300 \
		--mixtures 60 --seed 3 "$TMP/older" "$table"
}

test_verify_command() {
	null_disk data 4
	null_disk one 3
	null_disk two 3
	history --pages 5 --bad 3 "$data" "$one" "$two"
	judge "dmremapctl metadata verify tells of all damage" 150 --stride 8192 \
		--mixtures 40 "$TMP/older" \
		"$table" -- dmremapctl metadata verify --device "$data" --device "$one" \
		--device "$two"
}
