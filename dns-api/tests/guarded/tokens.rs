//! Tokens, made and revoked over HTTP.

use dns_api::auth::Access;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{ADMIN, Ask, READ, Server, Setup, WRITE, within};

#[tokio::test]
async fn a_token_is_made_used_listed_and_revoked() {
    let server = Server::start(Setup::default());
    let admin = server.token(ADMIN);
    let spec = r#"{"name":"acme","grants":[{"access":"write","names":["_acme-challenge.*"],"types":["TXT"]}],"expires":"2999-01-01T00:00:00Z"}"#;
    let answer = server.ask(&Ask::new("POST", "/api/v1/tokens").by(&admin).json(spec)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let made = answer.json();
    let (id, secret) = (made["token"]["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let path = format!("/api/v1/tokens/{id}");
    assert_eq!(answer.header("location"), Some(path.as_str()));
    assert_eq!(made["token"]["last_used"], Value::Null);

    let own = server.ask(&Ask::get("/api/v1/tokens/self").by(secret)).await.json();
    let grants = json!([{"access":"write","names":["_acme-challenge.*."],"types":["TXT"]}]);
    assert_eq!((&own["name"], &own["grants"]), (&json!("acme"), &grants));
    assert_eq!(own["expires"], "2999-01-01T00:00:00Z");
    assert!(own["last_used"].is_string());

    let list = server.ask(&Ask::get("/api/v1/tokens").by(&admin)).await;
    let text = String::from_utf8(list.body.clone()).unwrap();
    assert!(!text.contains(secret) && !text.contains(&secret[15..40]), "{text}");
    let list = list.json();
    let ids: Vec<&str> =
        list["tokens"].as_array().unwrap().iter().map(|token| token["id"].as_str().unwrap()).collect();
    assert!(ids.len() == 2 && ids.contains(&id), "{ids:?}");
    assert_eq!(server.ask(&Ask::get(&path).by(&admin)).await.json(), own);

    let revoke = Ask::new("DELETE", &path).by(&admin);
    assert_eq!(server.ask(&revoke).await.status, 204);
    assert_eq!(server.ask(&revoke).await.status, 404);
    assert_eq!(server.ask(&Ask::get(&path).by(&admin)).await.status, 404);
    assert_eq!(server.ask(&Ask::get("/api/v1/tokens/self").by(secret)).await.status, 401);
}

#[tokio::test]
async fn only_admins_know_of_tokens() {
    let server = Server::start(Setup::default());
    let id = server.authenticator.list().len();
    let writer = server.token(WRITE);
    let path = format!("/api/v1/tokens/{}", server.authenticator.list()[id].token.id());
    let spec = r#"{"name":"mine","grants":[{"access":"admin"}]}"#;
    for ask in [
        Ask::get("/api/v1/tokens"),
        Ask::new("POST", "/api/v1/tokens").json(spec),
        Ask::get(&path),
        Ask::new("DELETE", &path),
        Ask::new("DELETE", "/api/v1/tokens/00000000"),
        Ask::get("/api/v1/backup"),
    ] {
        let answer = server.ask(&ask.clone().by(&writer)).await;
        assert_eq!(answer.status, 403, "{} {}", ask.method, ask.path);
    }
    assert_eq!(server.authenticator.list().len(), 1);
}

#[tokio::test]
async fn tokens_that_make_no_sense_are_refused_with_all_reasons() {
    let server = Server::start(Setup::default());
    let admin = server.token(ADMIN);
    for (spec, status, reasons) in [
        (
            r#"{"name":"a","grants":[{"access":"read","zones":["a..b"]},{"access":"read"},{"access":"admin","types":["A"]}]}"#,
            422,
            &[
                "grants[0].zones: 'a..b' is not a name: empty label",
                "grants[2].access 'admin' cannot be limited to zones, names or types",
            ][..],
        ),
        (
            r#"{"name":"","grants":[{"access":"read"}]}"#,
            422,
            &["name must have 1 to 64 characters, none of them a control character"],
        ),
        (r#"{"name":"a","grants":[]}"#, 422, &["grants: there must be at least one"]),
        (
            r#"{"name":"a","grants":[{"access":"read"}],"expires":"1999-01-01T00:00:00Z"}"#,
            422,
            &["expires: this lies in the past"],
        ),
        (
            r#"{"name":"a","grants":[{"access":"read"}],"expire":null}"#,
            422,
            &["expire: unknown field `expire`, expected one of `name`, `grants`, `expires`"],
        ),
        (r#"{"name":"a""#, 400, &[]),
    ] {
        let answer = server.ask(&Ask::new("POST", "/api/v1/tokens").by(&admin).json(spec)).await;
        assert_eq!(answer.status, status, "{spec}");
        if !reasons.is_empty() {
            let problem = answer.json();
            let given: Vec<&str> = problem["reasons"]
                .as_array()
                .unwrap()
                .iter()
                .map(|reason| reason.as_str().unwrap())
                .collect();
            assert!(
                given.len() == reasons.len()
                    && given.iter().zip(reasons).all(|(given, wanted)| given.starts_with(wanted)),
                "{given:?}"
            );
        }
    }
    assert_eq!(server.authenticator.list().len(), 1);
}

#[tokio::test]
async fn revocation_ends_an_open_stream_of_events() {
    let server = Server::start(Setup::default());
    let token = server.token(READ);
    let mut stream = server.connect().await;
    let request = Ask::get("/api/v1/events").by(&token).text();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut octets = [0; 64];
    let read = within(stream.read(&mut octets)).await.unwrap();
    assert!(octets[..read].starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(&octets[..read]));
    let listed = server.authenticator.list();
    assert_eq!(listed[0].token.grants()[0].access(), Access::Read);
    assert!(server.authenticator.revoke(listed[0].token.id()).unwrap());
    let mut rest = Vec::new();
    within(stream.read_to_end(&mut rest)).await.unwrap();
}

#[tokio::test]
async fn the_last_admin_token_stays() {
    let server = Server::start(Setup::default());
    let (first, second) = (server.token(ADMIN), server.token(ADMIN));
    server.token(WRITE);
    let path = async |token: &str| {
        let own = server.ask(&Ask::get("/api/v1/tokens/self").by(token)).await.json();
        format!("/api/v1/tokens/{}", own["id"].as_str().unwrap())
    };
    let (first_path, second_path) = (path(&first).await, path(&second).await);
    assert_eq!(server.ask(&Ask::new("DELETE", &first_path).by(&second)).await.status, 204);
    let refused = server.ask(&Ask::new("DELETE", &second_path).by(&second)).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    let reason = refused.json()["reasons"][0].clone();
    assert!(reason.as_str().unwrap().starts_with("this is the last token with admin access"), "{reason}");
    assert_eq!(server.ask(&Ask::get("/api/v1/tokens").by(&second)).await.status, 200, "it is still valid");
    // One that has expired is of no use to anybody; one that has not is.
    let third = r#"{"name":"third","grants":[{"access":"admin"}],"expires":"2999-01-01T00:00:00Z"}"#;
    assert_eq!(server.ask(&Ask::new("POST", "/api/v1/tokens").by(&second).json(third)).await.status, 201);
    assert_eq!(server.ask(&Ask::new("DELETE", &second_path).by(&second)).await.status, 204);
}
