# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# How the demonstration talks: a headline, real commands with their real output,
# and claims that end it if they do not hold.

set -uo pipefail
export PATH=/src/build/bin:$PATH COLUMNS=80
cd /dev/vm || exit 1

bold='' blue='' green='' red='' plain=''
if [[ ${COLOR:-} ]]; then
	bold=$'\e[1m' blue=$'\e[1;34m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
fi

headline() { printf '\n%s\n' "$bold── $*$plain"; }
say() { printf '%s\n' "$*"; }

# Run a command as it would be typed. Its status is kept in $status.
show() {
	printf '%s\n' "$blue# $*$plain"
	eval "$*" 2>&1
	status=$?
}

claim() { # TEXT COMMAND...
	if "${@:2}"; then
		printf '%s\n' "$green✓ $1$plain"
	else
		printf '%s\n' "$red✗ not so: $1$plain"
		exit 1
	fi
}

ok() { ((status == 0)); }
fails() { ((status != 0)); }

load_module() {
	# shellcheck source=../vm/guest/module.sh
	. /src/tests/vm/guest/module.sh
	module_load
}
