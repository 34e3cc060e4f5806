#!/bin/bash
# Install or upgrade maskgate on a running device over SSH, after `make deb`; keeps the device's settings.
#     make deploy HOST=pi@door1 [PORT=22] [CARD=card.toml]      edge/device/deploy.sh pi@door1
# Checks before it changes anything. Exit code 2 and one line when it cannot be done; 1 when the service does not run then.
# Environment: PORT, CARD (whose trusted_keys go along), PACKAGE (default: the newest in build/deb), PYTHON.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
host=${1:-}
port=${PORT:-22}
package=${PACKAGE:-$(find "$root/build/deb" -maxdepth 1 -name 'maskgate_*_arm64.deb' 2>/dev/null | sort -V | tail -n 1)}
CARD_TRUSTED_KEYS=
control=$(mktemp -d)
# one connection for all, and never a question
options=(-o BatchMode=yes -o ConnectTimeout=10 -o "ControlPath=$control/%C" -o ControlMaster=auto -o ControlPersist=60)

refuse() {
    echo "deploy: error: $*" >&2
    exit 2
}

# the last line of what was said there: a shell may greet first, and ssh ends its lines as a terminal wants them
last() {
    tr -d '\r' <<<"$1" | tail -n 1
}

device() {
    ssh "${options[@]}" -p "$port" "$host" "$@"
}

leave() {
    ssh "${options[@]}" -p "$port" -O exit "$host" 2>/dev/null || true
    rm -rf "$control"
}

check_here() {
    local card
    [[ -n $host ]] || refuse "HOST= is missing; name the device, as in HOST=pi@door1"
    [[ -f $package ]] || refuse "${package:-build/deb}: no package; \`make deb\` builds it"
    [[ $package == *_arm64.deb ]] || refuse "$package: no package for arm64; \`make deb\` builds one"
    if [[ -n ${CARD:-} ]]; then
        card=$(cd "$root" && "${PYTHON:-python3}" -m edge.device.card_file "$(realpath "$CARD")") || exit 2
        eval "$card"
    fi
}

check_device() {
    local said architecture
    said=$(device true 2>&1) ||
        refuse "$host: $(last "$said"); does \`ssh -p $port $host\` work without a password?"
    architecture=$(device dpkg --print-architecture 2>/dev/null) ||
        refuse "$host: dpkg does not answer, so no Debian or Raspberry Pi OS; \`make flash\` writes a card with one"
    architecture=$(last "$architecture")
    [[ $architecture == arm64 ]] ||
        refuse "$host: a system for $architecture; maskgate needs a 64-bit one (arm64), \`make flash\` writes a card with one"
    device sudo -n true >/dev/null 2>&1 ||
        refuse "$host: no sudo without a password; add \"${host%@*} ALL=(ALL) NOPASSWD:ALL\" there with \`visudo\`"
}

copy_package() {
    local said
    there=$(device mktemp --directory --tmpdir=/var/tmp 2>/dev/null) ||
        refuse "$host: no room in /var/tmp; is the card full or read-only? Nothing was installed"
    there=$(last "$there")
    said=$(device "cat >$there/maskgate_arm64.deb" <"$package" 2>&1) && return
    device rm -rf "$there" || true
    refuse "$host: the package cannot be copied ($(last "$said")); is the card full? Nothing was installed"
}

install_package() {
    local said failed=0
    said=$(device "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends --reinstall \
        --allow-downgrades -o Dpkg::Options::=--force-confold $there/maskgate_arm64.deb" 2>&1) || failed=1
    device rm -rf "$there"
    [[ $failed == 0 ]] || refuse "$host: apt-get: $(grep '^E:' <<<"$said" | tail -n 1); \`ssh $host\` and try there"
}

put_keys() {
    local key name
    while read -r key; do
        [[ -n $key ]] || continue
        name=$(printf '%q' "${key##*/}")
        device "sudo -n install -D -m 644 /dev/stdin /etc/maskgate/keys/$name" <"$key"
    done <<<"$CARD_TRUSTED_KEYS"
}

restart_and_tell() {
    local state
    device sudo -n systemctl restart maskgate.service || true
    state=$(device systemctl is-active maskgate.service || true)
    # shellcheck disable=SC2016  # dpkg's own placeholder
    echo "$host: maskgate $(device "dpkg-query --show --showformat '\${Version}' maskgate"), $state"
    device sudo -n maskgate doctor --config /etc/maskgate/door.toml --store /var/lib/maskgate-store || true
    [[ $state == active ]] || exit 1
}

trap leave EXIT
# else ssh would take what is typed
exec </dev/null
check_here
check_device
copy_package
install_package
put_keys
restart_and_tell
