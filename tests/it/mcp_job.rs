//! A day with a client of MCP that runs commands for its headers, at a server that has each token
//! judged; and the other commands that this client runs.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::http_server::{Answer, HttpServer, Request};
use crate::oidc_ground::{Ground, large_tokens};
use crate::support::Ran;
use crate::tool::{MCP_CLIENT, installed};

/// As docs/mcp.md has it: the profile is the one whose `urls` match the server.
const BY_URL: &str =
    "cred-helper get --url \"$CLAUDE_CODE_MCP_SERVER_URL\" -o headers --interactive never";
const BY_NAME: &str = "cred-helper get -p api -o headers --interactive never";
const KEY: &str = "cred-helper get -p api --interactive never";

/// A client, a server, and a home whose profile is for it.
struct McpGround {
    client: PathBuf,
    ground: Ground,
    server: HttpServer,
}

impl McpGround {
    /// `None` where the client is missing, which is noted.
    fn new(options: Value) -> Option<Self> {
        let client = installed(&MCP_CLIENT, "claude-code/node_modules/.bin/claude")?;
        let ground = Ground::new(options);
        let judge = ground.authority.judge();
        let server = HttpServer::start(move |request| {
            let (scheme, token) = request.authorization();
            let is_good = scheme == "Bearer" && judge(token);
            let answer = if is_good {
                welcome(request)
            } else {
                Answer::new(401, "{}")
            };
            answer
                .with("Content-Type", "application/json")
                .with("Connection", "close")
        });
        ground.set_profile(&format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"{}\"]\n",
            server.url("/mcp")
        ));
        let ground = Self {
            client,
            ground,
            server,
        };
        ground.configure(BY_URL);
        Some(ground)
    }

    /// Tells the client which command brings the headers.
    fn configure(&self, command: &str) {
        let entry =
            json!({ "type": "http", "url": self.server.url("/mcp"), "headersHelper": command });
        self.write(".claude.json", &json!({ "mcpServers": { "work": entry } }));
    }

    fn write(&self, path: &str, value: &Value) {
        let path = self.ground.sandbox.path().join(path);
        let folder = path.parent().expect("it lies in a folder");
        fs::create_dir_all(folder).expect("a folder can be made");
        fs::write(path, value.to_string()).expect("it can be written");
    }

    /// A line that runs the client, which finds nobody beyond loopback.
    fn line(&self, words: &str) -> String {
        format!(
            "export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 HTTPS_PROXY=http://127.0.0.1:9 \
             NO_PROXY=127.0.0.1 ANTHROPIC_BASE_URL={}; '{}' {words}",
            self.server.url(""),
            self.client.display()
        )
    }

    fn run(&self, words: &str) -> Ran {
        self.server.reset();
        let ran = self.ground.shell(&self.line(words));
        self.ground.sandbox.scan("stdout", &ran.stdout);
        ran
    }

    /// Whether the server takes the client in.
    fn is_connected(&self) -> bool {
        let said = self.run("mcp list").ok();
        let is_connected = said.contains("Connected");
        assert_ne!(is_connected, said.contains("Failed to connect"), "{said}");
        is_connected
    }
}

/// What somebody is answered whose token is good.
fn welcome(request: &Request) -> Answer {
    let said: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    match (request.path.as_str(), said["method"].as_str()) {
        ("/mcp", Some("initialize")) => {
            let result = json!({
                "protocolVersion": said["params"]["protocolVersion"],
                "capabilities": {},
                "serverInfo": { "name": "work", "version": "1" },
            });
            let answer = json!({ "jsonrpc": "2.0", "id": said["id"], "result": result });
            Answer::new(200, answer.to_string())
        }
        ("/mcp", Some(_)) => Answer::new(202, ""),
        ("/mcp", None) => Answer::new(405, ""),
        // It knows who asks, and has nothing.
        ("/v1/messages", _) => {
            let error = json!({ "type": "invalid_request_error", "message": "welcome" });
            Answer::new(400, json!({ "type": "error", "error": error }).to_string())
        }
        _ => Answer::new(200, "{}"),
    }
}

#[test]
fn a_client_of_mcp_connects_silently_after_one_sign_in_and_a_server_gets_no_other_token() {
    let Some(mcp) = McpGround::new(json!({})) else {
        return;
    };
    let ground = &mcp.ground;
    // Nobody has signed in, and nobody is asked, though there is a terminal.
    let (_, shown) = ground.sandbox.in_terminal(&mcp.line("mcp list")).end();
    assert!(!shown.contains("enter the code"), "{shown}");
    assert!(shown.contains("Failed"), "{shown}");
    assert!(mcp.server.schemes().is_empty());
    ground.sign_in("ada");
    ground.authority.reset_requests();
    ground.expire();
    assert!(mcp.is_connected());
    ground.assert_requests(1, 0);
    mcp.configure(BY_NAME);
    ground.authority.revoke(&ground.get(&[]));
    assert!(!mcp.is_connected());
    ground.assert_requests(1, 0);
    // The profile is for another address.
    ground.set_profile(
        "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"https://other.example.test/\"]\n",
    );
    mcp.configure(BY_URL);
    assert!(!mcp.is_connected());
    assert!(mcp.server.schemes().is_empty());
}

#[test]
fn the_client_s_own_gateway_and_its_telemetry_take_a_token_of_16_kb_too() {
    let Some(mcp) = McpGround::new(large_tokens()) else {
        return;
    };
    mcp.configure(BY_NAME);
    mcp.write(
        ".claude/settings.json",
        &json!({ "apiKeyHelper": KEY, "otelHeadersHelper": BY_NAME, "env": {
            "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": mcp.server.url(""),
            "CLAUDE_CODE_MAX_RETRIES": "0",
        } }),
    );
    let ran = mcp.run("-p hello");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let shown = format!("{}{}", ran.stdout, ran.stderr);
    assert!(shown.contains("cred-helper login -p api"), "{shown}");
    let token = mcp.ground.sign_in("ada");
    assert!(token.len() > 16 * 1024, "{}", token.len());
    let ran = mcp.run("-p hello");
    let shown = format!("{}{}", ran.stdout, ran.stderr);
    assert!(shown.contains("400 welcome"), "{shown}");
    let requests = mcp.server.requests();
    let came = |path: &str| {
        let mut own = requests.iter().filter(|request| request.path == path);
        own.any(|request| request.authorization().0 == "Bearer")
    };
    let all = ["/mcp", "/v1/messages", "/v1/metrics"];
    assert!(all.into_iter().all(came), "{requests:?}");
}
