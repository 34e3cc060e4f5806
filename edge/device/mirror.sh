#!/bin/bash
# Say where the Debian archive is: MIRROR, or the one that apt uses on this workstation.
set -euo pipefail

# shellcheck disable=SC2016  # apt's own placeholder
mapfile -t mirrors < <(apt-get indextargets --format '$(REPO_URI)' \
  'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 'Component: main')
mirror=${MIRROR:-${mirrors[0]:-}}
if [[ -z $mirror ]]; then
  echo "error: apt knows no Debian archive; apt-get update, or set MIRROR to the URL of one" >&2
  exit 1
fi
echo "${mirror%/}"
