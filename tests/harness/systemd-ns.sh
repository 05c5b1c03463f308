#!/bin/sh
# Boots a real systemd as the first process of its own pid, mount, net, uts, ipc and cgroup
# namespaces, with three units and nothing of the host's. Needs root. It stays in the foreground;
# its one child is that systemd, and killing this kills everything within.
#   systemd-ns.sh DIR     DIR/units holds the unit files; DIR/cgroup will name what to remove after
set -eu
dir=$(realpath "$1")
if [ "${2:-}" != inside ]; then
    tree=/sys/fs/cgroup
    [ ! -d "$tree/unified" ] || tree=$tree/unified
    group=$tree/quarterdeck-test-$$
    mkdir "$group"
    echo "$group" >"$dir/cgroup"
    echo $$ >"$group/cgroup.procs"
    exec unshare --pid --fork --kill-child --mount --propagation private --net --uts --ipc --cgroup \
        sh "$(realpath "$0")" "$dir" inside
fi
mount -t proc proc /proc
# What it would write to or start from is ours alone.
mount -t tmpfs -o mode=755 tmpfs /run
mount --bind "$dir/units" /etc/systemd/system
for generators in /usr/lib/systemd/system-generators /lib/systemd/system-generators /etc/systemd/system-generators; do
    [ ! -d "$generators" ] || mount -t tmpfs tmpfs "$generators"
done
tr -d - </proc/sys/kernel/random/uuid >"$dir/machine-id"
[ ! -e /etc/machine-id ] || mount --bind "$dir/machine-id" /etc/machine-id
# Its own /dev, so that it never touches the machine's console.
mkdir -p "$dir/dev"
mount -t tmpfs -o mode=755 tmpfs "$dir/dev"
for node in null zero full random urandom; do
    : >"$dir/dev/$node"
    mount --bind "/dev/$node" "$dir/dev/$node"
done
# For a tunnel of its own.
if [ -e /dev/net/tun ]; then
    mkdir "$dir/dev/net"
    : >"$dir/dev/net/tun"
    mount --bind /dev/net/tun "$dir/dev/net/tun"
fi
mkdir "$dir/dev/shm" "$dir/dev/pts"
ln -s /proc/self/fd "$dir/dev/fd"
mount --move "$dir/dev" /dev
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=quarterdeck.target --log-target=null --show-status=0 </dev/null
