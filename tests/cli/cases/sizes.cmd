dmremapctl create name --data /nosuch --internal-spare ''
dmremapctl create name --data /nosuch --internal-spare x
dmremapctl create name --data /nosuch --internal-spare -1
dmremapctl create name --data /nosuch --internal-spare 1Q
dmremapctl create name --data /nosuch --internal-spare '1 G'
dmremapctl create name --data /nosuch --internal-spare 16E
dmremapctl create name --data /nosuch --internal-spare 99999999999999999999
dmremapctl create name --data /nosuch --adopt --data-offset 100 --spare /nosuch
dmremapctl create name --data /nosuch --block-size 3K --spare /nosuch
dmremapctl create name --data /nosuch --block-size 256 --spare /nosuch
dmremapctl create name --data /nosuch --block-size 32K --spare /nosuch
dmremapctl create name --data /nosuch --map-entries 0 --spare /nosuch
dmremapctl create name --data /nosuch --map-entries 16383751 --spare /nosuch
dmremapctl create name --data /nosuch --map-entries many --spare /nosuch
dmremapctl map export name --format badblocks --block-size 1000
dmremapctl map export name --format badblocks --block-size 2M
dmremapctl map export name --format xml
dmremapctl map export name --format ddrescu
dmremapctl map export name --format auto
dmremapctl map export name --json
dmremapctl map import name list --statuses x
dmremapctl map import name list --as lost
