#!/bin/sh
# What an operator does with the package under systemd, on a host that was just booted; run inside
# of a container by `cargo xtask test package`. The package is installed; nothing is enabled.
set -eu

say() { echo "systemd.sh: $*"; }
fail() {
    say "FAILED: $*"
    journalctl --no-pager --boot --unit 'xelb-*' || true
    exit 1
}
property() { systemctl show --property "$2" --value "$1"; }
# Tries a command for ten seconds.
until_true() {
    for _ in $(seq 100); do
        if eval "$1"; then return 0; fi
        sleep 0.1
    done
    fail "ten seconds in vain: $1"
}
expect_status() { until_true "property xelb-agent StatusText | grep -q '$1'"; }

[ "$(systemctl is-enabled xelb-agent || true)" = disabled ] || fail "the agent is enabled"
[ "$(systemctl is-active xelb-agent || true)" = inactive ] || fail "the agent runs"

grep -q "sys.fs.bpf bpf" /proc/mounts || fail "no bpffs"

# Two ends of a cable: clients' packets arrive at eth0, as in the example.
ip link add eth0 type veth peer name peer
ip link set eth0 up
ip link set peer up
ip address add 10.0.1.1/24 dev eth0
ip neighbour add 10.0.1.11 lladdr 02:00:00:00:00:11 dev eth0
ip neighbour add 10.0.1.12 lladdr 02:00:00:00:00:12 dev eth0

say "enable and start"
systemctl enable --quiet --now xelb-agent || fail "it does not start"
expect_status 'listeners: 1, target groups: 1, targets: 2'
xelb get listeners | grep -q '203.0.113.10' || fail "no listener"
ip link show eth0 | grep -q xdp || fail "no program at eth0"
[ "$(stat -c '%a %U' /run/xelb)" = "750 root" ] || fail "mode of /run/xelb"
[ "$(stat -c '%a %U' /var/lib/xelb)" = "700 root" ] || fail "mode of /var/lib/xelb"
pid=$(property xelb-agent MainPID)
# Bits 5 (CAP_KILL), 6 (CAP_SETGID), 7 (CAP_SETUID), 12 (CAP_NET_ADMIN), 13 (CAP_NET_RAW),
# 38 (CAP_PERFMON), 39 (CAP_BPF), and no others.
grep -q '^CapEff:\s0*c0000030e0$' "/proc/$pid/status" || fail "$(grep Cap "/proc/$pid/status")"
grep -q '^NoNewPrivs:\s1$' "/proc/$pid/status" || fail "new privileges"
grep -q '^Seccomp:\s2$' "/proc/$pid/status" || fail "no filter of system calls"

say "checks of every kind can be made"
mkdir -p /etc/xelb/checks
cat > /etc/xelb/checks/program <<'END'
#!/bin/sh
# A program runs; it sees neither /home nor a file system that it can write to.
touch /etc/xelb/written 2>/dev/null && exit 1
exit 0
END
chmod 755 /etc/xelb/checks/program
cat > /etc/xelb/xelb.yaml.new <<'END'
interfaces: [eth0]
target_groups:
  - { name: ping, protocol: tcp, port: 80, forwarding: l2dsr, targets: [{ address: 10.0.1.1 }],
      health_check: { protocol: icmp, interval: 1s } }
  - { name: program, protocol: tcp, port: 81, forwarding: l2dsr, targets: [{ address: 10.0.1.12 }],
      health_check: { protocol: exec, command: [/etc/xelb/checks/program], interval: 1s } }
  - { name: tunnel, protocol: tcp, port: 82, forwarding: l2dsr, targets: [{ address: 10.0.1.12 }],
      health_check: { protocol: tcp, via: tunnel, interval: 1s, timeout: 500ms } }
listeners:
  - { name: ping, address: 203.0.113.10, port: 80, protocol: tcp,
      default_action: { forward: { target_group: ping } } }
  - { name: program, address: 203.0.113.10, port: 81, protocol: tcp,
      default_action: { forward: { target_group: program } } }
  - { name: tunnel, address: 203.0.113.10, port: 82, protocol: tcp,
      default_action: { forward: { target_group: tunnel } } }
END
mv /etc/xelb/xelb.yaml.new /etc/xelb/xelb.yaml
systemctl reload xelb-agent
# An own address of the host answers pings; packets cannot be sent to it.
expect_status 'targets: 3, healthy: 1'
until_true "journalctl --quiet --unit xelb-agent --output cat | grep -q 'ping/10.0.1.1:80 state=.healthy'"
# Nobody answers behind the tunnel; that the probe itself can be made is what counts.
until_true "xelb get targets | grep '^tunnel' | grep -q unhealthy"
xelb status -o json | grep -q '"probes_inconclusive": *0' || fail "$(xelb status)"

say "the journal knows how bad a line is"
printf 'interfaces: eth0\n' > /etc/xelb/xelb.yaml.new
cp -p /etc/xelb/xelb.yaml /root/good.yaml
mv /etc/xelb/xelb.yaml.new /etc/xelb/xelb.yaml
expect_status 'the last change failed'
errors="journalctl --quiet --unit xelb-agent --priority err --output cat"
until_true "$errors | grep -q '^/etc/xelb/xelb.yaml:1:13: interfaces'"
$errors | grep -q 'health of a target' && fail "news are errors"
mv /root/good.yaml /etc/xelb/xelb.yaml
# The same as before: what was refused does not matter any more.
expect_status 'targets: 3, healthy: 1, failing open: 1$'

say "a hung agent is started again, and the data path stays"
mkdir -p /run/systemd/system/xelb-agent.service.d
printf '[Service]\nWatchdogSec=2\nLimitCORE=0\n' > /run/systemd/system/xelb-agent.service.d/test.conf
systemctl daemon-reload
systemctl restart xelb-agent
expect_status 'healthy: 1'
pid=$(property xelb-agent MainPID)
kill -STOP "$pid"
until_true "[ \"\$(property xelb-agent NRestarts)\" = 1 ]"
[ "$(property xelb-agent MainPID)" != "$pid" ] || fail "the same process"
expect_status 'healthy: 1'
xelb status | grep -q 'taken over' || fail "$(xelb status)"

say "stop"
systemctl stop xelb-agent
[ "$(property xelb-agent Result)" = success ] || fail "$(property xelb-agent Result)"
ip link show eth0 | grep -q xdp || fail "the data path has gone with the agent"
systemctl start xelb-agent

say "without a file, and without CAP_NET_RAW"
mkdir -p /etc/systemd/system/xelb-agent.service.d
cat > /etc/systemd/system/xelb-agent.service.d/override.conf <<'END'
[Service]
CapabilityBoundingSet=
CapabilityBoundingSet=CAP_BPF CAP_PERFMON CAP_NET_ADMIN
END
systemctl daemon-reload
cp /etc/default/xelb /root/options
sed -i 's#^XELB_AGENT_OPTIONS=.*#XELB_AGENT_OPTIONS="--state-dir /var/lib/xelb"#' /etc/default/xelb
systemctl restart xelb-agent
expect_status 'no configuration yet'
grep -q '^CapEff:\s0*c000001000$' "/proc/$(property xelb-agent MainPID)/status" ||
    fail "CAP_NET_RAW is there"
xelb apply -f /etc/xelb/xelb.yaml
expect_status 'listeners: 3'
systemctl restart xelb-agent
expect_status 'listeners: 3'
cp /root/options /etc/default/xelb
rm -r /etc/systemd/system/xelb-agent.service.d
systemctl daemon-reload
systemctl restart xelb-agent

say "a decapsulator"
systemctl start xelb-decap@peer || fail "it does not start"
ip link show peer | grep -q xdp || fail "no program at peer"
grep -q '^CapEff:\s0*c000001000$' "/proc/$(property xelb-decap@peer MainPID)/status" ||
    fail "capabilities of the decapsulator"

say "a driver of template units keeps the rules"
cat > /etc/systemd/system/app@.service <<'END'
[Service]
EnvironmentFile=/var/lib/xelb/members/%i.env
ExecStart=/bin/sleep 1000
END
systemctl daemon-reload
cat > /root/driver.yaml <<'END'
systemd: { unit: app@.service, addresses: [127.0.0.1], ports: [9000, 9009] }
END
xelb driver check --driver /root/driver.yaml --poll-interval 100ms > /root/check 2>&1 ||
    fail "$(cat /root/check)"
grep -q '^13 passed, 2 not examined$' /root/check || fail "$(cat /root/check)"
[ -z "$(systemctl list-units --all --plain --no-legend 'app@*')" ] || fail "members are left"
rm -r /etc/systemd/system/app@.service /root/driver.yaml /root/check /var/lib/xelb/members
systemctl daemon-reload

say "upgrade: the agent is a new one, the decapsulator is not"
pid=$(property xelb-agent MainPID)
decap=$(property xelb-decap@peer MainPID)
dpkg --install /lab/xelb.deb > /dev/null
[ "$(property xelb-agent MainPID)" != "$pid" ] || fail "the agent is the old one"
[ "$(property xelb-decap@peer MainPID)" = "$decap" ] || fail "the decapsulator was restarted"
[ "$(systemctl is-active xelb-agent)" = active ] || fail "no agent after the upgrade"
grep -q 'name: tunnel' /etc/xelb/xelb.yaml || fail "the configuration was replaced"

say "removal"
dpkg --remove xelb > /dev/null
ip link show eth0 | grep -q xdp && fail "the data path is left"
ip link show peer | grep -q xdp && fail "the decapsulator is left"
grep -sqx xelb /proc/[0-9]*/comm && fail "a process is left"
rm -r /etc/xelb/checks
dpkg --purge xelb > /dev/null
[ ! -e /var/lib/xelb ] && [ ! -e /etc/xelb ] && [ ! -e /etc/default/xelb ] || fail "files are left"
[ ! -e /etc/systemd/system/multi-user.target.wants/xelb-agent.service ] || fail "a link is left"
say "all is well"
