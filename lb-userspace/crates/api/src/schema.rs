//! Schemas of the OpenAPI document that no type of ours has. Nothing is read or written by them.

use utoipa::openapi::{ObjectBuilder, OneOfBuilder, Ref, Schema, Type};

/// What is configured now: before the first configuration, nothing.
pub(super) fn present_configuration() -> Schema {
    let nothing = ObjectBuilder::new().schema_type(Type::Object).max_properties(Some(0));
    let either = OneOfBuilder::new().item(Ref::from_schema_name("Configuration"));
    let description = "The configuration as it was written; empty before the first one.";
    either.item(nothing.description(Some(description))).into()
}
