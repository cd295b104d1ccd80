#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# R2: a machine that writes is reset again and again, by its own kernel or with
# QEMU killed, while blocks move off a failing disk. Nothing that was acknowledged
# is lost, the set starts each time, what is lost stays an error. RESETS=N for
# another number of resets than 10.
# Host
# Timeout: 300

RAW=8192 LOST_AT=16384 FS_AT=20480 # sectors of the set
TOOL=/src/build/tests/tools/ack-writer

# --- In the guest --------------------------------------------------------------

guest() { # ROUND kill|sysrq LOGS
	local round=$1 how=$2 logs=$3 file status=0
	export PATH=/src/build/bin:$PATH DM_DISABLE_UDEV=1
	set -e
	# shellcheck source=../vm/guest/module.sh
	. /src/tests/vm/guest/module.sh
	modprobe ext4
	module_load
	if ((round == 0)); then
		dmremapctl create set --data /dev/vm/data --spare /dev/vm/spare >/dev/null
	else
		dmremapctl start set >/dev/null
	fi
	echo "started $(dmsetup status set | cut -d' ' -f4-9)"
	dmsetup create fs --table "0 40960 linear /dev/mapper/set $FS_AT"
	mkdir -p /mnt/fs
	if ((round == 0)); then
		: >"$logs/files"
		$TOOL fill /dev/mapper/set "$logs/raw" $RAW
		/src/build/tests/sectors write /dev/mapper/set $LOST_AT 4096 1 --size 64
		dmsetup message set 0 unreadable $((LOST_AT + 10)) 3 $((LOST_AT + 800)) 40 >/dev/null
		/src/build/tests/sectors show /dev/mapper/set $LOST_AT 4096 --size 1 >"$logs/lost"
		# In whole pages: to write less than one, its rest is read first, and
		# a sector that fails and was never written is an error to the reader.
		dd if=/dev/zero of=/dev/mapper/fs bs=64k count=1 oflag=direct status=none
		mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 /dev/mapper/fs
	else
		$TOOL check /dev/mapper/set "$logs/raw" $RAW || status=1
		echo "raw $status"
		[[ $(/src/build/tests/sectors show /dev/mapper/set $LOST_AT 4096 --size 1) == \
			"$(cat "$logs/lost")" ]] && echo "lost 0" || echo "lost 1"
	fi
	mount /dev/mapper/fs /mnt/fs
	if ((round)); then
		files=0
		while read -r file sum; do
			[[ $sum ]] || continue
			files=$((files + 1))
			[[ $(md5sum </mnt/fs/"$file") == "$sum" ]] || status=1 file_bad=$file
		done <"$logs/files"
		echo "files $status $files ${file_bad:-}"
		umount /mnt/fs
		e2fsck -fn /dev/mapper/fs >/dev/null 2>&1 && echo "fsck 0" || echo "fsck $?"
		mount /dev/mapper/fs /mnt/fs
	fi
	if [[ $how == end ]]; then
		umount /mnt/fs
		dmsetup remove fs
		dmremapctl stop set >/dev/null
		dmremapctl metadata verify set >/dev/null && echo "verify 0" || echo "verify 1"
		return
	fi
	(
		for ((n = 0; n < 40; n++)); do
			file=f$round-$n
			dd if=/dev/urandom of=/mnt/fs/$file bs=1k count=$((RANDOM % 40 + 1)) \
				conv=fsync status=none
			sync -f /mnt/fs/$file
			echo "$file $(md5sum </mnt/fs/$file)" >>"$logs/files"
		done
	) &
	# Blocks come and go all the time.
	(
		while sleep 0.1; do
			dmsetup message set 0 relocate $((RANDOM % 2000)) 3 >/dev/null
			dmsetup message set 0 release $((RANDOM % 1000)) 1000 >/dev/null
		done
	) &
	echo "writing"
	if [[ $how == sysrq ]]; then
		(
			sleep "$((1 + RANDOM % 2)).$((RANDOM % 10))"
			echo b >/proc/sysrq-trigger
		) &
	fi
	$TOOL write /dev/mapper/set "$logs/raw" $RAW || echo "writer ended with $?"
	sleep 60
}

# --- On the host ---------------------------------------------------------------

# Sectors that fail, on both disks, behind the metadata; not in the last MiB, where create
# looks whether the disk is used.
bad_sectors() { # NUMBER SECTORS
	local i event sector
	for ((i = 0; i < $1; i++)); do
		sector=$((8192 + (RANDOM * 32768 + RANDOM) % ($2 - 8192 - 2048)))
		for event in read_aio write_aio; do
			printf '[inject-error]\nevent = "%s"\nerrno = "5"\nsector = "%d"\nonce = "off"\n' \
				$event $sector
		done
	done
}

run_round() { # ROUND HOW
	local round=$1 how=$2 vm status grown expect=()
	[[ $how != sysrq ]] || expect=(--expect-reset)
	local out=$work/out-$round
	rm -f "$work/pid"
	"$here/../vm/run" --smp 1 --timeout $((40 * ${PATIENCE:-3})) --pid-file "$work/pid" \
		--dir "$work/run" "${expect[@]}" \
		--disk "$work/data.img,size=48M,blkdebug=$work/data.conf" \
		--disk "$work/spare.img,size=24M,blkdebug=$work/spare.conf" \
		-- bash /src/tests/scenarios/reset.sh --guest "$round" "$how" /run/vm/logs \
		>"$out" 2>&1 &
	vm=$!
	if [[ $how == kill ]]; then
		while kill -0 $vm 2>/dev/null && ! grep -q '^writing' "$out"; do
			sleep 0.1
		done
		grown=$(stat -c %s "$work/run/logs/raw")
		while kill -0 $vm 2>/dev/null && (($(stat -c %s "$work/run/logs/raw") == grown)); do
			sleep 0.05
		done
		sleep "$((RANDOM % 2)).$((RANDOM % 10))"
		kill -9 "$(cat "$work/pid")"
	fi
	wait $vm && status=0 || status=$?
	case $how in
	kill) ((status == 137)) ;;
	*) ((status == 0)) ;;
	esac || {
		report 1 "round $round ($how) ended with $status" "$out"
		return 1
	}
	! grep -q "^writer ended" "$out" ||
		report 1 "R8: round $round: a write failed" "$out"
}

report() { # STATUS WHAT FILE
	if (($1)); then
		echo "not ok - $2"
		sed 's/^/# /' "$3"
	else
		echo "ok - $2"
	fi
}

# What a round said about the one before it.
judge() { # ROUND HOW-THAT-ONE-ENDED
	local out=$work/out-$1 what files
	for what in "raw:R2: what was acknowledged is there" \
		"lost:R3: what was lost stays an error, and no more" \
		"files:R2: files that were synchronised are whole" \
		"fsck:R2: the file system is in order"; do
		grep -q "^${what%%:*} 0" "$out" 2>/dev/null
		report $? "${what#*:} after reset $1 ($2)" "$out"
	done
	files=$(sed -n 's/^files [01] \([0-9]*\).*/\1/p' "$out")
	echo "# round $1: $(grep sectors, "$out" || true); ${files:-0} files"
}

test_resets() {
	local resets=${RESETS:-10} seed=${SEED:-$RANDOM} round how last=none writes remapped
	echo "# seed $seed; again: SEED=$seed tests/scenarios/run reset.sh"
	RANDOM=$seed
	mkdir -p "$work/run/logs"
	bad_sectors 40 98304 >"$work/data.conf"
	bad_sectors 6 49152 >"$work/spare.conf"
	for ((round = 0; round <= resets; round++)); do
		((round % 2)) && how="kill" || how="sysrq"
		((round < resets)) || how="end"
		run_round $round $how || return
		((round == 0)) || judge $round $last
		last=$how
	done
	grep -q "^verify 0" "$work/out-$resets"
	report $? "all metadata is in order at the end" "$work/out-$resets"
	writes=$(sed -n 's/.* \([0-9]*\) writes.*/\1/p' "$work/out-$resets")
	((writes > 20 * resets))
	report $? "there were writes: ${writes:-0}" "$work/out-$resets"
	remapped=$(sed -n 's/^started .* \([0-9]*\) [0-9]*$/\1/p' "$work/out-$resets")
	((remapped > 0))
	report $? "blocks were remapped: ${remapped:-0}" "$work/out-$resets"
}

if [[ ${1:-} == --guest ]]; then
	shift
	guest "$@"
	exit
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$here/../../build"
work=$(mktemp -d "$here/../../build/reset.XXXXXX")
trap 'rm -rf "$work"' EXIT
"${1:-test_resets}"
