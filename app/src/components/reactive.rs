//! What components follow values with. It forgets the types of values and closures, so that the program of the browser has
//! the machinery once, and not once for each of them: that was the most of its weight.

use std::any::Any;
use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use leptos::prelude::*;

/// A value of whatever type that can be told from another one.
trait Value: Send + Sync {
    fn is_same(&self, other: &dyn Value) -> bool;
    fn as_any(&self) -> &dyn Any;
}

impl<T: PartialEq + Send + Sync + 'static> Value for T {
    fn is_same(&self, other: &dyn Value) -> bool {
        other.as_any().downcast_ref::<T>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Clone)]
struct Held(Arc<dyn Value>);

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.0.is_same(&*other.0)
    }
}

/// A value that follows what it is made from; whoever reads it hears of it only when it is another one.
pub struct Seen<T> {
    memo: Memo<Held>,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Seen<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Seen<T> {}

impl<T: PartialEq + Send + Sync + 'static> Seen<T> {
    fn new(memo: Memo<Held>) -> Self {
        Self { memo, of: PhantomData }
    }

    /// Reads it, and follows it.
    pub fn with<R>(self, read: impl FnOnce(&T) -> R) -> R {
        Self::read(&self.memo.get(), read)
    }

    /// Reads it as it is now.
    pub fn with_untracked<R>(self, read: impl FnOnce(&T) -> R) -> R {
        Self::read(&self.memo.get_untracked(), read)
    }

    fn read<R>(held: &Held, read: impl FnOnce(&T) -> R) -> R {
        let Some(value) = held.0.as_any().downcast_ref::<T>() else { unreachable!("a value keeps its type") };
        read(value)
    }

    /// Follows it without reading it.
    pub fn track(self) {
        self.memo.track();
    }
}

impl<T: Clone + PartialEq + Send + Sync + 'static> Seen<T> {
    /// The value; follows it.
    pub fn get(self) -> T {
        self.with(T::clone)
    }

    /// The value as it is now.
    pub fn get_untracked(self) -> T {
        self.with_untracked(T::clone)
    }
}

/// A value that stays as it is.
impl<T: PartialEq + Send + Sync + 'static> From<T> for Seen<T> {
    fn from(value: T) -> Self {
        let held = Held(Arc::new(value));
        Self::new(made(Box::new(move || held.clone())))
    }
}

/// Another value in place of the one that is followed.
impl<T: Clone + PartialEq + Send + Sync + 'static> From<RwSignal<T>> for Seen<T> {
    fn from(signal: RwSignal<T>) -> Self {
        memo(move || signal.get())
    }
}

/// Follows what is made of what it reads.
pub fn memo<T>(make: impl Fn() -> T + Send + Sync + 'static) -> Seen<T>
where
    T: PartialEq + Send + Sync + 'static,
{
    Seen::new(made(Box::new(move || Held(Arc::new(make())))))
}

fn made(make: Box<dyn Fn() -> Held + Send + Sync>) -> Memo<Held> {
    Memo::new(move |_| make())
}

/// Follows one part of something that changes, and keeps the last value while there is none.
pub fn follow<T>(initial: T, pick: impl Fn() -> Option<T> + Send + Sync + 'static) -> Seen<T>
where
    T: PartialEq + Send + Sync + 'static,
{
    Seen::new(kept(Held(Arc::new(initial)), Box::new(move || Some(Held(Arc::new(pick()?))))))
}

fn kept(initial: Held, pick: Box<dyn Fn() -> Option<Held> + Send + Sync>) -> Memo<Held> {
    Memo::new(move |last: Option<&Held>| pick().or_else(|| last.cloned()).unwrap_or_else(|| initial.clone()))
}

/// Things in a list, told apart by their names: each is drawn once, and then follows by itself what it shows.
pub fn each<N>(
    names: impl Fn() -> Vec<N> + Send + Sync + 'static,
    draw: impl Fn(N) -> AnyView + Send + Sync + 'static,
) -> AnyView
where
    N: Display + FromStr + 'static,
{
    all(
        Box::new(move || names().iter().map(N::to_string).collect()),
        Arc::new(move |name| name.parse().map_or_else(|_| ().into_any(), &draw)),
    )
}

fn all(names: Box<dyn Fn() -> Vec<String> + Send + Sync>, draw: Arc<dyn Fn(&str) -> AnyView + Send + Sync>) -> AnyView {
    view! { <For each=move || names() key=String::clone children=move |name| draw(&name)/> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_type_and_follows() {
        let owner = Owner::new();
        owner.set();
        let number = RwSignal::new(1);
        let doubled = memo(move || number.get() * 2);
        let some = follow(0, move || Some(number.get()).filter(|number| *number < 3));
        assert_eq!((doubled.get_untracked(), some.get_untracked()), (2, 1));
        number.set(4);
        assert_eq!((doubled.get_untracked(), some.get_untracked()), (8, 1));
        assert_eq!(Seen::from("fixed").get_untracked(), "fixed");
        owner.cleanup();
    }
}
