//! Reads and changes every message, with the Rust SDK.

use cdpplugin::{Message, Metadata, Result};

fn change(mut message: Message) -> Result<Message> {
    let mut payload = message.object()?;
    payload.set("processed", true)?;
    message.payload = payload.into();
    Ok(message)
}

cdpplugin::processor! { Metadata::new("change-rust", "1.0.0"), change }
