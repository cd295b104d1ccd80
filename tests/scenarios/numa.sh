# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# On a machine with several nodes, what every I/O reads lies in the memory near the data
# device. Both processors are on node 0, so that nothing comes to node 1 by chance.
# VM: --smp 2 --memory 1G --qemu-arg=-object --qemu-arg=memory-backend-ram,id=near,size=512M --qemu-arg=-object --qemu-arg=memory-backend-ram,id=far,size=512M --qemu-arg=-numa --qemu-arg=node,nodeid=0,cpus=0-1,memdev=near --qemu-arg=-numa --qemu-arg=node,nodeid=1,memdev=far
# shellcheck disable=SC2154 # variables of lib.sh

ENTRIES=300000

# KiB of a node that are in use; free pages that processors keep for themselves are free.
used() { # NODE
	echo 3 >/proc/sys/vm/drop_caches
	sleep 0.3
	awk -v node="$1" '
		FILENAME ~ /meminfo/ && $3 == "MemUsed:" { used = $4 }
		FILENAME ~ /zoneinfo/ && $1 == "Node" { here = $2 == node "," }
		FILENAME ~ /zoneinfo/ && here && $1 == "count:" { used -= $2 * 4 }
		END { print used }' "/sys/devices/system/node/node$1/meminfo" /proc/zoneinfo
}

# KiB that an activation takes of node 0 and of node 1, of a set near to a node: to $growth.
activate() { # HOME-NODE
	local data spare table before=()
	null_disk data 4096 memory_backed=0 home_node="$1"
	null_disk spare $((ENTRIES / 256 + 200))
	need_is "$(<"$NULLB/${data##*/}/home_node")" "$1"
	table=$(/src/build/tests/tools/make-image --fresh --adopt --name set --entries $ENTRIES \
		"$data" "$spare")
	dmsetup create set --notable
	dmsetup load set --table "$table"
	before=("$(used 0)" "$(used 1)")
	dmsetup resume set
	sleep $((3 * ${PATIENCE:-1}))	# until what makes lookups fast has been built
	growth=($(($(used 0) - before[0])) $(($(used 1) - before[1])))
	dmsetup remove set
}

test_numa() {
	local node growth=()
	[[ -d /sys/devices/system/node ]] || skip "the kernel knows no nodes"
	need_is "$(</sys/devices/system/node/online)" 0-1
	for node in 0 1; do
		activate $node
		echo "# near node $node: ${growth[0]} KiB of node 0, ${growth[1]} KiB of node 1"
		# 25 bytes an entry without what stands before the index, and 36 with it.
		if ((node)); then
			check_that "$ENTRIES entries are in the memory of node 1" "${growth[1]}" \
				"> $((ENTRIES * 30 / 1024))"
			check_that "and not of node 0" "${growth[0]}" "< 1024"
		else
			check_that "a set near node 0 takes nothing of node 1" "${growth[1]}" "< 1024"
		fi
	done
}
