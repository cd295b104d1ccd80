# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# For scripts in the guest: the module that was built for its kernel, or that of which the
# host says DM_REMAP_KO.

module_path() {
	echo "${DM_REMAP_KO:-/src/build/kernel/$(uname -r)/dm-remap.ko}"
}

# With what it stands on; which modules these are depends on the kernel.
module_load() {
	local depends
	modprobe dm-mod
	depends=$(modinfo -F depends "$(module_path)")
	[[ -z $depends ]] || modprobe -a ${depends//,/ }
	insmod "$(module_path)"
}
