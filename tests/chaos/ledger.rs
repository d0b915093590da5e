//! What became of each refresh. The authority replaces a refresh token at each use. One that it has
//! replaced it takes for stolen, and ends the sign-in; unless it forgives that for a while.
//!
//! So each token request is one of four: its new token was kept; it was lost, with its process or on
//! its way, in one of the windows that no client can close; or it was refused, since one was lost
//! before. Where the authority forgives, the old token is good for the next request, and nothing is
//! refused. A request of any other sort is an error of the program, and panics here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::crowd::{End, Number, Run};
use crate::network::Exchange;

/// How many of each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Refreshes whose new token was sent later, or was kept last.
    pub(crate) kept: u64,
    /// Refreshes whose process was killed before it had kept the new token.
    pub(crate) killed: u64,
    /// Refreshes whose answer the network lost.
    pub(crate) unanswered: u64,
    /// Requests with a refresh token that had been replaced.
    pub(crate) refused: u64,
    /// Sign-ins.
    pub(crate) sign_ins: u64,
}

impl Counts {
    /// Token requests that are refreshes.
    pub(crate) fn refreshes(&self) -> u64 {
        self.kept + self.killed + self.unanswered + self.refused
    }
}

/// What is known so far.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Whether the authority takes a token that it has replaced a moment ago.
    forgives: bool,
    pub(crate) counts: Counts,
    /// The shortest time between a token that was kept and the next refresh.
    pub(crate) shortest: Option<Duration>,
    family: Family,
    /// Every access token that the authority gave.
    access_tokens: BTreeSet<String>,
    refresh_tokens: BTreeSet<String>,
}

/// What the authority holds of the sign-in.
#[derive(Default)]
enum Family {
    #[default]
    None,
    /// This token is good. The refresh that brought it, if one did.
    Live {
        token: String,
        newest: Option<Exchange>,
    },
    /// This one was sent once more, and ended it; the request that told so.
    Dead { sent: String, last: Box<Exchange> },
}

impl Ledger {
    /// Before the first sign-in.
    pub(crate) fn new(forgives: bool) -> Self {
        Self {
            forgives,
            ..Self::default()
        }
    }

    /// Whether nothing can be lost for good.
    pub(crate) fn forgives(&self) -> bool {
        self.forgives
    }

    /// Whether the sign-in lives.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.family, Family::Live { .. })
    }

    /// Whether the authority has given out this access token.
    pub(crate) fn has_given(&self, access_token: &str) -> bool {
        self.access_tokens.contains(access_token)
    }

    /// Whether no token stands in a text.
    pub(crate) fn is_unsaid(&self, text: &str) -> bool {
        let is_of_a_token = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        text.split(|letter| !is_of_a_token(letter))
            .all(|word| !self.access_tokens.contains(word) && !self.refresh_tokens.contains(word))
    }

    /// Notes what reached the authority, in order; `runs` are all processes that have ended.
    pub(crate) fn note(&mut self, exchanges: Vec<Exchange>, runs: &BTreeMap<Number, Run>) {
        for exchange in exchanges {
            if let Some(token) = exchange.body["access_token"].as_str() {
                self.access_tokens.insert(token.to_owned());
            }
            if let Some(token) = exchange.body["refresh_token"].as_str() {
                self.refresh_tokens.insert(token.to_owned());
            }
            match exchange.sent.clone() {
                Some(sent) => self.note_refresh(&sent, exchange, runs),
                // A sign-in, or a question whether there is one yet.
                None if exchange.status != 200 => {}
                None => {
                    self.counts.sign_ins += 1;
                    let token = refresh_token(&exchange);
                    let newest = None;
                    self.family = Family::Live { token, newest };
                }
            }
        }
    }

    fn note_refresh(&mut self, sent: &str, exchange: Exchange, runs: &BTreeMap<Number, Run>) {
        self.family = match std::mem::take(&mut self.family) {
            Family::None => panic!("a refresh before a sign-in: {exchange:?}"),
            Family::Live { token, newest } if token == sent => {
                if let Some(newest) = newest {
                    self.counts.kept += 1;
                    let passed = exchange.arrived - newest.answered;
                    if exchange.process.is_some() {
                        let shortest = self.shortest.unwrap_or(passed);
                        self.shortest = Some(shortest.min(passed));
                    }
                }
                self.replaced(exchange)
            }
            Family::Live { newest, .. } => {
                let lost = newest.expect("what a sign-in brought was kept");
                assert_eq!(
                    lost.sent.as_deref(),
                    Some(sent),
                    "only a token whose successor was lost is sent again: {exchange:?}"
                );
                if is_killed(&lost, runs) {
                    self.counts.killed += 1;
                } else if lost.is_withheld {
                    self.counts.unanswered += 1;
                } else {
                    panic!("a new token was lost, and nobody was killed: {lost:?}, {exchange:?}");
                }
                if self.forgives {
                    return self.family = self.replaced(exchange);
                }
                self.refused(sent, exchange)
            }
            Family::Dead { sent: dead, last } => {
                assert_eq!(dead, sent, "there was no other token: {exchange:?}");
                let run = last.process.and_then(|number| runs.get(&number));
                let is_kept = run.is_some_and(|run| run.stderr.contains("could not be forgotten"));
                assert!(
                    is_killed(&last, runs) || last.is_withheld || is_kept,
                    "whoever was told that it is dead has forgotten it: {last:?}, {exchange:?}"
                );
                self.refused(sent, exchange)
            }
        };
    }

    fn replaced(&self, exchange: Exchange) -> Family {
        assert_eq!(exchange.status, 200, "the token is good: {exchange:?}");
        let token = refresh_token(&exchange);
        let newest = Some(exchange);
        Family::Live { token, newest }
    }

    fn refused(&mut self, sent: &str, exchange: Exchange) -> Family {
        assert_eq!(exchange.status, 400, "{exchange:?}");
        assert_eq!(exchange.body["error"], "invalid_grant", "{exchange:?}");
        self.counts.refused += 1;
        Family::Dead {
            sent: sent.to_owned(),
            last: Box::new(exchange),
        }
    }

    /// The last refresh was kept, as its process has said; all counts are whole now.
    pub(crate) fn close(&mut self) -> Counts {
        if let Family::Live { newest, .. } = &mut self.family {
            self.counts.kept += u64::from(newest.take().is_some());
        }
        self.counts
    }
}

fn is_killed(exchange: &Exchange, runs: &BTreeMap<Number, Run>) -> bool {
    let run = exchange.process.and_then(|number| runs.get(&number));
    run.is_some_and(|run| run.end == End::Killed)
}

fn refresh_token(exchange: &Exchange) -> String {
    let token = exchange.body["refresh_token"].as_str();
    token.expect("the authority gives a new one").to_owned()
}
