# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmremapctl and sets that run, while one of its allocations or system calls fails
# (tests/cli/faults.c). Whatever it is: no crash, no success that is none, no failure
# without a word; the data stay as they are, and the same command then comes to its end.
# What needs no module is in tests/cli/faults.
# VM: --smp 1
# Timeout: 150
# shellcheck disable=SC2154,SC2317 # variables of lib.sh; functions are called by name

DEV=/dev/mapper/set
FAULTS=/src/build/tests/tools/faults.so
# Of each kind so many calls, spread over all.
declare -A ROUNDS=([alloc]=5 [open]=2 [read]=1 [write]=1 [sync]=1)

begin() {
	RANDOM=${SEED:-1}
	null_disk data 16
	null_disk one 8
	null_disk two 8
	need create
	write_sectors $DEV 0 64 1
	need dmremapctl map relocate set 1
	dd if=$DEV of="$TMP/content" bs=32k count=1 status=none
}

runs() { dmsetup info set >/dev/null 2>&1; }

# --- States ----------------------------------------------------------------------------

started() { runs || dmremapctl start set; }
stopped() { ! runs || dmremapctl stop set; }
created() {
	! is_gone || create
	started
}
gone() {
	stopped
	is_gone || dmremapctl destroy set --force
}
create() { dmremapctl create set --data "$data" --spare "$one" --force; }
there() {
	created
	stopped
}
nr_spares() { dmremapctl spare list set --json | jq '.spares | length'; }
alone() {
	created
	(($(nr_spares) == 1)) || dmremapctl spare remove set "$two" --force
}
with_two() {
	created
	(($(nr_spares) == 2)) || dmremapctl spare add set "$two" --force
}
block_7() { # STATE
	dmremapctl map list set --json | jq -e "[.entries[] | select(.block == 7)] | length == $1"
}
released() { ! block_7 1 || dmremapctl map release set 7; }
relocated() { block_7 1 || dmremapctl map relocate set 7; }
retries_of() { dmremapctl policy show set --json | jq '.policy.retries'; }
one_retry() { dmremapctl policy set set retries=1; }
labelled() { is_labelled || dmremapctl spare label "$two" --force; }
unlabelled() { ! is_labelled || dmremapctl spare unlabel "$two"; }

is_free() { [[ -z $(ls "/sys/block/${1##*/}/holders") ]]; }
is_started() { runs && [[ $(dmsetup info -c --noheadings -o suspended set) == Active ]]; }
is_stopped() { ! runs; }
is_gone() { [[ $(dmremapctl list --json | jq '.sets | length') == 0 ]]; }
is_alone() { (($(nr_spares) == 1)) && is_free "$two"; }
is_with_two() { (($(nr_spares) == 2)); }
is_released() { block_7 0; }
is_relocated() { block_7 1; }
is_three_retries() { (($(retries_of) == 3)); }
is_labelled() { [[ $(dmremapctl udev "$two") == *KIND=label* ]]; }
is_unlabelled() { ! is_labelled; }
# It printed what it prints without a fault.
is_told() { cmp "$TMP/out" "$TMP/reference"; }

# --- Faults ----------------------------------------------------------------------------

same_data() { ! runs || cmp -n 32768 "$TMP/content" $DEV; }

quietly() { "$@" >/dev/null 2>&1; }

# What is wrong when this call fails; nothing if nothing is.
judge() { # FAULT BEFORE AFTER COMMAND...
	local fault=$1 before=$2 after=$3 status=0
	shift 3
	quietly "$before"
	timeout --signal=ABRT 20 env "LD_PRELOAD=$FAULTS" "FAULT=$fault" "$@" \
		>"$TMP/out" 2>"$TMP/err" || status=$?
	if ((status > 1)); then
		echo "$fault: status $status: $(tail -n 3 "$TMP/err")"
	elif ((status)) && [[ ! -s $TMP/err ]]; then
		echo "$fault: it failed without a word"
	elif ((!status)) && ! quietly "$after"; then
		echo "$fault: success that is none: $(tail -n 3 "$TMP/err")"
	elif ! quietly same_data; then
		echo "$fault: other data"
	elif ((status)) && ! quietly "$after"; then
		[[ $before != gone ]] || quietly gone
		"$@" >"$TMP/out" 2>"$TMP/again" || true
		quietly "$after" || echo "$fault: not done later: $(tail -n 3 "$TMP/err" "$TMP/again")"
	fi
}

# The command brings a set from one state to another.
faults_of() { # BEFORE AFTER COMMAND...
	local kind calls rounds call picked wrong='' tried=0
	need "$1"
	LD_PRELOAD=$FAULTS FAULT_REPORT=$TMP/calls "${@:3}" >"$TMP/reference"
	cp "$TMP/reference" "$TMP/out"
	need "$2"
	while read -r kind calls; do
		rounds=$((calls < ${ROUNDS[$kind]:-0} ? calls : ${ROUNDS[$kind]:-0}))
		((rounds)) || continue
		spread picked $rounds "$calls"
		for call in "${picked[@]}"; do
			wrong+=$(judge "$kind:$call" "$@")
		done
		tried=$((tried + rounds))
	done <"$TMP/calls"
	check_is "${*:3}: $tried calls that fail" "$wrong" ""
	check_that "so many" $tried ">= 5"
}

test_faults_of_states() {
	begin
	faults_of stopped is_started dmremapctl start set
	faults_of started is_stopped dmremapctl stop set
	faults_of there is_gone dmremapctl destroy set --force
	faults_of gone is_started dmremapctl create set --data "$data" --spare "$one" --force
}

test_faults_of_spares() {
	begin
	faults_of alone is_with_two dmremapctl spare add set "$two" --force
	faults_of with_two is_alone dmremapctl spare remove set "$two" --force
	faults_of unlabelled is_labelled dmremapctl spare label "$two" --force
	faults_of labelled is_unlabelled dmremapctl spare unlabel "$two"
}

test_faults_of_running() {
	begin
	faults_of released is_relocated dmremapctl map relocate set 7
	faults_of relocated is_released dmremapctl map release set 7
	faults_of one_retry is_three_retries dmremapctl policy set set retries=3
	faults_of relocated is_told dmremapctl map list set
	faults_of relocated is_told dmremapctl map export set
	faults_of relocated is_told dmremapctl spare list set --json
	faults_of relocated is_told dmremapctl list
}
