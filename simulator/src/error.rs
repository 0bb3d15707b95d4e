//! Refusals in the Engine's words and codes.

/// What the Engine answers instead of a result: a status and a text, which clients tell apart by the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) message: String,
}

impl Refusal {
    /// Any status and text.
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// 404: no `kind` of that id or name.
    pub(crate) fn not_found(kind: &str, name: &str) -> Self {
        Self::new(404, format!("{kind} {name} not found"))
    }

    /// 400: the Engine's own check of a request.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// 400: swarmkit's check of a spec.
    pub(crate) fn invalid(message: impl AsRef<str>) -> Self {
        Self::new(400, format!("rpc error: code = InvalidArgument desc = {}", message.as_ref()))
    }

    /// 400: swarmkit's word for "not in this state".
    pub(crate) fn precondition(message: impl AsRef<str>) -> Self {
        Self::new(400, format!("rpc error: code = FailedPrecondition desc = {}", message.as_ref()))
    }

    /// 409: a name that is taken.
    pub(crate) fn exists(message: impl AsRef<str>) -> Self {
        Self::new(409, format!("rpc error: code = AlreadyExists desc = {}", message.as_ref()))
    }

    /// 501: what swarmkit does not do.
    pub(crate) fn unimplemented(message: impl AsRef<str>) -> Self {
        Self::new(501, format!("rpc error: code = Unimplemented desc = {}", message.as_ref()))
    }

    /// 500: a write that names another version than the object has.
    pub(crate) fn out_of_sequence() -> Self {
        Self::new(500, "rpc error: code = Unknown desc = update out of sequence")
    }
}
