make-set --data d.img --spare s.img --record remapped:7:1:0 --record lost:20:0x0f
dmremapctl metadata verify --device d.img --device s.img
dmremapctl metadata verify --device d.img --device s.img --json
dmremapctl metadata show --frames --device s.img --device d.img
# One anchor is damaged
cp s.img t.img; printf 'x' | dd of=t.img bs=1 seek=100 conv=notrunc status=none
dmremapctl metadata verify test --device d.img --device t.img
# One copy of a page is damaged
cp s.img t.img; printf 'x' | dd of=t.img bs=4096 seek=18 conv=notrunc status=none
dmremapctl metadata verify test --device d.img --device t.img
# The map is damaged everywhere
for i in d s; do cp $i.img $i-broken.img; for n in $(seq 16 80); do printf 'x' | dd of=$i-broken.img bs=4096 seek=$n conv=notrunc status=none; done; done
dmremapctl metadata verify --device d-broken.img --device s-broken.img
dmremapctl status --device d-broken.img --device s-broken.img
# A member is missing
dmremapctl metadata verify --device d.img
# Not metadata at all
truncate -s 4M empty.img; dmremapctl metadata verify --device empty.img
dmremapctl metadata verify --device nosuch.img
# A name that would steer the terminal
make-set --data d.img --spare s.img --name "$(printf 'a\033[31mb\302\233c\377')"
dmremapctl list --device d.img --device s.img
dmremapctl list --device d.img --device s.img --json
