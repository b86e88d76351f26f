#!/bin/sh
# Gets the database of this machine back if its disk is new, then serves, and replicates what is written from now on.
set -eu
# Without a name of its own a machine would write over the copies of the others.
: "${MACHINE:?is not set}" "${BUCKET:?is not set}" "${SINCHFN_DATABASE:?is not set}"
litestream restore -config litestream.yml -if-db-not-exists -if-replica-exists "$SINCHFN_DATABASE"
exec litestream replicate -config litestream.yml -exec "gunicorn wsgi:app"
