//! The docker driver with a server that keeps containers as Docker does, on a Unix socket. With
//! Podman itself it is tested in tests/engines.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use lb_drivers::{CheckOptions, DockerDriver, Driver as _, Grade, Request, check};
use lb_members::{Answer, CallResult, ErrorClass, Verb};
use serde_json::{Map, Value, json};
use tokio::net::UnixListener;

const LONG: Duration = Duration::from_mins(1);

#[derive(Clone)]
struct Container {
    labels: Value,
    status: &'static str,
    number: u8,
}

impl Container {
    fn networks(&self) -> Value {
        let number = self.number;
        let address =
            if self.status == "running" { format!("172.17.0.{number}") } else { String::new() };
        json!({ "Networks": { "bridge": { "IPAddress": address, "GlobalIPv6Address": "" } } })
    }
}

#[derive(Default)]
struct Engine {
    containers: BTreeMap<String, Container>,
    created: u8,
}

type Answered = (u16, Value);

fn refused(status: u16, message: &str) -> Answered {
    (status, json!({ "message": message }))
}

impl Engine {
    fn answer(&mut self, method: &Method, path: &str, query: &str, body: &[u8]) -> Answered {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match (method, parts.as_slice()) {
            (&Method::GET, ["containers", "json"]) => self.list(query),
            (&Method::POST, ["containers", "create"]) => self.create(query, body),
            (&Method::GET, ["containers", name, "json"]) => match self.containers.get(*name) {
                None => refused(404, &format!("No such container: {name}")),
                Some(one) => {
                    let inspected = json!({
                        "State": { "Status": one.status }, "Config": { "Labels": one.labels },
                        "NetworkSettings": one.networks(),
                    });
                    (200, inspected)
                }
            },
            (&Method::POST, ["containers", name, verb]) => {
                let Some(one) = self.containers.get_mut(*name) else {
                    return refused(404, "No such container");
                };
                let status = if *verb == "start" { "running" } else { "exited" };
                let code = if one.status == status { 304 } else { 204 };
                one.status = status;
                (code, Value::Null)
            }
            (&Method::DELETE, ["containers", name]) => match self.containers.remove(*name) {
                Some(_) => (204, Value::Null),
                None => refused(404, "No such container"),
            },
            _ => refused(400, "page not found"),
        }
    }

    fn list(&self, query: &str) -> Answered {
        assert!(query.contains("all=true"), "{query}");
        let is_wanted = |one: &Container| {
            let group = one.labels["xelb.group"].as_str().unwrap_or_default();
            query.contains(&format!("xelb.group%3D{group}%22"))
        };
        let wanted = self.containers.iter().filter(|(_, one)| is_wanted(one));
        let listed: Vec<Value> = wanted
            .map(|(name, one)| {
                json!({ "Names": [format!("/{name}")], "State": one.status, "Labels": one.labels,
                        "NetworkSettings": one.networks() })
            })
            .collect();
        (200, json!(listed))
    }

    fn create(&mut self, query: &str, body: &[u8]) -> Answered {
        let name = query.strip_prefix("name=").unwrap().to_owned();
        let body: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(body["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped");
        if body["Image"] == "missing" {
            return refused(404, "No such image: missing:latest");
        }
        if self.containers.contains_key(&name) {
            return refused(
                409,
                &format!("Conflict. The container name \"/{name}\" is already in use"),
            );
        }
        self.created += 1;
        let labels = body["Labels"].clone();
        let container = Container { labels, status: "created", number: self.created };
        self.containers.insert(name, container);
        (201, json!({ "Id": "x", "Warnings": [] }))
    }
}

/// An engine on a socket, which ends with the test.
fn engine(folder: &Path) -> Arc<Mutex<Engine>> {
    let engine = Arc::new(Mutex::new(Engine::default()));
    let listener = UnixListener::bind(folder.join("docker.sock")).unwrap();
    let served = Arc::clone(&engine);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let served = Arc::clone(&served);
            let service = service_fn(move |request: http::Request<Incoming>| {
                let served = Arc::clone(&served);
                async move {
                    let (head, body) = request.into_parts();
                    let Ok(body) = body.collect().await else { panic!("the request has no end") };
                    let query = head.uri.query().unwrap_or_default();
                    let (status, value) = served.lock().unwrap().answer(
                        &head.method,
                        head.uri.path(),
                        query,
                        &body.to_bytes(),
                    );
                    let text = if value.is_null() { String::new() } else { value.to_string() };
                    let response =
                        Response::builder().status(StatusCode::from_u16(status).unwrap());
                    Ok::<_, Infallible>(response.body(Full::new(Bytes::from(text))).unwrap())
                }
            });
            tokio::spawn(async move {
                // Clients close their connections as they like.
                let _closed =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    engine
}

fn driver(folder: &Path, image: &str) -> DockerDriver {
    let socket = folder.join("docker.sock");
    let settings = json!({ "image": image, "port": 80, "socket": socket, "stop_seconds": 0 });
    DockerDriver::new(serde_json::from_value(settings).unwrap()).unwrap()
}

async fn call(driver: &DockerDriver, verb: Verb, name: &str) -> CallResult {
    let (group, template) = ("web".to_owned(), "t".to_owned());
    let request = Request { verb, group, name: name.to_owned(), template, parameters: Map::new() };
    driver.call(&request, LONG).await
}

#[tokio::test]
async fn it_passes_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let poll_interval = Duration::from_millis(10);
    let kill_after = [0, 1, 2, 5].map(Duration::from_millis).into();
    let options = CheckOptions { poll_interval, kill_after, ..CheckOptions::new("web", "c0de") };
    let report = check(&driver(folder.path(), "web:1"), &options).await;
    assert!(report.is_passed(), "\n{report}");
    assert!(report.findings.iter().all(|f| f.grade != Grade::NotSupported), "\n{report}");
    assert!(engine.lock().unwrap().containers.is_empty());
}

#[tokio::test]
async fn an_image_that_is_not_there_is_an_error_of_the_template() {
    let folder = tempfile::tempdir().unwrap();
    let _engine = engine(folder.path());
    let error = call(&driver(folder.path(), "missing"), Verb::Ensure, "web-1-1").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Template, "{error}");
    assert!(error.message.contains("No such image"), "{error}");
}

#[tokio::test]
async fn containers_of_others_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let others = Container { labels: json!({ "a": "b" }), status: "running", number: 9 };
    engine.lock().unwrap().containers.insert("web-1-1".to_owned(), others);
    let driver = driver(folder.path(), "web:1");
    for verb in [Verb::Ensure, Verb::End, Verb::Stop] {
        let error = call(&driver, verb, "web-1-1").await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Fatal, "{verb}: {error}");
    }
    assert_eq!(call(&driver, Verb::List, "").await, Ok(Answer::Members(Vec::new())));
    assert_eq!(engine.lock().unwrap().containers["web-1-1"].status, "running");
}

#[tokio::test]
async fn an_engine_that_does_not_run_may_run_next_time() {
    let folder = tempfile::tempdir().unwrap();
    let error = call(&driver(folder.path(), "web:1"), Verb::List, "").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient, "{error}");
    assert!(error.message.contains("docker.sock"), "{error}");
}
