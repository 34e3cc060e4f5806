#!/bin/sh
# certificates.sh FOLDER NAME...   certificates for the fleet's servers and doors: NAME.pem and NAME.key for each host NAME.
#
# FOLDER/ca.pem, which everybody trusts, and ca.key, which signs the others and belongs on no server, are made once and
# then kept; so is what a host has already. They hold for ten years and for 825 days. NAME is a host name or an IPv4
# address; a host name alone also stands for NAME.local.
set -eu
umask 077

make() { # FILE COMMON_NAME DAYS MORE...
    file=$1 name=$2 days=$3
    shift 3
    [ -e "$file.pem" ] && return
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=$name" -days "$days" \
        -keyout "$file.key" -out "$file.part" "$@" 2>/dev/null
    mv "$file.part" "$file.pem"
    chmod 644 "$file.pem"
}

[ $# -ge 2 ] || { sed -n '2s/^# /usage: /p' "$0" >&2; exit 2; }
folder=$1
shift
mkdir -p "$folder"
make "$folder/ca" "maskgate fleet" 3650 -addext keyUsage=critical,keyCertSign
for name in "$@"; do
    case $name in
        *[!A-Za-z0-9.-]* | -* | .* | "") echo "$name: no host name, and no IPv4 address" >&2; exit 2 ;;
        *[!0-9.]*) names=DNS:$name ;;
        *) names=IP:$name ;;
    esac
    case $names in
        DNS:*.*) ;;
        DNS:*) names=$names,DNS:$name.local ;;
    esac
    make "$folder/$name" "$name" 825 -CA "$folder/ca.pem" -CAkey "$folder/ca.key" \
        -addext "subjectAltName=$names" -addext basicConstraints=critical,CA:FALSE
done
