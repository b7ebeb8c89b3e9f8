//! Error responses, as the OpenAPI document describes them. What is refused, and why, is decided
//! elsewhere; each has the body of [`ErrorBody`].

use utoipa::ToResponse;

use super::ErrorBody;

macro_rules! refused {
    ($($name:ident = $description:literal)*) => {$(
        #[derive(ToResponse)]
        #[response(description = $description)]
        #[expect(dead_code, reason = "it is only in the document")]
        pub(super) struct $name(ErrorBody);
    )*};
}

refused! {
    Wrong = "The request is wrong: an unknown group or target, an invalid configuration, a \
             malformed path, query, header or body, or a change that needs a change of the \
             configuration file"
    Unauthorized = "Over TLS: no credential, or an unknown one"
    Forbidden = "The role of the caller does not permit the request, or its certificate has no role"
    NotFound = "There is no such revision"
    Conflict = "A listener would be left without targets; `force` overrides this check"
    Outdated = "The configuration is no longer at the revision of `if-match`"
    TooLarge = "The body is larger than 16 MiB, or 1 MiB without the role `configure`"
    Unavailable = "The agent cannot process the request now: the kernel or the disk refuses, too \
                   many clients watch, wait or send bodies, or the agent is stopping"
}
