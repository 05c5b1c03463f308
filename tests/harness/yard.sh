# Functions for a shell within the yard, whose directory is $D: what breaks its components, and what
# puts all of them back.

# break_unit NAME LINE: a line more in the [Service] of its unit file.
break_unit() {
    mkdir -p "/etc/systemd/system/$1.service.d"
    printf '[Service]\n%s\n' "$2" >"/etc/systemd/system/$1.service.d/fault.conf"
    systemctl daemon-reload
}

# mask_unit NAME: as an administrator masks it, over the file that is there.
mask_unit() {
    mount --bind /dev/null "/etc/systemd/system/$1.service"
    systemctl daemon-reload
}

# stand_in NAME SCRIPT: a program before the real one, for the stack's host. The script has its
# arguments and $real.
stand_in() {
    {
        printf '#!/bin/sh\nreal=%s\n' "$(command -v "$1")"
        printf '%s\nexec "$real" "$@"\n' "$2"
    } >"$D/tools/$1"
    chmod 755 "$D/tools/$1"
}

# read_only DIR, full DIR: a directory that takes nothing any more, with what is in it.
read_only() {
    mount --bind "$1" "$1"
    mount -o remount,ro,bind "$1"
}

full() {
    mkdir -p "$D/run/copy"
    cp -a "$1/." "$D/run/copy"
    mount -t tmpfs -o size=64k tmpfs "$1"
    cp -a "$D/run/copy/." "$1"
    rm -r "$D/run/copy"
    dd if=/dev/zero of="$1/filler" 2>/dev/null || true
}

# status URL: of an answer; 000 where there is none.
status() {
    curl -s -m 2 -o /dev/null -w '%{http_code}' "$1" || true
}

# until_so COMMAND...: waits, bounded.
until_so() {
    n=0
    until "$@"; do
        n=$((n + 1))
        [ "$n" -lt 300 ] || { echo "waited in vain for: $*" >&2; exit 1; }
        sleep 0.05
    done
}

answers() {
    [ "$(status "$1")" = "$2" ]
}

unmount() {
    for at in "$D/keys" "$D/kept" "$D/sites"; do
        while umount "$at" 2>/dev/null; do :; done
    done
}

# Takes the faults away, and leaves what was done.
calm() {
    unmount
    rm -f "$D"/tools/* "$D/sites/broken"
    for name in redis postgres wg app edge; do
        systemctl kill -s CONT "$name" 2>/dev/null || true
    done
    broken=
    for drop in /etc/systemd/system/*.service.d; do
        [ -d "$drop" ] || continue
        name=${drop##*/}
        name=${name%.d}
        systemctl kill -s KILL "$name" 2>/dev/null || true
        rm -r "$drop"
        broken="$broken $name"
    done
    if [ -n "$broken" ]; then systemctl daemon-reload; fi
    cp "$D/pristine/edge.conf" "$D/edge.conf"
    systemctl reset-failed
    # shellcheck disable=SC2086
    [ -z "$broken" ] || systemctl restart $broken
    systemctl start redis postgres wg app edge
    until_so pg_isready -q -h 127.0.0.1
    until_so answers http://127.0.0.1:8000/health 200
}

# Everything as it was when the yard was opened.
mend() {
    unmount
    rm -f "$D"/sites/* "$D"/kept/*
    cp "$D/pristine/app" "$D/sites/app"
    calm
    nft flush ruleset
    redis-cli FLUSHALL >/dev/null
    systemctl reload-or-restart edge
    until_so answers http://127.0.0.1/health 200
}

# outsider: another machine at 10.77.0.2, for which this one is 10.77.0.1.
outsider() {
    ip netns add outside
    ip link add eth0 type veth peer name eth0 netns outside
    ip addr add 10.77.0.1/24 dev eth0
    ip link set eth0 up
    ip -n outside addr add 10.77.0.2/24 dev eth0
    ip -n outside link set eth0 up
    until_so ping_from_outside
}

ping_from_outside() {
    [ "$(from_outside 80/health)" = 200 ]
}

# from_outside PORT/PATH: the status that it gets; 000 where it gets none.
from_outside() {
    ip netns exec outside curl -s -m 1 -o /dev/null -w '%{http_code}' "http://10.77.0.1:$1" || true
}

# with_key FILE: the status that the application gives to who has this key.
with_key() {
    curl -s -m 2 -o /dev/null -w '%{http_code}' -H "X-Key: $(cat "$1")" http://127.0.0.1:8000/admin || true
}

# blocked: the IPv4 addresses that our table drops, a line each.
blocked() {
    nft list set inet quarterdeck blocked4 | grep -oE '[0-9]+(\.[0-9]+){3}'
}

# rules: what the packet filter holds, without what changes by itself.
rules() {
    nft list ruleset | sed -E 's/packets [0-9]+ bytes [0-9]+//g; s/expires [0-9a-z]+//g'
}
