dmremapctl --help
dmremapctl -h | head -1
dmremapctl help | head -1
dmremapctl --version | sed 's/[0-9][0-9.]*$/VERSION/'
dmremapctl spare --help
dmremapctl metadata -h
dmremapctl status --help
dmremapctl create --help
dmremapctl spare add --help
dmremapctl map import --help
dmremapctl policy set -h
dmremapctl map list nosuch --help | head -1
