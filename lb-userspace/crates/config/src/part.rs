//! PURE: a part of a configuration document: one value, a section, or a list. It may still be wrong;
//! what it is put into is checked as a whole.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::SchemaType},
};

use super::{syntax, tree::Node};

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Part(pub(super) Node);

impl Part {
    /// Reads YAML or JSON. The error has line and column, and is for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let document = syntax::document(text)
            .map_err(|(spot, message)| format!("{}:{}: {message}", spot.line, spot.column))?;
        Ok(Self(document.0))
    }
}

impl PartialSchema for Part {
    fn schema() -> RefOr<Schema> {
        // Any value.
        ObjectBuilder::new().schema_type(SchemaType::AnyValue).into()
    }
}

impl ToSchema for Part {
    fn name() -> Cow<'static, str> {
        "Part".into()
    }
}
