make-set --data d.img --spare s.img --record remapped:7:1:0 --record remapped:8:1:1 --record lost:20:0x0f --record remapped:30:1:5:0x80
dmremapctl map list test --device d.img --device s.img
dmremapctl map list test --device d.img --device s.img --unreadable
dmremapctl map list test --device d.img --device s.img --remapped
dmremapctl map list test --device d.img --device s.img --json
dmremapctl map export test --device d.img --device s.img
dmremapctl map export test --device d.img --device s.img | python3 -m json.tool >/dev/null
dmremapctl map export test --device d.img --device s.img --format badblocks
dmremapctl map export test --device d.img --device s.img --format badblocks --block-size 4K
dmremapctl map export test --device d.img --device s.img --format badblocks --block-size 4K --unreadable
dmremapctl map export test --device d.img --device s.img --format badblocks --block-size 4K --remapped --raw
dmremapctl map export test --device d.img --device s.img --format ddrescue
dmremapctl map export test --device d.img --device s.img --format badblocks --output list
cat list
dmremapctl map export test --device d.img --device s.img --format badblocks --output list
dmremapctl map export test --device d.img --device s.img --format json --output list --force --json
# What was written is read again
dmremapctl map import test list --device d.img --device s.img --dry-run
dmremapctl map import test list --device d.img --device s.img --dry-run --as unreadable
make-set --data d.img --spare s.img --name clean
dmremapctl map list clean --device d.img --device s.img
dmremapctl map export clean --device d.img --device s.img --format badblocks
dmremapctl map export clean --device d.img --device s.img --format ddrescue
dmremapctl map export clean --device d.img --device s.img
dmremapctl map list nosuch --device d.img --device s.img
