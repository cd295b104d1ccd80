make-set --data d.img --spare s.img --record remapped:7:1:0 --record remapped:8:1:1 --record lost:20:0x0f --record remapped:30:1:5:0x80 --record bad:1:9
dmremapctl status --device d.img --device s.img
dmremapctl status test --device d.img --device s.img --json
dmremapctl list --device d.img --device s.img
dmremapctl list --device d.img --device s.img --json
dmremapctl spare list --device d.img --device s.img
dmremapctl spare list test --device d.img --device s.img --json
dmremapctl policy show test --device d.img --device s.img
dmremapctl policy show test --device d.img --device s.img --json
dmremapctl metadata show --device d.img --device s.img
dmremapctl metadata show 11111111-2222-4333-8444-555555555555 --device d.img --device s.img --json
dmremapctl udev s.img
dmremapctl udev d.img --json
truncate -s 1M nothing; dmremapctl udev nothing; dmremapctl udev nothing --json | jq -c .device
# A spare is missing
dmremapctl status --device d.img
dmremapctl list --device d.img
# The data device is missing
dmremapctl status --device s.img
dmremapctl status other --device s.img
dmremapctl list --device /nosuch
