#!/usr/bin/env bash
# Installs the servers that the tests start and this machine lacks: PostgreSQL and Redis,
# and mkfs.xfs for root, who alone can mount the disks of the power-cut rig.
set -euo pipefail
shopt -s nullglob

packages=()
found=(/usr/lib/postgresql/*/bin/initdb)
[ ${#found[@]} -gt 0 ] || command -v initdb >/dev/null || packages+=(postgresql)
command -v redis-server >/dev/null || packages+=(redis-server)
[ "$(id -u)" -ne 0 ] || PATH="$PATH:/usr/sbin:/sbin" command -v mkfs.xfs >/dev/null || packages+=(xfsprogs)
[ ${#packages[@]} -gt 0 ] || exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then root=(sudo -n); fi
if ! command -v apt-get >/dev/null || ! "${root[@]}" true 2>/dev/null; then
	echo "The tests need servers that are missing here. Install these Debian packages, or what" >&2
	echo "another system calls PostgreSQL, Redis (7.0 or newer) and the tools of XFS, then try again:" >&2
	echo "    ${packages[*]}" >&2
	exit 1
fi

# The tests start their own servers: the packages need start none, and keep no cluster.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap '"${root[@]}" rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $policy >/dev/null
	"${root[@]}" chmod 755 $policy
fi
clusters() { printf '%s\n' /etc/postgresql/*/*/; }
before="$(clusters)"

run() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null; }
echo "== engines: installing ${packages[*]}"
run install --no-install-recommends "${packages[@]}" || { run update && run install --no-install-recommends "${packages[@]}"; }

while read -r cluster; do
	name="$(basename "$cluster")" version="$(basename "$(dirname "$cluster")")"
	"${root[@]}" pg_dropcluster "$version" "$name"
done < <(comm -13 <(echo "$before") <(clusters))
