//! Wrong health checks and attributes, with the exact message of each.

/// The example with one change, and the messages; `~` stands for `xelb.yaml`.
const CHANGED: &[(&str, &str, &str)] = &[
    (
        "protocol: http",
        "protocol: tcp",
        "~:12:13: target_groups[0].health_check.path: belongs to checks of `http` or `https`; this one is tcp\n\
             ~:18:16: target_groups[0].health_check.matcher: belongs to checks of `http`, `https` or `grpc`; this one is tcp",
    ),
    (
        "protocol: http",
        "protocol: smtp",
        "~:11:17: target_groups[0].health_check.protocol: `smtp` is not a health check: tcp, http, https, grpc, udp, icmp or exec",
    ),
    (
        "path: /healthz",
        "path: healthz",
        "~:12:13: target_groups[0].health_check.path: `healthz` is not a path: it begins with `/`, has no blanks and no `#`, at most 1024 characters, such as `/healthz`",
    ),
    (
        "path: /healthz",
        "path: \"/a b\"",
        "~:12:13: target_groups[0].health_check.path: `/a b` is not a path: it begins with `/`, has no blanks and no `#`, at most 1024 characters, such as `/healthz`",
    ),
    (
        "port: traffic-port",
        "port: traffic",
        "~:13:13: target_groups[0].health_check.port: `traffic` is not `traffic-port` or a port from 1 to 65535, such as 8080",
    ),
    (
        "interval: 5s",
        "interval: 5",
        "~:14:17: target_groups[0].health_check.interval: 5 is not a duration from 100ms to 300s, such as `300ms`, `5s` or `2m`; did you mean `5s`?",
    ),
    (
        "interval: 5s",
        "interval: 5 s",
        "~:14:17: target_groups[0].health_check.interval: `5 s` is not a duration from 100ms to 300s, such as `300ms`, `5s` or `2m`; did you mean `5s`?",
    ),
    (
        "interval: 5s",
        "interval: 1ms",
        "~:14:17: target_groups[0].health_check.interval: `1ms` is not a duration from 100ms to 300s, such as `300ms`, `5s` or `2m`",
    ),
    (
        "interval: 5s",
        "interval: 1500ms",
        "~:15:16: target_groups[0].health_check.timeout: 2s is longer than the interval, 1500ms",
    ),
    (
        "interval: 5s",
        "interval: 18446744073709551615m",
        "~:14:17: target_groups[0].health_check.interval: `18446744073709551615m` is not a duration from 100ms to 300s, such as `300ms`, `5s` or `2m`",
    ),
    (
        "interval: 5s",
        "interval: soon\n      timout: 1s",
        "~:14:17: target_groups[0].health_check.interval: `soon` is not a duration from 100ms to 300s, such as `300ms`, `5s` or `2m`\n\
             ~:15:7: target_groups[0].health_check.timout: unknown key; did you mean `timeout`?",
    ),
    (
        "timeout: 2s",
        "timeout: 10s",
        "~:15:16: target_groups[0].health_check.timeout: 10s is longer than the interval, 5s",
    ),
    (
        "healthy_threshold: 3\n",
        "healthy_threshold: 0\n",
        "~:16:26: target_groups[0].health_check.healthy_threshold: 0 is not a whole number from 1 to 10",
    ),
    (
        "unhealthy_threshold: 2",
        "unhealthy_threshold: 11",
        "~:17:28: target_groups[0].health_check.unhealthy_threshold: 11 is not a whole number from 1 to 10",
    ),
    (
        "unhealthy_threshold: 2",
        "inconclusive_timeout: 25h",
        "~:17:29: target_groups[0].health_check.inconclusive_timeout: `25h` is not a duration from 0s to 86400s, such as `300ms`, `5s` or `2m`",
    ),
    (
        "matcher: \"200-399\"",
        "matcher: \"399-200\"",
        "~:18:16: target_groups[0].health_check.matcher: `399-200` is not a matcher such as 200, \"200-399\" or \"200,204\", with codes from 100 to 599",
    ),
    (
        "matcher: \"200-399\"",
        "matcher: [200]",
        "~:18:16: target_groups[0].health_check.matcher: must be a matcher such as 200, \"200-399\" or \"200,204\", with codes from 100 to 599, not a list",
    ),
    (
        "interval: 5s",
        "via: vip",
        "~:14:12: target_groups[0].health_check.via: `vip` is not a value of `via`: address or \
         tunnel",
    ),
    (
        "deregistration_delay: 300s",
        "deregistration_delay: 2h",
        "~:20:29: target_groups[0].attributes.deregistration_delay: `2h` is not a duration of whole seconds from 0s to 3600s, such as `90s` or `2m`",
    ),
    (
        "stickiness: none",
        "stickiness: cookie",
        "~:22:19: target_groups[0].attributes.stickiness: `cookie` is not a stickiness: none or source_ip",
    ),
    (
        "stickiness: none",
        "sticky: none",
        "~:22:7: target_groups[0].attributes.sticky: unknown key; known are `gue_port`, `gue_variant`, `tcp_mss`, `deregistration_delay`, `slow_start`, `stickiness`, `connection_termination`, `unhealthy_draining_interval`, `minimum_healthy_targets`, `backup_threshold`, `quorum`",
    ),
];

#[test]
fn each_change_of_the_example() {
    super::check_changes(super::EXAMPLE, CHANGED);
}
