//! Keeps what a part shows fresh: it is asked for again when it may have changed, and of several answers only that to the
//! newest question counts.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::address::{Around, use_around};
use crate::components::memo;
use crate::error::{RpcError, RpcErrorKind};
use crate::live::use_live;

/// Whoever chooses several things, one after the other, asks once.
const BREATH: Duration = Duration::from_millis(120);
/// Before something that could not be had is asked for again; each time twice as long, up to half a minute.
const LATER: Duration = Duration::from_secs(2);
/// The most doublings of it.
const MOST_DOUBLINGS: u32 = 5;
/// After as many failures in a row the server is to say what is wrong.
const PATIENCE: u32 = 3;

/// What is to be done with an answer.
pub(super) type Answer = Box<dyn FnOnce()>;
/// A question that was asked.
pub(super) type Asked = Pin<Box<dyn Future<Output = Result<Answer, RpcError>>>>;

/// How old the data of a part is.
#[derive(Clone, Copy)]
pub struct Fresh {
    drawn_at: StoredValue<u64>,
    again: RwSignal<u32>,
}

impl Fresh {
    /// Data that was asked for when the live state had this generation, or later.
    pub fn new(generation: u64) -> Self {
        Self { drawn_at: StoredValue::new(generation), again: RwSignal::new(0) }
    }

    /// Other data has come, with the page.
    pub fn fed(self, generation: u64) {
        self.drawn_at.set_value(generation);
        self.again.update(|again| *again += 1);
    }
}

/// The newest question.
#[derive(Clone, Copy)]
struct Newest {
    number: StoredValue<u32>,
    waiting: StoredValue<Option<TimeoutHandle>>,
    again: RwSignal<u32>,
    /// How often in a row there was no answer.
    failures: StoredValue<u32>,
    around: Option<Around>,
}

/// Asks whenever the live state says that the data may be another, or what `ask` reads has changed; not for what the
/// server has drawn already.
pub(super) fn keep_fresh(ask: impl Fn() -> Option<Asked> + 'static) {
    // The server draws once.
    let Some(fresh) = use_context::<Fresh>() else { return };
    let (live, around) = (use_live(), use_around());
    let newest = Newest {
        number: StoredValue::new(0),
        waiting: StoredValue::new(None),
        again: RwSignal::new(0),
        failures: StoredValue::new(0),
        around,
    };
    let ask: Box<dyn Fn() -> Option<Asked>> = Box::new(ask);
    let epoch = memo(move || live.epoch());
    Effect::new(move |before: Option<u32>| {
        let (_, generation) = epoch.get();
        let fed = fresh.again.get();
        newest.again.track();
        let question = ask();
        let is_drawn = before != Some(fed) && fresh.drawn_at.get_value() == generation;
        newest.overtake();
        if let Some(question) = question.filter(|_| !is_drawn) {
            newest.put(question);
        }
        fed
    });
}

impl Newest {
    fn overtake(self) {
        self.number.update_value(|number| *number += 1);
        if let Some(waiting) = self.waiting.try_update_value(Option::take).flatten() {
            waiting.clear();
        }
    }

    fn put(self, question: Asked) {
        let number = self.number.get_value();
        let ask = move || {
            spawn_local(async move {
                let answer = question.await;
                // Something else was asked for meanwhile, or the part is gone.
                if self.number.try_get_value() == Some(number) {
                    self.take(answer);
                }
            });
        };
        self.waiting.set_value(set_timeout_with_handle(ask, BREATH).ok());
    }

    fn take(self, answer: Result<Answer, RpcError>) {
        match answer {
            Ok(apply) => {
                self.failures.set_value(0);
                apply();
            }
            Err(error) if error.kind == RpcErrorKind::LoggedOut => {
                if let Some(around) = self.around {
                    around.leave.run(());
                }
            }
            Err(error) => self.failed(error.kind),
        }
    }

    /// The last good data stays meanwhile, but not for ever as if nothing were wrong: the page says what is.
    fn failed(self, kind: RpcErrorKind) {
        let failures = self.failures.get_value() + 1;
        self.failures.set_value(failures);
        let is_lasting = kind != RpcErrorKind::Unavailable || failures.is_multiple_of(PATIENCE);
        if let Some(around) = self.around.filter(|_| is_lasting) {
            around.draw.run(());
        }
        let again = move || {
            // Whoever comes back gets the page drawn again anyway.
            if !document().hidden() {
                self.again.try_update(|again| *again += 1);
            }
        };
        let pause = LATER * 2_u32.pow(failures.min(MOST_DOUBLINGS) - 1);
        self.waiting.set_value(set_timeout_with_handle(again, pause).ok());
    }
}
