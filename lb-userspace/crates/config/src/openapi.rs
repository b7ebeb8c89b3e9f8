//! The configuration in the OpenAPI document: its schema is a separate document.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Ref, RefOr, Schema},
};

use super::Document;

/// Path of the schema of the configuration, relative to the OpenAPI document: in docs, and at the
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
