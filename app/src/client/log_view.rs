//! The log of a service, as it is written: live, searchable, and still while one reads.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use leptos::mount::mount_to;
use leptos::prelude::*;
use release_manager::names::{EnvironmentName, ServiceName};
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::page::all;
use crate::icon::{Icon, Symbol};
use crate::view::{self, LOG_LINES, Log, LogLine};

/// The logs that are drawn, each into the room that the server has left for it.
#[derive(Clone, Default)]
pub(super) struct Logs(Rc<RefCell<Vec<Drawn>>>);

/// Where a log is drawn, and what ends it when it is dropped.
type Drawn = (HtmlElement, Box<dyn Any>);

impl Logs {
    /// Draws the logs of the page, and ends those of the page before.
    pub(super) fn settle(&self) {
        let mut drawn = self.0.borrow_mut();
        drawn.retain(|(room, _)| room.is_connected());
        for room in all("[data-log]") {
            let Ok(room) = room.dyn_into::<HtmlElement>() else { continue };
            if drawn.iter().any(|(known, _)| known.is_same_node(Some(&room))) {
                continue;
            }
            let text = |name: &str| room.get_attribute(name).unwrap_or_default();
            let Ok(service) = text("data-log").parse::<ServiceName>() else { continue };
            let readable = text("data-readable").split(' ').filter_map(|name| name.parse().ok()).collect();
            let note = text("data-note");
            let view = mount_to(room.clone(), move || view! { <LogView service readable note/> });
            drawn.push((room, Box::new(view)));
        }
    }
}

/// The log of a service in one environment after the other. Nothing is asked of the Engine before somebody wants to see
/// it.
#[component]
fn LogView(
    service: ServiceName,
    /// The environments in which one may read it.
    readable: Vec<EnvironmentName>,
    /// What is said before one is chosen.
    note: String,
) -> impl IntoView {
    let log = RwSignal::new(Log::default());
    // What has come and is not shown yet: shown together, a few times a second, and not at all during a pause.
    let waiting = RwSignal::new(Vec::<LogLine>::new());
    let shown = RwSignal::new(None::<EnvironmentName>);
    let paused = RwSignal::new(false);
    let search = RwSignal::new(String::new());
    let list = NodeRef::<leptos::html::Div>::new();
    stream::follow(service.clone(), shown, log, waiting);
    Effect::new(move |_| {
        if waiting.with(Vec::is_empty) || paused.get() {
            return;
        }
        let at_end = is_at_end(list);
        log.update(|log| waiting.update_untracked(|waiting| log.take_in(waiting)));
        if at_end {
            to_end(list);
        }
    });
    let found = Memo::new(move |_| {
        log.with(|log| {
            search.with(|search| {
                let matching = log.lines.iter().filter(|line| view::holds(&line.text, search));
                matching.cloned().collect::<Vec<_>>()
            })
        })
    });
    let said = move || {
        let (number, all) = (found.with(Vec::len), log.with(|log| log.lines.len()));
        let held = waiting.with(Vec::len);
        match (number == all, paused.get()) {
            (_, true) if held == LOG_LINES => format!("Paused, {held} lines waiting, the oldest go"),
            (_, true) => format!("Paused, {} waiting", view::count(held, "line", "lines")),
            (true, false) => view::count(all, "line", "lines"),
            (false, false) => format!("{number} of {}", view::count(all, "line", "lines")),
        }
    };
    let open = Memo::new(move |_| shown.with(Option::is_some));
    view! {
        <LogHead readable shown search paused said=Signal::derive(said)/>
        {move || (!open.get()).then(|| view! {
            <p class="muted card-note">{note.clone()}</p>
        })}
        <div
            node_ref=list
            class="log-lines"
            class:hidden=move || !open.get()
            tabindex="0"
            role="log"
            aria-live="off"
            aria-label="Log lines"
        >
            <ol>
                <For each=move || found.get() key=|line| line.number let:line>
                    <li class:error=line.error>
                        <time>{line.at}</time>
                        <code class="log-task">{line.task}</code>
                        <span class="wrap">{line.text}</span>
                    </li>
                </For>
            </ol>
        </div>
        {move || log.with(|log| log.ended.clone()).map(|why| view! {
            <p class="muted card-note" role="status">
                {format!("The log ends here: {why}. Choose the environment again to go on.")}
            </p>
        })}
    }
}

/// Which log, what to look for in it, and whether it stands still.
#[component]
fn LogHead(
    readable: Vec<EnvironmentName>,
    shown: RwSignal<Option<EnvironmentName>>,
    search: RwSignal<String>,
    paused: RwSignal<bool>,
    #[prop(into)] said: Signal<String>,
) -> impl IntoView {
    let tab = move |name: EnvironmentName| {
        let (title, here) = (view::title(name.as_str()), name.clone());
        let pressed = move || shown.with(|shown| shown.as_ref() == Some(&here)).to_string();
        let choose = move |_| shown.set(Some(name.clone()));
        view! { <button type="button" aria-pressed=pressed on:click=choose>{title}</button> }
    };
    let open = Memo::new(move |_| shown.with(Option::is_some));
    view! {
        <div class="log-head">
            <div class="segments" role="group" aria-label="Environment of the log">
                {readable.into_iter().map(tab).collect_view()}
            </div>
            <label class="search" class:hidden=move || !open.get()>
                <span class="sr-only">"Search in the log"</span>
                <Icon symbol=Symbol::Search/>
                <input
                    type="search"
                    placeholder="Search in the log"
                    autocomplete="off"
                    data-search=""
                    prop:value=search
                    on:input=move |event| search.set(event_target_value(&event))
                />
            </label>
            <button
                type="button"
                class="button"
                class:hidden=move || !open.get()
                on:click=move |_| paused.update(|paused| *paused = !*paused)
            >
                {move || if paused.get() { "Go on" } else { "Pause" }}
            </button>
            <p class="muted log-count" class:hidden=move || !open.get()>{said}</p>
        </div>
    }
}

fn is_at_end(list: NodeRef<leptos::html::Div>) -> bool {
    list.get_untracked().is_none_or(|list| list.scroll_height() - list.scroll_top() - list.client_height() < 40)
}

/// Once the lines stand there.
fn to_end(list: NodeRef<leptos::html::Div>) {
    request_animation_frame(move || {
        if let Some(list) = list.get_untracked() {
            list.set_scroll_top(list.scroll_height());
        }
    });
}

mod stream {
    //! One `EventSource` while an environment is chosen.

    use std::time::Duration;

    use leptos::prelude::*;
    use send_wrapper::SendWrapper;
    use wasm_bindgen::closure::Closure;
    use wasm_bindgen::{JsCast, JsValue};
    use web_sys::{Event, EventSource, MessageEvent};

    use super::{EnvironmentName, ServiceName};
    use crate::view::{self, Log, LogLine};

    /// Lines that come within this time are shown together.
    const GATHER: Duration = Duration::from_millis(120);

    struct Stream {
        source: EventSource,
        _handlers: Vec<Closure<dyn FnMut(MessageEvent)>>,
        _failed: Closure<dyn FnMut(Event)>,
    }

    impl Drop for Stream {
        fn drop(&mut self) {
            self.source.set_onerror(None);
            self.source.close();
        }
    }

    pub(super) fn follow(
        service: ServiceName,
        shown: RwSignal<Option<EnvironmentName>>,
        log: RwSignal<Log>,
        waiting: RwSignal<Vec<LogLine>>,
    ) {
        let stream = StoredValue::new(None::<SendWrapper<Stream>>);
        Effect::new(move |_| {
            stream.set_value(None);
            log.set(Log::default());
            waiting.set(Vec::new());
            if let Some(environment) = shown.get() {
                stream.set_value(open(&environment, &service, log, waiting).map(SendWrapper::new));
            }
        });
        on_cleanup(move || stream.set_value(None));
    }

    fn open(
        environment: &EnvironmentName,
        service: &ServiceName,
        log: RwSignal<Log>,
        waiting: RwSignal<Vec<LogLine>>,
    ) -> Option<Stream> {
        let source = EventSource::new(&format!("/api/logs/{environment}/{service}?follow=true&tail=200")).ok()?;
        let gathered = StoredValue::new(Vec::<LogLine>::new());
        let add = move |line: LogLine| {
            let first = gathered.with_value(Vec::is_empty);
            gathered.update_value(|gathered| gathered.push(line));
            if first {
                let flush = move || {
                    let lines = gathered.try_update_value(std::mem::take).unwrap_or_default();
                    // During a pause nobody takes them in.
                    let _ = waiting.try_update(|waiting| {
                        waiting.extend(lines);
                        view::make_room(waiting);
                    });
                };
                set_timeout(flush, GATHER);
            }
        };
        let closing = source.clone();
        let end = move |why: String| {
            closing.close();
            let _ = log.try_update(|log| log.ended = Some(why));
        };
        let ended = end.clone();
        let handlers = vec![
            on(&source, "line", move |data| add(line(data))),
            on(&source, "skipped", move |data| {
                let lines = text(data, "lines").parse().unwrap_or_default();
                let text = format!("{} left out: they came too fast", view::count(lines, "line", "lines"));
                add(LogLine { number: 0, at: String::new(), task: String::new(), error: true, text });
            }),
            on(&source, "ended", move |data| ended(text(data, "reason"))),
        ];
        let failed = Closure::<dyn FnMut(Event)>::new(move |_| end("the connection was lost".to_owned()));
        source.set_onerror(Some(failed.as_ref().unchecked_ref()));
        Some(Stream { source, _handlers: handlers, _failed: failed })
    }

    fn on(source: &EventSource, name: &str, handle: impl Fn(&JsValue) + 'static) -> Closure<dyn FnMut(MessageEvent)> {
        let handler = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let data = event.data().as_string().and_then(|data| js_sys::JSON::parse(&data).ok());
            if let Some(data) = data {
                handle(&data);
            }
        });
        let _ = source.add_event_listener_with_callback(name, handler.as_ref().unchecked_ref());
        handler
    }

    fn line(data: &JsValue) -> LogLine {
        let at = text(data, "at");
        LogLine {
            number: 0,
            at: at.get(11..19).unwrap_or_default().to_owned(),
            task: text(data, "task").chars().take(6).collect(),
            error: get(data, "error").is_truthy(),
            text: text(data, "text"),
        }
    }

    fn get(data: &JsValue, name: &str) -> JsValue {
        js_sys::Reflect::get(data, &JsValue::from_str(name)).unwrap_or(JsValue::NULL)
    }

    fn text(data: &JsValue, name: &str) -> String {
        let value = get(data, name);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole numbers are sent; to write others takes 6 KB of program"
        )]
        let whole = |number: f64| (number as i64).to_string();
        value.as_string().or_else(|| value.as_f64().map(whole)).unwrap_or_default()
    }
}
