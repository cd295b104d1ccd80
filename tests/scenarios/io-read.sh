# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R1, R3: reads that fail on the medium, and how lost sectors come back.
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

test_read_error() {
	local reads
	simple_set
	write_sectors $dev 0 64 1
	check_is "all can be read before" "$(sectors $dev 0 64)" "0-63:1"
	set_bad 20 21
	check_is "R3: the read error is an error, of these sectors alone" \
		"$(sectors_bad $dev 0 64)" "0-19:1 20-21:BAD 22-63:1"
	check_is "R3: it is remembered" "$(map set)" "2:0:0:30"
	check_is "R3: no spare is used" "$(status set used)" "0"
	check_is "R3: status counts it" "$(status set lost) $(status set lost_sectors)" "1 2"
	set_good 20 21
	check_is "the disk has the sectors again" "$(sectors "$data" $((off + 20)) 2 | grep -c BAD || true)" 0
	reads=$(io_count "$data" 0)
	check_is "R3: still an error, at once" "$(sectors_bad $dev 20 2)" "20-21:BAD"
	check_is "R3: without another read of the medium" "$(io_count "$data" 0)" "$reads"
	restart set
	check_is "R3: and after a restart" "$(sectors_bad $dev 0 64)" "0-19:1 20-21:BAD 22-63:1"
	check_is "R3: with the same map" "$(map set)" "2:0:0:30"
	check_is "R3: no spare is used" "$(status set used)" "0"
}

# One I/O over good and lost sectors.
test_large_reads() {
	simple_set
	write_sectors $dev 0 1024 1
	set_bad 300
	set_bad 700 701
	check_is "R3: a read over a bad sector fails" "$(sectors_bad $dev 0 1024 --size 1024)" "0-1023:BAD"
	check_is "R3: and again" "$(sectors_bad $dev 0 1024 --size 1024)" "0-1023:BAD"
	check_is "R5: the good half before it is read" "$(sectors_bad $dev 0 300 --size 300)" "0-299:1"
	check_is "R3: one by one all others are read" "$(sectors_bad $dev 0 1024)" \
		"0-299:1 300-300:BAD 301-699:1 700-701:BAD 702-1023:1"
	check_is "R3: exactly the bad sectors are lost" "$(map_lost set)" "37:10 87:30"
}

test_policy_retry() {
	simple_set
	write_sectors $dev 0 64 1
	set_bad 20 21
	need_is "$(sectors_bad $dev 16 8)" "16-19:1 20-21:BAD 22-23:1"
	message set policy unreadable retry >/dev/null
	check_is "R3: with unreadable=retry a bad sector is still an error" \
		"$(sectors_bad $dev 16 8)" "16-19:1 20-21:BAD 22-23:1"
	need_is "$(map_lost set)" "2:30"
	restart set
	check_like "the policy is kept" "$(message set policy)" "*unreadable retry*"
	set_good 20
	check_is "R3: what the medium gives again is believed" \
		"$(sectors_bad $dev 16 8)" "16-20:1 21-21:BAD 22-23:1"
	check_is "R3: and forgotten in the map" "$(map_lost set)" "2:20"
	set_good 21
	check_is "R3: until all is back" "$(sectors_bad $dev 16 8)" "16-23:1"
	check_is "R3: and the map empty" "$(map set)" ""
	restart set
	check_is "R3: durably" "$(map set) $(sectors $dev 16 8)" " 16-23:1"
}

# Lost by decree: what the medium holds there is not the content.
test_forgotten_sectors() {
	simple_set
	write_sectors $dev 0 64 1
	check_is "unreadable answers" "$(message set unreadable 20 2)" "lost 2"
	check_is "R3: they are errors now" "$(sectors_bad $dev 16 8)" "16-19:1 20-21:BAD 22-23:1"
	message set policy unreadable retry >/dev/null
	check_is "R1: no retry believes the medium" "$(sectors_bad $dev 16 8)" \
		"16-19:1 20-21:BAD 22-23:1"
	message set release 0 8 >/dev/null
	check_is "R1: nor does release" "$(sectors_bad $dev 16 8)" "16-19:1 20-21:BAD 22-23:1"
	restart set
	check_is "R1: nor a restart" "$(sectors_bad $dev 16 8)" "16-19:1 20-21:BAD 22-23:1"
	write_sectors $dev 20 1 2
	check_is "R3: a write heals" "$(sectors_bad $dev 16 8)" "16-19:1 20-20:2 21-21:BAD 22-23:1"
}

# Lost on the spare: what the data device held before it moved is stale.
test_lost_on_the_spare() {
	simple_set
	write_sectors $dev 0 64 1
	need message set relocate 2 1
	write_sectors $dev 16 8 2
	need message set unreadable 19 2
	need_is "$(sectors_bad $dev 16 8)" "16-18:2 19-20:BAD 21-23:2"
	message set policy unreadable retry >/dev/null
	check_is "R1: no retry on the spare" "$(sectors_bad $dev 16 8)" "16-18:2 19-20:BAD 21-23:2"
	check_is "release answers" "$(message set release 2 1)" "released 1 unchanged 0 failed 0"
	check_is "R1: back in place the lost sectors are errors, not the old content" \
		"$(sectors_bad $dev 16 8) $(map set)" "16-18:2 19-20:BAD 21-23:2 2:0:0:18"
	check_is "R1: release again does not believe them" \
		"$(message set release 2 1 >/dev/null; sectors_bad $dev 16 8)" "16-18:2 19-20:BAD 21-23:2"
	restart set
	check_is "R1: nor a restart" "$(sectors_bad $dev 16 8)" "16-18:2 19-20:BAD 21-23:2"
	write_sectors $dev 19 2 3
	check_is "R3: a write heals" "$(sectors_bad $dev 16 8) $(map set)" "16-18:2 19-20:3 21-23:2 "
}

test_heal_in_place() {
	simple_set
	write_sectors $dev 0 64 1
	set_bad 20 21
	need_is "$(sectors_bad $dev 16 8)" "16-19:1 20-21:BAD 22-23:1"
	set_good 20 21
	write_sectors $dev 20 1 2
	check_is "R3: a write heals its sector and no other" \
		"$(sectors_bad $dev 16 8)" "16-19:1 20-20:2 21-21:BAD 22-23:1"
	check_is "R3: in place" "$(map set) $(status set used) $(status set healed)" "2:0:0:20 0 1"
	write_sectors $dev 16 16 3
	check_is "R3: a write of more heals the rest" "$(sectors_bad $dev 8 24)" "8-15:1 16-31:3"
	check_is "R3: and the map is empty" "$(map set) $(status set used)" " 0"
	restart set
	check_is "R2: durably" "$(map set) $(sectors $dev 8 24)" " 8-15:1 16-31:3"
}

test_heal_on_spare() {
	simple_set
	write_sectors $dev 0 64 1
	set_bad 20 21
	need_is "$(sectors_bad $dev 16 8)" "16-19:1 20-21:BAD 22-23:1"
	check "R3: a write where the medium does not take it succeeds" write_sectors $dev 20 1 2
	check_is "R1: it is read, what was not rewritten stays lost" \
		"$(sectors_bad $dev 16 8)" "16-19:1 20-20:2 21-21:BAD 22-23:1"
	check_is "R3: on the spare" "$(map_remapped set) $(map_lost set)" "2 2:20"
	restart set
	set_good 20 21
	check_is "R1: and after a restart" \
		"$(sectors_bad $dev 16 8)" "16-19:1 20-20:2 21-21:BAD 22-23:1"
	write_sectors $dev 21 1 3
	check_is "R3: the last lost sector is healed on the spare" \
		"$(sectors_bad $dev 16 8) $(map_lost set)" "16-19:1 20-20:2 21-21:3 22-23:1 "
}

test_policy_heal_spare() {
	simple_set
	message set policy heal spare >/dev/null
	write_sectors $dev 0 64 1
	set_bad 20
	need_is "$(sectors_bad $dev 16 8)" "16-19:1 20-20:BAD 21-23:1"
	set_good 20
	write_sectors $dev 20 1 2
	check_is "R3: with heal=spare a rewrite goes to a spare at once" "$(map_remapped set)" "2"
	check_is "R1: all is read" "$(sectors_bad $dev 16 8)" "16-19:1 20-20:2 21-23:1"
}

# A read of a block on the spare that fails there.
test_read_error_on_spare() {
	local slot
	simple_set
	write_sectors $dev 0 64 1
	set_bad 20
	write_sectors $dev 16 8 2
	need_is "$(map set)" "2:1:0:0"
	slot=$(slot_sector "$spare" 16)
	bad "$spare" $((slot + 3))
	check_is "R3: a read error on the spare is an error of its sector" 		"$(sectors_bad $dev 8 24)" "8-15:1 16-18:2 19-19:BAD 20-23:2 24-31:1"
	check_is "R3: it is remembered" "$(map set)" "2:1:0:8"
	good "$spare" $((slot + 3))
	restart set
	check_is "R3: over a restart" "$(sectors_bad $dev 16 8)" "16-18:2 19-19:BAD 20-23:2"
	bad "$spare" $((slot + 3))
	check "R8: a write where the slot fails succeeds" write_sectors $dev 18 2 3
	check_is "R1: and is read, from another slot" "$(sectors_bad $dev 16 8)" 		"16-17:2 18-19:3 20-23:2"
	check_is "R8: the slot is bad" "$(spare set 1 | cut -d/ -f1,2)" "active 1/1"
	check_like "the block has moved" "$(map set)" "2:1:[1-9]*:0"
}

# --- Partial rewrites of lost blocks -----------------------------------------

# For each block a run of lost sectors and a run that is rewritten, from a
# fixed random sequence. $1: sectors of a block; $2: known (read before) or
# unknown; $3: whether the medium is good or bad when it is rewritten.
partial_rewrites() {
	local n=$1 blocks=24 i k now at expect="" lost=() write=() what begin
	RANDOM=$((n + 7))
	null_disk data 16
	null_disk spare 16
	make_set set "$data" "$spare" -- --block-size $((n * 512))
	dev=/dev/mapper/set
	off=$(offset_of set)
	write_sectors $dev 0 $((blocks * n)) 1
	for ((i = 0; i < blocks; i++)); do
		at=$((RANDOM % n))
		lost[i]="$at $((at + RANDOM % (n - at)))"
		((i % 3)) || lost[i]="0 $((n - 1))"
		at=$((RANDOM % n))
		write[i]="$at $((at + RANDOM % (n - at)))"
		set_bad $((i * n + ${lost[i]% *})) $((i * n + ${lost[i]#* }))
	done
	[[ $2 == unknown ]] || sectors $dev 0 $((blocks * n)) >"$TMP/before"
	if [[ $3 == good ]]; then
		set_good 0 $((blocks * n - 1))
	fi
	for ((i = 0; i < blocks; i++)); do
		write_sectors $dev $((i * n + ${write[i]% *})) \
			$((${write[i]#* } - ${write[i]% *} + 1)) 2
	done
	what='' begin=0
	for ((i = 0; i < blocks * n; i++)); do
		k=$((i % n)) at=$((i / n))
		if ((k >= ${write[at]% *} && k <= ${write[at]#* })); then
			now=2
		elif ((k >= ${lost[at]% *} && k <= ${lost[at]#* })); then
			now=BAD
		else
			now=1
		fi
		[[ $now == "$what" ]] || {
			[[ -z $what ]] || expect+="$begin-$((i - 1)):$what "
			what=$now begin=$i
		}
	done
	expect+="$begin-$((i - 1)):$what"
	check_is "R1: partial rewrites, blocks of $((n * 512)), $2, $3 medium" \
		"$(sectors_bad $dev 0 $((blocks * n)))" "$expect"
	restart set
	check_is "R1: the same after a restart" "$(sectors_bad $dev 0 $((blocks * n)))" "$expect"
	if [[ $3 == good ]]; then
		check_is "R3: nothing went to the spare" "$(status set used)" 0
	else
		check_that "R3: some went to the spare" "$(status set used)" "> 0"
	fi
}

test_partial_512_and_1024() {
	partial_rewrites 1 unknown bad
	good "$data" 0 32767
	unmake_set set
	partial_rewrites 2 known bad
}
test_partial_2048() { partial_rewrites 4 known bad; }
test_partial_4096_known() { partial_rewrites 8 known bad; }
test_partial_4096_unknown() { partial_rewrites 8 unknown bad; }
test_partial_4096_good() { partial_rewrites 8 known good; }
test_partial_8192() { partial_rewrites 16 known bad; }
test_partial_16384() { partial_rewrites 32 unknown bad; }
test_partial_16384_good() { partial_rewrites 32 known good; }
