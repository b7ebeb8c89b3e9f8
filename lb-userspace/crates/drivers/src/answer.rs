//! PURE: from the text of an answer to the result of a call. It is not trusted: it is bounded, and
//! an answer that is wrong in one place counts as none.

use std::collections::HashSet;

use lb_members::{Answer, CallError, CallResult, ErrorClass, MemberState, Reported, Verb};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::driver::{MEMBERS_MAX, NAME_BYTES_MAX, Request};

/// Characters of a message that are shown.
const MESSAGE_CHARS_MAX: usize = 300;

/// The result of a call that succeeded, from what the driver answered.
pub(crate) fn success(request: &Request, stdout: &[u8]) -> CallResult {
    let garbage = |why: String| CallError::new(ErrorClass::Transient, why);
    match request.verb {
        Verb::List => list(stdout).map_err(garbage),
        Verb::Ensure | Verb::Start | Verb::Describe => {
            let member = member(request, stdout).map_err(garbage)?;
            match member.error {
                // It says what kind of failure it is.
                Some(error) if member.state == MemberState::Failed => Err(error),
                _ => Ok(Answer::Member(member)),
            }
        }
        Verb::End | Verb::Stop => Ok(Answer::Done),
    }
}

fn list(stdout: &[u8]) -> Result<Answer, String> {
    #[derive(Deserialize)]
    struct List {
        members: Vec<Reported>,
    }
    let List { mut members } = parse(stdout)?;
    if members.len() > MEMBERS_MAX {
        return Err(format!("more than {MEMBERS_MAX} members in the answer to `list`"));
    }
    let mut names = HashSet::new();
    for member in &mut members {
        check_member(member)?;
        if !names.insert(member.name.clone()) {
            return Err(format!("`list` has {} twice", member.name));
        }
    }
    Ok(Answer::Members(members))
}

/// The name may be left out: it is that of the request.
fn member(request: &Request, stdout: &[u8]) -> Result<Reported, String> {
    let mut object: Map<String, Value> = parse(stdout)?;
    object.entry("name").or_insert_with(|| Value::String(request.name.clone()));
    let mut member: Reported =
        serde_json::from_value(Value::Object(object)).map_err(|error| wrong_form(&error))?;
    check_member(&mut member)?;
    if member.name != request.name {
        return Err(format!("the answer is about {}, and not {}", member.name, request.name));
    }
    Ok(member)
}

fn check_member(member: &mut Reported) -> Result<(), String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let name = member.name.as_str();
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_allowed) {
        return Err(format!("{:?} is no name of a member", printable(name)));
    }
    let address = member.address;
    if address.is_some_and(|address| address.is_unspecified() || address.is_multicast()) {
        return Err(format!("{name} has no usable address"));
    }
    if member.port == Some(0) {
        return Err(format!("{name} has port 0"));
    }
    if let Some(error) = &mut member.error {
        error.message = printable(&error.message);
    }
    Ok(())
}

fn parse<T: serde::de::DeserializeOwned>(stdout: &[u8]) -> Result<T, String> {
    serde_json::from_slice(stdout).map_err(|error| wrong_form(&error))
}

fn wrong_form(error: &serde_json::Error) -> String {
    format!("the answer does not have the form of docs/decisions/members.md: {error}")
}

/// The error that the answer to a call that failed may name.
pub(crate) fn reported_error(stdout: &[u8]) -> Option<CallError> {
    #[derive(Deserialize)]
    struct Failure {
        error: CallError,
    }
    let Failure { error } = serde_json::from_slice(stdout).ok()?;
    Some(CallError { message: printable(&error.message), ..error })
}

/// A text from elsewhere, so that it can be shown.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(verb: Verb) -> Request {
        Request {
            verb,
            group: "web".to_owned(),
            name: "web-1".to_owned(),
            template: "t".to_owned(),
            parameters: Map::new(),
        }
    }

    fn result(verb: Verb, stdout: &str) -> String {
        match success(&request(verb), stdout.as_bytes()) {
            Ok(Answer::Member(member)) => format!("{} {:?}", member.name, member.state),
            Ok(Answer::Members(members)) => format!("{} members", members.len()),
            Ok(Answer::Done) => "done".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn answers_and_what_they_mean() {
        let quota = r#"{"state": "failed", "error": {"class": "quota", "message": "20 of 20"}}"#;
        let running = r#"{"state": "running", "address": "::1", "port": 80}"#;
        let cases = [
            (Verb::Ensure, r#"{"state": "launching"}"#, "web-1 Launching"),
            (Verb::Ensure, running, "web-1 Running"),
            (Verb::Ensure, quota, "quota: 20 of 20"),
            (Verb::Ensure, r#"{"state": "failed"}"#, "web-1 Failed"),
            (Verb::List, r#"{"members": []}"#, "0 members"),
            (Verb::List, r#"{"members": [{"name": "a", "state": "ended"}]}"#, "1 members"),
            (Verb::End, "whatever", "done"),
            (Verb::Stop, "", "done"),
        ];
        for (verb, stdout, expected) in cases {
            assert_eq!(result(verb, stdout), expected, "{verb} {stdout}");
        }
    }

    #[test]
    fn garbage_is_a_transient_error() {
        let long =
            format!(r#"{{"members": [{{"name": "{}", "state": "running"}}]}}"#, "a".repeat(129));
        let cases = [
            (Verb::Ensure, ""),
            (Verb::Ensure, "[]"),
            (Verb::Ensure, "null"),
            (Verb::Ensure, r#"{"state": "happy"}"#),
            (Verb::Ensure, r#"{"state": "running", "name": "web-2"}"#),
            (Verb::Ensure, r#"{"state": "running", "address": "0.0.0.0"}"#),
            (Verb::Ensure, r#"{"state": "running", "port": 0}"#),
            (Verb::Ensure, r#"{"state": "running", "port": 70000}"#),
            (Verb::Ensure, r#"{"state": "running"} {"state": "running"}"#),
            (Verb::List, "{}"),
            (Verb::List, r#"{"members": [{"name": "", "state": "running"}]}"#),
            (Verb::List, r#"{"members": [{"name": "a b", "state": "running"}]}"#),
            (Verb::List, &long),
            (
                Verb::List,
                r#"{"members": [{"name": "a", "state": "ended"}, {"name": "a", "state": "ended"}]}"#,
            ),
        ];
        for (verb, stdout) in cases {
            assert!(result(verb, stdout).starts_with("transient: "), "{verb} {stdout}");
        }
    }
}
