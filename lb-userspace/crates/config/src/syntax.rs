//! From text to a tree of values: YAML and its limits. It knows no keys.

use serde_saphyr::{DefaultMessageFormatter, Error, MessageFormatter as _, budget::BudgetBreach};

use super::{
    document::Document,
    error::{Position, brief},
    tree::{self, Located, Node},
};

/// Values in a file, keys included: twice what the largest configuration needs (about
/// 260,000), and little enough that a file of nested aliases ends quickly.
pub(super) const NODES_MAX: usize = 600_000;

/// Values that come in through aliases: thousands of groups may share one health check.
const ALIASED_MAX: usize = 200_000;

/// Sections and lists in each other; a configuration has 6.
const DEPTH_MAX: usize = 32;

/// The document in a text; else what is wrong with its syntax, and where. Only the first error is
/// reported, since the rest cannot be interpreted after it.
pub(super) fn document(text: &str) -> Result<Document, (Position, String)> {
    document_within(text, NODES_MAX)
}

/// The same for a document of so many values at most.
pub(super) fn document_within(
    text: &str,
    nodes_max: usize,
) -> Result<Document, (Position, String)> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: nodes_max,
            max_events: 2 * nodes_max,
            max_depth: DEPTH_MAX,
            max_documents: 1,
            max_recorded_anchor_events: ALIASED_MAX,
            max_aliases: ALIASED_MAX,
            max_merge_keys: ALIASED_MAX,
            // What aliases bring in is limited below; that thousands name one anchor is their use.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: ALIASED_MAX },
        // `on`, `no` and `y` are names here, as they are in JSON.
        strict_booleans: true,
        with_snippet: false,
        // Otherwise more than 32 lines of comments before an item are refused.
        emit_comments: false,
    };
    let root = serde_saphyr::from_str_with_options::<Option<Located>>(text, options)
        .map_err(|error| explained(&error))?;
    Ok(root.map_or_else(Document::default, |root| Document(Node::from(root))))
}

fn explained(error: &Error) -> (Position, String) {
    let spot = error.location().map_or(Position::UNKNOWN, |location| tree::spot(&location));
    (spot, message(error))
}

fn message(error: &Error) -> String {
    match error {
        Error::AliasError { error, .. } => message(error),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{}` occurs twice", brief(key))
        }
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            "a second document begins here; a configuration must be a single document".to_owned()
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            format!("is nested deeper than {DEPTH_MAX} levels")
        }
        Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } => {
            format!("is too large: more than {NODES_MAX} values, or too many through aliases")
        }
        Error::UnknownAnchor { .. } => "the alias has no anchor above it".to_owned(),
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "the alias is inside its own anchor".to_owned()
        }
        Error::NonFiniteFloat { .. } => "is not a finite number".to_owned(),
        Error::Message { msg, .. } => brief(msg),
        other => {
            let message = DefaultMessageFormatter.format_message(other);
            if message.contains("recursion limit exceeded") {
                return "is nested too deeply".to_owned();
            }
            format!("is not valid YAML: {}", brief(&message))
        }
    }
}
