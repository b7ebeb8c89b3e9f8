#!/bin/sh
# Walks through docs/operations.md on a host that was just booted, and has nothing of xelb: every block
# of commands of the page, in its order, with the exit codes and the output that the page shows. Run
# inside of a container by `cargo xtask test package`, which makes /lab/walk from the page.
#
# Stand-ins: a target and a client are network namespaces behind a bridge, so that their commands see
# the same files as the balancer's; `editor` writes what the page shows.
set -eu

say() { echo "walk.sh: $*"; }
fail() {
    say "FAILED: $*"
    journalctl --no-pager --boot --unit 'xelb-*' --unit prometheus --lines 60 || true
    exit 1
}

say "a network: the balancer, a target with two addresses and a client at one switch"
for name in switch target client; do ip netns add "$name"; done
ip -n switch link add bridge type bridge
ip -n switch link set bridge up
plug() {
    ip link add "$1-end" type veth peer name "$1-port"
    ip link set "$1-port" netns switch
    ip -n switch link set "$1-port" mtu 1540 master bridge up
}
plug balancer
plug target
plug client
ip link set balancer-end name eth0
ip link set eth0 up
ip address add 10.0.1.1/24 dev eth0
for name in target client; do
    ip link set "$name-end" netns "$name"
    ip -n "$name" link set "$name-end" name eth0
    ip -n "$name" link set eth0 up
    ip -n "$name" link set lo up
    ip -n "$name" route add default via 10.0.1.1 dev eth0 onlink
done
ip -n target address add 10.0.1.11/24 dev eth0
ip -n target address add 10.0.1.12/24 dev eth0
ip -n target address add 10.0.1.13/24 dev eth0
# What a network card would do before a packet is on the wire: XDP does not know that it is left to do.
nsenter --net=/run/netns/client ethtool -K eth0 tx off > /dev/null
ip -n client address add 10.0.1.50/24 dev eth0
# What XDP sends back on a veth pair is delivered at once only when the other end has a program, too
# (tests/harness/xdp_pass.rs). A decapsulator is one that passes what is for other hosts.
dpkg-deb --extract /root/xelb_0.1.0_amd64.deb /lab/tools
nsenter --net=/run/netns/switch /lab/tools/usr/bin/xelb decap --interface balancer-port \
    --allow 192.0.2.0/24 > /lab/port.log 2>&1 &
# Decapsulators run on targets, not on the balancer.
mkdir -p /etc/systemd/system/xelb-decap@.service.d
printf '[Service]\nNetworkNamespacePath=/run/netns/target\n' \
    > /etc/systemd/system/xelb-decap@.service.d/lab.conf
# As on any host that was installed: Prometheus asks for its own name.
echo "127.0.0.1 localhost $(cat /proc/sys/kernel/hostname)" >> /etc/hosts
# Prometheus has a host of its own.
mkdir -p /etc/systemd/system/prometheus.service.d
printf '[Service]\nNetworkNamespacePath=/run/netns/client\n' \
    > /etc/systemd/system/prometheus.service.d/lab.conf
# A web server on the target, in what a clean Debian has.
cat > /lab/web.pl <<'END'
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => 80, Listen => 64, ReuseAddr => 1) or die $@;
while (my $client = $server->accept) {
    while (my $line = <$client>) { last if $line =~ /^\r?$/; }
    print $client "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n";
    close $client;
}
END
nsenter --net=/run/netns/target perl /lab/web.pl > /lab/web.log 2>&1 &

export PATH="/lab/stand-ins:$PATH" HOME=/root
cd /root

# One block, once; its output and its exit code.
attempt() {
    shell="bash --noprofile --norc -e -o pipefail /lab/walk/$number"
    [ "$on" = balancer ] || shell="nsenter --net=/run/netns/$on $shell"
    code=0
    $shell < /dev/null > /lab/walk/output 2>&1 || code=$?
    [ "$code" = "$exit" ] || return 1
    [ ! -f "/lab/walk/$number.prints" ] ||
        grep -P -z -q -f "/lab/walk/$number.prints" /lab/walk/output
}

blocks=0
while read -r kind number rest; do
    if [ "$kind" = file ]; then
        mkdir -p "/lab/editor$(dirname "$rest")"
        cp "/lab/walk/$number" "/lab/editor$rest"
        continue
    fi
    read -r line on exit again <<END
$rest
END
    blocks=$((blocks + 1))
    tries=0
    until attempt; do
        tries=$((tries + 1))
        if [ "$again" = once ] || [ "$tries" -ge 50 ]; then
            cat "/lab/walk/$number"
            say "exit code $code; it should be $exit, with the output that the page shows; it prints"
            cat /lab/walk/output
            fail "docs/operations.md, line $line"
        fi
        sleep 0.2
    done
done < /lab/walk/plan
left=$(find /lab/editor -type f)
[ -z "$left" ] || fail "no editor was started for $left"
say "$blocks blocks of commands"
say "all is well"
