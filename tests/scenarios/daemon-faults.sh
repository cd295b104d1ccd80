# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmremapd, one of whose allocations or system calls fails (tests/cli/faults.c). Whatever it
# is, the daemon does not crash or hang: it goes on, or ends and says why. What it then did
# not tell it tells when it runs again.
# Timeout: 300
# shellcheck disable=SC2154 # variables of lib.sh

FAULTS=/src/build/tests/tools/faults.so
LOST="Set set has 1 block with sectors that can not be read any more"
# Of each kind so many calls, spread over all.
declare -A ROUNDS=([alloc]=24 [open]=6 [read]=8 [write]=4 [sync]=2 [rename]=2)
next=2000

# Until it has told of the block, or ended; then something happens, and it is to end.
run_daemon() { # LOG VARIABLE=VALUE...
	: >"$1" # here, not when the daemon begins
	env "${@:2}" dmremapd --foreground --root="$TMP/root" 2>"$1" &
	local pid=$! status=0
	wait_until 20 eval "grep -q '$LOST' '$1' || ! kill -0 $pid 2>/dev/null" || true
	message set relocate $((next += 3)) 1 >/dev/null
	kill -TERM $pid 2>/dev/null || true
	wait_until 20 eval "! kill -0 $pid 2>/dev/null" || kill -ABRT $pid
	wait $pid || status=$?
	return $status
}

# What is wrong when this call fails; nothing if nothing is.
judge() { # FAULT
	local status=0 first=$TMP/first second=$TMP/second
	local state=$TMP/root/var/lib/dm-remap/state.json
	rm -rf "$TMP/root"
	mkdir -p "${state%/*}"
	run_daemon "$first" LD_PRELOAD=$FAULTS "FAULT=$1" || status=$?
	if ((status > 1)); then
		echo "$1: status $status: $(tail -n 3 "$first")"
	elif ((status)) && [[ ! -s $first ]]; then
		echo "$1: it ended without a word"
	elif [[ -e $state ]] && ! jq --exit-status .alerts "$state" >/dev/null; then
		echo "$1: the state is damaged: $(<"$state")"
	elif ((!status)) && grep -q "$LOST" "$first"; then
		return
	elif ! run_daemon "$second" FAULT= || ! grep -q "$LOST" "$second"; then
		echo "$1: it is not told later: $(tail -n 3 "$first" "$second")"
	fi
}

test_daemon_faults() {
	local kind calls rounds call picked wrong tried=0
	RANDOM=${SEED:-1}
	simple_set
	message set unreadable 800 8 >/dev/null
	mkdir -p "$TMP/root/var/lib/dm-remap"
	need run_daemon "$TMP/log" LD_PRELOAD=$FAULTS "FAULT_REPORT=$TMP/calls"
	while read -r kind calls; do
		rounds=$((calls < ${ROUNDS[$kind]:-0} ? calls : ${ROUNDS[$kind]:-0}))
		((rounds)) || continue
		spread picked $rounds "$calls"
		wrong=$(for call in "${picked[@]}"; do
			judge "$kind:$call"
		done)
		tried=$((tried + 1))
		check_is "$rounds of $calls calls of $kind that fail" "$wrong" ""
	done <"$TMP/calls"
	check_is "kinds of calls" $tried ${#ROUNDS[@]}
}
