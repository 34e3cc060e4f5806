#!/bin/bash
# Put together what the virtual device boots, in build/device: Debian's arm64 kernel, and a root file system as an
# initramfs of two parts: the distribution (made once), and our own package, with the probes.
# Usage: tests/device/build.sh PACKAGE        What is in build/device/media goes along, into the device's /opt/door.
# Packages are only unpacked: nothing runs emulated here, and nothing needs root.
# Environment: MIRROR (Debian archive, default: the one that apt uses).
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$PATH:/usr/sbin:/sbin"

device=$PWD/build/device
package=$1
# gpio-sim is in the kernel of the backports only
suite=trixie
# of the Python that the package also serves
unused=opt/maskgate/lib/python3.11
packages=(python3 libstdc++6 busybox-static kmod gpiod systemd udev)
modules=(gpio-sim vivid)
# what systemd would do because no package's own script has run, and terminals to log in at
masked=(ldconfig.service systemd-journal-catalog-update.service systemd-hwdb-update.service getty.target)

die() {
  echo "error: $*" >&2
  exit 1
}

check_tools() {
  local tool missing=()
  declare -A package=([qemu-system-aarch64]=qemu-system-arm [cpio]=cpio [depmod]=kmod)
  for tool in "${!package[@]}"; do
    command -v "$tool" >/dev/null || missing+=("${package[$tool]}")
  done
  [[ ${#missing[@]} == 0 ]] ||
    die "missing: ${missing[*]}; apt-get install --no-install-recommends ${missing[*]}"
  command -v apt-get dpkg-deb >/dev/null || die "missing: apt-get and dpkg-deb; the device is made on Debian only"
  [[ -e $keyring ]] || die "missing: $keyring; apt-get install debian-archive-keyring"
}

# apt for arm64, apart from the workstation's own packages
arm64_apt() {
  APT_CONFIG=$device/apt/apt.conf "$@"
}

prepare_apt() {
  local archive=$1
  rm -rf "$device/apt"
  mkdir -p "$device"/apt/{lists,cache/archives}/partial
  touch "$device/apt/status"
  printf "deb [signed-by=$keyring] $archive %s main\n" $suite $suite-backports >"$device/apt/sources.list"
  cat >"$device/apt/apt.conf" <<CONF
Dir::Etc::SourceList "$device/apt/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$device/apt/lists";
Dir::State::Status "$device/apt/status";
Dir::Cache "$device/apt/cache";
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
CONF
  arm64_apt apt-get -qq update
}

unpack_packages() {
  local package
  arm64_apt apt-get -qq --yes --download-only install "${packages[@]}" \
    "linux-base-$1" "linux-binary-$1" "linux-modules-$1" >/dev/null
  mkdir -p "$root"/usr/{bin,lib,sbin} "$device/kernel"
  ln -s usr/{bin,lib,sbin} "$root"
  for package in "$device"/apt/cache/archives/*.deb; do
    case $package in
      */linux-*) dpkg-deb --extract "$package" "$device/kernel" ;;
      *) dpkg-deb --extract "$package" "$root" ;;
    esac
  done
}

# the few modules that the tests load, with what they depend on; the kernel, and the Pi's hardware as it wants it told
take_modules() {
  local module version=$1 folder=usr/lib/modules/$1
  ln -s usr/lib "$device/kernel/lib"
  depmod --basedir "$device/kernel" "$version"
  mkdir -p "$root/$folder"
  for module in "${modules[@]}"; do
    modprobe --dirname "$device/kernel" --set-version "$version" --show-depends "$module"
  done | sed -n "s|^insmod .*/modules/$version/\(.*\.ko[.a-z]*\) *$|\1|p" | sort -u >"$device/modules"
  cp "$device/kernel/$folder"/modules.{builtin,builtin.modinfo,order} "$root/$folder/"
  (cd "$device/kernel/$folder" && xargs cp --parents --target-directory "$root/$folder") <"$device/modules"
  depmod --basedir "$root" "$version"
  cp "$device/kernel/$folder"/{vmlinuz,dtb/broadcom/bcm2837-rpi-3-b.dtb} "$device"
}

archive() {
  (cd "$1" && find . | cpio --quiet --create --format newc --owner 0:0)
}

make_base() {
  local version
  echo "making the device's root file system, once (about 150 MB of packages)"
  rm -rf "$root" "$device/kernel"
  prepare_apt "$(edge/device/mirror.sh)"
  version=$(arm64_apt apt-cache depends linux-image-arm64/$suite-backports |
    sed -n 's/^ *Depends: linux-image-\([0-9].*\)$/\1/p')
  [[ $version == [0-9]* ]] || die "cannot tell the kernel's version in $suite-backports"
  unpack_packages "$version"
  take_modules "$version"
  archive "$root" >"$device/base.cpio"
  rm -rf "$root" "$device/kernel" "$device/apt"
}

# the package as it is installed, and switched on
make_top() {
  local unit top=$device/top units=usr/lib/systemd/system
  rm -rf "$top"
  dpkg-deb --extract "$package" "$top"
  rm -r "${top:?}/$unused"
  install -D --mode 644 --target-directory "$top/$units" tests/device/guest/*.service
  mkdir -p "$top/etc/systemd/system/multi-user.target.wants"
  for unit in "${masked[@]}"; do
    ln -s /dev/null "$top/etc/systemd/system/$unit"
  done
  ln -s "/$units/"{maskgate,probe}.service "$top/etc/systemd/system/multi-user.target.wants"
  install -D --mode 755 --target-directory "$top/opt/door" tests/device/guest/{init,*.py}
  cp "$device"/media/* "$top/opt/door/"
  archive "$top" >"$device/top.cpio"
  rm -rf "$top"
}

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
root=$device/root
check_tools
mkdir -p "$device"
stamp=$(sha256sum <tests/device/build.sh)
if [[ ! -e $device/base.stamp || $(<"$device/base.stamp") != "$stamp" ]]; then
  make_base
  echo "$stamp" >"$device/base.stamp"
fi
make_top
cat "$device/base.cpio" "$device/top.cpio" >"$device/initramfs.cpio"
