//! Schemas of the OpenAPI document that no type of ours has: addresses, and the configuration, whose
//! schema is a document of its own. Nothing is read or written by them.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, SchemaFormat, Type},
};

use crate::config::Document;

/// Where the schema of the configuration lies, seen from the OpenAPI document: in docs, and at the
/// API.
const CONFIGURATION: &str = "./xelb.schema.json";

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
    let description = "As it was written; empty before the first one.";
    either.item(nothing.description(Some(description))).into()
}

impl PartialSchema for Document {
    fn schema() -> RefOr<Schema> {
        Ref::new(CONFIGURATION).into()
    }
}

impl ToSchema for Document {
    fn name() -> Cow<'static, str> {
        "Configuration".into()
    }
}
