printf '%s\n' '{"time":1795500000000000000,"time-last":1795500000000000000,"name":"backup","uuid":"2f1c8a52-0000-4000-8000-00000000000a","major":253,"minor":0,"session":18446744073709551615,"seq":1,"event":"activated","occurrences":1,"total":1}' '{"time":1795503600000000000,"name":"backup","uuid":"2f1c8a52-0000-4000-8000-00000000000a","session":18446744073709551615,"seq":2,"event":"read-error","occurrences":3,"total":3,"spare":0,"direction":"read","class":"medium","extents":[{"sector":123456,"count":8}]}' '{"time":1795503601000000000,"name":"backup","uuid":"2f1c8a52-0000-4000-8000-00000000000a","session":18446744073709551615,"seq":3,"event":"lost","occurrences":1,"total":1,"spare":0,"extents":[{"sector":123456,"count":8}]}' '{"time":1795507200000000000,"name":"home","uuid":"2f1c8a52-0000-4000-8000-00000000000b","session":7,"seq":1,"event":"spare-low","occurrences":1,"total":1,"slots-used":45,"slots":50}' | make-history db
dmremapctl event list --history db
dmremapctl event list --history db backup
dmremapctl event list 2f1c8a52-0000-4000-8000-00000000000b --history db
dmremapctl event list --history db --kind lost --kind spare-low
dmremapctl event list --history db --last 1
dmremapctl event list --history db --since "2026-11-24 06:30" --until 2026-11-24T07:00:01
dmremapctl event list --history db --since @1795507200 --json
dmremapctl event list --history db nosuch
dmremapctl event list --history db --since 1s
# Following tells the same, whether a set runs or not, and that no module is loaded.
dmremapctl event list --history db | tail -n +2 >listed; timeout --preserve-status -s INT 3 dmremapctl event follow --history db 2>&1 >followed | grep -v loaded; diff -b listed followed && echo the same
timeout --preserve-status -s INT 3 dmremapctl event follow --history db --last 2 --json 2>/dev/null | jq -c '[.name, .seq]'
# Neither what is wrong nor what is not there is passed over.
dmremapctl event list --history nosuch
echo garbage >file; dmremapctl event list --history file
dmremapctl event list --history nosuch --json | jq -c '.events, .messages[].severity'
timeout --preserve-status -s INT 3 dmremapctl event follow --history file 2>&1 | grep -v loaded
dmremapctl event list --history db --kind losst
dmremapctl event list --history db --kind everything
dmremapctl event list --history db --since tomorrow
dmremapctl event list --history db --since "2026-13-24"
dmremapctl event list --history db --since 2026-11-25 --until 2026-11-24
dmremapctl event list --history db --last 0
dmremapctl event list one two
dmremapctl event
dmremapctl event folow
dmremapctl event follow --kind x
# What the daemon did, beside what the module told.
printf '%s\n' '{"time":1795500000000000000,"name":"home","uuid":"2f1c8a52-0000-4000-8000-00000000000b","session":7,"seq":1,"event":"spare-joined","occurrences":1,"total":1,"spare":2}' '{"time":1795500000500000000,"name":"home","uuid":"2f1c8a52-0000-4000-8000-00000000000b","event":"act","act":"spare-added","message":"The labelled spare /dev/sdc was added to set home."}' | make-history acts
dmremapctl event list --history acts
dmremapctl event list --history acts home --kind act
dmremapctl event list --history acts --kind spare-joined
dmremapctl event list --history acts --kind act --json | jq -c '.events[] | [.event, .act, .message]'
timeout --preserve-status -s INT 3 dmremapctl event follow --history acts 2>&1 | grep -v loaded
