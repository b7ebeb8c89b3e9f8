//! PURE: the role that each route needs, in one place.

use http::Method;

use super::Role;

/// Every route that more than the role `read` is needed for, or that is not GET. A new one gets a line
/// here, or a test fails.
const TABLE: &[(Method, &str, Role)] = &[
    (Method::PUT, "/v1/config", Role::Configure),
    // Only looks.
    (Method::POST, "/v1/config/preview", Role::Read),
    (Method::POST, "/v1/explain/http", Role::Read),
    (Method::POST, "/v1/config/changes", Role::Configure),
    (Method::POST, "/v1/config/changes/preview", Role::Read),
    (Method::POST, "/v1/revisions/{number}/rollback", Role::Configure),
    (Method::POST, "/v1/target-groups/{group}/targets", Role::Configure),
    (Method::GET, "/v1/proxies/feed", Role::Proxy),
    (Method::POST, "/v1/proxies", Role::Proxy),
    // Weights and drains.
    (Method::PATCH, "/v1/target-groups/{group}/targets/{address}", Role::Operate),
    (Method::DELETE, "/v1/target-groups/{group}/targets/{address}", Role::Configure),
    // Desired capacity, suspensions, and what becomes of members; within the limits.
    (Method::POST, "/v1/target-groups/{group}/scaling", Role::Operate),
    (Method::PATCH, "/v1/target-groups/{group}/scaling/limits", Role::Configure),
];

/// The role that this method of this route needs; GET and HEAD change nothing anywhere. `None` for
/// what is not in the table.
pub(crate) fn needed(method: &Method, route: &str) -> Option<Role> {
    let found = TABLE.iter().find(|(of, path, _)| of == method && *path == route);
    if let Some((_, _, role)) = found {
        return Some(*role);
    }
    // HEAD is GET without the body.
    if *method == Method::HEAD {
        return needed(&Method::GET, route);
    }
    (*method == Method::GET).then_some(Role::Read)
}

#[cfg(test)]
pub(crate) fn table() -> impl Iterator<Item = (String, String)> {
    TABLE.iter().map(|(method, route, _)| (method.to_string(), (*route).to_owned()))
}
