//! Routes that change parts of the configuration by their paths: listeners, target groups, targets,
//! rules and everything else.

use axum::{Extension, Json, extract::State};
use lb_agent::{Action, Answer, Question};
use lb_config::{Document, Edit};

use super::{
    Message, PartChanges, PreviewView,
    access::Caller,
    changes::{Terms, ask},
    context::Context,
    error_responses::{Conflict, Outdated, TooLarge, Unavailable, Wrong},
    extract::{Body, InQuery, Unread, from_json},
    failure::Failure,
    history::{other_answer, previewed},
    parameters::{Base, Forced},
};

/// Changes of one request.
const CHANGES_MAX: usize = 1000;

/// Changes parts of the configuration: all of them, or none.
#[utoipa::path(
    post,
    path = "/v1/config/changes",
    tag = "configuration",
    params(Base, Forced),
    request_body = PartChanges,
    responses(
        (status = 200, body = Message, description = "Done; a line for people"),
        (status = 400, response = Wrong),
        (status = 409, response = Conflict),
        (status = 412, response = Outdated),
        (status = 413, response = TooLarge),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn change_parts(
    State(context): State<Context>,
    Extension(who): Extension<Caller>,
    Base(base): Base,
    InQuery(Forced { force, message }): InQuery<Forced>,
    Body(changes): Body<PartChanges>,
) -> Result<Json<Message>, Failure> {
    let edit = edit_of(changes)?;
    // The agent says what is wrong with it; what it names must be usable files.
    let mut document = present(&context).await?;
    if edit.apply(&mut document).is_ok() {
        context.agent.check_files(document).await?;
    }
    let terms = Terms { base, force, message, ..Terms::default() };
    ask(&context, who, terms, Action::Edit(edit)).await
}

/// Previews the effect of such changes; nothing is changed.
#[utoipa::path(
    post,
    path = "/v1/config/changes/preview",
    tag = "configuration",
    request_body = PartChanges,
    responses(
        (status = 200, body = PreviewView, description = "What would change"),
        (status = 400, response = Wrong),
        (status = 413, response = TooLarge),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn preview_changes(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
    Unread(received): Unread,
) -> Result<Json<PreviewView>, Failure> {
    let mut document = present(&context).await?;
    let make = move || {
        let edit = edit_of(from_json::<PartChanges>(&received)?)?;
        let failed = |error: lb_config::EditError| Failure::bad_request(error.to_string());
        edit.apply(&mut document).map_err(failed)?;
        Ok(document)
    };
    previewed(context, caller, make).await
}

fn edit_of(PartChanges { changes }: PartChanges) -> Result<Edit, Failure> {
    let count = changes.len();
    if (1..=CHANGES_MAX).contains(&count) {
        return Ok(Edit::ChangeParts { changes });
    }
    let message = format!("`changes` has {count} items; it must have 1 to {CHANGES_MAX}");
    Err(Failure::bad_request(message))
}

async fn present(context: &Context) -> Result<Document, Failure> {
    match context.agent.question(Question::Configuration).await? {
        Answer::Configuration(_, document) => Ok(*document),
        _ => Err(other_answer()),
    }
}
