#!/bin/sh
# Two ends of a real tunnel (userspace WireGuard) in network namespaces of their own, with a
# handshake. Needs root. It stays in the foreground; killing it kills everything within.
#   wireguard-ns.sh DIR     writes DIR/ready once both ends have spoken; DIR/near is the pid to enter
set -eu
dir=$(realpath "$1")
if [ "${2:-}" != inside ]; then
    exec unshare --pid --fork --kill-child --mount --propagation private --net sh "$(realpath "$0")" "$dir" inside
fi
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir /run/wireguard
umask 077
for end in near far; do wg genkey | tee "$dir/$end.key" | wg pubkey >"$dir/$end.pub"; done
wg genpsk >"$dir/psk"
ip link set lo up
# The far end: a namespace and a /run of its own, since both interfaces have the same name.
unshare --net --mount --propagation private sh -c 'mount -t tmpfs tmpfs /run; mkdir /run/wireguard; exec wireguard-go -f wg0' >"$dir/far.log" 2>&1 &
far=$!
WG_PROCESS_FOREGROUND=1 wireguard-go -f wg0 >"$dir/near.log" 2>&1 &
enter() { nsenter -t "$far" -m -n "$@"; }
until [ -S /run/wireguard/wg0.sock ] && enter test -S /run/wireguard/wg0.sock; do sleep 0.02; done
ip link add veth0 type veth peer name veth1
ip link set veth1 netns "$far"
ip addr add 10.77.0.1/24 dev veth0
ip link set veth0 up
enter ip addr add 10.77.0.2/24 dev veth1
enter ip link set veth1 up
wg set wg0 private-key "$dir/near.key" listen-port 51999 \
    peer "$(cat "$dir/far.pub")" preshared-key "$dir/psk" allowed-ips 10.78.0.2/32 \
    peer "$(wg genkey | wg pubkey)" allowed-ips 10.78.0.3/32
enter wg set wg0 private-key "$dir/far.key" \
    peer "$(cat "$dir/near.pub")" preshared-key "$dir/psk" endpoint 10.77.0.1:51999 \
    allowed-ips 10.78.0.0/24 persistent-keepalive 1
ip addr add 10.78.0.1/24 dev wg0
ip link set wg0 up
enter ip addr add 10.78.0.2/24 dev wg0
enter ip link set wg0 up
until wg show wg0 latest-handshakes | grep -qv '	0$'; do sleep 0.02; done
: >"$dir/ready"
wait
