//! Which pages there are, and the asking that they need.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;
use squall_nodes::Node;

use super::turned_away::{TurnedAway, What};
use super::{metrics, page};
use crate::backlog::Backlog;
use crate::door::Handle;
use crate::request::{Reply, Request};
use crate::status::Status;

/// How long a node may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(2);
/// The media types of what is answered.
const JSON: &str = "application/json";
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// Asks a node how it is.
pub(super) struct Asker<N: Node> {
    node: Handle<N>,
    status: Option<N::Command>,
    log: Option<Backlog>,
    /// Those who serve count here.
    pub(super) turned_away: TurnedAway,
}

/// How a node is, as it says itself.
pub(super) struct Told {
    /// Its status.
    pub(super) status: Status,
    /// Its answer to what its protocol has for that question.
    pub(super) answer: Option<Value>,
    /// The same, in the words of its protocol.
    pub(super) says: Option<String>,
    /// What its thread around it knows.
    pub(super) around: Around,
}

/// What is known around a node.
pub(super) struct Around {
    /// How many lines of its log nobody got.
    pub(super) lost: u64,
    /// How often somebody from outside was turned away.
    pub(super) turned_away: [(What, u64); What::ALL.len()],
}

impl<N: Node> Clone for Asker<N> {
    fn clone(&self) -> Self {
        Asker {
            node: self.node.clone(),
            status: self.status.clone(),
            log: self.log.clone(),
            turned_away: self.turned_away.clone(),
        }
    }
}

impl<N: Node> Asker<N> {
    pub(super) fn new(handle: Handle<N>, status: Option<N::Command>, log: Option<Backlog>) -> Self {
        Asker {
            node: handle,
            status,
            log,
            turned_away: TurnedAway::default(),
        }
    }

    fn around(&self) -> Around {
        Around {
            lost: self.log.as_ref().map_or(0, Backlog::lost),
            turned_away: self.turned_away.counts(),
        }
    }

    /// How the node is; `None` when it does not say in time.
    pub(super) async fn status(&self) -> Option<Status> {
        let asked = tokio::time::timeout(PATIENCE, self.node.status()).await;
        asked.ok()?.ok()
    }

    /// How the node is and stands; `None` when it does not say in time.
    pub(super) async fn told(&self) -> Option<Told> {
        let status = self.status().await?;
        let (mut answer, mut says) = (None, None);
        if let Some(command) = self.status.clone().filter(|_| status.booted.is_some()) {
            let call = Request::Call { call: 0, command };
            let asked = async { self.node.ask(call).await.next().await };
            if let Ok(Some(Reply::Answer { answer: given, .. })) = tokio::time::timeout(PATIENCE, asked).await
            {
                answer = serde_json::to_value(&given).ok();
                says = Some(format!("{given:#?}"));
            }
        }
        Some(Told {
            status,
            answer,
            says,
            around: self.around(),
        })
    }
}

impl Told {
    /// As JSON: the status, with what the node answers.
    pub(super) fn to_json(&self) -> Value {
        let mut json = self.status.to_json();
        if let Value::Object(fields) = &mut json {
            let Around { lost, turned_away } = &self.around;
            fields.insert("log_lines_lost".to_owned(), (*lost).into());
            let turned_away = turned_away.iter().map(|(what, times)| (what.name(), *times));
            fields.insert("turned_away".to_owned(), turned_away.collect());
            if let Some(answer) = &self.answer {
                fields.insert("answer".to_owned(), answer.clone());
            }
        }
        json
    }
}

/// The pages. There is nothing that they could be sent.
pub(super) fn router<N: Node>(asker: Asker<N>) -> Router {
    Router::new()
        .route("/", get(index::<N>))
        .route("/status", get(status::<N>))
        .route("/status.json", get(status_json::<N>))
        .route("/metrics", get(figures::<N>))
        .route("/healthz", get(health::<N>))
        .with_state(asker)
}

/// The pages, and what each is for.
const PAGES: [(&str, &str); 4] = [
    (
        "/status",
        "who the node is and how it stands; as JSON for those who ask for it",
    ),
    ("/status.json", "the same as JSON"),
    ("/metrics", "figures, for Prometheus"),
    ("/healthz", "whether it answers: 200 when it does, 503 when not"),
];

async fn index<N: Node>(asker: State<Asker<N>>) -> Response {
    match asker.status().await {
        Some(status) => typed(HTML, page::index(&status.name, &PAGES)),
        None => silent(),
    }
}

/// For programs that ask for JSON, and for people.
async fn status<N: Node>(asker: State<Asker<N>>, headers: HeaderMap) -> Response {
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    if accepted.is_some_and(wants_json) {
        return status_json(asker).await;
    }
    match asker.told().await {
        Some(told) => typed(HTML, page::html(&told)),
        None => silent(),
    }
}

async fn status_json<N: Node>(asker: State<Asker<N>>) -> Response {
    match asker.told().await {
        Some(told) => typed(JSON, told.to_json().to_string()),
        None => silent(),
    }
}

async fn figures<N: Node>(asker: State<Asker<N>>) -> Response {
    match asker
        .status()
        .await
        .map(|status| metrics::text::<N>(&status, &asker.around()))
    {
        Some(Ok(text)) => typed(METRICS, text),
        // It is written to memory.
        Some(Err(why)) => (StatusCode::INTERNAL_SERVER_ERROR, why.to_string()).into_response(),
        None => silent(),
    }
}

async fn health<N: Node>(asker: State<Asker<N>>) -> Response {
    match asker.status().await {
        Some(_) => "ok\n".into_response(),
        None => silent(),
    }
}

/// Whether JSON is named before HTML.
fn wants_json(accept: &str) -> bool {
    let place = |media: &str| {
        accept
            .split(',')
            .position(|one| one.split(';').next().map(str::trim) == Some(media))
    };
    match (place(JSON), place("text/html")) {
        (Some(json), Some(html)) => json < html,
        (json, _) => json.is_some(),
    }
}

fn typed(media: &'static str, text: String) -> Response {
    // What is on these pages is of this moment.
    (
        [(header::CONTENT_TYPE, media), (header::CACHE_CONTROL, "no-store")],
        text,
    )
        .into_response()
}

fn silent() -> Response {
    let text = "the node does not answer: it stops, or it was kept from running\n";
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

#[cfg(test)]
mod tests {
    use squall_nodes::echo::EchoNode;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::super::http::{self, Guests};
    use super::*;
    use crate::door::door;

    #[tokio::test]
    async fn a_node_that_does_not_answer_is_told_of_and_nobody_is_turned_away_for_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let at = listener.local_addr().unwrap();
        // It is there, and takes nothing of what it is asked.
        let (handle, _node) = door::<EchoNode>();
        let asker = Asker::new(handle, None, None);
        let turned_away = asker.turned_away.clone();
        tokio::spawn(http::serve(Guests::of(listener).unwrap(), asker));
        let ask = async |page: &str| {
            let mut guest = TcpStream::connect(at).await.unwrap();
            let request = format!("GET {page} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            guest.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            guest.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let pages = ["/healthz", "/status", "/status.json", "/metrics"];
        let answers = tokio::join!(ask(pages[0]), ask(pages[1]), ask(pages[2]), ask(pages[3]));
        for answer in [answers.0, answers.1, answers.2, answers.3] {
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        }
        assert!(turned_away.counts().iter().all(|(_, times)| *times == 0));
    }

    #[test]
    fn json_is_for_those_who_ask_for_it_first() {
        for accept in [
            "application/json",
            "application/json; q=0.9, text/html",
            "text/plain, application/json",
        ] {
            assert!(wants_json(accept), "{accept}");
        }
        for accept in [
            "*/*",
            "text/html, application/json",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "",
        ] {
            assert!(!wants_json(accept), "{accept}");
        }
    }
}
