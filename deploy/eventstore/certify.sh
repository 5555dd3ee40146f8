#!/usr/bin/env bash
# Makes an authority and a certificate for each of the three nodes of the compose file, unless there are some.
# The authority's key stays in a volume that nothing else mounts; clients need ca.crt alone.
set -euo pipefail
umask 077

if [ ! -f /authority/ca.key ]; then
  es-gencert-cli create-ca -days 1825 -out /authority
fi
install -D -m 644 /authority/ca.crt /ca/ca.crt
chmod 755 /ca
for i in 1 2 3; do
  if [ ! -f "/certificates/node$i/node.crt" ]; then
    es-gencert-cli create-node -days 365 -ca-certificate /authority/ca.crt -ca-key /authority/ca.key \
      -out "/certificates/node$i" -ip-addresses "127.0.0.1,172.30.240.1$i" -dns-names "localhost,eventstore$i"
  fi
done
chown -R 1001:1001 /certificates # as whom the nodes run
