//! The configuration in the OpenAPI document: its schema is a document of its own.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Ref, RefOr, Schema},
};

use super::Document;

/// Where the schema of the configuration lies, seen from the OpenAPI document: in docs, and at the
/// API.
const CONFIGURATION: &str = "./xelb.schema.json";

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
