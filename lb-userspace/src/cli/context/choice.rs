//! PURE: which agent is asked, and how: by options, the environment, a context, or the default, in this
//! order. A context that an option names stands above the environment. The CA certificates and the token
//! of a context go to the agent of this context only.

use std::path::PathBuf;

use lb_api::{ClientError, Server, TlsTransport, TokenSource, Transport, access::Token};

use super::file::{Context, Contexts};

/// Where an agent listens by default.
const DEFAULT_SOCKET: &str = "/run/xelb/xelb.sock";

/// What the command line says.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) context: Option<String>,
    pub(crate) socket: Option<PathBuf>,
    pub(crate) server: Option<Server>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// What the environment says.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    pub(crate) context: Option<String>,
    pub(crate) socket: Option<PathBuf>,
    pub(crate) server: Option<String>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) token: Option<String>,
}

impl Environment {
    /// That of this process; what is empty is not set.
    pub(crate) fn read() -> Self {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            context: text("XELB_CONTEXT"),
            socket: text("XELB_SOCKET").map(PathBuf::from),
            server: text("XELB_SERVER"),
            ca: text("XELB_CA").map(PathBuf::from),
            token: text("XELB_TOKEN"),
        }
    }
}

/// The way to the agent. `contexts` is read only where a context may be meant.
pub(crate) fn transport(
    options: Options,
    environment: Environment,
    contexts: impl FnOnce() -> Result<Contexts, ClientError>,
) -> Result<Transport, ClientError> {
    let Options { context, socket, server, ca, token_file, identity } = options;
    let known = Credentials { ca, token: token_file.map(TokenSource::File), identity };
    let surroundings = Credentials {
        ca: environment.ca,
        token: environment.token.map(|token| TokenSource::Given(Token::new(token))),
        identity: None,
    };
    if let Some(server) = server {
        return Ok(known.or(surroundings).at(server));
    }
    if let Some(socket) = socket {
        return Ok(Transport::Unix(socket));
    }
    if let Some(name) = context {
        let contexts = contexts()?;
        let of_context = contexts.named(&name).map_err(ClientError::Invalid)?;
        return Ok(match of_context.place().map_err(ClientError::Invalid)? {
            Place::Socket(socket) => Transport::Unix(socket),
            Place::Server(server) => {
                known.or(Credentials::of(of_context)).or(surroundings).at(server)
            }
        });
    }
    if let Some(server) = environment.server {
        let wrong = |error: String| ClientError::Invalid(format!("XELB_SERVER: {error}"));
        let server = server.parse().map_err(wrong)?;
        return Ok(known.or(surroundings).at(server));
    }
    if let Some(socket) = environment.socket {
        return Ok(Transport::Unix(socket));
    }
    let contexts = contexts()?;
    let Some(name) = environment.context.or_else(|| contexts.current.clone()) else {
        return Ok(Transport::Unix(DEFAULT_SOCKET.into()));
    };
    let of_context = contexts.named(&name).map_err(ClientError::Invalid)?;
    Ok(match of_context.place().map_err(ClientError::Invalid)? {
        Place::Socket(socket) => Transport::Unix(socket),
        Place::Server(server) => known.or(surroundings).or(Credentials::of(of_context)).at(server),
    })
}

/// Where the agent of a context is.
enum Place {
    Socket(PathBuf),
    Server(Server),
}

impl Context {
    fn place(&self) -> Result<Place, String> {
        match (&self.server, &self.socket) {
            (Some(server), _) => server.parse().map(Place::Server),
            (None, Some(socket)) => Ok(Place::Socket(socket.clone())),
            (None, None) => Err("it has no socket and no server".to_owned()),
        }
    }
}

/// What a server is asked with.
struct Credentials {
    ca: Option<PathBuf>,
    token: Option<TokenSource>,
    identity: Option<(PathBuf, PathBuf)>,
}

impl Credentials {
    fn of(context: &Context) -> Self {
        Self {
            ca: context.ca.clone(),
            token: context.token_file.clone().map(TokenSource::File),
            identity: context.client_cert.clone().zip(context.client_key.clone()),
        }
    }

    /// These, and others where there is none.
    fn or(self, other: Self) -> Self {
        Self {
            ca: self.ca.or(other.ca),
            token: self.token.or(other.token),
            identity: self.identity.or(other.identity),
        }
    }

    fn at(self, server: Server) -> Transport {
        let Self { ca, token, identity } = self;
        Transport::Tls(TlsTransport { server, ca, token, identity })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn contexts() -> Contexts {
        let remote = |host: &str| Context {
            server: Some(format!("https://{host}:1")),
            ca: Some(format!("/{host}.ca").into()),
            token_file: Some(format!("/{host}.token").into()),
            ..Context::default()
        };
        let local = Context { socket: Some("/local.sock".into()), ..Context::default() };
        let all = [("a", remote("a")), ("b", remote("b")), ("local", local)];
        let contexts = all.map(|(name, context)| (name.to_owned(), context));
        Contexts { current: Some("a".to_owned()), contexts: BTreeMap::from(contexts) }
    }

    /// The agent, its CA and its token, in words.
    fn chosen(options: Options, environment: Environment) -> String {
        match transport(options, environment, || Ok(contexts())) {
            Err(error) => error.to_string(),
            Ok(Transport::Unix(path)) => path.display().to_string(),
            Ok(Transport::Tls(TlsTransport { server, ca, token, .. })) => {
                let ca = ca.map(|path| path.display().to_string()).unwrap_or_default();
                let token = match token {
                    None => "none".to_owned(),
                    Some(TokenSource::Given(_)) => "given".to_owned(),
                    Some(TokenSource::File(path)) => path.display().to_string(),
                };
                format!("{server} {ca} {token}")
            }
        }
    }

    #[test]
    fn options_come_first_then_environment_context_and_default() {
        let options = Options::default;
        let environment = Environment::default;
        assert_eq!(chosen(options(), environment()), "https://a:1 /a.ca /a.token");
        let of = |name: &str| Environment { context: Some(name.to_owned()), ..environment() };
        assert_eq!(chosen(options(), of("b")), "https://b:1 /b.ca /b.token");
        assert_eq!(chosen(options(), of("local")), "/local.sock");
        assert!(
            chosen(options(), of("c")).starts_with("there is no context c; there are a, b, local")
        );
        let surroundings = || Environment {
            context: Some("b".to_owned()),
            server: Some("https://e:1".to_owned()),
            ca: Some("/e.ca".into()),
            token: Some("secret".to_owned()),
            socket: Some("/e.sock".into()),
        };
        assert_eq!(chosen(options(), surroundings()), "https://e:1 /e.ca given");
        let without_server = Environment { server: None, ..surroundings() };
        assert_eq!(chosen(options(), without_server), "/e.sock");
        let token = Environment { token: Some("secret".to_owned()), ..environment() };
        assert_eq!(chosen(options(), token), "https://a:1 /a.ca given");
        let named = |name: &str| Options { context: Some(name.to_owned()), ..options() };
        assert_eq!(chosen(named("b"), surroundings()), "https://b:1 /b.ca /b.token");
        assert_eq!(chosen(named("local"), surroundings()), "/local.sock");
        let socket = Options { socket: Some("/o.sock".into()), ..options() };
        assert_eq!(chosen(socket, surroundings()), "/o.sock");
        let wrong = Environment { server: Some("x".to_owned()), ..environment() };
        assert!(chosen(options(), wrong).starts_with("XELB_SERVER: `x` is not"));
    }

    #[test]
    fn a_token_of_a_context_goes_to_no_other_agent() {
        let other = || "https://other:1".parse().ok();
        let options = Options { server: other(), ..Options::default() };
        assert_eq!(chosen(options, Environment::default()), "https://other:1  none");
        let environment =
            Environment { server: Some("https://other:1".to_owned()), ..Environment::default() };
        assert_eq!(chosen(Options::default(), environment), "https://other:1  none");
    }

    #[test]
    fn no_file_is_read_where_none_is_needed() {
        let options = Options { socket: Some("/o.sock".into()), ..Options::default() };
        let unread = || Err(ClientError::Invalid("read".to_owned()));
        assert!(transport(options, Environment::default(), unread).is_ok());
        let chosen =
            transport(Options::default(), Environment::default(), || Ok(Contexts::default()));
        assert!(matches!(chosen, Ok(Transport::Unix(path)) if path == *DEFAULT_SOCKET));
    }
}
