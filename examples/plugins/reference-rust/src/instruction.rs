//! The errors that a payload or a configuration asks for.

use std::time::Duration;

use cdpplugin::{Error, Object, Result};

/// Tells whether a word names an error.
pub fn is_instruction(kind: &str) -> bool {
    matches!(kind, "fail" | "retry" | "fatal" | "panic")
}

/// Returns the error that `kind` names, with what `wanted` says of it; or panics.
pub fn instruction(kind: &str, wanted: &Object) -> Result<Error> {
    let text = |name| wanted.get::<String>(name);
    let or = |fallback: &str| Ok::<_, Error>(text("message")?.unwrap_or_else(|| fallback.into()));
    let mut error = match kind {
        "retry" => Error::retry(or("busy")?),
        "fatal" => Error::fatal(or("failed")?),
        "panic" => panic!("{}", or("panicked")?),
        _ => Error::new(or("failed")?),
    };
    if let Some(code) = text("code")? {
        error = error.code(code);
    }
    if let Some(after_s) = wanted.get("after_s")? {
        error = error.after(Duration::from_secs_f64(after_s));
    }
    Ok(error.hint(text("hint")?.unwrap_or_default()))
}

/// Returns what the key `start` of a configuration asks for; or panics.
pub fn fail_start(kind: &str) -> Error {
    const MESSAGE: &str = "cannot start";
    let error = match kind {
        "retry" => Error::retry(MESSAGE),
        "fatal" => Error::fatal(MESSAGE),
        "panic" => panic!("start panicked"),
        _ => Error::new(MESSAGE),
    };
    error.code("reference.start").hint("start it otherwise")
}
