dmremapctl
dmremapctl crate
dmremapctl frobnicate
dmremapctl spare
dmremapctl spare ad
dmremapctl spare frobnicate
dmremapctl map
dmremapctl status --jsno
dmremapctl status --frobnicate
dmremapctl status -x
dmremapctl status a b
dmremapctl destroy
dmremapctl spare add name
dmremapctl map relocate name
dmremapctl start
dmremapctl start name --all
# For the journal with its level.
touch log; JOURNAL_STREAM=$(stat -c %d:%i log) dmremapctl start 2>>log; cat log
dmremapctl start --all --data /dev/null
dmremapctl create name
dmremapctl create name --data
dmremapctl create name --data /nosuch
dmremapctl create name --data /nosuch --data /nosuch --spare /nosuch
dmremapctl create name --data /nosuch --spare ,tier=1
dmremapctl create name --data /nosuch --spare /nosuch,tier=x
dmremapctl create name --data /nosuch --spare /nosuch,teir=1
dmremapctl create name --data /nosuch --spare /nosuch --adopt=yes
dmremapctl create name --data /nosuch --spare /nosuch --data-offset 8s
dmremapctl map list name --unreadable --remapped
dmremapctl map relocate name --sector --block 1
dmremapctl map relocate name --raw 1
dmremapctl policy set name retries
dmremapctl policy set name retries=11
dmremapctl policy set name retry=1
dmremapctl policy set name heal=maybe
dmremapctl metadata verify name --backup file
dmremapctl status --nosuch --json
dmremapctl crate --json
