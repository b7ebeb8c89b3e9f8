//! PURE: the limits of rules. Sizes are bytes. Where a limit is higher than ALB's, its comment says
//! so.
//!
//! ALB's figures are those of its API (`elbv2` 2015-12-01) and of its page of quotas.

use std::{ops::RangeInclusive, time::Duration};

/// Priorities of rules: the lowest number is tried first.
pub const PRIORITIES: RangeInclusive<u32> = 1..=50_000;
/// Rules of one listener. Higher than ALB's: 100 for all listeners of a load balancer.
pub const RULES_MAX: usize = 50_000;
/// Values in all conditions of one rule. Higher than ALB's: 5.
pub const CONDITION_VALUES_MAX: usize = 100;
/// `*` and `?` in all conditions of one rule. Higher than ALB's: 5 or 6, by the age of its page.
pub const WILDCARDS_MAX: usize = 100;
/// A host, path, header or query value, or key of a query. Higher than ALB's: 128.
pub const VALUE_MAX: usize = 256;
/// A regular expression of a condition. Higher than ALB's: 128.
pub const CONDITION_REGEX_MAX: usize = 256;
/// Name of a header. Higher than ALB's: 40.
pub const HEADER_NAME_MAX: usize = 64;
/// A method, as ALB.
pub const METHOD_MAX: usize = 40;
/// A regular expression or a replacement of a transform, as ALB.
pub const TRANSFORM_MAX: usize = 1024;
/// What a compiled regular expression may take in memory. ALB names no figure.
pub const REGEX_MEMORY_MAX: usize = 256 * 1024;
/// Target groups of one action, as ALB.
pub const TARGET_GROUPS_MAX: usize = 5;
/// Weights of target groups, as ALB. 0 gets no new request.
pub const WEIGHTS: RangeInclusive<u32> = 0..=999;
/// How long stickiness may last, as ALB: 1 second to 7 days.
pub const STICKINESS: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(7 * 24);
/// How long a slow start may last, as ALB; 0 turns it off.
pub const SLOW_START: RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_mins(15);
/// Host, path or query of a redirect. Higher than ALB's: 128.
pub const REDIRECT_PART_MAX: usize = 256;
/// Statuses of redirects. More than ALB's: 301 and 302. RFC 9110, section 15.4.
pub const REDIRECT_STATUSES: &[u16] = &[301, 302, 303, 307, 308];
/// Body of a fixed response. Higher than ALB's: 1024.
pub const FIXED_BODY_MAX: usize = 8192;
/// Content types of a fixed response, as ALB.
pub const CONTENT_TYPES: &[&str] =
    &["text/plain", "text/css", "text/html", "application/javascript", "application/json"];
/// Header changes of one rule. ALB has none in rules.
pub const HEADER_CHANGES_MAX: usize = 32;
/// Value of a header that a rule sets or adds.
pub const HEADER_VALUE_MAX: usize = 1024;
/// The URL of a request, before and after a transform, as ALB's request line.
pub const URL_MAX: usize = 16 * 1024;
/// A host name: RFC 1035, section 2.3.4.
pub const HOST_MAX: usize = 253;
