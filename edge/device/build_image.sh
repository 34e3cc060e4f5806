#!/bin/bash
# Make a bootable card image of Debian packages and our own, for Raspberry Pi 3, 4, 5 and Zero 2 W with a USB camera:
# build/image/maskgate-VERSION.img, with .sha256 and .bmap. The root is read-only; see card/root/etc/fstab.
# Usage: sudo edge/device/build_image.sh [CARD.toml [IMAGE]]     `make image CARD=card.toml` calls it, after `make deb`.
# Without CARD.toml nobody can log in. The distribution is made once (about 3 minutes) and kept in build/image.
# Environment: PYTHON (of the workstation, default python3), MIRROR (Debian archive, default: the one that apt uses).
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$PATH:/usr/sbin:/sbin"
# a processor without pointer authentication, which is slow to emulate
export QEMU_CPU=cortex-a72

card=$PWD/edge/device/card
build=$PWD/build/image
root=$build/root
python=${PYTHON:-python3}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
suite=trixie
packages=(systemd-sysv udev dbus kmod systemd-timesyncd systemd-resolved libnss-systemd openssh-server sudo tzdata
  ca-certificates python3 linux-image-arm64 raspi-firmware initramfs-tools zstd cloud-guest-utils)
# what would look for updates or backups of a system that is replaced as a whole; logins without a key
masked=(apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service
  getty.target systemd-networkd-wait-online.service systemd-binfmt.service systemd-pstore.service)

die() {
  echo "image: error: $*" >&2
  exit 1
}

check_tools() {
  local tool missing=()
  declare -A needed=([mmdebstrap]=mmdebstrap [genimage]=genimage [mke2fs]=e2fsprogs [mkfs.vfat]=dosfstools
    [mcopy]=mtools [bmaptool]=bmap-tools [qemu-aarch64-static]=qemu-user-static [update-binfmts]=binfmt-support)
  for tool in "${!needed[@]}"; do
    command -v "$tool" >/dev/null || missing+=("${needed[$tool]}")
  done
  [[ -e $keyring ]] || missing+=(debian-archive-keyring)
  [[ ${#missing[@]} == 0 ]] ||
    die "missing: ${missing[*]}; apt-get install --no-install-recommends ${missing[*]}"
  [[ $(id -u) == 0 ]] || die "an image is made as root; run it with sudo"
}

# arm64 programs run through qemu, wherever the kernel was not told so yet
enable_emulation() {
  local known=/proc/sys/fs/binfmt_misc
  [[ $(uname -m) != aarch64 ]] || return 0
  # somebody else may do so at the same moment
  mountpoint --quiet $known || mount -t binfmt_misc binfmt_misc $known || true
  [[ -e $known/qemu-aarch64 ]] || update-binfmts --enable qemu-aarch64 || true
  [[ -e $known/qemu-aarch64 ]] || die "qemu-aarch64: the kernel does not take it; is the module binfmt_misc there?"
}

# kernel, firmware and distribution, all but what is ours
make_base() {
  local archive=$1 sources
  echo "making the distribution, once (about 200 MB of packages)"
  printf -v sources "deb [signed-by=$keyring] $archive %s main non-free-firmware\n" $suite $suite-updates $suite-backports
  mmdebstrap --quiet --mode=root --variant=minbase --architectures=arm64 --include="${packages[*]}" \
    --aptopt='APT::Install-Recommends "false"' --dpkgopt='force-confold' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/lib/modules/*/dtb/*' --dpkgopt='path-include=/usr/lib/modules/*/dtb/broadcom/*' \
    --setup-hook="copy-in '$card/base/etc' /" $suite "$build/base.tar" - <<<"$sources" ||
    die "mmdebstrap: the distribution could not be made; see above"
}

# with /proc of its own, which is gone with the command
in_root() {
  unshare --mount --pid --fork --mount-proc="$root/proc" chroot "$root" "$@"
}

unpack_base() {
  rm -rf --one-file-system "$root"
  mkdir -p "$root"
  tar --extract --numeric-owner --xattrs --xattrs-include='*' --directory "$root" --file "$build/base.tar"
}

# our package by its own scripts, and what makes a read-only root work
install_ours() {
  cp "$package" "$root/maskgate.deb"
  in_root dpkg --install /maskgate.deb >"$build/log" 2>&1 || die "$package: does not install; see $build/log"
  rm "$root/maskgate.deb"
  cp --recursive --no-preserve=ownership "$card/root/etc" "$root"
  mv "$root/etc/maskgate" "$root/var/lib/maskgate-config"
  mkdir "$root/etc/maskgate" "$root/var/lib/ssh"
  rm -f "$root"/etc/ssh/ssh_host_*
  ln -sf /var/lib/machine-id "$root/etc/machine-id"
  in_root systemctl --quiet enable systemd-networkd systemd-resolved systemd-timesyncd sshd-keygen maskgate-grow
  in_root systemctl --quiet mask "${masked[@]}"
  in_root passwd --quiet --lock root
  ln -sf /run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
}

set_host_name() {
  echo "$1" >"$root/etc/hostname"
  printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost\n' "$1" >"$root/etc/hosts"
}

# without keys of his own nobody gets in
personalise() {
  set_host_name "${CARD_HOSTNAME:-maskgate}"
  ln -sf "/usr/share/zoneinfo/${CARD_TIMEZONE:-Etc/UTC}" "$root/etc/localtime"
  if [[ -z ${CARD_SSH_KEYS:-} ]]; then
    in_root systemctl --quiet mask ssh.service
    return
  fi
  mkdir "$root/var/home"
  in_root useradd --create-home --base-dir /var/home --groups adm,systemd-journal --shell /bin/bash "$CARD_USER"
  in_root install -d --mode 700 --owner "$CARD_USER" --group "$CARD_USER" "/var/home/$CARD_USER/.ssh"
  echo "$CARD_SSH_KEYS" | in_root tee "/var/home/$CARD_USER/.ssh/authorized_keys" >/dev/null
  echo "$CARD_USER ALL=(ALL) NOPASSWD: ALL" >"$root/etc/sudoers.d/maskgate"
  chmod 440 "$root/etc/sudoers.d/maskgate"
  local key
  while read -r key; do
    [[ -z $key ]] || install --mode 644 "$key" "$root/var/lib/maskgate-config/keys"
  done <<<"$CARD_TRUSTED_KEYS"
  [[ -z $CARD_SETTINGS ]] || install --mode 644 "$CARD_SETTINGS" "$root/var/lib/maskgate-config/door.toml"
}

write_image() {
  echo "maskgate $version" >"$root/boot/firmware/maskgate.txt"
  rm -rf "$build/parts" "$build/genimage.tmp"
  genimage --config "$card/genimage.cfg" --rootpath "$root" --tmppath "$build/genimage.tmp" \
    --inputpath "$build" --outputpath "$build/parts" >>"$build/log" 2>&1 ||
    die "genimage: the image could not be made; see $build/log"
  mv "$build/parts/maskgate.img" "$image"
  rm -rf --one-file-system "$build/parts" "$build/genimage.tmp" "$root"
  bmaptool --quiet create --output "${image%.img}.bmap" "$image"
  (cd "$(dirname "$image")" && sha256sum "$(basename "$image")") >"$image.sha256"
  echo "$image: $(du --block-size=MB "$image" | cut -f1) used of $(du --block-size=MB --apparent-size "$image" | cut -f1)"
}

check_tools
settings=
if [[ -n ${1:-} ]]; then
  settings=$("$python" -m edge.device.card_file "$1") || exit 2
fi
eval "$settings"
version=$("$python" -c 'import edge; print(edge.__version__)')
package=$PWD/build/deb/maskgate_${version}_arm64.deb
[[ -e $package ]] || die "$package: not found; make it with \`make deb\`"
image=${2:-$build/maskgate-$version.img}
enable_emulation
mkdir -p "$build"
stamp=$({ declare -f make_base && declare -p suite packages && find "$card/base" -type f -print0 | sort -z |
  xargs -0 cat; } | sha256sum)
if [[ ! -e $build/base.stamp || $(<"$build/base.stamp") != "$stamp" ]]; then
  make_base "$(edge/device/mirror.sh)"
  echo "$stamp" >"$build/base.stamp"
fi
unpack_base
install_ours
personalise
write_image
[[ -n ${1:-} ]] || echo "no card file: host name maskgate, and nobody can log in; CARD=card.toml gives it both"
