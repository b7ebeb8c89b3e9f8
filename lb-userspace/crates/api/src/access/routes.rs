//! PURE: the role that each route needs, in one place.

use http::Method;

use super::Role;

/// Every route that is not read-only. A new one gets a line here, or a test fails.
const TABLE: &[(Method, &str, Role)] = &[
    (Method::PUT, "/v1/config", Role::Configure),
    // Only looks.
    (Method::POST, "/v1/config/preview", Role::Read),
    (Method::POST, "/v1/revisions/{number}/rollback", Role::Configure),
    (Method::POST, "/v1/target-groups/{group}/targets", Role::Configure),
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
    if matches!(*method, Method::GET | Method::HEAD) {
        return Some(Role::Read);
    }
    let (_, _, role) = TABLE.iter().find(|(of, path, _)| of == method && *path == route)?;
    Some(*role)
}

#[cfg(test)]
pub(crate) fn table() -> impl Iterator<Item = (String, String)> {
    TABLE.iter().map(|(method, route, _)| (method.to_string(), (*route).to_owned()))
}
