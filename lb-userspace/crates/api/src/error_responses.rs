//! Answers other than the one asked for, as the OpenAPI document describes them. What is refused,
//! and why, is decided elsewhere; each has the body of [`ErrorBody`].

use utoipa::ToResponse;

use super::ErrorBody;

macro_rules! refused {
    ($($name:ident = $description:literal)*) => {$(
        #[derive(ToResponse)]
        #[response(description = $description)]
        #[expect(dead_code, reason = "it stands in the document alone")]
        pub(super) struct $name(ErrorBody);
    )*};
}

refused! {
    Wrong = "The request is wrong: no such group or target, an invalid configuration, a path, query, header or body that cannot be read, or a change that a file has to make"
    Unauthorized = "Over TLS: no credential, or one that nobody has"
    Forbidden = "The role of the caller is too weak, or its certificate has none"
    NotFound = "There is no such revision"
    Conflict = "A listener would be left without targets; `force` does it all the same"
    Outdated = "The configuration is not at the revision of `if-match` any more"
    TooLarge = "The body is larger than 16 MiB, or than 1 MiB from a caller without the role `configure`"
    Unavailable = "The agent cannot do it now: the kernel or the disk refuses, too many clients watch, wait or send bodies, or it is stopping"
}
