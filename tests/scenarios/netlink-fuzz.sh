#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R10: random and mutated netlink messages, by tests/tools/fuzz-netlink. By itself
# with FUZZ_SECONDS=600 for longer than 20 seconds, and FUZZ_SEED=N for a run again.
# Host
# Timeout: 180
# shellcheck disable=SC2034,SC2154 # variables of lib.sh

test_nl_fuzz() {
	local seconds=${FUZZ_SECONDS:-20} seed=${FUZZ_SEED:-$((RANDOM * 32768 + RANDOM))}
	local here output status patience=${PATIENCE:-1}
	here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
	make --silent -C "$here/../.." test-tools || return
	output=$("$here/../vm/run" --timeout $(((seconds + 120) * patience)) -- \
		env FUZZ_SEED="$seed" FUZZ_SECONDS="$seconds" bash /src/tests/scenarios/guest \
		"netlink-fuzz.sh:fuzz_in_guest:$(((seconds + 90) * patience))" 2>&1)
	status=$?
	grep -v -E '^# (test|done) ' <<<"$output"
	((status == 0)) || echo "not ok - R10: the machine ended with status $status (seed $seed)"
}

# Three spares, and content that no message may change.
fuzz_in_guest() {
	local uuid output status=0
	# shellcheck source=netlink/lib.sh
	. "$HERE/netlink/lib.sh"
	three_spares
	write_sectors $dev 0 8192 1 --size 512
	uuid=$(dmsetup table set)
	uuid=${uuid##* set_uuid }
	output=$(/src/build/tests/tools/fuzz-netlink "$FUZZ_SEED" "$FUZZ_SECONDS" set "${uuid%% *}" \
		2>&1) || status=$?
	echo "# ${output//$'\n'/$'\n'# }"
	check_is "R10: every message is answered (seed $FUZZ_SEED)" "$status" 0
	check_like "R10: some were done" "$output" "*success*"
	check_that "R10: there were many" \
		"$(sed -nE 's/^sent ([0-9]+),.*/\1/p' <<<"${output:-sent 0,}")" "> $FUZZ_SECONDS * 20"
	check_is "R1: no data was harmed (seed $FUZZ_SEED)" \
		"$(sectors $dev 0 8192 --size 8)" "0-8191:1"
	check "R2: the set stops" dmremapctl stop set
	# Not with the same table: spares may have left, all of them too.
	check "R2: and starts again" dmremapctl start set --degraded
	check_is "R2: with its data (seed $FUZZ_SEED)" "$(sectors $dev 0 8192 --size 8)" "0-8191:1"
}

# In the guest it is only read.
[[ ${BASH_SOURCE[0]} != "$0" ]] || "${1:-test_nl_fuzz}"
