#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R10: a map of a million entries takes at most 40 bytes of memory for each, and
# is activated in at most twice the time that reading it takes from a disk of 150
# MB/s. tests/bench/metadata measures; ENTRIES=N for another number.
# Host
# Timeout: 300

test_million_entries() {
	local output name limit what value
	output=$("$(dirname "${BASH_SOURCE[0]}")/../bench/metadata" 2>&1) || {
		echo "not ok - the measurement failed"
		echo "# ${output//$'\n'/$'\n'# }"
		return 1
	}
	echo "# ${output//$'\n'/$'\n'# }"
	while read -r name limit what; do
		value=$(jq -r "select(.name == \"$name\") | .ratio // .value" <<<"$output")
		if [[ $value ]] && awk "BEGIN { exit !($value > 0 && $value <= $limit) }"; then
			echo "ok - R10: $what: $value"
		else
			echo "not ok - R10: $what: ${value:-unknown}, limit $limit"
		fi
	done <<-E
		metadata.memory.entry 40 bytes of memory for an entry
		metadata.memory.entry-clustered 40 the same of entries in runs
		metadata.activation.throttled 2 activation, as a ratio to reading
	E
}

"${1:-test_million_entries}"
