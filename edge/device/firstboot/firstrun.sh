#!/bin/sh
# Raspberry Pi OS bookworm runs this once as root, as the kernel's command line says, and then boots anew.
# shellcheck disable=SC2154
set -eu

boot=/boot/firmware
# shellcheck source=/dev/null
. "$boot/maskgate/card.env"
exec >>"$boot/maskgate-setup.log" 2>&1
# first of all, or a failure would come at every boot
rm -f "$boot/firstrun.sh"
sed -i -E 's# systemd\.(run|unit)[^ ]*##g' "$boot/cmdline.txt"

set_names() {
    echo "$hostname" >/etc/hostname
    sed -i '/^127\.0\.1\.1/d' /etc/hosts
    printf '127.0.1.1\t%s\n' "$hostname" >>/etc/hosts
    ln -sf "/usr/share/zoneinfo/$timezone" /etc/localtime
    echo "$timezone" >/etc/timezone
}

make_user() {
    if [ -x /usr/lib/userconf-pi/userconf ]; then
        # "*": no password fits
        /usr/lib/userconf-pi/userconf "$user" '*'
    elif ! id "$user" >/dev/null; then
        useradd --create-home "$user"
    fi
    echo "$user ALL=(ALL) NOPASSWD:ALL" >/etc/sudoers.d/010_maskgate
    chmod 440 /etc/sudoers.d/010_maskgate
    home=$(getent passwd "$user" | cut -d: -f6)
    install -d -m 700 -o "$user" -g "$user" "$home/.ssh"
    echo "$keys" >"$home/.ssh/authorized_keys"
    chown "$user:$user" "$home/.ssh/authorized_keys"
    chmod 600 "$home/.ssh/authorized_keys"
}

# the user first: who can log in can mend the rest
make_user
set_names
sh "$boot/maskgate/setup.sh"
