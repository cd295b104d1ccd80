# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Where the virtual machine's parts are kept, and how one is made only when it
# is missing. Sourced by the other scripts here; it runs nothing by itself.

VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034
SRC_DIR=$(cd "$VM_DIR/../.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/dm-remap/vm
# shellcheck disable=SC2034 # for the sourcing scripts
HOST_SUITE=$(. /etc/os-release && echo "${VERSION_CODENAME:-unknown}")

say() { echo "vm: $*" >&2; }
die() { say "$*"; exit 123; }

# The words of a list file, without its comments.
words_of() { sed 's/#.*//' "$1" | xargs -n1; }

# One column of the suites table.
suite_field() { # SUITE pockets|kernel|qemu
	local suite pockets kernel qemu
	while read -r suite pockets kernel qemu; do
		[[ $suite == "$1" ]] || continue
		case $2 in
		pockets) echo "$pockets" ;;
		kernel) echo "$kernel" ;;
		qemu) echo "$qemu" ;;
		esac
		return
	done < <(sed 's/#.*//' "$VM_DIR/suites")
	die "no such suite in tests/vm/suites: $1"
}

# A short name for the content of these files and words.
key_of() { # FILE... [-- WORD...]
	local files=()
	while (($#)) && [[ $1 != -- ]]; do
		files+=("$1")
		shift
	done
	{ cat "${files[@]}" && echo "$@"; } | sha256sum | cut -c1-12
}

# Make DEST by running MAKER with a new name beside it, then rename. Two that
# want the same DEST wait for one another; one that fails leaves nothing.
fill() { # DEST MAKER [ARG...]
	local dest=$1 maker=$2 lock status=0
	shift 2
	[[ -e $dest ]] && return
	mkdir -p "$(dirname "$dest")"
	exec {lock}>"$dest.lock"
	flock "$lock"
	if [[ ! -e $dest ]]; then
		rm -rf --one-file-system "$dest".new*
		# No "||" after the subshell: that would switch off its "set -e".
		set +e
		(set -e; "$maker" "$dest.new" "$@") {lock}>&-
		status=$?
		set -e
		if ((status)); then
			rm -rf --one-file-system "$dest".new*
			die "could not make $dest"
		fi
		mv -T "$dest.new" "$dest"
	fi
	exec {lock}>&-
}

# Debian's archives as this machine's apt knows them, one "URI CODENAME" a
# line. Other vendors' archives are left out by their Origin.
debian_archives() {
	# shellcheck disable=SC2016 # names of apt's, not of the shell's
	apt-get indextargets --format \
		'$(CREATED_BY)|$(ORIGIN)|$(COMPONENT)|$(REPO_URI)|$(CODENAME)' |
		awk -F'|' '$1 == "Packages" && $2 == "Debian" && $3 == "main" \
			{ print $4, $5 }' | sort -u
}

# A sources.list of SUITE, from the addresses of this machine's own suite.
sources_of() { # SUITE
	local suite=$1 uri codename pocket pockets
	pockets=,$(suite_field "$suite" pockets),
	[[ $(debian_archives) ]] || apt-get -qq update
	while read -r uri codename; do
		pocket=${codename#"$HOST_SUITE"}
		[[ $pocket != "$codename" ]] || continue
		[[ -z $pocket || $pockets == *,"${pocket#-}",* ]] || continue
		echo "deb $uri $suite$pocket main"
	done < <(debian_archives) | grep . ||
		die "apt on this machine knows no archive of Debian $HOST_SUITE"
}

# The machine's own ways to reach an archive, as options for mmdebstrap.
apt_options() {
	apt-config dump | grep -E '^Acquire::(https?|Check)[-:A-Za-z0-9]* ' |
		sed 's/^/--aptopt=/; s/;$//' || true
}

# A root of a suite by mmdebstrap, whose words are only shown when it fails.
debian_root() { # SUITE DEST PACKAGE,... [MMDEBSTRAP-OPTION...]
	local suite=$1 dest=$2 packages=$3 log=$2.log options
	shift 3
	((EUID == 0)) || die "making a root of $suite needs root"
	mapfile -t options < <(apt_options)
	sources_of "$suite" |
		mmdebstrap --mode=root --format=directory --include="$packages" \
			--aptopt='APT::Sandbox::User "root"' "${options[@]}" \
			--dpkgopt='path-exclude=/usr/share/doc/*' \
			--dpkgopt='path-exclude=/usr/share/man/*' \
			--dpkgopt='path-exclude=/usr/share/info/*' \
			--dpkgopt='path-exclude=/usr/share/locale/*' \
			"$@" "$suite" "$dest" - >"$log" 2>&1 ||
		{ tail -n 30 "$log" >&2; return 1; }
	rm -f "$log"
}

# Where the parts are; a change of what they are made from is another place.
# RECIPE counts the changes of how prepare makes roots.
RECIPE=1

guest_root() {
	echo "$CACHE/guest/$HOST_SUITE-$(key_of "$VM_DIR/guest-packages" -- $RECIPE)"
}

build_root() { # SUITE
	echo "$CACHE/build/$1-$(key_of "$VM_DIR/build-packages" -- $RECIPE "$(suite_field "$1" kernel)")"
}

qemu_root() { # SUITE
	echo "$CACHE/qemu/$1-$RECIPE"
}

kernel_dir() { # SUITE DEB
	echo "$CACHE/kernels/$1/$(key_of "$VM_DIR/make-kernel" "$VM_DIR/guest/init" -- "${2##*/}")"
}

# The kernel package of the machine's own suite; those of other suites are in
# their build roots.
package_dir() { # SUITE
	if [[ $1 == "$HOST_SUITE" ]]; then
		echo "$CACHE/kernels/$1/package"
	else
		echo "$(build_root "$1")/var/tmp"
	fi
}

# The kernel's package and release, where there is one.
kernel_package() { # SUITE
	find "$(package_dir "$1")" -maxdepth 1 -name 'linux-image-*.deb' 2>/dev/null
}

release_of() { # DEB
	local name=${1##*/linux-image-}
	echo "${name%%_*}"
}

# What apt would install now as the kernel of the machine's own suite.
newest_kernel() {
	apt-cache depends "$(suite_field "$HOST_SUITE" kernel)" 2>/dev/null |
		awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }'
}
