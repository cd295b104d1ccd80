make-set --data d.img --spare s.img
printf '5\n6\n7\n100\n' >bad
dmremapctl map import test bad --device d.img --device s.img --dry-run
dmremapctl map import test bad --device d.img --device s.img --dry-run --block-size 4K --json
dmremapctl map import test - --format badblocks --device d.img --device s.img --dry-run <bad
dmremapctl map import test - --device d.img --device s.img --dry-run < <(cat bad)
: >empty
dmremapctl map import test empty --device d.img --device s.img --dry-run
printf '5\nsix\n' >wrong
dmremapctl map import test wrong --device d.img --device s.img --dry-run
printf '5\n1000000000\n' >outside
dmremapctl map import test outside --device d.img --device s.img --dry-run
printf '99999999999999999999999\n' >huge
dmremapctl map import test huge --device d.img --device s.img --dry-run
printf '# Mapfile. Created by GNU ddrescue version 1.27\n0x00000000     +               1\n0x00000000  0x00010000  +\n0x00010000  0x00000200  -\n0x00010200  0x00000E00  *\n0x00011000  0x00001000  /\n0x00012000  0x00001000  ?\n0x00013000  0x00010000  +\n' >rescue
dmremapctl map import test rescue --device d.img --device s.img --dry-run
dmremapctl map import test rescue --device d.img --device s.img --dry-run --as unreadable
dmremapctl map import test rescue --device d.img --device s.img --dry-run --statuses -
printf '# Mapfile\n0x0 +\n0x0 0x200\n' >short
dmremapctl map import test short --device d.img --device s.img --dry-run
printf '2049\n' >raw
dmremapctl map import test raw --device d.img --device s.img --dry-run --raw --block-size 512
printf '17\n' >before
dmremapctl map import test before --device d.img --device s.img --dry-run --raw --block-size 512
printf '{"format":"dm-remap-map","version":99,"block_size":4096,"entries":[]}' >newer
dmremapctl map import test newer --device d.img --device s.img --dry-run
printf '{"dmremap":{"ver' >torn
dmremapctl map import test torn --device d.img --device s.img --dry-run
dmremapctl map import test nosuch --device d.img --device s.img --dry-run
# One number, and no end of the line
printf 5 >one; dmremapctl map import test one --device d.img --device s.img --dry-run
# Without --dry-run the set must run
dmremapctl map import test bad --device d.img --device s.img
dmremapctl map import test bad --json
