# Commands for sets that run: what is wrong is told before the module is asked.
dmremapctl scrub
dmremapctl scrub strat one
dmremapctl scrub start
dmremapctl scrub start one --range 9-1
dmremapctl scrub start one --range 0+0
dmremapctl scrub pause one --wait
# A set must be named to be waited for.
dmremapctl scrub status --wait
dmremapctl check --warning
dmremapctl check --warning 101
dmremapctl check --warning 10 --critical 20
dmremapctl check one two
dmremapctl check --critical x --json | jq -r '.messages[].text'
dmremapctl policy set one scrub-rate
dmremapctl policy set one scrub-rate=63
dmremapctl policy set one lifetime=31536001
dmremapctl policy set one slow-ms=-1
dmremapctl policy set one ioerr=retry
dmremapctl policy set one spare_low=5
# A stopped set has the policy that its disks hold.
make-set --name one --uuid 2f1c8a52-0000-4000-8000-00000000000a --data data.img --spare spare.img >/dev/null
dmremapctl policy show one --device data.img --device spare.img
dmremapctl policy show one --device data.img --device spare.img --json
