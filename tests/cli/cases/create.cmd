truncate -s 32M d.img; truncate -s 8M s.img; truncate -s 1M tiny.img
dmremapctl create new --data d.img --spare s.img --no-start --dry-run
dmremapctl list --device d.img --device s.img
dmremapctl create new --data d.img --spare s.img,tier=1 --no-start
dmremapctl status --device d.img --device s.img | grep -v UUID
dmremapctl metadata verify --device d.img --device s.img | head -2
dmremapctl create other --data d.img --spare tiny.img --no-start 2>&1 | sed 's/([-0-9a-f]\{36\})/(UUID)/'
dmremapctl create other --data d.img --spare s.img --no-start --force --json 2>/dev/null | jq -c '.set | .uuid |= length'
dmremapctl create new --data nosuch --spare s.img --no-start
dmremapctl create new --data d.img --spare d.img --no-start --force
dmremapctl create new --data d.img --spare tiny.img --no-start --force 2>&1 | sed 's/([-0-9a-f]\{36\})/(UUID)/'
dmremapctl create 'a/b' --data d.img --spare s.img --no-start --force
dmremapctl create control --data d.img --spare s.img --no-start --force
dmremapctl create new --data d.img --internal-spare 1G --no-start --force
# An internal spare, and a file system that is kept
truncate -s 32M fs.img; mke2fs -q -t ext4 -U 11111111-2222-4333-8444-555555555555 -L precious fs.img 24M
cp fs.img before.img
dmremapctl create kept --data fs.img --spare s.img --no-start
dmremapctl create kept --data fs.img --adopt --internal-spare 16M --no-start
dmremapctl create kept --data fs.img --adopt --internal-spare 4M --no-start
cmp -n 25165824 fs.img before.img
dmremapctl destroy kept --device fs.img --force --json | jq -c .plan[].kind
dmremapctl destroy new --device nosuch.img
# Blocks that live on spares
make-set --data d.img --spare s.img --record remapped:7:1:0 --record remapped:8:1:1 --record remapped:30:1:5
dmremapctl destroy test --device d.img --device s.img
dmremapctl destroy test --device d.img --device s.img --dry-run
dmremapctl destroy test --device d.img --device s.img --force
dmremapctl list --device d.img --device s.img
make-set --data d.img --spare s.img
dmremapctl destroy test --device d.img --device s.img
