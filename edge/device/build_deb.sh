#!/bin/bash
# Build the Debian package for arm64, build/deb/maskgate_VERSION_arm64.deb: the daemon in an environment of its own under
# /opt/maskgate, which serves Python 3.11 (Debian 12) and 3.13 (Debian 13).
# Usage: edge/device/build_deb.sh          needs no root and no emulation: wheels are unpacked, nothing is compiled
#        edge/device/build_deb.sh pin      choose the newest libraries anew: writes requirements-*.txt; needs uv
# Environment: PYTHON (of the workstation, with pip; default python3).
set -euo pipefail
shopt -s nullglob
cd "$(dirname "$0")/../.."
export PATH="$PATH:/usr/sbin:/sbin"

python=${PYTHON:-python3}
here=edge/device
build=$PWD/build/deb
source=$build/source
tree=$source/tree/opt/maskgate
pythons=(3.11 3.13)
# what LiteRT wants for converting and for other runtimes, but does not import to run a network
unused=(backports-strenum flatbuffers ml-dtypes protobuf tqdm)

die() {
  echo "error: $*" >&2
  exit 1
}

check_tools() {
  local tool missing=()
  declare -A package=([dh]=debhelper [dpkg-buildpackage]=dpkg-dev)
  for tool in "${!package[@]}"; do
    command -v "$tool" >/dev/null || missing+=("${package[$tool]}")
  done
  [[ ${#missing[@]} == 0 ]] ||
    die "missing: ${missing[*]}; apt-get install --no-install-recommends ${missing[*]}"
  "$python" -m pip --version >/dev/null 2>&1 || die "missing: pip of $python; apt-get install python3-pip, or set PYTHON"
}

# pip_arm64 PYTHON COMMAND ARGUMENT... - pip for a device's Python; it takes tags literally, so glibc versions are named
pip_arm64() {
  local glibc tags=(--python-version "$1" --implementation cp --platform manylinux2014_aarch64)
  for glibc in 17 24 26 27 28 31 34; do
    tags+=(--platform "manylinux_2_${glibc}_aarch64")
  done
  "$python" -m pip "$2" --quiet --disable-pip-version-check --no-deps --only-binary=:all: "${tags[@]}" "${@:3}"
}

# download PYTHON - the wheels that requirements-PYTHON.txt names, into build/deb/wheels-PYTHON
download() {
  rm -rf "$build/wheels-$1"
  pip_arm64 "$1" download --require-hashes --dest "$build/wheels-$1" --requirement "$here/requirements-$1.txt" ||
    die "the libraries cannot be had as $here/requirements-$1.txt pins them"
}

# our package as users get it; from a copy, as setuptools leaves things in its folder and takes them up the next time
make_wheel() {
  rm -rf "$build/copy" "$build/dist"
  mkdir -p "$build/copy"
  cp -r edge pyproject.toml README.md LICENSE NOTICE "$build/copy"
  "$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$build/dist" "$build/copy"
  rm -rf "$build/copy"
}

# install_wheels PYTHON TARGET WHEEL... - without byte code, which would be that of the workstation's Python
install_wheels() {
  pip_arm64 "$1" install --no-compile --no-index --ignore-requires-python --root-user-action=ignore --target "$2" "${@:3}"
}

# what `python3 -m venv /opt/maskgate` and pip would have left; a wheel that serves both Pythons is there once
lay_out() {
  local version site common
  common=$(comm -12 <(ls "$build/wheels-3.11") <(ls "$build/wheels-3.13"))
  (cd "$build/wheels-3.11" && xargs mv --target-directory "$build/dist") <<<"$common"
  (cd "$build/wheels-3.13" && xargs rm) <<<"$common"
  install_wheels 3.11 "$tree/lib/shared" "$build"/dist/*.whl
  for version in "${pythons[@]}"; do
    site=$tree/lib/python$version/site-packages
    install_wheels "$version" "$site" "$build/wheels-$version"/*.whl
    echo ../../shared >"$site/shared.pth"
  done
  install -D --mode 755 $here/debian/launcher "$tree/bin/maskgate"
  install --mode 644 $here/debian/pyvenv.cfg "$tree/pyvenv.cfg"
}

# what a device never opens: tests, types, headers, numpy's tools for building, OpenCV's cascades, LiteRT for graphics
# cards and its converters; and what pip notes about this workstation
slim() {
  local site lib=$tree/lib
  rm -r "$lib"/shared/bin "$lib"/shared/cv2/data/*.xml
  for site in "$lib"/python*/site-packages; do
    rm -rf "${site:?}"/{bin,numpy/distutils,numpy/f2py,numpy/random/_examples}
    rm -r "$site"/ai_edge_litert/{libLiteRtWebGpuAccelerator.so,aot,tools,schema_py_generated.py,*_pb2.py}
  done
  find "$lib" -path '*/tests/*' -type f ! -name '_*' -delete
  find "$lib" -path '*/numpy/*' \( -name '*.h' -o -name '*.a' -o -name setup.py \) -delete
  find "$lib" \( -name '*.pyi' -o -path '*.dist-info/RECORD' -o -path '*.dist-info/direct_url.json' \) -delete
  find "$lib" -type d -empty -delete
}

write_changelog() {
  local moment
  moment=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
  cat <<CHANGELOG
maskgate ($version) unstable; urgency=medium

  * Version $version; the README of the project tells what it does.

 -- $(sed -n 's/^Maintainer: //p' $here/debian/control)  $(date --rfc-email --date="@$moment")
CHANGELOG
}

make_package() {
  cp -r $here/debian "$source"
  cp $here/{door.toml,60-maskgate-gpio.rules} "$source"
  cp $here/maskgate.sysusers.conf "$source/debian/maskgate.sysusers"
  install -D --mode 644 --target-directory "$source/units" $here/maskgate*.{service,timer}
  write_changelog >"$source/debian/changelog"
  (cd "$source" && dpkg-buildpackage --host-arch arm64 --build=binary --no-sign --no-check-builddeps) \
    >"$build/log" 2>&1 || die "dpkg-buildpackage failed: $(tail -1 "$build/log"); see build/deb/log"
}

# each library's version and the hash of the one wheel that a device takes
pin() {
  local version leave_out
  command -v uv >/dev/null || die "missing: uv; $python -m pip install uv"
  leave_out=$(printf -- ' --no-emit-package %s' "${unused[@]}")
  for version in "${pythons[@]}"; do
    rm -rf "$build/wheels-$version"
    # shellcheck disable=SC2086  # several words
    uv pip compile pyproject.toml --extra web --extra fleet --constraints $here/constraints.txt --python-version "$version" --no-annotate \
      --python-platform aarch64-manylinux_2_31 --only-binary :all: --no-header --no-emit-index-url $leave_out --quiet \
      >"$build/requirements.txt"
    pip_arm64 "$version" download --dest "$build/wheels-$version" --requirement "$build/requirements.txt"
    {
      echo "# made by edge/device/build_deb.sh pin, from pyproject.toml and constraints.txt"
      (cd "$build/wheels-$version" && sha256sum ./*.whl) |
        sed -E 's|^([0-9a-f]+)  \./([^-]+)-([^-]+)-.*|\2==\3 --hash=sha256:\1|'
    } >"$here/requirements-$version.txt"
  done
}

mkdir -p "$build"
if [[ ${1:-} == pin ]]; then
  pin
  exit
fi
check_tools
version=$("$python" -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["project"]["version"])')
rm -rf "$source" "$build"/*.deb
for each in "${pythons[@]}"; do
  download "$each"
done
make_wheel
lay_out
slim
make_package
rm -rf "$source"
echo "build/deb/maskgate_${version}_arm64.deb"
