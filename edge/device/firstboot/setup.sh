#!/bin/sh
# Run once on the device as root, at its first boot: settings, keys and package from the boot partition, SSH by key alone.
# Needs no network. When it fails, what it says lies in maskgate-setup.log on the boot partition, and it can run again.
# shellcheck disable=SC2154
set -eu

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$here/card.env"
exec >>"$here/../maskgate-setup.log" 2>&1
trap 'echo "maskgate: set-up ended with $?"' EXIT

allow_only_keys() {
    printf 'PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n' \
        >/etc/ssh/sshd_config.d/10-maskgate.conf
    passwd --lock "$user"
    # the image's own user has no shell, and a dialogue on the screen waits for its name
    usermod --shell /bin/bash "$user"
    rm -f /etc/ssh/sshd_config.d/rename_user.conf
    systemctl disable --now userconfig.service || true
    systemctl enable ssh
    systemctl --no-block restart ssh || true
}

put_settings_and_keys() {
    install -d -m 755 /etc/maskgate /etc/maskgate/keys
    if [ -f "$here/door.toml" ]; then
        install -m 644 "$here/door.toml" /etc/maskgate/door.toml
    fi
    find "$here/keys" -name '*.pem' -exec install -m 644 -t /etc/maskgate/keys {} +
}

guard_against_a_hang() {
    install -d /etc/systemd/system.conf.d
    printf '[Manager]\nRuntimeWatchdogSec=10\n' >/etc/systemd/system.conf.d/80-maskgate.conf
    systemctl daemon-reexec || true
}

install_package() {
    # --force-confold: the settings put there before go before the package's
    DEBIAN_FRONTEND=noninteractive dpkg --force-confold --install "$here"/maskgate_*_arm64.deb
    install -m 644 "$here/maskgate-picamera2.service" /etc/systemd/system/
    systemctl enable maskgate-picamera2.service
    systemctl --no-block start maskgate-picamera2.service || true
}

allow_only_keys
put_settings_and_keys
guard_against_a_hang
install_package
rm -rf "$here"
