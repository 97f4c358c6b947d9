#!/usr/bin/env bash
# Runs a command on a machine that has nothing: Debian 12 as debootstrap makes it (no ip, nft, curl,
# git, kubectl, Docker, …) with Node.js and npm, and a fresh clone of this repository's HEAD.
#
#   test/bare/machine.sh [command…]     in /root/wherry; default: test/bare/newcomer.sh
#
# Needs root and debootstrap. Mount points, processes and host names are the machine's own; the
# network is this machine's, because set-up fetches over it: run no other Wherry meanwhile.
# Packages come from where this machine's apt and npm get theirs.
set -euo pipefail
repo=$(cd "$(dirname "$0")/../.." && pwd)
command=("${@:-test/bare/newcomer.sh}")
fail() { echo "machine.sh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "run me as root"
[ -x "$(command -v debootstrap)" ] || fail "debootstrap is missing: apt-get install debootstrap"
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Codename: bookworm' | head -1)
[ -n "$mirror" ] || fail "no Debian 12 (bookworm) among this machine's apt sources"

work=$(mktemp -d /var/tmp/wherry-bare-XXXXXX)
root=$work/root
# Mounts vanish with their namespace, so that nothing of this machine hangs below any more.
trap 'rm -rf --one-file-system "$work"' EXIT

echo "== a bare Debian 12 from $mirror"
debootstrap --variant=minbase bookworm "$root" "$mirror" >"$work/log" 2>&1 ||
  { tail "$work/log"; fail "debootstrap failed"; }

# What the installer of Node.js brings.
npm=$(realpath "$(npm root -g)/npm")
install -D "$(realpath "$(command -v node)")" "$root/usr/bin/node"
mkdir -p "$root/usr/lib/node_modules"
cp -r "$npm" "$root/usr/lib/node_modules/npm"
for name in npm npx; do
  ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$root/usr/bin/$name"
done

# How this machine reaches its mirrors.
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt \
  /etc/apt/apt.conf.d/*proxy* /etc/apt/apt.conf.d/*valid* \
  "$(npm config get globalconfig)" "$(npm config get userconfig)"; do
  [ ! -e "$file" ] || install -D --mode=644 "$file" "$root$file"
done

git clone --quiet "$repo" "$root/root/wherry"
git -C "$root/root/wherry" checkout --quiet --detach "$(git -C "$repo" rev-parse HEAD)"

# A real root of its own, not a chroot: runc must be able to pivot away from it.
enter='
  mount --bind "$0" "$0" && cd "$0" && mkdir -p .old
  for kernel in dev sys; do mount --rbind /$kernel $kernel; done
  mount -t proc proc proc && mount -t tmpfs tmpfs run && mount -t tmpfs tmpfs tmp
  hostname bare && pivot_root . .old && umount --lazy /.old && rmdir /.old
  cd /root/wherry && exec "$@"'
echo "== ${command[*]}"
env -i HOME=/root TERM="${TERM:-dumb}" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
  ${NODE_EXTRA_CA_CERTS:+NODE_EXTRA_CA_CERTS="$NODE_EXTRA_CA_CERTS"} \
  unshare --mount --pid --uts --ipc --fork --kill-child \
  bash -euc "$enter" "$root" "${command[@]}"
