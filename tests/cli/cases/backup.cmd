make-set --data d.img --spare s.img --record remapped:7:1:0 --record lost:20:0x0f
dmremapctl metadata backup test saved --device d.img --device s.img
dmremapctl metadata backup test saved --device d.img --device s.img
dmremapctl metadata verify --backup saved | sed 's/^\( *Written *\).*/\1.../'
dmremapctl metadata verify --backup saved --json | jq -c '.backup | del(.created)'
# A backup is checked whole
cp saved torn; printf 'x' | dd of=torn bs=1 seek=5000 conv=notrunc status=none
dmremapctl metadata verify --backup torn
head -c 3000 saved >torn; dmremapctl metadata verify --backup torn
dmremapctl metadata verify --backup nosuch
# What was damaged is written again from good copies
printf 'x' | dd of=s.img bs=1 seek=100 conv=notrunc status=none
printf 'x' | dd of=d.img bs=4096 seek=18 conv=notrunc status=none
dmremapctl metadata verify --device d.img --device s.img
dmremapctl metadata repair test --device d.img --device s.img --dry-run
dmremapctl metadata verify --device d.img --device s.img >/dev/null
dmremapctl metadata repair test --device d.img --device s.img
dmremapctl metadata verify --device d.img --device s.img
dmremapctl metadata repair test --device d.img --device s.img
# The map is gone on both: only the backup has it
for i in d s; do for n in $(seq 16 80); do printf 'x' | dd of=$i.img bs=4096 seek=$n conv=notrunc status=none; done; done
dmremapctl metadata repair test --device d.img --device s.img
dmremapctl metadata restore test saved --device d.img --device s.img --dry-run
dmremapctl metadata restore test saved --device d.img --device s.img
dmremapctl metadata restore test saved --device d.img --device s.img --force
dmremapctl metadata verify --device d.img --device s.img | head -2
dmremapctl map list test --device d.img --device s.img
dmremapctl metadata restore test torn --device d.img --device s.img --force
# The beginning of a disk was overwritten
make-set --data d.img --spare s.img --record remapped:7:1:0
dmremapctl metadata backup test anchors --device d.img --device s.img
dmremapctl metadata restore-anchors s.img anchors --dry-run
head -c 1M /dev/zero | tr '\0' 'x' | head -c 65536 | dd of=s.img conv=notrunc status=none
dmremapctl metadata restore-anchors s.img anchors --dry-run | sed 's/(member [^)]*)/(member ...)/'
dmremapctl metadata restore-anchors s.img anchors
dmremapctl metadata restore-anchors s.img anchors --force
dmremapctl metadata verify --device d.img --device s.img
dmremapctl metadata restore-anchors s.img anchors --force
dmremapctl metadata restore-anchors s.img nosuch --force
