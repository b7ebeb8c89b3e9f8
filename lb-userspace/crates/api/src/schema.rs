//! Schemas of the OpenAPI document that no type of ours has. Nothing is read or written by them.

use utoipa::openapi::{KnownFormat, ObjectBuilder, OneOfBuilder, Ref, Schema, SchemaFormat, Type};

/// An IPv4 or IPv6 address.
pub(super) fn ip_address() -> Schema {
    let of = |format| {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(format)))
    };
    let either = OneOfBuilder::new().item(of(KnownFormat::Ipv4)).item(of(KnownFormat::Ipv6));
    either.description(Some("An IPv4 or IPv6 address.")).into()
}

/// What is configured now: before the first configuration, nothing.
pub(super) fn present_configuration() -> Schema {
    let nothing = ObjectBuilder::new().schema_type(Type::Object).max_properties(Some(0));
    let either = OneOfBuilder::new().item(Ref::from_schema_name("Configuration"));
    let description = "The configuration as it was written; empty before the first one.";
    either.item(nothing.description(Some(description))).into()
}
