# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# How the demonstration talks: a headline, real commands with their real output,
# and claims that end it if they do not hold.

set -uo pipefail
export PATH=/src/build/bin:$PATH COLUMNS=80
cd /dev/vm || exit 1

headline() { printf '\n\033[1m── %s\033[0m\n' "$*"; }
say() { printf '%s\n' "$*"; }

# Run a command as it would be typed. Its status is kept in $status.
show() {
	printf '\033[1;34m# %s\033[0m\n' "$*"
	eval "$*" 2>&1
	status=$?
}

claim() { # TEXT COMMAND...
	if "${@:2}"; then
		printf '\033[32m✓ %s\033[0m\n' "$1"
	else
		printf '\033[31m✗ not so: %s\033[0m\n' "$1"
		exit 1
	fi
}

ok() { ((status == 0)); }
fails() { ((status != 0)); }

load_module() {
	modprobe -a dm-mod libcrc32c
	insmod "/src/build/kernel/$(uname -r)/dm-remap.ko"
}
