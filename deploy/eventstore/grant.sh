#!/usr/bin/env bash
# Gives Steward a user of its own with no more rights than it needs, and looks whether that came true. It may be
# repeated: the password is set anew and the access control lists are written again.
#
#   EVENTSTORE_NODES           base URLs of the nodes, separated by spaces
#   EVENTSTORE_CA              the certificate of the authority that signed theirs
#   EVENTSTORE_ADMIN_PASSWORD  of the user admin
#   EVENTSTORE_PASSWORD        that the user steward gets; letters, digits, - and _, since it stands in a URL too
#
# The lists are in default-acl.json (every stream without a list of its own) and all-acl.json (the log as a whole).
set -euo pipefail
umask 077
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [[ ! $EVENTSTORE_PASSWORD =~ ^[A-Za-z0-9_-]{16,}$ ]]; then
  echo 'EVENTSTORE_PASSWORD: want 16 or more letters, digits, - and _' >&2
  exit 1
fi

# request USER PASSWORD URL [CURL-ARGUMENT...]: prints the status of the answer, 000 for none. Passwords go through
# files, so that they show in no list of processes.
request() {
  printf 'user = "%s:%s"\n' "$1" "$2" >"$work/credentials"
  curl --config "$work/credentials" --silent --cacert "$EVENTSTORE_CA" --max-time 10 \
    --output /dev/null --write-out '%{http_code}' "${@:4}" "$3" || true
}

# send PATH TYPE FILE: sends a file as admin, to the nodes in turn until one takes it, and prints the status.
send() {
  local attempt node status=
  for attempt in {1..30}; do
    for node in $EVENTSTORE_NODES; do
      status=$(request admin "$EVENTSTORE_ADMIN_PASSWORD" "$node$1" --header "Content-Type: $2" --data-binary "@$3")
      case $status in
        2?? | 409) echo "$status" && return ;;
        401 | 403) echo "$node$1: the user admin is refused ($status)" >&2 && return 1 ;;
      esac
    done
    sleep 2
  done
  echo "$1: no node takes it ($status)" >&2
  return 1
}

# expect STATUS WHAT PATH [CURL-ARGUMENT...]: fails unless steward's request to the first node has an answer like that.
expect() {
  local status
  status=$(request steward "$EVENTSTORE_PASSWORD" "${EVENTSTORE_NODES%% *}$3" "${@:4}")
  # shellcheck disable=SC2254 # the status is a pattern
  case $status in
    $1) echo "steward $2 ($status)" ;;
    *) echo "steward $2: not so, the answer is $status" >&2 && return 1 ;;
  esac
}

events=application/vnd.kurrent.events+json
printf '{"LoginName":"steward","FullName":"Steward","Groups":[],"Password":"%s"}' "$EVENTSTORE_PASSWORD" >"$work/user"
printf '{"NewPassword":"%s"}' "$EVENTSTORE_PASSWORD" >"$work/password"
status=$(send /users/ application/json "$work/user")
if [ "$status" = 409 ]; then # there is such a user
  send /users/steward/command/reset-password application/json "$work/password" >/dev/null
fi
send /streams/%24settings "$events" "$here/default-acl.json" >/dev/null
send /streams/%24all/metadata "$events" "$here/all-acl.json" >/dev/null

json='Accept: application/json'
expect 200 'reads the log' /streams/%24all/head/backward/1 --header "$json"
expect '40[13]' 'reads no stream of the server' /streams/%24users --header "$json"
expect '40[13]' 'writes no metadata' /streams/%24all/metadata --header "Content-Type: $events" --data-binary "@$here/all-acl.json"
