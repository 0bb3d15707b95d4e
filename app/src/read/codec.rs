//! How server functions answer: JSON, as any program reads it, picked apart in the browser.

use leptos::server_fn::codec::Post;
use leptos::server_fn::{ContentType, Decodes, Encodes, Format, FormatType};
use serde::Serialize;

use super::{Read, read};

/// JSON that is read through [`Read`].
pub struct PickedEncoding;

/// An answer in [`PickedEncoding`].
pub type Picked = Post<PickedEncoding>;

impl ContentType for PickedEncoding {
    const CONTENT_TYPE: &'static str = "application/json";
}

impl FormatType for PickedEncoding {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: Serialize> Encodes<T> for PickedEncoding {
    type Error = serde_json::Error;

    fn encode(output: &T) -> Result<leptos::server_fn::Bytes, Self::Error> {
        serde_json::to_vec(output).map(leptos::server_fn::Bytes::from)
    }
}

impl<T: Read> Decodes<T> for PickedEncoding {
    type Error = &'static str;

    fn decode(bytes: leptos::server_fn::Bytes) -> Result<T, Self::Error> {
        std::str::from_utf8(&bytes).ok().and_then(read).ok_or("it is something else")
    }
}
