# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmremapd: what it tells, how often, and that nothing it meets ends it: its own
# death, the module's absence, events that are lost, configuration that is wrong.
# VM: --systemd
# Timeout: 150
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

TOOLS=/src/build/tests/tools

# The MESSAGE_ID of an alert, by its name in the header.
id_of() { # NAME
	awk -v name="DMREMAP_MESSAGE_$1" '$2 == name { gsub("\"", "", $3); print $3 }' \
		/src/daemon/messages.h
}

# How often was it told since the test began?
told() { # NAME [FIELD=VALUE...]
	daemon_log "MESSAGE_ID=$(id_of "$1")" "${@:2}" | wc -l
}

told_times() { # TIMES NAME [FIELD=VALUE...]
	(($(told "${@:2}") == $1))
}

field() { # NAME FIELD: of the last one
	daemon_log --output json "MESSAGE_ID=$(id_of "$1")" | tail -n 1 | jq -r ".$2"
}

history() { # SQL
	python3 - "$1" <<'END'
import sqlite3, sys
db = sqlite3.connect('file:/var/lib/dm-remap/history.db?mode=ro', uri=True)
for row in db.execute(sys.argv[1]):
    print(*row)
END
}

# A set whose data device can be swapped for one that fails.
set_on_dm() { # [MEGABYTES-OF-SPARE]
	null_disk data 64
	null_disk spare "${1:-16}"
	dm_make under "$(linear_table "$data")"
	make_set set /dev/mapper/under "$spare"
}

write_block() { # BLOCK [COUNT]
	dd if=/dev/zero of=/dev/mapper/set bs=4096 seek="$1" count="${2:-1}" oflag=direct \
		conv=notrunc status=none
}

bad_block() { # BLOCK [LAST-BLOCK]
	local offset
	offset=$(offset_of set)
	bad "$data" $((offset + $1 * 8)) $((offset + ${2:-$1} * 8 + 7))
}

quiet_rules() {
	printf '[relocate]\nrelocate-slow = off\nrelocate-neighbours = off\n'
}

# --- One alert -------------------------------------------------------------------

# What was told of faults, in order: conditions that began, and moves that failed.
alerts_begun() {
	daemon_log --output json | jq -r 'select(.DMREMAP_PHASE == "begin" or
		.DMREMAP_EVENT == "move-failed") | .DMREMAP_EVENT' | xargs
}

test_daemon_unplugged() {
	set_on_dm
	daemon_start
	wait_until 10 eval '[[ $(told POLICY_SENT) == 1 ]]'
	local before
	before=$(status set used)
	dm_swap under "$(error_table /dev/mapper/under)"
	storm() { $TOOLS/read-storm /dev/mapper/set 0 4000 4 8 >>"$TMP/storm"; }
	errors() { awk '{ sum += $4 } END { print sum + 0 }' "$TMP/storm"; }
	storm &
	local storm=$!
	for ((i = 0; i < 50; i++)); do write_block $((i * 7)) 2>/dev/null || true; done
	wait $storm || true
	check "the alert is raised" wait_until 10 told_times 1 BREAKER_OPEN
	# Which takes a slow machine more than one of them.
	for ((i = 0; i < 10 && $(errors) <= 1000; i++)); do storm; done
	check_that "thousands of errors" "$(errors)" "> 1000"
	check_is "it names the set" "$(field BREAKER_OPEN DMREMAP_DEVICE)" set
	check_is "R4: no spare block was used" "$(status set used)" "$before"
	sleep 3
	check_is "and no other" "$(told BREAKER_OPEN)" 1
	check_that "the journal has few lines" "$(daemon_log | wc -l)" "< 10"
	check_is "one alert of any kind" "$(alerts_begun)" breaker-open
	dm_swap under "$(linear_table "$data")"
	check "its end is told" wait_until 30 told_times 1 BREAKER_OPEN_END
	check_is "once" "$(told BREAKER_OPEN) $(told BREAKER_OPEN_END)" "1 1"
	sleep 5
	check_is "R4: nor after the replug" "$(status set used)" "$before"
	check_is "nor another alert" "$(alerts_begun)" breaker-open
}

test_daemon_full() {
	quiet_rules | daemon_config
	null_disk data 64
	null_disk spare 8
	make_set set "$data" "$spare"
	daemon_start
	local slots
	slots=$(status set slots)
	bad_block 100 $((100 + slots + 20))
	write_block 100 $((slots - 5)) || true
	check "low is told" wait_until 10 told_times 1 SPARE_LOW
	write_block $((100 + slots - 5)) 20 2>/dev/null || true
	check "full is told" wait_until 10 told_times 1 SPARE_FULL
	null_disk more 8
	need dmremapctl spare add set "$more"
	check "R8: a spare ends it" wait_until 20 told_times 1 SPARE_FULL_END
	check "so the new member is told" wait_until 10 told_times 1 SPARE_JOINED
	check_is "nothing was told twice" "$(told SPARE_LOW) $(told SPARE_FULL)" "1 1"
	check_is "the action has a command" "$(field SPARE_FULL DMREMAP_ACTION)" \
		"dmremapctl spare add set DEVICE"
}

test_daemon_map_full() {
	quiet_rules | daemon_config
	local one two room
	null_disk data 64
	null_disk one 16
	null_disk two 16
	make_set set "$data" "$one" "$two" -- --map-entries 100
	daemon_start
	# A part of the map is for lost blocks, all of it for relocated ones.
	message set unreadable 1000 80 >/dev/null
	room=$(($(status set room) - $(status set records)))
	message set relocate 1000 $((room - 5)) >/dev/null
	check "low is told" wait_until 10 told_times 1 MAP_LOW
	message set relocate 2000 5 >/dev/null
	check "full is told" wait_until 10 told_times 1 MAP_FULL
	check "though spare blocks are free" told_times 0 SPARE_LOW
	bad_block 200
	check_fails "R4: what fails then is an error" write_block 200
	write_block 125 10
	check "writing lost blocks anew gives room" wait_until 20 told_times 1 MAP_FULL_END
	check "R5: and what failed moves" write_block 200
	check_is "nothing was told twice" "$(told MAP_LOW) $(told MAP_FULL)" "1 1"
}

test_daemon_reminder() {
	printf '[alerts]\nreminder-interval = 3s\n' | daemon_config
	quiet_rules | daemon_config 10-rules.conf
	null_disk data 64
	null_disk spare 8
	make_set set "$data" "$spare"
	daemon_start
	bad_block 200
	dd if=/dev/mapper/set of=/dev/null bs=4096 skip=200 count=1 iflag=direct 2>/dev/null ||
		true
	check "lost sectors are told" wait_until 10 \
		daemon_told "MESSAGE_ID=$(id_of SECTORS_LOST)" DMREMAP_PHASE=begin
	check "and again after a while" wait_until 10 \
		daemon_told "MESSAGE_ID=$(id_of SECTORS_LOST)" DMREMAP_PHASE=reminder
	check_is "with their number" "$(field SECTORS_LOST DMREMAP_COUNT)" 1
	good "$data" $(($(offset_of set) + 1600)) $(($(offset_of set) + 1607))
	write_block 200
	check "healing ends it" wait_until 20 told_times 1 SECTORS_LOST_END
	local reminders
	reminders=$(told SECTORS_LOST)
	sleep 5
	check_is "and the reminders" "$(told SECTORS_LOST)" "$reminders"
}

test_daemon_catalog() {
	quiet_rules | daemon_config
	null_disk data 64
	null_disk spare 8
	make_set set "$data" "$spare"
	daemon_start
	bad_block 200
	dd if=/dev/mapper/set of=/dev/null bs=4096 skip=200 count=1 iflag=direct 2>/dev/null ||
		true
	wait_until 10 told_times 1 SECTORS_LOST
	local text
	text=$(journal --catalog "MESSAGE_ID=$(id_of SECTORS_LOST)")
	check_like "journalctl -x says what it is" "$text" "*Subject: Set set has sectors that can not*"
	check_like "and what to run" "$text" "*dmremapctl map list set --unreadable*"
	local command
	command=$(field SECTORS_LOST DMREMAP_ACTION)
	check "the command of the alert works" $command
}

# --- Hooks ----------------------------------------------------------------------------

test_daemon_hooks() {
	{
		quiet_rules
		printf '[alerts]\nhook-timeout = 2s\n'
	} | daemon_config
	mkdir -p /etc/dm-remap/hooks.d
	# shellcheck disable=SC2016 # the hook's own
	printf '#!/bin/sh\nenv | grep -a "^DMREMAP_\\|^MESSAGE" | sort >>/run/dm-remap/hook\n' \
		>/etc/dm-remap/hooks.d/10-keep
	printf '#!/bin/sh\nexec sleep 1003\n' >/etc/dm-remap/hooks.d/20-hang
	chmod +x /etc/dm-remap/hooks.d/*
	null_disk data 64
	null_disk spare 8
	make_set set "$data" "$spare"
	daemon_start
	bad_block 200
	dd if=/dev/mapper/set of=/dev/null bs=4096 skip=200 count=1 iflag=direct 2>/dev/null ||
		true
	check "the hook ran" wait_until 10 grep -q DMREMAP_EVENT=sectors-lost /run/dm-remap/hook
	check "with the device" grep -qx DMREMAP_DEVICE=set /run/dm-remap/hook
	check "and the message" grep -q "^MESSAGE=Set set has 1 block" /run/dm-remap/hook
	check "one that hangs is killed, and told" wait_until 10 told_times 1 HOOK_FAILED
	check_like "by its name" "$(field HOOK_FAILED DMREMAP_DETAIL)" "*20-hang did not end within 2 s*"
	check_fails "no child is left" pgrep -fx "sleep 1003"
	check "the daemon lives" daemon_runs
}

# --- What does not end it ---------------------------------------------------------------

test_daemon_killed() {
	quiet_rules | daemon_config
	set_on_dm 32
	daemon_start
	bad_block 1000 1300
	dd if=/dev/mapper/set of=/dev/null bs=4096 skip=1000 count=1 iflag=direct 2>/dev/null ||
		true
	wait_until 10 told_times 1 SECTORS_LOST
	sleep 1
	$TOOLS/read-storm /dev/mapper/set 1000 300 8 8 >/dev/null &
	local storm=$! pid i
	for i in 1 2 3; do
		pid=$(daemon_pid)
		daemon_kill
		check "it is back ($i)" wait_until 15 eval \
			'daemon_runs && [[ $(daemon_pid) != 0 && $(daemon_pid) != '"$pid"' ]]'
		sleep 1
	done
	wait $storm || true
	sleep 2
	check_is "nothing was told again" "$(told SECTORS_LOST)" 1
	check_is "the policy was not sent again" "$(told POLICY_SENT)" 1
	write_block 1000 50 2>/dev/null || true
	check "new events are in the history" wait_until 10 eval \
		'[[ $(history "select count(*) from events where kind = 3") -gt 0 ]]'
	check_is "which is whole" "$(history 'pragma integrity_check')" ok
	daemon_restart
	sleep 2
	check_is "nor after a restart" "$(told SECTORS_LOST)" 1
}

test_daemon_module() {
	set_on_dm
	daemon_start
	wait_until 10 told_times 1 POLICY_SENT
	local pid cpu
	pid=$(daemon_pid)
	need dmremapctl stop set
	need rmmod dm_remap
	sleep 1
	check "it goes on without the module" daemon_runs
	cpu=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
	sleep 5
	check_that "at no cost" $(($(awk '{ print $14 + $15 }' "/proc/$pid/stat") - cpu)) "<= 1"
	need modprobe dm-remap
	need dmremapctl start set
	bad_block 200
	dd if=/dev/mapper/set of=/dev/null bs=4096 skip=200 count=1 iflag=direct 2>/dev/null ||
		true
	check "it hears of the new one's faults" wait_until 10 told_times 1 SECTORS_LOST
	check_is "and is the same process" "$(daemon_pid)" "$pid"
}

test_daemon_before_module() {
	need rmmod dm_remap
	daemon_start
	check "ready without the module" daemon_runs
	check_like "and says so" "$(daemon_log)" "*not loaded; it is waited for*"
	need modprobe dm-remap
	set_on_dm
	check "it finds the set" wait_until 10 told_times 1 POLICY_SENT
}

# The process stands still until more events have come than its socket holds.
test_daemon_lost_events() {
	quiet_rules | daemon_config
	null_disk data 64
	null_disk spare 8
	make_set set "$data" "$spare"
	# On a slow machine it stands still for longer than systemd would bear.
	mkdir -p /etc/systemd/system/dmremapd.service.d
	printf '[Service]\nWatchdogSec=0\n' >/etc/systemd/system/dmremapd.service.d/patience.conf
	need systemctl daemon-reload
	daemon_start
	wait_until 10 told_times 1 POLICY_SENT
	local slots pid i
	slots=$(status set slots)
	pid=$(daemon_pid)
	need $TOOLS/shrink-sockets "$pid"
	kill -STOP "$pid"
	for ((i = 1; i <= 15; i++)); do
		need dmsetup message set 0 policy slow-ms $((1000 + i))
		sleep 0.2
	done
	bad_block 100 $((100 + slots + 20))
	write_block 100 $((slots + 20)) 2>/dev/null || true
	sleep 0.5
	kill -CONT "$pid"
	check "that events were lost is told" wait_until 20 told_times 1 EVENTS_LOST
	check "what they said is found out" wait_until 20 told_times 1 SPARE_FULL
	check_is "it is the same process" "$(daemon_pid)" "$pid"
	sleep 2
	check_is "told once" "$(told EVENTS_LOST) $(told SPARE_FULL)" "1 1"
}

# --- Configuration and policy --------------------------------------------------------------

policy_value() { # KEY
	dmremapctl policy show set --json | jq -r ".. | objects | .\"$1\"? // empty" | head -n 1
}

policy_is() { # KEY VALUE
	[[ $(policy_value "$1") == "$2" ]]
}

test_daemon_reload() {
	set_on_dm
	printf '[policy]\nretries = 1\nlifetime = off\n' | daemon_config
	daemon_start
	check "the policy is that of the configuration" wait_until 10 policy_is retries 1
	printf '[policy]\nretries = 2\nlifetime = off\n' | daemon_config
	daemon_reload
	check "a new one is loaded" wait_until 10 policy_is retries 2
	printf '[policy]\nretries = 11\n' | daemon_config
	daemon_reload
	sleep 1
	check_like "a bad one is refused with its place" "$(daemon_log)" \
		'*dmremapd.conf:2: "retries" in section [[]policy] is "11", but must be a number from 0 to 10*'
	check "and the daemon goes on" daemon_runs
	check "with the old one" policy_is retries 2
	printf '[set set]\nretries = 3\n[policy]\nlifetime = off\n' | daemon_config
	daemon_reload
	check "a section for the set holds" wait_until 10 policy_is retries 3
	check_like "all settings can be shown" "$(dmremapd --print-config)" "*[[]set set]*retries = 3*"
}

test_daemon_bad_start() {
	printf '[polcy]\nretries = 1\n' | daemon_config
	check_fails "it does not start" systemctl start dmremapd
	check_like "and says why" "$(daemon_log)" "*there is no section [[]polcy]*"
	systemctl reset-failed dmremapd
}

# What a person decided while the daemon was away, and a state that it did not write.
test_daemon_away() {
	set_on_dm
	printf '[policy]\nslow-ms = 300\n' | daemon_config
	daemon_start
	check "the policy is sent" wait_until 10 policy_is slow_ms 300
	need dmsetup message set 0 policy scrub-rate 64
	need dmsetup message set 0 scrub start
	scrub_is() { [[ $(dmremapctl scrub status set --json | jq -r '.scrubs[0].state') == "$1" ]]; }
	need wait_until 5 scrub_is running
	sleep 1
	daemon_stop
	need dmsetup message set 0 scrub pause
	echo '{"policy":5,"scrub":[],"rules":"x","smart":1,"alerts":{}}' >/var/lib/dm-remap/state.json
	daemon_start
	sleep 3
	check "a scrub that was paused stays so" scrub_is paused
	check "a state of other types ends no daemon" daemon_runs
	check_is "nor was it started anew" "$(systemctl show -p NRestarts --value dmremapd)" 0
}

test_daemon_policy_by_hand() {
	set_on_dm
	printf '[policy]\nslow-ms = 300\n' | daemon_config
	daemon_start
	check "sent" wait_until 10 policy_is slow_ms 300
	need dmsetup message set 0 policy slow-ms 77
	check "by hand is told" wait_until 10 told_times 1 POLICY_FOREIGN
	sleep 1
	check "and left alone" policy_is slow_ms 77
	daemon_restart
	sleep 2
	check "also after a restart" policy_is slow_ms 77
	daemon_reload
	check "until a reload" wait_until 10 policy_is slow_ms 300
}

test_daemon_lifetime() {
	set_on_dm
	printf '[policy]\nretries = 2\nlifetime = 6s\n' | daemon_config
	daemon_start
	check "risky settings are sent" wait_until 10 policy_is retries 2
	sleep 10
	check "and renewed" policy_is retries 2
	daemon_stop
	check "without the daemon they end" wait_until 15 policy_is retries 0
	daemon_start
	check "it knows them as its own" wait_until 10 policy_is retries 2
	check_is "nobody is blamed" "$(told POLICY_FOREIGN)" 0
}

# --- What it does by the clock ----------------------------------------------------------------

test_daemon_scrubs() {
	{ quiet_rules; printf '[scrub]\nscrub-interval = 15s\n[policy]\nscrub-rate = 100000\n'; } | daemon_config
	set_on_dm
	write_block 0 4096
	bad_block 3000
	daemon_start
	check "the set is read through" wait_until 20 told_times 1 SCRUB_DONE
	check_is "which was told before" "$(told SCRUB_STARTED)" 1
	check_like "what was found is told" "$(field SCRUB_DONE DMREMAP_DETAIL)" \
		"Blocks found unreadable: 1,*"
	check_is "and where it is" "$(map_lost set)" 3000:ff
	check "again, after the interval" wait_until 40 eval '(($(told SCRUB_DONE) > 1))'
	daemon_stop
	check_that "when is kept" "$(jq '.scrub[] | .["last-end"]' /var/lib/dm-remap/state.json)" \
		"> $(date +%s) - 60"
	local before
	before=$(told SCRUB_STARTED)
	printf '[scrub]\nscrub-interval = 1h\n' | daemon_config
	daemon_start
	sleep 3
	check_is "so it is not begun again early" "$(told SCRUB_STARTED)" "$before"
	printf '[scrub]\nscrub-interval = 1s\n' | daemon_config
	daemon_reload
	check "but as soon as it is configured" wait_until 20 eval \
		"((\$(told SCRUB_STARTED) > $before))"
}

sampled() { # JQ-FILTER, of the newest one
	history "select json from samples where what = 'stats' order by id desc limit 1" | jq "$1"
}

test_daemon_samples() {
	{ quiet_rules; printf '[history]\nsample-interval = 1s\n'; } | daemon_config
	set_on_dm
	message set policy sample 1 >/dev/null
	bad_block 100 102
	write_block 100 3
	dd if=/dev/mapper/set of=/dev/null bs=4096 skip=100 count=3 iflag=direct status=none
	daemon_start
	check "samples are kept" wait_until 20 eval \
		'(($(history "select count(*) from samples") > 2))'
	check_is "of this set" "$(history "select distinct subject from samples where what = 'stats'")" \
		"$(dmremapctl status set --json | jq -r '.sets[0].uuid')"
	check_is "with what it holds" "$(sampled '.name, .remapped, .lost, .["slots-used"]' | xargs)" \
		"set 3 0 3"
	check_is "its slots" "$(sampled .slots)" "$(status set slots)"
	check_is "each member" "$(sampled '[.members[].member] | sort | tostring' | xargs)" "[0,1]"
	check_that "the writes that failed" \
		"$(sampled '[.members[] | select(.member == 0) | .write.errors[]] | add')" "> 0"
	check_that "and times" \
		"$(sampled '[.members[] | select(.member == 1) | .read.latency[]] | add')" "== 3"
	local nr
	printf '[history]\nsample-interval = off\n' | daemon_config
	daemon_reload
	sleep 2
	nr=$(history "select count(*) from samples")
	sleep 3
	check_is "none any more" "$(history "select count(*) from samples")" "$nr"
}

# --- Sizes -----------------------------------------------------------------------------------

history_within() { # BYTES
	(($(cat /var/lib/dm-remap/history.db{,-wal} | wc -c) <= $1))
}

test_daemon_history_bound() {
	{
		quiet_rules
		printf '[history]\nhistory-max = 1MiB\n[policy]\nsend-policy = off\n'
	} | daemon_config
	set_on_dm
	daemon_start
	need dmsetup message set 0 policy slow-ms 77
	wait_until 10 eval '[[ $(history "select count(*) from events") -gt 0 ]]'
	daemon_stop
	python3 - <<'END'
import sqlite3
db = sqlite3.connect('/var/lib/dm-remap/history.db')
db.execute("""with recursive n(i) as (select 1 union all select i + 1 from n where i < 8000)
    insert into events (time, uuid, name, kind, json)
    select 0, uuid, name, kind, json || hex(randomblob(100)) from n,
    (select * from events limit 1)""")
db.commit()
END
	check_that "it is too large" "$(stat -c %s /var/lib/dm-remap/history.db)" "> 4000000"
	daemon_start
	need dmsetup message set 0 policy slow-ms 78
	check "it is cut down to its bound" wait_until 20 history_within 1048576
	check_that "and not to nothing" "$(history 'select count(*) from events')" "> 500"
	check_is "the newest is there" \
		"$(history 'select kind from events order by id desc limit 1')" 19
	check "anyone may read it" setpriv --reuid 65534 --clear-groups -- python3 -c \
		"import sqlite3; sqlite3.connect('file:/var/lib/dm-remap/history.db?mode=ro', uri=True).execute('select count(*) from events').fetchone()"
}

test_daemon_history_damaged() {
	set_on_dm
	daemon_start
	wait_until 10 told_times 1 POLICY_SENT
	sleep 2
	daemon_stop
	dd if=/dev/urandom of=/var/lib/dm-remap/history.db bs=1k count=8 conv=notrunc status=none
	daemon_start
	write_block 1
	need dmsetup message set 0 policy slow-ms 77
	check "it is told" wait_until 10 told_times 1 HISTORY_DAMAGED
	check_like "with where it was put" "$(field HISTORY_DAMAGED DMREMAP_DETAIL)" \
		"*put aside as /var/lib/dm-remap/history.db.damaged-*"
	check "a new one is kept" wait_until 10 eval \
		'[[ $(history "select count(*) from events") -gt 0 ]]'
}

# How often a process was woken, or put aside for another.
switches() { # PID
	cat /proc/"$1"/task/*/status | awk '/ctxt_switches/ { sum += $2 } END { print sum }'
}

# Many sets: little memory, and no work while nothing happens. That is counted in wakeups: the
# time that one takes says little on a machine that is emulated.
test_daemon_idle() {
	local i pid rss before woken
	for ((i = 0; i < 16; i++)); do
		null_disk data 16
		null_disk spare 4
		make_set "set$i" "$data" "$spare"
	done
	daemon_start
	check "all are known" wait_until 30 eval \
		'[[ $(systemctl show --property StatusText --value dmremapd) == "16 sets in use"* ]]'
	sleep 5
	pid=$(daemon_pid)
	rss=$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status")
	check_that "RSS in KiB" "$rss" "< 16384"
	before=$(switches "$pid")
	sleep 20
	woken=$(($(switches "$pid") - before))
	check_that "wakeups in 20 s" "$woken" "<= 8"
	echo "# RSS $rss KiB, $woken wakeups"
}
