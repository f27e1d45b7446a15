//! Log lines with fields, which the host takes over.
//!
//! ```
//! use cdpplugin::log;
//!
//! let (path, features) = ("model.json", 12);
//! log::info!("read a model of {features} features");
//! log::debug!("read a model"; path = path, features = features);
//! ```
//!
//! In a test outside of WebAssembly they are written to standard error.

use crate::json::ToJson;

pub use crate::__log_debug as debug;
pub use crate::__log_error as error;
pub use crate::__log_info as info;
pub use crate::__log_warning as warning;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever looks for a fault.
    Debug = 0,
    /// For whoever looks.
    Info = 1,
    /// Look at this.
    Warning = 2,
    /// Something failed.
    Error = 3,
}

/// Writes a line with fields. The macros of this module are shorter.
pub fn write(level: Level, message: &str, fields: &[(&str, &dyn ToJson)]) {
    let mut line = b"{\"message\":".to_vec();
    message.write_json(&mut line);
    for (name, value) in fields {
        line.push(b',');
        name.write_json(&mut line);
        line.push(b':');
        value.write_json(&mut line);
    }
    line.push(b'}');
    hand_over(level, &line);
}

#[cfg(target_arch = "wasm32")]
fn hand_over(level: Level, line: &[u8]) {
    crate::abi::log(level as i32, line);
}

#[cfg(not(target_arch = "wasm32"))]
fn hand_over(level: Level, line: &[u8]) {
    eprintln!("{level:?} {}", String::from_utf8_lossy(line));
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    (
        $level:ident, $format:literal $(, $argument:expr)* $(,)?
        $(; $($name:ident = $value:expr),* $(,)?)?
    ) => {
        $crate::log::write(
            $crate::log::Level::$level,
            &::std::format!($format $(, $argument)*),
            &[$($((::core::stringify!($name), &$value as &dyn $crate::ToJson)),*)?],
        )
    };
}

/// Writes a line at the level debug: a format and its arguments, and after `;` fields.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug {
    ($($line:tt)+) => { $crate::__log!(Debug, $($line)+) };
}

/// Writes a line at the level info: a format and its arguments, and after `;` fields.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_info {
    ($($line:tt)+) => { $crate::__log!(Info, $($line)+) };
}

/// Writes a line at the level warning: a format and its arguments, and after `;` fields.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_warning {
    ($($line:tt)+) => { $crate::__log!(Warning, $($line)+) };
}

/// Writes a line at the level error: a format and its arguments, and after `;` fields.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($($line:tt)+) => { $crate::__log!(Error, $($line)+) };
}
