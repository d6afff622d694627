#!/bin/sh
# Builds the WireGuard module that Debian's user-mode kernel comes without, from the source of the very same kernel, where
# wireguard-kernel.test.ts looks for it. Takes some 140 MB of download, 1 GB of disk for the while, and a minute.
set -eu
packages='user-mode-linux gcc make flex bison bc libelf-dev xz-utils'
dpkg -s $packages >/dev/null 2>&1 || apt-get install -qq -y --no-install-recommends $packages
release=$(ls /usr/lib/uml/modules)
into=$(cd "$(dirname "$0")/../.." && pwd)/node_modules/.cache/poplin-wireguard/$release
package=linux-source-${release%.*}
version=$(apt-cache madison "$package" | awk -F' *[|] *' -v r="$release" 'index($2, r "-") == 1 { print $2; exit }')
[ -n "$version" ] || { echo "no $package of $release in the archives" >&2; exit 1; }
work=$(mktemp -d /var/tmp/poplin-wireguard-XXXXXX)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download "$package=$version"
dpkg-deb --fsys-tarfile "$package"_*.deb | tar x --to-stdout "./usr/src/$package.tar.xz" | tar xJ --strip-components 1
linux.uml --showconfig >.config
sed -i -e '/CONFIG_WIREGUARD/d' -e '/CONFIG_LOCALVERSION_AUTO/d' .config
echo CONFIG_WIREGUARD=m >>.config
make -s ARCH=um olddefconfig modules_prepare
for part in lib/crypto drivers/net/wireguard; do
  # The kernel was not built here: what it exports is found when the module is loaded.
  make -s ARCH=um M=$part KBUILD_MODPOST_WARN=1 modules
done
mkdir -p "$into"
for module in libchacha libpoly1305 libchacha20poly1305 libcurve25519-generic; do cp "lib/crypto/$module.ko" "$into"; done
cp drivers/net/wireguard/wireguard.ko "$into"
echo "built for $release: $into"
