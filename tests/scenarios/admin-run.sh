# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmremapctl with sets that exist: start, stop, status, spares, maps, policy,
# metadata, destroy, doctor.
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

begin() { # [SPARES]
	null_disk data 16
	null_disk one 8
	null_disk two 8
	if ((${1:-1} == 2)); then
		make_set set "$data" "$one" "$two"
	else
		make_set set "$data" "$one"
	fi
	write_sectors $DEV 0 4096 1 --size 1024
}

json() { # JQ-FILTER COMMAND...
	local filter=$1
	shift
	dmremapctl "$@" --json | jq -c -r "$filter"
}

# The command must end so, and with such words.
says() { # WHAT STATUS PATTERN COMMAND...
	local what=$1 expected=$2 pattern=$3 output status
	shift 3
	output=$("$@" 2>&1) && status=0 || status=$?
	if [[ $status == "$expected" ]] && grep -Eqi -- "$pattern" <<<"$output"; then
		passed "$what"
	else
		failed "$what" "status $status, expected $expected and: $pattern" "$output"
	fi
}

test_start_stop() {
	local a b c d
	null_disk a 8
	null_disk b 4
	null_disk c 8
	null_disk d 4
	need dmremapctl create first --data "$a" --spare "$b"
	need dmremapctl create second --data "$c" --spare "$d"
	says "a set that runs is not started again" 1 "active already" dmremapctl start first
	exec 7</dev/mapper/first
	says "a set in use is not stopped" 1 "in use|busy|open" dmremapctl stop first
	exec 7<&-
	check "stop all" dmremapctl stop --all
	check_is "nothing runs" "$(dmsetup ls)" "No devices found"
	says "stopping what is stopped" 1 "not active" dmremapctl stop first
	check_is "both are listed" "$(json '[.sets[] | [.name, .active]] | sort' list)" \
		'[["first",false],["second",false]]'
	check "start all" dmremapctl start --all
	check_is "both run" "$(dmsetup ls | awk '{ print $1 }' | sort | xargs)" "first second"
	check "start all again" dmremapctl start --all
	dmremapctl stop second
	check "by UUID" dmremapctl start "$(json '.sets[] | select(.name=="second").uuid' list)"
	dmremapctl stop --all
	dd if=/dev/zero of="$d" bs=1M count=1 oflag=direct status=none
	says "start all without a spare of one" 1 "second" dmremapctl start --all
	check_is "the other one runs" "$(dmsetup ls | awk '{ print $1 }' | xargs)" "first"
}

test_degraded() {
	begin 2
	message set relocate 0 40 >/dev/null
	dmremapctl stop set
	dd if="$two" of="$TMP/two" bs=1M iflag=direct status=none
	dd if=/dev/zero of="$two" bs=1M count=8 oflag=direct status=none
	says "a missing spare is told" 1 "missing|spare" dmremapctl start set
	check_fails "and nothing runs" dmsetup info set
	check "degraded, when that is said" dmremapctl start set --degraded
	check_is "R7: no old content" \
		"$(sectors $DEV 0 320 | tr ' ' '\n' | sed 's/.*://' | sort -u | sed 's/^E.*/error/' | xargs)" \
		"1 error"
	check_is "status says so" "$(json '.sets[0] | "\(.degraded) \(.health)"' status set)" \
		"true critical"
	says "and so for people" 0 "degraded|missing" dmremapctl status set
	says "and the doctor" 1 "missing" dmremapctl doctor set
	dmremapctl stop set
	dd if="$TMP/two" of="$two" bs=1M oflag=direct status=none
	check "it returns" dmremapctl start set
	check_is "R1: with all data" "$(sectors $DEV 0 4096 --size 64)" "0-4095:1"
	check_is "and status says so" "$(json '.sets[0] | "\(.degraded) \(.state)"' status set)" \
		"false ok"
}

test_identity() {
	begin 2
	dmremapctl stop set
	dd if="$two" of="$TMP/two" bs=1M iflag=direct status=none
	dmremapctl start set
	message set relocate 0 40 >/dev/null
	dmremapctl stop set
	dd if="$two" of="$TMP/now" bs=1M iflag=direct status=none
	dd if="$TMP/two" of="$two" bs=1M oflag=direct status=none
	says "R7: a spare from an older copy" 1 "out of date|stale|older" dmremapctl start set
	says "R7: verify tells" 1 "out of date|stale|older" dmremapctl metadata verify set
	check "R7: degraded, it is left out" dmremapctl start set --degraded
	check_is "R7: and nothing of it is shown" \
		"$(sectors $DEV 0 400 | tr ' ' '\n' | sed -E 's/E[A-Z]+/error/' | sed 's/.*://' | sort -u | xargs)" \
		"1 error"
	dmremapctl stop set
	says "R7: it does not return" 1 "out of date|stale|older" dmremapctl start set
	dd if="$TMP/now" of="$two" bs=1M oflag=direct status=none
	check "R7: the one that was there last does" dmremapctl start set
	check_is "R1: its data" "$(sectors $DEV 0 4096 --size 64)" "0-4095:1"
	dmremapctl stop set
	null_disk copy 8
	dd if="$two" of="$copy" bs=1M oflag=direct status=none
	says "R7: a copy of a member beside it" 1 "cop(y|ies)|twice|same|several" \
		dmremapctl start set
	dd if=/dev/zero of="$copy" bs=1M oflag=direct status=none 2>/dev/null || true
	check "R7: the right ones" dmremapctl start set
	check_is "R1: their data" "$(sectors $DEV 0 4096 --size 64)" "0-4095:1"
}

test_status() {
	begin 2
	check_is "in order" "$(json '.sets[0] | "\(.state) \(.health) \(.mode)"' status set)" \
		"ok ok rw"
	message set relocate 10 20 >/dev/null
	message set unreadable 2000 3 >/dev/null
	check_is "numbers are those of the module" \
		"$(json '.sets[0] | "\(.remapped) \(.lost) \(.spare_blocks_used) \(.generation)"' \
			status set)" \
		"$(status set remapped) $(status set lost) $(status set used) $(status set generation)"
	check_is "numbers are numbers" \
		"$(json '[.sets[0] | .remapped, .lost, .generation, .size_bytes | type] | unique' status set)" \
		'["number"]'
	check_is "the object has a version" "$(json '.dmremap.version' status set)" "1"
	says "lost sectors are told, and what to do" 0 "lost.*map list" \
		bash -c 'dmremapctl status set | tr "\n" " "'
	dmremapctl stop set
	check_is "stopped" "$(json '.sets[0].active' status set)" "false"
	says "a set that is not there" 1 "nonesuch" dmremapctl status nonesuch
	check_is "an error is an object too" \
		"$(dmremapctl status nonesuch --json 2>/dev/null | jq -r '.messages[0].severity')" \
		"error"
}

test_suspended() {
	local command
	begin
	dmsetup suspend set
	for command in "spare add set $two" "map relocate set 5" "map release set 5" \
		"map list set" "policy set set retries=3" "scrub start set" "stats set"; do
		says "$command" 1 "suspended.*dmsetup resume set" timeout 30 dmremapctl $command
	done
	says "check" 1 "suspended" dmremapctl check set
	says "status" 0 "suspended" dmremapctl status set
	dmsetup resume set
	check "R7: it goes on" dmremapctl map relocate set 5
	check_is "R1: data" "$(sectors $DEV 0 4096 --size 64)" "0-4095:1"
}

test_spares() {
	local before
	begin
	message set relocate 0 30 >/dev/null
	before=$(written "$two")
	check "a dry run of spare add" dmremapctl spare add set "$two" --dry-run
	check_is "writes nothing" "$(written "$two")" "$before"
	check "R8: spare add to a running set" dmremapctl spare add set "$two,tier=1"
	check_is "it takes part" "$(json '[.spares[] | [.member, .state, .tier]]' spare list set)" \
		'[[1,"active",0],[2,"active",1]]'
	check_is "R1: data" "$(sectors $DEV 0 4096 --size 64)" "0-4095:1"
	says "the same again is refused" 1 "" dmremapctl spare add set "$two"
	check "a dry run of spare remove" dmremapctl spare remove set "$one" --dry-run
	check_like "moves nothing" "$(spare set 1)" "active 30/*"
	check "spare remove moves what lives there" dmremapctl spare remove set "$one" --force
	check_like "to the other" "$(spare set 2)" "active 30/*"
	check_is "and it is gone" "$(json '[.spares[].member]' spare list set)" "[2]"
	check_is "R1: data" "$(sectors $DEV 0 4096 --size 64)" "0-4095:1"
	says "the last spare with blocks on it stays" 1 "" dmremapctl spare remove set 2 --force
	check_is "R1: data" "$(sectors $DEV 0 4096 --size 64)" "0-4095:1"
	dmremapctl stop set
	check "spare add to a stopped set" dmremapctl spare add set "$one"
	check "start" dmremapctl start set
	check_like "it joined" "$(json '[.spares[].state]' spare list set)" '\["active","active"\]'
	check_is "R1: data" "$(sectors $DEV 0 4096 --size 64)" "0-4095:1"
	dmremapctl stop set
	check "verify" dmremapctl metadata verify set
}

# A removal that was cut between the map and the table.
test_remove_goes_on() {
	begin 2
	need dmremapctl map relocate set 7
	need dmsetup message set 0 evacuate 1
	check_like "still in the table" "$(table_of set)" "*$(cat "/sys/block/${one##*/}/dev")*"
	check "removed once more" dmremapctl spare remove set "$one" --force
	check_is "it is free" "$(ls "/sys/block/${one##*/}/holders")" ""
	check_is "and wiped" "$(dmremapctl udev "$one" | grep KIND)" ""
	check_is "R1: data" "$(sectors $DEV 0 4096 --size 64)" "0-4095:1"
	check "the other one serves" dmremapctl map relocate set 9
}

# Two at once would each start from a table that the other replaces.
test_spares_at_once() {
	local three lock uuid i swap before removed
	begin 2
	null_disk three 8
	uuid=$(json .sets[0].uuid status set)
	lock=/run/dm-remap/spares-$uuid.lock
	mkdir -p /run/dm-remap
	exec 8>"$lock"
	need flock 8
	before=$(written "$three")
	says "one waits for another, not for ever" 1 "Another program is adding" \
		dmremapctl spare add set "$three"
	says "one that removes, too" 1 "Another program is adding" \
		dmremapctl spare remove set "$two" --force
	check_is "nothing was written" "$(written "$three")" "$before"
	check_is "and both are there" "$(json '[.spares[].member]' spare list set)" "[1,2]"
	exec 8>&-
	for ((i = 0; i < 4; i++)); do
		dmremapctl spare remove set "$two" --force >"$TMP/remove" 2>&1 &
		check "added while another is removed" dmremapctl spare add set "$three"
		wait $! && removed=0 || removed=$?
		check_is "removed while another is added" $removed 0
		check_is "there are two" "$(json '.spares | length' spare list set)" 2
		check_is "and it runs" "$(dmsetup info -c --noheadings -o suspended set)" Active
		swap=$two two=$three three=$swap
	done
	check_is "R1: data" "$(sectors $DEV 0 4096 --size 64)" "0-4095:1"
}

# Nobody is left whom the end could be told.
test_stop_untold() {
	null_disk disk_a 16
	null_disk disk_b 8
	dm_make data "$(linear_table "$disk_a")"
	dm_make spare "$(linear_table "$disk_b")"
	make_set set /dev/mapper/data /dev/mapper/spare
	dm_swap data "$(error_table /dev/mapper/data)"
	dm_swap spare "$(error_table /dev/mapper/spare)"
	says "a stop that no disk was told of" 0 "not be marked as cleanly stopped" \
		dmremapctl stop set
	dm_swap data "$(linear_table "$disk_a")"
	dm_swap spare "$(linear_table "$disk_b")"
	check "start" dmremapctl start set
	says "a stop that was told" 0 "Set set is stopped.$" dmremapctl stop set
}

# What the module can not take into a running table is loaded with a new one.
test_spare_by_reload() {
	begin
	null_disk cached 8 cache_size=1
	need_is "$(queue $DEV write_cache)" "write through"
	check "R8: spare add of a disk with a cache" dmremapctl spare add set "$cached"
	check_is "it takes part" "$(json '[.spares[] | [.member, .state]]' spare list set)" \
		'[[1,"active"],[2,"active"]]'
	check_is "R2: flushes are sent now" "$(queue $DEV write_cache)" "write back"
	check "its content moves" dmremapctl spare remove set "$one" --force
	message set relocate 0 30 >/dev/null
	check_is "R1: data" "$(sectors $DEV 0 4096 --size 64)" "0-4095:1"
	dmsetup suspend set
	says "a set that is suspended takes none" 1 "suspended.*dmsetup resume" \
		dmremapctl spare add set "$two"
	check "and nothing was written there" cmp --bytes 65536 "$two" /dev/zero
	dmsetup resume set
	check "later it takes it" dmremapctl spare add set "$two"
	check_is "R1: data" "$(sectors $DEV 0 4096 --size 64)" "0-4095:1"
}

test_full_and_repaired() {
	null_disk data 16
	null_disk one 2
	null_disk two 8
	make_set set "$data" "$one"
	write_sectors $DEV 0 4096 1 --size 1024
	bad "$data" $(($(offset_of set) + 0)) $(($(offset_of set) + 4095))
	check_fails "R8: more failures than spare blocks" write_sectors $DEV 0 4096 2 --size 8
	says "R8: is told" 0 "full|no spare|room" dmremapctl status set
	says "R8: and by the doctor" 1 "full|no spare|room" dmremapctl doctor set
	check "R8: another spare" dmremapctl spare add set "$two"
	check "R8: repairs it with no restart" write_sectors $DEV 0 4096 3 --size 8
	check_is "R1: data" "$(sectors $DEV 0 4096 --size 8)" "0-4095:3"
}

test_maps() {
	local before
	begin
	check "relocate" dmremapctl map relocate set 10-19 40+2 50
	check "relocate by sector" dmremapctl map relocate set --sector 801+8
	check_is "blocks" "$(map_remapped set)" \
		"10 11 12 13 14 15 16 17 18 19 40 41 50 100 101"
	check "release" dmremapctl map release set 10-11
	check_is "blocks" "$(map_remapped set)" "12 13 14 15 16 17 18 19 40 41 50 100 101"
	printf '1001\n1003\n' >"$TMP/bad.txt"
	check "import of badblocks as unreadable" dmremapctl map import set "$TMP/bad.txt" \
		--block-size 512 --as unreadable --force
	check_is "lost" "$(map_lost set)" "125:a"
	check_is "R3: which are errors" \
		"$(sectors $DEV 1000 8 | sed -E 's/E[A-Z]+/error/g')" \
		"1000-1000:1 1001-1001:error 1002-1002:1 1003-1003:error 1004-1007:1"

	before=$(map set)
	for format in json badblocks ddrescue; do
		check "export as $format" dmremapctl map export set --format $format \
			--output "$TMP/$format" --block-size 512
	done 2>/dev/null
	[[ -s $TMP/json ]] || for format in json ddrescue; do
		dmremapctl map export set --format $format --output "$TMP/$format" --force
	done
	check_fails "an existing file is not written over" dmremapctl map export set \
		--format json --output "$TMP/json"
	check "ddrescue's own reads it" ddrescuelog --show-status "$TMP/ddrescue"
	# Onto a fresh set of the same size.
	dmremapctl stop set
	dmremapctl destroy set --force >/dev/null
	make_set set "$data" "$one" -- --force
	write_sectors $DEV 0 4096 2 --size 1024
	check "import of json, a dry run" dmremapctl map import set "$TMP/json" --dry-run
	check_is "does nothing" "$(map set)" ""
	check "import of json" dmremapctl map import set "$TMP/json" --force
	check_like "moves what was remapped" "$(map_remapped set)" "12 13 *"
	check "import of ddrescue" dmremapctl map import set "$TMP/ddrescue" --force
	echo nonsense >"$TMP/nonsense"
	before=$(map set)
	check_fails "a list with a wrong line is refused" dmremapctl map import set "$TMP/nonsense" \
		--format badblocks
	echo 99999999 >>"$TMP/bad.txt"
	check_fails "a list beyond the end is refused" dmremapctl map import set "$TMP/bad.txt" \
		--block-size 512
	check_is "as a whole" "$(map set)" "$before"
	check_fails "a block beyond the end is refused" dmremapctl map relocate set 99999999
	check_is "R1: data" "$(sectors $DEV 2048 2048 --size 64)" "2048-4095:2"
	dmremapctl stop set
	says "map list of a stopped set" 0 "remapped" dmremapctl map list set
}

test_policy() {
	begin
	check "policy set" dmremapctl policy set set retries=3 heal=spare unreadable=retry
	check_is "at once" "$(json '.policy | "\(.retries) \(.heal) \(.unreadable)"' policy show set)" \
		"3 spare retry"
	dmremapctl stop set
	check_is "shown while stopped" \
		"$(json '.policy | "\(.retries) \(.heal) \(.unreadable)"' policy show set)" "3 spare retry"
	dmremapctl start set
	check_like "and after a restart" "$(message set policy)" \
		"heal spare unreadable retry ioerr probe retries 3 *"
	check_fails "a value out of range is refused" dmremapctl policy set set retries=11
	check_fails "an unknown one is refused" dmremapctl policy set set nonsense=1
	check_like "nothing has changed" "$(message set policy)" \
		"heal spare unreadable retry ioerr probe retries 3 * version 1"
}

# Frames that hold the current version of a page.
current_frames() { # MEMBER
	dmremapctl metadata show set --frames |
		awk -v m="$1" '$1 == m && $3 == "ok" && $6 == "yes" { print $2 }'
}

test_metadata() {
	local before
	begin 2
	message set relocate 0 30 >/dev/null
	message set unreadable 3000 9 >/dev/null
	dmremapctl stop set
	before=$(written "$data" "$one" "$two")
	check "verify" dmremapctl metadata verify set
	check "show" dmremapctl metadata show set --frames
	check "backup" dmremapctl metadata backup set "$TMP/backup"
	check_is "none of these writes" "$(written "$data" "$one" "$two")" "$before"
	check "the backup is in order" dmremapctl metadata verify --backup "$TMP/backup"
	check_fails "a backup is not written over" dmremapctl metadata backup set "$TMP/backup"

	# Damage with a good copy somewhere: repair.
	# Frames follow the head of 16 blocks.
	for at in $(current_frames 1 | sed -n '1~2p'); do
		dd if=/dev/urandom of="$one" bs=4k seek=$((16 + at)) count=1 oflag=direct status=none
	done
	dd if=/dev/urandom of="$one" bs=4k seek=15 count=1 oflag=direct status=none
	dd if=/dev/urandom of="$two" bs=4k count=1 oflag=direct status=none
	dd if=/dev/urandom of="$data" bs=4k count=1 oflag=direct status=none
	says "verify tells of lost anchors and frames" 1 "damage|checksum|no dm-remap|anchor" \
		dmremapctl metadata verify set
	before=$(written "$data" "$one" "$two")
	check "a dry run of repair" dmremapctl metadata repair set --dry-run
	check_is "writes nothing" "$(written "$data" "$one" "$two")" "$before"
	check "repair writes them again" dmremapctl metadata repair set --force
	check "verify" dmremapctl metadata verify set
	check "start" dmremapctl start set
	check_is "R1: data" "$(sectors $DEV 0 3000 --size 8)" "0-2999:1"
	dmremapctl stop set
	rm "$TMP/backup"
	dmremapctl metadata backup set "$TMP/backup" >/dev/null

	# All frames of one member gone: nothing proves that it is up to date.
	dd if="$one" of="$TMP/one" bs=1M count=1 iflag=direct status=none
	dd if=/dev/zero of="$one" bs=4k seek=16 count=80 oflag=direct status=none
	says "repair does not claim what it can not do" 1 "" \
		dmremapctl metadata repair set --force
	check_fails "R7: and the set does not start" dmremapctl start set
	dd if="$TMP/one" of="$one" bs=1M oflag=direct status=none

	# The map gone from all members: restore.
	for dev in "$data" "$one" "$two"; do
		dd if=/dev/urandom of="$dev" bs=4k seek=16 count=100 oflag=direct status=none
	done
	check_fails "no start without a map" dmremapctl start set
	says "verify tells" 1 "" dmremapctl metadata verify set
	before=$(written "$data" "$one" "$two")
	dmremapctl metadata restore set "$TMP/backup" --dry-run >"$TMP/out" 2>&1 || true
	check_is "a dry run of restore writes nothing" "$(written "$data" "$one" "$two")" "$before"
	check "restore" dmremapctl metadata restore set "$TMP/backup" --force
	check "start" dmremapctl start set
	check_is "the map" "$(map_remapped set | wc -w) $(map_lost set)" "30 375:ff 376:1"
	check_is "R1: data" "$(sectors $DEV 0 3000 --size 8)" "0-2999:1"
	dmremapctl stop set
	echo noise >>"$TMP/backup"
	printf 'x' | dd of="$TMP/backup" bs=1 seek=5000 conv=notrunc status=none
	check_fails "a damaged backup is refused" dmremapctl metadata verify --backup "$TMP/backup"
	check_fails "and not restored" dmremapctl metadata restore set "$TMP/backup" --force
}

test_older_backup() {
	begin
	message set relocate 0 5 >/dev/null
	dmremapctl stop set
	dmremapctl metadata backup set "$TMP/backup" >/dev/null
	dmremapctl start set
	write_sectors $DEV 0 40 2
	message set relocate 5 5 >/dev/null
	dmremapctl stop set
	check_fails "R7: a newer map is kept" dmremapctl metadata restore set "$TMP/backup"
	dmremapctl start set
	check_is "R1: it is" "$(map_remapped set)" "0 1 2 3 4 5 6 7 8 9"
}

test_destroy() {
	local before
	begin
	message set relocate 20 3 >/dev/null
	message set unreadable 2000 2 >/dev/null
	says "a running set is not destroyed" 1 "active|stop" dmremapctl destroy set --force
	dmremapctl stop set
	before=$(written "$data" "$one")
	says "destroy names what would be lost" 1 "20-22" dmremapctl destroy set
	says "a dry run too" 0 "20-22" dmremapctl destroy set --dry-run
	check_is "neither writes" "$(written "$data" "$one")" "$before"
	dmremapctl start set
	dmremapctl map release set 20-22
	write_sectors $DEV 2000 2 1
	dmremapctl stop set
	check "nothing to lose: force is for the set alone" dmremapctl destroy set --force
	check_fails "it is gone" dmremapctl start set
	check_is "from every list" "$(json '.sets | length' list)" "0"
	check "its devices are free" dmremapctl create set --data "$data" --spare "$one"
}

test_destroy_adopted() {
	null_disk data 16
	null_disk spare 8
	mkfs.ext4 -q -b 4096 "$data"
	need dmremapctl create set --data "$data" --adopt --spare "$spare"
	dmremapctl stop set
	before=$(written "$data")
	check "destroy of an adopted set" dmremapctl destroy set --force
	check_is "leaves the data alone" "$(written "$data")" "$before"
	check "the file system is in order" e2fsck -fn "$data"
}

test_doctor() {
	begin 2
	check "in order" dmremapctl doctor
	check_is "as an object" "$(json '.summary.problems' doctor)" "0"
	message set unreadable 0 8 >/dev/null
	says "lost blocks" 1 "map list" dmremapctl doctor
	write_sectors $DEV 0 8 1
	check "healed" dmremapctl doctor
	dmremapctl stop set
	dd if=/dev/urandom of="$one" bs=4k count=1 oflag=direct status=none
	says "a damaged anchor" 1 "repair" dmremapctl doctor
	dmremapctl metadata repair set --force >/dev/null
	dmremapctl start set
	check "repaired" dmremapctl doctor
	dmremapctl stop set
	rmmod dm-remap
	says "no module" 1 "module|modprobe" dmremapctl doctor
	mv /etc/modprobe.d/dm-remap.conf "$TMP/"
	says "start without the module" 1 "module|kernel|target" dmremapctl start set
	mv "$TMP/dm-remap.conf" /etc/modprobe.d/
	check "start loads the module where it is" dmremapctl start set
	dmremapctl stop set
	dd if=/dev/zero of="$one" bs=1M count=2 oflag=direct status=none
	says "a spare that is gone" 1 "spare" dmremapctl doctor
}
