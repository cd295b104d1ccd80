truncate -s 64M disk
dmremapctl spare label disk --dry-run
dmremapctl spare label disk --domain archive --tier 2
dmremapctl udev disk | sed 's/\(LABEL_UUID\)=.*/\1=.../'
dmremapctl udev disk --json | jq -c '.device | .label_uuid = "..."'
dmremapctl spare label disk --domain archive --dry-run
dmremapctl spare label disk --tier x
dmremapctl spare label disk --tier 4294967296
dmremapctl spare label disk --domain "$(printf 'a%.0s' {1..80})"
dmremapctl spare label
dmremapctl spare unlabel disk --dry-run
dmremapctl spare unlabel disk
dmremapctl spare unlabel disk
