//! The page that is shown: fetched as the server draws it, and drawn into the one that is there. A link leads to
//! another page, news draw the same one again.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    AbortController, Document, DomParser, Element, Headers, HtmlElement, HtmlInputElement, RequestInit, Response,
    SupportedType, Url, UrlSearchParams,
};

use super::{document, morph, refusal, window};

/// How often an order that waits for another one looks whether it is its turn.
const TURN_MILLIS: i32 = 50;

/// How an address gets into the bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// As a new entry of the browser's history.
    New,
    /// In place of the one that is there.
    Same,
    /// It is there already.
    There,
}

/// What is asked of the server.
#[derive(Debug, Clone)]
struct Ask {
    /// The address.
    url: String,
    /// What a form sends; `None` for a page that is only fetched.
    form: Option<UrlSearchParams>,
    /// Where the address goes.
    entry: Entry,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The page is shown.
    Shown,
    /// The order was refused; why, where the page that is shown does not say it.
    Refused(Option<String>),
    /// Something else was asked for meanwhile; an order was taken all the same.
    Overtaken,
    /// The browser loads the page anew.
    Leaving,
    /// The server has no page for it just now.
    Later,
    /// The server cannot be reached.
    Unreachable,
}

/// The one page of this tab.
#[derive(Clone)]
pub(super) struct Page(Rc<State>);

struct State {
    /// What is shown, with what the server was told of a refusal: drawn again as it is.
    shown: RefCell<String>,
    /// The number of the newest question; answers to older ones are thrown away.
    newest: Cell<u32>,
    /// The page that is being fetched.
    running: RefCell<Option<AbortController>>,
    /// The numbers of the orders that are not answered yet. The first is under way, and never broken off: the server carries
    /// it out, whoever waits for the answer. The others wait for their turn.
    orders: RefCell<Vec<u32>>,
    after: RefCell<Rc<dyn Fn()>>,
}

impl Page {
    /// The page as the browser has loaded it.
    pub(super) fn new() -> Self {
        let shown = window().location().href().unwrap_or_default();
        Self(Rc::new(State {
            shown: RefCell::new(shown),
            newest: Cell::new(0),
            running: RefCell::new(None),
            orders: RefCell::default(),
            after: RefCell::new(Rc::new(|| ())),
        }))
    }

    /// What is done whenever the page was drawn again.
    pub(super) fn after(&self, after: impl Fn() + 'static) {
        self.0.after.replace(Rc::new(after));
    }

    /// Follows the browser's own buttons, and keeps for them where one stood.
    pub(super) fn follow_history(&self) {
        if let Ok(history) = window().history() {
            let _ = history.set_scroll_restoration(web_sys::ScrollRestoration::Manual);
        }
        stand(remembered_scroll());
        super::listen(&window(), "pagehide", |_| remember_scroll());
        let page = self.clone();
        super::listen(&window(), "popstate", move |_| {
            let is_here = without_hash(&base()) == without_hash(&page.0.shown.borrow());
            if !is_here {
                page.go(&base(), Entry::There);
            }
        });
    }

    /// Whether an answer is awaited.
    pub(super) fn is_busy(&self) -> bool {
        self.0.running.borrow().is_some() || !self.0.orders.borrow().is_empty()
    }

    /// Leads to another page.
    pub(super) fn go(&self, url: &str, entry: Entry) {
        let page = self.clone();
        let ask = Ask { url: url.to_owned(), form: None, entry };
        spawn_local(async move {
            let url = ask.url.clone();
            if matches!(page.ask(ask).await, Outcome::Unreachable | Outcome::Later) {
                // The browser knows best how to say that.
                let _ = window().location().assign(&url);
            }
        });
    }

    /// Draws the same page again.
    pub(super) async fn refresh(&self) -> Outcome {
        let url = self.0.shown.borrow().clone();
        self.ask(Ask { url, form: None, entry: Entry::There }).await
    }

    /// Puts another address into the bar: what is shown belongs to that one too.
    pub(super) fn rename(&self, url: &str) {
        put_address(url, Entry::Same);
        *self.0.shown.borrow_mut() = base();
    }

    /// Sends a form, one after the other, and shows the answer. Where something else was asked for meanwhile, a refusal is
    /// told all the same.
    pub(super) async fn order(&self, url: String, form: UrlSearchParams) -> Outcome {
        let number = self.overtake();
        self.0.orders.borrow_mut().push(number);
        while self.0.orders.borrow().first() != Some(&number) {
            super::pause(TURN_MILLIS).await;
        }
        let ask = Ask { url, form: Some(form), entry: Entry::New };
        let answer = fetch(&ask, None).await;
        self.0.orders.borrow_mut().remove(0);
        match answer {
            Ok(answer) if self.0.newest.get() == number => self.show(answer, &ask),
            Ok(answer) => overtaken(&answer),
            Err(_) => Outcome::Unreachable,
        }
    }

    /// Asks for a page, and shows the answer if nothing else was asked for meanwhile.
    async fn ask(&self, ask: Ask) -> Outcome {
        let number = self.overtake();
        if ask.entry == Entry::Same {
            // What draws the page again meanwhile draws what is being asked for.
            put_address(&ask.url, Entry::Same);
            self.0.shown.borrow_mut().clone_from(&ask.url);
        }
        let controller = AbortController::new().ok();
        self.0.running.replace(controller.clone());
        let answer = fetch(&ask, controller.as_ref()).await;
        if self.0.newest.get() != number {
            return Outcome::Overtaken;
        }
        self.0.running.replace(None);
        match answer {
            Ok(answer) => self.show(answer, &ask),
            Err(_) => Outcome::Unreachable,
        }
    }

    /// Ends the fetching that is under way; the number of what comes.
    fn overtake(&self) -> u32 {
        let number = self.0.newest.get().wrapping_add(1);
        self.0.newest.set(number);
        if let Some(running) = self.0.running.take() {
            running.abort();
        }
        number
    }

    fn show(&self, answer: Answer, ask: &Ask) -> Outcome {
        let Some(drawn) = parse(&answer.html).filter(is_ours) else {
            if ask.form.is_none() {
                // A proxy's own page while the server restarts, or too many questions.
                return Outcome::Later;
            }
            return turned_away(&answer);
        };
        if !is_of_this_build(&drawn) {
            // Another version of the server, or the page to log in.
            let target = match &ask.form {
                None => ask.url.clone(),
                Some(_) if path(&answer.url) == path(&ask.url) => base(),
                Some(_) => answer.url,
            };
            let _ = window().location().assign(&target);
            return Outcome::Leaving;
        }
        let address = without(&answer.url, refusal::PARTS);
        let refused =
            (address != answer.url).then(|| refusal::in_address(&answer.url).filter(|_| !refusal::is_told(&drawn)));
        let was_at = path(&self.0.shown.borrow());
        let moved = was_at != path(&address);
        let entry = match ask.entry {
            Entry::New if !moved && ask.form.is_some() => Entry::Same,
            entry => entry,
        };
        if entry == Entry::New {
            remember_scroll();
        }
        if entry != Entry::There {
            put_address(&address, entry);
        }
        let before = self.0.shown.replace(answer.url);
        self.draw(&drawn);
        if ask.entry == Entry::There && before != *self.0.shown.borrow() {
            // On the way back what was typed last does not count.
            as_drawn();
        }
        if moved {
            arrive(entry);
        }
        refused.map_or(Outcome::Shown, Outcome::Refused)
    }

    fn draw(&self, drawn: &Document) {
        document().set_title(&drawn.title());
        if let (Some(shown), Some(wanted)) = (document().body(), drawn.body()) {
            morph::children(&shown, &wanted);
        }
        let after = self.0.after.borrow().clone();
        after();
    }
}

struct Answer {
    url: String,
    html: String,
}

async fn fetch(ask: &Ask, controller: Option<&AbortController>) -> Result<Answer, JsValue> {
    let headers = Headers::new()?;
    // Server functions answer who accepts a page with a page.
    headers.set("accept", "text/html")?;
    let init = RequestInit::new();
    init.set_headers(&headers);
    init.set_signal(controller.map(AbortController::signal).as_ref());
    if let Some(form) = &ask.form {
        init.set_method("POST");
        init.set_body(form);
    }
    let response = JsFuture::from(window().fetch_with_str_and_init(&ask.url, &init)).await?;
    let response: Response = response.dyn_into()?;
    let text = JsFuture::from(response.text()?).await?;
    Ok(Answer { url: response.url(), html: text.as_string().unwrap_or_default() })
}

fn parse(html: &str) -> Option<Document> {
    DomParser::new().ok()?.parse_from_string(html, SupportedType::TextHtml).ok()
}

/// What became of an order whose page nobody waits for any more.
fn overtaken(answer: &Answer) -> Outcome {
    match parse(&answer.html).filter(is_ours) {
        None => turned_away(answer),
        // What has overtaken it leads to the login too.
        Some(drawn) if !is_of_this_build(&drawn) => Outcome::Leaving,
        Some(_) => refusal::in_address(&answer.url).map_or(Outcome::Overtaken, |why| Outcome::Refused(Some(why))),
    }
}

/// What turns an order away before it is read says why, but draws no page.
fn turned_away(answer: &Answer) -> Outcome {
    refusal::in_text(&answer.html).map_or(Outcome::Unreachable, |why| Outcome::Refused(Some(why)))
}

fn is_ours(drawn: &Document) -> bool {
    style(drawn).is_some()
}

/// Styles and program belong together: after an update, a login and a logout the page has to be loaded anew.
fn is_of_this_build(drawn: &Document) -> bool {
    let known = |document: &Document| document.document_element().is_some_and(|root| root.has_attribute("data-known"));
    style(drawn) == style(&document()) && known(drawn) == known(&document())
}

fn style(document: &Document) -> Option<String> {
    document.get_element_by_id("style")?.get_attribute("href")
}

fn put_address(url: &str, entry: Entry) {
    let Ok(history) = window().history() else { return };
    let _ = match entry {
        Entry::New => history.push_state_with_url(&JsValue::NULL, "", Some(url)),
        Entry::Same => {
            let state = history.state().unwrap_or(JsValue::NULL);
            history.replace_state_with_url(&state, "", Some(url))
        }
        Entry::There => Ok(()),
    };
}

/// For the way back.
fn remember_scroll() {
    let Ok(history) = window().history() else { return };
    let state = js_sys::Object::new();
    let top = window().scroll_y().unwrap_or_default();
    let _ = Reflect::set(&state, &"top".into(), &top.into());
    let _ = history.replace_state(&state, "");
}

/// On another page one begins at the top, and whoever listens hears where that is; on the way back one stands where one
/// stood.
fn arrive(entry: Entry) {
    stand(remembered_scroll().filter(|_| entry == Entry::There).or(Some(0.0)));
    if let Some(content) = document().get_element_by_id("content").and_then(|main| main.dyn_into::<HtmlElement>().ok())
    {
        let options = web_sys::FocusOptions::new();
        options.set_prevent_scroll(true);
        let _ = content.focus_with_options(&options);
    }
}

/// Puts into the field that has the focus what the page that came says; other drawings leave it to who types.
fn as_drawn() {
    let focused = document().active_element().filter(|field| !matches!(field.closest("[data-client]"), Ok(Some(_))));
    if let Some(field) = focused.and_then(|field| field.dyn_into::<HtmlInputElement>().ok()) {
        field.set_value(&field.default_value());
    }
}

fn remembered_scroll() -> Option<f64> {
    let state = window().history().ok()?.state().ok()?;
    Reflect::get(&state, &"top".into()).ok()?.as_f64()
}

fn stand(top: Option<f64>) {
    if let Some(top) = top {
        window().scroll_to_with_x_and_y(0.0, top);
    }
}

fn without_hash(url: &str) -> &str {
    url.split('#').next().unwrap_or(url)
}

fn path(url: &str) -> String {
    Url::new_with_base(url, &base()).map(|url| url.pathname()).unwrap_or_default()
}

/// The address without some parts of the question.
fn without(url: &str, names: &[&str]) -> String {
    let Ok(url) = Url::new_with_base(url, &base()) else { return url.to_owned() };
    let question = url.search_params();
    if !names.iter().any(|name| question.has(name)) {
        return url.href();
    }
    for name in names {
        question.delete(name);
    }
    url.href()
}

pub(super) fn base() -> String {
    window().location().href().unwrap_or_default()
}

/// An element's own address, if it leads to this server.
pub(super) fn own_url(url: &str) -> Option<Url> {
    let url = Url::new_with_base(url, &base()).ok()?;
    (url.origin() == window().location().origin().ok()?).then_some(url)
}

/// Everything that matches, in the page.
pub(super) fn all(selector: &str) -> Vec<Element> {
    let Ok(found) = document().query_selector_all(selector) else { return Vec::new() };
    (0..found.length()).filter_map(|index| found.get(index)?.dyn_into().ok()).collect()
}
